//! What the validators answer, through the dispatcher as the host calls it.

use super::dispatch;

fn says(code: &str, inputs: &str) -> (&'static str, String) {
    let answer = dispatch(code, inputs);
    (answer.status, answer.outputs)
}

#[test]
fn membership_is_an_answer_and_its_strict_twin_refuses() {
    for (value, member) in [(r#""a""#, true), ("1", true), (r#""1""#, false), ("null", false)] {
        let inputs = format!(r#"{{"allowed_set":["a",1],"value":{value}}}"#);
        let outputs = format!(r#"{{"is_member":{member}}}"#);
        assert_eq!(says("CT_PURE_VALIDATE_SET_MEMBERSHIP_V0", &inputs), ("SUCCESS", outputs.clone()));
        let strict = if member { ("SUCCESS", outputs) } else { ("VIOLATION", "{}".to_owned()) };
        assert_eq!(says("CT_PURE_REQUIRE_SET_MEMBERSHIP_V0", &inputs), strict);
    }
}

#[test]
fn the_first_rule_that_fails_is_named_and_the_strict_twin_refuses() {
    let inputs = r#"{"parameters":{"n":5},"rules":[{"field":"n","op":"lt","value":9},{"field":"x","op":"eq","value":1},{"field":"n","op":"gt","value":9}]}"#;
    let outputs = r#"{"failed_rule":{"field":"x","op":"eq","value":1},"valid":false}"#;
    assert_eq!(says("CT_PURE_VALIDATE_PARAMETER_RULES_V0", inputs), ("SUCCESS", outputs.to_owned()));
    assert_eq!(says("CT_PURE_REQUIRE_PARAMETER_RULES_V0", inputs).0, "VIOLATION");
    let none = r#"{"parameters":{},"rules":[]}"#;
    for code in ["CT_PURE_VALIDATE_PARAMETER_RULES_V0", "CT_PURE_REQUIRE_PARAMETER_RULES_V0"] {
        assert_eq!(says(code, none), ("SUCCESS", r#"{"failed_rule":null,"valid":true}"#.to_owned()));
    }
}

#[test]
fn a_malformed_rule_is_refused_even_behind_one_that_fails() {
    for rule in [r#"{"field":"n","op":"near","value":1}"#, r#"{"op":"eq","value":1}"#, r#"{"field":"n","op":"in"}"#, "1"] {
        let inputs = format!(r#"{{"parameters":{{"n":5}},"rules":[{{"field":"n","op":"gt","value":9}},{rule}]}}"#);
        assert_eq!(says("CT_PURE_VALIDATE_PARAMETER_RULES_V0", &inputs).0, "VIOLATION", "{rule}");
    }
}

/// The names of the broken rules of field `f`.
fn broken(rules: &str, record: &str) -> Vec<String> {
    let inputs = format!(r#"{{"record":{record},"schema":{{"f":{rules}}}}}"#);
    let (status, outputs) = says("CT_PURE_VALIDATE_RECORD_STRUCTURE_V0", &inputs);
    assert_eq!(status, "SUCCESS", "{inputs}");
    let outputs: serde_json::Value = serde_json::from_str(&outputs).expect("JSON");
    outputs["violations"].as_array().expect("a list").iter().filter_map(|entry| entry["rule"].as_str().map(str::to_owned)).collect()
}

#[test]
fn each_structural_rule_passes_and_fails_at_its_bound() {
    for (rules, record, want) in [
        (r#"{"required":true}"#, "{}", &["required"][..]),
        (r#"{"required":true}"#, r#"{"f":null}"#, &["required"]),
        (r#"{"type":"integer"}"#, "{}", &[]),
        (r#"{"type":"integer"}"#, r#"{"f":true}"#, &["type"]),
        (r#"{"min_value":1,"type":"string"}"#, r#"{"f":0}"#, &["type"]),
        (r#"{"min_value":1}"#, r#"{"f":1}"#, &[]),
        (r#"{"min_value":1}"#, r#"{"f":0}"#, &["min_value"]),
        (r#"{"max_value":9}"#, r#"{"f":"10"}"#, &["max_value"]),
        (r#"{"max_value":9}"#, r#"{"f":"x"}"#, &["max_value"]),
        (r#"{"lte_field":"g","type":"integer_string"}"#, r#"{"f":"9","g":"10"}"#, &[]),
        (r#"{"lte_field":"g","type":"integer_string"}"#, r#"{"f":"11","g":"10"}"#, &["lte_field"]),
        (r#"{"pattern":"^a+$"}"#, r#"{"f":"aa"}"#, &[]),
        (r#"{"min_value":1,"pattern":"^a+$"}"#, r#"{"f":"b"}"#, &["pattern", "min_value"]),
        (r#"{"type":"hex_string"}"#, r#"{"f":"0x"}"#, &[]),
        (r#"{"type":"hex_string"}"#, r#"{"f":"zz"}"#, &["type"]),
        (r#"{"type":"hex_string"}"#, r#"{"f":""}"#, &["type"]),
    ] {
        assert_eq!(broken(rules, record), want, "{rules} {record}");
    }
}

#[test]
fn a_schema_that_is_not_understood_is_refused() {
    for rules in [r#"{"maximum":1}"#, r#"{"type":"text"}"#, r#"{"pattern":"(a)"}"#, r#"{"min_value":"1"}"#, r#"{"min_value":1.5}"#] {
        let inputs = format!(r#"{{"record":{{"f":1}},"schema":{{"f":{rules}}}}}"#);
        let text = inputs.replace(r#""f":1}"#, r#""f":"1"}"#);
        assert_eq!(says("CT_PURE_VALIDATE_RECORD_STRUCTURE_V0", &text).0, "VIOLATION", "{text}");
    }
}
