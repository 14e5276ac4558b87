//! Names that somebody may have meant: the few nearest ones, where a list of everything would hide them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Most names that are shown.
const SHOWN_MAX: usize = 4;

/// Said after a name that is not there: the nearest of those that are, and how many there are in all.
pub(super) fn nearest<'a>(got: &str, names: impl IntoIterator<Item = &'a String>) -> String {
    let mut names: Vec<(usize, &str)> = names.into_iter().map(|name| (distance(got, name), name.as_str())).collect();
    let count = names.len();
    names.sort_unstable();
    names.truncate(SHOWN_MAX);
    let shown: Vec<String> = names.iter().map(|(_, name)| format!("`{name}`")).collect();
    let shown = shown.join(", ");
    match count {
        0 => String::from("there is none"),
        1..=SHOWN_MAX => format!("there are: {shown}"),
        _ => format!("nearest of {count}: {shown}"),
    }
}

/// Insertions, deletions and replacements of bytes from one to the other. Names are bounded words, so the square of it is little.
fn distance(one: &str, other: &str) -> usize {
    let other = other.as_bytes();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (nth, byte) in one.bytes().enumerate() {
        let (mut diagonal, mut left) = (nth, nth.saturating_add(1));
        for (slot, against) in row.iter_mut().zip(core::iter::once(None).chain(other.iter().map(Some))) {
            let above = *slot;
            if let Some(against) = against {
                let replaced = diagonal.saturating_add(usize::from(byte != *against));
                left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            }
            *slot = left;
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (one, other, expected) in
            [("", "", 0), ("abc", "", 3), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("same", "same", 0)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn a_long_list_is_cut_to_what_is_near() {
        let names: Vec<String> = ["RELEASE", "REFUND", "CREATE", "OPEN_ESCROW", "DEPOSIT", "REQUEST"].map(String::from).into();
        assert_eq!(nearest("RELAESE", &names), "nearest of 6: `RELEASE`, `REQUEST`, `CREATE`, `REFUND`");
        assert_eq!(nearest("X", names.get(..1).unwrap_or_default()), "there are: `RELEASE`");
        assert_eq!(nearest("X", []), "there is none");
    }
}
