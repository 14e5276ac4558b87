//! Compiled modules on disk.
//!
//! A compiled module is machine code: loading one that somebody else wrote is running their code. So a file is loaded only when it
//! carries a MAC under a key that only this workspace has, over its name and its content. Everything else is ignored and rebuilt:
//! the cache is never an authority and never an error.
//!
//! What was found when a module was measured against its bounds is kept in the same way: it says of these very bytes, under these rules, that they
//! break none, and measuring is most of what loading a large module costs.
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::fingerprint::fuel_schedule;
use crate::limits::Profile;
use crate::module::Kind;
use crate::scan::Facts;

/// Length of the MAC in front of the content.
const MAC_BYTES: usize = 32;
/// Names of files end in what they hold.
const COMPILED: &str = "cwasm";
const FACTS: &str = "facts";
/// Tells facts from what is compiled.
const RULES: &str = "/facts/";
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
        let file = self.read(&name, &self.path(&name, COMPILED))?;
        deserialize(engine, file.get(MAC_BYTES..)?)
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
        let file = self.read(&name, &self.path(&name, FACTS))?;
        let kept: Kept = serde_json::from_slice(file.get(MAC_BYTES..)?).ok()?;
        Some(kept.into())
    }

    /// Keeps that, of a module that breaks no rule.
    pub(crate) fn store_facts(&self, digest: &str, profile: Profile, facts: &Facts) {
        if let Ok(content) = serde_json::to_vec(&Kept::from(facts)) {
            self.write(&self.facts_name(digest, profile), FACTS, &content);
        }
    }

    /// The file of that name with its MAC, if it is authentic.
    fn read(&self, name: &[u8; 32], path: &Path) -> Option<Vec<u8>> {
        if fs::metadata(path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        let file = fs::read(path).ok()?;
        let (mac, content) = file.split_at_checked(MAC_BYTES)?;
        let mac = blake3::Hash::from_bytes(mac.try_into().ok()?);
        // Constant time: `blake3::Hash` compares so.
        (self.mac(name, content) == mac).then_some(file)
    }

    fn write(&self, name: &[u8; 32], kind: &str, content: &[u8]) {
        let _ = write(&self.options.dir, &self.path(name, kind), self.mac(name, content).as_bytes(), content);
    }

    fn facts_name(&self, digest: &str, profile: Profile) -> [u8; 32] {
        self.name(&[digest, RULES, &self.rules, profile.name()])
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

/// Writes beside the target and renames, so that no reader sees half a file.
fn write(dir: &Path, path: &Path, mac: &[u8], content: &[u8]) -> std::io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(dir)?;
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    let partial = path.with_extension(format!("{}-{unique}.tmp", std::process::id()));
    let written = fs::File::create(&partial)
        .and_then(|mut file| file.write_all(mac).and_then(|()| file.write_all(content)))
        .and_then(|()| fs::rename(&partial, path));
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
