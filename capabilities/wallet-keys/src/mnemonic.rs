//! BIP-39: entropy, mnemonic sentence, seed. English only.
//!
//! It draws no entropy: the bytes are an input, recorded like every other input. Passphrases are ASCII, for which the NFKD form that
//! BIP-39 asks for is the text itself; another text is refused rather than turned into the seed of another wallet.

use bip39::{Language, Mnemonic};
use enact_guest_sdk::{Raw, Violation};
use enact_wallet_primitives::{Bytes, Fixed, Inputs, Refusal};
use serde::Serialize;

/// The sizes of BIP-39, in bits.
const ENTROPY_BITS: [u64; 5] = [128, 160, 192, 224, 256];

/// Outputs of `CT_PURE_GENERATE_ENTROPY_V0`.
#[derive(Serialize)]
pub(crate) struct EntropyOutputs {
    /// As many bytes as were asked for.
    entropy_bytes: Bytes,
}

/// Outputs of `CT_PURE_ENTROPY_TO_MNEMONIC_V0`.
#[derive(Serialize)]
pub(crate) struct SentenceOutputs {
    /// 12 to 24 English words, single spaces between them.
    mnemonic: String,
}

/// Outputs of `CT_PURE_MNEMONIC_TO_SEED_V0`.
#[derive(Serialize)]
pub(crate) struct SeedOutputs {
    /// The seed.
    seed_bytes: Fixed<64>,
}

/// `CT_PURE_GENERATE_ENTROPY_V0`: takes `entropy_bits` and the caller's `entropy_bytes`, and checks that they are of that size.
pub(crate) fn generate_entropy(inputs: &Raw) -> Result<EntropyOutputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    Ok(EntropyOutputs { entropy_bytes: entropy(&inputs)? })
}

/// `CT_PURE_ENTROPY_TO_MNEMONIC_V0`: takes `entropy_bytes`.
pub(crate) fn entropy_to_mnemonic(inputs: &Raw) -> Result<SentenceOutputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    let sentence = sentence(&inputs.bytes("entropy_bytes")?)?;
    Ok(SentenceOutputs { mnemonic: sentence.to_string() })
}

/// `CT_PURE_MNEMONIC_TO_SEED_V0`: takes `mnemonic` and, if there is one, `passphrase`.
pub(crate) fn mnemonic_to_seed(inputs: &Raw) -> Result<SeedOutputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    let mnemonic = parse(&inputs.text("mnemonic")?)?;
    Ok(SeedOutputs { seed_bytes: Fixed(seed(&mnemonic, &inputs)?) })
}

/// The caller's random bytes, of the size asked for. Whether they are random cannot be checked.
pub(crate) fn entropy(inputs: &Inputs<'_>) -> Result<Bytes, Refusal> {
    let bits = inputs.number("entropy_bits")?;
    if !ENTROPY_BITS.contains(&bits) {
        return Err(Refusal::EntropyBits { bits });
    }
    let bytes = inputs.optional_bytes("entropy_bytes")?.ok_or(Refusal::EntropyMissing)?;
    if bits_of(&bytes) != bits {
        return Err(Refusal::EntropyLength { bits, bytes: bytes.0.len() });
    }
    Ok(bytes)
}

/// The sentence of BIP-39 for these bytes.
pub(crate) fn sentence(entropy: &Bytes) -> Result<Mnemonic, Refusal> {
    Mnemonic::from_entropy_in(Language::English, &entropy.0).map_err(|_| Refusal::EntropyBits { bits: bits_of(entropy) })
}

/// The 64-byte seed of BIP-39 (PBKDF2-HMAC-SHA512, 2048 rounds), with the `passphrase` of the inputs.
pub(crate) fn seed(mnemonic: &Mnemonic, inputs: &Inputs<'_>) -> Result<[u8; 64], Refusal> {
    let passphrase = inputs.optional_text("passphrase")?.unwrap_or_default();
    if !passphrase.is_ascii() {
        return Err(Refusal::PassphraseNotAscii);
    }
    Ok(mnemonic.to_seed_normalized(&passphrase))
}

/// Takes the one spelling that a sentence has: two spellings with two seeds would be two wallets for one sentence.
fn parse(text: &str) -> Result<Mnemonic, Refusal> {
    let single_spaced = text.split(' ').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
    if !single_spaced {
        return Err(Refusal::Mnemonic);
    }
    Mnemonic::parse_in_normalized(Language::English, text).map_err(|_| Refusal::Mnemonic)
}

fn bits_of(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.0.len()).unwrap_or(u64::MAX).saturating_mul(8)
}
