//! The journal line, the validation's answer, and the export: exact bytes.

use super::*;
use enact_queue::export::{self, Lines};
use proptest::prelude::*;

const KEPT: [&str; 8] = ["intent_id", "project_id", "unit_id", "from_member", "to_member", "charter_no", "value_class", "quantity"];

fn full() -> Case {
    let mut case = Case::new(Mode::Internal);
    let kept = KEPT.iter().rev().map(|name| ((*name).to_owned(), serde_json::Value::from(format!("{name}-1"))));
    case.lines[0].kept = kept.collect();
    case
}

#[test]
fn w_08_an_item_with_all_its_members_reads_as_it_is_written() {
    let case = full().leased("worker-1");
    let line = case.last().to_line();
    let expected = r#"{"queue_id":"EXQ-20260417-0001","contract":"QC_SAMPLE_V0","status":"EXECUTING","event":"leased","charter_no":"charter_no-1","from_member":"from_member-1","intent_id":"intent_id-1","project_id":"project_id-1","quantity":"quantity-1","to_member":"to_member-1","unit_id":"unit_id-1","value_class":"value_class-1","validated":true,"validation":{"intent_ok":true,"authority_ok":true,"project_ok":true,"economic_ok":true},"ready_for_execution":true,"attempt_count":1,"automatic_retries":0,"fence":1,"lease":{"owner":"worker-1","deadline_utc":"2026-04-17T10:00:31.000000+00:00","fence":1},"queued_entry":3,"queued_position":0,"entry":3,"created_utc":"2026-04-17T10:00:00.000000+00:00","updated_utc":"2026-04-17T10:00:02.000000+00:00"}"#;
    assert_eq!(line, expected);
    assert_eq!(Item::from_line(&line, |name| KEPT.contains(&name)).as_ref(), Ok(case.last()));
    let members: serde_json::Value = serde_json::from_str(&line).unwrap();
    let own = ["queue_id", "status", "validated", "ready_for_execution", "created_utc", "updated_utc"];
    assert!(own.iter().chain(&KEPT).all(|name| members.get(name).is_some()));
    for line in full().failed(Class::Business).lines.iter().chain(&full().executed().lines) {
        assert_eq!(Item::from_line(&line.to_line(), |name| KEPT.contains(&name)).as_ref(), Ok(line));
    }
}

