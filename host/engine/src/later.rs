//! What a side effect hands over for later: another workflow, that runs in a run of its own once this one is committed, or a message to people.
//!
//! A request is a record in a log of the host's own, staged with the run like any write: it is there if and only if the run is, a trapped call
//! leaves none, the state audit finds it again, and carrying it out is no part of the run. Whoever carries it out goes by the log and by the
//! transcript of the run that asked (`listen`, `outbox`); replaying, auditing and rehearsing only ever write it down.
use enact_core::canonical;
use enact_core::hash::derived;
use enact_flow::Map;
use enact_flow::artifact::is_plain_address;
use enact_flow::plan::Target;
use enact_store::stage::{Stage, Staged};
use enact_store::state::StateRead;
use enact_store::{Reader, Write};
use enact_wasm::{Answer, Fault, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{EngineError, Result};
use crate::evidence::Evidence;
use crate::sources::{run_id_of, time_micros};
use crate::world::fault;

/// The log of the workflows that were asked for, and the name by which `listen` carries them out. No binding can name it.
pub const WORKFLOWS: &str = "enact:workflow";
/// The log of messages.
pub const MESSAGES: &str = "enact:outbox";
/// Requests of one call, of each kind.
const ASKED_MAX: u32 = 16;
/// Requests that lead to one another: a run that so many others led to asks for no more.
const DEPTH_MAX: u32 = 16;
/// What the id of a run that was asked for is derived with.
const REQUEST_CONTEXT: &str = "enact request v1";
/// What the id of a message is derived with.
const MESSAGE_CONTEXT: &str = "enact message v1";

/// A workflow that was asked for, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    /// When the run that asked began.
    pub at: String,
    /// The runtime binding, where the row names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// How many requests led to the run to come.
    pub depth: u32,
    /// Which request of its step it was, from 0; those that were refused count.
    pub nth: u32,
    /// The payload.
    pub payload: Map,
    /// The run that asked.
    pub run: String,
    /// Its step, from 0.
    pub step: u32,
    /// The workflow.
    pub workflow: String,
}

impl Requested {
    /// Reads a record of the log.
    ///
    /// # Errors
    /// In words.
    pub fn read(record: &str) -> std::result::Result<Self, String> {
        serde_json::from_str(record).map_err(|e| e.to_string())
    }

    /// The id of the run to come. It follows from everything that was asked and from where, so that it stands for nothing else.
    ///
    /// # Errors
    /// [`EngineError::PayloadValue`] for a payload without canonical form, which no record of the log has.
    pub fn id(&self) -> Result<String> {
        Ok(self.id_of(self.text()?.as_bytes()))
    }

    fn text(&self) -> Result<String> {
        crate::canonical::text(&json!(self))
    }

    fn id_of(&self, text: &[u8]) -> String {
        run_id_of(time_micros(&self.at), &derived(REQUEST_CONTEXT, text).bytes)
    }
}

/// A message, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// When the run that handed it over began.
    pub at: String,
    /// From whom, as the row says.
    pub from: String,
    /// Which message of its step it was, from 0; those that were refused count.
    pub nth: u32,
    /// The run that handed it over.
    pub run: String,
    /// Its step, from 0.
    pub step: u32,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// To whom.
    pub to: Vec<String>,
}

impl Message {
    /// The id of the message. It follows from all of it.
    ///
    /// # Errors
    /// [`EngineError::Internal`].
    pub fn id(&self) -> Result<String> {
        let text = crate::canonical::text(&json!(self))?;
        Ok(run_id_of(time_micros(&self.at), &derived(MESSAGE_CONTEXT, text.as_bytes()).bytes).replacen("RUN", "MSG", 1))
    }
}

