//! The graph: prefixes, edges, shape, hashes (P-01 to P-04, P-30).

use crate::support::{CC, WF, good, letter, run, set};
use enact_flow::dag::NodeType;
use serde_json::json;

#[test]
fn p_01_only_prefixes_and_conditions_route_whatever_else_is_called() {
    let original = run(&set().plan(), letter(), good).path();
    let text = serde_json::to_string(&set().0).unwrap();
    let renamed = text.replace("CC_FIRST", "CC_ZZ9").replace("IN_LETTER\"", "IN_QQ\"").replace("LETTER", "BRICK").replace("SHELF", "KILN");
    let mut other = set();
    other.0 = serde_json::from_str(&renamed).unwrap();
    let snapshot = other.compile().unwrap();
    let plan = enact_flow::bind::bind(&snapshot, "WF_FILE_BRICK_V0", None, &Default::default(), &["component"]).unwrap();
    let path = run(&plan.into(), letter(), |step| {
        if step.capability.starts_with("CS_") { crate::support::outcome("SUCCESS", json!({ "slot": 3 })) } else { good(step) }
    })
    .path();
    let statuses = |path: &[String]| path.iter().map(|entry| entry.rsplit(':').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(statuses(&original), statuses(&path));
    assert_eq!(original.len(), 4);
}

#[test]
fn p_02_a_workflow_becomes_a_graph_with_types_by_prefix() {
    let snapshot = set().compile().unwrap();
    let dag = snapshot.dag(WF).unwrap();
    assert!(dag.dag_id().starts_with("blake3:"));
    assert_eq!(dag.workflow_code(), WF);
    assert_eq!(dag.entry_nodes(), ["IN_LETTER"]);
    assert_eq!(dag.terminal_nodes(), ["EXIT", "EXIT_REFUSED"]);
    let types: Vec<NodeType> = dag.nodes().iter().map(|node| node.node_type()).collect();
    let contract = NodeType::CapabilityContract;
    assert_eq!(types, [contract, contract, NodeType::Exit, NodeType::Exit, NodeType::Intent]);
}

#[test]
fn p_02_an_unknown_prefix_is_refused_at_load() {
    let set = set().with(WF, "/nodes/GATE_ONE", json!({ "contract": CC, "next": {} }));
    set.refused("unknown_prefix", "GATE_ONE");
}

#[test]
fn p_03_the_edge_equal_to_the_status_is_followed() {
    for (status, expected) in [("SUCCESS", "CC_SECOND"), ("ALREADY_EXISTS", "CC_SECOND"), ("BACKEND_ERROR", "EXIT")] {
        let run = run(&set().plan(), letter(), |step| {
            if step.capability.as_ref() == "CS_SHELF_V0" { crate::support::outcome(status, json!({})) } else { good(step) }
        });
        let path = run.path();
        assert_eq!(path[1], format!("CC_FIRST:{status}"));
        assert!(path[2].starts_with(&format!("{expected}:")), "{path:?}");
    }
}

#[test]
fn p_04_a_cycle_is_refused_with_its_nodes() {
    let set = set().with(WF, "/nodes/CC_SECOND/next/ALREADY_EXISTS", json!("CC_FIRST"));
    set.refused("cycle", "CC_FIRST → CC_SECOND → CC_FIRST");
}

#[test]
fn p_04_an_unreachable_node_is_refused_by_name() {
    set().with(WF, "/nodes/EXIT_LOST", json!({})).refused("unreachable_node", "EXIT_LOST");
}

#[test]
fn p_04_a_terminal_that_is_not_an_exit_is_refused_by_name() {
    let set = set().with(WF, "/nodes/CC_SECOND/next", json!({}));
    set.refused("terminal_is_not_exit", "CC_SECOND");
}

#[test]
fn p_04_an_edge_to_nowhere_and_a_start_that_is_an_exit_are_refused() {
    set().with(WF, "/nodes/CC_FIRST/next/SUCCESS", json!("CC_NOWHERE")).refused("missing_node", "CC_NOWHERE");
    set().with(WF, "/start", json!("EXIT")).refused("start_is_exit", "EXIT");
    set().with(WF, "/start", json!("IN_GONE")).refused("missing_node", "IN_GONE");
}

#[test]
fn p_30_no_binding_changes_the_behavioural_surface_and_every_edge_does() {
    let hash = |set: &crate::support::Set| set.compile().unwrap().dag(WF).unwrap().behaviour_hash().to_owned();
    let base = hash(&set());
    assert_eq!(base, hash(&set().with(WF, "/binding", json!("RB_PRODUCTION_V0"))));
    assert_eq!(base, hash(&set().with("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/stores/*", json!("elsewhere"))));
    assert_ne!(base, hash(&set().with(WF, "/nodes/CC_FIRST/next/ALREADY_EXISTS", json!("EXIT"))));
    assert_ne!(base, hash(&set().with(WF, "/nodes/EXIT/class", json!("FAILURE"))));
    let fewer = set()
        .with(CC, "/status/allowed", json!(["SUCCESS", "ALREADY_EXISTS", "VIOLATION"]))
        .without(WF, "/nodes/CC_FIRST/next/BACKEND_ERROR")
        .without(WF, "/nodes/CC_SECOND/next/BACKEND_ERROR");
    assert_ne!(base, hash(&fewer));
}

#[test]
fn pictures_name_every_node_and_escape_what_they_show() {
    let snapshot = set().compile().unwrap();
    let dag = snapshot.dag(WF).unwrap();
    let (mermaid, svg) = (dag.mermaid(), dag.svg());
    for node in dag.nodes() {
        assert!(mermaid.contains(node.id()) && svg.contains(node.id()));
    }
    assert!(mermaid.starts_with("flowchart TD\n") && svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(mermaid.matches("-->").count(), 5, "{mermaid}");
}
