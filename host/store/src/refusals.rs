//! The log of refused proposals: what was asked for and why it was not done. Not part of the ledger, and nothing is derived from it.

use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::number::{bound, column, unsigned};
use crate::reader::Reader;
use crate::writer::Writer;

/// A proposal that was refused.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RefusedProposal {
    /// When.
    pub at: String,
    /// Stable code of the refusal.
    pub code: String,
    /// Position in the proposal of the record that was refused, when it was one.
    pub record: Option<u64>,
    /// The row of the authorization matrix that got furthest, when it came to that.
    pub row: Option<String>,
    /// Who asked, as far as it could be read.
    pub actor: Option<String>,
    /// For what.
    pub action: Option<String>,
    /// About what.
    pub subject: Option<String>,
    /// The refusal in words.
    pub detail: String,
    /// The proposal as it came.
    pub bytes: Vec<u8>,
}

/// A refused proposal as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredRefusal {
    /// Its number, from 1, in the order in which they were stored.
    pub id: u64,
    /// The proposal.
    pub proposal: RefusedProposal,
}

impl Writer {
    /// Stores refused proposals in one durable transaction; answers their numbers. [`crate::Judge::keep`] stores them with the batch that
    /// they were refused in, without a sync of their own.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn record_refusals(&mut self, proposals: &[RefusedProposal]) -> Result<Vec<u64>, StoreError> {
        if proposals.is_empty() {
            return Ok(Vec::new());
        }
        let ids = self.durable(|connection| proposals.iter().map(|proposal| insert(connection, proposal)).collect())?;
        self.checkpoint_after(true);
        Ok(ids)
    }
}

impl Reader {
    /// Refused proposals in the order in which they were stored. `after` is the number of the last one of the page before, 0 for the first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a number is negative, or whatever SQLite reports.
    pub fn refusals(&mut self, after: u64, limit: u64) -> Result<Vec<StoredRefusal>, StoreError> {
        let mut found = Vec::new();
        if !self.is_governed()? {
            return Ok(found);
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT id, at, code, record, row, actor, action, subject, detail, bytes FROM refusals WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query([bound(after), bound(limit)])?;
        while let Some(row) = rows.next()? {
            let record: Option<i64> = row.get(3)?;
            found.push(StoredRefusal {
                id: unsigned(row.get(0)?, "the number of a refusal")?,
                proposal: RefusedProposal {
                    at: row.get(1)?,
                    code: row.get(2)?,
                    record: record.map(|record| unsigned(record, "the position of a record")).transpose()?,
                    row: row.get(4)?,
                    actor: row.get(5)?,
                    action: row.get(6)?,
                    subject: row.get(7)?,
                    detail: row.get(8)?,
                    bytes: row.get(9)?,
                },
            });
        }
        Ok(found)
    }
}

/// Stores one; answers its number.
pub(crate) fn insert(connection: &Connection, proposal: &RefusedProposal) -> Result<u64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO refusals(at, code, record, row, actor, action, subject, detail, bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            proposal.at,
            proposal.code,
            proposal.record.map(column).transpose()?,
            proposal.row,
            proposal.actor,
            proposal.action,
            proposal.subject,
            proposal.detail,
            proposal.bytes
        ])?;
    unsigned(connection.last_insert_rowid(), "the number of a refusal")
}
