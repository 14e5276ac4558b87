//! Who may not, and what cannot be: each attempt is refused with its code, and nothing is changed.
use serde_json::{Value, json};

use crate::queue_pilot::{GRANT, PAPER, Pilot, VOIDED, WATER, record};

/// A record of each action of the contract, about an item in the right state for it.
fn actions() -> Vec<(&'static str, Value)> {
    let leg = |account: &str, side: &str| json!({"account": account, "amount": "1200", "asset": "WATER_SHARE", "side": side});
    let of = |action: &str, id: &str, payload: Value| record("EXECUTION_EVENT", action, &format!("Execution:{id}"), &payload);
    let terms = json!({"intent_id": "INT-20260417-1", "project_id": "JWP", "unit_id": "JWP-U1", "from_member": "water-works",
        "to_member": "line-crew", "seat_id": "water-1", "charter_no": "JWP-1", "value_class": "WATER_SHARE", "quantity": "1200"});
    let mut executed = of(
        "transfer.executed",
        WATER,
        json!({"transfer_id": format!("XFR-{WATER}"), "uts_id": "UTS-x", "uts_cid": PAPER, "receipt": PAPER.replace("sha256", "blake3"),
            "statement": {}, "fingerprint": "x"}),
    );
    executed["consumes"] = json!(["transfer:INT-20260417-1", "unit:JWP-U1"]);
    executed["postings"] = json!([leg("wallet:water-works", "debit"), leg(&format!("transit:{WATER}"), "credit")]);
    let mut settled = of("settlement.recorded", WATER, json!({"transfer_id": format!("XFR-{WATER}")}));
    settled["consumes"] = json!([format!("settlement:{WATER}")]);
    settled["postings"] = json!([leg(&format!("transit:{WATER}"), "debit"), leg("wallet:line-crew", "credit")]);
    vec![
        ("execution.queued", of("execution.queued", "EXQ-20260419-1", terms)),
        ("transfer.executed", executed),
        ("settlement.attested", of("settlement.attested", GRANT, json!({"evidence": PAPER}))),
        ("settlement.recorded", settled),
        ("fulfillment.confirmed", of("fulfillment.confirmed", WATER, json!({"proof": "manual"}))),
        ("execution.failed", of("execution.failed", WATER, json!({"class": "business", "reason": "no"}))),
        ("execution.voided", of("execution.voided", WATER, json!({"reason": "no"}))),
    ]
}

/// W-02, W-04, W-26, W-48: a user interface and a page of the city, with each action of the contract and each command, before and after the
/// execution: refused, and neither ledger nor journal is changed. What they may do is reading, and the user interface candidates (W-03).
#[test]
fn w_02_w_03_w_04_w_48_a_user_interface_and_a_page_of_the_city_do_nothing_that_an_engine_does() {
    let pilot = Pilot::new();
    let members = pilot.scratch.file("members.json", &actions()[0].1["payload"].to_string());
    for executed in [false, true] {
        if executed {
            pilot.work().exits(0);
        }
        let before = pilot.whole();
        for actor in ["desk", "city-page"] {
            for (action, record) in actions() {
                let mine = Value::Object(record.as_object().unwrap().clone());
                // What an execution has kept is said before who may: another says something else of it.
                let code = if executed && action == "transfer.executed" { "chain_kept" } else { "authority_role" };
                assert_eq!(pilot.propose(actor, &mine), code, "{actor} {action}");
            }
            let commands: [(&[&str], &str); 9] = [
                (&["queue", "add", &members, "--as", actor], "authority_role"),
                (&["queue", "start", WATER, "--as", actor, "--worker", "worker-one"], "queue_trigger"),
                (&["queue", "retry", WATER, "--as", actor, "--worker", "worker-one", "--reason", "x"], "queue_trigger"),
                (&["queue", "void", WATER, "--as", actor, "--reason", "x"], "authority_role"),
                (&["settle", GRANT, "--as", actor, "--evidence", PAPER], "authority_role"),
                // What would be recorded does not exist before the execution.
                (&["settle", GRANT, "--as", actor], if executed { "authority_role" } else { "payload_missing" }),
                (&["fulfill", WATER, "--as", actor, "--proof", "manual"], "authority_role"),
                (&["work", "--once", "--as", actor], "authority_role"),
                (&["queue", "start", WATER, "--as", "joan", "--worker", actor], "authority_role"),
            ];
            for (args, code) in commands {
                assert_eq!(pilot.refused(args), code, "{args:?}");
            }
        }
        assert_eq!(pilot.whole(), before);
        // Reading is for everybody.
        for args in [&["queue", "list"][..], &["queue", "show", WATER], &["queue", "watch", "--once"], &["summary"]] {
            pilot.enact(args).exits(0);
        }
    }
    let candidate = record("INTENT_EVENT", "intent.created", "Intent:INT-20260419-1", &actions()[0].1["payload"]);
    let mut terms = candidate.clone();
    terms["payload"].as_object_mut().unwrap().remove("intent_id");
    assert_eq!(pilot.propose("city-page", &terms), "authority_role");
    assert_eq!(pilot.propose("desk", &terms), "done");
    pilot.sound();
}

