//! Decisions and their effects: what of a contract does not compile, and that an entry is exactly what was decided.

use enact_core::entry::Record;
use enact_core::govern::decision::{self, Proposal, Verdict};
use enact_core::govern::{Fold, GovernCode, JudgeError};
use enact_core::state::Space;
use serde_json::{Map, Value, json};

use super::world::{Told, World, artifacts as all, compile};

/// A ballot on motions, and what they can bring about.
pub(crate) fn artifacts() -> Vec<Value> {
    let hash = json!({"sha256": ["sample:decision:v1:", "$.id", ":", {"canonical": "$.kept.what"}, ":", {"canonical": "$.payload.tally"}]});
    let counted = |side: &str| json!({"debit": format!("{side}:{{id}}"), "credit": "gone", "asset": "BALLOT", "amount": format!("$.payload.tally.{side}")});
    let tally = json!({"type": "object", "required": true, "keep": true});
    let motion = json!({"code": "LC_MOTION_V0", "summary": "Motions.", "record": "MOTION", "kind": "TRANSITION", "subject": "Motion",
        "states": {"open": {}, "decided": {}, "lost": {"terminal": true}, "done": {"terminal": true}, "failed": {"terminal": true}},
        "actions": {
            "MOTION.OPEN": {"summary": "Opens.", "from": [], "to": "open", "fields": {"what": {"type": "object", "required": true, "keep": true, "max_bytes": 8192}}},
            "MOTION.DECIDE": {"summary": "Decides.", "from": ["open"], "to": "decided", "fields": {"tally": tally, "decision_hash": {"type": "digest", "required": true, "keep": true}},
                "guards": [{"guard": "field_equals", "left": "$.payload.decision_hash", "right": hash}, {"guard": "field_positive", "field": "$.payload.tally.yes"}],
                "postings": [counted("yes"), counted("no")]},
            "MOTION.LOSE": {"summary": "Loses.", "from": ["open"], "to": "lost", "fields": {"tally": tally}, "postings": [counted("yes"), counted("no")]},
            "MOTION.DO": {"summary": "Carries out.", "from": ["decided"], "to": "done", "consumes": ["decision:{kept.decision_hash}"]},
            "MOTION.FAIL": {"summary": "Fails.", "from": ["decided"], "to": "failed", "fields": {"code": {"type": "name", "required": true}}}}});
    let grant = json!({"code": "LC_GRANT_V0", "summary": "Payments.", "record": "GRANT", "kind": "POSTING", "subject": "Grant", "actions": {
            "GRANT.PAY": {"summary": "Pays.", "fields": {"to": {"type": "name", "required": true}, "amount": {"type": "amount", "required": true},
                "memo": {"type": "text"}, "decision": {"type": "digest", "required": true}, "decision_hash": {"type": "digest", "required": true}},
                "consumes": [{"sha256": ["sample:grant:v1:", "$.payload.decision"]}],
                "postings": [{"debit": "line", "credit": "member:{payload.to}", "asset": "COIN", "amount": "$.payload.amount"}]}}});
    let flag = json!({"code": "LC_FLAG_V0", "summary": "Flags.", "record": "FLAG", "kind": "TRANSITION", "subject": "Flag",
        "states": {"up": {}, "down": {"terminal": true}}, "actions": {
            "FLAG.RAISE": {"summary": "Raises.", "from": [], "to": "up", "fields": {"height": {"type": "integer", "keep": true}}},
            "FLAG.STRIKE": {"summary": "Strikes.", "from": ["up"], "to": "down", "consumes": ["flag:{id}:{kept.height}"]}}});
    let value = json!({"value": {"type": "value", "required": true, "keep": true, "fixed": true}});
    let rate = json!({"code": "LC_RATE_V0", "summary": "Rates.", "record": "RATE", "kind": "VERSION", "subject": "Rate", "actions": {
            "RATE.PROPOSE": {"summary": "Proposes.", "step": "propose", "fields": value}, "RATE.RATIFY": {"summary": "Ratifies.", "step": "ratify", "fields": value}}});
    let decision = json!({"code": "DC_MOTION_V0", "summary": "Motions.", "record": "MOTION", "effects_in": "what",
        "actions": {"open": "MOTION.OPEN", "decide": "MOTION.DECIDE", "reject": "MOTION.LOSE", "execute": "MOTION.DO", "fail": "MOTION.FAIL"},
        "effects": {
            "pay": {"summary": "Pays.", "fields": {"to": {"type": "name", "required": true}, "amount": {"type": "amount", "required": true}, "memo": {"type": "text"}},
                "records": [{"action": "GRANT.PAY", "subject": "Grant:{id}.{n}", "payload": {"to": "$.effect.to", "amount": "$.effect.amount",
                    "memo": "$.effect.memo", "decision": "$.decision", "decision_hash": "$.decision_hash"}}]},
            "wave": {"summary": "Raises and strikes.", "fields": {"flag": {"type": "name", "required": true}}, "records": [
                {"action": "FLAG.RAISE", "subject": "Flag:{effect.flag}", "payload": {"height": "$.n"}}, {"action": "FLAG.STRIKE", "subject": "Flag:{effect.flag}"}]},
            "reset": {"summary": "Ratifies a rate.", "fields": {"rate": {"type": "name", "required": true}, "proposal": {"type": "digest", "required": true}, "value": {"type": "value", "required": true}},
                "records": [{"action": "RATE.RATIFY", "subject": "Rate:{effect.rate}", "payload": {"value": "$.effect.value"}, "refs": {"proposal": "$.effect.proposal"}}]},
            "nothing": {"summary": "Nothing.", "fields": {"reason": {"type": "text", "required": true}}, "none": true}}});
    let row = json!({"code": "AM_MOTION_V0", "summary": "Who.", "rows": [{"row": "clerk", "roles": ["clerk"], "signature": false, "actions":
        ["MOTION.OPEN", "MOTION.DECIDE", "MOTION.LOSE", "MOTION.DO", "MOTION.FAIL", "GRANT.PAY", "FLAG.RAISE", "FLAG.STRIKE", "RATE.PROPOSE"]},
        {"row": "ratify", "roles": ["clerk"], "signature": false, "actions": ["RATE.RATIFY"], "distinct_from": ["RATE.PROPOSE"]}]});
    vec![motion, grant, flag, rate, decision, row]
}

