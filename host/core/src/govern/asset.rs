//! The rules of the asset classes, beside balance and floors.
//!
//! Each class has one rule over the legs of one record and the totals after it. What a unit is worth is nobody's business here.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::code::GovernCode;
use super::declare::AssetClass;
use super::judge::{Case, Fault};
use super::posting::{Balances, Known};
use super::rules::{Asset, Class};
use crate::entry::Side;
use crate::time::Instant;

/// Microseconds of a day.
const DAY: u64 = 86_400_000_000;

/// The rules in the order of their codes.
pub(super) fn check(case: &Case<'_>, known: &[Known<'_>], balances: &Balances) -> Result<(), Fault> {
    expired(case, known)?;
    undepreciated(case, known, balances)?;
    ratio(case, known)?;
    transferable(known)
}

/// From its instant on a lot can only be credited to a sink.
fn expired(case: &Case<'_>, known: &[Known<'_>]) -> Result<(), Fault> {
    for Known { leg, account, asset, lot, .. } in known {
        let over = lot.as_ref().is_some_and(|lot| lot.as_str() <= case.entry.at);
        if asset.class == AssetClass::Consumable && over && leg.side == Side::Credit && account.class != Class::Sink {
            return Err((GovernCode::AssetExpired, format!("`{}` has expired and is credited to `{}`", leg.asset, leg.account)));
        }
    }
    Ok(())
}

/// Outside of sinks and sources never more of a lot than issued × remaining life, rounded up.
fn undepreciated(case: &Case<'_>, known: &[Known<'_>], balances: &Balances) -> Result<(), Fault> {
    for Known { leg, asset, lot, .. } in known {
        let (AssetClass::Depreciating, Some(lot)) = (asset.class, lot) else { continue };
        let mut credits = known.iter().filter(|other| other.leg.asset == leg.asset && other.leg.side == Side::Credit);
        if credits.all(|other| other.account.class == Class::Sink) {
            continue;
        }
        let Some(row) = balances.assets.get(leg.asset) else { continue };
        let at = Instant::parse_stored(case.entry.at).map_or(0, |at| at.micros());
        let life = u64::from(asset.life_days).saturating_mul(DAY);
        let remaining = life.saturating_sub(at.saturating_sub(lot.micros()));
        let allowed = share(row.issued, remaining, life);
        let left = row.issued.saturating_sub(row.retired);
        if left > allowed {
            let detail = format!("{left} of `{}` would be left, its remaining life allows {allowed} of {}", leg.asset, row.issued);
            return Err((GovernCode::AssetUndepreciated, detail));
        }
    }
    Ok(())
}

/// `⌈units × part ÷ whole⌉` without overflow, for `part ≤ whole`.
fn share(units: u128, part: u64, whole: u64) -> u128 {
    let (part, whole) = (u128::from(part), u128::from(whole.max(1)));
    let (quotient, rest) = (units.checked_div(whole).unwrap_or_default(), units.checked_rem(whole).unwrap_or_default());
    // The rest is below 2^64, so its product with a part is exact.
    quotient.saturating_mul(part).saturating_add(rest.saturating_mul(part).div_ceil(whole))
}

/// What is issued of an asset that others become was given up for it, in exactly the ratio of one of them or of several.
fn ratio(case: &Case<'_>, known: &[Known<'_>]) -> Result<(), Fault> {
    let sum = |side: Side, class: &Class| {
        let mut sums: BTreeMap<&str, u128> = BTreeMap::new();
        for Known { leg, base, .. } in known.iter().filter(|known| known.leg.side == side && known.account.class == *class) {
            // The legs of an asset were added up without overflow before; of lots, a sum that is capped fits no ratio.
            let sum = sums.entry(*base).or_default();
            *sum = sum.saturating_add(leg.amount);
        }
        sums
    };
    let (issued, retired) = (sum(Side::Debit, &Class::Source), sum(Side::Credit, &Class::Sink));
    let into = |target: &str| -> Vec<(&String, &Asset)> {
        case.rules.assets.iter().filter(|(_, asset)| asset.into.contains_key(target)).collect()
    };
    let mut used: BTreeMap<&str, &str> = BTreeMap::new();
    for (target, issued) in issued {
        let sources = into(target);
        if sources.is_empty() {
            continue;
        }
        let wrong = |why: &str| Err((GovernCode::AssetRatio, format!("{issued} of `{target}` are issued: {why}")));
        let mut arisen = Some(0_u128);
        for (name, asset) in sources {
            let (Some(given), Some((take, give))) = (retired.get(name.as_str()), asset.into.get(target)) else { continue };
            if given.checked_rem(*take) != Some(0) || used.insert(name, target).is_some() {
                return wrong(&format!("{given} of `{name}` are given up, in parts of {take} and for one asset at a time"));
            }
            let part = given.checked_div(*take).and_then(|parts| parts.checked_mul(*give));
            arisen = arisen.and_then(|sum| part.and_then(|part| sum.checked_add(part)));
        }
        if arisen != Some(issued) {
            return wrong("what is given up gives another number");
        }
    }
    Ok(())
}

/// A holder can pass a service to a sink only, and a claim that is not assignable back to its issuer only.
fn transferable(known: &[Known<'_>]) -> Result<(), Fault> {
    for Known { leg, base, asset, .. } in known {
        let bound = match asset.class {
            AssetClass::Service => true,
            AssetClass::Claim => !asset.assignable,
            AssetClass::Fungible | AssetClass::Consumable | AssetClass::Depreciating | AssetClass::Transformable => false,
        };
        let side = |side: Side| known.iter().filter(move |other| other.base == *base && other.leg.side == side);
        let held = side(Side::Debit).any(|other| other.account.class != Class::Source);
        let home = |class: &Class| *class == Class::Sink || asset.class == AssetClass::Claim && *class == Class::Source;
        let passed_on = side(Side::Credit).any(|other| !home(&other.account.class));
        if bound && held && passed_on {
            return Err((GovernCode::AssetNotTransferable, format!("`{}` cannot be passed on by who holds it", leg.asset)));
        }
    }
    Ok(())
}
