//! The state in memory, and its derivation from the entries: every stored record is judged again.
//!
//! This is what a verifier does with the meaning of a ledger, as [`crate::verify`] does with its bytes. It executes nothing itself
//! and dispatches nothing: effects of the past are not repeated by being replayed.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::convert::Infallible;

use serde::{Deserialize, Serialize};

use super::judge::{EntryContext, JudgeError, judge};
use super::outside::Outside;
use super::roots::{self, Roots};
use super::rules::Protocol;
use crate::entry::{Entry, Record};
use crate::hash::Digest;
use crate::state::{Space, StateDelta, StateView};
use crate::verify::Finding;

/// All rows, in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State {
    rows: BTreeMap<Space, BTreeMap<String, String>>,
}

impl StateView for State {
    type Error = Infallible;
    fn get(&self, space: Space, key: &str) -> Result<Option<String>, Infallible> {
        Ok(self.row(space, key).map(String::from))
    }
}

impl State {
    /// Without rows.
    #[must_use]
    pub const fn new() -> Self {
        Self { rows: BTreeMap::new() }
    }

    /// One row.
    #[must_use]
    pub fn row(&self, space: Space, key: &str) -> Option<&str> {
        self.rows.get(&space)?.get(key).map(String::as_str)
    }

    /// The rows of a space in the order of their keys.
    pub fn rows(&self, space: Space) -> impl Iterator<Item = (&str, &str)> {
        self.rows.get(&space).into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Writes what an entry changed.
    pub fn apply(&mut self, delta: StateDelta) {
        for put in delta.puts {
            self.rows.entry(put.space).or_default().insert(put.key, put.value);
        }
    }

    /// The root of every space.
    #[must_use]
    pub fn roots(&self) -> Roots {
        Space::ALL.into_iter().map(|space| (space, roots::root(space, self.rows(space)))).collect()
    }
}

/// Where the rules of a snapshot come from.
pub type Rules<'a> = dyn Fn(&Digest) -> Option<&'a Protocol> + 'a;

/// Derives the state entry by entry.
///
/// It can be written out between two entries and go on elsewhere; it knows no more of the entries before than what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    state: State,
    next: u64,
    /// Entries before the last one that changed the state, and that one.
    changed: u64,
    unchecked: Vec<u64>,
}

impl Fold {
    /// Before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The state after the entries fed so far.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Sizes whose stated roots could not be compared, because the state had already moved on when they were stated.
    #[must_use]
    pub fn unchecked(&self) -> &[u64] {
        &self.unchecked
    }

    /// Judges a stored entry again and applies it. After a finding the state stays as it was.
    ///
    /// # Errors
    /// `entry_protocol` when the rules of its snapshot are not there, `entry_unauthorised` when a record would be refused,
    /// `entry_undecided` when an invariant has no answer, `entry_decided` when other rows decide, `state_roots` when it states other
    /// roots than those derived, `state_unreadable` when a derived row is none.
    pub fn feed(&mut self, rules: &Rules<'_>, outside: &dyn Outside, entry: &Entry) -> Result<(), Finding> {
        self.next = entry.seq.saturating_add(1);
        if entry.records.iter().all(Record::is_run) {
            return Ok(());
        }
        let finding = |code, detail| Finding { code, seq: Some(entry.seq), detail };
        let Some(rules) = rules(&entry.protocol) else {
            return Err(finding("entry_protocol", format!("the snapshot {} is not there", entry.protocol)));
        };
        let context = EntryContext { origin: &entry.origin, at: &entry.at, protocol: entry.protocol, seq: entry.seq };
        let judgement = judge(rules, &self.state, outside, &context, &entry.records).map_err(|error| match error {
            JudgeError::Refused(refused) => finding("entry_unauthorised", format!("{}: {refused}", refused.code)),
            JudgeError::Entry(refusal) => finding(refusal.code(), refusal.to_string()),
            JudgeError::Undecided(undecided) => finding("entry_undecided", undecided.to_string()),
            JudgeError::Row { space, key } => finding("state_unreadable", format!("row `{key}` of `{}`", space.as_str())),
            JudgeError::View(never) => match never {},
        })?;
        if judgement.decided != entry.decided {
            let detail = format!("says `{}` decided, it is `{}`", entry.decided.join("`, `"), judgement.decided.join("`, `"));
            return Err(finding("entry_decided", detail));
        }
        self.stated(entry)?;
        if !judgement.delta.puts.is_empty() {
            self.changed = self.next;
        }
        self.state.apply(judgement.delta);
        Ok(())
    }

    /// Compares roots that the entry states with the state that they are about, as long as that is still the present one.
    fn stated(&mut self, entry: &Entry) -> Result<(), Finding> {
        for (size, stated) in entry.records.iter().filter_map(roots::read) {
            if size < self.changed {
                self.unchecked.push(size);
            } else if stated != self.state.roots() {
                let detail = format!("states other roots after {size} entries than the entries give");
                return Err(Finding { code: "state_roots", seq: Some(entry.seq), detail });
            }
        }
        Ok(())
    }
}

/// Derives the state from all entries, and collects what is wrong with them.
pub fn fold<'e>(rules: &Rules<'_>, outside: &dyn Outside, entries: impl IntoIterator<Item = &'e Entry>) -> (State, Vec<Finding>) {
    let mut fold = Fold::new();
    let findings = entries.into_iter().filter_map(|entry| fold.feed(rules, outside, entry).err()).collect();
    (fold.state, findings)
}
