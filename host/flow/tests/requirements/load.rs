//! What is refused before anything runs (P-22, P-31, P-33), and the lock file.

use crate::support::{CC, Set, WF, good, letter, modules, run, set};
use enact_flow::artifact::{Artifact, parse};
use enact_flow::compile::compile;
use enact_flow::snapshot::Snapshot;
use serde_json::{Value, json};

#[test]
fn the_base_set_has_no_errors() {
    assert_eq!(set().errors(), Vec::<String>::new());
}

#[test]
fn p_31_the_same_sources_give_the_same_bytes_in_any_order() {
    let mut artifacts = set().parse().unwrap();
    let one = compile(&artifacts, &modules()).unwrap();
    artifacts.reverse();
    let other = compile(&artifacts, &modules()).unwrap();
    assert_eq!(one.to_lock(), other.to_lock());
    assert_eq!(one.hash(), other.hash());
    assert_ne!(one.hash(), set().with(CC, "/summary", json!("Other.")).compile().unwrap().hash());
    let mut modules = modules();
    modules.insert("shelf".to_owned(), format!("blake3:{}", "3".repeat(64)));
    assert_ne!(one.hash(), compile(&artifacts, &modules).unwrap().hash());
}

#[test]
fn p_05_a_lock_alone_is_enough_to_run() {
    let lock = set().compile().unwrap().to_lock();
    let snapshot = Snapshot::from_lock(&lock).unwrap();
    let plan = enact_flow::bind::bind(&snapshot, WF, None, &Default::default(), &["component"]).unwrap();
    assert_eq!(plan.digest(), set().plan().digest());
    assert_eq!(run(&plan.into(), letter(), good).path(), run(&set().plan(), letter(), good).path());
}

