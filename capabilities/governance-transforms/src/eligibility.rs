//! Quotas, training and inactivity. Each answers a fact; what follows from it is the workflow's business.

use enact_guest_sdk::Violation;
use serde::{Deserialize, Serialize};

use crate::instant::seconds;

/// Seconds of a day; leap seconds do not exist in these times.
const DAY_SECONDS: i64 = 86_400;

#[derive(Deserialize)]
pub(crate) struct Quota {
    assigned_count: i64,
    quota: i64,
}

#[derive(Serialize)]
pub(crate) struct Available {
    quota_available: bool,
}

/// `CT_PURE_CHECK_QUOTA_AVAILABLE_V0`.
pub(crate) fn check_quota(i: Quota) -> Result<Available, Violation> {
    Ok(Available { quota_available: i.assigned_count < i.quota })
}

#[derive(Deserialize)]
pub(crate) struct Training {
    training_completed: bool,
}

#[derive(Serialize)]
pub(crate) struct Eligible {
    is_eligible: bool,
}

/// `CT_PURE_CHECK_TRAINING_STATUS_V0`.
pub(crate) fn check_training(i: Training) -> Result<Eligible, Violation> {
    Ok(Eligible { is_eligible: i.training_completed })
}

#[derive(Deserialize)]
pub(crate) struct Inactivity {
    current_date: String,
    last_active_date: String,
    threshold_days: i64,
}

#[derive(Serialize)]
pub(crate) struct Inactive {
    days_inactive: i64,
    is_inactive: bool,
}

/// `CT_PURE_EVALUATE_INACTIVITY_V0`: whole days, rounded down; inactive is who was away for more days than the threshold.
pub(crate) fn evaluate_inactivity(i: Inactivity) -> Result<Inactive, Violation> {
    let now = seconds(&i.current_date).ok_or(Violation)?;
    let last = seconds(&i.last_active_date).ok_or(Violation)?;
    let days_inactive = now.checked_sub(last).ok_or(Violation)?.div_euclid(DAY_SECONDS);
    Ok(Inactive { days_inactive, is_inactive: days_inactive > i.threshold_days })
}
