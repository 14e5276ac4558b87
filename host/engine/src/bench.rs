//! Measurements of the real engine on the real store: no shortcut that any other run would not take.
//!
//! Every figure comes from a workspace of its own, made for the measurement and removed after it.
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use enact_wasm::{Backend, Limits, Outcome};
use serde::Serialize;
use serde_json::{Value, json};

use crate::engine::{Engine, EngineOptions, RunRequest};
use crate::error::{EngineError, Result};
use crate::examine::AuditOptions;
use crate::pool::Load;
use crate::workspace::Workspace;

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

/// Figures of audits and verifications.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayFigures {
    /// Runs in the ledger.
    pub runs: u64,
    /// Size of the ledger file, bytes.
    pub bytes: u64,
    /// Time taken, s.
    pub seconds: f64,
    /// Runs per second.
    pub runs_per_s: f64,
    /// Ledger bytes per second, MB.
    pub mb_per_s: f64,
    /// How it came out.
    pub verdict: String,
}

/// Measures the re-execution of `runs` nine-step workflows on `jobs` threads.
pub fn audit(dir: &Path, runs: u64, jobs: NonZeroUsize, backend: Backend) -> Result<ReplayFigures> {
    let (engine, _scratch) = filled(dir, runs, jobs)?;
    let options = AuditOptions { entries: None, jobs, state: false, backends: vec![backend] };
    let begun = Instant::now();
    let report = engine.audit(&options, |_| {})?;
    Ok(replay_figures(&engine, runs, begun.elapsed(), report.verdict))
}

/// Measures the verification of a ledger of `runs` nine-step workflows.
pub fn verify(dir: &Path, runs: u64, jobs: NonZeroUsize) -> Result<ReplayFigures> {
    let (engine, _scratch) = filled(dir, runs, jobs)?;
    let begun = Instant::now();
    let report = engine.verify(None, |_| {})?;
    Ok(replay_figures(&engine, runs, begun.elapsed(), report.verdict))
}

fn filled(dir: &Path, runs: u64, jobs: NonZeroUsize) -> Result<(Engine, Scratch)> {
    let (engine, scratch) = engine(dir, 9, jobs.get())?;
    let in_flight = NonZeroUsize::MIN.saturating_add(127);
    let (mut started, mut failed) = (0, None);
    engine.run_many(
        Load { workers: jobs, in_flight },
        || {
            started += 1;
            (started <= runs).then(|| request(started))
        },
        |_, result| {
            if let Err(error) = result {
                failed.get_or_insert(error);
            }
        },
    )?;
    engine.settle()?;
    failed.map_or(Ok((engine, scratch)), Err)
}

fn replay_figures(engine: &Engine, runs: u64, took: Duration, verdict: &str) -> ReplayFigures {
    let (seconds, bytes) = (took.as_secs_f64(), file_size(engine));
    ReplayFigures {
        runs,
        bytes,
        seconds,
        runs_per_s: runs as f64 / seconds,
        mb_per_s: bytes as f64 / 1e6 / seconds,
        verdict: verdict.to_owned(),
    }
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
struct Scratch(PathBuf);

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
    let calls_max = u32::try_from(workers).unwrap_or(u32::MAX).saturating_add(1);
    Ok((Engine::open(workspace, &EngineOptions { calls_max, ..EngineOptions::default() })?, scratch))
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

fn cpu_time() -> Duration {
    cpu_time::ProcessTime::try_now().map_or(Duration::ZERO, |t| t.as_duration())
}

/// Resident memory from `/proc`; 0 where there is none.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1_024.0
}