/// W-45: a READY that is written into the file is validated again, and what does not hold is not executed.
#[test]
fn w_45_a_forged_ready_is_validated_again_and_not_executed() {
    let pilot = Pilot::new();
    pilot.happens("ruth", "INTENT_EVENT", "intent.withdrawn", "Intent:INT-20260417-2", &json!({"reason": "changed our minds"}));
    pilot.work().exits(0);
    assert_eq!(pilot.status(GRANT), "PENDING");
    let sql = pilot.scratch.sql();
    let line: String =
        sql.query_row("SELECT line FROM queue_journal WHERE item = ?1 ORDER BY id DESC LIMIT 1", [GRANT], |row| row.get(0)).unwrap();
    // As well as one can who has the file: a line that says it was validated, and row and counts with it.
    let forged = line
        .replace(r#""status":"PENDING","event":"rejected""#, r#""status":"READY","event":"validated""#)
        .replace(r#""intent_ok":false"#, r#""intent_ok":true"#)
        .replace(r#""validated":false"#, r#""validated":true"#)
        .replace(r#""ready_for_execution":false"#, r#""ready_for_execution":true"#)
        .replace(r#","failure_reason":"intent_withdrawn""#, "");
    assert_ne!(forged, line);
    sql.execute("UPDATE queue_journal SET line = ?1, status = 'READY', event = 'validated' WHERE line = ?2", [&forged, &line]).unwrap();
    sql.execute("UPDATE queue_items SET status = 'READY', waiting = 0 WHERE item = ?1", [GRANT]).unwrap();
    sql.execute("UPDATE queue_counts SET status = 'READY' WHERE status = 'PENDING'", []).unwrap();
    drop(sql);
    assert_eq!(pilot.status(GRANT), "READY", "the forgery is a good one");
    pilot.work();
    let item = pilot.item(GRANT);
    assert_eq!((&item["status"], &item["failure_reason"]), (&json!("FAILED"), &json!("intent_withdrawn")), "{item:#}");
    assert!(!pilot.events(GRANT).contains(&"executed".to_owned()));
    assert_eq!(pilot.balance("wallet:water-works", "GRANT_USD"), "250000");
    pilot.sound();
}

/// W-16, W-41, W-42: what was decided stays decided; whoever says it again is refused, and the first is what there is.
#[test]
fn w_16_w_41_w_42_a_duplicate_decision_changes_nothing_and_the_original_stays() {
    let pilot = Pilot::new();
    // Other items for both intents, queued while neither was executed.
    let mut again = actions()[0].1.clone();
    again["subject"] = json!("Execution:EXQ-20260419-1");
    assert_eq!(pilot.propose("joan", &again), "done");
    assert_eq!(pilot.propose("joan", &again), "lifecycle_exists");
    let mut late = again.clone();
    late["subject"] = json!("Execution:EXQ-20260419-3");
    for (member, value) in [("intent_id", "INT-20260417-2"), ("unit_id", "JWP-U2"), ("value_class", "GRANT_USD"), ("quantity", "90000")] {
        late["payload"][member] = json!(value);
    }
    assert_eq!(pilot.propose("joan", &late), "done");
    pilot.enact(&["queue", "start", GRANT, "--as", "joan", "--worker", "worker-one", "--json"]).exits(0);
    // Two of one intent are valid and taken together: the first is executed, and the ledger answers the second with what there is.
    pilot.work().exits(3);
    let first = pilot.item(WATER);
    let of =
        |id: &str| ["status", "failure_class", "failure_reason"].map(|member| pilot.item(id)[member].as_str().unwrap_or("").to_owned());
    assert_eq!(first["status"], "SETTLED");
    assert_eq!(of("EXQ-20260419-1"), ["FAILED", "duplicate", "key_consumed"]);
    assert_eq!(of("EXQ-20260419-3"), ["PENDING", "", "intent_already_executed"]);
    assert_eq!(pilot.balance("wallet:line-crew", "WATER_SHARE"), "1200");
    let before = pilot.whole();
    for (id, code) in [(WATER, "original"), ("EXQ-20260419-1", "original"), ("EXQ-20260419-3", "original")] {
        assert_eq!(pilot.refused(&["queue", "start", id, "--as", "joan", "--worker", "worker-one"]), code, "{id}");
    }
    let retry = ["queue", "retry", "EXQ-20260419-1", "--as", "joan", "--worker", "worker-one", "--reason", "again"];
    assert!(matches!(pilot.refused(&retry).as_str(), "queue_final" | "queue_not_ready"));
    let mut third = again.clone();
    third["subject"] = json!("Execution:EXQ-20260419-2");
    assert_eq!(pilot.propose("joan", &third), "guard_key_unconsumed");
    assert_eq!(pilot.refused(&["fulfill", "EXQ-20260419-1", "--as", "joan", "--proof", "manual"]), "authority_distinct");
    pilot.work().exits(0);
    assert_eq!(pilot.whole(), before);
    pilot.enact(&["fulfill", WATER, "--as", "joan", "--proof", "manual"]).exits(0);
    let before = pilot.whole();
    assert_eq!(pilot.refused(&["fulfill", WATER, "--as", "ruth", "--proof", "manual"]), "lifecycle_terminal");
    assert_eq!(pilot.whole(), before);
    assert_eq!(pilot.item(WATER)["run"], first["run"], "the receipt is the first one");
    pilot.sound();
}

/// W-11 to W-15, W-21: each omission of a creation has its own code, by command and by record; nothing is queued.
#[test]
fn w_11_w_12_w_13_w_14_w_15_what_an_item_lacks_when_it_is_queued_is_refused_separately() {
    let pilot = Pilot::new();
    let good = pilot.accepted(&[json!({})]).remove(0);
    let zero = pilot.accepted(&[json!({"quantity": "0"})]).remove(0);
    pilot.each(
        "desk",
        [record("INTENT_EVENT", "intent.created", "Intent:INT-20260419-9", &{
            let mut terms = good["payload"].clone();
            terms.as_object_mut().unwrap().remove("intent_id");
            terms
        })],
    );
    let before = pilot.whole();
    let cases = [
        ("intent_id", json!("INT-20260419-9"), "guard_state_in"),
        ("intent_id", json!("INT-none"), "guard_state_in"),
        ("intent_id", json!("INT-20260417-3"), "guard_state_in"),
        ("from_member", json!("nobody"), "guard_exists"),
        ("to_member", json!("nobody"), "guard_exists"),
        ("to_member", Value::Null, "payload_missing"),
        ("project_id", json!("JWP-9"), "guard_exists"),
        ("unit_id", json!("none"), "guard_exists"),
        ("value_class", json!("EUR"), "payload_type"),
        ("charter_no", json!("JWP-9"), "guard_exists"),
        ("charter_no", Value::Null, "payload_missing"),
        ("quantity", json!("-1"), "payload_type"),
        ("quantity", json!(1), "payload_type"),
        ("quantity", json!("2"), "guard_field_equals"),
        ("seat_id", json!("none"), "guard_field_equals"),
    ];
    for (member, value, code) in cases {
        let mut item = good.clone();
        if value.is_null() {
            item["payload"].as_object_mut().unwrap().remove(member);
        } else {
            item["payload"][member] = value.clone();
        }
        assert_eq!(pilot.propose("joan", &item), code, "{member} {value}");
        let file = pilot.scratch.file("item.json", &item["payload"].to_string());
        assert_eq!(pilot.refused(&["queue", "add", &file, "--as", "joan"]), code, "{member} {value}");
    }
    let file = pilot.scratch.file("item.json", &good["payload"].to_string());
    assert_eq!(pilot.refused(&["queue", "add", &file, "--as", "joan", "--contract", "QC_NONE_V0"]), "queue_contract");
    assert_eq!(pilot.refused(&["queue", "add", &file, "--as", "joan", "--id", "no good"]), "queue_name");
    assert_eq!(pilot.whole(), before);
    // Nothing is a quantity that may be queued, and never one that is carried out.
    assert_eq!(pilot.propose("joan", &zero), "done");
    pilot.work().exits(0);
    let id = zero["subject"].as_str().unwrap().replace("Execution:", "");
    assert_eq!(pilot.item(&id)["failure_reason"], "quantity_not_positive");
    pilot.sound();
}

/// W-17 to W-21, W-23, W-43: what changes after the queueing is found by the validation, with the reason and the group, by each trigger.
#[test]
fn w_17_w_18_w_19_w_20_w_21_w_43_what_changes_after_the_queueing_is_found_by_the_validation() {
    let cases: [(&str, &str, &str, &str, &str, &str); 8] = [
        ("ruth", "INTENT_EVENT", "intent.withdrawn", "Intent:INT-20260417-1", "intent_withdrawn", "intent_ok"),
        ("joan", "MEMBER_EVENT", "member.suspended", "Member:water-works", "from_member_inactive", "authority_ok"),
        ("joan", "MEMBER_EVENT", "member.departed", "Member:line-crew", "to_member_inactive", "economic_ok"),
        ("joan", "SEAT_EVENT", "seat.vacated", "Seat:water-1", "seat_invalid", "authority_ok"),
        ("joan", "PROJECT_EVENT", "project.closed", "Project:JWP", "project_closed", "project_ok"),
        ("joan", "UNIT_EVENT", "unit.closed", "Unit:JWP-U1", "unit_closed", "project_ok"),
        ("", "", "", "", "missing_charter_binding", "authority_ok"),
        ("", "", "", "", "unit_closed", "project_ok"),
    ];
    for (nth, (by, kind, action, subject, reason, group)) in cases.into_iter().enumerate() {
        let pilot = Pilot::new();
        let mut item = WATER.to_owned();
        match nth {
            // A charter that is known and not ratified.
            6 => {
                let mut proposal =
                    record("CHARTER_EVENT", "charter.proposed", "WstCharter:JWP-2", &json!({"title": "Another", "document": PAPER}));
                proposal["kind"] = json!("VERSION");
                assert_eq!(pilot.propose("ruth", &proposal), "done");
                let seat = json!({"member": "water-works", "charter_no": "JWP-2"});
                pilot.happens("joan", "SEAT_EVENT", "seat.seated", "Seat:water-2", &seat);
                item = pilot.queued(&[json!({"charter_no": "JWP-2", "seat_id": "water-2"})]).remove(0);
            }
            // A unit that another transfer has used up.
            7 => {
                item = pilot.queued(&[json!({"unit_id": "JWP-U1"})]).remove(0);
                assert_eq!(pilot.said(&["queue", "start", WATER, "--as", "ruth", "--worker", "worker-one"]), "done");
            }
            _ => pilot.happens(by, kind, action, subject, &json!({"reason": "it is so"})),
        }
        let head = pilot.whole()[0].clone();
        let answer = pilot.enact(&["queue", "validate", &item, "--json"]).exits(3).json();
        let groups: serde_json::Map<String, Value> = ["intent_ok", "authority_ok", "project_ok", "economic_ok"]
            .iter()
            .map(|name| ((*name).to_owned(), json!(*name != group)))
            .collect();
        let expected = json!({"validated": false, "validation": groups, "ready_for_execution": false, "failure_reason": reason});
        assert_eq!(answer, expected, "{subject}");
        assert_eq!(
            pilot.refused(&["queue", "start", &item, "--as", "joan", "--worker", "worker-one"]),
            if nth == 7 { "original" } else { "queue_not_ready" }
        );
        pilot.work();
        let shown = pilot.item(&item);
        assert_eq!((&shown["status"], &shown["failure_reason"]), (&json!("PENDING"), &json!(reason)));
        assert!(pilot.events(&item).iter().all(|event| event != "leased"), "it was never taken");
        if nth < 6 && !matches!(nth, 0 | 2 | 5) {
            assert_eq!(pilot.whole()[0], head, "nothing else could be carried out either");
        }
        pilot.sound();
    }
}

/// W-33, W-38, W-46: evidence by the payer, a retry without a reason, a void after the execution.
#[test]
fn w_33_w_38_w_46_evidence_of_the_payer_a_retry_without_reason_and_a_late_void_change_nothing() {
    let pilot = Pilot::new();
    pilot.work().exits(0);
    let before = pilot.whole();
    for (args, code) in [
        (&["settle", GRANT, "--as", "mina", "--evidence", PAPER][..], "guard_actors_distinct"),
        (&["settle", GRANT, "--as", "worker-one", "--evidence", PAPER], "authority_role"),
        (&["settle", GRANT, "--as", "first-bank", "--evidence", "sha256:12"], "file_missing"),
        (&["settle", GRANT, "--as", "worker-one"], "guard_field_in"),
        (&["queue", "void", WATER, "--as", "ruth", "--reason", "late"], "lifecycle_edge"),
        (&["queue", "void", VOIDED, "--as", "ruth", "--reason", "twice"], "lifecycle_terminal"),
        (&["queue", "retry", VOIDED, "--as", "joan", "--worker", "worker-one", "--reason", "revive"], "queue_status"),
        (&["queue", "start", VOIDED, "--as", "joan", "--worker", "worker-one"], "queue_status"),
        (&["fulfill", VOIDED, "--as", "joan", "--proof", "manual"], "authority_distinct"),
        (&["queue", "retry", "EXQ-none", "--as", "joan", "--worker", "worker-one", "--reason", "x"], "queue_unknown"),
    ] {
        assert_eq!(pilot.refused(args), code, "{args:?}");
    }
    assert_eq!(pilot.whole(), before);
    assert_eq!(pilot.enact(&["queue", "retry", WATER, "--as", "joan", "--worker", "worker-one"]).code, 2, "a reason is asked for");
    assert_eq!(pilot.whole(), before);
    pilot.sound();
}
