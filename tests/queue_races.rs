//! Workers against each other, against `kill -9` and against a clock that has gone on without them: each intent is transferred once.
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::crash::Moments;
use crate::queue_pilot::{Pilot, WATER};

/// Items of the race in the suite; `ENACT_QUEUE_ITEMS` asks for more.
const ITEMS: usize = 400;
/// Processes that work at once.
const WORKERS: usize = 8;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

impl Pilot {
    fn worker(&self, args: &[&str]) -> Command {
        let mut command = self.scratch.command();
        command.args(["work", "--as", "worker-one", "--json", "-q"]).args(args).stderr(Stdio::null());
        command
    }

    /// How often each intent was transferred, as the entries say.
    fn transfers(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for record in self.records().iter().filter(|record| record["action"] == "transfer.executed") {
            let intent = record["payload"]["statement"]["intent_id"].as_str().unwrap().to_owned();
            *found.entry(intent).or_insert(0) += 1;
        }
        found
    }

    /// Every record of the ledger.
    fn records(&self) -> Vec<Value> {
        let sql = self.scratch.sql();
        let mut query = sql.prepare("SELECT bytes FROM entries ORDER BY seq").unwrap();
        let entries = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        entries.flat_map(|bytes| serde_json::from_slice::<Value>(&bytes.unwrap()).unwrap()["records"].as_array().unwrap().clone()).collect()
    }

    fn size(&self) -> i64 {
        let sql = self.scratch.sql();
        sql.busy_timeout(Duration::from_secs(10)).unwrap();
        sql.query_row("SELECT size FROM head", [], |row| row.get(0)).unwrap()
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        let sql = self.scratch.sql();
        sql.busy_timeout(Duration::from_secs(10)).unwrap();
        let mut query = sql.prepare("SELECT status, count(*) FROM queue_items GROUP BY status").unwrap();
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
        rows.map(|row| row.map(|(status, count)| (status, u64::try_from(count).unwrap())).unwrap()).collect()
    }

    fn signal(child: &Child, signal: &str) {
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// A worker that stands still while it holds items, with nothing of the file locked; the ids that it holds.
    fn stopped_worker(&self, lease: &str) -> (Child, Vec<String>) {
        let sql = self.scratch.sql();
        sql.busy_timeout(Duration::ZERO).unwrap();
        let held = || -> Option<Vec<String>> {
            let mut query = sql.prepare_cached("SELECT item FROM queue_items WHERE owner IS NOT NULL AND status = 'EXECUTING'").ok()?;
            let rows = query.query_map([], |row| row.get(0)).ok()?;
            rows.collect::<Result<Vec<String>, _>>().ok().filter(|items| !items.is_empty())
        };
        let mut child = self.worker(&["--once", "--lease", lease, "--batch", "64"]).stdout(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "it never stood still with an item");
            if held().is_none() {
                std::thread::yield_now();
                continue;
            }
            Self::signal(&child, "-STOP");
            let unlocked = sql.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok();
            if let (true, Some(items)) = (unlocked, held()) {
                return (child, items);
            }
            Self::signal(&child, "-CONT");
        }
    }

    /// Lets it go on to its end, and answers what it says of items.
    fn heard(child: Child) -> Vec<Value> {
        Self::signal(&child, "-CONT");
        let ended = crate::support::ran(&child.wait_with_output().unwrap());
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn fenced<'a>(events: &'a [Value], items: &[String]) -> Vec<&'a str> {
    let ids = events.iter().filter(|event| event["event"] == "fenced").filter_map(|event| event["queue_id"].as_str());
    ids.filter(|id| items.iter().any(|item| item == id)).collect()
}

