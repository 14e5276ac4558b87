//! The plan of one workflow: every reference becomes a position, every expression is parsed, every step gets its target.
//!
//! The snapshot has been checked, so what fails here is about the binding; a missing artifact is reported all the same.

use super::report::{self, BindingReport, PHASE_BINDING};
use super::resolve::Stores;
use crate::Map;
use crate::artifact::{Artifact, Binding, Contract, ContractNode, InputField, Intent, Node, Step, Workflow};
use crate::canonical;
use crate::expr::{Expr, Time};
use crate::plan::{
    ContractPlan, Default, InputPlan, NodeRef, OutputPlan, Plan, PlanNode, Retain, StepPlan, StepRef, Target, TargetKind, Work,
};
use crate::snapshot::Snapshot;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde_json::{Value, json};

mod target;

/// What a build collects on the way.
pub(super) struct Builder<'a> {
    snapshot: &'a Snapshot,
    binding: &'a Binding,
    stores: &'a Stores,
    targets: Vec<Target>,
    intents: BTreeMap<String, Value>,
    secrets: BTreeSet<String>,
    /// Node → what the inputs of any node ask of its results.
    retained: BTreeMap<usize, Retain>,
}

/// Builds the plan.
pub(super) fn plan(
    snapshot: &Snapshot,
    workflow: &Workflow,
    binding: &Binding,
    params: &BTreeMap<String, String>,
    stores: &Stores,
) -> Result<Plan, Box<BindingReport>> {
    let dag = snapshot.dag(&workflow.code).ok_or_else(|| report::unknown_workflow(snapshot, &workflow.code))?.clone();
    let position: BTreeMap<&str, usize> = workflow.nodes.keys().enumerate().map(|(index, id)| (id.as_str(), index)).collect();
    let mut builder = Builder {
        snapshot,
        binding,
        stores,
        targets: Vec::new(),
        intents: BTreeMap::new(),
        secrets: BTreeSet::new(),
        retained: BTreeMap::new(),
    };
    let mut nodes = Vec::with_capacity(workflow.nodes.len());
    for (id, node) in &workflow.nodes {
        nodes.push(builder.node(id, node, &position, &workflow.code)?);
    }
    for (index, retain) in builder.retained {
        if let Some(node) = nodes.get_mut(index) {
            node.retain = retain;
        }
    }
    let start = *position.get(workflow.start.as_str()).ok_or_else(|| report::missing_artifact(&workflow.start, &workflow.code))?;
    let resolved = json!({
        "snapshot": snapshot.hash(), "workflow": workflow.code, "dag": dag.dag_id(), "binding": binding.code,
        "environment": binding.environment, "parameters": params, "targets": builder.targets,
    });
    Ok(Plan {
        digest: canonical::digest("enact plan v1", &resolved),
        snapshot: snapshot.hash().to_owned(),
        workflow: Arc::from(workflow.code.as_str()),
        binding_code: binding.code.clone(),
        environment: binding.environment.clone(),
        parameters: params.clone(),
        dag,
        targets: builder.targets,
        intents: builder.intents,
        secrets: builder.secrets,
        admission: workflow.admission.clone().unwrap_or_default(),
        start,
        nodes,
    })
}

/// Every capability that a workflow calls, molecules taken apart.
pub(super) fn capabilities(snapshot: &Snapshot, workflow: &Workflow) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for node in workflow.nodes.values() {
        let Node::Contract(node) = node else { continue };
        let Some(Artifact::Contract(contract)) = snapshot.artifact(&node.contract) else {
            continue;
        };
        for step in &contract.pipeline {
            target::atoms(snapshot, &step.capability, &mut codes);
        }
    }
    codes
}

