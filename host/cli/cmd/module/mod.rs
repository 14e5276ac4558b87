//! `enact module`: what a component is, whether it may be bound, and what it may ask.
mod admit;
mod call;
mod inspect;
mod list;

use anyhow::Result;
use clap::Subcommand;

use crate::args::Global;
use crate::exit::Exit;
use crate::ui::Ui;

/// Work with capability modules.
#[derive(Debug, Subcommand)]
pub(crate) enum ModuleCommand {
    /// Inspect a component without compiling it. Exit code 3 when it would not be admitted.
    Inspect(inspect::InspectArgs),
    /// Examine a component and propose it: bounds, purity, compilation, its own vectors on two engines.
    Add(admit::AddArgs),
    /// Examine a proposed version again and ratify it: from then on bindings may name it.
    Ratify(admit::RatifyArgs),
    /// Retire a file: no binding may name it any more. What it did stays replayable.
    Retire(admit::RetireArgs),
    /// List modules: name, version, where it stands, who binds it.
    List,
    /// Show a module: what its examination found, its versions, its bindings.
    Show(list::ShowArgs),
    /// Try a component with its vectors, without proposing it. Exit code 3 when a promise is not kept.
    Test(call::TestArgs),
    /// Call a component once by hand; nothing is recorded.
    Call(call::CallArgs),
}

pub(crate) fn run(ui: &Ui, global: &Global, command: &ModuleCommand) -> Result<Exit> {
    match command {
        ModuleCommand::Inspect(args) => inspect::run(ui, args),
        ModuleCommand::Add(args) => admit::add(ui, global, args),
        ModuleCommand::Ratify(args) => admit::ratify(ui, global, args),
        ModuleCommand::Retire(args) => admit::retire(ui, global, args),
        ModuleCommand::List => list::run(ui, global),
        ModuleCommand::Show(args) => list::show(ui, global, args),
        ModuleCommand::Test(args) => call::test(ui, global, args),
        ModuleCommand::Call(args) => call::run(ui, global, args),
    }
}
