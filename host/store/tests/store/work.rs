//! What a worker did, in one unit: entry, run, store writes, state and queue, all or nothing, and only for whoever holds the item.

use std::panic::{AssertUnwindSafe, catch_unwind};

use enact_core::state::Space;
use enact_store::{
    Committed, EXECUTING, Fence, Kind, OpenOptions, QueueChange, QueueExpect, QueueFilter, QueueItem, QueueRow, Read, Reader, Rejection,
    StateRead as _, Store, StoreError, Work, WorkRefused, WorkRun, Write, Writer,
};
use serde_json::{Value, json};

use crate::governed::{Counting, add, append, draft, everything};
use crate::queue::{TTL, consistent, events, line, moved, queued, ready, take};
use crate::support::{Bench, NOW, commit, one, sign};
use crate::tamper::findings;

/// What the worker `run` did with an item that it holds: one more for the item's row, one key of a host store, one run.
pub(crate) fn work(item: &QueueItem, run: &str) -> Work {
    let read = Read::Row { store: "keys".to_owned(), kind: Kind::Registry, key: item.row.item.clone(), version: 0 };
    let write =
        Write::Put { store: "keys".to_owned(), kind: Kind::Registry, key: item.row.item.clone(), value: run.to_owned(), version: 1 };
    let mut executed = moved(item, "EXECUTED", "executed", 20);
    // The number is what counts: an item that was given back in the meantime is still its holder's until someone takes it.
    executed.expect = QueueExpect::Is { status: None, fence: Some(item.row.fence) };
    Work {
        draft: draft(&json!({"key": item.row.item, "expect": 0, "new": format!("Transfer:{run}")})),
        run: Some(WorkRun { run: commit(run).run, reads: vec![read], writes: vec![write] }),
        fence: Some(Fence { item: item.row.item.clone(), fence: item.row.fence }),
        changes: vec![executed],
    }
}

type Answer = Result<Committed, WorkRefused<String>>;

/// The line of a change names the entry of its fact.
fn with_entry(change: &QueueChange, committed: &Committed) -> Option<String> {
    let mut line: Value = serde_json::from_str(&change.line).unwrap();
    line["entry"] = committed.seq.into();
    Some(line.to_string())
}

pub(crate) fn append_work(writer: &mut Writer, units: &[Work]) -> Result<Vec<Answer>, StoreError> {
    writer.append_work(&mut units.to_vec(), NOW, &mut Counting, &mut with_entry, &sign)
}

fn code(answer: &Answer) -> &str {
    match answer {
        Ok(_) => "committed",
        Err(WorkRefused::Rejected(rejection)) => rejection.code(),
        Err(WorkRefused::Refused(_)) => "refused",
    }
}

/// Everything there is to see, the queue and the host stores included.
fn whole(reader: &mut Reader) -> impl PartialEq + std::fmt::Debug + use<> {
    let queue = (
        reader.queue_items(&QueueFilter::default(), 0, u64::MAX).unwrap(),
        reader.queue_lines(None, 0, u64::MAX).unwrap(),
        reader.queue_counts(None).unwrap(),
    );
    (everything(reader), queue, reader.stores().unwrap(), reader.runs(None, u64::MAX, false).unwrap())
}

fn taken(bench: &Bench, items: u64) -> (Writer, Vec<QueueItem>) {
    let mut writer = bench.store.writer().unwrap();
    writer.queue_add(&(0..items).map(|nth| ready(&format!("Q-{nth}"), nth)).collect::<Vec<_>>()).unwrap();
    let taken = take(&mut writer, "w", 10, items);
    (writer, taken)
}

