//! Measurements of the real engine on the real store: no shortcut that any other run would not take.
//!
//! Every figure comes from a workspace of its own, made for the measurement and removed after it.
mod modules;
mod queue;
mod receipts;
mod replay;

pub use modules::{ModuleFigures, ModulesBench, ModulesFigures, modules};
pub use queue::{QueueBench, QueueBlock, QueueFigures, queue};

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use enact_core::entry::{Kind, Posting, Side};
use enact_wasm::{Limits, Outcome};
use serde::Serialize;
use serde_json::{Value, json};

use crate::engine::{Engine, EngineOptions, RunRequest};
use crate::error::{EngineError, Result};
use crate::govern::{Held, Proposed, Stream};
use crate::pool::Load;
use crate::workspace::Workspace;

pub use receipts::{ReceiptFigures, receipts};
pub use replay::{ReplayFigures, VerifyFigures, audit, verify};

/// Code of the generated workflow.
const WORKFLOW: &str = "WF_BENCH_GENERATED_V0";
/// Code of the capability that every step calls.
const ECHO: &str = "CT_BENCH_ECHO_V0";
/// Size of the text that every step takes in and gives back, bytes. With its frame it makes about 1 KiB of JSON.
const TEXT_BYTES: usize = 960;

/// A load of workflows.
#[derive(Debug, Clone)]
pub struct WorkflowBench {
    /// Pure steps of each workflow.
    pub steps: NonZeroUsize,
    /// Runs under way at once.
    pub concurrency: NonZeroUsize,
    /// Threads that execute.
    pub workers: NonZeroUsize,
    /// How long to measure, after a warm-up of a tenth of it.
    pub duration: Duration,
}

/// Figures of [`WorkflowBench`].
#[derive(Debug, Clone, Serialize)]
pub struct WorkflowFigures {
    /// Steps of each workflow.
    pub steps: usize,
    /// Runs under way at once.
    pub concurrency: usize,
    /// Threads that executed.
    pub workers: usize,
    /// Measured time, s.
    pub seconds: f64,
    /// Workflows that became durable.
    pub workflows: u64,
    /// Durable workflows per second.
    pub workflows_per_s: f64,
    /// Steps per second.
    pub steps_per_s: f64,
    /// Median time from submission to durability, ms.
    pub p50_ms: f64,
    /// 99th percentile of it, ms.
    pub p99_ms: f64,
    /// CPU time of the process per 1,000 workflows, s.
    pub cpu_s_per_1000: f64,
    /// Durable transactions per workflow.
    pub syncs_per_workflow: f64,
    /// Growth of the ledger file per workflow, bytes.
    pub bytes_per_workflow: f64,
    /// Resident memory at the end, MiB.
    pub resident_mib: f64,
}

/// Measures workflows from submission to durability.
pub fn workflow(dir: &Path, bench: &WorkflowBench, mut progress: impl FnMut(Duration)) -> Result<WorkflowFigures> {
    let (engine, _scratch) = engine(dir, bench.steps.get(), bench.workers.get())?;
    let warm_up = bench.duration / 10;
    let load = Load { workers: bench.workers, in_flight: bench.concurrency };
    run_for(&engine, load, warm_up, &mut |_| {})?;
    let (before, size, cpu) = (engine.store().stats(), file_size(&engine), cpu_time());
    let begun = Instant::now();
    let mut latencies = run_for(&engine, load, bench.duration, &mut progress)?;
    let seconds = begun.elapsed().as_secs_f64();
    let (after, cpu) = (engine.store().stats(), cpu_time().saturating_sub(cpu));
    engine.settle()?;
    let workflows = latencies.len() as u64;
    let count = workflows.max(1) as f64;
    latencies.sort_unstable();
    Ok(WorkflowFigures {
        steps: bench.steps.get(),
        concurrency: bench.concurrency.get(),
        workers: bench.workers.get(),
        seconds,
        workflows,
        workflows_per_s: workflows as f64 / seconds,
        steps_per_s: workflows as f64 * bench.steps.get() as f64 / seconds,
        p50_ms: percentile(&latencies, 0.50),
        p99_ms: percentile(&latencies, 0.99),
        cpu_s_per_1000: cpu.as_secs_f64() * 1_000.0 / count,
        syncs_per_workflow: after.transactions.saturating_sub(before.transactions) as f64 / count,
        bytes_per_workflow: file_size(&engine).saturating_sub(size) as f64 / count,
        resident_mib: resident_mib(),
    })
}

