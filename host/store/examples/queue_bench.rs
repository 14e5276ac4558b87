//! Measures the queue on this machine: items a second from being added to settled, through leases and work that is judged by a judge that
//! decides nothing, from empty and onto a million settled items of the queue; and what is asked of the queue then. Prints; asserts nothing.
//!
//! `cargo run --release -p enact-store --example queue_bench [folder] [items] [preloaded items] [batch]`
#![allow(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]

mod signed;

use std::io::Write as _;
use std::time::Instant;

use enact_core::entry::{Draft, Head, Kind as RecordKind, Local, Record, Sealed, seal};
use enact_core::error::Refusal;
use enact_core::hash::blob_hash;
use enact_core::state::{Put, Space, StateDelta};
use enact_store::{
    Committed, Fence, Judge, QueueChange, QueueExpect, QueueFilter, QueueItem, QueueMember, QueueRow, QueueTake, READY, Reader, RunRow,
    StoreError, TxView, Work, WorkRun, Writer,
};
use serde_json::json;

/// The clock.
const NOW: &str = "2026-04-17T10:00:00Z";
/// The same in microseconds.
const MICROS: u64 = 1_776_420_000_000_000;
/// Bytes of trace, transcript, input and output of a run, each.
const PART_BYTES: usize = 512;
/// Items in a transaction of the preload.
const PRELOAD: u64 = 4000;

struct Trivial;

impl Judge for Trivial {
    type Refused = Refusal;

    fn judge(&mut self, view: &dyn TxView, head: &Head, draft: &Draft) -> Result<Result<(Sealed, StateDelta), Refusal>, StoreError> {
        let subject = draft.records[0].subject.clone();
        let before = view.get(Space::Subject, &subject)?.map_or(0, |row| row.len());
        let sealed = match seal(head, signed::ORIGIN, draft.clone()) {
            Ok(sealed) => sealed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let value = format!("{{\"before\":{before},\"last\":\"{}\",\"seq\":{}}}", sealed.entry_hash, sealed.seq);
        Ok(Ok((sealed, StateDelta { puts: vec![Put { space: Space::Subject, key: subject, value }] })))
    }
}

fn draft(item: &str, action: &str) -> Draft {
    let record = Record {
        kind: RecordKind::Receipt,
        type_: "RUN".to_owned(),
        action: format!("RUN.{action}"),
        subject: format!("Run:{item}"),
        actor: "engine".to_owned(),
        seat: None,
        scope: None,
        auth: None,
        refs: [("input".to_owned(), blob_hash(b"in")), ("output".to_owned(), blob_hash(b"out"))].into(),
        consumes: Vec::new(),
        version: None,
        postings: None,
        payload: json!({"item": item, "trace": blob_hash(b"t"), "nodes": 9, "steps": 9}),
        sig: None,
    };
    Draft { protocol: blob_hash(b"p"), at: NOW.to_owned(), records: vec![record], local: Local { node: "n".to_owned(), attempt: 1 } }
}

/// A line as long as those of the pilot.
fn line(row: &QueueRow, event: &str) -> String {
    format!(
        "{{\"queue_id\":\"{}\",\"contract\":\"{}\",\"status\":\"{}\",\"event\":\"{event}\",\"intent_id\":\"INT-{}\",\"project_id\":\"PRJ-1\",\
         \"unit_id\":\"U-1\",\"from_member\":\"M-1\",\"to_member\":\"M-2\",\"charter_no\":\"CH-1\",\"value_class\":\"hours\",\"quantity\":\"4\",\
         \"validated\":true,\"validation\":{{\"intent_ok\":true,\"authority_ok\":true,\"project_ok\":true,\"economic_ok\":true}},\
         \"ready_for_execution\":true,\"attempt_count\":{},\"created_utc\":\"{NOW}\",\"updated_utc\":\"{NOW}\"}}",
        row.item, row.contract, row.status, row.item, row.attempts
    )
}

fn change(expect: QueueExpect, row: QueueRow, event: &str) -> QueueChange {
    let line = line(&row, event);
    QueueChange { expect, row, kept: Vec::new(), event: event.to_owned(), at: MICROS, line }
}

fn to(item: &QueueRow, status: &str, event: &str) -> QueueChange {
    let expect = QueueExpect::Is { status: Some(item.status.clone()), fence: Some(item.fence) };
    change(expect, QueueRow { status: status.to_owned(), lease: None, ..item.clone() }, event)
}

fn queued(number: u64) -> Work {
    let item = format!("EXQ-20260417-{number:09}");
    let row = QueueRow { item: item.clone(), contract: "QC_A_V0".to_owned(), status: "PENDING".to_owned(), ..QueueRow::default() };
    let member = |name: &str, value: String, counted| QueueMember { name: name.to_owned(), value, counted };
    let kept = vec![
        member("intent_id", format!("INT-{number}"), false),
        member("project_id", format!("PRJ-{}", number % 20), true),
        member("unit_id", format!("U-{}", number % 200), true),
        member("from_member", format!("M-{}", number % 1000), false),
        member("to_member", format!("M-{}", number % 999), false),
    ];
    Work {
        draft: draft(&item, "QUEUED"),
        run: None,
        fence: None,
        changes: vec![QueueChange { kept, ..change(QueueExpect::Absent, row, "queued") }],
    }
}

fn executed(item: &QueueItem) -> Work {
    let run = RunRow {
        run_id: format!("run-{}", item.row.item),
        workflow: "WF_A_V0".to_owned(),
        snapshot: blob_hash(b"p").to_string(),
        binding: "RB_A_V0".to_owned(),
        at: NOW.to_owned(),
        class: "SUCCESS".to_owned(),
        reason: "COMPLETED".to_owned(),
        code: None,
        trace: vec![b't'; PART_BYTES],
        transcript: vec![b'u'; PART_BYTES],
        input: vec![b'i'; PART_BYTES],
        output: vec![b'o'; PART_BYTES],
    };
    Work {
        draft: draft(&item.row.item, "EXECUTED"),
        run: Some(WorkRun { run, ..WorkRun::default() }),
        fence: Some(Fence { item: item.row.item.clone(), fence: item.row.fence }),
        changes: vec![to(&item.row, "EXECUTED", "executed")],
    }
}

/// Seconds of a leg by the clock, and on a processor.
type Leg = (f64, f64);
/// Those of a run: queued, ready, leased, executed, settled.
type Legs = [Leg; 5];

/// Seconds that this thread was on a processor, where the system says so: what remains comparable on a machine that is shared.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn timed<T>(leg: &mut Leg, act: impl FnOnce() -> T) -> T {
    let (started, worked) = (Instant::now(), on_processor());
    let done = act();
    leg.0 += started.elapsed().as_secs_f64();
    leg.1 += on_processor() - worked;
    done
}

