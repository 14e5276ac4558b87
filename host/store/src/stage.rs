//! The host stores as one run sees them: what was committed, overlaid with what the run itself has staged. Answers the verbs of the
//! capability interface and collects what was read and what is to be written; never writes.
//!
//! Each row is read once: a run sees one value of a key however often it asks. A store-wide read takes the store's version first and the
//! contents second, so a change in between shows as a conflict at the commit and not as a stale answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use serde_json::{Map, Value};

use crate::error::StoreError;
use crate::event::{self, Probe};
use crate::model::{Kind, Read, Row, Write};
use crate::state::StateRead;

/// Why a call was not answered; recorded like any answer and shown to the capability.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StageError {
    /// The request is malformed: no store, or a verb that the store's kind does not have.
    #[error("{0}")]
    Invalid(String),
    /// The store is out of service, or the file could not be read. In the latter case [`Stage::finish`] fails as well.
    #[error("{0}")]
    Unavailable(String),
}

/// What a run relied on and what it wants to change, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Staged {
    /// To hold at the commit.
    pub reads: Vec<Read>,
    /// To be made by the commit.
    pub writes: Vec<Write>,
}

/// A place to return to: what was staged before a call whose effects may have to be dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark(usize);

/// Rows of the base as first seen, by store and key; `None` is a key that was never written.
type Seen = HashMap<String, HashMap<String, Option<Row>>>;

/// Overlay of one store.
struct Overlay {
    kind: Kind,
    rows: BTreeMap<String, Row>,
    records: Vec<String>,
    /// Keys that the run has made live, and keys that it has buried.
    born: u64,
    buried: u64,
}

/// Read-your-writes over a [`StateRead`]. One for each run.
pub struct Stage<'a, S: StateRead + ?Sized> {
    base: &'a mut S,
    seen: Seen,
    /// Store versions of the base as first seen.
    versions: HashMap<String, u64>,
    /// Stores of which a refusal has been noted.
    refused: HashSet<String>,
    overlay: HashMap<String, Overlay>,
    staged: Staged,
    failed: Option<StoreError>,
}

impl<'a, S: StateRead + ?Sized> Stage<'a, S> {
    /// Nothing staged yet.
    pub fn new(base: &'a mut S) -> Self {
        Self {
            base,
            seen: HashMap::new(),
            versions: HashMap::new(),
            refused: HashSet::new(),
            overlay: HashMap::new(),
            staged: Staged::default(),
            failed: None,
        }
    }

