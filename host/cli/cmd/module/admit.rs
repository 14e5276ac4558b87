//! `enact module add`, `ratify`, `retire`: how a stranger's module becomes one that may be bound, and stops being one.
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use enact_core::hash::Digest;
use enact_engine::admission::intake::Added;
use enact_engine::admission::record::Open;
use enact_engine::admission::{Examined, Intake, Paths, Provenance, Reliance};
use enact_engine::govern::Appended;
use enact_engine::{Engine, EngineError};
use serde::Serialize;

use crate::args::Global;
use crate::cmd::open_any;
use crate::cmd::propose::print_appended;
use crate::exit::Exit;
use crate::ui::{DIM, GOOD, NAME, Ui, plain};

/// What to propose.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The component, a `.wasm` file. `manifest.json` and `vectors.json` beside it belong to it.
    file: PathBuf,
    /// Its name; the one in its manifest, or of the file, without it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Who proposes it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// Who ratifies it at once: another actor whose key is here as well.
    #[arg(long, value_name = "ACTOR")]
    ratify_as: Option<String>,
    /// What its author says of it, in another place than beside it.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// What its author promises of it, in another place than beside it.
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
    /// A remark for the record.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// What to ratify.
#[derive(Debug, Args)]
pub(crate) struct RatifyArgs {
    /// The module.
    name: String,
    /// Who ratifies it: not who proposed it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// Which proposal, by the hash of its record; needed where several are open.
    #[arg(long, value_name = "HASH")]
    proposal: Option<Digest>,
    /// The hash of a comparison with its predecessor, as `enact audit --swap` prints it: part of the record.
    #[arg(long, value_name = "HASH")]
    compared: Option<Digest>,
    /// The hash of the ALLOW relied on, where the matrix asks for one.
    #[arg(long, value_name = "HASH")]
    auth: Option<Digest>,
}

/// What to retire.
#[derive(Debug, Args)]
pub(crate) struct RetireArgs {
    /// The module by name, or a file by its digest.
    module: String,
    /// Who retires it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// Why; it is part of the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) fn add(ui: &Ui, global: &Global, args: &AddArgs) -> Result<Exit> {
    let paths = Paths { file: args.file.clone(), manifest: args.manifest.clone(), vectors: args.vectors.clone() };
    let intake = Intake::read(&paths)?;
    let stem = || args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let named = Some(intake.manifest.module.clone()).filter(|name| !name.is_empty());
    let name = args.name.clone().or(named).unwrap_or_else(stem);
    let file = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (by, ratify_as, note) = (args.by.as_str(), args.ratify_as.as_deref(), args.note.as_deref());
    take_in(ui, global, &Taken { by, ratify_as, name: &name, note, intake, provenance: Provenance { file, signed_by: None } })
}

/// What is taken in, and by whom.
pub(super) struct Taken<'a> {
    pub(super) by: &'a str,
    pub(super) ratify_as: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) note: Option<&'a str>,
    pub(super) intake: Intake,
    pub(super) provenance: Provenance,
}

/// Examines, proposes and, when it was asked for, ratifies.
pub(super) fn take_in(ui: &Ui, global: &Global, taken: &Taken<'_>) -> Result<Exit> {
    let engine = open_any(global)?;
    let busy = ui.busy("examining");
    let added = engine.take_in(taken.by, taken.name, &taken.intake, &taken.provenance, taken.note)?;
    drop(busy);
    if !ui.json() {
        print_examined(ui, &added.examined)?;
        print_appended(ui, &added.proposed)?;
    }
    let busy = ui.busy("examining again");
    let ratified = taken.ratify_as.map(|by| ratify_this(&engine, by, taken.name, &added.proposed)).transpose()?;
    drop(busy);
    let added = Added { ratified, ..added };
    if ui.json() {
        ui.document(&added)?;
        return Ok(Exit::Done);
    }
    match &added.ratified {
        Some(ratified) => {
            print_appended(ui, ratified)?;
            admitted(ui, taken.name)
        }
        None => {
            ui.note(format!("another actor ratifies it: `enact module ratify {} --as ACTOR`", taken.name));
            Ok(Exit::Done)
        }
    }
}

/// Ratifies what was just proposed, whatever else is open.
fn ratify_this(engine: &Engine, by: &str, name: &str, proposed: &Appended) -> Result<Appended> {
    let record = proposed.records.first().and_then(|record| record.hash.parse().ok());
    let record = record.ok_or_else(|| EngineError::ModuleNotProposed { name: name.to_owned() })?;
    Ok(engine.ratify_module(by, name, &engine.open_module(name, Some(record))?, Reliance::default())?)
}

pub(super) fn ratify(ui: &Ui, global: &Global, args: &RatifyArgs) -> Result<Exit> {
    let engine = open_any(global)?;
    let open = engine.open_module(&args.name, args.proposal)?;
    if !ui.json() {
        // Said before anything is signed, so that it can be compared with what was meant.
        ui.line(format!("{NAME}proposal{NAME:#}     {} {DIM}version {} by {}{DIM:#}", open.record, open.version, open.actor))?;
        print_examined(ui, &open.examined)?;
    }
    let busy = ui.busy("examining");
    let ratified = engine.ratify_module(&args.by, &args.name, &open, Reliance { auth: args.auth, compared: args.compared });
    drop(busy);
    let ratified = ratified?;
    if ui.json() {
        ui.document(&Ratified { ratified, proposal: open })?;
        return Ok(Exit::Done);
    }
    print_appended(ui, &ratified)?;
    admitted(ui, &args.name)
}

/// The stable shape of `enact module ratify --json`: what was appended, and what it ratified.
#[derive(Debug, Serialize)]
struct Ratified {
    #[serde(flatten)]
    ratified: Appended,
    proposal: Open,
}

pub(super) fn retire(ui: &Ui, global: &Global, args: &RetireArgs) -> Result<Exit> {
    let engine = open_any(global)?;
    let digest = super::list::digest_of(&engine, &args.module)?;
    let digest: Digest = digest.parse().map_err(|_| EngineError::NoModule { name: args.module.clone() })?;
    print_appended(ui, &engine.retire_module(&args.by, &digest, &args.reason)?)
}

fn admitted(ui: &Ui, name: &str) -> Result<Exit> {
    ui.line(format!("{GOOD}admitted{GOOD:#} {NAME}{name}{NAME:#}"))?;
    ui.note(format!("bind it: `enact module grant {name} --binding RB_… --capability C…`"));
    Ok(Exit::Done)
}

/// What an examination found, for people.
pub(super) fn print_examined(ui: &Ui, examined: &Examined) -> Result<()> {
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { plain(&names.join(", ")) };
    let row = |name: &str, text: String| ui.line(format!("{NAME}{name:<12}{NAME:#} {text}"));
    row("digest", plain(&examined.digest))?;
    row("world", format!("{}, {} bytes, profile {}", plain(&examined.world), examined.size, plain(&examined.profile)))?;
    row("imports", list(&examined.imports))?;
    if !examined.wasi.is_empty() {
        row("wasi", super::inspect::WASI.to_owned())?;
    }
    if let Some(purity) = &examined.purity {
        let text = format!(
            "{} imports in its type, {} in its binary, linked with nothing {DIM}({} inside it){DIM:#}",
            purity.component_imports, purity.import_entries, purity.inner_imports
        );
        row("pure", text)?;
    }
    let conformance = &examined.conformance;
    row(
        "conformance",
        match conformance.vectors {
            0 => "no vectors: its author promises nothing".to_owned(),
            n => format!("{n} vectors kept, twice compiled and once interpreted, {} fuel", conformance.fuel),
        },
    )
}
