//! The queue: compare and set, leases in order, what is found how, and that every change has its line.

use std::collections::BTreeMap;
use std::sync::Barrier;

use enact_store::{
    EXECUTING, Fence, LEASE_LOST, LEASED, OpenOptions, QueueChange, QueueExpect, QueueFilter, QueueItem, QueueLease, QueueLine,
    QueueMember, QueueRefused, QueueRow, QueueTake, READY, Reader, Store, StoreError, Writer,
};
use serde_json::{Value, json};

use crate::support::Bench;

/// A lease in these tests lasts this long.
pub(crate) const TTL: u64 = 1_000;

pub(crate) fn line(row: &QueueRow, event: &str, at: u64) -> String {
    json!({"queue_id": row.item, "status": row.status, "event": event, "fence": row.fence, "updated": at}).to_string()
}

fn change(expect: QueueExpect, row: QueueRow, event: &str, at: u64) -> QueueChange {
    let line = line(&row, event, at);
    QueueChange { expect, row, kept: Vec::new(), event: event.to_owned(), at, line }
}

fn row(item: &str, status: &str, seq: u64) -> QueueRow {
    QueueRow { item: item.to_owned(), contract: "QC_A_V0".to_owned(), status: status.to_owned(), seq, ..QueueRow::default() }
}

/// A new item.
pub(crate) fn queued(item: &str, seq: u64) -> QueueChange {
    change(QueueExpect::Absent, row(item, "PENDING", seq), "queued", seq)
}

/// A new item that may be taken.
pub(crate) fn ready(item: &str, seq: u64) -> QueueChange {
    change(QueueExpect::Absent, row(item, READY, seq), "validated", seq)
}

fn is(status: &str, fence: u64) -> QueueExpect {
    QueueExpect::Is { status: Some(status.to_owned()), fence: Some(fence) }
}

/// The item in another status, not held any more.
pub(crate) fn moved(item: &QueueItem, status: &str, event: &str, at: u64) -> QueueChange {
    let row = QueueRow { status: status.to_owned(), lease: None, ..item.row.clone() };
    change(is(&item.row.status, item.row.fence), row, event, at)
}

pub(crate) fn take(writer: &mut Writer, owner: &str, now: u64, count: u64) -> Vec<QueueItem> {
    let take = QueueTake { now, owner, ttl: TTL, count, contracts: &[] };
    writer.queue_lease(&take, &mut |event, item| line(&item.row, event, now)).unwrap()
}

fn ids(items: &[QueueItem]) -> Vec<&str> {
    items.iter().map(|item| item.row.item.as_str()).collect()
}

fn item(reader: &mut Reader, of: &str) -> QueueItem {
    reader.queue_item(of).unwrap().unwrap()
}

/// Events of an item, oldest first.
pub(crate) fn events(reader: &mut Reader, of: &str) -> Vec<String> {
    reader.queue_lines(Some(of), 0, u64::MAX).unwrap().into_iter().map(|line| line.event).collect()
}

/// What the counts say is what counting says, and every item shows the latest of its lines, which says what the row says.
pub(crate) fn consistent(reader: &mut Reader) {
    reader.begin().unwrap();
    let items = reader.queue_items(&QueueFilter::default(), 0, u64::MAX).unwrap();
    let mut truth: BTreeMap<String, u64> = BTreeMap::new();
    for item in &items {
        *truth.entry(item.row.status.clone()).or_default() += 1;
    }
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for count in reader.queue_counts(None).unwrap() {
        *counted.entry(count.status).or_default() += count.items;
    }
    assert_eq!(counted, truth);
    for item in &items {
        let lines = reader.queue_lines(Some(&item.row.item), 0, u64::MAX).unwrap();
        let last = lines.last().unwrap();
        assert_eq!((Some(&last.line), &last.status), (item.line.as_ref(), &item.row.status));
        let says: Value = serde_json::from_str(&last.line).unwrap();
        assert_eq!((&says["status"], &says["fence"]), (&json!(item.row.status), &json!(item.row.fence)));
        // A status is never left but by a line that says so.
        let mut fences = lines
            .iter()
            .filter(|line| line.event == LEASED)
            .map(|line| serde_json::from_str::<Value>(&line.line).unwrap()["fence"].as_u64().unwrap());
        let first = fences.next().unwrap_or(0);
        fences.fold(first, |before, fence| {
            assert!(fence > before, "{lines:#?}");
            fence
        });
    }
    reader.end().unwrap();
}

