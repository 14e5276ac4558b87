//! One transaction for every kind of append: units in their order, each judged against what the earlier ones leave, one head, one sync.
//! What a unit is, what may keep it out and what is stored beside its entry is said by a [`Batch`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;

use enact_core::entry::{Head, Record, Sealed};
use enact_core::state::{Put, Space, StateDelta, StateView};
use rusqlite::{Connection, TransactionBehavior};

use crate::cache::Cache;
use crate::commit::Pending;
use crate::derived;
use crate::error::StoreError;
use crate::executions::{self, Execution};
use crate::governed::TxView;
use crate::lane::locked;
use crate::ledger;
use crate::links::Links;
use crate::model::{Committed, Read, Rejection, RunRow, Write};
use crate::number::column;
use crate::open::{self, Shared};
use crate::queue::change::Queue;
use crate::refusals::{self, RefusedProposal};
use crate::state;
use crate::stats::Counters;
use crate::writer::{SNAPSHOT, Writer, later};

/// A sealed entry with its rows, or why there is none.
pub(crate) type Judged<L> = Result<(Sealed, StateDelta), L>;

/// A batch was asked for a unit beyond its own length.
pub(crate) const NO_UNIT: StoreError = StoreError::Range { what: "the number of a unit" };

/// Units to append. The order of the calls for each: [`Batch::admit`], [`Batch::judge`], [`Batch::rest`], [`Batch::store`].
pub(crate) trait Batch {
    /// Why a unit was left out.
    type Left;

    /// What is stored with an entry, apart from its rows of the derived state. It may be stored on another thread.
    type Rest: Send;

    /// Whether units read and write the derived state.
    const GOVERNED: bool = true;

    /// Whether [`Batch::admit`] or [`Batch::rest`] look into the file, which then must be as the batch before this one leaves it.
    const LOOKS: bool = false;

    /// Whether no unit is kept out, or let in, by what an earlier one of the batch leaves beside its entry. [`Batch::admit`] may then
    /// be asked about the last commit, while earlier units are still being written.
    fn is_apart(&self) -> bool {
        false
    }

    /// How many units there are.
    fn len(&self) -> usize;

    /// What keeps the unit out before anyone judges it. Writes nothing.
    fn admit(&mut self, _nth: usize, _beside: &mut Beside<'_>) -> Result<Option<Self::Left>, StoreError> {
        Ok(None)
    }

    /// The records of a unit.
    fn records(&self, nth: usize) -> Result<&[Record], StoreError>;

