//! Questions that people ask of a protocol: what each action is, and what changes between two snapshots.
//!
//! Answers are data in a fixed order; how they are shown is the business of tools.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use serde_json::Value;

use super::rules::{Core, Protocol};
use crate::entry::Kind;

/// On which side of the boundary an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// It says what is allowed or decided.
    Governance,
    /// It says what was performed.
    Execution,
}

/// The five answers about an action (B-37).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Questions {
    /// The record type.
    pub record: String,
    /// The action.
    pub action: String,
    /// Governance or execution?
    pub side: Side,
    /// Does it modify state, beyond the chain of its subject?
    pub modifies_state: bool,
    /// Does it need an access decision? Only if every row that allows it asks for one.
    pub needs_access_decision: bool,
    /// Is it decided by a function of the record and the state alone? Guards are a closed set and invariants are pure.
    pub deterministic: bool,
    /// Does replaying the ledger decide it again? A run is replayed by executing it again, not by the core.
    pub replayable: bool,
}

/// How a row or an action differs between two snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the later one has it.
    Added,
    /// Only the earlier one has it.
    Removed,
    /// Both have it, with other words.
    Changed,
}

/// One difference of authority, or of what a queue carries out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// `action`, `row`, `grant` or `contract`: an action that exists, a row as such, a row's hold on an action, a queue contract or one of
    /// its members.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// How it differs.
    pub change: Change,
    /// For people: what it was and what it is.
    pub detail: String,
}

impl Protocol {
    /// The five answers about every action, in the order of record types and actions.
    #[must_use]
    pub fn questions(&self) -> Vec<Questions> {
        let mut answers = Vec::new();
        for lifecycle in self.lifecycles.values() {
            for (name, action) in &lifecycle.actions {
                let run = action.core == Some(Core::Run);
                answers.push(Questions {
                    record: lifecycle.record.clone(),
                    action: name.clone(),
                    side: if run { Side::Execution } else { Side::Governance },
                    modifies_state: lifecycle.kind != Kind::Receipt || !action.consumes.is_empty(),
                    needs_access_decision: !action.rows.is_empty() && self.rows_of(action).all(|row| row.decl.access.is_some()),
                    deterministic: true,
                    replayable: true,
                });
            }
        }
        answers
    }

    /// What changes for those who act when `self` is followed by `next`: actions, rows and queue contracts added, removed and changed. Of a
    /// contract that stays, each member is compared by itself.
    #[must_use]
    pub fn diff(&self, next: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        compare("action", &self.described(), &next.described(), &mut differences);
        compare("row", &self.written(), &next.written(), &mut differences);
        let (was, is) = (self.grants(), next.grants());
        for (change, grants, others) in [(Change::Removed, &was, &is), (Change::Added, &is, &was)] {
            for (row, action) in grants.difference(others) {
                let detail = format!("row `{row}` {} `{action}`", if change == Change::Added { "allows" } else { "allowed" });
                differences.push(Difference { what: "grant", name: action.clone(), change, detail });
            }
        }
        let (was, is) = (self.contracted(), next.contracted());
        let names = |contracts: &Contracted| contracts.keys().map(|code| (code.clone(), String::new())).collect::<BTreeMap<_, _>>();
        compare("contract", &names(&was), &names(&is), &mut differences);
        for (old, new) in was.iter().filter_map(|(code, old)| Some((old, is.get(code)?))) {
            compare("contract", old, new, &mut differences);
        }
        differences.sort();
        differences
    }

    /// Each action in words that change when its meaning does.
    fn described(&self) -> BTreeMap<String, String> {
        let actions = self.lifecycles.values().flat_map(|lifecycle| lifecycle.actions.iter().map(move |entry| (lifecycle, entry)));
        let describe = |action: &super::rules::Action| {
            // The compiled form without what belongs to rows: equal forms judge alike.
            let bare = super::rules::Action { rows: Vec::new(), takes_access: false, summary: String::new(), ..action.clone() };
            format!("{bare:?}")
        };
        actions.map(|(lifecycle, (name, action))| (name.clone(), format!("{}: {}", lifecycle.record, describe(action)))).collect()
    }

    /// Each row as it is written.
    fn written(&self) -> BTreeMap<String, String> {
        let text = |row: &super::rules::Row| serde_json::to_string(&row.decl).unwrap_or_default();
        self.rows.iter().map(|row| (row.name.clone(), text(row))).collect()
    }

    /// Each queue contract, member by member as it is written. Groups of a validation are members of their own beside their order.
    fn contracted(&self) -> Contracted {
        let text = |value: &Value| format!("{value}");
        let members = |contract: &super::Contract| {
            let Ok(Value::Object(written)) = serde_json::to_value(&contract.decl) else { return BTreeMap::new() };
            let code = &contract.decl.code;
            // Its name and its summary bind nobody.
            let plain = written.iter().filter(|(member, _)| !matches!(member.as_str(), "code" | "summary" | "validation"));
            let mut members: BTreeMap<String, String> = plain.map(|(member, value)| (format!("{code} {member}"), text(value))).collect();
            let groups = &contract.decl.validation;
            for group in groups {
                let checks = serde_json::to_string(&group.checks).unwrap_or_default();
                members.insert(format!("{code} validation.{}", group.group), checks);
            }
            let order: Vec<&str> = groups.iter().map(|group| group.group.as_str()).collect();
            members.insert(format!("{code} validation"), order.join(", "));
            members
        };
        self.contracts().map(|contract| (contract.decl.code.clone(), members(contract))).collect()
    }

    fn grants(&self) -> BTreeSet<(String, String)> {
        self.rows.iter().flat_map(|row| row.decl.actions.iter().map(|action| (row.name.clone(), action.clone()))).collect()
    }
}

/// The members of queue contracts by the codes of the contracts.
type Contracted = BTreeMap<String, BTreeMap<String, String>>;

/// Compares two lists of descriptions by name.
fn compare(what: &'static str, was: &BTreeMap<String, String>, is: &BTreeMap<String, String>, found: &mut Vec<Difference>) {
    let mut push = |name: &str, change, detail| found.push(Difference { what, name: name.to_owned(), change, detail });
    // An action is described in words of our own, which are not for people.
    let shown = what != "action";
    for (name, old) in was {
        match is.get(name) {
            None => push(name, Change::Removed, String::new()),
            Some(new) if new != old && shown => push(name, Change::Changed, format!("was {old}, is {new}")),
            Some(new) if new != old => push(name, Change::Changed, String::from("its states, fields, guards or movements differ")),
            Some(_) => {}
        }
    }
    for (name, new) in is.iter().filter(|(name, _)| !was.contains_key(*name)) {
        push(name, Change::Added, if shown { new.clone() } else { String::new() });
    }
}
