//! A live run: the dispatcher that really calls, and the evidence turned into one commit.
use std::time::Duration;

use enact_core::entry::{Draft, Local};
use enact_core::hash::{Digest, blob_hash, context_hash};
use enact_core::receipt::{Admission, AdmissionFinding, Exit, ExitClass, RunReceipt};
use enact_flow::bind::TargetKind;
use enact_flow::traverse::{AdmitAsk, Class, Event, EventMatch, StepAsk};
use enact_store::stage::{Mark, Stage, Staged};
use enact_store::state::StateRead;
use enact_store::{Commit, RunRow};
use enact_wasm::limits::CALL_TIMEOUT_MS;
use enact_wasm::{CallReport, EffectCall};

use crate::bound::BoundTarget;
use crate::engine::Job;
use crate::error::{EngineError, Result};
use crate::interpret::{Dispatch, Execution, Interrupt, interpret};
use crate::later::Later;
use crate::reach::{Outside, Reach};
use crate::report::{EntryReport, ExitReport, RunReport};
use crate::sources::{Sources, time_text};
use crate::trace::Trace;
use crate::transcript::{Step, Transcript, VERSION, idempotency_key};
use crate::world::World;

/// A run that was executed and is ready to be committed.
pub(crate) struct Prepared {
    /// The commit.
    pub(crate) commit: Commit,
    /// The report; its entry is filled in by the commit.
    pub(crate) report: RunReport,
    /// Keys of what it has sent outside.
    pub(crate) sent: Vec<String>,
}

/// What is the same for every run of a process.
pub(crate) struct Context<'a> {
    pub(crate) origin: &'a str,
    pub(crate) node: &'a str,
    pub(crate) engine: &'a Digest,
    pub(crate) sources: &'a dyn Sources,
    pub(crate) reach: &'a Reach,
}

/// Executes a run against the state behind `state` and prepares its commit; nothing is visible to anyone yet.
pub(crate) fn execute<S: StateRead>(context: &Context<'_>, job: &Job, state: &mut S, attempt: u32) -> Result<Prepared, Interrupt> {
    let Job { bound, payload, input, run_id, depth, keys } = job;
    let started = context.sources.now_micros();
    let at = time_text(started);
    let mut live = Live {
        run_id,
        keys: keys.as_deref().unwrap_or(run_id),
        started,
        at: &at,
        depth: *depth,
        stage: Stage::new(state),
        sources: context.sources,
        reach: context.reach,
        sent: Vec::new(),
        trace: Trace::start(started),
        admission: None,
        roots: bound.event_stores(),
        before_call: None,
    };
    let execution = interpret(bound, payload.clone(), &flow_time(&at), &mut live)?;
    let sent = live.sent;
    let staged = live.stage.finish().map_err(|e| Interrupt::Engine(e.into()))?;
    let evidence = Gathered { input: input.clone(), execution, trace: live.trace, admission: live.admission, staged };
    let prepared = prepare(context, job, &at, evidence, attempt).map_err(Interrupt::Engine)?;
    Ok(Prepared { sent, ..prepared })
}

/// The form in which artifacts see the time: `+00:00`, not `Z`.
pub(crate) fn flow_time(at: &str) -> String {
    format!("{}+00:00", at.trim_end_matches('Z'))
}

struct Live<'a, 'r, S: StateRead> {
    run_id: &'a str,
    /// What its idempotency keys begin with.
    keys: &'a str,
    /// When it began, in microseconds since 1970; recorded as its time.
    started: i64,
    /// The same as text.
    at: &'a str,
    /// How many requests led to it.
    depth: u32,
    stage: Stage<'r, S>,
    sources: &'a dyn Sources,
    reach: &'a Reach,
    sent: Vec<String>,
    trace: Trace,
    admission: Option<Admission>,
    roots: &'a [Option<String>],
    before_call: Option<Mark>,
}

impl<S: StateRead> Live<'_, '_, S> {
    fn find(&mut self, asked: &[EventMatch]) -> Result<Vec<AdmissionFinding>, Interrupt> {
        let mut findings = Vec::with_capacity(asked.len());
        for event in asked {
            let mut found = false;
            for store in self.roots {
                found = found
                    || self
                        .stage
                        .find_event(store.as_deref(), &event.event, &event.fields)
                        .map_err(|e| Interrupt::Engine(EngineError::Unreadable { detail: e.to_string() }))?;
            }
            findings.push(AdmissionFinding { event: event.event.to_string(), found });
        }
        Ok(findings)
    }
}

impl<S: StateRead> Dispatch for Live<'_, '_, S> {
    fn admit(&mut self, ask: &AdmitAsk) -> Result<Admission, Interrupt> {
        let admission = Admission { requires: self.find(&ask.requires)?, forbids: self.find(&ask.forbids)? };
        self.admission = Some(admission.clone());
        Ok(admission)
    }

