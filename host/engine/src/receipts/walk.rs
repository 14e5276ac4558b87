//! The walk along a chain of receipts. Every record that is shown was read from the ledger and has the hash by which it was asked for; the
//! index only says where to look.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use enact_core::entry::{Entry, Record};
use enact_core::hash::{Digest, context_hash, delivery_hash, entry_hash, leaf_hash};
use enact_core::receipt::RunReceipt;
use enact_core::state::Space;
use enact_flow::artifact::Occasion;
use enact_store::{LinkKind, LinkPlace, Reader, named};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::offline::EntryProof;
use crate::sources::run_id_of;

/// Steps from where a walk begins, at most.
pub const DEPTH_MAX: u32 = 1_000;

/// Places that are looked up at a time.
const PAGE: u64 = 64;

/// Rows of a subject that are read at a time.
const ROWS: u64 = 256;

/// Entries that are read for each record that may be shown, at most.
const READS_MAX: usize = 16;

/// The link along one subject.
const PREV: &str = "prev";

/// The link to the run that carried something out.
const RUN: &str = "run";

/// Where a walk begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A record, by its hash.
    Record(Digest),
    /// All records of an entry.
    Entry(u64),
    /// All records about a subject.
    Subject(String),
    /// The receipt of a run.
    Run(String),
}

impl Start {
    /// What a text means: a digest, a number, `Type:Id`, and anything else is a run.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if let Ok(digest) = text.parse() {
            return Self::Record(digest);
        }
        if let Ok(seq) = text.parse() {
            return Self::Entry(seq);
        }
        match text.split_once(':') {
            Some(("Run", id)) => Self::Run(id.to_owned()),
            Some(_) => Self::Subject(text.to_owned()),
            None => Self::Run(text.to_owned()),
        }
    }
}

/// How far to walk.
#[derive(Debug, Clone, Copy)]
pub struct WalkOptions {
    /// Also along each subject, from record to record.
    pub chain: bool,
    /// Steps from where it begins.
    pub depth: u32,
    /// Records that are shown.
    pub records: usize,
    /// Prove that each entry is in the ledger.
    pub prove: bool,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self { chain: false, depth: 32, records: 200, prove: false }
    }
}

/// What a walk found; the stable shape of `enact receipts --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Walked {
    /// Hashes of the records where it began.
    pub from: Vec<String>,
    /// The records, nearest first.
    pub records: Vec<Found>,
    /// How they hang together. Each ends at a record that is shown, unless it says otherwise.
    pub links: Vec<Link>,
    /// Bounds that were hit: there is more.
    pub cut: Vec<Cut>,
    /// Entries that were read and checked.
    pub entries_read: u64,
    /// Questions to the index.
    pub lookups: u64,
    /// For each entry that is shown, that it is in the ledger.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<EntryProof>,
    /// What the walk does not say.
    pub not_checked: Vec<&'static str>,
}

/// A record of the ledger.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Its hash.
    pub record: String,
    /// Its entry.
    pub seq: u64,
    /// Its position in the entry.
    pub position: u64,
    /// Hash of its entry.
    pub entry: String,
    /// When.
    pub at: String,
    /// One of the five kinds.
    pub kind: &'static str,
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its action.
    pub action: String,
    /// What it is about.
    pub subject: String,
    /// Who said it.
    pub actor: String,
    /// The row that allowed it; of a run receipt by itself, none is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<String>,
    /// How a run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// Steps from where the walk began.
    pub depth: u32,
    /// In which direction it was reached.
    pub along: Along,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Along {
    /// Neither: the walk begins here.
    Start,
    /// To what a record relies on.
    Up,
    /// To what relies on a record.
    Down,
}

/// A bound that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Steps from where the walk began.
    Depth,
    /// Records that are shown.
    Records,
}

