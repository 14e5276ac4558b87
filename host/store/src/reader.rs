//! Reading a ledger: entries, runs, snapshots, checkpoints, and the host stores through [`crate::StateRead`]. Hands bytes over as stored;
//! checking them is the core's business.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use enact_core::entry::Head;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row as SqlRow, params};

use crate::catalog::{self, Catalog, Entry};
use crate::error::StoreError;
use crate::ledger;
use crate::model::{RunRow, RunSummary, StoreInfo, StoredCheckpoint, StoredEntry, StoredRun};
use crate::number::{bound, unsigned};
use crate::open::{self, Shared};

/// Columns of a [`RunSummary`], in the order of [`summary`].
const SUMMARY: &str = "seq, run_id, workflow, snapshot, binding, at, class, reason, code";

/// One entry as stored, borrowed from the page it was read from.
#[derive(Clone, Copy, Debug)]
pub struct EntryRef<'a> {
    /// Place in the ledger, from 0.
    pub seq: u64,
    /// The canonical bytes.
    pub bytes: &'a [u8],
    /// The Merkle leaf stored beside them.
    pub leaf: &'a [u8; 32],
}

/// One entry with the run beside it, borrowed from the pages they were read from. What is not asked for is not looked at.
pub struct EvidenceRef<'a> {
    row: &'a SqlRow<'a>,
    /// The entry.
    pub entry: EntryRef<'a>,
}

/// A run as stored, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct RunRef<'a> {
    /// See [`RunRow::run_id`].
    pub run_id: &'a str,
    /// See [`RunRow::workflow`].
    pub workflow: &'a str,
    /// See [`RunRow::snapshot`].
    pub snapshot: &'a str,
    /// See [`RunRow::binding`].
    pub binding: &'a str,
    /// See [`RunRow::at`].
    pub at: &'a str,
    /// See [`RunRow::class`].
    pub class: &'a str,
    /// See [`RunRow::reason`].
    pub reason: &'a str,
    /// See [`RunRow::code`].
    pub code: Option<&'a str>,
    /// See [`RunRow::trace`].
    pub trace: &'a [u8],
    /// See [`RunRow::transcript`].
    pub transcript: &'a [u8],
    /// See [`RunRow::input`].
    pub input: &'a [u8],
    /// See [`RunRow::output`].
    pub output: &'a [u8],
}

impl<'a> From<&'a RunRow> for RunRef<'a> {
    fn from(run: &'a RunRow) -> Self {
        Self {
            run_id: &run.run_id,
            workflow: &run.workflow,
            snapshot: &run.snapshot,
            binding: &run.binding,
            at: &run.at,
            class: &run.class,
            reason: &run.reason,
            code: run.code.as_deref(),
            trace: &run.trace,
            transcript: &run.transcript,
            input: &run.input,
            output: &run.output,
        }
    }
}

/// Columns of an [`EvidenceRef`]. Every table is read along its right edge, so each of the three is one walk over its pages.
const EVIDENCE: &str = "SELECT e.seq, e.bytes, e.leaf, r.seq, r.run_id, r.workflow, r.snapshot, r.binding, r.at, r.class, r.reason, r.code, \
     p.seq, p.trace, p.transcript, p.input, p.output \
     FROM entries e LEFT JOIN runs r ON r.seq = e.seq LEFT JOIN run_parts p ON p.seq = r.seq \
     WHERE e.seq >= ?1 AND e.seq < ?2 ORDER BY e.seq";

impl EvidenceRef<'_> {
    /// Whether the listing has a run here.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn is_listed(&self) -> Result<bool, StoreError> {
        Ok(self.row.get_ref(3)? != ValueRef::Null)
    }

    /// The run of the entry, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when its large parts are missing.
    pub fn run(&self) -> Result<Option<RunRef<'_>>, StoreError> {
        let text = |column: usize| self.row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        let blob = |column: usize| self.row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        if self.row.get_ref(3)? == ValueRef::Null {
            return Ok(None);
        }
        if self.row.get_ref(12)? == ValueRef::Null {
            return Err(lost(self.entry.seq));
        }
        Ok(Some(RunRef {
            run_id: text(4)?,
            workflow: text(5)?,
            snapshot: text(6)?,
            binding: text(7)?,
            at: text(8)?,
            class: text(9)?,
            reason: text(10)?,
            code: self.row.get_ref(11)?.as_str_or_null().map_err(rusqlite::Error::from)?,
            trace: blob(13)?,
            transcript: blob(14)?,
            input: blob(15)?,
            output: blob(16)?,
        }))
    }
}

/// A connection for reading. Each call sees one moment of the ledger; between [`Reader::begin`] and [`Reader::end`] all calls see the same.
pub struct Reader {
    pub(crate) connection: Connection,
    shared: Arc<Shared>,
    /// Whether the file was seen to have the tables of the derived state. Another process may bring it up to date while we read.
    pub(crate) governed: Cell<bool>,
    /// The same of the tables of the queue.
    pub(crate) queued: Cell<bool>,
    /// The same of the executions of decisions.
    pub(crate) noted: Cell<bool>,
    /// The blocks of the index over record hashes, in the moment that is held.
    pub(crate) blocks: Option<Vec<i64>>,
}

