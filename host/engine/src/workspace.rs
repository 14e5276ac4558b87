//! A workspace on disk: where the ledger, the modules, the protocol and the keys live.
//!
//! All files except the ledger itself are reached through a `cap-std` directory handle, so no name that comes from an
//! artifact or an option can leave the workspace. It decides nothing about runs.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use enact_core::hash::{Digest, derived, module_digest};
use enact_flow::artifact::Artifact;
use enact_flow::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

use crate::admission::{MODULE_BYTES_MAX, SIDE_FILE_BYTES_MAX};
use crate::embedded;
use crate::error::{EngineError, Result};

/// Name of the workspace that `run` creates where there is none.
pub const DEFAULT_DIR: &str = ".enact";
pub(crate) const CONFIG: &str = "enact.toml";
/// The configuration while everything else is put in place; what is left of an attempt that was interrupted.
const CONFIG_BEGUN: &str = "enact.toml.begun";
pub(crate) const LOCK: &str = "protocol.lock";
const CACHE_KEY: &str = "keys/cache.key";
const LEDGER_KEY: &str = "keys/ledger.key";
const GIVEN_KEY: &str = "keys/ledger.pub";
const GIVEN_KEY_CONTEXT: &str = "enact given key v1";
const CACHE_KEY_CONTEXT: &str = "enact cache key v2";
/// What says that a folder was a workspace though its configuration is gone; another one would write over it.
const PRECIOUS: [&str; 5] = ["ledger/ledger.db", LEDGER_KEY, CACHE_KEY, "modules/names.json", LOCK];
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
    ///
    /// # Errors
    /// [`EngineError::WorkspaceExists`], also when another process was faster; [`EngineError::WorkspaceIncomplete`] where somebody's files would be
    /// written over.
    pub fn create(path: &Path, origin: Option<&str>) -> Result<(Self, Created)> {
        let origin = match origin {
            Some(name) => checked_origin(name)?,
            None => format!("enact.local/{}", random_hex(4)?),
        };
        if path.join(CONFIG).exists() {
            return Err(EngineError::WorkspaceExists { path: path.to_owned() });
        }
        std::fs::create_dir_all(path).map_err(|source| EngineError::file("create", path, source))?;
        // The folder itself is locked, so that nothing is left of a refusal. Whoever comes second waits and finds a whole workspace.
        let _held = locked(path)?;
        if path.join(CONFIG).exists() {
            return Err(EngineError::WorkspaceExists { path: path.to_owned() });
        }
        let config = Config { origin, node: "local".to_owned(), environment: String::new(), parameters: BTreeMap::new() };
        let mut this = Self { path: path.to_owned(), dir: open_dir(path)?, config };
        this.nothing_precious()?;
        let text = toml::to_string(&this.config).map_err(|e| EngineError::Config { detail: e.to_string() })?;
        this.write(CONFIG_BEGUN, text.as_bytes())?;
        let created = this.furnish()?;
        // In place last: a workspace is one only once everything else is.
        this.rename(CONFIG_BEGUN, CONFIG)?;
        this.config = read_config(&this)?;
        Ok((this, created))
    }

    /// Opens a workspace; where there is none, creates it and says so. Of several that find none, one creates it and all open it.
    ///
    /// # Errors
    /// Those of [`Workspace::open`] and [`Workspace::create`].
    pub fn open_or_create(path: &Path) -> Result<(Self, Option<Created>)> {
        match Self::open(path) {
            Err(EngineError::NoWorkspace { .. }) => match Self::create(path, None) {
                Ok((this, created)) => Ok((this, Some(created))),
                Err(EngineError::WorkspaceExists { .. }) => Ok((Self::open(path)?, None)),
                Err(e) => Err(e),
            },
            other => Ok((other?, None)),
        }
    }

    /// Refuses a folder in which a workspace has lost its configuration, or in which somebody keeps artifacts of their own.
    fn nothing_precious(&self) -> Result<()> {
        let begun = self.has(CONFIG_BEGUN);
        // What an interrupted attempt has left is made again. It has no ledger: nobody could open it.
        let mut found =
            PRECIOUS.iter().take(if begun { 1 } else { PRECIOUS.len() }).filter(|name| self.has(name)).map(|name| (*name).to_owned());
        let found = match found.next() {
            None if !begun && self.has("protocol") => self.artifact_names()?.into_iter().next().map(|stem| format!("protocol/{stem}.json")),
            found => found,
        };
        found.map_or(Ok(()), |found| Err(EngineError::WorkspaceIncomplete { path: self.path.clone(), found }))
    }

    /// Puts everything in place but the configuration.
    fn furnish(&self) -> Result<Created> {
        for folder in ["ledger", "modules", "protocol", "keys", "cache"] {
            self.dir.create_dir_all(folder).map_err(|e| self.at("create", folder, e))?;
        }
        self.new_secret(LEDGER_KEY)?;
        self.new_secret(CACHE_KEY)?;
        for (_, code, bytes) in embedded::artifacts() {
            self.write(&format!("protocol/{code}.json"), bytes)?;
        }
        let mut modules = 0;
        for (name, bytes) in embedded::modules() {
            self.add_module(name, bytes)?;
            modules += 1;
        }
        Ok(Created {
            path: self.path.clone(),
            origin: self.config.origin.clone(),
            packs: embedded::packs().map(|(name, _)| name.to_owned()).collect(),
            modules,
            snapshot: self.seal()?.hash().to_owned(),
        })
    }

    /// Begins a workspace for somebody else's ledger in an empty folder: it has no key to sign with. What belongs into it is put there by
    /// [`Workspace::put`], the configuration last.
    pub(crate) fn receive(path: &Path, key: Option<&str>) -> Result<Self> {
        let config = Config { origin: String::new(), node: String::new(), environment: String::new(), parameters: BTreeMap::new() };
        let this = Self { path: path.to_owned(), dir: open_dir(path)?, config };
        for folder in ["ledger", "modules", "protocol", "keys", "cache"] {
            this.dir.create_dir_all(folder).map_err(|e| this.at("create", folder, e))?;
        }
        this.new_secret(CACHE_KEY)?;
        if let Some(key) = key {
            this.write(GIVEN_KEY, format!("{key}\n{}\n", this.vouches(key)?).as_bytes())?;
        }
        Ok(this)
    }

    /// Writes a file of it as it comes.
    pub(crate) fn put(&self, name: &str, content: &mut dyn std::io::Read) -> Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o644);
        let mut write = || -> std::io::Result<()> {
            let mut file = self.dir.open_with(name, &options)?;
            std::io::copy(content, &mut file)?;
            file.sync_all()
        };
        write().map_err(|e| self.at("write", name, e))
    }

    /// A file of it, and its size.
    pub(crate) fn opened(&self, name: &str) -> Result<(File, u64)> {
        let open = || -> std::io::Result<(File, u64)> {
            // Opening what is no file, a pipe, may never come back.
            let said = self.dir.metadata(name)?;
            if !said.is_file() {
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a file"));
            }
            Ok((self.dir.open(name)?.into_std(), said.len()))
        };
        open().map_err(|e| self.at("read", name, e))
    }

    /// Names of everything that is kept of modules, sorted.
    pub(crate) fn module_files(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.dir.read_dir("modules").map_err(|e| self.at("list", "modules", e))? {
            let entry = entry.map_err(|e| self.at("list", "modules", e))?;
            // Not what a link leads to.
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                names.push(format!("modules/{}", entry.file_name().to_string_lossy()));
            }
        }
        names.sort();
        Ok(names)
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

    /// The seed of the key that signs checkpoints; `None` where the ledger is somebody else's.
    pub fn ledger_seed(&self) -> Result<Option<[u8; 32]>> {
        if self.has(LEDGER_KEY) { self.read_secret(LEDGER_KEY).map(Some) } else { Ok(None) }
    }

    /// The verifier key of somebody else's ledger, as it was given when the ledger was taken in. One that came with the folder does not count.
    pub(crate) fn given_key(&self) -> Result<Option<String>> {
        if !self.has(GIVEN_KEY) {
            return Ok(None);
        }
        let bytes = self.read(GIVEN_KEY, 1 << 10)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines();
        let (Some(key), Some(vouched)) = (lines.next(), lines.next()) else { return Ok(None) };
        Ok((self.vouches(key)? == vouched).then(|| key.to_owned()))
    }

    /// What says that a key was given here: nobody else knows the key of the cache.
    fn vouches(&self, key: &str) -> Result<String> {
        let text = format!("{}\n{key}", hex::encode(self.cache_key()?));
        Ok(derived(GIVEN_KEY_CONTEXT, text.as_bytes()).to_hex())
    }

    /// The key that authenticates the cache of compiled modules: the secret, bound to the very file that holds it on this machine. Whoever is handed a
    /// copy of a workspace has the secret and what was compiled as well, and loads none of that machine code.
    pub fn cache_key(&self) -> Result<[u8; 32]> {
        let place = place(&self.opened(CACHE_KEY)?.0).map_err(|e| self.at("read", CACHE_KEY, e))?;
        Ok(derived(CACHE_KEY_CONTEXT, format!("{}\n{place}", hex::encode(self.read_secret(CACHE_KEY)?)).as_bytes()).bytes)
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

    /// Keeps a file beside a module, or none.
    pub(crate) fn keep_beside_module(&self, digest: &str, what: &str, bytes: Option<&[u8]>) -> Result<()> {
        let file = beside(digest, what)?;
        match bytes {
            Some(bytes) => self.write(&file, bytes),
            None if self.has(&file) => self.remove(&file),
            None => Ok(()),
        }
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

    /// The file of a module, as far as there is one.
    pub(crate) fn module_opened(&self, digest: &str) -> Option<File> {
        let name = module_file(digest).ok()?;
        let file = self.dir.metadata(&name).ok().filter(|said| said.is_file()).and_then(|_| self.dir.open(&name).ok());
        file.map(cap_std::fs::File::into_std)
    }

    /// The artifacts of `protocol/`, as they are on disk now.
    pub fn artifact_files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let read = |stem: String| Ok((stem.clone(), self.read(&format!("protocol/{stem}.json"), ARTIFACT_BYTES_MAX)?));
        self.artifact_names()?.into_iter().map(read).collect()
    }

    /// Stems of the files of `protocol/`, sorted.
    fn artifact_names(&self) -> Result<Vec<String>> {
        let mut stems = Vec::new();
        let listing = self.dir.read_dir("protocol").map_err(|e| self.at("list", "protocol", e))?;
        for entry in listing {
            let name = entry.map_err(|e| self.at("list", "protocol", e))?.file_name().to_string_lossy().into_owned();
            stems.extend(name.strip_suffix(".json").map(str::to_owned));
        }
        stems.sort();
        Ok(stems)
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
        let sources = self.artifact_files()?;
        if sources.is_empty() {
            return Err(EngineError::NoSources { path: self.path.join("protocol") });
        }
        let snapshot = compile(&sources, &self.module_names()?)?;
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
        let (file, _) = self.opened(name)?;
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| self.at("read", name, e))?;
        if bytes.len() as u64 > bytes_max {
            return Err(EngineError::FileTooLarge { path: self.path.join(name), bytes_max });
        }
        Ok(bytes)
    }

    /// Atomic: a reader sees the old file or the new one.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.place(name, bytes, 0o644, |temporary| self.dir.rename(temporary, &self.dir, name))
    }

    /// Writes a file of another name and has it put in its place.
    fn place(&self, name: &str, bytes: &[u8], mode: u32, place: impl Fn(&str) -> std::io::Result<()>) -> Result<()> {
        let temporary = format!("{name}.{}.tmp", random_hex(4)?);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let write = || -> std::io::Result<()> {
            let mut file = self.dir.open_with(&temporary, &options)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            place(&temporary)
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

    /// Puts a file in the place of another.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.dir.rename(from, &self.dir, to).map_err(|e| self.at("rename", from, e))
    }

    /// Removes a file of the workspace.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        self.dir.remove_file(name).map_err(|e| self.at("remove", name, e))
    }

    /// A folder that is this process's until the handle is dropped; others that ask for it wait.
    pub(crate) fn held(&self, folder: &str) -> Result<File> {
        self.dir.create_dir_all(folder).map_err(|e| self.at("create", folder, e))?;
        locked(&self.path.join(folder))
    }

    /// Makes a secret of 32 random bytes. One that is there already stays, whoever made it: answers whether this one was put there.
    pub(crate) fn new_secret(&self, name: &str) -> Result<bool> {
        let there = std::cell::Cell::new(false);
        self.place(name, random_hex(32)?.as_bytes(), 0o600, |temporary| {
            // A link does not replace, as a renaming would, and what it names is whole.
            match self.dir.hard_link(temporary, &self.dir, name) {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists && !self.has(name) => {
                    // A file system without links; who writes here holds the folder.
                    return self.dir.rename(temporary, &self.dir, name);
                }
                linked => there.set(linked.is_err()),
            }
            self.dir.remove_file(temporary)
        })?;
        Ok(!there.get())
    }

    pub(crate) fn read_secret(&self, name: &str) -> Result<[u8; 32]> {
        let text = self.read(name, 128)?;
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim_ascii(), &mut seed).map_err(|_| EngineError::Key { name: name.to_owned() })?;
        Ok(seed)
    }
}

/// What a copy of a file does not have: the machine, where the file lies in its file system, and since when. The number of the volume is left out, which
/// is another after a restart.
fn place(file: &File) -> std::io::Result<String> {
    let said = file.metadata()?;
    // Some systems have none.
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let born = said.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    #[cfg(unix)]
    let lies = {
        use std::os::unix::fs::MetadataExt as _;
        // Where a file system does not know when a file was made, it knows when it was last moved.
        let since = if born.is_zero() { said.ctime_nsec() } else { 0 };
        format!("{} {since}", said.ino())
    };
    #[cfg(not(unix))]
    let lies = "";
    Ok(format!("{} {} {lies}", machine.trim(), born.as_nanos()))
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

/// Locks a folder for as long as the handle lives.
fn locked(path: &Path) -> Result<File> {
    let lock = || File::open(path).and_then(|folder| folder.lock().map(|()| folder));
    lock().map_err(|source| EngineError::file("lock", path, source))
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
