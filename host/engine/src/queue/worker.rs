//! The driver of the pure worker: it answers every ask with the real store, the real judge and the real sandbox.
//!
//! One driver is one worker under a name of its own; several may run in one process and in many. Nothing that it keeps in memory matters
//! after a crash: leases run out, and what was committed is committed.
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use enact_core::govern::contract::{self, Hook};
use enact_queue::change::{By, Change};
use enact_queue::id::QueueId;
use enact_queue::item::Item;
use enact_queue::lease::{Fence as QueueFence, Lease};
use enact_queue::order::Place;
use enact_queue::status::{Event, Status};
use enact_queue::time::SECOND_US;
use enact_queue::validation::Answer;
use enact_queue::worker::{Ask, Held, Options, Outcome, Taken, Told, Worker};
use enact_store::{Fence, QueueFilter, QueueItem, QueueTake, Reader};
use serde::Serialize;

use super::commit::Author;
use super::item::{Seen, known, last_line, named_contract, refused_queue, see, seen, stored_time, subject_of};
use super::run::{self, Ran};
use super::{class, view};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Components, Ruled, Signatures, keys};

/// The longest a worker sleeps without looking whether it is to stop.
const NAP_US: u64 = 100_000;
/// After this long everything that is pending is validated again, even if the ledger has not grown: some checks ask for the time.
const RECHECK_US: u64 = 60 * SECOND_US;

/// How to work.
#[derive(Debug, Clone)]
pub struct WorkOptions {
    /// Who signs: an actor whose key this workspace holds.
    pub actor: String,
    /// Workers of this process.
    pub workers: NonZeroUsize,
    /// Stop when there is nothing to do.
    pub once: bool,
    /// The longest wait when there is nothing to do, microseconds.
    pub poll_us: u64,
    /// Items taken at a time.
    pub batch: NonZeroUsize,
    /// Length of a lease, microseconds.
    pub lease_us: u64,
}

impl Default for WorkOptions {
    fn default() -> Self {
        Self {
            actor: String::new(),
            workers: NonZeroUsize::MIN,
            once: false,
            poll_us: SECOND_US / 2,
            batch: NonZeroUsize::MIN.saturating_add(63),
            lease_us: 30 * SECOND_US,
        }
    }
}

/// What became of an item; the stable shape of a line of `enact work --json`.
#[derive(Debug, Clone, Serialize)]
pub struct WorkEvent {
    /// Name of the worker.
    pub worker: String,
    /// The item; absent when the machine and not an item was in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<String>,
    /// `executed`, `settled`, `settlement_begun`, `failed`, `settlement_failed`, `duplicate`, `fenced`, `conflict`, `fault`.
    pub event: &'static str,
    /// The entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What workers did; the stable shape of the summary of `enact work --once --json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WorkReport {
    /// Items executed.
    pub executed: u64,
    /// Items settled.
    pub settled: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Items that had been done before.
    pub duplicates: u64,
    /// Items that were somebody else's by then.
    pub fenced: u64,
}

impl WorkReport {
    fn add(&mut self, other: Self) {
        self.executed = self.executed.saturating_add(other.executed);
        self.settled = self.settled.saturating_add(other.settled);
        self.failed = self.failed.saturating_add(other.failed);
        self.duplicates = self.duplicates.saturating_add(other.duplicates);
        self.fenced = self.fenced.saturating_add(other.fenced);
    }
}

