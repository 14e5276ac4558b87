//! Properties: the file, the fold and the stage agree with each other and with a model that is too simple to be wrong.

use std::collections::BTreeMap;

use enact_store::stage::{Stage, StageError};
use enact_store::{Fold, Kind, Rejection, StateRead, Write, conflict};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::support::{Bench, fold_state, one, reader_state, with};

const STORES: [&str; 3] = ["one", "two", "three"];
const KEYS: [&str; 5] = ["", "a", "b", "b\u{0}", "é"];

/// A verb of the capability interface. The store's index is first, the key's second.
#[derive(Clone, Debug)]
enum Verb {
    Register(usize, usize, u8),
    Lookup(usize, usize),
    Retire(usize, usize),
    Count(usize),
    Get(usize, usize),
    Put(usize, usize, u8, Option<u64>),
    Remove(usize, usize, Option<u64>),
    List(usize, Option<usize>, u64),
    Append(usize, u8),
    Read(usize, u64, u64),
}

/// Anything a verb answers.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Text(Option<String>),
    Flag(bool),
    Number(Option<u64>),
    Document(Option<(u64, String)>),
    Documents(Vec<(String, u64, String)>),
    Records(Vec<String>),
    Invalid,
}

/// Calls in one run; the ones of a dropped group leave no writes.
#[derive(Clone, Debug)]
struct Group {
    verbs: Vec<Verb>,
    dropped: bool,
}

fn verb() -> impl Strategy<Value = Verb> {
    let (store, key, value) = (0..STORES.len(), 0..KEYS.len(), any::<u8>());
    let expect = || prop_oneof![Just(None), (0..4_u64).prop_map(Some)];
    prop_oneof![
        (store.clone(), key.clone(), value).prop_map(|(s, k, v)| Verb::Register(s, k, v)),
        (store.clone(), key.clone()).prop_map(|(s, k)| Verb::Lookup(s, k)),
        (store.clone(), key.clone()).prop_map(|(s, k)| Verb::Retire(s, k)),
        store.clone().prop_map(Verb::Count),
        (store.clone(), key.clone()).prop_map(|(s, k)| Verb::Get(s, k)),
        (store.clone(), key.clone(), value, expect()).prop_map(|(s, k, v, e)| Verb::Put(s, k, v, e)),
        (store.clone(), key.clone(), expect()).prop_map(|(s, k, e)| Verb::Remove(s, k, e)),
        (store.clone(), proptest::option::of(key), 0..4_u64).prop_map(|(s, k, l)| Verb::List(s, k, l)),
        (store.clone(), value).prop_map(|(s, v)| Verb::Append(s, v)),
        (store, 0..6_u64, 0..4_u64).prop_map(|(s, f, l)| Verb::Read(s, f, l)),
    ]
}

fn runs() -> impl Strategy<Value = Vec<Vec<Group>>> {
    let group = (proptest::collection::vec(verb(), 1..8), prop::bool::weighted(0.25)).prop_map(|(verbs, dropped)| Group { verbs, dropped });
    proptest::collection::vec(proptest::collection::vec(group, 1..4), 1..8)
}

fn ask<S: StateRead>(stage: &mut Stage<'_, S>, verb: &Verb) -> Answer {
    let answer = match verb {
        Verb::Register(s, k, v) => stage.register(STORES[*s], KEYS[*k], &v.to_string()).map(Answer::Text),
        Verb::Lookup(s, k) => stage.lookup(STORES[*s], KEYS[*k]).map(Answer::Text),
        Verb::Retire(s, k) => stage.retire(STORES[*s], KEYS[*k]).map(Answer::Flag),
        Verb::Count(s) => stage.count(STORES[*s]).map(|n| Answer::Number(Some(n))),
        Verb::Get(s, k) => stage.get(STORES[*s], KEYS[*k]).map(Answer::Document),
        Verb::Put(s, k, v, e) => stage.put(STORES[*s], KEYS[*k], &v.to_string(), *e).map(Answer::Number),
        Verb::Remove(s, k, e) => stage.remove(STORES[*s], KEYS[*k], *e).map(Answer::Flag),
        Verb::List(s, k, l) => stage.list(STORES[*s], k.map(|k| KEYS[k]), *l).map(Answer::Documents),
        Verb::Append(s, v) => stage.append(STORES[*s], &v.to_string()).map(|()| Answer::Flag(true)),
        Verb::Read(s, f, l) => stage.read(STORES[*s], *f, *l).map(Answer::Records),
    };
    match answer {
        Ok(answer) => answer,
        Err(StageError::Invalid(_)) => Answer::Invalid,
        Err(StageError::Unavailable(detail)) => panic!("{detail}"),
    }
}

