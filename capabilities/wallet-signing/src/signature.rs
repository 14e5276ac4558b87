//! `CT_PURE_ECDSA_SIGN_V0`: a recoverable signature on secp256k1.
//!
//! The nonce is the one of RFC 6979, so the same key and digest always give the same signature and no randomness is needed.
//! `s` is in the lower half (EIP-2). It signs a digest and never hashes: what was signed is the caller's decision.

use enact_guest_sdk::{Raw, Violation};
use enact_wallet_primitives::{Fixed, Inputs, Refusal, scalar};
use k256::ecdsa::SigningKey;
use serde::Serialize;

/// Outputs of `CT_PURE_ECDSA_SIGN_V0`.
#[derive(Serialize)]
pub(crate) struct Outputs {
    /// Big-endian.
    r: Fixed<32>,
    /// Big-endian, at most n / 2.
    s: Fixed<32>,
    /// `r`, `s`, `v`.
    signed_bytes: Fixed<65>,
    /// Parity of y of the nonce point: 0 or 1.
    v: u8,
}

/// `CT_PURE_ECDSA_SIGN_V0`: takes `private_key_bytes`, `message_hash` and, if it is there, `curve`.
pub(crate) fn ecdsa_sign(inputs: &Raw) -> Result<Outputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    Ok(sign(&inputs)?)
}

fn sign(inputs: &Inputs<'_>) -> Result<Outputs, Refusal> {
    inputs.check_curve()?;
    let key = SigningKey::from(scalar(&inputs.fixed("private_key_bytes")?.0)?);
    let (signature, recovery) = key.sign_prehash_recoverable(&inputs.fixed::<32>("message_hash")?.0);
    // The x coordinate of the nonce point is above the order with a chance of 2^-127; `v` has no value for it.
    if recovery.is_x_reduced() {
        return Err(Refusal::Recovery);
    }
    let v = recovery.to_byte();
    let (r, s) = signature.split_bytes();
    let mut signed = [v; 65];
    signed[..32].copy_from_slice(&r);
    signed[32..64].copy_from_slice(&s);
    Ok(Outputs { r: Fixed(r.into()), s: Fixed(s.into()), signed_bytes: Fixed(signed), v })
}
