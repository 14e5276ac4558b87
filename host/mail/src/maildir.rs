//! Letters in a folder (`maildir(5)`): written under `tmp`, on the disk before they appear under `new`. A letter has one name, so twice is once.
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::{Error, Letter};

/// A folder of letters.
#[derive(Debug, Clone)]
pub struct Maildir(PathBuf);

impl Maildir {
    /// This folder; it is made when the first letter comes.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Puts a letter in, unless it is there.
    ///
    /// # Errors
    /// [`Error::Refused`]: a letter appears as a whole or not at all.
    pub fn send(&self, letter: &Letter<'_>) -> Result<(), Error> {
        // Mail on a disk has plain line ends.
        let bytes = String::from_utf8_lossy(&letter.message()?.formatted()).replace("\r\n", "\n");
        self.put(letter.id, bytes.as_bytes()).map_err(|e| Error::Refused(format!("{}: {e}", self.0.display())))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let [temporary, new, current] = ["tmp", "new", "cur"].map(|folder| self.0.join(folder));
        for folder in [&temporary, &new, &current] {
            fs::create_dir_all(folder)?;
        }
        // Who reads a letter moves it to `cur` and adds flags to its name.
        let read = fs::read_dir(&current)?.flatten().any(|entry| entry.file_name().to_string_lossy().split(':').next() == Some(name));
        if read || new.join(name).exists() {
            return Ok(());
        }
        let path = temporary.join(name);
        let mut file = File::create(&path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&path, new.join(name))?;
        File::open(&new)?.sync_all()
    }
}
