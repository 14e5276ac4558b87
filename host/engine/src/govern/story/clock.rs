//! The clock of a story: it stands still between steps, so that entries have the times that are told, and runs while workers work, who
//! may have to wait for it.
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::sources::{Sources, System};

pub(super) struct Clock {
    now: AtomicI64,
    running: Mutex<Option<Instant>>,
    system: System,
}

impl Clock {
    pub(super) fn at(micros: i64) -> Self {
        Self { now: AtomicI64::new(micros), running: Mutex::new(None), system: System::default() }
    }

    pub(super) fn set(&self, micros: i64) {
        self.now.store(micros, Ordering::Relaxed);
    }

    pub(super) fn pass(&self, micros: i64) {
        self.now.fetch_add(micros, Ordering::Relaxed);
    }

    /// Runs while something is done.
    pub(super) fn running<T>(&self, act: impl FnOnce() -> T) -> T {
        *self.since() = Some(Instant::now());
        let done = act();
        let now = self.now_micros();
        *self.since() = None;
        self.set(now);
        done
    }

    fn since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sources for Clock {
    fn now_micros(&self) -> i64 {
        let passed = self.since().map_or(0, |since| i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX));
        self.now.load(Ordering::Relaxed).saturating_add(passed)
    }

    fn fill(&self, bytes: &mut [u8]) -> bool {
        self.system.fill(bytes)
    }
}
