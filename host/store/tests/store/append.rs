//! What an append keeps, what it leaves out, and that a failed one changes nothing.

use enact_core::entry::Head;
use enact_core::note;
use enact_store::{ConflictKind, Kind, OpenOptions, Read, Rejection, StateRead, Store, StoreError, Write};

use crate::support::{Bench, KEY, NOW, ORIGIN, commit, one, sign, with};

fn put(store: &str, key: &str, value: &str, version: u64) -> Write {
    Write::Put { store: store.to_owned(), kind: Kind::Registry, key: key.to_owned(), value: value.to_owned(), version }
}

fn saw(store: &str, key: &str, version: u64) -> Read {
    Read::Row { store: store.to_owned(), kind: Kind::Registry, key: key.to_owned(), version }
}

#[test]
fn b_03_a_batch_is_one_chain_and_one_sync() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let batch: Vec<_> = (0..64).map(|i| commit(&format!("run-{i:03}"))).collect();
    let answers = writer.append(&batch, NOW, &sign).unwrap();
    let mut reader = bench.store.reader().unwrap();
    for (i, answer) in answers.iter().enumerate() {
        let committed = answer.as_ref().unwrap();
        assert_eq!(committed.seq, u64::try_from(i).unwrap());
        let stored = reader.run_by_id(&format!("run-{i:03}")).unwrap().unwrap();
        assert_eq!((stored.seq, &stored.run), (committed.seq, &batch[i].run));
        assert_eq!(reader.leaf(committed.seq).unwrap(), Some(committed.leaf));
    }
    let head = reader.head().unwrap();
    assert_eq!(head.size, 64);
    assert_eq!(head.entry_hash, Some(answers[63].as_ref().unwrap().entry_hash));
    let note = reader.note().unwrap();
    assert_eq!(note, Some(sign(&head)));
    let signed = note::verify(&note.unwrap(), &note::decode_key(KEY).unwrap().1, ORIGIN).unwrap();
    assert_eq!((signed.size, signed.root), (64, head.root()));
    assert_eq!((bench.store.stats().transactions, bench.store.stats().commits), (1, 64));
    assert!(bench.store.stats().wal_bytes > 0);
}

#[test]
fn a_conflict_is_left_out_and_the_rest_of_the_batch_commits() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let batch = [
        with("a", vec![saw("s", "k", 0)], vec![put("s", "k", "1", 1)]),
        with("b", vec![saw("s", "k", 0)], vec![put("s", "k", "2", 1)]),
        with("c", vec![saw("s", "k", 1)], vec![put("s", "k", "3", 2)]),
    ];
    let answers = writer.append(&batch, NOW, &sign).unwrap();
    assert_eq!(answers[0].as_ref().unwrap().seq, 0);
    let Err(Rejection::Conflict(conflict)) = &answers[1] else { panic!("{:?}", answers[1]) };
    assert_eq!((conflict.store.as_str(), conflict.key.as_deref(), conflict.what), ("s", Some("k"), ConflictKind::Row));
    assert_eq!((conflict.expected.as_str(), conflict.found.as_str()), ("0", "1"));
    assert_eq!(answers[2].as_ref().unwrap().seq, 1);
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(reader.row("s", "k").unwrap().unwrap().value.as_deref(), Some("3"));
    assert!(reader.run_by_id("b").unwrap().is_none());
    assert_eq!(reader.run_count().unwrap(), 2);
    assert_eq!(bench.store.stats().conflicts, 1);
}

#[test]
fn a_store_wide_read_conflicts_with_any_write_to_the_store() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    one(&mut writer, with("a", vec![], vec![put("s", "k", "1", 1)])).unwrap();
    let read = |version| Read::Store { store: "s".to_owned(), kind: Kind::Registry, version };
    let stale = one(&mut writer, with("b", vec![read(0)], vec![]));
    assert!(matches!(&stale, Err(Rejection::Conflict(c)) if c.what == ConflictKind::Store && c.key.is_none()), "{stale:?}");
    one(&mut writer, with("c", vec![read(1)], vec![])).unwrap();
}

