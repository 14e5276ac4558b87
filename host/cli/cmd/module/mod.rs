//! `enact module`: what a component is, whether it may be bound, and what it may ask.
mod admit;
mod call;
mod compare;
mod exchange;
mod grant;
mod inspect;
mod intents;
mod list;
mod new;
mod registry;

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
    /// Write a project of a transform and a side effect in one of five languages.
    New(new::NewArgs),
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
    /// Bind a capability to a module and grant it interfaces, stores and limits; seals the protocol.
    Grant(grant::GrantArgs),
    /// Take interfaces back, or refuse a capability altogether; seals the protocol.
    Revoke(grant::RevokeArgs),
    /// Show what differs between two modules: imports, exports, size, limits, answers to their vectors.
    Diff(compare::DiffArgs),
    /// Show what modules used in the last runs: calls, fuel, time, host calls, refusals, traps.
    Stats(compare::StatsArgs),
    /// List what modules sent to peers or wrote to files, or may have, and that is in no committed run; or say what is to become of it.
    Intents(intents::IntentsArgs),
    /// Sign a component with an actor's key: a detached DSSE envelope over its digests.
    Sign(exchange::SignArgs),
    /// Verify such a signature. Exit code 3 when it does not vouch for the file.
    Verify(exchange::VerifyArgs),
    /// Export a module with its manifest, vectors and signature as one file.
    Export(exchange::ExportArgs),
    /// Import such a file: everything that `add` does, and the signature.
    Import(exchange::ImportArgs),
    /// Push a module to a registry, in the layout of the WebAssembly ecosystem. Says what pins it.
    Push(registry::PushArgs),
    /// Pull a module from a registry into a folder. Nothing is admitted: `add` does that.
    Pull(registry::PullArgs),
}

pub(crate) fn run(ui: &Ui, global: &Global, command: &ModuleCommand) -> Result<Exit> {
    match command {
        ModuleCommand::Inspect(args) => inspect::run(ui, args),
        ModuleCommand::New(args) => new::run(ui, args),
        ModuleCommand::Add(args) => admit::add(ui, global, args),
        ModuleCommand::Ratify(args) => admit::ratify(ui, global, args),
        ModuleCommand::Retire(args) => admit::retire(ui, global, args),
        ModuleCommand::List => list::run(ui, global),
        ModuleCommand::Show(args) => list::show(ui, global, args),
        ModuleCommand::Test(args) => call::test(ui, global, args),
        ModuleCommand::Call(args) => call::run(ui, global, args),
        ModuleCommand::Grant(args) => grant::grant(ui, global, args),
        ModuleCommand::Revoke(args) => grant::revoke(ui, global, args),
        ModuleCommand::Diff(args) => compare::diff(ui, global, args),
        ModuleCommand::Stats(args) => compare::stats(ui, global, args),
        ModuleCommand::Intents(args) => intents::run(ui, global, args),
        ModuleCommand::Sign(args) => exchange::sign(ui, global, args),
        ModuleCommand::Verify(args) => exchange::verify(ui, global, args),
        ModuleCommand::Export(args) => exchange::export(ui, global, args),
        ModuleCommand::Import(args) => exchange::import(ui, global, args),
        ModuleCommand::Push(args) => registry::push(ui, global, args),
        ModuleCommand::Pull(args) => registry::pull(ui, args),
    }
}
