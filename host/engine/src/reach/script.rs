//! A world outside that a vector has written: peers that answer as they are told, folders in memory. What is allowed is decided by the rows
//! and the code of a live run; nothing leaves this process.
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::Bound;

use enact_flow::artifact::{FileGrant, GRANT_ROWS_MAX, HttpGrant};
use enact_wasm::limits::{BODY_BYTES_MAX, LIST_MAX};
use enact_wasm::{Answer, Fault, HttpResponse, Request, Written};
use serde::{Deserialize, Serialize};

use super::files::{self, failed};
use super::policy::{self, Asked};
use super::write::UNFINISHED;
use super::{Beyond, no_more_files};

/// Files of one vector: a few times the names that a listing may answer with.
const FILES_MAX: usize = 4 * LIST_MAX as usize;
/// Answers of peers that one vector prepares.
const PEERS_MAX: usize = LIST_MAX as usize;

/// Octets in a document: as text, or in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "octets are a text, or an object with `hex`")]
pub enum Octets {
    /// UTF-8.
    Text(String),
    /// Anything.
    Hex(Hexadecimal),
}

/// `{ "hex": "00ff" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hexadecimal {
    /// Two digits an octet, in lower case.
    pub hex: String,
}

impl Default for Octets {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Octets {
    /// As text where they are.
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex(Hexadecimal { hex: hex::encode(bytes) }),
        }
    }

    /// The octets; `None` for what is not hexadecimal in lower case.
    fn read(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Hex(Hexadecimal { hex }) => hex::decode(hex).ok().filter(|bytes| hex::encode(bytes) == *hex),
        }
    }
}

/// One answer of a peer. It is given once, to the first request that it fits and that no answer before it was given to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerAnswer {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The body that is asked with; any, without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Octets>,
    /// What it answers, unless there is a `fault`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<PeerResponse>,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// What a peer answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerResponse {
    /// Three digits.
    pub status: u16,
    /// Names in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(default)]
    pub body: Octets,
}

/// One request with its answer, until it is given.
struct Prepared {
    method: String,
    url: String,
    body: Option<Vec<u8>>,
    answer: Answer,
}

/// The world of one vector.
#[derive(Default)]
pub(crate) struct Script {
    http: Vec<HttpGrant>,
    rows: Vec<FileGrant>,
    peers: Vec<Prepared>,
    files: BTreeMap<String, Vec<u8>>,
    written: u32,
}

impl Script {
    /// Puts it up: rows as in a binding, peers, and files by their paths.
    ///
    /// # Errors
    /// What no run could meet, in a few words.
    pub(crate) fn new(
        http: &[HttpGrant],
        rows: &[FileGrant],
        peers: &[PeerAnswer],
        files: &BTreeMap<String, Octets>,
    ) -> Result<Self, String> {
        for (what, len, max) in [
            ("rows of `http`", http.len(), GRANT_ROWS_MAX),
            ("rows of `files`", rows.len(), GRANT_ROWS_MAX),
            ("peers", peers.len(), PEERS_MAX),
        ] {
            if len > max {
                return Err(format!("{len} {what} of the {max} allowed"));
            }
        }
        http.iter().try_for_each(HttpGrant::check)?;
        rows.iter().try_for_each(FileGrant::check)?;
        if let Some(twice) = rows.iter().enumerate().find(|(nth, row)| rows.iter().take(*nth).any(|earlier| earlier.name == row.name)) {
            return Err(format!("two rows name the folder `{}`", twice.1.name));
        }
        let peers = peers.iter().map(prepared).collect::<Result<_, _>>()?;
        let files = contents(files)?;
        for path in files.keys() {
            let (_, rest) = files::row(rows, path).map_err(|_| format!("no row has a folder for the file `{path}`"))?;
            if rest.is_empty() || folder(&files, path) {
                return Err(format!("`{path}` is a folder"));
            }
        }
        Ok(Self { http: http.to_vec(), rows: rows.to_vec(), peers, files, written: 0 })
    }

