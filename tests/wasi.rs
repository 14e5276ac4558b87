//! Side effects that import WASI: admitted and marked, granted like any other interface, and executed again in full (issue 6).
use enact_engine::workspace::Workspace;
use serde_json::{Value, json};

use crate::hostile::program::{impure_program, program, program_with};
use crate::support::Scratch;
use crate::world::workspace_around;

/// Asks for the time, for randomness, waits an hour, and says hello.
const PROGRAM: &str = "
    (call $wall (i32.const 512)) (call $put (i64.load (i32.const 512))) (call $put (call $u64)) (call $put (call $u64))
    (local.set $h (call $sleep (i64.const 3600000000000))) (call $block (local.get $h)) (call $put (call $monotonic))
    (call $write (call $stdout) (i32.const 8256) (i32.const 10) (i32.const 512))";

fn run(scratch: &Scratch) -> Value {
    let payload = scratch.file("payload.json", r#"{"data": 1}"#);
    let report = scratch.enact(&["run", "WF_HOSTILE_0_V0", "--payload", &payload, "--json"]);
    let report: Value = serde_json::from_str(report.out.as_str()).unwrap();
    scratch.enact(&["show", report["run_id"].as_str().unwrap(), "--json"]).exits(0).json()
}

#[test]
fn p_27_a_side_effect_with_wasi_runs_is_marked_and_is_executed_again_in_full() {
    let scratch = workspace_around(&program(PROGRAM), &json!(["wasi"]), json!({"grants": ["wasi"]}));
    let shown = scratch.enact(&["module", "show", "asker", "--json"]).exits(0).json();
    assert_eq!((&shown["wasi"], &shown["examined"]["imports"]), (&json!(true), &json!(["wasi"])), "{shown}");
    assert!(shown["examined"]["wasi"].as_array().unwrap().contains(&json!("wasi:random/random@0.2.6")), "{shown}");
    assert!(scratch.enact(&["module", "list"]).exits(0).out.as_str().contains("side-effect+wasi"));
    let file = scratch.path().join("asker.wasm");
    assert!(scratch.enact(&["module", "inspect", &file.to_string_lossy()]).exits(0).out.as_str().contains("executes it again in full"));
    let (first, second) = (run(&scratch), run(&scratch));
    for shown in [&first, &second] {
        let calls = shown["steps"][0]["calls"].as_array().unwrap();
        assert_eq!((calls.len(), &calls[0]["request"]), (1, &json!({"op": "wasi.seed"})), "only the seed is recorded: {shown}");
    }
    assert_ne!(first["steps"][0]["calls"], second["steps"][0]["calls"], "each call has a seed of its own");
    let audit = scratch.enact(&["audit", "--all", "--state", "--engine", "both", "--json"]).exits(0).json();
    assert_eq!((&audit["verdict"], &audit["wasi_calls"]), (&json!("REPLAYED"), &json!(4)), "two runs on two engines: {audit}");
    assert_eq!(audit["state"]["uncorroborated"], 2, "the seeds: {audit}");
    assert!(scratch.enact(&["audit", "--all"]).exits(0).out.as_str().contains("2 calls executed again in full"));
}

#[test]
fn b_32_wasi_is_granted_by_a_binding_or_the_call_ends() {
    let scratch = workspace_around(&program(PROGRAM), &json!(["wasi"]), json!({}));
    let shown = run(&scratch);
    assert_eq!(shown["receipt"]["exit"]["reason"], "BACKEND_ERROR", "{shown}");
    assert_eq!((&shown["steps"][0]["status"], &shown["steps"][0]["calls"]), (&json!("wasi_denied"), &Value::Null), "{shown}");
    scratch
        .enact(&["module", "grant", "asker", "--binding", "RB_HOSTILE_0_V0", "--capability", "CS_ASKER_V0", "-i", "wasi", "--json"])
        .exits(0);
    assert_eq!(run(&scratch)["receipt"]["exit"]["class"], "SUCCESS");
    assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["replayed"], 2);
}

#[test]
fn p_21_an_exit_ends_the_call_with_a_code_and_the_host_goes_on() {
    let scratch = workspace_around(&program("(call $exit (i32.const 1))"), &json!(["wasi"]), json!({"grants": ["wasi"]}));
    let file = scratch.path().join("asker.wasm");
    let called = scratch.enact(&["module", "call", &file.to_string_lossy(), "CS_ASKER_V0", "--json"]);
    assert!(called.out.as_str().contains("trap:exit_failure"), "{}", called.out.as_str());
    assert_eq!(run(&scratch)["steps"][0]["status"], "exit_failure");
    assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["replayed"], 1);
}

#[test]
fn b_32_a_transform_with_wasi_and_anything_with_sockets_are_not_taken_in() {
    let scratch = Scratch::init();
    scratch.stewards();
    let sockets = program_with("(import \"wasi:sockets/instance-network@0.2.6\" (instance))", "", "");
    for (bytes, code) in [(impure_program(), "impure"), (sockets, "import")] {
        let file = scratch.path().join("stranger.wasm");
        std::fs::write(&file, bytes).unwrap();
        let refused = scratch.enact(&["module", "add", &file.to_string_lossy(), "--name", "stranger", "--as", "ada", "--json"]);
        let text = format!("{}{}", refused.out, refused.err);
        assert!(refused.code != 0 && text.contains(code), "{text}");
    }
    assert!(!Workspace::open(&scratch.workspace()).unwrap().module_names().unwrap().contains_key("stranger"));
}

#[test]
fn p_27_what_it_writes_is_shown_to_who_tries_it_and_obeyed_by_no_terminal() {
    let scratch = Scratch::init();
    let file = scratch.path().join("program.wasm");
    std::fs::write(&file, program(PROGRAM)).unwrap();
    let shown = scratch.enact(&["module", "call", &file.to_string_lossy(), "CS_ASKER_V0", "--engine", "both"]).exits(0);
    // Written out, and not only left out because nobody's terminal is there.
    let out = shown.out.as_str();
    assert!(out.contains("wrote hello") && out.contains(r"wrote \u{1b}[2J") && !out.contains('\u{1b}'), "{out}");
}
