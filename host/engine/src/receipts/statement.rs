//! The receipt of a run as an in-toto statement in a DSSE envelope, signed with the ledger's key.
//!
//! `predicate.execution` says what was executed under which rules and what followed; its hash leaves out where and when it was stored, so two
//! ledgers that hold the same execution agree on it. Everything is made from evidence that was checked against its entry, never from listings.
use std::collections::{BTreeMap, BTreeSet};

use enact_core::canonical;
use enact_core::entry::{Entry, Local, Posting, Record};
use enact_core::hash::{Digest, derived, entry_hash, leaf_hash, sha256};
use enact_core::note;
use enact_core::receipt::RunReceipt;
use enact_core::state::Space;
use enact_flow::snapshot::Snapshot;
use enact_store::Reader;
use serde::{Deserialize, Serialize};

use super::dsse::{self, Envelope};
use crate::bound::HOST_CLASSES;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::evidence::Evidence;
use crate::offline::{self, EntryProof};

/// Type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Type of the predicate: a name and no address, like the names of the schemas.
pub const PREDICATE_TYPE: &str = "enact:predicate/execution-receipt/v1";
/// Type of the payload in the envelope.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Context of the hash over `predicate.execution`.
const RECEIPT_CONTEXT: &str = "enact execution receipt v1";
/// The subject that is the payload at the exit.
const OUTPUT: &str = "output";
/// The subject that is the stored entry.
const ENTRY: &str = "entry";
/// How the member is spelled by which records carry the hash of the decision that they follow from.
const DECISION_HASH: &str = "decision_hash";
/// The reference to a decision.
const DECISION: &str = "decision";

/// An in-toto statement.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    type_: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

/// What the statement is about, by digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    /// `sha256` of the bytes; of an entry also `rfc6962`, its leaf in the tree.
    digest: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    execution: Execution,
    /// Over the canonical bytes of `execution`.
    receipt_hash: Digest,
    ledger: Stored,
    /// Facts of the node, in no hash but the leaf's.
    local: Local,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<EntryProof>,
}

/// What was executed, and what followed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Execution {
    /// Hash of the decision that was carried out, where a record says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision_hash: Option<Digest>,
    /// `record_hash` of that decision, where a record refers to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<Digest>,
    /// The receipt: snapshot, modules, engine, input and output, transcript, counts, exit.
    receipt: RunReceipt,
    /// `record_hash` of the receipt.
    record: Digest,
    /// What each capability was given.
    capabilities: BTreeMap<String, Given>,
    /// What was recorded with the run.
    records: Vec<Followed>,
}

/// Bounds and interfaces of a capability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    grants: BTreeSet<String>,
    /// The most fuel that one call could use, decimal text: it may exceed a JSON number.
    fuel_limit: String,
}

/// A record that was made with the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Followed {
    record: Digest,
    #[serde(rename = "type")]
    type_: String,
    action: String,
    subject: String,
    decided: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    consumes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    postings: Vec<Posting>,
}

/// Where the ledger has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    origin: String,
    seq: u64,
    at: String,
    entry: Digest,
    leaf: Digest,
}

/// A receipt that holds; the stable shape of `enact receipts --verify --json`.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptReport {
    /// `HOLDS`; one that does not is an error.
    pub verdict: &'static str,
    /// The ledger's name.
    pub origin: String,
    /// The verifier key under which the signature holds.
    pub signed_by: String,
    /// The run.
    pub run: String,
    /// Its entry.
    pub seq: u64,
    /// How it ended.
    pub exit: String,
    /// The protocol that it ran under.
    pub snapshot: String,
    /// `context_hash` of its output.
    pub output: String,
    /// `record_hash` of its receipt.
    pub record: String,
    /// The hash by which the same execution is known anywhere.
    pub receipt_hash: String,
    /// Action and subject of each record that was made with it.
    pub records: Vec<BTreeMap<&'static str, String>>,
    /// Size of the tree in which the entry was proved to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proved_in: Option<u64>,
    /// What was not looked at.
    pub not_checked: Vec<&'static str>,
}

