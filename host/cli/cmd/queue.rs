//! `enact queue`: what is to be carried out, where it stands, and what people may do about it.
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use enact_engine::govern::Proposed;
use enact_engine::queue::{Filter, Given, Health, HealthBounds, QueueId, RowError, Shown, Started};
use enact_engine::{Engine, EngineError};
use serde::Serialize;
use serde_json::{Value, json};

use super::{open_any, open_read};
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN, plain};

/// An item is one record of an entry of 64 KiB.
const ITEM_BYTES_MAX: usize = 1 << 20;
/// Lines read at a time.
const PAGE: u64 = 500;

/// The execution queue: add, look, validate, start, retry, void, archive, export.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    Add(AddArgs),
    List(ListArgs),
    Show(ShowArgs),
    Validate(ValidateArgs),
    Start(StartArgs),
    Retry(RetryArgs),
    Void(VoidArgs),
    Archive(ArchiveArgs),
    Health(HealthArgs),
    Watch(WatchArgs),
    Export(ExportArgs),
    /// Derive the queue again from the ledger: what was executed stays executed, the rest is validated again.
    Rebuild,
}

/// Queue an item: its record and its row in one transaction.
///
/// The file holds the members of the item, or a record of the contract's `queue` action.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// File with the members or the record; `-` reads standard input.
    file: PathBuf,
    /// Who queues it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// The queue contract; not needed when there is one only.
    #[arg(long, value_name = "QC_…")]
    contract: Option<String>,
    /// Its id; the next of the day without it.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Say what the item would lack, and queue nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Which items. All of several conditions must hold.
#[derive(Debug, Clone, Args)]
pub(crate) struct FilterArgs {
    /// In this status.
    #[arg(long, value_name = "STATUS", ignore_case = true, value_parser = ["PENDING", "READY", "EXECUTING", "EXECUTED", "SETTLING", "SETTLED", "FULFILLED", "FAILED", "VOID"])]
    status: Option<String>,
    /// Under this contract.
    #[arg(long, value_name = "QC_…")]
    contract: Option<String>,
    /// With this value of a member.
    #[arg(long = "where", value_name = "MEMBER=VALUE", value_parser = member)]
    kept: Option<(String, String)>,
    /// With this text in the id or the latest line.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Archived ones, instead of the others.
    #[arg(long)]
    archived: bool,
    /// Last changed before this time (RFC 3339, UTC).
    #[arg(long, value_name = "TIME", value_parser = time)]
    before: Option<u64>,
}

fn time(text: &str) -> Result<u64, String> {
    let stored = enact_core::time::Instant::parse(text).map(String::from);
    stored.and_then(|stored| enact_engine::queue::micros(&stored)).ok_or_else(|| "write a time like 2026-04-17T12:00:00Z".to_owned())
}

fn member(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write MEMBER=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// An id, with or without the type of its subject before it.
pub(crate) fn item_id(text: &str) -> Result<QueueId, String> {
    let id = text.split_once(':').map_or(text, |(_, id)| id);
    QueueId::parse(id).map_err(|e| format!("{e}; {}", e.hint()))
}

impl FilterArgs {
    fn filter(&self) -> Filter {
        Filter {
            status: self.status.as_ref().map(|status| status.to_ascii_uppercase()),
            contract: self.contract.clone(),
            kept: self.kept.clone(),
            text: self.text.clone(),
            archived: self.archived,
            before_us: self.before,
        }
    }

    const fn is_empty(&self) -> bool {
        self.status.is_none() && self.contract.is_none() && self.kept.is_none() && self.text.is_none() && self.before.is_none()
    }
}

/// Items by name or by what is true of them.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhichArgs {
    /// The items.
    #[arg(value_name = "ITEM", value_parser = item_id)]
    items: Vec<QueueId>,
    #[command(flatten)]
    filter: FilterArgs,
}

impl WhichArgs {
    fn ids(&self, engine: &Engine) -> Result<Vec<QueueId>> {
        if !self.items.is_empty() {
            return Ok(self.items.clone());
        }
        if self.filter.is_empty() {
            return Err(EngineError::Queue {
                code: "queue_name",
                detail: "no item is named".to_owned(),
                hint: Some("name items, or say which with --status, --contract, --where, --text or --before"),
            }
            .into());
        }
        let mut ids = Vec::new();
        engine.queue_each(&self.filter.filter(), |shown| {
            ids.extend(QueueId::parse(shown.text("queue_id")).ok());
            Ok(())
        })?;
        Ok(ids)
    }
}

