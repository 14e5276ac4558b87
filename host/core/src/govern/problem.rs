//! What is wrong with the artifacts of governance, as data.
//!
//! Not for records: why one of those is refused says [`super::GovernCode`].

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;

use serde::Serialize;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It cannot be used.
    Error,
    /// It can, and probably should not be.
    Warning,
}

/// One finding about one artifact. Sorted by artifact, place and code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// Stable code.
    pub code: &'static str,
    /// Code of the artifact; empty when it is the set as a whole.
    pub artifact: String,
    /// Place in the artifact, a dotted path; empty for all of it.
    pub at: String,
    /// What was found and what is allowed.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// An error without a hint.
    pub(super) fn error(code: &'static str, artifact: &str, at: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { level: Level::Error, code, artifact: artifact.to_owned(), at: at.into(), detail: detail.into(), hint: None }
    }

    /// The same as a warning.
    pub(super) fn warning(self) -> Self {
        Self { level: Level::Warning, ..self }
    }

    /// The same with a remedy.
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Puts findings into their order.
    pub(super) fn sort(problems: &mut [Self]) {
        problems.sort_by(|a, b| {
            let key = |p: &Self| (p.level, p.artifact.clone(), p.at.clone(), p.code, p.detail.clone());
            key(a).cmp(&key(b))
        });
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`", self.code, self.artifact)?;
        if !self.at.is_empty() {
            write!(f, " at `{}`", self.at)?;
        }
        write!(f, ": {}", self.detail)
    }
}
