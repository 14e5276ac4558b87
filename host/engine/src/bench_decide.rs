//! What deciding costs: the ballot is read, the decision appended, its one movement appended after it, both durable.
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use enact_core::govern::decision::Verdict;
use serde::Serialize;
use serde_json::{Value, json};

use crate::bench::{Scratch, cpu_time};
use crate::engine::{Engine, EngineOptions};
use crate::error::Result;
use crate::govern::{DecideOptions, Held, Outcome, Proposed, Stream};
use crate::workspace::Workspace;

/// A load of decisions.
#[derive(Debug, Clone)]
pub struct DecideBench {
    /// Decisions to measure.
    pub decisions: u64,
    /// Records carry signatures, which are checked.
    pub signed: bool,
    /// Threads that draft, sign and check.
    pub jobs: NonZeroUsize,
    /// Most entries of one commit.
    pub group: NonZeroUsize,
}

/// Figures of [`DecideBench`].
#[derive(Debug, Clone, Serialize)]
pub struct DecideFigures {
    /// Decisions measured, with one movement each: two entries, three records.
    pub decisions: u64,
    /// Each record's signature was checked.
    pub signed: bool,
    /// Measured time, s.
    pub seconds: f64,
    /// Decisions that were made and carried out per second, durably.
    pub decisions_per_s: f64,
    /// CPU time of the process per 1,000 decisions, s.
    pub cpu_s_per_1000: f64,
    /// Durable transactions per decision.
    pub syncs_per_decision: f64,
}

/// Who does everything.
const ACTOR: &str = "bench";
/// Role that may do everything.
const ROLE: &str = "bencher";

/// Measures decisions. Proposals and ballots are in the ledger, and one decision is made, before the clock starts.
///
/// # Errors
/// Whatever keeps one of them from being decided and carried out.
pub fn decide(dir: &Path, bench: &DecideBench, mut progress: impl FnMut(u64)) -> Result<DecideFigures> {
    let path = dir.join(format!("enact-bench-{}", crate::workspace::random_hex(4)?));
    let _scratch = Scratch::new(path.clone());
    let (workspace, _) = Workspace::create(&path, Some("enact.local/bench"))?;
    for artifact in artifacts(bench.signed) {
        workspace.write_artifact(artifact["code"].as_str().unwrap_or_default(), artifact.to_string().as_bytes())?;
    }
    workspace.seal()?;
    let engine = Engine::open(workspace, &EngineOptions::default())?;
    engine.found(ACTOR, &["registrar".to_owned()])?;
    engine.grant(ACTOR, ACTOR, Held::Role(ROLE), None)?;
    let subjects = prepared(&engine, bench)?;
    let options = DecideOptions { verdict: Verdict::Carried, execute: true, sign: bench.signed, group: bench.group, jobs: bench.jobs };
    let mut failed = None;
    let mut each = |outcome: Outcome| {
        if outcome.executed.is_none() {
            failed.get_or_insert_with(|| outcome.stopped.map(|stopped| stopped.detail).unwrap_or_default());
        }
    };
    // The first decision of a workspace has the invariant's module compiled, once for ever.
    let (first, subjects) = subjects.split_at(subjects.len().min(1));
    engine.decide(ACTOR, first, &options, &mut each)?;
    let (before, cpu, begun) = (engine.store().stats(), cpu_time(), Instant::now());
    engine.decide(ACTOR, subjects, &options, |outcome| {
        progress(1);
        each(outcome);
    })?;
    if let Some(detail) = failed {
        return Err(crate::error::EngineError::Internal { detail: format!("a decision was not carried out: {detail}") });
    }
    let (seconds, cpu): (Duration, Duration) = (begun.elapsed(), cpu_time().saturating_sub(cpu));
    let count = bench.decisions.max(1) as f64;
    Ok(DecideFigures {
        decisions: bench.decisions,
        signed: bench.signed,
        seconds: seconds.as_secs_f64(),
        decisions_per_s: count / seconds.as_secs_f64(),
        cpu_s_per_1000: cpu.as_secs_f64() * 1_000.0 / count,
        syncs_per_decision: engine.store().stats().transactions.saturating_sub(before.transactions) as f64 / count,
    })
}

/// Opens all proposals, each with two ballots.
fn prepared(engine: &Engine, bench: &DecideBench) -> Result<Vec<String>> {
    let (send, source) = crossbeam_channel::unbounded();
    let mut subjects = Vec::new();
    for n in 0..=bench.decisions {
        let id = format!("{n:08}");
        let subject = format!("BenchMotion:{id}");
        let effect = json!({"effect": "bench_move", "from": format!("{:03}", n % 1_000), "to": format!("{:03}", (n * 7 + 1) % 1_000), "amount": "1250"});
        let open = Proposed::of("BENCH_MOTION", "BENCH.OPEN", &subject, json!({"what": {"effects": [effect]}}));
        let leg = |account: &str, side: &str| json!({"account": account, "amount": "2", "asset": "BENCH_BALLOT", "side": side});
        let mut ballot = Proposed::of("BENCH_BALLOT", "BENCH.VOTE", &format!("BenchBallot:{id}"), json!({"motion": id}));
        ballot.postings = serde_json::from_value(json!([leg("bench-ballots", "debit"), leg(&format!("bench-yes:{id}"), "credit")])).ok();
        // The receiving end is in this function.
        let _ = send.send(vec![open, ballot]);
        subjects.push(subject);
    }
    drop(send);
    let mut failed = None;
    let stream = Stream { jobs: bench.jobs, group: bench.group, sign: false };
    engine.propose_each(ACTOR, stream, &source, |_, result| {
        if let Err(error) = result {
            failed.get_or_insert(error);
        }
    })?;
    failed.map_or(Ok(subjects), Err)
}

