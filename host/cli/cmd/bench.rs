//! `enact bench`: measurements of the real engine on the real store.
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use enact_engine::queue::WorkOptions;
use enact_engine::{bench, bench_decide};
use enact_wasm::Backend;
use serde::Serialize;

use crate::args::{EngineChoice, Global};
use crate::exit::Exit;
use crate::ui::{NAME, Ui};

/// Measure this machine: workflows, calls, appends, queued items, audits, verifications. Uses a scratch workspace and removes it.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Durable workflows of pure steps, each step about 1 KiB of JSON.
    Workflow(WorkflowArgs),
    /// Single calls of a transform, each with a fresh instance.
    Call(CallArgs),
    /// Governed entries of one record each, proposed as a stream and made durable in groups.
    Append(AppendArgs),
    /// Items of the execution queue from READY to SETTLED: validated, run, committed and settled.
    Queue(QueueArgs),
    /// Walks along a chain of receipts, and from records anywhere in a ledger.
    Receipts(ReceiptsArgs),
    /// Modules: examinations, loads from the cache, recording of host calls, look-ups of grants.
    Modules(ModulesArgs),
    /// Decisions with one movement each, made and carried out.
    Decide(DecideArgs),
    /// Re-execution of a ledger of nine-step workflows.
    Audit(ReplayArgs),
    /// Verification of a ledger of nine-step workflows.
    Verify(ReplayArgs),
}

