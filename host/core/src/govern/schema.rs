//! Stage one: is it a record of a declared type and action, with exactly what was declared for it?
//!
//! Only the record and the rules are looked at, never the state.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::amount;
use super::builtin::{ENGINE_ROLE, PROTOCOL, PROTOCOL_SUBJECT, STATE};
use super::code::GovernCode;
use super::field::is_scope;
use super::judge::{EntryContext, Fault};
use super::near::nearest;
use super::posting::Leg;
use super::roots;
use super::rules::{Action, Core, Lifecycle, Protocol};
use super::sign;
use crate::entry::{Kind, Record};

/// The lifecycle, the action and the parsed legs of a record.
pub(super) type Checked<'a> = (&'a Lifecycle, &'a Action, Vec<Leg<'a>>);

pub(super) fn check<'a>(rules: &'a Protocol, entry: &EntryContext<'_>, record: &'a Record) -> Result<Checked<'a>, Fault> {
    let lifecycle = rules.lifecycles.get(&record.type_);
    let action = lifecycle.and_then(|lifecycle| lifecycle.actions.get(&record.action));
    fields(record, lifecycle, action)?;
    let Some(lifecycle) = lifecycle else {
        return Err((
            GovernCode::RecordType,
            format!("the protocol declares no record type `{}`, {}", record.type_, nearest(&record.type_, rules.lifecycles.keys())),
        ));
    };
    let Some(action) = action else {
        return Err((
            GovernCode::RecordAction,
            format!("`{}` has no action `{}`, {}", record.type_, record.action, nearest(&record.action, lifecycle.actions.keys())),
        ));
    };
    if record.kind != lifecycle.kind {
        let (got, declared) = (record.kind.as_str(), lifecycle.kind.as_str());
        return Err((GovernCode::RecordKind, format!("kind `{got}`, `{}` is declared as `{declared}`", record.type_)));
    }
    let empty = Map::new();
    let payload = record.payload.as_object();
    subject(record, lifecycle, action, payload.unwrap_or(&empty))?;
    let Some(payload) = payload else {
        return Err((GovernCode::PayloadType, "the payload is not an object".to_owned()));
    };
    members(rules, action, payload)?;
    if let Some(core) = action.core {
        core_members(rules, entry, core, payload)?;
    } else if lifecycle.kind == Kind::Access {
        decision_members(rules, payload)?;
    }
    Ok((lifecycle, action, legs(record, action)?))
}

/// Fields of the record that have no place in it.
fn fields(record: &Record, lifecycle: Option<&Lifecycle>, action: Option<&Action>) -> Result<(), Fault> {
    let misplaced = |field: &str, why: &str| Err((GovernCode::RecordField, format!("`{field}` {why}")));
    if record.scope.as_deref().is_some_and(|scope| !is_scope(scope)) {
        return misplaced("scope", "is not a path `a/b/c`");
    }
    if record.version.is_some() && lifecycle.is_some_and(|lifecycle| lifecycle.kind != Kind::Version) {
        return misplaced("version", "belongs to kind `VERSION` only");
    }
    if record.auth.is_some() && action.is_some_and(|action| !action.takes_access) {
        return misplaced("auth", "is asked for by no row of the action");
    }
    Ok(())
}

fn subject(record: &Record, lifecycle: &Lifecycle, action: &Action, payload: &Map<String, Value>) -> Result<(), Fault> {
    let wrong = |allowed: &str| Err((GovernCode::RecordSubject, format!("subject `{}`, allowed is {allowed}", record.subject)));
    let id = record.subject.split_once(':').filter(|(of, _)| *of == lifecycle.subject).map(|(_, id)| id);
    let Some(id) = id else { return wrong(&format!("`{}:…`", lifecycle.subject)) };
    if lifecycle.record == PROTOCOL && record.subject != PROTOCOL_SUBJECT {
        return wrong(&format!("`{PROTOCOL_SUBJECT}`"));
    }
    let size = payload.get("size").and_then(Value::as_u64);
    if lifecycle.record == STATE && size.is_some_and(|size| format!("{size}") != id) {
        return wrong("`State:<size>` with the size of the payload");
    }
    // A decision has the subject that its three parts spell: the latest one is then a row, not a search.
    if lifecycle.kind == Kind::Access && action.core.is_none() {
        let part = |name: &str| payload.get(name).and_then(Value::as_str);
        if let (Some(about), Some(action), Some(policy)) = (part("subject"), part("action"), part("policy")) {
            let expected = decision_subject(&lifecycle.subject, about, action, policy);
            if record.subject != expected {
                return wrong(&format!("`{expected}`"));
            }
        }
    }
    Ok(())
}

/// The subject of the decisions about a subject, an action and a policy.
pub(super) fn decision_subject(of: &str, subject: &str, action: &str, policy: &str) -> String {
    format!("{of}:{subject}|{action}|{policy}")
}

