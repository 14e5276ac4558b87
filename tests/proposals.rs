//! Proposals of every bad kind, through the command: each has its own code and a hint, and nothing is appended.
use std::sync::Arc;

use enact_core::entry::{Kind, Record};
use enact_core::govern::sign;
use enact_engine::govern::Proposed;
use enact_engine::sources::Sources;
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineOptions};
use serde_json::{Value, json};

use crate::governance::{told, whole};
use crate::support::Scratch;

/// Proposes a text as an actor; answers the exit code and the document.
pub(crate) fn propose(scratch: &Scratch, by: &str, text: &[u8]) -> (i32, Value) {
    let path = scratch.path().join("proposal.json");
    std::fs::write(&path, text).unwrap();
    let ran = scratch.enact(&["propose", path.to_str().unwrap(), "--as", by, "--json"]);
    (ran.code, ran.json())
}

/// Size and root of the ledger.
fn head(scratch: &Scratch) -> (Value, Value) {
    let report = scratch.enact(&["verify", "--json"]).exits(0).json();
    (report["entries"].clone(), report["root"].clone())
}

/// Asserts that each text is refused twice with the same exit code, code and hint, and that the ledger stays as it is.
#[track_caller]
fn all_refused(scratch: &Scratch, by: &str, cases: &[(&str, i32, &str, String)]) {
    let before = head(scratch);
    for (what, exit, code, text) in cases {
        let (ran, answer) = propose(scratch, by, text.as_bytes());
        let error = &answer["error"];
        assert_eq!((ran, error["code"].as_str().unwrap()), (*exit, *code), "{what}: {answer:#}");
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{what} without a hint: {answer:#}");
        let again = propose(scratch, by, text.as_bytes()).1;
        assert_eq!(again["error"]["code"], error["code"], "{what} the second time");
        assert_eq!(head(scratch), before, "{what} left something behind");
    }
    let mut codes: Vec<&str> = cases.iter().map(|(_, _, code, _)| *code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), cases.len(), "two kinds of bad input share a code");
}

/// A settlement that would be allowed, with some members replaced.
fn creation(change: impl Fn(&mut Value)) -> String {
    let mut record = json!({
        "type": "SETTLEMENT_EVENT", "action": "SETTLEMENT.CREATE", "subject": "Settlement:S-9",
        "payload": {"payer": "lena", "payee": "omar", "asset": "EUR", "amount": "1"},
    });
    change(&mut record);
    record.to_string()
}

