//! Which files open, which do not, and why.

use std::path::Path;

use enact_store::{FORMAT, OpenOptions, Store, StoreError};
use rusqlite::Connection;

use crate::support::{Bench, KEY, ORIGIN, commit, creating, one};

fn refused(path: &Path) -> &'static str {
    let code = |options: &OpenOptions| Store::open(options).map(|_| ()).unwrap_err().code();
    let code = (code(&OpenOptions::new(path)), code(&creating(path.to_owned())));
    assert_eq!(code.0, code.1, "an existing file is judged the same whether or not it may be created");
    code.0
}

#[test]
fn a_ledger_is_created_once_and_reopened() {
    let bench = Bench::new();
    one(&mut bench.store.writer().unwrap(), commit("a")).unwrap();
    for options in [OpenOptions::new(bench.path()), creating(bench.path()), OpenOptions::new(bench.path()).read_only()] {
        let store = Store::open(&options).unwrap();
        assert_eq!((store.origin(), store.public_key()), (ORIGIN, KEY));
        assert_eq!(store.reader().unwrap().head().unwrap().size, 1);
    }
}

#[test]
fn a_missing_file_is_created_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let error = Store::open(&OpenOptions::new(&path)).map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
    let error = Store::open(&creating(path.clone()).read_only()).map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
    assert!(!path.exists());
    let error = Store::open(&creating(folder.path().join("no/such/folder.db"))).map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Unopenable { .. }), "{error:?}");
}

#[test]
fn another_ledger_is_not_taken_for_ours() {
    let bench = Bench::new();
    let error = Store::open(&OpenOptions::new(bench.path()).create("other.example", KEY)).map(|_| ()).unwrap_err();
    assert!(matches!(&error, StoreError::Origin { found, .. } if found == ORIGIN), "{error:?}");
    let error = Store::open(&OpenOptions::new(bench.path()).create(ORIGIN, "other key")).map(|_| ()).unwrap_err();
    assert!(matches!(&error, StoreError::PublicKey { .. }), "{error:?}");
}

#[test]
fn foreign_files_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, but long enough to have a header, which takes a hundred bytes of prose like this one").unwrap();
    let short = folder.path().join("short");
    std::fs::write(&short, "SQLite format 3\0").unwrap();
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("PRAGMA application_id = 77; CREATE TABLE t(x)").unwrap();
    let nameless = folder.path().join("nameless.db");
    Connection::open(&nameless).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
    for path in [&text, &short, &other, &nameless] {
        let before = std::fs::read(path).unwrap();
        assert_eq!(refused(path), "store_foreign", "{}", path.display());
        assert!(std::fs::read(path).unwrap() == before, "{} was changed", path.display());
    }
    assert_eq!(refused(folder.path()), "store_foreign");
}

#[test]
fn a_creation_that_was_interrupted_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::write(&path, "").unwrap();
    let error = Store::open(&OpenOptions::new(&path)).map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
    let store = Store::open(&creating(path)).unwrap();
    one(&mut store.writer().unwrap(), commit("a")).unwrap();
}

#[test]
fn a_newer_format_and_an_altered_schema_are_told_apart() {
    let bench = Bench::new();
    bench.raw().execute_batch(&format!("PRAGMA user_version = {}", FORMAT + 1)).unwrap();
    assert_eq!(refused(&bench.path()), "store_newer");
    let bench = Bench::new();
    bench.raw().execute_batch("PRAGMA user_version = 0").unwrap();
    assert_eq!(refused(&bench.path()), "store_corrupt");
    for change in [
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM runs; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON entries(leaf)",
        "DROP TABLE events",
        "ALTER TABLE runs RENAME COLUMN code TO kode",
    ] {
        let bench = Bench::new();
        bench.raw().execute_batch(change).unwrap();
        assert_eq!(refused(&bench.path()), "store_corrupt", "{change}");
    }
}

#[test]
fn a_file_that_lost_its_tail_is_reported_as_damaged() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let batch: Vec<_> = (0..200).map(|i| commit(&format!("r{i}"))).collect();
    writer.append(&batch, crate::support::NOW, &crate::support::sign).unwrap();
    writer.checkpoint().unwrap();
    let path = bench.path();
    drop(writer);
    let Bench { folder, store } = bench;
    drop(store);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len / 2).unwrap();
    let read_all = || -> Result<(), StoreError> {
        let store = Store::open(&OpenOptions::new(&path))?;
        let mut reader = store.reader()?;
        reader.entries(0, |_| Ok::<(), StoreError>(()))?;
        reader.check_structure()
    };
    let error = read_all().unwrap_err();
    assert!(error.is_corruption(), "{error:?}");
    drop(folder);
}

#[test]
fn a_store_opened_for_reading_only_hands_out_no_writer() {
    let bench = Bench::new();
    one(&mut bench.store.writer().unwrap(), commit("a")).unwrap();
    let store = Store::open(&OpenOptions::new(bench.path()).read_only()).unwrap();
    let error = store.writer().map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    assert_eq!(store.reader().unwrap().head().unwrap().size, 1);
}

#[test]
fn a_name_that_looks_like_a_uri_is_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a?mode=memory#%41.db");
    let store = Store::open(&creating(path.clone())).unwrap();
    one(&mut store.writer().unwrap(), commit("a")).unwrap();
    assert!(path.exists());
    drop(store);
    assert_eq!(Store::open(&OpenOptions::new(path).read_only()).unwrap().reader().unwrap().head().unwrap().size, 1);
}
