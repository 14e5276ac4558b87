//! Refusals: what the queue would not do, as data with a stable code and a hint.

use crate::status::{Event, Status};
use alloc::string::String;
use core::fmt::{Display, Formatter, Result as Written};

/// Why the queue refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The item is there already.
    Exists,
    /// The event is not allowed in this status.
    Status {
        /// What was to happen.
        event: Event,
        /// Where the item is.
        status: Status,
    },
    /// Another holds the item until this instant.
    Locked {
        /// When the lease ends, microseconds.
        until: u64,
    },
    /// The holder is not the one who holds the item now: its number is old, or the lease was given back.
    Fenced {
        /// The number that was named.
        named: u64,
        /// The last number that was given out.
        last: u64,
    },
    /// A reason is needed.
    Reason,
    /// The validation failed, or there was none.
    NotReady {
        /// The reason of the first check that failed; empty if nothing was validated.
        reason: String,
    },
    /// No retry after a final failure.
    Final,
    /// There is nothing to settle, or the mode asks for another way.
    Settlement,
    /// The facts of a lifecycle contradict each other.
    Facts {
        /// The state that is wrong.
        state: String,
    },
    /// A journal line is not exactly what is specified.
    Line {
        /// The member that is wrong; empty if the line as a whole is.
        member: String,
    },
    /// An id, owner or member is not well formed.
    Name {
        /// What was given.
        name: String,
    },
}

impl Refused {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exists => "queue_exists",
            Self::Status { .. } => "queue_status",
            Self::Locked { .. } => "queue_locked",
            Self::Fenced { .. } => "queue_fenced",
            Self::Reason => "queue_reason",
            Self::NotReady { .. } => "queue_not_ready",
            Self::Final => "queue_final",
            Self::Settlement => "queue_settlement",
            Self::Facts { .. } => "queue_facts",
            Self::Line { .. } => "queue_line",
            Self::Name { .. } => "queue_name",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Exists => "an item is queued once; look at the one that is there",
            Self::Status { .. } => "look at the item's status; another step has to come first, or this one is over",
            Self::Locked { .. } => "wait until the lease ends, or until its holder gives the item back",
            Self::Fenced { .. } => "somebody else has taken the item since; drop the work and take the item anew",
            Self::Reason => "say why, in words",
            Self::NotReady { .. } => "mend what the reason names, then validate again",
            Self::Final => "only a new decision can do this",
            Self::Settlement => "look at the settlement mode of the queue contract",
            Self::Facts { .. } => "settled and fulfilled need executed; executed, failed and void exclude each other as documented",
            Self::Line { .. } => "export the journal again; it is derived and never edited",
            Self::Name { .. } => "use letters, digits, `_`, `.` and `-`, beginning with a letter or digit",
        }
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::Exists => f.write_str("the item is queued already"),
            Self::Status { event, status } => write!(f, "`{event}` is not allowed in {status}"),
            Self::Locked { until } => write!(f, "the item is held until {}", crate::time::text(*until)),
            Self::Fenced { named, last } => write!(f, "fencing number {named} does not hold the item; the last one given out is {last}"),
            Self::Reason => f.write_str("a reason is needed"),
            Self::NotReady { reason } if reason.is_empty() => f.write_str("the item has not been validated"),
            Self::NotReady { reason } => write!(f, "the validation failed: `{reason}`"),
            Self::Final => f.write_str("the failure is final"),
            Self::Settlement => f.write_str("the settlement mode does not allow this"),
            Self::Facts { state } => write!(f, "the facts of state `{state}` contradict each other"),
            Self::Line { member } if member.is_empty() => f.write_str("the journal line is not exactly one item"),
            Self::Line { member } => write!(f, "member `{member}` of the journal line is not what it must be"),
            Self::Name { name } => write!(f, "`{name}` is not a name"),
        }
    }
}

impl core::error::Error for Refused {}