/// One record names another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Link {
    /// The record that names.
    pub from: String,
    /// The name in `refs`; `auth`; or the listener whose run `from` is.
    pub name: String,
    /// What is named.
    pub to: String,
    /// The digest is that of no record of this ledger: a document, an output, evidence from elsewhere.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// The record is there and not shown, because a bound was hit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Engine {
    /// Makes the index over record hashes anew. Answers how many rows it has.
    ///
    /// # Errors
    /// Whatever keeps the ledger from being read or written.
    pub fn reindex(&self) -> Result<u64> {
        self.with_writer(|writer| Ok(writer.rebuild_links()?))
    }

    /// Walks from a place in the ledger to what its records name, and to what names them.
    ///
    /// # Errors
    /// [`EngineError::NoRecord`], [`EngineError::NoEntry`], [`EngineError::NoRun`] or [`EngineError::NoSubject`] when there is no such place,
    /// [`EngineError::NoLinks`] for a ledger without the index, [`EngineError::Altered`] for an entry that is not what its leaf says.
    pub fn walk(&self, start: &Start, options: &WalkOptions) -> Result<Walked> {
        let mut reader = self.store().reader()?;
        reader.begin()?;
        if !reader.has_links()? {
            return Err(EngineError::NoLinks);
        }
        let listeners = self.snapshot().listeners().map(|listener| (listener.code.clone(), listener.on.clone())).collect();
        let mut walk = Walk {
            reader,
            options,
            listeners,
            entries: BTreeMap::new(),
            found: Vec::new(),
            shown: BTreeSet::new(),
            walked: BTreeSet::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            waiting: VecDeque::new(),
            lookups: 0,
        };
        let from = walk.start(start)?;
        while let Some(step) = walk.waiting.pop_front() {
            walk.step(&step)?;
        }
        let links = walk.links.iter().map(|((from, name, to), elsewhere)| Link {
            from: from.to_string(),
            name: name.clone(),
            to: to.to_string(),
            elsewhere: *elsewhere,
            cut: !(*elsewhere || walk.shown.contains(from) && walk.shown.contains(to)),
        });
        let links = links.collect();
        let proofs = if options.prove {
            let seqs: BTreeSet<u64> = walk.found.iter().map(|found| found.seq).collect();
            self.prove_entries(&seqs.into_iter().collect::<Vec<_>>())?
        } else {
            Vec::new()
        };
        let mut not_checked = vec!["that the entries were allowed (`enact verify --rebuild`)"];
        if !options.prove {
            not_checked.push("that the entries are under a signed checkpoint (`--proof`, or `enact verify`)");
        }
        Ok(Walked {
            from: from.iter().map(Digest::to_string).collect(),
            records: walk.found,
            links,
            cut: walk.cut.into_iter().collect(),
            entries_read: walk.entries.len() as u64,
            lookups: walk.lookups,
            proofs,
            not_checked,
        })
    }
}

/// A record: its entry, its position in it, and its hash.
type Place = (Rc<Read>, usize, Digest);

/// An entry that was read and is what its leaf says.
#[derive(Debug)]
struct Read {
    entry: Entry,
    hash: Digest,
    records: Vec<Digest>,
}

/// A record that was found, and how.
#[derive(Debug, Clone)]
struct Step {
    read: Rc<Read>,
    nth: usize,
    hash: Digest,
    along: Along,
    depth: u32,
}

struct Walk<'a> {
    reader: Reader,
    options: &'a WalkOptions,
    listeners: Vec<(String, Occasion)>,
    entries: BTreeMap<u64, Rc<Read>>,
    found: Vec<Found>,
    /// Records that are shown.
    shown: BTreeSet<Digest>,
    /// Records that were walked on from, in a direction.
    walked: BTreeSet<(Digest, Along)>,
    /// From, name, to; and whether that is no record of this ledger.
    links: BTreeMap<(Digest, String, Digest), bool>,
    cut: BTreeSet<Cut>,
    waiting: VecDeque<Step>,
    lookups: u64,
}

