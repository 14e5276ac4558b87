//! Gates of the way one by one: who passes, that nobody else does, and that there is no other gate to the same place.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::crew::{CAST, Crew, artifacts};

/// Everybody's answer to one step; who may take it, and the codes that the others were given.
fn gate(crew: &Crew, action: &str) -> (BTreeSet<&'static str>, BTreeSet<String>) {
    let (mut may, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for (who, _) in CAST {
        match crew.asks(who, crew.record(action, 1, who)) {
            Ok(()) => drop(may.insert(who)),
            Err(code) => drop(codes.insert(code)),
        }
    }
    (may, codes)
}

/// Lifecycles of the pack by the type of their subjects.
fn lifecycles() -> BTreeMap<String, Value> {
    let all = artifacts().into_iter().filter(|(code, _)| code.starts_with("LC_"));
    all.map(|(_, value)| (value["subject"].as_str().unwrap().to_owned(), value)).collect()
}

/// Actions by which a subject of a type comes to be.
fn births(lifecycle: &Value) -> Vec<(String, Value)> {
    let actions = lifecycle["actions"].as_object().unwrap();
    actions.iter().filter(|(_, action)| action["from"] == json!([])).map(|(name, action)| (name.clone(), action.clone())).collect()
}

/// Whether an action demands that another subject is in one of these states.
fn demands(action: &Value, subject: &str, states: &[&str]) -> bool {
    let guards = action["guards"].as_array().unwrap();
    guards.iter().any(|guard| guard["guard"] == "state_in" && guard["subject"] == subject && guard["states"] == json!(states))
}

/// Where subjects of a type stand.
fn standing(crew: &Crew, prefixes: &[&str]) -> Vec<String> {
    crew.subjects().into_keys().filter(|subject| prefixes.iter().any(|prefix| subject.starts_with(prefix))).collect()
}

#[test]
fn q_03_a_task_comes_from_a_submitted_request_and_from_nothing_else() {
    let births = births(&lifecycles()["Task"]);
    assert_eq!(births.len(), 1, "{births:?}");
    assert!(births[0].0 == "TASK.OPEN" && demands(&births[0].1, "Request:{payload.request}", &["SUBMITTED"]));
    assert_eq!(births[0].1["consumes"], json!(["task:{payload.request}"]), "and once");
    // No request, then one that nobody has submitted: for nobody.
    for (steps, code) in [(0, "guard_state_in"), (1, "guard_state_in")] {
        let crew = Crew::at(steps);
        let (may, codes) = gate(&crew, "TASK.OPEN");
        assert!(may.is_empty(), "after {steps} steps: {may:?}");
        assert_eq!(codes, ["authority_role", code].map(str::to_owned).into());
    }
    // Submitted: for who takes requests in, and a second time for nobody.
    let crew = Crew::at(2);
    assert_eq!(gate(&crew, "TASK.OPEN").0, ["bot", "ira", "zoe"].into());
    crew.take(2, 3);
    let mut second = crew.record("TASK.OPEN", 1, "ira");
    second["subject"] = "Task:T-1b".into();
    assert_eq!(crew.asks("ira", second), Err("key_consumed".into()));
}

#[test]
fn q_06_an_assignment_is_no_job_and_starts_none() {
    for steps in [6, 7] {
        let crew = Crew::at(steps);
        let later = ["Job:", "ServiceEvent:", "Evidence:", "ServiceRecord:", "ServiceSettlement:"];
        assert_eq!(standing(&crew, &later), Vec::<String>::new(), "after {steps} steps");
        // Nobody can act as if there were one, whoever was assigned.
        for action in ["JOB.CLAIM", "JOB.COMPLETE", "JOB.ANNOTATE", "JOB.CANCEL", "SERVICE.START", "EVIDENCE.SUBMIT", "RECORD.SEAL"] {
            let (may, codes) = gate(&crew, action);
            assert!(may.is_empty(), "{action} after {steps} steps: {may:?}");
            assert!(
                codes.iter().all(|code| ["authority_role", "lifecycle_missing", "guard_state_in"].contains(&code.as_str())),
                "{codes:?}"
            );
        }
    }
}

#[test]
fn q_07_a_job_is_handed_over_by_a_human_being_who_says_so() {
    let births = births(&lifecycles()["Job"]);
    assert_eq!(births.len(), 1, "{births:?}");
    let (name, create) = &births[0];
    assert_eq!(name, "JOB.CREATE");
    assert!(demands(create, "Task:{payload.task}", &["ASSIGNED"]) && demands(create, "Person:{actor.id}", &["ACTIVE"]));
    // Before the task says that it is assigned: nobody. Then: coordinators who are human beings; the bot has the role and is none.
    let crew = Crew::at(6);
    assert_eq!(gate(&crew, "JOB.CREATE").0, [].into());
    crew.take(6, 7);
    let (may, codes) = gate(&crew, "JOB.CREATE");
    assert_eq!(may, ["cole", "zoe"].into());
    assert_eq!(codes, ["authority_role", "guard_state_in"].map(str::to_owned).into());
    assert_eq!(crew.asks("bot", crew.record("JOB.CREATE", 1, "bot")), Err("guard_state_in".into()));
    crew.take(7, 8);
    let made = &crew.engine.history("Job:J-1").unwrap()[0];
    assert_eq!((made.actor.as_str(), made.action.as_str()), ("Actor:cole", "JOB.CREATE"));
}

/// the task governs review, approval, assignment and closure. What is executed neither reads it nor is changed by it.
#[test]
fn q_16_a_task_is_never_what_was_executed() {
    let all = lifecycles();
    let states: BTreeSet<&str> = all["Task"]["states"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(states, ["APPROVED", "ASSIGNED", "CLOSED", "OPEN", "REJECTED", "REVIEWED"].into(), "no state says that anything was done");
    for subject in ["ServiceEvent", "Evidence", "ServiceRecord", "ServicePayment", "ServiceSettlement"] {
        assert!(!all[subject].to_string().contains("Task"), "{subject} asks about a task");
    }
    for (name, action) in all["Job"]["actions"].as_object().unwrap() {
        assert!(name == "JOB.CREATE" || !action["guards"].to_string().contains("Task"), "{name} asks about a task");
    }
    // Closed wherever it may be closed: what is executed goes its way as if nothing had happened, to the end.
    for steps in [8, 9, 10, 11, 12, 13] {
        let crew = Crew::at(steps);
        let before = crew.subjects();
        crew.say("sol", crew.record("TASK.CLOSE", 1, "sol")).unwrap();
        let after = crew.subjects();
        assert!(after.iter().all(|(subject, row)| subject == "Task:T-1" || before[subject] == *row), "after {steps} steps");
        crew.take(steps, 14);
        crew.settle(1);
        assert_eq!(crew.subjects()["Task:T-1"], after["Task:T-1"], "what was executed left the task alone");
        assert_eq!(crew.subjects()["ServiceSettlement:N-1"].0.as_deref(), Some("SETTLED"));
    }
    // And the end of a task says nothing about a service that never began.
    let crew = Crew::at(5);
    crew.say("sol", crew.record("TASK.CLOSE", 1, "sol")).unwrap();
    assert_eq!(standing(&crew, &["Job:", "ServiceEvent:", "ServiceRecord:"]), Vec::<String>::new());
    for action in ["SERVICE.START", "RECORD.SEAL", "SERVICE_SETTLEMENT.OPEN"] {
        assert_eq!(gate(&crew, action).0, [].into(), "{action}");
    }
}