/// A worker that is killed with what holds it, also by a test that fails.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// W-28 to W-31, W-36, W-41, W-42, W-47: eight processes, one of them killed every 100 ms, until nothing is left that can be done.
#[test]
fn w_28_w_30_w_41_w_42_each_intent_is_transferred_once_though_workers_are_killed_all_the_time() {
    let items = usize::try_from(setting("ENACT_QUEUE_ITEMS", ITEMS as u64)).unwrap();
    let seed = setting("ENACT_SEED", 0x5EED_2030);
    println!("seed {seed} (set ENACT_SEED to choose another), {items} items");
    let mut moments = Moments(seed);
    let pilot = Pilot::new();
    pilot.issue("IS-9", "WATER_SHARE", "1000000");
    // Most settle here; some wait for a bank, some are withdrawn while they are queued, some cannot be paid for.
    let difference = |n: usize| match n % 20 {
        7 => json!({"value_class": "GRANT_USD", "quantity": "2"}),
        13 => json!({"value_class": "POWER_SHARE"}),
        _ => json!({}),
    };
    let ids = pilot.queued(&(0..items).map(difference).collect::<Vec<_>>());
    let of = |rest: usize| (0..items).filter(move |n| n % 20 == rest);
    let withdrawn = |n: usize| {
        let payload = json!({"reason": "not needed"});
        crate::queue_pilot::record("INTENT_EVENT", "intent.withdrawn", &format!("Intent:INT-20260418-{n}"), &payload)
    };
    pilot.each("ruth", of(3).map(withdrawn));

    let start = || Worker(pilot.worker(&["--batch", "8", "--lease", "1", "--poll", "50"]).stdout(Stdio::null()).spawn().unwrap());
    let begun = Instant::now();
    let mut workers: Vec<Worker> = (0..WORKERS).map(|_| start()).collect();
    let (mut kills, mut grown) = (0_usize, pilot.size());
    // The two of the story are done as well.
    let waiting = of(7).count() as u64 + 1;
    let done = |counts: &BTreeMap<String, u64>| {
        let of = |status: &str| counts.get(status).copied().unwrap_or(0);
        of("READY") + of("EXECUTING") + of("EXECUTED") == 0
            && of("PENDING") == count(items, 3)
            && of("SETTLING") == waiting
            && of("FAILED") == count(items, 13)
    };
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let counts = pilot.counts();
        if done(&counts) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(300 + items as u64 / 10), "{counts:?}");
        // A machine on which nobody gets that far within 100 ms is given more: workers that are killed while they start show nothing.
        let size = pilot.size();
        if size == grown {
            continue;
        }
        grown = size;
        let nth = usize::try_from(moments.next_below(WORKERS as u64)).unwrap();
        workers[nth] = start();
        kills += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    drop(workers);
    let mut lost = 0;
    for id in &ids {
        lost += pilot.events(id).iter().filter(|event| *event == "lease_lost").count();
        if lost > 0 && items > ITEMS {
            break;
        }
    }
    println!("{items} items, {kills} kills, {seconds:.1} s, {lost} leases taken over");
    assert!(kills > 0 && lost > 0, "nobody was killed in the middle");
    let transfers = pilot.transfers();
    assert!(transfers.values().all(|times| *times == 1), "{transfers:?}");
    for n in 0..items {
        let expected = usize::from(!matches!(n % 20, 3 | 13));
        assert_eq!(transfers.get(&format!("INT-20260418-{n}")).copied().unwrap_or(0), expected, "{n}");
    }
    for (n, reason) in of(3).map(|n| (n, "intent_withdrawn")).chain(of(13).map(|n| (n, "posting_floor"))).take(6) {
        assert_eq!(pilot.item(&ids[n])["failure_reason"], reason);
    }
    let water = items as u64 - [3, 7, 13].map(|rest| count(items, rest)).iter().sum::<u64>();
    assert_eq!(pilot.balance("wallet:clinic", "WATER_SHARE"), water.to_string());
    pilot.sound();
}

/// How many of the first numbers leave this rest.
fn count(items: usize, rest: usize) -> u64 {
    (0..items).filter(|n| n % 20 == rest).count() as u64
}

/// W-28, W-30: a worker that stood still past its lease, while another did its work, is told so and changes nothing.
#[test]
fn w_30_a_worker_that_stood_still_past_its_lease_is_fenced() {
    let pilot = Pilot::new();
    pilot.queued(&vec![json!({}); 60]);
    let (child, items) = pilot.stopped_worker("1");
    let begun = Instant::now();
    while pilot.counts().keys().any(|status| matches!(status.as_str(), "PENDING" | "READY" | "EXECUTING")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the lease does not end");
        pilot.work().exits(0);
    }
    let before = pilot.whole();
    let events = Pilot::heard(child);
    assert_eq!(fenced(&events, &items).len(), items.len(), "{events:#?}");
    assert_eq!(pilot.whole(), before);
    assert!(pilot.transfers().values().all(|times| *times == 1));
    pilot.sound();
}

/// W-30, W-36: the commit itself is refused, not only the renewal: another took the items by a clock that is ahead.
#[test]
fn w_30_w_36_the_commit_of_a_stale_worker_is_refused_as_a_whole() {
    let pilot = Pilot::new();
    pilot.queued(&vec![json!({}); 60]);
    let (child, items) = pilot.stopped_worker("600");
    // To whoever comes now, the leases have ended; he who stands still knows nothing of it and has no reason to renew.
    pilot.scratch.sql().execute("UPDATE queue_items SET deadline = 1 WHERE owner IS NOT NULL", []).unwrap();
    pilot.work().exits(0);
    let before = pilot.whole();
    let events = Pilot::heard(child);
    let told: Vec<&str> =
        events.iter().filter(|event| event["event"] == "executed").filter_map(|event| event["queue_id"].as_str()).collect();
    assert!(items.iter().all(|item| !told.contains(&item.as_str())), "{events:#?}");
    assert!(!fenced(&events, &items).is_empty());
    assert_eq!(pilot.whole(), before);
    for item in &items {
        assert_eq!(pilot.events(item).iter().filter(|event| *event == "executed").count(), 1);
    }
    pilot.sound();
}