#[test]
fn w_31_a_unit_is_an_entry_a_run_its_writes_its_state_and_its_line_in_one_transaction() {
    let bench = Bench::new();
    let (mut writer, items) = taken(&bench, 3);
    let before = bench.store.stats().transactions;
    let units: Vec<_> = items.iter().map(|item| work(item, &format!("run-{}", item.row.item))).collect();
    let answers = append_work(&mut writer, &units).unwrap();
    assert_eq!(answers.iter().map(|answer| answer.as_ref().unwrap().seq).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(bench.store.stats().transactions, before + 1);
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    for (nth, unit) in units.iter().enumerate() {
        let (id, seq) = (&items[nth].row.item, u64::try_from(nth).unwrap());
        let run = reader.run_by_id(&format!("run-{id}")).unwrap().unwrap();
        assert_eq!((run.seq, &run.run), (seq, &unit.run.as_ref().unwrap().run));
        assert_eq!(reader.row("keys", id).unwrap().unwrap().value, Some(format!("run-{id}")));
        assert_eq!(reader.state(Space::Balance, id).unwrap(), Some((seq, "1".to_owned())));
        let item = reader.queue_item(id).unwrap().unwrap();
        assert_eq!((item.row.status.as_str(), item.row.lease), ("EXECUTED", None));
        let line: Value = serde_json::from_str(&item.line.unwrap()).unwrap();
        assert_eq!((&line["entry"], &line["event"]), (&json!(seq), &json!("executed")));
    }
    let head = reader.head().unwrap();
    assert_eq!((head.size, reader.note().unwrap()), (3, Some(sign(&head))));
    consistent(&mut reader);
}

/// W-28, W-30: a worker that was slow comes back after another has taken its item, and is shut out; the ledger stays as it was (W-36).
#[test]
fn w_28_w_30_w_36_a_worker_whose_item_was_taken_again_is_fenced_off_and_leaves_nothing() {
    let bench = Bench::new();
    let (mut slow, items) = taken(&bench, 1);
    let mut other = Store::open(&OpenOptions::new(bench.path())).unwrap().writer().unwrap();
    let again = take(&mut other, "other", 10 + TTL, 1);
    assert_eq!((again[0].row.fence, again[0].row.lease.as_ref().unwrap().owner.as_str()), (2, "other"));
    let mut reader = bench.store.reader().unwrap();
    let before = whole(&mut reader);
    let late = append_work(&mut slow, &[work(&items[0], "slow")]).unwrap().remove(0);
    let Err(WorkRefused::Rejected(Rejection::Queue(refused))) = &late else { panic!("{late:?}") };
    assert_eq!((refused.code(), refused.item()), ("queue_fenced", "Q-0"));
    assert_eq!(whole(&mut reader), before);
    assert_eq!(code(&append_work(&mut other, &[work(&again[0], "other")]).unwrap()[0]), "committed");
    // Neither of them a second time.
    for (writer, item, run) in [(&mut slow, &items[0], "slow"), (&mut other, &again[0], "other-2")] {
        let before = whole(&mut reader);
        let answers = append_work(writer, &[work(item, run)]).unwrap();
        assert!(answers[0].is_err(), "{answers:?}");
        assert_eq!(whole(&mut reader), before);
    }
    assert_eq!(events(&mut reader, "Q-0"), ["validated", "leased", "lease_lost", "leased", "executed"]);
    assert!(reader.run_by_id("slow").unwrap().is_none());
    consistent(&mut reader);
}

/// The number is what counts, not the clock.
#[test]
fn w_30_a_worker_whose_lease_is_over_may_still_come_in_as_long_as_nobody_has_taken_the_item() {
    let bench = Bench::new();
    let (mut writer, items) = taken(&bench, 1);
    let back = writer.queue_recover(10 + TTL, &mut |event, item| line(&item.row, event, 10 + TTL)).unwrap();
    assert_eq!(back.len(), 1);
    assert_eq!(code(&append_work(&mut writer, &[work(&items[0], "late")]).unwrap()[0]), "committed");
    assert_eq!(take(&mut writer, "other", 9 * TTL, 9), []);
    consistent(&mut bench.store.reader().unwrap());
}

#[test]
fn what_keeps_a_unit_out_is_looked_at_in_one_order_and_the_rest_of_the_batch_goes_in() {
    let bench = Bench::new();
    let (mut writer, items) = taken(&bench, 2);
    one(&mut writer, commit("known")).unwrap();
    let good = work(&items[0], "run-0");
    let mut bad = work(&items[1], "known");
    bad.fence.as_mut().unwrap().fence = 9;
    let run = bad.run.as_mut().unwrap();
    run.reads = vec![Read::Store { store: "keys".to_owned(), kind: Kind::Registry, version: 7 }];
    bad.draft = draft(&json!({"key": "Q-1", "fail": "refuse"}));
    let mut seen = Vec::new();
    let mut reader = bench.store.reader().unwrap();
    for step in 0..6 {
        match step {
            1 => bad.fence.as_mut().unwrap().fence = 1,
            2 => bad.changes[0].expect = QueueExpect::Is { status: Some(EXECUTING.to_owned()), fence: Some(1) },
            3 => bad.run.as_mut().unwrap().run.run_id = "new".to_owned(),
            4 => bad.run.as_mut().unwrap().reads.clear(),
            5 => bad.draft = draft(&json!({"key": "Q-1", "expect": 0})),
            _ => bad.changes[0].expect = QueueExpect::Is { status: Some("FAILED".to_owned()), fence: None },
        }
        let (runs, size) = (reader.run_count().unwrap(), reader.head().unwrap().size);
        let answers = append_work(&mut writer, std::slice::from_ref(&bad)).unwrap();
        if let Err(WorkRefused::Rejected(Rejection::Duplicate { run_id, seq })) = &answers[0] {
            assert_eq!((run_id.as_str(), *seq), ("known", 0));
        }
        seen.push(code(&answers[0]).to_owned());
        let grown = u64::from(answers[0].is_ok());
        assert_eq!((reader.run_count().unwrap(), reader.head().unwrap().size), (runs + grown, size + grown));
    }
    assert_eq!(seen, ["queue_fenced", "queue_locked", "commit_duplicate", "commit_conflict", "refused", "committed"]);
    // What the judge refused is kept, the rest is not its business.
    assert_eq!(reader.refusals(0, 9).unwrap().len(), 1);
    // In one batch, a unit that is left out is no hindrance to the next, and the next sees what the one before left.
    let twice = work(&items[0], "run-1");
    let answers = append_work(&mut writer, &[bad, good, twice]).unwrap();
    assert_eq!(answers.iter().map(code).collect::<Vec<_>>(), ["queue_status", "committed", "commit_conflict"]);
    assert_eq!(bench.store.stats().conflicts, 2);
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    consistent(&mut reader);
}

#[test]
fn a_unit_may_queue_an_item_or_carry_one_through_several_statuses_or_have_no_run() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    append(&mut writer, &[add("k"), add("k")]).unwrap();
    let queue = Work { draft: draft(&add("k")), run: None, fence: None, changes: vec![queued("Q-0", 0), queued("Q-1", 0)] };
    let committed = append_work(&mut writer, std::slice::from_ref(&queue)).unwrap().remove(0).unwrap();
    let mut reader = bench.store.reader().unwrap();
    let item = reader.queue_item("Q-0").unwrap().unwrap();
    assert_eq!((item.row.seq, committed.seq), (2, 2));
    assert_eq!(code(&append_work(&mut writer, &[queue]).unwrap()[0]), "queue_exists");
    // Executed and settled by one entry: two lines.
    let executed = moved(&item, "EXECUTED", "executed", 9);
    let between = QueueItem { row: executed.row.clone(), ..item.clone() };
    let settled = moved(&between, "SETTLED", "settled", 9);
    let unit = Work { draft: draft(&add("k")), run: None, fence: None, changes: vec![executed, settled.clone()] };
    assert_eq!(code(&append_work(&mut writer, &[unit]).unwrap()[0]), "committed");
    assert_eq!(events(&mut reader, "Q-0"), ["queued", "executed", "settled"]);
    assert_eq!(reader.queue_item("Q-0").unwrap().unwrap().row.status, "SETTLED");
    // The second of two may be what does not hold.
    let other = reader.queue_item("Q-1").unwrap().unwrap();
    let unit = Work { draft: draft(&add("k")), run: None, fence: None, changes: vec![moved(&other, "VOID", "voided", 9), settled] };
    assert_eq!(code(&append_work(&mut writer, &[unit]).unwrap()[0]), "queue_status");
    assert_eq!(events(&mut reader, "Q-1"), ["queued"]);
    let bare = Work { draft: draft(&add("k")), run: None, fence: None, changes: Vec::new() };
    assert_eq!(code(&append_work(&mut writer, &[bare]).unwrap()[0]), "committed");
    assert_eq!(append_work(&mut writer, &[]).unwrap().len(), 0);
    assert_eq!(reader.state(Space::Balance, "k").unwrap(), Some((4, "5".to_owned())));
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    consistent(&mut reader);
}

