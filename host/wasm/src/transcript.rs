//! The host's side of a side effect: requests, answers, the transcript of both, and the replay of a transcript.
//!
//! Data only. What a store, a clock or a random source *is* belongs to whoever implements [`Host`]. Numbers are decimal strings
//! in the recorded form, so that canonical JSON carries all 64 bits.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, HEADERS_MAX, LIST_MAX};

/// Serves the requests of one side effect.
///
/// Called on the thread that called [`crate::Module::side_effect`], one request at a time, and only for requests inside the
/// grant and inside the argument bounds of [`crate::limits`]. A panic in it becomes [`crate::InfraCode::HostFault`].
pub trait Host {
    /// Answers one request with the shape that [`Answer::fits`] allows for it, or with [`Answer::Fault`].
    fn call(&mut self, request: &Request) -> Answer;

    /// Learns of a request that the sandbox answered itself, with [`Fault::Denied`] or [`Fault::Limit`].
    fn refused(&mut self, request: &Request, answer: &Answer) {
        let _ = (request, answer);
    }
}

/// One request of a guest to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the parameters of the WIT functions")]
pub enum Request {
    /// `registry.register`: [`Answer::Existing`].
    #[serde(rename = "registry.register")]
    RegistryRegister { store: String, key: String, value: String },
    /// `registry.lookup`: [`Answer::Existing`].
    #[serde(rename = "registry.lookup")]
    RegistryLookup { store: String, key: String },
    /// `registry.retire`: [`Answer::Flag`].
    #[serde(rename = "registry.retire")]
    RegistryRetire { store: String, key: String },
    /// `registry.count`: [`Answer::Number`].
    #[serde(rename = "registry.count")]
    RegistryCount { store: String },
    /// `table.get`: [`Answer::Document`].
    #[serde(rename = "table.get")]
    TableGet { store: String, key: String },
    /// `table.put`: [`Answer::Version`].
    #[serde(rename = "table.put")]
    TablePut {
        store: String,
        key: String,
        value: String,
        #[serde(with = "decimal_option")]
        expect: Option<u64>,
    },
    /// `table.remove`: [`Answer::Flag`].
    #[serde(rename = "table.remove")]
    TableRemove {
        store: String,
        key: String,
        #[serde(with = "decimal_option")]
        expect: Option<u64>,
    },
    /// `table.list`: [`Answer::Documents`], at most `limit`.
    #[serde(rename = "table.list")]
    TableList { store: String, after: Option<String>, limit: u32 },
    /// `log.append`: [`Answer::Done`].
    #[serde(rename = "log.append")]
    LogAppend { store: String, value: String },
    /// `log.read`: [`Answer::Records`], at most `limit`.
    #[serde(rename = "log.read")]
    LogRead {
        store: String,
        #[serde(with = "decimal")]
        from: u64,
        limit: u32,
    },
    /// `clock.now`: [`Answer::Text`].
    #[serde(rename = "clock.now")]
    ClockNow,
    /// `random.bytes`: [`Answer::Bytes`], exactly `len`.
    #[serde(rename = "random.bytes")]
    RandomBytes { len: u32 },
    /// `random.unique`: [`Answer::Bytes`], exactly 16.
    #[serde(rename = "random.unique")]
    RandomUnique,
    /// `http.request`: [`Answer::Response`].
    #[serde(rename = "http.request")]
    HttpRequest {
        method: String,
        url: String,
        headers: Vec<(String, String)>,
        #[serde(with = "hexadecimal")]
        body: Vec<u8>,
    },
    /// `files.read`: [`Answer::Bytes`].
    #[serde(rename = "files.read")]
    FilesRead { path: String },
    /// `files.list`: [`Answer::Records`], at most [`crate::limits::LIST_MAX`].
    #[serde(rename = "files.list")]
    FilesList { path: String },
    /// `files.write`: [`Answer::Written`].
    #[serde(rename = "files.write")]
    FilesWrite {
        path: String,
        #[serde(with = "hexadecimal")]
        content: Vec<u8>,
        replace: bool,
    },
    /// `wasi.seed`: [`Answer::Bytes`], exactly 32. Asked by the sandbox when a guest with WASI first wants randomness; all of it follows from
    /// the answer.
    #[serde(rename = "wasi.seed")]
    WasiSeed,
    /// `workflow.enqueue`: [`Answer::Text`].
    #[serde(rename = "workflow.enqueue")]
    WorkflowEnqueue { workflow: String, payload: String },
    /// `outbox.send`: [`Answer::Text`].
    #[serde(rename = "outbox.send")]
    OutboxSend { to: Vec<String>, subject: String, text: String },
}

