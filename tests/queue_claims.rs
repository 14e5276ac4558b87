//! What the queue promises, through the command and the engine: statuses and who leads out of them, triggers, the operations of the engine.
use std::process::Stdio;
use std::time::{Duration, Instant};

use enact_engine::queue::{Given, QueueId, StopSign, WorkEvent, WorkOptions};
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineOptions};
use serde_json::{Map, Value, json};

use crate::queue_pilot::{GRANT, PAPER, Pilot, WATER, record};

/// Items in each of the nine statuses, made by nothing but commands and a worker that is killed: `(status, id)`.
fn nine(pilot: &Pilot) -> Vec<(&'static str, String)> {
    pilot.issue("IS-9", "WATER_SHARE", "1000000");
    pilot.enact(&["actor", "new", "worker-two", "--role", "worker", "--role", "admin", "--as", "ada", "--json"]).exits(0);
    let first = pilot.queued(&[json!({}), json!({"value_class": "GRANT_USD"}), json!({}), json!({})]);
    let failed = pilot.queued_by("worker-two", &[json!({})]).remove(0);
    // Failed, for a reason that can be mended: its worker has queued it.
    assert_eq!(pilot.said(&["queue", "start", &failed, "--as", "joan", "--worker", "worker-two"]), "done");
    pilot.enact(&["queue", "void", &first[3], "--as", "ruth", "--reason", "no", "--json"]).exits(0);
    for id in &first[..3] {
        pilot.enact(&["queue", "start", id, "--as", "joan", "--worker", "worker-one", "--json"]).exits(0);
    }
    pilot.enact(&["fulfill", &first[2], "--as", "joan", "--proof", "manual", "--json"]).exits(0);
    // Executed and not settled: whoever settles has lost the right to.
    let mut matrix = Pilot::artifact("AM_WST_V0");
    let rows = matrix["rows"].as_array_mut().unwrap();
    let worker = rows.iter_mut().find(|row| row["row"] == "worker").unwrap();
    worker["actions"] = json!(["transfer.executed", "execution.failed"]);
    let settler = json!({"row": "settler", "actions": ["settlement.recorded"], "roles": ["settler"]});
    rows.push(settler);
    pilot.adopt(&[matrix], &[]);
    let executed = pilot.queued(&[json!({})]).remove(0);
    pilot.enact(&["queue", "start", &executed, "--as", "joan", "--worker", "worker-one", "--json"]).exits(0);
    pilot.adopt(&[Pilot::artifact("AM_WST_V0")], &[]);
    // Executing and ready: workers that were killed with an item, of which one lease goes on and the other has ended.
    pilot.enact(&["queue", "void", WATER, GRANT, "--as", "ruth", "--reason", "no", "--json"]).exits(0);
    let executing = pilot.killed_with_an_item("86400");
    let ready = pilot.killed_with_an_item("1");
    let begun = Instant::now();
    while pilot.status(&ready) != "READY" {
        assert!(begun.elapsed() < Duration::from_secs(60), "the lease does not end");
    }
    // Pending, and it stays so.
    let pending = pilot.queued(&[json!({})]).remove(0);
    let intent = pending.replace("EXQ", "INT");
    pilot.happens("ruth", "INTENT_EVENT", "intent.withdrawn", &format!("Intent:{intent}"), &json!({"reason": "no"}));
    let [settled, settling, fulfilled, void] = [0, 1, 2, 3].map(|nth: usize| first[nth].clone());
    vec![
        ("PENDING", pending),
        ("READY", ready),
        ("EXECUTING", executing),
        ("EXECUTED", executed),
        ("SETTLING", settling),
        ("SETTLED", settled),
        ("FULFILLED", fulfilled),
        ("FAILED", failed),
        ("VOID", void),
    ]
}

