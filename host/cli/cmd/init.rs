//! `enact init`: a workspace with the built-in packs, sealed and ready.
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use enact_engine::workspace::Workspace;

use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{DIM, GOOD, NAME, Ui};

/// Create a workspace with the built-in packs and components, sealed and ready to run.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where to create it. Without it, the folder that `--workspace` names.
    dir: Option<PathBuf>,
    /// The ledger's name, pinned for ever: an entry of another ledger never verifies in this one.
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &InitArgs) -> Result<Exit> {
    let path = args.dir.as_ref().unwrap_or(&global.workspace);
    let (_, created) = Workspace::create(path, args.origin.as_deref())?;
    if ui.json() {
        ui.document(&created)?;
        return Ok(Exit::Done);
    }
    ui.line(format!("{GOOD}created{GOOD:#} {}", created.path.display()))?;
    ui.line(format!("  origin    {NAME}{}{NAME:#}", created.origin))?;
    ui.line(format!("  packs     {}", created.packs.join(", ")))?;
    ui.line(format!("  modules   {}", created.modules))?;
    ui.line(format!("  protocol  {DIM}{}{DIM:#}", created.snapshot))?;
    Ok(Exit::Done)
}
