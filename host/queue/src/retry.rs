//! Failures: their classes, and what happens after one.

use crate::id;
use crate::refused::Refused;
use crate::time::SECOND_US;
use alloc::string::String;

/// The waits before the automatic retries, microseconds. There are as many retries as waits.
pub const DELAYS_US: [u64; 3] = [SECOND_US, 2 * SECOND_US, 4 * SECOND_US];

/// Who can do something about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nobody has to: it goes away.
    Transient,
    /// Somebody who mends what the reason names.
    Resolvable,
    /// Only a new decision: the workflow said no.
    Business,
    /// Only a new decision: a rule of the protocol said no.
    Invariant,
    /// Nobody: it has been done already.
    Duplicate,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Transient, Self::Resolvable, Self::Business, Self::Invariant, Self::Duplicate];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Resolvable => "resolvable",
            Self::Business => "business",
            Self::Invariant => "invariant",
            Self::Duplicate => "duplicate",
        }
    }

    /// Reads the word, exactly as written.
    ///
    /// # Errors
    /// [`Refused::Line`] for every other word.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or_else(|| Refused::Line { member: "failure_class".into() })
    }

    /// Whether no retry of any kind can follow.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Business | Self::Invariant | Self::Duplicate)
    }

    /// Whether the ledger must hold the failure, because forgetting it would carry the item out after all. A duplicate needs no record:
    /// the consumed key refuses it for ever.
    #[must_use]
    pub const fn needs_fact(self) -> bool {
        matches!(self, Self::Business | Self::Invariant)
    }
}

/// A failure: its class and a reason, a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Who can do something about it.
    pub class: Class,
    /// What it was.
    pub reason: String,
}

impl Failure {
    /// A failure with this reason.
    ///
    /// # Errors
    /// [`Refused::Name`] if the reason is not a word: a failure without one would be silent.
    pub fn new(class: Class, reason: &str) -> Result<Self, Refused> {
        Ok(Self { class, reason: id::checked(reason)? })
    }
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An automatic retry, not before this instant.
    Again {
        /// Microseconds.
        at: u64,
    },
    /// A retry by hand, with a reason.
    ByHand,
    /// Nothing; a new decision may be made.
    Nothing,
    /// Nothing; the original record is the answer.
    Original,
}

/// What follows from a failure of this class now, after so many automatic retries.
#[must_use]
pub fn next(class: Class, automatic_retries: u64, now: u64) -> Next {
    match class {
        Class::Transient => {
            let delay = usize::try_from(automatic_retries).ok().and_then(|done| DELAYS_US.get(done));
            delay.map_or(Next::ByHand, |delay| Next::Again { at: now.saturating_add(*delay) })
        }
        Class::Resolvable => Next::ByHand,
        Class::Business | Class::Invariant => Next::Nothing,
        Class::Duplicate => Next::Original,
    }
}
