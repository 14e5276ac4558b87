//! Stages five and six: does everything else hold that was asked for, and is everything still there that is used up?
//!
//! Guards are a closed set. An invariant is a pure component, asked through [`super::Outside`]. What a guard names and cannot be
//! found does not hold.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use serde_json::{Map, Value};

use super::amount;
use super::authority::performer;
use super::code::GovernCode;
use super::declare::InvariantDecl;
use super::expr::{Expr, Scope};
use super::judge::{Case, Fault, JudgeError, Staged, Stop};
use super::outside::Holds;
use super::overlay::Overlay;
use super::row::balance_key;
use super::rules::{Guard, GuardOf};
use crate::error::Refusal;
use crate::state::StateView;
use crate::time::Instant;

impl Case<'_> {
    /// What expressions are resolved against.
    pub(super) fn scope(&self) -> Scope<'_> {
        let subject = self.subject.as_deref();
        let state = subject.and_then(|row| row.state.as_deref());
        Scope { record: self.record, kept: subject.map(|row| &row.kept), state, at: self.entry.at, place: None, run: None, effect: None }
    }
}

pub(super) fn check<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>) -> Staged<(), V> {
    for guard in &case.action.guards {
        holds(case, state, guard)?;
    }
    for invariant in &case.action.invariants {
        ask(case, state, invariant)?;
    }
    Ok(())
}

/// Whether a guard holds, with `kept` as that of the other subject where it names one.
pub(super) fn holds<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>, guard: &GuardOf) -> Staged<(), V> {
    let GuardOf { of, guard } = guard;
    let other = match of.as_ref().map(|of| of.text(case.scope())) {
        // Without `of`, or with one that leads nowhere.
        None | Some(None) => None,
        Some(Some(subject)) => state.subject(&subject)?,
    };
    let kept = if of.is_some() { other.as_ref() } else { case.subject.as_ref() };
    let scope = Scope { kept: kept.map(|row| &row.kept), ..case.scope() };
    one(case, state, scope, guard)
}

/// A text that must be there for the guard to hold.
fn need<'a>(scope: Scope<'a>, expr: &'a Expr, code: GovernCode) -> Result<Cow<'a, str>, Fault> {
    expr.text(scope).ok_or_else(|| (code, "an operand of the guard leads nowhere".to_owned()))
}

fn one<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>, scope: Scope<'_>, guard: &Guard) -> Staged<(), V> {
    let fail = |holds: bool, code: GovernCode, detail: &dyn Fn() -> String| if holds { Ok(()) } else { Err(Stop::from((code, detail()))) };
    match guard {
        Guard::StateIn { subject, states } => {
            let subject = need(scope, subject, GovernCode::GuardStateIn)?;
            let is = state.subject(&subject)?.and_then(|row| row.state.clone());
            let holds = is.as_ref().is_some_and(|is| states.contains(is));
            let got = is.as_deref().unwrap_or("no state");
            fail(holds, GovernCode::GuardStateIn, &|| format!("`{subject}` is in `{got}`, needed is one of `{}`", states.join("`, `")))
        }
        Guard::Exists { subject } => {
            let subject = need(scope, subject, GovernCode::GuardExists)?;
            let holds = state.has_subject(&subject)?;
            fail(holds, GovernCode::GuardExists, &|| format!("`{subject}` does not exist"))
        }
        Guard::KeyUnconsumed { key } => {
            let key = need(scope, key, GovernCode::GuardKeyUnconsumed)?;
            let holds = state.consumed(&key)?.is_none();
            fail(holds, GovernCode::GuardKeyUnconsumed, &|| format!("key `{key}` was used up"))
        }
        Guard::VersionRatified { subject, field, equals } => {
            let subject = need(scope, subject, GovernCode::GuardVersionRatified)?;
            let row = state.subject(&subject)?.filter(|row| row.active.is_some());
            let holds = row.is_some_and(|row| match (field, equals) {
                (Some(field), Some(equals)) => equals.value(scope).is_some_and(|value| row.kept.get(field) == Some(&*value)),
                _ => true,
            });
            fail(holds, GovernCode::GuardVersionRatified, &|| format!("`{subject}` has no active version, or not the one needed"))
        }
        Guard::ActorsDistinct { actions, and } => {
            let actor = case.record.actor.as_str();
            for other in and {
                let other = need(scope, other, GovernCode::GuardActorsDistinct)?;
                fail(other != actor, GovernCode::GuardActorsDistinct, &|| format!("`{actor}` may not be the one named"))?;
            }
            let mine = actions.iter().find(|action| performer(case, action) == Some(actor));
            let name = mine.map(String::as_str).unwrap_or_default();
            fail(mine.is_none(), GovernCode::GuardActorsDistinct, &|| format!("`{actor}` has performed `{name}`"))
        }
        Guard::FieldEquals { left, right } => {
            let holds = matches!((left.value(scope), right.value(scope)), (Some(a), Some(b)) if a == b);
            fail(holds, GovernCode::GuardFieldEquals, &|| "the two values differ, or one is missing".to_owned())
        }
        Guard::FieldIn { field, values } => {
            let holds = field.value(scope).is_some_and(|value| values.contains(&value));
            fail(holds, GovernCode::GuardFieldIn, &|| "the value is none of those listed, or missing".to_owned())
        }
        Guard::FieldPositive { field } => {
            let value = field.value(scope);
            let holds = value.is_some_and(|value| match &*value {
                Value::String(text) => amount::parse_positive(text).is_some(),
                Value::Number(number) => number.as_i64().is_some_and(|number| number > 0),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
            });
            fail(holds, GovernCode::GuardFieldPositive, &|| "the value is not above zero".to_owned())
        }
        Guard::TimeWindow { not_before, before } => {
            let at = case.entry.at;
            for (bound, late) in [(not_before, false), (before, true)] {
                let Some(bound) = bound else { continue };
                let bound = need(scope, bound, GovernCode::GuardTimeWindow)?;
                let holds = Instant::parse_stored(&bound).is_some_and(|bound| (bound.as_str() <= at) != late);
                fail(holds, GovernCode::GuardTimeWindow, &|| format!("`{at}` lies outside of the window at `{bound}`"))?;
            }
            Ok(())
        }
    }
}

