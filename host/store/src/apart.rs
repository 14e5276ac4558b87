//! Long batches, on two threads: while one unit is judged, the rows of those before it are written; and while a batch is made durable, the
//! next one is judged on what it leaves.
//!
//! The judge reads through a connection of its own. It sees a commit, and before that what was judged since and is being written, from
//! memory: the same as in [`crate::batch`], one after the other. What was judged on a batch that then could not be stored, or on a head that
//! another process has left behind, is not stored either: [`StoreError::Moved`].

use std::mem;
use std::sync::Arc;

use enact_core::entry::{Head, Sealed};
use enact_core::hash::Hash;
use enact_core::state::Put;
use rusqlite::Connection;

use crate::batch::{Batch, Beside, Tx, Unseen};
use crate::cache::Cache;
use crate::derived;
use crate::error::StoreError;
use crate::executions::Execution;
use crate::lane::{Ahead, Answer, Begin, Ending, Order, Progress};
use crate::ledger;
use crate::links::Links;
use crate::model::Committed;
use crate::number::column;
use crate::open::{self, Shared};
use crate::refusals::RefusedProposal;
use crate::stats::Counters;
use crate::wal::HARD_PAGES;
use crate::writer::{Writer, later};

/// Units from which on a second thread is worth being woken.
pub(crate) const UNITS_MIN: usize = 32;

/// Entries that are handed over at once: waking the other thread costs as much as writing one of them.
const HANDED: usize = 16;

/// Batches in a row that another process may be faster than; then the lock is taken first.
const MOVED_MAX: u32 = 3;

/// A batch that was judged and may not be durable yet.
pub(crate) struct Flight {
    /// Where the ledger stands after it.
    head: Head,
    rows: Unseen,
    progress: Arc<Progress>,
}

/// What an entry leaves in the file.
struct Stored<R> {
    seq: u64,
    bytes: Vec<u8>,
    leaf: Hash,
    puts: Vec<Put>,
    rest: R,
}

/// A batch that was judged; what became of it is known when it is settled.
#[must_use = "nothing is durable until it is settled"]
pub struct Ticket<L> {
    answers: Vec<Result<Committed, L>>,
    conflicts: usize,
    /// None when it is durable already.
    under_way: Option<(Arc<Progress>, Arc<Shared>)>,
}

impl<L> Ticket<L> {
    pub(crate) const fn settled(answers: Vec<Result<Committed, L>>) -> Self {
        Self { answers, conflicts: 0, under_way: None }
    }

    /// Waits until it is durable. The answers are in the order of the units.
    ///
    /// # Errors
    /// [`StoreError::Moved`] when it was judged on what then did not come to be, or as the call that gave this. Nothing of it is in the
    /// ledger then.
    pub fn settle(self) -> Result<Vec<Result<Committed, L>>, StoreError> {
        if let Some((progress, shared)) = self.under_way {
            progress.outcome()?;
            let counted = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
            let commits = self.answers.iter().filter(|answer| answer.is_ok()).count();
            let refused = self.answers.len().saturating_sub(commits).saturating_sub(self.conflicts);
            Counters::add(&shared.counters.commits, counted(commits));
            Counters::add(&shared.counters.conflicts, counted(self.conflicts));
            Counters::add(&shared.counters.refused, counted(refused));
        }
        Ok(self.answers)
    }
}

/// What the judge left of a batch.
struct Judged<L> {
    answers: Vec<Result<Committed, L>>,
    kept: Vec<RefusedProposal>,
    links: Links,
    head: Head,
    appended: bool,
}

