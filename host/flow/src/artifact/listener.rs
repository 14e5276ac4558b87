//! `LI_`: a run that follows from a record. Which records there are, and what an expression finds in one, is known to whoever judges them.

use crate::Map;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// For each record of this type and action: one run of the workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Equal to the file stem.
    pub code: String,
    /// One sentence for people.
    pub summary: String,
    /// What is listened for.
    pub on: Occasion,
    /// The workflow that runs.
    pub workflow: String,
    /// The runtime binding; the workflow's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// Member of the run's payload → expression over the record.
    #[serde(default)]
    pub payload: Map,
}

/// A type of record and one of its actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Occasion {
    /// The record type.
    pub record: String,
    /// The action.
    pub action: String,
}
