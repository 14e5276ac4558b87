//! The edge of the execution queue: the pure queue, the judge, the store and the sandbox brought together.
//!
//! - `item`: an item as ledger and journal know it together, and a change of it as rows for the store.
//! - `gate`: what records mean for the queue; every proposal comes through here, so nothing gets around it.
//! - `worker`, with `run` and `commit`: the driver of the pure worker.
//! - `hand`: what people do: add, validate, start, retry, void, settle, fulfill.
//! - `rebuild`: a journal that was lost, from the ledger.
//! - `view`, `export`: reading.
pub(crate) mod class;
mod commit;
mod export;
mod gate;
mod hand;
mod item;
mod rebuild;
mod run;
mod view;
mod worker;

pub use enact_queue::id::QueueId;
pub use export::ExportReport;
pub use hand::{Added, Evidence, Given, Started};
pub use rebuild::QueueRebuilt;
pub use view::{Filter, LineReport, Shown, Summary};
pub use worker::{WorkEvent, WorkOptions, WorkReport};

pub(crate) use gate::{After, Left, Stop};
