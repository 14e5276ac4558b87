//! What the types of this crate do not show: members that are declared in another order than they are written, names that need an escape,
//! values that may be of two kinds.

use super::*;

#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
struct Unordered {
    b: u8,
    a: u8,
    #[serde(default)]
    ab: u8,
    #[serde(default, rename = "c\"")]
    quoted: u8,
    #[serde(default, rename = "é")]
    beyond: u8,
}

#[test]
fn members_are_read_in_their_canonical_order_in_whatever_order_they_are_declared() {
    let value = |b, a, ab, quoted, beyond| Some(Unordered { b, a, ab, quoted, beyond });
    for (text, expected) in [
        (r#"{"a":1,"b":2}"#, value(2, 1, 0, 0, 0)),
        (r#"{"b":2,"a":1}"#, None),
        (r#"{"a":1,"ab":3,"b":2}"#, value(2, 1, 3, 0, 0)),
        (r#"{"ab":3,"a":1,"b":2}"#, None),
        (r#"{"a":1,"b":2,"ab":3}"#, None),
        (r#"{"a":1,"a":1,"b":2}"#, None),
        (r#"{"a":1,"b":2,"c\"":4}"#, value(2, 1, 0, 4, 0)),
        (r#"{"a":1,"b":2,"c"":4}"#, None),
        (r#"{"a":1,"b":2,"é":5}"#, value(2, 1, 0, 0, 5)),
        (r#"{"a":1,"aa":{"x":[1]},"b":2}"#, value(2, 1, 0, 0, 0)),
        (r#"{"a":1,"aa":{"x":[1 ]},"b":2}"#, None),
        (r#"{"a":1"b":2}"#, None),
        (r#"{,"a":1,"b":2}"#, None),
        (r#"{"a" :1,"b":2}"#, None),
    ] {
        assert_eq!(read::<Unordered>(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn a_value_of_another_kind_is_passed_over_and_still_canonical() {
    let kind = |text: &str| {
        read::<alloc::vec::Vec<Known<Unordered>>>(text.as_bytes())
            .map(|values| values.iter().map(|value| if matches!(value, Known::Read(_)) { 'r' } else { 'o' }).collect::<String>())
    };
    for (text, expected) in [
        (r#"[{"a":1,"b":2},{"a":1},7,{"a":1,"b":2}]"#, Some("roor")),
        (r#"[{"a":1,"b":300}]"#, Some("o")),
        (r#"[{"b":1,"a":2}]"#, None),
        (r#"[{"a":[[{"b":[[]]}]]},{"a":1,"b":2}]"#, Some("or")),
        (r#"[{"a":1,"b":2}"#, None),
    ] {
        assert_eq!(kind(text).as_deref(), expected, "{text}");
    }
}
