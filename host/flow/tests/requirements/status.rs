//! Statuses, exits and faults (P-12, P-18, P-19, P-21, P-22).

use crate::support::{AT, CC, Set, WF, drive, good, letter, map, outcome, run, set};
use enact_flow::traverse::{Answer, Ask, Class, Traversal};
use serde_json::{Value, json};

/// The contract allows these and both nodes route them.
fn allowing(statuses: &[&str]) -> Set {
    let next: Value = statuses.iter().map(|status| ((*status).to_owned(), json!("EXIT"))).collect::<serde_json::Map<_, _>>().into();
    let mut first = next.clone();
    first["SUCCESS"] = json!("CC_SECOND");
    set().with(CC, "/status/allowed", json!(statuses)).with(WF, "/nodes/CC_FIRST/next", first).with(WF, "/nodes/CC_SECOND/next", next)
}

#[test]
fn p_18_a_status_outside_the_contract_follows_no_edge() {
    let plan = allowing(&["SUCCESS", "BACKEND_ERROR"]).plan();
    let run = run(&plan, letter(), |_| outcome("VIOLATION", json!({ "stamp": "kept out" })));
    assert_eq!(run.path(), ["IN_LETTER:ACK", "CC_FIRST:PROTOCOL_VIOLATION"]);
    assert_eq!((run.end.class, run.end.reason.as_str()), (Class::Failure, "UNDECLARED_STATUS"));
    assert_eq!(run.end.code.as_deref(), Some("undeclared_status"));
    assert_eq!(Value::Object(run.end.payload), letter(), "what a violation put out is not merged");
}

#[test]
fn p_18_a_status_outside_the_surface_of_the_step_is_a_violation_even_if_the_contract_allows_it() {
    let run = run(&set().plan(), letter(), |_| outcome("ALREADY_EXISTS", json!({})));
    assert_eq!(run.path(), ["IN_LETTER:ACK", "CC_FIRST:PROTOCOL_VIOLATION"]);
}

#[test]
fn p_18_a_declared_override_is_checked_like_any_status() {
    let overridden = |status: Value| set().with(CC, "/pipeline/0/status", status);
    let stamped = |status: &'static str| move |_: &_| outcome("SUCCESS", json!({ "stamp": "S", "as": status }));
    assert_eq!(run(&overridden(json!("VIOLATION")).plan(), letter(), stamped("")).path()[1], "CC_FIRST:VIOLATION");
    let dynamic = overridden(json!("$.capability_result.as")).plan();
    assert_eq!(run(&dynamic, letter(), stamped("VIOLATION")).path()[1], "CC_FIRST:VIOLATION");
    assert_eq!(run(&dynamic, letter(), stamped("INVENTED")).path()[1], "CC_FIRST:PROTOCOL_VIOLATION");
    assert_eq!(run(&overridden(json!("$.capability_result.gone")).plan(), letter(), good).path()[1], "CC_FIRST:SUCCESS");
    assert_eq!(run(&overridden(json!({ "no": "text" })).plan(), letter(), good).path()[1], "CC_FIRST:PROTOCOL_VIOLATION");
}

#[test]
fn p_19_an_exit_takes_its_class_from_the_last_edge() {
    let by_edge = |status: &'static str| {
        run(&set().plan(), letter(), move |step| if step.capability.starts_with("CS_") { outcome(status, json!({})) } else { good(step) })
            .end
    };
    let class = |end: enact_flow::traverse::Termination| (end.class, end.reason);
    assert_eq!(class(by_edge("SUCCESS")), (Class::Success, "COMPLETED".to_owned()));
    assert_eq!(class(by_edge("BACKEND_ERROR")), (Class::Failure, "BACKEND_ERROR".to_owned()));
    assert_eq!(class(by_edge("ALREADY_EXISTS")), (Class::Failure, "ALREADY_EXISTS".to_owned()));
    let refused = drive(&set().plan(), letter(), |_| Answer::Intent { valid: false }).end;
    assert_eq!(class(refused), (Class::Failure, "REJECTED".to_owned()));
    let direct = set().with(WF, "/nodes/IN_LETTER/next/ACK", json!("EXIT")).without(WF, "/nodes/CC_FIRST").without(WF, "/nodes/CC_SECOND");
    assert_eq!(class(run(&direct.plan(), letter(), good).end), (Class::Success, "COMPLETED".to_owned()));
}

