//! Deciding and carrying out: the tally is read, the decision appended, and its effects appended after it in one entry, exactly once.
//!
//! Drafting, signing and checking signatures happen on other threads, ahead of the commit; what is noted about an execution is durable
//! before the execution is given to the judge, and confirmed in the transaction of its entry.
use std::num::NonZeroUsize;
use std::thread;

use crossbeam_channel::bounded;
use ed25519_dalek::SigningKey;
use enact_core::entry::{Draft, Record};
use enact_core::govern::contract::ItemError;
use enact_core::govern::decision::{self, Proposal, Verdict};
use enact_core::govern::{GovernCode, Protocol, Stage, sign};
use enact_core::hash::Digest;
use enact_core::state::{Space, StateView as _};
use enact_store::{Execution, Moment, Reader, StoreError};
use serde::Serialize;
use serde_json::Map;

use super::decisions::{ExecutionStatus, begun};
use super::keys;
use super::outside::Signatures;
use super::propose::{Appended, RefusedProposal, unjudged};
use super::under_way::{Noted, UnderWay};
use crate::engine::Engine;
use crate::error::{EngineError, Kind, Result};
use crate::sources::time_text;

/// Attempts at a record whose subject moved on between drafting and appending.
const ATTEMPTS_MAX: u32 = 5;

/// Groups that are judged and wait for being settled.
const JUDGED_MAX: usize = 2;

/// How decisions are made.
#[derive(Debug, Clone, Copy)]
pub struct DecideOptions {
    /// Carried, or lost.
    pub verdict: Verdict,
    /// Carry out what was decided.
    pub execute: bool,
    /// Sign what is drafted. Without it, only rows that need no signature can allow it.
    pub sign: bool,
    /// Most entries of one commit.
    pub group: NonZeroUsize,
    /// Threads that draft, sign and check.
    pub jobs: NonZeroUsize,
}

/// What became of one proposal; the stable shape of an element of `enact decide --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The proposal.
    pub subject: String,
    /// The entry that decided it, when this command did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Appended>,
    /// The entry that carried it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed: Option<Appended>,
    /// It was carried out before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// What kept it from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
}

/// Why something was not done.
#[derive(Debug, Clone, Serialize)]
pub struct Stopped {
    /// Stable code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// It failed for good: the ledger says so, and only another proposal can follow.
    pub last: bool,
    /// Who has to act.
    #[serde(skip)]
    pub kind: Kind,
}

impl Stopped {
    fn of(error: &EngineError) -> Self {
        Self { code: error.code().to_owned(), detail: error.to_string(), last: false, kind: error.kind() }
    }

    fn refused(refused: &RefusedProposal) -> Self {
        Self { code: refused.code.clone(), detail: refused.detail.clone(), last: false, kind: refused.kind() }
    }
}

/// Who decides and carries out.
#[derive(Clone, Copy)]
struct Author<'a> {
    actor: &'a str,
    key: Option<&'a SigningKey>,
}

/// What is drafted of a proposal.
#[derive(Clone, Copy)]
enum What {
    Decide(Verdict),
    Execute,
}

/// One proposal with its entry, or why it has none.
struct Drafted {
    subject: String,
    draft: Result<Draft>,
    /// The records that only the executing node keeps something of.
    before: Option<Execution>,
}

/// Proposals that go together.
struct Group {
    drafted: Vec<Drafted>,
    signatures: Signatures,
}

/// Proposals whose decision is on its way.
struct Deciding {
    outcomes: Vec<Outcome>,
    under_way: UnderWay,
}

/// Decisions that are being carried out, each with whether there is an answer to wait for.
struct Executing {
    waiting: Vec<(Outcome, bool)>,
    noted: Noted,
}

/// A group that is judged.
enum Judged {
    Decision(Deciding),
    Execution(Executing),
}

