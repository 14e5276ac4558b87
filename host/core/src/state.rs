//! The derived state as rows: what it is read through, and what a record changes of it.
//!
//! State is `fold(entries)` and nothing else. A row is a canonical JSON value under a space and a key; it is written at a sequence
//! number and never overwritten in place, so the past can be read as it was. Where rows are kept is the store's business.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A family of rows. The words are part of the format (`protocol/governance.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Space {
    /// Actors with their keys, roles and seats, by id.
    Actor,
    /// What was issued and retired of an asset or lot.
    Asset,
    /// Totals of an account in an asset, by `account|asset`.
    Balance,
    /// Keys that were used up, for ever.
    Consumed,
    /// Where a subject stands, by `Type:Id`.
    Subject,
    /// The founding and the protocol in force.
    System,
}

impl Space {
    /// All spaces, in the order of their words.
    pub const ALL: [Self; 6] = [Self::Actor, Self::Asset, Self::Balance, Self::Consumed, Self::Subject, Self::System];

    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Asset => "asset",
            Self::Balance => "balance",
            Self::Consumed => "consumed",
            Self::Subject => "subject",
            Self::System => "system",
        }
    }

    /// The space of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.as_str() == word)
    }
}

/// The state as it stands before a record.
pub trait StateView {
    /// Why a row could not be read. Not a refusal: nothing was decided.
    type Error;

    /// The present row of a key, canonical JSON; `None` when it was never written.
    ///
    /// # Errors
    /// When the rows cannot be read.
    fn get(&self, space: Space, key: &str) -> Result<Option<String>, Self::Error>;
}

impl<V: StateView + ?Sized> StateView for &V {
    type Error = V::Error;
    fn get(&self, space: Space, key: &str) -> Result<Option<String>, Self::Error> {
        (**self).get(space, key)
    }
}

/// One row that an entry writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The family.
    pub space: Space,
    /// The key.
    pub key: String,
    /// The row from now on, canonical JSON.
    pub value: String,
}

/// All rows that an entry writes: each key once, in the order of space and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDelta {
    /// The rows.
    pub puts: Vec<Put>,
}
