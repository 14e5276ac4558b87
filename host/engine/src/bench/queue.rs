//! Items of the queue from READY to SETTLED: a real contract with checks, a component, movements, signatures and a settlement.
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::{ACTOR, BLOCK, ROLE, Scratch, artifacts, cpu_time, file_size, resident_mib};
use crate::engine::{Engine, EngineOptions};
use crate::error::{EngineError, Result};
use crate::govern::{Held, Proposed, Stream};
use crate::queue::{StopSign, WorkEvent, WorkOptions};
use crate::workspace::Workspace;

/// Accounts between which items move points; each is a subject that the validation asks for.
const POINTS: u64 = 1_000;
/// Most entries of a commit while items are queued.
const GROUP: usize = 1_024;

/// A load of items.
#[derive(Debug, Clone)]
pub struct QueueBench {
    /// Items to measure.
    pub items: u64,
    /// Items that are settled before.
    pub behind: u64,
    /// Workers.
    pub workers: NonZeroUsize,
    /// Items taken at a time, at most.
    pub batch: NonZeroUsize,
}

/// Figures of [`QueueBench`].
#[derive(Debug, Clone, Serialize)]
pub struct QueueFigures {
    /// Items measured.
    pub items: u64,
    /// Items settled before.
    pub behind: u64,
    /// Workers.
    pub workers: usize,
    /// Items taken at a time, at most.
    pub batch: usize,
    /// Items per second that were queued as records of a stream.
    pub queued_per_s: f64,
    /// Items per second that were validated and made READY, by one worker.
    pub ready_per_s: f64,
    /// Time from the first READY to the last SETTLED, s.
    pub seconds: f64,
    /// Items per second from READY to SETTLED.
    pub items_per_s: f64,
    /// CPU time of the process per 1,000 of these items, s.
    pub cpu_s_per_1000: f64,
    /// Durable transactions per 1,000 of these items.
    pub syncs_per_1000: f64,
    /// Growth of the ledger file per item, with its queueing, bytes.
    pub bytes_per_item: f64,
    /// Resident memory at the end, MiB.
    pub resident_mib: f64,
    /// The items behind them, as they were carried out: whether an item costs the same, however many there are.
    pub blocks: Vec<QueueBlock>,
}

/// Items that were carried out before those that are measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct QueueBlock {
    /// Items settled before these.
    pub behind: u64,
    /// Items of the block.
    pub items: u64,
    /// Items per second from READY to SETTLED.
    pub items_per_s: f64,
    /// CPU time of the process per 1,000 of these items, s.
    pub cpu_s_per_1000: f64,
}

/// How long each part of a load took.
#[derive(Default)]
struct Took {
    queued: Duration,
    ready: Duration,
    settled: Duration,
    cpu: Duration,
    syncs: u64,
    bytes: u64,
}

/// Measures items from READY to SETTLED, with others behind them. `progress` hears of items that were settled.
pub fn queue(dir: &Path, bench: &QueueBench, progress: &(dyn Fn(u64) + Sync)) -> Result<QueueFigures> {
    let (engine, _scratch) = workspace(dir, bench)?;
    let (mut at, mut blocks) = (0, Vec::new());
    while at < bench.behind {
        let items = BLOCK.min(bench.behind - at);
        let took = carried_out(&engine, bench, at..at + items, progress)?;
        let cpu_s_per_1000 = took.cpu.as_secs_f64() * 1_000.0 / items as f64;
        blocks.push(QueueBlock { behind: at, items, items_per_s: items as f64 / took.settled.as_secs_f64(), cpu_s_per_1000 });
        at += items;
    }
    let took = carried_out(&engine, bench, at..at + bench.items, progress)?;
    let count = bench.items.max(1) as f64;
    Ok(QueueFigures {
        items: bench.items,
        behind: bench.behind,
        workers: bench.workers.get(),
        batch: bench.batch.get(),
        queued_per_s: count / took.queued.as_secs_f64(),
        ready_per_s: count / took.ready.as_secs_f64(),
        seconds: took.settled.as_secs_f64(),
        items_per_s: count / took.settled.as_secs_f64(),
        cpu_s_per_1000: took.cpu.as_secs_f64() * 1_000.0 / count,
        syncs_per_1000: took.syncs as f64 * 1_000.0 / count,
        bytes_per_item: took.bytes as f64 / count,
        resident_mib: resident_mib(),
        blocks,
    })
}

