//! `enact module diff` and `stats`: what changes with a module, and what modules use.
use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Args;
use enact_engine::admission::catalog::Difference;

use crate::args::Global;
use crate::cmd::open_read;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, plain};

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The earlier one: a name or a digest of this workspace, or a `.wasm` file.
    old: String,
    /// The later one.
    new: String,
}

/// What to count.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// The module by name or digest; all without it.
    module: Option<String>,
    /// The last runs that it served.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    last: u64,
    /// Threads that execute them again.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(1), value_parser = crate::args::threads)]
    jobs: NonZeroUsize,
}

pub(super) fn diff(ui: &Ui, global: &Global, args: &DiffArgs) -> Result<Exit> {
    let (old, new) =
        (super::call::intake(global, args.old.as_ref(), None, None)?, super::call::intake(global, args.new.as_ref(), None, None)?);
    let differences = enact_engine::admission::catalog::differences(&old, &new)?;
    if ui.json() {
        ui.document(&differences)?;
        return Ok(Exit::Done);
    }
    for Difference { what, before, after } in &differences {
        let (what, before, after) = (plain(what), plain(before), plain(after));
        ui.line(format!("{NAME}{what:<24}{NAME:#} {BAD}{before}{BAD:#} → {GOOD}{after}{GOOD:#}"))?;
    }
    if differences.is_empty() {
        ui.line("no difference")?;
    } else {
        ui.note("how it would have answered past runs: `enact audit --swap OLD=NEW`");
    }
    Ok(Exit::Done)
}

pub(super) fn stats(ui: &Ui, global: &Global, args: &StatsArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    let digest = args.module.as_ref().map(|module| engine.module_digest(module)).transpose()?;
    let bar = ui.bar(args.last, "runs");
    let report = engine.module_stats(digest.as_deref(), Some(args.last), args.jobs, |_| bar.inc(1))?;
    bar.finish_and_clear();
    if ui.json() {
        ui.document(&report)?;
        return Ok(Exit::Done);
    }
    let names: std::collections::BTreeMap<String, String> =
        engine.workspace().module_names()?.into_iter().map(|(name, digest)| (digest, name)).collect();
    ui.line(format!(
        "{DIM}{:<24} {:>9} {:>14} {:>12} {:>10} {:>10} {:>9}  traps{DIM:#}",
        "module", "calls", "fuel", "most fuel", "µs a call", "host calls", "refused"
    ))?;
    for (digest, used) in &report.modules {
        let name = names.get(digest).map_or_else(|| digest.get(..18).unwrap_or(digest), String::as_str);
        let traps: Vec<String> = used.traps.iter().map(|(code, n)| format!("{code} {n}")).collect();
        ui.line(format!(
            "{NAME}{name:<24}{NAME:#} {:>9} {:>14} {:>12} {:>10} {:>10} {:>9}  {}",
            used.calls,
            used.fuel,
            used.fuel_max,
            used.micros.checked_div(used.calls).unwrap_or_default(),
            used.host_calls,
            used.refusals,
            traps.join(", ")
        ))?;
    }
    ui.line(format!("{DIM}{} runs; time is that of executing them again here{DIM:#}", report.runs))?;
    if report.not_replayed > 0 {
        ui.note(format!("{} runs could not be executed again: `enact audit --all`", report.not_replayed));
    }
    Ok(Exit::Done)
}
