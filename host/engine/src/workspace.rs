//! A workspace on disk: where the ledger, the modules, the protocol and the keys live.
//!
//! All files except the ledger itself are reached through a `cap-std` directory handle, so no name that comes from an
//! artifact or an option can leave the workspace. It decides nothing about runs.
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use enact_core::hash::{Digest, module_digest};
use enact_flow::artifact::Artifact;
use enact_flow::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

use crate::admission::{MODULE_BYTES_MAX, SIDE_FILE_BYTES_MAX};
use crate::embedded;
use crate::error::{EngineError, Result};

/// Name of the workspace that `run` creates where there is none.
pub const DEFAULT_DIR: &str = ".enact";
const CONFIG: &str = "enact.toml";
const LOCK: &str = "protocol.lock";
/// A configuration is a few lines; anything larger is not one of ours.
const CONFIG_BYTES_MAX: u64 = 64 << 10;
/// An artifact is read by people; one over a MiB is a mistake or an attack.
const ARTIFACT_BYTES_MAX: u64 = 1 << 20;
/// The finding about rules that keeps them from being sealed, and not only from being recommended.
const EFFECT_UNGOVERNED: &str = "effect_ungoverned";
/// Sealed snapshots hold every artifact of a protocol.
const LOCK_BYTES_MAX: u64 = 64 << 20;

/// `enact.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Pinned name of this ledger; an entry of another one never verifies here.
    pub origin: String,
    /// Name of the node that writes here; node-local, outside every portable hash.
    pub node: String,
    /// Which runtime bindings to prefer when a run names none. Empty: the workflow's own default.
    #[serde(default)]
    pub environment: String,
    /// Parameters of runtime bindings, e.g. `data_root`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// An opened workspace.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
    dir: Dir,
    config: Config,
}

/// What `init` put in place.
#[derive(Debug, Clone, Serialize)]
pub struct Created {
    /// Where.
    pub path: PathBuf,
    /// Pinned ledger name.
    pub origin: String,
    /// Packs written to `protocol/`.
    pub packs: Vec<String>,
    /// Modules written to `modules/`.
    pub modules: usize,
    /// Hash of the sealed protocol.
    pub snapshot: String,
}

impl Workspace {
    /// Creates a workspace with the embedded packs and components, sealed and ready to run.
    pub fn create(path: &Path, origin: Option<&str>) -> Result<(Self, Created)> {
        if path.join(CONFIG).exists() {
            return Err(EngineError::WorkspaceExists { path: path.to_owned() });
        }
        std::fs::create_dir_all(path).map_err(|source| EngineError::file("create", path, source))?;
        let dir = open_dir(path)?;
        let config = Config {
            origin: match origin {
                Some(name) => checked_origin(name)?,
                None => format!("enact.local/{}", random_hex(4)?),
            },
            node: "local".to_owned(),
            environment: String::new(),
            parameters: BTreeMap::new(),
        };
        let mut this = Self { path: path.to_owned(), dir, config };
        for folder in ["ledger", "modules", "protocol", "keys", "cache"] {
            this.dir.create_dir_all(folder).map_err(|e| this.at("create", folder, e))?;
        }
        this.write_secret("keys/ledger.key", &random_hex(32)?)?;
        this.write_secret("keys/cache.key", &random_hex(32)?)?;
        for (_, code, bytes) in embedded::artifacts() {
            this.write(&format!("protocol/{code}.json"), bytes)?;
        }
        let mut modules = 0;
        for (name, bytes) in embedded::modules() {
            this.add_module(name, bytes)?;
            modules += 1;
        }
        let snapshot = this.seal()?;
        // Written last: a workspace is one only once everything else is in place.
        let text = toml::to_string(&this.config).map_err(|e| EngineError::Config { detail: e.to_string() })?;
        this.write(CONFIG, text.as_bytes())?;
        let created = Created {
            path: this.path.clone(),
            origin: this.config.origin.clone(),
            packs: embedded::packs().map(|(name, _)| name.to_owned()).collect(),
            modules,
            snapshot: snapshot.hash().to_owned(),
        };
        this.config = read_config(&this)?;
        Ok((this, created))
    }

