//! Collatz sequences, and whether sequences end at 1.

use std::collections::BTreeMap;

use enact_guest_sdk::Violation;
use serde::{Deserialize, Serialize};

/// Largest member of a sequence: the largest integer that every JSON reader keeps exactly.
const MEMBER_MAX: u64 = (1 << 53) - 1;

#[derive(Deserialize)]
pub(crate) struct Numbers {
    numbers: Vec<u64>,
}

#[derive(Serialize)]
pub(crate) struct Sequences {
    sequences: BTreeMap<String, Vec<u64>>,
}

/// `CT_PURE_COLLATZ_STEP_V0`: each number with its sequence down to 1. A sequence that leaves the exact integers is a violation.
pub(crate) fn collatz(i: Numbers) -> Result<Sequences, Violation> {
    let mut sequences = BTreeMap::new();
    for number in i.numbers {
        if number == 0 || number > MEMBER_MAX {
            return Err(Violation);
        }
        let mut sequence = vec![number];
        let mut member = number;
        while member != 1 {
            member = if member % 2 == 0 { member / 2 } else { 3 * member + 1 };
            if member > MEMBER_MAX {
                return Err(Violation);
            }
            sequence.push(member);
        }
        sequences.insert(number.to_string(), sequence);
    }
    Ok(Sequences { sequences })
}

#[derive(Deserialize)]
pub(crate) struct Check {
    sequences: BTreeMap<String, Vec<i64>>,
}

#[derive(Serialize)]
pub(crate) struct Termination {
    all_terminate: bool,
    non_terminating: Vec<String>,
}

/// `CT_PURE_TERMINATION_CHECK_V0`: an empty sequence ends nowhere.
pub(crate) fn check_termination(i: Check) -> Result<Termination, Violation> {
    let ends = |sequence: &[i64]| sequence.last() == Some(&1);
    let non_terminating: Vec<String> = i.sequences.into_iter().filter(|(_, sequence)| !ends(sequence)).map(|(number, _)| number).collect();
    Ok(Termination { all_terminate: non_terminating.is_empty(), non_terminating })
}
