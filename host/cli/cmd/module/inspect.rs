//! `enact module inspect`: what a component is, before anyone runs it.
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use enact_engine::admission::MODULE_BYTES_MAX;

use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, plain};

/// What it means that a module imports WASI.
pub(super) const WASI: &str = "without anything of the machine: no folder, no network, no environment; the clock begins at the time of the run and \
     randomness follows from a recorded seed, so an audit executes it again in full";

/// What to inspect.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The component, a `.wasm` file.
    file: PathBuf,
}

pub(super) fn run(ui: &Ui, args: &InspectArgs) -> Result<Exit> {
    let bytes = super::exchange::file(&args.file, MODULE_BYTES_MAX)?;
    let inspection = enact_wasm::inspect(&bytes);
    let admissible = inspection.refusals.is_empty();
    if ui.json() {
        ui.document(&inspection)?;
    } else {
        let value = serde_json::to_value(&inspection)?;
        for key in ["kind", "pure", "profile", "size", "blake3", "sha256"] {
            ui.line(format!("{NAME}{key:<9}{NAME:#} {}", value[key].as_str().map_or_else(|| value[key].to_string(), str::to_owned)))?;
        }
        for key in ["imports", "exports"] {
            let list = value[key].as_array().cloned().unwrap_or_default();
            let names: Vec<&str> = list.iter().filter_map(|v| v.as_str()).collect();
            ui.line(format!("{NAME}{key:<9}{NAME:#} {}", if names.is_empty() { "none".to_owned() } else { plain(&names.join(", ")) }))?;
        }
        if inspection.wasi {
            ui.line(format!("{NAME}wasi{NAME:#}      {WASI}"))?;
        }
        for refusal in &inspection.refusals {
            let place = refusal.at.map_or_else(String::new, |at| format!(" at byte {at}"));
            ui.line(format!("{BAD}refused{BAD:#} {}{place} {DIM}[{}]{DIM:#}", plain(&refusal.detail), refusal.code))?;
            if let Some(hint) = refusal.hint() {
                ui.line(format!("        {GOOD}hint:{GOOD:#} {hint}"))?;
            }
        }
        let (style, word) = if admissible { (GOOD, "admissible") } else { (BAD, "not admissible") };
        ui.line(format!("{style}{word}{style:#}"))?;
    }
    Ok(if admissible { Exit::Done } else { Exit::Refused })
}
