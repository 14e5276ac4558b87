//! Admission is decided before the graph starts (P-34).

use crate::support::{Set, WF, drive, good, letter, set};
use enact_flow::traverse::{AdmitAsk, Answer, Ask, Class};
use serde_json::{Value, json};

fn guarded() -> Set {
    set().with(
        WF,
        "/admission",
        json!({ "requires": ["EV_LETTER_FILED_V0"], "forbids": ["EV_ARCHIVE_CLOSED_V0"],
            "identity": { "EV_LETTER_FILED_V0": { "sender": "from" } } }),
    )
}

fn admit(found_required: bool, found_forbidden: bool) -> (crate::support::Run, Option<AdmitAsk>) {
    let mut payload = letter();
    payload["from"] = json!("ann");
    let mut asked = None;
    let run = drive(&guarded().plan(), payload, |ask| match ask {
        Ask::Admit(admit) => {
            asked = Some(admit.clone());
            Answer::Admission { found_required: vec![found_required], found_forbidden: vec![found_forbidden] }
        }
        Ask::Dispatch(step) => good(step),
        Ask::ValidateIntent { .. } | Ask::Done(_) => Answer::Intent { valid: true },
    });
    (run, asked)
}

#[test]
fn p_34_the_events_are_asked_for_with_their_identity() {
    let asked = admit(true, false).1.unwrap();
    assert_eq!(asked.requires[0].event.as_ref(), "EV_LETTER_FILED_V0");
    assert_eq!(Value::Object(asked.requires[0].fields.clone()), json!({ "sender": "ann" }));
    assert!(asked.forbids[0].fields.is_empty());
}

#[test]
fn p_34_a_missing_or_a_forbidden_event_denies_and_no_node_runs() {
    for (required, forbidden) in [(false, false), (true, true), (false, true)] {
        let (run, _) = admit(required, forbidden);
        assert_eq!((run.end.class, run.end.reason.as_str()), (Class::Failure, "ADMISSION_DENIED"));
        assert_eq!(run.end.code.as_deref(), Some("admission_denied"));
        assert_eq!(run.end.node, None);
        assert!(run.path().is_empty() && run.calls.is_empty());
        assert!(enact_flow::trace::check_trace(guarded().plan().dag(), &run.lines()).is_ok());
    }
    assert_eq!(admit(true, false).0.end.class, Class::Success);
}

#[test]
fn p_34_an_identity_that_the_payload_lacks_denies_without_looking() {
    for payload in [letter(), json!({ "letter": {}, "from": null })] {
        let run = drive(&guarded().plan(), payload, |ask| panic!("asked {ask:?}"));
        assert_eq!(run.end.reason, "ADMISSION_DENIED");
        assert!(run.path().is_empty());
    }
}

#[test]
fn p_34_admission_names_events_of_the_set() {
    guarded().with(WF, "/admission/requires/0", json!("EV_NEW_V0")).refused("missing_artifact", "EV_NEW_V0");
    let odd = guarded().with(WF, "/admission/identity/EV_OTHER_V0", json!({ "a": "b" }));
    odd.refused("identity_without_event", "EV_OTHER_V0");
}

#[test]
fn p_34_an_answer_of_another_length_is_not_taken_for_consent() {
    let mut payload = letter();
    payload["from"] = json!("ann");
    let run = drive(&guarded().plan(), payload, |_| Answer::Admission { found_required: vec![], found_forbidden: vec![] });
    assert_eq!((run.end.class, run.end.code.as_deref()), (Class::Abort, Some("unexpected_answer")));
}
