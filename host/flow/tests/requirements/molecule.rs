//! Molecules: lists of transforms that may nest and do nothing else (P-32).

use crate::support::{CC, Set, letter, outcome, run, set};
use serde_json::{Value, json};

/// `CT_PURE_SEAL_V0` stamps twice, the second time what the first gave; the contract uses it instead of the atom.
fn sealed() -> Set {
    set()
        .add(json!({ "code": "CT_PURE_SEAL_V0", "summary": "Stamps twice.", "operation": "SEAL", "statuses": ["SUCCESS", "VIOLATION"],
            "inputs": { "text": { "type": "any" } }, "outputs": { "stamp": { "type": "string" } }, "steps": [
                { "name": "one", "capability": "CT_PURE_STAMP_V0", "inputs": { "text": "$.inputs.text" } },
                { "name": "two", "capability": "CT_PURE_STAMP_V0", "inputs": { "text": ["$.results.one.stamp", "$.inputs.text"] } } ] }))
        .with(CC, "/pipeline/0/capability", json!("CT_PURE_SEAL_V0"))
        .with(CC, "/pipeline/0/operation", json!("SEAL"))
}

#[test]
fn p_32_a_molecule_runs_its_atoms_in_order() {
    let mut count = 0;
    let run = run(&sealed().plan(), letter(), |step| {
        count += 1;
        if step.capability.starts_with("CS_") {
            outcome("SUCCESS", json!({}))
        } else {
            outcome("SUCCESS", json!({ "stamp": format!("S{count}"), "noise": 1 }))
        }
    });
    let calls: Vec<(&str, &Value)> = run.calls.iter().take(3).map(|call| (call.step_name.as_ref(), &call.inputs)).collect();
    assert_eq!(calls[0], ("stamp/one", &json!({ "text": "dear" })));
    assert_eq!(calls[1], ("stamp/two", &json!({ "text": ["S1", "dear"] })));
    assert_eq!(calls[2], ("place", &json!({ "key": "S2" })));
}

#[test]
fn p_32_only_declared_outputs_leave_a_molecule() {
    let set = sealed().with(CC, "/pipeline/1/inputs/key", json!("$.results.stamp.capability_result"));
    let run = run(&set.plan(), letter(), |step| match step.capability.as_ref() {
        "CS_SHELF_V0" => outcome("SUCCESS", json!({})),
        _ => outcome("SUCCESS", json!({ "stamp": "S", "noise": 1 })),
    });
    assert_eq!(run.calls[2].inputs, json!({ "key": { "stamp": "S", "result_status": "SUCCESS" } }));
}

#[test]
fn p_32_an_atom_that_does_not_succeed_ends_the_molecule() {
    let run = run(&sealed().plan(), letter(), |_| outcome("VIOLATION", json!({ "stamp": "S" })));
    assert_eq!(run.path()[1], "CC_FIRST:VIOLATION");
    assert_eq!(run.calls.len(), 1);
    assert!(!run.end.payload.contains_key("stamp"));
    let odd = crate::support::run(&sealed().plan(), letter(), |_| outcome("ODD", json!({})));
    assert_eq!(odd.path()[1], "CC_FIRST:PROTOCOL_VIOLATION");
}

#[test]
fn p_32_molecules_nest() {
    let set = sealed()
        .add(json!({ "code": "CT_PURE_CLOSE_V0", "summary": "Seals, then stamps.", "operation": "CLOSE", "statuses": ["SUCCESS", "VIOLATION"],
            "inputs": { "text": { "type": "any" } }, "outputs": { "stamp": { "type": "string" } }, "steps": [
                { "name": "seal", "capability": "CT_PURE_SEAL_V0", "inputs": { "text": { "in": "$.inputs.text" } } },
                { "name": "last", "capability": "CT_PURE_STAMP_V0", "inputs": { "text": "$.results.seal.stamp" } } ] }))
        .with(CC, "/pipeline/0/capability", json!("CT_PURE_CLOSE_V0"))
        .with(CC, "/pipeline/0/operation", json!("CLOSE"));
    let mut count = 0;
    let run = run(&set.plan(), letter(), |_| {
        count += 1;
        outcome(if count == 4 { "BACKEND_ERROR" } else { "SUCCESS" }, json!({ "stamp": format!("S{count}") }))
    });
    let calls: Vec<(&str, &Value)> = run.calls.iter().map(|call| (call.step_name.as_ref(), &call.inputs)).collect();
    assert_eq!(calls[0], ("stamp/seal/one", &json!({ "text": { "in": "dear" } })));
    assert_eq!(calls[1], ("stamp/seal/two", &json!({ "text": ["S1", { "in": "dear" }] })));
    assert_eq!(calls[2], ("stamp/last", &json!({ "text": "S2" })));
    assert_eq!(calls[3], ("place", &json!({ "key": "S3" })));
}

#[test]
fn p_32_a_molecule_cannot_contain_itself_a_side_effect_or_nothing() {
    let step = |value: Value| sealed().with("CT_PURE_SEAL_V0", "/steps/0", value);
    step(json!({ "name": "one", "capability": "CT_PURE_SEAL_V0", "inputs": { "text": 1 } }))
        .refused("molecule_recursion", "CT_PURE_SEAL_V0");
    step(json!({ "name": "one", "capability": "CS_SHELF_V0" })).refused("side_effect_in_molecule", "CS_SHELF_V0");
    step(json!({ "name": "one", "capability": "CT_PURE_GONE_V0" })).refused("missing_artifact", "CT_PURE_GONE_V0");
    step(json!({ "name": "two", "capability": "CT_PURE_STAMP_V0", "inputs": { "text": 1 } })).refused("duplicate_step", "two");
    sealed().with("CT_PURE_SEAL_V0", "/steps", json!([])).refused("empty_molecule", "");
    sealed().with("CT_PURE_SEAL_V0", "/outputs/other", json!({ "type": "any" })).refused("molecule_output", "other");
    let branch = sealed().with("CT_PURE_SEAL_V0", "/steps/0/on_result", json!({}));
    branch.refused("bad_shape", "on_result");
}

#[test]
fn p_32_versions_stand_beside_each_other_and_nothing_is_the_latest() {
    let mut newer = set().0["CT_PURE_STAMP_V0"].clone();
    newer["code"] = json!("CT_PURE_STAMP_V1");
    let plan = set().add(newer).plan();
    assert!(plan.targets().iter().all(|target| target.capability != "CT_PURE_STAMP_V1"));
}

#[test]
fn p_32_a_molecule_is_bounded_in_depth_and_size_and_refused_quickly() {
    // Each of these contains the one before it `width` times: depth and size grow without any recursion.
    let tower = |height: usize, width: usize| {
        (1..=height).fold(sealed(), |set, level| {
            let below = if level == 1 { "CT_PURE_STAMP_V0".to_owned() } else { format!("CT_PURE_TOWER{}_V0", level - 1) };
            let steps: Vec<Value> =
                (0..width).map(|n| json!({ "name": format!("s{n}"), "capability": below, "inputs": { "text": 1 } })).collect();
            set.add(json!({ "code": format!("CT_PURE_TOWER{level}_V0"), "summary": "", "operation": "TOWER",
                "statuses": ["SUCCESS", "VIOLATION"], "inputs": { "text": { "type": "any" } }, "steps": steps }))
        })
    };
    assert_eq!(tower(10, 2).errors(), Vec::<String>::new());
    tower(11, 2).refused("molecule_recursion", "2048 atoms");
    tower(40, 60).refused("molecule_recursion", "atoms");
    tower(40, 1).refused("molecule_recursion", "deeper");
}
