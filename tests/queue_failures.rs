//! What goes wrong: each fault is a line with class, reason and time; nothing is transferred by half; what may be tried again is.
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hostile::{self, guests, support};
use crate::queue_pilot::{GRANT, PAPER, Pilot, WATER, record};

fn failure(item: &Value) -> (String, String, String) {
    let text = |member: &str| item[member].as_str().unwrap_or_default().to_owned();
    (text("status"), text("failure_class"), text("failure_reason"))
}

fn trap() -> Vec<u8> {
    guests::trapping().into_iter().find(|guest| guest.code == "unreachable").unwrap().bytes
}

/// Takes a while, and then says SUCCESS.
fn slow() -> Vec<u8> {
    let spin = "(local $n i32) (loop $l (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $l (i32.lt_u (local.get $n) (i32.const 150000000))))";
    support::transform("(data (i32.const 2048) \"{}\")", &format!("{spin} (call $success (i32.const 2048) (i32.const 2))"))
}

/// I-35, I-36, I-48, W-36, W-37, W-47: every fault of an execution by its kind: class and reason are written down, and of the transfer nothing.
#[test]
fn w_36_w_37_w_47_i_48_each_injected_fault_is_a_line_with_class_reason_and_time_and_transfers_nothing() {
    let fuel = guests::trapping().into_iter().find(|guest| guest.code == "out_of_fuel").unwrap().bytes;
    let steps: [(&str, Option<Vec<u8>>, &str, &str); 6] = [
        ("the workflow says no", Some(guests::says("VIOLATION", "{}")), "business", "FAILED"),
        ("a trap", Some(trap()), "business", "FAILED"),
        ("a bound", Some(fuel), "business", "FAILED"),
        ("a bound of this machine", Some(hostile::deep()), "resolvable", ""),
        ("nothing to give", None, "business", "posting_floor"),
        ("who queued it works", None, "resolvable", "guard_actors_distinct"),
    ];
    for (what, module, class, reason) in steps {
        let pilot = Pilot::new();
        let (mut by, mut difference) = ("joan", json!({}));
        match (module, what) {
            (Some(module), _) => pilot.adopt_step(0, module, &json!({"fuel": support::LIMITS.fuel})),
            (None, "nothing to give") => difference = json!({"quantity": "999999"}),
            _ => {
                pilot.enact(&["actor", "grant", "worker-one", "--role", "admin", "--as", "ada", "--json"]).exits(0);
                by = "worker-one";
            }
        }
        let item = pilot.queued_by(by, &[difference]).remove(0);
        pilot.enact(&["queue", "void", WATER, GRANT, "--as", "ruth", "--reason", "not now", "--json"]).exits(0);
        let before = pilot.whole()[0].clone();
        pilot.work().exits(3);
        let shown = pilot.item(&item);
        let (status, got_class, got_reason) = failure(&shown);
        assert_eq!((status.as_str(), got_class.as_str()), ("FAILED", class), "{what}: {shown:#}");
        assert!(if reason.is_empty() { !got_reason.is_empty() } else { got_reason == reason }, "{what}: {got_reason}");
        assert!(shown["failure_utc"].is_string() && shown["ready_for_execution"] == false, "{what}");
        let lines = pilot.lines(&item);
        let failed: Vec<&Value> = lines.iter().filter(|line| line["event"] == "failed").collect();
        assert_eq!(failed.len(), 1, "{what}");
        assert_eq!(failed[0]["failure_reason"], shown["failure_reason"], "{what}");
        // Final classes are a record, the others leave the ledger as it was; no value moved and no key was used up either way.
        if class == "business" {
            assert_eq!(lines.last().unwrap()["event"], "failed_final", "{what}");
            let history = pilot.enact(&["history", &format!("Execution:{item}"), "--json"]).exits(0).json();
            assert_eq!(history.as_array().unwrap().last().unwrap()["action"], "execution.failed", "{what}");
            let args = ["queue", "retry", &item, "--as", "joan", "--worker", "worker-one", "--reason", "again"];
            assert_eq!(pilot.refused(&args), "queue_final", "{what}: only a new decision");
        } else {
            assert_eq!(pilot.whole()[0], before, "{what}");
        }
        assert_eq!(pilot.balance("wallet:water-works", "WATER_SHARE"), "5000", "{what}");
        assert_eq!(pilot.enact(&["runs", "--json"]).out.trim(), "[]", "{what}: a run that came to nothing is not kept");
        let intent = format!("INT-{}", item.strip_prefix("EXQ-").unwrap());
        let late = record("INTENT_EVENT", "intent.withdrawn", &format!("Intent:{intent}"), &json!({"reason": "then not"}));
        assert_eq!(pilot.propose("ruth", &late), "done", "{what}: the key is not used up");
        let export = pilot.scratch.path().join("out");
        pilot.enact(&["queue", "export", &export.to_string_lossy()]).exits(0);
        let log = std::fs::read_to_string(export.join("logs/execution_failures.ndjson")).unwrap();
        assert!(log.lines().any(|line| line.contains(&item) && line.contains("failure_reason")), "{what}: {log}");
        assert_eq!(pilot.enact(&["verify", "--rebuild", "--json"]).exits(0).json()["verdict"], "BALANCED");
    }
}

