//! Artifacts become the rules in force, or a list of what does not fit together.
//!
//! Everything that names something is resolved here, once, so that judging looks nothing up by trial. Which rules are wise is not
//! decided here but reported by `check`.

mod assets;
mod contract;
mod decision;
mod lifecycle;
mod matrix;

pub(super) use lifecycle::proposes;

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::contract::declare::ContractDecl;
use super::decision::declare::DecisionDecl;
use super::declare::{AssetsDecl, LifecycleDecl, MatrixDecl};
use super::problem::Problem;
use super::rules::Protocol;
use crate::hash::Digest;

/// Most characters of a word that is part of a key.
const MAX_WORD_BYTES: usize = 128;

impl Protocol {
    /// Compiles the artifacts of a snapshot. Those of other kinds than `LC_`, `AM_`, `AS_`, `QC_` and `DC_` are passed over.
    ///
    /// # Errors
    /// Everything that does not fit together, sorted.
    pub fn compile<'a>(snapshot: Digest, artifacts: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Result<Self, Vec<Problem>> {
        let mut artifacts: Vec<_> = artifacts.into_iter().collect();
        artifacts.sort_by_key(|(code, _)| *code);
        let mut problems = Vec::new();
        for pair in artifacts.windows(2) {
            if let [(a, _), (b, _)] = pair
                && a == b
            {
                problems.push(Problem::error("duplicate_code", a, "", "two artifacts have this code"));
            }
        }
        let mut rules = Self::empty(snapshot);
        let assets: Vec<AssetsDecl> = read(&artifacts, "AS_", &mut problems);
        let lifecycles: Vec<LifecycleDecl> = read(&artifacts, "LC_", &mut problems);
        let matrices: Vec<MatrixDecl> = read(&artifacts, "AM_", &mut problems);
        let contracts: Vec<ContractDecl> = read(&artifacts, "QC_", &mut problems);
        let decisions: Vec<DecisionDecl> = read(&artifacts, "DC_", &mut problems);
        assets::add(&mut rules, &assets, &lifecycles, &mut problems);
        lifecycle::add(&mut rules, &lifecycles, &mut problems);
        matrix::add(&mut rules, &matrices, &mut problems);
        contract::add(&mut rules, &lifecycles, &contracts, &mut problems);
        for (code, artifact) in &artifacts {
            rules.freeze(code, artifact);
        }
        decision::add(&mut rules, &lifecycles, &decisions, &mut problems);
        if problems.is_empty() {
            return Ok(rules);
        }
        Problem::sort(&mut problems);
        problems.dedup();
        Err(problems)
    }
}

/// A declaration that names itself.
trait Coded: DeserializeOwned {
    fn code(&self) -> &str;
}

impl Coded for LifecycleDecl {
    fn code(&self) -> &str {
        &self.code
    }
}

impl Coded for MatrixDecl {
    fn code(&self) -> &str {
        &self.code
    }
}

impl Coded for ContractDecl {
    fn code(&self) -> &str {
        &self.code
    }
}

impl Coded for DecisionDecl {
    fn code(&self) -> &str {
        &self.code
    }
}

impl Coded for AssetsDecl {
    fn code(&self) -> &str {
        &self.code
    }
}

/// All artifacts of one prefix, in the order of their codes.
fn read<T: Coded>(artifacts: &[(&str, &Value)], prefix: &str, problems: &mut Vec<Problem>) -> Vec<T> {
    let mut found = Vec::new();
    for (code, value) in artifacts.iter().filter(|(code, _)| code.starts_with(prefix)) {
        match T::deserialize(*value) {
            Ok(decl) if decl.code() == *code => found.push(decl),
            Ok(decl) => {
                problems.push(Problem::error("code_is_not_the_file_name", code, "code", format!("says it is `{}`", decl.code())));
            }
            Err(error) => problems.push(Problem::error("bad_shape", code, "", error.to_string())),
        }
    }
    found
}

/// A word that can be part of a key: letters, digits and `_`, `.`, `-`. In particular none of the separators `|`, `:`, `/` and `#`.
fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    !text.is_empty() && text.len() <= MAX_WORD_BYTES && text.bytes().all(plain)
}

/// Complains about what is no word.
pub(super) fn word(artifact: &str, at: &str, text: &str, problems: &mut Vec<Problem>) {
    if !is_word(text) {
        let detail = format!("`{text}` is not a word of 1 to {MAX_WORD_BYTES} letters, digits, `_`, `.` and `-`");
        problems.push(Problem::error("bad_word", artifact, at.to_owned(), detail));
    }
}

/// Names as people read them in a list.
fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::from("none") } else { names.join(", ") }
}
