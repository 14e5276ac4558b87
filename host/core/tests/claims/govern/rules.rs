//! Protocols before they are used: what does not compile, what is unwise, what they say about themselves.

use enact_core::govern::{Change, Level, Protocol};
use enact_core::state::Space;
use serde_json::{Value, json};

use super::world::{World, artifacts, compile};
use crate::support::digest;

/// The pack with one artifact changed.
fn edited(code: &str, edit: impl FnOnce(&mut Value)) -> Vec<(String, Value)> {
    let mut all = artifacts();
    edit(&mut all.iter_mut().find(|(name, _)| name == code).unwrap().1);
    all
}

/// The codes of the problems of a changed pack.
fn problems(code: &str, edit: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    compile(&edited(code, edit)).map_or_else(|problems| problems.into_iter().map(|problem| problem.code).collect(), |_| vec![])
}

#[test]
fn b_36_what_does_not_fit_together_does_not_compile() {
    let order = |edit: fn(&mut Value)| problems("LC_ORDER_V0", edit);
    let matrix = |edit: fn(&mut Value)| problems("AM_SAMPLE_V0", edit);
    let assets = |edit: fn(&mut Value)| problems("AS_SAMPLE_V0", edit);
    for (expected, found) in [
        ("bad_shape", order(|a| a["more"] = json!(1))),
        ("bad_shape", order(|a| a["actions"]["ORDER.PAY"]["guards"][0]["guard"] = json!("anything"))),
        ("bad_shape", order(|a| a["actions"]["ORDER.PAY"]["guards"][0]["more"] = json!(1))),
        ("code_is_not_the_file_name", order(|a| a["code"] = json!("LC_OTHER_V0"))),
        ("unknown_state", order(|a| a["actions"]["ORDER.PAY"]["to"] = json!("lost"))),
        ("unknown_state", order(|a| a["actions"]["ORDER.OPEN"]["to"] = json!("="))),
        ("bad_word", order(|a| a["states"]["="] = json!({}))),
        ("terminal_left", order(|a| a["actions"]["ORDER.PAY"]["from"] = json!(["closed"]))),
        ("member_of_kind", order(|a| a["actions"]["ORDER.CLOSE"]["step"] = json!("ratify"))),
        ("member_of_kind", order(|a| a["actions"]["ORDER.CLOSE"]["moves"] = json!({"debit": ["holder"], "credit": ["holder"]}))),
        ("unknown_field", order(|a| a["actions"]["ORDER.PAY"]["consumes"][0] = json!("{payload.none}"))),
        ("unknown_field", order(|a| a["actions"]["ORDER.PAY"]["consumes"][0] = json!("$.kept.none"))),
        ("bad_expression", order(|a| a["actions"]["ORDER.PAY"]["consumes"][0] = json!("{payload}"))),
        ("bad_expression", order(|a| a["actions"]["ORDER.PAY"]["consumes"][0] = json!("$.anything"))),
        ("unknown_account", order(|a| a["actions"]["ORDER.PAY"]["postings"][0]["debit"] = json!("nowhere"))),
        ("unknown_asset", order(|a| a["actions"]["ORDER.PAY"]["postings"][0]["asset"] = json!("NONE"))),
        ("duplicate_record", order(|a| a["record"] = json!("PROBE"))),
        ("duplicate_record", order(|a| a["record"] = json!("ACTOR"))),
        ("duplicate_subject", order(|a| a["subject"] = json!("Probe"))),
        ("reserved_subject", order(|a| a["subject"] = json!("Actor"))),
        ("duplicate_action", problems("LC_PROBE_V0", |a| a["actions"]["ORDER.PAY"] = json!({"summary": "Again."}))),
        ("bad_decision", problems("LC_DECISION_V0", |a| a["actions"]["DECISION.MAKE"]["fields"]["decision"]["one_of"] = json!(["MAYBE"]))),
        ("unknown_action", matrix(|a| a["rows"][0]["actions"][0] = json!("ORDER.NONE"))),
        ("reserved_action", matrix(|a| a["rows"][0]["actions"][0] = json!("RUN.RECEIPT"))),
        ("reserved_action", matrix(|a| a["rows"][0]["actions"][0] = json!("ACTOR.FOUND"))),
        ("reserved_role", matrix(|a| a["rows"][0]["roles"] = json!(["engine"]))),
        ("unknown_action", matrix(|a| a["rows"][1]["distinct_from"] = json!(["ORDER.OPEN"]))),
        ("duplicate_row", matrix(|a| a["rows"][1]["row"] = json!("clerk"))),
        ("unknown_asset", matrix(|a| a["rows"][6]["ceiling"] = json!({"NONE": "1"}))),
        ("bad_amount", matrix(|a| a["rows"][6]["ceiling"] = json!({"COIN": "01"}))),
        ("bad_floor", assets(|a| a["accounts"]["pot:{}"]["floor"] = json!(null))),
        ("bad_floor", assets(|a| a["accounts"]["pot:{}"]["floor"] = json!("5"))),
        ("unknown_subject", assets(|a| a["accounts"]["x:{None}"] = json!({"class": "holder"}))),
        ("account_overlap", assets(|a| a["accounts"]["pot:x"] = json!({"class": "holder"}))),
        ("account_overlap", assets(|a| a["accounts"]["pot:{Order}"] = json!({"class": "holder"}))),
        ("bad_account", assets(|a| a["accounts"]["a|b"] = json!({"class": "holder"}))),
        ("bad_asset", assets(|a| a["assets"]["COIN"]["life_days"] = json!(3))),
        ("bad_asset", assets(|a| a["assets"]["CAR"]["life_days"] = json!(0))),
        ("unknown_asset", assets(|a| a["assets"]["WOOD"]["into"] = json!({"NONE": {"take": "1", "give": "1"}}))),
    ] {
        assert!(found.contains(&expected), "expected {expected}, found {found:?}");
    }
    let mut backwards = edited("LC_ORDER_V0", |a| a["actions"]["ORDER.PAY"]["to"] = json!("lost"));
    let found = compile(&backwards).unwrap_err();
    backwards.reverse();
    assert_eq!(compile(&backwards).unwrap_err(), found, "the order of the files does not matter");
}

