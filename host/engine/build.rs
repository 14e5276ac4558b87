//! Embeds the first-party packs and components, so that one binary runs the main job on a fresh machine.
//!
//! Not a build step of the components themselves: their bytes are committed beside their sources and checked elsewhere.
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(env("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(env("OUT_DIR")).join("embedded.rs");
    let mut text = String::new();

    let packs = root.join("protocol/packs");
    watch(&packs);
    text.push_str("pub(super) const ARTIFACTS: &[(&str, &str, &[u8])] = &[\n");
    for pack in folders(&packs) {
        watch(&pack.join("artifacts"));
        for file in files(&pack.join("artifacts"), "json") {
            line(&mut text, &[name(&pack), stem(&file)], &file);
        }
    }
    text.push_str("];\npub(super) const EXAMPLES: &[(&str, &str, &[u8])] = &[\n");
    for pack in folders(&packs).into_iter().filter(|pack| pack.join("examples/story.json").is_file()) {
        watch(&pack.join("examples"));
        for file in files(&pack.join("examples"), "json") {
            let file_name = name(&file);
            line(&mut text, &[name(&pack), file_name], &file);
        }
    }
    text.push_str("];\npub(super) const PACKS: &[(&str, &[u8])] = &[\n");
    for pack in folders(&packs) {
        line(&mut text, &[name(&pack)], &pack.join("pack.json"));
    }

    let capabilities = root.join("capabilities");
    watch(&capabilities);
    text.push_str("];\npub(super) const MODULES: &[(&str, &[u8])] = &[\n");
    for folder in folders(&capabilities) {
        for file in files(&folder, "wasm") {
            line(&mut text, &[stem(&file)], &file);
        }
    }
    text.push_str("];\npub(super) const MANIFESTS: &[(&str, &[u8])] = &[\n");
    for folder in folders(&capabilities) {
        let manifest = folder.join("manifest.json");
        if manifest.is_file() {
            line(&mut text, &[name(&folder)], &manifest);
        }
    }
    text.push_str("];\n");
    fs::write(&out, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", out.display()));
}

fn env(key: &str) -> String {
    std::env::var(key).unwrap_or_else(|e| panic!("cargo sets {key}: {e}"))
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

fn line(text: &mut String, keys: &[String], file: &Path) {
    watch(file);
    text.push_str("    (");
    for key in keys {
        let _ = write!(text, "{key:?}, ");
    }
    let _ = writeln!(text, "include_bytes!({:?})),", file.display().to_string());
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(read) = fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<PathBuf> = read.filter_map(|e| e.ok().map(|e| e.path())).collect();
    all.sort();
    all
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    entries(folder).into_iter().filter(|p| p.is_dir() && name(p) != "guests" && name(p) != "build").collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    entries(folder).into_iter().filter(|p| p.extension().is_some_and(|e| e == extension)).collect()
}

fn name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}
