//! Reading the queue: items, counts, leases and the journal. A file from before there was one is read as if it were empty.

use enact_core::state::Space;
use rusqlite::{OptionalExtension, Row as SqlRow, ToSql, params};

use crate::derived::StateRow;
use crate::error::StoreError;
use crate::number::{bound, queued, unsigned};
use crate::queue::change::{COLUMNS, item};
use crate::queue::{QueueCount, QueueFilter, QueueItem, QueueLine};
use crate::reader::Reader;
use crate::schema::{self, FORMAT_DUE, FORMAT_QUEUE};

/// The latest line of an item, unless the journal was lost and its number is another's.
const WITH_LINE: &str = "LEFT JOIN queue_journal j ON j.id = i.line AND j.item = i.item";

fn with_line(row: &SqlRow<'_>) -> Result<QueueItem, StoreError> {
    Ok(QueueItem { line: row.get(13)?, ..item(row)? })
}

/// The statement of a listing. Parameters: the cursor, the limit, then those of the filter in the order of [`arguments`].
pub(crate) fn listing(filter: &QueueFilter) -> String {
    let mut conditions = vec![format!("i.archived = {}", u8::from(filter.archived))];
    let mut next = 3;
    let mut parameter = |condition: &str| {
        conditions.push(format!("{condition} ?{next}"));
        next += 1;
    };
    let kept = filter.kept.is_some();
    if kept {
        parameter("k.member =");
        parameter("k.value =");
    }
    if filter.status.is_some() {
        parameter("i.status =");
    }
    if filter.contract.is_some() {
        parameter("i.contract =");
    }
    let (from, id) = if kept {
        ("queue_kept k INDEXED BY queue_kept_values CROSS JOIN queue_items i ON i.id = k.item".to_owned(), "k.item")
    } else {
        let index = match filter {
            QueueFilter { status: Some(_), .. } => "queue_status",
            QueueFilter { contract: Some(_), .. } => "queue_contract",
            QueueFilter { .. } => "queue_archived",
        };
        (format!("queue_items i INDEXED BY {index}"), "i.id")
    };
    if filter.text.is_some() {
        let text = format!("?{next}");
        conditions.push(format!("(instr(i.item, {text}) > 0 OR instr(j.line, {text}) > 0)"));
    }
    if let Some(before) = filter.before {
        // A number of ours: it cannot say anything else.
        conditions.push(format!("i.updated < {}", bound(before)));
    }
    let conditions = conditions.join(" AND ");
    format!("SELECT {COLUMNS}, j.line FROM {from} {WITH_LINE} WHERE {conditions} AND {id} > ?1 ORDER BY {id} LIMIT ?2")
}

fn arguments(filter: &QueueFilter) -> Vec<&dyn ToSql> {
    let mut arguments: Vec<&dyn ToSql> = Vec::new();
    if let Some((member, value)) = &filter.kept {
        arguments.push(member);
        arguments.push(value);
    }
    for text in [&filter.status, &filter.contract, &filter.text].into_iter().flatten() {
        arguments.push(text);
    }
    arguments
}

impl Reader {
    /// Whether the file has the tables of the queue.
    pub(crate) fn is_queued(&self) -> Result<bool, StoreError> {
        if !self.queued.get() {
            self.queued.set(schema::format(&self.connection)? >= FORMAT_QUEUE);
        }
        Ok(self.queued.get())
    }

    /// One item, archived or not.
    ///
    /// # Errors
    /// [`StoreError::QueueRows`] when its row contradicts itself, or whatever SQLite reports.
    pub fn queue_item(&mut self, of: &str) -> Result<Option<QueueItem>, StoreError> {
        if !self.is_queued()? {
            return Ok(None);
        }
        let sql = format!("SELECT {COLUMNS}, j.line FROM queue_items i {WITH_LINE} WHERE i.item = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([of])?;
        rows.next()?.map(with_line).transpose()
    }

    /// Items in the order in which they were added. `after` is the number of the last one of the page before, 0 for the first.
    ///
    /// # Errors
    /// As [`Reader::queue_item`].
    pub fn queue_items(&mut self, filter: &QueueFilter, after: u64, limit: u64) -> Result<Vec<QueueItem>, StoreError> {
        let (after, limit) = (bound(after), bound(limit));
        let mut parameters: Vec<&dyn ToSql> = vec![&after, &limit];
        parameters.extend(arguments(filter));
        self.found(&listing(filter), &parameters)
    }

    /// Items that are held, by deadline: those whose lease has not expired at this time.
    ///
    /// # Errors
    /// As [`Reader::queue_item`].
    pub fn queue_leases(&mut self, now: u64) -> Result<Vec<QueueItem>, StoreError> {
        let sql = LEASES.replace("{}", &format!("{COLUMNS}, j.line"));
        self.found(&sql, params![bound(now)])
    }

    /// The first time at which something that waits can be taken or something that is held expires; `None` when there is neither. Until
    /// then only a change can bring work.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn queue_wake(&mut self) -> Result<Option<u64>, StoreError> {
        if !self.is_queued()? {
            return Ok(None);
        }
        let mut first = None;
        for sql in [WAITING, DEADLINE] {
            let time: Option<i64> = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
            let time = time.map(|time| queued(time, "a time in the queue")).transpose()?;
            first = first.into_iter().chain(time).min();
        }
        Ok(first)
    }

