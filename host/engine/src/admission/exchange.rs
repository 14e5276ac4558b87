//! A module on its way from one workspace to another: one file with everything that belongs to it, and a signature over what it is.
//!
//! The file is a tar archive. Whoever takes it in examines it as if it came from nowhere: what it says of itself is compared, not believed.
use std::collections::BTreeMap;
use std::io::Read as _;

use ed25519_dalek::{SigningKey, VerifyingKey};
use enact_core::hash::module_digest;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::intake::Intake;
use super::{MODULE_BYTES_MAX, Manifest, SIDE_FILE_BYTES_MAX};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::receipts::dsse::{self, Envelope};

/// Type of the payload of a signature over a module.
pub const SIGNED: &str = "application/vnd.enact.module.v1+json";
/// The parts of an archive, in this order; the first is required.
const PARTS: [(&str, u64); 4] = [
    ("module.wasm", MODULE_BYTES_MAX),
    ("manifest.json", SIDE_FILE_BYTES_MAX),
    ("vectors.json", SIDE_FILE_BYTES_MAX),
    ("signature.json", SIDE_FILE_BYTES_MAX),
];

/// What a signature is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `blake3:` and the hash of the file.
    pub digest: String,
    /// What the signer calls it.
    pub module: String,
    /// SHA-256 in lower case hexadecimal, for tools that know nothing else.
    pub sha256: String,
    /// Bytes of the file.
    pub size: u64,
}

impl Statement {
    /// About these bytes.
    #[must_use]
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        Self {
            digest: module_digest(bytes).to_string(),
            module: name.to_owned(),
            sha256: hex::encode(enact_core::hash::sha256(bytes)),
            size: bytes.len() as u64,
        }
    }
}

/// Signs a module; the envelope as a file holds it.
///
/// # Errors
/// [`EngineError::PayloadValue`].
pub fn sign(statement: &Statement, keyid: &str, key: &SigningKey) -> Result<Vec<u8>> {
    let body = crate::canonical::text(&json!(statement))?;
    let envelope = dsse::sign(SIGNED, body.as_bytes(), keyid, key);
    serde_json::to_vec_pretty(&envelope).map_err(|e| EngineError::Internal { detail: e.to_string() })
}

/// Checks that a key has signed exactly these bytes; answers what it said of them.
///
/// # Errors
/// [`EngineError::ModuleSignature`] when the envelope is none, no signature holds, or it is about other bytes.
pub fn verify(bytes: &[u8], envelope: &[u8], key: &VerifyingKey) -> Result<Statement> {
    let wrong = |detail: &str| EngineError::ModuleSignature { detail: detail.to_owned() };
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(|e| wrong(&format!("the file is no DSSE envelope: {e}")))?;
    if envelope.payload_type != SIGNED {
        return Err(wrong(&format!("it signs a `{}`", envelope.payload_type)));
    }
    let body = dsse::open(&envelope, key).ok_or_else(|| wrong("no signature of this key holds"))?;
    let said: Statement = serde_json::from_slice(&body).map_err(|e| wrong(&format!("what was signed cannot be read: {e}")))?;
    if said != Statement::of(&said.module, bytes) {
        return Err(wrong(&format!("it is about another file, {}", said.digest)));
    }
    Ok(said)
}

/// A key as `enact actor list --json` shows it.
///
/// # Errors
/// [`EngineError::PublicKey`].
pub fn key(text: &str) -> Result<VerifyingKey> {
    let key = enact_core::govern::key_bytes(text).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    key.ok_or_else(|| EngineError::PublicKey { key: text.to_owned() })
}

impl Engine {
    /// Signs a module as an actor, with the key that this workspace holds for it.
    ///
    /// # Errors
    /// [`EngineError::NoActorKey`].
    pub fn sign_module(&self, actor: &str, statement: &Statement) -> Result<Vec<u8>> {
        let key = self.actor_key(actor)?;
        sign(statement, &enact_core::govern::key_text(&key.verifying_key()), &key)
    }

    /// The key of an actor of this ledger, unless it was revoked.
    ///
    /// # Errors
    /// [`EngineError::NoSubject`] for an actor that has none.
    pub fn actor_public_key(&self, actor: &str) -> Result<String> {
        let id = crate::govern::actor_id(actor)?;
        let found = self.actors()?.into_iter().find(|found| found.actor == id).and_then(|found| found.row.key);
        found.ok_or(EngineError::NoSubject { subject: id })
    }
}

/// One file with a module and everything that belongs to it. Equal parts give equal bytes.
///
/// # Errors
/// [`EngineError::Internal`] when a part cannot be written.
pub fn pack(intake: &Intake, signature: Option<&[u8]>) -> Result<Vec<u8>> {
    let internal = |detail: String| EngineError::Internal { detail };
    let manifest = serde_json::to_vec_pretty(&intake.manifest).map_err(|e| internal(e.to_string()))?;
    let mut archive = tar::Builder::new(Vec::new());
    let parts = [Some(intake.bytes.as_slice()), Some(&manifest), intake.vectors_bytes.as_deref(), signature];
    for ((name, _), part) in PARTS.iter().zip(parts) {
        let Some(part) = part else { continue };
        let mut header = tar::Header::new_ustar();
        header.set_size(part.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        archive.append_data(&mut header, name, part).map_err(|e| internal(e.to_string()))?;
    }
    archive.into_inner().map_err(|e| internal(e.to_string()))
}

/// Reads such a file: the known parts, each once and within its bound, and nothing else.
///
/// # Errors
/// [`EngineError::ModuleArchive`], and those of [`Intake::of`].
pub fn unpack(bytes: &[u8]) -> Result<(Intake, Option<Vec<u8>>)> {
    let wrong = |detail: String| EngineError::ModuleArchive { detail };
    let mut archive = tar::Archive::new(bytes);
    let mut parts = BTreeMap::new();
    for entry in archive.entries().map_err(|e| wrong(e.to_string()))? {
        let entry = entry.map_err(|e| wrong(e.to_string()))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let known = PARTS.iter().find(|(part, _)| *part == name);
        let Some((part, bytes_max)) = known.filter(|_| entry.header().entry_type().is_file()) else {
            return Err(wrong(format!("`{name}` does not belong into it")));
        };
        let mut content = Vec::new();
        entry.take(bytes_max.saturating_add(1)).read_to_end(&mut content).map_err(|e| wrong(e.to_string()))?;
        if content.len() as u64 > *bytes_max {
            return Err(wrong(format!("`{name}` is larger than {bytes_max} bytes")));
        }
        if parts.insert(*part, content).is_some() {
            return Err(wrong(format!("`{name}` is in it twice")));
        }
    }
    let module = parts.remove("module.wasm").ok_or_else(|| wrong("there is no `module.wasm` in it".to_owned()))?;
    let manifest = match parts.remove("manifest.json") {
        Some(bytes) => Manifest::read(&bytes, "manifest.json")?,
        None => Manifest::default(),
    };
    let intake = Intake::of(module, manifest, parts.remove("vectors.json"), "vectors.json")?;
    Ok((intake, parts.remove("signature.json")))
}
