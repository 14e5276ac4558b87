//! `LI_`: a run or an item of a queue that follows from a record. Which records there are, and what an expression finds in one, is known to
//! whoever judges them.

use crate::Map;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// For each record of this type and action: one run of the workflow, or one item of the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Listener {
    /// Equal to the file stem.
    pub code: String,
    /// One sentence for people.
    pub summary: String,
    /// What is listened for.
    pub on: Occasion,
    /// The workflow that runs; absent when an item is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The runtime binding; the workflow's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// The contract under which an item is queued; absent when a workflow runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Member of the run's payload, or of the item's record → expression over the record.
    pub payload: Map,
}

/// A listener as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    code: String,
    summary: String,
    on: Occasion,
    #[serde(default)]
    workflow: Option<String>,
    #[serde(default)]
    binding: Option<String>,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    payload: Map,
}

impl TryFrom<Written> for Listener {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { code, summary, on, workflow, binding, queue, payload } = written;
        match (&workflow, &queue, &binding) {
            (Some(_), None, _) | (None, Some(_), None) => Ok(Self { code, summary, on, workflow, binding, queue, payload }),
            (None, Some(_), Some(_)) => Err("`binding` belongs to a `workflow`; an item is executed as its contract says"),
            (Some(_), Some(_), _) | (None, None, _) => Err("there is either a `workflow` or a `queue`"),
        }
    }
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
