//! The index over events: whether it is the one that follows from the logs, and making it anew. It answers what is asked before a run is
//! admitted, so an auditor compares it row by row. What the logs hold is compared with the runs elsewhere.

use rusqlite::{Connection, params};

use crate::catalog::index_key;
use crate::error::StoreError;
use crate::event;
use crate::number::unsigned;
use crate::reader::Reader;
use crate::writer::Writer;

/// A row that follows from the logs and is not there, or rows that are there and follow from nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EventDifference {
    /// A log record is not found by its event, or not by the values of these fields of it.
    Lacks {
        /// Name of the log.
        store: String,
        /// Position in it.
        pos: u64,
        /// The event.
        event: String,
        /// Names of the fields; none when the record is not found at all.
        fields: Vec<String>,
    },
    /// There are more rows than follow.
    Surplus {
        /// `events` or `event_keys`.
        table: &'static str,
        /// How many follow.
        expected: u64,
        /// How many there are.
        found: u64,
    },
}

/// A combination of fields by which an event is looked for.
struct Index {
    id: i64,
    event: String,
    fields: Vec<String>,
}

impl Reader {
    /// The first difference between the index over events and what follows from the logs that the stores table names.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn event_difference(&mut self) -> Result<Option<EventDifference>, StoreError> {
        self.in_one_moment(|reader| difference(&reader.connection))
    }
}

impl Writer {
    /// Makes the index over events anew from the logs, in one durable transaction. Combinations of fields go: each comes again when it is
    /// next asked for. Answers how many rows there are now.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn rebuild_events(&mut self) -> Result<u64, StoreError> {
        let rows = self.durable(|connection| {
            connection.execute_batch("DELETE FROM event_keys; DELETE FROM event_indexes; DELETE FROM events")?;
            let mut rows = 0_u64;
            let mut insert = connection.prepare("INSERT INTO events(event, store, pos) VALUES(?1, ?2, ?3)")?;
            each_record(connection, |record| {
                for event in event::codes(record.value) {
                    insert.execute(params![event, record.store, record.pos])?;
                    rows = rows.saturating_add(1);
                }
                Ok(true)
            })?;
            Ok(rows)
        })?;
        self.checkpoint_after(true);
        Ok(rows)
    }
}

/// A record of a log.
struct Record<'a> {
    store: i64,
    name: &'a str,
    pos: i64,
    value: &'a str,
}

/// Calls `each` with every record of the logs, as long as it says so.
fn each_record(connection: &Connection, mut each: impl FnMut(Record<'_>) -> Result<bool, StoreError>) -> Result<(), StoreError> {
    let mut logs = connection
        .prepare("SELECT l.store, s.name, l.pos, l.value FROM log_rows l JOIN stores s ON s.id = l.store ORDER BY l.store, l.pos")?;
    let mut rows = logs.query([])?;
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        if !each(Record { store: row.get(0)?, name: text(1)?, pos: row.get(2)?, value: text(3)? })? {
            break;
        }
    }
    Ok(())
}

fn difference(connection: &Connection) -> Result<Option<EventDifference>, StoreError> {
    let indexes = indexes(connection)?;
    let mut carries = connection.prepare("SELECT EXISTS(SELECT 1 FROM events WHERE event = ?1 AND store = ?2 AND pos = ?3)")?;
    let mut keyed =
        connection.prepare("SELECT EXISTS(SELECT 1 FROM event_keys WHERE idx = ?1 AND key = ?2 AND store = ?3 AND pos = ?4)")?;
    let (mut events, mut keys, mut lacks) = (0_u64, 0_u64, None);
    each_record(connection, |record| {
        for event in event::codes(record.value) {
            let mut fields = None;
            events = events.saturating_add(1);
            if !carries.query_row(params![event, record.store, record.pos], |row| row.get::<_, bool>(0))? {
                fields = Some(Vec::new());
            }
            for index in indexes.iter().filter(|index| index.event == event) {
                let Some(key) = event::key(record.value, &event, &index.fields) else { continue };
                keys = keys.saturating_add(1);
                if !keyed.query_row(params![index.id, index_key(&key), record.store, record.pos], |row| row.get::<_, bool>(0))? {
                    fields.get_or_insert_with(|| index.fields.clone());
                }
            }
            if let Some(fields) = fields {
                let (store, pos) = (record.name.to_owned(), unsigned(record.pos, "the position of a record")?);
                lacks = Some(EventDifference::Lacks { store, pos, event, fields });
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    if lacks.is_some() {
        return Ok(lacks);
    }
    // Every row that follows is there; as many as there are, and there is no other.
    for (table, expected) in [("events", events), ("event_keys", keys)] {
        let found = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
        let found = unsigned(found, "a number of rows")?;
        if found != expected {
            return Ok(Some(EventDifference::Surplus { table, expected, found }));
        }
    }
    Ok(None)
}

fn indexes(connection: &Connection) -> Result<Vec<Index>, StoreError> {
    let mut statement = connection.prepare("SELECT id, event, fields FROM event_indexes ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let fields = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        found.push(Index { id: row.get(0)?, event: row.get(1)?, fields: index_names(fields)? });
    }
    Ok(found)
}

/// Names of the fields of an index, as they are stored.
pub(crate) fn index_names(text: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Corrupt { detail: format!("the fields of an index of events: {e}") })
}
