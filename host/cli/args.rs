//! The command line: what can be said. One command is one file under `cmd`; its doc comment is its help text.
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use enact_wasm::limits::CONCURRENT_CALLS_MAX;

use crate::cmd;

/// Run third-party code under governance: sandboxed capabilities, a deterministic ledger, replay by anyone.
#[derive(Debug, Parser)]
#[command(name = "enact", version, max_term_width = 110, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// What was said. An empty variable of the environment says nothing.
    pub(crate) fn read() -> Self {
        let mut command = Self::command();
        if std::env::var_os("ENACT_WORKSPACE").is_some_and(|value| value.is_empty()) {
            command = command.mut_arg("workspace", |arg| arg.env(Resettable::Reset));
        }
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// Options that every command understands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The workspace to work on.
    #[arg(long, short = 'w', global = true, value_name = "DIR", env = "ENACT_WORKSPACE", default_value = ".enact")]
    pub(crate) workspace: PathBuf,
    /// Print one JSON document on standard output instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    pub(crate) color: ColorWhen,
    /// No progress bars and no notes on standard error.
    #[arg(long, short = 'q', global = true)]
    pub(crate) quiet: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which engine executes components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// Compiled to machine code.
    Native,
    /// The Pulley interpreter: architecture-independent, slower, the same outputs and the same fuel.
    Pulley,
    /// Both, one after the other.
    Both,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(cmd::init::InitArgs),
    Run(cmd::run::RunArgs),
    Runs(cmd::runs::RunsArgs),
    Show(cmd::show::ShowArgs),
    Trace(cmd::trace::TraceArgs),
    Audit(cmd::audit::AuditArgs),
    Verify(cmd::verify::VerifyArgs),
    #[command(subcommand)]
    Actor(cmd::actor::ActorCommand),
    Propose(cmd::propose::ProposeArgs),
    Explain(cmd::propose::ExplainArgs),
    State(cmd::state::StateArgs),
    History(cmd::state::HistoryArgs),
    Refusals(cmd::state::RefusalsArgs),
    Accounts(cmd::accounts::AccountsArgs),
    Balance(cmd::accounts::BalanceArgs),
    TrialBalance(cmd::trial_balance::TrialBalanceArgs),
    View(cmd::view::ViewArgs),
    #[command(subcommand)]
    Queue(cmd::queue::QueueCommand),
    Work(cmd::work::WorkArgs),
    Settle(cmd::settle::SettleArgs),
    Fulfill(cmd::fulfill::FulfillArgs),
    Summary(cmd::summary::SummaryArgs),
    Receipts(cmd::receipts::ReceiptsArgs),
    Decide(cmd::decide::DecideArgs),
    #[command(subcommand)]
    Decision(cmd::decide::DecisionCommand),
    Listen(cmd::listen::ListenArgs),
    #[command(subcommand)]
    Outbox(cmd::outbox::OutboxCommand),
    Demo(cmd::demo::DemoArgs),
    Backup(cmd::backup::BackupArgs),
    #[command(subcommand)]
    Ledger(cmd::ledger::LedgerCommand),
    #[command(subcommand)]
    Protocol(cmd::protocol::ProtocolCommand),
    #[command(subcommand)]
    Module(cmd::module::ModuleCommand),
    #[command(subcommand)]
    Bench(cmd::bench::BenchCommand),
    Completions(cmd::completions::CompletionsArgs),
}

/// Threads of one process that call modules: one slot of the sandbox each, and one for who commits.
pub(crate) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let max = CONCURRENT_CALLS_MAX - 1;
    let threads = text.parse().ok().filter(|threads: &NonZeroUsize| u32::try_from(threads.get()).is_ok_and(|threads| threads <= max));
    threads.ok_or_else(|| format!("a number from 1 to {max}"))
}
