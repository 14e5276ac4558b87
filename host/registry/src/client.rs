//! The two conversations with a registry, each to its end on a small runtime of its own.
use oci_client::manifest::{OciImageManifest, OciManifest};
use tokio::runtime::Runtime;

use crate::artifact::{self, Artifact, MANIFEST_BYTES_MAX, Parcel};
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::line::{self, Line, Pace, Partner, Wish};
use crate::place::{Place, sha256};

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
    credentials: Credentials,
    plain_http: bool,
    pace: Pace,
    client: reqwest::Client,
    runtime: Runtime,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("place", &self.place).field("plain_http", &self.plain_http).finish_non_exhaustive()
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
        let client = line::client(plain_http).map_err(|e| failed(e.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| failed(e.to_string()))?;
        Ok(Self { place, credentials, plain_http, pace: Pace::default(), client, runtime })
    }

    /// Pushes a module; answers what pins it.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NotAModule`], [`Error::Digest`], and what a registry can do wrong.
    pub fn push(&self, parcel: &Parcel) -> Result<Pushed> {
        let Artifact { layer, config, manifest, digest } = Artifact::of(parcel)?;
        let component = layer.sha256_digest();
        self.runtime.block_on(async {
            let line = self.line(Wish::Push).await?;
            line.upload(&component, layer.data).await?;
            line.upload(&config.sha256_digest(), config.data).await?;
            line.put_manifest(self.version(), oci_wasm::WASM_MANIFEST_MEDIA_TYPE, manifest).await?;
            // What it is pinned by is what the registry has, read back, not what it says of itself.
            let (_, stored) = self.manifest(&line).await?;
            if stored != digest {
                return Err(Error::Digest { detail: format!("pushed {digest}, stored {stored}") });
            }
            Ok(Pushed { digest, component })
        })
    }

    /// Pulls a module of at most `component_bytes_max` bytes. `progress` is told of bytes as they come in, and of how many there will be.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotAModule`], [`Error::TooLarge`], [`Error::Digest`], and what a registry can do wrong.
    pub fn pull(&self, component_bytes_max: u64, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Pulled> {
        self.runtime.block_on(async {
            let line = self.line(Wish::Pull).await?;
            let (bytes, digest) = self.manifest(&line).await?;
            let manifest = read_manifest(&bytes)?;
            let (layer, size) = artifact::layer(&manifest, component_bytes_max)?;
            let parcel = artifact::parcel(&manifest, self.place.name())?;
            // By its digest alone: addresses that a manifest gives would be asked by us for a stranger.
            let component = line.blob(&layer.digest, size, progress).await?;
            if component.len() as u64 != size {
                return Err(Error::Digest { detail: format!("the component has {} bytes, its descriptor says {size}", component.len()) });
            }
            let came = sha256(&component);
            if came != layer.digest {
                return Err(Error::Digest { detail: format!("asked for {}, got {came}", layer.digest) });
            }
            Ok(Pulled { digest, component: came, parcel: Parcel { component, ..parcel } })
        })
    }

    async fn line(&self, wish: Wish) -> Result<Line<'_>> {
        let partner = Partner { client: &self.client, place: &self.place, plain_http: self.plain_http, pace: self.pace };
        Line::open(partner, &self.credentials, wish).await
    }

    fn version(&self) -> &str {
        let image = &self.place.reference;
        image.digest().or(image.tag()).unwrap_or_default()
    }

    /// The manifest and its digest, which is the one that was asked for.
    async fn manifest(&self, line: &Line<'_>) -> Result<(Vec<u8>, String)> {
        let bytes = line.manifest(self.version(), oci_wasm::WASM_MANIFEST_MEDIA_TYPE, MANIFEST_BYTES_MAX).await?;
        let digest = sha256(&bytes);
        if let Some(pinned) = self.place.digest()
            && pinned != digest
        {
            return Err(Error::Digest { detail: format!("asked for {pinned}, got {digest}") });
        }
        Ok((bytes, digest))
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;

    /// The first line of a request, after its head.
    fn asked(stream: &TcpStream) -> String {
        let mut lines = BufReader::new(stream).lines().map_while(std::io::Result::ok);
        let first = lines.next().unwrap_or_default();
        lines.find(String::is_empty);
        first
    }

    /// A registry whose answers about `path` never end, and come byte by byte.
    fn dripping(path: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"sha256:{0}","size":4}},"layers":[{{"mediaType":"application/wasm","digest":"sha256:{0}","size":1000}}]}}"#,
            "a".repeat(64)
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let asked = asked(&stream);
                let text = if asked.contains("/manifests/") { manifest.as_str() } else { "" };
                let size = if asked.contains(path) { 1_000 } else { text.len() };
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n");
                while asked.contains(path) && stream.write_all(b" ").is_ok() {
                    std::thread::sleep(Duration::from_millis(20));
                }
                let _ = stream.write_all(text.as_bytes());
            }
        });
        host
    }

    #[test]
    fn b_32_a_registry_that_drips_is_left_when_the_time_for_all_of_it_is_over() {
        for path in ["/manifests/", "/blobs/"] {
            let place = Place::parse(&format!("{}/shout:v1", dripping(path))).unwrap();
            let registry = Registry::new(place, Credentials::nobody(), true).unwrap();
            let registry = Registry { pace: Pace { silence: Duration::from_millis(300), bytes_a_second: u64::MAX }, ..registry };
            let error = registry.pull(1 << 20, &mut |_, _| {}).unwrap_err();
            assert_eq!((error.code(), error.gravity()), ("registry_slow", crate::error::Gravity::Caller), "{path}: {error}");
        }
    }

    /// A registry that takes its time with what is uploaded: `None` all of it.
    fn taking(pause: Option<Duration>) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let asked = asked(&stream);
                let status = match asked.split(' ').next().unwrap() {
                    "PUT" => "201 Created",
                    "POST" => "202 Accepted\r\nlocation: /v2/upload",
                    _ => "200 OK",
                };
                match pause.filter(|_| asked.contains("/upload?")) {
                    Some(pause) => std::thread::sleep(pause),
                    None if asked.contains("/upload?") => {
                        kept.push(stream);
                        continue;
                    }
                    None => {}
                }
                let _ = write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
            }
        });
        let registry = Registry::new(Place::parse(&format!("{host}/shout:v1")).unwrap(), Credentials::nobody(), true).unwrap();
        Registry { pace: Pace { silence: Duration::from_millis(300), bytes_a_second: 4 }, ..registry }
    }

    #[test]
    fn b_32_what_is_uploaded_takes_as_long_as_it_is_and_no_longer() {
        let component = b"\0asm\x0d\0\x01\0".to_vec();
        let parcel = Parcel { name: "shout".to_owned(), component, manifest: None, vectors: None, signature: None };
        // Uploaded, though slowly; what is read back afterwards is another manifest.
        let error = taking(Some(Duration::from_millis(900))).push(&parcel).unwrap_err();
        assert_eq!(error.code(), "registry_digest", "{error}");
        let error = taking(None).push(&parcel).unwrap_err();
        assert_eq!(error.code(), "registry_unreachable", "{error}");
    }
}
