//! A module: a folder with a manifest and a crate. The manifest says what the host needs to know; this file reads it and no more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// Most bytes of a module: what the strict admission profile takes without a thought and what a repository can hold.
const SIZE_MAX: usize = 150 * 1024;
/// The same of the module that carries the host's core.
const SIZE_MAX_WITH_CORE: usize = 1400 * 1024;
/// That module.
const WITH_CORE: &str = "auditor";

/// Name of the manifest in a module's folder.
const MANIFEST: &str = "manifest.json";

/// `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    module: String,
    world: World,
    codes: BTreeMap<String, Limits>,
}

/// The world that a module exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum World {
    /// `transform-module`: pure, imports nothing.
    Transform,
    /// `side-effect-module`: imports what its bindings grant.
    SideEffect,
}

impl World {
    /// As manifests and digests name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::SideEffect => "side-effect",
        }
    }

    /// As the WIT package names it.
    pub(crate) const fn wit(self) -> &'static str {
        match self {
            Self::Transform => "transform-module",
            Self::SideEffect => "side-effect-module",
        }
    }
}

/// What a call of a code may use where its binding does not say otherwise. The host applies them; here they are only checked to be there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    fuel: u64,
    memory_bytes: u64,
    output_bytes: u64,
}

/// A module that can be built.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) world: World,
    pub(crate) codes: Vec<String>,
    folder: PathBuf,
}

impl Module {
    /// The package of the crate: `enact-capability-<name>`.
    pub(crate) fn package(&self) -> String {
        format!("enact-capability-{}", self.name)
    }

    /// Most bytes that it may have.
    pub(crate) fn size_max(&self) -> usize {
        if self.name == WITH_CORE { SIZE_MAX_WITH_CORE } else { SIZE_MAX }
    }

    /// Where its bytes are committed.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.name))
    }

    /// Puts new bytes in place.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<()> {
        let path = self.path();
        std::fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
    }

    fn read(folder: PathBuf) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let manifest: Manifest = serde_json::from_str(&text).with_context(|| format!("`{}` is not a manifest", path.display()))?;
        if folder.file_name().and_then(|name| name.to_str()) != Some(manifest.module.as_str()) {
            bail!("`{}` names the module `{}`; it must be named like its folder", path.display(), manifest.module);
        }
        ensure!(!manifest.codes.is_empty(), "`{}` serves no code", path.display());
        for (code, limits) in &manifest.codes {
            ensure!(
                limits.fuel > 0 && limits.memory_bytes > 0 && limits.output_bytes > 0,
                "`{}`: a limit of `{code}` is zero, so no call could succeed",
                path.display()
            );
        }
        Ok(Self { name: manifest.module, world: manifest.world, codes: manifest.codes.into_keys().collect(), folder })
    }
}

/// Every folder under `capabilities` that holds a manifest, in the order of the names.
pub(crate) fn find(capabilities: &Path) -> Result<Vec<Module>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(capabilities).with_context(|| format!("cannot list `{}`", capabilities.display()))? {
        let folder = entry?.path();
        if folder.join(MANIFEST).is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    folders.into_iter().map(Module::read).collect()
}
