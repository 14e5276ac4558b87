//! RFC 8785 bytes of a JSON value, and BLAKE3 digests over them.
//!
//! Not a general serialiser: it exists because what is hashed here must not depend on a crate that needs the standard library.
//! The tests compare it with an independent implementation.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Number, Value};

/// The canonical bytes of a value.
pub(crate) fn to_bytes(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    write_value(&mut out, value);
    out.into_bytes()
}

/// `blake3:<hex>` over the canonical bytes, separated by a context so that no two kinds of digest can be confused.
pub(crate) fn digest(context: &'static str, value: &Value) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(&to_bytes(value));
    format!("blake3:{}", hex::encode(hasher.finalize().as_bytes()))
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            // The RFC orders by UTF-16 code units, which differs from the order of UTF-8 bytes beyond the basic plane.
            sorted.sort_by(|left, right| left.0.encode_utf16().cmp(right.0.encode_utf16()));
            out.push('{');
            for (index, (key, item)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write_value(out, item);
            }
            out.push('}');
        }
    }
}

/// Numbers are IEEE doubles in the RFC; an integer is converted first, exactly as an ECMAScript reader would.
fn write_number(out: &mut String, number: &Number) {
    let Some(double) = number.as_f64() else {
        out.push_str("null");
        return;
    };
    let mut buffer = ryu_js::Buffer::new();
    out.push_str(buffer.format(double));
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{9}' => out.push_str("\\t"),
            '\u{a}' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\u{d}' => out.push_str("\\r"),
            control if u32::from(control) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::to_bytes;
    use alloc::string::String;
    use alloc::vec::Vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_independent_implementation_writes_the_same_bytes(value in value()) {
            prop_assert_eq!(to_bytes(&value), serde_json_canonicalizer::to_vec(&value).unwrap());
        }
    }

    #[test]
    fn names_are_ordered_by_utf16_and_controls_are_escaped() {
        let value = json!({ "\u{e000}": 1, "\u{10000}": 2, "a\u{1}\n": 3 });
        let bytes: Vec<u8> = to_bytes(&value);
        assert_eq!(String::from_utf8(bytes).unwrap(), "{\"a\\u0001\\n\":3,\"\u{10000}\":2,\"\u{e000}\":1}");
    }
}
