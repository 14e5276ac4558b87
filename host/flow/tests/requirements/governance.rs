//! Governance is carried and sealed, not understood; what it names must be in the set (B-36).

use crate::support::{Set, modules, set};
use enact_flow::artifact::{Artifact, parse};
use enact_flow::compile::compile;
use enact_flow::snapshot::Snapshot;
use serde_json::{Value, json};

const LC: &str = "LC_LETTER_V0";

/// The set with one artifact of each governance kind; members that no one here knows are part of it.
fn governed() -> Set {
    set()
        .add(json!({ "code": LC, "summary": "How a letter is filed.", "anything": [1, { "goes": null }],
            "actions": { "LETTER.FILE": { "invariants": [{ "capability": "CT_PURE_STAMP_V0", "module": "stamps" }] }, "LETTER.READ": {} },
            "effects": ["CS_SHELF_V0"] }))
        .add(json!({ "code": "AM_LETTER_V0", "summary": "Who may file.", "rows": [] }))
        .add(json!({ "code": "AS_LETTER_V0", "summary": "What is moved.", "assets": {}, "accounts": {} }))
}

#[test]
fn governance_is_sealed_as_it_is_written() {
    let snapshot = governed().compile().unwrap();
    let held: Vec<(&str, &Value)> = snapshot.governance().collect();
    let codes: Vec<&str> = held.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["AM_LETTER_V0", "AS_LETTER_V0", LC]);
    assert!(held.iter().all(|(code, value)| governed().0[*code] == **value));
    assert_eq!(snapshot.artifact(LC).map(Artifact::summary), Some("How a letter is filed."));
    assert_eq!(snapshot.module_digest("stamps"), modules().get("stamps").map(String::as_str));
    assert_eq!(set().compile().unwrap().governance().count(), 0);
}

#[test]
fn the_snapshot_hash_covers_every_member_of_governance() {
    let plain = set().compile().unwrap();
    let one = governed().compile().unwrap();
    assert_ne!(plain.hash(), one.hash());
    for (code, pointer) in [(LC, "/anything"), (LC, "/more"), ("AM_LETTER_V0", "/rows"), ("AS_LETTER_V0", "/assets")] {
        let other = governed().with(code, pointer, json!("changed")).compile().unwrap();
        assert_ne!(one.hash(), other.hash(), "{code} {pointer}");
    }
    let mut artifacts = governed().parse().unwrap();
    artifacts.reverse();
    assert_eq!(compile(&artifacts, &modules()).unwrap().to_lock(), one.to_lock());
}

#[test]
fn a_lock_with_governance_reads_back_and_a_changed_one_does_not() {
    let one = governed().compile().unwrap();
    let read = Snapshot::from_lock(&one.to_lock()).unwrap();
    assert_eq!(read.hash(), one.hash());
    assert!(read.governance().eq(one.governance()));
    let changed = String::from_utf8(one.to_lock()).unwrap().replace("Who may file.", "Who may file!");
    assert_eq!(Snapshot::from_lock(changed.as_bytes()).unwrap_err().code, "lock_hash_mismatch");
}

#[test]
fn b_36_what_governance_names_is_in_the_set() {
    let invariant = "/actions/LETTER.FILE/invariants/0";
    assert_eq!(governed().errors(), Vec::<String>::new());
    governed().with(LC, &format!("{invariant}/capability"), json!("CT_PURE_ABSENT_V0")).refused("missing_artifact", "CT_PURE_ABSENT_V0");
    governed().with(LC, &format!("{invariant}/capability"), json!("CS_SHELF_V0")).refused("missing_artifact", "CS_SHELF_V0");
    governed().with(LC, &format!("{invariant}/module"), json!("absent")).refused("unknown_module", "absent");
    governed().with(LC, "/effects/0", json!("CS_ABSENT_V0")).refused("missing_artifact", "CS_ABSENT_V0");
    governed().with(LC, "/effects/0", json!("CT_PURE_STAMP_V0")).refused("missing_artifact", "CT_PURE_STAMP_V0");
    let molecule = json!([{ "name": "one", "capability": "CT_PURE_STAMP_V0", "inputs": { "text": "$.inputs.text" } }]);
    let twice = json!({ "code": "CT_PURE_TWICE_V0", "summary": "Stamps.", "operation": "STAMP", "inputs": { "text": { "type": "string" } },
        "outputs": { "stamp": { "type": "string" } }, "statuses": ["SUCCESS", "VIOLATION"], "steps": molecule });
    let with_molecule = governed().add(twice);
    assert_eq!(with_molecule.errors(), Vec::<String>::new());
    with_molecule.with(LC, &format!("{invariant}/capability"), json!("CT_PURE_TWICE_V0")).refused("molecule_bound", invariant_place());
}

