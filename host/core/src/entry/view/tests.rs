//! The quick reading against the one it replaced, which is kept here: parse, check, write again, compare. Both must answer alike about
//! whatever bytes there are. `PROPTEST_CASES` asks for more of them; each case is [`TRIES`] documents.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test stops at the first surprise")]

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::EntryView;
use crate::canonical;
use crate::entry::record::is_name;
use crate::entry::{ENTRY_VERSION, Entry, Kind, Local, MAX_ENTRY_BYTES, Record};
use crate::error::Refusal;
use crate::hash::{Digest, module_digest};
use crate::receipt::{Admission, AdmissionFinding, Exit, ExitClass, RECORD_TYPE, RunReceipt};
use crate::time::Instant;

/// Documents of one case.
const TRIES: usize = 64;

// ---- the reading of before -------------------------------------------------------------------------------------------------

fn old_check(bytes: &[u8]) -> Result<Value, &'static str> {
    let value = canonical::parse(bytes).map_err(|e| e.code())?;
    if canonical::to_bytes(&value).map_err(|e| e.code())? == bytes { Ok(value) } else { Err("canonical_form") }
}

fn old_parse(bytes: &[u8]) -> Result<Entry, &'static str> {
    if bytes.len() > MAX_ENTRY_BYTES {
        return Err("entry_too_large");
    }
    let entry: Entry = match serde_json::from_slice(bytes) {
        Ok(entry) => entry,
        Err(_) => return Err(old_check(bytes).map_or_else(|code| code, |_| Refusal::Shape.code())),
    };
    if canonical::to_bytes(&entry).map_err(|e| e.code())? != bytes {
        return Err("canonical_form");
    }
    old_check_entry(&entry).map_err(|refusal| refusal.code())?;
    Ok(entry)
}

fn old_check_entry(entry: &Entry) -> Result<(), Refusal> {
    if entry.v != ENTRY_VERSION {
        return Err(Refusal::Version { got: entry.v });
    }
    if !crate::note::is_name(&entry.origin) {
        return Err(Refusal::Origin { origin: entry.origin.clone() });
    }
    if entry.records.is_empty() {
        return Err(Refusal::NoRecords);
    }
    entry.records.iter().enumerate().try_for_each(|(nth, record)| old_check_record(record, nth))?;
    if let Some(nth) = entry.records.iter().skip(1).position(Record::is_run) {
        return Err(Refusal::Receipt { record: nth + 1 });
    }
    let runs_only = entry.records.iter().all(Record::is_run);
    let expected = if runs_only { 0 } else { entry.records.len() };
    if entry.decided.len() != expected {
        return Err(Refusal::Decided { got: entry.decided.len(), expected });
    }
    match Instant::parse(&entry.at).filter(|instant| instant.as_str() == entry.at) {
        Some(_) => Ok(()),
        None => Err(Refusal::Time { at: entry.at.clone() }),
    }
}

fn old_check_record(it: &Record, record: usize) -> Result<(), Refusal> {
    if it.type_ == RECORD_TYPE && it.kind != Kind::Receipt {
        return Err(Refusal::KindNotInForce { record, kind: it.kind });
    }
    let malformed = |field| Refusal::Field { record, field };
    let name = |text: &str| !text.is_empty() && text.len() <= 512 && !text.chars().any(char::is_control);
    for (field, text) in [("type", &it.type_), ("action", &it.action), ("subject", &it.subject), ("actor", &it.actor)] {
        assert_eq!(is_name(text), name(text), "{text:?}");
        if !name(text) {
            return Err(malformed(field));
        }
    }
    if it.subject.split_once(':').is_none_or(|(of, id)| of.is_empty() || id.is_empty()) {
        return Err(malformed("subject"));
    }
    for (field, text) in [("seat", &it.seat), ("scope", &it.scope)] {
        if text.as_deref().is_some_and(|text| !name(text)) {
            return Err(malformed(field));
        }
    }
    if !it.refs.keys().all(|text| name(text)) {
        return Err(malformed("refs"));
    }
    if it.type_ != RECORD_TYPE {
        return if it.consumes.iter().all(|key| name(key)) { Ok(()) } else { Err(malformed("consumes")) };
    }
    let unchecked = [
        ("auth", it.auth.is_some()),
        ("consumes", !it.consumes.is_empty()),
        ("version", it.version.is_some()),
        ("postings", it.postings.is_some()),
        ("sig", it.sig.is_some()),
    ];
    match unchecked.iter().find(|(_, present)| *present) {
        Some((field, _)) => Err(Refusal::FieldNotInForce { record, field }),
        None => Ok(()),
    }
}

