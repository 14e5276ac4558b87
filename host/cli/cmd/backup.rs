//! `enact backup`: a verified copy of a workspace that goes on working.
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, GOOD, Ui};

/// Copy a live ledger into a file and verify the copy. Keys and modules are not copied.
///
/// The copy is verified as `enact verify` does it; where it is not what was signed, the ledger itself is not, the exit code is 4, and the copy
/// stays as it is.
///
/// To restore: put the file in the place of `ledger/ledger.db` of a workspace that nobody uses and that has the `enact.toml` and the `keys/` of the
/// one that was copied, and run `enact verify`.
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
    let bar = ui.bar(copied.head.size, "verify");
    let verified = engine.verify_copy(&args.file, NonZeroUsize::MIN.saturating_add(1), |_| bar.inc(1));
    let report = verified.with_context(|| format!("`{}` was copied and cannot be verified", args.file.display()))?;
    bar.finish_and_clear();
    if ui.json() {
        ui.document(&json!({
            "file": args.file,
            "entries": copied.head.size,
            "bytes": copied.bytes,
            "verdict": report.verdict,
            "findings": report.findings,
            "not_checked": report.not_checked,
        }))?;
    } else {
        ui.line(format!("{GOOD}copied{GOOD:#} {} entries, {} bytes, to `{}`", copied.head.size, copied.bytes, args.file.display()))?;
        for finding in &report.findings {
            ui.line(format!("{BAD}finding{BAD:#} {finding}"))?;
        }
        let style = if report.findings.is_empty() { GOOD } else { BAD };
        ui.line(format!("{style}{}{style:#} {} entries of `{}`", report.verdict, report.entries, report.origin))?;
    }
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Mismatch })
}