/// One store of the model.
#[derive(Clone, Debug, Default)]
struct Simple {
    kind: Option<Kind>,
    rows: BTreeMap<String, (u64, Option<String>)>,
    log: Vec<String>,
}

impl Simple {
    fn live(&self, key: &str) -> Option<(u64, String)> {
        self.rows.get(key).and_then(|(version, value)| Some((*version, value.clone()?)))
    }

    fn set(&mut self, kind: Kind, key: &str, value: Option<String>) -> u64 {
        self.kind = Some(kind);
        let row = self.rows.entry(key.to_owned()).or_insert((0, None));
        *row = (row.0 + 1, value);
        row.0
    }
}

type Model = [Simple; 3];

fn expect(model: &mut Model, verb: &Verb) -> Answer {
    let (store, kind) = match verb {
        Verb::Register(s, ..) | Verb::Lookup(s, _) | Verb::Retire(s, _) | Verb::Count(s) => (*s, Kind::Registry),
        Verb::Get(s, _) | Verb::Put(s, ..) | Verb::Remove(s, ..) | Verb::List(s, ..) => (*s, Kind::Table),
        Verb::Append(s, _) | Verb::Read(s, ..) => (*s, Kind::Log),
    };
    let store = &mut model[store];
    if store.kind.is_some_and(|is| is != kind) {
        return Answer::Invalid;
    }
    match verb {
        Verb::Register(_, k, v) => {
            let existing = store.live(KEYS[*k]).map(|(_, value)| value);
            if existing.is_none() {
                store.set(kind, KEYS[*k], Some(v.to_string()));
            }
            Answer::Text(existing)
        }
        Verb::Lookup(_, k) => Answer::Text(store.live(KEYS[*k]).map(|(_, value)| value)),
        Verb::Retire(_, k) => {
            let live = store.live(KEYS[*k]).is_some();
            if live {
                store.set(kind, KEYS[*k], None);
            }
            Answer::Flag(live)
        }
        Verb::Count(_) => Answer::Number(Some(u64::try_from(KEYS.iter().filter(|key| store.live(key).is_some()).count()).unwrap())),
        Verb::Get(_, k) => Answer::Document(store.live(KEYS[*k])),
        Verb::Put(_, k, v, e) => {
            let live = store.live(KEYS[*k]).map(|(version, _)| version);
            let holds = *e == Some(0) || *e == live;
            Answer::Number(holds.then(|| store.set(kind, KEYS[*k], Some(v.to_string()))))
        }
        Verb::Remove(_, k, e) => {
            let holds = store.live(KEYS[*k]).is_some_and(|(version, _)| e.is_none_or(|e| e == 0 || e == version));
            if holds {
                store.set(kind, KEYS[*k], None);
            }
            Answer::Flag(holds)
        }
        Verb::List(_, after, limit) => {
            let keys = store.rows.keys().filter(|key| after.is_none_or(|after| key.as_str() > KEYS[after]));
            let live = keys.filter_map(|key| store.live(key).map(|(version, value)| (key.clone(), version, value)));
            Answer::Documents(live.take(usize::try_from(*limit).unwrap()).collect())
        }
        Verb::Append(_, v) => {
            store.kind = Some(kind);
            store.log.push(v.to_string());
            Answer::Flag(true)
        }
        Verb::Read(_, from, limit) => {
            let records = store.log.iter().skip(usize::try_from(*from).unwrap());
            Answer::Records(records.take(usize::try_from(*limit).unwrap()).cloned().collect())
        }
    }
}

/// Runs the groups against a stage and the model; answers the write set and what was answered.
fn run<S: StateRead>(base: &mut S, model: &mut Model, groups: &[Group]) -> Result<enact_store::stage::Staged, TestCaseError> {
    let mut stage = Stage::new(base);
    for group in groups {
        let (mark, before) = (stage.mark(), model.clone());
        for verb in &group.verbs {
            let expected = expect(model, verb);
            prop_assert_eq!(ask(&mut stage, verb), expected, "{:?}", verb);
        }
        if group.dropped {
            stage.rollback(mark);
            *model = before;
        }
    }
    Ok(stage.finish().unwrap())
}

