//! What a host can answer instead of doing its work, and what that means for the status of a step.
//!
//! The messages stay out of outputs: the host has recorded its own answer, and a message may quote data.

use alloc::string::String;

use crate::Violation;

/// Why a handler could not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Outside the grant of this binding; names the grant that was missing.
    Denied(String),
    /// Over a limit of the host; names it with value and bound.
    Limit(String),
    /// The backing store or peer failed; worth a retry.
    Unavailable(String),
    /// The request itself was malformed, which means that the inputs were.
    Invalid(String),
    /// A stored value is not what this capability writes.
    Damaged,
    /// The inputs break a rule of the handler.
    Violation,
}

impl Fault {
    /// The status that a step ends with: `VIOLATION` where the inputs are to blame, `BACKEND_ERROR` where the host or its data is.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Invalid(_) | Self::Violation => crate::answer::VIOLATION,
            Self::Denied(_) | Self::Limit(_) | Self::Unavailable(_) | Self::Damaged => crate::answer::BACKEND_ERROR,
        }
    }
}

impl From<Violation> for Fault {
    fn from(_: Violation) -> Self {
        Self::Violation
    }
}