/// Queues these items, makes them ready, and has them carried out.
fn carried_out(engine: &Engine, bench: &QueueBench, items: std::ops::Range<u64>, progress: &(dyn Fn(u64) + Sync)) -> Result<Took> {
    let count = items.end.saturating_sub(items.start);
    let size = file_size(engine);
    let mut took = Took::default();
    let begun = Instant::now();
    said(engine, items.map(item))?;
    took.queued = begun.elapsed();
    let begun = Instant::now();
    engine.queue_check(ACTOR)?;
    took.ready = begun.elapsed();
    let options = WorkOptions { actor: ACTOR.to_owned(), workers: bench.workers, once: true, batch: bench.batch, ..WorkOptions::default() };
    let (before, cpu, begun) = (engine.store().stats(), cpu_time(), Instant::now());
    let told = |event: &WorkEvent| {
        if event.event == "settled" {
            progress(1);
        }
    };
    let report = engine.work(&options, &StopSign::new(), &told)?;
    took.settled = begun.elapsed();
    took.cpu = cpu_time().saturating_sub(cpu);
    took.syncs = engine.store().stats().transactions.saturating_sub(before.transactions);
    if report.settled != count {
        return Err(EngineError::Internal { detail: format!("{} of {count} items were settled: {report:?}", report.settled) });
    }
    engine.settle()?;
    took.bytes = file_size(engine).saturating_sub(size);
    Ok(took)
}

