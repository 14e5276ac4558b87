//! What this node knows of carrying decisions out: when it began, what kept it from it, how often it tried. Node-local and never believed
//! against the ledger: that a decision was carried out is said by the key that it used up.

use enact_core::entry::{Draft, Head, Record};
use rusqlite::{Connection, params};

use crate::apart::Ticket;
use crate::batch::{Batch, Beside, Judged, NO_UNIT, Tx};
use crate::error::StoreError;
use crate::governed::{Judge, judged};
use crate::model::Committed;
use crate::number::{bound, column, unsigned};
use crate::reader::Reader;
use crate::refusals::RefusedProposal;
use crate::schema::{self, FORMAT_EXECUTIONS};
use crate::writer::Writer;

/// What was noted about one decision.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Execution {
    /// The decision, by its own hash.
    pub decision_hash: String,
    /// The proposal.
    pub proposal: String,
    /// `record_hash` of the record that decided.
    pub decision: String,
    /// Where it stands, a word of the caller.
    pub status: String,
    /// When it was begun for the last time.
    pub started_at: String,
    /// When it came to an end.
    pub finished_at: Option<String>,
    /// The entry that carried it out.
    pub seq: Option<u64>,
    /// Stable code of what kept it from it.
    pub error: Option<String>,
    /// How often it was tried again.
    pub retries: u32,
}

/// Columns of an [`Execution`], in the order of [`read`].
const COLUMNS: &str = "decision_hash, proposal, decision, status, started_at, finished_at, seq, error, retries";

impl Writer {
    /// Notes executions in one durable transaction; what was noted about the same decisions before is replaced.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn note_executions(&mut self, executions: &[Execution]) -> Result<(), StoreError> {
        if executions.is_empty() {
            return Ok(());
        }
        self.durable(|connection| executions.iter().try_for_each(|execution| put(connection, execution)))?;
        self.checkpoint_after(true);
        Ok(())
    }

    /// As [`Writer::append_governed`], and what belongs to each draft is noted in the transaction of its entry, with the entry's number and
    /// time. Of a draft that is refused nothing is noted.
    ///
    /// # Errors
    /// As [`Writer::append_governed`].
    pub fn append_executions<J: Judge + ?Sized>(
        &mut self,
        drafts: &mut [Draft],
        notes: &mut [Execution],
        now: &str,
        judge: &mut J,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Vec<Result<Committed, J::Refused>>, StoreError> {
        self.finish(&mut Noted { drafts, notes, judge }, now, sign)
    }

    /// As [`Writer::append_executions`], but does not wait: the next batch may be judged on this one before it is durable. `begun` is
    /// noted first, durable before the batch begins.
    ///
    /// # Errors
    /// As [`Writer::append_governed`]; what keeps the batch from being stored is said when the ticket is settled.
    pub fn start_executions<J: Judge + ?Sized>(
        &mut self,
        drafts: &mut [Draft],
        begun: &[Execution],
        notes: &mut [Execution],
        now: &str,
        judge: &mut J,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Ticket<J::Refused>, StoreError> {
        self.start(&mut Noted { drafts, notes, judge }, begun, now, sign)
    }
}

/// Drafts with what is noted beside them.
struct Noted<'a, J: ?Sized> {
    drafts: &'a mut [Draft],
    notes: &'a mut [Execution],
    judge: &'a mut J,
}

impl<J: Judge + ?Sized> Batch for Noted<'_, J> {
    type Left = J::Refused;
    type Rest = Option<Execution>;

    fn is_apart(&self) -> bool {
        true
    }

    fn len(&self) -> usize {
        self.drafts.len()
    }

    fn records(&self, nth: usize) -> Result<&[Record], StoreError> {
        Ok(&self.drafts.get(nth).ok_or(NO_UNIT)?.records)
    }

    fn judge(&mut self, nth: usize, tx: &Tx<'_>, head: &Head, at: &str) -> Result<Judged<J::Refused>, StoreError> {
        let draft = self.drafts.get_mut(nth).ok_or(NO_UNIT)?;
        judged(self.judge, tx, head, draft, at)
    }

    fn keep(&self, left: &J::Refused) -> Option<RefusedProposal> {
        self.judge.keep(left)
    }

    fn rest(&mut self, nth: usize, committed: &Committed, _: &mut Beside<'_>) -> Result<Option<Execution>, StoreError> {
        let Some(note) = self.notes.get_mut(nth) else { return Ok(None) };
        note.seq = Some(committed.seq);
        note.finished_at = Some(committed.at.clone());
        Ok(Some(note.clone()))
    }

    fn store(note: Option<Execution>, _: u64, beside: &mut Beside<'_>) -> Result<(), StoreError> {
        note.iter().try_for_each(|note| beside.note(note))
    }
}

impl Reader {
    /// An older file, opened for reading only, is read as if nothing was ever noted.
    fn has_executions(&self) -> Result<bool, StoreError> {
        if !self.noted.get() {
            self.noted.set(schema::format(&self.connection)? >= FORMAT_EXECUTIONS);
        }
        Ok(self.noted.get())
    }

    /// What was noted about a decision.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn execution(&mut self, decision_hash: &str) -> Result<Option<Execution>, StoreError> {
        if !self.has_executions()? {
            return Ok(None);
        }
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM executions WHERE decision_hash = ?1"))?;
        let mut rows = statement.query([decision_hash])?;
        rows.next()?.map(read).transpose()
    }

    /// Everything noted with this status, unless it is confirmed (that is the ledger's word), in the order of the decisions' hashes, after one of them.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn executions(&mut self, status: &str, after: &str, limit: u64) -> Result<Vec<Execution>, StoreError> {
        let mut found = Vec::new();
        if !self.has_executions()? {
            return Ok(found);
        }
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM executions WHERE status = ?1 AND status <> 'Confirmed' AND decision_hash > ?2 ORDER BY decision_hash LIMIT ?3"
        ))?;
        let mut rows = statement.query(params![status, after, bound(limit)])?;
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}

/// Writes one.
pub(crate) fn put(connection: &Connection, execution: &Execution) -> Result<(), StoreError> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO executions({COLUMNS}) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(decision_hash) DO UPDATE SET \
             proposal = excluded.proposal, decision = excluded.decision, status = excluded.status, started_at = excluded.started_at, \
             finished_at = excluded.finished_at, seq = excluded.seq, error = excluded.error, retries = excluded.retries"
        ))?
        .execute(params![
            execution.decision_hash,
            execution.proposal,
            execution.decision,
            execution.status,
            execution.started_at,
            execution.finished_at,
            execution.seq.map(column).transpose()?,
            execution.error,
            execution.retries
        ])?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> Result<Execution, StoreError> {
    let seq: Option<i64> = row.get(6)?;
    Ok(Execution {
        decision_hash: row.get(0)?,
        proposal: row.get(1)?,
        decision: row.get(2)?,
        status: row.get(3)?,
        started_at: row.get(4)?,
        finished_at: row.get(5)?,
        seq: seq.map(|seq| unsigned(seq, "a sequence number")).transpose()?,
        error: row.get(7)?,
        retries: row.get(8)?,
    })
}
