//! The store from outside: one binary for all of its integration tests. Unit tests stay beside the code.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod append;
mod backup;
mod crash;
mod crash_work;
mod events;
mod files;
mod format;
mod governed;
mod lanes;
mod links;
mod model;
mod queue;
mod support;
mod tamper;
mod torn;
mod work;
