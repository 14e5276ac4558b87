//! `enact-capabilities-build`: builds every module under `capabilities/` from source and writes its bytes and digests, or checks them.
//!
//! It is a tool of the developer, not a part of the host: the host admits bytes by their digest and never builds any.

mod compile;
mod componentize;
mod digests;
mod module;
mod stage;
mod toolchain;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser;

use crate::digests::Record;
use crate::module::Module;
use crate::stage::Stage;
use crate::toolchain::Toolchain;

/// Builds the capability modules from source, byte for byte.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Write nothing; compare the rebuilt bytes with the committed ones and end with 1 at the first difference
    #[arg(long)]
    check: bool,
    /// The folder that holds the modules
    #[arg(long, default_value = "capabilities")]
    capabilities: PathBuf,
    /// The WIT package that the modules are built against
    #[arg(long, default_value = "protocol/wit/capability.wit")]
    wit: PathBuf,
    /// Where intermediate files go; by default `target/capabilities` beside the folder of the modules
    #[arg(long)]
    target_dir: Option<PathBuf>,
    /// Only these modules; all others keep their record
    names: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a standard error stream that is closed.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let folder = arguments
        .capabilities
        .canonicalize()
        .with_context(|| format!("no folder `{}`; run from the root of the project", arguments.capabilities.display()))?;
    let modules = chosen(module::find(&folder)?, &arguments.names)?;
    let toolchain = Toolchain::find()?;
    let wit = componentize::Wit::read(&arguments.wit)?;
    let target_dir = arguments.target_dir.clone().unwrap_or_else(|| folder.join("../target/capabilities"));
    let stage = Stage::set(&folder, &target_dir)?;
    let recorded = digests::read(&folder)?;

    let mut built = recorded.clone();
    let mut out = std::io::stdout().lock();
    for module in &modules {
        let core = compile::module(&toolchain, &stage, &target_dir, module, arguments.check)?;
        let bytes = wit.component(module, &core)?;
        let record = Record::of(module, &bytes, toolchain.description());
        if arguments.check {
            digests::compare(module, &bytes, &record, recorded.get(&module.name))?;
        } else {
            module.write(&bytes)?;
        }
        writeln!(out, "{:<16} {:>7} bytes  {}", module.name, record.size, record.blake3)?;
        built.insert(module.name.clone(), record);
    }
    if !arguments.check {
        stage.keep_lock()?;
        digests::write(&folder, &built)?;
    } else if arguments.names.is_empty() && !same_names(&recorded, &modules) {
        bail!("`digests.json` records modules that have no source; rebuild without `--check`");
    }
    Ok(())
}

fn chosen(modules: Vec<Module>, names: &[String]) -> Result<Vec<Module>> {
    if let Some(unknown) = names.iter().find(|name| !modules.iter().any(|module| module.name == **name)) {
        let known: Vec<&str> = modules.iter().map(|module| module.name.as_str()).collect();
        bail!("no module `{unknown}`; there are: {}", known.join(", "));
    }
    Ok(modules.into_iter().filter(|module| names.is_empty() || names.contains(&module.name)).collect())
}

fn same_names(recorded: &BTreeMap<String, Record>, modules: &[Module]) -> bool {
    recorded.len() == modules.len() && modules.iter().all(|module| recorded.contains_key(&module.name))
}