/// Proposes records, one an entry.
fn said(engine: &Engine, records: impl Iterator<Item = Proposed>) -> Result<()> {
    let jobs = NonZeroUsize::MIN.saturating_add(1);
    let stream = Stream { jobs, group: NonZeroUsize::new(GROUP).unwrap_or(NonZeroUsize::MIN), sign: false };
    let (send, source) = crossbeam_channel::unbounded();
    for proposed in records {
        // The receiving end is in this function.
        let _ = send.send(vec![proposed]);
    }
    drop(send);
    let mut failed = None;
    engine.propose_each(ACTOR, stream, &source, |_, result| {
        if let Err(error) = result {
            failed.get_or_insert(error);
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn point(n: u64) -> Proposed {
    Proposed::of("BENCH_POINT", "BENCH.POINT", &format!("BenchPoint:{n:03}"), json!({"text": "An account."}))
}

fn item(n: u64) -> Proposed {
    let (from, to) = (n % POINTS, (n * 7 + 1) % POINTS);
    let payload = json!({"from": format!("{from:03}"), "to": format!("{to:03}"), "amount": "1250", "n": 0,
                         "data": {"text": "A request of the usual size says a little more than this."}});
    Proposed::of("BENCH_JOB", "BENCH.QUEUE", &format!("BenchJob:JOB-{n:012}"), payload)
}

/// A founded workspace with a queue contract.
fn workspace(dir: &Path, bench: &QueueBench) -> Result<(Engine, Scratch)> {
    let path = dir.join(format!("enact-bench-{}", crate::workspace::random_hex(4)?));
    let scratch = Scratch(path.clone());
    let (workspace, _) = Workspace::create(&path, Some("enact.local/bench"))?;
    for artifact in artifacts(1).into_iter().chain(governance()) {
        workspace.write_artifact(artifact["code"].as_str().unwrap_or_default(), artifact.to_string().as_bytes())?;
    }
    workspace.seal()?;
    let engine = Engine::open(workspace, &EngineOptions::for_threads(bench.workers))?;
    engine.found(ACTOR, &["registrar".to_owned()])?;
    engine.grant(ACTOR, ACTOR, Held::Role(ROLE), None)?;
    said(&engine, (0..POINTS).map(point))?;
    Ok((engine, scratch))
}

/// Points, jobs that move them, who may say what, and the contract.
fn governance() -> Vec<Value> {
    let row =
        |row: &str, actions: &[&str], signature: bool| json!({"row": row, "actions": actions, "roles": [ROLE], "signature": signature});
    let leg = |debit: &str, credit: &str| json!([{"debit": debit, "credit": credit, "asset": "POINT", "amount": "$.kept.amount"}]);
    let name = json!({"type": "name", "required": true, "keep": true});
    let fields = json!({"from": name, "to": name, "amount": {"type": "amount", "required": true, "keep": true},
                        "n": {"type": "integer", "required": true, "keep": true}, "data": {"type": "object", "required": true, "keep": true}});
    let executed =
        json!({"run": {"type": "name", "required": true, "keep": true}, "context": {"type": "digest", "required": true, "keep": true}});
    let check = |guard: Value, reason: &str| {
        let mut guard = guard;
        guard["reason"] = json!(reason);
        guard
    };
    let there = |member: &str, reason: &str| {
        let subject = format!("BenchPoint:{{kept.{member}}}");
        [
            check(json!({"guard": "exists", "subject": subject}), reason),
            check(json!({"guard": "state_in", "subject": subject, "states": ["MADE"]}), reason),
        ]
    };
    let parties: Vec<Value> = there("from", "from_unknown").into_iter().chain(there("to", "to_unknown")).collect();
    vec![
        json!({"code": "LC_BENCH_POINT_V0", "summary": "Accounts, for measurements.", "record": "BENCH_POINT", "kind": "TRANSITION",
               "subject": "BenchPoint", "states": {"MADE": {"terminal": true}},
               "actions": {"BENCH.POINT": {"summary": "An account.", "from": [], "to": "MADE",
                                           "fields": {"text": {"type": "text", "required": true, "keep": true}}}}}),
        json!({"code": "LC_BENCH_JOB_V0", "summary": "Items, for measurements.", "record": "BENCH_JOB", "kind": "TRANSITION",
               "subject": "BenchJob",
               "states": {"QUEUED": {}, "DONE": {}, "SETTLED": {"terminal": true}, "FAILED": {"terminal": true}, "VOID": {"terminal": true}},
               "actions": {
                   "BENCH.QUEUE": {"summary": "Queues.", "from": [], "to": "QUEUED", "fields": fields},
                   "BENCH.EXECUTE": {"summary": "Executes.", "from": ["QUEUED"], "to": "DONE", "fields": executed,
                                     "consumes": ["job:{id}"], "postings": leg("point:{kept.from}", "benched:{id}")},
                   "BENCH.SETTLE": {"summary": "Settles.", "from": ["DONE"], "to": "SETTLED",
                                    "postings": leg("benched:{id}", "point:{kept.to}")},
                   "BENCH.FAIL": {"summary": "Fails.", "from": ["QUEUED"], "to": "FAILED"},
                   "BENCH.VOID": {"summary": "Voids.", "from": ["QUEUED"], "to": "VOID"}}}),
        json!({"code": "AM_BENCH_V0", "summary": "Who measures.",
               "rows": [row("plain", &["BENCH.POINT", "BENCH.QUEUE"], false),
                        row("signed", &["BENCH.EXECUTE", "BENCH.SETTLE", "BENCH.FAIL", "BENCH.VOID"], true)]}),
        json!({"code": "AS_BENCH_V0", "summary": "Points, for measurements.", "assets": {"POINT": {"class": "fungible"}},
               "accounts": {"point:{}": {"class": "holder", "floor": "-1000000000000000"}, "benched:{BenchJob}": {"class": "escrow"}}}),
        json!({"code": "QC_BENCH_V0", "summary": "Items, for measurements.", "record": "BENCH_JOB", "prefix": "JOB",
               "actions": {"queue": "BENCH.QUEUE", "execute": "BENCH.EXECUTE", "settle": "BENCH.SETTLE", "fail": "BENCH.FAIL",
                           "void": "BENCH.VOID"},
               "facts": {"QUEUED": [], "DONE": ["executed"], "SETTLED": ["executed", "settled"], "FAILED": ["failed"], "VOID": ["void"]},
               "validation": [
                   {"group": "job_ok", "checks": [
                       check(json!({"guard": "key_unconsumed", "key": "job:{id}"}), "done_already"),
                       check(json!({"guard": "field_positive", "field": "$.kept.amount"}), "amount_not_positive")]},
                   {"group": "parties_ok", "checks": parties}],
               "workflow": super::WORKFLOW, "payload": {"data": "$.kept.data", "n": "$.kept.n"},
               "execute": {"run": "$.run.id", "context": "$.run.context"}, "settlement": {"mode": "internal"},
               "trigger": {"roles": [ROLE]}}),
    ]
}
