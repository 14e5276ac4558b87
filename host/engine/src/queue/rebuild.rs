//! A journal that was lost, derived again from the ledger: what was executed stays executed, what was not is validated again.
use enact_core::entry::{Entry, Record};
use enact_core::govern::Protocol;
use enact_core::govern::contract::{self, Contract, Facts};
use enact_core::govern::row::SubjectRow;
use enact_core::receipt::RunReceipt;
use enact_core::state::Space;
use enact_queue::facts::Mode;
use enact_queue::id::QueueId;
use enact_queue::item::{History, Item, Queued, Recorded};
use enact_queue::lease::Fence;
use enact_queue::order::Place;
use enact_queue::retry::Class;
use enact_store::{Moment, QueueExpect, Reader, StoreError};
use serde::Serialize;

use super::class;
use super::item::{change, entry_time, is_over, kept, known, members, refused_queue};
use crate::engine::Engine;
use crate::error::{EngineError, Kind, Result};
use crate::govern::row;

/// Rows of a subject read at a time.
const PAGE: u64 = 256;

/// What a rebuild came to; the stable shape of `enact queue rebuild --json`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct QueueRebuilt {
    /// Items that there are now.
    pub items: u64,
}

/// One row that a subject had.
struct Version {
    seq: u64,
    row: SubjectRow,
}

/// The item as far as the ledger knows it; `None` when it does not.
pub(crate) fn derived(contract: &Contract, moment: &mut Moment<'_>, subject: &str, mode: Mode, now: u64) -> Result<Option<Item>> {
    let reader = moment.reader();
    let versions = versions(reader, subject)?;
    let (Some(first), Some(last)) = (versions.first(), versions.last()) else { return Ok(None) };
    let created = entry(reader, first.seq)?;
    let queues = |record: &&Record| record.type_ == contract.decl.record && record.action == contract.decl.actions.queue;
    let position = created.records.iter().filter(queues).position(|record| record.subject == subject).unwrap_or(0);
    let mut history = History::default();
    let mut before = Facts::default();
    for Version { seq, row } in &versions {
        let facts = contract.facts(row);
        if facts != before {
            let at = entry(reader, *seq)?;
            remember(contract, &mut history, subject, (before, facts), &at);
            before = facts;
        }
    }
    let id = subject.split_once(':').map_or(subject, |(_, id)| id);
    let queued = Queued {
        id: QueueId::parse(id).map_err(refused_queue)?,
        contract: contract.code().to_owned(),
        kept: kept(&last.row),
        place: Place { entry: first.seq, position: u64::try_from(position).unwrap_or(u64::MAX) },
        not_before_us: None,
        at_us: entry_time(&created.at),
    };
    let mut item = Item::derived(queued, &history, mode).map_err(refused_queue)?;
    // Above every number that was ever given out, so that no holder of before comes in again.
    item.fence = Fence(now);
    Ok(Some(item))
}

/// What an entry added to the facts of an item.
fn remember(contract: &Contract, history: &mut History, subject: &str, (before, after): (Facts, Facts), entry: &Entry) {
    let recorded = Some(Recorded { entry: entry.seq, at_us: entry_time(&entry.at) });
    if after.executed && !before.executed {
        history.executed = recorded;
        let receipt = entry.records.first().filter(|record| record.is_run()).and_then(|record| RunReceipt::from_record(record).ok());
        history.run = receipt.map(|receipt| receipt.run);
    }
    if after.settled && !before.settled {
        history.settled = recorded;
    }
    if after.fulfilled && !before.fulfilled {
        history.fulfilled = recorded;
    }
    if after.failed && !before.failed {
        history.failed = recorded;
        let word = |name: &str| said(entry, subject, &contract.decl.actions.fail, name).unwrap_or_default();
        history.failure = Some(class::failure(Class::parse(word("class")).unwrap_or(Class::Business), word("reason")));
    }
    if after.void && !before.void {
        history.void = recorded;
        history.void_reason = said(entry, subject, &contract.decl.actions.void, "reason").map(str::to_owned);
    }
}

