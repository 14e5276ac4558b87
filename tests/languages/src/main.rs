//! Builds the projects of `enact module new` as a stranger would, and holds what comes out against their vectors and a workflow.
//!
//! `enact-languages [LANGUAGE…]`, from the root of the project; without arguments all languages. See `README.md` beside it.
#![allow(clippy::print_stdout, reason = "a tool that says what it found")]

mod registration;
mod vectors;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// The name of every project, so that a dash in it is tried too.
const PROJECT: &str = "old-tree";

/// A language, and the profile that admits its components.
const LANGUAGES: [(&str, &str); 5] =
    [("rust", "strict"), ("c", "strict"), ("assemblyscript", "strict"), ("javascript", "standard"), ("python", "standard")];

/// Where things are.
pub(crate) struct Places {
    /// The root of the project.
    root: PathBuf,
    /// The command under test.
    enact: PathBuf,
    /// What is built goes below this folder.
    work: PathBuf,
}

fn main() -> Result<()> {
    let root = std::env::current_dir()?;
    let places = Places { enact: root.join("target/release/enact"), work: root.join("target/languages"), root };
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = asked.iter().find(|name| !LANGUAGES.iter().any(|(language, _)| language == name)) {
        bail!("no language `{unknown}`");
    }
    let mut steps = Vec::new();
    let mut passed = 0;
    for (language, profile) in LANGUAGES.iter().filter(|(language, _)| asked.is_empty() || asked.iter().any(|name| name == language)) {
        let project = places.new_project(language)?;
        places.build(language, &project)?;
        for folder in ["transform", "effect"] {
            let component = project.join(folder).join(format!("{PROJECT}-{folder}.wasm"));
            let found = vectors::check(&places, &component, profile)?;
            println!("{language:<15}{folder:<10} {found}");
            passed += 1;
        }
        steps.extend(registration::build(&places, language, &project)?);
    }
    registration::run(&places, &steps)?;
    println!("{} passed, 0 failed", passed + 1);
    Ok(())
}

impl Places {
    /// A new project, as `enact module new` writes it. Installed tools of an earlier one are kept.
    fn new_project(&self, language: &str) -> Result<PathBuf> {
        let project = self.work.join("projects").join(language);
        let kept = self.work.join(format!("{language}-node_modules"));
        if project.join("node_modules").is_dir() {
            std::fs::rename(project.join("node_modules"), &kept)?;
        }
        if project.exists() {
            std::fs::remove_dir_all(&project)?;
        }
        let dir = project.to_str().context("the path is text")?;
        self.enact(&["module", "new", "--lang", language, PROJECT, "--dir", dir])?;
        if kept.is_dir() {
            std::fs::rename(&kept, project.join("node_modules"))?;
        }
        Ok(project)
    }

    fn build(&self, language: &str, project: &Path) -> Result<()> {
        let script = self.root.join("tests/languages/build.sh");
        let status = Command::new("bash").arg(script).arg(language).arg(project).arg(self.work.join("tools")).status()?;
        ensure!(status.success(), "the project in {language} does not build");
        Ok(())
    }

    /// Runs `enact` and answers what it printed.
    fn enact(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.enact).args(arguments).env_remove("ENACT_WORKSPACE").output();
        let output = output.with_context(|| format!("cannot run {}; build it first", self.enact.display()))?;
        let (printed, errors) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "enact {} ended with {}: {printed}{errors}", arguments.join(" "), output.status);
        Ok(printed)
    }
}
