//! The published vectors and runs, for the pure transforms of general use. `ENACT_PGS` names the folder that holds `transforms/` and
//! `cases/`; without it these tests say so and prove nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use enact_guest_sdk::Answer;
use serde_json::Value;

/// Where we differ on purpose: the vector, and what we answer instead.
///
/// The published runs show these validators answering `SUCCESS`, and runs are what stored histories were made of. The strict behaviour of
/// the vectors is served by the `REQUIRE` codes, which these vectors are held against as well.
const DIFFERENT: [(&str, &str, &str); 2] = [
    (
        "capability_transforms__CT_PURE_VALIDATE_PARAMETER_RULES_V0__rule_fails",
        r#"{"failed_rule":{"field":"amount","op":"gt","value":0},"valid":false}"#,
        "CT_PURE_REQUIRE_PARAMETER_RULES_V0",
    ),
    (
        "capability_transforms__CT_PURE_VALIDATE_SET_MEMBERSHIP_V0__value_not_in_set",
        r#"{"is_member":false}"#,
        "CT_PURE_REQUIRE_SET_MEMBERSHIP_V0",
    ),
];

/// Steps whose answer in the runs does not follow from their inputs: the case, the code and why.
const NOT_FROM_INPUTS: [(&str, &str, &str); 4] = [
    ("lic_12_reclaim_forbidden", "CT_PURE_EVALUATE_INACTIVITY_V0", "it read a clock; a pure transform takes `current_date`"),
    ("drv_ct_module_missing", "CT_PURE_GENERATE_ID_V0", "the case removes the implementation"),
    ("drv_ct_loop", "CT_PURE_GENERATE_ID_V0", "the case replaces the artifact"),
    ("drv_ct_molecule_two_atoms", "CT_PURE_GENERATE_ID_V0", "the case replaces the artifact"),
];

fn folder() -> Option<PathBuf> {
    let found = std::env::var_os("ENACT_PGS").map(PathBuf::from);
    #[allow(clippy::print_stderr, reason = "a test that did not run must not look like one that passed")]
    if found.is_none() {
        eprintln!("did not run: ENACT_PGS is not set");
    }
    found
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files or folders in `path`, in order.
fn listed(path: &Path) -> Vec<PathBuf> {
    let mut listed: Vec<PathBuf> = std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    listed.sort();
    listed
}

/// The answer of whichever module serves the code. Maps are sorted here, so the inputs are in canonical order.
fn answer(code: &str, inputs: &Value) -> Option<Answer> {
    let inputs = inputs.to_string();
    if enact_capability_transforms::CODES.contains(&code) {
        return Some(enact_capability_transforms::dispatch(code, &inputs));
    }
    if enact_capability_validators::CODES.contains(&code) {
        return Some(enact_capability_validators::dispatch(code, &inputs));
    }
    if enact_capability_governance_transforms::CODES.contains(&code) {
        return Some(enact_capability_governance_transforms::dispatch(code, &inputs));
    }
    None
}

fn outputs(answer: &Answer) -> Value {
    serde_json::from_str(&answer.outputs).expect("outputs are JSON")
}

#[test]
fn published_vectors_hold_but_for_the_listed_differences() {
    let Some(folder) = folder() else { return };
    let mut held = 0;
    for path in listed(&folder.join("transforms")) {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let code = stem.split_once("__").expect("a namespace and a code").1;
        for vector in read(&path).as_array().expect("vectors") {
            let id = vector["id"].as_str().expect("an id");
            let Some(answer) = answer(code, &vector["inputs"]) else { continue };
            held += 1;
            let Some((_, ours, strict)) = DIFFERENT.iter().find(|(different, ..)| *different == id) else {
                assert_eq!(answer.status, vector["expected_outcome"], "{id}");
                assert_eq!(outputs(&answer), vector["expected"], "{id}");
                continue;
            };
            assert_eq!((answer.status, answer.outputs.as_str()), ("SUCCESS", *ours), "{id}");
            let strict = enact_capability_validators::dispatch(strict, &vector["inputs"].to_string());
            assert_eq!(strict.status, vector["expected_outcome"], "{id}");
        }
    }
    assert_eq!(held, 61, "vectors of the served codes");
}

#[test]
fn steps_of_published_runs_hold_but_for_the_listed_ones() {
    let Some(folder) = folder() else { return };
    let mut held: BTreeMap<String, u32> = BTreeMap::new();
    for case in listed(&folder.join("cases")) {
        let name = case.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let expected = read(&case.join("expected.json"));
        for step in expected["steps"].as_array().into_iter().flatten() {
            let code = step["capability"].as_str().and_then(|capability| capability.rsplit("::").next()).expect("a capability");
            if NOT_FROM_INPUTS.iter().any(|(other, known, _)| *other == name && *known == code) || step["result"].is_null() {
                continue;
            }
            let Some(answer) = answer(code, &step["inputs"]) else { continue };
            *held.entry(code.to_owned()).or_default() += 1;
            assert_eq!(answer.status, step["result"]["result_status"], "{name} {code} {}", step["inputs"]);
            let mut wanted = step["result"].as_object().expect("a result").clone();
            wanted.remove("result_status");
            // Where the runs show a null in place of a refused result, we put out nothing.
            if answer.status == "VIOLATION" {
                wanted.clear();
            }
            assert_eq!(outputs(&answer), Value::Object(wanted), "{name} {code}");
        }
    }
    assert_eq!(held.len(), 11, "codes that runs use: {held:?}");
}
