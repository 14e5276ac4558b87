//! Why a sandbox could not be made, and why a module was not admitted.
use serde::Serialize;

/// One reason not to admit a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Stable snake case code.
    pub code: &'static str,
    /// What was found and what is allowed; for an import, its name.
    pub detail: String,
    /// Offset in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<usize>,
}

impl Refusal {
    /// What an author can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        crate::scan::hint(self.code)
    }
}

/// The sandbox could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The engine refused the configuration, or the machine lacks what it needs.
    #[error("the engine cannot be configured: {detail}")]
    Engine {
        /// The engine's words.
        detail: String,
    },
    /// A pool of this size cannot be reserved.
    #[error("`max_concurrent_calls` is {got}, allowed are 1 to {max}")]
    Concurrency {
        /// What the options say.
        got: u32,
        /// [`crate::limits::CONCURRENT_CALLS_MAX`].
        max: u32,
    },
    /// The watchdog or the admission thread could not be started.
    #[error("a thread cannot be started: {detail}")]
    Thread {
        /// The operating system's words.
        detail: String,
    },
}

/// The module was not admitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// The module breaks a rule. A property of its bytes: the same everywhere.
    #[error("module refused: `{}`: {}", .0.code, .0.detail)]
    Refused(Refusal),
    /// The compiler failed. It says nothing about the module: another engine may compile it.
    #[error("module not compiled: {detail}")]
    Compile {
        /// The engine's words.
        detail: String,
    },
    /// The process that examined or compiled it was ended. It says nothing about the module: it is not called invalid for it.
    #[error("module not admitted: {detail}")]
    Ended {
        /// `admission_timeout`, `admission_memory` or `admission_crashed`.
        code: &'static str,
        /// What happened, with the bound.
        detail: String,
    },
    /// This machine failed: no thread, no memory, or a panic in the compiler.
    #[error("module not admitted: {detail}")]
    Infrastructure {
        /// What failed.
        detail: String,
    },
}

impl AdmissionError {
    /// Stable snake case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Compile { .. } => "compile_failed",
            Self::Ended { code, .. } => code,
            Self::Infrastructure { .. } => "infrastructure",
        }
    }

    /// Whether a wider profile could admit the module.
    pub fn is_profile_limit(&self) -> bool {
        self.refusal().is_some_and(|refusal| crate::scan::is_bound(refusal.code))
    }

    /// The refusal, when the module's bytes are the reason.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Compile { .. } | Self::Ended { .. } | Self::Infrastructure { .. } => None,
        }
    }
}
