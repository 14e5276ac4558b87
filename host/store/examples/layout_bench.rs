//! Measures ways to lay out the rows of the derived state, apart from everything else: what `schema` decided by. Prints; asserts nothing.
//!
//! `cargo run --release -p enact-store --example layout_bench [folder] [preloaded entries] [entries]`
#![allow(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]

use std::io::Write as _;
use std::time::Instant;

use rusqlite::{Connection, params};

/// Entries of a transaction.
const BATCH: u64 = 256;
/// Accounts whose balances change all the time.
const HOT: u64 = 64;

/// A layout: name, tables, type of the space, whether the batch is sorted before it is inserted.
const LAYOUTS: [(&str, &str, bool, bool); 5] = [
    (
        "one tree, word, sorted",
        "CREATE TABLE state(space TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY(space, key, seq)) STRICT, WITHOUT ROWID",
        false,
        true,
    ),
    (
        "one tree, number",
        "CREATE TABLE state(space INTEGER NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY(space, key, seq)) STRICT, WITHOUT ROWID",
        true,
        false,
    ),
    (
        "log and index, word",
        "CREATE TABLE state(id INTEGER PRIMARY KEY, space TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, value TEXT NOT NULL, UNIQUE(space, key, seq)) STRICT",
        false,
        false,
    ),
    (
        "log by seq, index, word",
        "CREATE TABLE state(seq INTEGER NOT NULL, space TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(seq, space, key)) STRICT, WITHOUT ROWID; CREATE INDEX state_keys ON state(space, key, seq)",
        false,
        false,
    ),
    (
        "log by seq, index, number",
        "CREATE TABLE state(seq INTEGER NOT NULL, space INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(seq, space, key)) STRICT, WITHOUT ROWID; CREATE INDEX state_keys ON state(space, key, seq)",
        true,
        false,
    ),
];

/// The spaces by their numbers.
const WORDS: [&str; 6] = ["actor", "asset", "balance", "consumed", "subject", "system"];

fn rows(seq: u64) -> [(i64, String, String); 3] {
    let subject = format!("Settlement:SET-20260417-{seq:09}");
    let value = format!(
        "{{\"actors\":{{\"SETTLEMENT.PROPOSE\":\"Actor:anna\"}},\"kept\":{{\"amount\":\"1250000\",\"buyer\":\"Actor:anna\",\"seller\":\"Actor:ben\"}},\
         \"last\":\"blake3:{seq:064x}\",\"seq\":{seq},\"state\":\"PROPOSED\",\"type\":\"SETTLEMENT_EVENT\"}}"
    );
    let balance =
        |account: u64| (2, format!("holder:A-{account:04}|CREDIT"), format!("{{\"credits\":\"{}\",\"debits\":\"{seq}\"}}", seq * 1000));
    [balance(seq % HOT), balance((seq + 1) * 7 % HOT), (4, subject, value)]
}

fn fill(connection: &mut Connection, number: bool, sorted: bool, from: u64, to: u64, batch: u64) -> f64 {
    let started = Instant::now();
    let mut seq = from;
    while seq < to {
        let transaction = connection.transaction().unwrap();
        let mut statement = transaction.prepare_cached("INSERT INTO state(space, key, seq, value) VALUES(?1, ?2, ?3, ?4)").unwrap();
        let mut pending: Vec<_> = (seq..(seq + batch).min(to))
            .flat_map(|seq| {
                let mut rows = rows(seq);
                if rows[0].1 == rows[1].1 {
                    rows[1].1.push('B');
                }
                rows.map(|row| (row.0, row.1, seq, row.2))
            })
            .collect();
        if sorted {
            pending.sort_unstable();
        }
        for (space, key, seq, value) in pending {
            if number {
                statement.execute(params![space, key, seq.cast_signed(), value]).unwrap();
            } else {
                statement.execute(params![WORDS[usize::try_from(space).unwrap()], key, seq.cast_signed(), value]).unwrap();
            }
        }
        drop(statement);
        transaction.commit().unwrap();
        seq += batch;
    }
    started.elapsed().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// What an audit costs beside folding: the rows of each entry, by key or as they come. Seconds.
fn audit(reader: &Connection, name: &str, number: bool, entries: u64) -> f64 {
    let started = Instant::now();
    if name.starts_with("log") {
        let mut statement = reader.prepare("SELECT space, key, seq, value FROM state").unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            assert!(!row.get_ref(3).unwrap().as_str().unwrap().is_empty());
        }
    } else {
        let mut statement = reader.prepare("SELECT value FROM state WHERE space = ?1 AND key = ?2 AND seq = ?3").unwrap();
        for seq in 0..entries {
            for (nth, (space, key, _)) in rows(seq).into_iter().enumerate() {
                let found = |row: &rusqlite::Row<'_>| Ok(row.get_ref(0)?.as_str()?.len());
                let found = if number {
                    statement.query_row(params![space, key, seq.cast_signed()], found)
                } else {
                    statement.query_row(params![WORDS[usize::try_from(space).unwrap()], key, seq.cast_signed()], found)
                };
                assert!(found.is_ok() || nth == 1);
            }
        }
    }
    started.elapsed().as_secs_f64()
}

/// Present rows of random keys a second.
fn lookups(reader: &Connection, number: bool, entries: u64) -> f64 {
    let started = Instant::now();
    let mut statement = reader.prepare("SELECT value FROM state WHERE space = ?1 AND key = ?2 ORDER BY seq DESC LIMIT 1").unwrap();
    for nth in 0..100_000u64 {
        let key = format!("Settlement:SET-20260417-{:09}", nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) % entries);
        if number {
            statement.query_row(params![4, key], |row| row.get::<_, String>(0)).unwrap();
        } else {
            statement.query_row(params!["subject", key], |row| row.get::<_, String>(0)).unwrap();
        }
    }
    rate(100_000, started.elapsed().as_secs_f64())
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let preload: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let total: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let mut out = std::io::stdout().lock();
    for (name, tables, number, sorted) in LAYOUTS {
        let folder = tempfile::tempdir_in(&parent).unwrap();
        let path = folder.path().join("bench.db");
        let mut connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536")
            .unwrap();
        connection.execute_batch(tables).unwrap();
        let loading = fill(&mut connection, number, !name.starts_with("log"), 0, preload, 4096);
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 16384").unwrap();
        let before = std::fs::metadata(&path).unwrap().len();
        let seconds = fill(&mut connection, number, sorted, preload, preload + total, BATCH);
        let log = std::fs::metadata(folder.path().join("bench.db-wal")).unwrap().len();
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("PRAGMA cache_size = -16384").unwrap();
        let audit = audit(&reader, name, number, preload + total);
        let lookups = lookups(&reader, number, preload + total);
        writeln!(
            out,
            "{name:<28} {:>7.0} entries/s ({:>7.0} while loading), log file {} MiB, {} bytes of file an entry, audit {:>4.1} s, {lookups:>7.0} present rows/s",
            rate(total, seconds),
            rate(preload, loading),
            log >> 20,
            before / preload,
            audit
        )
        .unwrap();
    }
}