    /// Opens an existing workspace.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join(CONFIG).exists() {
            return Err(EngineError::NoWorkspace { path: path.to_owned() });
        }
        let dir = open_dir(path)?;
        let mut this = Self {
            path: path.to_owned(),
            dir,
            config: Config { origin: String::new(), node: String::new(), environment: String::new(), parameters: BTreeMap::new() },
        };
        this.config = read_config(&this)?;
        Ok(this)
    }

    /// Where the workspace is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The ledger file.
    #[must_use]
    pub fn ledger_path(&self) -> PathBuf {
        self.path.join("ledger").join("ledger.db")
    }

    /// Where compiled modules are cached.
    #[must_use]
    pub fn cache_path(&self) -> PathBuf {
        self.path.join("cache")
    }

    /// The seed of the key that signs checkpoints.
    pub fn ledger_seed(&self) -> Result<[u8; 32]> {
        self.read_secret("keys/ledger.key")
    }

    /// The key that authenticates the cache of compiled modules.
    pub fn cache_key(&self) -> Result<[u8; 32]> {
        self.read_secret("keys/cache.key")
    }

    /// Adds a component under a name. Whether it may be bound is asked when the protocol is sealed, and again when it is run.
    pub fn add_module(&self, name: &str, bytes: &[u8]) -> Result<Digest> {
        let digest = self.keep_module(bytes)?;
        self.name_module(name, &digest.to_string())?;
        Ok(digest)
    }

    /// Keeps the file of a module, which has no name yet but its digest.
    pub(crate) fn keep_module(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = module_digest(bytes);
        let file = module_file(&digest.to_string())?;
        if !self.dir.exists(&file) {
            self.write(&file, bytes)?;
        }
        Ok(digest)
    }

    /// What a file that is kept beside a module says; `None` when there is none.
    pub(crate) fn beside_module(&self, digest: &str, what: &str) -> Result<Option<Vec<u8>>> {
        let file = beside(digest, what)?;
        if self.dir.exists(&file) { self.read(&file, SIDE_FILE_BYTES_MAX).map(Some) } else { Ok(None) }
    }

    /// Keeps a file beside a module.
    pub(crate) fn keep_beside_module(&self, digest: &str, what: &str, bytes: &[u8]) -> Result<()> {
        self.write(&beside(digest, what)?, bytes)
    }

    /// Digests of all modules that are kept here.
    pub fn modules_kept(&self) -> Result<Vec<String>> {
        let mut digests = Vec::new();
        let listing = self.dir.read_dir("modules").map_err(|e| self.at("list", "modules", e))?;
        for entry in listing {
            let name = entry.map_err(|e| self.at("list", "modules", e))?.file_name().to_string_lossy().into_owned();
            digests.extend(name.strip_suffix(".wasm").map(|hex| format!("blake3:{hex}")).filter(|digest| module_file(digest).is_ok()));
        }
        digests.sort();
        Ok(digests)
    }

    /// Lets a name stand for a module when the protocol is sealed next.
    pub(crate) fn name_module(&self, name: &str, digest: &str) -> Result<()> {
        let mut names = self.module_names()?;
        names.insert(name.to_owned(), digest.to_owned());
        let text = serde_json::to_vec_pretty(&names).map_err(|e| EngineError::Internal { detail: e.to_string() })?;
        self.write("modules/names.json", &text)
    }

    /// Module names and their digests.
    pub fn module_names(&self) -> Result<BTreeMap<String, String>> {
        if !self.dir.exists("modules/names.json") {
            return Ok(BTreeMap::new());
        }
        let bytes = self.read("modules/names.json", LOCK_BYTES_MAX)?;
        serde_json::from_slice(&bytes).map_err(|e| EngineError::Json { what: "modules/names.json".to_owned(), detail: e.to_string() })
    }

    /// The bytes of a module, refused when they are not the ones that the digest names.
    pub fn module_bytes(&self, digest: &str) -> Result<Vec<u8>> {
        let file = module_file(digest)?;
        if !self.dir.exists(&file) {
            return Err(EngineError::ModuleMissing { digest: digest.to_owned() });
        }
        let bytes = self.read(&file, MODULE_BYTES_MAX)?;
        let got = module_digest(&bytes).to_string();
        if got != digest {
            return Err(EngineError::ModuleDigest { expected: digest.to_owned(), got });
        }
        Ok(bytes)
    }

    /// The artifacts of `protocol/`, as they are on disk now.
    pub fn artifact_files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        let listing = self.dir.read_dir("protocol").map_err(|e| self.at("list", "protocol", e))?;
        for entry in listing {
            let name = entry.map_err(|e| self.at("list", "protocol", e))?.file_name().to_string_lossy().into_owned();
            if let Some(stem) = name.strip_suffix(".json") {
                files.push((stem.to_owned(), self.read(&format!("protocol/{name}"), ARTIFACT_BYTES_MAX)?));
            }
        }
        files.sort();
        Ok(files)
    }

    /// Writes artifacts into `protocol/`, replacing those of the same code.
    pub fn write_artifact(&self, code: &str, bytes: &[u8]) -> Result<()> {
        if !code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') || code.len() > 128 {
            return Err(EngineError::ArtifactName { name: code.to_owned() });
        }
        self.write(&format!("protocol/{code}.json"), bytes)
    }

    /// Compiles `protocol/` and writes `protocol.lock`.
    pub fn seal(&self) -> Result<Snapshot> {
        let snapshot = compile(&self.artifact_files()?, &self.module_names()?)?;
        // What cannot be judged by is not sealed either.
        let ruled = crate::govern::Ruled::new(&snapshot)?;
        crate::listen::compiled(&snapshot, &ruled)?;
        // State machine, matrix and invariants come before the effect (B-36): until they are there, nothing can run it.
        let ungoverned: Vec<_> = ruled.check(&snapshot).into_iter().filter(|problem| problem.code == EFFECT_UNGOVERNED).collect();
        if !ungoverned.is_empty() {
            return Err(EngineError::Protocol { problems: ungoverned });
        }
        let bound = snapshot.modules().map(|(name, digest)| (name.to_owned(), digest.to_owned())).collect();
        crate::admission::record::sealable(&self.ledger_path(), &bound)?;
        self.write(LOCK, &snapshot.to_lock())?;
        Ok(snapshot)
    }

    /// The sealed protocol: the only thing a run looks at (P-05).
    pub fn sealed(&self) -> Result<Snapshot> {
        if !self.dir.exists(LOCK) {
            return Err(EngineError::NotSealed);
        }
        let bytes = self.read(LOCK, LOCK_BYTES_MAX)?;
        Snapshot::from_lock(&bytes).map_err(|problem| EngineError::LockAltered { problem: Box::new(problem) })
    }

    fn at(&self, verb: &'static str, name: &str, source: std::io::Error) -> EngineError {
        EngineError::file(verb, &self.path.join(name), source)
    }

    fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let file = self.dir.open(name).map_err(|e| self.at("read", name, e))?;
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| self.at("read", name, e))?;
        if bytes.len() as u64 > bytes_max {
            return Err(EngineError::FileTooLarge { path: self.path.join(name), bytes_max });
        }
        Ok(bytes)
    }

    /// Atomic: a reader sees the old file or the new one.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write_mode(name, bytes, 0o644)
    }

    fn write_mode(&self, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
        let temporary = format!("{name}.{}.tmp", random_hex(4)?);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let write = || -> std::io::Result<()> {
            let mut file = self.dir.open_with(&temporary, &options)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            self.dir.rename(&temporary, &self.dir, name)
        };
        write().map_err(|e| {
            let _ = self.dir.remove_file(&temporary);
            self.at("write", name, e)
        })
    }

    /// Whether a file of the workspace is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.dir.exists(name)
    }

    /// Makes a key for an actor.
    pub(crate) fn write_actor_key(&self, name: &str) -> Result<()> {
        self.dir.create_dir_all("keys/actors").map_err(|e| self.at("create", "keys/actors", e))?;
        self.write_secret(name, &random_hex(32)?)
    }

    /// Puts a file in the place of another.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.dir.rename(from, &self.dir, to).map_err(|e| self.at("rename", from, e))
    }

    fn write_secret(&self, name: &str, hex: &str) -> Result<()> {
        self.write_mode(name, hex.as_bytes(), 0o600)
    }

    pub(crate) fn read_secret(&self, name: &str) -> Result<[u8; 32]> {
        let text = self.read(name, 128)?;
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim_ascii(), &mut seed).map_err(|_| EngineError::Key { name: name.to_owned() })?;
        Ok(seed)
    }
}

