//! The world of the simulation: a ledger, a journal, and what is true about each item.

use crate::invariants::Watch;
use crate::random::Random;
use enact_queue::Map;
use enact_queue::change::{Change, Fact};
use enact_queue::facts::Mode;
use enact_queue::id::QueueId;
use enact_queue::item::{History, Item, Known, Queued, Recorded};
use enact_queue::order::Place;
use enact_queue::refused::Refused;
use enact_queue::retry::Failure;
use enact_queue::status::Event;
use enact_queue::time::SECOND_US;
use enact_queue::validation::Answer;
use enact_queue::worker::{Ask, Options, Taken, Worker};
use std::collections::BTreeMap;

/// Length of a lease.
pub(crate) const LEASE_US: u64 = 10 * SECOND_US;

/// Events of the storm.
const STORM: u64 = 120;

/// What has to happen in a thousand seeds, or the simulation does not reach it.
pub(crate) const MUST_BE_SEEN: &[&str] = &[
    "crash before",
    "crash after",
    "store error before",
    "store error after",
    "late commit",
    "clock jump",
    "journal lost",
    "forged line",
    "stop",
    "queue_exists",
    "queue_fenced",
    "queue_final",
    "queue_locked",
    "queue_not_ready",
    "queue_reason",
    "queue_settlement",
    "queue_status",
    "key_consumed",
    "conflict",
    "queued",
    "validated",
    "rejected",
    "leased",
    "renewed",
    "lease_lost",
    "executed",
    "failed",
    "failed_final",
    "retried",
    "voided",
    "resumed",
    "settlement_begun",
    "settlement_failed",
    "settled",
    "fulfilled",
];

/// What is true about an item, and what the ledger holds of it.
pub(crate) struct Subject {
    pub(crate) key: String,
    pub(crate) mode: Mode,
    pub(crate) place: Place,
    pub(crate) at_us: u64,
    pub(crate) history: History,
    /// Whether it is valid; somebody may mend it.
    pub(crate) valid: bool,
    /// What its runs and settlements come to, in thousandths: a transient failure, a final one, one that can be mended.
    pub(crate) troubles: [u64; 3],
    /// Whether its run reads what other runs write.
    pub(crate) reads: bool,
}

/// A worker process.
pub(crate) struct Process {
    pub(crate) owner: String,
    pub(crate) worker: Worker,
    pub(crate) ask: Ask,
    /// How far its clock is off, microseconds.
    pub(crate) skew: i64,
    /// Results of runs that are not committed: the version that the run has read.
    pub(crate) results: BTreeMap<QueueId, u64>,
    /// The last validation that passed, with the number it was made under.
    pub(crate) validated: Option<(QueueId, u64)>,
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) seed: u64,
    verbose: bool,
    pub(crate) now: u64,
    pub(crate) ledger: Vec<(QueueId, Event)>,
    pub(crate) consumed: BTreeMap<String, QueueId>,
    pub(crate) subjects: BTreeMap<QueueId, Subject>,
    pub(crate) journal: BTreeMap<QueueId, Vec<Item>>,
    /// What a run reads and a commit writes.
    pub(crate) version: u64,
    pub(crate) processes: Vec<Process>,
    pub(crate) started: u64,
    /// Whether anything goes wrong.
    pub(crate) stormy: bool,
    pub(crate) watch: Watch,
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

impl World {
    pub(crate) fn new(seed: u64, verbose: bool) -> Self {
        let mut world = Self {
            random: Random::new(seed),
            seed,
            verbose,
            now: 1_776_420_000_000_000,
            ledger: Vec::new(),
            consumed: BTreeMap::new(),
            subjects: BTreeMap::new(),
            journal: BTreeMap::new(),
            version: 0,
            processes: Vec::new(),
            started: 0,
            stormy: true,
            watch: Watch::default(),
            seen: BTreeMap::new(),
        };
        for _ in 0..2 + world.random.below(4) {
            world.queue();
        }
        for _ in 0..2 + world.random.below(3) {
            world.hire(Vec::new(), None);
        }
        world
    }

