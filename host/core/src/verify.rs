//! The verifier: is this stored ledger what it claims to be?
//!
//! It streams: one entry at a time, memory independent of the length. It checks that every chained entry is also the
//! leaf the tree says it is, because two structures that are trusted separately can be forged separately. It re-executes
//! nothing and reads nothing; whoever holds the bytes feeds them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::VerifyingKey;
use serde::Serialize;

use crate::entry::{Entry, EntryView, Head};
use crate::error::Refusal;
use crate::hash::{Digest, Hash, entry_hash, leaf_hash};
use crate::note::{self, Checkpoint};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// The entry concerned; nothing when it is the ledger as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What was found and what was expected, for people.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "{} at entry {seq}: {}", self.code, self.detail),
            None => write!(f, "{}: {}", self.code, self.detail),
        }
    }
}

impl core::error::Error for Finding {}

/// What the stored bytes of one entry say by themselves: its hashes, whether it is an entry at all, and where it says it stands. This is
/// most of the work of a verification and needs nothing of the entries before, so it can be done ahead and on other threads.
#[derive(Clone, Debug)]
pub struct Examined {
    leaf: Hash,
    entry_hash: Digest,
    said: Result<Said, Refusal>,
}

/// What an entry says about its place.
#[derive(Clone, Debug)]
struct Said {
    at: String,
    origin: String,
    prev: Option<Digest>,
    seq: u64,
}

impl Examined {
    /// Hashes and reads the bytes.
    #[must_use]
    pub fn of(stored: &[u8]) -> Self {
        EntryView::read(stored).map_or_else(|| Self::parsed(stored, Entry::parse(stored)).0, |view| Self::from(&view))
    }

    /// Hashes bytes that were read, and hands back the entry.
    fn parsed(stored: &[u8], parsed: Result<Entry, Refusal>) -> (Self, Option<Entry>) {
        let (said, entry) = match parsed {
            Ok(entry) => (Ok(Said { at: entry.at.clone(), origin: entry.origin.clone(), prev: entry.prev, seq: entry.seq }), Some(entry)),
            Err(refusal) => (Err(refusal), None),
        };
        (Self { leaf: leaf_hash(stored), entry_hash: entry_hash(stored), said }, entry)
    }
}

impl From<&EntryView<'_>> for Examined {
    fn from(view: &EntryView<'_>) -> Self {
        let said = Said { at: String::from(view.at()), origin: String::from(view.origin()), prev: view.prev(), seq: view.seq() };
        Self { leaf: leaf_hash(view.bytes()), entry_hash: entry_hash(view.bytes()), said: Ok(said) }
    }
}

/// Verifies one ledger, entry by entry.
#[derive(Clone, Debug)]
pub struct Verifier {
    origin: String,
    seen: Head,
    next_seq: u64,
    expected: BTreeMap<u64, Hash>,
    findings: Vec<Finding>,
}

