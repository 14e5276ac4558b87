//! Everything a capability written in Rust needs: dispatch, typed inputs and outputs, the host's imports, and a host in memory for tests.
//!
//! It is not a runtime and knows no business rule. A capability is a function from a deserialisable struct to a serialisable one;
//! [`transform!`] or [`side_effect!`] gives it its protocol code and exports it. On `wasm32` the crate speaks the canonical ABI of
//! `protocol/wit`; everywhere else the same handlers run against [`MemoryHost`], so `cargo test` needs no sandbox.
//!
#![doc = include_str!("../README.md")]
#![no_std]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

extern crate alloc;

mod answer;
mod context;
mod export;
mod fault;
mod host;
mod outside;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod abi;
#[cfg(target_arch = "wasm32")]
mod bump;
#[cfg(target_arch = "wasm32")]
mod imports;
#[cfg(not(target_arch = "wasm32"))]
mod memory;

pub use answer::{Answer, Outcome, Violation, answer, effect, transform};
pub use context::{Clock, Context, Log, Random, Registry, Table};
pub use fault::Fault;
pub use host::{Call, Document, Expect};
#[cfg(not(target_arch = "wasm32"))]
pub use memory::MemoryHost;
pub use outside::{Files, Http, HttpCall, HttpResponse, Outbox, Workflows, Written};

pub use serde;
pub use serde_json;

/// A part of the inputs, byte for byte as the host sent it. The host sends canonical JSON (RFC 8785), so these bytes may be hashed.
///
/// Borrow it in an input struct: `#[serde(borrow)] data: &'a Raw`.
pub type Raw = serde_json::value::RawValue;
