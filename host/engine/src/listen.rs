//! Listening: runs and items of queues that follow from committed records. Execution reacts to governance and never writes it (B-15, B-21);
//! an item is proposed by an actor, under the matrix, like anything else.
//!
//! What committed runs have asked for is started the same way, by a listener that no artifact describes ([`crate::later`]).
//!
//! Each record that a listener hears starts one run or queues one item, exactly once: the id follows from listener, entry and record, the store
//! refuses a second run of an id, and the judge a second item. So a cursor is no more than a place to go on from: lost, late or used by two processes, it costs time and
//! changes nothing. Only `enact listen` comes here; verifying, rebuilding and auditing walk the same entries and start nothing (B-28).
mod requested;

use std::collections::{BTreeMap, BTreeSet};

use enact_core::entry::Entry;
use enact_core::govern;
use enact_core::hash::{Digest, delivery_hash, entry_hash, leaf_hash};
use enact_core::receipt::RunReceipt;
use enact_flow::artifact::Occasion;
use enact_flow::snapshot::Snapshot;
use enact_store::{FailedDelivery, Reader, StateRead as _, StoreError};
use serde::Serialize;
use serde_json::Value;

use crate::engine::{Engine, RunRequest};
use crate::error::{EngineError, Kind, Result};
use crate::govern::{Ruled, problem};
use crate::later::WORKFLOWS;
use crate::queue::{Hand, Queueing};
use crate::report::{EntryReport, ExitReport};
use crate::sources::{run_id_of, time_text};

/// Attempts at a delivery until it is set aside and the listener goes on.
pub const ATTEMPTS_MAX: u32 = 5;
/// Entries after which a listener's place is written down while it catches up. More are walked again after a crash, which starts nothing.
const STRIDE: u64 = 1_024;
/// Deliveries set aside that are shown or tried again at once.
const ASIDE_MAX: u64 = 1_000;

/// A listener of the sealed protocol, compiled.
#[derive(Debug)]
pub struct Ear {
    code: String,
    on: Occasion,
    listens: govern::Listener,
    starts: Starts,
}

/// What follows from a record.
#[derive(Debug)]
enum Starts {
    Run { workflow: String, binding: Option<String> },
    Item { contract: String },
}

/// Compiles the listeners of a snapshot.
///
/// # Errors
/// [`EngineError::Protocol`] with everything that does not fit the rules.
pub fn compiled(snapshot: &Snapshot, ruled: &Ruled) -> Result<Vec<Ear>> {
    let (mut ears, mut problems) = (Vec::new(), Vec::new());
    for listener in snapshot.listeners() {
        let starts = match (&listener.workflow, &listener.queue) {
            (Some(workflow), None) => Starts::Run { workflow: workflow.clone(), binding: listener.binding.clone() },
            (None, Some(contract)) => Starts::Item { contract: contract.clone() },
            // Reading the artifact has refused it.
            (Some(_), Some(_)) | (None, None) => continue,
        };
        let written = govern::Listens {
            code: &listener.code,
            record: &listener.on.record,
            action: &listener.on.action,
            queue: listener.queue.as_deref(),
            payload: &listener.payload,
        };
        match ruled.protocol.listener(written) {
            Ok(listens) => ears.push(Ear { code: listener.code.clone(), on: listener.on.clone(), listens, starts }),
            Err(found) => problems.extend(found.into_iter().map(problem)),
        }
    }
    if problems.is_empty() { Ok(ears) } else { Err(EngineError::Protocol { problems }) }
}

/// Listeners at work in this process.
#[derive(Debug)]
pub struct Listening {
    ears: Vec<Ear>,
    /// Who proposes items.
    hand: Option<Hand>,
    /// Passes that a listener sits out after a failure.
    waiting: BTreeMap<String, u32>,
    /// Whether the workflows that runs have asked for are started too.
    requested: bool,
}

