//! Bounds the memory of one call.
//!
//! Over policy, growth answers −1 to the guest: the same everywhere. Only a growth that the policy had approved and the machine then
//! refused is an infrastructure failure, so that a guest cannot fake one.
use wasmtime::ResourceLimiter;

use crate::limits::{MEMORY_BYTES_MAX, TABLE_ELEMENT_BYTES, TABLE_ELEMENTS_MAX};

/// The machine refused memory that the policy had approved.
#[derive(Debug, thiserror::Error)]
#[error("approved memory was not given")]
pub(crate) struct ApprovedGrowthFailed;

/// Counts all memories and tables of one store.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: u64,
    used: u64,
    /// What the growth just approved added; taken back if the machine refuses it.
    approved: u64,
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: 0, approved: 0, refused: false }
    }

    /// Whether something was refused by policy so far.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    fn grow(&mut self, bytes: u64, within: bool) -> bool {
        self.approved = 0;
        let used = self.used.saturating_add(bytes);
        if !within || used > self.limit {
            self.refused = true;
            return false;
        }
        self.used = used;
        self.approved = bytes;
        true
    }

    fn failed(&mut self) -> wasmtime::Result<()> {
        self.used = self.used.saturating_sub(self.approved);
        Err(wasmtime::Error::new(ApprovedGrowthFailed))
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // The declared maximum and the slot size are policy too: beyond them the machine would fail after our approval.
        let within = maximum.is_none_or(|max| desired <= max) && wide(desired) <= MEMORY_BYTES_MAX;
        Ok(self.grow(wide(desired.saturating_sub(current)), within))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed()
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let within = maximum.is_none_or(|max| desired <= max) && wide(desired) <= TABLE_ELEMENTS_MAX;
        let added = wide(desired.saturating_sub(current));
        Ok(self.grow(added.saturating_mul(TABLE_ELEMENT_BYTES), within))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed()
    }
}

/// A size of this machine as 64 bits; no machine has wider ones.
fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn memories_and_tables_count_together() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 50, None).unwrap());
        assert!(limiter.table_growing(0, 5, None).unwrap());
        assert!(!limiter.table_growing(5, 6, None).unwrap());
        assert!(limiter.refused());
    }

    #[test]
    fn a_declared_maximum_is_policy_not_infrastructure() {
        let mut limiter = Limiter::new(1 << 30);
        assert!(!limiter.memory_growing(0, 20, Some(10)).unwrap());
        assert!(!limiter.table_growing(0, 20, Some(10)).unwrap());
    }

    #[test]
    fn an_approved_growth_that_fails_is_reported_and_not_counted() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(limiter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap_err().is::<ApprovedGrowthFailed>());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
    }
}