/// Figures of single calls.
#[derive(Debug, Clone, Serialize)]
pub struct CallFigures {
    /// Size of the inputs, bytes of JSON.
    pub input_bytes: usize,
    /// Calls made per thread.
    pub calls: u64,
    /// Mean time of one call on one thread, µs: a fresh instance, the call, and its removal.
    pub one_thread_us: f64,
    /// Calls per second on one thread.
    pub one_thread_per_s: f64,
    /// Calls per second on two threads together.
    pub two_threads_per_s: f64,
    /// Fuel of one call.
    pub fuel: u64,
}

/// Measures single calls of a transform with a fresh instance each.
pub fn call(dir: &Path, input_bytes: usize, calls: u64) -> Result<CallFigures> {
    let (engine, _scratch) = engine(dir, 1, 2)?;
    let bound = engine.bind(WORKFLOW, None, &std::collections::BTreeMap::new())?;
    let target = bound.target(0)?;
    let Some(module) = target.module() else {
        return Err(EngineError::Internal { detail: "the measured capability is not bound".to_owned() });
    };
    let frame = json!({"data": {"text": ""}, "n": 0}).to_string().len();
    let inputs = json!({"data": {"text": "x".repeat(input_bytes.saturating_sub(frame))}, "n": 0}).to_string();
    let limits: &Limits = target.limits();
    let one = |calls: u64| -> Result<u64> {
        let mut fuel = 0;
        for _ in 0..calls {
            let report = module.transform(limits, ECHO, &inputs);
            if !matches!(report.outcome, Outcome::Ok { .. }) {
                return Err(EngineError::Internal { detail: format!("the measured call ended in `{}`", report.outcome.code()) });
            }
            fuel = report.fuel_used.unwrap_or(0);
        }
        Ok(fuel)
    };
    let fuel = one(calls / 10 + 1)?;
    let begun = Instant::now();
    one(calls)?;
    let alone = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let threads = [scope.spawn(|| one(calls)), scope.spawn(|| one(calls))];
        for thread in threads {
            thread.join().map_err(|_| EngineError::Internal { detail: "a measuring thread stopped".to_owned() })??;
        }
        Ok::<(), EngineError>(())
    })?;
    let together = begun.elapsed().as_secs_f64();
    Ok(CallFigures {
        input_bytes: inputs.len(),
        calls,
        one_thread_us: alone * 1e6 / calls.max(1) as f64,
        one_thread_per_s: calls as f64 / alone,
        two_threads_per_s: 2.0 * calls as f64 / together,
        fuel,
    })
}

/// A load of governed entries.
#[derive(Debug, Clone)]
pub struct AppendBench {
    /// Entries to measure.
    pub entries: u64,
    /// Entries in the ledger before.
    pub preload: u64,
    /// Each record carries a signature, which is checked.
    pub signed: bool,
    /// Each record moves an amount between two accounts.
    pub postings: bool,
    /// Threads that complete records and check signatures.
    pub jobs: NonZeroUsize,
    /// Most entries of one commit.
    pub group: NonZeroUsize,
}

/// Figures of [`AppendBench`].
#[derive(Debug, Clone, Serialize)]
pub struct AppendFigures {
    /// Entries measured, of one record each.
    pub entries: u64,
    /// Entries in the ledger before.
    pub preload: u64,
    /// Each record's signature was checked.
    pub signed: bool,
    /// Each record moved an amount between two accounts.
    pub postings: bool,
    /// Measured time, s.
    pub seconds: f64,
    /// Durable entries per second.
    pub entries_per_s: f64,
    /// CPU time of the process per 1,000 entries, s.
    pub cpu_s_per_1000: f64,
    /// Durable transactions per entry.
    pub syncs_per_entry: f64,
    /// Growth of the ledger file per entry, bytes.
    pub bytes_per_entry: f64,
    /// Resident memory at the end, MiB.
    pub resident_mib: f64,
}

