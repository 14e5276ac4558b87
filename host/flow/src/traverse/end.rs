//! Admission before the first node, and every way in which a run can end.

use super::{
    AdmitAsk, Ask, Class, Event, EventKind, EventMatch, ExitClass, ExitNode, STATUS_EXIT, STATUS_PROTOCOL_VIOLATION, State, Termination,
    Traversal,
};
use crate::Map;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

/// Whether a run may start (P-34).
pub(super) enum Admitted {
    /// Nothing is required and nothing is forbidden.
    Yes,
    /// It depends on what has been recorded.
    Ask(AdmitAsk),
    /// The payload does not even name what would have to be looked for.
    No,
}

impl Traversal {
    pub(super) fn admission(&self) -> Admitted {
        let admission = &self.plan.admission;
        if admission.requires.is_empty() && admission.forbids.is_empty() {
            return Admitted::Yes;
        }
        let matches = |events: &[String]| events.iter().map(|event| self.event_match(event)).collect::<Option<_>>();
        match (matches(&admission.requires), matches(&admission.forbids)) {
            (Some(requires), Some(forbids)) => Admitted::Ask(AdmitAsk { requires, forbids }),
            _ => Admitted::No,
        }
    }

    fn event_match(&self, event: &str) -> Option<EventMatch> {
        let mut fields = Map::new();
        for (field, key) in self.plan.admission.identity.get(event).into_iter().flatten() {
            let value = self.payload.get(key).filter(|value| !value.is_null())?;
            fields.insert(field.clone(), value.clone());
        }
        Some(EventMatch { event: Arc::from(event), fields })
    }

    pub(super) fn admitted(&mut self, found_required: &[bool], found_forbidden: &[bool]) -> Ask {
        let admission = &self.plan.admission;
        if found_required.len() != admission.requires.len() || found_forbidden.len() != admission.forbids.len() {
            return self.stop(&State::Admission, Class::Abort, super::STATUS_ABORTED, "unexpected_answer".to_owned());
        }
        if found_required.iter().all(|found| *found) && !found_forbidden.iter().any(|found| *found) {
            let start = self.plan.start;
            self.enter(start)
        } else {
            self.violation(None, "admission_denied")
        }
    }

    /// An exit: its declared class and reason, else what the last edge says (P-19).
    pub(super) fn exit(&mut self, index: usize, exit: &ExitNode) -> Ask {
        let condition = self.condition.clone();
        let (class, reason) = classify(exit, condition.as_deref());
        self.event(EventKind::NodeEnd, Some(index), Some(&Arc::from(STATUS_EXIT)));
        self.done(class, reason, None, Some(index), exit.emit.clone())
    }

    pub(super) fn no_transition(&mut self, index: usize) -> Ask {
        self.failed(Some(index), "no_transition")
    }

    /// The protocol was violated: no edge is followed (P-18).
    pub(super) fn violation(&mut self, node: Option<usize>, code: &'static str) -> Ask {
        if node.is_some() {
            self.event(EventKind::NodeEnd, node, Some(&Arc::from(STATUS_PROTOCOL_VIOLATION)));
        }
        self.failed(node, code)
    }

    fn failed(&mut self, node: Option<usize>, code: &'static str) -> Ask {
        self.done(Class::Failure, code.to_ascii_uppercase(), Some(code.to_owned()), node, None)
    }

    /// Ends the run from outside; the node that was running ends, too (P-25).
    pub(super) fn stop(&mut self, state: &State, class: Class, status: &str, code: String) -> Ask {
        let node = match state {
            State::Intent(node) | State::Contract(node, _) => Some(*node),
            State::Admission | State::Done => None,
        };
        if node.is_some() {
            self.event(EventKind::NodeEnd, node, Some(&Arc::from(status)));
        }
        self.done(class, code.to_ascii_uppercase(), Some(code), node, None)
    }

    fn done(&mut self, class: Class, reason: String, code: Option<String>, node: Option<usize>, emit: Option<String>) -> Ask {
        self.state = State::Done;
        self.events.push(Event {
            kind: EventKind::Complete,
            node: None,
            node_type: None,
            status: None,
            class: Some(class),
            reason: Some(reason.clone()),
        });
        let node = node.and_then(|index| self.plan.nodes.get(index)).map(|node| node.id.to_string());
        Ask::Done(Termination { class, reason, code, node, emit, payload: core::mem::take(&mut self.payload) })
    }

    pub(super) fn event(&mut self, kind: EventKind, node: Option<usize>, status: Option<&Arc<str>>) {
        let node = node.and_then(|index| self.plan.nodes.get(index));
        self.events.push(Event {
            kind,
            node: node.map(|node| Arc::clone(&node.id)),
            node_type: node.map(crate::plan::PlanNode::node_type),
            status: status.map(Arc::clone),
            class: None,
            reason: None,
        });
    }
}

/// Class and reason of an exit reached by `condition`.
pub(crate) fn classify(exit: &ExitNode, condition: Option<&str>) -> (Class, String) {
    let (class, reason) = match condition {
        Some("SUCCESS" | "ACK") | None => (Class::Success, "COMPLETED"),
        Some("NACK") => (Class::Failure, "REJECTED"),
        Some(other) => (Class::Failure, other),
    };
    let (class, reason) = match exit.class {
        Some(ExitClass::Success) => (Class::Success, "COMPLETED"),
        // A failure reached by an edge that says success has no better name than failed.
        Some(ExitClass::Failure) => (Class::Failure, if class == Class::Success { "FAILED" } else { reason }),
        None => (class, reason),
    };
    (class, exit.reason.clone().unwrap_or_else(|| reason.to_owned()))
}
