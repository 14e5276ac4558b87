//! Every action by everybody at every place of every way: allowed where the model says so, refused everywhere else (Q-01 and what follows).
use super::crew::{ACTIONS, CAST, Crew, OPERATOR, WAY, operator, subject};
use super::model::Model;

/// A way by name: steps of the way, and what comes then.
type Branch = (&'static str, usize, &'static [(&'static str, &'static str)]);

/// Ways that end elsewhere: how many steps of the way are taken first, and which come then.
const BRANCHES: [Branch; 8] = [
    ("a request is withdrawn", 1, &[("REQUEST.WITHDRAW", "ira")]),
    ("a task is rejected", 4, &[("TASK.REJECT", "sol")]),
    ("a task is closed before it is assigned", 5, &[("TASK.CLOSE", "sol")]),
    ("an assignment is released, and the task is closed", 7, &[("ASSIGNMENT.RELEASE", "dora"), ("TASK.CLOSE", "sol")]),
    ("a job is cancelled", 8, &[("JOB.CANCEL", "cole")]),
    // task and job end before the service event does, and nothing follows from it.
    (
        "task and job end early",
        10,
        &[("TASK.CLOSE", "sol"), ("JOB.COMPLETE", OPERATOR), ("PAYMENT.CAPTURE", "carla"), ("PAYMENT.RETURN", "carla")],
    ),
    ("evidence is rejected, and the event ends in part", 11, &[("EVIDENCE.REJECT", "ines"), ("SERVICE.REPORT_PARTIAL", OPERATOR)]),
    ("a surface is left partial", 12, &[("SURFACE.OPEN", OPERATOR), ("SERVICE.REPORT_PARTIAL", OPERATOR)]),
];

/// Tries every action by these actors; answers how many were allowed.
fn everything(crew: &Crew, model: &Model, chain: u32, cast: &[&str], place: &str) -> usize {
    let mut allowed = 0;
    for (action, _, _) in ACTIONS {
        for who in cast {
            let answer = crew.asks(who, crew.record(action, chain, who));
            assert_eq!(answer.is_ok(), model.allows(action, who), "{place}: {action} by {who}: {answer:?}");
            allowed += usize::from(answer.is_ok());
        }
    }
    allowed
}

/// Takes a step and sees that no other subject has noticed.
fn step(crew: &Crew, model: &mut Model, chain: u32, action: &'static str, who: &str) {
    let who = if who == OPERATOR { operator(chain) } else { who };
    let (before, about) = (crew.subjects(), subject(action, chain));
    crew.say(who, crew.record(action, chain, who)).unwrap_or_else(|code| panic!("{action} by {who}: {code}"));
    model.take(action, who);
    let after = crew.subjects();
    for (name, stands) in &after {
        assert!(*name == about || before.get(name) == Some(stands), "{action} changed `{name}`");
    }
    for (name, state) in &model.states {
        assert_eq!(after[name].0.as_deref(), Some(*state), "{name} after {action}");
    }
}

#[test]
fn q_01_q_12_q_13_q_14_no_step_is_skipped_reversed_or_implied_on_the_whole_way() {
    let everybody: Vec<&str> = CAST.iter().map(|(who, _)| *who).collect();
    let (crew, mut model) = (Crew::at(0), Model::new(1));
    let mut allowed = everything(&crew, &model, 1, &everybody, "at the beginning");
    for (nth, (action, who)) in WAY.into_iter().enumerate() {
        if action == "SERVICE_SETTLEMENT.OPEN" {
            step(&crew, &mut model, 1, "PAYMENT.CAPTURE", "carla");
            allowed += everything(&crew, &model, 1, &everybody, "with a captured payment");
        }
        step(&crew, &mut model, 1, action, who);
        allowed += everything(&crew, &model, 1, &everybody, &format!("after step {nth}, {action}"));
    }
    assert!(allowed > 100, "{allowed}: everything was refused");
}

/// a request that a system raised goes the same way from there on.
#[test]
fn q_01_q_02_q_12_q_13_no_step_is_skipped_reversed_or_implied_on_any_other_way() {
    let cast = ["zoe", "bot", "omni", "olga", "otto", "dora"];
    let crew = Crew::at(0);
    for (chain, (what, steps, then)) in (1..).zip(BRANCHES) {
        let mut model = Model::new(chain);
        for (nth, (action, who)) in WAY.into_iter().take(steps).enumerate() {
            let (action, who) = if nth == 0 && chain % 2 == 0 { ("REQUEST.RAISE", "meter-7") } else { (action, who) };
            step(&crew, &mut model, chain, action, who);
        }
        everything(&crew, &model, chain, &cast, what);
        for (action, who) in then {
            step(&crew, &mut model, chain, action, who);
            everything(&crew, &model, chain, &cast, what);
        }
    }
}
