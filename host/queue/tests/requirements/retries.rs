//! Failures, retries and their classes.

use super::*;
use enact_queue::change::{By, REASON_AUTOMATIC};
use enact_queue::order::{Due, due};
use enact_queue::retry::{DELAYS_US, Next, next};
use enact_queue::status::Status::*;

fn retry(case: &Case, reason: &str, answer: Answer) -> Change {
    let by = By::Hand { reason: reason.into() };
    Change::Retry { owner: "b".into(), deadline: case.now + 30 * SECOND_US, by, answer }
}

fn automatic(case: &Case) -> Change {
    Change::Retry { owner: "b".into(), deadline: case.now + 30 * SECOND_US, by: By::Automatic, answer: passed() }
}

#[test]
fn w_38_a_retry_leads_from_failed_to_executing_and_needs_a_reason() {
    let mut case = Case::new(Mode::None).failed(Class::Resolvable);
    for reason in ["", "  ", "\n"] {
        assert_eq!(code(case.apply(&retry(&case, reason, passed()))), "queue_reason");
    }
    assert_eq!(code(case.apply(&retry(&case, &"x".repeat(1025), passed()))), "queue_reason");
    assert_eq!(code(case.apply(&automatic(&case))), "queue_reason");
    case.apply(&retry(&case, "the timeout was raised", passed())).unwrap();
    assert_eq!((case.last().status, case.last().reason.as_deref()), (Executing, Some("the timeout was raised")));
    assert_eq!(case.last().failure_reason, None);
}

#[test]
fn w_39_a_retry_needs_a_mendable_failure_a_validation_that_passes_and_no_execution() {
    let mut case = Case::new(Mode::None).failed(Class::Resolvable);
    let refused = case.apply(&retry(&case, "again", rejected()));
    assert_eq!(refused, Err(Refused::NotReady { reason: "missing_charter_binding".into() }));
    for class in [Class::Business, Class::Invariant, Class::Duplicate] {
        let mut case = Case::new(Mode::None).failed(class);
        assert_eq!(code(case.apply(&retry(&case, "again", passed()))), "queue_final", "{class:?}");
        assert_eq!(code(case.apply(&automatic(&case))), "queue_final", "{class:?}");
    }
    // What the ledger calls final is, whatever the journal says of its class.
    case.apply(&Change::FailFinal(case.fact())).unwrap();
    assert_eq!(code(case.apply(&retry(&case, "again", passed()))), "queue_final");
    let mut case = Case::new(Mode::None).executed();
    assert_eq!(code(case.apply(&retry(&case, "again", passed()))), "queue_status");
}

#[test]
fn w_40_a_retry_raises_the_attempt_count_and_sets_its_time() {
    let mut case = Case::new(Mode::None).failed(Class::Resolvable);
    assert_eq!((case.last().attempts, case.last().last_retry_us), (1, None));
    case.apply(&retry(&case, "again", passed())).unwrap();
    assert_eq!((case.last().attempts, case.last().last_retry_us), (2, Some(case.now)));
    assert_eq!(case.last().fence.0, 2);
}

#[test]
fn w_41_w_42_a_duplicate_is_never_tried_again_and_an_executed_item_never_fails() {
    assert_eq!(next(Class::Duplicate, 0, T0), Next::Original);
    let mut case = Case::new(Mode::Internal).executed();
    assert_eq!(code(case.apply(&case.fail(Class::Duplicate))), "queue_status");
    assert_eq!(code(case.apply(&Change::Executed { holder: case.holder(), fact: case.fact() })), "queue_status");
    case.now += 60 * SECOND_US;
    assert_eq!(code(case.apply(&retry(&case, "again", passed()))), "queue_status");
    assert_eq!(code(case.apply(&case.lease("b"))), "queue_status");
}