pub(crate) fn pay(to: &str, amount: &str) -> Value {
    json!({"effect": "pay", "to": to, "amount": amount})
}

/// A motion that is open, with as many ballots as these.
fn open(world: &mut World, id: &str, effects: &[Value], yes: i128, no: i128) {
    let subject = format!("Motion:{id}");
    world.say(vec![world.ann("MOTION.OPEN", &subject, json!({"what": {"effects": effects}}))]).unwrap();
    for (side, votes) in [("yes", yes), ("no", no)] {
        if votes > 0 {
            let account = format!("{side}:{id}");
            world.say(vec![world.moving("MOVE.FREE", &account, &[("mint", -votes, "BALLOT"), (&account, votes, "BALLOT")])]).unwrap();
        }
    }
}

fn about<'a>(subject: &'a str, at: &'a str) -> Proposal<'a> {
    Proposal { subject, actor: "Actor:ann", at }
}

/// The record that decides a motion.
fn decision(world: &World, id: &str) -> Record {
    let subject = format!("Motion:{id}");
    decision::decide(&world.rules, &world.state, &about(&subject, &world.at), Verdict::Carried, &Map::new()).unwrap()
}

/// The entry that carries a motion out.
pub(crate) fn execution(world: &World, id: &str) -> Vec<Record> {
    decision::draft(&world.rules, &world.state, &about(&format!("Motion:{id}"), &world.at)).unwrap()
}

/// A world in which a motion is decided, by two ballots against one.
pub(crate) fn decided(id: &str, effect: &Value) -> World {
    let mut world = World::new();
    open(&mut world, id, std::slice::from_ref(effect), 2, 1);
    world.say(vec![decision(&world, id)]).unwrap();
    world
}

/// The code with which an entry is refused, and the record that it is about.
fn refused(world: &World, records: Vec<Record>) -> (&'static str, usize) {
    match world.clone().say(records) {
        Ok(_) => ("allowed", 0),
        Err(JudgeError::Refused(refused)) => (refused.code.as_str(), refused.record),
        Err(error) => (error.code().unwrap(), 0),
    }
}