impl Engine {
    /// Decides proposals and, unless told otherwise, carries them out; `each` is told of every proposal once it is durable or stopped.
    ///
    /// # Errors
    /// What keeps the rest from being decided. A refusal of one is part of its outcome.
    pub fn decide(&self, actor: &str, subjects: &[String], options: &DecideOptions, mut each: impl FnMut(Outcome)) -> Result<()> {
        let actor = &keys::actor_id(actor)?;
        let key = options.sign.then(|| keys::load(self.workspace(), actor)).transpose()?;
        let author = Author { actor, key: key.as_ref() };
        let (groups, ready) = bounded::<Result<Group>>(1);
        let (carried, due) = bounded::<Vec<Outcome>>(1);
        let (executions, drafted) = bounded::<Result<(Vec<Outcome>, Group)>>(1);
        let verdict = What::Decide(options.verdict);
        let (mut deciding, mut executing) = (self.readers(options.jobs)?, self.readers(options.jobs)?);
        let (judge, judged) = bounded::<Result<Judged>>(JUDGED_MAX);
        let carry = options.execute && options.verdict == Verdict::Carried;
        thread::scope(|scope| {
            // Each thread ends when nobody gives it anything any more, or nobody takes what it has: then there is an error, which is told below.
            scope.spawn(move || {
                let mut drafts = subjects.chunks(options.group.get()).map(|subjects| self.drafts(&mut deciding, author, subjects, verdict));
                drafts.try_for_each(|group| groups.send(group)).ok()
            });
            scope.spawn(move || {
                let mut drafts = due.iter().map(|outcomes: Vec<Outcome>| {
                    let subjects: Vec<String> = outcomes.iter().map(|outcome| outcome.subject.clone()).collect();
                    Ok((outcomes, self.drafts(&mut executing, author, &subjects, What::Execute)?))
                });
                drafts.try_for_each(|drafts| executions.send(drafts)).ok()
            });
            scope.spawn(move || {
                let mut decided = false;
                loop {
                    // What follows from one group is drafted while the next one is judged; always in this order.
                    let group = ready.recv().ok();
                    let ended = group.is_none();
                    if let Some(group) = group {
                        judge.send(group.and_then(|group| self.start_decisions(group)).map(Judged::Decision)).ok()?;
                    }
                    if decided {
                        let start = |(outcomes, group)| self.start_executions(outcomes, group).map(Judged::Execution);
                        judge.send(drafted.recv().ok()?.and_then(start)).ok()?;
                    }
                    if ended {
                        return Some(());
                    }
                    decided = carry;
                }
            });
            // By value: an error here drops its ends of the channels.
            let settle = move |each: &mut dyn FnMut(Outcome)| -> Result<()> {
                for judged in judged {
                    match judged? {
                        Judged::Decision(deciding) => {
                            let outcomes = self.settle_decisions(author, deciding, verdict)?;
                            let (decided, other) = outcomes.into_iter().partition(|outcome| carry && outcome.decided.is_some());
                            if carry && carried.send(decided).is_err() {
                                return Err(unanswered());
                            }
                            Vec::into_iter(other).for_each(&mut *each);
                        }
                        Judged::Execution(executing) => self.settle_executions(author, executing, each)?,
                    }
                }
                Ok(())
            };
            settle(&mut each)
        })
    }

    /// Carries out what was decided; what was carried out before is only told.
    ///
    /// # Errors
    /// As [`Engine::decide`].
    pub fn execute_decisions(
        &self,
        actor: &str,
        subjects: &[String],
        options: &DecideOptions,
        mut each: impl FnMut(Outcome),
    ) -> Result<()> {
        let actor = &keys::actor_id(actor)?;
        let key = options.sign.then(|| keys::load(self.workspace(), actor)).transpose()?;
        let author = Author { actor, key: key.as_ref() };
        let mut readers = self.readers(options.jobs)?;
        for subjects in subjects.chunks(options.group.get()) {
            let group = self.drafts(&mut readers, author, subjects, What::Execute)?;
            let outcome =
                |subject: &String| Outcome { subject: subject.clone(), decided: None, executed: None, duplicate: false, stopped: None };
            let executing = self.start_executions(subjects.iter().map(outcome).collect(), group)?;
            self.settle_executions(author, executing, &mut each)?;
        }
        Ok(())
    }

    /// Subjects of the proposals that are open, or that are decided and not carried out.
    ///
    /// # Errors
    /// Whatever reading reports.
    pub fn due_decisions(&self, open: bool) -> Result<Vec<String>> {
        self.due(open)
    }

    /// The subject of a proposal, which may be named without its type or by the hash of its decision.
    ///
    /// # Errors
    /// `decision_unknown`.
    pub fn proposal(&self, what: &str) -> Result<String> {
        self.proposal_subject(what)
    }

