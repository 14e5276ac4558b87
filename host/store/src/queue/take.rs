//! Leases: taking what is ready in the order of the queue, renewing, and giving back what has expired.

use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::lane::locked;
use crate::number::{bound, column};
use crate::queue::change::{COLUMNS, Queue, item};
use crate::queue::{EXECUTING, Fence, LEASE_LOST, LEASED, QueueChange, QueueItem, QueueLease, QueueRefused, QueueRow, QueueTake, READY};
use crate::writer::Writer;

/// The next ones that may be taken, over all contracts. `status = 'READY'` and the rest are those of the index, word for word.
pub(crate) const NEXT: &str = "FROM queue_items i INDEXED BY queue_ready \
                               WHERE i.status = 'READY' AND i.waiting = 0 AND i.archived = 0 ORDER BY i.seq, i.pos LIMIT ?1";
/// The next ones of one contract.
pub(crate) const NEXT_OF: &str = "FROM queue_items i INDEXED BY queue_ready_contract \
                                  WHERE i.status = 'READY' AND i.waiting = 0 AND i.archived = 0 AND i.contract = ?2 \
                                  ORDER BY i.seq, i.pos LIMIT ?1";
/// Those whose time has come since they were made ready.
pub(crate) const DUE: &str = "UPDATE queue_items INDEXED BY queue_waiting SET waiting = 0 \
                              WHERE status = 'READY' AND waiting = 1 AND archived = 0 AND not_before <= ?1";
/// Leases that have expired.
pub(crate) const EXPIRED: &str = "FROM queue_items i INDEXED BY queue_leases WHERE i.deadline <= ?1 ORDER BY i.deadline, i.id";

/// What became of each change, and what was taken beside.
pub type QueueTaken = (Vec<Result<(), QueueRefused>>, Vec<QueueItem>);

/// Answers the line of a step of an item: the event, and the item after it with the line before it.
pub type StepLine<'a> = dyn FnMut(&str, &QueueItem) -> String + 'a;

impl Writer {
    /// Takes up to `count` items that are ready and whose time has come, in the order of the queue, in one durable transaction; leases that
    /// have expired are given back first. Each gets the owner, a deadline, the next fencing number and one more attempt. `line` makes the
    /// journal's line of each step: it is given the event and the item after it, with the line before it.
    ///
    /// With nothing to take the lock is not asked for, so that idle workers are in nobody's way.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn queue_lease(&mut self, take: &QueueTake<'_>, line: &mut StepLine<'_>) -> Result<Vec<QueueItem>, StoreError> {
        Ok(self.queue_take(&[], take, line)?.1)
    }

    /// The same after these changes, in the same transaction; what they take counts too. Answers what became of each change, and what was
    /// taken beside.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn queue_take(&mut self, first: &[QueueChange], take: &QueueTake<'_>, line: &mut StepLine<'_>) -> Result<QueueTaken, StoreError> {
        self.landed(0);
        let nothing = first.is_empty() && (take.count == 0 || !anything(&locked(&self.lane).connection, take)?);
        self.queued(nothing, |queue| {
            let answers = queue.change(first, |change| &change.expect)?;
            let before = u64::try_from(answers.iter().filter(|answer| answer.is_ok()).count()).unwrap_or(u64::MAX);
            let count = take.count.saturating_sub(before);
            if count == 0 {
                return Ok((answers, Vec::new()));
            }
            give_back(queue, take.now, line)?;
            queue.connection().prepare_cached(DUE)?.execute([bound(take.now)])?;
            let next = next(queue, take.contracts, count)?;
            let mut taken = Vec::with_capacity(next.len());
            for found in next {
                let lease = QueueLease { owner: take.owner.to_owned(), deadline: take.now.saturating_add(take.ttl) };
                let row = QueueRow {
                    status: EXECUTING.to_owned(),
                    not_before: 0,
                    attempts: found.row.attempts.saturating_add(1),
                    lease: Some(lease),
                    // A number that is used up would let two owners hold the same one.
                    fence: found.row.fence.checked_add(1).ok_or(StoreError::Range { what: "a fencing number" })?,
                    ..found.row.clone()
                };
                taken.push(step(queue, &found, row, LEASED, take.now, line)?);
            }
            Ok((answers, taken))
        })
    }

    /// Gives back what is held beyond its deadline: an item that is [`EXECUTING`] is [`READY`] again, one in another status only loses its
    /// lease. Fencing numbers stay, so its holder may still come in as long as nobody has taken it. Answers the items that are ready again.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn queue_recover(&mut self, now: u64, line: &mut StepLine<'_>) -> Result<Vec<QueueItem>, StoreError> {
        self.landed(0);
        let nothing = !exists(&locked(&self.lane).connection, &format!("SELECT EXISTS(SELECT 1 {EXPIRED})"), params![bound(now)])?;
        self.queued(nothing, |queue| give_back(queue, now, line))
    }

    /// Moves the deadline of items that the owner holds under these numbers, expired or not. No status changes, so no line is written.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn queue_renew(&mut self, owner: &str, held: &[Fence], deadline: u64) -> Result<Vec<Result<(), QueueRefused>>, StoreError> {
        self.queued(held.is_empty(), |queue| {
            let mut answers = Vec::with_capacity(held.len());
            for fence in held {
                answers.push(match queue.admits(Some(fence), &[])? {
                    Some(refused) => Err(refused),
                    None => renew(queue, owner, fence, deadline)?,
                });
            }
            Ok(answers)
        })
    }
}

