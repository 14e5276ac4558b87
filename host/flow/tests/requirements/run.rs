//! A run: inputs, outputs, the loop, what is never done (P-11, P-14 to P-17, P-20, P-29).

use crate::support::{AT, CC, Set, WF, drive, good, letter, map, outcome, run, set};
use enact_flow::traverse::{Answer, Ask, Class, Traversal};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn p_15_the_loop_goes_from_start_to_exit() {
    let run = run(&set().plan(), letter(), good);
    assert_eq!(run.path(), ["IN_LETTER:ACK", "CC_FIRST:SUCCESS", "CC_SECOND:SUCCESS", "EXIT:completed"]);
    assert_eq!((run.end.class, run.end.reason.as_str(), run.end.code), (Class::Success, "COMPLETED", None));
    assert_eq!(run.end.node.as_deref(), Some("EXIT"));
    assert_eq!(run.end.emit.as_deref(), Some("EV_LETTER_FILED_V0"));
}

#[test]
fn p_17_a_contract_resolves_runs_and_maps() {
    let run = run(&set().plan(), letter(), good);
    let calls: Vec<(String, u32, Value)> = run.calls.iter().map(|c| (c.step_name.to_string(), c.step, c.inputs.clone())).collect();
    let expected = [
        ("stamp".to_owned(), 0, json!({ "text": "dear" })),
        ("place".to_owned(), 1, json!({ "key": "S1" })),
        ("stamp".to_owned(), 2, json!({ "text": "S1" })),
        ("place".to_owned(), 3, json!({ "key": "S1" })),
    ];
    assert_eq!(calls, expected);
    assert_eq!(Value::Object(run.end.payload), json!({ "letter": { "text": "dear", "kept": true }, "stamp": "S1", "slot": 3 }));
}

#[test]
fn p_17_exit_ends_the_pipeline_and_keeps_what_was_put_out() {
    let run = run(&set().plan(), letter(), |_| outcome("VIOLATION", json!({ "stamp": "torn" })));
    assert_eq!(run.path(), ["IN_LETTER:ACK", "CC_FIRST:VIOLATION", "EXIT:completed"]);
    assert_eq!(run.calls.len(), 1);
    assert_eq!(run.end.payload["stamp"], "torn");
}

#[test]
fn p_17_later_steps_read_earlier_results_raw_and_mapped() {
    let set = set().with(
        CC,
        "/pipeline/1/inputs/key",
        json!({ "raw": "$.results.stamp.capability_result.other", "was": "$.results.stamp.capability_result.result_status",
            "all": "$.results.stamp", "inputs": "$.inputs", "at": "{{timestamp}}" }),
    );
    let run = run(&set.plan(), json!({ "letter": { "text": 1 } }), |step| match step.step_name.as_ref() {
        "stamp" => outcome("SUCCESS", json!({ "stamp": "S1", "other": [1] })),
        _ => good(step),
    });
    let expected =
        json!({ "key": { "raw": [1], "was": "SUCCESS", "all": { "stamp": "S1" }, "inputs": { "letter": { "text": 1 } }, "at": AT } });
    assert_eq!(run.calls[1].inputs, expected);
}

#[test]
fn p_14_a_required_input_that_finds_nothing_fails_the_contract_as_declared() {
    for payload in [json!({}), json!({ "letter": null })] {
        let run = run(&set().plan(), payload, good);
        assert_eq!(run.path(), ["IN_LETTER:ACK", "CC_FIRST:VIOLATION", "EXIT:completed"]);
        assert!(run.calls.is_empty());
    }
    let custom = set().with(CC, "/status/on_input_failure", json!("BACKEND_ERROR")).plan();
    assert_eq!(run(&custom, json!({}), good).path()[1], "CC_FIRST:BACKEND_ERROR");
}

#[test]
fn p_14_unresolved_step_input_fails_after_the_steps_that_ran() {
    let run = run(&set().plan(), letter(), |_| outcome("SUCCESS", json!({})));
    assert_eq!(run.path()[1], "CC_FIRST:VIOLATION");
    assert_eq!(run.calls.len(), 1, "the step without its input does not run");
}

