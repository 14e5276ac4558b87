//! Whether the counts of the queue are those of its items, and whether every line has its item. What a row should be is not the store's
//! business.

use rusqlite::{Row as SqlRow, params};

use crate::error::StoreError;
use crate::number::{bound, queued};
use crate::queue::QueueCount;
use crate::reader::Reader;

/// A count that is not the number of items that it is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueMiscount {
    /// The member that is counted by; empty for all items.
    pub member: String,
    /// What is stored.
    pub stored: QueueCount,
    /// How many items there are.
    pub items: u64,
}

/// Every count beside the number of items, where they differ.
const MISCOUNTS: &str = "WITH follow(member, contract, value, status, items, stored) AS (\
     SELECT '', contract, '', status, count(*), 0 FROM queue_items WHERE archived = 0 GROUP BY contract, status \
     UNION ALL SELECT k.member, i.contract, k.value, i.status, count(*), 0 FROM queue_kept k CROSS JOIN queue_items i ON i.id = k.item \
     WHERE k.counted = 1 AND i.archived = 0 GROUP BY k.member, i.contract, k.value, i.status \
     UNION ALL SELECT member, contract, value, status, 0, items FROM queue_counts) \
     SELECT member, contract, value, status, sum(items), sum(stored) FROM follow GROUP BY member, contract, value, status \
     HAVING sum(items) <> sum(stored) ORDER BY member, contract, value, status LIMIT ?1";

/// The sums by one column, from the index beside the items alone and from the counts.
const SUMS: &str = "SELECT EXISTS(SELECT 1 FROM (\
     SELECT {} AS word, count(*) AS items, 0 AS stored FROM queue_items INDEXED BY queue_{} WHERE archived = 0 GROUP BY {} \
     UNION ALL SELECT {}, 0, items FROM queue_counts WHERE member = '') GROUP BY word HAVING sum(items) <> sum(stored))";

/// Items that only the journal has.
const UNROWED: &str = "SELECT DISTINCT j.item FROM queue_journal j INDEXED BY queue_journal_items \
     WHERE NOT EXISTS(SELECT 1 FROM queue_items i WHERE i.item = j.item) LIMIT ?1";

impl Reader {
    /// Whether there are as many items of each status, and under each contract, as are counted. Reads two narrow indexes and no item.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn queue_is_counted(&mut self) -> Result<bool, StoreError> {
        if !self.is_queued()? {
            return Ok(true);
        }
        for column in ["status", "contract"] {
            if self.connection.prepare_cached(&SUMS.replace("{}", column))?.query_row([], |row| row.get(0))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counts that are not the number of items that they are about. Reads through the rows of the items.
    ///
    /// # Errors
    /// [`StoreError::QueueRows`] for a count below nothing, or whatever SQLite reports.
    pub fn queue_miscounts(&mut self, limit: u64) -> Result<Vec<QueueMiscount>, StoreError> {
        self.compared(MISCOUNTS, limit, |row| {
            let number = |nth| queued(row.get(nth)?, "a number of items");
            let stored = QueueCount { contract: row.get(1)?, value: row.get(2)?, status: row.get(3)?, items: number(5)? };
            Ok(QueueMiscount { member: row.get(0)?, stored, items: number(4)? })
        })
    }

    /// Items with lines and without a row.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn queue_unrowed(&mut self, limit: u64) -> Result<Vec<String>, StoreError> {
        self.compared(UNROWED, limit, |row| Ok(row.get(0)?))
    }

    fn compared<T>(&mut self, sql: &str, limit: u64, read: impl Fn(&SqlRow<'_>) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        if !self.is_queued()? {
            return Ok(found);
        }
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![bound(limit)])?;
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}
