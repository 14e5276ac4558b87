//! What a walk along a chain of receipts costs in a ledger of a given size.
use std::path::Path;
use std::time::Duration;

use enact_core::entry::Entry;
use enact_core::hash::Digest;
use serde::Serialize;
use serde_json::json;

use super::{ACTOR, AppendBench, BLOCK, cpu_time, governed, proposal};
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
    /// CPU time of it, opening the ledger included, µs.
    pub chain_cpu_us: f64,
    /// Questions of a walk from a record that stands alone, anywhere.
    pub single_lookups: u64,
    /// CPU time of it, µs: nearly every one looks at other pages.
    pub single_cpu_us: f64,
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
    let mut anywhere = Vec::new();
    for n in 0..walks {
        let seq = (n.wrapping_mul(SPREAD) >> 11) % size;
        let stored = engine.store().reader()?.entry(seq)?.ok_or(EngineError::NoEntry { seq, size })?;
        let entry = Entry::parse(&stored.bytes).map_err(|r| EngineError::Internal { detail: r.to_string() })?;
        anywhere.extend(entry.records.first().and_then(|record| record.hash().ok()));
    }
    let walk = |hash: &Digest, options: &WalkOptions| engine.walk(&Start::Record(*hash), options);
    let begun = cpu_time();
    let mut walked = walk(&chain, &options)?;
    for _ in 1..walks {
        walked = walk(&chain, &options)?;
    }
    let chain_cpu = cpu_time().saturating_sub(begun);
    let alone = WalkOptions { depth: 0, ..options };
    let mut single = walk(&chain, &alone)?;
    let begun = cpu_time();
    for hash in &anywhere {
        single = walk(hash, &alone)?;
    }
    let single_cpu = cpu_time().saturating_sub(begun);
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / walks.max(1) as f64;
    Ok(ReceiptFigures {
        entries: size,
        walks,
        chain_records: walked.records.len(),
        chain_entries_read: walked.entries_read,
        chain_lookups: walked.lookups,
        chain_cpu_us: each(chain_cpu),
        single_lookups: single.lookups,
        single_cpu_us: each(single_cpu),
    })
}
