//! What the judge asks of the world: invariants, answered by calling pure components, and signatures, which may have been checked ahead.
use std::collections::{BTreeMap, HashMap};

use ed25519_dalek::SigningKey;
use enact_core::entry::Record;
use enact_core::govern::row::ActorRow;
use enact_core::govern::{self, Holds, Outside, Protocol, Undecided};
use enact_core::hash::{Digest, blob_hash};
use enact_core::state::{Space, StateView};
use enact_store::TxView;
use enact_wasm::{Limits, Outcome};
use serde_json::Value;

use crate::engine::Engine;

/// Status with which an invariant says that it holds.
const HOLDS: &str = "SUCCESS";

/// Components by the name under which the snapshot in force sealed them.
pub(crate) struct Components<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) modules: &'a BTreeMap<String, String>,
    pub(crate) signatures: &'a Signatures,
}

impl Outside for Components<'_> {
    fn invariant(&self, module: &str, capability: &str, input: &Value) -> Result<Holds, Undecided> {
        let undecided = |detail: String| Undecided { capability: capability.to_owned(), detail };
        let digest = self.modules.get(module).ok_or_else(|| undecided(format!("module `{module}` is not in the snapshot")))?;
        let module = self.engine.module(digest, module).map_err(|e| undecided(e.to_string()))?;
        let input = crate::canonical::text(input).map_err(|e| undecided(e.to_string()))?;
        match module.transform(&Limits::default(), capability, &input).outcome {
            Outcome::Ok { status, .. } if status == HOLDS => Ok(Holds::Yes),
            Outcome::Ok { status, .. } => Ok(Holds::Violated { status }),
            Outcome::Trap(code) => Ok(Holds::Trapped { code: code.code().to_owned() }),
            Outcome::Bound(code) => Err(undecided(code.code().to_owned())),
            Outcome::Infra(code) => Err(undecided(code.code().to_owned())),
        }
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        self.signatures.get(key, message, signature).unwrap_or_else(|| govern::verify(key, message, signature))
    }
}

/// The same, where a snapshot may be adopted: it is read in the moment, or the transaction, in which the record is judged.
pub(crate) struct Adopting<'a, V: TxView + ?Sized> {
    pub(crate) components: Components<'a>,
    pub(crate) view: &'a V,
}

impl<V: TxView + ?Sized> Outside for Adopting<'_, V> {
    fn invariant(&self, module: &str, capability: &str, input: &Value) -> Result<Holds, Undecided> {
        self.components.invariant(module, capability, input)
    }

    fn redefined(&self, rules: &Protocol, next: &Digest) -> Result<Option<String>, Undecided> {
        let undecided = |detail: String| Undecided { capability: next.to_string(), detail };
        let ruled = self.components.engine.rules(next, self.view).map_err(|e| undecided(e.to_string()))?;
        Ok(rules.redefined(&ruled.protocol))
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        self.components.verify(key, message, signature)
    }
}

/// Signatures that were checked before the judge asks, by another thread and outside the transaction. The answer to a question is kept with
/// the whole question, so one that was guessed wrong is never used: the judge then has it checked on the spot.
#[derive(Debug, Default)]
pub(crate) struct Signatures(HashMap<Digest, Checked>);

/// A signature of the message that it is kept under.
#[derive(Debug)]
struct Checked {
    key: [u8; 32],
    signature: [u8; 64],
    holds: bool,
}

impl Signatures {
    /// Checks the signatures of records with the keys that `view` shows for their actors.
    pub(crate) fn check<V: StateView + ?Sized>(origin: &str, records: &[Record], view: &V) -> Self {
        let mut checked = HashMap::new();
        for record in records {
            let Some(signature) = record.sig.as_deref().and_then(govern::signature_bytes) else { continue };
            let Ok(Some(row)) = view.get(Space::Actor, &record.actor) else { continue };
            let key = serde_json::from_str::<ActorRow>(&row).ok().and_then(|row| govern::key_bytes(row.key.as_deref()?));
            let (Some(key), Ok(message)) = (key, govern::sign_bytes(origin, record)) else { continue };
            let holds = govern::verify(&key, &message, &signature);
            checked.insert(blob_hash(&message), Checked { key, signature, holds });
        }
        Self(checked)
    }

    /// Adds a signature that was made here, with this very key: it needs no check. Whether the key is the actor's is still the judge's question.
    pub(crate) fn made(&mut self, origin: &str, record: &Record, key: &SigningKey) {
        let signature = record.sig.as_deref().and_then(govern::signature_bytes);
        if let (Some(signature), Ok(message)) = (signature, govern::sign_bytes(origin, record)) {
            self.0.insert(blob_hash(&message), Checked { key: key.verifying_key().to_bytes(), signature, holds: true });
        }
    }

    /// Takes over what others checked.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn get(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Option<bool> {
        if self.0.is_empty() {
            return None;
        }
        let checked = self.0.get(&blob_hash(message))?;
        (checked.signature == *signature && checked.key == *key).then_some(checked.holds)
    }
}