/// The problems when members of the contract, or of another artifact, are others.
fn problems(code: &str, pointer: &str, value: Value) -> Vec<String> {
    let mut all = all();
    let artifact = &mut all.iter_mut().find(|(name, _)| name == code).unwrap().1;
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = artifact.pointer_mut(parent).unwrap();
    if let Value::Array(list) = parent {
        list[member.parse::<usize>().unwrap()] = value;
    } else {
        parent.as_object_mut().unwrap().insert(member.to_owned(), value);
    }
    compile(&all).err().unwrap_or_default().iter().map(|p| format!("{} {} {}", p.code, p.artifact, p.at)).collect()
}

fn found(code: &str, pointer: &str, value: Value, expected: &str) {
    let problems = problems(code, pointer, value.clone());
    assert!(problems.iter().any(|problem| problem == expected), "{pointer} {value}: {problems:#?}");
}

#[test]
fn i_07_i_10_an_effect_without_records_does_not_load_unless_it_says_that_it_is_none() {
    let at = "effect_unbound DC_MOTION_V0 effects.upgrade";
    found("DC_MOTION_V0", "/effects/upgrade", json!({"summary": "Announced."}), at);
    found("DC_MOTION_V0", "/effects/upgrade", json!({"summary": "Announced.", "records": []}), at);
    found("DC_MOTION_V0", "/effects/pay/none", json!(true), "effect_unbound DC_MOTION_V0 effects.pay");
    found("DC_MOTION_V0", "/effects/pay/records/0/action", json!("GRANT.NONE"), "effect_unbound DC_MOTION_V0 effects.pay.records.0");
    found("DC_MOTION_V0", "/effects", json!({}), "effect_unbound DC_MOTION_V0 effects");
    assert!(problems("DC_MOTION_V0", "/effects/upgrade", json!({"summary": "Said.", "none": true})).is_empty());
}

#[test]
fn i_46_a_contract_that_does_not_fit_its_lifecycle_does_not_compile() {
    let dc = |pointer, value, expected| found("DC_MOTION_V0", pointer, value, expected);
    dc("/record", json!("NONE"), "unknown_record DC_MOTION_V0 record");
    dc("/record", json!("GRANT"), "member_of_kind DC_MOTION_V0 record");
    dc("/extra", json!(1), "bad_shape DC_MOTION_V0 ");
    dc("/effects_in", json!("tally"), "effects_in DC_MOTION_V0 effects_in");
    dc("/actions/fail", json!("MOTION.DO"), "duplicate_action DC_MOTION_V0 actions.fail");
    dc("/actions/fail", json!("MOTION.NONE"), "unknown_action DC_MOTION_V0 actions.fail");
    dc("/actions/open", json!("MOTION.DECIDE"), "action_role DC_MOTION_V0 actions.open");
    dc("/actions/reject", json!("MOTION.FAIL"), "action_role DC_MOTION_V0 actions.reject");
    dc("/effects/pay/records/0/action", json!("MOTION.OPEN"), "action_role DC_MOTION_V0 effects.pay.records.0");
    dc("/effects/pay/records/0/action", json!("JOB.EXECUTE"), "action_role DC_MOTION_V0 effects.pay.records.0");
    dc("/effects/pay/records/0/payload/more", json!("x"), "unknown_field DC_MOTION_V0 effects.pay.records.0.payload.more");
    dc("/effects/pay/records/0/payload/to", json!("$.effect.memo"), "missing_field DC_MOTION_V0 effects.pay.records.0.payload.to");
    dc("/effects/pay/records/0/payload/to", json!("$.effect.none"), "unknown_field DC_MOTION_V0 effects.pay.records.0.payload.to");
    dc("/effects/pay/records/0/payload/to", json!("$.at"), "bad_expression DC_MOTION_V0 effects.pay.records.0.payload");
    dc("/effects/pay/records/0/payload/to", json!("$.payload.to"), "unknown_field DC_MOTION_V0 effects.pay.records.0.payload.to");
    dc("/effects/pay/records/0/subject", json!("Grant:{effect.memo}"), "missing_field DC_MOTION_V0 effects.pay.records.0.subject");
    dc("/effects/pay/records/0/refs", json!({"prev": "$.decision"}), "bad_field DC_MOTION_V0 effects.pay.records.0.refs");
    dc("/effects/pay/fields/effect", json!({"type": "name"}), "bad_field DC_MOTION_V0 effects.pay.fields.effect");
    let lc = |pointer, value, expected| found("LC_MOTION_V0", pointer, value, expected);
    lc("/actions/MOTION.DO/consumes", json!([]), "no_key DC_MOTION_V0 actions.execute");
    lc("/actions/MOTION.DO/consumes", json!(["decision:{id}"]), "no_key DC_MOTION_V0 actions.execute");
    lc("/actions/MOTION.DECIDE/guards", json!([]), "bad_decision DC_MOTION_V0 actions.decide");
    lc("/actions/MOTION.DECIDE/fields/decision_hash/keep", json!(false), "bad_decision DC_MOTION_V0 actions.decide");
    for short in [
        json!({"sha256": ["$.id", {"canonical": "$.kept.what"}]}),
        json!({"sha256": ["$.at", "$.id", {"canonical": "$.kept.what"}, {"canonical": "$.payload.tally"}]}),
    ] {
        lc("/actions/MOTION.DECIDE/guards/0/right", short, "bad_decision DC_MOTION_V0 actions.decide");
    }
    lc("/actions/MOTION.NOTE", json!({"summary": "Notes.", "from": ["decided"], "to": "="}), "action_role DC_MOTION_V0 actions.decide");
    // What only a decision brings about has expressions that nobody else has.
    for foreign in ["$.effect.to", "$.n", "$.decision", "$.decision_hash"] {
        found("LC_FLAG_V0", "/actions/FLAG.STRIKE/consumes", json!([foreign]), "bad_expression LC_FLAG_V0 actions.FLAG.STRIKE.consumes");
    }
    let mut two = all();
    let mut second = two.iter().find(|(code, _)| code == "DC_MOTION_V0").unwrap().1.clone();
    second["code"] = json!("DC_SECOND_V0");
    two.push(("DC_SECOND_V0".to_owned(), second.clone()));
    let codes = |all: &[(String, Value)]| compile(all).err().unwrap_or_default().iter().map(|p| p.code).collect::<Vec<_>>();
    assert_eq!(codes(&two), vec!["duplicate_effect"; 4]);
    second["effects"] = json!({"idle": {"summary": "Nothing.", "none": true}});
    second["actions"]["reject"] = Value::Null;
    second["actions"].as_object_mut().unwrap().remove("reject");
    two.last_mut().unwrap().1 = second;
    assert_eq!(codes(&two), ["contract_differs"]);
}

