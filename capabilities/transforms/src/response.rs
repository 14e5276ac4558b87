//! `CT_PURE_MAP_RESULT_TO_HTTP_V0`: the HTTP status for the result of a run. It maps names to numbers and speaks no HTTP.

use std::collections::BTreeMap;

use enact_guest_sdk::{Raw, Violation};
use serde::{Deserialize, Serialize};

/// What a result gets that the mapping does not name: an omission of the server.
const UNMAPPED: u16 = 500;
/// What the reason of a failed run begins with; the rest is the status that led to the exit.
const EXIT_PREFIX: &str = "EXIT_";
/// The status of a failed run that gives no reason.
const UNEXPLAINED: &str = "BACKEND_ERROR";
const SUCCESS: &str = "SUCCESS";

#[derive(Deserialize)]
pub(crate) struct MapResult<'a> {
    #[serde(borrow)]
    execution_result: &'a Raw,
    mapping: BTreeMap<String, u16>,
}

/// What the mapping needs to know of a result.
#[derive(Deserialize)]
struct Execution {
    status: String,
    exit_reason_code: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Response<'a> {
    http_status: u16,
    response_body: &'a Raw,
    result_status: String,
}

/// The body is the result, unchanged.
pub(crate) fn map_result(i: MapResult<'_>) -> Result<Response<'_>, Violation> {
    let execution: Execution = serde_json::from_str(i.execution_result.get()).map_err(|_| Violation)?;
    let result_status = if execution.status == SUCCESS {
        execution.status
    } else {
        let reason = execution.exit_reason_code.unwrap_or_else(|| UNEXPLAINED.to_owned());
        reason.strip_prefix(EXIT_PREFIX).map(str::to_owned).unwrap_or(reason)
    };
    let http_status = i.mapping.get(&result_status).copied().unwrap_or(UNMAPPED);
    Ok(Response { http_status, response_body: i.execution_result, result_status })
}
