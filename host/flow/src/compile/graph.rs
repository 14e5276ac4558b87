//! One workflow: its references, its edges, its shape as a graph (P-02, P-03, P-04).

use super::Checker;
use crate::artifact::{Admission, Artifact, ContractNode, ExitNode, IntentNode, Node, Workflow};
use crate::expr::segments;
use crate::problem::Problem;
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

/// The statuses of an intent, and so the only edges it may have.
const INTENT_STATUSES: [&str; 2] = ["ACK", "NACK"];

impl<'a> Checker<'a> {
    pub(super) fn workflow(&mut self, workflow: &'a Workflow) {
        let code = &workflow.code;
        if !matches!(self.get(&workflow.binding), Some(Artifact::Binding(_))) {
            self.missing(code, "binding", &workflow.binding);
        }
        match workflow.nodes.get(&workflow.start) {
            None => self.error("missing_node", code, "start", format!("start node `{}` is not declared", workflow.start)),
            Some(Node::Exit(_)) => self.error("start_is_exit", code, "start", format!("`{}` ends the run before it began", workflow.start)),
            Some(Node::Intent(_) | Node::Contract(_)) => {}
        }
        if let Some(admission) = &workflow.admission {
            self.admission(code, admission);
        }
        for (id, node) in &workflow.nodes {
            let at = format!("nodes.{id}");
            match node {
                Node::Intent(node) => self.intent_node(code, &at, node),
                Node::Contract(node) => self.contract_node(workflow, &at, node),
                Node::Exit(node) => self.exit_node(code, &at, node),
            }
            for (status, to) in edges(node) {
                if !workflow.nodes.contains_key(to) {
                    self.error("missing_node", code, format!("{at}.next.{status}"), format!("`{to}` is not declared"));
                }
            }
        }
        self.reachable(workflow);
        self.acyclic(workflow);
        self.covered(workflow);
    }

    fn admission(&mut self, code: &str, admission: &Admission) {
        for event in admission.requires.iter().chain(&admission.forbids) {
            self.event(code, "admission", event);
        }
        for event in admission.identity.keys() {
            if !admission.requires.contains(event) && !admission.forbids.contains(event) {
                let detail = format!("`{event}` has an identity and is neither required nor forbidden");
                self.error("identity_without_event", code, format!("admission.identity.{event}"), detail);
            }
        }
    }

    fn intent_node(&mut self, code: &str, at: &str, node: &IntentNode) {
        if !matches!(self.get(&node.intent), Some(Artifact::Intent(_))) {
            self.missing(code, format!("{at}.intent"), &node.intent);
        }
        let routed: Vec<&str> = node.next.keys().map(String::as_str).collect();
        if routed != INTENT_STATUSES {
            let detail = format!("edges {routed:?}; an intent has exactly `ACK` and `NACK`");
            self.error("intent_edges", code, format!("{at}.next"), detail);
        }
    }

    fn contract_node(&mut self, workflow: &Workflow, at: &str, node: &ContractNode) {
        let code = &workflow.code;
        let Some(Artifact::Contract(contract)) = self.get(&node.contract) else {
            return self.missing(code, format!("{at}.contract"), &node.contract);
        };
        if node.next.is_empty() {
            self.error("terminal_is_not_exit", code, at, "it has no edge, and only an exit may end a run");
        }
        for status in contract.status.allowed.iter().filter(|status| !node.next.contains_key(*status)) {
            let detail = format!("`{}` may answer `{status}`, which leads nowhere", contract.code);
            let problem = Problem::error("unrouted_status", code, format!("{at}.next"), detail);
            self.problems.push(problem.with_hint(format!("add an edge for `{status}`; nothing is routed by default")));
        }
        for status in node.next.keys().filter(|status| !contract.status.allowed.contains(*status)) {
            let detail = format!("`{}` never answers `{status}`", contract.code);
            self.error("status_not_allowed", code, format!("{at}.next.{status}"), detail);
        }
        for name in node.inputs.keys().filter(|name| !contract.inputs.contains_key(*name)) {
            let detail = format!("`{}` has no input `{name}`", contract.code);
            self.error("unknown_input", code, format!("{at}.inputs.{name}"), detail);
        }
        for (name, _) in contract.inputs.iter().filter(|(name, field)| field.required && !node.inputs.contains_key(*name)) {
            let detail = format!("`{}` requires `{name}`; without it the node always ends as an input failure", contract.code);
            self.warn("required_input_not_given", code, format!("{at}.inputs"), detail);
        }
        for (name, value) in &node.inputs {
            self.node_paths(workflow, &format!("{at}.inputs.{name}"), value);
        }
    }