/// Who proposes in a measurement.
const ACTOR: &str = "bench";
/// Role that may append.
const ROLE: &str = "bencher";
/// Proposals made ahead of a measured block, so that signing, which is the proposer's work, is not measured.
const BLOCK: u64 = 20_000;

/// Measures proposals from submission to durability. Records are written and signed before the clock starts.
pub fn append(dir: &Path, bench: &AppendBench, mut progress: impl FnMut(u64)) -> Result<AppendFigures> {
    let (engine, _scratch) = governed(dir)?;
    let stream = Stream { jobs: bench.jobs, group: bench.group, sign: false };
    let key = bench.signed.then(|| engine.actor_key(ACTOR)).transpose()?;
    let origin = engine.workspace().config().origin.clone();
    let (mut seconds, mut cpu, mut syncs, mut size) = (Duration::ZERO, Duration::ZERO, 0, 0);
    let mut at = 0;
    while at < bench.preload + bench.entries {
        let until = if at < bench.preload { bench.preload } else { bench.preload + bench.entries };
        let block = BLOCK.min(until - at);
        let (send, source) = crossbeam_channel::unbounded();
        for n in at..at + block {
            let proposed = proposal(n, bench, key.as_ref(), &origin)?;
            // The receiving end is in this function.
            let _ = send.send(vec![proposed]);
        }
        drop(send);
        let before = (engine.store().stats(), file_size(&engine), cpu_time());
        let begun = Instant::now();
        let mut failed = None;
        engine.propose_each(ACTOR, stream, &source, |_, result| {
            progress(1);
            if let Err(error) = result {
                failed.get_or_insert(error);
            }
        })?;
        failed.map_or(Ok(()), Err)?;
        if at >= bench.preload {
            seconds += begun.elapsed();
            cpu += cpu_time().saturating_sub(before.2);
            syncs += engine.store().stats().transactions.saturating_sub(before.0.transactions);
            size += file_size(&engine).saturating_sub(before.1);
        }
        at += block;
    }
    let count = bench.entries.max(1) as f64;
    Ok(AppendFigures {
        entries: bench.entries,
        preload: bench.preload,
        signed: bench.signed,
        postings: bench.postings,
        seconds: seconds.as_secs_f64(),
        entries_per_s: count / seconds.as_secs_f64(),
        cpu_s_per_1000: cpu.as_secs_f64() * 1_000.0 / count,
        syncs_per_entry: syncs as f64 / count,
        bytes_per_entry: size as f64 / count,
        resident_mib: resident_mib(),
    })
}

/// The `n`th proposal: a new subject with one kept member, or a movement between two of a thousand accounts.
fn proposal(n: u64, bench: &AppendBench, key: Option<&SigningKey>, origin: &str) -> Result<Proposed> {
    let action = match (bench.postings, bench.signed) {
        (false, false) => "BENCH.NOTE",
        (false, true) => "BENCH.SIGN",
        (true, false) => "BENCH.MOVE",
        (true, true) => "BENCH.MOVE_SIGNED",
    };
    let (type_, subject, payload) = if bench.postings {
        let (from, to) = (n % 1_000, (n * 7 + 1) % 1_000);
        let payload = json!({"from": format!("{from:03}"), "to": format!("{to:03}"), "amount": "1250"});
        ("BENCH_MOVE", format!("BenchMove:MOV-{n:012}"), payload)
    } else {
        ("BENCH_NOTE", format!("BenchNote:NOTE-{n:012}"), json!({"text": "A record of the usual size says a little more than this."}))
    };
    let mut proposed = Proposed::of(type_, action, &subject, payload);
    if bench.postings {
        let leg = |account: &Value, side| Posting {
            account: format!("point:{}", account.as_str().unwrap_or_default()),
            amount: "1250".to_owned(),
            asset: "POINT".to_owned(),
            side,
        };
        proposed.postings = Some(vec![leg(&proposed.payload["from"], Side::Debit), leg(&proposed.payload["to"], Side::Credit)]);
    }
    let kind = if bench.postings { Kind::Posting } else { Kind::Transition };
    match key {
        Some(key) => proposed.signed(kind, ACTOR, origin, key),
        None => Ok(proposed),
    }
}