fn places() -> Vec<(String, String)> {
    STORES.iter().flat_map(|store| KEYS.iter().map(|key| ((*store).to_owned(), (*key).to_owned()))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stage_over_a_fold_answers_like_the_model(runs in runs()) {
        let (mut fold, mut model) = (Fold::new(), Model::default());
        for groups in &runs {
            let staged = run(&mut fold, &mut model, groups)?;
            prop_assert_eq!(conflict(&mut fold, &staged.reads, &staged.writes).unwrap(), None);
            fold.apply(&staged.writes).unwrap();
        }
        for (name, simple) in STORES.iter().zip(&model) {
            prop_assert_eq!(fold.kind(name).unwrap(), simple.kind);
            for key in KEYS {
                let row = fold.row(name, key).unwrap().map(|row| (row.version, row.value));
                prop_assert_eq!(row.as_ref(), simple.rows.get(key));
            }
        }
    }
}

proptest! {
    // Each case is a ledger of its own on the disk.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_file_holds_what_the_fold_holds(runs in runs()) {
        let bench = Bench::new();
        let (mut reader, mut writer) = (bench.store.reader().unwrap(), bench.store.writer().unwrap());
        let (mut fold, mut model) = (Fold::new(), Model::default());
        for (number, groups) in runs.iter().enumerate() {
            let staged = run(&mut reader, &mut model, groups)?;
            fold.apply(&staged.writes).unwrap();
            one(&mut writer, with(&format!("run-{number}"), staged.reads, staged.writes)).unwrap();
        }
        let places = places();
        prop_assert_eq!(reader_state(&mut reader, &places), fold_state(&mut fold, &places));
    }

    #[test]
    fn stale_runs_are_left_out_and_the_history_is_serial(runs in runs()) {
        let bench = Bench::new();
        let (mut reader, mut writer) = (bench.store.reader().unwrap(), bench.store.writer().unwrap());
        let mut fold = Fold::new();
        // All runs read the same moment; each is then committed or left out.
        let mut prepared = Vec::new();
        for groups in &runs {
            prepared.push((groups, run(&mut reader, &mut Model::default(), groups)?));
        }
        let mut model = Model::default();
        for (number, (groups, staged)) in prepared.into_iter().enumerate() {
            let expected = conflict(&mut fold, &staged.reads, &staged.writes).unwrap();
            match one(&mut writer, with(&format!("run-{number}"), staged.reads.clone(), staged.writes.clone())) {
                Ok(_) => {
                    prop_assert_eq!(expected, None);
                    // Serial: executed at its place in the ledger, the run gives the same answers and the same writes.
                    let again = run(&mut fold, &mut model, groups)?;
                    prop_assert_eq!(&again.writes, &staged.writes);
                    fold.apply(&staged.writes).unwrap();
                }
                Err(Rejection::Conflict(found)) => prop_assert_eq!(Some(found), expected),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
        let places = places();
        prop_assert_eq!(reader_state(&mut reader, &places), fold_state(&mut fold, &places));
    }
}

#[test]
fn a_fold_refuses_a_write_of_another_kind_and_stays_as_it_was() {
    let put = |kind| Write::Put { store: "s".to_owned(), kind, key: "k".to_owned(), value: "v".to_owned(), version: 1 };
    let mut fold = Fold::new();
    let error = fold.apply(&[put(Kind::Registry), put(Kind::Table)]).unwrap_err();
    assert_eq!(error.code(), "store_kind");
    assert!(fold.stores().is_empty());
}

#[test]
fn a_step_without_a_store_is_told_so() {
    let mut fold = Fold::new();
    let mut stage = Stage::new(&mut fold);
    assert!(matches!(stage.append("", "x"), Err(StageError::Invalid(_))));
    assert!(stage.finish().unwrap().reads.is_empty());
}

#[test]
fn a_listing_is_full_though_the_run_has_removed_its_first_rows() {
    let put = |key: &str| Write::Put { store: "s".to_owned(), kind: Kind::Table, key: key.to_owned(), value: key.to_owned(), version: 1 };
    let mut fold = Fold::new();
    fold.apply(&["a", "b", "c", "d"].map(put)).unwrap();
    let mut stage = Stage::new(&mut fold);
    assert!(stage.remove("s", "a", Some(1)).unwrap() && stage.remove("s", "b", None).unwrap());
    assert_eq!(stage.put("s", "cc", "cc", None).unwrap(), Some(1));
    let mut keys = |after, limit| -> Vec<String> { stage.list("s", after, limit).unwrap().into_iter().map(|row| row.0).collect() };
    assert_eq!(keys(None, 2), ["c", "cc"]);
    assert_eq!(keys(Some("c"), 9), ["cc", "d"]);
}
