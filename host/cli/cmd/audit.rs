//! `enact audit`: execute committed runs again and compare.
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Result;
use clap::Args;
use enact_engine::admission::{Intake, Paths};
use enact_engine::{AuditOptions, AuditReport, Engine, EngineError};
use enact_wasm::Backend;

use super::{find_run, open_read};
use crate::args::{EngineChoice, Global};
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

/// Execute committed runs again from the ledger and compare every step, the context hash and the fuel.
///
/// Exit code 4 when anything differs; the first diverging step of each run is named with both sides.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Runs to audit: ids or numbers of entries.
    #[arg(value_name = "RUN", required_unless_present_any = ["all", "swap"])]
    runs: Vec<String>,
    /// Audit every run in the ledger.
    #[arg(long, conflicts_with = "runs")]
    all: bool,
    /// Threads that re-execute.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(1), value_parser = crate::args::threads)]
    jobs: NonZeroUsize,
    /// Also refold the host stores from the committed runs and check every recorded read against them (implies --all).
    #[arg(long, conflicts_with = "runs")]
    state: bool,
    /// Which engine re-executes.
    #[arg(long, value_enum, value_name = "ENGINE", default_value_t = EngineChoice::Native)]
    engine: EngineChoice,
    /// What if another module had run? Executes the runs that OLD served with NEW in its place and names the first difference of each.
    /// OLD is a name or digest of this workspace, NEW one as well or a `.wasm` file. Writes nothing.
    #[arg(long, value_name = "OLD=NEW", conflicts_with_all = ["runs", "all", "state", "engine"])]
    swap: Option<String>,
    /// With --swap: only the last N of these runs.
    #[arg(long, value_name = "N", requires = "swap")]
    last: Option<u64>,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &AuditArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    if let Some(swap) = &args.swap {
        return what_if(ui, &engine, args, swap);
    }
    let size = engine.store().reader()?.head()?.size;
    if size == 0 {
        return Err(EngineError::EmptyLedger.into());
    }
    let entries = match args.all || args.state {
        true => None,
        false => Some(args.runs.iter().map(|run| Ok(find_run(&engine, run)?.seq)).collect::<Result<Vec<_>>>()?),
    };
    let backends = match args.engine {
        EngineChoice::Native => vec![Backend::Native],
        EngineChoice::Pulley => vec![Backend::Pulley],
        EngineChoice::Both => vec![Backend::Native, Backend::Pulley],
    };
    let passes = backends.len() as u64;
    let bar = ui.bar(entries.as_ref().map_or(size, |e| e.len() as u64) * passes, "audit");
    let options = AuditOptions { entries, jobs: args.jobs, state: args.state, backends };
    let report = engine.audit(&options, |_| bar.inc(1))?;
    bar.finish_and_clear();
    if ui.json() {
        ui.document(&report)?
    } else {
        print(ui, &report)?
    }
    Ok(match report.verdict {
        "DIVERGED" => Exit::Mismatch,
        "INCONCLUSIVE" => Exit::Refused,
        _ => Exit::Done,
    })
}

fn what_if(ui: &Ui, engine: &Engine, args: &AuditArgs, swap: &str) -> Result<Exit> {
    let (old, new) = swap.split_once('=').ok_or_else(|| EngineError::NoModule { name: swap.to_owned() })?;
    let old = engine.module_digest(old)?;
    let new = if Path::new(new).is_file() {
        Intake::read(&Paths { file: new.into(), ..Paths::default() })?.bytes
    } else {
        engine.module_kept(&engine.module_digest(new)?)?.bytes
    };
    let bar = ui.bar(args.last.unwrap_or_default(), "runs");
    let report = engine.what_if(&old, new, args.last, args.jobs, |_| bar.inc(1))?;
    bar.finish_and_clear();
    let digest = report.digest()?;
    if ui.json() {
        let mut document = serde_json::to_value(&report)?;
        document["comparison"] = serde_json::json!(digest);
        ui.document(&document)?;
    } else {
        for found in &report.inconclusive {
            ui.line(format!("{WARN}inconclusive{WARN:#} {NAME}{}{NAME:#} entry {}: {}", found.run, found.seq, found.detail))?;
        }
        for found in &report.diverged {
            let step = found.at.step.map_or_else(String::new, |s| format!(" step {s}"));
            let place = format!("{} entry {}, node `{}`{step}", found.run, found.seq, found.at.node);
            ui.line(format!("{BAD}diverged{BAD:#} {NAME}{place}{NAME:#} {DIM}[{}]{DIM:#}", found.at.code))?;
            match found.at.got["differences"].as_array() {
                Some(differences) => {
                    for d in differences {
                        ui.line(format!(
                            "  {} {BAD}{}{BAD:#} → {GOOD}{}{GOOD:#}",
                            d["at"].as_str().unwrap_or_default(),
                            d["before"],
                            d["after"]
                        ))?;
                    }
                }
                None => ui.line(format!("  before {}\n  after  {}", found.at.expected, found.at.got))?,
            }
        }
        let style = if report.verdict == "EQUAL" { GOOD } else { BAD };
        ui.line(format!("{style}{}{style:#} {} of {} runs", report.verdict, report.equal, report.runs))?;
        ui.line(format!("comparison {digest}"))?;
        for line in &report.not_checked {
            ui.line(format!("{DIM}not checked: {line}{DIM:#}"))?;
        }
    }
    Ok(match report.verdict {
        "EQUAL" => Exit::Done,
        "INCONCLUSIVE" => Exit::Refused,
        _ => Exit::Mismatch,
    })
}

fn print(ui: &Ui, report: &AuditReport) -> Result<()> {
    for found in &report.inconclusive {
        ui.line(format!(
            "{WARN}inconclusive{WARN:#} {NAME}{}{NAME:#} entry {}: {} {DIM}[{}]{DIM:#}",
            found.run, found.seq, found.detail, found.code
        ))?;
    }
    for found in &report.diverged {
        let step = found.at.step.map_or_else(String::new, |s| format!(" step {s}"));
        let place = if found.run.is_empty() {
            format!("store `{}`", found.at.node)
        } else {
            format!("{} entry {}, node `{}`{step}", found.run, found.seq, found.at.node)
        };
        ui.line(format!("{BAD}diverged{BAD:#} {NAME}{place}{NAME:#} {DIM}[{}]{DIM:#}", found.at.code))?;
        ui.line(format!("  expected {}", found.at.expected))?;
        ui.line(format!("  got      {}", found.at.got))?;
    }
    let style = match report.verdict {
        "REPLAYED" => GOOD,
        "INCONCLUSIVE" => WARN,
        _ => BAD,
    };
    ui.line(format!("{style}{}{style:#} {} of {} replayed", report.verdict, report.replayed, report.runs))?;
    if report.wasi_calls > 0 {
        ui.line(format!("wasi: {} calls executed again in full, by the recorded time and seed of each", report.wasi_calls))?;
    }
    if let Some(state) = &report.state {
        ui.line(format!(
            "state: {} answers corroborated, {} from outside, {} refused by the sandbox",
            state.corroborated, state.uncorroborated, state.refused
        ))?;
    }
    if report.fuel_not_compared > 0 {
        ui.line(format!("fuel of {} runs not compared: recorded by another engine", report.fuel_not_compared))?;
    }
    for line in &report.not_checked {
        ui.line(format!("{DIM}not checked: {line}{DIM:#}"))?;
    }
    Ok(())
}
