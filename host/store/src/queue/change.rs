//! Changing the queue inside a transaction: what is expected is compared, then row, members, counts and line are written together.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

use crate::error::StoreError;
use crate::number::{column, queued};
use crate::queue::{EXECUTING, Fence, QueueChange, QueueExpect, QueueItem, QueueLease, QueueMember, QueueRefused, QueueRow};
use crate::writer::Writer;

/// Columns of an item, in the order of [`item`], without its line.
pub(crate) const COLUMNS: &str = "i.id, i.item, i.contract, i.status, i.seq, i.pos, i.not_before, i.attempts, i.owner, i.deadline, \
                                  i.fence, i.updated, i.archived";

/// An item from its columns.
pub(crate) fn item(row: &SqlRow<'_>) -> Result<QueueItem, StoreError> {
    let number = |nth, what| queued(row.get(nth)?, what);
    let (owner, deadline): (Option<String>, Option<i64>) = (row.get(8)?, row.get(9)?);
    let lease = match (owner, deadline) {
        (Some(owner), Some(deadline)) => Some(QueueLease { owner, deadline: queued(deadline, "a deadline")? }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(StoreError::QueueRows { detail: "half a lease of an item".to_owned() }),
    };
    let queued = QueueRow {
        item: row.get(1)?,
        contract: row.get(2)?,
        status: row.get(3)?,
        seq: number(4, "an item's entry")?,
        pos: number(5, "an item's position")?,
        not_before: number(6, "an item's earliest time")?,
        attempts: number(7, "an item's attempts")?,
        lease,
        fence: number(10, "an item's fencing number")?,
    };
    let (id, updated) = (number(0, "an item's number")?, number(11, "an item's time")?);
    Ok(QueueItem { id, row: queued, updated, archived: row.get(12)?, line: None })
}

/// The queue in the transaction that changes it. Counts are kept here and written once, however many items move.
pub(crate) struct Queue<'c> {
    connection: &'c Connection,
    /// By member, contract, value and status; the member is empty for all items.
    counts: BTreeMap<(String, String, String, String), i64>,
    /// Items as [`Queue::admits`] found them, until the unit that it was asked about is written.
    admitted: HashMap<String, QueueItem>,
    /// Whether any item is counted by a member; `None` until it is asked.
    any_counted: Option<bool>,
}

