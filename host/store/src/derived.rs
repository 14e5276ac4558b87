//! The rows of the derived state: present ones, past ones, and those that an entry wrote. Written only together with an entry
//! ([`crate::governed`]); what they mean is the core's business.

use enact_core::state::{Put, Space, StateView};
use rusqlite::{CachedStatement, Connection, Row, Rows, TransactionBehavior, params};

use crate::cache::Cache;
use crate::error::StoreError;
use crate::governed::TxView;
use crate::lane::locked;
use crate::number::{bound, column, unsigned};
use crate::open;
use crate::reader::{self, EntryRef, Reader};
use crate::schema::{self, FORMAT_STATE};
use crate::stats::Counters;
use crate::writer::{SNAPSHOT, Writer};

/// How many rows of one key a listing passes by before it looks for the last one instead.
const PASSED_MAX: u32 = 8;

/// A row with its key and the entry that wrote it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StateRow {
    /// The key.
    pub key: String,
    /// The entry that wrote it.
    pub seq: u64,
    /// Canonical JSON.
    pub value: String,
}

/// An entry and the rows that were stored with it.
#[derive(Clone, Copy, Debug)]
pub struct EntryRows<'a> {
    /// Place in the ledger, from 0.
    pub seq: u64,
    /// The entry; `None` when there are rows and the entry they came from is missing.
    pub entry: Option<EntryRef<'a>>,
    /// Its rows in the order of space and key, as in [`enact_core::state::StateDelta`].
    pub rows: &'a [Put],
}

/// The present row of a key and the entry that wrote it.
pub(crate) fn present(connection: &Connection, space: Space, key: &str) -> Result<Option<(u64, String)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT seq, value FROM state WHERE space = ?1 AND key = ?2 ORDER BY seq DESC LIMIT 1")?;
    row(statement.query([space.as_str(), key])?.next()?)
}

/// The row of a key as an entry left it.
fn at(connection: &Connection, space: Space, key: &str, seq: i64) -> Result<Option<(u64, String)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT seq, value FROM state WHERE space = ?1 AND key = ?2 AND seq <= ?3 ORDER BY seq DESC LIMIT 1")?;
    row(statement.query(params![space.as_str(), key, seq])?.next()?)
}

fn row(row: Option<&Row<'_>>) -> Result<Option<(u64, String)>, StoreError> {
    row.map(|row| Ok((unsigned(row.get(0)?, "a sequence number")?, row.get(1)?))).transpose()
}

/// The last entry that wrote rows.
pub(crate) fn last(connection: &Connection) -> Result<Option<i64>, StoreError> {
    Ok(connection.prepare_cached("SELECT max(seq) FROM state")?.query_row([], |row| row.get(0))?)
}

/// Stores a row.
pub(crate) fn insert(connection: &Connection, seq: i64, put: &Put) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT INTO state(seq, space, key, value) VALUES(?1, ?2, ?3, ?4)")?.execute(params![
        seq,
        put.space.as_str(),
        put.key,
        put.value
    ])?;
    Ok(())
}

/// Stores a row of the entry with this number.
pub type PutRow<'a> = dyn FnMut(u64, &Put) -> Result<(), StoreError> + 'a;

impl Writer {
    /// Replaces all rows of the derived state by those that `fill` gives, in one durable transaction: what was lost or altered is made anew
    /// from the entries. An error of `fill` leaves the rows as they were.
    ///
    /// # Errors
    /// Whatever `fill` answers, or as [`Writer::append`].
    pub fn replace_state<T, E: From<StoreError>>(&mut self, fill: impl FnOnce(&mut PutRow<'_>) -> Result<T, E>) -> Result<T, E> {
        self.landed(0);
        // It knows rows that are about to go.
        self.cache = Cache::default();
        let sql = |error: rusqlite::Error| E::from(StoreError::from(error));
        let mut lane = locked(&self.lane);
        let begun = lane.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(|e| E::from(open::at(e.into(), &self.shared.options)))?;
        // Indexes are derived as well: one that leaves rows out hides them.
        transaction.execute_batch("REINDEX; DELETE FROM state").map_err(sql)?;
        let done = fill(&mut |seq, put| insert(&transaction, column(seq)?, put))?;
        transaction.commit().map_err(sql)?;
        Counters::add(&self.shared.counters.transactions, 1);
        lane.checkpoint_after(true);
        Ok(done)
    }
}

impl Reader {
    /// Whether the file has the tables of the derived state. An older one is read as if they were empty.
    pub(crate) fn is_governed(&self) -> Result<bool, StoreError> {
        if !self.governed.get() {
            self.governed.set(schema::format(&self.connection)? >= FORMAT_STATE);
        }
        Ok(self.governed.get())
    }

    /// The present row of a key, with the entry that wrote it.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn state(&mut self, space: Space, key: &str) -> Result<Option<(u64, String)>, StoreError> {
        if self.is_governed()? { present(&self.connection, space, key) } else { Ok(None) }
    }

