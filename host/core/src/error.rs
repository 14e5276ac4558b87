//! Refusals: why the core will not append or accept something.
//!
//! A refusal is data with a stable code and the facts behind it; the same bad input always gives the same code (B-09)
//! because the checks run in a fixed order and the first failure wins. It is not an error of ours, and nothing here
//! panics.

use alloc::string::String;
use core::fmt;

use crate::canonical::CanonicalError;
use crate::entry::Kind;

/// Why an entry was not sealed or not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The ledger's name is empty, too long, or could not stand in a signed note.
    Origin {
        /// The name given.
        origin: String,
    },
    /// An entry without records says nothing.
    NoRecords,
    /// A field that must say something is empty, too long or not of its shape.
    Field {
        /// Position of the record in the batch.
        record: usize,
        /// The field.
        field: &'static str,
    },
    /// A run receipt of another kind. What is not checked is not accepted.
    KindNotInForce {
        /// Position of the record in the batch.
        record: usize,
        /// The kind.
        kind: Kind,
    },
    /// A field that nobody checks in a run receipt.
    FieldNotInForce {
        /// Position of the record in the batch.
        record: usize,
        /// The field.
        field: &'static str,
    },
    /// A governed record where only run receipts may be: it is judged by `govern::append`, which knows the state.
    Ungoverned {
        /// Position of the record in the batch.
        record: usize,
    },
    /// A run receipt that does not begin its entry, or a second one: an entry is about one run.
    Receipt {
        /// Position of the record in the batch.
        record: usize,
    },
    /// An entry does not say for each governed record which row allowed it.
    Decided {
        /// Rows named.
        got: usize,
        /// Rows that the records need.
        expected: usize,
    },
    /// Not an RFC 3339 instant in UTC.
    Time {
        /// The text given.
        at: String,
    },
    /// The head contradicts itself: its size, its tree and its last entry do not belong together.
    Head {
        /// Entries the head claims.
        size: u64,
        /// Leaves its tree holds.
        leaves: u64,
    },
    /// The ledger holds as many entries as a sequence number can count.
    Full {
        /// Entries so far.
        size: u64,
    },
    /// Time would run backwards.
    TimeBackwards {
        /// The instant of the draft.
        at: String,
        /// The instant of the last entry.
        head: String,
    },
    /// The entry has no canonical bytes, or the bytes are not canonical.
    Canonical(CanonicalError),
    /// Canonical JSON, but not an entry: a field is missing, unknown or of the wrong type.
    Shape,
    /// A version of the entry format that this build does not know.
    Version {
        /// The version found.
        got: u32,
    },
    /// Larger than an entry may be; payloads of this size belong into the blob store, by hash.
    TooLarge {
        /// Bytes of the sealed entry.
        size: usize,
        /// The limit.
        limit: usize,
    },
}

impl Refusal {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Origin { .. } => "entry_origin",
            Self::NoRecords => "entry_no_records",
            Self::Field { .. } => "record_field",
            Self::KindNotInForce { .. } => "record_kind_not_in_force",
            Self::FieldNotInForce { .. } => "record_field_not_in_force",
            Self::Ungoverned { .. } => "entry_ungoverned",
            Self::Receipt { .. } => "entry_receipt",
            Self::Decided { .. } => "entry_decided",
            Self::Time { .. } => "entry_time",
            Self::Head { .. } => "head_inconsistent",
            Self::Full { .. } => "ledger_full",
            Self::TimeBackwards { .. } => "entry_time_backwards",
            Self::Canonical(error) => error.code(),
            Self::Shape => "entry_shape",
            Self::Version { .. } => "entry_version",
            Self::TooLarge { .. } => "entry_too_large",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin { origin } => {
                write!(f, "`{origin}` cannot name a ledger: 1 to {} bytes without spaces, `+` or controls", crate::note::MAX_NAME_BYTES)
            }
            Self::NoRecords => f.write_str("an entry holds at least one record"),
            Self::Field { record, field } => write!(f, "record {record}: `{field}` is empty, too long or malformed"),
            Self::KindNotInForce { record, kind } => {
                write!(f, "record {record}: a run is stated by a `RECEIPT`, not by kind `{}`", kind.as_str())
            }
            Self::FieldNotInForce { record, field } => {
                write!(f, "record {record}: `{field}` has no place in a run receipt")
            }
            Self::Ungoverned { record } => write!(f, "record {record} is governed and nobody judged it"),
            Self::Receipt { record } => write!(f, "record {record} is a run receipt: an entry holds at most one, and begins with it"),
            Self::Decided { got, expected } => write!(f, "{got} deciding rows are named, {expected} are needed"),
            Self::Time { at } => write!(f, "`{at}` is not an RFC 3339 instant in UTC with at most six fractional digits"),
            Self::Head { size, leaves } => write!(f, "the head claims {size} entries and its tree holds {leaves}"),
            Self::Full { size } => write!(f, "the ledger is full with {size} entries"),
            Self::TimeBackwards { at, head } => write!(f, "`{at}` is before the last entry's `{head}`"),
            Self::Canonical(error) => fmt::Display::fmt(error, f),
            Self::Shape => f.write_str("canonical JSON, but not an entry"),
            Self::Version { got } => write!(f, "entry format {got}, this build knows {}", crate::entry::ENTRY_VERSION),
            Self::TooLarge { size, limit } => write!(f, "an entry of {size} bytes, {limit} are allowed"),
        }
    }
}

impl core::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Canonical(error) => Some(error),
            Self::Origin { .. }
            | Self::NoRecords
            | Self::Field { .. }
            | Self::KindNotInForce { .. }
            | Self::FieldNotInForce { .. }
            | Self::Ungoverned { .. }
            | Self::Receipt { .. }
            | Self::Decided { .. }
            | Self::Time { .. }
            | Self::Head { .. }
            | Self::Full { .. }
            | Self::TimeBackwards { .. }
            | Self::Shape
            | Self::Version { .. }
            | Self::TooLarge { .. } => None,
        }
    }
}

impl From<CanonicalError> for Refusal {
    fn from(error: CanonicalError) -> Self {
        Self::Canonical(error)
    }
}
