//! The evidence of one committed run, read back and checked against its receipt before anything is believed.
use std::borrow::Cow;
use std::fmt::Display;

use enact_core::entry::Entry;
use enact_core::hash::{Digest, blob_hash, context_hash};
use enact_core::receipt::{ExitClass, ReceiptView, RunReceipt};
use enact_core::verify::Finding;
use enact_flow::Map;
use enact_store::{RunRef, StoredEntry, StoredRun};

use crate::trace::Trace;
use crate::transcript::{Transcript, VERSION};

/// A run whose stored parts are the ones that its receipt names.
#[derive(Debug)]
pub struct Evidence {
    /// Its entry in the ledger.
    pub seq: u64,
    /// The receipt.
    pub receipt: RunReceipt,
    /// The payload at the start.
    pub input: Map,
    /// The stored bytes of the payload at the exit.
    pub output: Vec<u8>,
    /// The structural trace.
    pub trace: Trace,
    /// The transcript.
    pub transcript: Transcript,
}

impl Evidence {
    /// Checks the stored parts of a run against its entry.
    ///
    /// # Errors
    /// Everything that does not fit: a part with another hash, a listing column that says something else, a part that cannot be read.
    pub fn open(entry: &StoredEntry, stored: &StoredRun) -> Result<Self, Vec<Finding>> {
        let receipt = receipt(entry).map_err(|finding| vec![finding])?;
        let findings = mismatches(entry.seq, &Claims::from(&receipt), &RunRef::from(&stored.run));
        if !findings.is_empty() {
            return Err(findings);
        }
        let unreadable = |what: &str, detail: String| vec![finding("run_unreadable", entry.seq, format!("{what}: {detail}"))];
        let input = serde_json::from_slice(&stored.run.input).map_err(|e| unreadable("input", e.to_string()))?;
        let trace = Trace::from_bytes(&stored.run.trace).map_err(|e| unreadable("trace", e.to_string()))?;
        let transcript: Transcript = serde_json::from_slice(&stored.run.transcript).map_err(|e| unreadable("transcript", e.to_string()))?;
        if transcript.v != VERSION || transcript.run != receipt.run || transcript.binding != receipt.binding {
            return Err(vec![finding("run_transcript", entry.seq, "the transcript is of another run or version".to_owned())]);
        }
        Ok(Self { seq: entry.seq, receipt, input, output: stored.run.output.clone(), trace, transcript })
    }
}

/// The receipt in an entry of the ledger of runs.
pub fn receipt(entry: &StoredEntry) -> Result<RunReceipt, Finding> {
    let parsed = Entry::parse(&entry.bytes).map_err(|refusal| finding(refusal.code(), entry.seq, refusal.to_string()))?;
    receipt_of(entry.seq, &parsed)
}

/// The receipt in an entry that has been read.
pub fn receipt_of(seq: u64, parsed: &Entry) -> Result<RunReceipt, Finding> {
    // What governs may stand behind the receipt (`protocol/queue.md`); the core sees to it that there is one receipt, and that it is first.
    let Some(record) = parsed.records.first().filter(|record| record.is_run()) else {
        return Err(finding("run_receipt", seq, "the entry does not begin with the receipt of a run".to_owned()));
    };
    let receipt = RunReceipt::from_record(record).map_err(|refusal| finding(refusal.code(), seq, refusal.to_string()))?;
    if receipt.snapshot != parsed.protocol {
        return Err(finding("run_protocol", seq, "the receipt names another protocol than its entry".to_owned()));
    }
    Ok(receipt)
}

/// What a receipt says about the stored parts of its run.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    run: &'a str,
    workflow: &'a str,
    snapshot: Digest,
    binding: &'a str,
    class: ExitClass,
    reason: &'a str,
    code: Option<&'a str>,
    input: Digest,
    output: Digest,
    trace: Digest,
    transcript: Digest,
}

impl<'a> From<&'a RunReceipt> for Claims<'a> {
    fn from(receipt: &'a RunReceipt) -> Self {
        Self {
            run: &receipt.run,
            workflow: &receipt.workflow,
            snapshot: receipt.snapshot,
            binding: &receipt.binding,
            class: receipt.exit.class,
            reason: &receipt.exit.reason,
            code: receipt.exit.code.as_deref(),
            input: receipt.input,
            output: receipt.output,
            trace: receipt.trace,
            transcript: receipt.transcript,
        }
    }
}

