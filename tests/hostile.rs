//! Hostile modules inside real runs: the host stays up, the run ends by a declared edge or is not recorded, replays equal.
use serde_json::{Value, json};

use crate::support::{Scratch, project};

/// A protocol with one step that calls a transform of a given module.
fn workspace_with(module: &[u8], limits: &Value) -> Scratch {
    let scratch = Scratch::init();
    let workspace = enact_engine::workspace::Workspace::open(&scratch.workspace()).unwrap();
    workspace.add_module("hostile", module).unwrap();
    let fields = json!({"data": {"type": "any"}});
    let artifacts = [
        json!({"code": "IN_HOSTILE_V0", "summary": "Anything", "schema": {"type": "object"}}),
        json!({"code": "CT_HOSTILE_V0", "summary": "Whatever the module does", "operation": "DO", "inputs": fields,
               "outputs": {"out": {"type": "any"}}, "statuses": ["SUCCESS", "VIOLATION"], "limits": limits}),
        json!({"code": "CC_HOSTILE_V0", "summary": "One hostile step", "inputs": fields, "outputs": {"out": {"type": "any"}},
               "status": {"allowed": ["SUCCESS", "VIOLATION", "BACKEND_ERROR"]},
               "pipeline": [{"step": "do", "capability": "CT_HOSTILE_V0", "operation": "DO", "inputs": {"data": "$.inputs.data"},
                             "outputs": {"out": "$.capability_result.out"}, "surface": ["SUCCESS", "VIOLATION"],
                             "on_result": {"SUCCESS": "exit", "VIOLATION": "exit"}}]}),
        json!({"code": "WF_HOSTILE_V0", "summary": "One hostile step", "start": "IN_HOSTILE_V0", "binding": "RB_HOSTILE_V0",
               "nodes": {"IN_HOSTILE_V0": {"intent": "IN_HOSTILE_V0", "next": {"ACK": "CC_HOSTILE_V0", "NACK": "EXIT"}},
                         "CC_HOSTILE_V0": {"contract": "CC_HOSTILE_V0", "inputs": {"data": "$.data"},
                                           "next": {"SUCCESS": "EXIT", "VIOLATION": "EXIT", "BACKEND_ERROR": "EXIT"}},
                         "EXIT": {}}}),
        json!({"code": "RB_HOSTILE_V0", "summary": "One hostile module", "environment": "hostile", "parameters": [],
               "bindings": {"CT_HOSTILE_V0": {"host": "component", "module": "hostile"}}}),
    ];
    for artifact in artifacts {
        workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
    }
    workspace.seal().unwrap();
    scratch
}

/// A component in text form from the hostile corpus.
fn guest(name: &str) -> Vec<u8> {
    let path = project("tests/guests").join(format!("{name}.wat"));
    wat::parse_file(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Runs it and answers the report.
fn run(scratch: &Scratch) -> crate::support::Ran {
    let payload = scratch.file("payload.json", r#"{"data": {"a": 1}}"#);
    scratch.enact(&["run", "WF_HOSTILE_V0", "--payload", &payload, "--json"])
}

/// Class B: recorded as BACKEND_ERROR with its code, and replayed equal by both engines.
fn class_b(name: &str, code: &str) {
    let scratch = workspace_with(&guest(name), &json!({"fuel": 20_000_000, "memory_bytes": 1 << 20, "output_bytes": 65_536}));
    let report = run(&scratch).exits(0).json();
    assert_eq!(report["exit"]["class"], "FAILURE", "{name}: {report}");
    assert_eq!(report["exit"]["reason"], "BACKEND_ERROR", "{name}: {report}");
    let shown = scratch.enact(&["show", "0", "--json"]).exits(0).json();
    assert_eq!((&shown["steps"][0]["status"], &shown["steps"][0]["trap"]), (&code.into(), &true.into()), "{name}");
    let audit = scratch.enact(&["audit", "--all", "--state", "--engine", "both", "--json"]).exits(0).json();
    assert_eq!(audit["replayed"], 1, "{name}");
}

#[test]
fn p_21_a_loop_runs_out_of_fuel_and_replays_equal() {
    class_b("loop", "out_of_fuel");
}

#[test]
fn p_21_growth_beyond_the_limit_is_refused_and_replays_equal() {
    class_b("grow", "unreachable");
}

#[test]
fn p_21_an_access_out_of_bounds_traps_and_replays_equal() {
    class_b("out-of-bounds", "memory_out_of_bounds");
}

#[test]
fn p_21_a_huge_answer_is_refused_and_replays_equal() {
    class_b("huge-answer", "output_too_large");
}

#[test]
fn p_21_invalid_utf_8_is_refused_and_replays_equal() {
    class_b("invalid-utf8", "output_not_utf8");
}

#[test]
fn p_21_an_answer_that_is_not_json_is_refused_and_replays_equal() {
    class_b("not-json", "outputs_not_json");
}

#[test]
fn p_18_a_status_that_was_not_declared_is_a_protocol_violation() {
    let scratch = workspace_with(&guest("wrong-status"), &json!({}));
    let report = run(&scratch).exits(0).json();
    assert_eq!((&report["exit"]["class"], &report["exit"]["code"]), (&"FAILURE".into(), &"undeclared_status".into()), "{report}");
    assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["replayed"], 1);
}

#[test]
fn deep_recursion_is_inconclusive_and_leaves_nothing() {
    let scratch = workspace_with(&guest("recursion"), &json!({"fuel": 1_000_000_000_u64}));
    let error = run(&scratch).exits(3).json();
    assert_eq!(error["error"]["code"], "inconclusive");
    assert!(error["error"]["message"].as_str().unwrap().contains("stack_overflow"), "{error}");
    let runs = scratch.enact(&["runs", "--json"]);
    assert!(runs.out.contains("[]") || runs.out.contains("ledger_empty"), "{runs:?}");
}

#[test]
fn nan_bits_are_the_same_in_both_engines() {
    let scratch = workspace_with(&guest("nan"), &json!({}));
    let report = run(&scratch).exits(0).json();
    assert_eq!(report["exit"]["class"], "SUCCESS", "{report}");
    let audit = scratch.enact(&["audit", "--all", "--engine", "both", "--json"]).exits(0).json();
    assert_eq!(audit["replayed"], 1);
}

#[test]
fn p_21_a_transform_with_one_import_is_refused_with_the_import_named() {
    let scratch = workspace_with(&guest("imports-clock"), &json!({}));
    let error = run(&scratch).exits(3).json();
    assert_eq!(error["error"]["code"], "module_refused");
    assert!(error["error"]["message"].as_str().unwrap().contains("clock"), "{error}");
    let file = scratch.path().join("m.wasm");
    std::fs::write(&file, guest("imports-clock")).unwrap();
    let inspection = scratch.enact(&["module", "inspect", &file.to_string_lossy(), "--json"]).exits(3).json();
    assert!(inspection["refusals"].as_array().unwrap().iter().any(|r| r["detail"].as_str().unwrap().contains("clock")));
}
