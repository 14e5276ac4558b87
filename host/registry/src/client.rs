//! The two conversations with a registry, each to its end on a small runtime of its own.
#![allow(clippy::wildcard_enum_match_arm, reason = "whatever else a client meets is a failure of the other side")]

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use oci_client::client::{ClientConfig, ClientProtocol, ImageLayer};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::manifest::{OciImageManifest, OciManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use reqwest::StatusCode;
use tokio::io::AsyncWrite;
use tokio::runtime::Runtime;

use crate::artifact::{self, Artifact, MANIFEST_BYTES_MAX, Parcel};
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::place::Place;

/// How long a registry may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a registry may say nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// Memory that a conversation may take beside the module: the client takes tokens and the texts of errors for as long as they come.
const ANSWERS_BYTES_MAX: u64 = 64 << 20;
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// SHA-256 of the artifact's manifest: what pins it.
    pub digest: String,
    /// SHA-256 of the component.
    pub component: String,
}

/// What was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// SHA-256 of the artifact's manifest: what pins it.
    pub digest: String,
    /// SHA-256 of the component.
    pub component: String,
    /// The module and what belongs to it.
    pub parcel: Parcel,
}

/// A registry that one artifact is pushed to or pulled from.
pub struct Registry {
    place: Place,
    auth: RegistryAuth,
    scheme: &'static str,
    client: Client,
    plain: reqwest::Client,
    runtime: Runtime,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("place", &self.place).field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl Registry {
    /// Talks to the registry of `place`, with TLS unless it was said to do without, which only this machine may be talked to.
    ///
    /// # Errors
    /// [`Error::PlainHttp`], [`Error::Failed`].
    pub fn new(place: Place, credentials: Credentials, plain_http: bool) -> Result<Self> {
        if plain_http && !place.is_loopback() {
            return Err(Error::PlainHttp { registry: place.registry().to_owned() });
        }
        let failed = |detail: String| Error::Failed { registry: place.registry().to_owned(), detail };
        // Somebody else in this process may have said the same already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (scheme, protocol) = if plain_http { ("http", ClientProtocol::Http) } else { ("https", ClientProtocol::Https) };
        let config = ClientConfig {
            protocol,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(SILENCE),
            user_agent: concat!("enact/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|e| failed(e.to_string()))?;
        // A manifest is where its registry is: whoever sends us elsewhere for it is asking in our name.
        let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let plain = plain.connect_timeout(CONNECT).read_timeout(SILENCE).build().map_err(|e| failed(e.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| failed(e.to_string()))?;
        Ok(Self { place, auth: credentials.0, scheme, client, plain, runtime })
    }

    /// Pushes a module; answers what pins it.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NotAModule`], [`Error::Digest`], and what a registry can do wrong.
    pub fn push(&self, parcel: &Parcel) -> Result<Pushed> {
        let Artifact { layer, config, manifest } = Artifact::of(parcel)?;
        let component = layer.sha256_digest();
        let image = &self.place.reference;
        // It is in memory more than once on its way out.
        self.converse(4 * parcel.component.len() as u64, async {
            self.client.push(image, &[layer], config, &self.auth, Some(manifest)).await.map_err(|e| self.failed(&e))?;
            // What it is pinned by is what the registry has, read back, not what it says of itself.
            let (bytes, digest) = self.manifest().await?;
            let stored = read_manifest(&bytes)?;
            let (layer, _) = artifact::layer(&stored, u64::MAX)?;
            if layer.digest != component {
                return Err(Error::Digest { detail: format!("pushed {component}, stored {}", layer.digest) });
            }
            Ok(Pushed { digest, component })
        })
    }

    /// Pulls a module of at most `component_bytes_max` bytes. `progress` is told of bytes as they come in, and of how many there will be.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotAModule`], [`Error::TooLarge`], [`Error::Digest`], and what a registry can do wrong.
    pub fn pull(&self, component_bytes_max: u64, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Pulled> {
        // What it is collected in doubles as it grows.
        self.converse(2 * component_bytes_max, async {
            let (bytes, digest) = self.manifest().await?;
            let manifest = read_manifest(&bytes)?;
            let (layer, size) = artifact::layer(&manifest, component_bytes_max)?;
            let parcel = artifact::parcel(&manifest, self.place.name())?;
            let mut sink = Sink { bytes: Vec::new(), size, progress };
            // By its digest alone: addresses that a manifest gives would be asked by us for a stranger.
            let pulled = self.client.pull_blob(&self.place.reference, layer.digest.as_str(), &mut sink).await;
            let component = std::mem::take(&mut sink.bytes);
            pulled.map_err(|e| match e {
                OciDistributionError::IoError(e) if e.kind() == io::ErrorKind::FileTooLarge => Error::TooLarge {
                    what: "the component is more than its descriptor says",
                    bytes: size.saturating_add(1),
                    bytes_max: size,
                },
                other => self.failed(&other),
            })?;
            if component.len() as u64 != size {
                return Err(Error::Digest { detail: format!("the component has {} bytes, its descriptor says {size}", component.len()) });
            }
            Ok(Pulled { digest, component: layer.digest.clone(), parcel: Parcel { component, ..parcel } })
        })
    }

    /// One conversation to its end, or until it takes more memory than `module_bytes` and what answers may have.
    fn converse<T>(&self, module_bytes: u64, conversation: impl Future<Output = Result<T>>) -> Result<T> {
        let (before, bytes_max) = (resident_bytes(), module_bytes.saturating_add(ANSWERS_BYTES_MAX));
        self.runtime.block_on(async {
            let mut conversation = pin!(conversation);
            loop {
                if let Ok(done) = tokio::time::timeout(LOOK, conversation.as_mut()).await {
                    return done;
                }
                let bytes = resident_bytes().saturating_sub(before);
                artifact::bound("what the registry answers", bytes, bytes_max)?;
            }
        })
    }

    /// The manifest and its digest. Not by the client's own function: that one takes as much as it is given.
    async fn manifest(&self) -> Result<(Vec<u8>, String)> {
        let (image, registry) = (&self.place.reference, self.place.registry());
        let unreachable = |e: reqwest::Error| Error::Unreachable { registry: registry.to_owned(), detail: whole(&e.without_url()) };
        let token = self.client.auth(image, &self.auth, RegistryOperation::Pull).await.map_err(|e| self.failed(&e))?;
        let version = image.digest().or(image.tag()).unwrap_or_default();
        let url = format!("{}://{registry}/v2/{}/manifests/{version}", self.scheme, image.repository());
        let mut request = self.plain.get(url).header("accept", oci_wasm::WASM_MANIFEST_MEDIA_TYPE);
        request = match (token, &self.auth) {
            (Some(token), _) => request.bearer_auth(token),
            (None, RegistryAuth::Basic(name, password)) => request.basic_auth(name, Some(password)),
            (None, RegistryAuth::Bearer(token)) => request.bearer_auth(token),
            (None, RegistryAuth::Anonymous) => request,
        };
        let mut response = request.send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(Error::NotFound { reference: self.place.text().to_owned() }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Error::Denied { registry: registry.to_owned() }),
            other => return Err(Error::Failed { registry: registry.to_owned(), detail: format!("it answered {other}") }),
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            artifact::bound("the manifest of the artifact", (bytes.len() + chunk.len()) as u64, MANIFEST_BYTES_MAX)?;
            bytes.extend_from_slice(&chunk);
        }
        let digest = sha256(&bytes);
        if let Some(pinned) = image.digest()
            && pinned != digest
        {
            return Err(Error::Digest { detail: format!("asked for {pinned}, got {digest}") });
        }
        Ok((bytes, digest))
    }

    /// An error of the client in our terms. Its texts name addresses and answers, no credentials.
    fn failed(&self, error: &OciDistributionError) -> Error {
        let registry = self.place.registry().to_owned();
        match error {
            OciDistributionError::RequestError(e) => Error::Unreachable { registry, detail: whole(e) },
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => Error::Denied { registry },
            OciDistributionError::RegistryError { envelope, .. } => match envelope.errors.first().map(|error| &error.code) {
                Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => Error::Denied { registry },
                Some(OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::BlobUnknown | OciErrorCode::NotFound) => {
                    Error::NotFound { reference: self.place.text().to_owned() }
                }
                _ => Error::Failed { registry, detail: envelope.to_string() },
            },
            OciDistributionError::ServerError { code: 401 | 403, .. } => Error::Denied { registry },
            OciDistributionError::DigestError(e @ DigestError::VerificationError { .. }) => Error::Digest { detail: e.to_string() },
            other => Error::Failed { registry, detail: other.to_string() },
        }
    }
}

/// Memory in use by this process; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0).saturating_mul(1024)
}

fn sha256(bytes: &[u8]) -> String {
    ImageLayer::new(bytes.to_vec(), String::new(), None).sha256_digest()
}

fn read_manifest(bytes: &[u8]) -> Result<OciImageManifest> {
    match serde_json::from_slice(bytes) {
        Ok(OciManifest::Image(manifest)) if manifest.schema_version == 2 => Ok(manifest),
        Ok(OciManifest::Image(manifest)) => {
            Err(Error::NotAModule { detail: format!("its schema has version {}", manifest.schema_version) })
        }
        Ok(OciManifest::ImageIndex(_)) => Err(Error::NotAModule { detail: "it is a list of artifacts".to_owned() }),
        Err(e) => Err(Error::NotAModule { detail: format!("its manifest cannot be read: {e}") }),
    }
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

/// Takes as many bytes as were announced and not one more.
struct Sink<'a> {
    bytes: Vec<u8>,
    size: u64,
    progress: &'a mut (dyn FnMut(u64, u64) + Send),
}

impl AsyncWrite for Sink<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, chunk: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if (this.bytes.len() + chunk.len()) as u64 > this.size {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        this.bytes.extend_from_slice(chunk);
        (this.progress)(chunk.len() as u64, this.size);
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
