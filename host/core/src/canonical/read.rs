//! Accepting bytes: strict parsing, the canonical check, and the admission of payloads.
//!
//! A reader never repairs: what it accepts it hashes exactly as stored.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{CanonicalError, CanonicalKind, MAX_PAYLOAD_DEPTH, MAX_SAFE_INTEGER, strict, to_bytes};

/// Parses JSON that need not be canonical, refusing what a lenient parser would silently lose: duplicate members and
/// numbers beyond ±(2^53 − 1).
///
/// # Errors
/// [`CanonicalKind::Syntax`], [`CanonicalKind::DuplicateKey`] or [`CanonicalKind::NumberRange`], with the place.
pub fn parse(bytes: &[u8]) -> Result<Value, CanonicalError> {
    let fault = RefCell::new(None);
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let parsed = Strict { fault: &fault }.deserialize(&mut input).and_then(|value| input.end().map(|()| value));
    match (parsed, fault.into_inner()) {
        (_, Some(fault)) => Err(fault),
        (Ok(value), None) => Ok(value),
        (Err(error), None) => Err(CanonicalError::new(CanonicalKind::Syntax { line: error.line(), column: error.column() })),
    }
}

/// Parses bytes that must already be canonical: accepted only if `canonical(parse(bytes)) == bytes`.
///
/// # Errors
/// Those of [`parse`] and [`to_bytes`], and [`CanonicalKind::NotCanonical`] with the first byte that differs.
pub fn check(bytes: &[u8]) -> Result<Value, CanonicalError> {
    strict::read(bytes).map_or_else(|| check_slowly(bytes), Ok)
}

/// The definition, which [`strict`] is only a quicker way to: parse, write again, compare. It also says why bytes are refused.
fn check_slowly(bytes: &[u8]) -> Result<Value, CanonicalError> {
    let value = parse(bytes)?;
    same(&to_bytes(&value)?, bytes)?;
    Ok(value)
}

/// Compares the canonical spelling with the one given.
pub(crate) fn same(canonical: &[u8], given: &[u8]) -> Result<(), CanonicalError> {
    if canonical == given {
        return Ok(());
    }
    let shared = canonical.iter().zip(given).take_while(|(a, b)| a == b).count();
    Err(CanonicalError::new(CanonicalKind::NotCanonical { offset: shared }))
}

/// Whether a payload may enter: every number within ±(2^53 − 1), nesting within [`MAX_PAYLOAD_DEPTH`].
///
/// # Errors
/// [`CanonicalKind::NumberRange`], [`CanonicalKind::NotFinite`] or [`CanonicalKind::Depth`], with the place.
pub fn admit_payload(payload: &Value) -> Result<(), CanonicalError> {
    admit(payload, MAX_PAYLOAD_DEPTH)
}

fn admit(value: &Value, room: usize) -> Result<(), CanonicalError> {
    let inner = || room.checked_sub(1).ok_or_else(|| CanonicalError::new(CanonicalKind::Depth { limit: MAX_PAYLOAD_DEPTH }));
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(number) => number_in_range(number).map_err(CanonicalError::new),
        Value::Array(items) => {
            let room = inner()?;
            for (nth, item) in items.iter().enumerate() {
                admit(item, room).map_err(|e| e.within(&format!("{nth}")))?;
            }
            Ok(())
        }
        Value::Object(members) => {
            let room = inner()?;
            for (name, member) in members {
                admit(member, room).map_err(|e| e.within(name))?;
            }
            Ok(())
        }
    }
}

fn number_in_range(number: &Number) -> Result<(), CanonicalKind> {
    let inside = match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(natural), _, _) => natural <= MAX_SAFE_INTEGER,
        (None, Some(integer), _) => integer.unsigned_abs() <= MAX_SAFE_INTEGER,
        (None, None, Some(double)) if !double.is_finite() => return Err(CanonicalKind::NotFinite),
        // Every double from 2^53 on is an integer.
        (None, None, Some(double)) => double.abs() < super::write::FLOAT_BOUND,
        (None, None, None) => false,
    };
    if inside { Ok(()) } else { Err(CanonicalKind::NumberRange) }
}

/// Builds a [`Value`] and notes the first thing a lenient parser would have lost. The fault travels beside the parser's
/// own error because that one carries prose only.
#[derive(Clone, Copy)]
struct Strict<'f> {
    fault: &'f RefCell<Option<CanonicalError>>,
}

impl Strict<'_> {
    fn refuse<E: de::Error>(self, kind: CanonicalKind) -> E {
        let mut fault = self.fault.borrow_mut();
        if fault.is_none() {
            *fault = Some(CanonicalError::new(kind));
        }
        E::custom("refused")
    }

    /// Names the place of a fault on the way out.
    fn within(self, segment: &str) {
        let mut fault = self.fault.borrow_mut();
        *fault = fault.take().map(|f| f.within(segment));
    }

    fn number<E: de::Error>(self, number: Number) -> Result<Value, E> {
        number_in_range(&number).map_err(|kind| self.refuse(kind))?;
        Ok(Value::Number(number))
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Value, E> {
        self.number(Number::from(v))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Value, E> {
        self.number(Number::from(v))
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Value, E> {
        match Number::from_f64(v) {
            Some(number) => self.number(number),
            None => Err(self.refuse(CanonicalKind::NotFinite)),
        }
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(String::from(v)))
    }

    fn visit_string<E: de::Error>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            match list.next_element_seed(self) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Value::Array(items)),
                Err(error) => {
                    self.within(&format!("{}", items.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) {
                let error = self.refuse(CanonicalKind::DuplicateKey);
                self.within(&name);
                return Err(error);
            }
            match object.next_value_seed(self) {
                Ok(member) => members.insert(name, member),
                Err(error) => {
                    self.within(&name);
                    return Err(error);
                }
            };
        }
        Ok(Value::Object(members))
    }
}
