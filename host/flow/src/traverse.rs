//! The walk over a plan as a state machine that asks and is answered.
//!
//! It calls nothing, waits for nothing and adds nothing: no retry, no default branch, no fallback (P-20). Whatever is answered, it goes on
//! or ends; there is no state in which an answer could make it panic.

mod ask;
mod pipeline;
mod scope;

pub use ask::{AdmitAsk, Answer, Ask, Class, Event, EventKind, EventMatch, StepAsk, Termination};

use crate::Map;
use crate::artifact::{ExitClass, ExitNode};
use crate::plan::{NodeIx, Plan, Retain, Work};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pipeline::{Pipeline, Progress};
use serde_json::Value;

/// What a node is said to have ended with when the protocol was violated in it; no contract may declare it.
pub const STATUS_PROTOCOL_VIOLATION: &str = "PROTOCOL_VIOLATION";

/// What a node is said to have ended with when the run was aborted in it; no contract may declare it.
pub const STATUS_ABORTED: &str = "ABORTED";

/// What a node is said to have ended with when the run ran out of time in it; no contract may declare it.
pub const STATUS_TIMED_OUT: &str = "TIMED_OUT";

/// What an exit node ends with.
pub const STATUS_EXIT: &str = "completed";

/// A run in progress.
#[derive(Debug)]
pub struct Traversal {
    plan: Arc<Plan>,
    at: String,
    payload: Map,
    /// What finished nodes put out, as far as a later node asks for it.
    results: BTreeMap<usize, Value>,
    events: Vec<Event>,
    state: State,
    /// The status that led to the current node; none at the start.
    condition: Option<Arc<str>>,
    /// Calls made so far.
    calls: u32,
}

/// Where the run stands.
#[derive(Debug)]
enum State {
    Admission,
    Intent(usize),
    Contract(usize, Pipeline),
    Done,
}

/// What happened at a node.
enum Move {
    /// Wait for an answer.
    Wait(Ask),
    /// It ended with this status.
    End(Arc<str>),
    /// The protocol was violated; the stable code.
    Violation(&'static str),
}

impl Traversal {
    /// Starts a run. `at` is the time of the run, RFC 3339 with `+00:00` and six fractional digits; it is what `{{timestamp}}` means.
    #[must_use]
    pub fn start(plan: Arc<Plan>, payload: Map, at: &str) -> (Self, Ask) {
        let start = plan.start;
        let mut run = Self {
            plan,
            at: at.to_owned(),
            payload,
            results: BTreeMap::new(),
            events: Vec::with_capacity(16),
            state: State::Done,
            condition: None,
            calls: 0,
        };
        run.event(EventKind::Start, None, None);
        let ask = match run.admission() {
            Admitted::Yes => run.enter(start),
            Admitted::Ask(ask) => {
                run.state = State::Admission;
                Ask::Admit(ask)
            }
            Admitted::No => run.violation(None, "admission_denied"),
        };
        (run, ask)
    }

    /// Goes on with the answer to the last question. An answer to another question aborts the run.
    pub fn resume(&mut self, answer: Answer) -> Ask {
        let state = core::mem::replace(&mut self.state, State::Done);
        match (state, answer) {
            (state, Answer::Abort { code }) => self.stop(&state, Class::Abort, STATUS_ABORTED, code),
            (state, Answer::Timeout { code }) => self.stop(&state, Class::Timeout, STATUS_TIMED_OUT, code),
            (State::Admission, Answer::Admission { found_required, found_forbidden }) => self.admitted(&found_required, &found_forbidden),
            (State::Intent(node), Answer::Intent { valid }) => {
                if valid {
                    self.apply_defaults(node);
                }
                self.leave(node, Arc::from(if valid { "ACK" } else { "NACK" }))
            }
            (State::Contract(node, mut pipeline), Answer::Outcome { status, outputs }) => {
                let plan = Arc::clone(&self.plan);
                let progress = pipeline.answered(&self.context(&plan, node), status, outputs);
                self.went(node, pipeline, progress)
            }
            (State::Contract(node, mut pipeline), Answer::Fault { .. }) => {
                let plan = Arc::clone(&self.plan);
                let progress = pipeline.faulted(&self.context(&plan, node));
                self.went(node, pipeline, progress)
            }
            (state, Answer::Admission { .. } | Answer::Intent { .. } | Answer::Outcome { .. } | Answer::Fault { .. }) => {
                self.stop(&state, Class::Abort, STATUS_ABORTED, "unexpected_answer".to_owned())
            }
        }
    }

    /// The payload as it is now; empty once the run is over, because the termination holds it.
    #[must_use]
    pub const fn payload(&self) -> &Map {
        &self.payload
    }

    /// The events since the last call.
    pub fn drain_events(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain(..)
    }

