//! The execution queue through the command: the pilot of pack `wst` from its story on, what is refused on the way, and workers that are killed.
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Ran, Scratch};

const WATER: &str = "EXQ-20260417-1";
const GRANT: &str = "EXQ-20260417-2";
const VOIDED: &str = "EXQ-20260417-3";
const PAPER: &str = "sha256:abababababababababababababababababababababababababababababababab";

/// The workspace that the story leaves: two items to carry out, and one that was voided.
struct Pilot(Scratch);

impl Pilot {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.enact(&["demo", "wst", "--json"]).exits(0);
        Self(scratch)
    }

    fn enact(&self, args: &[&str]) -> Ran {
        let mut all = vec!["-w", ".enact-demo-wst"];
        all.extend(args);
        self.0.enact(&all)
    }

    /// The code with which a command is refused.
    #[track_caller]
    fn refused(&self, args: &[&str]) -> String {
        let mut all = args.to_vec();
        all.push("--json");
        let ran = self.enact(&all);
        assert_ne!(ran.code, 0, "{ran:#?}");
        ran.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("no code: {ran:#?}")).to_owned()
    }

    fn item(&self, id: &str) -> Value {
        self.enact(&["queue", "show", id, "--json"]).exits(0).json()
    }

    fn status(&self, id: &str) -> String {
        self.item(id)["status"].as_str().unwrap().to_owned()
    }

    fn events(&self, id: &str) -> Vec<String> {
        let lines = self.enact(&["queue", "watch", id, "--once", "--json"]).exits(0).out;
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned()).collect()
    }

    fn work(&self) -> Ran {
        self.enact(&["work", "--once", "--as", "worker-one", "--json"])
    }

    fn size(&self) -> usize {
        self.enact(&["ledger", "list", "-n", "100000", "--json"]).exits(0).json().as_array().map_or(0, Vec::len)
    }

    fn balance(&self, account: &str, asset: &str) -> String {
        let report = self.enact(&["balance", account, "--json"]).exits(0).json();
        let found = report["balances"].as_array().unwrap().iter().find(|row| row["asset"] == asset).cloned();
        found.map_or_else(|| "0".to_owned(), |row| row["balance"].as_str().unwrap().to_owned())
    }

    fn sound(&self) {
        self.enact(&["verify", "--rebuild"]).exits(0);
        self.enact(&["audit", "--all"]).exits(0);
    }
}

/// W-22 to W-27, W-31, W-32, W-34, W-44, W-48: the whole way of an item that settles here, and of one that a bank settles.
#[test]
fn w_27_w_31_the_pilot_is_carried_out_settled_and_confirmed() {
    let pilot = Pilot::new();
    assert_eq!([WATER, GRANT, VOIDED].map(|id| pilot.status(id)), ["PENDING", "PENDING", "VOID"]);
    let answer = pilot.enact(&["queue", "validate", WATER, "--json"]).exits(0).json();
    let groups = json!({"intent_ok": true, "authority_ok": true, "project_ok": true, "economic_ok": true});
    assert_eq!(answer, json!({"validated": true, "validation": groups, "ready_for_execution": true}));
    pilot.work().exits(0);
    assert_eq!([WATER, GRANT, VOIDED].map(|id| pilot.status(id)), ["SETTLED", "SETTLING", "VOID"]);
    assert_eq!(pilot.events(WATER), ["queued", "validated", "leased", "executed", "settled"]);
    assert_eq!(pilot.events(GRANT), ["queued", "validated", "leased", "executed", "settlement_begun"]);
    assert_eq!(pilot.balance("wallet:line-crew", "WATER_SHARE"), "1200");
    // The record and the receipt of its run are one entry, and the item names both.
    let item = pilot.item(WATER);
    let history = pilot.enact(&["history", &format!("Execution:{WATER}"), "--json"]).exits(0).json();
    let executed = history.as_array().unwrap().iter().find(|row| row["action"] == "transfer.executed").unwrap().clone();
    assert_eq!(executed["payload"]["uts_id"], format!("UTS-{}", item["run"].as_str().unwrap()));
    assert_eq!(item["transfer_id"], format!("XFR-{WATER}"));
    let shown = pilot.enact(&["show", &executed["seq"].to_string(), "--json"]).exits(0).json();
    assert_eq!(shown["receipt"]["run"], item["run"]);
    // A worker has no evidence, and nothing is left to do.
    let size = pilot.size();
    pilot.work().exits(0);
    assert_eq!(pilot.size(), size);
    assert_eq!(pilot.refused(&["settle", GRANT, "--as", "worker-one"]), "guard_field_in");
    pilot.enact(&["settle", GRANT, "--as", "first-bank", "--evidence", PAPER, "--worker", "worker-one"]).exits(0);
    pilot.enact(&["fulfill", WATER, "--as", "joan", "--proof", "manual"]).exits(0);
    pilot.enact(&["fulfill", GRANT, "--as", "joan", "--proof", "digest", "--evidence", PAPER]).exits(0);
    assert_eq!([WATER, GRANT].map(|id| pilot.status(id)), ["FULFILLED", "FULFILLED"]);
    assert_eq!(pilot.events(GRANT)[3..], ["executed", "settlement_begun", "settled", "fulfilled"]);
    let summary = pilot.enact(&["summary", "--json"]).exits(0).json();
    assert_eq!((&summary[0]["queued"], &summary[0]["executed"], &summary[0]["fulfilled"]), (&json!(3), &json!(2), &json!(2)));
    let by = pilot.enact(&["summary", "--by", "project_id", "--by", "unit_id", "--json"]).exits(0).json();
    assert_eq!(by.as_array().unwrap().len(), 3);
    assert_eq!(by[0]["by"]["project_id"], "JWP");
    pilot.sound();
}

