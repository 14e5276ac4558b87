//! The pure append: a head and a draft become an entry and the next head, or a refusal.
//!
//! Checks run in a fixed order and the first failure wins: origin → records → time → head → room → order of time →
//! canonical bytes → size. Nothing is half done: the old head stays as it was.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::record::Outline;
use super::{ENTRY_VERSION, Entry, Local, MAX_ENTRIES, MAX_ENTRY_BYTES, Record};
use crate::canonical;
use crate::error::Refusal;
use crate::hash::{Digest, Hash, entry_hash, leaf_hash};
use crate::merkle::Frontier;
use crate::note::is_name;
use crate::time::Instant;

/// Where a ledger stands: all that an append needs to know of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Entries so far.
    pub size: u64,
    /// Hash of the last entry; nothing before the first.
    pub entry_hash: Option<Digest>,
    /// The Merkle tree over all entries.
    pub frontier: Frontier,
    /// Instant of the last entry in the stored spelling; empty before the first.
    pub at: String,
}

impl Head {
    /// The ledger without entries.
    #[must_use]
    pub const fn empty() -> Self {
        Self { size: 0, entry_hash: None, frontier: Frontier::new(), at: String::new() }
    }

    /// The Merkle root over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Whether size, tree, last hash and time belong together.
    ///
    /// # Errors
    /// [`Refusal::Head`] when they do not.
    pub fn check(&self) -> Result<(), Refusal> {
        let leaves = self.frontier.size();
        let started = self.size > 0;
        let at = if started { Instant::parse_stored(&self.at).is_some() } else { self.at.is_empty() };
        if leaves == self.size && self.entry_hash.is_some() == started && at {
            return Ok(());
        }
        Err(Refusal::Head { size: self.size, leaves })
    }
}

/// What is to be appended.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Hash of the protocol snapshot in force.
    pub protocol: Digest,
    /// When: RFC 3339 in UTC. Any spelling that [`Instant::parse`] reads; stored in one.
    pub at: String,
    /// What happened, at least one.
    pub records: Vec<Record>,
    /// Who stores it.
    pub local: Local,
}

/// An entry ready to be stored, and the head after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Position of the entry.
    pub seq: u64,
    /// What is stored, byte for byte.
    pub bytes: Vec<u8>,
    /// `prev` of the next entry.
    pub entry_hash: Digest,
    /// The Merkle leaf.
    pub leaf: Hash,
    /// For each record its `record_hash`: what later records name in `refs`.
    pub records: Vec<Digest>,
    /// The head once the bytes are stored.
    pub head: Head,
}

/// Appends run receipts: the same head and draft always give the same bytes. Costs two canonicalisations, two BLAKE3 and
/// one SHA-256. Governed records need the state and are appended by `govern::append`.
///
/// # Errors
/// The first refusal in the order of the module's description.
pub fn seal(head: &Head, origin: &str, draft: Draft) -> Result<Sealed, Refusal> {
    let at = prepare(head, origin, &draft, true)?;
    let records = draft.records.iter().map(Record::hash).collect::<Result<_, _>>()?;
    write(head, origin, &draft, at, Decided { rows: &[], records })
}

/// The checks before the bytes: what a head, a name and a draft say without any state.
pub(crate) fn prepare(head: &Head, origin: &str, draft: &Draft, runs_only: bool) -> Result<Instant, Refusal> {
    check_content(origin, draft.records.iter().map(Record::outline), None)?;
    if let Some(record) = draft.records.iter().position(|record| !record.is_run()).filter(|_| runs_only) {
        return Err(Refusal::Ungoverned { record });
    }
    let Some(at) = Instant::parse(&draft.at) else {
        return Err(Refusal::Time { at: draft.at.clone() });
    };
    head.check()?;
    if head.size > MAX_ENTRIES {
        return Err(Refusal::Full { size: head.size });
    }
    // Both in the stored spelling, where the order of the text is the order of time.
    if at.as_str() < head.at.as_str() {
        return Err(Refusal::TimeBackwards { at: at.into(), head: head.at.clone() });
    }
    Ok(at)
}