/// W-36: whatever fails, wherever: the ledger, the run, the stores, the state and the queue are as they were. A long batch is judged and
/// written on two threads.
#[test]
fn w_36_nothing_is_stored_of_a_batch_that_failed_wherever_it_failed() {
    for many in [3_u32, 40] {
        ["error", "panic", "skip", "order", "line", "sign", "kind", "full"].into_iter().for_each(|fail| fails(fail, many));
    }
}

/// A batch of so many units, the last of which fails.
fn fails(fail: &str, many: u32) {
    let bench = Bench::new();
    let (writer, items) = taken(&bench, u64::from(many) + 1);
    let mut writer = writer;
    if fail == "full" {
        let size = std::fs::metadata(bench.path()).unwrap().len();
        let limited = OpenOptions { size_limit_bytes: Some(size + 60_000), ..OpenOptions::new(bench.path()) };
        writer = Store::open(&limited).unwrap().writer().unwrap();
    }
    append(&mut writer, &[add("k")]).unwrap();
    let mut reader = bench.store.reader().unwrap();
    let before = whole(&mut reader);
    let mut units: Vec<_> = items.iter().take(many.try_into().unwrap()).map(|item| work(item, &format!("run-{}", item.row.item))).collect();
    let last = units.last_mut().unwrap();
    match fail {
        "line" | "sign" => {}
        // Compared as absent, since a write that only appends reads no version; found to be of another kind when it is applied.
        "kind" => {
            let append = Write::Append { store: "keys".to_owned(), value: "v".to_owned(), events: Vec::new() };
            last.run.as_mut().unwrap().writes.push(append);
        }
        "full" => last.run.as_mut().unwrap().run.trace = vec![7; 2_000_000],
        judge => last.draft = draft(&json!({"key": format!("Q-{}", many - 1), "fail": judge})),
    }
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let mut line = |change: &QueueChange, committed: &Committed| {
            assert!(fail != "line" || committed.seq < many.into(), "no line");
            with_entry(change, committed)
        };
        let sign = |head: &enact_core::entry::Head| {
            assert!(fail != "sign", "no signature");
            sign(head)
        };
        writer.append_work(&mut units.clone(), NOW, &mut Counting, &mut line, &sign)
    }));
    match (fail, &failed) {
        ("panic" | "line" | "sign", Err(_)) | ("error", Ok(Err(StoreError::Corrupt { .. }))) => {}
        ("skip" | "order", Ok(Err(StoreError::Judged { seq, .. }))) if *seq == u64::from(many) => {}
        ("full", Ok(Err(StoreError::Full))) => {}
        // Found before anything is written: only this one is left out.
        ("kind", Ok(Ok(answers))) => {
            let (last, others) = answers.split_last().unwrap();
            assert_eq!(code(last), "commit_conflict");
            assert!(others.iter().all(Result::is_ok), "{answers:?}");
            consistent(&mut reader);
            return;
        }
        _ => panic!("{fail}: {failed:?}"),
    }
    assert_eq!(whole(&mut reader), before, "{fail}");
    let units: Vec<_> = items.iter().map(|item| work(item, &format!("run-{}", item.row.item))).collect();
    let answers = append_work(&mut bench.store.writer().unwrap(), &units).unwrap();
    assert!(answers.iter().all(Result::is_ok), "{fail}: {answers:?}");
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    consistent(&mut reader);
}

