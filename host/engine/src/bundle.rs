//! A ledger on its way to an auditor: one file with everything that verifying and replaying it takes, and nothing secret.
//!
//! The file is a tar archive: a manifest, then the parts that it lists, in its order. Whoever takes it in gets a workspace that has no key to sign with.
//! The manifest vouches for nothing, it only says early what was cut off; what vouches is inside the ledger, and is verified there.
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use enact_core::hash::Digest;
use enact_core::note;
use enact_store::Progress;
use serde::{Deserialize, Serialize};

use crate::admission::{MODULE_BYTES_MAX, SIDE_FILE_BYTES_MAX};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::verify::VerifyReport;
use crate::workspace::{CONFIG, LOCK, Workspace, random_hex};

/// The file is no bundle.
const FORMAT: &str = "bundle_format";
/// A part is not what the manifest says, or the ledger is not.
pub(crate) const ALTERED: &str = "bundle_altered";
/// The ledger names another key than the one that was expected.
pub(crate) const OTHER_KEY: &str = "bundle_key";
/// Something was written while it was bundled.
const UNSETTLED: &str = "bundle_unsettled";
/// The one version there is.
const VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";
const LEDGER: &str = "ledger/ledger.db";
const NAMES: &str = "modules/names.json";
/// A line for each of as many modules as anybody keeps.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;
/// The configuration, and what a seal holds: the bounds of a workspace.
const CONFIG_BYTES_MAX: u64 = 64 << 10;
const LOCK_BYTES_MAX: u64 = 64 << 20;

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format.
    pub bundle: u32,
    /// Name of the ledger.
    pub origin: String,
    /// The verifier key that the ledger is pinned to.
    pub key: String,
    /// Its entries.
    pub entries: u64,
    /// Root of the Merkle tree over them.
    pub root: String,
    /// The parts, in the order in which they follow.
    pub parts: Vec<Part>,
}

impl Manifest {
    /// Bytes of all parts.
    fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.bytes))
    }
}

/// A part of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name in a workspace.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its BLAKE3 hash in lower case hexadecimal.
    pub blake3: String,
}

/// What was bundled.
#[derive(Debug, Clone, Serialize)]
pub struct Bundled {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// `blake3:` and its hash, as `b3sum` gives it.
    pub digest: String,
    /// What is in it.
    #[serde(flatten)]
    pub manifest: Manifest,
}

/// What an error of this module asks of whoever meets it.
pub(crate) fn hint(code: &str) -> &'static str {
    match code {
        UNSETTLED => "do it again when nobody works on the workspace's protocol and modules",
        FORMAT => "a bundle is what `enact ledger bundle` writes",
        OTHER_KEY => "ask whoever runs the ledger for its key by another way than the bundle came; do not rely on this bundle",
        _ => "have it sent again; do not rely on this one",
    }
}

fn wrong(code: &'static str, detail: impl Into<String>) -> EngineError {
    EngineError::Bundle { code, detail: detail.into() }
}

