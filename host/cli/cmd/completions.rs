//! `enact completions`: a shell completion script.
use anyhow::Result;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::Exit;
use crate::ui::Ui;

/// Print a completion script for a shell, e.g. `enact completions bash > ~/.local/share/bash-completion/completions/enact`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(ui: &Ui, args: &CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "enact", &mut script);
    ui.raw(&script)?;
    Ok(Exit::Done)
}
