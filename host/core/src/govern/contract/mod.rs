//! Queue contracts in force: what an item is, whether it may be executed, and which records follow (`protocol/queue.md`).
//!
//! Pure, like everything around it: items are subjects of a lifecycle, read through a view. Leases, attempts and times of an
//! execution are not known here, and what is drafted here is still judged like any other record.

pub mod declare;
mod draft;
mod validate;

pub use declare::{Fact, Mode, Proof};
pub use draft::{Step, draft};
pub(super) use draft::{consumed, needs, postings};
pub use validate::{Failure, Validation, preview, validate};

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Map, Value};

use super::declare::InvariantDecl;
use super::expr::{Expr, Scope};
use super::judge::JudgeError;
use super::overlay::Overlay;
use super::row::SubjectRow;
use super::rules::{Action, GuardOf, Lifecycle, Protocol};
use crate::entry::Record;
use crate::hash::Digest;
use crate::receipt::{ExitClass, RunReceipt};
use crate::state::StateView;

/// Expressions by the member that they give.
type Members = BTreeMap<String, Expr>;

/// A queue contract, compiled.
#[derive(Clone, Debug)]
pub struct Contract {
    /// As it was written.
    pub decl: declare::ContractDecl,
    pub(super) groups: Vec<Group>,
    pub(super) payload: Members,
    pub(super) execute: Members,
    pub(super) by: Option<Expr>,
    pub(super) settle: Members,
    pub(super) settle_payload: Members,
    pub(super) fulfill_payload: Members,
}

/// Checks under one name.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) checks: Vec<Check>,
}

/// A check and why it fails.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) reason: String,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Guard(GuardOf),
    Invariant(InvariantDecl),
}

/// What is said of the run that carried something out.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    /// Its identifier.
    pub id: String,
    /// `record_hash` of its receipt.
    pub receipt: Digest,
    /// `context_hash` of its output.
    pub context: Digest,
    /// The payload at its exit.
    pub output: Map<String, Value>,
}

/// Which item, who speaks of it, and when.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The item, `Type:Id`.
    pub subject: &'a str,
    /// Who speaks.
    pub actor: &'a str,
    /// When, in the stored spelling.
    pub at: &'a str,
}

/// A run that a contract asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// The execution.
    Execute,
    /// Before an item is settled.
    Settle,
    /// Before it is confirmed.
    Fulfill,
}

/// What an action of the lifecycle does to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionRole {
    /// Creates it.
    Queue,
    /// Says that it was executed.
    Execute,
    /// Gives evidence.
    Attest,
    /// Says that it was settled.
    Settle,
    /// Says that what was meant has happened.
    Fulfill,
    /// Says that it failed for good.
    Fail,
    /// Calls it off.
    Void,
}

/// What the ledger says of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// It was executed.
    pub executed: bool,
    /// It was settled.
    pub settled: bool,
    /// What was meant has happened.
    pub fulfilled: bool,
    /// It failed for good.
    pub failed: bool,
    /// It was voided.
    pub void: bool,
}

impl Facts {
    pub(super) fn of<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Self {
        let mut all = Self::default();
        for fact in facts {
            all.set(*fact);
        }
        all
    }

    const fn set(&mut self, fact: Fact) {
        match fact {
            Fact::Executed => self.executed = true,
            Fact::Settled => self.settled = true,
            Fact::Fulfilled => self.fulfilled = true,
            Fact::Failed => self.failed = true,
            Fact::Void => self.void = true,
        }
    }
}

/// Why there is no answer about an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemError<E> {
    /// It cannot be said, by a rule.
    Refused {
        /// Stable code.
        code: &'static str,
        /// What was found and what is allowed.
        detail: String,
    },
    /// The state has no answer; nothing was decided.
    Judge(JudgeError<E>),
}

impl<E> ItemError<E> {
    pub(super) fn refused(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Refused { code, detail: detail.into() }
    }

    /// The stable code; nothing when the view failed, which has codes of its own.
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Judge(error) => error.code(),
        }
    }
}

impl<E> From<JudgeError<E>> for ItemError<E> {
    fn from(error: JudgeError<E>) -> Self {
        Self::Judge(error)
    }
}

