//! `enact state`, `enact history`, `enact refusals`: where subjects stand and how they came there.
use anyhow::Result;
use clap::Args;
use enact_engine::govern::SubjectReport;

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, NAME, Ui, plain};

/// Show where a subject stands, or list subjects.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The subject, `Type:Id`.
    #[arg(required_unless_present = "prefix")]
    subject: Option<String>,
    /// As entry SEQ left it.
    #[arg(long, value_name = "SEQ", requires = "subject")]
    at: Option<u64>,
    /// List subjects whose names begin so, e.g. `Settlement:`.
    #[arg(long, value_name = "PREFIX", conflicts_with = "subject")]
    prefix: Option<String>,
    /// How many to list.
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: u64,
}

/// Show all records about a subject, oldest first.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The subject, `Type:Id`.
    subject: String,
}

/// List refused proposals, oldest first.
#[derive(Debug, Args)]
pub(crate) struct RefusalsArgs {
    /// Continue after this number.
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: u64,
    /// How many to list.
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: u64,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &StateArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    let Some(subject) = &args.subject else {
        let subjects = engine.subjects(args.prefix.as_deref().unwrap_or_default(), args.limit)?;
        if ui.json() {
            ui.document(&subjects)?;
            return Ok(Exit::Done);
        }
        for subject in &subjects {
            ui.line(format!("{:>8}  {NAME}{:<40}{NAME:#} {}", subject.row.seq, plain(&subject.subject), stands(subject)))?;
        }
        return Ok(Exit::Done);
    };
    let report = engine.subject_state(subject, args.at)?;
    if ui.json() {
        ui.document(&report)?;
        return Ok(Exit::Done);
    }
    ui.line(format!("{NAME}{}{NAME:#} {}", plain(&report.subject), stands(&report)))?;
    for (name, value) in &report.row.kept {
        ui.line(format!("  {:<18} {}", plain(name), plain(&value.to_string())))?;
    }
    for (action, actor) in &report.row.actors {
        ui.line(format!("  {DIM}{:<28} {}{DIM:#}", plain(action), plain(actor)))?;
    }
    for open in &report.row.open {
        ui.line(format!("  open proposal {} of {} {DIM}{}{DIM:#}", open.version, plain(&open.actor), open.record))?;
    }
    ui.line(format!("  last record        {} {DIM}(entry {}){DIM:#}", report.row.last, report.row.seq))?;
    Ok(Exit::Done)
}

/// The one thing that matters of a subject, whatever its kind.
fn stands(subject: &SubjectReport) -> String {
    let row = &subject.row;
    match (&row.state, &row.decision, row.active) {
        (Some(state), _, _) => plain(state),
        (None, Some(decision), _) => plain(decision),
        (None, None, Some(active)) => format!("version {}", active.version),
        (None, None, None) if row.open.is_empty() => "recorded".to_owned(),
        (None, None, None) => "proposed".to_owned(),
    }
}

pub(crate) fn history(ui: &Ui, global: &Global, args: &HistoryArgs) -> Result<Exit> {
    let rows = open_read(global)?.history(&args.subject)?;
    if ui.json() {
        ui.document(&rows)?;
        return Ok(Exit::Done);
    }
    for row in &rows {
        let [state, action, actor, decided] = [row.state.as_deref().unwrap_or_default(), &row.action, &row.actor, &row.decided].map(plain);
        ui.line(format!(
            "{:>8}  {DIM}{}{DIM:#}  {NAME}{action:<28}{NAME:#} {actor:<20} {state:<16} {DIM}{decided}{DIM:#}",
            row.seq, row.at
        ))?;
    }
    Ok(Exit::Done)
}

pub(crate) fn refusals(ui: &Ui, global: &Global, args: &RefusalsArgs) -> Result<Exit> {
    let rows = open_read(global)?.refusals(args.after, args.limit)?;
    if ui.json() {
        ui.document(&rows)?;
        return Ok(Exit::Done);
    }
    for row in &rows {
        let text = |text: &Option<String>| plain(text.as_deref().unwrap_or_default());
        ui.line(format!(
            "{:>6}  {DIM}{}{DIM:#}  {BAD}{:<22}{BAD:#} {:<20} {NAME}{}{NAME:#} {} {DIM}{}{DIM:#}",
            row.id,
            row.at,
            row.code,
            text(&row.actor),
            text(&row.action),
            text(&row.subject),
            text(&row.row)
        ))?;
    }
    Ok(Exit::Done)
}
