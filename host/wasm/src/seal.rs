//! What is known of a file that nobody has touched: the way around reading it again.
//!
//! Authenticating a compiled module means reading all of it, which for one with an interpreter inside is most of what loading it costs. So once
//! that was done, a seal keeps what the file system says of the very file: volume, inode, size, and the two times of which one, the change
//! of its status, no program can set. Whoever writes to the file changes that time, and whoever puts another file in its place changes the inode.
//! The seal itself carries a MAC under the key of the workspace like everything else in the cache.
//!
//! What this gives up: a process of the same account can write into pages that it had mapped before, and a disk can lose a bit. The former may
//! read the key of the cache and needs no such trick; against the latter a seal is believed for a day only. And who cuts a file off that is mapped, as a
//! copy over it does, ends the process that runs from it, as a kill would. This program never does: it puts a new file in the place of an old one.
use std::fs::{File, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A file that was written to within this time may be written to again without any change of its times: the clock of a file system has steps,
/// in old ones of two seconds.
const SETTLED: Duration = Duration::from_secs(3);
/// Afterwards everything is read again, and compared with what it was.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// What the file system says of a file, and what is different as soon as anybody writes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    volume: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// The same of its status: set by the kernel alone.
    changed: (i64, i64),
}

impl Stamp {
    /// Of an open file. `None` where the system has no such times, and of a file that is not of this account or that others may write to.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(file: &File) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let said = file.metadata().ok()?;
        (said.is_file() && ours(&said)).then(|| Self {
            volume: said.dev(),
            inode: said.ino(),
            bytes: said.len(),
            modified: (said.mtime(), said.mtime_nsec()),
            changed: (said.ctime(), said.ctime_nsec()),
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(_: &File) -> Option<Self> {
        None
    }

    /// Whether whoever writes to the file from now on changes its times.
    pub(crate) fn settled(&self) -> bool {
        let changed = u64::try_from(self.changed.0).ok().map(Duration::from_secs);
        changed.is_some_and(|changed| changed.checked_add(SETTLED).is_some_and(|settled| settled <= now()))
    }
}

/// Whether it is of this account, and nobody else may write to it.
#[cfg(unix)]
pub(crate) fn ours(said: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    const OTHERS_WRITE: u32 = 0o022;
    said.uid() == rustix::process::geteuid().as_raw() && said.mode() & OTHERS_WRITE == 0
}

#[cfg(not(unix))]
pub(crate) fn ours(_: &Metadata) -> bool {
    true
}

/// When something was looked at in full; seconds since 1970.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seen(u64);

impl Seen {
    pub(crate) fn now() -> Self {
        Self(now().as_secs())
    }

    /// Whether that is not too long ago, nor in the future.
    pub(crate) fn lately(self) -> bool {
        now().checked_sub(Duration::from_secs(self.0)).is_some_and(|ago| ago < BELIEVED)
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A name of this very open file, whatever became of the one it was opened by.
pub(crate) fn reopened(file: &File) -> Option<std::path::PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        let name = Path::new("/proc/self/fd").join(file.as_raw_fd().to_string());
        // Somebody may run without `/proc`, or with another one.
        Stamp::of(&File::open(&name).ok()?).filter(|stamp| Some(*stamp) == Stamp::of(file)).map(|_| name)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn what_was_seen_in_the_future_or_a_day_ago_is_looked_at_again() {
        let now = now().as_secs();
        for (seen, lately) in [(now, true), (now - 86_000, true), (now - 86_500, false), (0, false), (now + 60, false), (u64::MAX, false)] {
            assert_eq!(Seen(seen).lately(), lately, "{seen}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_others_may_write_to_has_no_stamp_and_a_new_one_is_not_settled() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let stamp = Stamp::of(file.as_file()).unwrap();
        assert!(!stamp.settled());
        assert!(Stamp { changed: (stamp.changed.0 - 10, 0), ..stamp }.settled());
        assert!(!Stamp { changed: (stamp.changed.0 + 10, 0), ..stamp }.settled(), "of the future");
        assert!(!Stamp { changed: (-1, 0), ..stamp }.settled());
        for (mode, has) in [(0o600, true), (0o644, true), (0o664, false), (0o602, false)] {
            file.as_file().set_permissions(PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(Stamp::of(file.as_file()).is_some(), has, "{mode:o}");
        }
        assert!(Stamp::of(&File::open(std::env::temp_dir()).unwrap()).is_none(), "a folder");
    }
}
