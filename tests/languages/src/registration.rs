//! The workflow of the pack `registration` with a module in each language: the same answers as with the first-party modules, and an
//! audit that executes them again finds the same.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{PROJECT, Places};

const WORKFLOW: &str = "WF_REGISTER_USER_UNVERIFIED_V0";
const BINDING: &str = "RB_REGISTRATION_DEVELOPMENT_V0";
/// The payloads of the pack, in an order that registers one person twice.
const PAYLOADS: [&str; 5] = ["jane", "ada", "bjorn", "jane", "bad-email"];

/// Which step a language has: its code, and the folder of the project that is built from other sources.
const STEPS: [(&str, &str, &str); 5] = [
    ("rust", "CS_REGISTRY_V0", "effect"),
    ("c", "CT_PURE_GENERATE_ID_V0", "transform"),
    ("assemblyscript", "CS_APPENDONLY_JSONL_V0", "effect"),
    ("javascript", "CT_PURE_PASSTHROUGH_V0", "transform"),
    // The workflow has four codes: in a workspace of its own, in the place of the one before.
    ("python", "CT_PURE_PASSTHROUGH_V0", "transform"),
];

/// A module for one code of the workflow.
pub(crate) struct Step {
    code: &'static str,
    module: String,
    component: PathBuf,
}

/// Builds a language's step: its project with other sources in one folder.
pub(crate) fn build(places: &Places, language: &str, project: &Path) -> Result<Option<Step>> {
    let Some((_, code, folder)) = STEPS.into_iter().find(|(of, _, _)| *of == language) else { return Ok(None) };
    overlay(&places.root.join("tests/languages/registration").join(language), project)?;
    places.build(language, project)?;
    let component = project.join(folder).join(format!("{PROJECT}-{folder}.wasm"));
    Ok(Some(Step { code, module: format!("registration-{language}"), component }))
}

/// Copies files over those that are there.
fn overlay(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("no {}", from.display()))? {
        let path = entry?.path();
        let target = to.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            overlay(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// Runs the workflow with the steps and without them, and audits.
pub(crate) fn run(places: &Places, steps: &[Step]) -> Result<()> {
    let first_party = answers(places, "first-party", &[])?;
    let mut seen = BTreeSet::new();
    let (first, second): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| seen.insert(step.code));
    // Where two languages have one code, the second one takes its turn, beside the others.
    let others = first.iter().filter(|step| second.iter().all(|other| other.code != step.code));
    let turns = if second.is_empty() { vec![first.clone()] } else { vec![first.clone(), others.chain(&second).copied().collect()] };
    for (nth, steps) in turns.into_iter().enumerate() {
        let name = &format!("languages-{nth}");
        let modules: Vec<&str> = steps.iter().map(|step| step.module.as_str()).collect();
        for (payload, (ours, theirs)) in PAYLOADS.iter().zip(first_party.iter().zip(&answers(places, name, &steps)?)) {
            ensure!(ours == theirs, "{payload}: with the first-party modules {ours:#}, with {}: {theirs:#}", modules.join(", "));
        }
        println!("{WORKFLOW} ran {} times with {}, and audits equal", PAYLOADS.len(), modules.join(", "));
    }
    Ok(())
}

/// What the workflow answers to each payload in a new workspace with these steps; audited.
fn answers(places: &Places, name: &str, steps: &[&Step]) -> Result<Vec<Value>> {
    let path = places.work.join("workspaces").join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path)?;
    }
    let workspace = path.to_str().context("the path is text")?;
    places.enact(&["-w", workspace, "init"])?;
    bind(places, workspace, steps)?;
    let mut answers = Vec::new();
    for payload in PAYLOADS {
        let file = places.root.join(format!("protocol/packs/registration/examples/{payload}.json"));
        let report = places.enact(&["-w", workspace, "run", WORKFLOW, "--payload", file.to_str().context("text")?, "--json"])?;
        let report: Value = serde_json::from_str(&report)?;
        answers.push(json!({ "exit": report["exit"], "output": report["output"], "context_hash": report["context_hash"] }));
        ensure!(report["exit"].is_object() && report["context_hash"].is_string(), "no such report: {report:#}");
    }
    let audit: Value = serde_json::from_str(&places.enact(&["-w", workspace, "audit", "--all", "--state", "--json"])?)?;
    ensure!(audit["replayed"] == PAYLOADS.len(), "the audit replayed {audit:#}");
    places.enact(&["-w", workspace, "verify"])?;
    Ok(answers)
}

/// Has the modules admitted and binds them, as two stewards would.
fn bind(places: &Places, workspace: &str, steps: &[&Step]) -> Result<()> {
    let enact = |arguments: &[&str]| places.enact(&[&["-w", workspace], arguments].concat());
    enact(&["actor", "found", "ada"])?;
    enact(&["actor", "new", "bo", "--as", "ada", "--role", "steward"])?;
    for step in steps {
        // Alone in a folder: the vectors of the project are about its own code, not about the one of this workflow.
        let alone = places.work.join("modules");
        std::fs::create_dir_all(&alone)?;
        let file = alone.join(format!("{}.wasm", step.module));
        std::fs::copy(&step.component, &file)?;
        let file = file.to_str().context("the path is text")?;
        enact(&["module", "add", file, "--name", &step.module, "--as", "ada", "--ratify-as", "bo"])?;
        let limits = ["--limit", "fuel=500000000", "--limit", "memory_bytes=67108864", "--limit", "output_bytes=65536"];
        enact(&[&["module", "grant", &step.module, "--binding", BINDING, "--capability", step.code], limits.as_slice()].concat())?;
    }
    Ok(())
}
