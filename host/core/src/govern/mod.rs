//! Governance: who may say what, in which order, and what follows from it (`protocol/governance.md`).
//!
//! A pure function of the protocol in force, the state and the entry. It knows five kinds of records and no domain: what a record
//! type means is data. It reads rows through a view and hands changes back; keeping them is the store's business.

mod amount;
mod append;
mod apply;
mod ask;
mod asset;
mod authority;
pub mod builtin;
mod chain;
mod check;
mod code;
mod compile;
pub mod contract;
pub mod decision;
pub mod declare;
mod expr;
mod field;
mod fold;
mod frozen;
mod guard;
mod judge;
mod lifecycle;
mod listener;
mod near;
mod outside;
mod overlay;
mod posting;
mod problem;
pub mod roots;
pub mod row;
mod rules;
mod schema;
mod sign;
mod view;

pub use append::{Appended, append};
pub use ask::{Change, Difference, Questions, Side};
pub use code::{GovernCode, Stage};
pub use contract::Contract;
pub use fold::{Fold, Rules, State, fold};
pub use judge::{EntryContext, JudgeError, Judgement, Refused, RowFinding, RowOutcome, judge};
pub use listener::{Heard, Listener, Listens};
pub use outside::{Alone, Holds, Outside, Undecided, verify};
pub use problem::{Level, Problem};
pub use rules::{Account, Action, Asset, Class, Lifecycle, Protocol, Row};
pub use sign::{key_bytes, key_text, sign, sign_bytes, signature_bytes};
pub use view::{ColumnDecl, FilterDecl, View, ViewDecl};
