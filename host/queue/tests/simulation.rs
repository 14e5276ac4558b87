//! A seeded simulation of the queue: several workers, each the real machine of the crate, over a journal and a ledger in memory, on a
//! virtual clock, with crashes, store errors, clock jumps, people and forgers in between; invariants are checked after every event.
//!
//! `ENACT_SIM_SEEDS=n` runs n seeds instead of 10,000; `ENACT_SIM_SEED=n` replays one exactly and prints its events.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]
#![allow(clippy::wildcard_enum_match_arm, reason = "what a test does not name it does not expect")]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "dice and skews are small numbers")]
#![allow(clippy::disallowed_methods, reason = "the number of seeds comes from the environment")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a replay prints its events")]

#[path = "simulation/driver.rs"]
mod driver;
#[path = "simulation/invariants.rs"]
mod invariants;
#[path = "simulation/people.rs"]
mod people;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/world.rs"]
mod world;

use std::collections::BTreeMap;
use world::World;

/// Seeds of a run without further ado.
const SEEDS: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

/// Runs one seed; its events if it failed or `all` are wanted.
fn run(seed: u64, verbose: bool) -> World {
    let mut world = World::new(seed, verbose);
    world.storm();
    world.calm();
    world.finish();
    world
}

/// W-28, W-30, W-38…W-42, W-44…W-48, W-51, W-52: whatever happens, in whatever order.
#[test]
fn w_28_w_30_w_41_w_44_w_45_w_47_w_52_no_seed_breaks_an_invariant() {
    if let Some(seed) = number("ENACT_SIM_SEED") {
        run(seed, true);
        return;
    }
    let seeds = number("ENACT_SIM_SEEDS").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    let share = |of: u64| {
        let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
        for seed in (0..seeds).filter(|seed| seed % threads == of) {
            let world = std::panic::catch_unwind(|| run(seed, false)).unwrap_or_else(|_| {
                panic!("seed {seed} fails: replay it with ENACT_SIM_SEED={seed} cargo test -p enact-queue --test simulation -- --nocapture")
            });
            world.seen.iter().for_each(|(what, times)| *seen.entry(what).or_default() += times);
        }
        seen
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|of| scope.spawn(move || share(of))).collect();
        for one in running {
            let share = one.join().unwrap_or_else(|_| panic!("a seed failed; its number and how to replay it are above"));
            share.into_iter().for_each(|(what, times)| *seen.entry(what).or_default() += times);
        }
    });
    println!("{seeds} seeds: {seen:#?}");
    // A storm in which nothing of the kind happens proves nothing.
    if seeds >= 1_000 {
        for what in world::MUST_BE_SEEN {
            assert!(seen.get(what).is_some_and(|times| *times > 0), "`{what}` never happened in {seeds} seeds: {seen:#?}");
        }
    }
}

/// The same seed is the same history, line by line: otherwise a replay would show another failure.
#[test]
fn w_50_the_same_seed_is_the_same_history() {
    for seed in 0..50 {
        let (a, b) = (run(seed, false), run(seed, false));
        assert_eq!(a.lines(), b.lines(), "seed {seed}");
        assert!(!a.lines().is_empty());
    }
}
