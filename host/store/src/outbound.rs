//! What is about to leave this machine: an intent that is durable before the first byte is sent, and the answer that was got.
//!
//! A file of its own beside the ledger. It is about this machine and no proof of anything: the proof is the transcript that a run commits.
//! It exists so that an execution that is repeated does not send again, and so that what was sent and never recorded can be found.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use crate::error::StoreError;
use crate::open::{self, OpenOptions};

/// Stamp of the file, so that it is not taken for a ledger: "enob".
const APPLICATION_ID: i64 = 0x656e_6f62;
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS outbound (
    key TEXT PRIMARY KEY NOT NULL,
    run TEXT NOT NULL,
    at TEXT NOT NULL,
    target TEXT NOT NULL,
    request TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('SENDING', 'ANSWERED', 'UNUSED', 'DONE')),
    answer BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS outbound_run ON outbound (run);
CREATE INDEX IF NOT EXISTS outbound_open ON outbound (at) WHERE state <> 'DONE';
";

/// Something that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// Equal for every execution of one run at this place: run, step, call.
    pub key: &'a str,
    /// The run.
    pub run: &'a str,
    /// When.
    pub at: &'a str,
    /// To whom, for people; no headers, no query.
    pub target: &'a str,
    /// Hash of the whole request.
    pub request: &'a str,
}

/// What there was under the key of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: it is ours to send, and the intent is on the disk.
    Ours,
    /// The same request was answered before.
    Answered(Vec<u8>),
    /// It was begun, and whether it arrived is not known.
    Unknown,
    /// Another request was sent under this key.
    Other,
    /// The run that sent it is committed.
    Done,
}

/// An intent that no committed run accounts for yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// Its key, which the peer saw as the idempotency key unless it was an attempt at the one before.
    pub key: String,
    /// The run.
    pub run: String,
    /// When it was begun.
    pub at: String,
    /// To whom.
    pub target: String,
    /// Hash of the whole request.
    pub request: String,
    /// `SENDING`: with an unknown end. `ANSWERED`: and not committed. `UNUSED`: answered, and not in the run that was committed.
    pub state: String,
}

/// The file.
pub struct Outbound {
    connection: Connection,
}