#[test]
fn i_45_parts_of_a_digest_are_parts_and_nothing_else() {
    let bad = |value: Value| {
        found("LC_FLAG_V0", "/actions/FLAG.STRIKE/consumes", json!([value]), "bad_expression LC_FLAG_V0 actions.FLAG.STRIKE.consumes")
    };
    bad(json!({"sha256": []}));
    bad(json!({"sha256": "$.id"}));
    bad(json!({"sha256": [null]}));
    bad(json!({"sha256": [["$.id"]]}));
    bad(json!({"sha256": [{"sha512": ["$.id"]}]}));
    bad(json!({"sha256": [{"canonical": "$.id", "more": 1}]}));
    bad(json!({"sha256": ["$.nothing"]}));
    // Within a digest a digest is text, numbers and truth values are as they are written.
    let nested = json!([{"sha256": [{"sha256": ["$.id"]}, 1, true, "$.kept.height"]}]);
    assert!(problems("LC_FLAG_V0", "/actions/FLAG.STRIKE/consumes", nested).is_empty());
}

#[test]
fn i_01_i_40_a_decision_is_carried_out_as_a_whole_and_its_records_name_it() {
    let mut world = decided("1", &pay("bob", "5"));
    let decided = world.last("Motion:1").unwrap();
    let hash = world.row(Space::Subject, "Motion:1").unwrap()["kept"]["decision_hash"].clone();
    let records = execution(&world, "1");
    assert_eq!(records.len(), 2);
    world.say(records).unwrap();
    let entry = world.entries.last().unwrap().clone();
    assert!(entry.records.iter().all(|record| record.refs["decision"] == decided));
    assert_eq!(entry.records[1].payload["decision"], json!(decided));
    assert_eq!(entry.records[1].payload["decision_hash"], hash);
    assert_eq!(world.balances()[&("member:bob".to_owned(), "COIN".to_owned())], 5);
    assert_eq!(world.row(Space::Subject, "Motion:1").unwrap()["state"], "done");
    // A replay of every entry judges the same, and a second execution of the same decision is refused for ever.
    let mut fold = Fold::new();
    for entry in &world.entries {
        fold.feed(&|_| Some(&world.rules), &Told, entry).unwrap();
    }
    assert_eq!(*fold.state(), world.state);
    let again = decision::draft(&world.rules, &world.state, &about("Motion:1", &world.at)).unwrap();
    assert_eq!(refused(&world, again), ("lifecycle_terminal", 0));
}

