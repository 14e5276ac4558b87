//! What a binding's row lets a side effect reach outside its run: peers by HTTP, folders of files, other workflows, people. Closed
//! lists; what they do not name is denied.

use super::capability::is_false;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Methods that a row may list. `CONNECT` and `TRACE` are not requests about a resource.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// Headers that frame a message or name its peer: nobody sets them.
pub const FRAMING: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];
/// Rows of one interface for one capability: they are searched one after the other at each request, so there are never many.
pub const GRANT_ROWS_MAX: usize = 64;
/// Longest time for one request, in milliseconds. The wall clock of the whole call is shorter by default.
const TIMEOUT_MS_MAX: u32 = 60_000;

/// One peer, and what may be asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGrant {
    /// `http` or `https`.
    pub scheme: String,
    /// A host name in lower case, or an address.
    pub host: String,
    /// Always stated.
    pub port: u16,
    /// In capitals.
    pub methods: BTreeSet<String>,
    /// Whole segments: `/v1` allows `/v1` and what is below it.
    pub path_prefix: String,
    /// Whether the peer may have an address that is not public: loopback, private, link-local.
    #[serde(default, skip_serializing_if = "is_false")]
    pub private: bool,
    /// For one request, name resolution included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// Headers that the host adds; values may hold `{{secret:NAME}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// One folder, and what may be done in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileGrant {
    /// The first segment of a path, as modules write it.
    pub name: String,
    /// The folder: below the workspace, or absolute. With `{{parameter}}`.
    pub path: String,
    /// What may be done.
    pub mode: FileMode,
}

/// What may be done in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileMode {
    /// Read files and list folders.
    Read,
    /// That, and write files whole.
    Write,
}

/// One workflow that may be asked for. It runs later, in a run of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowGrant {
    /// The `WF_`.
    pub workflow: String,
    /// The `RB_` that it runs under; the workflow's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
}

/// To whom messages may go, and from whom they come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboxGrant {
    /// Addresses in lower case, or `*@DOMAIN` for all of one domain.
    pub to: BTreeSet<String>,
    /// The address that they come from.
    pub from: String,
}

impl OutboxGrant {
    /// What is wrong with it, if anything.
    ///
    /// # Errors
    /// In a few words.
    pub fn check(&self) -> Result<(), String> {
        if self.to.is_empty() {
            return Err("nobody may be written to".into());
        }
        let wrong = self.to.iter().find(|to| !is_address(to.strip_prefix("*@").map_or(to, |domain| domain), to.starts_with("*@")));
        match wrong {
            Some(to) => Err(format!("`{to}` is neither an address in lower case nor `*@DOMAIN`")),
            None if !is_address(&self.from, false) => Err(format!("`{}` is no address in lower case", self.from)),
            None => Ok(()),
        }
    }

    /// Whether an address, in lower case, may be written to.
    #[must_use]
    pub fn covers(&self, address: &str) -> bool {
        let all = address.rsplit_once('@').map(|(_, domain)| format!("*@{domain}"));
        self.to.contains(address) || all.is_some_and(|all| self.to.contains(&all))
    }
}

/// Whether a text is an address as all mail programs agree on it: in lower case, without quotes, comments, display name and literal.
#[must_use]
pub fn is_plain_address(text: &str) -> bool {
    is_address(text, false)
}

/// A plain address, or only its domain; without quotes, comments and display names.
fn is_address(text: &str, domain_only: bool) -> bool {
    let (local, domain) = if domain_only { ("x", text) } else { text.rsplit_once('@').unwrap_or(("", text)) };
    let dotted = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let plain = |b: u8| lower(b) || matches!(b, b'.' | b'_' | b'-' | b'+');
    let fits = dotted(local) && local.len() <= 64 && local.bytes().all(plain);
    fits && dotted(domain) && text.len() <= 254 && domain.bytes().all(|b| lower(b) || matches!(b, b'.' | b'-'))
}

