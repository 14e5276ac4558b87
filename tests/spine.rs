//! The strict way from a request to a settlement (pack `spine`), on the real engine: who may take which step, and what no step implies.
//!
//! `walk` tries everything at every place of every way, `chance` does what comes to mind; both compare with the small model in `model`.
//! The tests here show single requirements and known mistakes.
mod chance;
mod crew;
mod gates;
mod mistakes;
mod model;
mod walk;

use std::collections::BTreeSet;

use enact_flow::artifact::parse;
use serde_json::{Value, json};

use self::crew::{Crew, artifact, artifacts};
use crate::governance::{told, whole};
use crate::support::project;

/// Roles of those who watch, lead, administer, staff and sell.
const ONLOOKERS: [&str; 5] = ["omni", "executive", "admin", "workforce", "commerce"];

/// The hashes of what is frozen. One that differs is another spine: it takes another code, and not another hash.
const ENVELOPE: &str = include_str!("spine/envelope.txt");

/// Codes of the frozen artifacts.
fn frozen() -> Vec<String> {
    artifacts().into_iter().filter(|(_, value)| value["frozen"] == true).map(|(code, _)| code).collect()
}

fn digest(code: &str, value: &Value) -> String {
    parse(code, value.to_string().as_bytes()).unwrap().digest()
}

/// Each requirement by the step of the story in which it is tried: the file that is proposed, and the code of the refusal.
#[test]
fn q_01_to_q_26_each_temptation_of_the_story_has_its_refusal() {
    let (scratch, report) = told("spine");
    whole(&scratch);
    let story: Vec<Value> = serde_json::from_slice(&std::fs::read(project("protocol/packs/spine/examples/story.json")).unwrap()).unwrap();
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(story.len(), steps.len());
    for (requirements, file, code) in [
        ("Q-01", "task-1.json", "guard_state_in"),
        ("Q-02", "raise-as-actor.json", "payload_type"),
        ("Q-03", "submit-own.json", "authority_role"),
        ("Q-03", "task-twice.json", "key_consumed"),
        ("Q-04", "assign-by-hub.json", "guard_state_in"),
        ("Q-05", "assign-1.json", "guard_state_in"),
        ("Q-06 Q-08", "claim-1.json", "lifecycle_missing"),
        ("Q-06", "start-1.json", "guard_state_in"),
        ("Q-07", "job-by-admin.json", "authority_role"),
        ("Q-07", "job-twice.json", "key_consumed"),
        ("Q-08", "claim-by-other.json", "guard_field_equals"),
        ("Q-09", "record-early.json", "guard_state_in"),
        ("Q-09", "record-second.json", "key_consumed"),
        ("Q-10", "pay-self.json", "authority_distinct"),
        ("Q-15 Q-22", "settle-1.json", "guard_state_in"),
        ("Q-17", "claim-by-omni.json", "authority_role"),
        ("Q-18", "executive-overrides.json", "authority_role"),
        ("Q-18", "claim-by-workforce.json", "authority_role"),
        ("Q-18", "settle-by-commerce.json", "authority_role"),
        ("Q-19", "record-again.json", "lifecycle_exists"),
        ("Q-20", "complete-1.json", "guard_state_in"),
        ("Q-20", "complete-bare.json", "payload_missing"),
        ("Q-20", "validate-other.json", "guard_field_equals"),
        ("Q-22", "settle-again.json", "key_consumed"),
        ("Q-26", "complete-1.json", "posting_floor"),
        ("Q-26", "record-of-partial.json", "guard_state_in"),
    ] {
        let shown = story.iter().zip(steps).any(|(step, told)| step["file"] == file && told["got"] == code);
        assert!(shown, "{requirements}: no step `{file}` that is `{code}`");
    }
    // the last step is a redefinition, proposed and not adopted.
    assert_eq!(steps.last().unwrap()["got"], "protocol_frozen");
}

