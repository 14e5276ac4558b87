//! Entries of a run and of what follows from it: the receipt first and alone, the records bound to it, all or nothing.

use enact_core::entry::{Entry, Record};
use enact_core::govern::{Fold, fold};
use enact_core::hash::Digest;
use enact_core::receipt::ExitClass;
use enact_core::state::Space;
use enact_core::verify::Verifier;
use enact_core::{entry, receipt::RunReceipt};
use serde_json::json;

use super::world::{Told, World};
use crate::support::{ORIGIN, receipt};

/// The receipt of a run under the protocol in force.
fn run(world: &World, nth: u64) -> RunReceipt {
    RunReceipt { snapshot: *world.rules.snapshot(), ..receipt(nth) }
}

/// A record that belongs to a run.
fn bound(record: Record, run: &Record) -> Record {
    let mut record = record;
    record.refs.insert("run".into(), run.hash().unwrap());
    record
}

/// A job that is queued, and the record of its execution by a run.
fn executed(world: &World, run: &Record) -> Record {
    let record = world.ann("JOB.EXECUTE", "Job:1", json!({"run": "RUN-1"}));
    bound(Record { consumes: vec!["job:1".into()], ..record }, run)
}

fn queued() -> World {
    let mut world = World::new();
    world.say(vec![world.ann("JOB.QUEUE", "Job:1", json!({"n": 1}))]).unwrap();
    world
}

fn said(world: &World, records: Vec<Record>) -> &'static str {
    world.clone().say(records).map_or_else(|error| error.code().unwrap(), |_| "allowed")
}

#[test]
fn w_27_a_run_and_what_follows_from_it_are_one_entry_that_verifies_and_folds() {
    let mut world = queued();
    let receipt = run(&world, 1).record();
    let record = executed(&world, &receipt);
    assert_eq!(world.say(vec![receipt.clone(), record.clone()]).unwrap(), ["core#run", "AM_SAMPLE_V0#clerk"]);
    assert_eq!(world.row(Space::Subject, "Job:1").unwrap()["state"], "done");
    assert_eq!(world.row(Space::Consumed, "job:1").unwrap()["record"], record.hash().unwrap().to_string());
    assert!(world.row(Space::Subject, &receipt.subject).is_none(), "a receipt writes no row");
    // The bytes, and the meaning.
    let mut verifier = Verifier::new(ORIGIN);
    for (seq, entry) in world.entries.iter().enumerate() {
        let bytes = entry.to_bytes().unwrap();
        verifier.feed(seq as u64, &bytes, &enact_core::hash::leaf_hash(&bytes)).unwrap();
    }
    assert_eq!(verifier.finish(&world.head), []);
    let rules = world.rules.clone();
    let of = |_: &Digest| Some(&rules);
    let (state, findings) = fold(&of, &Told, &world.entries);
    assert_eq!(findings, []);
    assert!(state == world.state);
    // Altered afterwards, it is found: another engine's word, a record bound to no run, rows that are left out.
    let find = |edit: &dyn Fn(&mut Entry)| {
        let mut entries = world.entries.clone();
        edit(entries.last_mut().unwrap());
        fold(&of, &Told, &entries).1.first().map(|finding| finding.code)
    };
    assert_eq!(find(&|entry| entry.records[0].actor = "Actor:ann".into()), Some("entry_unauthorised"));
    assert_eq!(
        find(&|entry| {
            entry.records[1].refs.remove("run");
        }),
        Some("entry_unauthorised")
    );
    assert_eq!(
        find(&|entry| {
            entry.records.remove(0);
        }),
        Some("entry_unauthorised")
    );
    assert_eq!(find(&|entry| entry.decided[0] = "AM_SAMPLE_V0#clerk".into()), Some("entry_decided"));
    assert_eq!(find(&|entry| entry.records.reverse()), Some("entry_receipt"));
    let last = world.entries.last().unwrap();
    assert_eq!(Entry::parse(&Entry { decided: vec![], ..last.clone() }.to_bytes().unwrap()).unwrap_err().code(), "entry_decided");
}

#[test]
fn w_36_a_mixed_entry_is_all_or_nothing() {
    let world = queued();
    let receipt = run(&world, 1).record();
    let wrong = Record { consumes: vec!["job:2".into()], ..executed(&world, &receipt) };
    let mut tried = world.clone();
    assert_eq!(tried.say(vec![receipt, wrong]).unwrap_err().code(), Some("consumes_mismatch"));
    assert!(tried.state == world.state && tried.head == world.head);
}

#[test]
fn w_45_a_receipt_stands_first_and_alone_and_is_the_engines() {
    let world = queued();
    let (one, two) = (run(&world, 1).record(), run(&world, 2).record());
    let record = executed(&world, &one);
    assert_eq!(said(&world, vec![one.clone(), record.clone()]), "allowed");
    assert_eq!(said(&world, vec![record.clone(), one.clone()]), "entry_receipt");
    assert_eq!(said(&world, vec![one.clone(), record.clone(), two.clone()]), "entry_receipt");
    assert_eq!(said(&world, vec![one.clone(), two.clone()]), "entry_receipt");
    let draft = world.draft(vec![one.clone(), two.clone()]);
    assert_eq!(entry::seal(&world.head, ORIGIN, draft).unwrap_err().code(), "entry_receipt");
    // Said by somebody else, in another shape, under another protocol.
    let by = Record { actor: "Actor:ann".into(), ..one.clone() };
    assert_eq!(said(&world, vec![by.clone(), bound(record.clone(), &by)]), "authority_none");
    let mut shapeless = one.clone();
    shapeless.payload["steps"] = json!("many");
    assert_eq!(said(&world, vec![shapeless.clone(), bound(record.clone(), &shapeless)]), "payload_type");
    let foreign = receipt(1).record();
    assert_eq!(said(&world, vec![foreign.clone(), bound(record.clone(), &foreign)]), "chain_protocol");
    // Bound to that run and to no other.
    assert_eq!(said(&world, vec![two, record.clone()]), "record_field");
    let mut unbound = record;
    unbound.refs.remove("run");
    assert_eq!(said(&world, vec![one, unbound]), "record_field");
}

#[test]
fn w_45_an_execution_is_recorded_with_the_receipt_of_its_workflow_or_not_at_all() {
    let world = queued();
    let good = run(&world, 1);
    let said = |receipt: RunReceipt| {
        let receipt = receipt.record();
        said(&world, vec![receipt.clone(), executed(&world, &receipt)])
    };
    assert_eq!(said(good.clone()), "allowed");
    assert_eq!(said(RunReceipt { workflow: "WF_OTHER_V0".into(), ..good.clone() }), "execution_run");
    for class in [ExitClass::Failure, ExitClass::Abort, ExitClass::Timeout] {
        let mut failed = good.clone();
        failed.exit.class = class;
        assert_eq!(said(failed), "execution_run", "{class:?}");
    }
    let alone = Record { consumes: vec!["job:1".into()], ..world.ann("JOB.EXECUTE", "Job:1", json!({"run": "RUN-1"})) };
    assert_eq!(world.code(alone), "execution_run");
    // What is no execution needs no run, and may follow one.
    let receipt = good.record();
    assert_eq!(super::mixed::said(&world, vec![receipt.clone(), bound(world.ann("JOB.VOID", "Job:1", json!({})), &receipt)]), "allowed");
    let mut replay = Fold::new();
    assert!(world.entries.iter().all(|entry| replay.feed(&|_| Some(&world.rules), &Told, entry).is_ok()));
}
