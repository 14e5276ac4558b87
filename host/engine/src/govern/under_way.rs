//! Entries that are judged and are being made durable, while others are judged on them.
//!
//! Of what carries a decision out it is noted first that it began; the note is durable before the entry can be.
use std::thread;
use std::time::Duration;

use enact_core::entry::Draft;
use enact_queue::retry::{self, Class, Next};
use enact_store::{Execution, StoreError, Ticket};

use super::decisions::ExecutionStatus;
use super::outside::Signatures;
use super::propose::{Appended, Judging, RefusedProposal, Verdicts, answered};
use crate::engine::Engine;
use crate::error::Result;
use crate::queue::class;
use crate::sources::time_text;

/// What became of drafts, in their order.
pub(super) type Answers = Vec<std::result::Result<Appended, RefusedProposal>>;

/// Drafts that are on their way.
pub(super) struct UnderWay {
    drafts: Vec<Draft>,
    signatures: Signatures,
    /// None for what is appended only when it is asked for: effects about items of a queue go through its gate.
    judged: Option<(Ticket<RefusedProposal>, Verdicts)>,
}

/// The same, of drafts that carry decisions out.
pub(super) struct Noted {
    drafts: Vec<Draft>,
    notes: Vec<Execution>,
    signatures: Signatures,
    judged: Option<(Ticket<RefusedProposal>, Verdicts)>,
}

impl Engine {
    /// Judges drafts, each as an entry of its own, and has them stored.
    pub(super) fn start_group(&self, mut drafts: Vec<Draft>, signatures: Signatures) -> Result<UnderWay> {
        if self.units(&drafts)?.is_some() {
            return Ok(UnderWay { drafts, signatures, judged: None });
        }
        let now = time_text(self.now_micros());
        let mut judging = Judging::new(self, &signatures, drafts.len());
        let ticket = self.with_signer(|writer, sign| Ok(writer.start_governed(&mut drafts, &now, &mut judging, sign)?))?;
        let verdicts = judging.verdicts();
        Ok(UnderWay { drafts, signatures, judged: Some((ticket, verdicts)) })
    }

    /// Waits until they are durable. What was judged on something that did not come to be is judged again.
    pub(super) fn settle_group(&self, under_way: UnderWay) -> Result<Answers> {
        let UnderWay { mut drafts, signatures, judged } = under_way;
        if let Some((ticket, verdicts)) = judged {
            match ticket.settle() {
                Err(StoreError::Moved) => {}
                answers => return answered(answers?, &drafts, verdicts),
            }
        }
        self.append_group(&mut drafts, &signatures)
    }

    /// As [`Engine::start_group`], of drafts that carry decisions out; that they began is noted before them.
    pub(super) fn start_noted(&self, mut drafts: Vec<Draft>, mut notes: Vec<Execution>, signatures: Signatures) -> Result<Noted> {
        if self.units(&drafts)?.is_some() {
            return Ok(Noted { drafts, notes, signatures, judged: None });
        }
        let now = time_text(self.now_micros());
        notes.iter_mut().for_each(begin);
        let begun = notes.clone();
        notes.iter_mut().for_each(confirm);
        let mut judging = Judging::new(self, &signatures, drafts.len());
        let started =
            self.with_signer(|writer, sign| Ok(writer.start_executions(&mut drafts, &begun, &mut notes, &now, &mut judging, sign)?));
        let verdicts = judging.verdicts();
        // What keeps them from being judged now is met again, and dealt with, when they are settled.
        Ok(Noted { drafts, notes, signatures, judged: started.ok().map(|ticket| (ticket, verdicts)) })
    }

    /// Waits until they are durable, with what is noted of them then. Faults of this machine are tried again.
    pub(super) fn settle_noted(&self, noted: Noted) -> Result<(Answers, Vec<Execution>)> {
        let Noted { mut drafts, mut notes, signatures, judged } = noted;
        if let Some((ticket, verdicts)) = judged
            && let Ok(answers) = ticket.settle()
        {
            return Ok((answered(answers, &drafts, verdicts)?, notes));
        }
        let answers = self.append_noted(&mut drafts, &mut notes, &signatures)?;
        Ok((answers, notes))
    }

    /// Notes what begins, then appends entries with what is noted beside them. Faults of this machine are tried again after 1, 2 and 4 s:
    /// nothing is in the ledger then, and were it, the key of the decision would say so.
    pub(super) fn append_noted(&self, drafts: &mut [Draft], notes: &mut [Execution], signatures: &Signatures) -> Result<Answers> {
        let (mut retries, mut begun) = (0, false);
        loop {
            notes.iter_mut().for_each(begin);
            let noted = if begun { Ok(()) } else { self.with_writer(|writer| Ok(writer.note_executions(notes)?)) };
            begun = noted.is_ok();
            let error = match noted.and_then(|()| self.append_noted_once(drafts, notes, signatures)) {
                Ok(answers) => return Ok(answers),
                Err(error) => error,
            };
            let class = class::of_error(&error).class;
            let Next::Again { at } = retry::next(class, retries, 0) else {
                let status = if class == Class::Transient { ExecutionStatus::PermanentlyFailed } else { ExecutionStatus::Failed };
                for note in &mut *notes {
                    note.status = status.as_str().to_owned();
                    note.error = Some(error.code().to_owned());
                    (note.seq, note.finished_at) = (None, Some(time_text(self.now_micros())));
                }
                // The fault that is told is the first one.
                let _ = self.with_writer(|writer| Ok(writer.note_executions(notes)?));
                return Err(error);
            };
            retries += 1;
            notes.iter_mut().for_each(|note| note.retries = note.retries.saturating_add(1));
            thread::sleep(Duration::from_micros(at));
        }
    }

    fn append_noted_once(&self, drafts: &mut [Draft], notes: &mut [Execution], signatures: &Signatures) -> Result<Answers> {
        if self.units(drafts)?.is_some() {
            // Effects about items of a queue go through its gate; what is noted follows, and until then the ledger says it.
            let answers = self.append_group(drafts, signatures)?;
            for (note, answer) in notes.iter_mut().zip(&answers) {
                if let Ok(appended) = answer {
                    confirm(note);
                    (note.seq, note.finished_at) = (Some(appended.entry.seq), Some(appended.at.clone()));
                }
            }
            let confirmed: Vec<Execution> = notes.iter().filter(|note| note.seq.is_some()).cloned().collect();
            self.with_writer(|writer| Ok(writer.note_executions(&confirmed)?))?;
            return Ok(answers);
        }
        notes.iter_mut().for_each(confirm);
        let now = time_text(self.now_micros());
        let mut judging = Judging::new(self, signatures, drafts.len());
        let answers = self.with_signer(|writer, sign| Ok(writer.append_executions(drafts, notes, &now, &mut judging, sign)?))?;
        answered(answers, drafts, judging.verdicts())
    }
}

fn begin(note: &mut Execution) {
    note.status = ExecutionStatus::Executing.as_str().to_owned();
    (note.seq, note.finished_at) = (None, None);
}

fn confirm(note: &mut Execution) {
    note.status = ExecutionStatus::Confirmed.as_str().to_owned();
    note.error = None;
}
