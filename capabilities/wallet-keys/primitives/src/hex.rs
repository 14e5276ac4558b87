//! Byte strings as they cross the boundary: `0x` and lower-case hexadecimal digits in JSON.
//!
//! Decoding takes the same time for every digit (`base16ct`), because most of these strings are keys. No message shows a
//! digit of what was refused, and neither type prints its bytes with `{:?}`.

use core::fmt;

use serde::ser::{Serialize, Serializer};

/// Any number of bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// Exactly `N` bytes: a key, a digest, an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fixed<const N: usize>(pub [u8; N]);

/// `0x` and two lower-case digits a byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digits = base16ct::lower::encode_string(bytes);
    let mut text = String::with_capacity(digits.len().saturating_add(2));
    text.push_str("0x");
    text.push_str(&digits);
    text
}

/// Two lower-case digits a byte, without a prefix.
#[must_use]
pub fn encode_bare(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// The digits without the optional `0x`; their case is not judged.
pub(crate) fn digits(text: &str) -> &str {
    text.strip_prefix("0x").unwrap_or(text)
}

impl Bytes {
    /// Reads digits of either case, with or without `0x`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base16ct::mixed::decode_vec(digits(text)).ok().map(Self)
    }
}

impl<const N: usize> Fixed<N> {
    /// Reads exactly `2 * N` digits of either case, with or without `0x`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; N];
        let decoded = base16ct::mixed::decode(digits(text), &mut bytes).ok()?;
        (decoded.len() == N).then_some(Self(bytes))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.0.len())
    }
}

impl<const N: usize> fmt::Debug for Fixed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fixed({N} bytes)")
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<const N: usize> Serialize for Fixed<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_either_case_are_read_with_and_without_prefix() {
        for text in ["0x00ffAb", "00FFab", "0x00ffab"] {
            assert_eq!(Bytes::parse(text), Some(Bytes(vec![0x00, 0xff, 0xab])), "{text}");
            assert_eq!(Fixed::parse(text), Some(Fixed([0x00, 0xff, 0xab])), "{text}");
        }
        assert_eq!(Bytes::parse("0x"), Some(Bytes(Vec::new())));
    }

    #[test]
    fn half_bytes_other_letters_and_other_lengths_are_refused() {
        for text in ["0x0", "0xg0", "0x0x00", " 00", "0X00", "é"] {
            assert_eq!(Bytes::parse(text), None, "{text}");
        }
        for text in ["", "0x", "0x00", "0x00000000", "0x00000", "0x0000000"] {
            assert_eq!(Fixed::<3>::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_byte_shows_in_debug_output() {
        assert_eq!(format!("{:?} {:?}", Bytes(vec![0x5e; 3]), Fixed([0x5e; 4])), "Bytes(3 bytes) Fixed(4 bytes)");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(Bytes::parse(&encode(&bytes)), Some(Bytes(bytes)));
    }
}
