//! Why an answer is `VIOLATION`. Facts about shape only: no variant can hold a byte of a key, a word or a digest.

use enact_guest_sdk::Violation;

/// The reason an input was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Inputs that are no JSON object.
    NoObject,
    /// A member that is missing, of another type, not hexadecimal or of another length.
    Input {
        /// The member.
        name: &'static str,
    },
    /// A curve other than `secp256k1`.
    Curve,
    /// The caller supplied no random bytes. This module has none of its own.
    EntropyMissing,
    /// BIP-39 knows 128, 160, 192, 224 and 256 bits.
    EntropyBits {
        /// Bits asked for or given.
        bits: u64,
    },
    /// The bytes given are not as many as the bits asked for.
    EntropyLength {
        /// Bits asked for.
        bits: u64,
        /// Bytes given.
        bytes: usize,
    },
    /// A mnemonic with an unknown word, a wrong number of words, a wrong checksum or spacing other than single spaces.
    Mnemonic,
    /// A passphrase outside ASCII, whose Unicode normal form would have to be computed first.
    PassphraseNotAscii,
    /// BIP-32 seeds have 16 to 64 bytes.
    SeedLength {
        /// Bytes given.
        bytes: usize,
    },
    /// Zero, or not below the order of the curve.
    Scalar,
    /// An index that leads to no key (chance below 2^-127); BIP-32 says to take the next one.
    NoSuchChild {
        /// The index.
        index: u32,
    },
    /// A derivation path longer than allowed.
    PathLevels {
        /// Levels given.
        levels: usize,
    },
    /// An uncompressed public key starts with 0x04.
    PublicKeyForm,
    /// A signature whose recovery needs more than `v` can say (chance below 2^-127).
    Recovery,
    /// An address that has not 20 bytes, or whose mixed case is not its EIP-55 checksum.
    Address,
    /// Not a decimal number below 2^256.
    Amount,
    /// Chain 0 is no chain: the signature would not be bound to one.
    ChainId,
    /// EIP-2681: below 2^64 - 1.
    Nonce,
    /// A priority fee above the maximum fee.
    FeeOrder,
}

impl From<Refusal> for Violation {
    /// The host is told that the inputs break a rule, not which one: a message could end up in a trace.
    fn from(_: Refusal) -> Self {
        Self
    }
}
