//! The shapes that cross the boundary besides strings: the call, a versioned document and the expectation of a write.

use alloc::string::String;

/// One call of a side effect, as the host describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// Protocol code, e.g. `CS_REGISTRY_V0`: one module may serve many.
    pub capability: &'a str,
    /// Declared operation, e.g. `REGISTER`.
    pub operation: &'a str,
    /// Canonical JSON object.
    pub inputs: &'a str,
    /// The host store that the binding gives this step; empty when it gives none.
    pub store: &'a str,
    /// Equal for every attempt at this step of this run, different for every other step.
    pub idempotency_key: &'a str,
}

/// A document and the version that its next writer has to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Starts at 1 and grows with every write.
    pub version: u64,
    /// The stored text.
    pub value: String,
}

/// What a write takes for granted about the document it replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is none yet.
    Absent,
    /// Whatever is there, or nothing.
    Any,
    /// Exactly this version, which is at least 1.
    Version(u64),
}

impl Expect {
    /// The form of the contract: none = absent, 0 = any, n = exactly n.
    pub(crate) const fn wire(self) -> Option<u64> {
        match self {
            Self::Absent => None,
            Self::Any => Some(0),
            Self::Version(version) => Some(version),
        }
    }
}
