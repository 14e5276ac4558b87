//! Copies of a ledger in use: one moment of it, complete, and never over something else.

use std::sync::atomic::{AtomicBool, Ordering};

use enact_core::state::Space;
use enact_store::{OpenOptions, Progress, Store, StoreError};

use crate::governed::{add, append, everything};
use crate::support::{Bench, KEY, ORIGIN, commit, one, sign};
use crate::tamper::findings;

#[test]
fn a_copy_made_while_others_append_is_one_moment_of_the_ledger() {
    let bench = Bench::new();
    let stop = AtomicBool::new(false);
    let mut writer = bench.store.writer().unwrap();
    // Large enough for several steps.
    for nth in 0..300 {
        let mut commit = commit(&format!("large-{nth}"));
        commit.run.trace = vec![7; 30_000];
        one(&mut writer, commit).unwrap();
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut nth = 0;
            while !stop.load(Ordering::Relaxed) {
                append(&mut writer, &[add("a"), add("b")]).unwrap();
                one(&mut writer, commit(&format!("run-{nth}"))).unwrap();
                nth += 1;
            }
        });
        for nth in 0..5 {
            let to = bench.folder.path().join(format!("copy-{nth}.db"));
            let mut reports = Vec::new();
            let began = bench.store.reader().unwrap().head().unwrap().size;
            let copied = bench.store.backup(&to, &mut |progress: Progress| {
                // The ledger moves on between two steps, and the copy does not start over.
                let size = bench.store.reader().unwrap().head().unwrap().size;
                while reports.len() < 3 && bench.store.reader().unwrap().head().unwrap().size == size {
                    std::thread::yield_now();
                }
                reports.push(progress);
            });
            let copied = copied.unwrap();
            assert!(reports.len() > 2 && reports.is_sorted_by_key(|progress| progress.done), "{reports:?}");
            assert!(reports.last().is_some_and(|last| last.done == last.total));
            assert_eq!(copied.bytes, std::fs::metadata(&to).unwrap().len());
            assert!(copied.head.size >= began);
            let copy = Store::open(&OpenOptions::new(&to).create(ORIGIN, KEY)).unwrap();
            let mut reader = copy.reader().unwrap();
            reader.check_structure().unwrap();
            assert_eq!(findings(&mut reader), Vec::<String>::new());
            let seen = everything(&mut reader);
            assert_eq!((&seen.0, seen.1), (&copied.head, Some(sign(&copied.head))));
            let here = everything(&mut bench.store.reader().unwrap());
            assert_eq!(here.2[..seen.2.len()], seen.2[..], "the copy is no beginning of the ledger");
            assert!(here.0.size > copied.head.size, "nobody appended");
            // It is a ledger like any other.
            let before = reader.state(Space::Balance, "a").unwrap().map_or(0, |row| row.1.parse().unwrap());
            append(&mut copy.writer().unwrap(), &[serde_json::json!({"key": "a", "expect": before})]).unwrap().remove(0).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(partials(&bench), 0);
}

fn partials(bench: &Bench) -> usize {
    let names = std::fs::read_dir(bench.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().contains("partial")).count()
}

#[test]
fn what_exists_is_never_overwritten() {
    let bench = Bench::new();
    one(&mut bench.store.writer().unwrap(), commit("a")).unwrap();
    let to = bench.folder.path().join("copy.db");
    std::fs::write(&to, "something").unwrap();
    for target in [&to, &bench.path(), &bench.folder.path().to_owned()] {
        let error = bench.store.backup(target, &mut |_| {}).unwrap_err();
        assert!(matches!(error, StoreError::Exists { .. }), "{error:?}");
    }
    assert_eq!(std::fs::read(&to).unwrap(), b"something");
    // It appears while the copy is made.
    let late = bench.folder.path().join("late.db");
    let error = bench.store.backup(&late, &mut |_| std::fs::write(&late, "late").unwrap()).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error:?}");
    assert_eq!(std::fs::read(&late).unwrap(), b"late");
    let error = bench.store.backup(&bench.folder.path().join("no/such/folder.db"), &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::Unopenable { .. }), "{error:?}");
    assert_eq!(partials(&bench), 0);
}

#[test]
fn a_store_opened_for_reading_only_can_be_copied_and_a_copy_given_up_leaves_nothing() {
    let bench = Bench::new();
    one(&mut bench.store.writer().unwrap(), commit("a")).unwrap();
    let store = Store::open(&OpenOptions::new(bench.path()).read_only()).unwrap();
    let to = bench.folder.path().join("copy.db");
    let given_up = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.backup(&to, &mut |_| panic!("given up"))));
    assert!(given_up.is_err() && !to.exists());
    assert_eq!(partials(&bench), 0);
    assert_eq!(store.backup(&to, &mut |_| {}).unwrap().head.size, 1);
}
