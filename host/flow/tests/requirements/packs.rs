//! The shipped packs and the published schemas fit this crate.

use enact_flow::artifact::parse;
use enact_flow::compile::compile;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn protocol() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocol")
}

/// Every artifact file of every pack.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let Ok(packs) = std::fs::read_dir(protocol().join("packs")) else {
        return files;
    };
    for pack in packs {
        let Ok(artifacts) = std::fs::read_dir(pack.unwrap().path().join("artifacts")) else {
            continue;
        };
        for file in artifacts {
            let path = file.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(files.insert(stem.clone(), std::fs::read(path).unwrap()).is_none(), "{stem} is in two packs");
        }
    }
    files
}

fn schema(name: &str) -> Value {
    let path = protocol().join("schemas").join(format!("{name}.schema.json"));
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

const KINDS: [(&str, &str); 13] = [
    ("IN_", "intent"),
    ("EV_", "event"),
    ("WF_", "workflow"),
    ("CC_", "contract"),
    ("CT_", "transform"),
    ("CS_", "side-effect"),
    ("RB_", "binding"),
    ("LC_", "lifecycle"),
    ("AM_", "matrix"),
    ("AS_", "assets"),
    ("LI_", "listener"),
    ("QC_", "queue"),
    ("VW_", "view"),
];

/// The shipped modules by name; which bytes they have is of no concern here.
fn shipped_modules() -> BTreeMap<String, String> {
    let mut modules = BTreeMap::new();
    for folder in std::fs::read_dir(protocol().join("../capabilities")).unwrap() {
        let folder = folder.unwrap();
        let name = folder.file_name().to_string_lossy().into_owned();
        if folder.path().join(format!("{name}.wasm")).is_file() {
            modules.insert(name, format!("blake3:{}", "0".repeat(64)));
        }
    }
    assert!(modules.len() > 5, "only {modules:?}");
    modules
}

#[test]
fn all_packs_together_are_one_snapshot() {
    let artifacts: Vec<_> = files().iter().map(|(stem, bytes)| parse(stem, bytes).unwrap()).collect();
    match compile(&artifacts, &shipped_modules()) {
        Ok(snapshot) => assert!(snapshot.governance().count() >= 20),
        Err(problems) => panic!("{problems:#?}"),
    }
}

#[test]
fn the_proposals_of_a_story_are_files_and_every_file_is_told() {
    let mut told = 0;
    let mut names = std::collections::BTreeSet::new();
    for pack in std::fs::read_dir(protocol().join("packs")).unwrap() {
        let examples = pack.unwrap().path().join("examples");
        let about: Value = serde_json::from_slice(&std::fs::read(examples.with_file_name("pack.json")).unwrap()).unwrap();
        let named = about["stories"].as_array().into_iter().flatten().map(|story| {
            assert!(story["summary"].is_string() && names.insert(story["name"].as_str().unwrap().to_owned()), "{story}");
            story["file"].as_str().unwrap()
        });
        let stories: Vec<&str> = about["story"].as_str().into_iter().chain(named).collect();
        if stories.is_empty() {
            continue;
        }
        assert!(about["story"].is_null() || names.insert(about["name"].as_str().unwrap().to_owned()), "{about}");
        let mut files = Vec::new();
        for story in &stories {
            let story: Vec<Value> = serde_json::from_slice(&std::fs::read(examples.join(story)).unwrap()).unwrap();
            assert!(story[0]["found"]["roles"].is_array(), "{} begins with the founding", examples.display());
            for step in &story {
                if let Some(name) = step["file"].as_str() {
                    let file = examples.join(name);
                    let proposal: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
                    let records = proposal.as_array().cloned().unwrap_or_else(|| vec![proposal.clone()]);
                    assert_eq!(records[0]["actor"], step["as"], "{}", file.display());
                    files.push(file);
                }
                if step["file"].is_string() || step["do"].is_object() {
                    assert!(step["why"].is_string() && step["expect"].is_string(), "{step}");
                }
                // Artifacts that a later snapshot has instead of those of the pack.
                let sealed = step["seal"].as_array().into_iter().flatten().filter_map(Value::as_str);
                files.extend(sealed.map(|file| examples.join(file)));
            }
        }
        files.sort();
        files.dedup();
        // Payloads of runs are told by the pack itself.
        let payloads = about["examples"].as_array().into_iter().flatten().filter_map(|example| example["payload"].as_str());
        files.extend(payloads.map(|file| examples.join(file)));
        assert!(files.iter().all(|file| file.is_file()), "{files:?}");
        assert_eq!(files.len() + stories.len(), std::fs::read_dir(&examples).unwrap().count(), "{}", examples.display());
        told += 1;
    }
    assert_eq!(told, 15);
}

#[test]
fn every_shipped_artifact_fits_its_published_schema_and_a_foreign_member_does_not() {
    for (prefix, kind) in KINDS {
        let validator = jsonschema::validator_for(&schema(kind)).unwrap();
        for (stem, bytes) in files().iter().filter(|(stem, _)| stem.starts_with(prefix)) {
            let mut value: Value = serde_json::from_slice(bytes).unwrap();
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{stem}: {errors:?}");
            value["foreign"] = Value::Null;
            assert!(!validator.is_valid(&value), "{stem} may have foreign members");
        }
    }
}

#[test]
fn a_lock_fits_its_published_schema() {
    let lock: Value = serde_json::from_slice(&crate::support::set().compile().unwrap().to_lock()).unwrap();
    let errors: Vec<String> =
        jsonschema::validator_for(&schema("lock")).unwrap().iter_errors(&lock).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn schemas_and_types_refuse_the_same() {
    // One artifact of each kind, broken in one way each; both sides must say no.
    let set = crate::support::set()
        .add(json!({ "code": "AM_LETTER_V0", "summary": "", "rows": [{ "row": "any", "actions": ["X"] }] }))
        .add(json!({ "code": "LI_LETTER_V0", "summary": "", "on": { "record": "X", "action": "Y" }, "workflow": "WF_FILE_LETTER_V0" }));
    let breaks = [
        ("IN_LETTER_V0", "/schema", Value::from(1)),
        ("EV_LETTER_FILED_V0", "/summary", Value::Null),
        ("WF_FILE_LETTER_V0", "/nodes/EXIT/class", Value::from("MAYBE")),
        ("CC_FILE_LETTER_V0", "/pipeline/0/on_result/SUCCESS", Value::from("retry")),
        ("CT_PURE_STAMP_V0", "/inputs/text/type", Value::from("date")),
        ("CS_SHELF_V0", "/imports/0", Value::from("socket")),
        ("CS_SHELF_V0", "/governed", Value::from("yes")),
        ("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/extra", Value::Null),
        ("AM_LETTER_V0", "/summary", Value::from(1)),
        ("LI_LETTER_V0", "/workflow", Value::from("CC_FILE_LETTER_V0")),
        ("LI_LETTER_V0", "/on/action", Value::Null),
        ("LI_LETTER_V0", "/binding", Value::from("RB_NOWHERE")),
        ("LI_LETTER_V0", "/payload", Value::from("$.id")),
    ];
    for (code, pointer, value) in breaks {
        let (_, kind) = KINDS.iter().find(|(prefix, _)| code.starts_with(prefix)).unwrap();
        let validator = jsonschema::validator_for(&schema(kind)).unwrap();
        assert!(validator.is_valid(&set.0[code]), "{code}");
        let broken = set.clone().with(code, pointer, value);
        assert!(!validator.is_valid(&broken.0[code]), "{code} {pointer}");
        assert!(broken.compile().is_err(), "{code} {pointer}");
    }
}
