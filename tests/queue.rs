//! The execution queue through the command: the pilot of pack `wst` from its story on, and what is refused on the way.
use serde_json::json;

use crate::queue_pilot::{GRANT, PAPER, Pilot, VOIDED, WATER};

/// W-22 to W-27, W-31, W-32, W-34, W-44, W-48: the whole way of an item that settles here, and of one that a bank settles.
#[test]
fn w_27_w_31_the_pilot_is_carried_out_settled_and_confirmed() {
    let pilot = Pilot::new();
    assert_eq!([WATER, GRANT, VOIDED].map(|id| pilot.status(id)), ["PENDING", "PENDING", "VOID"]);
    let answer = pilot.enact(&["queue", "validate", WATER, "--json"]).exits(0).json();
    let groups = json!({"intent_ok": true, "authority_ok": true, "project_ok": true, "economic_ok": true});
    assert_eq!(answer, json!({"validated": true, "validation": groups, "ready_for_execution": true}));
    pilot.work().exits(0);
    assert_eq!([WATER, GRANT, VOIDED].map(|id| pilot.status(id)), ["SETTLED", "SETTLING", "VOID"]);
    assert_eq!(pilot.events(WATER), ["queued", "validated", "leased", "executed", "settled"]);
    assert_eq!(pilot.events(GRANT), ["queued", "validated", "leased", "executed", "settlement_begun"]);
    assert_eq!(pilot.balance("wallet:line-crew", "WATER_SHARE"), "1200");
    // The record and the receipt of its run are one entry, and the item names both.
    let item = pilot.item(WATER);
    let history = pilot.enact(&["history", &format!("Execution:{WATER}"), "--json"]).exits(0).json();
    let executed = history.as_array().unwrap().iter().find(|row| row["action"] == "transfer.executed").unwrap().clone();
    assert_eq!(executed["payload"]["uts_id"], format!("UTS-{}", item["run"].as_str().unwrap()));
    assert_eq!(item["transfer_id"], format!("XFR-{WATER}"));
    let shown = pilot.enact(&["show", &executed["seq"].to_string(), "--json"]).exits(0).json();
    assert_eq!(shown["receipt"]["run"], item["run"]);
    // A worker has no evidence, and nothing is left to do.
    let whole = pilot.whole();
    pilot.work().exits(0);
    assert_eq!(pilot.whole(), whole);
    assert_eq!(pilot.refused(&["settle", GRANT, "--as", "worker-one"]), "guard_field_in");
    pilot.enact(&["settle", GRANT, "--as", "first-bank", "--evidence", PAPER, "--worker", "worker-one"]).exits(0);
    pilot.enact(&["fulfill", WATER, "--as", "joan", "--proof", "manual"]).exits(0);
    pilot.enact(&["fulfill", GRANT, "--as", "joan", "--proof", "digest", "--evidence", PAPER]).exits(0);
    assert_eq!([WATER, GRANT].map(|id| pilot.status(id)), ["FULFILLED", "FULFILLED"]);
    assert_eq!(pilot.events(GRANT)[3..], ["executed", "settlement_begun", "settled", "fulfilled"]);
    let summary = pilot.enact(&["summary", "--json"]).exits(0).json();
    assert_eq!((&summary[0]["queued"], &summary[0]["executed"], &summary[0]["fulfilled"]), (&json!(3), &json!(2), &json!(2)));
    let by = pilot.enact(&["summary", "--by", "project_id", "--by", "unit_id", "--json"]).exits(0).json();
    assert_eq!(by.as_array().unwrap().len(), 3);
    assert_eq!(by[0]["by"]["project_id"], "JWP");
    pilot.sound();
}