    fn call(&mut self, target: &BoundTarget, ask: &StepAsk, inputs: &str) -> Result<CallReport, Interrupt> {
        let Some(module) = target.module() else {
            return Err(Interrupt::Engine(EngineError::Internal { detail: "a refused target was called".to_owned() }));
        };
        if target.target().kind == TargetKind::Transform {
            return Ok(module.transform(target.limits(), &ask.capability, inputs));
        }
        let key = idempotency_key(self.keys, ask.step);
        let call = EffectCall {
            capability: &ask.capability,
            operation: &ask.operation,
            inputs,
            store: &ask.store,
            idempotency_key: &key,
            grants: &target.target().grants,
            now_micros: self.started,
        };
        self.before_call = Some(self.stage.mark());
        let granted = target.target();
        // The clock on the wall goes on while a peer is waited for.
        let wall = Duration::from_millis(target.limits().wall_ms.min(CALL_TIMEOUT_MS));
        let mut outside = Outside::new(self.reach, &granted.http, &granted.files, self.run_id, &key, self.sources, wall);
        let later = Later::new(self.run_id, self.at, ask.step, self.depth, Some(granted));
        let mut world = World { stage: &mut self.stage, store: &ask.store, sources: self.sources, outside: Some(&mut outside), later };
        let report = module.side_effect(target.limits(), &call, &mut world);
        self.sent.extend(outside.sent());
        Ok(report)
    }

    fn finished(&mut self, _ask: &StepAsk, step: &Step, _outputs: &str) -> Result<(), Interrupt> {
        // What a call that gave no usable answer has staged is not part of the run.
        if let (true, Some(mark)) = (step.trap, self.before_call.take()) {
            self.stage.rollback(mark);
        }
        Ok(())
    }

    fn event(&mut self, event: Event) {
        self.trace.push(event, self.sources.now_micros());
    }
}

/// What an execution leaves behind, before it is hashed.
struct Gathered {
    input: Vec<u8>,
    execution: Execution,
    trace: Trace,
    admission: Option<Admission>,
    staged: Staged,
}

fn prepare(context: &Context<'_>, job: &Job, at: &str, gathered: Gathered, attempt: u32) -> Result<Prepared> {
    let Job { bound, run_id, depth, keys, .. } = job;
    let Gathered { input, execution, trace, admission, staged: Staged { reads, writes } } = gathered;
    let plan = bound.plan();
    let output = crate::canonical::object(&execution.termination.payload)?;
    let output_hash = context_hash(&output);
    let nodes = trace.nodes();
    let trace = trace.to_bytes()?;
    let steps = count(execution.steps.len());
    let transcript = Transcript {
        v: VERSION,
        run: run_id.clone(),
        at: at.to_owned(),
        depth: *depth,
        binding: plan.binding_code().to_owned(),
        parameters: plan.parameters().clone(),
        keys: keys.clone(),
        steps: execution.steps,
    };
    let transcript = serde_json::to_vec(&transcript).map_err(|e| EngineError::Internal { detail: e.to_string() })?;
    let termination = &execution.termination;
    let exit = Exit { class: exit_class(termination.class), reason: termination.reason.clone(), code: termination.code.clone() };
    let receipt = RunReceipt {
        run: run_id.to_owned(),
        workflow: plan.workflow().to_owned(),
        snapshot: digest(plan.snapshot())?,
        binding: plan.binding_code().to_owned(),
        environment: plan.environment().to_owned(),
        plan: digest(plan.digest())?,
        modules: bound.module_digests().clone(),
        engine: *context.engine,
        input: context_hash(&input),
        output: output_hash,
        trace: blob_hash(&trace),
        transcript: blob_hash(&transcript),
        admission,
        exit: exit.clone(),
        fuel_used: execution.fuel_used.to_string(),
        nodes: count(nodes.len()),
        steps,
        reads: count(reads.len()),
        writes: count(writes.len()),
    };
    let report = RunReport {
        run_id: run_id.to_owned(),
        workflow: plan.workflow().to_owned(),
        binding: plan.binding_code().to_owned(),
        environment: plan.environment().to_owned(),
        at: at.to_owned(),
        exit: ExitReport { class: exit.class.as_str().to_owned(), reason: exit.reason.clone(), code: exit.code.clone() },
        context_hash: output_hash.to_string(),
        payload: execution.termination.payload,
        nodes,
        entry: EntryReport { seq: 0, hash: String::new() },
        fuel_used: execution.fuel_used,
        attempts: attempt,
        secrets: plan.secrets().iter().cloned().collect(),
    };
    let commit = Commit {
        origin: context.origin.to_owned(),
        draft: Draft {
            protocol: receipt.snapshot,
            at: at.to_owned(),
            records: vec![receipt.record()],
            local: Local { node: context.node.to_owned(), attempt },
        },
        run: RunRow {
            run_id: run_id.to_owned(),
            workflow: receipt.workflow,
            snapshot: plan.snapshot().to_owned(),
            binding: receipt.binding,
            at: at.to_owned(),
            class: exit.class.as_str().to_owned(),
            reason: exit.reason,
            code: exit.code,
            trace,
            transcript,
            input,
            output,
        },
        reads,
        writes,
    };
    Ok(Prepared { commit, report, sent: Vec::new() })
}

fn exit_class(class: Class) -> ExitClass {
    match class {
        Class::Success => ExitClass::Success,
        Class::Failure => ExitClass::Failure,
        Class::Abort => ExitClass::Abort,
        Class::Timeout => ExitClass::Timeout,
    }
}

fn digest(text: &str) -> Result<Digest> {
    text.parse().map_err(|_| EngineError::Internal { detail: format!("`{text}` is not a digest") })
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
