//! `enact module push` and `pull`: modules on their way to and from a registry. Nothing is admitted by either.
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use enact_engine::EngineError;
use enact_engine::admission::exchange::Statement;
use enact_engine::admission::{MODULE_BYTES_MAX, SIDE_FILE_BYTES_MAX};
use enact_registry::{Credentials, Error, Parcel, Place, Registry};
use serde_json::json;

use crate::args::Global;
use crate::cmd::{open_look, read_input};
use crate::exit::Exit;
use crate::ui::{DIM, GOOD, NAME, Ui};

/// Environment variables with credentials: a command line can be read by everybody on a machine.
const USER: &str = "ENACT_REGISTRY_USER";
const PASSWORD: &str = "ENACT_REGISTRY_PASSWORD";

/// What to push.
#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The module by name, or a file by its digest.
    module: String,
    /// Where to: HOST/NAME:TAG, with HOST:PORT where the port is not the usual one.
    #[arg(value_name = "REF")]
    place: String,
    /// Sign it.
    #[arg(long = "sign-as", value_name = "ACTOR")]
    sign: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
}

/// What to pull.
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Where from: HOST/NAME:TAG, or pinned: HOST/NAME@sha256:DIGEST. With HOST:PORT where the port is not the usual one.
    #[arg(value_name = "REF")]
    place: String,
    /// A new or empty folder for its files; without it, one of the module's name.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    access: AccessArgs,
}

/// How a registry is talked to. Credentials are ENACT_REGISTRY_USER and ENACT_REGISTRY_PASSWORD, or those in a file of docker.
#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// Talk to a registry on this machine without TLS.
    #[arg(long)]
    plain_http: bool,
    /// A configuration file of docker with the credentials for the registry.
    #[arg(long, value_name = "FILE")]
    docker_config: Option<PathBuf>,
}

impl AccessArgs {
    fn registry(&self, place: &Place) -> Result<Registry> {
        let credentials = match (&self.docker_config, std::env::var(USER), std::env::var(PASSWORD)) {
            (Some(path), _, _) => Credentials::docker(&read(path, SIDE_FILE_BYTES_MAX)?, place)?,
            (None, Ok(user), Ok(password)) => Credentials::user(user, password),
            (None, Err(_), Err(_)) => Credentials::nobody(),
            (None, _, _) => return Err(Error::Credentials { detail: format!("of {USER} and {PASSWORD} one is not set") }.into()),
        };
        Ok(Registry::new(place.clone(), credentials, self.plain_http)?)
    }
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    read_input(path, max, |_| EngineError::FileTooLarge { path: path.to_owned(), bytes_max })
}

pub(super) fn push(ui: &Ui, global: &Global, args: &PushArgs) -> Result<Exit> {
    let place = Place::parse(&args.place)?;
    let registry = args.access.registry(&place)?;
    let engine = open_look(global)?;
    let mut intake = engine.module_kept(&engine.module_digest(&args.module)?)?;
    if !args.module.starts_with("blake3:") {
        intake.manifest.module.clone_from(&args.module);
    }
    let name = if intake.manifest.module.is_empty() { place.name().to_owned() } else { intake.manifest.module.clone() };
    let sign = |actor: &String| engine.sign_module(actor, &Statement::of(&name, &intake.bytes));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|e| EngineError::Internal { detail: e.to_string() });
    let parcel = Parcel {
        manifest: Some(serde_json::to_string_pretty(&intake.manifest)?),
        vectors: intake.vectors_bytes.clone().map(text).transpose()?,
        signature: args.sign.as_ref().map(sign).transpose()?.map(text).transpose()?,
        name,
        component: intake.bytes,
    };
    let busy = ui.busy("pushing");
    let pushed = registry.push(&parcel);
    drop(busy);
    let pushed = pushed?;
    let pinned = place.pinned(&pushed.digest);
    if ui.json() {
        ui.document(&json!({"module": parcel.name, "reference": args.place, "pinned": pinned, "artifact": pushed.digest,
                            "component": pushed.component, "signed": parcel.signature.is_some()}))?;
    } else {
        ui.line(format!("{GOOD}pushed{GOOD:#} {NAME}{}{NAME:#} to {pinned}", parcel.name))?;
        ui.note(format!("pull it: `enact module pull {pinned}`"));
    }
    Ok(Exit::Done)
}

pub(super) fn pull(ui: &Ui, args: &PullArgs) -> Result<Exit> {
    let place = Place::parse(&args.place)?;
    let registry = args.access.registry(&place)?;
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(place.name()));
    super::new::refuse_full(&dir)?;
    let mut bar = None;
    let mut progress = |bytes: u64, of: u64| bar.get_or_insert_with(|| ui.late_bar(of, "bytes"))(bytes);
    let pulled = registry.pull(MODULE_BYTES_MAX, &mut progress)?;
    // Everything is here and compared before anything is written.
    let parcel = &pulled.parcel;
    let component = format!("{}.wasm", parcel.name);
    let signature = format!("{component}.sig.json");
    let files = [
        (component.as_str(), Some(parcel.component.as_slice())),
        ("manifest.json", parcel.manifest.as_deref().map(str::as_bytes)),
        ("vectors.json", parcel.vectors.as_deref().map(str::as_bytes)),
        (signature.as_str(), parcel.signature.as_deref().map(str::as_bytes)),
    ];
    std::fs::create_dir_all(&dir).map_err(|e| EngineError::file("write", &dir, e))?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        let Some(bytes) = bytes else { continue };
        let path = dir.join(name);
        std::fs::write(&path, bytes).map_err(|e| EngineError::file("write", &path, e))?;
        written.push(path);
    }
    let pinned = place.pinned(&pulled.digest);
    let digest = Statement::of(&parcel.name, &parcel.component).digest;
    if ui.json() {
        ui.document(&json!({"reference": args.place, "pinned": pinned, "artifact": pulled.digest, "component": pulled.component,
                            "digest": digest, "dir": dir, "files": written, "signed": parcel.signature.is_some()}))?;
    } else {
        ui.line(format!("{GOOD}pulled{GOOD:#} {NAME}{}{NAME:#} into {} {DIM}{digest}{DIM:#}", parcel.name, dir.display()))?;
        if place.digest().is_none() {
            ui.note(format!("a tag may be moved; this is {pinned}"));
        }
        ui.note(format!("nothing is admitted yet: `enact module add {} --as ACTOR`", dir.join(&component).display()));
    }
    Ok(Exit::Done)
}
