//! Who asks a registry. Nothing here is ever printed: `Debug` says only that there is something.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::place::Place;

/// A user and a password, or nobody.
#[derive(Clone)]
pub struct Credentials(pub(crate) Option<(String, String)>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            None => "Credentials(nobody)",
            Some(_) => "Credentials(somebody)",
        })
    }
}

impl Credentials {
    /// Nobody.
    #[must_use]
    pub fn nobody() -> Self {
        Self(None)
    }

    /// A user with a password.
    #[must_use]
    pub fn user(name: String, password: String) -> Self {
        Self(Some((name, password)))
    }

    /// What a configuration file of docker says about the registry of `place`; nobody, where it says nothing. Helpers are not started: they
    /// are programs.
    ///
    /// # Errors
    /// [`Error::Credentials`].
    pub fn docker(config: &[u8], place: &Place) -> Result<Self> {
        let wrong = |detail: &str| Error::Credentials { detail: detail.to_owned() };
        let config: Value = serde_json::from_slice(config).map_err(|_| wrong("the configuration of docker is not valid JSON"))?;
        let Some(entry) = config.get("auths").and_then(|auths| auths.get(place.registry())) else { return Ok(Self::nobody()) };
        let Some(auth) = entry.get("auth").and_then(Value::as_str).filter(|auth| !auth.is_empty()) else {
            return Err(wrong("the configuration of docker has no password for this registry itself, only a helper may know it"));
        };
        let decoded = STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (name, password) =
            decoded.as_deref().and_then(|text| text.split_once(':')).ok_or_else(|| wrong("`auth` is not `user:password` in base64"))?;
        Ok(Self::user(name.to_owned(), password.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn docker(config: &str) -> Result<Credentials> {
        Credentials::docker(config.as_bytes(), &Place::parse("registry.example/shout:v1").unwrap())
    }

    #[test]
    fn b_32_credentials_of_docker_are_those_of_this_registry_and_are_not_shown() {
        let known = docker(r#"{"auths": {"registry.example": {"auth": "YWRhOnNlY3JldDp4"}}}"#).unwrap();
        assert_eq!(known.0, Some(("ada".to_owned(), "secret:x".to_owned())));
        assert!(!format!("{known:?}").contains("secret"));
        assert_eq!(docker(r#"{"auths": {"other.example": {"auth": "YWRhOnNlY3JldDp4"}}}"#).unwrap().0, None);
        for config in ["", "[", r#"{"auths": {"registry.example": {}}}"#, r#"{"auths": {"registry.example": {"auth": "?"}}}"#] {
            let error = docker(config).unwrap_err();
            assert_eq!(error.code(), "registry_credentials", "{config}");
        }
    }
}
