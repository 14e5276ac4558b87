//! Verification of a whole ledger: chain, tree, checkpoints, and that the stored parts of every run are the receipt's.
//!
//! It streams and re-executes nothing; that is the audit's work.
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::Range;

use ed25519_dalek::VerifyingKey;
use enact_core::entry::{Entry, EntryView, Head};
use enact_core::hash::{Digest, Hash};
use enact_core::note;
use enact_core::verify::{Examined, Finding, Verifier};
use enact_flow::snapshot::Snapshot;
use enact_store::{EvidenceRef, Reader};
use serde::Serialize;

use crate::engine::Engine;
use crate::error::{EngineError, Kind, Result, STRUCTURE};
use crate::evidence::{self, Claims};
use crate::govern::RebuildReport;
use crate::lanes::in_order;

/// Findings are listed up to this many; a ruined file should not print forever.
const FINDINGS_MAX: usize = 1_000;
/// Entries that a thread examines at a time.
const CHUNK: u64 = 256;
/// Said of a ledger without a key that anybody else vouches for.
const CLAIMED_NOT_CHECKED: &str = "that this is the key of the ledger: it came with it (`--key` names one that came by another way)";
/// Said without a checkpoint that somebody kept.
const SHOWN_NOT_CHECKED: &str = "that this is what others were shown (`--checkpoint` names one that somebody kept)";
/// Said with one.
const LATER_NOT_CHECKED: &str = "that what came after the kept checkpoints is what others were shown";
/// Said unless a rebuild was asked for.
const REBUILD_NOT_CHECKED: &str = "that governed entries were allowed, the derived state, and the indexes of the file (`--rebuild`)";

/// One check and how it came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// What was checked.
    pub name: &'static str,
    /// Over how many things.
    pub count: u64,
    /// Everything was as it should be.
    pub ok: bool,
}

/// What a verification found; the stable shape of `enact verify --json`.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The highest rung reached: `SIGNED`, `CONSISTENT`, after a rebuild `BALANCED`; or `ALTERED` when anything is wrong.
    pub verdict: &'static str,
    /// Entries in the ledger.
    pub entries: u64,
    /// Root of the Merkle tree over them.
    pub root: String,
    /// The ledger's name.
    pub origin: String,
    /// What was checked.
    pub checks: Vec<CheckReport>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Root of each space of the derived state, when it was rebuilt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_roots: Option<BTreeMap<&'static str, String>>,
    /// What was not looked at.
    pub not_checked: Vec<String>,
}

impl VerifyReport {
    /// Adds what a rebuild found: the rungs above the signed ones.
    pub fn rebuilt(&mut self, rebuilt: RebuildReport) {
        let ok = rebuilt.findings.is_empty();
        self.checks.push(CheckReport {
            name: "governed entries are allowed, and the state is what follows from them",
            count: rebuilt.judged,
            ok,
        });
        let indexed = |finding: &Finding| finding.code == "link_row";
        match rebuilt.links {
            Some(count) => self.checks.push(CheckReport {
                name: "the index over record hashes is what follows from the entries",
                count,
                ok: !rebuilt.findings.iter().any(indexed),
            }),
            None => self.not_checked.push("the index over record hashes: this ledger has none yet".to_owned()),
        }
        self.not_checked.retain(|line| line != REBUILD_NOT_CHECKED);
        if !ok {
            self.verdict = "ALTERED";
        } else if self.findings.is_empty() {
            // Postings balance per entry, or the entry would not be allowed.
            self.verdict = "BALANCED";
        }
        self.findings.extend(rebuilt.findings);
        self.state_roots = Some(rebuilt.roots);
    }
}

/// What a ledger is verified against.
#[derive(Debug, Clone, Copy, Default)]
pub struct Against<'a> {
    /// The verifier key of its checkpoints; the one that the workspace knows without it.
    pub key: Option<&'a str>,
    /// Signed checkpoints that somebody has kept: the ledger must go on from each of them.
    pub kept: &'a [String],
}

