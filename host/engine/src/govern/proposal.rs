//! A proposal as people write it, and the record that it becomes: what is known only at the time is filled in here.
use std::collections::{BTreeMap, HashMap};

use ed25519_dalek::SigningKey;
use enact_core::entry::{Kind, Posting, Record};
use enact_core::govern::declare::Step;
use enact_core::govern::row::SubjectRow;
use enact_core::govern::{Protocol, sign};
use enact_core::hash::Digest;
use enact_core::state::{Space, StateView};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::keys;
use crate::error::{EngineError, Result};

/// Most records of one batch. An entry of 64 KiB holds fewer in practice.
const RECORDS_MAX: usize = 256;

/// A record without what is known only at the time: the last record of its subject, the version, the signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// The kind; the one of the declared type when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The declared record type.
    #[serde(rename = "type")]
    pub type_: String,
    /// The declared action.
    pub action: String,
    /// `Type:Id`.
    pub subject: String,
    /// Who proposes; whoever signs, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Members of the action.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// The seat that the actor speaks from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<String>,
    /// The scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The ALLOW relied on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Digest>,
    /// Back-links by name; `prev` is filled in when it is absent.
    #[serde(default)]
    pub refs: BTreeMap<String, Digest>,
    /// Keys used up.
    #[serde(default)]
    pub consumes: Vec<String>,
    /// The version; the next or the proposed one, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Movements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postings: Option<Vec<Posting>>,
    /// A signature made elsewhere. Such a record is complete, and nothing is filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sig: Option<String>,
}

impl Proposed {
    /// Reads one record or a list of records that are one entry. Strict: unknown and repeated members are refused.
    pub fn read(bytes: &[u8], what: &str) -> Result<Vec<Self>> {
        let invalid = |code, detail: String| EngineError::Proposal { what: what.to_owned(), code, detail };
        let value = enact_core::canonical::parse(bytes).map_err(|e| match e.code() {
            "canonical_syntax" => EngineError::Json { what: what.to_owned(), detail: e.to_string() },
            code => invalid(code, e.to_string()),
        })?;
        let batch = if let Value::Array(batch) = value { batch } else { vec![value] };
        match batch.len() {
            0 => return Err(invalid("entry_no_records", "a batch holds at least one record".to_owned())),
            1..=RECORDS_MAX => {}
            many => return Err(invalid("proposal_invalid", format!("a batch of {many} records, {RECORDS_MAX} are allowed"))),
        }
        let read = |(nth, record): (usize, Value)| {
            // What the judge would say of it, could it be said to the judge at all.
            let code = unspeakable(&record).unwrap_or("proposal_invalid");
            serde_json::from_value(record).map_err(|e| invalid(code, format!("record {nth}: {e}")))
        };
        batch.into_iter().enumerate().map(read).collect()
    }

    /// The first record of its subject, signed where its author is.
    pub(crate) fn signed(mut self, kind: Kind, actor: &str, origin: &str, key: &SigningKey) -> Result<Self> {
        self.kind = Some(kind);
        self.actor = Some(keys::actor_id(actor)?);
        let record = self.record(kind, actor);
        let signed = sign(record, origin, key).map_err(|e| EngineError::PayloadValue { detail: e.to_string() })?;
        self.sig = signed.sig;
        Ok(self)
    }

    /// The record as far as it is written.
    fn record(&self, kind: Kind, signer: &str) -> Record {
        Record {
            kind: self.kind.unwrap_or(kind),
            type_: self.type_.clone(),
            action: self.action.clone(),
            subject: self.subject.clone(),
            actor: self.actor.clone().unwrap_or_else(|| signer.to_owned()),
            seat: self.seat.clone(),
            scope: self.scope.clone(),
            auth: self.auth,
            refs: self.refs.clone(),
            consumes: self.consumes.clone(),
            version: self.version,
            postings: self.postings.clone(),
            payload: Value::Object(self.payload.clone()),
            sig: self.sig.clone(),
        }
    }

