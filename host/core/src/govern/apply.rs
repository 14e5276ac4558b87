//! What a record that passed every check leaves behind.
//!
//! Nothing is decided here; every row written was checked before.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::chain::{FOUNDED_KEY, PROTOCOL_KEY};
use super::declare::Step;
use super::field::Field;
use super::judge::Case;
use super::lifecycle::Moved;
use super::overlay::Overlay;
use super::posting::Balances;
use super::row::{ActiveVersion, ConsumedRow, OpenVersion, SubjectRow, SystemRow};
use super::rules::Core;
use crate::entry::Kind;
use crate::hash::Digest;
use crate::state::StateView;

pub(super) fn write<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>, moved: Moved, balances: Balances) {
    let (record, seq) = (case.record, case.entry.seq);
    if let Some(actor) = moved.actor {
        state.put_actor(&record.subject, actor);
    }
    let system = |snapshot| SystemRow { actor: record.actor.clone(), record: case.hash, seq, snapshot };
    match case.action.core {
        Some(Core::Found) => {
            state.put_system(FOUNDED_KEY, system(case.entry.protocol));
            state.put_system(PROTOCOL_KEY, system(case.entry.protocol));
        }
        Some(Core::Adopt) => {
            let snapshot = record.payload.get("snapshot").and_then(Value::as_str).and_then(|text| text.parse::<Digest>().ok());
            if let Some(snapshot) = snapshot {
                state.put_system(PROTOCOL_KEY, system(snapshot));
            }
        }
        Some(_) | None => {}
    }
    for key in &record.consumes {
        state.put_consumed(key, ConsumedRow { record: case.hash, seq });
    }
    for (key, row) in balances.accounts {
        state.put_balance(&key, row);
    }
    for (key, row) in balances.assets {
        state.put_asset(&key, row);
    }
    state.put_subject(&record.subject, subject(case));
}

/// The row of the subject after the record.
pub(super) fn subject(case: &Case<'_>) -> SubjectRow {
    let record = case.record;
    let mut row = case.subject.as_deref().cloned().unwrap_or_else(|| SubjectRow {
        active: None,
        actors: BTreeMap::new(),
        decision: None,
        kept: Map::new(),
        last: case.hash,
        open: Vec::new(),
        seq: 0,
        state: None,
        type_: String::new(),
    });
    row.last = case.hash;
    row.seq = case.entry.seq;
    row.type_.clone_from(&record.type_);
    row.actors.insert(record.action.clone(), record.actor.clone());
    if let Some(to) = &case.action.to {
        row.state = Some(to.clone());
    }
    if case.lifecycle.kind == Kind::Version {
        version(case, &mut row);
        return row;
    }
    row.kept.extend(members(case, |field| field.keep));
    if case.lifecycle.kind == Kind::Access && case.action.core.is_none() {
        row.decision = record.payload.get("decision").and_then(Value::as_str).map(String::from);
    }
    row
}

/// Members of the payload whose declaration is of a kind.
fn members(case: &Case<'_>, which: impl Fn(&Field) -> bool) -> Map<String, Value> {
    let Some(payload) = case.record.payload.as_object() else { return Map::new() };
    let declared = |name: &String| case.action.fields.get(name).is_some_and(&which);
    payload.iter().filter(|(name, _)| declared(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn version(case: &Case<'_>, row: &mut SubjectRow) {
    let number = case.record.version.unwrap_or_default();
    let kept = members(case, |field| field.keep);
    let named = case.record.refs.get("proposal");
    match case.action.step {
        Some(Step::Propose) | None => {
            let fixed = members(case, |field| field.fixed && !field.keep);
            row.open.push(OpenVersion { actor: case.record.actor.to_owned(), fixed, kept, record: case.hash, version: number });
        }
        Some(Step::Withdraw) => row.open.retain(|open| Some(&open.record) != named),
        Some(Step::Ratify) => {
            if let Some(proposal) = case.proposal() {
                row.kept = proposal.kept.clone();
            }
            row.kept.extend(kept);
            row.active = Some(ActiveVersion { record: case.hash, version: number });
            // Those that competed for this number stay, so that ratifying one is answered with what happened. Older ones go.
            row.open.retain(|open| Some(&open.record) != named && open.version >= number);
        }
    }
}
