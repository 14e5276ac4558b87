//! The store: one ledger in one SQLite file, with everything that is committed together with an entry. It decides nothing: an entry is
//! sealed by the core's pure function on the head that its transaction finds, and what a run relied on is compared, not judged.
//!
//! - [`Store`] opens or creates the file; [`Reader`] and [`Writer`] have connections of their own.
//! - [`Writer::append`] is the only way in for a run: a batch of [`Commit`]s, one durable transaction, one sync.
//! - [`Writer::append_governed`] is the only way in for governed records: a batch of drafts that a [`Judge`] decides about inside the
//!   transaction, and the rows of the derived state that they write.
//! - [`Writer::append_work`] is the way in for what a worker did: a judged draft with its run, its writes and what it changes in the queue.
//! - [`Reader::links`] finds the records that are, or name, a digest: the way along a chain of receipts, in both directions.
//! - [`Writer::append_executions`] is the same for entries that carry decisions out, each with its [`Execution`].
//! - The execution queue (`queue_*` of [`Writer`] and [`Reader`]): rows and lines that the caller gives, changed by compare and set.
//! - [`Outbound`] is a file beside the ledger: what is about to leave this machine, durable before it does.
//! - [`StateRead`] is what the host stores hold; [`Fold`] holds the same in memory for an audit.
//! - [`stage::Stage`] answers a capability's store calls with read-your-writes and collects the read set and the write set.
//!
//! Not here: scheduling, retries, grants, what a record means.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod apart;
mod backup;
mod batch;
mod cache;
mod catalog;
mod commit;
mod derived;
mod error;
pub mod event;
mod executions;
mod fold;
mod governed;
mod indexed;
mod lane;
mod ledger;
mod links;
mod listeners;
mod model;
mod number;
mod open;
mod outbound;
mod queue;
mod reader;
mod refusals;
mod schema;
pub mod stage;
pub mod state;
mod stats;
mod wal;
mod work;
mod writer;

pub use apart::Ticket;
pub use backup::{Copied, Progress, tidy};
pub use derived::{EntryRows, Moment, PutRow, StateRow};
pub use error::StoreError;
pub use executions::Execution;
pub use fold::Fold;
pub use governed::{Judge, TxView};
pub use indexed::EventDifference;
pub use links::{LinkKind, LinkPlace, named};
pub use listeners::FailedDelivery;
pub use model::{
    Commit, Committed, Conflict, ConflictKind, Kind, Read, Rejection, Row, RunRow, RunSummary, StoreInfo, StoredCheckpoint, StoredEntry,
    StoredRun, Write,
};
pub use open::{Create, OpenOptions, Store};
pub use outbound::{Begun, Intent, Outbound, Sending, Unsettled};
pub use queue::{
    EXECUTING, Fence, LEASE_LOST, LEASED, QueueChange, QueueCount, QueueExpect, QueueFilter, QueueHealth, QueueHolder, QueueItem,
    QueueLease, QueueLine, QueueMember, QueueMiscount, QueueRefused, QueueRow, QueueTake, QueueTaken, QueueWaiting, READY, StepLine,
};
pub use reader::{EntryRef, EvidenceRef, Reader, RunRef};
pub use refusals::{RefusedProposal, StoredRefusal};
pub use schema::FORMAT;
pub use state::{StateRead, conflict};
pub use stats::Stats;
pub use work::{Work, WorkAnswer, WorkLine, WorkRefused, WorkRun};
pub use writer::{Checkpointed, Writer};
