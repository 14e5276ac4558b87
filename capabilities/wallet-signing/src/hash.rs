//! `CT_PURE_KECCAK256_HASH_V0`: the digest that addresses and signatures are made over.

use enact_guest_sdk::{Raw, Violation};
use enact_wallet_primitives::{Fixed, Inputs, keccak256};
use serde::Serialize;

/// Outputs of `CT_PURE_KECCAK256_HASH_V0`.
#[derive(Serialize)]
pub(crate) struct Outputs {
    /// The digest.
    hash_hex: Fixed<32>,
}

/// `CT_PURE_KECCAK256_HASH_V0`: takes `input_bytes`.
pub(crate) fn keccak256_hash(inputs: &Raw) -> Result<Outputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    Ok(Outputs { hash_hex: Fixed(keccak256(&inputs.bytes("input_bytes")?.0)) })
}