#[test]
fn b_36_what_is_unwise_is_reported() {
    let codes = |all: &[(String, Value)], governed: &[&str]| {
        let found = compile(all).unwrap().check(governed);
        found.into_iter().filter(|problem| problem.level == Level::Error).map(|problem| (problem.code, problem.at)).collect::<Vec<_>>()
    };
    let at = |code, at: &str| (code, at.to_owned());
    let base = codes(&artifacts(), &[]);
    assert_eq!(base, [at("action_nobody", "actions.ACT.NOBODY")]);
    let found = |name: &str, edit: fn(&mut Value)| codes(&edited(name, edit), &[]);
    assert!(found("AM_SAMPLE_V0", |a| a["rows"][4]["seat"] = json!("x")).len() == 1);
    assert!(found("AM_SAMPLE_V0", |a| a["rows"][5]["roles"] = json!([])).contains(&at("action_everybody", "rows.second")));
    assert!(found("AM_SAMPLE_V0", |a| a["rows"][1]["distinct_from"] = json!([])).contains(&at("ratifier_proposer", "actions.RULE.RATIFY")));
    let adopt = found("AM_SAMPLE_V0", |a| a["rows"][13]["distinct_from"] = json!([]));
    assert!(adopt.contains(&at("ratifier_proposer", "actions.PROTOCOL.RATIFY")), "{adopt:?}");
    let lost = found("LC_ORDER_V0", |a| a["states"]["lost"] = json!({"terminal": true}));
    assert!(lost.contains(&at("state_unreachable", "states.lost")));
    let dead = found("LC_ORDER_V0", |a| a["states"]["closed"] = json!({}));
    assert!(dead.contains(&at("state_dead", "states.closed")));
    let island = found("LC_ORDER_V0", |a| {
        a["states"]["x"] = json!({});
        a["states"]["y"] = json!({});
        a["actions"]["ORDER.NOTE"] = json!({"summary": "x", "from": ["x", "y"], "to": "y"});
        a["actions"]["ORDER.CLOSE"] = json!({"summary": "x", "from": ["paid", "y"], "to": "x"});
    });
    assert!(!island.contains(&at("state_unreachable", "states.x")), "{island:?}");
    assert!(codes(&artifacts(), &["CS_SHIP_V0"]).contains(&at("effect_ungoverned", "")), "two of its actions have no guard");
    assert!(codes(&artifacts(), &["CS_OTHER_V0"]).contains(&at("effect_ungoverned", "")));
    let warned = compile(&artifacts()).unwrap().check(&[]);
    assert!(warned.iter().any(|problem| problem.code == "action_unguarded" && problem.at == "actions.ORDER.CLOSE"));
}

#[test]
fn b_37_every_action_has_its_five_answers() {
    let questions = compile(&artifacts()).unwrap().questions();
    let of = |action: &str| serde_json::to_value(questions.iter().find(|answers| answers.action == action).unwrap()).unwrap();
    let run = json!({"record": "RUN", "action": "RUN.RECEIPT", "side": "execution", "modifies_state": false,
        "needs_access_decision": false, "deterministic": true, "replayable": true});
    assert_eq!(of("RUN.RECEIPT"), run);
    assert_eq!((&of("ORDER.PAY")["side"], &of("ORDER.PAY")["modifies_state"]), (&json!("governance"), &json!(true)));
    assert_eq!(of("ACT.ACCESS")["needs_access_decision"], true);
    assert_eq!(of("ACT.FIRST")["needs_access_decision"], false);
    assert_eq!(of("PROBE.CONSUME")["modifies_state"], true);
    let actions: usize = compile(&artifacts()).unwrap().lifecycles().map(|lifecycle| lifecycle.actions.len()).sum();
    assert_eq!(questions.len(), actions);
}

