//! Stage three: may this actor say this?
//!
//! Default deny. Rows are tried in their order and the first that allows decides; if none does, the answer is that of the row that
//! got furthest. The core's own three actions have rows of their own that nothing can change.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::chain::FOUNDED_KEY;
use super::code::GovernCode;
use super::compile::proposes;
use super::field::ENGINE_PREFIX;
use super::judge::{Case, Fault, RowFinding, RowOutcome, Staged, is_engine};
use super::overlay::Overlay;
use super::row::{ActorRow, Status};
use super::rules::{Core, Row};
use super::schema::decision_subject;
use super::sign;
use crate::entry::Side;
use crate::state::StateView;

/// The row that allows run receipts.
pub(super) const RUN_ROW: &str = "core#run";
const SNAPSHOT_ROW: &str = "core#snapshot";
const FOUND_ROW: &str = "core#found";

/// The row that allows a record.
pub(super) struct Allowed {
    pub(super) row: String,
}

pub(super) fn check<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>, rows: &mut Vec<RowFinding>) -> Staged<Allowed, V> {
    let record = case.record;
    if record.actor.starts_with(ENGINE_PREFIX) {
        return Ok(note(rows, SNAPSHOT_ROW, engine(case))?);
    }
    if case.action.core == Some(Core::Found) && state.system(FOUNDED_KEY)?.is_none() {
        return Ok(note(rows, FOUND_ROW, founder(case))?);
    }
    let Some(actor) = state.actor(&record.actor)? else {
        return Err((GovernCode::ActorUnknown, format!("there is no actor `{}`", record.actor)).into());
    };
    match actor.status {
        Status::Active => {}
        Status::Revoked => return Err((GovernCode::ActorRevoked, format!("`{}` was revoked", record.actor)).into()),
        Status::Suspended => return Err((GovernCode::ActorSuspended, format!("`{}` is suspended", record.actor)).into()),
    }
    let mut best: Option<Fault> = None;
    let mut signature = None;
    for row in case.action.rows.iter().filter_map(|nth| case.rules.rows.get(*nth)) {
        match try_row(case, state, &actor, row, &mut signature)? {
            Ok(()) => {
                rows.push(RowFinding { row: row.name.clone(), outcome: RowOutcome::Allows });
                return Ok(Allowed { row: row.name.clone() });
            }
            Err(fault) => {
                rows.push(RowFinding { row: row.name.clone(), outcome: RowOutcome::Fails(fault.0) });
                if best.as_ref().is_none_or(|(code, _)| *code < fault.0) {
                    best = Some(fault);
                }
            }
        }
    }
    Err(best.unwrap_or_else(|| (GovernCode::AuthorityNone, format!("no row allows `{}`", record.action))).into())
}

/// The row that a refusal is about: the one that allowed, or else the one that got furthest, the earliest of equals.
pub(super) fn furthest(rows: &[RowFinding]) -> Option<&RowFinding> {
    let rank = |finding: &RowFinding| match finding.outcome {
        RowOutcome::Allows => None,
        RowOutcome::Fails(code) => Some(code),
    };
    let allows = rows.iter().find(|finding| rank(finding).is_none());
    allows.or_else(|| rows.iter().rev().max_by_key(|finding| rank(finding)))
}

fn note(rows: &mut Vec<RowFinding>, row: &str, answer: Result<(), Fault>) -> Result<Allowed, Fault> {
    let outcome = answer.as_ref().map_or_else(|(code, _)| RowOutcome::Fails(*code), |()| RowOutcome::Allows);
    rows.push(RowFinding { row: row.to_owned(), outcome });
    answer.map(|()| Allowed { row: row.to_owned() })
}

