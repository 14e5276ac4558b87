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
CREATE TABLE IF NOT EXISTS dismissed (
    key TEXT PRIMARY KEY NOT NULL REFERENCES outbound (key),
    state TEXT NOT NULL,
    at TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS repeatable (
    key TEXT PRIMARY KEY NOT NULL REFERENCES outbound (key),
    at TEXT,
    reason TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS outbound_run ON outbound (run);
CREATE INDEX IF NOT EXISTS outbound_open ON outbound (at) WHERE state <> 'DONE';
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('SENDING', 'SENT', 'FAILED', 'DROPPED')),
    at TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    way TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
";

/// Something that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// Equal for every execution of the same thing at this place: run, or what several runs attempt, then step and call.
    pub key: &'a str,
    /// The run. Another one under the same key is another attempt.
    pub run: &'a str,
    /// When.
    pub at: &'a str,
    /// To whom, for people; no headers, no query.
    pub target: &'a str,
    /// Hash of the whole request.
    pub request: &'a str,
    /// Whether another attempt may do it again, however this one ends.
    pub harmless: bool,
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
    /// When a person has said, in this state, that there is nothing left to be done about it, and why.
    pub dismissed: Option<(String, String)>,
    /// When a person has said that it may be sent again, and why.
    pub released: Option<(String, String)>,
}

/// What this machine knows of the delivery of a message; nothing of one that nobody has tried to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// `SENDING`: whether it arrived is not known. `SENT`, `FAILED`: it did not arrive. `DROPPED`: it is not to be sent.
    pub state: String,
    /// When that was written down.
    pub at: String,
    /// Attempts so far.
    pub attempts: u32,
    /// By which way it was sent last.
    pub by: String,
    /// Why it failed.
    pub detail: String,
}

/// The file.
pub struct Outbound {
    connection: Connection,
}

fn foreign(path: &Path, stamp: i64) -> StoreError {
    StoreError::Foreign { path: path.to_owned(), found: format!("application {stamp}") }
}

