//! What a side effect reaches outside the ledger: peers by HTTP, files of folders. Only what the rows of its binding name.
//!
//! A run is executed again when another run's commit got in its way, and what has left this machine cannot be taken back. So an intent is
//! durable before anything is sent, and its answer is kept: who asks again in the same place of the same run is given that answer.
mod address;
mod files;
mod intents;
mod peer;
mod policy;
pub(crate) mod script;
mod secrets;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use enact_core::hash::blob_hash;
use enact_flow::artifact::{FileGrant, HttpGrant};
use enact_store::{Begun, Intent, Outbound, StoreError};
use enact_wasm::limits::FILE_WRITES_MAX;
use enact_wasm::{Answer, Fault, Request, Written};
use ureq::unversioned::resolver::{DefaultResolver, Resolver};

use crate::sources::{Sources, time_text};

pub use intents::{OpenIntent, Said};

use files::Files;
use peer::Outgoing;
use policy::Asked;

/// For one request, when a row says nothing of it.
const TIMEOUT_MS: u32 = 5_000;
/// Left to the guest for what it does with the answer, before the watchdog ends its call.
const MARGIN: Duration = Duration::from_millis(500);

/// What there is outside the ledger, for one call of a side effect.
pub trait Beyond {
    /// Answers a request about it; `None` for any other.
    fn call(&mut self, request: &Request) -> Option<Answer>;

    /// Learns of a request that the sandbox refused.
    fn passed(&mut self) {}
}

/// Counts a file that is written.
fn no_more_files(written: &mut u32) -> Result<(), Fault> {
    if *written >= FILE_WRITES_MAX {
        return Err(Fault::Limit(format!("files: {FILE_WRITES_MAX} files were written")));
    }
    *written = written.saturating_add(1);
    Ok(())
}

