//! Governed appends: what a judge sees, what is stored of its answers, and that nothing is stored of a batch that failed.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use enact_core::entry::{Draft, Head, Sealed, seal};
use enact_core::hash::blob_hash;
use enact_core::state::{Put, Space, StateDelta, StateView};
use enact_store::{Committed, Judge, OpenOptions, Reader, RefusedProposal, Store, StoreError, TxView, Writer};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Bench, NOW, ORIGIN, commit, one, sign};
use crate::tamper::findings;

/// A proposal: what the judge below does is written in it. A receipt of a run, since the judge below seals without rules.
pub(crate) fn draft(payload: &Value) -> Draft {
    let mut draft = commit("x").draft;
    let record = draft.records.first_mut().unwrap();
    record.subject = format!("Count:{}", payload["key"].as_str().unwrap());
    record.payload = payload.clone();
    draft
}

/// Adds `add` to the row of `key`, which must be `expect` before, and writes the row `new`; or fails as `fail` says.
pub(crate) struct Counting;

impl Judge for Counting {
    type Refused = String;

    fn judge(&mut self, view: &dyn TxView, head: &Head, draft: &Draft) -> Result<Result<(Sealed, StateDelta), String>, StoreError> {
        let payload = draft.records[0].payload.clone();
        let key = payload["key"].as_str().unwrap().to_owned();
        let before = view.get(Space::Balance, &key)?.map_or(0, |row| row.parse::<u64>().unwrap());
        match payload["fail"].as_str() {
            Some("error") => return Err(StoreError::Corrupt { detail: "said the judge".to_owned() }),
            Some("panic") => panic!("the judge panics"),
            Some("refuse") => return Ok(Err(format!("{key} is {before}"))),
            _ => {}
        }
        if payload["expect"].as_u64().is_some_and(|expect| expect != before) {
            return Ok(Err(format!("{key} is {before}")));
        }
        let mut sealed = seal(head, ORIGIN, draft.clone()).unwrap();
        if payload["fail"] == "skip" {
            sealed.seq += 1;
        }
        let value = (before + payload["add"].as_u64().unwrap_or(1)).to_string();
        let mut puts = vec![Put { space: Space::Balance, key, value }];
        if let Some(new) = payload["new"].as_str() {
            puts.push(Put { space: Space::Subject, key: new.to_owned(), value: json!({"seq": head.size}).to_string() });
        }
        if payload["fail"] == "order" {
            puts.push(Put { space: Space::Actor, key: "a".to_owned(), value: "{}".to_owned() });
        }
        Ok(Ok((sealed, StateDelta { puts })))
    }

    fn keep(&self, refused: &String) -> Option<RefusedProposal> {
        Some(RefusedProposal { at: NOW.to_owned(), code: "counted".to_owned(), detail: refused.clone(), ..RefusedProposal::default() })
    }
}

pub(crate) fn append(writer: &mut Writer, payloads: &[Value]) -> Result<Vec<Result<Committed, String>>, StoreError> {
    let mut drafts: Vec<_> = payloads.iter().map(draft).collect();
    writer.append_governed(&mut drafts, NOW, &mut Counting, &sign)
}

pub(crate) fn add(key: &str) -> Value {
    json!({"key": key})
}

/// An entry with its bytes and its rows.
type Step = (u64, Option<Vec<u8>>, Vec<Put>);

/// Everything that can be seen of the ledger and its state: head, note, entries, number of refusals.
pub(crate) fn everything(reader: &mut Reader) -> (Head, Option<String>, Vec<Step>, usize) {
    reader.begin().unwrap();
    let mut entries = Vec::new();
    reader
        .entries_with_state(0, |step| {
            entries.push((step.seq, step.entry.map(|entry| entry.bytes.to_vec()), step.rows.to_vec()));
            Ok::<(), StoreError>(())
        })
        .unwrap();
    let refusals = reader.refusals(0, u64::MAX).unwrap().len();
    let seen = (reader.head().unwrap(), reader.note().unwrap(), entries, refusals);
    reader.end().unwrap();
    seen
}

