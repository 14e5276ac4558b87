//! From private key to public key to address.

use enact_guest_sdk::{Raw, Violation};
use enact_wallet_primitives::{Fixed, Inputs, Refusal, address, public_key, scalar};
use serde::Serialize;

/// First byte of an uncompressed point (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 0x04;

/// Outputs of `CT_PURE_PRIVATE_KEY_TO_PUBLIC_V0`.
#[derive(Serialize)]
pub(crate) struct PublicKeyOutputs {
    /// 0x04, x, y.
    public_key_uncompressed_bytes: Fixed<65>,
}

/// Outputs of `CT_PURE_PUBKEY_TO_ETH_ADDRESS_V0`.
#[derive(Serialize)]
pub(crate) struct AddressOutputs {
    /// Lower-case; the EIP-55 form is for people and is not a protocol value.
    eth_address_hex: Fixed<20>,
}

/// `CT_PURE_PRIVATE_KEY_TO_PUBLIC_V0`: takes `private_key_bytes` and, if it is there, `curve`.
pub(crate) fn private_key_to_public(inputs: &Raw) -> Result<PublicKeyOutputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    inputs.check_curve()?;
    let key = scalar(&inputs.fixed("private_key_bytes")?.0)?;
    Ok(PublicKeyOutputs { public_key_uncompressed_bytes: Fixed(public_key(&key)) })
}

/// `CT_PURE_PUBKEY_TO_ETH_ADDRESS_V0`: takes `public_key_uncompressed_bytes`.
///
/// The point is not checked to lie on the curve: the published vector's does not, and an address is a hash, so a wrong point gives an
/// address that nobody can spend from, never a leak.
pub(crate) fn pubkey_to_eth_address(inputs: &Raw) -> Result<AddressOutputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    let key = inputs.fixed::<65>("public_key_uncompressed_bytes")?.0;
    if key[0] != UNCOMPRESSED {
        return Err(Refusal::PublicKeyForm.into());
    }
    Ok(AddressOutputs { eth_address_hex: Fixed(address(&key)) })
}
