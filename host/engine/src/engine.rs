//! The engine of one workspace: binds workflows, executes runs, commits them, runs many at once.
//!
//! A run is optimistic: it reads, stages its writes, and its commit validates what it read. Where that no longer holds,
//! nothing was committed and the run is executed again; what it has sent outside is not sent again, but answered as it was.
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ed25519_dalek::SigningKey;
use enact_core::entry::Head;
use enact_core::hash::Digest;
use enact_core::note;
use enact_flow::Map;
use enact_flow::snapshot::Snapshot;
use enact_store::{Commit, Create, OpenOptions, Reader, Rejection, Store, Writer};
use enact_wasm::{Backend, CacheOptions, Module, Options, Sandbox};
use serde_json::Value;

use crate::admission::record::Gate;
use crate::bound::{Bound, HOST_CLASSES, Modules};
use crate::error::{EngineError, Result};
use crate::govern::RuleBook;
use crate::interpret::Interrupt;
use crate::live::{Context, Prepared, execute};
use crate::reach::Reach;
use crate::report::{EntryReport, RunReport};
use crate::sources::{Sources, System, run_id, time_text};
use crate::workspace::Workspace;

/// Largest payload of a run. It is stored with every run and crosses the sandbox at every step.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Executions of one run until it gives up. Each conflict means that another run committed, so the system as a whole moves on.
const ATTEMPTS_MAX: u32 = 1_000;
/// After this many conflicts a run executes and commits under the process's turn, so that a hot key is taken in turns.
const OPTIMISTIC_MAX: u32 = 3;
/// Attempts at a step that failed for a reason of this machine.
const INFRASTRUCTURE_ATTEMPTS_MAX: u32 = 3;

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct RunRequest {
    /// The workflow code.
    pub workflow: String,
    /// The payload: a JSON object.
    pub payload: Value,
    /// A runtime binding or an environment; none means the workflow's own.
    pub binding: Option<String>,
    /// Parameters of the binding; the workspace's own where absent here.
    pub parameters: BTreeMap<String, String>,
}

/// How to open a workspace.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Compiled code or the interpreter.
    pub backend: Backend,
    /// How many components may be instantiated at once: a bound on memory.
    pub calls_max: u32,
    /// Open without the right to write.
    pub read_only: bool,
}

impl EngineOptions {
    /// For so many threads that call modules, beside one that commits.
    #[must_use]
    pub fn for_threads(threads: NonZeroUsize) -> Self {
        let own = Self::default();
        let calls = u32::try_from(threads.get()).unwrap_or(u32::MAX).saturating_add(1);
        Self { calls_max: own.calls_max.max(calls), ..own }
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { backend: Backend::Native, calls_max: 8, read_only: false }
    }
}

/// What signatures of this ledger are checked with.
struct VerifierKey {
    text: String,
    /// Only the ledger itself says so.
    claimed: bool,
}

/// An opened workspace that can run workflows.
pub struct Engine {
    workspace: Workspace,
    store: Store,
    writer: Mutex<Option<Writer>>,
    turn: Mutex<()>,
    sandbox: Sandbox,
    modules: Modules,
    snapshot: Arc<Snapshot>,
    bounds: Mutex<HashMap<BindingKey, Arc<Bound>>>,
    fingerprint: Digest,
    signer: Option<SigningKey>,
    verifier: VerifierKey,
    sources: Arc<dyn Sources>,
    book: RuleBook,
    gate: Gate,
    reach: Reach,
}

type BindingKey = (String, Option<String>, BTreeMap<String, String>);

impl Engine {
    /// Opens a workspace; its ledger is created on first use.
    pub fn open(workspace: Workspace, options: &EngineOptions) -> Result<Self> {
        Self::open_with(workspace, options, Arc::new(System::default()))
    }

    /// The same with another clock and another source of randomness.
    pub fn open_with(workspace: Workspace, options: &EngineOptions, sources: Arc<dyn Sources>) -> Result<Self> {
        let (snapshot, ledger) = (Arc::new(workspace.sealed()?), workspace.ledger_path());
        Self::open_file(workspace, &ledger, snapshot, options, sources)
    }

