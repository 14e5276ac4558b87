//! Entries: the unit of the ledger, sealed by a pure append.
//!
//! A batch of records becomes one hash-chained entry, all or nothing. The module decides whether a draft may follow a
//! head and which bytes it becomes; it keeps nothing and writes nowhere.

mod record;
mod seal;
mod view;

pub(crate) use record::is_name;
pub use record::{Kind, Posting, Record, Side};
use seal::check_entry;
pub(crate) use seal::{Decided, check_receipts, prepare, write};
pub use seal::{Draft, Head, Sealed, seal};
pub use view::EntryView;
pub(crate) use view::Pairs;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
use crate::error::Refusal;
use crate::hash::Digest;

/// The entry format of this build.
pub const ENTRY_VERSION: u32 = 1;

/// Most bytes a stored entry may have: the length prefix of an entry bundle in C2SP tlog-tiles is two bytes.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Most entries a ledger may have: `seq` is a JSON number and must stay exact (RFC 8785).
pub const MAX_ENTRIES: u64 = canonical::MAX_SAFE_INTEGER;

/// One entry of a ledger, as stored.
///
/// Fields stand in the order of their stored names, so that writing has nothing to rearrange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When, in the stored spelling of [`crate::time::Instant`]; never before the previous entry's.
    pub at: String,
    /// For each record the row that allowed it; empty, and then left out, when all records are run receipts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decided: Vec<String>,
    /// Who stored it. Outside every record's hash, inside the leaf.
    pub local: Local,
    /// The ledger's pinned name: an entry of another ledger never verifies here.
    pub origin: String,
    /// `entry_hash` of the entry before; `null` for the first.
    pub prev: Option<Digest>,
    /// Hash of the protocol snapshot in force.
    pub protocol: Digest,
    /// What happened, at least one.
    pub records: Vec<Record>,
    /// Position, counted from zero.
    pub seq: u64,
    /// Format version, [`ENTRY_VERSION`].
    pub v: u32,
}

/// Node-local facts of an entry. They may differ between nodes that agree on the records.
///
/// Fields stand in the order of their stored names, so that writing has nothing to rearrange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Local {
    /// Which attempt at the run this was, counted from one by the engine.
    pub attempt: u32,
    /// The node that sealed the entry.
    pub node: String,
}

impl Entry {
    /// Reads stored bytes, which must be the canonical bytes of an entry that [`seal`] could have made.
    ///
    /// # Errors
    /// The first refusal, in the order: size, canonical form, shape, version, fields.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        view::entry(bytes).map_or_else(|| Self::parse_slowly(bytes), Ok)
    }

    /// The definition, which a view is only a quicker way to. It also says why bytes are refused.
    fn parse_slowly(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(Refusal::TooLarge { size: bytes.len(), limit: MAX_ENTRY_BYTES });
        }
        let entry: Self = match serde_json::from_slice(bytes) {
            Ok(entry) => entry,
            // The slow path tells "not canonical" from "canonical but no entry".
            Err(_) => return Err(canonical::check(bytes).map_or_else(Refusal::Canonical, |_| Refusal::Shape)),
        };
        // One round trip through the typed entry proves the canonical form: a duplicate member, an explicit null for an
        // absent field or another spelling of a number would come out differently.
        canonical::same(&canonical::to_bytes(&entry)?, bytes)?;
        check_entry(&entry)?;
        Ok(entry)
    }

    /// The canonical bytes, what is stored and hashed.
    ///
    /// # Errors
    /// When a payload has no canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_bytes(self)
    }
}
