//! The governed append: judge and seal in one pure function.
//!
//! What a store has to do remains: keep the bytes and the rows in one transaction, and call this with the state that belongs to the
//! head.

use alloc::string::String;
use alloc::vec::Vec;

use super::judge::{EntryContext, JudgeError, judge};
use super::outside::Outside;
use super::rules::Protocol;
use crate::entry::{Decided, Draft, Head, Record, Sealed, prepare, write};
use crate::state::{StateDelta, StateView};

/// What a draft becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Appended {
    /// The entry, as stored.
    pub sealed: Sealed,
    /// The rows that it writes.
    pub delta: StateDelta,
    /// For each record the row that allowed it, as in the entry; empty for run receipts alone.
    pub decided: Vec<String>,
}

/// Appends a draft: the same rules, state, head and draft always give the same bytes and the same changes.
///
/// # Errors
/// The first refusal in the order: entry and head, the records as `protocol/governance.md` orders them, bytes and size.
pub fn append<V: StateView + ?Sized>(
    rules: &Protocol,
    view: &V,
    outside: &dyn Outside,
    head: &Head,
    origin: &str,
    draft: &Draft,
) -> Result<Appended, JudgeError<V::Error>> {
    let at = prepare(head, origin, draft, false)?;
    let entry = EntryContext { origin, at: at.as_str(), protocol: draft.protocol, seq: head.size };
    let judgement = judge(rules, view, outside, &entry, &draft.records)?;
    let decided = if draft.records.iter().all(Record::is_run) { Vec::new() } else { judgement.decided };
    let sealed = write(head, origin, draft, at, Decided { rows: &decided, records: judgement.hashes })?;
    Ok(Appended { sealed, delta: judgement.delta, decided })
}
