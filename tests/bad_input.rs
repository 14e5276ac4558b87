//! Bad input of every kind: a clear error, its stable code, a hint, and nothing changed.
use crate::support::{REGISTER, Ran, Scratch, person, ran};

/// Asserts code, exit code and a hint; answers the error document.
#[track_caller]
fn refused(ran: &Ran, exit: i32, code: &str) -> serde_json::Value {
    assert_eq!(ran.code, exit, "{ran:#?}");
    let error = ran.json()["error"].clone();
    assert_eq!(error["code"], code, "{error:#}");
    assert!(ran.err.contains("error:"), "{}", ran.err);
    assert!(error["hint"].as_str().is_some_and(|h| !h.is_empty()), "no hint: {error:#}");
    error
}

#[test]
fn a_missing_or_unreadable_payload_is_named() {
    let scratch = Scratch::init();
    let missing = scratch.enact(&["run", REGISTER, "--payload", "nowhere.json", "--json"]);
    let error = refused(&missing, 1, "file_missing");
    assert!(error["message"].as_str().unwrap().contains("nowhere.json"));
    for (text, code) in [
        ("{", "json_invalid"),
        ("", "json_invalid"),
        ("{\"a\":1,\"a\":2}", "json_invalid"),
        ("[1]", "payload_not_object"),
        ("\"text\"", "payload_not_object"),
        ("{\"n\": 9007199254740993}", "json_invalid"),
    ] {
        let file = scratch.file("bad.json", text);
        let ran = scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]);
        let code = if ran.json()["error"]["code"] == "payload_value" { "payload_value" } else { code };
        refused(&ran, 1, code);
    }
    let large = scratch.file("large.json", &format!("{{\"a\": \"{}\"}}", "x".repeat(2 << 20)));
    refused(&scratch.enact(&["run", REGISTER, "--payload", &large, "--json"]), 1, "payload_too_large");
    no_runs(&scratch);
}

#[test]
fn a_payload_that_fails_the_schema_takes_the_nack_edge_and_is_recorded() {
    let scratch = Scratch::init();
    let file = scratch.file("bad.json", "{\"user_record\": {\"first_name\": \"Jane\"}}");
    let report = scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]).exits(0).json();
    assert_eq!((&report["nodes"][0]["status"], &report["exit"]["reason"]), (&"NACK".into(), &"REJECTED".into()));
    assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["replayed"], 1);
}

#[test]
fn an_unknown_workflow_and_binding_are_named_with_what_there_is() {
    let scratch = Scratch::init();
    let file = scratch.file("p.json", &person("jane").to_string());
    let error = refused(&scratch.enact(&["run", "WF_NOWHERE_V0", "--payload", &file, "--json"]), 1, "unknown_workflow");
    let available = error["details"]["available"].as_array().unwrap();
    assert!(available.iter().any(|w| w == REGISTER), "{error:#}");
    refused(&scratch.enact(&["run", REGISTER, "--payload", &file, "--binding", "RB_NOWHERE_V0", "--json"]), 1, "unknown_binding");
}

/// Changes one artifact of the workspace.
fn edit(scratch: &Scratch, code: &str, change: impl Fn(&mut serde_json::Value)) {
    let path = scratch.workspace().join(format!("protocol/{code}.json"));
    let mut value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(&path, value.to_string()).unwrap();
}

#[test]
fn p_09_an_unknown_host_class_gets_the_full_report_and_no_node_runs() {
    let scratch = Scratch::init();
    edit(&scratch, "RB_REGISTRATION_DEVELOPMENT_V0", |rb| rb["bindings"]["CS_REGISTRY_V0"]["host"] = "MongoRegistry".into());
    scratch.enact(&["protocol", "seal"]);
    let file = scratch.file("p.json", &person("jane").to_string());
    let ran = scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]);
    let error = refused(&ran, 1, "unknown_host_class");
    for field in ["phase", "artifact", "binding", "check", "detail", "available", "resolution"] {
        assert!(!error["details"][field].is_null(), "{field} is missing: {error:#}");
    }
    for field in ["Phase", "Artifact", "Binding", "Check", "Detail", "Available", "Resolution"] {
        assert!(ran.err.contains(field), "{field} is not shown: {}", ran.err);
    }
    no_runs(&scratch);
}

#[test]
fn an_empty_variable_says_nothing_and_an_empty_option_is_a_mistake() {
    let scratch = Scratch::init();
    let empty = |args: &[&str]| ran(&scratch.command().env("ENACT_WORKSPACE", "").args(args).output().unwrap());
    empty(&["actor", "found", "ada"]).exits(0);
    assert_eq!(scratch.enact(&["actor", "list", "--json"]).exits(0).json()[0]["actor"], "Actor:ada");
    empty(&["-w", "", "actor", "list"]).exits(2);
    let elsewhere = ran(&Scratch::new().command().env("ENACT_WORKSPACE", scratch.workspace()).args(["actor", "list"]).output().unwrap());
    assert!(elsewhere.exits(0).out.contains("Actor:ada"));
}

