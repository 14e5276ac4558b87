//! Whether a binding's rows allow a request. Decided on the text that is sent: whatever two readers could read in two ways is refused.
use enact_flow::artifact::{FRAMING, HttpGrant, is_token};
use enact_wasm::Fault;
use url::Url;

/// Methods whose requests have no body: what one in them means differs between servers.
const BODYLESS: [&str; 4] = ["DELETE", "GET", "HEAD", "OPTIONS"];
/// Headers that carry credentials: only a row may set them.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "cookie2"];

/// A request as the guest asked for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: &'a [u8],
}

/// Where an allowed request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permitted<'g> {
    pub(super) grant: &'g HttpGrant,
    /// Method, scheme, host, port and path, for people.
    pub(super) target: String,
}

/// The row that allows a request.
///
/// # Errors
/// [`Fault::Invalid`] for what is malformed or ambiguous, [`Fault::Denied`] for what no row names.
pub(super) fn permit<'g>(grants: &'g [HttpGrant], asked: Asked<'_>) -> Result<Permitted<'g>, Fault> {
    let url = plain_url(asked.url)?;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let fits = |grant: &&HttpGrant| {
        let peer = grant.scheme == url.scheme() && grant.host == host && grant.port == port;
        peer && grant.methods.contains(asked.method) && grant.covers(url.path())
    };
    let Some(grant) = grants.iter().find(fits) else {
        return Err(Fault::Denied(format!("http: no row allows {} {}://{host}:{port} with this path", asked.method, url.scheme())));
    };
    if BODYLESS.contains(&asked.method) && !asked.body.is_empty() {
        return Err(Fault::Invalid(format!("a `{}` request has no body", asked.method)));
    }
    for (nth, (name, value)) in asked.headers.iter().enumerate() {
        let twice = asked.headers.iter().take(nth).any(|(earlier, _)| earlier.eq_ignore_ascii_case(name));
        header(grant, name, value, twice)?;
    }
    Ok(Permitted { grant, target: format!("{} {}://{host}:{port}{}", asked.method, url.scheme(), url.path()) })
}

/// A URL in its one spelling.
fn plain_url(text: &str) -> Result<Url, Fault> {
    let invalid = |why: &str| Err(Fault::Invalid(format!("url: {why}")));
    let Ok(url) = Url::parse(text) else { return invalid("it is no absolute URL") };
    // Upper-case hosts, default ports, dot segments (also encoded ones), backslashes, numbers that stand for an address, and characters
    // that would be encoded all have another spelling.
    if url.as_str() != text {
        return invalid("it is not in its one spelling");
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return invalid("it names no peer by `http` or `https`");
    }
    if !url.username().is_empty() || url.password().is_some() || text.contains('#') {
        return invalid("it has credentials or a fragment");
    }
    let path = url.path();
    let lower = path.to_ascii_lowercase();
    // A slash, a backslash, a dot, a percent sign or a NUL that only some readers would see.
    if ["%2f", "%5c", "%2e", "%25", "%00"].iter().any(|hidden| lower.contains(hidden)) || path.contains("//") {
        return invalid("its path can be read in two ways");
    }
    // Some servers drop what follows a semicolon.
    let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if path.split('/').any(dots) {
        return invalid("its path can be read in two ways");
    }
    Ok(url)
}

