//! The artifacts of governance as they are written: lifecycles, authorization matrices, assets and accounts.
//!
//! Serde shapes only, closed to unknown members. Whether they make sense together is decided by `compile`, and nothing here is
//! used while a record is judged.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::Kind;

/// `LC_`: a record type with its actions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifecycleDecl {
    /// Code of the artifact.
    pub code: String,
    /// One sentence.
    pub summary: String,
    /// Whether no later snapshot may have it otherwise.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub frozen: bool,
    /// The record type.
    pub record: String,
    /// One of the five kinds.
    pub kind: Kind,
    /// Type of its subjects.
    pub subject: String,
    /// States by name, `TRANSITION` only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<String, StateDecl>,
    /// Actions by name.
    pub actions: BTreeMap<String, ActionDecl>,
    /// Codes of the side effects that carry out what it allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
}

/// A state of a lifecycle.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateDecl {
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Whether nothing follows it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub terminal: bool,
}

/// What an action says as its `to` when the state stays where it is. No state can have this name.
pub const STAYS: &str = "=";

/// One action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionDecl {
    /// One sentence.
    pub summary: String,
    /// States that it leaves; empty creates the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Vec<String>>,
    /// The state after; [`STAYS`] where it stays where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What it does to a chain of versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// Members of the payload by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldDecl>,
    /// What must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardOfDecl>,
    /// Pure components that must answer `SUCCESS`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invariants: Vec<InvariantDecl>,
    /// Templates of the keys that it uses up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumes: Vec<Value>,
    /// Templates of its movements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postings: Option<Vec<LegDecl>>,
    /// What free legs may touch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves: Option<MovesDecl>,
}

/// What an action does to a chain of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Opens a proposal for the next number.
    Propose,
    /// Makes an open proposal the active version.
    Ratify,
    /// Closes an open proposal.
    Withdraw,
}

/// A member of a payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDecl {
    /// Its type.
    #[serde(rename = "type")]
    pub type_: FieldType,
    /// Whether it must be there.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub required: bool,
    /// Whether it becomes part of the subject's state.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub keep: bool,
    /// Whether a ratification must carry it unchanged.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub fixed: bool,
    /// The only values allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// Most bytes of text, list or object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<usize>,
}

/// The types that a member of a payload may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Any text.
    Text,
    /// A record name.
    Name,
    /// `Type:Id`.
    Subject,
    /// `Actor:…`.
    Actor,
    /// An account of the protocol.
    Account,
    /// An asset or lot of the protocol.
    Asset,
    /// A decimal string, `0` included.
    Amount,
    /// A whole number within ±(2^53 − 1).
    Integer,
    /// True or false.
    Boolean,
    /// `blake3:` or `sha256:` and 64 hex digits.
    Digest,
    /// An instant in the stored spelling.
    Time,
    /// A typed value, `{ "type", "value" }`.
    Value,
    /// A list of names.
    List,
    /// Opaque, bounded.
    Object,
}

/// A guard, and the subject whose kept members it speaks of when that is another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GuardOfDecl {
    /// The other subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What must hold.
    #[serde(flatten)]
    pub guard: GuardDecl,
}

// By hand: flattening on the way in would give up that unknown members are refused.
impl<'de> Deserialize<'de> for GuardOfDecl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = serde_json::Map::<String, Value>::deserialize(deserializer)?;
        let of = members.remove("of").map(String::deserialize).transpose().map_err(serde::de::Error::custom)?;
        let guard = GuardDecl::deserialize(Value::Object(members)).map_err(serde::de::Error::custom)?;
        Ok(Self { of, guard })
    }
}