fn append(writer: &mut Writer, mut units: Vec<Work>) -> Vec<Committed> {
    let mut line = |change: &QueueChange, committed: &Committed| {
        let line = change.line.strip_suffix('}')?;
        Some(format!("{line},\"entry\":{}}}", committed.seq))
    };
    let answers = writer.append_work(&mut units, NOW, &mut Trivial, &mut line, &signed::sign).unwrap();
    answers.into_iter().map(|answer| answer.unwrap_or_else(|refused| panic!("{refused:?}"))).collect()
}

/// Carries items from nothing to settled, a batch at a time.
fn run(writer: &mut Writer, from: u64, count: u64, batch: u64) -> Legs {
    let mut legs = Legs::default();
    let [adding, readying, leasing, executing, settling] = &mut legs;
    let mut number = from;
    while number < from + count {
        let units: Vec<_> = (number..number + batch).map(queued).collect();
        let rows: Vec<_> = units.iter().map(|unit| unit.changes[0].row.clone()).collect();
        timed(adding, || append(writer, units));
        timed(readying, || {
            let changes: Vec<_> = rows.iter().map(|row| to(row, READY, "validated")).collect();
            assert!(writer.queue_change(&changes).unwrap().iter().all(Result::is_ok));
        });
        let items = timed(leasing, || {
            let take = QueueTake { now: MICROS, owner: "w", ttl: 30_000_000, count: batch, contracts: &[] };
            writer.queue_lease(&take, &mut |event, item| line(&item.row, event)).unwrap()
        });
        assert_eq!(u64::try_from(items.len()).unwrap(), batch);
        let units: Vec<_> = items.iter().map(executed).collect();
        let rows: Vec<_> = units.iter().map(|unit| unit.changes[0].row.clone()).collect();
        timed(executing, || append(writer, units));
        let settled = rows.iter().map(|row| Work {
            draft: draft(&row.item, "SETTLED"),
            run: None,
            fence: None,
            changes: vec![to(row, "SETTLED", "settled")],
        });
        let settled = settled.collect();
        timed(settling, || append(writer, settled));
        number += batch;
    }
    legs
}

