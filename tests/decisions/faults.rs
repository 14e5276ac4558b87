//! Faults of the machine while a decision is carried out: a file that may not grow, so that SQLite fails as on a full disk, in the transaction that
//! matters. The process that does it is another one, whose limit is set from here.
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::crash::{Decider, noted};
use super::{FUNDED, balance, carried, decide, decided_by_max, shown, spend};
use crate::governance::{told, whole};
use crate::proposals::propose;
use crate::support::{Scratch, project};

/// Pages that may still be written: what is noted twice has room, what an entry is has none.
const PAGES: u64 = 9;

/// Lets no file of a process grow beyond the log as it is now and a few pages.
fn limit(scratch: &Scratch, decider: &Decider) {
    let log = std::fs::metadata(scratch.workspace().join("ledger/ledger.db-wal")).unwrap().len();
    grow(decider, &format!("{}:", log + PAGES * 4_120));
}

fn grow(decider: &Decider, limit: &str) {
    let pid = decider.child.id().to_string();
    assert!(Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limit}")]).status().unwrap().success());
}

fn said(decider: &mut Decider, prefix: &str) -> String {
    let found = decider.lines.find_map(|line| line.strip_prefix(prefix).map(str::to_owned));
    found.unwrap_or_else(|| panic!("it never said `{prefix}`"))
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

    let mut decider = Decider::start(&scratch, "execute", "Proposal:T-1", "Treasury:warm");
    limit(&scratch, &decider);
    let begun = Instant::now();
    decider.go();
    let code = said(&mut decider, "ENDED ");
    assert!(matches!(code.as_str(), "store_io" | "store_full"), "{code}");
    assert!(begun.elapsed() >= Duration::from_secs(1 + 2 + 4), "it did not wait");
    decider.end();
    let report = shown(&scratch, "T-1");
    assert_eq!((&report["status"], &report["state"]), (&json!("PermanentlyFailed"), &json!("APPROVED")), "{report:#}");
    assert_eq!((&report["retries"], &report["error"]), (&json!(3), &json!(code)));
    assert_eq!(report["ledger_entry_ids"], json!([]));
    assert_eq!(report["results"][0]["success"], false);
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED);

    // Nobody tries it by itself any more; the other one is still due.
    let done = decide(&scratch, &["--pending"], 0);
    let subjects: Vec<&str> = done.as_array().unwrap().iter().map(|each| each["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["Proposal:T-2"]);
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED - 70);
    // By hand it is done, once.
    assert!(decide(&scratch, &["T-1", "--pending"], 0)[0]["executed"].is_object());
    assert_eq!(decide(&scratch, &["T-1", "--pending"], 0)[0]["duplicate"], true);
    let report = shown(&scratch, "T-1");
    assert_eq!((&report["status"], &report["error"]), (&json!("Confirmed"), &Value::Null), "{report:#}");
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED - 570);
    whole(&scratch);
}

/// I-36, I-38: a fault that goes away in the meantime leaves the decision carried out, once.
#[test]
fn i_36_i_38_a_fault_that_goes_away_is_none() {
    let (scratch, engine) = decided_by_max();
    carried(&engine, "T-1", &[spend(500)]);
    drop(engine);
    decide(&scratch, &["T-1", "--no-execute"], 0);
    let mut decider = Decider::start(&scratch, "execute", "Proposal:T-1", "Treasury:warm");
    limit(&scratch, &decider);
    decider.go();
    let begun = Instant::now();
    while noted(&scratch, "Proposal:T-1") != ["Executing"] {
        assert!(begun.elapsed() < Duration::from_secs(60), "it was never begun");
    }
    // Long enough for the first try, and less than the first wait.
    std::thread::sleep(Duration::from_millis(500));
    grow(&decider, "unlimited:");
    assert_eq!(said(&mut decider, "ENDED "), "done");
    decider.end();
    assert_eq!(shown(&scratch, "T-1")["status"], "Confirmed");
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED - 500);
    whole(&scratch);
}

fn example(pack: &str, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(project(&format!("protocol/packs/{pack}/examples/{file}.json"))).unwrap()).unwrap()
}

/// I-11 to I-17, I-34: what a settlement of work says is checked member by member, its key is that of the receipt, and it moves money once.
#[test]
fn i_11_i_12_i_13_i_14_i_15_i_16_i_17_i_34_a_settlement_of_work_fails_in_each_way_that_is_known() {
    let (scratch, _) = told("treasury");
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

    for scope in ["local", "cell", "org"] {
        let mut record = settle(match scope {
            "local" => 1,
            "cell" => 2,
            _ => 3,
        });
        record["payload"]["scope"] = scope.into();
        assert_eq!(code(&record), "appended", "{scope}");
    }
    assert_eq!((euros("holder:nils"), euros("holder:olga")), (before.0 - 9, before.1 + 9));
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

/// A row that cannot be read is damage, also where a decision comes upon it; what else is due is decided all the same.
#[test]
fn i_47_a_decision_that_comes_upon_damage_is_not_refused_by_a_rule() {
    let (scratch, engine) = decided_by_max();
    carried(&engine, "T-1", &[spend(500)]);
    carried(&engine, "T-2", &[spend(70)]);
    drop(engine);
    let sql = "UPDATE state SET value = 'junk' WHERE space = 'balance' AND key LIKE 'ballot-yes:T-1|%'";
    assert!(scratch.sql().execute(sql, []).unwrap() > 0);
    let outcomes = decide(&scratch, &["T-1", "T-2"], 4);
    assert_eq!(outcomes[0]["stopped"]["code"], "state_unreadable", "{outcomes:#}");
    assert!(outcomes[1]["executed"].is_object(), "{outcomes:#}");
    scratch.enact(&["ledger", "rebuild"]).exits(0);
    decide(&scratch, &["T-1"], 0);
}
