//! `enact module sign`, `verify`, `export`, `import`: a module on its way from one workspace to another.
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use enact_engine::EngineError;
use enact_engine::admission::exchange::{self, Statement};
use enact_engine::admission::{Intake, MODULE_BYTES_MAX, Provenance, SIDE_FILE_BYTES_MAX};
use serde_json::json;

use crate::args::Global;
use crate::cmd::{open_look, read_input};
use crate::exit::Exit;
use crate::ui::{DIM, GOOD, NAME, Ui, plain};

/// What to sign.
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The component, a `.wasm` file.
    file: PathBuf,
    /// Whose key signs.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// What the signer calls it; the name of the file without it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where the signature goes; FILE.sig.json without it.
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What to verify.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The component, a `.wasm` file.
    file: PathBuf,
    /// The signature; FILE.sig.json without it.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerArgs,
}

/// Whose signature is asked for.
#[derive(Debug, Clone, Args)]
pub(crate) struct SignerArgs {
    /// The signer's Ed25519 key in base64, as `enact actor list --json` shows it.
    #[arg(long, value_name = "BASE64", conflicts_with = "signer")]
    key: Option<String>,
    /// The signer, an actor of this ledger.
    #[arg(long = "by", value_name = "ACTOR")]
    signer: Option<String>,
}

/// What to export.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The module by name, or a file by its digest.
    module: String,
    /// Where it goes; NAME.enact-module.tar without it.
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Sign it.
    #[arg(long = "sign-as", value_name = "ACTOR")]
    sign: Option<String>,
}

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What `enact module export` wrote.
    file: PathBuf,
    /// Who proposes it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// Who ratifies it at once: another actor whose key is here as well.
    #[arg(long, value_name = "ACTOR")]
    ratify_as: Option<String>,
    /// Its name, if it is to have another one here.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    signer: SignerArgs,
}

/// A file that somebody else may have made, within a bound.
pub(super) fn file(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    read_input(path, max, |_| EngineError::FileTooLarge { path: path.to_owned(), bytes_max })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig.json");
    PathBuf::from(name)
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(std::fs::write(path, bytes).map_err(|e| EngineError::file("write", path, e))?)
}

impl SignerArgs {
    /// The key asked for, and how the record calls its owner.
    fn key(&self, global: &Global) -> Result<Option<(String, String)>> {
        Ok(match (&self.key, &self.signer) {
            (Some(key), _) => Some((key.clone(), key.clone())),
            (None, Some(actor)) => Some((open_look(global)?.actor_public_key(actor)?, actor.clone())),
            (None, None) => None,
        })
    }
}

pub(super) fn sign(ui: &Ui, global: &Global, args: &SignArgs) -> Result<Exit> {
    let bytes = file(&args.file, MODULE_BYTES_MAX)?;
    let statement = Statement::of(&args.name.clone().unwrap_or_else(|| stem(&args.file)), &bytes);
    let envelope = open_look(global)?.sign_module(&args.by, &statement)?;
    let output = args.output.clone().unwrap_or_else(|| beside(&args.file));
    write(&output, &envelope)?;
    if ui.json() {
        ui.document(&json!({"signature": output, "statement": statement}))?;
    } else {
        ui.line(format!("{GOOD}signed{GOOD:#} {} {DIM}{}{DIM:#}", output.display(), statement.digest))?;
    }
    Ok(Exit::Done)
}

pub(super) fn verify(ui: &Ui, global: &Global, args: &VerifyArgs) -> Result<Exit> {
    let (bytes, signature) = (file(&args.file, MODULE_BYTES_MAX)?, args.signature.clone().unwrap_or_else(|| beside(&args.file)));
    let envelope = file(&signature, SIDE_FILE_BYTES_MAX)?;
    let missing = || EngineError::ModuleSignature { detail: "nobody was said to have signed it: name --key or --by".to_owned() };
    let (key, who) = args.signer.key(global)?.ok_or_else(missing)?;
    let statement = exchange::verify(&bytes, &envelope, &exchange::key(&key)?)?;
    if ui.json() {
        ui.document(&json!({"verified": true, "by": who, "statement": statement}))?;
    } else {
        ui.line(format!(
            "{GOOD}verified{GOOD:#} {NAME}{}{NAME:#} {} {DIM}signed by {who}{DIM:#}",
            plain(&statement.module),
            statement.digest
        ))?;
    }
    Ok(Exit::Done)
}

pub(super) fn export(ui: &Ui, global: &Global, args: &ExportArgs) -> Result<Exit> {
    let engine = open_look(global)?;
    let mut intake = engine.module_kept(&engine.module_digest(&args.module)?)?;
    if !args.module.starts_with("blake3:") {
        intake.manifest.module.clone_from(&args.module);
    }
    let name = if intake.manifest.module.is_empty() { "module".to_owned() } else { intake.manifest.module.clone() };
    let sign = |actor: &String| engine.sign_module(actor, &Statement::of(&name, &intake.bytes));
    let signature = args.sign.as_ref().map(sign).transpose()?;
    let archive = exchange::pack(&intake, signature.as_deref())?;
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.enact-module.tar")));
    write(&output, &archive)?;
    let digest = Statement::of(&name, &intake.bytes).digest;
    if ui.json() {
        ui.document(&json!({"file": output, "module": name, "digest": digest, "bytes": archive.len(), "signed": signature.is_some()}))?;
    } else {
        ui.line(format!("{GOOD}exported{GOOD:#} {NAME}{name}{NAME:#} to {} {DIM}{digest}{DIM:#}", output.display()))?;
    }
    Ok(Exit::Done)
}

pub(super) fn import(ui: &Ui, global: &Global, args: &ImportArgs) -> Result<Exit> {
    let (intake, signature): (Intake, _) = exchange::unpack(&file(&args.file, MODULE_BYTES_MAX + 4 * SIDE_FILE_BYTES_MAX)?)?;
    let signed_by = match (args.signer.key(global)?, signature) {
        (Some((key, who)), Some(envelope)) => {
            let said = exchange::verify(&intake.bytes, &envelope, &exchange::key(&key)?)?;
            // The name is half of what was signed. Whoever wants another one says so.
            if args.name.is_none() && said.module != intake.manifest.module {
                let (said, named) = (said.module, intake.manifest.module);
                let detail = format!("it calls this file `{said}`, the archive calls it `{named}`; choose one with --name if you trust it");
                return Err(EngineError::ModuleSignature { detail }.into());
            }
            Some(who)
        }
        (Some(_), None) => return Err(EngineError::ModuleSignature { detail: "the file carries no signature".to_owned() }.into()),
        (None, carried) => {
            if carried.is_some() {
                ui.note("its signature was not checked: say whose it is with --key or --by");
            }
            None
        }
    };
    let name = args.name.clone().unwrap_or_else(|| intake.manifest.module.clone());
    let from = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    super::admit::take_in(
        ui,
        global,
        &super::admit::Taken {
            by: &args.by,
            ratify_as: args.ratify_as.as_deref(),
            name: &name,
            note: None,
            intake,
            provenance: Provenance { file: from, signed_by },
        },
    )
}
