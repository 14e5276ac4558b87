//! Governance: who may say what, in which order, and what follows from it (`protocol/governance.md`).
//!
//! A pure function of the protocol in force, the state and the entry. It knows five kinds of records and no domain: what a record
//! type means is data. It reads rows through a view and hands changes back; keeping them is the store's business.

mod amount;
pub mod builtin;
mod code;
mod compile;
pub mod declare;
mod expr;
mod field;
mod problem;
mod rules;

pub use code::{GovernCode, Stage};
pub use problem::{Level, Problem};
pub use rules::{Account, Action, Asset, Class, Lifecycle, Protocol, Row};
