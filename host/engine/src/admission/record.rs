//! What the ledger says of a module: proposed, admitted, retired; and the gate that lets nothing else be bound.
//!
//! The records are declared by the pack `modules`, like those of any domain. The host relies on three things of it: the record type, that a
//! ratification uses up the key `module:<digest>`, and that a retirement uses up `module-retired:<digest>`. Both keys are for ever.
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use enact_core::entry::Entry;
use enact_core::govern::row::ConsumedRow;
use enact_core::hash::{Digest, module_digest};
use enact_core::state::Space;
use enact_store::{OpenOptions, Reader, Store};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Examined;
use crate::embedded;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Appended, Proposed, row};

/// Record type of admissions.
pub const RECORD: &str = "MODULE";
const RATIFY: &str = "MODULE.RATIFY";
const RETIREMENT: &str = "MODULE_RETIREMENT";
/// What the key of a retirement begins with.
const RETIRED: &str = "module-retired:";

/// Where a file of code stands in this ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It is part of this program.
    BuiltIn,
    /// It was ratified.
    Admitted {
        /// `Module:<name>`.
        subject: String,
        /// The version.
        version: u64,
        /// The entry that ratified it.
        seq: u64,
    },
    /// It may be bound no more.
    Retired {
        /// The entry that says so.
        seq: u64,
    },
    /// Nobody has admitted it.
    Unadmitted,
}

impl Standing {
    /// One word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Admitted { .. } => "admitted",
            Self::Retired { .. } => "retired",
            Self::Unadmitted => "unadmitted",
        }
    }
}

/// Whether a module is part of this program.
#[must_use]
pub fn is_built_in(digest: &str) -> bool {
    static DIGESTS: OnceLock<HashSet<String>> = OnceLock::new();
    DIGESTS.get_or_init(|| embedded::modules().map(|(_, bytes)| module_digest(bytes).to_string()).collect()).contains(digest)
}

/// Where a file stands according to a ledger.
///
/// # Errors
/// [`EngineError::Store`] when the ledger cannot be read.
pub fn standing(reader: &mut Reader, digest: &str) -> Result<Standing> {
    if let Some(retired) = consumed(reader, &format!("{RETIRED}{digest}"))? {
        return Ok(Standing::Retired { seq: retired.seq });
    }
    if is_built_in(digest) {
        return Ok(Standing::BuiltIn);
    }
    let Some(ratified) = consumed(reader, &format!("module:{digest}"))? else { return Ok(Standing::Unadmitted) };
    // A key is only a word: another lifecycle could use it up as well. What counts is the record that did.
    let entry = reader.entry(ratified.seq)?.map(|stored| Entry::parse(&stored.bytes)).transpose();
    let entry = entry.map_err(|e| EngineError::Unreadable { detail: e.to_string() })?;
    let record = entry.and_then(|entry| entry.records.into_iter().find(|record| record.hash().ok() == Some(ratified.record)));
    Ok(match record {
        Some(record) if record.type_ == RECORD && record.action == RATIFY && record.payload["digest"] == digest => {
            Standing::Admitted { version: record.version.unwrap_or_default(), subject: record.subject, seq: ratified.seq }
        }
        _ => Standing::Unadmitted,
    })
}

fn consumed(reader: &mut Reader, key: &str) -> Result<Option<ConsumedRow>> {
    let found = reader.state(Space::Consumed, key)?;
    found.map(|(_, text)| row(&text, "consumed", key)).transpose()
}

/// Lets a module be bound, or says why not.
fn bindable(standing: &Standing, module: &str, digest: &str) -> Result<()> {
    match standing {
        Standing::BuiltIn | Standing::Admitted { .. } => Ok(()),
        Standing::Retired { seq } => Err(EngineError::ModuleRetired { module: module.to_owned(), digest: digest.to_owned(), seq: *seq }),
        Standing::Unadmitted => Err(EngineError::ModuleUnadmitted { module: module.to_owned(), digest: digest.to_owned() }),
    }
}

/// Refuses to seal what binds a module that this ledger has not admitted, or has retired. Before there is a ledger only what is built in can be
/// bound.
pub(crate) fn sealable(ledger: &std::path::Path, modules: &BTreeMap<String, String>) -> Result<()> {
    if !ledger.exists() {
        let foreign = modules.iter().find(|(_, digest)| !is_built_in(digest));
        return foreign.map_or(Ok(()), |(module, digest)| bindable(&Standing::Unadmitted, module, digest));
    }
    let store = Store::open(&OpenOptions { create: None, read_only: true, ..OpenOptions::new(ledger.to_owned()) })?;
    let mut reader = store.reader()?;
    modules.iter().try_for_each(|(module, digest)| bindable(&standing(&mut reader, digest)?, module, digest))
}

