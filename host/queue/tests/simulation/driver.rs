//! What the engine does with a worker's asks, in memory, with a crash or a store error at any of them.

use crate::world::{LEASE_US, World};
use enact_queue::change::{By, Change};
use enact_queue::id::QueueId;
use enact_queue::item::Item;
use enact_queue::order::{Due, due, pick};
use enact_queue::refused::Refused;
use enact_queue::retry::{Class, Failure};
use enact_queue::time::SECOND_US;
use enact_queue::worker::{Ask, Held, Outcome, Taken, Told};

/// What goes wrong at an ask.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    None,
    CrashBefore,
    CrashAfter,
    FaultBefore,
    FaultAfter,
}

impl World {
    /// One process gets an answer, or dies.
    pub(crate) fn work(&mut self) {
        if self.processes.is_empty() {
            if self.stormy {
                self.hire(Vec::new(), None);
            }
            return;
        }
        let at = self.random.below(self.processes.len() as u64) as usize;
        let ask = self.processes[at].ask.clone();
        if let Ask::Wait { until, .. } = ask {
            let now = self.clock(at);
            // Time does not pass by itself only because everybody sleeps; and a sleeper may be woken early.
            self.now += until.saturating_sub(now).min(self.random.below(until.saturating_sub(now) + 1) + SECOND_US);
        }
        let trouble = self.trouble();
        if trouble == Trouble::CrashBefore {
            return self.crash(at, "crash before", &ask);
        }
        if self.stormy && matches!(ask, Ask::Commit { .. }) && self.random.chance(150) {
            // The worst moment: the run is done, and the lease runs out before the commit arrives.
            self.now += LEASE_US + self.random.below(LEASE_US);
            self.note("late commit");
            return;
        }
        let mut told = if trouble == Trouble::FaultBefore { Told::Fault("store_busy".into()) } else { self.answered(at, &ask, trouble) };
        match trouble {
            Trouble::CrashAfter => return self.crash(at, "crash after", &ask),
            Trouble::FaultBefore => self.note("store error before"),
            Trouble::FaultAfter => {
                self.note("store error after");
                told = Told::Fault("store_unknown".into());
            }
            Trouble::None | Trouble::CrashBefore => {}
        }
        self.say(|| format!("{} {} told {told:?}", self.processes[at].owner, ask.as_str()));
        let now = self.clock(at);
        let next = self.processes[at].worker.tell(told, now);
        self.say(|| format!("{} asks {next:?}", self.processes[at].owner));
        self.processes[at].ask = next;
        if self.processes[at].ask == Ask::Stop {
            self.processes.remove(at);
        }
    }

    pub(crate) fn clock(&self, at: usize) -> u64 {
        self.now.saturating_add_signed(self.processes[at].skew)
    }

    fn trouble(&mut self) -> Trouble {
        if !self.stormy {
            return Trouble::None;
        }
        match self.random.below(100) {
            0..3 => Trouble::CrashBefore,
            3..6 => Trouble::CrashAfter,
            6..9 => Trouble::FaultBefore,
            9..12 => Trouble::FaultAfter,
            _ => Trouble::None,
        }
    }

    fn crash(&mut self, at: usize, when: &'static str, ask: &Ask) {
        self.say(|| format!("{} {when} {}", self.processes[at].owner, ask.as_str()));
        self.note(when);
        self.processes.remove(at);
    }

    /// Answers an ask. With trouble afterwards a batch may be done in part only.
    fn answered(&mut self, at: usize, ask: &Ask, trouble: Trouble) -> Told {
        let now = self.clock(at);
        let owner = self.processes[at].owner.clone();
        let part = |world: &mut Self, of: usize| if trouble == Trouble::None { of } else { world.random.below(of as u64 + 1) as usize };
        match ask {
            Ask::Recover => {
                let expired = self.due(Due::Recover, None, usize::MAX, now);
                for id in &expired[..part(self, expired.len())] {
                    self.write(id, &Change::Expire, now).expect("what is due is allowed");
                }
                Told::Done
            }
            Ask::List { after, limit } => {
                let pending = self.due(Due::Validate, *after, *limit, now);
                let pending = pending.into_iter().map(|id| (self.subjects[&id].place, id)).collect();
                let next = self.journal.keys().filter_map(|id| match due(self.last(id), &self.known(id, now)) {
                    Due::At(at) => Some(at),
                    _ => None,
                });
                Told::Listed { pending, retries: self.due(Due::Retry, None, *limit, now), next: next.min() }
            }
            Ask::Validate { id, fence } => {
                let answer = self.answer(id);
                self.processes[at].validated = fence.filter(|_| answer.passed()).map(|fence| (id.clone(), fence.0));
                Told::Validated { changed: !self.last(id).says(&answer, &self.known(id, now)), answer }
            }
            Ask::Mark { answers } => {
                let count = part(self, answers.len());
                let written =
                    answers[..count].iter().filter(|(id, answer)| self.write(id, &Change::Validation(answer.clone()), now).is_ok());
                Told::Marked(written.count())
            }
            Ask::Lease { limit, deadline, retries } => Told::Leased(self.lease(&owner, *limit, *deadline, retries, now)),
            Ask::Renew { items, .. } => {
                let held =
                    items.iter().filter(|item| ask.change(&owner, item).is_some_and(|change| self.write(&item.id, &change, now).is_ok()));
                Told::Held(held.map(|item| item.id.clone()).collect())
            }
            Ask::Run { item } => self.run(at, item),
            Ask::Commit { items } | Ask::Settle { items } | Ask::BeginSettlement { items } => {
                let count = part(self, items.len());
                Told::Each(items[..count].iter().map(|item| (item.id.clone(), self.one(at, ask, item, now))).collect())
            }
            Ask::Fail { items } => {
                let count = part(self, items.len());
                for (item, failure) in &items[..count] {
                    let change = ask.change(&owner, item).expect("of the holder");
                    if self.write(&item.id, &change, now).is_ok() && failure.class.needs_fact() {
                        let fact = self.fact(&item.id, None);
                        self.write(&item.id, &Change::FailFinal(fact), now).expect("a failure may become final");
                    }
                }
                Told::Done
            }
            Ask::FailSettlement { items } => {
                let count = part(self, items.len());
                for (item, _) in &items[..count] {
                    self.write(&item.id, &ask.change(&owner, item).expect("of the holder"), now).ok();
                }
                Told::Done
            }
            Ask::Release { items, .. } => {
                let count = part(self, items.len());
                for item in &items[..count] {
                    self.write(&item.id, &ask.change(&owner, item).expect("of the holder"), now).ok();
                }
                Told::Done
            }
            Ask::Wait { .. } | Ask::Stop => Told::Done,
        }
    }

