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
use crate::receipt::RECORD_TYPE;

/// Most bytes a name in a record may have. Names are keys of indexes; long text belongs into the payload.
const MAX_NAME_BYTES: usize = 512;

/// The five structural kinds. Every record type of every domain is declared as one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// A decision about who may do what.
    Access,
    /// A link in a version chain.
    Version,
    /// A step along a lifecycle.
    Transition,
    /// A balanced movement between accounts.
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
    /// `record_hash` of the permission relied on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Digest>,
    /// Keys that this record uses up.
    pub consumes: Vec<String>,
    /// Which rules of the core apply.
    pub kind: Kind,
    /// The statement itself, opaque to the core.
    pub payload: Value,
    /// Movements between accounts, leg by leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postings: Option<Vec<Posting>>,
    /// Back-links by name; `prev` is the subject's own chain.
    pub refs: BTreeMap<String, Digest>,
    /// The scope the statement is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The seat the actor speaks from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<String>,
    /// Base64 of an Ed25519 signature over the DSSE pre-authentication encoding of the hashed content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sig: Option<String>,
    /// What it is about, `Type:Id`.
    pub subject: String,
    /// The declared record type of the domain.
    #[serde(rename = "type")]
    pub type_: String,
    /// Position in a version chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// One leg of a movement. A balance is credits − debits.
///
/// Fields stand in the order of their stored names, so that writing has nothing to rearrange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posting {
    /// The account concerned.
    pub account: String,
    /// Minor units as a decimal string: larger than a JSON number can carry.
    pub amount: String,
    /// What is moved: an asset, or a lot of one.
    pub asset: String,
    /// Whether it leaves or reaches the account.
    pub side: Side,
}

/// The side of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// It leaves the account.
    Debit,
    /// It reaches the account.
    Credit,
}

/// A record as it is hashed and signed: all of it but the signature, without a copy.
#[derive(Serialize)]
struct Unsigned<'a> {
    action: &'a str,
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: &'a Option<Digest>,
    consumes: &'a [String],
    kind: Kind,
    payload: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    postings: &'a Option<Vec<Posting>>,
    refs: &'a BTreeMap<String, Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seat: &'a Option<String>,
    subject: &'a str,
    #[serde(rename = "type")]
    type_: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: &'a Option<u64>,
}

impl Record {
    /// The portable hash: BLAKE3 over the canonical bytes without `sig`.
    ///
    /// # Errors
    /// When the payload has no canonical bytes.
    pub fn hash(&self) -> Result<Digest, CanonicalError> {
        Ok(record_hash(&self.unsigned_bytes()?))
    }

    /// What is hashed and signed: the canonical bytes without `sig`.
    ///
    /// # Errors
    /// When the payload has no canonical bytes.
    pub fn unsigned_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_bytes(&Unsigned {
            action: &self.action,
            actor: &self.actor,
            auth: &self.auth,
            consumes: &self.consumes,
            kind: self.kind,
            payload: &self.payload,
            postings: &self.postings,
            refs: &self.refs,
            scope: &self.scope,
            seat: &self.seat,
            subject: &self.subject,
            type_: &self.type_,
            version: &self.version,
        })
    }

    /// Whether it is a receipt of a run: a statement of the engine, which needs no state. Everything else is governed.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.type_ == RECORD_TYPE
    }

    /// Checks the record alone, see [`Outline::check`].
    pub(crate) fn check(&self, record: usize) -> Result<(), Refusal> {
        self.outline().check(record)
    }

    /// What can be checked of the record alone.
    pub(super) fn outline(&self) -> Outline<'_, impl Iterator<Item = &str>, impl Iterator<Item = &str>> {
        Outline {
            kind: self.kind,
            type_: &self.type_,
            action: &self.action,
            subject: &self.subject,
            actor: &self.actor,
            seat: self.seat.as_deref(),
            scope: self.scope.as_deref(),
            refs: self.refs.keys().map(String::as_str),
            consumes: self.consumes.iter().map(String::as_str),
            claims: [
                ("auth", self.auth.is_some()),
                ("consumes", !self.consumes.is_empty()),
                ("version", self.version.is_some()),
                ("postings", self.postings.is_some()),
                ("sig", self.sig.is_some()),
            ],
        }
    }
}

/// The part of a record that can be checked without its ledger, borrowed from wherever the record is kept.
pub(super) struct Outline<'a, R, C> {
    pub(super) kind: Kind,
    pub(super) type_: &'a str,
    pub(super) action: &'a str,
    pub(super) subject: &'a str,
    pub(super) actor: &'a str,
    pub(super) seat: Option<&'a str>,
    pub(super) scope: Option<&'a str>,
    /// Names of back-links.
    pub(super) refs: R,
    /// Keys used up.
    pub(super) consumes: C,
    /// What goes beyond a statement, and whether it is there.
    pub(super) claims: [(&'static str, bool); 5],
}

impl<'a, R: Iterator<Item = &'a str>, C: Iterator<Item = &'a str>> Outline<'a, R, C> {
    /// Whether it is a receipt of a run.
    pub(super) fn is_run(&self) -> bool {
        self.type_ == RECORD_TYPE
    }

    /// Checks the record alone, in a fixed order: its fields, and of a run receipt that it claims nothing beyond a statement.
    /// What a governed record claims is for `govern` to judge.
    pub(super) fn check(mut self, record: usize) -> Result<(), Refusal> {
        let is_run = self.is_run();
        if is_run && self.kind != Kind::Receipt {
            return Err(Refusal::KindNotInForce { record, kind: self.kind });
        }
        let malformed = |field| Refusal::Field { record, field };
        let named = [("type", self.type_), ("action", self.action), ("subject", self.subject), ("actor", self.actor)];
        for (field, name) in named {
            if !is_name(name) {
                return Err(malformed(field));
            }
        }
        if self.subject.split_once(':').is_none_or(|(of, id)| of.is_empty() || id.is_empty()) {
            return Err(malformed("subject"));
        }
        for (field, name) in [("seat", self.seat), ("scope", self.scope)] {
            if name.is_some_and(|name| !is_name(name)) {
                return Err(malformed(field));
            }
        }
        if !self.refs.all(is_name) {
            return Err(malformed("refs"));
        }
        if !is_run {
            return if self.consumes.all(is_name) { Ok(()) } else { Err(malformed("consumes")) };
        }
        match self.claims.iter().find(|(_, present)| *present) {
            Some((field, _)) => Err(Refusal::FieldNotInForce { record, field }),
            None => Ok(()),
        }
    }
}

/// A name says something, is not overlong and holds no control characters.
pub(crate) fn is_name(text: &str) -> bool {
    // Looking at all bytes without leaving early lets the compiler look at many at once; beyond ASCII it is for characters to say.
    let printable = text.bytes().fold(true, |printable, byte| printable & (0x20..0x7f).contains(&byte));
    !text.is_empty() && text.len() <= MAX_NAME_BYTES && (printable || !text.chars().any(char::is_control))
}
