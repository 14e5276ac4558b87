//! Private and public keys on secp256k1, the one curve of the wallet modules.

use k256::elliptic_curve::sec1::ToSec1Point;
use k256::{NonZeroScalar, PublicKey};

use crate::refusal::Refusal;

/// A private key as SEC 1 and BIP-32 read it: big-endian, from 1 to n - 1.
///
/// # Errors
/// [`Refusal::Scalar`].
pub fn scalar(bytes: &[u8; 32]) -> Result<NonZeroScalar, Refusal> {
    NonZeroScalar::from_repr((*bytes).into()).into_option().ok_or(Refusal::Scalar)
}

/// The uncompressed public key: 0x04, x, y.
#[must_use]
pub fn public_key(key: &NonZeroScalar) -> [u8; 65] {
    PublicKey::from_secret_scalar(key).to_uncompressed_point().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of the group (SEC 2, 2.4.1).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
        0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ];

    #[test]
    fn a_private_key_lies_between_zero_and_the_order() {
        let (mut one, mut last) = ([0u8; 32], ORDER);
        one[31] = 1;
        last[31] -= 1;
        assert!(scalar(&[0; 32]).is_err());
        assert!(scalar(&one).is_ok());
        assert!(scalar(&last).is_ok());
        assert!(scalar(&ORDER).is_err());
        assert!(scalar(&[0xff; 32]).is_err());
    }
}
