//! One contract at one node: inputs, steps in order, atoms of molecules, the status at the end (P-17).
//!
//! It never touches the payload: what it puts out is collected and handed over when the contract ends.

use super::ask::StepAsk;
use super::scope::{Context, SlotScope, StepScope};
use crate::Map;
use crate::artifact::OnResult;
use crate::expr::{Expr, Scope, Unresolved};
use crate::plan::{CallPlan, ContractPlan, InputPlan, NodeIx, Op, StepPlan, TargetKind};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde_json::Value;

/// The status of a step that did what it was for; inside a molecule anything else ends it.
const SUCCESS: &str = "SUCCESS";
/// What a fault becomes first (P-21).
const BACKEND_ERROR: &str = "BACKEND_ERROR";
/// What the fault of a transform becomes when the contract knows no backend errors.
const VIOLATION: &str = "VIOLATION";

/// An input of the contract.
#[derive(Debug)]
pub(super) enum Slot {
    /// Optional and not there.
    Absent,
    /// A path that finds something; followed when needed, so that nothing is copied twice.
    Path,
    /// A value of its own.
    Built(Value),
}

/// A contract in progress.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    pub(super) inputs: Vec<Slot>,
    /// Mapped outputs of each finished step, always objects.
    pub(super) mapped: Vec<Value>,
    /// Raw outputs of each finished step with `result_status`; null where no later step reads them.
    pub(super) raw: Vec<Value>,
    /// The slots of the current step: its inputs, then what each operation gave.
    slots: Vec<Value>,
}

/// How far a contract got.
#[derive(Debug)]
pub(super) enum Progress {
    /// A call is needed.
    Call(StepAsk),
    /// It ended with an allowed status.
    Ended(Arc<str>),
    /// The protocol was violated; the stable code.
    Violation(&'static str),
}

impl Pipeline {
    /// Resolves the inputs of the contract and starts its first step.
    pub(super) fn start(context: &Context<'_>) -> (Self, Progress) {
        let mut pipeline = Self::default();
        let Some(contract) = context.contract() else {
            return (pipeline, Progress::Violation("missing_node"));
        };
        for input in &contract.inputs {
            match contract_input(input, context) {
                Ok(slot) => pipeline.inputs.push(slot),
                Err(Unresolved) => {
                    let progress = ended(contract, &contract.on_input_failure);
                    return (pipeline, progress);
                }
            }
        }
        let progress = pipeline.step(context, contract);
        (pipeline, progress)
    }

    /// Goes on with what the capability answered.
    pub(super) fn answered(&mut self, context: &Context<'_>, status: String, outputs: Map) -> Progress {
        let Some((contract, step)) = self.current(context) else {
            return Progress::Violation("missing_node");
        };
        let Some((call, last)) = self.call(step) else {
            return Progress::Violation("missing_node");
        };
        if step.molecule.is_some() {
            let declared = context.plan.targets.get(call.target).is_some_and(|target| target.statuses.contains(&status));
            if !declared {
                return Progress::Violation("undeclared_status");
            }
            if !last && status == SUCCESS {
                self.slots.push(Value::Object(outputs));
                return self.advance(context, contract, step);
            }
        }
        let outputs = match &step.molecule {
            Some(_) if status != SUCCESS => Map::new(),
            Some(declared) => outputs.into_iter().filter(|(key, _)| declared.contains(key)).collect(),
            None => outputs,
        };
        self.finish(context, contract, step, status, outputs)
    }

    /// The capability trapped, ran dry or answered nonsense: a status if the contract knows one, else a violation (P-21).
    pub(super) fn faulted(&mut self, context: &Context<'_>) -> Progress {
        let Some((contract, step)) = self.current(context) else {
            return Progress::Violation("missing_node");
        };
        let allows = |status: &str| contract.allowed.iter().any(|allowed| allowed.as_ref() == status);
        let status = if allows(BACKEND_ERROR) {
            BACKEND_ERROR
        } else if step.kind == TargetKind::Transform && allows(VIOLATION) {
            VIOLATION
        } else {
            return Progress::Violation("capability_fault");
        };
        let mut raw = Map::new();
        raw.insert(RESULT_STATUS.into(), Value::from(status));
        self.close(Value::Object(Map::new()), Value::Object(raw));
        self.go_on(context, contract, step, status)
    }

    /// Everything the steps put out, later steps last.
    pub(super) fn into_outputs(self) -> Vec<(String, Value)> {
        let objects = self.mapped.into_iter().filter_map(|mapped| if let Value::Object(map) = mapped { Some(map) } else { None });
        objects.flatten().collect()
    }

    fn current<'a>(&self, context: &Context<'a>) -> Option<(&'a ContractPlan, &'a StepPlan)> {
        let contract = context.contract()?;
        Some((contract, contract.steps.get(self.mapped.len())?))
    }

