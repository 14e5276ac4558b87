//! Paths of the published format in native form.
//!
//! There a node reads `$.payload.x` and `$.results.<node>.<key>` and nothing else; here the payload is the root. A path that finds nothing
//! there must find nothing here, so anything else becomes the path that never finds anything.

use crate::expr::segments;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

/// The path that finds nothing.
pub(super) const NOWHERE: &str = "$.";

/// Rewrites every path of a node input. `nodes`: published id → native id. `lost` receives what can find nothing.
pub(super) fn node(value: &Value, nodes: &BTreeMap<String, String>, lost: &mut Vec<String>) -> Value {
    map(value, &mut |path| {
        let native = match path {
            [root, results, rest @ ..] if root == "payload" && results == "results" => results_of(rest, nodes),
            [root, rest @ ..] if root == "payload" && !rest.is_empty() => Some(rest.join(".")),
            [root, rest @ ..] if root == "results" => results_of(rest, nodes),
            _ => None,
        };
        native.map_or_else(
            || {
                lost.push(path.join("."));
                NOWHERE.into()
            },
            |path| format!("$.{path}"),
        )
    })
}

fn results_of(rest: &[String], nodes: &BTreeMap<String, String>) -> Option<String> {
    let (node, path) = rest.split_first()?;
    let node = nodes.get(node).unwrap_or(node);
    let mut parts = alloc::vec!["results", node.as_str()];
    parts.extend(path.iter().map(String::as_str));
    Some(parts.join("."))
}

/// Whether a path of a step can find anything.
pub(super) fn step_knows(path: &[String]) -> bool {
    matches!(path.first().map(String::as_str), Some("inputs" | "results" | "capability_result"))
}

/// A value with every path replaced.
fn map(value: &Value, replace: &mut dyn FnMut(&[String]) -> String) -> Value {
    match value {
        Value::String(text) => match segments(text) {
            Some(path) if !path.is_empty() => Value::String(replace(&path)),
            _ => value.clone(),
        },
        Value::Array(items) => Value::Array(items.iter().map(|item| map(item, replace)).collect()),
        Value::Object(members) => Value::Object(members.iter().map(|(key, item)| (key.clone(), map(item, replace))).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
