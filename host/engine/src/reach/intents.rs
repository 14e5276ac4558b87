//! What was sent and is in no committed run: found by a person, since no machine can tell what the peer made of it.
use std::collections::BTreeMap;

use enact_core::hash::blob_hash;
use enact_store::Unsettled;
use serde::Serialize;

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::live::idempotency_key;
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
    /// What a person has said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dismissed: Option<Dismissal>,
}

/// That there is nothing left to be done about an intent, in the state that it is in.
#[derive(Debug, Clone, Serialize)]
pub struct Dismissal {
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
        let rows = reach.outbound(|outbound| outbound.unsettled(LISTED_MAX, dismissed))?;
        for row in &rows {
            if !runs.contains_key(&row.run) {
                let stored = reader.run_by_id(&row.run)?;
                let committed = stored.map(|stored| sent(&stored.run.transcript, &row.run));
                if let Some(sent) = &committed {
                    let asked = |row: &&Unsettled| sent.get(&row.key) == Some(&row.request);
                    let used: Vec<String> = rows.iter().filter(asked).map(|row| row.key.clone()).collect();
                    reach.outbound(|outbound| outbound.settle(&row.run, &used))?;
                }
                runs.insert(row.run.clone(), committed.is_some());
            }
        }
        let open = reach.outbound(|outbound| outbound.unsettled(LISTED_MAX, dismissed))?;
        let committed = |run: &String| runs.get(run).copied().unwrap_or_default();
        Ok(open
            .into_iter()
            .map(|row| {
                let committed = committed(&row.run);
                let Unsettled { key, run, at, target, state, dismissed, .. } = row;
                let dismissed = dismissed.map(|(at, reason)| Dismissal { at, reason });
                OpenIntent { key, run, at, target, state, committed, dismissed }
            })
            .collect())
    }

    /// Keeps, with the time, why there is nothing left to be done about intents. It holds for the state that each of them is in: one of which
    /// more is learned later is open again.
    ///
    /// # Errors
    /// [`EngineError::NoIntent`] for a key that is not open, and nothing is kept; [`EngineError::Store`] when a file cannot be written.
    pub fn dismiss_intents(&self, keys: &[String], reason: &str) -> Result<()> {
        // What a commit has settled is not a person's to dismiss.
        self.open_intents(true)?;
        let reach = self.reach();
        let not_open = match keys.first() {
            Some(first) if !reach.path().exists() => Some(first.clone()),
            Some(_) => reach.outbound(|outbound| outbound.dismiss(keys, &self.now(), reason))?,
            None => None,
        };
        not_open.map_or(Ok(()), |key| Err(EngineError::NoIntent { key }))
    }
}

/// Keys and hashes of the requests in the transcript of a run.
fn sent(transcript: &[u8], run: &str) -> BTreeMap<String, String> {
    let transcript: Transcript = serde_json::from_slice(transcript).unwrap_or_default();
    let mut sent = BTreeMap::new();
    for (step, nth) in transcript.steps.iter().zip(0_u32..) {
        let requests = step.calls.iter().map(|call| &call.request).filter(|request| request.leaves());
        for (request, call) in requests.zip(0_u32..) {
            let hash = serde_json::to_vec(request).map(|bytes| blob_hash(&bytes).to_string()).unwrap_or_default();
            sent.insert(format!("{}/{call}", idempotency_key(run, nth)), hash);
        }
    }
    sent
}
