//! `enact backup`: a verified copy of a workspace that goes on working.
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{GOOD, Ui};

/// Copy a live ledger into a file and verify the copy. Keys are not copied.
///
/// To restore: put the file in the place of `ledger/ledger.db` of a workspace that nobody uses, and run `enact verify`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The new file; an existing one is not replaced.
    file: PathBuf,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &BackupArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    let bar = ui.bar(0, "backup");
    let copied = engine.store().backup(&args.file, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    if ui.json() {
        ui.document(&json!({"file": args.file, "entries": copied.head.size, "bytes": copied.bytes}))?;
    } else {
        ui.line(format!("{GOOD}copied{GOOD:#} {} entries, {} bytes, to `{}`", copied.head.size, copied.bytes, args.file.display()))?;
    }
    Ok(Exit::Done)
}