    /// Items in this status that nobody holds and whose time has come, by that time: a failed one that is tried again, an executed one that
    /// is to be settled. What waits for nobody has no time. Of these contracts, or of all without any.
    ///
    /// # Errors
    /// As [`Reader::queue_item`].
    pub fn queue_due(&mut self, status: &str, contracts: &[String], now: u64, limit: u64) -> Result<Vec<QueueItem>, StoreError> {
        let sql = self.by_time(&AGAIN.replace("{}", &format!("{COLUMNS}, j.line")))?;
        if contracts.is_empty() {
            return self.found(&sql, params![bound(now), bound(limit), status]);
        }
        let mut found = Vec::new();
        if !self.is_queued()? {
            return Ok(found);
        }
        // Those of other contracts are passed by; the index holds nothing but what is due.
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![bound(now), -1, status])?;
        while u64::try_from(found.len()).is_ok_and(|found| found < limit) {
            let Some(row) = rows.next()? else { break };
            let item = with_line(row)?;
            if contracts.contains(&item.row.contract) {
                found.push(item);
            }
        }
        Ok(found)
    }

    /// Before that format there is no index by time, and such items are read through.
    fn by_time(&self, sql: &str) -> Result<String, StoreError> {
        let indexed = schema::format(&self.connection)? >= FORMAT_DUE;
        Ok(if indexed { sql.to_owned() } else { sql.replace("INDEXED BY queue_due", "") })
    }

    /// When the first lease ends that is written down; it may have ended already.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn queue_deadline(&mut self) -> Result<Option<u64>, StoreError> {
        if !self.is_queued()? {
            return Ok(None);
        }
        let time: Option<i64> = self.connection.prepare_cached(DEADLINE)?.query_row([], |row| row.get(0)).optional()?;
        time.map(|time| queued(time, "a time in the queue")).transpose()
    }

    /// The first time after `now` at which an item in this status is due.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn queue_due_next(&mut self, status: &str, now: u64) -> Result<Option<u64>, StoreError> {
        if !self.is_queued()? {
            return Ok(None);
        }
        let sql = self.by_time(AGAIN_NEXT)?;
        let time: Option<i64> =
            self.connection.prepare_cached(&sql)?.query_row(params![bound(now), status], |row| row.get(0)).optional()?;
        time.map(|time| queued(time, "a time in the queue")).transpose()
    }

    /// How many items there are by contract and status, of one contract or all. Archived ones are not counted. Reads no items.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn queue_counts(&mut self, contract: Option<&str>) -> Result<Vec<QueueCount>, StoreError> {
        self.queue_counts_by("", contract)
    }

    /// How many items there are by contract, value of a member that is counted, and status.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn queue_counts_by(&mut self, member: &str, contract: Option<&str>) -> Result<Vec<QueueCount>, StoreError> {
        let mut found = Vec::new();
        if !self.is_queued()? {
            return Ok(found);
        }
        let mut statement = self.connection.prepare_cached(if contract.is_some() { COUNTS_OF } else { COUNTS })?;
        let mut rows = match contract {
            Some(contract) => statement.query(params![member, contract])?,
            None => statement.query(params![member])?,
        };
        while let Some(row) = rows.next()? {
            found.push(QueueCount {
                contract: row.get(0)?,
                value: row.get(1)?,
                status: row.get(2)?,
                items: queued(row.get(3)?, "a number of items")?,
            });
        }
        Ok(found)
    }

    /// Lines of the journal in the order in which they were written, of one item or all. `after` is the number of the last one of the page
    /// before, 0 for the first.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn queue_lines(&mut self, of: Option<&str>, after: u64, limit: u64) -> Result<Vec<QueueLine>, StoreError> {
        let mut found = Vec::new();
        if !self.is_queued()? {
            return Ok(found);
        }
        let mut statement = self.connection.prepare_cached(if of.is_some() { LINES_OF } else { LINES })?;
        let mut rows = match of {
            Some(of) => statement.query(params![bound(after), bound(limit), of])?,
            None => statement.query(params![bound(after), bound(limit)])?,
        };
        while let Some(row) = rows.next()? {
            found.push(QueueLine {
                id: unsigned(row.get(0)?, "the number of a line")?,
                item: row.get(1)?,
                event: row.get(2)?,
                status: row.get(3)?,
                at: unsigned(row.get(4)?, "the time of a line")?,
                line: row.get(5)?,
            });
        }
        Ok(found)
    }

    /// Calls `each` with every subject of a type, in the order of the entries that created them and by key within one: the number of that
    /// entry, and the present row. What a lost queue is derived from again. The keys are sorted in memory; the rows are not held.
    ///
    /// # Errors
    /// Whatever `each` answers, or whatever SQLite reports.
    pub fn subjects_by_creation<E: From<StoreError>>(
        &mut self,
        type_: &str,
        mut each: impl FnMut(u64, StateRow) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.is_governed()? {
            return Ok(());
        }
        let sql = |error| E::from(StoreError::from(error));
        let mut statement = self.connection.prepare_cached(SUBJECTS).map_err(sql)?;
        // `;` is the character after `:`.
        let mut rows = statement.query([Space::Subject.as_str(), &format!("{type_}:"), &format!("{type_};")]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let number = |nth| Ok::<_, E>(unsigned(row.get(nth).map_err(sql)?, "a sequence number")?);
            let (created, seq) = (number(1)?, number(2)?);
            let stored = StateRow { key: row.get(0).map_err(sql)?, seq, value: row.get(3).map_err(sql)? };
            each(created, stored)?;
        }
        Ok(())
    }

    /// A number that is another one after every commit of another connection, whatever it was about. Costs next to nothing to ask for.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn data_version(&mut self) -> Result<i64, StoreError> {
        Ok(self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
    }

    fn found(&mut self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Vec<QueueItem>, StoreError> {
        let mut found = Vec::new();
        if !self.is_queued()? {
            return Ok(found);
        }
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            found.push(with_line(row)?);
        }
        Ok(found)
    }
}

