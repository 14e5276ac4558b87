//! An item as the ledger and the journal know it together, and what a change of it is for the store.
use enact_core::govern::Protocol;
use enact_core::govern::contract::{self, Contract};
use enact_core::govern::row::SubjectRow;
use enact_core::state::StateView;
use enact_core::time::Instant;
use enact_queue::Map;
use enact_queue::facts::{Facts, Mode};
use enact_queue::item::{Item, Known, is_own};
use enact_queue::lease::{Fence, Lease};
use enact_queue::refused::Refused;
use enact_queue::retry::Class;
use enact_queue::status::Status;
use enact_queue::time;
use enact_store::{Moment, QueueChange, QueueExpect, QueueItem, QueueLease, QueueMember, QueueRow, StoreError};
use serde_json::Value;

use super::rebuild;
use crate::error::{EngineError, Result};
use crate::govern::unjudged;
use crate::sources::time_text;

/// The time of a row that is due at once: 0 says that it waits for nothing.
const AT_ONCE: u64 = 1;

/// An item with everything that decides about it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) stored: QueueItem,
    pub(crate) item: Item,
    pub(crate) known: Known,
    /// `Type:Id`.
    pub(crate) subject: String,
}

impl Seen {
    /// What is expected of the row when it is changed.
    pub(crate) fn expect(&self) -> QueueExpect {
        QueueExpect::Is { status: Some(self.stored.row.status.clone()), fence: Some(self.stored.row.fence) }
    }

    /// The change of the row that this next line is.
    pub(crate) fn to(&self, next: &Item) -> QueueChange {
        change(self.expect(), next, &self.known, Vec::new())
    }
}

/// A change of a row, with its line.
pub(crate) fn change(expect: QueueExpect, next: &Item, known: &Known, kept: Vec<QueueMember>) -> QueueChange {
    QueueChange { line: next.to_line(), ..unlined(expect, next, known, kept) }
}

/// The same without its line, which names an entry that is not there yet.
pub(crate) fn unlined(expect: QueueExpect, next: &Item, known: &Known, kept: Vec<QueueMember>) -> QueueChange {
    QueueChange { expect, row: row(next, known), kept, event: next.event.as_str().to_owned(), at: known.now, line: String::new() }
}

/// The row of an item.
pub(crate) fn row(item: &Item, known: &Known) -> QueueRow {
    let transient = item.failure_class == Some(Class::Transient);
    let not_before = match item.status {
        Status::Pending | Status::Ready => item.not_before_us.unwrap_or(0),
        Status::Failed if transient && !known.facts.failed => item.not_before_us.unwrap_or(AT_ONCE).max(AT_ONCE),
        Status::Executed if known.mode.required() && (transient || item.failure_class.is_none()) => {
            item.not_before_us.unwrap_or(AT_ONCE).max(AT_ONCE)
        }
        Status::Failed | Status::Executed | Status::Executing | Status::Settling | Status::Settled | Status::Fulfilled | Status::Void => 0,
    };
    QueueRow {
        item: item.id.as_str().to_owned(),
        contract: item.contract.clone(),
        status: item.status.as_str().to_owned(),
        seq: item.queued.entry,
        pos: item.queued.position,
        not_before,
        attempts: item.attempts,
        lease: item.lease.as_ref().map(|lease| QueueLease { owner: lease.owner.clone(), deadline: lease.deadline }),
        fence: item.fence.0,
    }
}

/// Members by which an item is found: the text among what it keeps.
pub(crate) fn members(kept: &Map) -> Vec<QueueMember> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let member = |(name, value): (&String, &Value)| Some(QueueMember { name: name.clone(), value: text(value)?, counted: false });
    kept.iter().filter_map(member).collect()
}

/// What the journal repeats of what the ledger keeps: all but members with the name of one of its own, which say the same there.
pub(crate) fn kept(row: &SubjectRow) -> Map {
    row.kept.iter().filter(|(name, _)| !is_own(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The last line of an item. A lease that is renewed writes none, so owner, deadline and number are those of the row.
pub(crate) fn last_line(stored: &QueueItem) -> Option<Item> {
    // What an item keeps is its lifecycle's business, of today or of before.
    let mut item = Item::from_line(stored.line.as_deref()?, |_| true).ok().filter(|item| item.id.as_str() == stored.row.item)?;
    item.fence = Fence(stored.row.fence);
    item.lease = stored.row.lease.as_ref().map(|lease| Lease { owner: lease.owner.clone(), deadline: lease.deadline, fence: item.fence });
    Some(item)
}

/// The subject of an item.
pub(crate) fn subject_of(rules: &Protocol, contract: &Contract, id: &str) -> Result<String> {
    let lifecycle = rules.lifecycle(&contract.decl.record).ok_or_else(|| no_contract(contract.code()))?;
    Ok(format!("{}:{id}", lifecycle.subject))
}

/// The contract under which a record speaks of an item.
pub(crate) fn contract_of<'r>(rules: &'r Protocol, record_type: &str) -> Option<&'r Contract> {
    rules.contracts().find(|contract| contract.decl.record == record_type)
}

pub(crate) fn named_contract<'r>(rules: &'r Protocol, code: &str) -> Result<&'r Contract> {
    rules.contract(code).ok_or_else(|| no_contract(code))
}

