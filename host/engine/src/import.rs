//! Reading a folder of published artifacts and handing it to the importer; the conversion itself is pure and lives in `flow`.
use std::path::Path;

use enact_flow::pgs::{self, Import};

use crate::embedded;
use crate::error::{EngineError, Result};

/// Reads `DIR/<kind>/*.json` and converts it.
pub fn pgs(dir: &Path) -> Result<Import> {
    pgs_layers(&[dir])
}

/// The same for several folders; a file of a later folder replaces the one of the same name before it.
pub fn pgs_layers(dirs: &[&Path]) -> Result<Import> {
    let mut files = std::collections::BTreeMap::new();
    for dir in dirs {
        for kind in list(dir)? {
            if !kind.is_dir() {
                continue;
            }
            for file in list(&kind)? {
                if file.extension().is_some_and(|e| e == "json") {
                    let bytes = std::fs::read(&file).map_err(|e| EngineError::file("read", &file, e))?;
                    let name = file.strip_prefix(dir).unwrap_or(&file).to_string_lossy().into_owned();
                    files.insert(name, bytes);
                }
            }
        }
    }
    let catalogue = embedded::catalogue().map_err(|e| EngineError::Internal { detail: e.to_string() })?;
    let files: Vec<(String, Vec<u8>)> = files.into_iter().collect();
    Ok(pgs::import(&files, &catalogue))
}

fn list(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
    let read = std::fs::read_dir(dir).map_err(|e| EngineError::file("list", dir, e))?;
    read.map(|entry| entry.map(|e| e.path()).map_err(|e| EngineError::file("list", dir, e))).collect()
}
