//! May this item be executed now? Every group of the contract, each until its first failure.
//!
//! Guards and invariants are the judge's own; nothing is evaluated here in another way than there.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{About, Answer, Contract, Item, What, item};
use crate::entry::Record;
use crate::govern::code::GovernCode;
use crate::govern::guard;
use crate::govern::judge::{Case, EntryContext, Stop};
use crate::govern::outside::Outside;
use crate::govern::overlay::Overlay;
use crate::govern::row::SubjectRow;
use crate::govern::rules::Protocol;
use crate::state::StateView;

/// Why a group does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The word of the contract.
    pub reason: String,
    /// The code of the guard or invariant.
    pub code: GovernCode,
    /// What was found and what is allowed.
    pub detail: String,
}

/// The answer. It is written exactly as `protocol/queue.md` says; code and detail of a failure are for people and not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Each group with the first failure in it, in the order of the contract.
    pub groups: Vec<(String, Option<Failure>)>,
}

impl Validation {
    /// Whether all groups hold.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failure().is_none()
    }

    /// The first failure.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.groups.iter().find_map(|(_, failure)| failure.as_ref())
    }
}

/// The groups, and whether each holds.
struct Groups<'a>(&'a [(String, Option<Failure>)]);

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, failure)| (name, failure.is_none())))
    }
}

impl Serialize for Validation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("validated", &self.passed())?;
        map.serialize_entry("validation", &Groups(&self.groups))?;
        map.serialize_entry("ready_for_execution", &self.passed())?;
        if let Some(failure) = self.failure() {
            map.serialize_entry("failure_reason", &failure.reason)?;
        }
        map.end()
    }
}

/// Validates an item that is queued.
///
/// # Errors
/// `queue_unknown`; anything else says that nothing was decided.
pub fn validate<V: StateView + ?Sized>(
    rules: &Protocol,
    contract: &Contract,
    view: &V,
    outside: &dyn Outside,
    about: &Item<'_>,
) -> Answer<Validation, V> {
    let row = item(contract, view, about.subject)?;
    groups(rules, contract, view, outside, about, row)
}

/// Validates an item that is not queued yet, as it would be after this record: what a candidate lacks is known before anybody signs.
///
/// # Errors
/// `queue_contract` when the record is not one that queues an item under this contract; anything else says that nothing was decided.
pub fn preview<V: StateView + ?Sized>(
    rules: &Protocol,
    contract: &Contract,
    view: &V,
    outside: &dyn Outside,
    record: &Record,
    at: &str,
) -> Answer<Validation, V> {
    let about = Item { subject: &record.subject, actor: &record.actor, at };
    let queue = &contract.decl.actions.queue;
    let said = About::new(rules, contract, &about, queue, None)?;
    if record.type_ != said.lifecycle.record || record.action != *queue {
        let detail = alloc::format!("`{}` of `{}` does not queue an item under `{}`", record.action, record.type_, contract.code());
        return Err(super::ItemError::refused("queue_contract", detail));
    }
    let members = record.payload.as_object();
    let kept = |name: &String| said.action.fields.get(name).is_some_and(|field| field.keep);
    let kept: Map<String, Value> =
        members.into_iter().flatten().filter(|(name, _)| kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    let row = SubjectRow {
        active: None,
        actors: BTreeMap::from([(queue.clone(), record.actor.clone())]),
        decision: None,
        kept,
        last: *rules.snapshot(),
        open: Vec::new(),
        seq: 0,
        state: said.action.to.clone(),
        type_: record.type_.clone(),
    };
    groups(rules, contract, view, outside, &about, Rc::new(row))
}

fn groups<V: StateView + ?Sized>(
    rules: &Protocol,
    contract: &Contract,
    view: &V,
    outside: &dyn Outside,
    about: &Item<'_>,
    row: Rc<SubjectRow>,
) -> Answer<Validation, V> {
    let hash = row.last;
    let said = About::new(rules, contract, about, &contract.decl.actions.execute, Some(Rc::clone(&row)))?;
    let entry = EntryContext { origin: "", at: about.at, protocol: *rules.snapshot(), seq: 0 };
    let case = Case {
        rules,
        outside,
        entry: &entry,
        record: &said.record,
        lifecycle: said.lifecycle,
        action: said.action,
        bytes: Vec::new(),
        hash,
        subject: Some(row),
        legs: Vec::new(),
        run: None,
    };
    let mut state = Overlay::new(view);
    let mut groups = Vec::with_capacity(contract.groups.len());
    for group in &contract.groups {
        let mut failure = None;
        for check in &group.checks {
            let held = match &check.what {
                What::Guard(guard) => guard::holds(&case, &mut state, guard),
                What::Invariant(invariant) => guard::ask(&case, &mut state, invariant),
            };
            match held {
                Ok(()) => {}
                Err(Stop::Judge(error)) => return Err(error.into()),
                Err(Stop::Refuse(code, detail)) => {
                    failure = Some(Failure { reason: check.reason.to_owned(), code, detail });
                    break;
                }
            }
        }
        groups.push((group.name.clone(), failure));
    }
    Ok(Validation { groups })
}
