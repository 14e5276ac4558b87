//! A host in memory, for the tests of a capability. It keeps the contract of the imports and nothing else: no runs, no ledger, no grants.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::{Document, Expect, Fault, HttpCall, HttpResponse, Written};

/// What the clock says until a test sets it.
const FIRST_INSTANT: &str = "2026-01-02T03:04:05.678901";

/// Stores, a clock that stands still and a randomness that counts: equal calls give equal answers.
#[derive(Debug, Clone, Default)]
pub struct MemoryHost {
    registries: BTreeMap<String, BTreeMap<String, String>>,
    tables: BTreeMap<String, BTreeMap<String, Document>>,
    logs: BTreeMap<String, Vec<String>>,
    now: Option<String>,
    given: u128,
    fault: Option<Fault>,
    peers: BTreeMap<String, HttpResponse>,
    requests: Vec<(String, String, Vec<u8>)>,
    files: BTreeMap<String, Vec<u8>>,
    enqueued: Vec<(String, String)>,
    messages: Vec<(Vec<String>, String, String)>,
}

impl MemoryHost {
    /// An empty host whose clock says 2026-01-02T03:04:05.678901.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the clock.
    pub fn set_now(&mut self, now: &str) {
        self.now = Some(now.to_string());
    }

    /// From now on every host call answers `fault`, until it is called with `None`.
    pub fn fail_with(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    /// The live keys of a registry.
    #[must_use]
    pub fn registry(&self, store: &str) -> BTreeMap<String, String> {
        self.registries.get(store).cloned().unwrap_or_default()
    }

    /// The documents of a table.
    #[must_use]
    pub fn table(&self, store: &str) -> BTreeMap<String, Document> {
        self.tables.get(store).cloned().unwrap_or_default()
    }

    /// The records of a log, first to last.
    #[must_use]
    pub fn log(&self, store: &str) -> &[String] {
        self.logs.get(store).map_or(&[], Vec::as_slice)
    }

    /// What a peer answers at a URL; any other is denied.
    pub fn set_peer(&mut self, url: &str, response: HttpResponse) {
        self.peers.insert(url.to_string(), response);
    }

    /// Method, URL and body of each request that was sent, first to last.
    #[must_use]
    pub fn requests(&self) -> &[(String, String, Vec<u8>)] {
        &self.requests
    }

    /// Puts a file at a path; any other is not there.
    pub fn set_file(&mut self, path: &str, content: &[u8]) {
        self.files.insert(path.to_string(), content.to_vec());
    }

    /// The content of a file.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// Workflow and payload of each request for later, first to last.
    #[must_use]
    pub fn enqueued(&self) -> &[(String, String)] {
        &self.enqueued
    }

    /// Recipients, subject and text of each message, first to last.
    #[must_use]
    pub fn messages(&self) -> &[(Vec<String>, String, String)] {
        &self.messages
    }

    fn up(&self) -> Result<(), Fault> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    pub(crate) fn registry_register(&mut self, store: &str, key: &str, value: &str) -> Result<Option<String>, Fault> {
        self.up()?;
        let keys = self.registries.entry(store.to_string()).or_default();
        if let Some(existing) = keys.get(key) {
            return Ok(Some(existing.clone()));
        }
        keys.insert(key.to_string(), value.to_string());
        Ok(None)
    }

    pub(crate) fn registry_lookup(&mut self, store: &str, key: &str) -> Result<Option<String>, Fault> {
        self.up()?;
        Ok(self.registries.get(store).and_then(|keys| keys.get(key)).cloned())
    }

    pub(crate) fn registry_retire(&mut self, store: &str, key: &str) -> Result<bool, Fault> {
        self.up()?;
        Ok(self.registries.get_mut(store).and_then(|keys| keys.remove(key)).is_some())
    }

    pub(crate) fn registry_count(&mut self, store: &str) -> Result<u64, Fault> {
        self.up()?;
        Ok(self.registries.get(store).map_or(0, |keys| keys.len() as u64))
    }

    pub(crate) fn table_get(&mut self, store: &str, key: &str) -> Result<Option<Document>, Fault> {
        self.up()?;
        Ok(self.tables.get(store).and_then(|documents| documents.get(key)).cloned())
    }

    pub(crate) fn table_put(&mut self, store: &str, key: &str, value: &str, expect: Expect) -> Result<Option<u64>, Fault> {
        self.up()?;
        let documents = self.tables.entry(store.to_string()).or_default();
        let version = documents.get(key).map_or(0, |document| document.version);
        if !holds(version, expect) {
            return Ok(None);
        }
        let version = version.saturating_add(1);
        documents.insert(key.to_string(), Document { version, value: value.to_string() });
        Ok(Some(version))
    }

    pub(crate) fn table_remove(&mut self, store: &str, key: &str, expect: Expect) -> Result<bool, Fault> {
        self.up()?;
        let Some(documents) = self.tables.get_mut(store) else { return Ok(false) };
        let version = documents.get(key).map_or(0, |document| document.version);
        Ok(version > 0 && holds(version, expect) && documents.remove(key).is_some())
    }

    pub(crate) fn table_list(&mut self, store: &str, after: Option<&str>, limit: u32) -> Result<Vec<(String, Document)>, Fault> {
        self.up()?;
        let Some(documents) = self.tables.get(store) else { return Ok(Vec::new()) };
        let listed = documents.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        Ok(listed.take(limit as usize).map(|(key, document)| (key.clone(), document.clone())).collect())
    }

    pub(crate) fn log_append(&mut self, store: &str, value: &str) -> Result<(), Fault> {
        self.up()?;
        self.logs.entry(store.to_string()).or_default().push(value.to_string());
        Ok(())
    }

    pub(crate) fn log_read(&mut self, store: &str, from: u64, limit: u32) -> Result<Vec<String>, Fault> {
        self.up()?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.log(store).iter().skip(from).take(limit as usize).cloned().collect())
    }

