//! DSSE envelopes: one payload of a stated type under Ed25519 signatures. Who may sign is not known here.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// An envelope as a file holds it. Members that are not known here say nothing and are let be, as the format asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope {
    /// What the payload is.
    pub(crate) payload_type: String,
    /// The payload in base64.
    pub(crate) payload: String,
    /// Over the pre-authentication encoding.
    pub(crate) signatures: Vec<EnvelopeSignature>,
}

/// One signature.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EnvelopeSignature {
    /// A hint for finding the key; nothing is believed because of it.
    #[serde(default)]
    pub(crate) keyid: String,
    /// The signature in base64.
    pub(crate) sig: String,
}

/// Most signatures that are looked at.
const SIGNATURES_MAX: usize = 64;

/// What is signed: `"DSSEv1" SP len(type) SP type SP len(body) SP body`.
fn encode(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Signs a payload.
pub(crate) fn sign(payload_type: &str, body: &[u8], keyid: &str, key: &SigningKey) -> Envelope {
    let signature = key.sign(&encode(payload_type, body));
    Envelope {
        payload_type: payload_type.to_owned(),
        payload: BASE64.encode(body),
        signatures: vec![EnvelopeSignature { keyid: keyid.to_owned(), sig: BASE64.encode(signature.to_bytes()) }],
    }
}

/// The payload, if one of the signatures is by this key. Nothing for base64 that is none, or when none holds.
pub(crate) fn open(envelope: &Envelope, key: &VerifyingKey) -> Option<Vec<u8>> {
    let body = BASE64.decode(&envelope.payload).ok()?;
    let signed = encode(&envelope.payload_type, &body);
    let holds = |signature: &EnvelopeSignature| {
        let bytes: Option<[u8; 64]> = BASE64.decode(&signature.sig).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.is_some_and(|bytes| key.verify_strict(&signed, &Signature::from_bytes(&bytes)).is_ok())
    };
    envelope.signatures.iter().take(SIGNATURES_MAX).any(holds).then_some(body)
}
