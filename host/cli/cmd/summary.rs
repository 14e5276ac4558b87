//! `enact summary`: how far things are. It reads and changes nothing.
use anyhow::Result;
use clap::Args;
use enact_engine::queue::Summary;

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{DIM, NAME, Ui};

/// Count items: queued, executed, fulfilled, in all or by the values of members that they keep.
#[derive(Debug, Args)]
pub(crate) struct SummaryArgs {
    /// A member to count by; several make finer lines. Reads the last line of every item, where the plain summary reads counts.
    #[arg(long, value_name = "MEMBER")]
    by: Vec<String>,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &SummaryArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    let progress = ui.late_bar(engine.queue_size()?, "items");
    print(ui, &engine.queue_summary(&args.by, progress)?)
}

pub(crate) fn print(ui: &Ui, summaries: &[Summary]) -> Result<Exit> {
    if ui.json() {
        ui.document(&summaries)?;
        return Ok(Exit::Done);
    }
    for summary in summaries {
        let by: Vec<String> = summary.by.iter().map(|(member, value)| format!("{member}={value}")).collect();
        ui.line(format!(
            "{NAME}{}{NAME:#} {} {} queued, {} executed, {} fulfilled",
            summary.contract,
            by.join(" "),
            summary.queued,
            summary.executed,
            summary.fulfilled
        ))?;
        let statuses: Vec<String> = summary.statuses.iter().map(|(status, items)| format!("{items} {status}")).collect();
        ui.line(format!("  {DIM}{}{DIM:#}", statuses.join(", ")))?;
    }
    Ok(Exit::Done)
}