impl Engine {
    /// Writes everything that an auditor needs into a new file, and verifies the ledger that is in it. A bundle of an altered ledger is written as well: it
    /// is evidence.
    ///
    /// # Errors
    /// [`EngineError::File`], also when there is something at `to`; those of a backup.
    pub fn bundle(&self, to: &Path, jobs: NonZeroUsize, see: &mut dyn FnMut(Step)) -> Result<(Bundled, VerifyReport)> {
        if fs::symlink_metadata(to).is_ok() {
            return Err(EngineError::file("create", to, io::ErrorKind::AlreadyExists.into()));
        }
        let copy = Temporary(beside(to, "ledger")?);
        let copied = self.store().backup(&copy.0, &mut |progress| see(Step::Copied(progress)))?;
        see(Step::Structure);
        let report = self.verify_copy(&copy.0, jobs, |_| see(Step::Verified { entries: copied.head.size }))?;
        let mut parts = Vec::new();
        let names = std::iter::once(LOCK.to_owned()).chain(self.workspace().module_files()?);
        // What somebody else has put there is not ours to hand on. The configuration is last: a folder is a workspace only once it is there.
        for name in names.filter(|name| bytes_max(name).is_some()).chain([LEDGER.to_owned(), CONFIG.to_owned()]) {
            parts.push(part(&name, self.of(&name, &copy.0)?)?);
        }
        let manifest = Manifest {
            bundle: VERSION,
            origin: self.store().origin().to_owned(),
            key: self.store().public_key().to_owned(),
            entries: copied.head.size,
            root: Digest::sha256(copied.head.root()).to_string(),
            parts,
        };
        let partial = Temporary(beside(to, "partial")?);
        let failed = |e| EngineError::file("write", &partial.0, e);
        let mut archive = tar::Builder::new(BufWriter::new(File::create_new(&partial.0).map_err(failed)?));
        let text = serde_json::to_vec_pretty(&manifest).map_err(|e| EngineError::Internal { detail: e.to_string() })?;
        append(&mut archive, MANIFEST, text.len() as u64, text.as_slice()).map_err(failed)?;
        for part in &manifest.parts {
            let (file, bytes) = self.of(&part.name, &copy.0)?;
            let mut read = Hashing { from: file.take(part.bytes), hasher: blake3::Hasher::new() };
            append(&mut archive, &part.name, part.bytes, &mut read).map_err(failed)?;
            if bytes != part.bytes || read.hasher.finalize().to_hex().as_str() != part.blake3 {
                return Err(wrong(UNSETTLED, format!("`{}` was written while it was bundled", part.name)));
            }
            see(Step::Packed { bytes: part.bytes, total: manifest.bytes() });
        }
        let write = || -> io::Result<File> { archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error) };
        write().and_then(|file| file.sync_all()).map_err(failed)?;
        let (digest, bytes) = File::open(&partial.0).and_then(|mut file| hashed(&mut file, u64::MAX)).map_err(failed)?;
        partial.named(to)?;
        Ok((Bundled { file: to.to_owned(), bytes, digest: format!("blake3:{digest}"), manifest }, report))
    }
}

impl Engine {
    /// A file of the workspace, or the copy of the ledger.
    fn of(&self, name: &str, copy: &Path) -> Result<(File, u64)> {
        if name == LEDGER { opened(copy) } else { self.workspace().opened(name) }
    }
}

/// How far a bundle is.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// The ledger's file is looked through, which takes as long as it takes.
    Structure,
    /// Pages of the ledger were copied.
    Copied(Progress),
    /// One more entry of `entries` was verified.
    Verified {
        /// All of them.
        entries: u64,
    },
    /// A part was written, or taken in.
    Packed {
        /// Its size.
        bytes: u64,
        /// The size of all.
        total: u64,
    },
}