/// The next ones in their order, of these contracts or of all.
fn next(queue: &Queue<'_>, contracts: &[String], count: u64) -> Result<Vec<QueueItem>, StoreError> {
    if contracts.is_empty() {
        return queue.items(&format!("SELECT {COLUMNS} {NEXT}"), params![bound(count)]);
    }
    let mut next = Vec::new();
    for contract in contracts {
        next.extend(queue.items(&format!("SELECT {COLUMNS} {NEXT_OF}"), params![bound(count), contract])?);
    }
    next.sort_unstable_by_key(|item| (item.row.seq, item.row.pos, item.id));
    // A contract that is named twice.
    next.dedup_by_key(|item| item.id);
    next.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(next)
}

/// Moves one deadline. The item is there under its number.
fn renew(queue: &Queue<'_>, owner: &str, fence: &Fence, deadline: u64) -> Result<Result<(), QueueRefused>, StoreError> {
    let changed = queue
        .connection()
        .prepare_cached("UPDATE queue_items SET deadline = ?3 WHERE item = ?1 AND owner = ?2")?
        .execute(params![fence.item, owner, column(deadline)?])?;
    if changed > 0 {
        return Ok(Ok(()));
    }
    let found = queue.find(&fence.item)?.map(|found| found.row).unwrap_or_default();
    let item = fence.item.clone();
    Ok(Err(match found.lease {
        Some(QueueLease { owner, deadline }) => QueueRefused::Locked { item, owner, deadline },
        None => QueueRefused::Status { item, expected: EXECUTING.to_owned(), found: found.status },
    }))
}

fn give_back(queue: &mut Queue<'_>, now: u64, line: &mut StepLine<'_>) -> Result<Vec<QueueItem>, StoreError> {
    let mut ready = Vec::new();
    for found in queue.items(&format!("SELECT {COLUMNS} {EXPIRED}"), params![bound(now)])? {
        if found.row.status == EXECUTING {
            let row = QueueRow { status: READY.to_owned(), lease: None, ..found.row.clone() };
            ready.push(step(queue, &found, row, LEASE_LOST, now, line)?);
        } else {
            queue
                .connection()
                .prepare_cached("UPDATE queue_items SET owner = NULL, deadline = NULL WHERE id = ?1")?
                .execute([column(found.id)?])?;
        }
    }
    Ok(ready)
}

/// Moves an item with the line that the caller makes of it; answers it with that line.
fn step(
    queue: &mut Queue<'_>,
    found: &QueueItem,
    row: QueueRow,
    event: &str,
    at: u64,
    line: &mut StepLine<'_>,
) -> Result<QueueItem, StoreError> {
    let before = queue.line(found)?;
    let mut item = QueueItem { row, updated: at, line: before, ..found.clone() };
    let text = line(event, &item);
    queue.step(found, &item.row, event, at, &text)?;
    item.line = Some(text);
    Ok(item)
}

/// Whether there may be something to take: ready, due, or expired.
fn anything(connection: &Connection, take: &QueueTake<'_>) -> Result<bool, StoreError> {
    let now = bound(take.now);
    let mut ready = take.contracts.is_empty() && exists(connection, &format!("SELECT EXISTS(SELECT 1 {NEXT})"), params![1])?;
    for contract in take.contracts {
        ready = ready || exists(connection, &format!("SELECT EXISTS(SELECT 1 {NEXT_OF})"), params![1, contract])?;
    }
    Ok(ready
        || exists(
            connection,
            "SELECT EXISTS(SELECT 1 FROM queue_items INDEXED BY queue_waiting \
             WHERE status = 'READY' AND waiting = 1 AND archived = 0 AND not_before <= ?1)",
            params![now],
        )?
        || exists(connection, &format!("SELECT EXISTS(SELECT 1 {EXPIRED})"), params![now])?)
}

fn exists(connection: &Connection, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached(sql)?.query_row(parameters, |row| row.get(0))?)
}

impl Queue<'_> {
    /// Items by a statement over [`COLUMNS`], without their lines.
    fn items(&self, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<Vec<QueueItem>, StoreError> {
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(item(row)?);
        }
        Ok(found)
    }
}
