//! What changes between two snapshots: authority as the core tells it, and everything else that a hash of a snapshot covers.
//!
//! Every artifact and module that differs is named, so two snapshots without a difference are one.
use std::collections::{BTreeMap, BTreeSet};

use enact_core::govern::{Change, Difference};
use enact_flow::artifact::Artifact;
use enact_flow::snapshot::Snapshot;
use serde_json::Value;

use super::Ruled;
use crate::error::Result;

/// Longest text of a value; what an artifact says in full is in the artifact.
const SHOWN_CHARS_MAX: usize = 160;
/// Between the names in the path of a member.
const SEPARATOR: &str = ".";

/// Everything that differs, in a fixed order.
///
/// # Errors
/// [`crate::EngineError::Protocol`] when what one of them says of governance does not compile.
pub fn differences(old: &Snapshot, new: &Snapshot) -> Result<Vec<Difference>> {
    let (was, is) = (Ruled::new(old)?, Ruled::new(new)?);
    let mut found = was.protocol.diff(&is.protocol);
    compare("module", &texts(old.modules()), &texts(new.modules()), &mut found);
    let behaviour = |snapshot: &Snapshot| {
        let dags = snapshot.workflows().filter_map(|workflow| snapshot.dag(&workflow.code));
        dags.map(|dag| (dag.workflow_code().to_owned(), dag.behaviour_hash().to_owned())).collect()
    };
    compare("behaviour", &behaviour(old), &behaviour(new), &mut found);
    rows(&was, &is, &mut found);
    let artifacts = |snapshot: &Snapshot| snapshot.artifacts().map(|a| (a.code().to_owned(), a.digest())).collect();
    compare("artifact", &artifacts(old), &artifacts(new), &mut found);
    for (before, after) in old.artifacts().filter_map(|artifact| Some((artifact, new.artifact(artifact.code())?))) {
        if before.digest() != after.digest() {
            members(before.code(), "", &told(before), &told(after), &mut found);
        }
    }
    found.sort();
    Ok(found)
}

fn texts<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

fn changed(what: &'static str, name: String, was: &str, is: &str) -> Difference {
    Difference { what, name, change: Change::Changed, detail: format!("was {was}, is {is}") }
}

/// Compares things by name.
fn compare(what: &'static str, was: &BTreeMap<String, String>, is: &BTreeMap<String, String>, found: &mut Vec<Difference>) {
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    for name in names {
        let push = |change, detail: &String| Difference { what, name: name.clone(), change, detail: detail.clone() };
        match (was.get(name), is.get(name)) {
            (Some(old), Some(new)) if old != new => found.push(changed(what, name.clone(), old, new)),
            (Some(_), Some(_)) | (None, None) => {}
            (Some(old), None) => found.push(push(Change::Removed, old)),
            (None, Some(new)) => found.push(push(Change::Added, new)),
        }
    }
}

/// The first row that fits decides, so their order is part of what a matrix says. Rows that only one of them has are told as rows.
fn rows(was: &Ruled, is: &Ruled, found: &mut Vec<Difference>) {
    let of = |ruled: &Ruled| {
        let mut matrices = BTreeMap::<String, Vec<String>>::new();
        for row in ruled.protocol.rows() {
            matrices.entry(row.code.clone()).or_default().push(row.name.clone());
        }
        matrices
    };
    let (was, is) = (of(was), of(is));
    for (code, old, new) in was.iter().filter_map(|(code, old)| Some((code, old, is.get(code)?))) {
        let common = |rows: &[String], others: &[String]| -> Vec<String> { rows.iter().filter(|r| others.contains(r)).cloned().collect() };
        let (old, new) = (common(old, new), common(new, old));
        if old != new {
            found.push(changed("order", code.clone(), &old.join(", "), &new.join(", ")));
        }
    }
}

/// What an artifact says that is not told otherwise, member by member: queue contracts and rows are.
fn told(artifact: &Artifact) -> Value {
    let mut value = artifact.to_value();
    if artifact.code().starts_with("QC_") {
        return Value::Null;
    }
    if let (true, Value::Object(written)) = (artifact.code().starts_with("AM_"), &mut value) {
        written.remove("rows");
    }
    value
}

/// Follows two values to where they differ.
fn members(code: &str, path: &str, was: &Value, is: &Value, found: &mut Vec<Difference>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}{SEPARATOR}{name}") };
    match (was, is) {
        _ if was == is => {}
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) => members(code, &below(name), old, new, found),
                    (old, new) => {
                        let change = if old.is_some() { Change::Removed } else { Change::Added };
                        let detail = old.or(new).map(shown).unwrap_or_default();
                        found.push(Difference { what: "member", name: format!("{code} {}", below(name)), change, detail });
                    }
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (nth, (old, new)) in old.iter().zip(new).enumerate() {
                members(code, &below(&nth.to_string()), old, new, found);
            }
        }
        _ => found.push(changed("member", format!("{code} {path}").trim_end().to_owned(), &shown(was), &shown(is))),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
