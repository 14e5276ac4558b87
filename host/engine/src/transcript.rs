//! The transcript of a run: what an auditor needs, beside the sealed protocol and the modules, to execute it again.
//!
//! It holds the run's inputs of time and parameters, the answers to admission, and per step the hashes of what went in and
//! came out; for a side effect also every host call with its answer. A pure step's values are not stored: they follow.
use std::collections::BTreeMap;

use enact_core::hash::{Digest, derived};
use enact_wasm::HostCall;
use serde::{Deserialize, Serialize};

/// Format version of the transcript.
pub const VERSION: u32 = 1;

/// The transcript of one run. The answers of admission stand in the receipt, where an auditor of the ledger alone sees them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// [`VERSION`].
    pub v: u32,
    /// The run's id.
    pub run: String,
    /// When it started, RFC 3339 in UTC: the only time that its artifacts can see.
    pub at: String,
    /// The runtime binding.
    pub binding: String,
    /// Parameters of the binding.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// How many requests of other runs led to this one. Left out of a run that nobody asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// What the idempotency keys of its steps begin with, where that is not the run: this is one attempt of several at the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// One element for each dispatched step, in order.
    pub steps: Vec<Step>,
}

impl Transcript {
    /// Equal for every attempt at this step; different for every other step.
    #[must_use]
    pub fn idempotency_key(&self, step: u32) -> String {
        idempotency_key(self.keys.as_deref().unwrap_or(&self.run), step)
    }
}

/// The key of a step, of a run or of what several runs attempt.
pub(crate) fn idempotency_key(of: &str, step: u32) -> String {
    format!("{of}/{step}")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One dispatched step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Index of the resolved target in the plan.
    pub target: u32,
    /// Hash of the operation and the canonical inputs.
    pub input: Digest,
    /// Hash of the status and the answered text, or of the trap code.
    pub outcome: Digest,
    /// The status, or the trap code when `trap` is set.
    pub status: String,
    /// The component ended in a deterministic trap (class B).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trap: bool,
    /// Fuel used, when the component answered. Decimal text: a 64-bit counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<String>,
    /// Host calls of a side effect, with their answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<HostCall>,
}

/// Hash of what a step was asked: capability, operation and canonical inputs.
#[must_use]
pub fn input_hash(capability: &str, operation: &str, inputs: &str) -> Digest {
    parts(&["ask", capability, operation, inputs])
}

/// Hash of what a step answered: the status and the exact text of the outputs.
#[must_use]
pub fn answer_hash(status: &str, outputs: &str) -> Digest {
    parts(&["ok", status, outputs])
}

/// Hash of a deterministic trap: its code only.
#[must_use]
pub fn trap_hash(code: &str) -> Digest {
    parts(&["trap", code])
}

/// BLAKE3 over the parts, each after its length: no two different lists can give the same bytes.
fn parts(parts: &[&str]) -> Digest {
    let mut bytes = Vec::with_capacity(parts.iter().map(|p| p.len() + 8).sum());
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    derived("enact step v1", &bytes)
}
