//! How many items a worker takes at a time: as many as share a commit well, as few as leave others something to do.

/// Items that are taken before anything is known of them.
const FIRST: usize = 64;
/// A batch that took less than this is followed by one twice as large, microseconds.
const SHORT_US: u64 = 500_000;
/// A batch that took more than this is followed by one half as large, microseconds.
const LONG_US: u64 = 2_000_000;

/// The pace of one worker.
#[derive(Debug)]
pub(super) struct Pace {
    items: usize,
    /// When the last batch was taken, and whether it was a whole one.
    last: Option<(u64, bool)>,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { items: FIRST, last: None }
    }

    /// How many to take now, at most `limit`, which is never 0.
    pub(super) fn next(&mut self, now: u64, limit: usize) -> usize {
        if let Some((since, whole)) = self.last.take() {
            let took = now.saturating_sub(since);
            if took > LONG_US {
                self.items = (self.items / 2).max(1);
            } else if whole && took < SHORT_US {
                self.items = self.items.saturating_mul(2);
            }
        }
        self.items = self.items.min(limit).max(1);
        self.items
    }

    /// So many were taken.
    pub(super) const fn took(&mut self, now: u64, items: usize) {
        // A wait for something to do says nothing of how long items take.
        self.last = if items == 0 { None } else { Some((now, items >= self.items)) };
    }

    /// What comes next is no batch's time.
    pub(super) const fn rested(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(pace: &mut Pace, now: &mut u64, limit: usize, each: u64) -> usize {
        let items = pace.next(*now, limit);
        pace.took(*now, items);
        *now += each * items as u64;
        items
    }

    #[test]
    fn quick_items_are_taken_in_large_batches_and_slow_ones_in_small_ones() {
        let (mut pace, mut now) = (Pace::new(), 5);
        let quick: Vec<usize> = (0..4).map(|_| batch(&mut pace, &mut now, 256, 500)).collect();
        assert_eq!(quick, [64, 128, 256, 256]);
        let slow: Vec<usize> = (0..10).map(|_| batch(&mut pace, &mut now, 256, 4_000_000)).collect();
        assert_eq!(slow, [256, 128, 64, 32, 16, 8, 4, 2, 1, 1]);
        assert_eq!(batch(&mut pace, &mut now, 256, 500), 1);
        assert_eq!(batch(&mut pace, &mut now, 256, 500), 2);
    }

    #[test]
    fn neither_a_part_of_a_batch_nor_a_rest_changes_anything_and_the_limit_holds() {
        let mut pace = Pace::new();
        assert_eq!(pace.next(0, 8), 8);
        pace.took(0, 3);
        assert_eq!(pace.next(10, 256), 8);
        pace.took(10, 8);
        pace.rested();
        assert_eq!(pace.next(90_000_000, 256), 8);
        pace.took(90_000_000, 0);
        assert_eq!(pace.next(90_000_001, 256), 8);
    }
}