#[test]
fn a_write_that_skips_a_version_or_changes_the_kind_is_left_out() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let skipped = one(&mut writer, with("a", vec![], vec![put("s", "k", "1", 2)]));
    assert!(matches!(&skipped, Err(Rejection::Conflict(c)) if c.what == ConflictKind::Write), "{skipped:?}");
    one(&mut writer, with("b", vec![], vec![put("s", "k", "1", 1), put("s", "k", "2", 2)])).unwrap();
    let append = |store: &str| Write::Append { store: store.to_owned(), value: "x".to_owned(), events: Vec::new() };
    let other = one(&mut writer, with("c", vec![], vec![append("s")]));
    assert!(matches!(&other, Err(Rejection::Conflict(c)) if c.what == ConflictKind::Kind), "{other:?}");
    let both = one(&mut writer, with("d", vec![], vec![append("new"), put("new", "k", "1", 1)]));
    assert!(matches!(&both, Err(Rejection::Conflict(c)) if c.what == ConflictKind::Kind), "{both:?}");
    // A row read of a store that was born with another kind in the meantime.
    let born =
        one(&mut writer, with("e", vec![Read::Row { store: "s".to_owned(), kind: Kind::Table, key: "z".to_owned(), version: 0 }], vec![]));
    assert!(matches!(&born, Err(Rejection::Conflict(c)) if c.what == ConflictKind::Kind), "{born:?}");
    assert_eq!(bench.store.reader().unwrap().head().unwrap().size, 1);
}

#[test]
fn the_same_run_is_never_stored_twice() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let answers = writer.append(&[commit("a"), commit("a")], NOW, &sign).unwrap();
    assert!(matches!(&answers[1], Err(Rejection::Duplicate { seq: 0, .. })), "{:?}", answers[1]);
    let again = one(&mut writer, commit("a"));
    assert!(matches!(&again, Err(Rejection::Duplicate { seq: 0, .. })), "{again:?}");
    assert_eq!(bench.store.reader().unwrap().head().unwrap().size, 1);
}

#[test]
fn a_commit_for_another_ledger_and_one_that_the_core_refuses_are_left_out() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let mut foreign = commit("a");
    foreign.origin = "other.example".to_owned();
    let mut empty = commit("b");
    empty.draft.records.clear();
    let answers = writer.append(&[foreign, empty, commit("c")], NOW, &sign).unwrap();
    let codes: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(Rejection::code)).collect();
    assert_eq!(codes, [Some("commit_origin"), Some("commit_refused"), None]);
    assert_eq!(bench.store.reader().unwrap().head().unwrap().size, 1);
}

#[test]
fn a_batch_that_is_left_out_as_a_whole_costs_no_sync() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    one(&mut writer, commit("a")).unwrap();
    one(&mut writer, commit("a")).unwrap_err();
    assert_eq!(bench.store.stats().transactions, 1);
}

#[test]
fn time_never_runs_backwards_whatever_the_clock_does() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let mut at = |id: &str, now: &str| writer.append(&[commit(id)], now, &sign).unwrap().remove(0);
    assert_eq!(at("a", "2026-04-17T10:00:00Z").unwrap().at, "2026-04-17T10:00:00.000000+00:00");
    assert_eq!(at("b", "2026-04-17T09:00:00Z").unwrap().at, "2026-04-17T10:00:00.000000+00:00");
    assert_eq!(at("c", "2026-04-17T10:00:00.5Z").unwrap().at, "2026-04-17T10:00:00.500000+00:00");
    assert!(matches!(at("d", "yesterday"), Err(Rejection::Refused(_))));
}

#[test]
fn a_quarantined_store_answers_nobody_and_takes_no_commit() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    one(&mut writer, with("a", vec![], vec![put("s", "k", "1", 1)])).unwrap();
    assert!(writer.quarantine("s", "differs from its history").unwrap());
    assert!(!writer.quarantine("absent", "x").unwrap());
    let mut reader = bench.store.reader().unwrap();
    assert!(matches!(reader.row("s", "k"), Err(StoreError::Quarantined { .. })));
    assert!(matches!(reader.live_count("s"), Err(StoreError::Quarantined { .. })));
    assert_eq!(reader.stores().unwrap()[0].quarantined.as_deref(), Some("differs from its history"));
    let refused = one(&mut writer, with("b", vec![saw("s", "k", 1)], vec![]));
    assert!(matches!(refused, Err(Rejection::Quarantined { .. })), "{refused:?}");
    assert!(writer.release("s").unwrap());
    one(&mut writer, with("c", vec![saw("s", "k", 1)], vec![])).unwrap();
}

