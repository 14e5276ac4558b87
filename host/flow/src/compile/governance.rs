//! What governance names must be there: the transforms it asks, the side effects it allows, the workflows that its queues run.
//!
//! What its artifacts mean, and whether they fit together, is not decided in this crate.

use super::Checker;
use crate::artifact::{Artifact, Governance};
use alloc::format;

impl<'a> Checker<'a> {
    pub(super) fn governance(&mut self, governance: &'a Governance) {
        let code = governance.code();
        for called in governance.invariants() {
            match self.get(called.capability) {
                Some(Artifact::Transform(transform)) if transform.steps.is_some() => {
                    self.error("molecule_bound", code, &*called.at, "a molecule runs through its atoms, never as one module");
                }
                Some(Artifact::Transform(_)) => {}
                _ => self.missing(code, format!("{}.capability", called.at), called.capability),
            }
            // Nothing binds an invariant later, so what is missing here would be missing when a record is judged.
            if let Some(module) = called.module
                && !self.modules.contains_key(module)
            {
                self.error("unknown_module", code, format!("{}.module", called.at), format!("module `{module}` is not in the set"));
            }
        }
        for (at, workflow) in governance.workflows() {
            if !matches!(self.get(workflow), Some(Artifact::Workflow(_))) {
                self.missing(code, at, workflow);
            }
        }
        if let Some(binding) = governance.binding()
            && !matches!(self.get(binding), Some(Artifact::Binding(_)))
        {
            self.missing(code, "binding", binding);
        }
        for effect in governance.effects() {
            if !matches!(self.get(effect), Some(Artifact::SideEffect(_))) {
                self.missing(code, "effects", effect);
            }
        }
    }
}
