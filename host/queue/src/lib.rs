//! The execution queue without I/O: what an item may do next, who may do it, and what is written down about it.
//!
//! This crate is pure: it reads no clock, opens no store, runs no workflow and depends on no other crate of the project. It does not
//! know what an item is about; it knows facts (what the ledger holds), the journal (what execution needs), and their projection.
//! Time is always an argument, in microseconds since 1970. The specification is `protocol/queue.md`.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::indexing_slicing)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod change;
pub mod export;
pub mod facts;
pub mod id;
pub mod item;
pub mod lease;
mod line;
pub mod order;
pub mod refused;
pub mod retry;
pub mod status;
pub mod time;
pub mod validation;
pub mod worker;

/// A JSON object: what an item keeps.
pub type Map = serde_json::Map<alloc::string::String, serde_json::Value>;
