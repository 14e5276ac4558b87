//! The trace of a run as data, and whether it follows the graph (P-23, P-26).

use crate::dag::{Dag, DagNode};
use crate::traverse::{Class, STATUS_ABORTED, STATUS_EXIT, STATUS_PROTOCOL_VIOLATION, STATUS_TIMED_OUT, classify};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// One line of a trace (P-23). Members that do not apply to an event are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceEvent {
    /// `execution_start`, `node_start`, `node_end` or `workflow_complete`.
    pub event: String,
    /// The run.
    pub execution_id: String,
    /// The workflow.
    pub workflow_code: String,
    /// The node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// `intent`, `capability_contract` or `exit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_type: Option<String>,
    /// The status that a node ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_status: Option<String>,
    /// Milliseconds of one node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// `SUCCESS`, `FAILURE`, `ABORT` or `TIMEOUT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_condition: Option<String>,
    /// The reason of the ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_reason: Option<String>,
    /// Milliseconds of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_duration_ms: Option<u64>,
    /// `sha256:…` of the payload at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_hash: Option<String>,
    /// RFC 3339.
    pub timestamp: String,
    /// Counts from 1 without gaps.
    pub sequence: u64,
}

/// The first event that does not follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceProblem {
    /// The sequence number expected at that position.
    pub sequence: u64,
    /// What was found and what would have followed.
    pub detail: String,
}

impl fmt::Display for TraceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trace event {}: {}", self.sequence, self.detail)
    }
}

impl core::error::Error for TraceProblem {}

/// Checks a whole trace against the graph that it claims to follow.
///
/// # Errors
/// The first event that does not follow.
pub fn check_trace(dag: &Dag, events: &[TraceEvent]) -> Result<(), TraceProblem> {
    let mut walk = Walk { dag, expected: Expected::Start, condition: None };
    let mut sequence: u64 = 1;
    let first = events.first();
    for event in events {
        let problem = |detail| TraceProblem { sequence, detail };
        if event.sequence != sequence {
            return Err(problem(format!("sequence {} where {sequence} follows", event.sequence)));
        }
        if event.workflow_code != dag.workflow_code() {
            return Err(problem(format!("workflow `{}` in a trace of `{}`", event.workflow_code, dag.workflow_code())));
        }
        if first.is_some_and(|first| first.execution_id != event.execution_id) {
            return Err(problem(format!("execution `{}` in the trace of another one", event.execution_id)));
        }
        walk.expected = walk.step(event).map_err(problem)?;
        sequence = sequence.saturating_add(1);
    }
    if matches!(walk.expected, Expected::Nothing) {
        return Ok(());
    }
    Err(TraceProblem { sequence, detail: format!("the trace ends where {} follows", walk.expected.describe()) })
}

/// What must come next.
enum Expected {
    /// `execution_start`.
    Start,
    /// The first node, or a run that ends before it.
    Entry,
    /// This node starts.
    Node(String),
    /// This node ends.
    End(String),
    /// The run ends, in this class and, if it is known, for this reason.
    Complete(Class, Option<String>),
    /// The trace is over.
    Nothing,
}

impl Expected {
    fn describe(&self) -> String {
        match self {
            Self::Start => "`execution_start`".to_owned(),
            Self::Entry => "the entry node".to_owned(),
            Self::Node(id) => format!("`node_start` of `{id}`"),
            Self::End(id) => format!("`node_end` of `{id}`"),
            Self::Complete(class, None) => format!("`workflow_complete` with `{}`", class.as_str()),
            Self::Complete(class, Some(reason)) => {
                format!("`workflow_complete` with `{}`/`{reason}`", class.as_str())
            }
            Self::Nothing => "nothing".to_owned(),
        }
    }
}

struct Walk<'a> {
    dag: &'a Dag,
    expected: Expected,
    condition: Option<String>,
}

