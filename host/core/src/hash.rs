//! The digests of the ledger, each with its own purpose and domain, never mixed.
//!
//! Where the choice is ours it is BLAKE3 with a `derive_key` context per type; where a standard or a counterpart pins it,
//! SHA-256. The table is in `protocol/ledger.md`. This module knows bytes only: which bytes is decided by its callers.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Digest as _;

/// A raw 32-byte hash: both algorithms have this width.
pub type Hash = [u8; 32];

/// Domain of [`record_hash`].
pub const RECORD_CONTEXT: &str = "enact record v1";
/// Domain of [`entry_hash`].
pub const ENTRY_CONTEXT: &str = "enact entry v1";
/// Domain of [`blob_hash`].
pub const BLOB_CONTEXT: &str = "enact blob v1";
/// Context of [`delivery_hash`].
pub const DELIVERY_CONTEXT: &str = "enact delivery v1";

/// First byte of a leaf's preimage (RFC 6962 §2.1): a leaf can never be mistaken for an inner node.
const LEAF_PREFIX: u8 = 0x00;
/// First byte of an inner node's preimage (RFC 6962 §2.1).
const NODE_PREFIX: u8 = 0x01;

/// Length of a digest's tag with its colon: both algorithms have names of six letters.
const TAG_LEN: usize = 7;
/// Length of a digest as text.
const TEXT_LEN: usize = TAG_LEN + 64;

/// Which algorithm made a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alg {
    /// BLAKE3, 256 bits of output.
    Blake3,
    /// SHA-256 (FIPS 180-4).
    Sha256,
}

impl Alg {
    /// The tag in front of the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Sha256 => "sha256",
        }
    }
}

/// A tagged digest, `alg:hex` as text: the algorithm is part of the value, so the two are never compared by accident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    /// The algorithm.
    pub alg: Alg,
    /// The hash itself.
    pub bytes: Hash,
}

/// The text is not `blake3:` or `sha256:` followed by 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestError;

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest is `blake3:` or `sha256:` and 64 lower-case hex digits")
    }
}

impl core::error::Error for DigestError {}

impl Digest {
    /// A BLAKE3 digest.
    #[must_use]
    pub const fn blake3(bytes: Hash) -> Self {
        Self { alg: Alg::Blake3, bytes }
    }

    /// A SHA-256 digest.
    #[must_use]
    pub const fn sha256(bytes: Hash) -> Self {
        Self { alg: Alg::Sha256, bytes }
    }

    /// Whether this text is the digest's one spelling.
    #[must_use]
    pub fn is_spelled(&self, text: &str) -> bool {
        self.spell(&mut [0; TEXT_LEN]) == text
    }

    /// The hex digits without the tag.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex::encode(self.bytes)
    }
}

