//! What a side effect may ask beyond its stores: peers by HTTP, files of folders, other workflows.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Fault;
#[cfg(target_arch = "wasm32")]
use crate::imports::Imports as Backend;
#[cfg(not(target_arch = "wasm32"))]
use crate::memory::MemoryHost as Backend;

/// A request to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpCall<'a> {
    /// In capitals; one that the binding's row lists.
    pub method: &'a str,
    /// Absolute, in its one spelling: lower-case host, no default port, no fragment, no dot segments.
    pub url: &'a str,
    /// Each name once. Credentials and what frames the message are the host's.
    pub headers: &'a [(&'a str, &'a str)],
    /// Empty for `GET`, `HEAD`, `DELETE` and `OPTIONS`.
    pub body: &'a [u8],
}

/// What a peer answered. A redirect is an answer like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// Three digits.
    pub status: u16,
    /// As received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// As received.
    pub body: Vec<u8>,
}

/// Peers that the binding's rows name.
#[derive(Debug)]
pub struct Http<'a> {
    pub(crate) backend: &'a mut Backend,
}

impl Http<'_> {
    /// Sends once in the life of a run, or of an item of the queue, whose runs are attempts at one thing. The same request again, after [`Fault::Unavailable`], carries the same idempotency key.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn request(&mut self, call: &HttpCall<'_>) -> Result<HttpResponse, Fault> {
        self.backend.http_request(call)
    }
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// There was none.
    Created,
    /// Another content took the place of the one that was there.
    Replaced,
    /// There is one, and it was not to be replaced: nothing was written.
    Exists,
}

/// Folders that the binding's rows name.
#[derive(Debug)]
pub struct Files<'a> {
    pub(crate) backend: &'a mut Backend,
}

impl Files<'_> {
    /// A whole file: the row's name and names below it, such as `inbox/2026/a.json`.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>, Fault> {
        self.backend.files_read(path)
    }

    /// Names in a folder, in the order of their bytes, folders with a `/` at the end.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn list(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        self.backend.files_list(path)
    }

    /// Writes a whole file into a folder whose row says `write`: at once, not when the run commits, and once in the life of a run.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn write(&mut self, path: &str, content: &[u8], replace: bool) -> Result<Written, Fault> {
        self.backend.files_write(path, content, replace)
    }
}

/// Other workflows, those that the binding's rows name.
#[derive(Debug)]
pub struct Workflows<'a> {
    pub(crate) backend: &'a mut Backend,
}

impl Workflows<'_> {
    /// Asks for a run of its own, which begins after this one is committed, or never. `payload` is a JSON object in canonical form (RFC 8785).
    /// Answers the id of the run to come.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn enqueue(&mut self, workflow: &str, payload: &str) -> Result<String, Fault> {
        self.backend.workflow_enqueue(workflow, payload)
    }
}

/// Messages to those whom the binding's rows name.
#[derive(Debug)]
pub struct Outbox<'a> {
    pub(crate) backend: &'a mut Backend,
}

impl Outbox<'_> {
    /// Hands a message over, to be sent after this run is committed, or never. Answers its id.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn send(&mut self, to: &[&str], subject: &str, text: &str) -> Result<String, Fault> {
        self.backend.outbox_send(to, subject, text)
    }
}
