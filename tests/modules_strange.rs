//! What strangers write into modules, manifests, vectors and archives: names, bounds, and text that a terminal would obey.
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hostile::{guests, support};
use crate::support::{Ran, Scratch, ran};

fn governed() -> Scratch {
    let scratch = Scratch::init();
    scratch.stewards();
    scratch
}

/// A module on disk, alone in its folder, with what belongs to it.
fn folder(scratch: &Scratch, name: &str, bytes: &[u8], files: &[(&str, Value)]) -> String {
    let dir: PathBuf = scratch.path().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    for (file, content) in files {
        std::fs::write(dir.join(file), content.to_string()).unwrap();
    }
    let path = dir.join("shout.wasm");
    std::fs::write(&path, bytes).unwrap();
    path.to_string_lossy().into_owned()
}

fn says(id: &str) -> Vec<u8> {
    guests::says("SUCCESS", &json!({"id": id}).to_string())
}

fn vectors(names: &[&str]) -> Value {
    let vector = |name| json!({"name": name, "capability": "CT_ANY_V0", "inputs": {}, "status": "SUCCESS"});
    json!({"vectors": names.iter().map(vector).collect::<Vec<_>>()})
}

#[track_caller]
fn refused(ran: &Ran, exit: i32, code: &str) -> Value {
    assert_eq!(ran.code, exit, "{ran:#?}");
    let error = ran.json()["error"].clone();
    assert_eq!(error["code"], code, "{ran:#?}");
    error
}

#[test]
fn p_06_of_several_open_proposals_the_one_that_is_named_is_ratified() {
    let scratch = governed();
    let add = |id: &str, more: &[&str]| {
        let path = folder(&scratch, id, &says(id), &[]);
        scratch.enact(&[&["module", "add", &path, "--as", "ada", "--json"], more].concat()).exits(0).json()
    };
    let (first, second) = (add("one", &[]), add("two", &[]));
    let ratify = ["module", "ratify", "shout", "--as", "bo"];
    let error = refused(&scratch.enact(&[&ratify[..], &["--json"]].concat()), 1, "module_proposals");
    assert!(error["hint"].as_str().unwrap().contains("enact state Module:shout"), "{error}");
    let listed: Vec<_> = error["details"].as_array().unwrap().iter().map(|open| open["examined"]["digest"].clone()).collect();
    assert_eq!(listed, [first["examined"]["digest"].clone(), second["examined"]["digest"].clone()]);
    // What was just proposed is ratified at once, whatever else waits.
    let third = add("three", &["--ratify-as", "bo"]);
    let active = || scratch.enact(&["state", "Module:shout", "--json"]).exits(0).json()["kept"]["digest"].clone();
    assert_eq!(active(), third["examined"]["digest"]);
    // And what is ratified is said.
    let record = first["proposed"]["records"][0]["hash"].as_str().unwrap();
    let said = scratch.enact(&[&ratify[..], &["--proposal", record]].concat());
    for text in [record, first["examined"]["digest"].as_str().unwrap(), "by Actor:ada", "conformance"] {
        assert!(said.out.contains(text), "no `{text}` in {said:#?}");
    }
}

#[test]
fn a_file_may_be_proposed_again_without_its_vectors() {
    let scratch = governed();
    let with = folder(&scratch, "with", &says("x"), &[("vectors.json", vectors(&["any"]))]);
    scratch.enact(&["module", "add", &with, "--as", "ada"]).exits(0);
    let without = folder(&scratch, "without", &says("x"), &[]);
    scratch.enact(&["module", "add", &without, "--as", "ada", "--ratify-as", "bo"]).exits(0);
}

#[test]
fn a_name_that_is_a_path_is_no_name() {
    let scratch = governed();
    let path = folder(&scratch, "evil", &says("x"), &[("manifest.json", json!({"module": "../../x", "world": "transform"}))]);
    refused(&scratch.enact(&["module", "test", &path, "--json"]), 1, "module_name");
    refused(&scratch.enact(&["module", "add", &path, "--name", "fine", "--as", "ada", "--json"]), 1, "module_name");
}

#[test]
fn the_name_that_was_signed_is_the_one_that_is_imported() {
    let scratch = governed();
    scratch.admit("shout", &says("x"), ["ada", "bo"]);
    let archive = scratch.path().join("a.tar").to_string_lossy().into_owned();
    scratch.enact(&["module", "export", "shout", "-o", &archive, "--sign-as", "ada"]).exits(0);
    // The manifest is not signed: somebody lets the file call itself otherwise.
    let text = std::fs::read(&archive).unwrap();
    let at = text.windows(7).position(|bytes| bytes == b"\"shout\"").unwrap();
    let renamed = [&text[..at], b"\"trust\"", &text[at + 7..]].concat();
    std::fs::write(&archive, renamed).unwrap();
    let there = governed();
    let key = scratch.enact(&["actor", "list", "--json"]).exits(0).json()[0]["key"].as_str().unwrap().to_owned();
    let import = ["module", "import", &archive, "--as", "ada", "--key", &key, "--json"];
    let error = refused(&there.enact(&import), 3, "module_signature");
    assert!(error["message"].as_str().unwrap().contains("`shout`"), "{error}");
    let imported = there.enact(&[&import[..], &["--name", "loud"]].concat()).exits(0).json();
    assert_eq!(imported["module"], "loud");
}

