//! The kinds of artifact as types, and how one is read.
//!
//! Reading checks the shape of one file alone: unknown fields, prefixes, the code against the file stem. Whether artifacts fit
//! together is `compile`'s business. Governance (`LC_`, `AM_`, `AS_`, `QC_`, `DC_`, `VW_`) is carried and sealed, not understood: its members are the
//! business of whoever judges records.

use crate::Map;
use crate::problem::Problem;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod capability;
mod contract;
mod governance;
mod grant;
mod listener;
mod strict;

pub use capability::{Binding, Bound, Import, LimitOverrides, MoleculeStep, Operation, RESERVED_STORES, SideEffect, Transform};
pub use contract::{Contract, InputField, OnResult, OutputField, StatusContract, Step, ValueType};
pub use governance::Governance;
pub use grant::{
    FileGrant, FileMode, GRANT_ROWS_MAX, HttpGrant, OWN_FOLDERS, OutboxGrant, WorkflowGrant, is_plain_address, is_reserved, is_secret_name,
    is_token, server_spelling,
};
pub use listener::{Listener, Occasion};

/// Nesting that an artifact may have. Deeper is nothing a person wrote; it also bounds every recursive walk below.
pub const ARTIFACT_DEPTH_MAX: usize = 64;

/// Bytes of one artifact file: a hundred times the largest published one.
pub const ARTIFACT_BYTES_MAX: usize = 1 << 20;

/// Bytes of a code or a name: they go into every trace line and into file names.
pub const NAME_BYTES_MAX: usize = 128;

/// The status of a contract whose inputs could not be resolved, unless it names another one.
pub const VIOLATION: &str = "VIOLATION";

/// An artifact of any kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Artifact {
    /// `IN_`: what a payload must look like.
    Intent(Intent),
    /// `EV_`: a name for something that happened.
    Event(EventName),
    /// `WF_`: a graph of nodes.
    Workflow(Workflow),
    /// `CC_`: a pipeline of capability steps with declared outputs and statuses.
    Contract(Contract),
    /// `CT_`: a pure transform, or a linear list of them.
    Transform(Transform),
    /// `CS_`: a side effect with declared operations.
    SideEffect(SideEffect),
    /// `RB_`: which implementation serves which capability in one environment.
    Binding(Binding),
    /// `LC_`, `AM_`, `AS_`, `QC_`, `DC_`, `VW_`: what may be recorded, carried out and shown, opaque here.
    Governance(Governance),
    /// `LI_`: a run that follows from a record.
    Listener(Listener),
}

/// `IN_`: the JSON Schema (2020-12) of a payload. The schema itself is compiled and applied by whoever answers `ValidateIntent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Equal to the file stem.
    pub code: String,
    /// One sentence for people.
    pub summary: String,
    /// An object (or a boolean is refused): the schema of the payload.
    pub schema: Value,
}

/// `EV_`: an event that admission or an exit may name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventName {
    /// Equal to the file stem.
    pub code: String,
    /// One sentence for people.
    pub summary: String,
}

/// `WF_`: nodes and edges.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workflow {
    /// Equal to the file stem.
    pub code: String,
    /// One sentence for people.
    pub summary: String,
    /// The node where a run begins.
    pub start: String,
    /// The runtime binding used when a run names none.
    pub binding: String,
    /// Decided before the first node (P-34).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,
    /// Node id → node; the prefix of the id decides the type (P-02).
    pub nodes: BTreeMap<String, Node>,
}

/// Events that must, or must not, have been recorded before a run may start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// Every one of these must be found.
    #[serde(default)]
    pub requires: Vec<String>,
    /// None of these may be found.
    #[serde(default)]
    pub forbids: Vec<String>,
    /// Event → field of the recorded event → top-level member of the payload that must be equal to it.
    #[serde(default)]
    pub identity: BTreeMap<String, BTreeMap<String, String>>,
}

/// A node; which one follows from the prefix of its id.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Node {
    /// `IN_…`
    Intent(IntentNode),
    /// `CC_…`
    Contract(ContractNode),
    /// `EXIT…`
    Exit(ExitNode),
}

/// Validates the payload; `ACK` or `NACK`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentNode {
    /// The `IN_` artifact.
    pub intent: String,
    /// Exactly `ACK` and `NACK`.
    pub next: BTreeMap<String, String>,
}

/// Runs a contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractNode {
    /// The `CC_` artifact.
    pub contract: String,
    /// Contract input → expression over the payload.
    #[serde(default)]
    pub inputs: Map,
    /// Status → next node.
    pub next: BTreeMap<String, String>,
}

/// Ends a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExitNode {
    /// Declared class; absent means by the last edge (P-19).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ExitClass>,
    /// Declared reason; absent means by the last edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The `EV_` that this ending stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<String>,
}

/// What an exit may declare; aborts and timeouts are never declared, they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExitClass {
    /// The run did what it was for.
    Success,
    /// It did not.
    Failure,
}

impl Artifact {
    /// The code, equal to the file stem.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Intent(a) => &a.code,
            Self::Event(a) => &a.code,
            Self::Workflow(a) => &a.code,
            Self::Contract(a) => &a.code,
            Self::Transform(a) => &a.code,
            Self::SideEffect(a) => &a.code,
            Self::Binding(a) => &a.code,
            Self::Governance(a) => a.code(),
            Self::Listener(a) => &a.code,
        }
    }

    /// The sentence for people.
    #[must_use]
    pub fn summary(&self) -> &str {
        match self {
            Self::Intent(a) => &a.summary,
            Self::Event(a) => &a.summary,
            Self::Workflow(a) => &a.summary,
            Self::Contract(a) => &a.summary,
            Self::Transform(a) => &a.summary,
            Self::SideEffect(a) => &a.summary,
            Self::Binding(a) => &a.summary,
            Self::Governance(a) => a.summary(),
            Self::Listener(a) => &a.summary,
        }
    }

    /// The normal form that is hashed and sealed: defaults written out or left out, always the same way.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // Every map key is a string and every number came from JSON, so this cannot fail; a failure would show as a null artifact,
        // which no reader accepts.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// `blake3:…` over the canonical normal form.
    #[must_use]
    pub fn digest(&self) -> String {
        crate::canonical::digest("enact artifact v1", &self.to_value())
    }
}

