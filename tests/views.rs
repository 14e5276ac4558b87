//! Views: what packs declare to be looked at, at present and in the past. The spine's desk shows jobs, and never a task.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::governance::told;
use crate::support::Scratch;

fn view(scratch: &Scratch, args: &[&str]) -> Value {
    let mut all = vec!["view"];
    all.extend(args);
    all.push("--json");
    scratch.enact(&all).exits(0).json()
}

fn column(report: &Value, name: &str) -> Vec<String> {
    let nth = report["view"]["columns"].as_array().unwrap().iter().position(|column| column == name).unwrap();
    report["rows"].as_array().unwrap().iter().map(|row| row["values"][nth].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn q_11_the_desk_shows_jobs_and_never_a_task() {
    let (scratch, report) = told("spine");
    let last = report["steps"].as_array().unwrap().iter().filter_map(|step| step["seq"].as_u64()).max().unwrap();
    let (mut shown, mut read) = (BTreeSet::new(), 0);
    for at in 0..=last {
        let desk = view(&scratch, &["desk", "--at", &at.to_string()]);
        for row in desk["rows"].as_array().unwrap() {
            let subject = row["subject"].as_str().unwrap();
            assert!(subject.starts_with("Job:") && row["seq"].as_u64().unwrap() <= at, "{row:#}");
            // It stands where it stood then.
            let then = scratch.enact(&["state", subject, "--at", &at.to_string(), "--json"]).exits(0).json();
            assert_eq!(row["values"][1], then["state"]);
            shown.insert((subject.to_owned(), then["state"].as_str().unwrap().to_owned()));
        }
        // Nothing but jobs is even read: there are subjects of twenty other types.
        read = desk["read"].as_u64().unwrap();
        assert!(read <= 2, "{desk:#}");
    }
    assert_eq!(read, 2);
    let states: BTreeSet<&str> = shown.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(states, ["CLAIMED", "CREATED"].into(), "{shown:?}");
    // Between the assignment and the handoff the desk is empty: what is assigned is no job.
    let history = scratch.enact(&["history", "Task:T-1", "--json"]).exits(0).json();
    let assigned = history.as_array().unwrap().iter().find(|row| row["state"] == "ASSIGNED").unwrap()["seq"].to_string();
    assert_eq!(view(&scratch, &["desk", "--at", &assigned])["rows"], json!([]));
    // A finished job leaves the desk.
    assert_eq!(column(&view(&scratch, &["desk"]), "job"), ["J-2"]);
}

#[test]
fn views_are_listed_and_filtered_and_say_what_they_do_not_know() {
    let (scratch, _) = told("spine");
    let names: Vec<String> = view(&scratch, &[]).as_array().unwrap().iter().map(|view| view["name"].as_str().unwrap().to_owned()).collect();
    for name in ["desk", "records", "surfaces"] {
        assert!(names.iter().any(|listed| listed == name), "{names:?}");
    }
    let all = view(&scratch, &["surfaces"]);
    assert_eq!(column(&all, "status"), ["COMPLETE", "PARTIAL"]);
    assert_eq!(view(&scratch, &["VW_SURFACES_V0"]), all, "by its code");
    let partial = view(&scratch, &["surfaces", "--where", "status=PARTIAL"]);
    assert_eq!(column(&partial, "event"), ["S-2"]);
    assert_eq!(view(&scratch, &["surfaces", "--where", "status=PARTIAL", "--where", "event=S-1"])["rows"], json!([]));
    let code = |args: &[&str]| scratch.enact(args).exits(1).json()["error"]["code"].as_str().unwrap().to_owned();
    assert_eq!(code(&["view", "tasks", "--json"]), "no_view");
    assert_eq!(code(&["view", "desk", "--where", "task=T-1", "--json"]), "view_column");
    assert_eq!(code(&["view", "desk", "--at", "100000", "--json"]), "no_entry");
    scratch.enact(&["view", "desk", "--where", "job"]).exits(2);
    let text = scratch.enact(&["view", "desk"]).exits(0).out;
    assert!(text.starts_with("job") && text.contains("J-2"), "{text}");
    // Nothing was written by looking.
    assert_eq!(scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json()["verdict"], "BALANCED");
}

#[test]
fn a_view_that_does_not_fit_is_found_by_the_check_and_not_sealed() {
    let scratch = Scratch::init();
    let path = scratch.workspace().join("protocol/VW_SPINE_DESK_V0.json");
    let whole: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (code, pointer, value) in [
        ("unknown_state", "/states/0", json!("ASSIGNED")),
        ("unknown_subject", "/subject", json!("Jobs")),
        ("unknown_field", "/columns/2/value", json!("$.kept.title")),
        ("bad_expression", "/columns/0/value", json!("$.actor")),
        ("bad_view", "/order/0", json!("title")),
    ] {
        let mut broken = whole.clone();
        *broken.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&path, broken.to_string()).unwrap();
        let checked = scratch.enact(&["protocol", "check", "--json"]).exits(3).json();
        let found: Vec<&str> = checked["problems"].as_array().unwrap().iter().filter_map(|problem| problem["code"].as_str()).collect();
        assert!(found.contains(&code), "{code}: {found:?}");
        assert_ne!(scratch.enact(&["protocol", "seal"]).code, 0);
    }
}
