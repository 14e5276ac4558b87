//! What `CS_REGISTRY_V0` promises, against the host in memory.

use enact_guest_sdk::{Answer, Call, Context, Fault, MemoryHost};

use super::dispatch;

const FIRST: &str = "ADDR_00000000000000000000000000000001";

fn call(host: &mut MemoryHost, operation: &str, inputs: &str) -> Answer {
    let call = Call { capability: "CS_REGISTRY_V0", operation, inputs, store: "keys", idempotency_key: "k" };
    dispatch(&mut Context::new(host, &call), &call)
}

fn says(answer: &Answer) -> (&str, &str) {
    (answer.status, &answer.outputs)
}

fn registered() -> MemoryHost {
    let mut host = MemoryHost::new();
    let answer = call(&mut host, "REGISTER", r#"{"key":"K","stream_id":"unused","target_cs":"CS_X_V0","target_ref":"R"}"#);
    assert_eq!(says(&answer), ("SUCCESS", format!(r#"{{"address":"{FIRST}"}}"#).as_str()));
    host
}

#[test]
fn the_stored_value_has_the_published_members_and_no_others() {
    let host = registered();
    let stored = format!(r#"{{"key":"K","address":"{FIRST}","target_cs":"CS_X_V0","target_ref":"R"}}"#);
    assert_eq!(host.registry("keys")["K"], stored);
    assert_eq!(host.registry("keys")[&format!("#{FIRST}")], "K");
}

#[test]
fn targets_that_were_not_given_are_neither_stored_nor_answered() {
    let mut host = MemoryHost::new();
    call(&mut host, "REGISTER", r#"{"key":"K","target_ref":"R"}"#);
    assert_eq!(host.registry("keys")["K"], format!(r#"{{"key":"K","address":"{FIRST}","target_ref":"R"}}"#));
    assert_eq!(says(&call(&mut host, "RESOLVE", r#"{"key_or_address":"K"}"#)), ("SUCCESS", r#"{"target_ref":"R"}"#));
}

#[test]
fn a_key_is_taken_once_and_the_refused_caller_changes_nothing() {
    let mut host = registered();
    let before = host.registry("keys");
    assert_eq!(says(&call(&mut host, "REGISTER", r#"{"key":"K","target_ref":"other"}"#)), ("ALREADY_EXISTS", "{}"));
    assert_eq!(host.registry("keys"), before);
}

#[test]
fn key_and_address_resolve_to_the_same_target() {
    let mut host = registered();
    for reference in ["K", FIRST] {
        let inputs = format!(r#"{{"key_or_address":"{reference}"}}"#);
        assert_eq!(says(&call(&mut host, "RESOLVE", &inputs)), ("SUCCESS", r#"{"target_cs":"CS_X_V0","target_ref":"R"}"#));
        assert_eq!(says(&call(&mut host, "EXISTS", &inputs)), ("SUCCESS", r#"{"exists":true}"#));
    }
}

#[test]
fn what_was_never_registered_is_not_found() {
    let mut host = registered();
    for reference in ["X", "ADDR_00000000000000000000000000000009"] {
        let inputs = format!(r#"{{"key_or_address":"{reference}"}}"#);
        assert_eq!(says(&call(&mut host, "RESOLVE", &inputs)), ("NOT_FOUND", "{}"));
        assert_eq!(says(&call(&mut host, "DEREGISTER", &inputs)), ("NOT_FOUND", "{}"));
        assert_eq!(says(&call(&mut host, "EXISTS", &inputs)), ("SUCCESS", r#"{"exists":false}"#));
    }
}

#[test]
fn a_deregistered_key_is_gone_by_both_names_and_can_be_taken_again() {
    for reference in ["K", FIRST] {
        let mut host = registered();
        assert_eq!(says(&call(&mut host, "DEREGISTER", &format!(r#"{{"key_or_address":"{reference}"}}"#))), ("SUCCESS", "{}"));
        assert!(host.registry("keys").is_empty());
        assert_eq!(call(&mut host, "REGISTER", r#"{"key":"K"}"#).status, "SUCCESS");
    }
}

#[test]
fn keys_that_are_empty_too_long_of_another_type_or_of_the_index_are_violations() {
    let mut host = MemoryHost::new();
    let long = "k".repeat(257);
    for key in [r#""""#, "5", "null", r##""#x""##, &format!(r#""{long}""#)] {
        assert_eq!(says(&call(&mut host, "REGISTER", &format!(r#"{{"key":{key}}}"#))), ("VIOLATION", "{}"), "{key}");
        assert_eq!(call(&mut host, "RESOLVE", &format!(r#"{{"key_or_address":{key}}}"#)).status, "VIOLATION", "{key}");
    }
    assert_eq!(call(&mut host, "REGISTER", "{}").status, "VIOLATION");
    assert!(host.registry("keys").is_empty());
}

#[test]
fn a_damaged_entry_is_a_backend_error_for_every_operation() {
    let mut host = MemoryHost::new();
    let damage = Call { capability: "", operation: "", inputs: "", store: "keys", idempotency_key: "" };
    assert_eq!(Context::new(&mut host, &damage).registry().register("K", "{not json"), Ok(None));
    assert_eq!(says(&call(&mut host, "REGISTER", r#"{"key":"K"}"#)), ("BACKEND_ERROR", "{}"));
    for operation in ["RESOLVE", "EXISTS", "DEREGISTER"] {
        assert_eq!(says(&call(&mut host, operation, r#"{"key_or_address":"K"}"#)), ("BACKEND_ERROR", "{}"));
    }
    assert_eq!(host.registry("keys")["K"], "{not json");
}

#[test]
fn an_unavailable_host_and_an_unknown_operation_are_backend_errors() {
    let mut host = MemoryHost::new();
    assert_eq!(says(&call(&mut host, "FROB", "{}")), ("BACKEND_ERROR", "{}"));
    host.fail_with(Some(Fault::Unavailable("disk".into())));
    assert_eq!(says(&call(&mut host, "REGISTER", r#"{"key":"K"}"#)), ("BACKEND_ERROR", "{}"));
    host.fail_with(Some(Fault::Invalid("key".into())));
    assert_eq!(says(&call(&mut host, "REGISTER", r#"{"key":"K"}"#)), ("VIOLATION", "{}"));
}