/// W-38, W-43, W-46, W-48: everybody who may not, everything that is too late, and nothing is changed.
#[test]
fn w_43_w_46_who_may_not_and_what_is_too_late_is_refused_and_changes_nothing() {
    let pilot = Pilot::new();
    let before = (pilot.size(), pilot.events(WATER));
    assert_eq!(pilot.refused(&["queue", "void", WATER, "--as", "desk", "--reason", "no"]), "authority_role");
    assert_eq!(pilot.refused(&["queue", "void", WATER, "--as", "city-page", "--reason", "no"]), "authority_role");
    assert_eq!(pilot.refused(&["queue", "void", WATER, "--as", "ruth", "--reason", " "]), "queue_reason");
    assert_eq!(pilot.refused(&["queue", "start", WATER, "--as", "desk", "--worker", "worker-one"]), "queue_trigger");
    assert_eq!(pilot.refused(&["queue", "start", WATER, "--as", "joan", "--worker", "worker-one"]), "queue_status");
    assert_eq!(pilot.refused(&["fulfill", WATER, "--as", "ruth", "--proof", "digest"]), "queue_proof");
    assert_eq!(pilot.refused(&["queue", "show", "EXQ-none"]), "queue_unknown");
    assert_eq!((pilot.size(), pilot.events(WATER)), before);
    pilot.work().exits(0);
    let before = (pilot.size(), pilot.events(WATER), pilot.events(GRANT));
    assert_eq!(pilot.refused(&["queue", "void", WATER, "--as", "ruth", "--reason", "late"]), "lifecycle_edge");
    assert_eq!(pilot.refused(&["queue", "retry", WATER, "--as", "joan", "--worker", "worker-one", "--reason", "again"]), "queue_status");
    // The payer's own actor is an attester too, and not of this.
    assert_eq!(pilot.refused(&["settle", GRANT, "--as", "mina", "--evidence", PAPER]), "guard_actors_distinct");
    assert_eq!(pilot.refused(&["settle", WATER, "--as", "first-bank", "--evidence", PAPER]), "queue_settlement");
    assert_eq!((pilot.size(), pilot.events(WATER), pilot.events(GRANT)), before);
    pilot.sound();
}

