//! Faults of the machine while a decision is carried out: SQLite itself fails where it would on a full disk, in the transaction that matters.
use enact_engine::EngineError;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

use super::{FUNDED, OPTIONS, balance, carried, decide, decided_by_max, open, say, shown, spend};
use crate::governance::{told, whole};
use crate::proposals::propose;
use crate::support::{Scratch, project};

/// Makes every entry fail: a table that is full, since its last number is taken, gets a row with each. The engine must be open already: a file
/// with foreign tables is refused.
const FULL: &str = "CREATE TABLE fault(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO fault VALUES(9223372036854775807); \
     CREATE TRIGGER fault_entries BEFORE INSERT ON entries BEGIN INSERT INTO fault(id) VALUES(NULL); END";
const MENDED: &str = "DROP TRIGGER fault_entries; DROP TABLE fault";

fn executed(engine: &enact_engine::Engine, subject: &str) -> Result<Vec<Value>, EngineError> {
    let mut outcomes = Vec::new();
    engine
        .execute_decisions("max", &[subject.to_owned()], &OPTIONS, |outcome| outcomes.push(serde_json::to_value(&outcome).unwrap()))
        .map(|()| outcomes)
}

/// I-34 (Internal), I-36, I-38, I-39, I-44, I-47, I-48: a fault is tried again three times, after 1, 2 and 4 seconds, and then by hand;
/// whenever it ends, the effects are there once or not at all.
#[test]
fn i_36_i_38_i_39_i_44_i_48_a_fault_while_carrying_out_is_tried_again_three_times_and_then_by_hand() {
    let (scratch, engine) = decided_by_max();
    carried(&engine, "T-1", &[spend(500)]);
    carried(&engine, "T-2", &[spend(70)]);
    drop(engine);
    decide(&scratch, &["T-1", "T-2", "--no-execute"], 0);
    // Nobody began: what is not there is pending.
    let report = shown(&scratch, "T-1");
    assert_eq!((&report["status"], &report["retries"], &report["started_at"]), (&json!("Pending"), &json!(0), &Value::Null));

    let engine = open(&scratch);
    say(&engine, "tom", &json!({"type": "TREASURY", "action": "TREASURY.OPEN", "subject": "Treasury:warm", "payload": {"purpose": "It."}}));
    scratch.sql().execute_batch(FULL).unwrap();
    let begun = Instant::now();
    let error = executed(&engine, "Proposal:T-1").unwrap_err();
    assert_eq!(error.code(), "store_full", "{error}");
    assert!(begun.elapsed() >= Duration::from_secs(1 + 2 + 4), "it did not wait");
    scratch.sql().execute_batch(MENDED).unwrap();
    let report = shown(&scratch, "T-1");
    assert_eq!((&report["status"], &report["state"]), (&json!("PermanentlyFailed"), &json!("APPROVED")), "{report:#}");
    assert_eq!((&report["retries"], &report["error"]), (&json!(3), &json!("store_full")));
    assert_eq!(report["ledger_entry_ids"], json!([]));
    assert_eq!(report["results"][0]["success"], false);
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED);

    // Nobody tries it by itself any more; the other one is still due.
    let done = decide(&scratch, &["--pending"], 0);
    let subjects: Vec<&str> = done.as_array().unwrap().iter().map(|each| each["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["Proposal:T-2"]);
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED - 70);
    // By hand it is done, once.
    assert!(executed(&engine, "Proposal:T-1").unwrap()[0]["executed"].is_object());
    assert_eq!(executed(&engine, "Proposal:T-1").unwrap()[0]["duplicate"], true);
    let report = shown(&scratch, "T-1");
    assert_eq!((&report["status"], &report["error"]), (&json!("Confirmed"), &Value::Null), "{report:#}");
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED - 570);
    whole(&scratch);
}

/// I-36, I-38: a fault that goes away in the meantime leaves the decision carried out, once, and says how often it was tried.
#[test]
fn i_36_i_38_a_fault_that_goes_away_is_none() {
    let (scratch, engine) = decided_by_max();
    carried(&engine, "T-1", &[spend(500)]);
    decide(&scratch, &["T-1", "--no-execute"], 0);
    scratch.sql().execute_batch(FULL).unwrap();
    std::thread::scope(|scope| {
        let executing = scope.spawn(|| executed(&engine, "Proposal:T-1"));
        // Begun, and every try fails until it is mended.
        while shown_in(&scratch, "Proposal:T-1") != Some("Executing".to_owned()) {
            assert!(!executing.is_finished(), "it was never begun");
            std::thread::yield_now();
        }
        scratch.sql().busy_timeout(Duration::from_secs(10)).unwrap();
        while scratch.sql().execute_batch(MENDED).is_err() {
            std::thread::yield_now();
        }
        assert!(executing.join().unwrap().unwrap()[0]["executed"].is_object());
    });
    let report = shown(&scratch, "T-1");
    assert_eq!(report["status"], "Confirmed", "{report:#}");
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED - 500);
    whole(&scratch);
}

