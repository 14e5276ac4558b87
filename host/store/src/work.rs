//! Appending what a worker did: the entry of a run and of what follows from it, judged like any governed draft, together with the run, its
//! store writes and the queue. All of a unit or nothing of it.

use std::collections::{HashMap, HashSet};

use enact_core::entry::{Draft, Head, Record};

use crate::batch::{Batch, Beside, Judged, NO_UNIT, Tx};
use crate::error::StoreError;
use crate::governed::{Judge, judged};
use crate::model::{Committed, Kind, Read, Rejection, RunRow, Write};
use crate::queue::{Fence, QueueChange, QueueItem};
use crate::refusals::RefusedProposal;
use crate::writer::Writer;

/// The run of a unit and what it relied on.
#[derive(Clone, Debug, Default)]
pub struct WorkRun {
    /// What is kept beside the entry.
    pub run: RunRow,
    /// What must still hold.
    pub reads: Vec<Read>,
    /// What changes, in order.
    pub writes: Vec<Write>,
}

/// One unit of [`Writer::append_work`].
#[derive(Clone, Debug)]
pub struct Work {
    /// The entry. Its `at` is replaced as in [`Writer::append`].
    pub draft: Draft,
    /// The run, when there is one.
    pub run: Option<WorkRun>,
    /// The number under which the item is held, when the unit is the work of a lease.
    pub fence: Option<Fence>,
    /// What changes in the queue with it. Each is compared with the queue as the earlier ones leave it.
    pub changes: Vec<QueueChange>,
}

/// Why a unit was left out.
#[derive(Clone, Debug)]
pub enum WorkRefused<R> {
    /// What it was prepared on does not hold any more: the fence, the run's id, what the run read, a store out of service.
    Rejected(Rejection),
    /// The judge refused.
    Refused(R),
}

/// What became of a unit.
pub type WorkAnswer<R> = Result<Committed, WorkRefused<R>>;

/// The journal's line of a change, now that the entry is known; `None` keeps the one that the change carries.
pub type WorkLine<'a> = dyn FnMut(&QueueChange, &Committed) -> Option<String> + 'a;

impl Writer {
    /// Appends a batch in one durable transaction and stores the checkpoint that `sign` makes of the new head with it.
    ///
    /// The answers are in the order of the batch. A unit is left out, and then leaves no trace, when in this order: an item of the queue is
    /// not as the fence or a change expects it; the ledger holds its run already; something that the run read has changed; or the judge
    /// refuses, of which [`Judge::keep`] may keep something. An item that a unit adds to the queue gets the unit's entry as its place.
    ///
    /// # Errors
    /// As [`Writer::append_governed`]. Nothing of the batch is stored then.
    pub fn append_work<J: Judge + ?Sized>(
        &mut self,
        units: &mut [Work],
        now: &str,
        judge: &mut J,
        line: &mut WorkLine<'_>,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Vec<WorkAnswer<J::Refused>>, StoreError> {
        self.finish(&mut Units { units, judge, line }, now, sign)
    }
}

struct Units<'a, 'l, J: ?Sized> {
    units: &'a mut [Work],
    judge: &'a mut J,
    line: &'a mut WorkLine<'l>,
}

/// What belongs to a unit's entry.
struct Rest {
    run: Option<WorkRun>,
    /// Each with its item as it was before the unit; none for a second change of an item, and for a new one.
    changes: Vec<(QueueChange, Option<QueueItem>)>,
}

/// What units of a batch touch.
#[derive(Default)]
struct Apart<'u> {
    items: HashSet<&'u str>,
    runs: HashSet<&'u str>,
    rows: HashSet<(&'u str, &'u str)>,
    kinds: HashMap<&'u str, Kind>,
}

impl<'u> Apart<'u> {
    /// Whether no two units touch the same thing, so that the order in which they are written says nothing about whether they stand.
    fn holds(mut self, units: &'u [Work]) -> bool {
        units.iter().all(|unit| self.items(unit) && unit.run.as_ref().is_none_or(|run| self.run(run)))
    }