    /// What the folders hold.
    pub(crate) fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.files
    }

    fn http(&mut self, asked: Asked<'_>) -> Result<Answer, Fault> {
        policy::permit(&self.http, asked)?;
        let fits = |peer: &Prepared| {
            peer.method == asked.method && peer.url == asked.url && peer.body.as_ref().is_none_or(|body| body.as_slice() == asked.body)
        };
        match self.peers.iter().position(fits) {
            Some(nth) => Ok(self.peers.remove(nth).answer),
            None => Err(Fault::Unavailable("no peer is written that answers this".to_owned())),
        }
    }

    fn read(&self, path: &str) -> Result<Answer, Fault> {
        match files::row(&self.rows, path)? {
            (_, "") => Err(files::names_folder()),
            _ if folder(&self.files, path) => Err(files::names_no_file()),
            _ => self.files.get(path).cloned().map(Answer::Bytes).ok_or_else(|| failed(&ErrorKind::NotFound.into())),
        }
    }

    fn list(&self, path: &str) -> Result<Answer, Fault> {
        let (_, rest) = files::row(&self.rows, path)?;
        if self.files.contains_key(path) {
            return Err(failed(&ErrorKind::NotADirectory.into()));
        }
        if !rest.is_empty() && !folder(&self.files, path) {
            return Err(failed(&ErrorKind::NotFound.into()));
        }
        let below = self.files.keys().filter_map(|file| file.strip_prefix(path)?.strip_prefix('/'));
        let mut names: Vec<String> = below.filter_map(|rest| rest.split_inclusive('/').next()).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > LIST_MAX as usize { Err(files::many_names()) } else { Ok(Answer::Records(names)) }
    }

    fn write(&mut self, path: &str, content: &[u8], replace: bool) -> Result<Answer, Fault> {
        files::writable(&self.rows, path)?;
        no_more_files(&mut self.written)?;
        let mut above = path;
        while let Some((parent, _)) = above.rsplit_once('/') {
            if self.files.contains_key(parent) {
                return Err(files::through_file());
            }
            above = parent;
        }
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if parent.contains('/') && !folder(&self.files, parent) {
            return Err(failed(&ErrorKind::NotFound.into()));
        }
        if folder(&self.files, path) {
            return Err(files::names_no_file());
        }
        let known = self.files.contains_key(path);
        if known && !replace {
            return Ok(Answer::Written(Written::Exists));
        }
        self.files.insert(path.to_owned(), content.to_vec());
        Ok(Answer::Written(if known { Written::Replaced } else { Written::Created }))
    }
}

impl Beyond for Script {
    fn call(&mut self, request: &Request) -> Option<Answer> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other requests are answered elsewhere")]
        let answer = match request {
            Request::FilesRead { path } => self.read(path),
            Request::FilesList { path } => self.list(path),
            Request::FilesWrite { path, content, replace } => self.write(path, content, *replace),
            Request::HttpRequest { method, url, headers, body } => self.http(Asked { method, url, headers, body }),
            _ => return None,
        };
        Some(answer.unwrap_or_else(Answer::Fault))
    }
}

/// Whether there is a folder of this path because something lies in it.
fn folder(files: &BTreeMap<String, Vec<u8>>, path: &str) -> bool {
    // Names are in order: those below it begin where it, followed by a slash, would be.
    let below = format!("{path}/");
    let first = files.range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded)).next();
    first.is_some_and(|(file, _)| file.starts_with(&below))
}

/// Files by their paths, each within the bound of one.
pub(crate) fn contents(files: &BTreeMap<String, Octets>) -> Result<BTreeMap<String, Vec<u8>>, String> {
    if files.len() > FILES_MAX {
        return Err(format!("{} files of the {FILES_MAX} allowed", files.len()));
    }
    let content = |(path, content): (&String, &Octets)| {
        let content = content.read().filter(|bytes| bytes.len() <= BODY_BYTES_MAX && !path.contains(UNFINISHED));
        Ok((path.clone(), content.ok_or_else(|| format!("the content of `{path}` is too large or not hexadecimal in lower case"))?))
    };
    files.iter().map(content).collect()
}

/// An answer that a request may get.
fn prepared(peer: &PeerAnswer) -> Result<Prepared, String> {
    let PeerAnswer { method, url, body, response, fault } = peer;
    let wrong = |what: &str| format!("the peer of {method} {url}: {what}");
    let octets = |octets: &Octets| octets.read().ok_or_else(|| wrong("a body is not hexadecimal in lower case"));
    let answer = match (response, fault) {
        (Some(PeerResponse { status, headers, body }), None) => {
            let named = |(name, _): &(String, String)| !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase());
            if !(100..=999).contains(status) || !headers.iter().all(named) {
                return Err(wrong("a status has three digits, and names of headers are in lower case"));
            }
            Answer::Response(HttpResponse { status: *status, headers: headers.clone(), body: octets(body)? })
        }
        (None, Some(fault)) => Answer::Fault(fault.clone()),
        (Some(_), Some(_)) | (None, None) => return Err(wrong("it has either a `response` or a `fault`")),
    };
    let body = body.as_ref().map(octets).transpose()?;
    let request = Request::HttpRequest { method: method.clone(), url: url.clone(), headers: Vec::new(), body: Vec::new() };
    if !answer.fits(&request) {
        return Err(wrong("the response is over the bounds of a message"));
    }
    Ok(Prepared { method: method.clone(), url: url.clone(), body, answer })
}
