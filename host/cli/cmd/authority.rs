//! The part of `enact protocol` that is about authority: lifecycles drawn, rules compared, snapshots adopted, actions questioned.
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use clap::Args;
use enact_core::govern::{Change, Lifecycle};
use enact_core::hash::Digest;
use enact_engine::govern::{Ruled, differences};
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineError, EngineOptions};
use enact_flow::snapshot::Snapshot;
use serde_json::json;

use super::propose::print_appended;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

/// Which snapshots to compare.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The earlier one: a `protocol.lock`, or the hash of a snapshot of this ledger; the one in force without it.
    old: Option<String>,
    /// The later one; the one that this workspace sealed without it.
    new: Option<String>,
}

/// How to adopt.
#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    /// Who proposes or ratifies.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// Ratify this proposal (the hash of its record) instead of proposing.
    #[arg(long, value_name = "HASH")]
    ratify: Option<Digest>,
}

/// The state diagram of a lifecycle in Mermaid, with the rows that allow each edge.
pub(crate) fn diagram(ruled: &Ruled, lifecycle: &Lifecycle) -> String {
    let mut text = String::from("stateDiagram-v2\n");
    for (from, action, to) in lifecycle.edges() {
        let rows = lifecycle.actions.get(action).map_or_else(Vec::new, |action| {
            action.rows().iter().filter_map(|nth| ruled.protocol.rows().get(*nth)).map(|row| row.name.as_str()).collect()
        });
        // Writing into a String cannot fail.
        let _ = writeln!(text, "    {} --> {to}: {action} [{}]", from.unwrap_or("[*]"), rows.join(", "));
    }
    for (state, _) in lifecycle.states.iter().filter(|(_, terminal)| **terminal) {
        let _ = writeln!(text, "    {state} --> [*]");
    }
    text
}

/// The same as an SVG image, without the rows.
pub(crate) fn picture(lifecycle: &Lifecycle) -> String {
    let states = lifecycle.states.iter().map(|(state, terminal)| (state.as_str(), *terminal));
    enact_flow::draw::states_svg(&lifecycle.code, states, lifecycle.edges())
}

/// The five answers about every action (B-37).
pub(crate) fn questions(ui: &Ui, ruled: &Ruled) -> Result<()> {
    let yes = |answer: bool| if answer { "yes" } else { "no" };
    ui.line(format!(
        "{DIM}{:<32} {:<11} {:<9} {:<7} {:<14} {}{DIM:#}",
        "action", "side", "modifies", "access", "deterministic", "replayable"
    ))?;
    for q in ruled.protocol.questions() {
        let side = json!(q.side).as_str().unwrap_or_default().to_owned();
        ui.line(format!(
            "{NAME}{:<32}{NAME:#} {side:<11} {:<9} {:<7} {:<14} {}",
            q.action,
            yes(q.modifies_state),
            yes(q.needs_access_decision),
            yes(q.deterministic),
            yes(q.replayable)
        ))?;
    }
    Ok(())
}

pub(crate) fn diff(ui: &Ui, global: &Global, args: &DiffArgs) -> Result<Exit> {
    let engine = super::open_look(global)?;
    let old = match &args.old {
        Some(name) => named(&engine, name)?,
        None => engine.snapshot_in_force()?,
    };
    let new = match &args.new {
        Some(name) => named(&engine, name)?,
        None => engine.snapshot().clone(),
    };
    let differences = differences(&old, &new)?;
    if ui.json() {
        ui.document(&json!({"old": old.hash(), "new": new.hash(), "differences": differences}))?;
        return Ok(Exit::Done);
    }
    for d in &differences {
        let (style, word) = match d.change {
            Change::Added => (GOOD, "added"),
            Change::Removed => (BAD, "removed"),
            Change::Changed => (WARN, "changed"),
        };
        ui.line(format!("{style}{word:<8}{style:#} {:<9} {NAME}{}{NAME:#} {DIM}{}{DIM:#}", d.what, d.name, d.detail))?;
    }
    if differences.is_empty() {
        // Whatever is left out of the list above: two hashes are two protocols.
        ui.line(if old.hash() == new.hash() { "no difference" } else { "the snapshots differ" })?;
    }
    Ok(Exit::Done)
}

/// A snapshot by file or by hash.
fn named(engine: &Engine, name: &str) -> Result<Snapshot> {
    if name.starts_with("blake3:") {
        return Ok(engine.stored_snapshot(name)?);
    }
    let bytes = std::fs::read(name).map_err(|e| EngineError::file("read", Path::new(name), e))?;
    Ok(Snapshot::from_lock(&bytes).map_err(|p| EngineError::Protocol { problems: vec![p] })?)
}

pub(crate) fn adopt(ui: &Ui, global: &Global, args: &AdoptArgs) -> Result<Exit> {
    let engine = Engine::open(Workspace::open(&global.workspace)?, &EngineOptions::default())?;
    let appended = match args.ratify {
        None => engine.propose_protocol(&args.by)?,
        Some(proposal) => engine.ratify_protocol(&args.by, proposal)?,
    };
    let exit = print_appended(ui, &appended)?;
    if let (None, Some(record)) = (args.ratify, appended.records.first()) {
        ui.note(format!("another actor ratifies it with `enact protocol adopt --ratify {} --as ACTOR`", record.hash));
    }
    Ok(exit)
}
