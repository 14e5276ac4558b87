//! Leases and fencing numbers.

use super::*;
use enact_queue::lease::{Fence, Lease, check, renew, take};
use proptest::prelude::*;

#[test]
fn w_28_w_29_of_two_racers_one_takes_the_item_and_the_other_is_told_that_it_is_locked() {
    let mut case = Case::new(Mode::None).leased("a");
    assert_eq!(code(case.apply(&case.lease("b"))), "queue_locked");
    // Whoever it is, and whatever he wants.
    assert_eq!(code(case.apply(&case.lease("a"))), "queue_locked");
    for change in [Change::Validation(passed()), Change::Expire, Change::Void { fact: case.fact(), reason: None }] {
        assert_eq!(code(case.apply(&change)), "queue_locked", "{change:?}");
    }
    let stranger = Holder { owner: "b".into(), ..case.holder() };
    assert_eq!(code(case.apply(&Change::Executed { holder: stranger, fact: case.fact() })), "queue_fenced");
    assert_eq!(case.events(), ["queued", "validated", "leased"]);
}

#[test]
fn w_30_an_expired_lease_is_taken_over_and_the_late_commit_is_fenced() {
    let mut case = Case::new(Mode::None).leased("a");
    let late = case.holder();
    case.now += 60 * SECOND_US;
    case.apply(&Change::Expire).unwrap();
    assert_eq!(code(case.apply(&Change::Executed { holder: late.clone(), fact: case.fact() })), "queue_fenced");
    case.apply(&case.lease("b")).unwrap();
    assert_eq!(case.last().fence, Fence(2));
    for change in [
        Change::Executed { holder: late.clone(), fact: case.fact() },
        Change::Renew { holder: late.clone(), deadline: u64::MAX },
        Change::Release { holder: late.clone(), reason: "stopped".into() },
        Change::Fail { holder: late.clone(), failure: Failure::new(Class::Transient, "timeout").unwrap() },
        Change::Executed { holder: Holder { fence: Fence(2), ..late }, fact: case.fact() },
    ] {
        assert_eq!(code(case.apply(&change)), "queue_fenced", "{change:?}");
    }
    case.apply(&Change::Executed { holder: case.holder(), fact: case.fact() }).unwrap();
    assert_eq!(case.events(), ["queued", "validated", "leased", "lease_lost", "leased", "executed"]);
    assert_eq!(case.last().attempts, 2);
}

#[test]
fn w_30_the_number_counts_and_not_the_clock() {
    let mut case = Case::new(Mode::None).leased("a");
    case.now += 3_600 * SECOND_US;
    // Nobody has taken it or written the lease down as lost.
    case.apply(&Change::Executed { holder: case.holder(), fact: case.fact() }).unwrap();
    assert_eq!(case.last().lease, None);
}

#[test]
fn w_30_a_crash_between_execution_and_settlement_is_taken_up_again() {
    let mut case = Case::new(Mode::Internal).executed();
    let late = case.holder();
    assert_eq!(code(case.apply(&resume("b", case.now))), "queue_locked");
    case.now += 60 * SECOND_US;
    case.apply(&resume("b", case.now)).unwrap();
    assert_eq!(case.last().attempts, 1, "it is not another attempt at the execution");
    assert_eq!(code(case.apply(&Change::Settled { holder: Some(late), fact: case.fact() })), "queue_fenced");
    case.apply(&Change::Settled { holder: Some(case.holder()), fact: case.fact() }).unwrap();
    assert_eq!(case.events(), ["queued", "validated", "leased", "executed", "resumed", "settled"]);
    assert_eq!(case.last().lease, None);
}

fn resume(owner: &str, now: u64) -> Change {
    Change::Resume { owner: owner.into(), deadline: now + 30 * SECOND_US, by: enact_queue::change::By::Automatic }
}

#[test]
fn w_29_more_time_is_only_for_the_holder_and_never_less() {
    let mut case = Case::new(Mode::None).leased("a");
    let deadline = case.last().lease.as_ref().unwrap().deadline;
    case.apply(&Change::Renew { holder: case.holder(), deadline: deadline + 5 }).unwrap();
    case.apply(&Change::Renew { holder: case.holder(), deadline: 1 }).unwrap();
    assert_eq!(case.last().lease.as_ref().unwrap().deadline, deadline + 5);
    assert_eq!(case.events()[3..], ["renewed", "renewed"]);
}

#[derive(Clone, Debug)]
enum Step {
    Take(u8, u64),
    Renew(usize, u64),
    Check(usize),
    Lose,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_u8, 1..20_u64).prop_map(|(owner, length)| Step::Take(owner, length)),
        (any::<usize>(), 1..20_u64).prop_map(|(which, length)| Step::Renew(which, length)),
        any::<usize>().prop_map(Step::Check),
        Just(Step::Lose),
        (0..15_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    /// However it goes: at most one holder is accepted, the last one; nobody takes a live lease; numbers rise.
    #[test]
    fn w_28_w_29_only_the_last_holder_is_ever_accepted(steps in prop::collection::vec(step(), 0..60)) {
        let (mut lease, mut last, mut now): (Option<Lease>, Fence, u64) = (None, Fence(0), 0);
        let mut given: Vec<Holder> = Vec::new();
        for step in steps {
            match step {
                Step::Take(owner, length) => {
                    let live = lease.as_ref().is_some_and(|lease| now < lease.deadline);
                    match take(lease.as_ref(), last, &format!("w{owner}"), now, now + length) {
                        Ok(taken) => {
                            prop_assert!(!live && taken.fence > last);
                            last = taken.fence;
                            given.push(taken.holder());
                            lease = Some(taken);
                        }
                        Err(refused) => {
                            prop_assert!(live);
                            prop_assert_eq!(refused.code(), "queue_locked");
                        }
                    }
                }
                Step::Renew(which, length) => if let Some(holder) = given.get(which % given.len().max(1)) {
                    let present = lease.as_ref().map(Lease::holder).as_ref() == Some(holder);
                    let renewed = renew(lease.as_ref(), last, holder, now + length);
                    prop_assert_eq!(renewed.is_ok(), present);
                    if let Ok(renewed) = renewed {
                        prop_assert!(renewed.deadline >= lease.as_ref().map_or(0, |lease| lease.deadline));
                        lease = Some(renewed);
                    }
                },
                Step::Check(which) => if let Some(holder) = given.get(which % given.len().max(1)) {
                    let is_last = lease.is_some() && given.last() == Some(holder);
                    prop_assert_eq!(check(lease.as_ref(), last, holder).is_ok(), is_last);
                },
                Step::Lose => if lease.as_ref().is_some_and(|lease| !lease.live(now)) { lease = None },
                Step::Pass(time) => now += time,
            }
        }
    }
}
