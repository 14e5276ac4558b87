//! `CT_PURE_DERIVE_SERIAL_V0`: `<manufacturer>-<model>-<batch>-<index>-<check>`, with a Luhn mod N check character.
//!
//! The check finds any single wrong character and nearly all swapped neighbours. It is no authentication.

use enact_guest_sdk::Violation;
use serde::{Deserialize, Serialize};

/// Digits and capital letters; the value of a character is its place.
const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Most characters of a part, so that a serial fits a label.
const PART_LENGTH_MAX: usize = 16;
/// Digits of the index.
const INDEX_DIGITS: usize = 6;
/// Largest index that fits them.
const INDEX_MAX: u32 = 999_999;

#[derive(Deserialize)]
pub(crate) struct Inputs {
    manufacturer: String,
    model: String,
    batch: String,
    index: u32,
}

#[derive(Serialize)]
pub(crate) struct Serial {
    serial: String,
}

/// Parts are digits and capital letters. Lower case is refused, not raised: two inputs must not share a serial.
pub(crate) fn derive(i: Inputs) -> Result<Serial, Violation> {
    if i.index > INDEX_MAX {
        return Err(Violation);
    }
    let index = format!("{:0INDEX_DIGITS$}", i.index);
    let mut serial = String::new();
    for part in [&i.manufacturer, &i.model, &i.batch, &index] {
        if part.is_empty() || part.len() > PART_LENGTH_MAX || !part.bytes().all(|byte| ALPHABET.contains(&byte)) {
            return Err(Violation);
        }
        serial.push_str(part);
        serial.push('-');
    }
    let check = check(&serial).ok_or(Violation)?;
    serial.push(char::from(check));
    Ok(Serial { serial })
}

/// The check character over everything but the dashes: from the right, every other value counts twice, with the digits of its double in
/// base 36 added up.
fn check(text: &str) -> Option<u8> {
    let base = ALPHABET.len();
    let mut sum = 0;
    for (place, byte) in text.bytes().rev().filter(|byte| *byte != b'-').enumerate() {
        let value = ALPHABET.iter().position(|known| *known == byte)?;
        let counted = if place % 2 == 0 { 2 * value } else { value };
        sum += counted / base + counted % base;
    }
    ALPHABET.get((base - sum % base) % base).copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
mod tests {
    use super::*;

    fn serial(manufacturer: &str, model: &str, batch: &str, index: u32) -> Result<String, Violation> {
        derive(Inputs { manufacturer: manufacturer.into(), model: model.into(), batch: batch.into(), index }).map(|serial| serial.serial)
    }

    #[test]
    fn a_serial_shows_its_parts_and_a_check_that_makes_the_luhn_sum_vanish() {
        let serial = serial("ACME", "S1", "B202607", 18).unwrap();
        assert!(serial.starts_with("ACME-S1-B202607-000018-"), "{serial}");
        let mut sum = 0;
        for (place, byte) in serial.bytes().rev().filter(|byte| *byte != b'-').enumerate() {
            let value = ALPHABET.iter().position(|known| *known == byte).unwrap();
            let counted = if place % 2 == 1 { 2 * value } else { value };
            sum += counted / 36 + counted % 36;
        }
        assert_eq!(sum % 36, 0);
    }

    #[test]
    fn the_check_finds_every_single_wrong_character() {
        let good = serial("ACME", "S1", "B202607", 18).unwrap();
        let (body, known) = good.split_at(good.len() - 1);
        for place in (0..body.len()).filter(|place| body.as_bytes()[*place] != b'-') {
            for other in ALPHABET.iter().filter(|other| **other != body.as_bytes()[place]) {
                let mut wrong = body.as_bytes().to_vec();
                wrong[place] = *other;
                assert_ne!(check(std::str::from_utf8(&wrong).unwrap()), Some(known.as_bytes()[0]));
            }
        }
    }

    #[test]
    fn parts_with_other_characters_and_large_indices_are_violations() {
        for (manufacturer, index) in [("", 1), ("acme", 1), ("AC-ME", 1), ("É", 1), ("ABCDEFGHIJKLMNOPQ", 1), ("ACME", 1_000_000)] {
            assert_eq!(serial(manufacturer, "S1", "B1", index), Err(Violation), "{manufacturer} {index}");
        }
    }
}
