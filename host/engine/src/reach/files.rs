//! Files of granted folders. A path is a row's name and plain names below it; the folder is opened as a capability, so nothing leads out
//! of it, and a file that has a second name elsewhere is not read.
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use enact_flow::artifact::{FileGrant, FileMode, OWN_FOLDERS};
use enact_wasm::limits::{BODY_BYTES_MAX, LIST_MAX};
use enact_wasm::{Answer, Fault};
use rustix::fs::OFlags;

use super::write;

/// Longest name of a file, and longest path: what systems take. A longer one is not worth a retry anywhere.
const NAME_BYTES_MAX: usize = 255;
const PATH_BYTES_MAX: usize = 4_000;

/// The folders of one step.
pub(super) struct Files<'a> {
    pub(super) workspace: &'a Path,
    pub(super) rows: &'a [FileGrant],
}

impl Files<'_> {
    /// `files.read`.
    pub(super) fn read(&self, path: &str) -> Result<Answer, Fault> {
        let (folder, rest) = self.place(path)?;
        if rest.is_empty() {
            return Err(names_folder());
        }
        // Asked before it is opened: opening what is no file may do something.
        let known = folder.metadata(rest).map_err(|e| failed(&e))?;
        if !known.is_file() {
            return Err(names_no_file());
        }
        let file = open(&folder, rest)?;
        let most = u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
        if bytes.len() > BODY_BYTES_MAX {
            return Err(Fault::Limit(format!("the file has more than {BODY_BYTES_MAX} bytes")));
        }
        Ok(Answer::Bytes(bytes))
    }

    /// `files.list`.
    pub(super) fn list(&self, path: &str) -> Result<Answer, Fault> {
        let (folder, rest) = self.place(path)?;
        let listing = if rest.is_empty() { folder.entries() } else { folder.read_dir(rest) };
        let mut names = Vec::new();
        for entry in listing.map_err(|e| failed(&e))? {
            let entry = entry.map_err(|e| failed(&e))?;
            let name = entry.file_name().into_string().map_err(|_| Fault::Unavailable("a name in the folder is not text".to_owned()))?;
            if name.starts_with(write::UNFINISHED) {
                continue;
            }
            let is_folder = entry.file_type().map_err(|e| failed(&e))?.is_dir();
            names.push(if is_folder { format!("{name}/") } else { name });
            if names.len() > LIST_MAX as usize {
                return Err(many_names());
            }
        }
        names.sort_unstable();
        Ok(Answer::Records(names))
    }

    /// `files.write`, of a path that [`writable`] has let through. `key` names this one write.
    pub(super) fn write(&self, path: &str, content: &[u8], replace: bool, key: &str) -> Result<Answer, Fault> {
        let (folder, rest) = self.place(path)?;
        write::whole(folder.into(), rest, content, replace, key).map(Answer::Written)
    }

    /// The granted folder and what is left of the path.
    fn place<'p>(&self, path: &'p str) -> Result<(Dir, &'p str), Fault> {
        let (row, rest) = row(self.rows, path)?;
        let folder = self.folder(&row.path)?;
        Dir::open_ambient_dir(folder, ambient_authority()).map(|dir| (dir, rest)).map_err(|e| failed(&e))
    }

    /// Where a row's folder really is; not where the workspace keeps its own.
    fn folder(&self, path: &str) -> Result<PathBuf, Fault> {
        let workspace = self.workspace.canonicalize().map_err(|e| failed(&e))?;
        let folder = workspace.join(path).canonicalize().map_err(|e| failed(&e))?;
        let denied = || Err(Fault::Denied("files: the row's folder is not one that can be granted".to_owned()));
        if !Path::new(path).is_absolute() && !folder.starts_with(&workspace) {
            return denied();
        }
        let own = OWN_FOLDERS.iter().map(|own| workspace.join(own));
        // Neither in one of them nor above it.
        if own.into_iter().any(|own| folder.starts_with(&own) || own.starts_with(&folder)) {
            return denied();
        }
        Ok(folder)
    }
}