#[test]
fn a_draft_is_judged_against_what_the_earlier_ones_of_its_batch_leave() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let batch = [
        json!({"key": "a", "expect": 0, "new": "S:1"}),
        json!({"key": "a", "expect": 1}),
        json!({"key": "a", "expect": 1}),
        json!({"key": "b", "expect": 0, "add": 5}),
        json!({"key": "a", "expect": 2}),
    ];
    let answers = append(&mut writer, &batch).unwrap();
    assert_eq!(
        answers.iter().map(|a| a.as_ref().map(|c| c.seq).map_err(String::as_str)).collect::<Vec<_>>(),
        [Ok(0), Ok(1), Err("a is 2"), Ok(2), Ok(3)]
    );
    assert_eq!((bench.store.stats().transactions, bench.store.stats().refused), (1, 1));
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    let head = reader.head().unwrap();
    assert_eq!((head.size, reader.note().unwrap()), (4, Some(sign(&head))));
    assert_eq!(reader.state(Space::Balance, "a").unwrap(), Some((3, "3".to_owned())));
    assert_eq!(reader.state(Space::Balance, "c").unwrap(), None);
    assert_eq!(reader.state(Space::Asset, "a").unwrap(), None);
    assert_eq!(reader.state_at(Space::Balance, "a", 2).unwrap(), Some((1, "2".to_owned())));
    assert_eq!(reader.state_at(Space::Balance, "b", 1).unwrap(), None);
    let history = reader.state_history(Space::Balance, "a", None, 2).unwrap();
    assert_eq!(history, [(0, "1".to_owned()), (1, "2".to_owned())]);
    assert_eq!(reader.state_history(Space::Balance, "a", Some(1), 2).unwrap(), [(3, "3".to_owned())]);
    let refusals = reader.refusals(0, 10).unwrap();
    assert_eq!(refusals.iter().map(|r| (r.id, r.proposal.detail.as_str())).collect::<Vec<_>>(), [(1, "a is 2")]);
    assert_eq!(reader.refusals(1, 10).unwrap(), []);
}

#[test]
fn nothing_is_stored_of_a_batch_that_failed_and_the_next_one_is_judged_as_if_it_had_not_been() {
    // A long batch is judged on one thread and written on another.
    for (fail, more) in ["error", "panic", "skip", "order"].into_iter().flat_map(|fail| [(fail, 0), (fail, 100)]) {
        let bench = Bench::new();
        let mut writer = bench.store.writer().unwrap();
        append(&mut writer, &[add("a"), add("b")]).unwrap();
        let before = everything(&mut bench.store.reader().unwrap());
        let mut batch: Vec<Value> = (0..more).map(|nth| json!({"key": "m", "new": format!("S:m{nth}")})).collect();
        batch.extend([
            add("a"),
            json!({"key": "c", "new": "S:1"}),
            json!({"key": "a", "fail": "refuse"}),
            json!({"key": "b", "fail": fail}),
        ]);
        let failed = catch_unwind(AssertUnwindSafe(|| append(&mut writer, &batch)));
        match (fail, &failed) {
            ("panic", Err(_)) | ("error", Ok(Err(StoreError::Corrupt { .. }))) => {}
            ("skip" | "order", Ok(Err(StoreError::Judged { seq, .. }))) if *seq == 4 + more => {}
            _ => panic!("{fail}: {failed:?}"),
        }
        assert_eq!(everything(&mut bench.store.reader().unwrap()), before, "{fail}");
        let answers = append(&mut writer, &[json!({"key": "a", "expect": 1}), json!({"key": "c", "expect": 0})]).unwrap();
        assert!(answers.iter().all(Result::is_ok), "{fail}: {answers:?}");
        assert_eq!(findings(&mut bench.store.reader().unwrap()), Vec::<String>::new());
    }
}

