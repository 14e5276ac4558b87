//! Rebuilding: every governed entry is judged again from nothing, and what follows is compared with the stored rows.
use std::num::NonZeroUsize;
use std::ops::Range;

use enact_core::entry::{Entry, Record};
use enact_core::govern::{EntryContext, State, judge};
use enact_core::hash::Digest;
use enact_core::state::Put;
use enact_core::verify::Finding;
use enact_store::{EntryRows, PutRow, Reader};
use serde::Serialize;

use super::outside::{Adopting, Components, Signatures};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::lanes::in_order;

/// Findings are listed up to this many; a ruined file should not print forever.
const FINDINGS_MAX: usize = 1_000;
/// What a restoration leaves as it is.
const NOT_REBUILT: [&str; 3] = [
    "runs and their parts (`enact verify`)",
    "the host stores, which follow from the runs (`enact audit --all --state`)",
    "the queue, listeners and notes of execution (`enact queue rebuild`)",
];
/// Entries whose signatures a thread checks at a time.
const CHUNK: u64 = 64;

/// What a rebuild found.
#[derive(Debug, Clone, Serialize)]
pub struct RebuildReport {
    /// Governed entries judged again.
    pub judged: u64,
    /// Rows that follow from them.
    pub rows: u64,
    /// Rows of the index over record hashes that follow from all entries; nothing for a ledger without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<u64>,
    /// Rows of the index over events that follow from the logs of the host stores, when it was made anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// What does not follow from governed entries and was let be, with what looks at it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_rebuilt: Vec<&'static str>,
    /// The root of each space, as the entries give it.
    pub roots: std::collections::BTreeMap<&'static str, String>,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

impl Engine {
    /// Judges all governed entries again, in order, from an empty state, under the rules that each names; compares the rows that
    /// follow with the stored ones, and stated roots with derived ones. Nothing is dispatched: effects are not replayed (B-28).
    ///
    /// Judging is serial, as the history is; the signatures are checked ahead on `jobs` threads.
    pub fn rebuild(&self, jobs: NonZeroUsize, mut progress: impl FnMut(u64)) -> Result<RebuildReport> {
        let linked = self.store().reader()?.has_links()?;
        let rebuild = Rebuild::new(self, linked, None);
        self.refold(rebuild, jobs, &mut progress)
    }

    /// Makes everything that is derived from the entries anew, state and index over record hashes, whatever is there now, and the index
    /// over events from the logs. Each of them all or nothing. Nothing is dispatched, and what execution remembers (runs, the queue, cursors,
    /// notes) is let be, as the report says.
    ///
    /// # Errors
    /// [`EngineError::Altered`] with the first entry that the rules do not allow: what follows from it nobody can say.
    pub fn restore(&self, jobs: NonZeroUsize, mut progress: impl FnMut(u64)) -> Result<RebuildReport> {
        let mut report = self.with_writer(|writer| {
            writer.replace_state(|put| {
                let report = self.refold(Rebuild::new(self, false, Some(put)), jobs, &mut progress)?;
                match report.findings.first() {
                    None => Ok(report),
                    Some(finding) => Err(EngineError::Altered {
                        what: finding.seq.map_or_else(|| "the ledger".to_owned(), |seq| format!("entry {seq}")),
                        code: finding.code,
                        detail: finding.detail.clone(),
                    }),
                }
            })
        })?;
        report.links = Some(self.reindex()?);
        report.events = Some(self.with_writer(|writer| Ok(writer.rebuild_events()?))?);
        report.not_rebuilt = NOT_REBUILT.to_vec();
        Ok(report)
    }

    fn refold(&self, mut rebuild: Rebuild<'_>, jobs: NonZeroUsize, progress: &mut dyn FnMut(u64)) -> Result<RebuildReport> {
        let size = self.store().reader()?.head()?.size;
        let worker = || {
            let mut reader = self.store().reader()?;
            Ok(move |chunk: u64| self.check_signatures(&mut reader, (chunk * CHUNK)..size.min((chunk + 1) * CHUNK)))
        };
        in_order(jobs, size.div_ceil(CHUNK), worker, |chunks| {
            let mut reader = self.store().reader()?;
            // Snapshots are read over a connection of their own: the walk below holds the first.
            let mut snapshots = self.store().reader()?;
            let mut signatures = Signatures::default();
            let restores = rebuild.put.is_some();
            let mut step = |at: EntryRows<'_>| {
                progress(at.seq);
                if rebuild.findings.len() >= FINDINGS_MAX {
                    return Ok(());
                }
                let Some(entry) = at.entry else {
                    rebuild.found("state_orphan", at.seq, "rows of an entry that is not there".to_owned());
                    return Ok(());
                };
                if at.seq.is_multiple_of(CHUNK) {
                    signatures = chunks.next().transpose()?.unwrap_or_default();
                }
                rebuild.walked = at.seq.saturating_add(1);
                rebuild.feed(&mut snapshots, at.seq, entry.bytes, at.rows, &signatures)
            };
            if restores {
                // The stored rows are about to go. They may be such as cannot be read, which must not keep them.
                reader.entries::<EngineError>(0, |entry| step(EntryRows { seq: entry.seq, entry: Some(entry), rows: &[] }))?;
            } else {
                reader.entries_with_state::<EngineError>(0, step)?;
            }
            rebuild.more_links(&mut snapshots)
        })?;
        let roots = rebuild.state.roots();
        let roots = roots.into_iter().map(|(space, root)| (space.as_str(), Digest::sha256(root).to_string()));
        Ok(RebuildReport {
            judged: rebuild.judged,
            rows: rebuild.rows,
            links: rebuild.links,
            events: None,
            not_rebuilt: Vec::new(),
            roots: roots.collect(),
            findings: rebuild.findings,
        })
    }

