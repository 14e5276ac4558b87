//! `enact module grant` and `revoke`: what a binding lets a module do.
use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use enact_engine::admission::grants::{Grant, Granted};
use enact_engine::workspace::Workspace;

use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

/// A row of a binding.
#[derive(Debug, Args)]
pub(crate) struct RowArgs {
    /// The binding, RB_….
    #[arg(long, value_name = "RB")]
    binding: String,
    /// The capability, CT_… or CS_….
    #[arg(long, value_name = "CODE")]
    capability: String,
}

/// What to grant.
#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// The module that is to serve the capability.
    module: String,
    #[command(flatten)]
    row: RowArgs,
    /// An interface that it may ask: registry, table, log, clock, random, wasi; http and files need rows in the artifact as well.
    #[arg(long = "interface", short = 'i', value_name = "INTERFACE")]
    interfaces: Vec<String>,
    /// The store of an entity, or of `*` for every other: ENTITY=STORE.
    #[arg(long = "store", value_name = "ENTITY=STORE", value_parser = pair)]
    stores: Vec<(String, String)>,
    /// A limit of one call: fuel, memory_bytes, output_bytes, host_calls or wall_ms.
    #[arg(long = "limit", value_name = "NAME=N", value_parser = limit)]
    limits: Vec<(String, u64)>,
}

/// What to take back.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    row: RowArgs,
    /// An interface that it may ask no more; without any, the capability itself is refused.
    #[arg(long = "interface", short = 'i', value_name = "INTERFACE")]
    interfaces: Vec<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (entity, store) =
        text.split_once('=').filter(|(entity, store)| !entity.is_empty() && !store.is_empty()).ok_or("write ENTITY=STORE")?;
    Ok((entity.to_owned(), store.to_owned()))
}

fn limit(text: &str) -> Result<(String, u64), String> {
    let (name, number) = text.split_once('=').ok_or("write NAME=N")?;
    let known = ["fuel", "memory_bytes", "output_bytes", "host_calls", "wall_ms"];
    if !known.contains(&name) {
        return Err(format!("the limits are {}", known.join(", ")));
    }
    Ok((name.to_owned(), number.parse().map_err(|_| "N is a whole number".to_owned())?))
}

pub(super) fn grant(ui: &Ui, global: &Global, args: &GrantArgs) -> Result<Exit> {
    let grant = Grant {
        binding: args.row.binding.clone(),
        capability: args.row.capability.clone(),
        module: Some(args.module.clone()),
        interfaces: args.interfaces.clone(),
        stores: args.stores.iter().cloned().collect::<BTreeMap<_, _>>(),
        limits: args.limits.iter().cloned().collect::<BTreeMap<_, _>>(),
    };
    print(ui, &Workspace::open(&global.workspace)?.grant(&grant)?)
}

pub(super) fn revoke(ui: &Ui, global: &Global, args: &RevokeArgs) -> Result<Exit> {
    print(ui, &Workspace::open(&global.workspace)?.revoke(&args.row.binding, &args.row.capability, &args.interfaces)?)
}

fn print(ui: &Ui, granted: &Granted) -> Result<Exit> {
    if ui.json() {
        ui.document(granted)?;
        return Ok(Exit::Done);
    }
    ui.line(format!("{NAME}{}{NAME:#} in {}", granted.capability, granted.binding))?;
    ui.line(format!("{BAD}-{BAD:#} {}", granted.before))?;
    ui.line(format!("{GOOD}+{GOOD:#} {}", granted.after))?;
    ui.line(format!("{DIM}sealed {}{DIM:#}", granted.snapshot))?;
    ui.note("runs use it from now on; where a protocol is in force, records are judged by it once it is adopted: `enact protocol adopt --as ACTOR`");
    Ok(Exit::Done)
}
