//! `CT_PURE_VALIDATE_RECORD_STRUCTURE_V0`: a record against rules by field. It lists what is wrong; whether that matters is the caller's.
//!
//! Rules: `type`, `required`, `pattern`, `min_value`, `max_value`, `lte_field`. A schema with any other is refused as a whole.

use std::collections::BTreeMap;

use enact_capability_rules::{Members, is_a};
use enact_guest_sdk::{Raw, Violation};
use serde::{Deserialize, Serialize};

use crate::integer::Integer;
use crate::pattern::Pattern;

#[derive(Deserialize)]
pub(crate) struct Validate<'a> {
    #[serde(borrow)]
    record: Members<'a>,
    #[serde(borrow)]
    schema: BTreeMap<String, FieldRules<'a>>,
}

/// The rules of one field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldRules<'a> {
    r#type: Option<String>,
    #[serde(default)]
    required: bool,
    pattern: Option<String>,
    #[serde(borrow)]
    min_value: Option<&'a Raw>,
    #[serde(borrow)]
    max_value: Option<&'a Raw>,
    lte_field: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Violations {
    violations: Vec<Broken>,
}

/// One rule that a field breaks.
#[derive(Serialize)]
struct Broken {
    field: String,
    rule: &'static str,
    message: String,
}

/// Fields in the order of their names; of one field, a wrong type hides all that would follow from it.
pub(crate) fn validate(i: Validate<'_>) -> Result<Violations, Violation> {
    let mut violations = Vec::new();
    for (field, rules) in &i.schema {
        let found = i.record.get(field).filter(|value| value.get() != "null");
        match found {
            Some(value) => rules.check(field, value, &i.record, &mut violations)?,
            None if rules.required => {
                violations.push(Broken { field: field.clone(), rule: "required", message: format!("Field '{field}' is required") });
            }
            None => {}
        }
    }
    Ok(Violations { violations })
}

impl FieldRules<'_> {
    fn check(&self, field: &str, value: &Raw, record: &Members<'_>, violations: &mut Vec<Broken>) -> Result<(), Violation> {
        let mut report = |rule, message| violations.push(Broken { field: field.to_owned(), rule, message });
        if let Some(name) = &self.r#type
            && !fits_type(value, name)?
        {
            report("type", format!("Field '{field}' must be {name}, got {}", published_type(value.get())));
            return Ok(());
        }
        if let Some(pattern) = &self.pattern {
            let pattern = Pattern::parse(pattern)?;
            if !text(value).is_some_and(|text| pattern.fits(&text)) {
                report("pattern", format!("Field '{field}' does not match its pattern"));
            }
        }
        let number = digits(value);
        let number = number.as_deref().and_then(Integer::parse);
        if let Some(bound) = self.min_value {
            let least = Integer::parse(bound.get()).ok_or(Violation)?;
            if number.is_none_or(|number| number < least) {
                report("min_value", format!("Field '{field}' must be >= {}", bound.get()));
            }
        }
        if let Some(bound) = self.max_value {
            let most = Integer::parse(bound.get()).ok_or(Violation)?;
            if number.is_none_or(|number| number > most) {
                report("max_value", format!("Field '{field}' must be <= {}", bound.get()));
            }
        }
        if let Some(other) = &self.lte_field {
            let bound = record.get(other).and_then(|value| digits(value));
            // Without a number on the other side there is nothing to compare with; that field has rules of its own.
            if let Some(most) = bound.as_deref().and_then(Integer::parse)
                && number.is_none_or(|number| number > most)
            {
                report("lte_field", format!("Field '{field}' must be <= field '{other}'"));
            }
        }
        Ok(())
    }
}

/// The JSON types, and two that are written as strings.
fn fits_type(value: &Raw, name: &str) -> Result<bool, Violation> {
    match name {
        "integer_string" => Ok(text(value).is_some_and(|text| Integer::parse(&text).is_some())),
        "hex_string" => Ok(text(value)
            .is_some_and(|text| !text.is_empty() && text.strip_prefix("0x").unwrap_or(&text).bytes().all(|byte| byte.is_ascii_hexdigit()))),
        json => is_a(value, json),
    }
}

/// The content of a JSON string.
fn text(value: &Raw) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The digits of a number, or those in a string.
fn digits(value: &Raw) -> Option<String> {
    if value.get().starts_with('"') { text(value) } else { Some(value.get().to_owned()) }
}

/// What the published messages call the type of a value.
fn published_type(value: &str) -> &'static str {
    match value.bytes().next() {
        Some(b'"') => "str",
        Some(b'{') => "dict",
        Some(b'[') => "list",
        Some(b't' | b'f') => "bool",
        Some(b'n') => "NoneType",
        _ if value.contains(['.', 'e', 'E']) => "float",
        _ => "int",
    }
}