/// W-05: the journal is one JSON object a line. W-52: no status changes without one.
#[test]
fn w_05_w_52_every_change_of_a_status_has_a_line_and_a_refused_one_has_none() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(
        writer.queue_add(&[queued("Q-1", 3), queued("Q-1", 4), queued("Q-2", 3)]).unwrap(),
        [Ok(()), Err(QueueRefused::Exists { item: "Q-1".to_owned(), status: "PENDING".to_owned() }), Ok(())]
    );
    let first = item(&mut reader, "Q-1");
    assert_eq!((first.row.seq, first.updated, first.archived), (3, 3, false));
    let answers = writer
        .queue_change(&[moved(&first, READY, "validated", 5), moved(&first, READY, "validated", 6), queued("Q-3", 5), {
            let mut absent = moved(&first, READY, "validated", 7);
            absent.row.item = "Q-9".to_owned();
            absent
        }])
        .unwrap();
    let refused: Vec<_> = answers.iter().map(|answer| answer.as_ref().map_err(QueueRefused::code)).collect();
    assert_eq!(refused, [Ok(&()), Err("queue_status"), Ok(&()), Err("queue_unknown")]);
    let taken = take(&mut writer, "w1", 10, 9);
    assert_eq!(ids(&taken), ["Q-1"]);
    writer.queue_change(&[moved(&taken[0], "FAILED", "failed", 11)]).unwrap().remove(0).unwrap();
    assert_eq!(events(&mut reader, "Q-1"), ["queued", "validated", LEASED, "failed"]);
    let all = reader.queue_lines(None, 0, u64::MAX).unwrap();
    assert_eq!(all.len(), 6);
    assert!(all.windows(2).all(|pair| matches!(pair, [a, b] if a.id < b.id && a.at <= b.at)));
    for line in &all {
        assert!(!line.line.contains('\n') && serde_json::from_str::<Value>(&line.line).unwrap().is_object());
    }
    let page = reader.queue_lines(None, all[3].id, 1).unwrap();
    assert_eq!(page, all[4..5].iter().map(QueueLine::clone).collect::<Vec<_>>());
    consistent(&mut reader);
}

/// W-29: two connections want one item; one gets it, the other is told who has it.
#[test]
fn w_28_w_29_of_two_connections_that_race_for_an_item_one_gets_it_and_the_other_a_lock_error() {
    let bench = Bench::new();
    for round in 0..40 {
        let id = format!("Q-{round}");
        bench.store.writer().unwrap().queue_add(&[ready(&id, round)]).unwrap().remove(0).unwrap();
        let start = Barrier::new(2);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let racers = ["w1", "w2"].map(|owner| {
                let (store, start, id) = (&bench.store, &start, &id);
                scope.spawn(move || {
                    let mut writer = store.writer().unwrap();
                    let seen = item(&mut store.reader().unwrap(), id);
                    let lease = QueueLease { owner: owner.to_owned(), deadline: 100 };
                    let row = QueueRow { status: EXECUTING.to_owned(), lease: Some(lease), fence: 1, attempts: 1, ..seen.row.clone() };
                    start.wait();
                    (owner, writer.queue_change(&[change(is(READY, 0), row, LEASED, 5)]).unwrap().remove(0))
                })
            });
            racers.map(|racer| racer.join().unwrap()).into()
        });
        let winners: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(owner, _)| *owner).collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        let loser = answers.iter().find_map(|(_, answer)| answer.as_ref().err()).unwrap();
        assert_eq!(loser, &QueueRefused::Locked { item: id.clone(), owner: winners[0].to_owned(), deadline: 100 });
        let mut reader = bench.store.reader().unwrap();
        assert_eq!(item(&mut reader, &id).row.lease.unwrap().owner, winners[0]);
        assert_eq!(events(&mut reader, &id), ["validated", LEASED]);
    }
}

