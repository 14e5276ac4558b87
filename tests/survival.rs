//! Governance under kill -9, torn files and many processes: what was acknowledged is there, what is there is whole, and one wins.
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use enact_engine::govern::Proposed;
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineError, EngineOptions};
use serde_json::{Value, json};

use crate::crash::Moments;
use crate::governance::{told, whole};
use crate::support::{Scratch, ran};

/// Kills per test run.
const KILLS: u64 = 60;
/// What a worker process is told: workspace, actor, template of the proposal, how many, and its name.
const WORK: &str = "ENACT_TEST_PROPOSES";

/// Not a claim by itself: the process that the tests below start and kill. It proposes in a loop and says what was acknowledged.
#[test]
fn worker_of_the_tests_below() {
    let Some(work) = std::env::var_os(WORK) else { return };
    let work: Value = serde_json::from_str(work.to_str().unwrap()).unwrap();
    let text = |member: &str| work[member].as_str().unwrap();
    let engine = Engine::open(Workspace::open(Path::new(text("workspace"))).unwrap(), &EngineOptions::default()).unwrap();
    for nth in 0..work["count"].as_u64().unwrap() {
        let record = text("template").replace("{n}", &format!("{}-{nth}", text("name")));
        match engine.propose(text("actor"), &Proposed::read(record.as_bytes(), "it").unwrap()) {
            Ok(appended) => println!("\nACK {} {}", appended.entry.seq, appended.records[0].hash),
            Err(EngineError::Refused(refused)) => println!("\nNOT {}", refused.code),
            Err(error) => println!("\nNOT {}", error.code()),
        }
    }
}

fn worker(scratch: &Scratch, name: &str, actor: &str, template: &Value, count: u64) -> Child {
    let work = json!({"workspace": scratch.workspace(), "actor": actor, "template": template.to_string(), "count": count, "name": name});
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "survival::worker_of_the_tests_below", "--nocapture", "--test-threads", "1"]);
    command.env(WORK, work.to_string()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// One cent for lena, under a name of its own.
fn issue() -> Value {
    json!({
        "type": "TRANSFER", "action": "TRANSFER.ISSUE", "subject": "Transfer:K-{n}",
        "payload": {"to": "lena", "asset": "EUR", "amount": "1"},
        "postings": [
            {"account": "mint", "amount": "1", "asset": "EUR", "side": "debit"},
            {"account": "holder:lena", "amount": "1", "asset": "EUR", "side": "credit"},
        ],
    })
}

/// Entries and records that a worker had acknowledged, and codes of what was refused.
#[derive(Default)]
struct Heard {
    acknowledged: BTreeMap<u64, String>,
    refused: Vec<String>,
}

impl Heard {
    fn line(&mut self, line: &str) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            // A line that is cut in the middle was not acknowledged.
            ["ACK", seq, hash] if hash.len() == "blake3:".len() + 64 => {
                assert_eq!(self.acknowledged.insert(seq.parse().unwrap(), hash.to_owned()), None, "entry {seq} twice");
            }
            ["NOT", code] => self.refused.push(code.to_owned()),
            _ => {}
        }
    }

    fn all(&mut self, child: Child) {
        let done = ran(&child.wait_with_output().unwrap()).exits(0);
        done.out.lines().for_each(|line| self.line(line));
    }
}

/// Every entry as it is exported.
fn export(scratch: &Scratch) -> Vec<String> {
    scratch.enact(&["ledger", "export"]).exits(0).out.lines().map(str::to_owned).collect()
}

