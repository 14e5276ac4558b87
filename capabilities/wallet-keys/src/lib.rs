//! New wallets: entropy, mnemonic, seed, and the public halves of two key pairs (BIP-39, BIP-32, secp256k1).
//!
//! Pure: no randomness, no clock, no state. Random bytes are inputs. It is no key store either: secrets come in as inputs and go out
//! as outputs, and it is the contract's `secrets` that keep them out of traces. A refusal is the status `VIOLATION` without a word.

mod keypairs;
mod mnemonic;

enact_guest_sdk::transform! {
    "CT_PURE_DERIVE_WALLET_KEYPAIRS_V0" => keypairs::derive_wallet_keypairs,
    "CT_PURE_ENTROPY_TO_MNEMONIC_V0" => mnemonic::entropy_to_mnemonic,
    "CT_PURE_GENERATE_ENTROPY_V0" => mnemonic::generate_entropy,
    "CT_PURE_MNEMONIC_TO_SEED_V0" => mnemonic::mnemonic_to_seed,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
mod tests;
