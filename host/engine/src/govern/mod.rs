//! The edge around the pure judge: keys, clocks, components and the store. What is allowed is decided in `host/core`.
mod actors;
mod book;
pub(crate) mod keys;
mod outside;
mod proposal;
mod propose;
mod query;
mod refold;
mod story;
mod stream;
mod trial;
mod view;

pub use actors::Held;
pub use book::Ruled;
pub(crate) use book::{RuleBook, problem};
pub(crate) use outside::{Components, Signatures};
pub use proposal::Proposed;
pub(crate) use proposal::row;
pub use propose::{Appended, Explained, RefusedProposal};
pub(crate) use propose::{Judging, report};
pub use query::{AccountReport, ActorReport, BalanceProof, BalanceReport, HistoryRow, RefusalReport, SubjectReport};
pub use refold::RebuildReport;
pub use story::{Outcome as StoryOutcome, Story, StoryReport, Told};
pub use stream::Stream;
pub use trial::{TrialAsset, TrialBalance};
pub use view::{ViewReport, ViewRow, ViewSummary};
