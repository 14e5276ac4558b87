//! What is said to a registry, and to nobody else in its place.
//!
//! A registry may send on: to a token service, to where it takes uploads, to where it keeps blobs. Whoever it names is talked to with TLS or
//! not at all; without TLS only this machine is. Credentials go to the registry's own origin and, for a token, to the realm that it names. Every
//! answer has a bound.
use std::time::{Duration, Instant};

use reqwest::header::{LOCATION, WWW_AUTHENTICATE};
use reqwest::{Body, Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

use crate::artifact::bound;
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::place::{Place, is_this_machine};

/// How long a registry may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a registry may say nothing; and how long something may take as a whole: that, and as long as its bytes take at the slowest pace, those of
/// the request until the head of the answer, those that the answer may have afterwards.
const PACE: Pace = Pace { silence: Duration::from_secs(60), bytes_a_second: 16 << 10 };
/// Bytes of a token, and of the text of an error.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How often a blob may be somewhere else.
const REDIRECTS_MAX: usize = 5;

/// What of a repository is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wish {
    Pull,
    Push,
}

/// How slowly somebody may talk who always says something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) silence: Duration,
    pub(crate) bytes_a_second: u64,
}

impl Default for Pace {
    fn default() -> Self {
        PACE
    }
}

impl Pace {
    /// The time for at most so many bytes.
    fn for_all_of(self, bytes_max: u64) -> Duration {
        self.silence.saturating_add(Duration::from_secs(bytes_max / self.bytes_a_second.max(1)))
    }
}

/// By what a registry knows who asks.
enum Proof {
    Nothing,
    Password(String, String),
    Token(String),
}

/// A conversation about one repository.
pub(crate) struct Line<'a> {
    place: &'a Place,
    client: &'a Client,
    /// The repository, with a slash at its end.
    base: Url,
    plain_http: bool,
    pace: Pace,
    proof: Proof,
}

/// With whom there are conversations.
#[derive(Clone, Copy)]
pub(crate) struct Partner<'a> {
    pub(crate) client: &'a Client,
    pub(crate) place: &'a Place,
    pub(crate) plain_http: bool,
    pub(crate) pace: Pace,
}

/// A client for conversations. It follows nothing by itself.
pub(crate) fn client(plain_http: bool) -> reqwest::Result<Client> {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).user_agent(concat!("enact/", env!("CARGO_PKG_VERSION")));
    let client = client.connect_timeout(CONNECT);
    // A proxy would read what has no TLS, and is not this machine.
    if plain_http { client.no_proxy().build() } else { client.build() }
}

impl<'a> Line<'a> {
    /// Asks the registry how it wants to know who asks, and gets a token where it wants one.
    pub(crate) async fn open(partner: Partner<'a>, who: &Credentials, wish: Wish) -> Result<Self> {
        let Partner { client, place, plain_http, pace } = partner;
        let scheme = if plain_http { "http" } else { "https" };
        let (registry, repository) = (place.registry(), place.reference.repository());
        let url = |path: &str| Url::parse(&format!("{scheme}://{registry}/v2/{path}"));
        let wrong = |detail: String| Error::Reference { reference: place.text().to_owned(), detail };
        let base = url(&format!("{repository}/")).map_err(|e| wrong(e.to_string()))?;
        let root = url("").map_err(|e| wrong(e.to_string()))?;
        let mut line = Self { place, client, base, plain_http, pace, proof: Proof::Nothing };
        let asked = line.sent(client.get(root)).await?;
        let proof = match challenge(&asked) {
            Some(challenge) => Proof::Token(line.token(&challenge, who, wish).await?),
            None => who.0.clone().map_or(Proof::Nothing, |(name, password)| Proof::Password(name, password)),
        };
        line.proof = proof;
        Ok(line)
    }

    /// The manifest under a tag or a digest, of at most so many bytes.
    pub(crate) async fn manifest(&self, version: &str, accept: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let request = self.request(Method::GET, &self.url(&format!("manifests/{version}"))?).header("accept", accept);
        let mut response = self.answered(request, StatusCode::OK).await?;
        self.body(&mut response, "the manifest of the artifact", bytes_max, |_| {}).await
    }

