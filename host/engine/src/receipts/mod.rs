//! Chains of receipts: walked in both directions, and single receipts that leave the ledger signed.
//!
//! - `walk`: from a record, a run, an entry or a subject to what it names and to what names it.
//! - `statement`: the receipt of a run as an in-toto statement, made from checked evidence and checked by whoever has the key.
//! - `dsse`: the envelope around it.
pub(crate) mod dsse;
mod statement;
mod walk;

pub use statement::{PREDICATE_TYPE, ReceiptReport, STATEMENT_TYPE, check};
pub use walk::{Along, Cut, DEPTH_MAX, Found, Link, Start, WalkOptions, Walked};