impl Outbound {
    /// Opens the file, and creates it when there is none.
    ///
    /// # Errors
    /// Whatever SQLite reports; [`StoreError::Foreign`] for a file of something else.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|e| StoreError::Unopenable { path: path.to_owned(), detail: e.to_string() })?;
        let options = OpenOptions::new(path);
        let mut connection = open::connect(&options, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        open::write_ahead(&connection, &options)?;
        // The intent is on the disk before the first byte leaves.
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Nothing else moves this log into the file.
        connection.pragma_update(None, "wal_autocheckpoint", 1_000)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stamp: i64 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if stamp != APPLICATION_ID && (stamp != 0 || tables != 0) {
            return Err(StoreError::Foreign { path: options.path, found: format!("application {stamp}") });
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// Writes an intent down, durably, unless there is one under its key.
    ///
    /// # Errors
    /// Whatever SQLite reports: nothing may be sent then.
    pub fn begin(&mut self, intent: &Intent<'_>) -> Result<Begun, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = transaction
            .query_row("SELECT request, state, answer FROM outbound WHERE key = ?1", [intent.key], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
            })
            .optional()?;
        let begun = match known {
            None => {
                transaction.execute(
                    "INSERT INTO outbound (key, run, at, target, request, state) VALUES (?1, ?2, ?3, ?4, ?5, 'SENDING')",
                    params![intent.key, intent.run, intent.at, intent.target, intent.request],
                )?;
                Begun::Ours
            }
            Some((_, state, _)) if state == "DONE" => Begun::Done,
            Some((request, _, _)) if request != intent.request => Begun::Other,
            Some((_, _, Some(answer))) => Begun::Answered(answer),
            Some((_, _, None)) => Begun::Unknown,
        };
        transaction.commit()?;
        Ok(begun)
    }

    /// Keeps the answer.
    ///
    /// # Errors
    /// Whatever SQLite reports; the intent then stays one whose end is not known.
    pub fn answered(&mut self, key: &str, answer: &[u8]) -> Result<(), StoreError> {
        self.connection
            .execute("UPDATE outbound SET state = 'ANSWERED', answer = ?2 WHERE key = ?1 AND state = 'SENDING'", params![key, answer])?;
        Ok(())
    }

    /// Says that a run is committed, with the keys that its transcript holds. Its answers are in the ledger from now on and go from here;
    /// what only an execution that did not hold has sent stays in the list.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn settle(&mut self, run: &str, used: &[String]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE outbound SET state = 'UNUSED' WHERE run = ?1 AND state = 'ANSWERED'", [run])?;
        for key in used {
            transaction.execute(
                "UPDATE outbound SET state = 'DONE', answer = NULL WHERE key = ?1 AND run = ?2 AND state = 'UNUSED'",
                params![key, run],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// What no committed run accounts for, oldest first.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn unsettled(&self, limit: u64) -> Result<Vec<Unsettled>, StoreError> {
        let mut statement = self
            .connection
            .prepare("SELECT key, run, at, target, request, state FROM outbound WHERE state <> 'DONE' ORDER BY at, key LIMIT ?1")?;
        let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            let [key, run, at, target, request, state] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
            Ok(Unsettled { key, run, at, target, request, state })
        })?;
        rows.collect::<Result<_, _>>().map_err(StoreError::from)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    fn intent<'a>(key: &'a str, request: &'a str) -> Intent<'a> {
        Intent { key, run: "RUN-1", at: "2026-01-01T00:00:00.000000Z", target: "POST https://a/b", request }
    }

    #[test]
    fn b_32_an_intent_is_ours_once_and_its_answer_is_served_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbound.db");
        let mut outbound = Outbound::open(&path).unwrap();
        assert_eq!(outbound.begin(&intent("RUN-1/0/0", "a")).unwrap(), Begun::Ours);
        // Another process, and one that comes after a crash.
        let mut other = Outbound::open(&path).unwrap();
        assert_eq!(other.begin(&intent("RUN-1/0/0", "a")).unwrap(), Begun::Unknown);
        outbound.answered("RUN-1/0/0", b"yes").unwrap();
        outbound.answered("RUN-1/0/0", b"no").unwrap();
        assert_eq!(other.begin(&intent("RUN-1/0/0", "a")).unwrap(), Begun::Answered(b"yes".to_vec()));
        assert_eq!(other.begin(&intent("RUN-1/0/0", "b")).unwrap(), Begun::Other);
    }

    #[test]
    fn b_32_what_a_committed_run_does_not_account_for_stays_listed() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbound = Outbound::open(&folder.path().join("outbound.db")).unwrap();
        for key in ["RUN-1/0/0", "RUN-1/0/1", "RUN-1/0/2"] {
            assert_eq!(outbound.begin(&intent(key, "a")).unwrap(), Begun::Ours);
        }
        outbound.answered("RUN-1/0/0", b"yes").unwrap();
        outbound.answered("RUN-1/0/1", b"yes").unwrap();
        outbound.settle("RUN-1", &["RUN-1/0/0".to_owned()]).unwrap();
        let left: Vec<(String, String)> = outbound.unsettled(10).unwrap().into_iter().map(|row| (row.key, row.state)).collect();
        assert_eq!(left, [("RUN-1/0/1".into(), "UNUSED".into()), ("RUN-1/0/2".into(), "SENDING".into())]);
        assert_eq!(outbound.begin(&intent("RUN-1/0/0", "a")).unwrap(), Begun::Done);
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbound.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(Outbound::open(&path), Err(StoreError::Foreign { .. })));
    }
}
