//! The wall-clock watchdog: one thread that advances the engine's epoch.
//!
//! It ends calls that hang, and only that: its firing is class D and never an answer.
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

use crate::error::SandboxError;
use crate::limits::TICK_MS;

#[derive(Default)]
struct Stop {
    stopped: Mutex<bool>,
    signal: Condvar,
}

/// The ticking thread; it ends when this is dropped.
pub(crate) struct Watchdog {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts to tick `engine`.
    pub(crate) fn start(engine: &Engine) -> Result<Self, SandboxError> {
        let stop = Arc::new(Stop::default());
        let (engine, signal) = (engine.clone(), Arc::clone(&stop));
        let thread = Builder::new()
            .name("enact-watchdog".to_owned())
            .spawn(move || tick(&engine, &signal))
            .map_err(|e| SandboxError::Thread { detail: e.to_string() })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn tick(engine: &Engine, stop: &Stop) {
    let period = Duration::from_millis(TICK_MS);
    let mut stopped = stop.stopped.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stopped {
        let (guard, timeout) = stop.signal.wait_timeout(stopped, period).unwrap_or_else(PoisonError::into_inner);
        stopped = guard;
        if timeout.timed_out() {
            engine.increment_epoch();
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.stop.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.signal.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the ticker leaves nothing to clean up.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watchdog")
    }
}
