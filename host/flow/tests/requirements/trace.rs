//! The trace: it follows the graph, a change is found, and it holds nothing of the payload (P-24, P-25, P-26).

use crate::support::{drive, good, letter, lines, outcome, run, set};
use enact_flow::trace::{TraceEvent, check_trace};
use enact_flow::traverse::{Answer, Ask, EventKind};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn p_26_a_trace_that_follows_is_accepted() {
    let plan = set().plan();
    assert_eq!(check_trace(plan.dag(), &run(&plan, letter(), good).lines()), Ok(()));
    let refused = drive(&plan, letter(), |_| Answer::Intent { valid: false });
    assert_eq!(check_trace(plan.dag(), &refused.lines()), Ok(()));
}

type Change = fn(&mut TraceEvent);

#[test]
fn p_26_every_change_of_an_event_is_found_and_named() {
    let plan = set().plan();
    let lines = run(&plan, letter(), good).lines();
    let changes: [(&str, Change); 8] = [
        ("sequence", |e| e.sequence += 1),
        ("event", |e| e.event = "node_skipped".to_owned()),
        ("execution", |e| e.execution_id = "run-2".to_owned()),
        ("workflow", |e| e.workflow_code = "WF_OTHER_V0".to_owned()),
        ("node", |e| e.node_id = e.node_id.as_ref().map(|_| "EXIT_REFUSED".to_owned())),
        ("type", |e| e.node_type = e.node_type.as_ref().map(|_| "gateway".to_owned())),
        ("status", |e| e.result_status = e.result_status.as_ref().map(|_| "BACKEND_ERROR".to_owned())),
        ("class", |e| e.exit_condition = e.exit_condition.as_ref().map(|_| "FAILURE".to_owned())),
    ];
    let mut found = 0;
    for (index, original) in lines.iter().enumerate() {
        for (what, change) in changes {
            let mut changed = lines.clone();
            change(&mut changed[index]);
            if changed[index] == *original {
                continue;
            }
            let problem = check_trace(plan.dag(), &changed).expect_err(what);
            // A changed status shows where the walk goes on differently, at the latest when the run ends after its exit.
            let near = index as u64 + 1..=index as u64 + if what == "status" { 4 } else { 2 };
            assert!(near.contains(&problem.sequence), "{what} of event {}: {problem}", index + 1);
            found += 1;
        }
    }
    assert!(found > 50, "only {found} changes tried");
}

#[test]
fn p_26_a_gap_a_cut_and_an_addition_are_found() {
    let plan = set().plan();
    let lines = run(&plan, letter(), good).lines();
    for index in 0..lines.len() {
        let mut gap = lines.clone();
        gap.remove(index);
        assert!(check_trace(plan.dag(), &gap).is_err());
        // Closing the numbers again does not hide it.
        for (event, sequence) in gap.iter_mut().zip(1..) {
            event.sequence = sequence;
        }
        assert!(check_trace(plan.dag(), &gap).is_err(), "event {} is missing", index + 1);
        assert!(check_trace(plan.dag(), &lines[..index]).is_err(), "cut before event {}", index + 1);
    }
    let mut more = lines.clone();
    more.push(TraceEvent { sequence: lines.len() as u64 + 1, ..lines.last().unwrap().clone() });
    assert_eq!(check_trace(plan.dag(), &more).unwrap_err().sequence, more.len() as u64);
}

#[test]
fn p_26_a_wrong_reason_is_found() {
    let plan = set().plan();
    let mut lines = run(&plan, letter(), good).lines();
    lines.last_mut().unwrap().exit_reason = Some("REJECTED".to_owned());
    assert!(check_trace(plan.dag(), &lines).is_err());
}

#[test]
fn p_25_every_node_that_starts_ends_however_the_run_ends() {
    let answers = [
        outcome("SUCCESS", json!({})),
        outcome("ODD", json!({})),
        Answer::Fault { code: "x".to_owned() },
        Answer::Abort { code: "x".to_owned() },
        Answer::Timeout { code: "x".to_owned() },
    ];
    for answer in answers {
        let plan = set().plan();
        let run = drive(&plan, letter(), |ask| match ask {
            Ask::Dispatch(_) => answer.clone(),
            Ask::Admit(_) | Ask::ValidateIntent { .. } | Ask::Done(_) => Answer::Intent { valid: true },
        });
        let count = |kind| run.events.iter().filter(|event| event.kind == kind).count();
        assert_eq!(count(EventKind::NodeStart), count(EventKind::NodeEnd));
        assert_eq!((count(EventKind::Start), count(EventKind::Complete)), (1, 1));
        assert_eq!(check_trace(plan.dag(), &run.lines()), Ok(()));
    }
}

#[test]
fn p_23_lines_are_the_published_members_and_no_others() {
    let plan = set().plan();
    let lines = run(&plan, letter(), good).lines();
    let text = serde_json::to_string(&lines[2]).unwrap();
    assert_eq!(serde_json::from_str::<TraceEvent>(&text).unwrap(), lines[2]);
    let extra = text.replace("\"sequence\"", "\"payload\":1,\"sequence\"");
    assert!(serde_json::from_str::<TraceEvent>(&extra).is_err());
    let names: Vec<&str> = lines.iter().map(|line| line.event.as_str()).collect();
    assert_eq!(names[..3], ["execution_start", "node_start", "node_end"]);
    assert_eq!(names.last(), Some(&"workflow_complete"));
}

proptest! {
    #[test]
    fn p_24_no_value_of_the_payload_is_in_the_trace(
        marker in "[a-z0-9]{12}",
        status in prop_oneof![Just(None), Just(Some("SUCCESS")), Just(Some("VIOLATION"))],
        fault in any::<bool>(),
    ) {
        // Whatever a caller or a module says may be a marker: values, member names, outputs, even a status.
        let mut payload = letter();
        payload["letter"]["text"] = Value::from(marker.as_str());
        payload[&marker] = Value::from(marker.as_str());
        let run = run(&set().plan(), payload, |_| {
            if fault {
                Answer::Fault { code: marker.clone() }
            } else {
                outcome(status.unwrap_or(&marker), json!({ "stamp": marker, (marker.as_str()): marker }))
            }
        });
        let trace = serde_json::to_string(&lines(&run.events)).unwrap();
        prop_assert!(!trace.contains(&marker), "{}", trace);
        let end = (run.end.reason, run.end.code, run.end.node);
        prop_assert!(!format!("{end:?}").contains(&marker), "{:?}", end);
    }
}
