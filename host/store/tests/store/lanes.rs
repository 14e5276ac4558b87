//! Long batches that are judged on batches which are not durable yet: they leave what they leave one after the other, or nothing.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use enact_core::entry::{Draft, Head, Sealed};
use enact_core::state::{Space, StateDelta};
use enact_store::{Execution, Judge, OpenOptions, Store, StoreError, Ticket, TxView, Writer};
use serde_json::{Value, json};

use crate::governed::{Counting, add, append, draft, everything};
use crate::support::{Bench, NOW, sign};
use crate::tamper::findings;

/// Units of a batch that is long enough.
const MANY: u64 = 40;

/// Each counts `a` up, and must find it where the one before left it.
fn counting(from: u64) -> Vec<Value> {
    (from..from + MANY).map(|expect| json!({"key": "a", "expect": expect, "new": format!("S:{expect}")})).collect()
}

fn drafts(payloads: &[Value]) -> Vec<Draft> {
    payloads.iter().map(draft).collect()
}

fn start(writer: &mut Writer, payloads: &[Value]) -> Ticket<String> {
    writer.start_governed(&mut drafts(payloads), NOW, &mut Counting, &sign).unwrap()
}

fn other(bench: &Bench) -> Writer {
    Store::open(&OpenOptions::new(bench.path())).unwrap().writer().unwrap()
}

fn noted(status: &str) -> Vec<Execution> {
    let note = |nth: u64| Execution { decision_hash: format!("sha256:{nth:02}"), status: status.to_owned(), ..Execution::default() };
    (0..MANY).map(note).collect()
}

/// Judges like the other one, but says that it has begun and waits for a word, once.
struct Waiting {
    word: Option<(SyncSender<()>, Receiver<()>)>,
}

impl Judge for Waiting {
    type Refused = String;

    fn judge(&mut self, view: &dyn TxView, head: &Head, draft: &Draft) -> Result<Result<(Sealed, StateDelta), String>, StoreError> {
        if let Some((begun, go)) = self.word.take() {
            begun.send(()).unwrap();
            go.recv().unwrap();
        }
        Counting.judge(view, head, draft)
    }
}

/// What `act` does while another process holds the lock, which then appends so many entries that each add to `key`.
fn while_another_appends<T>(bench: &Bench, key: &str, entries: usize, act: impl FnOnce(Box<dyn FnOnce() + '_>) -> T) -> T {
    let (begun, is_begun) = sync_channel(1);
    let (go, went) = sync_channel(1);
    let mut writer = other(bench);
    let mut batch = drafts(&vec![add(key); entries]);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut judge = Waiting { word: Some((begun, went)) };
            // Short: it has the lock while it judges.
            let answers = writer.append_governed(&mut batch, NOW, &mut judge, &sign).unwrap();
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        });
        is_begun.recv().unwrap();
        act(Box::new(move || go.send(()).unwrap()))
    })
}

#[test]
fn a_batch_is_judged_on_one_that_is_not_durable_yet_and_leaves_the_same() {
    let (together, singly) = (Bench::new(), Bench::new());
    let mut writer = together.store.writer().unwrap();
    append(&mut writer, &counting(0)).unwrap();
    // Nobody can make anything durable.
    let lock = together.raw();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = start(&mut writer, &counting(MANY));
    let second = start(&mut writer, &counting(2 * MANY));
    assert_eq!(together.store.reader().unwrap().head().unwrap().size, MANY);
    lock.execute_batch("ROLLBACK").unwrap();
    let third = start(&mut writer, &[counting(3 * MANY), vec![json!({"key": "a", "expect": 7})]].concat());
    let short = append(&mut writer, &[json!({"key": "a", "expect": 4 * MANY})]).unwrap();
    for (ticket, refused) in [(first, 0), (second, 0), (third, 1)] {
        let answers = ticket.settle().unwrap();
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), refused, "{answers:?}");
    }
    assert!(short[0].is_ok(), "{short:?}");
    let mut writer = singly.store.writer().unwrap();
    for payload in (0..4).flat_map(|nth| counting(nth * MANY)) {
        assert!(append(&mut writer, &[payload]).unwrap()[0].is_ok());
    }
    append(&mut writer, &[json!({"key": "a", "expect": 7})]).unwrap();
    append(&mut writer, &[json!({"key": "a", "expect": 4 * MANY})]).unwrap();
    assert_eq!(everything(&mut together.store.reader().unwrap()), everything(&mut singly.store.reader().unwrap()));
    assert_eq!(findings(&mut together.store.reader().unwrap()), Vec::<String>::new());
    let stats = together.store.stats();
    assert_eq!((stats.transactions, stats.commits, stats.refused), (5, 4 * MANY + 1, 1));
}