/// Asserts that the ledger is whole, that it holds what was acknowledged, and that no unit was made or lost. Answers the new records.
fn assert_kept(scratch: &Scratch, heard: &Heard, before: i128) -> usize {
    assert_eq!(whole(scratch)["verdict"], "BALANCED");
    let mut issued = 0;
    for (seq, line) in export(scratch).iter().enumerate() {
        let entry = enact_core::entry::Entry::parse(line.as_bytes()).unwrap();
        issued += usize::from(entry.records[0].subject.starts_with("Transfer:K-"));
        if let Some(hash) = heard.acknowledged.get(&(seq as u64)) {
            assert_eq!(entry.records[0].hash().unwrap().to_string(), *hash, "entry {seq} is another one than was acknowledged");
        }
    }
    let last = heard.acknowledged.keys().last().copied().unwrap_or_default();
    assert!((export(scratch).len() as u64) > last, "entry {last} was acknowledged and is lost");
    assert_eq!(balance(scratch) - before, issued as i128, "units were made or lost");
    issued
}

fn balance(scratch: &Scratch) -> i128 {
    let report = scratch.enact(&["balance", "holder:lena", "--asset", "EUR", "--json"]).exits(0).json();
    report["balances"][0]["balance"].as_str().unwrap().parse().unwrap()
}

