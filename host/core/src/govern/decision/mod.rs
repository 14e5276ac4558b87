//! Decision contracts in force: what a proposal may bring about, and which records that is (`protocol/decisions.md`).
//!
//! A decision becomes change in one entry: the record that carries it out, and after it exactly the records that its effects are. The
//! same function says which these are when they are drafted and when they are judged.

pub mod declare;
mod draft;
mod receipt;

pub use draft::{Proposal, Verdict, decide, draft, fail, tally};
pub use receipt::{ExecutionReceipt, execution_hash, receipt, state_change_hash};

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::code::GovernCode;
use super::expr::{Expr, Scope};
use super::field::Field;
use super::judge::{Case, Fault};
use super::near::nearest;
use super::row::SubjectRow;
use super::rules::Protocol;
use crate::entry::Record;
use crate::hash::Digest;
use declare::RolesDecl;

/// The member of a decision that names it for ever.
pub const DECISION_HASH: &str = "decision_hash";
/// The member of a decision that says how it came about.
pub const TALLY: &str = "tally";
/// The back-link of everything that a decision brings about.
pub const DECISION_REF: &str = "decision";
/// The key that carrying out a decision uses up.
pub const DECISION_KEY: &str = "decision:{kept.decision_hash}";
/// The list in the member that holds the effects, and the member of each that names it.
pub(super) const EFFECTS: &str = "effects";
pub(super) const EFFECT: &str = "effect";

/// All decision contracts about one record type, compiled.
#[derive(Clone, Debug)]
pub struct Decisions {
    /// Codes of the artifacts.
    pub codes: Vec<String>,
    /// The record type of proposals.
    pub record: String,
    /// Type of their subjects.
    pub subject: String,
    /// Which action does what.
    pub actions: RolesDecl,
    /// The kept member that holds the effects.
    pub effects_in: String,
    /// The states that carrying out leaves.
    pub decided: String,
    /// What the hash of a decision is over.
    pub(super) hash: Expr,
    pub(super) effects: BTreeMap<String, Effect>,
}

/// An effect, compiled.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    pub(super) fields: BTreeMap<String, Field>,
    pub(super) required: Vec<String>,
    pub(super) records: Vec<Template>,
}

/// A record that an effect is.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) record: String,
    pub(super) action: String,
    pub(super) subject: Expr,
    pub(super) payload: BTreeMap<String, Expr>,
    pub(super) refs: BTreeMap<String, Expr>,
}

/// What expressions of an effect's records are resolved against, beside the proposal.
#[derive(Clone, Copy)]
pub(super) struct EffectFacts<'a> {
    pub(super) fields: &'a Map<String, Value>,
    pub(super) nth: usize,
    pub(super) decision: &'a str,
    pub(super) decision_hash: &'a str,
}

/// An effect's declaration with what a proposal says of it.
type Listed<'a> = (&'a Effect, &'a Map<String, Value>);

/// A record as an effect prescribes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prescribed {
    pub(super) record: String,
    pub(super) action: String,
    pub(super) subject: String,
    pub(super) payload: Value,
    pub(super) refs: BTreeMap<String, Digest>,
}

impl Protocol {
    /// What is decided about records of a type.
    #[must_use]
    pub fn decisions(&self, record: &str) -> Option<&Decisions> {
        self.decision_contracts.get(record)
    }

    /// All decision contracts, one for each record type of proposals.
    pub fn all_decisions(&self) -> impl Iterator<Item = &Decisions> {
        self.decision_contracts.values()
    }

    /// The decision contract whose proposals have subjects of this type.
    #[must_use]
    pub fn decisions_about(&self, subject: &str) -> Option<&Decisions> {
        let (of, _) = subject.split_once(':')?;
        self.decision_contracts.values().find(|decisions| decisions.subject == of)
    }
}

impl Decisions {
    /// The effects that may be decided, by name.
    pub fn effects(&self) -> impl Iterator<Item = &str> {
        self.effects.keys().map(String::as_str)
    }