impl Outbound {
    /// Opens the file, and creates it when there is none. Where nothing can be written, one that is there can still be read.
    ///
    /// # Errors
    /// Whatever SQLite reports; [`StoreError::Foreign`] for a file of something else.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|e| StoreError::Unopenable { path: path.to_owned(), detail: e.to_string() })?;
        let options = OpenOptions::new(&path);
        match Self::open_to_write(&options) {
            Err(error @ (StoreError::ReadOnly { .. } | StoreError::Unopenable { .. })) => {
                let connection = open::read_only(&OpenOptions { read_only: true, ..options }).map_err(|_| error)?;
                let stamp: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
                if stamp == APPLICATION_ID { Ok(Self { connection }) } else { Err(foreign(&path, stamp)) }
            }
            opened => opened,
        }
    }

    fn open_to_write(options: &OpenOptions) -> Result<Self, StoreError> {
        let mut connection = open::connect(options, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        open::write_ahead(&connection, options)?;
        // The intent is on the disk before the first byte leaves.
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Nothing else moves this log into the file.
        connection.pragma_update(None, "wal_autocheckpoint", 1_000)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stamp: i64 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if stamp != APPLICATION_ID && (stamp != 0 || tables != 0) {
            return Err(foreign(&options.path, stamp));
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// Writes an intent down, durably, unless there is one under its key. One of an earlier attempt is taken over: as its answer, or as ours to
    /// send again where that was said to do no harm.
    ///
    /// # Errors
    /// Whatever SQLite reports: nothing may be sent then.
    pub fn begin(&mut self, intent: &Intent<'_>) -> Result<Begun, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = transaction
            .query_row(
                "SELECT o.request, o.state, o.answer, r.key IS NOT NULL AND (o.run <> ?2 OR r.reason IS NOT NULL)
                 FROM outbound o LEFT JOIN repeatable r ON r.key = o.key WHERE o.key = ?1",
                [intent.key, intent.run],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<Vec<u8>>>(2)?, row.get::<_, bool>(3)?)),
            )
            .optional()?;
        let begun = match known {
            Some((_, state, _, _)) if state == "DONE" => Begun::Done,
            None | Some((_, _, _, true)) => {
                for table in ["repeatable", "dismissed"] {
                    transaction.execute(&format!("DELETE FROM {table} WHERE key = ?1"), [intent.key])?;
                }
                transaction.execute(
                    "INSERT INTO outbound (key, run, at, target, request, state) VALUES (?1, ?2, ?3, ?4, ?5, 'SENDING')
                     ON CONFLICT (key) DO UPDATE SET run = excluded.run, at = excluded.at, target = excluded.target,
                         request = excluded.request, state = excluded.state, answer = NULL",
                    params![intent.key, intent.run, intent.at, intent.target, intent.request],
                )?;
                if intent.harmless {
                    transaction.execute("INSERT INTO repeatable (key) VALUES (?1)", [intent.key])?;
                }
                Begun::Ours
            }
            Some((request, _, _, _)) if request != intent.request => Begun::Other,
            Some((_, _, Some(answer), _)) => {
                transaction.execute("UPDATE outbound SET run = ?2 WHERE key = ?1 AND run <> ?2", [intent.key, intent.run])?;
                Begun::Answered(answer)
            }
            Some((_, _, None, _)) => Begun::Unknown,
        };
        transaction.commit()?;
        Ok(begun)
    }

    /// Keeps the answer that a run was given, unless another attempt has taken the intent over meanwhile: what comes late is not that one's answer.
    /// With `repeatable`, another attempt may send it again; the same one is served what is kept all the same.
    ///
    /// # Errors
    /// Whatever SQLite reports; the intent then stays one whose end is not known.
    pub fn answered(&mut self, key: &str, run: &str, answer: &[u8], repeatable: bool) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = transaction.execute(
            "UPDATE outbound SET state = 'ANSWERED', answer = ?3 WHERE key = ?1 AND run = ?2 AND state = 'SENDING'",
            params![key, run, answer],
        )?;
        if repeatable && changed > 0 {
            transaction.execute("INSERT INTO repeatable (key) VALUES (?1) ON CONFLICT (key) DO NOTHING", [key])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Keeps a person's word that intents may be sent again: all of them, or none when one of these keys is not open or was released already.
    ///
    /// # Errors
    /// Whatever SQLite reports. `Ok(Some(key))` is the first that is not open.
    pub fn release(&mut self, keys: &[String], at: &str, reason: &str) -> Result<Option<String>, StoreError> {
        let put = "INSERT INTO repeatable (key, at, reason) SELECT key, ?2, ?3 FROM outbound WHERE key = ?1 AND state <> 'DONE'
             ON CONFLICT (key) DO UPDATE SET at = excluded.at, reason = excluded.reason WHERE reason IS NULL";
        self.say_of_all(keys, |connection, key| connection.execute(put, params![key, at, reason]))
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

    /// Keeps a person's word that there is nothing left to be done about intents: all of them, or none when one of these keys is not open.
    /// It holds for the state that they are in; nothing is sent for it, and nothing is sent again.
    ///
    /// # Errors
    /// Whatever SQLite reports. `Ok(Some(key))` is the first that is not open.
    pub fn dismiss(&mut self, keys: &[String], at: &str, reason: &str) -> Result<Option<String>, StoreError> {
        let put =
            "INSERT INTO dismissed (key, state, at, reason) SELECT key, state, ?2, ?3 FROM outbound WHERE key = ?1 AND state <> 'DONE'
             ON CONFLICT (key) DO UPDATE SET state = excluded.state, at = excluded.at, reason = excluded.reason
             WHERE state <> excluded.state";
        self.say_of_all(keys, |connection, key| connection.execute(put, params![key, at, reason]))
    }

    /// Does that to each of the keys, or to none: the first one that it says nothing of is answered.
    fn say_of_all(
        &mut self,
        keys: &[String],
        say: impl Fn(&Connection, &str) -> rusqlite::Result<usize>,
    ) -> Result<Option<String>, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for key in keys {
            if say(&transaction, key)? == 0 {
                return Ok(Some(key.clone()));
            }
        }
        transaction.commit()?;
        Ok(None)
    }

    /// What no committed run accounts for, oldest first; with `dismissed`, also what a person has dismissed in its present state.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn unsettled(&self, limit: u64, dismissed: bool) -> Result<Vec<Unsettled>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT o.key, o.run, o.at, o.target, o.request, o.state, d.at, d.reason, r.at, r.reason
             FROM outbound o LEFT JOIN dismissed d ON d.key = o.key AND d.state = o.state LEFT JOIN repeatable r ON r.key = o.key
             WHERE o.state <> 'DONE' AND (?2 OR d.key IS NULL) ORDER BY o.at, o.key LIMIT ?1",
        )?;
        let rows = statement.query_map(params![i64::try_from(limit).unwrap_or(i64::MAX), dismissed], |row| {
            let [key, run, at, target, request, state] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
            let said = |at: usize| {
                row.get::<_, Option<String>>(at)?.map(|when| Ok::<_, rusqlite::Error>((when, row.get(at.saturating_add(1))?))).transpose()
            };
            let (dismissed, released) = (said(6)?, said(8)?);
            Ok(Unsettled { key, run, at, target, request, state, dismissed, released })
        })?;
        rows.collect::<Result<_, _>>().map_err(StoreError::from)
    }
}

