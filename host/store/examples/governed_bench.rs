//! Measures governed appends on this machine: entries a second by size of the batch, sealing included, with a judge that decides nothing
//! and writes three rows: a new subject and two balances that change all the time. Prints; asserts nothing.
//!
//! `cargo run --release -p enact-store --example governed_bench [folder] [entries] [preloaded entries]`
#![allow(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]

mod signed;

use std::io::Write as _;
use std::time::Instant;

use enact_core::entry::{Draft, Head, Kind, Local, Record, Sealed, seal};
use enact_core::error::Refusal;
use enact_core::hash::blob_hash;
use enact_core::state::{Put, Space, StateDelta};
use enact_store::{Judge, Store, StoreError, TxView, Writer};
use serde_json::json;

/// Accounts whose balances change all the time.
const HOT: u64 = 64;
/// The clock.
const NOW: &str = "2026-04-17T10:00:00Z";

fn draft(number: u64) -> Draft {
    let subject = format!("Settlement:SET-20260417-{number:09}");
    let record = Record {
        kind: Kind::Receipt,
        type_: "RUN".to_owned(),
        action: "RUN.DONE".to_owned(),
        subject,
        actor: "Actor:anna".to_owned(),
        seat: None,
        scope: None,
        auth: None,
        refs: [("prev".to_owned(), blob_hash(b"in"))].into(),
        consumes: Vec::new(),
        version: None,
        postings: None,
        payload: json!({"amount": "1250000", "buyer": "Actor:anna", "seller": "Actor:ben", "terms": "net 30 days after delivery"}),
        sig: None,
    };
    Draft { protocol: blob_hash(b"protocol"), at: NOW.to_owned(), records: vec![record], local: Local { node: "n".to_owned(), attempt: 1 } }
}

struct Trivial;

impl Judge for Trivial {
    type Refused = Refusal;

