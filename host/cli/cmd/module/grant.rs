//! `enact module grant` and `revoke`: what a binding lets a module do.
use std::collections::BTreeMap;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _};
use enact_engine::admission::grants::{Grant, Granted, Revocation};
use enact_engine::workspace::Workspace;
use enact_flow::artifact::{FileGrant, FileMode, HttpGrant, OutboxGrant, WorkflowGrant};

use crate::args::{Cli, Global};
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
    /// An interface that it may ask: registry, table, log, clock, random, wasi; http, files, workflow and outbox come with their rows.
    #[arg(long = "interface", short = 'i', value_name = "INTERFACE")]
    interfaces: Vec<String>,
    /// The store of an entity, or of `*` for every other: ENTITY=STORE.
    #[arg(long = "store", value_name = "ENTITY=STORE", value_parser = pair)]
    stores: Vec<(String, String)>,
    /// A limit of one call: fuel, memory_bytes, output_bytes, host_calls or wall_ms.
    #[arg(long = "limit", value_name = "NAME=N", value_parser = limit)]
    limits: Vec<(String, u64)>,
    /// A peer, the methods and the part of its paths, e.g. `https://api.example.org:443 GET,POST /v1/`, then perhaps `private` and
    /// `timeout_ms=N`; or the row as JSON, which can name headers as well.
    #[arg(long, value_name = "PEER", value_parser = peer)]
    http: Vec<HttpGrant>,
    /// A folder, below the workspace or absolute, and its name for modules. It may be read; with `:write` at the end, files in it may be
    /// written too.
    #[arg(long, value_name = "NAME=PATH[:write]", value_parser = folder)]
    files: Vec<FileGrant>,
    /// A workflow that it may ask for, to run later under its own binding or under this one.
    #[arg(long, value_name = "WF[=RB]", value_parser = workflow)]
    workflow: Vec<WorkflowGrant>,
    /// To whom it may write, and from whom that comes: `FROM TO,…`, each an address or `*@DOMAIN`.
    #[arg(long, value_name = "FROM TO", value_parser = people)]
    outbox: Vec<OutboxGrant>,
}

/// What to take back.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    row: RowArgs,
    /// An interface that it may ask no more, with all its rows; without any of these, the capability itself is refused.
    #[arg(long = "interface", short = 'i', value_name = "INTERFACE")]
    interfaces: Vec<String>,
    /// Methods of a peer, written as they were granted; with its last method the peer is gone.
    #[arg(long, value_name = "PEER", value_parser = peer)]
    http: Vec<HttpGrant>,
    /// A folder by its name for modules.
    #[arg(long, value_name = "NAME")]
    files: Vec<String>,
    /// A workflow by its code.
    #[arg(long, value_name = "WF")]
    workflow: Vec<String>,
    /// To whom it may write no more, written as it was granted.
    #[arg(long, value_name = "FROM TO", value_parser = people)]
    outbox: Vec<OutboxGrant>,
}

/// Only the shape: whether a row may stand in a binding is decided when it is sealed.
fn peer(text: &str) -> Result<HttpGrant, String> {
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|e| e.to_string());
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let [origin, methods, prefix, options @ ..] = words.as_slice() else {
        return Err("write SCHEME://HOST:PORT METHOD,… /PREFIX".to_owned());
    };
    let parts = origin.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once(':')?)));
    let (scheme, (host, port)) = parts.ok_or("write SCHEME://HOST:PORT, with the port")?;
    let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    let (mut private, mut timeout_ms) = (false, None);
    for option in options {
        match option.strip_prefix("timeout_ms=") {
            Some(ms) => timeout_ms = Some(ms.parse().map_err(|_| "N is a whole number".to_owned())?),
            None if *option == "private" => private = true,
            None => return Err(format!("`{option}` is neither `private` nor `timeout_ms=N`")),
        }
    }
    Ok(HttpGrant {
        scheme: scheme.to_owned(),
        host: host.to_owned(),
        port,
        methods: methods.split(',').map(str::to_owned).collect(),
        path_prefix: (*prefix).to_owned(),
        private,
        timeout_ms,
        headers: BTreeMap::new(),
    })
}

fn folder(text: &str) -> Result<FileGrant, String> {
    let (name, path) = text.split_once('=').ok_or("write NAME=PATH or NAME=PATH:write")?;
    let (path, mode) = match path.rsplit_once(':') {
        Some((path, "write")) => (path, FileMode::Write),
        Some((path, "read")) => (path, FileMode::Read),
        Some((_, other)) => return Err(format!("`{other}` is neither `read` nor `write`; after a path with a colon write one of them")),
        None => (path, FileMode::Read),
    };
    Ok(FileGrant { name: name.to_owned(), path: path.to_owned(), mode })
}

fn workflow(text: &str) -> Result<WorkflowGrant, String> {
    let (workflow, binding) = text.split_once('=').map_or((text, None), |(workflow, binding)| (workflow, Some(binding)));
    if workflow.is_empty() || binding.is_some_and(str::is_empty) {
        return Err("write WF_… or WF_…=RB_…".to_owned());
    }
    Ok(WorkflowGrant { workflow: workflow.to_owned(), binding: binding.map(str::to_owned) })
}

fn people(text: &str) -> Result<OutboxGrant, String> {
    let (from, to) = text.split_once(' ').ok_or("write FROM TO,…")?;
    Ok(OutboxGrant { from: from.to_owned(), to: to.split(',').map(|to| to.trim().to_owned()).collect() })
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

/// What is said once for each name. Of two words for one the second would be the one that counts, unseen.
fn once<T: Clone>(option: &str, said: &[(String, T)]) -> Result<BTreeMap<String, T>, String> {
    let all: BTreeMap<String, T> = said.iter().cloned().collect();
    match said.iter().enumerate().find(|(nth, (name, _))| said.iter().take(*nth).any(|(earlier, _)| earlier == name)) {
        Some((_, (name, _))) => Err(format!("{option} {name} is there twice")),
        None => Ok(all),
    }
}

pub(super) fn grant(ui: &Ui, global: &Global, args: &GrantArgs) -> Result<Exit> {
    // A mistake of usage, like any other shape that is none.
    let usage = |why: String| -> ! { Cli::command().error(ErrorKind::ArgumentConflict, why).exit() };
    let stores = once("--store", &args.stores).unwrap_or_else(|why| usage(why));
    let limits = once("--limit", &args.limits).unwrap_or_else(|why| usage(why));
    let grant = Grant {
        binding: args.row.binding.clone(),
        capability: args.row.capability.clone(),
        module: Some(args.module.clone()),
        interfaces: args.interfaces.clone(),
        stores,
        limits,
        http: args.http.clone(),
        files: args.files.clone(),
        workflow: args.workflow.clone(),
        outbox: args.outbox.clone(),
    };
    print(ui, &Workspace::open(&global.workspace)?.grant(&grant)?)
}

pub(super) fn revoke(ui: &Ui, global: &Global, args: &RevokeArgs) -> Result<Exit> {
    let revocation = Revocation {
        binding: args.row.binding.clone(),
        capability: args.row.capability.clone(),
        interfaces: args.interfaces.clone(),
        http: args.http.clone(),
        files: args.files.clone(),
        workflow: args.workflow.clone(),
        outbox: args.outbox.clone(),
    };
    print(ui, &Workspace::open(&global.workspace)?.revoke(&revocation)?)
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
