//! The committed first-party modules, if the checkout has them: admitted, and equal on both backends.
use std::fs;
use std::path::{Path, PathBuf};

use enact_wasm::{Kind, Limits, Profile};

use super::support::{NATIVE, PULLEY};

fn modules() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../capabilities");
    let folders = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = folders.filter(|path| path.is_dir()).flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "wasm")).collect()
}

#[test]
fn committed_modules_fit_the_strict_profile_and_agree_on_both_backends() {
    for path in modules() {
        let bytes = fs::read(&path).unwrap();
        let admit =
            |sandbox: &enact_wasm::Sandbox| sandbox.admit(&bytes, Profile::Strict).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (native, pulley) = (admit(&NATIVE), admit(&PULLEY));
        if native.kind() == Kind::Transform {
            for inputs in ["{}", r#"{"a":"b","n":[1,2,3.5]}"#, "not json"] {
                let report = native.transform(&Limits::default(), "CT_UNKNOWN_V0", inputs);
                assert_eq!(report, pulley.transform(&Limits::default(), "CT_UNKNOWN_V0", inputs), "{}", path.display());
                assert_eq!(report, native.transform(&Limits::default(), "CT_UNKNOWN_V0", inputs), "{}", path.display());
            }
        }
    }
}
