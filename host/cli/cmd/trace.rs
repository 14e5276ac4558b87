//! `enact trace`: the structural trace of one run, as JSON lines.
use anyhow::Result;
use clap::Args;

use super::{find_run, open_read};
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{DIM, NAME, Ui};

/// Print the structural trace of a run: one JSON object per line with `--json`, a table without.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The run's id, or the number of its entry.
    run: String,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &TraceArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    let evidence = find_run(&engine, &args.run)?;
    let receipt = &evidence.receipt;
    for line in evidence.trace.lines(&receipt.run, &receipt.workflow, &receipt.output.to_string()) {
        if ui.json() {
            ui.line(serde_json::to_string(&line)?)?;
            continue;
        }
        let what = line.node_id.as_deref().or(line.exit_condition.as_deref()).unwrap_or("");
        let result = line.result_status.as_deref().or(line.exit_reason.as_deref()).unwrap_or("");
        ui.line(format!("{:>4}  {DIM}{}{DIM:#}  {:<18} {NAME}{what:<44}{NAME:#} {result}", line.sequence, line.timestamp, line.event))?;
    }
    Ok(Exit::Done)
}
