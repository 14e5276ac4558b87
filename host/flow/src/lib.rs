//! Artifacts become a sealed snapshot, a snapshot becomes a graph, and a graph is walked by a state machine that asks.
//!
//! This crate is pure: it reads no file, knows no clock, calls no module and depends on no other crate of the project. It does not
//! know what a payload means; it routes by node prefix and by the status an edge carries, nothing else.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::indexing_slicing)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod artifact;
pub mod bind;
mod canonical;
pub mod compile;
pub mod dag;
pub mod draw;
mod expr;
pub mod pgs;
pub mod plan;
pub mod problem;
pub mod snapshot;
pub mod trace;
pub mod traverse;

/// A JSON object: payloads, inputs, outputs.
pub type Map = serde_json::Map<alloc::string::String, serde_json::Value>;
