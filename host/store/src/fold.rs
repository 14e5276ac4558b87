//! The host stores in memory: the state an auditor gets by applying every committed write set in order. Not durable, and no second opinion
//! on what a write means: tests hold it equal to the file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use serde_json::{Map, Value};

use crate::error::StoreError;
use crate::event::{self, Probe};
use crate::model::{Kind, Row, StoreInfo, Write};
use crate::state::StateRead;

/// One host store.
#[derive(Clone, Debug)]
struct Held {
    kind: Kind,
    version: u64,
    live: u64,
    rows: BTreeMap<String, Row>,
    records: Vec<String>,
}

/// Values of a combination of fields, of every record that carries an event, by log.
#[derive(Clone, Debug, Default)]
struct EventIndex {
    any: HashSet<Vec<u8>>,
    by_store: HashMap<String, HashSet<Vec<u8>>>,
}

/// Every host store, in memory.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    stores: BTreeMap<String, Held>,
    /// By event, then by the names of the fields; built when first asked for, kept up to date from then on.
    indexes: HashMap<String, HashMap<Vec<String>, EventIndex>>,
}

impl Fold {
    /// No store at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a write set as committed. Does not compare versions: call [`crate::conflict`] first, as the commit did.
    ///
    /// # Errors
    /// [`StoreError::Kind`] when a write does not fit the kind of its store; nothing is applied then.
    pub fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let mut fresh: BTreeMap<&str, Kind> = BTreeMap::new();
        for write in writes {
            let wanted = write.kind();
            let known = self.stores.get(write.store()).map(|held| held.kind);
            let is = known.unwrap_or_else(|| *fresh.entry(write.store()).or_insert(wanted));
            if is != wanted {
                return Err(StoreError::Kind { store: write.store().to_owned(), is, wanted });
            }
        }
        for write in writes {
            self.apply_one(write);
        }
        Ok(())
    }

    fn apply_one(&mut self, write: &Write) {
        let held = self.stores.entry(write.store().to_owned()).or_insert_with(|| Held {
            kind: write.kind(),
            version: 0,
            live: 0,
            rows: BTreeMap::new(),
            records: Vec::new(),
        });
        held.version = held.version.saturating_add(1);
        match write {
            Write::Put { key, value, version, .. } => {
                let row = Row { version: *version, value: Some(value.clone()) };
                if !held.rows.insert(key.clone(), row).is_some_and(|old| old.is_live()) {
                    held.live = held.live.saturating_add(1);
                }
            }
            Write::Tombstone { key, version, .. } => {
                let row = Row { version: *version, value: None };
                if held.rows.insert(key.clone(), row).is_some_and(|old| old.is_live()) {
                    held.live = held.live.saturating_sub(1);
                }
            }
            Write::Append { store, value, events } => {
                held.live = held.live.saturating_add(1);
                held.records.push(value.clone());
                for event in events {
                    for (fields, index) in self.indexes.get_mut(event).into_iter().flatten() {
                        index.add(store, event::key(value, event, fields));
                    }
                }
            }
        }
    }

    /// Name, kind and counters of every store, by name.
    #[must_use]
    pub fn stores(&self) -> Vec<StoreInfo> {
        let info = |(name, held): (&String, &Held)| StoreInfo {
            name: name.clone(),
            kind: held.kind,
            version: held.version,
            len: held.len(),
            live: held.live,
            quarantined: None,
        };
        self.stores.iter().map(info).collect()
    }

    /// Every key of a store with tombstones, by key.
    pub fn all_rows(&self, store: &str) -> impl Iterator<Item = (&str, &Row)> {
        self.stores.get(store).into_iter().flat_map(|held| held.rows.iter().map(|(key, row)| (key.as_str(), row)))
    }

    fn index(&mut self, event: &str, fields: &[String]) -> &EventIndex {
        let by_fields = self.indexes.entry(event.to_owned()).or_default();
        by_fields.entry(fields.to_vec()).or_insert_with(|| {
            let mut index = EventIndex::default();
            for (name, held) in &self.stores {
                for record in &held.records {
                    index.add(name, event::key(record, event, fields));
                }
            }
            index
        })
    }
}

impl Held {
    fn len(&self) -> u64 {
        // Of rows and records one is always empty.
        u64::try_from(self.rows.len().saturating_add(self.records.len())).unwrap_or(u64::MAX)
    }
}

impl EventIndex {
    fn add(&mut self, store: &str, key: Option<Vec<u8>>) {
        let Some(key) = key else { return };
        self.by_store.entry(store.to_owned()).or_default().insert(key.clone());
        self.any.insert(key);
    }
}

impl StateRead for Fold {
    fn kind(&mut self, store: &str) -> Result<Option<Kind>, StoreError> {
        Ok(self.stores.get(store).map(|held| held.kind))
    }

    fn row(&mut self, store: &str, key: &str) -> Result<Option<Row>, StoreError> {
        Ok(self.stores.get(store).and_then(|held| held.rows.get(key)).cloned())
    }

    fn rows(&mut self, store: &str, after: Option<&str>, limit: u64) -> Result<Vec<(String, Row)>, StoreError> {
        let Some(held) = self.stores.get(store) else { return Ok(Vec::new()) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let live = held.rows.range::<str, _>((from, Bound::Unbounded)).filter(|(_, row)| row.is_live());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(live.take(limit).map(|(key, row)| (key.clone(), row.clone())).collect())
    }

    fn live_count(&mut self, store: &str) -> Result<u64, StoreError> {
        Ok(self.stores.get(store).map_or(0, |held| held.live))
    }

    fn store_version(&mut self, store: &str) -> Result<u64, StoreError> {
        Ok(self.stores.get(store).map_or(0, |held| held.version))
    }

    fn log_len(&mut self, store: &str) -> Result<u64, StoreError> {
        Ok(self.stores.get(store).filter(|held| held.kind == Kind::Log).map_or(0, Held::len))
    }

    fn log_read(&mut self, store: &str, from: u64, limit: u64) -> Result<Vec<String>, StoreError> {
        let Some(held) = self.stores.get(store) else { return Ok(Vec::new()) };
        let (from, limit) = (usize::try_from(from).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(held.records.iter().skip(from).take(limit).cloned().collect())
    }

    fn find_event(&mut self, store: Option<&str>, event: &str, fields: &Map<String, Value>) -> Result<bool, StoreError> {
        let Some(probe) = Probe::new(event, fields) else { return Ok(false) };
        let index = self.index(&probe.event, &probe.fields);
        Ok(match store {
            Some(store) => index.by_store.get(store).is_some_and(|keys| keys.contains(&probe.key)),
            None => index.any.contains(&probe.key),
        })
    }
}
