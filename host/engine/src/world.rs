//! What a side effect may touch: staged host stores, the clock, randomness, and what its binding's rows name outside. Each request is
//! checked against the step's grants by the sandbox before it reaches this place; nothing here can write to a ledger.
use enact_store::stage::{Stage, StageError};
use enact_store::state::StateRead;
use enact_wasm::{Answer, Document, Fault, Host, Request};

use crate::reach::Outside;
use crate::sources::{Sources, clock_text};

/// Answers requests about stores; `None` for a request that is about something else.
pub fn answer_store<S: StateRead>(stage: &mut Stage<'_, S>, request: &Request) -> Option<Answer> {
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
        Request::ClockNow
        | Request::RandomBytes { .. }
        | Request::RandomUnique
        | Request::HttpRequest { .. }
        | Request::FilesRead { .. }
        | Request::FilesList { .. }
        | Request::WasiSeed => return None,
    };
    Some(answer.unwrap_or_else(|e| Answer::Fault(fault(&e))))
}

fn fault(error: &StageError) -> Fault {
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
    /// Peers and folders; none where nothing may be touched, such as in a rehearsal.
    pub outside: Option<Outside<'a>>,
}

impl<S: StateRead> Host for World<'_, '_, S> {
    fn call(&mut self, request: &Request) -> Answer {
        if request.store().is_some_and(|store| store != self.store) {
            return Answer::Fault(Fault::Denied(format!("store: this step is bound to `{}`", self.store)));
        }
        if let Some(answer) = answer_store(self.stage, request) {
            return answer;
        }
        if let Request::HttpRequest { .. } | Request::FilesRead { .. } | Request::FilesList { .. } = request {
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
        if let (Request::HttpRequest { .. }, Some(outside)) = (request, &mut self.outside) {
            outside.passed();
        }
    }
}
