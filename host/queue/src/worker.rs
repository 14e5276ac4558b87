//! One worker as a state machine that asks and is told.
//!
//! It opens no store, runs nothing and reads no clock. The engine and the simulation drive this same machine: every trigger, by hand or
//! by polling, comes through here. A pass is: write down expired leases, list, validate, mark, take a batch, and for each item of the
//! batch validate again and run; then commit the batch, settle it, and begin anew. There is no answer that could make it panic; an answer
//! that does not belong to the ask counts as a fault.

mod ask;

pub use ask::{Ask, Held, Outcome, Taken, Told};

use crate::facts::Mode;
use crate::id::QueueId;
use crate::order::Place;
use crate::retry::{Class, DELAYS_US, Failure};
use crate::validation::Answer;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

/// Runs of one item under one lease, when what a run has read changes before its commit. More contention than that is a failure.
pub const RUNS_MAX: u32 = 4;

/// The reason of an item that is given back by a worker that has to stop.
pub const REASON_STOPPED: &str = "stopped";

/// The reason of a failure for too many conflicts.
pub const REASON_CONFLICT: &str = "conflict";

/// The reason of a failure without an answer that belongs to the ask.
pub const REASON_UNANSWERED: &str = "unanswered";

/// How a worker works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its name: unlike that of every other worker that ever held a lease of this queue.
    pub owner: String,
    /// Items taken at a time, at least one.
    pub batch: usize,
    /// Length of a lease, microseconds. It is renewed when half of it is over.
    pub lease_us: u64,
    /// The longest wait when there is nothing to do, microseconds.
    pub poll_us: u64,
    /// Whether it stops when there is nothing to do.
    pub once: bool,
}

/// A worker in progress.
#[derive(Clone, Debug)]
pub struct Worker {
    options: Options,
    now: u64,
    stopping: bool,
    asked: Ask,
    /// Where the next page of PENDING items begins.
    after: Option<Place>,
    /// Whether the last page was the end of the list.
    wrapped: bool,
    /// Whether anything was done since the list was begun.
    progress: bool,
    /// When the next thing is due.
    next_due: Option<u64>,
    /// Faults in a row, outside of an item's own.
    faults: usize,
    to_check: VecDeque<(QueueId, bool)>,
    answers: Vec<(QueueId, Answer)>,
    retries: Vec<(QueueId, Answer)>,
    batch: Batch,
}

/// The items that are held, by what comes next for them.
#[derive(Clone, Debug, Default)]
struct Batch {
    to_run: VecDeque<Task>,
    ran: Vec<Task>,
    to_settle: Vec<Task>,
    to_begin: Vec<Task>,
    failed: VecDeque<(Task, Failure)>,
    /// When the first of their leases ends, microseconds.
    deadline: u64,
}

/// One item that is held.
#[derive(Clone, Debug)]
struct Task {
    held: Held,
    mode: Mode,
    executed: bool,
    runs: u32,
}

impl Batch {
    fn add(&mut self, taken: Taken) {
        let task = Task { held: taken.held, mode: taken.mode, executed: taken.executed, runs: 0 };
        if task.executed { self.go_on(task) } else { self.to_run.push_back(task) }
    }

    /// An executed item is settled as its mode says.
    fn go_on(&mut self, task: Task) {
        match task.mode {
            Mode::None => {}
            Mode::Internal => self.to_settle.push(task),
            Mode::External => self.to_begin.push(task),
        }
    }

    fn fail(&mut self, task: Task, class: Class, reason: &str) {
        // Every reason here is a word; should one be none, the word for that is.
        let failure = Failure::new(class, reason).unwrap_or(Failure { class, reason: REASON_UNANSWERED.into() });
        self.failed.push_back((task, failure));
    }

    fn held(&self) -> Vec<Held> {
        let failed = self.failed.iter().map(|(task, _)| task);
        let tasks = self.to_run.iter().chain(&self.ran).chain(&self.to_settle).chain(&self.to_begin).chain(failed);
        tasks.map(|task| task.held.clone()).collect()
    }