#[test]
fn p_14_unresolved_member_fails_the_step() {
    for composite in [json!({ "a": "$.inputs.letter.gone" }), json!(["$.inputs.letter.gone"]), json!({ "a": { "b": ["$."] } })] {
        let set = set().with(CC, "/pipeline/0/inputs/text", composite);
        let run = run(&set.plan(), letter(), good);
        assert_eq!(run.path()[1], "CC_FIRST:VIOLATION");
        assert!(run.calls.is_empty());
    }
    // Also where the input itself may be left out.
    let optional = set().with(CC, "/pipeline/0/inputs/ink", json!({ "a": "$.inputs.note" }));
    assert_eq!(run(&optional.plan(), letter(), good).path()[1], "CC_FIRST:VIOLATION");
}

#[test]
fn p_14_an_optional_input_that_finds_nothing_is_left_out() {
    let set = set().with(CC, "/pipeline/0/inputs/ink", json!("$.inputs.note")).with(WF, "/nodes/CC_FIRST/inputs/note", json!("$.note"));
    let without = run(&set.plan(), letter(), good);
    assert_eq!(without.calls[0].inputs, json!({ "text": "dear" }));
    let with = run(&set.plan(), json!({ "letter": { "text": "" }, "note": false }), good);
    assert_eq!(with.calls[0].inputs, json!({ "text": "", "ink": false }), "empty and false are values");
}

#[test]
fn p_14_results_are_a_view_that_a_caller_cannot_forge() {
    let payload = json!({ "letter": { "text": "dear" }, "results": { "CC_FIRST": { "stamp": "forged" }, "CC_ELSE": 1 } });
    let run = run(&set().plan(), payload.clone(), good);
    assert_eq!(run.calls[2].inputs, json!({ "text": "S1" }));
    assert_eq!(run.end.payload["results"], payload["results"], "the payload's own member stays");
    // Where the node has put out nothing, the payload's own member is what is found.
    let fallback = set().with(WF, "/nodes/CC_FIRST/inputs/letter", json!({ "text": "$.results.CC_SECOND.stamp" }));
    let fallen = crate::support::run(&fallback.plan(), json!({ "results": { "CC_SECOND": { "stamp": "own" } } }), good);
    assert_eq!(fallen.calls[0].inputs, json!({ "text": "own" }));
}

#[test]
fn p_14_a_forged_member_is_not_seen_once_the_node_has_ended_without_it() {
    // The first node puts out no stamp, and the caller offers one of its own in the same place.
    let quiet = set().with(CC, "/pipeline/1/inputs/key", json!("k"));
    let forged = json!({ "letter": { "text": "dear" }, "results": { "CC_FIRST": { "stamp": "forged" } } });
    let answer = |step: &enact_flow::traverse::StepAsk| {
        if step.capability.starts_with("CS_") { good(step) } else { outcome("SUCCESS", json!({})) }
    };
    let run = run(&quiet.plan(), forged.clone(), answer);
    assert_eq!(run.path()[2], "CC_SECOND:VIOLATION");
    assert_eq!(run.calls.len(), 2);
    // The same through a path that names the whole node first.
    let whole = quiet.with(WF, "/nodes/CC_SECOND/inputs/letter", json!("$.results.CC_FIRST"));
    let whole = whole.with(CC, "/pipeline/0/inputs/text", json!("$.inputs.letter.stamp"));
    let whole = whole.with(WF, "/nodes/CC_FIRST/inputs/letter", json!({ "stamp": "first" }));
    let second = crate::support::run(&whole.plan(), forged, answer);
    assert_eq!(second.path()[1..3], ["CC_FIRST:SUCCESS", "CC_SECOND:VIOLATION"]);
}

