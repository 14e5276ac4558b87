//! An item as one journal line holds it, and the first line of an item.

use crate::Map;
use crate::change::given;
use crate::facts::{Facts, Journal, Mode, logged, project};
use crate::id::{QueueId, checked};
use crate::lease::{Fence, Lease};
use crate::line;
pub use crate::line::is_own;
use crate::order::Place;
use crate::refused::Refused;
use crate::retry::{Class, Failure};
use crate::status::{Event, Status};
use crate::time::LAST_US;
use crate::validation::{Answer, Groups};
use alloc::string::String;

/// An item after a change: the whole of it, so the last line alone is enough to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its id.
    pub id: QueueId,
    /// Code of its queue contract.
    pub contract: String,
    /// Where it is, as far as the journal knows.
    pub status: Status,
    /// What happened in this line.
    pub event: Event,
    /// What the item keeps; opaque here, members of the line itself.
    pub kept: Map,
    /// Whether the last validation passed.
    pub validated: bool,
    /// What the last validation said of each group.
    pub validation: Groups,
    /// Whether a worker may take it.
    pub ready: bool,
    /// Why the last validation or attempt failed.
    pub failure_reason: Option<String>,
    /// Class of the last attempt's failure.
    pub failure_class: Option<Class>,
    /// When the last attempt failed, microseconds.
    pub failure_us: Option<u64>,
    /// What was given with this event: of a retry, a void, a lease given back.
    pub reason: Option<String>,
    /// Leases for an execution so far.
    pub attempts: u64,
    /// Automatic retries since it was queued, executed, or last retried by hand.
    pub automatic_retries: u64,
    /// When it was last retried, microseconds.
    pub last_retry_us: Option<u64>,
    /// Not taken before this instant, microseconds.
    pub not_before_us: Option<u64>,
    /// The last fencing number that was given out.
    pub fence: Fence,
    /// Who holds it.
    pub lease: Option<Lease>,
    /// When the ledger took its execution, microseconds.
    pub executed_us: Option<u64>,
    /// When the ledger took its settlement, microseconds.
    pub settled_us: Option<u64>,
    /// When the ledger took its fulfillment, microseconds.
    pub fulfilled_us: Option<u64>,
    /// Its place in the order.
    pub queued: Place,
    /// Sequence number of the latest fact.
    pub entry: u64,
    /// The run that carried it out.
    pub run: Option<String>,
    /// When it was queued, microseconds.
    pub created_us: u64,
    /// When this line was written, never before the line before it, microseconds.
    pub updated_us: u64,
}

/// What is known when an item is read or changed: the ledger's facts, the contract's mode, the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The facts before the change.
    pub facts: Facts,
    /// How it is settled.
    pub mode: Mode,
    /// Now, microseconds.
    pub now: u64,
}

/// What the `queue` action of the ledger says of a new item.
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// Its id.
    pub id: QueueId,
    /// Code of its queue contract.
    pub contract: String,
    /// What it keeps.
    pub kept: Map,
    /// Where it stands in the order.
    pub place: Place,
    /// Not taken before this instant, microseconds.
    pub not_before_us: Option<u64>,
    /// When the entry was made, microseconds.
    pub at_us: u64,
}

/// One fact with its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Sequence number.
    pub entry: u64,
    /// When the entry was made, microseconds.
    pub at_us: u64,
}

/// All that the ledger knows of an item, for a journal that was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Its execution.
    pub executed: Option<Recorded>,
    /// The run that carried it out.
    pub run: Option<String>,
    /// Its settlement.
    pub settled: Option<Recorded>,
    /// Its fulfillment.
    pub fulfilled: Option<Recorded>,
    /// Its final failure.
    pub failed: Option<Recorded>,
    /// Class and reason of the final failure.
    pub failure: Option<Failure>,
    /// That it was called off.
    pub void: Option<Recorded>,
    /// Why, if the record says it.
    pub void_reason: Option<String>,
}

impl History {
    /// The facts alone.
    #[must_use]
    pub const fn facts(&self) -> Facts {
        Facts {
            executed: self.executed.is_some(),
            settled: self.settled.is_some(),
            fulfilled: self.fulfilled.is_some(),
            failed: self.failed.is_some(),
            void: self.void.is_some(),
        }
    }
}