impl<E: fmt::Display> fmt::Display for ItemError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { detail, .. } => f.write_str(detail),
            Self::Judge(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for ItemError<E> {}

/// What is answered about an item.
pub type Answer<T, V> = Result<T, ItemError<<V as StateView>::Error>>;

impl Contract {
    /// The code of the artifact.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.decl.code
    }

    /// What the ledger says of an item: what its state says, and what was performed on it. The second keeps a fact that a later state
    /// does not repeat.
    #[must_use]
    pub fn facts(&self, row: &SubjectRow) -> Facts {
        let mut facts = row.state.as_deref().map(|state| self.state_facts(state)).unwrap_or_default();
        let actions = &self.decl.actions;
        let performed = [
            (Some(&actions.execute), Fact::Executed),
            (actions.settle.as_ref(), Fact::Settled),
            (actions.fulfill.as_ref(), Fact::Fulfilled),
            (Some(&actions.fail), Fact::Failed),
            (Some(&actions.void), Fact::Void),
        ];
        for (action, fact) in performed {
            if action.is_some_and(|action| row.actors.contains_key(action)) {
                facts.set(fact);
            }
        }
        facts
    }

    /// What an action does to an item; nothing for one without a role.
    #[must_use]
    pub fn role(&self, action: &str) -> Option<ActionRole> {
        let actions = &self.decl.actions;
        let roles = [
            (Some(&actions.queue), ActionRole::Queue),
            (Some(&actions.execute), ActionRole::Execute),
            (actions.attest.as_ref(), ActionRole::Attest),
            (actions.settle.as_ref(), ActionRole::Settle),
            (actions.fulfill.as_ref(), ActionRole::Fulfill),
            (Some(&actions.fail), ActionRole::Fail),
            (Some(&actions.void), ActionRole::Void),
        ];
        roles.into_iter().find(|(of, _)| of.is_some_and(|of| of == action)).map(|(_, role)| role)
    }

    /// What a state says of an item.
    #[must_use]
    pub fn state_facts(&self, state: &str) -> Facts {
        Facts::of(self.decl.facts.get(state).into_iter().flatten())
    }

    /// Workflow and binding of a run that the contract asks for; the second is absent for the workflow's own.
    #[must_use]
    pub fn workflow(&self, hook: Hook) -> Option<(&str, Option<&str>)> {
        let settlement = self.decl.settlement.workflow.as_deref();
        let fulfillment = self.decl.fulfillment.as_ref().and_then(|fulfillment| fulfillment.workflow.as_deref());
        match hook {
            Hook::Execute => Some((&self.decl.workflow, self.decl.binding.as_deref())),
            Hook::Settle => settlement.map(|workflow| (workflow, None)),
            Hook::Fulfill => fulfillment.map(|workflow| (workflow, None)),
        }
    }

    /// Whether somebody with these roles may start, retry and void by hand.
    pub fn triggers<'a>(&self, roles: impl IntoIterator<Item = &'a str>) -> bool {
        roles.into_iter().any(|role| self.decl.trigger.roles.iter().any(|allowed| allowed == role))
    }

    /// Whether a receipt is that of an execution under this contract.
    pub(super) fn executed_by(&self, receipt: &RunReceipt) -> bool {
        receipt.workflow == self.decl.workflow
            && self.decl.binding.as_ref().is_none_or(|binding| *binding == receipt.binding)
            && receipt.exit.class == ExitClass::Success
    }
}

impl Protocol {
    /// The contract whose executions are recorded by this action.
    pub(super) fn executes(&self, action: &str) -> Option<&Contract> {
        self.contracts.values().find(|contract| contract.decl.actions.execute == action)
    }
}

/// What an item keeps and where it stands.
///
/// # Errors
/// `queue_unknown` when there is no such item.
pub fn item<V: StateView + ?Sized>(contract: &Contract, view: &V, subject: &str) -> Answer<Rc<SubjectRow>, V> {
    let row = Overlay::new(view).subject(subject)?;
    row.filter(|row| row.type_ == contract.decl.record)
        .ok_or_else(|| ItemError::refused("queue_unknown", format!("`{subject}` is no item under `{}`", contract.code())))
}

