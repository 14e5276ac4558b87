//! The transaction of a long batch on two threads: while one unit is judged, the rows of those before it are written.
//!
//! The judge reads through a connection of its own. It sees the last commit, which nobody else can follow while this transaction holds the
//! lock, and before that what the units of the batch have written so far, from memory: the same as in [`crate::batch`], one after the other.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use enact_core::entry::{Head, Sealed};
use enact_core::hash::Hash;
use enact_core::state::Put;
use rusqlite::Connection;

use crate::batch::{self, Batch, Begun, Done, Tx};
use crate::cache::Cache;
use crate::derived;
use crate::error::StoreError;
use crate::executions::{self, Execution};
use crate::ledger;
use crate::links::Links;
use crate::model::Committed;
use crate::number::column;
use crate::refusals;

/// Units from which on a second thread is worth its start and the judge's first reads.
pub(crate) const UNITS_MIN: usize = 32;

/// Entries that may wait for being written. More would not make anything faster.
const WAITING_MAX: usize = 64;

/// What an entry leaves in the file.
struct Stored {
    seq: i64,
    bytes: Vec<u8>,
    leaf: Hash,
    puts: Vec<Put>,
    note: Option<Execution>,
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

/// As the transaction of [`crate::batch`], of units that read and write the derived state and nothing else.
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
    let (mut links, mut kept) = (Links::default(), Vec::new());
    let mut answers = Vec::with_capacity(batch.len());
    let mut appended = false;
    let (rows, waiting) = sync_channel::<Stored>(WAITING_MAX);
    let open = thread::scope(|scope| {
        let writing = scope.spawn(move || written(open, &waiting));
        // By value: when it returns or panics, nothing follows and the writing thread ends.
        let mut judging = |rows: SyncSender<Stored>| -> Result<(), StoreError> {
            for nth in 0..batch.len() {
                let (Sealed { seq, bytes, entry_hash, leaf, records, head: next }, delta) = match batch.judge(nth, &tx, &head, &at)? {
                    Ok(entry) => entry,
                    Err(left) => {
                        kept.extend(batch.keep(&left));
                        answers.push(Err(left));
                        continue;
                    }
                };
                let place = column(seq)?;
                tx.wrote(place, &delta.puts);
                links.add(seq, batch.records(nth)?, &records);
                let committed = Committed { seq, entry_hash, leaf, at: next.at.clone() };
                let note = batch.note(nth, &committed)?;
                answers.push(Ok(committed));
                head = next;
                appended = true;
                if rows.send(Stored { seq: place, bytes, leaf, puts: delta.puts, note }).is_err() {
                    // The writing thread has failed and says why.
                    return Ok(());
                }
            }
            Ok(())
        };
        let judged = judging(rows);
        let open = writing.join().map_err(|_| StoreError::Io { detail: "the writing thread stopped".to_owned(), extended: 0 });
        judged.and(open?)
    })?;
    let cache = tx.into_cache();
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
fn written<'c>(open: Open<'c>, waiting: &Receiver<Stored>) -> Result<Open<'c>, StoreError> {
    for Stored { seq, bytes, leaf, puts, note } in waiting {
        ledger::insert_entry(open.0, seq, &bytes, &leaf)?;
        puts.iter().try_for_each(|put| derived::insert(open.0, seq, put))?;
        note.iter().try_for_each(|note| executions::put(open.0, note))?;
    }
    Ok(open)
}
