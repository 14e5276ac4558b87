//! Proposing: complete, sign, judge inside the transaction, append; or explain what would happen, appending nothing.
use ed25519_dalek::SigningKey;
use enact_core::entry::{Draft, Head, Local, Record, Sealed};
use enact_core::govern::row::SystemRow;
use enact_core::govern::{EntryContext, JudgeError, RowFinding, append, judge};
use enact_core::hash::Digest;
use enact_core::state::{Space, StateDelta, StateView};
use enact_core::time::Instant;
use enact_store::{Committed, Judge, RefusedProposal as Kept, Rejection, StoreError, TxView};
use serde::Serialize;
use serde_json::{Value, json};

use super::book::Ruled;
use super::keys;
use super::outside::{Adopting, Components, Signatures};
use super::proposal::{Proposed, Signer, complete, row};
use crate::engine::Engine;
use crate::error::{EngineError, Kind, Result, UNREADABLE};
use crate::queue::{After, Left, Original, Stop, Unit};
use crate::report::EntryReport;
use crate::sources::time_text;

/// Attempts at a proposal whose subject moved on between reading and appending.
const ATTEMPTS_MAX: u32 = 5;

/// A proposal that is in the ledger; the stable shape of `enact propose --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Appended {
    /// The entry.
    pub entry: EntryReport,
    /// When.
    pub at: String,
    /// What became of each record.
    pub records: Vec<AppendedRecord>,
}

/// One appended record.
#[derive(Debug, Clone, Serialize)]
pub struct AppendedRecord {
    /// Its portable hash: what `refs` and `auth` name.
    pub hash: String,
    /// Its action.
    pub action: String,
    /// Its subject.
    pub subject: String,
    /// The row of the matrix that allowed it.
    pub decided: String,
}

/// A proposal that was refused; nothing was appended.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedProposal {
    /// Stable code.
    pub code: String,
    /// What it got and what is allowed.
    pub detail: String,
    /// Position of the record in the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<usize>,
    /// The row that got furthest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Every row that was looked at, with how it came out.
    pub rows: Vec<RowFinding>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What was carried out before, of an item of the queue that nobody needs to queue again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Box<Original>>,
    #[serde(skip)]
    kept: Kept,
    /// Whether something that was read before has changed in the meantime.
    #[serde(skip)]
    raced: bool,
}

impl RefusedProposal {
    /// Someone else was faster: the subject, or the protocol, is not the one that the record was completed for.
    pub(crate) fn is_stale(&self) -> bool {
        self.raced || matches!(self.code.as_str(), "chain_prev" | "chain_protocol")
    }

    /// Who has to act: a rule refuses what it has judged; where a row cannot be read, nothing was decided.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.code == UNREADABLE { Kind::Integrity } else { Kind::Refused }
    }

    /// The queue moved on between the reading and the append.
    fn raced(rejection: &Rejection, records: &[Record], at: &str) -> Self {
        Self { raced: true, ..plain(rejection.code(), rejection.to_string(), records, at) }
    }
}

/// What would happen; the stable shape of `enact explain --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// It would be appended.
    pub allowed: bool,
    /// For each record the row that decides and the rows that were looked at.
    pub records: Vec<ExplainedRecord>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedProposal>,
    /// Rows of the state that it would write.
    pub changes: Vec<ExplainedChange>,
}

/// One record of an explanation.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedRecord {
    /// Its action.
    pub action: String,
    /// Its subject.
    pub subject: String,
    /// The row that decides.
    pub decided: String,
    /// The rows that were looked at.
    pub rows: Vec<RowFinding>,
}

/// One row that an entry would write.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedChange {
    /// Family.
    pub space: &'static str,
    /// Key.
    pub key: String,
    /// The row before.
    pub before: Option<Value>,
    /// The row after.
    pub after: Value,
}

