//! P-01, I-49: the host knows structure and no domain; what effects mean is said by packs.
use crate::support::{Scratch, project};

/// Words of the domains that the shipped packs and the published protocol speak of.
const DOMAIN_WORDS: &[&str] = &[
    "user",
    "email",
    "registration",
    "wallet",
    "mnemonic",
    "loan",
    "lending",
    "applicant",
    "device",
    "firmware",
    "license",
    "employee",
    "collatz",
    "kyc",
    "invoice",
    "payment",
];

#[test]
fn p_01_the_host_holds_no_domain_word() {
    let mut faults = Vec::new();
    for krate in ["core", "flow", "queue", "store", "wasm", "engine"] {
        scan(&project(&format!("host/{krate}/src")), DOMAIN_WORDS, &mut faults);
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Lines of the sources in a folder, tests left out, that hold one of the words.
pub(crate) fn scan(folder: &std::path::Path, words: &[&str], faults: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scan(&path, words, faults);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut in_tests = path.file_name().is_some_and(|n| n.to_string_lossy().contains("test"));
        for (line, number) in text.lines().zip(1..) {
            in_tests |= line.contains("#[cfg(test)]");
            if in_tests {
                continue;
            }
            let lower = line.to_lowercase();
            for word in lower.split(|c: char| !c.is_ascii_alphabetic() && c != '_') {
                if words.contains(&word) {
                    faults.push(format!("{}:{number}: {word}", path.display()));
                }
            }
        }
    }
}

#[test]
fn p_01_one_binary_runs_packs_of_unrelated_domains() {
    let scratch = Scratch::init();
    let mut ran = 0;
    for pack in std::fs::read_dir(project("protocol/packs")).unwrap() {
        let pack = pack.unwrap().path();
        let Ok(text) = std::fs::read_to_string(pack.join("pack.json")) else { continue };
        let description: serde_json::Value = serde_json::from_str(&text).unwrap();
        for example in description["examples"].as_array().into_iter().flatten() {
            let file = pack.join("examples").join(example["payload"].as_str().unwrap());
            let workflow = example["workflow"].as_str().unwrap();
            let report = scratch.enact(&["run", workflow, "--payload", &file.to_string_lossy(), "--json"]).exits(0).json();
            let got = format!("{}/{}", report["exit"]["class"].as_str().unwrap(), report["exit"]["reason"].as_str().unwrap());
            assert_eq!(example["exit"], got, "{workflow} with {}", file.display());
            ran += 1;
        }
    }
    assert!(ran >= 8, "only {ran} examples were run");
    let audit = scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0).json();
    assert_eq!(audit["replayed"], ran);
}
