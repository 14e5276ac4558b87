//! Which records name which: an index over record hashes, so that a chain of receipts is walked in either direction without reading the
//! ledger. Derived from the entries and written with them.
//!
//! A row holds the first eight bytes of a digest and a place, no more: different digests may share them, so whoever asks reads the record at
//! the place and compares. The subject's own chain, `refs.prev`, is not here: the rows of the derived state lead along it.

pub(crate) mod blocks;

use enact_core::entry::{Entry, Record};
use enact_core::hash::Digest;
use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::number::{bound, column, unsigned};
use crate::reader::{self, Reader};
use crate::schema::{self, FORMAT_LINKS};
use crate::writer::Writer;

/// Rows that are sorted at a time while the index is made anew: 40 MB.
const SORTED_MAX: usize = 1 << 20;

/// The reference that is no link: the last record of the same subject.
const PREV: &str = "prev";

/// What a record has to do with a digest.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LinkKind {
    /// It is the record's hash.
    Is,
    /// The record names it, in `refs` or as the decision that it relies on.
    Names,
}

impl LinkKind {
    const fn column(self) -> i64 {
        match self {
            Self::Is => 0,
            Self::Names => 1,
        }
    }
}

/// The place of a record in the ledger.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkPlace {
    /// Its entry.
    pub seq: u64,
    /// Its position in the entry.
    pub pos: u64,
}

/// A row of the index. The order is the one in which rows lie in the file.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct LinkRow {
    block: i64,
    prefix: i64,
    kind: LinkKind,
    place: LinkPlace,
}

impl LinkRow {
    fn new(digest: &Digest, kind: LinkKind, place: LinkPlace, block: i64) -> Self {
        Self { block, prefix: prefix(digest), kind, place }
    }
}

/// The part of a digest that is in the index.
fn prefix(digest: &Digest) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = digest.bytes;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// What a record names, by the names under which it does; `auth` is the decision that it relies on. Not `refs.prev`.
pub fn named(record: &Record) -> impl Iterator<Item = (&str, &Digest)> {
    let refs = record.refs.iter().filter(|(name, _)| *name != PREV).map(|(name, digest)| (name.as_str(), digest));
    refs.chain(record.auth.iter().map(|digest| ("auth", digest)))
}

/// Adds the rows of an entry. `hashes` are those of its records.
fn add(rows: &mut Vec<LinkRow>, seq: u64, records: &[Record], hashes: &[Digest], block: i64) {
    for ((record, hash), pos) in records.iter().zip(hashes).zip(0..) {
        let place = LinkPlace { seq, pos };
        rows.push(LinkRow::new(hash, LinkKind::Is, place, block));
        let from = rows.len();
        for (_, digest) in named(record) {
            let row = LinkRow::new(digest, LinkKind::Names, place, block);
            // One digest under two names is one row.
            if !rows.iter().skip(from).any(|known| *known == row) {
                rows.push(row);
            }
        }
    }
}

/// The rows that the entries of a batch bring, written once and in their order: neighbours share a page.
#[derive(Default)]
pub(crate) struct Links {
    rows: Vec<LinkRow>,
}

impl Links {
    pub(crate) fn add(&mut self, seq: u64, records: &[Record], hashes: &[Digest]) {
        add(&mut self.rows, seq, records, hashes, blocks::block(0, seq));
    }

    /// Writes the rows of a batch that made a ledger of `before` entries one of `size`.
    pub(crate) fn flush(mut self, connection: &Connection, before: u64, size: u64) -> Result<(), StoreError> {
        self.write(connection)?;
        blocks::tidy(connection, before, size)
    }

    fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.rows.sort_unstable();
        let mut statement = connection.prepare_cached("INSERT INTO links(block, prefix, kind, seq, pos) VALUES(?1, ?2, ?3, ?4, ?5)")?;
        for LinkRow { block, prefix, kind, place } in self.rows.drain(..) {
            statement.execute(params![block, prefix, kind.column(), column(place.seq)?, column(place.pos)?])?;
        }
        Ok(())
    }
}

