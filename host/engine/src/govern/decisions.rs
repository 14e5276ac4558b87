//! Reading decisions: where each proposal stands, what carrying it out left behind, and its receipt.
//!
//! The ledger dominates: what this node noted about an execution only adds when it began, what kept it from it, and how often it tried.
use enact_core::entry::{Entry, Record};
use enact_core::govern::Protocol;
use enact_core::govern::decision::{self, DECISION_HASH, DECISION_REF, Decisions, ExecutionReceipt, TALLY};
use enact_core::govern::row::{ConsumedRow, SubjectRow};
use enact_core::state::{Space, StateView as _};
use enact_store::{Execution, Reader};
use serde::Serialize;
use serde_json::Value;

use super::proposal::row;
use crate::engine::Engine;
use crate::error::{EngineError, Result};

/// Rows read at a time; bounds memory, not the result.
const PAGE: u64 = 1_000;

/// How far a decision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ExecutionStatus {
    /// Not decided.
    Undecided,
    /// Decided, and nobody here began to carry it out.
    Pending,
    /// Begun here.
    Executing,
    /// Carried out, for ever.
    Confirmed,
    /// It was tried here and failed; or, by a record, it can never be.
    Failed,
    /// It was tried here as often as it is by itself: somebody has to look.
    PermanentlyFailed,
}

impl ExecutionStatus {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecided => "Undecided",
            Self::Pending => "Pending",
            Self::Executing => "Executing",
            Self::Confirmed => "Confirmed",
            Self::Failed => "Failed",
            Self::PermanentlyFailed => "PermanentlyFailed",
        }
    }

    fn noted(word: &str) -> Self {
        [Self::Executing, Self::Failed, Self::PermanentlyFailed].into_iter().find(|status| status.as_str() == word).unwrap_or(Self::Pending)
    }
}

/// What became of one effect.
#[derive(Debug, Clone, Serialize)]
pub struct EffectResult {
    /// Whether it is in the ledger.
    pub success: bool,
    /// Which effect, and what of it.
    pub message: String,
    /// Over the records that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_change_hash: Option<String>,
}

/// A decision with its execution; the stable shape of `enact decision show --json`.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionReport {
    /// The decision; absent until there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_hash: Option<String>,
    /// The proposal.
    pub proposal_id: String,
    /// Its subject.
    pub subject: String,
    /// The state of its lifecycle.
    pub state: String,
    /// How far it is.
    pub status: ExecutionStatus,
    /// What it brings about, as proposed.
    pub effects: Value,
    /// How it came about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tally: Option<Value>,
    /// `record_hash` of the record that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_receipt_id: Option<String>,
    /// When this node began, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it came to an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Hashes of the entries; empty until it is confirmed.
    pub ledger_entry_ids: Vec<String>,
    /// One for each effect; empty until it is confirmed.
    pub state_change_hashes: Vec<String>,
    /// One for each effect, once it was tried.
    pub results: Vec<EffectResult>,
    /// Stable code of what kept it from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How often this node tried again.
    pub retries: u32,
    /// What it proves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ExecutionReceipt>,
    /// The portable hash of the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_hash: Option<String>,
}

impl Engine {
    /// A decision by its proposal, with or without the type, or by its hash.
    ///
    /// # Errors
    /// `decision_unknown` when there is none.
    pub fn decision(&self, what: &str) -> Result<DecisionReport> {
        let mut reader = self.store().reader()?;
        let protocol = self.in_force(&reader.moment(None)?)?;
        let ruled = self.rules(&protocol, &reader.moment(None)?)?;
        let subject = find(&ruled.protocol, &mut reader, what)?;
        let unknown = || EngineError::Decision { code: "decision_unknown", detail: format!("`{what}` is no proposal and no decision") };
        let subject = subject.ok_or_else(unknown)?;
        let found = reader.state(Space::Subject, &subject)?.ok_or_else(unknown)?;
        let decisions = ruled.protocol.decisions_about(&subject).ok_or_else(unknown)?;
        report(decisions, &ruled.protocol, &mut reader, &subject, &row(&found.1, "subject", &subject)?)
    }

    /// All proposals with where they stand, in the order of their names.
    pub fn decisions(&self, status: Option<&str>) -> Result<Vec<DecisionReport>> {
        let mut reader = self.store().reader()?;
        let protocol = self.in_force(&reader.moment(None)?)?;
        let ruled = self.rules(&protocol, &reader.moment(None)?)?;
        let mut found = Vec::new();
        for decisions in ruled.protocol.all_decisions() {
            for (subject, row) in proposals(&mut reader, decisions)? {
                found.push(report(decisions, &ruled.protocol, &mut reader, &subject, &row)?);
            }
        }
        found.retain(|report| status.is_none_or(|status| report.status.as_str() == status || report.state == status));
        Ok(found)
    }

