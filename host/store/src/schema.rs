//! The tables of a ledger file, and the check that a file has these tables and no others; not their contents.
//!
//! `sqlite_schema` keeps the text of a statement verbatim, so a file can be compared with the statements below word by word. A
//! trigger or a view that someone added would otherwise run inside our own transactions.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::links;

/// `PRAGMA application_id`: "Enct". Tells a ledger from any other SQLite database, `file(1)` included.
pub(crate) const APPLICATION_ID: i64 = 0x456e_6374;

/// `PRAGMA user_version`: the format of the tables below. 2 added the derived state and the refused proposals, 3 the listeners, 4 the
/// execution queue, 5 indexes of the queue: what is tried again by its time, and what failed by its time, 6 the executions of decisions,
/// 7 an index over record hashes, 8 its blocks.
pub const FORMAT: i64 = 8;

/// The format in which the derived state first appeared.
pub(crate) const FORMAT_STATE: i64 = 2;

/// The format in which listeners first appeared.
pub(crate) const FORMAT_LISTENERS: i64 = 3;

/// The format in which the execution queue first appeared.
pub(crate) const FORMAT_QUEUE: i64 = 4;

/// The format in which what is due again and what has failed is looked up by its time. A file of the format before has it read through.
pub(crate) const FORMAT_DUE: i64 = 5;

/// The format in which executions of decisions first appeared.
pub(crate) const FORMAT_EXECUTIONS: i64 = 6;

/// The format in which the index over record hashes has its present form. A file with the one before is read as if it had none.
pub(crate) const FORMAT_LINKS: i64 = 8;

/// The one format that has [`TREE`].
const FORMAT_TREE: i64 = 7;

/// The index over record hashes as a single tree, which grew dearer with the ledger: each row of a batch was written to a page of its own.
const TREE: (&str, i64, &str) = (
    "links",
    FORMAT_TREE,
    "CREATE TABLE links(prefix INTEGER NOT NULL, kind INTEGER NOT NULL, seq INTEGER NOT NULL, pos INTEGER NOT NULL, \
     PRIMARY KEY(prefix, kind, seq, pos)) STRICT, WITHOUT ROWID",
);

/// Page size of new files. A run of 4 KiB costs 6.5 KiB of log and 5.8 KiB of file with pages of 4 KiB, 10.7 and 9.3 with 8 KiB (such rows
/// fill half a page), 8.9 and 6.5 with 16 KiB, in batches of 64; alone 31, 59 and 95 KiB of log. `examples/append_bench` measures it.
pub(crate) const PAGE_BYTES: i64 = 4096;

