//! A file of an older format: brought up to date when it is opened for writing, readable as it is otherwise.

use std::path::Path;

use enact_core::state::{Space, StateView as _};
use enact_store::{FORMAT, OpenOptions, QueueChange, QueueFilter, QueueRow, Reader, Store, StoreError};

use crate::governed::{add, append};
use crate::queue::queued;
use crate::support::{Bench, KEY, NOW, commit, one, sign};
use crate::tamper::findings;

/// The format before the queue has none of these.
const NO_QUEUE: &str = "DROP TABLE links; DROP TABLE executions; DROP TABLE queue_items; DROP TABLE queue_journal; DROP TABLE queue_kept; DROP TABLE queue_counts; \
                        PRAGMA user_version = 3";
/// Nor had format 2 these.
const NO_LISTENERS: &str = "DROP TABLE links; DROP TABLE executions; DROP TABLE queue_items; DROP TABLE queue_journal; DROP TABLE queue_kept; DROP TABLE queue_counts; \
                            DROP TABLE listeners; DROP TABLE listener_log; PRAGMA user_version = 2";
/// Nor had format 1 these.
const AWAY: &str = "DROP TABLE links; DROP TABLE executions; DROP TABLE queue_items; DROP TABLE queue_journal; DROP TABLE queue_kept; DROP TABLE queue_counts; \
                    DROP TABLE listeners; DROP TABLE listener_log; DROP TABLE state; DROP TABLE refusals; PRAGMA user_version = 1";

/// The format that the queue was added to.
const FORMAT_BEFORE_QUEUE: i64 = 3;

/// A ledger of format 1 with one entry, all of it in the file.
fn old() -> Bench {
    let bench = Bench::new();
    one(&mut bench.store.writer().unwrap(), commit("a")).unwrap();
    bench.raw().execute_batch(AWAY).unwrap();
    bench
}

