//! A small protocol to change, and a driver that answers what a test wants.

use enact_flow::Map;
use enact_flow::artifact::{Artifact, from_value};
use enact_flow::bind::{BindingReport, Plan, bind};
use enact_flow::compile::{check, compile};
use enact_flow::problem::{Level, Problem};
use enact_flow::snapshot::Snapshot;
use enact_flow::trace::TraceEvent;
use enact_flow::traverse::{Answer, Ask, Event, EventKind, StepAsk, Termination, Traversal};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The time of every run.
pub(crate) const AT: &str = "2026-01-02T03:04:05.678901+00:00";

/// The only workflow.
pub(crate) const WF: &str = "WF_FILE_LETTER_V0";

/// The contract at both contract nodes of [`set`].
pub(crate) const CC: &str = "CC_FILE_LETTER_V0";

/// Artifacts under change.
#[derive(Clone)]
pub(crate) struct Set(pub(crate) BTreeMap<String, Value>);

/// A workflow of an intent, two contract nodes and two exits; the contract has a transform step and a side effect step.
pub(crate) fn set() -> Set {
    let mut set = Set(BTreeMap::new());
    for value in [
        json!({ "code": "IN_LETTER_V0", "summary": "A letter.", "schema": { "type": "object" } }),
        json!({ "code": "EV_LETTER_FILED_V0", "summary": "A letter was filed." }),
        json!({ "code": "EV_ARCHIVE_CLOSED_V0", "summary": "The archive was closed." }),
        json!({ "code": "CT_PURE_STAMP_V0", "summary": "Stamps.", "operation": "STAMP", "statuses": ["SUCCESS", "VIOLATION"],
            "inputs": { "text": { "type": "any" }, "ink": { "type": "string", "required": false } }, "outputs": { "stamp": { "type": "string" } } }),
        json!({ "code": "CS_SHELF_V0", "summary": "A shelf.", "imports": ["table"], "operations": {
            "PLACE": { "inputs": { "key": { "type": "string" } }, "outputs": { "slot": { "type": "integer" } },
                "statuses": ["SUCCESS", "ALREADY_EXISTS", "BACKEND_ERROR"] },
            "TAKE": { "statuses": ["SUCCESS"] } } }),
        json!({ "code": CC, "summary": "Stamps and files.",
            "inputs": { "letter": { "type": "object" }, "note": { "type": "string", "required": false } },
            "outputs": { "stamp": { "type": "string" }, "slot": { "type": "integer" } },
            "status": { "allowed": ["SUCCESS", "ALREADY_EXISTS", "VIOLATION", "BACKEND_ERROR"] },
            "pipeline": [
                { "step": "stamp", "capability": "CT_PURE_STAMP_V0", "operation": "STAMP", "inputs": { "text": "$.inputs.letter.text" },
                    "outputs": { "stamp": "$.capability_result.stamp" }, "surface": ["SUCCESS", "VIOLATION"],
                    "on_result": { "SUCCESS": "continue", "VIOLATION": "exit" } },
                { "step": "place", "capability": "CS_SHELF_V0", "operation": "PLACE", "store": "LETTERS",
                    "inputs": { "key": "$.results.stamp.stamp" }, "outputs": { "slot": "$.capability_result.slot" },
                    "surface": ["SUCCESS", "ALREADY_EXISTS", "BACKEND_ERROR"],
                    "on_result": { "SUCCESS": "exit", "ALREADY_EXISTS": "exit", "BACKEND_ERROR": "exit" } } ] }),
        json!({ "code": WF, "summary": "Files a letter.", "start": "IN_LETTER", "binding": "RB_DEVELOPMENT_V0", "nodes": {
            "IN_LETTER": { "intent": "IN_LETTER_V0", "next": { "ACK": "CC_FIRST", "NACK": "EXIT_REFUSED" } },
            "CC_FIRST": { "contract": CC, "inputs": { "letter": "$.letter" }, "next": { "SUCCESS": "CC_SECOND",
                "ALREADY_EXISTS": "CC_SECOND", "VIOLATION": "EXIT", "BACKEND_ERROR": "EXIT" } },
            "CC_SECOND": { "contract": CC, "inputs": { "letter": { "text": "$.results.CC_FIRST.stamp" } }, "next": { "SUCCESS": "EXIT",
                "ALREADY_EXISTS": "EXIT", "VIOLATION": "EXIT", "BACKEND_ERROR": "EXIT" } },
            "EXIT": { "emit": "EV_LETTER_FILED_V0" }, "EXIT_REFUSED": {} } }),
        json!({ "code": "RB_DEVELOPMENT_V0", "summary": "At the desk.", "environment": "development", "bindings": {
            "CT_PURE_STAMP_V0": { "host": "component", "module": "stamps" },
            "CS_SHELF_V0": { "host": "component", "module": "shelf", "stores": { "*": "desk" }, "grants": ["table"] } } }),
        json!({ "code": "RB_PRODUCTION_V0", "summary": "In the archive.", "environment": "production", "parameters": ["room"], "bindings": {
            "CT_PURE_STAMP_V0": { "host": "component", "module": "stamps" },
            "CS_SHELF_V0": { "host": "component", "module": "shelf", "stores": { "LETTERS": "{{room}}/letters", "*": "other" },
                "grants": ["table"], "limits": { "fuel": 7 } } } }),
    ] {
        set = set.add(value);
    }
    set
}

