//! The core inside our own sandbox: it verifies a ledger to the roots that the host finds, and finds the faults that the host finds.
use std::collections::BTreeSet;

use enact_core::hash::{Digest, leaf_hash};
use enact_wasm::{Limits, Module, Options, Outcome, Profile, Sandbox};
use serde_json::{Value, json};

use crate::governance::{told, whole};
use crate::support::{Scratch, project, reseal};

const CODE: &str = "CT_VERIFY_LEDGER_V0";

/// The committed component, admitted like anyone's, under the limits that its manifest declares.
struct Auditor {
    module: Module,
    limits: Limits,
}

/// All that anyone needs to verify a ledger.
struct Evidence {
    origin: String,
    /// Stored bytes and leaf of each entry.
    entries: Vec<(String, String)>,
    snapshots: Vec<Value>,
    checkpoint: Value,
}

/// What the component said.
struct Verified {
    status: String,
    /// Entry and code of each finding.
    findings: Vec<(Option<u64>, String, String)>,
    last: Value,
}

impl Auditor {
    fn admitted() -> Self {
        let manifest: Value = serde_json::from_slice(&std::fs::read(project("capabilities/auditor/manifest.json")).unwrap()).unwrap();
        let limit = |name: &str| manifest["codes"][CODE][name].as_u64().unwrap();
        let limits =
            Limits { fuel: limit("fuel"), memory_bytes: limit("memory_bytes"), output_bytes: limit("output_bytes"), ..Limits::default() };
        let bytes = std::fs::read(project("capabilities/auditor/auditor.wasm")).unwrap();
        let sandbox = Sandbox::new(&Options::default()).unwrap();
        Self { module: sandbox.admit(&bytes, Profile::Strict).unwrap(), limits }
    }

    /// Verifies a ledger in calls of so many entries.
    fn verify(&self, evidence: &Evidence, chunk: usize) -> Verified {
        let (mut findings, mut last, mut status) = (Vec::new(), Value::Null, String::new());
        let chunks: Vec<_> = evidence.entries.chunks(chunk).collect();
        for (nth, entries) in chunks.iter().enumerate() {
            let of = |which: fn(&(String, String)) -> &String| entries.iter().map(which).collect::<Vec<_>>();
            let mut input = json!({
                "origin": evidence.origin, "snapshots": evidence.snapshots,
                "entries": of(|(bytes, _)| bytes), "leaves": of(|(_, leaf)| leaf),
            });
            if nth > 0 {
                input["resume"] = Value::take(&mut last["resume"]);
            }
            if nth + 1 == chunks.len() {
                input["checkpoint"] = evidence.checkpoint.clone();
            }
            let text = input.to_string();
            let report = self.module.transform(&self.limits, CODE, &text);
            println!("{} entries in {} bytes: fuel {:?}", entries.len(), text.len(), report.fuel_used);
            assert!(report.host_calls.is_empty());
            let Outcome::Ok { status: said, outputs } = report.outcome else { panic!("{:?}", report.outcome) };
            (status, last) = (said, serde_json::from_str(&outputs).unwrap());
            for finding in last["findings"].as_array().unwrap_or_else(|| panic!("{status} without a word")) {
                let text = |member: &str| finding[member].as_str().unwrap().to_owned();
                findings.push((finding["seq"].as_u64(), text("code"), text("detail")));
            }
        }
        Verified { status, findings, last }
    }
}

impl Verified {
    fn about_entries(&self) -> BTreeSet<(u64, String)> {
        self.findings.iter().filter_map(|(seq, code, _)| seq.map(|seq| (seq, code.clone()))).collect()
    }

    fn has(&self, code: &str, detail: &str) -> bool {
        self.findings.iter().any(|found| found.1 == code && found.2.contains(detail))
    }
}

impl Evidence {
    fn of(scratch: &Scratch) -> Self {
        let checkpoint = scratch.enact(&["ledger", "checkpoint", "--json"]).exits(0).json();
        let origin = checkpoint["checkpoint"].as_str().unwrap().lines().next().unwrap();
        Self::under(scratch, origin, json!({"key": checkpoint["key"], "note": checkpoint["checkpoint"]}))
    }

    /// The stored ledger beside a checkpoint that somebody kept.
    fn under(scratch: &Scratch, origin: &str, checkpoint: Value) -> Self {
        let sql = scratch.sql();
        let mut statement = sql.prepare("SELECT bytes, leaf FROM entries ORDER BY seq").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let leaf = |bytes: Vec<u8>| Digest::sha256(bytes.try_into().unwrap()).to_string();
        let entries = statement.query_map([], |row| Ok((text(row.get(0)?), leaf(row.get(1)?)))).unwrap().map(Result::unwrap).collect();
        let mut statement = sql.prepare("SELECT bytes FROM blobs WHERE class = 'snapshot'").unwrap();
        let lock = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
        let snapshots = statement.query_map([], |row| Ok(lock(row.get(0)?))).unwrap().map(Result::unwrap).collect();
        Self { origin: origin.to_owned(), entries, snapshots, checkpoint }
    }
}

