//! Time that only passes when the module asks for it or waits: it begins at the recorded time of the run.
use std::collections::BTreeMap;
use std::time::Duration;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::{Duration as Nanos, Host as Monotonic, Instant};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{Datetime, Host as Wall};

use super::View;

/// How much later each question is than the one before: whoever measures something sees time pass, the same each time.
const TICK_NANOS: u64 = 1_000;

/// Both clocks, and what is waited for.
#[derive(Debug)]
pub(super) struct Clock {
    began: Duration,
    passed: u64,
    /// When each pollable is ready; 0 is ever since.
    due: BTreeMap<u32, u64>,
    /// A number that no pollable had.
    next: u32,
}

impl Clock {
    pub(super) fn new(now_micros: i64) -> Self {
        Self { began: Duration::from_micros(u64::try_from(now_micros).unwrap_or(0)), passed: 0, due: BTreeMap::new(), next: 0 }
    }

    fn tick(&mut self) -> u64 {
        self.passed = self.passed.saturating_add(TICK_NANOS);
        self.passed
    }

    /// A pollable that is ready at `due`.
    pub(super) fn subscribe(&mut self, due: u64) -> Resource<DynPollable> {
        let rep = self.next;
        // Each costs a host call, of which there are far fewer.
        self.next = self.next.wrapping_add(1);
        self.due.insert(rep, due);
        Resource::new_own(rep)
    }

    pub(super) fn forget(&mut self, rep: u32) {
        self.due.remove(&rep);
    }

    /// Whether it is ready, and a moment later than before, so that a loop around this question ends.
    pub(super) fn is_ready(&mut self, rep: u32) -> bool {
        self.tick() >= self.due(rep)
    }

    fn due(&self, rep: u32) -> u64 {
        self.due.get(&rep).copied().unwrap_or(0)
    }

    /// Waits for the first of these, which takes no time, and answers the positions of those that are ready then.
    pub(super) fn wait(&mut self, reps: &[u32]) -> Vec<u32> {
        let first = reps.iter().map(|rep| self.due(*rep)).min().unwrap_or(0);
        self.passed = self.passed.max(first);
        (0..).zip(reps).filter(|(_, rep)| self.due(**rep) <= self.passed).map(|(at, _)| at).collect()
    }
}

impl Wall for View<'_> {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        let clock = &mut self.enter(0)?.clock;
        let now = clock.began.saturating_add(Duration::from_nanos(clock.tick()));
        Ok(Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        self.enter(0)?;
        Ok(Datetime { seconds: 0, nanoseconds: 1_000 })
    }
}

impl Monotonic for View<'_> {
    fn now(&mut self) -> wasmtime::Result<Instant> {
        Ok(self.enter(0)?.clock.tick())
    }

    fn resolution(&mut self) -> wasmtime::Result<Nanos> {
        self.enter(0)?;
        Ok(TICK_NANOS)
    }

    fn subscribe_instant(&mut self, when: Instant) -> wasmtime::Result<Resource<DynPollable>> {
        Ok(self.enter(0)?.clock.subscribe(when))
    }

    fn subscribe_duration(&mut self, when: Nanos) -> wasmtime::Result<Resource<DynPollable>> {
        let clock = &mut self.enter(0)?.clock;
        let due = clock.passed.saturating_add(when);
        Ok(clock.subscribe(due))
    }
}
