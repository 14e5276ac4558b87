//! Stage two: does the record follow what its author has seen?
//!
//! One chain of records per subject, by hash; and for versions one chain of numbers upon it. Who may continue a chain is not asked
//! here.

use alloc::format;
use alloc::string::String;

use serde_json::{Map, Value};

use super::code::GovernCode;
use super::declare::{FieldType, Step};
use super::field::value_type;
use super::judge::{Case, Fault, Staged};
use super::overlay::Overlay;
use super::row::OpenVersion;
use crate::entry::Kind;
use crate::hash::Digest;
use crate::state::StateView;

/// Most proposals for one number: enough to choose from, few enough for a row.
const MAX_OPEN: usize = 16;

/// Key of the row that says which protocol is in force.
pub(super) const PROTOCOL_KEY: &str = "protocol";

/// Key of the row that says by whom the ledger was founded.
pub(super) const FOUNDED_KEY: &str = "founded";

pub(super) fn check<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>) -> Staged<(), V> {
    let (entry, rules) = (case.entry, case.rules);
    let in_force = state.system(PROTOCOL_KEY)?.map_or(rules.snapshot, |row| row.snapshot);
    if entry.protocol != in_force || rules.snapshot != in_force {
        let detail = format!("made under {} and judged under {}, in force is {in_force}", entry.protocol, rules.snapshot);
        return Err((GovernCode::ChainProtocol, detail).into());
    }
    let last = case.subject.as_ref().map(|row| row.last);
    let prev = case.record.refs.get("prev").copied();
    if prev != last {
        let detail = format!("`refs.prev` is {}, the last record of `{}` is {}", shown(prev), case.record.subject, shown(last));
        return Err((GovernCode::ChainPrev, detail).into());
    }
    if case.lifecycle.kind == Kind::Version { Ok(version(case)?) } else { Ok(kept(case)?) }
}

/// A member that may be set once and has another value. A creation sets all of its members: that there is something already is
/// what is wrong with one that comes again, whatever it says (`lifecycle_exists`).
fn kept(case: &Case<'_>) -> Result<(), Fault> {
    let Some(row) = case.subject.as_ref().filter(|_| !case.creates()) else { return Ok(()) };
    conflict(case, &row.kept).map_or(Ok(()), Err)
}

fn conflict(case: &Case<'_>, kept: &Map<String, Value>) -> Option<Fault> {
    let payload = case.record.payload.as_object()?;
    let differs = |name: &&String| kept.get(*name).is_some_and(|was| payload.get(*name).is_some_and(|is| was != is));
    let name = case.action.fields.iter().filter(|(_, field)| field.keep).map(|(name, _)| name).find(differs)?;
    Some((GovernCode::ChainKept, format!("`payload.{name}` of `{}` is set already", case.record.subject)))
}

fn version(case: &Case<'_>) -> Result<(), Fault> {
    let active = case.subject.as_ref().and_then(|row| row.active).map_or(0, |active| active.version);
    let next = active.saturating_add(1);
    let proposal = case.proposal();
    let expected = match case.action.step {
        Some(Step::Propose) | None => next,
        Some(Step::Ratify | Step::Withdraw) => proposal.map_or(next, |proposal| proposal.version),
    };
    if case.record.version != Some(expected) {
        let got = case.record.version.map_or(String::from("missing"), |version| format!("{version}"));
        return Err((GovernCode::ChainVersion, format!("`version` is {got}, expected is {expected}")));
    }
    match (case.action.step, proposal) {
        (Some(Step::Propose) | None, _) => {
            let open = case.subject.as_ref().map_or(0, |row| row.open.iter().filter(|open| open.version == next).count());
            if open >= MAX_OPEN {
                return Err((GovernCode::ChainProposal, format!("{open} proposals are open, {MAX_OPEN} are allowed")));
            }
        }
        (Some(Step::Ratify | Step::Withdraw), None) => {
            let named = shown(case.record.refs.get("proposal").copied());
            return Err((GovernCode::ChainProposal, format!("`refs.proposal` is {named}, which is no open proposal")));
        }
        (Some(Step::Withdraw), Some(_)) => {}
        (Some(Step::Ratify), Some(proposal)) => ratified(case, proposal, active)?,
    }
    value_types(case)?;
    match (case.action.step, proposal) {
        (Some(Step::Ratify), Some(proposal)) => conflict(case, &proposal.kept).map_or(Ok(()), Err),
        _ => Ok(()),
    }
}

/// The proposal is for the next number, and nothing fixed is altered.
fn ratified(case: &Case<'_>, proposal: &OpenVersion, active: u64) -> Result<(), Fault> {
    if proposal.version <= active {
        let detail =
            format!("version {active} is active: `{}` has changed since proposal of version {}", case.record.subject, proposal.version);
        return Err((GovernCode::ChainStale, detail));
    }
    for (name, field) in &case.action.fields {
        let was = proposal.kept.get(name).or_else(|| proposal.fixed.get(name));
        let fixed = field.fixed || proposal.fixed.contains_key(name);
        if fixed && was != case.record.payload.get(name) {
            return Err((GovernCode::ChainAltered, format!("`payload.{name}` is not what was proposed")));
        }
    }
    Ok(())
}

/// A typed value keeps its type from version to version.
fn value_types(case: &Case<'_>) -> Result<(), Fault> {
    let Some(row) = &case.subject else { return Ok(()) };
    let type_of = |value: Option<&Value>| value.and_then(Value::as_object).and_then(value_type).map(String::from);
    for (name, _) in case.action.fields.iter().filter(|(_, field)| field.keep && field.type_ == FieldType::Value) {
        if let (Some(was), Some(is)) = (type_of(row.kept.get(name)), type_of(case.record.payload.get(name)))
            && was != is
        {
            return Err((GovernCode::ChainValueType, format!("`payload.{name}` is of type `{is}`, the active version has `{was}`")));
        }
    }
    Ok(())
}

/// A link as people read it.
fn shown(link: Option<Digest>) -> String {
    link.map_or_else(|| String::from("absent"), |digest| format!("{digest}"))
}
