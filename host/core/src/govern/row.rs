//! The rows of the derived state, typed: what is read before a record and written after it.
//!
//! Members stand in the order of their stored names, so that writing has nothing to rearrange. Only the core writes rows; one that
//! does not parse is a damaged store, not a refusal.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::hash::Digest;

/// Where a subject stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectRow {
    /// The active version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<ActiveVersion>,
    /// The latest actor of each action.
    pub actors: BTreeMap<String, String>,
    /// The latest decision, `ALLOW` or `DENY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Kept members of payloads; of a chain of versions, those of the active one.
    pub kept: Map<String, Value>,
    /// `record_hash` of the last record.
    pub last: Digest,
    /// Proposals that are neither ratified nor withdrawn, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenVersion>,
    /// Entry of the last record.
    pub seq: u64,
    /// The state of its lifecycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The record type.
    #[serde(rename = "type")]
    pub type_: String,
}

/// A ratified version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveVersion {
    /// `record_hash` of the ratification.
    pub record: Digest,
    /// Its number.
    pub version: u64,
}

/// A proposed version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenVersion {
    /// Who proposed it.
    pub actor: String,
    /// Its fixed members, beside those that are kept.
    pub fixed: Map<String, Value>,
    /// Its kept members.
    pub kept: Map<String, Value>,
    /// `record_hash` of the proposal.
    pub record: Digest,
    /// Its number.
    pub version: u64,
}

/// Who can act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorRow {
    /// Base64 of the Ed25519 key; none once revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Roles held, sorted.
    pub roles: Vec<RoleGrant>,
    /// Seats taken, sorted.
    pub seats: Vec<SeatGrant>,
    /// Whether it may act.
    pub status: Status,
}

/// Whether an actor may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It may.
    Active,
    /// Not until resumed.
    Suspended,
    /// Never again.
    Revoked,
}

impl Status {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// A role, everywhere or within a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleGrant {
    /// The role.
    pub role: String,
    /// Where it holds; none for everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// A seat, under a charter or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeatGrant {
    /// The chain of versions under which it was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charter: Option<String>,
    /// Where it holds; none for everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The seat.
    pub seat: String,
}

/// A key that was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumedRow {
    /// By which record.
    pub record: Digest,
    /// In which entry.
    pub seq: u64,
}

/// Totals of an account in an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalanceRow {
    /// What reached it.
    #[serde(with = "total")]
    pub credits: u128,
    /// What left it.
    #[serde(with = "total")]
    pub debits: u128,
}

impl BalanceRow {
    /// Credits minus debits, with a sign where it is below zero.
    #[must_use]
    pub fn net(&self) -> String {
        match self.credits.checked_sub(self.debits) {
            Some(positive) => alloc::format!("{positive}"),
            None => alloc::format!("-{}", self.debits.saturating_sub(self.credits)),
        }
    }
}

/// Totals of an asset or lot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetRow {
    /// What left sources.
    #[serde(with = "total")]
    pub issued: u128,
    /// What reached sinks or went back to sources.
    #[serde(with = "total")]
    pub retired: u128,
}

/// `system/founded`, `system/protocol`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemRow {
    /// The first actor, or who adopted the snapshot.
    pub actor: String,
    /// The record.
    pub record: Digest,
    /// Its entry.
    pub seq: u64,
    /// The snapshot in force from the next entry on.
    pub snapshot: Digest,
}

/// Totals as decimal text.
mod total {
    use alloc::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::govern::amount;

    pub(super) fn serialize<S: Serializer>(total: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(total)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        amount::parse(&text).ok_or_else(|| de::Error::custom("no amount"))
    }
}

/// The key of a balance. Parts are told apart from the right: no asset holds a `|`.
pub(super) fn balance_key(account: &str, asset: &str) -> String {
    joined(account, '|', asset)
}

/// Two texts with a sign between them: a key is made for every leg, and formatting costs more than the key.
pub(super) fn joined(left: &str, sign: char, right: &str) -> String {
    let mut text = String::with_capacity(left.len().saturating_add(right.len()).saturating_add(1));
    text.push_str(left);
    text.push(sign);
    text.push_str(right);
    text
}