fn format(path: &Path) -> i64 {
    rusqlite::Connection::open(path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn an_old_file_is_brought_up_to_date_when_it_is_opened_for_writing() {
    let bench = old();
    let store = Store::open(&OpenOptions::new(bench.path())).unwrap();
    assert_eq!(format(&bench.path()), FORMAT);
    let mut writer = store.writer().unwrap();
    append(&mut writer, &[add("k")]).unwrap();
    one(&mut writer, commit("b")).unwrap();
    let mut reader = store.reader().unwrap();
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    assert_eq!(reader.state(Space::Balance, "k").unwrap(), Some((1, "1".to_owned())));
    assert_eq!((reader.run_by_id("a").unwrap().unwrap().seq, reader.run_count().unwrap()), (0, 2));
    drop((reader, writer, store));
    // Word for word what a new file has: it opens again.
    Store::open(&OpenOptions::new(bench.path())).unwrap();
}

#[test]
fn an_old_file_opened_for_reading_only_stays_as_it_is_and_has_no_state() {
    let bench = old();
    let store = Store::open(&OpenOptions::new(bench.path()).read_only()).unwrap();
    let mut reader = store.reader().unwrap();
    assert_eq!(reader.head().unwrap().size, 1);
    assert_eq!(reader.state(Space::Balance, "k").unwrap(), None);
    assert_eq!(reader.state_at(Space::Balance, "k", 9).unwrap(), None);
    assert_eq!(reader.state_history(Space::Balance, "k", None, 9).unwrap(), []);
    assert_eq!(reader.state_rows(Space::Balance, "", None, 9).unwrap(), []);
    assert_eq!(reader.refusals(0, 9).unwrap(), []);
    assert_eq!(reader.moment(None).unwrap().get(Space::Balance, "k").unwrap(), None);
    let mut seen = 0;
    reader
        .entries_with_state(0, |step| {
            assert!(step.entry.is_some() && step.rows.is_empty());
            seen += 1;
            Ok::<(), StoreError>(())
        })
        .unwrap();
    assert_eq!((seen, format(&bench.path())), (1, 1));
    // Someone else brings it up to date while we read.
    append(&mut Store::open(&OpenOptions::new(bench.path())).unwrap().writer().unwrap(), &[add("k")]).unwrap();
    assert_eq!(reader.state(Space::Balance, "k").unwrap(), Some((1, "1".to_owned())));
}

#[test]
fn a_file_of_format_2_keeps_its_state_and_learns_to_listen() {
    let bench = Bench::new();
    append(&mut bench.store.writer().unwrap(), &[add("k")]).unwrap();
    bench.raw().execute_batch(NO_LISTENERS).unwrap();
    let read_only = Store::open(&OpenOptions::new(bench.path()).read_only()).unwrap();
    let mut reader = read_only.reader().unwrap();
    assert_eq!((reader.cursor("LI_A_V0").unwrap(), format(&bench.path())), (None, 2));
    assert_eq!(reader.failed_deliveries("LI_A_V0", 9).unwrap(), []);
    assert_eq!(reader.failed_attempts("LI_A_V0", 0, 0).unwrap(), 0);
    drop((reader, read_only));
    let store = Store::open(&OpenOptions::new(bench.path())).unwrap();
    assert_eq!(format(&bench.path()), FORMAT);
    store.writer().unwrap().advance_cursors(&[("LI_A_V0", 7)]).unwrap();
    let mut reader = store.reader().unwrap();
    assert_eq!(reader.cursor("LI_A_V0").unwrap(), Some(7));
    assert_eq!(reader.state(Space::Balance, "k").unwrap(), Some((0, "1".to_owned())));
}

/// Format 4 had the queue and looked for nothing in it by time.
const NO_TIMES: &str = "DROP TABLE links; DROP TABLE executions; DROP INDEX queue_due; DROP INDEX queue_failures; PRAGMA user_version = 4";

#[test]
fn a_file_of_format_4_is_read_as_it_is_and_gets_the_indexes_when_it_is_written() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let failed = QueueRow { status: "FAILED".to_owned(), not_before: 5, ..queued("Q-1", 0).row };
    let mut change = QueueChange { row: failed, event: "failed".to_owned(), ..queued("Q-1", 0) };
    change.at = 7;
    assert_eq!(writer.queue_add(&[change]).unwrap(), [Ok(())]);
    drop(writer);
    bench.raw().execute_batch(NO_TIMES).unwrap();
    let told = |reader: &mut Reader| {
        let due: Vec<String> = reader.queue_due("FAILED", &[], 9, 9).unwrap().into_iter().map(|item| item.row.item).collect();
        (due, reader.queue_due_next("FAILED", 1).unwrap(), reader.queue_health(9, 7).unwrap().failures)
    };
    let expected = (vec!["Q-1".to_owned()], Some(5), vec![("QC_A_V0".to_owned(), 1)]);
    assert_eq!(told(&mut Store::open(&OpenOptions::new(bench.path()).read_only()).unwrap().reader().unwrap()), expected);
    assert_eq!(format(&bench.path()), 4);
    let store = Store::open(&OpenOptions::new(bench.path())).unwrap();
    assert_eq!((format(&bench.path()), told(&mut store.reader().unwrap())), (FORMAT, expected));
}

#[test]
fn a_file_from_before_the_queue_gets_one_and_is_read_as_if_it_were_empty() {
    let bench = Bench::new();
    append(&mut bench.store.writer().unwrap(), &[add("k")]).unwrap();
    bench.raw().execute_batch(NO_QUEUE).unwrap();
    let mut reader = Store::open(&OpenOptions::new(bench.path()).read_only()).unwrap().reader().unwrap();
    assert_eq!(reader.queue_item("Q-1").unwrap(), None);
    assert_eq!(reader.queue_items(&QueueFilter::default(), 0, 9).unwrap(), []);
    assert_eq!((reader.queue_counts(None).unwrap(), reader.queue_lines(None, 0, 9).unwrap()), (vec![], vec![]));
    assert_eq!((reader.queue_leases(0).unwrap(), reader.queue_wake().unwrap()), (vec![], None));
    assert_eq!(format(&bench.path()), FORMAT_BEFORE_QUEUE);
    let mut writer = Store::open(&OpenOptions::new(bench.path())).unwrap().writer().unwrap();
    assert_eq!(format(&bench.path()), FORMAT);
    assert_eq!(writer.queue_add(&[queued("Q-1", 0)]).unwrap(), [Ok(())]);
    // Seen by who has been reading all along.
    assert_eq!(reader.queue_item("Q-1").unwrap().unwrap().row.status, "PENDING");
    assert_eq!(reader.state(Space::Balance, "k").unwrap(), Some((0, "1".to_owned())));
    assert_eq!(findings(&mut reader), Vec::<String>::new());
}

#[test]
fn a_writer_of_a_store_opened_before_finds_the_tables() {
    let bench = Bench::new();
    bench.raw().execute_batch(AWAY).unwrap();
    append(&mut bench.store.writer().unwrap(), &[add("k")]).unwrap();
    assert_eq!(format(&bench.path()), FORMAT);
}

#[test]
fn an_old_file_that_is_not_the_one_meant_or_not_whole_is_left_as_it_is() {
    let bench = old();
    assert!(Store::open(&OpenOptions::new(bench.path()).create("other.example", KEY)).is_err());
    assert_eq!(format(&bench.path()), 1);
    for change in ["CREATE TABLE state(x)", "DROP TABLE events", "CREATE VIEW v AS SELECT 1"] {
        let bench = old();
        bench.raw().execute_batch(change).unwrap();
        for options in [OpenOptions::new(bench.path()), OpenOptions::new(bench.path()).read_only()] {
            let error = Store::open(&options).map(|_| ()).unwrap_err();
            assert_eq!(error.code(), "store_corrupt", "{change}");
        }
        assert_eq!(format(&bench.path()), 1);
    }
}

#[test]
fn several_who_open_an_old_file_at_once_all_get_in() {
    let bench = old();
    let path = bench.path();
    std::thread::scope(|scope| {
        for nth in 0..6 {
            let path = &path;
            scope.spawn(move || {
                let store = Store::open(&OpenOptions::new(path)).unwrap();
                let batch = [commit(&format!("run-{nth}"))];
                store.writer().unwrap().append(&batch, NOW, &sign).unwrap().remove(0).unwrap();
            });
        }
    });
    assert_eq!(Store::open(&OpenOptions::new(&path)).unwrap().reader().unwrap().head().unwrap().size, 7);
}
