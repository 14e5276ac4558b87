//! Which modules there are, where they stand, and who binds them.
use std::collections::BTreeSet;

use enact_flow::artifact::Artifact;
use serde::Serialize;

use super::intake::Intake;
use super::record::{Standing, subject};
use super::{Examined, Vectors};
use crate::engine::Engine;
use crate::error::{EngineError, Result};

/// A module; the stable shape of an element of `enact module list --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Its name; none for a file that no name stands for, such as an earlier version.
    pub name: Option<String>,
    /// The digest of its file.
    pub digest: String,
    /// Where it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// `transform`, `side-effect` or `unknown`.
    pub world: String,
    /// It imports WASI.
    pub wasi: bool,
    /// Bytes of its file.
    pub size: u64,
    /// What the sealed protocol binds it to.
    pub bound: Vec<BoundAs>,
}

/// One row of a binding.
#[derive(Debug, Clone, Serialize)]
pub struct BoundAs {
    /// The `RB_`.
    pub binding: String,
    /// The capability.
    pub capability: String,
    /// Interfaces granted.
    pub grants: Vec<String>,
}

/// A module in full; the stable shape of `enact module show --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// As it is listed.
    #[serde(flatten)]
    pub listed: Listed,
    /// What its examination found; absent for what is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examined: Option<Examined>,
    /// What the ledger says of its name, oldest first.
    pub versions: Vec<VersionRow>,
}

/// One record about a module.
#[derive(Debug, Clone, Serialize)]
pub struct VersionRow {
    /// The entry.
    pub seq: u64,
    /// When.
    pub at: String,
    /// What.
    pub action: String,
    /// Who.
    pub actor: String,
    /// Which file.
    pub digest: String,
}

impl Engine {
    /// All modules that are kept here, those with a name first.
    ///
    /// # Errors
    /// [`EngineError::File`], [`EngineError::Store`].
    pub fn listed_modules(&self) -> Result<Vec<Listed>> {
        let names = self.workspace().module_names()?;
        let named: BTreeSet<&String> = names.values().collect();
        let mut listed = Vec::new();
        for (name, digest) in &names {
            listed.push(self.listed(Some(name), digest)?);
        }
        for digest in self.workspace().modules_kept()?.iter().filter(|digest| !named.contains(digest)) {
            listed.push(self.listed(None, digest)?);
        }
        Ok(listed)
    }

    /// The digest that a name, or a digest, stands for.
    ///
    /// # Errors
    /// [`EngineError::NoModule`].
    pub fn module_digest(&self, module: &str) -> Result<String> {
        if let Some(digest) = self.workspace().module_names()?.remove(module) {
            return Ok(digest);
        }
        let unknown = || EngineError::NoModule { name: module.to_owned() };
        if module.starts_with("blake3:") {
            return self.workspace().modules_kept()?.into_iter().find(|digest| digest == module).ok_or_else(unknown);
        }
        // One that was proposed has no name yet.
        if subject(module).is_err() || !self.is_governed()? {
            return Err(unknown());
        }
        self.open_modules(module)?.pop().map(|open| open.examined.digest).ok_or_else(unknown)
    }

    /// A module in full.
    ///
    /// # Errors
    /// [`EngineError::NoModule`], [`EngineError::Unreadable`].
    pub fn module_shown(&self, module: &str) -> Result<Shown> {
        let digest = self.module_digest(module)?;
        let name = if module.starts_with("blake3:") { None } else { Some(module) };
        let mut shown = Shown { listed: self.listed(name, &digest)?, examined: None, versions: Vec::new() };
        let about = match (&shown.listed.standing, name.and_then(|name| subject(name).ok())) {
            (Standing::Admitted { subject, .. }, _) => Some(subject.clone()),
            (_, about) => about,
        };
        let history = match about.map(|about| self.history(&about)) {
            Some(Ok(rows)) => rows,
            None | Some(Err(EngineError::NoSubject { .. })) => Vec::new(),
            Some(Err(e)) => return Err(e),
        };
        for row in history {
            let found = row.payload["digest"].as_str().unwrap_or_default().to_owned();
            if found == digest && shown.examined.is_none() {
                shown.examined = serde_json::from_value(row.payload["examined"].clone()).ok();
            }
            shown.versions.push(VersionRow { seq: row.seq, at: row.at, action: row.action, actor: row.actor, digest: found });
        }
        Ok(shown)
    }

