//! Ballots: the tally is what lies in the accounts, all of it, and it carries the proposal or does not.

use std::collections::BTreeMap;

use enact_guest_sdk::Violation;
use serde::{Deserialize, Serialize};

use crate::amount::number;

/// What starts the name of an account of ballots; its side follows.
const PREFIX: &str = "ballot-";

#[derive(Deserialize)]
pub(crate) struct Input<'a> {
    #[serde(borrow)]
    record: Record<'a>,
    subject: Subject,
    #[serde(borrow)]
    balances: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    tally: Tally<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tally<'a> {
    yes: &'a str,
    no: &'a str,
}

#[derive(Deserialize)]
struct Subject {
    kept: Kept,
}

#[derive(Deserialize)]
struct Kept {
    quorum: String,
    threshold_percent: u8,
}

#[derive(Serialize)]
pub(crate) struct Holds {}

/// `CT_INVARIANT_BALLOT_CARRIED_V0`.
pub(crate) fn carried(i: Input<'_>) -> Result<Holds, Violation> {
    if i.carries()? { Ok(Holds {}) } else { Err(Violation) }
}

/// `CT_INVARIANT_BALLOT_LOST_V0`.
pub(crate) fn lost(i: Input<'_>) -> Result<Holds, Violation> {
    if i.carries()? { Err(Violation) } else { Ok(Holds {}) }
}

impl Input<'_> {
    /// Whether quorum and majority hold, once it is clear that the tally is the balance of both sides.
    fn carries(&self) -> Result<bool, Violation> {
        let mut sides = 0;
        for (key, balance) in self.balances.iter().filter(|(key, _)| key.starts_with(PREFIX)) {
            let side = key.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).ok_or(Violation)?.0;
            let counted = match side {
                "yes" => self.record.payload.tally.yes,
                "no" => self.record.payload.tally.no,
                _ => return Err(Violation),
            };
            if counted != *balance {
                return Err(Violation);
            }
            sides += 1;
        }
        if sides != 2 {
            return Err(Violation);
        }
        let (yes, no) = (number(self.record.payload.tally.yes)?, number(self.record.payload.tally.no)?);
        let cast = yes.checked_add(no).ok_or(Violation)?;
        let kept = &self.subject.kept;
        if !(1..=100).contains(&kept.threshold_percent) {
            return Err(Violation);
        }
        // More than the threshold, and of a threshold of one hundred all.
        let (share, needed) = (yes.checked_mul(100), cast.checked_mul(u128::from(kept.threshold_percent)));
        let (share, needed) = (share.ok_or(Violation)?, needed.ok_or(Violation)?);
        let majority = share > needed || kept.threshold_percent == 100 && share == needed;
        Ok(cast >= number(&kept.quorum)? && yes > no && majority)
    }
}
