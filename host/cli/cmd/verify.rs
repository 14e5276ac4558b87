//! `enact verify`: chain, tree, checkpoints, and the stored parts of every run.
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use enact_engine::offline::{self, ProofReport};
use enact_engine::workspace::Workspace;
use enact_engine::{Against, Engine, EngineError, VerifyReport};

use super::{open_read, read_input};
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, Ui};

/// Verify the ledger: chain, Merkle tree, signed checkpoints, stored parts of runs, protocols and modules.
///
/// Exit code 4 when anything was altered; every finding names its entry. With `--proof`, check a proof that left the ledger instead:
/// with `--key` it needs no workspace.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Verifier key of the checkpoints (`name+hash+base64`); the workspace's own without it.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A checkpoint that was kept, as `enact ledger checkpoint` printed it: the ledger must go on from there. May be given several times.
    ///
    /// Whoever holds the key can sign another history. One checkpoint that somebody kept gives it away.
    #[arg(long, value_name = "FILE", conflicts_with = "proof")]
    checkpoint: Vec<PathBuf>,
    /// Also judge every governed entry again from nothing, and compare what follows with the stored state.
    #[arg(long)]
    rebuild: bool,
    /// Threads that hash, and check signatures.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(1))]
    jobs: NonZeroUsize,
    /// Check this proof (`ledger prove --json`, `balance --prove --json`) and nothing else; `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "rebuild")]
    proof: Option<PathBuf>,
}

/// Three lines and signatures, also with those of many witnesses.
const CHECKPOINT_BYTES_MAX: usize = 64 << 10;
/// A proof holds two entries of 64 KiB at most, and hashes.
const PROOF_BYTES_MAX: usize = 1 << 20;

pub(crate) fn run(ui: &Ui, global: &Global, args: &VerifyArgs) -> Result<Exit> {
    if let Some(file) = &args.proof {
        return proof(ui, global, args.key.as_deref(), file);
    }
    let kept = args.checkpoint.iter().map(|file| checkpoint(file)).collect::<Result<Vec<_>>>()?;
    let workspace = Workspace::open(&global.workspace)?;
    if !workspace.ledger_path().exists() {
        return Err(EngineError::EmptyLedger.into());
    }
    let (engine, lock) = Engine::open_to_verify(workspace)?;
    if args.rebuild {
        let bar = ui.spinner("structure");
        let structure = engine.verify_structure();
        bar.finish_and_clear();
        structure?;
    }
    let bar = ui.bar(engine.store().reader()?.head()?.size, "verify");
    let against = Against { key: args.key.as_deref(), kept: &kept };
    let mut report = engine.verify(against, args.jobs, |_| bar.inc(1))?;
    bar.finish_and_clear();
    if let Some(finding) = lock {
        report.lock_altered(finding);
    }
    if args.rebuild {
        let bar = ui.bar(report.entries, "rebuild");
        report.rebuilt(engine.rebuild(args.jobs, |_| bar.inc(1))?);
        bar.finish_and_clear();
        report.queue_compared(engine.queue_compare()?);
    }
    if ui.json() {
        ui.document(&report)?
    } else {
        print(ui, &report)?
    }
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Mismatch })
}

fn checkpoint(file: &Path) -> Result<String> {
    let too_large = |_| EngineError::FileTooLarge { path: file.to_owned(), bytes_max: CHECKPOINT_BYTES_MAX as u64 };
    let bytes = read_input(file, CHECKPOINT_BYTES_MAX, too_large)?;
    let detail = || format!("`{}` is not text", file.display());
    Ok(String::from_utf8(bytes).map_err(|_| EngineError::Checkpoint { detail: detail() })?)
}

fn print(ui: &Ui, report: &VerifyReport) -> Result<()> {
    for check in &report.checks {
        let (style, word) = if check.ok { (GOOD, "ok") } else { (BAD, "FAILED") };
        ui.line(format!("{style}{word:<7}{style:#} {} ({})", check.name, check.count))?;
    }
    for finding in &report.findings {
        ui.line(format!("{BAD}finding{BAD:#} {finding}"))?;
    }
    let style = if report.findings.is_empty() { GOOD } else { BAD };
    ui.line(format!("{style}{}{style:#} {} entries of `{}`", report.verdict, report.entries, report.origin))?;
    ui.line(format!("root     {}", report.root))?;
    for line in &report.not_checked {
        ui.line(format!("{DIM}not checked: {line}{DIM:#}"))?;
    }
    Ok(())
}

fn proof(ui: &Ui, global: &Global, key: Option<&str>, file: &Path) -> Result<Exit> {
    let too_large = |_| EngineError::FileTooLarge { path: file.to_owned(), bytes_max: PROOF_BYTES_MAX as u64 };
    let bytes = read_input(file, PROOF_BYTES_MAX, too_large)?;
    // Never the key that the proof itself names: it would prove that somebody signed something.
    let key = match key {
        Some(key) => key.to_owned(),
        None => open_read(global)?.vouched_key()?.to_owned(),
    };
    let report = offline::check(&bytes, &key)?;
    if ui.json() {
        ui.document(&report)?;
    } else {
        print_proof(ui, &report)?;
    }
    Ok(Exit::Done)
}

fn print_proof(ui: &Ui, report: &ProofReport) -> Result<()> {
    ui.line(format!(
        "{GOOD}{}{GOOD:#} the proof of {} {}",
        report.verdict,
        if report.balance.is_some() { "a" } else { "an" },
        report.proved
    ))?;
    if let Some(balance) = &report.balance {
        ui.line(format!("balance  {}: {} {}, after {} entries", balance.account, balance.balance, balance.asset, balance.after))?;
        ui.line(format!("stated   by entry {}, under the root {}", report.seq, balance.root))?;
    }
    ui.line(format!("entry    {} {}, {}", report.seq, report.hash, report.at))?;
    for record in &report.records {
        ui.line(format!("record   {} {}", record["action"], record["subject"]))?;
    }
    ui.line(format!("ledger   `{}`, {} entries under the root {}", report.origin, report.size, report.root))?;
    ui.line(format!("signed   by {}", report.signed_by))?;
    for line in &report.not_checked {
        ui.line(format!("{DIM}not checked: {line}{DIM:#}"))?;
    }
    Ok(())
}
