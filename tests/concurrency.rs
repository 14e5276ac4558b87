//! Several processes on one workspace: the history is serial, whoever asks.
use std::process::Stdio;

use crate::support::{REGISTER, Scratch, person, ran};

#[test]
fn of_64_runs_in_4_processes_that_register_one_key_exactly_one_succeeds() {
    let scratch = Scratch::init();
    let batch: String = (0..16).map(|_| format!("{}\n", person("jane"))).collect();
    let batch = scratch.file("batch.ndjson", &batch);
    let children: Vec<_> = (0..4)
        .map(|_| {
            scratch
                .command()
                .args(["run", REGISTER, "--batch", &batch, "--jobs", "2", "--in-flight", "16", "-q"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut registered = Vec::new();
    for child in children {
        let done = ran(&child.wait_with_output().unwrap()).exits(0);
        for line in done.out.lines() {
            let report: serde_json::Value = serde_json::from_str(line).unwrap();
            let node = report["nodes"].as_array().unwrap().iter().find(|n| n["node"] == "CC_REGISTER_USER_KYC_V0").unwrap();
            registered.push(node["status"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(registered.len(), 64);
    assert_eq!(registered.iter().filter(|s| *s == "SUCCESS").count(), 1);
    assert_eq!(registered.iter().filter(|s| *s == "ALREADY_EXISTS").count(), 63);
    scratch.enact(&["verify"]).exits(0);
    let audit = scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0).json();
    assert_eq!((&audit["runs"], &audit["replayed"]), (&64.into(), &64.into()));
}

#[test]
fn p_28_equal_runs_on_many_threads_have_equal_context_hashes() {
    let scratch = Scratch::init();
    // The bench workflow of the packs is pure: only the order of commits may differ between its runs.
    let payload = std::fs::read_to_string(crate::support::project("protocol/packs/bench/examples/kibibyte.json")).unwrap();
    let line = serde_json::from_str::<serde_json::Value>(&payload).unwrap().to_string();
    let batch = scratch.file("batch.ndjson", &format!("{line}\n").repeat(40));
    let done = scratch.enact(&["run", "WF_BENCH_V0", "--batch", &batch, "--jobs", "4"]).exits(0);
    let hashes: std::collections::BTreeSet<String> = done
        .out
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["context_hash"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((done.out.lines().count(), hashes.len()), (40, 1));
    let fuel: std::collections::BTreeSet<u64> =
        done.out.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["fuel_used"].as_u64().unwrap()).collect();
    assert_eq!(fuel.len(), 1, "the fuel of equal calls is equal");
}
