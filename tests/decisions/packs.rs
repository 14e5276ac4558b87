//! What the packs make of decisions: each requirement by the step of a story in which it is tried, and receipts of allocations.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{balance, carried, decide, decided_by_max, shown, spend};
use crate::governance::{told, whole};
use crate::support::project;

/// Requirement, pack, the file that is proposed, and what comes of it.
const STEPS: [(&str, &str, &str, &str); 32] = [
    ("I-04 I-06", "treasury", "execute-P-1.json", "appended"),
    ("I-05", "treasury", "spend-undecided.json", "decision_missing"),
    ("I-06 I-22", "treasury", "execute-P-2.json", "appended"),
    ("I-08", "control", "execute-K-7.json", "appended"),
    ("I-09 I-33", "control", "execute-K-8.json", "chain_stale"),
    ("I-10", "control", "open-K-6-outcome.json", "effect_field"),
    ("I-12 I-34", "treasury", "settle-unverified.json", "guard_field_equals"),
    ("I-13 I-34", "treasury", "settle-federation.json", "guard_field_in"),
    ("I-14 I-34", "treasury", "settle-nothing.json", "guard_field_positive"),
    ("I-15 I-34", "treasury", "settle-self.json", "guard_actors_distinct"),
    ("I-11 I-17", "treasury", "settle-S-1.json", "appended"),
    ("I-16 I-24 I-34", "treasury", "settle-S-2.json", "key_consumed"),
    ("I-23", "treasury", "execute-P-1-again.json", "lifecycle_terminal"),
    ("I-32", "treasury", "execute-P-3.json", "appended"),
    ("I-32", "treasury", "execute-P-4.json", "invariant_violated"),
    ("I-33", "federation", "execute-F-0.json", "guard_state_in"),
    ("I-33", "membership", "execute-M-3.json", "lifecycle_edge"),
    ("I-33", "membership", "execute-M-5.json", "guard_exists"),
    ("I-41", "treasury", "execute-P-1-half.json", "decision_effects"),
    ("I-41", "treasury", "execute-P-1-more.json", "decision_effects"),
    ("I-52", "treasury", "execute-P-6.json", "invariant_violated"),
    ("I-52", "treasury", "execute-P-6-late.json", "lifecycle_terminal"),
    ("I-54", "treasury", "line-B-1-30001.json", "posting_floor"),
    ("I-54", "treasury", "line-B-2-5001.json", "posting_floor"),
    ("I-55", "treasury", "execute-P-8.json", "appended"),
    ("I-55", "control", "execute-K-5.json", "appended"),
    ("I-56", "federation", "execute-F-1.json", "appended"),
    ("I-56", "federation", "execute-F-2.json", "appended"),
    ("I-56", "membership", "execute-M-1.json", "appended"),
    ("B-29", "settlement", "rail-error.json", "appended"),
    ("B-29", "settlement", "rail-error-late.json", "lifecycle_terminal"),
    ("B-20", "settlement", "deposit.json", "appended"),
];

/// I-04 to I-17, I-22 to I-24, I-32 to I-34, I-41, I-52, I-54 to I-56, B-20, B-29, each where a reader of the stories finds it.
#[test]
fn i_04_to_i_56_each_requirement_on_effects_has_its_step_in_a_story() {
    let mut stories: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    for (requirement, pack, file, code) in STEPS {
        let steps = stories.entry(pack).or_insert_with(|| {
            let story = std::fs::read(project(&format!("protocol/packs/{pack}/examples/story.json"))).unwrap();
            let story: Vec<Value> = serde_json::from_slice(&story).unwrap();
            let (scratch, report) = told(pack);
            whole(&scratch);
            let told = report["steps"].as_array().unwrap();
            assert_eq!(story.len(), told.len(), "{pack}");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            story.iter().zip(told).map(|(step, told)| (text(&step["file"]), text(&told["got"]))).collect()
        });
        assert!(steps.iter().any(|(of, got)| of == file && got == code), "{requirement}: {pack} has no step `{file}` that is `{code}`");
    }
}

