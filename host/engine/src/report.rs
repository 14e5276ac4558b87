//! What a finished run tells its caller; the stable shape of `enact run --json`.
use enact_flow::Map;
use serde::Serialize;

use crate::trace::NodeReport;

/// A committed run.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// Its id.
    pub run_id: String,
    /// The workflow.
    pub workflow: String,
    /// The runtime binding.
    pub binding: String,
    /// The environment of the binding.
    pub environment: String,
    /// When it started.
    pub at: String,
    /// How it ended.
    pub exit: ExitReport,
    /// SHA-256 over the canonical payload at the exit (P-13).
    pub context_hash: String,
    /// The payload at the exit.
    pub payload: Map,
    /// The nodes in the order in which they ended.
    pub nodes: Vec<NodeReport>,
    /// Where the ledger holds it.
    pub entry: EntryReport,
    /// Fuel of all answered calls.
    pub fuel_used: u64,
    /// Executions until the commit held: more than one when other runs changed what this one had read.
    pub attempts: u32,
    /// Names of fields that must not be shown to people.
    #[serde(skip)]
    pub secrets: Vec<String>,
}

/// How a run ended (P-12, P-19).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExitReport {
    /// `SUCCESS`, `FAILURE`, `ABORT` or `TIMEOUT`.
    pub class: String,
    /// The reason.
    pub reason: String,
    /// Stable code, when the host and not an edge of the workflow ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// The entry of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryReport {
    /// Place in the ledger, from 0.
    pub seq: u64,
    /// Hash of the stored entry.
    pub hash: String,
}