impl Walk<'_> {
    /// The records where the walk begins.
    fn start(&mut self, start: &Start) -> Result<Vec<Digest>> {
        let mut from = Vec::new();
        match start {
            Start::Record(digest) => {
                let place = self.find(digest)?.ok_or(EngineError::NoRecord { record: digest.to_string() })?;
                from.push(place);
            }
            Start::Entry(seq) => {
                let size = self.reader.head()?.size;
                if *seq >= size {
                    return Err(EngineError::NoEntry { seq: *seq, size });
                }
                let read = self.read(*seq)?;
                from.extend((0..read.records.len()).map(|nth| (Rc::clone(&read), nth)));
            }
            Start::Run(run) => {
                let seq = self.reader.run_seq(run)?.ok_or_else(|| EngineError::NoRun { run: run.clone() })?;
                let read = self.read(seq)?;
                if read.entry.records.first().is_none_or(|record| record.subject != format!("Run:{run}")) {
                    return Err(altered(seq, "run_receipt", format!("it does not begin with the receipt of `{run}`")));
                }
                from.push((read, 0));
            }
            Start::Subject(subject) => {
                let mut after = None;
                // One more than fits, so that the bound is told.
                while from.len() <= self.options.records {
                    let page = self.reader.state_history(Space::Subject, subject, after, ROWS)?;
                    let Some((last, _)) = page.last() else { break };
                    after = Some(*last);
                    for (seq, _) in page {
                        let read = self.read(seq)?;
                        let about = read.entry.records.iter().enumerate().filter(|(_, record)| record.subject == *subject);
                        from.extend(about.map(|(nth, _)| (Rc::clone(&read), nth)));
                        if from.len() > self.options.records {
                            break;
                        }
                    }
                }
                if from.is_empty() {
                    return Err(EngineError::NoSubject { subject: subject.clone() });
                }
            }
        }
        let mut hashes = Vec::with_capacity(from.len());
        for (read, nth) in from {
            let Some(hash) = read.records.get(nth).copied() else { continue };
            let step = Step { read, nth, hash, along: Along::Start, depth: 0 };
            if self.show(&step) {
                hashes.push(hash);
                for along in [Along::Up, Along::Down] {
                    self.waiting.push_back(Step { along, ..step.clone() });
                }
            }
        }
        Ok(hashes)
    }

    /// Goes on from a record.
    fn step(&mut self, step: &Step) -> Result<()> {
        if !self.walked.insert((step.hash, step.along)) {
            return Ok(());
        }
        let Some(record) = step.read.entry.records.get(step.nth) else { return Ok(()) };
        match step.along {
            Along::Start => Ok(()),
            Along::Up => self.up(step, record),
            Along::Down => self.down(step, record),
        }
    }

    /// To what a record names; from a run to what it was for.
    fn up(&mut self, step: &Step, record: &Record) -> Result<()> {
        let prev = record.refs.get(PREV).filter(|_| self.options.chain).map(|digest| (PREV, digest));
        let all: Vec<(String, Digest)> = named(record).chain(prev).map(|(name, digest)| (name.to_owned(), *digest)).collect();
        for (name, digest) in all {
            match self.find(&digest)? {
                Some((read, nth)) => self.reach(step, &step.hash, &name, (read, nth, digest)),
                None => {
                    self.links.insert((step.hash, name, digest), true);
                }
            }
        }
        if record.is_run() {
            for (nth, hash) in carried(&step.read, &step.hash) {
                self.reach(step, &hash, RUN, (Rc::clone(&step.read), nth, hash));
            }
            if let Some((listener, heard)) = self.heard(step, record)? {
                self.reach(step, &step.hash, &listener, heard);
            }
        }
        Ok(())
    }

    /// To what names a record; from what was carried out to the run that did it.
    fn down(&mut self, step: &Step, record: &Record) -> Result<()> {
        let mut after = None;
        loop {
            self.lookups += 1;
            let page = self.reader.links(&step.hash, LinkKind::Names, after, PAGE)?;
            let Some(last) = page.last().copied() else { break };
            after = Some(last);
            for place in page {
                // There may be a million of them, or of others with the same first bytes.
                if self.entries.len() >= self.options.records.saturating_mul(READS_MAX) {
                    self.cut.insert(Cut::Records);
                }
                if self.cut.contains(&Cut::Records) {
                    return Ok(());
                }
                let (read, nth) = self.at(place)?;
                let (Some(naming), Some(hash)) = (read.entry.records.get(nth), read.records.get(nth).copied()) else { continue };
                let names: Vec<String> =
                    named(naming).filter(|(_, digest)| **digest == step.hash).map(|(name, _)| name.to_owned()).collect();
                for name in names {
                    self.reach(step, &hash, &name, (Rc::clone(&read), nth, hash));
                }
            }
        }
        if !record.is_run()
            && let Some(run) = step.read.records.first().copied().filter(|run| record.refs.get(RUN) == Some(run))
        {
            self.reach(step, &step.hash, RUN, (Rc::clone(&step.read), 0, run));
        }
        if self.options.chain
            && let Some(next) = self.next(step, record)?
        {
            let hash = next.2;
            self.reach(step, &hash, PREV, next);
        }
        self.deliveries(step, record)
    }

    /// The runs that listeners of the sealed protocol have started from a record.
    fn deliveries(&mut self, step: &Step, record: &Record) -> Result<()> {
        let hears = |on: &Occasion| on.record == record.type_ && on.action == record.action;
        let codes: Vec<String> = self.listeners.iter().filter(|(_, on)| hears(on)).map(|(code, _)| code.clone()).collect();
        for code in codes {
            let run = delivered(&code, &step.read, step.nth)?;
            self.lookups += 1;
            let Some(seq) = self.reader.run_seq(&run)? else { continue };
            let read = self.read(seq)?;
            let receipt = read.entry.records.first().zip(read.records.first().copied());
            if let Some((_, hash)) = receipt.filter(|(record, _)| record.subject == format!("Run:{run}")) {
                self.reach(step, &hash, &code, (Rc::clone(&read), 0, hash));
            }
        }
        Ok(())
    }

    /// The record from which a listener of the sealed protocol started a run. The run was told its hash, or it cannot be found; that it was
    /// this one is said by the id of the run.
    fn heard(&mut self, step: &Step, record: &Record) -> Result<Option<(String, Place)>> {
        if self.listeners.is_empty() {
            return Ok(None);
        }
        let Some(stored) = self.reader.run_by_seq(step.read.entry.seq)? else { return Ok(None) };
        let receipt = RunReceipt::from_record(record).map_err(|r| altered(stored.seq, r.code(), r.to_string()))?;
        if context_hash(&stored.run.input) != receipt.input {
            return Err(altered(stored.seq, "run_part", format!("input of `{}` is another", receipt.run)));
        }
        let input: Map<String, Value> = serde_json::from_slice(&stored.run.input).unwrap_or_default();
        for digest in input.values().filter_map(|value| value.as_str()?.parse::<Digest>().ok()).collect::<Vec<_>>() {
            let Some((read, nth)) = self.find(&digest)? else { continue };
            let Some(heard) = read.entry.records.get(nth) else { continue };
            for (code, on) in &self.listeners {
                if on.record == heard.type_ && on.action == heard.action && delivered(code, &read, nth)? == receipt.run {
                    return Ok(Some((code.clone(), (Rc::clone(&read), nth, digest))));
                }
            }
        }
        Ok(None)
    }

    /// The next record of the same subject.
    fn next(&mut self, step: &Step, record: &Record) -> Result<Option<Place>> {
        let follows = |read: &Read, from: usize| {
            let found = read.entry.records.iter().enumerate().skip(from).find(|(_, next)| next.refs.get(PREV) == Some(&step.hash));
            found.and_then(|(nth, _)| read.records.get(nth).map(|hash| (nth, *hash)))
        };
        if let Some((nth, hash)) = follows(&step.read, step.nth.saturating_add(1)) {
            return Ok(Some((Rc::clone(&step.read), nth, hash)));
        }
        self.lookups += 1;
        let rows = self.reader.state_history(Space::Subject, &record.subject, Some(step.read.entry.seq), 1)?;
        let Some((seq, _)) = rows.first() else { return Ok(None) };
        let read = self.read(*seq)?;
        Ok(follows(&read, 0).map(|(nth, hash)| (read, nth, hash)))
    }

    /// A link, and on from the record at its other end.
    fn reach(&mut self, step: &Step, from: &Digest, name: &str, (read, nth, hash): Place) {
        let to = if *from == step.hash { hash } else { step.hash };
        let depth = step.depth.saturating_add(1);
        let next = Step { read, nth, hash, along: step.along, depth };
        self.links.insert((*from, name.to_owned(), to), false);
        if depth > self.options.depth {
            if !self.shown.contains(&hash) {
                self.cut.insert(Cut::Depth);
            }
        } else if self.show(&next) {
            self.waiting.push_back(next);
        }
    }

    /// Shows a record, unless there is no more room.
    fn show(&mut self, step: &Step) -> bool {
        if self.shown.contains(&step.hash) {
            return true;
        }
        if self.shown.len() >= self.options.records {
            self.cut.insert(Cut::Records);
            return false;
        }
        let Read { entry, hash: entry_hash, .. } = &*step.read;
        let Some(record) = entry.records.get(step.nth) else { return false };
        self.shown.insert(step.hash);
        let exit = RunReceipt::from_record(record).ok().filter(|_| record.is_run()).map(|receipt| receipt.exit);
        self.found.push(Found {
            record: step.hash.to_string(),
            seq: entry.seq,
            position: step.nth as u64,
            entry: entry_hash.to_string(),
            at: entry.at.clone(),
            kind: record.kind.as_str(),
            type_: record.type_.clone(),
            action: record.action.clone(),
            subject: record.subject.clone(),
            actor: record.actor.clone(),
            decided: entry.decided.get(step.nth).cloned(),
            exit: exit.map(|exit| format!("{}/{}", exit.class.as_str(), exit.reason)),
            depth: step.depth,
            along: step.along,
        });
        true
    }

    /// The record with this hash.
    fn find(&mut self, digest: &Digest) -> Result<Option<(Rc<Read>, usize)>> {
        self.lookups += 1;
        let mut after = None;
        loop {
            // One record has a hash; only others that share its first bytes stand beside it.
            let page = self.reader.links(digest, LinkKind::Is, after, PAGE)?;
            let Some(last) = page.last().copied() else { return Ok(None) };
            after = Some(last);
            for place in page {
                let (read, nth) = self.at(place)?;
                if read.records.get(nth) == Some(digest) {
                    return Ok(Some((read, nth)));
                }
            }
        }
    }

    fn at(&mut self, place: LinkPlace) -> Result<(Rc<Read>, usize)> {
        Ok((self.read(place.seq)?, usize::try_from(place.pos).unwrap_or(usize::MAX)))
    }

    /// An entry, read once.
    fn read(&mut self, seq: u64) -> Result<Rc<Read>> {
        if let Some(read) = self.entries.get(&seq) {
            return Ok(Rc::clone(read));
        }
        let stored = self.reader.entry(seq)?.ok_or_else(|| altered(seq, "entry_missing", "it is not there".to_owned()))?;
        if leaf_hash(&stored.bytes) != stored.leaf {
            return Err(altered(seq, "entry_leaf", "its leaf is another".to_owned()));
        }
        let entry = Entry::parse(&stored.bytes).map_err(|r| altered(seq, r.code(), r.to_string()))?;
        if entry.seq != seq {
            return Err(altered(seq, "entry_seq", format!("it says it is entry {}", entry.seq)));
        }
        let records = entry.records.iter().map(Record::hash).collect::<std::result::Result<_, _>>();
        let records = records.map_err(|e| altered(seq, e.code(), e.to_string()))?;
        let read = Rc::new(Read { hash: entry_hash(&stored.bytes), entry, records });
        self.entries.insert(seq, Rc::clone(&read));
        Ok(read)
    }
}

/// The records of an entry that were carried out by the run whose receipt begins it.
fn carried(read: &Read, run: &Digest) -> Vec<(usize, Digest)> {
    let all = read.entry.records.iter().zip(&read.records).enumerate();
    all.filter(|(_, (record, _))| record.refs.get(RUN) == Some(run)).map(|(nth, (_, hash))| (nth, *hash)).collect()
}

/// Id of the run that a listener starts from a record.
fn delivered(listener: &str, read: &Read, nth: usize) -> Result<String> {
    let at: jiff::Timestamp = read.entry.at.parse().map_err(|e: jiff::Error| altered(read.entry.seq, "entry_time", e.to_string()))?;
    Ok(run_id_of(at.as_microsecond(), &delivery_hash(listener, &read.hash, nth)))
}

fn altered(seq: u64, code: &'static str, detail: String) -> EngineError {
    EngineError::Altered { what: format!("entry {seq}"), code, detail }
}
