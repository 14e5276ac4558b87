//! `CT_PURE_DERIVE_WALLET_KEYPAIRS_V0`: two key pairs of one seed, of which only the public halves leave.
//!
//! The random bytes are an input. Whoever can read that input can derive every key again, so a binding that records inputs
//! must keep it as it keeps the keys.

use enact_guest_sdk::{Raw, Violation};
use enact_wallet_primitives::{ExtendedKey, Fixed, HARDENED, Inputs, Refusal, address, encode_bare, public_key};
use serde::Serialize;

use crate::mnemonic::{entropy, seed, sentence};

/// Most levels of a path. BIP-32 allows 255 and BIP-44 uses 5; each costs a point multiplication, and the default fuel pays for 16.
const PATH_LEVELS_MAX: usize = 16;

/// Outputs of `CT_PURE_DERIVE_WALLET_KEYPAIRS_V0`. Fields that the protocol writes without `0x` are plain strings.
#[derive(Serialize)]
pub(crate) struct Outputs {
    /// Address of the first key.
    eoa_address: Fixed<20>,
    /// Its whole path, from `m`.
    eoa_derivation_path: String,
    /// Its uncompressed public key, without `0x`.
    eoa_public_key_hex: String,
    /// Fingerprint of the master key, without `0x`.
    master_fingerprint: String,
    /// Address of the second key.
    utxo_address: Fixed<20>,
    /// Its whole path, from `m`.
    utxo_derivation_path: String,
    /// Its uncompressed public key, without `0x`.
    utxo_public_key_hex: String,
}

/// What is told of a derived key.
struct Public {
    address: Fixed<20>,
    path: String,
    key: String,
}

/// `CT_PURE_DERIVE_WALLET_KEYPAIRS_V0`: takes `entropy_bits` and the caller's `entropy_bytes`, `root_path_indices`,
/// `eoa_child_indices` and `utxo_child_indices`, and, if they are there, `passphrase` and `curve`.
pub(crate) fn derive_wallet_keypairs(inputs: &Raw) -> Result<Outputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    Ok(derive(&inputs)?)
}

fn derive(inputs: &Inputs<'_>) -> Result<Outputs, Refusal> {
    inputs.check_curve()?;
    let root = inputs.indices("root_path_indices")?;
    let [eoa, utxo] = [inputs.indices("eoa_child_indices")?, inputs.indices("utxo_child_indices")?];
    for child in [&eoa, &utxo] {
        let levels = root.len().saturating_add(child.len());
        if levels > PATH_LEVELS_MAX {
            return Err(Refusal::PathLevels { levels });
        }
    }
    let seed = seed(&sentence(&entropy(inputs)?)?, inputs)?;
    let master = ExtendedKey::master(&seed)?;
    let account = master.descend(&root)?;
    let [eoa, utxo] = [public(&account, &root, &eoa)?, public(&account, &root, &utxo)?];
    Ok(Outputs {
        eoa_address: eoa.address,
        eoa_derivation_path: eoa.path,
        eoa_public_key_hex: eoa.key,
        master_fingerprint: encode_bare(&master.fingerprint()),
        utxo_address: utxo.address,
        utxo_derivation_path: utxo.path,
        utxo_public_key_hex: utxo.key,
    })
}

fn public(account: &ExtendedKey, root: &[u32], child: &[u32]) -> Result<Public, Refusal> {
    let key = public_key(account.descend(child)?.scalar());
    Ok(Public { address: Fixed(address(&key)), path: path_text(root.iter().chain(child)), key: encode_bare(&key) })
}

/// `m/44'/66'/0'/0/0`.
fn path_text<'a>(path: impl IntoIterator<Item = &'a u32>) -> String {
    let mut text = String::from("m");
    for index in path {
        text.push('/');
        text.push_str(&(index & !HARDENED).to_string());
        if *index >= HARDENED {
            text.push('\'');
        }
    }
    text
}
