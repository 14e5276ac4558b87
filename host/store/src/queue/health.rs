//! How the queue does: what is due and for how long, who holds what, what failed lately. Looked up, however many items lie behind.

use rusqlite::{OptionalExtension as _, params};

use crate::error::StoreError;
use crate::number::{bound, queued};
use crate::queue::READY;
use crate::reader::Reader;
use crate::schema::{self, FORMAT_DUE};

/// How the queue does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QueueHealth {
    /// What can be taken now, by contract.
    pub waiting: Vec<QueueWaiting>,
    /// Who holds something whose deadline is still to come.
    pub holders: Vec<QueueHolder>,
    /// The same of leases that have ended and are not written down as lost.
    pub expired: Vec<QueueHolder>,
    /// Attempts that failed since the time asked for, by contract.
    pub failures: Vec<(String, u64)>,
}

/// What waits for a worker under one contract.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueWaiting {
    /// The contract.
    pub contract: String,
    /// How many are ready and due.
    pub items: u64,
    /// The one that is next, or has become due before it.
    pub first: String,
    /// Since when it is ready and due.
    pub since: u64,
}

/// Leases of one owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueHolder {
    /// The worker.
    pub owner: String,
    /// How many it holds.
    pub items: u64,
    /// The first of their deadlines.
    pub deadline: u64,
}

/// What waits for a time.
pub(crate) const WAITS: &str = "SELECT contract, item, updated, not_before FROM queue_items INDEXED BY queue_waiting \
                                WHERE status = 'READY' AND waiting = 1 AND archived = 0 ORDER BY not_before";
/// The first one of a contract that waits for nothing.
pub(crate) const FIRST: &str = "SELECT item, updated FROM queue_items INDEXED BY queue_ready_contract \
                                WHERE status = 'READY' AND waiting = 0 AND archived = 0 AND contract = ?1 ORDER BY seq, pos LIMIT 1";
/// Leases by their deadline.
pub(crate) const HELD: &str = "SELECT owner, deadline FROM queue_items INDEXED BY queue_leases \
                               WHERE deadline IS NOT NULL AND deadline > ?1 AND deadline <= ?2 ORDER BY deadline";
/// Lines of attempts that failed.
pub(crate) const FAILED: &str = "SELECT i.contract FROM queue_journal j INDEXED BY queue_failures JOIN queue_items i ON i.item = j.item \
                                 WHERE j.event IN ('failed', 'settlement_failed') AND j.at >= ?1";

impl Reader {
    /// How the queue does at this time, with the attempts that failed from `since` on.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn queue_health(&mut self, now: u64, since: u64) -> Result<QueueHealth, StoreError> {
        let mut health = QueueHealth::default();
        if !self.is_queued()? {
            return Ok(health);
        }
        for count in self.queue_counts(None)?.into_iter().filter(|count| count.status == READY) {
            let first =
                self.connection.prepare_cached(FIRST)?.query_row([&count.contract], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (first, since) = match first {
                Some((item, updated)) => (item, queued(updated, "an item's time")?),
                None => (String::new(), u64::MAX),
            };
            health.waiting.push(QueueWaiting { contract: count.contract, items: count.items, first, since });
        }
        self.later(now, &mut health.waiting)?;
        health.waiting.retain(|waiting| waiting.items > 0);
        health.holders = self.holders(now, u64::MAX)?;
        health.expired = self.holders(0, now)?;
        let sql = if schema::format(&self.connection)? >= FORMAT_DUE {
            FAILED.to_owned()
        } else {
            FAILED.replace("INDEXED BY queue_failures", "")
        };
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([bound(since)])?;
        while let Some(row) = rows.next()? {
            let contract: String = row.get(0)?;
            match health.failures.iter_mut().find(|(of, _)| *of == contract) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => health.failures.push((contract, 1)),
            }
        }
        health.failures.sort_unstable();
        Ok(health)
    }

    /// Takes away what is ready and not due yet; what has become due and was not moved yet may be the oldest.
    fn later(&self, now: u64, waiting: &mut [QueueWaiting]) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(WAITS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let contract: String = row.get(0)?;
            let (updated, not_before) = (queued(row.get(2)?, "an item's time")?, queued(row.get(3)?, "an item's earliest time")?);
            let Some(of) = waiting.iter_mut().find(|waiting| waiting.contract == contract) else { continue };
            let due = updated.max(not_before);
            if not_before > now {
                of.items = of.items.saturating_sub(1);
            } else if due < of.since {
                (of.since, of.first) = (due, row.get(1)?);
            }
        }
        Ok(())
    }

    /// Leases whose deadlines lie after `from`, up to `to`, by owner in the order of their first deadlines.
    fn holders(&mut self, from: u64, to: u64) -> Result<Vec<QueueHolder>, StoreError> {
        let mut statement = self.connection.prepare_cached(HELD)?;
        let mut rows = statement.query(params![bound(from), bound(to)])?;
        let mut holders: Vec<QueueHolder> = Vec::new();
        while let Some(row) = rows.next()? {
            let (owner, deadline): (String, _) = (row.get(0)?, queued(row.get(1)?, "a deadline")?);
            match holders.iter_mut().find(|holder| holder.owner == owner) {
                Some(holder) => holder.items = holder.items.saturating_add(1),
                None => holders.push(QueueHolder { owner, items: 1, deadline }),
            }
        }
        Ok(holders)
    }
}
