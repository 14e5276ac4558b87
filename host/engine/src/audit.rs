//! The audit: execute committed runs again from the ledger and compare everything with the record.
//!
//! `CT_` components are called again; `CS_` components run against their transcript, so the world is not touched and nothing
//! is written. It is the same interpreter as a live run, with another dispatcher.
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use enact_core::entry::{Entry, Record};
use enact_core::receipt::{Admission, AdmissionFinding, RunReceipt};
use enact_flow::bind::TargetKind;
use enact_flow::snapshot::Snapshot;
use enact_flow::traverse::{AdmitAsk, Event, EventMatch, StepAsk};
use enact_store::{Reader, StoredEntry};
use enact_wasm::{Backend, CallReport, EffectCall, Module, Replay, Sandbox};
use serde::Serialize;
use serde_json::json;

use crate::bound::{Bound, BoundTarget, HOST_CLASSES, ModuleSource, Modules};
use crate::engine::{Engine, EngineOptions, sandbox};
use crate::error::{EngineError, Kind, Result};
use crate::evidence::Evidence;
use crate::interpret::{Dispatch, Divergence, Execution, Interrupt, interpret};
use crate::later::Later;
use crate::live::flow_time;
use crate::sources::time_micros;
use crate::swap::{self, Meter, Swap, Swapped, Used};
use crate::trace::Trace;
use crate::transcript::Step;

/// One difference between the record and a re-execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diverged {
    /// The run.
    pub run: String,
    /// Its entry.
    pub seq: u64,
    /// Where and what.
    #[serde(flatten)]
    pub at: Divergence,
}

/// A run about which an audit here can say nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inconclusive {
    /// The run.
    pub run: String,
    /// Its entry.
    pub seq: u64,
    /// Why.
    pub code: String,
    /// The same for people.
    pub detail: String,
}

/// How one run came out.
#[derive(Debug)]
pub enum Verdict {
    /// Everything compared was equal.
    Replayed(Box<Replayed>),
    /// Nothing can be said.
    Inconclusive(Inconclusive),
    /// A difference.
    Diverged(Box<Diverged>),
    /// The entry holds no run: it is judged by a rebuild, not executed.
    NoRun,
}

/// What a successful replay leaves for further checks.
#[derive(Debug)]
pub struct Replayed {
    /// The run's evidence.
    pub evidence: Evidence,
    /// What its admission rule asked for.
    pub asked: Option<AdmitAsk>,
    /// What it ran with.
    pub(crate) bound: Arc<Bound>,
    /// Fuel was compared: the record comes from an engine with our fingerprint.
    pub fuel_compared: bool,
    /// Calls of modules with WASI, executed again like all others.
    pub wasi_calls: u64,
}

impl Replayed {
    /// What the step with that number may touch: its store, and what it may hand over for later.
    pub(crate) fn granted(&self, index: u32, step: &Step) -> Option<(&str, Later<'_>)> {
        let target = self.bound.targets().get(step.target as usize)?.target();
        let transcript = &self.evidence.transcript;
        Some((&target.store, Later::new(&transcript.run, &transcript.at, index, transcript.depth, Some(target))))
    }
}

/// Re-executes committed runs of one ledger with one engine.
pub struct Auditor<'a> {
    engine: &'a Engine,
    sandbox: Sandbox,
    modules: Modules,
    snapshots: Mutex<HashMap<String, Arc<Snapshot>>>,
    bounds: Mutex<HashMap<BindingKey, Arc<Bound>>>,
    swap: Option<Swap>,
    meter: Option<Meter>,
}

type BindingKey = (String, String, String, BTreeMap<String, String>);

impl<'a> Auditor<'a> {
    /// An auditor with an engine of its own.
    pub fn new(engine: &'a Engine, backend: Backend, jobs: u32) -> Result<Self> {
        let options = EngineOptions { backend, calls_max: jobs.max(1), read_only: true };
        Ok(Self {
            engine,
            sandbox: sandbox(engine.workspace(), &options)?,
            modules: Modules::default(),
            snapshots: Mutex::new(HashMap::new()),
            bounds: Mutex::new(HashMap::new()),
            swap: None,
            meter: None,
        })
    }

