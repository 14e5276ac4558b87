//! What `CS_APPENDONLY_JSONL_V0` promises, against the host in memory.

use enact_guest_sdk::{Answer, Call, Context, Fault, MemoryHost};

use super::dispatch;

fn call(host: &mut MemoryHost, operation: &str, inputs: &str) -> Answer {
    let call = Call { capability: "CS_APPENDONLY_JSONL_V0", operation, inputs, store: "events", idempotency_key: "k" };
    dispatch(&mut Context::new(host, &call), &call)
}

fn says(answer: &Answer) -> (&str, &str) {
    (answer.status, &answer.outputs)
}

/// Three records: two of stream `s` one minute apart, and between them one of no stream.
fn filled() -> MemoryHost {
    let mut host = MemoryHost::new();
    for (now, inputs) in [
        ("2026-01-01T00:00:00.000000", r#"{"record":{"n":1},"stream_id":"s"}"#),
        ("2026-01-01T00:00:30.000000", r#"{"record":{"n":2}}"#),
        ("2026-01-01T00:01:00.000000", r#"{"actor_id":"a","record":{"n":3},"stream_id":"s"}"#),
    ] {
        host.set_now(now);
        assert_eq!(says(&call(&mut host, "APPEND", inputs)), ("SUCCESS", "{}"));
    }
    host
}

/// The sequence numbers in an answer.
fn numbers(answer: &Answer) -> Vec<u64> {
    let outputs: serde_json::Value = serde_json::from_str(&answer.outputs).expect("JSON");
    outputs["entries"].as_array().expect("a list").iter().filter_map(|entry| entry["sequence_number"].as_u64()).collect()
}

#[test]
fn the_stored_record_has_the_published_members_and_the_bytes_of_the_record() {
    let mut host = MemoryHost::new();
    call(&mut host, "APPEND", r#"{"actor_id":"A","record":{"b":[1.5,"\u0001"]},"stream_id":"S"}"#);
    call(&mut host, "APPEND", r#"{"record":{}}"#);
    assert_eq!(
        host.log("events"),
        [
            r#"{"timestamp":"2026-01-02T03:04:05.678901","actor_id":"A","stream_id":"S","record":{"b":[1.5,"\u0001"]}}"#,
            r#"{"timestamp":"2026-01-02T03:04:05.678901","actor_id":null,"stream_id":null,"record":{}}"#,
        ]
    );
}

#[test]
fn readers_get_number_and_id_from_the_position() {
    let all = call(&mut filled(), "GET_ALL", "{}");
    let outputs: serde_json::Value = serde_json::from_str(&all.outputs).expect("JSON");
    assert_eq!(outputs["entries"][2]["record_id"], "2026-01-01T00:01:00.000000_000002");
    assert_eq!(outputs["entries"][2]["record"]["n"], 3);
    assert_eq!(numbers(&all), [1, 2, 3]);
}

#[test]
fn a_reader_sees_its_stream_its_range_and_its_time() {
    let mut host = filled();
    for (operation, inputs, want) in [
        ("GET_ALL", r#"{"stream_id":"s"}"#, vec![1, 3]),
        ("GET_ALL", r#"{"stream_id":"none"}"#, vec![]),
        ("GET_RANGE", r#"{"end_sequence":2,"start_sequence":2}"#, vec![2]),
        ("GET_RANGE", r#"{"end_sequence":99,"start_sequence":2,"stream_id":"s"}"#, vec![3]),
        ("GET_SINCE", r#"{"timestamp":"2026-01-01T00:00:30.000000"}"#, vec![3]),
        ("GET_SINCE", r#"{"timestamp":"2025"}"#, vec![1, 2, 3]),
    ] {
        assert_eq!(numbers(&call(&mut host, operation, inputs)), want, "{operation} {inputs}");
    }
}

#[test]
fn a_long_log_is_read_across_pages() {
    let mut host = MemoryHost::new();
    for _ in 0..600 {
        call(&mut host, "APPEND", r#"{"record":{}}"#);
    }
    assert_eq!(numbers(&call(&mut host, "GET_ALL", "{}")), (1..=600).collect::<Vec<_>>());
    assert_eq!(numbers(&call(&mut host, "GET_RANGE", r#"{"end_sequence":520,"start_sequence":250}"#)), (250..=520).collect::<Vec<_>>());
}

#[test]
fn records_that_are_no_objects_and_ranges_that_are_none_are_violations() {
    let mut host = MemoryHost::new();
    for inputs in ["{}", r#"{"record":null}"#, r#"{"record":[]}"#, r#"{"record":"x"}"#, r#"{"record":{},"stream_id":5}"#] {
        assert_eq!(says(&call(&mut host, "APPEND", inputs)), ("VIOLATION", "{}"), "{inputs}");
    }
    assert!(host.log("events").is_empty());
    for inputs in [r#"{"end_sequence":1,"start_sequence":0}"#, r#"{"end_sequence":1,"start_sequence":2}"#, r#"{"start_sequence":1}"#] {
        assert_eq!(call(&mut host, "GET_RANGE", inputs).status, "VIOLATION", "{inputs}");
    }
    assert_eq!(call(&mut host, "GET_SINCE", r#"{"timestamp":""}"#).status, "VIOLATION");
}

#[test]
fn a_damaged_record_is_a_backend_error() {
    let mut host = filled();
    let damage = Call { capability: "", operation: "", inputs: "", store: "events", idempotency_key: "" };
    assert_eq!(Context::new(&mut host, &damage).log().append("{not json"), Ok(()));
    assert_eq!(says(&call(&mut host, "GET_ALL", "{}")), ("BACKEND_ERROR", "{}"));
    assert_eq!(numbers(&call(&mut host, "GET_RANGE", r#"{"end_sequence":3,"start_sequence":1}"#)), [1, 2, 3]);
}

#[test]
fn an_unavailable_host_and_an_unknown_operation_are_backend_errors() {
    let mut host = MemoryHost::new();
    assert_eq!(says(&call(&mut host, "FROB", r#"{"record":{}}"#)), ("BACKEND_ERROR", "{}"));
    host.fail_with(Some(Fault::Unavailable("disk".into())));
    assert_eq!(says(&call(&mut host, "APPEND", r#"{"record":{}}"#)), ("BACKEND_ERROR", "{}"));
}