fn no_contract(code: &str) -> EngineError {
    EngineError::Queue {
        code: "queue_contract",
        detail: format!("there is no queue contract `{code}` in the protocol in force"),
        hint: Some("list the artifacts with `enact protocol show`"),
    }
}

/// An item of the queue with what the ledger knows of it; `None` when there is no such item.
pub(crate) fn see(rules: &Protocol, moment: &mut Moment<'_>, actor: &str, id: &str, now: u64) -> Result<Option<Seen>> {
    let Some(stored) = moment.reader().queue_item(id)? else { return Ok(None) };
    seen(rules, moment, actor, stored, now).map(Some)
}

pub(crate) fn seen(rules: &Protocol, moment: &mut Moment<'_>, actor: &str, stored: QueueItem, now: u64) -> Result<Seen> {
    let stored = match lined(rules, &*moment, actor, stored, now)? {
        Ok(seen) => return Ok(seen),
        Err(stored) => stored,
    };
    // The line is gone or none: what the ledger says, with what the row still holds.
    let contract = named_contract(rules, &stored.row.contract)?;
    let subject = subject_of(rules, contract, &stored.row.item)?;
    let known = known(rules, contract, &*moment, &subject, actor, now)?;
    let mut item = rebuild::derived(contract, moment, &subject, known.mode, now)?.ok_or_else(|| unknown(&stored.row.item))?;
    item.fence = Fence(stored.row.fence.max(item.fence.0));
    Ok(Seen { stored, item, known, subject })
}

/// The same of an item whose line is there; without it, the item as it came.
pub(crate) fn lined<V: StateView<Error = StoreError> + ?Sized>(
    rules: &Protocol,
    view: &V,
    actor: &str,
    stored: QueueItem,
    now: u64,
) -> Result<Result<Seen, QueueItem>> {
    match last_line(&stored) {
        Some(item) => about(rules, view, actor, stored, item, now).map(Ok),
        None => Ok(Err(stored)),
    }
}

/// An item of which the line is known, with what the ledger knows of it.
pub(crate) fn about<V: StateView<Error = StoreError> + ?Sized>(
    rules: &Protocol,
    view: &V,
    actor: &str,
    stored: QueueItem,
    item: Item,
    now: u64,
) -> Result<Seen> {
    let contract = named_contract(rules, &stored.row.contract)?;
    let subject = subject_of(rules, contract, &stored.row.item)?;
    let known = known(rules, contract, view, &subject, actor, now)?;
    Ok(Seen { stored, item, known, subject })
}

/// Facts and mode of an item.
pub(crate) fn known<V: StateView<Error = StoreError> + ?Sized>(
    rules: &Protocol,
    contract: &Contract,
    view: &V,
    subject: &str,
    actor: &str,
    now: u64,
) -> Result<Known> {
    let row = contract::item(contract, view, subject).map_err(refused_item)?;
    let at = stored_time(now);
    let about = contract::Item { subject, actor, at: &at };
    let mode = contract::settlement_mode(rules, contract, view, &about).map_err(refused_item)?;
    Ok(Known { facts: facts(contract.facts(&row)), mode: self::mode(mode), now })
}

/// Whether nothing follows from an item any more, so that it may be archived.
pub(crate) const fn is_over(contract: &Contract, known: &Known) -> bool {
    let (facts, last) = (known.facts, contract.decl.actions.fulfill.is_none());
    let closed = facts.settled || facts.executed && !known.mode.required();
    facts.void || facts.failed || closed && (facts.fulfilled || last)
}

pub(crate) const fn facts(facts: contract::Facts) -> Facts {
    let contract::Facts { executed, settled, fulfilled, failed, void } = facts;
    Facts { executed, settled, fulfilled, failed, void }
}

pub(crate) const fn mode(mode: contract::Mode) -> Mode {
    match mode {
        contract::Mode::None => Mode::None,
        contract::Mode::Internal => Mode::Internal,
        contract::Mode::External => Mode::External,
    }
}

/// The time in the stored spelling.
pub(crate) fn stored_time(now: u64) -> String {
    let text = time_text(i64::try_from(now).unwrap_or(i64::MAX));
    Instant::parse(&text).map(String::from).unwrap_or(text)
}

/// The time of an entry, microseconds.
pub(crate) fn entry_time(at: &str) -> u64 {
    time::parse(at).unwrap_or(0)
}

pub(crate) fn unknown(id: &str) -> EngineError {
    EngineError::Queue { code: "queue_unknown", detail: format!("there is no item `{id}`"), hint: None }
}

/// What the pure queue refuses, as an error of the engine.
pub(crate) fn refused_queue(refused: Refused) -> EngineError {
    EngineError::Queue { code: refused.code(), detail: refused.to_string(), hint: Some(refused.hint()) }
}

/// What the core refuses to say of an item.
pub(crate) fn refused_item(error: contract::ItemError<StoreError>) -> EngineError {
    let (code, detail) = match error {
        contract::ItemError::Refused { code, detail } => (code, detail),
        contract::ItemError::Judge(error) => match unjudged(error) {
            Ok(refused) => refused,
            Err(error) => return error,
        },
    };
    EngineError::Queue { code, detail, hint: None }
}
