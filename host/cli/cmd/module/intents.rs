//! `enact module intents`: what was sent or written and is in no committed run, and what a person says of it.
use anyhow::Result;
use clap::Args;

use crate::args::Global;
use crate::cmd::open_look;
use crate::exit::Exit;
use crate::ui::{DIM, NAME, Ui, WARN, plain};

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// What to list, or what to say of it.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("said").args(["dismiss", "release"]).multiple(false))]
pub(crate) struct IntentsArgs {
    /// List what was dismissed as well.
    #[arg(long, conflicts_with_all = ["dismiss", "release"])]
    all: bool,
    /// Keys of intents about which there is nothing left to be done: they are not listed as open any more, and nothing is sent for it.
    #[arg(long, value_name = "KEY", num_args = 1.., requires = "reason")]
    dismiss: Vec<String>,
    /// Keys of intents that may be sent again, because the peer knows nothing of them: by the next attempt of the same item or delivery, once, under
    /// the same idempotency key. Where there is no such attempt nothing is sent.
    #[arg(long, value_name = "KEY", num_args = 1.., requires = "reason")]
    release: Vec<String>,
    /// Why. It is kept, with the time.
    #[arg(long, value_name = "TEXT", requires = "said", value_parser = reason)]
    reason: Option<String>,
}

fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.len() > REASON_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("a reason is one line of at most {REASON_BYTES_MAX} bytes"));
    }
    Ok(text.to_owned())
}

pub(super) fn run(ui: &Ui, global: &Global, args: &IntentsArgs) -> Result<Exit> {
    let engine = open_look(global)?;
    let named = [args.dismiss.as_slice(), args.release.as_slice()].concat();
    if let Some(reason) = &args.reason {
        if args.release.is_empty() {
            engine.dismiss_intents(&named, reason)?;
        } else {
            engine.release_intents(&named, reason)?;
        }
    }
    // What was just said is shown as it is kept now.
    let mut listed = engine.open_intents(args.all || !named.is_empty())?;
    listed.retain(|intent| named.is_empty() || named.contains(&intent.key));
    if ui.json() {
        ui.document(&listed)?;
        return Ok(Exit::Done);
    }
    if listed.is_empty() && engine.workspace().ledger_seed()?.is_none() {
        ui.line("What was sent is known where it was sent: it is no part of a ledger.")?;
    } else if listed.is_empty() {
        ui.line("Everything that was sent is in a committed run, or dismissed.")?;
    }
    for intent in &listed {
        let run = if intent.committed { "its run is committed without it" } else { "its run is not committed" };
        ui.line(format!(
            "{WARN}{:<9}{WARN:#} {NAME}{}{NAME:#} {} {DIM}{} {run}{DIM:#}",
            intent.state,
            plain(&intent.key),
            plain(&intent.target),
            intent.at
        ))?;
        for (what, said) in [("dismissed", &intent.dismissed), ("released", &intent.released)] {
            if let Some(said) = said {
                ui.line(format!("{DIM}          {what} {}: {}{DIM:#}", said.at, said.reason))?;
            }
        }
    }
    Ok(Exit::Done)
}