    fn keep(&mut self, held: &[QueueId]) {
        let kept = |task: &Task| held.contains(&task.held.id);
        self.to_run.retain(kept);
        self.ran.retain(kept);
        self.to_settle.retain(kept);
        self.to_begin.retain(kept);
        self.failed.retain(|(task, _)| kept(task));
    }
}

impl Worker {
    /// Starts a worker.
    #[must_use]
    pub fn start(options: Options, now: u64) -> (Self, Ask) {
        Self::with(options, now, Vec::new())
    }

    /// Starts a worker that holds items already: after a trigger or retry by hand took them under its name.
    #[must_use]
    pub fn with(options: Options, now: u64, taken: Vec<Taken>) -> (Self, Ask) {
        let mut worker = Self {
            now,
            stopping: false,
            asked: Ask::Recover,
            after: None,
            wrapped: false,
            progress: false,
            next_due: None,
            faults: 0,
            to_check: VecDeque::new(),
            answers: Vec::new(),
            retries: Vec::new(),
            batch: Batch { deadline: now.saturating_add(options.lease_us), ..Batch::default() },
            options,
        };
        let ask = if taken.is_empty() {
            Ask::Recover
        } else {
            taken.into_iter().for_each(|taken| worker.batch.add(taken));
            worker.work()
        };
        worker.asked = ask.clone();
        (worker, ask)
    }

