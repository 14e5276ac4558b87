//! What must be true after every event, checked with nothing of the code that is under test where that is possible.

use crate::world::{Subject, World};
use enact_queue::facts::{Facts, Mode, logged};
use enact_queue::id::QueueId;
use enact_queue::item::Item;
use enact_queue::lease::Holder;
use enact_queue::order::{Due, due};
use enact_queue::retry::Class;
use enact_queue::status::{Event, Status};
use std::collections::BTreeMap;

/// What was seen so far.
#[derive(Default)]
pub(crate) struct Watch {
    /// Who holds each item, from the lines alone.
    present: BTreeMap<QueueId, (String, u64)>,
    /// The highest number of each item since its journal began.
    fences: BTreeMap<QueueId, u64>,
    /// Lines so far.
    pub(crate) lines: u64,
    /// Facts and status of each item at the last look, and its lines by then.
    before: BTreeMap<QueueId, (Facts, Status, usize)>,
    /// Items whose journal somebody has forged, or that was lost: of them only the facts count.
    disturbed: BTreeMap<QueueId, bool>,
}

impl Watch {
    /// A commit was accepted: it is by the one who took the item last, and who has not lost it.
    pub(crate) fn accepted(&self, seed: u64, id: &QueueId, holder: &Holder) {
        let present = self.present.get(id);
        let named = (holder.owner.clone(), holder.fence.0);
        assert_eq!(present, Some(&named), "seed {seed}: {id}: a stale worker's commit was accepted");
    }

    pub(crate) fn line(&mut self, seed: u64, before: Option<&Item>, line: &Item, subject: &Subject) {
        let id = &line.id;
        self.lines += 1;
        let facts = subject.history.facts();
        let required = subject.mode.required();
        assert_eq!(line.status, logged(facts, line.status, required), "seed {seed}: {id}: a line claims what no fact bears");
        if self.lines.is_multiple_of(8) {
            let text = line.to_line();
            assert_eq!(Item::from_line(&text, |name| name == "intent_id").as_ref(), Ok(line), "seed {seed}: {text}");
        }
        if let Some(before) = before {
            assert!(before.updated_us <= line.updated_us, "seed {seed}: {id}: the journal runs backwards");
        }
        if matches!(line.event, Event::Leased | Event::Retried | Event::Resumed) {
            let lease = line.lease.as_ref().unwrap_or_else(|| panic!("seed {seed}: {id}: taken by nobody"));
            let last = self.fences.insert(id.clone(), lease.fence.0);
            assert!(last.is_none_or(|last| last < lease.fence.0), "seed {seed}: {id}: a fencing number was used again");
            if line.event != Event::Resumed {
                assert!(!facts.executed, "seed {seed}: {id}: W-42: executed and taken once more");
                assert!(line.validated && line.ready, "seed {seed}: {id}: W-45: taken without a validation");
            }
        }
        match &line.lease {
            Some(lease) => self.present.insert(id.clone(), (lease.owner.clone(), lease.fence.0)),
            None => self.present.remove(id),
        };
        if line.event == Event::Failed || line.event == Event::SettlementFailed {
            assert!(line.failure_reason.is_some() && line.failure_us.is_some(), "seed {seed}: {id}: W-47: a silent failure");
        }
        if line.event == Event::Retried {
            assert!(line.reason.is_some() && line.last_retry_us.is_some(), "seed {seed}: {id}: W-38, W-40: a retry without reason or time");
        }
        assert!(line.automatic_retries <= 3, "seed {seed}: {id}: I-47: more than three automatic retries");
    }

    pub(crate) fn forged(&mut self, id: &QueueId, line: &Item) {
        self.disturbed.insert(id.clone(), true);
        self.lines += 1;
        assert!(line.lease.is_none());
        self.present.remove(id);
    }

    pub(crate) fn lost(&mut self, id: &QueueId) {
        self.disturbed.insert(id.clone(), true);
        self.fences.remove(id);
        self.present.remove(id);
    }