/// A founded workspace whose protocol lets one actor append.
fn governed(dir: &Path) -> Result<(Engine, Scratch)> {
    let path = dir.join(format!("enact-bench-{}", crate::workspace::random_hex(4)?));
    let scratch = Scratch(path.clone());
    let (workspace, _) = Workspace::create(&path, Some("enact.local/bench"))?;
    let note = |summary: &str| json!({"summary": summary, "from": [], "to": "MADE", "fields": {"text": {"type": "text", "required": true, "keep": true}}});
    let fields = json!({"from": {"type": "name", "required": true}, "to": {"type": "name", "required": true}, "amount": {"type": "amount", "required": true}});
    let leg = json!([{"debit": "point:{payload.from}", "credit": "point:{payload.to}", "asset": "POINT", "amount": "$.payload.amount"}]);
    let movement = |summary: &str| json!({"summary": summary, "fields": fields, "postings": leg});
    let row =
        |row: &str, actions: [&str; 2], signature: bool| json!({"row": row, "actions": actions, "roles": [ROLE], "signature": signature});
    let artifacts = [
        json!({"code": "LC_BENCH_NOTE_V0", "summary": "Notes, for measurements.", "record": "BENCH_NOTE", "kind": "TRANSITION", "subject": "BenchNote",
               "states": {"MADE": {"terminal": true}}, "actions": {"BENCH.NOTE": note("A note."), "BENCH.SIGN": note("A signed note.")}}),
        json!({"code": "LC_BENCH_MOVE_V0", "summary": "Movements, for measurements.", "record": "BENCH_MOVE", "kind": "POSTING", "subject": "BenchMove",
               "actions": {"BENCH.MOVE": movement("A movement."), "BENCH.MOVE_SIGNED": movement("A signed movement.")}}),
        json!({"code": "AM_BENCH_V0", "summary": "Who measures.",
               "rows": [row("plain", ["BENCH.NOTE", "BENCH.MOVE"], false), row("signed", ["BENCH.SIGN", "BENCH.MOVE_SIGNED"], true)]}),
        json!({"code": "AS_BENCH_V0", "summary": "Points, for measurements.", "assets": {"POINT": {"class": "fungible"}},
               "accounts": {"point:{}": {"class": "holder", "floor": "-1000000000000000"}}}),
    ];
    for artifact in artifacts {
        workspace.write_artifact(artifact["code"].as_str().unwrap_or_default(), artifact.to_string().as_bytes())?;
    }
    workspace.seal()?;
    let engine = Engine::open(workspace, &EngineOptions::default())?;
    engine.found(ACTOR, &["registrar".to_owned()])?;
    engine.grant(ACTOR, ACTOR, Held::Role(ROLE), None)?;
    Ok((engine, scratch))
}

fn run_for(engine: &Engine, load: Load, duration: Duration, progress: &mut dyn FnMut(Duration)) -> Result<Vec<u32>> {
    let begun = Instant::now();
    let submitted = std::cell::RefCell::new(Vec::new());
    let mut latencies = Vec::new();
    let mut failed = None;
    let mut index = 0_u64;
    engine.run_many(
        load,
        || {
            let elapsed = begun.elapsed();
            progress(elapsed);
            (elapsed < duration).then(|| {
                submitted.borrow_mut().push(Instant::now());
                index += 1;
                request(index)
            })
        },
        |ticket, result| match result {
            Ok(_) => {
                let at = usize::try_from(ticket).ok().and_then(|t| submitted.borrow().get(t).copied());
                let micros = at.map_or(0, |at| at.elapsed().as_micros());
                latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
            }
            Err(error) => {
                failed.get_or_insert(error);
            }
        },
    )?;
    failed.map_or(Ok(latencies), Err)
}