/// W-09, W-10, W-24, W-42, W-44, W-46, W-48: the nine statuses, and what everybody who has the right to may do in each of them. Whatever is
/// refused changes nothing.
#[test]
fn w_09_w_10_w_24_in_each_of_the_nine_statuses_only_the_documented_events_happen() {
    let pilot = Pilot::new();
    let nine = nine(&pilot);
    for (status, id) in &nine {
        assert_eq!(pilot.status(id), *status, "{id}");
    }
    let attempts = |id: &str| -> [(&'static str, Vec<String>); 6] {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        [
            ("start", words(&format!("queue start {id} --as joan --worker worker-one"))),
            ("retry", words(&format!("queue retry {id} --as joan --worker worker-one --reason again"))),
            ("attest", words(&format!("settle {id} --as first-bank --evidence {PAPER}"))),
            ("settle", words(&format!("settle {id} --as worker-one"))),
            ("fulfill", words(&format!("fulfill {id} --as joan --proof manual"))),
            ("void", words(&format!("queue void {id} --as ruth --reason no"))),
        ]
    };
    // In the order of the attempts. What a status allows is tried on a copy of its own, at the end.
    let expected: [(&str, [&str; 6]); 9] = [
        ("PENDING", ["queue_not_ready", "queue_status", "queue_settlement", "payload_missing", "authority_distinct", "+"]),
        ("READY", ["+", "queue_status", "queue_settlement", "payload_missing", "authority_distinct", "+"]),
        ("EXECUTING", ["queue_locked", "queue_locked", "queue_settlement", "payload_missing", "authority_distinct", "queue_locked"]),
        ("EXECUTED", ["original", "+", "queue_settlement", "+", "lifecycle_edge", "lifecycle_edge"]),
        ("SETTLING", ["original", "queue_status", "+", "guard_field_in", "lifecycle_edge", "lifecycle_edge"]),
        ("SETTLED", ["original", "queue_status", "queue_settlement", "lifecycle_edge", "+", "lifecycle_edge"]),
        ("FULFILLED", ["original", "queue_status", "queue_settlement", "lifecycle_terminal", "lifecycle_terminal", "lifecycle_terminal"]),
        ("FAILED", ["queue_status", "+", "queue_settlement", "payload_missing", "authority_distinct", "+"]),
        ("VOID", ["queue_status", "queue_status", "queue_settlement", "payload_missing", "authority_distinct", "lifecycle_terminal"]),
    ];
    let before = pilot.whole();
    let mut wrong = Vec::new();
    for ((status, id), (named, codes)) in nine.iter().zip(expected) {
        assert_eq!(*status, named);
        for ((what, args), code) in attempts(id).into_iter().zip(codes) {
            if code != "+" {
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let got = pilot.said(&args);
                if got != code {
                    wrong.push(format!("{what} of {status}: {got}, expected {code}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(pilot.whole(), before);
    // By the worker himself: only READY is executed, the other eight stay what they are.
    pilot.enact(&["queue", "validate", &nine[0].1]).exits(3);
    pilot.work();
    let after: Vec<String> = nine.iter().map(|(_, id)| pilot.status(id)).collect();
    assert_eq!(after, ["PENDING", "SETTLED", "EXECUTING", "EXECUTED", "SETTLING", "SETTLED", "FULFILLED", "FAILED", "VOID"]);
    // And what a status allows, happens.
    for (nth, what, leads_to) in
        [(3, "retry", "SETTLED"), (4, "attest", "SETTLING"), (5, "fulfill", "FULFILLED"), (7, "retry", "SETTLED"), (0, "void", "VOID")]
    {
        let id = &nine[nth].1;
        let (_, args) = attempts(id).into_iter().find(|(name, _)| *name == what).unwrap();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        assert_eq!(pilot.said(&args), "done", "{what} of {}", nine[nth].0);
        assert_eq!(pilot.status(id), leads_to);
    }
    pilot.sound();
}

/// A record without what must differ between two items: ids, times, hashes, numbers, who triggered.
fn alike(record: &Value, n: &str) -> String {
    let mut record = record.clone();
    for member in ["seq", "at", "record"] {
        record.as_object_mut().unwrap().remove(member);
    }
    for member in ["uts_id", "uts_cid", "receipt", "fingerprint"] {
        if let Some(payload) = record["payload"].as_object_mut() {
            payload.remove(member);
        }
    }
    record.to_string().replace(&format!("-20260418-{n}\""), "-N\"").replace(&format!("\"R-{n}\""), "\"R-N\"")
}

/// W-25, W-26, W-27: by hand, by the poller and by a worker that was there before the item: the same engine, so the same records.
#[test]
fn w_25_w_26_w_27_manual_poller_and_automatic_triggers_leave_identical_records_and_lines() {
    let pilot = Pilot::new();
    pilot.enact(&["queue", "void", WATER, GRANT, "--as", "ruth", "--reason", "not now", "--json"]).exits(0);
    let [manual, by_trustee] = [0, 1].map(|_| pilot.queued(&[json!({})]).remove(0));
    // Automatic: a worker that waits takes what comes.
    for (id, by) in [(&manual, "joan"), (&by_trustee, "ruth")] {
        assert_eq!(pilot.refused(&["queue", "start", id, "--as", "desk", "--worker", "worker-one"]), "queue_trigger");
        let started = pilot.enact(&["queue", "start", id, "--as", by, "--worker", "worker-one", "--json"]).exits(0).json();
        assert_eq!((&started["item"]["status"], &started["report"]["executed"]), (&json!("SETTLED"), &json!(1)));
    }
    let polled = pilot.queued(&[json!({})]).remove(0);
    pilot.work().exits(0);
    let mut worker = pilot.scratch.command();
    worker.args(["work", "--as", "worker-one", "--poll", "20", "-q"]);
    let mut worker = worker.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let automatic = pilot.queued(&[json!({})]).remove(0);
    let begun = Instant::now();
    while pilot.status(&automatic) != "SETTLED" {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    worker.kill().unwrap();
    worker.wait().unwrap();
    let all = [&manual, &by_trustee, &polled, &automatic];
    let told = all.map(|id| {
        let history = pilot.enact(&["history", &format!("Execution:{id}"), "--json"]).exits(0).json();
        let n = id.rsplit('-').next().unwrap();
        history.as_array().unwrap().iter().map(|row| alike(row, n)).collect::<Vec<_>>()
    });
    assert_eq!(told[0].len(), 3);
    assert!(told.iter().all(|one| *one == told[0]), "{told:#?}");
    let events = all.map(|id| pilot.events(id));
    assert!(events.iter().all(|one| *one == ["queued", "validated", "leased", "executed", "settled"]), "{events:#?}");
    // W-31: what an execution leaves in its item.
    let item = pilot.item(&automatic);
    assert!(item["executed_utc"].is_string() && item["uts_cid"].is_string());
    assert_eq!(item["transfer_id"], format!("XFR-{automatic}"));
    pilot.sound();
}

/// W-49, W-50: the engine has each of the documented operations: add, validate, lock, process, `mark_failed`, settle, fulfill; and a worker
/// takes items in the order in which they were queued.
#[test]
fn w_49_w_50_the_engine_adds_validates_locks_processes_fails_settles_and_fulfills() {
    let pilot = Pilot::new();
    let records = pilot.accepted(&[json!({}), json!({"value_class": "GRANT_USD"}), json!({"quantity": "999999"})]);
    let engine = Engine::open(Workspace::open(&pilot.scratch.workspace()).unwrap(), &EngineOptions::default()).unwrap();
    let payload = |nth: usize| -> Map<String, Value> { records[nth]["payload"].as_object().unwrap().clone() };
    let add = |nth: usize, id: &str| {
        let given = Given { id: Some(id.to_owned()), payload: payload(nth), ..Given::default() };
        engine.queue_add("Actor:joan", &given).unwrap();
        QueueId::parse(id).unwrap()
    };
    // add, validate
    let [c, a, b] = [add(0, "EXQ-20260419-9"), add(1, "EXQ-20260419-1"), add(2, "EXQ-20260419-5")];
    assert_eq!(engine.queue_validate(&a, None).unwrap()["validated"], true);
    // lock, process, mark_failed: all by one pass
    let order = std::sync::Mutex::new(Vec::new());
    let options = WorkOptions { actor: "Actor:worker-one".to_owned(), once: true, ..WorkOptions::default() };
    let told = |event: &WorkEvent| order.lock().unwrap().push((event.event, event.queue_id.clone().unwrap_or_default()));
    let report = engine.work(&options, &StopSign::new(), &told).unwrap();
    assert_eq!((report.executed, report.settled, report.failed), (4, 2, 1));
    let order = order.into_inner().unwrap();
    let executed: Vec<&str> = order.iter().filter(|(event, _)| *event == "executed").map(|(_, id)| id.as_str()).collect();
    assert_eq!(executed, [WATER, GRANT, c.as_str(), a.as_str()], "by the entry that queued them, and not by name");
    let events = |id: &QueueId| -> Vec<String> {
        let lines = engine.queue_lines(Some(id), 0, 100).unwrap();
        lines.iter().map(|line| line.line["event"].as_str().unwrap().to_owned()).collect()
    };
    assert!(
        events(&a).contains(&"leased".to_owned()) && engine.queue_lines(Some(&a), 0, 100).unwrap()[2].line["lease"]["owner"].is_string()
    );
    assert_eq!(events(&b), ["queued", "validated", "leased", "failed", "failed_final"]);
    // settle, fulfill, with evidence
    let evidence: Map<String, Value> = json!({"evidence": PAPER}).as_object().unwrap().clone();
    engine.queue_attest("Actor:first-bank", &a, &evidence).unwrap();
    engine.queue_settle("Actor:worker-one", &a).unwrap();
    let proof: Map<String, Value> = json!({"proof": "milestone", "milestone": "done"}).as_object().unwrap().clone();
    engine.queue_fulfill("Actor:joan", &a, &proof).unwrap();
    assert_eq!(engine.queue_item(&a).unwrap().text("status"), "FULFILLED");
    assert_eq!(engine.queue_fulfill("Actor:joan", &b, &proof).unwrap_err().code(), "authority_distinct");
    drop(engine);
    pilot.sound();
}

/// W-34, W-35: each proof is accepted with what it needs, and refused without.
#[test]
fn w_34_w_35_each_proof_confirms_with_what_it_needs() {
    let pilot = Pilot::new();
    let more = pilot.queued(&[json!({})]).remove(0);
    pilot.work().exits(0);
    pilot.enact(&["settle", GRANT, "--as", "first-bank", "--evidence", PAPER, "--worker", "worker-one", "--json"]).exits(0);
    let before = pilot.whole();
    for args in [&["fulfill", WATER, "--as", "joan", "--proof", "digest"][..], &["fulfill", WATER, "--as", "joan", "--proof", "milestone"]]
    {
        assert_eq!(pilot.refused(args), "queue_proof", "{args:?}");
    }
    assert_eq!(pilot.whole(), before);
    let photo = pilot.scratch.file("photo.txt", "the pump runs");
    for (id, args) in [
        (WATER, &["--proof", "manual", "--with", "note=seen"][..]),
        (GRANT, &["--proof", "digest", "--evidence", &photo]),
        (&more, &["--proof", "milestone", "--milestone", "pump-running"]),
    ] {
        assert_eq!(pilot.item(id)["fulfilled_utc"], Value::Null);
        pilot.enact(&[&["fulfill", id, "--as", "joan", "--json"], args].concat()).exits(0);
        let item = pilot.item(id);
        assert_eq!(item["status"], "FULFILLED");
        assert!(item["fulfilled_utc"].is_string(), "{item:#}");
    }
    pilot.sound();
}

/// W-33: evidence that does not hold changes nothing, and what does is recorded before the settlement.
#[test]
fn w_33_external_settlement_waits_for_evidence_of_an_attester() {
    let pilot = Pilot::new();
    pilot.work().exits(0);
    assert_eq!(pilot.status(GRANT), "SETTLING");
    let before = pilot.whole();
    let attested = |payload: Value| record("EXECUTION_EVENT", "settlement.attested", &format!("Execution:{GRANT}"), &payload);
    assert_eq!(pilot.propose("first-bank", &attested(json!({}))), "payload_missing");
    assert_eq!(pilot.propose("first-bank", &attested(json!({"evidence": "a note"}))), "payload_type");
    assert_eq!(pilot.propose("worker-one", &attested(json!({"evidence": PAPER}))), "authority_role");
    assert_eq!(pilot.propose("mina", &attested(json!({"evidence": PAPER}))), "guard_actors_distinct");
    assert_eq!(pilot.refused(&["settle", GRANT, "--as", "worker-one"]), "guard_field_in");
    assert_eq!(pilot.whole(), before);
    pilot.enact(&["settle", GRANT, "--as", "first-bank", "--evidence", PAPER, "--with", "institution=first-bank", "--json"]).exits(0);
    assert_eq!(pilot.status(GRANT), "SETTLING", "evidence alone settles nothing");
    pilot.enact(&["settle", GRANT, "--as", "worker-one", "--json"]).exits(0);
    assert_eq!(pilot.status(GRANT), "SETTLED");
    assert_eq!(pilot.balance("wallet:line-crew", "GRANT_USD"), "90000");
    pilot.sound();
}