/// List items in the order in which they were queued.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// Count them by status instead.
    #[arg(long)]
    counts: bool,
}

/// Show an item with all of its lines.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The item.
    #[arg(value_name = "ITEM", value_parser = item_id)]
    item: QueueId,
    /// The lines of its journal.
    #[arg(long)]
    lines: bool,
}

/// Say whether an item may be executed now. Writes nothing; exit code 3 when it may not.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The item.
    #[arg(value_name = "ITEM", value_parser = item_id)]
    item: QueueId,
}

/// Have a worker validate an item and carry it out, now.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The item.
    #[arg(value_name = "ITEM", value_parser = item_id)]
    item: QueueId,
    /// Who starts it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// The worker that carries it out and signs.
    #[arg(long, value_name = "ACTOR")]
    worker: String,
}

/// Have a worker try items again that failed, after a new validation.
#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who wants it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// The worker that carries it out and signs.
    #[arg(long, value_name = "ACTOR")]
    worker: String,
}

/// Call items off, before they were carried out.
#[derive(Debug, Args)]
pub(crate) struct VoidArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who does it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
}

/// Take items that are over out of the lists: fulfilled, voided, failed for good. Their keys stay used up, so nothing is done again.
///
/// With a filter, what is not over yet stays where it is.
#[derive(Debug, Args)]
pub(crate) struct ArchiveArgs {
    #[command(flatten)]
    which: WhichArgs,
}

/// Say how the queue does: what is due and since when, who holds what, what failed within the last hour.
///
/// Exit code 0: healthy; 1: something is beyond its bound.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Seconds that an item may be READY and due, or a lease be over, before it counts as a finding.
    #[arg(long, value_name = "S", default_value_t = 300)]
    max_age: u64,
    /// Failed attempts within the last hour that are still healthy; without it any number is.
    #[arg(long, value_name = "N")]
    max_failures: Option<u64>,
}

/// Print lines of the journal as they come.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The item; all of them without it.
    #[arg(value_name = "ITEM", value_parser = item_id)]
    item: Option<QueueId>,
    /// Begin after this line.
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    /// Stop at the last line there is.
    #[arg(long)]
    once: bool,
    /// Milliseconds between two looks.
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    poll: u64,
}

/// Write the queue as files into a new folder.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The folder.
    dir: PathBuf,
}

pub(crate) fn run(ui: &Ui, global: &Global, command: &QueueCommand) -> Result<Exit> {
    match command {
        QueueCommand::Add(args) => add(ui, &open_any(global)?, args),
        QueueCommand::List(args) => list(ui, &open_read(global)?, args),
        QueueCommand::Show(args) => show(ui, &open_read(global)?, args),
        QueueCommand::Validate(args) => validate(ui, &open_read(global)?.queue_validate(&args.item, None)?),
        QueueCommand::Start(args) => {
            let engine = open_any(global)?;
            each(ui, std::slice::from_ref(&args.item), |id| engine.queue_start(&args.by, id, &args.worker), started)
        }
        QueueCommand::Retry(args) => {
            let engine = open_any(global)?;
            let ids = args.which.ids(&engine)?;
            each(ui, &ids, |id| engine.queue_retry(&args.by, id, &args.reason, &args.worker), started)
        }
        QueueCommand::Void(args) => {
            let engine = open_any(global)?;
            let ids = args.which.ids(&engine)?;
            each(
                ui,
                &ids,
                |id| engine.queue_void(&args.by, id, &args.reason),
                |ui, appended| super::propose::print_appended(ui, appended).map(drop),
            )
        }
        QueueCommand::Archive(args) => archive(ui, &open_any(global)?, args),
        QueueCommand::Health(args) => {
            let bounds = HealthBounds { age_s: args.max_age, failures: args.max_failures };
            health(ui, &open_read(global)?.queue_health(&bounds)?)
        }
        QueueCommand::Watch(args) => watch(ui, &open_read(global)?, args),
        QueueCommand::Export(args) => {
            let report = open_read(global)?.queue_export(&args.dir)?;
            if ui.json() {
                ui.document(&report)?;
            } else {
                let (items, lines, files) = (report.items, report.lines, report.files);
                ui.line(format!("{items} items and {lines} lines in {files} files under {}", args.dir.display()))?;
                report.damaged.iter().try_for_each(|damaged| print_damaged(ui, &damaged.queue_id, &damaged.error))?;
            }
            let damage = report.damaged.iter().any(|left| left.error.is_damage());
            Ok(if damage { Exit::Mismatch } else { Exit::all(report.damaged.is_empty()) })
        }
        QueueCommand::Rebuild => {
            let rebuilt = open_any(global)?.queue_rebuild()?;
            if ui.json() {
                ui.document(&rebuilt)?;
            } else {
                ui.line(format!("{} items derived from the ledger", rebuilt.items))?;
            }
            Ok(Exit::Done)
        }
    }
}

