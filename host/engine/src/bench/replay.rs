//! What it costs to go over a whole ledger again: verification and audit.
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use enact_core::hash::{blob_hash, context_hash, entry_hash, leaf_hash};
use enact_wasm::Backend;
use serde::Serialize;

use super::{Scratch, cpu_time, engine, file_size, request};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::examine::AuditOptions;
use crate::pool::Load;
use crate::verify::Against;

/// Figures of audits and verifications.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayFigures {
    /// Runs in the ledger.
    pub runs: u64,
    /// Size of the ledger file, bytes.
    pub bytes: u64,
    /// Time taken, s.
    pub seconds: f64,
    /// Runs per second.
    pub runs_per_s: f64,
    /// Ledger bytes per second, MB.
    pub mb_per_s: f64,
    /// How it came out.
    pub verdict: String,
}

/// Measures the re-execution of `runs` nine-step workflows on `jobs` threads; `progress` is told of each run that was made.
pub fn audit(dir: &Path, runs: u64, jobs: NonZeroUsize, backend: Backend, progress: impl FnMut(u64)) -> Result<ReplayFigures> {
    let (engine, _scratch) = filled(dir, runs, jobs, progress)?;
    let options = AuditOptions { entries: None, jobs, state: false, backends: vec![backend] };
    let begun = Instant::now();
    let report = engine.audit(&options, |_| {})?;
    Ok(replay_figures(&engine, runs, begun.elapsed(), report.verdict))
}

/// Figures of a verification, beside what the machine's hashing alone would allow.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyFigures {
    /// The verification.
    #[serde(flatten)]
    pub verify: ReplayFigures,
    /// CPU time of it over all threads, s.
    pub cpu_s: f64,
    /// Time of one thread for the hashes of it alone, over the same pieces, s.
    pub hashing_s: f64,
    /// Bytes hashed, MB: an entry twice, a part of a run once.
    pub hashed_mb: f64,
    /// SHA-256 of one thread over pieces of 4 KiB, MB/s.
    pub sha256_mb_per_s: f64,
    /// BLAKE3 of one thread over pieces of 4 KiB, MB/s.
    pub blake3_mb_per_s: f64,
}

/// Measures the verification of a ledger of `runs` nine-step workflows; `progress` is told of each run that was made.
pub fn verify(dir: &Path, runs: u64, jobs: NonZeroUsize, progress: impl FnMut(u64)) -> Result<VerifyFigures> {
    let (engine, _scratch) = filled(dir, runs, jobs, progress)?;
    let (begun, cpu) = (Instant::now(), cpu_time());
    let report = engine.verify(Against::default(), jobs, |_| {})?;
    let (took, cpu) = (begun.elapsed(), cpu_time().saturating_sub(cpu));
    let (hashing, hashed) = hashes(&engine)?;
    Ok(VerifyFigures {
        verify: replay_figures(&engine, runs, took, report.verdict),
        cpu_s: cpu.as_secs_f64(),
        hashing_s: hashing.as_secs_f64(),
        hashed_mb: hashed as f64 / 1e6,
        sha256_mb_per_s: hash_rate(|piece| leaf_hash(piece)[0]),
        blake3_mb_per_s: hash_rate(|piece| blob_hash(piece).bytes[0]),
    })
}

/// Makes the hashes of a verification without the rest of it: how long they took, and over how many bytes.
fn hashes(engine: &Engine) -> Result<(Duration, usize)> {
    let mut reader = engine.store().reader()?;
    let size = reader.head()?.size;
    let (mut took, mut hashed, mut sum) = (Duration::ZERO, 0, 0_u8);
    reader.evidence::<EngineError>(0..size, |stored| {
        let (bytes, run) = (stored.entry.bytes, stored.run()?);
        let begun = Instant::now();
        sum ^= leaf_hash(bytes)[0] ^ entry_hash(bytes).bytes[0];
        hashed += 2 * bytes.len();
        if let Some(run) = &run {
            sum ^= [run.input, run.output].iter().fold(0, |sum, part| sum ^ context_hash(part).bytes[0]);
            sum ^= [run.trace, run.transcript].iter().fold(0, |sum, part| sum ^ blob_hash(part).bytes[0]);
            hashed += [run.input, run.output, run.trace, run.transcript].iter().map(|part| part.len()).sum::<usize>();
        }
        took += begun.elapsed();
        Ok(())
    })?;
    std::hint::black_box(sum);
    Ok((took, hashed))
}

/// Hashes for about half a second on one thread, MB/s.
fn hash_rate(hash: impl Fn(&[u8]) -> u8) -> f64 {
    let piece = [0x5a_u8; 4_096];
    let (begun, mut pieces, mut sum) = (Instant::now(), 0_u64, 0_u8);
    while begun.elapsed() < Duration::from_millis(500) {
        for _ in 0..256 {
            sum ^= hash(std::hint::black_box(&piece));
        }
        pieces += 256;
    }
    std::hint::black_box(sum);
    (pieces * piece.len() as u64) as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

fn filled(dir: &Path, runs: u64, jobs: NonZeroUsize, mut progress: impl FnMut(u64)) -> Result<(Engine, Scratch)> {
    let (engine, scratch) = engine(dir, 9, jobs.get())?;
    let in_flight = NonZeroUsize::MIN.saturating_add(127);
    let (mut started, mut failed) = (0, None);
    engine.run_many(
        Load { workers: jobs, in_flight },
        || {
            started += 1;
            (started <= runs).then(|| request(started))
        },
        |_, result| {
            progress(1);
            if let Err(error) = result {
                failed.get_or_insert(error);
            }
        },
    )?;
    engine.settle()?;
    failed.map_or(Ok((engine, scratch)), Err)
}

fn replay_figures(engine: &Engine, runs: u64, took: Duration, verdict: &str) -> ReplayFigures {
    let (seconds, bytes) = (took.as_secs_f64(), file_size(engine));
    ReplayFigures {
        runs,
        bytes,
        seconds,
        runs_per_s: runs as f64 / seconds,
        mb_per_s: bytes as f64 / 1e6 / seconds,
        verdict: verdict.to_owned(),
    }
}
