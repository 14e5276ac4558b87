//! What the host stores hold at one moment, behind one trait, so that a live run and an audit go through the same staging code; not how it
//! is held.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::error::StoreError;
use crate::model::{Conflict, ConflictKind, Kind, Read, Row, Write};

/// Reads of the host stores. Implemented by the file ([`crate::Reader`]), by memory ([`crate::Fold`]), and by a commit in progress.
///
/// A store that does not exist is empty with version 0. A quarantined one answers [`StoreError::Quarantined`].
pub trait StateRead {
    /// Kind of a store, `None` before its first write.
    fn kind(&mut self, store: &str) -> Result<Option<Kind>, StoreError>;
    /// One key, tombstones included.
    fn row(&mut self, store: &str, key: &str) -> Result<Option<Row>, StoreError>;
    /// Live keys after `after` in byte order of the key, at most `limit`.
    fn rows(&mut self, store: &str, after: Option<&str>, limit: u64) -> Result<Vec<(String, Row)>, StoreError>;
    /// Number of live keys, or of records of a log.
    fn live_count(&mut self, store: &str) -> Result<u64, StoreError>;
    /// Number of writes ever made to the store.
    fn store_version(&mut self, store: &str) -> Result<u64, StoreError>;
    /// Number of records of a log.
    fn log_len(&mut self, store: &str) -> Result<u64, StoreError>;
    /// Records of a log from position `from`, at most `limit`.
    fn log_read(&mut self, store: &str, from: u64, limit: u64) -> Result<Vec<String>, StoreError>;
    /// Whether a record of the log (of any log for `None`) carries `event` with all of `fields`; see [`crate::event`].
    fn find_event(&mut self, store: Option<&str>, event: &str, fields: &Map<String, Value>) -> Result<bool, StoreError>;
}

/// The first thing that a run relied on and that does not hold in `state`, or `None`. The same function decides in the transaction that
/// commits a run and in an audit that refolds the stores.
pub fn conflict<S: StateRead + ?Sized>(state: &mut S, reads: &[Read], writes: &[Write]) -> Result<Option<Conflict>, StoreError> {
    for read in reads {
        if let Some(conflict) = read_conflict(state, read)? {
            return Ok(Some(conflict));
        }
    }
    write_conflict(state, writes)
}

fn read_conflict<S: StateRead + ?Sized>(state: &mut S, read: &Read) -> Result<Option<Conflict>, StoreError> {
    match read {
        Read::Row { store, kind, key, version } => {
            if let Some(conflict) = kind_conflict(state, store, *kind)? {
                return Ok(Some(conflict));
            }
            let found = state.row(store, key)?.map_or(0, |row| row.version);
            Ok(differs(store, Some(key), ConflictKind::Row, *version, found))
        }
        Read::Store { store, kind, version } => {
            if let Some(conflict) = kind_conflict(state, store, *kind)? {
                return Ok(Some(conflict));
            }
            let found = state.store_version(store)?;
            Ok(differs(store, None, ConflictKind::Store, *version, found))
        }
        Read::Event { store, event, fields, found: expected } => {
            let found = state.find_event(store.as_deref(), event, fields)?;
            Ok((found != *expected).then(|| Conflict {
                store: store.clone().unwrap_or_default(),
                key: Some(event.clone()),
                what: ConflictKind::Event,
                expected: expected.to_string(),
                found: found.to_string(),
            }))
        }
        Read::Kind { store, kind } => {
            let found = state.kind(store)?;
            Ok((found != Some(*kind)).then(|| kind_differs(store, *kind, found)))
        }
    }
}

fn write_conflict<S: StateRead + ?Sized>(state: &mut S, writes: &[Write]) -> Result<Option<Conflict>, StoreError> {
    let mut kinds: HashMap<&str, Kind> = HashMap::new();
    let mut versions: HashMap<(&str, &str), u64> = HashMap::new();
    for write in writes {
        let (store, kind) = (write.store(), write.kind());
        match kinds.insert(store, kind) {
            Some(first) if first != kind => return Ok(Some(kind_differs(store, kind, Some(first)))),
            Some(_) => {}
            None => {
                if let Some(conflict) = kind_conflict(state, store, kind)? {
                    return Ok(Some(conflict));
                }
            }
        }
        let Some((key, version)) = key_of(write) else { continue };
        let current = match versions.insert((store, key), version) {
            Some(staged) => staged,
            None => state.row(store, key)?.map_or(0, |row| row.version),
        };
        if let Some(conflict) = differs(store, Some(key), ConflictKind::Write, version, current.saturating_add(1)) {
            return Ok(Some(conflict));
        }
    }
    Ok(None)
}

fn key_of(write: &Write) -> Option<(&str, u64)> {
    match write {
        Write::Put { key, version, .. } | Write::Tombstone { key, version, .. } => Some((key, *version)),
        Write::Append { .. } => None,
    }
}

fn differs(store: &str, key: Option<&str>, what: ConflictKind, expected: u64, found: u64) -> Option<Conflict> {
    (expected != found).then(|| Conflict {
        store: store.to_owned(),
        key: key.map(str::to_owned),
        what,
        expected: expected.to_string(),
        found: found.to_string(),
    })
}

fn kind_conflict<S: StateRead + ?Sized>(state: &mut S, store: &str, kind: Kind) -> Result<Option<Conflict>, StoreError> {
    let found = state.kind(store)?;
    Ok(found.is_some_and(|found| found != kind).then(|| kind_differs(store, kind, found)))
}

fn kind_differs(store: &str, expected: Kind, found: Option<Kind>) -> Conflict {
    Conflict {
        store: store.to_owned(),
        key: None,
        what: ConflictKind::Kind,
        expected: expected.to_string(),
        found: found.map_or_else(|| "no store".to_owned(), |kind| kind.to_string()),
    }
}