/// I-35, I-38, I-44, W-38, W-39, W-40: a failure that can be mended is tried again by hand, with a reason, after a new validation, and counted.
#[test]
fn w_38_w_39_w_40_i_38_i_44_a_retry_has_a_reason_a_new_validation_and_is_counted() {
    let pilot = Pilot::new();
    pilot.enact(&["actor", "grant", "worker-one", "--role", "admin", "--as", "ada", "--json"]).exits(0);
    pilot.enact(&["actor", "new", "worker-two", "--role", "worker", "--as", "ada", "--json"]).exits(0);
    let item = pilot.queued_by("worker-one", &[json!({})]).remove(0);
    pilot.work().exits(3);
    assert_eq!(failure(&pilot.item(&item)), ("FAILED".into(), "resolvable".into(), "guard_actors_distinct".into()));
    // It stays so, however long anybody works: nothing but a retry by hand touches it.
    let before = pilot.whole();
    pilot.work().exits(0);
    let retry =
        |by: &str, worker: &str, reason: &str| pilot.said(&["queue", "retry", &item, "--as", by, "--worker", worker, "--reason", reason]);
    assert_eq!(retry("joan", "worker-two", " "), "queue_reason");
    assert_eq!(retry("desk", "worker-two", "again"), "queue_trigger");
    assert_eq!(pilot.whole(), before);
    // A new validation, which finds something else.
    pilot.happens("joan", "MEMBER_EVENT", "member.suspended", "Member:clinic", &json!({"reason": "an inquiry"}));
    let before = pilot.whole();
    assert_eq!(retry("joan", "worker-two", "again"), "queue_not_ready");
    assert_eq!(pilot.whole(), before);
    pilot.happens("joan", "MEMBER_EVENT", "member.reinstated", "Member:clinic", &json!({"reason": "it is over"}));
    assert_eq!(retry("ruth", "worker-two", "another worker"), "done");
    let shown = pilot.item(&item);
    assert_eq!((&shown["status"], &shown["attempt_count"]), (&json!("SETTLED"), &json!(2)));
    assert!(shown["last_retry_utc"].is_string());
    let lines = pilot.lines(&item);
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["queued", "validated", "leased", "failed", "retried", "executed", "settled"]);
    assert_eq!((&lines[4]["status"], &lines[4]["reason"]), (&json!("EXECUTING"), &json!("another worker")));
    // I-37, I-44: what is executed is never executed again.
    assert_eq!(retry("ruth", "worker-two", "once more"), "queue_status");
    pilot.sound();
}