/// Items archived in one transaction.
const ARCHIVED_AT_ONCE: usize = 500;

fn archive(ui: &Ui, engine: &Engine, args: &ArchiveArgs) -> Result<Exit> {
    let ids = args.which.ids(engine)?;
    let named = !args.which.items.is_empty();
    let (mut archived, mut left, mut refused) = (0_u64, 0_u64, Vec::new());
    let mut progress = ui.late_bar(u64::try_from(ids.len()).unwrap_or(u64::MAX), "items");
    for page in ids.chunks(ARCHIVED_AT_ONCE) {
        for (id, answer) in page.iter().zip(engine.queue_archive(page)?) {
            match answer {
                Ok(()) => archived = archived.saturating_add(1),
                Err(error) if named => refused.push((id, error)),
                Err(_) => left = left.saturating_add(1),
            }
        }
        progress(u64::try_from(page.len()).unwrap_or(u64::MAX));
    }
    if let ([(_, error)], [_]) = (refused.as_mut_slice(), ids.as_slice()) {
        return Err(std::mem::replace(error, EngineError::EmptyLedger).into());
    }
    if ui.json() {
        let refused: Vec<Value> = refused
            .iter()
            .map(|(id, error)| json!({"queue_id": id.as_str(), "error": {"code": error.code(), "message": error.to_string()}}))
            .collect();
        ui.document(&json!({"archived": archived, "left": left, "refused": refused}))?;
    } else {
        for (id, error) in &refused {
            ui.line(format!("{BAD}refused{BAD:#}  {NAME}{id}{NAME:#} {error} {DIM}[{}]{DIM:#}", error.code()))?;
        }
        ui.line(format!("{archived} archived, {left} not over yet"))?;
    }
    Ok(if refused.is_empty() { Exit::Done } else { Exit::Refused })
}

fn health(ui: &Ui, health: &Health) -> Result<Exit> {
    let exit = Exit::all(health.healthy);
    if ui.json() {
        ui.document(health)?;
        return Ok(exit);
    }
    for contract in &health.contracts {
        let left = if contract.in_force { "" } else { ", not in force" };
        let counts: Vec<String> = contract.statuses.iter().map(|(status, items)| format!("{items} {status}")).collect();
        ui.line(format!(
            "{NAME}{}{NAME:#} {} due, {} failed within the hour{BAD}{left}{BAD:#}",
            contract.contract, contract.due, contract.failures_last_hour
        ))?;
        if let (Some(oldest), Some(age)) = (&contract.oldest, contract.oldest_age_s) {
            ui.line(format!("  oldest   {oldest} READY for {age} s"))?;
        }
        ui.line(format!("  {DIM}{}{DIM:#}", counts.join(", ")))?;
    }
    for (style, word, holders) in [(GOOD, "held", &health.leases), (WARN, "expired", &health.expired)] {
        for holder in holders {
            ui.line(format!("{style}{word:<8}{style:#} {} by {} until {}", holder.items, holder.owner, holder.deadline_utc))?;
        }
    }
    match health.findings.as_slice() {
        [] => ui.line(format!("{GOOD}healthy{GOOD:#}"))?,
        findings => ui.line(format!("{BAD}unhealthy{BAD:#} {}", findings.join(", ")))?,
    }
    Ok(exit)
}

