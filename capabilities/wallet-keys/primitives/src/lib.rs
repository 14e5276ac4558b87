//! What the wallet modules share: bytes as text, inputs, secp256k1 keys, their derivation, addresses, and the reasons for a refusal.
//!
//! It serves no protocol code and has no randomness.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

mod address;
mod curve;
mod hd;
mod hex;
mod inputs;
mod refusal;

pub use address::{address, keccak256, parse_address};
pub use curve::{public_key, scalar};
pub use hd::{ExtendedKey, HARDENED};
pub use hex::{Bytes, Fixed, encode_bare};
pub use inputs::Inputs;
pub use refusal::Refusal;
