//! A sealed protocol as the ledger names it: its hash is computed from what was given, so other rules are another protocol.

use std::collections::BTreeMap;

use enact_core::canonical;
use enact_core::govern::{Alone, Holds, Outside, Protocol, Undecided};
use enact_core::hash::Digest;
use serde::Deserialize;
use serde_json::{Value, json};

/// Domain of the hash of an artifact.
const ARTIFACT_CONTEXT: &str = "enact artifact v1";
/// Domain of the hash of a snapshot.
const SNAPSHOT_CONTEXT: &str = "enact snapshot v1";
/// The prefixes of the artifacts that say what may be recorded.
const GOVERNANCE: [&str; 5] = ["AM_", "AS_", "DC_", "LC_", "QC_"];

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

/// The protocols that were given, for what the judge asks of one that is to be adopted. Nothing executes components here.
pub(crate) struct Given<'a>(pub(crate) &'a BTreeMap<Digest, Protocol>);

impl Outside for Given<'_> {
    fn invariant(&self, module: &str, capability: &str, input: &Value) -> Result<Holds, Undecided> {
        Alone.invariant(module, capability, input)
    }

    fn redefined(&self, rules: &Protocol, next: &Digest) -> Result<Option<String>, Undecided> {
        match self.0.get(next) {
            Some(next) => Ok(rules.redefined(next)),
            None => Alone.redefined(rules, next),
        }
    }
}

fn digest(context: &str, value: &Value) -> Option<Digest> {
    let bytes = canonical::to_bytes(value).ok()?;
    Some(Digest::blake3(*blake3::Hasher::new_derive_key(context).update(&bytes).finalize().as_bytes()))
}
