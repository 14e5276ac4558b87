//! The choice among offers: whoever wins is listed, not excluded, and nobody who could have won offers less.

use std::collections::BTreeMap;

use enact_guest_sdk::Violation;
use serde::{Deserialize, Serialize};

use crate::amount::number;

#[derive(Deserialize)]
pub(crate) struct Input<'a> {
    #[serde(borrow)]
    record: Record<'a>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    payload: Choice<'a>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    winner: &'a str,
    amount: &'a str,
    #[serde(borrow)]
    offers: BTreeMap<&'a str, Offer<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offer<'a> {
    amount: &'a str,
    /// Why it cannot win.
    excluded: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Holds {}

/// `CT_INVARIANT_LEAST_OFFER_V0`.
pub(crate) fn least(i: Input<'_>) -> Result<Holds, Violation> {
    let Choice { winner, amount, offers } = i.record.payload;
    let best = number(amount)?;
    let won = offers.get(winner).ok_or(Violation)?;
    if won.excluded.is_some() || won.amount != amount {
        return Err(Violation);
    }
    for offer in offers.values() {
        // Whether or not it could win: a list with something else than amounts in it is no list of offers.
        if number(offer.amount)? < best && offer.excluded.is_none() {
            return Err(Violation);
        }
    }
    Ok(Holds {})
}