#[test]
fn b_09_b_33_each_kind_of_bad_record_has_its_own_code_and_leaves_nothing() {
    let (scratch, _) = told("settlement");
    let with = |member: &'static str, value: Value| creation(|record| record[member] = value.clone());
    let paid = |member: &'static str, value: Value| creation(|record| record["payload"][member] = value.clone());
    let whole_text = creation(|_| {});
    let many: Vec<Value> = (0..100)
        .map(|nth| {
            let mut record: Value = serde_json::from_str(&whole_text).unwrap();
            record["subject"] = format!("Settlement:B-{nth}").into();
            record["payload"]["memo"] = "x".repeat(1_000).into();
            record
        })
        .collect();
    let leg = |amount: Value| json!([{"account": "holder:lena", "amount": amount, "asset": "EUR", "side": "debit"}]);
    all_refused(
        &scratch,
        "Actor:lena",
        &[
            ("truncated JSON", 1, "json_invalid", whole_text[..whole_text.len() - 9].to_owned()),
            ("an empty batch", 1, "entry_no_records", "[]".to_owned()),
            ("an unknown member", 1, "proposal_invalid", with("at", "2020-01-01T00:00:00Z".into())),
            ("an unknown kind", 1, "record_kind", with("kind", "MOTION".into())),
            ("an unknown type", 3, "record_type", with("type", "NO_SUCH".into())),
            ("an unknown action", 3, "record_action", with("action", "SETTLEMENT.STEAL".into())),
            ("an unknown type of subject", 3, "record_subject", with("subject", "Nothing:S-9".into())),
            ("a subject without a type", 3, "record_field", with("subject", "S-9".into())),
            ("2^53 + 1", 1, "canonical_number_range", whole_text.replace("\"1\"", "9007199254740993")),
            (
                "a member twice",
                1,
                "canonical_duplicate_key",
                whole_text.replace("\"payee\":\"omar\"", "\"payee\":\"omar\",\"payee\":\"tess\""),
            ),
            ("an amount as a number", 3, "payload_type", paid("amount", 1.into())),
            ("an undeclared member of the payload", 3, "payload_unknown", paid("fee", "1".into())),
            ("a leg's amount as a number", 1, "posting_amount", with("postings", leg(1.into()))),
            ("legs where none belong", 3, "record_postings", with("postings", leg("1".into()))),
            ("more than an entry holds", 3, "entry_too_large", Value::Array(many).to_string()),
            ("more than a file may hold", 1, "file_too_large", format!("{whole_text}{}", " ".repeat(1 << 20))),
            ("a foreign signature", 3, "signature_invalid", with("sig", "AAAA".into())),
        ],
    );
    // Neither is a kind that exists and is another one, an amount beyond 128 bits, or one in a second spelling, taken for something else.
    for (text, code) in [
        (with("kind", "POSTING".into()), "record_kind"),
        (paid("amount", "340282366920938463463374607431768211456".into()), "payload_type"),
        (paid("amount", "01".into()), "payload_type"),
        (paid("memo", "x".repeat(70_000).into()), "payload_type"),
    ] {
        let (exit, answer) = propose(&scratch, "Actor:lena", text.as_bytes());
        assert_eq!((exit, &answer["error"]["code"]), (3, &code.into()), "{answer:#}");
    }
    assert_eq!(propose(&scratch, "Actor:lena", b"\xff\xfe").1["error"]["code"], "json_invalid");
    whole(&scratch);
}

#[test]
fn b_09_b_33_free_legs_must_balance_and_stay_within_128_bits() {
    let (scratch, _) = told("assets");
    let legs = |legs: &[(&str, &str, &str)]| {
        let legs: Vec<Value> = legs
            .iter()
            .map(|(side, account, amount)| json!({"account": account, "amount": amount, "asset": "PLANK", "side": side}))
            .collect();
        json!({"type": "TRANSFER", "action": "TRANSFER.TRANSFORM", "subject": "Transfer:X-1", "payload": {"by": "mill"}, "postings": legs})
            .to_string()
    };
    let most = u128::MAX.to_string();
    let beyond = "340282366920938463463374607431768211456";
    let (debit, credit) = ("debit", "credit");
    all_refused(
        &scratch,
        "Actor:mill",
        &[
            ("unbalanced", 3, "posting_unbalanced", legs(&[(debit, "holder:mill", "2"), (credit, "spent", "1")])),
            ("an amount of 2^128", 3, "posting_amount", legs(&[(debit, "holder:mill", beyond), (credit, "spent", beyond)])),
            (
                "a sum beyond 2^128",
                3,
                "posting_overflow",
                legs(&[(debit, "mint", &most), (debit, "mint", &most), (credit, "spent", &most), (credit, "spent", &most)]),
            ),
            ("more than there is", 3, "posting_floor", legs(&[(debit, "holder:mill", &most), (credit, "spent", &most)])),
            ("no such account", 3, "posting_account", legs(&[(debit, "nobody", "1"), (credit, "spent", "1")])),
            ("out of a sink", 3, "posting_class", legs(&[(debit, "spent", "1"), (credit, "holder:mill", "1")])),
        ],
    );
    whole(&scratch);
}

/// A clock that stands still.
struct Still(i64);

impl Sources for Still {
    fn now_micros(&self) -> i64 {
        self.0
    }

    fn fill(&self, bytes: &mut [u8]) -> bool {
        bytes.fill(7);
        true
    }
}