/// What became of one delivery; the stable shape of a line of `enact listen --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    /// The listener.
    pub listener: String,
    /// The entry that it heard, or that of the run that asked.
    pub seq: u64,
    /// Position of the record in it; of a request, its position in their log.
    pub record: usize,
    /// The run, which exists if and only if `outcome` is `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The item of the queue, where one is to be queued; it exists if and only if `outcome` is `queued`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// The entry of the run, or of the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryReport>,
    /// How the run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitReport>,
    /// Why there is neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl Delivery {
    /// Of something in this entry, of which nothing has become yet.
    fn about(seq: u64) -> Self {
        Self {
            listener: String::new(),
            seq,
            record: 0,
            run_id: None,
            queue_id: None,
            outcome: Outcome::Run,
            entry: None,
            exit: None,
            failure: None,
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A run was committed.
    Run,
    /// An item was queued.
    Queued,
    /// Neither was; it is tried again from here.
    Failed,
    /// Neither was, often enough: the listener goes on, `enact listen --again` tries it again.
    SetAside,
}

/// An attempt that did not end in a commit.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// Stable code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// Which attempt it was.
    pub attempt: u32,
}

/// What one walk to the head of the ledger did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pass {
    /// Runs started.
    pub started: u64,
    /// Items queued.
    pub queued: u64,
    /// Records whose run or item there was already.
    pub known: u64,
    /// Deliveries that failed.
    pub failed: u64,
}

/// Where a listener stands; the stable shape of `enact listen --status --json`.
#[derive(Debug, Clone, Serialize)]
pub struct ListenerStatus {
    /// Its code.
    pub listener: String,
    /// The record type and action that it listens for.
    pub on: Occasion,
    /// The workflow that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The contract under which an item is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The entry that it looks at next.
    pub next: u64,
    /// Entries that it has not looked at.
    pub lag: u64,
    /// Its last failures that have not become a run or an item since, newest first.
    pub failures: Vec<LastFailure>,
}

/// The last failure of a delivery.
#[derive(Debug, Clone, Serialize)]
pub struct LastFailure {
    /// When.
    pub at: String,
    /// The entry.
    pub seq: u64,
    /// Position of the record in it.
    pub record: u64,
    /// The failure.
    #[serde(flatten)]
    pub failure: Failure,
    /// It was tried often enough, and the listener has gone on.
    pub set_aside: bool,
}

/// A place in the ledger, read and checked.
struct Stored {
    seq: u64,
    hash: Digest,
    entry: Entry,
}

impl Engine {
    /// The listeners of the sealed protocol, or those that are named, with everything bound that they need. `actor` proposes items.
    ///
    /// # Errors
    /// [`EngineError::NoArtifact`] for a name that is none, [`EngineError::Binding`] when a workflow cannot run here,
    /// [`EngineError::NoListenerActor`] when items are to be queued and nobody proposes them, [`EngineError::NoActorKey`] for one without a key.
    pub fn listening(&self, only: &[String], actor: Option<&str>) -> Result<Listening> {
        let ears = self.ears(only)?;
        if let Some(ear) = ears.iter().find(|ear| actor.is_none() && matches!(ear.starts, Starts::Item { .. })) {
            return Err(EngineError::NoListenerActor { listener: ear.code.clone() });
        }
        for ear in &ears {
            if let Starts::Run { workflow, binding } = &ear.starts {
                self.bind(workflow, binding.as_deref(), &BTreeMap::new())?;
            }
        }
        let requested = only.is_empty() || only.iter().any(|code| code == WORKFLOWS);
        Ok(Listening { ears, hand: actor.map(|actor| self.hand(actor)).transpose()?, waiting: BTreeMap::new(), requested })
    }

    fn ears(&self, only: &[String]) -> Result<Vec<Ear>> {
        let mut ears = compiled(self.snapshot(), &Ruled::new(self.snapshot())?)?;
        if let Some(unknown) = only.iter().find(|code| *code != WORKFLOWS && !ears.iter().any(|ear| ear.code == **code)) {
            return Err(EngineError::NoArtifact { code: unknown.clone() });
        }
        ears.retain(|ear| only.is_empty() || only.contains(&ear.code));
        Ok(ears)
    }