impl Walk<'_> {
    fn step(&mut self, event: &TraceEvent) -> Result<Expected, String> {
        let expected = core::mem::replace(&mut self.expected, Expected::Nothing);
        match (&expected, event.event.as_str()) {
            (Expected::Start, "execution_start") => Ok(Expected::Entry),
            (Expected::Entry, "node_start") => self.started(event, self.dag.entry_nodes().first().cloned().unwrap_or_default()),
            (Expected::Entry, "workflow_complete") => unstarted(event),
            (Expected::Node(id), "node_start") => self.started(event, id.clone()),
            (Expected::End(id), "node_end") => self.ended(event, id),
            (Expected::Complete(class, reason), "workflow_complete") => completed(event, *class, reason.as_deref()),
            (expected, other) => Err(format!("`{other}` where {} follows", expected.describe())),
        }
    }

    fn started(&self, event: &TraceEvent, id: String) -> Result<Expected, String> {
        self.named(event, &id)?;
        Ok(Expected::End(id))
    }

    /// That the event is about this node and gives its type.
    fn named(&self, event: &TraceEvent, id: &str) -> Result<&DagNode, String> {
        let named = event.node_id.as_deref().unwrap_or_default();
        if named != id {
            return Err(format!("node `{named}` where `{id}` follows"));
        }
        let node = self.dag.node(id).ok_or_else(|| format!("node `{id}` is not in the graph"))?;
        let node_type = event.node_type.as_deref().unwrap_or_default();
        if node_type != node.node_type().as_str() {
            return Err(format!("node `{id}` has the type `{}`, not `{node_type}`", node.node_type().as_str()));
        }
        Ok(node)
    }

    fn ended(&mut self, event: &TraceEvent, id: &str) -> Result<Expected, String> {
        let node = self.named(event, id)?;
        let status = event.result_status.as_deref().unwrap_or_default();
        match status {
            STATUS_PROTOCOL_VIOLATION => return Ok(Expected::Complete(Class::Failure, None)),
            STATUS_ABORTED => return Ok(Expected::Complete(Class::Abort, None)),
            STATUS_TIMED_OUT => return Ok(Expected::Complete(Class::Timeout, None)),
            _ => {}
        }
        if let Some(exit) = node.exit() {
            if status != STATUS_EXIT {
                return Err(format!("exit `{id}` ended with `{status}`, not `{STATUS_EXIT}`"));
            }
            let (class, reason) = classify(exit, self.condition.as_deref());
            return Ok(Expected::Complete(class, Some(reason)));
        }
        if !node.statuses().iter().any(|declared| declared == status) {
            return Err(format!("node `{id}` ended with `{status}`, which it does not declare"));
        }
        let next = self.dag.follow(id, status).map(ToOwned::to_owned);
        self.condition = Some(status.to_owned());
        Ok(next.map_or_else(|| Expected::Complete(Class::Failure, Some("NO_TRANSITION".to_owned())), Expected::Node))
    }
}

/// A run that ended before its first node: it was not admitted, or it was stopped from outside.
fn unstarted(event: &TraceEvent) -> Result<Expected, String> {
    match event.exit_condition.as_deref() {
        Some("FAILURE") => completed(event, Class::Failure, Some("ADMISSION_DENIED")),
        Some("ABORT") => completed(event, Class::Abort, None),
        Some("TIMEOUT") => completed(event, Class::Timeout, None),
        other => Err(format!("the run ended with {other:?} before its first node")),
    }
}

fn completed(event: &TraceEvent, class: Class, reason: Option<&str>) -> Result<Expected, String> {
    let got = event.exit_condition.as_deref().unwrap_or_default();
    if got != class.as_str() {
        return Err(format!("the run ended with `{got}` where `{}` follows", class.as_str()));
    }
    let got = event.exit_reason.as_deref().unwrap_or_default();
    if got.is_empty() || reason.is_some_and(|reason| reason != got) {
        return Err(format!("the run ended for `{got}` where `{}` follows", reason.unwrap_or("a reason")));
    }
    if event.context_hash.is_none() {
        return Err("the run ended without a context hash".to_owned());
    }
    Ok(Expected::Nothing)
}
