//! `enact work`: workers that carry out what is queued.
use std::collections::BTreeMap;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use clap::Args;
use enact_engine::queue::{StopSign, WorkEvent, WorkOptions};

use super::open_for;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

/// Carry out what is queued: validate, run, commit, settle.
///
/// Goes on until it is interrupted (Ctrl-C, SIGTERM), which finishes what has run and gives the rest back; interrupted again, it ends at
/// once. It can be killed at any moment: what was taken is free again when its lease ends, and nothing is executed twice. Any number of
/// processes may work at once. SIGUSR1 has it say on standard error what it has done so far.
#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// Who signs; an actor that may execute and settle.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// Workers of this process.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN, value_parser = crate::args::threads)]
    workers: NonZeroUsize,
    /// Stop when there is nothing to do. Exit code 3 when an item failed.
    #[arg(long)]
    once: bool,
    /// Milliseconds between two looks whether anything has changed, when there is nothing to do.
    #[arg(long, value_name = "MS", default_value_t = WorkOptions::POLL_MS, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    poll: u64,
    /// Items taken at a time, at most: fewer where items are slow.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::new(WorkOptions::BATCH).unwrap_or(NonZeroUsize::MIN))]
    batch: NonZeroUsize,
    /// Only items under this contract; may be given more than once.
    #[arg(long, value_name = "QC_…")]
    contract: Vec<String>,
    /// Seconds until an item that was taken is free again, should this process be gone.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    lease: u64,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &WorkArgs) -> Result<Exit> {
    static STOP: StopSign = StopSign::new();
    let counts: Arc<Mutex<BTreeMap<&'static str, u64>>> = Arc::default();
    listen(Arc::clone(&counts), ui.json(), &STOP)?;
    let engine = open_for(global, args.workers)?;
    let options = WorkOptions {
        actor: args.by.clone(),
        workers: args.workers,
        once: args.once,
        poll_us: args.poll.saturating_mul(1_000),
        batch: args.batch,
        lease_us: args.lease.saturating_mul(1_000_000),
        contracts: args.contract.clone(),
    };
    if !args.once {
        ui.note(format!("working; stop with Ctrl-C (looks every {} ms when idle)", args.poll));
    }
    let printed = Mutex::new(Ok(()));
    let report = engine.work(&options, &STOP, &|event| {
        if let Ok(mut counts) = counts.lock() {
            let count = counts.entry(event.event).or_default();
            *count = count.saturating_add(1);
        }
        if let Ok(mut printed) = printed.lock()
            && printed.is_ok()
        {
            *printed = print(ui, event);
            if printed.is_err() {
                // Nobody listens any more: finish, and say so at the end.
                STOP.set();
            }
        }
    })?;
    printed.into_inner().unwrap_or(Ok(()))?;
    if args.once && ui.json() && counts.lock().is_ok_and(|counts| counts.is_empty()) {
        // Nothing was there to be told of: a reader still gets a document.
        ui.raw(format!("{}\n", serde_json::to_string(&report)?).as_bytes())?;
    }
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
    let before = event.original.as_ref().map_or_else(String::new, |original| format!(" executed before: entry {}", original.entry));
    ui.line(format!("{style}{:<18}{style:#} {NAME}{item}{NAME:#} {DIM}{entry}{DIM:#}{reason}{DIM}{before}{DIM:#}", event.event))
}

/// Exit code of a process that a second signal ends.
const KILLED: i32 = 130;

fn stop(sign: &StopSign) {
    if sign.set() {
        // Whoever asks twice does not want to wait. What is held is free again when its lease ends.
        std::process::exit(KILLED);
    }
}

/// Stops at the first signal that asks for it, ends at the second, and says what was done when asked.
#[cfg(unix)]
fn listen(counts: Arc<Mutex<BTreeMap<&'static str, u64>>>, json: bool, sign: &'static StopSign) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1]).context("cannot listen for signals")?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if signal == SIGUSR1 {
                say(&counts, json);
            } else {
                stop(sign);
            }
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn listen(_counts: Arc<Mutex<BTreeMap<&'static str, u64>>>, _json: bool, sign: &'static StopSign) -> Result<()> {
    ctrlc::set_handler(move || stop(sign)).context("cannot listen for signals")
}

#[cfg(unix)]
fn say(counts: &Mutex<BTreeMap<&'static str, u64>>, json: bool) {
    let Ok(counts) = counts.lock().map(|counts| counts.clone()) else { return };
    let text = if json {
        serde_json::json!({ "counts": counts }).to_string()
    } else {
        let words: Vec<String> = counts.iter().map(|(event, count)| format!("{count} {event}")).collect();
        if words.is_empty() { "nothing so far".to_owned() } else { words.join(", ") }
    };
    // Nobody may be listening there.
    let _ = writeln!(anstream::stderr(), "{text}");
}
