//! The evidence of one committed run, read back and checked against its receipt before anything is believed.
use enact_core::entry::Entry;
use enact_core::hash::{Digest, blob_hash, context_hash};
use enact_core::receipt::RunReceipt;
use enact_core::verify::Finding;
use enact_flow::Map;
use enact_store::{RunRow, StoredEntry, StoredRun};

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
        let findings = mismatches(entry.seq, &receipt, &stored.run);
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

/// Everything in the stored parts of a run that is not what the receipt says.
#[must_use]
pub fn mismatches(seq: u64, receipt: &RunReceipt, run: &RunRow) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut hash = |what: &str, expected: &Digest, got: Digest| {
        if *expected != got {
            findings.push(finding("run_part", seq, format!("{what} of `{}`: expected {expected}, got {got}", receipt.run)));
        }
    };
    hash("input", &receipt.input, context_hash(&run.input));
    hash("output", &receipt.output, context_hash(&run.output));
    hash("trace", &receipt.trace, blob_hash(&run.trace));
    hash("transcript", &receipt.transcript, blob_hash(&run.transcript));
    let snapshot = receipt.snapshot.to_string();
    let columns = [
        ("run_id", receipt.run.as_str(), run.run_id.as_str()),
        ("workflow", &receipt.workflow, &run.workflow),
        ("snapshot", &snapshot, &run.snapshot),
        ("binding", &receipt.binding, &run.binding),
        ("class", receipt.exit.class.as_str(), &run.class),
        ("reason", &receipt.exit.reason, &run.reason),
        ("code", receipt.exit.code.as_deref().unwrap_or_default(), run.code.as_deref().unwrap_or_default()),
        ("at", &transcript_at(run), &run.at),
    ];
    for (column, expected, got) in columns {
        if expected != got {
            findings.push(finding("run_column", seq, format!("{column}: the evidence says `{expected}`, the listing `{got}`")));
        }
    }
    findings
}

/// The run's own time stands in its transcript; the listing repeats it.
fn transcript_at(run: &RunRow) -> String {
    #[derive(serde::Deserialize)]
    struct At {
        at: String,
    }
    serde_json::from_slice::<At>(&run.transcript).map(|t| t.at).unwrap_or_default()
}

fn finding(code: &'static str, seq: u64, detail: String) -> Finding {
    Finding { code, seq: Some(seq), detail }
}