    /// Starts a node and goes on until it needs an answer or the run is over.
    fn enter(&mut self, start: usize) -> Ask {
        let plan = Arc::clone(&self.plan);
        let mut index = start;
        // The graph is acyclic, so this ends; the bound holds even for a graph that is not.
        for _ in 0..=plan.nodes.len() {
            let Some(node) = plan.nodes.get(index) else {
                break;
            };
            self.event(EventKind::NodeStart, Some(index), None);
            let moved = match &node.work {
                Work::Exit(exit) => return self.exit(index, exit),
                Work::Intent { code, .. } => {
                    self.state = State::Intent(index);
                    Move::Wait(Ask::ValidateIntent { node: node_ix(index), intent: Arc::clone(code) })
                }
                Work::Contract(_) => {
                    let (pipeline, progress) = Pipeline::start(&self.context(&plan, index));
                    self.progress(index, pipeline, progress)
                }
            };
            match moved {
                Move::Wait(ask) => return ask,
                Move::Violation(code) => return self.violation(Some(index), code),
                Move::End(status) => {
                    self.event(EventKind::NodeEnd, Some(index), Some(&status));
                    let Some(next) = node.follow(&status) else {
                        return self.no_transition(index);
                    };
                    self.condition = Some(status);
                    index = next;
                }
            }
        }
        self.violation(None, "missing_node")
    }

    fn went(&mut self, node: usize, pipeline: Pipeline, progress: Progress) -> Ask {
        match self.progress(node, pipeline, progress) {
            Move::Wait(ask) => ask,
            Move::Violation(code) => self.violation(Some(node), code),
            Move::End(status) => self.leave(node, status),
        }
    }

    fn progress(&mut self, node: usize, pipeline: Pipeline, progress: Progress) -> Move {
        match progress {
            Progress::Call(mut ask) => {
                ask.node = node_ix(node);
                ask.step = self.calls;
                self.calls = self.calls.saturating_add(1);
                self.state = State::Contract(node, pipeline);
                Move::Wait(Ask::Dispatch(ask))
            }
            Progress::Ended(status) => {
                self.merge(node, pipeline.into_outputs());
                Move::End(status)
            }
            Progress::Violation(code) => Move::Violation(code),
        }
    }

    /// Ends a node and follows the edge with its status; there is no other way on (P-15).
    fn leave(&mut self, index: usize, status: Arc<str>) -> Ask {
        let next = self.plan.nodes.get(index).and_then(|node| node.follow(&status));
        self.event(EventKind::NodeEnd, Some(index), Some(&status));
        match next {
            Some(next) => {
                self.condition = Some(status);
                self.enter(next)
            }
            None => self.no_transition(index),
        }
    }

    /// Writes declared outputs flat into the payload; nothing is ever deleted (P-11).
    fn merge(&mut self, index: usize, outputs: Vec<(String, Value)>) {
        let plan = Arc::clone(&self.plan);
        let Some(node) = plan.nodes.get(index) else {
            return;
        };
        let Work::Contract(contract) = &node.work else {
            return;
        };
        let mut seen = Map::new();
        for (key, value) in outputs {
            if !contract.outputs.contains(&key) {
                continue;
            }
            let kept = match &node.retain {
                Retain::Nothing => false,
                Retain::Keys(keys) => keys.contains(&key),
                Retain::Everything => true,
            };
            if kept {
                seen.insert(key.clone(), value.clone());
            }
            self.payload.insert(key, value);
        }
        if node.retain != Retain::Nothing {
            self.results.insert(index, Value::Object(seen));
        }
    }

    /// Declared defaults go where an accepted payload has nothing; a refused payload stays as it was given (P-16).
    fn apply_defaults(&mut self, index: usize) {
        let plan = Arc::clone(&self.plan);
        let Some(Work::Intent { defaults, .. }) = plan.nodes.get(index).map(|node| &node.work) else {
            return;
        };
        for default in defaults {
            let Some((last, parents)) = default.path.split_last() else {
                continue;
            };
            let parent = parents.iter().try_fold(&mut self.payload, |map, key| map.get_mut(key)?.as_object_mut());
            if let Some(parent) = parent
                && !parent.contains_key(last)
            {
                parent.insert(last.clone(), default.value.clone());
            }
        }
    }

    fn context<'a>(&'a self, plan: &'a Plan, node: usize) -> scope::Context<'a> {
        scope::Context { plan, node, payload: &self.payload, results: &self.results, at: &self.at }
    }
}

mod end;

use end::Admitted;
pub(crate) use end::classify;

fn node_ix(index: usize) -> NodeIx {
    // A workflow file is bounded far below 2^32 nodes.
    NodeIx(u32::try_from(index).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
