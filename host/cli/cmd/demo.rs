//! `enact demo`: a pack's story on the real engine.
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use enact_engine::EngineError;
use enact_engine::govern::{Story, Told};
use enact_engine::workspace::Workspace;

use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

/// Tell the story of a pack: every step is proposed to a real ledger, in a new workspace that can be looked at afterwards.
///
/// Steps that are told as refused show the code of the refusal. Exit code 4 when a step went otherwise than told.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The pack; all packs that have a story are listed without it.
    pack: Option<String>,
    /// Folder of the new workspace; `.enact-demo-PACK` without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(ui: &Ui, _global: &Global, args: &DemoArgs) -> Result<Exit> {
    let Some(pack) = &args.pack else {
        let packs = Story::packs();
        if ui.json() {
            ui.document(&packs)?;
        } else {
            packs.iter().try_for_each(|pack| ui.line(pack))?;
        }
        return Ok(Exit::Done);
    };
    let story = Story::of(pack)?.ok_or_else(|| EngineError::NoStory { pack: pack.clone(), packs: Story::packs().join(", ") })?;
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(format!(".enact-demo-{pack}")));
    let (workspace, _) = Workspace::create(&dir, Some(&format!("enact.local/demo/{pack}")))?;
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
    let (style, word) = match (told.expected == told.got, told.got == "appended") {
        (true, true) => (GOOD, "appended"),
        (true, false) => (WARN, "refused"),
        (false, _) => (BAD, "UNEXPECTED"),
    };
    ui.line(format!("{:>3}  {style}{word:<10}{style:#} {:<18} {NAME}{}{NAME:#}", told.step, told.actor, told.what))?;
    if !told.why.is_empty() {
        ui.line(format!("                {DIM}{}{DIM:#}", told.why))?;
    }
    if let Some(detail) = &told.detail {
        ui.line(format!("                {DIM}[{}] {detail}{DIM:#}", told.got))?;
    }
    if told.expected != told.got {
        ui.line(format!("                expected {}, got {}", told.expected, told.got))?;
    }
    Ok(())
}
