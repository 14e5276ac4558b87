//! The connection that writes, and a thread of its own for transactions that are judged elsewhere: it writes them, one after the other, in
//! the order in which they were begun.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use enact_core::entry::Head;
use rusqlite::{Connection, TransactionBehavior};

use crate::batch::Beside;
use crate::error::StoreError;
use crate::executions::{self, Execution};
use crate::ledger;
use crate::links::Links;
use crate::open::{self, Shared};
use crate::refusals::{self, RefusedProposal};
use crate::stats::Counters;
use crate::wal::{self, HARD_PAGES, SOFT_PAGES};
use crate::writer::Checkpointed;

/// Handfuls of entries that may wait for being written. A batch may wait whole while the one before it is made durable.
const WAITING_MAX: usize = 64;

/// What only one transaction at a time has.
pub(crate) struct Lane {
    pub(crate) connection: Connection,
    shared: Arc<Shared>,
    /// Pages in the write-ahead log at which the next checkpoint is due.
    due_pages: u32,
}

/// The lane; a transaction that panicked was rolled back.
pub(crate) fn locked(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A transaction that is rolled back unless it is committed.
struct Open<'c>(&'c Connection);

impl<'c> Open<'c> {
    /// Immediate: the lock is taken before the head is read, so that no other process can append in between.
    fn begin(connection: &'c Connection) -> Result<Self, StoreError> {
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

/// Rows of some entries.
pub(crate) type Rows = Box<dyn FnOnce(&mut Beside<'_>) -> Result<(), StoreError> + Send>;

/// What the thread is told. A transaction is one beginning, its rows, and one end.
pub(crate) enum Order {
    Begin(Begin),
    Rows(Rows),
    /// Without an ending, nothing of it is stored.
    End(Option<Ending>),
}

/// The beginning of a transaction.
pub(crate) struct Begin {
    /// Noted in a transaction of its own, durable before this one begins.
    pub(crate) before: Vec<Execution>,
    /// Where the ledger must stand: what it was judged on. `None` where the judge waits for the beginning and looks then.
    pub(crate) after: Option<Head>,
    pub(crate) answer: Answer,
}

/// The end of a transaction.
pub(crate) struct Ending {
    /// Entries before it.
    pub(crate) before: u64,
    /// Where the ledger stands then, with the signed checkpoint; `None` when nothing was appended.
    pub(crate) head: Option<(Head, String)>,
    pub(crate) kept: Vec<RefusedProposal>,
    pub(crate) links: Links,
}

impl Lane {
    pub(crate) fn new(mut connection: Connection, shared: Arc<Shared>) -> Result<Self, StoreError> {
        let counters = Arc::clone(&shared.counters);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            counters.committed(u32::try_from(pages).unwrap_or(0));
            Ok(())
        }))?;
        Ok(Self { connection, shared, due_pages: SOFT_PAGES })
    }

    /// One durable transaction.
    pub(crate) fn durable<T>(&mut self, act: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| open::at(e.into(), &self.shared.options))?;
        let done = act(&transaction)?;
        transaction.commit()?;
        Counters::add(&self.shared.counters.transactions, 1);
        Ok(done)
    }

    /// Moves the write-ahead log into the file as far as no reader needs it.
    pub(crate) fn checkpoint(&self) -> Result<Checkpointed, StoreError> {
        let running = self.shared.checkpointer(wal::Checkpointer::running)?;
        let _guard = running.lock().unwrap_or_else(PoisonError::into_inner);
        let (pages, moved) = wal::passive(&self.connection)?;
        if moved > 0 {
            Counters::add(&self.shared.counters.checkpoints, 1);
        }
        Ok(Checkpointed { pages, moved })
    }

    /// What was committed is durable whatever becomes of this: a checkpoint that fails is due again after the next transaction.
    pub(crate) fn checkpoint_after(&mut self, durable: bool) {
        if durable && self.checkpoint_if_due().is_err() {
            self.due_pages = 0;
        }
    }

    /// Wakes the background thread from the first bound on, and catches up itself from the second one on.
    fn checkpoint_if_due(&mut self) -> Result<(), StoreError> {
        let pages = self.shared.counters.wal_pages();
        if pages < SOFT_PAGES {
            // The log has started over.
            self.due_pages = SOFT_PAGES;
            return Ok(());
        }
        if pages < HARD_PAGES {
            if pages < self.due_pages {
                return Ok(());
            }
            self.due_pages = pages.saturating_add(SOFT_PAGES);
            return self.shared.checkpointer(wal::Checkpointer::wake);
        }
        self.checkpoint().map(drop)
    }

    /// A transaction whose orders come from elsewhere.
    fn transaction(&mut self, begin: &Begin, orders: &mut Orders<'_>) -> Result<(), StoreError> {
        if !begin.before.is_empty() {
            self.durable(|connection| begin.before.iter().try_for_each(|note| executions::put(connection, note)))?;
        }
        let open = Open::begin(&self.connection)?;
        if let Some(after) = &begin.after
            && ledger::head(open.0)? != *after
        {
            return Err(StoreError::Moved);
        }
        begin.answer.0.set(State::Begun);
        let mut beside = Beside::new(open.0);
        let ending = loop {
            match orders.next() {
                Some(Order::Rows(rows)) => rows(&mut beside)?,
                Some(Order::End(ending)) => break ending,
                // Whoever judges has gone.
                Some(Order::Begin(_)) | None => break None,
            }
        };
        let Some(Ending { before, head, kept, links }) = ending else { return Ok(()) };
        if head.is_none() && kept.is_empty() {
            return Ok(());
        }
        beside.flush()?;
        for proposal in &kept {
            refusals::insert(open.0, proposal)?;
        }
        if let Some((head, note)) = head {
            links.flush(open.0, before, head.size)?;
            ledger::set_head(open.0, &head, &note)?;
        }
        open.commit()?;
        Counters::add(&self.shared.counters.transactions, 1);
        self.checkpoint_after(true);
        Ok(())
    }
}