/// A long batch is judged and written on two threads where no unit depends on another, and on one where any does: it comes to what the
/// units come to one after the other.
#[test]
fn w_31_a_long_batch_comes_to_what_its_units_come_to_one_after_the_other() {
    for clash in ["none", "item", "fence", "run", "row", "store", "event", "kind", "refused"] {
        let units = |items: &[QueueItem]| -> Vec<Work> {
            let mut units: Vec<_> = items.iter().map(|item| work(item, &format!("run-{}", item.row.item))).collect();
            let (early, late) = units.split_at_mut(30);
            let (first, second) = (&mut early[5], &mut late[8]);
            let (held, run) = (first.run.as_mut().unwrap(), second.run.as_mut().unwrap());
            let log = |name: &str| Write::Append { store: name.to_owned(), value: "{}".to_owned(), events: vec!["e".to_owned()] };
            match clash {
                "item" => {
                    second.changes[0] = first.changes[0].clone();
                    second.changes[0].expect = QueueExpect::Is { status: Some(EXECUTING.to_owned()), fence: None };
                }
                "fence" => {
                    second.fence.clone_from(&first.fence);
                    let raised = &mut first.changes[0];
                    raised.row.fence += 1;
                    let mut line: Value = serde_json::from_str(&raised.line).unwrap();
                    line["fence"] = raised.row.fence.into();
                    raised.line = line.to_string();
                }
                "run" => run.run.run_id.clone_from(&held.run.run_id),
                "row" => run.writes.clone_from(&held.writes),
                "store" => run.reads = vec![Read::Store { store: "keys".to_owned(), kind: Kind::Registry, version: 38 }],
                "event" => {
                    held.writes.push(log("log"));
                    let event = Read::Event { store: None, event: "e".to_owned(), fields: serde_json::Map::new(), found: false };
                    run.reads.push(event);
                }
                "kind" => {
                    held.writes.push(log("new"));
                    let put = |key: &str| Write::Put {
                        store: "new".to_owned(),
                        kind: Kind::Registry,
                        key: key.to_owned(),
                        value: "1".to_owned(),
                        version: 1,
                    };
                    run.writes.push(put("k"));
                }
                "refused" => second.draft = draft(&json!({"key": "Q-5", "expect": 0})),
                _ => {}
            }
            units
        };
        let (one, all) = (Bench::new(), Bench::new());
        let (mut single, items) = taken(&one, 40);
        let singly: Vec<_> = units(&items).into_iter().flat_map(|unit| append_work(&mut single, &[unit]).unwrap()).collect();
        let (mut writer, items) = taken(&all, 40);
        let together = append_work(&mut writer, &units(&items)).unwrap();
        assert_eq!(together.iter().map(code).collect::<Vec<_>>(), singly.iter().map(code).collect::<Vec<_>>(), "{clash}");
        let failed: Vec<_> = together.iter().map(code).filter(|code| *code != "committed").collect();
        let expected: &[&str] = match clash {
            "none" | "store" => &[],
            "item" => &["queue_status"],
            "fence" => &["queue_fenced"],
            "run" => &["commit_duplicate"],
            "refused" => &["refused"],
            _ => &["commit_conflict"],
        };
        assert_eq!(failed, expected, "{clash}");
        let (mut one, mut all) = (one.store.reader().unwrap(), all.store.reader().unwrap());
        assert_eq!(whole(&mut all), whole(&mut one), "{clash}");
        assert_eq!(findings(&mut all), Vec::<String>::new(), "{clash}");
        consistent(&mut all);
    }
}