/// W-29, W-30: the number alone. Another holds the same items in the same status, and who held them under the number before is shut out.
#[test]
fn w_29_w_30_the_number_alone_shuts_out_who_held_an_item_before() {
    let pilot = Pilot::new();
    pilot.queued(&vec![json!({}); 60]);
    let (child, items) = pilot.stopped_worker("600");
    // As the row is when another took it over; whether that one goes on is his business.
    let taken_over = "UPDATE queue_items SET owner = 'w-other', fence = fence + 1, deadline = 9000000000000000 WHERE owner IS NOT NULL";
    assert_eq!(pilot.scratch.sql().execute(taken_over, []).unwrap(), items.len());
    let before = pilot.transfers();
    let events = Pilot::heard(child);
    assert_eq!(fenced(&events, &items).len(), items.len(), "{events:#?}");
    for item in &items {
        let lines = pilot.events(item);
        assert!(!lines.iter().any(|event| event == "executed"), "{item}: {lines:?}");
    }
    let intents: Vec<String> = items.iter().map(|item| item.replace("EXQ", "INT")).collect();
    let after = pilot.transfers();
    assert!(intents.iter().all(|intent| !after.contains_key(intent)) && after.len() >= before.len(), "{after:?}");
    pilot.sound();
}

/// W-28, W-29: two people start one item at the same moment; the other is told that somebody else has it, or what came of it.
#[test]
fn w_28_w_29_of_two_who_start_an_item_at_once_one_carries_it_out() {
    let pilot = Pilot::new();
    let ids = pilot.queued(&vec![json!({}); 10]);
    for id in &ids {
        let racer = |by: &str| {
            let mut command = pilot.scratch.command();
            command.args(["queue", "start", id, "--as", by, "--worker", "worker-one", "--json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let racers = [racer("joan"), racer("ruth")];
        let ended = racers.map(|racer| crate::support::ran(&racer.wait_with_output().unwrap()));
        let codes: Vec<String> = ended
            .iter()
            .map(|ran| match (ran.code, ran.json()) {
                (0, out) if !out["original"].is_null() => "original".to_owned(),
                (0, _) => "done".to_owned(),
                (_, out) => out["error"]["code"].as_str().unwrap().to_owned(),
            })
            .collect();
        assert!(codes.contains(&"done".to_owned()), "{ended:#?}");
        assert!(codes.iter().all(|code| matches!(code.as_str(), "done" | "original" | "queue_locked" | "queue_status")), "{codes:?}");
        assert_eq!(codes.iter().filter(|code| *code == "done").count(), 1, "{ended:#?}");
        assert_eq!(pilot.events(id).iter().filter(|event| *event == "executed").count(), 1);
    }
    // Two who have both seen it free before either takes it: one that failed, as its taking is the first thing that is written.
    pilot.enact(&["actor", "new", "worker-two", "--role", "worker", "--role", "admin", "--as", "ada", "--json"]).exits(0);
    let id = pilot.queued_by("worker-two", &[json!({})]).remove(0);
    assert_eq!(pilot.said(&["queue", "start", &id, "--as", "joan", "--worker", "worker-two"]), "done");
    let sql = pilot.scratch.sql();
    sql.execute_batch("BEGIN IMMEDIATE").unwrap();
    let racers = ["joan", "ruth"].map(|by| {
        let mut command = pilot.scratch.command();
        command.args(["queue", "retry", &id, "--as", by, "--worker", "worker-one", "--reason", "again", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    std::thread::sleep(Duration::from_millis(1_500));
    sql.execute_batch("ROLLBACK").unwrap();
    let ended = racers.map(|racer| crate::support::ran(&racer.wait_with_output().unwrap()));
    assert_eq!(ended.iter().filter(|ran| ran.code == 0).count(), 1, "{ended:#?}");
    // On a slow machine the other may have come too late to see it free.
    let refused = ended.iter().find(|ran| ran.code != 0).map(|ran| ran.json()["error"]["code"].clone()).unwrap();
    assert!(refused == "queue_locked" || refused == "queue_status", "{ended:#?}");
    assert_eq!((pilot.status(&id).as_str(), pilot.item(&id)["attempt_count"].as_u64()), ("SETTLED", Some(2)));
    assert!(pilot.transfers().values().all(|times| *times == 1));
}

/// W-29: what is held is left alone, by whichever command.
#[test]
fn w_29_nobody_writes_about_an_item_that_another_holds() {
    let pilot = Pilot::new();
    let (mut child, items) = pilot.stopped_worker("600");
    child.kill().unwrap();
    child.wait().unwrap();
    let item = items.first().map_or(WATER, String::as_str);
    let before = (pilot.whole(), pilot.lines(item));
    let said = [
        pilot.refused(&["queue", "start", item, "--as", "joan", "--worker", "worker-one"]),
        pilot.refused(&["queue", "void", item, "--as", "ruth", "--reason", "no"]),
    ];
    assert_eq!(said, ["queue_locked", "queue_locked"]);
    assert_eq!((pilot.whole(), pilot.lines(item)), before);
    pilot.work().exits(0);
    assert_eq!(pilot.status(item), "EXECUTING", "the lease of who was killed goes on");
    assert_eq!(pilot.lines(item), before.1);
}
