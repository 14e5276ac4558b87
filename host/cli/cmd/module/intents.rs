//! `enact module intents`: what was sent to peers and is in no committed run.
use anyhow::Result;

use crate::args::Global;
use crate::cmd::open_any;
use crate::exit::Exit;
use crate::ui::{DIM, NAME, Ui, WARN};

pub(super) fn run(ui: &Ui, global: &Global) -> Result<Exit> {
    let engine = open_any(global)?;
    let open = engine.open_intents()?;
    if ui.json() {
        ui.document(&open)?;
        return Ok(Exit::Done);
    }
    if open.is_empty() {
        ui.line("Everything that was sent is in a committed run.")?;
    }
    for intent in &open {
        let run = if intent.committed { "its run is committed without it" } else { "its run is not committed" };
        ui.line(format!(
            "{WARN}{:<9}{WARN:#} {NAME}{}{NAME:#} {} {DIM}{} {run}{DIM:#}",
            intent.state, intent.key, intent.target, intent.at
        ))?;
    }
    Ok(Exit::Done)
}
