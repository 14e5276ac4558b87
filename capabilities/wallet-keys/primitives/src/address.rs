//! Keccak-256 and the addresses made with it.

use sha3::{Digest, Keccak256};

use crate::hex::{Fixed, digits, encode_bare};

/// Keccak-256 with the padding of the original submission, not that of FIPS 202.
#[must_use]
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// The last 20 bytes of Keccak-256 over x and y of an uncompressed public key.
#[must_use]
pub fn address(public_key: &[u8; 65]) -> [u8; 20] {
    let digest = keccak256(&public_key[1..]);
    let mut address = [0u8; 20];
    address.copy_from_slice(&digest[12..]);
    address
}

/// Reads an address: 20 bytes with or without `0x`; where it mixes upper and lower case, that must be the checksum of EIP-55.
#[must_use]
pub fn parse_address(text: &str) -> Option<Fixed<20>> {
    let address = Fixed::<20>::parse(text)?;
    let digits = digits(text);
    let mixed = digits.bytes().any(|b| b.is_ascii_uppercase()) && digits.bytes().any(|b| b.is_ascii_lowercase());
    (!mixed || digits == checksummed(&address.0)).then_some(address)
}

/// EIP-55, without prefix: a digit is upper case where the nibble of the hash at its place is 8 or more.
fn checksummed(address: &[u8; 20]) -> String {
    let lower = encode_bare(address);
    let hash = encode_bare(&keccak256(lower.as_bytes()));
    let cased = |(digit, nibble): (char, char)| if nibble >= '8' { digit.to_ascii_uppercase() } else { digit };
    lower.chars().zip(hash.chars()).map(cased).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test cases of EIP-55.
    const EIP_55: [&str; 8] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn the_published_checksums_come_out() {
        for text in EIP_55 {
            let address = Fixed::<20>::parse(text).map(|a| checksummed(&a.0));
            assert_eq!(address.as_deref(), text.strip_prefix("0x"));
            assert!(parse_address(text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_mixed_case_address_with_one_wrong_case_is_refused() {
        assert!(parse_address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed").is_some());
        assert!(parse_address("0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed").is_none());
        assert!(parse_address("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed").is_some());
        assert!(parse_address("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED").is_some());
    }

    #[test]
    fn an_address_of_another_length_or_alphabet_is_refused() {
        let digits = "52908400098527886e0f7030069857d2e4169ee7";
        assert!(parse_address(digits).is_some());
        let (short, long, upper) = (&digits[1..], format!("{digits}ab"), format!("0X{digits}"));
        for text in ["", "0x", "zz", short, &long, &upper] {
            assert!(parse_address(text).is_none(), "{text}");
        }
    }
}