fn add(ui: &Ui, engine: &Engine, args: &AddArgs) -> Result<Exit> {
    let too_large = |_| EngineError::FileTooLarge { path: args.file.clone(), bytes_max: ITEM_BYTES_MAX as u64 };
    let bytes = super::read_input(&args.file, ITEM_BYTES_MAX, too_large)?;
    let what = format!("`{}`", args.file.display());
    let value = enact_core::canonical::parse(&bytes).map_err(|e| EngineError::Json { what: what.clone(), detail: e.to_string() })?;
    let Value::Object(payload) = value else {
        return Err(EngineError::PayloadShape { got: "something else" }.into());
    };
    let is_record = payload.contains_key("action") && payload.contains_key("subject") && payload.contains_key("payload");
    if is_record && !args.dry_run {
        let mut proposed = Proposed::read(&bytes, &what)?;
        let record = proposed.pop().ok_or_else(|| EngineError::Json { what, detail: "no record".to_owned() })?;
        return print_added(ui, &engine.queue_add_record(&args.by, &record)?);
    }
    let payload = if is_record { payload.get("payload").and_then(Value::as_object).cloned().unwrap_or_default() } else { payload };
    let given = Given { contract: args.contract.clone(), id: args.id.clone(), payload };
    if args.dry_run {
        return validate(ui, &engine.queue_preview(&args.by, &given)?);
    }
    print_added(ui, &engine.queue_add(&args.by, &given)?)
}

fn print_added(ui: &Ui, added: &enact_engine::queue::Added) -> Result<Exit> {
    if ui.json() {
        ui.document(added)?;
        return Ok(Exit::Done);
    }
    ui.line(format!("{GOOD}queued{GOOD:#}   {NAME}{}{NAME:#} {DIM}entry {}{DIM:#}", added.queue_id, added.appended.entry.seq))?;
    match added.validation.get("failure_reason").and_then(Value::as_str) {
        Some(reason) => ui.line(format!("{WARN}lacks{WARN:#}    {reason}"))?,
        None => ui.line("valid    it is carried out by the next worker")?,
    }
    Ok(Exit::Done)
}

fn validate(ui: &Ui, answer: &Value) -> Result<Exit> {
    let valid = answer.get("validated").and_then(Value::as_bool).unwrap_or(false);
    if ui.json() {
        ui.document(answer)?;
    } else {
        for (group, holds) in answer.get("validation").and_then(Value::as_object).into_iter().flatten() {
            let (style, word) = if holds == &Value::Bool(true) { (GOOD, "holds") } else { (BAD, "fails") };
            ui.line(format!("{style}{word}{style:#}    {group}"))?;
        }
        if let Some(reason) = answer.get("failure_reason").and_then(Value::as_str) {
            ui.line(format!("reason   {reason}"))?;
        }
    }
    Ok(if valid { Exit::Done } else { Exit::Refused })
}

fn list(ui: &Ui, engine: &Engine, args: &ListArgs) -> Result<Exit> {
    if args.counts {
        return super::summary::print(ui, &engine.queue_summary(&[], |_| {})?);
    }
    let items = engine.queue_list(&args.filter.filter(), 0, args.limit)?;
    if ui.json() {
        ui.document(&items)?;
    } else {
        items.iter().try_for_each(|shown| print_item(ui, shown))?;
    }
    Ok(if items.iter().filter_map(|shown| shown.error.as_ref()).any(RowError::is_damage) { Exit::Mismatch } else { Exit::Done })
}

fn print_item(ui: &Ui, shown: &Shown) -> Result<()> {
    if let Some(error) = &shown.error {
        return print_damaged(ui, shown.text("queue_id"), error);
    }
    let status = shown.text("status");
    let style = match status {
        "FAILED" | "VOID" => BAD,
        "PENDING" => WARN,
        _ => GOOD,
    };
    let reason = shown.text("failure_reason");
    ui.line(format!(
        "{NAME}{:<24}{NAME:#} {style}{status:<10}{style:#} {DIM}{}{DIM:#} {reason}",
        shown.text("queue_id"),
        shown.text("updated_utc")
    ))
}

fn print_damaged(ui: &Ui, id: &str, error: &RowError) -> Result<()> {
    let [id, message] = [id, &error.message].map(plain);
    let word = if error.is_damage() { "damaged" } else { "left" };
    ui.line(format!("{NAME}{id:<24}{NAME:#} {BAD}{word:<10}{BAD:#} {message} {DIM}[{}]{DIM:#}", error.code))
}