/// Makes a workspace of a bundle, in a folder that is empty or not there: whole or not at all. It is not verified yet. `key` is the verifier key that the
/// ledger must be pinned to; without it, it may be any.
///
/// # Errors
/// [`EngineError::Bundle`], [`EngineError::File`], and those of opening a workspace.
pub fn open(file: &Path, to: &Path, key: Option<&str>, see: &mut dyn FnMut(Step)) -> Result<(Workspace, Manifest)> {
    if let Some(key) = key {
        note::decode_key(key).map_err(|_| EngineError::Key { name: "--key".to_owned() })?;
    }
    let taken = |e| EngineError::file("create", to, e);
    let there = match fs::read_dir(to).map(|mut listing| listing.next().is_some()) {
        Ok(true) => return Err(EngineError::FolderNotEmpty { path: to.to_owned() }),
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(taken(e)),
        empty => empty.is_ok(),
    };
    let unread = |e| EngineError::file("read", file, e);
    let mut archive = tar::Archive::new(BufReader::new(File::open(file).map_err(unread)?));
    // Raw: an extension of the format is a part that nobody listed, and is not interpreted.
    let mut parts = archive.entries().map_err(unread)?.raw(true);
    let mut next = || -> Result<Option<Packed<'_, _>>> {
        parts.next().transpose().map_err(|e| wrong(FORMAT, format!("`{}` is no bundle: {e}", file.display())))
    };
    let mut first =
        next()?.filter(|part| named(part, MANIFEST)).ok_or_else(|| wrong(FORMAT, format!("`{}` is no bundle", file.display())))?;
    let manifest = manifest(&mut first)?;
    if let Some(key) = key.filter(|key| *key != manifest.key) {
        return Err(wrong(OTHER_KEY, format!("the ledger is signed by `{}`, and not by `{key}`", manifest.key.escape_default())));
    }
    let partial = Folder(beside(to, "partial")?);
    fs::create_dir_all(&partial.0).map_err(taken)?;
    let workspace = Workspace::receive(&partial.0, key)?;
    for part in &manifest.parts {
        let packed = next()?.filter(|packed| named(packed, &part.name) && packed.size() == part.bytes);
        let packed = packed.ok_or_else(|| wrong(ALTERED, format!("`{}` is not where the manifest says, or of another size", part.name)))?;
        let mut read = Hashing { from: packed, hasher: blake3::Hasher::new() };
        workspace.put(&part.name, &mut read)?;
        if read.hasher.finalize().to_hex().as_str() != part.blake3 {
            return Err(wrong(ALTERED, format!("`{}` is not the one that was bundled", part.name)));
        }
        see(Step::Packed { bytes: part.bytes, total: manifest.bytes() });
    }
    let more = next()?.is_some();
    // An end is an end: nothing else may stand behind it.
    if more || !only_zeros(archive.into_inner()).map_err(unread)? {
        return Err(wrong(FORMAT, "there is more in it than its manifest lists"));
    }
    drop(workspace);
    see(Step::Structure);
    matches(Workspace::open(&partial.0)?, &manifest)?;
    if there {
        partial.moved_into(to).map_err(taken)?;
    } else {
        fs::rename(&partial.0, to).map_err(taken)?;
    }
    Ok((Workspace::open(to)?, manifest))
}

/// Whether the ledger is the one that the manifest is about.
fn matches(workspace: Workspace, manifest: &Manifest) -> Result<()> {
    let ledger = workspace.ledger_path();
    let (engine, _) = Engine::open_to_verify(workspace)?;
    engine.verify_structure().map_err(|error| wrong(ALTERED, error.to_string()))?;
    let head = engine.store().reader()?.head()?;
    let root = Digest::sha256(head.root()).to_string();
    let store = engine.store();
    let same =
        store.origin() == manifest.origin && store.public_key() == manifest.key && head.size == manifest.entries && root == manifest.root;
    drop(engine);
    enact_store::tidy(&ledger)?;
    if same { Ok(()) } else { Err(wrong(ALTERED, "the ledger in it is not the one that the manifest is about")) }
}

type Packed<'a, R> = tar::Entry<'a, R>;

fn named<R: Read>(part: &Packed<'_, R>, name: &str) -> bool {
    part.header().entry_type().is_file() && *part.path_bytes() == *name.as_bytes()
}

fn manifest<R: Read>(part: &mut Packed<'_, R>) -> Result<Manifest> {
    let mut bytes = Vec::new();
    part.take(MANIFEST_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| wrong(FORMAT, e.to_string()))?;
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(wrong(FORMAT, format!("its manifest is larger than {MANIFEST_BYTES_MAX} bytes")));
    }
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| wrong(FORMAT, format!("its manifest cannot be read: {e}")))?;
    if manifest.bundle != VERSION {
        return Err(wrong(FORMAT, format!("it has version {} of the format, this program reads {VERSION}", manifest.bundle)));
    }
    let mut names = std::collections::BTreeSet::new();
    for part in &manifest.parts {
        let Some(bytes_max) = bytes_max(&part.name).filter(|_| names.insert(part.name.as_str())) else {
            return Err(wrong(FORMAT, format!("`{}` does not belong into it, or is in it twice", part.name.escape_default())));
        };
        if part.bytes > bytes_max {
            return Err(wrong(FORMAT, format!("`{}` is larger than {bytes_max} bytes", part.name)));
        }
    }
    match [CONFIG, LOCK, LEDGER].iter().find(|name| !names.contains(**name)) {
        Some(missing) => Err(wrong(FORMAT, format!("there is no `{missing}` in it"))),
        None => Ok(manifest),
    }
}

