//! The sandbox from outside: one binary, one module for each area.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::panic, reason = "a test fails by panicking")]

mod admission;
mod cache;
mod effects;
mod guests;
mod hostile;
mod real;
mod support;