fn request(n: u64) -> RunRequest {
    let mut text = format!("{n:0>20}");
    text.push_str(&"x".repeat(TEXT_BYTES.saturating_sub(text.len())));
    let payload = json!({"data": {"text": text}, "n": 0});
    RunRequest { workflow: WORKFLOW.to_owned(), payload, ..RunRequest::default() }
}

/// A workspace that is removed when the measurement is over.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind at worst; the next measurement has another name.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn engine(dir: &Path, steps: usize, workers: usize) -> Result<(Engine, Scratch)> {
    let path = dir.join(format!("enact-bench-{}", crate::workspace::random_hex(4)?));
    let scratch = Scratch(path.clone());
    let (workspace, _) = Workspace::create(&path, Some("enact.local/bench"))?;
    for artifact in artifacts(steps) {
        let code = artifact["code"].as_str().unwrap_or_default();
        workspace.write_artifact(code, artifact.to_string().as_bytes())?;
    }
    workspace.seal()?;
    let threads = NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN);
    Ok((Engine::open(workspace, &EngineOptions::for_threads(threads))?, scratch))
}

/// A workflow of `steps` contracts of one pure step each, every one fed by the one before.
fn artifacts(steps: usize) -> Vec<Value> {
    let node = |i: usize| if i < steps { format!("CC_STEP_{i:03}") } else { "EXIT".to_owned() };
    let mut nodes = serde_json::Map::new();
    nodes.insert("IN_BENCH_GENERATED_V0".into(), json!({"intent": "IN_BENCH_GENERATED_V0", "next": {"ACK": node(0), "NACK": "EXIT"}}));
    for i in 0..steps {
        let next = json!({"SUCCESS": node(i + 1), "VIOLATION": "EXIT"});
        nodes.insert(node(i), json!({"contract": "CC_BENCH_GENERATED_V0", "inputs": {"data": "$.data", "n": "$.n"}, "next": next}));
    }
    nodes.insert("EXIT".into(), json!({}));
    let fields = json!({"data": {"type": "object"}, "n": {"type": "integer"}});
    vec![
        json!({"code": "IN_BENCH_GENERATED_V0", "summary": "A text and a counter",
               "schema": {"type": "object", "required": ["data", "n"], "properties": fields}}),
        json!({"code": WORKFLOW, "summary": "Steps in a row, for measurements", "start": "IN_BENCH_GENERATED_V0",
               "binding": "RB_BENCH_GENERATED_V0", "nodes": nodes}),
        json!({"code": "CC_BENCH_GENERATED_V0", "summary": "One pure step", "inputs": fields, "outputs": fields,
               "status": {"allowed": ["SUCCESS", "VIOLATION"]},
               "pipeline": [{"step": "echo", "capability": ECHO, "operation": "ECHO",
                             "inputs": {"data": "$.inputs.data", "n": "$.inputs.n"},
                             "outputs": {"data": "$.capability_result.data", "n": "$.capability_result.n"},
                             "surface": ["SUCCESS", "VIOLATION"], "on_result": {"SUCCESS": "exit", "VIOLATION": "exit"}}]}),
        json!({"code": "RB_BENCH_GENERATED_V0", "summary": "For measurements", "environment": "development",
               "parameters": [], "bindings": {(ECHO): {"host": "component", "module": "bench"}}}),
    ]
}

fn percentile(sorted_micros: &[u32], share: f64) -> f64 {
    let last = sorted_micros.len().saturating_sub(1);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of an index is an index")]
    let index = (last as f64 * share).round() as usize;
    sorted_micros.get(index).map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
}

fn file_size(engine: &Engine) -> u64 {
    std::fs::metadata(engine.workspace().ledger_path()).map_or(0, |m| m.len())
}

pub(crate) fn cpu_time() -> Duration {
    cpu_time::ProcessTime::try_now().map_or(Duration::ZERO, |t| t.as_duration())
}

/// Resident memory from `/proc`; 0 where there is none.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1_024.0
}