    /// A blob of at most `size` bytes, from wherever the registry keeps it.
    pub(crate) async fn blob(&self, digest: &str, size: u64, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Vec<u8>> {
        let mut url = self.url(&format!("blobs/{digest}"))?;
        for _ in 0..=REDIRECTS_MAX {
            let response = self.sent(self.request(Method::GET, &url)).await?;
            if response.status().is_redirection() {
                url = self.onward(&response)?;
                continue;
            }
            let mut response = self.expected(response, StatusCode::OK).await?;
            return self.body(&mut response, "the component is more than its descriptor says", size, |n| progress(n, size)).await;
        }
        Err(self.failed(format!("the blob was somewhere else {REDIRECTS_MAX} times")))
    }

    /// Uploads a blob whole.
    pub(crate) async fn upload(&self, digest: &str, content: impl Into<Body>) -> Result<()> {
        let begun = self.answered(self.request(Method::POST, &self.url("blobs/uploads/")?), StatusCode::ACCEPTED).await?;
        let mut url = self.onward(&begun)?;
        url.query_pairs_mut().append_pair("digest", digest);
        let request = self.request(Method::PUT, &url).header("content-type", "application/octet-stream");
        self.carried(request, content.into()).await
    }

    /// Puts a manifest under a tag or a digest.
    pub(crate) async fn put_manifest(&self, version: &str, media_type: &str, content: Vec<u8>) -> Result<()> {
        let request = self.request(Method::PUT, &self.url(&format!("manifests/{version}"))?);
        self.carried(request.header("content-type", media_type), content.into()).await
    }

    /// A token for the repository, from the realm of a challenge.
    async fn token(&self, (realm, service): &(String, Option<String>), who: &Credentials, wish: Wish) -> Result<String> {
        let mut url = Url::parse(realm).map_err(|_| self.failed("its challenge names no realm that is an address".to_owned()))?;
        let this_machine = self.plain_http && url.scheme() == "http" && url.host_str().is_some_and(is_this_machine);
        if url.scheme() != "https" && !this_machine {
            return Err(self.elsewhere(&url));
        }
        let actions = match wish {
            Wish::Pull => "pull",
            Wish::Push => "pull,push",
        };
        let scope = format!("repository:{}:{actions}", self.place.reference.repository());
        url.query_pairs_mut().append_pair("scope", &scope).extend_pairs(service.iter().map(|service| ("service", service)));
        let request = self.client.get(url);
        let request = match &who.0 {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        };
        let mut response = self.answered(request, StatusCode::OK).await?;
        let bytes = self.body(&mut response, "a token of the registry", ANSWER_BYTES_MAX, |_| {}).await?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let token = answer.get("token").or_else(|| answer.get("access_token")).and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| self.failed("it answered no token".to_owned()))
    }

    fn url(&self, path: &str) -> Result<Url> {
        self.base.join(path).map_err(|e| self.failed(e.to_string()))
    }

