//! Checkpoints: moving pages from the write-ahead log to the file, off the path of commits. Losing one loses nothing.
//!
//! A passive checkpoint waits for nobody, but under constant load it never catches up with the writer and the log would grow without end.
//! So there are two bounds: from the first one on a thread works in the background; at the second one the writer, between two batches,
//! does the small rest itself, and its next commit starts the log over.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::error::StoreError;
use crate::open::{self, OpenOptions};
use crate::stats::Counters;

/// Pages after which the background thread is woken: 16 MiB. Smaller rewrites the pages at the right edges more often than needed.
pub(crate) const SOFT_PAGES: u32 = 4096;

/// Pages after which the writer catches up: 64 MiB. Larger makes recovery after a crash and reads through the log slower.
pub(crate) const HARD_PAGES: u32 = 16_384;

/// The background thread and the lock that keeps it and a writer from checkpointing at once.
pub(crate) struct Checkpointer {
    due: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    running: Arc<Mutex<()>>,
}

impl Checkpointer {
    /// Starts the thread with a connection of its own.
    pub(crate) fn start(options: &OpenOptions, counters: Arc<Counters>) -> Result<Self, StoreError> {
        let connection = open::writing(options)?;
        let running = Arc::new(Mutex::new(()));
        let lock = Arc::clone(&running);
        // One pending wake-up is enough: a checkpoint takes all there is.
        let (due, wake) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || serve(&connection, &wake, &lock, &counters))
            .map_err(|e| StoreError::Io { detail: e.to_string(), extended: 0 })?;
        Ok(Self { due: Some(due), thread: Some(thread), running })
    }

    /// Wakes the thread. Never waits.
    pub(crate) fn wake(&self) {
        if let Some(due) = &self.due {
            // Full means that it is awake already; closed that it failed, and then the writer catches up at the second bound.
            let _ = due.try_send(());
        }
    }

    /// The lock to hold while checkpointing elsewhere.
    pub(crate) fn running(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.running)
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.due.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has already been reported by the panic hook, and a checkpoint can always be left to someone else.
            drop(thread.join());
        }
    }
}

fn serve(connection: &Connection, wake: &Receiver<()>, running: &Mutex<()>, counters: &Counters) {
    while wake.recv().is_ok() {
        let _guard = running.lock().unwrap_or_else(PoisonError::into_inner);
        // An error is not lost: whatever is wrong with the file meets the next commit too.
        if let Ok((_, moved)) = passive(connection)
            && moved > 0
        {
            Counters::add(&counters.checkpoints, 1);
        }
    }
}

/// Moves what no reader needs any more. Answers the pages in the log and how many of them are in the file.
pub(crate) fn passive(connection: &Connection) -> Result<(u64, u64), StoreError> {
    let pages: (i64, i64) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))?;
    // -1 stands for "another checkpoint is running".
    let count = |pages: i64| u64::try_from(pages).unwrap_or(0);
    Ok((count(pages.0), count(pages.1)))
}
