//! Events: what an admission asks of the logs, answered by an index and validated at the commit.

use enact_store::stage::Stage;
use enact_store::{ConflictKind, Fold, Read, Rejection, StateRead, Write, event};
use serde_json::{Map, Value, json};

use crate::support::{Bench, commit, one, with};

fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn record(log: &str, value: &Value) -> Write {
    let value = value.to_string();
    Write::Append { store: log.to_owned(), events: event::codes(&value), value }
}

fn absent(who: &str) -> Read {
    Read::Event { store: None, event: "EV_A_V0".to_owned(), fields: fields(&json!({"who": who})), found: false }
}

fn questions() -> Vec<(Option<&'static str>, &'static str, Value, bool)> {
    vec![
        (None, "EV_A_V0", json!({}), true),
        (Some("x"), "EV_A_V0", json!({}), true),
        (Some("y"), "EV_A_V0", json!({}), false),
        (Some("absent"), "EV_A_V0", json!({}), false),
        (None, "EV_C_V0", json!({}), false),
        (None, "EV_A_V0", json!({"who": "ann"}), true),
        (None, "EV_A_V0", json!({"who": "ann", "n": 1.0}), true),
        (None, "EV_A_V0", json!({"who": "ann", "n": 2}), false),
        (None, "EV_A_V0", json!({"who": "bob"}), false),
        (None, "EV_A_V0", json!({"who": null}), false),
        (Some("y"), "EV_B_V0", json!({"who": "bob"}), true),
        (Some("x"), "EV_B_V0", json!({"who": "bob"}), false),
    ]
}

fn history() -> Vec<Write> {
    vec![
        record("x", &json!({"event_code": "EV_A_V0", "who": "ann", "n": 1})),
        record("x", &json!("EV_A_V0")),
        record("y", &json!({"record": {"event_type": "EV_B_V0", "who": "bob"}})),
    ]
}

#[test]
fn p_34_the_file_and_the_fold_find_the_same_events() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let mut reader = bench.store.reader().unwrap();
    let mut fold = Fold::new();
    // Asked before there is anything, so that the fold's indexes must be kept up to date.
    for (store, event, wanted, _) in questions() {
        assert!(!fold.find_event(store, event, &fields(&wanted)).unwrap());
        assert!(!reader.find_event(store, event, &fields(&wanted)).unwrap());
    }
    one(&mut writer, with("a", vec![], history())).unwrap();
    fold.apply(&history()).unwrap();
    // Without an index, while the commit builds one, and with it.
    for round in 0..2 {
        for (number, (store, event, wanted, found)) in questions().into_iter().enumerate() {
            let wanted = fields(&wanted);
            assert_eq!(reader.find_event(store, event, &wanted).unwrap(), found, "{store:?} {event} {wanted:?}");
            assert_eq!(fold.find_event(store, event, &wanted).unwrap(), found, "{store:?} {event} {wanted:?}");
            assert_eq!(Fold::clone(&fold).find_event(store, event, &wanted).unwrap(), found);
            let read = Read::Event { store: store.map(str::to_owned), event: event.to_owned(), fields: wanted, found };
            one(&mut writer, with(&format!("{round}-{number}"), vec![read], vec![])).unwrap();
        }
    }
    let indexes: i64 = bench.raw().query_row("SELECT count(*) FROM event_indexes", [], |row| row.get(0)).unwrap();
    assert_eq!(indexes, 3, "one for each combination of an event and fields");
}

#[test]
fn p_34_two_runs_that_forbid_the_same_event_are_not_both_admitted() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let add = |who: &str| record("x", &json!({"event_code": "EV_A_V0", "who": who}));
    let batch = [
        with("a", vec![absent("ann")], vec![add("ann")]),
        with("b", vec![absent("bob")], vec![add("bob")]),
        with("c", vec![absent("ann")], vec![add("ann")]),
    ];
    let answers = writer.append(&batch, crate::support::NOW, &crate::support::sign).unwrap();
    assert!(answers[0].is_ok() && answers[1].is_ok(), "another identity is no conflict");
    assert!(matches!(&answers[2], Err(Rejection::Conflict(c)) if c.what == ConflictKind::Event), "{:?}", answers[2]);
}

#[test]
fn a_stage_sees_the_events_that_its_run_has_staged() {
    let mut fold = Fold::new();
    let mut stage = Stage::new(&mut fold);
    let ann = fields(&json!({"who": "ann"}));
    assert!(!stage.find_event(None, "EV_A_V0", &ann).unwrap());
    stage.append("x", r#"{"event_code":"EV_A_V0","who":"ann"}"#).unwrap();
    assert!(stage.find_event(None, "EV_A_V0", &ann).unwrap());
    assert!(stage.find_event(Some("x"), "EV_A_V0", &ann).unwrap());
    assert!(!stage.find_event(Some("y"), "EV_A_V0", &ann).unwrap());
    let staged = stage.finish().unwrap();
    assert!(staged.reads.iter().all(|read| matches!(read, Read::Event { found: false, .. })));
}

#[test]
fn an_index_survives_a_batch_that_is_left_out() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    one(&mut writer, with("a", vec![], history())).unwrap();
    one(&mut writer, with("b", vec![absent("ann")], vec![])).unwrap_err();
    let indexes = || -> i64 { bench.raw().query_row("SELECT count(*) FROM event_indexes", [], |row| row.get(0)).unwrap() };
    assert_eq!(indexes(), 1);
    assert_eq!(bench.store.reader().unwrap().head().unwrap().size, 1);
    one(&mut writer, commit("c")).unwrap();
}