#[test]
fn b_11_a_clock_behind_the_ledger_does_not_take_it_back_in_time() {
    let (scratch, _) = told("settlement");
    // The year 2100, as a machine whose clock was wrong would have said.
    let ahead = 4_102_444_800_000_000;
    let engine =
        Engine::open_with(Workspace::open(&scratch.workspace()).unwrap(), &EngineOptions::default(), Arc::new(Still(ahead))).unwrap();
    let proposed = Proposed::read(creation(|record| record["subject"] = "Settlement:S-2100".into()).as_bytes(), "it").unwrap();
    let far = engine.propose("Actor:lena", &proposed).unwrap();
    assert!(far.at.starts_with("2100-01-01T00:00:00"), "{}", far.at);
    drop(engine);
    // The machine's own clock is behind the last entry now: time stands still, it does not run backwards.
    let (exit, appended) = propose(&scratch, "Actor:lena", creation(|_| {}).as_bytes());
    assert_eq!((exit, appended["at"].as_str().unwrap()), (0, far.at.as_str()), "{appended:#}");
    whole(&scratch);
}

#[test]
fn b_07_a_record_signed_elsewhere_may_be_spelled_freely_and_is_stored_in_one_spelling() {
    let (scratch, _) = told("settlement");
    let seed: [u8; 32] = {
        let text = std::fs::read_to_string(scratch.workspace().join("keys/actors/lena.key")).unwrap();
        let hex = text.split_whitespace().find(|word| word.len() == 64).unwrap_or_else(|| panic!("no seed in the key file"));
        std::array::from_fn(|nth| u8::from_str_radix(&hex[2 * nth..2 * nth + 2], 16).unwrap())
    };
    let origin = scratch.enact(&["verify", "--json"]).exits(0).json()["origin"].as_str().unwrap().to_owned();
    let payload = json!({"payer": "lena", "payee": "omar", "asset": "EUR", "amount": "1"});
    let record: Record = serde_json::from_value(json!({
        "kind": "TRANSITION", "type": "SETTLEMENT_EVENT", "action": "SETTLEMENT.CREATE", "subject": "Settlement:S-9",
        "actor": "Actor:lena", "refs": {}, "consumes": [], "payload": payload,
    }))
    .unwrap();
    assert_eq!(record.kind, Kind::Transition);
    let signed = sign(record, &origin, &ed25519_dalek::SigningKey::from_bytes(&seed)).unwrap();
    let sig = signed.sig.clone().unwrap();
    // Members out of order, spaces, an escape that needs none: the signature is over the one canonical spelling.
    let text = format!(
        "{{ \"type\" : \"SETTLEMENT_EVENT\",\n\t\"subject\":\"Settlement:S-9\", \"sig\":\"{sig}\", \"payload\": {{\"payer\":\"len\\u0061\", \
         \"payee\":\"omar\", \"amount\":\"1\", \"asset\":\"EUR\"}}, \"kind\":\"TRANSITION\", \"action\":\"SETTLEMENT.CREATE\" }}"
    );
    let (exit, appended) = propose(&scratch, "Actor:lena", text.as_bytes());
    assert_eq!((exit, &appended["records"][0]["hash"]), (0, &signed.hash().unwrap().to_string().into()), "{appended:#}");
    let seq = appended["entry"]["seq"].as_i64().unwrap();
    let stored: Vec<u8> = scratch.sql().query_row("SELECT bytes FROM entries WHERE seq = ?1", [seq], |row| row.get(0)).unwrap();
    let entry = enact_core::entry::Entry::parse(&stored).unwrap();
    assert_eq!(entry.records, [signed]);
    // Once is once: its subject has a last record now, which the signed one does not name.
    assert_eq!(propose(&scratch, "Actor:lena", text.as_bytes()).1["error"]["code"], "chain_prev");
    // Stored bytes are another matter: there, every byte counts.
    let spaced = String::from_utf8(stored).unwrap().replacen(',', ", ", 1);
    assert_eq!(enact_core::entry::Entry::parse(spaced.as_bytes()).unwrap_err().code(), "canonical_form");
    whole(&scratch);
}
