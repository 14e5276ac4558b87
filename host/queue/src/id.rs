//! Names of items, owners and groups: text that is safe as the name of a file and in a log.

use crate::refused::Refused;
use crate::time;
use alloc::format;
use alloc::string::String;
use core::fmt::{Display, Formatter, Result as Written};

/// Bytes of the longest name: with a suffix it still is the name of a file everywhere.
pub const NAME_BYTES_MAX: usize = 128;

/// Digits of a running number at least, `EXQ-20260417-0001`; larger numbers take more.
const NUMBER_DIGITS: usize = 4;

/// The id of an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(String);

impl QueueId {
    /// Takes a name as an id.
    ///
    /// # Errors
    /// [`Refused::Name`] for what [`is_name`] refuses.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        checked(text).map(Self)
    }

    /// The id of the `number`th item of a day, `<prefix>-<yyyymmdd>-<n>`.
    ///
    /// # Errors
    /// [`Refused::Name`] if the prefix is no name.
    pub fn numbered(prefix: &str, now: u64, number: u64) -> Result<Self, Refused> {
        Self::parse(&format!("{prefix}-{}-{number:0NUMBER_DIGITS$}", time::day(now)))
    }

    /// Whether the id has the shape of numbered ones with this prefix.
    #[must_use]
    pub fn is_numbered(&self, prefix: &str) -> bool {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let rest = self.0.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
        rest.and_then(|rest| rest.split_once('-'))
            .is_some_and(|(day, number)| day.len() == 8 && digits(day) && number.len() >= NUMBER_DIGITS && digits(number))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for QueueId {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        f.write_str(&self.0)
    }
}

/// Whether the text is a name: 1 to 128 letters, digits, `_`, `.` or `-` of ASCII, beginning with a letter or digit. So none is hidden,
/// none leads out of a folder, and none is an option.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    text.len() <= NAME_BYTES_MAX && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(inside)
}

/// The text, if it is a name.
pub(crate) fn checked(text: &str) -> Result<String, Refused> {
    if is_name(text) { Ok(String::from(text)) } else { Err(Refused::Name { name: text.chars().take(NAME_BYTES_MAX).collect() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::prelude::v1::*;

    #[test]
    fn w_52_ids_have_the_shape_prefix_day_number() {
        let id = QueueId::numbered("EXQ", 1_776_420_000_000_000, 7).expect("a name");
        assert_eq!(id.as_str(), "EXQ-20260417-0007");
        assert!(id.is_numbered("EXQ") && !id.is_numbered("INT"));
        assert!(QueueId::numbered("EXQ", 0, 123_456).is_ok_and(|id| id.as_str() == "EXQ-19700101-123456" && id.is_numbered("EXQ")));
        for text in ["EXQ", "EXQ-2026-0001", "EXQ-20260417-1", "EXQ-20260417-000x", "EXQ-20260417-", "EXQ20260417-0001"] {
            assert!(!QueueId::parse(text).expect("a name").is_numbered("EXQ"), "{text}");
        }
    }

    #[test]
    fn an_id_is_safe_as_the_name_of_a_file() {
        for text in ["", ".", "..", "a/b", "../a", "-a", "a b", "a\n", "ü", "a\\b", &"a".repeat(129)] {
            assert!(matches!(QueueId::parse(text), Err(Refused::Name { .. })), "{text}");
        }
        assert!(QueueId::parse(&"a".repeat(128)).is_ok());
    }
}
