//! Decisions over integers: scores, repayment plans, serial numbers, and settings rendered from a template.
//!
//! Amounts are minor units and never pass through a float. What a score or a plan leads to is the workflow's business.

mod amortize;
mod render;
mod score;
mod serial;

enact_guest_sdk::transform! {
    "CT_PURE_AMORTIZE_V0" => amortize::amortize,
    "CT_PURE_DERIVE_SERIAL_V0" => serial::derive,
    "CT_PURE_RENDER_CONFIG_V0" => render::render,
    "CT_PURE_SCORE_RULES_V0" => score::score,
}