    /// The same, with another module in the place of one.
    pub(crate) fn swapping(engine: &'a Engine, jobs: u32, swap: Swap) -> Result<Self> {
        Ok(Self { swap: Some(swap), ..Self::new(engine, Backend::Native, jobs)? })
    }

    /// The same, measuring what each module uses.
    pub(crate) fn metering(engine: &'a Engine, jobs: u32) -> Result<Self> {
        Ok(Self { meter: Some(Meter::default()), ..Self::new(engine, Backend::Native, jobs)? })
    }

    /// What was measured.
    pub(crate) fn metered(self) -> BTreeMap<String, Used> {
        self.meter.map(Meter::read).unwrap_or_default()
    }

    /// Audits the run in one entry.
    pub fn audit(&self, reader: &mut Reader, seq: u64) -> Result<Verdict> {
        let Some(entry) = reader.entry(seq)? else {
            return Ok(diverged("", seq, plain("entry_missing", json!("an entry"), json!(null))));
        };
        let Some(stored) = reader.run_by_seq(seq)? else {
            if is_governed(&entry) {
                return Ok(Verdict::NoRun);
            }
            return Ok(diverged("", seq, plain("run_missing", json!("a stored run"), json!(null))));
        };
        let evidence = match Evidence::open(&entry, &stored) {
            Ok(evidence) => evidence,
            Err(findings) => {
                let first = findings.into_iter().next();
                let (code, detail) = first.map_or(("run_part", String::new()), |f| (f.code, f.detail));
                return Ok(diverged(&stored.run.run_id, seq, plain(code, json!("the parts that the receipt names"), json!(detail))));
            }
        };
        let run = evidence.receipt.run.clone();
        let bound = match self.bind(reader, &evidence) {
            Ok(bound) => bound,
            Err(BindFailure::Diverged(at)) => return Ok(diverged(&run, seq, at)),
            Err(BindFailure::Error(EngineError::ModuleMissing { digest })) => {
                let detail = format!("module `{digest}` is not here");
                return Ok(Verdict::Inconclusive(Inconclusive { run, seq, code: "module_missing".to_owned(), detail }));
            }
            Err(BindFailure::Error(error)) if error.kind() == Kind::Integrity => {
                return Ok(diverged(&run, seq, plain("module_digest", json!("the sealed module"), json!(error.to_string()))));
            }
            Err(BindFailure::Error(error)) => return Err(error),
        };
        self.replay(&bound, evidence)
    }

    fn replay(&self, bound: &Arc<Bound>, evidence: Evidence) -> Result<Verdict> {
        let (run, seq) = (evidence.receipt.run.clone(), evidence.seq);
        // Another module may well use other fuel.
        let fuel_compared = self.swap.is_none() && self.sandbox.fingerprint().digest() == evidence.receipt.engine.to_string();
        let mut check = Check {
            auditor: self,
            evidence: &evidence,
            started: time_micros(&evidence.transcript.at),
            fuel_compared,
            trace: Trace::start(0),
            asked: None,
            next: 0,
            outputs: None,
        };
        let at = flow_time(&evidence.transcript.at);
        let result = interpret(bound, evidence.input.clone(), &at, &mut check);
        let difference = match result {
            Ok(execution) => check.ending(bound, &execution),
            Err(Interrupt::Diverged(at)) => Some(*at),
            Err(Interrupt::Inconclusive { step, capability, code } | Interrupt::Infrastructure { step, capability, code }) => {
                let detail = format!("step {step} (`{capability}`) ended in `{code}` here");
                return Ok(Verdict::Inconclusive(Inconclusive { run, seq, code, detail }));
            }
            Err(Interrupt::Engine(error)) => return Err(error),
        };
        let asked = check.asked.take();
        if let Some(at) = difference {
            return Ok(diverged(&run, seq, at));
        }
        let with_wasi = |step: &&Step| {
            let module = bound.targets().get(step.target as usize).and_then(BoundTarget::module);
            module.is_some_and(|module| !module.wasi().is_empty())
        };
        let wasi_calls = evidence.transcript.steps.iter().filter(with_wasi).count() as u64;
        Ok(Verdict::Replayed(Box::new(Replayed { evidence, asked, bound: Arc::clone(bound), fuel_compared, wasi_calls })))
    }