impl HttpGrant {
    /// What is wrong with it, if anything.
    ///
    /// # Errors
    /// In a few words.
    pub fn check(&self) -> Result<(), String> {
        if !matches!(self.scheme.as_str(), "http" | "https") {
            return Err(format!("scheme `{}` is neither `http` nor `https`", self.scheme));
        }
        let bracketed = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
        let fits = match bracketed {
            Some(address) => !address.is_empty() && address.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b':')),
            None => !self.host.is_empty() && self.host.len() <= 253 && self.host.bytes().all(named),
        };
        if !fits {
            return Err(format!("`{}` is no host name in lower case and no address", self.host));
        }
        if self.port == 0 {
            return Err("port 0 is no port".into());
        }
        if let Some(method) = self.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return Err(format!("method `{method}` cannot be granted"));
        }
        if self.methods.is_empty() {
            return Err("no method is granted".into());
        }
        let plain =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'?' | b'#' | b'\\' | b'"' | b'<' | b'>' | b'`' | b'{' | b'}');
        let dots = self.path_prefix.split('/').any(|segment| matches!(segment, "." | ".."));
        if !self.path_prefix.starts_with('/') || self.path_prefix.contains("//") || dots || !self.path_prefix.bytes().all(plain) {
            return Err(format!("path prefix `{}` is not a plain absolute path", self.path_prefix));
        }
        if self.timeout_ms.is_some_and(|ms| ms == 0 || ms > TIMEOUT_MS_MAX) {
            return Err(format!("a timeout is between 1 and {TIMEOUT_MS_MAX} ms"));
        }
        self.headers.iter().try_for_each(|(name, value)| header(name, value))
    }

    /// Whether a path, without its query, is in the part that is granted.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(self.path_prefix.as_str()) else { return false };
        rest.is_empty() || rest.starts_with('/') || self.path_prefix.ends_with('/')
    }
}

/// Whether a byte may be part of the name of a header (RFC 9110, `tchar`).
#[must_use]
pub const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

fn header(name: &str, value: &str) -> Result<(), String> {
    if name.is_empty() || !name.bytes().all(|byte| is_token(byte) && !byte.is_ascii_uppercase()) {
        return Err(format!("`{name}` is no name of a header in lower case"));
    }
    if FRAMING.contains(&name) {
        return Err(format!("the host sets `{name}` itself"));
    }
    if !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) || value.trim() != value {
        return Err(format!("the value of `{name}` is not plain text"));
    }
    let mut rest = value;
    while let Some((_, after)) = rest.split_once("{{") {
        let name = after.split_once("}}").and_then(|(inside, after)| Some((inside.strip_prefix("secret:")?, after)));
        match name {
            Some((name, after)) if is_secret_name(name) => rest = after,
            _ => return Err(format!("`{value}` has `{{{{` that is not `{{{{secret:NAME}}}}`")),
        }
    }
    Ok(())
}

/// Whether a text can name a secret: it is the name of a file.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.len() <= 64 && name.bytes().all(fits)
}

impl FileGrant {
    /// What is wrong with it, if anything.
    ///
    /// # Errors
    /// In a few words.
    pub fn check(&self) -> Result<(), String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(fits) {
            return Err(format!("`{}` cannot name a folder", self.name));
        }
        if self.path.is_empty() || self.path.split('/').any(|segment| segment == "..") {
            return Err(format!("`{}` is no path of a folder", self.path));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use serde_json::{Value, json};

    fn grant(change: Value) -> HttpGrant {
        let mut all = json!({"scheme": "https", "host": "api.example.org", "port": 443, "methods": ["POST"], "path_prefix": "/v1/"});
        if let (Value::Object(all), Value::Object(change)) = (&mut all, change) {
            all.extend(change);
        }
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn b_32_a_prefix_covers_whole_segments_only() {
        assert!(grant(json!({})).covers("/v1/x") && grant(json!({})).covers("/v1/"));
        assert!(!grant(json!({})).covers("/v1") && !grant(json!({})).covers("/v10/x"));
        let bare = grant(json!({"path_prefix": "/v1"}));
        assert!(bare.covers("/v1") && bare.covers("/v1/x") && !bare.covers("/v10"));
    }

    #[test]
    fn b_32_a_row_that_is_not_exact_is_refused() {
        assert_eq!(grant(json!({})).check(), Ok(()));
        assert_eq!(grant(json!({"headers": {"authorization": "Bearer {{secret:TOKEN}}"}})).check(), Ok(()));
        assert_eq!(grant(json!({"host": "[::1]"})).check(), Ok(()));
        for change in [
            json!({"scheme": "ftp"}),
            json!({"host": "API.example.org"}),
            json!({"host": "a@b"}),
            json!({"host": "*"}),
            json!({"host": ""}),
            json!({"port": 0}),
            json!({"methods": ["CONNECT"]}),
            json!({"methods": []}),
            json!({"path_prefix": "v1"}),
            json!({"path_prefix": "/a/../b"}),
            json!({"path_prefix": "/a%2f"}),
            json!({"timeout_ms": 0}),
            json!({"headers": {"Authorization": "x"}}),
            json!({"headers": {"host": "x"}}),
            json!({"headers": {"x-a": "a\r\nb: c"}}),
            json!({"headers": {"x-a": "{{secret:../ledger}}"}}),
            json!({"headers": {"x-a": "{{parameter}}"}}),
        ] {
            assert!(grant(change.clone()).check().is_err(), "{change}");
        }
    }
}
