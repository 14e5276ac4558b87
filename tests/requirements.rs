//! Requirements shown end to end through the command; those of one crate are proven beside its code.
use serde_json::{Value, json};

use crate::support::{REGISTER, Scratch, person};

/// Changes one artifact of the workspace and seals.
fn edit(scratch: &Scratch, code: &str, change: impl Fn(&mut Value)) -> crate::support::Ran {
    let path = scratch.workspace().join(format!("protocol/{code}.json"));
    let mut value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(&path, value.to_string()).unwrap();
    scratch.enact(&["protocol", "seal", "--json"])
}

#[test]
fn p_07_environments_share_the_graph_and_not_the_stores() {
    let scratch = Scratch::init();
    scratch.register("jane");
    let file = scratch.file("p.json", &person("jane").to_string());
    let args = ["run", REGISTER, "--payload", &file, "--binding", "production", "--param", "data_root=prod", "--json"];
    let report = scratch.enact(&args).exits(0).json();
    assert_eq!(report["environment"], "production");
    // In production nobody has taken the key yet.
    let kyc = report["nodes"].as_array().unwrap().iter().find(|n| n["node"] == "CC_REGISTER_USER_KYC_V0").unwrap();
    assert_eq!(kyc["status"], "SUCCESS", "{report}");
    let receipts: Vec<Value> =
        (0..2).map(|seq| scratch.enact(&["show", &seq.to_string(), "--json"]).exits(0).json()["receipt"].clone()).collect();
    assert_eq!(receipts[0]["snapshot"], receipts[1]["snapshot"]);
    assert_ne!(receipts[0]["plan"], receipts[1]["plan"]);
    let graphs = scratch.enact(&["protocol", "show", "--json"]).exits(0).json()["graphs"].clone();
    assert!(graphs.as_array().unwrap().iter().any(|g| g["workflow"] == REGISTER && g["dag_id"].is_string()));
}

#[test]
fn p_10_an_undeclared_parameter_is_an_error() {
    let scratch = Scratch::init();
    let sealed = edit(&scratch, "RB_REGISTRATION_DEVELOPMENT_V0", |rb| {
        rb["bindings"]["CS_REGISTRY_V0"]["stores"] = json!({"*": "{{nowhere}}/x"});
    });
    let file = scratch.file("p.json", &person("jane").to_string());
    let ran = scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]);
    let told = format!("{}{}", sealed.out, ran.out);
    assert!(told.contains("undeclared_parameter"), "{told}");
    assert!(sealed.code != 0 || ran.code == 1, "{sealed:?} {ran:?}");
}

#[test]
fn p_08_editing_a_binding_while_runs_go_on_changes_nothing() {
    use std::io::{BufRead as _, BufReader};
    let scratch = Scratch::init();
    let batch: String = (0..400).map(|i| format!("{}\n", person(&format!("p{i}")))).collect();
    let batch = scratch.file("batch.ndjson", &batch);
    let mut child =
        scratch.command().args(["run", REGISTER, "--batch", &batch, "-q"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    edit(&scratch, "RB_REGISTRATION_DEVELOPMENT_V0", |rb| {
        rb["bindings"]["CS_REGISTRY_V0"]["stores"] = json!({"*": "elsewhere/users"});
    })
    .exits(0);
    assert_eq!(lines.count(), 399);
    assert!(child.wait().unwrap().success());
    let plans: i64 =
        scratch.sql().query_row("SELECT count(DISTINCT name) FROM stores WHERE name LIKE 'elsewhere/%'", [], |r| r.get(0)).unwrap();
    assert_eq!(plans, 0, "a run used the edited binding");
    scratch.register("later");
    let after: i64 = scratch.sql().query_row("SELECT count(*) FROM stores WHERE name LIKE 'elsewhere/%'", [], |r| r.get(0)).unwrap();
    assert_eq!(after, 1, "a later run uses the new one");
    scratch.enact(&["audit", "--all", "--state"]).exits(0);
}

#[test]
fn p_16_intents_check_required_nested_types_enums_and_formats() {
    let scratch = Scratch::init();
    edit(&scratch, "IN_USER_REGISTERED_V0", |intent| {
        let fields = &mut intent["schema"]["properties"];
        fields["n"] = json!({"type": "integer"});
        fields["tags"] = json!({"type": "array", "items": {"type": "string"}});
        fields["flag"] = json!({"type": "boolean"});
        fields["level"] = json!({"enum": ["low", "high"]});
        if let Some(Value::Bool(false)) = intent["schema"].get("additionalProperties") {
            intent["schema"]["additionalProperties"] = json!(true);
        }
    })
    .exits(0);
    let base = person("jane");
    let with = |key: &str, value: Value| {
        let mut payload = base.clone();
        payload[key] = value;
        payload
    };
    let mut missing = base.clone();
    missing["user_record"].as_object_mut().unwrap().remove("last_name");
    let mut mail = base.clone();
    mail["user_record"]["email_registration"] = json!("not an address");
    let cases = [
        (base.clone(), "ACK"),
        (with("n", json!(3)), "ACK"),
        (with("n", json!("3")), "NACK"),
        (with("n", json!(1.5)), "NACK"),
        (with("tags", json!(["a"])), "ACK"),
        (with("tags", json!("a")), "NACK"),
        (with("tags", json!([1])), "NACK"),
        (with("flag", json!(true)), "ACK"),
        (with("flag", json!(1)), "NACK"),
        (with("level", json!("low")), "ACK"),
        (with("level", json!("middle")), "NACK"),
        (missing, "NACK"),
        (mail, "NACK"),
        (json!({}), "NACK"),
    ];
    for (payload, expected) in cases {
        let file = scratch.file("p.json", &payload.to_string());
        let report = scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]).exits(0).json();
        assert_eq!(report["nodes"][0]["status"], expected, "{payload}");
    }
}

