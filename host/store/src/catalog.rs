//! The host stores in SQL: one set of queries for a reader and for a commit in progress, which differ in what they know of the stores
//! table. Reads only.

use enact_core::hash;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use serde_json::{Map, Value};

use crate::error::StoreError;
use crate::event::Probe;
use crate::model::{Kind, Row, StoreInfo};
use crate::number::{bound, column, unsigned};
use crate::state::StateRead;

/// Bytes of a digest kept in an index of events. Candidates are compared in full, so this only has to make them rare.
const KEY_BYTES: usize = 16;

/// A row of the stores table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) info: StoreInfo,
}

impl Entry {
    fn read(row: &SqlRow<'_>) -> Result<Self, StoreError> {
        let name: String = row.get(1)?;
        let kind: String = row.get(2)?;
        let kind =
            Kind::parse(&kind).ok_or_else(|| StoreError::Corrupt { detail: format!("store `{name}` is of the unknown kind `{kind}`") })?;
        let info = StoreInfo {
            kind,
            version: unsigned(row.get(3)?, "a store's version")?,
            len: unsigned(row.get(4)?, "a store's length")?,
            live: unsigned(row.get(5)?, "a store's live count")?,
            quarantined: row.get(6)?,
            name,
        };
        Ok(Self { id: row.get(0)?, info })
    }

    /// Refuses a quarantined store.
    pub(crate) fn in_service(self) -> Result<Self, StoreError> {
        match self.info.quarantined {
            Some(reason) => Err(StoreError::Quarantined { store: self.info.name, reason }),
            None => Ok(self),
        }
    }
}

/// The row of a store, quarantined or not.
pub(crate) fn find(connection: &Connection, store: &str) -> Result<Option<Entry>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, name, kind, version, len, live, quarantined FROM stores WHERE name = ?1")?;
    let mut rows = statement.query([store])?;
    rows.next()?.map(Entry::read).transpose()
}

/// Every store by name.
pub(crate) fn all(connection: &Connection) -> Result<Vec<StoreInfo>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, name, kind, version, len, live, quarantined FROM stores ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Entry::read(row)?.info);
    }
    Ok(found)
}

/// One key of a store.
pub(crate) fn row(connection: &Connection, id: i64, key: &str) -> Result<Option<Row>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT version, value FROM store_rows WHERE store = ?1 AND key = ?2")?;
    let found = statement.query_row(params![id, key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    found.map(|(version, value)| Ok(Row { version: unsigned(version, "a row's version")?, value })).transpose()
}

/// What an index of events holds for the values of a probe or record.
pub(crate) fn index_key(key: &[u8]) -> Vec<u8> {
    hash::sha256(key).into_iter().take(KEY_BYTES).collect()
}

/// How the names of a combination of fields are stored.
pub(crate) fn index_fields(fields: &[String]) -> String {
    Value::from(fields.to_vec()).to_string()
}

/// The index for a combination of fields, if one exists.
pub(crate) fn index_id(connection: &Connection, probe: &Probe) -> Result<Option<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM event_indexes WHERE event = ?1 AND fields = ?2")?;
    Ok(statement.query_row(params![probe.event, index_fields(&probe.fields)], |row| row.get(0)).optional()?)
}

/// Who knows the stores.
pub(crate) trait Catalog {
    /// The connection to read through.
    fn connection(&self) -> &Connection;
    /// A store that is in service, or `None` when it does not exist.
    fn available(&mut self, store: &str) -> Result<Option<Entry>, StoreError>;
    /// The index of events to use. A commit in progress makes the missing one, so that only the first question is slow.
    fn index(&mut self, probe: &Probe) -> Result<Option<i64>, StoreError> {
        index_id(self.connection(), probe)
    }
}

impl<C: Catalog> StateRead for C {
    fn kind(&mut self, store: &str) -> Result<Option<Kind>, StoreError> {
        Ok(self.available(store)?.map(|entry| entry.info.kind))
    }

    fn row(&mut self, store: &str, key: &str) -> Result<Option<Row>, StoreError> {
        match self.available(store)? {
            Some(entry) => row(self.connection(), entry.id, key),
            None => Ok(None),
        }
    }

