//! A snapshot, a workflow and an environment become a plan, or a report that says why not.
//!
//! All of it happens before the first node (P-06); nothing is looked up afterwards.

mod build;
mod report;
mod resolve;

pub use crate::plan::{Limits, NodeIx, Plan, Target, TargetKind};
pub use report::BindingReport;

use crate::artifact::{Artifact, Binding, Workflow};
use crate::snapshot::Snapshot;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The class of host that answers every call with a refusal; it needs no module.
pub const HOST_REFUSED: &str = "refused";

/// Binds a workflow.
///
/// `binding` is an `RB_` code or the name of an environment; none means the default of the workflow. `hosts` is the closed set of host
/// classes that the caller runs.
///
/// # Errors
/// The first thing that cannot be resolved.
pub fn bind(
    snapshot: &Snapshot,
    workflow: &str,
    binding: Option<&str>,
    params: &BTreeMap<String, String>,
    hosts: &[&str],
) -> Result<Plan, Box<BindingReport>> {
    let Some(Artifact::Workflow(workflow)) = snapshot.artifact(workflow) else {
        return Err(report::unknown_workflow(snapshot, workflow));
    };
    let binding = choose(snapshot, workflow, binding)?;
    let stores = resolve::stores(binding, params, hosts)?;
    build::plan(snapshot, workflow, binding, params, &stores)
}

/// The `RB_` by code, by environment, or the default of the workflow.
fn choose<'a>(snapshot: &'a Snapshot, workflow: &Workflow, wanted: Option<&str>) -> Result<&'a Binding, Box<BindingReport>> {
    let name = wanted.unwrap_or(&workflow.binding);
    if let Some(Artifact::Binding(binding)) = snapshot.artifact(name) {
        return Ok(binding);
    }
    let all: Vec<&Binding> = bindings(snapshot).collect();
    let needed = build::capabilities(snapshot, workflow);
    let mut fitting = all.iter().filter(|binding| binding.environment == name);
    let covering: Vec<&&Binding> =
        fitting.by_ref().filter(|binding| needed.iter().all(|code| binding.bindings.contains_key(code))).collect();
    if let [only] = covering.as_slice() {
        return Ok(only);
    }
    let available: Vec<String> = all.iter().map(|binding| format!("{} ({})", binding.code, binding.environment)).collect();
    let (code, detail) = if covering.is_empty() {
        // One that is of the environment but does not cover everything gives the more useful report: what is missing in it.
        if let Some(binding) = all.iter().find(|binding| binding.environment == name) {
            return Ok(binding);
        }
        ("unknown_binding", format!("`{name}` is neither a binding nor an environment of this snapshot"))
    } else {
        let codes: Vec<&str> = covering.iter().map(|binding| binding.code.as_str()).collect();
        ("ambiguous_binding", format!("environment `{name}` has {} bindings that fit: {}", codes.len(), codes.join(", ")))
    };
    Err(Box::new(BindingReport {
        code,
        phase: report::PHASE_BINDING,
        artifact: workflow.code.clone(),
        binding: name.to_owned(),
        check: "the binding exists and is the only one meant",
        detail,
        available,
        resolution: "name one of the available bindings by its code".to_owned(),
    }))
}

fn bindings(snapshot: &Snapshot) -> impl Iterator<Item = &Binding> {
    snapshot.artifacts().filter_map(|artifact| if let Artifact::Binding(binding) = artifact { Some(binding) } else { None })
}