/// What the host finds about single entries, but for stored rows, which the component does not see.
fn native(scratch: &Scratch) -> BTreeSet<(u64, String)> {
    let report = scratch.enact(&["verify", "--rebuild", "--json"]).exits(4).json();
    let found = report["findings"].as_array().unwrap().iter();
    let about = found.filter_map(|f| f["seq"].as_u64().map(|seq| (seq, f["code"].as_str().unwrap().to_owned())));
    about.filter(|(_, code)| !matches!(code.as_str(), "state_row" | "link_row")).collect()
}

#[test]
fn b_10_b_12_the_core_compiled_for_the_sandbox_imports_nothing() {
    let file = project("capabilities/auditor/auditor.wasm");
    let inspected = Scratch::new().enact(&["module", "inspect", file.to_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!((&inspected["kind"], &inspected["pure"]), (&"transform".into(), &true.into()), "{inspected:#}");
    assert_eq!((&inspected["imports"], &inspected["refusals"]), (&json!([]), &json!([])));
    // Neither does the core module inside: there is nothing that it could be given.
    let auditor = Auditor::admitted();
    let proof = auditor.module.purity().unwrap();
    assert_eq!((proof.component_imports, proof.import_entries, proof.inner_imports, proof.linked_with_nothing), (0, 0, 0, true));
}

#[test]
fn b_12_b_27_the_core_in_the_sandbox_gives_the_roots_that_the_host_gives() {
    let (scratch, _) = told("settlement");
    for name in ["ann", "bob", "cy"] {
        scratch.register(name);
    }
    let report = whole(&scratch);
    let (auditor, evidence) = (Auditor::admitted(), Evidence::of(&scratch));
    for chunk in [usize::MAX, 7] {
        let verified = auditor.verify(&evidence, chunk);
        assert_eq!((verified.status.as_str(), verified.findings.len()), ("SUCCESS", 0), "{:?}", verified.findings);
        let said = &verified.last;
        assert_eq!((&said["size"], &said["root"], &said["roots"]), (&report["entries"], &report["root"], &report["state_roots"]));
        let judged = report["checks"].as_array().unwrap().iter().find(|check| check["name"].as_str().unwrap().starts_with("governed"));
        let judged = judged.unwrap();
        assert_eq!(said["judged"], judged["count"], "{judged:#}");
    }
}

#[test]
fn b_30_b_32_the_core_in_the_sandbox_finds_what_the_host_finds() {
    let auditor = Auditor::admitted();
    // One byte of one entry, in the middle of a payload.
    let (scratch, _) = told("settlement");
    let whole_ledger = Evidence::of(&scratch);
    let (seq, bytes) = whole_ledger.entries.iter().enumerate().find(|(_, (bytes, _))| bytes.contains("\"amount\":\"")).unwrap();
    let at = bytes.0.find("\"amount\":\"").unwrap() + "\"amount\":\"".len();
    let mut flipped = bytes.0.clone().into_bytes();
    flipped[at] ^= 1;
    scratch.sql().execute("UPDATE entries SET bytes = ?1 WHERE seq = ?2", rusqlite::params![flipped, seq as i64]).unwrap();
    let verified = auditor.verify(&Evidence::of(&scratch), usize::MAX);
    assert_eq!(verified.status, "VIOLATION");
    let expected = native(&scratch);
    assert!(expected.contains(&(seq as u64, "entry_leaf".into())) && expected.contains(&(seq as u64, "entry_unauthorised".into())));
    assert_eq!(verified.about_entries(), expected);
    // In calls of a few entries too, though the faults lie in one of the first.
    let chunked = auditor.verify(&Evidence::of(&scratch), 5);
    assert_eq!((chunked.status.as_str(), chunked.about_entries()), ("VIOLATION", expected));

    // One signature, and everything else made to fit: only who judges and who holds an old checkpoint can tell.
    let (scratch, _) = told("settlement");
    let before = Evidence::of(&scratch);
    reseal(&scratch, &|seq, entry| {
        if seq == 3 {
            entry.records[0].sig = None;
        }
    });
    let verified = auditor.verify(&Evidence::under(&scratch, &before.origin, before.checkpoint.clone()), usize::MAX);
    assert_eq!(verified.status, "VIOLATION");
    assert!(verified.has("entry_unauthorised", "signature_missing"), "{:?}", verified.findings);
    assert!(verified.has("checkpoint_root", ""), "{:?}", verified.findings);
    assert_eq!(verified.about_entries(), native(&scratch));
}

#[test]
fn b_04_other_rules_than_the_sealed_ones_are_another_protocol() {
    let (scratch, _) = told("kes");
    let mut evidence = Evidence::of(&scratch);
    for lock in &mut evidence.snapshots {
        lock["artifacts"]["AM_KES_V0"]["rows"][0]["signature"] = false.into();
    }
    let verified = Auditor::admitted().verify(&evidence, usize::MAX);
    assert_eq!(verified.status, "VIOLATION");
    assert!(verified.findings.iter().all(|(_, code, _)| code == "entry_protocol"), "{:?}", verified.findings);
    assert_eq!(verified.findings.len(), evidence.entries.len());
    // And a leaf that is not the one of the bytes is seen, whatever the bytes say.
    let mut evidence = Evidence::of(&scratch);
    evidence.entries[1].1 = Digest::sha256(leaf_hash(b"other")).to_string();
    assert!(Auditor::admitted().verify(&evidence, usize::MAX).has("entry_leaf", ""));
}
