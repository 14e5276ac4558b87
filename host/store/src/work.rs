//! Appending what a worker did: the entry of a run and of what follows from it, judged like any governed draft, together with the run, its
//! store writes and the queue. All of a unit or nothing of it.

use enact_core::entry::{Draft, Head, Record};

use crate::batch::{Batch, Beside, Judged, NO_UNIT, Tx};
use crate::error::StoreError;
use crate::governed::{Judge, judged};
use crate::model::{Committed, Read, Rejection, RunRow, Write};
use crate::queue::{Fence, QueueChange};
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
        self.transact(&mut Units { units, judge, line }, now, sign)
    }
}

struct Units<'a, 'l, J: ?Sized> {
    units: &'a mut [Work],
    judge: &'a mut J,
    line: &'a mut WorkLine<'l>,
}

impl<J: Judge + ?Sized> Batch for Units<'_, '_, J> {
    type Left = WorkRefused<J::Refused>;

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

    fn beside(&mut self, nth: usize, committed: &Committed, beside: &mut Beside<'_>) -> Result<(), StoreError> {
        let unit = self.units.get(nth).ok_or(NO_UNIT)?;
        if let Some(run) = &unit.run {
            beside.run(committed.seq, &run.run, &run.writes)?;
        }
        for change in &unit.changes {
            let line = (self.line)(change, committed);
            beside.queue.write(change, line.as_deref().unwrap_or(&change.line), Some(committed.seq))?;
        }
        Ok(())
    }

    fn is_conflict(left: &Self::Left) -> bool {
        matches!(left, WorkRefused::Rejected(Rejection::Conflict(_)))
    }
}
