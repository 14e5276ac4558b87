//! Why a module did not get to a registry, or from it.

/// What can go wrong between a workspace and a registry. No text holds a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The reference names no artifact.
    #[error("`{reference}` names no artifact of a registry: {detail}")]
    Reference {
        /// As it was given.
        reference: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Without TLS only this machine is talked to.
    #[error("`{registry}` is not this machine, and only this machine is talked to without TLS")]
    PlainHttp {
        /// Host and port.
        registry: String,
    },
    /// The registry sends on to somebody who would be talked to without TLS.
    #[error("the registry `{registry}` sends on to `{to}`, which is not talked to without TLS")]
    Elsewhere {
        /// Host and port.
        registry: String,
        /// To whom.
        to: String,
    },
    /// The file with credentials cannot be read.
    #[error("the credentials cannot be read: {detail}")]
    Credentials {
        /// Where, and what is wrong; never what they are.
        detail: String,
    },
    /// Nobody answers there, or not in time.
    #[error("the registry `{registry}` cannot be reached: {detail}")]
    Unreachable {
        /// Host and port.
        registry: String,
        /// The client's words.
        detail: String,
    },
    /// It answers, but so slowly that no end is to be seen.
    #[error("the registry `{registry}` is too slow: {bytes} of at most {bytes_max} bytes came within {seconds} s")]
    Slow {
        /// Host and port.
        registry: String,
        /// How many bytes of one answer came.
        bytes: u64,
        /// How many it may have.
        bytes_max: u64,
        /// How long that took.
        seconds: u64,
    },
    /// The registry wants other credentials.
    #[error("the registry `{registry}` refuses access")]
    Denied {
        /// Host and port.
        registry: String,
    },
    /// No such repository, tag or digest.
    #[error("`{reference}` is not there")]
    NotFound {
        /// As it was given.
        reference: String,
    },
    /// The artifact is something else.
    #[error("the artifact is no module: {detail}")]
    NotAModule {
        /// What it is.
        detail: String,
    },
    /// The artifact, or a part of it, is over a bound.
    #[error("{what}: {bytes} of {bytes_max} bytes")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// How large it is, or how much of it came.
        bytes: u64,
        /// How large it may be.
        bytes_max: u64,
    },
    /// What came is not what was named.
    #[error("what came is not what was asked for: {detail}")]
    Digest {
        /// What was expected and what came.
        detail: String,
    },
    /// The registry answered, but not with what was asked for.
    #[error("the registry `{registry}` failed: {detail}")]
    Failed {
        /// Host and port.
        registry: String,
        /// The client's words.
        detail: String,
    },
}

/// What a failure means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gravity {
    /// The question was wrong, or cannot be answered now.
    Caller,
    /// A rule says no.
    Refused,
    /// Bytes are not the ones that they are said to be.
    Integrity,
}

/// What this crate answers.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Stable snake case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reference { .. } => "registry_reference",
            Self::PlainHttp { .. } => "registry_plain_http",
            Self::Elsewhere { .. } => "registry_elsewhere",
            Self::Credentials { .. } => "registry_credentials",
            Self::Unreachable { .. } => "registry_unreachable",
            Self::Slow { .. } => "registry_slow",
            Self::Denied { .. } => "registry_denied",
            Self::NotFound { .. } => "registry_not_found",
            Self::NotAModule { .. } => "registry_not_a_module",
            Self::TooLarge { .. } => "registry_too_large",
            Self::Digest { .. } => "registry_digest",
            Self::Failed { .. } => "registry_failed",
        }
    }

    /// What one can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Reference { .. } => "write HOST[:PORT]/NAME:TAG, or HOST[:PORT]/NAME@sha256:DIGEST",
            Self::PlainHttp { .. } => "leave out --plain-http: every registry but one on this machine is talked to with TLS",
            Self::Elsewhere { .. } => "ask who runs the registry: tokens, uploads and blobs that are elsewhere have to be there with TLS",
            Self::Credentials { .. } => "name a configuration file of docker with an entry for the registry, or set both variables",
            Self::Unreachable { .. } => "check host and port; a registry on this machine without TLS needs --plain-http",
            Self::Slow { .. } => "try again later or over another line, or have it as a file: `enact module export`, `enact module import`",
            Self::Denied { .. } => "set ENACT_REGISTRY_USER and ENACT_REGISTRY_PASSWORD, or name --docker-config FILE",
            Self::NotFound { .. } => "check repository, tag and digest; `enact module push` says what it made",
            Self::NotAModule { .. } => "only artifacts with one `application/wasm` layer are pulled; `enact module push` makes them",
            Self::TooLarge { .. } => "hand it over as a file instead: `enact module export`, `enact module import`",
            Self::Digest { .. } => "do not use it; ask who published it for the right digest",
            Self::Failed { .. } => "try again later, or ask who runs the registry",
        }
    }

    /// What it means for whoever asked.
    #[must_use]
    pub fn gravity(&self) -> Gravity {
        match self {
            Self::Reference { .. }
            | Self::Credentials { .. }
            | Self::Unreachable { .. }
            | Self::Slow { .. }
            | Self::NotFound { .. }
            | Self::Failed { .. } => Gravity::Caller,
            Self::PlainHttp { .. } | Self::Elsewhere { .. } | Self::Denied { .. } | Self::NotAModule { .. } | Self::TooLarge { .. } => {
                Gravity::Refused
            }
            Self::Digest { .. } => Gravity::Integrity,
        }
    }
}
