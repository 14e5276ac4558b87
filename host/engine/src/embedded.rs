//! The packs and components that ship inside the binary, and the catalogue of what they serve.
//!
//! First-party components are not special: they pass the same admission as anyone's before they run.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::admission::Manifest;

mod bytes {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// The limits a module asks for when it serves one code.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct AskedLimits {
    /// Fuel units for one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Linear memory of one call, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Length of the answered JSON text, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

/// One embedded artifact: pack, code and bytes.
pub fn artifacts() -> impl Iterator<Item = (&'static str, &'static str, &'static [u8])> {
    bytes::ARTIFACTS.iter().copied()
}

/// Example files of the embedded packs that tell a story: pack, file name and bytes.
pub fn examples() -> impl Iterator<Item = (&'static str, &'static str, &'static [u8])> {
    bytes::EXAMPLES.iter().copied()
}

/// Embedded packs: name and `pack.json`.
pub fn packs() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    bytes::PACKS.iter().copied()
}

/// Embedded components: module name and bytes.
pub fn modules() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    bytes::MODULES.iter().copied()
}

/// Manifests of the embedded components. One that does not parse is a defect of the build, found by a test.
pub fn manifests() -> Result<Vec<Manifest>, serde_json::Error> {
    bytes::MANIFESTS.iter().map(|(_, bytes)| serde_json::from_slice(bytes)).collect()
}

/// Which embedded module serves a code.
pub fn catalogue() -> Result<BTreeMap<String, String>, serde_json::Error> {
    let mut codes = BTreeMap::new();
    for manifest in manifests()? {
        for code in manifest.codes.into_keys() {
            codes.insert(code, manifest.module.clone());
        }
    }
    Ok(codes)
}
