//! `enact runs`: the runs in the ledger.
use anyhow::Result;
use clap::Args;

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

/// List the runs in the ledger, newest first.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// How many to list.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u64,
    /// Continue after this entry.
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// Oldest first.
    #[arg(long)]
    oldest: bool,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &RunsArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    let mut reader = engine.store().reader()?;
    let runs = reader.runs(args.after, args.limit, !args.oldest)?;
    if ui.json() {
        ui.document(&runs)?;
        return Ok(Exit::Done);
    }
    for run in &runs {
        let style = if run.class == "SUCCESS" { GOOD } else { BAD };
        ui.line(format!(
            "{:>8}  {NAME}{}{NAME:#}  {DIM}{}{DIM:#}  {style}{:<24}{style:#}  {}",
            run.seq,
            run.run_id,
            run.at,
            format!("{}/{}", run.class, run.reason),
            run.workflow,
        ))?;
    }
    if runs.is_empty() {
        ui.note("no runs yet; try `enact run WF_REGISTER_USER_UNVERIFIED_V0 --payload FILE`");
    }
    Ok(Exit::Done)
}