    /// Everything that has to do with more than one line.
    pub(crate) fn world(world: &mut World) {
        let seed = world.seed;
        let mut executed: BTreeMap<&str, usize> = BTreeMap::new();
        let mut facts: BTreeMap<&QueueId, Facts> = BTreeMap::new();
        for (id, event) in &world.ledger {
            let subject = &world.subjects[id];
            let fact = facts.entry(id).or_default();
            match event {
                Event::Executed => {
                    *executed.entry(&subject.key).or_default() += 1;
                    assert!(!fact.void && !fact.failed, "seed {seed}: {id}: W-46: executed after it was over");
                    fact.executed = true;
                }
                Event::Settled => {
                    assert!(fact.executed && !fact.settled, "seed {seed}: {id}: W-44: settled without execution, or twice");
                    assert!(subject.mode != Mode::None, "seed {seed}: {id}: settled although there is nothing to settle");
                    fact.settled = true;
                }
                Event::Fulfilled => {
                    assert!(fact.executed && !fact.fulfilled, "seed {seed}: {id}: W-48: fulfilled without execution, or twice");
                    fact.fulfilled = true;
                }
                Event::Voided => {
                    assert!(!fact.executed && !fact.void, "seed {seed}: {id}: W-46: called off after the execution, or twice");
                    fact.void = true;
                }
                Event::FailedFinal => {
                    assert!(!fact.executed && !fact.failed, "seed {seed}: {id}: failed for good after the execution, or twice");
                    fact.failed = true;
                }
                _ => {}
            }
        }
        for (key, times) in &executed {
            assert!(*times <= 1, "seed {seed}: {key}: executed {times} times");
        }
        let mut before = std::mem::take(&mut world.watch.before);
        for (id, subject) in &world.subjects {
            let now_facts = subject.history.facts();
            assert_eq!(facts.get(id).copied().unwrap_or_default(), now_facts, "seed {seed}: {id}: facts that no entry bears");
            let lines = world.journal.get(id).map_or(0, Vec::len);
            assert!(lines > 0, "seed {seed}: {id}: lost");
            let status = world.last(id).logged(&world.known(id, world.now));
            let disturbed = world.watch.disturbed.remove(id).unwrap_or(false);
            if let Some((old_facts, old, old_lines)) = before.insert(id.clone(), (now_facts, status, lines)) {
                assert!(now_facts.keeps(old_facts), "seed {seed}: {id}: a fact was undone");
                let rank = |status| Status::ALL.iter().position(|other| *other == status);
                if old_facts.executed {
                    // That it waits for evidence is the journal's own knowledge, and may be lost with it.
                    let lost = disturbed && old == Status::Settling && status == Status::Executed;
                    assert!(lost || rank(status) >= rank(old), "seed {seed}: {id}: {old} and then {status}");
                }
                if old_facts.void || old_facts.failed {
                    assert!(status == old || now_facts.void, "seed {seed}: {id}: {old} and then {status}");
                }
                assert!(disturbed || status == old || lines > old_lines, "seed {seed}: {id}: W-52: {old} became {status} without a line");
            }
        }
        world.watch.before = before;
    }
}

impl World {
    /// At the end nothing is open, nothing is silent, and whatever is not done says why.
    pub(crate) fn finish(&mut self) {
        let seed = self.seed;
        for (id, subject) in &self.subjects {
            let (item, known) = (self.last(id), self.known(id, self.now));
            let status = item.shown(&known);
            assert!(item.lease.is_none(), "seed {seed}: {id}: still held at the end");
            let explained = match status {
                Status::Fulfilled | Status::Settled | Status::Void => true,
                Status::Executed => subject.mode == Mode::None,
                Status::Failed => {
                    known.facts.failed || item.failure_class.is_some_and(|class| class.is_final() && item.failure_reason.is_some())
                }
                // Valid, and still not taken: only another's consumed key explains that.
                Status::Pending => item.failure_reason.is_some() && self.consumed.contains_key(&subject.key),
                Status::Ready | Status::Executing | Status::Settling => false,
            };
            let mendable = status == Status::Failed && item.failure_class == Some(Class::Resolvable);
            let taken = mendable && self.consumed.contains_key(&subject.key);
            assert!(explained || taken, "seed {seed}: {id}: nothing explains {status}: {}", item.to_line());
            assert!(due(item, &known) != Due::Run, "seed {seed}: {id}: READY and left behind");
            if let Some(executed) = self.consumed.get(&subject.key) {
                assert!(self.subjects[executed].history.executed.is_some(), "seed {seed}: {id}: a key consumed by nothing");
            }
            self.leases_are_closed(id);
        }
    }

    /// W-47: every lease for an execution ended in a line that says how.
    fn leases_are_closed(&self, id: &QueueId) {
        let mut open = None;
        for line in &self.journal[id] {
            match line.event {
                Event::Leased | Event::Retried if line.lease.is_some() => {
                    assert_eq!(open, None, "seed {}: {id}: W-47: a lease ended without a word", self.seed);
                    open = Some(line.fence);
                }
                Event::Executed | Event::Failed | Event::LeaseLost => open = None,
                _ => {}
            }
        }
        assert_eq!(open, None, "seed {}: {id}: W-47: a lease never ended", self.seed);
    }
}
