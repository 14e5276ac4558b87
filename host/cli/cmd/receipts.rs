//! `enact receipts`: the chain around a record, a run, an entry or a subject; and receipts that leave the ledger.
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use enact_engine::receipts::{self, Cut, DEPTH_MAX, Found, Link, ReceiptReport, Start, WalkOptions, Walked};
use enact_engine::{Engine, EngineError};

use super::{open_any, open_read, read_input};
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{DIM, GOOD, NAME, Ui, WARN};

/// Walk a chain of receipts in both directions: what a record relies on, and what relies on it. Or export the receipt of a run, or check one.
///
/// Every record that is shown was read and has the hash by which others name it. A subject's own chain (`refs.prev`) is walked with --chain.
#[derive(Debug, Args)]
pub(crate) struct ReceiptsArgs {
    /// A record's hash, a run, the number of an entry, or a subject (`Type:Id`).
    #[arg(value_name = "RECORD|RUN|ENTRY|SUBJECT", required_unless_present_any = ["verify", "reindex"])]
    start: Option<String>,
    /// Also walk along each subject, from record to record.
    #[arg(long)]
    chain: bool,
    /// Steps from where the walk begins.
    #[arg(long, value_name = "N", default_value_t = WalkOptions::default().depth, value_parser = clap::value_parser!(u32).range(0..=i64::from(DEPTH_MAX)))]
    depth: u32,
    /// Records that are shown.
    #[arg(long, short = 'n', value_name = "N", default_value_t = WalkOptions::default().records)]
    limit: usize,
    /// Prove that the entries are in the ledger, against the latest signed checkpoint; linear in the ledger. With --in-toto, the proof is in the
    /// receipt.
    #[arg(long)]
    proof: bool,
    /// Write the receipt of a run as an in-toto statement in a DSSE envelope, signed with the ledger's key; `-` is standard output. An existing
    /// file is not replaced.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["chain", "depth", "limit", "verify"])]
    in_toto: Option<PathBuf>,
    /// Check a receipt that was written with --in-toto, and nothing else; `-` reads standard input. With --key it needs no workspace.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["start", "chain", "depth", "limit", "proof"])]
    verify: Option<PathBuf>,
    /// Verifier key of the ledger (`name+hash+base64`); the workspace's own without it.
    #[arg(long, value_name = "KEY", requires = "verify")]
    key: Option<String>,
    /// Make the index over record hashes anew from the entries, and do nothing else.
    #[arg(long, conflicts_with_all = ["start", "chain", "depth", "limit", "proof", "in_toto", "verify"])]
    reindex: bool,
}

/// A receipt holds an entry of 64 KiB at most twice, and hashes.
const RECEIPT_BYTES_MAX: usize = 1 << 20;

/// Columns of a hash that are shown to people.
const SHORT: usize = 19;

pub(crate) fn run(ui: &Ui, global: &Global, args: &ReceiptsArgs) -> Result<Exit> {
    if let Some(file) = &args.verify {
        return verify(ui, global, args.key.as_deref(), file);
    }
    if args.reindex {
        return reindex(ui, global);
    }
    let start = args.start.as_deref().unwrap_or_default();
    let engine = indexed(global)?;
    if let Some(file) = &args.in_toto {
        return export(ui, &engine, start, args.proof, file);
    }
    let options = WalkOptions { chain: args.chain, depth: args.depth, records: args.limit, prove: args.proof };
    let walked = engine.walk(&Start::parse(start), &options)?;
    if ui.json() {
        ui.document(&walked)?;
    } else {
        print(ui, &walked)?;
    }
    Ok(Exit::Done)
}

/// The workspace for reading; one of an older format is brought up to date first.
fn indexed(global: &Global) -> Result<Engine> {
    let engine = open_read(global)?;
    if engine.store().reader()?.has_links()? { Ok(engine) } else { open_any(global) }
}

fn reindex(ui: &Ui, global: &Global) -> Result<Exit> {
    let rows = open_any(global)?.reindex()?;
    if ui.json() {
        ui.document(&serde_json::json!({ "rows": rows }))?;
    } else {
        ui.line(format!("{rows} rows"))?;
    }
    Ok(Exit::Done)
}

fn export(ui: &Ui, engine: &Engine, run: &str, prove: bool, file: &Path) -> Result<Exit> {
    let run = run.strip_prefix("Run:").unwrap_or(run);
    let receipt = engine.export_receipt(run, prove)?;
    if file == Path::new("-") {
        ui.raw(&receipt)?;
        return Ok(Exit::Done);
    }
    let written = std::fs::File::create_new(file).and_then(|mut out| out.write_all(&receipt));
    written.map_err(|e| EngineError::file("create", file, e))?;
    if ui.json() {
        ui.document(&receipts::check(&receipt, engine.verifier_key())?)?;
    } else {
        ui.note(format!("wrote `{}`; check it with --verify and the key {}", file.display(), engine.verifier_key()));
    }
    Ok(Exit::Done)
}