    /// Checks the signatures of some entries with the keys that their actors have now; those of older keys are left for the judge.
    fn check_signatures(&self, reader: &mut Reader, range: Range<u64>) -> Result<Signatures> {
        let mut signed = Vec::new();
        for seq in range {
            let Some(stored) = reader.entry(seq)? else { continue };
            // What cannot be read is reported when it is judged.
            let Ok(entry) = Entry::parse(&stored.bytes) else { continue };
            signed.extend(entry.records.into_iter().filter(|record| record.sig.is_some()));
        }
        if signed.is_empty() {
            return Ok(Signatures::default());
        }
        Ok(Signatures::check(&self.workspace().config().origin, &signed, &reader.moment(None)?))
    }
}

struct Rebuild<'a> {
    engine: &'a Engine,
    state: State,
    judged: u64,
    rows: u64,
    links: Option<u64>,
    /// Entries that were walked.
    walked: u64,
    findings: Vec<Finding>,
    /// Where the rows go; they are compared with the stored ones when they go nowhere.
    put: Option<&'a mut PutRow<'a>>,
}

impl<'a> Rebuild<'a> {
    fn new(engine: &'a Engine, linked: bool, put: Option<&'a mut PutRow<'a>>) -> Self {
        let links = linked.then_some(0);
        Self { engine, state: State::new(), judged: 0, rows: 0, links, walked: 0, findings: Vec::new(), put }
    }

    fn found(&mut self, code: &'static str, seq: u64, detail: String) {
        self.findings.push(Finding { code, seq: Some(seq), detail });
    }

    fn feed(&mut self, snapshots: &mut Reader, seq: u64, bytes: &[u8], stored: &[Put], signatures: &Signatures) -> Result<()> {
        let entry = match Entry::parse(bytes) {
            Ok(entry) => entry,
            Err(refusal) => {
                self.found(refusal.code(), seq, refusal.to_string());
                return Ok(());
            }
        };
        self.linked(snapshots, seq, &entry)?;
        let governed = !entry.records.iter().all(Record::is_run);
        let mut derived = Vec::new();
        if governed {
            self.judged += 1;
            let view = snapshots.moment(None)?;
            let ruled = match self.engine.rules(&entry.protocol, &view) {
                Ok(ruled) => ruled,
                Err(EngineError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    self.found("entry_protocol", seq, error.to_string());
                    return Ok(());
                }
            };
            let components = Components { engine: self.engine, modules: &ruled.modules, signatures };
            let outside = Adopting { components, view: &view };
            let context = EntryContext { origin: &entry.origin, at: &entry.at, protocol: entry.protocol, seq };
            match judge(&ruled.protocol, &self.state, &outside, &context, &entry.records) {
                Err(error) => {
                    let undecided = matches!(error, enact_core::govern::JudgeError::Undecided(_));
                    self.found(
                        if undecided { "entry_undecided" } else { "entry_unauthorised" },
                        seq,
                        format!("{}: {error}", error.code().unwrap_or("state_unreadable")),
                    );
                    return Ok(());
                }
                Ok(judgement) => {
                    if judgement.decided != entry.decided {
                        let detail = format!("says `{}` decided, it is `{}`", entry.decided.join("`, `"), judgement.decided.join("`, `"));
                        self.found("entry_decided", seq, detail);
                    }
                    self.stated(&entry);
                    derived = judgement.delta.puts.clone();
                    self.state.apply(judgement.delta);
                }
            }
        }
        self.rows += derived.len() as u64;
        if let Some(put) = &mut self.put {
            derived.iter().try_for_each(|row| put(seq, row))?;
        } else if derived != stored {
            let first = derived.iter().zip(stored).find(|(a, b)| a != b).map(|(a, _)| a).or_else(|| derived.get(stored.len()));
            let first = first.or_else(|| stored.get(derived.len()));
            let name = first.map_or_else(String::new, |put| format!("{}/{}", put.space.as_str(), put.key));
            self.found("state_row", seq, format!("the stored rows are not the ones that follow, first `{name}`"));
        }
        Ok(())
    }

    /// Whether the index over record hashes has the rows of an entry.
    fn linked(&mut self, reader: &mut Reader, seq: u64, entry: &Entry) -> Result<()> {
        let Some(links) = &mut self.links else { return Ok(()) };
        let hashes: std::result::Result<Vec<Digest>, _> = entry.records.iter().map(Record::hash).collect();
        // What has no hash has no canonical bytes, and was not read.
        let Ok(hashes) = hashes else { return Ok(()) };
        let (rows, all) = reader.entry_links(seq, &entry.records, &hashes)?;
        *links = links.saturating_add(rows);
        if !all {
            self.found("link_row", seq, "the index over record hashes lacks rows of this entry".to_owned());
        }
        Ok(())
    }

    /// Whether it has others. Together with what it must have, this says that it is the one that follows.
    fn more_links(&mut self, reader: &mut Reader) -> Result<()> {
        let Some(links) = self.links.filter(|_| self.findings.len() < FINDINGS_MAX) else { return Ok(()) };
        let stored = reader.link_count(self.walked)?;
        if stored > links {
            let detail = format!("the index over record hashes has {stored} rows, {links} follow from the entries");
            self.findings.push(Finding { code: "link_row", seq: None, detail });
        }
        Ok(())
    }

    /// Roots that an entry states about the state before it.
    fn stated(&mut self, entry: &Entry) {
        for (size, stated) in entry.records.iter().filter_map(enact_core::govern::roots::read) {
            if size == entry.seq && stated != self.state.roots() {
                self.found("state_roots", entry.seq, format!("states other roots after {size} entries than the entries give"));
            }
        }
    }
}
