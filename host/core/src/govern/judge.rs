//! The judge: records of one entry, each over the state that the earlier ones leave, to the rows that decided and what changes.
//!
//! The stages run in a fixed order and the first failure wins (B-09). Nothing is written and nothing is remembered: the same rules,
//! state, entry and records always give the same answer.

use alloc::borrow::ToOwned as _;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::authority::{self, Allowed};
use super::code::GovernCode;
use super::declare::Step;
use super::field::ENGINE_PREFIX;
use super::outside::{Outside, Undecided};
use super::overlay::Overlay;
use super::posting::Leg;
use super::row::{OpenVersion, SubjectRow};
use super::rules::{Action, Core, Lifecycle, Protocol};
use super::{apply, chain, decision, guard, lifecycle, posting, schema};
use crate::entry::{Record, check_receipts};
use crate::error::Refusal;
use crate::hash::{Digest, record_hash};
use crate::receipt::{self, RunReceipt};
use crate::state::{Space, StateDelta, StateView};

/// What an entry says about all of its records.
#[derive(Clone, Copy, Debug)]
pub struct EntryContext<'a> {
    /// The ledger's name.
    pub origin: &'a str,
    /// When, in the stored spelling.
    pub at: &'a str,
    /// The snapshot that the entry names.
    pub protocol: Digest,
    /// Its position.
    pub seq: u64,
}

/// All records of the batch are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// For each record the row that allowed it.
    pub decided: Vec<String>,
    /// For each record its hash.
    pub hashes: Vec<Digest>,
    /// For each record the rows that were looked at.
    pub rows: Vec<Vec<RowFinding>>,
    /// What changes.
    pub delta: StateDelta,
}

/// What became of a row that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowFinding {
    /// `<code>#<row>`.
    pub row: String,
    /// Whether it allows the record.
    pub outcome: RowOutcome,
}

/// Whether a row allows a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// It does.
    Allows,
    /// It does not, and this is the first reason.
    Fails(GovernCode),
}

impl RowOutcome {
    /// `allows`, or the code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allows => "allows",
            Self::Fails(code) => code.as_str(),
        }
    }
}

impl Serialize for RowOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A record that is not allowed, and with it its whole batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Position in the batch.
    pub record: usize,
    /// The row that allowed it before something else failed, or that got furthest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Why.
    pub code: GovernCode,
    /// What it got and what is allowed.
    pub detail: String,
    /// The rows that were looked at.
    pub rows: Vec<RowFinding>,
}

impl Refused {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.code.hint()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}: {}", self.record, self.detail)
    }
}

/// Why there is no judgement in favour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JudgeError<E> {
    /// A record is not allowed.
    Refused(Refused),
    /// The entry around the records is refused, whatever they say.
    Entry(Refusal),
    /// An invariant has no answer; nothing was decided.
    Undecided(Undecided),
    /// A row could not be read; nothing was decided.
    View(E),
    /// A row is none that the core writes; nothing was decided.
    Row {
        /// Its space.
        space: Space,
        /// Its key.
        key: String,
    },
}

impl<E> JudgeError<E> {
    /// The stable code; nothing when the view failed, which has codes of its own.
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refused) => Some(refused.code.as_str()),
            Self::Entry(refusal) => Some(refusal.code()),
            Self::Undecided(_) => Some("invariant_undecided"),
            Self::Row { .. } => Some("state_unreadable"),
            Self::View(_) => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for JudgeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => fmt::Display::fmt(refused, f),
            Self::Entry(refusal) => fmt::Display::fmt(refusal, f),
            Self::Undecided(undecided) => fmt::Display::fmt(undecided, f),
            Self::View(error) => write!(f, "the state could not be read: {error}"),
            Self::Row { space, key } => write!(f, "row `{key}` of space `{}` is not one that the core writes", space.as_str()),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for JudgeError<E> {}

impl<E> From<Refusal> for JudgeError<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Entry(refusal)
    }
}

/// Why a stage stopped.
pub(super) enum Stop<E> {
    /// The record is refused.
    Refuse(GovernCode, String),
    /// There is no decision.
    Judge(JudgeError<E>),
}

impl<E> From<JudgeError<E>> for Stop<E> {
    fn from(error: JudgeError<E>) -> Self {
        Self::Judge(error)
    }
}

impl<E> From<Fault> for Stop<E> {
    fn from((code, detail): Fault) -> Self {
        Self::Refuse(code, detail)
    }
}

