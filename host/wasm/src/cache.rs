//! Compiled modules on disk.
//!
//! A compiled module is machine code: loading one that somebody else wrote is running their code. So a file is loaded only when it
//! carries a MAC under a key that only this workspace has, over its name and its content, and is of this very account. Everything else is ignored and rebuilt:
//! the cache is never an authority and never an error.
//!
//! What was found when a module was measured against its bounds is kept in the same way: it says of these very bytes, under these rules, that they
//! break none, and measuring is most of what loading a large module costs. And whoever has read both in full may keep a [`seal`](crate::seal): as long
//! as it holds, the module is mapped into memory instead of read.
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::fingerprint::fuel_schedule;
use crate::limits::Profile;
use crate::module::Kind;
use crate::scan::Facts;
use crate::seal::{Seen, Stamp, ours, reopened};

/// Length of the MAC behind the content, which begins where a page begins.
const MAC_BYTES: usize = 32;
/// Names of files end in what they hold.
const COMPILED: &str = "cwasm";
const FACTS: &str = "facts";
const SEAL: &str = "seal";
/// Tell facts and seals from what is compiled.
const RULES: &str = "/facts/";
const SEALED: &str = "/seal/";
/// The rules that facts are found under, to the letter: where one of them is another, all is measured again.
const SOURCES: [&str; 7] = [
    include_str!("scan/component.rs"),
    include_str!("scan/core.rs"),
    include_str!("scan/depth.rs"),
    include_str!("scan/mod.rs"),
    include_str!("scan/rule.rs"),
    include_str!("config.rs"),
    include_str!("limits.rs"),
];
/// A compiled module is a few times the size of its source; a larger file is not one of ours.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Where compiled modules are kept, and the key that authenticates them.
#[derive(Clone)]
pub struct CacheOptions {
    /// The folder; made when it is missing.
    pub dir: PathBuf,
    /// Secret of the workspace. Who knows it and can write to the folder can run code.
    pub key: [u8; 32],
}

impl std::fmt::Debug for CacheOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheOptions").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// [`Facts`] of a module that breaks no rule.
#[derive(Serialize, Deserialize)]
struct Kept {
    side_effect: Option<bool>,
    imports: Vec<String>,
    exports: Vec<String>,
    start: Option<usize>,
    inner_imports: usize,
}

impl From<&Facts> for Kept {
    fn from(facts: &Facts) -> Self {
        let Facts { kind, imports, exports, start, inner_imports, refusals: _ } = facts;
        let side_effect = kind.map(|kind| kind == Kind::SideEffect);
        Self { side_effect, imports: imports.clone(), exports: exports.clone(), start: *start, inner_imports: *inner_imports }
    }
}

impl From<Kept> for Facts {
    fn from(kept: Kept) -> Self {
        let Kept { side_effect, imports, exports, start, inner_imports } = kept;
        let kind = side_effect.map(|effect| if effect { Kind::SideEffect } else { Kind::Transform });
        Self { kind, imports, exports, start, inner_imports, refusals: Vec::new() }
    }
}

/// A module of which everything was read and found authentic, and the files as they were then.
#[derive(Serialize, Deserialize)]
struct Sealed {
    facts: Kept,
    /// Whether it is too large for the narrower profile.
    standard: bool,
    /// The component.
    source: Stamp,
    /// What it was compiled to.
    compiled: Stamp,
    seen: Seen,
}

/// A module that was found in the cache.
pub(crate) struct Found {
    pub(crate) facts: Facts,
    pub(crate) profile: Profile,
    pub(crate) component: Component,
}

