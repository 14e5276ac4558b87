//! A workspace that lost everything but its entries: what is derived comes back as it was, and nothing that was done is done again.
use serde_json::{Value, json};

use super::{balance, carried, decide, decided_by_max, open, say, shown, spend};
use crate::governance::whole;
use crate::proposals::propose;
use crate::queue_pilot::{Pilot, WATER};
use crate::support::Scratch;

/// Everything that is derived, and everything that only execution remembers.
const DERIVED: [&str; 10] =
    ["state", "links", "executions", "listeners", "listener_log", "queue_items", "queue_journal", "queue_kept", "queue_counts", "refusals"];

/// Deletes them, as a tool would.
fn lose(scratch: &Scratch) {
    for table in DERIVED {
        scratch.sql().execute(&format!("DELETE FROM {table}"), []).unwrap();
    }
}

/// Makes everything anew from the entries.
fn rebuilt(scratch: &Scratch) -> Value {
    let report = scratch.enact(&["ledger", "rebuild", "--json"]).exits(0).json();
    scratch.enact(&["queue", "rebuild", "--json"]).exits(0);
    report
}

fn size(scratch: &Scratch) -> i64 {
    scratch.sql().query_row("SELECT size FROM head", [], |row| row.get(0)).unwrap()
}

/// Every entry of the ledger that holds nothing but signed records.
fn signed(scratch: &Scratch) -> Vec<Value> {
    let entries = scratch.enact(&["ledger", "export"]).exits(0).out;
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap()["records"].clone();
    entries.lines().map(read).filter(|records| records.as_array().unwrap().iter().all(|record| record["sig"].is_string())).collect()
}

/// Must show 4, I-26, I-46, I-53: decisions, keys and movements.
#[test]
fn i_26_i_46_i_53_what_was_decided_survives_the_loss_of_everything_derived_and_no_replay_is_appended() {
    let (scratch, engine) = decided_by_max();
    for nth in 0..3 {
        carried(&engine, &format!("T-{nth}"), &[spend(100)]);
    }
    carried(&engine, "T-open", &[spend(7)]);
    drop(engine);
    decide(&scratch, &["T-0", "T-1"], 0);
    decide(&scratch, &["T-2", "--no-execute"], 0);
    let (roots, size_before) = (whole(&scratch)["state_roots"].clone(), size(&scratch));
    lose(&scratch);
    scratch.enact(&["verify", "--rebuild", "--json"]).exits(4);
    let report = rebuilt(&scratch);
    assert_eq!(report["roots"], roots, "{report:#}");
    assert_eq!(whole(&scratch)["state_roots"], roots);
    assert_eq!(size(&scratch), size_before);
    // Every entry that people signed, once more as it was.
    let all = signed(&scratch);
    assert!(all.len() > 40, "{}", all.len());
    let engine = open(&scratch);
    for records in &all {
        let proposed = enact_engine::govern::Proposed::read(records.to_string().as_bytes(), "it").unwrap();
        let actor = records[0]["actor"].as_str().unwrap().strip_prefix("Actor:").unwrap();
        assert!(engine.propose(actor, &proposed).is_err(), "{records:#}");
    }
    // A decision under its hash, a key under another subject.
    let hash = shown(&scratch, "T-0")["decision_hash"].as_str().unwrap().to_owned();
    assert_eq!(decide(&scratch, &[&hash, "--pending"], 0)[0]["duplicate"], true);
    let vote = all.iter().find(|records| records[0]["action"] == "VOTE.CAST").unwrap()[0].clone();
    let mut vote = json!({"type": "VOTE", "action": "VOTE.CAST", "subject": "Vote:again", "payload": vote["payload"], "consumes": vote["consumes"], "postings": vote["postings"]});
    vote["payload"]["proposal"] = "T-open".into();
    vote["consumes"] = json!(["vote:T-open:Actor:mia"]);
    vote["postings"][1]["account"] = "ballot-yes:T-open".into();
    let (exit, answer) = propose(&scratch, "mia", vote.to_string().as_bytes());
    assert_eq!((exit, &answer["error"]["code"]), (3, &"key_consumed".into()), "{answer:#}");
    assert_eq!(size(&scratch), size_before);
    // What was decided and not carried out still can be, once.
    let before = balance(&scratch, "treasury:test");
    assert!(decide(&scratch, &["T-2", "--pending"], 0)[0]["executed"].is_object());
    assert_eq!(decide(&scratch, &["T-2", "--pending"], 0)[0]["duplicate"], true);
    assert_eq!(balance(&scratch, "treasury:test"), before - 100);
    whole(&scratch);
}