#[test]
fn p_19_a_declared_class_and_reason_win_over_the_edge() {
    let exit = |exit: Value| {
        let end = run(&set().with(WF, "/nodes/EXIT", exit).plan(), letter(), |_| outcome("VIOLATION", json!({}))).end;
        (end.class, end.reason)
    };
    assert_eq!(exit(json!({})), (Class::Failure, "VIOLATION".to_owned()));
    assert_eq!(exit(json!({ "class": "SUCCESS" })), (Class::Success, "COMPLETED".to_owned()));
    assert_eq!(exit(json!({ "class": "SUCCESS", "reason": "DECLINED" })), (Class::Success, "DECLINED".to_owned()));
    assert_eq!(exit(json!({ "class": "FAILURE" })), (Class::Failure, "VIOLATION".to_owned()));
    assert_eq!(exit(json!({ "reason": "HTTP_404" })), (Class::Failure, "HTTP_404".to_owned()));
    let failed = run(&set().with(WF, "/nodes/EXIT/class", json!("FAILURE")).plan(), letter(), good).end;
    assert_eq!((failed.class, failed.reason.as_str()), (Class::Failure, "FAILED"));
}

#[test]
fn p_12_every_run_ends_in_one_of_four_classes() {
    let end = |answer: Answer| {
        let mut given = Some(answer);
        drive(&set().plan(), letter(), |ask| match ask {
            Ask::Dispatch(_) => given.take().unwrap(),
            Ask::Admit(_) | Ask::ValidateIntent { .. } | Ask::Done(_) => Answer::Intent { valid: true },
        })
    };
    assert_eq!(run(&set().plan(), letter(), good).end.class, Class::Success);
    assert_eq!(end(outcome("VIOLATION", json!({}))).end.class, Class::Failure);
    let aborted = end(Answer::Abort { code: "store_unavailable".to_owned() });
    assert_eq!((aborted.end.class, aborted.end.code.as_deref()), (Class::Abort, Some("store_unavailable")));
    assert_eq!(aborted.path(), ["IN_LETTER:ACK", "CC_FIRST:ABORTED"]);
    let timeout = end(Answer::Timeout { code: "run_deadline".to_owned() });
    assert_eq!((timeout.end.class, timeout.end.reason.as_str()), (Class::Timeout, "RUN_DEADLINE"));
    assert_eq!(timeout.path(), ["IN_LETTER:ACK", "CC_FIRST:TIMED_OUT"]);
}

fn fault(at: &'static str) -> impl FnMut(&enact_flow::traverse::StepAsk) -> Answer {
    move |step| {
        if step.step_name.as_ref() == at { Answer::Fault { code: "out_of_fuel".to_owned() } } else { good(step) }
    }
}

#[test]
fn p_21_a_fault_becomes_a_backend_error_where_the_contract_knows_one() {
    for at in ["stamp", "place"] {
        let run = run(&set().plan(), letter(), fault(at));
        assert_eq!(run.path(), ["IN_LETTER:ACK", "CC_FIRST:BACKEND_ERROR", "EXIT:completed"]);
    }
}

#[test]
fn p_21_the_fault_of_a_transform_may_become_a_violation() {
    let plan = allowing(&["SUCCESS", "VIOLATION", "ALREADY_EXISTS"]).plan();
    assert_eq!(run(&plan, letter(), fault("stamp")).path()[1], "CC_FIRST:VIOLATION");
    let place = run(&plan, letter(), fault("place"));
    assert_eq!(place.path()[1], "CC_FIRST:PROTOCOL_VIOLATION");
    assert_eq!(place.end.code.as_deref(), Some("capability_fault"));
}

#[test]
fn p_21_a_fault_without_a_status_for_it_is_a_protocol_violation() {
    let run = run(&allowing(&["SUCCESS"]).plan(), letter(), fault("stamp"));
    assert_eq!((run.end.class, run.end.code.as_deref()), (Class::Failure, Some("capability_fault")));
}

#[test]
fn p_22_failures_of_a_run_have_stable_codes() {
    let code = |run: crate::support::Run| (run.end.reason, run.end.code);
    let rejected = drive(&set().plan(), letter(), |_| Answer::Intent { valid: false });
    assert_eq!(code(rejected), ("REJECTED".to_owned(), None), "an intent rejection is a declared edge");
    assert_eq!(code(run(&set().plan(), json!({}), good)), ("VIOLATION".to_owned(), None), "so is an expression failure");
    let undeclared = run(&set().plan(), letter(), |_| outcome("ODD", json!({})));
    assert_eq!(code(undeclared), ("UNDECLARED_STATUS".to_owned(), Some("undeclared_status".to_owned())));
    let strict = set().with(CC, "/status/on_input_failure", json!("ODD"));
    assert!(strict.warnings().contains(&"input_failure_not_allowed"));
    assert_eq!(code(run(&strict.plan(), json!({}), good)).1.as_deref(), Some("undeclared_status"));
}

#[test]
fn an_ended_run_has_handed_over_its_payload() {
    let (mut traversal, _) = Traversal::start(set().plan(), map(letter()), AT);
    assert_eq!(Value::Object(traversal.payload().clone()), letter());
    let Ask::Done(end) = traversal.resume(Answer::Intent { valid: false }) else { panic!("it goes on") };
    assert_eq!(Value::Object(end.payload), letter());
    assert!(traversal.payload().is_empty());
}