    fn items(&mut self, unit: &'u Work) -> bool {
        let mut own: Vec<&str> = unit.changes.iter().map(|change| change.row.item.as_str()).collect();
        own.extend(unit.fence.iter().map(|fence| fence.item.as_str()));
        own.sort_unstable();
        own.dedup();
        own.into_iter().all(|item| self.items.insert(item))
    }

    fn run(&mut self, WorkRun { run, reads, writes }: &'u WorkRun) -> bool {
        let mut own: Vec<(&str, &str)> = Vec::with_capacity(reads.len() + writes.len());
        for read in reads {
            match read {
                Read::Row { store, kind, key, .. } if self.is_kind(store, *kind) => own.push((store, key)),
                Read::Kind { store, kind } if self.is_kind(store, *kind) => {}
                // The version of a whole store, and events, depend on every write.
                Read::Row { .. } | Read::Kind { .. } | Read::Store { .. } | Read::Event { .. } => return false,
            }
        }
        for write in writes {
            if !self.is_kind(write.store(), write.kind()) {
                return false;
            }
            match write {
                Write::Put { store, key, .. } | Write::Tombstone { store, key, .. } => own.push((store, key)),
                Write::Append { .. } => {}
            }
        }
        own.sort_unstable();
        own.dedup();
        self.runs.insert(&run.run_id) && own.into_iter().all(|row| self.rows.insert(row))
    }

    fn is_kind(&mut self, store: &'u str, kind: Kind) -> bool {
        *self.kinds.entry(store).or_insert(kind) == kind
    }
}

impl<J: Judge + ?Sized> Batch for Units<'_, '_, J> {
    type Left = WorkRefused<J::Refused>;
    type Rest = Rest;

    const LOOKS: bool = true;

    fn is_apart(&self) -> bool {
        Apart::default().holds(self.units)
    }

    fn len(&self) -> usize {
        self.units.len()
    }

    fn admit(&mut self, nth: usize, beside: &mut Beside<'_>) -> Result<Option<Self::Left>, StoreError> {
        let unit = self.units.get(nth).ok_or(NO_UNIT)?;
        if let Some(refused) = beside.queue.admits(unit.fence.as_ref(), &unit.changes)? {
            return Ok(Some(WorkRefused::Rejected(Rejection::Queue(refused))));
        }
        let Some(run) = &unit.run else { return Ok(None) };
        Ok(beside.stands(&run.run, &run.reads, &run.writes)?.map(WorkRefused::Rejected))
    }

    fn records(&self, nth: usize) -> Result<&[Record], StoreError> {
        Ok(&self.units.get(nth).ok_or(NO_UNIT)?.draft.records)
    }

    fn judge(&mut self, nth: usize, tx: &Tx<'_>, head: &Head, at: &str) -> Result<Judged<Self::Left>, StoreError> {
        let unit = self.units.get_mut(nth).ok_or(NO_UNIT)?;
        Ok(judged(self.judge, tx, head, &mut unit.draft, at)?.map_err(WorkRefused::Refused))
    }

    fn keep(&self, left: &Self::Left) -> Option<RefusedProposal> {
        match left {
            WorkRefused::Refused(refused) => self.judge.keep(refused),
            WorkRefused::Rejected(_) => None,
        }
    }

    fn rest(&mut self, nth: usize, committed: &Committed, beside: &mut Beside<'_>) -> Result<Rest, StoreError> {
        let unit = self.units.get_mut(nth).ok_or(NO_UNIT)?;
        let mut changes = Vec::with_capacity(unit.changes.len());
        for mut change in unit.changes.drain(..) {
            if let Some(line) = (self.line)(&change, committed) {
                change.line = line;
            }
            let found = beside.queue.taken(&change.row.item);
            changes.push((change, found));
        }
        Ok(Rest { run: unit.run.take(), changes })
    }

    fn store(rest: Rest, seq: u64, beside: &mut Beside<'_>) -> Result<(), StoreError> {
        if let Some(WorkRun { run, writes, .. }) = &rest.run {
            beside.run(seq, run, writes)?;
        }
        rest.changes.into_iter().try_for_each(|(change, found)| beside.queue.write(&change, found, Some(seq)))
    }

    fn is_conflict(left: &Self::Left) -> bool {
        matches!(left, WorkRefused::Rejected(Rejection::Conflict(_)))
    }
}