impl<'c> Queue<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, counts: BTreeMap::new(), admitted: HashMap::new(), any_counted: None }
    }

    pub(crate) const fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// The latest line of an item, unless the journal was lost and its number is another's.
    pub(crate) fn line(&self, of: &QueueItem) -> Result<Option<String>, StoreError> {
        let sql = "SELECT j.line FROM queue_items i JOIN queue_journal j ON j.id = i.line AND j.item = i.item WHERE i.id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([column(of.id)?], |row| row.get(0)).optional()?)
    }

    /// Whether the fence is the present one and every change finds the item as expected. Writes nothing.
    pub(crate) fn admits(&mut self, fence: Option<&Fence>, changes: &[QueueChange]) -> Result<Option<QueueRefused>, StoreError> {
        self.admitted.clear();
        if let Some(Fence { item, fence }) = fence {
            let expect = QueueExpect::Is { status: None, fence: Some(*fence) };
            let found = self.admitting(item)?;
            if let Some(refused) = differs(item, &expect, found) {
                return Ok(Some(refused));
            }
        }
        for (nth, change) in changes.iter().enumerate() {
            let item = &change.row.item;
            let earlier = changes.iter().take(nth).rfind(|earlier| earlier.row.item == *item);
            let refused = match earlier {
                Some(earlier) => differs(item, &change.expect, Some((&earlier.row, false))),
                None => differs(item, &change.expect, self.admitting(item)?),
            };
            if refused.is_some() {
                return Ok(refused);
            }
        }
        Ok(None)
    }

    /// An item that is asked about, read once for all questions about a unit and for its first change.
    fn admitting(&mut self, item: &str) -> Result<Option<(&QueueRow, bool)>, StoreError> {
        if !self.admitted.contains_key(item)
            && let Some(found) = self.find(item)?
        {
            self.admitted.insert(item.to_owned(), found);
        }
        Ok(self.admitted.get(item).map(|found| (&found.row, found.archived)))
    }

    pub(crate) fn find(&self, of: &str) -> Result<Option<QueueItem>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM queue_items i WHERE i.item = ?1"))?;
        let mut rows = statement.query([of])?;
        rows.next()?.map(item).transpose()
    }

    /// The item of a change as it was admitted, once: nothing is written between that and the first change.
    pub(crate) fn taken(&mut self, item: &str) -> Option<QueueItem> {
        self.admitted.remove(item)
    }

    /// Writes a change that was admitted to the item as it was found then; a second change finds what the first has left. A new item
    /// that came with an entry has its place there.
    pub(crate) fn write(&mut self, change: &QueueChange, found: Option<QueueItem>, entry: Option<u64>) -> Result<(), StoreError> {
        let (row, line) = (&change.row, &change.line);
        let found = match found {
            Some(found) => Some(found),
            None => self.find(&row.item)?,
        };
        match found {
            Some(found) => self.update(&found, change, line),
            None => match entry {
                Some(seq) => self.insert(&QueueRow { seq, ..row.clone() }, change, line),
                None => self.insert(row, change, line),
            },
        }
    }

    /// Writes the changes that find their item as expected.
    pub(crate) fn change(
        &mut self,
        changes: &[QueueChange],
        expect: impl Fn(&QueueChange) -> &QueueExpect,
    ) -> Result<Vec<Result<(), QueueRefused>>, StoreError> {
        let mut answers = Vec::with_capacity(changes.len());
        for change in changes {
            let found = self.find(&change.row.item)?;
            let row = found.as_ref().map(|found| (&found.row, found.archived));
            answers.push(match (differs(&change.row.item, expect(change), row), &found) {
                (Some(refused), _) => Err(refused),
                (None, Some(found)) => Ok(self.update(found, change, &change.line)?),
                (None, None) => Ok(self.insert(&change.row, change, &change.line)?),
            });
        }
        Ok(answers)
    }

    fn insert(&mut self, row: &QueueRow, change: &QueueChange, line: &str) -> Result<(), StoreError> {
        let line = self.journal(&row.item, &row.status, &change.event, change.at, line)?;
        self.connection
            .prepare_cached(
                "INSERT INTO queue_items(item, contract, status, seq, pos, not_before, waiting, attempts, owner, deadline, fence, \
                 updated, archived, line) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, ?13)",
            )?
            .execute(params![
                row.item,
                row.contract,
                row.status,
                column(row.seq)?,
                column(row.pos)?,
                column(row.not_before)?,
                row.not_before > 0,
                column(row.attempts)?,
                row.lease.as_ref().map(|lease| &lease.owner),
                row.lease.as_ref().map(|lease| column(lease.deadline)).transpose()?,
                column(row.fence)?,
                column(change.at)?,
                line
            ])?;
        let id = self.connection.last_insert_rowid();
        self.keep(id, &change.kept)?;
        let counted = self.counted(id)?;
        self.count(&row.contract, &row.status, &counted, 1);
        Ok(())
    }

    fn update(&mut self, found: &QueueItem, change: &QueueChange, line: &str) -> Result<(), StoreError> {
        let id = column(found.id)?;
        let before = self.counted(id)?;
        let after = if change.kept.is_empty() {
            None
        } else {
            self.keep(id, &change.kept)?;
            Some(self.counted(id)?)
        };
        self.set(found, &change.row, &change.event, change.at, line)?;
        if found.row.status != change.row.status || after.is_some() {
            self.count(&found.row.contract, &found.row.status, &before, -1);
            self.count(&found.row.contract, &change.row.status, after.as_ref().unwrap_or(&before), 1);
        }
        Ok(())
    }

    /// Moves an item that is here, with a line, and counts it.
    pub(crate) fn step(&mut self, found: &QueueItem, row: &QueueRow, event: &str, at: u64, line: &str) -> Result<(), StoreError> {
        self.set(found, row, event, at, line)?;
        let counted = self.counted(column(found.id)?)?;
        self.count(&found.row.contract, &found.row.status, &counted, -1);
        self.count(&found.row.contract, &row.status, &counted, 1);
        Ok(())
    }

    fn set(&self, found: &QueueItem, row: &QueueRow, event: &str, at: u64, line: &str) -> Result<(), StoreError> {
        let line = self.journal(&found.row.item, &row.status, event, at, line)?;
        self.connection
            .prepare_cached(
                "UPDATE queue_items SET status = ?2, not_before = ?3, waiting = ?4, attempts = ?5, owner = ?6, deadline = ?7, fence = ?8, \
                 updated = ?9, line = ?10 WHERE id = ?1",
            )?
            .execute(params![
                column(found.id)?,
                row.status,
                column(row.not_before)?,
                row.not_before > 0,
                column(row.attempts)?,
                row.lease.as_ref().map(|lease| &lease.owner),
                row.lease.as_ref().map(|lease| column(lease.deadline)).transpose()?,
                column(row.fence)?,
                column(at)?,
                line
            ])?;
        Ok(())
    }

    /// Writes a line; answers its number.
    fn journal(&self, item: &str, status: &str, event: &str, at: u64, line: &str) -> Result<i64, StoreError> {
        self.connection
            .prepare_cached("INSERT INTO queue_journal(item, event, status, at, line) VALUES(?1, ?2, ?3, ?4, ?5)")?
            .execute(params![item, event, status, column(at)?, line])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn keep(&mut self, id: i64, kept: &[QueueMember]) -> Result<(), StoreError> {
        for member in kept {
            if member.counted {
                self.any_counted = Some(true);
            }
            self.connection
                .prepare_cached(
                    "INSERT INTO queue_kept(item, member, value, counted) VALUES(?1, ?2, ?3, ?4) \
                     ON CONFLICT(item, member) DO UPDATE SET value = excluded.value, counted = excluded.counted",
                )?
                // The empty name stands for all items among the counts.
                .execute(params![id, member.name, member.value, member.counted && !member.name.is_empty()])?;
        }
        Ok(())
    }

    /// Members by which an item is counted, with their values. Where nothing is counted by a member, no item is asked.
    fn counted(&mut self, id: i64) -> Result<Vec<(String, String)>, StoreError> {
        let any = match self.any_counted {
            Some(any) => any,
            None => {
                let sql = "SELECT EXISTS(SELECT 1 FROM queue_counts WHERE member > '')";
                *self.any_counted.insert(self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
            }
        };
        if !any {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached("SELECT member, value FROM queue_kept WHERE item = ?1 AND counted = 1")?;
        let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn count(&mut self, contract: &str, status: &str, counted: &[(String, String)], by: i64) {
        let all = (String::new(), String::new());
        for (member, value) in counted.iter().chain([&all]) {
            let key = (member.clone(), contract.to_owned(), value.clone(), status.to_owned());
            let moved = self.counts.entry(key).or_default();
            *moved = moved.saturating_add(by);
        }
    }

    /// Takes an item out of the lists. Its lines and its id stay.
    fn archive(&mut self, found: &QueueItem) -> Result<(), StoreError> {
        let id = column(found.id)?;
        self.connection.prepare_cached("UPDATE queue_items SET archived = 1 WHERE id = ?1")?.execute([id])?;
        let counted = self.counted(id)?;
        self.count(&found.row.contract, &found.row.status, &counted, -1);
        Ok(())
    }

    /// Writes the counts back.
    pub(crate) fn flush(self) -> Result<(), StoreError> {
        for ((member, contract, value, status), by) in self.counts.into_iter().filter(|(_, by)| *by != 0) {
            self.connection
                .prepare_cached(
                    "INSERT INTO queue_counts(member, contract, value, status, items) VALUES(?1, ?2, ?3, ?4, ?5) \
                     ON CONFLICT(member, contract, value, status) DO UPDATE SET items = items + excluded.items",
                )?
                .execute(params![member, contract, value, status, by])?;
            if by < 0 {
                self.connection
                    .prepare_cached(
                        "DELETE FROM queue_counts WHERE member = ?1 AND contract = ?2 AND value = ?3 AND status = ?4 AND items = 0",
                    )?
                    .execute(params![member, contract, value, status])?;
            }
        }
        Ok(())
    }
}

/// Why the item is not as expected.
fn differs(item: &str, expect: &QueueExpect, found: Option<(&QueueRow, bool)>) -> Option<QueueRefused> {
    let item = item.to_owned();
    let (status, fence, found, archived) = match (expect, found) {
        (QueueExpect::Absent, None) => return None,
        (QueueExpect::Absent, Some((found, _))) => return Some(QueueRefused::Exists { item, status: found.status.clone() }),
        (QueueExpect::Is { .. }, None) => return Some(QueueRefused::Unknown { item }),
        (QueueExpect::Is { status, fence }, Some((found, archived))) => (status, *fence, found, archived),
    };
    if archived {
        return Some(QueueRefused::Archived { item });
    }
    let other = status.as_ref().filter(|status| **status != found.status);
    // Who thinks that nobody holds it has lost a race; who thinks to hold it himself has lost his lease.
    let held = found.lease.as_ref().filter(|_| other.is_some_and(|expected| expected != EXECUTING));
    if let Some(QueueLease { owner, deadline }) = held {
        return Some(QueueRefused::Locked { item, owner: owner.clone(), deadline: *deadline });
    }
    if let Some(expected) = fence.filter(|fence| *fence != found.fence) {
        return Some(QueueRefused::Fenced { item, expected, found: found.fence });
    }
    other.map(|expected| QueueRefused::Status { item, expected: expected.clone(), found: found.status.clone() })
}

impl Writer {
    /// Adds items in one durable transaction. Answers for each whether it was added: its id must be new, also among archived items,
    /// whatever the change expects.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn queue_add(&mut self, items: &[QueueChange]) -> Result<Vec<Result<(), QueueRefused>>, StoreError> {
        self.changes(items, |_| &QueueExpect::Absent)
    }

    /// Changes items in one durable transaction, each if it is as expected, with its line. A change that is refused leaves no trace, and
    /// later ones are compared with what earlier ones left.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn queue_change(&mut self, changes: &[QueueChange]) -> Result<Vec<Result<(), QueueRefused>>, StoreError> {
        self.changes(changes, |change| &change.expect)
    }

    fn changes(
        &mut self,
        changes: &[QueueChange],
        expect: impl Fn(&QueueChange) -> &QueueExpect,
    ) -> Result<Vec<Result<(), QueueRefused>>, StoreError> {
        self.queued(changes.is_empty(), |queue| queue.change(changes, expect))
    }

    /// Takes items out of the lists and counts, each if it is still in the status named and nobody holds it. Their lines stay, and so do
    /// their ids: none can be added again. No line is written, since no status changes.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn queue_archive(&mut self, items: &[(String, String)]) -> Result<Vec<Result<(), QueueRefused>>, StoreError> {
        self.queued(items.is_empty(), |queue| {
            let mut answers = Vec::with_capacity(items.len());
            for (item, status) in items {
                let found = queue.find(item)?;
                let expect = QueueExpect::Is { status: Some(status.clone()), fence: None };
                let held = found.as_ref().and_then(|found| found.row.lease.clone());
                let refused = differs(item, &expect, found.as_ref().map(|found| (&found.row, found.archived)))
                    .or_else(|| held.map(|QueueLease { owner, deadline }| QueueRefused::Locked { item: item.clone(), owner, deadline }));
                answers.push(match (refused, found) {
                    (Some(refused), _) => Err(refused),
                    (None, Some(found)) => Ok(queue.archive(&found)?),
                    (None, None) => Err(QueueRefused::Unknown { item: item.clone() }),
                });
            }
            Ok(answers)
        })
    }

    /// Derives the queue anew in one durable transaction: every item goes, and those given come, each with its line; lines that there are
    /// stay, and what was archived stays so where it may, which is said beside each item. Answers how many there are now. What the changes
    /// expect does not matter.
    ///
    /// The fencing numbers must be above all that were ever given out ([`QueueRow::fence`]); the numbers of items for listings start anew.
    ///
    /// # Errors
    /// Whatever the iterator answers, or as [`Writer::append`]. Nothing is changed then.
    pub fn queue_rebuild(&mut self, items: &mut dyn Iterator<Item = Result<(QueueChange, bool), StoreError>>) -> Result<u64, StoreError> {
        self.queued(false, |queue| {
            let mut archived = queue.connection.prepare("SELECT item FROM queue_items WHERE archived = 1")?;
            let archived: HashSet<String> = archived.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            queue.connection.execute_batch("DELETE FROM queue_items; DELETE FROM queue_kept; DELETE FROM queue_counts")?;
            let mut count = 0_u64;
            for change in items {
                let (change, over) = change?;
                queue.insert(&change.row, &change, &change.line)?;
                if over
                    && archived.contains(&change.row.item)
                    && let Some(found) = queue.find(&change.row.item)?
                {
                    queue.archive(&found)?;
                }
                count = count.saturating_add(1);
            }
            Ok(count)
        })
    }

    /// One durable transaction over the queue; nothing at all when there is nothing to do.
    pub(crate) fn queued<T: Default>(
        &mut self,
        nothing: bool,
        act: impl FnOnce(&mut Queue<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if nothing {
            return Ok(T::default());
        }
        let done = self.durable(|connection| {
            let mut queue = Queue::new(connection);
            let done = act(&mut queue)?;
            queue.flush()?;
            Ok(done)
        })?;
        self.checkpoint_after(true);
        Ok(done)
    }
}