#[test]
fn i_47_i_48_transient_failures_are_retried_after_one_two_and_four_seconds_and_then_by_hand() {
    assert_eq!(DELAYS_US, [1_000_000, 2_000_000, 4_000_000]);
    let mut case = Case::new(Mode::None).failed(Class::Transient);
    for seconds in [1, 2, 4] {
        let at = case.now + seconds * SECOND_US;
        assert_eq!((case.last().failure_class, case.last().not_before_us), (Some(Class::Transient), Some(at)));
        assert_eq!(due(case.last(), &case.known()), Due::At(at));
        case.now = at;
        assert_eq!(due(case.last(), &case.known()), Due::Retry);
        case.apply(&automatic(&case)).unwrap();
        assert_eq!(case.last().reason.as_deref(), Some(REASON_AUTOMATIC));
        case.apply(&case.fail(Class::Transient)).unwrap();
    }
    assert_eq!((case.last().failure_class, case.last().not_before_us), (Some(Class::Resolvable), None));
    assert_eq!(due(case.last(), &case.known()), Due::Nothing);
    assert_eq!(case.last().attempts, 4);
    // By hand it counts from the start.
    case.apply(&retry(&case, "the disk was replaced", passed())).unwrap();
    case.apply(&case.fail(Class::Transient)).unwrap();
    assert_eq!(case.last().failure_class, Some(Class::Transient));
}

#[test]
fn i_47_the_other_classes_are_never_retried_by_themselves() {
    for class in Class::ALL.into_iter().filter(|class| *class != Class::Transient) {
        assert!(!matches!(next(class, 0, T0), Next::Again { .. }), "{class:?}");
        let case = Case::new(Mode::None).failed(class);
        let later = Known { now: u64::MAX, ..case.known() };
        assert_eq!(due(case.last(), &later), Due::Nothing, "{class:?}");
    }
}

#[test]
fn w_39_an_automatic_retry_that_is_not_valid_any_more_waits_for_somebody() {
    let mut case = Case::new(Mode::None).failed(Class::Transient);
    case.apply(&Change::Validation(rejected())).unwrap();
    let item = case.last();
    assert_eq!((item.status, item.failure_class, item.not_before_us), (Failed, Some(Class::Resolvable), None));
    assert_eq!(item.failure_reason.as_deref(), Some("missing_charter_binding"));
    assert_eq!(code(case.apply(&Change::Validation(rejected()))), "queue_status");
    assert_eq!(code(case.apply(&Change::Validation(passed()))), "queue_status");
}

#[test]
fn w_47_a_failure_has_class_reason_and_time_or_there_is_none() {
    assert_eq!(code(Failure::new(Class::Transient, "")), "queue_name");
    let mut case = Case::new(Mode::None).leased("a");
    let silent = Failure { class: Class::Business, reason: String::new() };
    assert_eq!(code(case.apply(&Change::Fail { holder: case.holder(), failure: silent })), "queue_name");
    assert_eq!(code(case.apply(&Change::Release { holder: case.holder(), reason: String::new() })), "queue_name");
    case.apply(&case.fail(Class::Business)).unwrap();
    let item = case.last();
    assert_eq!(
        (item.failure_class, item.failure_reason.as_deref(), item.failure_us),
        (Some(Class::Business), Some("timeout"), Some(case.now))
    );
    assert!(!item.ready && item.lease.is_none());
}

#[test]
fn w_47_a_failed_settlement_is_written_down_and_the_execution_stays_true() {
    let mut case = Case::new(Mode::Internal).executed();
    let failure = Failure::new(Class::Transient, "timeout").unwrap();
    case.apply(&Change::FailSettlement { holder: case.holder(), failure }).unwrap();
    assert_eq!((case.last().status, case.last().lease.is_none()), (Executed, true));
    let at = case.now + SECOND_US;
    assert_eq!(due(case.last(), &case.known()), Due::At(at));
    assert_eq!(due(case.last(), &Known { now: at, ..case.known() }), Due::Settle);
    case.apply(&Change::Settled { holder: None, fact: case.fact() }).unwrap();
    assert_eq!((case.last().status, case.last().failure_class), (Settled, None));
}