    /// The same with another file in the place of the ledger's, or another protocol in the place of the sealed one.
    pub(crate) fn open_file(
        workspace: Workspace,
        ledger: &Path,
        snapshot: Arc<Snapshot>,
        options: &EngineOptions,
        sources: Arc<dyn Sources>,
    ) -> Result<Self> {
        let origin = workspace.config().origin.clone();
        let signer = workspace.ledger_seed()?.map(|seed| SigningKey::from_bytes(&seed));
        let own = signer.as_ref().map(|key| note::encode_key(&origin, &key.verifying_key()));
        let create = match &own {
            _ if options.read_only => None,
            Some(key) => Some(Create { public_key: key.clone(), origin: origin.clone() }),
            None => return Err(EngineError::NoLedgerKey { path: workspace.path().to_owned() }),
        };
        let store = Store::open(&OpenOptions { create, read_only: options.read_only, ..OpenOptions::new(ledger) })?;
        if store.origin() != origin {
            return Err(EngineError::Altered {
                what: "the ledger".to_owned(),
                code: "ledger_origin",
                detail: format!("it is `{}`, the workspace is `{origin}`", store.origin()),
            });
        }
        let given = if own.is_none() { workspace.given_key()? } else { None };
        let verifier =
            VerifierKey { claimed: own.is_none() && given.is_none(), text: own.or(given).unwrap_or_else(|| store.public_key().to_owned()) };
        let sandbox = sandbox(&workspace, options)?;
        let fingerprint = sandbox
            .fingerprint()
            .digest()
            .parse()
            .map_err(|_| EngineError::Sandbox { detail: "the fingerprint is not a digest".to_owned() })?;
        let reach = Reach::new(workspace.path());
        Ok(Self {
            workspace,
            store,
            writer: Mutex::new(None),
            turn: Mutex::new(()),
            sandbox,
            modules: Modules::default(),
            snapshot,
            bounds: Mutex::new(HashMap::new()),
            fingerprint,
            signer,
            verifier,
            sources,
            book: RuleBook::default(),
            gate: Gate::default(),
            reach,
        })
    }

    /// The workspace.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The ledger and what is committed with it.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The sandbox.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The sealed protocol.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Fingerprint of this engine.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The verifier key of this ledger's checkpoints: of the key that is here, or the one that was given when the ledger was taken in, or the one that
    /// the ledger itself names.
    #[must_use]
    pub fn verifier_key(&self) -> &str {
        &self.verifier.text
    }

    /// Whether nobody but the ledger itself says that this is its key.
    #[must_use]
    pub fn verifier_key_is_claimed(&self) -> bool {
        self.verifier.claimed
    }

    /// The verifier key, if somebody but the ledger itself says that it is the one.
    ///
    /// # Errors
    /// [`EngineError::NoLedgerKey`].
    pub fn vouched_key(&self) -> Result<&str> {
        if self.verifier.claimed { Err(self.no_ledger_key()) } else { Ok(&self.verifier.text) }
    }

    fn no_ledger_key(&self) -> EngineError {
        EngineError::NoLedgerKey { path: self.workspace.path().to_owned() }
    }

    /// The key that signs checkpoints and exported receipts.
    pub(crate) fn ledger_key(&self) -> Result<&SigningKey> {
        self.signer.as_ref().ok_or_else(|| self.no_ledger_key())
    }

    /// The time of the clock, as records have it.
    pub(crate) fn now(&self) -> String {
        time_text(self.sources.now_micros())
    }

    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    pub(crate) fn book(&self) -> &RuleBook {
        &self.book
    }

    pub(crate) fn now_micros(&self) -> i64 {
        self.sources.now_micros()
    }

    /// Now, as the queue counts it.
    pub(crate) fn queue_now(&self) -> u64 {
        u64::try_from(self.now_micros()).unwrap_or(0)
    }

    /// Random bytes in hexadecimal, for a name that nobody had before.
    pub(crate) fn unique_name(&self) -> Result<String> {
        let bytes = self.sources.unique().ok_or(EngineError::Internal { detail: "no randomness".to_owned() })?;
        Ok(hex::encode(bytes))
    }

    /// An admitted module by digest.
    pub(crate) fn module(&self, digest: &str, name: &str) -> Result<Module> {
        self.modules.admit(&self.sandbox, &self.workspace, digest, name)
    }

    /// Uses the writer for what is no entry.
    pub(crate) fn with_writer<T>(&self, act: impl FnOnce(&mut Writer) -> Result<T>) -> Result<T> {
        self.with_signer(|writer, _| act(writer))
    }

    /// Uses the writer, which is opened on first use, and what signs a new head.
    pub(crate) fn with_signer<T>(&self, act: impl FnOnce(&mut Writer, &dyn Fn(&Head) -> String) -> Result<T>) -> Result<T> {
        let (key, origin) = (self.ledger_key()?, &self.workspace.config().origin);
        let mut guard = lock(&self.writer);
        if guard.is_none() {
            let mut writer = self.store.writer()?;
            writer.put_snapshot(self.snapshot.hash(), &self.snapshot.to_lock())?;
            *guard = Some(writer);
        }
        let writer = guard.as_mut().ok_or(EngineError::Internal { detail: "no writer".to_owned() })?;
        act(writer, &|head| note::sign(origin, head.size, &head.root(), key))
    }

