//! A workspace of links in which every crate of a module lies below one root, the SDK and the host's core too.
//!
//! Cargo names a crate by its path relative to the workspace root, but by its whole path when it lies outside; names reach the order of
//! functions, so a module that was built in place would depend on where the project lies. Links, not copies: nothing is compiled twice.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// Crates outside of the folder of the modules: where they lie from there, and their names on the stage.
const OUTSIDE: [(&str, &str); 2] = [("../guest-sdk", "guest-sdk"), ("../host/core", "enact-core")];
/// Where a manifest begins to speak of tests. The stage has none, and no use for what they need.
const FOR_TESTS: &str = "\n[dev-dependencies]\n";
const SOURCES: &str = "src";
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
    /// Puts links to every crate under `capabilities`, and to those that they use from outside, into `target_dir`.
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
        let manifest = capabilities.join(MANIFEST);
        let mut text = read(&manifest)?;
        for (path, name) in OUTSIDE {
            let (named, staged) = (format!("path = \"{path}\""), format!("path = \"{name}\""));
            ensure!(text.contains(&named), "`{}` does not name a crate as `{named}`", manifest.display());
            text = text.replace(&named, &staged);
            let folder = capabilities.join(path);
            stand_in(&folder.canonicalize().with_context(|| format!("no folder `{}`", folder.display()))?, &root, name)?;
        }
        write(&root.join(MANIFEST), &text)?;
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

/// A crate from outside: a link to it, or where its manifest speaks of tests, a manifest that does not and a link to its sources.
fn stand_in(folder: &Path, root: &Path, name: &str) -> Result<()> {
    let text = read(&folder.join(MANIFEST))?;
    let Some((staged, tests)) = text.split_once(FOR_TESTS) else { return link(folder, root, OsStr::new(name)) };
    ensure!(!tests.contains("\n["), "in `{}` something follows what tests need", folder.join(MANIFEST).display());
    let stand_in = root.join(name);
    clear(&stand_in)?;
    write(&stand_in.join(MANIFEST), staged)?;
    link(&folder.join(SOURCES), &stand_in, OsStr::new(SOURCES))
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
