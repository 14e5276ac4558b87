//! Whether a binding's rows allow a request. Decided on the text that is sent: whatever two readers could read in two ways is refused.
use enact_flow::artifact::{HttpGrant, is_reserved, is_token, server_spelling};
use enact_wasm::Fault;
use url::Url;

/// Methods whose requests have no body: what one in them means differs between servers.
const BODYLESS: [&str; 4] = ["DELETE", "GET", "HEAD", "OPTIONS"];
/// Headers that carry credentials: only a row may set them.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "cookie2"];
/// Headers that ask for a part of an answer or for another spelling of it, in which a secret of the row would not be found.
const DISGUISES: [&str; 4] = ["a-im", "accept-charset", "if-range", "range"];

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
    if !url.path().split('/').all(is_plain) || url.path().contains("//") {
        return invalid("its path can be read in two ways");
    }
    Ok(url)
}

/// Whether all readers find the same in a segment of a path.
fn is_plain(segment: &str) -> bool {
    let Some(decoded) = decoded(segment) else { return false };
    // A slash, a backslash, a dot or a percent sign that only some readers would see, and what none should.
    let hidden = ["%2f", "%5c", "%2e", "%25"].iter().any(|hidden| segment.to_ascii_lowercase().contains(hidden));
    // Some servers drop what follows a semicolon, some drop blanks: then it must not be nothing, nor a way up.
    let left = decoded.split(';').next().unwrap_or_default().trim();
    let vanishes = !decoded.is_empty() && left.bytes().all(|byte| byte == b'.');
    !hidden && !vanishes && !decoded.chars().any(char::is_control)
}

/// A segment without its escapes; `None` where an escape is not one, or where they are not UTF-8.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let (digits, after) = after.split_at_checked(2).filter(|(digits, _)| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
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
    let spelled = server_spelling(name);
    let of_row = grant.headers.keys().any(|header| server_spelling(header) == spelled);
    if is_reserved(name) || CREDENTIALS.contains(&spelled.as_str()) || of_row {
        return Err(Fault::Denied(format!("headers: `{name}` is set by the host")));
    }
    if grant.has_secrets() && DISGUISES.contains(&spelled.as_str()) {
        return Err(Fault::Denied(format!("headers: `{name}` is not for a peer that is told a secret")));
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
        for path in ["", "a..b", "%C3%A9/", "a;b=c/", "a%3bb", ".well-known/", "a.b."] {
            assert!(ask("POST", &format!("https://api.example.org/v1/{path}"), &[]).is_ok(), "{path}");
        }
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
            "https://api.example.org/v1/..%3b/",
            "https://api.example.org/v1/..%3Bx=1/admin",
            "https://api.example.org/v1/;/admin",
            "https://api.example.org/v1/..%20/admin",
            "https://api.example.org/v1/%c0%ae%c0%ae/",
            "https://api.example.org/v1/%ff",
            "https://api.example.org/v1/%u002e/",
            "https://api.example.org/v1/.%0d./",
            "https://api.example.org/v1/a%0ab",
            "https://api.example.org/v1/%7f",
            "https://api.example.org/v1/%c2%85",
            "https://api.example.org/v1/%zz",
            "https://api.example.org/v1/%",
            "https://api.example.org/v1/%2",
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
        // What makes another request of it, also as servers spell it that know no hyphen.
        for name in [
            "Accept-Encoding",
            "x-http-method-override",
            "X-HTTP-Method",
            "x-method-override",
            "x-original-url",
            "X-Rewrite-URL",
            "Forwarded",
            "x-forwarded-host",
            "X-Forwarded-Prefix",
            "x_http_method_override",
            "x_key",
            "content_length",
        ] {
            assert!(matches!(ask("POST", url, &[(name, "1")]), Err(Fault::Denied(_))), "{name}");
        }
        assert!(matches!(ask("POST", url, &[("x-a", "1"), ("X-A", "2")]), Err(Fault::Invalid(_))));
    }

    #[test]
    fn b_32_a_peer_that_is_told_a_secret_is_asked_for_no_part_and_no_other_spelling_of_its_answer() {
        let row = json!([{"scheme": "https", "host": "api.example.org", "port": 443, "methods": ["GET"], "path_prefix": "/v1/"}]);
        let bare: Vec<HttpGrant> = serde_json::from_value(row).unwrap();
        for name in ["Range", "if-range", "A-IM", "accept-charset"] {
            let headers = [(name.to_owned(), "1".to_owned())];
            let asked = Asked { method: "GET", url: "https://api.example.org/v1/", headers: &headers, body: b"" };
            assert!(matches!(permit(&grants(), asked), Err(Fault::Denied(_))), "{name}");
            assert!(permit(&bare, asked).is_ok(), "{name}");
        }
    }

    #[test]
    fn b_32_a_request_that_asks_for_a_thing_has_no_body() {
        let asked = Asked { method: "GET", url: "https://api.example.org/v1/", headers: &[], body: b"x" };
        assert!(matches!(permit(&grants(), asked), Err(Fault::Invalid(_))));
    }
}