/// Name, format in which it appeared, statement; sorted by name, as [`check`] reads them back.
///
/// - `blobs`: snapshots and other content by hash.
/// - `checkpoints`: signed notes that were published; the latest one is in `head`.
/// - `entries`: the ledger. Everything else can be derived from it and from `run_parts`.
/// - `event_indexes`, `event_keys`: combinations of fields by which an event has ever been looked for, and the records by their values.
///   Random keys, so only for combinations that are in use.
/// - `events`: which log records carry which event.
/// - `executions`: what this node tried of decisions; their index holds only those that are not confirmed.
/// - `head`: one row, what the next entry is chained to.
/// - `links`: which records are, or name, a digest; see [`crate::links`]. Random keys, so in blocks by the number of the entry, which are
///   moved together as they age ([`crate::links::blocks`]).
/// - `listeners`, `listener_log`: how far each listener has come, and its deliveries that failed.
/// - `log_rows`, `store_rows`, `stores`: the host stores; `stores_quarantined` is empty unless one is out of service.
/// - `queue_*`: the execution queue, see [`crate::queue`]. `queue_items` has one narrow row an item, which is changed in place, and names
///   the item's latest line in `queue_journal`, which only grows at its right edge: a line of a kilobyte is written once. `queue_kept` holds
///   the members by which items are found, `queue_counts` how many items there are of each kind, so that counting reads no items. The
///   indexes over what is ready, waiting or leased hold only such items, however many lie behind.
/// - `refusals`: proposals that were refused, in the order in which they were.
/// - `run_parts`: the large parts of a run, apart from `runs` so that a listing reads few pages. Both grow at their right edge only.
///
/// `state` holds the rows of the derived state, one for each time an entry wrote one; `state_keys` finds the present one. The table lies in
/// the order in which an audit folds the entries again, which reads it at the speed of the disk: 0.8 s for 600,000 entries with three rows
/// each, where looking each row up by its key took 13 s. That costs a quarter more file (650 bytes an entry instead of 510) and nothing in
/// the rate of appends, since rows are written at the right edge and the index beside them is narrow. A number instead of the word for
/// the space saves 6 % of the file and is not worth a ledger that cannot be read with any SQL tool. `examples/layout_bench` measures it.
const STATEMENTS: [(&str, i64, &str); 38] = [
    ("blobs", 1, "CREATE TABLE blobs(hash TEXT NOT NULL, class TEXT NOT NULL, bytes BLOB NOT NULL, UNIQUE(hash, class)) STRICT"),
    ("checkpoints", 1, "CREATE TABLE checkpoints(size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT"),
    ("entries", 1, "CREATE TABLE entries(seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL, leaf BLOB NOT NULL) STRICT"),
    (
        "event_indexes",
        1,
        "CREATE TABLE event_indexes(id INTEGER PRIMARY KEY, event TEXT NOT NULL, fields TEXT NOT NULL, UNIQUE(event, fields)) STRICT",
    ),
    (
        "event_keys",
        1,
        "CREATE TABLE event_keys(idx INTEGER NOT NULL, key BLOB NOT NULL, store INTEGER NOT NULL, pos INTEGER NOT NULL, \
         PRIMARY KEY(idx, key, store, pos)) STRICT, WITHOUT ROWID",
    ),
    (
        "events",
        1,
        "CREATE TABLE events(event TEXT NOT NULL, store INTEGER NOT NULL, pos INTEGER NOT NULL, \
         PRIMARY KEY(event, store, pos)) STRICT, WITHOUT ROWID",
    ),
    (
        "executions",
        FORMAT_EXECUTIONS,
        "CREATE TABLE executions(decision_hash TEXT NOT NULL UNIQUE, proposal TEXT NOT NULL, decision TEXT NOT NULL, status TEXT NOT NULL, \
         started_at TEXT NOT NULL, finished_at TEXT, seq INTEGER, error TEXT, retries INTEGER NOT NULL) STRICT",
    ),
    ("executions_open", FORMAT_EXECUTIONS, "CREATE INDEX executions_open ON executions(status, decision_hash) WHERE status <> 'Confirmed'"),
    (
        "head",
        1,
        "CREATE TABLE head(one INTEGER PRIMARY KEY CHECK(one = 1), size INTEGER NOT NULL, entry_hash TEXT, root BLOB NOT NULL, \
         frontier BLOB NOT NULL, at TEXT NOT NULL, note TEXT) STRICT",
    ),
    (
        "links",
        FORMAT_LINKS,
        "CREATE TABLE links(block INTEGER NOT NULL, prefix INTEGER NOT NULL, kind INTEGER NOT NULL, seq INTEGER NOT NULL, \
         pos INTEGER NOT NULL, PRIMARY KEY(block, prefix, kind, seq, pos)) STRICT, WITHOUT ROWID",
    ),
    (
        "listener_log",
        3,
        "CREATE TABLE listener_log(id INTEGER PRIMARY KEY, at TEXT NOT NULL, listener TEXT NOT NULL, seq INTEGER NOT NULL, \
         record INTEGER NOT NULL, run_id TEXT NOT NULL, attempt INTEGER NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL) STRICT",
    ),
    ("listener_log_delivery", 3, "CREATE INDEX listener_log_delivery ON listener_log(listener, seq, record)"),
    ("listeners", 3, "CREATE TABLE listeners(code TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID"),
    (
        "log_rows",
        1,
        "CREATE TABLE log_rows(store INTEGER NOT NULL, pos INTEGER NOT NULL, value TEXT NOT NULL, \
         PRIMARY KEY(store, pos)) STRICT, WITHOUT ROWID",
    ),
    ("meta", 1, "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"),
    ("queue_archived", FORMAT_QUEUE, "CREATE INDEX queue_archived ON queue_items(archived)"),
    ("queue_contract", FORMAT_QUEUE, "CREATE INDEX queue_contract ON queue_items(archived, contract)"),
    (
        "queue_counts",
        FORMAT_QUEUE,
        "CREATE TABLE queue_counts(contract TEXT NOT NULL, member TEXT NOT NULL, value TEXT NOT NULL, status TEXT NOT NULL, \
         items INTEGER NOT NULL, PRIMARY KEY(member, contract, value, status)) STRICT, WITHOUT ROWID",
    ),
    (
        "queue_due",
        FORMAT_DUE,
        "CREATE INDEX queue_due ON queue_items(status, not_before) WHERE waiting = 1 AND archived = 0 AND owner IS NULL",
    ),
    ("queue_failures", FORMAT_DUE, "CREATE INDEX queue_failures ON queue_journal(at) WHERE event IN ('failed', 'settlement_failed')"),
    (
        "queue_items",
        FORMAT_QUEUE,
        "CREATE TABLE queue_items(id INTEGER PRIMARY KEY, item TEXT NOT NULL UNIQUE, contract TEXT NOT NULL, status TEXT NOT NULL, \
         seq INTEGER NOT NULL, pos INTEGER NOT NULL, not_before INTEGER NOT NULL, waiting INTEGER NOT NULL, attempts INTEGER NOT NULL, \
         owner TEXT, deadline INTEGER, fence INTEGER NOT NULL, updated INTEGER NOT NULL, archived INTEGER NOT NULL, \
         line INTEGER NOT NULL) STRICT",
    ),
    (
        "queue_journal",
        FORMAT_QUEUE,
        "CREATE TABLE queue_journal(id INTEGER PRIMARY KEY, item TEXT NOT NULL, event TEXT NOT NULL, status TEXT NOT NULL, \
         at INTEGER NOT NULL, line TEXT NOT NULL) STRICT",
    ),
    ("queue_journal_items", FORMAT_QUEUE, "CREATE INDEX queue_journal_items ON queue_journal(item)"),
    (
        "queue_kept",
        FORMAT_QUEUE,
        "CREATE TABLE queue_kept(item INTEGER NOT NULL, member TEXT NOT NULL, value TEXT NOT NULL, counted INTEGER NOT NULL, \
         PRIMARY KEY(item, member)) STRICT, WITHOUT ROWID",
    ),
    ("queue_kept_values", FORMAT_QUEUE, "CREATE INDEX queue_kept_values ON queue_kept(member, value, item)"),
    ("queue_leases", FORMAT_QUEUE, "CREATE INDEX queue_leases ON queue_items(deadline) WHERE deadline IS NOT NULL"),
    (
        "queue_ready",
        FORMAT_QUEUE,
        "CREATE INDEX queue_ready ON queue_items(seq, pos) WHERE status = 'READY' AND waiting = 0 AND archived = 0",
    ),
    (
        "queue_ready_contract",
        FORMAT_QUEUE,
        "CREATE INDEX queue_ready_contract ON queue_items(contract, seq, pos) WHERE status = 'READY' AND waiting = 0 AND archived = 0",
    ),
    ("queue_status", FORMAT_QUEUE, "CREATE INDEX queue_status ON queue_items(archived, status)"),
    (
        "queue_waiting",
        FORMAT_QUEUE,
        "CREATE INDEX queue_waiting ON queue_items(not_before) WHERE status = 'READY' AND waiting = 1 AND archived = 0",
    ),
    (
        "refusals",
        2,
        "CREATE TABLE refusals(id INTEGER PRIMARY KEY, at TEXT NOT NULL, code TEXT NOT NULL, record INTEGER, row TEXT, actor TEXT, \
         action TEXT, subject TEXT, detail TEXT NOT NULL, bytes BLOB NOT NULL) STRICT",
    ),
    (
        "run_parts",
        1,
        "CREATE TABLE run_parts(seq INTEGER PRIMARY KEY, trace BLOB NOT NULL, transcript BLOB NOT NULL, input BLOB NOT NULL, \
         output BLOB NOT NULL) STRICT",
    ),
    (
        "runs",
        1,
        "CREATE TABLE runs(seq INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL, snapshot TEXT NOT NULL, \
         binding TEXT NOT NULL, at TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL, code TEXT) STRICT",
    ),
    (
        "state",
        2,
        "CREATE TABLE state(seq INTEGER NOT NULL, space TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, \
         PRIMARY KEY(seq, space, key)) STRICT, WITHOUT ROWID",
    ),
    ("state_keys", 2, "CREATE UNIQUE INDEX state_keys ON state(space, key, seq)"),
    (
        "store_rows",
        1,
        "CREATE TABLE store_rows(store INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, value TEXT, \
         PRIMARY KEY(store, key)) STRICT, WITHOUT ROWID",
    ),
    (
        "stores",
        1,
        "CREATE TABLE stores(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, version INTEGER NOT NULL, \
         len INTEGER NOT NULL, live INTEGER NOT NULL, quarantined TEXT) STRICT",
    ),
    ("stores_quarantined", 1, "CREATE INDEX stores_quarantined ON stores(kind) WHERE quarantined IS NOT NULL"),
];