    /// Read set and write set of the run.
    ///
    /// # Errors
    /// The first failure of the file that a capability was shown as unavailable: the run saw less than the truth and must not commit.
    pub fn finish(self) -> Result<Staged, StoreError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.staged),
        }
    }

    /// What is collected so far.
    #[must_use]
    pub const fn staged(&self) -> &Staged {
        &self.staged
    }

    /// The first failure of the file so far.
    #[must_use]
    pub const fn failure(&self) -> Option<&StoreError> {
        self.failed.as_ref()
    }

    /// The place to return to if what follows must leave no writes.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        Mark(self.staged.writes.len())
    }

    /// Drops every write since the mark. What was read stays read.
    pub fn rollback(&mut self, mark: Mark) {
        self.staged.writes.truncate(mark.0);
        self.overlay.clear();
        for write in &self.staged.writes {
            overlay_write(&mut self.overlay, &self.seen, write);
        }
    }

    /// Registry: inserts the key unless it is live. Answers the existing value, or `None` when it is now ours.
    pub fn register(&mut self, store: &str, key: &str, value: &str) -> Result<Option<String>, StageError> {
        self.require(store, Kind::Registry)?;
        let row = self.row(store, Kind::Registry, key)?;
        if let Some(existing) = row.as_ref().and_then(|row| row.value.clone()) {
            return Ok(Some(existing));
        }
        self.put_row(store, Kind::Registry, key, value, row.as_ref());
        Ok(None)
    }

    /// Registry: the value of a live key.
    pub fn lookup(&mut self, store: &str, key: &str) -> Result<Option<String>, StageError> {
        self.require(store, Kind::Registry)?;
        Ok(self.row(store, Kind::Registry, key)?.and_then(|row| row.value))
    }

    /// Registry: leaves a tombstone. `false` when the key was not live.
    pub fn retire(&mut self, store: &str, key: &str) -> Result<bool, StageError> {
        self.require(store, Kind::Registry)?;
        let row = self.row(store, Kind::Registry, key)?;
        Ok(self.bury_row(store, Kind::Registry, key, row.as_ref()))
    }

    /// Registry: number of live keys. A store-wide read.
    pub fn count(&mut self, store: &str) -> Result<u64, StageError> {
        self.require(store, Kind::Registry)?;
        self.read_store(store, Kind::Registry)?;
        let live = self.base.live_count(store).map_err(|e| self.note(e))?;
        let (born, buried) = self.overlay.get(store).map_or((0, 0), |overlay| (overlay.born, overlay.buried));
        Ok(live.saturating_add(born).saturating_sub(buried))
    }

    /// Table: version and value of a live key.
    pub fn get(&mut self, store: &str, key: &str) -> Result<Option<(u64, String)>, StageError> {
        self.require(store, Kind::Table)?;
        let row = self.row(store, Kind::Table, key)?;
        Ok(row.and_then(|row| row.value.map(|value| (row.version, value))))
    }

    /// Table: writes a document. `expect`: `None` = must not exist, `Some(0)` = whatever is there, `Some(n)` = exactly version n. Answers
    /// the new version, or `None` when the expectation does not hold.
    pub fn put(&mut self, store: &str, key: &str, value: &str, expect: Option<u64>) -> Result<Option<u64>, StageError> {
        self.require(store, Kind::Table)?;
        let row = self.row(store, Kind::Table, key)?;
        let live = row.as_ref().filter(|row| row.is_live()).map(|row| row.version);
        let holds = match expect {
            None => live.is_none(),
            Some(0) => true,
            Some(version) => live == Some(version),
        };
        Ok(holds.then(|| self.put_row(store, Kind::Table, key, value, row.as_ref())))
    }

    /// Table: leaves a tombstone. `expect`: `None` and `Some(0)` = whatever is there, `Some(n)` = exactly version n. `false` when there was
    /// nothing to remove or the expectation does not hold.
    pub fn remove(&mut self, store: &str, key: &str, expect: Option<u64>) -> Result<bool, StageError> {
        self.require(store, Kind::Table)?;
        let row = self.row(store, Kind::Table, key)?;
        let version = row.as_ref().map_or(0, |row| row.version);
        if expect.is_some_and(|expected| expected != 0 && expected != version) {
            return Ok(false);
        }
        Ok(self.bury_row(store, Kind::Table, key, row.as_ref()))
    }

    /// Table: live documents in key order after `after`. A store-wide read.
    pub fn list(&mut self, store: &str, after: Option<&str>, limit: u64) -> Result<Vec<(String, u64, String)>, StageError> {
        self.require(store, Kind::Table)?;
        self.read_store(store, Kind::Table)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let staged: Vec<(String, Row)> = match self.overlay.get(store) {
            Some(overlay) => overlay.rows.range::<str, _>((from, Bound::Unbounded)).map(|(key, row)| (key.clone(), row.clone())).collect(),
            None => Vec::new(),
        };
        // Each staged tombstone hides at most one row of the base.
        let hidden = staged.iter().filter(|(_, row)| !row.is_live()).count();
        let wanted = limit.saturating_add(u64::try_from(hidden).unwrap_or(u64::MAX));
        let base = self.base.rows(store, after, wanted).map_err(|e| self.note(e))?;
        let mut merged: BTreeMap<String, Row> = base.into_iter().collect();
        merged.extend(staged);
        let live = merged.into_iter().filter_map(|(key, row)| Some((key, row.version, row.value?)));
        Ok(live.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }

    /// Log: stages a record. Reads nothing, so it conflicts with nobody.
    pub fn append(&mut self, store: &str, value: &str) -> Result<(), StageError> {
        self.require(store, Kind::Log)?;
        self.write(Write::Append { store: store.to_owned(), value: value.to_owned(), events: event::codes(value) });
        Ok(())
    }

    /// Log: records from position `from`, the run's own last. A store-wide read.
    pub fn read(&mut self, store: &str, from: u64, limit: u64) -> Result<Vec<String>, StageError> {
        self.require(store, Kind::Log)?;
        self.read_store(store, Kind::Log)?;
        let len = self.base.log_len(store).map_err(|e| self.note(e))?;
        let mut records = if from < len { self.base.log_read(store, from, limit).map_err(|e| self.note(e))? } else { Vec::new() };
        if let Some(overlay) = self.overlay.get(store) {
            let skip = usize::try_from(from.saturating_sub(len)).unwrap_or(usize::MAX);
            let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(records.len());
            records.extend(overlay.records.iter().skip(skip).take(room).cloned());
        }
        Ok(records)
    }

    /// Whether an event is recorded, here or in any log for `None`. Not a verb of capabilities: the engine asks it at admission.
    pub fn find_event(&mut self, store: Option<&str>, event: &str, fields: &Map<String, Value>) -> Result<bool, StageError> {
        if let Some(name) = store {
            self.require(name, Kind::Log)?;
        }
        let staged = Probe::new(event, fields).is_some_and(|probe| {
            let logs = self.overlay.iter().filter(|(name, _)| store.is_none_or(|store| store == name.as_str()));
            logs.flat_map(|(_, overlay)| &overlay.records).any(|record| probe.matches(record))
        });
        if staged {
            return Ok(true);
        }
        let found = self.base.find_event(store, event, fields).map_err(|e| self.note(e))?;
        self.staged.reads.push(Read::Event { store: store.map(str::to_owned), event: event.to_owned(), fields: fields.clone(), found });
        Ok(found)
    }

    /// Refuses a verb that the store's kind does not have.
    fn require(&mut self, store: &str, wanted: Kind) -> Result<(), StageError> {
        if store.is_empty() {
            return Err(StageError::Invalid("the binding gives this step no store".to_owned()));
        }
        let staged = self.overlay.get(store).map(|overlay| overlay.kind);
        let settled = self.base.kind(store).map_err(|e| self.note(e))?;
        match settled.or(staged) {
            Some(is) if is != wanted => {
                if settled.is_some() && self.refused.insert(store.to_owned()) {
                    self.staged.reads.push(Read::Kind { store: store.to_owned(), kind: is });
                }
                Err(StageError::Invalid(format!("store `{store}` is a {is}, not a {wanted}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The row as the run sees it.
    fn row(&mut self, store: &str, kind: Kind, key: &str) -> Result<Option<Row>, StageError> {
        if let Some(row) = self.overlay.get(store).and_then(|overlay| overlay.rows.get(key)) {
            return Ok(Some(row.clone()));
        }
        if let Some(row) = self.seen.get(store).and_then(|rows| rows.get(key)) {
            return Ok(row.clone());
        }
        let row = self.base.row(store, key).map_err(|e| self.note(e))?;
        let version = row.as_ref().map_or(0, |row| row.version);
        self.staged.reads.push(Read::Row { store: store.to_owned(), kind, key: key.to_owned(), version });
        self.seen.entry(store.to_owned()).or_default().insert(key.to_owned(), row.clone());
        Ok(row)
    }

    fn read_store(&mut self, store: &str, kind: Kind) -> Result<(), StageError> {
        if !self.versions.contains_key(store) {
            let version = self.base.store_version(store).map_err(|e| self.note(e))?;
            self.versions.insert(store.to_owned(), version);
            self.staged.reads.push(Read::Store { store: store.to_owned(), kind, version });
        }
        Ok(())
    }

    fn put_row(&mut self, store: &str, kind: Kind, key: &str, value: &str, row: Option<&Row>) -> u64 {
        let version = row.map_or(0, |row| row.version).saturating_add(1);
        self.write(Write::Put { store: store.to_owned(), kind, key: key.to_owned(), value: value.to_owned(), version });
        version
    }

    fn bury_row(&mut self, store: &str, kind: Kind, key: &str, row: Option<&Row>) -> bool {
        let Some(live) = row.filter(|row| row.is_live()) else { return false };
        let version = live.version.saturating_add(1);
        self.write(Write::Tombstone { store: store.to_owned(), kind, key: key.to_owned(), version });
        true
    }

    fn write(&mut self, write: Write) {
        overlay_write(&mut self.overlay, &self.seen, &write);
        self.staged.writes.push(write);
    }

    /// A quarantined store is an answer; any other failure also forbids the commit.
    fn note(&mut self, error: StoreError) -> StageError {
        let shown = StageError::Unavailable(error.to_string());
        if !matches!(error, StoreError::Quarantined { .. }) {
            self.failed.get_or_insert(error);
        }
        shown
    }
}

/// A row is written only after it was read, so what it was before is either staged or seen.
fn overlay_write(overlay: &mut HashMap<String, Overlay>, seen: &Seen, write: &Write) {
    let store = overlay.entry(write.store().to_owned()).or_insert_with(|| Overlay {
        kind: write.kind(),
        rows: BTreeMap::new(),
        records: Vec::new(),
        born: 0,
        buried: 0,
    });
    let (key, row) = match write {
        Write::Put { key, value, version, .. } => (key, Row { version: *version, value: Some(value.clone()) }),
        Write::Tombstone { key, version, .. } => (key, Row { version: *version, value: None }),
        Write::Append { value, .. } => return store.records.push(value.clone()),
    };
    let is_live = row.is_live();
    let was_live = match store.rows.insert(key.clone(), row) {
        Some(staged) => staged.is_live(),
        None => seen.get(write.store()).and_then(|rows| rows.get(key)).and_then(Option::as_ref).is_some_and(Row::is_live),
    };
    match (was_live, is_live) {
        (false, true) => store.born = store.born.saturating_add(1),
        (true, false) => store.buried = store.buried.saturating_add(1),
        (false, false) | (true, true) => {}
    }
}
