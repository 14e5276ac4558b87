//! What keeps the store from answering, as facts with stable codes; not a refusal of a commit (that is [`crate::Rejection`]).

use std::path::PathBuf;

use enact_core::error::Refusal;
use rusqlite::ErrorCode;

/// Why the store could not do what it was asked.
///
/// After any of these nothing of the failed call is in the ledger, with one exception that SQLite cannot rule out: after
/// [`StoreError::Io`] from an append the outcome is unknown until the ledger is read again by run id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no file and the caller did not ask for one to be created.
    #[error("no ledger at `{}`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file, but not a ledger: another application's database or not a database at all.
    #[error("`{}` is not a ledger of this program: {found}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// Written by a later version of this program.
    #[error("ledger format {found} is newer than format {supported}, the newest this version reads")]
    Newer {
        /// Format of the file.
        found: i64,
        /// Newest format that this version reads.
        supported: i64,
    },
    /// There is something where a copy is to be written.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// Where the copy was to go.
        path: PathBuf,
    },
    /// A judge answered an entry that does not follow the head it was given, or rows out of order. A bug in the judge.
    #[error("entry {seq} was judged wrongly: {what}")]
    Judged {
        /// Place that the entry would have had.
        seq: u64,
        /// What is wrong with the answer.
        what: &'static str,
    },
    /// The ledger carries another name than the caller expected.
    #[error("the ledger is `{found}`, not `{expected}`")]
    Origin {
        /// Name that the caller expected.
        expected: String,
        /// Name pinned in the file.
        found: String,
    },
    /// The ledger is signed by another key than the caller expected.
    #[error("the ledger is signed by `{found}`, not by `{expected}`")]
    PublicKey {
        /// Key that the caller expected.
        expected: String,
        /// Key pinned in the file.
        found: String,
    },
    /// Opened read-only, or the file system is.
    #[error("the ledger cannot be written: {detail}")]
    ReadOnly {
        /// What SQLite said, or why we did not ask it.
        detail: String,
    },
    /// The file or its folder cannot be opened.
    #[error("`{}` cannot be opened: {detail}", path.display())]
    Unopenable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// Another process held the lock for longer than the busy timeout.
    #[error("another process kept the ledger locked for {waited_ms} ms")]
    Locked {
        /// How long we waited.
        waited_ms: u32,
    },
    /// It was judged on what then did not come to be: another process was faster, or what went before could not be stored.
    #[error("the ledger is not where it was when this was judged")]
    Moved,
    /// No room: the disk is full or the size limit is reached. Nothing was changed.
    #[error("no room to write the ledger: the disk is full or its size limit is reached")]
    Full,
    /// The file is damaged.
    #[error("the ledger is damaged: {detail}")]
    Corrupt {
        /// Which structure, and how.
        detail: String,
    },
    /// Rows of the queue are damaged, which follow from journal and entries.
    #[error("the ledger is damaged: {detail}")]
    QueueRows {
        /// Which row, and how.
        detail: String,
    },
    /// A host store that was taken out of service.
    #[error("store `{store}` is quarantined: {reason}")]
    Quarantined {
        /// Name of the host store.
        store: String,
        /// Why, in the words of whoever did it.
        reason: String,
    },
    /// The store exists with another kind.
    #[error("store `{store}` is a {is}, not a {wanted}")]
    Kind {
        /// Name of the host store.
        store: String,
        /// What it is.
        is: crate::Kind,
        /// What the caller took it for.
        wanted: crate::Kind,
    },
    /// The operating system failed to read or write.
    #[error("input or output failed: {detail}")]
    Io {
        /// What SQLite said.
        detail: String,
        /// SQLite's extended result code.
        extended: i32,
    },
    /// The core refused something that the store itself derived. Always a damaged head or a bug.
    #[error("the stored head is refused by the core: {0}")]
    Head(Refusal),
    /// A number is too large for a column.
    #[error("a value does not fit: {what}")]
    Range {
        /// Which value.
        what: &'static str,
    },
    /// Anything else that SQLite reports.
    #[error("the database refused a statement: {detail}")]
    Sqlite {
        /// What SQLite said.
        detail: String,
        /// SQLite's extended result code; 0 when the binding layer refused.
        extended: i32,
    },
}

