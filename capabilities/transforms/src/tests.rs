//! What the transforms answer, through the dispatcher as the host calls it.

use super::dispatch;

fn says(code: &str, inputs: &str) -> (&'static str, String) {
    let answer = dispatch(code, inputs);
    (answer.status, answer.outputs)
}

fn gives(code: &str, inputs: &str, outputs: &str) {
    assert_eq!(says(code, inputs), ("SUCCESS", outputs.to_owned()), "{code} {inputs}");
}

fn refuses(code: &str, inputs: &str) {
    assert_eq!(says(code, inputs), ("VIOLATION", "{}".to_owned()), "{code} {inputs}");
}

#[test]
fn an_identifier_is_sha_256_over_the_object_or_over_the_wrapped_value() {
    let code = "CT_PURE_GENERATE_ID_V0";
    gives(code, r#"{"data":{"version":"v1","workflow":"build"},"prefix":"WF"}"#, r#"{"id":"WF_75382b9a6ab93c66"}"#);
    gives(code, r#"{"data":12345,"prefix":"TX"}"#, r#"{"id":"TX_d3ff95909dfb2231"}"#);
    gives(code, r#"{"data":["Jane",{"l":"lit"}],"prefix":""}"#, r#"{"id":"_9c01c641497f9bf6"}"#);
    refuses(code, r#"{"data":1,"prefix":5}"#);
    refuses(code, r#"{"prefix":"X"}"#);
}

#[test]
fn values_pass_with_every_digit() {
    for value in ["null", "123456789012345678901234567890", "1.50", r#""\u0001é""#, r#"{"a":[{}]}"#] {
        gives("CT_PURE_PASSTHROUGH_V0", &format!(r#"{{"value":{value}}}"#), &format!(r#"{{"value":{value}}}"#));
        gives("CT_EXEC_EMIT_V0", &format!(r#"{{"value":{value}}}"#), &format!(r#"{{"result":{value}}}"#));
    }
    refuses("CT_PURE_PASSTHROUGH_V0", "{}");
}

#[test]
fn only_objects_are_records() {
    gives("CT_PURE_ASSEMBLE_RECORD_V0", r#"{"fields":{"a":1}}"#, r#"{"record":{"a":1}}"#);
    for fields in ["[]", "null", r#""{}""#] {
        refuses("CT_PURE_ASSEMBLE_RECORD_V0", &format!(r#"{{"fields":{fields}}}"#));
    }
}

#[test]
fn a_path_leads_through_objects_only_and_the_type_must_fit() {
    let code = "CT_PURE_EXTRACT_V0";
    let at = |path: &str, kind: &str| format!(r#"{{"from":{{"a":{{"b":[7],"c":7}}}},"path":"{path}"{kind}}}"#);
    gives(code, &at("a.c", r#","type":"integer""#), r#"{"result":7}"#);
    gives(code, &at("a.b", ""), r#"{"result":[7]}"#);
    for (path, kind) in [("a.x", ""), ("a.b.0", ""), ("", ""), ("a.c.d", ""), ("a.c", r#","type":"string""#), ("a.c", r#","type":"what""#)]
    {
        refuses(code, &at(path, kind));
    }
}

#[test]
fn a_key_is_found_or_the_inputs_are_refused() {
    gives("CT_PURE_LOOKUP_V0", r#"{"key":"k","map":{"k":null}}"#, r#"{"result":null}"#);
    refuses("CT_PURE_LOOKUP_V0", r#"{"key":"x","map":{"k":1}}"#);
    refuses("CT_PURE_LOOKUP_V0", r#"{"key":"k","map":[1]}"#);
}

#[test]
fn a_filter_keeps_the_order_and_compares_whole_values() {
    let code = "CT_PURE_FILTER_RECORDS_V0";
    let source = r#"[{"a":"1","n":1},{"a":1,"n":2},{"a":null,"n":3},{"n":4},{"a":"1","n":5}]"#;
    for (filter, kept) in [
        (r#"{"a":"1"}"#, r#"[{"a":"1","n":1},{"a":"1","n":5}]"#),
        (r#"{"a":"present"}"#, r#"[{"a":"1","n":1},{"a":1,"n":2},{"a":"1","n":5}]"#),
        (r#"{"a":"1","n":5}"#, r#"[{"a":"1","n":5}]"#),
        (r#"{"b":1}"#, "[]"),
    ] {
        gives(code, &format!(r#"{{"filter":{filter},"source":{source}}}"#), &format!(r#"{{"extracted":{kept}}}"#));
    }
    refuses(code, r#"{"filter":{},"source":[1]}"#);
}

#[test]
fn a_result_maps_by_success_or_by_the_reason_of_its_exit() {
    let code = "CT_PURE_MAP_RESULT_TO_HTTP_V0";
    for (result, status, http) in [
        (r#"{"status":"SUCCESS"}"#, "SUCCESS", 200),
        (r#"{"exit_reason_code":"EXIT_VIOLATION","status":"FAILED"}"#, "VIOLATION", 400),
        (r#"{"exit_reason_code":null,"status":"FAILED"}"#, "BACKEND_ERROR", 500),
        (r#"{"exit_reason_code":"OTHER","status":"FAILED"}"#, "OTHER", 500),
    ] {
        let inputs = format!(r#"{{"execution_result":{result},"mapping":{{"SUCCESS":200,"VIOLATION":400}}}}"#);
        gives(code, &inputs, &format!(r#"{{"http_status":{http},"response_body":{result},"result_status":"{status}"}}"#));
    }
    refuses(code, r#"{"execution_result":{},"mapping":{}}"#);
}

#[test]
fn a_code_that_is_not_served_is_a_backend_error() {
    assert_eq!(says("CT_PURE_OTHER_V0", "{}"), ("BACKEND_ERROR", "{}".to_owned()));
}