/// Must show 4: runs and items of the queue.
#[test]
fn i_26_i_46_items_and_runs_survive_the_loss_of_everything_derived_and_are_answered_with_the_original() {
    let pilot = Pilot::new();
    pilot.work().exits(0);
    assert_eq!(pilot.status(WATER), "SETTLED");
    let scratch = &pilot.scratch;
    let (roots, size_before) = (whole(scratch)["state_roots"].clone(), size(scratch));
    lose(scratch);
    assert_eq!(rebuilt(scratch)["roots"], roots);
    assert_eq!(whole(scratch)["state_roots"], roots);
    assert_eq!(pilot.status(WATER), "SETTLED");
    let again = pilot.said(&["queue", "start", WATER, "--as", "joan", "--worker", "worker-one"]);
    assert_ne!(again, "done");
    pilot.work().exits(0);
    for records in signed(scratch) {
        let (exit, answer) = propose(scratch, records[0]["actor"].as_str().unwrap(), records.to_string().as_bytes());
        assert!(exit != 0 || answer["original"].is_object(), "{records:#}: {answer:#}");
    }
    // Nothing was appended, so nothing was moved.
    assert_eq!(size(scratch), size_before);
    pilot.sound();
}

/// Must show 4, B-28: what listeners heard is not heard again.
#[test]
fn i_46_b_28_what_was_heard_is_not_heard_again_after_the_loss_of_everything_derived() {
    let scratch = crate::listen::noted();
    crate::listen::say(&scratch, 2, 3);
    let listen = || crate::listen::deliveries(&scratch.enact(&["listen", "--once", "--json"]).exits(0));
    assert_eq!(listen().len(), 6);
    let (roots, runs) = (whole(&scratch)["state_roots"].clone(), crate::listen::runs(&scratch));
    lose(&scratch);
    assert_eq!(rebuilt(&scratch)["roots"], roots);
    let before = size(&scratch);
    let again = listen();
    assert!(again.iter().all(|delivery| delivery["outcome"] == "duplicate"), "{again:#?}");
    assert_eq!((crate::listen::runs(&scratch), size(&scratch)), (runs, before));
    assert_eq!(whole(&scratch)["state_roots"], roots);
}

/// An entry that the rules do not allow stops the rebuild, and what was there stays.
#[test]
fn b_27_a_rebuild_of_a_ledger_that_says_what_was_not_allowed_changes_nothing() {
    let (scratch, engine) = decided_by_max();
    say(&engine, "tom", &json!({"type": "TREASURY", "action": "TREASURY.OPEN", "subject": "Treasury:last", "payload": {"purpose": "It."}}));
    drop(engine);
    let last = size(&scratch) - 1;
    crate::support::reseal(&scratch, &|seq, entry| {
        if i64::try_from(seq).unwrap() == last {
            entry.records[0].actor = "Actor:nobody".to_owned();
        }
    });
    let rows = || -> i64 { scratch.sql().query_row("SELECT count(*) FROM state", [], |row| row.get(0)).unwrap() };
    let before = rows();
    let ran = scratch.enact(&["ledger", "rebuild", "--json"]).exits(4).json();
    assert_eq!(ran["error"]["code"], "entry_unauthorised", "{ran:#}");
    assert_eq!(rows(), before);
}
