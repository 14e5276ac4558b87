//! A workspace of links in which every crate of a module lies below one root, the SDK too.
//!
//! Cargo names a crate by its path relative to the workspace root, but by its whole path when it lies outside; names reach the order of
//! functions, so a module that was built in place would depend on where the project lies. Links, not copies: nothing is compiled twice.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The SDK as the manifest of the workspace names it, and as it is named on the stage.
const SDK: [&str; 2] = [r#"path = "../guest-sdk""#, r#"path = "guest-sdk""#];
/// Name of the SDK's folder, beside the modules' and on the stage.
const SDK_FOLDER: &str = "guest-sdk";
/// Not a guest: the tool itself.
const TOOL_FOLDER: &str = "build";
const MANIFEST: &str = "Cargo.toml";
const LOCK: &str = "Cargo.lock";

/// The stage, and what it stands for.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The root of the staged workspace.
    pub(crate) root: PathBuf,
    lock: PathBuf,
}

impl Stage {
    /// Puts links to every crate under `capabilities`, and to the SDK beside it, into `target_dir`.
    pub(crate) fn set(capabilities: &Path, target_dir: &Path) -> Result<Self> {
        let root = target_dir.join("stage");
        clear(&root)?;
        for entry in fs::read_dir(capabilities).with_context(|| format!("cannot list `{}`", capabilities.display()))? {
            let folder = entry?.path();
            let Some(name) = folder.file_name() else { continue };
            if name != TOOL_FOLDER && folder.join(MANIFEST).is_file() {
                link(&folder, &root, name)?;
            }
        }
        link(&capabilities.join("..").join(SDK_FOLDER).canonicalize()?, &root, OsStr::new(SDK_FOLDER))?;

        let manifest = capabilities.join(MANIFEST);
        let text = read(&manifest)?;
        ensure!(text.contains(SDK[0]), "`{}` does not name the SDK as `{}`", manifest.display(), SDK[0]);
        write(&root.join(MANIFEST), &text.replace(SDK[0], SDK[1]))?;
        let lock = capabilities.join(LOCK);
        if lock.is_file() {
            write(&root.join(LOCK), &read(&lock)?)?;
        }
        let root = root.canonicalize().with_context(|| format!("no folder `{}`", root.display()))?;
        Ok(Self { root, lock })
    }

    /// Takes a lock file that a build has changed back to the modules.
    pub(crate) fn keep_lock(&self) -> Result<()> {
        let text = read(&self.root.join(LOCK))?;
        if self.lock.is_file() && read(&self.lock)? == text {
            return Ok(());
        }
        write(&self.lock, &text)
    }
}

/// An empty folder of links. Only links are removed; anything else in there is not ours.
fn clear(root: &Path) -> Result<()> {
    fs::create_dir_all(root).with_context(|| format!("cannot make `{}`", root.display()))?;
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_symlink() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn link(folder: &Path, root: &Path, name: &OsStr) -> Result<()> {
    symlink(folder, root.join(name)).with_context(|| format!("cannot link `{}` to the stage", folder.display()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}
