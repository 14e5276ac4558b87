//! The interpreter: walks one plan, asks a dispatcher for every answer, and keeps the evidence.
//!
//! Live run, audit and what-if are this one function with another [`Dispatch`]; nothing here reads a store or a clock by itself.
use std::sync::Arc;

use enact_core::hash::Digest;
use enact_core::receipt::{Admission, AdmissionFinding};
use enact_flow::Map;
use enact_flow::bind::Plan;
use enact_flow::traverse::{AdmitAsk, Answer, Ask, Event, StepAsk, Termination, Traversal};
use enact_wasm::{CallReport, Outcome, parse_outputs};

use crate::bound::{Bound, BoundTarget};
use crate::canonical;
use crate::transcript::{self, Step};

/// Class B: the outputs hold a number that readers do not agree on, or nest too deeply.
pub const OUTPUTS_NOT_CANONICAL: &str = "outputs_not_canonical";
/// Class B: the inputs that earlier steps made nest too deeply to be written down.
pub const INPUTS_NOT_CANONICAL: &str = "inputs_not_canonical";

/// Why a traversal stopped without an exit. Nothing of it may be committed.
#[derive(Debug)]
pub enum Interrupt {
    /// Class C: the engine's own bounds; no other engine need agree.
    Inconclusive { step: u32, capability: String, code: String },
    /// Class D: this machine; worth another attempt.
    Infrastructure { step: u32, capability: String, code: String },
    /// A dispatcher that compares found a difference.
    Diverged(Box<Divergence>),
    /// The engine could not go on.
    Engine(crate::error::EngineError),
}

/// The first difference between a recorded run and its re-execution.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Divergence {
    /// The node, or empty when the difference lies outside one.
    pub node: String,
    /// The step, counted from 0 over the whole run.
    pub step: Option<u32>,
    /// Which comparison failed.
    pub code: &'static str,
    /// What the record says.
    pub expected: serde_json::Value,
    /// What the re-execution gave.
    pub got: serde_json::Value,
}

/// Who answers what the traversal asks.
pub trait Dispatch {
    /// Looks for the events that an admission rule names.
    fn admit(&mut self, ask: &AdmitAsk) -> Result<Admission, Interrupt>;
    /// Calls a component.
    fn call(&mut self, target: &BoundTarget, ask: &StepAsk, inputs: &str) -> Result<CallReport, Interrupt>;
    /// Sees every finished step before the traversal goes on.
    fn finished(&mut self, ask: &StepAsk, step: &Step, outputs: &str) -> Result<(), Interrupt>;
    /// Sees structural events as they happen, to time them.
    fn event(&mut self, event: Event);
}

/// What a finished traversal leaves.
#[derive(Debug)]
pub struct Execution {
    /// How it ended, with the payload.
    pub termination: Termination,
    /// One element for each step.
    pub steps: Vec<Step>,
    /// Sum of the fuel of all answered calls.
    pub fuel_used: u64,
}

/// Walks `bound` from start to exit.
pub fn interpret(bound: &Bound, payload: Map, at: &str, dispatch: &mut dyn Dispatch) -> Result<Execution, Interrupt> {
    let plan: Arc<Plan> = Arc::clone(bound.plan());
    let (mut traversal, mut ask) = Traversal::start(plan, payload, at);
    let mut steps = Vec::new();
    let mut fuel_used = 0_u64;
    loop {
        for event in traversal.drain_events() {
            dispatch.event(event);
        }
        let answer = match ask {
            Ask::Done(termination) => {
                return Ok(Execution { termination, steps, fuel_used });
            }
            Ask::Admit(rule) => {
                let found = dispatch.admit(&rule)?;
                Answer::Admission { found_required: flags(&found.requires), found_forbidden: flags(&found.forbids) }
            }
            Ask::ValidateIntent { intent, .. } => Answer::Intent { valid: bound.accepts(&intent, traversal.payload()) },
            Ask::Dispatch(step) => {
                let (answer, record) = self::step(bound, &step, dispatch)?;
                let used = record.fuel.as_deref().and_then(|f| f.parse().ok()).unwrap_or(0);
                fuel_used = fuel_used.saturating_add(used);
                steps.push(record);
                answer
            }
        };
        ask = traversal.resume(answer);
    }
}

fn step(bound: &Bound, ask: &StepAsk, dispatch: &mut dyn Dispatch) -> Result<(Answer, Step), Interrupt> {
    let target = bound.target(ask.target).map_err(Interrupt::Engine)?;
    let Ok(inputs) = canonical::text(&ask.inputs) else {
        // Steps may nest what they were given; past the depth of canonical bytes there is nothing to call a component with.
        let input = transcript::input_hash(&ask.capability, &ask.operation, "");
        let record = trapped(ask, input, INPUTS_NOT_CANONICAL, Vec::new());
        dispatch.finished(ask, &record, "")?;
        return Ok((Answer::Fault { code: record.status.clone() }, record));
    };
    let input = transcript::input_hash(&ask.capability, &ask.operation, &inputs);
    if target.is_refused() {
        let record = trapped(ask, input, "refused_by_binding", Vec::new());
        dispatch.finished(ask, &record, "")?;
        return Ok((Answer::Fault { code: record.status.clone() }, record));
    }
    let report = dispatch.call(target, ask, &inputs)?;
    let (answer, record, outputs) = match report.outcome {
        Outcome::Ok { status, outputs } => match read_outputs(&outputs) {
            Ok(map) => {
                let record = Step {
                    target: index(ask.target),
                    input,
                    outcome: transcript::answer_hash(&status, &outputs),
                    status: status.clone(),
                    trap: false,
                    fuel: report.fuel_used.map(|f| f.to_string()),
                    calls: report.host_calls,
                };
                (Answer::Outcome { status, outputs: map }, record, outputs)
            }
            Err(code) => fault(ask, input, code, report.host_calls),
        },
        Outcome::Trap(code) => fault(ask, input, code.code(), report.host_calls),
        Outcome::Bound(code) => {
            return Err(Interrupt::Inconclusive { step: ask.step, capability: ask.capability.to_string(), code: code.code().to_owned() });
        }
        Outcome::Infra(code) => {
            return Err(Interrupt::Infrastructure { step: ask.step, capability: ask.capability.to_string(), code: code.code().to_owned() });
        }
    };
    dispatch.finished(ask, &record, &outputs)?;
    Ok((answer, record))
}

/// The outputs of a component as an object that has a canonical form.
fn read_outputs(text: &str) -> Result<Map, &'static str> {
    let outputs = serde_json::Value::Object(parse_outputs(text).map_err(|code| code.code())?);
    enact_core::canonical::admit_payload(&outputs).map_err(|_| OUTPUTS_NOT_CANONICAL)?;
    if let serde_json::Value::Object(map) = outputs { Ok(map) } else { Err(OUTPUTS_NOT_CANONICAL) }
}

fn fault(ask: &StepAsk, input: Digest, code: &str, calls: Vec<enact_wasm::HostCall>) -> (Answer, Step, String) {
    let record = trapped(ask, input, code, calls);
    (Answer::Fault { code: code.to_owned() }, record, String::new())
}

fn trapped(ask: &StepAsk, input: Digest, code: &str, calls: Vec<enact_wasm::HostCall>) -> Step {
    Step { target: index(ask.target), input, outcome: transcript::trap_hash(code), status: code.to_owned(), trap: true, fuel: None, calls }
}

fn flags(findings: &[AdmissionFinding]) -> Vec<bool> {
    findings.iter().map(|f| f.found).collect()
}

fn index(target: usize) -> u32 {
    u32::try_from(target).unwrap_or(u32::MAX)
}
