//! Appending: a batch of commits in one durable transaction. What may be appended is decided by the core; what still holds, by comparing.
//!
//! After `Ok` the batch is on the disk. After an error nothing of it is in the ledger, except that [`StoreError::Io`] leaves the outcome
//! open until the ledger is read again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use enact_core::entry::{Draft, Head, Record, seal};
use enact_core::state::StateDelta;
use enact_core::time::Instant;
use rusqlite::{Connection, params};

use crate::apart::Flight;
use crate::batch::{Batch, Beside, Judged, NO_UNIT, Tx};
use crate::cache::Cache;
use crate::commit::Pending;
use crate::error::StoreError;
use crate::lane::{Ahead, Lane, locked};
use crate::ledger;
use crate::model::{Commit, Committed, Rejection, Write};
use crate::number::column;
use crate::open::Shared;

/// Class of the blobs that are protocol snapshots.
pub(crate) const SNAPSHOT: &str = "snapshot";

/// A connection for appending.
pub struct Writer {
    /// Shared with the thread that writes long batches. Whoever uses it waits for what is under way, see [`Writer::landed`].
    pub(crate) lane: Arc<Mutex<Lane>>,
    pub(crate) shared: Arc<Shared>,
    /// Present rows of the derived state, from one batch to the next.
    pub(crate) cache: Cache,
    /// Where this writer left the ledger, once it is durable.
    pub(crate) left: Option<Head>,
    /// Reads for the judge of a long batch; opened when there is one.
    pub(crate) reads: Option<Connection>,
    /// The thread, from the first long batch on.
    pub(crate) ahead: Option<Ahead>,
    /// Long batches that may not be durable yet, in their order.
    pub(crate) flights: VecDeque<Flight>,
}

/// What a checkpoint found and moved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Checkpointed {
    /// Pages in the write-ahead log.
    pub pages: u64,
    /// How many of them are in the file now. Fewer when a reader holds an older moment.
    pub moved: u64,
}

impl Writer {
    pub(crate) fn new(connection: Connection, shared: Arc<Shared>) -> Result<Self, StoreError> {
        let lane = Arc::new(Mutex::new(Lane::new(connection, Arc::clone(&shared))?));
        Ok(Self { lane, shared, cache: Cache::default(), left: None, reads: None, ahead: None, flights: VecDeque::new() })
    }

    /// Appends a batch in one durable transaction and stores the checkpoint that `sign` makes of the new head with it.
    ///
    /// The answers are in the order of the batch. A commit that is left out leaves no trace, and later ones are compared with what
    /// earlier ones of the batch wrote. `now` is the clock, RFC 3339 in UTC; an entry gets the later of it and the head's time, because
    /// time never runs backwards in a ledger whatever the clock does.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Full`], [`StoreError::Io`], or damage found on the way.
    pub fn append(
        &mut self,
        batch: &[Commit],
        now: &str,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Vec<Result<Committed, Rejection>>, StoreError> {
        let origin = Arc::clone(&self.shared);
        self.transact(&mut Runs { origin: &origin.origin, commits: batch }, now, sign)
    }

    /// Keeps a sealed protocol snapshot by its hash. Does nothing when it is there already.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn put_snapshot(&mut self, hash: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.put_blob(SNAPSHOT, hash, bytes)
    }