/// Items that are settled already, with their members and one line each.
fn preloaded(writer: &mut Writer, from: u64, count: u64) {
    let mut number = from;
    while number < from + count {
        let settled = |number| {
            let mut change = queued(number).changes.remove(0);
            (change.row.seq, change.row.status) = (number, "SETTLED".to_owned());
            change
        };
        let changes: Vec<_> = (number..number + PRELOAD).map(settled).collect();
        assert!(writer.queue_add(&changes).unwrap().iter().all(Result::is_ok));
        number += PRELOAD;
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

fn asked(what: &str, act: impl FnOnce() -> usize) -> String {
    let started = Instant::now();
    let found = act();
    format!("{what} {found} in {:.2} ms", started.elapsed().as_secs_f64() * 1000.0)
}

fn questions(reader: &mut Reader) -> Vec<String> {
    let kept = |name: &str, value: &str| QueueFilter { kept: Some((name.to_owned(), value.to_owned())), ..QueueFilter::default() };
    vec![
        asked("next time", || reader.queue_wake().unwrap().map_or(0, |_| 1)),
        asked("counts", || reader.queue_counts(None).unwrap().len()),
        asked("counts by unit", || reader.queue_counts_by("unit_id", None).unwrap().len()),
        asked("of one intent", || reader.queue_items(&kept("intent_id", "INT-77"), 0, 100).unwrap().len()),
        asked("first of one project", || reader.queue_items(&kept("project_id", "PRJ-7"), 0, 100).unwrap().len()),
        asked("first settled", || {
            let filter = QueueFilter { status: Some("SETTLED".to_owned()), ..QueueFilter::default() };
            reader.queue_items(&filter, 0, 100).unwrap().len()
        }),
        asked("lines of one", || reader.queue_lines(Some("EXQ-20260417-000000077"), 0, 100).unwrap().len()),
    ]
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let mut number = |default: u64| arguments.next().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (total, preload, batch) = (number(20_000), number(1_000_000), number(64));
    let (total, preload) = (total.next_multiple_of(batch), preload.next_multiple_of(PRELOAD));
    let folder = tempfile::tempdir_in(&parent).unwrap();
    let store = signed::create(folder.path().join("bench.db"));
    let mut writer = store.writer().unwrap();
    let mut out = std::io::stdout().lock();
    let mut show = |what: &str, count: u64, legs: Legs| {
        let count = f64::from(u32::try_from(count).unwrap());
        let [adding, readying, leasing, executing, settling] = legs.map(|(_, worked)| worked / count * 1e6);
        let seconds: f64 = legs.iter().map(|(seconds, _)| seconds).sum();
        let from_ready: f64 = legs.iter().skip(2).map(|(seconds, _)| seconds).sum();
        let worked: f64 = legs.iter().map(|(_, worked)| worked).sum();
        writeln!(
            out,
            "{what}: {:.0} items/s from nothing to settled, {:.0} from ready; {:.0} us of processor an item: queued {adding:.0}, \
             ready {readying:.0}, leased {leasing:.0}, executed {executing:.0}, settled {settling:.0}; load {}",
            count / seconds,
            count / from_ready,
            worked / count * 1e6,
            load()
        )
        .unwrap();
    };
    show("from empty", total, run(&mut writer, 0, total, batch));
    let before = total;
    preloaded(&mut writer, before, preload);
    show(&format!("onto {preload}"), total, run(&mut writer, before + preload, total, batch));
    let next = before + preload + total;
    let asked = questions(&mut store.reader().unwrap());
    let bytes = std::fs::metadata(folder.path().join("bench.db")).unwrap().len();
    writeln!(out, "{}; {} bytes of file an item", asked.join(", "), bytes / next).unwrap();
}
