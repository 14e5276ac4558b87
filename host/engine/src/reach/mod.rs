//! What a side effect reaches outside the ledger: peers by HTTP, files of folders. Only what the rows of its binding name.
//!
//! A run is executed again when another run's commit got in its way, and what has left this machine cannot be taken back. So an intent is
//! durable before anything is sent, and its answer is kept: who asks again in the same place of the same run is given that answer.
mod address;
mod files;
mod intents;
mod peer;
mod policy;
mod secrets;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use enact_core::hash::blob_hash;
use enact_flow::artifact::{FileGrant, HttpGrant};
use enact_store::{Begun, Intent, Outbound, StoreError};
use enact_wasm::{Answer, Fault, Request};
use ureq::unversioned::resolver::{DefaultResolver, Resolver};

use crate::sources::{Sources, time_text};

pub use intents::OpenIntent;

use files::Files;
use peer::Outgoing;
use policy::Asked;

/// For one request, when a row says nothing of it.
const TIMEOUT_MS: u32 = 5_000;
/// Left to the guest for what it does with the answer, before the watchdog ends its call.
const MARGIN: Duration = Duration::from_millis(500);

/// How one workspace reaches outside.
pub(crate) struct Reach {
    workspace: PathBuf,
    outbound: Mutex<Option<Outbound>>,
    names: Arc<dyn Resolver>,
}

impl Reach {
    pub(crate) fn new(workspace: &Path) -> Self {
        Self { workspace: workspace.to_owned(), outbound: Mutex::new(None), names: Arc::new(DefaultResolver::default()) }
    }

    /// The file of intents, beside the ledger.
    fn path(&self) -> PathBuf {
        self.workspace.join("ledger").join("outbound.db")
    }

    /// Uses the file of intents, which is made when it is needed first.
    fn outbound<T>(&self, act: impl FnOnce(&mut Outbound) -> Result<T, StoreError>) -> Result<T, StoreError> {
        // Every change is a transaction: a panic in between leaves nothing half done.
        let mut guard = self.outbound.lock().unwrap_or_else(PoisonError::into_inner);
        let outbound = match guard.take() {
            Some(outbound) => outbound,
            None => Outbound::open(&self.path())?,
        };
        act(guard.insert(outbound))
    }

    /// Says that a run is committed. What this fails to write down is found when intents are listed.
    pub(crate) fn settle(&self, run: &str, sent: &[String]) {
        if !sent.is_empty() || self.outbound.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            let _ = self.outbound(|outbound| outbound.settle(run, sent));
        }
    }
}

/// What one call of a side effect may reach.
pub struct Outside<'a> {
    reach: &'a Reach,
    http: &'a [HttpGrant],
    files: &'a [FileGrant],
    run: &'a str,
    /// The step's idempotency key.
    key: &'a str,
    /// The clock that intents are dated by.
    sources: &'a dyn Sources,
    until: Instant,
    /// Requests so far.
    asked: u32,
    /// The last request and the key that it carried, when its answer was that it is worth another attempt.
    again: Option<(String, String)>,
    /// Keys whose answers the guest was given.
    sent: Vec<String>,
}

impl<'a> Outside<'a> {
    /// For a call of `run` that may take as long as `wall`.
    pub(crate) fn new(
        reach: &'a Reach,
        http: &'a [HttpGrant],
        files: &'a [FileGrant],
        run: &'a str,
        key: &'a str,
        sources: &'a dyn Sources,
        wall: Duration,
    ) -> Self {
        let until = Instant::now() + wall.saturating_sub(MARGIN);
        Self { reach, http, files, run, key, sources, until, asked: 0, again: None, sent: Vec::new() }
    }

    /// Keys of the requests that the guest was given an answer to.
    pub(crate) fn sent(self) -> Vec<String> {
        self.sent
    }

    /// Counts a request that the sandbox refused, so that those after it have the places that they have in the transcript.
    pub(crate) const fn passed(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }

    /// Answers a request about the world outside; `None` for any other.
    pub(crate) fn call(&mut self, request: &Request) -> Option<Answer> {
        let files = Files { workspace: &self.reach.workspace, rows: self.files };
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other requests are answered elsewhere")]
        let answer = match request {
            Request::FilesRead { path } => files.read(path),
            Request::FilesList { path } => files.list(path),
            Request::HttpRequest { method, url, headers, body } => self.http(request, Asked { method, url, headers, body }),
            _ => return None,
        };
        Some(answer.unwrap_or_else(Answer::Fault))
    }