/// W-28: many workers, each item taken once.
#[test]
fn w_28_workers_that_lease_at_once_share_the_items_and_none_gets_one_twice() {
    let bench = Bench::new();
    let items: Vec<_> = (0..300).map(|nth| ready(&format!("Q-{nth:03}"), nth)).collect();
    bench.store.writer().unwrap().queue_add(&items).unwrap();
    let start = Barrier::new(4);
    let taken: Vec<Vec<String>> = std::thread::scope(|scope| {
        let workers = [1, 2, 3, 4].map(|nth| {
            let (path, start) = (bench.path(), &start);
            scope.spawn(move || {
                let mut writer = Store::open(&OpenOptions::new(path)).unwrap().writer().unwrap();
                start.wait();
                let mut mine = Vec::new();
                loop {
                    let taken = take(&mut writer, &format!("w{nth}"), 10, 7);
                    if taken.is_empty() {
                        return mine;
                    }
                    // Each batch is in order.
                    assert!(ids(&taken).is_sorted());
                    mine.extend(taken.into_iter().map(|item| item.row.item));
                }
            })
        });
        workers.map(|worker| worker.join().unwrap()).into()
    });
    let mut all: Vec<_> = taken.into_iter().flatten().collect();
    all.sort();
    assert_eq!(all, (0..300).map(|nth| format!("Q-{nth:03}")).collect::<Vec<_>>());
    consistent(&mut bench.store.reader().unwrap());
}

/// W-50: entry, then position, among those whose time has come; the same journal and time pick the same item.
#[test]
fn w_50_items_are_taken_in_the_order_of_their_entries_once_their_time_has_come() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let at = |id: &str, contract: &str, seq, pos, not_before| {
        let row = QueueRow { contract: contract.to_owned(), pos, not_before, ..row(id, READY, seq) };
        change(QueueExpect::Absent, row, "validated", 1)
    };
    let items = [
        at("late", "QC_A_V0", 9, 0, 0),
        at("second", "QC_B_V0", 4, 1, 0),
        at("first", "QC_A_V0", 4, 0, 0),
        at("delayed", "QC_A_V0", 1, 0, 500),
        at("later", "QC_A_V0", 2, 0, 900),
        queued("pending", 0),
    ];
    writer.queue_add(&items).unwrap();
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(reader.queue_wake().unwrap(), Some(500));
    assert_eq!(ids(&take(&mut writer, "w", 499, 2)), ["first", "second"]);
    assert_eq!(reader.queue_wake().unwrap(), Some(500));
    let only = QueueTake { now: 500, owner: "w", ttl: TTL, count: 9, contracts: &["QC_B_V0".to_owned()] };
    assert_eq!(writer.queue_lease(&only, &mut |event, item| line(&item.row, event, 500)).unwrap(), []);
    assert_eq!(ids(&take(&mut writer, "w", 500, 9)), ["delayed", "late"]);
    assert_eq!(ids(&take(&mut writer, "w", 899, 9)), Vec::<&str>::new());
    assert_eq!(ids(&take(&mut writer, "w", 900, 0)), Vec::<&str>::new());
    assert_eq!(ids(&take(&mut writer, "w", 900, 9)), ["later"]);
    consistent(&mut reader);
    // With nothing to take there is no transaction.
    let before = bench.store.stats().transactions;
    assert_eq!((take(&mut writer, "w", 901, 9), bench.store.stats().transactions), (Vec::new(), before));
}

