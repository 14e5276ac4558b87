//! `enact propose` and `enact explain`: what the ledger is asked to hold.
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use enact_core::hash::Digest;
use enact_engine::govern::{Appended, Explained, Proposed};
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineError, EngineOptions};

use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

/// A proposal is one entry of 64 KiB at most.
const PROPOSAL_BYTES_MAX: usize = 1 << 20;

/// Propose one record, or a batch that becomes one entry: all or nothing.
///
/// The file holds a record or a list of records; the last record of the subject, the version and the signature are filled in. Exit code 3
/// when it is refused: nothing was appended, and the refusal is kept (`enact refusals`).
#[derive(Debug, Args)]
pub(crate) struct ProposeArgs {
    /// File with the record or records; `-` reads standard input.
    file: PathBuf,
    /// Who proposes.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// Hash of the ALLOW relied on, for every record that names none.
    #[arg(long, value_name = "HASH")]
    auth: Option<Digest>,
    /// A back-link, for every record that has none of this name.
    #[arg(long = "ref", value_name = "NAME=HASH", value_parser = link)]
    refs: Vec<(String, Digest)>,
}

/// Explain what would happen to a proposal: which row decides, which guard fails, what would change. Nothing is appended.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    proposal: ProposeArgs,
}

fn link(text: &str) -> Result<(String, Digest), String> {
    let (name, hash) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=HASH")?;
    let hash = hash.parse().map_err(|_| "a hash is `blake3:` and 64 hex digits".to_owned())?;
    Ok((name.to_owned(), hash))
}

impl ProposeArgs {
    fn read(&self) -> Result<Vec<Proposed>> {
        let too_large = |_| EngineError::FileTooLarge { path: self.file.clone(), bytes_max: PROPOSAL_BYTES_MAX as u64 };
        let bytes = super::read_input(&self.file, PROPOSAL_BYTES_MAX, too_large)?;
        let mut proposed = Proposed::read(&bytes, &format!("`{}`", self.file.display()))?;
        for record in &mut proposed {
            record.auth = record.auth.or(self.auth);
            for (name, hash) in &self.refs {
                record.refs.entry(name.clone()).or_insert(*hash);
            }
        }
        Ok(proposed)
    }
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &ProposeArgs) -> Result<Exit> {
    let proposed = args.read()?;
    let engine = Engine::open(Workspace::open(&global.workspace)?, &EngineOptions::default())?;
    print_appended(ui, &engine.propose(&args.by, &proposed)?)
}

/// Says what was appended.
pub(crate) fn print_appended(ui: &Ui, appended: &Appended) -> Result<Exit> {
    if ui.json() {
        ui.document(appended)?;
        return Ok(Exit::Done);
    }
    for record in &appended.records {
        ui.line(format!(
            "{GOOD}appended{GOOD:#} {NAME}{:<24}{NAME:#} {:<28} {DIM}by {}{DIM:#}",
            record.action, record.subject, record.decided
        ))?;
        ui.line(format!("record   {}", record.hash))?;
    }
    ui.line(format!("entry    {} {}", appended.entry.seq, appended.entry.hash))?;
    Ok(Exit::Done)
}

pub(crate) fn explain(ui: &Ui, global: &Global, args: &ExplainArgs) -> Result<Exit> {
    let proposed = args.proposal.read()?;
    let engine = super::open_read(global)?;
    let explained = engine.explain(&args.proposal.by, &proposed)?;
    if ui.json() {
        ui.document(&explained)?;
    } else {
        print_explained(ui, &explained)?;
    }
    Ok(if explained.allowed { Exit::Done } else { Exit::Refused })
}

fn print_explained(ui: &Ui, explained: &Explained) -> Result<()> {
    for record in &explained.records {
        ui.line(format!(
            "{GOOD}allowed{GOOD:#}  {NAME}{:<24}{NAME:#} {:<28} {DIM}by {}{DIM:#}",
            record.action, record.subject, record.decided
        ))?;
        for row in &record.rows {
            ui.line(format!("         {DIM}{:<40} {}{DIM:#}", row.row, row.outcome.as_str()))?;
        }
    }
    for change in &explained.changes {
        let before = change.before.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        ui.line(format!("changes  {NAME}{}/{}{NAME:#}", change.space, change.key))?;
        ui.line(format!("         {DIM}from {before}{DIM:#}"))?;
        ui.line(format!("           to {}", change.after))?;
    }
    if let Some(refused) = &explained.refused {
        let place = refused.record.map_or_else(String::new, |nth| format!(" record {nth}"));
        ui.line(format!("{BAD}refused{BAD:#} {place} {} {DIM}[{}]{DIM:#}", refused.detail, refused.code))?;
        for row in &refused.rows {
            ui.line(format!("         {DIM}{:<40} {}{DIM:#}", row.row, row.outcome.as_str()))?;
        }
        if let Some(hint) = &refused.hint {
            ui.line(format!("{GOOD}hint:{GOOD:#} {hint}"))?;
        }
    }
    Ok(())
}
