//! The queue as files, in the documented shapes: made for reading, never read back.
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Component, Path};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use enact_queue::export::{Piece, of_item, of_line};
use enact_queue::item::Item;
use enact_store::QueueFilter;
use serde::Serialize;

use super::item::seen;
use super::view::RowError;
use crate::engine::Engine;
use crate::error::{EngineError, Result};

/// Lines and items read at a time.
const PAGE: u64 = 500;
/// Folders of an export.
const FOLDERS: [&str; 4] = ["by_item", "locks", "logs", "archive"];

/// What was written; the stable shape of `enact queue export --json`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ExportReport {
    /// Items, archived ones apart.
    pub items: u64,
    /// Lines of the journal.
    pub lines: u64,
    /// Files.
    pub files: u64,
    /// What is left out, because it is no line or follows from nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<Damaged>,
}

/// A row or a line that is not exported.
#[derive(Debug, Clone, Serialize)]
pub struct Damaged {
    /// Whose it says that it is.
    pub queue_id: String,
    /// Why.
    pub error: RowError,
}

/// The folder of an export.
struct Folder<'a> {
    path: &'a Path,
    dir: Dir,
    open: HashMap<String, cap_std::fs::File>,
    files: u64,
}

impl Engine {
    /// Writes the queue into a folder that is not there yet. A line that is none and a row that no entry knows are named, and keep no other
    /// from being written.
    ///
    /// # Errors
    /// `file` codes of the folder, or whatever keeps the ledger from being read.
    pub fn queue_export(&self, path: &Path) -> Result<ExportReport> {
        if path.components().next_back().is_none_or(|last| matches!(last, Component::ParentDir)) {
            let source = std::io::Error::from(std::io::ErrorKind::InvalidInput);
            return Err(EngineError::file("create", path, source));
        }
        std::fs::create_dir(path).map_err(|e| EngineError::file("create", path, e))?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(|e| EngineError::file("open", path, e))?;
        let mut folder = Folder { path, dir, open: HashMap::new(), files: 0 };
        for name in FOLDERS {
            folder.dir.create_dir(name).map_err(|e| EngineError::file("create", &path.join(name), e))?;
        }
        let mut report = ExportReport::default();
        let mut reader = self.store().reader()?;
        // One moment for all files, so that they agree.
        let mut moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        let ruled = self.rules(&protocol, &moment)?;
        let mut archived: HashMap<String, bool> = HashMap::new();
        let mut after = 0;
        loop {
            let lines = moment.reader().queue_lines(None, after, PAGE)?;
            let Some(last) = lines.last() else { break };
            after = last.id;
            for line in lines {
                let is_archived = match archived.get(&line.item) {
                    Some(known) => *known,
                    None => {
                        let known = moment.reader().queue_item(&line.item)?.is_some_and(|item| item.archived);
                        archived.insert(line.item.clone(), known);
                        known
                    }
                };
                let item = match Item::from_line(&line.line, |_| true) {
                    Ok(item) => item,
                    Err(refused) => {
                        let error = RowError { code: refused.code(), message: refused.to_string() };
                        report.damaged.push(Damaged { queue_id: line.item, error });
                        continue;
                    }
                };
                report.lines = report.lines.saturating_add(1);
                for piece in of_line(&item, is_archived) {
                    folder.append(piece, true)?;
                }
            }
        }
        let (mut after, now) = (0, self.queue_now());
        loop {
            let items = moment.reader().queue_items(&QueueFilter::default(), after, PAGE)?;
            let Some(last) = items.last() else { break };
            after = last.id;
            for stored in items {
                let queue_id = stored.row.item.clone();
                let seen = match seen(&ruled.protocol, &mut moment, "", stored, now) {
                    Ok(seen) => seen,
                    Err(error) => {
                        report.damaged.push(Damaged { queue_id, error: RowError::of(error)? });
                        continue;
                    }
                };
                for piece in of_item(&seen.item, &seen.known) {
                    folder.append(piece, false)?;
                }
                report.items = report.items.saturating_add(1);
            }
        }
        report.files = folder.files;
        Ok(report)
    }
}

impl Folder<'_> {
    /// Appends to a file; one that is written once is not kept open.
    fn append(&mut self, piece: Piece, again: bool) -> Result<()> {
        let path = self.path.join(&piece.name);
        let failed = |e| EngineError::file("write", &path, e);
        if let Some(file) = self.open.get_mut(&piece.name) {
            return file.write_all(&piece.bytes).map_err(failed);
        }
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        let mut file = self.dir.open_with(&piece.name, &options).map_err(failed)?;
        self.files = self.files.saturating_add(1);
        file.write_all(&piece.bytes).map_err(failed)?;
        if again {
            self.open.insert(piece.name, file);
        }
        Ok(())
    }
}