impl Item {
    /// The first line of an item.
    ///
    /// # Errors
    /// [`Refused::Name`] if the contract is no name or a kept member has the name of one of the journal's own.
    pub fn queued(queued: Queued) -> Result<Self, Refused> {
        if let Some(name) = queued.kept.keys().find(|name| is_own(name)) {
            return Err(Refused::Name { name: name.clone() });
        }
        let at = queued.at_us.min(LAST_US);
        Ok(Self {
            id: queued.id,
            contract: checked(&queued.contract)?,
            status: Status::Pending,
            event: Event::Queued,
            kept: queued.kept,
            validated: false,
            validation: Groups::default(),
            ready: false,
            failure_reason: None,
            failure_class: None,
            failure_us: None,
            reason: None,
            attempts: 0,
            automatic_retries: 0,
            last_retry_us: None,
            not_before_us: queued.not_before_us.map(|us| us.min(LAST_US)),
            fence: Fence(0),
            lease: None,
            executed_us: None,
            settled_us: None,
            fulfilled_us: None,
            queued: queued.place,
            entry: queued.place.entry,
            run: None,
            created_us: at,
            updated_us: at,
        })
    }

    /// The line of an item whose journal was lost: what the ledger knows and nothing else. Its event is that of the latest fact. What
    /// was executed stays executed; what was not has to be validated again.
    ///
    /// # Errors
    /// As [`Item::queued`].
    pub fn derived(queued: Queued, history: &History, mode: Mode) -> Result<Self, Refused> {
        let mut item = Self::queued(queued)?;
        let facts = history.facts();
        let known = [
            (Event::Executed, history.executed),
            (Event::FailedFinal, history.failed),
            (Event::Settled, history.settled),
            (Event::Fulfilled, history.fulfilled),
            (Event::Voided, history.void),
        ];
        for (event, fact) in known.into_iter().filter_map(|(event, fact)| Some((event, fact?))) {
            // At equal entries the later event of the list is the later one.
            if fact.entry >= item.entry {
                (item.event, item.entry, item.updated_us) = (event, fact.entry, fact.at_us.min(LAST_US));
            }
        }
        let at = |fact: Option<Recorded>| fact.map(|fact| fact.at_us.min(LAST_US));
        item.executed_us = at(history.executed);
        item.settled_us = at(history.settled);
        item.fulfilled_us = at(history.fulfilled);
        item.failure_us = at(history.failed);
        item.run.clone_from(&history.run);
        if let Some(failure) = &history.failure {
            item.failure_class = Some(failure.class);
            item.failure_reason = Some(failure.reason.clone());
        }
        // A reason belongs to the event of its line. One that is none keeps no item from being derived.
        if item.event == Event::Voided {
            item.reason = history.void_reason.as_deref().and_then(|reason| given(reason).ok());
        }
        item.status = logged(facts, item.status, mode.required());
        Ok(item)
    }

    /// The status that is written down, whatever the time.
    #[must_use]
    pub fn logged(&self, known: &Known) -> Status {
        logged(known.facts, self.status, known.mode.required())
    }

    /// The status that is shown.
    #[must_use]
    pub fn shown(&self, known: &Known) -> Status {
        let journal = Journal { status: self.status, deadline: self.lease.as_ref().map(|lease| lease.deadline) };
        project(known.facts, journal, known.mode.required(), known.now)
    }

    /// Whether the journal says of the item already what a validation answered, so that no line is needed. A status that was only claimed
    /// says nothing.
    #[must_use]
    pub fn says(&self, answer: &Answer, known: &Known) -> bool {
        let status = if answer.passed() { Status::Ready } else { Status::Pending };
        self.status == status
            && self.logged(known) == status
            && self.validated == answer.passed()
            && self.ready == answer.passed()
            && self.validation == *answer.groups()
            && self.failure_reason.as_deref() == answer.failure_reason()
    }

    /// Whether the last validation passed, in all its words. READY is a word too (W-45).
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.ready && self.validated && self.validation.hold()
    }

    /// The journal line, without its line feed.
    #[must_use]
    pub fn to_line(&self) -> String {
        line::write(self)
    }

    /// Reads a journal line, without its line feed. `keeps` says of a member that is not the journal's own whether the item keeps it.
    ///
    /// # Errors
    /// [`Refused::Line`] for everything that [`Item::to_line`] does not write, to the byte; [`Refused::Name`] for ids that are none.
    pub fn from_line(text: &str, keeps: impl Fn(&str) -> bool) -> Result<Self, Refused> {
        line::read(text, keeps)
    }
}