/// The cache of one engine.
pub(crate) struct Cache {
    options: CacheOptions,
    /// Hash of what makes compiled code usable: the engine's own compatibility hash and the fuel schedule.
    engine: [u8; 32],
    /// Hash of [`SOURCES`].
    rules: String,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Cache {
    pub(crate) fn new(options: CacheOptions, engine: &Engine) -> Self {
        let mut hasher = Blake3(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.write(fuel_schedule().as_bytes());
        let mut rules = blake3::Hasher::new();
        for source in SOURCES {
            rules.update(blake3::hash(source.as_bytes()).as_bytes());
        }
        Self { options, engine: *hasher.0.finalize().as_bytes(), rules: rules.finalize().to_hex().to_string() }
    }

    /// The compiled module with `digest`, if an authentic and compatible file of it is there.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let name = self.name(&[digest]);
        let file = self.read(&name, &mut self.open(&name, COMPILED)?)?;
        deserialize(engine, &file)
    }

    /// The module with `digest` that `source` holds, if a seal of both files holds. Neither is read.
    pub(crate) fn sealed(&self, engine: &Engine, digest: &str, source: &File) -> Option<Found> {
        let name = self.seal_name(digest);
        let seal: Sealed = serde_json::from_slice(&self.read(&name, &mut self.open(&name, SEAL)?)?).ok()?;
        if !seal.seen.lately() || Stamp::of(source)? != seal.source {
            return None;
        }
        let compiled = self.open(&self.name(&[digest]), COMPILED)?;
        if Stamp::of(&compiled)? != seal.compiled {
            return None;
        }
        let component = mapped(engine, &compiled)?;
        let profile = if seal.standard { Profile::Standard } else { Profile::Strict };
        Some(Found { facts: seal.facts.into(), profile, component })
    }

    /// Seals a module that was admitted under `profile`, if this host may: reads both files once more, each as the one that it stamps.
    pub(crate) fn seal(&self, digest: &str, profile: Profile, source: &mut File) -> Option<()> {
        let name = self.name(&[digest]);
        let mut compiled = self.open(&name, COMPILED)?;
        let seal = Sealed {
            facts: Kept::from(&self.facts(digest, profile)?),
            standard: profile == Profile::Standard,
            source: stamped(source, |file| {
                let mut bytes = Vec::new();
                file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
                (digest_text(&blake3::hash(&bytes)) == digest).then_some(())
            })?,
            compiled: stamped(&mut compiled, |file| self.read(&name, file).map(drop))?,
            seen: Seen::now(),
        };
        self.write(&self.seal_name(digest), SEAL, &serde_json::to_vec(&seal).ok()?);
        Some(())
    }

    /// Keeps a compiled module. A failure costs the next process a compilation and nothing else.
    pub(crate) fn store(&self, digest: &str, component: &Component) {
        if let Ok(content) = component.serialize() {
            self.write(&self.name(&[digest]), COMPILED, &content);
        }
    }

    /// What was found of the module with `digest` when it was measured against the rules of `profile` and broke none.
    pub(crate) fn facts(&self, digest: &str, profile: Profile) -> Option<Facts> {
        let name = self.facts_name(digest, profile);
        let kept: Kept = serde_json::from_slice(&self.read(&name, &mut self.open(&name, FACTS)?)?).ok()?;
        Some(kept.into())
    }

    /// Keeps that, of a module that breaks no rule.
    pub(crate) fn store_facts(&self, digest: &str, profile: Profile, facts: &Facts) {
        if let Ok(content) = serde_json::to_vec(&Kept::from(facts)) {
            self.write(&self.facts_name(digest, profile), FACTS, &content);
        }
    }

    /// What a file of that name holds, if it is authentic.
    fn read(&self, name: &[u8; 32], file: &mut File) -> Option<Vec<u8>> {
        let bytes = file.metadata().ok()?.len();
        if bytes > FILE_BYTES_MAX {
            return None;
        }
        let mut content = Vec::with_capacity(usize::try_from(bytes).ok()?);
        file.take(FILE_BYTES_MAX).read_to_end(&mut content).ok()?;
        let (bytes, mac) = content.split_last_chunk::<MAC_BYTES>()?;
        // Constant time: `blake3::Hash` compares so.
        let authentic = self.mac(name, bytes) == blake3::Hash::from_bytes(*mac);
        content.truncate(bytes.len());
        authentic.then_some(content)
    }

    fn open(&self, name: &[u8; 32], kind: &str) -> Option<File> {
        let path = self.path(name, kind);
        // Opening what is no file may never come back; and what is somebody else's is not ours, whatever MAC it carries.
        fs::metadata(&path).is_ok_and(|said| said.is_file() && ours(&said)).then(|| File::open(path).ok())?
    }

    fn write(&self, name: &[u8; 32], kind: &str, content: &[u8]) {
        let _ = write(&self.options.dir, &self.path(name, kind), self.mac(name, content).as_bytes(), content);
    }

    fn facts_name(&self, digest: &str, profile: Profile) -> [u8; 32] {
        self.name(&[digest, RULES, &self.rules, profile.name()])
    }

    fn seal_name(&self, digest: &str) -> [u8; 32] {
        self.name(&[digest, SEALED, &self.rules])
    }

    /// Parts are digests and names from this crate, none of which is the beginning of another.
    fn name(&self, parts: &[&str]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.engine);
        for part in parts {
            hasher.update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    fn path(&self, name: &[u8; 32], kind: &str) -> PathBuf {
        self.options.dir.join(format!("{}.{kind}", hex::encode(name)))
    }

    fn mac(&self, name: &[u8; 32], content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.options.key);
        hasher.update(name);
        hasher.update(content);
        hasher.finalize()
    }
}

#[allow(unsafe_code, reason = "the engine loads compiled code only through an unsafe function")]
pub(crate) fn deserialize(engine: &Engine, content: &[u8]) -> Option<Component> {
    // SAFETY: the content must be what `Component::serialize` gave. It comes from one of two places. From a file, then the caller has
    // checked a MAC over it under a key that only this workspace holds, and nothing else is written under that key. Or from a `Compiler`,
    // whose contract is that it takes it from a process of this very program only. It is a copy in memory: nobody changes it meanwhile.
    unsafe { Component::deserialize(engine, content) }.ok()
}

#[allow(unsafe_code, reason = "the engine loads compiled code only through an unsafe function")]
fn mapped(engine: &Engine, compiled: &File) -> Option<Component> {
    let name = reopened(compiled)?;
    // SAFETY: the content must be what `Component::serialize` gave, and stay so while it is mapped. It is the file of which a MAC was checked
    // as above, and its stamp is the one it had then. Nobody writes into it: this program puts a new file in the place of an old one, and whoever
    // else could is the same account, which may write into this process as well.
    unsafe { Component::deserialize_file(engine, name) }.ok()
}

/// The stamp of a file, if `read` finds it to be right and nobody touched it meanwhile or shortly before.
fn stamped(file: &mut File, read: impl FnOnce(&mut File) -> Option<()>) -> Option<Stamp> {
    let before = Stamp::of(file).filter(Stamp::settled)?;
    read(file)?;
    Stamp::of(file).filter(|after| *after == before)
}

/// `blake3:` and the hash in lower case hexadecimal.
pub(crate) fn digest_text(hash: &blake3::Hash) -> String {
    format!("blake3:{}", hash.to_hex())
}

/// Writes beside the target and renames, so that no reader sees half a file.
fn write(dir: &Path, path: &Path, mac: &[u8], content: &[u8]) -> std::io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(dir)?;
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let partial = path.with_extension(format!("{}-{since}-{unique}.tmp", std::process::id()));
    let mut options = fs::OpenOptions::new();
    // Never into what is there already, be it a link.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&partial)?;
    let written = file.write_all(content).and_then(|()| file.write_all(mac)).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written
}

