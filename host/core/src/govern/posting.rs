//! Stage seven: do the movements add up?
//!
//! Legs against their templates or classes, accounts and assets that exist, balance per asset, floors; then the rules of the asset
//! classes (`asset`). Totals are `u128` and nothing is ever rounded or capped: what does not fit is refused.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::code::GovernCode;
use super::declare::AssetClass;
use super::judge::{Case, Fault, Staged};
use super::overlay::Overlay;
use super::row::{AssetRow, BalanceRow, balance_key, joined};
use super::rules::{Account, Asset, Class};
use super::{amount, asset};
use crate::entry::Side;
use crate::state::StateView;
use crate::time::Instant;

/// A leg with its amount read.
pub(super) struct Leg<'a> {
    pub(super) account: &'a str,
    pub(super) asset: &'a str,
    pub(super) side: Side,
    pub(super) amount: u128,
}

/// A leg with what its names stand for.
pub(super) struct Known<'a> {
    pub(super) leg: &'a Leg<'a>,
    pub(super) account: &'a Account,
    pub(super) base: &'a str,
    pub(super) asset: &'a Asset,
    pub(super) lot: Option<Instant>,
}

/// Rows after the record.
#[derive(Default)]
pub(super) struct Balances {
    pub(super) accounts: BTreeMap<String, BalanceRow>,
    pub(super) assets: BTreeMap<String, AssetRow>,
}

pub(super) fn check<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>) -> Staged<Balances, V> {
    if case.action.legs.is_none() && case.action.moves.is_none() {
        return Ok(Balances::default());
    }
    as_prescribed(case)?;
    let known = resolve(case, state)?;
    classes(case, &known)?;
    balanced(&known)?;
    let balances = totals(&known, state)?;
    floors(&known, &balances)?;
    asset::check(case, &known, &balances)?;
    Ok(balances)
}

/// The legs are exactly those of the templates, debit before credit. A template whose amount is zero moves nothing.
fn as_prescribed(case: &Case<'_>) -> Result<(), Fault> {
    let Some(templates) = &case.action.legs else { return Ok(()) };
    let scope = case.scope();
    let mismatch = |detail: String| (GovernCode::PostingMismatch, detail);
    let mut legs = case.legs.iter();
    for (nth, template) in templates.iter().enumerate() {
        let parts = (template.debit.text(scope), template.credit.text(scope), template.asset.text(scope), template.amount.text(scope));
        let (Some(debit), Some(credit), Some(asset), Some(amount)) = parts else {
            return Err(mismatch(format!("an operand of movement {nth} leads nowhere")));
        };
        let Some(amount) = amount::parse(&amount) else {
            return Err(mismatch(format!("movement {nth} has the amount `{amount}`")));
        };
        if amount == 0 {
            continue;
        }
        for (side, account) in [(Side::Debit, &debit), (Side::Credit, &credit)] {
            let same = |leg: &&Leg<'_>| leg.side == side && leg.account == &**account && leg.asset == &*asset && leg.amount == amount;
            if legs.next().filter(same).is_none() {
                let side = if side == Side::Debit { "debits" } else { "credits" };
                return Err(mismatch(format!("movement {nth} {side} `{account}` with {amount} of `{asset}`, the legs do not")));
            }
        }
    }
    match legs.next() {
        Some(leg) => Err(mismatch(format!("the leg of `{}` is not prescribed", leg.account))),
        None => Ok(()),
    }
}

/// Accounts and assets by their names.
fn resolve<'a, V: StateView + ?Sized>(case: &'a Case<'_>, state: &mut Overlay<'_, V>) -> Staged<Vec<Known<'a>>, V> {
    let mut accounts = Vec::with_capacity(case.legs.len());
    for leg in &case.legs {
        let unknown = || (GovernCode::PostingAccount, format!("there is no account `{}`", leg.account));
        let found = case.rules.account(leg.account).ok_or_else(unknown)?;
        if let Some((of, id)) = found.subject {
            let subject = joined(of, ':', id);
            // The subject that this record creates exists with it.
            if subject != case.record.subject && !state.has_subject(&subject)? {
                return Err(unknown().into());
            }
        }
        accounts.push(found.account);
    }
    let allowed = case.action.moves.as_ref().and_then(|moves| moves.assets.as_ref());
    let mut known = Vec::with_capacity(case.legs.len());
    for (leg, account) in case.legs.iter().zip(accounts) {
        let Some((base, asset, lot)) = case.rules.asset(leg.asset) else {
            return Err((GovernCode::PostingAsset, format!("there is no asset or lot `{}`", leg.asset)).into());
        };
        let held = account.assets.as_ref().is_none_or(|assets| assets.contains(base));
        if !held || allowed.is_some_and(|allowed| !allowed.iter().any(|asset| asset == base)) {
            return Err((GovernCode::PostingAsset, format!("`{base}` may not be in `{}` by `{}`", leg.account, case.record.action)).into());
        }
        known.push(Known { leg, account, base, asset, lot });
    }
    Ok(known)
}

