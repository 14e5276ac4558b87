//! What one call hands to the next: where the ledger stands, and the state that follows from the entries so far.

use enact_core::entry::Head;
use enact_core::govern::Fold;
use enact_core::hash::Digest;
use enact_core::merkle::Frontier;
use enact_core::verify::Verifier;
use serde::{Deserialize, Serialize};

/// Between two calls. It is not evidence: whoever carries it could have written it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Carried {
    /// Instant of the last entry.
    at: String,
    /// Hash of the last entry.
    entry_hash: Option<Digest>,
    /// The derived state.
    pub(crate) fold: Fold,
    /// Findings of the calls so far.
    pub(crate) found: u64,
    /// The right edge of the tree, in hex.
    frontier: String,
    /// Governed entries so far.
    pub(crate) judged: u64,
    /// The position that the next entry must have.
    next: u64,
}

impl Carried {
    /// Before the first entry.
    pub(crate) fn nothing() -> Self {
        let Head { at, entry_hash, frontier, .. } = Head::empty();
        Self { at, entry_hash, fold: Fold::new(), found: 0, frontier: hex::encode(frontier.to_bytes()), judged: 0, next: 0 }
    }

    /// The verifier that goes on from here; nothing when the parts do not belong together.
    pub(crate) fn verifier(&self, origin: &str) -> Option<Verifier> {
        let frontier = Frontier::from_bytes(&hex::decode(&self.frontier).ok()?).ok()?;
        let head = Head { size: frontier.size(), entry_hash: self.entry_hash, frontier, at: self.at.clone() };
        // A last entry that is none leaves its instant unset, so only what must agree is compared.
        (head.entry_hash.is_some() == (head.size > 0)).then(|| Verifier::resume(origin, head, self.next))
    }

    /// After the entries of this call.
    pub(crate) fn after(self, verifier: &Verifier) -> Self {
        let head = verifier.head();
        Self {
            at: head.at.clone(),
            entry_hash: head.entry_hash,
            frontier: hex::encode(head.frontier.to_bytes()),
            next: verifier.next_seq(),
            ..self
        }
    }
}
