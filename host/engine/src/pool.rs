//! Many runs at once: worker threads execute, and whichever of them finds enough executed runs makes them durable with one sync.
//!
//! There is no thread that only commits. While one worker commits, the others execute; batches grow with the load by themselves, a lone
//! run is committed by the thread that executed it, and one worker needs one core.
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use enact_store::Reader;

use crate::engine::{Engine, Job, Refused, RunRequest, attempts_max};
use crate::error::{EngineError, Result};
use crate::live::Prepared;
use crate::report::RunReport;

/// Most runs in one commit. More would lengthen the wait of the first without saving a noticeable part of a sync.
const BATCH_MAX: usize = 256;

/// How many runs to execute and to have under way at once.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Threads that execute.
    pub workers: NonZeroUsize,
    /// Runs that were started and not yet committed.
    pub in_flight: NonZeroUsize,
}

struct Work {
    ticket: u64,
    attempt: u32,
    task: Task,
}

/// A request is checked and resolved by the worker that executes it first, so that the feeding thread stays free.
enum Task {
    Asked(RunRequest),
    Ready(Job),
}

/// A result with the position of its request.
type Finished = (u64, Box<Result<RunReport>>);

/// What a worker does next.
enum Next {
    Execute(Work),
    Commit(Vec<(Work, Prepared)>),
}

/// What the workers share.
struct Shop {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Executed runs that are worth a commit even though there is more to execute.
    enough: usize,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Work>,
    executed: Vec<(Work, Prepared)>,
    committing: bool,
    /// Workers that have nothing to do.
    idle: usize,
    closed: bool,
}

impl Shop {
    fn new(load: Load) -> Self {
        Self { inner: Mutex::default(), changed: Condvar::new(), enough: load.in_flight.get().div_ceil(2).min(BATCH_MAX) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics between two changes that belong together; a worker that panics elsewhere closes the shop.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; `None` once the shop is closed.
    fn next(&self) -> Option<Next> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return None;
            }
            let due = inner.executed.len() >= self.enough || (inner.waiting.is_empty() && !inner.executed.is_empty());
            if due && !inner.committing {
                inner.committing = true;
                let count = inner.executed.len().min(BATCH_MAX);
                return Some(Next::Commit(inner.executed.drain(..count).collect()));
            }
            if let Some(work) = inner.waiting.pop_front() {
                return Some(Next::Execute(work));
            }
            inner.idle += 1;
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.idle -= 1;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        change(&mut inner);
        let idle = inner.idle > 0;
        drop(inner);
        // Waking costs a system call even when nobody sleeps.
        if idle {
            self.changed.notify_all();
        }
    }
}

/// Closes the shop when a worker panics, so that nobody waits for what it was doing.
struct Present<'a>(&'a Shop);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.change(|inner| inner.closed = true);
        }
    }
}

impl Engine {
    /// Runs everything that `next` gives and hands every result to `done`, with the request's position, as it becomes durable.
    ///
    /// Results arrive in the order of their commits. A run that meets another's write is executed again.
    pub fn run_many(
        &self,
        load: Load,
        mut next: impl FnMut() -> Option<RunRequest>,
        mut done: impl FnMut(u64, Result<RunReport>),
    ) -> Result<()> {
        let readers = (0..load.workers.get()).map(|_| self.store().reader()).collect::<Result<Vec<_>, _>>()?;
        let shop = Shop::new(load);
        let (finished_tx, finished) = channel::<Vec<Finished>>();
        thread::scope(|scope| {
            for reader in readers {
                let (shop, finished) = (&shop, finished_tx.clone());
                scope.spawn(move || self.serve(shop, reader, &finished));
            }
            drop(finished_tx);
            let (mut in_flight, mut ticket, mut exhausted) = (0_usize, 0_u64, false);
            loop {
                let mut asked = Vec::new();
                while !exhausted && in_flight < load.in_flight.get() {
                    let Some(request) = next() else {
                        exhausted = true;
                        break;
                    };
                    asked.push(Work { ticket, attempt: 1, task: Task::Asked(request) });
                    in_flight += 1;
                    ticket += 1;
                }
                if !asked.is_empty() {
                    shop.change(|inner| inner.waiting.extend(asked));
                }
                if in_flight == 0 {
                    break;
                }
                // All senders are gone only after a worker panicked; the scope then passes the panic on.
                let Ok(results) = finished.recv() else { break };
                for (ticket, result) in results {
                    in_flight -= 1;
                    done(ticket, *result);
                }
            }
            shop.change(|inner| inner.closed = true);
        });
        Ok(())
    }

    /// A worker: executes and commits until the shop is closed.
    fn serve(&self, shop: &Shop, mut reader: Reader, finished: &Sender<Vec<Finished>>) {
        let _present = Present(shop);
        while let Some(next) = shop.next() {
            let results = match next {
                Next::Execute(work) => match self.attempt(work, &mut reader) {
                    Ok(executed) => {
                        shop.change(|inner| inner.executed.push(executed));
                        continue;
                    }
                    Err((ticket, error)) => vec![(ticket, Box::new(Err(error)))],
                },
                Next::Commit(batch) => {
                    let (results, again) = self.commit_batch(batch);
                    shop.change(|inner| {
                        inner.committing = false;
                        inner.waiting.extend(again);
                    });
                    results
                }
            };
            // The feeding thread receives until nothing is in flight; if it is gone, so is everyone who could use the results.
            drop(finished.send(results));
        }
    }

    fn attempt(&self, work: Work, reader: &mut Reader) -> Result<(Work, Prepared), (u64, EngineError)> {
        let Work { ticket, attempt, task } = work;
        let failed = |error| (ticket, error);
        let job = match task {
            Task::Asked(request) => self.job(&request).map_err(failed)?,
            Task::Ready(job) => job,
        };
        let prepared = self.execute(&job, reader, attempt).map_err(failed)?;
        Ok((Work { ticket, attempt, task: Task::Ready(job) }, prepared))
    }

    /// Commits a batch; what met another's write comes back as work.
    fn commit_batch(&self, batch: Vec<(Work, Prepared)>) -> (Vec<Finished>, Vec<Work>) {
        let (works, prepared): (Vec<Work>, Vec<Prepared>) = batch.into_iter().unzip();
        let mut finished = Vec::with_capacity(works.len());
        let mut again = Vec::new();
        match self.commit(prepared) {
            Ok(answers) => {
                for (work, answer) in works.into_iter().zip(answers) {
                    match answer {
                        Ok(report) => finished.push((work.ticket, Box::new(Ok(report)))),
                        Err(Refused::Conflict) if work.attempt < attempts_max() => {
                            again.push(Work { attempt: work.attempt + 1, ..work });
                        }
                        Err(Refused::Conflict) => {
                            finished.push((work.ticket, Box::new(Err(EngineError::Contention { attempts: work.attempt }))));
                        }
                        Err(Refused::Other(error)) => finished.push((work.ticket, Box::new(Err(error)))),
                    }
                }
            }
            Err(error) => {
                // The whole batch met the same failure; each run is told so, none was committed.
                let detail = error.to_string();
                let mut first = Some(error);
                for work in works {
                    let error = first.take().unwrap_or_else(|| EngineError::Rejected { code: "commit_failed", detail: detail.clone() });
                    finished.push((work.ticket, Box::new(Err(error))));
                }
            }
        }
        (finished, again)
    }
}
