//! The records that decide a proposal and carry it out, complete but for the signatures: nobody types a tally, a hash or an effect.
//!
//! Nothing is decided here: the judge refuses what does not fit.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{DECISION_HASH, DECISION_REF, Decisions, Prescribed, TALLY};
use crate::entry::Record;
use crate::govern::apply;
use crate::govern::contract::{Answer, ItemError, consumed, postings};
use crate::govern::declare::Step;
use crate::govern::expr::{Expr, Reference, Scope};
use crate::govern::judge::{Case, EntryContext};
use crate::govern::outside::Alone;
use crate::govern::overlay::Overlay;
use crate::govern::row::{SubjectRow, balance_key};
use crate::govern::rules::{Action, Lifecycle, Protocol};
use crate::hash::Digest;
use crate::state::StateView;

/// Which proposal, who speaks of it, and when.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The proposal, `Type:Id`.
    pub subject: &'a str,
    /// Who speaks.
    pub actor: &'a str,
    /// When, in the stored spelling.
    pub at: &'a str,
}

/// How a proposal ends its ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was carried.
    Carried,
    /// It was not.
    Rejected,
}

/// What drafting looks at.
struct Drafting<'a, V: StateView + ?Sized> {
    rules: &'a Protocol,
    decisions: &'a Decisions,
    lifecycle: &'a Lifecycle,
    about: &'a Proposal<'a>,
    row: Rc<SubjectRow>,
    state: Overlay<'a, V>,
}

/// How many ballots lie where the decision takes them from, by the member of the tally that says so.
///
/// # Errors
/// `decision_unknown` when there is no such proposal; anything else says that the state has no answer.
pub fn tally<V: StateView + ?Sized>(rules: &Protocol, view: &V, about: &Proposal<'_>) -> Answer<Map<String, Value>, V> {
    let mut drafting = Drafting::new(rules, view, about)?;
    let decide = &drafting.decisions.actions.decide;
    drafting.tally(decide)
}

/// Drafts the record that says how the ballot ended. `given` are members beside the tally and the hash.
///
/// # Errors
/// `decision_unknown`; `decision_verdict` when the contract has no action for it; `payload_unknown` when a member that is given is filled
/// here; `consumes_mismatch` and `posting_mismatch` when a template leads nowhere.
pub fn decide<V: StateView + ?Sized>(
    rules: &Protocol,
    view: &V,
    about: &Proposal<'_>,
    verdict: Verdict,
    given: &Map<String, Value>,
) -> Answer<Record, V> {
    let mut drafting = Drafting::new(rules, view, about)?;
    let actions = &drafting.decisions.actions;
    let name = match (verdict, &actions.reject) {
        (Verdict::Carried, _) => &actions.decide,
        (Verdict::Rejected, Some(reject)) => reject,
        (Verdict::Rejected, None) => {
            return Err(ItemError::refused("decision_verdict", "the contract has no action for a proposal that failed"));
        }
    };
    let tally = drafting.tally(name)?;
    let action = drafting.action(name)?;
    let mut record = drafting.record(name, &drafting.row);
    let mut payload = Map::new();
    if action.declares(TALLY) {
        payload.insert(TALLY.to_owned(), Value::Object(tally));
    }
    record.payload = Value::Object(payload.clone());
    if action.declares(DECISION_HASH) {
        let scope = drafting.scope(&record);
        let hash = drafting.decisions.hash.text(scope).map(|text| Value::String(text.into_owned()));
        payload.extend(hash.map(|hash| (DECISION_HASH.to_owned(), hash)));
    }
    for (name, value) in given {
        if payload.insert(name.clone(), value.clone()).is_some() {
            return Err(ItemError::refused("payload_unknown", format!("`payload.{name}` is filled in by who drafts")));
        }
    }
    record.payload = Value::Object(payload);
    drafting.finished(action, record)
}