    pub(crate) fn clock_now(&mut self) -> Result<String, Fault> {
        self.up()?;
        Ok(self.now.clone().unwrap_or_else(|| FIRST_INSTANT.to_string()))
    }

    pub(crate) fn random_bytes(&mut self, len: u32) -> Result<Vec<u8>, Fault> {
        self.up()?;
        Ok((0..=u8::MAX).cycle().take(len as usize).collect())
    }

    pub(crate) fn random_unique(&mut self) -> Result<Vec<u8>, Fault> {
        self.up()?;
        self.given = self.given.wrapping_add(1);
        Ok(self.given.to_be_bytes().to_vec())
    }
}

impl MemoryHost {
    pub(crate) fn http_request(&mut self, call: &HttpCall<'_>) -> Result<HttpResponse, Fault> {
        self.up()?;
        let response = self.peers.get(call.url).cloned().ok_or_else(|| Fault::Denied("http".to_string()))?;
        self.requests.push((call.method.to_string(), call.url.to_string(), call.body.to_vec()));
        Ok(response)
    }

    pub(crate) fn files_read(&mut self, path: &str) -> Result<Vec<u8>, Fault> {
        self.up()?;
        self.files.get(path).cloned().ok_or_else(|| Fault::Unavailable("files: not found".to_string()))
    }

    pub(crate) fn files_list(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        self.up()?;
        let below = self.files.keys().filter_map(|file| file.strip_prefix(path)?.strip_prefix('/'));
        let mut names: Vec<String> = below.map(|rest| rest.split_inclusive('/').next().unwrap_or_default().to_string()).collect();
        names.dedup();
        Ok(names)
    }

    pub(crate) fn files_write(&mut self, path: &str, content: &[u8], replace: bool) -> Result<Written, Fault> {
        self.up()?;
        let known = self.files.contains_key(path);
        if known && !replace {
            return Ok(Written::Exists);
        }
        self.files.insert(path.to_string(), content.to_vec());
        Ok(if known { Written::Replaced } else { Written::Created })
    }
}

impl MemoryHost {
    pub(crate) fn workflow_enqueue(&mut self, workflow: &str, payload: &str) -> Result<String, Fault> {
        self.up()?;
        self.enqueued.push((workflow.to_string(), payload.to_string()));
        Ok(alloc::format!("RUN-{}", self.enqueued.len()))
    }