// ---- documents -------------------------------------------------------------------------------------------------------------

/// Small and repeatable; what it draws follows from the seed that a failure names.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (bound.max(1) as u64)).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// Names that sort differently by bytes and by UTF-16, with and without escapes.
const NAMES: [&str; 12] = ["a", "b", "ab", "", " ", "\u{e000}", "\u{10000}", "é", "\"", "\\", "\n", "\u{1}"];

fn payload(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 9 } else { 12 }) {
        0 => Value::Null,
        1 => Value::Bool(dice.yes()),
        2 => json!(dice.one(&[0_i64, 1, -1, 10, 9_007_199_254_740_991, -9_007_199_254_740_991, 1_234_567])),
        3 => json!(dice.one(&[0.5, -0.25, 1e-7, 333_333_333.333_333_3, 4.5e-300, 0.1])),
        4..=6 => json!(dice.one(&NAMES)),
        7 => json!("\u{8}\t\n\u{c}\r\u{0}\u{1f}\u{7f}\u{2028}/\"\\ plain text that is longer than a word 😀"),
        8 => json!(format!("{}", module_digest(b"x"))),
        9 => Value::Array((0..dice.below(4)).map(|_| payload(dice, depth - 1)).collect()),
        _ => Value::Object((0..dice.below(4)).map(|_| (String::from(dice.one(&NAMES)), payload(dice, depth - 1))).collect()),
    }
}

fn receipt(dice: &mut Dice) -> RunReceipt {
    let d = |label: &str| module_digest(label.as_bytes());
    let finding = AdmissionFinding { event: "EV".into(), found: dice.yes() };
    RunReceipt {
        run: String::from(dice.one(&["RUN-1", "RUN-\"2", "RÜN"])),
        workflow: "WF_X_V0".into(),
        snapshot: d("snapshot"),
        binding: "RB_X_V0".into(),
        environment: "development".into(),
        plan: d("plan"),
        modules: (0..dice.below(3)).map(|nth| (format!("CT_{nth}"), d("module"))).collect(),
        engine: d("engine"),
        input: Digest::sha256(d("input").bytes),
        output: Digest::sha256(d("output").bytes),
        trace: d("trace"),
        transcript: d("transcript"),
        admission: dice.yes().then(|| Admission { requires: vec![finding.clone()], forbids: vec![finding.clone(); 2] }),
        exit: Exit {
            class: dice.one(&[ExitClass::Success, ExitClass::Failure, ExitClass::Abort, ExitClass::Timeout]),
            reason: "COMPLETED".into(),
            code: dice.yes().then(|| "code".into()),
        },
        fuel_used: String::from(dice.one(&["0", "123456", "340282366920938463463374607431768211455"])),
        nodes: 3,
        steps: 2,
        reads: 1,
        writes: 0,
    }
}

fn governed(dice: &mut Dice) -> Value {
    let mut record = json!({"action": "A", "actor": "Actor:é", "consumes": [], "kind": "TRANSITION", "payload": payload(dice, 3),
        "refs": {}, "subject": "S:1", "type": "T"});
    let link = format!("{}", module_digest(b"link"));
    let optional = [
        ("auth", json!(link)),
        ("consumes", json!(["key:1", "key:\u{10000}"])),
        ("postings", json!([{"account": "a", "amount": "1", "asset": "EUR", "side": "debit"}])),
        ("postings", json!([])),
        ("refs", json!({"prev": link, "\u{e000}": link, "\u{10000}": link})),
        ("scope", json!("a/b")),
        ("seat", json!("chair")),
        ("sig", json!("c2ln")),
        ("version", json!(7)),
    ];
    for (name, value) in optional {
        if dice.yes() {
            record[name] = value;
        }
    }
    record
}

/// An entry that is as it should be, or nearly.
fn entry(dice: &mut Dice) -> Value {
    let runs = usize::from(dice.yes());
    let mut records: Vec<Value> = (0..runs).map(|_| serde_json::to_value(receipt(dice).record()).unwrap()).collect();
    let others = dice.below(3);
    records.extend((0..others).map(|_| governed(dice)));
    let decided = (others > 0).then(|| Value::Array(vec![json!("AM_X#1"); records.len()]));
    around(dice, Value::Array(records), decided)
}