    /// Keeps other content by its hash. Does nothing when it is there already.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn put_blob(&mut self, class: &str, hash: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.durable(|connection| {
            connection
                .prepare_cached("INSERT OR IGNORE INTO blobs(hash, class, bytes) VALUES(?1, ?2, ?3)")?
                .execute(params![hash, class, bytes])?;
            Ok(())
        })
    }

    /// Where the ledger stands, if that is what was signed: what another signature may be given for.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], or whatever SQLite reports.
    pub fn signed_head(&mut self) -> Result<Head, StoreError> {
        self.landed(0);
        ledger::head_to_follow(&locked(&self.lane).connection, None, &self.shared)
    }

    /// Keeps a checkpoint that was published or countersigned. A later note for the same size replaces the earlier one.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn put_checkpoint(&mut self, size: u64, note: &str) -> Result<(), StoreError> {
        let size = column(size)?;
        self.durable(|connection| {
            connection
                .prepare_cached("INSERT INTO checkpoints(size, note) VALUES(?1, ?2) ON CONFLICT(size) DO UPDATE SET note = excluded.note")?
                .execute(params![size, note])?;
            Ok(())
        })
    }

    /// Takes a host store out of service: from now on every read of it fails and every commit that touches it is left out. Answers
    /// `false` when there is no such store.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn quarantine(&mut self, store: &str, reason: &str) -> Result<bool, StoreError> {
        self.durable(|connection| {
            let changed =
                connection.prepare_cached("UPDATE stores SET quarantined = ?2 WHERE name = ?1")?.execute(params![store, reason])?;
            Ok(changed > 0)
        })
    }

    /// Puts a host store back into service. Answers `false` when there is no such store.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn release(&mut self, store: &str) -> Result<bool, StoreError> {
        self.durable(|connection| {
            let changed = connection.prepare_cached("UPDATE stores SET quarantined = NULL WHERE name = ?1")?.execute(params![store])?;
            Ok(changed > 0)
        })
    }

    /// Applies writes that no entry accounts for, versions as given: restoring, and fixtures. An audit will not find where they came from.
    ///
    /// # Errors
    /// [`StoreError::Kind`], or as [`Writer::append`].
    pub fn import_rows(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        self.durable(|connection| {
            let mut pending = Pending::new(connection);
            pending.apply(writes)?;
            pending.flush()
        })
    }

    /// Moves the write-ahead log into the file as far as no reader needs it.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn checkpoint(&mut self) -> Result<Checkpointed, StoreError> {
        self.landed(0);
        locked(&self.lane).checkpoint()
    }

    /// After a durable transaction.
    pub(crate) fn checkpoint_after(&mut self, durable: bool) {
        locked(&self.lane).checkpoint_after(durable);
    }

    /// One durable transaction.
    pub(crate) fn durable<T>(&mut self, act: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.landed(0);
        locked(&self.lane).durable(act)
    }
}

/// Runs, sealed by the core alone.
struct Runs<'a> {
    origin: &'a str,
    commits: &'a [Commit],
}

impl<'a> Batch for Runs<'a> {
    type Left = Rejection;
    type Rest = &'a Commit;

    /// A run receipt neither reads nor writes the derived state.
    const GOVERNED: bool = false;

    fn len(&self) -> usize {
        self.commits.len()
    }

    fn admit(&mut self, nth: usize, beside: &mut Beside<'_>) -> Result<Option<Rejection>, StoreError> {
        let commit = self.commits.get(nth).ok_or(NO_UNIT)?;
        if commit.origin != self.origin {
            return Ok(Some(Rejection::Origin { expected: self.origin.to_owned(), found: commit.origin.clone() }));
        }
        beside.stands(&commit.run, &commit.reads, &commit.writes)
    }

    fn records(&self, nth: usize) -> Result<&[Record], StoreError> {
        Ok(&self.commits.get(nth).ok_or(NO_UNIT)?.draft.records)
    }

    fn judge(&mut self, nth: usize, _: &Tx<'_>, head: &Head, at: &str) -> Result<Judged<Rejection>, StoreError> {
        let commit = self.commits.get(nth).ok_or(NO_UNIT)?;
        let draft = Draft { at: at.to_owned(), ..commit.draft.clone() };
        Ok(seal(head, self.origin, draft).map(|sealed| (sealed, StateDelta::default())).map_err(Rejection::Refused))
    }

    fn rest(&mut self, nth: usize, _: &Committed, _: &mut Beside<'_>) -> Result<&'a Commit, StoreError> {
        self.commits.get(nth).ok_or(NO_UNIT)
    }

    fn store(commit: &'a Commit, seq: u64, beside: &mut Beside<'_>) -> Result<(), StoreError> {
        beside.run(seq, &commit.run, &commit.writes)
    }

    fn is_conflict(left: &Rejection) -> bool {
        matches!(left, Rejection::Conflict(_))
    }
}

/// The later of two instants. A clock that cannot be read is left to the core to refuse.
pub(crate) fn later(head: &str, now: &str) -> String {
    match Instant::parse(now) {
        Some(now) if now.as_str() < head => head.to_owned(),
        Some(now) => now.into(),
        None => now.to_owned(),
    }
}