/// Reads one artifact from the bytes of the file `<stem>.json`.
///
/// # Errors
/// One problem that names the place: not JSON, a duplicate or unknown member, an unknown prefix, a code that is not the stem.
pub fn parse(stem: &str, bytes: &[u8]) -> Result<Artifact, Problem> {
    if bytes.len() > ARTIFACT_BYTES_MAX {
        return Err(Problem::error("artifact_too_large", stem, "", format!("{} bytes; at most {ARTIFACT_BYTES_MAX}", bytes.len())));
    }
    let value = strict::value(bytes).map_err(|detail| Problem::error("not_json", stem, "", detail))?;
    from_value(stem, value)
}

/// Reads one artifact from a JSON value that is to be stored as `<stem>.json`.
///
/// # Errors
/// As [`parse`].
pub fn from_value(stem: &str, value: Value) -> Result<Artifact, Problem> {
    strict::check(&value).map_err(|(at, detail)| Problem::error("value_out_of_range", stem, at, detail))?;
    let code = value.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
    if code != stem {
        return Err(Problem::error("code_is_not_the_file_name", stem, "code", format!("code `{code}` in the file `{stem}.json`"))
            .with_hint("rename the file or the code; they must be equal"));
    }
    let prefix = code.split_inclusive('_').next().unwrap_or_default();
    if !is_code(&code) {
        return Err(Problem::error(
            "bad_code",
            stem,
            "code",
            format!(
                "`{code}` is not `<PREFIX>_<NAME>_V<n>` in capitals, digits and `_` with prefix IN, WF, CC, CT, CS, RB, EV, LC, AM, AS, LI, QC, DC or VW"
            ),
        ));
    }
    match prefix {
        "IN_" => typed(stem, value).map(Artifact::Intent),
        "EV_" => typed(stem, value).map(Artifact::Event),
        "WF_" => workflow(stem, value).map(Artifact::Workflow),
        "CC_" => typed(stem, value).map(Artifact::Contract),
        "CT_" => typed(stem, value).map(Artifact::Transform),
        "CS_" => typed(stem, value).map(Artifact::SideEffect),
        "RB_" => typed(stem, value).map(Artifact::Binding),
        "LI_" => typed(stem, value).map(Artifact::Listener),
        _ => Governance::read(stem, value).map(Artifact::Governance),
    }
}

/// Whether a code has one of the thirteen prefixes, a name and a version.
#[must_use]
pub fn is_code(code: &str) -> bool {
    let Some((prefix, rest)) = code.split_once('_') else {
        return false;
    };
    let Some((name, version)) = rest.rsplit_once("_V") else {
        return false;
    };
    matches!(prefix, "IN" | "WF" | "CC" | "CT" | "CS" | "RB" | "EV" | "LC" | "AM" | "AS" | "LI" | "QC" | "DC" | "VW")
        && code.len() <= NAME_BYTES_MAX
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && !version.is_empty()
        && version.bytes().all(|b| b.is_ascii_digit())
}

fn typed<T: DeserializeOwned>(stem: &str, value: Value) -> Result<T, Problem> {
    typed_at(stem, "", value)
}

fn typed_at<T: DeserializeOwned>(stem: &str, at: &str, value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| Problem::error("bad_shape", stem, at, error.to_string()))
}

/// The members of a workflow before its nodes are typed by prefix.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorkflow {
    code: String,
    summary: String,
    start: String,
    binding: String,
    #[serde(default)]
    admission: Option<Admission>,
    nodes: BTreeMap<String, Value>,
}

fn workflow(stem: &str, value: Value) -> Result<Workflow, Problem> {
    let raw: RawWorkflow = typed(stem, value)?;
    let mut nodes = BTreeMap::new();
    for (id, value) in raw.nodes {
        let at = format!("nodes.{id}");
        let node = match NodePrefix::of(&id) {
            Some(NodePrefix::Intent) => Node::Intent(typed_at(stem, &at, value)?),
            Some(NodePrefix::Contract) => Node::Contract(typed_at(stem, &at, value)?),
            Some(NodePrefix::Exit) => Node::Exit(typed_at(stem, &at, value)?),
            None => {
                return Err(Problem::error(
                    "unknown_prefix",
                    stem,
                    at,
                    format!("node `{id}` has no known prefix; known are `IN_`, `CC_` and `EXIT`"),
                ));
            }
        };
        nodes.insert(id, node);
    }
    Ok(Workflow { code: raw.code, summary: raw.summary, start: raw.start, binding: raw.binding, admission: raw.admission, nodes })
}

/// The three prefixes that a node id may have.
enum NodePrefix {
    Intent,
    Contract,
    Exit,
}

impl NodePrefix {
    fn of(id: &str) -> Option<Self> {
        if id.len() > NAME_BYTES_MAX {
            None
        } else if id.starts_with("IN_") {
            Some(Self::Intent)
        } else if id.starts_with("CC_") {
            Some(Self::Contract)
        } else if id.starts_with("EXIT") {
            Some(Self::Exit)
        } else {
            None
        }
    }
}