impl Outbound {
    /// What is known of the delivery of a message.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn sending(&self, id: &str) -> Result<Option<Sending>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT state, at, attempts, way, detail FROM deliveries WHERE id = ?1")?;
        let known = statement.query_row([id], |row| {
            Ok(Sending { state: row.get(0)?, at: row.get(1)?, attempts: row.get(2)?, by: row.get(3)?, detail: row.get(4)? })
        });
        Ok(known.optional()?)
    }

    /// Writes down, durably, that a message is about to be sent, where its state is one of `from` (`""` for one that nobody has tried).
    /// Answers the state that it has, when it is none of these: nothing may be sent then.
    ///
    /// # Errors
    /// Whatever SQLite reports: nothing may be sent then either.
    pub fn begin_sending(&mut self, id: &str, at: &str, by: &str, from: &[&str]) -> Result<Option<String>, StoreError> {
        let put = "INSERT INTO deliveries (id, state, at, attempts, way, detail) VALUES (?1, 'SENDING', ?2, 1, ?3, '') \
             ON CONFLICT (id) DO UPDATE SET state = 'SENDING', at = ?2, attempts = attempts + 1, way = ?3, detail = ''";
        self.step_sending(id, from, |connection| connection.execute(put, params![id, at, by]))
    }

    /// Says how a delivery ended.
    ///
    /// # Errors
    /// Whatever SQLite reports; the delivery then stays one whose end is not known.
    pub fn end_sending(&mut self, id: &str, at: &str, state: &str, detail: &str) -> Result<(), StoreError> {
        self.connection.execute("UPDATE deliveries SET state = ?2, at = ?3, detail = ?4 WHERE id = ?1", params![id, state, at, detail])?;
        Ok(())
    }

    /// Says that a message is not to be sent, where its state is one of `from`. Answers the state that it has otherwise.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn drop_sending(&mut self, id: &str, at: &str, from: &[&str]) -> Result<Option<String>, StoreError> {
        let put = "INSERT INTO deliveries (id, state, at, attempts, way, detail) VALUES (?1, 'DROPPED', ?2, 0, '', '') \
             ON CONFLICT (id) DO UPDATE SET state = 'DROPPED', at = ?2, detail = ''";
        self.step_sending(id, from, |connection| connection.execute(put, params![id, at]))
    }

    /// Changes a delivery whose state is one of `from`; answers the state that it has otherwise.
    fn step_sending(
        &mut self,
        id: &str,
        from: &[&str],
        change: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
    ) -> Result<Option<String>, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known: Option<String> =
            transaction.query_row("SELECT state FROM deliveries WHERE id = ?1", [id], |row| row.get(0)).optional()?;
        let state = known.unwrap_or_default();
        if !from.contains(&state.as_str()) {
            return Ok(Some(state));
        }
        change(&transaction)?;
        transaction.commit()?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    fn intent<'a>(key: &'a str, request: &'a str) -> Intent<'a> {
        Intent { key, run: "RUN-1", at: "2026-01-01T00:00:00.000000Z", target: "POST https://a/b", request, harmless: false }
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
        outbound.answered("RUN-1/0/0", "RUN-1", b"yes", false).unwrap();
        outbound.answered("RUN-1/0/0", "RUN-1", b"no", false).unwrap();
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
        outbound.answered("RUN-1/0/0", "RUN-1", b"yes", false).unwrap();
        outbound.answered("RUN-1/0/1", "RUN-1", b"yes", false).unwrap();
        outbound.settle("RUN-1", &["RUN-1/0/0".to_owned()]).unwrap();
        let left: Vec<(String, String)> = outbound.unsettled(10, false).unwrap().into_iter().map(|row| (row.key, row.state)).collect();
        assert_eq!(left, [("RUN-1/0/1".into(), "UNUSED".into()), ("RUN-1/0/2".into(), "SENDING".into())]);
        assert_eq!(outbound.begin(&intent("RUN-1/0/0", "a")).unwrap(), Begun::Done);
    }

    #[test]
    fn b_32_what_a_person_dismisses_is_kept_apart_until_its_state_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbound.db");
        let mut outbound = Outbound::open(&path).unwrap();
        let [a, b, done] = ["RUN-1/0/0", "RUN-1/0/1", "RUN-2/0/0"].map(str::to_owned);
        for key in [&a, &b] {
            outbound.begin(&intent(key, "a")).unwrap();
        }
        outbound.begin(&Intent { run: "RUN-2", ..intent(&done, "a") }).unwrap();
        outbound.answered(&done, "RUN-2", b"yes", false).unwrap();
        outbound.settle("RUN-2", std::slice::from_ref(&done)).unwrap();
        let open = |outbound: &Outbound| outbound.unsettled(10, false).unwrap().into_iter().map(|row| row.key).collect::<Vec<_>>();
        // One that is not open, and none of them is dismissed.
        for wrong in ["RUN-9/0/0", done.as_str()] {
            assert_eq!(outbound.dismiss(&[a.clone(), wrong.to_owned()], "now", "why").unwrap().as_deref(), Some(wrong));
        }
        assert_eq!(open(&outbound), [a.clone(), b.clone()]);
        assert_eq!(outbound.dismiss(std::slice::from_ref(&a), "now", "it did arrive").unwrap(), None);
        assert_eq!(outbound.dismiss(std::slice::from_ref(&a), "later", "again").unwrap(), Some(a.clone()));
        let mut outbound = Outbound::open(&path).unwrap();
        assert_eq!(open(&outbound), std::slice::from_ref(&b));
        let all: Vec<_> = outbound.unsettled(10, true).unwrap().into_iter().map(|row| (row.key, row.dismissed)).collect();
        assert_eq!(all, [(a.clone(), Some(("now".to_owned(), "it did arrive".to_owned()))), (b.clone(), None)]);
        // It is not sent again for that, and what is learned of it later is shown.
        assert_eq!(outbound.begin(&intent(&a, "a")).unwrap(), Begun::Unknown);
        outbound.answered(&a, "RUN-1", b"yes", false).unwrap();
        assert_eq!(open(&outbound), [a, b]);
    }

    #[test]
    fn b_32_another_attempt_is_served_what_was_answered_and_sends_again_only_what_does_no_harm_or_was_released() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbound = Outbound::open(&folder.path().join("outbound.db")).unwrap();
        // What a crash cut off, and does no harm.
        let looked = Intent { harmless: true, run: "RUN-0", ..intent("ITEM-1/0/9", "a") };
        assert_eq!([outbound.begin(&looked).unwrap(), outbound.begin(&looked).unwrap()], [Begun::Ours, Begun::Unknown]);
        assert_eq!(outbound.begin(&Intent { run: "RUN-1", request: "b", ..looked }).unwrap(), Begun::Ours);
        // The one before was only slow: its answer comes late, and to another question.
        outbound.answered("ITEM-1/0/9", "RUN-0", b"late", false).unwrap();
        assert_eq!(outbound.begin(&Intent { run: "RUN-1", request: "b", ..looked }).unwrap(), Begun::Unknown);
        outbound.answered("ITEM-1/0/9", "RUN-1", b"seen", false).unwrap();
        outbound.settle("RUN-1", &["ITEM-1/0/9".to_owned()]).unwrap();
        let [paid, asked, lost] = ["ITEM-1/0/0", "ITEM-1/0/1", "ITEM-1/0/2"].map(str::to_owned);
        let of = |key: &'static str, run: &'static str| Intent { run, ..intent(key, "a") };
        for key in ["ITEM-1/0/0", "ITEM-1/0/1", "ITEM-1/0/2"] {
            assert_eq!(outbound.begin(&of(key, "RUN-1")).unwrap(), Begun::Ours);
        }
        outbound.answered(&paid, "RUN-1", b"taken", false).unwrap();
        outbound.answered(&asked, "RUN-1", b"busy", true).unwrap();
        // The same attempt executed again is served all of it.
        assert_eq!(outbound.begin(&of("ITEM-1/0/1", "RUN-1")).unwrap(), Begun::Answered(b"busy".to_vec()));
        assert_eq!(outbound.begin(&of("ITEM-1/0/0", "RUN-2")).unwrap(), Begun::Answered(b"taken".to_vec()));
        assert_eq!(outbound.begin(&Intent { request: "b", ..of("ITEM-1/0/0", "RUN-2") }).unwrap(), Begun::Other);
        assert_eq!(outbound.begin(&of("ITEM-1/0/1", "RUN-2")).unwrap(), Begun::Ours);
        assert_eq!(outbound.begin(&of("ITEM-1/0/2", "RUN-2")).unwrap(), Begun::Unknown);
        // A person has asked the peer.
        let wrong = outbound.release(&[lost.clone(), "ITEM-2/0/0".to_owned()], "now", "it never came").unwrap();
        assert_eq!(wrong.as_deref(), Some("ITEM-2/0/0"));
        assert_eq!(outbound.begin(&of("ITEM-1/0/2", "RUN-2")).unwrap(), Begun::Unknown, "one of them is not open: none is released");
        assert_eq!(outbound.release(std::slice::from_ref(&lost), "now", "it never came").unwrap(), None);
        assert_eq!(outbound.release(std::slice::from_ref(&lost), "now", "twice").unwrap(), Some(lost.clone()));
        let rows = outbound.unsettled(10, false).unwrap();
        assert_eq!(rows.iter().find(|row| row.key == lost).unwrap().released, Some(("now".into(), "it never came".into())));
        assert_eq!(rows.iter().map(|row| row.run.as_str()).collect::<Vec<_>>(), ["RUN-2", "RUN-2", "RUN-1"]);
        // Once, by whoever comes, also the same run.
        assert_eq!(outbound.begin(&of("ITEM-1/0/2", "RUN-1")).unwrap(), Begun::Ours);
        assert_eq!(outbound.begin(&of("ITEM-1/0/2", "RUN-2")).unwrap(), Begun::Unknown);
        // What the committed run accounts for is done for every attempt.
        outbound.settle("RUN-2", std::slice::from_ref(&paid)).unwrap();
        assert_eq!(outbound.begin(&of("ITEM-1/0/0", "RUN-3")).unwrap(), Begun::Done);
        assert_eq!(outbound.release(std::slice::from_ref(&paid), "now", "again").unwrap(), Some(paid));
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbound.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(Outbound::open(&path), Err(StoreError::Foreign { .. })));
    }
}
