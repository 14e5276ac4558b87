//! A sealed protocol as the ledger names it: its hash is computed from what was given, so other rules are another protocol.

use std::collections::BTreeMap;

use enact_core::canonical;
use enact_core::govern::Protocol;
use enact_core::hash::Digest;
use serde::Deserialize;
use serde_json::{Value, json};

/// Domain of the hash of an artifact.
const ARTIFACT_CONTEXT: &str = "enact artifact v1";
/// Domain of the hash of a snapshot.
const SNAPSHOT_CONTEXT: &str = "enact snapshot v1";
/// The prefixes of the artifacts that say what may be recorded.
const GOVERNANCE: [&str; 3] = ["AM_", "AS_", "LC_"];

/// A `protocol.lock`. The hash that it claims is not looked at.
#[derive(Deserialize)]
pub(crate) struct Lock {
    artifacts: BTreeMap<String, Value>,
    modules: BTreeMap<String, String>,
}

impl Lock {
    /// The rules under their hash; nothing when they do not compile.
    pub(crate) fn rules(&self) -> Option<(Digest, Protocol)> {
        let mut listed = Vec::with_capacity(self.artifacts.len());
        for (code, artifact) in &self.artifacts {
            listed.push((code, digest(ARTIFACT_CONTEXT, artifact)?.to_string()));
        }
        let hash = digest(SNAPSHOT_CONTEXT, &json!({ "artifacts": listed, "modules": self.modules }))?;
        let governance = self.artifacts.iter().filter(|(code, _)| GOVERNANCE.iter().any(|prefix| code.starts_with(prefix)));
        Some((hash, Protocol::compile(hash, governance.map(|(code, value)| (code.as_str(), value))).ok()?))
    }
}

fn digest(context: &str, value: &Value) -> Option<Digest> {
    let bytes = canonical::to_bytes(value).ok()?;
    Some(Digest::blake3(*blake3::Hasher::new_derive_key(context).update(&bytes).finalize().as_bytes()))
}
