//! Instants as text: RFC 3339 in UTC, read tolerantly and stored in exactly one spelling.
//!
//! The stored spelling has a fixed width, so comparing it as text compares the instants. This is not a calendar library:
//! no arithmetic, no zones, no clock. Time is always an argument here.

use alloc::format;
use alloc::string::String;
use core::ops::Range;

/// A UTC instant in the one stored spelling, `2026-04-17T10:00:00.000000+00:00`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(String);

/// Bytes of the stored spelling.
pub const STORED_LEN: usize = 32;

/// Bytes of a date and time without fraction and zone.
const SECONDS_LEN: usize = 19;

/// Fractional digits of the stored spelling: microseconds, what the clocks and databases around us agree on.
const FRACTION_DIGITS: usize = 6;

impl Instant {
    /// Reads RFC 3339 in UTC: `T` between date and time, any fraction of up to six digits, `Z` or `+00:00`.
    /// Answers nothing for any other text, for dates that do not exist and for leap seconds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let local = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
        let (seconds, fraction) = match local.split_once('.') {
            Some((seconds, fraction)) if !fraction.is_empty() => (seconds, fraction),
            Some(_) => return None,
            None => (local, ""),
        };
        let digits = fraction.bytes().all(|b| b.is_ascii_digit());
        if !digits || fraction.len() > FRACTION_DIGITS || !is_civil(seconds.as_bytes()) {
            return None;
        }
        Some(Self(format!("{seconds}.{fraction:0<FRACTION_DIGITS$}+00:00")))
    }

    /// Reads the stored spelling and no other.
    #[must_use]
    pub fn parse_stored(text: &str) -> Option<Self> {
        Self::is_stored(text).then(|| Self(String::from(text)))
    }

    /// Whether the text is the stored spelling of an instant.
    #[must_use]
    pub fn is_stored(text: &str) -> bool {
        let Some(local) = text.strip_suffix("+00:00") else { return false };
        let Some((seconds, [b'.', fraction @ ..])) = local.as_bytes().split_at_checked(SECONDS_LEN) else { return false };
        fraction.len() == FRACTION_DIGITS && fraction.iter().all(u8::is_ascii_digit) && is_civil(seconds)
    }

    /// Microseconds since some instant before the year 0, for differences.
    #[must_use]
    pub fn micros(&self) -> u64 {
        // The stored spelling has digits at these places and nowhere else; there are fewer than 10^18 microseconds.
        let number = |range: Range<usize>| {
            let digits = self.0.as_bytes().get(range).unwrap_or_default();
            digits.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit & 0x0f)))
        };
        let (year, month, day) = (number(0..4), number(5..7), number(8..10));
        // Years that begin in March: the leap day is their last, so months have fixed starts. Shifted by a cycle of 400 years,
        // because January of year 0 belongs to the year before.
        let (year, month) = if month > 2 {
            (year.saturating_add(400), month.saturating_sub(3))
        } else {
            (year.saturating_add(399), month.saturating_add(9))
        };
        let before = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100).saturating_add(year / 400);
        let days = before.saturating_add(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(day);
        let minutes = days.saturating_mul(24).saturating_add(number(11..13)).saturating_mul(60).saturating_add(number(14..16));
        minutes.saturating_mul(60).saturating_add(number(17..19)).saturating_mul(1_000_000).saturating_add(number(20..26))
    }

    /// The stored spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Instant> for String {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

/// Whether the bytes are `YYYY-MM-DDThh:mm:ss` with a day and time that exist.
fn is_civil(text: &[u8]) -> bool {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1] = text else {
        return false;
    };
    let (Some(century), Some(year), Some(month), Some(day)) = (two(y0, y1), two(y2, y3), two(m0, m1), two(d0, d1)) else {
        return false;
    };
    let (Some(hour), Some(minute), Some(second)) = (two(h0, h1), two(i0, i1), two(s0, s1)) else {
        return false;
    };
    // Gregorian: every fourth year, of the round centuries only every fourth.
    let leap = if year == 0 { century.is_multiple_of(4) } else { year.is_multiple_of(4) };
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60
}

/// The number two ASCII digits spell.
fn two(tens: u8, ones: u8) -> Option<u8> {
    let digit = |b: u8| b.is_ascii_digit().then_some(b & 0x0f);
    digit(tens)?.checked_mul(10)?.checked_add(digit(ones)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_spelling_of_an_instant_is_stored_the_same() {
        for text in ["2026-04-17T10:00:00Z", "2026-04-17T10:00:00.0Z", "2026-04-17T10:00:00.000000+00:00"] {
            let instant = Instant::parse(text).map(String::from);
            assert_eq!(instant.as_deref(), Some("2026-04-17T10:00:00.000000+00:00"), "{text}");
        }
        assert_eq!("2026-04-17T10:00:00.000000+00:00".len(), STORED_LEN);
    }

    #[test]
    fn microseconds_count_every_day_of_the_calendar() {
        let at = |text: &str| Instant::parse(text).map_or(0, |instant| instant.micros());
        let day = 86_400_000_000;
        for (a, b, days) in [
            ("2026-02-28T10:00:00Z", "2026-03-01T10:00:00Z", 1),
            ("2024-02-28T10:00:00Z", "2024-03-01T10:00:00Z", 2),
            ("2100-02-28T10:00:00Z", "2100-03-01T10:00:00Z", 1),
            ("2000-02-28T00:00:00Z", "2000-03-01T00:00:00Z", 2),
            ("1970-01-01T00:00:00Z", "2026-11-21T00:00:00Z", 20_778),
            ("0000-01-01T00:00:00Z", "9999-12-31T00:00:00Z", 3_652_424),
        ] {
            assert_eq!(at(b) - at(a), days * day, "{a} to {b}");
        }
        assert_eq!(at("2026-01-01T00:00:01.000001Z") - at("2026-01-01T00:00:00Z"), 1_000_001);
    }

    #[test]
    fn what_is_not_a_utc_instant_is_refused() {
        for text in [
            "",
            "2026-04-17",
            "2026-04-17T10:00:00",
            "2026-04-17T10:00:00+02:00",
            "2026-04-17T10:00:00-00:00",
            "2026-04-17 10:00:00Z",
            "2026-02-29T10:00:00Z",
            "2100-02-29T10:00:00Z",
            "2026-04-31T10:00:00Z",
            "2026-04-17T24:00:00Z",
            "2026-04-17T10:00:60Z",
            "2026-04-17T10:00:00.Z",
            "2026-04-17T10:00:00.1234567Z",
            "2026-04-17T10:00:00.12x4Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "+026-04-17T10:00:00Z",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
        assert!(Instant::parse("2000-02-29T23:59:59.999999Z").is_some());
        for text in ["2026-04-17T10:00:00Z", "2026-04-17T10:00:00.00000+00:00", "2026-04-17T10:00:00.0000000+00:00"] {
            assert_eq!(Instant::parse_stored(text), None, "{text}");
        }
        let stored = "2026-04-17T10:00:00.000001+00:00";
        assert_eq!(Instant::parse_stored(stored), Instant::parse(stored));
        for (place, wrong) in stored.bytes().enumerate().map(|(place, byte)| (place, char::from(byte ^ 0x10))) {
            let mut text = String::from(stored);
            text.replace_range(place..=place, wrong.encode_utf8(&mut [0; 4]));
            let old = Instant::parse(&text).filter(|instant| instant.as_str() == text);
            assert_eq!(Instant::parse_stored(&text), old, "{text}");
        }
    }
}
