//! Mistakes that are known from other systems, each tried on the spine.
use enact_core::state::Space;
use serde_json::{Value, json};

use super::crew::{ACTIONS, Crew, OPERATOR, WAY, operator};
use crate::governance::told;

/// Whom nobody has attested, whom nobody has registered, and who was suspended: none of them is active because nothing says otherwise.
#[test]
fn q_04_an_operator_of_whom_nothing_is_known_is_not_active() {
    let crew = Crew::at(5);
    for unknown in ["nils", "bot", "ghost"] {
        let mut make = crew.record("ASSIGNMENT.MAKE", 1, "dora");
        make["payload"]["assignee"] = json!(format!("Actor:{unknown}"));
        assert_eq!(crew.asks("dora", make), Err("guard_state_in".into()), "{unknown}");
    }
    crew.take(5, 8);
    let leave = |action: &str| crew.about("SPINE_PERSON", action, "Person:olga", json!({"reason": "Leave."}));
    crew.say("wanda", leave("PERSON.SUSPEND")).unwrap();
    assert_eq!(crew.asks("olga", crew.record("JOB.CLAIM", 1, "olga")), Err("guard_state_in".into()));
    crew.say("wanda", leave("PERSON.RESUME")).unwrap();
    assert_eq!(crew.asks("olga", crew.record("JOB.CLAIM", 1, "olga")), Ok(()));
}

/// Each step of the way without one of its members, without its keys, without its movement, or with something more: refused, never passed.
#[test]
fn q_20_q_21_no_gate_is_passed_because_something_is_absent() {
    let crew = Crew::at(0);
    let mut gates = 0;
    for (action, who) in WAY {
        let who = if who == OPERATOR { operator(1) } else { who };
        if action == "SERVICE_SETTLEMENT.OPEN" {
            crew.say("carla", crew.record("PAYMENT.CAPTURE", 1, "carla")).unwrap();
        }
        let whole = crew.record(action, 1, who);
        let mut bad = |what: &str, change: &dyn Fn(&mut Value), codes: &[&str]| {
            let mut record = whole.clone();
            change(&mut record);
            let code = crew.asks(who, record).expect_err(&format!("{action} {what}"));
            assert!(codes.contains(&code.as_str()), "{action} {what}: {code}");
            gates += 1;
        };
        for member in whole["payload"].as_object().unwrap().keys() {
            bad(
                &format!("without {member}"),
                &|record| drop(record["payload"].as_object_mut().unwrap().remove(member)),
                &["payload_missing"],
            );
            bad(&format!("with {member} null"), &|record| record["payload"][member] = Value::Null, &["payload_type"]);
        }
        bad("with more than is declared", &|record| record["payload"]["verified"] = json!(true), &["payload_unknown"]);
        if whole["consumes"] != json!([]) {
            bad("without its keys", &|record| record["consumes"] = json!([]), &["consumes_mismatch"]);
            bad("with another key", &|record| record["consumes"][0] = json!("free"), &["consumes_mismatch"]);
        }
        if whole["postings"].is_array() {
            bad("without its movement", &|record| drop(record.as_object_mut().unwrap().remove("postings")), &["record_postings"]);
            bad("with an empty movement", &|record| record["postings"] = json!([]), &["posting_mismatch", "record_postings"]);
        }
        crew.say(who, whole.clone()).unwrap_or_else(|code| panic!("{action}: {code}"));
    }
    assert!(gates >= 90, "{gates}");
}

/// What is not listed is not allowed: other spellings, other types, and actions that nobody has declared.
#[test]
fn q_18_an_action_that_is_not_declared_is_no_action() {
    let crew = Crew::at(8);
    for (action, code) in [
        ("JOB.STEAL", "record_action"),
        ("job.claim", "record_action"),
        ("JOB.CLAIM ", "record_action"),
        ("JOB.*", "record_action"),
        ("SERVICE.START", "record_action"),
        ("", "record_field"),
    ] {
        for who in ["olga", "zoe"] {
            let record = crew.about("SPINE_JOB", action, "Job:J-1", json!({}));
            assert_eq!(crew.asks(who, record), Err(code.into()), "`{action}` by {who}");
        }
    }
    for (type_, code) in [("SPINE_JOBS", "record_type"), ("spine_job", "record_type"), ("SPINE_TASK", "record_action")] {
        let record = crew.about(type_, "JOB.CLAIM", "Job:J-1", json!({}));
        assert_eq!(crew.asks("olga", record), Err(code.into()), "{type_}");
    }
    let elsewhere = crew.about("SPINE_JOB", "JOB.CLAIM", "Task:T-1", json!({}));
    assert_eq!(crew.asks("olga", elsewhere), Err("record_subject".into()));
}

