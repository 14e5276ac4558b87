//! Entries, the head and the runs beside them in SQL; the same for a reader and for the transaction that appends. Judges nothing.

use enact_core::entry::{EntryView, Head};
use enact_core::hash::{Hash, entry_hash};
use enact_core::merkle::Frontier;
use enact_core::note;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::model::RunRow;
use crate::number::{column, unsigned};
use crate::open::Shared;

/// The head of the ledger without entries.
pub(crate) fn create_head(connection: &Connection) -> Result<(), StoreError> {
    let head = Head::empty();
    connection.execute(
        "INSERT INTO head(one, size, entry_hash, root, frontier, at, note) VALUES(1, 0, NULL, ?1, ?2, '', NULL)",
        params![head.root(), head.frontier.to_bytes()],
    )?;
    Ok(())
}

/// The head, checked for agreeing with itself.
pub(crate) fn head(connection: &Connection) -> Result<Head, StoreError> {
    type Columns = (i64, Option<String>, Vec<u8>, String);
    let damaged = |what: &str| StoreError::Corrupt { detail: format!("the head's {what} cannot be read") };
    let (size, entry_hash, frontier, at): Columns = connection
        .prepare_cached("SELECT size, entry_hash, frontier, at FROM head WHERE one = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?
        .ok_or_else(|| damaged("row"))?;
    let entry_hash = entry_hash.map(|text| text.parse()).transpose().map_err(|_| damaged("entry hash"))?;
    let frontier = Frontier::from_bytes(&frontier).map_err(|_| damaged("frontier"))?;
    let head = Head { size: unsigned(size, "the head's size")?, entry_hash, frontier, at };
    head.check().map_err(StoreError::Head)?;
    Ok(head)
}

/// The head that an append may follow. One that this process did not leave itself must be signed, and end in the last entry that is there: the
/// next signature vouches for everything before it, so it would make somebody else's alteration ours.
pub(crate) fn head_to_follow(connection: &Connection, left: Option<&Head>, shared: &Shared) -> Result<Head, StoreError> {
    let head = head(connection)?;
    if left == Some(&head) {
        return Ok(head);
    }
    let wrong = |detail: &str| Err(StoreError::Corrupt { detail: detail.to_owned() });
    let last: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT seq, bytes FROM entries ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let ends = match last {
        None => head == Head::empty(),
        Some((seq, bytes)) => {
            let at = EntryView::read(&bytes).map(|entry| entry.at() == head.at);
            u64::try_from(seq).is_ok_and(|seq| seq.checked_add(1) == Some(head.size))
                && head.entry_hash == Some(entry_hash(&bytes))
                && at == Some(true)
        }
    };
    if !ends {
        return wrong("the head does not end in the last entry that is there");
    }
    if head.size == 0 {
        return Ok(head);
    }
    let Ok((_, key)) = note::decode_key(&shared.public_key) else { return wrong("what it is pinned to is no verifier key") };
    let text: Option<String> = connection.prepare_cached("SELECT note FROM head WHERE one = 1")?.query_row([], |row| row.get(0))?;
    match text.map(|text| note::verify(&text, &key, &shared.origin)) {
        Some(Ok(signed)) if signed.size == head.size && signed.root == head.root() => Ok(head),
        Some(Ok(_)) => wrong("the head is not the one that was signed"),
        Some(Err(error)) => wrong(&format!("the head is not signed: {error}")),
        None => wrong("the head is not signed"),
    }
}

/// Rows at numbers where no entry can be: a table, and the first such number.
pub(crate) fn strays(connection: &Connection, size: u64) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let size = column(size)?;
    let mut strays = Vec::new();
    for table in ["entries", "runs", "run_parts"] {
        let found = connection.query_row(&format!("SELECT min(seq) FROM {table} WHERE seq < 0 OR seq >= ?1"), [size], |row| row.get(0))?;
        strays.extend(Option::<i64>::map(found, |seq| (table, seq)));
    }
    Ok(strays)
}

/// Moves the head. Once for each batch.
pub(crate) fn set_head(connection: &Connection, head: &Head, note: &str) -> Result<(), StoreError> {
    let changed = connection
        .prepare_cached("UPDATE head SET size = ?1, entry_hash = ?2, root = ?3, frontier = ?4, at = ?5, note = ?6 WHERE one = 1")?
        .execute(params![
            column(head.size)?,
            head.entry_hash.map(|hash| hash.to_string()),
            head.root(),
            head.frontier.to_bytes(),
            head.at,
            note
        ])?;
    if changed == 1 { Ok(()) } else { Err(StoreError::Corrupt { detail: "the head's row is gone".to_owned() }) }
}

/// The entry of a run.
pub(crate) fn seq_of(connection: &Connection, run_id: &str) -> Result<Option<u64>, StoreError> {
    let seq = connection.prepare_cached("SELECT seq FROM runs WHERE run_id = ?1")?.query_row([run_id], |row| row.get(0)).optional()?;
    seq.map(|seq| unsigned(seq, "a sequence number")).transpose()
}

/// Stores an entry under its number.
pub(crate) fn insert_entry(connection: &Connection, seq: i64, bytes: &[u8], leaf: &Hash) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT INTO entries(seq, bytes, leaf) VALUES(?1, ?2, ?3)")?.execute(params![seq, bytes, leaf])?;
    Ok(())
}

/// Stores the run of an entry.
pub(crate) fn insert_run(connection: &Connection, seq: u64, run: &RunRow) -> Result<(), StoreError> {
    let seq = column(seq)?;
    connection
        .prepare_cached(
            "INSERT INTO runs(seq, run_id, workflow, snapshot, binding, at, class, reason, code) \
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![seq, run.run_id, run.workflow, run.snapshot, run.binding, run.at, run.class, run.reason, run.code])?;
    connection
        .prepare_cached("INSERT INTO run_parts(seq, trace, transcript, input, output) VALUES(?1, ?2, ?3, ?4, ?5)")?
        .execute(params![seq, run.trace, run.transcript, run.input, run.output])?;
    Ok(())
}

/// Content by its hash.
pub(crate) fn blob(connection: &Connection, class: &str, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM blobs WHERE hash = ?1 AND class = ?2")?;
    Ok(statement.query_row([hash, class], |row| row.get(0)).optional()?)
}
