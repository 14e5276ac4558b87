//! The sandbox from outside: one binary, one module for each area.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it expects; all else fails it")]

mod admission;
mod cache;
mod effects;
mod guests;
mod hostile;
mod program;
mod real;
mod support;
mod wasi;