#[test]
fn what_was_judged_on_a_head_that_another_process_left_behind_is_not_stored() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    append(&mut writer, &counting(0)).unwrap();
    let (first, second) = while_another_appends(&bench, "a", 1, |go| {
        let first = start(&mut writer, &counting(MANY));
        let second = start(&mut writer, &counting(2 * MANY));
        go();
        (first, second)
    });
    let settled = [first.settle(), second.settle()];
    assert!(settled.iter().all(|settled| matches!(settled, Err(StoreError::Moved))), "{settled:?}");
    // What it knew from them is forgotten, and what the other one wrote is seen.
    let answers = append(&mut writer, &counting(MANY + 1)).unwrap();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let mut reader = bench.store.reader().unwrap();
    assert_eq!((reader.head().unwrap().size, findings(&mut reader)), (2 * MANY + 1, Vec::new()));
    assert_eq!(reader.state(Space::Balance, "a").unwrap().unwrap().1, (2 * MANY + 1).to_string());
    assert_eq!(bench.store.stats().commits, 2 * MANY);
}

/// The number of the last entry says nothing then.
#[test]
fn what_was_known_from_it_is_forgotten_also_when_the_other_process_wrote_as_many_entries() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    append(&mut writer, &counting(0)).unwrap();
    let few = 31;
    let mut batch = vec![add("a"); few];
    batch.extend(vec![json!({"key": "a", "fail": "refuse"}); 9]);
    let ticket = while_another_appends(&bench, "a", few, |go| {
        let ticket = start(&mut writer, &batch);
        go();
        ticket
    });
    assert!(matches!(ticket.settle(), Err(StoreError::Moved)));
    let answers = append(&mut writer, &[json!({"key": "a", "expect": MANY + few as u64})]).unwrap();
    assert!(answers[0].is_ok(), "{answers:?}");
    // Not even what was refused is kept.
    assert_eq!(bench.store.reader().unwrap().refusals(0, 100).unwrap(), []);
}

#[test]
fn who_waits_for_a_long_batch_has_it_judged_again_when_another_process_was_faster() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    append(&mut writer, &[add("b")]).unwrap();
    let answers = while_another_appends(&bench, "b", 1, |go| {
        /// Lets the other one go when it has judged the first time.
        struct Letting<'a>(Option<Box<dyn FnOnce() + 'a>>);
        impl Judge for Letting<'_> {
            type Refused = String;
            fn judge(&mut self, view: &dyn TxView, head: &Head, draft: &Draft) -> Result<Result<(Sealed, StateDelta), String>, StoreError> {
                let answer = Counting.judge(view, head, draft);
                if let Some(go) = self.0.take() {
                    go();
                }
                answer
            }
        }
        let batch: Vec<Value> = (0..MANY).map(|nth| json!({"key": "b", "expect": nth + 2})).collect();
        writer.append_governed(&mut drafts(&batch), NOW, &mut Letting(Some(go)), &sign).unwrap()
    });
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let mut reader = bench.store.reader().unwrap();
    assert_eq!((reader.head().unwrap().size, findings(&mut reader)), (MANY + 2, Vec::new()));
}

#[test]
fn what_was_judged_on_a_batch_that_could_not_be_stored_is_not_stored_either() {
    let bench = Bench::new();
    append(&mut bench.store.writer().unwrap(), &counting(0)).unwrap();
    let size = std::fs::metadata(bench.path()).unwrap().len();
    let limited = OpenOptions { size_limit_bytes: Some(size + 60_000), ..OpenOptions::new(bench.path()) };
    let mut writer = Store::open(&limited).unwrap().writer().unwrap();
    let before = everything(&mut bench.store.reader().unwrap());
    let mut large = counting(MANY);
    large[3]["fill"] = Value::from("x".repeat(60_000));
    large[4]["fill"] = Value::from("x".repeat(60_000));
    let lock = bench.raw();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = start(&mut writer, &large);
    let second = start(&mut writer, &counting(2 * MANY));
    lock.execute_batch("ROLLBACK").unwrap();
    assert!(matches!(first.settle(), Err(StoreError::Full)));
    assert!(matches!(second.settle(), Err(StoreError::Moved)));
    assert_eq!(everything(&mut bench.store.reader().unwrap()), before);
    let answers = append(&mut writer, &[json!({"key": "a", "expect": MANY})]).unwrap();
    assert!(answers[0].is_ok(), "{answers:?}");
}

#[test]
fn i_50_what_begins_is_noted_before_and_stays_noted_when_the_entries_do_not_come_to_be() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    let mut confirmed = noted("Confirmed");
    let ticket = while_another_appends(&bench, "a", 1, |go| {
        let started =
            writer.start_executions(&mut drafts(&counting(0)), &noted("Executing"), &mut confirmed, NOW, &mut Counting, &sign).unwrap();
        go();
        started
    });
    assert!(matches!(ticket.settle(), Err(StoreError::Moved)));
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(reader.executions("Executing", "", 100).unwrap().len(), 40);
    let ticket =
        writer.start_executions(&mut drafts(&counting(1)), &noted("Executing"), &mut confirmed, NOW, &mut Counting, &sign).unwrap();
    assert!(ticket.settle().unwrap().iter().all(Result::is_ok));
    assert_eq!(reader.executions("Executing", "", 100).unwrap(), []);
    assert_eq!(reader.execution("sha256:39").unwrap().unwrap().seq, Some(MANY));
}