    fn bind(&self, reader: &mut Reader, evidence: &Evidence) -> Result<Arc<Bound>, BindFailure> {
        let receipt = &evidence.receipt;
        let snapshot = receipt.snapshot.to_string();
        let key = (snapshot.clone(), receipt.workflow.clone(), receipt.binding.clone(), evidence.transcript.parameters.clone());
        if let Some(bound) = lock(&self.bounds).get(&key) {
            return self.same_plan(bound, receipt).map(|()| Arc::clone(bound));
        }
        let sealed = self.snapshot(reader, &snapshot)?;
        let plan =
            enact_flow::bind::bind(&sealed, &receipt.workflow, Some(&receipt.binding), &evidence.transcript.parameters, HOST_CLASSES)
                .map_err(|report| BindFailure::Diverged(plain("plan", json!(receipt.plan.to_string()), json!(report.to_string()))))?;
        let workspace = self.engine.workspace();
        let swapped = self.swap.as_ref().map(|swap| Swapped { swap, workspace });
        let source: &dyn ModuleSource = swapped.as_ref().map_or(workspace, |swapped| swapped);
        let bound = Bound::new(plan, &self.sandbox, &self.modules, source).map_err(BindFailure::Error)?;
        let bound = Arc::new(bound);
        lock(&self.bounds).insert(key, Arc::clone(&bound));
        self.same_plan(&bound, receipt).map(|()| bound)
    }

    #[allow(clippy::unused_self, reason = "reads as a question to the auditor beside its siblings")]
    fn same_plan(&self, bound: &Bound, receipt: &RunReceipt) -> Result<(), BindFailure> {
        let (expected, got) = (receipt.plan.to_string(), bound.plan().digest());
        if expected != got {
            return Err(BindFailure::Diverged(plain("plan", json!(expected), json!(got))));
        }
        if receipt.modules != *bound.module_digests() || receipt.environment != bound.plan().environment() {
            return Err(BindFailure::Diverged(plain("plan_modules", json!(receipt.modules), json!(bound.module_digests()))));
        }
        Ok(())
    }

    fn snapshot(&self, reader: &mut Reader, hash: &str) -> Result<Arc<Snapshot>, BindFailure> {
        if let Some(snapshot) = lock(&self.snapshots).get(hash) {
            return Ok(Arc::clone(snapshot));
        }
        let stored = reader.snapshot(hash).map_err(|e| BindFailure::Error(e.into()))?;
        let Some(bytes) = stored else {
            return Err(BindFailure::Diverged(plain("snapshot_missing", json!(hash), json!(null))));
        };
        let snapshot =
            Snapshot::from_lock(&bytes).map_err(|p| BindFailure::Diverged(plain("snapshot_altered", json!(hash), json!(p.detail))))?;
        if snapshot.hash() != hash {
            return Err(BindFailure::Diverged(plain("snapshot_altered", json!(hash), json!(snapshot.hash()))));
        }
        let snapshot = Arc::new(snapshot);
        lock(&self.snapshots).insert(hash.to_owned(), Arc::clone(&snapshot));
        Ok(snapshot)
    }
}

enum BindFailure {
    Diverged(Divergence),
    Error(EngineError),
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn diverged(run: &str, seq: u64, at: Divergence) -> Verdict {
    Verdict::Diverged(Box::new(Diverged { run: run.to_owned(), seq, at }))
}

/// Whether an entry holds nothing that could be executed again.
pub(crate) fn is_governed(entry: &StoredEntry) -> bool {
    Entry::parse(&entry.bytes).is_ok_and(|parsed| !parsed.records.iter().any(Record::is_run))
}

fn plain(code: &'static str, expected: serde_json::Value, got: serde_json::Value) -> Divergence {
    Divergence { node: String::new(), step: None, code, expected, got }
}

/// The dispatcher of an audit: answers from the record, calls components again, compares each step.
struct Check<'e> {
    auditor: &'e Auditor<'e>,
    evidence: &'e Evidence,
    /// When the run began, in microseconds since 1970.
    started: i64,
    fuel_compared: bool,
    trace: Trace,
    asked: Option<AdmitAsk>,
    next: usize,
    /// What the module that was swapped out answers to the present step.
    outputs: Option<CallReport>,
}

