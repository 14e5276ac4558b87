//! Messages that committed runs have handed over, and what became of them on this machine.
//!
//! Sending is no part of a run and nothing of it is in the ledger: that a message was handed over is proved, that it arrived is not. A
//! delivery is written down before it begins; one whose end is not known is shown and not repeated by itself.
use enact_store::{Reader, Sending, StateRead as _};
use serde::Serialize;

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::later::{MESSAGES, Message, Place, UNFOUNDED, asked_by};
use crate::sources::time_text;

/// Messages read at a time.
const PAGE: u64 = 256;
/// What nobody has tried to send.
const WAITING: &str = "WAITING";

/// A way for messages.
pub trait Carrier {
    /// What it is called where deliveries are shown.
    fn name(&self) -> String;
    /// Sends one message.
    ///
    /// # Errors
    /// [`NotCarried`].
    fn carry(&self, id: &str, message: &Message) -> std::result::Result<(), NotCarried>;
}

/// Why a message was not sent.
#[derive(Debug)]
pub enum NotCarried {
    /// It did not arrive.
    Refused(String),
    /// Whether it arrived is not known.
    Unknown(String),
}

/// A message and what became of it; the stable shape of an element of `enact outbox list --json`.
#[derive(Debug, Clone, Serialize)]
pub struct MessageReport {
    /// Its id, as the module was told.
    pub id: String,
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// `WAITING`, `SENDING` (whether it arrived is not known), `SENT`, `FAILED` (it did not arrive) or `DROPPED`.
    pub state: String,
    /// When this was written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Attempts so far.
    pub attempts: u32,
    /// By which way it was sent last.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Engine {
    /// All messages in the order in which they were handed over.
    ///
    /// # Errors
    /// [`EngineError::Altered`] for a record that is no message, [`EngineError::Store`].
    pub fn outbox(&self) -> Result<Vec<MessageReport>> {
        let mut reader = self.store().reader()?;
        let (mut found, end) = (Vec::new(), reader.log_len(MESSAGES)?);
        // Not made by looking.
        let tried = self.reach().path().exists();
        while (found.len() as u64) < end {
            let page = reader.log_read(MESSAGES, found.len() as u64, PAGE)?;
            if page.is_empty() {
                break;
            }
            for record in page {
                let message: Message = serde_json::from_str(&record).map_err(|e| unfounded(e.to_string()))?;
                let id = message.id()?;
                let known = if tried { self.reach().outbound(|outbound| outbound.sending(&id))? } else { None };
                found.push(report(id, message, known));
            }
        }
        Ok(found)
    }

    /// Those with these ids.
    ///
    /// # Errors
    /// [`EngineError::NoMessage`], and as [`Engine::outbox`].
    pub fn outbox_of(&self, ids: &[String]) -> Result<Vec<MessageReport>> {
        let mut all = self.outbox()?;
        if let Some(unknown) = ids.iter().find(|id| !all.iter().any(|message| message.id == **id)) {
            return Err(EngineError::NoMessage { id: unknown.clone() });
        }
        all.retain(|message| ids.contains(&message.id));
        Ok(all)
    }

    /// Sends these messages, or with none all that wait and all that did not arrive; one whose end is not known, or that was sent or dropped, only
    /// by its id and `again`. Each is told as it ends.
    ///
    /// # Errors
    /// [`EngineError::Altered`] for a message that no committed run has handed over: it is not sent.
    pub fn outbox_send(&self, ids: &[String], again: bool, carrier: &dyn Carrier, told: &mut dyn FnMut(&MessageReport)) -> Result<()> {
        let messages = if ids.is_empty() { self.outbox()? } else { self.outbox_of(ids)? };
        let from: &[&str] = if again && !ids.is_empty() { &["", "FAILED", "SENDING", "SENT", "DROPPED"] } else { &["", "FAILED"] };
        let mut reader = self.store().reader()?;
        for MessageReport { id, message, state, .. } in messages {
            let open = from.contains(&state.as_str()) || state == WAITING;
            if !open && ids.is_empty() {
                continue;
            }
            vouched(&mut reader, &message, &id)?;
            let now = || time_text(self.now_micros());
            let refused = self.reach().outbound(|outbound| outbound.begin_sending(&id, &now(), &carrier.name(), from))?;
            if refused.is_none() {
                let (state, detail) = match carrier.carry(&id, &message) {
                    Ok(()) => ("SENT", String::new()),
                    Err(NotCarried::Refused(detail)) => ("FAILED", detail),
                    Err(NotCarried::Unknown(detail)) => ("SENDING", detail),
                };
                self.reach().outbound(|outbound| outbound.end_sending(&id, &now(), state, &detail))?;
            }
            let known = self.reach().outbound(|outbound| outbound.sending(&id))?;
            told(&report(id, message, known));
        }
        Ok(())
    }

    /// A secret of the workspace, for whoever sends.
    ///
    /// # Errors
    /// [`EngineError::NoSecret`], never with its value.
    pub fn secret(&self, name: &str) -> Result<String> {
        self.reach().secret(name).map_err(|detail| EngineError::NoSecret { detail })
    }

    /// Says that messages are not to be sent; those that were sent stay sent. Answers what became of each.
    ///
    /// # Errors
    /// [`EngineError::NoMessage`].
    pub fn outbox_drop(&self, ids: &[String]) -> Result<Vec<MessageReport>> {
        for message in self.outbox_of(ids)? {
            let now = time_text(self.now_micros());
            self.reach().outbound(|outbound| outbound.drop_sending(&message.id, &now, &["", "FAILED", "SENDING", "DROPPED"]))?;
        }
        self.outbox_of(ids)
    }
}

fn report(id: String, message: Message, known: Option<Sending>) -> MessageReport {
    let (state, since, attempts, by, detail) = match known {
        Some(Sending { state, at, attempts, by, detail }) => (state, Some(at), attempts, by, detail),
        None => (WAITING.to_owned(), None, 0, String::new(), String::new()),
    };
    MessageReport { id, message, state, since, attempts, by, detail }
}

fn vouched(reader: &mut Reader, message: &Message, id: &str) -> Result<()> {
    let place = Place { run: &message.run, step: message.step, nth: message.nth, interface: "outbox" };
    asked_by(reader, &place, id)?.map(drop).ok_or_else(|| unfounded(UNFOUNDED.to_owned()))
}

fn unfounded(detail: String) -> EngineError {
    EngineError::Altered { what: format!("a message of `{MESSAGES}`"), code: "request_unfounded", detail }
}
