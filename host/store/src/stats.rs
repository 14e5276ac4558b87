//! Counters of what a store has done since it was opened; in memory, for people and benchmarks, never part of a decision.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde::Serialize;

use crate::schema::PAGE_BYTES;

/// What SQLite writes in front of each page in the write-ahead log.
const FRAME_HEADER_BYTES: u64 = 24;

/// A reading of the counters of one [`crate::Store`] in this process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Stats {
    /// Durable transactions. Each costs one sync of the write-ahead log.
    pub transactions: u64,
    /// Commits that are in the ledger.
    pub commits: u64,
    /// Commits left out because something they relied on had changed.
    pub conflicts: u64,
    /// Commits left out for any other reason.
    pub refused: u64,
    /// Bytes appended to the write-ahead log. A checkpoint writes at most as many again to the file, fewer for pages changed repeatedly.
    pub wal_bytes: u64,
    /// Checkpoints that moved at least one page.
    pub checkpoints: u64,
}

/// The counters themselves. `Relaxed` throughout: they order nothing.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) transactions: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    wal_bytes: AtomicU64,
    wal_pages: AtomicU32,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    /// Called after each commit with the number of pages in the write-ahead log, which starts over after a checkpoint.
    pub(crate) fn committed(&self, pages: u32) {
        let before = self.wal_pages.swap(pages, Ordering::Relaxed);
        let new = u64::from(pages.checked_sub(before).unwrap_or(pages));
        let frame = PAGE_BYTES.unsigned_abs().saturating_add(FRAME_HEADER_BYTES);
        Self::add(&self.wal_bytes, new.saturating_mul(frame));
    }

    /// Pages in the write-ahead log after our latest commit.
    pub(crate) fn wal_pages(&self) -> u32 {
        self.wal_pages.load(Ordering::Relaxed)
    }

    pub(crate) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            transactions: read(&self.transactions),
            commits: read(&self.commits),
            conflicts: read(&self.conflicts),
            refused: read(&self.refused),
            wal_bytes: read(&self.wal_bytes),
            checkpoints: read(&self.checkpoints),
        }
    }
}