#[test]
fn two_snapshots_are_compared_by_what_they_allow() {
    let old = compile(&artifacts()).unwrap();
    assert_eq!(old.diff(&old), []);
    let mut next = edited("AM_SAMPLE_V0", |a| {
        a["rows"][2]["roles"] = json!(["clerk", "nurse"]);
        a["rows"][0]["actions"].as_array_mut().unwrap().retain(|action| action != "ORDER.CLOSE");
        a["rows"][0]["actions"].as_array_mut().unwrap().push(json!("ACT.NOBODY"));
    });
    next.iter_mut().find(|(code, _)| code == "LC_ORDER_V0").unwrap().1["actions"]["ORDER.NOTE"]["from"] = json!(["open"]);
    let next = Protocol::compile(digest("next"), next.iter().map(|(code, value)| (code.as_str(), value))).unwrap();
    let found: Vec<_> = old.diff(&next).into_iter().map(|difference| (difference.what, difference.name, difference.change)).collect();
    let expected = [
        ("action", "ORDER.NOTE", Change::Changed),
        ("grant", "ACT.NOBODY", Change::Added),
        ("grant", "ORDER.CLOSE", Change::Removed),
        ("row", "AM_SAMPLE_V0#clerk", Change::Changed),
        ("row", "AM_SAMPLE_V0#scoped", Change::Changed),
    ];
    assert_eq!(found, expected.map(|(what, name, change)| (what, name.to_owned(), change)));
    let edges = old.lifecycle("ORDER").unwrap().edges();
    assert!(edges.contains(&(None, "ORDER.OPEN", "open")) && edges.contains(&(Some("paid"), "ORDER.NOTE", "open")));
}

#[test]
fn a_state_that_stays_is_an_edge_to_itself_and_leaves_nothing() {
    let rules = compile(&artifacts()).unwrap();
    let edges = rules.lifecycle("ORDER").unwrap().edges();
    assert!(edges.contains(&(Some("paid"), "ORDER.HOLD", "paid")) && edges.contains(&(Some("open"), "ORDER.HOLD", "open")));
    let mut world = World::new();
    world.say(vec![world.ann("ORDER.OPEN", "Order:1", json!({"amount": "5"}))]).unwrap();
    world.say(vec![world.ann("ORDER.HOLD", "Order:1", json!({"note": "later"}))]).unwrap();
    let row = world.row(Space::Subject, "Order:1").unwrap();
    assert_eq!((&row["state"], &row["actors"]["ORDER.HOLD"]), (&json!("open"), &json!("Actor:ann")));
    // A state that is only ever stayed in is left by nobody.
    let dead = edited("LC_ORDER_V0", |a| {
        a["actions"]["ORDER.NOTE"]["from"] = json!(["open"]);
        a["actions"]["ORDER.CLOSE"]["to"] = json!("=");
    });
    let found = compile(&dead).unwrap().check(&[]);
    assert!(found.iter().any(|problem| problem.code == "state_dead" && problem.at == "states.paid"), "{found:?}");
}

#[test]
fn whose_kept_members_a_guard_speaks_of_is_known_before_it_is_used() {
    let guard = |guard: Value| {
        let mut all = artifacts();
        all.iter_mut().find(|(code, _)| code == "LC_PROBE_V0").unwrap().1["actions"]["PROBE.ANY"]["guards"] = json!([guard]);
        compile(&all).map_or_else(|found| found.iter().map(|problem| problem.code).collect(), |_| Vec::new())
    };
    let of = |of: &str, left: &str| guard(json!({"guard": "field_equals", "left": left, "right": "x", "of": of}));
    for (other, left) in
        [("Order:{id}", "$.kept.label"), ("$.actor", "$.kept.label"), ("Protocol:ledger", "$.kept.snapshot"), ("Rule:a", "{kept.label}")]
    {
        assert_eq!(of(other, left), [""; 0], "{other} {left}");
    }
    assert_eq!(of("Order:{id}", "$.kept.value"), ["unknown_field"], "orders keep no value");
    assert_eq!(of("None:{id}", "$.kept.label"), ["unknown_field"], "nothing is of this type");
    assert_eq!(of("Order:{payload.none}", "$.kept.label"), ["unknown_field"]);
    assert_eq!(of("Order:{id}", "$.subject"), ["bad_guard"], "it would say nothing");
    assert_eq!(guard(json!({"guard": "field_equals", "left": "$.kept.label", "right": "x"})), ["unknown_field"], "a probe keeps nothing");
    assert!(guard(json!({"guard": "exists", "subject": "$.subject", "off": "Order:1"})).contains(&"bad_shape"));
    assert!(guard(json!({"guard": "exists", "subject": "$.subject", "of": 1})).contains(&"bad_shape"));
    // As it is read, so it is written.
    let text = json!({"guard": "exists", "subject": "$.kept.x", "of": "Order:1"});
    let read: enact_core::govern::declare::GuardOfDecl = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), text);
}
