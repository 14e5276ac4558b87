//! From a file on somebody's disk to an admitted version: read, examine, keep, propose; examine again, ratify.
use std::path::{Path, PathBuf};

use enact_core::hash::{Digest, blob_hash};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{Open, Reliance, proposal, subject};
use super::vectors::{Tried, Vectors};
use super::warden::{Examination, examine};
use super::{Examined, MODULE_BYTES_MAX, Manifest, Reason, SIDE_FILE_BYTES_MAX};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::Appended;

/// Names of the files that are kept beside a module.
const MANIFEST: &str = "manifest";
const VECTORS: &str = "vectors";

/// What an author hands over.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    /// The component.
    pub bytes: Vec<u8>,
    /// What its author says of it.
    pub manifest: Manifest,
    /// What its author promises of it.
    pub vectors: Vectors,
    /// The file of vectors as it is.
    pub vectors_bytes: Option<Vec<u8>>,
}

/// Where the parts of an intake are. Without a path, the file of that name in the folder of the module is taken, if it is there.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// The component.
    pub file: PathBuf,
    /// `manifest.json`.
    pub manifest: Option<PathBuf>,
    /// `vectors.json`.
    pub vectors: Option<PathBuf>,
}

impl Intake {
    /// Reads what an author hands over.
    ///
    /// # Errors
    /// [`EngineError::File`], [`EngineError::FileTooLarge`], [`EngineError::Json`], [`EngineError::Vectors`].
    pub fn read(paths: &Paths) -> Result<Self> {
        let bytes = read(&paths.file, MODULE_BYTES_MAX)?;
        let folder = paths.file.parent().unwrap_or(Path::new(""));
        let beside = |given: &Option<PathBuf>, name: &str| given.clone().or_else(|| Some(folder.join(name)).filter(|path| path.is_file()));
        let manifest = match beside(&paths.manifest, "manifest.json") {
            Some(path) => Manifest::read(&read(&path, SIDE_FILE_BYTES_MAX)?, &path.display().to_string())?,
            None => Manifest::default(),
        };
        let vectors = beside(&paths.vectors, "vectors.json");
        let vectors_bytes = vectors.as_ref().map(|path| read(path, SIDE_FILE_BYTES_MAX)).transpose()?;
        Self::of(bytes, manifest, vectors_bytes, &vectors.map_or_else(String::new, |path| path.display().to_string()))
    }

    /// The same from parts that were read already.
    ///
    /// # Errors
    /// [`EngineError::Json`], [`EngineError::Vectors`].
    pub fn of(bytes: Vec<u8>, manifest: Manifest, vectors_bytes: Option<Vec<u8>>, what: &str) -> Result<Self> {
        let vectors = vectors_bytes.as_ref().map(|bytes| Vectors::read(bytes, what)).transpose()?.unwrap_or_default();
        Ok(Self { bytes, manifest, vectors, vectors_bytes })
    }

    /// Examines it in a process that can be ended.
    ///
    /// # Errors
    /// [`EngineError::ModuleUnfit`] when it breaks a rule or a promise, [`EngineError::NotExamined`] when nobody can say.
    pub fn examine(&self) -> Result<Fit> {
        let file = self.vectors_bytes.as_ref().map(|bytes| blob_hash(bytes).to_string());
        match examine(&self.bytes, &self.manifest, &self.vectors, file)? {
            Examination::Fit { examined, tried, compiled } => Ok(Fit { examined: *examined, tried, compiled }),
            Examination::Unfit { reasons, .. } => Err(EngineError::ModuleUnfit { module: self.manifest.module.clone(), reasons }),
        }
    }
}

impl Intake {
    /// Tries it like an examination, and answers what speaks against it and how its vectors came out.
    ///
    /// # Errors
    /// [`EngineError::NotExamined`] when nobody can say.
    pub fn try_out(&self) -> Result<(Vec<Reason>, Vec<Tried>)> {
        Ok(match examine(&self.bytes, &self.manifest, &self.vectors, None)? {
            Examination::Fit { tried, .. } => (Vec::new(), tried),
            Examination::Unfit { reasons, tried } => (reasons, tried),
        })
    }
}

/// A module that may be admitted.
#[derive(Debug)]
pub struct Fit {
    /// What it is.
    pub examined: Examined,
    /// Its vectors.
    pub tried: Vec<Tried>,
    compiled: Vec<u8>,
}

/// The stable shape of `enact module add --json`.
#[derive(Debug, Serialize)]
pub struct Added {
    /// The name.
    pub module: String,
    /// What it was found to be.
    pub examined: Examined,
    /// Its vectors.
    pub tried: Vec<Tried>,
    /// The proposal.
    pub proposed: Appended,
    /// The ratification, when it was asked for at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratified: Option<Appended>,
}