    /// Subjects of the proposals that are to be decided (`open`), or that are decided and not carried out.
    pub(crate) fn due(&self, open: bool) -> Result<Vec<String>> {
        let mut reader = self.store().reader()?;
        let protocol = self.in_force(&reader.moment(None)?)?;
        let ruled = self.rules(&protocol, &reader.moment(None)?)?;
        let mut found = Vec::new();
        for decisions in ruled.protocol.all_decisions() {
            let decide = ruled.protocol.lifecycle(&decisions.record).and_then(|lifecycle| lifecycle.actions.get(&decisions.actions.decide));
            let is_open = |state: &str| decide.is_some_and(|decide| decide.from.iter().any(|from| from == state));
            for (subject, row) in proposals(&mut reader, decisions)? {
                let state = row.state.as_deref().unwrap_or_default();
                if if open { is_open(state) } else { state == decisions.decided } {
                    let hash = row.kept.get(DECISION_HASH).and_then(Value::as_str).filter(|_| !open);
                    let noted = hash.map(|hash| reader.execution(hash)).transpose()?.flatten();
                    let given_up = noted.is_some_and(|noted| noted.status == ExecutionStatus::PermanentlyFailed.as_str());
                    if !given_up {
                        found.push(subject);
                    }
                }
            }
        }
        Ok(found)
    }

    /// The subject of a proposal that is named with or without its type.
    pub(crate) fn proposal_subject(&self, what: &str) -> Result<String> {
        let mut reader = self.store().reader()?;
        let protocol = self.in_force(&reader.moment(None)?)?;
        let ruled = self.rules(&protocol, &reader.moment(None)?)?;
        let unknown = || EngineError::Decision { code: "decision_unknown", detail: format!("`{what}` is no proposal") };
        find(&ruled.protocol, &mut reader, what)?.ok_or_else(unknown)
    }
}

/// All proposals of one kind.
fn proposals(reader: &mut Reader, decisions: &Decisions) -> Result<Vec<(String, SubjectRow)>> {
    let prefix = format!("{}:", decisions.subject);
    let (mut found, mut after): (Vec<(String, SubjectRow)>, Option<String>) = (Vec::new(), None);
    loop {
        let page = reader.state_rows(Space::Subject, &prefix, after.as_deref(), PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.key.clone());
        for each in page {
            found.push((each.key.clone(), row(&each.value, "subject", &each.key)?));
        }
    }
}

/// The subject that a name or a hash means; of a hash that nobody carried out, the proposal that keeps it.
fn find(rules: &Protocol, reader: &mut Reader, what: &str) -> Result<Option<String>> {
    if !what.starts_with("sha256:") {
        let named = |decisions: &Decisions| if what.contains(':') { what.to_owned() } else { format!("{}:{what}", decisions.subject) };
        let known = |subject: &String| rules.decisions_about(subject).is_some();
        let candidates: Vec<String> = rules.all_decisions().map(named).filter(known).collect();
        for subject in candidates {
            if reader.state(Space::Subject, &subject)?.is_some() {
                return Ok(Some(subject));
            }
        }
        return Ok(None);
    }
    if let Some((entry, _)) = carried_out(reader, what)? {
        return Ok(entry.records.first().map(|record| record.subject.clone()));
    }
    if let Some(noted) = reader.execution(what)? {
        return Ok(Some(noted.proposal));
    }
    for decisions in rules.all_decisions() {
        for (subject, row) in proposals(reader, decisions)? {
            if row.kept.get(DECISION_HASH).and_then(Value::as_str) == Some(what) {
                return Ok(Some(subject));
            }
        }
    }
    Ok(None)
}

/// The entry that used up the key of a decision, with its hash.
fn carried_out(reader: &mut Reader, hash: &str) -> Result<Option<(Entry, enact_core::hash::Digest)>> {
    let key = format!("decision:{hash}");
    let Some(text) = reader.moment(None)?.get(Space::Consumed, &key)? else { return Ok(None) };
    let seq = row::<ConsumedRow>(&text, "consumed", &key)?.seq;
    let altered = |detail: String| EngineError::Altered { what: format!("entry {seq}"), code: "entry_missing", detail };
    let stored = reader.entry(seq)?.ok_or_else(|| altered("a key says that it exists".to_owned()))?;
    let entry = Entry::parse(&stored.bytes).map_err(|refusal| altered(refusal.to_string()))?;
    Ok(Some((entry, enact_core::hash::entry_hash(&stored.bytes))))
}