/// A refusal without its place.
pub(super) type Fault = (GovernCode, String);

/// What a stage answers.
pub(super) type Staged<T, V> = Result<T, Stop<<V as StateView>::Error>>;

/// One record with everything that its stages look at.
pub(super) struct Case<'a> {
    pub(super) rules: &'a Protocol,
    pub(super) outside: &'a dyn Outside,
    pub(super) entry: &'a EntryContext<'a>,
    pub(super) record: &'a Record,
    pub(super) lifecycle: &'a Lifecycle,
    pub(super) action: &'a Action,
    /// What is hashed and signed.
    pub(super) bytes: Vec<u8>,
    pub(super) hash: Digest,
    pub(super) subject: Option<Rc<SubjectRow>>,
    pub(super) legs: Vec<Leg<'a>>,
    /// The run whose receipt begins the entry.
    pub(super) run: Option<&'a EntryRun>,
}

/// The receipt that the other records of an entry belong to.
pub(super) struct EntryRun {
    pub(super) receipt: RunReceipt,
    pub(super) hash: Digest,
}

impl Case<'_> {
    /// The open proposal that a ratification or withdrawal names in `refs.proposal`. A proposal is about no other one.
    pub(super) fn proposal(&self) -> Option<&OpenVersion> {
        self.action.step.filter(|step| *step != Step::Propose)?;
        let named = self.record.refs.get("proposal")?;
        self.subject.as_ref()?.open.iter().find(|open| open.record == *named)
    }
}

/// Judges the records of one entry. Costs one canonicalisation and one BLAKE3 a record, a signature where one is given, and the
/// rows that the record is about.
///
/// # Errors
/// [`JudgeError::Refused`] with the first record that is not allowed and the first reason in the order of checks; anything else
/// says that nothing was decided.
pub fn judge<V: StateView + ?Sized>(
    rules: &Protocol,
    view: &V,
    outside: &dyn Outside,
    entry: &EntryContext<'_>,
    records: &[Record],
) -> Result<Judgement, JudgeError<V::Error>> {
    check_receipts(records)?;
    let mut state = Overlay::new(view);
    let mut run = None;
    let (mut decided, mut hashes, mut rows) =
        (Vec::with_capacity(records.len()), Vec::with_capacity(records.len()), Vec::with_capacity(records.len()));
    for (nth, record) in records.iter().enumerate() {
        let mut looked_at = Vec::new();
        let answer = match record.is_run() {
            true => judge_run(entry, (nth, record), records.len() > 1, &mut looked_at).map(|(row, hash, found)| {
                run = found.map(|receipt| EntryRun { receipt, hash });
                (row, hash)
            }),
            false => judge_record(rules, &mut state, outside, entry, run.as_ref(), (nth, record, records), &mut looked_at),
        };
        match answer {
            Ok((row, hash)) => {
                decided.push(row);
                hashes.push(hash);
                rows.push(looked_at);
            }
            Err(Stop::Judge(error)) => return Err(error),
            Err(Stop::Refuse(code, detail)) => {
                let row = authority::furthest(&looked_at).map(|finding| finding.row.clone());
                return Err(JudgeError::Refused(Refused { record: nth, row, code, detail, rows: looked_at }));
            }
        }
    }
    Ok(Judgement { decided, hashes, rows, delta: state.delta()? })
}

fn judge_record<V: StateView + ?Sized>(
    rules: &Protocol,
    state: &mut Overlay<'_, V>,
    outside: &dyn Outside,
    entry: &EntryContext<'_>,
    run: Option<&EntryRun>,
    (nth, record, records): (usize, &Record, &[Record]),
    rows: &mut Vec<RowFinding>,
) -> Staged<(String, Digest), V> {
    alone(nth, record)?;
    let (lifecycle, action, legs) = schema::check(rules, entry, record)?;
    decision::opened(rules, record)?;
    if let Some(run) = run.filter(|run| record.refs.get("run") != Some(&run.hash)) {
        let detail = alloc::format!("`refs.run` is not {}, the receipt of the entry", run.hash);
        return Err(Stop::Refuse(GovernCode::RecordField, detail));
    }
    let canonical = |error| Stop::Judge(JudgeError::Entry(Refusal::Canonical(error)));
    let bytes = record.unsigned_bytes().map_err(canonical)?;
    let (hash, subject) = (record_hash(&bytes), state.subject(&record.subject)?);
    let case = Case { rules, outside, entry, record, lifecycle, action, bytes, hash, subject, legs, run };
    chain::check(&case, state)?;
    let Allowed { row } = authority::check(&case, state, rows)?;
    let moved = lifecycle::check(&case, state)?;
    carried_out(&case)?;
    adopted(&case)?;
    decision::carried_out(&case, nth, records)?;
    guard::check(&case, state)?;
    guard::consume(&case, state)?;
    let balances = posting::check(&case, state)?;
    apply::write(&case, state, moved, balances);
    Ok((row, hash))
}