pub(crate) const WAITING: &str = "SELECT not_before FROM queue_items INDEXED BY queue_waiting \
                       WHERE status = 'READY' AND waiting = 1 AND archived = 0 ORDER BY not_before LIMIT 1";
pub(crate) const DEADLINE: &str =
    "SELECT deadline FROM queue_items INDEXED BY queue_leases WHERE deadline IS NOT NULL ORDER BY deadline LIMIT 1";
pub(crate) const COUNTS: &str =
    "SELECT contract, value, status, items FROM queue_counts WHERE member = ?1 ORDER BY contract, value, status";
pub(crate) const COUNTS_OF: &str =
    "SELECT contract, value, status, items FROM queue_counts WHERE member = ?1 AND contract = ?2 ORDER BY contract, value, status";
pub(crate) const LINES: &str = "SELECT id, item, event, status, at, line FROM queue_journal WHERE id > ?1 ORDER BY id LIMIT ?2";
pub(crate) const LINES_OF: &str = "SELECT id, item, event, status, at, line FROM queue_journal INDEXED BY queue_journal_items \
                        WHERE item = ?3 AND id > ?1 ORDER BY id LIMIT ?2";
pub(crate) const SUBJECTS: &str = "SELECT k.key, k.created, k.last, s.value FROM \
                        (SELECT key, min(seq) AS created, max(seq) AS last FROM state INDEXED BY state_keys \
                         WHERE space = ?1 AND key >= ?2 AND key < ?3 GROUP BY key) k \
                        CROSS JOIN state s ON s.seq = k.last AND s.space = ?1 AND s.key = k.key ORDER BY k.created, k.key";
/// With the columns in place of the braces.
pub(crate) const LEASES: &str = "SELECT {} FROM queue_items i INDEXED BY queue_leases \
                                 LEFT JOIN queue_journal j ON j.id = i.line AND j.item = i.item \
                                 WHERE i.deadline > ?1 ORDER BY i.deadline, i.id";
/// With the columns in place of the braces.
pub(crate) const AGAIN: &str = "SELECT {} FROM queue_items i INDEXED BY queue_due LEFT JOIN queue_journal j ON j.id = i.line AND j.item = i.item \
                                WHERE i.waiting = 1 AND i.archived = 0 AND i.owner IS NULL AND i.status = ?3 AND i.not_before <= ?1 \
                                ORDER BY i.not_before, i.id LIMIT ?2";
pub(crate) const AGAIN_NEXT: &str = "SELECT not_before FROM queue_items INDEXED BY queue_due \
                                     WHERE waiting = 1 AND archived = 0 AND owner IS NULL AND status = ?2 AND not_before > ?1 \
                                     ORDER BY not_before LIMIT 1";