    fn rows(&mut self, store: &str, after: Option<&str>, limit: u64) -> Result<Vec<(String, Row)>, StoreError> {
        let Some(entry) = self.available(store)? else { return Ok(Vec::new()) };
        // Two statements: with `?2 IS NULL OR key > ?2` the planner would not seek.
        let connection = self.connection();
        let mut statement = match after {
            Some(_) => connection.prepare_cached(
                "SELECT key, version, value FROM store_rows WHERE store = ?1 AND value IS NOT NULL AND key > ?3 ORDER BY key LIMIT ?2",
            )?,
            None => connection.prepare_cached(
                "SELECT key, version, value FROM store_rows WHERE store = ?1 AND value IS NOT NULL ORDER BY key LIMIT ?2",
            )?,
        };
        let mut rows = match after {
            Some(after) => statement.query(params![entry.id, bound(limit), after])?,
            None => statement.query(params![entry.id, bound(limit)])?,
        };
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((row.get(0)?, Row { version: unsigned(row.get(1)?, "a row's version")?, value: row.get(2)? }));
        }
        Ok(found)
    }

    fn live_count(&mut self, store: &str) -> Result<u64, StoreError> {
        Ok(self.available(store)?.map_or(0, |entry| entry.info.live))
    }

    fn store_version(&mut self, store: &str) -> Result<u64, StoreError> {
        Ok(self.available(store)?.map_or(0, |entry| entry.info.version))
    }

    fn log_len(&mut self, store: &str) -> Result<u64, StoreError> {
        Ok(self.available(store)?.filter(|entry| entry.info.kind == Kind::Log).map_or(0, |entry| entry.info.len))
    }

    fn log_read(&mut self, store: &str, from: u64, limit: u64) -> Result<Vec<String>, StoreError> {
        let Some(entry) = self.available(store)? else { return Ok(Vec::new()) };
        let mut statement =
            self.connection().prepare_cached("SELECT value FROM log_rows WHERE store = ?1 AND pos >= ?2 ORDER BY pos LIMIT ?3")?;
        let rows = statement.query_map(params![entry.id, bound(from), bound(limit)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn find_event(&mut self, store: Option<&str>, event: &str, fields: &Map<String, Value>) -> Result<bool, StoreError> {
        let Some(probe) = Probe::new(event, fields) else { return Ok(false) };
        let id = match store {
            Some(store) => match self.available(store)? {
                Some(entry) => Some(entry.id),
                None => return Ok(false),
            },
            None => {
                all_logs_in_service(self.connection())?;
                None
            }
        };
        if probe.fields.is_empty() {
            return any(self.connection(), &probe, id);
        }
        match self.index(&probe)? {
            Some(index) => seek(self.connection(), &probe, index, id),
            None => scan(self.connection(), &probe, id),
        }
    }
}

/// A log out of service may hold the event that is asked for: without it there is no answer.
fn all_logs_in_service(connection: &Connection) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT name, quarantined FROM stores WHERE quarantined IS NOT NULL AND kind = 'log' ORDER BY name LIMIT 1")?;
    match statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()? {
        Some((store, reason)) => Err(StoreError::Quarantined { store, reason }),
        None => Ok(()),
    }
}

fn any(connection: &Connection, probe: &Probe, store: Option<i64>) -> Result<bool, StoreError> {
    Ok(match store {
        Some(id) => connection
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM events WHERE event = ?1 AND store = ?2)")?
            .query_row(params![probe.event, id], |row| row.get(0))?,
        None => connection
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM events WHERE event = ?1)")?
            .query_row([&probe.event], |row| row.get(0))?,
    })
}

fn seek(connection: &Connection, probe: &Probe, index: i64, store: Option<i64>) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT l.value FROM event_keys k JOIN log_rows l ON l.store = k.store AND l.pos = k.pos \
         WHERE k.idx = ?1 AND k.key = ?2 AND k.store BETWEEN ?3 AND ?4",
    )?;
    let (low, high) = span(store);
    let mut rows = statement.query(params![index, index_key(&probe.key), low, high])?;
    matches_any(&mut rows, probe)
}

fn scan(connection: &Connection, probe: &Probe, store: Option<i64>) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT l.value FROM events e JOIN log_rows l ON l.store = e.store AND l.pos = e.pos \
         WHERE e.event = ?1 AND e.store BETWEEN ?2 AND ?3",
    )?;
    let (low, high) = span(store);
    let mut rows = statement.query(params![probe.event, low, high])?;
    matches_any(&mut rows, probe)
}

/// The ids of one store or of all.
fn span(store: Option<i64>) -> (i64, i64) {
    store.map_or((i64::MIN, i64::MAX), |id| (id, id))
}

fn matches_any(rows: &mut rusqlite::Rows<'_>, probe: &Probe) -> Result<bool, StoreError> {
    while let Some(row) = rows.next()? {
        if probe.matches(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Position of a record as a column.
pub(crate) fn position(entry: &Entry) -> Result<i64, StoreError> {
    column(entry.info.len)
}