impl Digest {
    /// Writes the text into a buffer on the stack: digests are most of what a receipt holds.
    fn spell<'b>(&self, buffer: &'b mut [u8; TEXT_LEN]) -> &'b str {
        let (tag, rest) = buffer.split_at_mut(TAG_LEN);
        tag.copy_from_slice(match self.alg {
            Alg::Blake3 => b"blake3:",
            Alg::Sha256 => b"sha256:",
        });
        // The buffer holds exactly two digits per byte, all of them ASCII: neither conversion has a way to fail.
        let written = hex::encode_to_slice(self.bytes, rest).is_ok();
        core::str::from_utf8(buffer).ok().filter(|_| written).unwrap_or_default()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.spell(&mut [0; TEXT_LEN]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (alg, digits) = match text.split_once(':') {
            Some(("blake3", digits)) => (Alg::Blake3, digits),
            Some(("sha256", digits)) => (Alg::Sha256, digits),
            _ => return Err(DigestError),
        };
        let digits: &[u8; 64] = digits.as_bytes().try_into().map_err(|_| DigestError)?;
        // Lower case only: one spelling per digest. Without a branch in the loop, the compiler looks at many digits at once.
        let (mut wrong, mut nibbles) = (false, [0_u8; 64]);
        for (nibble, digit) in nibbles.iter_mut().zip(digits) {
            let (decimal, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
            wrong |= (decimal > 9) & (letter > 5);
            *nibble = if decimal > 9 { letter.wrapping_add(10) } else { decimal };
        }
        if wrong {
            return Err(DigestError);
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(nibbles.as_chunks::<2>().0) {
            *byte = (high << 4) | low;
        }
        Ok(Self { alg, bytes })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.spell(&mut [0; TEXT_LEN]))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Digest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&DigestError, f)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Over a record's canonical bytes without `sig`: its portable meaning, for idempotency and back-links.
#[must_use]
pub fn record_hash(bytes: &[u8]) -> Digest {
    derived(RECORD_CONTEXT, bytes)
}

/// Over the whole stored entry: the `prev` of the next one.
#[must_use]
pub fn entry_hash(bytes: &[u8]) -> Digest {
    derived(ENTRY_CONTEXT, bytes)
}

/// Over a payload kept outside its entry.
#[must_use]
pub fn blob_hash(bytes: &[u8]) -> Digest {
    derived(BLOB_CONTEXT, bytes)
}

/// Over listener, entry and position of a record: the id of the one run that follows is made of it.
#[must_use]
pub fn delivery_hash(listener: &str, entry: &Digest, record: usize) -> Hash {
    // Codes have no spaces and a digest has one length: no two deliveries are spelled the same.
    blake3::derive_key(DELIVERY_CONTEXT, alloc::format!("{listener} {entry} {record}").as_bytes())
}

/// Over a component's bytes: plain BLAKE3, so that `b3sum` on the file gives the same.
#[must_use]
pub fn module_digest(bytes: &[u8]) -> Digest {
    Digest::blake3(*blake3::hash(bytes).as_bytes())
}

/// Over canonical JSON: plain BLAKE3 keyed by a context of the caller's, for documents that have no hash of their own
/// here. Contexts are constants in the source, never input (BLAKE3 §6.2).
#[must_use]
pub fn derived(context: &'static str, bytes: &[u8]) -> Digest {
    Digest::blake3(blake3::derive_key(context, bytes))
}

/// Over the canonical payload at an exit: equal for every faithful replay.
#[must_use]
pub fn context_hash(bytes: &[u8]) -> Digest {
    Digest::sha256(sha256(bytes))
}

/// Plain SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    sha2::Sha256::digest(bytes).into()
}

/// The Merkle leaf of a stored entry: `SHA-256(0x00 ‖ bytes)`, RFC 6962 §2.1.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    sha2::Sha256::new_with_prefix([LEAF_PREFIX]).chain_update(bytes).finalize().into()
}

/// An inner node of the tree: `SHA-256(0x01 ‖ left ‖ right)`, RFC 6962 §2.1.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha2::Sha256::new_with_prefix([NODE_PREFIX]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn a_digest_has_exactly_one_spelling() {
        let digest = module_digest(b"");
        let text = digest.to_string();
        assert_eq!(text, "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_eq!(text.parse(), Ok(digest));
        let hex = digest.to_hex();
        for wrong in [
            hex.clone(),
            alloc::format!("md5:{hex}"),
            text.to_uppercase(),
            alloc::format!("blake3:{}", hex.to_uppercase()),
            alloc::format!("{text}0"),
        ] {
            assert_eq!(wrong.parse::<Digest>(), Err(DigestError), "{wrong}");
        }
    }

    #[test]
    fn every_digit_of_a_digest_is_one_of_sixteen() {
        let text = module_digest(b"digits").to_string();
        for (place, byte) in (TAG_LEN..TEXT_LEN).flat_map(|place| (0..0x80).map(move |byte| (place, byte))) {
            let mut other = text.clone();
            other.replace_range(place..=place, char::from(byte).encode_utf8(&mut [0; 4]));
            let digit = byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            let read = other.parse::<Digest>();
            assert_eq!(read.map(|digest| digest.to_string()), if digit { Ok(other.clone()) } else { Err(DigestError) }, "{other}");
            assert_eq!(read.is_ok_and(|digest| digest.is_spelled(&text)), other == text);
        }
    }

    #[test]
    fn the_same_bytes_hash_differently_in_every_domain() {
        let all = [
            record_hash(b"x").bytes,
            entry_hash(b"x").bytes,
            blob_hash(b"x").bytes,
            module_digest(b"x").bytes,
            sha256(b"x"),
            leaf_hash(b"x"),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|b| a != b), "hash {i}");
        }
    }

    #[test]
    fn context_hash_is_the_published_sha256() {
        assert_eq!(context_hash(b"abc").to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
