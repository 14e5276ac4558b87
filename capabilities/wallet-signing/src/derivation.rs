//! `CT_PURE_DERIVE_MASTER_KEY_V0` and `CT_PURE_DERIVE_CHILD_KEY_V0`: one step of BIP-32 each. Whole paths are the contract's business.

use enact_guest_sdk::{Raw, Violation};
use enact_wallet_primitives::{ExtendedKey, Fixed, Inputs};
use serde::Serialize;

/// Outputs of `CT_PURE_DERIVE_MASTER_KEY_V0`.
#[derive(Serialize)]
pub(crate) struct MasterOutputs {
    /// Chain code of `m`.
    master_chain_code_bytes: Fixed<32>,
    /// Private key of `m`.
    master_private_key_bytes: Fixed<32>,
}

/// Outputs of `CT_PURE_DERIVE_CHILD_KEY_V0`.
#[derive(Serialize)]
pub(crate) struct ChildOutputs {
    /// Chain code of the child.
    child_chain_code_bytes: Fixed<32>,
    /// Private key of the child.
    child_private_key_bytes: Fixed<32>,
}

/// `CT_PURE_DERIVE_MASTER_KEY_V0`: takes `seed_bytes`, 16 to 64 of them.
pub(crate) fn derive_master_key(inputs: &Raw) -> Result<MasterOutputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    let master = ExtendedKey::master(&inputs.bytes("seed_bytes")?.0)?;
    Ok(MasterOutputs { master_chain_code_bytes: Fixed(master.chain_code()), master_private_key_bytes: Fixed(master.private_key()) })
}

/// `CT_PURE_DERIVE_CHILD_KEY_V0`: takes `parent_private_key_bytes`, `parent_chain_code_bytes` and `index`, hardened from 2^31 on.
pub(crate) fn derive_child_key(inputs: &Raw) -> Result<ChildOutputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    let parent = ExtendedKey::new(&inputs.fixed("parent_private_key_bytes")?.0, inputs.fixed("parent_chain_code_bytes")?.0)?;
    let child = parent.child(inputs.index("index")?)?;
    Ok(ChildOutputs { child_chain_code_bytes: Fixed(child.chain_code()), child_private_key_bytes: Fixed(child.private_key()) })
}
