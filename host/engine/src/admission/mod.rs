//! How a stranger's module is taken in: measured, compiled and tried in a process that can be ended, then recorded in the ledger.
//!
//! ```text
//! bytes ─► [child: bounds, validation, purity, compilation, vectors on two engines] ─► Examined ─► MODULE record ─► ratified ─► bindable
//! ```
//!
//! Four questions, each with its own place: [`vectors`] what the author promises, [`rehearsal`] against which world it is tried, `child` what
//! it is, [`record`] whether this ledger has admitted it. A child that is ended says nothing about the module.
pub mod catalog;
pub(crate) mod child;
pub mod exchange;
pub mod grants;
pub mod intake;
pub mod record;
pub mod rehearsal;
pub mod vectors;
mod warden;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use child::serve;
pub use intake::{Intake, Paths, Provenance};
pub use record::Reliance;
pub use vectors::{Given, Tried, Vector, Vectors};
pub(crate) use warden::compiler;
pub use warden::{COMMAND, Examination, examine, isolate};

use crate::embedded::AskedLimits;

/// Bytes of a module file that are read at all: twice what the wider profile admits, so that one that is over it learns by how much.
pub const MODULE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a manifest or of a file of vectors.
pub const SIDE_FILE_BYTES_MAX: u64 = 4 << 20;

/// What a module was found to be: everything that its record says, and nothing that differs between two machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examined {
    /// `blake3:` and the hash of the file.
    pub digest: String,
    /// SHA-256 of the file in lower case hexadecimal.
    pub sha256: String,
    /// Bytes of the file.
    pub size: u64,
    /// `transform` or `side-effect`.
    pub world: String,
    /// Interfaces that it needs to be granted, sorted.
    pub imports: Vec<String>,
    /// The interfaces of WASI among its imports, in full: granted together as `wasi`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wasi: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// The bounds that it fits: `strict` or `standard`.
    pub profile: String,
    /// Why it cannot touch the world; absent for a side effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purity: Option<Purity>,
    /// What came of the author's own vectors.
    pub conformance: Conformance,
    /// Under which rules it was compiled and tried: digest of the engine's fingerprint.
    pub engine: String,
}

/// The three findings of [`enact_wasm::PurityProof`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purity {
    /// Imports of the component's type.
    pub component_imports: u64,
    /// Import entries at the root of the binary.
    pub import_entries: u64,
    /// Imports of the core modules inside, which can only be given what is inside.
    pub inner_imports: u64,
    /// It was linked with a linker in which nothing is defined.
    pub linked_with_nothing: bool,
}

/// How many promises were kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conformance {
    /// Vectors tried, each three times: twice compiled, once interpreted.
    pub vectors: u64,
    /// Fuel of all of them, the same each time.
    pub fuel: u64,
    /// Digest of the file of vectors; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What an author says of a module, in `manifest.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name.
    pub module: String,
    /// `transform` or `side-effect`.
    pub world: String,
    /// Codes that it serves, with the limits that the author found sufficient.
    #[serde(default)]
    pub codes: BTreeMap<String, AskedLimits>,
}

/// One reason not to admit it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable code.
    pub code: String,
    /// What was found and what is allowed.
    pub detail: String,
    /// Offset in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// What an author can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