/// W-38, W-43, W-46, W-48: everybody who may not, everything that is too late, and nothing is changed.
#[test]
fn w_43_w_46_who_may_not_and_what_is_too_late_is_refused_and_changes_nothing() {
    let pilot = Pilot::new();
    let before = pilot.whole();
    assert_eq!(pilot.refused(&["queue", "void", WATER, "--as", "desk", "--reason", "no"]), "authority_role");
    assert_eq!(pilot.refused(&["queue", "void", WATER, "--as", "city-page", "--reason", "no"]), "authority_role");
    assert_eq!(pilot.refused(&["queue", "void", WATER, "--as", "ruth", "--reason", " "]), "queue_reason");
    assert_eq!(pilot.refused(&["queue", "start", WATER, "--as", "desk", "--worker", "worker-one"]), "queue_trigger");
    assert_eq!(pilot.refused(&["queue", "start", VOIDED, "--as", "joan", "--worker", "worker-one"]), "queue_status");
    assert_eq!(pilot.refused(&["fulfill", WATER, "--as", "ruth", "--proof", "digest"]), "queue_proof");
    assert_eq!(pilot.refused(&["queue", "show", "EXQ-none"]), "queue_unknown");
    assert_eq!(pilot.whole(), before);
    pilot.work().exits(0);
    let before = pilot.whole();
    assert_eq!(pilot.refused(&["queue", "void", WATER, "--as", "ruth", "--reason", "late"]), "lifecycle_edge");
    assert_eq!(pilot.refused(&["queue", "retry", WATER, "--as", "joan", "--worker", "worker-one", "--reason", "again"]), "queue_status");
    // The payer's own actor is an attester too, and not of this.
    assert_eq!(pilot.refused(&["settle", GRANT, "--as", "mina", "--evidence", PAPER]), "guard_actors_distinct");
    assert_eq!(pilot.refused(&["settle", WATER, "--as", "first-bank", "--evidence", PAPER]), "queue_settlement");
    assert_eq!(pilot.whole(), before);
    pilot.sound();
}

/// W-38, W-39, W-47: what a validation finds is said, and mended before the item is taken; an attempt that failed says why and is retried by
/// hand, with a reason, once it is valid again.
#[test]
fn w_38_w_39_w_47_a_failure_says_why_and_is_retried_with_a_reason_after_a_new_validation() {
    let pilot = Pilot::new();
    let member =
        |action: &str, of: &str| pilot.happens("joan", "MEMBER_EVENT", action, &format!("Member:{of}"), &json!({"reason": "an inquiry"}));
    member("member.suspended", "line-crew");
    pilot.work();
    let item = pilot.item(WATER);
    assert_eq!((&item["status"], &item["failure_reason"]), (&json!("PENDING"), &json!("to_member_inactive")));
    assert_eq!(pilot.enact(&["queue", "validate", WATER]).code, 3);
    assert_eq!(pilot.balance("wallet:water-works", "WATER_SHARE"), "5000");
    member("member.reinstated", "line-crew");
    // Who has queued an item does not carry it out: that is found by the attempt.
    pilot.enact(&["actor", "new", "worker-two", "--role", "worker", "--role", "admin", "--as", "ada", "--json"]).exits(0);
    let failed = pilot.queued_by("worker-two", &[json!({})]).remove(0);
    assert_eq!(pilot.said(&["queue", "start", &failed, "--as", "joan", "--worker", "worker-two"]), "done");
    let item = pilot.item(&failed);
    assert_eq!((&item["status"], &item["failure_reason"]), (&json!("FAILED"), &json!("guard_actors_distinct")));
    let retry = |reason: &str| pilot.said(&["queue", "retry", &failed, "--as", "joan", "--worker", "worker-one", "--reason", reason]);
    member("member.suspended", "clinic");
    let before = pilot.whole();
    assert_eq!([" ", "another worker"].map(retry), ["queue_reason", "queue_not_ready"]);
    assert_eq!(pilot.whole(), before);
    member("member.reinstated", "clinic");
    assert_eq!(retry("another worker"), "done");
    pilot.work().exits(0);
    assert_eq!([WATER, &failed].map(|id| pilot.status(id)), ["SETTLED", "SETTLED"]);
    pilot.sound();
}