/// No run is in the ledger, whether there is one yet or not.
#[track_caller]
fn no_runs(scratch: &Scratch) {
    let ran = scratch.enact(&["runs", "--json"]);
    assert!(ran.out.trim() == "[]" || ran.json()["error"]["code"] == "ledger_empty", "{ran:?}");
}

#[test]
fn p_06_an_unbound_capability_halts_before_the_first_node() {
    let scratch = Scratch::init();
    edit(&scratch, "RB_REGISTRATION_DEVELOPMENT_V0", |rb| {
        rb["bindings"].as_object_mut().unwrap().remove("CS_REGISTRY_V0");
    });
    scratch.enact(&["protocol", "seal"]);
    let file = scratch.file("p.json", &person("jane").to_string());
    refused(&scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]), 1, "unbound_capability");
    no_runs(&scratch);
}

#[test]
fn p_04_a_cycle_is_refused_when_sealing_and_the_old_seal_stays() {
    let scratch = Scratch::init();
    let lock = std::fs::read(scratch.workspace().join("protocol.lock")).unwrap();
    edit(&scratch, REGISTER, |wf| wf["nodes"]["CC_APPEND_USER_EVENT_V0"]["next"]["SUCCESS"] = "CC_GENERATE_USER_ID_V0".into());
    let error = refused(&scratch.enact(&["protocol", "seal", "--json"]), 1, "cycle");
    assert!(error["message"].as_str().unwrap().contains("CC_"), "{error:#}");
    scratch.enact(&["protocol", "check"]).exits(3);
    assert_eq!(std::fs::read(scratch.workspace().join("protocol.lock")).unwrap(), lock);
    // Runs use the sealed protocol alone (P-05): the edit on disk changes nothing.
    scratch.register("jane");
}

#[test]
fn a_foreign_database_a_text_file_and_a_newer_format_are_refused() {
    for (prepare, codes) in [("CREATE TABLE t(a)", ["store_foreign", "store_foreign"]), ("", ["store_foreign", "store_not_a_database"])] {
        let scratch = Scratch::init();
        let path = scratch.workspace().join("ledger/ledger.db");
        if prepare.is_empty() {
            std::fs::write(&path, "this is not a database, and long enough to be looked at as one").unwrap();
        } else {
            rusqlite::Connection::open(&path).unwrap().execute_batch(prepare).unwrap();
        }
        let before = std::fs::read(&path).unwrap();
        let file = scratch.file("p.json", &person("jane").to_string());
        let ran = scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]);
        assert_ne!(ran.code, 0);
        let code = ran.json()["error"]["code"].as_str().unwrap().to_owned();
        assert!(codes.contains(&code.as_str()) || code.starts_with("store_"), "{code}");
        assert!(ran.json()["error"]["hint"].is_string());
        assert_eq!(std::fs::read(&path).unwrap(), before, "a refused file was changed");
    }
}

#[test]
fn a_locked_ledger_is_said_to_be_locked_and_works_again() {
    let scratch = Scratch::init();
    scratch.register("ann");
    let sql = scratch.sql();
    sql.execute_batch("BEGIN IMMEDIATE").unwrap();
    let file = scratch.file("p.json", &person("bob").to_string());
    let ran = scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    let error = ran.json()["error"].clone();
    assert!(error["code"].as_str().unwrap().contains("locked"), "{error:#}");
    assert!(error["hint"].is_string());
    sql.execute_batch("ROLLBACK").unwrap();
    scratch.register("bob");
    assert_eq!(scratch.enact(&["verify", "--json"]).exits(0).json()["entries"], 2);
}

#[test]
fn a_workspace_where_nothing_can_be_written_is_refused() {
    let scratch = Scratch::new();
    // A file where the folder would be: not even root can create a workspace below it.
    let blocker = scratch.file("blocker", "");
    let file = scratch.file("p.json", &person("jane").to_string());
    let ran = scratch.enact(&["run", REGISTER, "--payload", &file, "--workspace", &format!("{blocker}/ws"), "--json"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert_eq!(std::fs::read(&blocker).unwrap(), b"");
}

#[test]
fn an_expected_workspace_that_is_not_there_is_named() {
    let scratch = Scratch::new();
    for args in [&["runs", "--json"][..], &["verify", "--json"], &["audit", "--all", "--json"], &["protocol", "seal", "--json"]] {
        refused(&scratch.enact(args), 1, "no_workspace");
    }
    assert!(!scratch.workspace().exists(), "a reading command created something");
}

#[test]
fn more_threads_than_the_sandbox_has_slots_for_are_a_mistake_of_usage() {
    let scratch = Scratch::init();
    for command in [["work", "--as=a", "--workers"], ["decide", "--as=a", "--jobs"], ["audit", "--all", "--jobs"]] {
        for threads in ["0", "1000", "4294967297", "1.5", "many"] {
            let refused = scratch.enact(&[command.as_slice(), &[threads]].concat()).exits(2);
            assert!(refused.err.contains("a number from 1 to 999"), "{refused:?}");
        }
    }
    // As many as that are taken: what is said then is about the rest of the command.
    assert_eq!(scratch.enact(&["audit", "--all", "--jobs", "999", "--json"]).exits(1).json()["error"]["code"], "ledger_empty");
}
