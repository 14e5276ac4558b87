//! Pure transforms of general use, under the codes and with the behaviour of the published protocol. No state, no clock, no randomness.
//!
//! Data that is only passed on, compared or hashed is never parsed: it stays the canonical text that the host sent.

mod identity;
mod record;
mod response;

enact_guest_sdk::transform! {
    "CT_EXEC_EMIT_V0" => record::emit,
    "CT_PURE_ASSEMBLE_RECORD_V0" => record::assemble,
    "CT_PURE_EXTRACT_V0" => record::extract,
    "CT_PURE_FILTER_RECORDS_V0" => record::filter,
    "CT_PURE_GENERATE_ID_V0" => identity::generate_id,
    "CT_PURE_LOOKUP_V0" => record::lookup,
    "CT_PURE_MAP_RESULT_TO_HTTP_V0" => response::map_result,
    "CT_PURE_PASSTHROUGH_V0" => record::pass,
}

#[cfg(test)]
mod tests;
