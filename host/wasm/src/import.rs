//! What a side effect may import: every host function checks the budget, charges fuel, bounds its arguments, and is recorded.
//!
//! The guest's own errors are answers ([`Fault`]); only budgets and bugs of the host end the call.
use std::panic::{AssertUnwindSafe, catch_unwind};

use scoped_tls_hkt::{ReborrowMut, scoped_thread_local};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Linker, Lower, WasmList, WasmStr};
use wasmtime::{StoreContextMut, Trap};

use crate::answer::{FromAnswer, GuestDocument, GuestMessage, GuestRequest, GuestResponse, GuestWritten, Returned, returned};
use crate::call::CallState;
use crate::limits::{
    ADDRESS_BYTES_MAX, BODY_BYTES_MAX, HEADER_BYTES_MAX, HEADERS_MAX, HOST_CALL_FUEL, KEY_BYTES_MAX, LIST_MAX, METHOD_BYTES_MAX,
    PATH_BYTES_MAX, RANDOM_BYTES_MAX, RECIPIENTS_MAX, REQUEST_BYTES_MAX, STORE_BYTES_MAX, SUBJECT_BYTES_MAX, TRANSCRIPT_BYTES_MAX,
    URL_BYTES_MAX, VALUE_BYTES_MAX, WORKFLOW_BYTES_MAX,
};
use crate::outcome::{BoundCode, Classified, InfraCode, TrapCode};
use crate::transcript::{Answer, Fault, Host, HostCall, Request};

/// The package and version of all interfaces.
pub(crate) const PACKAGE: &str = "enact:capability/";
/// Its version, with the separator.
pub(crate) const VERSION: &str = "@0.1.0";
/// The interface that only declares `error`; importing it grants nothing.
pub(crate) const TYPES: &str = "fault";
/// The interfaces that can be granted.
pub(crate) const INTERFACES: [&str; 9] = ["clock", "files", "http", "log", "outbox", "random", "registry", "table", "workflow"];

