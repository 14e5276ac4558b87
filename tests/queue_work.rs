//! Workers as processes: signals, duplicates, health, archiving, what is forged, what is left after a rebuild.
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use enact_core::entry::Record;
use enact_core::govern::sign;
use serde_json::{Value, json};

use crate::support::{Ran, Scratch};

const WATER: &str = "EXQ-20260417-1";
const GRANT: &str = "EXQ-20260417-2";
const VOIDED: &str = "EXQ-20260417-3";
const CONTRACT: &str = "QC_WST_TRANSFER_V0";
/// Items beside those of the story.
const MORE: usize = 60;

/// The workspace that the story of pack `wst` leaves.
struct City(Scratch);

impl City {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.enact(&["demo", "wst", "--json"]).exits(0);
        Self(scratch)
    }

    /// The same with more to do.
    fn busy() -> Self {
        let city = Self::new();
        let lines = |line: &dyn Fn(usize) -> Value| {
            (0..MORE).fold(String::new(), |mut text, n| {
                writeln!(text, "{}", line(n)).unwrap();
                text
            })
        };
        let said = |kind: &str, action: &str, subject: String, payload: Value| json!({"type": kind, "action": action, "subject": subject, "payload": payload});
        let unit = |n: usize| said("UNIT_EVENT", "unit.opened", format!("Unit:R-{n}"), json!({"project_id": "JWP", "title": "a unit"}));
        let create = |n: usize| said("INTENT_EVENT", "intent.created", format!("Intent:INT-20260418-{n}"), terms(n));
        let accept = |n: usize| said("INTENT_EVENT", "intent.accepted", format!("Intent:INT-20260418-{n}"), json!({}));
        let queue = |n: usize| said("EXECUTION_EVENT", "execution.queued", format!("Execution:EXQ-20260418-{n}"), queued(n));
        for (name, by, text) in [
            ("unit", "joan", lines(&unit)),
            ("create", "desk", lines(&create)),
            ("accept", "ruth", lines(&accept)),
            ("queue", "joan", lines(&queue)),
        ] {
            let file = city.0.file(name, &text);
            city.enact(&["propose", &file, "--each", "--as", by, "-q"]).exits(0);
        }
        city
    }

    fn enact(&self, args: &[&str]) -> Ran {
        let mut all = vec!["-w", ".enact-demo-wst"];
        all.extend(args);
        self.0.enact(&all)
    }

    fn refused(&self, args: &[&str]) -> Value {
        let ran = self.enact(&[args, &["--json"]].concat());
        assert_ne!(ran.code, 0, "{ran:#?}");
        ran.json()["error"].clone()
    }

    fn json(&self, args: &[&str]) -> Value {
        self.enact(&[args, &["--json"]].concat()).exits(0).json()
    }

    fn status(&self, id: &str) -> String {
        self.json(&["queue", "show", id])["status"].as_str().unwrap().to_owned()
    }

    fn size(&self) -> usize {
        self.json(&["ledger", "list", "-n", "100000"]).as_array().unwrap().len()
    }

    /// The record that queues an intent, signed as somebody would who has the key in another place.
    fn signed(&self, by: &str, id: &str, n: usize) -> Value {
        let text = std::fs::read_to_string(self.0.path().join(format!(".enact-demo-wst/keys/actors/{by}.key"))).unwrap();
        let hex = text.split_whitespace().find(|word| word.len() == 64).unwrap();
        let seed: [u8; 32] = std::array::from_fn(|nth| u8::from_str_radix(&hex[2 * nth..2 * nth + 2], 16).unwrap());
        let origin = self.json(&["verify"])["origin"].as_str().unwrap().to_owned();
        let record = json!({"kind": "TRANSITION", "type": "EXECUTION_EVENT", "action": "execution.queued",
            "subject": format!("Execution:{id}"), "actor": format!("Actor:{by}"), "refs": {}, "consumes": [], "payload": queued(n)});
        let record: Record = serde_json::from_value(record).unwrap();
        serde_json::to_value(sign(record, &origin, &ed25519_dalek::SigningKey::from_bytes(&seed)).unwrap()).unwrap()
    }

    fn work(&self) -> Vec<Value> {
        let ran = self.enact(&["work", "--once", "--as", "worker-one", "--json"]);
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn worker_command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command();
        command.args(["-w", ".enact-demo-wst", "work", "--as", "worker-one", "--json", "-q"]).args(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// A worker in a process of its own, with the first line that it printed.
    fn worker(&self, args: &[&str]) -> Worker {
        let mut child = self.worker_command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        assert!(first.contains("\"event\""), "{first}");
        // Read on, so that it never waits for us.
        std::thread::spawn(move || {
            for line in out.lines() {
                drop(line)
            }
        });
        Worker(child)
    }

    fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.0.path().join(".enact-demo-wst/ledger/ledger.db")).unwrap()
    }

    /// Writes into the row of an item as nobody may, with the counts that belong to it.
    fn forge(&self, id: &str, from: &str, to: &str, set: &str) {
        let sql = self.sql();
        assert_eq!(sql.execute(&format!("UPDATE queue_items SET status = ?2, {set} WHERE item = ?1"), [id, to]).unwrap(), 1);
        for (status, by) in [(from, -1), (to, 1)] {
            sql.execute(
                "INSERT INTO queue_counts(contract, member, value, status, items) VALUES(?1, '', '', ?2, ?3) \
                 ON CONFLICT(member, contract, value, status) DO UPDATE SET items = items + excluded.items",
                rusqlite::params![CONTRACT, status, by],
            )
            .unwrap();
        }
    }

    fn sound(&self) {
        self.enact(&["verify", "--rebuild"]).exits(0);
        self.enact(&["audit", "--all"]).exits(0);
    }
}

