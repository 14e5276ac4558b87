//! What is wrong with a set of artifacts, as data.
//!
//! Not for failures of a run: those are terminations (`traverse`), and a failed binding is a report of its own (`bind`).

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use serde::Serialize;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The set cannot be sealed.
    Error,
    /// It can be sealed, and probably should not be.
    Warning,
    /// Worth knowing.
    Note,
}

/// One finding about one artifact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Stable identifier of the kind of finding, `snake_case`.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// Code of the artifact, or the file stem when the code could not be read.
    pub artifact: String,
    /// Place inside the artifact, as a dotted path; empty for the artifact as a whole.
    pub at: String,
    /// What was found and what is allowed.
    pub detail: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

impl Problem {
    /// An error without a hint.
    pub(crate) fn error(code: &'static str, artifact: &str, at: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code, level: Level::Error, artifact: artifact.to_owned(), at: at.into(), detail: detail.into(), hint: String::new() }
    }

    /// The same finding at another level.
    pub(crate) fn at_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The same finding with a remedy.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
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

impl core::error::Error for Problem {}
