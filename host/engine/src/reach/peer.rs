//! Sends one request to one peer: no redirect, no proxy, no connection that is kept, one name resolution whose addresses are all checked
//! and of which one is connected to, one bound on time and one on size.
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use enact_wasm::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, HEADERS_MAX};
use enact_wasm::{Fault, HttpResponse};
use ureq::config::Config;
use ureq::http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, Error};

use super::address::{is_one_machine, is_public};

/// A request that was allowed, with everything that the host adds.
pub(super) struct Outgoing<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) body: &'a [u8],
    /// Whether the row allows an address that is not public.
    pub(super) private: bool,
    pub(super) timeout: Duration,
}

/// Resolves by another resolver and refuses what the row does not allow. Whatever it answers is what is connected to.
#[derive(Debug)]
struct Checked {
    names: Arc<dyn Resolver>,
    private: bool,
}

/// A name that stands for an address which is not allowed.
#[derive(Debug, thiserror::Error)]
#[error("the address {0} is not allowed")]
struct Forbidden(IpAddr);

impl Resolver for Checked {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        // All of them: a name that also stands for a forbidden address is not one to be trusted.
        for address in &*found {
            let ip = address.ip();
            if !is_one_machine(ip) || !(self.private || is_public(ip)) {
                return Err(Error::Other(Box::new(Forbidden(ip))));
            }
        }
        Ok(found)
    }
}

/// What became of a request.
pub(super) struct Sent {
    /// [`Fault::Denied`] for an address that is not allowed, [`Fault::Limit`] for an answer over its bounds, [`Fault::Unavailable`] for
    /// everything that the peer or the network did not do. No text of the peer or of the request is in it.
    pub(super) answer: Result<HttpResponse, Fault>,
    /// Whether the peer has answered with a status below 400, whatever became of the rest of its answer.
    pub(super) done: bool,
}

impl Sent {
    fn not(fault: Fault) -> Self {
        Self { answer: Err(fault), done: false }
    }
}

/// Sends, and answers what came back.
pub(super) fn send(names: &Arc<dyn Resolver>, outgoing: &Outgoing<'_>) -> Sent {
    let config = Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .user_agent("enact")
        // Its own bound comes after, and says more.
        .max_response_header_size(HEADER_BYTES_MAX.saturating_mul(2))
        .timeout_global(Some(outgoing.timeout))
        .build();
    let resolver = Checked { names: Arc::clone(names), private: outgoing.private };
    let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
    let response = if outgoing.body.is_empty() && !matches!(outgoing.method, "POST" | "PUT" | "PATCH") {
        request(outgoing, ()).map(|request| agent.run(request))
    } else {
        request(outgoing, outgoing.body).map(|request| agent.run(request))
    };
    match response {
        Ok(Ok(response)) => {
            let done = response.status().as_u16() < 400;
            Sent { answer: read(response, outgoing.timeout), done }
        }
        // The peer has answered, and its status was not read: that may be one which says that it is done.
        Ok(Err(error)) => Sent { answer: Err(fault(&error, outgoing.timeout)), done: matches!(error, Error::LargeResponseHeader(..)) },
        Err(malformed) => Sent::not(malformed),
    }
}

fn request<B>(outgoing: &Outgoing<'_>, body: B) -> Result<Request<B>, Fault> {
    let malformed = || Fault::Invalid("the request cannot be written".to_owned());
    let method = Method::from_bytes(outgoing.method.as_bytes()).map_err(|_| malformed())?;
    let uri = Uri::try_from(outgoing.url).map_err(|_| malformed())?;
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    for (name, value) in &outgoing.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| malformed())?;
        // Some of them are secrets; none is anybody's business.
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

fn read(response: Response<Body>, timeout: Duration) -> Result<HttpResponse, Fault> {
    let (parts, body) = response.into_parts();
    let mut headers = Vec::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        let value = value.to_str().map_err(|_| Fault::Unavailable("a header of the answer is not text".to_owned()))?;
        headers.push((name.as_str().to_owned(), value.to_owned()));
    }
    let bytes = headers.iter().map(|(name, value)| name.len().saturating_add(value.len())).fold(0, usize::saturating_add);
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(headers_over());
    }
    let mut content = Vec::new();
    let most = u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    body.into_reader().take(most).read_to_end(&mut content).map_err(|error| fault(&Error::from(error), timeout))?;
    if content.len() > BODY_BYTES_MAX {
        return Err(Fault::Limit(format!("the answer has more than {BODY_BYTES_MAX} bytes")));
    }
    Ok(HttpResponse { status: parts.status.as_u16(), headers, body: content })
}

fn headers_over() -> Fault {
    Fault::Limit(format!("the headers of the answer are over {HEADERS_MAX} or {HEADER_BYTES_MAX} bytes"))
}

/// What a failure is to the guest: its kind, in words of our own.
fn fault(error: &Error, timeout: Duration) -> Fault {
    let unavailable = |why: &str| Fault::Unavailable(why.to_owned());
    #[expect(clippy::wildcard_enum_match_arm, reason = "the foreign enum is non-exhaustive; the rest is one kind")]
    match error {
        Error::Other(inner) if inner.is::<Forbidden>() => {
            Fault::Denied("http: the name of the peer stands for an address that the row does not allow".to_owned())
        }
        Error::Timeout(_) => Fault::Unavailable(format!("no whole answer within {} ms", timeout.as_millis())),
        Error::LargeResponseHeader(..) => headers_over(),
        Error::HostNotFound => unavailable("the name of the peer is not known"),
        Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            Fault::Unavailable(format!("no whole answer within {} ms", timeout.as_millis()))
        }
        Error::Io(error) => Fault::Unavailable(format!("the connection failed: {}", error.kind())),
        Error::ConnectionFailed => unavailable("the connection failed"),
        Error::Tls(_) | Error::Rustls(_) => unavailable("the peer could not be authenticated"),
        _ => unavailable("the answer is not one"),
    }
}
