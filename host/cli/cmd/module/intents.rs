//! `enact module intents`: what was sent or written and is in no committed run, and what a person says of it.
use anyhow::Result;
use clap::Args;

use crate::args::Global;
use crate::cmd::open_any;
use crate::exit::Exit;
use crate::ui::{DIM, NAME, Ui, WARN};

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// What to list, or to dismiss.
#[derive(Debug, Args)]
pub(crate) struct IntentsArgs {
    /// List what was dismissed as well.
    #[arg(long, conflicts_with = "dismiss")]
    all: bool,
    /// Keys of intents about which there is nothing left to be done: they are not listed as open any more, and nothing is sent for it.
    #[arg(long, value_name = "KEY", num_args = 1.., requires = "reason")]
    dismiss: Vec<String>,
    /// Why. It is kept, with the time.
    #[arg(long, value_name = "TEXT", requires = "dismiss", value_parser = reason)]
    reason: Option<String>,
}

fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.len() > REASON_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("a reason is one line of at most {REASON_BYTES_MAX} bytes"));
    }
    Ok(text.to_owned())
}

pub(super) fn run(ui: &Ui, global: &Global, args: &IntentsArgs) -> Result<Exit> {
    let engine = open_any(global)?;
    if let Some(reason) = &args.reason {
        engine.dismiss_intents(&args.dismiss, reason)?;
    }
    // What was just dismissed is shown as it is kept now.
    let mut listed = engine.open_intents(args.all || !args.dismiss.is_empty())?;
    listed.retain(|intent| args.dismiss.is_empty() || args.dismiss.contains(&intent.key));
    if ui.json() {
        ui.document(&listed)?;
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        ui.line("Everything that was sent is in a committed run, or dismissed.")?;
    }
    for intent in &listed {
        let run = if intent.committed { "its run is committed without it" } else { "its run is not committed" };
        ui.line(format!(
            "{WARN}{:<9}{WARN:#} {NAME}{}{NAME:#} {} {DIM}{} {run}{DIM:#}",
            intent.state, intent.key, intent.target, intent.at
        ))?;
        if let Some(dismissed) = &intent.dismissed {
            ui.line(format!("{DIM}          dismissed {}: {}{DIM:#}", dismissed.at, dismissed.reason))?;
        }
    }
    Ok(Exit::Done)
}
