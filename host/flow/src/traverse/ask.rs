//! The questions of a traversal, their answers, and what it reports on the way: plain data.

use crate::Map;
use crate::dag::NodeType;
use crate::plan::NodeIx;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::Serialize;
use serde_json::Value;

/// What the traversal needs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Which of these events have been recorded?
    Admit(AdmitAsk),
    /// Is the payload valid under the schema of this intent?
    ValidateIntent {
        /// The node.
        node: NodeIx,
        /// The `IN_` code.
        intent: Arc<str>,
    },
    /// Call a capability.
    Dispatch(StepAsk),
    /// The run is over.
    Done(Termination),
}

/// The events that admission depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct AdmitAsk {
    /// All must be found.
    pub requires: Vec<EventMatch>,
    /// None may be found.
    pub forbids: Vec<EventMatch>,
}

/// An event with the fields it must have.
#[derive(Clone, Debug, PartialEq)]
pub struct EventMatch {
    /// The `EV_` code.
    pub event: Arc<str>,
    /// Field of the recorded event → the value it must be equal to.
    pub fields: Map,
}

/// One call of one capability.
#[derive(Clone, Debug, PartialEq)]
pub struct StepAsk {
    /// The contract node it belongs to.
    pub node: NodeIx,
    /// Counts the calls of the run from 0.
    pub step: u32,
    /// The step of the contract; for an atom of a molecule `step/atom`.
    pub step_name: Arc<str>,
    /// Position in [`Plan::targets`](crate::bind::Plan::targets).
    pub target: usize,
    /// The `CT_` or `CS_` code.
    pub capability: Arc<str>,
    /// The operation.
    pub operation: Arc<str>,
    /// The host store; may be empty.
    pub store: Arc<str>,
    /// A JSON object.
    pub inputs: Value,
}

/// The answer to the last [`Ask`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To `Admit`: one flag for each event asked for, in order.
    Admission {
        /// For `requires`.
        found_required: Vec<bool>,
        /// For `forbids`.
        found_forbidden: Vec<bool>,
    },
    /// To `ValidateIntent`.
    Intent {
        /// `true` is ACK, `false` is NACK.
        valid: bool,
    },
    /// To `Dispatch`: the capability answered.
    Outcome {
        /// Its status.
        status: String,
        /// Its outputs.
        outputs: Map,
    },
    /// To `Dispatch`: the capability failed deterministically (class B); the stable outcome code.
    Fault {
        /// The code.
        code: String,
    },
    /// To anything: the run cannot go on.
    Abort {
        /// Why, as a stable code.
        code: String,
    },
    /// To anything: the run took too long.
    Timeout {
        /// Which bound, as a stable code.
        code: String,
    },
}

/// How a run ended (P-12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Class {
    /// It did what it was for.
    Success,
    /// It ended otherwise, by a declared edge or a protocol violation.
    Failure,
    /// The engine could not go on.
    Abort,
    /// A bound on time was reached.
    Timeout,
}

impl Class {
    /// The name used in traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Abort => "ABORT",
            Self::Timeout => "TIMEOUT",
        }
    }
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Termination {
    /// The class.
    pub class: Class,
    /// `COMPLETED`, `REJECTED`, the last condition, or a code in capitals.
    pub reason: String,
    /// The stable code of what went wrong outside the declared edges: `admission_denied`, `no_transition`, `undeclared_status`, …
    pub code: Option<String>,
    /// The node at which it ended; none when no node ran.
    pub node: Option<String>,
    /// The event that the exit stands for.
    pub emit: Option<String>,
    /// The payload at the end; [`Traversal::payload`](super::Traversal::payload) is empty from here on.
    pub payload: Map,
}

/// What kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The run started.
    #[serde(rename = "execution_start")]
    Start,
    /// A node started.
    NodeStart,
    /// A node ended.
    NodeEnd,
    /// The run is over.
    #[serde(rename = "workflow_complete")]
    Complete,
}

/// A structural event; it never holds a value of the payload (P-24).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The node; none for the run as a whole.
    pub node: Option<Arc<str>>,
    /// Its type.
    pub node_type: Option<NodeType>,
    /// The status that the node ended with; a declared one or one of the reserved words.
    pub status: Option<Arc<str>>,
    /// For `Complete`: the class.
    pub class: Option<Class>,
    /// For `Complete`: the reason.
    pub reason: Option<String>,
}
