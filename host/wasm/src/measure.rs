//! For measurements only: what recording costs, without a guest around it.
use crate::import::{Effect, record};
use crate::transcript::HostCall;

/// Records these calls as those of one side effect, by the function that records every host call; how many were kept.
#[must_use]
pub fn record_all(calls: Vec<HostCall>) -> usize {
    let mut effect = Effect::default();
    for HostCall { request, answer } in calls {
        if record(&mut effect, request, &answer, 0).is_err() {
            break;
        }
    }
    effect.calls.len()
}