    fn judge(&mut self, view: &dyn TxView, head: &Head, draft: &Draft) -> Result<Result<(Sealed, StateDelta), Refusal>, StoreError> {
        let subject = draft.records[0].subject.clone();
        assert!(view.get(Space::Subject, &subject)?.is_none(), "{subject} is new");
        let mut accounts = [head.size % HOT, head.size.wrapping_mul(7).wrapping_add(1) % HOT];
        accounts.sort_unstable();
        if accounts[0] == accounts[1] {
            accounts[1] += HOT;
        }
        let mut puts = Vec::with_capacity(3);
        for account in accounts {
            let key = format!("holder:A-{account:04}|CREDIT");
            let before = view.get(Space::Balance, &key)?;
            let credits = before.as_deref().and_then(|row| row.split('"').nth(3)?.parse::<u64>().ok()).unwrap_or(0) + 1_250_000;
            puts.push(Put { space: Space::Balance, key, value: format!("{{\"credits\":\"{credits}\",\"debits\":\"0\"}}") });
        }
        let sealed = match seal(head, signed::ORIGIN, draft.clone()) {
            Ok(sealed) => sealed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let value = format!(
            "{{\"actors\":{{\"SETTLEMENT.PROPOSE\":\"Actor:anna\"}},\"kept\":{{\"amount\":\"1250000\",\"buyer\":\"Actor:anna\",\
             \"seller\":\"Actor:ben\"}},\"last\":\"{}\",\"seq\":{},\"state\":\"PROPOSED\",\"type\":\"SETTLEMENT_EVENT\"}}",
            sealed.entry_hash, sealed.seq
        );
        puts.push(Put { space: Space::Subject, key: subject, value });
        Ok(Ok((sealed, StateDelta { puts })))
    }
}

/// Seconds that this thread was on a processor, where the system says so: what remains comparable on a machine that is shared.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Appends entries in batches; answers entries a second, processor time of an entry in microseconds, and what the slowest batch took in
/// milliseconds.
fn run(writer: &mut Writer, from: u64, count: u64, batch: u64) -> (f64, f64, f64) {
    let (mut busy, mut worked, mut slowest) = (0.0, 0.0, 0.0_f64);
    let mut number = from;
    while number < from + count {
        let mut drafts: Vec<_> = (number..number + batch).map(draft).collect();
        let (started, before) = (Instant::now(), on_processor());
        let answers = writer.append_governed(&mut drafts, NOW, &mut Trivial, &signed::sign).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        assert!(answers.iter().all(Result::is_ok));
        (busy, slowest, worked) = (busy + seconds, slowest.max(seconds), worked + on_processor() - before);
        number += batch;
    }
    let count = f64::from(u32::try_from(number - from).unwrap());
    (count / busy, worked / count * 1e6, slowest * 1000.0)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let total: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(60_000);
    let preload: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let mut out = std::io::stdout().lock();
    let counts = |batch: u64| if batch == 1 { total / 10 } else { total };
    let mut show = |what: &str, batch: u64, (rate, worked, slowest): (f64, f64, f64), store: &Store, before: enact_store::Stats| {
        let stats = store.stats();
        let log = (stats.wal_bytes - before.wal_bytes) / (stats.commits - before.commits);
        let moved = stats.checkpoints - before.checkpoints;
        writeln!(
            out,
            "{what}, batch {batch:>4}: {rate:>7.0} entries/s, {worked:>5.1} us of processor an entry, slowest batch {slowest:>6.1} ms, {log:>6} bytes of log an entry, {moved} checkpoints"
        )
        .unwrap();
    };
    for batch in [1, 64, 256, 1024] {
        let folder = tempfile::tempdir_in(&parent).unwrap();
        let store = signed::create(folder.path().join("bench.db"));
        let measured = run(&mut store.writer().unwrap(), 0, counts(batch), batch);
        show("from empty", batch, measured, &store, enact_store::Stats::default());
    }
    let folder = tempfile::tempdir_in(&parent).unwrap();
    let path = folder.path().join("bench.db");
    let store = signed::create(path.clone());
    let mut writer = store.writer().unwrap();
    let measured = run(&mut writer, 0, preload, 1024);
    show("preloading", 1024, measured, &store, enact_store::Stats::default());
    let mut next = preload.next_multiple_of(1024);
    for batch in [1, 64, 256, 1024] {
        let before = store.stats();
        let measured = run(&mut writer, next, counts(batch), batch);
        show("onto those", batch, measured, &store, before);
        next += counts(batch).next_multiple_of(batch);
    }
    drop(writer);
    let (head, started) = (store.reader().unwrap().head().unwrap(), Instant::now());
    let mut rows = 0u64;
    let mut reader = store.reader().unwrap();
    reader
        .entries_with_state(0, |entry| {
            rows += u64::try_from(entry.rows.len()).unwrap_or(0);
            Ok::<(), StoreError>(())
        })
        .unwrap();
    let audit = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let (mut listed, mut after) = (0, None::<String>);
    loop {
        let page = reader.state_rows(Space::Subject, "", after.as_deref(), 1000).unwrap();
        let Some(last) = page.last() else { break };
        listed += page.len();
        after = Some(last.key.clone());
    }
    let listing = started.elapsed().as_secs_f64();
    let balances = Instant::now();
    let hot = reader.state_rows(Space::Balance, "", None, 1000).unwrap().len();
    let balances = balances.elapsed().as_secs_f64() * 1000.0;
    let started = Instant::now();
    let copied = store.backup(&folder.path().join("copy.db"), &mut |_| {}).unwrap();
    let backup = started.elapsed().as_secs_f64();
    writeln!(
        out,
        "{} entries with {rows} rows read in {audit:.1} s; {listed} subjects listed in {listing:.1} s, {hot} balances in {balances:.1} ms; \
         {} bytes of file an entry, copied in {backup:.1} s",
        head.size,
        copied.bytes / head.size
    )
    .unwrap();
}
