//! Opening and creating a ledger file: is it ours, is it readable by this version, is it the ledger that the caller means? Reads no entry.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::error::StoreError;
use crate::ledger;
use crate::reader::Reader;
use crate::schema::{self, APPLICATION_ID, FORMAT, PAGE_BYTES};
use crate::stats::{Counters, Stats};
use crate::wal::Checkpointer;
use crate::writer::Writer;

/// How long to wait for another process's lock unless told otherwise. A commit holds it for milliseconds, a checkpoint not at all.
const BUSY_TIMEOUT_MS: u32 = 5_000;

/// Page cache of a reader: 2 MiB, the inner pages of every index of a ledger of some million entries. What is not in it is in the system's.
const READER_CACHE_KIB: i64 = 2 * 1024;

/// Page cache of a writer: 8 MiB, several times what a full batch of usual runs changes. A larger one fills as the ledger grows, and buys
/// little: the system caches the file as well.
const WRITER_CACHE_KIB: i64 = 8 * 1024;

/// What is left of the write-ahead log's file after it starts over: the second bound of [`crate::wal`].
const WAL_KEEP_BYTES: i64 = 64 * 1024 * 1024;

/// Prepared statements kept by a connection: all that there are.
const STATEMENTS: usize = 128;

/// What a new ledger is pinned to for ever, and what an existing one is compared with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Create {
    /// Name of the ledger; part of every entry and checkpoint.
    pub origin: String,
    /// Verifier key of its checkpoints, as text.
    pub public_key: String,
}

/// How to open a ledger.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The file.
    pub path: PathBuf,
    /// Create the file if there is none. An existing one must have this name and key.
    pub create: Option<Create>,
    /// How long to wait for another process's lock, in milliseconds.
    pub busy_timeout_ms: u32,
    /// Never write, not even a checkpoint.
    pub read_only: bool,
    /// Largest size of the file. A commit beyond it fails with [`StoreError::Full`].
    pub size_limit_bytes: Option<u64>,
}

impl OpenOptions {
    /// An existing ledger, readable and writable.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), create: None, busy_timeout_ms: BUSY_TIMEOUT_MS, read_only: false, size_limit_bytes: None }
    }

    /// The same, created when it does not exist.
    #[must_use]
    pub fn create(mut self, origin: impl Into<String>, public_key: impl Into<String>) -> Self {
        self.create = Some(Create { origin: origin.into(), public_key: public_key.into() });
        self
    }

    /// The same, for reading only.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}

/// Handle to one ledger file. Cheap to clone; every reader and writer has a connection of its own.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

/// What all handles to a store have in common.
pub(crate) struct Shared {
    pub(crate) options: OpenOptions,
    pub(crate) origin: String,
    pub(crate) public_key: String,
    pub(crate) counters: Arc<Counters>,
    checkpointer: Mutex<Option<Checkpointer>>,
}

impl Shared {
    /// Runs `act` with the background thread, which is started by the first one who asks: most processes never need it.
    pub(crate) fn checkpointer<T>(&self, act: impl FnOnce(&Checkpointer) -> T) -> Result<T, StoreError> {
        let mut slot = self.checkpointer.lock().unwrap_or_else(PoisonError::into_inner);
        let checkpointer = match slot.take() {
            Some(running) => running,
            None => Checkpointer::start(&self.options, Arc::clone(&self.counters))?,
        };
        Ok(act(slot.insert(checkpointer)))
    }
}

