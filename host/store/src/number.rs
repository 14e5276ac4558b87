//! Between our unsigned numbers and SQLite's signed ones; a negative number in a file means that it was edited.

use crate::error::StoreError;

/// To a column.
pub(crate) fn column(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Range { what: "a number of 2^63 or more" })
}

/// To a `LIMIT` or the lower end of a range, where everything out of reach is the same.
pub(crate) fn bound(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The same of a row of the queue, which can be derived again.
pub(crate) fn queued(value: i64, what: &str) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::QueueRows { detail: format!("{what} is {value}") })
}

/// From a column.
pub(crate) fn unsigned(value: i64, what: &str) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Corrupt { detail: format!("{what} is {value}") })
}