/// A load.
#[derive(Debug, Args)]
pub(crate) struct WorkflowArgs {
    /// Pure steps of each workflow.
    #[arg(long, default_value_t = count(9))]
    steps: NonZeroUsize,
    /// Runs under way at once.
    #[arg(long, default_value_t = count(128))]
    concurrency: NonZeroUsize,
    /// Threads that execute.
    #[arg(long, default_value_t = count(2))]
    workers: NonZeroUsize,
    /// How long to measure.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Folder for the scratch workspace: measure the disk you mean.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Calls.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Size of the inputs.
    #[arg(long, default_value_t = 256)]
    bytes: usize,
    /// Calls per thread.
    #[arg(long, default_value_t = 50_000)]
    calls: u64,
    /// Folder for the scratch workspace.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Governed entries.
#[derive(Debug, Args)]
pub(crate) struct AppendArgs {
    /// Entries to measure.
    #[arg(long, default_value_t = 100_000)]
    entries: u64,
    /// Entries to append before.
    #[arg(long, default_value_t = 0)]
    preload: u64,
    /// Each record carries a signature.
    #[arg(long)]
    signed: bool,
    /// Each record moves an amount between two accounts.
    #[arg(long)]
    postings: bool,
    /// Threads that complete records and check signatures.
    #[arg(long, default_value_t = count(2))]
    jobs: NonZeroUsize,
    /// Most entries of one commit.
    #[arg(long, default_value_t = count(1_024))]
    group: NonZeroUsize,
    /// Folder for the scratch workspace: measure the disk you mean.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Items of the queue.
#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    /// Items to measure.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    items: u64,
    /// Items that are settled before; the first ones wait for the component to be compiled.
    #[arg(long, default_value_t = 64)]
    behind: u64,
    /// Workers.
    #[arg(long, default_value_t = count(2))]
    workers: NonZeroUsize,
    /// Items taken at a time, at most.
    #[arg(long, default_value_t = count(WorkOptions::BATCH))]
    batch: NonZeroUsize,
    /// Folder for the scratch workspace: measure the disk you mean.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Decisions.
#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// Decisions to measure.
    #[arg(long, default_value_t = 20_000)]
    decisions: u64,
    /// Each record carries a signature.
    #[arg(long)]
    signed: bool,
    /// Threads that draft, sign and check.
    #[arg(long, default_value_t = count(2))]
    jobs: NonZeroUsize,
    /// Most entries of one commit.
    #[arg(long, default_value_t = count(512))]
    group: NonZeroUsize,
    /// Folder for the scratch workspace: measure the disk you mean.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Walks.
#[derive(Debug, Args)]
pub(crate) struct ReceiptsArgs {
    /// Entries in the ledger.
    #[arg(long, default_value_t = 100_000)]
    entries: u64,
    /// Walks to measure.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    walks: u64,
    /// Folder for the scratch workspace.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Modules.
#[derive(Debug, Args)]
pub(crate) struct ModulesArgs {
    /// A component to measure beside the built-in ones, with `vectors.json` and `manifest.json` beside it.
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Examinations of each.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    examinations: u32,
    /// Loads of each, and rounds of everything else.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Folder for the scratch cache.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// A ledger to go over.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Runs in the ledger.
    #[arg(long, default_value_t = 10_000)]
    runs: u64,
    /// Threads.
    #[arg(long, default_value_t = count(2))]
    jobs: NonZeroUsize,
    /// Which engine re-executes (audit only).
    #[arg(long, value_enum, default_value_t = EngineChoice::Native)]
    engine: EngineChoice,
    /// Folder for the scratch workspace.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN)
}

pub(crate) fn run(ui: &Ui, _global: &Global, command: &BenchCommand) -> Result<Exit> {
    match command {
        BenchCommand::Workflow(args) => {
            let bar = ui.bar(args.seconds * 1_000, "ms");
            let load = bench::WorkflowBench {
                steps: args.steps,
                concurrency: args.concurrency,
                workers: args.workers,
                duration: Duration::from_secs(args.seconds),
            };
            let figures = bench::workflow(&args.dir, &load, |elapsed| {
                bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            })?;
            bar.finish_and_clear();
            print(ui, &figures)?;
        }
        BenchCommand::Call(args) => print(ui, &bench::call(&args.dir, args.bytes, args.calls)?)?,
        BenchCommand::Append(args) => {
            let bar = ui.bar(args.preload + args.entries, "entries");
            let load = bench::AppendBench {
                entries: args.entries,
                preload: args.preload,
                signed: args.signed,
                postings: args.postings,
                jobs: args.jobs,
                group: args.group,
            };
            let figures = bench::append(&args.dir, &load, |n| bar.inc(n))?;
            bar.finish_and_clear();
            print(ui, &figures)?;
        }
        BenchCommand::Queue(args) => {
            let bar = ui.bar(args.behind.saturating_add(args.items), "items");
            let load = bench::QueueBench { items: args.items, behind: args.behind, workers: args.workers, batch: args.batch };
            let figures = bench::queue(&args.dir, &load, &|n| bar.inc(n))?;
            bar.finish_and_clear();
            print(ui, &figures)?;
        }
        BenchCommand::Receipts(args) => {
            let bar = ui.bar(args.entries, "entries");
            let figures = bench::receipts(&args.dir, args.entries, args.walks, |n| bar.inc(n))?;
            bar.finish_and_clear();
            print(ui, &figures)?;
        }
        BenchCommand::Modules(args) => {
            let load = bench::ModulesBench { files: args.files.clone(), examinations: args.examinations, rounds: args.rounds };
            let busy = ui.busy("examining");
            let figures = bench::modules(&args.dir, &load, || {})?;
            drop(busy);
            print(ui, &figures)?;
        }
        BenchCommand::Decide(args) => {
            let bar = ui.bar(args.decisions, "decisions");
            let load = bench_decide::DecideBench { decisions: args.decisions, signed: args.signed, jobs: args.jobs, group: args.group };
            let figures = bench_decide::decide(&args.dir, &load, |n| bar.inc(n))?;
            bar.finish_and_clear();
            print(ui, &figures)?;
        }
        BenchCommand::Audit(args) => {
            let backends = match args.engine {
                EngineChoice::Native => vec![Backend::Native],
                EngineChoice::Pulley => vec![Backend::Pulley],
                EngineChoice::Both => vec![Backend::Native, Backend::Pulley],
            };
            for backend in backends {
                let bar = ui.bar(args.runs, "runs");
                let figures = bench::audit(&args.dir, args.runs, args.jobs, backend, |n| bar.inc(n))?;
                bar.finish_and_clear();
                print(ui, &figures)?;
            }
        }
        BenchCommand::Verify(args) => {
            let bar = ui.bar(args.runs, "runs");
            let figures = bench::verify(&args.dir, args.runs, args.jobs, |n| bar.inc(n))?;
            bar.finish_and_clear();
            print(ui, &figures)?;
        }
    }
    Ok(Exit::Done)
}

fn print(ui: &Ui, figures: &impl Serialize) -> Result<()> {
    if ui.json() {
        return ui.document(figures);
    }
    let serde_json::Value::Object(fields) = serde_json::to_value(figures)? else { return Ok(()) };
    for (name, value) in fields {
        let text = match value.as_f64() {
            Some(number) if value.is_f64() => format!("{number:.3}"),
            _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        };
        ui.line(format!("{NAME}{name:<20}{NAME:#} {text}"))?;
    }
    Ok(())
}