impl StoreError {
    /// Stable code, as listed in `protocol/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "store_missing",
            Self::Foreign { .. } => "store_foreign",
            Self::Newer { .. } => "store_newer",
            Self::Exists { .. } => "store_exists",
            Self::Judged { .. } => "store_judged",
            Self::Origin { .. } => "store_origin",
            Self::PublicKey { .. } => "store_public_key",
            Self::ReadOnly { .. } => "store_read_only",
            Self::Unopenable { .. } => "store_unopenable",
            Self::Locked { .. } => "store_locked",
            Self::Moved => "store_moved",
            Self::Full => "store_full",
            Self::Corrupt { .. } | Self::QueueRows { .. } => "store_corrupt",
            Self::Quarantined { .. } => "store_quarantined",
            Self::Kind { .. } => "store_kind",
            Self::Io { .. } => "store_io",
            Self::Head(_) => "store_head",
            Self::Range { .. } => "store_range",
            Self::Sqlite { .. } => "store_sqlite",
        }
    }

    /// Whether the stored bytes are to blame, so that no retry can help.
    #[must_use]
    pub const fn is_corruption(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::QueueRows { .. } | Self::Head(_))
    }

    /// Whether the same call may succeed later with nothing repaired.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Moved | Self::Full | Self::Io { .. })
    }

    /// What the reader of the message can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { .. } => "create a workspace first, or name the folder of an existing one",
            Self::Foreign { .. } => "name another file; this one was left as it is",
            Self::Newer { .. } => "use the version of the program that wrote the ledger, or a later one",
            Self::Exists { .. } => "name a file that does not exist; nothing is ever overwritten",
            Self::Origin { .. } | Self::PublicKey { .. } => {
                "the file belongs to another ledger; restore the right one or correct the configuration"
            }
            Self::ReadOnly { .. } => "open it for reading only, or make the file and its folder writable",
            Self::Unopenable { .. } => "check that the folder exists and that its permissions let you in",
            Self::Locked { .. } => "wait for the other process, or raise the busy timeout",
            Self::Moved => "try again; nothing of it was stored",
            Self::Full => "free some space and try again; nothing was lost",
            Self::Corrupt { .. } | Self::Head(_) => "restore the ledger from a copy that verifies",
            Self::QueueRows { .. } => {
                "`enact queue rebuild` derives the rows of the queue again; only if that fails restore the ledger from a copy that verifies"
            }
            Self::Quarantined { .. } => "an audit found the store to differ from its history; rebuild it",
            Self::Kind { .. } => "a store keeps the kind of its first write; bind another store",
            Self::Io { .. } => "check the disk; read the ledger again before you repeat an append",
            Self::Judged { .. } | Self::Range { .. } | Self::Sqlite { .. } => "this should not happen; report it with the message above",
        }
        .to_owned()
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        let rusqlite::Error::SqliteFailure(failure, _) = &error else {
            return from_binding_layer(&error, detail);
        };
        let extended = failure.extended_code;
        #[expect(clippy::wildcard_enum_match_arm, reason = "the foreign enum is non-exhaustive; the rest is one class")]
        match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => Self::Locked { waited_ms: 0 },
            ErrorCode::DiskFull => Self::Full,
            // Growing the index of the write-ahead log is the one place where SQLite does not say that the disk is full.
            ErrorCode::SystemIoFailure if extended == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => Self::Full,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt { detail },
            ErrorCode::ReadOnly => Self::ReadOnly { detail },
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
                Self::Unopenable { path: PathBuf::new(), detail }
            }
            ErrorCode::SystemIoFailure | ErrorCode::NoLargeFileSupport | ErrorCode::OutOfMemory => Self::Io { detail, extended },
            _ => Self::Sqlite { detail, extended },
        }
    }
}

/// STRICT tables fix the types of columns; a value of another type or width means that the file was edited.
fn from_binding_layer(error: &rusqlite::Error, detail: String) -> StoreError {
    let edited = matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::QueryReturnedNoRows
    );
    if edited { StoreError::Corrupt { detail } } else { StoreError::Sqlite { detail, extended: 0 } }
}
