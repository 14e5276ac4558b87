//! What holds over several entries: founding, keys, protocols, replay; and what holds whatever is said.

use std::cell::Cell;
use std::collections::BTreeMap;

use enact_core::entry::{Draft, Entry, Kind, Record};
use enact_core::govern::{Alone, EntryContext, Fold, JudgeError, Protocol, fold, judge, key_text, roots, sign_bytes};
use enact_core::hash::Digest;
use enact_core::state::{Space, StateDelta};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::world::{Told, World, artifacts, compile, key};
use crate::support::{ORIGIN, digest, receipt};

fn code<T>(said: Result<T, JudgeError<std::convert::Infallible>>) -> &'static str {
    said.map_or_else(|error| error.code().unwrap(), |_| "allowed")
}

#[test]
fn b_04_a_ledger_is_founded_once_and_by_nobody_but_its_first_actor() {
    let mut world = World::unfounded();
    let honest = world.founding("root");
    let unsigned = Record { sig: None, ..honest.clone() };
    assert_eq!(world.code(unsigned), "signature_missing");
    let mut forged = honest.clone();
    forged.payload["key"] = json!(key_text(&key("thief").verifying_key()));
    assert_eq!(world.code(forged), "signature_invalid");
    let mut proxy = honest.clone();
    proxy.actor = "Actor:thief".into();
    assert_eq!(world.code(proxy), "actor_unknown");
    let mut mighty = honest.clone();
    mighty.payload["roles"] = json!(["admin", "engine"]);
    assert_eq!(world.code(mighty), "payload_type", "nobody can be granted the engine's part");
    let second = world.founding("second");
    assert_eq!(code(world.clone().say(vec![honest.clone(), second.clone()])), "actor_unknown", "not even in the same batch");
    assert_eq!(world.say(vec![honest]).unwrap(), ["core#found"]);
    assert_eq!(world.code(second), "actor_unknown");
}