impl<'a> From<&'a ReceiptView<'_>> for Claims<'a> {
    fn from(receipt: &'a ReceiptView<'_>) -> Self {
        Self {
            run: receipt.run(),
            workflow: receipt.workflow(),
            snapshot: receipt.snapshot(),
            binding: receipt.binding(),
            class: receipt.class(),
            reason: receipt.reason(),
            code: receipt.code(),
            input: receipt.input(),
            output: receipt.output(),
            trace: receipt.trace(),
            transcript: receipt.transcript(),
        }
    }
}

impl Claims<'_> {
    /// The run.
    pub(crate) const fn run(&self) -> &str {
        self.run
    }
}

/// Everything in the stored parts of a run that is not what the receipt says.
#[must_use]
pub fn mismatches(seq: u64, receipt: &Claims<'_>, run: &RunRef<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut hash = |what: &str, expected: Digest, got: Digest| {
        if expected != got {
            findings.push(finding("run_part", seq, format!("{what} of `{}`: expected {expected}, got {got}", receipt.run)));
        }
    };
    hash("input", receipt.input, context_hash(run.input));
    hash("output", receipt.output, context_hash(run.output));
    hash("trace", receipt.trace, blob_hash(run.trace));
    hash("transcript", receipt.transcript, blob_hash(run.transcript));
    let mut column = |column: &str, same: bool, expected: &dyn Display, got: &str| {
        if !same {
            findings.push(finding("run_column", seq, format!("{column}: the evidence says `{expected}`, the listing `{got}`")));
        }
    };
    let at = if begins_at(run.transcript, run.run_id, run.at) { Cow::Borrowed(run.at) } else { transcript_at(run.transcript) };
    let (expected, got) = (receipt.code.unwrap_or_default(), run.code.unwrap_or_default());
    column("run_id", receipt.run == run.run_id, &receipt.run, run.run_id);
    column("workflow", receipt.workflow == run.workflow, &receipt.workflow, run.workflow);
    column("snapshot", receipt.snapshot.is_spelled(run.snapshot), &receipt.snapshot, run.snapshot);
    column("binding", receipt.binding == run.binding, &receipt.binding, run.binding);
    column("class", receipt.class.as_str() == run.class, &receipt.class.as_str(), run.class);
    column("reason", receipt.reason == run.reason, &receipt.reason, run.reason);
    column("code", expected == got, &expected, got);
    column("at", at == run.at, &at, run.at);
    findings
}

/// How a transcript of this version begins.
const BEGINS: &str = "{\"v\":1,\"run\":\"";

/// Whether the transcript begins as it is written for a run of that id and time: then the rest of it need not be read for the time.
fn begins_at(transcript: &[u8], run: &str, at: &str) -> bool {
    // Neither holds anything that JSON spells in two ways, or the listing is not taken at its word.
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:+".contains(&byte));
    let begins = [BEGINS, run, "\",\"at\":\"", at, "\","].iter().try_fold(transcript, |rest, part| rest.strip_prefix(part.as_bytes()));
    plain(run) && plain(at) && begins.is_some()
}

/// The run's own time stands in its transcript; the listing repeats it.
fn transcript_at(transcript: &[u8]) -> Cow<'_, str> {
    #[derive(serde::Deserialize)]
    struct At<'a> {
        #[serde(borrow)]
        at: Cow<'a, str>,
    }
    serde_json::from_slice::<At<'_>>(transcript).map(|t| t.at).unwrap_or_default()
}

fn finding(code: &'static str, seq: u64, detail: String) -> Finding {
    Finding { code, seq: Some(seq), detail }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn the_time_of_a_transcript_is_read_from_its_beginning_or_from_all_of_it() {
        let (run, at) = ("RUN-01M81FWYH5HZAYMWE1ESA0VG0V", "2026-01-01T00:00:00.000000Z");
        let transcript = |run: &str, at: &str| {
            let (run, at) = (run.to_owned(), at.to_owned());
            serde_json::to_vec(&Transcript { v: VERSION, run, at, ..Transcript::default() }).unwrap()
        };
        let written = transcript(run, at);
        assert!(begins_at(&written, run, at));
        assert_eq!(transcript_at(&written), at);
        // Another time, another run, only a part of the time, a spelling that hides where the text ends.
        let quoted = "2026\",\"at\":\"2027";
        for (run, at) in [(run, "2026-01-01T00:00:00.000001Z"), ("RUN-2", at), (run, "2026-01-01"), (run, ""), (run, quoted)] {
            assert!(!begins_at(&written, run, at), "{at}");
        }
        assert!(!begins_at(&transcript(run, quoted), run, quoted));
        assert!(!begins_at(&written[..written.len() - 20], run, &at[..10]));
    }
}