/// W-30: what a worker that is gone held is taken by another, under another number, and the first one is shut out from then on.
#[test]
fn w_30_an_expired_lease_is_given_back_with_a_line_and_taken_again_under_a_higher_number() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    writer.queue_add(&[ready("Q-1", 0), ready("Q-2", 1)]).unwrap();
    let gone = take(&mut writer, "gone", 10, 2);
    assert_eq!(gone.iter().map(|i| (i.row.fence, i.row.attempts)).collect::<Vec<_>>(), [(1, 1), (1, 1)]);
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(ids(&reader.queue_leases(10 + TTL - 1).unwrap()), ["Q-1", "Q-2"]);
    assert_eq!(reader.queue_wake().unwrap(), Some(10 + TTL));
    let fence = |id: &str, fence| Fence { item: id.to_owned(), fence };
    let held = [fence("Q-2", 1), fence("Q-1", 2), fence("Q-9", 1)];
    let renewed = writer.queue_renew("gone", &held, 5 * TTL).unwrap();
    let codes: Vec<_> = renewed.iter().map(|answer| answer.as_ref().map_err(QueueRefused::code)).collect();
    assert_eq!(codes, [Ok(&()), Err("queue_fenced"), Err("queue_unknown")]);
    assert_eq!(writer.queue_renew("other", &held[..1], 9 * TTL).unwrap()[0].as_ref().unwrap_err().code(), "queue_locked");
    assert_eq!(ids(&reader.queue_leases(10 + TTL).unwrap()), ["Q-2"]);
    assert_eq!(take(&mut writer, "w", 9 + TTL, 9), []);
    let back = writer.queue_recover(10 + TTL, &mut |event, item| line(&item.row, event, 10 + TTL)).unwrap();
    assert_eq!((ids(&back), back[0].row.fence, back[0].row.lease.clone()), (vec!["Q-1"], 1, None));
    assert_eq!(writer.queue_recover(10 + TTL, &mut |_, _| panic!("nothing to give back")).unwrap(), []);
    // The lease that expires later is given back by whoever takes next.
    let again = take(&mut writer, "w", 5 * TTL, 9);
    assert_eq!(ids(&again), ["Q-1", "Q-2"]);
    assert_eq!(again.iter().map(|i| (i.row.fence, i.row.attempts)).collect::<Vec<_>>(), [(2, 2), (2, 2)]);
    assert_eq!(events(&mut reader, "Q-2"), ["validated", LEASED, LEASE_LOST, LEASED]);
    let late = writer.queue_change(&[moved(&gone[0], "EXECUTED", "executed", 5 * TTL)]).unwrap().remove(0);
    assert_eq!(late, Err(QueueRefused::Fenced { item: "Q-1".to_owned(), expected: 1, found: 2 }));
    // Held in a later status, an item only loses its lease.
    let mut kept = moved(&again[0], "EXECUTED", "executed", 5 * TTL);
    kept.row.lease.clone_from(&again[0].row.lease);
    writer.queue_change(&[kept]).unwrap().remove(0).unwrap();
    assert_eq!(writer.queue_recover(u64::MAX >> 1, &mut |event, item| line(&item.row, event, 9)).unwrap().len(), 1);
    let executed = item(&mut reader, "Q-1");
    assert_eq!((executed.row.status.as_str(), executed.row.lease), ("EXECUTED", None));
    consistent(&mut reader);
}

/// W-46: what is executed is not voided, by whoever still thinks that it is ready.
#[test]
fn w_46_a_change_from_another_status_than_the_present_one_is_refused() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    writer.queue_add(&[ready("Q-1", 0)]).unwrap();
    let mut reader = bench.store.reader().unwrap();
    let before = item(&mut reader, "Q-1");
    let voided = moved(&before, "VOID", "voided", 9);
    let taken = take(&mut writer, "w", 1, 1);
    assert_eq!(writer.queue_change(std::slice::from_ref(&voided)).unwrap()[0].as_ref().unwrap_err().code(), "queue_locked");
    writer.queue_change(&[moved(&taken[0], "EXECUTED", "executed", 2)]).unwrap().remove(0).unwrap();
    let any = QueueChange { expect: QueueExpect::Is { status: Some(READY.to_owned()), fence: None }, ..voided.clone() };
    assert_eq!(writer.queue_change(&[voided]).unwrap()[0].as_ref().unwrap_err().code(), "queue_fenced");
    let refused = writer.queue_change(&[any]).unwrap().remove(0).unwrap_err();
    assert_eq!(refused, QueueRefused::Status { item: "Q-1".to_owned(), expected: READY.to_owned(), found: "EXECUTED".to_owned() });
    assert_eq!(events(&mut reader, "Q-1"), ["validated", LEASED, "executed"]);
    // One that is voided is never taken.
    writer.queue_add(&[queued("Q-2", 0)]).unwrap();
    let pending = item(&mut reader, "Q-2");
    writer.queue_change(&[moved(&pending, "VOID", "voided", 3)]).unwrap().remove(0).unwrap();
    assert_eq!(take(&mut writer, "w", 9 * TTL, 9), []);
    consistent(&mut reader);
}