/// Most bytes of a part of that name; `None` where nothing of that name belongs into a bundle.
fn bytes_max(name: &str) -> Option<u64> {
    match name {
        CONFIG => return Some(CONFIG_BYTES_MAX),
        LOCK | NAMES => return Some(LOCK_BYTES_MAX),
        LEDGER => return Some(u64::MAX),
        _ => {}
    }
    let (hex, kind) = name.strip_prefix("modules/")?.split_once('.')?;
    let digest = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match kind {
        "wasm" => Some(MODULE_BYTES_MAX),
        "manifest.json" | "vectors.json" => Some(SIDE_FILE_BYTES_MAX),
        _ => None,
    }
    .filter(|_| digest)
}

/// Whether nothing is left but the zeros that end an archive.
fn only_zeros(mut rest: impl Read) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    loop {
        match rest.read(&mut buffer)? {
            0 => return Ok(true),
            read if buffer.iter().take(read).all(|byte| *byte == 0) => {}
            _ => return Ok(false),
        }
    }
}

fn append(archive: &mut tar::Builder<impl io::Write>, name: &str, bytes: u64, content: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    archive.append_data(&mut header, name, content)
}

fn part(name: &str, (mut file, bytes): (File, u64)) -> Result<Part> {
    let hashed = hashed(&mut file, bytes).map_err(|e| EngineError::file("read", Path::new(name), e))?;
    Ok(Part { name: name.to_owned(), bytes: hashed.1, blake3: hashed.0 })
}

fn opened(path: &Path) -> Result<(File, u64)> {
    let open = || -> io::Result<(File, u64)> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    };
    open().map_err(|e| EngineError::file("read", path, e))
}

/// The hash of at most so many bytes, and how many there were.
fn hashed(file: &mut File, bytes_max: u64) -> io::Result<(String, u64)> {
    file.rewind()?;
    let mut read = Hashing { from: file.take(bytes_max), hasher: blake3::Hasher::new() };
    let bytes = io::copy(&mut read, &mut io::sink())?;
    Ok((read.hasher.finalize().to_hex().to_string(), bytes))
}

/// Hashes what is read through it.
struct Hashing<R> {
    from: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// A name beside `to` that nobody has.
fn beside(to: &Path, what: &str) -> Result<PathBuf> {
    let to = std::path::absolute(to).map_err(|e| EngineError::file("create", to, e))?;
    // Without what stands for nothing, such as a slash at the end.
    let mut name = to.components().collect::<PathBuf>().into_os_string();
    name.push(format!(".{what}-{}", random_hex(4)?));
    Ok(name.into())
}

/// A file that is gone when this is.
struct Temporary(PathBuf);

impl Temporary {
    /// Gives the file its name, unless somebody has put something there meanwhile.
    fn named(&self, to: &Path) -> Result<()> {
        let named = match fs::hard_link(&self.0, to) {
            // A file system without links.
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists && fs::symlink_metadata(to).is_err() => fs::rename(&self.0, to),
            named => named,
        };
        named.map_err(|e| EngineError::file("create", to, e))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// A folder that is gone when this is, unless it was moved.
struct Folder(PathBuf);

impl Folder {
    /// Moves what it holds into another that is empty, the configuration last.
    fn moved_into(&self, to: &Path) -> io::Result<()> {
        let mut names = fs::read_dir(&self.0)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort_by_key(|name| name == CONFIG);
        names.iter().try_for_each(|name| fs::rename(self.0.join(name), to.join(name)))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