    /// Everything that can go wrong does.
    pub(crate) fn storm(&mut self) {
        for _ in 0..STORM {
            self.now += self.random.below(SECOND_US);
            match self.random.below(100) {
                0..80 => self.work(),
                80..97 => self.somebody(),
                _ => self.something(),
            }
            self.check();
        }
    }

    /// Nothing goes wrong any more, people mend what can be mended, and the workers go on until nothing is left.
    pub(crate) fn calm(&mut self) {
        self.stormy = false;
        for round in 0.. {
            assert!(round < 40, "seed {}: it does not come to rest", self.seed);
            // New processes, with their clocks set: what the old ones held expires.
            self.processes.clear();
            self.now += 2 * LEASE_US + 60 * SECOND_US;
            let before = self.watch.lines;
            if round > 0 {
                self.mend();
            }
            for _ in 0..2 {
                self.hire(Vec::new(), Some(true));
            }
            let mut steps = 0;
            while !self.processes.is_empty() {
                steps += 1;
                assert!(steps < 5_000, "seed {}: workers that never rest", self.seed);
                self.now += 1_000;
                self.work();
                self.check();
            }
            if round > 0 && self.watch.lines == before {
                return;
            }
        }
    }

    /// A new process under a name that was never used.
    pub(crate) fn hire(&mut self, taken: Vec<Taken>, once: Option<bool>) {
        let owner = self.next_owner();
        self.hire_as(owner, taken, once);
    }

    pub(crate) fn next_owner(&mut self) -> String {
        self.started += 1;
        format!("w{}", self.started)
    }

    pub(crate) fn hire_as(&mut self, owner: String, taken: Vec<Taken>, once: Option<bool>) {
        let options = Options {
            owner: owner.clone(),
            batch: 1 + self.random.below(3) as usize,
            lease_us: LEASE_US,
            poll_us: 2 * SECOND_US,
            once: once.unwrap_or_else(|| self.random.chance(200)),
        };
        let skew = if self.stormy { self.random.below(4 * SECOND_US) as i64 - 2 * SECOND_US as i64 } else { 0 };
        let (worker, ask) = Worker::with(options, self.now.saturating_add_signed(skew), taken);
        self.processes.push(Process { owner, worker, ask, skew, results: BTreeMap::new(), validated: None });
    }

    /// An item is queued; now and then under the key of another (W-41).
    pub(crate) fn queue(&mut self) {
        let number = self.subjects.len() as u64 + 1;
        let id = QueueId::numbered("EXQ", self.now, number).unwrap();
        let key = if number > 1 && self.random.chance(250) { 1 + self.random.below(number - 1) } else { number };
        let subject = Subject {
            key: format!("intent:INT-{key}"),
            mode: self.random.one(&[Mode::None, Mode::Internal, Mode::External]),
            place: Place { entry: self.ledger.len() as u64, position: self.random.below(3) },
            at_us: self.now,
            history: History::default(),
            valid: self.random.chance(800),
            troubles: self.random.one(&[[0, 0, 0], [0, 0, 0], [0, 0, 0], [400, 0, 0], [950, 0, 0], [200, 300, 0], [200, 0, 300]]),
            reads: self.random.chance(300),
        };
        let item = Item::queued(self.queued(&id, &subject)).unwrap();
        self.subjects.insert(id.clone(), subject);
        self.ledger.push((id.clone(), Event::Queued));
        self.journal.insert(id.clone(), Vec::new());
        self.line(&id, item, false);
    }

    pub(crate) fn queued(&self, id: &QueueId, subject: &Subject) -> Queued {
        let kept = Map::from_iter([("intent_id".to_owned(), subject.key.clone().into())]);
        Queued { id: id.clone(), contract: "QC_SAMPLE_V0".into(), kept, place: subject.place, not_before_us: None, at_us: subject.at_us }
    }

