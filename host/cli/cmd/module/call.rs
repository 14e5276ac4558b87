//! `enact module test` and `call`: a component tried before anybody admits it. Nothing is recorded.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::Args;
use enact_engine::EngineError;
use enact_engine::admission::rehearsal::Octets;
use enact_engine::admission::vectors::{limits, once};
use enact_engine::admission::{Given, Intake, Paths, SIDE_FILE_BYTES_MAX, Vector};
use enact_wasm::{Backend, Limits};
use serde_json::{Map, Value, json};

use crate::args::{EngineChoice, Global};
use crate::cmd::open_look;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, plain};

/// What to try.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The component, a `.wasm` file, or the name of a module of the workspace.
    module: PathBuf,
    /// What its author promises of it, in another place than beside it.
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
    /// What its author says of it, in another place than beside it.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// What to call.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The component, a `.wasm` file, or the name of a module of the workspace.
    module: PathBuf,
    /// The code to call, e.g. CT_PURE_GENERATE_ID_V0.
    capability: String,
    /// The inputs: a JSON object, `@FILE`, or `-` for standard input.
    #[arg(default_value = "{}")]
    inputs: String,
    /// The operation of a side effect.
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// The store that the call is bound to. It is empty and in memory.
    #[arg(long, value_name = "STORE", default_value = "scratch")]
    store: String,
    /// An interface that is granted; without any, all that it imports.
    #[arg(long = "grant", value_name = "INTERFACE")]
    grants: Vec<String>,
    /// What there is to reach, in a file: an object with `http`, `files` and `state` as in a vector. Without it stores are empty and nothing is
    /// outside.
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// Fuel for the call.
    #[arg(long, value_name = "UNITS")]
    fuel: Option<u64>,
    /// Memory for the call, in bytes.
    #[arg(long, value_name = "BYTES")]
    memory: Option<u64>,
    /// Which engine executes it.
    #[arg(long, value_enum, default_value_t = EngineChoice::Native)]
    engine: EngineChoice,
}

/// A file, or what the workspace keeps under a name.
pub(super) fn intake(global: &Global, module: &Path, manifest: Option<&PathBuf>, vectors: Option<&PathBuf>) -> Result<Intake> {
    let name = module.to_string_lossy();
    if module.is_file() || name.ends_with(".wasm") || name.contains(std::path::MAIN_SEPARATOR) {
        return Ok(Intake::read(&Paths { file: module.to_owned(), manifest: manifest.cloned(), vectors: vectors.cloned() })?);
    }
    let engine = open_look(global)?;
    Ok(engine.module_kept(&engine.module_digest(&name)?)?)
}

pub(super) fn test(ui: &Ui, global: &Global, args: &TestArgs) -> Result<Exit> {
    let intake = intake(global, &args.module, args.manifest.as_ref(), args.vectors.as_ref())?;
    if intake.vectors.vectors.is_empty() {
        let detail = "there are no vectors; put `vectors.json` beside it, or name a file with --vectors".to_owned();
        return Err(EngineError::Vectors { what: args.module.display().to_string(), detail }.into());
    }
    let busy = ui.busy("examining");
    let examination = intake.try_out();
    drop(busy);
    let (reasons, tried) = examination?;
    if ui.json() {
        ui.document(&json!({"passed": reasons.is_empty(), "tried": tried, "reasons": reasons}))?;
    } else {
        for vector in &tried {
            let (style, word) = if vector.kept { (GOOD, "kept") } else { (BAD, "broken") };
            let fuel = vector.fuel.map_or_else(String::new, |fuel| format!("{fuel} fuel"));
            ui.line(format!("{style}{word:<7}{style:#} {:<40} {DIM}{fuel}{DIM:#}", plain(&vector.name)))?;
        }
        for reason in &reasons {
            ui.line(format!("{BAD}refused{BAD:#} {} {DIM}[{}]{DIM:#}", plain(&reason.detail), reason.code))?;
            if let Some(hint) = &reason.hint {
                ui.line(format!("        {GOOD}hint:{GOOD:#} {}", plain(hint)))?;
            }
        }
        let kept = tried.iter().filter(|vector| vector.kept).count();
        ui.line(format!("{kept} of {} vectors kept, each called twice compiled and once interpreted", tried.len()))?;
    }
    Ok(if reasons.is_empty() { Exit::Done } else { Exit::Refused })
}