impl Request {
    /// The interface that must be granted: its name in the WIT package.
    pub fn interface(&self) -> &'static str {
        match self {
            Self::RegistryRegister { .. } | Self::RegistryLookup { .. } | Self::RegistryRetire { .. } | Self::RegistryCount { .. } => {
                "registry"
            }
            Self::TableGet { .. } | Self::TablePut { .. } | Self::TableRemove { .. } | Self::TableList { .. } => "table",
            Self::LogAppend { .. } | Self::LogRead { .. } => "log",
            Self::ClockNow => "clock",
            Self::RandomBytes { .. } | Self::RandomUnique => "random",
            Self::HttpRequest { .. } => "http",
            Self::FilesRead { .. } | Self::FilesList { .. } | Self::FilesWrite { .. } => "files",
            Self::WasiSeed => "wasi",
            Self::WorkflowEnqueue { .. } => "workflow",
            Self::OutboxSend { .. } => "outbox",
        }
    }

    /// The store it names; `None` for what has no store.
    pub fn store(&self) -> Option<&str> {
        match self {
            Self::RegistryRegister { store, .. }
            | Self::RegistryLookup { store, .. }
            | Self::RegistryRetire { store, .. }
            | Self::RegistryCount { store }
            | Self::TableGet { store, .. }
            | Self::TablePut { store, .. }
            | Self::TableRemove { store, .. }
            | Self::TableList { store, .. }
            | Self::LogAppend { store, .. }
            | Self::LogRead { store, .. } => Some(store),
            Self::ClockNow
            | Self::RandomBytes { .. }
            | Self::RandomUnique
            | Self::HttpRequest { .. }
            | Self::FilesRead { .. }
            | Self::FilesList { .. }
            | Self::FilesWrite { .. }
            | Self::WasiSeed
            | Self::WorkflowEnqueue { .. }
            | Self::OutboxSend { .. } => None,
        }
    }

    /// Whether it changes what is outside the ledger and cannot be taken back: such a request has an intent that is durable before it is done.
    pub fn leaves(&self) -> bool {
        matches!(self, Self::HttpRequest { .. } | Self::FilesWrite { .. })
    }
}

/// A table document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// 1 at the first put, then one more at each.
    #[serde(with = "decimal")]
    pub version: u64,
    /// What was put.
    pub value: String,
}

/// What a peer answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpResponse {
    /// Three digits.
    pub status: u16,
    /// As received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// As received.
    #[serde(with = "hexadecimal")]
    pub body: Vec<u8>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// There was none.
    Created,
    /// Another content took the place of the one that was there.
    Replaced,
    /// There is one, and it was not to be replaced: nothing was written.
    Exists,
}

/// Why the host did not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Outside the grant; names the missing grant.
    Denied(String),
    /// Over a limit; names it with value and bound.
    Limit(String),
    /// The backing store or peer failed; worth another attempt.
    Unavailable(String),
    /// The request is malformed.
    Invalid(String),
}

/// What the host answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Answer {
    /// A value that is there, or none.
    Existing(Option<String>),
    /// Whether something was there to change.
    Flag(bool),
    /// A count.
    Number(#[serde(with = "decimal")] u64),
    /// A document, or none.
    Document(Option<Document>),
    /// The new version, or none when the expectation did not hold.
    Version(#[serde(with = "decimal_option")] Option<u64>),
    /// Keys and documents in key order.
    Documents(Vec<(String, Document)>),
    /// Nothing to say.
    Done,
    /// Log records.
    Records(Vec<String>),
    /// A text, such as a time.
    Text(String),
    /// Octets, recorded in lower case hexadecimal.
    Bytes(#[serde(with = "hexadecimal")] Vec<u8>),
    /// What a peer answered.
    Response(HttpResponse),
    /// What became of a file.
    Written(Written),
    /// It was not done.
    Fault(Fault),
}

impl Answer {
    /// Whether this is an answer that `request` may get: the shape, the number of elements, the number of bytes.
    pub fn fits(&self, request: &Request) -> bool {
        if matches!(self, Self::Fault(_)) {
            return true;
        }
        match request {
            Request::RegistryRegister { .. } | Request::RegistryLookup { .. } => {
                matches!(self, Self::Existing(_))
            }
            Request::RegistryRetire { .. } | Request::TableRemove { .. } => {
                matches!(self, Self::Flag(_))
            }
            Request::RegistryCount { .. } => matches!(self, Self::Number(_)),
            Request::TableGet { .. } => matches!(self, Self::Document(_)),
            Request::TablePut { .. } => matches!(self, Self::Version(_)),
            Request::TableList { limit, .. } => {
                matches!(self, Self::Documents(found) if within(found.len(), *limit))
            }
            Request::LogAppend { .. } => matches!(self, Self::Done),
            Request::LogRead { limit, .. } => {
                matches!(self, Self::Records(found) if within(found.len(), *limit))
            }
            Request::ClockNow | Request::WorkflowEnqueue { .. } | Request::OutboxSend { .. } => matches!(self, Self::Text(_)),
            Request::RandomBytes { len } => {
                matches!(self, Self::Bytes(bytes) if u32::try_from(bytes.len()) == Ok(*len))
            }
            Request::RandomUnique => matches!(self, Self::Bytes(bytes) if bytes.len() == 16),
            Request::HttpRequest { .. } => matches!(self, Self::Response(response) if bounded(response)),
            Request::WasiSeed => matches!(self, Self::Bytes(bytes) if bytes.len() == 32),
            Request::FilesRead { .. } => matches!(self, Self::Bytes(bytes) if bytes.len() <= BODY_BYTES_MAX),
            Request::FilesList { .. } => matches!(self, Self::Records(found) if within(found.len(), LIST_MAX)),
            Request::FilesWrite { .. } => matches!(self, Self::Written(_)),
        }
    }
}

fn within(found: usize, limit: u32) -> bool {
    u32::try_from(found).is_ok_and(|found| found <= limit)
}

/// Whether a response is within the bounds of a message.
fn bounded(response: &HttpResponse) -> bool {
    let bytes = response.headers.iter().map(|(name, value)| name.len().saturating_add(value.len())).fold(0, usize::saturating_add);
    response.body.len() <= BODY_BYTES_MAX && response.headers.len() <= HEADERS_MAX && bytes <= HEADER_BYTES_MAX
}

/// One request with its answer: an element of the transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostCall {
    /// What the guest asked.
    pub request: Request,
    /// What it got, also when this crate and not the [`Host`] refused.
    pub answer: Answer,
}

/// The first place where a re-execution asked for something else than was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// Position in the transcript, from 0.
    pub index: usize,
    /// What was recorded; `None` when the record ends before this call.
    pub expected: Option<Request>,
    /// What was asked; `None` when the re-execution ended before the record.
    pub got: Option<Request>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |request: &Option<Request>| request.as_ref().map_or("nothing", Request::interface);
        write!(f, "host call {}: recorded `{}`, asked `{}`", self.index, name(&self.expected), name(&self.got))
    }
}