    /// The effects of a proposal by name, each with the number of records that it is; nothing if one of them is none of these.
    #[must_use]
    pub fn shape(&self, kept: &Map<String, Value>) -> Option<Vec<(String, usize)>> {
        let listed = self.listed(kept.get(&self.effects_in)).ok()?;
        let named = |(effect, members): (&Effect, &Map<String, Value>)| {
            let name = members.get(EFFECT).and_then(Value::as_str).unwrap_or_default();
            (name.to_owned(), effect.records.len())
        };
        Some(listed.into_iter().map(named).collect())
    }

    /// The effects that a member lists, each with its declaration.
    fn listed<'a>(&'a self, member: Option<&'a Value>) -> Result<Vec<Listed<'a>>, Fault> {
        let wrong = |detail: String| (GovernCode::EffectField, detail);
        let object = member.and_then(Value::as_object).filter(|object| object.len() == 1);
        let list = object.and_then(|object| object.get(EFFECTS)).and_then(Value::as_array);
        let Some(list) = list.filter(|list| !list.is_empty()) else {
            return Err(wrong(format!("`{}` holds `{EFFECTS}`, a list of at least one, and nothing else", self.effects_in)));
        };
        let mut effects = Vec::with_capacity(list.len());
        for (nth, each) in list.iter().enumerate() {
            let members = each.as_object().ok_or_else(|| wrong(format!("effect {nth} is no object")))?;
            let name = members.get(EFFECT).and_then(Value::as_str).unwrap_or_default();
            let Some(effect) = self.effects.get(name) else {
                let detail = format!("effect {nth} is `{name}`, {}", nearest(name, self.effects.keys()));
                return Err((GovernCode::EffectUnknown, detail));
            };
            effects.push((effect, members));
        }
        Ok(effects)
    }

    /// Whether every effect is one that can be carried out, and says what it needs.
    fn admits(&self, member: Option<&Value>, rules: &Protocol) -> Result<(), Fault> {
        for (nth, (effect, members)) in self.listed(member)?.into_iter().enumerate() {
            let wrong = |name: &str, why: &str| Err((GovernCode::EffectField, format!("`{name}` of effect {nth} {why}")));
            for (name, value) in members.iter().filter(|(name, _)| *name != EFFECT) {
                match effect.fields.get(name) {
                    None => return wrong(name, &format!("is not declared, {}", nearest(name, effect.fields.keys()))),
                    Some(field) if !field.admits(value, rules) => return wrong(name, "is not of its declared type"),
                    Some(_) => {}
                }
            }
            if let Some(name) = effect.required.iter().find(|name| !members.contains_key(*name)) {
                return wrong(name, "is required");
            }
        }
        Ok(())
    }

    /// The records that carrying out a proposal is, after the one that says so.
    pub(super) fn prescribed(&self, execute: &Record, row: &SubjectRow, at: &str) -> Result<Vec<Prescribed>, Fault> {
        let hash = row.kept.get(DECISION_HASH).and_then(Value::as_str).unwrap_or_default();
        let decision = row.last.to_string();
        let mut prescribed = Vec::new();
        for (nth, (effect, fields)) in self.listed(row.kept.get(&self.effects_in))?.into_iter().enumerate() {
            let facts = EffectFacts { fields, nth, decision: &decision, decision_hash: hash };
            let state = row.state.as_deref();
            let scope = Scope { record: execute, kept: Some(&row.kept), state, at, place: None, run: None, effect: Some(&facts) };
            for template in &effect.records {
                prescribed.push(template.resolved(scope, nth, row.last)?);
            }
        }
        Ok(prescribed)
    }
}