    /// Walks from where each listener stands to the head, and starts what follows from the records on the way.
    ///
    /// A delivery that fails keeps its listener where it is; the others go on. `stop` is asked between deliveries.
    ///
    /// # Errors
    /// Damage of the ledger, or a defect. A run that could not be committed is no error but told.
    pub fn listen(&self, listening: &mut Listening, stop: &dyn Fn() -> bool, told: &mut dyn FnMut(&Delivery)) -> Result<Pass> {
        let Listening { ears, hand, waiting, requested } = listening;
        let mut walk = Walk { engine: self, hand: hand.as_ref(), reader: self.store().reader()?, pass: Pass::default(), stop, told };
        let (mut written, mut staying) = (BTreeMap::new(), BTreeSet::new());
        for ear in &*ears {
            written.insert(ear.code.as_str(), self.cursor(&mut walk.reader, &ear.code, entries)?);
            if let Some(passes) = waiting.get_mut(&ear.code).filter(|passes| **passes > 0) {
                *passes -= 1;
                staying.insert(ear.code.as_str());
            }
        }
        let size = walk.reader.head()?.size;
        let (mut next, mut walked) = (written.clone(), 0_u64);
        // Whoever is furthest behind looks first, so that each entry is read once for all who stand at it.
        while !stop() {
            let behind = next.iter().filter(|(code, at)| !staying.contains(*code) && **at < size).map(|(_, at)| *at).min();
            let Some(seq) = behind else { break };
            let stored = stored(&mut walk.reader, seq)?;
            for ear in &*ears {
                if next.get(ear.code.as_str()) != Some(&seq) || staying.contains(ear.code.as_str()) {
                    continue;
                }
                match walk.hear(ear, &stored)? {
                    Heard::All => {
                        waiting.remove(&ear.code);
                        next.insert(&ear.code, seq + 1);
                    }
                    Heard::Stopped => {
                        staying.insert(&ear.code);
                    }
                    Heard::Failed { attempt } => {
                        waiting.insert(ear.code.clone(), pause(attempt));
                        staying.insert(&ear.code);
                    }
                }
            }
            walked += 1;
            if walked.is_multiple_of(STRIDE) {
                self.advance(&mut written, &next)?;
            }
        }
        self.advance(&mut written, &next)?;
        if *requested {
            self.listen_requested(&mut walk, waiting)?;
        }
        Ok(walk.pass)
    }

    /// The same for what runs have asked for.
    fn listen_requested(&self, walk: &mut Walk<'_>, waiting: &mut BTreeMap<String, u32>) -> Result<()> {
        if let Some(passes) = waiting.get_mut(WORKFLOWS).filter(|passes| **passes > 0) {
            *passes -= 1;
            return Ok(());
        }
        let from = self.cursor(&mut walk.reader, WORKFLOWS, requests)?;
        let (next, heard) = walk.requested(from)?;
        match heard {
            Heard::All => drop(waiting.remove(WORKFLOWS)),
            Heard::Stopped => {}
            Heard::Failed { attempt } => drop(waiting.insert(WORKFLOWS.to_owned(), pause(attempt))),
        }
        if next > from {
            self.with_writer(|writer| Ok(writer.advance_cursors(&[(WORKFLOWS, next)])?))?;
        }
        Ok(())
    }

    /// Tries again what was set aside.
    ///
    /// # Errors
    /// As [`Engine::listen`].
    pub fn listen_again(&self, listening: &Listening, stop: &dyn Fn() -> bool, told: &mut dyn FnMut(&Delivery)) -> Result<Pass> {
        let hand = listening.hand.as_ref();
        let mut walk = Walk { engine: self, hand, reader: self.store().reader()?, pass: Pass::default(), stop, told };
        for ear in &listening.ears {
            let aside = walk.reader.failed_deliveries(&ear.code, ASIDE_MAX)?;
            for failed in aside.into_iter().rev().filter(|failed| failed.attempt >= ATTEMPTS_MAX) {
                if stop() {
                    return Ok(walk.pass);
                }
                let stored = stored(&mut walk.reader, failed.seq)?;
                walk.deliver(ear, &stored, usize::try_from(failed.record).unwrap_or(usize::MAX))?;
            }
        }
        if listening.requested {
            walk.requested_again()?;
        }
        Ok(walk.pass)
    }

