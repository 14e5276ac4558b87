//! The calls of a step: one for an atom or a side effect, a list for a molecule, each with its target.

use super::super::HOST_REFUSED;
use super::super::report::{self, BindingReport, PHASE_BINDING};
use super::{Builder, inputs, kind_of};
use crate::artifact::{Artifact, LimitOverrides, MoleculeStep, Step, Transform};
use crate::plan::{CallPlan, Limits, Op, SlotRef, Target, TargetKind};
use crate::snapshot::Snapshot;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// How deep molecules may nest; `compile` refuses recursion, this only bounds the walk.
const MOLECULE_DEPTH_MAX: usize = 16;

/// Where the names of a molecule's scope point to: its inputs, and per finished step the slot and the outputs visible in it.
struct Frame {
    inputs: usize,
    results: BTreeMap<String, (usize, Option<BTreeSet<String>>)>,
}

/// The operations of a step, its kind, and for a molecule the outputs it declares.
type Ops = (TargetKind, Vec<Op>, Option<BTreeSet<String>>);

/// Adds the capabilities behind a code, molecules taken apart.
pub(super) fn atoms(snapshot: &Snapshot, code: &str, codes: &mut BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    let mut open = alloc::vec![code];
    while let Some(code) = open.pop() {
        if !seen.insert(code) {
            continue;
        }
        if let Some(Artifact::Transform(Transform { steps: Some(steps), .. })) = snapshot.artifact(code) {
            open.extend(steps.iter().map(|step| step.capability.as_str()));
        } else {
            codes.insert(code.into());
        }
    }
}

impl Builder<'_> {
    pub(super) fn ops(&mut self, step: &Step, contract: &str) -> Result<Ops, Box<BindingReport>> {
        let kind = kind_of(&step.capability);
        match self.snapshot.artifact(&step.capability) {
            Some(Artifact::Transform(Transform { steps: Some(atoms), outputs, .. })) => {
                let mut ops = Vec::new();
                let mut frame = Frame { inputs: 0, results: BTreeMap::new() };
                self.molecule(atoms, &mut frame, &step.step, &mut ops, 0)?;
                Ok((kind, ops, Some(outputs.keys().cloned().collect())))
            }
            Some(Artifact::Transform(_)) => {
                let target = self.target(&step.capability, &step.operation, String::new(), contract)?;
                let call = call(&step.step, target, &step.capability, &step.operation, "");
                Ok((kind, alloc::vec![Op::Call(call)], None))
            }
            Some(Artifact::SideEffect(effect)) => {
                let stored = effect.imports.iter().any(|import| matches!(import.as_str(), "registry" | "table" | "log"));
                let bound = self.bound(&step.capability, contract)?;
                // Where nothing runs, nothing is stored.
                let store = self.store(step, stored && bound.host != HOST_REFUSED)?;
                let target = self.target(&step.capability, &step.operation, store.clone(), contract)?;
                let call = call(&step.step, target, &step.capability, &step.operation, &store);
                Ok((kind, alloc::vec![Op::Call(call)], None))
            }
            _ => Err(report::missing_artifact(&step.capability, contract)),
        }
    }

    fn molecule(
        &mut self,
        atoms: &[MoleculeStep],
        frame: &mut Frame,
        prefix: &str,
        ops: &mut Vec<Op>,
        depth: usize,
    ) -> Result<(), Box<BindingReport>> {
        for atom in atoms {
            let name = format!("{prefix}/{}", atom.name);
            let Some(Artifact::Transform(transform)) = self.snapshot.artifact(&atom.capability) else {
                return Err(report::missing_artifact(&atom.capability, prefix));
            };
            let given = inputs(&atom.inputs, &transform.inputs, &mut |path| slot_ref(&path, frame));
            let visible: BTreeSet<String> = transform.outputs.keys().cloned().collect();
            if let (Some(nested), true) = (&transform.steps, depth < MOLECULE_DEPTH_MAX) {
                ops.push(Op::Enter(given));
                let mut inner = Frame { inputs: ops.len(), results: BTreeMap::new() };
                self.molecule(nested, &mut inner, &name, ops, depth.saturating_add(1))?;
                frame.results.insert(atom.name.clone(), (ops.len(), Some(visible)));
            } else {
                let target = self.target(&atom.capability, &transform.operation, String::new(), prefix)?;
                let call = CallPlan { inputs: Some(given), ..call(&name, target, &atom.capability, &transform.operation, "") };
                ops.push(Op::Call(call));
                frame.results.insert(atom.name.clone(), (ops.len(), None));
            }
        }
        Ok(())
    }

    fn bound(&self, capability: &str, needed_by: &str) -> Result<&crate::artifact::Bound, Box<BindingReport>> {
        let binding = self.binding;
        binding.bindings.get(capability).ok_or_else(|| report::unbound_capability(self.snapshot, capability, needed_by, &binding.code))
    }

    /// Adds a target and answers its position.
    fn target(&mut self, capability: &str, operation: &str, store: String, needed_by: &str) -> Result<usize, Box<BindingReport>> {
        let bound = self.bound(capability, needed_by)?;
        let module = bound.module.clone().unwrap_or_default();
        let module_digest = match self.snapshot.module_digest(&module) {
            Some(digest) => digest.into(),
            None if bound.host == HOST_REFUSED => String::new(),
            None => return Err(self.unknown_module(capability, &module)),
        };
        let (statuses, declared) = match self.snapshot.artifact(capability) {
            Some(Artifact::Transform(transform)) => (Some(&transform.statuses), transform.limits),
            Some(Artifact::SideEffect(effect)) => (effect.operations.get(operation).map(|found| &found.statuses), effect.limits),
            _ => (None, None),
        };
        let target = Target {
            capability: capability.into(),
            kind: kind_of(capability),
            host: bound.host.clone(),
            module,
            module_digest,
            operation: operation.into(),
            store,
            grants: bound.grants.iter().map(|grant| grant.as_str().into()).collect(),
            http: bound.http.clone(),
            files: self.stores.get(capability).map(|filled| filled.files.clone()).unwrap_or_default(),
            workflow: bound.workflow.clone(),
            outbox: bound.outbox.clone(),
            limits: limits(declared, bound.limits),
            statuses: statuses.into_iter().flatten().cloned().collect(),
        };
        self.targets.push(target);
        Ok(self.targets.len().saturating_sub(1))
    }

    fn unknown_module(&self, capability: &str, module: &str) -> Box<BindingReport> {
        Box::new(BindingReport {
            code: "unknown_module",
            phase: PHASE_BINDING,
            artifact: capability.into(),
            binding: self.binding.code.clone(),
            check: "the module is in the snapshot",
            detail: format!("module `{module}` is not in the snapshot"),
            available: self.snapshot.modules().map(|(name, _)| name.into()).collect(),
            resolution: "add the module and seal again, or bind one of the available modules".into(),
        })
    }
}