#[test]
fn p_31_a_changed_lock_is_refused() {
    let lock = String::from_utf8(set().compile().unwrap().to_lock()).unwrap();
    for (from, to, code) in [
        ("Stamps and files.", "Stamps and files!", "lock_hash_mismatch"),
        ("\"table\"", "\"clock\"", "lock_hash_mismatch"),
        ("{\"artifacts\"", "{ \"artifacts\"", "lock_not_canonical"),
        ("\"v\":1", "\"v\":2", "bad_lock"),
        ("\"CC_FIRST\",\"NACK\"", "\"CC_LOST\",\"NACK\"", "unreachable_node"),
        ("\"hash\":\"blake3:", "\"hash\":\"blake3:0", "lock_hash_mismatch"),
    ] {
        assert!(lock.contains(from), "{from}");
        let problem = Snapshot::from_lock(lock.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(problem.code, code, "{from}: {problem}");
    }
    assert_eq!(Snapshot::from_lock(b"").unwrap_err().code, "bad_lock");
}

#[test]
fn p_31_a_code_is_the_file_name_and_fields_are_known() {
    let refused = |stem: &str, text: &str| parse(stem, text.as_bytes()).unwrap_err().code;
    let event = r#"{"code":"EV_A_V0","summary":""}"#;
    assert!(matches!(parse("EV_A_V0", event.as_bytes()), Ok(Artifact::Event(_))));
    assert_eq!(refused("EV_B_V0", event), "code_is_not_the_file_name");
    assert_eq!(refused("EV_A_V0", r#"{"code":"EV_A_V0","summary":"","more":1}"#), "bad_shape");
    assert_eq!(refused("EV_A_V0", r#"{"code":"EV_A_V0","summary":"","summary":""}"#), "not_json");
    assert_eq!(refused("XX_A_V0", r#"{"code":"XX_A_V0","summary":""}"#), "bad_code");
    assert_eq!(refused("EV_A", r#"{"code":"EV_A","summary":""}"#), "bad_code");
    assert_eq!(refused("ev_a_V0", r#"{"code":"ev_a_V0","summary":""}"#), "bad_code");
    assert_eq!(refused("IN_A_V0", r#"{"code":"IN_A_V0","summary":"","schema":9007199254740992}"#), "value_out_of_range");
    assert_eq!(refused("EV_A_V0", &format!("{}1{}", "[".repeat(100), "]".repeat(100))), "value_out_of_range");
    assert_eq!(refused("EV_A_V0", "nonsense"), "not_json");
    let long = format!("EV_{}_V0", "A".repeat(200));
    assert_eq!(refused(&long, &format!(r#"{{"code":"{long}","summary":""}}"#)), "bad_code");
}

#[test]
fn p_31_references_are_closed() {
    set().remove("IN_LETTER_V0").refused("missing_artifact", "IN_LETTER_V0");
    set().remove(CC).refused("missing_artifact", CC);
    set().remove("EV_LETTER_FILED_V0").refused("missing_artifact", "EV_LETTER_FILED_V0");
    set().remove("RB_DEVELOPMENT_V0").refused("missing_artifact", "RB_DEVELOPMENT_V0");
    set().remove("CS_SHELF_V0").refused("missing_artifact", "CS_SHELF_V0");
    set().remove("CT_PURE_STAMP_V0").refused("unknown_capability", "CT_PURE_STAMP_V0");
}

#[test]
fn p_31_every_allowed_status_is_routed_and_no_other() {
    set().without(WF, "/nodes/CC_FIRST/next/BACKEND_ERROR").refused("unrouted_status", "BACKEND_ERROR");
    set().with(WF, "/nodes/CC_FIRST/next/ODD", json!("EXIT")).refused("status_not_allowed", "ODD");
    set().with(WF, "/nodes/IN_LETTER/next/MAYBE", json!("EXIT")).refused("intent_edges", "MAYBE");
    set().without(WF, "/nodes/IN_LETTER/next/NACK").refused("intent_edges", "ACK");
}

#[test]
fn p_31_every_outcome_of_a_step_is_handled() {
    set().without(CC, "/pipeline/1/on_result/ALREADY_EXISTS").refused("on_result_incomplete", "ALREADY_EXISTS");
    set().with(CC, "/pipeline/0/surface", json!(["SUCCESS", "VIOLATION", "ODD"])).refused("status_not_declared", "ODD");
    set().with(CC, "/pipeline/0/surface", json!([])).refused("empty_surface", "stamp");
    let narrower =
        set().with(CC, "/pipeline/1/surface", json!(["SUCCESS"])).with(CC, "/pipeline/1/on_result", json!({ "SUCCESS": "exit" }));
    assert!(narrower.warnings().contains(&"status_not_in_surface"));
}

#[test]
fn p_31_contracts_and_schemas_have_a_shape() {
    set().with(CC, "/pipeline", json!([])).refused("empty_pipeline", "");
    set().with(CC, "/pipeline/1/step", json!("stamp")).refused("duplicate_step", "stamp");
    set().with(CC, "/pipeline/1/step", json!("a.b")).refused("bad_step_name", "a.b");
    set().with(CC, "/status/allowed", json!(["SUCCESS", "PROTOCOL_VIOLATION"])).refused("reserved_status", "PROTOCOL_VIOLATION");
    set().with(CC, "/status/allowed", json!(["lower"])).refused("bad_status", "lower");
    set().with("IN_LETTER_V0", "/schema", json!(true)).refused("bad_schema", "object");
    set().with(WF, "/nodes/EXIT/reason", json!("text with $payload")).refused("bad_reason", "text");
    set().with(WF, "/nodes/CC_FIRST/inputs/extra", json!(1)).refused("unknown_input", "extra");
    set().without(CC, "/pipeline/0/inputs/text").refused("required_input_not_given", "text");
    set().with(CC, "/pipeline/0/store", json!("LETTERS")).refused("store_on_transform", "store");
}

#[test]
fn p_31_two_artifacts_of_one_code_are_refused() {
    let mut artifacts = set().parse().unwrap();
    let again = artifacts.first().unwrap().clone();
    artifacts.push(again);
    assert_eq!(compile(&artifacts, &modules()).unwrap_err().first().unwrap().code, "duplicate_code");
}

#[test]
fn p_33_operations_match_exactly_and_belong_to_a_closed_set() {
    set().with(CC, "/pipeline/1/operation", json!("place")).refused("unknown_operation", "PLACE, TAKE");
    set().with(CC, "/pipeline/1/operation", json!("PLACE_ALL")).refused("unknown_operation", "PLACE_ALL");
    set().with(CC, "/pipeline/0/operation", json!("SEAL")).refused("unknown_operation", "STAMP");
    let taking = set().with(CC, "/pipeline/1/operation", json!("TAKE"));
    taking.refused("status_not_declared", "ALREADY_EXISTS");
}

#[test]
fn p_22_what_is_missing_at_load_has_its_phase_and_code() {
    let snapshot = set().compile().unwrap();
    let report = enact_flow::bind::bind(&snapshot, "WF_OTHER_V0", None, &Default::default(), &[]).unwrap_err();
    assert_eq!((report.phase, report.code()), ("load", "unknown_workflow"));
    assert_eq!(report.available, [WF]);
}

#[test]
fn paths_that_can_find_nothing_are_pointed_out() {
    let warned = |set: Set| set.warnings().contains(&"path_never_resolves");
    let step = |value: Value| set().with(CC, "/pipeline/0/inputs/text", value);
    assert!(!warned(set()));
    assert!(warned(step(json!("$.inputs.nothing"))));
    assert!(warned(step(json!("$.results.place.slot"))));
    assert!(warned(step(json!({ "deep": ["$.payload.x"] }))));
    assert!(warned(set().with(WF, "/nodes/CC_FIRST/inputs/letter", json!("$.results.CC_THIRD.x"))));
}
