//! `AM_`: rows, hung up at the actions that they allow.
//!
//! A row is resolved against the whole snapshot: an action, an asset or a policy that nothing declares is an error, not a row that
//! never applies.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use super::word;
use crate::govern::amount;
use crate::govern::builtin::{ENGINE_ROLE, UNROWED};
use crate::govern::declare::{MatrixDecl, RowDecl};
use crate::govern::near::nearest;
use crate::govern::problem::Problem;
use crate::govern::rules::{Protocol, Row};

pub(super) fn add(rules: &mut Protocol, decls: &[MatrixDecl], problems: &mut Vec<Problem>) {
    for decl in decls {
        let mut names = BTreeSet::new();
        for row in &decl.rows {
            let at = format!("rows.{}", row.row);
            word(&decl.code, &at, &row.row, problems);
            if !names.insert(&row.row) {
                problems.push(Problem::error("duplicate_row", &decl.code, at.clone(), "two rows have this name"));
            }
            check(rules, &decl.code, &at, row, problems);
            add_row(rules, &decl.code, row, problems);
        }
    }
}

fn check(rules: &Protocol, code: &str, at: &str, row: &RowDecl, problems: &mut Vec<Problem>) {
    let mut problem = |code_of: &'static str, member: &str, detail| {
        problems.push(Problem::error(code_of, code, format!("{at}.{member}"), detail));
    };
    if row.actions.is_empty() {
        problem("unknown_action", "actions", "the row allows nothing".into());
    }
    for action in &row.actions {
        if !rules.actions.contains(action) {
            problem("unknown_action", "actions", format!("`{action}` is no action, {}", nearest(action, &rules.actions)));
        } else if UNROWED.contains(&action.as_str()) {
            problem("reserved_action", "actions", format!("`{action}` is allowed by the core alone"));
        }
        let same = rules.lifecycles.values().find(|lifecycle| lifecycle.actions.contains_key(action));
        for other in &row.distinct_from {
            if same.is_some_and(|lifecycle| !lifecycle.actions.contains_key(other)) {
                problem("unknown_action", "distinct_from", format!("`{other}` is not an action on the subjects of `{action}`"));
            }
        }
    }
    if row.roles.iter().any(|role| role == ENGINE_ROLE) {
        problem("reserved_role", "roles", format!("`{ENGINE_ROLE}` is the engine's own, which the core allows its two actions"));
    }
    if row.charter && row.seat.is_none() {
        problem("bad_row", "charter", "a charter is that of a seat, and the row names none".into());
    }
    for (asset, ceiling) in &row.ceiling {
        if !rules.assets.contains_key(asset) {
            problem("unknown_asset", "ceiling", format!("`{asset}` is no asset, {}", nearest(asset, rules.assets.keys())));
        }
        if amount::parse(ceiling).is_none() {
            problem("bad_amount", "ceiling", format!("`{ceiling}` is no amount"));
        }
    }
    if row.access.is_some() && rules.decisions.is_none() {
        problem("no_access_lifecycle", "access", "no lifecycle of kind `ACCESS` makes decisions".into());
    }
    for text in row.roles.iter().chain(&row.seat).chain(&row.access) {
        word(code, at, text, problems);
    }
}

fn add_row(rules: &mut Protocol, code: &str, row: &RowDecl, problems: &mut Vec<Problem>) {
    let nth = rules.rows.len();
    for lifecycle in rules.lifecycles.values_mut() {
        for (name, action) in &mut lifecycle.actions {
            let times = row.actions.iter().filter(|action| *action == name).count();
            if times > 0 && !UNROWED.contains(&name.as_str()) {
                action.rows.push(nth);
                action.takes_access |= row.access.is_some();
            }
            if times > 1 {
                problems.push(Problem::error("duplicate_action", code, format!("rows.{}.actions", row.row), format!("`{name}` twice")));
            }
        }
    }
    rules.roles.extend(row.roles.iter().cloned());
    rules.seats.extend(row.seat.iter().cloned());
    let ceiling: BTreeMap<_, _> =
        row.ceiling.iter().filter_map(|(asset, text)| amount::parse(text).map(|amount| (asset.clone(), amount))).collect();
    let name = format!("{code}#{}", row.row);
    rules.rows.push(Row { code: code.into(), name, decl: row.clone(), ceiling });
}
