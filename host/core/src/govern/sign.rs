//! Signatures of records: what is signed, by whom it can be checked, and nothing about where keys are kept.
//!
//! The DSSE pre-authentication encoding, with the ledger's name in the type: a signature means nothing in another ledger.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};

use crate::canonical::CanonicalError;
use crate::entry::Record;

/// Bytes of an Ed25519 key in base64.
const KEY_CHARS: usize = 44;

/// What is signed: the DSSE pre-authentication encoding of the record without `sig`.
///
/// # Errors
/// When the payload has no canonical bytes.
pub fn sign_bytes(origin: &str, record: &Record) -> Result<Vec<u8>, CanonicalError> {
    Ok(encode(origin, &record.unsigned_bytes()?))
}

/// Puts the signature of this key into a record.
///
/// # Errors
/// When the payload has no canonical bytes.
pub fn sign(record: Record, origin: &str, key: &SigningKey) -> Result<Record, CanonicalError> {
    let signature = key.sign(&sign_bytes(origin, &record)?);
    Ok(Record { sig: Some(BASE64.encode(signature.to_bytes())), ..record })
}

/// A public key as actors register it.
#[must_use]
pub fn key_text(key: &VerifyingKey) -> String {
    BASE64.encode(key.to_bytes())
}

/// `"DSSEv1" SP len(type) SP type SP len(body) SP body`.
pub(super) fn encode(origin: &str, body: &[u8]) -> Vec<u8> {
    let type_ = format!("application/vnd.enact.record.v1+json;origin={origin}");
    let mut bytes = format!("DSSEv1 {} {type_} {} ", type_.len(), body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The bytes of a registered key; nothing for text that is not exactly one.
#[must_use]
pub fn key_bytes(text: &str) -> Option<[u8; 32]> {
    if text.len() != KEY_CHARS {
        return None;
    }
    BASE64.decode(text).ok()?.try_into().ok()
}

/// Whether a key can be registered: a point of the curve that is not of small order, under which anything could verify.
pub(super) fn is_key(text: &str) -> bool {
    key_bytes(text).is_some_and(|bytes| VerifyingKey::from_bytes(&bytes).is_ok_and(|key| !key.is_weak()))
}

/// The bytes of a signature as records carry it.
#[must_use]
pub fn signature_bytes(text: &str) -> Option<[u8; 64]> {
    BASE64.decode(text).ok()?.try_into().ok()
}