/// A text in the payload of the record that did this to a subject.
fn said<'e>(entry: &'e Entry, subject: &str, action: &str, name: &str) -> Option<&'e str> {
    let record = entry.records.iter().find(|record| record.subject == subject && record.action == action)?;
    record.payload.get(name)?.as_str()
}

fn versions(reader: &mut Reader, subject: &str) -> Result<Vec<Version>> {
    let mut all: Vec<Version> = Vec::new();
    loop {
        let page = reader.state_history(Space::Subject, subject, all.last().map(|version| version.seq), PAGE)?;
        if page.is_empty() {
            return Ok(all);
        }
        for (seq, text) in page {
            all.push(Version { seq, row: row(&text, "subject", subject)? });
        }
    }
}

fn entry(reader: &mut Reader, seq: u64) -> Result<Entry> {
    let altered = |detail: String| EngineError::Altered { what: format!("entry {seq}"), code: "entry_missing", detail };
    let stored = reader.entry(seq)?.ok_or_else(|| altered("a row says that it exists".to_owned()))?;
    Entry::parse(&stored.bytes).map_err(|refusal| altered(refusal.to_string()))
}

impl Engine {
    /// Derives the whole queue again from the ledger. Lines that there are stay; leases are gone; what is over stays archived.
    ///
    /// # Errors
    /// Whatever keeps the ledger from being read or the queue from being written.
    pub fn queue_rebuild(&self) -> Result<QueueRebuilt> {
        let now = self.queue_now();
        let mut reader = self.store().reader()?;
        let moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        let ruled = self.rules(&protocol, &moment)?;
        drop(moment);
        let mut subjects = Vec::new();
        for contract in ruled.protocol.contracts() {
            let Some(lifecycle) = ruled.protocol.lifecycle(&contract.decl.record) else { continue };
            reader.subjects_by_creation(&lifecycle.subject, |created, row| {
                subjects.push((created, contract.code().to_owned(), row.key));
                Ok::<_, StoreError>(())
            })?;
        }
        subjects.sort();
        let mut failed = None;
        let mut changes = subjects.into_iter().filter_map(|(_, code, subject)| {
            let mut derive = || {
                let mut moment = reader.moment(None)?;
                let contract = super::item::named_contract(&ruled.protocol, &code)?;
                let known = known(&ruled.protocol, contract, &moment, &subject, "", now)?;
                let item = derived(contract, &mut moment, &subject, known.mode, now)?;
                Ok::<_, EngineError>(item.map(|item| {
                    let kept = members(&item.kept);
                    // Somebody may have written that it is archived; only what is over can be.
                    (change(QueueExpect::Absent, &item, &known, kept), is_over(contract, &known))
                }))
            };
            match derive() {
                Ok(change) => change.map(Ok),
                Err(EngineError::Store(error)) => Some(Err(error)),
                // What cannot be read is no reason to lose it from the queue as well.
                Err(error) if error.kind() == Kind::Integrity => {
                    let detail = error.to_string();
                    failed.get_or_insert(error);
                    Some(Err(StoreError::Corrupt { detail }))
                }
                // A subject that cannot be an item, for its name: it is in no queue.
                Err(error) => {
                    failed.get_or_insert(error);
                    None
                }
            }
        });
        let rebuilt = self.with_writer(|writer| Ok(writer.queue_rebuild(&mut changes)?));
        drop(changes);
        match failed {
            Some(error) => Err(error),
            None => Ok(QueueRebuilt { items: rebuilt? }),
        }
    }

    /// Puts an item into the queue that the ledger has and the queue has not: queued before there was a queue, or lost.
    pub(crate) fn queue_adopt(&self, rules: &Protocol, contract: &Contract, moment: &mut Moment<'_>, subject: &str) -> Result<bool> {
        if contract::item(contract, &*moment, subject).is_err() {
            return Ok(false);
        }
        let now = self.queue_now();
        let known = known(rules, contract, &*moment, subject, "", now)?;
        let Some(item) = derived(contract, moment, subject, known.mode, now)? else { return Ok(false) };
        let kept = members(&item.kept);
        let change = change(QueueExpect::Absent, &item, &known, kept);
        // Another may have been faster, which is as good.
        self.with_writer(|writer| Ok(writer.queue_add(std::slice::from_ref(&change))?))?;
        Ok(true)
    }
}
