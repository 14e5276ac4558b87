//! JSON as an artifact may use it: no duplicate members, no integer that canonical JSON would round, bounded depth.
//!
//! The library's own reader lets the last of two equal members win, so two readers could see two artifacts in the same bytes.

use super::ARTIFACT_DEPTH_MAX;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The largest integer that an IEEE double holds exactly, as RFC 8785 needs (2^53 − 1).
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Parses bytes; a duplicate member is an error.
pub(super) fn value(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice::<Unique>(bytes).map(|unique| unique.0).map_err(|error| error.to_string())
}

/// Checks depth and the range of integers; answers the place and what is wrong there.
pub(super) fn check(value: &Value) -> Result<(), (String, String)> {
    walk(value, &mut Vec::new())
}

fn walk<'a>(value: &'a Value, path: &mut Vec<&'a str>) -> Result<(), (String, String)> {
    if path.len() > ARTIFACT_DEPTH_MAX {
        return Err((path.join("."), format!("nested deeper than {ARTIFACT_DEPTH_MAX}")));
    }
    match value {
        Value::Object(members) => {
            for (key, item) in members {
                path.push(key);
                walk(item, path)?;
                path.pop();
            }
        }
        Value::Array(items) => {
            for item in items {
                path.push("[]");
                walk(item, path)?;
                path.pop();
            }
        }
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if magnitude.is_some_and(|magnitude| magnitude > INTEGER_MAX) {
                return Err((path.join("."), format!("integer {number} is beyond ±{INTEGER_MAX}")));
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    Ok(())
}

/// A value whose objects have no duplicate members.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unique(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let Unique(item) = access.next_value()?;
            if members.contains_key(&key) {
                return Err(A::Error::custom(format_args!("member `{key}` appears twice")));
            }
            members.insert(key, item);
        }
        Ok(Value::Object(members))
    }
}