/// Parses and compiles artifact files against the modules that are present.
pub fn compile(files: &[(String, Vec<u8>)], modules: &BTreeMap<String, String>) -> Result<Snapshot> {
    let artifacts = parse(files)?;
    enact_flow::compile::compile(&artifacts, modules).map_err(|problems| EngineError::Protocol { problems })
}

/// Parses artifact files; every file that does not parse is reported, not only the first.
pub fn parse(files: &[(String, Vec<u8>)]) -> Result<Vec<Artifact>> {
    let mut artifacts = Vec::with_capacity(files.len());
    let mut problems = Vec::new();
    for (stem, bytes) in files {
        match enact_flow::artifact::parse(stem, bytes) {
            Ok(artifact) => artifacts.push(artifact),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(artifacts) } else { Err(EngineError::Protocol { problems }) }
}

fn open_dir(path: &Path) -> Result<Dir> {
    Dir::open_ambient_dir(path, ambient_authority()).map_err(|source| EngineError::file("open", path, source))
}

fn read_config(workspace: &Workspace) -> Result<Config> {
    let bytes = workspace.read(CONFIG, CONFIG_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|e| EngineError::Config { detail: e.to_string() })?;
    let config: Config = toml::from_str(&text).map_err(|e| EngineError::Config { detail: e.message().to_owned() })?;
    checked_origin(&config.origin)?;
    Ok(config)
}

/// An origin is the first line of every checkpoint: no spaces, no plus sign (C2SP signed-note key names), bounded.
fn checked_origin(name: &str) -> Result<String> {
    let fits = !name.is_empty() && name.len() <= 128 && name.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
    if fits { Ok(name.to_owned()) } else { Err(EngineError::Origin { origin: name.to_owned() }) }
}

fn module_file(digest: &str) -> Result<String> {
    match digest.strip_prefix("blake3:") {
        Some(hex) if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(format!("modules/{hex}.wasm")),
        _ => Err(EngineError::ModuleMissing { digest: digest.to_owned() }),
    }
}

/// A file that belongs to a module, such as what its author promises of it.
fn beside(digest: &str, what: &str) -> Result<String> {
    module_file(digest).map(|file| format!("{}.{what}.json", file.trim_end_matches(".wasm")))
}

/// Random bytes as hexadecimal text.
pub(crate) fn random_hex(len: usize) -> Result<String> {
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).map_err(|e| EngineError::Internal { detail: format!("no randomness: {e}") })?;
    Ok(hex::encode(bytes))
}
