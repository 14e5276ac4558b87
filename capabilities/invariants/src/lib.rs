//! Invariants of records: asked by the judge before a record is appended, and again by everyone who rebuilds the state.
//!
//! They see the record, what its subject keeps and the balances it touches, and nothing else. Inputs that do not fit are a violation.

mod offer;

enact_guest_sdk::transform! {
    "CT_INVARIANT_LEAST_OFFER_V0" => offer::least,
}

#[cfg(test)]
mod tests;
