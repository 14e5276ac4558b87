//! Looking at a ledger where its workspace alone would not do: a copy in another file, and a workspace whose lock was altered.
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use enact_core::entry::EntryView;
use enact_core::verify::Finding;
use enact_flow::snapshot::Snapshot;
use enact_store::{OpenOptions, Store};

use crate::engine::{Engine, EngineOptions};
use crate::error::{EngineError, Result};
use crate::sources::System;
use crate::verify::{Against, CheckReport, VerifyReport};
use crate::workspace::Workspace;

impl Engine {
    /// Verifies a copy of this ledger, with this workspace's keys and modules. The copy stays one file.
    pub fn verify_copy(&self, file: &Path, jobs: NonZeroUsize, progress: impl FnMut(u64)) -> Result<VerifyReport> {
        let workspace = Workspace::open(self.workspace().path())?;
        let snapshot = Arc::new(self.snapshot().clone());
        let copy = Self::open_file(workspace, file, snapshot, &reading(), Arc::new(System::default()))?;
        copy.verify_structure()?;
        let report = copy.verify(Against::default(), jobs, progress);
        drop(copy);
        enact_store::tidy(file)?;
        report
    }

    /// Opens a workspace to verify its ledger, which has its protocols in itself. What is wrong with `protocol.lock` is a finding then, and
    /// the protocol of the last entry takes its place.
    pub fn open_to_verify(workspace: Workspace) -> Result<(Self, Option<Finding>)> {
        let ledger = workspace.ledger_path();
        let (snapshot, finding) = match workspace.sealed() {
            Ok(sealed) => (sealed, None),
            Err(EngineError::LockAltered { problem }) => match last_protocol(&ledger)? {
                Some(last) => {
                    let detail = format!("`protocol.lock`: {}", problem.detail);
                    (last, Some(Finding { code: problem.code, seq: None, detail }))
                }
                None => return Err(EngineError::LockAltered { problem }),
            },
            Err(error) => return Err(error),
        };
        let engine = Self::open_file(workspace, &ledger, Arc::new(snapshot), &reading(), Arc::new(System::default()))?;
        Ok((engine, finding))
    }
}

impl VerifyReport {
    /// Adds what was wrong with `protocol.lock`.
    pub fn lock_altered(&mut self, finding: Finding) {
        self.verdict = "ALTERED";
        self.checks.push(CheckReport { name: "`protocol.lock` is what was sealed", count: 1, ok: false });
        self.findings.push(finding);
    }
}

fn reading() -> EngineOptions {
    EngineOptions { read_only: true, ..EngineOptions::default() }
}

/// The protocol of the last entry, where both can be read.
fn last_protocol(ledger: &Path) -> Result<Option<Snapshot>> {
    let mut reader = Store::open(&OpenOptions::new(ledger).read_only())?.reader()?;
    let Some(last) = reader.head()?.size.checked_sub(1) else { return Ok(None) };
    let Some(entry) = reader.entry(last)? else { return Ok(None) };
    let Some(hash) = EntryView::read(&entry.bytes).map(|view| view.protocol().to_string()) else { return Ok(None) };
    Ok(reader.snapshot(&hash)?.and_then(|bytes| Snapshot::from_lock(&bytes).ok()))
}
