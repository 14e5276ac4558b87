//! The worker's machine, answered by hand.

use super::*;
use enact_queue::lease::Fence;
use enact_queue::order::{Due, pick};
use enact_queue::worker::{Ask, Held, Options, Outcome, RUNS_MAX, Taken, Told, Worker};
use proptest::prelude::*;

fn options(batch: usize) -> Options {
    Options { owner: "a".into(), batch, lease_us: 30 * SECOND_US, poll_us: 5 * SECOND_US, once: true }
}

fn id(number: u64) -> QueueId {
    QueueId::numbered("EXQ", T0, number).unwrap()
}

fn taken(number: u64, mode: Mode) -> Taken {
    Taken { held: Held { id: id(number), fence: Fence(1) }, mode, executed: false }
}

fn listed(pending: &[u64]) -> Told {
    let pending = pending.iter().map(|n| (Place { entry: *n, position: 0 }, id(*n))).collect();
    Told::Listed { pending, retries: vec![], next: None }
}

fn valid() -> Told {
    Told::Validated { answer: passed(), changed: true }
}

/// Tells the worker these answers and gives the words of its asks, the first included.
fn asks(worker: &mut Worker, first: &Ask, told: Vec<Told>) -> Vec<&'static str> {
    let mut words = vec![first.as_str()];
    words.extend(told.into_iter().map(|told| worker.tell(told, T0).as_str()));
    words
}

#[test]
fn w_50_w_27_a_pass_validates_marks_takes_validates_again_runs_commits_and_settles() {
    let (mut worker, first) = Worker::start(options(2), T0);
    let each = |outcomes: &[u64]| Told::Each(outcomes.iter().map(|n| (id(*n), Outcome::Done)).collect());
    let told = vec![
        Told::Done,
        listed(&[1]),
        valid(),
        Told::Marked(1),
        Told::Leased(vec![taken(1, Mode::Internal), taken(2, Mode::External)]),
        valid(),
        Told::Done,
        valid(),
        Told::Done,
        each(&[1, 2]),
        each(&[1]),
        each(&[2]),
        // Something was done, so it looks once more before it stops.
        Told::Done,
        listed(&[]),
        Told::Leased(vec![]),
    ];
    let expected = [
        "recover",
        "list",
        "validate",
        "mark",
        "lease",
        "validate",
        "run",
        "validate",
        "run",
        "commit",
        "settle",
        "begin_settlement",
        "recover",
        "list",
        "lease",
        "stop",
    ];
    assert_eq!(asks(&mut worker, &first, told), expected);
}

#[test]
fn w_27_the_journal_of_an_item_has_the_documented_order() {
    let mut internal = Case::new(Mode::Internal).executed();
    assert!(internal.last().lease.is_some(), "held until the hook is done");
    internal.apply(&Change::Settled { holder: Some(internal.holder()), fact: internal.fact() }).unwrap();
    assert_eq!(internal.events(), ["queued", "validated", "leased", "executed", "settled"]);
    let mut external = Case::new(Mode::External).executed();
    external.apply(&Change::BeginSettlement { holder: external.holder() }).unwrap();
    external.apply(&Change::Settled { holder: None, fact: external.fact() }).unwrap();
    external.apply(&Change::Fulfilled(external.fact())).unwrap();
    assert_eq!(external.events(), ["queued", "validated", "leased", "executed", "settlement_begun", "settled", "fulfilled"]);
    let none = Case::new(Mode::None).executed();
    for case in [internal, external, none] {
        assert!(case.last().lease.is_none(), "given back with the last step");
        // W-52: each line is one step of the table from the one before.
        let mut facts = Facts::default();
        for pair in case.lines.windows(2) {
            assert_eq!(pair[0].status.after(pair[1].event, facts, case.mode.required()), Ok(pair[1].status));
            facts.executed |= pair[1].event == Event::Executed;
            facts.settled |= pair[1].event == Event::Settled;
        }
    }
}