pub(crate) fn modules() -> BTreeMap<String, String> {
    ["stamps", "shelf"].into_iter().zip(["1", "2"]).map(|(name, digit)| (name.to_owned(), format!("blake3:{}", digit.repeat(64)))).collect()
}

impl Set {
    pub(crate) fn add(mut self, value: Value) -> Self {
        self.0.insert(value["code"].as_str().unwrap().to_owned(), value);
        self
    }

    pub(crate) fn remove(mut self, code: &str) -> Self {
        assert!(self.0.remove(code).is_some());
        self
    }

    /// Puts a value at a JSON pointer; the parent must be there.
    pub(crate) fn with(mut self, code: &str, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = self.0.get_mut(code).unwrap().pointer_mut(parent).unwrap();
        if let Value::Array(items) = parent {
            items[key.parse::<usize>().unwrap()] = value;
        } else {
            parent.as_object_mut().unwrap().insert(key.to_owned(), value);
        }
        self
    }

    /// Takes away what is at a JSON pointer.
    pub(crate) fn without(mut self, code: &str, pointer: &str) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = self.0.get_mut(code).unwrap().pointer_mut(parent).unwrap();
        assert!(parent.as_object_mut().unwrap().remove(key).is_some(), "{pointer} is not there");
        self
    }

    pub(crate) fn parse(&self) -> Result<Vec<Artifact>, Problem> {
        self.0.iter().map(|(code, value)| from_value(code, value.clone())).collect()
    }

    pub(crate) fn compile(&self) -> Result<Snapshot, Vec<Problem>> {
        compile(&self.parse().map_err(|problem| vec![problem])?, &modules())
    }

    /// The errors, as `code@artifact: detail`.
    pub(crate) fn errors(&self) -> Vec<String> {
        let problems = self.compile().err().unwrap_or_default();
        problems.iter().map(|problem| format!("{}@{}: {} {}", problem.code, problem.artifact, problem.at, problem.detail)).collect()
    }

    /// The codes of warnings.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let problems = check(&self.parse().unwrap(), &modules());
        problems.iter().filter(|problem| problem.level == Level::Warning).map(|problem| problem.code).collect()
    }

    /// Asserts that exactly this is wrong and that the detail names what it should.
    pub(crate) fn refused(&self, code: &str, names: &str) {
        let errors = self.errors();
        assert!(
            errors.iter().any(|error| error.starts_with(&format!("{code}@")) && error.contains(names)),
            "{code} {names} not in {errors:#?}"
        );
    }

    pub(crate) fn bind(&self, binding: Option<&str>, params: &[(&str, &str)]) -> Result<Plan, Box<BindingReport>> {
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        bind(&self.compile().unwrap(), WF, binding, &params, &["component", "refused"])
    }

    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::new(self.bind(None, &[]).unwrap())
    }
}

