//! Many runs at once: worker threads execute, one committer makes whole batches durable with one sync.
//!
//! The committer takes whatever has been executed while the last sync was under way, so batches grow with the load by themselves.
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
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

enum Done {
    Finished { ticket: u64, result: Box<Result<RunReport>> },
    Again(Work),
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
        let (work_tx, work_rx) = unbounded::<Work>();
        let (prepared_tx, prepared_rx) = bounded::<(Work, Prepared)>(load.in_flight.get());
        let (done_tx, done_rx) = unbounded::<Done>();
        thread::scope(|scope| {
            for mut reader in readers {
                let (work_rx, prepared_tx, done_tx) = (work_rx.clone(), prepared_tx.clone(), done_tx.clone());
                scope.spawn(move || {
                    for work in work_rx {
                        match self.attempt(work, &mut reader) {
                            Ok(executed) => drop(prepared_tx.send(executed)),
                            Err((ticket, error)) => drop(done_tx.send(Done::Finished { ticket, result: Box::new(Err(error)) })),
                        }
                    }
                });
            }
            drop((work_rx, prepared_tx));
            scope.spawn(move || self.commit_batches(&prepared_rx, &done_tx));
            Self::drive(load, &mut next, &mut done, &work_tx, &done_rx);
            drop(work_tx);
        });
        Ok(())
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

    /// Keeps `in_flight` runs under way until `next` has no more and all have finished.
    fn drive(
        load: Load,
        next: &mut dyn FnMut() -> Option<RunRequest>,
        done: &mut dyn FnMut(u64, Result<RunReport>),
        work: &Sender<Work>,
        finished: &Receiver<Done>,
    ) {
        let mut in_flight = 0_usize;
        let mut exhausted = false;
        let mut ticket = 0_u64;
        let mut retries: VecDeque<Work> = VecDeque::new();
        loop {
            while let Some(again) = retries.pop_front() {
                drop(work.send(again));
            }
            while !exhausted && in_flight < load.in_flight.get() {
                let Some(request) = next() else {
                    exhausted = true;
                    break;
                };
                drop(work.send(Work { ticket, attempt: 1, task: Task::Asked(request) }));
                in_flight += 1;
                ticket += 1;
            }
            if in_flight == 0 && exhausted {
                return;
            }
            match finished.recv() {
                Ok(Done::Finished { ticket, result }) => {
                    in_flight -= 1;
                    done(ticket, *result);
                }
                Ok(Done::Again(again)) => retries.push_back(again),
                Err(_) => return,
            }
        }
    }

    fn commit_batches(&self, prepared: &Receiver<(Work, Prepared)>, done: &Sender<Done>) {
        while let Ok(first) = prepared.recv() {
            let (mut works, mut batch) = (vec![first.0], vec![first.1]);
            while batch.len() < BATCH_MAX {
                let Ok((work, run)) = prepared.try_recv() else { break };
                works.push(work);
                batch.push(run);
            }
            match self.commit(batch) {
                Ok(answers) => {
                    for (work, answer) in works.into_iter().zip(answers) {
                        drop(done.send(settle(work, answer)));
                    }
                }
                Err(error) => {
                    // The whole batch met the same failure; each run is told so, none was committed.
                    let detail = error.to_string();
                    let mut first = Some(error);
                    for work in works {
                        let error = first.take().unwrap_or_else(|| EngineError::Rejected { code: "commit_failed", detail: detail.clone() });
                        drop(done.send(Done::Finished { ticket: work.ticket, result: Box::new(Err(error)) }));
                    }
                }
            }
        }
    }
}

fn settle(work: Work, answer: Result<RunReport, Refused>) -> Done {
    let ticket = work.ticket;
    match answer {
        Ok(report) => Done::Finished { ticket, result: Box::new(Ok(report)) },
        Err(Refused::Conflict) if work.attempt < attempts_max() => Done::Again(Work { attempt: work.attempt + 1, ..work }),
        Err(Refused::Conflict) => Done::Finished { ticket, result: Box::new(Err(EngineError::Contention { attempts: work.attempt })) },
        Err(Refused::Other(error)) => Done::Finished { ticket, result: Box::new(Err(error)) },
    }
}
