//! `DC_` as it is written: which records open, decide and carry out a proposal, and which records each of its effects is.
//!
//! Serde shapes only, closed to unknown members. Whether they make sense together is decided by `compile`.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::govern::declare::FieldDecl;

/// `DC_`: a decision contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionDecl {
    /// Code of the artifact.
    pub code: String,
    /// One sentence.
    pub summary: String,
    /// The record type whose lifecycle proposals follow.
    pub record: String,
    /// Which of its actions does what.
    pub actions: RolesDecl,
    /// The kept member that holds `{ "effects": [ { "effect": name, … } ] }`.
    pub effects_in: String,
    /// What a decision may bring about, by name.
    pub effects: BTreeMap<String, EffectDecl>,
}

/// The actions of the lifecycle by what they do to a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolesDecl {
    /// Makes it.
    pub open: String,
    /// Says that it was carried, with the tally.
    pub decide: String,
    /// Says that it was not, with the tally.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reject: Option<String>,
    /// Says that its effects follow in the same entry.
    pub execute: String,
    /// Says that its effects can never be.
    pub fail: String,
}

/// An effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectDecl {
    /// One sentence.
    pub summary: String,
    /// Its members beside `effect`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldDecl>,
    /// The records that it is, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<TemplateDecl>,
    /// Nothing is to happen, and that is meant.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub none: bool,
}

/// A record that an effect is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateDecl {
    /// The action; its type and kind follow from it.
    pub action: String,
    /// About whom.
    pub subject: String,
    /// Members of the payload, each an expression; one that leads nowhere is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payload: BTreeMap<String, Value>,
    /// Further back-links, each an expression that gives a digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refs: BTreeMap<String, String>,
}
