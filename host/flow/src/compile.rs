//! Artifacts in, a sealed snapshot or every problem out.
//!
//! Here is decided whether artifacts fit together (P-04, P-31). What one file may look like is `artifact`'s business, whether an environment
//! can run it is `bind`'s.

mod binding;
mod capability;
mod contract;
mod governance;
mod graph;
mod listener;

use crate::artifact::{self, Artifact};
use crate::problem::{Level, Problem};
use crate::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The artifacts by code, with what has been found so far.
pub(crate) struct Checker<'a> {
    artifacts: BTreeMap<&'a str, &'a Artifact>,
    modules: &'a BTreeMap<String, String>,
    problems: Vec<Problem>,
}

/// Checks and seals. `modules`: module name → `blake3:…` of its bytes.
///
/// # Errors
/// Every problem of level error, sorted.
pub fn compile(artifacts: &[Artifact], modules: &BTreeMap<String, String>) -> Result<Snapshot, Vec<Problem>> {
    let errors: Vec<Problem> = check(artifacts, modules).into_iter().filter(|problem| problem.level == Level::Error).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let artifacts = artifacts.iter().map(|artifact| (artifact.code().into(), artifact.clone())).collect();
    Ok(Snapshot::seal(artifacts, modules.clone()))
}

/// Every problem, errors first, then sorted by code, artifact and place.
#[must_use]
pub fn check(artifacts: &[Artifact], modules: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut checker = Checker { artifacts: BTreeMap::new(), modules, problems: Vec::new() };
    for artifact in artifacts {
        checker.add(artifact);
    }
    for (name, digest) in modules {
        if !is_digest(digest) {
            checker.problems.push(Problem::error("bad_module_digest", name, "", format!("`{digest}` is not `blake3:` and 64 hex digits")));
        }
    }
    for artifact in artifacts {
        match artifact {
            Artifact::Workflow(workflow) => checker.workflow(workflow),
            Artifact::Contract(contract) => checker.contract(contract),
            Artifact::Transform(transform) => checker.transform(transform),
            Artifact::SideEffect(effect) => checker.side_effect(effect),
            Artifact::Binding(binding) => checker.binding(binding),
            Artifact::Intent(intent) => checker.intent(intent),
            Artifact::Governance(governance) => checker.governance(governance),
            Artifact::Listener(listener) => checker.listener(listener),
            Artifact::Event(_) => {}
        }
    }
    let mut problems = checker.problems;
    problems.sort_by(|a, b| (a.level, &a.artifact, &a.at, a.code, &a.detail).cmp(&(b.level, &b.artifact, &b.at, b.code, &b.detail)));
    problems.dedup();
    problems
}

impl<'a> Checker<'a> {
    fn get(&self, code: &str) -> Option<&'a Artifact> {
        self.artifacts.get(code).copied()
    }

    fn add(&mut self, artifact: &'a Artifact) {
        let code = artifact.code();
        if !artifact::is_code(code) {
            self.error("bad_code", code, "code", format!("`{code}` is not a code"));
        }
        if self.artifacts.insert(code, artifact).is_some() {
            self.error("duplicate_code", code, "code", format!("`{code}` is defined twice"));
        }
    }

    fn error(&mut self, code: &'static str, artifact: &str, at: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(Problem::error(code, artifact, at, detail));
    }

    fn warn(&mut self, code: &'static str, artifact: &str, at: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(Problem::error(code, artifact, at, detail).at_level(Level::Warning));
    }

    fn missing(&mut self, artifact: &str, at: impl Into<String>, wanted: &str) {
        let problem = Problem::error("missing_artifact", artifact, at, format!("`{wanted}` is not in the set"));
        self.problems.push(problem.with_hint(format!("add `{wanted}.json`, or correct the reference")));
    }

    /// That an event code names an `EV_` of the set.
    fn event(&mut self, artifact: &str, at: &str, code: &str) {
        if !matches!(self.get(code), Some(Artifact::Event(_))) {
            self.missing(artifact, at, code);
        }
    }

    /// Only the shape: whoever validates payloads compiles the schema.
    fn intent(&mut self, intent: &artifact::Intent) {
        if !intent.schema.is_object() {
            self.error("bad_schema", &intent.code, "schema", "a schema is an object");
        }
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("blake3:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}
