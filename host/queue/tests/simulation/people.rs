//! People, forgers and accidents: everybody but the workers.

use crate::world::{LEASE_US, World};
use enact_queue::change::{By, Change};
use enact_queue::id::QueueId;
use enact_queue::item::Item;
use enact_queue::refused::Refused;
use enact_queue::retry::Class;
use enact_queue::status::Status;
use enact_queue::time::SECOND_US;
use enact_queue::validation::Answer;

impl World {
    fn any(&mut self) -> QueueId {
        let ids: Vec<&QueueId> = self.subjects.keys().collect();
        let at = self.random.below(ids.len() as u64) as usize;
        ids[at].clone()
    }

    /// Somebody does something with an item, allowed or not.
    pub(crate) fn somebody(&mut self) {
        let id = self.any();
        let now = self.now;
        match self.random.below(10) {
            0 => {
                let fact = self.fact(&id, None);
                let change = Change::Void { fact, reason: Some("withdrawn".into()) };
                if self.random.chance(300) {
                    self.write(&id, &change, now).ok();
                }
            }
            1 => self.retry(&id, "the timeout was raised"),
            2 => self.retry(&id, "  "),
            3 | 4 => self.settle_by_hand(&id),
            5 => {
                let fact = self.fact(&id, None);
                self.write(&id, &Change::Fulfilled(fact), now).ok();
            }
            6 => self.queue_once_more(&id),
            7 => {
                let subject = self.subjects.get_mut(&id).unwrap();
                subject.valid = !subject.valid;
                self.say(|| format!("{id}: valid or not, now the other"));
            }
            8 => {
                let answer = self.answer(&id);
                if !self.last(&id).says(&answer, &self.known(&id, now)) {
                    self.write(&id, &Change::Validation(answer), now).ok();
                }
            }
            _ => {
                if self.subjects.len() < 8 {
                    self.queue();
                }
            }
        }
    }

    /// The same item again, and the same trigger twice.
    fn queue_once_more(&mut self, id: &QueueId) {
        let (facts, mode) = (self.subjects[id].history.facts(), self.subjects[id].mode);
        let again = self.last(id).logged(&self.known(id, self.now)).after(enact_queue::status::Event::Queued, facts, mode.required());
        assert_eq!(again, Err(Refused::Exists));
        self.note("queue_exists");
        // Triggered by hand: it is taken if it is READY, and a second trigger comes right behind.
        for _ in 0..2 {
            let owner = self.next_owner();
            let change = Change::Lease { owner: owner.clone(), deadline: self.now + LEASE_US };
            if self.write(id, &change, self.now).is_ok() {
                let taken = vec![self.taken(id)];
                self.hire_as(owner, taken, Some(true));
            }
        }
    }

    fn retry(&mut self, id: &QueueId, reason: &str) {
        let owner = self.next_owner();
        let (answer, deadline) = (self.answer(id), self.now + LEASE_US);
        let by = By::Hand { reason: reason.into() };
        if self.write(id, &Change::Retry { owner: owner.clone(), deadline, by, answer }, self.now).is_ok() {
            assert!(!reason.trim().is_empty(), "seed {}: W-38: a retry without a reason", self.seed);
            let taken = vec![self.taken(id)];
            self.hire_as(owner, taken, Some(true));
        }
    }

    /// Somebody brings evidence.
    fn settle_by_hand(&mut self, id: &QueueId) {
        let fact = self.fact(id, None);
        self.write(id, &Change::Settled { holder: None, fact }, self.now).ok();
    }

    /// Something happens to the machines, the clocks or the files.
    pub(crate) fn something(&mut self) {
        match self.random.below(10) {
            0..4 if !self.processes.is_empty() => {
                let at = self.random.below(self.processes.len() as u64) as usize;
                self.processes[at].skew = self.random.below(60 * SECOND_US) as i64 - 30 * SECOND_US as i64;
                self.note("clock jump");
            }
            4 | 5 if !self.processes.is_empty() => {
                let at = self.random.below(self.processes.len() as u64) as usize;
                self.processes[at].worker.stop();
                self.note("stop");
            }
            6 => self.lose_journal(),
            7 | 8 => self.forge(),
            _ => self.hire(Vec::new(), None),
        }
    }

    /// The journal is gone; what the ledger knows is derived again.
    fn lose_journal(&mut self) {
        self.note("journal lost");
        for id in self.subjects.keys().cloned().collect::<Vec<_>>() {
            let subject = &self.subjects[&id];
            let derived = Item::derived(self.queued(&id, subject), &subject.history, subject.mode).unwrap();
            self.watch.lost(&id);
            self.journal.insert(id.clone(), Vec::new());
            self.line(&id, derived, false);
        }
    }

    /// Somebody writes a status into the journal that he would like to see.
    fn forge(&mut self) {
        self.note("forged line");
        let id = self.any();
        let mut line = self.last(&id).clone();
        if line.lease.is_some() {
            return;
        }
        line.status = self.random.one(&Status::ALL);
        if line.status == Status::Ready {
            let lie = Answer::of([("intent_ok", None), ("authority_ok", None)]).unwrap();
            (line.validated, line.ready, line.validation, line.failure_reason) = (true, true, lie.groups().clone(), None);
        }
        // A failure without a reason is one nobody can do anything about; the forger makes one up.
        if line.status == Status::Failed && line.failure_class.is_none() {
            (line.failure_class, line.failure_reason) = (Some(Class::Resolvable), Some("made_up".into()));
        }
        self.line(&id, line, true);
    }

    /// In the calm: whatever somebody can do about an item is done.
    pub(crate) fn mend(&mut self) {
        for id in self.subjects.keys().cloned().collect::<Vec<_>>() {
            let known = self.known(&id, self.now);
            let item = self.last(&id);
            let class = item.failure_class;
            let facts = known.facts;
            match item.logged(&known) {
                Status::Pending => self.subjects.get_mut(&id).unwrap().valid = true,
                Status::Failed if class == Some(Class::Resolvable) && !facts.failed => {
                    let subject = self.subjects.get_mut(&id).unwrap();
                    (subject.valid, subject.troubles) = (true, [0, 0, 0]);
                    self.retry_and_give_back(&id);
                }
                Status::Executed | Status::Settling if known.mode.required() => self.settle_by_hand(&id),
                _ => {}
            }
        }
    }

    /// A retry whose worker crashes at once: the workers of this round expire and run it.
    fn retry_and_give_back(&mut self, id: &QueueId) {
        let owner = self.next_owner();
        let by = By::Hand { reason: "mended".into() };
        let (answer, now) = (self.answer(id), self.now);
        self.write(id, &Change::Retry { owner, deadline: now, by, answer }, now).ok();
    }
}
