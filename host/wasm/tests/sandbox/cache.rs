//! The cache of compiled modules: used when authentic, ignored otherwise.
use std::fs;
use std::path::PathBuf;

use enact_wasm::{CacheOptions, Options, Profile, Sandbox};

use super::guests::echo;
use super::support::LIMITS;

fn sandbox(dir: &std::path::Path, key: [u8; 32]) -> Sandbox {
    let cache = Some(CacheOptions { dir: dir.to_owned(), key });
    Sandbox::new(&Options { cache, ..Options::default() }).unwrap()
}

/// Compiled modules.
fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    ending(dir, "cwasm")
}

fn ending(dir: &std::path::Path, with: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|end| end == with)).collect();
    files.sort();
    files
}

fn works(sandbox: &Sandbox) {
    let module = sandbox.admit(&echo(), Profile::Strict).unwrap();
    assert_eq!(module.transform(&LIMITS, "C", "{}").outcome.code(), "ok");
}

#[test]
fn a_compiled_module_is_kept_once_and_left_alone_when_it_is_authentic() {
    let dir = tempfile::tempdir().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    let kept = files(dir.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    let written = fs::metadata(&kept[0]).unwrap().modified().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    assert_eq!(fs::metadata(&kept[0]).unwrap().modified().unwrap(), written, "it was compiled again");
}

/// B-32: what was measured is kept of what broke no rule, for these bytes and this profile, and nothing else is believed.
#[test]
fn b_32_a_module_is_measured_once_and_again_when_anything_is_different() {
    let dir = tempfile::tempdir().unwrap();
    let refused = sandbox(dir.path(), [1; 32]).admit(b"\0asm\x0d\0\x01\0", Profile::Strict);
    assert!(refused.is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "of a refused module something is kept");
    works(&sandbox(dir.path(), [1; 32]));
    let facts = ending(dir.path(), "facts");
    assert_eq!(facts.len(), 1, "{facts:?}");
    let good = fs::read(&facts[0]).unwrap();
    let written = fs::metadata(&facts[0]).unwrap().modified().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    assert_eq!(fs::metadata(&facts[0]).unwrap().modified().unwrap(), written, "it was measured again");
    for at in [0, 32, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&facts[0], &bad).unwrap();
        works(&sandbox(dir.path(), [1; 32]));
        assert_eq!(fs::read(&facts[0]).unwrap(), good, "not measured again after byte {at}");
    }
    sandbox(dir.path(), [1; 32]).admit(&echo(), Profile::Standard).unwrap();
    assert_eq!(ending(dir.path(), "facts").len(), 2);
    works(&sandbox(dir.path(), [2; 32]));
    assert_ne!(fs::read(&facts[0]).unwrap(), good, "what another workspace has found was believed");
}

#[test]
fn a_tampered_file_is_ignored_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    let file = files(dir.path()).remove(0);
    let good = fs::read(&file).unwrap();
    for at in [0, 31, 32, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, &bad).unwrap();
        works(&sandbox(dir.path(), [1; 32]));
        assert_eq!(fs::read(&file).unwrap(), good, "not rebuilt after byte {at}");
    }
    for length in [0, 31, 32, good.len() - 1] {
        fs::write(&file, &good[..length]).unwrap();
        works(&sandbox(dir.path(), [1; 32]));
        assert_eq!(fs::read(&file).unwrap().len(), good.len());
    }
}

#[test]
fn a_file_under_another_key_or_another_name_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    let file = files(dir.path()).remove(0);
    let foreign = fs::read(&file).unwrap();
    works(&sandbox(dir.path(), [2; 32]));
    assert_ne!(fs::read(&file).unwrap()[..32], foreign[..32], "the foreign file was used");
    // The right key over another module's content, under this name.
    let other = tempfile::tempdir().unwrap();
    let bytes = super::guests::says("SUCCESS", "{}");
    sandbox(other.path(), [2; 32]).admit(&bytes, Profile::Strict).unwrap();
    fs::copy(files(other.path()).remove(0), &file).unwrap();
    let module = sandbox(dir.path(), [2; 32]).admit(&echo(), Profile::Strict).unwrap();
    let report = module.transform(&LIMITS, "C", r#"{"mine":1}"#);
    assert!(matches!(report.outcome, enact_wasm::Outcome::Ok { ref outputs, .. } if outputs == r#"{"mine":1}"#), "{report:?}");
}

#[test]
fn a_folder_that_cannot_be_written_only_costs_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    works(&sandbox(&file, [1; 32]));
}