/// Opens a file for reading. Whatever has taken its place meanwhile is not waited for: opening a pipe would last until its other end is there.
fn open(folder: &Dir, path: &str) -> Result<File, Fault> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = folder.open_with(path, &options).map_err(|e| failed(&e))?;
    let known = file.metadata().map_err(|e| failed(&e))?;
    if !known.is_file() {
        return Err(names_no_file());
    }
    if known.nlink() != 1 {
        return Err(Fault::Denied("files: the file has a second name, which may be outside the folder".to_owned()));
    }
    Ok(file)
}

/// The row that a path names, and what is left of the path.
///
/// # Errors
/// [`Fault::Invalid`] for a path that is not plain, [`Fault::Denied`] for a folder that no row names.
pub(super) fn row<'r, 'p>(rows: &'r [FileGrant], path: &'p str) -> Result<(&'r FileGrant, &'p str), Fault> {
    let hidden = |segment: &str| segment.bytes().any(|b| b == b'\\' || b.is_ascii_control()) || segment.starts_with(write::UNFINISHED);
    if !path.split('/').all(|segment| !matches!(segment, "" | "." | "..") && !hidden(segment)) {
        return Err(Fault::Invalid("path: not plain names with `/` between them".to_owned()));
    }
    if path.len() > PATH_BYTES_MAX || path.split('/').any(|segment| segment.len() > NAME_BYTES_MAX) {
        return Err(long_name());
    }
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let row = rows.iter().find(|row| row.name == name);
    row.map(|row| (row, rest)).ok_or_else(|| Fault::Denied(format!("files: no row names the folder `{name}`")))
}

/// Whether a file of this path may be written. Decided without looking at the folder, so that every execution decides alike.
///
/// # Errors
/// As [`row`]; [`Fault::Denied`] for a folder that is for reading.
pub(super) fn writable(rows: &[FileGrant], path: &str) -> Result<(), Fault> {
    match row(rows, path)? {
        (_, "") => Err(names_folder()),
        (FileGrant { mode: FileMode::Write, .. }, _) => Ok(()),
        (FileGrant { mode: FileMode::Read, name, .. }, _) => Err(Fault::Denied(format!("files: the folder `{name}` is for reading"))),
    }
}

pub(super) fn names_folder() -> Fault {
    Fault::Invalid("path: it names a folder".to_owned())
}

pub(super) fn names_no_file() -> Fault {
    Fault::Invalid("path: it names no file".to_owned())
}

pub(super) fn through_file() -> Fault {
    Fault::Invalid("path: it leads through a file".to_owned())
}

fn long_name() -> Fault {
    Fault::Invalid(format!("path: a name has more than {NAME_BYTES_MAX} bytes, or all of it more than {PATH_BYTES_MAX}"))
}

pub(super) fn many_names() -> Fault {
    Fault::Limit(format!("the folder has more than {LIST_MAX} names"))
}