    fn readers(&self, jobs: NonZeroUsize) -> Result<Vec<Reader>> {
        (0..jobs.get()).map(|_| Ok(self.store().reader()?)).collect()
    }

    /// Drafts, signs and checks in equal shares, one a reader, each on a thread of its own.
    fn drafts(&self, readers: &mut [Reader], author: Author<'_>, subjects: &[String], what: What) -> Result<Group> {
        let share = subjects.len().div_ceil(readers.len().max(1)).max(1);
        let shares: Vec<Result<Group>> = thread::scope(|scope| {
            let mut shares = subjects.chunks(share).zip(readers);
            let first = shares.next();
            let draft = move |(share, reader): (&[String], &mut Reader)| self.draft_share(reader, author, share, what);
            let others: Vec<_> = shares.map(|share| scope.spawn(move || draft(share))).collect();
            // This thread would only wait.
            let mut done: Vec<Result<Group>> = first.map(draft).into_iter().collect();
            let stopped = || Err(EngineError::Internal { detail: "a drafting thread stopped".to_owned() });
            done.extend(others.into_iter().map(|thread| thread.join().unwrap_or_else(|_| stopped())));
            done
        });
        let mut group = Group { drafted: Vec::with_capacity(subjects.len()), signatures: Signatures::default() };
        for share in shares {
            let share = share?;
            group.drafted.extend(share.drafted);
            group.signatures.extend(share.signatures);
        }
        Ok(group)
    }

    /// Drafts in one moment: what changes until the append is found there, and drafted anew.
    fn draft_share(&self, reader: &mut Reader, author: Author<'_>, subjects: &[String], what: What) -> Result<Group> {
        let mut group = Group { drafted: Vec::with_capacity(subjects.len()), signatures: Signatures::default() };
        let mut moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        let ruled = self.rules(&protocol, &moment)?;
        for subject in subjects {
            let draft = self.drafted_in(&ruled.protocol, protocol, &moment, author, subject, what);
            let before = match &draft {
                Ok(draft) if matches!(what, What::Execute) => noted(moment.reader(), draft)?,
                Ok(_) | Err(_) => None,
            };
            if let Ok(draft) = &draft {
                let origin = &self.workspace().config().origin;
                match author.key {
                    // A signature that was made here with this very key needs no check.
                    Some(key) => draft.records.iter().for_each(|record| group.signatures.made(origin, record, key)),
                    None => group.signatures.extend(Signatures::check(origin, &draft.records, &moment)),
                }
            }
            group.drafted.push(Drafted { subject: subject.clone(), draft, before });
        }
        Ok(group)
    }

    /// The entry of one proposal as it stands now, signed.
    fn drafted(&self, reader: &mut Reader, author: Author<'_>, subject: &str, what: What) -> Result<Draft> {
        let moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        let ruled = self.rules(&protocol, &moment)?;
        self.drafted_in(&ruled.protocol, protocol, &moment, author, subject, what)
    }

    fn drafted_in(
        &self,
        rules: &Protocol,
        protocol: Digest,
        moment: &Moment<'_>,
        author: Author<'_>,
        subject: &str,
        what: What,
    ) -> Result<Draft> {
        let at = time_text(self.now_micros());
        let about = Proposal { subject, actor: author.actor, at: &at };
        let records = match what {
            What::Decide(verdict) => vec![decision::decide(rules, moment, &about, verdict, &Map::new()).map_err(undrafted)?],
            What::Execute => {
                let unknown = || EngineError::Decision {
                    code: "decision_unknown",
                    detail: format!("`{subject}` is no proposal that can be decided"),
                };
                let decisions = rules.decisions_about(subject).ok_or_else(unknown)?;
                let row = super::proposal::subject(moment, subject)?.ok_or_else(unknown)?;
                if row.actors.contains_key(&decisions.actions.execute) {
                    let detail = format!("`{subject}` was carried out before");
                    return Err(EngineError::Decision { code: "decision_executed", detail });
                }
                if row.state.as_deref() != Some(decisions.decided.as_str()) {
                    let detail = format!("`{subject}` is in `{}`", row.state.unwrap_or_default());
                    return Err(EngineError::Decision { code: "decision_state", detail });
                }
                decision::draft(rules, moment, &about).map_err(undrafted)?
            }
        };
        Ok(self.draft(self.signed_all(author, records)?, protocol, 1))
    }

