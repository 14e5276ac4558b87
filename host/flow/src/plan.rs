//! A workflow with everything resolved: which module serves which step, in which store, under which limits.
//!
//! Built by `bind`, walked by `traverse`, never changed. It is what makes a run independent of files (P-05, P-08).

use crate::artifact::{Admission, ExitNode, FileGrant, HttpGrant, OnResult, OutboxGrant, WorkflowGrant};
use crate::dag::{Dag, NodeType};
use crate::expr::Expr;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::Serialize;
use serde_json::Value;

/// The position of a node in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NodeIx(pub(crate) u32);

impl NodeIx {
    /// The position as a number, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which of the two worlds a capability exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// `CT_`: pure, imports nothing.
    Transform,
    /// `CS_`: may use what it is granted.
    SideEffect,
}

/// Bounds of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Limits {
    /// Units of computation.
    pub fuel: u64,
    /// Bytes of linear memory and tables together.
    pub memory_bytes: u64,
    /// Bytes of the answer.
    pub output_bytes: u64,
    /// Requests to the host; the host's own bound when absent, and never more than that. Left out of a plan that says nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_calls: Option<u32>,
    /// Wall clock in milliseconds; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u32>,
}

impl Limits {
    /// What a capability gets when neither it nor its binding says otherwise: about a second of computation on a slow machine, the
    /// memory of a guest with an interpreter in it, and an answer that still fits a trace viewer.
    pub const DEFAULT: Self = Self { fuel: 500_000_000, memory_bytes: 64 << 20, output_bytes: 1 << 20, host_calls: None, wall_ms: None };
}

/// What one contract step, or one atom of a molecule, is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The `CT_` or `CS_` code that the module is called with.
    pub capability: String,
    /// Which world it exports.
    pub kind: TargetKind,
    /// The class of host that runs it.
    pub host: String,
    /// The name of the module; empty when the host class needs none.
    pub module: String,
    /// `blake3:…` of the module; empty when there is none.
    pub module_digest: String,
    /// The operation.
    pub operation: String,
    /// The host store with all parameters filled in; empty when the binding gives none.
    pub store: String,
    /// The host interfaces granted, sorted.
    pub grants: Vec<String>,
    /// The peers that `http` reaches. Left out of a plan that names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// The folders that `files` reaches, with all parameters filled in; likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileGrant>,
    /// The workflows that `workflow` may ask for; likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workflow: Vec<WorkflowGrant>,
    /// To whom `outbox` may write; likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<OutboxGrant>,
    /// Bounds of each call.
    pub limits: Limits,
    /// The statuses that the capability may return, sorted.
    pub statuses: Vec<String>,
}

/// A bound workflow.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) digest: String,
    pub(crate) snapshot: String,
    pub(crate) workflow: Arc<str>,
    pub(crate) binding_code: String,
    pub(crate) environment: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) dag: Dag,
    pub(crate) targets: Vec<Target>,
    pub(crate) intents: BTreeMap<String, Value>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) admission: Admission,
    pub(crate) start: usize,
    pub(crate) nodes: Vec<PlanNode>,
}

/// One node, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct PlanNode {
    pub(crate) id: Arc<str>,
    pub(crate) work: Work,
    /// Status → node. A handful at most, so a scan beats a map.
    pub(crate) edges: Vec<(Arc<str>, usize)>,
    pub(crate) retain: Retain,
}

/// What a node does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Intent { code: Arc<str>, defaults: Vec<Default> },
    Contract(ContractPlan),
    Exit(ExitNode),
}

/// A declared default of a schema: where it goes and what it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Default {
    pub(crate) path: Vec<String>,
    pub(crate) value: Value,
}

/// What later nodes will ask for through `$.results.<node>`; everything else is not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Retain {
    Nothing,
    Keys(BTreeSet<String>),
    Everything,
}

/// A contract at a node.
#[derive(Clone, Debug)]
pub(crate) struct ContractPlan {
    pub(crate) inputs: Vec<InputPlan<NodeRef>>,
    pub(crate) outputs: BTreeSet<String>,
    pub(crate) allowed: Vec<Arc<str>>,
    pub(crate) on_input_failure: Arc<str>,
    pub(crate) steps: Vec<StepPlan>,
}

/// One input of a contract, a step or an atom.
#[derive(Clone, Debug)]
pub(crate) struct InputPlan<R> {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) expr: Expr<R>,
}

/// One mapped output of a step.
#[derive(Clone, Debug)]
pub(crate) struct OutputPlan {
    pub(crate) key: String,
    pub(crate) expr: Expr<StepRef>,
    /// The member of the raw outputs that can be moved here, because nothing else reads it.
    pub(crate) takes: Option<String>,
}

