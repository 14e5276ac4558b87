//! `enact`: the command line. It parses, calls the engine, prints, and holds no logic of its own.
mod args;
mod cmd;
mod exit;
mod templates;
mod ui;

use std::process::ExitCode;

use enact_engine::admission;

use crate::args::{Cli, Command};
use crate::ui::Ui;

/// Runs are executed by one thread and let go by another, in texts of a few KiB: an eighth less CPU per run than with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The process that examines a stranger's module: started by this program only, with a question on its standard input.
fn examine() -> ExitCode {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    if admission::serve(&mut input, &mut output).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|arg| arg == admission::COMMAND) {
        return examine();
    }
    if let Ok(program) = std::env::current_exe() {
        admission::isolate(program);
    }
    let cli = Cli::read();
    let ui = Ui::new(&cli.global);
    let result = match &cli.command {
        Command::Init(args) => cmd::init::run(&ui, &cli.global, args),
        Command::Run(args) => cmd::run::run(&ui, &cli.global, args),
        Command::Runs(args) => cmd::runs::run(&ui, &cli.global, args),
        Command::Show(args) => cmd::show::run(&ui, &cli.global, args),
        Command::Trace(args) => cmd::trace::run(&ui, &cli.global, args),
        Command::Audit(args) => cmd::audit::run(&ui, &cli.global, args),
        Command::Verify(args) => cmd::verify::run(&ui, &cli.global, args),
        Command::Actor(command) => cmd::actor::run(&ui, &cli.global, command),
        Command::Propose(args) => cmd::propose::run(&ui, &cli.global, args),
        Command::Explain(args) => cmd::propose::explain(&ui, &cli.global, args),
        Command::State(args) => cmd::state::run(&ui, &cli.global, args),
        Command::History(args) => cmd::state::history(&ui, &cli.global, args),
        Command::Refusals(args) => cmd::state::refusals(&ui, &cli.global, args),
        Command::Accounts(args) => cmd::accounts::run(&ui, &cli.global, args),
        Command::Balance(args) => cmd::accounts::balance(&ui, &cli.global, args),
        Command::TrialBalance(args) => cmd::trial_balance::run(&ui, &cli.global, args),
        Command::View(args) => cmd::view::run(&ui, &cli.global, args),
        Command::Queue(command) => cmd::queue::run(&ui, &cli.global, command),
        Command::Work(args) => cmd::work::run(&ui, &cli.global, args),
        Command::Settle(args) => cmd::settle::run(&ui, &cli.global, args),
        Command::Fulfill(args) => cmd::fulfill::run(&ui, &cli.global, args),
        Command::Summary(args) => cmd::summary::run(&ui, &cli.global, args),
        Command::Receipts(args) => cmd::receipts::run(&ui, &cli.global, args),
        Command::Decide(args) => cmd::decide::run(&ui, &cli.global, args),
        Command::Decision(command) => cmd::decide::decision(&ui, &cli.global, command),
        Command::Listen(args) => cmd::listen::run(&ui, &cli.global, args),
        Command::Outbox(command) => cmd::outbox::run(&ui, &cli.global, command),
        Command::Demo(args) => cmd::demo::run(&ui, &cli.global, args),
        Command::Backup(args) => cmd::backup::run(&ui, &cli.global, args),
        Command::Ledger(command) => cmd::ledger::run(&ui, &cli.global, command),
        Command::Protocol(command) => cmd::protocol::run(&ui, &cli.global, command),
        Command::Module(command) => cmd::module::run(&ui, &cli.global, command),
        Command::Bench(command) => cmd::bench::run(&ui, &cli.global, command),
        Command::Completions(args) => cmd::completions::run(&ui, args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => exit::report(&ui, &error),
    }
}
