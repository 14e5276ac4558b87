//! Published pure transforms of particular domains: quotas, inactivity, number sequences, a proposer, fields of an account record.
//!
//! No clock: a transform that compares with the present takes the present as an input.

mod account;
mod eligibility;
mod instant;
mod sequence;

enact_guest_sdk::transform! {
    "CT_PURE_CHECK_QUOTA_AVAILABLE_V0" => eligibility::check_quota,
    "CT_PURE_CHECK_TRAINING_STATUS_V0" => eligibility::check_training,
    "CT_PURE_COLLATZ_STEP_V0" => sequence::collatz,
    "CT_PURE_EVALUATE_INACTIVITY_V0" => eligibility::evaluate_inactivity,
    "CT_PURE_EXTRACT_WALLET_TX_FIELDS_V0" => account::extract_fields,
    "CT_PURE_INCREMENT_WALLET_NONCE_V0" => account::increment_nonce,
    "CT_PURE_SELECT_PROPOSER_V0" => account::select_proposer,
    "CT_PURE_TERMINATION_CHECK_V0" => sequence::check_termination,
}

#[cfg(test)]
mod tests;
