//! What execution listens for, and what it is told: one record type, one action, and a payload made of what the record says; for a run, or
//! for an item of a queue.
//!
//! Execution reacts to governance and never writes it (B-15, B-21): nothing here is asked while a record is judged, and what is told
//! follows from the record and its place alone, so that telling it again tells the same.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::expr::{Expr, Place, Reference, Scope};
use super::near::nearest;
use super::problem::Problem;
use super::rules::Protocol;
use crate::entry::Record;
use crate::hash::Digest;
use crate::receipt;

/// What a listener says, as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Listens<'a> {
    /// Code of its artifact.
    pub code: &'a str,
    /// The record type.
    pub record: &'a str,
    /// The action.
    pub action: &'a str,
    /// The contract under which an item is queued, when one is.
    pub queue: Option<&'a str>,
    /// Member → expression.
    pub payload: &'a Map<String, Value>,
}

/// What is listened for, compiled against the rules of a snapshot.
#[derive(Clone, Debug)]
pub struct Listener {
    record: String,
    action: String,
    payload: BTreeMap<String, Expr>,
}

/// A record and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The record.
    pub record: &'a Record,
    /// Its hash.
    pub hash: &'a Digest,
    /// Hash of its entry.
    pub entry: &'a Digest,
    /// Time of its entry.
    pub at: &'a str,
}

impl Protocol {
    /// Compiles what a listener of the snapshot listens for.
    ///
    /// # Errors
    /// Everything that does not fit these rules, sorted.
    pub fn listener(&self, written: Listens<'_>) -> Result<Listener, Vec<Problem>> {
        let Listens { code, record, action, queue, payload } = written;
        let mut problems = self.queues(written, queue);
        let mut problem = |kind: &'static str, at: &str, detail: String| problems.push(Problem::error(kind, code, at, detail));
        // A run that follows from a run would never end.
        let lifecycle = self.lifecycles.get(record).filter(|_| record != receipt::RECORD_TYPE);
        let known = lifecycle.and_then(|lifecycle| lifecycle.actions.get(action));
        match lifecycle {
            None => {
                let governed = self.lifecycles.keys().filter(|name| *name != receipt::RECORD_TYPE);
                problem("unknown_record", "on.record", format!("`{record}` is no governed record type, {}", nearest(record, governed)));
            }
            Some(lifecycle) if known.is_none() => {
                let detail = format!("`{record}` has no action `{action}`, {}", nearest(action, lifecycle.actions.keys()));
                problem("unknown_action", "on.action", detail);
            }
            Some(_) => {}
        }
        let mut compiled = BTreeMap::new();
        for (member, value) in payload {
            let at = format!("payload.{member}");
            match Expr::parse(value) {
                Err(detail) => problem("bad_expression", &at, detail),
                Ok(expr) => {
                    for reference in expr.references() {
                        match reference {
                            Reference::Payload(name) => {
                                if let Some(action) = known.filter(|action| !action.fields.contains_key(name)) {
                                    let detail = format!("`payload.{name}` is not declared, {}", nearest(name, action.fields.keys()));
                                    problem("unknown_field", &at, detail);
                                }
                            }
                            // What a subject keeps at present is not what it kept then.
                            Reference::Kept(name) => {
                                problem("unknown_field", &at, format!("`kept.{name}` is state, a listener is told what the record says"));
                            }
                            Reference::State => {
                                problem(
                                    "bad_expression",
                                    &at,
                                    "`state` changes with the subject, a listener is told what the record says".to_owned(),
                                );
                            }
                            Reference::Run(_) | Reference::Output(_) => {
                                problem("bad_expression", &at, "only the record of an execution speaks of a run".to_owned());
                            }
                            Reference::Effect(_) | Reference::Drafted(_) => {
                                problem("bad_expression", &at, "only what a decision carries out speaks of its effects".to_owned());
                            }
                            Reference::Subject
                            | Reference::Id
                            | Reference::Actor
                            | Reference::At
                            | Reference::Record
                            | Reference::Entry
                            | Reference::Inside(..)
                            | Reference::IdOf(_) => {}
                        }
                    }
                    compiled.insert(member.clone(), expr);
                }
            }
        }
        if !problems.is_empty() {
            Problem::sort(&mut problems);
            return Err(problems);
        }
        Ok(Listener { record: record.to_owned(), action: action.to_owned(), payload: compiled })
    }

    /// Whether what a listener says makes an item of the contract.
    fn queues(&self, written: Listens<'_>, queue: Option<&str>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let Some(queue) = queue else { return problems };
        let mut problem = |kind: &'static str, at: &str, detail: String| problems.push(Problem::error(kind, written.code, at, detail));
        let Some(contract) = self.contract(queue) else {
            problem("missing_artifact", "queue", format!("there is no queue contract `{queue}`"));
            return problems;
        };
        if self.contracts().any(|contract| contract.decl.actions.queue == written.action) {
            let detail = format!("`{}` queues an item, and an item that follows from an item would never end", written.action);
            problem("listener_endless", "on.action", detail);
        }
        let lifecycle = self.lifecycles.get(&contract.decl.record);
        let Some(action) = lifecycle.and_then(|lifecycle| lifecycle.actions.get(&contract.decl.actions.queue)) else { return problems };
        for member in written.payload.keys().filter(|member| !action.fields.contains_key(*member)) {
            let detail = format!("`{queue}` does not declare `{member}` of an item, {}", nearest(member, action.fields.keys()));
            problem("unknown_field", &format!("payload.{member}"), detail);
        }
        for member in action.required.iter().filter(|member| !written.payload.contains_key(*member)) {
            problem("missing_field", &format!("payload.{member}"), format!("an item of `{queue}` needs it"));
        }
        problems
    }
}

impl Listener {
    /// Whether it is this record's type and action that is listened for.
    #[must_use]
    pub fn hears(&self, record: &Record) -> bool {
        record.type_ == self.record && record.action == self.action
    }

    /// What the record says, as the payload of a run or of the record that queues an item. A member whose expression leads nowhere is left out.
    #[must_use]
    pub fn payload(&self, heard: &Heard<'_>) -> Map<String, Value> {
        let (record, entry) = (heard.hash.to_string(), heard.entry.to_string());
        let place = Place { record: &record, entry: &entry };
        let scope = Scope { record: heard.record, kept: None, state: None, at: heard.at, place: Some(place), run: None, effect: None };
        let told = |(member, expr): (&String, &Expr)| expr.value(scope).map(|value| (member.clone(), value.into_owned()));
        self.payload.iter().filter_map(told).collect()
    }
}
