//! Randomness of published transforms: the reference drew it inside a "pure" transform, here a side effect draws it in a step before.
//!
//! What is drawn is data of the import table; this file knows only that an input is missing and who can fill it.

use super::Importer;
use super::source::{Draw, Source};
use crate::Map;
use crate::problem::Level;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

/// The status after which the transform goes on.
const SUCCESS: &str = "SUCCESS";

impl Importer<'_> {
    /// The step that draws what the transform of `at` is not given, or none when it is given everything. `allowed`: the statuses that
    /// the contract may end with.
    pub(super) fn draw(
        &mut self,
        source: &Source,
        step: &str,
        declared: Option<&Source>,
        inputs: &mut Map,
        allowed: &[String],
    ) -> Option<Value> {
        let fields = declared.and_then(|declared| declared.core.get("inputs")).and_then(Value::as_object)?;
        let (name, draw) = self.tables.draws.iter().find(|(name, _)| fields.contains_key(*name) && !inputs.contains_key(*name))?;
        let (name, draw) = (name.clone(), draw.clone());
        let drawing = format!("{step}_{name}");
        let detail = format!("`{name}` is not given; `{}` draws it in a step before", draw.capability);
        self.report(Level::Note, "drawn_before", &source.code, &format!("pipeline.{step}"), detail);
        let asked = inputs.get(&draw.asks).cloned().unwrap_or(Value::Null);
        inputs.insert(name.clone(), json!(format!("$.results.{drawing}.{name}")));
        let surface: Vec<&String> = draw.statuses.iter().filter(|s| *s == SUCCESS || allowed.contains(s)).collect();
        let on_result: BTreeMap<&String, &str> =
            surface.iter().map(|status| (*status, if *status == SUCCESS { "continue" } else { "exit" })).collect();
        let native = json!({
            "step": drawing, "capability": draw.capability, "operation": draw.operation, "inputs": { (draw.asks.as_str()): asked },
            "outputs": { (name.as_str()): format!("$.capability_result.{name}") }, "surface": surface, "on_result": on_result,
        });
        self.drawing(&draw, &name);
        Some(native)
    }

    /// The artifact of the side effect that draws; it is not part of what was published.
    fn drawing(&mut self, draw: &Draw, name: &str) {
        let operation = json!({
            "inputs": { (draw.asks.as_str()): { "type": "integer" } }, "outputs": { (name): { "type": "string" } }, "statuses": draw.statuses,
        });
        let artifact = json!({
            "code": draw.capability, "summary": format!("Draws `{name}` for a transform"), "imports": draw.imports,
            "operations": { (draw.operation.as_str()): operation },
        });
        self.artifacts.insert(draw.capability.clone(), artifact);
    }

    /// Bindings of the side effects that draw, for every published binding.
    pub(super) fn drawing_bindings(&self) -> Map {
        let drawn = self.tables.draws.values().filter(|draw| self.artifacts.contains_key(&draw.capability));
        let bound = drawn.filter_map(|draw| {
            let module = self.catalog.get(&draw.capability)?;
            Some((draw.capability.clone(), json!({ "host": "component", "module": module, "grants": draw.imports })))
        });
        bound.collect()
    }

    /// The statuses that a published contract may end with.
    pub(super) fn allowed(source: &Source) -> Vec<String> {
        let contract = source.core.get("result_status_contract").and_then(|c| c.get("allowed")).and_then(Value::as_array);
        contract.into_iter().flatten().filter_map(|s| s.as_str().map(ToOwned::to_owned)).collect()
    }
}