fn members(rules: &Protocol, action: &Action, payload: &Map<String, Value>) -> Result<(), Fault> {
    if let Some(name) = payload.keys().find(|name| !action.fields.contains_key(*name)) {
        return Err((GovernCode::PayloadUnknown, format!("`payload.{name}` is not declared, {}", nearest(name, action.fields.keys()))));
    }
    if let Some(name) = action.required.iter().find(|name| !payload.contains_key(*name)) {
        return Err((GovernCode::PayloadMissing, format!("`payload.{name}` is required")));
    }
    for (name, value) in payload {
        if action.fields.get(name).is_some_and(|field| !field.admits(value, rules)) {
            return Err((GovernCode::PayloadType, format!("`payload.{name}` is not of its declared type")));
        }
    }
    Ok(())
}

/// What the core's own actions ask of their members beyond the type.
fn core_members(rules: &Protocol, entry: &EntryContext<'_>, core: Core, payload: &Map<String, Value>) -> Result<(), Fault> {
    let wrong = |member: &str, why: &str| Err((GovernCode::PayloadType, format!("`payload.{member}` {why}")));
    let text = |member: &str| payload.get(member).and_then(Value::as_str);
    let role_exists = |role: &str| role != ENGINE_ROLE && rules.roles.contains(role);
    if matches!(core, Core::Found | Core::Register | Core::Rotate) && !text("key").is_some_and(sign::is_key) {
        return wrong("key", "is not base64 of an Ed25519 public key");
    }
    if core == Core::Found {
        let roles = payload.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !roles.iter().all(|role| role.as_str().is_some_and(role_exists)) {
            return wrong("roles", "names a role that no row knows");
        }
    }
    if matches!(core, Core::Grant | Core::Withdraw) {
        let (role, seat) = (text("role"), text("seat"));
        if role.is_some() == seat.is_some() {
            return wrong("role", "or `payload.seat` is needed, and not both");
        }
        if text("charter").is_some() && seat.is_none() {
            return wrong("charter", "belongs to a seat");
        }
        if text("scope").is_some_and(|scope| !is_scope(scope)) {
            return wrong("scope", "is not a path `a/b/c`");
        }
        // What no row knows any more can still be taken back.
        if let Some(role) = role.filter(|role| core == Core::Grant && !role_exists(role)) {
            return wrong("role", &format!("is a role that no row knows, {}", nearest(role, &rules.roles)));
        }
        if let Some(seat) = seat.filter(|seat| core == Core::Grant && !rules.seats.contains(*seat)) {
            return wrong("seat", &format!("is a seat that no row knows, {}", nearest(seat, &rules.seats)));
        }
    }
    if core == Core::Snapshot {
        let size = payload.get("size").and_then(Value::as_u64);
        if size.is_none_or(|size| size > entry.seq) {
            return wrong("size", "is not a number of entries before this one");
        }
        if payload.get("roots").is_none_or(|roots| !roots::are_roots(roots)) {
            return wrong("roots", "is not one `sha256:` digest for each space");
        }
    }
    Ok(())
}

/// A decision is about an action that exists, and its three parts can be told apart in its subject.
fn decision_members(rules: &Protocol, payload: &Map<String, Value>) -> Result<(), Fault> {
    let text = |member: &str| payload.get(member).and_then(Value::as_str).unwrap_or_default();
    let wrong = |member: &str, why: &str| Err((GovernCode::PayloadType, format!("`payload.{member}` {why}")));
    if !rules.actions.contains(text("action")) {
        return wrong("action", &format!("is no action of the protocol, {}", nearest(text("action"), &rules.actions)));
    }
    if !rules.policies().any(|policy| policy == text("policy")) {
        return wrong("policy", "is a policy that no row knows");
    }
    Ok(())
}

fn legs<'a>(record: &'a Record, action: &Action) -> Result<Vec<Leg<'a>>, Fault> {
    let wrong = |detail: &str| Err((GovernCode::RecordPostings, detail.to_owned()));
    let Some(postings) = record.postings.as_deref() else {
        return if action.legs.is_some() || action.moves.is_some() {
            wrong("the action moves something and there are no legs")
        } else {
            Ok(Vec::new())
        };
    };
    if action.legs.is_none() && action.moves.is_none() {
        return wrong("the action moves nothing and there are legs");
    }
    if action.moves.is_some() && postings.is_empty() {
        return wrong("an action with free legs needs some");
    }
    let mut legs = Vec::with_capacity(postings.len());
    for (nth, leg) in postings.iter().enumerate() {
        let Some(amount) = amount::parse_positive(&leg.amount) else {
            let detail = format!("leg {nth} has the amount `{}`, allowed is 1 to 2^128 - 1", leg.amount);
            return Err((GovernCode::PostingAmount, detail));
        };
        legs.push(Leg { account: &leg.account, asset: &leg.asset, side: leg.side, amount });
    }
    Ok(legs)
}
