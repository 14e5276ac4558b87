//! What a side effect hands over for later: a workflow that a committed run has asked for runs once, in a run of its own, and nothing else
//! does (issue 6).
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use enact_engine::workspace::Workspace;
use serde_json::{Value, json};

use crate::listen::{deliveries, runs};
use crate::support::{Ran, Scratch, ran};
use crate::tamper::{Parts, rewrite};
use crate::world::guest::{self, Ask};
use crate::world::{letters, workspace_around};

const ASKER: &str = "WF_HOSTILE_0_V0";
const NOTIFY: &str = "WF_NOTIFY_DEPOSIT_V0";
const ROW: [&str; 4] = ["--binding", "RB_HOSTILE_0_V0", "--capability", "CS_ASKER_V0"];

/// A payload that the workflow accepts, in canonical form.
fn notice(deposit: &str) -> String {
    let hash = format!("blake3:{}", "0".repeat(64));
    let notice = json!({"confirmed_at": "t", "confirmed_by": "b", "deposit": deposit, "entry": hash, "recipient": "a@b.example",
        "record": hash, "settlement": "s"});
    enact_engine::canonical::text(&notice).unwrap()
}

/// Requests for a notice of each deposit.
fn notices(count: usize) -> Vec<Ask> {
    (0..count).map(|nth| Ask::Enqueue(NOTIFY, notice(&format!("D{nth}")))).collect()
}

/// A workspace whose one side effect asks `asks` and may ask for `workflows`.
fn workspace(asks: &[Ask], workflows: &Value) -> Scratch {
    workspace_around(&guest::asks(asks), &json!(["workflow"]), json!({"grants": ["workflow"], "workflow": workflows}))
}