    fn signed_all(&self, author: Author<'_>, records: Vec<Record>) -> Result<Vec<Record>> {
        let Some(key) = author.key else { return Ok(records) };
        let origin = &self.workspace().config().origin;
        // A record names the one before it about the same subject by a hash that leaves the signature out.
        let sign = |record: Record| sign(record, origin, key).map_err(|e| EngineError::PayloadValue { detail: e.to_string() });
        records.into_iter().map(sign).collect()
    }

    /// Judges what decides proposals.
    fn start_decisions(&self, group: Group) -> Result<Deciding> {
        let (mut drafts, mut outcomes) = (Vec::with_capacity(group.drafted.len()), Vec::with_capacity(group.drafted.len()));
        for Drafted { subject, draft, .. } in group.drafted {
            let mut outcome = Outcome { subject, decided: None, executed: None, duplicate: false, stopped: None };
            match draft {
                Ok(draft) => drafts.push(draft),
                Err(error) => outcome.stopped = Some(Stopped::of(&error)),
            }
            outcomes.push(outcome);
        }
        Ok(Deciding { outcomes, under_way: self.start_group(drafts, group.signatures)? })
    }

    /// What became of the proposals, once that is durable.
    fn settle_decisions(&self, author: Author<'_>, deciding: Deciding, what: What) -> Result<Vec<Outcome>> {
        let Deciding { mut outcomes, under_way } = deciding;
        let mut answers = self.settle_group(under_way)?.into_iter();
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.stopped.is_none()) {
            let mut answer = answers.next().ok_or_else(unanswered)?;
            let mut attempt = 1;
            // Somebody was faster about the same proposal, or voted in between: what is filled in is filled in anew.
            while attempt < ATTEMPTS_MAX && answer.as_ref().is_err_and(|refused| refused.is_stale()) {
                attempt += 1;
                let draft = self.drafted(&mut self.store().reader()?, author, &outcome.subject, what)?;
                answer = self.append_group(&mut [draft], &Signatures::default())?.pop().ok_or_else(unanswered)?;
            }
            match answer {
                Ok(appended) => outcome.decided = Some(appended),
                Err(refused) => outcome.stopped = Some(Stopped::refused(&refused)),
            }
        }
        Ok(outcomes)
    }

    /// Judges what carries decisions out.
    fn start_executions(&self, outcomes: Vec<Outcome>, group: Group) -> Result<Executing> {
        let at = time_text(self.now_micros());
        let (mut drafts, mut notes) = (Vec::with_capacity(outcomes.len()), Vec::with_capacity(outcomes.len()));
        let mut waiting = Vec::with_capacity(outcomes.len());
        for (mut outcome, Drafted { draft, before, .. }) in outcomes.into_iter().zip(group.drafted) {
            let mut ready = false;
            match draft {
                Ok(draft) => {
                    if let Some(note) = draft.records.first().and_then(|record| begun(record, before.as_ref(), &at)) {
                        notes.push(note);
                        drafts.push(draft);
                        ready = true;
                    }
                }
                Err(EngineError::Decision { code: "decision_executed", .. }) => outcome.duplicate = true,
                Err(error) => outcome.stopped = Some(Stopped::of(&error)),
            }
            waiting.push((outcome, ready));
        }
        Ok(Executing { waiting, noted: self.start_noted(drafts, notes, group.signatures)? })
    }

    /// What became of them, once that is durable; what can never be carried out becomes a record of the ledger.
    fn settle_executions(&self, author: Author<'_>, executing: Executing, each: &mut dyn FnMut(Outcome)) -> Result<()> {
        let Executing { waiting, noted } = executing;
        let (answers, notes) = self.settle_noted(noted)?;
        let mut answers = answers.into_iter().zip(notes);
        for (mut outcome, ready) in waiting {
            if ready {
                let (answer, note) = answers.next().ok_or_else(unanswered)?;
                self.concluded(author, &mut outcome, answer, note)?;
            } else if outcome.stopped.as_ref().is_some_and(|stopped| is_final(&stopped.code)) {
                self.failed(author, &mut outcome, None)?;
            }
            each(outcome);
        }
        Ok(())
    }

    /// What became of one execution.
    fn concluded(
        &self,
        author: Author<'_>,
        outcome: &mut Outcome,
        answer: std::result::Result<Appended, RefusedProposal>,
        mut note: Execution,
    ) -> Result<()> {
        let mut answer = answer;
        let mut attempt = 1;
        while attempt < ATTEMPTS_MAX && answer.as_ref().is_err_and(|refused| refused.is_stale() || self.has_executed(&note)) {
            attempt += 1;
            // Another decision of the group, or another process, was faster about a subject; or about this very decision.
            let draft = match self.drafted(&mut self.store().reader()?, author, &outcome.subject, What::Execute) {
                Ok(draft) => draft,
                Err(EngineError::Decision { code: "decision_executed", .. }) => {
                    outcome.duplicate = true;
                    return Ok(());
                }
                Err(error) => {
                    outcome.stopped = Some(Stopped::of(&error));
                    return Ok(());
                }
            };
            let mut notes = [note];
            answer = self.append_noted(&mut [draft], &mut notes, &Signatures::default())?.pop().ok_or_else(unanswered)?;
            let [again] = notes;
            note = again;
        }
        match answer {
            Ok(appended) => outcome.executed = Some(appended),
            Err(refused) => {
                outcome.stopped = Some(Stopped::refused(&refused));
                note.error = Some(refused.code.clone());
                note.retries = note.retries.saturating_add(1);
                self.failed(author, outcome, Some(note))?;
            }
        }
        Ok(())
    }

    /// Whether the key of a decision is used up.
    fn has_executed(&self, note: &Execution) -> bool {
        let key = format!("decision:{}", note.decision_hash);
        let found = self.store().reader().and_then(|mut reader| reader.moment(None)?.get(Space::Consumed, &key));
        found.is_ok_and(|row| row.is_some())
    }

    /// A failure that nothing mends becomes a record; every failure is noted.
    fn failed(&self, author: Author<'_>, outcome: &mut Outcome, note: Option<Execution>) -> Result<()> {
        let Some(stopped) = &mut outcome.stopped else { return Ok(()) };
        if is_final(&stopped.code) {
            let mut reader = self.store().reader()?;
            let moment = reader.moment(None)?;
            let protocol = self.in_force(&moment)?;
            let ruled = self.rules(&protocol, &moment)?;
            let at = time_text(self.now_micros());
            let about = Proposal { subject: &outcome.subject, actor: author.actor, at: &at };
            let record = decision::fail(&ruled.protocol, &moment, &about, &stopped.code, &stopped.detail).map_err(undrafted)?;
            let draft = self.draft(self.signed_all(author, vec![record])?, protocol, 1);
            let answer = self.append_group(&mut [draft], &Signatures::default())?.pop().ok_or_else(unanswered)?;
            stopped.last = answer.is_ok();
        }
        if let Some(mut note) = note {
            note.status = ExecutionStatus::Failed.as_str().to_owned();
            (note.seq, note.finished_at) = (None, Some(time_text(self.now_micros())));
            self.with_writer(|writer| Ok(writer.note_executions(&[note])?))?;
        }
        Ok(())
    }
}