impl Engine {
    /// Works the queue until `stop` is set or, with `once`, until there is nothing to do. `told` hears what becomes of items.
    ///
    /// # Errors
    /// What keeps a worker from beginning: no key, no reader. A fault on the way is told, and the worker goes on.
    pub fn work(&self, options: &WorkOptions, stop: &AtomicBool, told: &(dyn Fn(&WorkEvent) + Sync)) -> Result<WorkReport> {
        let actor = keys::actor_id(&options.actor)?;
        let key = keys::load(self.workspace(), &actor)?;
        self.queue_may_work(&actor)?;
        self.queue_ready()?;
        let mut drivers = Vec::with_capacity(options.workers.get());
        for _ in 0..options.workers.get() {
            drivers.push(Driver::new(self, &actor, &key, self.queue_owner(&actor)?, stop, told)?);
        }
        let stopped = || EngineError::Internal { detail: "a worker stopped".to_owned() };
        thread::scope(|scope| {
            let work = |mut driver: Driver<'_>| {
                let (worker, ask) = Worker::start(driver.options(options), self.queue_now());
                driver.drive(worker, ask, false).map(|()| driver.report)
            };
            let workers: Vec<_> = drivers.into_iter().map(|driver| scope.spawn(move || work(driver))).collect();
            let mut all = WorkReport::default();
            let mut failed = None;
            for worker in workers {
                match worker.join().unwrap_or_else(|_| Err(stopped())) {
                    Ok(report) => all.add(report),
                    Err(error) => failed = Some(error),
                }
            }
            failed.map_or(Ok(all), Err)
        })
    }

    /// A name that no worker had before.
    pub(crate) fn queue_owner(&self, actor: &str) -> Result<String> {
        let id = actor.strip_prefix("Actor:").unwrap_or(actor);
        let plain: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')).collect();
        Ok(format!("w-{plain}-{}", self.unique_name()?))
    }

    /// A ledger with items and a queue without any has lost it, or is from before there was one.
    pub(crate) fn queue_ready(&self) -> Result<()> {
        let mut reader = self.store().reader()?;
        if reader.queue_counts(None)?.is_empty() && reader.queue_lines(None, 0, 1)?.is_empty() {
            self.queue_rebuild()?;
        }
        Ok(())
    }
}