/// I-36, I-38, I-47, I-48: a fault of the store at the commit is tried again after 1, 2 and 4 seconds, under the same key, and then by hand.
#[test]
fn i_36_i_38_i_47_i_48_a_fault_of_the_store_is_tried_again_three_times_and_then_by_hand() {
    let pilot = Pilot::new();
    pilot.enact(&["queue", "void", WATER, GRANT, "--as", "ruth", "--reason", "not now", "--json"]).exits(0);
    pilot.adopt_step(0, slow(), &json!({"fuel": 4_000_000_000_u64}));
    let item = pilot.queued(&[json!({})]).remove(0);
    let mut worker = pilot.scratch.command();
    worker.args(["work", "--as", "worker-one", "--poll", "20", "--lease", "600", "--json", "-q"]);
    let mut worker = worker.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = std::io::BufReader::new(worker.stdout.take().unwrap());
    let sql = pilot.scratch.sql();
    sql.busy_timeout(Duration::from_secs(30)).unwrap();
    let text = |query: &str| -> String { sql.query_row(query, [&item], |row| row.get(0)).unwrap() };
    let begun = Instant::now();
    for attempt in 1..=4 {
        // As soon as it runs, the file is locked, and stays so until the worker has given up.
        while text("SELECT status FROM queue_items WHERE item = ?1") != "EXECUTING" {
            assert!(begun.elapsed() < Duration::from_secs(120), "attempt {attempt} does not begin");
            std::thread::yield_now();
        }
        sql.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(text("SELECT status FROM queue_items WHERE item = ?1"), "EXECUTING", "attempt {attempt} was too fast to be disturbed");
        let mut line = String::new();
        while !line.contains("\"fault\"") {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut said, &mut line).unwrap() > 0, "the worker ended");
        }
        sql.execute_batch("ROLLBACK").unwrap();
        while text("SELECT status FROM queue_items WHERE item = ?1") == "EXECUTING" {
            assert!(begun.elapsed() < Duration::from_secs(120), "attempt {attempt} is not written down");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    worker.kill().unwrap();
    worker.wait().unwrap();
    let lines = pilot.lines(&item);
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["queued", "validated", "leased", "failed", "retried", "failed", "retried", "failed", "retried", "failed"]);
    let micros = |text: &Value| {
        let (_, time) = text.as_str().unwrap().split_once('T').unwrap();
        let parts: Vec<f64> = time.trim_end_matches('Z').split('+').next().unwrap().split(':').map(|part| part.parse().unwrap()).collect();
        ((parts[0] * 60.0 + parts[1]) * 60.0 + parts[2]).mul_add(1e6, 0.5).floor()
    };
    let failed: Vec<&Value> = lines.iter().filter(|line| line["event"] == "failed").collect();
    for (line, seconds) in failed.iter().zip([1.0, 2.0, 4.0]) {
        assert_eq!((&line["failure_class"], &line["failure_reason"]), (&json!("transient"), &json!("store_locked")), "{line:#}");
        let day = 86_400e6;
        assert!(((micros(&line["not_before_utc"]) - micros(&line["failure_utc"]) + day) % day - seconds * 1e6).abs() < 1.0, "{line:#}");
    }
    assert_eq!((&failed[3]["failure_class"], &failed[3]["not_before_utc"]), (&json!("resolvable"), &Value::Null));
    assert_eq!((&failed[3]["attempt_count"], &failed[3]["automatic_retries"]), (&json!(4), &json!(3)));
    // By hand it is done, once.
    assert_eq!(pilot.said(&["queue", "retry", &item, "--as", "joan", "--worker", "worker-one", "--reason", "the disk is back"]), "done");
    assert_eq!(pilot.status(&item), "SETTLED");
    assert_eq!(pilot.balance("wallet:clinic", "WATER_SHARE"), "1");
    pilot.sound();
}

/// I-37, I-39, I-44: what execution remembers nothing of is pending and is carried out once; what was executed is passed by, though nobody remembers.
#[test]
fn i_37_i_39_i_44_an_item_that_is_not_remembered_is_pending_and_one_that_was_executed_never_runs_again() {
    let pilot = Pilot::new();
    pilot.work().exits(0);
    let fresh = pilot.queued(&[json!({})]).remove(0);
    let sql = pilot.scratch.sql();
    for table in ["queue_items", "queue_journal", "queue_kept", "queue_counts"] {
        sql.execute(&format!("DELETE FROM {table}"), []).unwrap();
    }
    drop(sql);
    assert_eq!(pilot.refused(&["queue", "show", &fresh]), "queue_unknown");
    pilot.enact(&["queue", "rebuild"]).exits(0);
    let item = pilot.item(&fresh);
    assert_eq!((&item["status"], &item["attempt_count"], &item["lease"]), (&json!("PENDING"), &json!(0), &Value::Null), "{item:#}");
    assert_eq!(pilot.events(&fresh), ["queued"]);
    assert_eq!([WATER, GRANT].map(|id| pilot.events(id)), [["settled"], ["executed"]]);
    let out = pilot.work().exits(0).out;
    let executed: Vec<Value> = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    let executed: Vec<&str> =
        executed.iter().filter(|event| event["event"] == "executed").map(|event| event["queue_id"].as_str().unwrap()).collect();
    assert_eq!(executed, [fresh.as_str()]);
    assert_eq!(pilot.enact(&["runs", "--json"]).exits(0).json().as_array().unwrap().len(), 3, "one run for each item, ever");
    assert_eq!([WATER, GRANT, &fresh].map(|id| pilot.status(id)), ["SETTLED", "SETTLING", "SETTLED"]);
    pilot.sound();
}

/// Adopts hooks with workflows of their own: what each answers.
fn hooks(pilot: &Pilot, settle: &str, fulfill: &str) {
    let mut contract = Pilot::artifact("QC_WST_TRANSFER_V0");
    let mut artifacts = Vec::new();
    let modules = [("hostile-1", guests::says(settle, "{}")), ("hostile-2", guests::says(fulfill, "{}"))];
    for (index, hook) in [(1, "settlement"), (2, "fulfillment")] {
        artifacts.extend(hostile::artifacts(index, &json!({})));
        contract[hook]["workflow"] = json!(format!("WF_HOSTILE_{index}_V0"));
        contract[hook]["payload"] = json!({"data": "$.id"});
    }
    artifacts.push(contract);
    pilot.adopt(&artifacts, &modules);
}