/// Where a call stands, and what it may hand over.
pub struct Later<'a> {
    run: &'a str,
    at: &'a str,
    step: u32,
    depth: u32,
    /// Whose rows say what may be handed over; none in a rehearsal, which has no binding.
    granted: Option<&'a Target>,
    /// Requests of this call so far.
    asked: u32,
    /// Messages of this call so far.
    sent: u32,
}

impl<'a> Later<'a> {
    /// Of a call at a step of a run that began `at` and that `depth` requests led to. Without `granted` anything may be handed over.
    pub(crate) const fn new(run: &'a str, at: &'a str, step: u32, depth: u32, granted: Option<&'a Target>) -> Self {
        Self { run, at, step, depth, granted, asked: 0, sent: 0 }
    }

    /// Counts a request that was refused before it came here, so that those after it have the places that they have in the transcript.
    pub fn passed(&mut self, request: &Request) {
        if matches!(request, Request::WorkflowEnqueue { .. }) {
            self.asked = self.asked.saturating_add(1);
        } else if matches!(request, Request::OutboxSend { .. }) {
            self.sent = self.sent.saturating_add(1);
        }
    }

    /// Stages a request and answers the id of the run to come.
    pub(crate) fn enqueue<S: StateRead>(&mut self, stage: &mut Stage<'_, S>, workflow: &str, payload: &str) -> Answer {
        let nth = self.asked;
        self.asked = self.asked.saturating_add(1);
        let asked = self.requested(nth, workflow, payload).and_then(|requested| {
            let text = requested.text().map_err(|e| Fault::Invalid(e.to_string()))?;
            stage.append(WORKFLOWS, &text).map_err(|e| fault(&e))?;
            Ok(requested.id_of(text.as_bytes()))
        });
        asked.map_or_else(Answer::Fault, Answer::Text)
    }

    fn requested(&self, nth: u32, workflow: &str, payload: &str) -> std::result::Result<Requested, Fault> {
        let binding = match self.granted {
            None => None,
            Some(target) => {
                let row = target.workflow.iter().find(|row| row.workflow == workflow);
                row.ok_or_else(|| Fault::Denied(format!("workflow: no row names `{workflow}`")))?.binding.clone()
            }
        };
        if nth >= ASKED_MAX {
            return Err(Fault::Limit(format!("one call asks for {ASKED_MAX} workflows at most")));
        }
        if self.depth >= DEPTH_MAX {
            return Err(Fault::Limit(format!("{DEPTH_MAX} requests led to this run; it asks for no more")));
        }
        let invalid = |detail: String| Fault::Invalid(format!("workflow: the payload is {detail}"));
        let value = canonical::check(payload.as_bytes()).map_err(|e| invalid(format!("not canonical JSON: {e}")))?;
        canonical::admit_payload(&value).map_err(|e| invalid(format!("no payload: {e}")))?;
        let Value::Object(payload) = value else { return Err(invalid("no object".to_owned())) };
        let (run, at) = (self.run.to_owned(), self.at.to_owned());
        Ok(Requested {
            at,
            binding,
            depth: self.depth.saturating_add(1),
            nth,
            payload,
            run,
            step: self.step,
            workflow: workflow.to_owned(),
        })
    }

    /// Stages a message and answers its id.
    pub(crate) fn send<S: StateRead>(&mut self, stage: &mut Stage<'_, S>, to: &[String], subject: &str, text: &str) -> Answer {
        let nth = self.sent;
        self.sent = self.sent.saturating_add(1);
        let sent = self.message(nth, to, subject, text).and_then(|message| {
            let written = |e: EngineError| Fault::Invalid(e.to_string());
            let record = crate::canonical::text(&json!(message)).map_err(written)?;
            stage.append(MESSAGES, &record).map_err(|e| fault(&e))?;
            message.id().map_err(written)
        });
        sent.map_or_else(Answer::Fault, Answer::Text)
    }

