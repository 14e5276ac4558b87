//! `QC_` as it is written: what an item of a queue is, when it may be executed, and what follows.
//!
//! Serde shapes only, closed to unknown members. Whether they make sense together is decided by `compile`.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::govern::declare::{GuardOfDecl, InvariantDecl};

/// Members of a payload by name, each an expression.
pub type Members = BTreeMap<String, Value>;

/// `QC_`: a queue contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractDecl {
    /// Code of the artifact.
    pub code: String,
    /// One sentence.
    pub summary: String,
    /// The record type whose lifecycle items follow.
    pub record: String,
    /// What ids of items begin with.
    pub prefix: String,
    /// Which of its actions does what.
    pub actions: ActionsDecl,
    /// What each state of the lifecycle says of an item.
    pub facts: BTreeMap<String, Vec<Fact>>,
    /// What must hold before an execution, in the order of evaluation.
    pub validation: Vec<GroupDecl>,
    /// The workflow that executes an item.
    pub workflow: String,
    /// Its binding; absent for the workflow's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// What the workflow is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payload: Members,
    /// Payload of the record that says that it was executed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub execute: Members,
    /// How an executed item is settled.
    pub settlement: SettlementDecl,
    /// How it is confirmed that what was meant has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfillment: Option<FulfillmentDecl>,
    /// Who may start, retry and void.
    pub trigger: TriggerDecl,
}

/// The actions of the lifecycle by what they do to an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionsDecl {
    /// Creates it.
    pub queue: String,
    /// Says that it was executed.
    pub execute: String,
    /// Gives evidence for an external settlement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attest: Option<String>,
    /// Says that it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<String>,
    /// Says that what was meant has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfill: Option<String>,
    /// Says that it will never be executed, because it failed.
    pub fail: String,
    /// Says that it will never be executed, because somebody decided so.
    pub void: String,
}

/// What can be true of an item in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fact {
    /// It was executed.
    Executed,
    /// It was settled.
    Settled,
    /// What was meant has happened.
    Fulfilled,
    /// It failed for good.
    Failed,
    /// It was voided.
    Void,
}

/// Checks under one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDecl {
    /// The name, as the answer of a validation says it.
    pub group: String,
    /// The checks, in the order of evaluation.
    pub checks: Vec<CheckDecl>,
}

/// A guard or an invariant, and the word that says why it failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckDecl {
    /// The word.
    pub reason: String,
    /// What must hold.
    #[serde(flatten)]
    pub what: WhatDecl,
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum WhatDecl {
    /// A guard.
    Guard(GuardOfDecl),
    /// A pure component.
    Invariant(InvariantDecl),
}

// By hand: flattening on the way in would give up that unknown members are refused.
impl<'de> Deserialize<'de> for CheckDecl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let mut members = Map::<String, Value>::deserialize(deserializer)?;
        let reason = members.remove("reason").ok_or_else(|| D::Error::missing_field("reason"))?;
        let reason = String::deserialize(reason).map_err(D::Error::custom)?;
        let members = Value::Object(members);
        let what = if members.get("guard").is_some() {
            GuardOfDecl::deserialize(members).map(WhatDecl::Guard)
        } else {
            InvariantDecl::deserialize(members).map(WhatDecl::Invariant)
        };
        Ok(Self { reason, what: what.map_err(D::Error::custom)? })
    }
}

/// How an executed item is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Not at all.
    None,
    /// At once, by the worker.
    Internal,
    /// Once somebody else has given evidence.
    External,
}

/// `settlement`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettlementDecl {
    /// The mode of all items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// A kept member of the item whose value decides the mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The mode for each of its values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modes: BTreeMap<String, Mode>,
    /// Payload of the record that says that it was settled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: Members,
    /// A workflow that runs before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What that is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payload: Members,
}

/// Kinds of proof that what was meant has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// Somebody says so.
    Manual,
    /// A document, by its digest.
    Digest,
    /// A record of something that was reached.
    Milestone,
}

impl Proof {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Digest => "digest",
            Self::Milestone => "milestone",
        }
    }
}

/// `fulfillment`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FulfillmentDecl {
    /// Proofs that are accepted.
    pub proofs: Vec<Proof>,
    /// A workflow that runs before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What that is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payload: Members,
}

/// `trigger`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerDecl {
    /// Roles that may start, retry and void by hand, beside the rows of the matrix.
    pub roles: Vec<String>,
}
