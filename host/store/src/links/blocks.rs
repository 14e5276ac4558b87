//! The blocks that the rows of the index lie in. Hashes are random: in one tree, each row of a batch would be written to a page of its own,
//! and the larger the ledger, the dearer the append. So rows lie in blocks by the number of their entry, and what was written long ago is moved
//! together: sixteen blocks of a level become one of the next, a slice of the hashes at a time.
//!
//! Which block a row lies in is for whoever reads fast; it lies in one, and all are looked at. A move that was interrupted is half a move and no
//! damage.

use rusqlite::{Connection, params};

use crate::error::StoreError;

/// Entries of a block of the lowest level. Its pages, about sixty, are all that a batch writes.
const ENTRIES: u64 = 8_192;
/// Blocks of a level that become one of the next.
const FAN_BITS: u32 = 4;
/// Levels: one of the highest holds every ledger.
pub(crate) const LEVELS: u32 = 11;
/// Bits of a block's number that are its place on its level.
const PLACE_BITS: u32 = 41;
/// Slices, as bits, in which sixteen blocks of the lowest level are moved: some 2,000 rows each.
const SLICE_BITS: u32 = 6;
/// Entries after which one slice of each level is moved: twice as often as is needed to keep up.
const EVERY: u64 = 1_024;
/// Turns the order of signed numbers into that of unsigned ones.
const SIGN: u64 = 1 << 63;

/// Entries of a block.
const fn span(level: u32) -> u64 {
    ENTRIES << (FAN_BITS * level)
}

/// The number of the block on this level that an entry belongs to.
pub(crate) fn block(level: u32, seq: u64) -> i64 {
    let number = (u64::from(level) << PLACE_BITS) | (seq / span(level));
    // Levels and places have 45 bits.
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The levels that a ledger of this size may use, highest first.
fn levels(size: u64) -> impl Iterator<Item = u32> {
    (0..LEVELS).rev().filter(move |level| *level == 0 || span(*level) <= size)
}

/// Where the row of an entry lies once everything has been moved.
pub(crate) fn settled(seq: u64, size: u64) -> i64 {
    let level = levels(size).find(|level| is_complete(seq / span(*level), *level, size));
    block(level.unwrap_or(0), seq)
}

/// Whether there are entries for all of a block.
fn is_complete(place: u64, level: u32, size: u64) -> bool {
    place.saturating_add(1).checked_mul(span(level)).is_some_and(|end| end <= size)
}

/// The block of the next level that a block becomes a part of, once there are entries for all of that.
fn next(number: i64, size: u64) -> Option<(u32, i64)> {
    let number = u64::try_from(number).ok()?;
    let level = u32::try_from(number >> PLACE_BITS).ok()?.checked_add(1).filter(|level| *level < LEVELS)?;
    let place = (number & ((1 << PLACE_BITS) - 1)) >> FAN_BITS;
    let next = (u64::from(level) << PLACE_BITS) | place;
    i64::try_from(next).ok().filter(|_| is_complete(place, level, size)).map(|next| (level, next))
}

/// The numbers of all blocks that there are, in their order. One look-up for each.
pub(crate) fn all(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut found = Vec::new();
    let mut statement = connection.prepare_cached("SELECT block FROM links WHERE block > ?1 ORDER BY block LIMIT 1")?;
    let mut last = i64::MIN;
    while let Some(row) = statement.query([last])?.next()? {
        last = row.get(0)?;
        found.push(last);
    }
    Ok(found)
}

/// What is due after the ledger has grown: on each level a slice of the first blocks that are to become one. Bounded, whatever the size.
pub(crate) fn tidy(connection: &Connection, before: u64, size: u64) -> Result<(), StoreError> {
    for _ in before / EVERY..size / EVERY {
        let mut done = 0;
        let blocks = all(connection)?;
        for (at, number) in blocks.iter().enumerate() {
            let Some((level, target)) = next(*number, size).filter(|(level, _)| *level > done) else { continue };
            let parts = blocks.iter().skip(at).take_while(|part| next(**part, size) == Some((level, target)));
            slice(connection, &parts.copied().collect::<Vec<_>>(), level, target)?;
            done = level;
        }
    }
    Ok(())
}

/// Moves the first slice of the hashes that these blocks hold.
fn slice(connection: &Connection, parts: &[i64], level: u32, target: i64) -> Result<(), StoreError> {
    let mut first: Option<i64> = None;
    let mut lowest = connection.prepare_cached("SELECT prefix FROM links WHERE block = ?1 ORDER BY prefix LIMIT 1")?;
    for part in parts {
        if let Some(row) = lowest.query([part])?.next()? {
            let prefix = row.get(0)?;
            first = Some(first.map_or(prefix, |first| first.min(prefix)));
        }
    }
    let Some(first) = first else { return Ok(()) };
    let end = end_of_slice(first, level);
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO links(block, prefix, kind, seq, pos) \
         SELECT ?2, prefix, kind, seq, pos FROM links WHERE block = ?1 AND prefix <= ?3",
    )?;
    let mut delete = connection.prepare_cached("DELETE FROM links WHERE block = ?1 AND prefix <= ?2")?;
    for part in parts {
        insert.execute(params![part, target, end])?;
        delete.execute(params![part, end])?;
    }
    Ok(())
}

