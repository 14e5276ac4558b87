//! Import of a published artifact format, so that its workflows run unchanged.
//!
//! It translates files and reports what it could not carry over or had to decide; it does not check what it yields (`compile` does), and
//! nothing else in this crate knows that the format exists. Names of that format that belong to a domain are data
//! (`protocol/schemas/import-pgs.json`), not code.

mod binding;
mod capability;
mod contract;
mod draw;
mod intent;
mod path;
mod source;
mod workflow;

use crate::problem::{Level, Problem};
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};
use source::{Source, Tables};

/// What an import yields.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// Code and native artifact, sorted by code.
    pub artifacts: Vec<(String, Value)>,
    /// What could not be carried over and what was decided, sorted, errors first.
    pub problems: Vec<Problem>,
}

/// The state of an import.
pub(super) struct Importer<'a> {
    sources: BTreeMap<String, Source>,
    structures: BTreeMap<String, Value>,
    catalog: &'a BTreeMap<String, String>,
    tables: Tables,
    /// Molecules that use the atom of their own name: code → the code that the molecule gets.
    composed: BTreeMap<String, String>,
    artifacts: BTreeMap<String, Value>,
    events: BTreeSet<String>,
    problems: Vec<Problem>,
}

/// Converts published files (relative path and bytes). `catalog`: `CT_`/`CS_` code → module that serves it.
#[must_use]
pub fn import(files: &[(String, Vec<u8>)], catalog: &BTreeMap<String, String>) -> Import {
    let tables = match source::tables() {
        Ok(tables) => tables,
        Err(problem) => {
            return Import { artifacts: Vec::new(), problems: alloc::vec![problem] };
        }
    };
    let mut importer = Importer {
        sources: BTreeMap::new(),
        structures: BTreeMap::new(),
        catalog,
        tables,
        composed: BTreeMap::new(),
        artifacts: BTreeMap::new(),
        events: BTreeSet::new(),
        problems: Vec::new(),
    };
    for (path, bytes) in files {
        importer.read(path, bytes);
    }
    importer.convert();
    let mut problems = importer.problems;
    problems.sort_by(|a, b| (a.level, &a.artifact, &a.at, a.code, &a.detail).cmp(&(b.level, &b.artifact, &b.at, b.code, &b.detail)));
    problems.dedup();
    Import { artifacts: importer.artifacts.into_iter().collect(), problems }
}

impl Importer<'_> {
    fn read(&mut self, path: &str, bytes: &[u8]) {
        match source::read(path, bytes) {
            Ok(source) if source.code.starts_with("STRUCTURE_") => {
                self.structures.insert(source.code, source.core);
            }
            Ok(source) => {
                if source.code != source.published {
                    let detail = format!("`{}` has no version; it becomes `{}`", source.published, source.code);
                    self.report(Level::Warning, "code_without_version", &source.code, "", detail);
                }
                if let Some(other) = self.sources.get(&source.code) {
                    let detail = format!("`{}` and `{}` become the same code", other.name, source.name);
                    return self.report(Level::Error, "code_collision", &source.code, "", detail);
                }
                self.sources.insert(source.code.clone(), source);
            }
            Err(problem) => self.problems.push(problem),
        }
    }

    fn convert(&mut self) {
        let sources = core::mem::take(&mut self.sources);
        self.composed = capability::composed(&sources);
        // Contracts and bindings look up capabilities, workflows look up contracts.
        for pass in [["IN_", "CT_", "CS_", "EV_"].as_slice(), &["CC_", "RB_"], &["WF_"]] {
            for source in sources.values() {
                match source.code.get(..3) {
                    Some(prefix) if !pass.contains(&prefix) => {}
                    Some("IN_") => self.intent(source),
                    Some("CT_") => self.transform(source),
                    Some("CS_") => self.side_effect(source),
                    Some("CC_") => self.contract(source, &sources),
                    Some("RB_") => self.binding(source),
                    Some("WF_") => self.workflow(source),
                    _ => {
                        self.events.insert(source.code.clone());
                    }
                }
            }
        }
        for event in core::mem::take(&mut self.events) {
            let artifact = json!({ "code": event, "summary": "Event named by a published workflow." });
            self.artifacts.insert(event, artifact);
        }
    }

    fn emit(&mut self, code: &str, artifact: Value) {
        self.artifacts.insert(code.to_owned(), artifact);
    }

    fn report(&mut self, level: Level, code: &'static str, artifact: &str, at: &str, detail: impl Into<String>) {
        self.problems.push(Problem::error(code, artifact, at, detail).at_level(level));
    }

    /// An event code as a native one; it becomes an artifact.
    fn event(&mut self, artifact: &str, name: &str) -> String {
        let code = source::native_code(name);
        if code != name {
            let detail = format!("`{name}` has no version; it becomes `{code}`");
            self.report(Level::Warning, "code_without_version", artifact, "", detail);
        }
        self.events.insert(code.clone());
        code
    }
}
