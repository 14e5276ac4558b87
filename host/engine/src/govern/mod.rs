//! The edge around the pure judge: keys, clocks, components and the store. What is allowed is decided in `host/core`.
mod actors;
mod book;
mod decide;
mod decisions;
mod demo;
pub(crate) mod keys;
mod outside;
mod proposal;
mod propose;
mod query;
mod refold;
mod stream;

pub use actors::Held;
pub use book::Ruled;
pub(crate) use book::{RuleBook, problem};
pub use decide::{DecideOptions, Outcome, Stopped};
pub use decisions::{DecisionReport, EffectResult, ExecutionStatus};
pub use demo::{Story, StoryReport, Told};
pub(crate) use outside::{Components, Signatures};
pub use proposal::Proposed;
pub(crate) use proposal::row;
pub use propose::{Appended, Explained, RefusedProposal};
pub(crate) use propose::{Judging, report};
pub use query::{AccountReport, ActorReport, BalanceProof, BalanceReport, HistoryRow, RefusalReport, SubjectReport};
pub use refold::RebuildReport;
pub use stream::Stream;
