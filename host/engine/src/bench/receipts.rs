//! What a walk along a chain of receipts costs in a ledger of a given size.
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use enact_core::entry::Entry;
use enact_core::hash::Digest;
use serde::Serialize;
use serde_json::json;

use super::{ACTOR, AppendBench, BLOCK, governed, proposal};
use crate::error::{EngineError, Result};
use crate::govern::{Proposed, Stream};
use crate::receipts::{Start, WalkOptions};

/// Records of the chain, spread over the ledger.
const CHAIN: u64 = 32;
/// Spreads numbers over a range: an odd constant, so that no two of a power of two meet.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Figures of walks.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptFigures {
    /// Entries in the ledger.
    pub entries: u64,
    /// Walks of each sort.
    pub walks: u64,
    /// Records that a walk along the chain shows.
    pub chain_records: usize,
    /// Entries that it reads.
    pub chain_entries_read: u64,
    /// Questions that it asks the index.
    pub chain_lookups: u64,
    /// Median time of it, µs.
    pub chain_p50_us: f64,
    /// Questions of a walk from a record that stands alone, anywhere.
    pub single_lookups: u64,
    /// Median time of it, µs: nearly every one looks at another page.
    pub single_p50_us: f64,
}

/// Measures walks along a chain that is spread over the whole ledger, and from records anywhere in it.
pub fn receipts(dir: &Path, entries: u64, walks: u64, mut progress: impl FnMut(u64)) -> Result<ReceiptFigures> {
    let (engine, _scratch) = governed(dir)?;
    let load = AppendBench {
        entries,
        preload: 0,
        signed: false,
        postings: false,
        jobs: std::num::NonZeroUsize::MIN.saturating_add(1),
        group: std::num::NonZeroUsize::MIN.saturating_add(1_023),
    };
    let stream = Stream { jobs: load.jobs, group: load.group, sign: false };
    let origin = engine.workspace().config().origin.clone();
    let (mut at, mut last) = (0, None::<Digest>);
    for link in 0..CHAIN {
        let until = entries.saturating_mul(link.saturating_add(1)) / CHAIN;
        while at < until {
            let (send, source) = crossbeam_channel::unbounded();
            let block = BLOCK.min(until.saturating_sub(at));
            for n in at..at.saturating_add(block) {
                // The receiving end is in this function.
                let _ = send.send(vec![proposal(n, &load, None, &origin)?]);
            }
            drop(send);
            let mut failed = None;
            engine.propose_each(ACTOR, stream, &source, |_, result| {
                if let Err(error) = result {
                    failed.get_or_insert(error);
                }
            })?;
            failed.map_or(Ok(()), Err)?;
            progress(block);
            at = at.saturating_add(block);
        }
        let mut linked =
            Proposed::of("BENCH_NOTE", "BENCH.NOTE", &format!("BenchNote:LINK-{link}"), json!({"text": "A link of the chain."}));
        linked.refs = last.map(|last| ("cause".to_owned(), last)).into_iter().collect();
        let appended = engine.propose(ACTOR, &[linked])?;
        last = appended.records.first().and_then(|record| record.hash.parse().ok());
    }
    let chain = last.ok_or_else(|| EngineError::Internal { detail: "a record without a hash".to_owned() })?;
    engine.settle()?;
    let size = engine.store().reader()?.head()?.size;
    let options = WalkOptions { depth: u32::try_from(CHAIN).unwrap_or(u32::MAX), ..WalkOptions::default() };
    let mut walked = None;
    let mut times = BTreeMap::new();
    for n in 0..walks {
        let begun = Instant::now();
        walked = Some(engine.walk(&Start::Record(chain), &options)?);
        times.entry("chain").or_insert_with(Vec::new).push(begun.elapsed());
        let seq = (n.wrapping_mul(SPREAD) >> 11) % size;
        let stored = engine.store().reader()?.entry(seq)?.ok_or(EngineError::NoEntry { seq, size })?;
        let entry = Entry::parse(&stored.bytes).map_err(|r| EngineError::Internal { detail: r.to_string() })?;
        let Some(Ok(hash)) = entry.records.first().map(enact_core::entry::Record::hash) else { continue };
        let begun = Instant::now();
        let single = engine.walk(&Start::Record(hash), &WalkOptions { depth: 0, ..options })?;
        times.entry("single").or_insert_with(Vec::new).push(begun.elapsed());
        times.entry("lookups").or_insert_with(Vec::new).push(Duration::from_micros(single.lookups));
    }
    let walked = walked.ok_or_else(|| EngineError::Internal { detail: "nothing was measured".to_owned() })?;
    let mut median = |of: &str| {
        let mut all = times.remove(of).unwrap_or_default();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    Ok(ReceiptFigures {
        entries: size,
        walks,
        chain_records: walked.records.len(),
        chain_entries_read: walked.entries_read,
        chain_lookups: walked.lookups,
        chain_p50_us: median("chain").as_secs_f64() * 1e6,
        single_lookups: u64::try_from(median("lookups").as_micros()).unwrap_or(u64::MAX),
        single_p50_us: median("single").as_secs_f64() * 1e6,
    })
}