#[test]
fn w_08_a_line_that_is_not_exactly_one_item_is_refused() {
    let line = full().leased("worker-1").last().to_line();
    for (from, to) in [
        (r#""fence":1,"lease""#, r#""fence":2,"lease""#),
        (r#""attempt_count":1"#, r#""attempt_count":"1""#),
        (r#""attempt_count":1"#, r#""attempt_count":1.0"#),
        (r#""attempt_count":1"#, r#""attempt_count":9007199254740992"#),
        (r#""attempt_count":1"#, r#""attempt_count":-1"#),
        (r#""attempt_count":1,"#, ""),
        (r#""attempt_count":1"#, r#""attempt_count":1,"attempt_count":1"#),
        (r#""attempt_count":1"#, r#""attempt_count": 1"#),
        (r#""validated":true"#, r#""validated":1"#),
        (r#""intent_ok":true"#, r#""intent_ok":null"#),
        (r#""intent_ok":true"#, r#""intent_ok":true,"intent_ok":true"#),
        (r#""event":"leased""#, r#""event":"taken""#),
        (r#""status":"EXECUTING""#, r#""status":"RUNNING""#),
        (r#""owner":"worker-1""#, r#""owner":"""#),
        (r#""owner":"worker-1""#, r#""owner":"worker-1","pid":1"#),
        (r#"10:00:31.000000+00:00"#, "10:00:31Z"),
        (r#""intent_id""#, r#""intent""#),
        (r#""queue_id":"EXQ-20260417-0001","contract":"QC_SAMPLE_V0""#, r#""contract":"QC_SAMPLE_V0","queue_id":"EXQ-20260417-0001""#),
        (r#""intent_id":"#, r#""failure_class":"sad","intent_id":"#),
        (r#""updated_utc""#, r#""archived":true,"updated_utc""#),
        (r#"QC_SAMPLE_V0"#, r#"QC\u005fSAMPLE_V0"#),
        ("{\"queue_id\"", " {\"queue_id\""),
    ] {
        let wrong = line.replacen(from, to, 1);
        assert_ne!(wrong, line, "{from}");
        assert_eq!(code(Item::from_line(&wrong, |name| KEPT.contains(&name))), "queue_line", "{to}");
    }
    for wrong in ["", "{}", "[]", "null", &line[1..], &format!("{line}\n"), &format!("{line}{line}")] {
        assert_eq!(code(Item::from_line(wrong, |_| true)), "queue_line", "{wrong}");
    }
    let path = line.replacen("EXQ-20260417-0001", "../../etc", 1);
    assert_eq!(code(Item::from_line(&path, |_| true)), "queue_name");
}

#[test]
fn w_08_what_is_kept_cannot_pass_for_the_journals_own() {
    for name in ["status", "lease", "fence", "validated", "archived", "updated_utc"] {
        let mut case = full();
        let kept = Map::from_iter([(name.to_owned(), "x".into())]);
        let fact = Fact { entry: 9, run: None, kept };
        assert_eq!(code(case.apply(&Change::Void { fact, reason: None })), "queue_name", "{name}");
    }
}

#[test]
fn w_22_the_answer_that_passed_is_exactly_this() {
    let text = r#"{"validated":true,"validation":{"intent_ok":true,"authority_ok":true,"project_ok":true,"economic_ok":true},"ready_for_execution":true}"#;
    assert_eq!(passed().to_json(), text);
    assert_eq!(Answer::parse(text), Ok(passed()));
}

#[test]
fn w_23_the_answer_that_failed_is_exactly_this() {
    let text = r#"{"validated":false,"validation":{"intent_ok":true,"authority_ok":false,"project_ok":true,"economic_ok":true},"ready_for_execution":false,"failure_reason":"missing_charter_binding"}"#;
    assert_eq!(rejected().to_json(), text);
    assert_eq!(Answer::parse(text), Ok(rejected()));
    let two = Answer::of([("a", None), ("b", Some("first")), ("c", Some("second"))]).unwrap();
    assert_eq!(two.failure_reason(), Some("first"));
    let none = Answer::of([]).unwrap();
    assert!(!none.passed() && none.failure_reason().is_some(), "what is not checked does not pass");
    for (from, to) in [
        ("\"validated\":false", "\"validated\":true"),
        ("\"ready_for_execution\":false", "\"ready_for_execution\":true"),
        (",\"failure_reason\":\"missing_charter_binding\"", ""),
        ("\"authority_ok\":false", "\"authority_ok\":true"),
        ("\"validated\"", "\"extra\":1,\"validated\""),
    ] {
        assert_eq!(code(Answer::parse(&text.replacen(from, to, 1))), "queue_line", "{to}");
    }
    assert_eq!(code(Answer::of([("a", None), ("a", None)])), "queue_name");
    assert_eq!(code(Answer::of([("a", Some("not a word"))])), "queue_name");
}

#[test]
fn w_05_w_06_w_07_the_export_has_the_documented_files() {
    let mut failed = full().failed(Class::Business);
    failed.apply(&Change::FailFinal(failed.fact())).unwrap();
    let held = full().leased("worker-1");
    let mut other = held.lines.clone();
    other.iter_mut().for_each(|line| {
        line.id = QueueId::parse("EXQ-20260417-0002").unwrap();
        line.queued.position = 1;
    });
    let items = [
        Lines { lines: &failed.lines, known: failed.known(), archived: true },
        Lines { lines: &other, known: held.known(), archived: false },
    ];
    let documents = export::documents(&items);
    let names: Vec<&str> = documents.keys().map(String::as_str).collect();
    let item = "by_item/EXQ-20260417-0002.json";
    let lock = "locks/EXQ-20260417-0002.lock";
    assert_eq!(names, ["archive/queue.ndjson", item, lock, "logs/execution_failures.ndjson", "queue.ndjson"]);
    let text = |name: &str| String::from_utf8(documents[name].clone()).unwrap();
    let lines = |lines: &[Item]| lines.iter().map(|line| line.to_line() + "\n").collect::<String>();
    assert_eq!(text("queue.ndjson"), lines(&other));
    assert_eq!(text("archive/queue.ndjson"), lines(&failed.lines));
    assert_eq!(text("logs/execution_failures.ndjson"), lines(&failed.lines[3..]));
    assert_eq!(text(item), lines(&other[2..]));
    assert_eq!(text(lock), "{\"owner\":\"worker-1\",\"deadline_utc\":\"2026-04-17T10:00:31.000000+00:00\",\"fence\":1}\n");
    // Later the lease has expired: no lock any more, and the projection says so.
    let later = Known { now: held.now + 3_600 * SECOND_US, ..held.known() };
    let documents = export::documents(&[Lines { lines: &other, known: later, archived: false }]);
    assert!(!documents.contains_key(lock));
    assert!(String::from_utf8(documents[item].clone()).unwrap().contains("\"status\":\"READY\""));
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("JSON has no other", |n| n.is_finite()).prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn w_08_whatever_an_item_keeps_reads_as_it_is_written(kept in prop::collection::btree_map("k_.*", value(), 0..5), updated in 0..u64::MAX) {
        let mut item = full().failed(Class::Transient).last().clone();
        item.kept = kept.into_iter().collect();
        item.updated_us = updated.min(enact_queue::time::LAST_US);
        let line = item.to_line();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(Item::from_line(&line, |name| name.starts_with("k_")), Ok(item));
    }

    #[test]
    fn w_05_no_bytes_make_the_reader_panic(text in ".*", at in any::<prop::sample::Index>(), other in any::<char>()) {
        Item::from_line(&text, |_| true).ok();
        // Of one byte and of several: times are cut out by their bytes.
        let mut line = full().leased("w").last().to_line();
        let at = at.index(line.len());
        line.replace_range(at..=at, other.encode_utf8(&mut [0; 4]));
        // What is read is written again just so, whatever was changed.
        if let Ok(item) = Item::from_line(&line, |_| true) {
            prop_assert_eq!(item.to_line(), line);
        }
    }
}