impl Reader {
    pub(crate) const fn new(connection: Connection, shared: Arc<Shared>) -> Self {
        Self { connection, shared, governed: Cell::new(false), queued: Cell::new(false), noted: Cell::new(false), blocks: None }
    }

    /// Holds the present moment until [`Reader::end`]. The write-ahead log grows as long as anyone does, so not for long. Does nothing
    /// when a moment is held already.
    ///
    /// # Errors
    /// [`StoreError::Locked`], or whatever SQLite reports.
    pub fn begin(&mut self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            self.blocks = None;
            self.connection.execute_batch("BEGIN DEFERRED").map_err(|e| open::at(e.into(), &self.shared.options))?;
            // A deferred transaction takes its snapshot with its first read.
            self.connection.prepare_cached("SELECT size FROM head")?.query_row([], |_| Ok(()))?;
        }
        Ok(())
    }

    /// Lets go of the moment held.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn end(&mut self) -> Result<(), StoreError> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// Whether a moment is held.
    pub(crate) fn is_held(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Where the ledger stands.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or [`StoreError::Head`] when the head is damaged.
    pub fn head(&mut self) -> Result<Head, StoreError> {
        ledger::head(&self.connection)
    }

    /// Rows of entries and runs at numbers that no entry of this ledger has: the table, and the first such number.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn strays(&mut self, size: u64) -> Result<Vec<(&'static str, i64)>, StoreError> {
        ledger::strays(&self.connection, size)
    }

    /// The signed checkpoint of the latest commit.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn note(&mut self) -> Result<Option<String>, StoreError> {
        Ok(self.connection.prepare_cached("SELECT note FROM head WHERE one = 1")?.query_row([], |row| row.get(0))?)
    }

    /// The published checkpoints by size.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn checkpoints(&mut self) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT size, note FROM checkpoints ORDER BY size")?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let size = unsigned(row.get(0)?, "a checkpoint's size")?;
            in_order(found.last().map(|last: &StoredCheckpoint| last.size), size, "checkpoint")?;
            found.push(StoredCheckpoint { size, note: row.get(1)? });
        }
        Ok(found)
    }

    /// One entry.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when its leaf is not a leaf.
    pub fn entry(&mut self, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT seq, bytes, leaf FROM entries WHERE seq = ?1")?;
        let mut rows = statement.query([bound(seq)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let found = entry(row)?;
        Ok(Some(StoredEntry { seq: found.seq, bytes: found.bytes.to_vec(), leaf: *found.leaf }))
    }

    /// Calls `each` with every entry from `from` on, in order, with flat memory. A gap is a gap: it is not an error here.
    ///
    /// # Errors
    /// Whatever `each` answers, [`StoreError::Corrupt`] when a leaf is not a leaf, or whatever SQLite reports.
    pub fn entries<E: From<StoreError>>(&mut self, from: u64, mut each: impl FnMut(EntryRef<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, bytes, leaf FROM entries WHERE seq >= ?1 ORDER BY seq")
            .map_err(StoreError::from)?;
        let mut rows = statement.query([bound(from)]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            each(entry(row)?)?;
        }
        Ok(())
    }

    /// Calls `each` with the entries of a range, in order, each with its run. A gap is a gap: it is not an error here.
    ///
    /// # Errors
    /// Whatever `each` answers, [`StoreError::Corrupt`] when a leaf is not a leaf, or whatever SQLite reports.
    pub fn evidence<E: From<StoreError>>(
        &mut self,
        range: Range<u64>,
        mut each: impl FnMut(EvidenceRef<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.connection.prepare_cached(EVIDENCE).map_err(StoreError::from)?;
        let mut rows = statement.query([bound(range.start), bound(range.end)]).map_err(StoreError::from)?;
        let mut last = None;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let entry = entry(row)?;
            in_order(last.replace(entry.seq), entry.seq, "entry")?;
            each(EvidenceRef { entry, row })?;
        }
        Ok(())
    }

    /// The stored leaf of an entry.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is not a leaf.
    pub fn leaf(&mut self, seq: u64) -> Result<Option<[u8; 32]>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT leaf FROM entries WHERE seq = ?1")?;
        let mut rows = statement.query([bound(seq)])?;
        rows.next()?.map(|row| leaf(row, 0, seq).copied()).transpose()
    }

    /// A run by its id.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when its large parts are missing.
    pub fn run_by_id(&mut self, run_id: &str) -> Result<Option<StoredRun>, StoreError> {
        match ledger::seq_of(&self.connection, run_id)? {
            Some(seq) => self.run_by_seq(seq),
            None => Ok(None),
        }
    }

    /// The entry of a run, by the run's id.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn run_seq(&mut self, run_id: &str) -> Result<Option<u64>, StoreError> {
        ledger::seq_of(&self.connection, run_id)
    }

    /// A run by its entry.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when its large parts are missing.
    pub fn run_by_seq(&mut self, seq: u64) -> Result<Option<StoredRun>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {SUMMARY} FROM runs WHERE seq = ?1"))?;
        let mut rows = statement.query([bound(seq)])?;
        let Some(head) = rows.next()?.map(summary).transpose()? else { return Ok(None) };
        let mut run = RunRow {
            run_id: head.run_id,
            workflow: head.workflow,
            snapshot: head.snapshot,
            binding: head.binding,
            at: head.at,
            class: head.class,
            reason: head.reason,
            code: head.code,
            ..RunRow::default()
        };
        let mut statement = self.connection.prepare_cached("SELECT trace, transcript, input, output FROM run_parts WHERE seq = ?1")?;
        let mut rows = statement.query([bound(seq)])?;
        let Some(row) = rows.next()? else {
            return Err(lost(seq));
        };
        (run.trace, run.transcript, run.input, run.output) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(Some(StoredRun { seq, run }))
    }

    /// Runs in the order of their entries or the reverse, without their large parts. `after` is the last entry of the page before.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn runs(&mut self, after: Option<u64>, limit: u64, newest_first: bool) -> Result<Vec<RunSummary>, StoreError> {
        let (sql, start) = if newest_first {
            (format!("SELECT {SUMMARY} FROM runs WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2"), after.map_or(i64::MAX, bound))
        } else {
            (format!("SELECT {SUMMARY} FROM runs WHERE seq > ?1 ORDER BY seq LIMIT ?2"), after.map_or(-1, bound))
        };
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![start, bound(limit)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(summary(row)?);
        }
        Ok(found)
    }

    /// Number of runs. Linear in it.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn run_count(&mut self) -> Result<u64, StoreError> {
        // Not every entry is a run, so the last number does not tell. Reads the narrowest index.
        let count = self.connection.prepare_cached("SELECT count(*) FROM runs")?.query_row([], |row| row.get(0))?;
        unsigned(count, "the number of runs")
    }

    /// A sealed protocol snapshot by its hash.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn snapshot(&mut self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.blob(crate::writer::SNAPSHOT, hash)
    }

    /// Other content that was stored by its hash.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn blob(&mut self, class: &str, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.blob_of(class, hash)
    }

    pub(crate) fn blob_of(&self, class: &str, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        ledger::blob(&self.connection, class, hash)
    }

    /// Every host store by name, quarantined ones included.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a kind is unknown.
    pub fn stores(&mut self) -> Result<Vec<StoreInfo>, StoreError> {
        catalog::all(&self.connection)
    }

    /// Looks for damage in the file's structure: pages that are in two places, indexes that do not say what their tables hold. Reads everything; says
    /// nothing about the ledger's contents.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first finding.
    pub fn check_structure(&mut self) -> Result<(), StoreError> {
        let finding: String = self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        // Findings come under a line that names the database.
        let detail = finding.lines().last().unwrap_or_default();
        if detail == "ok" { Ok(()) } else { Err(StoreError::Corrupt { detail: detail.to_owned() }) }
    }
}