impl Builder<'_> {
    fn node(&mut self, id: &str, node: &Node, position: &BTreeMap<&str, usize>, workflow: &str) -> Result<PlanNode, Box<BindingReport>> {
        let (work, next) = match node {
            Node::Intent(node) => {
                let Some(Artifact::Intent(intent)) = self.snapshot.artifact(&node.intent) else {
                    return Err(report::missing_artifact(&node.intent, workflow));
                };
                self.intents.insert(intent.code.clone(), intent.schema.clone());
                (Work::Intent { code: Arc::from(intent.code.as_str()), defaults: defaults(intent) }, Some(&node.next))
            }
            Node::Contract(node) => (Work::Contract(self.contract(node, position, workflow)?), Some(&node.next)),
            Node::Exit(exit) => (Work::Exit(exit.clone()), None),
        };
        let mut edges = Vec::new();
        for (status, to) in next.into_iter().flatten() {
            let to = *position.get(to.as_str()).ok_or_else(|| report::missing_artifact(to, workflow))?;
            edges.push((Arc::from(status.as_str()), to));
        }
        Ok(PlanNode { id: Arc::from(id), work, edges, retain: Retain::Nothing })
    }

    fn contract(
        &mut self,
        node: &ContractNode,
        position: &BTreeMap<&str, usize>,
        workflow: &str,
    ) -> Result<ContractPlan, Box<BindingReport>> {
        let Some(Artifact::Contract(contract)) = self.snapshot.artifact(&node.contract) else {
            return Err(report::missing_artifact(&node.contract, workflow));
        };
        self.secrets.extend(contract.secrets.iter().cloned());
        let mut inputs = Vec::new();
        for (name, field) in &contract.inputs {
            let given = node.inputs.get(name).unwrap_or(&Value::Null);
            let expr = Expr::parse(given, Time::Known, &mut |path| node_ref(path, position));
            expr.references(&mut |reference| self.retain(reference));
            inputs.push(InputPlan { name: name.clone(), required: field.required, expr });
        }
        let mut steps = Vec::with_capacity(contract.pipeline.len());
        for step in &contract.pipeline {
            steps.push(self.step(contract, step)?);
        }
        Ok(ContractPlan {
            inputs,
            outputs: contract.outputs.keys().cloned().collect(),
            allowed: contract.status.allowed.iter().map(|status| Arc::from(status.as_str())).collect(),
            on_input_failure: Arc::from(contract.status.on_input_failure.as_str()),
            steps,
        })
    }

    fn retain(&mut self, reference: &NodeRef) {
        let Some((node, path)) = &reference.result else {
            return;
        };
        let entry = self.retained.entry(*node).or_insert(Retain::Nothing);
        match (path.first(), entry) {
            (None, entry) => *entry = Retain::Everything,
            (Some(key), entry @ Retain::Nothing) => *entry = Retain::Keys(BTreeSet::from([key.clone()])),
            (Some(key), Retain::Keys(keys)) => {
                keys.insert(key.clone());
            }
            (Some(_), Retain::Everything) => {}
        }
    }

    fn step(&mut self, contract: &Contract, step: &Step) -> Result<StepPlan, Box<BindingReport>> {
        let declared = self.declared_inputs(step, &contract.code)?;
        let mut reference = |path| step_ref(path, contract);
        let inputs = inputs(&step.inputs, declared, &mut reference);
        let mut outputs: Vec<OutputPlan> = step
            .outputs
            .iter()
            .map(|(key, value)| OutputPlan { key: key.clone(), expr: Expr::parse(value, Time::Literal, &mut reference), takes: None })
            .collect();
        let status = step.status.as_ref().map(|value| Expr::parse(value, Time::Literal, &mut reference));
        let keeps_raw = reads_raw(contract, step);
        if !keeps_raw {
            take(&mut outputs, status.as_ref());
        }
        let (kind, ops, molecule) = self.ops(step, &contract.code)?;
        Ok(StepPlan {
            kind,
            inputs,
            outputs,
            status,
            keeps_raw,
            surface: step.surface.clone(),
            on_result: step.on_result.clone(),
            ops,
            molecule,
        })
    }

    fn declared_inputs(&self, step: &Step, contract: &str) -> Result<&BTreeMap<String, InputField>, Box<BindingReport>> {
        match self.snapshot.artifact(&step.capability) {
            Some(Artifact::Transform(transform)) => Ok(&transform.inputs),
            Some(Artifact::SideEffect(effect)) => {
                let operation = effect.operations.get(&step.operation);
                operation.map(|operation| &operation.inputs).ok_or_else(|| report::missing_artifact(&step.operation, contract))
            }
            _ => Err(report::missing_artifact(&step.capability, contract)),
        }
    }

    /// The store of a step: by entity, else by `*`, else none; a side effect that needs one may not go without (P-09).
    fn store(&self, step: &Step, needed: bool) -> Result<String, Box<BindingReport>> {
        let stores = self.stores.get(&step.capability).map(|filled| &filled.stores);
        let find = |name: &str| stores.and_then(|stores| stores.get(name)).cloned();
        let found = step.store.as_deref().and_then(find).or_else(|| find("*"));
        let refused = |code, detail: String| {
            Err(Box::new(BindingReport {
                code,
                phase: PHASE_BINDING,
                artifact: step.capability.clone(),
                binding: self.binding.code.clone(),
                check: "the step has a store",
                detail,
                available: stores.map(|stores| stores.keys().cloned().collect()).unwrap_or_default(),
                resolution: alloc::format!("add the entity or `*` to `bindings.{}.stores`", step.capability),
            }))
        };
        match (found, &step.store) {
            (Some(store), _) => Ok(store),
            (None, Some(entity)) if needed => refused("unknown_store", alloc::format!("step `{}` uses the store of `{entity}`", step.step)),
            (None, None) if needed => refused("unbound_store", alloc::format!("step `{}` needs a store", step.step)),
            (None, _) => Ok(String::new()),
        }
    }
}