/// Creates the tables and stamps the file; the caller holds the transaction.
pub(crate) fn create(connection: &Connection) -> Result<(), StoreError> {
    extend(connection, 0)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(())
}

/// Adds what came after the format that the file has, fills what is derived from the entries, and stamps it; the caller holds the transaction.
/// Rewrites nothing but what is derived.
pub(crate) fn extend(connection: &Connection, format: i64) -> Result<(), StoreError> {
    if format == FORMAT_TREE {
        connection.execute_batch("DROP TABLE links")?;
    }
    let missing = || STATEMENTS.iter().filter(|(_, since, _)| *since > format).map(|(_, _, statement)| *statement);
    let is_table = |statement: &&str| statement.starts_with("CREATE TABLE");
    // The order of names may put an index before its table.
    for statement in missing().filter(is_table).chain(missing().filter(|statement| !is_table(statement))) {
        connection.execute_batch(statement)?;
    }
    if format < FORMAT_LINKS {
        links::fill(connection)?;
    }
    connection.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

/// The format of a file.
pub(crate) fn format(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Refuses a file whose schema is not, word for word, ours of that format. SQLite's own tables (`sqlite_stat1` …) are let be.
pub(crate) fn check(connection: &Connection, format: i64) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut expected: Vec<_> = STATEMENTS.iter().filter(|(_, since, _)| *since <= format).collect();
    if format == FORMAT_TREE {
        expected.push(&TREE);
        expected.sort_unstable_by_key(|(name, ..)| *name);
    }
    let mut expected = expected.into_iter();
    loop {
        match (rows.next()?, expected.next()) {
            (None, None) => return Ok(()),
            (Some(row), Some((name, _, sql))) => {
                let found: (String, String) = (row.get(0)?, row.get(1)?);
                if found.0 != *name || found.1 != *sql {
                    return Err(StoreError::Corrupt {
                        detail: format!("the schema has `{}` where `{name}` of format {format} belongs", found.0),
                    });
                }
            }
            (Some(row), None) => {
                let found: String = row.get(0)?;
                return Err(StoreError::Corrupt { detail: format!("the schema has `{found}`, which is not of format {format}") });
            }
            (None, Some((name, _, _))) => {
                return Err(StoreError::Corrupt { detail: format!("the schema lacks `{name}` of format {format}") });
            }
        }
    }
}