impl Engine {
    /// The receipt of a run as a signed in-toto statement: one line of canonical JSON. With `prove`, it holds that the entry is in the ledger.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], or [`EngineError::Altered`] when the evidence is not what its entry says.
    pub fn export_receipt(&self, run: &str, prove: bool) -> Result<Vec<u8>> {
        let mut reader = self.store().reader()?;
        reader.begin()?;
        let seq = match run.parse::<u64>() {
            Ok(seq) => Some(seq),
            Err(_) => reader.run_seq(run)?,
        };
        let none = || EngineError::NoRun { run: run.to_owned() };
        let seq = seq.ok_or_else(none)?;
        let (stored, entry) = (reader.run_by_seq(seq)?.ok_or_else(none)?, reader.entry(seq)?.ok_or_else(none)?);
        if leaf_hash(&entry.bytes) != entry.leaf {
            return Err(altered(seq, "entry_leaf", "its leaf is another"));
        }
        let evidence = Evidence::open(&entry, &stored).map_err(|findings| {
            let first = findings.into_iter().next();
            first.map_or_else(|| altered(seq, "run_part", ""), |found| altered(seq, found.code, &found.detail))
        })?;
        let parsed = Entry::parse(&entry.bytes).map_err(|r| altered(seq, r.code(), &r.to_string()))?;
        let execution = self.execution(&mut reader, &parsed, &evidence)?;
        // Whatever is signed here has been proven: to be in the tree of the signed checkpoint, not only to agree with itself.
        let proof = self.prove_entry(seq)?;
        let (leaf, output) = (Digest::sha256(entry.leaf), evidence.receipt.output);
        let predicate = Predicate {
            receipt_hash: receipt_hash(&execution)?,
            execution,
            ledger: Stored { origin: parsed.origin.clone(), seq, at: parsed.at.clone(), entry: entry_hash(&entry.bytes), leaf },
            local: parsed.local.clone(),
            proof: prove.then_some(proof),
        };
        let subject = subjects(&output, &Digest::sha256(sha256(&entry.bytes)), &leaf);
        let statement = Statement { type_: STATEMENT_TYPE.to_owned(), subject, predicate_type: PREDICATE_TYPE.to_owned(), predicate };
        let body = bytes(&statement)?;
        let key = self.verifier_key();
        // `name+hash+key`; only the last part, which is base64, may hold another `+`.
        let keyid: Vec<&str> = key.splitn(3, '+').take(2).collect();
        let envelope = dsse::sign(PAYLOAD_TYPE, &body, &keyid.join("+"), self.ledger_key()?);
        let mut out = bytes(&envelope)?;
        // What this binary would not accept itself is not handed out.
        check(&out, key)?;
        out.push(b'\n');
        Ok(out)
    }

    fn execution(&self, reader: &mut Reader, entry: &Entry, evidence: &Evidence) -> Result<Execution> {
        let record = entry.records.first().map(Record::hash).transpose().ok().flatten();
        let record = record.ok_or_else(|| altered(entry.seq, "run_receipt", "it does not begin with the receipt of a run"))?;
        let mut records = Vec::new();
        let (mut decision, mut decision_hash) = (None, None);
        for (nth, record) in entry.records.iter().enumerate().skip(1) {
            let hash = record.hash().map_err(|e| altered(entry.seq, e.code(), &e.to_string()))?;
            records.push(Followed {
                record: hash,
                type_: record.type_.clone(),
                action: record.action.clone(),
                subject: record.subject.clone(),
                decided: entry.decided.get(nth).cloned().unwrap_or_default(),
                consumes: record.consumes.clone(),
                postings: record.postings.clone().unwrap_or_default(),
            });
            // What the record says itself, or what its subject was made with.
            let first = if decides(record).is_some() { None } else { first_of(reader, &record.subject)? };
            if let Some(said) = decides(record).or_else(|| first.as_ref().and_then(decides)) {
                decision = decision.or(said.0);
                decision_hash = decision_hash.or(said.1);
            }
        }
        let capabilities = self.given(reader, entry.seq, evidence)?;
        Ok(Execution { decision_hash, decision, receipt: evidence.receipt.clone(), record, capabilities, records })
    }

