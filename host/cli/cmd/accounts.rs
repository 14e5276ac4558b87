//! `enact accounts` and `enact balance`: what is where, and a proof of it.
use anyhow::Result;
use clap::Args;
use enact_engine::govern::AccountReport;
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineOptions};

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{DIM, NAME, Ui};

/// List the balances of all accounts.
#[derive(Debug, Args)]
pub(crate) struct AccountsArgs {
    /// Only accounts whose names begin so, e.g. `escrow:`.
    #[arg(default_value = "")]
    prefix: String,
}

/// Show the balances of one account, or prove one of them.
#[derive(Debug, Args)]
pub(crate) struct BalanceArgs {
    /// The account.
    account: String,
    /// The asset or lot; all without it.
    #[arg(long, value_name = "ASSET", required_if_eq("prove", "true"))]
    asset: Option<String>,
    /// State the roots of the present state in the ledger, and print the proof that this balance is among them. With `--json` it is
    /// a document that `enact verify --proof FILE --key KEY` checks anywhere.
    #[arg(long)]
    prove: bool,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &AccountsArgs) -> Result<Exit> {
    print(ui, &open_read(global)?.accounts(&args.prefix)?)
}

pub(crate) fn balance(ui: &Ui, global: &Global, args: &BalanceArgs) -> Result<Exit> {
    if let (true, Some(asset)) = (args.prove, &args.asset) {
        let engine = Engine::open(Workspace::open(&global.workspace)?, &EngineOptions::default())?;
        let proof = engine.prove_balance(&args.account, asset)?;
        if ui.json() {
            ui.document(&proof)?;
            return Ok(Exit::Done);
        }
        ui.line(format!("{NAME}{}{NAME:#} {} {}", proof.balance.account, proof.balance.balance, proof.balance.asset))?;
        ui.line(format!("row      {}", proof.row))?;
        ui.line(format!("place    {} of {}", proof.index, proof.rows))?;
        for hash in &proof.path {
            ui.line(format!("path     {hash}"))?;
        }
        ui.line(format!("root     {}", proof.root))?;
        ui.line(format!("stated   entry {} (with `--json`: a file for `enact verify --proof`)", proof.snapshot))?;
        return Ok(Exit::Done);
    }
    let mut report = open_read(global)?.balance(&args.account)?;
    if let Some(asset) = &args.asset {
        report.balances.retain(|balance| balance.asset == *asset);
    }
    if ui.json() {
        ui.document(&report)?;
        return Ok(Exit::Done);
    }
    print(ui, &report.balances)
}

fn print(ui: &Ui, balances: &[AccountReport]) -> Result<Exit> {
    if ui.json() {
        ui.document(&balances)?;
        return Ok(Exit::Done);
    }
    for balance in balances {
        ui.line(format!(
            "{NAME}{:<32}{NAME:#} {:>24} {:<16} {DIM}entry {}{DIM:#}",
            balance.account, balance.balance, balance.asset, balance.seq
        ))?;
    }
    if balances.is_empty() {
        ui.note("nothing was posted yet");
    }
    Ok(Exit::Done)
}
