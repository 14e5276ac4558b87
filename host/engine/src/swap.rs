//! What if another module had run? Past runs executed again with one module in the place of another, and what each module uses.
//!
//! Both are audits with something added, and write nothing. `CS_` answers come from the transcripts: a new module that asks the host for
//! something else has diverged, and the world is not asked.
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use enact_core::hash::{Digest, blob_hash};
use enact_wasm::{Answer, CallReport, Fault, Module, Outcome};
use serde::Serialize;
use serde_json::{Value, json};

use crate::audit::{Auditor, Diverged, Inconclusive, Verdict};
use crate::bound::ModuleSource;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::examine::each;
use crate::workspace::Workspace;

/// Differences of one answer that are told; the first ones say what kind of thing has changed.
const DIFFERENCES_MAX: usize = 10;
/// Runs read at a time while looking for those that a module served.
const PAGE: u64 = 256;

/// A module in the place of another.
pub(crate) struct Swap {
    pub(crate) old: String,
    pub(crate) original: Module,
    bytes: Vec<u8>,
}

/// The modules of a workspace, with one of them swapped.
pub(crate) struct Swapped<'a> {
    pub(crate) swap: &'a Swap,
    pub(crate) workspace: &'a Workspace,
}

impl ModuleSource for Swapped<'_> {
    fn module(&self, digest: &str) -> Result<Vec<u8>> {
        if digest == self.swap.old { Ok(self.swap.bytes.clone()) } else { self.workspace.module_bytes(digest) }
    }
}

/// What came of it; the stable shape of `enact audit --swap --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SwapReport {
    /// The module whose runs were executed again.
    pub old: String,
    /// The one in its place.
    pub new: String,
    /// Runs that the old one served and that were looked at.
    pub runs: u64,
    /// Those that came out equal.
    pub equal: u64,
    /// Runs about which nothing can be said.
    pub inconclusive: Vec<Inconclusive>,
    /// The first difference of each run, oldest first.
    pub diverged: Vec<Diverged>,
    /// `EQUAL`, `INCONCLUSIVE` or `DIVERGED`.
    pub verdict: &'static str,
    /// What a comparison of recorded runs cannot say.
    pub not_checked: Vec<&'static str>,
}

impl SwapReport {
    /// What a ratification can name as the comparison that it relies on: the hash of the report.
    ///
    /// # Errors
    /// [`EngineError::PayloadValue`] when the report cannot be written canonically.
    pub fn digest(&self) -> Result<Digest> {
        Ok(blob_hash(crate::canonical::text(&json!(self))?.as_bytes()))
    }
}

/// What one module used in the runs looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Used {
    /// Calls.
    pub calls: u64,
    /// Fuel of the calls that were answered.
    pub fuel: u64,
    /// Most fuel of one call.
    pub fuel_max: u64,
    /// Time of the calls as they were executed again here, in microseconds.
    pub micros: u64,
    /// Requests to the host.
    pub host_calls: u64,
    /// Requests that were denied or over a limit.
    pub refusals: u64,
    /// Calls that ended in a trap, by its code.
    pub traps: BTreeMap<String, u64>,
}

/// Adds up what modules use.
#[derive(Default)]
pub(crate) struct Meter(Mutex<BTreeMap<String, Used>>);