/// A finished run.
pub(crate) struct Run {
    pub(crate) end: Termination,
    pub(crate) events: Vec<Event>,
    pub(crate) calls: Vec<StepAsk>,
}

impl Run {
    /// `node:status` in order.
    pub(crate) fn path(&self) -> Vec<String> {
        let ended = self.events.iter().filter(|event| event.kind == EventKind::NodeEnd);
        ended.map(|event| format!("{}:{}", event.node.as_ref().unwrap(), event.status.as_ref().unwrap())).collect()
    }

    /// The trace as it is written, with times of no meaning.
    pub(crate) fn lines(&self) -> Vec<TraceEvent> {
        lines(&self.events)
    }
}

pub(crate) fn lines(events: &[Event]) -> Vec<TraceEvent> {
    let line = |(event, sequence): (&Event, u64)| TraceEvent {
        event: serde_json::to_value(event.kind).unwrap().as_str().unwrap().to_owned(),
        execution_id: "run-1".to_owned(),
        workflow_code: WF.to_owned(),
        node_id: event.node.as_deref().map(ToOwned::to_owned),
        node_type: event.node_type.map(|node_type| node_type.as_str().to_owned()),
        result_status: event.status.as_deref().map(ToOwned::to_owned),
        exit_condition: event.class.map(|class| class.as_str().to_owned()),
        exit_reason: event.reason.clone(),
        context_hash: event.class.map(|_| "sha256:0".to_owned()),
        timestamp: AT.to_owned(),
        sequence,
        ..TraceEvent::default()
    };
    events.iter().zip(1..).map(line).collect()
}

pub(crate) fn map(value: Value) -> Map {
    let Value::Object(map) = value else { panic!("{value} is no object") };
    map
}

/// An outcome.
pub(crate) fn outcome(status: &str, outputs: Value) -> Answer {
    Answer::Outcome { status: status.to_owned(), outputs: map(outputs) }
}

/// Runs to the end; intents are valid and every call is answered by `answer`.
pub(crate) fn run(plan: &Arc<Plan>, payload: Value, mut answer: impl FnMut(&StepAsk) -> Answer) -> Run {
    drive(plan, payload, |ask| match ask {
        Ask::Dispatch(step) => answer(step),
        Ask::ValidateIntent { .. } => Answer::Intent { valid: true },
        Ask::Admit(_) | Ask::Done(_) => panic!("unexpected {ask:?}"),
    })
}

/// Runs to the end with every answer given by `answer`.
pub(crate) fn drive(plan: &Arc<Plan>, payload: Value, mut answer: impl FnMut(&Ask) -> Answer) -> Run {
    let (mut traversal, mut ask) = Traversal::start(Arc::clone(plan), map(payload), AT);
    let mut calls = Vec::new();
    loop {
        if let Ask::Done(end) = ask {
            let events = traversal.drain_events().collect();
            return Run { end, events, calls };
        }
        let given = answer(&ask);
        if let Ask::Dispatch(step) = ask {
            calls.push(step);
        }
        ask = traversal.resume(given);
    }
}

/// Answers every call as it would be on a good day.
pub(crate) fn good(step: &StepAsk) -> Answer {
    match step.capability.as_ref() {
        "CS_SHELF_V0" => outcome("SUCCESS", json!({ "slot": 3 })),
        _ => outcome("SUCCESS", json!({ "stamp": "S1" })),
    }
}

/// A payload that goes through.
pub(crate) fn letter() -> Value {
    json!({ "letter": { "text": "dear", "kept": true } })
}
