//! What `CS_MUTABLE_JSON_V0` promises, against the host in memory.

use enact_guest_sdk::{Answer, Call, Context, Expect, Fault, MemoryHost};

use super::dispatch;

fn call(host: &mut MemoryHost, operation: &str, inputs: &str) -> Answer {
    let call = Call { capability: "CS_MUTABLE_JSON_V0", operation, inputs, store: "docs", idempotency_key: "k" };
    dispatch(&mut Context::new(host, &call), &call)
}

fn says(answer: &Answer) -> (&str, &str) {
    (answer.status, &answer.outputs)
}

#[test]
fn both_names_of_an_operation_do_the_same() {
    let mut host = MemoryHost::new();
    for (put, get) in [("PUT", "READ"), ("WRITE", "GET")] {
        let value = format!(r#"{{"by":"{put}"}}"#);
        assert_eq!(says(&call(&mut host, put, &format!(r#"{{"key":"k","value":{value}}}"#))), ("SUCCESS", "{}"));
        assert_eq!(says(&call(&mut host, get, r#"{"key":"k"}"#)), ("SUCCESS", format!(r#"{{"value":{value}}}"#).as_str()));
    }
    assert_eq!(host.table("docs")["k"].version, 2);
}

#[test]
fn a_missing_document_is_not_found_and_a_null_is_a_document() {
    let mut host = MemoryHost::new();
    assert_eq!(says(&call(&mut host, "GET", r#"{"key":"k"}"#)), ("NOT_FOUND", "{}"));
    assert_eq!(says(&call(&mut host, "EXISTS", r#"{"key":"k"}"#)), ("SUCCESS", r#"{"exists":false}"#));
    assert_eq!(call(&mut host, "PUT", r#"{"key":"k","value":null}"#).status, "SUCCESS");
    assert_eq!(says(&call(&mut host, "GET", r#"{"key":"k"}"#)), ("SUCCESS", r#"{"value":null}"#));
    assert_eq!(says(&call(&mut host, "EXISTS", r#"{"key":"k"}"#)), ("SUCCESS", r#"{"exists":true}"#));
}

#[test]
fn a_document_is_deleted_once() {
    let mut host = MemoryHost::new();
    call(&mut host, "PUT", r#"{"key":"k","value":1}"#);
    assert_eq!(call(&mut host, "DELETE", r#"{"key":"k"}"#).status, "SUCCESS");
    assert_eq!(call(&mut host, "DELETE", r#"{"key":"k"}"#).status, "NOT_FOUND");
    assert!(host.table("docs").is_empty());
}

#[test]
fn every_key_is_listed_across_pages() {
    let mut host = MemoryHost::new();
    let keys: Vec<String> = (0..600).map(|n| format!(r#""k{n:04}""#)).collect();
    for key in &keys {
        call(&mut host, "PUT", &format!(r#"{{"key":{key},"value":0}}"#));
    }
    assert_eq!(says(&call(&mut host, "LIST", "{}")), ("SUCCESS", format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_str()));
}

#[test]
fn bad_keys_and_missing_values_are_violations_and_nothing_is_written() {
    let mut host = MemoryHost::new();
    let long = "k".repeat(257);
    for inputs in [r#"{"key":"","value":1}"#, r#"{"key":5,"value":1}"#, r#"{"key":"k"}"#, &format!(r#"{{"key":"{long}","value":1}}"#)] {
        assert_eq!(call(&mut host, "PUT", inputs).status, "VIOLATION", "{inputs}");
    }
    assert!(host.table("docs").is_empty());
}

#[test]
fn damage_is_a_backend_error_for_reader_and_writer_and_is_not_written_over() {
    let mut host = MemoryHost::new();
    let damage = Call { capability: "", operation: "", inputs: "", store: "docs", idempotency_key: "" };
    assert_eq!(Context::new(&mut host, &damage).table().put("k", "{not json", Expect::Any), Ok(Some(1)));
    assert_eq!(says(&call(&mut host, "GET", r#"{"key":"k"}"#)), ("BACKEND_ERROR", "{}"));
    assert_eq!(says(&call(&mut host, "WRITE", r#"{"key":"k","value":1}"#)), ("BACKEND_ERROR", "{}"));
    assert_eq!(host.table("docs")["k"].value, "{not json");
}

#[test]
fn an_unavailable_host_and_an_unknown_operation_are_backend_errors() {
    let mut host = MemoryHost::new();
    assert_eq!(says(&call(&mut host, "FROB", "{}")), ("BACKEND_ERROR", "{}"));
    host.fail_with(Some(Fault::Unavailable("disk".into())));
    assert_eq!(says(&call(&mut host, "GET", r#"{"key":"k"}"#)), ("BACKEND_ERROR", "{}"));
}
