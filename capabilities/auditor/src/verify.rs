//! Entries to roots and findings: the core's verifier over the bytes, and its fold over what they say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use enact_core::entry::{Entry, Record};
use enact_core::govern::Protocol;
use enact_core::hash::Digest;
use enact_core::note;
use enact_core::verify::{Finding, Verifier};
use enact_guest_sdk::Answer;
use serde::{Deserialize, Serialize};

use crate::carry::Carried;
use crate::snapshot::{Given, Lock};

const SUCCESS: &str = "SUCCESS";
const VIOLATION: &str = "VIOLATION";

/// Entries of a ledger, from its first or from where an earlier call stopped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger<'a> {
    /// The ledger's name.
    origin: String,
    /// The sealed protocols under which the entries were judged.
    snapshots: Vec<Lock>,
    /// The stored bytes, in order.
    #[serde(borrow)]
    entries: Vec<Cow<'a, str>>,
    /// The stored Merkle leaf of each entry.
    leaves: Vec<Digest>,
    /// What the call before answered.
    resume: Option<Carried>,
    /// A signed tree head to hold the ledger against once these entries were read.
    checkpoint: Option<Signed>,
}

/// A signed tree head and the key that must have signed it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    key: String,
    note: String,
}

/// What was found.
#[derive(Serialize)]
struct Verified {
    /// What is wrong with these entries.
    findings: Vec<Finding>,
    /// Governed entries that were judged again so far.
    judged: u64,
    /// For the next call.
    resume: Carried,
    /// Root of the Merkle tree so far.
    root: Digest,
    /// Root of each space of the derived state.
    roots: BTreeMap<&'static str, Digest>,
    /// Entries so far.
    size: u64,
}

/// `CT_VERIFY_LEDGER_V0`. Without findings, in this call and those before, `SUCCESS`; with some, `VIOLATION` and what was found. Inputs
/// that cannot be verified at all (a protocol that does not compile, an odd number of leaves) are a bare `VIOLATION`.
pub(crate) fn ledger(ledger: Ledger<'_>) -> Answer {
    match verify(ledger) {
        Some(verified) => Answer::new(if verified.resume.found == 0 { SUCCESS } else { VIOLATION }, &verified),
        None => Answer::bare(VIOLATION),
    }
}

fn verify(ledger: Ledger<'_>) -> Option<Verified> {
    if ledger.entries.len() != ledger.leaves.len() {
        return None;
    }
    let rules = ledger.snapshots.iter().map(Lock::rules).collect::<Option<BTreeMap<Digest, Protocol>>>()?;
    let mut carried = ledger.resume.unwrap_or_else(Carried::nothing);
    let mut verifier = carried.verifier(&ledger.origin)?;
    let mut findings = Vec::new();
    let first = verifier.next_seq();
    for ((seq, stored), leaf) in (first..).zip(&ledger.entries).zip(&ledger.leaves) {
        let entry = match verifier.feed(seq, stored.as_bytes(), &leaf.bytes) {
            Ok(entry) => Some(entry),
            Err(finding) => {
                findings.push(finding);
                // What can still be read is judged all the same.
                Entry::parse(stored.as_bytes()).ok()
            }
        };
        let Some(entry) = entry else { continue };
        carried.judged = carried.judged.saturating_add(u64::from(!entry.records.iter().all(Record::is_run)));
        findings.extend(carried.fold.feed(&|snapshot| rules.get(snapshot), &Given(&rules), &entry).err());
    }
    if let Some(signed) = &ledger.checkpoint {
        findings.extend(held(&verifier, &ledger.origin, signed));
    }
    carried.found = carried.found.saturating_add(u64::try_from(findings.len()).unwrap_or(u64::MAX));
    let roots = carried.fold.state().roots();
    Some(Verified {
        judged: carried.judged,
        root: Digest::sha256(verifier.head().root()),
        roots: roots.into_iter().map(|(space, root)| (space.as_str(), Digest::sha256(root))).collect(),
        size: verifier.head().size,
        resume: carried.after(&verifier),
        findings,
    })
}

/// What a signed tree head reveals about the entries so far.
fn held(verifier: &Verifier, origin: &str, signed: &Signed) -> Vec<Finding> {
    let mut verifier = verifier.clone();
    match note::decode_key(&signed.key) {
        Ok((_, key)) => verifier.note(&signed.note, &key),
        Err(error) => return vec![Finding { code: error.code(), seq: None, detail: format!("of `{origin}`: {error}") }],
    }
    let head = verifier.head().clone();
    verifier.finish(&head)
}