impl Check<'_> {
    fn call_one(&self, module: &Module, target: &BoundTarget, ask: &StepAsk, inputs: &str) -> Result<CallReport, Interrupt> {
        if target.target().kind == TargetKind::Transform {
            return Ok(module.transform(target.limits(), &ask.capability, inputs));
        }
        let recorded = self.recorded(ask)?;
        let key = self.evidence.transcript.idempotency_key(ask.step);
        let call = EffectCall {
            capability: &ask.capability,
            operation: &ask.operation,
            inputs,
            store: &ask.store,
            idempotency_key: &key,
            grants: &target.target().grants,
            now_micros: self.started,
        };
        let mut replay = Replay::new(&recorded.calls);
        let report = module.side_effect(target.limits(), &call, &mut replay);
        match replay.divergence() {
            None => Ok(report),
            Some(d) => {
                let (expected, got) = (json!({"call": d.index, "request": d.expected}), json!({"call": d.index, "request": d.got}));
                Err(self.difference(ask, "host_call", expected, got))
            }
        }
    }

    fn recorded(&self, ask: &StepAsk) -> Result<&Step, Interrupt> {
        self.evidence
            .transcript
            .steps
            .get(ask.step as usize)
            .ok_or_else(|| self.difference(ask, "step_extra", json!("no further step"), json!(ask.capability.as_ref())))
    }

    fn difference(&self, ask: &StepAsk, code: &'static str, expected: serde_json::Value, got: serde_json::Value) -> Interrupt {
        let node = self.trace.nodes_started().last().map_or_else(String::new, |n| (*n).to_owned());
        Interrupt::Diverged(Box::new(Divergence { node, step: Some(ask.step), code, expected, got }))
    }

    /// Compares the end of the traversal with the receipt.
    fn ending(&self, bound: &Bound, execution: &Execution) -> Option<Divergence> {
        let (evidence, receipt) = (self.evidence, &self.evidence.receipt);
        if self.next != evidence.transcript.steps.len() {
            return Some(plain("step_missing", json!(evidence.transcript.steps.len()), json!(self.next)));
        }
        let exit = &execution.termination;
        let got = (exit.class.as_str(), exit.reason.as_str(), exit.code.as_deref());
        let expected = (receipt.exit.class.as_str(), receipt.exit.reason.as_str(), receipt.exit.code.as_deref());
        if got != expected {
            return Some(plain("exit", json!(expected), json!(got)));
        }
        let context = crate::canonical::object(&exit.payload).map(|bytes| enact_core::hash::context_hash(&bytes));
        match context {
            Ok(hash) if hash == receipt.output => {}
            Ok(hash) => return Some(plain("context_hash", json!(receipt.output.to_string()), json!(hash.to_string()))),
            Err(error) => return Some(plain("context_hash", json!(receipt.output.to_string()), json!(error.to_string()))),
        }
        if let Some((at, (expected, got))) = first_difference(&evidence.trace, &self.trace) {
            let node = got.as_ref().map_or(String::new(), |row| row.1.clone());
            return Some(Divergence { node, step: None, code: "trace", expected: json!([at, expected]), got: json!([at, got]) });
        }
        if let Err(problem) = evidence.trace.check(bound.plan().dag(), &receipt.run, &receipt.workflow) {
            return Some(plain("trace_graph", json!("a trace that follows the graph"), json!(problem)));
        }
        let counted = (self.trace.nodes().len() as u64, execution.steps.len() as u64);
        if counted != (u64::from(receipt.nodes), u64::from(receipt.steps)) {
            return Some(plain("counts", json!([receipt.nodes, receipt.steps]), json!(counted)));
        }
        if self.fuel_compared && execution.fuel_used.to_string() != receipt.fuel_used {
            return Some(plain("fuel", json!(receipt.fuel_used), json!(execution.fuel_used.to_string())));
        }
        None
    }
}

