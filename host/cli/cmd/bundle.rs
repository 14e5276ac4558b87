//! `enact ledger bundle` and `unbundle`: a ledger on its way to an auditor.
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use enact_engine::bundle::{self, Step};
use enact_engine::{Against, Engine, VerifyReport};
use serde_json::json;

use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, Ui, plain};

/// What to write.
#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// The new file; an existing one is not replaced.
    file: PathBuf,
    /// Threads that hash.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(1))]
    jobs: NonZeroUsize,
}

/// What to make a workspace of.
#[derive(Debug, Args)]
pub(crate) struct UnbundleArgs {
    /// What `enact ledger bundle` wrote.
    file: PathBuf,
    /// The new workspace; a folder that is empty or not there.
    folder: PathBuf,
    /// The verifier key of the ledger (`name+hash+base64`), as you know it from whoever runs it.
    ///
    /// It is kept in the workspace. Without it, signatures are checked with the key that the ledger names itself: they say then that somebody
    /// signed it, not who.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Threads that hash.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(1))]
    jobs: NonZeroUsize,
}

pub(crate) fn write(ui: &Ui, engine: &Engine, args: &BundleArgs) -> Result<Exit> {
    let mut bars = Bars::new(ui);
    let (bundled, report) = engine.bundle(&args.file, args.jobs, &mut |step| bars.see(step))?;
    bars.done();
    if ui.json() {
        let mut document = serde_json::to_value(&bundled)?;
        let verified = json!({ "verdict": report.verdict, "findings": report.findings, "not_checked": report.not_checked });
        if let (Some(document), Some(verified)) = (document.as_object_mut(), verified.as_object()) {
            document.extend(verified.clone());
        }
        ui.document(&document)?;
    } else {
        let modules = bundled.manifest.parts.iter().filter(|part| part.name.ends_with(".wasm")).count();
        ui.line(format!(
            "{GOOD}bundled{GOOD:#} {} entries and {modules} modules, {} bytes, into `{}`",
            report.entries,
            bundled.bytes,
            bundled.file.display()
        ))?;
        verdict(ui, &report)?;
        ui.line(format!("file     {}", bundled.digest))?;
        ui.line(format!("key      {}", bundled.manifest.key))?;
        ui.note("tell the auditor the key by another way than the file; the file holds every payload of the ledger");
    }
    Ok(exit(&report))
}

pub(crate) fn open(ui: &Ui, args: &UnbundleArgs) -> Result<Exit> {
    let mut bars = Bars::new(ui);
    let (workspace, manifest) = bundle::open(&args.file, &args.folder, args.key.as_deref(), &mut |step| bars.see(step))?;
    let (engine, lock) = Engine::open_to_verify(workspace)?;
    let mut report = engine.verify(Against::default(), args.jobs, |_| bars.see(Step::Verified { entries: manifest.entries }))?;
    bars.done();
    if let Some(finding) = lock {
        report.lock_altered(finding);
    }
    if ui.json() {
        ui.document(&json!({
            "workspace": args.folder,
            "origin": manifest.origin,
            "key": manifest.key,
            "key_given": args.key.is_some(),
            "entries": report.entries,
            "root": report.root,
            "verdict": report.verdict,
            "findings": report.findings,
            "not_checked": report.not_checked,
        }))?;
    } else {
        verdict(ui, &report)?;
        for line in &report.not_checked {
            ui.line(format!("{DIM}not checked: {line}{DIM:#}"))?;
        }
        let folder = args.folder.display();
        ui.note(format!("go on with `enact -w {folder} verify --rebuild` and `enact -w {folder} audit --all --state`"));
    }
    Ok(exit(&report))
}

fn verdict(ui: &Ui, report: &VerifyReport) -> Result<()> {
    for finding in &report.findings {
        ui.line(format!("{BAD}finding{BAD:#} {finding}"))?;
    }
    let style = if report.findings.is_empty() { GOOD } else { BAD };
    ui.line(format!("{style}{}{style:#} {} entries of `{}`", report.verdict, report.entries, plain(&report.origin)))?;
    ui.line(format!("root     {}", report.root))
}

fn exit(report: &VerifyReport) -> Exit {
    if report.findings.is_empty() { Exit::Done } else { Exit::Mismatch }
}

/// One bar for each thing that takes its time, one after the other.
struct Bars<'a> {
    ui: &'a Ui,
    shown: Option<(&'static str, indicatif::ProgressBar)>,
}

impl<'a> Bars<'a> {
    fn new(ui: &'a Ui) -> Self {
        Self { ui, shown: None }
    }

    fn see(&mut self, step: Step) {
        match step {
            Step::Copied(progress) => {
                let bar = self.bar("copy", progress.total);
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            }
            Step::Structure => {
                self.done();
                self.shown = Some(("structure", self.ui.spinner("structure")));
            }
            Step::Verified { entries } => self.bar("verify", entries).inc(1),
            Step::Packed { bytes, total } => self.bar("pack", total).inc(bytes),
        }
    }

    fn bar(&mut self, name: &'static str, length: u64) -> &indicatif::ProgressBar {
        if self.shown.as_ref().is_none_or(|(shown, _)| *shown != name) {
            self.done();
        }
        let ui = self.ui;
        &self.shown.get_or_insert_with(|| (name, ui.bar(length, name))).1
    }

    fn done(&mut self) {
        if let Some((_, bar)) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}
