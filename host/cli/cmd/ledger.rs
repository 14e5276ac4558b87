//! `enact ledger`: the entries, their proofs, checkpoints and exports.
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use enact_core::entry::Entry;
use enact_core::hash::{Digest, entry_hash};
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineError, EngineOptions};
use enact_store::StoredEntry;
use serde_json::{Value, json};

use super::bundle::{self, BundleArgs, UnbundleArgs};
use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{DIM, NAME, Ui};

/// Look at the ledger: entries, proofs, checkpoints.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// List entries, newest first.
    List(ListArgs),
    /// Show one entry as it is stored.
    Show(EntryArgs),
    /// Print a proof that an entry is in the ledger (C2SP tlog-proof), against the latest signed checkpoint.
    ///
    /// With `--json` the entry is in it, and `enact verify --proof FILE --key KEY` checks it anywhere.
    Prove(EntryArgs),
    /// Sign a checkpoint of the present head, keep it, and print it. Where the key is not here, print the one that was signed with the head.
    ///
    /// Whoever keeps what it prints can see later that nothing before it was changed: `enact verify --checkpoint FILE`.
    Checkpoint,
    /// Write all entries, one canonical JSON object per line, to a file or standard output.
    Export(ExportArgs),
    /// Write everything that an auditor needs into one file: the ledger, its protocols and modules, and nothing secret.
    ///
    /// Whoever gets it needs nothing but this program and the key that it prints, which is best told by another way. It holds every payload of the
    /// ledger. The ledger in it is verified; where it is not what was signed the bundle is written all the same, and the exit code is 4.
    Bundle(BundleArgs),
    /// Make a workspace of a bundle, to look at, verify and audit. Nothing can be appended to it.
    ///
    /// What the bundle brings along is compared and verified; machine code is compiled here. Exit code 4 where it is not what was signed.
    Unbundle(UnbundleArgs),
    /// Make the derived state and the index over record hashes anew from the entries, whatever is there now.
    ///
    /// For a file whose derived tables were lost or altered. Every governed entry is judged again from nothing; one that the rules do not allow
    /// stops it, and then everything stays as it was. Nothing is started. The queue's items come back with `enact queue rebuild`.
    Rebuild(RebuildArgs),
}

/// How.
#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// Threads that check signatures.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(1))]
    jobs: NonZeroUsize,
}

/// Which entries.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// How many.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u64,
    /// Start below this entry.
    #[arg(long, value_name = "SEQ")]
    before: Option<u64>,
}

/// One entry.
#[derive(Debug, Args)]
pub(crate) struct EntryArgs {
    /// Its number, from 0.
    seq: u64,
}

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file; standard output without it. An existing file is not replaced.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(ui: &Ui, global: &Global, command: &LedgerCommand) -> Result<Exit> {
    match command {
        LedgerCommand::List(args) => list(ui, &open_read(global)?, args),
        LedgerCommand::Show(args) => show(ui, &open_read(global)?, args),
        LedgerCommand::Prove(args) => prove(ui, &open_read(global)?, args),
        LedgerCommand::Checkpoint => checkpoint(ui, global),
        LedgerCommand::Export(args) => export(ui, &open_read(global)?, args),
        LedgerCommand::Bundle(args) => bundle::write(ui, &open_read(global)?, args),
        LedgerCommand::Unbundle(args) => bundle::open(ui, args),
        LedgerCommand::Rebuild(args) => rebuild(ui, global, args),
    }
}

fn entry(engine: &Engine, seq: u64) -> Result<StoredEntry> {
    let mut reader = engine.store().reader()?;
    let size = reader.head()?.size;
    Ok(reader.entry(seq)?.ok_or(EngineError::NoEntry { seq, size })?)
}

fn list(ui: &Ui, engine: &Engine, args: &ListArgs) -> Result<Exit> {
    let size = engine.store().reader()?.head()?.size;
    let end = args.before.map_or(size, |b| b.min(size));
    let mut rows = Vec::new();
    for seq in (end.saturating_sub(args.limit)..end).rev() {
        let stored = entry(engine, seq)?;
        let parsed = Entry::parse(&stored.bytes).map_err(|r| altered(seq, r.code(), &r.to_string()))?;
        let records: Vec<Value> = parsed.records.iter().map(|r| json!({"action": r.action, "subject": r.subject})).collect();
        rows.push(json!({"seq": seq, "hash": entry_hash(&stored.bytes).to_string(), "at": parsed.at, "records": records}));
    }
    if ui.json() {
        ui.document(&rows)?;
        return Ok(Exit::Done);
    }
    for row in &rows {
        let first = &row["records"][0];
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        ui.line(format!(
            "{:>8}  {DIM}{}{DIM:#}  {NAME}{:<14}{NAME:#} {}",
            row["seq"],
            text(&row["at"]),
            text(&first["action"]),
            text(&first["subject"])
        ))?;
    }
    Ok(Exit::Done)
}