struct Worker(Child);

impl Worker {
    /// Whether a `TERM` is heard; before, it ends the process as it ends any.
    fn catches_signals(&self) -> bool {
        const TERM: u64 = 1 << 14;
        let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())) else { return true };
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & TERM != 0)
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn terms(n: usize) -> Value {
    json!({"project_id": "JWP", "unit_id": format!("R-{n}"), "from_member": "water-works", "to_member": "clinic",
           "seat_id": "water-1", "charter_no": "JWP-1", "value_class": "WATER_SHARE", "quantity": "1"})
}

fn queued(n: usize) -> Value {
    let mut payload = terms(n);
    payload["intent_id"] = json!(format!("INT-20260418-{n}"));
    payload
}

/// W-30: a worker that is told to stop finishes what has run and gives the rest back; what is left is carried out by the next one, once.
#[test]
fn w_30_a_worker_that_is_told_to_stop_holds_nothing_afterwards() {
    let city = City::busy();
    let mut worker = city.worker(&["--batch", "4", "--workers", "2"]);
    worker.signal("TERM");
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    let health = city.json(&["queue", "health"]);
    assert_eq!((&health["leases"], &health["expired"], &health["healthy"]), (&json!([]), &json!([]), &json!(true)), "{health:#}");
    let statuses = &health["contracts"][0]["statuses"];
    assert_eq!((&statuses["EXECUTING"], &statuses["EXECUTED"]), (&Value::Null, &Value::Null), "{health:#}");
    city.work();
    assert_eq!(city.json(&["summary"])[0]["statuses"], json!({"SETTLED": MORE + 1, "SETTLING": 1, "VOID": 1}));
    for line in city.json(&["queue", "list", "--limit", "1000"]).as_array().unwrap() {
        let id = line["queue_id"].as_str().unwrap();
        let lines = city.json(&["queue", "show", id, "--lines"])["lines"].clone();
        let executed = lines.as_array().unwrap().iter().filter(|line| line["event"] == "executed").count();
        assert_eq!(executed, usize::from(id != VOIDED), "{id}");
    }
    city.sound();
}