    /// A request, with who asks if it is the registry that is asked.
    fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        let request = self.client.request(method, url.clone());
        if url.origin() != self.base.origin() {
            return request;
        }
        match &self.proof {
            Proof::Nothing => request,
            Proof::Password(name, password) => request.basic_auth(name, Some(password)),
            Proof::Token(token) => request.bearer_auth(token),
        }
    }

    async fn answered(&self, request: RequestBuilder, expected: StatusCode) -> Result<Response> {
        self.expected(self.sent(request).await?, expected).await
    }

    /// A request with content, which is what takes its time.
    async fn carried(&self, request: RequestBuilder, content: Body) -> Result<()> {
        let bytes = content.as_bytes().map_or(0, <[u8]>::len) as u64;
        let response = self.sent_within(self.pace.for_all_of(bytes), request.body(content)).await?;
        self.expected(response, StatusCode::CREATED).await.map(drop)
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response> {
        self.sent_within(self.pace.silence, request).await
    }

    /// The head of the answer.
    async fn sent_within(&self, within: Duration, request: RequestBuilder) -> Result<Response> {
        let answer = tokio::time::timeout(within, request.send()).await;
        answer.map_err(|_| self.silent(within))?.map_err(|e| self.broken(e))
    }

    /// Where an answer sends on to: the registry itself, or somebody who is talked to with TLS.
    fn onward(&self, response: &Response) -> Result<Url> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| response.url().join(location).ok());
        let url = url.ok_or_else(|| self.failed("it sends on, but not to an address".to_owned()))?;
        if url.scheme() == "https" || url.origin() == self.base.origin() { Ok(url) } else { Err(self.elsewhere(&url)) }
    }

    async fn body(&self, response: &mut Response, what: &'static str, bytes_max: u64, mut told: impl FnMut(u64)) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let within = self.pace.for_all_of(bytes_max);
        // One deadline for all of it: between two bytes a registry would never be silent for long.
        let deadline = Instant::now().checked_add(within);
        loop {
            let left = deadline.map_or(within, |deadline| deadline.saturating_duration_since(Instant::now()));
            let came = bytes.len() as u64;
            let slow = || Error::Slow { registry: self.place.registry().to_owned(), bytes: came, bytes_max, seconds: within.as_secs() };
            let chunk = match tokio::time::timeout(left.min(self.pace.silence), response.chunk()).await {
                Ok(chunk) => chunk,
                Err(_) if left <= self.pace.silence => return Err(slow()),
                Err(_) => return Err(self.silent(self.pace.silence)),
            };
            let Some(chunk) = chunk.map_err(|e| self.broken(e))? else { return Ok(bytes) };
            bound(what, (bytes.len() as u64).saturating_add(chunk.len() as u64), bytes_max)?;
            bytes.extend_from_slice(&chunk);
            told(chunk.len() as u64);
        }
    }

    /// The answer, if it is the one that was expected; else what its status and its first error mean.
    async fn expected(&self, mut response: Response, expected: StatusCode) -> Result<Response> {
        let status = response.status();
        if status == expected {
            return Ok(response);
        }
        let text = self.body(&mut response, "what the registry says of an error", ANSWER_BYTES_MAX, |_| {}).await?;
        let said: Value = serde_json::from_slice(&text).unwrap_or_default();
        let first = |member: &str| said.pointer(&format!("/errors/0/{member}")).and_then(Value::as_str).unwrap_or_default();
        Err(match (status, first("code")) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) | (_, "UNAUTHORIZED" | "DENIED") => {
                Error::Denied { registry: self.place.registry().to_owned() }
            }
            (StatusCode::NOT_FOUND, _) => Error::NotFound { reference: self.place.text().to_owned() },
            (_, "") => self.failed(format!("it answered {status}")),
            // A stranger's words may hold anything that a terminal obeys.
            (_, code) => self.failed(format!("it answered {status}: {code} {}", first("message")).escape_debug().take(300).collect()),
        })
    }

    fn failed(&self, detail: String) -> Error {
        Error::Failed { registry: self.place.registry().to_owned(), detail }
    }

    fn silent(&self, within: Duration) -> Error {
        Error::Unreachable { registry: self.place.registry().to_owned(), detail: format!("it said nothing for {} s", within.as_secs()) }
    }

    fn elsewhere(&self, url: &Url) -> Error {
        Error::Elsewhere { registry: self.place.registry().to_owned(), to: url.origin().ascii_serialization() }
    }

    /// A conversation that did not come to its end. The address is left out: it may hold what authorises an upload.
    fn broken(&self, error: reqwest::Error) -> Error {
        let error = error.without_url();
        if error.is_builder() {
            return self.failed(whole(&error));
        }
        Error::Unreachable { registry: self.place.registry().to_owned(), detail: whole(&error) }
    }
}

/// Realm and service of a challenge that asks for a token.
fn challenge(response: &Response) -> Option<(String, Option<String>)> {
    let texts = response.headers().get_all(WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
    texts.filter_map(|text| http_auth::parse_challenges(text).ok()).flatten().find_map(|challenge| {
        let named = |name: &str| challenge.params.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        let value = |name: &str| named(name).map(|(_, value)| value.to_unescaped());
        challenge.scheme.eq_ignore_ascii_case("bearer").then(|| Some((value("realm")?, value("service"))))?
    })
}

/// An error with its causes: the outermost says only that something went wrong.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