impl Meter {
    pub(crate) fn add(&self, digest: &str, took: Duration, report: &CallReport) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = all.entry(digest.to_owned()).or_default();
        let fuel = report.fuel_used.unwrap_or_default();
        used.calls += 1;
        used.fuel = used.fuel.saturating_add(fuel);
        used.fuel_max = used.fuel_max.max(fuel);
        used.micros = used.micros.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        used.host_calls += report.host_calls.len() as u64;
        let refused = |answer: &Answer| matches!(answer, Answer::Fault(Fault::Denied(_) | Fault::Limit(_)));
        used.refusals += report.host_calls.iter().filter(|call| refused(&call.answer)).count() as u64;
        if let Outcome::Trap(code) = &report.outcome {
            *used.traps.entry(code.code().to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn read(self) -> BTreeMap<String, Used> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What each module used; the stable shape of `enact module stats --json`.
#[derive(Debug, Clone, Serialize)]
pub struct StatsReport {
    /// Runs looked at.
    pub runs: u64,
    /// Runs that could not be executed again as they were: what they used is not counted in full.
    pub not_replayed: u64,
    /// By digest.
    pub modules: BTreeMap<String, Used>,
}

impl Engine {
    /// Executes the last runs that `old` served again with `new` in its place. Writes nothing.
    ///
    /// # Errors
    /// [`EngineError::ModuleRefused`] when the new one cannot be admitted or has another world.
    pub fn what_if(
        &self,
        old: &str,
        new: Vec<u8>,
        last: Option<u64>,
        jobs: NonZeroUsize,
        mut progress: impl FnMut(u64),
    ) -> Result<SwapReport> {
        let original = self.module(old, old)?;
        let other = crate::bound::admit(self.sandbox(), &new, "the new module")?;
        if other.kind() != original.kind() {
            let detail = format!("it is a {}, the old one is a {}", other.kind().name(), original.kind().name());
            return Err(EngineError::ModuleRefused { module: other.digest().to_owned(), code: "world".to_owned(), detail });
        }
        let entries = self.served(Some(old), last)?;
        let swap = Swap { old: old.to_owned(), original, bytes: new };
        let auditor = Auditor::swapping(self, u32::try_from(jobs.get()).unwrap_or(1), swap)?;
        let mut report = SwapReport {
            old: old.to_owned(),
            new: other.digest().to_owned(),
            runs: entries.len() as u64,
            equal: 0,
            inconclusive: Vec::new(),
            diverged: Vec::new(),
            verdict: "EQUAL",
            not_checked: vec![
                "inputs that no run had",
                "what a side effect would be answered today: it was served from transcripts",
                "fuel",
            ],
        };
        each(self, &auditor, &entries, jobs, |seq, verdict| {
            match verdict {
                Verdict::Replayed(_) => report.equal += 1,
                Verdict::Inconclusive(inconclusive) => report.inconclusive.push(inconclusive),
                Verdict::Diverged(diverged) => report.diverged.push(*diverged),
                Verdict::NoRun => {}
            }
            progress(seq);
            Ok(())
        })?;
        report.verdict = match (report.diverged.is_empty(), report.inconclusive.is_empty()) {
            (false, _) => "DIVERGED",
            (true, false) => "INCONCLUSIVE",
            (true, true) => "EQUAL",
        };
        Ok(report)
    }

    /// What modules used in the last runs, by executing these again.
    ///
    /// # Errors
    /// [`EngineError::Store`] when the ledger cannot be read.
    pub fn module_stats(
        &self,
        module: Option<&str>,
        last: Option<u64>,
        jobs: NonZeroUsize,
        mut progress: impl FnMut(u64),
    ) -> Result<StatsReport> {
        let entries = self.served(module, last)?;
        let auditor = Auditor::metering(self, u32::try_from(jobs.get()).unwrap_or(1))?;
        let mut not_replayed = 0;
        each(self, &auditor, &entries, jobs, |seq, verdict| {
            not_replayed += u64::from(!matches!(verdict, Verdict::Replayed(_)));
            progress(seq);
            Ok(())
        })?;
        let mut modules = auditor.metered();
        if let Some(module) = module {
            modules.retain(|digest, _| digest == module);
        }
        Ok(StatsReport { runs: entries.len() as u64, not_replayed, modules })
    }

    /// Entries of the last runs that a module served, or of the last runs at all, oldest first.
    fn served(&self, module: Option<&str>, last: Option<u64>) -> Result<Vec<u64>> {
        let mut reader = self.store().reader()?;
        let wanted = usize::try_from(last.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < wanted {
            let page = reader.runs(after, PAGE, true)?;
            let Some(oldest) = page.last() else { break };
            after = Some(oldest.seq);
            for run in &page {
                let entry = reader.entry(run.seq)?;
                let receipt = entry.as_ref().and_then(|entry| crate::evidence::receipt(entry).ok());
                let ours = |receipt: &enact_core::receipt::RunReceipt| {
                    module.is_none_or(|module| receipt.modules.values().any(|digest| digest.to_string() == module))
                };
                if receipt.as_ref().is_some_and(ours) && found.len() < wanted {
                    found.push(run.seq);
                }
            }
        }
        found.reverse();
        Ok(found)
    }
}

/// Where two answers differ: status, then members of the outputs by their path.
pub(crate) fn differences(before: &Outcome, status: &str, outputs: &str) -> Vec<Value> {
    let (old_status, old_outputs) = match before {
        Outcome::Ok { status, outputs } => (status.as_str(), serde_json::from_str(outputs).unwrap_or(Value::Null)),
        Outcome::Trap(code) => (code.code(), Value::Null),
        Outcome::Bound(code) => (code.code(), Value::Null),
        Outcome::Infra(code) => (code.code(), Value::Null),
    };
    let mut found = Vec::new();
    if old_status != status {
        found.push(json!({"at": "status", "before": old_status, "after": status}));
    }
    compare("outputs", &old_outputs, &serde_json::from_str(outputs).unwrap_or(Value::Null), &mut found);
    found
}

fn compare(at: &str, before: &Value, after: &Value, found: &mut Vec<Value>) {
    if found.len() >= DIFFERENCES_MAX || before == after {
        return;
    }
    if let (Value::Object(before), Value::Object(after)) = (before, after) {
        let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (a, b) = (before.get(name).unwrap_or(&Value::Null), after.get(name).unwrap_or(&Value::Null));
            compare(&format!("{at}.{name}"), a, b, found);
        }
        return;
    }
    found.push(json!({"at": at, "before": before, "after": after}));
}