#[test]
fn q_05_a_routing_origin_leaves_the_task_as_it_is() {
    let crew = Crew::at(5);
    let before = crew.subjects();
    crew.say("hub", crew.record("ROUTING.STATE", 1, "hub")).unwrap();
    let after = crew.subjects();
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().all(|(subject, row)| after[subject] == *row), "something but the statement changed");
    assert_eq!(after["Task:T-1"].0.as_deref(), Some("APPROVED"));
    // Whom it suggests is not assigned by it.
    assert_eq!(crew.asks("olga", crew.record("JOB.CLAIM", 1, "olga")), Err("lifecycle_missing".into()));
    assert_eq!(crew.asks("cole", crew.record("JOB.CREATE", 1, "cole")), Err("guard_state_in".into()));
}

/// those roles are in rows, and in no row for a step of the spine; a remark of the administration moves nothing.
#[test]
fn q_17_q_18_q_24_onlookers_have_no_row_for_any_step() {
    let steps: BTreeSet<String> = artifacts()
        .iter()
        .filter(|(code, value)| value["frozen"] == true && code.starts_with("LC_") && *code != "LC_SPINE_PERSON_V0")
        .flat_map(|(_, value)| value["actions"].as_object().unwrap().clone())
        .filter(|(_, action)| action["to"] != "=")
        .map(|(name, _)| name)
        .collect();
    assert!(steps.len() >= 24, "{steps:?}");
    let mut seen = BTreeSet::new();
    for (_, matrix) in artifacts().iter().filter(|(code, _)| code.starts_with("AM_")) {
        for row in matrix["rows"].as_array().unwrap() {
            let roles: Vec<&str> = row["roles"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let onlookers: Vec<&&str> = roles.iter().filter(|role| ONLOOKERS.contains(role)).collect();
            seen.extend(onlookers.iter().map(|role| role.to_string()));
            let allowed: Vec<&str> = row["actions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert!(onlookers.is_empty() || allowed.iter().all(|action| !steps.contains(*action)), "{row:#}");
        }
    }
    assert_eq!(seen.len(), ONLOOKERS.len(), "{seen:?}");
    // Before the handoff and at it the administration remarks; the task and the job stay where they are.
    let crew = Crew::at(7);
    crew.say("adam", crew.record("TASK.ANNOTATE", 1, "adam")).unwrap();
    assert_eq!(crew.subjects()["Task:T-1"].0.as_deref(), Some("ASSIGNED"));
    assert_eq!(crew.asks("adam", crew.record("SERVICE.START", 1, "adam")), Err("authority_role".into()));
    crew.say("cole", crew.record("JOB.CREATE", 1, "cole")).unwrap();
    crew.say("adam", crew.record("JOB.ANNOTATE", 1, "adam")).unwrap();
    assert_eq!(crew.subjects()["Job:J-1"].0.as_deref(), Some("CREATED"));
    for action in ["JOB.CLAIM", "JOB.COMPLETE", "SERVICE.START", "RECORD.SEAL"] {
        assert_eq!(crew.asks("adam", crew.record(action, 1, "adam")), Err("authority_role".into()), "{action}");
    }
}

/// money moves where money is spoken of, and nowhere else.
#[test]
fn q_10_q_15_q_22_a_record_moves_no_money_and_money_makes_no_record() {
    let crew = Crew::at(10);
    let euros = |crew: &Crew| {
        let trial = serde_json::to_value(crew.engine.trial_balance(None).unwrap()).unwrap();
        assert_eq!(trial["verdict"], "BALANCED", "{trial:#}");
        trial["assets"].as_array().unwrap().iter().find(|asset| asset["asset"] == "EUR").cloned().unwrap()
    };
    let before = euros(&crew);
    crew.take(10, 14);
    assert_eq!(euros(&crew), before, "completing and sealing moves no money");
    assert_eq!(crew.subjects()["ServiceRecord:REC-1"].0.as_deref(), Some("SEALED"));
    assert_eq!(crew.asks("saul", crew.record("SERVICE_SETTLEMENT.OPEN", 1, "saul")), Err("guard_state_in".into()), "nothing was captured");
    // A captured payment of another chain has no record, makes none, and nothing can be settled with it.
    let records = |crew: &Crew| crew.subjects().keys().filter(|subject| subject.starts_with("ServiceRecord:")).count();
    crew.say("carla", crew.record("PAYMENT.CAPTURE", 2, "carla")).unwrap();
    assert_eq!(records(&crew), 1);
    assert_ne!(euros(&crew), before);
    assert_eq!(crew.asks("saul", crew.record("SERVICE_SETTLEMENT.OPEN", 2, "saul")), Err("guard_state_in".into()));
    crew.say("carla", crew.record("PAYMENT.RETURN", 2, "carla")).unwrap();
    // Then the settlement, which is a state of its own: opened it moves nothing either.
    crew.say("carla", crew.record("PAYMENT.CAPTURE", 1, "carla")).unwrap();
    let captured = euros(&crew);
    crew.say("saul", crew.record("SERVICE_SETTLEMENT.OPEN", 1, "saul")).unwrap();
    assert_eq!(euros(&crew), captured);
    crew.say("tess", crew.record("SERVICE_SETTLEMENT.SETTLE", 1, "tess")).unwrap();
    let paid = euros(&crew);
    let olga = paid["accounts"].as_array().unwrap().iter().find(|account| account["account"] == "holder:olga").unwrap().clone();
    assert_eq!(olga["balance"], "10000");
    assert_eq!(crew.subjects()["ServiceEvent:S-1"].0.as_deref(), Some("COMPLETED"));
    assert_eq!(crew.subjects()["ServicePayment:P-1"].0.as_deref(), Some("CAPTURED"));
}

#[test]
fn q_19_a_sealed_record_is_never_left_changed_or_gone() {
    let crew = Crew::at(14);
    let sealed = crew.subjects()["ServiceRecord:REC-1"].clone();
    let lifecycle = artifact("LC_SPINE_RECORD_V0");
    let (states, actions) = (lifecycle["states"].as_object().unwrap(), lifecycle["actions"].as_object().unwrap());
    assert!(states.values().all(|state| state["terminal"] == true) && actions.values().all(|action| action["from"] == json!([])));
    for who in ["olga", "zoe"] {
        assert_eq!(crew.asks(who, crew.record("RECORD.SEAL", 1, who)), Err("lifecycle_exists".into()));
    }
    crew.settle(1);
    crew.settled(2);
    assert_eq!(crew.subjects()["ServiceRecord:REC-1"], sealed, "later entries leave it as it was");
}

/// each entry says who took the step and which row allowed it, and a row of the spine allows steps of the spine only.
#[test]
fn q_21_each_transition_names_its_authority() {
    let crew = Crew::at(0);
    crew.settled(1);
    let subjects = crew.subjects();
    let mut steps = 0;
    for subject in subjects.keys().filter(|subject| !subject.starts_with("Actor:") && !subject.starts_with("Transfer:")) {
        for row in crew.engine.history(subject).unwrap() {
            let (matrix, name) = row.decided.split_once('#').unwrap();
            let rows = artifact(matrix)["rows"].as_array().unwrap().clone();
            let allows = rows.iter().find(|row| row["row"] == name).unwrap_or_else(|| panic!("no row {}", row.decided));
            assert!(allows["actions"].as_array().unwrap().contains(&json!(row.action)), "{row:?}");
            assert!(row.actor.starts_with("Actor:"));
            steps += 1;
        }
    }
    assert!(steps >= 17, "{steps}");
}

/// adding or changing a surface leaves every frozen hash as it was, here as in the ledger; the frozen ones are these.
#[test]
fn q_23_q_25_the_envelope_has_these_hashes_and_surfaces_are_none_of_them() {
    let now: Vec<String> = artifacts()
        .iter()
        .filter(|(code, value)| value["frozen"] == true || *code == "AM_SPINE_V0")
        .map(|(code, value)| format!("{} {code}", digest(code, value)))
        .collect();
    let pinned: Vec<&str> = ENVELOPE.lines().collect();
    assert_eq!(now, pinned, "the spine was redefined: a frozen artifact keeps its hash, and what is to differ takes another code");
    assert_eq!(frozen().len(), 10);
    assert!(frozen().iter().all(|code| !code.contains("SURFACE")), "surfaces are not frozen");
    // Surfaces are data: two more of them, and the snapshot in force is the one that it was.
    let crew = Crew::at(10);
    let hash = crew.engine.snapshot_in_force().unwrap().hash().to_owned();
    for name in ["checklist", "handover"] {
        crew.map_surface(name);
    }
    assert_eq!(crew.engine.snapshot_in_force().unwrap().hash(), hash);
    crew.say("olga", crew.record("SURFACE.OPEN", 1, "olga")).unwrap();
}

/// a surface that is not at its end is shown as partial, holds the completion up, and what ends in part says so for good.
#[test]
fn q_26_partial_is_reported_as_partial() {
    let crew = Crew::at(12);
    let shown = |crew: &Crew| {
        let report = crew.engine.view("surfaces", None, &[].into()).unwrap();
        report.rows.iter().map(|row| row.values.clone()).collect::<Vec<_>>()
    };
    assert_eq!(crew.asks("olga", crew.record("SERVICE.COMPLETE", 1, "olga")), Ok(()));
    crew.say("olga", crew.record("SURFACE.OPEN", 1, "olga")).unwrap();
    assert_eq!(shown(&crew), [[json!("S-1"), json!("walkthrough"), json!("PARTIAL")]]);
    assert_eq!(crew.asks("olga", crew.record("SERVICE.COMPLETE", 1, "olga")), Err("posting_floor".into()));
    let mut short = crew.record("SURFACE.FINISH", 1, "olga");
    short["payload"]["stages"] = json!(["seal-off"]);
    assert_eq!(crew.asks("olga", short), Err("guard_field_equals".into()), "not all stages of the map");
    crew.say("olga", crew.record("SURFACE.FINISH", 1, "olga")).unwrap();
    assert_eq!(shown(&crew), [[json!("S-1"), json!("walkthrough"), json!("COMPLETE")]]);
    assert_eq!(crew.asks("olga", crew.record("SERVICE.COMPLETE", 1, "olga")), Ok(()));
    crew.say("olga", crew.record("SERVICE.REPORT_PARTIAL", 1, "olga")).unwrap();
    assert_eq!(crew.asks("olga", crew.record("RECORD.SEAL", 1, "olga")), Err("guard_state_in".into()));
    assert_eq!(crew.asks("olga", crew.record("SERVICE.COMPLETE", 1, "olga")), Err("lifecycle_terminal".into()));
}

/// the spine knows no surface by name, and the host knows neither the spine nor a surface.
#[test]
fn q_27_no_surface_is_named_by_the_spine_or_by_the_host() {
    for code in frozen() {
        let text = artifact(&code).to_string();
        assert!(!text.contains("walkthrough") && !text.contains("seal-off"), "{code}");
    }
    let mut faults = Vec::new();
    for krate in ["core", "flow", "queue", "store", "wasm", "engine"] {
        let words = ["spine", "omni", "walkthrough", "serviceevent", "service_event", "surfacemap", "servicerecord"];
        crate::blindness::scan(&project(&format!("host/{krate}/src")), &words, &mut faults);
    }
    crate::blindness::scan(&project("host/cli"), &["spine", "omni", "walkthrough", "serviceevent", "surfacemap"], &mut faults);
    assert!(faults.is_empty(), "{faults:#?}");
}
