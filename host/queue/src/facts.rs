//! Facts: what the ledger holds about an item, and the projection in which they dominate the journal.

use crate::refused::Refused;
use crate::status::Status;
use alloc::collections::BTreeMap;
use alloc::string::String;

/// How an item is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Not at all: executed is the end of it.
    None,
    /// By the worker, right after the execution.
    Internal,
    /// By somebody who brings evidence from outside.
    External,
}

impl Mode {
    /// Reads the word of a queue contract.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "internal" => Some(Self::Internal),
            "external" => Some(Self::External),
            _ => None,
        }
    }

    /// The word of a queue contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Internal => "internal",
            Self::External => "external",
        }
    }

    /// Whether the item has to be settled.
    #[must_use]
    pub const fn required(self) -> bool {
        !matches!(self, Self::None)
    }
}

/// What the ledger holds about an item, beside that it is queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "five independent facts, as the specification lists them")]
pub struct Facts {
    /// It was carried out.
    pub executed: bool,
    /// It was settled.
    pub settled: bool,
    /// It was fulfilled.
    pub fulfilled: bool,
    /// It failed for good.
    pub failed: bool,
    /// It was called off.
    pub void: bool,
}

impl Facts {
    /// Reads the facts a queue contract lists for a state.
    ///
    /// # Errors
    /// [`Refused::Facts`] with the word that is no fact, or with nothing when they contradict each other.
    pub fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Refused> {
        let mut facts = Self::default();
        for word in words {
            let fact = match word {
                "executed" => &mut facts.executed,
                "settled" => &mut facts.settled,
                "fulfilled" => &mut facts.fulfilled,
                "failed" => &mut facts.failed,
                "void" => &mut facts.void,
                _ => return Err(Refused::Facts { state: word.into() }),
            };
            *fact = true;
        }
        if facts.agree() { Ok(facts) } else { Err(Refused::Facts { state: String::new() }) }
    }

    /// Whether they can be true together: what was settled or fulfilled was executed, and what was executed is neither called off nor
    /// a final failure.
    #[must_use]
    pub const fn agree(self) -> bool {
        let after = self.settled || self.fulfilled;
        let over = self.failed || self.void;
        (!after || self.executed) && (!self.executed || !over)
    }

    /// Whether nothing that was a fact is none any more.
    #[must_use]
    pub const fn keeps(self, before: Self) -> bool {
        (self.executed || !before.executed)
            && (self.settled || !before.settled)
            && (self.fulfilled || !before.fulfilled)
            && (self.failed || !before.failed)
            && (self.void || !before.void)
    }
}

/// The facts of every state of a lifecycle: member `facts` of a queue contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactMap(BTreeMap<String, Facts>);

impl FactMap {
    /// Checks and takes the map: `states` is the member, `edges` are all (from, to) of the lifecycle, each once or more.
    ///
    /// # Errors
    /// [`Refused::Facts`] with the first state whose facts contradict each other, that is not listed, or that an edge reaches although
    /// it takes a fact back.
    pub fn new<'a>(states: BTreeMap<String, Facts>, edges: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Refused> {
        if let Some((state, _)) = states.iter().find(|(_, facts)| !facts.agree()) {
            return Err(Refused::Facts { state: state.clone() });
        }
        for (from, to) in edges {
            let missing = |state: &str| Refused::Facts { state: state.into() };
            let before = states.get(from).ok_or_else(|| missing(from))?;
            let after = states.get(to).ok_or_else(|| missing(to))?;
            if !after.keeps(*before) {
                return Err(missing(to));
            }
        }
        Ok(Self(states))
    }

    /// The facts of an item in this state.
    ///
    /// # Errors
    /// [`Refused::Facts`] for a state that is not listed: an item in it is nowhere.
    pub fn of(&self, state: &str) -> Result<Facts, Refused> {
        self.0.get(state).copied().ok_or_else(|| Refused::Facts { state: state.into() })
    }
}

/// What the journal says of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The status of the last line.
    pub status: Status,
    /// When the lease ends, if there is one, microseconds.
    pub deadline: Option<u64>,
}

/// The status that is written down: the journal's as far as the facts bear it. It does not depend on a clock.
#[must_use]
pub fn logged(facts: Facts, journal: Status, required: bool) -> Status {
    if facts.void {
        Status::Void
    } else if facts.failed {
        Status::Failed
    } else if facts.executed && facts.fulfilled && (facts.settled || !required) {
        Status::Fulfilled
    } else if facts.executed && facts.settled {
        Status::Settled
    } else if facts.executed {
        // A wait for evidence that nobody asks for is not believed either.
        if journal == Status::Settling && required { Status::Settling } else { Status::Executed }
    } else {
        match journal {
            Status::Pending | Status::Ready | Status::Executing | Status::Failed => journal,
            Status::Executed | Status::Settling | Status::Settled | Status::Fulfilled | Status::Void => Status::Pending,
        }
    }
}

/// The status that is shown now: [`logged`], and EXECUTING without a live lease reads READY.
#[must_use]
pub fn project(facts: Facts, journal: Journal, required: bool, now: u64) -> Status {
    let status = logged(facts, journal.status, required);
    let live = journal.deadline.is_some_and(|deadline| now < deadline);
    if status == Status::Executing && !live { Status::Ready } else { status }
}