#[test]
fn p_17_one_raw_output_may_be_mapped_many_times() {
    let set =
        set().with(CC, "/outputs", json!({ "stamp": { "type": "any" }, "again": { "type": "any" }, "deep": { "type": "any" } })).with(
            CC,
            "/pipeline/0/outputs",
            json!({ "stamp": "$.capability_result.stamp", "again": "$.capability_result.stamp",
            "deep": ["$.capability_result.other.x"], "other": "$.capability_result.other", "none": "$.capability_result.null" }),
        );
    let run = run(&set.plan(), letter(), |step| match step.capability.as_ref() {
        "CS_SHELF_V0" => outcome("BACKEND_ERROR", json!({})),
        _ => outcome("SUCCESS", json!({ "stamp": "S", "other": { "x": 1 }, "null": null })),
    });
    let got = (&run.end.payload["stamp"], &run.end.payload["again"], &run.end.payload["deep"]);
    assert_eq!(got, (&json!("S"), &json!("S"), &json!([1])));
}

#[test]
fn p_14_a_whole_node_result_is_an_object() {
    let set = set().with(WF, "/nodes/CC_SECOND/inputs/letter", json!({ "text": "$.results.CC_FIRST" }));
    assert_eq!(run(&set.plan(), letter(), good).calls[2].inputs, json!({ "text": { "stamp": "S1", "slot": 3 } }));
}

#[test]
fn p_16_a_refused_payload_takes_the_nack_edge_and_stays_as_it_was() {
    let schema = json!({ "type": "object", "properties": { "colour": { "default": "blue" }, "letter": { "type": "object",
        "properties": { "size": { "default": 4 } } }, "none": { "type": "object", "properties": { "x": { "default": 1 } } } } });
    let plan = set().with("IN_LETTER_V0", "/schema", schema).plan();
    let refused = drive(&plan, letter(), |_| Answer::Intent { valid: false });
    assert_eq!(refused.path(), ["IN_LETTER:NACK", "EXIT_REFUSED:completed"]);
    assert_eq!(Value::Object(refused.end.payload), letter());
    let accepted = run(&plan, letter(), |_| outcome("VIOLATION", json!({})));
    let expected = json!({ "letter": { "text": "dear", "kept": true, "size": 4 }, "colour": "blue" });
    assert_eq!(Value::Object(accepted.end.payload), expected);
}

#[test]
fn p_20_nothing_is_tried_again() {
    let run = run(&set().plan(), letter(), |step| {
        if step.capability.as_ref() == "CS_SHELF_V0" { outcome("BACKEND_ERROR", json!({})) } else { good(step) }
    });
    assert_eq!(run.path(), ["IN_LETTER:ACK", "CC_FIRST:BACKEND_ERROR", "EXIT:completed"]);
    assert_eq!(run.calls.len(), 2);
}

#[test]
fn p_29_an_answer_to_another_question_ends_the_run_in_order() {
    let (mut traversal, _) = Traversal::start(set().plan(), map(letter()), AT);
    let Ask::Done(end) = traversal.resume(outcome("SUCCESS", json!({}))) else { panic!("it goes on") };
    assert_eq!((end.class, end.code.as_deref()), (Class::Abort, Some("unexpected_answer")));
    let Ask::Done(again) = traversal.resume(Answer::Intent { valid: true }) else { panic!("it goes on") };
    assert_eq!(again.class, Class::Abort);
}

/// Any answer at all, with statuses and keys that sometimes mean something.
fn answer() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![Just("SUCCESS"), Just("VIOLATION"), Just("BACKEND_ERROR"), Just("ALREADY_EXISTS"), Just("ODD"), Just("")];
    let value = prop_oneof![Just(json!(null)), Just(json!("S1")), Just(json!({ "stamp": { "deep": [1] } }))];
    let outputs = prop::collection::btree_map(prop_oneof![Just("stamp"), Just("slot"), Just("result_status"), Just("x")], value, 0..4);
    prop_oneof![
        6 => (status, outputs).prop_map(|(status, outputs)| Answer::Outcome {
            status: status.to_owned(),
            outputs: outputs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        }),
        2 => any::<bool>().prop_map(|valid| Answer::Intent { valid }),
        1 => Just(Answer::Fault { code: "out_of_fuel".to_owned() }),
        1 => Just(Answer::Admission { found_required: vec![], found_forbidden: vec![true] }),
    ]
}

