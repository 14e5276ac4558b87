//! Fields of a published account record, its counter, and a proposer by turns. What the record means beyond them is not known here.

use std::collections::BTreeMap;

use enact_guest_sdk::{Raw, Violation};
use serde::{Deserialize, Serialize};

/// The members of an object, each as the text it came in.
type Members<'a> = BTreeMap<String, &'a Raw>;

#[derive(Deserialize)]
pub(crate) struct Fields {
    wallet_record: Record,
}

#[derive(Deserialize)]
struct Record {
    actor_id: String,
    addresses: Addresses,
    state: State,
}

#[derive(Deserialize)]
struct Addresses {
    eoa: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    address: String,
}

#[derive(Deserialize)]
struct State {
    eoa: Counter,
}

#[derive(Deserialize)]
struct Counter {
    nonce: u64,
}

#[derive(Serialize)]
pub(crate) struct Extracted {
    actor_id: String,
    current_nonce: u64,
    from_address: String,
}

/// `CT_PURE_EXTRACT_WALLET_TX_FIELDS_V0`: owner, first address and counter.
pub(crate) fn extract_fields(i: Fields) -> Result<Extracted, Violation> {
    let record = i.wallet_record;
    let from_address = record.addresses.eoa.into_iter().next().ok_or(Violation)?.address;
    Ok(Extracted { actor_id: record.actor_id, current_nonce: record.state.eoa.nonce, from_address })
}

#[derive(Deserialize)]
pub(crate) struct Increment<'a> {
    #[serde(borrow)]
    wallet_record: Members<'a>,
}

#[derive(Serialize)]
pub(crate) struct Incremented {
    nonce: u64,
    updated_wallet_record: Box<Raw>,
}

/// `CT_PURE_INCREMENT_WALLET_NONCE_V0`: the counter as it was, and the record with the next one. Nothing else of the record changes.
pub(crate) fn increment_nonce(i: Increment<'_>) -> Result<Incremented, Violation> {
    let mut record = i.wallet_record;
    let mut state = members(record.get("state"))?;
    let mut account = members(state.get("eoa"))?;
    let nonce: u64 = account.get("nonce").and_then(|raw| serde_json::from_str(raw.get()).ok()).ok_or(Violation)?;
    let next = raw(&nonce.checked_add(1).ok_or(Violation)?)?;
    account.insert("nonce".to_owned(), &next);
    let account = raw(&account)?;
    state.insert("eoa".to_owned(), &account);
    let state = raw(&state)?;
    record.insert("state".to_owned(), &state);
    Ok(Incremented { nonce, updated_wallet_record: raw(&record)? })
}

fn members<'a>(value: Option<&&'a Raw>) -> Result<Members<'a>, Violation> {
    value.and_then(|raw| serde_json::from_str(raw.get()).ok()).ok_or(Violation)
}

fn raw<T: Serialize>(value: &T) -> Result<Box<Raw>, Violation> {
    serde_json::value::to_raw_value(value).map_err(|_| Violation)
}

#[derive(Deserialize)]
pub(crate) struct Candidates {
    eligible_validators: Vec<Candidate>,
    round_number: u64,
}

#[derive(Deserialize)]
struct Candidate {
    actor_id: String,
}

#[derive(Serialize)]
pub(crate) struct Selected {
    proposer_id: String,
}

/// `CT_PURE_SELECT_PROPOSER_V0`: by turns, in the order given.
pub(crate) fn select_proposer(i: Candidates) -> Result<Selected, Violation> {
    let mut candidates = i.eligible_validators;
    let turn = i.round_number.checked_rem(candidates.len() as u64).ok_or(Violation)?;
    let turn = usize::try_from(turn).map_err(|_| Violation)?;
    Ok(Selected { proposer_id: candidates.swap_remove(turn).actor_id })
}