    pub(crate) fn outbox_send(&mut self, to: &[&str], subject: &str, text: &str) -> Result<String, Fault> {
        self.up()?;
        self.messages.push((to.iter().map(ToString::to_string).collect(), subject.to_string(), text.to_string()));
        Ok(alloc::format!("MSG-{}", self.messages.len()))
    }
}

/// Whether a document at `version` (0 = there is none) meets the expectation.
const fn holds(version: u64, expect: Expect) -> bool {
    match expect.wire() {
        None => version == 0,
        Some(0) => true,
        Some(exact) => version == exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_once_and_free_again_after_it_was_retired() {
        let mut host = MemoryHost::new();
        assert_eq!(host.registry_register("s", "k", "1"), Ok(None));
        assert_eq!(host.registry_register("s", "k", "2"), Ok(Some("1".into())));
        assert_eq!(host.registry_retire("s", "k"), Ok(true));
        assert_eq!(host.registry_retire("s", "k"), Ok(false));
        assert_eq!(host.registry_register("s", "k", "2"), Ok(None));
    }

    #[test]
    fn a_write_with_a_stale_version_changes_nothing() {
        let mut host = MemoryHost::new();
        assert_eq!(host.table_put("s", "k", "a", Expect::Version(1)), Ok(None));
        assert_eq!(host.table_put("s", "k", "a", Expect::Absent), Ok(Some(1)));
        assert_eq!(host.table_put("s", "k", "b", Expect::Absent), Ok(None));
        assert_eq!(host.table_put("s", "k", "b", Expect::Version(1)), Ok(Some(2)));
        assert_eq!(host.table_remove("s", "k", Expect::Version(1)), Ok(false));
        assert_eq!(host.table_put("s", "k", "c", Expect::Any), Ok(Some(3)));
        assert_eq!(host.table("s")["k"].value, "c");
    }

    #[test]
    fn a_peer_answers_where_it_was_put_and_files_are_listed_by_folder() {
        let mut host = MemoryHost::new();
        let made = HttpResponse { status: 201, headers: Vec::new(), body: b"made".to_vec() };
        host.set_peer("https://a/b", made.clone());
        let call = HttpCall { method: "POST", url: "https://a/b", headers: &[], body: b"x" };
        assert_eq!(host.http_request(&call), Ok(made));
        assert_eq!(host.http_request(&HttpCall { url: "https://a/c", ..call }), Err(Fault::Denied("http".into())));
        assert_eq!(host.requests(), [("POST".into(), "https://a/b".into(), b"x".to_vec())]);
        for path in ["in/a", "in/b/c", "in/b/d", "inner/e"] {
            host.set_file(path, path.as_bytes());
        }
        assert_eq!(host.files_list("in"), Ok(alloc::vec!["a".into(), "b/".into()]));
        assert_eq!(host.files_read("in/b/c"), Ok(b"in/b/c".to_vec()));
        assert!(matches!(host.files_read("in/b"), Err(Fault::Unavailable(_))));
        assert_eq!(host.files_write("in/a", b"x", false), Ok(Written::Exists));
        assert_eq!((host.files_write("in/a", b"x", true), host.file("in/a")), (Ok(Written::Replaced), Some(b"x".as_slice())));
        assert_eq!((host.files_write("in/z", b"y", true), host.file("in/z")), (Ok(Written::Created), Some(b"y".as_slice())));
    }

    #[test]
    fn what_is_asked_for_later_is_kept_in_order() {
        let mut host = MemoryHost::new();
        assert_eq!(host.workflow_enqueue("WF_A_V0", "{}"), Ok("RUN-1".into()));
        assert_eq!(host.workflow_enqueue("WF_B_V0", "{}"), Ok("RUN-2".into()));
        assert_eq!(host.enqueued(), [("WF_A_V0".into(), "{}".into()), ("WF_B_V0".into(), "{}".into())]);
    }

    #[test]
    fn a_failing_host_answers_its_fault_to_everything() {
        let mut host = MemoryHost::new();
        let fault = Fault::Unavailable("disk".into());
        host.fail_with(Some(fault.clone()));
        assert_eq!(host.log_append("s", "x"), Err(fault.clone()));
        assert_eq!(host.clock_now(), Err(fault));
        host.fail_with(None);
        assert_eq!(host.log_append("s", "x"), Ok(()));
    }
}