fn member(name: &str, value: &str, counted: bool) -> QueueMember {
    QueueMember { name: name.to_owned(), value: value.to_owned(), counted }
}

#[test]
fn w_04_items_are_listed_by_every_filter_and_counted_without_being_read() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let items: Vec<_> = (0..60_u64)
        .map(|nth| {
            let mut change = if nth % 3 == 0 { ready(&format!("Q-{nth:02}"), nth) } else { queued(&format!("Q-{nth:02}"), nth) };
            change.row.contract = format!("QC_{}_V0", if nth % 2 == 0 { "A" } else { "B" });
            change.kept = vec![member("project", &format!("P-{}", nth % 4), true), member("intent", &format!("INT-{nth}"), false)];
            change
        })
        .collect();
    assert!(writer.queue_add(&items).unwrap().iter().all(Result::is_ok));
    let mut reader = bench.store.reader().unwrap();
    let text = |word: &str| Some(word.to_owned());
    for nth in 0..16_u8 {
        let has = |bit: u8| nth & (1 << bit) != 0;
        let filter = QueueFilter {
            status: has(0).then(|| READY.to_owned()),
            contract: has(1).then(|| "QC_A_V0".to_owned()),
            kept: has(2).then(|| ("project".to_owned(), "P-2".to_owned())),
            text: has(3).then(|| "Q-1".to_owned()),
            archived: false,
            before: None,
        };
        let wanted = |nth: u64, id: &str| {
            (!has(0) || nth.is_multiple_of(3))
                && (!has(1) || nth.is_multiple_of(2))
                && (!has(2) || nth % 4 == 2)
                && (!has(3) || id.starts_with("Q-1"))
        };
        let expected: Vec<_> = (0..60).map(|nth| (nth, format!("Q-{nth:02}"))).filter(|(nth, id)| wanted(*nth, id)).collect();
        let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
        let (mut listed, mut after) = (Vec::new(), 0);
        loop {
            let page = reader.queue_items(&filter, after, 4).unwrap();
            let Some(last) = page.last() else { break };
            after = last.id;
            listed.extend(page.into_iter().map(|item| item.row.item));
        }
        assert_eq!(listed, expected, "{filter:?}");
        assert!(!expected.is_empty());
    }
    assert_eq!(reader.queue_items(&QueueFilter { text: text("\"status\":\"READY\""), ..QueueFilter::default() }, 0, 99).unwrap().len(), 20);
    assert_eq!(
        reader
            .queue_items(&QueueFilter { kept: Some(("intent".to_owned(), "INT-7".to_owned())), ..QueueFilter::default() }, 0, 9)
            .unwrap()
            .len(),
        1
    );
    let count = |reader: &mut Reader, member: &str, contract: &str, value: &str, status: &str| {
        let counts = reader.queue_counts_by(member, Some(contract)).unwrap();
        counts.iter().find(|c| c.value == value && c.status == status).map_or(0, |c| c.items)
    };
    assert_eq!(reader.queue_counts(Some("QC_A_V0")).unwrap().iter().map(|c| c.items).collect::<Vec<_>>(), [20, 10]);
    assert_eq!((count(&mut reader, "project", "QC_A_V0", "P-2", READY), reader.queue_counts_by("intent", None).unwrap()), (5, vec![]));
    // A member that gets another value is counted there.
    let found = item(&mut reader, "Q-18");
    let mut other = moved(&found, "FAILED", "failed", 9);
    other.kept = vec![member("project", "P-9", true)];
    writer.queue_change(&[other]).unwrap().remove(0).unwrap();
    assert_eq!(count(&mut reader, "project", "QC_A_V0", "P-2", READY), 4);
    assert_eq!(count(&mut reader, "project", "QC_A_V0", "P-9", "FAILED"), 1);
    assert_eq!(count(&mut reader, "project", "QC_A_V0", "P-2", "FAILED"), 0);
    consistent(&mut reader);
}