/// An [`Entry`] that borrows, so that what is refused later was not copied before. Same fields, same order.
#[derive(Serialize)]
struct Written<'a> {
    at: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    decided: &'a [String],
    local: &'a Local,
    origin: &'a str,
    prev: Option<Digest>,
    protocol: Digest,
    records: &'a [Record],
    seq: u64,
    v: u32,
}

/// What is known of the records of a draft that passed.
pub(crate) struct Decided<'a> {
    /// The row that allowed each; empty for run receipts alone.
    pub(crate) rows: &'a [String],
    /// The hash of each.
    pub(crate) records: Vec<Digest>,
}

/// Writes the bytes of a draft that [`prepare`] and the judge have let pass.
pub(crate) fn write(head: &Head, origin: &str, draft: &Draft, at: Instant, decided: Decided<'_>) -> Result<Sealed, Refusal> {
    let entry = Written {
        at: at.as_str(),
        decided: decided.rows,
        local: &draft.local,
        origin,
        prev: head.entry_hash,
        protocol: draft.protocol,
        records: &draft.records,
        seq: head.size,
        v: ENTRY_VERSION,
    };
    let bytes = canonical::to_bytes(&entry)?;
    if bytes.len() > MAX_ENTRY_BYTES {
        return Err(Refusal::TooLarge { size: bytes.len(), limit: MAX_ENTRY_BYTES });
    }
    let (entry_hash, leaf) = (entry_hash(&bytes), leaf_hash(&bytes));
    let mut frontier = head.frontier.clone();
    frontier.push(leaf);
    let seq = head.size;
    let head = Head { size: frontier.size(), entry_hash: Some(entry_hash), frontier, at: at.into() };
    Ok(Sealed { seq, bytes, entry_hash, leaf, records: decided.records, head })
}

/// What can be said of an entry without knowing its ledger.
pub(super) fn check_entry(entry: &Entry) -> Result<(), Refusal> {
    if entry.v != ENTRY_VERSION {
        return Err(Refusal::Version { got: entry.v });
    }
    check_content(&entry.origin, entry.records.iter().map(Record::outline), Some(entry.decided.len()))?;
    if Instant::is_stored(&entry.at) { Ok(()) } else { Err(Refusal::Time { at: entry.at.clone() }) }
}

/// The part of the checks that sealing and reading share, in a fixed order. `decided` is how many rows a stored entry names.
pub(super) fn check_content<'a, R, C>(
    origin: &str,
    records: impl Iterator<Item = Outline<'a, R, C>>,
    decided: Option<usize>,
) -> Result<(), Refusal>
where
    R: Iterator<Item = &'a str>,
    C: Iterator<Item = &'a str>,
{
    if !is_name(origin) {
        return Err(Refusal::Origin { origin: String::from(origin) });
    }
    let (mut count, mut runs, mut late) = (0_usize, 0_usize, None);
    for (nth, record) in records.enumerate() {
        let is_run = record.is_run();
        record.check(nth)?;
        if is_run && nth > 0 && late.is_none() {
            late = Some(nth);
        }
        count = count.saturating_add(1);
        runs = runs.saturating_add(usize::from(is_run));
    }
    if count == 0 {
        return Err(Refusal::NoRecords);
    }
    if let Some(record) = late {
        return Err(Refusal::Receipt { record });
    }
    // Rows are named for all records or, where all are receipts, for none.
    let expected = if runs == count { 0 } else { count };
    match decided {
        Some(got) if got != expected => Err(Refusal::Decided { got, expected }),
        _ => Ok(()),
    }
}

/// An entry is about at most one run, and begins with its receipt: what follows was done by it.
pub(crate) fn check_receipts(records: &[Record]) -> Result<(), Refusal> {
    match records.iter().skip(1).position(Record::is_run) {
        Some(nth) => Err(Refusal::Receipt { record: nth.saturating_add(1) }),
        None => Ok(()),
    }
}
