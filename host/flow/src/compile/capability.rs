//! Transforms and side effects: statuses, operations, and molecules that are lists and nothing more (P-32, P-33).

use super::Checker;
use crate::artifact::{Artifact, MoleculeStep, SideEffect, Transform};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// Nesting of molecules; far beyond anything readable, and it bounds the walks over them.
const MOLECULE_DEPTH_MAX: usize = 16;

impl<'a> Checker<'a> {
    pub(super) fn transform(&mut self, transform: &'a Transform) {
        let code = &transform.code;
        self.statuses(code, "statuses", &transform.statuses);
        if !super::contract::is_status(&transform.operation) {
            self.error("bad_operation", code, "operation", format!("`{}` is not capitals, digits and `_`", transform.operation));
        }
        let Some(steps) = &transform.steps else {
            return;
        };
        if !transform.statuses.contains("SUCCESS") {
            self.error("molecule_status", code, "statuses", "a molecule ends with `SUCCESS` when its last atom does");
        }
        let mut names = BTreeSet::new();
        for step in steps {
            self.atom(transform, step);
            if !names.insert(step.name.as_str()) {
                self.error(
                    "duplicate_step",
                    code,
                    format!("steps.{}", step.name),
                    format!("`{}` is the name of two atoms", step.name),
                );
            }
        }
        match steps.last().and_then(|last| self.get(&last.capability)) {
            None if steps.is_empty() => self.error("empty_molecule", code, "steps", "a molecule has at least one atom"),
            Some(Artifact::Transform(last)) => {
                for output in transform.outputs.keys().filter(|output| !last.outputs.contains_key(*output)) {
                    let detail = format!("the last atom `{}` does not put out `{output}`", last.code);
                    self.error("molecule_output", code, format!("outputs.{output}"), detail);
                }
            }
            _ => {}
        }
        let mut trail = Vec::new();
        if let Some(cycle) = self.recursion(transform, &mut trail) {
            self.error("molecule_recursion", code, "steps", cycle);
        }
    }

    fn atom(&mut self, molecule: &Transform, step: &MoleculeStep) {
        let at = format!("steps.{}", step.name);
        let Some(Artifact::Transform(atom)) = self.get(&step.capability) else {
            if step.capability.starts_with("CS_") {
                let detail = format!("`{}` is a side effect; a molecule is made of transforms", step.capability);
                return self.error("side_effect_in_molecule", &molecule.code, at, detail);
            }
            return self.missing(&molecule.code, at, &step.capability);
        };
        for (name, _) in atom.inputs.iter().filter(|(name, field)| field.required && !step.inputs.contains_key(*name)) {
            let detail = format!("`{}` requires `{name}`; the molecule can never run", atom.code);
            self.error("required_input_not_given", &molecule.code, format!("{at}.inputs"), detail);
        }
        for status in atom.statuses.iter().filter(|status| !molecule.statuses.contains(*status)) {
            let detail = format!("`{}` may return `{status}`, which the molecule does not declare", atom.code);
            self.error("molecule_status", &molecule.code, at.clone(), detail);
        }
    }

    /// The path by which a molecule contains itself, or one that nests too deep.
    fn recursion(&self, transform: &'a Transform, trail: &mut Vec<&'a str>) -> Option<alloc::string::String> {
        if trail.contains(&transform.code.as_str()) || trail.len() > MOLECULE_DEPTH_MAX {
            trail.push(&transform.code);
            return Some(format!("{} contains itself or nests deeper than {MOLECULE_DEPTH_MAX}", trail.join(" → ")));
        }
        trail.push(&transform.code);
        for step in transform.steps.iter().flatten() {
            if let Some(Artifact::Transform(atom)) = self.get(&step.capability)
                && let Some(found) = self.recursion(atom, trail)
            {
                return Some(found);
            }
        }
        trail.pop();
        None
    }

    /// The capabilities behind a code, molecules taken apart; empty beyond the depth that is refused anyway.
    pub(super) fn atoms(&self, code: &'a str) -> Vec<&'a str> {
        self.atoms_below(code, 0)
    }

    fn atoms_below(&self, code: &'a str, depth: usize) -> Vec<&'a str> {
        match self.get(code) {
            _ if depth > MOLECULE_DEPTH_MAX => Vec::new(),
            Some(Artifact::Transform(Transform { steps: Some(steps), .. })) => {
                steps.iter().flat_map(|step| self.atoms_below(&step.capability, depth.saturating_add(1))).collect()
            }
            _ => alloc::vec![code],
        }
    }

    pub(super) fn side_effect(&mut self, effect: &'a SideEffect) {
        if effect.operations.is_empty() {
            self.error("no_operation", &effect.code, "operations", "a side effect has at least one operation");
        }
        for (name, operation) in &effect.operations {
            self.statuses(&effect.code, &format!("operations.{name}.statuses"), &operation.statuses);
            if !super::contract::is_status(name) {
                self.error(
                    "bad_operation",
                    &effect.code,
                    format!("operations.{name}"),
                    "an operation is capitals, digits and `_`",
                );
            }
        }
    }
}
