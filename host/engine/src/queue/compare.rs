//! The rows and counts of the queue against what follows from journal and ledger. Changes nothing; what differs is derived again by
//! `enact queue rebuild`.
use enact_core::govern::{Protocol, contract};
use enact_core::verify::Finding;
use enact_queue::item::Item;
use enact_queue::status::Status;
use enact_store::{Moment, QueueFilter, QueueItem, QueueMiscount};

use super::item::{about, is_over, last_line, named_contract, row, subject_of};
use crate::engine::Engine;
use crate::error::{EngineError, Kind, Result};
use crate::verify::{CheckReport, VerifyReport};

/// Rows that are compared in one moment.
const PAGE: u64 = 500;
/// Findings are listed up to this many, of each kind.
const FINDINGS_MAX: u64 = 1_000;

/// What a comparison of the queue found.
#[derive(Debug, Clone, Default)]
pub struct QueueCompared {
    /// Items looked at.
    pub items: u64,
    /// Rows (`queue_row`) and counts (`queue_count`) that are not what follows.
    pub findings: Vec<Finding>,
}

impl Engine {
    /// Compares every row of the queue with its line and the ledger, and the counts with the rows. What cannot be read is a finding too.
    ///
    /// # Errors
    /// Whatever keeps the store from being read, but damage.
    pub fn queue_compare(&self) -> Result<QueueCompared> {
        let mut compared = QueueCompared::default();
        match self.compare_queue(&mut compared) {
            Err(error) if error.kind() == Kind::Integrity => compared.found(None, format!("the rest cannot be compared: {error}")),
            done => done?,
        }
        Ok(compared)
    }

    fn compare_queue(&self, compared: &mut QueueCompared) -> Result<()> {
        let mut reader = self.store().reader()?;
        for archived in [false, true] {
            let filter = QueueFilter { archived, ..QueueFilter::default() };
            let mut after = 0;
            loop {
                let mut moment = reader.moment(None)?;
                let page = moment.reader().queue_items(&filter, after, PAGE)?;
                let Some(last) = page.last() else { break };
                after = last.id;
                let protocol = self.in_force(&moment)?;
                let ruled = self.rules(&protocol, &moment)?;
                for stored in page {
                    let seq = stored.row.seq;
                    compared.items = compared.items.saturating_add(1);
                    let item = stored.row.item.clone();
                    if let Some(detail) = contradicts(&ruled.protocol, &moment, stored, self.queue_now())? {
                        compared.found(Some(seq), format!("row of `{item}`: {detail}"));
                    }
                }
            }
        }
        let mut moment = reader.moment(None)?;
        for item in moment.reader().queue_unrowed(FINDINGS_MAX)? {
            let lines = moment.reader().queue_lines(Some(&item), 0, 1)?;
            let line = lines.first().and_then(|line| Item::from_line(&line.line, |_| true).ok());
            if let Some(line) = line
                && self.is_item(&moment, &line)?
            {
                compared.found(Some(line.queued.entry), format!("row of `{item}`: it is not there, and the ledger has the item"));
            }
        }
        for QueueMiscount { member, stored, items } in moment.reader().queue_miscounts(FINDINGS_MAX)? {
            let by = if member.is_empty() { String::new() } else { format!(" with {member} `{}`", stored.value) };
            let detail = format!("{} items {} under `{}`{by} are counted, there are {items}", stored.items, stored.status, stored.contract);
            compared.findings.push(Finding { code: "queue_count", seq: None, detail });
        }
        Ok(())
    }

    /// Whether the ledger has the item of a line.
    fn is_item(&self, moment: &Moment<'_>, line: &Item) -> Result<bool> {
        let ruled = self.rules(&self.in_force(moment)?, moment)?;
        let Ok(contract) = named_contract(&ruled.protocol, &line.contract) else { return Ok(false) };
        let subject = subject_of(&ruled.protocol, contract, line.id.as_str())?;
        Ok(contract::item(contract, moment, &subject).is_ok())
    }
}

impl QueueCompared {
    fn found(&mut self, seq: Option<u64>, detail: String) {
        if u64::try_from(self.findings.len()).is_ok_and(|found| found < FINDINGS_MAX) {
            self.findings.push(Finding { code: "queue_row", seq, detail });
        }
    }
}

/// What of a row is not what follows from its line and the ledger.
fn contradicts(rules: &Protocol, moment: &Moment<'_>, stored: QueueItem, now: u64) -> Result<Option<String>> {
    let Some(line) = last_line(&stored) else { return Ok(Some("its line is not in the journal, or is none".to_owned())) };
    let numbered = stored.line.as_deref().and_then(|text| Item::from_line(text, |_| true).ok()).map_or(0, |line| line.fence.0);
    let seen = match about(rules, moment, "", stored, line, now) {
        Ok(seen) => seen,
        // Of an item under a contract that is no longer in force nothing can be said.
        Err(EngineError::Queue { code: "queue_contract", .. }) => return Ok(None),
        Err(EngineError::Queue { detail, .. }) => return Ok(Some(detail)),
        Err(error) if error.kind() == Kind::Integrity => return Ok(Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let (stored, follows) = (&seen.stored.row, row(&seen.item, &seen.known));
    let waits = matches!(seen.item.status, Status::Pending | Status::Ready);
    let contract = named_contract(rules, &stored.contract)?;
    Ok(if stored.status != follows.status {
        Some(format!("it is {}, by its line {}", stored.status, follows.status))
    } else if (&stored.contract, stored.seq, stored.pos) != (&follows.contract, follows.seq, follows.pos) {
        Some("its contract or place is not that of its line".to_owned())
    } else if stored.attempts != follows.attempts {
        Some(format!("{} attempts, by its line {}", stored.attempts, follows.attempts))
    } else if stored.fence < numbered {
        Some(format!("its fencing number {} is below that of its line, {numbered}", stored.fence))
    } else if waits && stored.not_before > follows.not_before {
        // An earlier time is what is left when it was taken and given back.
        Some("it waits longer than its line says".to_owned())
    } else if seen.item.status != Status::Pending && seen.item.logged(&seen.known) == Status::Pending {
        Some(format!("its line says {}, of which the ledger knows nothing", seen.item.status.as_str()))
    } else if seen.stored.archived && !is_over(contract, &seen.known) {
        Some(format!("it is archived, and {} is not over", seen.item.shown(&seen.known).as_str()))
    } else {
        None
    })
}

impl VerifyReport {
    /// Adds what a comparison of the queue found.
    pub fn queue_compared(&mut self, compared: QueueCompared) {
        let ok = compared.findings.is_empty();
        let name = "the queue is what follows from its journal and the ledger";
        self.checks.push(CheckReport { name, count: compared.items, ok });
        if !ok {
            self.findings.extend(compared.findings);
            self.verdict = "ALTERED";
        }
    }
}