/// A failure in words of our own: no path of the machine reaches a guest or a record.
pub(super) fn failed(error: &std::io::Error) -> Fault {
    // How the capability library answers a way out of the folder.
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        return Fault::Denied("files: it leads out of the folder or is not open to this program".to_owned());
    }
    // Some systems take less.
    if error.kind() == std::io::ErrorKind::InvalidFilename {
        return long_name();
    }
    Fault::Unavailable(format!("files: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use serde_json::json;

    /// A workspace with an inbox, a key, and traps.
    fn set() -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        for folder in ["data/inbox/sub", "keys", "ledger"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("keys/ledger.key"), "secret").unwrap();
        std::fs::write(root.join("data/outside.txt"), "outside").unwrap();
        std::fs::write(root.join("data/inbox/a.txt"), "hello").unwrap();
        std::fs::write(root.join("data/inbox/big"), vec![b'x'; BODY_BYTES_MAX + 1]).unwrap();
        std::os::unix::fs::symlink(root.join("keys/ledger.key"), root.join("data/inbox/absolute")).unwrap();
        std::os::unix::fs::symlink("../outside.txt", root.join("data/inbox/relative")).unwrap();
        std::os::unix::fs::symlink("..", root.join("data/inbox/up")).unwrap();
        std::fs::hard_link(root.join("keys/ledger.key"), root.join("data/inbox/hard")).unwrap();
        temp
    }

    fn with<T>(root: &Path, folder: &str, act: impl FnOnce(&Files<'_>) -> T) -> T {
        let rows: Vec<FileGrant> = serde_json::from_value(json!([{"name": "inbox", "path": folder, "mode": "read"}])).unwrap();
        act(&Files { workspace: root, rows: &rows })
    }

    #[test]
    fn b_32_a_file_in_the_folder_is_read_and_listed() {
        let temp = set();
        with(temp.path(), "data/inbox", |files| {
            assert_eq!(files.read("inbox/a.txt"), Ok(Answer::Bytes(b"hello".to_vec())));
            let names = ["a.txt", "absolute", "big", "hard", "relative", "sub/", "up"].map(str::to_owned).to_vec();
            assert_eq!(files.list("inbox"), Ok(Answer::Records(names)));
            assert_eq!(files.list("inbox/sub"), Ok(Answer::Records(Vec::new())));
            assert!(matches!(files.read("inbox/none"), Err(Fault::Unavailable(_))));
            assert!(matches!(files.read("inbox/big"), Err(Fault::Limit(_))));
        });
    }

    #[test]
    fn b_32_nothing_leads_out_of_the_folder() {
        let temp = set();
        with(temp.path(), "data/inbox", |files| {
            for path in ["inbox/absolute", "inbox/relative", "inbox/up/outside.txt", "inbox/hard", "keys/ledger.key", "other"] {
                assert!(matches!(files.read(path), Err(Fault::Denied(_))), "{path}: {:?}", files.read(path));
            }
            for path in [
                "inbox/../outside.txt",
                "inbox/./a.txt",
                "/inbox/a.txt",
                "inbox/a.txt/",
                "inbox//a.txt",
                "inbox\\a.txt",
                "inbox/a\0",
                "",
                "inbox",
                "inbox/sub",
            ] {
                assert!(matches!(files.read(path), Err(Fault::Invalid(_))), "{path}: {:?}", files.read(path));
            }
            assert!(matches!(files.list("inbox/up"), Err(Fault::Denied(_))));
        });
    }

    #[test]
    fn b_32_a_pipe_in_the_place_of_a_file_is_not_waited_for() {
        let temp = set();
        let inbox = std::fs::File::open(temp.path().join("data/inbox")).unwrap();
        rustix::fs::mknodat(&inbox, "pipe", rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        // As if it had come after the question what it is. Where it is waited for, this thread never ends.
        std::thread::spawn(move || told.send(open(&Dir::from_std_file(inbox), "pipe").map(drop)));
        assert_eq!(heard.recv_timeout(std::time::Duration::from_secs(10)), Ok(Err(names_no_file())));
    }

    #[test]
    fn b_32_a_name_that_no_file_can_have_is_not_worth_a_retry() {
        let temp = set();
        let (longest, longer, deep) = ("n".repeat(255), "n".repeat(256), "inbox/".to_owned() + &"d/".repeat(2_000) + "a");
        with(temp.path(), "data/inbox", |files| {
            assert!(matches!(files.read(&format!("inbox/{longest}")), Err(Fault::Unavailable(_))));
            for path in [format!("inbox/{longer}"), format!("inbox/{longer}/a"), deep] {
                assert_eq!(files.read(&path), Err(long_name()));
                assert_eq!(files.list(&path), Err(long_name()));
                assert_eq!(writable(files.rows, &path), Err(long_name()));
            }
        });
    }

    #[test]
    fn b_32_a_row_does_not_reach_what_the_workspace_keeps_for_itself() {
        let temp = set();
        let keys = temp.path().join("keys");
        for folder in ["keys", ".", "data/../keys", "data/inbox/up/../keys", &keys.to_string_lossy(), "/"] {
            let read = with(temp.path(), folder, |files| files.list("inbox"));
            assert!(matches!(read, Err(Fault::Denied(_))), "{folder}: {read:?}");
        }
        let data = temp.path().join("data/inbox");
        with(temp.path(), &data.to_string_lossy(), |files| assert_eq!(files.read("inbox/a.txt"), Ok(Answer::Bytes(b"hello".to_vec()))));
    }
}