#[test]
fn p_23_the_trace_is_json_lines_with_the_documented_members() {
    let scratch = Scratch::init();
    let report = scratch.register("jane");
    let trace = scratch.enact(&["trace", report["run_id"].as_str().unwrap(), "--json"]).exits(0).out;
    let lines: Vec<Value> = trace.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    for (line, sequence) in lines.iter().zip(1_u64..) {
        assert_eq!(line["sequence"], sequence);
        assert_eq!(line["execution_id"], report["run_id"]);
        assert_eq!(line["workflow_code"], REGISTER);
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(lines.first().unwrap()["event"], "execution_start");
    let end = lines.last().unwrap();
    assert_eq!(
        (&end["event"], &end["exit_condition"], &end["exit_reason"]),
        (&"workflow_complete".into(), &"SUCCESS".into(), &"COMPLETED".into())
    );
    assert_eq!(end["context_hash"], report["context_hash"]);
    assert!(end["total_duration_ms"].is_u64());
    let started: Vec<&Value> = lines.iter().filter(|l| l["event"] == "node_start").map(|l| &l["node_id"]).collect();
    let ended: Vec<&Value> = lines.iter().filter(|l| l["event"] == "node_end").map(|l| &l["node_id"]).collect();
    assert_eq!(started, ended, "every started node ends (P-25)");
    let node = lines.iter().find(|l| l["event"] == "node_end").unwrap();
    assert!(node["result_status"].is_string() && node["duration_ms"].is_u64() && node["node_type"].is_string());
}

#[test]
fn p_24_no_value_of_the_payload_reaches_the_trace() {
    let scratch = Scratch::init();
    let marker = "Zq7Xv9Kp3";
    let payload = json!({"user_record": {"first_name": marker, "last_name": format!("{marker}L"), "email_registration": format!("{marker}@example.com")}});
    let file = scratch.file("p.json", &payload.to_string());
    let report = scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]).exits(0).json();
    let trace = scratch.enact(&["trace", "0", "--json"]).exits(0).out;
    assert!(!trace.contains(marker));
    assert!(!trace.contains(report["payload"]["user_id"].as_str().unwrap()));
    let stored: Vec<u8> = scratch.sql().query_row("SELECT trace FROM run_parts", [], |r| r.get(0)).unwrap();
    assert!(!String::from_utf8(stored).unwrap().contains(marker));
}

#[test]
fn p_27_a_mismatch_names_the_first_diverging_step_and_shows_both_sides() {
    let scratch = Scratch::init();
    scratch.register("jane");
    // Somebody changes the recorded input and makes every hash fit again: the re-execution is the only witness left.
    let run = crate::tamper::rewrite(&scratch, 0, |parts| {
        parts.input = parts.input.replace("jane@example.com", "joan@example.com");
    });
    let audit = scratch.enact(&["audit", &run, "--json"]).exits(4).json();
    let found = &audit["diverged"][0];
    assert_eq!(
        (&found["code"], &found["step"], &found["node"]),
        (&"step_input".into(), &0.into(), &"CC_GENERATE_USER_ID_V0".into()),
        "{found:#}"
    );
    assert!(found["expected"].is_string() && found["got"]["inputs"].to_string().contains("joan@example.com"));
    let told = scratch.enact(&["audit", "--all"]).exits(4).out;
    assert!(told.contains("expected") && told.contains("got") && told.contains("CC_GENERATE_USER_ID_V0"), "{told}");
}

#[test]
fn p_22_the_seven_failures_have_their_phase_and_code() {
    // 1 missing artifact, at load
    let scratch = Scratch::init();
    std::fs::remove_file(scratch.workspace().join("protocol/IN_USER_REGISTERED_V0.json")).unwrap();
    assert_eq!(scratch.enact(&["protocol", "seal", "--json"]).exits(1).json()["error"]["code"], "missing_artifact");
    // 2 unbound capability, at start-up: see p_06 in bad_input
    let scratch = Scratch::init();
    edit(&scratch, "RB_REGISTRATION_DEVELOPMENT_V0", |rb| drop(rb["bindings"].as_object_mut().unwrap().remove("CS_REGISTRY_V0")));
    let file = scratch.file("p.json", &person("jane").to_string());
    assert_eq!(scratch.enact(&["run", REGISTER, "--payload", &file, "--json"]).exits(1).json()["error"]["code"], "unbound_capability");
    // 3 intent rejection, at the first node
    let scratch = Scratch::init();
    let bad = scratch.file("bad.json", "{}");
    let report = scratch.enact(&["run", REGISTER, "--payload", &bad, "--json"]).exits(0).json();
    assert_eq!((&report["nodes"][0]["status"], &report["exit"]["reason"]), (&"NACK".into(), &"REJECTED".into()));
    // 4 expression failure: the step does not run, the contract ends by its declared edge
    edit(&scratch, REGISTER, |wf| wf["nodes"]["CC_GENERATE_USER_ID_V0"]["inputs"]["user_record"] = json!("$.nowhere")).exits(0);
    let report = scratch.enact(&["run", REGISTER, "--payload", &file_of(&scratch), "--json"]).exits(0).json();
    assert_eq!((&report["nodes"][1]["status"], &report["exit"]["class"]), (&"VIOLATION".into(), &"FAILURE".into()), "{report}");
    // 5 undeclared status: see p_18 in hostile; 6 no transition: proven beside the traversal; 7 context-hash mismatch: p_27
}

fn file_of(scratch: &Scratch) -> String {
    scratch.file("p.json", &person("jane").to_string())
}
