//! Present rows of the derived state in memory, bounded; what is not here is read from the file. Knows nothing of transactions: whoever
//! holds it throws it away when what it says may no longer be true.

use std::collections::HashMap;
use std::mem;

use enact_core::state::Space;

use crate::batch::Unseen;

/// Bytes of one of the two generations. Both full, the accounts and subjects of some 200,000 rows are at hand.
const GENERATION_BYTES: usize = 32 * 1024 * 1024;

/// What a row costs beside its key and value: two strings' heads, a slot, the allocator.
const ROW_BYTES: usize = 96;

/// Rows by space and key. `None` is a key that was never written.
type Rows = [HashMap<String, Option<String>>; Space::ALL.len()];

/// Two generations: a row that is used again after the young one filled up moves to the next, the others go. As good as a list in the
/// order of use, without a list.
pub(crate) struct Cache {
    young: Rows,
    old: Rows,
    /// Bytes in the young generation.
    bytes: usize,
    /// Bytes at which it becomes the old one.
    limit: usize,
    /// The last entry that wrote rows, as far as this cache knows; `None` when it knows nothing.
    pub(crate) known: Option<Option<i64>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { young: Rows::default(), old: Rows::default(), bytes: 0, limit: GENERATION_BYTES, known: None }
    }
}

impl Cache {
    /// The row, if it is known; the inner `None` is a key that was never written.
    pub(crate) fn get(&mut self, space: Space, key: &str) -> Option<Option<String>> {
        let nth = index(space);
        if let Some(row) = self.young.get(nth)?.get(key) {
            return Some(row.clone());
        }
        let (key, row) = self.old.get_mut(nth)?.remove_entry(key)?;
        self.put(space, key, row.clone());
        Some(row)
    }

    /// Remembers rows that are present from now on.
    pub(crate) fn keep(&mut self, rows: Unseen) {
        for (space, rows) in rows {
            rows.into_iter().for_each(|(key, value)| self.put(space, key, Some(value)));
        }
    }

    /// Remembers the row that is present from now on.
    pub(crate) fn put(&mut self, space: Space, key: String, row: Option<String>) {
        if self.bytes >= self.limit {
            self.old = mem::take(&mut self.young);
            self.bytes = 0;
        }
        let cost = row.as_ref().map_or(0, String::len).saturating_add(key.len()).saturating_add(ROW_BYTES);
        let nth = index(space);
        if let Some(rows) = self.young.get_mut(nth) {
            // A replaced row counts twice until the generation changes: the bound is never exceeded for it.
            self.bytes = self.bytes.saturating_add(cost);
            // The old generation never answers before the young one, so what it says of this key does no harm.
            rows.insert(key, row);
        }
    }
}

const fn index(space: Space) -> usize {
    match space {
        Space::Actor => 0,
        Space::Asset => 1,
        Space::Balance => 2,
        Space::Consumed => 3,
        Space::Subject => 4,
        Space::System => 5,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn a_full_cache_forgets_but_never_says_anything_old() {
        let mut cache = Cache { limit: 4000, ..Cache::default() };
        let mut truth: HashMap<String, Option<String>> = HashMap::new();
        let mut seed = 0x9e37_79b9_u64;
        let (mut hits, mut misses) = (0, 0);
        for round in 0..50_000u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Small keys are used more often.
            let key = format!("k{}", (seed >> 33) % (1 + (seed >> 50) % 200));
            if seed.is_multiple_of(3) {
                truth.insert(key.clone(), Some(round.to_string()));
                cache.put(Space::Balance, key, Some(round.to_string()));
                continue;
            }
            match cache.get(Space::Balance, &key) {
                Some(row) => {
                    hits += 1;
                    assert_eq!(row, truth.get(&key).cloned().flatten(), "{key}");
                }
                None => {
                    misses += 1;
                    cache.put(Space::Balance, key.clone(), truth.get(&key).cloned().flatten());
                }
            }
            assert_eq!(cache.get(Space::Asset, &key), None);
            assert!(cache.young.iter().chain(&cache.old).map(HashMap::len).sum::<usize>() <= 2 * (1 + 4000 / ROW_BYTES));
        }
        assert!(hits > 1000 && misses > 1000, "{hits} {misses}");
    }

    #[test]
    fn every_space_has_a_place_of_its_own() {
        let places: std::collections::BTreeSet<_> = Space::ALL.into_iter().map(index).collect();
        assert_eq!(places.into_iter().collect::<Vec<_>>(), (0..Space::ALL.len()).collect::<Vec<_>>());
    }
}
