//! `enact protocol`: artifacts, their checks, the sealed snapshot, graphs, imports.
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use enact_engine::govern::Ruled;
use enact_engine::workspace::{Workspace, parse};
use enact_engine::{EngineError, embedded};
use enact_flow::artifact::Artifact;
use enact_flow::problem::{Level, Problem};
use serde_json::json;

use super::authority;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

/// Work with the protocol: check, seal, show, draw, import.
#[derive(Debug, Subcommand)]
pub(crate) enum ProtocolCommand {
    /// Check all artifacts statically. Exit code 3 when there are errors.
    Check(CheckArgs),
    /// Compile the artifacts and seal them: runs use nothing else.
    Seal,
    /// Show one sealed artifact, or list them all.
    Show(ShowArgs),
    /// Draw the graph of a workflow, or the states of a lifecycle.
    Graph(GraphArgs),
    /// Import artifacts of a published format.
    Import(ImportArgs),
    /// Show whatever differs between two snapshots: authority, artifacts and their members, graphs, modules.
    Diff(authority::DiffArgs),
    /// Adopt the sealed snapshot: a proposal, and its ratification by another actor.
    Adopt(authority::AdoptArgs),
}

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A folder of artifacts; the workspace's own without it.
    dir: Option<PathBuf>,
    /// Also answer for each action: governance or execution, modifies state, needs an access decision, deterministic, replayable.
    #[arg(long)]
    questions: bool,
}

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The artifact's code.
    code: Option<String>,
}

/// How to draw.
#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// The workflow (WF_…) or lifecycle (LC_…).
    workflow: String,
    /// The format.
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
    format: GraphFormat,
}

/// Formats of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Mermaid text.
    Mermaid,
    /// A drawing.
    Svg,
}

/// Formats that can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// Protocol-Governed Systems: a folder with one folder of JSON files for each kind.
    Pgs,
}

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The format.
    #[arg(value_enum)]
    format: ImportFormat,
    /// The folder with the artifacts.
    dir: PathBuf,
    /// Report what would be imported and write nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(ui: &Ui, global: &Global, command: &ProtocolCommand) -> Result<Exit> {
    match command {
        ProtocolCommand::Check(args) => check(ui, global, args),
        ProtocolCommand::Seal => seal(ui, global),
        ProtocolCommand::Show(args) => show(ui, global, args),
        ProtocolCommand::Graph(args) => graph(ui, global, args),
        ProtocolCommand::Import(args) => import(ui, global, args),
        ProtocolCommand::Diff(args) => authority::diff(ui, global, args),
        ProtocolCommand::Adopt(args) => authority::adopt(ui, global, args),
    }
}

fn check(ui: &Ui, global: &Global, args: &CheckArgs) -> Result<Exit> {
    let (files, modules) = match &args.dir {
        Some(dir) => (read_folder(dir)?, embedded_modules()),
        None => {
            let workspace = Workspace::open(&global.workspace)?;
            (workspace.artifact_files()?, workspace.module_names()?)
        }
    };
    let mut problems = match parse(&files) {
        Ok(artifacts) => enact_flow::compile::check(&artifacts, &modules),
        Err(EngineError::Protocol { problems }) => problems,
        Err(other) => return Err(other.into()),
    };
    let mut ruled = None;
    if !problems.iter().any(|p| p.level == Level::Error) {
        // What governance means is known only once everything fits together.
        let compiled = enact_engine::workspace::compile(&files, &modules).and_then(|snapshot| {
            let rules = Ruled::new(&snapshot)?;
            enact_engine::listen::compiled(&snapshot, &rules)?;
            Ok((rules, snapshot))
        });
        match compiled {
            Ok((rules, snapshot)) => {
                problems.extend(rules.check(&snapshot));
                ruled = Some(rules);
            }
            Err(EngineError::Protocol { problems: found }) => problems.extend(found),
            Err(other) => return Err(other.into()),
        }
    }
    let errors = problems.iter().filter(|p| p.level == Level::Error).count();
    if ui.json() {
        let questions = ruled.filter(|_| args.questions).map(|ruled| ruled.protocol.questions());
        ui.document(&json!({"artifacts": files.len(), "errors": errors, "problems": problems, "questions": questions}))?;
    } else {
        print_problems(ui, &problems)?;
        if let (true, Some(ruled)) = (args.questions, &ruled) {
            authority::questions(ui, ruled)?;
        }
        let style = if errors == 0 { GOOD } else { BAD };
        ui.line(format!("{style}{} artifacts, {errors} errors, {} other remarks{style:#}", files.len(), problems.len() - errors))?;
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Refused })
}

fn print_problems(ui: &Ui, problems: &[Problem]) -> Result<()> {
    for p in problems {
        let (style, word) = match p.level {
            Level::Error => (BAD, "error"),
            Level::Warning => (WARN, "warning"),
            Level::Note => (DIM, "note"),
        };
        ui.line(format!("{style}{word}{style:#} {NAME}{}{NAME:#} {}: {} {DIM}[{}]{DIM:#}", p.artifact, p.at, p.detail, p.code))?;
        if !p.hint.is_empty() {
            ui.line(format!("  {GOOD}hint:{GOOD:#} {}", p.hint))?;
        }
    }
    Ok(())
}