#[test]
fn w_45_what_fails_the_last_validation_is_not_run() {
    let (mut worker, ask) = Worker::with(options(1), T0, vec![taken(1, Mode::None)]);
    assert_eq!(ask, Ask::Validate { id: id(1), fence: Some(Fence(1)) });
    let ask = worker.tell(Told::Validated { answer: rejected(), changed: true }, T0);
    let failure = Failure::new(Class::Resolvable, "missing_charter_binding").unwrap();
    assert_eq!(ask, Ask::Fail { items: vec![(taken(1, Mode::None).held, failure)] });
}

#[test]
fn w_47_whatever_the_commit_comes_to_is_written_down() {
    let business = Failure::new(Class::Business, "insufficient_funds").unwrap();
    let cases = [
        (Told::Each(vec![(id(1), Outcome::Done)]), None),
        (Told::Each(vec![(id(1), Outcome::Fenced)]), None),
        (Told::Each(vec![(id(1), Outcome::Duplicate("key_consumed".into()))]), Some((Class::Duplicate, "key_consumed", false))),
        (Told::Each(vec![(id(1), Outcome::Failed(business))]), Some((Class::Business, "insufficient_funds", true))),
        (Told::Each(vec![]), Some((Class::Transient, "unanswered", false))),
        (Told::Fault("store_busy".into()), Some((Class::Transient, "store_busy", false))),
        (Told::Done, Some((Class::Transient, "unanswered", false))),
    ];
    for (told, expected) in cases {
        let (mut worker, _) = Worker::with(options(1), T0, vec![taken(1, Mode::None)]);
        worker.tell(valid(), T0);
        assert!(matches!(worker.tell(Told::Done, T0), Ask::Commit { .. }));
        let ask = worker.tell(told.clone(), T0);
        match expected {
            None => assert_eq!(ask, Ask::Recover, "{told:?}"),
            Some((class, reason, lasting)) => {
                let failure = Failure::new(class, reason).unwrap();
                assert_eq!(failure.class.needs_fact(), lasting, "{told:?}");
                assert_eq!(ask, Ask::Fail { items: vec![(taken(1, Mode::None).held, failure)] }, "{told:?}");
            }
        }
    }
}

#[test]
fn w_36_a_conflict_is_run_again_and_too_many_are_a_failure() {
    let (mut worker, _) = Worker::with(options(1), T0, vec![taken(1, Mode::None)]);
    for run in 1..=RUNS_MAX {
        assert!(matches!(worker.tell(valid(), T0), Ask::Run { .. }));
        assert!(matches!(worker.tell(Told::Done, T0), Ask::Commit { .. }));
        let ask = worker.tell(Told::Each(vec![(id(1), Outcome::Conflict)]), T0);
        if run < RUNS_MAX {
            assert!(matches!(ask, Ask::Validate { fence: Some(_), .. }), "{ask:?}");
        } else {
            assert!(matches!(&ask, Ask::Fail { items } if matches!(&items[..], [(_, Failure { class: Class::Transient, .. })])), "{ask:?}");
        }
    }
}

#[test]
fn w_30_a_worker_that_has_to_stop_finishes_what_has_run_and_gives_the_rest_back() {
    let (mut worker, _) = Worker::with(options(2), T0, vec![taken(1, Mode::Internal), taken(2, Mode::None)]);
    worker.tell(valid(), T0);
    worker.stop();
    let ask = worker.tell(Told::Done, T0);
    assert_eq!(ask, Ask::Release { items: vec![taken(2, Mode::None).held], reason: "stopped" });
    assert!(matches!(worker.tell(Told::Done, T0), Ask::Commit { items } if items.len() == 1));
    assert!(matches!(worker.tell(Told::Each(vec![(id(1), Outcome::Done)]), T0), Ask::Settle { .. }));
    assert_eq!(worker.tell(Told::Each(vec![(id(1), Outcome::Done)]), T0), Ask::Stop);
    assert_eq!(worker.tell(Told::Done, T0), Ask::Stop);
}