/// The engine states roots of the state, unsigned, and nothing else.
fn engine(case: &Case<'_>) -> Result<(), Fault> {
    let record = case.record;
    if !is_engine(&record.actor) {
        return Err((GovernCode::ActorUnknown, format!("`{}` is not `Engine:` and a digest", record.actor)));
    }
    if case.action.core != Some(Core::Snapshot) {
        return Err((GovernCode::AuthorityNone, format!("no row allows `{}` to an engine", record.action)));
    }
    if record.seat.is_some() {
        return Err((GovernCode::AuthoritySeat, "an engine sits on no seat".to_owned()));
    }
    if record.sig.is_some() {
        return Err((GovernCode::SignatureInvalid, "an engine has no key".to_owned()));
    }
    Ok(())
}

/// The first actor speaks about itself and signs with the key that it states.
fn founder(case: &Case<'_>) -> Result<(), Fault> {
    let record = case.record;
    if record.actor != record.subject {
        return Err((GovernCode::ActorUnknown, format!("`{}` cannot found `{}`", record.actor, record.subject)));
    }
    if record.seat.is_some() {
        return Err((GovernCode::AuthoritySeat, "nobody sits on a seat yet".to_owned()));
    }
    let key = record.payload.get("key").and_then(serde_json::Value::as_str);
    signed(case, key, true, &mut None)
}

/// Tries one row: nothing, or why it does not allow the record.
fn try_row<V: StateView + ?Sized>(
    case: &Case<'_>,
    state: &mut Overlay<'_, V>,
    actor: &ActorRow,
    row: &Row,
    signature: &mut Option<bool>,
) -> Staged<Result<(), Fault>, V> {
    if let Err(fault) = granted(case, actor, row) {
        return Ok(Err(fault));
    }
    if row.decl.charter && !chartered(case, state, actor)? {
        let seat = row.decl.seat.as_deref().unwrap_or_default();
        return Ok(Err((GovernCode::AuthorityCharter, format!("seat `{seat}` was not granted under a ratified charter"))));
    }
    if let Some(other) = row.decl.distinct_from.iter().find(|other| performer(case, other).is_none_or(|by| by == case.record.actor)) {
        let by = performer(case, other).map_or_else(|| "nobody".to_owned(), |by| format!("`{by}`"));
        return Ok(Err((GovernCode::AuthorityDistinct, format!("`{other}` was performed by {by}, another actor must have"))));
    }
    if let Err(fault) = under_ceiling(case, row) {
        return Ok(Err(fault));
    }
    if let Err(fault) = signed(case, actor.key.as_deref(), row.decl.signature, signature) {
        return Ok(Err(fault));
    }
    match &row.decl.access {
        Some(policy) => decided(case, state, policy),
        None => Ok(Ok(())),
    }
}

/// Roles, scope and seat. Every grant used must cover the record.
fn granted(case: &Case<'_>, actor: &ActorRow, row: &Row) -> Result<(), Fault> {
    let (record, decl) = (case.record, &row.decl);
    let scope = record.scope.as_deref();
    let mut roles = actor.roles.iter().filter(|grant| decl.roles.contains(&grant.role)).peekable();
    if !decl.roles.is_empty() && roles.peek().is_none() {
        let detail = format!("`{}` holds none of the roles `{}`", record.actor, decl.roles.join("`, `"));
        return Err((GovernCode::AuthorityRole, detail));
    }
    let outside = || {
        let named = scope.map_or_else(|| "no scope".to_owned(), |scope| format!("scope `{scope}`"));
        (GovernCode::AuthorityScope, format!("the record names {named}, which the grant of `{}` does not cover", record.actor))
    };
    if decl.scope && scope.is_none() || !decl.roles.is_empty() && !roles.any(|grant| covers(grant.scope.as_deref(), scope)) {
        return Err(outside());
    }
    // A seat that is named is a claim, whether or not this row asks for it.
    if decl.seat.is_some() && decl.seat != record.seat {
        let detail = format!("the record names seat `{}`, needed is `{}`", shown(&record.seat), shown(&decl.seat));
        return Err((GovernCode::AuthoritySeat, detail));
    }
    if let Some(seat) = &record.seat
        && !actor.seats.iter().any(|grant| grant.seat == *seat && covers(grant.scope.as_deref(), scope))
    {
        return Err((GovernCode::AuthoritySeat, format!("`{}` does not sit on seat `{seat}` there", record.actor)));
    }
    Ok(())
}

