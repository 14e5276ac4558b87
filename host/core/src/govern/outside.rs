//! What the judge asks of the world outside: whether a pure component's answer holds, and whether a signature does.
//!
//! Both are functions of their arguments, so asking does not make the judge less pure; but one needs a sandbox and the other may
//! have been computed on another thread.

use alloc::borrow::ToOwned as _;
use alloc::string::{String, ToString as _};
use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;

use super::rules::Protocol;
use crate::hash::Digest;

/// The answer of an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It answered `SUCCESS`.
    Yes,
    /// It answered another status.
    Violated {
        /// The status.
        status: String,
    },
    /// It trapped, and would trap again.
    Trapped {
        /// The code of the trap.
        code: String,
    },
}

/// Nobody's answer: the machine, not the component, failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The invariant, or the snapshot.
    pub capability: String,
    /// What happened.
    pub detail: String,
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` has no answer: {}", self.capability, self.detail)
    }
}

/// What the judge asks.
pub trait Outside {
    /// Whether an invariant holds for an input.
    ///
    /// # Errors
    /// [`Undecided`] when there is no answer that every machine would give.
    fn invariant(&self, module: &str, capability: &str, input: &Value) -> Result<Holds, Undecided>;

    /// What a snapshot that is to be adopted has otherwise than `rules` have frozen it ([`Protocol::redefined`]), in words. Asked only where
    /// something is frozen.
    ///
    /// # Errors
    /// [`Undecided`] when the snapshot is not there.
    fn redefined(&self, rules: &Protocol, next: &Digest) -> Result<Option<String>, Undecided> {
        let _ = rules;
        Err(Undecided { capability: next.to_string(), detail: "the snapshot is not there".to_owned() })
    }

    /// Whether an Ed25519 signature holds, as `verify_strict` of RFC 8032 decides.
    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        verify(key, message, signature)
    }
}

/// Verifies signatures on the spot and has no component to ask: a record with an invariant stays undecided.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Outside for Alone {
    fn invariant(&self, _module: &str, capability: &str, _input: &Value) -> Result<Holds, Undecided> {
        Err(Undecided { capability: capability.to_owned(), detail: "nothing executes components here".to_owned() })
    }
}

/// Whether an Ed25519 signature holds: strictly, so that a signature has one form and a weak key verifies nothing.
#[must_use]
pub fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}