    fn http(&mut self, request: &Request, asked: Asked<'_>) -> Result<Answer, Fault> {
        // Counted also when it is refused, so that its place is the same in every execution.
        let key = format!("{}/{}", self.key, self.asked);
        self.asked = self.asked.saturating_add(1);
        let before = self.again.take();
        let permitted = policy::permit(self.http, asked)?;
        let timeout = Duration::from_millis(permitted.grant.timeout_ms.unwrap_or(TIMEOUT_MS).into());
        let timeout = timeout.min(self.until.saturating_duration_since(Instant::now()));
        if timeout.is_zero() {
            return Err(Fault::Limit("the wall clock of this call is used up".to_owned()));
        }
        let bytes = serde_json::to_vec(request).map_err(|_| Fault::Invalid("the request cannot be written".to_owned()))?;
        let hash = blob_hash(&bytes).to_string();
        let carried = before.filter(|(earlier, _)| *earlier == hash).map_or_else(|| key.clone(), |(_, carried)| carried);
        let filled = self.secrets(permitted.grant)?;
        let at = time_text(self.sources.now_micros());
        let intent = Intent { key: &key, run: self.run, at: &at, target: &permitted.target, request: &hash };
        let answer = match self.begin(&intent)? {
            Some(kept) => kept,
            None => {
                let outgoing = Outgoing {
                    method: asked.method,
                    url: asked.url,
                    headers: headers(asked.headers, &filled.headers, &carried),
                    body: asked.body,
                    private: permitted.grant.private,
                    timeout,
                };
                let answer = match peer::send(&self.reach.names, &outgoing) {
                    Ok(response) if filled.leaked(&response) => {
                        Answer::Fault(Fault::Denied("http: the answer holds a secret of the row; nothing of it is kept".to_owned()))
                    }
                    Ok(response) => Answer::Response(response),
                    Err(fault) => Answer::Fault(fault),
                };
                // If it cannot be kept, the intent stays one whose end is unknown, and is not sent again either.
                let kept = serde_json::to_vec(&answer).unwrap_or_default();
                let _ = self.reach.outbound(|outbound| outbound.answered(&key, &kept));
                answer
            }
        };
        if matches!(answer, Answer::Fault(Fault::Unavailable(_))) {
            self.again = Some((hash, carried));
        }
        self.sent.push(key);
        Ok(answer)
    }

    /// Writes the intent down; the answer that was kept, if it was sent before.
    fn begin(&self, intent: &Intent<'_>) -> Result<Option<Answer>, Fault> {
        let begun = self.reach.outbound(|outbound| outbound.begin(intent));
        match begun.map_err(|_| Fault::Unavailable("the intent could not be written down, so nothing was sent".to_owned()))? {
            Begun::Ours => Ok(None),
            Begun::Answered(kept) => match serde_json::from_slice(&kept) {
                Ok(answer) => Ok(Some(answer)),
                Err(_) => Err(Fault::Unavailable("it was sent before, and the answer that was kept cannot be read".to_owned())),
            },
            Begun::Unknown => Err(Fault::Unavailable("it was sent before, and whether it arrived is not known".to_owned())),
            Begun::Other => Err(Fault::Denied("http: an earlier execution of this run has sent another request in this place".to_owned())),
            Begun::Done => Err(Fault::Unavailable("the run is committed already".to_owned())),
        }
    }

    fn secrets(&self, grant: &HttpGrant) -> Result<secrets::Filled, Fault> {
        if grant.headers.is_empty() {
            return Ok(secrets::Filled::default());
        }
        let dir = Dir::open_ambient_dir(&self.reach.workspace, ambient_authority());
        secrets::fill(&dir.map_err(|_| Fault::Unavailable("the workspace cannot be opened".to_owned()))?, grant)
    }
}

/// The guest's headers, the row's, and the key by which a peer knows a repetition.
fn headers<'h>(asked: &'h [(String, String)], row: &'h [(String, String)], key: &'h str) -> Vec<(&'h str, &'h str)> {
    let all = asked.iter().chain(row).map(|(name, value)| (name.as_str(), value.as_str()));
    all.chain([("idempotency-key", key)]).collect()
}

#[cfg(test)]
mod tests;