#[test]
fn a_full_disk_changes_nothing_and_the_store_works_afterwards() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    one(&mut writer, commit("a")).unwrap();
    drop(writer);
    let before = bench.store.reader().unwrap().head().unwrap();
    let limited = Store::open(&OpenOptions { size_limit_bytes: Some(256 * 1024), ..OpenOptions::new(bench.path()) }).unwrap();
    let mut writer = limited.writer().unwrap();
    let mut large = commit("large");
    large.run.trace = vec![7; 1024 * 1024];
    let error = writer.append(&[commit("b"), large], NOW, &sign).unwrap_err();
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert_eq!(bench.store.reader().unwrap().head().unwrap(), before);
    assert!(bench.store.reader().unwrap().run_by_id("b").unwrap().is_none());
    one(&mut writer, commit("c")).unwrap();
    assert_eq!(bench.store.reader().unwrap().head().unwrap().size, 2);
}

#[test]
fn a_lock_held_too_long_is_reported_and_nothing_is_changed() {
    let bench = Bench::new();
    let impatient = Store::open(&OpenOptions { busy_timeout_ms: 20, ..OpenOptions::new(bench.path()) }).unwrap();
    let mut writer = impatient.writer().unwrap();
    let holder = bench.raw();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = writer.append(&[commit("a")], NOW, &sign).unwrap_err();
    assert!(matches!(error, StoreError::Locked { waited_ms: 20 }), "{error:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    one(&mut writer, commit("a")).unwrap();
}

#[test]
fn a_panic_while_signing_rolls_the_batch_back() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let fails = |_: &Head| -> String { panic!("the signer is gone") };
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.append(&[commit("a")], NOW, &fails)));
    assert!(caught.is_err());
    assert_eq!(bench.store.reader().unwrap().head().unwrap().size, 0);
    assert_eq!(one(&mut writer, commit("a")).unwrap().seq, 0);
}

#[test]
fn a_reader_between_begin_and_end_sees_one_moment() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    one(&mut writer, commit("a")).unwrap();
    let mut reader = bench.store.reader().unwrap();
    reader.begin().unwrap();
    one(&mut writer, commit("b")).unwrap();
    assert_eq!(reader.head().unwrap().size, 1);
    reader.end().unwrap();
    assert_eq!(reader.head().unwrap().size, 2);
}

#[test]
fn runs_are_listed_in_pages_both_ways() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let batch: Vec<_> = (0..5).map(|i| commit(&format!("r{i}"))).collect();
    writer.append(&batch, NOW, &sign).unwrap();
    let mut reader = bench.store.reader().unwrap();
    let mut ids = |after, newest| -> Vec<u64> { reader.runs(after, 2, newest).unwrap().iter().map(|run| run.seq).collect() };
    assert_eq!((ids(None, false), ids(Some(1), false), ids(Some(4), false)), (vec![0, 1], vec![2, 3], vec![]));
    assert_eq!((ids(None, true), ids(Some(3), true), ids(Some(0), true)), (vec![4, 3], vec![2, 1], vec![]));
    assert_eq!(reader.run_count().unwrap(), 5);
}

#[test]
fn snapshots_and_checkpoints_are_kept() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    writer.put_snapshot("blake3:aa", b"lock").unwrap();
    writer.put_snapshot("blake3:aa", b"lock").unwrap();
    writer.put_blob("module", "blake3:aa", b"wasm").unwrap();
    writer.put_checkpoint(3, "note").unwrap();
    writer.put_checkpoint(3, "note with a cosignature").unwrap();
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(reader.snapshot("blake3:aa").unwrap().as_deref(), Some(&b"lock"[..]));
    assert_eq!(reader.blob("module", "blake3:aa").unwrap().as_deref(), Some(&b"wasm"[..]));
    assert_eq!(reader.snapshot("blake3:bb").unwrap(), None);
    let notes = reader.checkpoints().unwrap();
    assert_eq!((notes.len(), notes[0].size, notes[0].note.as_str()), (1, 3, "note with a cosignature"));
}

#[test]
fn the_write_ahead_log_starts_over_under_constant_load() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let mut written = 0;
    for i in 0..60 {
        let mut large = commit(&format!("run-{i}"));
        large.run.trace = vec![7; 4 * 1024 * 1024];
        one(&mut writer, large).unwrap();
        written += 4;
    }
    let log = std::fs::metadata(bench.path().with_extension("db-wal")).unwrap().len() / (1024 * 1024);
    assert!(log < 160 && log < written, "{log} MiB of log after {written} MiB of commits");
    assert!(bench.store.stats().checkpoints > 0);
}
