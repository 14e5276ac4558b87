//! One command, one file.
pub(crate) mod accounts;
pub(crate) mod actor;
pub(crate) mod audit;
pub(crate) mod authority;
pub(crate) mod backup;
pub(crate) mod batch;
pub(crate) mod bench;
pub(crate) mod bundle;
pub(crate) mod completions;
pub(crate) mod decide;
pub(crate) mod demo;
pub(crate) mod fulfill;
pub(crate) mod init;
pub(crate) mod ledger;
mod lines;
pub(crate) mod listen;
pub(crate) mod module;
pub(crate) mod outbox;
pub(crate) mod propose;
pub(crate) mod protocol;
pub(crate) mod queue;
pub(crate) mod receipts;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod settle;
pub(crate) mod show;
pub(crate) mod state;
pub(crate) mod summary;
pub(crate) mod trace;
pub(crate) mod trial_balance;
pub(crate) mod verify;
pub(crate) mod view;
pub(crate) mod work;

use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Result;
use enact_engine::evidence::Evidence;
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineError, EngineOptions};

use crate::args::Global;

/// The bytes of a file or, for `-`, of standard input; `too_large` says what one with more than `bytes_max` is.
pub(crate) fn read_input(path: &Path, bytes_max: usize, too_large: impl FnOnce(usize) -> EngineError) -> Result<Vec<u8>> {
    let limit = bytes_max as u64 + 1;
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|e| EngineError::file("read", path, e))?;
    if bytes.len() > bytes_max { Err(too_large(bytes.len()).into()) } else { Ok(bytes) }
}

/// Opens the workspace without the right to write.
pub(crate) fn open_read(global: &Global) -> Result<Engine> {
    let workspace = Workspace::open(&global.workspace)?;
    if !workspace.ledger_path().exists() {
        return Err(EngineError::EmptyLedger.into());
    }
    Ok(Engine::open(workspace, &EngineOptions { read_only: true, ..EngineOptions::default() })?)
}

/// Opens the workspace to look at it, without the right to write. Where there is no ledger yet, an empty one is made first.
pub(crate) fn open_look(global: &Global) -> Result<Engine> {
    let workspace = Workspace::open(&global.workspace)?;
    let read_only = workspace.ledger_path().exists();
    Ok(Engine::open(workspace, &EngineOptions { read_only, ..EngineOptions::default() })?)
}

/// Opens the workspace; its ledger need not exist yet.
pub(crate) fn open_any(global: &Global) -> Result<Engine> {
    open_for(global, NonZeroUsize::MIN)
}

/// The same for so many threads, each of which may be in a call of a module.
pub(crate) fn open_for(global: &Global, threads: NonZeroUsize) -> Result<Engine> {
    Ok(Engine::open(Workspace::open(&global.workspace)?, &EngineOptions::for_threads(threads))?)
}

/// The evidence of a run by id or by the number of its entry, checked against the ledger.
pub(crate) fn find_run(engine: &Engine, run: &str) -> Result<Evidence> {
    let mut reader = engine.store().reader()?;
    let stored = match run.parse::<u64>() {
        Ok(seq) => reader.run_by_seq(seq)?,
        Err(_) => reader.run_by_id(run)?,
    };
    let stored = stored.ok_or_else(|| EngineError::NoRun { run: run.to_owned() })?;
    let entry = reader.entry(stored.seq)?.ok_or_else(|| EngineError::NoRun { run: run.to_owned() })?;
    Evidence::open(&entry, &stored).map_err(|findings| {
        let first = findings.into_iter().next();
        let (code, detail) = first.map_or(("run_part", String::new()), |f| (f.code, f.detail));
        EngineError::Altered { what: format!("run `{run}`"), code, detail }.into()
    })
}
