//! The scenario that a newcomer runs with one command.
use serde_json::Value;

use crate::support::{Scratch, project};

fn json(scratch: &Scratch, args: &[&str]) -> Value {
    scratch.enact(&[args, &["--json"]].concat()).exits(0).json()
}

/// W-01: the pilot yields the documented order of records, with READY between queued and executed, for what settles here and what a bank
/// settles; every refusal on the way is the one that is told.
#[test]
fn w_01_the_pilot_is_told_by_one_command_and_goes_from_intent_to_confirmation_in_the_documented_order() {
    let scratch = Scratch::new();
    let told = json(&scratch, &["demo", "pilot"]);
    assert_eq!((&told["story"], &told["pack"], &told["unexpected"]), (&"pilot".into(), &"wst".into(), &0.into()), "{told:#}");
    let steps = told["steps"].as_array().unwrap();
    for outcome in ["done", "refused", "shown"] {
        assert!(steps.iter().filter(|step| step["outcome"] == outcome).count() > 10, "{outcome}");
    }
    let within = |args: &[&str]| json(&scratch, &[&["-w", ".enact-demo-pilot"], args].concat());
    let mut actions = Vec::new();
    for subject in ["Intent:INT-20260417-1", "Execution:EXQ-20260417-1"] {
        let history = within(&["history", subject]);
        actions.extend(history.as_array().unwrap().iter().map(|row| (row["seq"].as_u64(), row["action"].as_str().unwrap().to_owned())));
    }
    actions.sort();
    let actions: Vec<String> = actions.into_iter().map(|(_, action)| action).collect();
    let expected =
        ["intent.created", "intent.accepted", "execution.queued", "transfer.executed", "settlement.recorded", "fulfillment.confirmed"];
    assert_eq!(actions, expected);
    assert_eq!(within(&["verify", "--rebuild"])["verdict"], "BALANCED");
    assert_eq!(within(&["audit", "--all"])["verdict"], "REPLAYED");
}

#[test]
fn stories_are_listed_by_name_each_of_them_is_a_file_and_an_unknown_one_is_refused() {
    let scratch = Scratch::new();
    let names = json(&scratch, &["demo"]);
    assert!(["wst", "pilot", "settlement"].iter().all(|name| names.as_array().unwrap().contains(&(*name).into())), "{names}");
    let listed = scratch.enact(&["demo"]).exits(0).out;
    assert!(listed.lines().any(|line| line.starts_with("pilot ") && line.len() > 40), "{listed}");
    let ran = scratch.enact(&["demo", "nothing", "--json"]).exits(1);
    assert_eq!(ran.json()["error"]["code"], "no_story");
    assert!(!scratch.path().join(".enact-demo-nothing").exists());
    // What the command is for is data: the pack names its stories.
    let about: Value = serde_json::from_slice(&std::fs::read(project("protocol/packs/wst/pack.json")).unwrap()).unwrap();
    assert_eq!(about["stories"][0]["name"], "pilot");
}

#[test]
fn a_story_reads_as_one_with_chapters_refusals_and_what_was_seen() {
    let scratch = Scratch::new();
    let out = scratch.enact(&["demo", "pilot", "--dir", "told"]).exits(0).out;
    for part in ["\n1. Who there is\n", "refused", "[authority_role]", "seen", "FULFILLED", "BALANCED", "REPLAYED", "each as expected"] {
        assert!(out.contains(part), "{part:?} is missing");
    }
}