#[test]
fn i_41_b_20_anything_missing_added_or_different_refuses_the_whole_entry() {
    let mut world = World::new();
    open(&mut world, "1", &[pay("bob", "5"), json!({"effect": "wave", "flag": "f"})], 1, 0);
    world.say(vec![decision(&world, "1")]).unwrap();
    let drafted = execution(&world, "1");
    assert_eq!(drafted.len(), 4);
    let check = |edit: &dyn Fn(&mut Vec<Record>), expected: (&'static str, usize)| {
        let mut records = drafted.clone();
        edit(&mut records);
        assert_eq!(refused(&world, records), expected);
    };
    let whole = ("decision_effects", 0);
    check(&|_| {}, ("allowed", 0));
    check(&|records| drop(records.pop()), whole);
    check(&|records| records.truncate(1), whole);
    check(&|records| records.swap(1, 2), whole);
    check(&|records| records[1].payload["amount"] = json!("6"), whole);
    check(&|records| records[1].payload["memo"] = json!("more"), whole);
    check(&|records| records[1].subject = "Grant:1.1".into(), whole);
    check(&|records| assert!(records[1].refs.remove("decision").is_some()), whole);
    check(&|records| assert!(records[1].refs.insert("more".into(), *world.rules.snapshot()).is_none()), whole);
    check(&|records| assert!(records[0].refs.insert("decision".into(), *world.rules.snapshot()).is_some()), whole);
    check(&|records| records.push(world.ann("PROBE.ANY", "Probe:1", json!({}))), whole);
    // Effects before, or without, the record that carries the decision out.
    check(&|records| records.rotate_left(1), ("decision_missing", 0));
    check(&|records| drop(records.remove(0)), ("decision_missing", 0));
    check(&|records| records.insert(0, world.ann("PROBE.ANY", "Probe:1", json!({}))), ("decision_effects", 1));
    // The key is part of it.
    check(&|records| records[0].consumes.clear(), ("consumes_mismatch", 0));
    // An effect that the judge refuses takes the others with it.
    let mut world = World::new();
    open(&mut world, "1", &[json!({"effect": "wave", "flag": "f"}), pay("bob", "500")], 1, 0);
    world.say(vec![decision(&world, "1")]).unwrap();
    let before = world.state.clone();
    let records = execution(&world, "1");
    assert_eq!(refused(&world, records.clone()), ("posting_floor", 3));
    assert!(world.say(records).is_err());
    assert_eq!(world.state, before, "nothing of a refused entry is kept");
    // Then it fails for good, by a record.
    let failed = decision::fail(&world.rules, &world.state, &about("Motion:1", &world.at), "posting_floor", "words").unwrap();
    world.say(vec![failed]).unwrap();
    assert_eq!(world.row(Space::Subject, "Motion:1").unwrap()["state"], "failed");
    assert_eq!(refused(&world, execution(&world, "1")).0, "lifecycle_terminal");
}

#[test]
fn i_16_the_key_of_an_effect_is_data_and_works_once() {
    let world = decided("1", &pay("bob", "5"));
    let records = execution(&world, "1");
    let said = records[1].payload["decision"].as_str().unwrap();
    let expected = enact_core::hash::context_hash(format!("sample:grant:v1:{said}").as_bytes()).to_string();
    assert_eq!(records[1].consumes, [expected]);
    let mut world = World::new();
    open(&mut world, "1", &[pay("bob", "5"), pay("ann", "5")], 1, 0);
    world.say(vec![decision(&world, "1")]).unwrap();
    assert_eq!(
        refused(&world, execution(&world, "1")),
        ("key_consumed", 2),
        "the key lacks the position, so the second is the first again"
    );
}