/// The host of the call that this thread is in. A store holds only `'static` data and a host borrows, so it waits here.
pub(crate) struct Slot<'a>(pub(crate) &'a mut (dyn Host + 'a));

impl<'a, 'b> ReborrowMut<'b> for Slot<'a>
where
    'a: 'b,
{
    type Result = Slot<'b>;

    fn reborrow_mut(&'b mut self) -> Slot<'b> {
        Slot(self.0)
    }
}

scoped_thread_local!(static mut HOST: for<'a> Slot<'a>);

/// Runs `call` with `host` as the one that answers.
pub(crate) fn with_host<R>(host: &mut dyn Host, call: impl FnOnce() -> R) -> R {
    HOST.set(Slot(host), call)
}

/// Ends the call for a reason that is not a trap of the engine.
#[derive(Debug, thiserror::Error)]
#[error("the call was ended: {0:?}")]
pub(crate) struct Stop(pub(crate) Classified);

impl Stop {
    pub(crate) fn bound(code: BoundCode) -> wasmtime::Error {
        wasmtime::Error::new(Self(Classified::Bound(code)))
    }

    pub(crate) fn host() -> wasmtime::Error {
        wasmtime::Error::new(Self(Classified::Infra(InfraCode::HostFault)))
    }

    pub(crate) fn trap(code: TrapCode) -> wasmtime::Error {
        wasmtime::Error::new(Self(Classified::Trap(code)))
    }
}

/// Budgets and transcript of one side effect.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub(crate) grants: Vec<String>,
    pub(crate) calls_left: u32,
    pub(crate) bytes: usize,
    pub(crate) calls: Vec<HostCall>,
    /// When the run began, for guests that have a clock of WASI.
    pub(crate) now_micros: i64,
}

type Caller<'a> = StoreContextMut<'a, CallState>;

/// Reads arguments, and remembers the first that is over its bound and how many bytes there were.
#[derive(Default)]
struct Arguments {
    over: Option<String>,
    bytes: u64,
}

impl Arguments {
    /// One text of at most `max` bytes. A longer one is not copied: its length and hash stand for it in the transcript.
    fn text(&mut self, caller: &Caller<'_>, name: &str, text: &WasmStr, max: usize) -> wasmtime::Result<String> {
        let text = text.to_str(caller).map_err(|_| wasmtime::Error::new(Stop(Classified::Trap(TrapCode::OutputNotUtf8))))?;
        self.bytes = self.bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        if text.len() <= max {
            return Ok(text.into_owned());
        }
        self.over.get_or_insert_with(|| format!("`{name}` has {} bytes of {max}", text.len()));
        Ok(format!("over-limit:{}:blake3:{}", text.len(), blake3::hash(text.as_bytes()).to_hex()))
    }

    fn store(&mut self, caller: &Caller<'_>, text: &WasmStr) -> wasmtime::Result<String> {
        self.text(caller, "store", text, STORE_BYTES_MAX)
    }

    fn key(&mut self, caller: &Caller<'_>, text: &WasmStr) -> wasmtime::Result<String> {
        self.text(caller, "key", text, KEY_BYTES_MAX)
    }

    fn value(&mut self, caller: &Caller<'_>, text: &WasmStr) -> wasmtime::Result<String> {
        self.text(caller, "value", text, VALUE_BYTES_MAX)
    }

    /// Octets of at most `max`; more are not copied, as with a text.
    fn octets(&mut self, caller: &Caller<'_>, name: &str, octets: &WasmList<u8>, max: usize) -> Vec<u8> {
        let octets = octets.as_le_slice(caller);
        self.bytes = self.bytes.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
        if octets.len() <= max {
            return octets.to_vec();
        }
        self.over.get_or_insert_with(|| format!("`{name}` has {} bytes of {max}", octets.len()));
        format!("over-limit:{}:blake3:{}", octets.len(), blake3::hash(octets).to_hex()).into_bytes()
    }

    /// Headers: at most so many, together of at most so many bytes. Of more, their number stands in the transcript.
    fn headers(&mut self, caller: &mut Caller<'_>, list: &WasmList<(WasmStr, WasmStr)>) -> wasmtime::Result<Vec<(String, String)>> {
        if list.len() > HEADERS_MAX {
            self.over.get_or_insert_with(|| format!("there are {} headers of {HEADERS_MAX}", list.len()));
            return Ok(vec![("over-limit".to_owned(), list.len().to_string())]);
        }
        let mut headers = Vec::with_capacity(list.len());
        let mut left = HEADER_BYTES_MAX;
        for index in 0..list.len() {
            let Some(pair) = list.get(&mut *caller, index) else { break };
            let (name, value) = pair?;
            let name = self.text(caller, "headers", &name, left)?;
            left = left.saturating_sub(name.len());
            let value = self.text(caller, "headers", &value, left)?;
            left = left.saturating_sub(value.len());
            headers.push((name, value));
        }
        Ok(headers)
    }

    /// Recipients: at most so many. Of more, their number stands in the transcript.
    fn recipients(&mut self, caller: &mut Caller<'_>, list: &WasmList<WasmStr>) -> wasmtime::Result<Vec<String>> {
        if list.len() > RECIPIENTS_MAX {
            self.over.get_or_insert_with(|| format!("there are {} recipients of {RECIPIENTS_MAX}", list.len()));
            return Ok(vec![format!("over-limit:{}", list.len())]);
        }
        let mut recipients = Vec::with_capacity(list.len());
        for index in 0..list.len() {
            let Some(address) = list.get(&mut *caller, index) else { break };
            recipients.push(self.text(caller, "to", &address?, ADDRESS_BYTES_MAX)?);
        }
        Ok(recipients)
    }

    fn number(&mut self, name: &str, number: u32, max: u32) -> u32 {
        if number > max {
            self.over.get_or_insert_with(|| format!("`{name}` is {number} of {max}"));
        }
        number
    }
}

fn charge(caller: &mut Caller<'_>, fuel: u64) -> wasmtime::Result<()> {
    match caller.get_fuel()?.checked_sub(fuel) {
        Some(left) => caller.set_fuel(left),
        None => Err(Trap::OutOfFuel.into()),
    }
}

/// Answers one request: budget, fuel, grant, bounds, host, record, fuel for the answer.
fn serve<T: FromAnswer>(mut caller: Caller<'_>, request: Request, arguments: Arguments) -> wasmtime::Result<Returned<T>> {
    let effect = &mut caller.data_mut().effect;
    effect.calls_left = effect.calls_left.checked_sub(1).ok_or_else(|| Stop::bound(BoundCode::HostCalls))?;
    charge(&mut caller, HOST_CALL_FUEL.saturating_add(arguments.bytes))?;
    let effect = &mut caller.data_mut().effect;
    let interface = request.interface();
    let refusal = if effect.grants.iter().any(|grant| grant == interface) {
        arguments.over.map(Fault::Limit)
    } else {
        Some(Fault::Denied(interface.to_owned()))
    };
    let answer = match refusal {
        Some(fault) => {
            let answer = Answer::Fault(fault);
            host(|host| host.refused(&request, &answer))?;
            answer
        }
        None => host(|host| host.call(&request))?,
    };
    let size = record(effect, request, &answer, arguments.bytes)?;
    charge(&mut caller, u64::try_from(size).unwrap_or(u64::MAX))?;
    returned(answer).ok_or_else(Stop::host)
}

/// Notes a request with its answer; the bytes of the answer.
pub(crate) fn record(effect: &mut Effect, request: Request, answer: &Answer, argument_bytes: u64) -> wasmtime::Result<usize> {
    if !answer.fits(&request) {
        return Err(Stop::host());
    }
    let size = size(answer);
    effect.bytes = effect.bytes.saturating_add(size).saturating_add(usize::try_from(argument_bytes).unwrap_or(usize::MAX));
    if effect.bytes > TRANSCRIPT_BYTES_MAX {
        return Err(Stop::bound(BoundCode::TranscriptBytes));
    }
    effect.calls.push(HostCall { request, answer: answer.clone() });
    Ok(size)
}

/// Asks the host for what the guest did not ask for by itself, and records it like the rest.
pub(crate) fn ask(effect: &mut Effect, request: Request) -> wasmtime::Result<Answer> {
    let answer = host(|host| host.call(&request))?;
    record(effect, request, &answer, 0)?;
    Ok(answer)
}

/// A panic of the host is its bug, and ends this call only.
fn host<R>(ask: impl FnOnce(&mut dyn Host) -> R) -> wasmtime::Result<R> {
    if !HOST.is_set() {
        return Err(Stop::host());
    }
    catch_unwind(AssertUnwindSafe(|| HOST.with(|slot| ask(slot.0)))).map_err(|_| Stop::host())
}

/// Bytes that an answer brings into the guest and the transcript. Elements count, so that empty ones are not free.
fn size(answer: &Answer) -> usize {
    const ELEMENT: usize = 16;
    match answer {
        Answer::Existing(found) => found.as_ref().map_or(0, String::len),
        Answer::Document(found) => found.as_ref().map_or(0, |document| document.value.len()),
        Answer::Documents(found) => found
            .iter()
            .map(|(key, document)| key.len().saturating_add(document.value.len()).saturating_add(ELEMENT))
            .fold(0, usize::saturating_add),
        Answer::Records(found) => found.iter().map(|record| record.len().saturating_add(ELEMENT)).fold(0, usize::saturating_add),
        Answer::Text(text) => text.len(),
        Answer::Bytes(bytes) => bytes.len(),
        Answer::Response(response) => {
            let headers = response.headers.iter().map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(ELEMENT));
            headers.fold(response.body.len(), usize::saturating_add)
        }
        Answer::Fault(Fault::Denied(text) | Fault::Limit(text) | Fault::Unavailable(text) | Fault::Invalid(text)) => text.len(),
        Answer::Flag(_) | Answer::Number(_) | Answer::Version(_) | Answer::Done | Answer::Written(_) => ELEMENT,
    }
}

