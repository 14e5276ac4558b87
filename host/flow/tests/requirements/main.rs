//! Requirements of the P family, one claim per test, over the public interface of the crate.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod admission;
mod binding;
mod governance;
mod graph;
mod load;
mod molecule;
mod packs;
mod run;
mod status;
mod support;
mod trace;
