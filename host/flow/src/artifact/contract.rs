//! What a contract says: inputs, outputs, statuses, steps.

use super::VIOLATION;
use crate::Map;
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The type of a declared value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// A JSON string.
    String,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
    /// Whatever.
    Any,
}

/// A declared input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputField {
    /// Its type.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// Whether a step without it may not run; the default is yes.
    #[serde(default = "yes")]
    pub required: bool,
}

/// A declared output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputField {
    /// Its type.
    #[serde(rename = "type")]
    pub value_type: ValueType,
}

const fn yes() -> bool {
    true
}

/// `CC_`: the one place where a capability touches the payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Equal to the file stem.
    pub code: String,
    /// One sentence for people.
    pub summary: String,
    /// What a node must supply.
    #[serde(default)]
    pub inputs: BTreeMap<String, InputField>,
    /// The only keys that this contract may write into the payload (P-11).
    #[serde(default)]
    pub outputs: BTreeMap<String, OutputField>,
    /// What it may answer (P-18).
    pub status: StatusContract,
    /// Field names whose values are never shown.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// Run in order until a step says exit.
    pub pipeline: Vec<Step>,
}

/// Statuses of a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusContract {
    /// Any other status is a protocol violation.
    pub allowed: BTreeSet<String>,
    /// The status when an input cannot be resolved.
    #[serde(default = "violation")]
    pub on_input_failure: String,
}

fn violation() -> String {
    VIOLATION.to_owned()
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Unique within the contract.
    pub step: String,
    /// A `CT_` or a `CS_`.
    pub capability: String,
    /// Matched exactly (P-33).
    pub operation: String,
    /// The entity whose store this step uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Capability input → expression.
    #[serde(default)]
    pub inputs: Map,
    /// Output key → expression.
    #[serde(default)]
    pub outputs: Map,
    /// Overrides the status of the capability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
    /// The statuses that this step may return.
    pub surface: BTreeSet<String>,
    /// What to do for each of them.
    pub on_result: BTreeMap<String, OnResult>,
}

/// What follows a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnResult {
    /// The next step.
    Continue,
    /// The end of the contract, with this status.
    Exit,
}
