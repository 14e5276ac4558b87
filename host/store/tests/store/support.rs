//! Ledgers and commits to test with; asserts nothing by itself.

use std::path::PathBuf;

use ed25519_dalek::SigningKey;
use enact_core::entry::{Draft, Head, Kind as RecordKind, Local, Record};
use enact_core::hash::blob_hash;
use enact_core::note;
use enact_store::{Commit, Committed, Fold, OpenOptions, Read, Reader, Rejection, Row, RunRow, StateRead, Store, StoreInfo, Write, Writer};
use serde_json::json;
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "example.org/ledger";
/// The verifier key of [`sign`].
pub(crate) const KEY: &str = "example.org/ledger+79a3823a+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
pub(crate) const NOW: &str = "2026-04-17T10:00:00Z";

/// A ledger in a folder that goes away with it.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&creating(folder.path().join("ledger.db"))).unwrap();
        Self { folder, store }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// A connection past the store, for looking and tampering.
    pub(crate) fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }
}

pub(crate) fn creating(path: PathBuf) -> OpenOptions {
    OpenOptions::new(path).create(ORIGIN, KEY)
}

/// Signs a head.
pub(crate) fn sign(head: &Head) -> String {
    note::sign(ORIGIN, head.size, &head.root(), &SigningKey::from_bytes(&[7; 32]))
}

pub(crate) fn commit(run_id: &str) -> Commit {
    let record = Record {
        kind: RecordKind::Receipt,
        type_: "RUN".to_owned(),
        action: "RUN.DONE".to_owned(),
        subject: format!("Run:{run_id}"),
        actor: "engine".to_owned(),
        seat: None,
        scope: None,
        auth: None,
        refs: [("input".to_owned(), blob_hash(run_id.as_bytes()))].into(),
        consumes: Vec::new(),
        version: None,
        postings: None,
        payload: json!({"run": run_id}),
        sig: None,
    };
    Commit {
        origin: ORIGIN.to_owned(),
        draft: Draft {
            protocol: blob_hash(b"protocol"),
            at: NOW.to_owned(),
            records: vec![record],
            local: Local { node: "n".to_owned(), attempt: 1 },
        },
        run: RunRow {
            run_id: run_id.to_owned(),
            workflow: "WF_A_V0".to_owned(),
            snapshot: blob_hash(b"protocol").to_string(),
            binding: "RB_A_V0".to_owned(),
            at: NOW.to_owned(),
            class: "SUCCESS".to_owned(),
            reason: "COMPLETED".to_owned(),
            code: None,
            trace: b"trace".to_vec(),
            transcript: b"transcript".to_vec(),
            input: b"{}".to_vec(),
            output: run_id.as_bytes().to_vec(),
        },
        reads: Vec::new(),
        writes: Vec::new(),
    }
}

pub(crate) fn with(run_id: &str, reads: Vec<Read>, writes: Vec<Write>) -> Commit {
    Commit { reads, writes, ..commit(run_id) }
}

/// Appends one commit.
pub(crate) fn one(writer: &mut Writer, commit: Commit) -> Result<Committed, Rejection> {
    writer.append(&[commit], NOW, &sign).unwrap().remove(0)
}

/// Everything that can be seen of the host stores.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) stores: Vec<StoreInfo>,
    pub(crate) rows: Vec<(String, String, Row)>,
    pub(crate) logs: Vec<(String, Vec<String>)>,
}

pub(crate) fn state<S: StateRead>(source: &mut S, stores: Vec<StoreInfo>, tombstones: &[(String, String)]) -> State {
    let mut rows = Vec::new();
    let mut logs = Vec::new();
    for info in &stores {
        for (key, row) in source.rows(&info.name, None, u64::MAX).unwrap() {
            rows.push((info.name.clone(), key, row));
        }
        logs.push((info.name.clone(), source.log_read(&info.name, 0, u64::MAX).unwrap()));
        assert_eq!(source.live_count(&info.name).unwrap(), info.live);
        assert_eq!(source.store_version(&info.name).unwrap(), info.version);
    }
    for (store, key) in tombstones {
        if let Some(row) = source.row(store, key).unwrap() {
            rows.push((store.clone(), key.clone(), row));
        }
    }
    State { stores, rows, logs }
}

pub(crate) fn reader_state(reader: &mut Reader, keys: &[(String, String)]) -> State {
    let stores = reader.stores().unwrap();
    state(reader, stores, keys)
}

pub(crate) fn fold_state(fold: &mut Fold, keys: &[(String, String)]) -> State {
    let stores = fold.stores();
    state(fold, stores, keys)
}
