//! Members of payloads: whether a value is of its declared type.
//!
//! Shape only. Whether an actor named in a payload exists is a question for guards.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::amount;
use super::declare::{FieldDecl, FieldType};
use super::rules::Protocol;
use crate::canonical::{MAX_SAFE_INTEGER, admit_payload, to_bytes};
use crate::entry::is_name;
use crate::hash::Digest;
use crate::time::Instant;

/// Most bytes of a text, list or object that declares no bound of its own: a paragraph.
pub(super) const MAX_BYTES: usize = 1024;

/// What starts the id of an actor.
pub(super) const ACTOR_PREFIX: &str = "Actor:";

/// What starts the id of an engine.
pub(super) const ENGINE_PREFIX: &str = "Engine:";

/// A compiled member.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) type_: FieldType,
    pub(super) keep: bool,
    pub(super) fixed: bool,
    pub(super) one_of: Option<Vec<Value>>,
    pub(super) max_bytes: usize,
}

impl Field {
    pub(super) fn new(decl: &FieldDecl) -> Self {
        Self {
            type_: decl.type_,
            keep: decl.keep,
            fixed: decl.fixed,
            one_of: decl.one_of.clone(),
            max_bytes: decl.max_bytes.unwrap_or(MAX_BYTES),
        }
    }

    /// Whether the value fits.
    pub(super) fn admits(&self, value: &Value, rules: &Protocol) -> bool {
        self.one_of.as_ref().is_none_or(|allowed| allowed.contains(value)) && self.is_typed(value, rules)
    }

    fn is_typed(&self, value: &Value, rules: &Protocol) -> bool {
        let text = value.as_str();
        let named = text.filter(|text| is_name(text));
        match self.type_ {
            FieldType::Text => text.is_some_and(|text| text.len() <= self.max_bytes),
            FieldType::Name => named.is_some(),
            FieldType::Subject => named.is_some_and(is_subject),
            FieldType::Actor => named.is_some_and(|name| name.strip_prefix(ACTOR_PREFIX).is_some_and(|id| !id.is_empty())),
            FieldType::Account => named.is_some_and(|name| rules.account(name).is_some()),
            FieldType::Asset => named.is_some_and(|name| rules.asset(name).is_some()),
            FieldType::Amount => text.is_some_and(|text| amount::parse(text).is_some()),
            FieldType::Integer => is_integer(value),
            FieldType::Boolean => value.is_boolean(),
            FieldType::Digest => text.is_some_and(|text| text.parse::<Digest>().is_ok()),
            FieldType::Time => text.is_some_and(|text| Instant::parse_stored(text).is_some()),
            FieldType::Value => value.as_object().is_some_and(|value| self.is_value(value)),
            FieldType::List => value.as_array().is_some_and(|items| self.is_list(items)),
            FieldType::Object => value.is_object() && admit_payload(value).is_ok() && self.fits(value),
        }
    }

    /// `{ "type", "value" }`, and the text is one of that type.
    fn is_value(&self, object: &Map<String, Value>) -> bool {
        let (Some(type_), Some(text)) = (value_type(object), object.get("value").and_then(Value::as_str)) else { return false };
        object.len() == 2
            && match type_ {
                "integer" => text.parse::<i64>().is_ok_and(|n| n.unsigned_abs() <= MAX_SAFE_INTEGER && spells(n, text)),
                "amount" => amount::parse(text).is_some(),
                "boolean" => matches!(text, "true" | "false"),
                "text" => text.len() <= self.max_bytes,
                "time" => Instant::parse_stored(text).is_some(),
                "digest" => text.parse::<Digest>().is_ok(),
                _ => false,
            }
    }

    fn is_list(&self, items: &[Value]) -> bool {
        let mut bytes = 0_usize;
        items.iter().all(|item| {
            let name = item.as_str().filter(|name| is_name(name));
            bytes = bytes.saturating_add(name.map_or(0, str::len));
            name.is_some() && bytes <= self.max_bytes
        })
    }

    fn fits(&self, value: &Value) -> bool {
        to_bytes(value).is_ok_and(|bytes| bytes.len() <= self.max_bytes)
    }
}

/// The declared type of a typed value.
pub(super) fn value_type(object: &Map<String, Value>) -> Option<&str> {
    object.get("type").and_then(Value::as_str)
}

/// `Type:Id`, both there.
pub(super) fn is_subject(text: &str) -> bool {
    text.split_once(':').is_some_and(|(of, id)| !of.is_empty() && !id.is_empty())
}

/// A path `a/b/c` of names.
pub(super) fn is_scope(text: &str) -> bool {
    is_name(text) && text.split('/').all(|segment| !segment.is_empty())
}

fn is_integer(value: &Value) -> bool {
    value.as_i64().is_some_and(|number| number.unsigned_abs() <= MAX_SAFE_INTEGER)
}

fn spells(number: i64, text: &str) -> bool {
    alloc::format!("{number}") == text
}
