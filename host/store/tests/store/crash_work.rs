//! Workers that are killed in the middle of their work: every item is done once, whoever dies. The test binary runs itself as a worker.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use enact_core::state::Space;
use enact_store::{EXECUTING, OpenOptions, QueueFilter, READY, StateRead as _, Store};

use crate::queue::{consistent, ready, take};
use crate::support::{Bench, sign};
use crate::tamper::findings;
use crate::work::{append_work, work};

/// Names the ledger to a worker; without it the worker's test does nothing.
const LEDGER: &str = "ENACT_TEST_WORK_LEDGER";
/// Name of the worker.
const NAME: &str = "ENACT_TEST_WORK_NAME";
/// The worker's clock, which stands still while it lives.
const CLOCK: &str = "ENACT_TEST_WORK_NOW";
/// From one round to the next all leases expire.
const ROUND: u64 = 1_000_000;
/// How often a pair of workers is killed.
const KILLS: u64 = 20;
/// Items in all; added in the beginning.
const ITEMS: u64 = 4_000;

fn spawn(ledger: &Path, name: &str, now: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash_work::worker_process", "--nocapture", "--test-threads=1"])
        .env(LEDGER, ledger)
        .env(NAME, name)
        .env(CLOCK, now.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a claim of its own: the worker of the test below. Works until there is nothing to take.
#[test]
fn worker_process() {
    let (Some(ledger), Ok(name)) = (std::env::var_os(LEDGER), std::env::var(NAME)) else { return };
    let now: u64 = std::env::var(CLOCK).unwrap().parse().unwrap();
    let store = Store::open(&OpenOptions { busy_timeout_ms: 60_000, ..OpenOptions::new(ledger) }).unwrap();
    let mut writer = store.writer().unwrap();
    loop {
        let items = take(&mut writer, &name, now, 4);
        if items.is_empty() {
            return;
        }
        let mut units: Vec<_> = items.iter().map(|item| work(item, &format!("{}-{name}", item.row.item))).collect();
        for unit in &mut units {
            // Larger than a page, so that a unit spans several.
            unit.run.as_mut().unwrap().run.trace = vec![7; 20_000];
        }
        let answers = append_work(&mut writer, &units).unwrap();
        let mut out = std::io::stdout().lock();
        for (answer, item) in answers.iter().zip(&items) {
            // The other worker may have given the item back and taken it.
            if answer.is_ok() {
                writeln!(out, "\nacknowledged {} in full", item.row.item).unwrap();
            }
        }
        out.flush().unwrap();
    }
}

/// Items that a worker has acknowledged.
fn acknowledged(worker: &mut Child) -> Vec<String> {
    let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    // The last line may be cut off by the kill.
    let whole = |line: String| Some(line.strip_prefix("acknowledged ")?.strip_suffix(" in full")?.to_owned());
    lines.map_while(Result::ok).filter_map(whole).collect()
}

/// Every item is done in full or not at all, and what was acknowledged is done. Answers how many are.
fn check(ledger: &Path, acknowledged: &BTreeSet<String>) -> u64 {
    let store = Store::open(&OpenOptions::new(ledger)).unwrap();
    let mut reader = store.reader().unwrap();
    reader.begin().unwrap();
    reader.check_structure().unwrap();
    assert_eq!(findings(&mut reader), Vec::<String>::new());
    let head = reader.head().unwrap();
    assert_eq!(reader.note().unwrap(), (head.size > 0).then(|| sign(&head)));
    let mut done: BTreeMap<String, u64> = BTreeMap::new();
    for run in reader.runs(None, u64::MAX, false).unwrap() {
        let item = run.run_id.rsplit_once("-w").unwrap().0.to_owned();
        assert_eq!(done.insert(item, run.seq), None, "{} is the second run of its item", run.run_id);
        assert_eq!(reader.run_by_seq(run.seq).unwrap().unwrap().run.trace.len(), 20_000);
    }
    assert_eq!(u64::try_from(done.len()).unwrap(), head.size);
    assert_eq!(reader.live_count("keys").unwrap(), head.size);
    let items = reader.queue_items(&QueueFilter::default(), 0, u64::MAX).unwrap();
    assert_eq!(u64::try_from(items.len()).unwrap(), ITEMS);
    for item in &items {
        let id = &item.row.item;
        let (row, key) = (reader.state(Space::Balance, id).unwrap(), reader.row("keys", id).unwrap());
        match done.get(id) {
            Some(seq) => {
                assert_eq!((item.row.status.as_str(), item.row.lease.is_some()), ("EXECUTED", false), "{id}");
                assert_eq!((row, key.is_some()), (Some((*seq, "1".to_owned())), true), "{id}");
            }
            None => {
                assert!([READY, EXECUTING].contains(&item.row.status.as_str()), "{id} is {}", item.row.status);
                assert_eq!((row, key), (None, None), "{id}");
                assert!(!acknowledged.contains(id), "{id} was acknowledged and is lost");
            }
        }
    }
    reader.end().unwrap();
    consistent(&mut reader);
    head.size
}

/// W-30: what a killed worker held is done by another, once. W-36: a worker that is killed leaves all of a unit or nothing.
#[test]
fn w_30_w_36_workers_killed_at_any_moment_do_every_item_once_and_none_by_half() {
    let bench = Bench::new();
    let items: Vec<_> = (0..ITEMS).map(|nth| ready(&format!("Q-{nth:04}"), nth)).collect();
    bench.store.writer().unwrap().queue_add(&items).unwrap();
    let mut all = BTreeSet::new();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut held = 0;
    for round in 0..KILLS {
        let now = (round + 1) * ROUND;
        let mut workers = ["w1", "w2"].map(|name| spawn(&bench.path(), &format!("{name}-{round}"), now));
        for worker in &mut workers {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            std::thread::sleep(Duration::from_micros(5_000 + seed % 60_000));
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
        for worker in &mut workers {
            for item in acknowledged(worker) {
                assert!(all.insert(item.clone()), "{item} was acknowledged twice");
            }
        }
        check(&bench.path(), &all);
        held += bench.store.reader().unwrap().queue_leases(now).unwrap().len();
    }
    assert!(!all.is_empty() && held > 0, "no worker died holding anything: {} done", all.len());
    let mut last = spawn(&bench.path(), "w0", (KILLS + 1) * ROUND);
    all.extend(acknowledged(&mut last));
    assert!(last.wait().unwrap().success());
    assert_eq!(check(&bench.path(), &all), ITEMS);
}
