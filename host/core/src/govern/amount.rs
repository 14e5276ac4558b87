//! Amounts: unsigned whole numbers in one decimal spelling.
//!
//! No signs, no fractions, no rounding: minor units of an asset, up to 2^128 − 1.

use alloc::format;
use alloc::string::String;

/// Most digits of 2^128 − 1.
const MAX_DIGITS: usize = 39;

/// Reads an amount, `0` included. One spelling per number: no sign, no leading zero.
pub(super) fn parse(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    let leading_zero = bytes.len() > 1 && bytes.first() == Some(&b'0');
    if leading_zero || bytes.len() > MAX_DIGITS || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.parse().ok()
}

/// Reads an amount above zero, as legs have it.
pub(super) fn parse_positive(text: &str) -> Option<u128> {
    parse(text).filter(|amount| *amount > 0)
}

/// Credits − debits, as text with its sign.
pub(super) fn balance(credits: u128, debits: u128) -> String {
    match credits.checked_sub(debits) {
        Some(positive) => format!("{positive}"),
        None => format!("-{}", debits.saturating_sub(credits)),
    }
}
