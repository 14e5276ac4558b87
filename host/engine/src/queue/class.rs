//! Codes of refusals and faults by who can do something about them (I-48).
use enact_core::govern::{GovernCode, Stage};
use enact_queue::id::is_name;
use enact_queue::retry::{Class, Failure};

use crate::error::EngineError;
use crate::report::ExitReport;

/// The reason of a failure that has no word of its own.
const REASON_FAILED: &str = "failed";

/// A failure with this reason, as far as it is a word.
pub(crate) fn failure(class: Class, reason: &str) -> Failure {
    let reason = if is_name(reason) { reason } else { REASON_FAILED };
    Failure { class, reason: reason.to_owned() }
}

/// Whether the judge's refusal of an execution says that it has been done already.
pub(crate) fn is_duplicate(code: &str) -> bool {
    matches!(code, "chain_kept" | "lifecycle_edge" | "key_consumed")
}

/// Whether the record was made for a state that is not the present one: drafted anew, it may hold.
pub(crate) fn is_stale(code: &str) -> bool {
    matches!(code, "chain_prev" | "chain_protocol")
}

/// What the judge refused.
pub(crate) fn of_refusal(code: &str) -> Failure {
    let known = GovernCode::ALL.iter().find(|known| known.as_str() == code).copied();
    let class = if is_duplicate(code) {
        Class::Duplicate
    } else if known == Some(GovernCode::PostingFloor) {
        // Not enough of it: the workflow's own no, said by the book.
        Class::Business
    } else if known.is_some_and(|known| known == GovernCode::InvariantViolated || known.stage() == Stage::Postings) {
        Class::Invariant
    } else {
        // Everything else can be mended: a role, a key, a state, a module.
        Class::Resolvable
    };
    failure(class, code)
}

/// How a run ended that did not succeed.
pub(crate) fn of_exit(exit: &ExitReport) -> Failure {
    let word = exit.code.as_deref().unwrap_or(&exit.reason);
    match exit.class.as_str() {
        "FAILURE" => failure(Class::Business, &exit.reason),
        // The host ended it: a bound, a trap, a deadline.
        _ => failure(Class::Resolvable, word),
    }
}

/// What kept a run from ending at all.
pub(crate) fn of_error(error: &EngineError) -> Failure {
    let goes_away = matches!(error, EngineError::Infrastructure { .. } | EngineError::Contention { .. })
        || matches!(error, EngineError::Store(error) if error.is_transient());
    failure(if goes_away { Class::Transient } else { Class::Resolvable }, error.code())
}