/// Where a file came from, as its record says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// Name of the file, without its folder: what one machine calls its folders is nobody's business.
    pub file: String,
    /// Who vouched for it before it came here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl Engine {
    /// Examines a module, keeps it, and proposes it as the next version of `name`.
    ///
    /// # Errors
    /// Those of [`Intake::examine`] and [`Engine::propose`].
    pub fn take_in(&self, by: &str, name: &str, intake: &Intake, provenance: &Provenance, note: Option<&str>) -> Result<Added> {
        subject(name)?;
        self.knows_modules()?;
        let fit = intake.examine().map_err(|e| named(e, name))?;
        let provenance = serde_json::to_value(provenance).map_err(|e| EngineError::Internal { detail: e.to_string() })?;
        let proposal = proposal(name, &fit.examined, &provenance, note)?;
        // Kept before it is proposed, so that no record names a file that a crash has lost; and only for one who may propose.
        let allowed = self.explain(by, std::slice::from_ref(&proposal))?.allowed;
        if allowed {
            self.keep(intake, &fit)?;
        }
        let proposed = self.propose(by, &[proposal])?;
        if !allowed {
            self.keep(intake, &fit)?;
        }
        Ok(Added { module: name.to_owned(), examined: fit.examined, tried: fit.tried, proposed, ratified: None })
    }

    /// The proposal of a module that is named, or the only one that is open: nobody ratifies what they have not chosen.
    ///
    /// # Errors
    /// [`EngineError::ModuleNotProposed`], [`EngineError::ModuleProposals`].
    pub fn open_module(&self, name: &str, proposal: Option<Digest>) -> Result<Open> {
        let mut open = self.open_modules(name)?;
        open.retain(|open| proposal.is_none_or(|record| open.record == record));
        match open.len() {
            0 | 1 => open.pop().ok_or_else(|| EngineError::ModuleNotProposed { name: name.to_owned() }),
            _ => Err(EngineError::ModuleProposals { name: name.to_owned(), open }),
        }
    }

    /// Examines a proposed version again, on this machine, and ratifies it when that found the same. From then on its name stands for it when the
    /// protocol is sealed.
    ///
    /// # Errors
    /// [`EngineError::AdmissionDiffers`], and those of [`Intake::examine`] and [`Engine::propose`].
    pub fn ratify_module(&self, by: &str, name: &str, open: &Open, reliance: Reliance) -> Result<Appended> {
        let intake = self.module_kept(&open.examined.digest)?;
        let fit = intake.examine().map_err(|e| named(e, name))?;
        same(open, fit.examined.clone(), name)?;
        self.keep(&intake, &fit)?;
        let appended = self.record_ratification(by, name, open, reliance)?;
        self.workspace().name_module(name, &open.examined.digest)?;
        Ok(appended)
    }

    /// What is kept here of a module.
    ///
    /// # Errors
    /// [`EngineError::ModuleMissing`], [`EngineError::ModuleDigest`].
    pub fn module_kept(&self, digest: &str) -> Result<Intake> {
        let workspace = self.workspace();
        let bytes = workspace.module_bytes(digest)?;
        let manifest = match workspace.beside_module(digest, MANIFEST)? {
            Some(bytes) => Manifest::read(&bytes, MANIFEST)?,
            None => Manifest::default(),
        };
        Intake::of(bytes, manifest, workspace.beside_module(digest, VECTORS)?, VECTORS)
    }

    fn keep(&self, intake: &Intake, fit: &Fit) -> Result<()> {
        let (workspace, digest) = (self.workspace(), &fit.examined.digest);
        workspace.keep_module(&intake.bytes)?;
        let manifest = serde_json::to_vec_pretty(&intake.manifest).map_err(|e| EngineError::Internal { detail: e.to_string() })?;
        workspace.keep_beside_module(digest, MANIFEST, Some(&manifest))?;
        // What an earlier intake of the same file had beside it is no part of this one: it would be examined with it again.
        workspace.keep_beside_module(digest, VECTORS, intake.vectors_bytes.as_deref())?;
        // Whoever runs it first does not compile it again; where the cache cannot be written they do.
        let _ = self.sandbox().keep(digest, &fit.compiled);
        Ok(())
    }

    /// Before minutes are spent on a module: can it be recorded at all?
    fn knows_modules(&self) -> Result<()> {
        let snapshot = self.snapshot_in_force()?;
        let known = crate::govern::Ruled::new(&snapshot)?.protocol.lifecycle(super::record::RECORD).is_some();
        if known { Ok(()) } else { Err(EngineError::NoArtifact { code: "LC_MODULE_V0".to_owned() }) }
    }
}

fn named(error: EngineError, name: &str) -> EngineError {
    if let EngineError::ModuleUnfit { reasons, .. } = error { EngineError::ModuleUnfit { module: name.to_owned(), reasons } } else { error }
}

/// Another examination must find the same. Fuel is counted by the engine, so another engine may count otherwise.
fn same(open: &Open, mut found: Examined, name: &str) -> Result<()> {
    let proposed = &open.examined;
    if found.engine != proposed.engine {
        found.engine.clone_from(&proposed.engine);
        found.conformance.fuel = proposed.conformance.fuel;
    }
    if found == *proposed {
        return Ok(());
    }
    let (a, b) = (serde_json::to_value(proposed).unwrap_or_default(), serde_json::to_value(&found).unwrap_or_default());
    let members = a.as_object().into_iter().flatten().filter(|(key, value)| b.get(key.as_str()) != Some(value));
    let detail: Vec<String> =
        members.map(|(key, value)| format!("`{key}` was {value}, is {}", b.get(key.as_str()).unwrap_or(&Value::Null))).collect();
    Err(EngineError::AdmissionDiffers { name: name.to_owned(), detail: detail.join("; ") })
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).map_err(|e| EngineError::file("read", path, e))?;
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| EngineError::file("read", path, e))?;
    if bytes.len() as u64 > bytes_max { Err(EngineError::FileTooLarge { path: path.to_owned(), bytes_max }) } else { Ok(bytes) }
}