/// The last hash of the slice that this one lies in.
fn end_of_slice(prefix: i64, level: u32) -> i64 {
    let bits = SLICE_BITS + FAN_BITS * level.saturating_sub(1);
    let rest = u64::MAX.checked_shr(bits).unwrap_or(0);
    ((prefix.cast_unsigned() ^ SIGN | rest) ^ SIGN).cast_signed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::links::LinkRow;
    use crate::schema;

    fn rows(connection: &Connection) -> Vec<(i64, i64, i64)> {
        let mut statement = connection.prepare("SELECT prefix, seq, block FROM links ORDER BY prefix, seq").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect()
    }

    /// A hash for each entry, spread over all numbers.
    fn prefix(seq: u64) -> i64 {
        seq.wrapping_mul(0x9e37_79b9_7f4a_7c15).cast_signed()
    }

    #[test]
    fn rows_are_moved_together_none_is_lost_and_the_number_of_blocks_grows_with_the_logarithm() {
        let connection = Connection::open_in_memory().unwrap();
        schema::create(&connection).unwrap();
        let mut insert = connection.prepare("INSERT INTO links(block, prefix, kind, seq, pos) VALUES(?1, ?2, 0, ?3, 0)").unwrap();
        let (mut size, mut most) = (0, 0);
        let until = span(1) * 5 / 2;
        while size < until {
            let grown = (size + 700).min(until);
            for seq in size..grown {
                insert.execute(params![block(0, seq), prefix(seq), seq.cast_signed()]).unwrap();
            }
            tidy(&connection, size, grown).unwrap();
            size = grown;
            most = most.max(all(&connection).unwrap().len());
        }
        assert!(most <= 2 * 16 + 3, "{most} blocks at once");
        let mut expected: Vec<(i64, i64)> = (0..until).map(|seq| (prefix(seq), seq.cast_signed())).collect();
        expected.sort_unstable();
        let found = rows(&connection);
        assert_eq!(found.iter().map(|(prefix, seq, _)| (*prefix, *seq)).collect::<Vec<_>>(), expected);
        // Two blocks of the second level, and what is not enough for a third.
        assert!(found.iter().all(|(_, seq, number)| *number == settled(seq.cast_unsigned(), until)));
        assert_eq!(all(&connection).unwrap().len(), 8 + 2);
    }

    #[test]
    fn a_row_settles_on_the_highest_level_whose_block_is_whole() {
        let (low, middle) = (span(0), span(1));
        for (seq, size, level) in [
            (0, 1, 0),
            (0, low, 0),
            (0, middle - 1, 0),
            (0, middle, 1),
            (middle, middle + 1, 0),
            (middle, 2 * middle, 1),
            (5, span(2), 2),
            (span(2), span(2) + middle, 1),
            ((1 << 53) - 1, 1 << 53, LEVELS - 1),
        ] {
            assert_eq!(settled(seq, size), block(level, seq), "{seq} of {size}");
        }
    }

    #[test]
    fn slices_follow_each_other_and_the_last_one_ends_with_the_last_hash() {
        for level in 1..LEVELS {
            let (mut at, mut slices) = (i64::MIN, 1);
            while slices < 100 && end_of_slice(at, level) < i64::MAX {
                let end = end_of_slice(at, level);
                assert!(end > at && end_of_slice(end, level) == end);
                at = end + 1;
                slices += 1;
            }
            assert_eq!(slices.min(100), if level == 1 { 64 } else { 100 });
            assert_eq!(end_of_slice(i64::MAX, level), i64::MAX);
        }
    }

    #[test]
    fn a_row_of_the_index_is_ordered_as_it_lies_in_the_file() {
        let digest = |first: u8| {
            let mut bytes = [7; 32];
            bytes[0] = first;
            enact_core::hash::Digest::blake3(bytes)
        };
        let place = |seq| crate::links::LinkPlace { seq, pos: 0 };
        let row = |first, seq| LinkRow::new(&digest(first), crate::links::LinkKind::Is, place(seq), block(0, seq));
        // As signed numbers, and a block after the other.
        assert!(row(0x80, 0) < row(0x00, 0) && row(0xff, 0) < row(0x00, 0) && row(0x7f, 0) < row(0x80, span(0)));
    }
}
