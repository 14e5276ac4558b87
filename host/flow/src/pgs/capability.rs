//! Published transforms and side effects.
//!
//! A transform whose atom stream is itself is an atom; any other stream is a molecule; a loop is refused, because a molecule is a list
//! and nothing more (P-32).

use super::Importer;
use super::source::{Source, flat, native_code, put, text, texts, value_type};
use crate::Map;
use crate::problem::Level;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

/// What a published transform may answer.
const TRANSFORM_STATUSES: [&str; 2] = ["SUCCESS", "VIOLATION"];

/// What an operation may answer when it does not say.
const OPERATION_STATUSES: [&str; 3] = ["SUCCESS", "VIOLATION", "BACKEND_ERROR"];

/// The atoms of a transform: its own code alone means that it is one.
fn stream(source: &Source) -> &[Value] {
    let stream = source.file.get("ct_ir").and_then(|ir| ir.get("atom_stream")).and_then(Value::as_array);
    stream.map_or(&[], Vec::as_slice)
}

fn is_atom(source: &Source) -> bool {
    match stream(source) {
        [] => true,
        [only] => only.get("loop").is_none() && text(only, "atom").is_none_or(|atom| flat(atom) == source.published),
        _ => false,
    }
}

/// Molecules that use the atom of their own name. The atom keeps the code, the molecule gets another one.
pub(super) fn composed(sources: &BTreeMap<String, Source>) -> BTreeMap<String, String> {
    let mut composed = BTreeMap::new();
    for source in sources.values().filter(|source| source.code.starts_with("CT_") && !is_atom(source)) {
        let own = stream(source).iter().any(|atom| text(atom, "atom").is_some_and(|atom| flat(atom) == source.published));
        if own && let Some((name, version)) = source.code.rsplit_once("_V") {
            composed.insert(source.code.clone(), format!("{name}_COMPOSED_V{version}"));
        }
    }
    composed
}

/// The operation of a transform, as declared or from its name.
pub(super) fn operation(source: &Source) -> String {
    if let Some(operation) = source.front.get("machine").and_then(|machine| text(machine, "operation")) {
        return operation.to_owned();
    }
    let name = source.code.rsplit_once("_V").map_or(source.code.as_str(), |(name, _)| name);
    name.trim_start_matches("CT_").trim_start_matches("PURE_").to_owned()
}

impl Importer<'_> {
    pub(super) fn transform(&mut self, source: &Source) {
        let atom = json!({
            "code": source.code, "summary": source.summary(), "operation": operation(source), "statuses": TRANSFORM_STATUSES,
            "inputs": inputs(source.core.get("inputs"), true), "outputs": outputs(source.core.get("outputs")),
        });
        if is_atom(source) {
            return self.emit(&source.code, atom);
        }
        if stream(source).iter().any(|atom| atom.get("loop").is_some()) {
            return self.report(Level::Error, "molecule_loop", &source.code, "ct_ir", "a molecule is a list without loops");
        }
        let mut steps = Vec::new();
        for (index, step) in stream(source).iter().enumerate() {
            let name = text(step, "out").map_or_else(|| format!("atom{index}"), ToOwned::to_owned);
            let capability = native_code(text(step, "atom").unwrap_or_default());
            steps.push(json!({ "name": name, "capability": capability, "inputs": step.get("args").unwrap_or(&Value::Null) }));
        }
        let mut molecule = atom.clone();
        put(&mut molecule, "steps", steps);
        if let Some(code) = self.composed.get(&source.code).cloned() {
            let detail = format!("it uses the atom of its own name; the list becomes `{code}`");
            self.report(Level::Note, "molecule_renamed", &source.code, "ct_ir", detail);
            put(&mut molecule, "code", code.as_str());
            self.emit(&code, molecule);
            self.emit(&source.code, atom);
        } else {
            self.emit(&source.code, molecule);
        }
    }

    pub(super) fn side_effect(&mut self, source: &Source) {
        let reference = source.file.get("cs_ir").and_then(|ir| ir.get("handler_ref"));
        let Some(class) = reference.and_then(|reference| text(reference, "callable")) else {
            return self.report(Level::Error, "no_handler", &source.code, "cs_ir.handler_ref", "it names no implementation");
        };
        let imports = self.tables.classes.get(class).map(|class| class.imports.clone());
        if imports.is_none() {
            let detail = format!("runtime class `{class}` is not known, so no host interface is asked for");
            self.report(Level::Warning, "unknown_runtime_class", &source.code, "cs_ir.handler_ref", detail);
        }
        let mut operations = Map::new();
        for (name, operation) in source.core.get("operations").and_then(Value::as_object).into_iter().flatten() {
            operations.insert(name.clone(), convert_operation(operation));
        }
        let aliases: Vec<(String, String)> = self.tables.aliases.iter().map(|(a, b)| (a.clone(), b.clone())).collect();
        for (alias, meaning) in aliases {
            if let (false, Some(operation)) = (operations.contains_key(&alias), operations.get(&meaning).cloned()) {
                let detail = format!("published workflows call `{meaning}` by the name `{alias}`");
                self.report(Level::Note, "operation_alias", &source.code, "operations", detail);
                operations.insert(alias, operation);
            }
        }
        let artifact = json!({
            "code": source.code, "summary": source.summary(), "operations": operations, "imports": imports.unwrap_or_default(),
        });
        self.emit(&source.code, artifact);
    }
}

/// Published operations list the names of their inputs and say nothing about which are needed.
fn convert_operation(operation: &Value) -> Value {
    let field = json!({ "type": "any", "required": false });
    let inputs: Map = texts(operation, "input").into_iter().map(|name| (name, field.clone())).collect();
    let outputs: Map = texts(operation, "output")
        .into_iter()
        .filter(|name| name != "result_status")
        .map(|name| (name, json!({ "type": "any" })))
        .collect();
    let mut statuses = texts(operation, "result_status_values");
    if statuses.is_empty() {
        statuses.extend(OPERATION_STATUSES.map(ToOwned::to_owned));
    }
    json!({ "inputs": inputs, "outputs": outputs, "statuses": statuses })
}

/// Declared inputs; `needed` is what a field is when it does not say.
pub(super) fn inputs(fields: Option<&Value>, needed: bool) -> Map {
    let fields = fields.and_then(Value::as_object).into_iter().flatten();
    let convert = |(name, spec): (&String, &Value)| {
        let required = spec.get("required").and_then(Value::as_bool).unwrap_or(needed);
        (name.clone(), json!({ "type": value_type(text(spec, "type")), "required": required }))
    };
    fields.map(convert).collect()
}

/// Declared outputs; the status is not one of them.
pub(super) fn outputs(fields: Option<&Value>) -> Map {
    let fields = fields.and_then(Value::as_object).into_iter().flatten();
    let declared = fields.filter(|(name, _)| *name != "result_status");
    declared.map(|(name, spec)| (name.clone(), json!({ "type": value_type(text(spec, "type")) }))).collect()
}
