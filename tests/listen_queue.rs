//! Listeners that queue: each record becomes one item, by an actor under the matrix, however often it is delivered; and what comes of the item
//! leads back to the record.
use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::listen::{deliveries, prepared, runs, say};
use crate::support::{Scratch, ran};

const QUEUE: &str = "QC_NOTE_V0";

/// What each item is told, and what a listener tells.
fn members() -> Value {
    json!({"text": "$.payload.text", "by": "$.actor.id", "told_at": "$.at", "heard": "$.record", "from_entry": "$.entry"})
}

/// Notes, each of which becomes an item that passes it on.
fn queued() -> Scratch {
    changed(|_| {})
}

fn changed(change: impl Fn(&mut Value)) -> Scratch {
    let kept = |type_: &str| json!({"type": type_, "required": true, "keep": true});
    let fields =
        json!({"text": kept("text"), "by": kept("name"), "told_at": kept("text"), "heard": kept("digest"), "from_entry": kept("digest")});
    let artifacts = [
        json!({"code": "LC_NOTE_JOB_V0", "summary": "Notes that are passed on.", "record": "NOTE_JOB", "kind": "TRANSITION", "subject": "NoteJob",
            "states": {"OPEN": {}, "DONE": {"terminal": true}, "FAILED": {"terminal": true}, "VOID": {"terminal": true}},
            "actions": {
                "NOTE_JOB.QUEUE": {"summary": "Queues.", "from": [], "to": "OPEN", "fields": fields},
                "NOTE_JOB.DONE": {"summary": "Passed on.", "from": ["OPEN"], "to": "DONE", "fields": {"run": {"type": "name", "required": true}},
                    "consumes": ["note-job:{id}"]},
                "NOTE_JOB.FAIL": {"summary": "Failed.", "from": ["OPEN"], "to": "FAILED"},
                "NOTE_JOB.VOID": {"summary": "Called off.", "from": ["OPEN"], "to": "VOID"}}}),
        json!({"code": "AM_NOTE_JOB_V0", "summary": "Who.", "rows": [
            {"row": "clerk", "actions": ["NOTE_JOB.QUEUE", "NOTE_JOB.VOID"], "roles": ["clerk"]},
            {"row": "porter", "actions": ["NOTE_JOB.DONE", "NOTE_JOB.FAIL"], "roles": ["porter"]}]}),
        json!({"code": QUEUE, "summary": "A note is passed on once.", "record": "NOTE_JOB", "prefix": "NJ",
            "actions": {"queue": "NOTE_JOB.QUEUE", "execute": "NOTE_JOB.DONE", "fail": "NOTE_JOB.FAIL", "void": "NOTE_JOB.VOID"},
            "facts": {"OPEN": [], "DONE": ["executed"], "FAILED": ["failed"], "VOID": ["void"]},
            "validation": [{"group": "open", "checks": [{"guard": "key_unconsumed", "key": "note-job:{id}", "reason": "passed_on"}]}],
            "workflow": "WF_NOTIFY_DEPOSIT_V0",
            "payload": {"recipient": "a@b.example", "settlement": "$.id", "deposit": "$.kept.text", "confirmed_by": "$.kept.by",
                "confirmed_at": "$.kept.told_at", "record": "$.kept.heard", "entry": "$.kept.from_entry"},
            "execute": {"run": "$.run.id"}, "settlement": {"mode": "none"}, "trigger": {"roles": ["clerk"]}}),
    ];
    let scratch = prepared(
        |_, workspace| {
            for artifact in &artifacts {
                workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
            }
        },
        |artifact| {
            if artifact["code"] == "LI_NOTE_V0" {
                let listener = artifact.as_object_mut().unwrap();
                listener.remove("workflow");
                listener.insert("queue".to_owned(), QUEUE.into());
                listener.insert("payload".to_owned(), members());
                change(artifact);
            }
        },
    );
    for (actor, role) in [("carl", "clerk"), ("pam", "porter"), ("eve", "porter")] {
        scratch.enact(&["actor", "new", actor, "--role", role, "--as", "ada", "--json"]).exits(0);
    }
    scratch
}

fn listen(scratch: &Scratch) -> Vec<Value> {
    deliveries(&scratch.enact(&["listen", "--once", "--as", "carl", "--json"]).exits(0))
}