#[test]
fn a_long_batch_leaves_what_its_drafts_leave_one_after_the_other() {
    let drafts: Vec<Value> = (0..200)
        .map(|nth| match nth % 5 {
            0 => add("a"),
            1 => json!({"key": format!("k{nth}"), "expect": 0, "new": format!("S:{nth}")}),
            2 => json!({"key": "a", "fail": "refuse"}),
            3 => json!({"key": format!("k{}", nth - 2), "expect": 1}),
            _ => json!({"key": "b", "add": 3}),
        })
        .collect();
    let (together, apart) = (Bench::new(), Bench::new());
    let (mut many, mut each) = (together.store.writer().unwrap(), apart.store.writer().unwrap());
    // The second time, the keys are known and the expectations of the first are wrong.
    for round in 0..3 {
        let answers = append(&mut many, &drafts).unwrap();
        for (draft, answer) in drafts.iter().zip(answers) {
            let alone = append(&mut each, std::slice::from_ref(draft)).unwrap().pop().unwrap();
            assert_eq!(
                answer.map(|entry| (entry.seq, entry.entry_hash)),
                alone.map(|entry| (entry.seq, entry.entry_hash)),
                "{round}: {draft}"
            );
        }
        // Somebody else writes in between: what the writer remembers is no longer all there is.
        for bench in [&together, &apart] {
            append(&mut Store::open(&OpenOptions::new(bench.path())).unwrap().writer().unwrap(), &[add("a"), add("k1")]).unwrap();
        }
    }
    assert_eq!(everything(&mut together.store.reader().unwrap()), everything(&mut apart.store.reader().unwrap()));
    let links = |bench: &Bench| -> Vec<(i64, i64, i64, i64)> {
        let raw = bench.raw();
        let mut statement = raw.prepare("SELECT prefix, kind, seq, pos FROM links ORDER BY 1, 2, 3, 4").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(links(&together), links(&apart));
    assert_eq!(findings(&mut together.store.reader().unwrap()), Vec::<String>::new());
}

#[test]
fn a_signature_that_panics_leaves_nothing() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let sign = |_: &Head| -> String { panic!("no signature") };
    let failed = catch_unwind(AssertUnwindSafe(|| writer.append_governed(&mut [draft(&add("a"))], NOW, &mut Counting, &sign)));
    assert!(failed.is_err());
    assert_eq!(everything(&mut bench.store.reader().unwrap()).2, []);
    assert_eq!(append(&mut writer, &[json!({"key": "a", "expect": 0})]).unwrap()[0].as_ref().unwrap().seq, 0);
}

#[test]
fn a_full_disk_leaves_nothing_and_the_state_goes_on_from_where_it_was() {
    let bench = Bench::new();
    append(&mut bench.store.writer().unwrap(), &[add("a")]).unwrap();
    let limited = OpenOptions { size_limit_bytes: Some(600_000), ..OpenOptions::new(bench.path()) };
    let store = Store::open(&limited).unwrap();
    let mut writer = store.writer().unwrap();
    let mut appended = 1;
    let error = loop {
        let batch: Vec<_> = (0..50).map(|i| json!({"key": "a", "expect": appended + i, "new": format!("S:{appended}-{i}")})).collect();
        let before = everything(&mut bench.store.reader().unwrap());
        match append(&mut writer, &batch) {
            Ok(answers) => {
                assert!(answers.iter().all(Result::is_ok));
                appended += 50;
            }
            Err(error) => {
                assert_eq!(everything(&mut bench.store.reader().unwrap()), before);
                break error;
            }
        }
    };
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert!(appended > 50);
    let answers = append(&mut bench.store.writer().unwrap(), &[json!({"key": "a", "expect": appended})]).unwrap();
    assert!(answers[0].is_ok());
}

