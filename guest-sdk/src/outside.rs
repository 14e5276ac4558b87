//! What a side effect may ask of the world outside the host: peers by HTTP, files of folders.

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
    /// Sends once in the life of a run. The same request again, after [`Fault::Unavailable`], carries the same idempotency key.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn request(&mut self, call: &HttpCall<'_>) -> Result<HttpResponse, Fault> {
        self.backend.http_request(call)
    }
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
}
