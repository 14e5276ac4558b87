//! Whether the queue is carried out: what waits, who holds what, what failed lately. Looked up, not read through.
use std::collections::BTreeMap;

use enact_queue::status::Status;
use enact_queue::time::SECOND_US;
use enact_store::QueueHolder;
use serde::Serialize;

use super::item::stored_time;
use crate::engine::Engine;
use crate::error::Result;

/// Failures are counted over this long.
const LATELY_US: u64 = 3_600 * SECOND_US;

/// What is still healthy.
#[derive(Debug, Clone, Copy)]
pub struct HealthBounds {
    /// Seconds that something may be ready and due, or a lease be over, before anybody does something about it.
    pub age_s: u64,
    /// Failures of the last hour.
    pub failures: Option<u64>,
}

/// How the queue does; the stable shape of `enact queue health --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// Nothing is beyond its bound.
    pub healthy: bool,
    /// What is: `ready_too_old`, `lease_expired`, `failures`; or `counts_differ`, when what is counted is not what there is; or `contract_not_in_force`,
    /// when there are items that nothing can happen to.
    pub findings: Vec<&'static str>,
    /// By contract.
    pub contracts: Vec<HealthOfContract>,
    /// Who holds something.
    pub leases: Vec<HolderReport>,
    /// Leases that are over and not written down as lost: the next pass of any worker does that.
    pub expired: Vec<HolderReport>,
}

/// What there is under one contract.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HealthOfContract {
    /// The contract.
    pub contract: String,
    /// Whether the protocol in force has it. Without it, workers leave its items alone.
    pub in_force: bool,
    /// How many items are in each status.
    pub statuses: BTreeMap<String, u64>,
    /// How many are READY and due.
    pub due: u64,
    /// The next of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
    /// Seconds for which that one has been READY and due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_age_s: Option<u64>,
    /// Attempts that failed within the last hour.
    pub failures_last_hour: u64,
}

/// Leases of one worker.
#[derive(Debug, Clone, Serialize)]
pub struct HolderReport {
    /// Its name.
    pub owner: String,
    /// How many items it holds.
    pub items: u64,
    /// The first deadline.
    pub deadline_utc: String,
}

impl Engine {
    /// How the queue does.
    ///
    /// # Errors
    /// Whatever keeps the store from being read.
    pub fn queue_health(&self, bounds: &HealthBounds) -> Result<Health> {
        let now = self.queue_now();
        let mut reader = self.store().reader()?;
        reader.begin()?;
        let ruled = self.ruled_now(&mut reader)?.0;
        let found = reader.queue_health(now, now.saturating_sub(LATELY_US))?;
        let mut contracts: BTreeMap<String, HealthOfContract> = BTreeMap::new();
        let mut of = |contract: &str, change: &dyn Fn(&mut HealthOfContract)| {
            let in_force = ruled.protocol.contract(contract).is_some();
            let new = || HealthOfContract { contract: contract.to_owned(), in_force, ..HealthOfContract::default() };
            change(contracts.entry(contract.to_owned()).or_insert_with(new));
        };
        for count in reader.queue_counts(None)? {
            of(&count.contract, &|contract| {
                contract.statuses.insert(count.status.clone(), count.items);
            });
        }
        for waiting in &found.waiting {
            of(&waiting.contract, &|contract| {
                contract.due = waiting.items;
                contract.oldest = Some(waiting.first.clone());
                contract.oldest_age_s = Some(now.saturating_sub(waiting.since) / SECOND_US);
            });
        }
        for (code, failures) in &found.failures {
            of(code, &|contract| contract.failures_last_hour = *failures);
        }
        let counted = reader.queue_is_counted()?;
        let contracts: Vec<HealthOfContract> = contracts.into_values().collect();
        let long_ago = |holder: &QueueHolder| now.saturating_sub(holder.deadline) / SECOND_US > bounds.age_s;
        let failures = contracts.iter().fold(0_u64, |sum, contract| sum.saturating_add(contract.failures_last_hour));
        let mut findings = Vec::new();
        if contracts.iter().any(|contract| contract.oldest_age_s.is_some_and(|age| age > bounds.age_s)) {
            findings.push("ready_too_old");
        }
        if found.expired.iter().any(long_ago) {
            findings.push("lease_expired");
        }
        if bounds.failures.is_some_and(|most| failures > most) {
            findings.push("failures");
        }
        let left = |contract: &HealthOfContract| !contract.in_force && contract.statuses.keys().any(|status| !over(status));
        if contracts.iter().any(left) {
            findings.push("contract_not_in_force");
        }
        if !counted {
            findings.push("counts_differ");
        }
        let report =
            |holder: QueueHolder| HolderReport { owner: holder.owner, items: holder.items, deadline_utc: stored_time(holder.deadline) };
        let [leases, expired] = [found.holders, found.expired].map(|holders| holders.into_iter().map(report).collect());
        Ok(Health { healthy: findings.is_empty(), findings, contracts, leases, expired })
    }
}

/// Whether nothing is to happen to an item any more.
fn over(status: &str) -> bool {
    [Status::Settled, Status::Fulfilled, Status::Void].iter().any(|last| last.as_str() == status)
}