    fn message(&self, nth: u32, to: &[String], subject: &str, text: &str) -> std::result::Result<Message, Fault> {
        if nth >= ASKED_MAX {
            return Err(Fault::Limit(format!("one call hands over {ASKED_MAX} messages at most")));
        }
        if let Some(wrong) = to.iter().find(|address| !is_plain_address(address)) {
            return Err(Fault::Invalid(format!("outbox: `{}` is no plain address in lower case", wrong.escape_debug())));
        }
        if to.is_empty() || to.iter().enumerate().any(|(nth, address)| to.iter().take(nth).any(|earlier| earlier == address)) {
            return Err(Fault::Invalid("outbox: a message goes to somebody, and to each once".to_owned()));
        }
        if subject.chars().any(char::is_control) || text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(Fault::Invalid("outbox: there are control characters in the subject or the text".to_owned()));
        }
        let from = match self.granted {
            None => "rehearsal@localhost".to_owned(),
            Some(target) => {
                let row = target.outbox.iter().find(|row| to.iter().all(|address| row.covers(address)));
                row.ok_or_else(|| Fault::Denied("outbox: no row names all of these recipients".to_owned()))?.from.clone()
            }
        };
        Ok(Message {
            at: self.at.to_owned(),
            from,
            nth,
            run: self.run.to_owned(),
            step: self.step,
            subject: subject.to_owned(),
            text: text.to_owned(),
            to: to.to_vec(),
        })
    }
}

/// What a run has written to its outbox, in order.
///
/// # Errors
/// As [`handed_over`].
pub fn messages(staged: &Staged) -> Result<Vec<Message>> {
    records(staged, MESSAGES)
        .map(|record| serde_json::from_str(record).map_err(|e| EngineError::Internal { detail: e.to_string() }))
        .collect()
}

fn records<'s>(staged: &'s Staged, log: &'static str) -> impl Iterator<Item = &'s String> {
    staged.writes.iter().filter_map(move |write| match write {
        Write::Append { store, value, .. } if store == log => Some(value),
        Write::Append { .. } | Write::Put { .. } | Write::Tombstone { .. } => None,
    })
}

/// The workflows that a run has asked for, in order.
///
/// # Errors
/// [`EngineError::Internal`] for a record that this host did not write.
pub fn handed_over(staged: &Staged) -> Result<Vec<Requested>> {
    records(staged, WORKFLOWS).map(|record| Requested::read(record).map_err(|detail| EngineError::Internal { detail })).collect()
}

/// What is wrong with a record of the log that [`asked_by`] does not find.
pub(crate) const UNFOUNDED: &str = "the transcript of the run that asked does not hold it";

/// Where a request was made.
pub(crate) struct Place<'a> {
    pub(crate) run: &'a str,
    pub(crate) step: u32,
    pub(crate) nth: u32,
    pub(crate) interface: &'a str,
}

/// The entry of the run that was answered `id` there: the log is derived, the transcript stands behind a hash in the ledger. Since an id
/// follows from all that the log says, the one answer vouches for it. `None` when the transcript does not say so.
pub(crate) fn asked_by(reader: &mut Reader, place: &Place<'_>, id: &str) -> Result<Option<u64>> {
    let Some(seq) = reader.run_seq(place.run)? else { return Ok(None) };
    let (entry, run) = (reader.entry(seq)?, reader.run_by_seq(seq)?);
    let evidence = entry.zip(run).and_then(|(entry, run)| Evidence::open(&entry, &run).ok());
    let said = evidence.is_some_and(|evidence| {
        let step = usize::try_from(place.step).ok().and_then(|step| evidence.transcript.steps.get(step)).filter(|step| !step.trap);
        let mut asked = step.into_iter().flat_map(|step| &step.calls).filter(|call| call.request.interface() == place.interface);
        let answer = usize::try_from(place.nth).ok().and_then(|nth| asked.nth(nth)).map(|call| &call.answer);
        matches!(answer, Some(Answer::Text(answered)) if answered == id)
    });
    Ok(said.then_some(seq))
}
