//! The core's own record types: actors, protocols, roots of the state, receipts of runs.
//!
//! They exist in every ledger, whatever its artifacts say, and no artifact can declare them again. Who may do what with them is
//! said by rows like any other, except for the three actions that nobody can be allowed by a row.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::declare::{FieldType, Step};
use super::field::{Field, MAX_BYTES};
use super::rules::{Action, Core, Lifecycle, Protocol};
use crate::entry::Kind;
use crate::hash::Digest;
use crate::receipt;

/// Record type of actors.
pub const ACTOR: &str = "ACTOR";
/// Record type of the protocol in force.
pub const PROTOCOL: &str = "PROTOCOL";
/// Record type of roots of the state.
pub const STATE: &str = "STATE";
/// The one subject of `PROTOCOL`.
pub const PROTOCOL_SUBJECT: &str = "Protocol:ledger";
/// Action that states the roots of the state.
pub const SNAPSHOT: &str = "STATE.SNAPSHOT";

/// Subject types that only the core speaks about.
pub(super) const SUBJECTS: [&str; 5] = ["Actor", "Engine", "Protocol", "Run", "State"];

/// Actions that rows cannot allow.
pub(super) const UNROWED: [&str; 3] = ["ACTOR.FOUND", SNAPSHOT, receipt::RECORD_ACTION];

/// The role that nobody can be granted: what the engine may do is fixed.
pub(super) const ENGINE_ROLE: &str = "engine";

/// A member of a payload of the core.
type Member = (&'static str, FieldType, bool);

impl Protocol {
    /// The rules of a ledger without artifacts of governance: only the core's own actions exist, and no row allows any.
    #[must_use]
    pub fn empty(snapshot: Digest) -> Self {
        let lifecycles = [actor(), protocol(), state(), run()];
        let actions = lifecycles.iter().flat_map(|lifecycle| lifecycle.actions.keys().cloned()).collect();
        Self {
            snapshot,
            lifecycles: lifecycles.into_iter().map(|lifecycle| (lifecycle.record.clone(), lifecycle)).collect(),
            rows: Vec::new(),
            accounts: Vec::new(),
            literals: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            assets: BTreeMap::new(),
            roles: BTreeSet::new(),
            seats: BTreeSet::new(),
            actions,
            decisions: None,
            contracts: BTreeMap::new(),
            frozen: BTreeMap::new(),
            decision_contracts: BTreeMap::new(),
            decided_only: BTreeSet::new(),
        }
    }
}

fn lifecycle(record: &str, kind: Kind, subject: &str, summary: &str, actions: Vec<(&str, Action)>) -> Lifecycle {
    Lifecycle {
        code: "core".to_owned(),
        summary: summary.to_owned(),
        record: record.to_owned(),
        kind,
        subject: subject.to_owned(),
        states: BTreeMap::new(),
        actions: actions.into_iter().map(|(name, action)| (name.to_owned(), action)).collect(),
        effects: Vec::new(),
    }
}

fn action(core: Option<Core>, summary: &str, members: &[Member]) -> Action {
    let field = |(name, type_, _): &Member| {
        let max_bytes = MAX_BYTES;
        ((*name).to_owned(), Field { type_: *type_, keep: false, fixed: false, one_of: None, max_bytes })
    };
    Action {
        summary: summary.to_owned(),
        from: Vec::new(),
        to: None,
        step: None,
        core,
        fields: members.iter().map(field).collect(),
        required: members.iter().filter(|(_, _, required)| *required).map(|(name, _, _)| (*name).to_owned()).collect(),
        guards: Vec::new(),
        invariants: Vec::new(),
        consumes: Vec::new(),
        legs: None,
        moves: None,
        rows: Vec::new(),
        takes_access: false,
    }
}

fn actor() -> Lifecycle {
    let key = ("key", FieldType::Text, true);
    let reason = [("reason", FieldType::Text, true)];
    let grant = [
        ("charter", FieldType::Subject, false),
        ("role", FieldType::Name, false),
        ("scope", FieldType::Name, false),
        ("seat", FieldType::Name, false),
    ];
    // State after, and the states that it leaves; a creation leaves none.
    let moves = |core, summary, members: &[Member], from: &[&str], to: &str| Action {
        from: from.iter().map(|state| String::from(*state)).collect(),
        to: Some(to.to_owned()),
        ..action(Some(core), summary, members)
    };
    let actions = [
        ("ACTOR.FOUND", moves(Core::Found, "The first actor.", &[key, ("roles", FieldType::List, true)], &[], "active")),
        ("ACTOR.REGISTER", moves(Core::Register, "A new actor.", &[key, ("name", FieldType::Name, false)], &[], "active")),
        ("ACTOR.ROTATE", action(Some(Core::Rotate), "Another key.", &[key])),
        ("ACTOR.REVOKE", moves(Core::Revoke, "No key, no roles, for ever.", &reason, &["active", "suspended"], "revoked")),
        ("ACTOR.SUSPEND", moves(Core::Suspend, "May do nothing until resumed.", &reason, &["active"], "suspended")),
        ("ACTOR.RESUME", moves(Core::Resume, "May act again.", &reason, &["suspended"], "active")),
        ("ACTOR.GRANT", action(Some(Core::Grant), "A role or a seat.", &grant)),
        ("ACTOR.WITHDRAW", action(Some(Core::Withdraw), "Takes back a role or a seat.", &grant)),
    ];
    let mut lifecycle = lifecycle(ACTOR, Kind::Access, "Actor", "Who can act, with which key, in which roles and seats.", actions.into());
    lifecycle.states = [("active", false), ("suspended", false), ("revoked", true)].map(|(name, end)| (name.to_owned(), end)).into();
    lifecycle
}

fn protocol() -> Lifecycle {
    let step = |core, step, summary, members: &[Member]| Action { step: Some(step), ..action(core, summary, members) };
    let snapshot = [("snapshot", FieldType::Digest, true)];
    let mut propose = step(None, Step::Propose, "Proposes another snapshot.", &snapshot);
    let mut ratify = step(Some(Core::Adopt), Step::Ratify, "Puts the proposed snapshot in force, from the next entry on.", &snapshot);
    for action in [&mut propose, &mut ratify] {
        for field in action.fields.values_mut() {
            (field.keep, field.fixed) = (true, true);
        }
    }
    let withdraw = step(None, Step::Withdraw, "Withdraws a proposal.", &[("reason", FieldType::Text, false)]);
    let actions = [("PROTOCOL.PROPOSE", propose), ("PROTOCOL.RATIFY", ratify), ("PROTOCOL.WITHDRAW", withdraw)];
    lifecycle(PROTOCOL, Kind::Version, "Protocol", "The snapshot in force.", actions.into())
}

fn state() -> Lifecycle {
    let members = [("roots", FieldType::Object, true), ("size", FieldType::Integer, true)];
    let snapshot = action(Some(Core::Snapshot), "Roots of the derived state after the first entries.", &members);
    lifecycle(STATE, Kind::Receipt, "State", "Roots of the derived state.", [(SNAPSHOT, snapshot)].into())
}

fn run() -> Lifecycle {
    let receipt = action(Some(Core::Run), "What one run did.", &[]);
    lifecycle(receipt::RECORD_TYPE, Kind::Receipt, "Run", "Receipts of runs.", [(receipt::RECORD_ACTION, receipt)].into())
}