/// Ids of all items.
fn items(scratch: &Scratch) -> BTreeSet<String> {
    let sql = scratch.sql();
    let mut statement = sql.prepare("SELECT item FROM queue_items").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn entries(scratch: &Scratch) -> i64 {
    scratch.sql().query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap()
}

#[test]
fn b_15_b_21_each_record_becomes_one_item_and_redelivery_queues_nothing() {
    let scratch = queued();
    say(&scratch, 2, 3);
    // Nobody is asked to propose: nothing is done, and it is said.
    let ran = scratch.enact(&["listen", "--once", "--json"]).exits(1);
    assert_eq!(ran.json()["error"]["code"], "listener_actor");
    let status = scratch.enact(&["listen", "--status", "--json"]).exits(0).json();
    let listener = status.as_array().unwrap().iter().find(|row| row["listener"] == "LI_NOTE_V0").unwrap().clone();
    assert_eq!((&listener["queue"], listener["workflow"].is_null(), &listener["next"]), (&json!(QUEUE), true, &json!(0)));
    let heard = listen(&scratch);
    assert_eq!(heard.len(), 6, "{heard:#?}");
    let ids: BTreeSet<String> = heard.iter().map(|delivery| delivery["queue_id"].as_str().unwrap().to_owned()).collect();
    assert!(heard.iter().all(|delivery| delivery["outcome"] == "queued" && delivery["run_id"].is_null()));
    assert_eq!((items(&scratch), ids.len(), runs(&scratch).len()), (ids.clone(), 6, 0));
    // The record that queues is the actor's, allowed by a row, and names what was heard.
    let entry = scratch.enact(&["ledger", "show", &heard[0]["entry"]["seq"].to_string(), "--json"]).exits(0).json()["entry"].clone();
    let record = &entry["records"][0];
    assert_eq!((&record["actor"], &entry["decided"][0]), (&json!("Actor:carl"), &json!("AM_NOTE_JOB_V0#clerk")));
    assert_eq!(record["refs"]["heard"], record["payload"]["heard"]);
    assert_eq!(record["payload"]["text"], "0-0");
    // A cursor that is lost, late, or sent back.
    let before = entries(&scratch);
    for statement in ["DELETE FROM listeners", "UPDATE listeners SET next = 3"] {
        scratch.sql().execute(statement, []).unwrap();
        assert_eq!(listen(&scratch), Vec::<Value>::new(), "{statement}");
    }
    assert_eq!(deliveries(&scratch.enact(&["listen", "--once", "--from", "0", "--as", "carl", "--json"]).exits(0)), Vec::<Value>::new());
    // Another actor, and a queue that was lost: the ledger has the items.
    scratch
        .sql()
        .execute_batch(
            "DELETE FROM listeners; DELETE FROM queue_items; DELETE FROM queue_journal; DELETE FROM queue_kept; DELETE FROM queue_counts",
        )
        .unwrap();
    assert_eq!(listen(&scratch), Vec::<Value>::new());
    assert_eq!(entries(&scratch), before);
    scratch.enact(&["queue", "rebuild", "--json"]).exits(0);
    assert_eq!(items(&scratch), ids);
    scratch.enact(&["verify", "--rebuild", "--json"]).exits(0);
}

#[test]
fn b_28_items_are_carried_out_once_lead_back_to_what_was_heard_and_a_replay_dispatches_nothing() {
    let scratch = queued();
    say(&scratch, 1, 2);
    let heard = listen(&scratch);
    scratch.enact(&["work", "--once", "--as", "pam", "--json"]).exits(0);
    assert_eq!(runs(&scratch).len(), 2);
    // From the note to the run that passed it on, and from the run to the note.
    let note = scratch.enact(&["ledger", "show", &heard[0]["seq"].to_string(), "--json"]).exits(0).json()["entry"]["records"][0].clone();
    let walked = scratch.enact(&["receipts", note["subject"].as_str().unwrap(), "--chain", "--json"]).exits(0).json();
    let actions: Vec<&str> = walked["records"].as_array().unwrap().iter().map(|record| record["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["NOTE.SAY", "NOTE_JOB.QUEUE", "NOTE_JOB.DONE", "RUN.RECEIPT"]);
    let names: BTreeSet<&str> = walked["links"].as_array().unwrap().iter().map(|link| link["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["heard", "prev", "run"].into());
    let run = walked["records"][3]["subject"].as_str().unwrap();
    let back = scratch.enact(&["receipts", run, "--chain", "--json"]).exits(0).json();
    assert_eq!(back["links"], walked["links"]);
    let before = (entries(&scratch), items(&scratch), runs(&scratch));
    for args in [
        &["verify", "--rebuild", "--json"][..],
        &["audit", "--all", "--state", "--json"],
        &["queue", "rebuild", "--json"],
        &["receipts", "--reindex", "--json"],
        &["backup", "copy.db", "--json"],
    ] {
        scratch.enact(args).exits(0);
    }
    scratch.sql().execute("DELETE FROM listeners", []).unwrap();
    assert_eq!(listen(&scratch), Vec::<Value>::new());
    scratch.enact(&["work", "--once", "--as", "pam", "--json"]).exits(0);
    assert_eq!((entries(&scratch), items(&scratch), runs(&scratch)), before);
}

#[test]
fn b_15_three_processes_that_listen_at_once_queue_each_item_once() {
    let scratch = queued();
    say(&scratch, 3, 12);
    let child = || {
        let mut command = scratch.command();
        command.args(["listen", "--once", "--as", "carl", "--json", "-q"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..3).map(|_| child()).collect();
    let mut told = BTreeSet::new();
    for child in children {
        for delivery in deliveries(&ran(&child.wait_with_output().unwrap()).exits(0)) {
            assert!(told.insert(delivery["queue_id"].as_str().unwrap().to_owned()), "told twice: {delivery}");
        }
    }
    assert_eq!((told.len(), items(&scratch)), (36, told));
    scratch.enact(&["verify", "--rebuild", "--json"]).exits(0);
}

#[test]
fn b_17_b_21_who_may_not_queue_queues_nothing_and_what_failed_is_logged_apart() {
    let scratch = queued();
    say(&scratch, 1, 1);
    let before = entries(&scratch);
    for attempt in 1..=5 {
        let heard = deliveries(&scratch.enact(&["listen", "--once", "--as", "eve", "--json"]).exits(3));
        let outcome = if attempt < 5 { "failed" } else { "set_aside" };
        assert_eq!((heard.len(), &heard[0]["outcome"], &heard[0]["failure"]["code"]), (1, &json!(outcome), &json!("authority_role")));
    }
    assert_eq!((entries(&scratch), items(&scratch).len()), (before, 0));
    let logged: i64 = scratch.sql().query_row("SELECT count(*) FROM listener_log", [], |row| row.get(0)).unwrap();
    assert_eq!(logged, 5);
    assert_eq!(listen(&scratch), Vec::<Value>::new());
    let again = deliveries(&scratch.enact(&["listen", "--again", "--as", "carl", "--json"]).exits(0));
    assert_eq!((again.len(), &again[0]["outcome"]), (1, &json!("queued")));
    // Done: nothing is left aside.
    assert_eq!(scratch.enact(&["listen", "--again", "--as", "carl", "--json"]).exits(0).json()["queued"], 0);
    let status = scratch.enact(&["listen", "--status", "LI_NOTE_V0", "--json"]).exits(0).json();
    assert_eq!(status[0]["failures"], json!([]));
}

#[test]
fn b_21_an_id_that_somebody_has_taken_is_told_and_not_taken_for_the_item() {
    let scratch = queued();
    say(&scratch, 1, 1);
    let failed = deliveries(&scratch.enact(&["listen", "--once", "--as", "eve", "--json"]).exits(3));
    let id = failed[0]["queue_id"].as_str().unwrap();
    let digest = "blake3:0101010101010101010101010101010101010101010101010101010101010101";
    let payload = json!({"text": "mine", "by": "carl", "told_at": "now", "heard": digest, "from_entry": digest});
    let record = json!({"type": "NOTE_JOB", "action": "NOTE_JOB.QUEUE", "subject": format!("NoteJob:{id}"), "payload": payload,
        "refs": {"heard": digest}});
    let file = scratch.file("taken.json", &record.to_string());
    scratch.enact(&["propose", &file, "--as", "carl", "--json"]).exits(0);
    let heard = deliveries(&scratch.enact(&["listen", "--once", "--as", "carl", "--json"]).exits(3));
    assert_eq!(heard[0]["failure"]["code"], "queue_exists", "{heard:#?}");
}

#[test]
fn b_21_a_listener_whose_items_do_not_fit_the_contract_is_neither_checked_nor_sealed() {
    let scratch = queued();
    let path = scratch.workspace().join("protocol/LI_NOTE_V0.json");
    let original: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    type Case<'a> = (&'a dyn Fn(&mut Value), &'a str);
    let cases: [Case<'_>; 7] = [
        (&|li| li["queue"] = "QC_NOWHERE_V0".into(), "missing_artifact"),
        (&|li| li["queue"] = "LC_NOTE_V0".into(), "missing_artifact"),
        (&|li| li["payload"]["more"] = "x".into(), "unknown_field"),
        (&|li| drop(li["payload"].as_object_mut().unwrap().remove("by")), "missing_field"),
        (&|li| li["binding"] = "RB_SETTLEMENT_DEVELOPMENT_V0".into(), "bad_shape"),
        (&|li| li["workflow"] = "WF_NOTIFY_DEPOSIT_V0".into(), "bad_shape"),
        (
            &|li| {
                li["on"] = json!({"record": "NOTE_JOB", "action": "NOTE_JOB.QUEUE"});
                li["payload"] = json!({"text": "$.payload.text", "by": "$.payload.by", "told_at": "$.payload.told_at", "heard": "$.record",
                    "from_entry": "$.entry"});
            },
            "listener_endless",
        ),
    ];
    for (change, code) in cases {
        let mut listener = original.clone();
        change(&mut listener);
        std::fs::write(&path, listener.to_string()).unwrap();
        for args in [["protocol", "check", "--json"], ["protocol", "seal", "--json"]] {
            let ran = scratch.enact(&args);
            assert_ne!(ran.code, 0, "{code}");
            assert!(ran.out.contains(&format!("\"{code}\"")), "{code} {args:?}: {}", ran.out);
        }
    }
}