/// Makes the index anew from the entries; the caller holds the transaction. An entry that cannot be read has no rows: what is wrong with it
/// is said by whoever verifies. Answers how many rows there are.
pub(crate) fn fill(connection: &Connection) -> Result<u64, StoreError> {
    connection.execute("DELETE FROM links", [])?;
    let mut links = Links::default();
    let mut count: u64 = 0;
    let last: Option<i64> = connection.query_row("SELECT max(seq) FROM entries", [], |row| row.get(0))?;
    let size = last.map_or(Ok(0), |last| unsigned(last, "a sequence number"))?.saturating_add(1);
    let mut statement = connection.prepare("SELECT seq, bytes, leaf FROM entries ORDER BY seq")?;
    let mut entries = statement.query([])?;
    while let Some(row) = entries.next()? {
        let stored = reader::entry(row)?;
        let Some((entry, hashes)) = hashed(stored.bytes) else { continue };
        let before = links.rows.len();
        add(&mut links.rows, stored.seq, &entry.records, &hashes, blocks::settled(stored.seq, size));
        count = count.saturating_add(u64::try_from(links.rows.len().saturating_sub(before)).unwrap_or(u64::MAX));
        if links.rows.len() >= SORTED_MAX {
            links.write(connection)?;
        }
    }
    links.write(connection)?;
    Ok(count)
}

/// An entry with the hashes of its records; nothing for bytes that are none.
fn hashed(bytes: &[u8]) -> Option<(Entry, Vec<Digest>)> {
    let entry = Entry::parse(bytes).ok()?;
    let hashes = entry.records.iter().map(Record::hash).collect::<Result<_, _>>().ok()?;
    Some((entry, hashes))
}

impl Writer {
    /// Makes the index over record hashes anew, in one transaction. Answers how many rows it has.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn rebuild_links(&mut self) -> Result<u64, StoreError> {
        let rows = self.durable(fill)?;
        self.checkpoint_after(true);
        Ok(rows)
    }
}

impl Reader {
    /// Whether the file has the index over record hashes. An older one, opened for reading only, has not.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn has_links(&self) -> Result<bool, StoreError> {
        Ok(schema::format(&self.connection)? >= FORMAT_LINKS)
    }

    /// Places of records that may have to do with a digest in this way, in the order of the ledger, after the last one of the page before.
    /// Read the record and compare: only the first bytes of the digest are known here.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn links(&mut self, digest: &Digest, kind: LinkKind, after: Option<LinkPlace>, limit: u64) -> Result<Vec<LinkPlace>, StoreError> {
        let mut found = Vec::new();
        if !self.has_links()? {
            return Ok(found);
        }
        let (seq, pos) = after.map_or((-1, -1), |place| (bound(place.seq), bound(place.pos)));
        let blocks = self.link_blocks()?;
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, pos FROM links WHERE block = ?1 AND prefix = ?2 AND kind = ?3 AND (seq, pos) > (?4, ?5) \
             ORDER BY seq, pos LIMIT ?6",
        )?;
        for block in blocks {
            let mut rows = statement.query(params![block, prefix(digest), kind.column(), seq, pos, bound(limit)])?;
            while let Some(row) = rows.next()? {
                found.push(LinkPlace { seq: unsigned(row.get(0)?, "a sequence number")?, pos: unsigned(row.get(1)?, "a position")? });
            }
        }
        found.sort_unstable();
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// The blocks of the index; within one moment they are the same.
    fn link_blocks(&mut self) -> Result<Vec<i64>, StoreError> {
        if let Some(blocks) = self.blocks.as_ref().filter(|_| self.is_held()) {
            return Ok(blocks.clone());
        }
        let blocks = blocks::all(&self.connection)?;
        self.blocks = self.is_held().then(|| blocks.clone());
        Ok(blocks)
    }

    /// How many rows of the index an entry should have, and whether it has them all.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn entry_links(&mut self, seq: u64, records: &[Record], hashes: &[Digest]) -> Result<(u64, bool), StoreError> {
        let mut rows = Vec::with_capacity(records.len());
        add(&mut rows, seq, records, hashes, 0);
        let mut statement = self
            .connection
            .prepare_cached("SELECT 1 FROM links WHERE block = ?1 AND prefix = ?2 AND kind = ?3 AND seq = ?4 AND pos = ?5")?;
        let mut all = true;
        for LinkRow { prefix, kind, place, .. } in &rows {
            let mut there = false;
            for level in 0..blocks::LEVELS {
                let block = blocks::block(level, seq);
                there = there || statement.exists(params![block, prefix, kind.column(), column(place.seq)?, column(place.pos)?])?;
            }
            all &= there;
        }
        Ok((u64::try_from(rows.len()).unwrap_or(u64::MAX), all))
    }

    /// How many rows the index has for the entries below `size`. Linear in all rows.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn link_count(&mut self, size: u64) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT count(*) FROM links WHERE seq < ?1")?;
        let count = statement.query_row([bound(size)], |row| row.get(0))?;
        unsigned(count, "the number of links")
    }
}
