//! kill -9 at random moments: what was acknowledged is there once, what was not is there whole or not at all.
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use crate::support::{REGISTER, Scratch, person};

/// Kills per test run. The claim is about 200 random moments.
const KILLS: u64 = 200;
/// Runs offered to each process.
const LOAD: usize = 1_000;

/// A small generator with a printed seed: the moments are random, and can be had again.
pub(crate) struct Moments(pub(crate) u64);

impl Moments {
    pub(crate) fn next_below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn p_25_kill_minus_9_at_200_moments_loses_nothing_acknowledged_and_leaves_nothing_half() {
    let seed = std::env::var("ENACT_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x5EED_2026_u64);
    println!("seed {seed} (set ENACT_SEED to choose another)");
    let mut moments = Moments(seed);
    let scratch = Scratch::init();
    scratch.register("warm");
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        let batch: String = (0..LOAD).map(|i| format!("{}\n", person(&format!("p{kill}x{i}")))).collect();
        let batch = scratch.file("batch.ndjson", &batch);
        let mut child = scratch
            .command()
            .args(["run", REGISTER, "--batch", &batch, "-q"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Every second process is killed some time after its first acknowledgement, the others some time after their start.
        let mut first = None;
        if kill % 2 == 0 {
            first = lines.next().and_then(Result::ok);
        }
        std::thread::sleep(Duration::from_micros(moments.next_below(60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in first.into_iter().chain(lines.map_while(Result::ok)) {
            // The last line may be cut in the middle: that one was not acknowledged.
            if let Ok(report) = serde_json::from_str::<serde_json::Value>(&line) {
                assert!(acknowledged.insert(report["run_id"].as_str().unwrap().to_owned()), "acknowledged twice");
            }
        }
    }
    assert!(acknowledged.len() > 1_000, "only {} runs were acknowledged: the kills came too early", acknowledged.len());
    let sql = scratch.sql();
    let mut statement = sql.prepare("SELECT run_id FROM runs").unwrap();
    let stored: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let unique: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(unique.len(), stored.len(), "a run is there twice");
    let lost: Vec<&String> = acknowledged.iter().filter(|run| !unique.contains(run)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    drop(statement);
    scratch.enact(&["verify"]).exits(0);
    let audit = scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0).json();
    assert_eq!(audit["replayed"].as_u64().unwrap(), stored.len() as u64);
    println!("{} runs stored, {} acknowledged, {KILLS} kills", stored.len(), acknowledged.len());
}