#[test]
fn a_key_that_is_none_is_named_as_what_it_should_be() {
    let scratch = governed();
    let path = folder(&scratch, "x", &says("x"), &[]);
    scratch.enact(&["module", "sign", &path, "--as", "ada"]).exits(0);
    let error = refused(&scratch.enact(&["module", "verify", &path, "--key", "AAAA", "--json"]), 1, "key_invalid");
    assert!(error["message"].as_str().unwrap().contains("base64"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("actor list"), "{error}");
}

#[test]
fn text_of_strangers_is_shown_and_not_obeyed() {
    let scratch = Scratch::init();
    let name = "\u{1b}[31mred \u{202e}der";
    let path = folder(&scratch, "x", &says("\u{9b}31m"), &[("vectors.json", vectors(&[name]))]);
    let hidden = |ran: &Ran| {
        let all = format!("{}{}", ran.out, ran.err);
        assert!(!all.contains("\u{1b}[31mred") && !all.contains('\u{202e}') && !all.contains('\u{9b}'), "{ran:#?}");
        all
    };
    let color = |args: &[&str]| ran(&scratch.command().env_remove("NO_COLOR").args(["--color", "always"]).args(args).output().unwrap());
    assert!(hidden(&color(&["module", "test", &path])).contains("\\u{1b}[31mred"));
    hidden(&color(&["module", "call", &path, "CT_ANY_V0"]));
    let broken = folder(&scratch, "y", &says("x"), &[("vectors.json", json!({"vectors": [{"name": name}]}))]);
    hidden(&color(&["module", "test", &broken]));
    // Names of entries of an archive: the first 100 bytes of a block, whose sum is written behind.
    let mut block = vec![0; 1_536];
    for (at, text) in
        [(0, name), (100, "0000644"), (124, "00000000000"), (136, "00000000000"), (148, "        "), (156, "0"), (257, "ustar")]
    {
        block[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let archive = scratch.path().join("a.tar");
    std::fs::write(&archive, block).unwrap();
    assert!(hidden(&color(&["module", "import", &archive.to_string_lossy(), "--as", "ada"]).exits(1)).contains("does not belong"));
}

#[test]
fn b_32_no_more_is_inspected_than_may_be_added() {
    let scratch = Scratch::init();
    let large = scratch.path().join("large.wasm");
    std::fs::File::create(&large).unwrap().set_len((64 << 20) + 1).unwrap();
    refused(&scratch.enact(&["module", "inspect", &large.to_string_lossy(), "--json"]), 1, "file_too_large");
}

#[test]
fn b_32_a_comparison_of_strangers_is_ended_in_time() {
    let scratch = Scratch::init();
    // Sixty calls that take all their fuel, of each of two.
    let spins = |memory: &str| support::transform(memory, "(loop $again (br $again)) (unreachable)");
    let names: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let promised = vectors(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let (old, new) = (folder(&scratch, "old", &spins(""), &[("vectors.json", promised)]), folder(&scratch, "new", &spins("(func)"), &[]));
    let begun = Instant::now();
    let diff = scratch.command().env("ENACT_ADMISSION_SECONDS", "1").args(["module", "diff", &old, &new, "--json"]).output().unwrap();
    refused(&ran(&diff), 3, "admission_timeout");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn b_32_a_world_of_a_vector_has_bounds() {
    let scratch = Scratch::init();
    let row = |n: usize| json!({"name": format!("in{n}"), "path": format!("data/in{n}"), "mode": "read"});
    let tried = |files: Vec<Value>, held: Value| {
        let mut promised = vectors(&["any"]);
        promised["vectors"][0]["files"] = json!(files);
        promised["vectors"][0]["state"] = json!({"files": held});
        let path = folder(&scratch, "x", &says("x"), &[("vectors.json", promised)]);
        scratch.enact(&["module", "test", &path, "--json"])
    };
    let held = |count: usize| (0..count).map(|n| (format!("in0/{n}"), json!("x"))).collect::<serde_json::Map<_, _>>();
    tried(vec![row(0)], json!(held(4_000))).exits(0);
    refused(&tried(vec![row(0)], json!(held(4_001))), 1, "vectors_invalid");
    tried((0..64).map(row).collect(), json!({})).exits(0);
    refused(&tried((0..65).map(row).collect(), json!({})), 1, "vectors_invalid");
    // Names that only begin alike are no folders of each other.
    tried(vec![row(0)], json!({"in0/a": "x", "in0/a-": "x", "in0/a0/b": "x"})).exits(0);
    refused(&tried(vec![row(0)], json!({"in0/a": "x", "in0/a-": "x", "in0/a/b": "x"})), 1, "vectors_invalid");
}
