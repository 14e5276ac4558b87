//! Stage four: may the subject take this step?
//!
//! Edges of declared lifecycles and of the core's own for actors. Versions have a chain instead, and receipts no lifecycle.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::code::GovernCode;
use super::judge::{Case, Fault, Staged};
use super::overlay::Overlay;
use super::row::{ActorRow, RoleGrant, SeatGrant, Status};
use super::rules::Core;
use crate::entry::Kind;
use crate::state::StateView;

/// What becomes of the actor that a record is about.
pub(super) struct Moved {
    pub(super) actor: Option<ActorRow>,
}

pub(super) fn check<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>) -> Staged<Moved, V> {
    let actor = match case.action.core {
        Some(core) if case.lifecycle.kind == Kind::Access => {
            let before = state.actor(&case.record.subject)?;
            Some(actor(case, core, before)?)
        }
        Some(_) | None => {
            edge(case)?;
            None
        }
    };
    Ok(Moved { actor })
}

impl Case<'_> {
    /// Whether the action makes its subject, which must not be there yet.
    pub(super) fn creates(&self) -> bool {
        match self.lifecycle.kind {
            Kind::Transition => self.action.from.is_empty(),
            Kind::Posting => true,
            Kind::Access | Kind::Version | Kind::Receipt => false,
        }
    }
}

fn edge(case: &Case<'_>) -> Result<(), Fault> {
    if !matches!(case.lifecycle.kind, Kind::Transition | Kind::Posting) {
        return Ok(());
    }
    let subject = &case.record.subject;
    if case.creates() {
        return if case.subject.is_none() { Ok(()) } else { Err(exists(subject)) };
    }
    let Some(state) = case.subject.as_ref().and_then(|row| row.state.as_deref()) else { return Err(missing(subject)) };
    leaves(case, state, case.lifecycle.states.get(state).copied().unwrap_or_default())
}

/// Whether the action leaves this state.
fn leaves(case: &Case<'_>, state: &str, terminal: bool) -> Result<(), Fault> {
    let subject = &case.record.subject;
    if terminal {
        return Err((GovernCode::LifecycleTerminal, format!("`{subject}` has ended in `{state}`")));
    }
    if case.action.from.iter().any(|from| from == state) {
        return Ok(());
    }
    let allowed = case.action.from.join("`, `");
    Err((GovernCode::LifecycleEdge, format!("`{subject}` is in `{state}`, `{}` leaves `{allowed}`", case.record.action)))
}

/// The actor after the record.
fn actor(case: &Case<'_>, core: Core, before: Option<Rc<ActorRow>>) -> Result<ActorRow, Fault> {
    let subject = &case.record.subject;
    let text = |member: &str| case.record.payload.get(member).and_then(Value::as_str).map(String::from);
    if matches!(core, Core::Found | Core::Register) {
        if before.is_some() {
            return Err(exists(subject));
        }
        let roles = case.record.payload.get("roles").and_then(Value::as_array).into_iter().flatten();
        let mut roles: Vec<RoleGrant> = roles.filter_map(Value::as_str).map(|role| RoleGrant { role: role.into(), scope: None }).collect();
        roles.sort();
        roles.dedup();
        return Ok(ActorRow { key: text("key"), roles, seats: Vec::new(), status: Status::Active });
    }
    let Some(before) = before else { return Err(missing(subject)) };
    let mut row = ActorRow::clone(&before);
    let terminal = row.status == Status::Revoked;
    if terminal || !case.action.from.is_empty() {
        leaves(case, row.status.as_str(), terminal)?;
    }
    match core {
        Core::Rotate => row.key = text("key"),
        Core::Suspend => row.status = Status::Suspended,
        Core::Resume => row.status = Status::Active,
        Core::Revoke => row = ActorRow { key: None, roles: Vec::new(), seats: Vec::new(), status: Status::Revoked },
        Core::Grant | Core::Withdraw => {
            let (scope, given) = (text("scope"), core == Core::Grant);
            match (text("role"), text("seat")) {
                (Some(role), _) => change(&mut row.roles, RoleGrant { role, scope }, given, subject)?,
                (None, Some(seat)) => change(&mut row.seats, SeatGrant { charter: text("charter"), scope, seat }, given, subject)?,
                (None, None) => {}
            }
        }
        Core::Found | Core::Register | Core::Run | Core::Snapshot | Core::Adopt => {}
    }
    Ok(row)
}

/// Gives or takes one grant of a sorted list.
fn change<T: Ord>(grants: &mut Vec<T>, grant: T, given: bool, subject: &str) -> Result<(), Fault> {
    match (grants.binary_search(&grant), given) {
        (Ok(_), true) => Err(exists(&format!("grant of {subject}"))),
        (Err(_), false) => Err(missing(&format!("grant of {subject}"))),
        (Err(at), true) => {
            grants.insert(at, grant);
            Ok(())
        }
        (Ok(at), false) => {
            grants.remove(at);
            Ok(())
        }
    }
}

fn exists(what: &str) -> Fault {
    (GovernCode::LifecycleExists, format!("`{what}` exists already"))
}

fn missing(what: &str) -> Fault {
    (GovernCode::LifecycleMissing, format!("`{what}` does not exist"))
}
