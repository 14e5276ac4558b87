//! One contract: its steps, the statuses they may return, and whether every one of them is handled (P-17, P-31, P-33).

use super::Checker;
use super::graph::visit_paths;
use crate::artifact::{Artifact, Contract, InputField, OnResult, Step};
use crate::traverse::{STATUS_ABORTED, STATUS_PROTOCOL_VIOLATION, STATUS_TIMED_OUT};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

/// Bytes of a status or a reason: both go into every trace line.
const STATUS_BYTES_MAX: usize = 64;

/// Capitals, digits and `_`.
pub(super) fn is_status(text: &str) -> bool {
    !text.is_empty() && text.len() <= STATUS_BYTES_MAX && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

impl<'a> Checker<'a> {
    pub(super) fn contract(&mut self, contract: &'a Contract) {
        let code = &contract.code;
        self.statuses(code, "status.allowed", &contract.status.allowed);
        self.reserved(contract);
        if contract.pipeline.is_empty() {
            self.error("empty_pipeline", code, "pipeline", "a contract has at least one step");
        }
        let mut names = BTreeSet::new();
        for (index, step) in contract.pipeline.iter().enumerate() {
            let at = format!("pipeline.{}", step.step);
            if step.step.is_empty() || step.step.contains(['.', '/']) {
                self.error("bad_step_name", code, &at, "a step has a name without `.` and `/`, because paths use it");
            }
            if !names.insert(step.step.as_str()) {
                self.error("duplicate_step", code, &at, format!("`{}` is the name of two steps", step.step));
            }
            self.step(contract, index, step, &at);
        }
        for output in contract.outputs.keys() {
            if !contract.pipeline.iter().any(|step| step.outputs.contains_key(output)) {
                self.warn("output_never_written", code, format!("outputs.{output}"), format!("no step puts out `{output}`"));
            }
        }
    }

    /// No reserved status is declared, and an input failure ends with an allowed one.
    fn reserved(&mut self, contract: &Contract) {
        let code = &contract.code;
        for reserved in [STATUS_PROTOCOL_VIOLATION, STATUS_ABORTED, STATUS_TIMED_OUT] {
            if contract.status.allowed.contains(reserved) {
                self.error("reserved_status", code, "status.allowed", format!("`{reserved}` is reserved for the trace"));
            }
        }
        if !contract.status.allowed.contains(&contract.status.on_input_failure) {
            let detail = format!("`{}` is not allowed, so an input failure is a protocol violation", contract.status.on_input_failure);
            self.warn("input_failure_not_allowed", code, "status.on_input_failure", detail);
        }
    }

    fn step(&mut self, contract: &Contract, index: usize, step: &Step, at: &str) {
        let code = &contract.code;
        match self.get(&step.capability) {
            Some(Artifact::Transform(transform)) => {
                if transform.operation != step.operation {
                    let detail = format!("`{}` has the operation `{}`, not `{}`", transform.code, transform.operation, step.operation);
                    self.error("unknown_operation", code, format!("{at}.operation"), detail);
                }
                if step.store.is_some() {
                    self.error("store_on_transform", code, format!("{at}.store"), "a transform has no store");
                }
                self.step_inputs(code, at, step, &transform.inputs);
                self.surface(contract, index, step, at, &transform.statuses);
            }
            Some(Artifact::SideEffect(effect)) => {
                if let Some(operation) = effect.operations.get(&step.operation) {
                    self.step_inputs(code, at, step, &operation.inputs);
                    self.surface(contract, index, step, at, &operation.statuses);
                } else {
                    let known: alloc::vec::Vec<&str> = effect.operations.keys().map(String::as_str).collect();
                    let detail = format!("`{}` has {}, not `{}`", effect.code, known.join(", "), step.operation);
                    self.error("unknown_operation", code, format!("{at}.operation"), detail);
                }
            }
            _ => self.missing(code, format!("{at}.capability"), &step.capability),
        }
        let values = step.inputs.values().chain(step.outputs.values()).chain(&step.status);
        for value in values {
            self.step_paths(contract, index, at, value);
        }
    }

    fn step_inputs(&mut self, code: &str, at: &str, step: &Step, declared: &BTreeMap<String, InputField>) {
        for name in step.inputs.keys().filter(|name| !declared.contains_key(*name)) {
            let detail = format!("`{}` does not declare the input `{name}`", step.capability);
            self.warn("undeclared_input", code, format!("{at}.inputs.{name}"), detail);
        }
        for (name, _) in declared.iter().filter(|(name, field)| field.required && !step.inputs.contains_key(*name)) {
            let detail = format!("`{}` requires `{name}`; the step can never run", step.capability);
            self.error("required_input_not_given", code, format!("{at}.inputs"), detail);
        }
    }

    /// Surface ⊆ statuses of the capability; `on_result` covers the surface; what leaves the contract is allowed.
    fn surface(&mut self, contract: &Contract, index: usize, step: &Step, at: &str, statuses: &BTreeSet<String>) {
        let code = &contract.code;
        if step.surface.is_empty() {
            self.error("empty_surface", code, format!("{at}.surface"), "a step returns at least one status");
        }
        for status in step.surface.difference(statuses) {
            let detail = format!("`{}` never returns `{status}` for `{}`", step.capability, step.operation);
            self.error("status_not_declared", code, format!("{at}.surface"), detail);
        }
        for status in statuses.difference(&step.surface) {
            let detail = format!("`{}` may return `{status}`, which would be a protocol violation here", step.capability);
            self.warn("status_not_in_surface", code, format!("{at}.surface"), detail);
        }
        for status in step.surface.iter().filter(|status| !step.on_result.contains_key(*status)) {
            self.error("on_result_incomplete", code, format!("{at}.on_result"), format!("`{status}` is not handled"));
        }
        let is_last = index.saturating_add(1) == contract.pipeline.len();
        for (status, action) in &step.on_result {
            if !step.surface.contains(status) && step.status.is_none() {
                let detail = format!("`{status}` is handled and never returned");
                self.warn("on_result_unused", code, format!("{at}.on_result.{status}"), detail);
            }
            let leaves = is_last || *action == OnResult::Exit;
            if leaves && step.status.is_none() && !contract.status.allowed.contains(status) {
                let detail = format!("the contract would end with `{status}`, which it does not allow");
                self.warn("exit_status_not_allowed", code, format!("{at}.on_result.{status}"), detail);
            }
        }
    }

    fn step_paths(&mut self, contract: &Contract, index: usize, at: &str, value: &serde_json::Value) {
        let earlier = |name: &str| contract.pipeline.iter().take(index.saturating_add(1)).any(|step| step.step == name);
        visit_paths(value, &mut |path| {
            let found = match path {
                [root, name, ..] if root == "inputs" => contract.inputs.contains_key(name),
                [root, name, ..] if root == "results" => earlier(name),
                [root, ..] => root == "inputs" || root == "capability_result",
                [] => false,
            };
            if !found {
                let detail = format!("`$.{}` is no input, no result of an earlier step and no capability result", path.join("."));
                self.warn("path_never_resolves", &contract.code, at, detail);
            }
        });
    }

    /// A set of statuses: not empty, each a word.
    pub(super) fn statuses(&mut self, code: &str, at: &str, statuses: &BTreeSet<String>) {
        if statuses.is_empty() {
            self.error("no_status", code, at, "at least one status is declared");
        }
        for status in statuses.iter().filter(|status| !is_status(status)) {
            self.error("bad_status", code, at, format!("`{status}` is not capitals, digits and `_`, {STATUS_BYTES_MAX} at most"));
        }
    }
}
