//! Records: what an entry says. Five structural kinds; domains are data and never named here.
//!
//! A record's hash leaves out its signature and everything node-local, so the same statement has the same hash wherever
//! and whenever it is stored.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{self, CanonicalError};
use crate::error::Refusal;
use crate::hash::{Digest, record_hash};

/// Most bytes a name in a record may have. Names are keys of indexes; long text belongs into the payload.
const MAX_NAME_BYTES: usize = 512;

/// The five structural kinds. Every record type of every domain is declared as one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// A decision about who may do what. Declared, not in force.
    Access,
    /// A link in a version chain. Declared, not in force.
    Version,
    /// A step along a lifecycle. Declared, not in force.
    Transition,
    /// A balanced movement between accounts. Declared, not in force.
    Posting,
    /// A statement bound to others by hash.
    Receipt,
}

impl Kind {
    /// The stored spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "ACCESS",
            Self::Version => "VERSION",
            Self::Transition => "TRANSITION",
            Self::Posting => "POSTING",
            Self::Receipt => "RECEIPT",
        }
    }
}

/// One record. Absent optional fields are left out of the bytes, never written as `null`.
///
/// Fields stand in the order of their stored names, so that writing has nothing to rearrange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The declared action of the domain.
    pub action: String,
    /// Who says so.
    pub actor: String,
    /// `record_hash` of the permission relied on. Declared, not in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Digest>,
    /// Keys that this record uses up. Declared, not in force: must be empty.
    pub consumes: Vec<String>,
    /// Which rules of the core apply.
    pub kind: Kind,
    /// The statement itself, opaque to the core.
    pub payload: Value,
    /// Movements between accounts. Declared, not in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postings: Option<Vec<Posting>>,
    /// Back-links by name.
    pub refs: BTreeMap<String, Digest>,
    /// The scope the statement is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The seat the actor speaks from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<String>,
    /// Ed25519 over the DSSE pre-authentication encoding of the hashed content. Declared, not in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sig: Option<String>,
    /// What it is about, `Type:Id`.
    pub subject: String,
    /// The declared record type of the domain.
    #[serde(rename = "type")]
    pub type_: String,
    /// Position in a version chain. Declared, not in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// One balanced movement: both sides at once, so it cannot be unbalanced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posting {
    /// What is moved.
    pub asset: String,
    /// The account it leaves.
    pub debit: String,
    /// The account it reaches.
    pub credit: String,
    /// Minor units as a decimal string: larger than a JSON number can carry.
    pub amount: String,
}

impl Record {
    /// The portable hash: BLAKE3 over the canonical bytes without `sig`.
    ///
    /// # Errors
    /// When the payload has no canonical bytes.
    pub fn hash(&self) -> Result<Digest, CanonicalError> {
        if self.sig.is_none() {
            return Ok(record_hash(&canonical::to_bytes(self)?));
        }
        let unsigned = Self { sig: None, ..self.clone() };
        Ok(record_hash(&canonical::to_bytes(&unsigned)?))
    }

    /// Checks the record alone: its kind and fields, in a fixed order.
    pub(super) fn check(&self, record: usize) -> Result<(), Refusal> {
        if self.kind != Kind::Receipt {
            return Err(Refusal::KindNotInForce { record, kind: self.kind });
        }
        let malformed = |field| Refusal::Field { record, field };
        let named = [("type", &self.type_), ("action", &self.action), ("subject", &self.subject), ("actor", &self.actor)];
        for (field, name) in named {
            if !is_name(name) {
                return Err(malformed(field));
            }
        }
        if self.subject.split_once(':').is_none_or(|(of, id)| of.is_empty() || id.is_empty()) {
            return Err(malformed("subject"));
        }
        for (field, name) in [("seat", &self.seat), ("scope", &self.scope)] {
            if name.as_deref().is_some_and(|name| !is_name(name)) {
                return Err(malformed(field));
            }
        }
        if !self.refs.keys().all(|name| is_name(name)) {
            return Err(malformed("refs"));
        }
        let unchecked = [
            ("auth", self.auth.is_some()),
            ("consumes", !self.consumes.is_empty()),
            ("version", self.version.is_some()),
            ("postings", self.postings.is_some()),
            ("sig", self.sig.is_some()),
        ];
        match unchecked.iter().find(|(_, present)| *present) {
            Some((field, _)) => Err(Refusal::FieldNotInForce { record, field }),
            None => Ok(()),
        }
    }
}

/// A name says something, is not overlong and holds no control characters.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.chars().any(char::is_control)
}
