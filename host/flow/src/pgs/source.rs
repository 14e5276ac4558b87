//! One published file, unwrapped: its name, its native code and its parts; and the tables of names that are data.

use crate::artifact::is_code;
use crate::problem::Problem;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Deserialize;
use serde_json::Value;

/// Names of the published format that belong to a domain or to an implementation.
const TABLES: &str = include_str!("../../../../protocol/schemas/import-pgs.json");

/// The tables.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tables {
    /// Runtime class → what a component needs in its place.
    pub(super) classes: BTreeMap<String, Class>,
    /// Format of a string → the pattern that the reference applies.
    pub(super) formats: BTreeMap<String, String>,
    /// Operation that published runs use → the declared operation it stands for.
    pub(super) aliases: BTreeMap<String, String>,
    /// Input of a transform that the reference fills from the machine's randomness when it is not given → who draws it here.
    pub(super) draws: BTreeMap<String, Draw>,
}

/// A side effect that draws what a pure transform is given.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draw {
    pub(super) capability: String,
    pub(super) operation: String,
    /// The input of the transform that says how much; the draw is asked with it.
    pub(super) asks: String,
    pub(super) statuses: Vec<String>,
    pub(super) imports: Vec<String>,
}

/// A published runtime class.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    pub(super) imports: Vec<String>,
    /// The store it writes to when the binding names none.
    #[serde(default)]
    pub(super) store: Option<String>,
}

/// A published artifact.
pub(super) struct Source {
    /// The full name, with namespace.
    pub(super) name: String,
    /// The code as published.
    pub(super) published: String,
    /// The native code.
    pub(super) code: String,
    /// `frontmatter.core`, or `core` where there is no front matter.
    pub(super) core: Value,
    /// `frontmatter`, or the file itself.
    pub(super) front: Value,
    /// The whole file.
    pub(super) file: Value,
}

impl Source {
    /// The summary, or the code where there is none.
    pub(super) fn summary(&self) -> &str {
        self.core.get("summary").and_then(Value::as_str).filter(|text| !text.is_empty()).unwrap_or(&self.code)
    }
}

/// The tables, from the data file.
pub(super) fn tables() -> Result<Tables, Problem> {
    serde_json::from_str(TABLES).map_err(|error| Problem::error("bad_import_tables", "import-pgs", "", error.to_string()))
}

/// Reads one file.
pub(super) fn read(path: &str, bytes: &[u8]) -> Result<Source, Problem> {
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".json");
    let file: Value = serde_json::from_slice(bytes).map_err(|error| Problem::error("not_json", stem, "", error.to_string()))?;
    let front = file.get("frontmatter").unwrap_or(&file).clone();
    let core = front.get("core").unwrap_or(&front).clone();
    let name = file.get("fqdn_id").and_then(Value::as_str).map_or_else(|| stem.replace("__", "::"), ToOwned::to_owned);
    let published = flat(&name).to_owned();
    if !core.is_object() {
        return Err(Problem::error("bad_shape", &published, "core", "there is no `core` object"));
    }
    let code = native_code(&published);
    if !is_code(&code) && !code.starts_with("STRUCTURE_") {
        return Err(Problem::error("unknown_kind", &published, "", format!("`{published}` is none of IN, WF, CC, CT, CS, RB, EV")));
    }
    Ok(Source { name, published, code, core, front, file })
}

/// The code without its namespace.
pub(super) fn flat(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

/// The native code of a published name: without namespace, with a version.
pub(super) fn native_code(name: &str) -> String {
    let code = flat(name);
    let versioned = format!("{code}_V0");
    if !is_code(code) && is_code(&versioned) { versioned } else { code.to_owned() }
}

/// A member as text.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// A member as a list of texts; what is no text is left out.
pub(super) fn texts(value: &Value, key: &str) -> Vec<String> {
    let items = value.get(key).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(ToString::to_string).collect()
}

/// Adds a member to an object; nothing happens to what is none.
pub(super) fn put(value: &mut Value, key: &str, member: impl Into<Value>) {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), member.into());
    }
}

/// A native type for a published one; what is unknown is anything.
pub(super) fn value_type(published: Option<&str>) -> &'static str {
    match published {
        Some("string" | "hex_string") => "string",
        Some("integer") => "integer",
        Some("number") => "number",
        Some("boolean") => "boolean",
        Some("object") => "object",
        Some("array") => "array",
        _ => "any",
    }
}
