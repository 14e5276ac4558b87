//! What was sent and is in no committed run: found by a person, since no machine can tell what the peer made of it.
use std::collections::{BTreeMap, BTreeSet};

use enact_core::hash::blob_hash;
use enact_store::{Outbound, StoreError, Unsettled};
use serde::Serialize;

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::transcript::Transcript;

/// Most that one answer lists.
const LISTED_MAX: u64 = 1_000;

/// An intent that no committed run accounts for; the stable shape of an element of `enact module intents --json`.
#[derive(Debug, Clone, Serialize)]
pub struct OpenIntent {
    /// Run, step and call.
    pub key: String,
    /// The run.
    pub run: String,
    /// When it was written down.
    pub at: String,
    /// Method and address, without the query; `WRITE` and the path of a file.
    pub target: String,
    /// `SENDING`: whether it arrived is not known. `ANSWERED`: it did. `UNUSED`: it did, for an execution that did not hold.
    pub state: String,
    /// Whether the run is in the ledger: then its transcript says what the guest was told.
    pub committed: bool,
    /// A person's word that there is nothing left to be done about it, in the state that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dismissed: Option<Said>,
    /// A person's word that it may be sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<Said>,
}

/// What a person has said of an intent.
#[derive(Debug, Clone, Serialize)]
pub struct Said {
    /// When it was said.
    pub at: String,
    /// Why.
    pub reason: String,
}

impl Engine {
    /// What left this machine, or may have, and is in no committed run; oldest first. Settles what only a crash left open. What was dismissed is
    /// there with `dismissed` only.
    ///
    /// # Errors
    /// [`crate::EngineError::Store`] when a file cannot be read.
    pub fn open_intents(&self, dismissed: bool) -> Result<Vec<OpenIntent>> {
        let reach = self.reach();
        if !reach.path().exists() {
            return Ok(Vec::new());
        }
        let mut reader = self.store().reader()?;
        let mut runs = BTreeMap::new();
        // Where nothing can be written, what would be settled is settled for the answer alone.
        let (mut settled, mut done) = (BTreeSet::new(), BTreeSet::new());
        let rows = reach.outbound(|outbound| outbound.unsettled(LISTED_MAX, dismissed))?;
        for row in &rows {
            if !runs.contains_key(&row.run) {
                let stored = reader.run_by_id(&row.run)?;
                let committed = stored.map(|stored| sent(&stored.run.transcript));
                if let Some(sent) = &committed {
                    let asked = |row: &&Unsettled| sent.get(&row.key) == Some(&row.request);
                    let used: Vec<String> = rows.iter().filter(asked).map(|row| row.key.clone()).collect();
                    match reach.outbound(|outbound| outbound.settle(&row.run, &used)) {
                        Err(StoreError::ReadOnly { .. }) => {
                            settled.insert(row.run.clone());
                            done.extend(used);
                        }
                        written => written?,
                    }
                }
                runs.insert(row.run.clone(), committed.is_some());
            }
        }
        let mut open = reach.outbound(|outbound| outbound.unsettled(LISTED_MAX, dismissed))?;
        for row in open.iter_mut().filter(|row| row.state == "ANSWERED" && settled.contains(&row.run)) {
            row.state = "UNUSED".to_owned();
        }
        open.retain(|row| row.state != "UNUSED" || !done.contains(&row.key));
        let committed = |run: &String| runs.get(run).copied().unwrap_or_default();
        Ok(open
            .into_iter()
            .map(|row| {
                let committed = committed(&row.run);
                let Unsettled { key, run, at, target, state, dismissed, released, .. } = row;
                let [dismissed, released] = [dismissed, released].map(|said| said.map(|(at, reason)| Said { at, reason }));
                OpenIntent { key, run, at, target, state, committed, dismissed, released }
            })
            .collect())
    }

    /// Keeps, with the time, why there is nothing left to be done about intents. It holds for the state that each of them is in: one of which
    /// more is learned later is open again.
    ///
    /// # Errors
    /// [`EngineError::NoIntent`] for a key that is not open, and nothing is kept; [`EngineError::Store`] when a file cannot be written.
    pub fn dismiss_intents(&self, keys: &[String], reason: &str) -> Result<()> {
        self.said_of(keys, |outbound| outbound.dismiss(keys, &self.now(), reason))
    }

    /// Keeps, with the time, why intents may be sent again, under the same key: by the next attempt of the same item or delivery, once. Where
    /// there is no such attempt nothing is sent.
    ///
    /// # Errors
    /// As [`Engine::dismiss_intents`].
    pub fn release_intents(&self, keys: &[String], reason: &str) -> Result<()> {
        self.said_of(keys, |outbound| outbound.release(keys, &self.now(), reason))
    }

    fn said_of(&self, keys: &[String], say: impl FnOnce(&mut Outbound) -> Result<Option<String>, StoreError>) -> Result<()> {
        // What a commit has settled is nothing that a person could say something of.
        self.open_intents(true)?;
        let reach = self.reach();
        let not_open = match keys.first() {
            Some(first) if !reach.path().exists() => Some(first.clone()),
            Some(_) => reach.outbound(say)?,
            None => None,
        };
        not_open.map_or(Ok(()), |key| Err(EngineError::NoIntent { key }))
    }
}

/// Keys and hashes of the requests in the transcript of a run.
fn sent(transcript: &[u8]) -> BTreeMap<String, String> {
    let transcript: Transcript = serde_json::from_slice(transcript).unwrap_or_default();
    let mut sent = BTreeMap::new();
    for (step, nth) in transcript.steps.iter().zip(0_u32..) {
        let requests = step.calls.iter().map(|call| &call.request).filter(|request| request.leaves());
        for (request, call) in requests.zip(0_u32..) {
            let hash = serde_json::to_vec(request).map(|bytes| blob_hash(&bytes).to_string()).unwrap_or_default();
            sent.insert(format!("{}/{call}", transcript.idempotency_key(nth)), hash);
        }
    }
    sent
}