impl Writer {
    /// Judges a batch and has it stored. It is durable when the ticket is settled; until then the next batch may be judged on it.
    /// `before` is noted before the batch, durable by itself.
    pub(crate) fn start<B: Batch>(
        &mut self,
        batch: &mut B,
        before: &[Execution],
        now: &str,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Ticket<B::Left>, StoreError>
    where
        B::Rest: 'static,
    {
        if batch.len() < UNITS_MIN || !batch.is_apart() {
            self.note_executions(before)?;
            return Ok(Ticket::settled(self.transact(batch, now, sign)?));
        }
        // Two batches of three would have to be taken back when the first one fails. Where the log is to start over, nobody may read.
        let behind = usize::from(!B::LOOKS && self.shared.counters.wal_pages() < HARD_PAGES);
        self.landed(behind);
        let ahead = match self.ahead.take() {
            Some(ahead) => ahead,
            None => Ahead::start(Arc::clone(&self.lane))?,
        };
        let reads = match self.reads.take() {
            Some(reads) => reads,
            None => open::reading(&self.shared.options)?,
        };
        let ticket = self.judge(&ahead, &reads, batch, before, now, sign);
        self.reads = Some(reads);
        if ticket.is_ok() {
            self.ahead = Some(ahead);
        }
        ticket.map_err(|e| open::at(e, &self.shared.options))
    }

    /// As [`Writer::start`], and waits. Where other processes are faster again and again, the lock is taken first.
    pub(crate) fn finish<B: Batch>(
        &mut self,
        batch: &mut B,
        now: &str,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Vec<Result<Committed, B::Left>>, StoreError>
    where
        B::Rest: 'static,
    {
        for _ in 0..MOVED_MAX {
            match self.start(batch, &[], now, sign)?.settle() {
                Err(StoreError::Moved) => {}
                settled => return settled,
            }
        }
        self.transact(batch, now, sign)
    }

    /// Waits until no more than so many batches are under way.
    pub(crate) fn landed(&mut self, behind: usize) {
        while self.flights.len() > behind || self.flights.front().is_some_and(|flight| flight.progress.is_over()) {
            let Some(flight) = self.flights.pop_front() else { return };
            if flight.progress.stored() {
                self.cache.keep(flight.rows);
                self.left = Some(flight.head);
                continue;
            }
            // What was judged on it fails as well, and what is known from it may never have been.
            for later in self.flights.drain(..) {
                later.progress.stored();
            }
            self.cache = Cache::default();
        }
    }

    fn judge<B: Batch>(
        &mut self,
        ahead: &Ahead,
        reads: &Connection,
        batch: &mut B,
        before: &[Execution],
        now: &str,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Ticket<B::Left>, StoreError>
    where
        B::Rest: 'static,
    {
        let progress = Arc::new(Progress::default());
        let begin = |after| Begin { before: before.to_vec(), after, answer: Answer(Arc::clone(&progress)) };
        if B::LOOKS {
            ahead.tell(Order::Begin(begin(None)))?;
            progress.begun()?;
        }
        // A deferred transaction takes its snapshot with its first read.
        let reading = reads.unchecked_transaction()?;
        let mut cache = mem::take(&mut self.cache);
        let (head, past) = match self.flights.back() {
            Some(flight) => (flight.head.clone(), Some(&flight.rows)),
            None => {
                let head = ledger::head_to_follow(&reading, self.left.as_ref(), &self.shared)?;
                let last = derived::last(&reading)?;
                if cache.known != Some(last) {
                    cache = Cache::default();
                    cache.known = Some(last);
                }
                (head, None)
            }
        };
        if !B::LOOKS {
            ahead.tell(Order::Begin(begin(Some(head.clone()))))?;
        }
        let (start, at) = (head.size, later(&head.at, now));
        let tx = Tx::new(&reading, cache, past);
        let judged = judged(ahead, batch, &tx, head, &at);
        let (cache, rows) = tx.into_parts();
        drop(reading);
        let Judged { answers, kept, links, head, appended } = match judged {
            Ok(judged) => judged,
            Err(error) => {
                ahead.tell(Order::End(None))?;
                return Err(error);
            }
        };
        self.cache = cache;
        let signed = appended.then(|| sign(&head));
        let ending = Ending { before: start, head: signed.map(|note| (head.clone(), note)), kept, links };
        ahead.tell(Order::End(Some(ending)))?;
        self.flights.push_back(Flight { head, rows, progress: Arc::clone(&progress) });
        let conflicts = answers.iter().filter(|answer| answer.as_ref().is_err_and(|left| B::is_conflict(left))).count();
        Ok(Ticket { answers, conflicts, under_way: Some((progress, Arc::clone(&self.shared))) })
    }
}

/// Judges unit after unit and hands over what they leave.
fn judged<B: Batch>(ahead: &Ahead, batch: &mut B, tx: &Tx<'_>, mut head: Head, at: &str) -> Result<Judged<B::Left>, StoreError>
where
    B::Rest: 'static,
{
    // Asked about the last commit: that is what `Batch::is_apart` promises.
    let mut beside = Beside::new(tx.connection());
    let (mut links, mut kept, mut appended) = (Links::default(), Vec::new(), false);
    let mut answers = Vec::with_capacity(batch.len());
    let mut stored = Vec::with_capacity(HANDED);
    for nth in 0..batch.len() {
        let judged = match batch.admit(nth, &mut beside)? {
            Some(left) => Err(left),
            None => batch.judge(nth, tx, &head, at)?,
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
        if stored.len() == HANDED {
            hand_over::<B>(ahead, mem::replace(&mut stored, Vec::with_capacity(HANDED)))?;
        }
    }
    hand_over::<B>(ahead, stored)?;
    Ok(Judged { answers, kept, links, head, appended })
}

fn hand_over<B: Batch>(ahead: &Ahead, entries: Vec<Stored<B::Rest>>) -> Result<(), StoreError>
where
    B::Rest: 'static,
{
    ahead.tell(Order::Rows(Box::new(move |beside| {
        for Stored { seq, bytes, leaf, puts, rest } in entries {
            let place = column(seq)?;
            ledger::insert_entry(beside.connection(), place, &bytes, &leaf)?;
            puts.iter().try_for_each(|put| derived::insert(beside.connection(), place, put))?;
            B::store(rest, seq, beside)?;
        }
        Ok(())
    })))
}
