//! One ledger, one state: however often, on however many threads, and wherever a fold is handed over.

use enact_core::entry::Entry;
use enact_core::govern::{Fold, Protocol};
use serde_json::json;

use super::world::{Told, World};

/// Entries of the claim.
const ENTRIES: usize = 100_000;
/// Every so many is signed.
const SIGNED: usize = 50;

/// Orders that are opened, paid and closed, coins, and signed acts, each an entry that the judge allowed.
fn ledger() -> World {
    let mut world = World::new();
    for nth in world.entries.len()..ENTRIES {
        let order = format!("Order:{}", nth / 4);
        let record = match nth % 4 {
            _ if nth % SIGNED == 0 => world.signed(world.ann("ACT.SIGNED", &format!("Act:{nth}"), json!({})), "ann"),
            0 => world.moving("MOVE.COIN", &nth.to_string(), &[("mint", -7, "COIN"), ("member:bob", 7, "COIN")]),
            1 => world.ann("ORDER.OPEN", &order, json!({"amount": "3"})),
            2 if world.last(&order).is_some() => {
                let mut record = world.ann("ORDER.PAY", &order, json!({"by": "Actor:bob"}));
                record.consumes = vec![format!("paid:{order}")];
                let to = format!("order:{}", nth / 4);
                record.postings = world.moving("MOVE.COIN", "", &[("member:bob", -3, "COIN"), (&to, 3, "COIN")]).postings;
                record
            }
            _ => world.ann("ACT.FIRST", &format!("Act:{}", nth % 97), json!({"note": "again"})),
        };
        world.say(vec![record]).unwrap_or_else(|error| panic!("entry {nth}: {error}"));
    }
    world
}

fn go_on(fold: &mut Fold, rules: &Protocol, entries: &[Entry]) {
    for entry in entries {
        fold.feed(&|_| Some(rules), &Told, entry).unwrap();
    }
}

#[test]
fn b_12_b_27_a_hundred_thousand_entries_fold_to_one_state_on_1_2_and_8_threads() {
    let world = ledger();
    assert_eq!(world.entries.len(), ENTRIES);
    let expected = world.state.roots();
    let (rules, entries) = (&world.rules, &world.entries[..]);
    let whole = || {
        let mut fold = Fold::new();
        go_on(&mut fold, rules, entries);
        fold.state().roots()
    };
    // Appending was one derivation; alone, and on more threads at once, each folds the whole ledger.
    for threads in [1, 2, 8] {
        std::thread::scope(|scope| {
            let folding: Vec<_> = (0..threads).map(|_| scope.spawn(whole)).collect();
            for fold in folding {
                assert_eq!(fold.join().unwrap(), expected, "one of {threads} threads");
            }
        });
    }
    // Handed over in the middle, as bytes, to another thread that goes on.
    let mut first = Fold::new();
    let (before, after) = entries.split_at(ENTRIES / 3);
    go_on(&mut first, rules, before);
    let carried = serde_json::to_vec(&first).unwrap();
    assert_ne!(first.state().roots(), expected);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let mut fold: Fold = serde_json::from_slice(&carried).unwrap();
            assert_eq!(fold, first);
            go_on(&mut fold, rules, after);
            (fold.state().roots(), fold.state().clone())
        });
        let (roots, state) = second.join().unwrap();
        assert_eq!(roots, expected);
        assert!(state == world.state, "equal roots over other rows");
    });
}