impl Verifier {
    /// A verifier for the ledger of this name.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        Self { origin: String::from(origin), seen: Head::empty(), next_seq: 0, expected: BTreeMap::new(), findings: Vec::new() }
    }

    /// A verifier that goes on where another stopped. It says no more than that one did: whoever carries the head vouches for it.
    #[must_use]
    pub fn resume(origin: &str, head: Head, next_seq: u64) -> Self {
        Self { seen: head, next_seq, ..Self::new(origin) }
    }

    /// The position that the next entry must have.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Where the ledger stands after the entries fed so far, as computed from their bytes.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.seen
    }

    /// Adds a signed checkpoint to hold the ledger against. Best before the first entry: one that has already been
    /// passed can only be compared at the present size.
    pub fn note(&mut self, text: &str, key: &VerifyingKey) {
        match note::verify(text, key, &self.origin) {
            Ok(checkpoint) => self.checkpoint(&checkpoint),
            Err(error) => self.whole(error.code(), error.to_string()),
        }
    }

    /// Adds a checkpoint whose signature the caller has verified.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        let Checkpoint { origin, size, root, .. } = checkpoint;
        if *origin != self.origin {
            return self.whole("checkpoint_origin", format!("of `{origin}`, this ledger is `{}`", self.origin));
        }
        match self.expected.get(size) {
            Some(other) if other != root => {
                return self.whole("checkpoint_split", format!("two signed roots for size {size}"));
            }
            Some(_) | None => {}
        }
        if *size < self.seen.size {
            return self.whole("checkpoint_late", format!("size {size} was passed before the checkpoint was given"));
        }
        self.expected.insert(*size, *root);
        self.compare_root();
    }

    /// Judges the next stored entry and its stored leaf. After a finding the verifier goes on from the bytes as they are,
    /// so that one fault is not reported for every entry behind it.
    ///
    /// # Errors
    /// The first finding in the order: position, leaf, bytes, origin, sequence number, chain, time.
    pub fn feed(&mut self, seq: u64, stored: &[u8], leaf: &Hash) -> Result<Entry, Finding> {
        let (examined, entry) = Examined::parsed(stored, Entry::parse(stored));
        self.feed_examined(seq, examined, leaf)?;
        // Bytes that were no entry have been refused.
        entry.ok_or_else(|| Finding { code: Refusal::Shape.code(), seq: Some(seq), detail: Refusal::Shape.to_string() })
    }

    /// As [`Self::feed`], of bytes that were examined before.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn feed_examined(&mut self, seq: u64, examined: Examined, leaf: &Hash) -> Result<(), Finding> {
        // A gap is reported once: the next entry is expected behind this one.
        let expected_seq = core::mem::replace(&mut self.next_seq, seq.saturating_add(1));
        let Examined { leaf: computed, entry_hash, said } = examined;
        let prev = self.seen.entry_hash;
        self.seen.frontier.push(computed);
        self.seen.size = self.seen.frontier.size();
        self.seen.entry_hash = Some(entry_hash);
        self.compare_root();

        let finding = |code, detail| Finding { code, seq: Some(seq), detail };
        let last_at = match &said {
            Ok(entry) => core::mem::replace(&mut self.seen.at, entry.at.clone()),
            Err(_) => self.seen.at.clone(),
        };
        if seq != expected_seq {
            return Err(finding("entry_missing", format!("expected entry {expected_seq}")));
        }
        if computed != *leaf {
            let detail = format!("stored {}, the bytes give {}", Digest::sha256(*leaf), Digest::sha256(computed));
            return Err(finding("entry_leaf", detail));
        }
        let entry = said.map_err(|refusal| finding(refusal.code(), refusal.to_string()))?;
        if entry.origin != self.origin {
            return Err(finding("entry_foreign", format!("of ledger `{}`, this one is `{}`", entry.origin, self.origin)));
        }
        if entry.seq != seq {
            return Err(finding("entry_seq", format!("says it is entry {}", entry.seq)));
        }
        if entry.prev != prev {
            return Err(finding("entry_chain", format!("follows {}, before it is {}", shown(entry.prev), shown(prev))));
        }
        if entry.at < last_at {
            return Err(finding("entry_time_backwards", format!("`{}` is before `{last_at}`", entry.at)));
        }
        Ok(())
    }

    /// Ends the verification: compares what was fed with the stored head and with every checkpoint. Answers what the
    /// checkpoints and the head revealed; findings of single entries were answered by [`Self::feed`].
    #[must_use]
    pub fn finish(mut self, head: &Head) -> Vec<Finding> {
        let seen = core::mem::take(&mut self.seen);
        if head.size != seen.size {
            self.whole("head_size", format!("the head claims {} entries, {} are there", head.size, seen.size));
        }
        if head.root() != seen.root() || head.frontier != seen.frontier {
            let detail = format!("the head's root is {}, the entries give {}", Digest::sha256(head.root()), Digest::sha256(seen.root()));
            self.whole("head_root", detail);
        }
        if head.entry_hash != seen.entry_hash {
            let detail = format!("the head ends in {}, the last entry is {}", shown(head.entry_hash), shown(seen.entry_hash));
            self.whole("head_entry", detail);
        }
        if head.at != seen.at {
            self.whole("head_time", format!("the head says `{}`, the last entry `{}`", head.at, seen.at));
        }
        let beyond: Vec<u64> = self.expected.keys().copied().filter(|size| *size > seen.size).collect();
        for size in beyond {
            self.whole("checkpoint_beyond", format!("{size} entries were signed for, {} are there", seen.size));
        }
        self.findings
    }

    /// Compares the computed root with the checkpoint of the present size, if there is one.
    fn compare_root(&mut self) {
        let size = self.seen.size;
        let Some(signed) = self.expected.get(&size).copied() else { return };
        let root = self.seen.root();
        if signed != root {
            let detail = format!("signed {} for size {size}, the entries give {}", Digest::sha256(signed), Digest::sha256(root));
            self.whole("checkpoint_root", detail);
        }
    }

    /// Notes something about the ledger as a whole.
    fn whole(&mut self, code: &'static str, detail: String) {
        self.findings.push(Finding { code, seq: None, detail });
    }
}

/// A link as people read it.
fn shown(link: Option<Digest>) -> String {
    link.map_or_else(|| String::from("nothing"), |digest| digest.to_string())
}
