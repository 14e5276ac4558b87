//! The values that cross the store's boundary; plain data, without a rule and without SQL.

use std::fmt;

use enact_core::entry::Draft;
use enact_core::error::Refusal;
use enact_core::hash::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::queue::QueueRefused;

/// What a host store is. Its first write fixes it for ever.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Keys that are inserted once and may be retired.
    Registry,
    /// Documents with versions.
    Table,
    /// Records that are only ever appended.
    Log,
}

impl Kind {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Table => "table",
            Self::Log => "log",
        }
    }

    /// The kind of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Registry, Self::Table, Self::Log].into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One key of a registry or table.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// 1 for the first write of the key, one more for each later one. Tombstones count.
    pub version: u64,
    /// `None` is a tombstone.
    pub value: Option<String>,
}

impl Row {
    /// Whether the key holds a value.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.value.is_some()
    }
}

/// Something that a run read and that must still hold when it commits.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "read", rename_all = "lowercase", deny_unknown_fields)]
pub enum Read {
    /// A key of a store.
    Row {
        /// Name of the host store.
        store: String,
        /// What the run took the store for. A store that does not exist yet may become this and nothing else.
        kind: Kind,
        /// The key.
        key: String,
        /// Version seen; 0 when the key had never been written.
        version: u64,
    },
    /// A store as a whole: a count, a listing, a stretch of a log.
    Store {
        /// Name of the host store.
        store: String,
        /// What the run took the store for.
        kind: Kind,
        /// Version seen; 0 when the store did not exist.
        version: u64,
    },
    /// Whether an event had been recorded.
    Event {
        /// Name of the log, or `None` for any log.
        store: Option<String>,
        /// Event code.
        event: String,
        /// Fields that the record had to carry with exactly these values.
        fields: Map<String, Value>,
        /// The answer.
        found: bool,
    },
    /// A call refused because the store is of another kind than the caller took it for. Kinds never change, so this
    /// holds for ever once it held; it is here so that an audit can check it.
    Kind {
        /// Name of the host store.
        store: String,
        /// What the store was.
        kind: Kind,
    },
}

/// One change to a host store, in the order in which the run made it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "write", rename_all = "lowercase", deny_unknown_fields)]
pub enum Write {
    /// A key gets a value.
    Put {
        /// Name of the host store.
        store: String,
        /// [`Kind::Registry`] or [`Kind::Table`].
        kind: Kind,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// Version of the key after the write.
        version: u64,
    },
    /// A key loses its value; the key and its version stay.
    Tombstone {
        /// Name of the host store.
        store: String,
        /// [`Kind::Registry`] or [`Kind::Table`].
        kind: Kind,
        /// The key.
        key: String,
        /// Version of the key after the write.
        version: u64,
    },
    /// A record is appended to a log.
    Append {
        /// Name of the host store.
        store: String,
        /// The record.
        value: String,
        /// Event codes that the record carries ([`crate::event::codes`]).
        events: Vec<String>,
    },
}

impl Write {
    /// Name of the host store.
    #[must_use]
    pub fn store(&self) -> &str {
        match self {
            Self::Put { store, .. } | Self::Tombstone { store, .. } | Self::Append { store, .. } => store,
        }
    }

    /// Kind that the store has after the write.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Put { kind, .. } | Self::Tombstone { kind, .. } => *kind,
            Self::Append { .. } => Kind::Log,
        }
    }
}

/// What is kept of a run beside its entry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RunRow {
    /// Unique in the ledger. Time-ordered ids keep the index that guards this small and warm.
    pub run_id: String,
    /// Code of the workflow.
    pub workflow: String,
    /// Hash of the protocol snapshot in force.
    pub snapshot: String,
    /// Code of the runtime binding.
    pub binding: String,
    /// The run's own `at`.
    pub at: String,
    /// Termination class.
    pub class: String,
    /// Termination reason.
    pub reason: String,
    /// Stable code of the termination, when it has one.
    pub code: Option<String>,
    /// Structural trace.
    pub trace: Vec<u8>,
    /// Recorded host calls.
    pub transcript: Vec<u8>,
    /// Canonical input.
    pub input: Vec<u8>,
    /// Canonical output.
    pub output: Vec<u8>,
}

/// A run as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredRun {
    /// Its entry.
    pub seq: u64,
    /// The run.
    pub run: RunRow,
}