fn call(name: &str, target: usize, capability: &str, operation: &str, store: &str) -> CallPlan {
    CallPlan {
        name: Arc::from(name),
        target,
        capability: Arc::from(capability),
        operation: Arc::from(operation),
        store: Arc::from(store),
        inputs: None,
    }
}

/// The binding overrides the capability, which overrides the default.
fn limits(declared: Option<LimitOverrides>, bound: Option<LimitOverrides>) -> Limits {
    let (declared, bound) = (declared.unwrap_or_default(), bound.unwrap_or_default());
    let base = Limits::DEFAULT;
    Limits {
        fuel: bound.fuel.or(declared.fuel).unwrap_or(base.fuel),
        memory_bytes: bound.memory_bytes.or(declared.memory_bytes).unwrap_or(base.memory_bytes),
        output_bytes: bound.output_bytes.or(declared.output_bytes).unwrap_or(base.output_bytes),
        host_calls: bound.host_calls.or(declared.host_calls),
        wall_ms: bound.wall_ms.or(declared.wall_ms),
    }
}

/// `$.inputs…` and `$.results.<name>.…` inside a molecule. Of a nested molecule only the declared outputs can be seen.
fn slot_ref(path: &[String], frame: &Frame) -> SlotRef {
    match path {
        [root, rest @ ..] if root == "inputs" => SlotRef::At(frame.inputs, rest.to_vec()),
        [root, name, rest @ ..] if root == "results" => match (frame.results.get(name), rest.first()) {
            (Some((_, Some(visible))), Some(key)) if !visible.contains(key) => SlotRef::Nothing,
            (Some((slot, _)), _) => SlotRef::At(*slot, rest.to_vec()),
            (None, _) => SlotRef::Nothing,
        },
        _ => SlotRef::Nothing,
    }
}