    /// The call that was asked last, and whether it is the last of its step. Operation `n` fills slot `n + 1`.
    fn call<'a>(&self, step: &'a StepPlan) -> Option<(&'a CallPlan, bool)> {
        let index = self.slots.len().checked_sub(1)?;
        match step.ops.get(index)? {
            Op::Call(call) => Some((call, self.slots.len() == step.ops.len())),
            Op::Enter(_) => None,
        }
    }

    /// Starts the next step.
    fn step(&mut self, context: &Context<'_>, contract: &ContractPlan) -> Progress {
        let Some(step) = contract.steps.get(self.mapped.len()) else {
            return Progress::Violation("missing_node");
        };
        let scope = StepScope { context, contract, pipeline: self, own: None };
        match object(&step.inputs, &scope) {
            Ok(inputs) => {
                self.slots.clear();
                self.slots.push(inputs);
                self.advance(context, contract, step)
            }
            Err(Unresolved) => ended(contract, &contract.on_input_failure),
        }
    }

    /// Runs the operations of a step up to the next call.
    fn advance(&mut self, context: &Context<'_>, contract: &ContractPlan, step: &StepPlan) -> Progress {
        while let Some(op) = self.slots.len().checked_sub(1).and_then(|index| step.ops.get(index)) {
            let scope = SlotScope { slots: &self.slots, at: context.at };
            match op {
                Op::Enter(inputs) => match object(inputs, &scope) {
                    Ok(inputs) => self.slots.push(inputs),
                    Err(Unresolved) => return ended(contract, &contract.on_input_failure),
                },
                Op::Call(call) => {
                    let inputs = match &call.inputs {
                        Some(inputs) => object(inputs, &scope),
                        None => Ok(self.slots.first_mut().map(Value::take).unwrap_or_default()),
                    };
                    return match inputs {
                        Ok(inputs) => Progress::Call(ask(call, inputs)),
                        Err(Unresolved) => ended(contract, &contract.on_input_failure),
                    };
                }
            }
        }
        Progress::Violation("missing_node")
    }

    /// A step has answered: checks its status, maps its outputs, decides what follows.
    fn finish(&mut self, context: &Context<'_>, contract: &ContractPlan, step: &StepPlan, status: String, mut outputs: Map) -> Progress {
        if !step.surface.contains(&status) {
            return Progress::Violation("undeclared_status");
        }
        outputs.insert(RESULT_STATUS.into(), Value::from(status.as_str()));
        let mut raw = Value::Object(outputs);
        let scope = StepScope { context, contract, pipeline: self, own: Some(&raw) };
        let mut mapped = Map::new();
        for output in step.outputs.iter().filter(|output| output.takes.is_none()) {
            if let Ok(Some(value)) = output.expr.resolve(&scope) {
                mapped.insert(output.key.clone(), value);
            }
        }
        let declared = step.status.as_ref().and_then(|expr| expr.resolve(&scope).ok().flatten());
        for output in &step.outputs {
            let taken = output.takes.as_ref().and_then(|member| raw.as_object_mut()?.remove(member));
            if let Some(value) = taken.filter(|value| !value.is_null()) {
                mapped.insert(output.key.clone(), value);
            }
        }
        self.close(Value::Object(mapped), if step.keeps_raw { raw } else { Value::Null });
        match declared {
            None => self.go_on(context, contract, step, &status),
            Some(Value::String(declared)) => self.go_on(context, contract, step, &declared),
            Some(_) => Progress::Violation("undeclared_status"),
        }
    }

    fn close(&mut self, mapped: Value, raw: Value) {
        self.mapped.push(mapped);
        self.raw.push(raw);
        self.slots.clear();
    }

    /// Continue or exit, as declared; after the last step there is nothing to continue with.
    fn go_on(&mut self, context: &Context<'_>, contract: &ContractPlan, step: &StepPlan, status: &str) -> Progress {
        match step.on_result.get(status) {
            Some(OnResult::Continue) if self.mapped.len() < contract.steps.len() => self.step(context, contract),
            Some(OnResult::Continue | OnResult::Exit) | None => ended(contract, status),
        }
    }
}

/// The member of raw outputs that holds the status.
const RESULT_STATUS: &str = "result_status";

/// The end of a contract: only an allowed status may leave it (P-18).
fn ended(contract: &ContractPlan, status: &str) -> Progress {
    match contract.allowed.iter().find(|allowed| allowed.as_ref() == status) {
        Some(allowed) => Progress::Ended(Arc::clone(allowed)),
        None => Progress::Violation("undeclared_status"),
    }
}

fn contract_input(input: &InputPlan<crate::plan::NodeRef>, context: &Context<'_>) -> Result<Slot, Unresolved> {
    let slot = match &input.expr {
        Expr::Reference(reference) => match context.find(reference, &[]) {
            Some(value) if !value.is_null() => Slot::Path,
            _ => Slot::Absent,
        },
        Expr::Timestamp | Expr::Literal(_) | Expr::Object(_) | Expr::List(_) => {
            input.expr.resolve(context)?.map_or(Slot::Absent, Slot::Built)
        }
    };
    if input.required && matches!(slot, Slot::Absent) { Err(Unresolved) } else { Ok(slot) }
}

/// The inputs of a call as an object; optional ones that find nothing are left out.
fn object<R>(inputs: &[InputPlan<R>], scope: &impl Scope<R>) -> Result<Value, Unresolved> {
    let mut object = Map::new();
    for input in inputs {
        match input.expr.resolve(scope)? {
            Some(value) => {
                object.insert(input.name.clone(), value);
            }
            None if input.required => return Err(Unresolved),
            None => {}
        }
    }
    Ok(Value::Object(object))
}

fn ask(call: &CallPlan, inputs: Value) -> StepAsk {
    StepAsk {
        node: NodeIx(0),
        step: 0,
        step_name: Arc::clone(&call.name),
        target: call.target,
        capability: Arc::clone(&call.capability),
        operation: Arc::clone(&call.operation),
        store: Arc::clone(&call.store),
        inputs,
    }
}