    /// Asks the worker to stop: it takes nothing more, finishes what has run, and gives the rest back. Takes effect with the next answer.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// The name it works under.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.options.owner
    }

    /// What was asked last.
    #[must_use]
    pub const fn asked(&self) -> &Ask {
        &self.asked
    }

    /// Takes the answer to the last ask, and asks the next.
    pub fn tell(&mut self, told: Told, now: u64) -> Ask {
        self.now = now;
        let asked = core::mem::replace(&mut self.asked, Ask::Stop);
        let ask = self.next(asked, told);
        self.asked = ask.clone();
        ask
    }

    fn next(&mut self, asked: Ask, told: Told) -> Ask {
        match (asked, told) {
            (Ask::Stop, _) => Ask::Stop,
            (Ask::Wait { .. }, _) => self.pass(),
            (Ask::Recover, Told::Done) if self.stopping => Ask::Stop,
            (Ask::Recover, Told::Done) => Ask::List { after: self.after, limit: self.limit() },
            (Ask::List { .. }, Told::Listed { pending, retries, next }) => self.listed(pending, retries, next),
            (Ask::Validate { id, fence: None }, Told::Validated { answer, changed }) => self.checked(id, answer, changed),
            (Ask::Mark { .. }, Told::Marked(lines)) => {
                self.progress |= lines > 0;
                self.check()
            }
            (Ask::Lease { deadline, .. }, Told::Leased(taken)) => self.leased(taken, deadline),
            (Ask::Validate { fence: Some(_), .. }, Told::Validated { answer, .. }) if answer.passed() => self.run(),
            (Ask::Recover | Ask::List { .. } | Ask::Validate { fence: None, .. } | Ask::Mark { .. } | Ask::Lease { .. }, _) => self.fault(),
            (asked, told) => {
                self.batch_told(asked, told);
                self.work()
            }
        }
    }

    fn limit(&self) -> usize {
        self.options.batch.max(1)
    }

    /// Begins a pass, unless it has to stop.
    fn pass(&mut self) -> Ask {
        self.to_check.clear();
        self.answers.clear();
        self.retries.clear();
        if self.stopping { Ask::Stop } else { Ask::Recover }
    }

    /// Something is out of order that belongs to no item: waits longer each time, for the infrastructure's sake.
    fn fault(&mut self) -> Ask {
        if self.stopping {
            return Ask::Stop;
        }
        let longest = DELAYS_US.len().saturating_sub(1);
        let delay = DELAYS_US.get(self.faults.min(longest)).copied().unwrap_or(self.options.poll_us);
        self.faults = self.faults.saturating_add(1);
        Ask::Wait { until: self.now.saturating_add(delay), fault: true }
    }

    fn listed(&mut self, pending: Vec<(Place, QueueId)>, retries: Vec<QueueId>, next: Option<u64>) -> Ask {
        self.wrapped = pending.len() < self.limit();
        self.after = if self.wrapped { None } else { pending.last().map(|(place, _)| *place) };
        self.next_due = next;
        self.to_check = pending.into_iter().map(|(_, id)| (id, false)).chain(retries.into_iter().map(|id| (id, true))).collect();
        self.check()
    }

    /// Validates what was listed, one after the other; then marks; then takes a batch.
    fn check(&mut self) -> Ask {
        if self.stopping {
            return Ask::Stop;
        }
        if let Some((id, _)) = self.to_check.front() {
            return Ask::Validate { id: id.clone(), fence: None };
        }
        if !self.answers.is_empty() {
            return Ask::Mark { answers: core::mem::take(&mut self.answers) };
        }
        let deadline = self.now.saturating_add(self.options.lease_us);
        Ask::Lease { limit: self.limit(), deadline, retries: core::mem::take(&mut self.retries) }
    }

    fn checked(&mut self, id: QueueId, answer: Answer, changed: bool) -> Ask {
        let retry = self.to_check.pop_front().is_some_and(|(_, retry)| retry);
        if retry && answer.passed() {
            self.retries.push((id, answer));
        } else if changed {
            self.answers.push((id, answer));
        }
        self.check()
    }

    fn leased(&mut self, taken: Vec<Taken>, deadline: u64) -> Ask {
        self.faults = 0;
        self.progress |= !taken.is_empty();
        self.batch.deadline = deadline;
        taken.into_iter().for_each(|taken| self.batch.add(taken));
        self.work()
    }

    /// The next step with what is held; without anything, the next pass or a wait.
    fn work(&mut self) -> Ask {
        if self.stopping && !self.batch.to_run.is_empty() {
            let items = self.batch.to_run.drain(..).map(|task| task.held).collect();
            return Ask::Release { items, reason: REASON_STOPPED };
        }
        // The time first: to name all that is held, for each item of a batch, would cost more than the item.
        if self.now.saturating_add(self.options.lease_us / 2) >= self.batch.deadline {
            let items = self.batch.held();
            if !items.is_empty() {
                return Ask::Renew { items, deadline: self.now.saturating_add(self.options.lease_us) };
            }
        }
        let all = |tasks: &[Task]| tasks.iter().map(|task| task.held.clone()).collect();
        if let Some(task) = self.batch.to_run.front() {
            return Ask::Validate { id: task.held.id.clone(), fence: Some(task.held.fence) };
        }
        if let Some((first, _)) = self.batch.failed.front() {
            let same = self.batch.failed.iter().filter(|(task, _)| task.executed == first.executed);
            let items = same.map(|(task, failure)| (task.held.clone(), failure.clone())).collect();
            return if first.executed { Ask::FailSettlement { items } } else { Ask::Fail { items } };
        }
        if !self.batch.ran.is_empty() {
            return Ask::Commit { items: all(&self.batch.ran) };
        }
        if !self.batch.to_settle.is_empty() {
            return Ask::Settle { items: all(&self.batch.to_settle) };
        }
        if !self.batch.to_begin.is_empty() {
            return Ask::BeginSettlement { items: all(&self.batch.to_begin) };
        }
        self.over()
    }

    /// Runs the item that was validated just now.
    fn run(&mut self) -> Ask {
        match self.batch.to_run.front() {
            Some(task) if !self.stopping => Ask::Run { item: task.held.clone() },
            _ => self.work(),
        }
    }

    /// Nothing is held: on to the next page, or again from the start, or a rest.
    fn over(&mut self) -> Ask {
        if self.stopping {
            return Ask::Stop;
        }
        if !self.wrapped || self.progress {
            self.progress &= !self.wrapped;
            return self.pass();
        }
        if self.options.once {
            return Ask::Stop;
        }
        let poll = self.now.saturating_add(self.options.poll_us);
        // What is overdue was refused just now: it is no reason not to rest.
        let until = self.next_due.filter(|due| *due > self.now).map_or(poll, |due| due.min(poll));
        Ask::Wait { until, fault: false }
    }

    /// An answer about items that are held.
    fn batch_told(&mut self, asked: Ask, told: Told) {
        let batch = &mut self.batch;
        match (asked, told) {
            (Ask::Renew { deadline, .. }, told) => {
                // Without an answer the work goes on: at worst its commit is fenced.
                batch.deadline = deadline;
                if let Told::Held(held) = told {
                    batch.keep(&held);
                }
            }
            (Ask::Validate { .. }, told) => {
                let Some(task) = batch.to_run.pop_front() else { return };
                if let Told::Validated { answer, .. } = &told {
                    // The reason can be mended, and the item retried by hand.
                    batch.fail(task, Class::Resolvable, answer.failure_reason().unwrap_or(REASON_UNANSWERED));
                } else {
                    batch.fail(task, Class::Transient, fault_reason(&told));
                }
            }
            (Ask::Run { .. }, told) => {
                let Some(task) = batch.to_run.pop_front() else { return };
                if told == Told::Done {
                    batch.ran.push(Task { runs: task.runs.saturating_add(1), ..task });
                } else if let Told::Failed(failure) = told {
                    batch.failed.push_back((task, failure));
                } else {
                    batch.fail(task, Class::Transient, fault_reason(&told));
                }
            }
            (Ask::Commit { .. }, told) => {
                for (nth, task) in core::mem::take(&mut batch.ran).into_iter().enumerate() {
                    committed(batch, task, nth, &told);
                }
            }
            (Ask::Settle { .. }, told) => {
                for (nth, task) in core::mem::take(&mut batch.to_settle).into_iter().enumerate() {
                    settled(batch, task, nth, &told);
                }
            }
            (Ask::BeginSettlement { .. }, told) => {
                for (nth, task) in core::mem::take(&mut batch.to_begin).into_iter().enumerate() {
                    settled(batch, task, nth, &told);
                }
            }
            (Ask::Fail { items } | Ask::FailSettlement { items }, _) => {
                // Told or not: if it is not written down, the lease runs out, and that is.
                batch.failed.retain(|(task, _)| !items.iter().any(|(held, _)| held.id == task.held.id));
            }
            // What was given back is not held any more, whatever the answer.
            _ => {}
        }
    }
}

