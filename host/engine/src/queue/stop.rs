//! The sign for workers to stop. Who rests hears it at once, so rests may be long.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A sign that is set once.
#[derive(Debug, Default)]
pub struct StopSign {
    set: AtomicBool,
    bed: Mutex<()>,
    bell: Condvar,
}

impl StopSign {
    /// One that is not set.
    #[must_use]
    pub const fn new() -> Self {
        Self { set: AtomicBool::new(false), bed: Mutex::new(()), bell: Condvar::new() }
    }

    /// Sets it and wakes whoever rests. Answers whether it was set before.
    pub fn set(&self) -> bool {
        let before = self.set.swap(true, Ordering::SeqCst);
        // Nobody is between looking at the sign and falling asleep while this is held.
        drop(self.bed.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_all();
        before
    }

    /// Whether it is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    /// Rests until it is set, so long at most.
    pub(crate) fn rest(&self, longest: Duration) {
        let bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        // Woken for nothing is as good as rested: the caller looks again.
        drop(self.bell.wait_timeout_while(bed, longest, |()| !self.is_set()));
    }
}
