//! Listeners: execution reacts to governance, starts what follows exactly once, and leaves governance as it was (B-15, B-21, B-28).
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use enact_engine::workspace::Workspace;
use serde_json::{Value, json};

use crate::hostile::{self, guests};
use crate::support::{Ran, Scratch, ran};

/// Entries and records of each that the listener of the test pack hears.
const ENTRIES: usize = 8;
const RECORDS: usize = 40;

/// A pack with one statement that anybody registered may make, and a listener that puts each into an outbox.
pub(crate) fn noted() -> Scratch {
    prepared(|_, _| {}, |_| {})
}

/// The same after something was done to the workspace and to the artifacts.
pub(crate) fn prepared(prepare: impl Fn(&Scratch, &Workspace), change: impl Fn(&mut Value)) -> Scratch {
    let scratch = Scratch::init();
    scratch.stewards();
    let workspace = Workspace::open(&scratch.workspace()).unwrap();
    prepare(&scratch, &workspace);
    let artifacts = [
        json!({"code": "LC_NOTE_V0", "summary": "Notes.", "record": "NOTE", "kind": "RECEIPT", "subject": "Note", "actions": {
            "NOTE.SAY": {"summary": "Says.", "fields": {"text": {"type": "text", "required": true}, "extra": {"type": "text"}}},
            "NOTE.WHISPER": {"summary": "Says what nobody listens for."}}}),
        json!({"code": "AM_NOTE_V0", "summary": "Who.", "rows": [
            {"row": "any", "actions": ["NOTE.SAY", "NOTE.WHISPER"], "roles": ["registrar"], "signature": false}]}),
        json!({"code": "LI_NOTE_V0", "summary": "Passes notes on.", "on": {"record": "NOTE", "action": "NOTE.SAY"},
            "workflow": "WF_NOTIFY_DEPOSIT_V0", "payload": {"recipient": "a@b.example", "settlement": "{id} of {actor.id}", "deposit": "$.payload.text",
                "confirmed_by": "$.subject", "confirmed_at": "$.at", "record": "$.record", "entry": "$.entry"}}),
    ];
    for mut artifact in artifacts {
        change(&mut artifact);
        workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
    }
    scratch.adopt(["ada", "bo"]);
    scratch
}

/// Appends entries with notes, and among them a record of the same type that is not listened for.
pub(crate) fn say(scratch: &Scratch, entries: usize, records: usize) {
    for entry in 0..entries {
        let record = |nth: usize| {
            let (action, payload) =
                if nth == records { ("NOTE.WHISPER", json!({})) } else { ("NOTE.SAY", json!({"text": format!("{entry}-{nth}")})) };
            json!({"type": "NOTE", "action": action, "subject": format!("Note:n{entry}-{nth}"), "payload": payload})
        };
        let batch: Vec<Value> = (0..=records).map(record).collect();
        let file = scratch.file("notes.json", &Value::Array(batch).to_string());
        scratch.enact(&["propose", &file, "--as", "ada", "--json"]).exits(0);
    }
}

/// What lies in the outbox.
fn outbox(scratch: &Scratch) -> Vec<Value> {
    let sql = scratch.sql();
    let mut statement = sql
        .prepare("SELECT value FROM log_rows l JOIN stores s ON s.id = l.store WHERE s.name = 'settlement/outbox/notices' ORDER BY pos")
        .unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
}

pub(crate) fn runs(scratch: &Scratch) -> BTreeSet<String> {
    let sql = scratch.sql();
    let mut statement = sql.prepare("SELECT run_id FROM runs").unwrap();
    let found: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
    found.into_iter().collect()
}

/// One line for each delivery; what says that there was none is left out.
pub(crate) fn deliveries(ran: &Ran) -> Vec<Value> {
    let lines = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["started"] != 0).collect()
}

fn listen(scratch: &Scratch) -> Vec<Value> {
    deliveries(&scratch.enact(&["listen", "--once", "--json"]).exits(0))
}