/// The checks of a record by itself.
fn alone<E>(nth: usize, record: &Record) -> Result<(), Stop<E>> {
    match record.check(nth) {
        Ok(()) => Ok(()),
        Err(Refusal::Field { field, .. }) => {
            Err(Stop::Refuse(GovernCode::RecordField, alloc::format!("`{field}` is empty, too long or malformed")))
        }
        Err(refusal) => Err(Stop::Judge(JudgeError::Entry(refusal))),
    }
}

/// A run receipt is a statement of the engine about a run, and nothing else. What other records rely on is read.
fn judge_run<E>(
    entry: &EntryContext<'_>,
    (nth, record): (usize, &Record),
    relied_on: bool,
    rows: &mut Vec<RowFinding>,
) -> Result<(String, Digest, Option<RunReceipt>), Stop<E>> {
    alone(nth, record)?;
    rows.push(RowFinding { row: authority::RUN_ROW.to_owned(), outcome: RowOutcome::Allows });
    if record.action != receipt::RECORD_ACTION {
        return Err((GovernCode::RecordAction, alloc::format!("`{}` has no action `{}`", record.type_, record.action)).into());
    }
    if !record.subject.starts_with("Run:") {
        return Err((GovernCode::RecordSubject, alloc::format!("`{}` is no run", record.subject)).into());
    }
    if !is_engine(&record.actor) {
        return Err((GovernCode::AuthorityNone, alloc::format!("`{}` is no engine", record.actor)).into());
    }
    let run = if relied_on { Some(read_run(entry, record)?) } else { None };
    let hash = record.hash().map_err(|error| Stop::Judge(JudgeError::Entry(Refusal::Canonical(error))))?;
    Ok((authority::RUN_ROW.to_string(), hash, run))
}

fn read_run<E>(entry: &EntryContext<'_>, record: &Record) -> Result<RunReceipt, Stop<E>> {
    let receipt = RunReceipt::from_record(record).map_err(|refusal| (GovernCode::PayloadType, refusal.to_string()))?;
    if receipt.snapshot != entry.protocol {
        let detail = alloc::format!("the run was made under {}, the entry is under {}", receipt.snapshot, entry.protocol);
        return Err((GovernCode::ChainProtocol, detail).into());
    }
    Ok(receipt)
}

/// What a queue contract executes is recorded with the receipt of its run, or not at all.
fn carried_out(case: &Case<'_>) -> Result<(), Fault> {
    let Some(contract) = case.rules.executes(&case.record.action) else { return Ok(()) };
    let run = case.run.map(|run| &run.receipt);
    if run.is_some_and(|receipt| contract.executed_by(receipt)) {
        return Ok(());
    }
    let got = run.map_or_else(
        || String::from("holds no receipt"),
        |run| alloc::format!("has a receipt of `{}` that ended in {}", run.workflow, run.exit.class.as_str()),
    );
    let needed = &contract.decl.workflow;
    Err((GovernCode::ExecutionRun, alloc::format!("the entry {got}, needed is one of `{needed}` that ended in SUCCESS")))
}

/// A snapshot that is adopted leaves what is frozen as it is.
fn adopted<E>(case: &Case<'_>) -> Result<(), Stop<E>> {
    if case.action.core != Some(Core::Adopt) || case.rules.frozen().next().is_none() {
        return Ok(());
    }
    let next = case.record.payload.get("snapshot").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let Some(next) = next else { return Err((GovernCode::PayloadType, String::from("`snapshot` is no digest")).into()) };
    match case.outside.redefined(case.rules, &next) {
        Ok(None) => Ok(()),
        Ok(Some(detail)) => Err((GovernCode::ProtocolFrozen, detail).into()),
        Err(undecided) => Err(Stop::Judge(JudgeError::Undecided(undecided))),
    }
}

/// `Engine:<fingerprint>`.
pub(super) fn is_engine(actor: &str) -> bool {
    actor.strip_prefix(ENGINE_PREFIX).is_some_and(|fingerprint| fingerprint.parse::<Digest>().is_ok())
}
