//! The shipped packs and the published schemas fit this crate.

use enact_flow::artifact::parse;
use enact_flow::compile::compile;
use serde_json::Value;
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

const KINDS: [(&str, &str); 7] = [
    ("IN_", "intent"),
    ("EV_", "event"),
    ("WF_", "workflow"),
    ("CC_", "contract"),
    ("CT_", "transform"),
    ("CS_", "side-effect"),
    ("RB_", "binding"),
];

#[test]
fn all_packs_together_are_one_snapshot() {
    let artifacts: Vec<_> = files().iter().map(|(stem, bytes)| parse(stem, bytes).unwrap()).collect();
    if let Err(problems) = compile(&artifacts, &BTreeMap::new()) {
        panic!("{problems:#?}");
    }
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
    let set = crate::support::set();
    let breaks = [
        ("IN_LETTER_V0", "/schema", Value::from(1)),
        ("EV_LETTER_FILED_V0", "/summary", Value::Null),
        ("WF_FILE_LETTER_V0", "/nodes/EXIT/class", Value::from("MAYBE")),
        ("CC_FILE_LETTER_V0", "/pipeline/0/on_result/SUCCESS", Value::from("retry")),
        ("CT_PURE_STAMP_V0", "/inputs/text/type", Value::from("date")),
        ("CS_SHELF_V0", "/imports/0", Value::from("http")),
        ("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/extra", Value::Null),
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