fn embedded_modules() -> std::collections::BTreeMap<String, String> {
    embedded::modules().map(|(name, bytes)| (name.to_owned(), enact_core::hash::module_digest(bytes).to_string())).collect()
}

fn read_folder(dir: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| EngineError::file("list", dir, e))? {
        let path = entry.map_err(|e| EngineError::file("list", dir, e))?.path();
        if path.extension().is_some_and(|e| e == "json") {
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            files.push((stem, std::fs::read(&path).map_err(|e| EngineError::file("read", &path, e))?));
        }
    }
    files.sort();
    Ok(files)
}

fn seal(ui: &Ui, global: &Global) -> Result<Exit> {
    let workspace = Workspace::open(&global.workspace)?;
    let snapshot = workspace.seal()?;
    let workflows: Vec<&str> = snapshot.workflows().map(|w| w.code.as_str()).collect();
    if ui.json() {
        ui.document(&json!({"snapshot": snapshot.hash(), "artifacts": snapshot.artifacts().count(), "workflows": workflows}))?;
    } else {
        ui.line(format!("{GOOD}sealed{GOOD:#} {} artifacts, {} workflows", snapshot.artifacts().count(), workflows.len()))?;
        ui.line(format!("snapshot {}", snapshot.hash()))?;
    }
    Ok(Exit::Done)
}

fn show(ui: &Ui, global: &Global, args: &ShowArgs) -> Result<Exit> {
    let snapshot = Workspace::open(&global.workspace)?.sealed()?;
    let Some(code) = &args.code else {
        let codes: Vec<&str> = snapshot.artifacts().map(Artifact::code).collect();
        if ui.json() {
            let graphs: Vec<_> = snapshot
                .workflows()
                .filter_map(|w| snapshot.dag(&w.code))
                .map(|d| json!({"workflow": d.workflow_code(), "dag_id": d.dag_id(), "behaviour": d.behaviour_hash()}))
                .collect();
            ui.document(&json!({"snapshot": snapshot.hash(), "artifacts": codes, "graphs": graphs}))?;
        } else {
            for code in codes {
                ui.line(code)?;
            }
        }
        return Ok(Exit::Done);
    };
    let artifact = snapshot.artifact(code).ok_or_else(|| EngineError::NoArtifact { code: code.clone() })?;
    ui.line(serde_json::to_string_pretty(artifact)?)?;
    Ok(Exit::Done)
}

fn graph(ui: &Ui, global: &Global, args: &GraphArgs) -> Result<Exit> {
    let snapshot = Workspace::open(&global.workspace)?.sealed()?;
    if args.workflow.starts_with("LC_") {
        let ruled = Ruled::new(&snapshot)?;
        let lifecycle = ruled.protocol.lifecycles().find(|lifecycle| lifecycle.code == args.workflow);
        let lifecycle = lifecycle.ok_or_else(|| EngineError::NoArtifact { code: args.workflow.clone() })?;
        let text = match args.format {
            GraphFormat::Mermaid => authority::diagram(&ruled, lifecycle),
            GraphFormat::Svg => authority::picture(lifecycle),
        };
        return drawn(ui, args, &text);
    }
    let dag = snapshot.dag(&args.workflow).ok_or_else(|| EngineError::NoArtifact { code: args.workflow.clone() })?;
    let text = match args.format {
        GraphFormat::Mermaid => dag.mermaid(),
        GraphFormat::Svg => dag.svg(),
    };
    drawn(ui, args, &text)
}

fn drawn(ui: &Ui, args: &GraphArgs, text: &str) -> Result<Exit> {
    let format = match args.format {
        GraphFormat::Mermaid => "mermaid",
        GraphFormat::Svg => "svg",
    };
    if ui.json() {
        ui.document(&json!({"code": args.workflow, "format": format, "text": text}))?;
    } else {
        ui.raw(text.as_bytes())?;
    }
    Ok(Exit::Done)
}

fn import(ui: &Ui, global: &Global, args: &ImportArgs) -> Result<Exit> {
    let ImportFormat::Pgs = args.format;
    let imported = enact_engine::import::pgs(&args.dir)?;
    let errors = imported.problems.iter().filter(|p| p.level == Level::Error).count();
    let codes: Vec<&String> = imported.artifacts.iter().map(|(code, _)| code).collect();
    if errors == 0 && !args.dry_run {
        let (workspace, _) = Workspace::open_or_create(&global.workspace)?;
        for (code, value) in &imported.artifacts {
            workspace.write_artifact(code, &serde_json::to_vec_pretty(value)?)?;
        }
        workspace.seal()?;
    }
    if ui.json() {
        ui.document(&json!({"imported": codes, "problems": imported.problems, "written": errors == 0 && !args.dry_run}))?;
    } else {
        print_problems(ui, &imported.problems)?;
        let verb = if errors == 0 && !args.dry_run { "imported and sealed" } else { "read" };
        ui.line(format!("{verb} {} artifacts", codes.len()))?;
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Refused })
}