fn show(ui: &Ui, engine: &Engine, args: &ShowArgs) -> Result<Exit> {
    let shown = engine.queue_item(&args.item)?;
    let mut lines = Vec::new();
    if args.lines {
        let mut after = 0;
        loop {
            let page = engine.queue_lines(Some(&args.item), after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.number;
            lines.extend(page);
        }
    }
    if ui.json() {
        if args.lines {
            ui.document(&json!({"item": shown, "lines": lines}))?
        } else {
            ui.document(&shown)?
        }
        return Ok(Exit::Done);
    }
    print_item(ui, &shown)?;
    for (name, value) in &shown.item {
        ui.line(format!("  {name:<22} {value}"))?;
    }
    for line in &lines {
        print_line(ui, line)?;
    }
    Ok(Exit::Done)
}

fn print_line(ui: &Ui, line: &enact_engine::queue::LineReport) -> Result<()> {
    let text = |member: &str| line.line.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let reason = if text("reason").is_empty() { text("failure_reason") } else { text("reason") };
    ui.line(format!(
        "{DIM}{}{DIM:#} {NAME}{:<24}{NAME:#} {:<18} {:<10} {reason}",
        text("updated_utc"),
        text("queue_id"),
        text("event"),
        text("status")
    ))
}

fn watch(ui: &Ui, engine: &Engine, args: &WatchArgs) -> Result<Exit> {
    static STOP: AtomicBool = AtomicBool::new(false);
    if !args.once {
        ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("cannot listen for signals")?;
    }
    let mut after = args.after;
    while !STOP.load(Ordering::Relaxed) {
        let page = engine.queue_lines(args.item.as_ref(), after, PAGE)?;
        for line in &page {
            after = line.number;
            if ui.json() { ui.raw(format!("{}\n", line.text).as_bytes())? } else { print_line(ui, line)? }
        }
        if page.is_empty() {
            if args.once {
                break;
            }
            std::thread::sleep(Duration::from_millis(args.poll));
        }
    }
    Ok(Exit::Done)
}

fn started(ui: &Ui, started: &Started) -> Result<()> {
    print_item(ui, &started.item)?;
    match &started.original {
        Some(original) => ui.line(format!("{DIM}executed before:{DIM:#} entry {} {}", original.entry, original.record)),
        None => Ok(()),
    }
}

/// The same for every item; a refusal of one does not keep the others from it.
fn each<T: Serialize>(
    ui: &Ui,
    ids: &[QueueId],
    act: impl Fn(&QueueId) -> Result<T, EngineError>,
    print: impl Fn(&Ui, &T) -> Result<()>,
) -> Result<Exit> {
    if let [id] = ids {
        let done = act(id)?;
        if ui.json() {
            ui.document(&done)?
        } else {
            print(ui, &done)?
        }
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    for id in ids {
        match act(id) {
            Ok(done) if ui.json() => ui.raw(format!("{}\n", json!({"queue_id": id.as_str(), "done": done})).as_bytes())?,
            Ok(done) => print(ui, &done)?,
            Err(error) => {
                exit = exit.and(error.kind());
                let (code, detail) = (error.code().to_owned(), error.to_string());
                if ui.json() {
                    let line = json!({"queue_id": id.as_str(), "error": {"code": code, "message": detail}});
                    ui.raw(format!("{line}\n").as_bytes())?;
                } else {
                    ui.line(format!("{BAD}refused{BAD:#}  {NAME}{id}{NAME:#} {detail} {DIM}[{code}]{DIM:#}"))?;
                }
            }
        }
    }
    Ok(exit)
}

/// `sha256:` and 64 hex digits as they are, or the digest of a file.
pub(crate) fn digest_of(text: &str) -> Result<String> {
    let is_digest = text
        .split_once(':')
        .is_some_and(|(of, hex)| matches!(of, "sha256" | "blake3") && hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_digest {
        return Ok(text.to_owned());
    }
    let path = Path::new(text);
    let bytes = std::fs::read(path).map_err(|e| EngineError::file("read", path, e))?;
    Ok(enact_core::hash::blob_hash(&bytes).to_string())
}
