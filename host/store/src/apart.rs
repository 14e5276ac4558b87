//! The transaction of a long batch on two threads: while one unit is judged, the rows of those before it are written.
//!
//! The judge reads through a connection of its own. It sees the last commit, which nobody else can follow while this transaction holds the
//! lock, and before that what the units of the batch have written so far, from memory: the same as in [`crate::batch`], one after the other.

use std::mem;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use enact_core::entry::{Head, Sealed};
use enact_core::hash::Hash;
use enact_core::state::Put;
use rusqlite::Connection;

use crate::batch::{self, Batch, Begun, Beside, Done, Tx};
use crate::cache::Cache;
use crate::derived;
use crate::error::StoreError;
use crate::ledger;
use crate::links::Links;
use crate::model::Committed;
use crate::number::column;
use crate::refusals;

/// Units from which on a second thread is worth its start and the judge's first reads.
pub(crate) const UNITS_MIN: usize = 32;

/// Entries that are handed over at once: waking the other thread costs as much as writing one of them.
const HANDED: usize = 16;

/// Such handfuls that may wait for being written. More would not make anything faster.
const WAITING_MAX: usize = 4;

/// What an entry leaves in the file.
struct Stored<R> {
    seq: u64,
    bytes: Vec<u8>,
    leaf: Hash,
    puts: Vec<Put>,
    rest: R,
}

/// A transaction that is rolled back unless it is committed; on whatever thread it is dropped.
struct Open<'c>(&'c mut Connection);

impl<'c> Open<'c> {
    fn begin(connection: &'c mut Connection) -> Result<Self, StoreError> {
        // Immediate: the lock is taken before the head is read, so that no other process can append in between.
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }

    fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.execute_batch("COMMIT")?)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // Fails only when the connection is beyond use, which its next call will say.
            drop(self.0.execute_batch("ROLLBACK"));
        }
    }
}

/// As the transaction of [`crate::batch`], of governed units of which none depends on what another leaves beside its entry.
pub(crate) fn append<B: Batch>(
    connection: &mut Connection,
    reads: &Connection,
    cache: Cache,
    batch: &mut B,
    now: &str,
    sign: &dyn Fn(&Head) -> String,
) -> Result<Done<B::Left>, StoreError> {
    let open = Open::begin(connection)?;
    let Begun { mut head, cache, at } = batch::begun::<B>(open.0, cache, now)?;
    let before = head.size;
    let reading = reads.unchecked_transaction()?;
    // A deferred transaction takes its snapshot with its first read.
    let last = derived::last(&reading)?;
    if cache.known != Some(last) {
        return Err(StoreError::Corrupt { detail: "two connections see two ledgers".to_owned() });
    }
    let tx = Tx::new(&reading, cache);
    // Asked about the last commit: that is what `Batch::is_apart` promises.
    let mut beside = Beside::new(&reading);
    let (mut links, mut kept) = (Links::default(), Vec::new());
    let mut answers = Vec::with_capacity(batch.len());
    let mut appended = false;
    let (rows, waiting) = sync_channel::<Vec<Stored<B::Rest>>>(WAITING_MAX);
    let open = thread::scope(|scope| {
        let writing = scope.spawn(move || written::<B>(open, &waiting));
        // By value: when it returns or panics, nothing follows and the writing thread ends.
        let mut judging = |rows: SyncSender<Vec<Stored<B::Rest>>>| -> Result<(), StoreError> {
            let mut stored = Vec::with_capacity(HANDED);
            for nth in 0..batch.len() {
                let judged = match batch.admit(nth, &mut beside)? {
                    Some(left) => Err(left),
                    None => batch.judge(nth, &tx, &head, &at)?,
                };
                let (Sealed { seq, bytes, entry_hash, leaf, records, head: next }, delta) = match judged {
                    Ok(entry) => entry,
                    Err(left) => {
                        kept.extend(batch.keep(&left));
                        answers.push(Err(left));
                        continue;
                    }
                };
                tx.wrote(column(seq)?, &delta.puts);
                links.add(seq, batch.records(nth)?, &records);
                let committed = Committed { seq, entry_hash, leaf, at: next.at.clone() };
                let rest = batch.rest(nth, &committed, &mut beside)?;
                answers.push(Ok(committed));
                head = next;
                appended = true;
                stored.push(Stored { seq, bytes, leaf, puts: delta.puts, rest });
                if stored.len() == HANDED && rows.send(mem::replace(&mut stored, Vec::with_capacity(HANDED))).is_err() {
                    // The writing thread has failed and says why.
                    return Ok(());
                }
            }
            // Here as well.
            drop(rows.send(stored));
            Ok(())
        };
        let judged = judging(rows);
        let open = writing.join().map_err(|_| StoreError::Io { detail: "the writing thread stopped".to_owned(), extended: 0 });
        judged.and(open?)
    })?;
    let cache = tx.into_cache();
    drop(beside);
    drop(reading);
    let durable = appended || !kept.is_empty();
    if durable {
        for proposal in &kept {
            refusals::insert(open.0, proposal)?;
        }
        links.flush(open.0, before, head.size)?;
        if appended {
            ledger::set_head(open.0, &head, &sign(&head))?;
        }
        open.commit()?;
    }
    Ok(Done { answers, durable, cache })
}

/// Writes what comes, and gives the transaction back.
fn written<'c, B: Batch>(open: Open<'c>, waiting: &Receiver<Vec<Stored<B::Rest>>>) -> Result<Open<'c>, StoreError> {
    let mut beside = Beside::new(open.0);
    for Stored { seq, bytes, leaf, puts, rest } in waiting.iter().flatten() {
        let place = column(seq)?;
        ledger::insert_entry(open.0, place, &bytes, &leaf)?;
        puts.iter().try_for_each(|put| derived::insert(open.0, place, put))?;
        B::store(rest, seq, &mut beside)?;
    }
    beside.flush()?;
    Ok(open)
}
