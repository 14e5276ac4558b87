//! `AS_`: assets and account patterns.
//!
//! An account must belong to exactly one pattern, whatever its id: overlapping patterns are refused here, not ordered.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{is_word, word};
use crate::govern::amount;
use crate::govern::declare::{AccountDecl, AssetClass, AssetDecl, AssetsDecl, LifecycleDecl};
use crate::govern::near::nearest;
use crate::govern::problem::Problem;
use crate::govern::rules::{Account, Asset, Class, Protocol};

pub(super) fn add(rules: &mut Protocol, decls: &[AssetsDecl], lifecycles: &[LifecycleDecl], problems: &mut Vec<Problem>) {
    for decl in decls {
        for (name, asset) in &decl.assets {
            let at = format!("assets.{name}");
            word(&decl.code, &at, name, problems);
            let asset = compile_asset(&decl.code, &at, asset, problems);
            if rules.assets.insert(name.clone(), asset).is_some() {
                problems.push(Problem::error("duplicate_asset", &decl.code, at, "declared by two artifacts"));
            }
        }
    }
    for (name, asset) in &rules.assets {
        for target in asset.into.keys().filter(|target| !rules.assets.contains_key(*target) || *target == name) {
            let detail = format!("`{target}` is no other asset, {}", nearest(target, rules.assets.keys()));
            problems.push(Problem::error("unknown_asset", &asset.code, format!("assets.{name}.into"), detail));
        }
    }
    let subjects: Vec<&str> = lifecycles.iter().map(|lifecycle| lifecycle.subject.as_str()).chain(["Actor"]).collect();
    for decl in decls {
        for (pattern, account) in &decl.accounts {
            add_account(rules, &decl.code, pattern, account, &subjects, problems);
        }
    }
    for (literal, nth) in &rules.literals {
        if literal.split_once(':').is_some_and(|(prefix, _)| rules.prefixes.contains_key(prefix)) {
            let code = rules.accounts.get(*nth).map_or("", |account| account.code.as_str());
            problems.push(Problem::error("account_overlap", code, format!("accounts.{literal}"), "two patterns cover this account"));
        }
    }
}

fn compile_asset(code: &str, at: &str, decl: &AssetDecl, problems: &mut Vec<Problem>) -> Asset {
    let mut misplaced = |member: &str, wrong: bool, detail: &str| {
        if wrong {
            problems.push(Problem::error("bad_asset", code, format!("{at}.{member}"), detail));
        }
    };
    let depreciating = decl.class == AssetClass::Depreciating;
    misplaced(
        "life_days",
        depreciating != decl.life_days.is_some_and(|days| days > 0),
        "a depreciating asset has a life in days, no other has",
    );
    misplaced("life_days", !depreciating && decl.life_days.is_some(), "a depreciating asset has a life in days, no other has");
    let transformable = decl.class == AssetClass::Transformable;
    misplaced("into", transformable == decl.into.is_empty(), "a transformable asset becomes another, no other does");
    misplaced("assignable", decl.assignable && decl.class != AssetClass::Claim, "only a claim is assignable");
    let mut into = BTreeMap::new();
    for (target, ratio) in &decl.into {
        match (amount::parse_positive(&ratio.take), amount::parse_positive(&ratio.give)) {
            (Some(take), Some(give)) => drop(into.insert(target.clone(), (take, give))),
            _ => problems.push(Problem::error("bad_amount", code, format!("{at}.into.{target}"), "a ratio is two amounts above zero")),
        }
    }
    Asset { code: code.to_owned(), class: decl.class, life_days: decl.life_days.unwrap_or_default(), into, assignable: decl.assignable }
}

fn add_account(rules: &mut Protocol, code: &str, pattern: &str, decl: &AccountDecl, subjects: &[&str], problems: &mut Vec<Problem>) {
    let at = format!("accounts.{pattern}");
    word(code, &format!("{at}.class"), &decl.class, problems);
    let class = Class::parse(&decl.class);
    let below_zero = match decl.floor.as_deref() {
        None => None,
        Some("0") => Some(0),
        Some(text) => {
            let below = text.strip_prefix('-').and_then(amount::parse_positive);
            if below.is_none() {
                let detail = format!("`{text}`: a floor is `\"0\"`, a negative amount as text, or `null`");
                problems.push(Problem::error("bad_floor", code, format!("{at}.floor"), detail));
            }
            below
        }
    };
    if decl.floor.is_none() && class != Class::Source {
        problems.push(Problem::error("bad_floor", code, format!("{at}.floor"), "only an account of class `source` has no floor"));
    }
    for asset in decl.assets.iter().flatten().filter(|asset| !rules.assets.contains_key(*asset)) {
        let detail = format!("`{asset}` is no asset, {}", nearest(asset, rules.assets.keys()));
        problems.push(Problem::error("unknown_asset", code, format!("{at}.assets"), detail));
    }
    let (prefix, of) = match pattern.split_once(":{") {
        Some((prefix, rest)) => (Some(prefix), rest.strip_suffix('}')),
        None => (None, None),
    };
    if prefix.is_none_or(|prefix| !is_word(prefix)) && !is_literal(pattern) || prefix.is_some() && of.is_none() {
        let detail = format!("`{pattern}`: an account is `word`, `word:id`, `word:{{Type}}` or `word:{{}}`");
        problems.push(Problem::error("bad_account", code, at, detail));
        return;
    }
    let of = of.filter(|of| !of.is_empty()).map(String::from);
    if let Some(of) = of.as_deref().filter(|of| !subjects.contains(of)) {
        problems.push(Problem::error("unknown_subject", code, at.clone(), format!("no lifecycle has subjects of type `{of}`")));
    }
    let assets = decl.assets.as_ref().map(|assets| assets.iter().cloned().collect());
    let nth = rules.accounts.len();
    rules.accounts.push(Account { code: code.to_owned(), pattern: pattern.to_owned(), class, assets, below_zero, of });
    let twice = match prefix {
        Some(prefix) => rules.prefixes.insert(prefix.to_owned(), nth),
        None => rules.literals.insert(pattern.to_owned(), nth),
    };
    if twice.is_some() {
        problems.push(Problem::error("account_overlap", code, at, "two patterns cover this account"));
    }
}

/// `word` or `word:id`.
fn is_literal(pattern: &str) -> bool {
    pattern.split_once(':').map_or_else(|| is_word(pattern), |(prefix, id)| is_word(prefix) && is_word(id))
}