/// A grant for `a` covers `a` and `a/b`; a grant without scope covers everything, a limited one nothing without a scope.
fn covers(grant: Option<&str>, scope: Option<&str>) -> bool {
    let Some(grant) = grant else { return true };
    scope.and_then(|scope| scope.strip_prefix(grant)).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a grant of the named seat was made under a charter that is ratified.
fn chartered<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>, actor: &ActorRow) -> Staged<bool, V> {
    let scope = case.record.scope.as_deref();
    for grant in actor.seats.iter().filter(|grant| Some(&grant.seat) == case.record.seat.as_ref()) {
        if let Some(charter) = grant.charter.as_deref().filter(|_| covers(grant.scope.as_deref(), scope))
            && state.subject(charter)?.is_some_and(|row| row.active.is_some())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Who performed an action on the subject. Of proposals it is whoever made the one that the record names.
pub(super) fn performer<'a>(case: &'a Case<'_>, action: &str) -> Option<&'a str> {
    let proposed = case.lifecycle.actions.get(action).is_some_and(proposes);
    if proposed && let Some(proposal) = case.proposal() {
        return Some(&proposal.actor);
    }
    case.subject.as_ref()?.actors.get(action).map(String::as_str)
}

fn under_ceiling(case: &Case<'_>, row: &Row) -> Result<(), Fault> {
    for (asset, ceiling) in &row.ceiling {
        let of = |name: &str| name.split_once('/').map_or(name, |(base, _)| base) == asset;
        let credits = case.legs.iter().filter(|leg| leg.side == Side::Credit && of(leg.asset));
        // Saturating: what exceeds a total exceeds every ceiling, except the one that is no limit.
        let total = credits.fold(0_u128, |sum, leg| sum.saturating_add(leg.amount));
        if total > *ceiling {
            return Err((GovernCode::AuthorityCeiling, format!("credits {total} of `{asset}`, `{}` allows {ceiling}", row.name)));
        }
    }
    Ok(())
}

/// The signature, verified once however many rows ask for it. One that is given must hold even where none is needed.
fn signed(case: &Case<'_>, key: Option<&str>, needed: bool, known: &mut Option<bool>) -> Result<(), Fault> {
    let Some(sig) = &case.record.sig else {
        return if needed { Err((GovernCode::SignatureMissing, "the record is not signed".to_owned())) } else { Ok(()) };
    };
    let verify = || match (key.and_then(sign::key_bytes), sign::signature_bytes(sig)) {
        (Some(key), Some(sig)) => case.outside.verify(&key, &sign::encode(case.entry.origin, &case.bytes), &sig),
        _ => false,
    };
    if *known.get_or_insert_with(verify) {
        return Ok(());
    }
    let detail = format!("the signature does not hold for the key of `{}` in ledger `{}`", case.record.actor, case.entry.origin);
    Err((GovernCode::SignatureInvalid, detail))
}

/// The latest decision about the subject, the action and the policy.
fn decided<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>, policy: &str) -> Staged<Result<(), Fault>, V> {
    let record = case.record;
    let about = || format!("`{}` of `{}` under `{policy}`", record.action, record.subject);
    let Some(auth) = record.auth else {
        return Ok(Err((GovernCode::AccessMissing, format!("`auth` names no decision about {}", about()))));
    };
    let of = case.rules.decisions.as_deref().unwrap_or_default();
    let latest = state.subject(&decision_subject(of, &record.subject, &record.action, policy))?;
    let answer = match latest {
        None => Err((GovernCode::AccessUnknown, format!("there is no decision about {}", about()))),
        Some(row) if row.last != auth => {
            Err((GovernCode::AccessSuperseded, format!("`auth` is {auth}, the latest decision about {} is {}", about(), row.last)))
        }
        Some(row) if row.decision.as_deref() != Some("ALLOW") => Err((GovernCode::AccessDenied, format!("{} is denied", about()))),
        Some(_) => Ok(()),
    };
    Ok(answer)
}

fn shown(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or("none")
}
