//! Published intents: lists of fields become a JSON Schema that accepts and refuses what the reference does.

use super::Importer;
use super::source::{Source, text, value_type};
use crate::Map;
use crate::problem::Level;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

/// The dialect of every schema that is written.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Importer<'_> {
    pub(super) fn intent(&mut self, source: &Source) {
        let empty = Map::new();
        let fields = source.core.get("inputs").and_then(Value::as_object).unwrap_or(&empty);
        let mut schema = self.object(source, fields, "inputs", true);
        schema.insert("$schema".to_owned(), json!(DIALECT));
        if source.core.get("admission").is_some() {
            let detail = "admission is decided by the workflow; what the intent says about it is left out";
            self.report(Level::Note, "intent_admission", &source.code, "admission", detail);
        }
        self.emit(&source.code, json!({ "code": source.code, "summary": source.summary(), "schema": schema }));
    }

    /// An object with fields. At the top level an empty string is a value; below, the reference takes it for missing.
    fn object(&mut self, source: &Source, fields: &Map, at: &str, top: bool) -> Map {
        let mut properties = Map::new();
        let mut required: Vec<String> = Vec::new();
        for (name, spec) in fields {
            let needed = spec.get("required").and_then(Value::as_bool).unwrap_or(false);
            let place = format!("{at}.{name}");
            properties.insert(name.clone(), Value::Object(self.field(source, spec, &place, needed, top)));
            if needed {
                required.push(name.clone());
            }
        }
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema
    }

    fn field(&mut self, source: &Source, spec: &Value, at: &str, needed: bool, top: bool) -> Map {
        let kind = value_type(text(spec, "type"));
        let mut schema = match spec.get("fields").and_then(Value::as_object) {
            Some(fields) => self.object(source, fields, at, false),
            None => Map::new(),
        };
        if kind != "any" {
            // A field that may be missing may also be null: the reference does not tell the two apart.
            let value = if needed { json!(kind) } else { json!([kind, "null"]) };
            schema.insert("type".to_owned(), value);
        }
        if kind == "string" && needed && !top {
            schema.insert("minLength".to_owned(), json!(1));
        }
        if let Some(values) = spec.get("enum").and_then(Value::as_array) {
            let null = (!needed).then_some(Value::Null);
            schema.insert("enum".to_owned(), values.iter().cloned().chain(null).collect());
        }
        if let Some(format) = text(spec, "format") {
            match self.tables.formats.get(format) {
                Some(pattern) => {
                    schema.insert("pattern".to_owned(), json!(pattern));
                }
                None => {
                    schema.insert("format".to_owned(), json!(format));
                    let detail = format!("format `{format}` is checked as JSON Schema defines it");
                    self.report(Level::Note, "format", &source.code, at, detail);
                }
            }
        }
        for key in ["default", "description"] {
            if let Some(value) = spec.get(key) {
                schema.insert(key.to_owned(), value.clone());
            }
        }
        schema
    }
}