/// I-02, I-28, I-29: two nodes with keys of their own come to the same decision hash and to the same hash of the receipt; where and when is
/// part of neither.
#[test]
fn i_02_i_28_i_29_two_nodes_come_to_the_same_hashes() {
    let mut reports = Vec::new();
    for _ in 0..2 {
        let (scratch, engine) = decided_by_max();
        carried(&engine, "T-1", &[spend(500), json!({"effect": "no_op", "reason": "It."})]);
        decide(&scratch, &["T-1"], 0);
        reports.push(shown(&scratch, "T-1"));
    }
    for member in ["decision_hash", "decision_receipt_id", "receipt_hash", "state_change_hashes"] {
        assert!(!reports[0][member].is_null());
        assert_eq!(reports[0][member], reports[1][member], "{member}");
    }
    assert_ne!(reports[0]["ledger_entry_ids"], reports[1]["ledger_entry_ids"]);
    assert_ne!(reports[0]["finished_at"], reports[1]["finished_at"]);
}

/// SHA-256 over parts, by hand.
fn digest(parts: &[&str]) -> String {
    enact_core::hash::context_hash(parts.concat().as_bytes()).to_string()
}

fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// I-01, I-19 to I-22, I-25, I-28, I-30, I-31, I-43: an allocation and its receipt share the decision's hash on every link; an intent is its
/// hash, which neither names nor signatures are part of, and works once.
#[test]
fn i_01_i_19_i_20_i_21_i_22_i_25_i_30_i_31_i_43_an_allocation_is_settled_once_and_its_receipt_is_its_hash() {
    let (scratch, engine) = decided_by_max();
    let line = json!({"effect": "create_budget", "line": "tests", "treasury": "test", "asset": "EUR", "amount": "10", "purpose": "It."});
    carried(&engine, "T-0", &[line]);
    decide(&scratch, &["T-0"], 0);
    let allocate = json!({"effect": "allocate", "line": "tests", "treasury": "test", "asset": "EUR", "amount": "30", "scope": "local"});
    let intents = [format!("sha256:{}", "1".repeat(64)), format!("sha256:{}", "2".repeat(64))];
    let receipt = |name: &str| json!({"effect": "record_allocation", "intents": intents, "scope": "local", "allocation": name});
    carried(&engine, "T-1", &[allocate.clone(), receipt("A-T1")]);
    let done = decide(&scratch, &["T-1"], 0);
    let report = shown(&scratch, "T-1");
    for member in [
        "decision_hash",
        "proposal_id",
        "status",
        "started_at",
        "finished_at",
        "ledger_entry_ids",
        "state_change_hashes",
        "retries",
        "decision_receipt_id",
    ] {
        assert!(!report[member].is_null(), "{member}: {report:#}");
    }
    let hash = report["decision_hash"].as_str().unwrap();
    let seq = done[0]["executed"]["entry"]["seq"].to_string();
    let entry = scratch.enact(&["ledger", "show", &seq, "--json"]).exits(0).json()["entry"].clone();
    let records = entry["records"].as_array().unwrap();
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record["refs"]["decision"] == report["decision_receipt_id"]), "{records:#?}");
    let intent = digest(&["intent:v1:", &quoted(hash), &quoted("EUR"), &quoted("test"), &quoted("tests"), &quoted("30"), &quoted("local")]);
    assert_eq!((&records[1]["payload"]["by"], &records[1]["payload"]["intent"]), (&json!(hash), &json!(intent)));
    assert_eq!(records[1]["consumes"], json!([format!("intent:{intent}")]));
    let canonical = digest(&["allocation:v1:", &quoted(hash), &json!(intents).to_string(), &quoted("local")]);
    assert_eq!((&records[2]["payload"]["decision_hash"], &records[2]["payload"]["canonical_hash"]), (&json!(hash), &json!(canonical)));
    // The receipt has an id of its own and a signature, and its hash has neither.
    assert_eq!(records[2]["subject"], "Allocation:A-T1");
    assert!(records[2]["sig"].is_string(), "{:#}", records[2]);
    assert_eq!(balance(&scratch, "line:tests"), 40);

    // The same intent twice in one decision, or the same receipt under another id: the decision fails as a whole.
    carried(&engine, "T-2", &[allocate.clone(), allocate.clone()]);
    carried(&engine, "T-3", &[receipt("A-T3"), receipt("A-T3-again")]);
    let failed = decide(&scratch, &["T-2", "T-3"], 3);
    for outcome in failed.as_array().unwrap() {
        assert_eq!((&outcome["stopped"]["code"], &outcome["stopped"]["last"]), (&json!("key_consumed"), &json!(true)), "{outcome:#}");
    }
    assert_eq!(balance(&scratch, "line:tests"), 40);
    // Another decision makes another intent.
    carried(&engine, "T-4", &[allocate]);
    assert!(decide(&scratch, &["T-4"], 0)[0]["executed"].is_object());
    assert_eq!(balance(&scratch, "line:tests"), 70);
    whole(&scratch);
}
