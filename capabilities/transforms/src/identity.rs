//! `CT_PURE_GENERATE_ID_V0`: an identifier that depends on the data alone.
//!
//! The published description speaks of Keccak-256; the published results are SHA-256, and results are what other systems have stored.

use enact_guest_sdk::{Raw, Violation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes of the digest that an identifier shows: 64 bits name things, they do not authenticate them.
const SHOWN_BYTES: usize = 8;

#[derive(Deserialize)]
pub(crate) struct GenerateId<'a> {
    #[serde(borrow)]
    data: &'a Raw,
    prefix: String,
}

#[derive(Serialize)]
pub(crate) struct Id {
    id: String,
}

/// `<prefix>_<first 16 hex digits of SHA-256>`, over the canonical JSON of an object, or of `{"value": data}` for anything else.
pub(crate) fn generate_id(i: GenerateId<'_>) -> Result<Id, Violation> {
    let data = i.data.get();
    let digest = if data.starts_with('{') {
        Sha256::digest(data)
    } else {
        Sha256::new().chain_update(r#"{"value":"#).chain_update(data).chain_update("}").finalize()
    };
    let mut id = i.prefix;
    id.reserve_exact(1 + 2 * SHOWN_BYTES);
    id.push('_');
    for byte in digest.iter().take(SHOWN_BYTES) {
        for nibble in [byte >> 4, byte & 15] {
            id.extend(char::from_digit(nibble.into(), 16));
        }
    }
    Ok(Id { id })
}
