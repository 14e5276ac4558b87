//! `enact module`: what a component is, before anyone runs it.
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use enact_engine::EngineError;

use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

/// Work with capability modules.
#[derive(Debug, Subcommand)]
pub(crate) enum ModuleCommand {
    /// Inspect a component without compiling it. Exit code 3 when it would not be admitted.
    Inspect(InspectArgs),
    /// Write a project of a transform and a side effect in one of five languages.
    New(super::module_new::NewArgs),
}

/// What to inspect.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The component, a `.wasm` file.
    file: PathBuf,
}

pub(crate) fn run(ui: &Ui, _global: &Global, command: &ModuleCommand) -> Result<Exit> {
    let args = match command {
        ModuleCommand::Inspect(args) => args,
        ModuleCommand::New(args) => return super::module_new::run(ui, args),
    };
    let bytes = std::fs::read(&args.file).map_err(|e| EngineError::file("read", &args.file, e))?;
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
            ui.line(format!("{NAME}{key:<9}{NAME:#} {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") }))?;
        }
        for refusal in &inspection.refusals {
            ui.line(format!("{BAD}refused{BAD:#} {} {DIM}[{}]{DIM:#}", refusal.detail, refusal.code))?;
        }
        let (style, word) = if admissible { (GOOD, "admissible") } else { (BAD, "not admissible") };
        ui.line(format!("{style}{word}{style:#}"))?;
    }
    Ok(if admissible { Exit::Done } else { Exit::Refused })
}
