//! Copies of a ledger in use: one moment of it, complete, under a name that did not exist. Checks nothing in the copy.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use enact_core::entry::Head;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::open::Store;
use crate::reader::Reader;

/// Pages copied between two reports: 4 MiB, some milliseconds.
const STEP_PAGES: std::ffi::c_int = 1024;

/// How far a copy is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Pages copied.
    pub done: u64,
    /// Pages in all.
    pub total: u64,
}

/// What was copied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copied {
    /// Where the copied ledger stands.
    pub head: Head,
    /// Size of the file.
    pub bytes: u64,
}

impl Store {
    /// Copies one moment of the ledger to a new file, whoever is appending in the meantime; the write-ahead log grows until it is done.
    /// The file has its name only once it is complete and on the disk.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is something at `to`, [`StoreError::Full`], [`StoreError::Io`], or damage found on the way. An
    /// incomplete copy is removed.
    pub fn backup(&self, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Copied, StoreError> {
        let unopenable = |e: io::Error| StoreError::Unopenable { path: to.to_owned(), detail: e.to_string() };
        let to = std::path::absolute(to).map_err(unopenable)?;
        if fs::symlink_metadata(&to).is_ok() {
            return Err(StoreError::Exists { path: to });
        }
        let partial = Partial::create(&to).map_err(unopenable)?;
        let mut reader = self.reader()?;
        reader.begin()?;
        let head = reader.head()?;
        copy(&reader, &partial.path, progress)?;
        reader.end()?;
        let failed = |e: io::Error| {
            if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return StoreError::Full;
            }
            if e.kind() == io::ErrorKind::AlreadyExists {
                return StoreError::Exists { path: to.clone() };
            }
            StoreError::Io { detail: e.to_string(), extended: 0 }
        };
        let bytes = partial.publish(&to).map_err(failed)?;
        Ok(Copied { head, bytes })
    }
}

/// Removes what reading a copy leaves beside it, an empty log and its index, so that it is one file again. For a copy that nobody has open.
///
/// # Errors
/// [`StoreError::Io`].
pub fn tidy(copy: &Path) -> Result<(), StoreError> {
    let beside = |suffix: &str| {
        let mut name = copy.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    // A log that holds something is not of a reader's making.
    if fs::metadata(beside("-wal")).is_ok_and(|log| log.len() > 0) {
        return Ok(());
    }
    for suffix in ["-wal", "-shm"] {
        match fs::remove_file(beside(suffix)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(StoreError::Io { detail: e.to_string(), extended: 0 }),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// SQLite starts over when the source moves on, unless the moment is held: then every step reads the same.
fn copy(reader: &Reader, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError> {
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Nobody sees the file before it is synced as a whole, and half of it is thrown away.
    target.pragma_update(None, "journal_mode", "OFF")?;
    target.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(&reader.connection, &mut target)?;
    loop {
        let step = backup.step(STEP_PAGES)?;
        let reached = backup.progress();
        let pages = |pages| u64::try_from(pages).unwrap_or(0);
        let total = pages(reached.pagecount);
        progress(Progress { done: total.saturating_sub(pages(reached.remaining)), total });
        if step == StepResult::Done {
            return Ok(());
        }
        // Someone holds the copy, which is ours alone, or the source is being rebuilt.
        if step != StepResult::More {
            return Err(StoreError::Locked { waited_ms: 0 });
        }
    }
}

/// A copy under way. Removed when dropped.
struct Partial {
    path: PathBuf,
}

impl Partial {
    /// An empty file beside the target, so that it can get its name without being copied again.
    fn create(to: &Path) -> io::Result<Self> {
        static COPIES: AtomicU64 = AtomicU64::new(0);
        loop {
            let mut name = to.as_os_str().to_owned();
            name.push(format!(".partial-{}-{}", std::process::id(), COPIES.fetch_add(1, Ordering::Relaxed)));
            match File::create_new(&name) {
                Ok(_) => return Ok(Self { path: name.into() }),
                // Left by another process that had our number.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Syncs the file, gives it its name unless that is taken, and syncs the name. Answers the size.
    fn publish(self, to: &Path) -> io::Result<u64> {
        let file = File::options().read(true).write(true).open(&self.path)?;
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        drop(file);
        match fs::hard_link(&self.path, to) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(e),
            // A file system without links: the best there is without overwriting knowingly.
            Err(_) if fs::symlink_metadata(to).is_err() => fs::rename(&self.path, to)?,
            Err(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        }
        if let Some(folder) = to.parent().filter(|_| cfg!(unix)) {
            File::open(folder)?.sync_all()?;
        }
        Ok(bytes)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already when it was renamed. If it cannot be removed it stays under a name that says what it is.
        drop(fs::remove_file(&self.path));
    }
}