#[test]
fn b_30_b_34_kill_minus_9_while_proposing_loses_nothing_acknowledged_and_leaves_nothing_half() {
    let seed = std::env::var("ENACT_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x5EED_2027_u64);
    println!("seed {seed} (set ENACT_SEED to choose another)");
    let mut moments = Moments(seed);
    let (scratch, _) = told("settlement");
    let before = balance(&scratch);
    let mut heard = Heard::default();
    for kill in 0..KILLS {
        let mut child = worker(&scratch, &kill.to_string(), "Actor:mint-office", &issue(), 100_000);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // Every second process is killed some time after its first acknowledgement, the others some time after their start.
        if kill % 2 == 0 {
            let first = lines.find(|line| line.starts_with("ACK")).unwrap();
            heard.line(&first);
        }
        std::thread::sleep(Duration::from_micros(moments.next_below(60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(|line| heard.line(&line));
    }
    assert!(heard.refused.is_empty(), "{:?}", heard.refused);
    assert!(heard.acknowledged.len() as u64 > KILLS, "only {} were acknowledged", heard.acknowledged.len());
    let issued = assert_kept(&scratch, &heard, before);
    println!("{issued} entries, {} acknowledged, {KILLS} kills", heard.acknowledged.len());
    // Recovery is new records: the next one is appended as if nothing had happened.
    heard.all(worker(&scratch, "after", "Actor:mint-office", &issue(), 1));
    assert_eq!(assert_kept(&scratch, &heard, before), issued + 1);
}

#[test]
fn b_30_a_torn_or_garbled_log_opens_at_an_earlier_whole_state_or_is_refused() {
    let (scratch, _) = told("settlement");
    // A process that dies with its log unmerged.
    let mut child = worker(&scratch, "torn", "Actor:mint-office", &issue(), 100_000);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.filter(|line| line.starts_with("ACK")).take(40).count(), 40);
    child.kill().unwrap();
    child.wait().unwrap();
    let ledger = scratch.workspace().join("ledger");
    let file = |name: &str| std::fs::read(ledger.join(name)).unwrap();
    let (database, log) = (file("ledger.db"), file("ledger.db-wal"));
    assert!(log.len() > 100_000, "the log has {} bytes", log.len());
    let restore = |log: &[u8]| {
        std::fs::write(ledger.join("ledger.db"), &database).unwrap();
        std::fs::write(ledger.join("ledger.db-wal"), log).unwrap();
        // Shared memory does not survive a machine.
        drop(std::fs::remove_file(ledger.join("ledger.db-shm")));
    };
    restore(&log);
    let complete = export(&scratch);
    let mut moments = Moments(0x70E4);
    let (mut earlier, mut refused) = (0, 0);
    for nth in 0..40 {
        let place = usize::try_from(moments.next_below(log.len() as u64)).unwrap();
        let mut torn = log.clone();
        if nth % 2 == 0 {
            torn.truncate(place);
        } else {
            // A sector of the disk that was never written, or was written with something else.
            let end = (place + 512).min(torn.len());
            torn[place..end].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31).wrapping_add(7));
        }
        restore(&torn);
        let verified = scratch.enact(&["verify", "--rebuild", "--json"]);
        if verified.code != 0 {
            assert!([1, 4].contains(&verified.code), "{verified:#?}");
            refused += 1;
            continue;
        }
        assert_eq!(verified.json()["verdict"], "BALANCED");
        let now = export(&scratch);
        assert_eq!(now[..], complete[..now.len()], "place {place}: another history");
        earlier += usize::from(now.len() < complete.len());
        // And it goes on from there.
        if nth < 6 {
            let mut heard = Heard::default();
            heard.all(worker(&scratch, &format!("again{nth}"), "Actor:mint-office", &issue(), 1));
            assert_eq!(heard.acknowledged.keys().next().copied(), Some(now.len() as u64));
            whole(&scratch);
        }
    }
    assert!(earlier > 10, "{earlier} opened at an earlier state, {refused} were refused: the damage was not seen");
    println!("{earlier} of 40 opened at an earlier state, {refused} were refused");
}

#[test]
fn b_35_several_processes_propose_at_once_and_the_history_is_one() {
    let (scratch, _) = told("settlement");
    let before = balance(&scratch);
    // About different subjects, all over the same two accounts: every one is appended.
    let children: Vec<Child> = (0..4).map(|nth| worker(&scratch, &nth.to_string(), "Actor:mint-office", &issue(), 50)).collect();
    let mut heard = Heard::default();
    children.into_iter().for_each(|child| heard.all(child));
    assert_eq!((heard.acknowledged.len(), heard.refused.len()), (200, 0), "{:?}", heard.refused);
    assert_eq!(assert_kept(&scratch, &heard, before), 200);

    // About one subject, each with the last record that it has seen: one is appended, the others are told.
    let last = |scratch: &Scratch| scratch.enact(&["state", "Settlement:S-3", "--json"]).exits(0).json()["last"].clone();
    let report = json!({
        "type": "SETTLEMENT_EVENT", "action": "SETTLEMENT.RAIL_ERROR", "subject": "Settlement:S-3",
        "payload": {"rail": "one", "code": "timeout", "retryable": true},
    });
    for round in 0..5 {
        let mut seen = report.clone();
        seen["refs"] = json!({"prev": last(&scratch)});
        let file = scratch.file("seen.json", &seen.to_string());
        let spawn = |_| {
            let mut command = scratch.command();
            command
                .args(["propose", &file, "--as", "Actor:rail-one", "--json"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let children: Vec<Child> = (0..4).map(spawn).collect();
        let done: Vec<_> = children.into_iter().map(|child| ran(&child.wait_with_output().unwrap())).collect();
        let won: Vec<_> = done.iter().filter(|ran| ran.code == 0).collect();
        assert_eq!(won.len(), 1, "round {round}: {done:#?}");
        assert_eq!(last(&scratch), won[0].json()["records"][0]["hash"]);
        for lost in done.iter().filter(|ran| ran.code != 0) {
            assert_eq!((lost.code, &lost.json()["error"]["code"]), (3, &"chain_prev".into()), "{lost:#?}");
        }
    }

    // Whoever has seen none follows the one that was faster, or is told after some attempts.
    let length = || scratch.enact(&["history", "Settlement:S-3", "--json"]).exits(0).json().as_array().unwrap().len();
    let earlier = length();
    let children: Vec<Child> = (0..4).map(|nth| worker(&scratch, &nth.to_string(), "Actor:rail-one", &report, 20)).collect();
    let mut heard = Heard::default();
    children.into_iter().for_each(|child| heard.all(child));
    assert!(heard.refused.iter().all(|code| code == "chain_prev"), "{:?}", heard.refused);
    assert_eq!(heard.acknowledged.len() + heard.refused.len(), 80);
    assert_eq!(length(), earlier + heard.acknowledged.len());
    whole(&scratch);
}
