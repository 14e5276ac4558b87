//! Transforms and side effects: statuses, operations, and molecules that are lists and nothing more (P-32, P-33).

use super::Checker;
use crate::artifact::{Artifact, LimitOverrides, MoleculeStep, SideEffect, Transform};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Nesting of molecules; far beyond anything readable, and it bounds the walks over them.
const MOLECULE_DEPTH_MAX: usize = 16;

/// Calls that one step may stand for: nesting multiplies, and a plan holds every call.
const MOLECULE_ATOMS_MAX: usize = 1024;

/// The extent of a transform.
#[derive(Clone, Copy)]
struct Size {
    depth: usize,
    atoms: usize,
}

impl<'a> Checker<'a> {
    pub(super) fn transform(&mut self, transform: &'a Transform) {
        let code = &transform.code;
        self.statuses(code, "statuses", &transform.statuses);
        self.limits(code, "limits", transform.limits);
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
                self.error("duplicate_step", code, format!("steps.{}", step.name), format!("`{}` is the name of two atoms", step.name));
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
        if let Err(detail) = self.measure(transform, &mut Vec::new(), &mut BTreeMap::new()) {
            self.error("molecule_recursion", code, "steps", detail);
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

    /// How deep and how large a molecule is; the path by which it contains itself, or the bound that it breaks. Every code is measured
    /// once, so a few files that double each other cost no more than a few files.
    fn measure(&self, transform: &'a Transform, trail: &mut Vec<&'a str>, known: &mut BTreeMap<&'a str, Size>) -> Result<Size, String> {
        if trail.contains(&transform.code.as_str()) {
            trail.push(&transform.code);
            return Err(format!("{} contains itself", trail.join(" → ")));
        }
        let size = match known.get(transform.code.as_str()) {
            Some(size) => *size,
            None => {
                trail.push(&transform.code);
                let mut size = Size { depth: 1, atoms: usize::from(transform.steps.is_none()) };
                // A trail as long as the bound is refused below, before the walk could go any deeper.
                let steps = transform.steps.as_deref().filter(|_| trail.len() <= MOLECULE_DEPTH_MAX);
                for step in steps.unwrap_or_default() {
                    let Some(Artifact::Transform(atom)) = self.get(&step.capability) else { continue };
                    let inner = self.measure(atom, trail, known)?;
                    size.depth = size.depth.max(inner.depth.saturating_add(1));
                    size.atoms = size.atoms.saturating_add(inner.atoms);
                }
                trail.pop();
                known.insert(&transform.code, size);
                size
            }
        };
        if trail.len().saturating_add(size.depth) > MOLECULE_DEPTH_MAX {
            return Err(format!("`{}` nests deeper than {MOLECULE_DEPTH_MAX}", trail.first().unwrap_or(&transform.code.as_str())));
        }
        if size.atoms > MOLECULE_ATOMS_MAX {
            return Err(format!("`{}` has {} atoms; at most {MOLECULE_ATOMS_MAX}", transform.code, size.atoms));
        }
        Ok(size)
    }

    /// The distinct capabilities behind a code, molecules taken apart.
    pub(super) fn atoms(&self, code: &'a str) -> BTreeSet<&'a str> {
        let (mut atoms, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), alloc::vec![code]);
        while let Some(code) = open.pop() {
            match self.get(code) {
                _ if !seen.insert(code) => {}
                Some(Artifact::Transform(Transform { steps: Some(steps), .. })) => {
                    open.extend(steps.iter().map(|step| step.capability.as_str()));
                }
                _ => {
                    atoms.insert(code);
                }
            }
        }
        atoms
    }

    /// Limits that calls can keep, whoever states them: the capability, or a binding in its place.
    pub(super) fn limits(&mut self, code: &str, at: &str, limits: Option<LimitOverrides>) {
        if let Some(Err(detail)) = limits.map(|limits| limits.check()) {
            self.error("bad_grant", code, at, detail);
        }
    }

    pub(super) fn side_effect(&mut self, effect: &'a SideEffect) {
        self.limits(&effect.code, "limits", effect.limits);
        if effect.operations.is_empty() {
            self.error("no_operation", &effect.code, "operations", "a side effect has at least one operation");
        }
        for (name, operation) in &effect.operations {
            self.statuses(&effect.code, &format!("operations.{name}.statuses"), &operation.statuses);
            if !super::contract::is_status(name) {
                self.error("bad_operation", &effect.code, format!("operations.{name}"), "an operation is capitals, digits and `_`");
            }
        }
    }
}
