//! `enact show`: everything the ledger keeps of one run.
use anyhow::Result;
use clap::Args;
use enact_engine::evidence::Evidence;
use enact_flow::artifact::Artifact;
use serde_json::{Map, Value, json};

use super::{find_run, open_read};
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::Ui;

/// Show a run: its receipt, payloads, steps and host calls, checked against the ledger.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The run's id, or the number of its entry.
    run: String,
    /// Show the values of fields that the contracts declare secret.
    #[arg(long)]
    secrets: bool,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &ShowArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    let Evidence { seq, receipt, input, output, trace, transcript } = find_run(&engine, &args.run)?;
    let secrets = if args.secrets { Vec::new() } else { secrets(&engine, &receipt.snapshot.to_string())? };
    let output: Value = serde_json::from_slice(&output)?;
    let document = json!({
        "run_id": receipt.run,
        "entry": seq,
        "at": transcript.at,
        "depth": transcript.depth,
        "receipt": receipt,
        "input": masked(&input, &secrets),
        "output": mask(&output, &secrets),
        "nodes": trace.nodes(),
        "steps": mask(&serde_json::to_value(&transcript.steps)?, &secrets),
    });
    if ui.json() {
        ui.document(&document)?
    } else {
        ui.line(serde_json::to_string_pretty(&document)?)?
    }
    Ok(Exit::Done)
}

/// Names of the fields that any contract of a sealed protocol declares secret.
fn secrets(engine: &enact_engine::Engine, snapshot: &str) -> Result<Vec<String>> {
    let Some(bytes) = engine.store().reader()?.snapshot(snapshot)? else { return Ok(Vec::new()) };
    let Ok(snapshot) = enact_flow::snapshot::Snapshot::from_lock(&bytes) else { return Ok(Vec::new()) };
    let contracts = snapshot.artifacts().filter_map(|a| if let Artifact::Contract(c) = a { Some(c) } else { None });
    Ok(contracts.flat_map(|c| c.secrets.iter().cloned()).collect())
}

/// The same object with the values of secret fields replaced.
pub(crate) fn masked(map: &Map<String, Value>, secrets: &[String]) -> Value {
    mask(&Value::Object(map.clone()), secrets)
}

fn mask(value: &Value, secrets: &[String]) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(k, v)| match secrets.iter().any(|s| s == k) {
                    true => (k.clone(), Value::String("•••".to_owned())),
                    false => (k.clone(), mask(v, secrets)),
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(|v| mask(v, secrets)).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
