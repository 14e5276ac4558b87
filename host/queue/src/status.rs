//! The nine statuses, the events, and the table of which event leads from which status where.

use crate::facts::Facts;
use crate::refused::Refused;
use core::fmt::{Display, Formatter, Result as Written};

/// Where an item is. There are nine and no tenth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Queued, not validated or not valid.
    Pending,
    /// Valid, waiting for a worker.
    Ready,
    /// Taken by one worker.
    Executing,
    /// Carried out; the ledger has it.
    Executed,
    /// Settlement waits for evidence from outside.
    Settling,
    /// Settlement is closed.
    Settled,
    /// Fulfilled, and settlement is closed or not required.
    Fulfilled,
    /// The last attempt failed.
    Failed,
    /// Called off before it was carried out.
    Void,
}

impl Status {
    /// All nine, in the order of an item's life.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Ready,
        Self::Executing,
        Self::Executed,
        Self::Settling,
        Self::Settled,
        Self::Fulfilled,
        Self::Failed,
        Self::Void,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Executing => "EXECUTING",
            Self::Executed => "EXECUTED",
            Self::Settling => "SETTLING",
            Self::Settled => "SETTLED",
            Self::Fulfilled => "FULFILLED",
            Self::Failed => "FAILED",
            Self::Void => "VOID",
        }
    }

    /// Reads the word, exactly as written.
    ///
    /// # Errors
    /// [`Refused::Line`] for every other word.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| Refused::Line { member: "status".into() })
    }

    /// The status after an event: the whole table of `protocol/queue.md`. `facts` are those before the event, `required` is whether the
    /// item has to be settled at all.
    ///
    /// # Errors
    /// [`Refused::Status`] for every pair that is not in the table; [`Refused::Final`] for a retry after a final failure;
    /// [`Refused::Settlement`] for a step of settlement where none is required; [`Refused::Exists`] for queueing a second time.
    pub fn after(self, event: Event, facts: Facts, required: bool) -> Result<Self, Refused> {
        let settles = matches!(event, Event::Resumed | Event::SettlementBegun | Event::SettlementFailed | Event::Settled);
        Ok(match (event, self) {
            (Event::Queued, _) => return Err(Refused::Exists),
            (Event::Validated, Self::Pending | Self::Ready) | (Event::LeaseLost, Self::Executing) => Self::Ready,
            (Event::Rejected, Self::Pending | Self::Ready) => Self::Pending,
            (Event::Leased, Self::Ready) | (Event::Renewed, Self::Executing) => Self::Executing,
            (Event::Executed, Self::Executing) | (Event::Renewed, Self::Executed) => Self::Executed,
            (Event::Failed, Self::Executing) | (Event::Rejected, Self::Failed) => Self::Failed,
            (Event::FailedFinal | Event::Retried, Self::Failed) if facts.failed => return Err(Refused::Final),
            (Event::FailedFinal, Self::Failed) => Self::Failed,
            (Event::Retried, Self::Failed) => Self::Executing,
            (Event::Voided, Self::Pending | Self::Ready | Self::Failed) => Self::Void,
            (_, Self::Executed | Self::Settling) if settles && !required => return Err(Refused::Settlement),
            (Event::Resumed | Event::SettlementFailed, Self::Executed) => Self::Executed,
            (Event::SettlementBegun, Self::Executed) => Self::Settling,
            (Event::Settled, Self::Executed | Self::Settling) if facts.fulfilled => Self::Fulfilled,
            (Event::Settled, Self::Executed | Self::Settling) => Self::Settled,
            (Event::Fulfilled, Self::Executed | Self::Settling | Self::Settled) if !facts.fulfilled => {
                if required && !facts.settled {
                    self
                } else {
                    Self::Fulfilled
                }
            }
            _ => return Err(Refused::Status { event, status: self }),
        })
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        f.write_str(self.as_str())
    }
}

/// What can happen to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The ledger holds that it is to be carried out.
    Queued,
    /// A validation passed.
    Validated,
    /// A validation failed.
    Rejected,
    /// A worker took it, with a new fencing number.
    Leased,
    /// The holder has got more time.
    Renewed,
    /// The deadline passed, or the holder gave it back.
    LeaseLost,
    /// The ledger holds that it was carried out.
    Executed,
    /// An attempt failed.
    Failed,
    /// The ledger holds that it failed for good.
    FailedFinal,
    /// A failed item was taken again, with a reason and a new fencing number.
    Retried,
    /// The ledger holds that it was called off.
    Voided,
    /// An executed item was taken again to settle it, with a new fencing number.
    Resumed,
    /// Settlement waits for evidence from outside.
    SettlementBegun,
    /// An attempt to settle failed; that the item was carried out stays true.
    SettlementFailed,
    /// The ledger holds that it was settled.
    Settled,
    /// The ledger holds that it was fulfilled.
    Fulfilled,
}

impl Event {
    /// All of them, in the order of the specification.
    pub const ALL: [Self; 16] = [
        Self::Queued,
        Self::Validated,
        Self::Rejected,
        Self::Leased,
        Self::Renewed,
        Self::LeaseLost,
        Self::Executed,
        Self::Failed,
        Self::FailedFinal,
        Self::Retried,
        Self::Voided,
        Self::Resumed,
        Self::SettlementBegun,
        Self::SettlementFailed,
        Self::Settled,
        Self::Fulfilled,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Validated => "validated",
            Self::Rejected => "rejected",
            Self::Leased => "leased",
            Self::Renewed => "renewed",
            Self::LeaseLost => "lease_lost",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::FailedFinal => "failed_final",
            Self::Retried => "retried",
            Self::Voided => "voided",
            Self::Resumed => "resumed",
            Self::SettlementBegun => "settlement_begun",
            Self::SettlementFailed => "settlement_failed",
            Self::Settled => "settled",
            Self::Fulfilled => "fulfilled",
        }
    }

    /// Reads the word, exactly as written.
    ///
    /// # Errors
    /// [`Refused::Line`] for every other word.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        Self::ALL.into_iter().find(|event| event.as_str() == text).ok_or_else(|| Refused::Line { member: "event".into() })
    }

    /// Whether the event is a record of the ledger, and not the journal's own.
    #[must_use]
    pub const fn is_fact(self) -> bool {
        matches!(self, Self::Queued | Self::Executed | Self::FailedFinal | Self::Voided | Self::Settled | Self::Fulfilled)
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        f.write_str(self.as_str())
    }
}
