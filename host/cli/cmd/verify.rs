//! `enact verify`: chain, tree, checkpoints, and the stored parts of every run.
use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Args;
use enact_engine::VerifyReport;

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, Ui};

/// Verify the ledger: chain, Merkle tree, signed checkpoints, stored parts of runs, protocols and modules.
///
/// Exit code 4 when anything was altered; every finding names its entry.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Verifier key of the checkpoints (`name+hash+base64`); the workspace's own without it.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Also judge every governed entry again from nothing, and compare what follows with the stored state.
    #[arg(long)]
    rebuild: bool,
    /// Threads that hash, and check signatures.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(1))]
    jobs: NonZeroUsize,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &VerifyArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    let bar = ui.bar(engine.store().reader()?.head()?.size, "verify");
    let mut report = engine.verify(args.key.as_deref(), args.jobs, |_| bar.inc(1))?;
    bar.finish_and_clear();
    if args.rebuild {
        let bar = ui.bar(report.entries, "rebuild");
        report.rebuilt(engine.rebuild(args.jobs, |_| bar.inc(1))?);
        bar.finish_and_clear();
    }
    if ui.json() {
        ui.document(&report)?
    } else {
        print(ui, &report)?
    }
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Mismatch })
}

fn print(ui: &Ui, report: &VerifyReport) -> Result<()> {
    for check in &report.checks {
        let (style, word) = if check.ok { (GOOD, "ok") } else { (BAD, "FAILED") };
        ui.line(format!("{style}{word:<7}{style:#} {} ({})", check.name, check.count))?;
    }
    for finding in &report.findings {
        ui.line(format!("{BAD}finding{BAD:#} {finding}"))?;
    }
    let style = if report.findings.is_empty() { GOOD } else { BAD };
    ui.line(format!("{style}{}{style:#} {} entries of `{}`", report.verdict, report.entries, report.origin))?;
    ui.line(format!("root     {}", report.root))?;
    for line in &report.not_checked {
        ui.line(format!("{DIM}not checked: {line}{DIM:#}"))?;
    }
    Ok(())
}
