//! What a side effect may touch: staged host stores, the clock, randomness, what its binding's rows name outside, and what it hands over for
//! later. Each request is checked against the step's grants by the sandbox before it reaches this place; nothing here can write to a ledger.
use enact_store::stage::{Stage, StageError};
use enact_store::state::StateRead;
use enact_wasm::{Answer, Document, Fault, Host, Request};

use crate::later::Later;
use crate::reach::Beyond;
use crate::sources::{Sources, clock_text};

/// Answers requests about stores, and those for later; `None` for a request that is about something else.
pub fn answer_store<S: StateRead>(stage: &mut Stage<'_, S>, request: &Request, later: &mut Later<'_>) -> Option<Answer> {
    let answer = match request {
        Request::RegistryRegister { store, key, value } => stage.register(store, key, value).map(Answer::Existing),
        Request::RegistryLookup { store, key } => stage.lookup(store, key).map(Answer::Existing),
        Request::RegistryRetire { store, key } => stage.retire(store, key).map(Answer::Flag),
        Request::RegistryCount { store } => stage.count(store).map(Answer::Number),
        Request::TableGet { store, key } => {
            stage.get(store, key).map(|found| Answer::Document(found.map(|(version, value)| Document { version, value })))
        }
        Request::TablePut { store, key, value, expect } => stage.put(store, key, value, *expect).map(Answer::Version),
        Request::TableRemove { store, key, expect } => stage.remove(store, key, *expect).map(Answer::Flag),
        Request::TableList { store, after, limit } => stage
            .list(store, after.as_deref(), u64::from(*limit))
            .map(|rows| Answer::Documents(rows.into_iter().map(|(key, version, value)| (key, Document { version, value })).collect())),
        Request::LogAppend { store, value } => stage.append(store, value).map(|()| Answer::Done),
        Request::LogRead { store, from, limit } => stage.read(store, *from, u64::from(*limit)).map(Answer::Records),
        Request::WorkflowEnqueue { workflow, payload } => return Some(later.enqueue(stage, workflow, payload)),
        Request::OutboxSend { to, subject, text } => return Some(later.send(stage, to, subject, text)),
        Request::ClockNow
        | Request::RandomBytes { .. }
        | Request::RandomUnique
        | Request::HttpRequest { .. }
        | Request::FilesRead { .. }
        | Request::FilesList { .. }
        | Request::FilesWrite { .. }
        | Request::WasiSeed => return None,
    };
    Some(answer.unwrap_or_else(|e| Answer::Fault(fault(&e))))
}

pub(crate) fn fault(error: &StageError) -> Fault {
    match error {
        StageError::Invalid(detail) => Fault::Invalid(detail.clone()),
        StageError::Unavailable(detail) => Fault::Unavailable(detail.clone()),
    }
}

/// The world of a live run.
pub struct World<'a, 'r, S: StateRead> {
    /// Staged reads and writes of the run so far.
    pub stage: &'a mut Stage<'r, S>,
    /// The one host store that the binding gives this step; a module may not name another.
    pub store: &'a str,
    /// Time and randomness.
    pub sources: &'a dyn Sources,
    /// Peers and folders; none in a rehearsal without rows for them.
    pub outside: Option<&'a mut dyn Beyond>,
    /// What is handed over for later.
    pub later: Later<'a>,
}

impl<S: StateRead> Host for World<'_, '_, S> {
    fn call(&mut self, request: &Request) -> Answer {
        if request.store().is_some_and(|store| store != self.store) {
            return Answer::Fault(Fault::Denied(format!("store: this step is bound to `{}`", self.store)));
        }
        if let Some(answer) = answer_store(self.stage, request, &mut self.later) {
            return answer;
        }
        if matches!(request.interface(), "http" | "files") {
            let answer = self.outside.as_mut().and_then(|outside| outside.call(request));
            return answer.unwrap_or_else(|| Answer::Fault(Fault::Unavailable("there is no world outside of a run".to_owned())));
        }
        if let Request::ClockNow = request {
            return Answer::Text(clock_text(self.sources.now_micros()));
        }
        let fill = |len: usize| {
            let mut bytes = vec![0; len];
            self.sources.fill(&mut bytes).then_some(bytes)
        };
        let drawn = if let Request::RandomBytes { len } = request {
            fill(*len as usize)
        } else if let Request::WasiSeed = request {
            fill(32)
        } else {
            self.sources.unique().map(|bytes| bytes.to_vec())
        };
        drawn.map_or_else(|| Answer::Fault(Fault::Unavailable("no randomness".to_owned())), Answer::Bytes)
    }

    fn refused(&mut self, request: &Request, _: &Answer) {
        self.later.passed(request);
        if let (true, Some(outside)) = (request.leaves(), &mut self.outside) {
            outside.passed();
        }
    }
}