/// Free legs touch the classes named for their side only, and from a sink nothing comes back.
fn classes(case: &Case<'_>, known: &[Known<'_>]) -> Result<(), Fault> {
    for Known { leg, account, .. } in known {
        let (side, allowed) = match leg.side {
            Side::Debit => ("debited", case.action.moves.as_ref().map(|moves| &moves.debit)),
            Side::Credit => ("credited", case.action.moves.as_ref().map(|moves| &moves.credit)),
        };
        let from_sink = leg.side == Side::Debit && account.class == Class::Sink;
        if from_sink || allowed.is_some_and(|allowed| !allowed.contains(&account.class)) {
            let detail = format!("`{}` is of class `{}`, which may not be {side} here", leg.account, account.class.as_str());
            return Err((GovernCode::PostingClass, detail));
        }
    }
    Ok(())
}

/// Debits equal credits, asset by asset and lot by lot.
fn balanced(known: &[Known<'_>]) -> Result<(), Fault> {
    let mut sums: BTreeMap<&str, (Option<u128>, Option<u128>)> = BTreeMap::new();
    for Known { leg, .. } in known {
        let (debits, credits) = sums.entry(leg.asset).or_insert((Some(0), Some(0)));
        let sum = match leg.side {
            Side::Debit => debits,
            Side::Credit => credits,
        };
        *sum = sum.and_then(|sum| sum.checked_add(leg.amount));
    }
    // A sum that overflows is neither equal nor different: first everything that can be told is compared.
    for (asset, sums) in &sums {
        if let (Some(debits), Some(credits)) = sums
            && debits != credits
        {
            return Err((GovernCode::PostingUnbalanced, format!("debits {debits} and credits {credits} of `{asset}`")));
        }
    }
    match sums.iter().find(|(_, (debits, credits))| debits.is_none() || credits.is_none()) {
        Some((asset, _)) => Err((GovernCode::PostingOverflow, format!("the legs of `{asset}` exceed 2^128 - 1"))),
        None => Ok(()),
    }
}

/// The totals after the record.
fn totals<V: StateView + ?Sized>(known: &[Known<'_>], state: &mut Overlay<'_, V>) -> Staged<Balances, V> {
    let mut balances = Balances::default();
    for Known { leg, account, asset, .. } in known {
        let overflow = || (GovernCode::PostingOverflow, format!("a total of `{}` in `{}` exceeds 2^128 - 1", leg.account, leg.asset));
        let add = |total: u128| total.checked_add(leg.amount).ok_or_else(overflow);
        let key = balance_key(leg.account, leg.asset);
        let mut row = match balances.accounts.get(&key) {
            Some(row) => *row,
            None => state.balance(&key)?.map(|row| *row).unwrap_or_default(),
        };
        match leg.side {
            Side::Debit => row.debits = add(row.debits)?,
            Side::Credit => row.credits = add(row.credits)?,
        }
        balances.accounts.insert(key, row);
        let mut row = match balances.assets.get(leg.asset) {
            Some(row) => *row,
            None => state.asset(leg.asset)?.map(|row| *row).unwrap_or_default(),
        };
        match (&account.class, leg.side) {
            (Class::Source, Side::Debit) => row.issued = add(row.issued)?,
            (Class::Source | Class::Sink, Side::Credit) => row.retired = add(row.retired)?,
            // Passing on changes no total, but what of a depreciating lot is left matters then as well.
            _ if asset.class == AssetClass::Depreciating => {}
            (Class::Sink | Class::Holder | Class::Escrow | Class::Other(_), _) => continue,
        }
        balances.assets.insert(leg.asset.into(), row);
    }
    Ok(balances)
}

/// No account ends below its floor.
fn floors(known: &[Known<'_>], balances: &Balances) -> Result<(), Fault> {
    for Known { leg, account, .. } in known {
        let (Some(below_zero), Some(row)) = (account.below_zero, balances.accounts.get(&balance_key(leg.account, leg.asset))) else {
            continue;
        };
        let below = row.debits.saturating_sub(row.credits);
        if below > below_zero {
            let balance = amount::balance(row.credits, row.debits);
            let detail =
                format!("`{}` would hold {balance} of `{}`, its floor is {}", leg.account, leg.asset, amount::balance(0, below_zero));
            return Err((GovernCode::PostingFloor, detail));
        }
    }
    Ok(())
}
