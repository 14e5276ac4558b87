//! What was done already: whoever asks for it again is answered with the record and the receipt of the first time (W-41, W-42).
use enact_core::entry::{Entry, Record};
use enact_core::govern::contract::{self, Contract, Item};
use enact_core::govern::row::{ConsumedRow, SubjectRow};
use enact_core::receipt::RunReceipt;
use enact_core::state::{Space, StateView};
use enact_store::{Moment, StoreError};
use serde::Serialize;

use super::item::stored_time;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Ruled, row};

/// The execution that used up the keys of an item; a stable shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Original {
    /// The item that was carried out.
    pub queue_id: String,
    /// The entry.
    pub entry: u64,
    /// `record_hash` of the record that says so.
    pub record: String,
    /// `record_hash` of the receipt of its run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// The state with one subject as it would be.
struct AsQueued<'a, V: ?Sized> {
    view: &'a V,
    subject: &'a str,
    row: &'a str,
}

impl<V: StateView<Error = StoreError> + ?Sized> StateView for AsQueued<'_, V> {
    type Error = StoreError;

    fn get(&self, space: Space, key: &str) -> Result<Option<String>, StoreError> {
        if space == Space::Subject && key == self.subject { Ok(Some(self.row.to_owned())) } else { self.view.get(space, key) }
    }
}

/// The execution of this item, or of another one that uses up the same keys; `None` when there was none.
pub(crate) fn original(
    ruled: &Ruled,
    contract: &Contract,
    moment: &mut Moment<'_>,
    subject: &str,
    actor: &str,
    now: u64,
) -> Result<Option<Original>> {
    let at = stored_time(now);
    // Keys that cannot be said are used up by nobody.
    let keys = contract::keys(&ruled.protocol, contract, &*moment, &Item { subject, actor, at: &at }).unwrap_or_default();
    of_keys(moment, &keys)
}

/// The same of an item as a record would queue it.
pub(crate) fn original_of_record(
    ruled: &Ruled,
    contract: &Contract,
    moment: &mut Moment<'_>,
    record: &Record,
    now: u64,
) -> Result<Option<Original>> {
    if moment.get(Space::Subject, &record.subject)?.is_some() {
        return original(ruled, contract, moment, &record.subject, &record.actor, now);
    }
    let lifecycle = ruled.protocol.lifecycle(&contract.decl.record);
    let action = lifecycle.and_then(|lifecycle| lifecycle.actions.get(&record.action));
    let payload = record.payload.as_object().cloned().unwrap_or_default();
    let row = SubjectRow {
        active: None,
        actors: std::iter::once((record.action.clone(), record.actor.clone())).collect(),
        decision: None,
        kept: payload.into_iter().filter(|(name, _)| action.is_some_and(|action| action.keeps(name))).collect(),
        last: *ruled.protocol.snapshot(),
        open: Vec::new(),
        seq: 0,
        state: action.and_then(|action| action.to.clone()),
        type_: record.type_.clone(),
    };
    let row = serde_json::to_string(&row).map_err(|e| EngineError::Internal { detail: e.to_string() })?;
    let view = AsQueued { view: &*moment, subject: &record.subject, row: &row };
    let at = stored_time(now);
    let about = Item { subject: &record.subject, actor: &record.actor, at: &at };
    let keys = contract::keys(&ruled.protocol, contract, &view, &about).unwrap_or_default();
    of_keys(moment, &keys)
}

fn of_keys(moment: &mut Moment<'_>, keys: &[String]) -> Result<Option<Original>> {
    for key in keys {
        let Some(text) = moment.get(Space::Consumed, key)? else { continue };
        let used: ConsumedRow = row(&text, "consumed", key)?;
        let altered = |detail: String| EngineError::Altered { what: format!("entry {}", used.seq), code: "entry_missing", detail };
        let stored = moment.reader().entry(used.seq)?.ok_or_else(|| altered("a row says that it exists".to_owned()))?;
        let entry = Entry::parse(&stored.bytes).map_err(|refusal| altered(refusal.to_string()))?;
        let by = entry.records.iter().find(|record| record.hash().is_ok_and(|hash| hash == used.record));
        let run = entry.records.first().filter(|record| record.is_run());
        return Ok(Some(Original {
            queue_id: by.and_then(|record| record.subject.split_once(':')).map(|(_, id)| id.to_owned()).unwrap_or_default(),
            entry: used.seq,
            record: used.record.to_string(),
            receipt: run.and_then(|run| run.hash().ok()).map(|hash| hash.to_string()),
            run: run.and_then(|run| RunReceipt::from_record(run).ok()).map(|receipt| receipt.run),
        }));
    }
    Ok(None)
}

impl Engine {
    /// What an item that is refused was before, if it was carried out.
    pub(crate) fn queue_original(&self, record: &Record, contract: &str, ruled: &Ruled) -> Result<Option<Original>> {
        let mut reader = self.store().reader()?;
        let contract = super::item::named_contract(&ruled.protocol, contract)?;
        original_of_record(ruled, contract, &mut reader.moment(None)?, record, self.queue_now())
    }
}