impl Store {
    /// Opens a ledger, and creates it when the options say so and there is none. A file of an older format is brought up to this one,
    /// unless it is opened for reading only: then it is read as it is.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Foreign`], [`StoreError::Newer`], [`StoreError::Origin`], [`StoreError::PublicKey`],
    /// [`StoreError::Corrupt`] when the schema is not ours word for word, or whatever SQLite reports.
    pub fn open(options: &OpenOptions) -> Result<Self, StoreError> {
        // Absolute, since SQLite takes a relative name that starts with `file:` for a URI.
        let path =
            std::path::absolute(&options.path).map_err(|e| StoreError::Unopenable { path: options.path.clone(), detail: e.to_string() })?;
        let options = OpenOptions { path, ..options.clone() };
        let found = stamp(&options.path)?;
        let connection = match (found, &options.create) {
            (Stamp::Foreign(found), _) => return Err(StoreError::Foreign { path: options.path, found }),
            (Stamp::Ledger, _) => reading(&options)?,
            (Stamp::Missing, None) => return Err(StoreError::Missing { path: options.path }),
            (Stamp::Missing, Some(_)) if options.read_only => return Err(StoreError::Missing { path: options.path }),
            (Stamp::Unstamped, _) if options.read_only => reading(&options)?,
            (Stamp::Unstamped, None) => reading(&options)?,
            (Stamp::Missing | Stamp::Unstamped, Some(create)) => created(&options, create)?,
        };
        // In this order: a file that is not the one meant is left as it is.
        let (origin, public_key) = identify(&connection, &options)?;
        if !options.read_only && schema::format(&connection)? < FORMAT {
            match writing(&options).and_then(|mut connection| migrate(&mut connection, &options)) {
                // Still good for reading; a writer says why it is not good for more.
                Ok(()) | Err(StoreError::ReadOnly { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let counters = Arc::new(Counters::default());
        let shared = Shared { options, origin, public_key, counters, checkpointer: Mutex::new(None) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Ok(Reader::new(reading(&self.shared.options)?, Arc::clone(&self.shared)))
    }

    /// A connection for appending. One for each process is best: batches from several take turns at the file's lock.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], or whatever SQLite reports.
    pub fn writer(&self) -> Result<Writer, StoreError> {
        if self.shared.options.read_only {
            return Err(StoreError::ReadOnly { detail: "it was opened for reading only".to_owned() });
        }
        let mut connection = writing(&self.shared.options)?;
        migrate(&mut connection, &self.shared.options)?;
        Writer::new(connection, Arc::clone(&self.shared))
    }

    /// Name of the ledger.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    /// Verifier key of its checkpoints.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.shared.public_key
    }

    /// The file, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.options.path
    }

    /// What this handle and its clones have done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }
}

/// What the first bytes of a file say, before SQLite touches it.
enum Stamp {
    Missing,
    /// Empty, or a database without an application: a creation that was interrupted, or something else's.
    Unstamped,
    Ledger,
    Foreign(String),
}

/// Reads the database header (<https://sqlite.org/fileformat2.html#the_database_header>). Opening another program's database through SQLite
/// could already roll back its journal.
fn stamp(path: &Path) -> Result<Stamp, StoreError> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let unopenable = |e: std::io::Error| StoreError::Unopenable { path: path.to_owned(), detail: e.to_string() };
    // Before it is opened: opening a pipe may never come back.
    match std::fs::metadata(path) {
        Ok(said) if said.is_file() => {}
        Ok(said) => return Ok(Stamp::Foreign(if said.is_dir() { "a folder" } else { "no file" }.to_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Stamp::Missing),
        Err(e) => return Err(unopenable(e)),
    }
    let file = File::open(path).map_err(unopenable)?;
    let mut header = Vec::new();
    file.take(100).read_to_end(&mut header).map_err(unopenable)?;
    if header.is_empty() {
        return Ok(Stamp::Unstamped);
    }
    let application = header.get(68..72).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    match application.map(i32::from_be_bytes) {
        Some(id) if header.starts_with(MAGIC) => Ok(match i64::from(id) {
            APPLICATION_ID => Stamp::Ledger,
            0 => Stamp::Unstamped,
            other => Stamp::Foreign(format!("a database of application {other:#010x}")),
        }),
        Some(_) | None => Ok(Stamp::Foreign("not a database".to_owned())),
    }
}

/// Checks format, schema and identity; answers name and key.
fn identify(connection: &Connection, options: &OpenOptions) -> Result<(String, String), StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id").map_err(|e| at(e.into(), options))?;
    if application != APPLICATION_ID {
        let empty: bool = connection.query_row("SELECT NOT EXISTS(SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
        let found = if empty { "an empty database" } else { "a database of another application" };
        return Err(StoreError::Foreign { path: options.path.clone(), found: found.to_owned() });
    }
    let format = schema::format(connection)?;
    check_format(connection, format)?;
    let (origin, public_key) = (meta(connection, "origin")?, meta(connection, "public_key")?);
    if let Some(expected) = &options.create {
        if expected.origin != origin {
            return Err(StoreError::Origin { expected: expected.origin.clone(), found: origin });
        }
        if expected.public_key != public_key {
            return Err(StoreError::PublicKey { expected: expected.public_key.clone(), found: public_key });
        }
    }
    Ok((origin, public_key))
}

/// Is it a format that this version reads, and are the tables those of that format?
fn check_format(connection: &Connection, format: i64) -> Result<(), StoreError> {
    if format > FORMAT {
        return Err(StoreError::Newer { found: format, supported: FORMAT });
    }
    if format < 1 {
        return Err(StoreError::Corrupt { detail: format!("format {format} was never written") });
    }
    schema::check(connection, format)
}

/// Brings an older file up to this format in one transaction, whoever else is about to do the same. What is there stays as it is.
fn migrate(connection: &mut Connection, options: &OpenOptions) -> Result<(), StoreError> {
    if schema::format(connection)? >= FORMAT {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| at(e.into(), options))?;
    // Again, under the lock.
    let format = schema::format(&transaction)?;
    check_format(&transaction, format)?;
    if format < FORMAT {
        schema::extend(&transaction, format)?;
    }
    transaction.commit().map_err(|e| at(e.into(), options))
}

fn meta(connection: &Connection, key: &str) -> Result<String, StoreError> {
    let value = connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()?;
    value.ok_or_else(|| StoreError::Corrupt { detail: format!("`{key}` is not recorded") })
}

/// Creates the tables in one transaction, with a rollback journal so that the stamp is in the file itself and not in a log beside it.
fn created(options: &OpenOptions, create: &Create) -> Result<Connection, StoreError> {
    let mut connection = connect(options, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| at(e.into(), options))?;
    // Someone else may have been first, and a database with tables of its own is not for us to fill.
    let empty: bool = transaction.query_row("SELECT NOT EXISTS(SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    if empty {
        schema::create(&transaction)?;
        let mut statement = transaction.prepare("INSERT INTO meta(key, value) VALUES(?1, ?2)")?;
        statement.execute(params!["origin", create.origin])?;
        statement.execute(params!["public_key", create.public_key])?;
        drop(statement);
        ledger::create_head(&transaction)?;
    }
    let application: i64 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    transaction.commit()?;
    if application == APPLICATION_ID {
        write_ahead(&connection, options)?;
    }
    Ok(connection)
}

/// A connection that writes.
pub(crate) fn writing(options: &OpenOptions) -> Result<Connection, StoreError> {
    let connection = connect(options, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    write_ahead(&connection, options)?;
    // FULL: the log is synced before a commit is acknowledged. NORMAL would lose acknowledged commits with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEEP_BYTES)?;
    if let Some(limit) = options.size_limit_bytes {
        let pages = i64::try_from(limit).unwrap_or(i64::MAX).div_euclid(PAGE_BYTES).max(1);
        // Answers the limit in force, so it is a query and not an update.
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(connection)
}

/// A connection that does not write.
pub(crate) fn reading(options: &OpenOptions) -> Result<Connection, StoreError> {
    let connection = if options.read_only { read_only(options)? } else { connect(options, OpenFlags::SQLITE_OPEN_READ_WRITE)? };
    // SQLite reads the file at the first statement that needs it, which is one of these.
    let set = |name, value| connection.pragma_update(None, name, value).map_err(|e| at(e.into(), options));
    set("query_only", 1)?;
    set("cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// A write-ahead log needs a writable folder even for reading. When that fails and there is no log beside the file, the file alone is the
/// whole truth and can be read as immutable: an auditor with a copy on a read-only medium.
pub(crate) fn read_only(options: &OpenOptions) -> Result<Connection, StoreError> {
    let opened = connect(options, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    });
    let error = match opened {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    let mut log = options.path.clone().into_os_string();
    log.push("-wal");
    let log_is_empty = std::fs::metadata(&log).map_or(true, |log| log.len() == 0);
    if !log_is_empty || !matches!(error, StoreError::Unopenable { .. } | StoreError::ReadOnly { .. }) {
        return Err(at(error, options));
    }
    let Some(path) = options.path.to_str() else { return Err(at(error, options)) };
    let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).map_err(|e| at(e.into(), options))?;
    tune(&connection, options)?;
    Ok(connection)
}

/// A connection with everything that is the same for all: nothing stored in the file may run code, and damage is looked for.
pub(crate) fn connect(options: &OpenOptions, flags: OpenFlags) -> Result<Connection, StoreError> {
    // One connection is used by one thread at a time, which the borrow checker sees to.
    let connection =
        Connection::open_with_flags(&options.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|e| at(e.into(), options))?;
    tune(&connection, options).map_err(|e| at(e, options))?;
    Ok(connection)
}

fn tune(connection: &Connection, options: &OpenOptions) -> Result<(), StoreError> {
    connection.busy_timeout(Duration::from_millis(u64::from(options.busy_timeout_ms)))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    // One plan for each statement. Without this the planner looks at the values and plans anew whenever they change: a fifth of the time
    // of a governed batch.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // No memory map: an I/O error or a truncated file would end the process instead of a call.
    connection.pragma_update(None, "mmap_size", 0)?;
    // Checkpoints are ours (`wal`), never inside a commit. Must come before the hook that counts pages: it would replace it.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(())
}

/// Switches to a write-ahead log, once in the life of a file. The switch does not wait for locks by itself.
pub(crate) fn write_ahead(connection: &Connection, options: &OpenOptions) -> Result<(), StoreError> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(|e| at(e.into(), options))?;
    if mode == "wal" {
        return Ok(());
    }
    let started = Instant::now();
    loop {
        let switched = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        let error = match switched {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(StoreError::Unopenable { path: options.path.clone(), detail: format!("the journal mode stays `{mode}`") });
            }
            Err(error) => at(error.into(), options),
        };
        let waited = started.elapsed() >= Duration::from_millis(u64::from(options.busy_timeout_ms));
        if waited || !matches!(error, StoreError::Locked { .. }) {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Adds what only the options know.
pub(crate) fn at(error: StoreError, options: &OpenOptions) -> StoreError {
    if let StoreError::Unopenable { detail, .. } = error {
        // Without a write-ahead log beside the file, SQLite cannot open it for writing on a medium that takes none, and does not say why.
        let writable = || File::options().append(true).open(&options.path);
        if !options.read_only && writable().is_err_and(|e| e.kind() == std::io::ErrorKind::ReadOnlyFilesystem) {
            return StoreError::ReadOnly { detail: "the file system is read-only".to_owned() };
        }
        return StoreError::Unopenable { path: options.path.clone(), detail };
    }
    if let StoreError::Locked { .. } = error { StoreError::Locked { waited_ms: options.busy_timeout_ms } } else { error }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn a_writer_syncs_every_commit_and_nobody_checkpoints_inside_one() {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions::new(folder.path().join("ledger.db")).create("a", "b");
        let store = Store::open(&options).unwrap();
        let number = |connection: &Connection, name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        let writer = writing(&store.shared.options).unwrap();
        let mode: String = writer.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        // 2 is FULL.
        assert_eq!((mode.as_str(), number(&writer, "synchronous"), number(&writer, "page_size")), ("wal", 2, PAGE_BYTES));
        for connection in [writer, reading(&store.shared.options).unwrap()] {
            for off in ["wal_autocheckpoint", "mmap_size", "trusted_schema", "foreign_keys"] {
                // Without memory maps the pragma answers no row or zero.
                let value = connection.pragma_query_value(None, off, |row| row.get::<_, i64>(0)).optional().unwrap();
                assert_eq!(value.unwrap_or(0), 0, "{off}");
            }
        }
    }
}