    /// The row of a key as entry `seq` left it, with the entry that wrote it.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn state_at(&mut self, space: Space, key: &str, seq: u64) -> Result<Option<(u64, String)>, StoreError> {
        if self.is_governed()? { at(&self.connection, space, key, bound(seq)) } else { Ok(None) }
    }

    /// All rows that a key ever had with the entries that wrote them, oldest first. `after` is the entry of the last one of the page before.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn state_history(&mut self, space: Space, key: &str, after: Option<u64>, limit: u64) -> Result<Vec<(u64, String)>, StoreError> {
        let mut found = Vec::new();
        if !self.is_governed()? {
            return Ok(found);
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, value FROM state WHERE space = ?1 AND key = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4")?;
        let mut rows = statement.query(params![space.as_str(), key, after.map_or(-1, bound), bound(limit)])?;
        while let Some(row) = rows.next()? {
            found.push((unsigned(row.get(0)?, "a sequence number")?, row.get(1)?));
        }
        Ok(found)
    }

    /// Present rows of a space in the order of their keys (of their bytes), those with the prefix only. `after` is the last key of the page
    /// before. Costs what it answers, however often the rows were changed.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn state_rows(&mut self, space: Space, prefix: &str, after: Option<&str>, limit: u64) -> Result<Vec<StateRow>, StoreError> {
        self.state_rows_at(space, prefix, after, limit, None)
    }

    /// The same as entry `upto` left it, or at present. Of the past it also passes by what was written since below the prefix.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn state_rows_at(
        &mut self,
        space: Space,
        prefix: &str,
        after: Option<&str>,
        limit: u64,
        upto: Option<u64>,
    ) -> Result<Vec<StateRow>, StoreError> {
        let upto = upto.map_or(i64::MAX, bound);
        let (from, inclusive) = match after {
            Some(after) if after >= prefix => (after, false),
            Some(_) | None => (prefix, true),
        };
        let mut listing = Listing { space, prefix, limit, upto, key: from.to_owned(), inclusive, found: Vec::new() };
        self.in_one_moment(|reader| {
            if reader.is_governed()? {
                while listing.stretch(&reader.connection)? {}
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(listing.found)
    }

    /// Calls `each` with every entry from `from` on and the rows that were stored with it, in order, with flat memory: what an audit
    /// compares with the entry's own delta. Rows without an entry are shown too. Both tables are read as they lie in the file.
    ///
    /// # Errors
    /// Whatever `each` answers, [`StoreError::Corrupt`] when a leaf is not a leaf or a space is unknown, or whatever SQLite reports.
    pub fn entries_with_state<E: From<StoreError>>(
        &mut self,
        from: u64,
        mut each: impl FnMut(EntryRows<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.in_one_moment(|reader| {
            let sql = |error| E::from(StoreError::from(error));
            let mut puts = Puts::new(reader.is_governed()?);
            let mut state = puts.statement(&reader.connection)?;
            let mut stored = state.query(puts.arguments(from)).map_err(sql)?;
            puts.step(&mut stored)?;
            let mut statement =
                reader.connection.prepare_cached("SELECT seq, bytes, leaf FROM entries WHERE seq >= ?1 ORDER BY seq").map_err(sql)?;
            let mut entries = statement.query([bound(from)]).map_err(sql)?;
            loop {
                let entry = entries.next().map_err(sql)?.map(reader::entry).transpose()?;
                let upto = entry.map_or(u64::MAX, |entry| entry.seq);
                while let Some(seq) = puts.seq().filter(|seq| *seq < upto) {
                    puts.take(seq, &mut stored)?;
                    each(EntryRows { seq, entry: None, rows: &puts.taken })?;
                }
                let Some(entry) = entry else { return Ok(()) };
                puts.take(entry.seq, &mut stored)?;
                each(EntryRows { seq: entry.seq, entry: Some(entry), rows: &puts.taken })?;
            }
        })
    }

    /// Holds this moment, or the one that is held already, to read the state in it: as it is, or as the first `size` entries left it.
    ///
    /// # Errors
    /// As [`Reader::begin`].
    pub fn moment(&mut self, size: Option<u64>) -> Result<Moment<'_>, StoreError> {
        let ours = !self.is_held();
        self.begin()?;
        let governed = self.is_governed()?;
        let upto = size.map(|size| bound(size).saturating_sub(1));
        Ok(Moment { reader: self, ours, governed, upto })
    }

    /// Several statements that see the same.
    pub(crate) fn in_one_moment<T, E: From<StoreError>>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        if self.is_held() {
            return act(self);
        }
        self.begin()?;
        let done = act(self);
        let ended = self.end();
        let done = done?;
        ended?;
        Ok(done)
    }
}

/// A listing under way.
struct Listing<'a> {
    space: Space,
    prefix: &'a str,
    limit: u64,
    /// The last entry that counts.
    upto: i64,
    /// Where to go on.
    key: String,
    /// Whether that key itself is meant.
    inclusive: bool,
    found: Vec<StateRow>,
}