fn run(scratch: &Scratch) -> Value {
    let payload = scratch.file("payload.json", r#"{"data": 1}"#);
    let report = scratch.enact(&["run", ASKER, "--payload", &payload, "--json"]);
    serde_json::from_str(&report.out).unwrap()
}

/// The recorded calls of a run's one step.
fn calls(scratch: &Scratch, run: &Value) -> Vec<Value> {
    let shown = scratch.enact(&["show", run["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
    shown["steps"][0]["calls"].as_array().unwrap().clone()
}

fn listen(scratch: &Scratch) -> Vec<Value> {
    deliveries(&scratch.enact(&["listen", "--once", "--json", "enact:workflow"]).exits(0))
}

fn status(scratch: &Scratch) -> Value {
    let all = scratch.enact(&["listen", "--status", "--json"]).exits(0).json();
    all.as_array().unwrap().iter().find(|row| row["listener"] == "enact:workflow").cloned().unwrap_or_default()
}

/// What lies in a log of the host.
fn log(scratch: &Scratch, store: &str) -> Vec<Value> {
    let sql = scratch.sql();
    let mut statement = sql.prepare("SELECT value FROM log_rows l JOIN stores s ON s.id = l.store WHERE s.name = ?1 ORDER BY pos").unwrap();
    let rows = statement.query_map([store], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
}

fn subjects(scratch: &Scratch) -> Vec<String> {
    log(scratch, "settlement/outbox/notices").iter().map(|m| m["subject"].as_str().unwrap().to_owned()).collect()
}

/// The whole ledger executed again on both engines, its stores refolded, its derived tables rebuilt.
fn holds(scratch: &Scratch) -> Value {
    assert_eq!(scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json()["verdict"], "BALANCED");
    scratch.enact(&["audit", "--all", "--state", "--engine", "both", "--json"]).exits(0).json()
}

#[test]
fn b_21_what_was_asked_for_runs_with_the_binding_that_the_row_names() {
    let row = json!([{"workflow": NOTIFY, "binding": "RB_ELSEWHERE_V0"}]);
    let scratch = workspace(&notices(1), &json!([{"workflow": NOTIFY}]));
    let opened = Workspace::open(&scratch.workspace()).unwrap();
    let artifact = |code: &str| std::fs::read_to_string(scratch.workspace().join(format!("protocol/{code}.json"))).unwrap();
    let workflow: Value = serde_json::from_str(&artifact(NOTIFY)).unwrap();
    let own = workflow["binding"].as_str().unwrap();
    let other = artifact(own).replace(own, "RB_ELSEWHERE_V0").replace("settlement/outbox", "elsewhere");
    opened.write_artifact("RB_ELSEWHERE_V0", other.as_bytes()).unwrap();
    let mut asker: Value = serde_json::from_str(&artifact("RB_HOSTILE_0_V0")).unwrap();
    asker["bindings"]["CS_ASKER_V0"]["workflow"] = row;
    opened.write_artifact("RB_HOSTILE_0_V0", asker.to_string().as_bytes()).unwrap();
    opened.seal().unwrap();
    assert_eq!(letters(&run(&scratch)["payload"]), "o");
    assert_eq!(log(&scratch, "enact:workflow")[0]["binding"], "RB_ELSEWHERE_V0");
    let started = listen(&scratch);
    let shown = scratch.enact(&["show", started[0]["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!((&shown["receipt"]["binding"], &shown["receipt"]["workflow"]), (&"RB_ELSEWHERE_V0".into(), &NOTIFY.into()), "{shown}");
    assert_eq!((log(&scratch, "elsewhere/notices").len(), subjects(&scratch).len()), (1, 0));
    assert_eq!(holds(&scratch)["replayed"], 2);
}

#[test]
fn b_21_what_a_committed_run_asked_for_runs_once_in_order_and_what_only_looks_starts_nothing() {
    let scratch = workspace(&notices(2), &json!([{"workflow": NOTIFY}]));
    let asked = run(&scratch);
    assert_eq!(letters(&asked["payload"]), "oo");
    let answers: Vec<Value> = calls(&scratch, &asked).iter().map(|call| call["answer"]["value"].clone()).collect();
    assert_ne!(answers[0], answers[1]);
    // Until somebody listens it is written down and no more, whoever looks at it (B-28).
    assert_eq!(holds(&scratch)["replayed"], 1);
    scratch.enact(&["module", "stats", "--json"]).exits(0);
    assert_eq!((runs(&scratch).len(), &status(&scratch)["next"], &status(&scratch)["lag"]), (1, &0.into(), &2.into()));
    let request = &log(&scratch, "enact:workflow")[1];
    assert_eq!(
        *request,
        json!({"at": asked["at"], "depth": 1, "nth": 1, "payload": serde_json::from_str::<Value>(&notice("D1")).unwrap(),
               "run": asked["run_id"], "step": 0, "workflow": NOTIFY})
    );
    let started = listen(&scratch);
    assert_eq!(started.iter().map(|d| d["run_id"].clone()).collect::<Vec<_>>(), answers, "the ids that were answered");
    for (nth, delivery) in started.iter().enumerate() {
        assert_eq!((&delivery["listener"], &delivery["outcome"]), (&"enact:workflow".into(), &"run".into()), "{delivery}");
        assert_eq!((&delivery["seq"], &delivery["record"]), (&asked["entry"]["seq"], &nth.into()), "{delivery}");
        let shown = scratch.enact(&["show", delivery["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
        assert_eq!((&shown["depth"], &shown["receipt"]["workflow"]), (&1.into(), &NOTIFY.into()), "{shown}");
    }
    assert_eq!(subjects(&scratch), ["Deposit D0 confirmed", "Deposit D1 confirmed"]);
    // A place that is lost, or sent back, starts nothing again.
    for statement in ["DELETE FROM listeners", "UPDATE listeners SET next = 1 WHERE code = 'enact:workflow'"] {
        scratch.sql().execute(statement, []).unwrap();
        assert_eq!(listen(&scratch), Vec::<Value>::new(), "{statement}");
        assert_eq!(status(&scratch)["lag"], 0);
    }
    let later = run(&scratch);
    let seq = later["entry"]["seq"].to_string();
    let again = ["listen", "--once", "--json", "enact:workflow", "--from", &seq];
    assert_eq!(deliveries(&scratch.enact(&again).exits(0)).len(), 2, "from the entry of the run that asked last");
    assert_eq!(
        scratch.enact(&["listen", "--once", "--from", "0", "enact:workflow"]).exits(0).out.split(',').nth(2),
        Some(" 4 there already")
    );
    let audit = holds(&scratch);
    assert_eq!(
        (&audit["replayed"], &audit["verdict"], &audit["state"]["uncorroborated"]),
        (&6.into(), &"REPLAYED".into(), &0.into()),
        "{audit}"
    );
    assert_eq!(subjects(&scratch).len(), 4);
}

#[test]
fn b_32_what_no_row_names_or_is_no_payload_is_refused_recorded_and_handed_over_to_nobody() {
    let ask = |workflow, payload: &str| Ask::Enqueue(workflow, payload.to_owned());
    let mut asks = vec![
        (ask(ASKER, r#"{"data":1}"#), 'd'),
        (ask("WF_NOWHERE_V0", "{}"), 'd'),
        (ask(" WF_NOTIFY_DEPOSIT_V0", "{}"), 'd'),
        (Ask::EnqueueLarge(NOTIFY, (64 << 10) + 1), 'l'),
        (Ask::EnqueueLarge(NOTIFY, 64 << 10), 'i'),
        (ask(NOTIFY, ""), 'i'),
        (ask(NOTIFY, "[]"), 'i'),
        (ask(NOTIFY, "{ }"), 'i'),
        (ask(NOTIFY, r#"{"b":1,"a":1}"#), 'i'),
        (ask(NOTIFY, r#"{"a":1,"a":1}"#), 'i'),
        (ask(NOTIFY, r#"{"a":9007199254740993}"#), 'i'),
    ];
    asks.push((ask(NOTIFY, &[r#"{"a":"#.repeat(65), "1".to_owned(), "}".repeat(65)].concat()), 'i'));
    asks.extend((0..4).map(|nth| (ask(NOTIFY, &notice(&format!("D{nth}"))), 'o')));
    // Those that were refused count as well.
    asks.push((ask(NOTIFY, &notice("D9")), 'l'));
    let guests: Vec<Ask> = asks.iter().map(|(ask, _)| ask.clone()).collect();
    let scratch = workspace(&guests, &json!([{"workflow": NOTIFY}]));
    let asked = run(&scratch);
    let expected: String = asks.iter().map(|(_, letter)| letter).collect();
    let recorded = calls(&scratch, &asked);
    assert_eq!(letters(&asked["payload"]), expected, "{recorded:#?}");
    assert_eq!(recorded.len(), asks.len());
    assert_eq!(log(&scratch, "enact:workflow").len(), 4);
    assert_eq!(listen(&scratch).len(), 4);
    assert_eq!(subjects(&scratch).last().unwrap(), "Deposit D3 confirmed");
    assert_eq!(holds(&scratch)["state"]["refused"], 5, "three without a row, two over a limit");
}

#[test]
fn b_32_asking_is_granted_by_a_binding_and_the_log_belongs_to_no_module() {
    let scratch = workspace_around(&guest::asks(&notices(1)), &json!(["workflow", "log"]), json!({}));
    assert_eq!(letters(&run(&scratch)["payload"]), "d", "nothing is granted by default");
    let grant = |more: &[&str]| scratch.enact(&[&["module", "grant", "asker"], &ROW[..], more, &["--json"]].concat());
    let revoke = |more: &[&str]| scratch.enact(&[&["module", "revoke"], &ROW[..], more, &["--json"]].concat());
    let refused = |ran: &Ran, code: &str| assert!(ran.code != 0 && format!("{}{}", ran.out, ran.err).contains(code), "{code}: {ran:?}");
    refused(&grant(&["--workflow", "WF_NOWHERE_V0"]), "missing_artifact");
    refused(&grant(&["--workflow", &format!("{NOTIFY}=RB_NOWHERE_V0")]), "missing_artifact");
    refused(&grant(&["--store", "*=enact:workflow"]), "reserved_store");
    refused(&revoke(&["--workflow", NOTIFY]), "grant_unknown");
    assert_eq!(grant(&["--workflow", "="]).code, 2);
    let before = scratch.enact(&["protocol", "show", "RB_HOSTILE_0_V0", "--json"]).exits(0).json();
    grant(&["--workflow", &format!("{NOTIFY}=RB_HOSTILE_0_V0")]).exits(0);
    let granted = grant(&["--workflow", NOTIFY]).exits(0).json();
    assert_eq!((&granted["after"]["workflow"], &granted["after"]["grants"]), (&json!([{"workflow": NOTIFY}]), &json!(["workflow"])));
    assert_eq!(letters(&run(&scratch)["payload"]), "o");
    revoke(&["--workflow", NOTIFY]).exits(0);
    assert_eq!(scratch.enact(&["protocol", "show", "RB_HOSTILE_0_V0", "--json"]).exits(0).json(), before);
    assert_eq!(letters(&run(&scratch)["payload"]), "d");
    assert_eq!(listen(&scratch).len(), 1, "what was asked for while it was granted");
    holds(&scratch);
    // Two rows for one workflow would leave open under which binding it runs.
    let opened = Workspace::open(&scratch.workspace()).unwrap();
    let path = scratch.workspace().join("protocol/RB_HOSTILE_0_V0.json");
    let mut binding: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    binding["bindings"]["CS_ASKER_V0"]["workflow"] = json!([{"workflow": NOTIFY}, {"workflow": NOTIFY, "binding": "RB_HOSTILE_0_V0"}]);
    opened.write_artifact("RB_HOSTILE_0_V0", binding.to_string().as_bytes()).unwrap();
    let error = scratch.enact(&["protocol", "check", "--json"]);
    assert!(error.code != 0 && error.out.contains("bad_grant") && error.out.contains("grant_not_needed"), "{error:?}");
}

#[test]
fn p_20_runs_that_ask_for_themselves_come_to_an_end() {
    let again = Ask::Enqueue(ASKER, r#"{"data":1}"#.to_owned());
    let scratch = workspace(&[again], &json!([{"workflow": ASKER, "binding": "RB_HOSTILE_0_V0"}]));
    run(&scratch);
    for depth in 1..=16 {
        let started = listen(&scratch);
        assert_eq!(started.len(), 1, "at depth {depth}");
        let shown = scratch.enact(&["show", started[0]["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
        let answer = &shown["steps"][0]["calls"][0]["answer"]["value"];
        assert_eq!((&shown["depth"], answer["limit"].is_string()), (&depth.into(), depth == 16), "{shown}");
    }
    assert_eq!((listen(&scratch), runs(&scratch).len()), (vec![], 17));
    assert_eq!(holds(&scratch)["replayed"], 17);
}

#[test]
fn p_21_a_call_that_traps_hands_nothing_over() {
    let asks = [Ask::Enqueue(NOTIFY, notice("D0")), Ask::Trap];
    let scratch = workspace(&asks, &json!([{"workflow": NOTIFY}]));
    let asked = run(&scratch);
    assert_eq!(asked["exit"]["reason"], "BACKEND_ERROR", "{asked}");
    assert_eq!(calls(&scratch, &asked)[0]["answer"]["kind"], "text", "it was answered before the call ended");
    assert_eq!((log(&scratch, "enact:workflow").len(), listen(&scratch).len()), (0, 0));
    assert_eq!(status(&scratch), Value::Null);
    holds(&scratch);
}

#[test]
fn b_15_kill_minus_9_at_any_moment_and_three_that_listen_start_each_run_once() {
    const ASKING: usize = 10;
    let scratch = workspace(&notices(16), &json!([{"workflow": NOTIFY}]));
    let payload = scratch.file("payload.json", r#"{"data": 1}"#);
    // The process that asks is gone as soon as its run is committed.
    for _ in 0..ASKING {
        let mut child = scratch.command().args(["run", ASKER, "--payload", &payload, "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(log(&scratch, "enact:workflow").len(), ASKING * 16);
    let mut told = BTreeSet::new();
    for kill in 0..20 {
        let mut child =
            scratch.command().args(["listen", "--once", "--json", "-q"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Vec<String> = lines.by_ref().take(1 + kill % 5).map_while(Result::ok).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        for line in first.into_iter().chain(lines.map_while(Result::ok)) {
            if let Ok(delivery) = serde_json::from_str::<Value>(&line)
                && delivery["started"] != 0
            {
                assert!(told.insert(delivery["run_id"].as_str().unwrap().to_owned()), "started twice: {delivery}");
            }
        }
    }
    let children: Vec<_> = (0..3)
        .map(|_| scratch.command().args(["listen", "--once", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    for child in children {
        for delivery in deliveries(&ran(&child.wait_with_output().unwrap()).exits(0)) {
            assert!(told.insert(delivery["run_id"].as_str().unwrap().to_owned()), "told twice: {delivery}");
        }
    }
    let stored = runs(&scratch);
    assert!(told.len() > 20 && told.is_subset(&stored), "{} of {}", told.len(), stored.len());
    assert_eq!((stored.len(), subjects(&scratch).len()), (ASKING * 17, ASKING * 16));
    for nth in 0..16 {
        let wanted = format!("Deposit D{nth} confirmed");
        assert_eq!(subjects(&scratch).iter().filter(|subject| **subject == wanted).count(), ASKING, "{wanted}");
    }
    holds(&scratch);
}

#[test]
fn b_21_a_workflow_that_is_gone_is_a_failed_delivery_that_can_be_tried_again() {
    let scratch = workspace(&notices(2), &json!([{"workflow": NOTIFY}]));
    run(&scratch);
    scratch.enact(&[&["module", "revoke"], &ROW[..], &["--workflow", NOTIFY, "--json"]].concat()).exits(0);
    let protocol = scratch.workspace().join("protocol");
    let names = [format!("{NOTIFY}.json"), "LI_DEPOSIT_NOTICE_V0.json".to_owned()];
    let kept: Vec<Vec<u8>> = names.iter().map(|name| std::fs::read(protocol.join(name)).unwrap()).collect();
    names.iter().for_each(|name| std::fs::remove_file(protocol.join(name)).unwrap());
    scratch.enact(&["protocol", "seal", "--json"]).exits(0);
    for attempt in 1..=5 {
        let tried = deliveries(&scratch.enact(&["listen", "--once", "--json"]).exits(3));
        assert_eq!(
            (&tried[0]["failure"]["code"], &tried[0]["failure"]["attempt"]),
            (&"unknown_workflow".into(), &attempt.into()),
            "{tried:#?}"
        );
        assert_eq!(tried.len(), if attempt < 5 { 1 } else { 2 }, "one after the other: {tried:#?}");
    }
    assert_eq!((runs(&scratch).len(), &status(&scratch)["failures"][1]["set_aside"]), (1, &true.into()));
    for (name, bytes) in names.iter().zip(kept) {
        std::fs::write(protocol.join(name), bytes).unwrap();
    }
    scratch.enact(&["protocol", "seal", "--json"]).exits(0);
    assert_eq!(listen(&scratch).len(), 1, "the second was not set aside yet");
    let again = deliveries(&scratch.enact(&["listen", "--again", "--json"]).exits(0));
    assert_eq!((again.len(), &again[0]["outcome"]), (1, &"run".into()));
    assert_eq!((status(&scratch)["failures"].clone(), &status(&scratch)["lag"]), (json!([]), &0.into()));
    assert_eq!(subjects(&scratch).len(), 2);
    holds(&scratch);
}

#[test]
fn b_32_a_request_that_no_run_made_is_not_carried_out() {
    let scratch = workspace(&notices(1), &json!([{"workflow": NOTIFY}]));
    run(&scratch);
    let original: String =
        scratch.sql().query_row("SELECT value FROM log_rows WHERE value LIKE '%WF_NOTIFY%'", [], |row| row.get(0)).unwrap();
    let changes: [(&str, &str); 5] = [
        ("\"D0\"", "\"D7\""),
        ("\"depth\":1", "\"depth\":0"),
        (NOTIFY, ASKER),
        ("\"nth\":0", "\"nth\":1"),
        ("{\"at\"", "{\"binding\":\"RB_HOSTILE_0_V0\",\"at\""),
    ];
    let write =
        |value: &str| scratch.sql().execute("UPDATE log_rows SET value = ?1 WHERE value LIKE '%\"workflow\":\"WF_%'", [value]).unwrap();
    for (from, to) in changes {
        let forged = original.replacen(from, to, 1);
        assert_ne!(forged, original, "{from}");
        assert_eq!(write(&forged), 1);
        let refused = scratch.enact(&["listen", "--once", "--json"]).exits(4);
        assert!(format!("{}{}", refused.out, refused.err).contains("request_unfounded"), "{refused:?}");
        assert_eq!(runs(&scratch).len(), 1, "{forged}");
        scratch.enact(&["audit", "--all", "--state", "--json"]).exits(4);
    }
    write(&original);
    assert_eq!(listen(&scratch).len(), 1);
    holds(&scratch);
}

#[test]
fn b_32_a_run_that_says_it_was_asked_for_was_asked_for_like_that() {
    type Forgery = fn(&mut Parts);
    let forgeries: [Forgery; 3] = [
        |parts| parts.transcript = parts.transcript.replacen(r#""depth":1,"#, "", 1),
        |parts| parts.transcript = parts.transcript.replacen(r#""depth":1"#, r#""depth":2"#, 1),
        // The run that asked says that somebody had asked for it.
        |parts| parts.transcript = parts.transcript.replacen(r#","steps""#, r#","depth":1,"steps""#, 1),
    ];
    for (nth, forge) in forgeries.into_iter().enumerate() {
        let scratch = workspace(&notices(1), &json!([{"workflow": NOTIFY}]));
        let asked = run(&scratch)["entry"]["seq"].as_i64().unwrap();
        let started = listen(&scratch)[0]["entry"]["seq"].as_i64().unwrap();
        let forged = rewrite(&scratch, if nth == 2 { asked } else { started }, forge);
        // Only the refolded state can tell: what was called answers the same.
        scratch.enact(&["audit", &forged]).exits(0);
        let audit = scratch.enact(&["audit", "--all", "--state", "--json"]).exits(4).json();
        let found = &audit["diverged"][0];
        assert_eq!((&found["run"], &found["code"]), (&forged.as_str().into(), &"state_requested".into()), "{nth}: {audit}");
    }
}

#[test]
fn p_33_vectors_and_a_call_by_hand_show_what_is_handed_over() {
    let scratch = Scratch::init();
    let module = scratch.path().join("asker.wasm");
    std::fs::write(&module, guest::asks(&notices(2))).unwrap();
    let module = module.to_string_lossy().into_owned();
    let asked: Vec<Value> = (0..2)
        .map(|nth| json!({"workflow": NOTIFY, "payload": serde_json::from_str::<Value>(&notice(&format!("D{nth}"))).unwrap()}))
        .collect();
    let called =
        scratch.enact(&["module", "call", &module, "CS_ASKER_V0", "--operation", "DO", "--engine", "both", "--json"]).exits(0).json();
    assert_eq!((&called[0]["later"], &called[1]["later"]), (&json!(asked), &json!(asked)), "{called}");
    let said = scratch.enact(&["module", "call", &module, "CS_ASKER_V0", "--operation", "DO"]).exits(0).out;
    assert!(said.contains(r#"for later {"workflow":"WF_NOTIFY_DEPOSIT_V0""#), "{said}");
    scratch.file("manifest.json", &json!({"module": "asker", "world": "side-effect", "codes": {"CS_ASKER_V0": {}}}).to_string());
    for (promised, code) in [(json!(asked), 0), (json!([asked[1], asked[0]]), 3), (json!([]), 3)] {
        let vector = json!({"name": "asks", "capability": "CS_ASKER_V0", "operation": "DO", "inputs": {}, "grants": ["workflow"],
            "status": "SUCCESS", "later": promised});
        scratch.file("vectors.json", &json!({"vectors": [vector]}).to_string());
        let tested = scratch.enact(&["module", "test", &module, "--json"]).exits(code).json();
        assert_eq!(tested["tried"][0]["kept"], code == 0, "{tested}");
    }
}
