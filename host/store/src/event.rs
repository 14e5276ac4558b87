//! Which events a log record carries and how a record is matched by its fields; not where records are kept.
//!
//! A record carries an event when it is a JSON object with a member `event_code` or `event_type` whose value is a string that starts
//! with `EV_`, at its top level or in the object under `record`. A field is looked for in the object that names the event first and in
//! the other one second. Values are equal when their canonical bytes are.

use enact_core::canonical;
use serde_json::{Map, Value};

/// Prefix of event codes.
const PREFIX: &str = "EV_";
/// Members that may name the event, in order of precedence.
const NAMES: [&str; 2] = ["event_code", "event_type"];
/// Member that may hold the record proper.
const NESTED: &str = "record";

/// Event codes of a record, each once, the outer object's first. Not JSON, not an object, or no event: none.
#[must_use]
pub fn codes(record: &str) -> Vec<String> {
    // A cheap way out for most records. An escape could spell the prefix too.
    if !record.contains(PREFIX) && !record.contains("\\u") {
        return Vec::new();
    }
    let Ok(Value::Object(outer)) = serde_json::from_str(record) else {
        return Vec::new();
    };
    let mut found: Vec<String> = Vec::new();
    for object in objects(&outer) {
        for code in named(object) {
            if !found.iter().any(|known| known == code) {
                found.push(code.to_owned());
            }
        }
    }
    found
}

/// A question: an event with certain values in certain fields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Probe {
    /// Event code.
    pub event: String,
    /// Names of the fields, sorted.
    pub fields: Vec<String>,
    /// Canonical bytes of their values, in that order.
    pub key: Vec<u8>,
}

impl Probe {
    /// `None` when a value has no canonical form; no record can match it.
    pub(crate) fn new(event: &str, wanted: &Map<String, Value>) -> Option<Self> {
        let mut fields: Vec<String> = wanted.keys().cloned().collect();
        fields.sort_unstable();
        let values = fields.iter().filter_map(|name| wanted.get(name)).cloned().collect();
        let key = canonical::to_bytes(&Value::Array(values)).ok()?;
        Some(Self { event: event.to_owned(), fields, key })
    }

    /// Whether the record answers the question.
    pub(crate) fn matches(&self, record: &str) -> bool {
        key(record, &self.event, &self.fields).is_some_and(|key| key == self.key)
    }
}

/// Canonical bytes of a record's values for `fields`, or `None` when it does not carry the event or lacks a field.
pub(crate) fn key(record: &str, event: &str, fields: &[String]) -> Option<Vec<u8>> {
    let Ok(Value::Object(outer)) = serde_json::from_str(record) else {
        return None;
    };
    let carrier = objects(&outer).find(|object| named(object).any(|code| code == event))?;
    let mut values = Vec::with_capacity(fields.len());
    for field in fields {
        let value = carrier.get(field).or_else(|| objects(&outer).find_map(|object| object.get(field)))?;
        values.push(value.clone());
    }
    canonical::to_bytes(&Value::Array(values)).ok()
}

fn objects(outer: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    std::iter::once(outer).chain(outer.get(NESTED).and_then(Value::as_object))
}

fn named(object: &Map<String, Value>) -> impl Iterator<Item = &str> {
    NAMES.iter().filter_map(|name| object.get(*name)?.as_str()).filter(|code| code.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use serde_json::json;

    fn probe(event: &str, wanted: Value) -> Probe {
        let Value::Object(wanted) = wanted else { panic!("an object") };
        Probe::new(event, &wanted).unwrap()
    }

    #[test]
    fn events_are_found_at_the_top_and_under_record() {
        assert_eq!(codes(r#"{"event_code":"EV_A_V0"}"#), ["EV_A_V0"]);
        assert_eq!(codes(r#"{"event_type":"EV_A_V0"}"#), ["EV_A_V0"]);
        assert_eq!(codes(r#"{"record":{"event_code":"EV_B_V0"},"event_code":"EV_A_V0"}"#), ["EV_A_V0", "EV_B_V0"]);
        assert_eq!(codes(r#"{"event_code":"\u0045V_A_V0"}"#), ["EV_A_V0"]);
        for none in ["", "EV_A", r#""EV_A""#, r#"["EV_A"]"#, r#"{"event_code":"X"}"#, r#"{"event_code":1,"x":"EV_A"}"#] {
            assert!(codes(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn fields_match_by_canonical_value() {
        let record = r#"{"n":1.0,"record":{"event_code":"EV_A_V0","who":"a","deep":{"b":1,"a":2}}}"#;
        assert!(probe("EV_A_V0", json!({})).matches(record));
        assert!(probe("EV_A_V0", json!({"who":"a","n":1})).matches(record));
        assert!(probe("EV_A_V0", json!({"deep":{"a":2,"b":1}})).matches(record));
        assert!(!probe("EV_A_V0", json!({"who":"b"})).matches(record));
        assert!(!probe("EV_A_V0", json!({"who":null})).matches(record));
        assert!(!probe("EV_A_V0", json!({"absent":null})).matches(record));
        assert!(!probe("EV_B_V0", json!({})).matches(record));
    }
}