fn altered(seq: u64, code: &'static str, detail: &str) -> EngineError {
    EngineError::Altered { what: format!("entry {seq}"), code, detail: detail.to_owned() }
}

fn show(ui: &Ui, engine: &Engine, args: &EntryArgs) -> Result<Exit> {
    let stored = entry(engine, args.seq)?;
    let value = enact_core::canonical::check(&stored.bytes).map_err(|e| altered(args.seq, e.code(), &e.to_string()))?;
    let document = json!({
        "seq": stored.seq,
        "hash": entry_hash(&stored.bytes).to_string(),
        "leaf": Digest::sha256(stored.leaf).to_string(),
        "bytes": stored.bytes.len(),
        "entry": value,
    });
    if ui.json() {
        ui.document(&document)?
    } else {
        ui.line(serde_json::to_string_pretty(&document)?)?
    }
    Ok(Exit::Done)
}

fn prove(ui: &Ui, engine: &Engine, args: &EntryArgs) -> Result<Exit> {
    let proof = engine.prove_entry(args.seq)?;
    if ui.json() {
        ui.document(&proof)?;
    } else {
        ui.raw(proof.proof.as_bytes())?;
    }
    Ok(Exit::Done)
}

fn rebuild(ui: &Ui, global: &Global, args: &RebuildArgs) -> Result<Exit> {
    let engine = Engine::open(Workspace::open(&global.workspace)?, &EngineOptions::default())?;
    let bar = ui.bar(engine.store().reader()?.head()?.size, "rebuild");
    let report = engine.restore(args.jobs, |_| bar.inc(1))?;
    bar.finish_and_clear();
    if ui.json() {
        ui.document(&report)?;
    } else {
        let links = report.links.unwrap_or_default();
        ui.line(format!("{} rows from {} governed entries, {links} rows of the index over record hashes", report.rows, report.judged))?;
        ui.line(format!("{} rows of the index over events", report.events.unwrap_or_default()))?;
        for line in &report.not_rebuilt {
            ui.line(format!("{DIM}not rebuilt: {line}{DIM:#}"))?;
        }
    }
    Ok(Exit::Done)
}

fn checkpoint(ui: &Ui, global: &Global) -> Result<Exit> {
    let workspace = Workspace::open(&global.workspace)?;
    let (engine, note) = if workspace.ledger_seed()?.is_some() {
        let engine = Engine::open(workspace, &EngineOptions::default())?;
        let note = engine.checkpoint()?;
        (engine, note)
    } else {
        let engine = open_read(global)?;
        let note = engine.signed_checkpoint()?;
        (engine, note)
    };
    if ui.json() {
        ui.document(&json!({"checkpoint": note, "key": engine.verifier_key()}))?;
    } else {
        ui.raw(note.as_bytes())?;
        ui.note(format!("verify it with the key {}", engine.verifier_key()));
    }
    Ok(Exit::Done)
}

/// An export is written in pieces of this many bytes.
const AT_ONCE: usize = 64 << 10;

fn export(ui: &Ui, engine: &Engine, args: &ExportArgs) -> Result<Exit> {
    let mut reader = engine.store().reader()?;
    let size = reader.head()?.size;
    let create = |path: &PathBuf| std::fs::File::create_new(path).map_err(|e| EngineError::file("create", path, e));
    let mut file = args.output.as_ref().map(create).transpose()?;
    let mut write = |lines: &mut Vec<u8>| -> Result<()> {
        match (&mut file, &args.output) {
            (Some(file), Some(path)) => file.write_all(lines).map_err(|e| EngineError::file("write", path, e))?,
            _ => ui.raw(lines)?,
        }
        lines.clear();
        Ok(())
    };
    let (bar, mut lines) = (ui.bar(size, "export"), Vec::new());
    for seq in 0..size {
        lines.extend(reader.entry(seq)?.ok_or(EngineError::NoEntry { seq, size })?.bytes);
        lines.push(b'\n');
        if lines.len() >= AT_ONCE {
            write(&mut lines)?;
        }
        bar.inc(1);
    }
    write(&mut lines)?;
    bar.finish_and_clear();
    if let Some(path) = &args.output {
        ui.note(format!("wrote {size} entries to `{}`", path.display()));
    }
    Ok(Exit::Done)
}