/// W-51: an archived item is out of the lists and counts; its lines stay, and its id is used up.
#[test]
fn w_51_an_archived_item_keeps_its_lines_and_cannot_come_again() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let mut first = ready("Q-1", 0);
    first.kept = vec![member("project", "P-1", true)];
    writer.queue_add(&[first, ready("Q-2", 1)]).unwrap();
    let taken = take(&mut writer, "w", 1, 1);
    let name = |id: &str, status: &str| (id.to_owned(), status.to_owned());
    let refused = writer.queue_archive(&[name("Q-1", EXECUTING), name("Q-2", "SETTLED"), name("Q-9", READY)]).unwrap();
    let codes: Vec<_> = refused.iter().map(|answer| answer.as_ref().unwrap_err().code()).collect();
    assert_eq!(codes, ["queue_locked", "queue_status", "queue_unknown"]);
    writer.queue_change(&[moved(&taken[0], "SETTLED", "settled", 2)]).unwrap().remove(0).unwrap();
    let mut reader = bench.store.reader().unwrap();
    let lines = reader.queue_lines(None, 0, 99).unwrap();
    assert_eq!(writer.queue_archive(&[name("Q-1", "SETTLED")]).unwrap(), [Ok(())]);
    assert_eq!(reader.queue_lines(None, 0, 99).unwrap(), lines);
    assert_eq!(ids(&reader.queue_items(&QueueFilter::default(), 0, 9).unwrap()), ["Q-2"]);
    let archive = QueueFilter { archived: true, ..QueueFilter::default() };
    assert_eq!(ids(&reader.queue_items(&archive, 0, 9).unwrap()), ["Q-1"]);
    assert_eq!(reader.queue_counts_by("project", None).unwrap(), []);
    let again = item(&mut reader, "Q-1");
    assert!(again.archived && again.line.is_some());
    let answers = [
        writer.queue_add(&[ready("Q-1", 7)]).unwrap().remove(0),
        writer.queue_change(&[moved(&again, READY, "validated", 7)]).unwrap().remove(0),
        writer.queue_archive(&[name("Q-1", "SETTLED")]).unwrap().remove(0),
    ];
    assert_eq!(answers.map(|answer| answer.unwrap_err().code()), ["queue_exists", "queue_archived", "queue_archived"]);
    consistent(&mut reader);
}

/// A failing line, a failing signature and a full disk leave the queue as it was.
#[test]
fn w_52_a_change_whose_line_cannot_be_made_or_stored_is_not_made() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    writer.queue_add(&[ready("Q-1", 0), ready("Q-2", 1)]).unwrap();
    let everything = |reader: &mut Reader| {
        let items = reader.queue_items(&QueueFilter::default(), 0, 999).unwrap();
        (items, reader.queue_lines(None, 0, 999).unwrap(), reader.queue_counts(None).unwrap())
    };
    let mut reader = bench.store.reader().unwrap();
    let before = everything(&mut reader);
    let one = QueueTake { now: 1, owner: "w", ttl: TTL, count: 2, contracts: &[] };
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        writer.queue_lease(&one, &mut |event, item| if item.row.item == "Q-2" { panic!("no line") } else { line(&item.row, event, 1) })
    }));
    assert!(failed.is_err());
    assert_eq!(everything(&mut reader), before);
    let limited = OpenOptions { size_limit_bytes: Some(600_000), ..OpenOptions::new(bench.path()) };
    let mut limited = Store::open(&limited).unwrap().writer().unwrap();
    let mut seq = 2;
    let error = loop {
        let before = everything(&mut reader);
        let batch: Vec<_> = (0..100).map(|nth| ready(&format!("Q-{}", seq + nth), seq + nth)).collect();
        match limited.queue_add(&batch) {
            Ok(_) => seq += 100,
            Err(error) => {
                assert_eq!(everything(&mut reader), before);
                break error;
            }
        }
    };
    assert!(matches!(error, StoreError::Full) && seq > 2, "{error:?} at {seq}");
    assert_eq!(take(&mut writer, "w", 1, 2).len(), 2);
    consistent(&mut reader);
}
