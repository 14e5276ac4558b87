//! `enact trial-balance`: all accounts by asset, and whether they add up.
use anyhow::Result;
use clap::Args;

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

/// Sum all accounts by asset: BALANCED, or exit code 4.
#[derive(Debug, Args)]
pub(crate) struct TrialBalanceArgs {
    /// As entry SEQ left them.
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &TrialBalanceArgs) -> Result<Exit> {
    let trial = open_read(global)?.trial_balance(args.at)?;
    let exit = if trial.is_balanced() { Exit::Done } else { Exit::Mismatch };
    if ui.json() {
        ui.document(&trial)?;
        return Ok(exit);
    }
    for asset in &trial.assets {
        ui.line(format!("{DIM}{:<36} {:>24} {:>24} {:>24}{DIM:#}", asset.asset, "debits", "credits", "balance"))?;
        for account in &asset.accounts {
            ui.line(format!(
                "  {NAME}{:<34}{NAME:#} {:>24} {:>24} {:>24}",
                account.account, account.debits, account.credits, account.balance
            ))?;
        }
        let (style, mark) = if asset.balanced { (GOOD, "") } else { (BAD, "  differ") };
        ui.line(format!("  {style}{:<34} {:>24} {:>24}{mark}{style:#}", "total", asset.debits, asset.credits))?;
    }
    let style = if trial.is_balanced() { GOOD } else { BAD };
    let at = trial.at.map_or_else(|| "no entry".to_owned(), |at| format!("entry {at}"));
    ui.line(format!("{style}{}{style:#} after {at}", trial.verdict))?;
    Ok(exit)
}
