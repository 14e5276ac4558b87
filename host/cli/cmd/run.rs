//! `enact run`: one workflow, or one after another from a file of payloads.
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineError, EngineOptions, Load, PAYLOAD_BYTES_MAX, RunReport, RunRequest};
use serde_json::Value;

use crate::args::Global;
use crate::cmd::{batch, read_input};
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

/// Run a workflow, commit it to the ledger, and print what happened.
///
/// Where no workspace exists, one is created with the built-in packs. The exit code is 0 whenever the run was committed,
/// whichever exit of the workflow it took.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The workflow, e.g. WF_REGISTER_USER_UNVERIFIED_V0.
    workflow: String,
    /// File with the payload, a JSON object; `-` reads standard input.
    #[arg(long, short, value_name = "FILE", required_unless_present = "batch")]
    payload: Option<PathBuf>,
    /// File with one payload per line; one JSON report per line is printed as each run becomes durable.
    ///
    /// All lines of a file are checked before the first is run. `-` reads standard input as it comes; there, a bad line ends the batch.
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    batch: Option<PathBuf>,
    /// Runtime binding (RB_…) or environment; the workflow's own default without it.
    #[arg(long, short, value_name = "NAME")]
    binding: Option<String>,
    /// A parameter of the binding.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Threads that execute a batch.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(1), value_parser = crate::args::threads)]
    jobs: NonZeroUsize,
    /// Runs of a batch under way at once.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(63))]
    in_flight: NonZeroUsize,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &RunArgs) -> Result<Exit> {
    let payload = args.payload.as_deref().map(read_payload).transpose()?;
    let workspace = open_or_create(ui, global)?;
    let engine = Engine::open(workspace, &EngineOptions::for_threads(args.jobs))?;
    let request = RunRequest {
        workflow: args.workflow.clone(),
        payload: Value::Null,
        binding: args.binding.clone(),
        parameters: args.parameters.iter().cloned().collect::<BTreeMap<_, _>>(),
    };
    match (payload, &args.batch) {
        (Some(payload), _) => {
            let report = engine.run(&RunRequest { payload, ..request })?;
            if ui.json() {
                ui.document(&report)?
            } else {
                print(ui, &report)?
            }
            Ok(Exit::Done)
        }
        (None, Some(file)) => {
            let load = Load { workers: args.jobs, in_flight: args.in_flight };
            batch::run(ui, &engine, &request, file, load)
        }
        (None, None) => Ok(Exit::Done),
    }
}

/// Opens the workspace, or creates the default one and says so.
fn open_or_create(ui: &Ui, global: &Global) -> Result<Workspace> {
    let (workspace, created) = Workspace::open_or_create(&global.workspace)?;
    if let Some(created) = created {
        ui.note(format!("created the workspace `{}` with the built-in packs ({})", created.path.display(), created.packs.join(", ")));
    }
    Ok(workspace)
}

fn read_payload(path: &Path) -> Result<Value> {
    let bytes = read_input(path, PAYLOAD_BYTES_MAX, |bytes| EngineError::PayloadSize { bytes, bytes_max: PAYLOAD_BYTES_MAX })?;
    let what = format!("`{}`", path.display());
    // Strict: duplicate keys would mean one thing here and another elsewhere.
    let value = enact_core::canonical::parse(&bytes).map_err(|e| EngineError::Json { what, detail: e.to_string() })?;
    Ok(value)
}

/// Prints a report for people.
fn print(ui: &Ui, report: &RunReport) -> Result<()> {
    ui.line(format!("{NAME}{}{NAME:#}  {DIM}{} · {}{DIM:#}", report.workflow, report.run_id, report.binding))?;
    for node in &report.nodes {
        let style = match node.status.as_str() {
            "SUCCESS" | "ACK" => GOOD,
            _ if node.node_type == "exit" => DIM,
            _ => WARN,
        };
        ui.line(format!("  {:<44} {style}{}{style:#}", node.node, node.status))?;
    }
    let style = if report.exit.class == "SUCCESS" { GOOD } else { BAD };
    let code = report.exit.code.as_deref().map_or_else(String::new, |c| format!(" {DIM}[{c}]{DIM:#}"));
    ui.line(format!("{style}{}/{}{style:#}{code}", report.exit.class, report.exit.reason))?;
    let shown = super::show::masked(&report.payload, &report.secrets);
    ui.line(serde_json::to_string_pretty(&shown)?)?;
    ui.line(format!("context  {}", report.context_hash))?;
    ui.line(format!("entry    {} {DIM}{}{DIM:#}", report.entry.seq, report.entry.hash))?;
    let attempts = if report.attempts > 1 { format!(", attempt {}", report.attempts) } else { String::new() };
    ui.line(format!("fuel     {}{attempts}", report.fuel_used))?;
    Ok(())
}
