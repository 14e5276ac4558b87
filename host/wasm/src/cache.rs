//! Compiled modules on disk.
//!
//! A compiled module is machine code: loading one that somebody else wrote is running their code. So a file is loaded only when it
//! carries a MAC under a key that only this workspace has, over its name and its content. Everything else is ignored and rebuilt:
//! the cache is never an authority and never an error.
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::fingerprint::fuel_schedule;

/// Length of the MAC in front of the content.
const MAC_BYTES: usize = 32;
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

/// The cache of one engine.
pub(crate) struct Cache {
    options: CacheOptions,
    /// Hash of what makes compiled code usable: the engine's own compatibility hash and the fuel schedule.
    engine: [u8; 32],
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
        Self { options, engine: *hasher.0.finalize().as_bytes() }
    }

    /// The compiled module with `digest`, if an authentic and compatible file of it is there.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let name = self.name(digest);
        let path = self.path(&name);
        if fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        let file = fs::read(path).ok()?;
        let (mac, content) = file.split_at_checked(MAC_BYTES)?;
        let mac = blake3::Hash::from_bytes(mac.try_into().ok()?);
        // Constant time: `blake3::Hash` compares so.
        if self.mac(&name, content) != mac {
            return None;
        }
        deserialize(engine, content)
    }

    /// Keeps a compiled module. A failure costs the next process a compilation and nothing else.
    pub(crate) fn store(&self, digest: &str, component: &Component) {
        let name = self.name(digest);
        if let Ok(content) = component.serialize() {
            let mac = self.mac(&name, &content);
            let _ = write(&self.options.dir, &self.path(&name), mac.as_bytes(), &content);
        }
    }

    fn name(&self, digest: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.engine);
        hasher.update(digest.as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn path(&self, name: &[u8; 32]) -> PathBuf {
        self.options.dir.join(format!("{}.cwasm", hex::encode(name)))
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