#[test]
fn w_29_a_lease_is_renewed_when_half_of_it_is_over_and_what_is_lost_is_dropped() {
    let (mut worker, _) = Worker::with(options(2), T0, vec![taken(1, Mode::None), taken(2, Mode::None)]);
    worker.tell(valid(), T0);
    let ask = worker.tell(Told::Done, T0 + 15 * SECOND_US);
    assert!(matches!(&ask, Ask::Renew { items, deadline } if items.len() == 2 && *deadline == T0 + 45 * SECOND_US), "{ask:?}");
    let ask = worker.tell(Told::Held(vec![id(2)]), T0 + 15 * SECOND_US);
    assert_eq!(ask, Ask::Validate { id: id(2), fence: Some(Fence(1)) });
    // The first has run as well, and is another's by now.
    worker.tell(valid(), T0 + 15 * SECOND_US);
    assert_eq!(worker.tell(Told::Done, T0 + 15 * SECOND_US), Ask::Commit { items: vec![taken(2, Mode::None).held] });
}

#[test]
fn w_50_an_idle_worker_waits_for_the_next_that_is_due_and_longer_after_each_fault() {
    let (mut worker, _) = Worker::start(Options { once: false, ..options(2) }, T0);
    for seconds in [1, 2, 4, 4] {
        let ask = worker.tell(Told::Fault("store_busy".into()), T0);
        assert_eq!(ask, Ask::Wait { until: T0 + seconds * SECOND_US, fault: true });
        assert_eq!(worker.tell(Told::Done, T0), Ask::Recover);
    }
    worker.tell(Told::Done, T0);
    worker.tell(Told::Listed { pending: vec![], retries: vec![], next: Some(T0 + SECOND_US) }, T0);
    assert_eq!(worker.tell(Told::Leased(vec![]), T0), Ask::Wait { until: T0 + SECOND_US, fault: false });
}

#[test]
fn w_50_the_same_journal_at_the_same_time_picks_the_same_items_in_the_order_they_were_queued() {
    let case = Case::new(Mode::None).validated();
    let mut items = Vec::new();
    for (entry, position) in [(7, 0), (3, 1), (3, 0), (9, 0), (1, 0)] {
        let mut item = case.last().clone();
        item.queued = Place { entry, position };
        items.push(item);
    }
    items[4].not_before_us = Some(case.now + 1);
    let picked = |items: &[Item], limit| {
        let known = items.iter().map(|item| (item, case.known()));
        pick(known, Due::Run, None, limit).into_iter().map(|item| (item.queued.entry, item.queued.position)).collect::<Vec<_>>()
    };
    assert_eq!(picked(&items, 3), [(3, 0), (3, 1), (7, 0)]);
    items.reverse();
    assert_eq!(picked(&items, 9), [(3, 0), (3, 1), (7, 0), (9, 0)]);
}

fn told() -> impl Strategy<Value = Told> {
    let outcome = prop_oneof![Just(Outcome::Done), Just(Outcome::Conflict), Just(Outcome::Fenced), Just(Outcome::Duplicate("x y".into()))];
    prop_oneof![
        Just(Told::Done),
        Just(Told::Fault("not a word".into())),
        Just(valid()),
        Just(Told::Validated { answer: rejected(), changed: false }),
        Just(listed(&[1, 2])),
        Just(Told::Marked(1)),
        Just(Told::Leased(vec![taken(1, Mode::Internal), taken(2, Mode::External)])),
        Just(Told::Held(vec![id(1)])),
        prop::collection::vec((1..4_u64, outcome), 0..3).prop_map(|each| Told::Each(each.into_iter().map(|(n, o)| (id(n), o)).collect())),
    ]
}

proptest! {
    /// Whatever it is told: it goes on, and when asked to stop it does.
    #[test]
    fn w_30_no_answer_stops_a_worker_from_stopping(told in prop::collection::vec(told(), 0..80), now in prop::collection::vec(0..u64::MAX, 80)) {
        // With items from the start: answers by chance hardly ever lead to any.
        let held = vec![taken(1, Mode::Internal), taken(2, Mode::External), taken(3, Mode::None)];
        let (mut worker, _) = Worker::with(Options { once: false, ..options(3) }, T0, held);
        for (told, now) in told.into_iter().zip(now) {
            worker.tell(told, now);
        }
        worker.stop();
        let stopped = (0..100).any(|_| worker.tell(Told::Fault("store_busy".into()), T0) == Ask::Stop);
        prop_assert!(stopped);
    }
}
