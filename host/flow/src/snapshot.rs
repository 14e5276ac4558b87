//! A sealed set of artifacts: checked once, hashed, never changed.
//!
//! Everything a run needs is in here (P-05). It holds no binding to an environment; `bind` makes a plan from it.

use crate::artifact::{self, Artifact, Listener, Workflow};
use crate::canonical;
use crate::compile::compile;
use crate::dag::Dag;
use crate::problem::Problem;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Deserialize;
use serde_json::{Value, json};

/// A checked, immutable set of artifacts with the digests of the modules that serve them.
#[derive(Clone, Debug)]
pub struct Snapshot {
    hash: String,
    artifacts: BTreeMap<String, Artifact>,
    modules: BTreeMap<String, String>,
    dags: BTreeMap<String, Dag>,
}

/// The only version of the lock format.
const LOCK_VERSION: u64 = 1;

/// The members of a lock file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    v: u64,
    hash: String,
    artifacts: BTreeMap<String, Value>,
    modules: BTreeMap<String, String>,
}

impl Snapshot {
    /// Seals artifacts that have been checked.
    pub(crate) fn seal(artifacts: BTreeMap<String, Artifact>, modules: BTreeMap<String, String>) -> Self {
        let listed: Vec<(&String, String)> = artifacts.iter().map(|(code, artifact)| (code, artifact.digest())).collect();
        let hash = canonical::digest("enact snapshot v1", &json!({ "artifacts": listed, "modules": modules }));
        let dags = artifacts
            .values()
            .filter_map(|artifact| if let Artifact::Workflow(w) = artifact { Some(w) } else { None })
            .map(|workflow| (workflow.code.clone(), Dag::build(workflow, &artifacts)))
            .collect();
        Self { hash, artifacts, modules, dags }
    }

    /// `blake3:…` over the sorted list of (code, artifact hash) and the module digests.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The lock file: canonical JSON, byte-identical for the same sources (P-31).
    #[must_use]
    pub fn to_lock(&self) -> Vec<u8> {
        let artifacts: BTreeMap<&String, Value> = self.artifacts.iter().map(|(code, artifact)| (code, artifact.to_value())).collect();
        canonical::to_bytes(&json!({ "v": LOCK_VERSION, "hash": self.hash, "artifacts": artifacts, "modules": self.modules }))
    }

    /// Reads a lock file, compiles and checks it again, and compares the hash.
    ///
    /// # Errors
    /// The first problem: not canonical, does not compile, or not the hash that it claims.
    pub fn from_lock(bytes: &[u8]) -> Result<Self, Problem> {
        let refuse = |code, detail: String| Problem::error(code, "protocol.lock", "", detail);
        let lock: Lock = serde_json::from_slice(bytes).map_err(|error| refuse("bad_lock", error.to_string()))?;
        if lock.v != LOCK_VERSION {
            return Err(refuse("bad_lock", format!("lock version {}; this reader knows {LOCK_VERSION}", lock.v)));
        }
        let mut artifacts = Vec::with_capacity(lock.artifacts.len());
        for (code, value) in lock.artifacts {
            artifacts.push(artifact::from_value(&code, value)?);
        }
        let snapshot = compile(&artifacts, &lock.modules)
            .map_err(|problems| problems.into_iter().next().unwrap_or_else(|| refuse("bad_lock", "it does not compile".to_owned())))?;
        if snapshot.hash != lock.hash {
            let detail = format!("it claims `{}` and its contents have `{}`", lock.hash, snapshot.hash);
            return Err(refuse("lock_hash_mismatch", detail).with_hint("seal the sources again; a lock is never edited by hand"));
        }
        if snapshot.to_lock() != bytes {
            return Err(refuse("lock_not_canonical", "its bytes are not the canonical form of what it says".to_owned()));
        }
        Ok(snapshot)
    }

    /// All workflows, sorted by code.
    pub fn workflows(&self) -> impl Iterator<Item = &Workflow> {
        self.artifacts.values().filter_map(|artifact| if let Artifact::Workflow(w) = artifact { Some(w) } else { None })
    }

    /// All artifacts, sorted by code.
    pub fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.artifacts.values()
    }

    /// The artifact with this code.
    #[must_use]
    pub fn artifact(&self, code: &str) -> Option<&Artifact> {
        self.artifacts.get(code)
    }

    /// The artifacts that govern what may be recorded, code and whole content, sorted by code.
    pub fn governance(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.artifacts
            .iter()
            .filter_map(|(code, artifact)| if let Artifact::Governance(g) = artifact { Some((code.as_str(), g.value())) } else { None })
    }

    /// What runs follow from records, sorted by code.
    pub fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.artifacts.values().filter_map(|artifact| if let Artifact::Listener(l) = artifact { Some(l) } else { None })
    }

    /// The graph of a workflow.
    #[must_use]
    pub fn dag(&self, workflow: &str) -> Option<&Dag> {
        self.dags.get(workflow)
    }

    /// `blake3:…` of a module by its name.
    #[must_use]
    pub fn module_digest(&self, name: &str) -> Option<&str> {
        self.modules.get(name).map(String::as_str)
    }

    /// All modules: name and digest.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.modules.iter().map(|(name, digest)| (name.as_str(), digest.as_str()))
    }
}