/// W-32, W-34, W-44, W-47: a settlement or a confirmation whose own workflow fails is not recorded; the execution stays true, and it is tried
/// again. Both are in one entry with the receipt of their run.
#[test]
fn w_32_w_34_w_44_w_47_hooks_with_a_workflow_of_their_own_succeed_or_leave_everything_as_it_was() {
    let pilot = Pilot::new();
    hooks(&pilot, "VIOLATION", "VIOLATION");
    pilot.work().exits(3);
    let shown = pilot.item(WATER);
    assert_eq!(shown["status"], "EXECUTED", "{shown:#}");
    assert_eq!(pilot.events(WATER), ["queued", "validated", "leased", "executed", "settlement_failed"]);
    let (_, class, reason) = failure(&shown);
    assert!(!class.is_empty() && !reason.is_empty(), "{shown:#}");
    assert_eq!(pilot.status(GRANT), "SETTLING", "a bank is waited for without any workflow");
    let before = pilot.whole();
    assert_eq!(pilot.refused(&["settle", WATER, "--as", "worker-one"]), "queue_hook");
    assert_eq!(pilot.whole(), before);
    assert_eq!(pilot.balance(&format!("transit:{WATER}"), "WATER_SHARE"), "1200");
    // The same with a confirmation, of an item that is settled.
    hooks(&pilot, "SUCCESS", "VIOLATION");
    pilot.enact(&["settle", WATER, "--as", "worker-one", "--json"]).exits(0);
    assert_eq!(pilot.status(WATER), "SETTLED");
    let before = pilot.whole();
    assert_eq!(pilot.refused(&["fulfill", WATER, "--as", "joan", "--proof", "manual"]), "queue_hook");
    assert_eq!(pilot.whole(), before);
    hooks(&pilot, "SUCCESS", "SUCCESS");
    pilot.enact(&["fulfill", WATER, "--as", "joan", "--proof", "manual", "--json"]).exits(0);
    pilot.enact(&["settle", GRANT, "--as", "first-bank", "--evidence", PAPER, "--worker", "worker-one", "--json"]).exits(0);
    pilot.enact(&["fulfill", GRANT, "--as", "joan", "--proof", "digest", "--evidence", PAPER, "--json"]).exits(0);
    let item = pilot.queued(&[json!({})]).remove(0);
    pilot.work().exits(0);
    assert_eq!([WATER, GRANT, &item].map(|id| pilot.status(id)), ["FULFILLED", "FULFILLED", "SETTLED"]);
    // Two executions before, one after, three settlements and two confirmations, each with its run in its entry.
    assert_eq!(pilot.enact(&["runs", "--json"]).exits(0).json().as_array().unwrap().len(), 8);
    for (id, action) in [(WATER, "fulfillment.confirmed"), (GRANT, "settlement.recorded"), (item.as_str(), "settlement.recorded")] {
        let history = pilot.enact(&["history", &format!("Execution:{id}"), "--json"]).exits(0).json();
        let row = history.as_array().unwrap().iter().find(|row| row["action"] == action).unwrap().clone();
        let shown = pilot.enact(&["show", &row["seq"].to_string(), "--json"]).exits(0).json();
        assert!(shown["receipt"]["workflow"].as_str().unwrap().starts_with("WF_HOSTILE"), "{shown:#}");
    }
    pilot.sound();
}

/// W-46, W-47, W-51: a final failure and a void are records of the ledger and protect after the journal is lost.
#[test]
fn w_46_w_47_a_final_failure_and_a_void_survive_the_loss_of_the_journal() {
    let pilot = Pilot::new();
    let poor = pilot.queued(&[json!({"quantity": "999999"})]).remove(0);
    pilot.work().exits(3);
    let shown: Vec<String> = [WATER, GRANT, "EXQ-20260417-3", &poor].map(|id| pilot.status(id)).to_vec();
    let sql = pilot.scratch.sql();
    for table in ["queue_items", "queue_journal", "queue_kept", "queue_counts"] {
        sql.execute(&format!("DELETE FROM {table}"), []).unwrap();
    }
    drop(sql);
    pilot.enact(&["queue", "rebuild"]).exits(0);
    // That settlement waits is the journal's alone; that it was executed is not.
    let again: Vec<String> = [WATER, GRANT, "EXQ-20260417-3", &poor].map(|id| pilot.status(id)).to_vec();
    assert_eq!((again[0].as_str(), again[1].as_str(), &again[2..]), ("SETTLED", "EXECUTED", &shown[2..]));
    assert_eq!(pilot.item(&poor)["failure_reason"], "posting_floor");
    pilot.work().exits(0);
    assert_eq!(pilot.status(GRANT), "SETTLING");
    assert_eq!(pilot.balance("wallet:line-crew", "WATER_SHARE"), "1200");
    pilot.sound();
}
