//! The boundary of the core, read from manifests, the lock file and the sources: what it may know and who may know it.
//!
//! The compiler proves the hardest part elsewhere (`tests/no_std` links the crate without a standard library). Here is
//! what a compiler does not see: the graph of the crates, and words that have no business in a pure crate.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]
#![allow(clippy::disallowed_methods, reason = "it reads manifests and sources")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn root() -> PathBuf {
    here().join("../..")
}

/// Names under `[dependencies]` of a manifest, build and target dependencies included, development ones not.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut names = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = header;
            // `[dependencies.name]` is a dependency by its header alone.
            names.extend(header.split_once("dependencies.").filter(|(kind, _)| !kind.ends_with("dev-")).map(|(_, name)| name.to_owned()));
        } else if section.ends_with("dependencies") && !section.ends_with("dev-dependencies") && !section.starts_with("workspace") {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// The resolved graph of `Cargo.lock`: each version of a package, as "name version", to those it needs. Development dependencies of
/// registry crates are not in it; those of our own crates are.
fn locked() -> BTreeMap<String, BTreeSet<String>> {
    let lock = read_to_string(root().join("Cargo.lock")).unwrap();
    let quoted = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut packages = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| package.lines().find(|line| line.starts_with(key)).map(quoted).unwrap();
        let (name, version) = (value("name = "), value("version = "));
        let needs: Vec<String> = package.lines().filter(|line| line.starts_with(" \"")).map(quoted).collect();
        packages.push((format!("{name} {version}"), needs));
        versions.entry(name).or_default().push(version);
    }
    // A version is named where there are several.
    let resolved = |need: String| match need.split(' ').collect::<Vec<_>>().as_slice() {
        [name] => format!("{name} {}", versions[*name][0]),
        [name, version, ..] => format!("{name} {version}"),
        [] => need,
    };
    packages.into_iter().map(|(package, needs)| (package, needs.into_iter().map(resolved).collect())).collect()
}

/// The name in "name version".
fn name(package: &str) -> &str {
    package.split(' ').next().unwrap_or_default()
}

/// All sources of the crate, with their paths.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), read_to_string(&path).unwrap()));
        }
    }
    found
}

/// What of a source is code: without comments and without the unit tests at its end.
fn code(source: &str) -> String {
    let body = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = body.lines().map(|line| line.split("//").next().unwrap_or_default());
    // A lifetime is not a global.
    lines.collect::<Vec<_>>().join("\n").replace("'static", "")
}

fn assert_absent(words: &[&str]) {
    let files = sources(&here().join("src"));
    assert!(files.len() > 10, "the scan looks at the wrong place");
    for (path, source) in files {
        let code = code(&source);
        for word in words {
            let whole = code
                .split(|c: char| !(c.is_alphanumeric() || "_:!".contains(c)))
                .any(|token| token == *word || (word.ends_with("::") && token.contains(word)));
            assert!(!whole, "`{word}` in {}", path.display());
        }
    }
}

#[test]
fn b_10_the_core_does_no_io_has_no_environment_and_is_not_async() {
    assert_absent(&[
        "std::",
        "async",
        "await",
        "tokio",
        "unsafe",
        "env!",
        "option_env!",
        "include_bytes!",
        "include_str!",
        "println!",
        "eprintln!",
    ]);
    assert_absent(&["static", "thread_local!", "RwLock", "Mutex", "AtomicBool", "AtomicU64", "Waker", "Future"]);
}

#[test]
fn b_11_the_core_reads_no_clock_retries_nothing_and_knows_no_service() {
    assert_absent(&[
        "SystemTime",
        "Duration",
        "now",
        "sleep",
        "retry",
        "retries",
        "schedule",
        "webhook",
        "email",
        "http",
        "payment",
        "wallet",
    ]);
}

#[test]
fn b_10_b_12_the_sources_are_without_standard_library_and_unsafe_code() {
    let lib = read_to_string(here().join("src/lib.rs")).unwrap();
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]", "#![warn(missing_docs)]"] {
        assert!(lib.lines().any(|line| line == attribute), "{attribute}");
    }
    assert!(!lib.contains("extern crate std"));
}

