//! `enact module new`: a project of a transform and a side effect, in one of five languages, that builds with public tools.
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use enact_engine::EngineError;
use serde::Serialize;

use crate::exit::Exit;
use crate::templates::Language;
use crate::ui::{DIM, GOOD, NAME, Ui};

/// Bytes of a name: with a prefix and a version it is still a code.
const NAME_BYTES_MAX: usize = 64;

/// Write a project: one transform and one side effect, with vectors, a manifest each, and a README.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The name of the project: lower case letters, digits and single dashes.
    name: String,
    /// The language: rust, c, javascript (js), python (py) or assemblyscript (as).
    #[arg(long, value_enum, hide_possible_values = true)]
    lang: Language,
    /// Where to write it. Without it, a folder of the project's name.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Written {
    name: String,
    language: String,
    dir: PathBuf,
    files: Vec<&'static str>,
    build: &'static [&'static str],
}

pub(crate) fn run(ui: &Ui, args: &NewArgs) -> Result<Exit> {
    if !is_name(&args.name) {
        return Err(EngineError::ProjectName { name: args.name.clone() }.into());
    }
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    refuse_full(&dir)?;
    let project = args.lang.project(&args.name);
    for (path, text) in &project {
        write(&dir.join(path), text)?;
    }
    let files = project.iter().map(|(path, _)| *path).collect();
    let written = Written { name: args.name.clone(), language: args.lang.to_string(), dir, files, build: args.lang.build() };
    if ui.json() {
        ui.document(&written)?;
    } else {
        print(ui, &written)?;
    }
    Ok(Exit::Done)
}

/// A letter first, no dash at the end, none after another: what becomes a code, a package and a file in every language.
fn is_name(name: &str) -> bool {
    let words = name.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    words && name.len() <= NAME_BYTES_MAX && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Nothing that is there is ever written over.
pub(super) fn refuse_full(dir: &Path) -> Result<()> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(EngineError::FolderNotEmpty { path: dir.to_owned() }.into()),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(EngineError::file("read", dir, e).into()),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| EngineError::file("create", folder, e))?;
    }
    std::fs::write(path, text).map_err(|e| EngineError::file("write", path, e))?;
    Ok(())
}

fn print(ui: &Ui, written: &Written) -> Result<()> {
    let Written { name, dir, .. } = written;
    ui.line(format!("{GOOD}created{GOOD:#} {}", dir.display()))?;
    for file in &written.files {
        ui.line(format!("  {DIM}{file}{DIM:#}"))?;
    }
    ui.line("next:")?;
    ui.line(format!("  {NAME}cd {}{NAME:#}", dir.display()))?;
    for command in written.build {
        ui.line(format!("  {NAME}{command}{NAME:#}"))?;
    }
    for folder in ["transform", "effect"] {
        ui.line(format!("  {NAME}enact module test {folder}/{name}-{folder}.wasm{NAME:#}"))?;
    }
    ui.line(format!("README.md in it says how to bring it in (`{NAME}enact module add{NAME:#}`)."))?;
    Ok(())
}