/// Orders up to the end of one transaction.
struct Orders<'a> {
    told: &'a Receiver<Order>,
    ended: bool,
}

impl Orders<'_> {
    fn next(&mut self) -> Option<Order> {
        if self.ended {
            return None;
        }
        let order = self.told.recv().ok();
        self.ended = matches!(order, None | Some(Order::End(_)));
        order
    }
}

/// How far a transaction is.
#[derive(Debug, Default)]
enum State {
    /// It waits for the one before it.
    #[default]
    Waiting,
    /// It holds the lock.
    Begun,
    /// It is durable, or left nothing that would have to be.
    Stored,
    /// Nothing of it is there. The error is taken by the first who asks.
    Failed(Option<StoreError>),
}

/// The answer of the thread about one transaction.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

impl Progress {
    fn set(&self, next: State) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Stored | State::Failed(_)) {
            *state = next;
            self.changed.notify_all();
        }
    }

    fn wait(&self, until: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.wait_while(state, |state| !until(state)).unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has come to an end.
    pub(crate) fn is_over(&self) -> bool {
        matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Stored | State::Failed(_))
    }

    /// Waits for its end: whether it is stored.
    pub(crate) fn stored(&self) -> bool {
        matches!(*self.wait(|state| matches!(state, State::Stored | State::Failed(_))), State::Stored)
    }

    /// Waits until it holds the lock.
    pub(crate) fn begun(&self) -> Result<(), StoreError> {
        told(&mut self.wait(|state| !matches!(state, State::Waiting)))
    }

    /// Waits for its end, with what kept it from being stored.
    pub(crate) fn outcome(&self) -> Result<(), StoreError> {
        told(&mut self.wait(|state| matches!(state, State::Stored | State::Failed(_))))
    }
}

fn told(state: &mut State) -> Result<(), StoreError> {
    match state {
        State::Failed(error) => Err(error.take().unwrap_or_else(stopped)),
        State::Waiting | State::Begun | State::Stored => Ok(()),
    }
}

fn stopped() -> StoreError {
    StoreError::Io { detail: "the writing thread stopped".to_owned(), extended: 0 }
}

/// Answers, also when the thread goes without a word.
pub(crate) struct Answer(pub(crate) Arc<Progress>);

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.set(State::Failed(Some(stopped())));
    }
}

/// The thread.
pub(crate) struct Ahead {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    pub(crate) fn start(lane: Arc<Mutex<Lane>>) -> Result<Self, StoreError> {
        let (orders, told) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || serve(&lane, &told))
            .map_err(|e| StoreError::Io { detail: e.to_string(), extended: 0 })?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Tells the thread. Waits when it has enough to do.
    pub(crate) fn tell(&self, order: Order) -> Result<(), StoreError> {
        self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok()).then_some(()).ok_or_else(stopped)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook, and by its answer.
            drop(thread.join());
        }
    }
}

fn serve(lane: &Mutex<Lane>, told: &Receiver<Order>) {
    while let Ok(order) = told.recv() {
        // The rest of a transaction that failed was read below.
        let Order::Begin(begin) = order else { continue };
        let mut lane = locked(lane);
        let mut orders = Orders { told, ended: false };
        let done = lane.transaction(&begin, &mut orders).map_err(|e| open::at(e, &lane.shared.options));
        while orders.next().is_some() {}
        begin.answer.0.set(done.map_or_else(|error| State::Failed(Some(error)), |()| State::Stored));
    }
}
