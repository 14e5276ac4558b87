//! What a protocol has frozen is not redefined by adopting another one, and everything else may be.

use enact_core::entry::Record;
use enact_core::govern::{Protocol, fold};
use enact_core::hash::Digest;
use serde_json::{Value, json};

use super::world::{Knows, World, artifacts, compile};
use crate::support::digest;

type Set = Vec<(String, Value)>;

/// The pack with its orders and its accounts frozen.
fn frozen() -> Set {
    changed(artifacts(), |code, artifact| {
        if matches!(code, "LC_ORDER_V0" | "AS_SAMPLE_V0") {
            artifact["frozen"] = json!(true);
        }
    })
}

fn changed(mut set: Set, change: impl Fn(&str, &mut Value)) -> Set {
    for (code, artifact) in &mut set {
        change(code, artifact);
    }
    set
}

/// The pack, frozen, with one artifact changed further.
fn other(code: &str, change: impl Fn(&mut Value)) -> Set {
    changed(frozen(), |name, artifact| {
        if name == code {
            change(artifact);
        }
    })
}

fn and(code: &str, artifact: Value) -> Set {
    let mut set = frozen();
    set.push((code.to_owned(), artifact));
    set
}

fn without(code: &str) -> Set {
    frozen().into_iter().filter(|(name, _)| name != code).collect()
}

fn sealed(set: &Set) -> Protocol {
    Protocol::compile(digest("next"), set.iter().map(|(code, value)| (code.as_str(), value))).unwrap()
}

/// A ledger under the frozen pack whose two admins may adopt another protocol; the proposal to adopt `next` is open.
fn proposed() -> (World, Record) {
    let mut world = World { rules: compile(&frozen()).unwrap(), ..World::new() };
    world.admin("ACTOR.GRANT", "Actor:bob", json!({"role": "admin"}));
    let payload = json!({"snapshot": digest("next")});
    let proposal = world.record("Actor:root", "PROTOCOL.PROPOSE", "Protocol:ledger", payload.clone());
    let proposal = world.signed(Record { version: Some(1), ..proposal }, "root");
    let hash = proposal.hash().unwrap();
    world.say(vec![proposal]).unwrap();
    let mut ratification = world.record("Actor:bob", "PROTOCOL.RATIFY", "Protocol:ledger", payload);
    ratification.version = Some(1);
    ratification.refs.insert("proposal".to_owned(), hash);
    let ratification = world.signed(ratification, "bob");
    (world, ratification)
}

/// What becomes of adopting a snapshot.
fn adopting(next: &Set) -> &'static str {
    let (mut world, ratification) = proposed();
    world.known = vec![sealed(next)];
    let before = world.state.clone();
    let code = world.code(ratification);
    assert!(world.state == before);
    code
}

#[test]
fn q_25_adopting_a_snapshot_that_redefines_what_is_frozen_is_refused() {
    let row = |name: &str, action: &str| json!({"row": name, "actions": [action], "roles": ["clerk"], "signature": false});
    let matrix = |action: &str| json!({"code": "AM_AAA_V0", "summary": "More.", "rows": [row("more", action)]});
    let orders = |change: fn(&mut Value)| other("LC_ORDER_V0", change);
    for (what, next) in [
        ("another guard", orders(|a| a["actions"]["ORDER.PAY"]["guards"] = json!([]))),
        ("another edge", orders(|a| a["actions"]["ORDER.CLOSE"]["from"] = json!(["open", "paid"]))),
        ("one action more", orders(|a| a["actions"]["ORDER.SKIP"] = json!({"summary": "Skips.", "from": ["open"], "to": "paid"}))),
        ("another sentence", orders(|a| a["summary"] = json!("Other orders."))),
        ("thawed", orders(|a| a["frozen"] = json!(false))),
        ("said without being said", orders(|a| drop(a.as_object_mut().unwrap().remove("frozen")))),
        ("another floor", other("AS_SAMPLE_V0", |a| a["accounts"]["line"]["floor"] = json!("-1000"))),
        ("one row more, elsewhere", and("AM_AAA_V0", matrix("ORDER.CLOSE"))),
        ("another row", other("AM_SAMPLE_V0", |a| a["rows"][0]["roles"] = json!(["clerk", "nurse"]))),
        ("a row less", other("AM_SAMPLE_V0", |a| drop(a["rows"][0]["actions"].as_array_mut().unwrap().remove(0)))),
    ] {
        // What no row allows is an error of the checks, not of compiling: it is refused here all the same.
        assert_eq!(adopting(&next), "protocol_frozen", "{what}");
    }
    for (what, next) in [
        ("nothing else", frozen()),
        ("another lifecycle", other("LC_PROBE_V0", |a| a["actions"]["PROBE.ANY"] = json!({"summary": "Anything else."}))),
        ("one artifact less", without("QC_JOB_V0")),
        ("a row for something else", and("AM_AAA_V0", matrix("ACT.NOBODY"))),
        ("more frozen than before", other("LC_ACT_V0", |a| a["frozen"] = json!(true))),
    ] {
        assert_eq!(adopting(&next), "allowed", "{what}");
    }
}

#[test]
fn q_25_what_cannot_be_read_is_not_adopted_and_a_forged_adoption_is_found_by_folding() {
    let (mut world, ratification) = proposed();
    assert_eq!(world.code(ratification.clone()), "invariant_undecided", "the snapshot is not there");
    let next = other("LC_ORDER_V0", |a| a["actions"]["ORDER.PAY"]["guards"] = json!([]));
    // Appended by somebody whose judge looks the other way.
    world.known = vec![sealed(&frozen())];
    world.say(vec![ratification]).unwrap();
    let rules = world.rules.clone();
    let of = |_: &Digest| Some(&rules);
    assert_eq!(fold(&of, &Knows(&world.known), &world.entries).1, []);
    let (_, findings) = fold(&of, &Knows(&[sealed(&next)]), &world.entries);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].code, "entry_unauthorised");
    assert!(findings[0].detail.starts_with("protocol_frozen"), "{findings:?}");
}

#[test]
fn q_25_without_anything_frozen_nobody_is_asked() {
    let (world, ratification) = proposed();
    let thawed = World { rules: compile(&artifacts()).unwrap(), ..world };
    assert_eq!(thawed.code(ratification), "allowed");
}