    /// The unit as the entry after `head`, at that time.
    fn judge(&mut self, nth: usize, tx: &Tx<'_>, head: &Head, at: &str) -> Result<Judged<Self::Left>, StoreError>;

    /// What is kept of a unit that was left out.
    fn keep(&self, _left: &Self::Left) -> Option<RefusedProposal> {
        None
    }

    /// What belongs to an entry, taken out of the unit; `beside` is the one that [`Batch::admit`] was given.
    fn rest(&mut self, nth: usize, committed: &Committed, beside: &mut Beside<'_>) -> Result<Self::Rest, StoreError>;

    /// Stores that. Must not leave the unit out any more.
    fn store(rest: Self::Rest, seq: u64, beside: &mut Beside<'_>) -> Result<(), StoreError>;

    /// Whether it was left out because something it relied on had changed.
    fn is_conflict(_left: &Self::Left) -> bool {
        false
    }
}

/// The transaction as a judge sees it.
pub(crate) struct Tx<'c> {
    connection: &'c Connection,
    cache: RefCell<Cache>,
    /// Rows of this batch that the connection does not see.
    unseen: RefCell<Unseen>,
    /// Rows of the batch before it, which the connection may not see yet.
    past: Option<&'c Unseen>,
}

/// Rows by space and key.
pub(crate) type Unseen = HashMap<Space, HashMap<String, String>>;

impl<'c> Tx<'c> {
    pub(crate) fn new(connection: &'c Connection, cache: Cache, past: Option<&'c Unseen>) -> Self {
        Self { connection, cache: RefCell::new(cache), unseen: RefCell::default(), past }
    }

    pub(crate) const fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Remembers rows of an entry that this connection does not see.
    pub(crate) fn wrote(&self, seq: i64, puts: &[Put]) {
        let mut unseen = self.unseen.borrow_mut();
        for put in puts {
            unseen.entry(put.space).or_default().insert(put.key.clone(), put.value.clone());
            self.cache.borrow_mut().known = Some(Some(seq));
        }
    }

    /// What was read, and the rows of this batch that the connection does not see.
    pub(crate) fn into_parts(self) -> (Cache, Unseen) {
        (self.cache.into_inner(), self.unseen.into_inner())
    }
}

impl StateView for Tx<'_> {
    type Error = StoreError;

    fn get(&self, space: Space, key: &str) -> Result<Option<String>, StoreError> {
        if let Some(row) = self.unseen.borrow().get(&space).and_then(|rows| rows.get(key)) {
            return Ok(Some(row.clone()));
        }
        if let Some(row) = self.past.and_then(|past| past.get(&space)?.get(key)) {
            return Ok(Some(row.clone()));
        }
        let mut cache = self.cache.borrow_mut();
        if let Some(row) = cache.get(space, key) {
            return Ok(row);
        }
        let row = derived::present(self.connection, space, key)?.map(|(_, value)| value);
        cache.put(space, key.to_owned(), row.clone());
        Ok(row)
    }
}

impl TxView for Tx<'_> {
    fn snapshot(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        ledger::blob(self.connection, SNAPSHOT, hash)
    }
}

/// What the transaction holds beside entries and derived state.
pub(crate) struct Beside<'c> {
    connection: &'c Connection,
    pending: Pending<'c>,
    pub(crate) queue: Queue<'c>,
}

impl<'c> Beside<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, pending: Pending::new(connection), queue: Queue::new(connection) }
    }

    pub(crate) const fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Whether a run is new and what it relied on still holds.
    pub(crate) fn stands(&mut self, run: &RunRow, reads: &[Read], writes: &[Write]) -> Result<Option<Rejection>, StoreError> {
        if let Some(seq) = ledger::seq_of(self.connection, &run.run_id)? {
            return Ok(Some(Rejection::Duplicate { run_id: run.run_id.clone(), seq }));
        }
        match state::conflict(&mut self.pending, reads, writes) {
            Ok(conflict) => Ok(conflict.map(Rejection::Conflict)),
            Err(StoreError::Quarantined { store, reason }) => Ok(Some(Rejection::Quarantined { store, reason })),
            Err(error) => Err(error),
        }
    }

    /// Notes an execution.
    pub(crate) fn note(&self, note: &Execution) -> Result<(), StoreError> {
        executions::put(self.connection, note)
    }

    /// Writes what was counted on the way.
    pub(crate) fn flush(self) -> Result<(), StoreError> {
        self.pending.flush()?;
        self.queue.flush()
    }

    /// Stores a run and its writes.
    pub(crate) fn run(&mut self, seq: u64, run: &RunRow, writes: &[Write]) -> Result<(), StoreError> {
        ledger::insert_run(self.connection, seq, run)?;
        self.pending.apply(writes)
    }
}

