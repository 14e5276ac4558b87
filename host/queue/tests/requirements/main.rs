//! The requirements of the queue as far as they are pure, one test or more each; W-28 … W-52 also hold in every seed of the simulation.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]
#![allow(clippy::wildcard_enum_match_arm, reason = "what a test does not name it does not expect")]
#![allow(clippy::disallowed_methods, reason = "the specification is read from its file")]

mod leases;
mod lines;
mod projection;
mod retries;
mod statuses;
mod workers;

use enact_queue::Map;
use enact_queue::change::{Change, Fact};
use enact_queue::facts::{Facts, Mode};
use enact_queue::id::QueueId;
use enact_queue::item::{Item, Known, Queued};
use enact_queue::lease::Holder;
use enact_queue::order::Place;
use enact_queue::refused::Refused;
use enact_queue::retry::{Class, Failure};
use enact_queue::status::Event;
use enact_queue::time::SECOND_US;
use enact_queue::validation::Answer;

/// 2026-04-17T10:00:00Z.
const T0: u64 = 1_776_420_000_000_000;

/// An item with its facts, as the engine's store would hold them.
#[derive(Clone)]
struct Case {
    lines: Vec<Item>,
    facts: Facts,
    mode: Mode,
    now: u64,
}

impl Case {
    fn new(mode: Mode) -> Self {
        let kept = Map::from_iter([("intent_id".to_owned(), "INT-20260417-0001".into())]);
        let queued = Queued {
            id: QueueId::numbered("EXQ", T0, 1).unwrap(),
            contract: "QC_SAMPLE_V0".into(),
            kept,
            place: Place { entry: 3, position: 0 },
            not_before_us: None,
            at_us: T0,
        };
        Self { lines: vec![Item::queued(queued).unwrap()], facts: Facts::default(), mode, now: T0 }
    }

    fn last(&self) -> &Item {
        self.lines.last().unwrap()
    }

    fn known(&self) -> Known {
        Known { facts: self.facts, mode: self.mode, now: self.now }
    }

    /// A second later, this change; a refused one leaves everything as it was.
    fn apply(&mut self, change: &Change) -> Result<(), Refused> {
        self.now += SECOND_US;
        let next = self.last().apply(change, &self.known())?;
        match change.event() {
            Event::Executed => self.facts.executed = true,
            Event::Settled => self.facts.settled = true,
            Event::Fulfilled => self.facts.fulfilled = true,
            Event::FailedFinal => self.facts.failed = true,
            Event::Voided => self.facts.void = true,
            _ => {}
        }
        self.lines.push(next);
        Ok(())
    }

    fn fact(&self) -> Fact {
        Fact { entry: self.last().entry + 1, run: None, kept: self.last().kept.clone() }
    }

    fn holder(&self) -> Holder {
        self.last().lease.as_ref().expect("held").holder()
    }

    fn validated(mut self) -> Self {
        self.apply(&Change::Validation(passed())).unwrap();
        self
    }

    fn leased(self, owner: &str) -> Self {
        let mut case = self.validated();
        let change = case.lease(owner);
        case.apply(&change).unwrap();
        case
    }

    fn executed(self) -> Self {
        let mut case = self.leased("a");
        let change = Change::Executed { holder: case.holder(), fact: case.fact() };
        case.apply(&change).unwrap();
        case
    }

    fn failed(self, class: Class) -> Self {
        let mut case = self.leased("a");
        let change = case.fail(class);
        case.apply(&change).unwrap();
        case
    }

    fn lease(&self, owner: &str) -> Change {
        Change::Lease { owner: owner.into(), deadline: self.now + 30 * SECOND_US }
    }

    fn fail(&self, class: Class) -> Change {
        Change::Fail { holder: self.holder(), failure: Failure::new(class, "timeout").unwrap() }
    }

    fn events(&self) -> Vec<&'static str> {
        self.lines.iter().map(|line| line.event.as_str()).collect()
    }
}

fn passed() -> Answer {
    Answer::of([("intent_ok", None), ("authority_ok", None), ("project_ok", None), ("economic_ok", None)]).unwrap()
}

fn rejected() -> Answer {
    let missing = Some("missing_charter_binding");
    Answer::of([("intent_ok", None), ("authority_ok", missing), ("project_ok", None), ("economic_ok", None)]).unwrap()
}

fn code<T: std::fmt::Debug>(refused: Result<T, Refused>) -> &'static str {
    let refused = refused.unwrap_err();
    assert!(!refused.hint().is_empty() && !refused.to_string().is_empty());
    refused.code()
}