/// Records with the rows that allowed them, and with the hashes that the judge made of them.
fn reported(records: &[Record], judged: Judged) -> Result<Vec<AppendedRecord>> {
    if judged.hashes.len() != records.len() {
        return report(records, judged.rows);
    }
    let rows = judged.rows.into_iter().chain(std::iter::repeat(String::new()));
    let report = |((record, hash), decided): ((&Record, &Digest), String)| AppendedRecord {
        hash: hash.to_string(),
        action: record.action.clone(),
        subject: record.subject.clone(),
        decided,
    };
    Ok(records.iter().zip(&judged.hashes).zip(rows).map(report).collect())
}

/// What became of drafts that were given to the judge.
pub(super) fn answered(
    answers: Vec<Result<Committed, RefusedProposal>>,
    drafts: &[Draft],
    verdicts: Verdicts,
) -> Result<Vec<Result<Appended, RefusedProposal>>> {
    let hashes = verdicts.hashes.into_iter().chain(std::iter::repeat(Vec::new()));
    let mut judged = verdicts.decided.into_iter().zip(hashes).map(|(rows, hashes)| Judged { rows, hashes });
    let mut appended = Vec::with_capacity(answers.len());
    for (answer, draft) in answers.into_iter().zip(drafts) {
        let judged = judged.next().unwrap_or_default();
        appended.push(match answer {
            Ok(committed) => Ok(Appended {
                entry: EntryReport { seq: committed.seq, hash: committed.entry_hash.to_string() },
                at: committed.at,
                records: reported(&draft.records, judged)?,
            }),
            Err(refused) => Err(refused),
        });
    }
    Ok(appended)
}

/// What the judge said of a draft.
#[derive(Default)]
struct Judged {
    rows: Vec<String>,
    hashes: Vec<Digest>,
}

/// What the judge said of drafts, in their order.
pub(super) struct Verdicts {
    decided: Vec<Vec<String>>,
    hashes: Vec<Vec<Digest>>,
}

/// Records with the rows that allowed them.
pub(crate) fn report(records: &[Record], decided: Vec<String>) -> Result<Vec<AppendedRecord>> {
    let decided = decided.into_iter().chain(std::iter::repeat(String::new()));
    let report = |(record, decided): (&Record, String)| {
        let hash = record.hash().map_err(|e| EngineError::PayloadValue { detail: e.to_string() })?;
        Ok(AppendedRecord { hash: hash.to_string(), action: record.action.clone(), subject: record.subject.clone(), decided })
    };
    records.iter().zip(decided).map(report).collect()
}

impl Engine {
    /// Proposes a batch as an actor, with the key that this workspace holds for it.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when the judge refuses; it is kept in the log of refusals.
    pub fn propose(&self, actor: &str, proposed: &[Proposed]) -> Result<Appended> {
        let actor = keys::actor_id(actor)?;
        // A batch that was signed elsewhere needs no key here.
        let key = if proposed.iter().all(|p| p.sig.is_some()) { None } else { Some(keys::load(self.workspace(), &actor)?) };
        self.propose_signed(&actor, key.as_ref(), proposed)
    }

    pub(crate) fn propose_signed(&self, actor: &str, key: Option<&SigningKey>, proposed: &[Proposed]) -> Result<Appended> {
        let mut attempt = 1;
        loop {
            let (records, protocol) = self.completed(actor, key, proposed)?;
            match self.append_records(records, protocol, attempt)? {
                Ok(appended) => return Ok(appended),
                // Someone else was faster about the same subject. What was filled in is filled in anew; what was given stays.
                Err(refused) if refused.is_stale() && attempt < ATTEMPTS_MAX => attempt += 1,
                Err(refused) => return Err(EngineError::Refused(Box::new(refused))),
            }
        }
    }

    /// Records with what is known only now, and the snapshot in force.
    pub(crate) fn completed(&self, actor: &str, key: Option<&SigningKey>, proposed: &[Proposed]) -> Result<(Vec<Record>, Digest)> {
        let mut reader = self.store().reader()?;
        let moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        let ruled = self.rules(&protocol, &moment)?;
        let signer = Signer { origin: &self.workspace().config().origin, actor, key };
        Ok((complete(&ruled.protocol, &moment, &signer, proposed)?, protocol))
    }

