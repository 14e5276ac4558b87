//! The queue as somebody uses it from a shell: adding, filters, bulk actions, watching, exporting, and arguments that are wrong.
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::queue_pilot::{GRANT, Pilot, VOIDED, WATER};

fn ids(items: &Value) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| item["queue_id"].as_str().unwrap().to_owned()).collect()
}

/// W-03, W-16, W-22, W-23: adding by members and by record, a look at what it would lack, ids that are given out, and once only.
#[test]
fn w_03_w_16_w_22_an_item_is_added_by_members_or_by_record_and_a_dry_run_adds_nothing() {
    let pilot = Pilot::new();
    let records = pilot.accepted(&[json!({}), json!({}), json!({})]);
    let members = pilot.scratch.file("members.json", &records[0]["payload"].to_string());
    let before = pilot.whole();
    let groups = json!({"intent_ok": true, "authority_ok": true, "project_ok": true, "economic_ok": true});
    let valid = json!({"validated": true, "validation": groups, "ready_for_execution": true});
    assert_eq!(pilot.enact(&["queue", "add", &members, "--as", "joan", "--dry-run", "--json"]).exits(0).json(), valid);
    let mut unknown = records[0]["payload"].clone();
    unknown["intent_id"] = json!("INT-none");
    let lacking = pilot.scratch.file("lacking.json", &unknown.to_string());
    let answer = pilot.enact(&["queue", "add", &lacking, "--as", "joan", "--dry-run", "--json"]).exits(3).json();
    assert_eq!((&answer["validated"], &answer["failure_reason"]), (&json!(false), &json!("intent_unknown")));
    let out = pilot.enact(&["queue", "add", &lacking, "--as", "joan", "--dry-run"]).exits(3).out;
    assert!(out.contains("fails    intent_ok") && out.contains("holds    economic_ok") && out.contains("reason   intent_unknown"), "{out}");
    assert_eq!(pilot.whole(), before);

    let added = pilot.enact(&["queue", "add", &members, "--as", "joan", "--json"]).exits(0).json();
    let id = added["queue_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("EXQ-") && id.ends_with("-0001") && added["validation"] == valid, "{added:#}");
    assert_eq!(pilot.events(&id), ["queued"]);
    // The next of the day, and a record with its own id; from a pipe as well.
    let second = pilot.scratch.file("second.json", &records[1]["payload"].to_string());
    let second = pilot.enact(&["queue", "add", &second, "--as", "joan", "--json"]).exits(0).json();
    assert_eq!(second["queue_id"].as_str().unwrap(), id.replace("-0001", "-0002"));
    let third = pilot.scratch.file("third.json", &records[2].to_string());
    let mut command = pilot.scratch.command();
    command.args(["queue", "add", "-", "--as", "joan", "--json"]).stdin(std::fs::File::open(&third).unwrap());
    let third = crate::support::ran(&command.output().unwrap()).exits(0).json();
    assert_eq!(third["queue_id"], records[2]["subject"].as_str().unwrap().replace("Execution:", ""));
    let again = pilot.scratch.file("again.json", &records[2].to_string());
    assert_eq!(pilot.refused(&["queue", "add", &again, "--as", "joan"]), "queue_exists");
    let human = pilot.enact(&["queue", "list", "--text", &id]).exits(0).out;
    assert!(human.contains(&id) && human.contains("PENDING"), "{human}");
}

/// W-03, W-04: every filter alone and together, in the order of the queueing; counts and the page of a city agree with the list.
#[test]
fn w_03_w_04_filters_find_what_they_say_and_summaries_agree_with_them() {
    let pilot = Pilot::new();
    pilot.work().exits(0);
    let late = pilot.queued(&[json!({}), json!({"value_class": "GRANT_USD"})]);
    let list = |args: &[&str]| ids(&pilot.enact(&[&["queue", "list", "--json"], args].concat()).exits(0).json());
    assert_eq!(list(&[]), [WATER, GRANT, VOIDED, &late[0], &late[1]]);
    assert_eq!(list(&["--status", "pending"]), late);
    assert_eq!(list(&["--status", "SETTLING"]), [GRANT]);
    assert_eq!(list(&["--where", "value_class=GRANT_USD"]), [GRANT, &late[1]]);
    assert_eq!(list(&["--where", "value_class=GRANT_USD", "--status", "PENDING"]), late[1..]);
    assert_eq!(list(&["--contract", "QC_WST_TRANSFER_V0", "--limit", "2"]), [WATER, GRANT]);
    assert_eq!(list(&["--text", "20260418"]), late);
    assert!(list(&["--contract", "QC_NONE_V0"]).is_empty() && list(&["--archived"]).is_empty());
    assert!(list(&["--where", "unit_id=nowhere"]).is_empty());
    let summary = pilot.enact(&["summary", "--json"]).exits(0).json();
    let statuses = json!({"PENDING": 2, "SETTLED": 1, "SETTLING": 1, "VOID": 1});
    let whole = json!({"contract": "QC_WST_TRANSFER_V0", "queued": 5, "executed": 2, "fulfilled": 0, "statuses": statuses});
    assert_eq!(summary, json!([whole]));
    assert_eq!(pilot.enact(&["queue", "list", "--counts", "--json"]).exits(0).json(), summary);
    let by = pilot.enact(&["summary", "--by", "project_id", "--by", "unit_id", "--json"]).exits(0).json();
    let lines: Vec<(&Value, &Value, &Value)> =
        by.as_array().unwrap().iter().map(|line| (&line["by"]["unit_id"], &line["queued"], &line["executed"])).collect();
    assert_eq!(lines.len(), 5);
    assert!(lines.contains(&(&json!("JWP-U1"), &json!(1), &json!(1))) && lines.contains(&(&json!("R-0"), &json!(1), &json!(0))), "{by:#}");
    let human = pilot.enact(&["summary"]).exits(0).out;
    assert!(human.contains("5 queued, 2 executed, 0 fulfilled") && human.contains("1 VOID"), "{human}");
}

/// W-38, W-46: bulk actions share the filters; each item has its own answer, and one that is refused keeps no other from it.
#[test]
fn w_46_bulk_actions_answer_for_each_item_and_need_a_condition() {
    let pilot = Pilot::new();
    let more = pilot.queued(&[json!({}), json!({"value_class": "GRANT_USD"}), json!({})]);
    pilot.enact(&["queue", "start", WATER, "--as", "joan", "--worker", "worker-one", "--json"]).exits(0);
    let before = pilot.whole();
    assert_eq!(pilot.refused(&["queue", "void", "--as", "ruth", "--reason", "all of them"]), "queue_name");
    assert_eq!(pilot.refused(&["queue", "retry", "--as", "joan", "--worker", "worker-one", "--reason", "all"]), "queue_name");
    assert_eq!(pilot.enact(&["queue", "void", "--status", "LOST", "--as", "ruth", "--reason", "x"]).code, 2);
    assert_eq!(pilot.whole(), before);
    let ran = pilot.enact(&["queue", "void", WATER, &more[0], "EXQ-none", "--as", "ruth", "--reason", "not now", "--json"]).exits(3);
    let answers: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[0]["error"]["code"], "lifecycle_edge");
    assert!(answers[1]["done"]["entry"]["seq"].is_u64() && answers[1]["queue_id"] == more[0], "{answers:#?}");
    assert_eq!(answers[2]["error"]["code"], "queue_unknown");
    pilot.enact(&["queue", "void", "--where", "value_class=GRANT_USD", "--as", "ruth", "--reason", "the bank is closed"]).exits(0);
    assert_eq!([WATER, GRANT, &more[0], &more[1], &more[2]].map(|id| pilot.status(id)), ["SETTLED", "VOID", "VOID", "VOID", "PENDING"]);
    assert_eq!(pilot.lines(GRANT).last().unwrap()["reason"], "the bank is closed");
    pilot.work().exits(0);
    assert_eq!(pilot.status(GRANT), "VOID", "it never runs");
    // A filter that finds nothing does nothing.
    let before = pilot.whole();
    pilot.enact(&["queue", "void", "--status", "FAILED", "--as", "ruth", "--reason", "none", "--json"]).exits(0);
    assert_eq!(pilot.whole(), before);
}

/// W-05 to W-08: the folder of an export, file by file, as documented; it agrees with what the commands show and overwrites nothing.
#[test]
fn w_05_w_06_w_07_w_08_an_export_has_exactly_the_documented_files() {
    let pilot = Pilot::new();
    let poor = pilot.queued(&[json!({"quantity": "999999"})]).remove(0);
    pilot.work().exits(3);
    let folder = pilot.scratch.path().join("out");
    let report = pilot.enact(&["queue", "export", "out", "--json"]).exits(0).json();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let lines: Vec<Value> = read("queue.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all = pilot.enact(&["queue", "watch", "--once", "--json"]).exits(0).out;
    assert_eq!(read("queue.ndjson"), all, "to the byte what the journal holds");
    let mut names: Vec<String> =
        std::fs::read_dir(folder.join("by_item")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [WATER, GRANT, VOIDED, &poor].map(|id| format!("{id}.json")));
    for id in [WATER, GRANT, VOIDED, &poor] {
        let mut shown = pilot.item(id);
        shown.as_object_mut().unwrap().remove("archived");
        assert_eq!(serde_json::from_str::<Value>(&read(&format!("by_item/{id}.json"))).unwrap(), shown);
    }
    // W-08: the members of an item.
    for member in [
        "queue_id",
        "status",
        "intent_id",
        "project_id",
        "unit_id",
        "from_member",
        "to_member",
        "charter_no",
        "value_class",
        "quantity",
        "validated",
        "ready_for_execution",
        "created_utc",
        "updated_utc",
    ] {
        assert!(lines.iter().all(|line| !line[member].is_null()), "{member}");
    }
    // W-07: locks of what is held, failures, an archive.
    let failures: Vec<Value> = read("logs/execution_failures.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(failures.iter().map(|line| line["event"].as_str().unwrap()).collect::<Vec<_>>(), ["failed", "failed_final"]);
    assert!(
        failures
            .iter()
            .all(|line| line["queue_id"] == poor && line["failure_reason"] == "posting_floor" && line["failure_utc"].is_string())
    );
    assert_eq!(std::fs::read_dir(folder.join("locks")).unwrap().count(), 0, "nobody holds anything");
    assert!(folder.join("archive").is_dir());
    assert_eq!((&report["items"], &report["lines"]), (&json!(4), &json!(lines.len())));
    assert_eq!(pilot.refused(&["queue", "export", "out"]), "file");
    assert_eq!(pilot.refused(&["queue", "export", "none/out"]), "file_missing");
}

/// W-07, W-51: an export has a lock for what is held, and the lines of what is over apart, its failures still among the failures.
#[test]
fn w_07_w_51_an_export_has_a_lock_for_what_is_held_and_apart_what_is_archived() {
    let pilot = Pilot::new();
    let poor = pilot.queued(&[json!({"quantity": "999999"})]).remove(0);
    pilot.work().exits(3);
    pilot.enact(&["queue", "archive", VOIDED, &poor]).exits(0);
    let held = pilot.killed_with_an_item("86400");
    assert_eq!(pilot.refused(&["queue", "archive", &held]), "queue_status");
    let folder = pilot.scratch.path().join("out");
    pilot.enact(&["queue", "export", "out"]).exits(0);
    let files = |name: &str| {
        let names = std::fs::read_dir(folder.join(name)).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(files("locks"), [format!("{held}.lock")].into());
    let lock: Value = serde_json::from_slice(&std::fs::read(folder.join(format!("locks/{held}.lock"))).unwrap()).unwrap();
    assert_eq!((&lock, lock["fence"].as_u64()), (&pilot.item(&held)["lease"], Some(1)));
    let of = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["queue_id"].as_str().unwrap().to_owned()).collect()
    };
    let (kept, over) = (of("queue.ndjson"), of("archive/queue.ndjson"));
    assert!(!kept.is_empty() && kept.iter().all(|id| *id != VOIDED && *id != poor), "{kept:?}");
    let events = |id: &str| pilot.events(id).len();
    assert!(over.iter().all(|id| *id == VOIDED || *id == poor), "{over:?}");
    assert_eq!(over.len(), events(VOIDED) + events(&poor));
    assert_eq!(of("logs/execution_failures.ndjson"), [poor.clone(), poor.clone()]);
    assert!(files("by_item").contains(&format!("{held}.json")) && !files("by_item").contains(&format!("{poor}.json")));
}

/// W-52: what happens is seen by who watches, as it happens, each line once.
#[test]
fn w_52_whoever_watches_sees_every_change_once_and_goes_on_where_it_stopped() {
    let pilot = Pilot::new();
    let mut command = pilot.scratch.command();
    command.args(["queue", "watch", "--poll", "10", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut watcher = command.spawn().unwrap();
    let id = watcher.id().to_string();
    // Should a line never come, nobody waits for it for ever.
    let (finished, waiting) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if waiting.recv_timeout(Duration::from_secs(120)).is_err() {
            drop(Command::new("kill").args(["-9", &id]).status());
        }
    });
    let mut seen =
        BufReader::new(watcher.stdout.take().unwrap()).lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let mut told = Vec::new();
    let mut until = |event: &str, id: &str| loop {
        let line = seen.next().unwrap();
        let found = line["event"] == event && line["queue_id"] == id;
        told.push(line);
        if found {
            break;
        }
    };
    until("voided", VOIDED);
    pilot.work().exits(0);
    until("settlement_begun", GRANT);
    pilot.enact(&["fulfill", WATER, "--as", "joan", "--proof", "manual", "--json"]).exits(0);
    until("fulfilled", WATER);
    watcher.kill().unwrap();
    finished.send(()).unwrap();
    guard.join().unwrap();
    watcher.wait().unwrap();
    let all = pilot.enact(&["queue", "watch", "--once", "--json"]).exits(0).out;
    let all: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told, all);
    // No status changes without a line: each line begins where the one before left the item.
    for id in [WATER, GRANT, VOIDED] {
        assert_eq!(pilot.lines(id).last().unwrap()["status"], pilot.item(id)["status"]);
    }
    let rest = pilot.enact(&["queue", "watch", WATER, "--after", "8", "--once", "--json"]).exits(0).out;
    assert!(rest.lines().count() < pilot.lines(WATER).len());
    let shown = pilot.enact(&["queue", "show", WATER, "--lines", "--json"]).exits(0).json();
    assert_eq!(shown["lines"].as_array().unwrap().len(), pilot.lines(WATER).len());
    let human = pilot.enact(&["queue", "show", WATER, "--lines"]).exits(0).out;
    assert!(human.contains("executed") && human.contains("FULFILLED"), "{human}");
}

/// Arguments that are wrong are a usage error or have their code, and change nothing.
#[test]
fn arguments_that_are_wrong_are_said_to_be() {
    let pilot = Pilot::new();
    let before = pilot.whole();
    for args in [
        &["queue"][..],
        &["queue", "list", "--status", "DONE"],
        &["queue", "list", "--where", "novalue"],
        &["queue", "show"],
        &["queue", "show", "no good"],
        &["queue", "start", WATER, "--as", "joan"],
        &["queue", "void", WATER, "--as", "ruth"],
        &["queue", "watch", "--poll", "0"],
        &["work"],
        &["work", "--as", "worker-one", "--lease", "0"],
        &["fulfill", WATER, "--as", "joan", "--proof", "rumour"],
        &["settle", WATER, "--as", "joan", "--worker", "worker-one"],
    ] {
        assert_eq!(pilot.enact(args).code, 2, "{args:?}");
    }
    let list = pilot.scratch.file("list.json", "[1]");
    let broken = pilot.scratch.file("broken.json", "{");
    for (args, code) in [
        (&["queue", "add", &list, "--as", "joan"][..], "payload_not_object"),
        (&["queue", "add", &broken, "--as", "joan"], "json_invalid"),
        (&["queue", "add", "none.json", "--as", "joan"], "file_missing"),
        (&["queue", "start", WATER, "--as", "nobody", "--worker", "worker-one"], "no_actor_key"),
        (&["work", "--once", "--as", "nobody"], "no_actor_key"),
        (&["fulfill", WATER, "--as", "joan", "--proof", "digest", "--evidence", "none.pdf"], "file_missing"),
    ] {
        assert_eq!(pilot.refused(args), code, "{args:?}");
    }
    assert_eq!(pilot.whole(), before);
}