impl Writer {
    /// One durable transaction. The answers are in the order of the units.
    pub(crate) fn transact<B: Batch>(
        &mut self,
        batch: &mut B,
        now: &str,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Vec<Result<Committed, B::Left>>, StoreError> {
        if batch.len() == 0 {
            return Ok(Vec::new());
        }
        self.landed(0);
        let mut lane = locked(&self.lane);
        // Taken, so that a batch that comes to nothing leaves nothing behind in memory either.
        let cache = mem::take(&mut self.cache);
        let signing = Signing { left: self.left.take(), shared: &self.shared, sign };
        let done = append(&mut lane.connection, cache, batch, now, &signing).map_err(|e| open::at(e, &self.shared.options))?;
        self.cache = done.cache;
        self.left = Some(done.head);
        let counters = &self.shared.counters;
        Counters::add(&counters.transactions, u64::from(done.durable));
        for answer in &done.answers {
            let counter = match answer {
                Ok(_) => &counters.commits,
                Err(left) if B::is_conflict(left) => &counters.conflicts,
                Err(_) => &counters.refused,
            };
            Counters::add(counter, 1);
        }
        lane.checkpoint_after(done.durable);
        Ok(done.answers)
    }
}

/// What a batch came to.
struct Done<L> {
    answers: Vec<Result<Committed, L>>,
    durable: bool,
    cache: Cache,
    /// Where the ledger stands.
    head: Head,
}

/// Where this writer left the head, by whom one is signed, and what signs the next.
struct Signing<'a> {
    left: Option<Head>,
    shared: &'a Shared,
    sign: &'a dyn Fn(&Head) -> String,
}

/// The transaction. Dropped without a commit, by an error or a panic in whoever is called, it is rolled back.
fn append<B: Batch>(
    connection: &mut Connection,
    cache: Cache,
    batch: &mut B,
    now: &str,
    signing: &Signing<'_>,
) -> Result<Done<B::Left>, StoreError> {
    // Immediate: the lock is taken before the head is read, so that no other process can append in between.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut head = ledger::head_to_follow(&transaction, signing.left.as_ref(), signing.shared)?;
    let mut cache = cache;
    if B::GOVERNED {
        // Rows are only ever added, by entries whose numbers only ever grow. While the last one is the one we know of, no other process
        // wrote any; run receipts write none.
        let last = derived::last(&transaction)?;
        if cache.known != Some(last) {
            cache = Cache::default();
            cache.known = Some(last);
        }
    }
    let (before, at) = (head.size, later(&head.at, now));
    let tx = Tx::new(&transaction, cache, None);
    let mut beside = Beside::new(&transaction);
    let mut links = Links::default();
    let mut answers = Vec::with_capacity(batch.len());
    let (mut appended, mut kept) = (false, false);
    for nth in 0..batch.len() {
        // Everything that may leave the unit out comes before its first write, so no savepoint is needed.
        let judged = match batch.admit(nth, &mut beside)? {
            Some(left) => Err(left),
            None => batch.judge(nth, &tx, &head, &at)?,
        };
        match judged {
            Ok((sealed, delta)) => {
                let column = column(sealed.seq)?;
                ledger::insert_entry(&transaction, column, &sealed.bytes, &sealed.leaf)?;
                let mut cache = tx.cache.borrow_mut();
                for put in delta.puts {
                    derived::insert(&transaction, column, &put)?;
                    cache.put(put.space, put.key, Some(put.value));
                    cache.known = Some(Some(column));
                }
                drop(cache);
                links.add(sealed.seq, batch.records(nth)?, &sealed.records);
                let Sealed { seq, entry_hash, leaf, head: next, .. } = sealed;
                let committed = Committed { seq, entry_hash, leaf, at: next.at.clone() };
                let rest = batch.rest(nth, &committed, &mut beside)?;
                B::store(rest, seq, &mut beside)?;
                answers.push(Ok(committed));
                head = next;
                appended = true;
            }
            Err(left) => {
                if let Some(proposal) = batch.keep(&left) {
                    refusals::insert(&transaction, &proposal)?;
                    kept = true;
                }
                answers.push(Err(left));
            }
        }
    }
    // An index of events that was built is worth keeping even if no unit holds.
    let durable = appended || kept || beside.pending.has_indexed();
    let (cache, _) = tx.into_parts();
    if !durable {
        transaction.rollback()?;
        return Ok(Done { answers, durable, cache, head });
    }
    beside.flush()?;
    links.flush(&transaction, before, head.size)?;
    if appended {
        ledger::set_head(&transaction, &head, &(signing.sign)(&head))?;
    }
    transaction.commit()?;
    Ok(Done { answers, durable, cache, head })
}
