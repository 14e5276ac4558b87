//! The projection: facts dominate, and a journal that claims more is not believed.

use super::*;
use enact_queue::facts::{FactMap, Journal, logged, project};
use enact_queue::item::{History, Recorded};
use enact_queue::status::Status::{self, *};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// All sets of facts that do not contradict each other.
fn facts() -> impl Strategy<Value = Facts> {
    let all = (0..32_u8).map(|bits| {
        let bit = |at: u8| bits & (1 << at) != 0;
        Facts { executed: bit(0), settled: bit(1), fulfilled: bit(2), failed: bit(3), void: bit(4) }
    });
    prop::sample::select(all.filter(|facts| facts.agree()).collect::<Vec<_>>())
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(&Status::ALL)
}

proptest! {
    #[test]
    fn w_48_no_journal_shows_what_no_fact_bears(facts in facts(), journal in status(), required: bool, deadline in prop::option::of(0..10_u64), now in 0..10_u64) {
        let shown = project(facts, Journal { status: journal, deadline }, required, now);
        match shown {
            Void => prop_assert!(facts.void),
            Executed => prop_assert!(facts.executed && !facts.settled),
            Settling => prop_assert!(facts.executed && !facts.settled && required && journal == Settling),
            Settled => prop_assert!(facts.settled && !(facts.fulfilled)),
            Fulfilled => prop_assert!(facts.fulfilled && (facts.settled || !required)),
            Executing => prop_assert!(journal == Executing && deadline.is_some_and(|deadline| now < deadline)),
            Pending | Ready | Failed => prop_assert!(!facts.executed && !facts.void),
        }
    }

    #[test]
    fn w_48_a_lost_journal_shows_no_less_than_the_ledger_knows(facts in facts(), journal in status(), required: bool) {
        // PENDING is what a journal says that was lost.
        let derived = logged(facts, Pending, required);
        let kept = logged(facts, journal, required);
        let any = facts != Facts::default();
        prop_assert!(!any || derived == kept || (derived, kept) == (Executed, Settling));
    }

    #[test]
    fn w_46_more_facts_never_lead_back(settled: bool, fulfilled: bool, s: bool, f: bool, journal in status(), required: bool) {
        let before = Facts { executed: true, settled, fulfilled, ..Facts::default() };
        let more = Facts { settled: settled | s, fulfilled: fulfilled | f, ..before };
        prop_assert!(more.keeps(before));
        let rank = |status| Status::ALL.iter().position(|other| *other == status);
        prop_assert!(rank(logged(before, journal, required)) <= rank(logged(more, journal, required)));
    }
}

#[test]
fn w_30_executing_reads_ready_when_the_lease_has_expired() {
    let journal = Journal { status: Executing, deadline: Some(10) };
    assert_eq!(project(Facts::default(), journal, true, 9), Executing);
    assert_eq!(project(Facts::default(), journal, true, 10), Ready);
    assert_eq!(project(Facts { executed: true, ..Facts::default() }, journal, true, 10), Executed);
    assert_eq!(project(Facts::default(), Journal { deadline: None, ..journal }, true, 0), Ready);
}

#[test]
fn w_44_a_map_whose_facts_contradict_each_other_or_are_taken_back_is_refused() {
    let map = |states: &[(&str, &[&str])], edges: &[(&str, &str)]| {
        let states = states.iter().map(|(state, words)| {
            let facts = words.iter().fold(Facts::default(), |mut facts, word| {
                match *word {
                    "executed" => facts.executed = true,
                    "settled" => facts.settled = true,
                    _ => facts.void = true,
                }
                facts
            });
            ((*state).to_owned(), facts)
        });
        FactMap::new(states.collect::<BTreeMap<_, _>>(), edges.iter().copied())
    };
    let good = map(&[("q", &[]), ("e", &["executed"]), ("s", &["executed", "settled"])], &[("q", "e"), ("e", "s")]).unwrap();
    assert!(good.of("s").is_ok_and(|facts| facts.settled));
    assert_eq!(code(good.of("x")), "queue_facts");
    assert_eq!(map(&[("q", &[]), ("s", &["settled"])], &[]), Err(Refused::Facts { state: "s".into() }));
    assert_eq!(map(&[("q", &["executed", "void"])], &[]), Err(Refused::Facts { state: "q".into() }));
    assert_eq!(map(&[("q", &[]), ("e", &["executed"])], &[("q", "e"), ("e", "q")]), Err(Refused::Facts { state: "q".into() }));
    assert_eq!(map(&[("q", &[])], &[("q", "e")]), Err(Refused::Facts { state: "e".into() }));
    assert_eq!(Facts::of_words(["executed", "settled"]), Ok(Facts { executed: true, settled: true, ..Facts::default() }));
    assert_eq!(code(Facts::of_words(["paid"])), "queue_facts");
    assert_eq!(code(Facts::of_words(["settled"])), "queue_facts");
}

#[test]
fn w_42_an_item_derived_after_the_journal_was_lost_is_not_executed_again() {
    let case = Case::new(Mode::External);
    let item = case.last();
    let queued = Queued {
        id: item.id.clone(),
        contract: item.contract.clone(),
        kept: item.kept.clone(),
        place: item.queued,
        not_before_us: None,
        at_us: T0,
    };
    let history = History {
        executed: Some(Recorded { entry: 5, at_us: T0 + 5 }),
        run: Some("run-5".into()),
        fulfilled: Some(Recorded { entry: 9, at_us: T0 + 9 }),
        ..History::default()
    };
    let derived = Item::derived(queued.clone(), &history, Mode::External).unwrap();
    assert_eq!((derived.status, derived.event, derived.entry), (Executed, Event::Fulfilled, 9));
    assert_eq!((derived.executed_us, derived.run.as_deref(), derived.updated_us), (Some(T0 + 5), Some("run-5"), T0 + 9));
    let mut case = Case { lines: vec![derived], facts: history.facts(), ..case };
    assert_eq!(code(case.apply(&case.lease("a"))), "queue_status");
    assert_eq!(code(case.apply(&Change::Validation(passed()))), "queue_status");
    // Nothing but the queueing is known: it begins anew, and has to be validated.
    let fresh = Item::derived(queued, &History::default(), Mode::External).unwrap();
    assert_eq!((fresh.status, fresh.event, fresh.ready), (Pending, Event::Queued, false));
}