/// Everything that governance is: its entries without those of runs, its state, its refusals.
fn governance(scratch: &Scratch) -> (Vec<Vec<u8>>, Value, i64) {
    let sql = scratch.sql();
    let mut statement = sql.prepare("SELECT bytes FROM entries WHERE seq NOT IN (SELECT seq FROM runs) ORDER BY seq").unwrap();
    let entries = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let refusals = sql.query_row("SELECT count(*) FROM refusals", [], |row| row.get(0)).unwrap();
    let verified = scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json();
    assert_eq!(verified["verdict"], "BALANCED");
    (entries, verified["state_roots"].clone(), refusals)
}

fn told_settlement() -> Scratch {
    let scratch = Scratch::new();
    scratch.enact(&["demo", "settlement", "--dir", ".enact", "--json"]).exits(0);
    scratch
}

fn status(scratch: &Scratch, code: &str) -> Value {
    let all = scratch.enact(&["listen", "--status", "--json", code]).exits(0).json();
    all[0].clone()
}

#[test]
fn b_21_each_deposit_of_the_story_becomes_one_message_and_governance_is_unchanged() {
    let scratch = told_settlement();
    let before = governance(&scratch);
    assert_eq!(status(&scratch, "LI_DEPOSIT_NOTICE_V0")["next"], 0);
    let heard = listen(&scratch);
    assert_eq!(heard.len(), 2, "{heard:#?}");
    let messages = outbox(&scratch);
    let subjects: Vec<&str> = messages.iter().map(|m| m["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["Deposit DEP-1 confirmed", "Deposit DEP-2 confirmed"]);
    for (delivery, message) in heard.iter().zip(&messages) {
        let entry = scratch.enact(&["ledger", "show", &delivery["seq"].to_string(), "--json"]).exits(0).json();
        assert_eq!(entry["entry"]["records"][0]["action"], "SETTLEMENT.DEPOSIT_CONFIRMED");
        let history = scratch.enact(&["history", entry["entry"]["records"][0]["subject"].as_str().unwrap(), "--json"]).exits(0).json();
        let record = history.as_array().unwrap().iter().find(|row| row["seq"] == delivery["seq"]).unwrap()["record"].clone();
        // What was told is what the record says, with its hash and that of its entry.
        assert!(message["body"].as_str().unwrap().ends_with(&format!("({}).", record.as_str().unwrap())), "{message}");
        let shown = scratch.enact(&["show", &delivery["entry"]["seq"].to_string(), "--json"]).exits(0).json();
        assert_eq!((&shown["input"]["record"], &shown["input"]["confirmed_by"]), (&record, &"tess".into()));
    }
    assert_eq!(governance(&scratch), before);
    // The runs themselves are what it has not looked at.
    assert_eq!(status(&scratch, "LI_DEPOSIT_NOTICE_V0")["lag"], 2);
    assert_eq!(listen(&scratch), Vec::<Value>::new());
    assert_eq!(status(&scratch, "LI_DEPOSIT_NOTICE_V0")["lag"], 0);
    let audit = scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0).json();
    assert_eq!(audit["replayed"], 2);
}

#[test]
fn b_15_execution_is_stateless_the_same_ledger_dispatches_the_same_and_redelivery_starts_nothing() {
    let scratch = noted();
    say(&scratch, 3, 5);
    // Another node with the same ledger, and nothing else that it remembers.
    let twin = Scratch::new();
    copy(&scratch.workspace(), &twin.workspace());
    let ids = |heard: Vec<Value>| -> Vec<String> { heard.iter().map(|d| d["run_id"].as_str().unwrap().to_owned()).collect() };
    let first = ids(listen(&scratch));
    assert_eq!(first.len(), 15);
    assert_eq!(ids(listen(&twin)), first);
    assert_eq!(outbox(&twin), outbox(&scratch));
    let entries = || scratch.sql().query_row("SELECT count(*) FROM entries", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = entries();
    // A cursor that is lost, that was written before the run it stands for, or that is sent back: as after a crash between the two.
    for statement in ["DELETE FROM listeners", "UPDATE listeners SET next = 2", "UPDATE listeners SET next = 0"] {
        scratch.sql().execute(statement, []).unwrap();
        assert_eq!(listen(&scratch), Vec::<Value>::new(), "{statement}");
        assert_eq!(status(&scratch, "LI_NOTE_V0")["lag"], 0);
    }
    assert_eq!(deliveries(&scratch.enact(&["listen", "--once", "--from", "0", "--json"]).exits(0)), Vec::<Value>::new());
    assert_eq!((entries(), outbox(&scratch).len(), runs(&scratch).len()), (before, 15, 15));
    scratch.enact(&["listen", "--once", "--from", "999", "--json"]).exits(1);
    scratch.enact(&["listen", "--once", "LI_NOWHERE_V0", "--json"]).exits(1);
}

#[test]
fn b_21_a_cursor_beyond_the_head_and_a_run_without_its_entry_keep_no_delivery_back() {
    let scratch = noted();
    say(&scratch, 1, 2);
    scratch.sql().execute("INSERT INTO listeners VALUES('LI_NOTE_V0', 999)", []).unwrap();
    let before = status(&scratch, "LI_NOTE_V0");
    assert_eq!((&before["next"], before["lag"].as_u64().unwrap() > 0), (&json!(0), true), "{before}");
    let first = listen(&scratch);
    assert_eq!((first.len(), outbox(&scratch).len()), (2, 2));
    // The place is its own again: what comes is heard once.
    say(&scratch, 1, 3);
    assert_eq!((listen(&scratch).len(), listen(&scratch).len()), (3, 0));
    assert_eq!(status(&scratch, "LI_NOTE_V0")["lag"], 0);
    // The listing has a run that no entry is, before the head and beyond it.
    let run = first[0]["run_id"].as_str().unwrap();
    for seq in ["0", "1000"] {
        scratch.sql().execute(&format!("UPDATE runs SET seq = {seq} WHERE run_id = ?1"), [run]).unwrap();
        let refused = scratch.enact(&["listen", "--once", "--from", "0", "--json"]).exits(4).json();
        assert_eq!(refused["error"]["code"], "run_column", "{seq}: {refused}");
    }
}

#[test]
fn b_28_verifying_rebuilding_auditing_and_copying_dispatch_nothing() {
    let scratch = told_settlement();
    for args in [
        &["verify", "--rebuild", "--json"][..],
        &["audit", "--all", "--state", "--json"],
        &["backup", "copy.db", "--json"],
        &["listen", "--status", "--json"],
        &["history", "Settlement:S-1", "--json"],
    ] {
        scratch.enact(args).exits(0);
    }
    assert_eq!((runs(&scratch).len(), outbox(&scratch).len()), (0, 0));
    listen(&scratch);
    let sent = outbox(&scratch);
    for args in [&["verify", "--rebuild", "--json"][..], &["audit", "--all", "--state", "--json"]] {
        scratch.enact(args).exits(0);
    }
    assert_eq!((outbox(&scratch), runs(&scratch).len()), (sent, 2));
}

#[test]
fn b_15_three_processes_that_listen_at_once_start_each_run_once() {
    let scratch = noted();
    say(&scratch, ENTRIES, RECORDS);
    let children: Vec<Child> = (0..3)
        .map(|_| scratch.command().args(["listen", "--once", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    let mut started = BTreeSet::new();
    for child in children {
        for delivery in deliveries(&ran(&child.wait_with_output().unwrap()).exits(0)) {
            assert_eq!(delivery["outcome"], "run", "{delivery}");
            assert!(started.insert(delivery["run_id"].as_str().unwrap().to_owned()), "told twice: {delivery}");
        }
    }
    assert_eq!(started.len(), ENTRIES * RECORDS);
    assert_eq!(runs(&scratch), started);
    assert_eq!(outbox(&scratch).len(), ENTRIES * RECORDS);
    governance(&scratch);
}

#[test]
fn b_15_kill_minus_9_between_run_and_cursor_loses_nothing_and_starts_nothing_twice() {
    let scratch = noted();
    say(&scratch, ENTRIES, RECORDS);
    let mut acknowledged = BTreeSet::new();
    for kill in 0..30 {
        let mut child =
            scratch.command().args(["listen", "--once", "--json", "-q"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // The cursor is written at the end of a walk: a process that is killed during one leaves runs without it.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Vec<String> = lines.by_ref().take(1 + kill % 7).map_while(Result::ok).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        for line in first.into_iter().chain(lines.map_while(Result::ok)) {
            if let Ok(delivery) = serde_json::from_str::<Value>(&line)
                && delivery["started"] != 0
            {
                assert!(acknowledged.insert(delivery["run_id"].as_str().unwrap().to_owned()), "started twice: {delivery}");
            }
        }
    }
    listen(&scratch);
    let stored = runs(&scratch);
    assert!(acknowledged.len() > 20 && acknowledged.is_subset(&stored), "{} of {}", acknowledged.len(), stored.len());
    assert_eq!((stored.len(), outbox(&scratch).len()), (ENTRIES * RECORDS, ENTRIES * RECORDS));
    let texts: BTreeSet<String> = outbox(&scratch).iter().map(|m| m["subject"].to_string()).collect();
    assert_eq!(texts.len(), ENTRIES * RECORDS);
    governance(&scratch);
    scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0);
}

#[test]
fn b_21_a_delivery_that_cannot_be_decided_is_tried_again_logged_apart_and_set_aside() {
    // The one transform of the workflow recurses without end: a bound of this engine, and nobody's answer.
    let prepare = |scratch: &Scratch, workspace: &Workspace| {
        scratch.admit("hostile-0", &hostile::deep(), ["ada", "bo"]);
        for artifact in hostile::artifacts(0, &json!({"fuel": 1_000_000_000_u64})) {
            workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
        }
    };
    let scratch = prepared(prepare, |artifact| {
        if artifact["code"] == "LI_NOTE_V0" {
            artifact["workflow"] = "WF_HOSTILE_0_V0".into();
            artifact["payload"] = json!({"data": "$.payload.text", "left_out": "$.payload.extra"});
        }
    });
    say(&scratch, 1, 1);
    let before = governance(&scratch);
    for attempt in 1..=5 {
        let heard = deliveries(&scratch.enact(&["listen", "--once", "--json"]).exits(3));
        let outcome = if attempt < 5 { "failed" } else { "set_aside" };
        assert_eq!(
            (heard.len(), &heard[0]["outcome"], &heard[0]["failure"]["attempt"]),
            (1, &outcome.into(), &attempt.into()),
            "{heard:#?}"
        );
        let status = status(&scratch, "LI_NOTE_V0");
        assert_eq!((&status["failures"][0]["code"], &status["failures"][0]["set_aside"]), (&"inconclusive".into(), &(attempt == 5).into()));
        assert_eq!(status["lag"] == 0, attempt == 5, "{status:#}");
    }
    // It goes on; what it could not do is in its own log and nowhere in governance.
    assert_eq!(listen(&scratch), Vec::<Value>::new());
    assert_eq!(governance(&scratch), before);
    let logged: i64 = scratch.sql().query_row("SELECT count(*) FROM listener_log", [], |row| row.get(0)).unwrap();
    assert_eq!((logged, runs(&scratch).len()), (5, 0));
    // Mended, it is done after all, once.
    scratch.admit("hostile-0", &guests::echo(), ["ada", "bo"]);
    let before = governance(&scratch);
    scratch.enact(&["protocol", "seal", "--json"]).exits(0);
    let again = deliveries(&scratch.enact(&["listen", "--again", "--json"]).exits(0));
    assert_eq!((again.len(), &again[0]["outcome"]), (1, &"run".into()));
    let shown = scratch.enact(&["show", again[0]["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!(shown["input"], json!({"data": "0-0"}), "a member that leads nowhere is left out");
    assert_eq!(scratch.enact(&["listen", "--again", "--json"]).exits(0).json()["started"], 0);
    assert_eq!(status(&scratch, "LI_NOTE_V0")["failures"], json!([]));
    assert_eq!((governance(&scratch), runs(&scratch).len()), (before, 1));
}

#[test]
fn an_interrupted_listener_lets_its_run_commit_and_ends_well() {
    for signal in ["-INT", "-TERM"] {
        let scratch = noted();
        say(&scratch, 2, 20);
        let mut child = scratch
            .command()
            .args(["listen", "--poll", "20", "--json", "-q"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        assert!(std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let told = 1 + lines.map_while(Result::ok).count();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
        assert_eq!(told, runs(&scratch).len(), "{signal}: everything told, nothing else done");
        let rest = listen(&scratch);
        assert_eq!(told + rest.len(), 40);
    }
}

#[test]
fn a_listener_hears_what_is_appended_while_it_listens() {
    let scratch = noted();
    let mut child =
        scratch.command().args(["listen", "--poll", "20", "--json", "-q"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for nth in 0..3 {
        let note = json!({"type": "NOTE", "action": "NOTE.SAY", "subject": format!("Note:late-{nth}"), "payload": {"text": "t"}});
        let file = scratch.file("note.json", &note.to_string());
        scratch.enact(&["propose", &file, "--as", "ada", "--json"]).exits(0);
        let delivery: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&delivery["outcome"], &delivery["exit"]["class"]), (&"run".into(), &"SUCCESS".into()));
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn b_21_a_listener_that_does_not_fit_the_protocol_is_neither_checked_nor_sealed() {
    let scratch = Scratch::init();
    let path = scratch.workspace().join("protocol/LI_DEPOSIT_NOTICE_V0.json");
    let original: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (pointer, value, code) in [
        ("/on/record", json!("SETTLEMENT_EVENTS"), "unknown_record"),
        // Runs are no governed records: what follows from a run would follow from itself.
        ("/on/record", json!("RUN"), "unknown_record"),
        ("/on/action", json!("SETTLEMENT.DEPOSITED"), "unknown_action"),
        ("/workflow", json!("WF_NOWHERE_V0"), "missing_artifact"),
        ("/binding", json!("RB_NOWHERE_V0"), "missing_artifact"),
        ("/payload/deposit", json!("$.payload.deposits"), "unknown_field"),
        ("/payload/deposit", json!("$.kept.deposit"), "unknown_field"),
        ("/payload/deposit", json!("$.nothing"), "bad_expression"),
        // There is a workflow already.
        ("/queue", json!("QC_X_V0"), "bad_shape"),
    ] {
        let mut listener = original.clone();
        match pointer {
            "/binding" | "/queue" => listener[&pointer[1..]] = value.clone(),
            _ => *listener.pointer_mut(pointer).unwrap() = value.clone(),
        }
        std::fs::write(&path, listener.to_string()).unwrap();
        for args in [["protocol", "check", "--json"], ["protocol", "seal", "--json"]] {
            let ran = scratch.enact(&args);
            assert_ne!(ran.code, 0, "{pointer} {value}");
            assert!(ran.out.contains(&format!("\"{code}\"")), "{pointer} {value} {args:?}: {}", ran.out);
        }
    }
    // A name that is nearly one is shown with the few that are near, not with all there are.
    let mut listener = original;
    listener["on"]["action"] = "SETTLEMENT.DEPOSIT_CONFIRM".into();
    std::fs::write(&path, listener.to_string()).unwrap();
    let out = scratch.enact(&["protocol", "check"]).exits(3).out;
    assert!(out.contains("nearest of 7: `SETTLEMENT.DEPOSIT_CONFIRMED`"), "{out}");
    assert!(!out.contains("SETTLEMENT.CREATE"), "{out}");
}

/// A folder with everything in it.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