/// Drafts the entry that carries a decision out: the record that says so and the effects, in their order.
///
/// # Errors
/// `decision_unknown`; `decision_effects` when an expression of an effect leads nowhere, `effect_unknown` when it is none any more.
pub fn draft<V: StateView + ?Sized>(rules: &Protocol, view: &V, about: &Proposal<'_>) -> Answer<Vec<Record>, V> {
    let mut drafting = Drafting::new(rules, view, about)?;
    let name = &drafting.decisions.actions.execute;
    let (action, decided) = (drafting.action(name)?, drafting.row.last);
    let mut record = drafting.record(name, &drafting.row);
    record.refs.insert(DECISION_REF.to_owned(), decided);
    let record = drafting.finished(action, record)?;
    let prescribed = drafting.decisions.prescribed(&record, &drafting.row, about.at);
    let prescribed = prescribed.map_err(|(code, detail)| ItemError::refused(code.as_str(), detail))?;
    drafting.passed(drafting.lifecycle, action, &record)?;
    let mut records = Vec::with_capacity(prescribed.len().saturating_add(1));
    records.push(record);
    for each in prescribed {
        records.push(drafting.effect(each)?);
    }
    Ok(records)
}

/// Drafts the record that says that a decision can never be carried out.
///
/// # Errors
/// As [`decide`].
pub fn fail<V: StateView + ?Sized>(rules: &Protocol, view: &V, about: &Proposal<'_>, code: &str, detail: &str) -> Answer<Record, V> {
    let drafting = Drafting::new(rules, view, about)?;
    let name = &drafting.decisions.actions.fail;
    let action = drafting.action(name)?;
    let mut record = drafting.record(name, &drafting.row);
    let said = [("code", code), ("detail", detail)].into_iter().filter(|(name, _)| action.declares(name));
    record.payload = Value::Object(said.map(|(name, text)| (name.to_owned(), Value::String(text.to_owned()))).collect());
    record.refs.insert(DECISION_REF.to_owned(), drafting.row.last);
    drafting.finished(action, record)
}

impl<'a, V: StateView + ?Sized> Drafting<'a, V> {
    fn new(rules: &'a Protocol, view: &'a V, about: &'a Proposal<'a>) -> Answer<Self, V> {
        let unknown = || ItemError::refused("decision_unknown", format!("`{}` is no proposal that can be decided", about.subject));
        let decisions = rules.decisions_about(about.subject).ok_or_else(unknown)?;
        let lifecycle = rules.lifecycle(&decisions.record).ok_or_else(unknown)?;
        let mut state = Overlay::new(view);
        let row = state.subject(about.subject)?.ok_or_else(unknown)?;
        Ok(Self { rules, decisions, lifecycle, about, row, state })
    }