/// Lets a standard hash fill all 256 bits.
struct Blake3(blake3::Hasher);

impl Hasher for Blake3 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        hash.as_bytes().iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn b_32_facts_are_those_of_these_bytes_these_rules_and_this_workspace_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = |key: u8| Cache::new(CacheOptions { dir: dir.path().to_owned(), key: [key; 32] }, &Engine::default());
        let facts = Facts {
            kind: Some(Kind::SideEffect),
            imports: vec!["enact:capability/clock@0.1.0".to_owned()],
            exports: vec!["e".to_owned()],
            start: Some(7),
            inner_imports: 3,
            refusals: Vec::new(),
        };
        cache(1).store_facts("blake3:aa", Profile::Strict, &facts);
        let found = cache(1).facts("blake3:aa", Profile::Strict).unwrap();
        assert_eq!((found.kind, &found.imports, &found.exports), (facts.kind, &facts.imports, &facts.exports));
        assert_eq!((found.start, found.inner_imports, found.grants()), (Some(7), 3, vec!["clock".to_owned()]));
        assert!(cache(1).facts("blake3:ab", Profile::Strict).is_none());
        assert!(cache(1).facts("blake3:aa", Profile::Standard).is_none());
        assert!(cache(2).facts("blake3:aa", Profile::Strict).is_none());
        let file = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let mut bytes = fs::read(&file).unwrap();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(cache(1).facts("blake3:aa", Profile::Strict).is_none());
    }
}
