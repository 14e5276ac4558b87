//! `enact listen`: runs and items of queues that follow from records, as the records come.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use enact_engine::later::WORKFLOWS;
use enact_engine::listen::{Delivery, ListenerStatus, Listening, Outcome, Pass};
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineOptions};

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

/// Failures of each listener that `--status` shows.
const FAILURES_SHOWN: u64 = 5;

/// Start one run, or queue one item, for each committed record that a listener (LI_…) of the sealed protocol hears, exactly once.
///
/// The workflows that committed runs have asked for are started the same way, by the listener `enact:workflow`.
///
/// Goes on until it is interrupted (Ctrl-C, SIGTERM), which lets what is under way commit; it can be killed at any moment without a run or
/// an item lost or made twice, and several may listen at once. Items are proposed as the actor of --as, under the matrix. With --json it prints one line for each delivery.
#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// The listeners, `enact:workflow` among them; all of them without it.
    #[arg(value_name = "LI_…")]
    listeners: Vec<String>,
    /// Who proposes the items of listeners that name a queue contract; this workspace holds the key.
    #[arg(long = "as", value_name = "ACTOR")]
    actor: Option<String>,
    /// Stop at the head of the ledger. Exit code 3 when a delivery failed.
    #[arg(long)]
    once: bool,
    /// Milliseconds between two looks at the ledger.
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    poll: u64,
    /// Go back, or ahead, to this entry first. What has its run gets no second one.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// Try what was set aside again, and stop.
    #[arg(long, conflicts_with_all = ["once", "from"])]
    again: bool,
    /// Show where the listeners stand and their last failures, and start nothing.
    #[arg(long, conflicts_with_all = ["once", "from", "again"])]
    status: bool,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &ListenArgs) -> Result<Exit> {
    if args.status {
        return status(ui, &open_read(global)?, &args.listeners);
    }
    let engine = Engine::open(Workspace::open(&global.workspace)?, &EngineOptions::default())?;
    let mut listening = engine.listening(&args.listeners, args.actor.as_deref())?;
    let (interrupt, interrupted) = channel::<()>();
    static STOP: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        STOP.store(true, Ordering::Relaxed);
        // Nobody waits any more when the command is ending by itself.
        let _ = interrupt.send(());
    })
    .context("cannot listen for signals")?;
    let stop = || STOP.load(Ordering::Relaxed);
    if let Some(seq) = args.from {
        engine.listen_from(&listening, seq)?;
    }
    if args.again || args.once {
        let pass = look(ui, &engine, &mut listening, &stop, args.again)?;
        if ui.json() && (Pass { known: 0, ..pass }) == Pass::default() {
            // Nothing was told: a reader still gets a document.
            ui.raw(format!("{}\n", serde_json::to_string(&pass)?).as_bytes())?;
        }
        if !ui.json() {
            ui.line(format!(
                "{} runs started, {} items queued, {} there already, {} deliveries failed",
                pass.started, pass.queued, pass.known, pass.failed
            ))?;
        }
        return Ok(if pass.failed == 0 { Exit::Done } else { Exit::Refused });
    }
    ui.note(format!("listening; stop with Ctrl-C (looks every {} ms)", args.poll));
    while !stop() {
        look(ui, &engine, &mut listening, &stop, false)?;
        match interrupted.recv_timeout(Duration::from_millis(args.poll)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(Exit::Done)
}

/// One walk to the head, told as it goes.
fn look(ui: &Ui, engine: &Engine, listening: &mut Listening, stop: &dyn Fn() -> bool, again: bool) -> Result<Pass> {
    let mut printed = Ok(());
    let mut told = |delivery: &Delivery| {
        if printed.is_ok() {
            printed = print(ui, delivery);
        }
    };
    let pass = if again { engine.listen_again(listening, stop, &mut told)? } else { engine.listen(listening, stop, &mut told)? };
    printed.map(|()| pass)
}

fn print(ui: &Ui, delivery: &Delivery) -> Result<()> {
    if ui.json() {
        return ui.raw(format!("{}\n", serde_json::to_string(delivery)?).as_bytes());
    }
    let what = if delivery.listener == WORKFLOWS { "request" } else { "record" };
    let place = format!("{NAME}{}{NAME:#} entry {} {what} {}", delivery.listener, delivery.seq, delivery.record);
    match (&delivery.entry, &delivery.exit, &delivery.failure) {
        (Some(entry), Some(exit), _) => ui.line(format!(
            "{GOOD}run{GOOD:#}       {place} {DIM}→ {} entry {}{DIM:#} {}/{}",
            delivery.run_id.as_deref().unwrap_or_default(),
            entry.seq,
            exit.class,
            exit.reason
        )),
        (Some(entry), None, None) => ui.line(format!(
            "{GOOD}queued{GOOD:#}    {place} {DIM}→ {} entry {}{DIM:#}",
            delivery.queue_id.as_deref().unwrap_or_default(),
            entry.seq
        )),
        (_, _, Some(failure)) => {
            let (style, word) = if delivery.outcome == Outcome::SetAside { (BAD, "set aside") } else { (WARN, "failed") };
            ui.line(format!(
                "{style}{word:<9}{style:#} {place} attempt {}: {} {DIM}[{}]{DIM:#}",
                failure.attempt, failure.detail, failure.code
            ))
        }
        _ => Ok(()),
    }
}

fn status(ui: &Ui, engine: &Engine, only: &[String]) -> Result<Exit> {
    let all = engine.listener_status(only, FAILURES_SHOWN)?;
    if ui.json() {
        ui.document(&all)?;
        return Ok(Exit::Done);
    }
    for ListenerStatus { listener, on, workflow, queue, next, lag, failures } in &all {
        let starts = workflow.as_ref().or(queue.as_ref()).map_or("", String::as_str);
        if listener == WORKFLOWS {
            ui.line(format!("{NAME}{listener}{NAME:#} workflows that runs ask for: next request {next}, {lag} behind"))?;
        } else {
            ui.line(format!("{NAME}{listener}{NAME:#} on {} {} → {starts}: next entry {next}, {lag} behind", on.record, on.action))?;
        }
        for failed in failures {
            let (style, word) = if failed.set_aside { (BAD, "set aside") } else { (WARN, "failed") };
            ui.line(format!(
                "  {style}{word:<9}{style:#} {DIM}{}{DIM:#} entry {} record {} attempt {}: {} {DIM}[{}]{DIM:#}",
                failed.at, failed.seq, failed.record, failed.failure.attempt, failed.failure.detail, failed.failure.code
            ))?;
        }
    }
    if all.is_empty() {
        ui.note("the sealed protocol has no listener (LI_…)");
    }
    Ok(Exit::Done)
}
