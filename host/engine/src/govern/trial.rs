//! The trial balance: every account's totals by asset, and whether debits and credits are equal, at present or as an entry left them.
//!
//! It reads the derived rows as they are stored and sums them itself, so it does not rely on what was checked when they were written.
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use enact_core::govern::row::BalanceRow;
use enact_core::state::Space;
use serde::Serialize;

use super::proposal::row;
use super::query::{AccountReport, PAGE, account};
use crate::engine::Engine;
use crate::error::Result;

/// All accounts; the stable shape of `enact trial-balance --json`.
#[derive(Debug, Clone, Serialize)]
pub struct TrialBalance {
    /// The last entry that counts; none in a ledger without entries.
    pub at: Option<u64>,
    /// `BALANCED`, or `UNBALANCED` as soon as one asset is not.
    pub verdict: &'static str,
    /// The assets, lots each for itself, in the order of their names.
    pub assets: Vec<TrialAsset>,
}

/// One asset of a trial balance.
#[derive(Debug, Clone, Serialize)]
pub struct TrialAsset {
    /// The asset or lot.
    pub asset: String,
    /// Whether debits and credits are equal.
    pub balanced: bool,
    /// All debits, minor units as decimal text.
    pub debits: String,
    /// All credits.
    pub credits: String,
    /// The accounts in which it ever was, in the order of their names.
    pub accounts: Vec<AccountReport>,
}

/// A sum of totals. One account's are at most 2^128 - 1, those of all accounts together may be more.
#[derive(Default, PartialEq, Eq)]
struct Total {
    /// How often the low part was full.
    high: u128,
    /// Below [`Total::FULL`].
    low: u128,
}

impl Total {
    /// A power of ten, so that both parts print one after the other; twice it is below 2^128.
    const FULL: u128 = 10_u128.pow(38);

    fn add(&mut self, amount: u128) {
        let low = self.low + amount % Self::FULL;
        self.high += amount / Self::FULL + low / Self::FULL;
        self.low = low % Self::FULL;
    }
}

impl Display for Total {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.high == 0 { self.low.fmt(f) } else { write!(f, "{}{:038}", self.high, self.low) }
    }
}

#[derive(Default)]
struct Sum {
    debits: Total,
    credits: Total,
    accounts: Vec<AccountReport>,
}

impl TrialBalance {
    /// Whether every asset is balanced.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.assets.iter().all(|asset| asset.balanced)
    }
}

impl Engine {
    /// Sums all accounts, now or as entry `at` left them.
    ///
    /// # Errors
    /// [`crate::EngineError::NoEntry`] beyond the head, [`crate::EngineError::Altered`] when a stored total cannot be one.
    pub fn trial_balance(&self, at: Option<u64>) -> Result<TrialBalance> {
        let mut reader = self.store().reader()?;
        // One moment for all pages: a page of another moment would not add up.
        reader.begin()?;
        Self::has_entry(&mut reader, at)?;
        let last = match at {
            Some(at) => Some(at),
            None => reader.head()?.size.checked_sub(1),
        };
        let (mut sums, mut after) = (BTreeMap::<String, Sum>::new(), None::<String>);
        loop {
            let page = reader.state_rows_at(Space::Balance, "", after.as_deref(), PAGE, last)?;
            let Some(end) = page.last() else { break };
            after = Some(end.key.clone());
            for stored in page {
                let report = account(&stored.key, stored.seq, &stored.value)?;
                let totals: BalanceRow = row(&stored.value, "balance", &stored.key)?;
                let sum = sums.entry(report.asset.clone()).or_default();
                sum.debits.add(totals.debits);
                sum.credits.add(totals.credits);
                sum.accounts.push(report);
            }
        }
        reader.end()?;
        let assets: Vec<TrialAsset> = sums
            .into_iter()
            .map(|(asset, sum)| TrialAsset {
                asset,
                balanced: sum.debits == sum.credits,
                debits: sum.debits.to_string(),
                credits: sum.credits.to_string(),
                accounts: sum.accounts,
            })
            .collect();
        let verdict = if assets.iter().all(|asset| asset.balanced) { "BALANCED" } else { "UNBALANCED" };
        Ok(TrialBalance { at: last, verdict, assets })
    }
}