/// The gate in front of every binding of a live run.
///
/// Asked before each run, because a module may be retired while a worker goes on for days. Where nothing was ever retired, a module that is part
/// of the program costs a look into a set and any other two keys of the ledger. A run that was bound before a retirement still commits: it was
/// let in.
#[derive(Default)]
pub(crate) struct Gate(Mutex<Option<Reader>>);

impl Gate {
    /// Whether all of these may be bound now.
    pub(crate) fn pass<'a>(&self, store: &Store, modules: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match &mut *held {
            Some(reader) => reader,
            none => none.insert(store.reader()?),
        };
        let retired = !reader.state_rows(Space::Consumed, RETIRED, None, 1)?.is_empty();
        for (module, digest) in modules.filter(|(_, digest)| retired || !is_built_in(digest)) {
            bindable(&standing(reader, digest)?, module, digest)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// The subject of a module's versions.
///
/// # Errors
/// [`EngineError::ModuleName`].
pub fn subject(name: &str) -> Result<String> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let rest = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if first && rest && name.len() <= 64 { Ok(format!("Module:{name}")) } else { Err(EngineError::ModuleName { name: name.to_owned() }) }
}

/// A version that waits for its ratification.
#[derive(Debug, Clone, Serialize)]
pub struct Open {
    /// The proposal's record.
    pub record: Digest,
    /// Who proposed it.
    pub actor: String,
    /// The number it would have.
    pub version: u64,
    /// What was found.
    pub examined: Examined,
    #[serde(skip)]
    payload: Map<String, Value>,
}

/// What a ratification relies on beside its proposal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reliance {
    /// The ALLOW, where the matrix asks for one.
    pub auth: Option<Digest>,
    /// The comparison with the predecessor, [`crate::swap::SwapReport::digest`].
    pub compared: Option<Digest>,
}

/// What is proposed of a module that was examined.
pub(super) fn proposal(name: &str, examined: &Examined, provenance: &Value, note: Option<&str>) -> Result<Proposed> {
    let mut payload = json!({
        "digest": examined.digest, "world": examined.world, "imports": examined.imports, "profile": examined.profile,
        "examined": examined, "provenance": provenance,
    });
    if let Some(note) = note {
        payload["note"] = json!(note);
    }
    Ok(Proposed::of(RECORD, "MODULE.PROPOSE", &subject(name)?, payload))
}

impl Engine {
    /// Where a file stands in this ledger.
    ///
    /// # Errors
    /// [`EngineError::Store`] when it cannot be read.
    pub fn module_standing(&self, digest: &str) -> Result<Standing> {
        standing(&mut self.store().reader()?, digest)
    }

    /// Versions of a module that wait for their ratification, oldest first.
    ///
    /// # Errors
    /// [`EngineError::Unreadable`] for a proposal that the pack `modules` did not shape.
    pub fn open_modules(&self, name: &str) -> Result<Vec<Open>> {
        let row = match self.subject_state(&subject(name)?, None) {
            Ok(found) => found.row,
            Err(EngineError::NoSubject { .. }) => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let open = row.open.into_iter().map(|open| {
            let payload: Map<String, Value> = open.kept.into_iter().collect();
            let examined = payload.get("examined").cloned().unwrap_or_default();
            let examined = serde_json::from_value(examined).map_err(|e| EngineError::Unreadable { detail: e.to_string() })?;
            Ok(Open { record: open.record, actor: open.actor, version: open.version, examined, payload })
        });
        open.collect()
    }

    /// Ratifies a proposal, whose examination the caller has repeated.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when the judge refuses.
    pub(super) fn record_ratification(&self, by: &str, name: &str, open: &Open, reliance: Reliance) -> Result<Appended> {
        let mut payload = open.payload.clone();
        if let Some(compared) = reliance.compared {
            payload.insert("compared".to_owned(), json!(compared));
        }
        let mut proposed = Proposed::of(RECORD, RATIFY, &subject(name)?, Value::Object(payload));
        proposed.refs.insert("proposal".to_owned(), open.record);
        proposed.auth = reliance.auth;
        proposed.consumes = vec![format!("module:{}", open.examined.digest)];
        self.propose(by, &[proposed])
    }

    /// Retires a file: no binding may name it any more.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when the judge refuses.
    pub fn retire_module(&self, by: &str, digest: &Digest, reason: &str) -> Result<Appended> {
        let payload = json!({"digest": digest, "reason": reason});
        let mut proposed = Proposed::of(RETIREMENT, "MODULE.RETIRE", &format!("Retirement:{}", digest.to_hex()), payload);
        proposed.consumes = vec![format!("{RETIRED}{digest}")];
        self.propose(by, &[proposed])
    }
}
