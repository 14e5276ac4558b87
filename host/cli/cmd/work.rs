//! `enact work`: workers that carry out what is queued.
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use clap::Args;
use enact_engine::queue::{WorkEvent, WorkOptions};

use super::open_any;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

/// Carry out what is queued: validate, run, commit, settle.
///
/// Goes on until it is interrupted (Ctrl-C, SIGTERM), which finishes what has run and gives the rest back. It can be killed at any moment:
/// what was taken is free again when its lease ends, and nothing is executed twice. Any number of processes may work at once.
#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// Who signs; an actor that may execute and settle.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// Workers of this process.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    workers: NonZeroUsize,
    /// Stop when there is nothing to do. Exit code 3 when an item failed.
    #[arg(long)]
    once: bool,
    /// Milliseconds between two looks at the queue.
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    poll: u64,
    /// Items taken at a time.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::new(WorkOptions::BATCH).unwrap_or(NonZeroUsize::MIN))]
    batch: NonZeroUsize,
    /// Seconds until an item that was taken is free again, should this process be gone.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    lease: u64,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &WorkArgs) -> Result<Exit> {
    static STOP: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("cannot listen for signals")?;
    let engine = open_any(global)?;
    let options = WorkOptions {
        actor: args.by.clone(),
        workers: args.workers,
        once: args.once,
        poll_us: args.poll.saturating_mul(1_000),
        batch: args.batch,
        lease_us: args.lease.saturating_mul(1_000_000),
    };
    if !args.once {
        ui.note(format!("working; stop with Ctrl-C (looks every {} ms)", args.poll));
    }
    let printed = Mutex::new(Ok(()));
    let report = engine.work(&options, &STOP, &|event| {
        if let Ok(mut printed) = printed.lock()
            && printed.is_ok()
        {
            *printed = print(ui, event);
            if printed.is_err() {
                // Nobody listens any more: finish, and say so at the end.
                STOP.store(true, Ordering::Relaxed);
            }
        }
    })?;
    printed.into_inner().unwrap_or(Ok(()))?;
    if !ui.json() {
        ui.line(format!(
            "{} executed, {} settled, {} failed, {} done before, {} taken over",
            report.executed, report.settled, report.failed, report.duplicates, report.fenced
        ))?;
    }
    Ok(if args.once && report.failed > 0 { Exit::Refused } else { Exit::Done })
}

fn print(ui: &Ui, event: &WorkEvent) -> Result<()> {
    if ui.json() {
        return ui.raw(format!("{}\n", serde_json::to_string(event)?).as_bytes());
    }
    let style = if event.reason.is_some() { BAD } else { GOOD };
    let entry = event.entry.map_or_else(String::new, |seq| format!("entry {seq}"));
    let (item, reason) = (event.queue_id.as_deref().unwrap_or_default(), event.reason.as_deref().unwrap_or_default());
    ui.line(format!("{style}{:<18}{style:#} {NAME}{item}{NAME:#} {DIM}{entry}{DIM:#}{reason}", event.event))
}
