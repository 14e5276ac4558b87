//! Reads the text that a guest calls its outputs.
//!
//! Stricter than a JSON parser has to be, because the text is hashed and read again elsewhere: one object, no duplicate key at any
//! depth, bounded nesting. It does not canonicalise.
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::limits::OUTPUT_DEPTH_MAX;
use crate::outcome::TrapCode;

/// The outputs as an object, or [`TrapCode::OutputsNotJson`].
pub fn parse_outputs(text: &str) -> Result<Map<String, Value>, TrapCode> {
    let mut from = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut from).map_err(|_| TrapCode::OutputsNotJson)?;
    from.end().map_err(|_| TrapCode::OutputsNotJson)?;
    match value {
        Value::Object(map) => Ok(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(TrapCode::OutputsNotJson),
    }
}

/// A JSON value at a depth.
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(&self) -> Result<usize, E> {
        if self.depth < OUTPUT_DEPTH_MAX { Ok(self.depth.saturating_add(1)) } else { Err(E::custom("too deep")) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without duplicate keys")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = from.next_element_seed(Self { depth })? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            let value = from.next_value_seed(Self { depth })?;
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_object_is_read_as_it_stands() {
        let map = parse_outputs(r#"{"a":[1,-2,2.5,null,true,"x"],"b":{}}"#).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"a":[1,-2,2.5,null,true,"x"],"b":{}}"#);
    }

    #[test]
    fn p_21_what_is_not_one_plain_object_is_one_stable_code() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100), "]".repeat(100));
        let cases = [
            "",
            "null",
            "[]",
            "7",
            "\"x\"",
            "{",
            "{}{}",
            "{} x",
            "{a:1}",
            r#"{"a":NaN}"#,
            r#"{"a":Infinity}"#,
            r#"{"a":-Infinity}"#,
            r#"{"a":1e999}"#,
            r#"{"a":-1e999}"#,
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":.5}"#,
            r#"{"a":1,}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\u{1}\"}",
            "\u{feff}{}",
            &deep,
        ];
        for case in cases {
            assert_eq!(parse_outputs(case), Err(TrapCode::OutputsNotJson), "{case:?}");
        }
    }
}
