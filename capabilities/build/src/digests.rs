//! `capabilities/digests.json`: what each committed module is, so that a binding can name it and a check can find a difference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::module::Module;

/// What is recorded of one module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Lower-case hex of the plain BLAKE3 digest of the bytes.
    pub(crate) blake3: String,
    /// Lower-case hex of the SHA-256 digest of the bytes.
    pub(crate) sha256: String,
    /// Number of bytes.
    pub(crate) size: usize,
    /// Protocol codes that the module serves, sorted.
    pub(crate) codes: Vec<String>,
    /// `transform` or `side-effect`.
    pub(crate) world: String,
    /// What the bytes were built with.
    pub(crate) toolchain: String,
}

impl Record {
    /// The record of these bytes.
    pub(crate) fn of(module: &Module, bytes: &[u8], toolchain: &str) -> Self {
        Self {
            blake3: blake3::hash(bytes).to_hex().to_string(),
            sha256: hex::encode(Sha256::digest(bytes)),
            size: bytes.len(),
            codes: module.codes.clone(),
            world: module.world.name().to_owned(),
            toolchain: toolchain.to_owned(),
        }
    }
}

fn path(capabilities: &Path) -> PathBuf {
    capabilities.join("digests.json")
}

/// The records as committed; none when the file is not there yet.
pub(crate) fn read(capabilities: &Path) -> Result<BTreeMap<String, Record>> {
    let path = path(capabilities);
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("`{}` does not hold digests", path.display()))
}

/// Writes the records, sorted by name.
pub(crate) fn write(capabilities: &Path, records: &BTreeMap<String, Record>) -> Result<()> {
    let path = path(capabilities);
    let mut text = serde_json::to_string_pretty(records)?;
    text.push('\n');
    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Compares a rebuilt module with the committed bytes and their record; the error names the first difference.
pub(crate) fn compare(module: &Module, built: &[u8], record: &Record, recorded: Option<&Record>) -> Result<()> {
    let path = module.path();
    let committed = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    if let Some(at) = first_difference(&committed, built) {
        bail!(
            "`{}` differs from its source: first at byte {at}; {} bytes committed, {} rebuilt",
            module.name,
            committed.len(),
            built.len()
        );
    }
    match recorded {
        Some(recorded) if recorded == record => Ok(()),
        Some(_) => bail!("`{}`: the bytes are right, but `digests.json` describes others", module.name),
        None => bail!("`{}` is not in `digests.json`", module.name),
    }
}

/// The first place where two byte strings differ; their common length when one begins with the other.
fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    if a == b {
        return None;
    }
    Some(a.iter().zip(b).position(|(a, b)| a != b).unwrap_or_else(|| a.len().min(b.len())))
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_difference_is_a_place_or_the_shorter_end() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert_eq!(first_difference(b"abc", b"axc"), Some(1));
        assert_eq!(first_difference(b"abc", b"abcd"), Some(3));
        assert_eq!(first_difference(b"", b"a"), Some(0));
    }
}
