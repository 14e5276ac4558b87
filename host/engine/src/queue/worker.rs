//! The driver of the pure worker: it answers every ask with the real store, the real judge and the real sandbox.
//!
//! One driver is one worker under a name of its own; several may run in one process and in many. Nothing that it keeps in memory matters
//! after a crash: leases run out, and what was committed is committed.
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use enact_core::govern::contract::Hook;
use enact_core::hash::Digest;
use enact_queue::id::QueueId;
use enact_queue::order::Place;
use enact_queue::time::SECOND_US;
use enact_queue::worker::{Ask, Held, Options, Outcome, Told, Worker};
use enact_store::QueueItem;
use serde::Serialize;

use super::class;
use super::commit::Author;
use super::item::{Seen, lined, named_contract, see, seen};
use super::original::{Original, original};
use super::pace::Pace;
use super::run::{self, Ran};
use super::sight::Sight;
use super::stop::StopSign;
use crate::engine::Engine;
use crate::error::{EngineError, Kind, Result};
use crate::govern::keys;

/// How old the moment may be in which an item is validated before its execution, microseconds. A few items share one; its commit compares
/// with what is there then, as it would had each its own.
pub(super) const MOMENT_US: u64 = 10_000;
/// After this long everything that is pending is validated again, even if the ledger has not grown: some checks ask for the time.
pub(super) const RECHECK_US: u64 = 60 * SECOND_US;

/// Pending items that are looked at together when that is all there is to do.
const CHECK_PAGE: usize = 256;

/// How to work.
#[derive(Debug, Clone)]
pub struct WorkOptions {
    /// Who signs: an actor whose key this workspace holds.
    pub actor: String,
    /// Workers of this process.
    pub workers: NonZeroUsize,
    /// Stop when there is nothing to do.
    pub once: bool,
    /// How often to look whether the ledger has changed when there is nothing to do, microseconds.
    pub poll_us: u64,
    /// Only items under these contracts; under any without one.
    pub contracts: Vec<String>,
    /// Items taken at a time, at most.
    pub batch: NonZeroUsize,
    /// Length of a lease, microseconds.
    pub lease_us: u64,
}

impl WorkOptions {
    /// Items taken at a time, at most, unless told otherwise.
    pub const BATCH: usize = 256;
    /// Milliseconds between two looks of an idle worker unless told otherwise.
    pub const POLL_MS: u64 = 200;
}