    fn action(&self, name: &str) -> Answer<&'a Action, V> {
        let missing = || ItemError::refused("decision_unknown", format!("`{}` has no action `{name}`", self.lifecycle.record));
        self.lifecycle.actions.get(name).ok_or_else(missing)
    }

    /// A record about the proposal.
    fn record(&self, action: &str, row: &SubjectRow) -> Record {
        blank(self.lifecycle, action, self.about.subject, self.about.actor, Some(row.last))
    }

    fn scope<'s>(&'s self, record: &'s Record) -> Scope<'s> {
        let row = &self.row;
        Scope { record, kept: Some(&row.kept), state: row.state.as_deref(), at: self.about.at, place: None, run: None, effect: None }
    }

    fn finished(&self, action: &Action, record: Record) -> Answer<Record, V> {
        let scope = self.scope(&record);
        let (consumes, postings) = (consumed(action, scope)?, postings(action, scope)?);
        Ok(Record { consumes, postings, ..record })
    }

    fn tally(&mut self, action: &str) -> Answer<Map<String, Value>, V> {
        let action = self.action(action)?;
        let record = self.record("", &self.row);
        let mut counted = Vec::new();
        for template in action.legs.iter().flatten() {
            let Expr::Reference(Reference::Inside(whole, member)) = &template.amount else { continue };
            if **whole != Reference::Payload(TALLY.to_owned()) {
                continue;
            }
            let scope = self.scope(&record);
            if let (Some(account), Some(asset)) = (template.debit.text(scope), template.asset.text(scope)) {
                counted.push((member.clone(), balance_key(&account, &asset)));
            }
        }
        let mut tally = Map::new();
        for (member, key) in counted {
            let net = self.state.balance(&key)?.map_or_else(|| String::from("0"), |row| row.net());
            tally.insert(member, Value::String(net));
        }
        Ok(tally)
    }

    /// An effect as a record, upon what the earlier ones of the entry leave.
    fn effect(&mut self, each: Prescribed) -> Answer<Record, V> {
        let lifecycle = self.rules.lifecycle(&each.record);
        let action = lifecycle.and_then(|lifecycle| lifecycle.actions.get(&each.action));
        let (Some(lifecycle), Some(action)) = (lifecycle, action) else {
            return Err(ItemError::refused("decision_effects", format!("there is no action `{}`", each.action)));
        };
        let row = self.state.subject(&each.subject)?;
        let mut record = blank(lifecycle, &each.action, &each.subject, self.about.actor, row.as_ref().map(|row| row.last));
        record.refs.extend(each.refs);
        record.payload = each.payload;
        record.version = action.step.map(|step| version(step, row.as_deref(), record.refs.get("proposal")));
        let (kept, state) = (row.as_ref().map(|row| &row.kept), row.as_ref().and_then(|row| row.state.as_deref()));
        let scope = Scope { record: &record, kept, state, at: self.about.at, place: None, run: None, effect: None };
        let (consumes, postings) = (consumed(action, scope)?, postings(action, scope)?);
        let record = Record { consumes, postings, ..record };
        self.passed(lifecycle, action, &record)?;
        Ok(record)
    }

    /// The state as it is after a record that was drafted, as far as drafting looks at it.
    fn passed(&mut self, lifecycle: &Lifecycle, action: &Action, record: &Record) -> Answer<(), V> {
        let hash = record.hash().map_err(|error| ItemError::refused(error.code(), error.to_string()))?;
        let entry = EntryContext { origin: "", at: self.about.at, protocol: *self.rules.snapshot(), seq: 0 };
        let subject = self.state.subject(&record.subject)?;
        let case = Case {
            rules: self.rules,
            outside: &Alone,
            entry: &entry,
            record,
            lifecycle,
            action,
            bytes: Vec::new(),
            hash,
            subject,
            legs: Vec::new(),
            run: None,
        };
        let row = apply::subject(&case);
        self.state.put_subject(&record.subject, row);
        Ok(())
    }
}

/// A record without what its action prescribes.
fn blank(lifecycle: &Lifecycle, action: &str, subject: &str, actor: &str, prev: Option<Digest>) -> Record {
    Record {
        action: action.to_owned(),
        actor: actor.to_owned(),
        auth: None,
        consumes: Vec::new(),
        kind: lifecycle.kind,
        payload: Value::Object(Map::new()),
        postings: None,
        refs: prev.into_iter().map(|prev| ("prev".to_owned(), prev)).collect(),
        scope: None,
        seat: None,
        sig: None,
        subject: subject.to_owned(),
        type_: lifecycle.record.clone(),
        version: None,
    }
}

/// The number that a step is about: the next one, or that of the open proposal that it names.
fn version(step: Step, row: Option<&SubjectRow>, proposal: Option<&Digest>) -> u64 {
    let next = row.and_then(|row| row.active).map_or(1, |active| active.version.saturating_add(1));
    let open = || row.and_then(|row| row.open.iter().find(|open| Some(&open.record) == proposal));
    match step {
        Step::Propose => next,
        Step::Ratify | Step::Withdraw => open().map_or(next, |open| open.version),
    }
}