fn header(grant: &HttpGrant, name: &str, value: &str, twice: bool) -> Result<(), Fault> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(Fault::Invalid("headers: a name is not one".to_owned()));
    }
    let plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if !value.bytes().all(plain) || value.trim() != value {
        return Err(Fault::Invalid(format!("headers: the value of `{name}` is not plain text")));
    }
    if twice {
        return Err(Fault::Invalid(format!("headers: `{name}` is there twice")));
    }
    let lower = name.to_ascii_lowercase();
    if FRAMING.contains(&lower.as_str()) || CREDENTIALS.contains(&lower.as_str()) || grant.headers.contains_key(&lower) {
        return Err(Fault::Denied(format!("headers: `{name}` is set by the host")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use serde_json::json;

    fn grants() -> Vec<HttpGrant> {
        let row = json!([{"scheme": "https", "host": "api.example.org", "port": 443, "methods": ["POST", "GET"], "path_prefix": "/v1/",
            "headers": {"x-key": "{{secret:KEY}}"}}]);
        serde_json::from_value(row).unwrap()
    }

    fn ask(method: &str, url: &str, headers: &[(&str, &str)]) -> Result<String, Fault> {
        let headers: Vec<(String, String)> = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        permit(&grants(), Asked { method, url, headers: &headers, body: b"" }).map(|permitted| permitted.target)
    }

    #[test]
    fn b_32_what_the_row_names_is_allowed() {
        let target = ask("POST", "https://api.example.org/v1/a%20b?q=..%2f", &[("Content-Type", "text/plain"), ("x-b", "1 2")]);
        assert_eq!(target, Ok("POST https://api.example.org:443/v1/a%20b".to_owned()));
    }

    #[test]
    fn b_32_what_no_row_names_is_denied() {
        for (method, url) in [
            ("PUT", "https://api.example.org/v1/"),
            ("post", "https://api.example.org/v1/"),
            ("POST", "http://api.example.org/v1/"),
            ("POST", "https://api.example.org:8443/v1/"),
            ("POST", "https://api.example.org./v1/"),
            ("POST", "https://a.api.example.org/v1/"),
            ("POST", "https://api.example.org.evil.net/v1/"),
            ("POST", "https://api.example.org/v1"),
            ("POST", "https://api.example.org/v10/"),
            ("POST", "https://api.example.org/V1/"),
        ] {
            assert!(matches!(ask(method, url, &[]), Err(Fault::Denied(_))), "{method} {url}");
        }
    }

    #[test]
    fn b_32_what_can_be_read_in_two_ways_is_invalid() {
        for url in [
            "https://api.example.org/v1/../admin",
            "https://api.example.org/v1/%2e%2e/admin",
            "https://api.example.org/v1/.%2E/admin",
            "https://api.example.org/v1/..%2fadmin",
            "https://api.example.org/v1/..%5cadmin",
            "https://api.example.org/v1/..\\admin",
            "https://api.example.org/v1/%252e%252e/admin",
            "https://api.example.org/v1/..;/admin",
            "https://api.example.org/v1//admin",
            "https://api.example.org/v1/a%00b",
            "https://API.example.org/v1/",
            "https://api.example.org:443/v1/",
            "https://user@api.example.org/v1/",
            "https://api.example.org@evil.net/v1/",
            "https://api.example.org/v1/#x",
            "https://api.example.org/v1/#",
            "https:api.example.org/v1/",
            " https://api.example.org/v1/",
            "https://api.example.org/v1/\r\nHost: evil",
            "https://api.example.org/v1/a b",
            "//api.example.org/v1/",
            "/v1/",
            "file:///v1/",
            "http://0x7f.1/",
            "",
        ] {
            assert!(matches!(ask("POST", url, &[]), Err(Fault::Invalid(_))), "{url:?} {:?}", ask("POST", url, &[]));
        }
    }

    #[test]
    fn b_32_headers_neither_inject_nor_impersonate() {
        let url = "https://api.example.org/v1/";
        for (name, value) in
            [("x-a", "1\r\nhost: evil"), ("x-a", "1\n"), ("x a", "1"), ("", "1"), ("x-a:", "1"), ("x-a", " 1"), ("x-a", "é"), ("x-a", "\0")]
        {
            assert!(matches!(ask("POST", url, &[(name, value)]), Err(Fault::Invalid(_))), "{name:?} {value:?}");
        }
        for name in
            ["Host", "content-length", "Transfer-Encoding", "connection", "AUTHORIZATION", "cookie", "Idempotency-Key", "x-key", "X-KEY"]
        {
            assert!(matches!(ask("POST", url, &[(name, "1")]), Err(Fault::Denied(_))), "{name}");
        }
        assert!(matches!(ask("POST", url, &[("x-a", "1"), ("X-A", "2")]), Err(Fault::Invalid(_))));
    }

    #[test]
    fn b_32_a_request_that_asks_for_a_thing_has_no_body() {
        let asked = Asked { method: "GET", url: "https://api.example.org/v1/", headers: &[], body: b"x" };
        assert!(matches!(permit(&grants(), asked), Err(Fault::Invalid(_))));
    }
}
