//! Validators: membership of a set, comparison rules over parameters, structure of a record. They judge data and change none.

mod integer;
mod pattern;
mod structure;
mod validation;

enact_guest_sdk::transform! {
    "CT_PURE_REQUIRE_PARAMETER_RULES_V0" => validation::require_rules,
    "CT_PURE_REQUIRE_SET_MEMBERSHIP_V0" => validation::require_membership,
    "CT_PURE_VALIDATE_PARAMETER_RULES_V0" => validation::rules,
    "CT_PURE_VALIDATE_RECORD_STRUCTURE_V0" => structure::validate,
    "CT_PURE_VALIDATE_SET_MEMBERSHIP_V0" => validation::membership,
}

#[cfg(test)]
mod tests;