type Rows = (Option<crate::trace::Row>, Option<crate::trace::Row>);

/// The first event at which two traces differ in structure, counted from 1.
fn first_difference(recorded: &Trace, replayed: &Trace) -> Option<(usize, Rows)> {
    let longest = recorded.events.len().max(replayed.events.len());
    let row = |trace: &Trace, i: usize| trace.events.get(i).cloned().map(crate::trace::Row::untimed);
    (0..longest).find_map(|i| {
        let rows = (row(recorded, i), row(replayed, i));
        (rows.0 != rows.1).then_some((i + 1, rows))
    })
}

impl Dispatch for Check<'_> {
    fn admit(&mut self, ask: &AdmitAsk) -> Result<Admission, Interrupt> {
        self.asked = Some(ask.clone());
        let events = |asked: &[EventMatch]| asked.iter().map(|e| e.event.to_string()).collect::<Vec<_>>();
        let named = |found: &[AdmissionFinding]| found.iter().map(|f| f.event.clone()).collect::<Vec<_>>();
        let expected = self.evidence.receipt.admission.clone().unwrap_or_default();
        let (asked, recorded) = ((events(&ask.requires), events(&ask.forbids)), (named(&expected.requires), named(&expected.forbids)));
        if asked != recorded {
            return Err(Interrupt::Diverged(Box::new(plain("admission", json!(recorded), json!(asked)))));
        }
        Ok(expected)
    }

    fn call(&mut self, target: &BoundTarget, ask: &StepAsk, inputs: &str) -> Result<CallReport, Interrupt> {
        self.recorded(ask)?;
        let Some(module) = target.module() else {
            return Err(self.difference(ask, "step_refused", json!("a called component"), json!("a binding that refuses it")));
        };
        self.outputs = match &self.auditor.swap {
            Some(swap) if swap.old == target.target().module_digest => Some(self.call_one(&swap.original, target, ask, inputs)?),
            _ => None,
        };
        let begun = Instant::now();
        let report = self.call_one(module, target, ask, inputs);
        if let (Some(meter), Ok(report)) = (&self.auditor.meter, &report) {
            meter.add(&target.target().module_digest, begun.elapsed(), report);
        }
        report
    }

    fn finished(&mut self, ask: &StepAsk, step: &Step, outputs: &str) -> Result<(), Interrupt> {
        let recorded = self.recorded(ask)?;
        if recorded.target != step.target {
            return Err(self.difference(ask, "step_target", json!(recorded.target), json!(step.target)));
        }
        if recorded.input != step.input {
            return Err(self.difference(ask, "step_input", json!(recorded.input), json!({"hash": step.input, "inputs": ask.inputs})));
        }
        if (recorded.outcome, recorded.trap, &recorded.status) != (step.outcome, step.trap, &step.status) {
            let expected = json!({"outcome": recorded.outcome, "status": recorded.status, "trap": recorded.trap});
            let got = json!({"outcome": step.outcome, "status": step.status, "trap": step.trap, "outputs": outputs});
            if let Some(before) = &self.outputs {
                let values = swap::differences(&before.outcome, &step.status, outputs);
                return Err(self.difference(ask, "step_outcome", expected, json!({"status": step.status, "differences": values})));
            }
            return Err(self.difference(ask, "step_outcome", expected, got));
        }
        if recorded.calls != step.calls {
            return Err(self.difference(ask, "host_calls", json!(recorded.calls), json!(step.calls)));
        }
        if self.fuel_compared && recorded.fuel != step.fuel {
            return Err(self.difference(ask, "step_fuel", json!(recorded.fuel), json!(step.fuel)));
        }
        self.next += 1;
        Ok(())
    }

    fn event(&mut self, event: Event) {
        self.trace.push(event, 0);
    }
}
