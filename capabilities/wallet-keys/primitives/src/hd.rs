//! BIP-32: private keys and chain codes, from a seed down a path.
//!
//! Private derivation only. Extended public keys and the Base58 form are not here: no capability asks for them.

use bitcoin_hashes::{Hash, HashEngine, hash160, hmac, sha512};
use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::sec1::ToSec1Point;
use k256::{NonZeroScalar, PublicKey, Scalar};

use crate::curve::scalar;
use crate::refusal::Refusal;

/// First index of the hardened half (BIP-32).
pub const HARDENED: u32 = 0x8000_0000;

/// A private key with its chain code.
pub struct ExtendedKey {
    key: NonZeroScalar,
    chain_code: [u8; 32],
}

impl ExtendedKey {
    /// `m` of a seed.
    ///
    /// # Errors
    /// [`Refusal::SeedLength`]; [`Refusal::Scalar`] for the seeds (one in 2^127) that have no master key.
    pub fn master(seed: &[u8]) -> Result<Self, Refusal> {
        if !(16..=64).contains(&seed.len()) {
            return Err(Refusal::SeedLength { bytes: seed.len() });
        }
        let (left, chain_code) = hmac_sha512_halves(b"Bitcoin seed", &[seed]);
        Self::new(&left, chain_code)
    }

    /// A key that was derived before.
    ///
    /// # Errors
    /// [`Refusal::Scalar`].
    pub fn new(private_key: &[u8; 32], chain_code: [u8; 32]) -> Result<Self, Refusal> {
        Ok(Self { key: scalar(private_key)?, chain_code })
    }

    /// CKDpriv of BIP-32; hardened from [`HARDENED`] on.
    ///
    /// # Errors
    /// [`Refusal::NoSuchChild`].
    pub fn child(&self, index: u32) -> Result<Self, Refusal> {
        let index_bytes = index.to_be_bytes();
        let (left, chain_code) = if index >= HARDENED {
            hmac_sha512_halves(&self.chain_code, &[&[0], &self.key.to_bytes(), &index_bytes])
        } else {
            hmac_sha512_halves(&self.chain_code, &[&self.compressed_public_key(), &index_bytes])
        };
        let no_such_child = Refusal::NoSuchChild { index };
        // The left half may be zero, so it is not read as a private key.
        let tweak = Scalar::from_repr(left.into()).into_option().ok_or(no_such_child)?;
        let key = NonZeroScalar::new(tweak + *self.key).into_option().ok_or(no_such_child)?;
        Ok(Self { key, chain_code })
    }

    /// Follows a path from this key.
    ///
    /// # Errors
    /// [`Refusal::NoSuchChild`].
    pub fn descend(&self, path: &[u32]) -> Result<Self, Refusal> {
        let start = Self { key: self.key, chain_code: self.chain_code };
        path.iter().try_fold(start, |parent, index| parent.child(*index))
    }

    /// The private key, as a number.
    #[must_use]
    pub const fn scalar(&self) -> &NonZeroScalar {
        &self.key
    }

    /// The private key, big-endian.
    #[must_use]
    pub fn private_key(&self) -> [u8; 32] {
        self.key.to_bytes().into()
    }

    /// The chain code.
    #[must_use]
    pub const fn chain_code(&self) -> [u8; 32] {
        self.chain_code
    }

    /// First four bytes of HASH160 of the compressed public key.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 4] {
        let digest = hash160::Hash::hash(&self.compressed_public_key()).to_byte_array();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    fn compressed_public_key(&self) -> [u8; 33] {
        PublicKey::from_secret_scalar(&self.key).to_compressed_point().into()
    }
}

fn hmac_sha512_halves(key: &[u8], parts: &[&[u8]]) -> ([u8; 32], [u8; 32]) {
    let mut engine = hmac::HmacEngine::<sha512::Hash>::new(key);
    for part in parts {
        engine.input(part);
    }
    let digest = hmac::Hmac::from_engine(engine).to_byte_array();
    let (mut left, mut right) = ([0u8; 32], [0u8; 32]);
    left.copy_from_slice(&digest[..32]);
    right.copy_from_slice(&digest[32..]);
    (left, right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::{Bytes, encode_bare};

    /// Seed; then path, private key and chain code, read out of the extended keys that BIP-32 publishes (test vectors 1 and 3; the
    /// second is about leading zeros).
    type Vector = (&'static str, &'static [(&'static [u32], &'static str, &'static str)]);

    const BIP_32: [Vector; 2] = [
        (
            "000102030405060708090a0b0c0d0e0f",
            &[
                (
                    &[],
                    "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35",
                    "873dff81c02f525623fd1fe5167eac3a55a049de3d314bb42ee227ffed37d508",
                ),
                (
                    &[HARDENED],
                    "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea",
                    "47fdacbd0f1097043b78c63c20c34ef4ed9a111d980047ad16282c7ae6236141",
                ),
                (
                    &[HARDENED, 1],
                    "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368",
                    "2a7857631386ba23dacac34180dd1983734e444fdbf774041578e9b6adb37c19",
                ),
                (
                    &[HARDENED, 1, HARDENED + 2, 2, 1_000_000_000],
                    "471b76e389e528d6de6d816857e012c5455051cad6660850e58372a6c3e6e7c8",
                    "c783e67b921d2beb8f6b389cc646d7263b4145701dadd2161548a8b078e65e9e",
                ),
            ],
        ),
        (
            "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be",
            &[
                (
                    &[],
                    "00ddb80b067e0d4993197fe10f2657a844a384589847602d56f0c629c81aae32",
                    "01d28a3e53cffa419ec122c968b3259e16b65076495494d97cae10bbfec3c36f",
                ),
                (
                    &[HARDENED],
                    "491f7a2eebc7b57028e0d3faa0acda02e75c33b03c48fb288c41e2ea44e1daef",
                    "e5fea12a97b927fc9dc3d2cb0d1ea1cf50aa5a1fdc1f933e8906bb38df3377bd",
                ),
            ],
        ),
    ];

    #[test]
    fn the_published_keys_come_out() {
        for (seed, keys) in BIP_32 {
            let master = ExtendedKey::master(&Bytes::parse(seed).unwrap().0).unwrap();
            for (path, private_key, chain_code) in keys {
                let key = master.descend(path).unwrap();
                assert_eq!(encode_bare(&key.private_key()), *private_key, "{path:?}");
                assert_eq!(encode_bare(&key.chain_code()), *chain_code, "{path:?}");
            }
        }
    }

    #[test]
    fn the_published_fingerprint_comes_out() {
        // BIP-32 test vector 1: the parent fingerprint that the extended key of m/0' carries.
        let master = ExtendedKey::master(&(0..16).collect::<Vec<u8>>()).unwrap();
        assert_eq!(encode_bare(&master.fingerprint()), "3442193e");
    }

    #[test]
    fn seeds_have_16_to_64_bytes() {
        for (bytes, fits) in [(0, false), (15, false), (16, true), (64, true), (65, false)] {
            assert_eq!(ExtendedKey::master(&vec![7; bytes]).err(), (!fits).then_some(Refusal::SeedLength { bytes }));
        }
    }

    #[test]
    fn keys_outside_the_group_are_refused() {
        for key in [[0; 32], [0xff; 32]] {
            assert_eq!(ExtendedKey::new(&key, [0; 32]).err(), Some(Refusal::Scalar));
        }
    }
}
