//! Measures appends on this machine: commits a second, syncs and bytes, by size of the batch. Prints; asserts nothing.
//!
//! `cargo run --release -p enact-store --example append_bench [folder] [commits]`
#![allow(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]

mod signed;

use std::io::Write as _;
use std::time::Instant;

use enact_core::entry::{Draft, Kind as RecordKind, Local, Record};
use enact_core::hash::blob_hash;
use enact_store::{Commit, Kind, Read, RunRow, Write};
use serde_json::json;

/// Bytes of trace, transcript, input and output of a run together.
const PARTS_BYTES: usize = 4096;

fn commit(number: usize, keyed: bool) -> Commit {
    let run_id = format!("run-{number:012}");
    let record = Record {
        kind: RecordKind::Receipt,
        type_: "RUN".to_owned(),
        action: "RUN.DONE".to_owned(),
        subject: format!("Run:{run_id}"),
        actor: "engine".to_owned(),
        seat: None,
        scope: None,
        auth: None,
        refs: [("input".to_owned(), blob_hash(b"in")), ("output".to_owned(), blob_hash(b"out"))].into(),
        consumes: Vec::new(),
        version: None,
        postings: None,
        payload: json!({"run": run_id, "trace": blob_hash(b"t"), "transcript": blob_hash(b"u"), "nodes": 9, "steps": 9}),
        sig: None,
    };
    let key = blob_hash(run_id.as_bytes()).to_string();
    let store = "keys".to_owned();
    let (reads, writes) = if keyed {
        let read = Read::Row { store: store.clone(), kind: Kind::Registry, key: key.clone(), version: 0 };
        (vec![read], vec![Write::Put { store, kind: Kind::Registry, key, value: run_id.clone(), version: 1 }])
    } else {
        (Vec::new(), Vec::new())
    };
    // Not compressible to nothing, not random either: what JSON looks like to a disk.
    let part = |bytes: usize| (0..bytes).map(|i| b'a' + u8::try_from((i * number + i / 7) % 26).unwrap_or(0)).collect::<Vec<u8>>();
    Commit {
        origin: signed::ORIGIN.to_owned(),
        draft: Draft {
            protocol: blob_hash(b"protocol"),
            at: "2026-04-17T10:00:00Z".to_owned(),
            records: vec![record],
            local: Local { node: "n".to_owned(), attempt: 1 },
        },
        run: RunRow {
            run_id,
            workflow: "WF_A_V0".to_owned(),
            snapshot: blob_hash(b"protocol").to_string(),
            binding: "RB_A_V0".to_owned(),
            at: "2026-04-17T10:00:00Z".to_owned(),
            class: "SUCCESS".to_owned(),
            reason: "COMPLETED".to_owned(),
            code: None,
            trace: part(PARTS_BYTES / 2),
            transcript: part(PARTS_BYTES / 4),
            input: part(PARTS_BYTES / 8),
            output: part(PARTS_BYTES / 8),
        },
        reads,
        writes,
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let total: usize = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let mut out = std::io::stdout().lock();
    for (batch, keyed) in [(1, false), (16, false), (64, false), (64, true), (256, false)] {
        let folder = tempfile::tempdir_in(&parent).unwrap();
        let store = signed::create(folder.path().join("bench.db"));
        let mut writer = store.writer().unwrap();
        let commits: Vec<_> = (0..if batch == 1 { total / 10 } else { total }).map(|number| commit(number, keyed)).collect();
        let started = Instant::now();
        for chunk in commits.chunks(batch) {
            writer.append(chunk, "2026-04-17T10:00:00Z", &signed::sign).unwrap();
        }
        let seconds = started.elapsed().as_secs_f64();
        let stats = store.stats();
        drop((writer, store));
        let file = std::fs::metadata(folder.path().join("bench.db")).unwrap().len();
        let each = |bytes: u64| bytes / stats.commits;
        let rate = f64::from(u32::try_from(stats.commits).unwrap()) / seconds;
        let keyed = if keyed { " with a random key" } else { "" };
        writeln!(
            out,
            "batch {batch:>3}{keyed}: {rate:>7.0} commits/s, {} syncs, {} checkpoints; a commit: {} bytes of log, {} bytes of file",
            stats.transactions,
            stats.checkpoints,
            each(stats.wal_bytes),
            each(file)
        )
        .unwrap();
    }
}
