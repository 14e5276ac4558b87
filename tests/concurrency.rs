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

/// Processes that began at once, when all are over.
fn at_once(scratch: &Scratch, commands: &[Vec<&str>]) -> Vec<crate::support::Ran> {
    let begin = |args: &Vec<&str>| scratch.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<_> = commands.iter().map(begin).collect();
    children.into_iter().map(|child| ran(&child.wait_with_output().unwrap())).collect()
}

#[test]
fn of_several_first_commands_in_an_empty_folder_one_creates_the_workspace_and_all_use_it() {
    for _ in 0..3 {
        let scratch = Scratch::new();
        let payload = scratch.file("jane.json", &person("jane").to_string());
        let created = at_once(&scratch, &vec![vec!["run", REGISTER, "--payload", &payload]; 4]);
        let made = created.into_iter().map(|ran| ran.exits(0)).filter(|ran| ran.err.contains("created the workspace"));
        assert_eq!(made.count(), 1);
        scratch.enact(&["run", REGISTER, "--payload", &payload]).exits(0);
        assert_eq!(scratch.enact(&["verify", "--json"]).exits(0).json()["entries"], 5);
    }
}

#[test]
fn of_several_that_register_one_name_the_key_that_the_ledger_holds_is_kept() {
    let scratch = Scratch::init();
    scratch.enact(&["actor", "found", "ada"]).exits(0);
    for name in ["zoe", "yan", "xia", "wim"] {
        let done = at_once(&scratch, &vec![vec!["actor", "new", name, "--as", "ada", "--role", "steward"]; 4]);
        assert_eq!(done.iter().filter(|ran| ran.code == 0).count(), 1, "{done:#?}");
        let rotated = at_once(&scratch, &vec![vec!["actor", "rotate", name, "--as", "ada"]; 3]);
        assert!(rotated.iter().all(|ran| ran.code == 0 || ran.code == 3), "{rotated:#?}");
        // What counts is what it signs.
        scratch.enact(&["protocol", "adopt", "--as", name]).exits(0);
    }
    let kept: Vec<_> = std::fs::read_dir(scratch.workspace().join("keys/actors")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(kept.len(), 5, "{kept:?}");
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