/// One worker at work.
pub(crate) struct Driver<'a> {
    pub(super) engine: &'a Engine,
    pub(super) author: Author<'a>,
    pub(super) owner: String,
    pub(super) reader: Reader,
    /// Runs that are not committed.
    pub(super) results: BTreeMap<QueueId, Box<Ran>>,
    entries: BTreeMap<QueueId, u64>,
    attempts: BTreeMap<QueueId, u32>,
    stop: &'a AtomicBool,
    told: &'a (dyn Fn(&WorkEvent) + Sync),
    report: WorkReport,
    /// Where the last page of PENDING items ended, as place and as number.
    page: Option<(Place, u64)>,
    /// Size of the ledger and time when everything pending was validated and nothing new was found.
    checked: Option<(u64, u64)>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        actor: &'a str,
        key: &'a SigningKey,
        owner: String,
        stop: &'a AtomicBool,
        told: &'a (dyn Fn(&WorkEvent) + Sync),
    ) -> Result<Self> {
        Ok(Self {
            engine,
            author: Author { engine, actor, key },
            owner,
            reader: engine.store().reader()?,
            results: BTreeMap::new(),
            entries: BTreeMap::new(),
            attempts: BTreeMap::new(),
            stop,
            told,
            report: WorkReport::default(),
            page: None,
            checked: None,
        })
    }

    pub(super) fn options(&self, options: &WorkOptions) -> Options {
        Options {
            owner: self.owner.clone(),
            batch: options.batch.get(),
            lease_us: options.lease_us.max(SECOND_US),
            poll_us: options.poll_us,
            once: options.once,
        }
    }

    pub(super) const fn report(&self) -> WorkReport {
        self.report
    }

    /// Answers asks until the worker stops; or, if it is only to finish what it was given, until it looks for more.
    pub(super) fn drive(&mut self, mut worker: Worker, mut ask: Ask, only_this: bool) -> Result<()> {
        loop {
            if ask == Ask::Stop || only_this && matches!(ask, Ask::Recover | Ask::Wait { .. }) {
                return Ok(());
            }
            if self.stop.load(Ordering::Relaxed) {
                worker.stop();
            }
            let told = match self.answer(&ask) {
                Ok(told) => told,
                Err(error) => {
                    self.event(None, "fault", Some(format!("{}: {error}", error.code())));
                    Told::Fault(class::failure(enact_queue::retry::Class::Transient, error.code()).reason)
                }
            };
            if self.stop.load(Ordering::Relaxed) {
                worker.stop();
            }
            ask = worker.tell(told, self.engine.queue_now());
        }
    }

    fn answer(&mut self, ask: &Ask) -> Result<Told> {
        Ok(match ask {
            Ask::Recover => {
                self.recover()?;
                Told::Done
            }
            Ask::List { after, limit } => self.list(*after, *limit)?,
            Ask::Validate { id, .. } => {
                let (answer, changed) = self.validate(id)?;
                Told::Validated { answer, changed }
            }
            Ask::Mark { answers } => Told::Marked(self.mark(answers)?),
            Ask::Lease { limit, deadline, retries } => Told::Leased(self.lease(*limit, *deadline, retries)?),
            Ask::Renew { items, deadline } => {
                let held = self.renew(items, *deadline)?;
                for lost in items.iter().filter(|item| !held.contains(&item.id)) {
                    self.report.fenced = self.report.fenced.saturating_add(1);
                    self.event(Some(&lost.id), "fenced", None);
                    self.forget(&lost.id);
                }
                Told::Held(held)
            }
            Ask::Run { item } => self.run(item)?,
            Ask::Commit { items } => {
                let outcomes = self.commit(items)?;
                Told::Each(self.counted(outcomes, "executed"))
            }
            Ask::Settle { items } => {
                let outcomes = self.settle(items)?;
                Told::Each(self.counted(outcomes, "settled"))
            }
            Ask::BeginSettlement { items } => {
                let outcomes = self.begin_settlement(items)?;
                Told::Each(self.counted(outcomes, "settlement_begun"))
            }
            Ask::Fail { item, failure, lasting } => {
                self.fail(item, failure, *lasting)?;
                self.forget(&item.id);
                self.report.failed = self.report.failed.saturating_add(1);
                self.event(Some(&item.id), "failed", Some(failure.reason.clone()));
                Told::Done
            }
            Ask::FailSettlement { item, failure } => {
                self.by_holder(ask, item)?;
                self.report.failed = self.report.failed.saturating_add(1);
                self.event(Some(&item.id), "settlement_failed", Some(failure.reason.clone()));
                Told::Done
            }
            Ask::Release { items, .. } => {
                for item in items {
                    self.by_holder(ask, item)?;
                    self.forget(&item.id);
                }
                Told::Done
            }
            Ask::Wait { until, .. } => {
                self.wait(*until)?;
                Told::Done
            }
            Ask::Stop => Told::Done,
        })
    }

    /// What the rules in force are.
    fn ruled(&mut self) -> Result<Arc<Ruled>> {
        let moment = self.reader.moment(None)?;
        let protocol = self.engine.in_force(&moment)?;
        self.engine.rules(&protocol, &moment)
    }

    pub(super) fn see(&mut self, id: &QueueId) -> Result<Option<Seen>> {
        let ruled = self.ruled()?;
        let now = self.engine.queue_now();
        see(&ruled.protocol, &mut self.reader.moment(None)?, self.author.actor, id.as_str(), now)
    }

    fn forget(&mut self, id: &QueueId) {
        self.results.remove(id);
        self.attempts.remove(id);
    }

    pub(super) fn told(&mut self, id: &QueueId, answer: &Result<crate::govern::Appended, super::gate::Left>) {
        if let Ok(appended) = answer {
            self.entries.insert(id.clone(), appended.entry.seq);
        }
    }

    fn event(&mut self, id: Option<&QueueId>, event: &'static str, reason: Option<String>) {
        let entry = id.and_then(|id| self.entries.remove(id));
        (self.told)(&WorkEvent { worker: self.owner.clone(), queue_id: id.map(|id| id.as_str().to_owned()), event, entry, reason });
    }

    fn counted(&mut self, outcomes: Vec<(QueueId, Outcome)>, done: &'static str) -> Vec<(QueueId, Outcome)> {
        for (id, outcome) in &outcomes {
            let (count, event, reason) = match outcome {
                Outcome::Done if done == "executed" => (Some(&mut self.report.executed), done, None),
                Outcome::Done if done == "settled" => (Some(&mut self.report.settled), done, None),
                Outcome::Done => (None, done, None),
                Outcome::Fenced => (Some(&mut self.report.fenced), "fenced", None),
                Outcome::Conflict => (None, "conflict", None),
                Outcome::Duplicate(code) => (Some(&mut self.report.duplicates), "duplicate", Some(code.clone())),
                // Told when it is written down.
                Outcome::Failed(_) => continue,
            };
            if let Some(count) = count {
                *count = count.saturating_add(1);
            }
            self.event(Some(id), event, reason);
            if *outcome == Outcome::Done {
                self.forget(id);
            }
        }
        outcomes
    }

    /// A change that only the holder may make.
    fn by_holder(&mut self, ask: &Ask, item: &Held) -> Result<()> {
        let Some(seen) = self.see(&item.id)? else { return Ok(()) };
        match ask.change(&self.owner, item) {
            Some(change) => self.write(&seen, &change),
            None => Ok(()),
        }
    }

    fn recover(&mut self) -> Result<()> {
        let now = self.engine.queue_now();
        let mut line = |event: &str, item: &QueueItem| stepped(self.engine, event, item, now);
        self.engine.with_writer(|writer| Ok(writer.queue_recover(now, &mut line)?)).map(drop)
    }

    fn list(&mut self, after: Option<Place>, limit: usize) -> Result<Told> {
        let now = self.engine.queue_now();
        let size = self.reader.head()?.size;
        let count = u64::try_from(limit).unwrap_or(u64::MAX);
        let retries = self.reader.queue_due(Status::Failed.as_str(), now, count)?;
        let retries = retries.into_iter().filter_map(|item| QueueId::parse(&item.row.item).ok()).collect();
        let wakes = [
            self.reader.queue_wake()?,
            self.reader.queue_due_next(Status::Failed.as_str(), now)?,
            self.reader.queue_due_next(Status::Executed.as_str(), now)?,
        ];
        let next = wakes.into_iter().flatten().filter(|at| *at > now).min();
        let fresh = self.checked.is_none_or(|(seen, at)| seen != size || now >= at.saturating_add(RECHECK_US));
        if after.is_none() && !fresh {
            return Ok(Told::Listed { pending: Vec::new(), retries, next });
        }
        let from = self.page.filter(|(place, _)| Some(*place) == after).map_or(0, |(_, id)| id);
        let filter = QueueFilter { status: Some(Status::Pending.as_str().to_owned()), ..QueueFilter::default() };
        let items = self.reader.queue_items(&filter, from, count)?;
        self.page = items.last().map(|item| (Place { entry: item.row.seq, position: item.row.pos }, item.id));
        if items.len() < limit {
            self.checked = Some((size, now));
        }
        let mut pending = Vec::with_capacity(items.len());
        for item in items {
            if item.row.not_before <= now {
                let place = Place { entry: item.row.seq, position: item.row.pos };
                pending.push((place, QueueId::parse(&item.row.item).map_err(refused_queue)?));
            }
        }
        Ok(Told::Listed { pending, retries, next })
    }

    /// Validates an item now; answers whether the journal says something else so far.
    fn validate(&mut self, id: &QueueId) -> Result<(Answer, bool)> {
        let ruled = self.ruled()?;
        let now = self.engine.queue_now();
        let mut moment = self.reader.moment(None)?;
        let seen = match see(&ruled.protocol, &mut moment, self.author.actor, id.as_str(), now) {
            Ok(Some(seen)) => seen,
            Ok(None) => return Err(super::item::unknown(id.as_str())),
            Err(EngineError::Queue { code, .. }) => return Ok((not_askable(code)?, true)),
            Err(error) => return Err(error),
        };
        let contract = named_contract(&ruled.protocol, &seen.stored.row.contract)?;
        let outside = Components { engine: self.engine, modules: &ruled.modules, signatures: &Signatures::default() };
        let at = stored_time(now);
        let about = contract::Item { subject: &seen.subject, actor: self.author.actor, at: &at };
        let answer = match contract::validate(&ruled.protocol, contract, &moment, &outside, &about) {
            Ok(validation) => view::answer(&validation)?,
            Err(error) => {
                let error = super::item::refused_item(error);
                let EngineError::Queue { code, .. } = error else { return Err(error) };
                not_askable(code)?
            }
        };
        let changed = !seen.item.says(&answer, &seen.known);
        Ok((answer, changed))
    }

    pub(super) fn mark(&mut self, answers: &[(QueueId, Answer)]) -> Result<usize> {
        let mut changes = Vec::with_capacity(answers.len());
        for (id, answer) in answers {
            if let Some(seen) = self.see(id)?
                && let Ok(next) = seen.item.apply(&Change::Validation(answer.clone()), &seen.known)
            {
                changes.push(seen.to(&next));
            }
        }
        let answers = self.engine.with_writer(|writer| Ok(writer.queue_change(&changes)?))?;
        Ok(answers.iter().filter(|answer| answer.is_ok()).count())
    }

    fn lease(&mut self, limit: usize, deadline: u64, retries: &[(QueueId, Answer)]) -> Result<Vec<Taken>> {
        let now = self.engine.queue_now();
        let ruled = self.ruled()?;
        let count = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut wanted = Vec::new();
        for stored in self.reader.queue_due(Status::Executed.as_str(), now, count)? {
            let seen = seen(&ruled.protocol, &mut self.reader.moment(None)?, self.author.actor, stored, now)?;
            wanted.push((seen, Change::Resume { owner: self.owner.clone(), deadline, by: By::Automatic }));
        }
        for (id, answer) in retries {
            if let Some(seen) = self.see(id)? {
                let (owner, answer) = (self.owner.clone(), answer.clone());
                wanted.push((seen, Change::Retry { owner, deadline, by: By::Automatic, answer }));
            }
        }
        let mut taken = self.take(wanted, limit)?;
        let rest = u64::try_from(limit.saturating_sub(taken.len())).unwrap_or(0);
        let take = QueueTake { now, owner: &self.owner, ttl: deadline.saturating_sub(now), count: rest, contract: None };
        let mut line = |event: &str, item: &QueueItem| stepped(self.engine, event, item, now);
        let leased = self.engine.with_writer(|writer| Ok(writer.queue_lease(&take, &mut line)?))?;
        for item in leased {
            let contract = named_contract(&ruled.protocol, &item.row.contract)?;
            let subject = subject_of(&ruled.protocol, contract, &item.row.item)?;
            let moment = self.reader.moment(None)?;
            let known = known(&ruled.protocol, contract, &moment, &subject, self.author.actor, now)?;
            let held = Held { id: QueueId::parse(&item.row.item).map_err(refused_queue)?, fence: QueueFence(item.row.fence) };
            taken.push(Taken { held, mode: known.mode, executed: known.facts.executed });
        }
        Ok(taken)
    }

    /// Takes these items in one transaction; what is refused is left out.
    pub(super) fn take(&mut self, wanted: Vec<(Seen, Change)>, limit: usize) -> Result<Vec<Taken>> {
        let (mut changes, mut after) = (Vec::new(), Vec::new());
        for (seen, change) in wanted {
            if changes.len() < limit
                && let Ok(next) = seen.item.apply(&change, &seen.known)
            {
                changes.push(seen.to(&next));
                let held = Held { id: next.id.clone(), fence: next.fence };
                after.push(Taken { held, mode: seen.known.mode, executed: seen.known.facts.executed });
            }
        }
        let answers = self.engine.with_writer(|writer| Ok(writer.queue_change(&changes)?))?;
        Ok(after.into_iter().zip(answers).filter(|(_, answer)| answer.is_ok()).map(|(taken, _)| taken).collect())
    }

    fn renew(&mut self, items: &[Held], deadline: u64) -> Result<Vec<QueueId>> {
        let held: Vec<Fence> = items.iter().map(|held| Fence { item: held.id.as_str().to_owned(), fence: held.fence.0 }).collect();
        let owner = &self.owner;
        let answers = self.engine.with_writer(|writer| Ok(writer.queue_renew(owner, &held, deadline)?))?;
        Ok(items.iter().zip(answers).filter(|(_, answer)| answer.is_ok()).map(|(held, _)| held.id.clone()).collect())
    }

    fn run(&mut self, item: &Held) -> Result<Told> {
        let Some(seen) = self.see(&item.id)? else { return Err(super::item::unknown(item.id.as_str())) };
        let attempt = self.attempts.entry(item.id.clone()).or_insert(0);
        *attempt = attempt.saturating_add(1);
        let (attempt, contract) = (*attempt, &seen.stored.row.contract);
        let ran = self.engine.queue_run(contract, Hook::Execute, &mut self.reader, &seen.subject, self.author.actor, attempt);
        Ok(match ran {
            Ok(Some(run::Outcome::Ran(ran))) => {
                self.results.insert(item.id.clone(), ran);
                Told::Done
            }
            Ok(Some(run::Outcome::Failed(failure))) => Told::Failed(failure),
            Ok(None) => Told::Failed(class::failure(enact_queue::retry::Class::Resolvable, "queue_contract")),
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => Told::Failed(class::of_error(&error)),
        })
    }

    /// Sleeps until that instant, until the ledger has grown, or until it is to stop.
    fn wait(&mut self, until: u64) -> Result<()> {
        let size = self.reader.head()?.size;
        loop {
            let now = self.engine.queue_now();
            if now >= until || self.stop.load(Ordering::Relaxed) || self.reader.head()?.size != size {
                return Ok(());
            }
            thread::sleep(Duration::from_micros(until.saturating_sub(now).min(NAP_US)));
        }
    }
}

