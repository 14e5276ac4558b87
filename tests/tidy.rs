//! Style rules that are tests and not review remarks.
use std::path::{Path, PathBuf};

use crate::support::project;

/// Lines of one file: more is two ideas in one place.
const FILE_LINES_MAX: usize = 600;

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for root in ["host", "guest-sdk", "capabilities", "tests"] {
        walk(&project(root), &mut found);
    }
    assert!(found.len() > 100, "only {} sources: the walk is broken", found.len());
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_source_says_what_it_is_and_stays_readable() {
    let mut faults = Vec::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines", path.display()));
        }
        let first = text.lines().find(|l| !l.is_empty() && !l.starts_with("#!")).unwrap_or_default();
        if !first.starts_with("//!") {
            faults.push(format!("{}: does not say what it is", path.display()));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn nothing_is_left_open_and_no_folder_is_a_drawer() {
    let open = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("#[ig", "nore")];
    let drawers = ["utils", "common", "helpers", "misc"];
    let mut faults = Vec::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        faults.extend(open.iter().filter(|w| text.contains(**w)).map(|w| format!("{}: {w}", path.display())));
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        faults.extend(drawers.iter().filter(|d| **d == stem || **d == folder).map(|d| format!("{}: {d}", path.display())));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_stable_code_of_the_engine_is_documented() {
    let document = std::fs::read_to_string(project("protocol/errors.md")).unwrap();
    let mut missing = Vec::new();
    for file in [
        "host/engine/src/error.rs",
        "host/queue/src/refused.rs",
        "host/registry/src/error.rs",
        "host/store/src/error.rs",
        "host/store/src/model.rs",
        "host/wasm/src/outcome.rs",
    ] {
        let text = std::fs::read_to_string(project(file)).unwrap();
        for line in text.lines() {
            let Some((_, right)) = line.split_once("=> \"").or_else(|| line.split_once(" = \"")) else { continue };
            let Some(code) = right.split('"').next() else { continue };
            let is_code = code.len() > 2 && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            // Of the store's plain data only the reasons of a rejection are codes.
            let is_code = is_code && (file != "host/store/src/model.rs" || code.starts_with("commit_"));
            if is_code && (line.trim_end().ends_with("\",")) && !document.contains(&format!("`{code}`")) {
                missing.push(format!("{file}: {code}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in protocol/errors.md: {missing:#?}");
}