fn verify(ui: &Ui, global: &Global, key: Option<&str>, file: &Path) -> Result<Exit> {
    let too_large = |_| EngineError::FileTooLarge { path: file.to_owned(), bytes_max: RECEIPT_BYTES_MAX as u64 };
    let bytes = read_input(file, RECEIPT_BYTES_MAX, too_large)?;
    let key = match key {
        Some(key) => key.to_owned(),
        None => open_read(global)?.vouched_key()?.to_owned(),
    };
    let report = receipts::check(&bytes, &key)?;
    if ui.json() {
        ui.document(&report)?;
    } else {
        print_receipt(ui, &report)?;
    }
    Ok(Exit::Done)
}

fn print_receipt(ui: &Ui, report: &ReceiptReport) -> Result<()> {
    ui.line(format!("{GOOD}{}{GOOD:#} the receipt of {}", report.verdict, report.run))?;
    ui.line(format!("exit     {}", report.exit))?;
    ui.line(format!("output   {}", report.output))?;
    ui.line(format!("under    {}", report.snapshot))?;
    ui.line(format!("receipt  {}", report.receipt_hash))?;
    for record in &report.records {
        let said = |name: &str| record.get(name).map_or("", String::as_str);
        ui.line(format!("record   {} {}", said("action"), said("subject")))?;
    }
    ui.line(format!("entry    {} of `{}`", report.seq, report.origin))?;
    if let Some(size) = report.proved_in {
        ui.line(format!("proved   in the first {size} entries"))?;
    }
    ui.line(format!("signed   by {}", report.signed_by))?;
    for line in &report.not_checked {
        ui.line(format!("{DIM}not checked: {line}{DIM:#}"))?;
    }
    Ok(())
}

/// A walk as a tree: from each record where it began, first what it relies on, then what relies on it.
fn print(ui: &Ui, walked: &Walked) -> Result<()> {
    let records = walked.records.iter().map(|found| (found.record.as_str(), found)).collect();
    let mut tree = Tree { ui, records, walked, told: BTreeSet::new() };
    for root in &walked.from {
        if let Some(found) = tree.records.get(root.as_str()).copied() {
            ui.line(line(found))?;
            for up in [true, false] {
                tree.told.clear();
                tree.told.insert(root);
                tree.below(root, up, 1)?;
            }
        }
    }
    for cut in &walked.cut {
        let more = match cut {
            Cut::Depth => "there is more further away (--depth)",
            Cut::Records => "there are more records (--limit)",
        };
        ui.line(format!("{WARN}cut{WARN:#} {more}"))?;
    }
    for line in &walked.not_checked {
        ui.line(format!("{DIM}not checked: {line}{DIM:#}"))?;
    }
    Ok(())
}

struct Tree<'a> {
    ui: &'a Ui,
    records: BTreeMap<&'a str, &'a Found>,
    walked: &'a Walked,
    told: BTreeSet<&'a str>,
}

impl<'a> Tree<'a> {
    /// What hangs on a record in one direction. A run and what it carried out are one act: in either direction one leads to the other.
    fn below(&mut self, record: &'a str, up: bool, depth: usize) -> Result<()> {
        for Link { from, name, to, elsewhere, .. } in &self.walked.links {
            let act = name == "run" && !elsewhere;
            let other = match (from == record, to == record) {
                (true, _) if up || act => to,
                (_, true) if !up || act => from,
                _ => continue,
            };
            let (mark, pad) = (if from == record { "→" } else { "←" }, "  ".repeat(depth));
            let told = !self.told.insert(other);
            match self.records.get(other.as_str()).copied() {
                Some(_) if told => {}
                Some(found) => {
                    self.ui.line(format!("{pad}{mark} {DIM}{name}{DIM:#} {}", line(found)))?;
                    self.below(other, up, depth.saturating_add(1))?;
                }
                None if *elsewhere => self.ui.line(format!("{pad}{mark} {DIM}{name} {other} (no record of this ledger){DIM:#}"))?,
                None => self.ui.line(format!("{pad}{mark} {DIM}{name} {} (not shown){DIM:#}", short(other)))?,
            }
        }
        Ok(())
    }
}

fn line(found: &Found) -> String {
    let exit = found.exit.as_ref().map_or_else(String::new, |exit| format!(" {exit}"));
    format!(
        "{NAME}{}{NAME:#} {} {}{exit} {DIM}entry {} by {} {}{DIM:#}",
        found.kind,
        found.action,
        found.subject,
        found.seq,
        found.actor,
        short(&found.record)
    )
}

fn short(hash: &str) -> &str {
    hash.get(..SHORT).unwrap_or(hash)
}