/// A contract of `n` steps with these outputs per step, of which `declared` are declared.
fn pipeline(steps: &[BTreeMap<String, Value>], declared: &[String]) -> Set {
    let pipeline: Vec<Value> = steps
        .iter()
        .enumerate()
        .map(|(index, outputs)| {
            json!({ "step": format!("s{index}"), "capability": "CT_PURE_STAMP_V0", "operation": "STAMP", "inputs": { "text": 1 },
                "outputs": outputs, "surface": ["SUCCESS", "VIOLATION"], "on_result": { "SUCCESS": "continue", "VIOLATION": "exit" } })
        })
        .collect();
    let outputs: BTreeMap<&String, Value> = declared.iter().map(|key| (key, json!({ "type": "any" }))).collect();
    set().with(CC, "/pipeline", json!(pipeline)).with(CC, "/outputs", json!(outputs))
}

fn key() -> impl Strategy<Value = String> {
    "[a-e]|letter|results"
}

proptest! {
    #[test]
    fn p_29_whatever_is_answered_a_run_ends_and_its_trace_follows(answers in prop::collection::vec(answer(), 0..12)) {
        let plan = set().plan();
        let mut answers = answers.into_iter();
        let run = drive(&plan, letter(), |_| answers.next().unwrap_or(Answer::Abort { code: "enough".to_owned() }));
        prop_assert!(enact_flow::trace::check_trace(plan.dag(), &run.lines()).is_ok());
    }

    #[test]
    fn p_11_a_contract_writes_its_declared_keys_and_nothing_is_deleted(
        steps in prop::collection::vec(prop::collection::btree_map(key(), prop_oneof![
            Just(json!("$.capability_result.v")), Just(json!(null)), Just(json!("literal")), Just(json!({ "x": "$.capability_result.v" })),
        ], 0..4), 1..5),
        declared in prop::collection::vec(key(), 0..4),
        payload in prop::collection::btree_map(key(), 0..9_i32, 0..6),
        values in prop::collection::vec(prop::option::of(0..99_i32), 1..8),
    ) {
        let mut before = map(json!(payload));
        before.insert("letter".to_owned(), json!({ "text": 1 }));
        let mut values = values.into_iter().cycle();
        let run = run(&pipeline(&steps, &declared).plan(), Value::Object(before.clone()), |_| match values.next().flatten() {
            Some(value) => outcome("SUCCESS", json!({ "v": value })),
            None => outcome("VIOLATION", json!({})),
        });
        for (key, value) in &before {
            prop_assert!(run.end.payload.contains_key(key), "{key} was deleted");
            prop_assert!(declared.contains(key) || run.end.payload.get(key) == Some(value), "{key} was changed");
        }
        for key in run.end.payload.keys() {
            prop_assert!(before.contains_key(key) || declared.contains(key), "{key} was added");
        }
    }
}

#[test]
fn p_11_outputs_merge_flat_and_the_last_writer_wins() {
    let mut slot = 0;
    let run = run(&set().plan(), json!({ "letter": { "text": "t" }, "slot": "mine" }), |step| {
        slot += 1;
        if step.capability.starts_with("CS_") { outcome("SUCCESS", json!({ "slot": slot, "extra": 1 })) } else { good(step) }
    });
    assert_eq!(run.end.payload["slot"], 4);
    assert!(!run.end.payload.contains_key("extra"));
}

#[test]
fn p_28_equal_answers_give_equal_runs() {
    let plan = set().plan();
    let (one, other) = (run(&plan, letter(), good), run(&Arc::new(set().bind(None, &[]).unwrap()), letter(), good));
    assert_eq!((one.end, one.events, one.calls), (other.end, other.events, other.calls));
}
