//! A file written whole: beside its place under a name of its own, synced, then renamed. Whoever reads, and whatever crashes, finds the old
//! content or the new one.
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use enact_wasm::{Fault, Written};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::files::{failed, names_no_file, through_file};

/// How the names of files begin that are not finished. No path of a module may hold one, and no listing shows one.
pub(super) const UNFINISHED: &str = ".enact-";

/// Writes `content` as the file `path` below `folder`; `key` names this one write.
///
/// No link is followed, on the way or at the end, and no file is replaced that has a second name.
///
/// # Errors
/// Why nothing was written; [`Fault::Unavailable`] also when it was and may not survive a loss of power.
pub(super) fn whole(folder: OwnedFd, path: &str, content: &[u8], replace: bool, key: &str) -> Result<Written, Fault> {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    // Opened again: the folder may be open as a place only, which cannot be synced.
    let mut parent = open_folder(folder.as_fd(), ".")?;
    for segment in above.split('/').filter(|segment| !segment.is_empty()) {
        parent = enter(parent.as_fd(), segment)?;
    }
    let known = target(parent.as_fd(), name)?;
    if known.is_some() && !replace {
        return Ok(Written::Exists);
    }
    let key = hex::encode(enact_core::hash::sha256(key.as_bytes()));
    let unfinished = format!("{UNFINISHED}{}", key.get(..16).unwrap_or_default());
    let written = put(parent.as_fd(), &unfinished, content, known.as_ref())
        .and_then(|()| take_place(parent.as_fd(), &unfinished, name, known.is_some(), replace));
    match written {
        Ok(Written::Created | Written::Replaced) => {}
        Ok(Written::Exists) | Err(_) => {
            let _ = rustix::fs::unlinkat(&parent, &unfinished, AtFlags::empty());
            return written;
        }
    }
    rustix::fs::fsync(&parent).map_err(errno)?;
    written
}

fn open_folder(at: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Fault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty()).map_err(errno)
}

/// A folder below another one. What is not seen to be a link is opened only if it still is none.
fn enter(at: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Fault> {
    let known = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW).map_err(errno)?;
    let kind = FileType::from_raw_mode(known.st_mode);
    if kind.is_dir() {
        return open_folder(at, name);
    }
    Err(if kind.is_symlink() { linked() } else { through_file() })
}

/// What is in the place of the file.
fn target(at: BorrowedFd<'_>, name: &str) -> Result<Option<Stat>, Fault> {
    let known = match rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(known) => known,
        Err(Errno::NOENT) => return Ok(None),
        Err(other) => return Err(errno(other)),
    };
    let kind = FileType::from_raw_mode(known.st_mode);
    if kind.is_file() && known.st_nlink == 1 {
        return Ok(Some(known));
    }
    Err(if kind.is_file() || kind.is_symlink() { linked() } else { names_no_file() })
}

/// The content under a name that nobody looks at, on the disk. Of a file that is replaced, who may read it stays as it was.
fn put(at: BorrowedFd<'_>, name: &str, content: &[u8], replaced: Option<&Stat>) -> Result<(), Fault> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = replaced.map_or(0o666, |_| 0o600);
    let mut file = File::from(rustix::fs::openat(at, name, flags, Mode::from_raw_mode(mode)).map_err(errno)?);
    if let Some(replaced) = replaced {
        rustix::fs::fchmod(&file, Mode::from_raw_mode(replaced.st_mode & 0o777)).map_err(errno)?;
    }
    file.write_all(content).and_then(|()| file.sync_all()).map_err(|e| failed(&e))
}

/// Gives the file its name, in one step. Where there was nothing, nothing is replaced unseen that came meanwhile.
fn take_place(at: BorrowedFd<'_>, from: &str, name: &str, known: bool, replace: bool) -> Result<Written, Fault> {
    if known {
        return rustix::fs::renameat(at, from, at, name).map(|()| Written::Replaced).map_err(errno);
    }
    match rustix::fs::renameat_with(at, from, at, name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Written::Created),
        Err(Errno::EXIST) if !replace => Ok(Written::Exists),
        Err(Errno::EXIST) => {
            target(at, name)?;
            rustix::fs::renameat(at, from, at, name).map(|()| Written::Replaced).map_err(errno)
        }
        Err(other) => Err(errno(other)),
    }
}

