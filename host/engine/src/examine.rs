//! Audits many runs: in parallel for re-execution, in ledger order for the state, and with a second engine before anyone is accused.
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use enact_wasm::Backend;
use serde::Serialize;

use crate::audit::{Auditor, Diverged, Inconclusive, Verdict};
use crate::engine::Engine;
use crate::error::Result;
use crate::lanes::in_order;
use crate::state::{StateAudit, StateCounts};

/// What to audit, and how.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// Entries to audit; none means all.
    pub entries: Option<Vec<u64>>,
    /// Threads that re-execute.
    pub jobs: NonZeroUsize,
    /// Refold the host stores and check every recorded read. Needs all entries.
    pub state: bool,
    /// Engines to re-execute with, one after the other.
    pub backends: Vec<Backend>,
}

/// What an audit found; the stable shape of `enact audit --json`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AuditReport {
    /// Runs looked at.
    pub runs: u64,
    /// Runs that came out equal on every engine asked for.
    pub replayed: u64,
    /// Runs about which nothing can be said here.
    pub inconclusive: Vec<Inconclusive>,
    /// Differences: the first of each run.
    pub diverged: Vec<Diverged>,
    /// Runs whose fuel was not compared, because another engine recorded them.
    pub fuel_not_compared: u64,
    /// Calls of modules with WASI among those executed again. Their clock begins at the recorded time of the run and their randomness
    /// follows from a recorded seed, so nothing of them is taken on trust but that seed.
    #[serde(skip_serializing_if = "is_zero")]
    pub wasi_calls: u64,
    /// Counts of the state audit, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateCounts>,
    /// What this audit did not look at.
    pub not_checked: Vec<String>,
    /// `REPLAYED`, `INCONCLUSIVE` or `DIVERGED`.
    pub verdict: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Engine {
    /// Audits runs; `progress` is told after each.
    pub fn audit(&self, options: &AuditOptions, mut progress: impl FnMut(u64)) -> Result<AuditReport> {
        let size = self.store().reader()?.head()?.size;
        let entries: Vec<u64> = match &options.entries {
            Some(entries) => entries.clone(),
            None => (0..size).collect(),
        };
        let mut report = AuditReport::default();
        let mut state = options.state.then(StateAudit::default);
        let mut failed: BTreeMap<u64, ()> = BTreeMap::new();
        let mut governed: BTreeSet<u64> = BTreeSet::new();
        let mut unread: u64 = 0;
        let jobs = u32::try_from(options.jobs.get()).unwrap_or(1);
        for (pass, backend) in options.backends.iter().enumerate() {
            let auditor = Auditor::new(self, *backend, jobs)?;
            let other = Second { engine: self, first: *backend };
            let mut state = if pass == 0 { state.as_mut() } else { None };
            each(self, &auditor, &entries, options.jobs, |seq, verdict| {
                let verdict = other.confirm(verdict, seq)?;
                match verdict {
                    Verdict::Replayed(replayed) => {
                        report.fuel_not_compared += u64::from(!replayed.fuel_compared);
                        report.wasi_calls += replayed.wasi_calls;
                        if let Some(state) = state.as_mut() {
                            // What a run wrote that could not be applied is missing from then on: no later one is accused of it.
                            if !failed.is_empty() {
                                unread += 1;
                            } else if let Some(diverged) = state.apply(&replayed)? {
                                failed.insert(seq, ());
                                report.diverged.push(diverged);
                            }
                        }
                    }
                    Verdict::NoRun => {
                        governed.insert(seq);
                    }
                    Verdict::Inconclusive(inconclusive) => {
                        if failed.insert(seq, ()).is_none() {
                            report.inconclusive.push(inconclusive);
                        }
                    }
                    Verdict::Diverged(diverged) => {
                        if failed.insert(seq, ()).is_none() {
                            report.diverged.push(*diverged);
                        }
                    }
                }
                progress(seq);
                Ok(())
            })?;
        }
        report.runs = (entries.len() - governed.len()) as u64;
        if !governed.is_empty() {
            report.not_checked.push(format!("{} governed entries (`enact verify --rebuild`)", governed.len()));
        }
        report.replayed = report.runs.saturating_sub(failed.len() as u64);
        if let Some(mut state) = state {
            if failed.is_empty() && options.entries.is_none() {
                let differences = state.compare(&mut self.store().reader()?)?;
                let located = differences.into_iter().map(|at| Diverged { run: String::new(), seq: size, at });
                report.diverged.extend(located);
            } else {
                report.not_checked.push("the stored tables against the refolded ones: not every run could be applied".to_owned());
            }
            if unread > 0 {
                report.not_checked.push(format!("recorded reads of {unread} runs after the first that could not be applied"));
            }
            report.state = Some(state.counts());
        } else {
            report.not_checked.push("recorded reads against the stores of the time (`--state`)".to_owned());
        }
        report.not_checked.push("chain, tree and checkpoints (`enact verify`)".to_owned());
        report.verdict = match (report.diverged.is_empty(), report.inconclusive.is_empty()) {
            (false, _) => "DIVERGED",
            (true, false) => "INCONCLUSIVE",
            (true, true) => "REPLAYED",
        };
        Ok(report)
    }
}

/// A second engine for a run that differs on the first: two engines must agree before a record is called wrong.
struct Second<'a> {
    engine: &'a Engine,
    first: Backend,
}

impl Second<'_> {
    fn confirm(&self, verdict: Verdict, seq: u64) -> Result<Verdict> {
        let Verdict::Diverged(found) = verdict else { return Ok(verdict) };
        if self.first != Backend::Native || !found.at.code.starts_with("step_") {
            return Ok(Verdict::Diverged(found));
        }
        let second = Auditor::new(self.engine, Backend::Pulley, 1)?;
        match second.audit(&mut self.engine.store().reader()?, seq)? {
            Verdict::Replayed(_) => Ok(Verdict::Inconclusive(Inconclusive {
                run: found.run.clone(),
                seq,
                code: "engines_disagree".to_owned(),
                detail: format!("compiled code differs at `{}`, the interpreter agrees with the record", found.at.node),
            })),
            Verdict::Inconclusive(_) | Verdict::Diverged(_) | Verdict::NoRun => Ok(Verdict::Diverged(found)),
        }
    }
}

/// Audits entries on `jobs` threads and hands the verdicts over in the order of the entries.
pub(crate) fn each(
    engine: &Engine,
    auditor: &Auditor<'_>,
    entries: &[u64],
    jobs: NonZeroUsize,
    mut take: impl FnMut(u64, Verdict) -> Result<()>,
) -> Result<()> {
    let worker = || {
        let mut reader = engine.store().reader()?;
        Ok(move |item: u64| {
            let seq = entries.get(usize::try_from(item).unwrap_or(usize::MAX)).copied().unwrap_or(u64::MAX);
            Ok((seq, auditor.audit(&mut reader, seq)?))
        })
    };
    in_order(jobs, entries.len() as u64, worker, |verdicts| {
        for verdict in verdicts {
            let (seq, verdict) = verdict?;
            take(seq, verdict)?;
        }
        Ok(())
    })
}