    /// One durable entry of records that are complete.
    pub(crate) fn append_records(&self, records: Vec<Record>, protocol: Digest, attempt: u32) -> Result<Result<Appended, RefusedProposal>> {
        let mut answers = self.append_group(&mut [self.draft(records, protocol, attempt)], &Signatures::default())?;
        answers.pop().ok_or_else(|| EngineError::Internal { detail: "a draft without an answer".to_owned() })
    }

    /// Records that are complete, for one entry.
    pub(crate) fn draft(&self, records: Vec<Record>, protocol: Digest, attempt: u32) -> Draft {
        Draft { protocol, at: String::new(), records, local: Local { node: self.workspace().config().node.clone(), attempt } }
    }

    /// Entries made durable together, in this order, each judged by itself.
    pub(crate) fn append_group(&self, drafts: &mut [Draft], signatures: &Signatures) -> Result<Vec<Result<Appended, RefusedProposal>>> {
        let now = time_text(self.now_micros());
        if let Some(units) = self.units(drafts)? {
            let answers = self.append_units(units, signatures)?;
            let mut appended = Vec::with_capacity(answers.len());
            for (answer, draft) in answers.into_iter().zip(&*drafts) {
                appended.push(match answer {
                    Ok(done) => Ok(done),
                    Err(Left::Refused(refused)) => Err(*refused),
                    Err(Left::Rejected(rejection)) => Err(RefusedProposal::raced(&rejection, &draft.records, &now)),
                });
            }
            return Ok(appended);
        }
        let mut judging = Judging::new(self, signatures, drafts.len());
        let answers = self.with_signer(|writer, sign| Ok(writer.append_governed(drafts, &now, &mut judging, sign)?))?;
        answered(answers, drafts, judging.verdicts())
    }

    /// What drafts mean for the queue; `None` when none of them speaks of an item. The gate copies what it is shown, so it is shown nothing
    /// when no record is about an item.
    pub(super) fn units(&self, drafts: &[Draft]) -> Result<Option<Vec<Unit>>> {
        let mut ruled = None;
        for draft in drafts {
            if ruled.as_ref().is_none_or(|(protocol, _)| *protocol != draft.protocol) {
                ruled = self.book().known(&draft.protocol).map(|known| (draft.protocol, known));
            }
            let Some((_, rules)) = &ruled else { return self.gated(drafts) };
            if draft.records.iter().any(|record| rules.protocol.contracts().any(|contract| contract.decl.record == record.type_)) {
                return self.gated(drafts);
            }
        }
        Ok(None)
    }

    /// What would happen to a batch now; nothing is appended and no refusal is recorded.
    pub fn explain(&self, actor: &str, proposed: &[Proposed]) -> Result<Explained> {
        let actor = keys::actor_id(actor)?;
        let key = keys::load(self.workspace(), &actor).ok();
        let mut reader = self.store().reader()?;
        let head = reader.head()?;
        let moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        let ruled = self.rules(&protocol, &moment)?;
        let origin = &self.workspace().config().origin;
        let records = complete(&ruled.protocol, &moment, &Signer { origin, actor: &actor, key: key.as_ref() }, proposed)?;
        let now = Instant::parse(&time_text(self.now_micros())).map(String::from).unwrap_or_default();
        let entry = EntryContext { origin, at: if now < head.at { &head.at } else { &now }, protocol, seq: head.size };
        let components = Components { engine: self, modules: &ruled.modules, signatures: &Signatures::default() };
        let outside = Adopting { components, view: &moment };
        let judgement = match judge(&ruled.protocol, &moment, &outside, &entry, &records) {
            Ok(judgement) => judgement,
            Err(JudgeError::View(error)) => return Err(error.into()),
            Err(JudgeError::Row { space, key }) => return Err(unreadable(space, &key)),
            Err(error) => {
                let refused = refused(error, &records, &now);
                return Ok(Explained { allowed: false, records: Vec::new(), refused: Some(refused), changes: Vec::new() });
            }
        };
        let rows = judgement.decided.into_iter().zip(judgement.rows);
        let explained = records.iter().zip(rows).map(|(record, (decided, rows))| ExplainedRecord {
            action: record.action.clone(),
            subject: record.subject.clone(),
            decided,
            rows,
        });
        let explained = explained.collect();
        let parsed = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        let mut changes = Vec::with_capacity(judgement.delta.puts.len());
        for put in judgement.delta.puts {
            let before = moment.get(put.space, &put.key)?.map(|text| parsed(&text));
            changes.push(ExplainedChange { space: put.space.as_str(), key: put.key, before, after: parsed(&put.value) });
        }
        Ok(Explained { allowed: true, records: explained, refused: None, changes })
    }

