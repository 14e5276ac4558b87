//! `enact run --batch`: one run per line, streamed, so that memory does not depend on the length of the file.
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use enact_engine::{Engine, EngineError, Load, PAYLOAD_BYTES_MAX, RunReport, RunRequest};
use serde_json::Value;

use crate::exit::Exit;
use crate::ui::Ui;

/// The payloads of a batch, one after another.
struct Lines {
    source: Box<dyn BufRead>,
    name: String,
    number: u64,
    line: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let source: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(path).map_err(|e| EngineError::file("read", path, e))?))
        };
        Ok(Self { source, name: path.display().to_string(), number: 0, line: Vec::new() })
    }

    /// The payload of the next line that is not blank.
    fn read(&mut self) -> Result<Option<Value>> {
        // A line may be a little longer than the canonical payload in it; one that is much longer is not read to its end.
        let limit = PAYLOAD_BYTES_MAX.saturating_mul(2);
        loop {
            self.line.clear();
            self.number += 1;
            let place = || format!("line {} of `{}`", self.number, self.name);
            let mut bounded = self.source.by_ref().take(limit as u64 + 1);
            let bytes = bounded.read_until(b'\n', &mut self.line).map_err(|e| EngineError::file("read", Path::new(&self.name), e))?;
            if bytes == 0 {
                return Ok(None);
            }
            if bytes > limit {
                return Err(EngineError::PayloadSize { bytes, bytes_max: PAYLOAD_BYTES_MAX }).with_context(place);
            }
            let line = self.line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            // Strict: duplicate keys would mean one thing here and another elsewhere.
            let payload = enact_core::canonical::parse(line).map_err(|e| EngineError::Json { what: place(), detail: e.to_string() })?;
            enact_engine::checked_payload(&payload).with_context(place)?;
            return Ok(Some(payload));
        }
    }
}

/// Runs every line; a failure of one does not keep the others from running.
pub(crate) fn run(ui: &Ui, engine: &Engine, request: &RunRequest, file: &Path, load: Load) -> Result<Exit> {
    let mut count = 0;
    if file != Path::new("-") {
        // A typing error in the middle should not leave half a batch.
        let mut lines = Lines::open(file)?;
        while lines.read()?.is_some() {
            count += 1;
        }
    }
    let bar = ui.bar(count, "runs");
    let mut lines = Lines::open(file)?;
    let (mut unread, mut failed): (Option<anyhow::Error>, Option<anyhow::Error>) = (None, None);
    engine.run_many(
        load,
        || match lines.read() {
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
