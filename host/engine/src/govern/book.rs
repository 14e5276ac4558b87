//! The rules of snapshots, compiled once each; old entries are judged under theirs.
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use enact_core::govern::{self, Protocol, View};
use enact_core::hash::Digest;
use enact_flow::artifact::Artifact;
use enact_flow::problem::{Level, Problem};
use enact_flow::snapshot::Snapshot;

use super::actors::stored;
use crate::error::{EngineError, Result};

/// The rules of one snapshot with the modules that their invariants name, and what it shows.
#[derive(Debug)]
pub struct Ruled {
    /// The compiled rules.
    pub protocol: Protocol,
    /// Digest of each module by name, as sealed.
    pub modules: BTreeMap<String, String>,
    /// The views by name.
    pub views: BTreeMap<String, View>,
}

impl Ruled {
    /// Compiles what a snapshot says about governance.
    pub fn new(snapshot: &Snapshot) -> Result<Self> {
        let hash: Digest = snapshot.hash().parse().map_err(|_| EngineError::Internal { detail: "a snapshot without a hash".to_owned() })?;
        let fits = |problems: Vec<govern::Problem>| EngineError::Protocol { problems: problems.into_iter().map(problem).collect() };
        let protocol = Protocol::compile(hash, snapshot.governance()).map_err(fits)?;
        let views = protocol.views(snapshot.governance().filter(|(code, _)| code.starts_with("VW_"))).map_err(fits)?;
        let modules = snapshot.modules().map(|(name, digest)| (name.to_owned(), digest.to_owned())).collect();
        Ok(Self { protocol, modules, views })
    }

    /// What is unwise about the rules, worst first.
    #[must_use]
    pub fn check(&self, snapshot: &Snapshot) -> Vec<Problem> {
        let governed: Vec<&str> = snapshot
            .artifacts()
            .filter_map(|artifact| if let Artifact::SideEffect(effect) = artifact { Some(effect) } else { None })
            .filter(|effect| effect.governed)
            .map(|effect| effect.code.as_str())
            .collect();
        self.protocol.check(&governed).into_iter().map(problem).collect()
    }
}

/// The core's finding in the form in which all findings about artifacts are shown.
pub(crate) fn problem(found: govern::Problem) -> Problem {
    let level = match found.level {
        govern::Level::Error => Level::Error,
        govern::Level::Warning => Level::Warning,
    };
    Problem { code: found.code, level, artifact: found.artifact, at: found.at, detail: found.detail, hint: found.hint.unwrap_or_default() }
}

/// Compiled rules by snapshot.
#[derive(Debug, Default)]
pub(crate) struct RuleBook(Mutex<HashMap<Digest, Arc<Ruled>>>);

impl RuleBook {
    /// The rules of a snapshot that were asked for before.
    pub(crate) fn known(&self, hash: &Digest) -> Option<Arc<Ruled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).map(Arc::clone)
    }

    /// The rules of a snapshot; `read` gives the sealed snapshot on first use.
    pub(crate) fn rules(&self, hash: &Digest, read: impl FnOnce() -> Result<Option<Vec<u8>>>) -> Result<Arc<Ruled>> {
        if let Some(ruled) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash) {
            return Ok(Arc::clone(ruled));
        }
        let bytes = read()?.ok_or_else(|| EngineError::NoSnapshot { snapshot: hash.to_string() })?;
        let ruled = Arc::new(Ruled::new(&stored(&hash.to_string(), &bytes)?)?);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(*hash, Arc::clone(&ruled));
        Ok(ruled)
    }
}
