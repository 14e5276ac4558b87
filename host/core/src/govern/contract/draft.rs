//! The records that carry an item on, complete but for the signature: nobody types keys, movements or what a run has said.
//!
//! Movements and keys come from the lifecycle's own templates. Nothing is decided here: the judge refuses what does not fit.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{About, Answer, Contract, Item, ItemError, Mode, Proof, RunFacts, resolved, settlement_mode};
use crate::entry::{Posting, Record, Side};
use crate::govern::amount;
use crate::govern::expr::Scope;
use crate::govern::rules::{Action, Protocol};
use crate::state::StateView;

/// What is to be said of an item.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// That it is to be carried out; `given` is all of the payload.
    Queue,
    /// That it was executed by this run.
    Execute(&'a RunFacts),
    /// That somebody vouches for what was settled elsewhere.
    Attest,
    /// That it was settled, by this run if the contract asks for one.
    Settle(Option<&'a RunFacts>),
    /// That what was meant has happened.
    Fulfill(Option<&'a RunFacts>),
    /// That it failed for good.
    Fail,
    /// That it will not be carried out.
    Void,
}

/// Drafts the record. `given` are the members of the payload that the contract does not fill: a reason, an evidence, a proof.
///
/// # Errors
/// `queue_unknown`; `queue_settlement` when nothing is to be settled, or not by evidence; `queue_proof` when no such proof is accepted;
/// `payload_unknown` when a member that is given is filled by the contract; `consumes_mismatch` and `posting_mismatch` when a template leads nowhere.
pub fn draft<V: StateView + ?Sized>(
    rules: &Protocol,
    contract: &Contract,
    view: &V,
    about: &Item<'_>,
    step: Step<'_>,
    given: &Map<String, Value>,
) -> Answer<Record, V> {
    let actions = &contract.decl.actions;
    let missing = |what: &str, code| ItemError::refused(code, format!("`{}` has no action for {what}", contract.code()));
    let (action, run) = match step {
        Step::Queue => (&actions.queue, None),
        Step::Execute(run) => (&actions.execute, Some(run)),
        Step::Attest => (actions.attest.as_ref().ok_or_else(|| missing("evidence", "queue_settlement"))?, None),
        Step::Settle(run) => (actions.settle.as_ref().ok_or_else(|| missing("settlement", "queue_settlement"))?, run),
        Step::Fulfill(run) => (actions.fulfill.as_ref().ok_or_else(|| missing("fulfillment", "queue_proof"))?, run),
        Step::Fail => (&actions.fail, None),
        Step::Void => (&actions.void, None),
    };
    match step {
        Step::Attest | Step::Settle(_) => {
            let mode = settlement_mode(rules, contract, view, about)?;
            if mode == Mode::None || matches!(step, Step::Attest) && mode != Mode::External {
                let detail = format!("`{}` is settled `{mode:?}`", about.subject).to_lowercase();
                return Err(ItemError::refused("queue_settlement", detail));
            }
        }
        Step::Fulfill(_) => proof(contract, given)?,
        Step::Queue | Step::Execute(_) | Step::Fail | Step::Void => {}
    }
    let mut said = match step {
        Step::Queue => About::new(rules, contract, about, action, None)?,
        Step::Execute(_) | Step::Attest | Step::Settle(_) | Step::Fulfill(_) | Step::Fail | Step::Void => {
            About::of(rules, contract, view, about, action)?
        }
    };
    let mut payload = match step {
        Step::Execute(_) => resolved(&contract.execute, said.scope(run)),
        Step::Settle(_) => resolved(&contract.settle, said.scope(run)),
        Step::Queue | Step::Attest | Step::Fulfill(_) | Step::Fail | Step::Void => Map::new(),
    };
    for (name, value) in given {
        if payload.insert(name.clone(), value.clone()).is_some() {
            return Err(ItemError::refused("payload_unknown", format!("`payload.{name}` is said by the contract")));
        }
    }
    said.record.payload = Value::Object(payload);
    said.record.refs.extend(run.map(|run| ("run".to_owned(), run.receipt)));
    let (consumes, postings) = (consumed(said.action, said.scope(None))?, postings(said.action, said.scope(None))?);
    Ok(Record { consumes, postings, ..said.record })
}

/// Whether a proof is one that the contract accepts, with what it needs.
fn proof<E>(contract: &Contract, given: &Map<String, Value>) -> Result<(), ItemError<E>> {
    let accepted = contract.decl.fulfillment.as_ref().map(|fulfillment| fulfillment.proofs.as_slice()).unwrap_or_default();
    let named = given.get("proof").and_then(Value::as_str);
    let Some(proof) = accepted.iter().find(|proof| Some(proof.as_str()) == named) else {
        let accepted: Vec<&str> = accepted.iter().map(|proof| proof.as_str()).collect();
        let detail = format!("the proof is `{}`, accepted are `{}`", named.unwrap_or("missing"), accepted.join("`, `"));
        return Err(ItemError::refused("queue_proof", detail));
    };
    match needs(*proof).filter(|member| !given.contains_key(*member)) {
        Some(member) => Err(ItemError::refused("queue_proof", format!("a proof by `{}` needs `{member}`", proof.as_str()))),
        None => Ok(()),
    }
}

/// The member that a proof cannot do without.
pub(in crate::govern) const fn needs(proof: Proof) -> Option<&'static str> {
    match proof {
        Proof::Manual => None,
        Proof::Digest => Some("evidence"),
        Proof::Milestone => Some("milestone"),
    }
}

/// The keys of an action.
pub(in crate::govern) fn consumed<E>(action: &Action, scope: Scope<'_>) -> Result<Vec<String>, ItemError<E>> {
    let key = |(nth, key): (usize, &crate::govern::expr::Expr)| {
        let text = key.text(scope).map(Cow::into_owned);
        text.ok_or_else(|| ItemError::refused("consumes_mismatch", format!("key {nth} of the action leads nowhere")))
    };
    action.consumes.iter().enumerate().map(key).collect()
}

/// The movements of an action, debit before credit. One whose amount is zero has no legs.
pub(in crate::govern) fn postings<E>(action: &Action, scope: Scope<'_>) -> Result<Option<Vec<Posting>>, ItemError<E>> {
    let Some(templates) = &action.legs else { return Ok(None) };
    let mut legs = Vec::new();
    for (nth, template) in templates.iter().enumerate() {
        let parts = (template.debit.text(scope), template.credit.text(scope), template.asset.text(scope), template.amount.text(scope));
        let (Some(debit), Some(credit), Some(asset), Some(amount)) = parts else {
            return Err(ItemError::refused("posting_mismatch", format!("an operand of movement {nth} leads nowhere")));
        };
        if amount::parse(&amount) == Some(0) {
            continue;
        }
        for (side, account) in [(Side::Debit, debit), (Side::Credit, credit)] {
            let (account, amount, asset) = (account.into_owned(), amount.to_string(), asset.to_string());
            legs.push(Posting { account, amount, asset, side });
        }
    }
    Ok(Some(legs))
}