#[test]
fn units_runs_and_drafts_of_several_writers_make_one_chain_and_nobody_judges_by_an_old_row() {
    let bench = Bench::new();
    let (mut first, items) = taken(&bench, 20);
    let mut second = Store::open(&OpenOptions::new(bench.path())).unwrap().writer().unwrap();
    for (nth, item) in items.iter().enumerate() {
        let (writer, other) = if nth % 3 == 0 { (&mut second, &mut first) } else { (&mut first, &mut second) };
        let hot = Work { draft: draft(&json!({"key": "hot", "expect": 2 * nth})), run: None, fence: None, changes: Vec::new() };
        let answers = append_work(writer, &[work(item, &format!("run-{nth}")), hot]).unwrap();
        assert!(answers.iter().all(Result::is_ok), "{nth}: {answers:?}");
        append(other, &[json!({"key": "hot", "expect": 2 * nth + 1})]).unwrap().remove(0).unwrap();
        one(writer, commit(&format!("other-{nth}"))).unwrap();
    }
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    assert_eq!((reader.head().unwrap().size, reader.run_count().unwrap()), (80, 40));
    consistent(&mut reader);
}

/// W-52, W-51: the journal is derived again from what the ledger says; nothing that counts is lost with it.
#[test]
fn a_lost_queue_is_derived_again_from_the_state_and_loses_no_fact() {
    let bench = Bench::new();
    let (mut writer, items) = taken(&bench, 6);
    let units: Vec<_> = items.iter().take(4).map(|item| work(item, &format!("run-{}", 9 - item.row.seq))).collect();
    append_work(&mut writer, &units).unwrap();
    append(&mut writer, &[json!({"key": "Q-0", "new": "Transfer:run-9"}), json!({"key": "x", "new": "Other:1"})]).unwrap();
    writer.queue_archive(&[("Q-1".to_owned(), "EXECUTED".to_owned())]).unwrap().remove(0).unwrap();
    let mut reader = bench.store.reader().unwrap();
    let facts = everything(&mut reader);
    bench
        .raw()
        .execute_batch("DELETE FROM queue_items; DELETE FROM queue_journal; DELETE FROM queue_kept; DELETE FROM queue_counts")
        .unwrap();
    assert_eq!(everything(&mut reader), facts);
    // A worker that still holds an item of the lost queue is shut out.
    let late = append_work(&mut writer, &[work(&items[5], "late")]).unwrap().remove(0);
    assert_eq!(code(&late), "queue_unknown");
    // In the order of the entries that created them, however often they were written since.
    let mut subjects = Vec::new();
    reader
        .subjects_by_creation("Transfer", |created, row| {
            subjects.push((created, row.key, row.seq));
            Ok::<(), StoreError>(())
        })
        .unwrap();
    let named = |created, run: u64, seq| (created, format!("Transfer:run-{run}"), seq);
    assert_eq!(subjects, [named(0, 9, 4), named(1, 8, 1), named(2, 7, 2), named(3, 6, 3)]);
    // Beyond every number that was ever given out.
    let fence = 1_000_000;
    let derived = subjects.iter().map(|(created, key, _)| {
        let item = key.replace("Transfer:run-", "Q-");
        let row =
            QueueRow { item, contract: "QC_A_V0".to_owned(), status: "EXECUTED".to_owned(), seq: *created, fence, ..QueueRow::default() };
        let line = line(&row, "derived", 9);
        Ok((QueueChange { expect: QueueExpect::Absent, row, kept: Vec::new(), event: "derived".to_owned(), at: 9, line }, true))
    });
    assert_eq!(writer.queue_rebuild(&mut derived.into_iter()).unwrap(), 4);
    let listed = reader.queue_items(&QueueFilter::default(), 0, 9).unwrap();
    assert_eq!(
        listed.iter().map(|item| (item.row.item.as_str(), item.row.seq)).collect::<Vec<_>>(),
        [("Q-9", 0), ("Q-8", 1), ("Q-7", 2), ("Q-6", 3)]
    );
    consistent(&mut reader);
    // Once more, over a queue that is there: archived items stay so, lines stay, an error changes nothing.
    writer.queue_archive(&[("Q-8".to_owned(), "EXECUTED".to_owned())]).unwrap().remove(0).unwrap();
    let before = whole(&mut reader);
    let row = listed[1].row.clone();
    let again = QueueChange {
        line: line(&row, "derived", 10),
        expect: QueueExpect::Absent,
        row,
        kept: Vec::new(),
        event: "derived".to_owned(),
        at: 10,
    };
    let broken = [Ok((again.clone(), true)), Err(StoreError::Full)];
    assert!(matches!(writer.queue_rebuild(&mut broken.into_iter()), Err(StoreError::Full)));
    assert_eq!(whole(&mut reader), before);
    assert_eq!(writer.queue_rebuild(&mut [Ok((again.clone(), true))].into_iter()).unwrap(), 1);
    assert_eq!(reader.queue_items(&QueueFilter::default(), 0, 9).unwrap(), []);
    assert!(reader.queue_item("Q-8").unwrap().unwrap().archived);
    assert_eq!(events(&mut reader, "Q-8"), ["derived", "derived"]);
    assert_eq!(reader.queue_counts(None).unwrap(), []);
    // What may not be archived is not any more.
    assert_eq!(writer.queue_rebuild(&mut [Ok((again, false))].into_iter()).unwrap(), 1);
    assert!(!reader.queue_item("Q-8").unwrap().unwrap().archived);
    consistent(&mut reader);
}

/// The journal alone may be lost: rows stay, and no item shows another's line when numbers are given out again.
#[test]
fn w_52_an_item_whose_line_is_lost_says_so_and_shows_no_other_one() {
    let bench = Bench::new();
    let (mut writer, _) = taken(&bench, 2);
    bench.raw().execute_batch("DELETE FROM queue_journal").unwrap();
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(reader.queue_item("Q-1").unwrap().unwrap().line, None);
    writer.queue_add(&(3..9).map(|nth| ready(&format!("Q-{nth}"), nth)).collect::<Vec<_>>()).unwrap();
    assert_eq!(reader.queue_item("Q-1").unwrap().unwrap().line, None);
    let mut lines = Vec::new();
    writer
        .queue_recover(10 + TTL, &mut |event, item| {
            lines.push(item.line.clone());
            line(&item.row, event, 10 + TTL)
        })
        .unwrap();
    assert_eq!(lines, [None, None]);
    consistent(&mut reader);
}
