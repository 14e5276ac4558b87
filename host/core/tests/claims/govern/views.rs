//! Views: what does not compile, what one shows of a subject, and in which order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use enact_core::govern::row::SubjectRow;
use enact_core::govern::{Problem, View};
use enact_core::state::Space;
use serde_json::{Value, json};

use super::world::{World, artifacts, compile};

/// Orders that are not closed, the greatest amount first.
fn open_orders() -> Value {
    json!({"code": "VW_ORDERS_V0", "summary": "What is to be paid.", "name": "orders", "subject": "Order", "states": ["open", "paid"],
        "columns": [{"name": "order", "value": "$.id"}, {"name": "state", "value": "$.state"}, {"name": "amount", "value": "$.kept.amount"},
            {"name": "text", "value": "{id} of {kept.amount}"}, {"name": "label", "value": "$.kept.label"}],
        "order": ["-amount", "order"]})
}

fn compiled(views: &[Value]) -> Result<BTreeMap<String, View>, Vec<Problem>> {
    compile(&artifacts()).unwrap().views(views.iter().map(|view| (view["code"].as_str().unwrap(), view)))
}

fn problems(change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let mut view = open_orders();
    change(&mut view);
    compiled(&[view]).map_or_else(|problems| problems.into_iter().map(|problem| problem.code).collect(), |_| vec![])
}

#[test]
fn q_11_a_view_that_names_what_is_not_declared_does_not_compile() {
    assert_eq!(problems(|_| ()), Vec::<&str>::new());
    for (expected, found) in [
        ("bad_shape", problems(|v| v["more"] = json!(1))),
        ("bad_shape", problems(|v| drop(v.as_object_mut().unwrap().remove("columns")))),
        ("bad_word", problems(|v| v["name"] = json!("two words"))),
        ("unknown_subject", problems(|v| v["subject"] = json!("Ordre"))),
        // A state of another lifecycle is none of this one.
        ("unknown_state", problems(|v| v["states"] = json!(["queued"]))),
        ("unknown_field", problems(|v| v["columns"][2]["value"] = json!("$.kept.size"))),
        ("unknown_field", problems(|v| v["columns"][3]["value"] = json!("{kept.none}"))),
        ("bad_expression", problems(|v| v["columns"][0]["value"] = json!("$.payload.amount"))),
        ("bad_expression", problems(|v| v["columns"][0]["value"] = json!("$.actor"))),
        ("bad_expression", problems(|v| v["columns"][0]["value"] = json!("{id"))),
        ("bad_expression", problems(|v| v["columns"][0]["value"] = json!("always the same"))),
        ("bad_expression", problems(|v| v["where"] = json!([{"field": "$.at", "values": ["x"]}]))),
        ("bad_view", problems(|v| v["where"] = json!([{"field": "$.id", "values": []}]))),
        ("bad_view", problems(|v| v["columns"] = json!([]))),
        ("bad_view", problems(|v| v["columns"][1]["name"] = json!("order"))),
        ("bad_view", problems(|v| v["order"] = json!(["none"]))),
    ] {
        assert!(found.contains(&expected), "expected {expected}, found {found:?}");
    }
    let mut other = open_orders();
    other["code"] = json!("VW_OTHER_V0");
    assert_eq!(compiled(&[open_orders(), other]).unwrap_err()[0].code, "duplicate_view");
}

/// What a view shows of all subjects of its type, in its order.
fn shown(world: &World, view: &View) -> Vec<Vec<Value>> {
    let rows = world.state.rows(Space::Subject).filter(|(key, _)| key.starts_with(&view.prefix()));
    let mut shown: Vec<Vec<Value>> = rows
        .filter_map(|(key, row)| {
            let row: SubjectRow = serde_json::from_str(row).unwrap();
            view.shows(key, &row)
        })
        .collect();
    shown.sort_by(|one, other| view.compare(one, other));
    shown
}

#[test]
fn a_view_shows_the_subjects_of_its_type_in_its_states_and_its_order() {
    let mut world = World::new();
    for (id, amount, label) in [("a", "9", Some("x")), ("b", "100", None), ("c", "9", None), ("d", "20", None)] {
        let mut payload = json!({"amount": amount});
        if let Some(label) = label {
            payload["label"] = json!(label);
        }
        world.say(vec![world.ann("ORDER.OPEN", &format!("Order:{id}"), payload)]).unwrap();
    }
    let view = compiled(&[open_orders()]).unwrap().remove("orders").unwrap();
    let orders = |world: &World| -> Vec<String> { shown(world, &view).iter().map(|row| row[0].as_str().unwrap().to_owned()).collect() };
    // 100 is more than 20, though its text comes before.
    assert_eq!(orders(&world), ["b", "d", "a", "c"]);
    let first = &shown(&world, &view)[2];
    assert_eq!(*first, [json!("a"), json!("open"), json!("9"), json!("a of 9"), json!("x")]);
    // What a subject does not keep is shown as nothing, and does not hide it.
    assert_eq!(shown(&world, &view)[0][4], Value::Null);
    // In a state that is not listed it is not shown; subjects of other types never are.
    world.say(vec![world.ann("PROBE.ANY", "Probe:a", json!({}))]).unwrap();
    let legs = |amount: &str| {
        let leg = |account: &str, side: &str| {
            serde_json::from_value(json!({"account": account, "amount": amount, "asset": "COIN", "side": side})).unwrap()
        };
        Some(vec![leg("member:ann", "debit"), leg("order:a", "credit")])
    };
    world.say(vec![world.moving("MOVE.COIN", "1", &[("mint", -9, "COIN"), ("member:ann", 9, "COIN")])]).unwrap();
    let pay = world.ann("ORDER.PAY", "Order:a", json!({"by": "Actor:ann"}));
    world.say(vec![enact_core::entry::Record { consumes: vec!["paid:Order:a".into()], postings: legs("9"), ..pay }]).unwrap();
    assert_eq!(orders(&world).len(), 4);
    world.say(vec![world.ann("ORDER.CLOSE", "Order:a", json!({}))]).unwrap();
    assert_eq!(orders(&world), ["b", "d", "c"]);
    // Conditions of the view's own.
    let mut only = open_orders();
    only["where"] = json!([{"field": "$.kept.amount", "values": ["9", "20"]}]);
    let view = compiled(&[only]).unwrap().remove("orders").unwrap();
    assert_eq!(shown(&world, &view).len(), 2);
    assert_eq!(view.compare(&[json!("z"), Value::Null, json!("9")], &[json!("a"), Value::Null, json!("20")]), Ordering::Greater);
}
