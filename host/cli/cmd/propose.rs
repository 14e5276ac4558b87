//! `enact propose` and `enact explain`: what the ledger is asked to hold.
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use crossbeam_channel::bounded;
use enact_core::hash::Digest;
use enact_engine::govern::{Appended, Explained, Proposed, RefusedProposal, Stream};
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineError, EngineOptions};
use serde::Serialize;

use super::lines::Lines;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

/// A proposal is one entry of 64 KiB at most.
const PROPOSAL_BYTES_MAX: usize = 1 << 20;
/// Most proposals of one commit.
const GROUP_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

/// Propose one record, or a batch that becomes one entry: all or nothing.
///
/// The file holds a record or a list of records; the last record of the subject, the version and the signature are filled in. Exit code 3
/// when it is refused: nothing was appended, and the refusal is kept (`enact refusals`).
#[derive(Debug, Args)]
pub(crate) struct ProposeArgs {
    #[command(flatten)]
    proposal: ProposalArgs,
    /// Every line of the file is a proposal and becomes an entry of its own; several are made durable with one sync. One JSON report per line
    /// is printed once it is durable or refused. All lines of a file are checked before the first is proposed; `-` is read as it comes.
    #[arg(long)]
    each: bool,
    /// With --each: threads that complete, sign and check.
    #[arg(long, value_name = "N", requires = "each", default_value_t = NonZeroUsize::MIN.saturating_add(1), value_parser = crate::args::threads)]
    jobs: NonZeroUsize,
}

/// What is proposed.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProposalArgs {
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
    proposal: ProposalArgs,
}

fn link(text: &str) -> Result<(String, Digest), String> {
    let (name, hash) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=HASH")?;
    let hash = hash.parse().map_err(|_| "a hash is `blake3:` and 64 hex digits".to_owned())?;
    Ok((name.to_owned(), hash))
}

impl ProposalArgs {
    fn read(&self) -> Result<Vec<Proposed>> {
        let too_large = |_| EngineError::FileTooLarge { path: self.file.clone(), bytes_max: PROPOSAL_BYTES_MAX as u64 };
        let bytes = super::read_input(&self.file, PROPOSAL_BYTES_MAX, too_large)?;
        self.parse(&bytes, &format!("`{}`", self.file.display()))
    }

    fn lines(&self) -> Result<Lines> {
        Lines::open(&self.file, PROPOSAL_BYTES_MAX, |_| EngineError::FileTooLarge {
            path: "a line".into(),
            bytes_max: PROPOSAL_BYTES_MAX as u64,
        })
    }

    fn next(&self, lines: &mut Lines) -> Result<Option<Vec<Proposed>>> {
        let Some((line, place)) = lines.next()? else { return Ok(None) };
        Ok(Some(self.parse(line, &place.to_string())?))
    }

    fn parse(&self, bytes: &[u8], what: &str) -> Result<Vec<Proposed>> {
        let mut proposed = Proposed::read(bytes, what)?;
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
    if args.each {
        return run_each(ui, global, args);
    }
    let proposed = args.proposal.read()?;
    let engine = Engine::open(Workspace::open(&global.workspace)?, &EngineOptions::default())?;
    print_appended(ui, &engine.propose(&args.proposal.by, &proposed)?)
}

/// One line of the answer to a stream.
#[derive(Serialize)]
struct Answer<'a> {
    index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    appended: Option<&'a Appended>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a RefusedProposal>,
}

fn run_each(ui: &Ui, global: &Global, args: &ProposeArgs) -> Result<Exit> {
    let proposal = &args.proposal;
    let mut count = 0;
    if proposal.file != Path::new("-") {
        // A typing error in the middle should not leave half a file.
        let mut lines = proposal.lines()?;
        while proposal.next(&mut lines)?.is_some() {
            count += 1;
        }
    }
    let engine = super::open_for(global, args.jobs)?;
    let mut lines = proposal.lines()?;
    let bar = ui.bar(count, "proposals");
    let stream = Stream { jobs: args.jobs, group: GROUP_MAX, sign: true };
    let (mut exit, mut failed) = (Exit::Done, None);
    let (send, source) = bounded(GROUP_MAX.get());
    let reading = proposal.clone();
    // On its own: if the stream fails, nobody waits for the rest of the input.
    let reading = std::thread::spawn(move || {
        while let Some(proposed) = reading.next(&mut lines)? {
            if send.send(proposed).is_err() {
                break;
            }
        }
        Ok::<(), anyhow::Error>(())
    });
    engine.propose_each(&proposal.by, stream, &source, |index, result| {
        bar.inc(1);
        let printed = match &result {
            Ok(appended) => print_line(ui, &Answer { index, appended: Some(appended), refused: None }),
            Err(EngineError::Refused(why)) => {
                exit = exit.and(why.kind());
                print_line(ui, &Answer { index, appended: None, refused: Some(why) })
            }
            Err(_) => Ok(()),
        };
        let error = result.err().filter(|error| !matches!(error, EngineError::Refused(_))).map(anyhow::Error::from);
        if let Some(error) = error.or(printed.err()) {
            failed.get_or_insert(error);
        }
    })?;
    bar.finish_and_clear();
    reading.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the reading thread stopped")))?;
    match failed {
        Some(error) => Err(error),
        None => Ok(exit),
    }
}

fn print_line(ui: &Ui, answer: &Answer<'_>) -> Result<()> {
    ui.raw(format!("{}\n", serde_json::to_string(answer)?).as_bytes())
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