/// The entry around records.
fn around(dice: &mut Dice, records: Value, decided: Option<Value>) -> Value {
    let local = Local { node: "node \u{1}".into(), attempt: 1 };
    let mut entry = json!({"at": "2026-04-17T10:00:01.000000+00:00", "local": local, "origin": "example.org/ledger",
        "prev": dice.yes().then(|| module_digest(b"prev")), "protocol": module_digest(b"p"), "records": records, "seq": 3, "v": 1});
    if let Some(decided) = decided {
        entry["decided"] = decided;
    }
    entry
}

/// What stands, or should not stand, for a value.
const VALUES: [&str; 34] = [
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"x\"",
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1e3",
    "1E3",
    "0.5",
    "5e-1",
    "01",
    "+1",
    "1.",
    ".5",
    "1e400",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740992",
    "4294967296",
    "18446744073709551616",
    "1e16",
    "100000000000000000000000",
    "NaN",
    "\"\\u0041\"",
    "\"\\/\"",
    "\"\\u000a\"",
    "\"\\u001F\"",
    "\"\\ud83d\\ude00\"",
];

/// What is put between two bytes.
const BITS: [&[u8]; 22] = [
    b" ",
    b"\n",
    b"\t",
    b",",
    b":",
    b"\"",
    b"\\",
    b"[",
    b"]",
    b"{",
    b"}",
    b"0",
    b"-",
    b"\\u0000",
    b"\\n",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\x00",
    b"\x7f",
    b"\"w\":1,",
    b"\xef\xbb\xbf",
];

/// Changes a document as a tree: what comes out is canonical, but perhaps no entry.
fn prune(dice: &mut Dice, value: &mut Value) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(dice.below(members.len())).cloned().unwrap();
            match dice.below(6) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert(String::from(dice.one(&NAMES)), json!(1))),
                2 => drop(members.insert(name, serde_json::from_str(VALUES[dice.below(6)]).unwrap())),
                _ => prune(dice, members.get_mut(&name).unwrap()),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let nth = dice.below(items.len());
            match dice.below(6) {
                0 => drop(items.remove(nth)),
                1 => items.push(items[nth].clone()),
                _ => prune(dice, &mut items[nth]),
            }
        }
        Value::String(text) if dice.yes() => {
            let at = text.char_indices().map(|(at, _)| at).nth(dice.below(text.chars().count())).unwrap_or_default();
            text.insert_str(at, dice.one(&NAMES));
        }
        value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            *value = payload(dice, 2)
        }
    }
}

/// Every value of an object or list in the bytes, roughly: from behind a colon, comma or bracket to the next one.
fn token(dice: &mut Dice, bytes: &[u8]) -> (usize, usize) {
    let starts: Vec<usize> = (0..bytes.len()).filter(|at| matches!(bytes[*at], b':' | b',' | b'[')).collect();
    if starts.is_empty() {
        return (0, bytes.len());
    }
    let start = starts[dice.below(starts.len())] + 1;
    let length = bytes[start..].iter().position(|b| matches!(b, b',' | b'}' | b']')).unwrap_or(bytes.len() - start);
    (start, start + length)
}

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let at = dice.below(bytes.len() + 1);
    match dice.below(9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 if at < bytes.len() => drop(bytes.remove(at)),
        2 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
        3 => drop(bytes.splice(at..at, dice.one(&BITS).iter().copied())),
        4 | 5 => {
            let (start, end) = token(dice, bytes);
            bytes.splice(start..end, dice.one(&VALUES).bytes());
        }
        6 => {
            let (start, end) = token(dice, bytes);
            let again = bytes[start..end].to_vec();
            bytes.splice(end..end, [b','].into_iter().chain(again));
        }
        7 => {
            let (start, end) = token(dice, bytes);
            let deep = dice.one(&[2_usize, 63, 112, 115, 116, 117, 118, 119, 120, 124, 127, 128, 200]);
            bytes.splice(start..end, core::iter::repeat_n(b'[', deep).chain(core::iter::repeat_n(b']', deep)));
        }
        _ => {
            // Two neighbours change places.
            let (start, end) = token(dice, bytes);
            let next = bytes[end.min(bytes.len())..].iter().skip(1).position(|b| matches!(b, b',' | b'}' | b']')).unwrap_or_default();
            let (a, b) = (bytes[start..end].to_vec(), bytes.get(end + 1..end + 1 + next).unwrap_or_default().to_vec());
            if !b.is_empty() {
                bytes.splice(start..end + 1 + next, b.into_iter().chain([b',']).chain(a));
            }
        }
    }
}

