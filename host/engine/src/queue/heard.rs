//! Items that follow from a record: proposed by an actor, under the matrix, with an id that follows from the delivery. Delivered again, the
//! item is there.
use ed25519_dalek::SigningKey;
use enact_core::entry::Entry;
use enact_core::govern::{contract, sign};
use enact_core::hash::{Digest, Hash};
use enact_core::state::Space;
use enact_queue::id::QueueId;
use enact_store::{Moment, Reader};
use serde_json::{Map, Value};

use super::item::{named_contract, refused_item, refused_queue, stored_time, subject_of};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Appended, keys};

/// Attempts at an item while others change what it was drafted on.
const ATTEMPTS_MAX: u32 = 5;

/// The reference from an item's first record to the one that was heard.
const HEARD: &str = "heard";

/// Bytes of the delivery's hash that are in the id.
const ID_BYTES: usize = 16;

/// Who proposes items.
pub(crate) struct Hand {
    actor: String,
    key: SigningKey,
}

impl std::fmt::Debug for Hand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hand").field("actor", &self.actor).finish_non_exhaustive()
    }
}

/// An item that follows from a record.
#[derive(Debug)]
pub(crate) struct Queueing<'a> {
    /// The contract.
    pub(crate) contract: &'a str,
    /// Time of the entry that was heard, µs.
    pub(crate) at_us: i64,
    /// Hash of listener, entry and position of the record.
    pub(crate) delivery: &'a Hash,
    /// Members of the item's record.
    pub(crate) payload: &'a Map<String, Value>,
    /// Hash of the record that was heard.
    pub(crate) heard: &'a Digest,
}

impl Engine {
    /// An actor whose key is here.
    pub(crate) fn hand(&self, actor: &str) -> Result<Hand> {
        let actor = keys::actor_id(actor)?;
        let key = keys::load(self.workspace(), &actor)?;
        Ok(Hand { actor, key })
    }

    /// The id of the item: `<prefix>-<day of the entry>-h<hash of the delivery>`, the same whenever it is asked for.
    pub(crate) fn heard_id(&self, queueing: &Queueing<'_>, reader: &mut Reader) -> Result<QueueId> {
        let moment = reader.moment(None)?;
        let ruled = self.rules(&self.in_force(&moment)?, &moment)?;
        let contract = named_contract(&ruled.protocol, queueing.contract)?;
        let day = jiff::Timestamp::from_microsecond(queueing.at_us).unwrap_or(jiff::Timestamp::UNIX_EPOCH).strftime("%Y%m%d").to_string();
        let hash = hex::encode(queueing.delivery.get(..ID_BYTES).unwrap_or_default());
        QueueId::parse(&format!("{}-{day}-h{hash}", contract.decl.prefix)).map_err(refused_queue)
    }

    /// Queues the item; nothing when it is there.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when judge or queue refuse, `queue_exists` when the id belongs to an item that follows from something else.
    pub(crate) fn queue_heard(&self, hand: &Hand, queueing: &Queueing<'_>, id: &QueueId, reader: &mut Reader) -> Result<Option<Appended>> {
        let mut attempt = 1;
        loop {
            let mut moment = reader.moment(None)?;
            let protocol = self.in_force(&moment)?;
            let ruled = self.rules(&protocol, &moment)?;
            let contract = named_contract(&ruled.protocol, queueing.contract)?;
            let subject = subject_of(&ruled.protocol, contract, id.as_str())?;
            match made_from(&mut moment, &subject)? {
                Some(Some(heard)) if heard == *queueing.heard => return Ok(None),
                Some(_) => {
                    return Err(EngineError::Queue {
                        code: "queue_exists",
                        detail: format!("`{subject}` is there and follows from another record"),
                        hint: Some("somebody has taken the id; see `enact history` of the item"),
                    });
                }
                None => {}
            }
            let at = stored_time(self.queue_now());
            let about = contract::Item { subject: &subject, actor: &hand.actor, at: &at };
            let drafted = contract::draft(&ruled.protocol, contract, &moment, &about, contract::Step::Queue, queueing.payload);
            let mut record = drafted.map_err(refused_item)?;
            drop(moment);
            record.refs.insert(HEARD.to_owned(), *queueing.heard);
            let record = sign(record, &self.workspace().config().origin, &hand.key)
                .map_err(|e| EngineError::PayloadValue { detail: e.to_string() })?;
            match self.append_records(vec![record], protocol, attempt)? {
                Ok(appended) => return Ok(Some(appended)),
                // Another process was faster, or something else has changed: look again.
                Err(refused) if attempt < ATTEMPTS_MAX && (refused.is_stale() || is_there(&refused.code)) => {
                    attempt = attempt.saturating_add(1);
                }
                Err(refused) => return Err(EngineError::Refused(Box::new(refused))),
            }
        }
    }
}

fn is_there(code: &str) -> bool {
    matches!(code, "queue_exists" | "lifecycle_exists")
}

/// What the first record of a subject says that it heard; nothing for a subject that is not there.
fn made_from(moment: &mut Moment<'_>, subject: &str) -> Result<Option<Option<Digest>>> {
    let reader = moment.reader();
    let rows = reader.state_history(Space::Subject, subject, None, 1)?;
    let Some((seq, _)) = rows.first() else { return Ok(None) };
    let altered = |detail: String| EngineError::Altered { what: format!("entry {seq}"), code: "entry_missing", detail };
    let stored = reader.entry(*seq)?.ok_or_else(|| altered("a row says that it exists".to_owned()))?;
    let entry = Entry::parse(&stored.bytes).map_err(|refusal| altered(refusal.to_string()))?;
    let first = entry.records.iter().find(|record| record.subject == subject);
    Ok(Some(first.and_then(|record| record.refs.get(HEARD)).copied()))
}
