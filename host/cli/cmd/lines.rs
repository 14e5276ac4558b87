//! Files and pipes of one JSON document a line, read as they come and bounded a line at a time.
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use enact_engine::EngineError;

/// The lines of a file, or of standard input for `-`.
pub(crate) struct Lines {
    source: Box<dyn BufRead + Send>,
    path: PathBuf,
    number: u64,
    line: Vec<u8>,
    bytes_max: usize,
    too_long: fn(usize) -> EngineError,
}

/// Where a line stands, for people.
pub(crate) struct Place<'a> {
    number: u64,
    path: &'a Path,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of `{}`", self.number, self.path.display())
    }
}

impl Lines {
    /// Opens; a line of more than `bytes_max` is the error that `too_long` makes of what was read of it.
    pub(crate) fn open(path: &Path, bytes_max: usize, too_long: fn(usize) -> EngineError) -> Result<Self> {
        let source: Box<dyn BufRead + Send> = if path == Path::new("-") {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(path).map_err(|e| EngineError::file("read", path, e))?))
        };
        Ok(Self { source, path: path.to_owned(), number: 0, line: Vec::new(), bytes_max, too_long })
    }

    /// The next line that is not blank, and where it stands.
    pub(crate) fn next(&mut self) -> Result<Option<(&[u8], Place<'_>)>> {
        loop {
            self.line.clear();
            self.number += 1;
            let place = Place { number: self.number, path: &self.path };
            let mut bounded = self.source.by_ref().take(self.bytes_max as u64 + 1);
            let bytes = bounded.read_until(b'\n', &mut self.line).map_err(|e| EngineError::file("read", &self.path, e))?;
            if bytes == 0 {
                return Ok(None);
            }
            if bytes > self.bytes_max {
                return Err((self.too_long)(bytes)).with_context(|| place.to_string());
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some((self.line.trim_ascii(), Place { number: self.number, path: &self.path })))
    }
}
