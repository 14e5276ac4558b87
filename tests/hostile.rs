//! Hostile modules inside real runs: the host stays up, the run ends by a declared edge or is not recorded, replays equal.
//!
//! The corpus is the sandbox's own; here it goes through the command, the ledger and the audit.
use serde_json::{Value, json};

use crate::support::Scratch;

/// The sandbox's hostile corpus.
#[allow(dead_code, reason = "the sandbox's tests use more of it")]
#[path = "../host/wasm/tests/sandbox/support.rs"]
pub(crate) mod support;

#[allow(dead_code, reason = "the sandbox's tests use more of it")]
#[path = "../host/wasm/tests/sandbox/guests.rs"]
pub(crate) mod guests;

#[allow(dead_code, reason = "the sandbox's tests use more of it")]
#[path = "../host/wasm/tests/sandbox/program.rs"]
pub(crate) mod program;

/// A workspace with one workflow for each module: `WF_HOSTILE_<index>_V0` with one step that calls it.
fn workspace_with(modules: &[Vec<u8>], limits: &Value) -> Scratch {
    let scratch = Scratch::init();
    scratch.stewards();
    let workspace = enact_engine::workspace::Workspace::open(&scratch.workspace()).unwrap();
    for (index, module) in modules.iter().enumerate() {
        scratch.admit(&format!("hostile-{index}"), module, ["ada", "bo"]);
        for artifact in artifacts(index, limits) {
            workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
        }
    }
    workspace.seal().unwrap();
    scratch
}

pub(crate) fn artifacts(index: usize, limits: &Value) -> [Value; 5] {
    let code = |kind: &str| format!("{kind}_HOSTILE_{index}_V0");
    let fields = json!({"data": {"type": "any"}});
    let (intent, contract, transform) = (code("IN"), code("CC"), code("CT"));
    [
        json!({"code": intent, "summary": "Anything", "schema": {"type": "object"}}),
        json!({"code": transform, "summary": "Whatever the module does", "operation": "DO", "inputs": fields,
               "outputs": {"out": {"type": "any"}}, "statuses": ["SUCCESS", "VIOLATION"], "limits": limits}),
        json!({"code": contract, "summary": "One hostile step", "inputs": fields, "outputs": {"out": {"type": "any"}},
               "status": {"allowed": ["SUCCESS", "VIOLATION", "BACKEND_ERROR"]},
               "pipeline": [{"step": "do", "capability": transform, "operation": "DO", "inputs": {"data": "$.inputs.data"},
                             "outputs": {"out": "$.capability_result.out"}, "surface": ["SUCCESS", "VIOLATION"],
                             "on_result": {"SUCCESS": "exit", "VIOLATION": "exit"}}]}),
        json!({"code": code("WF"), "summary": "One hostile step", "start": intent, "binding": code("RB"),
               "nodes": {(intent.as_str()): {"intent": intent, "next": {"ACK": contract, "NACK": "EXIT"}},
                         (contract.as_str()): {"contract": contract, "inputs": {"data": "$.data"},
                                               "next": {"SUCCESS": "EXIT", "VIOLATION": "EXIT", "BACKEND_ERROR": "EXIT"}},
                         "EXIT": {}}}),
        json!({"code": code("RB"), "summary": "One hostile module", "environment": "hostile", "parameters": [],
               "bindings": {(transform.as_str()): {"host": "component", "module": format!("hostile-{index}")}}}),
    ]
}

/// Recurses until the stack ends, which is a bound of this engine and no answer.
pub(crate) fn deep() -> Vec<u8> {
    support::transform(
        "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))",
        "(call $deep (local.get $in))",
    )
}

