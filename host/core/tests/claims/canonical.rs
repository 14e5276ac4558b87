//! Canonical bytes: RFC 8785 against an independent implementation, and the traps of `protocol/ledger.md`.

use enact_core::canonical::{CanonicalKind, MAX_DEPTH, MAX_PAYLOAD_DEPTH, MAX_SAFE_INTEGER, admit_payload, check, parse, to_bytes};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Map, Number, Value, json};

fn text(value: &Value) -> String {
    String::from_utf8(to_bytes(value).unwrap()).unwrap()
}

/// Any value that a document may hold: odd names, every escape, doubles and integers within range.
fn values() -> impl Strategy<Value = Value> {
    let bound = i64::try_from(MAX_SAFE_INTEGER).unwrap();
    let names = prop_oneof!["[a-z]{0,4}", ".{0,6}", "[\u{e000}-\u{ffff}\u{10000}-\u{10fff}\"\\\\/ !a]{0,4}"];
    let doubles = any::<f64>().prop_filter("in range", |d| d.is_finite() && d.abs() < 9e15);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-bound..=bound).prop_map(Value::from),
        doubles.prop_map(|d| Number::from_f64(d).map_or(Value::Null, Value::Number)),
        names.clone().prop_map(Value::from),
        "[\u{0}-\u{20}\u{7f}-\u{a0}\u{2028}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn our_bytes_are_those_of_an_independent_implementation(value in values()) {
        prop_assert_eq!(to_bytes(&value).unwrap(), serde_json_canonicalizer::to_vec(&value).unwrap());
    }

    #[test]
    fn what_is_written_is_accepted_and_comes_back_the_same(value in values()) {
        let bytes = to_bytes(&value).unwrap();
        let again = check(&bytes).unwrap();
        prop_assert_eq!(to_bytes(&again).unwrap(), bytes);
    }

    #[test]
    fn any_bytes_are_judged_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = check(&bytes) {
            prop_assert_eq!(to_bytes(&value).unwrap(), bytes);
        }
    }
}

#[test]
fn the_example_of_rfc_8785_comes_out_as_printed_there() {
    let input = r#"{"numbers":[333333333.33333329,4.50,2e-3,0.000000000000000000000000001],
        "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
    let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,4.5,0.002,1e-27],\
        \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(text(&parse(input.as_bytes()).unwrap()), expected);
}

