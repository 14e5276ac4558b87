//! The structural trace of a run: recorded compactly, rendered as the lines of P-23, checked against the graph (P-26).
//!
//! It holds node names, statuses and times, never a value of the payload (P-24).
use enact_core::hash::{Digest, blob_hash};
use enact_flow::dag::Dag;
use enact_flow::trace::{TraceEvent, TraceProblem, check_trace};
use enact_flow::traverse::{Event, EventKind};
use serde::{Deserialize, Serialize};

use crate::error::{EngineError, Result};
use crate::sources::time_text;

/// A trace as it is stored: what the lines have in common once, what differs per event in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Microseconds since the Unix epoch at the first event.
    pub started_micros: i64,
    /// The events in order.
    pub events: Vec<Row>,
}

/// One event: kind, node, type, status, microseconds since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row(pub Mark, pub String, pub String, pub String, pub u64);

/// What kind of event a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// `execution_start`
    #[serde(rename = "s")]
    Start,
    /// `node_start`
    #[serde(rename = "n")]
    NodeStart,
    /// `node_end`
    #[serde(rename = "e")]
    NodeEnd,
    /// `workflow_complete`; the node column holds the class and the status column the reason.
    #[serde(rename = "c")]
    Complete,
}

/// A node with the status it ended in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeReport {
    /// The node.
    pub node: String,
    /// `intent`, `capability_contract` or `exit`.
    #[serde(rename = "type")]
    pub node_type: String,
    /// The status.
    pub status: String,
}

impl Row {
    /// The row without its time: what must be equal in every re-execution (P-28).
    #[must_use]
    pub fn untimed(self) -> Self {
        Self(self.0, self.1, self.2, self.3, 0)
    }
}

impl Trace {
    /// An empty trace that starts now.
    #[must_use]
    pub fn start(started_micros: i64) -> Self {
        Self { started_micros, events: Vec::with_capacity(24) }
    }

    /// Records an event at a time.
    pub fn push(&mut self, event: Event, now_micros: i64) {
        let since = u64::try_from(now_micros.saturating_sub(self.started_micros)).unwrap_or(0);
        let (mark, node, status) = match event.kind {
            EventKind::Start => (Mark::Start, String::new(), String::new()),
            EventKind::NodeStart => (Mark::NodeStart, text(event.node), String::new()),
            EventKind::NodeEnd => (Mark::NodeEnd, text(event.node), text(event.status)),
            EventKind::Complete => {
                let class = event.class.map_or("", enact_flow::traverse::Class::as_str).to_owned();
                (Mark::Complete, class, event.reason.unwrap_or_default())
            }
        };
        let node_type = event.node_type.map(|t| t.as_str().to_owned()).unwrap_or_default();
        self.events.push(Row(mark, node, node_type, status, since));
    }

    /// The stored bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| EngineError::Internal { detail: e.to_string() })
    }

    /// Reads stored bytes.
    pub fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Hash of stored bytes, as a receipt names it.
    #[must_use]
    pub fn hash(bytes: &[u8]) -> Digest {
        blob_hash(bytes)
    }

    /// The lines of P-23.
    #[must_use]
    pub fn lines(&self, run_id: &str, workflow: &str, context_hash: &str) -> Vec<TraceEvent> {
        let mut started: u64 = 0;
        let lines = self.events.iter().zip(1_u64..).map(|(Row(mark, node, node_type, status, since), sequence)| {
            let mut line = TraceEvent {
                event: String::new(),
                execution_id: run_id.to_owned(),
                workflow_code: workflow.to_owned(),
                timestamp: time_text(self.started_micros.saturating_add_unsigned(*since)),
                sequence,
                ..TraceEvent::default()
            };
            match mark {
                Mark::Start => line.event = "execution_start".to_owned(),
                Mark::NodeStart => {
                    started = *since;
                    line.event = "node_start".to_owned();
                    line.node_id = Some(node.clone());
                    line.node_type = Some(node_type.clone());
                }
                Mark::NodeEnd => {
                    line.event = "node_end".to_owned();
                    line.node_id = Some(node.clone());
                    line.node_type = Some(node_type.clone());
                    line.result_status = Some(status.clone());
                    line.duration_ms = Some(since.saturating_sub(started) / 1_000);
                }
                Mark::Complete => {
                    line.event = "workflow_complete".to_owned();
                    line.exit_condition = Some(node.clone());
                    line.exit_reason = Some(status.clone());
                    line.total_duration_ms = Some(since / 1_000);
                    line.context_hash = Some(context_hash.to_owned());
                }
            }
            line
        });
        lines.collect()
    }

    /// The nodes that ended, with their statuses.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeReport> {
        let ended = self.events.iter().filter(|row| row.0 == Mark::NodeEnd);
        ended
            .map(|Row(_, node, node_type, status, _)| NodeReport {
                node: node.clone(),
                node_type: node_type.clone(),
                status: status.clone(),
            })
            .collect()
    }

    /// Checks that the trace follows the graph (P-26).
    pub fn check(&self, dag: &Dag, run_id: &str, workflow: &str) -> std::result::Result<(), TraceProblem> {
        check_trace(dag, &self.lines(run_id, workflow, ""))
    }

    /// The nodes that started, in order.
    #[must_use]
    pub fn nodes_started(&self) -> Vec<&str> {
        self.events.iter().filter(|row| row.0 == Mark::NodeStart).map(|row| row.1.as_str()).collect()
    }
}

fn text(name: Option<std::sync::Arc<str>>) -> String {
    name.map(|n| n.as_ref().to_owned()).unwrap_or_default()
}
