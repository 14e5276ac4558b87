//! `CT_PURE_AMORTIZE_V0`: a level repayment plan in integer minor units.
//!
//! The plan is defined by its arithmetic, not by a formula that would need fractions: each month adds the interest on the balance, rounded
//! half up, and takes the instalment; the instalment is the smallest that leaves nothing after the last month, which takes only the rest.

use enact_guest_sdk::Violation;
use serde::{Deserialize, Serialize};

/// Largest amount: the largest integer that every JSON reader keeps exactly.
const AMOUNT_MAX: i64 = (1 << 53) - 1;
/// Longest plan: fifty years.
const MONTHS_MAX: u32 = 600;
/// Highest rate: ten times the balance in a year. Beyond, a rate is a mistake of unit.
const RATE_BPS_MAX: u32 = 100_000;
/// Basis points of a whole, times the months of a year.
const MONTHLY_PARTS: i128 = 10_000 * 12;

#[derive(Deserialize)]
pub(crate) struct Inputs {
    principal_minor: i64,
    annual_rate_bps: u32,
    months: u32,
}

#[derive(Serialize)]
pub(crate) struct Plan {
    installment_minor: i64,
    total_minor: i64,
    interest_minor: i64,
}

pub(crate) fn amortize(i: Inputs) -> Result<Plan, Violation> {
    let sound = (1..=AMOUNT_MAX).contains(&i.principal_minor) && (1..=MONTHS_MAX).contains(&i.months) && i.annual_rate_bps <= RATE_BPS_MAX;
    if !sound {
        return Err(Violation);
    }
    let principal = i128::from(i.principal_minor);
    let rate = i128::from(i.annual_rate_bps);
    // One month's interest on the whole and the whole itself repays at once, so the search ends at most there.
    let (mut low, mut high) = (1, principal + interest(principal, rate));
    while low < high {
        let middle = (low + high) / 2;
        if total(principal, rate, i.months, middle).is_some() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let total = total(principal, rate, i.months, low).ok_or(Violation)?;
    let narrow = |amount: i128| i64::try_from(amount).ok().filter(|amount| *amount <= AMOUNT_MAX).ok_or(Violation);
    Ok(Plan { installment_minor: narrow(low)?, total_minor: narrow(total)?, interest_minor: narrow(total - principal)? })
}

/// A month's interest, rounded half up.
const fn interest(balance: i128, rate: i128) -> i128 {
    (2 * balance * rate + MONTHLY_PARTS) / (2 * MONTHLY_PARTS)
}

/// What is paid in all with this instalment; nothing when it does not repay in time.
fn total(principal: i128, rate: i128, months: u32, installment: i128) -> Option<i128> {
    let (mut balance, mut paid) = (principal, 0);
    for _ in 0..months {
        let due = balance + interest(balance, rate);
        if due <= installment {
            return Some(paid + due);
        }
        // A balance that does not fall never will; stopping here also keeps it small.
        if due - installment >= balance {
            return None;
        }
        balance = due - installment;
        paid += installment;
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
mod tests {
    use super::*;

    fn plan(principal_minor: i64, annual_rate_bps: u32, months: u32) -> Result<(i64, i64, i64), Violation> {
        amortize(Inputs { principal_minor, annual_rate_bps, months })
            .map(|plan| (plan.installment_minor, plan.total_minor, plan.interest_minor))
    }

    #[test]
    fn known_plans() {
        // 1200.00 at 12 %: one per cent a month; the annuity formula gives 106.6185….
        assert_eq!(plan(120_000, 1200, 12), Ok((10_662, 127_942, 7_942)));
        // Without interest the instalment is the quotient, rounded up, and the last one smaller.
        assert_eq!(plan(1000, 0, 3), Ok((334, 1000, 0)));
        assert_eq!(plan(100_000, 600, 1), Ok((100_500, 100_500, 500)));
    }

    #[test]
    fn one_unit_less_does_not_repay_in_time() {
        for (principal, rate, months) in [(2_500_000_i64, 749_u32, 60_u32), (1, 1, 1), (37_500_000, 350, 480), (999_999, 100_000, 600)] {
            let (installment, paid, cost) = plan(principal, rate, months).unwrap();
            let (principal, rate) = (i128::from(principal), i128::from(rate));
            assert_eq!(total(principal, rate, months, i128::from(installment)), Some(i128::from(paid)));
            assert_eq!(total(principal, rate, months, i128::from(installment) - 1), None);
            assert_eq!(principal + i128::from(cost), i128::from(paid));
        }
    }

    #[test]
    fn amounts_rates_and_terms_out_of_range_are_violations() {
        for (principal, rate, months) in [
            (0, 1, 1),
            (-1, 1, 1),
            (AMOUNT_MAX + 1, 1, 1),
            (1, RATE_BPS_MAX + 1, 1),
            (1, 1, 0),
            (1, 1, MONTHS_MAX + 1),
            (AMOUNT_MAX, 500, 12),
        ] {
            assert_eq!(plan(principal, rate, months), Err(Violation), "{principal} {rate} {months}");
        }
    }
}
