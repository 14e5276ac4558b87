//! What an artifact of a module looks like: built for pushing, and judged when it comes back.
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::client::{Config, ImageLayer};
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_wasm::{ToConfig as _, WASM_LAYER_MEDIA_TYPE, WASM_MANIFEST_CONFIG_MEDIA_TYPE, WASM_MANIFEST_MEDIA_TYPE, WasmConfig};

use crate::error::{Error, Result};
use crate::place::{is_sha256, sha256};

/// Bytes of the manifest of an artifact: what registries take.
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// Bytes of everything beside the component, together: it is in the manifest, a third longer.
pub const PARTS_BYTES_MAX: u64 = 1 << 20;

const TITLE: &str = "org.opencontainers.image.title";
const MANIFEST: &str = "enact.module.manifest";
const VECTORS: &str = "enact.module.vectors";
const SIGNATURE: &str = "enact.module.signature";

/// A module with all that belongs to it, as files hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What it is called.
    pub name: String,
    /// The component.
    pub component: Vec<u8>,
    /// `manifest.json`.
    pub manifest: Option<String>,
    /// `vectors.json`.
    pub vectors: Option<String>,
    /// The signature, a DSSE envelope.
    pub signature: Option<String>,
}

/// What is pushed. Equal parcels give equal artifacts: no time is in them.
pub(crate) struct Artifact {
    pub(crate) layer: ImageLayer,
    pub(crate) config: Config,
    /// As it is stored.
    pub(crate) manifest: Vec<u8>,
    pub(crate) digest: String,
}

impl Artifact {
    pub(crate) fn of(parcel: &Parcel) -> Result<Self> {
        let not = |e: &dyn std::fmt::Display| Error::NotAModule { detail: format!("{e:#}") };
        let parts = [(MANIFEST, &parcel.manifest), (VECTORS, &parcel.vectors), (SIGNATURE, &parcel.signature)];
        let bytes = parts.iter().filter_map(|(_, part)| part.as_ref()).map(|part| part.len() as u64).fold(0, u64::saturating_add);
        bound("manifest, vectors and signature of the module", bytes, PARTS_BYTES_MAX)?;
        let (mut config, layer) = WasmConfig::from_raw_component(parcel.component.clone(), None).map_err(|e| not(&e))?;
        config.created = Default::default();
        let config = config.to_config().map_err(|e| not(&e))?;
        let mut annotations = BTreeMap::from([(TITLE.to_owned(), format!("{}.wasm", parcel.name))]);
        // In base64, so that they are the bytes of the files.
        annotations.extend(parts.into_iter().filter_map(|(key, part)| Some((key.to_owned(), STANDARD.encode(part.as_ref()?)))));
        let mut manifest = OciImageManifest::build(std::slice::from_ref(&layer), &config, Some(annotations));
        manifest.media_type = Some(WASM_MANIFEST_MEDIA_TYPE.to_owned());
        // By way of a value, whose members are in order.
        let manifest = serde_json::to_value(&manifest).and_then(|manifest| serde_json::to_vec(&manifest)).map_err(|e| not(&e))?;
        let digest = sha256(&manifest);
        Ok(Self { layer, config, manifest, digest })
    }
}

/// The one layer of an artifact that is a module within the bounds.
pub(crate) fn layer(manifest: &OciImageManifest, component_bytes_max: u64) -> Result<(&OciDescriptor, u64)> {
    let not = |detail: String| Error::NotAModule { detail };
    if manifest.config.media_type != WASM_MANIFEST_CONFIG_MEDIA_TYPE {
        return Err(not(format!("its config is a `{}`", manifest.config.media_type)));
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(not(format!("it has {} layers", manifest.layers.len())));
    };
    if layer.media_type != WASM_LAYER_MEDIA_TYPE {
        return Err(not(format!("its layer is a `{}`", layer.media_type)));
    }
    // It becomes a part of an address.
    if !is_sha256(&layer.digest) {
        return Err(not("its layer is not named by SHA-256 in lower case".to_owned()));
    }
    let size = u64::try_from(layer.size).map_err(|_| not(format!("its layer is said to have {} bytes", layer.size)))?;
    bound("the component", size, component_bytes_max)?;
    Ok((layer, size))
}

/// What an artifact holds beside its component; that is put in when it is here.
pub(crate) fn parcel(manifest: &OciImageManifest, name: &str) -> Result<Parcel> {
    let annotation = |key: &str| manifest.annotations.as_ref().and_then(|annotations| annotations.get(key));
    let bytes = [MANIFEST, VECTORS, SIGNATURE].into_iter().filter_map(annotation).map(|text| text.len() as u64 / 4 * 3).sum();
    bound("manifest, vectors and signature of the module", bytes, PARTS_BYTES_MAX)?;
    let part = |key: &str| {
        let Some(text) = annotation(key) else { return Ok(None) };
        let part = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        part.map(Some).ok_or_else(|| Error::NotAModule { detail: format!("`{key}` is no text in base64") })
    };
    let (manifest, vectors, signature) = (part(MANIFEST)?, part(VECTORS)?, part(SIGNATURE)?);
    Ok(Parcel { name: name.to_owned(), component: Vec::new(), manifest, vectors, signature })
}

pub(crate) fn bound(what: &'static str, bytes: u64, bytes_max: u64) -> Result<()> {
    if bytes > bytes_max { Err(Error::TooLarge { what, bytes, bytes_max }) } else { Ok(()) }
}