/// Asks an invariant.
pub(super) fn ask<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>, invariant: &InvariantDecl) -> Staged<(), V> {
    let input = input(case, state)?;
    match case.outside.invariant(&invariant.module, &invariant.capability, &input) {
        Ok(Holds::Yes) => Ok(()),
        Ok(Holds::Violated { status }) => {
            Err((GovernCode::InvariantViolated, format!("`{}` answers `{status}`", invariant.capability)).into())
        }
        Ok(Holds::Trapped { code }) => Err((GovernCode::InvariantFailed, format!("`{}` trapped: `{code}`", invariant.capability)).into()),
        Err(undecided) => Err(Stop::Judge(JudgeError::Undecided(undecided))),
    }
}

fn input<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>) -> Staged<Value, V> {
    let subject = case.subject.as_ref().map_or(Value::Null, |row| {
        let standing = row.state.clone().map_or(Value::Null, Value::String);
        object([("state", standing), ("kept", Value::Object(row.kept.clone()))])
    });
    let mut balances = Map::new();
    for leg in &case.legs {
        let key = balance_key(leg.account, leg.asset);
        let row = state.balance(&key)?.map(|row| *row).unwrap_or_default();
        balances.insert(key, Value::String(amount::balance(row.credits, row.debits)));
    }
    // An account of which a template takes nothing has no leg, and how much is there may be what matters.
    for template in case.action.legs.iter().flatten() {
        let scope = case.scope();
        let (Some(debit), Some(credit), Some(asset)) =
            (template.debit.text(scope), template.credit.text(scope), template.asset.text(scope))
        else {
            continue;
        };
        for account in [debit, credit] {
            let key = balance_key(&account, &asset);
            if !balances.contains_key(&key) {
                let row = state.balance(&key)?.map(|row| *row).unwrap_or_default();
                balances.insert(key, Value::String(amount::balance(row.credits, row.debits)));
            }
        }
    }
    let record = serde_json::to_value(case.record).map_err(|_| Stop::Judge(JudgeError::Entry(Refusal::Shape)))?;
    let at = Value::String(case.entry.at.to_owned());
    Ok(object([("record", record), ("subject", subject), ("at", at), ("balances", Value::Object(balances))]))
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The keys are exactly those that the action uses up, and none was used before.
pub(super) fn consume<V: StateView + ?Sized>(case: &Case<'_>, state: &mut Overlay<'_, V>) -> Staged<(), V> {
    let (given, templates) = (&case.record.consumes, &case.action.consumes);
    let same = given.len() == templates.len()
        && given.iter().zip(templates).all(|(key, template)| template.text(case.scope()).is_some_and(|needed| needed == key.as_str()));
    if !same {
        let needed = templates.iter().map(|template| template.text(case.scope()).unwrap_or(Cow::Borrowed("?")).into_owned());
        let needed: alloc::vec::Vec<String> = needed.collect();
        let detail = format!("consumes `{}`, the action consumes `{}`", given.join("`, `"), needed.join("`, `"));
        return Err((GovernCode::ConsumesMismatch, detail).into());
    }
    let mut seen = BTreeSet::new();
    for key in given {
        if !seen.insert(key) || state.consumed(key)?.is_some() {
            return Err((GovernCode::KeyConsumed, format!("key `{key}` was used up")).into());
        }
    }
    Ok(())
}
