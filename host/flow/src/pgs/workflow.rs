//! Published workflows: node ids get their prefixes, exits get their classes, and what would end without a transition is written down.

use super::Importer;
use super::path;
use super::source::{Source, native_code, put, text, texts};
use crate::Map;
use crate::problem::Level;
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

/// The exit that stands for a status that the workflow leads nowhere; the reference ends such a run in the same way.
const EXIT_NO_TRANSITION: &str = "EXIT_NO_TRANSITION";

/// The statuses of an intent.
const INTENT_STATUSES: [&str; 2] = ["ACK", "NACK"];

impl Importer<'_> {
    pub(super) fn workflow(&mut self, source: &Source) {
        let code = &source.code;
        let empty = Map::new();
        let published = source.core.get("nodes").and_then(Value::as_object).unwrap_or(&empty);
        let Some(ids) = self.ids(source, published) else {
            return;
        };
        let Some(start) = text(&source.core, "start_node").filter(|start| !start.is_empty()) else {
            return self.report(Level::Error, "no_entry_node", code, "start_node", "no start node is named");
        };
        let Some(binding) = text(&source.front, "runtime_binding").or_else(|| text(&source.core, "runtime_binding")) else {
            return self.report(Level::Error, "no_runtime_binding", code, "runtime_binding", "no runtime binding is named");
        };
        let mut nodes = BTreeMap::new();
        for (id, node) in published {
            let native = ids.get(id).unwrap_or(id);
            let Some(node) = self.node(source, id, node, &ids) else {
                return;
            };
            nodes.insert(native.clone(), node);
        }
        let start = ids.get(start).map_or(start, String::as_str).to_owned();
        self.route(source, &mut nodes);
        self.prune(source, &start, &mut nodes);
        let mut artifact = json!({
            "code": code, "summary": source.summary(), "start": start, "binding": native_code(binding), "nodes": nodes,
        });
        if let Some(admission) = source.core.get("admission") {
            put(&mut artifact, "admission", self.admission(source, admission));
        }
        self.emit(code, artifact);
    }

    /// Published id → native id with the prefix of its type; `None` after an unknown type.
    fn ids(&mut self, source: &Source, nodes: &Map) -> Option<BTreeMap<String, String>> {
        let mut ids = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for (id, node) in nodes {
            let prefix = match text(node, "type") {
                Some("IN") => "IN_",
                Some("CC") => "CC_",
                Some("EXIT") => "EXIT",
                other => {
                    let detail = format!("type `{}` of node `{id}`; known are IN, CC and EXIT", other.unwrap_or_default());
                    self.report(Level::Error, "unknown_prefix", &source.code, &format!("nodes.{id}"), detail);
                    return None;
                }
            };
            let mut native = native_id(id, prefix);
            while !taken.insert(native.clone()) {
                native.push('X');
            }
            if native != *id {
                let detail = format!("node `{id}` becomes `{native}`, because the prefix decides the type");
                self.report(Level::Note, "node_renamed", &source.code, &format!("nodes.{id}"), detail);
            }
            ids.insert(id.clone(), native);
        }
        Some(ids)
    }

    fn node(&mut self, source: &Source, id: &str, node: &Value, ids: &BTreeMap<String, String>) -> Option<Value> {
        let reference = text(node, "fqdn_id").or_else(|| text(node, "code")).map(native_code);
        let next = next(node, ids);
        match (text(node, "type"), reference) {
            (Some("EXIT"), _) => Some(self.exit(source, node)),
            (Some("IN"), Some(intent)) => Some(json!({ "intent": intent, "next": next })),
            (Some(_), Some(contract)) => {
                let mut lost = Vec::new();
                let inputs = self.inputs(source, id, &contract, node, ids, &mut lost);
                for path in lost {
                    let detail = format!("`$.{path}` finds nothing in the published format either");
                    self.report(Level::Warning, "path_never_resolves", &source.code, &format!("nodes.{id}.inputs"), detail);
                }
                Some(json!({ "contract": contract, "inputs": inputs, "next": next }))
            }
            _ => {
                let detail = format!("node `{id}` names no artifact");
                self.report(Level::Error, "missing_artifact", &source.code, &format!("nodes.{id}"), detail);
                None
            }
        }
    }

    /// The inputs that the contract declares; what it does not declare no step could read.
    fn inputs(
        &mut self,
        source: &Source,
        id: &str,
        contract: &str,
        node: &Value,
        ids: &BTreeMap<String, String>,
        lost: &mut Vec<String>,
    ) -> Map {
        let declared = self.artifacts.get(contract).and_then(|contract| contract.get("inputs")).cloned().unwrap_or_default();
        let mut inputs = Map::new();
        for (name, value) in node.get("inputs").and_then(Value::as_object).into_iter().flatten() {
            if declared.get(name).is_some() {
                inputs.insert(name.clone(), path::node(value, ids, lost));
            } else {
                let detail = format!("`{contract}` has no input `{name}`; it is left out");
                self.report(Level::Warning, "unknown_input", &source.code, &format!("nodes.{id}.inputs.{name}"), detail);
            }
        }
        inputs
    }

    /// Success and failure are words in published reasons; any other reason leaves the class to the edge.
    fn exit(&mut self, source: &Source, node: &Value) -> Value {
        let reason = text(node, "reason").unwrap_or_default();
        let mut exit = match reason.strip_prefix("HTTP_").and_then(|code| code.chars().next()) {
            Some('2') => json!({ "class": "SUCCESS" }),
            Some('4' | '5') => json!({ "class": "FAILURE", "reason": reason }),
            _ if reason == "COMPLETED" => json!({ "class": "SUCCESS" }),
            _ if reason == "FAILED" => json!({ "class": "FAILURE" }),
            _ => json!({}),
        };
        if let Some(event) = text(node, "emit") {
            put(&mut exit, "emit", self.event(&source.code, event));
        }
        exit
    }

    /// Statuses that lead nowhere get an exit of their own; edges for statuses that never come are taken out (P-31).
    fn route(&mut self, source: &Source, nodes: &mut BTreeMap<String, Value>) {
        let mut stranded = false;
        for (id, node) in nodes.iter_mut() {
            let statuses: Vec<String> = match (text(node, "contract"), node.get("intent")) {
                (Some(contract), _) => {
                    let contract = self.artifacts.get(contract).and_then(|contract| contract.get("status")).unwrap_or(&Value::Null);
                    texts(contract, "allowed")
                }
                (None, Some(_)) => INTENT_STATUSES.map(ToOwned::to_owned).to_vec(),
                (None, None) => continue,
            };
            let is_contract = node.get("contract").is_some();
            let Some(next) = node.get_mut("next").and_then(Value::as_object_mut) else {
                continue;
            };
            let at = format!("nodes.{id}.next");
            if is_contract && !statuses.is_empty() {
                for status in next.keys().filter(|status| !statuses.contains(status)).cloned().collect::<Vec<_>>() {
                    next.remove(&status);
                    let detail = format!("`{status}` is not allowed by the contract; its edge is taken out");
                    self.report(Level::Warning, "status_not_allowed", &source.code, &at, detail);
                }
            }
            for status in statuses.iter().filter(|status| !next.contains_key(*status)).cloned().collect::<Vec<_>>() {
                let detail = format!("`{status}` leads nowhere; it leads to `{EXIT_NO_TRANSITION}` now");
                self.report(Level::Warning, "unrouted_status", &source.code, &at, detail);
                next.insert(status, json!(EXIT_NO_TRANSITION));
                stranded = true;
            }
        }
        if stranded {
            nodes.insert(EXIT_NO_TRANSITION.to_owned(), json!({ "class": "FAILURE", "reason": "NO_TRANSITION" }));
        }
    }

    /// Takes out nodes that no edge leads to.
    fn prune(&mut self, source: &Source, start: &str, nodes: &mut BTreeMap<String, Value>) {
        let mut seen = BTreeSet::new();
        let mut queue = alloc::vec![start.to_owned()];
        while let Some(id) = queue.pop() {
            if let Some(node) = nodes.get(&id)
                && seen.insert(id)
            {
                let next = node.get("next").and_then(Value::as_object).into_iter().flatten();
                queue.extend(next.filter_map(|(_, to)| to.as_str()).map(ToOwned::to_owned));
            }
        }
        for id in nodes.keys().filter(|id| !seen.contains(*id)).cloned().collect::<Vec<_>>() {
            nodes.remove(&id);
            self.report(Level::Warning, "unreachable_node", &source.code, &format!("nodes.{id}"), "no edge leads to it; it is taken out");
        }
    }

    /// The identity of all events together: the reference looks for the fields of every binding in every event.
    fn admission(&mut self, source: &Source, admission: &Value) -> Value {
        let mut fields = Map::new();
        for (_, binding) in admission.get("bindings").and_then(Value::as_object).into_iter().flatten() {
            fields.extend(binding.as_object().cloned().unwrap_or_default());
        }
        let requires: Vec<String> = texts(admission, "requires").iter().map(|event| self.event(&source.code, event)).collect();
        let forbids: Vec<String> = texts(admission, "forbids").iter().map(|event| self.event(&source.code, event)).collect();
        let mut identity = Map::new();
        if !fields.is_empty() {
            for event in requires.iter().chain(&forbids) {
                identity.insert(event.clone(), Value::Object(fields.clone()));
            }
        }
        json!({ "requires": requires, "forbids": forbids, "identity": identity })
    }
}

fn next(node: &Value, ids: &BTreeMap<String, String>) -> Map {
    let edges = node.get("next").and_then(Value::as_object).into_iter().flatten();
    edges
        .filter_map(|(status, to)| {
            let to = to.as_str()?;
            Some((status.clone(), json!(ids.get(to).map_or(to, String::as_str))))
        })
        .collect()
}

/// An id with the prefix of its type, in capitals where it had none.
fn native_id(id: &str, prefix: &str) -> String {
    if id.starts_with(prefix) {
        return id.to_owned();
    }
    let upper: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if upper.starts_with(prefix) {
        upper
    } else if prefix == "EXIT" {
        format!("EXIT_{upper}")
    } else {
        format!("{prefix}{upper}")
    }
}
