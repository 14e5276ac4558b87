//! Where an artifact is: host, repository, and a tag or a digest.
use std::net::IpAddr;

use oci_client::Reference;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// A checked reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub(crate) reference: Reference,
    text: String,
}

impl Place {
    /// Reads `HOST[:PORT]/NAME:TAG` or `HOST[:PORT]/NAME@sha256:DIGEST`. The host is always named: nobody's registry is the default one.
    ///
    /// # Errors
    /// [`Error::Reference`].
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |detail: String| Error::Reference { reference: text.to_owned(), detail };
        let host = text.split_once('/').map(|(host, _)| host).unwrap_or_default();
        if !(host.contains(['.', ':']) || host == "localhost") {
            return Err(wrong("it begins with no host".to_owned()));
        }
        let reference: Reference = text.parse().map_err(|e| wrong(format!("{e}")))?;
        let named = text.strip_prefix(host).is_some_and(|rest| rest.contains([':', '@']));
        if !named {
            return Err(wrong("a tag or a digest is missing".to_owned()));
        }
        if reference.digest().is_some_and(|digest| !is_sha256(digest)) {
            return Err(wrong("only SHA-256, in lower case, pins an artifact".to_owned()));
        }
        Ok(Self { reference, text: text.to_owned() })
    }

    /// Host and port.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.reference.resolve_registry()
    }

    /// The last part of the repository: what the module is usually called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.reference.repository().rsplit('/').next().unwrap_or_default()
    }

    /// The digest of the artifact, when it is pinned by one.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.reference.digest()
    }

    /// As it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same repository, pinned.
    #[must_use]
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}/{}@{digest}", self.reference.registry(), self.reference.repository())
    }

    /// Whether the host is this machine by its literal name or address. What a resolver says counts for nothing.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let registry = self.registry();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        is_this_machine(host)
    }
}

/// Whether a host is this machine by its literal name or address.
pub(crate) fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a text is a digest as this program writes them. Others are no part of an address that is asked.
pub(crate) fn is_sha256(text: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64 && rest.bytes().all(hex))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn b_32_a_reference_names_host_and_version() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for text in ["localhost:5000/a/shout:1.0", "registry.example/shout:v1", &format!("127.0.0.1:5000/shout@{digest}")] {
            assert_eq!(Place::parse(text).unwrap().name(), "shout", "{text}");
        }
        for text in
            ["", "shout", "shout:v1", "team/shout:v1", "registry.example/shout", "registry.example/SHOUT:v1", "localhost:5000/shout"]
        {
            assert_eq!(Place::parse(text).unwrap_err().code(), "registry_reference", "{text}");
        }
        for digest in [&format!("sha256:{}", "A".repeat(64)), &format!("sha256:{}", "a".repeat(63)), &format!("sha512:{}", "a".repeat(128))]
        {
            assert_eq!(Place::parse(&format!("registry.example/a@{digest}")).unwrap_err().code(), "registry_reference", "{digest}");
        }
        assert_eq!(Place::parse(&format!("registry.example/a@{digest}")).unwrap().digest(), Some(digest.as_str()));
    }

    #[test]
    fn b_32_only_this_machine_is_this_machine() {
        for (host, this) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.8.9.1:80", true),
            ("localhost.example:5000", false),
            ("127.0.0.1.example:5000", false),
            ("10.0.0.1:5000", false),
            ("registry.example", false),
        ] {
            assert_eq!(Place::parse(&format!("{host}/shout:v1")).unwrap().is_loopback(), this, "{host}");
        }
    }
}