/// Runs one of them.
fn run(scratch: &Scratch, index: usize) -> crate::support::Ran {
    let payload = scratch.file("payload.json", r#"{"data": {"a": 1}}"#);
    scratch.enact(&["run", &format!("WF_HOSTILE_{index}_V0"), "--payload", &payload, "--json"])
}

/// The limits of the sandbox's own tests, so that the corpus meets the same ones.
fn limits() -> Value {
    json!({"fuel": support::LIMITS.fuel, "memory_bytes": support::LIMITS.memory_bytes, "output_bytes": support::LIMITS.output_bytes})
}

#[test]
fn p_21_every_hostile_guest_is_recorded_with_its_code_and_replays_equal_on_both_engines() {
    let guests = guests::trapping();
    assert!(guests.len() > 20, "only {} hostile guests", guests.len());
    let modules: Vec<Vec<u8>> = guests.iter().map(|g| g.bytes.clone()).collect();
    let scratch = workspace_with(&modules, &limits());
    for (index, guest) in guests.iter().enumerate() {
        let report = run(&scratch, index).exits(0).json();
        assert_eq!(report["exit"]["class"], "FAILURE", "{}: {report}", guest.name);
        assert_eq!(report["exit"]["reason"], "BACKEND_ERROR", "{}: {report}", guest.name);
        let shown = scratch.enact(&["show", report["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
        let step = &shown["steps"][0];
        assert_eq!((&step["status"], &step["trap"]), (&guest.code.into(), &true.into()), "{}", guest.name);
    }
    let audit = scratch.enact(&["audit", "--all", "--state", "--engine", "both", "--json"]).exits(0).json();
    assert_eq!(audit["replayed"], guests.len());
}

#[test]
fn p_21_an_answer_that_is_not_one_json_object_is_a_fault_with_its_code() {
    let answers = ["not json", "[1]", "null", "{'a':1}"];
    let modules: Vec<Vec<u8>> = answers.iter().map(|a| guests::says("SUCCESS", a)).collect();
    let scratch = workspace_with(&modules, &limits());
    for (index, answer) in answers.iter().enumerate() {
        let report = run(&scratch, index).exits(0).json();
        assert_eq!(report["exit"]["reason"], "BACKEND_ERROR", "{answer}: {report}");
        let shown = scratch.enact(&["show", report["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
        assert_eq!(shown["steps"][0]["status"], "outputs_not_json", "{answer}");
    }
    assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["replayed"], answers.len());
}

#[test]
fn p_21_numbers_that_readers_do_not_agree_on_are_a_fault_with_its_code() {
    let answers = [r#"{"out":12345678901234567890}"#, r#"{"out":[1e300]}"#, r#"{"out":9007199254740993}"#];
    let modules: Vec<Vec<u8>> = answers.iter().map(|a| guests::says("SUCCESS", a)).collect();
    let scratch = workspace_with(&modules, &limits());
    for (index, answer) in answers.iter().enumerate() {
        let report = run(&scratch, index).exits(0).json();
        assert_eq!(report["exit"]["reason"], "BACKEND_ERROR", "{answer}: {report}");
        let shown = scratch.enact(&["show", report["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
        assert_eq!(shown["steps"][0]["status"], "outputs_not_canonical", "{answer}");
    }
    assert_eq!(scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0).json()["replayed"], answers.len());
}

#[test]
fn p_18_a_status_that_was_not_declared_is_a_protocol_violation() {
    let scratch = workspace_with(&[guests::says("LIED", "{}")], &limits());
    let report = run(&scratch, 0).exits(0).json();
    assert_eq!((&report["exit"]["class"], &report["exit"]["code"]), (&"FAILURE".into(), &"undeclared_status".into()), "{report}");
    assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["replayed"], 1);
}

#[test]
fn p_21_recursion_of_a_function_or_of_the_allocator_is_inconclusive_and_leaves_nothing() {
    let scratch = workspace_with(&[deep(), guests::recursive_allocator()], &json!({"fuel": 1_000_000_000_u64}));
    for index in 0..2 {
        let error = run(&scratch, index).exits(3).json();
        assert_eq!(error["error"]["code"], "inconclusive");
        assert!(error["error"]["message"].as_str().unwrap().contains("stack_overflow"), "{error}");
    }
    let runs = scratch.enact(&["runs", "--json"]);
    assert!(runs.out.contains("[]") || runs.out.contains("ledger_empty"), "{runs:?}");
}

#[test]
fn p_21_handles_that_nobody_drops_are_inconclusive_and_leave_nothing() {
    let scratch = workspace_with(&[guests::hoarder()], &limits());
    let error = run(&scratch, 0).exits(3).json();
    assert!(error["error"]["message"].as_str().unwrap().contains("`handles`"), "{error}");
    assert!(scratch.enact(&["runs", "--json"]).out.contains("[]"));
}

#[test]
fn friendly_guests_with_odd_habits_replay_the_same_on_both_engines() {
    let guests = guests::friendly();
    let modules: Vec<Vec<u8>> = guests.iter().map(|g| g.bytes.clone()).collect();
    let scratch = workspace_with(&modules, &limits());
    for (index, guest) in guests.iter().enumerate() {
        let ran = run(&scratch, index).exits(0);
        assert_ne!(ran.json()["exit"]["code"], "internal", "{}", guest.name);
    }
    let audit = scratch.enact(&["audit", "--all", "--engine", "both", "--json"]).exits(0).json();
    assert_eq!((&audit["replayed"], &audit["fuel_not_compared"]), (&guests.len().into(), &0.into()));
}

#[test]
fn p_21_a_transform_with_one_import_is_refused_with_the_import_named() {
    let importing = support::binary(r#"(component (import "enact:capability/clock@0.1.0" (instance)))"#);
    let scratch = Scratch::init();
    scratch.stewards();
    let file = scratch.path().join("m.wasm");
    std::fs::write(&file, importing).unwrap();
    let inspection = scratch.enact(&["module", "inspect", &file.to_string_lossy(), "--json"]).exits(3).json();
    assert!(inspection["imports"].to_string().contains("enact:capability/clock@0.1.0"), "{inspection}");
    let error = scratch.enact(&["module", "add", &file.to_string_lossy(), "--as", "ada", "--json"]).exits(3).json();
    assert_eq!(error["error"]["code"], "export", "{error}");
    let foreign = support::binary(r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#);
    std::fs::write(&file, foreign).unwrap();
    let inspection = scratch.enact(&["module", "inspect", &file.to_string_lossy(), "--json"]).exits(3).json();
    assert!(inspection["refusals"].to_string().contains("wasi:sockets/tcp@0.2.0"), "{inspection}");
}

/// The same protocol with a side effect in the place of the transform.
fn effect_artifacts() -> [Value; 5] {
    let fields = json!({"data": {"type": "any"}});
    let operation = json!({"inputs": fields, "outputs": {"out": {"type": "any"}}, "statuses": ["SUCCESS"]});
    let [intent, _, mut contract, workflow, mut binding] = artifacts(0, &limits());
    contract["pipeline"][0]["capability"] = "CS_HOSTILE_V0".into();
    contract["pipeline"][0]["surface"] = json!(["SUCCESS"]);
    contract["pipeline"][0]["on_result"] = json!({"SUCCESS": "exit"});
    contract["status"]["allowed"] = json!(["SUCCESS", "VIOLATION", "BACKEND_ERROR"]);
    binding["bindings"] = json!({"CS_HOSTILE_V0": {
        "host": "component", "module": "hostile-effect", "stores": {"*": "hostile/log"}, "grants": ["log"]}});
    let effect = json!({"code": "CS_HOSTILE_V0", "summary": "Whatever the module does", "imports": ["log"],
                        "operations": {"DO": operation}, "limits": limits()});
    [intent, effect, contract, workflow, binding]
}

/// A workspace with a side effect made of `body`.
fn with_effect(body: &str) -> Scratch {
    let scratch = Scratch::init();
    let workspace = enact_engine::workspace::Workspace::open(&scratch.workspace()).unwrap();
    scratch.stewards();
    scratch.admit("hostile-effect", &support::side_effect("", body), ["ada", "bo"]);
    for artifact in effect_artifacts() {
        workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
    }
    workspace.seal().unwrap();
    scratch
}

/// Runs a side effect made of `body` and answers the workspace and the run's step.
fn run_effect(body: &str, code: &str) -> (Scratch, Value) {
    let scratch = with_effect(body);
    let report = run(&scratch, 0).exits(0).json();
    assert_eq!(report["exit"]["reason"], "BACKEND_ERROR", "{report}");
    let step = scratch.enact(&["show", report["run_id"].as_str().unwrap(), "--json"]).exits(0).json()["steps"][0].clone();
    assert_eq!((&step["status"], &step["trap"]), (&code.into(), &true.into()), "{step}");
    let written: i64 = scratch.sql().query_row("SELECT count(*) FROM log_rows", [], |r| r.get(0)).unwrap();
    assert_eq!(written, 0, "a call without a usable answer wrote something");
    assert_eq!(scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0).json()["replayed"], 1);
    (scratch, step)
}

const APPENDS: &str = "(call $append (local.get $store) (local.get $store_len) (i32.const 1024) (i32.const 7) (i32.const 160))";

#[test]
fn p_21_what_a_trapping_side_effect_wrote_is_not_part_of_the_run() {
    let (_scratch, step) = run_effect(&format!("{APPENDS} (unreachable)"), "unreachable");
    assert_eq!(step["calls"].as_array().unwrap().len(), 1, "the attempt is in the transcript: {step}");
}

#[test]
fn p_21_what_a_side_effect_with_an_unusable_answer_wrote_is_not_part_of_the_run() {
    run_effect(&format!("{APPENDS} (call $success (i32.const 1024) (i32.const 7))"), "outputs_not_json");
}

#[test]
fn p_21_a_storm_of_requests_is_inconclusive_and_nothing_of_it_is_written() {
    let scratch = with_effect(&format!("(loop $again {APPENDS} (br $again)) (unreachable)"));
    let error = run(&scratch, 0).exits(3).json();
    assert_eq!(error["error"]["code"], "inconclusive", "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("`host_calls`"), "{error}");
    let written: i64 = scratch.sql().query_row("SELECT count(*) FROM log_rows", [], |r| r.get(0)).unwrap();
    assert_eq!(written, 0);
    assert!(scratch.enact(&["runs", "--json"]).out.contains("[]"));
}

#[test]
fn a_side_effect_that_names_another_store_is_denied_and_the_denial_is_recorded() {
    let elsewhere = "(call $append (i32.const 1024) (i32.const 7) (i32.const 1024) (i32.const 7) (i32.const 160)) (unreachable)";
    let (_scratch, step) = run_effect(elsewhere, "unreachable");
    assert!(step["calls"][0]["answer"].to_string().contains("denied"), "{step}");
}