    /// Sends the listeners to an entry. Sent back, they hear again, and start nothing that there is.
    ///
    /// # Errors
    /// [`EngineError::NoEntry`] beyond the head.
    pub fn listen_from(&self, listening: &Listening, seq: u64) -> Result<()> {
        let size = self.store().reader()?.head()?.size;
        if seq > size {
            return Err(EngineError::NoEntry { seq, size });
        }
        if listening.requested {
            let at = self.requested_from(seq)?;
            self.with_writer(|writer| Ok(writer.set_cursor(WORKFLOWS, at)?))?;
        }
        listening.ears.iter().try_for_each(|ear| self.with_writer(|writer| Ok(writer.set_cursor(&ear.code, seq)?)))
    }

    /// Where the listeners of the sealed protocol stand, with their last failures.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn listener_status(&self, only: &[String], failures: u64) -> Result<Vec<ListenerStatus>> {
        let mut reader = self.store().reader()?;
        let size = reader.head()?.size;
        let status = |ear: Ear| {
            let next = reader.cursor_within(&ear.code, entries)?.unwrap_or(0);
            let failures = reader.failed_deliveries(&ear.code, failures)?.into_iter().map(last_failure).collect();
            let (workflow, queue) = match ear.starts {
                Starts::Run { workflow, .. } => (Some(workflow), None),
                Starts::Item { contract } => (None, Some(contract)),
            };
            Ok(ListenerStatus { listener: ear.code, on: ear.on, workflow, queue, next, lag: size.saturating_sub(next), failures })
        };
        let mut all = self.ears(only)?.into_iter().map(status).collect::<Result<Vec<_>>>()?;
        if only.is_empty() || only.iter().any(|code| code == WORKFLOWS) {
            all.extend(self.requested_status(&mut reader, failures)?);
        }
        Ok(all)
    }

    /// Where a listener stands. One beyond the end is sent back to the beginning: it hears again, and starts nothing that there is.
    fn cursor(&self, reader: &mut Reader, code: &str, end: impl FnOnce(&mut Reader) -> Result<u64, StoreError>) -> Result<u64> {
        if let Some(at) = reader.cursor_within(code, end)? {
            return Ok(at);
        }
        self.with_writer(|writer| Ok(writer.set_cursor(code, 0)?))?;
        Ok(0)
    }

    /// Writes down who has come further.
    fn advance<'a>(&self, written: &mut BTreeMap<&'a str, u64>, next: &BTreeMap<&'a str, u64>) -> Result<()> {
        let ahead: Vec<(&str, u64)> = next.iter().filter(|(code, at)| written.get(*code) != Some(at)).map(|(c, at)| (*c, *at)).collect();
        if !ahead.is_empty() {
            self.with_writer(|writer| Ok(writer.advance_cursors(&ahead)?))?;
            written.clone_from(next);
        }
        Ok(())
    }
}

/// One walk through the ledger.
struct Walk<'a> {
    engine: &'a Engine,
    hand: Option<&'a Hand>,
    reader: Reader,
    pass: Pass,
    stop: &'a dyn Fn() -> bool,
    told: &'a mut dyn FnMut(&Delivery),
}

/// How far a listener came with one entry.
enum Heard {
    /// There is a run for each record that it hears, or it was set aside.
    All,
    /// It was told to stop.
    Stopped,
    /// A delivery failed and is to be tried again.
    Failed { attempt: u32 },
}