/// How an item is settled.
///
/// # Errors
/// `queue_unknown`; `queue_settlement` when the contract has no mode for what the item keeps.
pub fn settlement_mode<V: StateView + ?Sized>(rules: &Protocol, contract: &Contract, view: &V, about: &Item<'_>) -> Answer<Mode, V> {
    let settlement = &contract.decl.settlement;
    if let Some(mode) = settlement.mode {
        return Ok(mode);
    }
    let said = About::of(rules, contract, view, about, &contract.decl.actions.execute)?;
    let value = contract.by.as_ref().and_then(|by| by.text(said.scope(None)).map(|value| value.into_owned()));
    let mode = value.as_ref().and_then(|value| settlement.modes.get(value)).copied();
    mode.ok_or_else(|| {
        let value = value.unwrap_or_else(|| String::from("nothing"));
        ItemError::refused("queue_settlement", format!("`{}` settles by `{value}`, for which the contract has no mode", about.subject))
    })
}

/// What a run of the contract is given. A member whose expression leads nowhere is left out: what a workflow needs is said by its
/// intent.
///
/// # Errors
/// `queue_unknown`.
pub fn payload<V: StateView + ?Sized>(
    rules: &Protocol,
    contract: &Contract,
    view: &V,
    about: &Item<'_>,
    hook: Hook,
) -> Answer<Map<String, Value>, V> {
    let said = About::of(rules, contract, view, about, &contract.decl.actions.execute)?;
    let members = match hook {
        Hook::Execute => &contract.payload,
        Hook::Settle => &contract.settle_payload,
        Hook::Fulfill => &contract.fulfill_payload,
    };
    Ok(resolved(members, said.scope(None)))
}

/// The keys that the execution of an item will use up: two items with the same key are executed once.
///
/// # Errors
/// `queue_unknown`; `consumes_mismatch` when the item does not say what a key needs.
pub fn keys<V: StateView + ?Sized>(rules: &Protocol, contract: &Contract, view: &V, about: &Item<'_>) -> Answer<Vec<String>, V> {
    let said = About::of(rules, contract, view, about, &contract.decl.actions.execute)?;
    consumed(said.action, said.scope(None))
}

fn resolved(members: &Members, scope: Scope<'_>) -> Map<String, Value> {
    members.iter().filter_map(|(name, expr)| Some((name.clone(), expr.value(scope)?.into_owned()))).collect()
}

/// An item with what expressions about it are resolved against.
struct About<'a> {
    lifecycle: &'a Lifecycle,
    action: &'a Action,
    row: Option<Rc<SubjectRow>>,
    record: Record,
    at: &'a str,
}

impl<'a> About<'a> {
    /// About an item that is there.
    fn of<V: StateView + ?Sized>(rules: &'a Protocol, contract: &'a Contract, view: &V, about: &Item<'a>, action: &str) -> Answer<Self, V> {
        let row = item(contract, view, about.subject)?;
        Self::new(rules, contract, about, action, Some(row))
    }

    fn new<E>(
        rules: &'a Protocol,
        contract: &'a Contract,
        about: &Item<'a>,
        action: &str,
        row: Option<Rc<SubjectRow>>,
    ) -> Result<Self, ItemError<E>> {
        let lifecycle = rules.lifecycle(&contract.decl.record);
        let found = lifecycle.and_then(|lifecycle| Some((lifecycle, lifecycle.actions.get(action)?)));
        let Some((lifecycle, declared)) = found else {
            let detail = format!("the protocol has no action `{action}` of `{}`", contract.decl.record);
            return Err(ItemError::refused("queue_contract", detail));
        };
        let record = Record {
            action: action.to_owned(),
            actor: about.actor.to_owned(),
            auth: None,
            consumes: Vec::new(),
            kind: lifecycle.kind,
            payload: Value::Object(Map::new()),
            postings: None,
            refs: row.iter().map(|row| ("prev".to_owned(), row.last)).collect(),
            scope: None,
            seat: None,
            sig: None,
            subject: about.subject.to_owned(),
            type_: lifecycle.record.clone(),
            version: None,
        };
        Ok(Self { lifecycle, action: declared, row, record, at: about.at })
    }

    fn scope<'s>(&'s self, run: Option<&'s RunFacts>) -> Scope<'s> {
        let row = self.row.as_deref();
        let state = row.and_then(|row| row.state.as_deref());
        Scope { record: &self.record, kept: row.map(|row| &row.kept), state, at: self.at, place: None, run, effect: None }
    }
}

/// The words of facts, for people.
pub(super) fn words(facts: &BTreeSet<Fact>) -> String {
    let words: Vec<String> = facts.iter().map(|fact| format!("{fact:?}").to_lowercase()).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}
