//! How far each listener has come in the ledger, and what became of deliveries that failed. Execution's own memory: not part of the ledger,
//! nothing is derived from it, and without it every delivery is only tried again.

use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::number::{bound, column, unsigned};
use crate::reader::Reader;
use crate::schema::{self, FORMAT_LISTENERS, FORMAT_QUEUE};
use crate::writer::Writer;

/// An attempt to start what follows from a record, that did not end in a commit.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FailedDelivery {
    /// When.
    pub at: String,
    /// Code of the listener.
    pub listener: String,
    /// The entry.
    pub seq: u64,
    /// Position of the record in it.
    pub record: u64,
    /// Id that the run, or the item of the queue, would have had.
    pub run_id: String,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// Stable code of the failure.
    pub code: String,
    /// The failure in words.
    pub detail: String,
}

/// Columns of a [`FailedDelivery`], in the order of [`failure`].
const COLUMNS: &str = "at, listener, seq, record, run_id, attempt, code, detail";

impl Writer {
    /// Keeps how far listeners have come: the entry that each looks at next. Whoever is behind another process takes nothing back.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn advance_cursors(&mut self, cursors: &[(&str, u64)]) -> Result<(), StoreError> {
        if cursors.is_empty() {
            return Ok(());
        }
        self.durable(|connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO listeners(code, next) VALUES(?1, ?2) ON CONFLICT(code) DO UPDATE SET next = max(next, excluded.next)",
            )?;
            for (code, next) in cursors {
                statement.execute(params![code, column(*next)?])?;
            }
            Ok(())
        })?;
        self.checkpoint_after(true);
        Ok(())
    }

    /// Sends a listener back, or ahead, to an entry.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn set_cursor(&mut self, listener: &str, next: u64) -> Result<(), StoreError> {
        self.durable(|connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO listeners(code, next) VALUES(?1, ?2)")?
                .execute(params![listener, column(next)?])?;
            Ok(())
        })
    }

    /// Logs an attempt that failed.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn record_failed_delivery(&mut self, failed: &FailedDelivery) -> Result<(), StoreError> {
        self.durable(|connection| {
            connection.prepare_cached(&format!("INSERT INTO listener_log({COLUMNS}) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"))?.execute(
                params![
                    failed.at,
                    failed.listener,
                    column(failed.seq)?,
                    column(failed.record)?,
                    failed.run_id,
                    failed.attempt,
                    failed.code,
                    failed.detail
                ],
            )?;
            Ok(())
        })
    }
}

impl Reader {
    /// The entry that a listener looks at next; `None` when it never looked at any. Beyond the head there is none to look at, and nobody
    /// puts a cursor there: see [`Reader::cursor_within`].
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn cursor(&mut self, listener: &str) -> Result<Option<u64>, StoreError> {
        if !self.has_listeners()? {
            return Ok(None);
        }
        let mut statement = self.connection.prepare_cached("SELECT next FROM listeners WHERE code = ?1")?;
        let mut rows = statement.query([listener])?;
        rows.next()?.map(|row| unsigned(row.get(0)?, "a cursor")).transpose()
    }

    /// Where it stands in what it walks through, whose end `end` reads in the same moment; `None` for a cursor beyond that end. Such a one
    /// says nothing about what was heard, and believing it would pass by what comes until then.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn cursor_within(
        &mut self,
        listener: &str,
        end: impl FnOnce(&mut Self) -> Result<u64, StoreError>,
    ) -> Result<Option<u64>, StoreError> {
        self.in_one_moment(|reader| {
            let (at, end) = (reader.cursor(listener)?.unwrap_or(0), end(reader)?);
            Ok((at <= end).then_some(at))
        })
    }

    /// How often the delivery of a record was attempted and failed.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn failed_attempts(&mut self, listener: &str, seq: u64, record: u64) -> Result<u32, StoreError> {
        if !self.has_listeners()? {
            return Ok(0);
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT coalesce(max(attempt), 0) FROM listener_log WHERE listener = ?1 AND seq = ?2 AND record = ?3")?;
        Ok(statement.query_row(params![listener, bound(seq), bound(record)], |row| row.get(0))?)
    }

    /// The last failure of each delivery of a listener that has not become a run or an item since, newest first.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn failed_deliveries(&mut self, listener: &str, limit: u64) -> Result<Vec<FailedDelivery>, StoreError> {
        let mut found = Vec::new();
        if !self.has_listeners()? {
            return Ok(found);
        }
        // What was to be queued has the item's id in the place of the run's.
        let unqueued = if schema::format(&self.connection)? >= FORMAT_QUEUE {
            "AND NOT EXISTS(SELECT 1 FROM queue_items q WHERE q.item = l.run_id)"
        } else {
            ""
        };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM listener_log l WHERE listener = ?1 \
             AND id = (SELECT max(id) FROM listener_log o WHERE o.listener = l.listener AND o.seq = l.seq AND o.record = l.record) \
             AND NOT EXISTS(SELECT 1 FROM runs r WHERE r.run_id = l.run_id AND r.seq < (SELECT size FROM head)) {unqueued} ORDER BY id DESC LIMIT ?2"
        ))?;
        let mut rows = statement.query(params![listener, bound(limit)])?;
        while let Some(row) = rows.next()? {
            found.push(failure(row)?);
        }
        Ok(found)
    }

    fn has_listeners(&self) -> Result<bool, StoreError> {
        has_listeners(&self.connection)
    }
}

/// An older file, opened for reading only, is read as if nobody had ever listened.
fn has_listeners(connection: &Connection) -> Result<bool, StoreError> {
    Ok(schema::format(connection)? >= FORMAT_LISTENERS)
}

fn failure(row: &rusqlite::Row<'_>) -> Result<FailedDelivery, StoreError> {
    Ok(FailedDelivery {
        at: row.get(0)?,
        listener: row.get(1)?,
        seq: unsigned(row.get(2)?, "a sequence number")?,
        record: unsigned(row.get(3)?, "the position of a record")?,
        run_id: row.get(4)?,
        attempt: row.get(5)?,
        code: row.get(6)?,
        detail: row.get(7)?,
    })
}
