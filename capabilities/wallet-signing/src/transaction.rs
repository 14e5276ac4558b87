//! `CT_PURE_BUILD_ETH_TRANSACTION_V0`: the bytes of an unsigned EIP-1559 transaction.
//!
//! `0x02 || rlp([chain_id, nonce, max_priority_fee_per_gas, max_fee_per_gas, gas_limit, to, value, data, access_list])`.
//! It checks what EIP-1559 checks without a chain state; balance, nonce order and intrinsic gas are not its business.
//! Contract creation (an empty `to`) is refused, because the protocol requires a destination.

use alloy_rlp::{Encodable, Header};
use enact_guest_sdk::{Raw, Violation};
use enact_wallet_primitives::{Bytes, Inputs, Refusal, parse_address};
use serde::Serialize;

/// EIP-2718 type byte of EIP-1559.
const TYPE: u8 = 0x02;

/// Gas of a plain payment, the published default.
const GAS_LIMIT: u64 = 21_000;

/// The published default, in wei.
const MAX_FEE_PER_GAS: &str = "20000000000";

/// The published default, in wei.
const MAX_PRIORITY_FEE_PER_GAS: &str = "1000000000";

/// Outputs of `CT_PURE_BUILD_ETH_TRANSACTION_V0`.
#[derive(Serialize)]
pub(crate) struct Outputs {
    /// The type byte and the list; its Keccak-256 is what gets signed.
    unsigned_tx_bytes: Bytes,
}

/// A number below 2^256, big-endian. RLP has it without the leading zeros.
type Number = [u8; 32];

/// `CT_PURE_BUILD_ETH_TRANSACTION_V0`: takes `chain_id`, `nonce`, `to` and `value` and, if they are there, `gas_limit`,
/// `max_fee_per_gas`, `max_priority_fee_per_gas`, `data` and `access_list`. Amounts are decimal strings of wei: they pass 2^53.
pub(crate) fn build_eth_transaction(inputs: &Raw) -> Result<Outputs, Violation> {
    let inputs = Inputs::read(inputs)?;
    Ok(Outputs { unsigned_tx_bytes: Bytes(encode(&inputs)?) })
}

fn encode(inputs: &Inputs<'_>) -> Result<Vec<u8>, Refusal> {
    let chain_id = inputs.number("chain_id")?;
    if chain_id == 0 {
        return Err(Refusal::ChainId);
    }
    let nonce = inputs.number("nonce")?;
    if nonce == u64::MAX {
        return Err(Refusal::Nonce);
    }
    let max_fee = optional_amount(inputs, "max_fee_per_gas", MAX_FEE_PER_GAS)?;
    let priority_fee = optional_amount(inputs, "max_priority_fee_per_gas", MAX_PRIORITY_FEE_PER_GAS)?;
    if priority_fee > max_fee {
        return Err(Refusal::FeeOrder);
    }
    let mut fields = Vec::new();
    chain_id.encode(&mut fields);
    nonce.encode(&mut fields);
    trimmed(&priority_fee).encode(&mut fields);
    trimmed(&max_fee).encode(&mut fields);
    inputs.optional_number("gas_limit")?.unwrap_or(GAS_LIMIT).encode(&mut fields);
    address(inputs, "to")?.encode(&mut fields);
    trimmed(&amount(&inputs.text("value")?)?).encode(&mut fields);
    inputs.optional_bytes("data")?.unwrap_or_default().0.as_slice().encode(&mut fields);
    list(&access_list(&inputs.objects("access_list")?)?, &mut fields);

    let mut bytes = vec![TYPE];
    list(&fields, &mut bytes);
    Ok(bytes)
}

/// The entries of EIP-2930, in the form of the JSON-RPC interface: `{"address": …, "storageKeys": […]}`.
fn access_list(entries: &[Inputs<'_>]) -> Result<Vec<u8>, Refusal> {
    let mut encoded = Vec::new();
    for entry in entries {
        let mut keys = Vec::new();
        for key in entry.fixed_list::<32>("storageKeys")? {
            key.0.as_slice().encode(&mut keys);
        }
        let mut fields = Vec::new();
        address(entry, "address")?.encode(&mut fields);
        list(&keys, &mut fields);
        list(&fields, &mut encoded);
    }
    Ok(encoded)
}

/// An address, as RLP has it. Its EIP-55 checksum is judged when it mixes cases.
fn address(inputs: &Inputs<'_>, name: &'static str) -> Result<impl Encodable, Refusal> {
    parse_address(&inputs.text(name)?).map(|address| address.0).ok_or(Refusal::Address)
}

/// Puts the header of a list before its encoded members.
fn list(payload: &[u8], out: &mut Vec<u8>) {
    Header { list: true, payload_length: payload.len() }.encode(out);
    out.extend_from_slice(payload);
}

fn optional_amount(inputs: &Inputs<'_>, name: &'static str, default: &str) -> Result<Number, Refusal> {
    amount(inputs.optional_text(name)?.as_deref().unwrap_or(default))
}

/// A decimal number below 2^256. Digits only: no sign, no space, no exponent.
fn amount(text: &str) -> Result<Number, Refusal> {
    if text.is_empty() {
        return Err(Refusal::Amount);
    }
    let mut number = [0u8; 32];
    for character in text.chars() {
        let mut carry = character.to_digit(10).ok_or(Refusal::Amount)?;
        for byte in number.iter_mut().rev() {
            let [_, _, high, low] = u32::from(*byte).wrapping_mul(10).wrapping_add(carry).to_be_bytes();
            *byte = low;
            carry = u32::from(high);
        }
        if carry != 0 {
            return Err(Refusal::Amount);
        }
    }
    Ok(number)
}

fn trimmed(number: &Number) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
