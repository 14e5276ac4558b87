//! The edge that owns clock, threads and seeds: runs, commits and audits governed workflows.
//!
//! It routes by structure only; no domain is known here. What is allowed is decided by the pure crates below.
pub mod admission;
pub mod audit;
pub mod bench;
pub mod bench_decide;
pub mod bound;
pub mod bundle;
pub mod canonical;
pub mod embedded;
mod engine;
pub mod error;
pub mod evidence;
mod examine;
pub mod govern;
pub mod import;
mod inspect;
pub mod interpret;
mod lanes;
pub mod later;
pub mod listen;
mod live;
pub mod offline;
pub mod outbox;
mod pool;
pub mod queue;
mod reach;
pub mod receipts;
pub mod report;
pub mod sources;
pub mod state;
pub mod swap;
pub mod trace;
pub mod transcript;
mod verify;
pub mod workspace;
pub mod world;

pub use engine::{Engine, EngineOptions, PAYLOAD_BYTES_MAX, RunRequest, checked_payload, sandbox};
pub use error::{EngineError, Kind, Result};
pub use examine::{AuditOptions, AuditReport};
pub use pool::Load;
pub use reach::{Beyond, OpenIntent, Outside, Said};
pub use report::{EntryReport, ExitReport, RunReport};
pub use verify::{Against, CheckReport, VerifyReport};
