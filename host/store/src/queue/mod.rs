//! The execution queue as plain data: items, what they are to become, and the lines of their journal. Rows and lines are given by the
//! caller; a status is a word here, and so is an event. What the store sees to is that nothing changes unless it is as it was expected, that a
//! change and its line are stored together, and that one item is held by one owner.
//!
//! - `change`: adding, changing, archiving and deriving again, by compare and set.
//! - `take`: leases, in the order of the queue.
//! - `list`: reading.
//! - `compare`: counts and lines against items.
//! - `health`: what is late, what is held, what failed lately.
//!
//! Times are microseconds of the caller's clock.

pub(crate) mod change;
mod compare;
mod health;
mod list;
#[cfg(test)]
mod plans;
mod take;

pub use compare::QueueMiscount;
pub use health::{QueueHealth, QueueHolder, QueueWaiting};
pub use take::{QueueTaken, StepLine};

use std::fmt;

use serde::Serialize;

/// The status of an item that may be taken.
pub const READY: &str = "READY";
/// The status of an item that is taken.
pub const EXECUTING: &str = "EXECUTING";
/// The event of taking an item.
pub const LEASED: &str = "leased";
/// The event of a lease that expired.
pub const LEASE_LOST: &str = "lease_lost";

/// An item without its line: what is needed to pick, hold and find it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QueueRow {
    /// Its id.
    pub item: String,
    /// The contract it is under. Fixed when it is added.
    pub contract: String,
    /// Where it stands.
    pub status: String,
    /// Its place in the order: the entry that queued it. Fixed when it is added.
    pub seq: u64,
    /// Its place within that entry. Fixed when it is added.
    pub pos: u64,
    /// It is not taken before this time; 0 is at once.
    pub not_before: u64,
    /// How often it was taken.
    pub attempts: u64,
    /// Who holds it.
    pub lease: Option<QueueLease>,
    /// The fencing number: raised whenever it is taken. One that is derived again, when the journal is lost, must start above every number
    /// that was ever given out; the time in microseconds does.
    pub fence: u64,
}

/// Who holds an item, and until when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueLease {
    /// The worker.
    pub owner: String,
    /// From this time on anyone may take it.
    pub deadline: u64,
}

/// A member that an item keeps and is found by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueMember {
    /// Its name, not empty.
    pub name: String,
    /// Its value as text.
    pub value: String,
    /// Whether items are counted by it: worth it for members with few values.
    pub counted: bool,
}

/// What must hold for a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum QueueExpect {
    /// There is no such item.
    Absent,
    /// There is one, it is not archived, and it is as said; `None` is whatever it is.
    Is {
        /// The status.
        status: Option<String>,
        /// The fencing number.
        fence: Option<u64>,
    },
}

/// A change of one item with its line.
#[derive(Clone, Debug)]
pub struct QueueChange {
    /// What must hold.
    pub expect: QueueExpect,
    /// The item from now on.
    pub row: QueueRow,
    /// Members to be found by, beside those it has; a member that it has gets the new value.
    pub kept: Vec<QueueMember>,
    /// What happened.
    pub event: String,
    /// When.
    pub at: u64,
    /// The item as a whole, for the journal.
    pub line: String,
}

/// The number under which an item is held. The work of its holder is stored as long as nobody has taken the item since.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fence {
    /// The item.
    pub item: String,
    /// The number.
    pub fence: u64,
}

/// An item as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueItem {
    /// Its number, in the order in which items were added: the cursor of a listing.
    pub id: u64,
    /// The item.
    pub row: QueueRow,
    /// When it last changed.
    pub updated: u64,
    /// Whether it is out of the lists.
    pub archived: bool,
    /// Its latest line; `None` when the journal has lost it.
    pub line: Option<String>,
}

/// A line of the journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueLine {
    /// Its number, in the order in which lines were written: the cursor of a reading.
    pub id: u64,
    /// The item.
    pub item: String,
    /// What happened.
    pub event: String,
    /// Where the item stood from then on.
    pub status: String,
    /// When.
    pub at: u64,
    /// The item as a whole.
    pub line: String,
}

/// Which items to list; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct QueueFilter {
    /// In this status.
    pub status: Option<String>,
    /// Under this contract.
    pub contract: Option<String>,
    /// With this value of this member.
    pub kept: Option<(String, String)>,
    /// With this text in their id or latest line. Read through, among what the rest leaves.
    pub text: Option<String>,
    /// Archived ones, instead of the others.
    pub archived: bool,
    /// Last changed before this time. Read through, among what the rest leaves.
    pub before: Option<u64>,
}

/// How many items of a contract are in a status, archived ones apart.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct QueueCount {
    /// The contract.
    pub contract: String,
    /// The value of the member that was counted by; empty for all items.
    pub value: String,
    /// The status.
    pub status: String,
    /// How many.
    pub items: u64,
}

/// What to take.
#[derive(Clone, Debug)]
pub struct QueueTake<'a> {
    /// The time.
    pub now: u64,
    /// Who takes.
    pub owner: &'a str,
    /// For how long.
    pub ttl: u64,
    /// How many at most.
    pub count: u64,
    /// Of these contracts only; of all without any.
    pub contracts: &'a [String],
}

/// Why an item was not changed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum QueueRefused {
    /// There is no such item.
    Unknown {
        /// Its id.
        item: String,
    },
    /// There is one already.
    Exists {
        /// Its id.
        item: String,
        /// Where it stands.
        status: String,
    },
    /// It stands elsewhere.
    Status {
        /// Its id.
        item: String,
        /// Where it was expected.
        expected: String,
        /// Where it stands.
        found: String,
    },
    /// It is held by someone else.
    Locked {
        /// Its id.
        item: String,
        /// Who holds it.
        owner: String,
        /// Until when.
        deadline: u64,
    },
    /// Somebody has taken it since.
    Fenced {
        /// Its id.
        item: String,
        /// The number that was named.
        expected: u64,
        /// The present number.
        found: u64,
    },
    /// It is archived, and nothing happens to it any more.
    Archived {
        /// Its id.
        item: String,
    },
}

impl QueueRefused {
    /// Stable code, as listed in `protocol/queue.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "queue_unknown",
            Self::Exists { .. } => "queue_exists",
            Self::Status { .. } => "queue_status",
            Self::Locked { .. } => "queue_locked",
            Self::Fenced { .. } => "queue_fenced",
            Self::Archived { .. } => "queue_archived",
        }
    }

    /// The item in question.
    #[must_use]
    pub fn item(&self) -> &str {
        match self {
            Self::Unknown { item }
            | Self::Exists { item, .. }
            | Self::Status { item, .. }
            | Self::Locked { item, .. }
            | Self::Fenced { item, .. }
            | Self::Archived { item } => item,
        }
    }
}

impl fmt::Display for QueueRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { item } => write!(f, "there is no item `{item}`"),
            Self::Exists { item, status } => write!(f, "item `{item}` exists already and is {status}"),
            Self::Status { item, expected, found } => write!(f, "item `{item}` is {found}, not {expected}"),
            Self::Locked { item, owner, .. } => write!(f, "item `{item}` is held by `{owner}`"),
            Self::Fenced { item, expected, found } => write!(f, "item `{item}` was taken under number {found}; {expected} is over"),
            Self::Archived { item } => write!(f, "item `{item}` is archived"),
        }
    }
}