#[test]
fn i_09_a_ratification_that_others_overtook_is_told_that_the_chain_has_changed() {
    let mut world = World::new();
    let value = |n: u8| json!({"type": "integer", "value": n.to_string()});
    let propose = |world: &mut World, n: u8| {
        let record = Record { version: Some(1), ..world.ann("RATE.PROPOSE", "Rate:r", json!({"value": value(n)})) };
        let hash = record.hash().unwrap();
        world.say(vec![record]).unwrap();
        hash
    };
    let (one, two) = (propose(&mut world, 1), propose(&mut world, 2));
    for (id, n, proposal) in [("1", 1, one), ("2", 2, two)] {
        let effect = json!({"effect": "reset", "rate": "r", "proposal": proposal, "value": value(n)});
        open(&mut world, id, &[effect], 1, 0);
        world.say(vec![decision(&world, id)]).unwrap();
    }
    let bob = |world: &World, id: &str| {
        let subject = format!("Motion:{id}");
        let about = Proposal { actor: "Actor:bob", ..about(&subject, &world.at) };
        decision::draft(&world.rules, &world.state, &about).unwrap()
    };
    world.say(bob(&world, "1")).unwrap();
    let error = world.clone().say(bob(&world, "2")).unwrap_err();
    assert_eq!(error.code(), Some("chain_stale"));
    assert!(error.to_string().contains("has changed since proposal"), "{error}");
    assert_eq!(world.row(Space::Subject, "Rate:r").unwrap()["kept"]["value"], value(1));
}

#[test]
fn i_45_a_hash_that_is_not_that_of_the_decision_is_refused() {
    let mut world = World::new();
    open(&mut world, "1", &[pay("bob", "5")], 2, 1);
    let record = decision(&world, "1");
    assert_eq!(record.payload["tally"], json!({"yes": "2", "no": "1"}));
    let mut tampered = record.clone();
    tampered.payload["decision_hash"] = json!(format!("sha256:{}", "0".repeat(64)));
    assert_eq!(world.code(tampered), "guard_field_equals");
    let mut tampered = record.clone();
    tampered.payload["tally"]["no"] = json!("0");
    assert_eq!(world.code(tampered), "guard_field_equals");
    let mut later = world.clone();
    later.at = "2026-04-18T10:00:00Z".into();
    assert_eq!(decision(&later, "1").payload, record.payload, "time is no part of it");
    let given = Map::from_iter([("tally".to_owned(), json!({}))]);
    let error = decision::decide(&world.rules, &world.state, &about("Motion:1", &world.at), Verdict::Carried, &given).unwrap_err();
    assert_eq!(error.code(), Some("payload_unknown"));
    let lost = decision::decide(&world.rules, &world.state, &about("Motion:1", &world.at), Verdict::Rejected, &Map::new()).unwrap();
    assert_eq!(lost.payload, json!({"tally": {"yes": "2", "no": "1"}}));
    world.say(vec![lost]).unwrap();
    let never = decision::draft(&world.rules, &world.state, &about("Motion:1", &world.at)).unwrap_err();
    assert_eq!(never.code(), Some("consumes_mismatch"), "what was never decided has no key");
}