impl Walk<'_> {
    /// Delivers what one entry says to one listener, in the order of its records.
    fn hear(&mut self, ear: &Ear, stored: &Stored) -> Result<Heard> {
        for (nth, _) in stored.entry.records.iter().enumerate().filter(|(_, record)| ear.listens.hears(record)) {
            if (self.stop)() {
                return Ok(Heard::Stopped);
            }
            if let Some(attempt) = self.deliver(ear, stored, nth)? {
                return Ok(Heard::Failed { attempt });
            }
        }
        Ok(Heard::All)
    }

    /// Delivers one record: nothing when there is nothing left to do about it, the number of the attempt when it is to be tried again.
    fn deliver(&mut self, ear: &Ear, stored: &Stored, nth: usize) -> Result<Option<u32>> {
        let Some(record) = stored.entry.records.get(nth) else { return Ok(None) };
        let at: jiff::Timestamp = stored.entry.at.parse().map_err(|e: jiff::Error| altered(stored.seq, "entry_time", e.to_string()))?;
        let delivery_hash = delivery_hash(&ear.code, &stored.hash, nth);
        let hash = record.hash().map_err(|e| altered(stored.seq, "record_field", e.to_string()))?;
        let heard = govern::Heard { record, hash: &hash, entry: &stored.hash, at: &stored.entry.at };
        let delivery = Delivery { listener: ear.code.clone(), record: nth, ..Delivery::about(stored.seq) };
        match &ear.starts {
            Starts::Run { workflow, binding } => {
                let run_id = run_id_of(at.as_microsecond(), &delivery_hash);
                if is_there(&mut self.reader, &run_id)? {
                    self.pass.known += 1;
                    return Ok(None);
                }
                let request = RunRequest {
                    workflow: workflow.clone(),
                    payload: Value::Object(ear.listens.payload(&heard)),
                    binding: binding.clone(),
                    parameters: BTreeMap::new(),
                };
                self.run(&request, 0, Delivery { run_id: Some(run_id), ..delivery })
            }
            Starts::Item { contract } => {
                let payload = ear.listens.payload(&heard);
                let queueing = Queueing { contract, at_us: at.as_microsecond(), delivery: &delivery_hash, payload: &payload, heard: &hash };
                self.queue(&queueing, delivery)
            }
        }
    }

    /// Starts the run that follows, as [`Walk::deliver`] answers it.
    fn run(&mut self, request: &RunRequest, depth: u32, delivery: Delivery) -> Result<Option<u32>> {
        match self.engine.run_as(request, delivery.run_id.clone().unwrap_or_default(), depth) {
            Ok(report) => {
                self.pass.started += 1;
                (self.told)(&Delivery { entry: Some(report.entry), exit: Some(report.exit), ..delivery });
                Ok(None)
            }
            // Another process was faster between our look and our commit; nothing of ours is there.
            Err(EngineError::Rejected { code: "commit_duplicate", .. }) => {
                self.pass.known += 1;
                Ok(None)
            }
            Err(error) if error.kind() == Kind::Integrity => Err(error),
            Err(error) => self.failed(delivery, &error),
        }
    }

    /// Queues the item that follows, as [`Walk::deliver`] answers it.
    fn queue(&mut self, queueing: &Queueing<'_>, delivery: Delivery) -> Result<Option<u32>> {
        let Some(hand) = self.hand else { return Err(EngineError::NoListenerActor { listener: delivery.listener }) };
        let id = match self.engine.heard_id(queueing, &mut self.reader) {
            Ok(id) => id,
            Err(error) if error.kind() == Kind::Integrity => return Err(error),
            Err(error) => return self.failed(delivery, &error),
        };
        let delivery = Delivery { queue_id: Some(id.as_str().to_owned()), outcome: Outcome::Queued, ..delivery };
        match self.engine.queue_heard(hand, queueing, &id, &mut self.reader) {
            Ok(Some(appended)) => {
                self.pass.queued += 1;
                (self.told)(&Delivery { entry: Some(appended.entry), ..delivery });
                Ok(None)
            }
            Ok(None) => {
                self.pass.known += 1;
                Ok(None)
            }
            Err(error) if error.kind() == Kind::Integrity => Err(error),
            Err(error) => self.failed(delivery, &error),
        }
    }

    /// Logs an attempt that failed, as [`Walk::deliver`] answers it.
    fn failed(&mut self, delivery: Delivery, error: &EngineError) -> Result<Option<u32>> {
        self.pass.failed += 1;
        let record = u64::try_from(delivery.record).unwrap_or(u64::MAX);
        let before = self.reader.failed_attempts(&delivery.listener, delivery.seq, record)?;
        // A store that takes nothing now takes no log either, and says nothing about the record: such an attempt is not counted.
        let counted = !matches!(error, EngineError::Store(store) if store.is_transient());
        let attempt = if counted { before.saturating_add(1) } else { before };
        let failure = Failure { code: error.code().to_owned(), detail: error.to_string(), attempt };
        if counted {
            let failed = FailedDelivery {
                at: time_text(self.engine.now_micros()),
                listener: delivery.listener.clone(),
                seq: delivery.seq,
                record,
                run_id: delivery.run_id.clone().or_else(|| delivery.queue_id.clone()).unwrap_or_default(),
                attempt,
                code: failure.code.clone(),
                detail: failure.detail.clone(),
            };
            self.engine.with_writer(|writer| Ok(writer.record_failed_delivery(&failed)?))?;
        }
        let aside = counted && attempt >= ATTEMPTS_MAX;
        let outcome = if aside { Outcome::SetAside } else { Outcome::Failed };
        (self.told)(&Delivery { outcome, failure: Some(failure), ..delivery });
        Ok((!aside).then_some(attempt))
    }
}

