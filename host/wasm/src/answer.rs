//! The types of the WIT contract as they cross the boundary, and how an [`Answer`] becomes one of them.
use wasmtime::component::{ComponentType, Lift, Lower, WasmList, WasmStr};

use crate::transcript::{Answer, Document, Fault, HttpResponse, Written};

/// `transform.call`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct TransformCall<'a> {
    pub(crate) capability: &'a str,
    pub(crate) inputs: &'a str,
}

/// `side-effect.call`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct SideEffectCall<'a> {
    pub(crate) capability: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) inputs: &'a str,
    pub(crate) store: &'a str,
    #[component(name = "idempotency-key")]
    pub(crate) idempotency_key: &'a str,
}

/// `outcome` of both interfaces. Owned: the guest may reuse the memory before we look.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct GuestOutcome {
    pub(crate) status: String,
    pub(crate) outputs: String,
}

/// `fault.error`
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum GuestFault {
    #[component(name = "denied")]
    Denied(String),
    #[component(name = "limit")]
    Limit(String),
    #[component(name = "unavailable")]
    Unavailable(String),
    #[component(name = "invalid")]
    Invalid(String),
}

/// `table.document`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct GuestDocument {
    version: u64,
    value: String,
}

/// `http.response`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct GuestResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// `files.written`
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum GuestWritten {
    #[component(name = "created")]
    Created,
    #[component(name = "replaced")]
    Replaced,
    #[component(name = "exists")]
    Exists,
}

impl From<Written> for GuestWritten {
    fn from(written: Written) -> Self {
        match written {
            Written::Created => Self::Created,
            Written::Replaced => Self::Replaced,
            Written::Exists => Self::Exists,
        }
    }
}

impl From<HttpResponse> for GuestResponse {
    fn from(response: HttpResponse) -> Self {
        let HttpResponse { status, headers, body } = response;
        Self { status, headers, body }
    }
}

/// `http.call`: nothing of it is copied before its bounds were looked at.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct GuestRequest {
    pub(crate) method: WasmStr,
    pub(crate) url: WasmStr,
    pub(crate) headers: WasmList<(WasmStr, WasmStr)>,
    pub(crate) body: WasmList<u8>,
}

/// `outbox.message`: likewise.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct GuestMessage {
    pub(crate) to: WasmList<WasmStr>,
    pub(crate) subject: WasmStr,
    pub(crate) text: WasmStr,
}

impl From<Document> for GuestDocument {
    fn from(document: Document) -> Self {
        Self { version: document.version, value: document.value }
    }
}

impl From<Fault> for GuestFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Denied(text) => Self::Denied(text),
            Fault::Limit(text) => Self::Limit(text),
            Fault::Unavailable(text) => Self::Unavailable(text),
            Fault::Invalid(text) => Self::Invalid(text),
        }
    }
}

/// What a host function returns: one `result<T, error>`.
pub(crate) type Returned<T> = (Result<T, GuestFault>,);

/// A type that one kind of answer has on the guest's side.
pub(crate) trait FromAnswer: Sized {
    /// `None` for another kind; [`Answer::Fault`] is handled by [`returned`].
    fn from_answer(answer: Answer) -> Option<Self>;
}

/// The answer as the guest sees it; `None` when it is of the wrong kind.
pub(crate) fn returned<T: FromAnswer>(answer: Answer) -> Option<Returned<T>> {
    if let Answer::Fault(fault) = answer {
        return Some((Err(fault.into()),));
    }
    T::from_answer(answer).map(|value| (Ok(value),))
}

/// Declares which answer becomes which type.
macro_rules! answers {
    ($($type:ty: $pattern:pat => $value:expr;)*) => {$(
        impl FromAnswer for $type {
            fn from_answer(answer: Answer) -> Option<Self> {
                if let $pattern = answer { Some($value) } else { None }
            }
        }
    )*};
}

answers! {
    Option<String>: Answer::Existing(found) => found;
    bool: Answer::Flag(flag) => flag;
    u64: Answer::Number(number) => number;
    Option<GuestDocument>: Answer::Document(found) => found.map(GuestDocument::from);
    Option<u64>: Answer::Version(version) => version;
    Vec<(String, GuestDocument)>: Answer::Documents(found) => found.into_iter().map(|(key, found)| (key, found.into())).collect();
    (): Answer::Done => ();
    Vec<String>: Answer::Records(found) => found;
    String: Answer::Text(text) => text;
    Vec<u8>: Answer::Bytes(bytes) => bytes;
    GuestResponse: Answer::Response(response) => response.into();
    GuestWritten: Answer::Written(written) => written.into();
}