/// Adds one function that turns its parameters into a request.
fn function<P, T>(
    linker: &mut Linker<CallState>,
    interface: &str,
    name: &str,
    request: impl Fn(&mut Caller<'_>, &mut Arguments, P) -> wasmtime::Result<Request> + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + 'static,
    T: FromAnswer + ComponentType + Lower + 'static,
{
    linker.instance(&format!("{PACKAGE}{interface}{VERSION}"))?.func_wrap(name, move |mut caller: Caller<'_>, parameters: P| {
        let mut arguments = Arguments::default();
        let request = request(&mut caller, &mut arguments, parameters)?;
        serve::<T>(caller, request, arguments)
    })
}

/// Defines every interface of the world.
pub(crate) fn define(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    linker.instance(&format!("{PACKAGE}{TYPES}{VERSION}"))?;
    registry(linker)?;
    table(linker)?;
    log(linker)?;
    clock_and_random(linker)?;
    world(linker)?;
    later(linker)
}

fn registry(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    type Key = (WasmStr, WasmStr);
    function::<(WasmStr, WasmStr, WasmStr), Option<String>>(linker, "registry", "register", |from, read, (store, key, value)| {
        Ok(Request::RegistryRegister { store: read.store(from, &store)?, key: read.key(from, &key)?, value: read.value(from, &value)? })
    })?;
    function::<Key, Option<String>>(linker, "registry", "lookup", |from, read, (store, key)| {
        Ok(Request::RegistryLookup { store: read.store(from, &store)?, key: read.key(from, &key)? })
    })?;
    function::<Key, bool>(linker, "registry", "retire", |from, read, (store, key)| {
        Ok(Request::RegistryRetire { store: read.store(from, &store)?, key: read.key(from, &key)? })
    })?;
    function::<(WasmStr,), u64>(linker, "registry", "count", |from, read, (store,)| {
        Ok(Request::RegistryCount { store: read.store(from, &store)? })
    })
}

fn table(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    type Put = (WasmStr, WasmStr, WasmStr, Option<u64>);
    function::<(WasmStr, WasmStr), Option<GuestDocument>>(linker, "table", "get", |from, read, (store, key)| {
        Ok(Request::TableGet { store: read.store(from, &store)?, key: read.key(from, &key)? })
    })?;
    function::<Put, Option<u64>>(linker, "table", "put", |from, read, (store, key, value, expect)| {
        let (store, key, value) = (read.store(from, &store)?, read.key(from, &key)?, read.value(from, &value)?);
        Ok(Request::TablePut { store, key, value, expect })
    })?;
    function::<(WasmStr, WasmStr, Option<u64>), bool>(linker, "table", "remove", |from, read, (store, key, expect)| {
        Ok(Request::TableRemove { store: read.store(from, &store)?, key: read.key(from, &key)?, expect })
    })?;
    type List = (WasmStr, Option<WasmStr>, u32);
    function::<List, Vec<(String, GuestDocument)>>(linker, "table", "list", |from, read, (store, after, limit)| {
        let after = after.map(|after| read.key(from, &after)).transpose()?;
        Ok(Request::TableList { store: read.store(from, &store)?, after, limit: read.number("limit", limit, LIST_MAX) })
    })
}

fn log(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    function::<(WasmStr, WasmStr), ()>(linker, "log", "append", |from, read, (store, value)| {
        Ok(Request::LogAppend { store: read.store(from, &store)?, value: read.value(from, &value)? })
    })?;
    function::<(WasmStr, u64, u32), Vec<String>>(linker, "log", "read", |from, read, (store, position, limit)| {
        let (store, limit) = (read.store(from, &store)?, read.number("limit", limit, LIST_MAX));
        Ok(Request::LogRead { store, from: position, limit })
    })
}

fn clock_and_random(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    function::<(), String>(linker, "clock", "now", |_, _, ()| Ok(Request::ClockNow))?;
    function::<(u32,), Vec<u8>>(linker, "random", "bytes", |_, read, (len,)| {
        Ok(Request::RandomBytes { len: read.number("len", len, RANDOM_BYTES_MAX) })
    })?;
    function::<(), Vec<u8>>(linker, "random", "unique", |_, _, ()| Ok(Request::RandomUnique))
}

fn world(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    function::<(GuestRequest,), GuestResponse>(linker, "http", "request", |from, read, (call,)| {
        let method = read.text(from, "method", &call.method, METHOD_BYTES_MAX)?;
        let url = read.text(from, "url", &call.url, URL_BYTES_MAX)?;
        let headers = read.headers(from, &call.headers)?;
        Ok(Request::HttpRequest { method, url, headers, body: read.octets(from, "body", &call.body, BODY_BYTES_MAX) })
    })?;
    function::<(WasmStr,), Vec<u8>>(linker, "files", "read", |from, read, (path,)| {
        Ok(Request::FilesRead { path: read.text(from, "path", &path, PATH_BYTES_MAX)? })
    })?;
    function::<(WasmStr,), Vec<String>>(linker, "files", "list", |from, read, (path,)| {
        Ok(Request::FilesList { path: read.text(from, "path", &path, PATH_BYTES_MAX)? })
    })?;
    function::<(WasmStr, WasmList<u8>, bool), GuestWritten>(linker, "files", "write", |from, read, (path, content, replace)| {
        let path = read.text(from, "path", &path, PATH_BYTES_MAX)?;
        Ok(Request::FilesWrite { path, content: read.octets(from, "content", &content, BODY_BYTES_MAX), replace })
    })
}

fn later(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    function::<(WasmStr, WasmStr), String>(linker, "workflow", "enqueue", |from, read, (workflow, payload)| {
        let workflow = read.text(from, "workflow", &workflow, WORKFLOW_BYTES_MAX)?;
        Ok(Request::WorkflowEnqueue { workflow, payload: read.text(from, "payload", &payload, REQUEST_BYTES_MAX)? })
    })?;
    function::<(GuestMessage,), String>(linker, "outbox", "send", |from, read, (message,)| {
        let to = read.recipients(from, &message.to)?;
        let subject = read.text(from, "subject", &message.subject, SUBJECT_BYTES_MAX)?;
        Ok(Request::OutboxSend { to, subject, text: read.text(from, "text", &message.text, REQUEST_BYTES_MAX)? })
    })
}