impl Catalog for Reader {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn available(&mut self, store: &str) -> Result<Option<Entry>, StoreError> {
        catalog::find(&self.connection, store)?.map(Entry::in_service).transpose()
    }
}

/// A table in order of its key that comes to the same row again was led there by a page that is in two places, and need never end.
fn in_order(last: Option<u64>, next: u64, what: &str) -> Result<(), StoreError> {
    if last.is_none_or(|last| last < next) {
        return Ok(());
    }
    Err(StoreError::Corrupt { detail: format!("{what} {next} comes after {}", last.unwrap_or_default()) })
}

fn lost(seq: u64) -> StoreError {
    StoreError::Corrupt { detail: format!("run {seq} has lost its trace, transcript, input and output") }
}

pub(crate) fn entry<'r>(row: &'r SqlRow<'_>) -> Result<EntryRef<'r>, StoreError> {
    let seq = unsigned(row.get(0)?, "a sequence number")?;
    let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(EntryRef { seq, bytes, leaf: leaf(row, 2, seq)? })
}

fn leaf<'r>(row: &'r SqlRow<'_>, column: usize, seq: u64) -> Result<&'r [u8; 32], StoreError> {
    let bytes = row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?;
    bytes.try_into().map_err(|_| StoreError::Corrupt { detail: format!("the leaf of entry {seq} has {} bytes, not 32", bytes.len()) })
}

fn summary(row: &SqlRow<'_>) -> Result<RunSummary, StoreError> {
    Ok(RunSummary {
        seq: unsigned(row.get(0)?, "a sequence number")?,
        run_id: row.get(1)?,
        workflow: row.get(2)?,
        snapshot: row.get(3)?,
        binding: row.get(4)?,
        at: row.get(5)?,
        class: row.get(6)?,
        reason: row.get(7)?,
        code: row.get(8)?,
    })
}