fn linked() -> Fault {
    Fault::Denied("files: a link, or a file with a second name, is not written to".to_owned())
}

fn errno(error: Errno) -> Fault {
    failed(&error.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::Path;

    use super::*;

    fn write(folder: &Path, path: &str, content: &str, replace: bool) -> Result<Written, Fault> {
        whole(File::open(folder).unwrap().into(), path, content.as_bytes(), replace, path)
    }

    /// A folder with a folder, a file that only its owner may read, and a neighbour.
    fn set() -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temp.path().join("in/sub")).unwrap();
        std::fs::write(temp.path().join("outside"), "outside").unwrap();
        std::fs::write(temp.path().join("in/old"), "old").unwrap();
        std::fs::set_permissions(temp.path().join("in/old"), std::fs::Permissions::from_mode(0o640)).unwrap();
        temp
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn b_32_a_file_is_created_replaced_or_left() {
        let temp = set();
        let folder = temp.path().join("in");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(write(&folder, "new", "a", false), Ok(Written::Created));
        assert_eq!(write(&folder, "new", "b", false), Ok(Written::Exists));
        assert_eq!(read("new"), "a");
        assert_eq!(write(&folder, "new", "b", true), Ok(Written::Replaced));
        assert_eq!(write(&folder, "sub/deep", "c", true), Ok(Written::Created));
        assert_eq!(write(&folder, "old", "d", true), Ok(Written::Replaced));
        assert_eq!((read("new"), read("sub/deep"), read("old")), ("b".into(), "c".into(), "d".into()));
        assert_eq!(std::fs::metadata(folder.join("old")).unwrap().mode() & 0o777, 0o640, "who may read it has changed");
        assert_eq!(names(&folder), ["new", "old", "sub"], "something was left behind");
    }

    #[test]
    fn b_32_neither_links_nor_second_names_nor_folders_are_written_to() {
        let temp = set();
        let folder = temp.path().join("in");
        let outside = temp.path().join("outside");
        symlink(&outside, folder.join("link")).unwrap();
        symlink("nowhere", folder.join("dangling")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        symlink("sub", folder.join("inner")).unwrap();
        std::fs::hard_link(&outside, folder.join("hard")).unwrap();
        let before = names(&folder);
        for path in ["link", "dangling", "up/outside", "up/new", "inner/new", "hard"] {
            for replace in [false, true] {
                assert!(matches!(write(&folder, path, "x", replace), Err(Fault::Denied(_))), "{path} {replace}");
            }
        }
        for path in ["sub", "old/below"] {
            assert!(matches!(write(&folder, path, "x", true), Err(Fault::Invalid(_))), "{path}");
        }
        assert!(matches!(write(&folder, "none/new", "x", true), Err(Fault::Unavailable(_))));
        assert_eq!((std::fs::read_to_string(&outside).unwrap(), names(&folder)), ("outside".into(), before));
        assert!(std::fs::symlink_metadata(folder.join("link")).unwrap().file_type().is_symlink());
    }

    #[test]
    fn b_32_what_came_meanwhile_is_looked_at_as_well() {
        let temp = set();
        let folder = temp.path().join("in");
        symlink(temp.path().join("outside"), folder.join("link")).unwrap();
        let parent = File::open(&folder).unwrap();
        let place = |name: &str, replace| {
            std::fs::write(folder.join(".enact-1"), "new").unwrap();
            take_place(parent.as_fd(), ".enact-1", name, false, replace)
        };
        let content = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!((place("old", false), content("old")), (Ok(Written::Exists), "old".into()));
        assert!(matches!(place("link", true), Err(Fault::Denied(_))) && matches!(place("sub", true), Err(Fault::Invalid(_))));
        assert_eq!((place("old", true), content("old"), content("link")), (Ok(Written::Replaced), "new".into(), "outside".into()));
    }
}