/// A document, most often not one that sealing would have made.
fn document(dice: &mut Dice) -> Vec<u8> {
    let mut value = entry(dice);
    for _ in 0..[0, 0, 1, 1, 2][dice.below(5)] {
        prune(dice, &mut value);
    }
    let mut bytes = canonical::to_bytes(&value).unwrap_or_default();
    for _ in 0..[0, 1, 1, 2, 3][dice.below(5)] {
        mutate(dice, &mut bytes);
    }
    bytes
}

/// Compares the readings of one document; whether it was an entry, and whether one with a receipt.
fn compare(bytes: &[u8]) -> (bool, bool) {
    let shown = String::from_utf8_lossy(bytes);
    let (old, new) = (old_parse(bytes), Entry::parse(bytes).map_err(|refusal| refusal.code()));
    assert_eq!(new, old, "{shown}");
    // The quick readings alone, without the slow one behind them.
    assert_eq!(super::entry(bytes).as_ref(), old.as_ref().ok(), "{shown}");
    assert_eq!(canonical::read::<Value>(bytes), old_check(bytes).ok(), "{shown}");
    assert_eq!(canonical::check(bytes).map_err(|e| e.code()), old_check(bytes), "{shown}");
    let view = EntryView::read(bytes);
    assert_eq!(view.is_some(), old.is_ok(), "{shown}");
    let (Some(view), Ok(entry)) = (view, old) else { return (false, false) };
    let said = (view.at(), view.origin(), view.prev(), view.protocol(), view.seq(), view.is_run());
    let is_run = entry.records.iter().any(Record::is_run);
    assert_eq!(said, (entry.at.as_str(), entry.origin.as_str(), entry.prev, entry.protocol, entry.seq, is_run), "{shown}");
    let receipt = view.receipt();
    let old = entry.records.first().and_then(|record| RunReceipt::from_record(record).ok());
    assert_eq!(receipt.is_some(), old.is_some(), "{shown}");
    let (Some(new), Some(old)) = (receipt, old) else { return (true, false) };
    assert_eq!((new.run(), new.workflow(), new.binding()), (old.run.as_str(), old.workflow.as_str(), old.binding.as_str()));
    assert_eq!((new.input(), new.output(), new.trace(), new.transcript()), (old.input, old.output, old.trace, old.transcript));
    assert_eq!((new.class(), new.reason(), new.code()), (old.exit.class, old.exit.reason.as_str(), old.exit.code.as_deref()));
    assert!(new.snapshot() == old.snapshot && new.modules().eq(old.modules.values().copied()));
    (true, true)
}

proptest! {
    /// B-07: what is accepted, and as what it is refused, does not depend on which reader looks.
    #[test]
    fn b_07_the_quick_reading_answers_as_writing_again_does(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        // One of each answer is met for certain, or nothing might be compared.
        let run = json!([receipt(&mut dice).record()]);
        let honest = canonical::to_bytes(&around(&mut dice, run, None)).unwrap();
        prop_assert_eq!(compare(&honest), (true, true));
        prop_assert_eq!(compare(&[honest.as_slice(), b" "].concat()), (false, false));
        for _ in 0..TRIES {
            compare(&document(&mut dice));
        }
    }

    /// B-07: the same of any JSON.
    #[test]
    fn b_07_the_quick_check_answers_as_writing_again_does(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        for _ in 0..TRIES {
            let mut bytes = canonical::to_bytes(&payload(&mut dice, 4)).unwrap();
            (0..dice.below(3)).for_each(|_| mutate(&mut dice, &mut bytes));
            let quick = canonical::read::<Value>(&bytes);
            prop_assert_eq!(quick, old_check(&bytes).ok(), "{}", String::from_utf8_lossy(&bytes));
        }
    }
}

/// Every small document over an alphabet that has all the turns of the grammar.
#[test]
fn b_07_the_quick_check_answers_alike_on_every_small_document() {
    let alphabet = ["{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "\"", "\\", "0", "1", "-", ".", "e", "null", " "];
    let mut accepted = 0;
    for length in 0..=5_u32 {
        for nth in 0..alphabet.len().pow(length) {
            let (mut text, mut rest) = (String::new(), nth);
            for _ in 0..length {
                text.push_str(alphabet[rest % alphabet.len()]);
                rest /= alphabet.len();
            }
            let old = old_check(text.as_bytes()).ok();
            accepted += usize::from(old.is_some());
            assert_eq!(canonical::read::<Value>(text.as_bytes()), old, "{text}");
        }
    }
    assert!(accepted > 100);
}