#[test]
fn b_13_the_core_depends_on_encodings_and_hashes_only() {
    let manifest = read_to_string(here().join("Cargo.toml")).unwrap();
    let allowed = ["base64", "blake3", "ed25519-dalek", "hex", "ryu-js", "serde", "serde_json", "sha2"];
    let found = dependencies(&manifest);
    assert_eq!(found, allowed.map(String::from).into(), "a new dependency of the core is a decision, not an accident");
}

#[test]
fn b_13_nothing_below_the_core_reaches_a_service_a_database_or_a_runtime() {
    let graph = locked();
    let direct = dependencies(&read_to_string(here().join("Cargo.toml")).unwrap());
    let (_, own) = graph.iter().find(|(package, _)| name(package) == "enact-core").unwrap();
    let mut open: Vec<String> = own.iter().filter(|package| direct.contains(name(package))).cloned().collect();
    assert_eq!(open.len(), direct.len(), "each is locked once for the core");
    let mut below = BTreeSet::new();
    while let Some(package) = open.pop() {
        // `cc` drives a C compiler in build scripts: what it needs itself is linked into nothing of ours.
        if name(&package) == "cc" {
            let driver: Vec<&str> = graph[&package].iter().map(|need| name(need)).collect();
            assert_eq!(driver, ["find-msvc-tools", "jobserver", "libc", "shlex"], "what a build script needs is looked at when it changes");
        } else if below.insert(package.clone()) {
            open.extend(graph.get(&package).unwrap_or_else(|| panic!("`{package}` is not locked")).iter().cloned());
        }
    }
    let below: BTreeSet<&str> = below.iter().map(|package| name(package)).collect();
    assert!(below.contains("digest"), "the walk goes deeper than the manifest");
    let forbidden = ["tokio", "rusqlite", "wasmtime", "reqwest", "hyper", "mio", "socket2", "clap", "getrandom", "rand", "chrono", "time"];
    let reached: Vec<_> = below.iter().filter(|name| forbidden.contains(name) || name.starts_with("enact")).collect();
    assert!(reached.is_empty(), "{reached:?}");
}

#[test]
fn b_14_b_01_the_edges_between_our_crates_run_down_only() {
    // From the ground up; a crate may know those listed for it and no other of ours.
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("host/core", &[] as &[&str]),
        ("host/flow", &[]),
        ("host/queue", &[]),
        ("host/store", &["enact-core"]),
        // Holds no code, only features of shared dependencies; the pure crates must not know it.
        ("host/unify", &[]),
        ("host/wasm", &["enact-core", "enact-flow", "enact-unify"]),
        ("host/engine", &["enact-core", "enact-flow", "enact-queue", "enact-store", "enact-unify", "enact-wasm"]),
        ("host/registry", &["enact-unify"]),
        ("host/mail", &["enact-unify"]),
        ("guest-sdk", &[]),
    ]);
    for (folder, allowed) in allowed {
        let manifest = read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let ours: Vec<_> = dependencies(&manifest).into_iter().filter(|name| name.starts_with("enact")).collect();
        for name in &ours {
            assert!(allowed.contains(&name.as_str()), "{folder} depends on {name}");
        }
    }
    // Execution builds upon the core, otherwise the rule above says nothing.
    let engine = read_to_string(root().join("host/engine/Cargo.toml")).unwrap();
    assert!(dependencies(&engine).contains("enact-core"));
}

#[test]
fn the_reader_of_manifests_reads_what_is_there() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\n# note\na.workspace = true\nb = { path = \"b\" }\n\
        [dev-dependencies]\nc = \"1\"\n[target.'cfg(unix)'.dependencies]\nd = \"1\"\n[dependencies.e]\nversion = \"1\"\n\
        [dev-dependencies.f]\nversion = \"1\"\n[workspace.dependencies]\ng = \"1\"\n";
    assert_eq!(dependencies(manifest), ["a", "b", "d", "e"].map(String::from).into());
    assert_eq!(code("a // b\n#[cfg(test)]\nc").trim(), "a");
}
