//! Invariants of records: asked by the judge before a record is appended, and again by everyone who rebuilds the state.
//!
//! They see the record, what its subject keeps and the balances it touches, and nothing else. Inputs that do not fit are a violation.

mod amount;
mod ballot;
mod moved;
mod offer;

enact_guest_sdk::transform! {
    "CT_INVARIANT_LEAST_OFFER_V0" => offer::least,
    "CT_INVARIANT_BALLOT_CARRIED_V0" => ballot::carried,
    "CT_INVARIANT_BALLOT_LOST_V0" => ballot::lost,
    "CT_INVARIANT_EMPTIED_V0" => moved::emptied,
    "CT_INVARIANT_ASCENDING_V0" => moved::ascending,
}

#[cfg(test)]
mod tests;