#[test]
fn names_are_ordered_by_utf16_units_not_by_bytes() {
    // RFC 8785 §3.2.3: the surrogate pair of the emoji sorts before U+FB33, its UTF-8 bytes after.
    let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
    assert_eq!(text(&value), "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}");
    assert_eq!(text(&json!({"a": 1, "a ": 2, "a!": 3, "a\"": 4})), r#"{"a":1,"a ":2,"a!":3,"a\"":4}"#);
}

#[test]
fn two_to_the_53_and_its_neighbour_are_refused_instead_of_becoming_one() {
    let limit = MAX_SAFE_INTEGER;
    for inside in [json!(limit), json!(-i64::try_from(limit).unwrap())] {
        assert_eq!(check(&to_bytes(&inside).unwrap()).unwrap(), inside);
        assert!(admit_payload(&inside).is_ok());
    }
    let doubles = [9_007_199_254_740_992.0_f64, -9_007_199_254_740_992.0, 1e21, 1e300];
    let outside = [json!(limit + 1), json!(limit + 2), json!(u64::MAX), json!(i64::MIN)];
    for value in outside.into_iter().chain(doubles.map(|d| json!(d))) {
        let at = json!({"a": [0, value]});
        let refusals = [to_bytes(&at).unwrap_err(), admit_payload(&at).unwrap_err(), parse(at.to_string().as_bytes()).unwrap_err()];
        for refusal in refusals {
            assert_eq!((refusal.kind.clone(), refusal.pointer.as_str()), (CanonicalKind::NumberRange, "/a/1"), "{at}");
        }
    }
    assert_eq!(parse(b"123456789012345678901234567890").unwrap_err().kind, CanonicalKind::NumberRange);
}

#[test]
fn nan_and_infinity_are_refused_instead_of_becoming_null() {
    #[derive(Serialize)]
    struct Measured {
        value: f64,
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refusal = to_bytes(&Measured { value }).unwrap_err();
        assert_eq!((refusal.code(), refusal.pointer.as_str()), ("canonical_not_finite", "/value"));
    }
    for spelled in ["NaN", "Infinity", "-Infinity", "1e999"] {
        assert!(parse(spelled.as_bytes()).is_err(), "{spelled}");
    }
}

#[test]
fn a_duplicate_member_is_refused_instead_of_being_the_last_one() {
    for (document, place) in [(r#"{"a":1,"a":1}"#, "/a"), (r#"{"x":[{"b/c":1,"b\/c":2}]}"#, "/x/0/b~1c")] {
        let refusal = parse(document.as_bytes()).unwrap_err();
        assert_eq!((refusal.code(), refusal.pointer.as_str()), ("canonical_duplicate_key", place));
    }
    // The writer meets them when two fields are given one name.
    #[derive(Serialize)]
    struct Twice {
        #[serde(rename = "same")]
        one: u8,
        #[serde(rename = "same")]
        two: u8,
    }
    assert_eq!(to_bytes(&Twice { one: 1, two: 2 }).unwrap_err().code(), "canonical_duplicate_key");
}

#[test]
fn no_dependency_has_switched_on_preserve_order_or_arbitrary_precision() {
    let document = r#"{"b":1,"a":2}"#;
    let parsed: Value = serde_json::from_str(document).unwrap();
    let names: Vec<_> = parsed.as_object().unwrap().keys().collect();
    assert_eq!(names, ["a", "b"], "`preserve_order` is on: maps no longer iterate in the order of their names");
    let precise: Value = serde_json::from_str("0.10000000000000000000001").unwrap();
    assert_eq!(precise.to_string(), "0.1", "`arbitrary_precision` is on: one number has many spellings");
    // Even then our bytes would be the same: the writer orders members itself.
    #[derive(Serialize)]
    struct Unordered {
        b: u8,
        a: u8,
    }
    assert_eq!(to_bytes(&Unordered { b: 1, a: 2 }).unwrap(), br#"{"a":2,"b":1}"#);
}

#[test]
fn decimals_are_read_as_the_nearest_double() {
    // A parser without `float_roundtrip` misses some of these by one unit in the last place; `tests/no_std` asserts the
    // same in a build where no other crate can have switched the feature on.
    for text in ["5.0e-324", "51.24817837550540", "-53.67", "2.638344616030823e-256", "1.7976931348623157e-300"] {
        let parsed = parse(text.as_bytes()).unwrap().as_f64().unwrap();
        assert_eq!(parsed.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
    }
}

#[test]
fn every_other_spelling_is_refused_with_its_place() {
    for (given, offset) in [
        (r#"{"a": 1}"#, 5),
        (r#"{"b":1,"a":2}"#, 2),
        ("[1.0]", 2),
        ("[1e2]", 2),
        ("[-0]", 1),
        (r#"["\u0041"]"#, 2),
        (r#"["\/"]"#, 2),
        (r#"["\u000A"]"#, 3),
        (" 1", 0),
        ("1\n", 1),
        ("[0.10]", 4),
    ] {
        let refusal = check(given.as_bytes()).unwrap_err();
        assert_eq!(refusal.kind, CanonicalKind::NotCanonical { offset }, "{given}");
    }
    for broken in ["", "{", "[1,]", "{\"a\":1}x", "\"\u{1}\"", "[\"\\ud800\"]", "nul", "01", "+1"] {
        assert_eq!(check(broken.as_bytes()).unwrap_err().code(), "canonical_syntax", "{broken}");
    }
    assert_eq!(check(b"\"\xff\"").unwrap_err().code(), "canonical_syntax");
}

#[test]
fn depth_has_a_limit_on_both_sides_of_the_pen() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    assert!(check(&to_bytes(&nested(MAX_DEPTH)).unwrap()).is_ok());
    assert_eq!(to_bytes(&nested(MAX_DEPTH + 1)).unwrap_err().code(), "canonical_depth");
    assert!(admit_payload(&nested(MAX_PAYLOAD_DEPTH)).is_ok());
    assert_eq!(admit_payload(&nested(MAX_PAYLOAD_DEPTH + 1)).unwrap_err().code(), "canonical_depth");
    assert!(check("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn every_shape_of_serde_has_its_canonical_form() {
    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Pair(u8, u8),
        Named { b: char, a: Option<u8> },
    }
    let shapes = [Shape::Unit, Shape::New(1), Shape::Pair(1, 2), Shape::Named { b: '"', a: None }];
    let expected = br#"["Unit",{"New":1},{"Pair":[1,2]},{"Named":{"a":null,"b":"\""}}]"#;
    assert_eq!(to_bytes(&shapes).unwrap(), expected);
    let numbered = std::collections::BTreeMap::from([(1, "one")]);
    assert_eq!(to_bytes(&numbered).unwrap_err().code(), "canonical_key_not_text");
}
