//! Whole numbers of any length, as decimal text: compared, never calculated with. Amounts may exceed what a machine word holds.

use std::cmp::Ordering;

/// A whole number; its digits without leading zeros, none for zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Integer<'a> {
    negative: bool,
    digits: &'a str,
}

impl<'a> Integer<'a> {
    /// Reads `-?[0-9]+` and nothing else.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        Some(Self { negative: negative && !digits.is_empty(), digits })
    }
}

impl Ord for Integer<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = self.digits.len().cmp(&other.digits.len()).then_with(|| self.digits.cmp(other.digits));
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
        }
    }
}

impl PartialOrd for Integer<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_ordered_whatever_their_length() {
        let ordered = ["-100000000000000000000000", "-20", "-3", "0", "7", "10", "99999999999999999999999999"];
        for pair in ordered.windows(2) {
            assert!(Integer::parse(pair[0]) < Integer::parse(pair[1]), "{pair:?}");
        }
        assert_eq!(Integer::parse("-000"), Integer::parse("0"));
        assert_eq!(Integer::parse("007"), Integer::parse("7"));
    }

    #[test]
    fn what_is_no_integer_is_not_read() {
        for text in ["", "-", "+1", "1.0", "1e3", " 1", "0x1", "١"] {
            assert_eq!(Integer::parse(text), None, "{text}");
        }
    }
}
