//! What a capability and its binding say: transforms, side effects, limits, grants, stores.

use super::contract::{InputField, OutputField};
use super::grant::{FileGrant, HttpGrant, OutboxGrant, WorkflowGrant};
use crate::Map;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How names of the host's own stores begin. No binding names one.
pub const RESERVED_STORES: &str = "enact:";

/// Bounds of one call of a component; what is absent falls back to the next wider default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitOverrides {
    /// Units of computation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Bytes of linear memory and tables together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Requests to the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_calls: Option<u32>,
    /// Wall clock, in milliseconds: a watchdog, whose firing is nobody's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u32>,
}

impl LimitOverrides {
    /// Most memory that a call can be given: what each place in the pool has.
    pub const MEMORY_BYTES_MAX: u64 = 64 << 20;
    /// Longest answer that is taken.
    pub const OUTPUT_BYTES_MAX: u64 = 8 << 20;
    /// Longest time that a call can be given.
    pub const WALL_MS_MAX: u32 = 10_000;

    /// What is wrong with them, if anything: a limit that no call can keep, or that none is ever held to.
    ///
    /// # Errors
    /// In a few words.
    pub fn check(&self) -> Result<(), String> {
        let limits = [
            ("fuel", self.fuel, u64::MAX),
            ("memory_bytes", self.memory_bytes, Self::MEMORY_BYTES_MAX),
            ("output_bytes", self.output_bytes, Self::OUTPUT_BYTES_MAX),
            ("wall_ms", self.wall_ms.map(u64::from), Self::WALL_MS_MAX.into()),
        ];
        let wrong = limits.into_iter().find(|(_, limit, most)| limit.is_some_and(|limit| limit == 0 || limit > *most));
        match wrong {
            Some((name, _, u64::MAX)) => Err(format!("`{name}` is at least 1")),
            Some((name, _, most)) => Err(format!("`{name}` is between 1 and {most}")),
            None => Ok(()),
        }
    }
}

/// `CT_`: an atom (one component call), or with `steps` a molecule (P-32).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Equal to the file stem.
    pub code: String,
    /// One sentence for people.
    pub summary: String,
    /// What a step supplies.
    #[serde(default)]
    pub inputs: BTreeMap<String, InputField>,
    /// What it answers with.
    #[serde(default)]
    pub outputs: BTreeMap<String, OutputField>,
    /// The statuses it may return.
    pub statuses: BTreeSet<String>,
    /// The one operation it has.
    pub operation: String,
    /// Bounds of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitOverrides>,
    /// The atoms of a molecule, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<MoleculeStep>>,
}

/// One atom in a molecule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoleculeStep {
    /// Unique within the molecule.
    pub name: String,
    /// Another `CT_`.
    pub capability: String,
    /// Its inputs, over `$.inputs.x` and `$.results.<name>.<key>`.
    #[serde(default)]
    pub inputs: Map,
}

/// `CS_`: a side effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideEffect {
    /// Equal to the file stem.
    pub code: String,
    /// One sentence for people.
    pub summary: String,
    /// The closed set of operations (P-33).
    pub operations: BTreeMap<String, Operation>,
    /// The host interfaces it needs.
    #[serde(default)]
    pub imports: BTreeSet<Import>,
    /// Bounds of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitOverrides>,
    /// Whether it may only carry out what a lifecycle lists under `effects` (B-36).
    #[serde(default, skip_serializing_if = "is_false")]
    pub governed: bool,
}

/// One operation of a side effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// What a step supplies.
    #[serde(default)]
    pub inputs: BTreeMap<String, InputField>,
    /// What it answers with.
    #[serde(default)]
    pub outputs: BTreeMap<String, OutputField>,
    /// The statuses it may return.
    pub statuses: BTreeSet<String>,
}

/// A host interface that a side effect may be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Import {
    /// Insert-once keys.
    Registry,
    /// Versioned documents.
    Table,
    /// Append-only records.
    Log,
    /// The recorded clock.
    Clock,
    /// Recorded randomness.
    Random,
    /// HTTP to the peers that the row names.
    Http,
    /// Files of the folders that the row names.
    Files,
    /// WASI 0.2, with nothing of the machine behind it.
    Wasi,
    /// Requests for the workflows that the row names.
    Workflow,
    /// Messages to those whom the row names.
    Outbox,
}

impl Import {
    /// The name used in artifacts and grants.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Table => "table",
            Self::Log => "log",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Http => "http",
            Self::Files => "files",
            Self::Wasi => "wasi",
            Self::Workflow => "workflow",
            Self::Outbox => "outbox",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
pub(super) const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// `RB_`: one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Equal to the file stem.
    pub code: String,
    /// One sentence for people.
    pub summary: String,
    /// `development`, `production`, …
    pub environment: String,
    /// The names that stores may use as `{{name}}` (P-10).
    #[serde(default)]
    pub parameters: BTreeSet<String>,
    /// Capability code → implementation.
    pub bindings: BTreeMap<String, Bound>,
}

/// The implementation of one capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// The class of host that runs it; the set is closed (P-09).
    pub host: String,
    /// The module that serves it; needed by every class but `refused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Entity, or `*` for every other, → store, with `{{parameter}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<String, String>,
    /// The host interfaces granted; nothing is granted by default.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub grants: BTreeSet<Import>,
    /// The peers that `http` reaches; none by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// The folders that `files` reaches; none by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileGrant>,
    /// The workflows that `workflow` may ask for; none by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workflow: Vec<WorkflowGrant>,
    /// To whom `outbox` may write; to nobody by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<OutboxGrant>,
    /// Overrides the limits of the capability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitOverrides>,
}