impl Engine {
    /// Looks for damage in the ledger's file as a database, before anything in it is believed: an index that leaves rows out hides them from whoever asks.
    ///
    /// # Errors
    /// [`EngineError::Altered`] with what was found first.
    pub fn verify_structure(&self) -> Result<()> {
        match self.store().reader()?.check_structure() {
            Ok(()) => Ok(()),
            Err(error) if error.is_corruption() => {
                Err(EngineError::Altered { what: "the ledger's file".to_owned(), code: STRUCTURE, detail: error.to_string() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Verifies the ledger on `jobs` threads; `progress` is told after each entry.
    ///
    /// # Errors
    /// [`EngineError::Key`], [`EngineError::Checkpoint`] for a kept one that this key has not signed of this ledger, and whatever the store reports.
    pub fn verify(&self, against: Against<'_>, jobs: NonZeroUsize, mut progress: impl FnMut(u64)) -> Result<VerifyReport> {
        let Against { key, kept } = against;
        let claimed = key.is_none() && self.verifier_key_is_claimed();
        let (_, key) = note::decode_key(key.unwrap_or(self.verifier_key())).map_err(|_| EngineError::Key { name: "--key".to_owned() })?;
        let mut reader = self.store().reader()?;
        // Head, notes and what lies beyond are of one moment, whoever appends meanwhile.
        reader.begin()?;
        let origin = self.workspace().config().origin.clone();
        let mut findings = Vec::new();
        let mut verifier = Verifier::new(&origin);
        let head = reader.head()?;
        for note in kept {
            let checkpoint = note::verify(note, &key, &origin).map_err(|e| EngineError::Checkpoint { detail: e.to_string() })?;
            verifier.checkpoint(&checkpoint);
        }
        let notes = notes(&mut reader, &key, &mut verifier)?;
        let (mut snapshots, mut modules) = (BTreeSet::new(), BTreeSet::new());
        let (mut runs, mut runs_wrong) = (0_u64, 0_usize);
        let mut entries_wrong = 0_usize;
        let worker = || {
            let mut reader = self.store().reader()?;
            Ok(move |chunk: u64| examine(&mut reader, (chunk * CHUNK)..head.size.min((chunk + 1) * CHUNK)))
        };
        in_order(jobs, head.size.div_ceil(CHUNK), worker, |chunks| {
            for chunk in chunks {
                let chunk: Chunk = chunk?;
                for (seq, stored) in chunk.entries {
                    if findings.len() > FINDINGS_MAX {
                        return Ok(());
                    }
                    progress(seq);
                    let Some((leaf, examined, run)) = stored else {
                        entries_wrong += 1;
                        findings.push(Finding { code: "entry_missing", seq: Some(seq), detail: "no such entry".to_owned() });
                        continue;
                    };
                    if let Err(finding) = verifier.feed_examined(seq, examined, &leaf) {
                        entries_wrong += 1;
                        findings.push(finding);
                    } else if let Some(wrong) = run {
                        runs += 1;
                        runs_wrong += usize::from(!wrong.is_empty());
                        findings.extend(wrong);
                    }
                }
                snapshots.extend(chunk.snapshots);
                modules.extend(chunk.modules);
            }
            Ok(())
        })?;
        let mut whole = verifier.finish(&head);
        whole.extend(unsigned(&head, &notes, &key, &origin));
        for (table, seq) in reader.strays(head.size)? {
            let detail = format!("`{table}` has a row with number {seq}, the ledger has {} entries", head.size);
            whole.push(Finding { code: "entry_beyond", seq: None, detail });
        }
        let (count, tree_ok, notes) = (head.size, whole.is_empty(), consistent(&notes, kept) as u64);
        findings.extend(whole.into_iter().take(FINDINGS_MAX));
        let snapshots_wrong = self.snapshots(&mut reader, &snapshots, &mut modules, &mut findings)?;
        let modules_wrong = self.modules(&modules, &mut findings)?;
        let ok = findings.is_empty();
        Ok(VerifyReport {
            verdict: if !ok {
                "ALTERED"
            } else if notes > 1 {
                "CONSISTENT"
            } else {
                "SIGNED"
            },
            entries: count,
            root: Digest::sha256(head.root()).to_string(),
            origin,
            checks: vec![
                CheckReport { name: "entries are canonical, chained, and the leaves of the tree", count, ok: entries_wrong == 0 },
                CheckReport { name: "head and signed checkpoints match the tree", count: notes, ok: tree_ok },
                CheckReport { name: "stored parts of runs match their receipts", count: runs, ok: runs_wrong == 0 },
                CheckReport { name: "sealed protocols match their hashes", count: snapshots.len() as u64, ok: snapshots_wrong == 0 },
                CheckReport { name: "modules match their digests", count: modules.len() as u64, ok: modules_wrong == 0 },
            ],
            findings,
            state_roots: None,
            not_checked: vec![
                REBUILD_NOT_CHECKED.to_owned(),
                "that runs give the same results again (`enact audit`)".to_owned(),
                "that recorded reads are what the stores held (`enact audit --state`)".to_owned(),
                (if kept.is_empty() { SHOWN_NOT_CHECKED } else { LATER_NOT_CHECKED }).to_owned(),
                "what only helps to find or to work (refusals, cursors, leases; the queue: `--rebuild`, the index of events: `enact audit --state`)"
                    .to_owned(),
                "modules that no protocol of an entry binds".to_owned(),
            ]
            .into_iter()
            .chain(claimed.then(|| CLAIMED_NOT_CHECKED.to_owned()))
            .chain(self.sealed_elsewhere(&snapshots))
            .collect(),
        })
    }

    /// What is to be said of a sealed protocol that no entry names: it may be one that is to come, or another's.
    fn sealed_elsewhere(&self, snapshots: &BTreeSet<Digest>) -> Option<String> {
        let hash = self.snapshot().hash();
        let named = snapshots.iter().any(|named| named.is_spelled(hash));
        (!named && !snapshots.is_empty()).then(|| format!("`protocol.lock`: no entry names the protocol {hash} that it holds"))
    }

    /// Checks the sealed protocols, and adds the modules that they bind to those that must be here.
    fn snapshots(
        &self,
        reader: &mut Reader,
        hashes: &BTreeSet<Digest>,
        modules: &mut BTreeSet<Digest>,
        findings: &mut Vec<Finding>,
    ) -> Result<usize> {
        let before = findings.len();
        for hash in hashes {
            let text = hash.to_string();
            let detail = match reader.snapshot(&text)? {
                None => "is not there".to_owned(),
                Some(bytes) => match Snapshot::from_lock(&bytes) {
                    Ok(snapshot) if snapshot.hash() == text => {
                        modules.extend(snapshot.modules().filter_map(|(_, digest)| digest.parse::<Digest>().ok()));
                        continue;
                    }
                    Ok(snapshot) => format!("hashes to {}", snapshot.hash()),
                    Err(problem) => problem.detail,
                },
            };
            findings.push(Finding { code: "snapshot_altered", seq: None, detail: format!("protocol {hash} {detail}") });
        }
        Ok(findings.len() - before)
    }

    fn modules(&self, digests: &BTreeSet<Digest>, findings: &mut Vec<Finding>) -> Result<usize> {
        let before = findings.len();
        for digest in digests {
            match self.workspace().module_bytes(&digest.to_string()) {
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Integrity || matches!(error, EngineError::ModuleMissing { .. }) => {
                    let code = if error.kind() == Kind::Integrity { "module_digest" } else { "module_missing" };
                    findings.push(Finding { code, seq: None, detail: error.to_string() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(findings.len() - before)
    }
}

/// How many checkpoints there are, kept ones that are here as well once.
fn consistent(notes: &[String], kept: &[String]) -> usize {
    notes.iter().chain(kept).collect::<BTreeSet<_>>().len()
}

/// Gives the verifier all notes that are kept, and hands them back.
fn notes(reader: &mut Reader, key: &VerifyingKey, verifier: &mut Verifier) -> Result<Vec<String>> {
    let mut notes: Vec<String> = reader.note()?.into_iter().collect();
    notes.extend(reader.checkpoints()?.into_iter().map(|checkpoint| checkpoint.note));
    for note in &notes {
        verifier.note(note, key);
    }
    Ok(notes)
}

/// Every commit leaves the new head signed. Where no signature is of this head, nothing vouches for the entries behind the last that is.
fn unsigned(head: &Head, notes: &[String], key: &VerifyingKey, origin: &str) -> Option<Finding> {
    let signed = |text: &String| note::verify(text, key, origin).is_ok_and(|checkpoint| checkpoint.size == head.size);
    let detail = || format!("no checkpoint is signed for the present size {}", head.size);
    (head.size > 0 && !notes.iter().any(signed)).then(|| Finding { code: "checkpoint_missing", seq: None, detail: detail() })
}

/// What a thread found out about some entries without knowing the ones before.
#[derive(Default)]
struct Chunk {
    entries: Vec<(u64, Option<Stored>)>,
    snapshots: BTreeSet<Digest>,
    modules: BTreeSet<Digest>,
}

/// The stored leaf, the examined bytes, and of a run what is wrong with its parts.
type Stored = (Hash, Examined, Option<Vec<Finding>>);

fn examine(reader: &mut Reader, range: Range<u64>) -> Result<Chunk> {
    let mut chunk = Chunk::default();
    let mut next = range.start;
    reader.evidence(range.clone(), |stored| {
        chunk.entries.extend((next..stored.entry.seq).map(|seq| (seq, None)));
        next = stored.entry.seq + 1;
        chunk.look(&stored)
    })?;
    chunk.entries.extend((next..range.end).map(|seq| (seq, None)));
    Ok(chunk)
}

impl Chunk {
    /// Examines one entry and the parts of its run.
    fn look(&mut self, stored: &EvidenceRef<'_>) -> Result<()> {
        let (seq, bytes) = (stored.entry.seq, stored.entry.bytes);
        let view = EntryView::read(bytes);
        let examined = view.as_ref().map_or_else(|| Examined::of(bytes), Examined::from);
        let mut run = None;
        if let Some(view) = view {
            self.snapshots.insert(view.protocol());
            if view.is_run() {
                run = Some(self.run_parts(stored, &view)?);
            } else if stored.is_listed()? {
                let detail = "a run is listed, the entry holds none".to_owned();
                run = Some(vec![Finding { code: "run_column", seq: Some(seq), detail }]);
            }
        }
        self.entries.push((seq, Some((*stored.entry.leaf, examined, run))));
        Ok(())
    }

    /// What is wrong with the stored parts of a run.
    fn run_parts(&mut self, stored: &EvidenceRef<'_>, entry: &EntryView<'_>) -> Result<Vec<Finding>> {
        let seq = entry.seq();
        if let Some(receipt) = entry.receipt().filter(|receipt| receipt.snapshot() == entry.protocol()) {
            self.modules.extend(receipt.modules());
            return parts(seq, stored, &Claims::from(receipt));
        }
        // What cannot be read at once is read slowly, which says what is wrong.
        let slowly =
            Entry::parse(entry.bytes()).map_err(|refusal| Finding { code: refusal.code(), seq: Some(seq), detail: refusal.to_string() });
        match slowly.and_then(|entry| evidence::receipt_of(seq, &entry)) {
            Ok(receipt) => {
                self.modules.extend(receipt.modules.values());
                parts(seq, stored, &Claims::from(&receipt))
            }
            Err(finding) => Ok(vec![finding]),
        }
    }
}

fn parts(seq: u64, stored: &EvidenceRef<'_>, receipt: &Claims<'_>) -> Result<Vec<Finding>> {
    if seq != stored.entry.seq {
        // An entry in another's place: that is what will be found, not that the other's run is another.
        return Ok(Vec::new());
    }
    Ok(match stored.run()? {
        Some(run) => evidence::mismatches(seq, receipt, &run),
        None => vec![Finding { code: "run_missing", seq: Some(seq), detail: format!("the parts of `{}` are not there", receipt.run()) }],
    })
}