/// Serves recorded answers in order, and remembers the first request that is not the recorded one.
#[derive(Debug)]
pub struct Replay<'a> {
    recorded: &'a [HostCall],
    next: usize,
    divergence: Option<Divergence>,
}

impl<'a> Replay<'a> {
    /// A replay from the first recorded call.
    pub fn new(recorded: &'a [HostCall]) -> Self {
        Self { recorded, next: 0, divergence: None }
    }

    /// The first divergence so far, not counting recorded calls that were not asked for yet.
    pub fn divergence(&self) -> Option<&Divergence> {
        self.divergence.as_ref()
    }

    /// Ends the replay: the first divergence, a record with calls left over included.
    pub fn finish(self) -> Option<Divergence> {
        self.divergence.or_else(|| {
            self.recorded.get(self.next).map(|left| Divergence { index: self.next, expected: Some(left.request.clone()), got: None })
        })
    }

    /// The recorded answer to `request`, or `None` once the replay has diverged. With `answer`, the record must hold that one too.
    fn take(&mut self, request: &Request, answer: Option<&Answer>) -> Option<Answer> {
        if self.divergence.is_some() {
            return None;
        }
        match self.recorded.get(self.next) {
            Some(call) if call.request == *request && answer.is_none_or(|answer| call.answer == *answer) => {
                self.next = self.next.saturating_add(1);
                Some(call.answer.clone())
            }
            other => {
                self.divergence =
                    Some(Divergence { index: self.next, expected: other.map(|call| call.request.clone()), got: Some(request.clone()) });
                None
            }
        }
    }
}

impl Host for Replay<'_> {
    /// After a divergence every answer is [`Fault::Unavailable`]: the re-execution is worth nothing from there on.
    fn call(&mut self, request: &Request) -> Answer {
        self.take(request, None).unwrap_or_else(|| Answer::Fault(Fault::Unavailable("the replay diverged".to_owned())))
    }

    fn refused(&mut self, request: &Request, answer: &Answer) {
        self.take(request, Some(answer));
    }
}

/// `u64` as a decimal string without leading zeros.
mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        parse(&String::deserialize(from)?)
    }

    /// One value has one text, so that equal transcripts have equal bytes.
    pub(super) fn parse<E: Error>(text: &str) -> Result<u64, E> {
        let value: u64 = text.parse().map_err(E::custom)?;
        if value.to_string() == text { Ok(value) } else { Err(E::custom("not the canonical decimal text")) }
    }
}

/// `Option<u64>` as a decimal string or null.
mod decimal_option {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(value: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        Option::<String>::deserialize(from)?.map(|text| super::decimal::parse(&text)).transpose()
    }
}

/// Octets as lower case hexadecimal.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(D::Error::custom("upper case hexadecimal"));
        }
        hex::decode(text).map_err(D::Error::custom)
    }
}