#[test]
fn i_45_the_decision_hash_is_what_was_specified_and_lengths_cannot_collide() {
    let hash_of = |id: &str, effects: &[Value], yes: i128| {
        let mut world = World::new();
        open(&mut world, id, effects, yes, 0);
        decision(&world, id).payload["decision_hash"].as_str().unwrap().to_owned()
    };
    let nothing = |reason: &str| [json!({"effect": "nothing", "reason": reason})];
    let text = r#"sample:decision:v1:1:{"effects":[{"effect":"nothing","reason":"r"}]}:{"no":"0","yes":"1"}"#;
    let one = hash_of("1", &nothing("r"), 1);
    assert_eq!(one, enact_core::hash::context_hash(text.as_bytes()).to_string());
    assert_ne!(one, hash_of("2", &nothing("r"), 1));
    assert_ne!(one, hash_of("1", &nothing("s"), 1));
    assert_ne!(one, hash_of("1", &nothing("r"), 2));
    // The same bytes cannot be cut in another way: an id has no colon, and what follows it is one JSON text each.
    let world = World::new();
    let shifted = world.ann("MOTION.OPEN", r#"Motion:1:{"effects":[]}"#, json!({"what": {"effects": nothing("r")}}));
    assert_eq!(world.code(shifted), "record_subject");
    let inside = hash_of("1", &nothing(r#"r"}]}:{"no":"0","yes":"1"}"#), 1);
    assert_ne!(one, inside);
}

#[test]
fn i_04_doing_nothing_is_said_and_effects_must_be_some() {
    let mut world = decided("1", &json!({"effect": "nothing", "reason": "because"}));
    let records = execution(&world, "1");
    assert_eq!(records.len(), 1);
    world.say(records).unwrap();
    let open = |what: Value| world.code(world.ann("MOTION.OPEN", "Motion:2", json!({ "what": what })));
    for wrong in [
        json!({}),
        json!({"effects": []}),
        json!({"effects": [], "more": 1}),
        json!({"effects": ["pay"]}),
        json!({"effects": {}}),
        json!({"effects": [{"effect": "pay", "to": "bob"}]}),
        json!({"effects": [{"effect": "pay", "to": "bob", "amount": "5", "more": "x"}]}),
    ] {
        assert_eq!(open(wrong.clone()), "effect_field", "{wrong}");
    }
    assert_eq!(open(json!({"effects": [{"amount": "5"}]})), "effect_unknown");
}

#[test]
fn i_42_the_receipt_of_an_execution_is_derived_from_its_entry() {
    let mut world = decided("1", &pay("bob", "5"));
    let decided = world.last("Motion:1").unwrap();
    let hash = world.row(Space::Subject, "Motion:1").unwrap()["kept"]["decision_hash"].as_str().unwrap().to_owned();
    world.say(execution(&world, "1")).unwrap();
    let records = &world.entries.last().unwrap().records;
    let (a, b) = (*world.rules.snapshot(), decided);
    let one = decision::receipt(&world.rules, records, a, "2026-04-17T10:00:00.000000+00:00").unwrap().unwrap();
    let elsewhere = decision::receipt(&world.rules, records, b, "2027-04-17T10:00:00.000000+00:00").unwrap().unwrap();
    assert_eq!((one.decision_hash.as_str(), one.decision_receipt_id, one.proposal_id.as_str()), (hash.as_str(), decided, "1"));
    assert_ne!(one, elsewhere);
    assert_eq!(one.canonical_hash().unwrap(), elsewhere.canonical_hash().unwrap(), "where and when is not part of it");
    let mut other = records.clone();
    other[1].payload["amount"] = json!("6");
    let other = decision::receipt(&world.rules, &other, a, "2026-04-17T10:00:00.000000+00:00").unwrap().unwrap();
    assert_ne!(one.execution_hash, other.execution_hash);
    assert_ne!(one.canonical_hash().unwrap(), other.canonical_hash().unwrap());
    assert_eq!(decision::receipt(&world.rules, &records[1..], a, "").unwrap(), None);
}

#[test]
fn the_codes_of_decisions_are_in_their_stages() {
    use enact_core::govern::GovernCode as Code;
    assert!(Code::EffectUnknown < Code::ChainProtocol && Code::EffectField > Code::PayloadType);
    assert!(Code::DecisionMissing > Code::ExecutionRun && GovernCode::DecisionEffects < GovernCode::GuardStateIn);
}

/// The canonical bytes of a value, as text.
pub(crate) fn canonical_text(value: &Value) -> String {
    String::from_utf8(enact_core::canonical::to_bytes(value).unwrap()).unwrap()
}

/// What the shipped proposals hold for the hash of a decision: the one that is drafted for a proposal in this state.
pub(crate) fn shipped_digests(id: &str, payload: &Value, tally: &Value) -> String {
    let rules = crate::stories::compile(&["base", "proposals"]);
    let mut state = enact_core::govern::State::new();
    let put = |space, key: String, value: Value| enact_core::state::Put { space, key, value: value.to_string() };
    let mut puts = vec![put(
        Space::Subject,
        format!("Proposal:{id}"),
        json!({"actors": {}, "kept": {"payload": payload}, "last": rules.snapshot(), "seq": 1, "state": "OPEN", "type": "PROPOSAL"}),
    )];
    for side in ["yes", "no"] {
        puts.push(put(Space::Balance, format!("ballot-{side}:{id}|BALLOT"), json!({"credits": tally[side], "debits": "0"})));
    }
    state.apply(enact_core::state::StateDelta { puts });
    let subject = format!("Proposal:{id}");
    let record =
        decision::decide(&rules, &state, &about(&subject, "2026-04-17T10:00:00.000000+00:00"), Verdict::Carried, &Map::new()).unwrap();
    assert_eq!(record.payload["tally"], *tally);
    record.payload["decision_hash"].as_str().unwrap().to_owned()
}