    /// Resolves everything a workflow needs, before its first node (P-06).
    pub fn bind(&self, workflow: &str, binding: Option<&str>, parameters: &BTreeMap<String, String>) -> Result<Arc<Bound>> {
        let key = (workflow.to_owned(), binding.map(str::to_owned), parameters.clone());
        if let Some(bound) = lock(&self.bounds).get(&key) {
            self.gate.pass(&self.store, bound.modules())?;
            return Ok(Arc::clone(bound));
        }
        let config = self.workspace.config();
        let mut all = config.parameters.clone();
        all.extend(parameters.iter().map(|(k, v)| (k.clone(), v.clone())));
        let environment = (!config.environment.is_empty()).then_some(config.environment.as_str());
        let plan =
            enact_flow::bind::bind(&self.snapshot, workflow, binding.or(environment), &all, HOST_CLASSES).map_err(EngineError::Binding)?;
        // Before a line of it is compiled.
        let modules = plan.targets().iter().map(|t| (t.module.as_str(), t.module_digest.as_str()));
        self.gate.pass(&self.store, modules.filter(|(_, digest)| !digest.is_empty()))?;
        let bound = Arc::new(Bound::new(plan, &self.sandbox, &self.modules, &self.workspace)?);
        lock(&self.bounds).insert(key, Arc::clone(&bound));
        Ok(bound)
    }

    /// Runs one workflow and commits it.
    pub fn run(&self, request: &RunRequest) -> Result<RunReport> {
        self.run_job(&self.job(request)?)
    }

    /// The same under an id that follows from what the run is about. The store refuses a second run of that id.
    /// `depth` requests of other runs led to it.
    pub(crate) fn run_as(&self, request: &RunRequest, run_id: String, depth: u32) -> Result<RunReport> {
        self.run_job(&Job { depth, ..self.job_as(request, run_id)? })
    }

    fn run_job(&self, job: &Job) -> Result<RunReport> {
        let mut reader = self.store.reader()?;
        let mut attempt = 1;
        loop {
            // A hot key degrades to taking turns in this process; other processes are met at the commit only.
            let turn = (attempt > OPTIMISTIC_MAX).then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
            let prepared = self.execute(job, &mut reader, attempt)?;
            let outcome = self.commit(vec![prepared])?.pop();
            drop(turn);
            match outcome {
                Some(Ok(report)) => return Ok(report),
                Some(Err(Refused::Conflict)) if attempt < ATTEMPTS_MAX => attempt += 1,
                Some(Err(Refused::Conflict)) => return Err(EngineError::Contention { attempts: attempt }),
                Some(Err(Refused::Other(error))) => return Err(error),
                None => return Err(EngineError::Internal { detail: "a commit without an answer".to_owned() }),
            }
        }
    }

    /// Checks a request and resolves what it names; nothing is executed.
    pub(crate) fn job(&self, request: &RunRequest) -> Result<Job> {
        let run_id = run_id(&*self.sources).ok_or(EngineError::Internal { detail: "no randomness".to_owned() })?;
        self.job_as(request, run_id)
    }

    fn job_as(&self, request: &RunRequest, run_id: String) -> Result<Job> {
        let bound = self.bind(&request.workflow, request.binding.as_deref(), &request.parameters)?;
        let (payload, input) = checked_payload(&request.payload)?;
        Ok(Job { bound, payload, input, run_id, depth: 0, keys: None })
    }

    /// Executes a job once; steps that fail for a reason of this machine are attempted again.
    pub(crate) fn execute(&self, job: &Job, reader: &mut Reader, attempt: u32) -> Result<Prepared> {
        let context = Context {
            origin: &self.workspace.config().origin,
            node: &self.workspace.config().node,
            engine: &self.fingerprint,
            sources: &*self.sources,
            reach: &self.reach,
        };
        let mut tries = 1;
        loop {
            match execute(&context, job, reader, attempt) {
                Ok(prepared) => return Ok(prepared),
                Err(Interrupt::Infrastructure { .. }) if tries < INFRASTRUCTURE_ATTEMPTS_MAX => tries += 1,
                Err(Interrupt::Infrastructure { step, capability, code }) => {
                    return Err(EngineError::Infrastructure { step, capability, code, attempts: tries });
                }
                Err(Interrupt::Inconclusive { step, capability, code }) => {
                    return Err(EngineError::Inconclusive { step, capability, code });
                }
                Err(Interrupt::Engine(error)) => return Err(error),
                Err(Interrupt::Diverged(_)) => {
                    return Err(EngineError::Internal { detail: "a live run has nothing to diverge from".to_owned() });
                }
            }
        }
    }

