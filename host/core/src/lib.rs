//! The pure heart of the ledger: what an entry is, how it is sealed, and how anyone checks it.
//!
//! Everything here is a function of its arguments. Time, keys and identity come in as values; effects leave as returned
//! values. The crate has no standard library below it, so it cannot open a file, read a clock or start a thread even by
//! mistake. It is deliberately not a store (`host/store` keeps the bytes), not a runtime, and it knows no domain word.
//!
//! | module | answers |
//! |---|---|
//! | [`canonical`] | which bytes stand for this value? |
//! | [`hash`] | which digest, over what, for what? |
//! | [`merkle`] | is this leaf in that tree, and is that tree a continuation of this one? |
//! | [`time`] | is this an instant, and which spelling is the stored one? |
//! | [`entry`] | may this draft be appended, and to what does it become? |
//! | [`receipt`] | what did one run do? |
//! | [`state`] | what follows from the entries so far? |
//! | [`govern`] | may this actor say this about this subject, and what follows from it? |
//! | [`note`] | who signed which tree head? |
//! | [`proof`] | how does one entry leave the ledger with its evidence? |
//! | [`verify`] | is this stored ledger what it claims to be? |
//! | [`error`] | why was it refused? |
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::indexing_slicing)]
// A refusal is data; a panic would be an answer that nobody can replay.
#![warn(clippy::panic, clippy::expect_used, clippy::unreachable)]

extern crate alloc;

pub mod canonical;
pub mod entry;
pub mod error;
pub mod govern;
pub mod hash;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod receipt;
pub mod state;
pub mod time;
pub mod verify;
