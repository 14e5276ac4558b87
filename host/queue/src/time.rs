//! Instants between the number the queue computes with and the text its journal shows.
//!
//! The spelling is the stored one of the ledger, `2026-04-17T10:00:00.000000+00:00`: fixed width, so text compares like time. No
//! clock, no zones.

use alloc::format;
use alloc::string::String;

/// The last instant that has a spelling, 9999-12-31T23:59:59.999999, in microseconds. Later ones are shown as this one.
pub const LAST_US: u64 = 253_402_300_799_999_999;

/// Microseconds of a second.
pub const SECOND_US: u64 = 1_000_000;

const DAY_US: u64 = 86_400 * SECOND_US;

/// Days between 0000-03-01 and 1970-01-01: years are counted from March, so that the leap day is their last.
const SHIFT_DAYS: u64 = 719_468;

/// The spelling of an instant.
#[must_use]
pub fn text(us: u64) -> String {
    let us = us.min(LAST_US);
    let (year, month, day) = civil(us / DAY_US);
    let (seconds, fraction) = ((us % DAY_US) / SECOND_US, us % SECOND_US);
    let (hour, minute, second) = (seconds / 3600, (seconds / 60) % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}+00:00")
}

/// Reads the spelling and no other; nothing for text that names no instant from 1970 on.
#[must_use]
pub fn parse(spelled: &str) -> Option<u64> {
    let number = |from: usize, to: usize| {
        let digits = spelled.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let seconds = number(11, 13)?.checked_mul(60)?.checked_add(number(14, 16)?)?.checked_mul(60)?.checked_add(number(17, 19)?)?;
    let us = days.checked_mul(DAY_US)?.checked_add(seconds.checked_mul(SECOND_US)?)?.checked_add(number(20, 26)?)?;
    // Whatever was wrong with marks, ranges or the calendar spells differently.
    (text(us) == spelled).then_some(us)
}

/// The day of an instant as `yyyymmdd`, for ids.
#[must_use]
pub fn day(us: u64) -> String {
    let (year, month, day) = civil(us.min(LAST_US) / DAY_US);
    format!("{year:04}{month:02}{day:02}")
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days.saturating_add(SHIFT_DAYS);
    // 146,097 days are four hundred years exactly.
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = of_era.saturating_sub(of_era / 1_460).saturating_add(of_era / 36_524).saturating_sub(of_era / 146_096) / 365;
    let before = year_of_era.saturating_mul(365).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
    let of_year = of_era.saturating_sub(before);
    let from_march = of_year.saturating_mul(5).saturating_add(2) / 153;
    let day = of_year.saturating_sub(from_march.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let month = if from_march < 10 { from_march.saturating_add(3) } else { from_march.saturating_sub(9) };
    let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(u64::from(month < 3));
    (year, month, day)
}

/// The day counted from 1970-01-01, if it is not before.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, from_march) = if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let (era, year_of_era) = (year / 400, year % 400);
    let of_year = from_march.checked_mul(153)?.checked_add(2)? / 5;
    let of_era = year_of_era.checked_mul(365)?.checked_add(year_of_era / 4)?.checked_sub(year_of_era / 100)?.checked_add(of_year)?;
    era.checked_mul(146_097)?.checked_add(of_era)?.checked_add(day.checked_sub(1)?)?.checked_sub(SHIFT_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::prelude::v1::*;

    #[test]
    fn known_instants_are_spelled_as_in_the_ledger() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(text(LAST_US), "9999-12-31T23:59:59.999999+00:00");
        assert_eq!(text(u64::MAX), text(LAST_US));
        assert_eq!(parse("2026-04-17T10:00:00.000000+00:00"), Some(1_776_420_000_000_000));
        assert_eq!(day(1_776_420_000_000_000), "20260417");
    }

    #[test]
    fn another_spelling_is_no_time() {
        for text in [
            "",
            "2026-04-17T10:00:00Z",
            "2026-04-17 10:00:00.000000+00:00",
            "2026-02-29T10:00:00.000000+00:00",
            "2026-13-01T10:00:00.000000+00:00",
            "2026-00-01T10:00:00.000000+00:00",
            "2026-04-00T10:00:00.000000+00:00",
            "2026-04-17T24:00:00.000000+00:00",
            "2026-04-17T10:00:00.+00000+00:00",
            "1969-12-31T23:59:59.999999+00:00",
            "0000-01-01T00:00:00.000000+00:00",
            "2026-04-17T10:00:00.000000+00:000",
            "2026-04-17T10:00:00.00000é+00:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_reads_as_it_is_written_and_as_an_independent_calendar_writes_it(us in 0..=LAST_US) {
            let written = text(us);
            prop_assert_eq!(parse(&written), Some(us));
            let oracle = jiff::Timestamp::from_microsecond(i64::try_from(us).unwrap_or(0)).ok();
            let oracle = oracle.map(|at| format!("{at:.6}").replace('Z', "+00:00"));
            prop_assert_eq!(Some(written), oracle);
        }
    }
}
