//! What is taken is all that was there; what is listed is listed once.

use std::collections::BTreeMap;

use enact_guest_sdk::Violation;
use serde::{Deserialize, Serialize};

use crate::amount::number;

#[derive(Deserialize)]
pub(crate) struct Emptied<'a> {
    #[serde(borrow)]
    record: Moving<'a>,
    #[serde(borrow)]
    balances: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct Moving<'a> {
    #[serde(borrow)]
    postings: Vec<Leg<'a>>,
}

#[derive(Deserialize)]
struct Leg<'a> {
    account: &'a str,
    amount: &'a str,
    asset: &'a str,
    side: &'a str,
}

#[derive(Deserialize)]
pub(crate) struct Listed<'a> {
    #[serde(borrow)]
    record: Listing<'a>,
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    payload: Intents<'a>,
}

#[derive(Deserialize)]
struct Intents<'a> {
    #[serde(borrow)]
    intents: Vec<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct Holds {}

/// `CT_INVARIANT_EMPTIED_V0`.
pub(crate) fn emptied(i: Emptied<'_>) -> Result<Holds, Violation> {
    let mut taken: BTreeMap<String, u128> = BTreeMap::new();
    for leg in i.record.postings.iter().filter(|leg| leg.side == "debit") {
        let total = taken.entry(format!("{}|{}", leg.account, leg.asset)).or_default();
        *total = total.checked_add(number(leg.amount)?).ok_or(Violation)?;
    }
    for (key, total) in &taken {
        if number(i.balances.get(key.as_str()).ok_or(Violation)?)? != *total {
            return Err(Violation);
        }
    }
    Ok(Holds {})
}

/// `CT_INVARIANT_ASCENDING_V0`.
pub(crate) fn ascending(i: Listed<'_>) -> Result<Holds, Violation> {
    let intents = &i.record.payload.intents;
    let ascends = intents.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
    if ascends && !intents.is_empty() { Ok(Holds {}) } else { Err(Violation) }
}
