//! What the crate promises, one module an area. Nothing here reaches into the crate's inside.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected should stop there")]
#![allow(clippy::disallowed_methods, reason = "the vectors are files")]

mod canonical;
mod contracts;
mod govern;
mod ledger;
mod merkle;
mod note;
mod stories;
mod support;
mod tamper;
mod vectors;
mod wst;