    /// The snapshot in force: the adopted one, or before the founding the one that this workspace sealed.
    pub(crate) fn in_force<V: StateView<Error = StoreError> + ?Sized>(&self, view: &V) -> Result<Digest> {
        match view.get(Space::System, "protocol")? {
            Some(text) => Ok(row::<SystemRow>(&text, "system", "protocol")?.snapshot),
            None => self.snapshot().hash().parse().map_err(|_| EngineError::Internal { detail: "a snapshot without a hash".to_owned() }),
        }
    }

    /// The rules of a snapshot.
    pub(crate) fn rules<V: TxView + ?Sized>(&self, hash: &Digest, view: &V) -> Result<std::sync::Arc<Ruled>> {
        let text = hash.to_string();
        self.book().rules(hash, || {
            if self.snapshot().hash() == text {
                return Ok(Some(self.snapshot().to_lock()));
            }
            Ok(view.snapshot(&text)?)
        })
    }
}

/// Judges inside the transaction, under the rules that the entry names.
pub(crate) struct Judging<'a> {
    engine: &'a Engine,
    origin: &'a str,
    signatures: &'a Signatures,
    /// For each draft that was judged the rows that decided; none where it was refused.
    pub(crate) decided: Vec<Vec<String>>,
    /// For each draft that was judged the hashes of its records; none where it was refused.
    hashes: Vec<Vec<Digest>>,
    /// Records that the queue refuses, unless they are refused anyhow.
    pub(crate) stops: &'a [Stop],
    /// Subjects whose rows are asked for.
    pub(crate) after: Option<&'a After>,
}

impl<'a> Judging<'a> {
    pub(crate) fn new(engine: &'a Engine, signatures: &'a Signatures, drafts: usize) -> Self {
        let origin = &engine.workspace().config().origin;
        Self {
            engine,
            origin,
            signatures,
            decided: Vec::with_capacity(drafts),
            hashes: Vec::with_capacity(drafts),
            stops: &[],
            after: None,
        }
    }

    /// What it said.
    pub(super) fn verdicts(self) -> Verdicts {
        Verdicts { decided: self.decided, hashes: self.hashes }
    }

    /// Why the queue refuses a draft that the judge allows.
    fn stopped(&self, draft: &Draft) -> Option<RefusedProposal> {
        let about = |stop: &&Stop| draft.records.iter().any(|record| record.subject == stop.subject && record.action == stop.action);
        let stop = self.stops.iter().find(about)?;
        let mut refused = plain(stop.code, stop.detail.clone(), &draft.records, &draft.at);
        refused.hint = stop.hint.map(str::to_owned);
        Some(refused)
    }
}

