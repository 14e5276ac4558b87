//! What a manifest says a module serves is what it serves.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Every module of this test with the codes that its source serves.
const MODULES: [(&str, &[&str]); 10] = [
    ("bench", enact_capability_bench::CODES),
    ("decisions", enact_capability_decisions::CODES),
    ("documents", enact_capability_documents::CODES),
    ("governance-transforms", enact_capability_governance_transforms::CODES),
    ("journal", enact_capability_journal::CODES),
    ("names", enact_capability_names::CODES),
    ("outbox", enact_capability_outbox::CODES),
    ("registry", enact_capability_registry::CODES),
    ("transforms", enact_capability_transforms::CODES),
    ("validators", enact_capability_validators::CODES),
];

#[test]
fn every_manifest_lists_exactly_the_codes_that_its_module_serves() {
    for (name, codes) in MODULES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("manifest.json");
        let text = std::fs::read_to_string(&path).expect("a manifest");
        let manifest: Value = serde_json::from_str(&text).expect("JSON");
        let listed: Vec<&str> = manifest["codes"].as_object().expect("codes").keys().map(String::as_str).collect();
        let mut served = codes.to_vec();
        served.sort_unstable();
        assert_eq!(listed, served, "{name}");
    }
}

#[test]
fn no_code_is_served_by_two_modules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut served = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the modules") {
        let path = entry.expect("an entry").path().join("manifest.json");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let manifest: Value = serde_json::from_str(&text).expect("JSON");
        for code in manifest["codes"].as_object().expect("codes").keys() {
            let other = served.insert(code.clone(), manifest["module"].clone());
            assert_eq!(other, None, "{code} is also served by {}", manifest["module"]);
        }
    }
    assert!(served.len() > MODULES.len());
}