    pub(crate) fn known(&self, id: &QueueId, now: u64) -> Known {
        let subject = &self.subjects[id];
        Known { facts: subject.history.facts(), mode: subject.mode, now }
    }

    pub(crate) fn last(&self, id: &QueueId) -> &Item {
        self.journal[id].last().expect("an item has a line")
    }

    pub(crate) fn fact(&self, id: &QueueId, run: Option<&str>) -> Fact {
        let kept = self.last(id).kept.clone();
        Fact { entry: self.ledger.len() as u64, run: run.map(String::from), kept }
    }

    /// One transaction: the ledger's own judgement, the queue's, and if both agree, the fact and the line.
    pub(crate) fn write(&mut self, id: &QueueId, change: &Change, now: u64) -> Result<(), Refused> {
        let known = self.known(id, now);
        let next = self.last(id).apply(change, &known).inspect_err(|refused| {
            let code = refused.code();
            *self.seen.entry(code).or_default() += 1;
        });
        let next = match next {
            Ok(next) => next,
            Err(refused) => {
                self.say(|| format!("{id}: {} refused: {}", change.event(), refused.code()));
                return Err(refused);
            }
        };
        if matches!(change, Change::Lease { .. } | Change::Retry { .. } | Change::Resume { .. }) {
            let held = self.last(id).lease.as_ref().is_some_and(|lease| now < lease.deadline);
            assert!(!held, "seed {}: {id}: W-29: taken while somebody holds it", self.seed);
        }
        if let Change::Executed { holder, .. } = change {
            self.watch.accepted(self.seed, id, holder);
        }
        if change.event().is_fact() {
            let recorded = Some(Recorded { entry: self.ledger.len() as u64, at_us: now });
            self.ledger.push((id.clone(), change.event()));
            let subject = self.subjects.get_mut(id).unwrap();
            match change.event() {
                Event::Executed => {
                    subject.history.executed = recorded;
                    subject.history.run.clone_from(&next.run);
                    self.consumed.insert(subject.key.clone(), id.clone());
                }
                Event::Settled => subject.history.settled = recorded,
                Event::Fulfilled => subject.history.fulfilled = recorded,
                Event::Voided => subject.history.void = recorded,
                _ => {
                    subject.history.failed = recorded;
                    let class = next.failure_class.expect("a failure has a class");
                    subject.history.failure = Some(Failure { class, reason: next.failure_reason.clone().unwrap_or_default() });
                }
            }
        }
        self.line(id, next, false);
        Ok(())
    }

    /// Appends a line and has it looked at. A forged one is not the queue's work, so it is not judged.
    pub(crate) fn line(&mut self, id: &QueueId, line: Item, forged: bool) {
        self.say(|| line.to_line());
        *self.seen.entry(line.event.as_str()).or_default() += 1;
        let lines = self.journal.get_mut(id).unwrap();
        if forged {
            self.watch.forged(id, &line);
        } else {
            self.watch.line(self.seed, lines.last(), &line, &self.subjects[id]);
        }
        lines.push(line);
    }

    pub(crate) fn answer(&self, id: &QueueId) -> Answer {
        let subject = &self.subjects[id];
        let taken = self.consumed.contains_key(&subject.key).then_some("intent_already_executed");
        let mended = (!subject.valid).then_some("missing_charter_binding");
        Answer::of([("intent_ok", taken), ("authority_ok", mended)]).unwrap()
    }

    pub(crate) fn check(&mut self) {
        Watch::world(self);
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(crate) fn say(&self, what: impl Fn() -> String) {
        if self.verbose {
            println!("{:>12} {}", self.now - 1_776_420_000_000_000, what());
        }
    }

    /// Every line, for a comparison.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.journal.values().flatten().map(Item::to_line).collect()
    }
}