#[test]
fn q_20_nothing_is_completed_without_evidence_that_somebody_else_has_validated() {
    let crew = Crew::at(10);
    let complete = || crew.record("SERVICE.COMPLETE", 1, "olga");
    assert_eq!(crew.asks("olga", complete()), Err("guard_state_in".into()), "there is none");
    crew.take(10, 11);
    assert_eq!(crew.asks("olga", complete()), Err("guard_state_in".into()), "nobody has validated it");
    // Zoe is an inspector too, and another one than Olga; who submits does not validate, whatever the roles.
    assert_eq!(crew.asks("olga", crew.record("EVIDENCE.VALIDATE", 1, "olga")), Err("authority_role".into()));
    crew.take(11, 12);
    let mut other = complete();
    other["payload"]["digest"] = json!(format!("sha256:{}", "f".repeat(64)));
    assert_eq!(crew.asks("olga", other), Err("guard_field_equals".into()), "other bytes than were validated");
    // Evidence of another event is none of this one.
    crew.take_chain(3, 0, 12);
    let mut foreign = complete();
    foreign["payload"] = crew.record("SERVICE.COMPLETE", 3, "olga")["payload"].clone();
    assert_eq!(crew.asks("olga", foreign), Err("guard_field_equals".into()));
    assert_eq!(crew.asks("olga", complete()), Ok(()));
}

/// a claim is by whom was assigned, and the assignment is the same record afterwards.
#[test]
fn q_08_a_claim_never_overwrites_an_assignment() {
    let crew = Crew::at(8);
    let assignment = |crew: &Crew| crew.subjects()["Assignment:A-1"].clone();
    let before = assignment(&crew);
    for other in ["otto", "zoe"] {
        assert_eq!(crew.say(other, crew.record("JOB.CLAIM", 1, other)), Err("guard_field_equals".into()), "{other}");
    }
    let mut named = crew.record("JOB.CLAIM", 1, "otto");
    named["payload"] = json!({"operator": "Actor:otto"});
    assert_eq!(crew.say("otto", named), Err("payload_unknown".into()));
    let mut second = crew.record("ASSIGNMENT.MAKE", 1, "dora");
    second["subject"] = json!("Assignment:A-9");
    second["payload"]["assignee"] = json!("Actor:otto");
    assert_eq!(crew.say("dora", second), Err("guard_state_in".into()));
    crew.take(8, 9);
    assert_eq!(assignment(&crew), before);
    let kept = crew.engine.subject_state("Assignment:A-1", None).unwrap().row.kept;
    assert_eq!(kept["assignee"], "Actor:olga");
}

/// Completion and record in one entry: when the second is refused, so is the first, with its movement and its key.
#[test]
fn q_09_what_belongs_together_is_done_together_or_not_at_all() {
    let crew = Crew::at(12);
    let state = |crew: &Crew| (crew.subjects(), serde_json::to_value(crew.engine.trial_balance(None).unwrap()).unwrap());
    let before = state(&crew);
    let mut wrong = crew.record("RECORD.SEAL", 1, "olga");
    wrong["payload"]["amount"] = json!("10001");
    let both = |seal: Value| json!([crew.record("SERVICE.COMPLETE", 1, "olga"), seal]);
    assert_eq!(crew.say("olga", both(wrong)), Err("guard_field_equals".into()));
    assert_eq!(state(&crew), before);
    crew.say("olga", both(crew.record("RECORD.SEAL", 1, "olga"))).unwrap();
    let after = crew.subjects();
    assert_eq!(after["ServiceEvent:S-1"].1, after["ServiceRecord:REC-1"].1, "one entry");
}

/// A key is used up by what it stands for, and not by the attempt: what was refused is as good as before, and what was done is done once.
#[test]
fn q_15_q_22_a_key_is_used_up_with_its_effect_and_not_before() {
    let crew = Crew::at(14);
    let capture = |chain: u32, amount: &str| {
        let mut record = crew.record("PAYMENT.CAPTURE", chain, "carla");
        record["payload"]["amount"] = json!(amount);
        for leg in record["postings"].as_array_mut().unwrap() {
            leg["amount"] = json!(amount);
        }
        record
    };
    assert_eq!(crew.say("carla", capture(1, "60000")), Err("posting_floor".into()), "Rita has 500.00");
    let used = || {
        let mut reader = crew.engine.store().reader().unwrap();
        reader.state(Space::Consumed, "payment:CARD-1").unwrap().is_some()
    };
    assert!(!used());
    crew.fund("10000");
    crew.say("carla", capture(1, "60000")).unwrap();
    assert!(used());
    let mut again = capture(2, "1");
    again["payload"]["reference"] = json!("CARD-1");
    again["consumes"] = json!(["payment:CARD-1"]);
    crew.fund("10000");
    assert_eq!(crew.say("carla", again), Err("key_consumed".into()));
}

/// An ended subject is still there, whatever comes after it; one that somebody removes is missed.
#[test]
fn q_19_what_has_ended_is_not_purged() {
    let crew = Crew::at(0);
    crew.settled(1);
    let ended = crew.subjects();
    crew.settled(2);
    let later = crew.subjects();
    for (action, _, _) in ACTIONS {
        let subject = super::crew::subject(action, 1);
        assert_eq!(later.get(&subject), ended.get(&subject), "{subject}");
    }
    assert_eq!(crew.asks("olga", crew.record("RECORD.SEAL", 1, "olga")), Err("lifecycle_exists".into()));
    let (scratch, _) = told("spine");
    let removed = scratch.sql().execute("DELETE FROM state WHERE space = 'subject' AND key = 'ServiceRecord:REC-1'", []).unwrap();
    assert_eq!(removed, 1);
    let found = scratch.enact(&["verify", "--rebuild", "--json"]).exits(4).json();
    assert!(found["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == "state_row"), "{found:#}");
}
