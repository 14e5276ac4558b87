//! The graph of one workflow: immutable, hashed, drawable.
//!
//! It knows nodes, edges and statuses. It knows no binding, no module and no expression, so no environment can change it.

use crate::artifact::{Artifact, ExitNode, Node, Workflow};
use crate::draw;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a node is, by the prefix of its id (P-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeType {
    /// `IN_…`: validates the payload.
    Intent,
    /// `CC_…`: runs a contract.
    CapabilityContract,
    /// `EXIT…`: ends the run.
    Exit,
}

impl NodeType {
    /// The name used in traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::CapabilityContract => "capability_contract",
            Self::Exit => "exit",
        }
    }
}

impl fmt::Display for NodeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DagNode {
    pub(crate) id: String,
    pub(crate) node_type: NodeType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    pub(crate) statuses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit: Option<ExitNode>,
}

impl DagNode {
    /// The id, unique in the workflow.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is.
    #[must_use]
    pub const fn node_type(&self) -> NodeType {
        self.node_type
    }

    /// The `IN_` or `CC_` behind it; none for an exit.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The statuses it may end with, sorted; empty for an exit.
    #[must_use]
    pub fn statuses(&self) -> &[String] {
        &self.statuses
    }

    /// What an exit declares; none for other nodes.
    #[must_use]
    pub const fn exit(&self) -> Option<&ExitNode> {
        self.exit.as_ref()
    }
}

/// One edge: followed when, and only when, `from` ends with `condition`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DagEdge {
    pub(crate) from: String,
    pub(crate) condition: String,
    pub(crate) to: String,
}

impl DagEdge {
    /// Where it starts.
    #[must_use]
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The one status that follows it (P-03).
    #[must_use]
    pub fn condition(&self) -> &str {
        &self.condition
    }

    /// Where it ends.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }
}

/// The graph of one workflow. There is no way to add to it or to take from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dag {
    dag_id: String,
    workflow_code: String,
    entry_nodes: Vec<String>,
    terminal_nodes: Vec<String>,
    nodes: Vec<DagNode>,
    edges: Vec<DagEdge>,
    behaviour_hash: String,
}

impl Dag {
    /// Builds the graph of a workflow whose references have been checked; what is missing shows as a node without statuses.
    pub(crate) fn build(workflow: &Workflow, artifacts: &BTreeMap<String, Artifact>) -> Self {
        let mut nodes = Vec::with_capacity(workflow.nodes.len());
        let mut edges = Vec::new();
        for (id, node) in &workflow.nodes {
            let (entry, next) = describe(id, node, artifacts);
            nodes.push(entry);
            for (condition, to) in next.into_iter().flatten() {
                edges.push(DagEdge { from: id.clone(), condition: condition.clone(), to: to.clone() });
            }
        }
        edges.sort();
        let terminal_nodes = nodes.iter().filter(|n| n.node_type == NodeType::Exit).map(|n| n.id.clone()).collect();
        let surface: Vec<_> = nodes.iter().map(|n| (&n.id, n.node_type, &n.statuses, &n.exit)).collect();
        let behaviour = serde_json::json!({ "start": workflow.start, "nodes": surface, "edges": edges });
        let mut dag = Self {
            dag_id: String::new(),
            workflow_code: workflow.code.clone(),
            entry_nodes: alloc::vec![workflow.start.clone()],
            terminal_nodes,
            nodes,
            edges,
            behaviour_hash: crate::canonical::digest("enact behaviour v1", &behaviour),
        };
        let structure = serde_json::json!({
            "workflow_code": dag.workflow_code, "entry_nodes": dag.entry_nodes, "terminal_nodes": dag.terminal_nodes,
            "nodes": dag.nodes, "edges": dag.edges,
        });
        dag.dag_id = crate::canonical::digest("enact dag v1", &structure);
        dag
    }

    /// `blake3:…` over the canonical structure.
    #[must_use]
    pub fn dag_id(&self) -> &str {
        &self.dag_id
    }

    /// The workflow it was compiled from.
    #[must_use]
    pub fn workflow_code(&self) -> &str {
        &self.workflow_code
    }

    /// Where a run begins; exactly one node.
    #[must_use]
    pub fn entry_nodes(&self) -> &[String] {
        &self.entry_nodes
    }

    /// The exits, sorted.
    #[must_use]
    pub fn terminal_nodes(&self) -> &[String] {
        &self.terminal_nodes
    }

    /// All nodes, sorted by id.
    #[must_use]
    pub fn nodes(&self) -> &[DagNode] {
        &self.nodes
    }

    /// All edges, sorted.
    #[must_use]
    pub fn edges(&self) -> &[DagEdge] {
        &self.edges
    }

    /// `blake3:…` over nodes, edges and statuses: what the workflow can do, whatever it is bound to (P-30).
    #[must_use]
    pub fn behaviour_hash(&self) -> &str {
        &self.behaviour_hash
    }

    /// The node with this id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&DagNode> {
        let index = self.nodes.binary_search_by(|node| node.id.as_str().cmp(id)).ok()?;
        self.nodes.get(index)
    }

    /// The node that `status` leads to from `from`.
    #[must_use]
    pub fn follow(&self, from: &str, status: &str) -> Option<&str> {
        let key = (from, status);
        let index = self.edges.binary_search_by(|edge| (edge.from.as_str(), edge.condition.as_str()).cmp(&key)).ok()?;
        self.edges.get(index).map(|edge| edge.to.as_str())
    }

    /// The graph as Mermaid text.
    #[must_use]
    pub fn mermaid(&self) -> String {
        draw::mermaid(self)
    }

    /// The graph as an SVG image, in layers from the start.
    #[must_use]
    pub fn svg(&self) -> String {
        draw::svg(self)
    }
}

type Edges<'a> = Option<&'a BTreeMap<String, String>>;

fn describe<'a>(id: &str, node: &'a Node, artifacts: &BTreeMap<String, Artifact>) -> (DagNode, Edges<'a>) {
    let id = id.to_owned();
    match node {
        Node::Intent(intent) => {
            let statuses = alloc::vec!["ACK".to_owned(), "NACK".to_owned()];
            let reference = Some(intent.intent.clone());
            (DagNode { id, node_type: NodeType::Intent, reference, statuses, exit: None }, Some(&intent.next))
        }
        Node::Contract(contract) => {
            let statuses = match artifacts.get(&contract.contract) {
                Some(Artifact::Contract(found)) => found.status.allowed.iter().cloned().collect(),
                _ => Vec::new(),
            };
            let reference = Some(contract.contract.clone());
            (DagNode { id, node_type: NodeType::CapabilityContract, reference, statuses, exit: None }, Some(&contract.next))
        }
        Node::Exit(exit) => {
            (DagNode { id, node_type: NodeType::Exit, reference: None, statuses: Vec::new(), exit: Some(exit.clone()) }, None)
        }
    }
}