    /// Grants and bounds, from the plan that the receipt names: bound again from the sealed protocol, and the same by its hash.
    #[allow(clippy::unused_self, reason = "reads as a question to the engine beside its siblings")]
    fn given(&self, reader: &mut Reader, seq: u64, evidence: &Evidence) -> Result<BTreeMap<String, Given>> {
        let (receipt, parameters) = (&evidence.receipt, &evidence.transcript.parameters);
        let snapshot = receipt.snapshot.to_string();
        let lock = reader.snapshot(&snapshot)?.ok_or(EngineError::NoSnapshot { snapshot })?;
        let sealed = Snapshot::from_lock(&lock).map_err(|problem| altered(seq, "snapshot_altered", &problem.detail))?;
        let plan = enact_flow::bind::bind(&sealed, &receipt.workflow, Some(&receipt.binding), parameters, HOST_CLASSES)
            .map_err(|report| altered(seq, "run_part", &report.to_string()))?;
        if plan.digest() != receipt.plan.to_string() {
            return Err(altered(seq, "run_part", "the plan is another one than the receipt names"));
        }
        let mut given: BTreeMap<String, Given> = BTreeMap::new();
        for target in plan.targets() {
            let limit = target.limits.fuel.to_string();
            let slot = given.entry(target.capability.clone()).or_insert_with(|| Given { grants: BTreeSet::new(), fuel_limit: limit });
            slot.grants.extend(target.grants.iter().cloned());
        }
        Ok(given)
    }
}

/// The decision that a record follows from, as it says: by reference, and by the decision's own hash.
fn decides(record: &Record) -> Option<(Option<Digest>, Option<Digest>)> {
    let reference = record.refs.get(DECISION).copied();
    let own = record.payload.get(DECISION_HASH).and_then(serde_json::Value::as_str).and_then(|text| text.parse().ok());
    (reference.is_some() || own.is_some()).then_some((reference, own))
}

/// The record that made a subject.
fn first_of(reader: &mut Reader, subject: &str) -> Result<Option<Record>> {
    let rows = reader.state_history(Space::Subject, subject, None, 1)?;
    let Some((seq, _)) = rows.first() else { return Ok(None) };
    let stored = reader.entry(*seq)?.ok_or_else(|| altered(*seq, "entry_missing", "a row says that it exists"))?;
    let entry = Entry::parse(&stored.bytes).map_err(|r| altered(*seq, r.code(), &r.to_string()))?;
    Ok(entry.records.into_iter().find(|record| record.subject == subject))
}

fn subjects(output: &Digest, entry: &Digest, leaf: &Digest) -> Vec<Subject> {
    let digest = |name: &str, digest: &Digest| (name.to_owned(), digest.to_hex());
    vec![
        Subject { name: OUTPUT.to_owned(), digest: [digest("sha256", output)].into() },
        Subject { name: ENTRY.to_owned(), digest: [digest("sha256", entry), digest("rfc6962", leaf)].into() },
    ]
}

/// The hash of an execution: the same wherever and whenever it is stored.
fn receipt_hash(execution: &Execution) -> Result<Digest> {
    Ok(derived(RECEIPT_CONTEXT, &bytes(execution)?))
}

fn bytes<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    canonical::to_bytes(value).map_err(|e| EngineError::PayloadValue { detail: e.to_string() })
}