/// A step of a contract.
#[derive(Clone, Debug)]
pub(crate) struct StepPlan {
    pub(crate) kind: TargetKind,
    pub(crate) inputs: Vec<InputPlan<StepRef>>,
    pub(crate) outputs: Vec<OutputPlan>,
    pub(crate) status: Option<Expr<StepRef>>,
    /// Whether a later step reads the raw outputs.
    pub(crate) keeps_raw: bool,
    pub(crate) surface: BTreeSet<String>,
    pub(crate) on_result: BTreeMap<String, OnResult>,
    /// One call for an atom; entries and calls in order for a molecule.
    pub(crate) ops: Vec<Op>,
    /// For a molecule: the outputs it declares.
    pub(crate) molecule: Option<BTreeSet<String>>,
}

/// One operation of a step. Every operation fills the next slot; slot 0 holds the inputs of the step.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Fills the slot with the inputs of a nested molecule.
    Enter(Vec<InputPlan<SlotRef>>),
    /// Fills the slot with what a capability answers.
    Call(CallPlan),
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct CallPlan {
    pub(crate) name: Arc<str>,
    pub(crate) target: usize,
    pub(crate) capability: Arc<str>,
    pub(crate) operation: Arc<str>,
    pub(crate) store: Arc<str>,
    /// None for a plain step: its inputs are slot 0 as it is.
    pub(crate) inputs: Option<Vec<InputPlan<SlotRef>>>,
}

/// A path in the inputs of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeRef {
    /// `$.results.<node>.…`: the node and the path below it.
    pub(crate) result: Option<(usize, Vec<String>)>,
    /// The same path in the payload.
    pub(crate) payload: Vec<String>,
}

/// A path in a step of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StepRef {
    /// `$.inputs`
    Inputs,
    /// `$.inputs.<name>.…`: the position of the input.
    Input(usize, Vec<String>),
    /// `$.results.<step>.…`: mapped outputs.
    Mapped(usize, Vec<String>),
    /// `$.results.<step>.capability_result.…`: raw outputs.
    Raw(usize, Vec<String>),
    /// `$.capability_result.…`: raw outputs of this step.
    Own(Vec<String>),
    /// Anything else finds nothing.
    Nothing,
}

/// A path in an atom of a molecule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SlotRef {
    /// A slot and the path below it.
    At(usize, Vec<String>),
    /// Anything else finds nothing.
    Nothing,
}

impl Plan {
    /// `blake3:…` over everything resolved: graph, snapshot, binding, parameters and every target.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The hash of the snapshot it was made from.
    #[must_use]
    pub fn snapshot(&self) -> &str {
        &self.snapshot
    }

    /// The workflow code.
    #[must_use]
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// The `RB_` that was used.
    #[must_use]
    pub fn binding_code(&self) -> &str {
        &self.binding_code
    }

    /// Its environment.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// The parameters that were filled in.
    #[must_use]
    pub const fn parameters(&self) -> &BTreeMap<String, String> {
        &self.parameters
    }

    /// The graph.
    #[must_use]
    pub const fn dag(&self) -> &Dag {
        &self.dag
    }

    /// One entry per contract step or atom of a molecule; `StepAsk::target` is a position in it.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The `IN_` codes of this workflow with their schemas.
    pub fn intents(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.intents.iter().map(|(code, schema)| (code.as_str(), schema))
    }

    /// The schema of one intent.
    #[must_use]
    pub fn intent_schema(&self, code: &str) -> Option<&Value> {
        self.intents.get(code)
    }

    /// The names of fields whose values are never to be shown, from every contract of the workflow.
    #[must_use]
    pub const fn secrets(&self) -> &BTreeSet<String> {
        &self.secrets
    }

    /// The id of a node.
    #[must_use]
    pub fn node_id(&self, node: NodeIx) -> &str {
        self.nodes.get(node.index()).map_or("", |node| &node.id)
    }

    /// The type of a node.
    #[must_use]
    pub fn node_type(&self, node: NodeIx) -> Option<NodeType> {
        self.nodes.get(node.index()).map(PlanNode::node_type)
    }
}

impl PlanNode {
    pub(crate) const fn node_type(&self) -> NodeType {
        match self.work {
            Work::Intent { .. } => NodeType::Intent,
            Work::Contract(_) => NodeType::CapabilityContract,
            Work::Exit(_) => NodeType::Exit,
        }
    }

    pub(crate) fn follow(&self, status: &str) -> Option<usize> {
        self.edges.iter().find(|(condition, _)| condition.as_ref() == status).map(|(_, to)| *to)
    }
}
