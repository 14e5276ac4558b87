//! The state audit: refold the host stores from the committed runs and check every recorded read against them.
//!
//! A transcript says what the host answered. This check computes what the stores held at that moment, from the runs before,
//! through the same staging code as a live run. A run that was asked for has to be the one that an earlier run asked for. What came from
//! outside (clock, randomness) cannot be corroborated and is counted.
use std::collections::BTreeMap;

use enact_core::hash::context_hash;
use enact_core::receipt::{Admission, AdmissionFinding};
use enact_flow::traverse::EventMatch;
use enact_store::stage::Stage;
use enact_store::{EventDifference, Fold, Reader, StateRead};
use enact_wasm::{Answer, Fault};
use serde::Serialize;
use serde_json::json;

use crate::audit::{Diverged, Replayed};
use crate::error::{EngineError, Result};
use crate::interpret::Divergence;
use crate::later::{Requested, handed_over};
use crate::world::answer_store;

/// How many rows are compared at a time: bounds memory, not the result.
const PAGE: u64 = 1_024;

/// What the state audit counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StateCounts {
    /// Recorded answers that the refolded stores gave as well.
    pub corroborated: u64,
    /// Recorded answers about which the stores can say nothing: clock, randomness, a store out of service.
    pub uncorroborated: u64,
    /// Refusals by the sandbox, which the re-execution has already reproduced.
    pub refused: u64,
}

/// Refolds the host stores, run by run in ledger order.
#[derive(Default)]
pub struct StateAudit {
    fold: Fold,
    counts: StateCounts,
    /// Runs that were asked for and have not been seen yet.
    asked: BTreeMap<String, Requested>,
}

impl StateAudit {
    /// Counts so far.
    #[must_use]
    pub fn counts(&self) -> StateCounts {
        self.counts
    }

    /// Applies the next run of the ledger; answers the first recorded read that the stores did not hold.
    pub fn apply(&mut self, run: &Replayed) -> Result<Option<Diverged>> {
        let receipt = &run.evidence.receipt;
        let at = |node: String, step, code, expected, got| {
            Some(Diverged { run: receipt.run.clone(), seq: run.evidence.seq, at: Divergence { node, step, code, expected, got } })
        };
        if let Some((expected, got)) = self.unasked(run)? {
            return Ok(at(String::new(), None, "state_requested", expected, got));
        }
        let mut stage = Stage::new(&mut self.fold);
        if let (Some(asked), Some(recorded)) = (&run.asked, &receipt.admission) {
            let found = Admission { requires: find(&mut stage, run, &asked.requires)?, forbids: find(&mut stage, run, &asked.forbids)? };
            if found != *recorded {
                return Ok(at(String::new(), None, "state_admission", json!(recorded), json!(found)));
            }
        }
        for (index, step) in (0_u32..).zip(&run.evidence.transcript.steps) {
            // The replay has just called it there.
            let Some((bound_store, mut later)) = run.granted(index, step) else {
                return Ok(at(String::new(), Some(index), "state_read", json!(null), json!({"target": step.target})));
            };
            let before = stage.mark();
            for (call_index, call) in step.calls.iter().enumerate() {
                if matches!(&call.answer, Answer::Fault(Fault::Denied(_) | Fault::Limit(_))) {
                    self.counts.refused += 1;
                    later.passed(&call.request);
                    continue;
                }
                let outside = call.request.store().is_some_and(|s| s != bound_store);
                let held = if outside { None } else { answer_store(&mut stage, &call.request, &mut later) };
                match held {
                    Some(answer) if answer == call.answer => self.counts.corroborated += 1,
                    Some(_) if matches!(&call.answer, Answer::Fault(Fault::Unavailable(_))) => self.counts.uncorroborated += 1,
                    None if !outside => self.counts.uncorroborated += 1,
                    held => {
                        let expected = json!({"call": call_index, "request": call.request, "answer": held});
                        let got = json!({"call": call_index, "answer": call.answer});
                        return Ok(at(String::new(), Some(index), "state_read", expected, got));
                    }
                }
            }
            if step.trap {
                stage.rollback(before);
            }
        }
        let staged = stage.finish()?;
        let counted = (staged.reads.len() as u64, staged.writes.len() as u64);
        if counted != (u64::from(receipt.reads), u64::from(receipt.writes)) {
            return Ok(at(String::new(), None, "state_counts", json!([receipt.reads, receipt.writes]), json!(counted)));
        }
        for asked in handed_over(&staged)? {
            self.asked.insert(asked.id()?, asked);
        }
        self.fold.apply(&staged.writes)?;
        Ok(None)
    }