fn committed(batch: &mut Batch, task: Task, nth: usize, told: &Told) {
    match outcome(told, nth, &task) {
        Ok(Outcome::Done) => batch.go_on(Task { executed: true, ..task }),
        Ok(Outcome::Fenced) => {}
        Ok(Outcome::Conflict) if task.runs < RUNS_MAX => batch.to_run.push_back(task),
        Ok(Outcome::Conflict) => batch.fail(task, Class::Transient, REASON_CONFLICT),
        Ok(Outcome::Duplicate(reason)) => batch.fail(task, Class::Duplicate, reason),
        Ok(Outcome::Failed(failure)) => batch.failed.push_back((task, failure.clone())),
        Err(reason) => batch.fail(task, Class::Transient, reason),
    }
}

fn settled(batch: &mut Batch, task: Task, nth: usize, told: &Told) {
    match outcome(told, nth, &task) {
        // A duplicate was settled by somebody else, which is as good.
        Ok(Outcome::Done | Outcome::Fenced | Outcome::Duplicate(_)) => {}
        Ok(Outcome::Conflict) => batch.fail(task, Class::Transient, REASON_CONFLICT),
        Ok(Outcome::Failed(failure)) => batch.failed.push_back((task, failure.clone())),
        Err(reason) => batch.fail(task, Class::Transient, reason),
    }
}

/// What was told of one item, or the reason why nothing was. Answers mostly come in the order of the ask.
fn outcome<'a>(told: &'a Told, nth: usize, task: &Task) -> Result<&'a Outcome, &'a str> {
    let Told::Each(each) = told else { return Err(fault_reason(told)) };
    let here = each.get(nth).filter(|(id, _)| *id == task.held.id);
    here.or_else(|| each.iter().find(|(id, _)| *id == task.held.id)).map(|(_, outcome)| outcome).ok_or(REASON_UNANSWERED)
}

fn fault_reason(told: &Told) -> &str {
    if let Told::Fault(reason) = told { reason } else { REASON_UNANSWERED }
}