/// What was noted about the decision that a draft carries out.
fn noted(reader: &mut Reader, draft: &Draft) -> Result<Option<Execution>> {
    let hash = draft.records.first().and_then(|record| record.consumes.iter().find_map(|key| key.strip_prefix("decision:")));
    Ok(hash.map(|hash| reader.execution(hash)).transpose()?.flatten())
}

/// Whether only another decision can follow: a guard, a key, a movement or an edge says no. Who may carry it out, and whether this node
/// can, is another matter.
fn is_final(code: &str) -> bool {
    if matches!(code, "effect_unknown" | "effect_field" | "decision_effects") {
        return true;
    }
    let known = GovernCode::ALL.iter().find(|known| known.as_str() == code);
    let business = |code: &GovernCode| {
        *code == GovernCode::ChainStale || matches!(code.stage(), Stage::Lifecycle | Stage::Guards | Stage::Consumed | Stage::Postings)
    };
    known.is_some_and(business)
}

/// Why nothing could be drafted.
fn undrafted(error: ItemError<StoreError>) -> EngineError {
    let (code, detail) = match error {
        ItemError::Refused { code, detail } => (code, detail),
        ItemError::Judge(error) => match unjudged(error) {
            Ok(refused) => refused,
            Err(error) => return error,
        },
    };
    EngineError::Decision { code, detail }
}

fn unanswered() -> EngineError {
    EngineError::Internal { detail: "a draft without an answer".to_owned() }
}