/// What was noted about the decision of a proposal.
fn shown_in(scratch: &Scratch, proposal: &str) -> Option<String> {
    scratch.sql().query_row("SELECT status FROM executions WHERE proposal = ?1", [proposal], |row| row.get(0)).ok()
}

fn example(pack: &str, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(project(&format!("protocol/packs/{pack}/examples/{file}.json"))).unwrap()).unwrap()
}

/// I-11 to I-17, I-34: what a settlement of work says is checked member by member, its key is that of the receipt, and it moves money once;
/// a fault of the store leaves nothing and uses nothing up.
#[test]
fn i_11_i_12_i_13_i_14_i_15_i_16_i_17_i_34_a_settlement_of_work_fails_in_each_way_that_is_known() {
    let (scratch, _) = told("treasury");
    let engine = open(&scratch);
    let settle = |n: u8| {
        let mut record = example("treasury", "settle-S-1");
        record["subject"] = format!("WorkSettlement:T-{n}").into();
        record["payload"]["receipt_hash"] = format!("blake3:{}", format!("{n:02x}").repeat(32)).into();
        record["payload"]["amount"] = "3".into();
        record["postings"][0]["amount"] = "3".into();
        record["postings"][1]["amount"] = "3".into();
        record["consumes"] = json!([settlement_key(record["payload"]["receipt_hash"].as_str().unwrap())]);
        record
    };
    let euros = |who: &str| balance(&scratch, who);
    let before = (euros("holder:nils"), euros("holder:olga"));
    let code = |record: &Value| {
        let (exit, answer) = propose(&scratch, "nils", record.to_string().as_bytes());
        if exit == 0 { "appended".to_owned() } else { answer["error"]["code"].as_str().unwrap().to_owned() }
    };
    for (member, value, expected) in [
        ("executor_verified", json!(false), "guard_field_equals"),
        ("executor_verified", Value::Null, "payload_missing"),
        ("scope", json!("federation"), "guard_field_in"),
        ("scope", json!("commons"), "guard_field_in"),
        ("executor", json!("nils"), "guard_actors_distinct"),
    ] {
        let mut record = settle(1);
        if value.is_null() {
            record["payload"].as_object_mut().unwrap().remove(member);
        } else {
            record["payload"][member] = value.clone();
        }
        if member == "executor" {
            record["postings"][1]["account"] = "holder:nils".into();
        }
        let got = code(&record);
        assert!(got == expected || (member == "executor" && got.starts_with("guard_")), "{member} {value}: {got}");
    }
    let mut nothing = settle(1);
    nothing["payload"]["amount"] = "0".into();
    nothing["postings"] = json!([]);
    assert_eq!(code(&nothing), "guard_field_positive");
    // Another prefix is another key, and this one is not that of the receipt.
    let mut other = settle(1);
    other["consumes"] = json!([format!("sha256:{}", "1".repeat(64))]);
    assert_eq!(code(&other), "consumes_mismatch");
    assert_eq!((euros("holder:nils"), euros("holder:olga")), before);

    // The store fails: it is said, nothing moves, and the key is still there.
    let proposed = |record: &Value| enact_engine::govern::Proposed::read(record.to_string().as_bytes(), "it").unwrap();
    engine.propose("nils", &proposed(&settle(2))).unwrap();
    scratch.sql().execute_batch(FULL).unwrap();
    assert_eq!(engine.propose("nils", &proposed(&settle(1))).unwrap_err().code(), "store_full");
    scratch.sql().execute_batch(MENDED).unwrap();
    assert_eq!((euros("holder:nils"), euros("holder:olga")), (before.0 - 3, before.1 + 3));
    for scope in ["local", "cell", "org"] {
        let mut record = settle(match scope {
            "local" => 1,
            "cell" => 3,
            _ => 4,
        });
        record["payload"]["scope"] = scope.into();
        assert_eq!(code(&record), "appended", "{scope}");
    }
    assert_eq!((euros("holder:nils"), euros("holder:olga")), (before.0 - 12, before.1 + 12));
    // The same receipt under another name settles nothing: safe to ignore.
    let mut again = settle(1);
    again["subject"] = "WorkSettlement:T-9".into();
    assert_eq!(code(&again), "key_consumed");
    whole(&scratch);
}

/// The key as it was specified, made by hand.
fn settlement_key(receipt: &str) -> String {
    enact_core::hash::context_hash(format!("icn-ledger:settlement:v1:{receipt}").as_bytes()).to_string()
}