/// W-39, W-47: what a validation finds after the item was READY is a failure with its reason, mended and retried by hand with another.
#[test]
fn w_38_w_39_w_47_a_failure_says_why_and_is_retried_with_a_reason_after_a_new_validation() {
    let pilot = Pilot::new();
    let suspend =
        json!({"type": "MEMBER_EVENT", "action": "member.suspended", "subject": "Member:line-crew", "payload": {"reason": "an inquiry"}});
    let suspend = pilot.0.file("suspend.json", &suspend.to_string());
    pilot.enact(&["propose", &suspend, "--as", "joan"]).exits(0);
    pilot.work();
    let item = pilot.item(WATER);
    assert_eq!((&item["status"], &item["failure_reason"]), (&json!("PENDING"), &json!("to_member_inactive")));
    assert_eq!(pilot.enact(&["queue", "validate", WATER]).code, 3);
    assert_eq!(pilot.balance("wallet:water-works", "WATER_SHARE"), "5000");
    pilot.sound();
}

/// W-29 to W-31, W-36, W-41, W-42: processes that are killed in the middle of their work, until nothing is left.
#[test]
fn w_29_w_42_each_intent_is_transferred_once_though_workers_are_killed_all_the_time() {
    const ITEMS: usize = 200;
    let pilot = Pilot::new();
    let lines = |line: &dyn Fn(usize) -> Value| {
        (0..ITEMS).fold(String::new(), |mut text, n| {
            writeln!(text, "{}", line(n)).unwrap();
            text
        })
    };
    let terms = |n: usize| {
        json!({"project_id": "JWP", "unit_id": format!("R-{n}"), "from_member": "water-works", "to_member": "clinic",
        "seat_id": "water-1", "charter_no": "JWP-1", "value_class": "WATER_SHARE", "quantity": "1"})
    };
    let record = |kind: &str, action: &str, subject: String, payload: Value| json!({"type": kind, "action": action, "subject": subject, "payload": payload});
    let unit = |n: usize| record("UNIT_EVENT", "unit.opened", format!("Unit:R-{n}"), json!({"project_id": "JWP", "title": "a unit"}));
    let create = |n: usize| record("INTENT_EVENT", "intent.created", format!("Intent:INT-20260418-{n}"), terms(n));
    let accept = |n: usize| record("INTENT_EVENT", "intent.accepted", format!("Intent:INT-20260418-{n}"), json!({}));
    let queue = |n: usize| {
        let mut payload = terms(n);
        payload["intent_id"] = json!(format!("INT-20260418-{n}"));
        record("EXECUTION_EVENT", "execution.queued", format!("Execution:EXQ-20260418-{n}"), payload)
    };
    for (name, by, text) in [
        ("unit", "joan", lines(&unit)),
        ("create", "desk", lines(&create)),
        ("accept", "ruth", lines(&accept)),
        ("queue", "joan", lines(&queue)),
    ] {
        let file = pilot.0.file(name, &text);
        pilot.enact(&["propose", &file, "--each", "--as", by, "-q"]).exits(0);
    }
    let start = || {
        let mut command = pilot.0.command();
        command.args(["-w", ".enact-demo-wst", "work", "--as", "worker-one", "--batch", "4", "--lease", "1", "--poll", "50", "-q"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut workers: Vec<_> = (0..3).map(|_| start()).collect();
    let begun = Instant::now();
    let mut kills = 0_usize;
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let summary = pilot.enact(&["summary", "--json"]).exits(0).json();
        let settled = summary[0]["statuses"]["SETTLED"].as_u64().unwrap_or(0);
        if settled == ITEMS as u64 + 1 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "{summary:#}");
        let nth = kills % workers.len();
        if kills < 20 {
            workers[nth].kill().unwrap();
            workers[nth].wait().unwrap();
            workers[nth] = start();
            kills += 1;
        }
    }
    for mut worker in workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    assert_eq!(pilot.balance("wallet:clinic", "WATER_SHARE"), ITEMS.to_string());
    let items = pilot.enact(&["queue", "list", "--limit", "10000", "--json"]).exits(0).json();
    for item in items.as_array().unwrap() {
        let id = item["queue_id"].as_str().unwrap();
        let executions = pilot.events(id).iter().filter(|event| *event == "executed").count();
        assert_eq!(executions, usize::from(id != VOIDED), "{id}");
    }
    pilot.sound();
}