impl Default for WorkOptions {
    fn default() -> Self {
        Self {
            actor: String::new(),
            workers: NonZeroUsize::MIN,
            once: false,
            poll_us: Self::POLL_MS * 1_000,
            contracts: Vec::new(),
            batch: NonZeroUsize::new(Self::BATCH).unwrap_or(NonZeroUsize::MIN),
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
    /// What was done before, of an item that was executed already or whose keys are used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
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
    /// What keeps a worker from beginning: no key, no reader. A fault on the way is told, and the worker goes on; damage of what is stored
    /// ends it, and has the others finish.
    pub fn work(&self, options: &WorkOptions, stop: &StopSign, told: &(dyn Fn(&WorkEvent) + Sync)) -> Result<WorkReport> {
        let actor = keys::actor_id(&options.actor)?;
        let key = keys::load(self.workspace(), &actor)?;
        self.queue_may_work(&actor)?;
        self.queue_ready()?;
        let mut drivers = Vec::with_capacity(options.workers.get());
        for _ in 0..options.workers.get() {
            let mut driver = Driver::new(self, &actor, &key, self.queue_owner(&actor)?, stop, told)?;
            driver.contracts_are(&options.contracts)?;
            drivers.push(driver);
        }
        let stopped = || EngineError::Internal { detail: "a worker stopped".to_owned() };
        thread::scope(|scope| {
            let work = |mut driver: Driver<'_>| {
                let (worker, ask) = Worker::start(driver.options(options), self.queue_now());
                let driven = driver.drive(worker, ask, false);
                if driven.is_err() {
                    stop.set();
                }
                driven.map(|()| driver.report)
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

    /// Validates everything that is pending, once, and writes down what is new.
    pub(crate) fn queue_check(&self, actor: &str) -> Result<()> {
        let actor = keys::actor_id(actor)?;
        let key = keys::load(self.workspace(), &actor)?;
        let (stop, heard) = (StopSign::new(), |_: &WorkEvent| {});
        let mut driver = Driver::new(self, &actor, &key, self.queue_owner(&actor)?, &stop, &heard)?;
        let mut after = None;
        loop {
            let Told::Listed { pending, .. } = driver.list(after, CHECK_PAGE)? else { return Ok(()) };
            let Some((last, _)) = pending.last() else { return Ok(()) };
            after = Some(*last);
            let mut answers = Vec::with_capacity(pending.len());
            for (_, id) in pending {
                let (answer, changed) = driver.validate(&id, None)?;
                if changed {
                    answers.push((id, answer));
                }
            }
            driver.mark(&answers)?;
        }
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
    pub(super) sight: Sight,
    /// Items that are held, as the last step of this worker left them.
    pub(super) held: BTreeMap<QueueId, Seen>,
    /// Runs that are not committed.
    pub(super) results: BTreeMap<QueueId, Box<Ran>>,
    pub(super) entries: BTreeMap<QueueId, u64>,
    attempts: BTreeMap<QueueId, u32>,
    stop: &'a StopSign,
    told: &'a (dyn Fn(&WorkEvent) + Sync),
    report: WorkReport,
    contracts: Vec<String>,
    /// Those of them that are in force, as the last list found; empty for whatever there is, `None` for nothing.
    pub(super) workable: Option<Vec<String>>,
    /// The protocol under which that was so.
    looked_under: Option<Digest>,
    pub(super) pace: Pace,
    poll_us: u64,
    /// The last page of what is to be validated, and what of it was looked at.
    pub(super) listed: BTreeMap<QueueId, QueueItem>,
    pub(super) looked_at: BTreeMap<QueueId, Seen>,
    /// Where the last page of PENDING items ended, as place and as number.
    pub(super) page: Option<(Place, u64)>,
    /// Size of the ledger and time when everything pending was validated and nothing new was found.
    pub(super) checked: Option<(u64, u64)>,
    /// What the store's version was when the last list was begun.
    pub(super) version: i64,
    /// When the next thing is due that is not due now.
    pub(super) next: Option<u64>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        actor: &'a str,
        key: &'a SigningKey,
        owner: String,
        stop: &'a StopSign,
        told: &'a (dyn Fn(&WorkEvent) + Sync),
    ) -> Result<Self> {
        Ok(Self {
            engine,
            author: Author { engine, actor, key },
            owner,
            sight: Sight::new(engine.store().reader()?),
            held: BTreeMap::new(),
            results: BTreeMap::new(),
            entries: BTreeMap::new(),
            attempts: BTreeMap::new(),
            stop,
            told,
            report: WorkReport::default(),
            contracts: Vec::new(),
            workable: Some(Vec::new()),
            looked_under: None,
            pace: Pace::new(),
            poll_us: WorkOptions::POLL_MS * 1_000,
            listed: BTreeMap::new(),
            looked_at: BTreeMap::new(),
            page: None,
            checked: None,
            version: 0,
            next: None,
        })
    }

    /// Takes items under these contracts only.
    fn contracts_are(&mut self, contracts: &[String]) -> Result<()> {
        let (ruled, _) = self.sight.ruled(self.engine)?;
        contracts.iter().try_for_each(|code| named_contract(&ruled.protocol, code).map(drop))?;
        self.contracts = contracts.to_vec();
        self.sight.close()
    }

    /// Finds out under which contracts there can be work. Items under one that is in force no more stay where they are: nothing can be said of them.
    /// Which there are changes with the protocol alone, since nothing is queued under another contract than its.
    pub(super) fn look_for_contracts(&mut self) -> Result<()> {
        let (ruled, protocol) = self.sight.ruled(self.engine)?;
        if self.looked_under == Some(protocol) {
            return Ok(());
        }
        let in_force = |code: &str| ruled.protocol.contract(code).is_some();
        let left = match self.contracts.as_slice() {
            [] => self.sight.reader.queue_counts(None)?.iter().any(|count| !in_force(&count.contract)),
            asked => !asked.iter().all(|code| in_force(code)),
        };
        self.workable = Some(self.contracts.clone());
        if left {
            let all = ruled.protocol.contracts().map(|contract| contract.code().to_owned());
            let workable: Vec<String> = all.filter(|code| self.contracts.is_empty() || self.contracts.contains(code)).collect();
            self.workable = Some(workable).filter(|workable| !workable.is_empty());
        }
        self.looked_under = Some(protocol);
        Ok(())
    }

    pub(super) fn options(&mut self, options: &WorkOptions) -> Options {
        self.poll_us = options.poll_us;
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
                return self.sight.close();
            }
            if self.stop.is_set() {
                worker.stop();
            }
            let told = match self.answer(&ask) {
                Ok(told) => told,
                // No waiting mends what is stored.
                Err(error) if error.kind() == Kind::Integrity => return Err(error),
                Err(error) => {
                    // Whatever was remembered may not be so any more.
                    self.held.clear();
                    drop(self.sight.close());
                    self.event(None, "fault", Some(format!("{}: {error}", error.code())), None);
                    Told::Fault(class::failure(enact_queue::retry::Class::Transient, error.code()).reason)
                }
            };
            if self.stop.is_set() {
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
            Ask::Validate { id, fence } => {
                let (answer, changed) = self.validate(id, *fence)?;
                Told::Validated { answer, changed }
            }
            Ask::Mark { answers } => Told::Marked(self.mark(answers)?),
            Ask::Lease { limit, deadline, retries } => Told::Leased(self.lease(*limit, *deadline, retries)?),
            Ask::Renew { items, deadline } => {
                let held = self.renew(items, *deadline)?;
                for lost in items.iter().filter(|item| !held.contains(&item.id)) {
                    self.report.fenced = self.report.fenced.saturating_add(1);
                    self.event(Some(&lost.id), "fenced", None, None);
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
                let outcomes = self.write_all(ask, items)?;
                Told::Each(self.counted(outcomes, "settlement_begun"))
            }
            Ask::Fail { items } => {
                self.fail(items)?;
                self.failed(items, "failed");
                Told::Done
            }
            Ask::FailSettlement { items } => {
                let held: Vec<Held> = items.iter().map(|(held, _)| held.clone()).collect();
                self.write_all(ask, &held)?;
                self.failed(items, "settlement_failed");
                Told::Done
            }
            Ask::Release { items, .. } => {
                self.write_all(ask, items)?;
                items.iter().for_each(|item| self.forget(&item.id));
                Told::Done
            }
            Ask::Wait { until, fault } => {
                self.wait(*until, *fault)?;
                Told::Done
            }
            Ask::Stop => Told::Done,
        })
    }

    /// An item that this worker holds: as its own last step left it, or as it is.
    pub(super) fn seen(&mut self, held: &Held) -> Result<Option<Seen>> {
        match self.held.get(&held.id).filter(|seen| seen.item.fence == held.fence) {
            Some(seen) => Ok(Some(seen.clone())),
            None => self.see(&held.id),
        }
    }

    /// An item as it is.
    pub(super) fn see(&mut self, id: &QueueId) -> Result<Option<Seen>> {
        let now = self.engine.queue_now();
        self.sight.fresh(now, MOMENT_US)?;
        let (ruled, _) = self.sight.ruled(self.engine)?;
        see(&ruled.protocol, &mut self.sight.reader.moment(None)?, self.author.actor, id.as_str(), now)
    }

    /// A row with what the ledger knows of its item.
    pub(super) fn seen_row(&mut self, stored: QueueItem, now: u64) -> Result<Seen> {
        let (ruled, _) = self.sight.ruled(self.engine)?;
        let lined = lined(&ruled.protocol, &self.sight.look()?, self.author.actor, stored, now)?;
        match lined {
            Ok(seen) => Ok(seen),
            Err(stored) => seen(&ruled.protocol, &mut self.sight.reader.moment(None)?, self.author.actor, stored, now),
        }
    }

    pub(super) fn forget(&mut self, id: &QueueId) {
        self.held.remove(id);
        self.results.remove(id);
        self.attempts.remove(id);
    }

    fn event(&mut self, id: Option<&QueueId>, event: &'static str, reason: Option<String>, original: Option<Original>) {
        let entry = id.and_then(|id| self.entries.remove(id));
        let queue_id = id.map(|id| id.as_str().to_owned());
        (self.told)(&WorkEvent { worker: self.owner.clone(), queue_id, event, entry, reason, original });
    }

    /// Tells of attempts that failed.
    fn failed(&mut self, items: &[(Held, enact_queue::retry::Failure)], event: &'static str) {
        for (held, failure) in items {
            self.forget(&held.id);
            self.report.failed = self.report.failed.saturating_add(1);
            let original = (event == "failed").then(|| self.original(&held.id)).flatten();
            self.event(Some(&held.id), event, Some(failure.reason.clone()), original);
        }
    }

    /// What was done before in place of an item; `None` also when that cannot be said.
    fn original(&mut self, id: &QueueId) -> Option<Original> {
        let seen = self.see(id).ok()??;
        let (ruled, _) = self.sight.ruled(self.engine).ok()?;
        let contract = named_contract(&ruled.protocol, &seen.stored.row.contract).ok()?;
        let moment = &mut self.sight.reader.moment(None).ok()?;
        original(&ruled, contract, moment, &seen.subject, self.author.actor, seen.known.now).ok()?
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
            let original = matches!(outcome, Outcome::Duplicate(_)).then(|| self.original(id)).flatten();
            self.event(Some(id), event, reason, original);
            match outcome {
                // What is settled after its execution is still held.
                Outcome::Done if done == "executed" => {
                    self.results.remove(id);
                    self.attempts.remove(id);
                }
                Outcome::Done | Outcome::Fenced => self.forget(id),
                Outcome::Conflict | Outcome::Duplicate(_) | Outcome::Failed(_) => drop(self.held.remove(id)),
            }
        }
        outcomes
    }

    fn run(&mut self, item: &Held) -> Result<Told> {
        let Some(seen) = self.seen(item)? else { return Err(super::item::unknown(item.id.as_str())) };
        let attempt = self.attempts.entry(item.id.clone()).or_insert(0);
        *attempt = attempt.saturating_add(1);
        let attempt = *attempt;
        Ok(match self.run_of(&seen, Hook::Execute, attempt) {
            Ok(Some(run::Outcome::Ran(ran))) => {
                self.results.insert(item.id.clone(), ran);
                Told::Done
            }
            Ok(Some(run::Outcome::Failed(failure))) => Told::Failed(failure),
            Ok(None) => Told::Failed(class::failure(enact_queue::retry::Class::Resolvable, "queue_contract")),
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) if error.kind() == Kind::Integrity => return Err(error),
            Err(error) => Told::Failed(class::of_error(&error)),
        })
    }

    /// Runs what a hook asks for; `None` when it asks for nothing.
    pub(super) fn run_of(&mut self, seen: &Seen, hook: Hook, attempt: u32) -> Result<Option<run::Outcome>> {
        self.sight.fresh(self.engine.queue_now(), MOMENT_US)?;
        let (ruled, _) = self.sight.ruled(self.engine)?;
        let contract = &seen.stored.row.contract;
        let request = self.engine.queue_request(&ruled, contract, hook, &self.sight.look()?, &seen.subject, self.author.actor)?;
        request.map(|request| self.engine.queue_execute(&request, hook, &seen.item.id, &mut self.sight.reader, attempt)).transpose()
    }

    /// Rests until that instant, until the store has changed, or until it is to stop. While nothing changes and nothing becomes due there is
    /// no reason to look through the queue either.
    fn wait(&mut self, until: u64, fault: bool) -> Result<()> {
        self.sight.close()?;
        self.pace.rested();
        let recheck = self.checked.map_or(until, |(_, at)| at.saturating_add(RECHECK_US));
        let until = if fault { until } else { until.max(recheck.min(self.next.unwrap_or(u64::MAX))) };
        loop {
            let now = self.engine.queue_now();
            if now >= until || self.stop.is_set() || !fault && self.sight.reader.data_version()? != self.version {
                return Ok(());
            }
            self.stop.rest(Duration::from_micros(until.saturating_sub(now).min(self.poll_us)));
        }
    }
}
