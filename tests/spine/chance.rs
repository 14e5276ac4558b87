//! Random steps by random actors, against the model: what it allows is appended and changes one subject, everything else is refused
//! and changes nothing.
use std::num::NonZeroUsize;

use serde_json::json;

use super::crew::{ACTIONS, CAST, Crew, subject};
use super::model::Model;

const CHAINS: u32 = 3;
const STEPS: usize = 400;

/// xorshift64*: the sequence follows from the seed, and nothing else is asked of it.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % bound
    }
}

#[test]
fn q_01_q_04_q_17_q_18_random_actors_get_no_further_than_the_model() {
    let seed = std::env::var("ENACT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_260_417);
    println!("ENACT_SEED={seed}");
    let mut random = Random(seed);
    let crew = Crew::at(0);
    let mut models: Vec<Model> = (1..=CHAINS).map(Model::new).collect();
    let (mut taken, mut refused, mut away) = (0_usize, 0_usize, false);
    let mut before = crew.subjects();
    for nth in 0..STEPS {
        // Now and then an operator goes on leave, or comes back.
        if random.below(20) == 0 {
            let action = if away { "PERSON.RESUME" } else { "PERSON.SUSPEND" };
            crew.say("wanda", crew.about("SPINE_PERSON", action, "Person:olga", json!({"reason": "Leave."}))).unwrap();
            models.iter_mut().for_each(|model| model.present("olga", away));
            away = !away;
            before = crew.subjects();
        }
        let chain = u32::try_from(random.below(3)).unwrap() + 1;
        let model = &mut models[usize::try_from(chain - 1).unwrap()];
        // Every other time something that goes on, so that chance gets somewhere. Otherwise near misses, what somebody may do now by one who
        // has the role for it, or the role and no right; and anything by anybody.
        let possible = |action: &str| CAST.iter().any(|(who, _)| model.allows(action, who));
        let pairs: Vec<(&'static str, &str)> = ACTIONS
            .iter()
            .flat_map(|(action, _, _)| CAST.iter().map(move |(who, _)| (*action, *who)))
            .filter(|(action, who)| match nth % 4 {
                0 | 2 => model.allows(action, who),
                1 => possible(action) && ["zoe", "bot", "otto", "olga", "nils"].contains(who),
                _ => true,
            })
            .collect();
        let Some((action, who)) = pairs.get(random.below(pairs.len().max(1))).copied() else { continue };
        let answer = crew.say(who, crew.record(action, chain, who));
        let at = format!("seed {seed}, step {nth}: {action} of chain {chain} by {who}: {answer:?}");
        assert_eq!(answer.is_ok(), model.allows(action, who), "{at}");
        let after = crew.subjects();
        if answer.is_ok() {
            model.take(action, who);
            let about = subject(action, chain);
            assert_ne!(after.get(&about), before.get(&about), "{at}: it was said to be done, and nothing is");
            assert!(after.iter().all(|(name, stands)| *name == about || before.get(name) == Some(stands)), "{at}");
            taken += 1;
        } else {
            assert_eq!(after, before, "{at}");
            refused += 1;
        }
        for (name, state) in models.iter().flat_map(|model| &model.states) {
            assert_eq!(after[name].0.as_deref(), Some(*state), "{at}: {name}");
        }
        before = after;
    }
    assert!(taken > 80 && refused > 80, "seed {seed}: {taken} taken, {refused} refused");
    assert!(crew.engine.trial_balance(None).unwrap().is_balanced());
    let rebuilt = crew.engine.rebuild(NonZeroUsize::MIN, |_| ()).unwrap();
    assert!(rebuilt.findings.is_empty(), "{:?}", rebuilt.findings);
}