impl Template {
    fn resolved(&self, scope: Scope<'_>, nth: usize, decision: Digest) -> Result<Prescribed, Fault> {
        let nowhere = |what: &str| (GovernCode::DecisionEffects, format!("{what} of `{}` in effect {nth} leads nowhere", self.action));
        let subject = self.subject.text(scope).ok_or_else(|| nowhere("the subject"))?.into_owned();
        let mut refs = BTreeMap::from([(DECISION_REF.to_owned(), decision)]);
        for (name, expr) in &self.refs {
            let link = expr.text(scope).and_then(|text| text.parse::<Digest>().ok());
            refs.insert(name.clone(), link.ok_or_else(|| nowhere(&format!("`refs.{name}`")))?);
        }
        let said = |(name, expr): (&String, &Expr)| Some((name.clone(), expr.value(scope)?.into_owned()));
        let payload = Value::Object(self.payload.iter().filter_map(said).collect());
        Ok(Prescribed { record: self.record.clone(), action: self.action.clone(), subject, payload, refs })
    }
}

impl Prescribed {
    /// How a record differs from what is prescribed; nothing if it does not.
    fn differs(&self, record: &Record) -> Option<&'static str> {
        if record.type_ != self.record || record.action != self.action {
            return Some("is another action");
        }
        if record.subject != self.subject {
            return Some("is about another subject");
        }
        if record.payload != self.payload {
            return Some("has another payload");
        }
        let links = || record.refs.iter().filter(|(name, _)| *name != "prev");
        if !links().eq(self.refs.iter()) {
            return Some("has other back-links");
        }
        None
    }
}

/// Schema of what opens a proposal, beyond the types of its members.
pub(super) fn opened(rules: &Protocol, record: &Record) -> Result<(), Fault> {
    match rules.decisions(&record.type_).filter(|decisions| decisions.actions.open == record.action) {
        Some(decisions) => {
            // What a decision is the hash of begins with the id: where the id ends must be plain.
            if record.subject.split_once(':').is_some_and(|(_, id)| id.contains(':')) {
                let detail = format!("subject `{}`, the id of a proposal holds no `:`", record.subject);
                return Err((GovernCode::RecordSubject, detail));
            }
            decisions.admits(record.payload.get(&decisions.effects_in), rules)
        }
        None => Ok(()),
    }
}

/// What a decision brings about is recorded after the record that carries it out, as a whole, or not at all.
pub(super) fn carried_out(case: &Case<'_>, nth: usize, records: &[Record]) -> Result<(), Fault> {
    let (rules, record) = (case.rules, case.record);
    let executes = |record: &Record| rules.decisions(&record.type_).filter(|decisions| decisions.actions.execute == record.action);
    let Some(decisions) = executes(record) else {
        // The first record of such an entry was compared with all that follow it.
        let follows = || nth > 0 && records.first().is_some_and(|first| executes(first).is_some());
        if !rules.decided_only.contains(&record.action) || follows() {
            return Ok(());
        }
        let detail = format!("`{}` is an effect, and the entry does not begin with the decision that it is one of", record.action);
        return Err((GovernCode::DecisionMissing, detail));
    };
    let wrong = |detail: String| Err((GovernCode::DecisionEffects, detail));
    if nth > 0 {
        return wrong(format!("record {nth} carries out a decision, which is what the first record of an entry does"));
    }
    let Some(row) = &case.subject else { return wrong(format!("`{}` was never opened", record.subject)) };
    if record.refs.get(DECISION_REF) != Some(&row.last) {
        return wrong(format!("`refs.{DECISION_REF}` is not {}, the record that decided", row.last));
    }
    let needed = decisions.prescribed(record, row, case.entry.at)?;
    let given = records.get(1..).unwrap_or_default();
    for (nth, (needed, given)) in needed.iter().zip(given).enumerate() {
        if let Some(how) = needed.differs(given) {
            let nth = nth.saturating_add(1);
            return wrong(format!("record {nth} {how}; the decision is `{} {}`", needed.action, needed.subject));
        }
    }
    if needed.len() != given.len() {
        return wrong(format!("{} records follow, the effects of the decision are {}", given.len(), needed.len()));
    }
    Ok(())
}
