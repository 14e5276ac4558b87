//! What survives `kill -9`, and two processes on one file. The test binary runs itself as the process that is killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use enact_store::{Kind, OpenOptions, StateRead, Store, Write};

use crate::support::{Bench, NOW, commit, sign};
use crate::tamper::findings;

/// Names the ledger to a child; without it the child's test does nothing.
const LEDGER: &str = "ENACT_TEST_LEDGER";
/// Prefix of the child's run ids.
const NAME: &str = "ENACT_TEST_NAME";
/// How many batches the child appends.
const BATCHES: &str = "ENACT_TEST_BATCHES";
/// Commits in a batch.
const BATCH: u64 = 4;
/// How often a child is killed.
const KILLS: u64 = 25;

fn spawn(ledger: &Path, name: &str, batches: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_process", "--nocapture", "--test-threads=1"])
        .env(LEDGER, ledger)
        .env(NAME, name)
        .env(BATCHES, batches.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a claim of its own: the other process of the tests below.
#[test]
fn child_process() {
    let (Some(ledger), Ok(name)) = (std::env::var_os(LEDGER), std::env::var(NAME)) else { return };
    let batches: u64 = std::env::var(BATCHES).unwrap().parse().unwrap();
    let store = Store::open(&OpenOptions { busy_timeout_ms: 60_000, ..OpenOptions::new(ledger) }).unwrap();
    let mut writer = store.writer().unwrap();
    for batch in 0..batches {
        let commits: Vec<_> = (0..BATCH)
            .map(|i| {
                let mut commit = commit(&format!("{name}-{:06}", batch * BATCH + i));
                let value = format!("{{\"event_code\":\"EV_A_V0\",\"id\":\"{}\"}}", commit.run.run_id);
                commit.writes = vec![
                    Write::Append { store: "log".to_owned(), events: vec!["EV_A_V0".to_owned()], value },
                    Write::Put {
                        store: "keys".to_owned(),
                        kind: Kind::Registry,
                        key: commit.run.run_id.clone(),
                        value: "v".to_owned(),
                        version: 1,
                    },
                ];
                // Larger than a page, so that a commit spans several.
                commit.run.trace = vec![7; 20_000];
                commit
            })
            .collect();
        let answers = writer.append(&commits, NOW, &sign).unwrap();
        let mut out = std::io::stdout().lock();
        for (answer, commit) in answers.iter().zip(&commits) {
            answer.as_ref().unwrap();
            writeln!(out, "\nacknowledged {} in full", commit.run.run_id).unwrap();
        }
        out.flush().unwrap();
    }
}

/// Run ids a child has acknowledged.
fn acknowledged(child: &mut Child) -> Vec<String> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The last line may be cut off by the kill.
    let whole = |line: String| Some(line.strip_prefix("acknowledged ")?.strip_suffix(" in full")?.to_owned());
    lines.map_while(Result::ok).filter_map(whole).collect()
}

/// Every acknowledged run is there once, every entry has its run and its writes, and the chain verifies.
fn check(ledger: &Path, acknowledged: &[String]) -> u64 {
    let store = Store::open(&OpenOptions::new(ledger)).unwrap();
    let mut reader = store.reader().unwrap();
    reader.begin().unwrap();
    reader.check_structure().unwrap();
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    let head = reader.head().unwrap();
    let runs = reader.runs(None, u64::MAX, false).unwrap();
    assert_eq!(u64::try_from(runs.len()).unwrap(), head.size);
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for run in &runs {
        assert_eq!(seen.insert(&run.run_id, run.seq), None, "{} twice", run.run_id);
        assert_eq!(reader.run_by_seq(run.seq).unwrap().unwrap().run.trace.len(), 20_000);
        assert!(reader.row("keys", &run.run_id).unwrap().is_some(), "{} without its write", run.run_id);
    }
    for id in acknowledged {
        assert!(seen.contains_key(id.as_str()), "{id} was acknowledged and is lost");
    }
    assert_eq!(reader.log_len("log").unwrap(), head.size);
    assert_eq!(reader.live_count("keys").unwrap(), head.size);
    assert_eq!(reader.note().unwrap(), (head.size > 0).then(|| sign(&head)));
    head.size
}

#[test]
fn kill_9_at_any_moment_loses_no_acknowledged_commit_and_leaves_no_half_of_one() {
    let bench = Bench::new();
    let mut all = Vec::new();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..KILLS {
        let mut child = spawn(&bench.path(), &format!("k{round:02}"), u64::MAX / BATCH);
        // From before the first commit to some hundred commits in.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        std::thread::sleep(Duration::from_micros(5_000 + seed % 120_000));
        child.kill().unwrap();
        child.wait().unwrap();
        all.extend(acknowledged(&mut child));
        let size = check(&bench.path(), &all);
        // One batch may have been committed and not yet acknowledged, each time.
        let known = u64::try_from(all.len()).unwrap();
        assert!(size <= known + (round + 1) * BATCH, "{size} entries, {known} acknowledged");
    }
    assert!(!all.is_empty(), "no child lived long enough to commit");
}

#[test]
fn several_processes_append_to_one_chain() {
    const BATCHES: u64 = 40;
    let bench = Bench::new();
    let mut children = ["a", "b", "c"].map(|name| spawn(&bench.path(), name, BATCHES));
    let mut all = Vec::new();
    for child in &mut children {
        all.extend(acknowledged(child));
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(check(&bench.path(), &all), 3 * BATCHES * BATCH);
}