/// The line of a step that the store makes by itself: taking what is ready, giving back what has expired.
fn stepped(engine: &Engine, event: &str, item: &QueueItem, now: u64) -> String {
    // The row is the one after the step; the line is the one before.
    let Some(mut line) = last_line(item).or_else(|| lost(engine, item, now)) else { return item.line.clone().unwrap_or_default() };
    line.updated_us = line.updated_us.max(now);
    line.attempts = item.row.attempts;
    line.lease = item.row.lease.as_ref().map(|lease| Lease {
        owner: lease.owner.clone(),
        deadline: lease.deadline,
        fence: QueueFence(item.row.fence),
    });
    if event == enact_store::LEASED {
        (line.status, line.event, line.reason) = (Status::Executing, Event::Leased, None);
    } else {
        (line.status, line.event) = (Status::Ready, Event::LeaseLost);
        line.reason = Some(enact_queue::change::REASON_EXPIRED.to_owned());
    }
    line.to_line()
}

/// An item whose line is gone, as the ledger knows it.
fn lost(engine: &Engine, item: &QueueItem, now: u64) -> Option<Item> {
    let mut reader = engine.store().reader().ok()?;
    let mut moment = reader.moment(None).ok()?;
    let protocol = engine.in_force(&moment).ok()?;
    let ruled = engine.rules(&protocol, &moment).ok()?;
    let stored = QueueItem { line: None, ..item.clone() };
    seen(&ruled.protocol, &mut moment, "", stored, now).ok().map(|seen| seen.item)
}

/// An answer about an item that cannot be asked about: it is not valid, and the code says why.
fn not_askable(code: &'static str) -> Result<Answer> {
    Answer::of([("item_ok", Some(code))]).map_err(refused_queue)
}
