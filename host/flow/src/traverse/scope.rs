//! What paths find: in the payload for a node, in inputs and results for a step, in slots for a molecule.

use super::pipeline::{Pipeline, Slot};
use crate::Map;
use crate::expr::{Expr, Scope, walk, walk_map};
use crate::plan::{ContractPlan, NodeRef, Plan, SlotRef, StepRef, Work};
use alloc::collections::BTreeMap;
use alloc::string::String;
use serde_json::Value;

/// What a contract node sees: the payload, what earlier nodes put out, and the time of the run.
pub(super) struct Context<'a> {
    pub(super) plan: &'a Plan,
    pub(super) node: usize,
    pub(super) payload: &'a Map,
    pub(super) results: &'a BTreeMap<usize, Value>,
    pub(super) at: &'a str,
}

impl<'a> Context<'a> {
    pub(super) fn contract(&self) -> Option<&'a ContractPlan> {
        match &self.plan.nodes.get(self.node)?.work {
            Work::Contract(contract) => Some(contract),
            Work::Intent { .. } | Work::Exit(_) => None,
        }
    }

    /// The value below a reference, without copying it. Once a node has ended, its results are the view and no caller can forge them;
    /// before that, and for anything else, the path is one of the payload.
    pub(super) fn find(&self, reference: &NodeRef, rest: &[String]) -> Option<&'a Value> {
        let result = reference.result.as_ref();
        let seen = result.and_then(|(node, path)| Some((self.results.get(node)?, path)));
        let found = match seen {
            Some((results, path)) => walk(results, path),
            None => walk_map(self.payload, &reference.payload),
        };
        walk(found?, rest)
    }
}

impl Scope<NodeRef> for Context<'_> {
    fn fetch(&self, reference: &NodeRef) -> Option<Value> {
        self.find(reference, &[]).cloned()
    }

    fn at(&self) -> &str {
        self.at
    }
}

/// What a step sees.
pub(super) struct StepScope<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) contract: &'a ContractPlan,
    pub(super) pipeline: &'a Pipeline,
    /// The raw outputs of this step, once it has answered.
    pub(super) own: Option<&'a Value>,
}

impl StepScope<'_> {
    fn input(&self, index: usize, rest: &[String]) -> Option<Value> {
        match self.pipeline.inputs.get(index)? {
            Slot::Absent => None,
            Slot::Built(value) => walk(value, rest).cloned(),
            // The payload does not change while a contract runs, so a path can be followed when it is needed.
            Slot::Path => match &self.contract.inputs.get(index)?.expr {
                Expr::Reference(reference) => self.context.find(reference, rest).cloned(),
                Expr::Timestamp | Expr::Literal(_) | Expr::Object(_) | Expr::List(_) => None,
            },
        }
    }

    fn all_inputs(&self) -> Value {
        let named = self.contract.inputs.iter().enumerate();
        Value::Object(named.filter_map(|(index, input)| Some((input.name.clone(), self.input(index, &[])?))).collect())
    }
}

impl Scope<StepRef> for StepScope<'_> {
    fn fetch(&self, reference: &StepRef) -> Option<Value> {
        match reference {
            StepRef::Inputs => Some(self.all_inputs()),
            StepRef::Input(index, rest) => self.input(*index, rest),
            StepRef::Mapped(step, rest) => walk(self.pipeline.mapped.get(*step)?, rest).cloned(),
            StepRef::Raw(step, rest) => walk(self.pipeline.raw.get(*step)?, rest).cloned(),
            StepRef::Own(rest) => walk(self.own?, rest).cloned(),
            StepRef::Nothing => None,
        }
    }

    fn at(&self) -> &str {
        self.context.at
    }
}

/// What an atom of a molecule sees.
pub(super) struct SlotScope<'a> {
    pub(super) slots: &'a [Value],
    pub(super) at: &'a str,
}

impl Scope<SlotRef> for SlotScope<'_> {
    fn fetch(&self, reference: &SlotRef) -> Option<Value> {
        match reference {
            SlotRef::At(slot, rest) => walk(self.slots.get(*slot)?, rest).cloned(),
            SlotRef::Nothing => None,
        }
    }

    fn at(&self) -> &str {
        self.at
    }
}