    fn listed(&self, name: Option<&str>, digest: &str) -> Result<Listed> {
        let bytes = self.workspace().module_bytes(digest)?;
        let bound = name.map_or_else(Vec::new, |name| self.bound_as(name, digest));
        let standing = if self.is_governed()? {
            self.module_standing(digest)?
        } else if super::record::is_built_in(digest) {
            Standing::BuiltIn
        } else {
            Standing::Unadmitted
        };
        let inspected = enact_wasm::inspect(&bytes);
        let (name, digest, size) = (name.map(str::to_owned), digest.to_owned(), bytes.len() as u64);
        Ok(Listed { name, digest, standing, world: inspected.kind.to_owned(), wasi: inspected.wasi, size, bound })
    }

    /// What the sealed protocol binds to a name, if it sealed this file under it.
    fn bound_as(&self, name: &str, digest: &str) -> Vec<BoundAs> {
        if self.snapshot().module_digest(name) != Some(digest) {
            return Vec::new();
        }
        let mut rows = Vec::new();
        for artifact in self.snapshot().artifacts() {
            if let Artifact::Binding(binding) = artifact {
                let ours = binding.bindings.iter().filter(|(_, row)| row.module.as_deref() == Some(name));
                rows.extend(ours.map(|(capability, row)| BoundAs {
                    binding: binding.code.clone(),
                    capability: capability.clone(),
                    grants: row.grants.iter().map(|grant| grant.as_str().to_owned()).collect(),
                }));
            }
        }
        rows
    }

    /// Whether anything was ever governed here.
    pub(crate) fn is_governed(&self) -> Result<bool> {
        Ok(self.store().reader()?.state(enact_core::state::Space::System, "founded")?.is_some())
    }
}

/// One difference between two modules; the stable shape of an element of `enact module diff --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What.
    pub what: String,
    /// In the earlier one.
    pub before: String,
    /// In the later one.
    pub after: String,
}

/// What differs between two modules: what they are, what they need, what they ask for, and how they answer the vectors of both.
///
/// # Errors
/// Those of [`Intake::try_out`].
pub fn differences(old: &Intake, new: &Intake) -> Result<Vec<Difference>> {
    let (a, b) = (enact_wasm::inspect(&old.bytes), enact_wasm::inspect(&new.bytes));
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let mut rows = vec![
        ("digest".to_owned(), format!("blake3:{}", a.blake3), format!("blake3:{}", b.blake3)),
        ("world".to_owned(), a.kind.to_owned(), b.kind.to_owned()),
        ("imports".to_owned(), list(&a.imports), list(&b.imports)),
        ("exports".to_owned(), list(&a.exports), list(&b.exports)),
        ("size".to_owned(), a.size.to_string(), b.size.to_string()),
        ("profile".to_owned(), a.profile.name().to_owned(), b.profile.name().to_owned()),
        ("admissible".to_owned(), a.refusals.is_empty().to_string(), b.refusals.is_empty().to_string()),
    ];
    let codes: BTreeSet<&String> = old.manifest.codes.keys().chain(new.manifest.codes.keys()).collect();
    let asked = |intake: &Intake, code: &str| match intake.manifest.codes.get(code) {
        Some(limits) => serde_json::to_string(limits).unwrap_or_default(),
        None => "not served".to_owned(),
    };
    rows.extend(codes.into_iter().map(|code| (format!("limits of {code}"), asked(old, code), asked(new, code))));
    if a.refusals.is_empty() && b.refusals.is_empty() && a.kind == b.kind {
        rows.extend(answers(old, new)?);
    }
    rows.retain(|(_, before, after)| before != after);
    Ok(rows.into_iter().map(|(what, before, after)| Difference { what, before, after }).collect())
}

/// What both answer to the vectors of both: status and outputs. Both are strangers, so each answers in a process that can be ended.
fn answers(old: &Intake, new: &Intake) -> Result<Vec<(String, String, String)>> {
    let known: BTreeSet<&str> = old.vectors.vectors.iter().map(|vector| vector.name.as_str()).collect();
    let added = new.vectors.vectors.iter().filter(|vector| !known.contains(vector.name.as_str()));
    let vectors = Vectors { vectors: old.vectors.vectors.iter().chain(added).cloned().collect() };
    if vectors.vectors.is_empty() {
        return Ok(Vec::new());
    }
    let given = |intake: &Intake| super::warden::answers(&intake.bytes, &intake.manifest, &vectors);
    let (a, b) = (given(old)?, given(new)?);
    let named = vectors.vectors.iter().map(|vector| format!("answer to `{}`", vector.name));
    Ok(named.zip(a.into_iter().zip(b)).map(|(what, (before, after))| (what, before, after)).collect())
}
