//! The edge of the execution queue: the pure queue, the judge, the store and the sandbox brought together.
//!
//! - `item`: an item as ledger and journal know it together, and a change of it as rows for the store.
//! - `gate`: what records mean for the queue; every proposal comes through here, so nothing gets around it.
//! - `worker`, with `take`, `run`, `commit`, `sight` and `stop`: the driver of the pure worker.
//! - `original`: what was done already.
//! - `pace`: how many items are taken at a time.
//! - `hand`: what people do: add, validate, start, retry, void, archive, settle, fulfill.
//! - `may`: who may work at all.
//! - `heard`: items that follow from a record that a listener heard.
//! - `rebuild`: a journal that was lost, from the ledger.
//! - `view`, `health`, `export`: reading.
//! - `compare`: rows and counts against what follows.
pub(crate) mod class;
mod commit;
mod compare;
mod export;
mod gate;
mod hand;
mod health;
mod heard;
mod item;
mod may;
mod original;
mod pace;
mod rebuild;
mod run;
mod sight;
mod stop;
mod take;
mod view;
mod worker;

pub use compare::QueueCompared;
pub use enact_queue::id::QueueId;
pub use export::{Damaged, ExportReport};
pub use hand::{Added, Evidence, Given, Started};
pub use health::{Health, HealthBounds, HealthOfContract, HolderReport};
pub use original::Original;
pub use rebuild::QueueRebuilt;
pub use stop::StopSign;
pub use view::{Filter, LineReport, RowError, Shown, Summary};
pub use worker::{WorkEvent, WorkOptions, WorkReport};

/// Microseconds of a time in the stored spelling.
#[must_use]
pub fn micros(stored: &str) -> Option<u64> {
    enact_queue::time::parse(stored)
}

pub(crate) use gate::{After, Left, Stop, Unit};
pub(crate) use heard::{Hand, Queueing};
