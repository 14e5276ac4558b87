//! The report of a binding that failed: phase, artifact, binding, check, detail, what was available, what to do (P-09).

use super::bindings;
use crate::snapshot::Snapshot;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::Serialize;

/// The phase of everything that is found while bindings are resolved.
pub(super) const PHASE_BINDING: &str = "binding_resolution";

/// The phase of an artifact that is not there (P-22).
pub(super) const PHASE_LOAD: &str = "load";

/// Why a workflow cannot be bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BindingReport {
    /// Stable code: `unknown_workflow`, `missing_artifact`, `unknown_binding`, `ambiguous_binding`, `unbound_capability`,
    /// `unknown_host_class`, `missing_module`, `unknown_module`, `undeclared_parameter`, `missing_parameter`, `bad_template`,
    /// `unknown_store`, `unbound_store`, `reserved_store`, `refused_grant`.
    pub code: &'static str,
    /// `load` when an artifact is missing, else `binding_resolution`.
    pub phase: &'static str,
    /// The workflow or capability concerned.
    pub artifact: String,
    /// The `RB_`, as far as it is known.
    pub binding: String,
    /// What was checked.
    pub check: &'static str,
    /// What was found.
    pub detail: String,
    /// What there would have been.
    pub available: Vec<String>,
    /// What to do.
    pub resolution: String,
}

impl BindingReport {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl fmt::Display for BindingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` in `{}`: {}", self.code, self.artifact, self.binding, self.detail)
    }
}

impl core::error::Error for BindingReport {}

pub(super) fn unknown_workflow(snapshot: &Snapshot, workflow: &str) -> Box<BindingReport> {
    Box::new(BindingReport {
        code: "unknown_workflow",
        phase: PHASE_LOAD,
        artifact: workflow.to_owned(),
        binding: String::new(),
        check: "the workflow is in the snapshot",
        detail: format!("snapshot `{}` has no workflow `{workflow}`", snapshot.hash()),
        available: snapshot.workflows().map(|found| found.code.clone()).collect(),
        resolution: "name one of the available workflows, or seal a snapshot that has it".to_owned(),
    })
}

pub(super) fn missing_artifact(artifact: &str, needed_by: &str) -> Box<BindingReport> {
    Box::new(BindingReport {
        code: "missing_artifact",
        phase: PHASE_LOAD,
        artifact: artifact.to_owned(),
        binding: String::new(),
        check: "every artifact that the workflow needs is in the snapshot",
        detail: format!("`{needed_by}` needs `{artifact}`, which is not there"),
        available: Vec::new(),
        resolution: format!("add `{artifact}.json` and seal again"),
    })
}

pub(super) fn unbound_capability(snapshot: &Snapshot, capability: &str, needed_by: &str, binding: &str) -> Box<BindingReport> {
    let available: Vec<String> = bindings(snapshot)
        .filter(|other| other.bindings.contains_key(capability))
        .map(|other| format!("{} ({})", other.code, other.environment))
        .collect();
    Box::new(BindingReport {
        code: "unbound_capability",
        phase: PHASE_BINDING,
        artifact: capability.to_owned(),
        binding: binding.to_owned(),
        check: "every capability of the workflow is bound",
        detail: format!("`{needed_by}` uses `{capability}`, which `{binding}` does not bind"),
        available,
        resolution: format!("bind `{capability}` in `{binding}`, or use a binding that has it"),
    })
}
