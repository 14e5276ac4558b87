//! `enact demo`: a pack's story on the real engine.
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use enact_engine::EngineError;
use enact_engine::govern::{Story, StoryOutcome, Told};
use enact_engine::workspace::Workspace;

use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

/// Tell a story of a pack: every step is done on a real ledger, in a new workspace that can be looked at afterwards.
///
/// Steps that are told as refused show the code of the refusal. Exit code 4 when a step went otherwise than told.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The story: of that name, or the one of the pack of that name. All stories are listed without it.
    story: Option<String>,
    /// Folder of the new workspace; `.enact-demo-STORY` without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(ui: &Ui, _global: &Global, args: &DemoArgs) -> Result<Exit> {
    let stories = Story::all()?;
    let Some(name) = &args.story else {
        if ui.json() {
            ui.document(&stories.iter().map(|(name, _)| name).collect::<Vec<_>>())?;
        } else {
            stories.iter().try_for_each(|(name, summary)| ui.line(format!("{NAME}{name:<12}{NAME:#} {DIM}{summary}{DIM:#}")))?;
        }
        return Ok(Exit::Done);
    };
    let listed = || stories.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let story = Story::of(name)?.ok_or_else(|| EngineError::NoStory { story: name.clone(), stories: listed() })?;
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(format!(".enact-demo-{name}")));
    let (workspace, _) = Workspace::create(&dir, Some(&format!("enact.local/demo/{name}")))?;
    if !ui.json() {
        ui.line(format!("{DIM}{}{DIM:#}", story.summary))?;
    }
    let mut printed = Ok(());
    let report = story.tell(workspace, |told| {
        if !ui.json() && printed.is_ok() {
            printed = print(ui, told);
        }
    })?;
    printed?;
    if ui.json() {
        ui.document(&report)?;
    } else if report.unexpected == 0 {
        ui.line(format!("{GOOD}told{GOOD:#} {} steps, each as expected", report.steps.len()))?;
        ui.note(format!(
            "look around with `enact -w {} state --prefix ''`, `accounts`, `history`, `refusals`, `verify --rebuild`",
            report.workspace
        ));
    } else {
        ui.line(format!("{BAD}otherwise than told{BAD:#}: {} of {} steps", report.unexpected, report.steps.len()))?;
    }
    Ok(if report.unexpected == 0 { Exit::Done } else { Exit::Mismatch })
}

fn print(ui: &Ui, told: &Told) -> Result<()> {
    if let Some(chapter) = &told.chapter {
        ui.line(format!("\n{NAME}{chapter}{NAME:#}"))?;
    }
    let (style, word) = match (told.expected == told.got, told.outcome) {
        (true, StoryOutcome::Done) => (GOOD, if told.got == "appended" { "appended" } else { "done" }),
        (true, StoryOutcome::Refused) => (WARN, "refused"),
        (true, StoryOutcome::Shown) => (DIM, "seen"),
        (false, _) => (BAD, "UNEXPECTED"),
    };
    ui.line(format!("{:>3}  {style}{word:<10}{style:#} {:<18} {NAME}{}{NAME:#}", told.step, told.actor, told.what))?;
    if !told.why.is_empty() {
        ui.line(format!("                {DIM}{}{DIM:#}", told.why))?;
    }
    match &told.detail {
        Some(detail) => ui.line(format!("                {DIM}[{}] {detail}{DIM:#}", told.got))?,
        None if told.got != "appended" => ui.line(format!("                {style}{}{style:#}", told.got))?,
        None => {}
    }
    if told.expected != told.got {
        ui.line(format!("                expected {}, got {}", told.expected, told.got))?;
    }
    Ok(())
}