/// A run without its large parts, for listings.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its entry.
    pub seq: u64,
    /// Id of the run.
    pub run_id: String,
    /// Code of the workflow.
    pub workflow: String,
    /// Hash of the protocol snapshot in force.
    pub snapshot: String,
    /// Code of the runtime binding.
    pub binding: String,
    /// The run's own `at`.
    pub at: String,
    /// Termination class.
    pub class: String,
    /// Termination reason.
    pub reason: String,
    /// Stable code of the termination, when it has one.
    pub code: Option<String>,
}

/// One run, ready to be appended.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Name of the ledger it was prepared for.
    pub origin: String,
    /// The entry to seal. Its `at` is replaced by the later of the head's and the caller's clock.
    pub draft: Draft,
    /// What is kept beside the entry.
    pub run: RunRow,
    /// What must still hold.
    pub reads: Vec<Read>,
    /// What changes, in order.
    pub writes: Vec<Write>,
}

/// A commit that is in the ledger for good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Committed {
    /// Place in the ledger, from 0.
    pub seq: u64,
    /// Hash of the stored entry.
    pub entry_hash: Digest,
    /// Leaf of the Merkle tree.
    pub leaf: [u8; 32],
    /// Time of the entry.
    pub at: String,
}

/// What a run relied on and no longer holds. Executing the run again resolves it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Conflict {
    /// Name of the host store; empty for an event that was looked for in all logs.
    pub store: String,
    /// The key or event code; `None` when it is the store as a whole.
    pub key: Option<String>,
    /// What is compared.
    pub what: ConflictKind,
    /// What the run relied on.
    pub expected: String,
    /// What holds now.
    pub found: String,
}

/// Which comparison failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictKind {
    /// The version of a key.
    Row,
    /// The version of a store.
    Store,
    /// Whether an event is recorded.
    Event,
    /// The kind of a store.
    Kind,
    /// The version that a write gives to its key.
    Write,
}

/// Why one commit of a batch was left out. The others are not affected.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// The world moved on: execute the run again.
    Conflict(Conflict),
    /// The ledger already holds this run.
    Duplicate {
        /// Id of the run.
        run_id: String,
        /// Its entry.
        seq: u64,
    },
    /// It was prepared for another ledger.
    Origin {
        /// Name of this ledger.
        expected: String,
        /// Name in the commit.
        found: String,
    },
    /// It touches a store that was taken out of service.
    Quarantined {
        /// Name of the host store.
        store: String,
        /// Why.
        reason: String,
    },
    /// The core refused to seal the entry.
    Refused(Refusal),
    /// An item of the queue is not as it must be.
    Queue(QueueRefused),
}

impl Rejection {
    /// Stable code, as listed in `protocol/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "commit_conflict",
            Self::Duplicate { .. } => "commit_duplicate",
            Self::Origin { .. } => "commit_origin",
            Self::Quarantined { .. } => "commit_quarantined",
            Self::Refused(_) => "commit_refused",
            Self::Queue(refused) => refused.code(),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(c) => {
                write!(f, "store `{}`", c.store)?;
                if let Some(key) = &c.key {
                    write!(f, " key `{key}`")?;
                }
                write!(f, " moved on: expected {}, found {}", c.expected, c.found)
            }
            Self::Duplicate { run_id, seq } => write!(f, "run `{run_id}` is already entry {seq}"),
            Self::Origin { expected, found } => write!(f, "prepared for ledger `{found}`, this is `{expected}`"),
            Self::Quarantined { store, reason } => write!(f, "store `{store}` is quarantined: {reason}"),
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::Queue(refused) => write!(f, "{refused}"),
        }
    }
}

/// One entry as stored, not judged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredEntry {
    /// Place in the ledger, from 0.
    pub seq: u64,
    /// The canonical bytes.
    pub bytes: Vec<u8>,
    /// The Merkle leaf stored beside them.
    pub leaf: [u8; 32],
}

/// A published checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredCheckpoint {
    /// Size of the tree that it signs.
    pub size: u64,
    /// The signed note.
    pub note: String,
}

/// What is known of a host store without reading its rows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct StoreInfo {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: Kind,
    /// Number of writes ever made to it.
    pub version: u64,
    /// Keys ever written, or records.
    pub len: u64,
    /// Keys that hold a value, or records.
    pub live: u64,
    /// Why it is out of service, when it is.
    pub quarantined: Option<String>,
}
