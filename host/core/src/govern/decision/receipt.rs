//! What an entry that carried out a decision proves, as one document that every node derives alike.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::DECISION_REF;
use crate::canonical::{self, CanonicalError};
use crate::entry::Record;
use crate::govern::rules::Protocol;
use crate::hash::{Digest, derived, record_hash};

/// What separates this hash from every other.
const EXECUTION_CONTEXT: &str = "enact execution v1";
/// The same for what one effect changed.
const CHANGE_CONTEXT: &str = "enact state change v1";
/// The same for a receipt.
const RECEIPT_CONTEXT: &str = "enact execution receipt v1";

/// That a decision was carried out, and what that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionReceipt {
    /// The decision.
    pub decision_hash: String,
    /// Its record.
    pub decision_receipt_id: Digest,
    /// Over the decision and the records that it brought about, in their order.
    pub execution_hash: Digest,
    /// When the entry was made.
    pub executed_at: String,
    /// The entries, by their hashes.
    pub ledger_entry_ids: Vec<Digest>,
    /// The proposal.
    pub proposal_id: String,
}

impl ExecutionReceipt {
    /// Portable: over what was decided and what that brought about. Where and when it is recorded is left out.
    ///
    /// # Errors
    /// Only for a text that canonical JSON cannot carry.
    pub fn canonical_hash(&self) -> Result<Digest, CanonicalError> {
        let content = json!([self.decision_hash, self.decision_receipt_id, self.execution_hash, self.proposal_id]);
        Ok(derived(RECEIPT_CONTEXT, &canonical::to_bytes(&content)?))
    }
}

/// The hash of what a decision brought about: each record counts, and so does their order.
///
/// # Errors
/// Only for a record that canonical JSON cannot carry.
pub fn execution_hash(decision_hash: &str, effects: &[Record]) -> Result<Digest, CanonicalError> {
    let hashes = effects.iter().map(|effect| Ok(record_hash(&effect.unsigned_bytes()?).to_string()));
    let hashes = hashes.collect::<Result<Vec<String>, CanonicalError>>()?;
    Ok(derived(EXECUTION_CONTEXT, &canonical::to_bytes(&json!([decision_hash, hashes]))?))
}

/// The hash of what one effect changed: its records, in their order.
///
/// # Errors
/// Only for a record that canonical JSON cannot carry.
pub fn state_change_hash(records: &[Record]) -> Result<Digest, CanonicalError> {
    let hashes = records.iter().map(|record| Ok(record_hash(&record.unsigned_bytes()?).to_string()));
    let hashes = hashes.collect::<Result<Vec<String>, CanonicalError>>()?;
    Ok(derived(CHANGE_CONTEXT, &canonical::to_bytes(&hashes)?))
}

/// The receipt of an entry that carried out a decision; nothing for another entry.
///
/// # Errors
/// Only for a record that canonical JSON cannot carry.
pub fn receipt(rules: &Protocol, records: &[Record], entry: Digest, at: &str) -> Result<Option<ExecutionReceipt>, CanonicalError> {
    let Some((first, effects)) = records.split_first() else { return Ok(None) };
    let executes = rules.decisions(&first.type_).is_some_and(|decisions| decisions.actions.execute == first.action);
    let key = first.consumes.iter().find_map(|key| key.strip_prefix("decision:"));
    let (true, Some(hash), Some(decision)) = (executes, key, first.refs.get(DECISION_REF)) else { return Ok(None) };
    let proposal = first.subject.split_once(':').map_or(first.subject.as_str(), |(_, id)| id);
    Ok(Some(ExecutionReceipt {
        decision_hash: String::from(hash),
        decision_receipt_id: *decision,
        execution_hash: execution_hash(hash, effects)?,
        executed_at: String::from(at),
        ledger_entry_ids: Vec::from([entry]),
        proposal_id: String::from(proposal),
    }))
}
