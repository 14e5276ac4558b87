//! What a worker asks for and what it can be told.

use crate::change::Change;
use crate::facts::Mode;
use crate::id::QueueId;
use crate::lease::{Fence, Holder};
use crate::order::Place;
#[cfg(doc)]
use crate::retry::Class;
use crate::retry::Failure;
use crate::validation::Answer;
use alloc::string::String;
use alloc::vec::Vec;

/// An item and the number it is held with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The item.
    pub id: QueueId,
    /// The number.
    pub fence: Fence,
}

impl Held {
    /// The holder to name in a change.
    #[must_use]
    pub fn holder(&self, owner: &str) -> Holder {
        Holder { owner: owner.into(), fence: self.fence }
    }
}

/// An item that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The item and its number.
    pub held: Held,
    /// How it is settled.
    pub mode: Mode,
    /// Whether it is executed already and only to be settled.
    pub executed: bool,
}

/// What a worker wants done. Every ask is answered by exactly one [`Told`]; the owner is that of the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Write down which leases have expired ([`Change::Expire`]). Told: `Done`.
    Recover,
    /// List what has to be validated: up to `limit` PENDING items that are due, after this place, in order; and up to `limit` failed ones
    /// whose automatic retry is due. Told: `Listed`.
    List {
        /// Where the last page ended.
        after: Option<Place>,
        /// Page length.
        limit: usize,
    },
    /// Validate one item; it is held with this number, or by nobody. Told: `Validated`.
    Validate {
        /// The item.
        id: QueueId,
        /// The number, if this validation comes right before the execution.
        fence: Option<Fence>,
    },
    /// Write down answers that say something new ([`Change::Validation`]). What is refused is left out. Told: `Marked`.
    Mark {
        /// Items and answers.
        answers: Vec<(QueueId, Answer)>,
    },
    /// In one transaction take, up to `limit` in all: executed items to settle ([`Change::Resume`]), then these failed ones
    /// ([`Change::Retry`]), then READY ones in their order ([`Change::Lease`]). What is refused is left out. Told: `Leased`.
    Lease {
        /// How many.
        limit: usize,
        /// Until when, microseconds.
        deadline: u64,
        /// Failed items with their new validation.
        retries: Vec<(QueueId, Answer)>,
    },
    /// More time for all of these ([`Change::Renew`]). Told: `Held`.
    Renew {
        /// The items.
        items: Vec<Held>,
        /// Until when, microseconds.
        deadline: u64,
    },
    /// Run the workflow of one item and keep the result for `Commit`. Told: `Done` or `Failed`.
    Run {
        /// The item.
        item: Held,
    },
    /// Commit these executions, each all or nothing ([`Change::Executed`]). Told: `Each`.
    Commit {
        /// The items.
        items: Vec<Held>,
    },
    /// Settle these internally ([`Change::Settled`]). Told: `Each`.
    Settle {
        /// The items.
        items: Vec<Held>,
    },
    /// Let these wait for evidence ([`Change::BeginSettlement`]). Told: `Each`.
    BeginSettlement {
        /// The items.
        items: Vec<Held>,
    },
    /// Write down failed attempts ([`Change::Fail`]), and where forgetting one would carry the item out after all
    /// ([`Class::needs_fact`]) the `fail` record of the ledger with it ([`Change::FailFinal`]). Told: `Done`, also when one was refused
    /// because the item is somebody else's or is executed after all.
    Fail {
        /// The items, each with what it was.
        items: Vec<(Held, Failure)>,
    },
    /// Write down failed attempts to settle ([`Change::FailSettlement`]). Told: `Done`, as for `Fail`.
    FailSettlement {
        /// The items, each with what it was.
        items: Vec<(Held, Failure)>,
    },
    /// Give these back ([`Change::Release`]). Told: `Done`.
    Release {
        /// The items.
        items: Vec<Held>,
        /// Why.
        reason: &'static str,
    },
    /// Do nothing until this instant, until the ledger has grown, or until the worker is asked to stop. Told: `Done`.
    Wait {
        /// Microseconds.
        until: u64,
        /// Whether it waits because something was out of order.
        fault: bool,
    },
    /// The end. Nothing is held. There is no answer.
    Stop,
}

/// What became of one item of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the ledger.
    Done,
    /// The item is somebody else's now.
    Fenced,
    /// A read of the run no longer holds.
    Conflict,
    /// It was in the ledger before; the reason, a word.
    Duplicate(String),
    /// It was refused for good or for now.
    Failed(Failure),
}

/// An answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is done.
    Done,
    /// To `List`.
    Listed {
        /// PENDING items, in order.
        pending: Vec<(Place, QueueId)>,
        /// Failed items that are due.
        retries: Vec<QueueId>,
        /// When the next thing is due that is not due now, microseconds.
        next: Option<u64>,
    },
    /// To `Validate`.
    Validated {
        /// The answer.
        answer: Answer,
        /// Whether the journal says something else so far.
        changed: bool,
    },
    /// To `Mark`: how many lines were written.
    Marked(usize),
    /// To `Lease`.
    Leased(Vec<Taken>),
    /// To `Renew`: those that are still held.
    Held(Vec<QueueId>),
    /// To `Run`.
    Failed(Failure),
    /// To `Commit`, `Settle` and `BeginSettlement`.
    Each(Vec<(QueueId, Outcome)>),
    /// To everything: the infrastructure failed, and whether anything happened is unknown. The reason, a word.
    Fault(String),
}

impl Ask {
    /// A word for it, for logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Recover => "recover",
            Self::List { .. } => "list",
            Self::Validate { .. } => "validate",
            Self::Mark { .. } => "mark",
            Self::Lease { .. } => "lease",
            Self::Renew { .. } => "renew",
            Self::Run { .. } => "run",
            Self::Commit { .. } => "commit",
            Self::Settle { .. } => "settle",
            Self::BeginSettlement { .. } => "begin_settlement",
            Self::Fail { .. } => "fail",
            Self::FailSettlement { .. } => "fail_settlement",
            Self::Release { .. } => "release",
            Self::Wait { .. } => "wait",
            Self::Stop => "stop",
        }
    }

    /// The change of an item that asks for no more than its holder knows: `Renew`, `Release`, `BeginSettlement`, `Fail` and
    /// `FailSettlement`. The others need an answer, a fact or a choice of the one who is asked.
    #[must_use]
    pub fn change(&self, owner: &str, item: &Held) -> Option<Change> {
        let holder = item.holder(owner);
        match self {
            Self::Renew { deadline, .. } => Some(Change::Renew { holder, deadline: *deadline }),
            Self::Release { reason, .. } => Some(Change::Release { holder, reason: (*reason).into() }),
            Self::BeginSettlement { .. } => Some(Change::BeginSettlement { holder }),
            Self::Fail { items } => Some(Change::Fail { holder, failure: failure_of(items, item)? }),
            Self::FailSettlement { items } => Some(Change::FailSettlement { holder, failure: failure_of(items, item)? }),
            Self::Recover
            | Self::List { .. }
            | Self::Validate { .. }
            | Self::Mark { .. }
            | Self::Lease { .. }
            | Self::Run { .. }
            | Self::Commit { .. }
            | Self::Settle { .. }
            | Self::Wait { .. }
            | Self::Stop => None,
        }
    }
}

fn failure_of(items: &[(Held, Failure)], item: &Held) -> Option<Failure> {
    items.iter().find(|(held, _)| held == item).map(|(_, failure)| failure.clone())
}