#[test]
fn writers_and_run_receipts_interleave_and_nobody_judges_by_an_old_row() {
    let bench = Bench::new();
    let (mut first, mut second) = (bench.store.writer().unwrap(), Store::open(&OpenOptions::new(bench.path())).unwrap().writer().unwrap());
    let mut expect = 0;
    for round in 0..30 {
        let writer = if round % 3 == 0 { &mut second } else { &mut first };
        let answers = append(writer, &[json!({"key": "hot", "expect": expect}), json!({"key": "hot", "expect": expect + 1})]).unwrap();
        assert!(answers.iter().all(Result::is_ok), "round {round}: {answers:?}");
        expect += 2;
        one(if round % 2 == 0 { &mut first } else { &mut second }, commit(&format!("run-{round}"))).unwrap();
    }
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    assert_eq!((reader.head().unwrap().size, reader.run_count().unwrap()), (90, 30));
    assert_eq!(reader.runs(None, u64::MAX, false).unwrap().len(), 30);
}

#[test]
fn refusals_alone_are_durable_and_move_no_head() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    append(&mut writer, &[json!({"key": "a", "fail": "refuse"})]).unwrap();
    let proposal = RefusedProposal {
        at: NOW.to_owned(),
        code: "authority_role".to_owned(),
        record: Some(2),
        row: Some("AM_X_V0#row".to_owned()),
        actor: Some("Actor:a".to_owned()),
        action: Some("X.Y".to_owned()),
        subject: Some("S:1".to_owned()),
        detail: "no".to_owned(),
        bytes: vec![0, 255],
    };
    assert_eq!(writer.record_refusals(&[proposal.clone(), RefusedProposal::default()]).unwrap(), [2, 3]);
    assert_eq!(writer.record_refusals(&[]).unwrap(), [0; 0]);
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(reader.head().unwrap(), Head::empty());
    let stored = reader.refusals(1, 1).unwrap();
    assert_eq!((stored.len(), stored[0].id, &stored[0].proposal), (1, 2, &proposal));
    assert_eq!(bench.store.stats().transactions, 2);
}

#[test]
fn a_listing_pages_through_present_rows_by_key_however_often_they_changed() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let mut truth = BTreeMap::new();
    for round in 0..40_u64 {
        let keys = ["a|X", "a|Y", "a", "b|X", "ä|X", "z"];
        let batch: Vec<_> = keys.iter().take(1 + usize::try_from(round).unwrap() % keys.len()).map(|key| add(key)).collect();
        for (payload, answer) in batch.iter().zip(append(&mut writer, &batch).unwrap()) {
            let row = truth.entry(payload["key"].as_str().unwrap().to_owned()).or_insert((0, 0));
            *row = (answer.unwrap().seq, row.1 + 1);
        }
    }
    let mut reader = bench.store.reader().unwrap();
    for prefix in ["", "a", "a|", "b", "q", "ä"] {
        for limit in [1, 2, 3, 100] {
            let (mut listed, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = reader.state_rows(Space::Balance, prefix, after.as_deref(), limit).unwrap();
                assert!(u64::try_from(page.len()).unwrap() <= limit);
                let Some(last) = page.last() else { break };
                after = Some(last.key.clone());
                listed.extend(page.into_iter().map(|row| (row.key, (row.seq, row.value.parse::<u64>().unwrap()))));
            }
            let expected: Vec<_> = truth.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(k, v)| (k.clone(), *v)).collect();
            assert_eq!(listed, expected, "prefix `{prefix}`, pages of {limit}");
        }
    }
    assert_eq!(reader.state_rows(Space::Balance, "", None, 0).unwrap(), []);
    // Before the prefix is the same as at its beginning.
    assert_eq!(reader.state_rows(Space::Balance, "b", Some("a"), 9).unwrap().len(), 1);
}