impl Judge for Judging<'_> {
    type Refused = RefusedProposal;

    fn judge(
        &mut self,
        view: &dyn TxView,
        head: &Head,
        draft: &Draft,
    ) -> Result<Result<(Sealed, StateDelta), RefusedProposal>, StoreError> {
        self.decided.push(Vec::new());
        self.hashes.push(Vec::new());
        let ruled = match self.engine.rules(&draft.protocol, view) {
            Ok(ruled) => ruled,
            Err(EngineError::Store(error)) => return Err(error),
            Err(error) => return Ok(Err(plain(error.code(), error.to_string(), &draft.records, &draft.at))),
        };
        let components = Components { engine: self.engine, modules: &ruled.modules, signatures: self.signatures };
        let outside = Adopting { components, view };
        match append(&ruled.protocol, view, &outside, head, self.origin, draft) {
            Ok(appended) => {
                if let Some(stopped) = self.stopped(draft) {
                    return Ok(Err(stopped));
                }
                let mut after = self.after.map(|after| after.borrow_mut());
                for put in appended.delta.puts.iter().filter(|put| put.space == Space::Subject) {
                    if let Some(asked) = after.as_mut().and_then(|after| after.get_mut(&put.key)) {
                        *asked = serde_json::from_str(&put.value).ok();
                    }
                }
                if let Some(decided) = self.decided.last_mut() {
                    *decided = appended.decided;
                }
                if let Some(hashes) = self.hashes.last_mut() {
                    hashes.clone_from(&appended.sealed.records);
                }
                Ok(Ok((appended.sealed, appended.delta)))
            }
            Err(JudgeError::View(error)) => Err(error),
            Err(error) => Ok(Err(refused(error, &draft.records, &draft.at))),
        }
    }

    fn keep(&self, refused: &RefusedProposal) -> Option<Kept> {
        Some(refused.kept.clone())
    }
}

/// What the judge says of work that was not drafted, as code and text; an error where it could not read what it is about.
pub(crate) fn unjudged(error: JudgeError<StoreError>) -> Result<(&'static str, String)> {
    match error {
        JudgeError::View(error) => Err(error.into()),
        JudgeError::Row { space, key } => Err(unreadable(space, &key)),
        JudgeError::Refused(_) | JudgeError::Entry(_) | JudgeError::Undecided(_) => {
            Ok((error.code().unwrap_or(UNREADABLE), error.to_string()))
        }
    }
}

fn unreadable(space: Space, key: &str) -> EngineError {
    EngineError::unreadable(space.as_str(), key, "it is none that the core writes")
}

fn refused(error: JudgeError<StoreError>, records: &[Record], at: &str) -> RefusedProposal {
    let code = error.code().unwrap_or(UNREADABLE).to_owned();
    let JudgeError::Refused(refused) = error else {
        return plain(&code, error.to_string(), records, at);
    };
    let mut plain = plain(&code, refused.detail.clone(), records, at);
    let about = records.get(refused.record);
    plain.kept.record = u64::try_from(refused.record).ok();
    plain.kept.row.clone_from(&refused.row);
    plain.kept.actor = about.map(|r| r.actor.clone());
    plain.kept.action = about.map(|r| r.action.clone());
    plain.kept.subject = about.map(|r| r.subject.clone());
    plain.record = Some(refused.record);
    plain.hint = refused.hint().map(str::to_owned);
    plain.row = refused.row;
    plain.rows = refused.rows;
    plain
}

/// A refusal of the batch as a whole.
fn plain(code: &str, detail: String, records: &[Record], at: &str) -> RefusedProposal {
    let first = records.first();
    let bytes = serde_json::to_vec(&json!(records)).unwrap_or_default();
    let kept = Kept {
        at: at.to_owned(),
        code: code.to_owned(),
        record: None,
        row: None,
        actor: first.map(|r| r.actor.clone()),
        action: first.map(|r| r.action.clone()),
        subject: first.map(|r| r.subject.clone()),
        detail: detail.clone(),
        bytes,
    };
    RefusedProposal {
        code: code.to_owned(),
        detail,
        record: None,
        row: None,
        rows: Vec::new(),
        hint: None,
        original: None,
        kept,
        raced: false,
    }
}