impl Listing<'_> {
    /// Reads on in the index until the page is full, the prefix ends or a key has so many rows that it is cheaper to start again after it.
    /// Answers whether to go on.
    fn stretch(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        let sql = if self.inclusive {
            "SELECT key, seq FROM state WHERE space = ?1 AND key >= ?2 AND seq <= ?3 ORDER BY key, seq"
        } else {
            "SELECT key, seq FROM state WHERE space = ?1 AND key > ?2 AND seq <= ?3 ORDER BY key, seq"
        };
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![self.space.as_str(), self.key, self.upto])?;
        let mut last: Option<(String, i64)> = None;
        let mut passed = 0;
        while self.room() {
            let Some(row) = rows.next()? else { break };
            let (key, seq) = (row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?, row.get(1)?);
            match &mut last {
                Some((same, latest)) if same == key => {
                    *latest = seq;
                    passed += 1;
                    if passed > PASSED_MAX {
                        let key = key.to_owned();
                        if let Some((seq, value)) = at(connection, self.space, &key, self.upto)? {
                            self.found.push(StateRow { key: key.clone(), seq, value });
                        }
                        (self.key, self.inclusive) = (key, false);
                        return Ok(true);
                    }
                }
                _ => {
                    let next = key.starts_with(self.prefix).then(|| (key.to_owned(), seq));
                    let ended = next.is_none();
                    if let Some((key, seq)) = std::mem::replace(&mut last, next) {
                        self.push(connection, key, seq)?;
                    }
                    if ended {
                        break;
                    }
                    passed = 0;
                }
            }
        }
        if let Some((key, seq)) = last.filter(|_| self.room()) {
            self.push(connection, key, seq)?;
        }
        Ok(false)
    }

    fn room(&self) -> bool {
        u64::try_from(self.found.len()).is_ok_and(|found| found < self.limit)
    }

    fn push(&mut self, connection: &Connection, key: String, seq: i64) -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached("SELECT value FROM state WHERE seq = ?1 AND space = ?2 AND key = ?3")?;
        let value = statement.query_row(params![seq, self.space.as_str(), key], |row| row.get(0))?;
        self.found.push(StateRow { key, seq: unsigned(seq, "a sequence number")?, value });
        Ok(())
    }
}

/// Rows as they lie in the file, gathered by entry.
struct Puts {
    governed: bool,
    next: Option<(u64, Put)>,
    taken: Vec<Put>,
}

impl Puts {
    const fn new(governed: bool) -> Self {
        Self { governed, next: None, taken: Vec::new() }
    }

    fn statement<'c>(&self, connection: &'c Connection) -> Result<CachedStatement<'c>, StoreError> {
        Ok(connection.prepare_cached(if self.governed {
            "SELECT seq, space, key, value FROM state WHERE seq >= ?1 ORDER BY seq, space, key"
        } else {
            "SELECT ?1, '', '', '' WHERE false"
        })?)
    }

    fn arguments(&self, from: u64) -> [i64; 1] {
        // A negative number is nobody's entry; whoever starts at the beginning is shown it as damage.
        [if from == 0 { i64::MIN } else { bound(from) }]
    }

    fn seq(&self) -> Option<u64> {
        self.next.as_ref().map(|(seq, _)| *seq)
    }

    fn step(&mut self, rows: &mut Rows<'_>) -> Result<(), StoreError> {
        self.next = rows.next()?.map(put).transpose()?;
        Ok(())
    }

    /// Gathers the rows of an entry.
    fn take(&mut self, seq: u64, rows: &mut Rows<'_>) -> Result<(), StoreError> {
        self.taken.clear();
        while let Some((_, put)) = self.next.take_if(|(of, _)| *of == seq) {
            self.taken.push(put);
            self.step(rows)?;
        }
        Ok(())
    }
}

fn put(row: &Row<'_>) -> Result<(u64, Put), StoreError> {
    let seq = unsigned(row.get(0)?, "a sequence number")?;
    let word = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
    let Some(space) = Space::parse(word) else {
        return Err(StoreError::Corrupt { detail: format!("entry {seq} has a row in the space `{word}`, which does not exist") });
    };
    Ok((seq, Put { space, key: row.get(2)?, value: row.get(3)? }))
}

/// The state in one moment. Dropped, it lets go of the moment, unless it was held before.
pub struct Moment<'r> {
    reader: &'r mut Reader,
    ours: bool,
    governed: bool,
    /// The last entry that counts, when it is not the last one there is.
    upto: Option<i64>,
}

impl Moment<'_> {
    /// The reader, for whatever else is to be read in the same moment.
    pub fn reader(&mut self) -> &mut Reader {
        self.reader
    }
}

impl StateView for Moment<'_> {
    type Error = StoreError;

    fn get(&self, space: Space, key: &str) -> Result<Option<String>, StoreError> {
        if !self.governed {
            return Ok(None);
        }
        let row = match self.upto {
            Some(seq) => at(&self.reader.connection, space, key, seq)?,
            None => present(&self.reader.connection, space, key)?,
        };
        Ok(row.map(|(_, value)| value))
    }
}

impl TxView for Moment<'_> {
    fn snapshot(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.blob_of(SNAPSHOT, hash)
    }
}

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        if self.ours {
            // Fails only when the connection is beyond use, which its next call will say.
            drop(self.reader.end());
        }
    }
}