    /// A path to the results of a node that does not exist finds only what a caller put there.
    fn node_paths(&mut self, workflow: &Workflow, at: &str, value: &Value) {
        visit_paths(value, &mut |path| {
            if let [root, node, ..] = path
                && root == "results"
                && !workflow.nodes.contains_key(node)
            {
                let detail = format!("`$.{}` names a node that is not declared", path.join("."));
                self.warn("path_never_resolves", &workflow.code, at, detail);
            }
        });
    }

    fn exit_node(&mut self, code: &str, at: &str, node: &ExitNode) {
        if let Some(event) = &node.emit {
            self.event(code, &format!("{at}.emit"), event);
        }
        if let Some(reason) = &node.reason
            && !super::contract::is_status(reason)
        {
            self.error("bad_reason", code, format!("{at}.reason"), format!("`{reason}` is not capitals, digits and `_`, 64 at most"));
        }
    }

    fn reachable(&mut self, workflow: &Workflow) {
        let mut seen = BTreeSet::new();
        let mut queue = alloc::vec![workflow.start.as_str()];
        while let Some(id) = queue.pop() {
            if let Some(node) = workflow.nodes.get(id)
                && seen.insert(id)
            {
                queue.extend(edges(node).map(|(_, to)| to.as_str()));
            }
        }
        for id in workflow.nodes.keys().filter(|id| !seen.contains(id.as_str())) {
            self.error("unreachable_node", &workflow.code, format!("nodes.{id}"), format!("no edge leads to `{id}`"));
        }
    }

    /// Takes away nodes without open successors until none is left; what remains is on a cycle or leads into one.
    fn acyclic(&mut self, workflow: &Workflow) {
        let mut open: BTreeMap<&str, BTreeSet<&str>> = workflow
            .nodes
            .iter()
            .map(|(id, node)| {
                let targets = edges(node).map(|(_, to)| to.as_str()).filter(|to| workflow.nodes.contains_key(*to));
                (id.as_str(), targets.collect())
            })
            .collect();
        loop {
            let closed: Vec<&str> = open.iter().filter(|(_, targets)| targets.is_empty()).map(|(id, _)| *id).collect();
            if closed.is_empty() {
                break;
            }
            for id in &closed {
                open.remove(id);
            }
            for targets in open.values_mut() {
                targets.retain(|to| !closed.contains(to));
            }
        }
        let Some(first) = open.keys().next() else {
            return;
        };
        let mut walk = alloc::vec![*first];
        let mut current = *first;
        while let Some(next) = open.get(current).and_then(|targets| targets.first()) {
            if let Some(begin) = walk.iter().position(|id| id == next) {
                let mut cycle: Vec<&str> = walk.into_iter().skip(begin).collect();
                cycle.push(next);
                let detail = format!("a cycle: {}", cycle.join(" → "));
                return self.error("cycle", &workflow.code, "nodes", detail);
            }
            walk.push(next);
            current = next;
        }
    }

    /// The default binding should serve everything the workflow calls, and must know every entity whose store is used.
    fn covered(&mut self, workflow: &Workflow) {
        let Some(Artifact::Binding(binding)) = self.get(&workflow.binding) else {
            return;
        };
        let mut found: Vec<(bool, String, String)> = Vec::new();
        for node in workflow.nodes.values() {
            let Node::Contract(node) = node else { continue };
            let Some(Artifact::Contract(contract)) = self.get(&node.contract) else {
                continue;
            };
            for step in &contract.pipeline {
                for capability in self.atoms(&step.capability) {
                    if !binding.bindings.contains_key(capability) {
                        found.push((false, capability.to_owned(), format!("`{}` does not bind it", binding.code)));
                    }
                }
                let stores = binding.bindings.get(&step.capability).map(|bound| &bound.stores);
                if let (Some(stores), Some(entity)) = (stores, &step.store)
                    && !stores.is_empty()
                    && !stores.contains_key(entity)
                    && !stores.contains_key("*")
                {
                    let detail = format!("step `{}` of `{}` uses entity `{entity}`", step.step, contract.code);
                    found.push((true, format!("{}.bindings.{}.stores", binding.code, step.capability), detail));
                }
            }
        }
        for (is_store, at, detail) in found {
            if is_store {
                self.error("unknown_store", &workflow.code, at, format!("{detail}, which has no store and there is no `*`"));
            } else {
                self.warn("unbound_capability", &workflow.code, at, detail);
            }
        }
    }
}

/// The edges of a node.
fn edges(node: &Node) -> impl Iterator<Item = (&String, &String)> {
    let next = match node {
        Node::Intent(node) => Some(&node.next),
        Node::Contract(node) => Some(&node.next),
        Node::Exit(_) => None,
    };
    next.into_iter().flatten()
}

/// Calls `visit` with every path in a value.
pub(super) fn visit_paths(value: &Value, visit: &mut dyn FnMut(&[String])) {
    match value {
        Value::String(text) => {
            if let Some(path) = segments(text) {
                visit(&path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit_paths(item, visit)),
        Value::Object(members) => members.values().for_each(|item| visit_paths(item, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
