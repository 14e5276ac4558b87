//! Amounts as the whole numbers that they are.

use enact_guest_sdk::Violation;

/// An amount in its one spelling.
pub(crate) fn number(text: &str) -> Result<u128, Violation> {
    let spelled = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if spelled { text.parse().map_err(|_| Violation) } else { Err(Violation) }
}
