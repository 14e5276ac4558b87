//! The host stores inside the transaction that changes them: reads see what earlier commits of the batch wrote. Counters of a store are
//! kept here and written once, however many commits touch it.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use rusqlite::{Connection, params};

use crate::catalog::{self, Catalog, Entry};
use crate::error::StoreError;
use crate::event::{self, Probe};
use crate::indexed::index_names;
use crate::model::{Kind, StoreInfo, Write};
use crate::number::column;

/// A store that this transaction has looked at.
struct Touched {
    entry: Entry,
    dirty: bool,
}

/// The transaction's view of the host stores.
pub(crate) struct Pending<'c> {
    connection: &'c Connection,
    stores: HashMap<String, Option<Touched>>,
    indexed: bool,
}

impl Catalog for Pending<'_> {
    fn connection(&self) -> &Connection {
        self.connection
    }

    fn available(&mut self, store: &str) -> Result<Option<Entry>, StoreError> {
        self.touch(store)?.as_ref().map(|touched| touched.entry.clone().in_service()).transpose()
    }

    fn index(&mut self, probe: &Probe) -> Result<Option<i64>, StoreError> {
        if let Some(id) = catalog::index_id(self.connection, probe)? {
            return Ok(Some(id));
        }
        let id = build_index(self.connection, probe)?;
        self.indexed = true;
        Ok(Some(id))
    }
}

impl<'c> Pending<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, stores: HashMap::new(), indexed: false }
    }

    /// Whether an index was built, which is worth keeping even if no commit of the batch holds.
    pub(crate) const fn has_indexed(&self) -> bool {
        self.indexed
    }

    fn touch(&mut self, store: &str) -> Result<&mut Option<Touched>, StoreError> {
        // Looked up by reference first: nearly every call finds the store.
        if !self.stores.contains_key(store) {
            let touched = catalog::find(self.connection, store)?.map(|entry| Touched { entry, dirty: false });
            self.stores.insert(store.to_owned(), touched);
        }
        match self.stores.entry(store.to_owned()) {
            Slot::Occupied(slot) => Ok(slot.into_mut()),
            Slot::Vacant(slot) => Ok(slot.insert(None)),
        }
    }

    /// Applies a write set whose versions the caller has compared.
    pub(crate) fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        writes.iter().try_for_each(|write| self.apply_one(write))
    }

    fn apply_one(&mut self, write: &Write) -> Result<(), StoreError> {
        let connection = self.connection;
        let slot = self.touch(write.store())?;
        let touched = match slot {
            Some(touched) => touched,
            None => slot.insert(Touched { entry: create(connection, write.store(), write.kind())?, dirty: true }),
        };
        let entry = &mut touched.entry;
        if entry.info.kind != write.kind() {
            return Err(StoreError::Kind { store: entry.info.name.clone(), is: entry.info.kind, wanted: write.kind() });
        }
        match write {
            Write::Put { key, value, version, .. } => put(connection, entry, key, Some(value), *version)?,
            Write::Tombstone { key, version, .. } => put(connection, entry, key, None, *version)?,
            Write::Append { value, events, .. } => append(connection, entry, value, events)?,
        }
        entry.info.version = entry.info.version.saturating_add(1);
        touched.dirty = true;
        Ok(())
    }

    /// Writes the counters back.
    pub(crate) fn flush(self) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached("UPDATE stores SET version = ?2, len = ?3, live = ?4 WHERE id = ?1")?;
        for touched in self.stores.into_values().flatten().filter(|touched| touched.dirty) {
            let info = &touched.entry.info;
            statement.execute(params![touched.entry.id, column(info.version)?, column(info.len)?, column(info.live)?])?;
        }
        Ok(())
    }
}

fn create(connection: &Connection, name: &str, kind: Kind) -> Result<Entry, StoreError> {
    connection
        .prepare_cached("INSERT INTO stores(name, kind, version, len, live) VALUES(?1, ?2, 0, 0, 0)")?
        .execute(params![name, kind.as_str()])?;
    let info = StoreInfo { name: name.to_owned(), kind, version: 0, len: 0, live: 0, quarantined: None };
    Ok(Entry { id: connection.last_insert_rowid(), info })
}

fn put(connection: &Connection, entry: &mut Entry, key: &str, value: Option<&str>, version: u64) -> Result<(), StoreError> {
    let old = catalog::row(connection, entry.id, key)?;
    connection
        .prepare_cached(
            "INSERT INTO store_rows(store, key, version, value) VALUES(?1, ?2, ?3, ?4) \
             ON CONFLICT(store, key) DO UPDATE SET version = excluded.version, value = excluded.value",
        )?
        .execute(params![entry.id, key, column(version)?, value])?;
    let info = &mut entry.info;
    if old.is_none() {
        info.len = info.len.saturating_add(1);
    }
    match (old.is_some_and(|old| old.is_live()), value.is_some()) {
        (false, true) => info.live = info.live.saturating_add(1),
        (true, false) => info.live = info.live.saturating_sub(1),
        (true, true) | (false, false) => {}
    }
    Ok(())
}

fn append(connection: &Connection, entry: &mut Entry, value: &str, events: &[String]) -> Result<(), StoreError> {
    let pos = catalog::position(entry)?;
    connection.prepare_cached("INSERT INTO log_rows(store, pos, value) VALUES(?1, ?2, ?3)")?.execute(params![entry.id, pos, value])?;
    for event in events {
        connection
            .prepare_cached("INSERT OR IGNORE INTO events(event, store, pos) VALUES(?1, ?2, ?3)")?
            .execute(params![event, entry.id, pos])?;
        let mut statement = connection.prepare_cached("SELECT id, fields FROM event_indexes WHERE event = ?1")?;
        let mut indexes = statement.query([event])?;
        while let Some(index) = indexes.next()? {
            let id: i64 = index.get(0)?;
            let fields = index_names(index.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
            add_key(connection, id, event::key(value, event, &fields), entry.id, pos)?;
        }
    }
    entry.info.len = entry.info.len.saturating_add(1);
    entry.info.live = entry.info.live.saturating_add(1);
    Ok(())
}

fn add_key(connection: &Connection, index: i64, key: Option<Vec<u8>>, store: i64, pos: i64) -> Result<(), StoreError> {
    // A record without the fields cannot be the answer to a question about them.
    let Some(key) = key else { return Ok(()) };
    connection.prepare_cached("INSERT OR IGNORE INTO event_keys(idx, key, store, pos) VALUES(?1, ?2, ?3, ?4)")?.execute(params![
        index,
        catalog::index_key(&key),
        store,
        pos
    ])?;
    Ok(())
}

/// Linear in the records that carry the event; once for each combination of fields in the life of a ledger.
fn build_index(connection: &Connection, probe: &Probe) -> Result<i64, StoreError> {
    connection
        .prepare_cached("INSERT INTO event_indexes(event, fields) VALUES(?1, ?2)")?
        .execute(params![probe.event, catalog::index_fields(&probe.fields)])?;
    let id = connection.last_insert_rowid();
    let mut statement = connection.prepare_cached(
        "SELECT e.store, e.pos, l.value FROM events e JOIN log_rows l ON l.store = e.store AND l.pos = e.pos WHERE e.event = ?1",
    )?;
    let mut rows = statement.query([&probe.event])?;
    while let Some(row) = rows.next()? {
        let value = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        add_key(connection, id, event::key(value, &probe.event, &probe.fields), row.get(0)?, row.get(1)?)?;
    }
    Ok(id)
}