/// Checks an exported receipt against a verifier key. Reads nothing else.
///
/// # Errors
/// [`EngineError::Json`] when it is not JSON, [`EngineError::Key`] when the key is none, [`EngineError::Altered`] when it does not hold.
pub fn check(receipt: &[u8], key: &str) -> Result<ReceiptReport> {
    let value = canonical::parse(receipt.trim_ascii_end())
        .map_err(|e| EngineError::Json { what: "the receipt".to_owned(), detail: e.to_string() })?;
    let (name, verifying) = note::decode_key(key).map_err(|_| EngineError::Key { name: "--key".to_owned() })?;
    let envelope: Envelope = serde_json::from_value(value).map_err(|_| broken("receipt_format", "it is no DSSE envelope"))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(broken("receipt_format", format!("the payload is `{}`, not `{PAYLOAD_TYPE}`", envelope.payload_type)));
    }
    let body = dsse::open(&envelope, &verifying).ok_or_else(|| broken("receipt_signature", "no signature in it is by this key"))?;
    let value = canonical::check(&body).map_err(|e| broken(e.code(), e.to_string()))?;
    let wrong_type =
        |what: &str, got: &serde_json::Value, known: &str| broken("receipt_format", format!("{what} is {got}, known is `{known}`"));
    for (member, known) in [("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)] {
        let got = value.get(member).unwrap_or(&serde_json::Value::Null);
        if got.as_str() != Some(known) {
            return Err(wrong_type(member, got, known));
        }
    }
    let statement: Statement = serde_json::from_value(value).map_err(|e| broken("receipt_format", e.to_string()))?;
    claims(&statement, &name)?;
    let Statement { subject, predicate, .. } = statement;
    let Predicate { execution, receipt_hash, ledger, proof, .. } = predicate;
    let mut not_checked =
        vec!["that the run gives the same results again (`enact audit`)", "that its records were allowed (`enact verify --rebuild`)"];
    let proved_in = match &proof {
        Some(proof) => Some(proved(proof, &execution, &ledger, &subject, key)?),
        None => {
            not_checked.push("that the entry is under a signed checkpoint (export it with `--proof`)");
            None
        }
    };
    let said = |record: &Followed| [("action", record.action.clone()), ("subject", record.subject.clone())].into();
    let exit = &execution.receipt.exit;
    Ok(ReceiptReport {
        verdict: "HOLDS",
        origin: ledger.origin,
        signed_by: key.to_owned(),
        seq: ledger.seq,
        exit: format!("{}/{}", exit.class.as_str(), exit.reason),
        snapshot: execution.receipt.snapshot.to_string(),
        output: execution.receipt.output.to_string(),
        record: execution.record.to_string(),
        receipt_hash: receipt_hash.to_string(),
        records: execution.records.iter().map(said).collect(),
        run: execution.receipt.run,
        proved_in,
        not_checked,
    })
}

/// What a statement says twice, it says the same.
fn claims(statement: &Statement, key_name: &str) -> Result<()> {
    let Predicate { execution, receipt_hash: said, ledger, .. } = &statement.predicate;
    let wrong = |what: &str| Err(broken("receipt_claims", what));
    if ledger.origin != key_name {
        return wrong("it is about the ledger of another key");
    }
    let record = execution.receipt.record().hash().map_err(|e| broken(e.code(), e.to_string()))?;
    if record != execution.record {
        return wrong("the record is not that of the receipt");
    }
    if receipt_hash(execution)? != *said {
        return wrong("the hash is not that of the execution");
    }
    let entry = statement.subject.iter().find(|subject| subject.name == ENTRY).and_then(|subject| subject.digest.get("sha256"));
    let entry = entry.and_then(|hex| format!("sha256:{hex}").parse::<Digest>().ok());
    let Some(entry) = entry else { return wrong("it is about no entry") };
    if statement.subject != subjects(&execution.receipt.output, &entry, &ledger.leaf) {
        return wrong("its subjects are not the output of the receipt and the leaf of the entry");
    }
    Ok(())
}

/// The entry is in the ledger, and is the one that the statement speaks of.
fn proved(proof: &EntryProof, execution: &Execution, ledger: &Stored, subject: &[Subject], key: &str) -> Result<u64> {
    let report = offline::check_entry(proof, key)?;
    let entry = Entry::parse(proof.entry.as_bytes()).map_err(|r| broken(r.code(), r.to_string()))?;
    let hashes: std::result::Result<Vec<Digest>, _> = entry.records.iter().map(Record::hash).collect();
    let hashes = hashes.map_err(|e| broken(e.code(), e.to_string()))?;
    let said: Vec<Digest> = std::iter::once(execution.record).chain(execution.records.iter().map(|record| record.record)).collect();
    let leaf = Digest::sha256(leaf_hash(proof.entry.as_bytes()));
    let about = subjects(&execution.receipt.output, &Digest::sha256(sha256(proof.entry.as_bytes())), &leaf);
    if hashes != said
        || subject != about
        || (report.seq, leaf) != (ledger.seq, ledger.leaf)
        || report.hash != ledger.entry.to_string()
        || report.at != ledger.at
    {
        return Err(broken("receipt_claims", "the entry that is proved is another one"));
    }
    Ok(report.size)
}

fn broken(code: &'static str, detail: impl Into<String>) -> EngineError {
    EngineError::Altered { what: "the receipt, or what it is about,".to_owned(), code, detail: detail.into() }
}

fn altered(seq: u64, code: &'static str, detail: &str) -> EngineError {
    EngineError::Altered { what: format!("entry {seq}"), code, detail: detail.to_owned() }
}