    /// One item of a batch.
    fn one(&mut self, at: usize, ask: &Ask, item: &Held, now: u64) -> Outcome {
        let owner = self.processes[at].owner.clone();
        match ask {
            Ask::Commit { .. } => self.commit(at, item, now),
            Ask::Settle { .. } => self.settle(&owner, item, now),
            _ => outcome(self.write(&item.id, &ask.change(&owner, item).expect("of the holder"), now)),
        }
    }

    fn due(&self, wanted: Due, after: Option<enact_queue::order::Place>, limit: usize, now: u64) -> Vec<QueueId> {
        let items = self.journal.keys().map(|id| (self.last(id), self.known(id, now)));
        pick(items, wanted, after, limit).into_iter().map(|item: &Item| item.id.clone()).collect()
    }

    fn lease(
        &mut self,
        owner: &str,
        limit: usize,
        deadline: u64,
        retries: &[(QueueId, enact_queue::validation::Answer)],
        now: u64,
    ) -> Vec<Taken> {
        let mut changes: Vec<(QueueId, Change)> = Vec::new();
        let owned = || owner.to_owned();
        for id in self.due(Due::Settle, None, limit, now) {
            changes.push((id, Change::Resume { owner: owned(), deadline, by: By::Automatic }));
        }
        for (id, answer) in retries {
            changes.push((id.clone(), Change::Retry { owner: owned(), deadline, by: By::Automatic, answer: answer.clone() }));
        }
        for id in self.due(Due::Run, None, limit, now) {
            changes.push((id, Change::Lease { owner: owned(), deadline }));
        }
        let mut taken = Vec::new();
        for (id, change) in changes {
            if taken.len() < limit && self.write(&id, &change, now).is_ok() {
                taken.push(self.taken(&id));
            }
        }
        taken
    }

    /// What a process is told of an item that was taken for it just now.
    pub(crate) fn taken(&self, id: &QueueId) -> Taken {
        let subject = &self.subjects[id];
        let held = Held { id: id.clone(), fence: self.last(id).fence };
        Taken { held, mode: subject.mode, executed: subject.history.executed.is_some() }
    }

    fn run(&mut self, at: usize, item: &Held) -> Told {
        let validated = &self.processes[at].validated;
        assert_eq!(validated.as_ref(), Some(&(item.id.clone(), item.fence.0)), "seed {}: W-45: run without a validation", self.seed);
        if let Some(failure) = self.failure(&item.id) {
            return Told::Failed(failure);
        }
        // A run takes its time.
        self.now += self.random.below(3 * SECOND_US);
        self.processes[at].results.insert(item.id.clone(), self.version);
        Told::Done
    }

    fn failure(&mut self, id: &QueueId) -> Option<Failure> {
        let [transient, last, mendable] = self.subjects[id].troubles;
        let dice = self.random.below(1_000);
        let kind = [
            (transient, Class::Transient, "timeout"),
            (last, Class::Business, "insufficient_funds"),
            (mendable, Class::Resolvable, "fuel"),
        ];
        let mut sum = 0;
        let failure = kind.into_iter().find(|(share, ..)| {
            sum += share;
            dice < sum
        });
        failure.map(|(_, class, reason)| Failure::new(class, reason).unwrap())
    }

    /// One commit: what the run has read, the ledger's keys, and the queue's own check.
    fn commit(&mut self, at: usize, item: &Held, now: u64) -> Outcome {
        let owner = self.processes[at].owner.clone();
        let read = self.processes[at].results.remove(&item.id).expect("committed without a run");
        let (key, reads) = (self.subjects[&item.id].key.clone(), self.subjects[&item.id].reads);
        if reads && read != self.version {
            self.note("conflict");
            return Outcome::Conflict;
        }
        if self.consumed.contains_key(&key) {
            self.note("key_consumed");
            return Outcome::Duplicate("key_consumed".into());
        }
        let fact = self.fact(&item.id, Some(&format!("run-{}", self.ledger.len())));
        let done = self.write(&item.id, &Change::Executed { holder: item.holder(&owner), fact }, now);
        self.version += u64::from(done.is_ok() && reads);
        outcome(done)
    }

    fn settle(&mut self, owner: &str, item: &Held, now: u64) -> Outcome {
        if let Some(failure) = self.failure(&item.id) {
            return Outcome::Failed(failure);
        }
        let fact = self.fact(&item.id, None);
        outcome(self.write(&item.id, &Change::Settled { holder: Some(item.holder(owner)), fact }, now))
    }
}

fn outcome(done: Result<(), Refused>) -> Outcome {
    match done {
        Ok(()) => Outcome::Done,
        Err(Refused::Fenced { .. }) => Outcome::Fenced,
        Err(refused) => Outcome::Duplicate(refused.code().into()),
    }
}