/// What a guard asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "guard", rename_all = "snake_case", deny_unknown_fields)]
pub enum GuardDecl {
    /// A subject is in one of the states.
    StateIn {
        /// Which subject.
        subject: String,
        /// The states.
        states: Vec<String>,
    },
    /// A subject has a record.
    Exists {
        /// Which subject.
        subject: String,
    },
    /// No record consumed the key.
    KeyUnconsumed {
        /// The key.
        key: String,
    },
    /// A chain has an active version.
    VersionRatified {
        /// The chain.
        subject: String,
        /// A kept member of the active version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// What it must be equal to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        equals: Option<Value>,
    },
    /// The actor is none of those named.
    ActorsDistinct {
        /// Actions on the subject.
        actions: Vec<String>,
        /// Further actors.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        and: Vec<String>,
    },
    /// Two values are the same.
    FieldEquals {
        /// One.
        left: Value,
        /// The other.
        right: Value,
    },
    /// A value is one of those listed.
    FieldIn {
        /// Which.
        field: String,
        /// The values, as they are.
        values: Vec<Value>,
    },
    /// A value is above zero.
    FieldPositive {
        /// Which.
        field: String,
    },
    /// The entry lies in the window.
    TimeWindow {
        /// First instant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<String>,
        /// First instant that is too late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
    },
}

/// An invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvariantDecl {
    /// `CT_…`.
    pub capability: String,
    /// The component.
    pub module: String,
}

/// A template of a movement: two legs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegDecl {
    /// The account it leaves.
    pub debit: String,
    /// The account it reaches.
    pub credit: String,
    /// What is moved.
    pub asset: String,
    /// How much.
    pub amount: String,
}

/// What free legs may touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovesDecl {
    /// Classes of accounts that may be debited.
    pub debit: Vec<String>,
    /// Classes of accounts that may be credited.
    pub credit: Vec<String>,
    /// Assets; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assets: Option<Vec<String>>,
}

/// `AM_`: who may do what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixDecl {
    /// Code of the artifact.
    pub code: String,
    /// One sentence.
    pub summary: String,
    /// Its rows, in the order in which they are tried.
    pub rows: Vec<RowDecl>,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowDecl {
    /// Its name.
    pub row: String,
    /// Actions it allows.
    pub actions: Vec<String>,
    /// The actor holds one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The actor sits on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<String>,
    /// The seat was granted under a ratified charter.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub charter: bool,
    /// The record names a scope.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub scope: bool,
    /// Actions that another actor must have performed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distinct_from: Vec<String>,
    /// Most that a record may credit, by asset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ceiling: BTreeMap<String, String>,
    /// Whether the record must be signed.
    #[serde(default = "yes")]
    pub signature: bool,
    /// The policy whose latest decision must be ALLOW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
}

/// A signature is needed unless the row says otherwise.
const fn yes() -> bool {
    true
}

/// `AS_`: what there is to move, and where it can be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetsDecl {
    /// Code of the artifact.
    pub code: String,
    /// One sentence.
    pub summary: String,
    /// Whether no later snapshot may have it otherwise.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub frozen: bool,
    /// Assets by name.
    #[serde(default)]
    pub assets: BTreeMap<String, AssetDecl>,
    /// Accounts by pattern.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountDecl>,
}

/// An asset.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetDecl {
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Which rules it follows.
    pub class: AssetClass,
    /// `depreciating` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_days: Option<u32>,
    /// `transformable` only: what it becomes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub into: BTreeMap<String, RatioDecl>,
    /// `claim` only.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub assignable: bool,
}

/// The classes of assets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetClass {
    /// Any unit is like any other.
    Fungible,
    /// Lots that expire.
    Consumable,
    /// Lots that lose value over their life.
    Depreciating,
    /// Becomes another asset in a fixed ratio.
    Transformable,
    /// Rendered once.
    Service,
    /// Against an issuer.
    Claim,
}

/// A ratio.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatioDecl {
    /// Units that are given up.
    pub take: String,
    /// Units that arise.
    pub give: String,
}

/// Accounts of one pattern.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountDecl {
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// A word of the pack; `holder`, `escrow`, `source` and `sink` are known to the asset rules.
    pub class: String,
    /// Assets it may hold; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assets: Option<Vec<String>>,
    /// Least balance, `"0"` when absent; `null` for none.
    #[serde(default = "zero", deserialize_with = "floor")]
    pub floor: Option<String>,
}

/// What an account without a word about its floor has.
fn zero() -> Option<String> {
    Some(String::from("0"))
}

/// Tells `null`, no floor, from an absent member.
fn floor<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}