/// The smallest ballot there is, and one thing that can be decided.
fn artifacts(signed: bool) -> [Value; 6] {
    let hash = json!({"sha256": ["bench:decision:v1:", "$.id", ":", {"canonical": "$.kept.what"}, ":", {"canonical": "$.payload.tally"}]});
    let object = json!({"type": "object", "required": true, "keep": true});
    let name = json!({"type": "name", "required": true});
    let leg = |debit: &str, credit: &str, asset: &str, amount: &str| json!([{"debit": debit, "credit": credit, "asset": asset, "amount": amount}]);
    let row = |row: &str, actions: Value, signature: bool| json!({"row": row, "actions": actions, "roles": [ROLE], "signature": signature});
    let members = json!({"from": name, "to": name, "amount": {"type": "amount", "required": true}});
    [
        json!({"code": "LC_BENCH_MOTION_V0", "summary": "Proposals, for measurements.", "record": "BENCH_MOTION", "kind": "TRANSITION", "subject": "BenchMotion",
            "states": {"OPEN": {}, "DECIDED": {}, "DONE": {"terminal": true}, "FAILED": {"terminal": true}}, "actions": {
                "BENCH.OPEN": {"summary": "Opens.", "from": [], "to": "OPEN", "fields": {"what": object}},
                "BENCH.DECIDE": {"summary": "Decides.", "from": ["OPEN"], "to": "DECIDED",
                    "fields": {"tally": object, "decision_hash": {"type": "digest", "required": true, "keep": true}},
                    "guards": [{"guard": "field_equals", "left": "$.payload.decision_hash", "right": hash}, {"guard": "field_positive", "field": "$.payload.tally.yes"}],
                    "invariants": [{"capability": "CT_INVARIANT_EMPTIED_V0", "module": "invariants"}],
                    "postings": leg("bench-yes:{id}", "bench-counted", "BENCH_BALLOT", "$.payload.tally.yes")},
                "BENCH.DO": {"summary": "Carries out.", "from": ["DECIDED"], "to": "DONE", "consumes": ["decision:{kept.decision_hash}"]},
                "BENCH.FAIL": {"summary": "Fails.", "from": ["DECIDED"], "to": "FAILED", "fields": {"code": name}}}}),
        json!({"code": "LC_BENCH_BALLOT_V0", "summary": "Ballots, for measurements.", "record": "BENCH_BALLOT", "kind": "POSTING", "subject": "BenchBallot", "actions": {
                "BENCH.VOTE": {"summary": "Votes twice.", "fields": {"motion": name}, "postings": leg("bench-ballots", "bench-yes:{payload.motion}", "BENCH_BALLOT", "2")}}}),
        json!({"code": "LC_BENCH_MOVE_V0", "summary": "Movements, for measurements.", "record": "BENCH_MOVE", "kind": "POSTING", "subject": "BenchMove", "actions": {
                "BENCH.MOVE": {"summary": "A movement.", "fields": members, "postings": leg("point:{payload.from}", "point:{payload.to}", "POINT", "$.payload.amount")}}}),
        json!({"code": "DC_BENCH_V0", "summary": "What is decided, for measurements.", "record": "BENCH_MOTION", "effects_in": "what",
            "actions": {"open": "BENCH.OPEN", "decide": "BENCH.DECIDE", "execute": "BENCH.DO", "fail": "BENCH.FAIL"},
            "effects": {"bench_move": {"summary": "A movement.", "fields": members, "records": [
                {"action": "BENCH.MOVE", "subject": "BenchMove:{id}.{n}", "payload": {"from": "$.effect.from", "to": "$.effect.to", "amount": "$.effect.amount"}}]}}}),
        json!({"code": "AM_BENCH_V0", "summary": "Who measures.", "rows": [row("before", json!(["BENCH.OPEN", "BENCH.VOTE"]), false),
            row("measured", json!(["BENCH.DECIDE", "BENCH.DO", "BENCH.FAIL", "BENCH.MOVE"]), signed)]}),
        json!({"code": "AS_BENCH_V0", "summary": "Points, for measurements.", "assets": {"POINT": {"class": "fungible"}, "BENCH_BALLOT": {"class": "fungible"}},
            "accounts": {"point:{}": {"class": "holder", "floor": "-1000000000000000"}, "bench-ballots": {"class": "source", "floor": null},
                "bench-counted": {"class": "sink"}, "bench-yes:{BenchMotion}": {"class": "holder"}}}),
    ]
}