    /// A record of the core's own types.
    pub(crate) fn of(type_: &str, action: &str, subject: &str, payload: Value) -> Self {
        Self {
            kind: None,
            type_: type_.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            actor: None,
            payload: if let Value::Object(map) = payload { map } else { Map::new() },
            seat: None,
            scope: None,
            auth: None,
            refs: BTreeMap::new(),
            consumes: Vec::new(),
            version: None,
            postings: None,
            sig: None,
        }
    }
}

/// The code of what makes a record one that has no form: a kind that is none, an amount that is not text.
fn unspeakable(record: &Value) -> Option<&'static str> {
    if record.get("kind").is_some_and(|kind| serde_json::from_value::<Kind>(kind.clone()).is_err()) {
        return Some("record_kind");
    }
    let legs = record.get("postings").and_then(Value::as_array)?;
    legs.iter().any(|leg| leg.get("amount").is_some_and(|amount| !amount.is_string())).then_some("posting_amount")
}

/// Who signs what is proposed.
pub(crate) struct Signer<'a> {
    pub(crate) origin: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) key: Option<&'a SigningKey>,
}

/// Completes and signs a batch against the state as it is now. Whether it holds is asked later, by the judge.
pub(crate) fn complete<V>(rules: &Protocol, view: &V, signer: &Signer<'_>, proposed: &[Proposed]) -> Result<Vec<Record>>
where
    V: StateView<Error = enact_store::StoreError> + ?Sized,
{
    // Records of one batch about one subject follow each other.
    let mut last: HashMap<&str, Digest> = HashMap::new();
    let mut records = Vec::with_capacity(proposed.len());
    for each in proposed {
        let row = subject(view, &each.subject)?;
        let lifecycle = rules.lifecycle(&each.type_);
        let mut record = each.record(lifecycle.map_or(Kind::Receipt, |l| l.kind), signer.actor);
        if record.sig.is_none() {
            let prev = last.get(each.subject.as_str()).copied().or_else(|| row.as_ref().map(|row| row.last));
            if let (Some(prev), false) = (prev, record.refs.contains_key("prev")) {
                record.refs.insert("prev".to_owned(), prev);
            }
            let step = lifecycle.and_then(|l| l.actions.get(&each.action)).and_then(|action| action.step);
            record.version = record.version.or_else(|| version(step, row.as_ref(), record.refs.get("proposal")));
            if let Some(key) = signer.key {
                record = sign(record, signer.origin, key).map_err(|e| EngineError::PayloadValue { detail: e.to_string() })?;
            }
        }
        let hash = record.hash().map_err(|e| EngineError::PayloadValue { detail: e.to_string() })?;
        last.insert(&each.subject, hash);
        records.push(record);
    }
    Ok(records)
}

/// The number that a step is about: the next one, or that of the proposal it names.
fn version(step: Option<Step>, row: Option<&SubjectRow>, proposal: Option<&Digest>) -> Option<u64> {
    let next = row.and_then(|row| row.active).map_or(1, |active| active.version.saturating_add(1));
    match step? {
        Step::Propose => Some(next),
        Step::Ratify | Step::Withdraw => {
            let open = row.and_then(|row| row.open.iter().find(|open| Some(&open.record) == proposal));
            Some(open.map_or(next, |open| open.version))
        }
    }
}

/// Where a subject stands.
pub(crate) fn subject<V>(view: &V, key: &str) -> Result<Option<SubjectRow>>
where
    V: StateView<Error = enact_store::StoreError> + ?Sized,
{
    let text = view.get(Space::Subject, key)?;
    text.map(|text| row(&text, "subject", key)).transpose()
}

/// A row of the state, which only the core writes.
pub(crate) fn row<T: serde::de::DeserializeOwned>(text: &str, space: &str, key: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| EngineError::unreadable(space, key, e.to_string()))
}