pub(super) fn run(ui: &Ui, global: &Global, args: &CallArgs) -> Result<Exit> {
    let intake = intake(global, &args.module, None, None)?;
    let grants = if args.grants.is_empty() { enact_wasm::inspect(&intake.bytes).grants } else { args.grants.clone() };
    let vector = Vector {
        name: "call".to_owned(),
        capability: args.capability.clone(),
        operation: args.operation.clone(),
        inputs: inputs(&args.inputs)?,
        store: args.store.clone(),
        grants,
        ..args.world.as_deref().map(world).transpose()?.unwrap_or_default()
    };
    let asked = limits(&intake.manifest.codes, &args.capability);
    let limits = Limits { fuel: args.fuel.unwrap_or(asked.fuel), memory_bytes: args.memory.unwrap_or(asked.memory_bytes), ..asked };
    let backends = match args.engine {
        EngineChoice::Native => vec![Backend::Native],
        EngineChoice::Pulley => vec![Backend::Pulley],
        EngineChoice::Both => vec![Backend::Native, Backend::Pulley],
    };
    let mut answers = Vec::new();
    for backend in backends {
        let (_, given, took) = once(&intake.bytes, &vector, &limits, backend)?;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if !ui.json() {
            print(ui, backend, &given, micros)?;
        }
        answers.push((backend, given, micros));
    }
    if ui.json() {
        let document: Vec<Value> = answers
            .iter()
            .map(|(backend, given, micros)| {
                json!({"engine": backend.name(), "status": given.status, "outputs": given.outputs, "fuel": given.fuel, "micros": micros,
                        "calls": given.calls, "later": given.later, "log": given.log, "files": files(given)})
            })
            .collect();
        ui.document(&document)?;
    }
    let answered = |(_, given, _): &(Backend, Given, u64)| !given.status.starts_with("trap:") && !given.status.starts_with("inconclusive:");
    Ok(if answers.iter().all(answered) { Exit::Done } else { Exit::Refused })
}

fn print(ui: &Ui, backend: Backend, given: &Given, micros: u64) -> Result<()> {
    let fuel = given.fuel.map_or_else(|| "no fuel counted".to_owned(), |fuel| format!("{fuel} fuel"));
    ui.line(format!("{NAME}{}{NAME:#} {DIM}{}, {fuel}, {micros} µs{DIM:#}", plain(&given.status), backend.name()))?;
    for call in &given.calls {
        let (request, answer) = (serde_json::to_string(&call.request)?, serde_json::to_string(&call.answer)?);
        ui.line(format!("{DIM}asked {}\n   got {}{DIM:#}", plain(&request), plain(&answer)))?;
    }
    for (path, content) in files(given) {
        ui.line(format!("{DIM}holds {} {}{DIM:#}", plain(path), plain(&content.to_string())))?;
    }
    for asked in &given.later {
        ui.line(format!("{DIM}for later {}{DIM:#}", plain(&serde_json::to_string(asked)?)))?;
    }
    for line in given.log.lines() {
        ui.line(format!("{DIM}wrote {}{DIM:#}", plain(line)))?;
    }
    serde_json::to_string_pretty(&given.outputs)?.lines().try_for_each(|line| ui.line(plain(line)))
}

/// What the folders hold afterwards; what is not text in hexadecimal.
fn files(given: &Given) -> BTreeMap<&String, Value> {
    given.files.iter().map(|(path, content)| (path, json!(Octets::of(content)))).collect()
}

/// The part of a vector that is about what there is to reach.
fn world(file: &Path) -> Result<Vector> {
    let too_large = |_| EngineError::FileTooLarge { path: file.to_owned(), bytes_max: SIDE_FILE_BYTES_MAX };
    let bytes = crate::cmd::read_input(file, usize::try_from(SIDE_FILE_BYTES_MAX).unwrap_or(usize::MAX), too_large)?;
    Ok(Vector::world(&bytes, &file.display().to_string())?)
}

fn inputs(text: &str) -> Result<Map<String, Value>> {
    let too_large = |_| EngineError::FileTooLarge { path: text.into(), bytes_max: 8 << 20 };
    let bytes = match text.strip_prefix('@') {
        Some(file) => crate::cmd::read_input(file.as_ref(), 8 << 20, too_large)?,
        None if text == "-" => crate::cmd::read_input("-".as_ref(), 8 << 20, too_large)?,
        None => text.as_bytes().to_vec(),
    };
    let wrong = |detail: String| anyhow!(EngineError::Json { what: "the inputs".to_owned(), detail });
    match enact_core::canonical::parse(&bytes).map_err(|e| wrong(e.to_string()))? {
        Value::Object(map) => Ok(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(wrong("not an object".to_owned())),
    }
}