    /// What a run that was asked for should have been and what it is, where these differ; a depth that nobody asked for as well.
    fn unasked(&mut self, run: &Replayed) -> Result<Option<(serde_json::Value, serde_json::Value)>> {
        let (receipt, depth) = (&run.evidence.receipt, run.evidence.transcript.depth);
        let got = (depth, &receipt.workflow, &receipt.binding, receipt.input);
        let Some(asked) = self.asked.remove(&receipt.run) else {
            return Ok((depth > 0).then(|| (json!(null), json!(got))));
        };
        let binding = asked.binding.as_ref().unwrap_or(&receipt.binding);
        let expected = (asked.depth, &asked.workflow, binding, context_hash(&crate::canonical::object(&asked.payload)?));
        Ok((expected != got).then(|| (json!(expected), json!(got))))
    }

    /// Compares the refolded stores with the stored ones; answers the first difference of each store.
    pub fn compare(&mut self, reader: &mut Reader) -> Result<Vec<Divergence>> {
        let mut differences = Vec::new();
        let held = reader.stores()?;
        let folded = self.fold.stores();
        for info in &held {
            if !folded.iter().any(|f| f.name == info.name) {
                differences.push(store_difference(&info.name, "state_store", json!(null), json!(info)));
            }
        }
        for info in &folded {
            let Some(stored) = held.iter().find(|s| s.name == info.name) else {
                differences.push(store_difference(&info.name, "state_store", json!(info), json!(null)));
                continue;
            };
            if stored.quarantined.is_none()
                && (stored.kind, stored.version, stored.len, stored.live) != (info.kind, info.version, info.len, info.live)
            {
                differences.push(store_difference(&info.name, "state_store", json!(info), json!(stored)));
                continue;
            }
            differences.extend(self.rows(reader, &info.name)?);
            differences.extend(self.records(reader, &info.name)?);
        }
        // Where the logs differ, so does what follows from them.
        if differences.is_empty() {
            differences.extend(reader.event_difference()?.map(event_difference));
        }
        Ok(differences)
    }

    fn rows(&mut self, reader: &mut Reader, store: &str) -> Result<Option<Divergence>> {
        let mut after: Option<String> = None;
        loop {
            let expected = self.fold.rows(store, after.as_deref(), PAGE)?;
            let got = reader.rows(store, after.as_deref(), PAGE)?;
            if let Some((e, g)) = unequal(&expected, &got) {
                return Ok(Some(store_difference(store, "state_row", json!(e), json!(g))));
            }
            match expected.last() {
                Some((key, _)) => after = Some(key.clone()),
                None => return Ok(None),
            }
        }
    }

    fn records(&mut self, reader: &mut Reader, store: &str) -> Result<Option<Divergence>> {
        let mut from = 0;
        loop {
            let expected = self.fold.log_read(store, from, PAGE)?;
            let got = reader.log_read(store, from, PAGE)?;
            if let Some((e, g)) = unequal(&expected, &got) {
                return Ok(Some(store_difference(store, "state_record", json!(e), json!(g))));
            }
            if expected.is_empty() {
                return Ok(None);
            }
            from += PAGE;
        }
    }
}

fn find(stage: &mut Stage<'_, Fold>, run: &Replayed, asked: &[EventMatch]) -> Result<Vec<AdmissionFinding>> {
    let mut findings = Vec::with_capacity(asked.len());
    for event in asked {
        let mut found = false;
        for store in run.bound.event_stores() {
            found = found
                || stage
                    .find_event(store.as_deref(), &event.event, &event.fields)
                    .map_err(|e| EngineError::Unreadable { detail: e.to_string() })?;
        }
        findings.push(AdmissionFinding { event: event.event.to_string(), found });
    }
    Ok(findings)
}

fn unequal<'a, T: PartialEq>(expected: &'a [T], got: &'a [T]) -> Option<(Option<&'a T>, Option<&'a T>)> {
    let longest = expected.len().max(got.len());
    (0..longest).map(|i| (expected.get(i), got.get(i))).find(|(e, g)| e != g)
}

/// Of the index over events, which says whether a run is admitted.
fn event_difference(found: EventDifference) -> Divergence {
    match found {
        EventDifference::Lacks { store, pos, event, fields } => {
            store_difference(&store, "state_event", json!({"event": event, "record": pos, "fields": fields}), json!(null))
        }
        EventDifference::Surplus { table, expected, found } => store_difference(table, "state_event", json!(expected), json!(found)),
    }
}

fn store_difference(store: &str, code: &'static str, expected: serde_json::Value, got: serde_json::Value) -> Divergence {
    Divergence { node: store.to_owned(), step: None, code, expected, got }
}