    /// One durable commit for a batch of executed runs; answers in the order of the batch.
    pub(crate) fn commit(&self, batch: Vec<Prepared>) -> Result<Vec<Result<RunReport, Refused>>> {
        let (commits, mut runs): (Vec<Commit>, Vec<_>) = batch.into_iter().map(|p| (p.commit, (p.report, p.sent))).unzip();
        let answers = self.with_signer(|writer, sign| Ok(writer.append(&commits, &time_text(self.sources.now_micros()), sign)?))?;
        let answers = answers.into_iter().zip(runs.drain(..)).map(|(answer, (mut report, sent))| match answer {
            Ok(committed) => {
                self.reach.settle(&report.run_id, &sent);
                report.entry = EntryReport { seq: committed.seq, hash: committed.entry_hash.to_string() };
                Ok(report)
            }
            Err(Rejection::Conflict(_)) => Err(Refused::Conflict),
            Err(other) => Err(Refused::Other(EngineError::Rejected { code: other.code(), detail: other.to_string() })),
        });
        Ok(answers.collect())
    }

    /// The signed checkpoint of the present head, as it was left with it.
    ///
    /// # Errors
    /// [`EngineError::EmptyLedger`], and [`EngineError::Altered`] where no signature is of it.
    pub fn signed_checkpoint(&self) -> Result<String> {
        let mut reader = self.store.reader()?;
        reader.begin()?;
        let (head, text) = (reader.head()?, reader.note()?);
        if head.size == 0 {
            return Err(EngineError::EmptyLedger);
        }
        let (_, key) = note::decode_key(self.verifier_key()).map_err(|_| EngineError::Key { name: "--key".to_owned() })?;
        let signed = |text: &String| {
            note::verify(text, &key, self.store.origin()).is_ok_and(|signed| signed.size == head.size && signed.root == head.root())
        };
        text.filter(signed).ok_or_else(|| EngineError::Altered {
            what: "the head".to_owned(),
            code: "checkpoint_missing",
            detail: "it is not signed".to_owned(),
        })
    }

    /// Signs and stores a checkpoint of the present head.
    pub fn checkpoint(&self) -> Result<String> {
        self.with_signer(|writer, sign| {
            let head = writer.signed_head()?;
            if head.size == 0 {
                return Err(EngineError::EmptyLedger);
            }
            let note = sign(&head);
            writer.put_checkpoint(head.size, &note)?;
            Ok(note)
        })
    }

    /// Moves everything from the write-ahead log into the ledger file, so that its size can be told.
    pub(crate) fn settle(&self) -> Result<()> {
        self.with_writer(|writer| Ok(writer.checkpoint().map(drop)?))
    }
}

/// A checked request with everything resolved.
pub(crate) struct Job {
    pub(crate) bound: Arc<Bound>,
    pub(crate) payload: Map,
    /// The canonical bytes of the payload.
    pub(crate) input: Vec<u8>,
    pub(crate) run_id: String,
    /// How many requests of other runs led to it.
    pub(crate) depth: u32,
    /// What idempotency keys begin with, where that is not the run.
    pub(crate) keys: Option<String>,
}

/// Why one run of a batch was not committed.
#[derive(Debug)]
pub(crate) enum Refused {
    /// What it had read has changed: execute it again.
    Conflict,
    /// It cannot be committed.
    Other(EngineError),
}

/// Most executions of one run.
pub(crate) const fn attempts_max() -> u32 {
    ATTEMPTS_MAX
}

/// A sandbox for a workspace, with the workspace's cache of compiled modules.
pub fn sandbox(workspace: &Workspace, options: &EngineOptions) -> Result<Sandbox> {
    let cache = CacheOptions { dir: workspace.cache_path(), key: workspace.cache_key()? };
    let compiler = crate::admission::compiler();
    Sandbox::new(&Options { backend: options.backend, cache: Some(cache), max_concurrent_calls: options.calls_max, compiler })
        .map_err(|e| EngineError::Sandbox { detail: e.to_string() })
}

/// A payload that can be recorded, with its canonical bytes: an object of bounded size whose numbers every reader understands alike.
pub fn checked_payload(payload: &Value) -> Result<(Map, Vec<u8>)> {
    let map = match payload {
        Value::Object(map) => map,
        Value::Null => return Err(EngineError::PayloadShape { got: "null" }),
        Value::Bool(_) => return Err(EngineError::PayloadShape { got: "a boolean" }),
        Value::Number(_) => return Err(EngineError::PayloadShape { got: "a number" }),
        Value::String(_) => return Err(EngineError::PayloadShape { got: "a string" }),
        Value::Array(_) => return Err(EngineError::PayloadShape { got: "an array" }),
    };
    enact_core::canonical::admit_payload(payload).map_err(|e| EngineError::PayloadValue { detail: e.to_string() })?;
    let bytes = crate::canonical::object(map)?;
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(EngineError::PayloadSize { bytes: bytes.len(), bytes_max: PAYLOAD_BYTES_MAX });
    }
    Ok((map.clone(), bytes))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while one was held leaves a cache or a connection, both of which are checked again before use.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
