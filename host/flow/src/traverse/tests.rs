//! What cannot be reached through a compiled snapshot, because compilation refuses it first.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Answer, Ask, Class, Traversal};
use crate::Map;
use crate::artifact::{Artifact, from_value};
use crate::bind::bind;
use crate::compile::compile;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde_json::json;

#[test]
fn p_15_without_an_equal_edge_the_run_fails_and_nothing_else_is_tried() {
    let artifacts: Vec<Artifact> = [
        json!({ "code": "IN_A_V0", "summary": "", "schema": {} }),
        json!({ "code": "RB_A_V0", "summary": "", "environment": "test", "bindings": {} }),
        json!({ "code": "WF_A_V0", "summary": "", "start": "IN_A", "binding": "RB_A_V0", "nodes": {
            "IN_A": { "intent": "IN_A_V0", "next": { "ACK": "EXIT", "NACK": "EXIT" } }, "EXIT": {},
        } }),
    ]
    .into_iter()
    .map(|value| from_value(value.get("code").unwrap().as_str().unwrap(), value.clone()).unwrap())
    .collect();
    let snapshot = compile(&artifacts, &BTreeMap::new()).unwrap();
    let mut plan = bind(&snapshot, "WF_A_V0", None, &BTreeMap::new(), &[]).unwrap();
    let node = plan.nodes.iter_mut().find(|node| node.id.as_ref() == "IN_A").unwrap();
    node.edges.retain(|(condition, _)| condition.as_ref() != "ACK");
    let (mut run, _) = Traversal::start(Arc::new(plan), Map::new(), "");
    let Ask::Done(end) = run.resume(Answer::Intent { valid: true }) else { panic!("it goes on") };
    assert_eq!((end.class, end.reason.as_str(), end.code), (Class::Failure, "NO_TRANSITION", Some("no_transition".to_owned())));
    assert_eq!(end.node.as_deref(), Some("IN_A"));
}