/// The end of what listeners of records walk through.
fn entries(reader: &mut Reader) -> Result<u64, StoreError> {
    Ok(reader.head()?.size)
}

/// The end of what runs have asked for.
fn requests(reader: &mut Reader) -> Result<u64, StoreError> {
    reader.log_len(WORKFLOWS)
}

/// Whether there is a run with this id. The listing alone is not believed: a row without its entry would keep a delivery from ever being made.
fn is_there(reader: &mut Reader, run_id: &str) -> Result<bool> {
    let Some(seq) = reader.run_seq(run_id)? else { return Ok(false) };
    let size = reader.head()?.size;
    let of = if seq < size { stored(reader, seq)?.entry.records.first().map(RunReceipt::from_record) } else { None };
    if of.is_some_and(|receipt| receipt.is_ok_and(|receipt| receipt.run == run_id)) {
        return Ok(true);
    }
    let detail = format!("the listing has it at entry {seq} of {size}, which is not that run's");
    Err(EngineError::Altered { what: format!("run `{run_id}`"), code: "run_column", detail })
}

/// Passes that are sat out after a failure: a machine that does not recover at once is asked less and less often.
fn pause(attempt: u32) -> u32 {
    (1 << attempt.min(ATTEMPTS_MAX)) / 2
}

/// An entry whose bytes are the ones that its leaf was made of.
fn stored(reader: &mut Reader, seq: u64) -> Result<Stored> {
    let found = reader.entry(seq)?.ok_or_else(|| altered(seq, "entry_missing", "it is not there".to_owned()))?;
    if leaf_hash(&found.bytes) != found.leaf {
        return Err(altered(seq, "entry_leaf", "its leaf is another".to_owned()));
    }
    let entry = Entry::parse(&found.bytes).map_err(|r| altered(seq, r.code(), r.to_string()))?;
    Ok(Stored { seq, hash: entry_hash(&found.bytes), entry })
}

fn altered(seq: u64, code: &'static str, detail: String) -> EngineError {
    EngineError::Altered { what: format!("entry {seq}"), code, detail }
}

fn last_failure(failed: FailedDelivery) -> LastFailure {
    let set_aside = failed.attempt >= ATTEMPTS_MAX;
    let failure = Failure { code: failed.code, detail: failed.detail, attempt: failed.attempt };
    LastFailure { at: failed.at, seq: failed.seq, record: failed.record, failure, set_aside }
}