fn report(decisions: &Decisions, rules: &Protocol, reader: &mut Reader, subject: &str, row: &SubjectRow) -> Result<DecisionReport> {
    let hash = row.kept.get(DECISION_HASH).and_then(Value::as_str).map(str::to_owned);
    let state = row.state.clone().unwrap_or_default();
    let entry = hash.as_deref().map(|hash| carried_out(reader, hash)).transpose()?.flatten();
    let noted = hash.as_deref().map(|hash| reader.execution(hash)).transpose()?.flatten();
    let failed = row.actors.contains_key(&decisions.actions.fail);
    let status = match (&hash, &entry) {
        (_, Some(_)) => ExecutionStatus::Confirmed,
        (None, None) => ExecutionStatus::Undecided,
        (Some(_), None) if failed => ExecutionStatus::Failed,
        (Some(_), None) => noted.as_ref().map_or(ExecutionStatus::Pending, |noted| ExecutionStatus::noted(&noted.status)),
    };
    let altered = |detail: String| EngineError::Altered { what: format!("decision of `{subject}`"), code: "entry_missing", detail };
    let shape = decisions.shape(&row.kept).unwrap_or_default();
    let noted = noted.unwrap_or_default();
    let mut report = DecisionReport {
        decision_receipt_id: (state == decisions.decided).then(|| row.last.to_string()),
        decision_hash: hash,
        proposal_id: subject.split_once(':').map_or(subject, |(_, id)| id).to_owned(),
        subject: subject.to_owned(),
        state,
        status,
        effects: row.kept.get(&decisions.effects_in).cloned().unwrap_or(Value::Null),
        tally: row.kept.get(TALLY).cloned(),
        started_at: Some(noted.started_at.clone()).filter(|at| !at.is_empty()),
        finished_at: noted.finished_at.clone(),
        ledger_entry_ids: Vec::new(),
        state_change_hashes: Vec::new(),
        results: Vec::new(),
        error: noted.error.clone(),
        retries: noted.retries,
        receipt: None,
        receipt_hash: None,
    };
    if let Some((entry, entry_hash)) = entry {
        report.error = None;
        report.finished_at = Some(entry.at.clone());
        report.ledger_entry_ids = vec![entry_hash.to_string()];
        report.decision_receipt_id = entry.records.first().and_then(|record| record.refs.get(DECISION_REF)).map(ToString::to_string);
        report.results = results(&shape, entry.records.get(1..).unwrap_or_default()).map_err(altered)?;
        report.state_change_hashes = report.results.iter().filter_map(|result| result.state_change_hash.clone()).collect();
        report.receipt = decision::receipt(rules, &entry.records, entry_hash, &entry.at).map_err(|e| altered(e.to_string()))?;
        let hashed = report.receipt.as_ref().map(ExecutionReceipt::canonical_hash).transpose().map_err(|e| altered(e.to_string()))?;
        report.receipt_hash = hashed.map(|hash| hash.to_string());
    } else if let Some(error) = &noted.error {
        // One entry or none: what kept one effect from it kept all of them.
        let kept_from =
            |(name, _): &(String, usize)| EffectResult { success: false, message: format!("{name}: {error}"), state_change_hash: None };
        report.results = shape.iter().map(kept_from).collect();
    }
    Ok(report)
}

/// One for each effect, in their order.
fn results(shape: &[(String, usize)], mut records: &[Record]) -> std::result::Result<Vec<EffectResult>, String> {
    let mut results = Vec::with_capacity(shape.len());
    for (name, count) in shape {
        let (own, rest) = records.split_at_checked(*count).ok_or("an effect without its records")?;
        records = rest;
        let done: Vec<String> = own.iter().map(|record| format!("{} {}", record.action, record.subject)).collect();
        let message = if done.is_empty() { format!("{name}: nothing, as decided") } else { format!("{name}: {}", done.join(", ")) };
        let hash = decision::state_change_hash(own).map_err(|e| e.to_string())?;
        results.push(EffectResult { success: true, message, state_change_hash: Some(hash.to_string()) });
    }
    Ok(results)
}

/// What is noted before a decision is dispatched.
pub(crate) fn begun(record: &Record, before: Option<&Execution>, at: &str) -> Option<Execution> {
    let hash = record.consumes.iter().find_map(|key| key.strip_prefix("decision:"))?;
    Some(Execution {
        decision_hash: hash.to_owned(),
        proposal: record.subject.clone(),
        decision: record.refs.get(DECISION_REF).map(ToString::to_string).unwrap_or_default(),
        status: ExecutionStatus::Executing.as_str().to_owned(),
        started_at: at.to_owned(),
        retries: before.map_or(0, |before| before.retries),
        ..Execution::default()
    })
}