/// Whether rows allow a request without headers and body; for measurements.
pub(crate) fn permitted(rows: &[HttpGrant], method: &str, url: &str) -> bool {
    policy::permit(rows, Asked { method, url, headers: &[], body: &[] }).is_ok()
}

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
    pub(crate) fn path(&self) -> PathBuf {
        self.workspace.join("ledger").join("outbound.db")
    }

    /// A secret of the workspace.
    ///
    /// # Errors
    /// In words, never its value.
    pub(crate) fn secret(&self, name: &str) -> Result<String, String> {
        let dir = Dir::open_ambient_dir(&self.workspace, ambient_authority()).map_err(|e| e.to_string())?;
        secrets::read(&dir, name).map_err(|fault| if let Fault::Unavailable(why) = fault { why } else { "it cannot be used".to_owned() })
    }

    /// Uses the file of intents, which is made when it is needed first.
    pub(crate) fn outbound<T>(&self, act: impl FnOnce(&mut Outbound) -> Result<T, StoreError>) -> Result<T, StoreError> {
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
    /// Requests so far that have an intent.
    asked: u32,
    /// Writes of files so far.
    written: u32,
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
        Self { reach, http, files, run, key, sources, until, asked: 0, written: 0, again: None, sent: Vec::new() }
    }

    /// Keys of the requests that the guest was given an answer to.
    pub(crate) fn sent(self) -> Vec<String> {
        self.sent
    }

    fn http(&mut self, request: &Request, asked: Asked<'_>) -> Result<Answer, Fault> {
        let key = self.place();
        let before = self.again.take();
        let permitted = policy::permit(self.http, asked)?;
        let timeout = Duration::from_millis(permitted.grant.timeout_ms.unwrap_or(TIMEOUT_MS).into());
        let timeout = timeout.min(self.until.saturating_duration_since(Instant::now()));
        if timeout.is_zero() {
            return Err(Fault::Limit("the wall clock of this call is used up".to_owned()));
        }
        let hash = hash(request)?;
        let carried = before.filter(|(earlier, _)| *earlier == hash).map_or_else(|| key.clone(), |(_, carried)| carried);
        let filled = self.secrets(permitted.grant)?;
        let outgoing = Outgoing {
            method: asked.method,
            url: asked.url,
            headers: headers(asked.headers, &filled.headers, &carried),
            body: asked.body,
            private: permitted.grant.private,
            timeout,
        };
        // RFC 9110, 9.2.1: safe methods.
        let harmless = matches!(asked.method, "GET" | "HEAD" | "OPTIONS");
        let answer = self.once(key, (&permitted.target, &hash, harmless), |reach| {
            let sent = peer::send(&reach.names, &outgoing);
            let answer = sent.answer.and_then(|response| filled.cleared(response));
            (answer.map_or_else(Answer::Fault, Answer::Response), sent.done)
        })?;
        if matches!(answer, Answer::Fault(Fault::Unavailable(_))) {
            self.again = Some((hash, carried));
        }
        Ok(answer)
    }

    fn write(&mut self, request: &Request, path: &str, content: &[u8], replace: bool) -> Result<Answer, Fault> {
        let key = self.place();
        files::writable(self.files, path)?;
        no_more_files(&mut self.written)?;
        let files = Files { workspace: &self.reach.workspace, rows: self.files };
        let name = key.clone();
        self.once(key, (&format!("WRITE {path}"), &hash(request)?, false), |_| {
            let answer = files.write(path, content, replace, &name).unwrap_or_else(Answer::Fault);
            let done = matches!(answer, Answer::Written(Written::Created | Written::Replaced));
            (answer, done)
        })
    }

    /// The key of the next request: its place in this call, which is the same in every execution because what is refused counts too.
    fn place(&mut self) -> String {
        let key = format!("{}/{}", self.key, self.asked);
        self.asked = self.asked.saturating_add(1);
        key
    }

    /// Does what cannot be taken back, behind an intent, unless an earlier execution has done it: then the answer is the one that was kept.
    /// Another attempt may do again what is `harmless`, and what `act` says was not done.
    fn once(
        &mut self,
        key: String,
        (target, hash, harmless): (&str, &str, bool),
        act: impl FnOnce(&Reach) -> (Answer, bool),
    ) -> Result<Answer, Fault> {
        let at = time_text(self.sources.now_micros());
        let intent = Intent { key: &key, run: self.run, at: &at, target, request: hash, harmless };
        let answer = match self.begin(&intent)? {
            Some(kept) => kept,
            None => {
                let (answer, done) = act(self.reach);
                // If it cannot be kept, the intent stays one whose end is unknown, and is not done again either.
                let kept = serde_json::to_vec(&answer).unwrap_or_default();
                let _ = self.reach.outbound(|outbound| outbound.answered(&key, self.run, &kept, !done));
                answer
            }
        };
        self.sent.push(key);
        Ok(answer)
    }

    /// Writes the intent down; the answer that was kept, if it was sent before.
    fn begin(&self, intent: &Intent<'_>) -> Result<Option<Answer>, Fault> {
        let begun = self.reach.outbound(|outbound| outbound.begin(intent));
        match begun.map_err(|_| Fault::Unavailable("the intent could not be written down, so nothing was done".to_owned()))? {
            Begun::Ours => Ok(None),
            Begun::Answered(kept) => match serde_json::from_slice(&kept) {
                Ok(answer) => Ok(Some(answer)),
                Err(_) => Err(Fault::Unavailable("it was done before, and the answer that was kept cannot be read".to_owned())),
            },
            Begun::Unknown => Err(Fault::Unavailable("it was begun before, and how it ended is not known".to_owned())),
            Begun::Other => Err(Fault::Denied("an earlier execution of this run has asked for something else in this place".to_owned())),
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

impl Beyond for Outside<'_> {
    fn call(&mut self, request: &Request) -> Option<Answer> {
        let files = Files { workspace: &self.reach.workspace, rows: self.files };
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other requests are answered elsewhere")]
        let answer = match request {
            Request::FilesRead { path } => files.read(path),
            Request::FilesList { path } => files.list(path),
            Request::FilesWrite { path, content, replace } => self.write(request, path, content, *replace),
            Request::HttpRequest { method, url, headers, body } => self.http(request, Asked { method, url, headers, body }),
            _ => return None,
        };
        Some(answer.unwrap_or_else(Answer::Fault))
    }

    /// Counted, so that requests after it have the places that they have in the transcript.
    fn passed(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }
}

/// By which a request is known again.
fn hash(request: &Request) -> Result<String, Fault> {
    let bytes = serde_json::to_vec(request).map_err(|_| Fault::Invalid("the request cannot be written".to_owned()))?;
    Ok(blob_hash(&bytes).to_string())
}

/// The guest's headers, the row's, the key by which a peer knows a repetition, and that the answer is to be as it is: a secret would not be
/// found in a compressed one.
fn headers<'h>(asked: &'h [(String, String)], row: &'h [(String, String)], key: &'h str) -> Vec<(&'h str, &'h str)> {
    let all = asked.iter().chain(row).map(|(name, value)| (name.as_str(), value.as_str()));
    all.chain([("accept-encoding", "identity"), ("idempotency-key", key)]).collect()
}

#[cfg(test)]
mod tests;
