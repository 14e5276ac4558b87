//! The listener that every workspace has: it starts the workflows that committed runs have asked for, in the order of their log.
//!
//! Its place is a position in that log. What the log says is compared with the transcript of the run that asked, before anything is started:
//! the log is derived, the transcript stands behind a hash in the ledger.
use enact_flow::artifact::Occasion;
use enact_store::{Reader, StateRead as _};
use serde_json::Value;

use super::{ASIDE_MAX, ATTEMPTS_MAX, Delivery, Heard, ListenerStatus, STRIDE, Walk, is_there, last_failure, requests};
use crate::engine::{Engine, RunRequest};
use crate::error::Result;
use crate::later::{Place, Requested, UNFOUNDED, WORKFLOWS, asked_by};

/// Requests read at a time.
const PAGE: u64 = 64;

impl Walk<'_> {
    /// Walks from where it stands to the end that the log had at first; answers where it stands then, and how it ended.
    pub(super) fn requested(&mut self, from: u64) -> Result<(u64, Heard)> {
        let (mut at, mut written, end) = (from, from, self.reader.log_len(WORKFLOWS)?);
        while at < end {
            let page = self.reader.log_read(WORKFLOWS, at, PAGE.min(end - at))?;
            if page.is_empty() {
                break;
            }
            for record in page {
                if (self.stop)() {
                    return Ok((at, Heard::Stopped));
                }
                if let Some(attempt) = self.start(at, &record)? {
                    return Ok((at, Heard::Failed { attempt }));
                }
                at += 1;
            }
            if at - written >= STRIDE {
                self.engine.with_writer(|writer| Ok(writer.advance_cursors(&[(WORKFLOWS, at)])?))?;
                written = at;
            }
        }
        Ok((at, Heard::All))
    }

    /// Starts what was set aside again.
    pub(super) fn requested_again(&mut self) -> Result<()> {
        let aside = self.reader.failed_deliveries(WORKFLOWS, ASIDE_MAX)?;
        for failed in aside.into_iter().rev().filter(|failed| failed.attempt >= ATTEMPTS_MAX) {
            if (self.stop)() {
                return Ok(());
            }
            if let Some(record) = self.reader.log_read(WORKFLOWS, failed.record, 1)?.first() {
                self.start(failed.record, record)?;
            }
        }
        Ok(())
    }

    /// Starts the run that one request is about, as [`Walk::deliver`] answers it.
    fn start(&mut self, at: u64, record: &str) -> Result<Option<u32>> {
        let unreadable = |detail| altered_request(at, detail);
        let requested = Requested::read(record).map_err(unreadable)?;
        let id = requested.id()?;
        let place = Place { run: &requested.run, step: requested.step, nth: requested.nth, interface: "workflow" };
        let seq = asked_by(&mut self.reader, &place, &id)?.ok_or_else(|| altered_request(at, UNFOUNDED.to_owned()))?;
        if is_there(&mut self.reader, &id)? {
            self.pass.known += 1;
            return Ok(None);
        }
        let delivery = Delivery {
            listener: WORKFLOWS.to_owned(),
            record: usize::try_from(at).unwrap_or(usize::MAX),
            run_id: Some(id),
            ..Delivery::about(seq)
        };
        let request = RunRequest {
            workflow: requested.workflow,
            payload: Value::Object(requested.payload),
            binding: requested.binding,
            ..RunRequest::default()
        };
        self.run(&request, requested.depth, delivery)
    }
}

impl Engine {
    /// The position of the first request of the runs from an entry on.
    pub(super) fn requested_from(&self, seq: u64) -> Result<u64> {
        let mut reader = self.store().reader()?;
        let (mut low, mut high) = (0, reader.log_len(WORKFLOWS)?);
        // Requests stand in the order of the entries of the runs that made them.
        while low < high {
            let middle = low.midpoint(high);
            let asked = reader.log_read(WORKFLOWS, middle, 1)?.first().map(|record| Requested::read(record));
            let asked = asked.transpose().map_err(|detail| altered_request(middle, detail))?;
            let entry = asked.map(|asked| reader.run_seq(&asked.run)).transpose()?.flatten();
            if entry.is_some_and(|entry| entry < seq) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// Where it stands; `None` while no run has asked for anything.
    pub(super) fn requested_status(&self, reader: &mut Reader, failures: u64) -> Result<Option<ListenerStatus>> {
        let len = reader.log_len(WORKFLOWS)?;
        if len == 0 {
            return Ok(None);
        }
        let next = reader.cursor_within(WORKFLOWS, requests)?.unwrap_or(0);
        let failures = reader.failed_deliveries(WORKFLOWS, failures)?.into_iter().map(last_failure).collect();
        let on = Occasion { record: "request".to_owned(), action: "enqueue".to_owned() };
        let listener = WORKFLOWS.to_owned();
        Ok(Some(ListenerStatus { listener, on, workflow: None, queue: None, next, lag: len.saturating_sub(next), failures }))
    }
}

fn altered_request(at: u64, detail: String) -> crate::error::EngineError {
    crate::error::EngineError::Altered { what: format!("request {at} of `{WORKFLOWS}`"), code: "request_unfounded", detail }
}
