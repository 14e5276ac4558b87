//! What a binding's row lets a side effect reach outside its run: peers by HTTP, folders of files, other workflows, people. Closed
//! lists; what they do not name is denied.

use super::capability::is_false;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use core::net::{Ipv4Addr, Ipv6Addr};
use serde::{Deserialize, Serialize};

/// Methods that a row may list. `CONNECT` and `TRACE` are not requests about a resource.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// Headers that frame a message, name its peer, or make it another request for servers that heed them: nobody sets them.
const RESERVED: [&str; 26] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "forwarded",
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
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
/// How a family of such headers begins.
const RESERVED_PREFIX: &str = "x-forwarded-";
/// Folders of a workspace that no row leads to, neither by its name nor by where it really is: keys, the ledger, and what decides what runs.
pub const OWN_FOLDERS: [&str; 5] = ["cache", "keys", "ledger", "modules", "protocol"];
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
            Some(address) => address.parse().is_ok_and(|parsed| spelled_v6(parsed) == address),
            None => self.host.len() <= 253 && self.host.bytes().all(named) && is_host(&self.host),
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

    /// Whether its headers hold a secret.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        self.headers.values().any(|value| value.contains("{{secret:"))
    }

    /// Whether a path, without its query, is in the part that is granted.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(self.path_prefix.as_str()) else { return false };
        rest.is_empty() || rest.starts_with('/') || self.path_prefix.ends_with('/')
    }
}

/// Whether readers of URLs write the name of a host as it stands: names without empty parts, and numbers only as an address has them.
fn is_host(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    let last = labels.rsplit('.').next().unwrap_or_default();
    let digits = |text: &str, fits: fn(&u8) -> bool| text.bytes().all(|byte| fits(&byte));
    let number = digits(last, u8::is_ascii_digit) || last.strip_prefix("0x").is_some_and(|hex| digits(hex, u8::is_ascii_hexdigit));
    let address = || host.parse::<Ipv4Addr>().is_ok_and(|address| format!("{address}") == host);
    labels.split('.').all(|label| !label.is_empty()) && (!number || address())
}

/// An address as readers of URLs write it: never with dots in it.
fn spelled_v6(address: Ipv6Addr) -> String {
    match (address.to_ipv4_mapped(), address.segments()) {
        (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
        (None, _) => format!("{address}"),
    }
}

/// The name of a header as servers read it that know neither case nor hyphens.
#[must_use]
pub fn server_spelling(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Whether nobody but the host sets a header of this name.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let name = server_spelling(name);
    RESERVED.contains(&name.as_str()) || name.starts_with(RESERVED_PREFIX)
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
    if is_reserved(name) {
        return Err(format!("`{name}` is not for a row to set"));
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
        if self.path.chars().any(char::is_control) {
            return Err(format!("the path of `{}` has control characters", self.name));
        }
        let first = self.path.split('/').find(|segment| !matches!(*segment, "" | "."));
        let own = !self.path.starts_with('/') && first.is_some_and(|first| OWN_FOLDERS.contains(&first));
        if own || first.is_none() {
            return Err(format!("`{}` holds what the workspace keeps for itself", self.path));
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
        for host in ["[::1]", "[::ffff:7f00:1]", "127.0.0.1", "a_b.example", "0x7f.example", "1.example", "api.example."] {
            assert_eq!(grant(json!({"host": host})).check(), Ok(()), "{host}");
        }
        for change in [
            json!({"scheme": "ftp"}),
            json!({"host": "API.example.org"}),
            json!({"host": "a@b"}),
            json!({"host": "*"}),
            json!({"host": ""}),
            json!({"host": "."}),
            json!({"host": "a..b"}),
            json!({"host": ".a"}),
            json!({"host": "2130706433"}),
            json!({"host": "127.1"}),
            json!({"host": "127.0.0.01"}),
            json!({"host": "127.0.0.1."}),
            json!({"host": "0x7f.1"}),
            json!({"host": "a.0x"}),
            json!({"host": "1.2.3.4.5"}),
            json!({"host": "[:::::]"}),
            json!({"host": "[]"}),
            json!({"host": "[::0:1]"}),
            json!({"host": "[::ffff:127.0.0.1]"}),
            json!({"port": 0}),
            json!({"methods": ["CONNECT"]}),
            json!({"methods": []}),
            json!({"path_prefix": "v1"}),
            json!({"path_prefix": "/a/../b"}),
            json!({"path_prefix": "/a%2f"}),
            json!({"timeout_ms": 0}),
            json!({"headers": {"Authorization": "x"}}),
            json!({"headers": {"host": "x"}}),
            json!({"headers": {"accept-encoding": "gzip"}}),
            json!({"headers": {"x_forwarded_for": "x"}}),
            json!({"headers": {"x-a": "a\r\nb: c"}}),
            json!({"headers": {"x-a": "{{secret:../ledger}}"}}),
            json!({"headers": {"x-a": "{{parameter}}"}}),
        ] {
            assert!(grant(change.clone()).check().is_err(), "{change}");
        }
    }

    #[test]
    fn b_32_a_folder_that_the_workspace_keeps_for_itself_is_no_row() {
        let check = |path: &str| FileGrant { name: "a".into(), path: path.into(), mode: FileMode::Read }.check();
        for path in ["data", "data/keys", "./data", "/srv/keys", "{{where}}/in", "keys2", "a:b"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        for path in ["", "/", ".", "./", "//", "..", "a/../b", "keys", "./keys", "ledger/x", "modules/", "protocol", "cache", "a\u{1b}"] {
            assert!(check(path).is_err(), "{path:?}");
        }
    }
}
