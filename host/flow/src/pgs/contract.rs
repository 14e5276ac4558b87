//! Published contracts.
//!
//! Steps keep their order and their surfaces. An output named `result_status` was the way to override a status and becomes `status`; an
//! outcome without a known action ended the contract and is written out as `exit`.

use super::Importer;
use super::capability;
use super::path::step_knows;
use super::source::{Source, native_code, put, text, texts};
use crate::Map;
use crate::expr::segments;
use crate::problem::Level;
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

/// The output that overrides the status of a step.
const RESULT_STATUS: &str = "result_status";

/// What the status of a step is anyway.
const OWN_STATUS: &str = "$.capability_result.result_status";

impl Importer<'_> {
    pub(super) fn contract(&mut self, source: &Source, sources: &BTreeMap<String, Source>) {
        if source.core.get("bindings").is_some() || source.front.get("bindings").is_some() {
            let detail = "a separate bindings section is not part of a contract; steps bind themselves";
            return self.report(Level::Error, "separate_bindings", &source.code, "bindings", detail);
        }
        let mut pipeline = Vec::new();
        for step in source.core.get("pipeline").and_then(Value::as_array).into_iter().flatten() {
            let Some(steps) = self.step(source, step, sources) else {
                return;
            };
            pipeline.extend(steps);
        }
        let contract = source.core.get("result_status_contract").unwrap_or(&Value::Null);
        let mut allowed = texts(contract, "allowed");
        if allowed.is_empty() {
            let surfaces: BTreeSet<String> = pipeline.iter().flat_map(|step| texts(step, "surface")).collect();
            allowed.extend(surfaces);
        }
        let mut status = json!({ "allowed": allowed });
        if let Some(failure) = text(contract, "on_input_failure") {
            put(&mut status, "on_input_failure", failure);
        }
        let mut artifact = json!({
            "code": source.code, "summary": source.summary(),
            "inputs": capability::inputs(source.core.get("inputs"), false), "outputs": capability::outputs(source.core.get("outputs")),
            "status": status, "pipeline": pipeline,
        });
        let secrets = texts(&source.core, "suppress_trace_fields");
        if !secrets.is_empty() {
            put(&mut artifact, "secrets", secrets);
        }
        self.emit(&source.code, artifact);
    }

    fn step(&mut self, source: &Source, step: &Value, sources: &BTreeMap<String, Source>) -> Option<Vec<Value>> {
        let name = text(step, "step").unwrap_or_default();
        let at = format!("pipeline.{name}");
        let Some(published) = text(step, "transform").or_else(|| text(step, "side_effect")) else {
            self.report(Level::Error, "step_without_capability", &source.code, &at, "it names neither a transform nor a side effect");
            return None;
        };
        let code = native_code(published);
        let declared = sources.get(&code);
        let operation = match (text(step, "op"), declared) {
            (Some(operation), _) => operation.to_owned(),
            (None, Some(declared)) => capability::operation(declared),
            (None, None) => String::new(),
        };
        let mut inputs = step.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default();
        self.timestamps(source, &at, declared, &mut inputs);
        let drawn = self.draw(source, name, declared, &mut inputs, &Self::allowed(source));
        let mut outputs = step.get("outputs").and_then(Value::as_object).cloned().unwrap_or_default();
        let status = outputs.remove(RESULT_STATUS).filter(overrides);
        outputs.retain(|_, value| value.as_str().and_then(segments).is_none_or(|path| step_knows(&path)));
        let surface = self.surface(source, &at, step, &code, &operation);
        let on_result = self.on_result(source, &at, step, &surface, status.is_some());
        let capability = self.composed.get(&code).unwrap_or(&code);
        let mut native = json!({
            "step": name, "capability": capability, "operation": operation, "inputs": inputs, "outputs": outputs, "surface": surface,
            "on_result": on_result,
        });
        if let Some(store) = text(step, "store") {
            put(&mut native, "store", store);
        }
        if let Some(status) = status {
            put(&mut native, "status", status);
        }
        Some(drawn.into_iter().chain([native]).collect())
    }

    /// Published atoms read the clock when a moment is not given. A pure one cannot, so it is given the time of the run.
    fn timestamps(&mut self, source: &Source, at: &str, declared: Option<&Source>, inputs: &mut Map) {
        let fields = declared.and_then(|declared| declared.core.get("inputs")).and_then(Value::as_object);
        for (name, spec) in fields.into_iter().flatten() {
            if text(spec, "format") == Some("date-time") && !inputs.contains_key(name) {
                let detail = format!("`{name}` is not given; it becomes the time of the run");
                self.report(Level::Note, "time_of_the_run", &source.code, at, detail);
                inputs.insert(name.clone(), json!("{{timestamp}}"));
            }
        }
    }

    /// The declared surface, as far as the capability can return it at all.
    fn surface(&mut self, source: &Source, at: &str, step: &Value, code: &str, operation: &str) -> Vec<String> {
        let mut surface = texts(step, "result_surface");
        if surface.is_empty() {
            surface.extend(step.get("on_result").and_then(Value::as_object).into_iter().flatten().map(|(status, _)| status.clone()));
        }
        let known = self.artifacts.get(code).map(|capability| {
            let operation = capability.get("operations").and_then(|operations| operations.get(operation));
            texts(operation.unwrap_or(capability), "statuses")
        });
        if let Some(known) = known.filter(|known| !known.is_empty()) {
            for status in surface.iter().filter(|status| !known.contains(status)) {
                let detail = format!("`{code}` never returns `{status}`; it is left out");
                self.problems
                    .push(crate::problem::Problem::error("status_never_returned", &source.code, at, detail).at_level(Level::Warning));
            }
            surface.retain(|status| known.contains(status));
        }
        surface
    }

    fn on_result(&mut self, source: &Source, at: &str, step: &Value, surface: &[String], overridden: bool) -> Map {
        let mut actions = Map::new();
        let declared = step.get("on_result").and_then(Value::as_object);
        for (status, action) in declared.into_iter().flatten() {
            if !surface.contains(status) && !overridden {
                continue;
            }
            let known = matches!(action.as_str(), Some("continue" | "exit"));
            if !known {
                let detail = format!("action {action} for `{status}` is not known; it ends the contract");
                self.report(Level::Note, "unknown_action", &source.code, at, detail);
            }
            actions.insert(status.clone(), if known { action.clone() } else { json!("exit") });
        }
        for status in surface.iter().filter(|status| !actions.contains_key(*status)).cloned().collect::<Vec<_>>() {
            self.report(Level::Note, "unhandled_status", &source.code, at, format!("`{status}` is not handled; it ends the contract"));
            actions.insert(status, json!("exit"));
        }
        actions
    }
}

/// Whether an output named `result_status` says anything that is not so anyway.
fn overrides(value: &Value) -> bool {
    let Some(text) = value.as_str() else {
        return false;
    };
    text != OWN_STATUS && segments(text).is_none_or(|path| step_knows(&path))
}