#[test]
fn b_32_a_signature_means_nothing_in_another_ledger_or_after_a_rotation() {
    let mut world = World::new();
    let act = world.signed(world.ann("ACT.SIGNED", "Act:1", json!({})), "ann");
    let elsewhere =
        EntryContext { origin: "example.org/other", at: "2026-04-17T10:00:00.000000+00:00", protocol: *world.rules.snapshot(), seq: 9 };
    assert_eq!(code(judge(&world.rules, &world.state, &Alone, &elsewhere, std::slice::from_ref(&act))), "signature_invalid");
    assert_ne!(sign_bytes(ORIGIN, &act).unwrap(), sign_bytes("example.org/other", &act).unwrap());
    assert_eq!(world.code(act.clone()), "allowed");
    world.admin("ACTOR.ROTATE", "Actor:ann", json!({"key": key_text(&key("ann2").verifying_key())}));
    assert_eq!(world.code(act.clone()), "signature_invalid");
    let renewed = world.signed(Record { sig: None, ..act }, "ann2");
    assert_eq!(world.code(renewed), "allowed");
    // The small-order point: under it a signature could be made for anything.
    let weak = json!({"key": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="});
    let rotate = world.signed(world.record("Actor:root", "ACTOR.ROTATE", "Actor:ann", weak), "root");
    assert_eq!(world.code(rotate), "payload_type");
}

#[test]
fn b_08_what_is_signed_is_the_dsse_encoding_of_the_record() {
    let world = World::new();
    let act = world.ann("ACT.SIGNED", "Act:1", json!({}));
    let body = String::from_utf8(act.unsigned_bytes().unwrap()).unwrap();
    let type_ = format!("application/vnd.enact.record.v1+json;origin={ORIGIN}");
    let expected = format!("DSSEv1 {} {type_} {} {body}", type_.len(), body.len());
    assert_eq!(String::from_utf8(sign_bytes(ORIGIN, &act).unwrap()).unwrap(), expected);
    assert_eq!(serde_json::to_value(&act).unwrap(), serde_json::from_str::<Value>(&body).unwrap());
}

#[test]
fn b_05_no_record_can_be_appended_twice_signed_or_not() {
    let mut world = World::new();
    for (record, again) in [
        (world.ann("ACT.FIRST", "Act:1", json!({})), "chain_prev"),
        (world.ann("ORDER.OPEN", "Order:1", json!({"amount": "1"})), "chain_prev"),
        (world.signed(world.ann("ACT.SIGNED", "Act:2", json!({})), "ann"), "chain_prev"),
    ] {
        assert_eq!(code(world.clone().say(vec![record.clone(), record.clone()])), again);
        world.say(vec![record.clone()]).unwrap();
        assert_eq!(world.code(record), again);
    }
}

#[test]
fn b_06_a_key_works_once_also_within_a_batch_and_guards_see_it() {
    let mut world = World::new();
    let mint = world.moving("MOVE.FREE", "0", &[("mint", -9, "COIN"), ("member:ann", 9, "COIN")]);
    world.say(vec![mint, world.ann("ORDER.OPEN", "Order:1", json!({"amount": "5"}))]).unwrap();
    let probe = |world: &World, id: &str| world.ann("PROBE.KEY", &format!("Probe:{id}"), json!({"about": "Order:1"}));
    let mut pay = world.moving("MOVE.FREE", "1", &[("member:ann", -5, "COIN"), ("order:1", 5, "COIN")]);
    pay = Record {
        postings: pay.postings.take(),
        consumes: vec!["paid:Order:1".into()],
        ..world.ann("ORDER.PAY", "Order:1", json!({"by": "Actor:ann"}))
    };
    assert_eq!(world.code(probe(&world, "1")), "allowed");
    assert_eq!(code(world.clone().say(vec![pay.clone(), probe(&world, "1")])), "guard_key_unconsumed");
    assert_eq!(world.say(vec![pay]).unwrap(), ["AM_SAMPLE_V0#clerk"]);
    assert_eq!(world.code(probe(&world, "1")), "guard_key_unconsumed");
    assert_eq!(world.balances()[&("order:1".to_owned(), "COIN".to_owned())], 5);
    assert_eq!(world.row(Space::Subject, "Order:1").unwrap()["state"], "paid");
}

#[test]
fn b_26_the_protocol_in_force_is_a_ratified_version_and_old_entries_keep_theirs() {
    let mut world = World::new();
    world.admin("ACTOR.REGISTER", "Actor:chief", json!({"key": key_text(&key("chief").verifying_key())}));
    world.admin("ACTOR.GRANT", "Actor:chief", json!({"role": "admin"}));
    let (old, new) =
        (world.rules.clone(), Protocol::compile(digest("next"), artifacts().iter().map(|(code, value)| (code.as_str(), value))).unwrap());
    let payload = json!({"snapshot": digest("next").to_string()});
    let propose =
        |world: &World| Record { version: Some(1), ..world.record("Actor:root", "PROTOCOL.PROPOSE", "Protocol:ledger", payload.clone()) };
    let proposal = propose(&world);
    let hash = proposal.hash().unwrap();
    world.say(vec![world.signed(proposal, "root")]).unwrap();
    let ratify = |world: &World, name: &str| {
        let mut record = world.record(&format!("Actor:{name}"), "PROTOCOL.RATIFY", "Protocol:ledger", payload.clone());
        record.version = Some(1);
        record.refs.insert("proposal".into(), hash);
        world.signed(record, name)
    };
    assert_eq!(world.code(ratify(&world, "root")), "authority_distinct");
    let act = world.ann("ACT.FIRST", "Act:1", json!({}));
    let early = Draft { protocol: digest("next"), ..world.draft(vec![act.clone()]) };
    assert_eq!(code(world.clone().append(early)), "chain_protocol");
    let both = vec![ratify(&world, "chief"), act.clone()];
    assert_eq!(code(world.clone().say(both)), "chain_protocol", "what follows in the same entry would be judged by the rules that went");
    world.say(vec![ratify(&world, "chief")]).unwrap();
    assert_eq!(world.code(act.clone()), "chain_protocol");
    world.rules = new.clone();
    world.say(vec![act]).unwrap();
    let rules = |snapshot: &Digest| [&old, &new].into_iter().find(|rules| rules.snapshot() == snapshot);
    let (state, findings) = fold(&rules, &Told, &world.entries);
    assert_eq!((state, findings), (world.state.clone(), vec![]));
    let only_old = |snapshot: &Digest| Some(&old).filter(|rules| rules.snapshot() == snapshot);
    assert_eq!(fold(&only_old, &Told, &world.entries).1[0].code, "entry_protocol");
}

#[test]
fn b_22_b_32_the_engine_has_two_rows_and_no_other() {
    let mut world = World::new();
    let engine = digest("engine");
    let stated = roots::record(&engine, world.head.size, &world.state.roots(), None);
    assert_eq!(world.code(stated.clone()), "allowed");
    assert_eq!(world.code(Record { sig: Some("c2ln".into()), ..stated.clone() }), "signature_invalid");
    assert_eq!(world.code(Record { actor: "Actor:root".into(), ..stated.clone() }), "authority_none");
    let mut beyond = roots::record(&engine, world.head.size + 1, &world.state.roots(), None);
    assert_eq!(world.code(beyond.clone()), "payload_type");
    beyond.payload["size"] = json!(0);
    assert_eq!(world.code(beyond), "record_subject");
    for action in ["ORDER.OPEN", "ACTOR.GRANT", "MOVE.FREE", "PROTOCOL.PROPOSE"] {
        let lifecycle = world.rules.lifecycles().find(|lifecycle| lifecycle.actions.contains_key(action)).unwrap();
        let subject = if action == "PROTOCOL.PROPOSE" { "Protocol:ledger".into() } else { format!("{}:x", lifecycle.subject) };
        let mut record = world.record(&format!("Engine:{engine}"), action, &subject, json!({}));
        record.payload = match action {
            "ORDER.OPEN" => json!({"amount": "1"}),
            "ACTOR.GRANT" => json!({"role": "clerk"}),
            "PROTOCOL.PROPOSE" => json!({"snapshot": engine.to_string()}),
            _ => json!({}),
        };
        record.version = (lifecycle.kind == Kind::Version).then_some(1);
        record.postings =
            world.moving("MOVE.FREE", "x", &[("mint", -1, "COIN"), ("gone", 1, "COIN")]).postings.filter(|_| action == "MOVE.FREE");
        assert_eq!(world.code(record), "authority_none", "{action}");
    }
    let run = receipt(1).record();
    assert!(world.say(vec![run.clone()]).unwrap().is_empty(), "an entry of receipts alone names none");
    let forged = Record { actor: "Actor:ann".into(), ..run };
    assert_eq!(world.code(forged), "authority_none");
}

#[test]
fn b_27_rows_are_proved_by_the_roots_that_the_engine_states() {
    let mut world = World::new();
    let mint = world.moving("MOVE.FREE", "0", &[("mint", -9, "COIN"), ("member:ann", 4, "COIN"), ("member:bob", 5, "COIN")]);
    world.say(vec![mint]).unwrap();
    let stated = roots::record(&digest("engine"), world.head.size, &world.state.roots(), None);
    let (size, tops) = roots::read(&stated).unwrap();
    assert_eq!((size, &tops), (world.head.size, &world.state.roots()));
    for space in Space::ALL {
        for (row, value) in world.state.rows(space) {
            let proof = roots::prove(space, world.state.rows(space), row).unwrap();
            assert!(roots::verify(space, row, value, &proof, &tops[&space]).is_ok());
            assert!(roots::verify(space, row, &value.replace('9', "8"), &proof, &tops[&space]).is_err() || !value.contains('9'));
            assert!(roots::verify(space, &format!("{row}x"), value, &proof, &tops[&space]).is_err());
        }
    }
    assert!(roots::prove(Space::Balance, world.state.rows(Space::Balance), "member:eve|COIN").is_none());
    let leaf = enact_core::canonical::to_bytes(&json!(["balance", "a|b", {"credits": "1", "debits": "0"}])).unwrap();
    assert_eq!(roots::row_leaf(Space::Balance, "a|b", r#"{"credits":"1","debits":"0"}"#), enact_core::hash::leaf_hash(&leaf));
    // A snapshot that lies is found by folding.
    let rules = world.rules.clone();
    let rules = |_: &Digest| Some(&rules);
    let honest = {
        let mut honest = world.clone();
        honest.say(vec![stated.clone()]).unwrap();
        honest
    };
    assert_eq!(fold(&rules, &Told, &honest.entries).1, []);
    let mut lie = stated;
    lie.payload["roots"]["balance"] = json!(Digest::sha256([7; 32]).to_string());
    world.say(vec![lie]).unwrap();
    assert_eq!(fold(&rules, &Told, &world.entries).1[0].code, "state_roots");
}

#[test]
fn b_30_a_stored_entry_that_the_rules_do_not_allow_is_found_by_folding() {
    let mut world = World::new();
    world.say(vec![world.ann("ORDER.OPEN", "Order:1", json!({"amount": "1"}))]).unwrap();
    let rules = world.rules.clone();
    let find = |edit: &dyn Fn(&mut Entry)| {
        let mut entries = world.entries.clone();
        edit(entries.last_mut().unwrap());
        let found = fold(&|_: &Digest| Some(&rules), &Told, &entries).1;
        found.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert!(find(&|_| ()).is_empty());
    assert_eq!(find(&|entry| entry.decided[0] = "AM_SAMPLE_V0#other".into()), ["entry_decided"]);
    assert_eq!(find(&|entry| entry.records[0].actor = "Actor:root".into()), ["entry_unauthorised"]);
    assert_eq!(find(&|entry| entry.protocol = digest("other")), ["entry_unauthorised"]);
    assert_eq!(find(&|entry| entry.records.push(entry.records[0].clone())), ["entry_unauthorised"]);
    // The shape of `decided` is part of what an entry is.
    let last = world.entries.last().unwrap();
    for decided in [vec![], vec!["a".to_owned(), "b".to_owned()]] {
        let bytes = Entry { decided, ..last.clone() }.to_bytes().unwrap();
        assert_eq!(Entry::parse(&bytes).unwrap_err().code(), "entry_decided");
    }
}

#[test]
fn a_total_that_would_exceed_its_type_is_refused_and_never_capped() {
    let mut world = World::new();
    let max = u128::MAX.to_string();
    let mint = |world: &World, id: &str| {
        let mut record = world.moving("MOVE.FREE", id, &[("mint", -1, "COIN"), ("pot:a", 1, "COIN")]);
        for leg in record.postings.iter_mut().flatten() {
            leg.amount.clone_from(&max);
        }
        record
    };
    world.say(vec![mint(&world, "1")]).unwrap();
    assert_eq!(world.code(mint(&world, "2")), "posting_overflow");
    assert_eq!(world.code(world.moving("MOVE.FREE", "2", &[("mint", -1, "COIN"), ("pot:b", 1, "COIN")])), "posting_overflow");
    assert_eq!(world.code(world.moving("MOVE.FREE", "2", &[("pot:a", -1, "COIN"), ("pot:b", 1, "COIN")])), "allowed");
}

#[test]
fn a_lot_that_lost_value_cannot_be_passed_on_before_the_loss_is_written_off() {
    let mut world = World::new();
    let car = "CAR/2026-04-17T10:00:00.000000+00:00";
    world.say(vec![world.moving("MOVE.FREE", "1", &[("mint", -10, car), ("member:ann", 10, car)])]).unwrap();
    let pass = |world: &World, amount: i128| world.moving("MOVE.FREE", "2", &[("member:ann", -amount, car), ("member:bob", amount, car)]);
    assert_eq!(world.code(pass(&world, 10)), "allowed");
    // A moment later nine and a bit are left of ten, rounded up; after a day nine.
    world.at = "2026-04-17T10:00:00.000001Z".into();
    assert_eq!(world.code(pass(&world, 10)), "allowed");
    world.at = "2026-04-18T10:00:00Z".into();
    assert_eq!(world.code(pass(&world, 9)), "asset_undepreciated");
    world.say(vec![world.moving("MOVE.FREE", "3", &[("member:ann", -1, car), ("gone", 1, car)])]).unwrap();
    assert_eq!(world.code(pass(&world, 9)), "allowed");
    world.at = "2026-04-27T10:00:00Z".into();
    assert_eq!(world.code(pass(&world, 1)), "asset_undepreciated");
    assert_eq!(world.row(Space::Asset, car).unwrap(), json!({"issued": "10", "retired": "1"}));
}

#[test]
fn b_04_a_seat_under_a_charter_counts_once_the_charter_is_ratified_and_where_it_was_granted() {
    let mut world = World::new();
    world.admin("ACTOR.GRANT", "Actor:bob", json!({"seat": "chair", "charter": "Rule:charter", "scope": "a"}));
    let act = |world: &World, scope: &str| {
        let record = world.record("Actor:bob", "ACT.CHARTER", "Act:1", json!({}));
        Record { seat: Some("chair".into()), scope: Some(scope.into()), ..record }
    };
    assert_eq!(world.code(act(&world, "a/b")), "authority_charter");
    let value = json!({"value": {"type": "integer", "value": "1"}});
    let proposal = Record { version: Some(1), ..world.ann("RULE.PROPOSE", "Rule:charter", value.clone()) };
    let hash = proposal.hash().unwrap();
    world.say(vec![proposal]).unwrap();
    assert_eq!(world.code(act(&world, "a/b")), "authority_charter", "proposed is not ratified");
    let mut ratify = Record { version: Some(1), ..world.record("Actor:bob", "RULE.RATIFY", "Rule:charter", value) };
    ratify.refs.insert("proposal".into(), hash);
    world.say(vec![ratify]).unwrap();
    assert_eq!(world.code(act(&world, "a/b")), "allowed");
    assert_eq!(world.code(act(&world, "b")), "authority_seat");
    world.admin("ACTOR.WITHDRAW", "Actor:bob", json!({"seat": "chair", "charter": "Rule:charter", "scope": "a"}));
    assert_eq!(world.code(act(&world, "a/b")), "authority_seat");
}

#[test]
fn b_06_an_ended_subject_takes_no_step() {
    let mut world = World::new();
    let mint = world.moving("MOVE.FREE", "0", &[("mint", -9, "COIN"), ("member:ann", 9, "COIN")]);
    world.say(vec![mint, world.ann("ORDER.OPEN", "Order:1", json!({"amount": "5"}))]).unwrap();
    let legs = world.moving("MOVE.FREE", "x", &[("member:ann", -5, "COIN"), ("order:1", 5, "COIN")]).postings;
    let pay = world.ann("ORDER.PAY", "Order:1", json!({"by": "Actor:ann"}));
    world.say(vec![Record { postings: legs, consumes: vec!["paid:Order:1".into()], ..pay }]).unwrap();
    world.say(vec![world.ann("ORDER.CLOSE", "Order:1", json!({}))]).unwrap();
    for action in ["ORDER.NOTE", "ORDER.CLOSE"] {
        assert_eq!(world.code(world.ann(action, "Order:1", json!({}))), "lifecycle_terminal", "{action}");
    }
}

#[test]
fn without_artifacts_only_the_core_acts() {
    let rules = Protocol::empty(digest("sample"));
    let mut world = World { rules, ..World::unfounded() };
    let mut founding = World::unfounded().founding("root");
    assert_eq!(world.code(founding.clone()), "payload_type", "no row knows a role");
    founding.payload["roles"] = json!([]);
    let founding = world.signed(founding, "root");
    assert_eq!(world.say(vec![founding]).unwrap(), ["core#found"]);
    let register = world.record("Actor:root", "ACTOR.REGISTER", "Actor:a", json!({"key": key_text(&key("a").verifying_key())}));
    assert_eq!(world.code(world.signed(register, "root")), "authority_none");
    assert_eq!(compile(&[]).unwrap().lifecycles().count(), 4);
}

/// A thing that somebody might say.
#[derive(Clone, Debug)]
enum Act {
    Move { from: usize, to: usize, amount: u64, asset: usize, skew: bool },
    Order { id: u8, action: usize, by: usize },
    Rule { id: u8, step: usize, version: u64, by: usize },
    Consume { key: u8, id: u8 },
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..6_usize, 0..6_usize, 1..50_u64, 0..3_usize, prop::bool::weighted(0.1)).prop_map(|(from, to, amount, asset, skew)| Act::Move { from, to, amount, asset, skew }),
        4 => (0..3_u8, 0..4_usize, 0..2_usize).prop_map(|(id, action, by)| Act::Order { id, action, by }),
        3 => (0..2_u8, 0..3_usize, 1..5_u64, 0..2_usize).prop_map(|(id, step, version, by)| Act::Rule { id, step, version, by }),
        1 => (0..3_u8, 0..3_u8).prop_map(|(key, id)| Act::Consume { key, id }),
    ]
}

const ACCOUNTS: [&str; 6] = ["mint", "member:ann", "member:bob", "pot:a", "line", "gone"];
const ASSETS: [&str; 3] = ["COIN", "BOND", "CARE"];

/// What an act is as a record, upon the present state.
fn spoken(world: &World, nth: usize, act: &Act) -> Record {
    let by = |by: usize| ["Actor:ann", "Actor:bob"][by];
    match act {
        Act::Move { from, to, amount, asset, skew } => {
            let (amount, asset) = (i128::from(*amount), ASSETS[*asset]);
            let legs = [(ACCOUNTS[*from], -amount, asset), (ACCOUNTS[*to], amount + i128::from(*skew), asset)];
            world.moving("MOVE.FREE", &format!("m{nth}"), &legs)
        }
        Act::Order { id, action, by: who } => {
            let action = ["ORDER.OPEN", "ORDER.NOTE", "ORDER.PAY", "ORDER.CLOSE"][*action];
            let payload = [json!({"amount": "3"}), json!({}), json!({"by": by(*who)}), json!({})];
            let payload = payload[["ORDER.OPEN", "ORDER.NOTE", "ORDER.PAY"].iter().position(|name| *name == action).unwrap_or(3)].clone();
            let mut record = world.record(by(*who), action, &format!("Order:{id}"), payload);
            if action == "ORDER.PAY" {
                record.consumes = vec![format!("paid:Order:{id}")];
                let account = by(*who).replace("Actor", "member");
                record.postings = world.moving("MOVE.FREE", "x", &[(&account, -3, "COIN"), (&format!("order:{id}"), 3, "COIN")]).postings;
            }
            record
        }
        Act::Rule { id, step, version, by: who } => {
            let subject = format!("Rule:{id}");
            let value = json!({"value": {"type": "integer", "value": "1"}});
            let open =
                world.row(Space::Subject, &subject).and_then(|row| row["open"][0]["record"].as_str().map(|hash| hash.parse().unwrap()));
            let action = ["RULE.PROPOSE", "RULE.RATIFY", "RULE.WITHDRAW"][*step];
            let mut record = world.record(by(*who), action, &subject, if *step == 2 { json!({}) } else { value });
            record.version = Some(*version);
            record.refs.extend(open.filter(|_| *step > 0).map(|open: Digest| ("proposal".to_owned(), open)));
            record
        }
        Act::Consume { key, id } => {
            let record = world.ann("PROBE.CONSUME", &format!("Probe:p{id}"), json!({"a": format!("{key}")}));
            Record { consumes: vec![format!("one:{key}"), format!("two:p{id}")], ..record }
        }
    }
}

/// Nothing that was used up, and no version, goes away; every version follows the one before.
fn continues(before: &World, after: &World) {
    for (consumed, _) in before.state.rows(Space::Consumed) {
        assert_eq!(before.row(Space::Consumed, consumed), after.row(Space::Consumed, consumed));
    }
    for (subject, _) in after.state.rows(Space::Subject) {
        let active = |world: &World| world.row(Space::Subject, subject).and_then(|row| row["active"]["version"].as_u64()).unwrap_or(0);
        assert!(active(after) == active(before) || active(after) == active(before) + 1, "{subject}");
    }
}

/// Says batches one after the other and checks what must hold after each; answers how many were allowed and refused.
fn said(batches: &[Vec<Act>]) -> Result<(usize, usize), TestCaseError> {
    let mut world = World::new();
    let purse = [("mint", -90, "COIN"), ("member:ann", 60, "COIN"), ("member:bob", 30, "COIN")];
    world.say(vec![world.moving("MOVE.FREE", "purse", &purse)]).unwrap();
    let rules = world.rules.clone();
    let rules = |_: &Digest| Some(&rules);
    let (mut replay, mut allowed, mut refused, mut fed) = (Fold::new(), 0, 0, 0);
    for (nth, batch) in batches.iter().enumerate() {
        let records: Vec<Record> = batch.iter().enumerate().map(|(at, act)| spoken(&world, nth * 10 + at, act)).collect();
        let before = world.clone();
        let said = world.say(records.clone());
        prop_assert_eq!(&before.clone().say(records.clone()), &said, "the same input, the same answer");
        if said.is_err() {
            refused += 1;
            prop_assert_eq!(&world.state, &before.state);
            continue;
        }
        allowed += 1;
        continues(&before, &world);
        let touched: Vec<&str> = records.iter().map(|record| record.subject.as_str()).collect();
        for (subject, row) in world.state.rows(Space::Subject) {
            prop_assert!(
                before.state.row(Space::Subject, subject) == Some(row) || touched.contains(&subject),
                "{} moved by nobody",
                subject
            );
        }
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for ((account, asset), balance) in world.balances() {
            *sums.entry(asset).or_default() += balance;
            let floor = match account.as_str() {
                "mint" => i128::MIN,
                "line" => -100,
                _ => 0,
            };
            prop_assert!(balance >= floor, "{} holds {}", account, balance);
        }
        prop_assert!(sums.values().all(|sum| *sum == 0), "{:?}", sums);
        for entry in &world.entries[fed..] {
            prop_assert_eq!(replay.feed(&rules, &Told, entry), Ok(()));
        }
        fed = world.entries.len();
        prop_assert_eq!(replay.state(), &world.state);
    }
    prop_assert_eq!(fold(&rules, &Told, &world.entries), (world.state.clone(), vec![]));
    Ok((allowed, refused))
}

#[test]
fn b_05_b_12_b_27_whatever_is_said_sums_are_conserved_floors_hold_and_replay_agrees() {
    let (allowed, refused) = (Cell::new(0), Cell::new(0));
    let batches = prop::collection::vec(prop::collection::vec(acts(), 1..3), 1..24);
    let run = TestRunner::new(ProptestConfig::with_cases(96)).run(&batches, |batches| {
        let counted = said(&batches)?;
        allowed.set(allowed.get() + counted.0);
        refused.set(refused.get() + counted.1);
        Ok(())
    });
    run.unwrap();
    // A property over refusals alone, or without any, would say nothing.
    assert!(allowed.get() > 100 && refused.get() > 100, "{allowed:?} {refused:?}");
}

proptest! {
    #[test]
    fn b_30_a_delta_lists_each_row_once_and_in_order(batch in prop::collection::vec(acts(), 1..4)) {
        let world = World::new();
        let records: Vec<Record> = batch.iter().enumerate().map(|(nth, act)| spoken(&world, nth, act)).collect();
        let entry = EntryContext { origin: ORIGIN, at: "2026-04-17T10:00:00.000000+00:00", protocol: *world.rules.snapshot(), seq: world.head.size };
        if let Ok(judgement) = judge(&world.rules, &world.state, &Told, &entry, &records) {
            let StateDelta { puts } = judgement.delta;
            prop_assert!(puts.iter().map(|put| (put.space, &put.key)).is_sorted_by(|a, b| a < b));
            prop_assert!(puts.iter().all(|put| enact_core::canonical::check(put.value.as_bytes()).is_ok()));
            prop_assert_eq!(judgement.decided.len(), records.len());
        }
    }
}