/// Inputs of a step or an atom in the order of their names. What the capability does not declare is needed all the same: whoever wrote it
/// down meant it.
pub(super) fn inputs<R>(
    given: &Map,
    declared: &BTreeMap<String, InputField>,
    reference: &mut dyn FnMut(Vec<String>) -> R,
) -> Vec<InputPlan<R>> {
    let mut plans: Vec<InputPlan<R>> = given
        .iter()
        .map(|(name, value)| InputPlan {
            name: name.clone(),
            required: declared.get(name).is_none_or(|field| field.required),
            expr: Expr::parse(value, Time::Known, reference),
        })
        .collect();
    for (name, field) in declared {
        if field.required && !given.contains_key(name) {
            plans.push(InputPlan { name: name.clone(), required: true, expr: Expr::Literal(Value::Null) });
        }
    }
    plans
}

fn node_ref(path: Vec<String>, position: &BTreeMap<&str, usize>) -> NodeRef {
    let result = match path.as_slice() {
        [root, node, rest @ ..] if root == "results" => position.get(node.as_str()).map(|index| (*index, rest.to_vec())),
        _ => None,
    };
    NodeRef { result, payload: path }
}

fn step_ref(path: Vec<String>, contract: &Contract) -> StepRef {
    let step = |name: &String| contract.pipeline.iter().position(|step| step.step == *name);
    match path.as_slice() {
        [root] if root == "inputs" => StepRef::Inputs,
        [root, name, rest @ ..] if root == "inputs" => {
            contract.inputs.keys().position(|key| key == name).map_or(StepRef::Nothing, |index| StepRef::Input(index, rest.to_vec()))
        }
        [root, name, raw, rest @ ..] if root == "results" && raw == "capability_result" => {
            step(name).map_or(StepRef::Nothing, |index| StepRef::Raw(index, rest.to_vec()))
        }
        [root, name, rest @ ..] if root == "results" => step(name).map_or(StepRef::Nothing, |index| StepRef::Mapped(index, rest.to_vec())),
        [root, rest @ ..] if root == "capability_result" => StepRef::Own(rest.to_vec()),
        _ => StepRef::Nothing,
    }
}

/// Whether a later step reads the raw outputs of this one.
fn reads_raw(contract: &Contract, step: &Step) -> bool {
    let later = contract.pipeline.iter().skip_while(|other| other.step != step.step).skip(1);
    let mut values = later.flat_map(|other| other.inputs.values().chain(other.outputs.values()).chain(&other.status));
    values.any(|value| {
        let mut found = false;
        Expr::parse(value, Time::Literal, &mut |path| step_ref(path, contract)).references(&mut |reference| {
            found |=
                matches!(reference, StepRef::Raw(index, _) if contract.pipeline.get(*index).is_some_and(|read| read.step == step.step));
        });
        found
    })
}

/// Marks the outputs that may move their member out of the raw outputs: no other expression of the step reads it.
fn take(outputs: &mut [OutputPlan], status: Option<&Expr<StepRef>>) {
    let mut read: BTreeMap<String, usize> = BTreeMap::new();
    let mut whole = false;
    let mut count = |reference: &StepRef| {
        if let StepRef::Own(path) = reference {
            match path.first() {
                Some(member) => {
                    let times = read.entry(member.clone()).or_default();
                    *times = times.saturating_add(1);
                }
                None => whole = true,
            }
        }
    };
    outputs.iter().for_each(|output| output.expr.references(&mut count));
    if let Some(status) = status {
        status.references(&mut count);
    }
    for output in outputs.iter_mut().filter(|_| !whole) {
        if let Expr::Reference(StepRef::Own(path)) = &output.expr
            && let [member] = path.as_slice()
            && read.get(member) == Some(&1)
        {
            output.takes = Some(member.clone());
        }
    }
}

/// The defaults that a schema declares, outermost first: `properties.<name>.default`, and deeper where no default covers the whole.
fn defaults(intent: &Intent) -> Vec<Default> {
    let mut found = Vec::new();
    collect_defaults(&intent.schema, &mut Vec::new(), &mut found);
    found
}

fn collect_defaults(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Default>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(value) = property.get("default") {
            found.push(Default { path: path.clone(), value: value.clone() });
        }
        collect_defaults(property, path, found);
        path.pop();
    }
}

/// The kind of a capability by its prefix.
pub(super) fn kind_of(code: &str) -> TargetKind {
    if code.starts_with("CS_") { TargetKind::SideEffect } else { TargetKind::Transform }
}