/// How a worker ends that is asked again and again while another holds the lock, so that it has done nothing.
fn signalled_twice(city: &City, pause: Duration) -> Option<i32> {
    let lock = city.sql();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut worker = Worker(city.worker_command(&["--batch", "4", "--lease", "1"]).spawn().unwrap());
    while !worker.catches_signals() {
        assert!(worker.0.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    // Most of the time it has come to where it waits by then.
    std::thread::sleep(pause);
    worker.signal("TERM");
    // The two are one if they come before the process has seen the first.
    let begun = std::time::Instant::now();
    while worker.0.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it waits, however often it is asked");
        std::thread::sleep(Duration::from_millis(50));
        worker.signal("TERM");
    }
    lock.execute_batch("ROLLBACK").unwrap();
    worker.0.wait().unwrap().code()
}

/// W-30: who asks twice does not wait, whatever the worker waits for.
#[test]
fn w_30_a_second_signal_ends_a_worker_at_once() {
    let city = City::busy();
    // One that had not come to the lock yet ends with the first signal, as it should.
    let ended = (1..9).map(|nth| signalled_twice(&city, Duration::from_millis(200 * nth))).find(|code| *code != Some(0));
    assert_eq!(ended, Some(Some(130)));
    // Nothing is lost.
    city.work();
    assert_eq!(city.json(&["summary"])[0]["statuses"], json!({"SETTLED": MORE + 1, "SETTLING": 1, "VOID": 1}));
    city.sound();
}

/// W-52: counts on request, while it works on.
#[test]
fn w_52_a_worker_says_what_it_has_done_when_asked() {
    let city = City::new();
    let mut worker = city.worker(&[]);
    let mut heard = BufReader::new(worker.0.stderr.take().unwrap());
    let mut line = String::new();
    worker.signal("USR1");
    heard.read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    assert!(said["counts"]["executed"].as_u64().unwrap() >= 1, "{said}");
    assert!(worker.0.try_wait().unwrap().is_none());
    worker.signal("TERM");
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
}

/// W-52: what is due, who holds what, what failed; exit code 1 when something is beyond its bound.
#[test]
fn w_52_the_health_of_the_queue_is_told() {
    let city = City::new();
    let health = city.json(&["queue", "health"]);
    assert_eq!(health["contracts"][0]["statuses"], json!({"PENDING": 2, "VOID": 1}));
    assert_eq!(health["contracts"][0]["due"], 0);
    // A lease that is over, as a worker leaves it that is gone.
    city.forge(WATER, "PENDING", "EXECUTING", "owner = 'w-gone', deadline = 1000000, fence = 1");
    let ran = city.enact(&["queue", "health", "--json"]);
    assert_eq!((ran.code, &ran.json()["findings"]), (1, &json!(["lease_expired"])));
    assert_eq!(ran.json()["expired"], json!([{"owner": "w-gone", "items": 1, "deadline_utc": "1970-01-01T00:00:01.000000+00:00"}]));
    // The next worker gives it back and carries it out.
    city.work();
    assert_eq!(city.status(WATER), "SETTLED");
    assert_eq!(city.json(&["queue", "health"])["expired"], json!([]));
    city.forge(GRANT, "SETTLING", "READY", "updated = 1000000");
    let ran = city.enact(&["queue", "health", "--json"]);
    assert_eq!((ran.code, &ran.json()["findings"]), (1, &json!(["ready_too_old"])));
    assert_eq!((&ran.json()["contracts"][0]["oldest"], &ran.json()["contracts"][0]["due"]), (&json!(GRANT), &json!(1)));
}

/// W-52: rows and counts that do not follow from journal and ledger are named, and derived again.
#[test]
fn w_52_rows_and_counts_that_do_not_follow_are_named_and_derived_again() {
    let city = City::new();
    city.work();
    let reason = city.json(&["queue", "show", VOIDED])["reason"].clone();
    assert!(reason.is_string());
    city.enact(&["queue", "archive", VOIDED]).exits(0);
    city.sound();
    let healthy = |city: &City| city.enact(&["queue", "health", "--json"]).json()["findings"].clone();
    for (statement, code, told) in [
        ("UPDATE queue_items SET archived = 1", "queue_row", true),
        ("UPDATE queue_items SET archived = 0", "queue_count", true),
        ("UPDATE queue_items SET status = 'BOGUS'", "queue_row", true),
        ("UPDATE queue_items SET status = 'PENDING'", "queue_row", true),
        ("UPDATE queue_items SET contract = 'QC_OTHER_V0'", "queue_count", true),
        ("UPDATE queue_items SET attempts = attempts + 1", "queue_row", false),
        ("UPDATE queue_items SET fence = 0", "queue_row", false),
        ("UPDATE queue_items SET fence = -1", "queue_row", false),
        ("UPDATE queue_items SET line = line + 1000", "queue_row", false),
        ("UPDATE queue_counts SET items = items + 50", "queue_count", true),
        ("DELETE FROM queue_counts", "queue_count", true),
        ("DELETE FROM queue_items WHERE archived = 0", "queue_row", true),
    ] {
        assert!(city.sql().execute(statement, []).unwrap() > 0, "{statement}");
        let verify = city.enact(&["verify", "--rebuild", "--json"]).exits(4).json();
        let codes: Vec<&Value> = verify["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
        assert!(codes.contains(&&json!(code)), "{statement}: {verify:#}");
        assert_eq!(healthy(&city) == json!(["counts_differ"]), told, "{statement}");
        city.enact(&["queue", "rebuild"]).exits(0);
        assert_eq!(healthy(&city), json!([]), "{statement}");
        assert_eq!(city.json(&["queue", "show", VOIDED])["reason"], reason, "{statement}");
        assert_eq!([WATER, GRANT].map(|id| city.json(&["queue", "show", id])["archived"].clone()), [json!(false), json!(false)]);
        city.sound();
    }
    assert_eq!(city.json(&["summary"])[0]["queued"], 3, "what was called off was brought back by the second and archived by none");
}

/// W-52: a row that no entry knows is named beside the others, and a row of the state that is none ends whoever reads it.
#[test]
fn w_52_a_row_of_no_item_is_named_beside_the_others() {
    let city = City::new();
    let columns = "contract, 'READY', seq, pos, not_before, waiting, attempts, owner, deadline, fence, updated, archived, line";
    city.sql().execute(&format!("INSERT INTO queue_items SELECT 99, 'EXQ-none', {columns} FROM queue_items WHERE id = 1"), []).unwrap();
    let listed = city.enact(&["queue", "list", "--json"]).exits(4).json();
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|item| item["queue_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [WATER, GRANT, VOIDED, "EXQ-none"]);
    assert_eq!((&listed[0]["error"], &listed[3]["error"]["code"]), (&Value::Null, &json!("queue_row")));
    // It keeps nothing else from being exported, nor does a line that is none.
    let sql = "UPDATE queue_journal SET line = 'junk' WHERE id = (SELECT min(id) FROM queue_journal WHERE item = ?1)";
    assert_eq!(city.sql().execute(sql, [GRANT]).unwrap(), 1);
    let exported = city.enact(&["queue", "export", "out", "--json"]).exits(4).json();
    let damaged = |nth: usize| (&exported["damaged"][nth]["queue_id"], &exported["damaged"][nth]["error"]["code"]);
    assert_eq!((damaged(0), damaged(1)), ((&json!(GRANT), &json!("queue_line")), (&json!("EXQ-none"), &json!("queue_row"))), "{exported}");
    assert_eq!(exported["items"], 3);
    let folder = city.0.path().join("out");
    assert!([WATER, GRANT, VOIDED].iter().all(|id| folder.join(format!("by_item/{id}.json")).is_file()));
    let lines = std::fs::read_to_string(folder.join("queue.ndjson")).unwrap();
    assert_eq!(json!(lines.lines().count()), exported["lines"]);
    city.enact(&["verify", "--rebuild"]).exits(4);
    city.enact(&["queue", "rebuild"]).exits(0);
    assert_eq!(city.json(&["queue", "list"]).as_array().unwrap().len(), 3);
    city.sql().execute("UPDATE state SET value = 'junk' WHERE key = 'Execution:' || ?1", [WATER]).unwrap();
    for args in [&["queue", "list", "--json"][..], &["queue", "show", WATER, "--json"], &["queue", "rebuild", "--json"]] {
        assert_eq!(city.enact(args).exits(4).json()["error"]["code"], "state_unreadable", "{args:?}");
    }
    // What could not be derived is not lost.
    assert_eq!(city.sql().query_row("SELECT count(*) FROM queue_items", [], |row| row.get::<_, i64>(0)).unwrap(), 3);
    city.enact(&["ledger", "rebuild"]).exits(0);
    city.sound();
}

/// W-52: no waiting mends what is stored, so a worker that meets damage ends with it.
#[test]
fn w_52_a_worker_ends_where_what_is_stored_is_damaged() {
    for (statement, code, mends) in [
        ("UPDATE queue_items SET owner = 'x', deadline = -5, status = 'EXECUTING'", "store_corrupt", "`enact queue rebuild`"),
        ("UPDATE queue_items SET fence = -1", "store_corrupt", "`enact queue rebuild`"),
        ("UPDATE head SET frontier = x'00'", "store_corrupt", "restore the ledger"),
        ("UPDATE state SET value = 'junk' WHERE key LIKE 'Execution:%'", "state_unreadable", "`enact ledger rebuild`"),
    ] {
        let city = City::new();
        city.sql().execute(statement, []).unwrap();
        for workers in ["1", "3"] {
            let ran = city.enact(&["work", "--as", "worker-one", "--workers", workers, "--json"]);
            assert_eq!(ran.code, 4, "{statement}: {ran:#?}");
            let error = &ran.json()["error"];
            assert_eq!(error["code"], code, "{statement}");
            assert!(error["hint"].as_str().unwrap().contains(mends), "{statement}: {error}");
        }
    }
}

/// W-41, W-42: whoever has something done again that was done is answered with the original, and nothing is done.
#[test]
fn w_41_w_42_a_duplicate_is_answered_with_the_original() {
    let city = City::busy();
    // The same intent twice: the second finds it used up at its commit.
    let twin = city.0.file("twin.json", &queued(0).to_string());
    city.enact(&["queue", "add", &twin, "--id", "EXQ-twin", "--as", "joan"]).exits(0);
    let events = city.work();
    let executed = events.iter().find(|event| event["event"] == "executed" && event["queue_id"] == "EXQ-20260418-0").unwrap();
    let duplicate = events.iter().find(|event| event["queue_id"] == "EXQ-twin" && !event["original"].is_null());
    let original = duplicate.unwrap_or_else(|| panic!("{events:#?}"))["original"].clone();
    assert_eq!((&original["queue_id"], &original["entry"]), (&json!("EXQ-20260418-0"), &executed["entry"]));
    let history = city.json(&["history", "Execution:EXQ-20260418-0"]);
    let record = history.as_array().unwrap().iter().find(|row| row["action"] == "transfer.executed").unwrap().clone();
    assert_eq!(original["record"], record["record"], "{record:#}");
    let item = city.json(&["queue", "show", "EXQ-20260418-0"]);
    assert_eq!(original["run"], item["run"]);
    assert!(original["receipt"].as_str().unwrap().starts_with("blake3:"));
    let size = city.size();
    for id in ["EXQ-20260418-0", "EXQ-twin"] {
        let started = city.json(&["queue", "start", id, "--as", "joan", "--worker", "worker-one"]);
        assert_eq!((&started["original"], &started["report"]["duplicates"]), (&original, &json!(1)));
    }
    for id in ["EXQ-20260418-0", "EXQ-other"] {
        let refused = city.refused(&["queue", "add", &twin, "--id", id, "--as", "joan"]);
        assert_eq!(refused["details"]["original"], original, "{refused:#}");
    }
    assert_eq!(city.size(), size);
    city.sound();
}

/// W-41, W-42: a record that was signed elsewhere is no other: once it is queued, once it was carried out it is answered with the original.
#[test]
fn w_41_w_42_a_record_signed_elsewhere_and_given_twice_is_answered_with_the_original() {
    let city = City::busy();
    city.work();
    let original = city.json(&["queue", "start", "EXQ-20260418-0", "--as", "joan", "--worker", "worker-one"])["original"].clone();
    assert_eq!(original["queue_id"], "EXQ-20260418-0");
    // An intent of its own, not queued yet.
    let fresh = MORE + 1;
    for (by, kind, action, subject, payload) in [
        ("joan", "UNIT_EVENT", "unit.opened", format!("Unit:R-{fresh}"), json!({"project_id": "JWP", "title": "a unit"})),
        ("desk", "INTENT_EVENT", "intent.created", format!("Intent:INT-20260418-{fresh}"), terms(fresh)),
        ("ruth", "INTENT_EVENT", "intent.accepted", format!("Intent:INT-20260418-{fresh}"), json!({})),
    ] {
        let record = json!({"type": kind, "action": action, "subject": subject, "payload": payload});
        let file = city.0.file("fresh.json", &record.to_string());
        city.enact(&["propose", &file, "--as", by, "-q"]).exits(0);
    }
    let add = |name: &str, id: &str, n: usize| {
        let file = city.0.file(name, &city.signed("joan", id, n).to_string());
        city.enact(&["queue", "add", &file, "--as", "joan", "--json"])
    };
    let queued = add("one.json", "EXQ-elsewhere", fresh).exits(0).json();
    assert_eq!((&queued["queue_id"], &queued["validation"]["validated"]), (&json!("EXQ-elsewhere"), &json!(true)), "{queued:#}");
    let size = city.size();
    let again = add("two.json", "EXQ-elsewhere", fresh);
    assert_eq!((again.code, &again.json()["error"]["code"]), (3, &json!("queue_exists")), "{again:#?}");
    assert_eq!(city.size(), size);
    city.work();
    assert_eq!(city.status("EXQ-elsewhere"), "SETTLED");
    // Twice, and the same intent under another name; so is an intent that was carried out as an item that was not signed elsewhere.
    let size = city.size();
    let said = |id: &str, n: usize| {
        let refused = add("late.json", id, n);
        assert_ne!(refused.code, 0, "{refused:#?}");
        refused.json()["error"]["details"]["original"].clone()
    };
    let elsewhere = city.json(&["queue", "start", "EXQ-elsewhere", "--as", "joan", "--worker", "worker-one"])["original"].clone();
    assert_eq!(elsewhere["queue_id"], "EXQ-elsewhere");
    assert_eq!([said("EXQ-elsewhere", fresh), said("EXQ-other", fresh)], [elsewhere.clone(), elsewhere]);
    assert_eq!([said("EXQ-20260418-0", 0), said("EXQ-third", 0)], [original.clone(), original]);
    assert_eq!(city.size(), size);
    city.sound();
}

/// W-51: what is over is out of the lists and stays impossible; what is not over stays.
#[test]
fn w_51_only_what_is_over_is_archived_and_its_keys_stay_used_up() {
    let city = City::new();
    let error = city.refused(&["queue", "archive", WATER]);
    assert_eq!(error["code"], "queue_status");
    city.work();
    city.enact(&["fulfill", WATER, "--as", "joan", "--proof", "manual"]).exits(0);
    let past = city.json(&["queue", "archive", "--before", "2020-01-01T00:00:00Z"]);
    assert_eq!((&past["archived"], &past["left"]), (&json!(0), &json!(0)));
    let all = city.json(&["queue", "archive", "--contract", CONTRACT]);
    assert_eq!((&all["archived"], &all["left"]), (&json!(2), &json!(1)));
    let ids = |args: &[&str]| {
        let items = city.json(args);
        items.as_array().unwrap().iter().map(|item| item["queue_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["queue", "list"]), [GRANT]);
    assert_eq!(ids(&["queue", "list", "--archived"]), [WATER, VOIDED]);
    assert_eq!(city.json(&["summary"])[0]["queued"], 1);
    assert_eq!(city.refused(&["queue", "archive", WATER])["code"], "queue_archived");
    let again = city.json(&["queue", "show", WATER]);
    let members = ["intent_id", "project_id", "unit_id", "from_member", "to_member", "seat_id", "charter_no", "value_class", "quantity"];
    let payload: Value = members.iter().map(|name| ((*name).to_owned(), again[*name].clone())).collect::<serde_json::Map<_, _>>().into();
    let file = city.0.file("again.json", &payload.to_string());
    assert_eq!(city.refused(&["queue", "add", &file, "--as", "joan"])["code"], "guard_key_unconsumed");
    // A rebuild does not bring it back either.
    city.enact(&["queue", "rebuild"]).exits(0);
    assert_eq!(ids(&["queue", "list"]), [GRANT]);
    city.sound();
}

/// W-45: a READY that somebody wrote into the file is validated before anything is executed; after a rebuild nothing is left of the failure.
#[test]
fn w_45_a_forged_ready_is_validated_and_a_rebuild_forgets_what_was_not_final() {
    let city = City::new();
    let suspend =
        json!({"type": "MEMBER_EVENT", "action": "member.suspended", "subject": "Member:line-crew", "payload": {"reason": "an inquiry"}});
    let suspend = city.0.file("suspend.json", &suspend.to_string());
    city.enact(&["propose", &suspend, "--as", "joan"]).exits(0);
    city.forge(WATER, "PENDING", "READY", "not_before = 0");
    city.work();
    let item = city.json(&["queue", "show", WATER]);
    assert_eq!((&item["status"], &item["failure_reason"]), (&json!("FAILED"), &json!("to_member_inactive")));
    assert_eq!(item["failure_class"], "resolvable");
    assert_eq!(city.json(&["queue", "health", "--max-failures", "1"])["contracts"][0]["failures_last_hour"], 1);
    assert_eq!(city.enact(&["queue", "health", "--max-failures", "0"]).code, 1);
    city.enact(&["queue", "rebuild"]).exits(0);
    let item = city.json(&["queue", "show", WATER]);
    assert_eq!((&item["status"], &item["failure_class"], &item["attempt_count"]), (&json!("PENDING"), &Value::Null, &json!(0)));
    // The other one is for the same member.
    assert_eq!([GRANT, VOIDED].map(|id| city.status(id)), ["PENDING", "VOID"]);
    city.sound();
}

/// W-50: workers of some contracts leave the others alone, and a contract that is none is refused.
#[test]
fn w_50_a_worker_takes_items_of_the_contracts_it_was_given() {
    let city = City::new();
    let refused = city.refused(&["work", "--once", "--as", "worker-one", "--contract", "QC_NONE_V0"]);
    assert_eq!(refused["code"], "queue_contract");
    assert_eq!(city.status(WATER), "PENDING");
    city.enact(&["work", "--once", "--as", "worker-one", "--contract", CONTRACT, "--contract", CONTRACT]).exits(0);
    assert_eq!([WATER, GRANT].map(|id| city.status(id)), ["SETTLED", "SETTLING"]);
}

/// W-50: the same counts whether they were kept or are read from the lines.
#[test]
fn w_50_a_summary_by_members_adds_up_to_the_plain_one() {
    let city = City::busy();
    city.work();
    let by = city.json(&["summary", "--by", "to_member", "--by", "run"]);
    let plain = city.json(&["summary"]);
    let sum = |name: &str| by.as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>();
    for name in ["queued", "executed", "fulfilled"] {
        assert_eq!(json!(sum(name)), plain[0][name]);
    }
    // A member that an item keeps from its execution on.
    assert_eq!(by.as_array().unwrap().len(), MORE + 3);
}

/// W-50: the measurement carries out what it measures, and leaves nothing behind.
#[test]
fn w_50_the_bench_of_the_queue_settles_every_item() {
    let scratch = Scratch::new();
    let dir = scratch.path().to_string_lossy().into_owned();
    let figures =
        scratch.enact(&["bench", "queue", "--items", "100", "--behind", "50", "--workers", "2", "--dir", &dir, "--json"]).exits(0).json();
    assert_eq!((&figures["items"], &figures["behind"]), (&json!(100), &json!(50)));
    let blocks = figures["blocks"].as_array().unwrap();
    assert_eq!((blocks.len(), &blocks[0]["behind"], &blocks[0]["items"]), (1, &json!(0), &json!(50)));
    assert!(figures["items_per_s"].as_f64().unwrap() > 0.0);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

/// W-50, W-52: a protocol without their contract leaves items where they are. They are shown, workers pass them by, and with the contract they go on.
#[test]
fn w_50_w_52_items_under_a_contract_that_is_in_force_no_more_are_left_alone() {
    let city = City::new();
    let file = city.0.path().join(format!(".enact-demo-wst/protocol/{CONTRACT}.json"));
    let contract = std::fs::read(&file).unwrap();
    for actor in ["ada", "joan"] {
        city.enact(&["actor", "grant", actor, "--role", "steward", "--as", "ada"]).exits(0);
    }
    let adopt = || {
        city.enact(&["protocol", "seal"]).exits(0);
        let proposed = city.json(&["protocol", "adopt", "--as", "joan"])["records"][0]["hash"].as_str().unwrap().to_owned();
        city.enact(&["protocol", "adopt", "--ratify", &proposed, "--as", "ada"]).exits(0);
    };
    std::fs::remove_file(&file).unwrap();
    adopt();
    let listed = city.json(&["queue", "list"]);
    assert_eq!([&listed[0]["status"], &listed[0]["error"]["code"]], [&json!("PENDING"), &json!("queue_contract")], "{listed}");
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let health = city.enact(&["queue", "health", "--json"]).exits(1).json();
    assert_eq!((&health["findings"], &health["contracts"][0]["in_force"]), (&json!(["contract_not_in_force"]), &json!(false)));
    assert_eq!(city.enact(&["work", "--once", "--as", "worker-one", "--json"]).exits(0).json()["executed"], 0);
    city.enact(&["queue", "export", "out"]).exits(1);
    std::fs::write(&file, contract).unwrap();
    adopt();
    city.work();
    assert_eq!([WATER, GRANT].map(|id| city.status(id)), ["SETTLED", "SETTLING"]);
    city.sound();
}