/// Where a finding about the first invariant points.
const fn invariant_place() -> &'static str {
    "actions.LETTER.FILE.invariants.0"
}

#[test]
fn w_45_what_a_queue_contract_runs_is_in_the_set() {
    let queue = json!({ "code": "QC_LETTER_V0", "summary": "Letters that are to be filed.", "workflow": "WF_FILE_LETTER_V0", "binding": "RB_DEVELOPMENT_V0",
        "settlement": { "workflow": "WF_FILE_LETTER_V0" }, "fulfillment": { "workflow": "WF_FILE_LETTER_V0" },
        "validation": [{ "group": "ok", "checks": [{ "guard": "exists" }, { "capability": "CT_PURE_STAMP_V0", "module": "stamps" }] }] });
    let queued = governed().add(queue);
    assert_eq!(queued.errors(), Vec::<String>::new());
    let held = queued.compile().unwrap();
    assert!(held.governance().any(|(code, _)| code == "QC_LETTER_V0"));
    for pointer in ["/workflow", "/settlement/workflow", "/fulfillment/workflow"] {
        queued.clone().with("QC_LETTER_V0", pointer, json!("WF_ABSENT_V0")).refused("missing_artifact", "WF_ABSENT_V0");
        queued.clone().with("QC_LETTER_V0", pointer, json!("RB_DEVELOPMENT_V0")).refused("missing_artifact", "RB_DEVELOPMENT_V0");
    }
    queued.clone().with("QC_LETTER_V0", "/binding", json!("RB_ABSENT_V0")).refused("missing_artifact", "RB_ABSENT_V0");
    let check = "/validation/0/checks/1";
    queued
        .clone()
        .with("QC_LETTER_V0", &format!("{check}/capability"), json!("CT_PURE_ABSENT_V0"))
        .refused("missing_artifact", "CT_PURE_ABSENT_V0");
    queued.clone().with("QC_LETTER_V0", &format!("{check}/module"), json!("absent")).refused("unknown_module", "absent");
}

#[test]
fn governance_has_a_code_and_a_summary() {
    let refused = |stem: &str, text: &str| parse(stem, text.as_bytes()).unwrap_err().code;
    let matrix = r#"{"code":"AM_A_V0","summary":"","rows":[]}"#;
    assert!(matches!(parse("AM_A_V0", matrix.as_bytes()), Ok(Artifact::Governance(_))));
    assert_eq!(refused("AM_B_V0", matrix), "code_is_not_the_file_name");
    assert_eq!(refused("AM_A_V0", r#"{"code":"AM_A_V0","rows":[]}"#), "bad_shape");
    assert_eq!(refused("LC_A_V0", r#"{"code":"LC_A_V0","summary":1}"#), "bad_shape");
    assert_eq!(refused("AS_A_V0", r#"{"code":"AS_A_V0","summary":"","summary":""}"#), "not_json");
    assert_eq!(refused("LC_A", r#"{"code":"LC_A","summary":""}"#), "bad_code");
}

#[test]
fn a_side_effect_says_whether_it_is_governed() {
    let shelf = |snapshot: &Snapshot| match snapshot.artifact("CS_SHELF_V0") {
        Some(Artifact::SideEffect(effect)) => effect.governed,
        other => panic!("{other:?}"),
    };
    let plain = set().compile().unwrap();
    assert!(!shelf(&plain));
    let marked = set().with("CS_SHELF_V0", "/governed", json!(true)).compile().unwrap();
    assert!(shelf(&marked));
    assert_ne!(plain.hash(), marked.hash());
    // Leaving it out and saying `false` is one normal form, so sets sealed before the member existed keep their hash.
    assert_eq!(plain.hash(), set().with("CS_SHELF_V0", "/governed", json!(false)).compile().unwrap().hash());
    assert!(set().with("CS_SHELF_V0", "/governed", json!("yes")).compile().is_err());
}
