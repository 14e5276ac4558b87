//! Letters on their way: as mail is written down, into a folder or to a relay. It knows nothing of runs, ledgers and grants.
//!
//! What is sent is decided elsewhere. Here is decided what is known afterwards: that a letter arrived, that it did not, or neither.
#![warn(missing_docs)]

mod letter;
mod maildir;
mod relay;

pub use letter::Letter;
pub use maildir::Maildir;
pub use relay::Relay;

/// Why a letter was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It did not arrive, and may be sent again.
    #[error("{0}")]
    Refused(String),
    /// Whether it arrived is not known.
    #[error("{0}")]
    Unknown(String),
}

/// Why there is no way to send letters.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// The address of a relay is none. It may hold a password, so it is not shown.
    #[error("the address of the relay is not `smtps://[USER:PASSWORD@]HOST[:PORT]` or `smtp://…`")]
    Address,
    /// TLS cannot be used here.
    #[error("no TLS: {0}")]
    Tls(String),
}

impl NoWay {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address => "relay_address",
            Self::Tls(_) => "relay_tls",
        }
    }

    /// What one can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Address => {
                "set ENACT_SMTP_URL, or put the address into `keys/secrets/SMTP_URL`; what is special in a password is written `%XX`"
            }
            Self::Tls(_) => "name the relay as its certificate does",
        }
    }
}