#[test]
fn a_moment_stays_as_it_is_and_the_past_can_be_held_as_well() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    append(&mut writer, &[add("a"), add("a")]).unwrap();
    writer.put_snapshot("hash", b"snapshot").unwrap();
    let mut reader = bench.store.reader().unwrap();
    let moment = reader.moment(None).unwrap();
    assert_eq!(moment.get(Space::Balance, "a").unwrap().as_deref(), Some("2"));
    append(&mut writer, &[add("a")]).unwrap();
    assert_eq!(moment.get(Space::Balance, "a").unwrap().as_deref(), Some("2"));
    assert_eq!(moment.snapshot("hash").unwrap().as_deref(), Some(&b"snapshot"[..]));
    drop(moment);
    assert_eq!(reader.moment(None).unwrap().get(Space::Balance, "a").unwrap().as_deref(), Some("3"));
    for (size, expected) in [(0, None), (1, Some("1")), (2, Some("2")), (3, Some("3")), (u64::MAX, Some("3"))] {
        assert_eq!(reader.moment(Some(size)).unwrap().get(Space::Balance, "a").unwrap().as_deref(), expected, "{size}");
    }
    // One that was held before is not let go of.
    reader.begin().unwrap();
    assert_eq!(reader.moment(None).unwrap().reader().head().unwrap().size, 3);
    append(&mut writer, &[add("a")]).unwrap();
    assert_eq!(reader.head().unwrap().size, 3);
}

#[test]
fn rows_that_belong_to_no_entry_or_no_space_are_shown_to_an_audit() {
    let bench = Bench::new();
    append(&mut bench.store.writer().unwrap(), &[add("a"), add("b")]).unwrap();
    let raw = bench.raw();
    raw.execute_batch("INSERT INTO state VALUES(7, 'balance', 'k', 'v'); DELETE FROM entries WHERE seq = 0").unwrap();
    let seen = everything(&mut bench.store.reader().unwrap()).2;
    assert_eq!(
        seen.iter().map(|(seq, entry, rows)| (*seq, entry.is_some(), rows.len())).collect::<Vec<_>>(),
        [(0, false, 1), (1, true, 1), (7, false, 1)]
    );
    for row in ["(8, 'secret', 'k', 'v')", "(-1, 'balance', 'k', 'v')"] {
        raw.execute_batch(&format!("DELETE FROM state WHERE seq IN (8, -1); INSERT INTO state VALUES{row}")).unwrap();
        let error = bench.store.reader().unwrap().entries_with_state(0, |_| Ok::<(), StoreError>(())).unwrap_err();
        assert!(error.is_corruption(), "{row}: {error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However batches are cut and whoever appends them: same entries, same rows, same head.
    #[test]
    fn batches_and_writers_make_no_difference(steps in proptest::collection::vec((0..5_u8, 0..3_u8, any::<bool>(), any::<bool>()), 1..60)) {
        let cut = Bench::new();
        let all = Bench::new();
        let payloads: Vec<_> = steps.iter().enumerate().map(|(nth, (key, fail, new, _))| {
            let mut payload = json!({"key": format!("k{key}")});
            if *fail == 0 { payload["fail"] = "refuse".into(); }
            if *new { payload["new"] = format!("S:{nth}").into(); }
            payload
        }).collect();
        append(&mut all.store.writer().unwrap(), &payloads).unwrap();
        let mut writers = [cut.store.writer().unwrap(), cut.store.writer().unwrap()];
        let mut from = 0;
        for (nth, (key, _, _, ends)) in steps.iter().enumerate() {
            if *ends || nth + 1 == steps.len() {
                append(&mut writers[usize::from(key % 2)], &payloads[from..=nth]).unwrap();
                from = nth + 1;
            }
        }
        prop_assert_eq!(everything(&mut cut.store.reader().unwrap()), everything(&mut all.store.reader().unwrap()));
    }
}

#[test]
fn a_judge_may_be_a_trait_object() {
    let bench = Bench::new();
    let judge: &mut dyn Judge<Refused = String> = &mut Counting;
    let answers = bench.store.writer().unwrap().append_governed(&mut [draft(&add("a"))], NOW, judge, &sign).unwrap();
    assert_eq!(answers.len(), 1);
    assert_ne!(answers[0].as_ref().unwrap().entry_hash, blob_hash(b""));
}
