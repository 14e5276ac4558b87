//! `enact run --batch`: one run per line, streamed, so that memory does not depend on the length of the file.
use std::path::Path;

use anyhow::{Context as _, Result};
use enact_engine::{Engine, EngineError, Load, PAYLOAD_BYTES_MAX, RunReport, RunRequest};
use serde_json::Value;

use super::lines::Lines;
use crate::exit::Exit;
use crate::ui::Ui;

/// A line may be a little longer than the canonical payload in it; one that is much longer is not read to its end.
fn open(file: &Path) -> Result<Lines> {
    Lines::open(file, PAYLOAD_BYTES_MAX.saturating_mul(2), |bytes| EngineError::PayloadSize { bytes, bytes_max: PAYLOAD_BYTES_MAX })
}

/// The payload of the next line.
fn payload(lines: &mut Lines) -> Result<Option<Value>> {
    let Some((line, place)) = lines.next()? else { return Ok(None) };
    // Strict: duplicate keys would mean one thing here and another elsewhere.
    let payload = enact_core::canonical::parse(line).map_err(|e| EngineError::Json { what: place.to_string(), detail: e.to_string() })?;
    enact_engine::checked_payload(&payload).with_context(|| place.to_string())?;
    Ok(Some(payload))
}

/// Runs every line; a failure of one does not keep the others from running.
pub(crate) fn run(ui: &Ui, engine: &Engine, request: &RunRequest, file: &Path, load: Load) -> Result<Exit> {
    let mut count = 0;
    if file != Path::new("-") {
        // A typing error in the middle should not leave half a batch.
        let mut lines = open(file)?;
        while payload(&mut lines)?.is_some() {
            count += 1;
        }
    }
    let bar = ui.bar(count, "runs");
    let mut lines = open(file)?;
    let (mut unread, mut failed): (Option<anyhow::Error>, Option<anyhow::Error>) = (None, None);
    engine.run_many(
        load,
        || match payload(&mut lines) {
            Ok(payload) => payload.map(|payload| RunRequest { payload, ..request.clone() }),
            Err(error) => {
                unread = Some(error);
                None
            }
        },
        |index, result| {
            bar.inc(1);
            if let Err(error) = print(ui, index, result) {
                failed.get_or_insert(error);
            }
        },
    )?;
    bar.finish_and_clear();
    match unread.or(failed) {
        Some(error) => Err(error),
        None => Ok(Exit::Done),
    }
}

/// One line for one result; the error of a run that was not committed is also the error of the batch.
fn print(ui: &Ui, index: u64, result: Result<RunReport, EngineError>) -> Result<()> {
    match result {
        Ok(report) => ui.raw(format!("{}\n", serde_json::to_string(&report)?).as_bytes()),
        Err(error) => {
            let line = serde_json::json!({"index": index, "error": {"code": error.code(), "message": error.to_string()}});
            ui.raw(format!("{line}\n").as_bytes())?;
            Err(error.into())
        }
    }
}
