//! Reads the times of ISO 8601 that the protocol uses: date, time, an optional fraction, an optional offset. It formats none.

/// Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar.
const EPOCH_DAYS: i64 = 719_468;
const MONTH_DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Whole seconds since 1970-01-01T00:00:00Z. No offset means UTC; a fraction is cut off.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let (date, time) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, b'-', [4, 2, 2])?;
    let clock = time.strip_prefix('T').or_else(|| time.strip_prefix(' '))?;
    let (clock, rest) = clock.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, b':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days(year, month, day)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset(fraction(rest)?)?)
}

/// What follows the fraction.
fn fraction(text: &str) -> Option<&str> {
    let Some(digits) = text.strip_prefix('.') else { return Some(text) };
    let rest = digits.trim_start_matches(|digit: char| digit.is_ascii_digit());
    (rest.len() < digits.len()).then_some(rest)
}

/// Seconds that the offset lies ahead of UTC.
fn offset(text: &str) -> Option<i64> {
    if text.is_empty() || text == "Z" {
        return Some(0);
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(&text[1..], b':', [2, 2])?;
    (hours <= 23 && minutes <= 59).then(|| sign * (hours * 3600 + minutes * 60))
}

/// Fields of fixed widths with a separator between them.
fn numbers<const N: usize>(text: &str, separator: u8, widths: [usize; N]) -> Option<[i64; N]> {
    let mut bytes = text.bytes();
    let mut numbers = [0; N];
    for (index, (number, width)) in numbers.iter_mut().zip(widths).enumerate() {
        if index > 0 && bytes.next()? != separator {
            return None;
        }
        for _ in 0..width {
            *number = *number * 10 + i64::from(char::from(bytes.next()?).to_digit(10)?);
        }
    }
    bytes.next().is_none().then_some(numbers)
}

/// Days since 1970-01-01, if the date exists.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = MONTH_DAYS.get(index)? + i64::from(leap && month == 2);
    if day < 1 || day > length {
        return None;
    }
    // A year that begins in March puts the leap day at its end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let whole = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(whole + (153 * month + 2) / 5 + day - 1 - EPOCH_DAYS)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn known_instants_are_read() {
        for (text, want) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56+00:00", 951_827_696),
            ("2026-01-02T03:04:05.678901", 1_767_323_045),
            ("2026-01-02 03:04:05Z", 1_767_323_045),
            ("2026-01-02T05:04:05+02:00", 1_767_323_045),
            ("2026-01-01T22:34:05-04:30", 1_767_323_045),
            ("1969-12-31T23:59:59Z", -1),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(seconds(text), Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in [
            "",
            "2026-01-02",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00Zx",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00é",
            "é026-01-01T00:00:00Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
