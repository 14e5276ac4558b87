//! From seed to signature: BIP-32 keys, addresses, EIP-1559 bytes, Keccak-256, ECDSA on secp256k1.
//!
//! Pure: no randomness (the nonce of a signature is that of RFC 6979), no clock, no state, no network. It sends nothing and keeps no
//! key. A refusal is the status `VIOLATION` without a word.

mod derivation;
mod hash;
mod public;
mod signature;
mod transaction;

enact_guest_sdk::transform! {
    "CT_PURE_BUILD_ETH_TRANSACTION_V0" => transaction::build_eth_transaction,
    "CT_PURE_DERIVE_CHILD_KEY_V0" => derivation::derive_child_key,
    "CT_PURE_DERIVE_MASTER_KEY_V0" => derivation::derive_master_key,
    "CT_PURE_ECDSA_SIGN_V0" => signature::ecdsa_sign,
    "CT_PURE_KECCAK256_HASH_V0" => hash::keccak256_hash,
    "CT_PURE_PRIVATE_KEY_TO_PUBLIC_V0" => public::private_key_to_public,
    "CT_PURE_PUBKEY_TO_ETH_ADDRESS_V0" => public::pubkey_to_eth_address,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
mod tests;
