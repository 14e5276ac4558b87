//! Transforms that move parts of records around: assemble, extract, look up, filter, pass on. They decide nothing.

use enact_capability_rules::{Members, is_a};
use enact_guest_sdk::{Raw, Violation};
use serde::{Deserialize, Serialize};

/// The filter value that asks for presence instead of equality.
const PRESENT: &str = r#""present""#;

#[derive(Deserialize)]
pub(crate) struct Value<'a> {
    #[serde(borrow)]
    value: &'a Raw,
}

#[derive(Serialize)]
pub(crate) struct Passed<'a> {
    value: &'a Raw,
}

#[derive(Serialize)]
pub(crate) struct Found<'a> {
    result: &'a Raw,
}

/// `CT_PURE_PASSTHROUGH_V0`.
pub(crate) fn pass(i: Value<'_>) -> Result<Passed<'_>, Violation> {
    Ok(Passed { value: i.value })
}

/// `CT_EXEC_EMIT_V0`.
pub(crate) fn emit(i: Value<'_>) -> Result<Found<'_>, Violation> {
    Ok(Found { result: i.value })
}

#[derive(Deserialize)]
pub(crate) struct Assemble<'a> {
    #[serde(borrow)]
    fields: &'a Raw,
}

#[derive(Serialize)]
pub(crate) struct Assembled<'a> {
    record: &'a Raw,
}

/// `CT_PURE_ASSEMBLE_RECORD_V0`: the fields, if they are an object.
pub(crate) fn assemble(i: Assemble<'_>) -> Result<Assembled<'_>, Violation> {
    if i.fields.get().starts_with('{') { Ok(Assembled { record: i.fields }) } else { Err(Violation) }
}

#[derive(Deserialize)]
pub(crate) struct Extract<'a> {
    #[serde(borrow)]
    from: &'a Raw,
    path: String,
    r#type: Option<String>,
}

/// `CT_PURE_EXTRACT_V0`: the member at a dotted path; only objects have members. A type that is named must be the type of the result.
pub(crate) fn extract(i: Extract<'_>) -> Result<Found<'_>, Violation> {
    let mut result = i.from;
    for name in i.path.split('.') {
        let members: Members<'_> = serde_json::from_str(result.get()).map_err(|_| Violation)?;
        result = *members.get(name).ok_or(Violation)?;
    }
    match i.r#type {
        Some(name) if !is_a(result, &name)? => Err(Violation),
        _ => Ok(Found { result }),
    }
}

#[derive(Deserialize)]
pub(crate) struct Lookup<'a> {
    key: String,
    #[serde(borrow)]
    map: Members<'a>,
}

/// `CT_PURE_LOOKUP_V0`: the value under a key; a key that is not there is a violation.
pub(crate) fn lookup(i: Lookup<'_>) -> Result<Found<'_>, Violation> {
    i.map.get(&i.key).map(|result| Found { result }).ok_or(Violation)
}

#[derive(Deserialize)]
pub(crate) struct Filter<'a> {
    #[serde(borrow)]
    source: Vec<&'a Raw>,
    #[serde(borrow)]
    filter: Members<'a>,
}

#[derive(Serialize)]
pub(crate) struct Filtered<'a> {
    extracted: Vec<&'a Raw>,
}

/// `CT_PURE_FILTER_RECORDS_V0`: the records whose members equal those of the filter, in their order. `"present"` asks only that the
/// member is there and not null.
pub(crate) fn filter(i: Filter<'_>) -> Result<Filtered<'_>, Violation> {
    let mut extracted = Vec::new();
    for record in i.source {
        let members: Members<'_> = serde_json::from_str(record.get()).map_err(|_| Violation)?;
        let fits = i.filter.iter().all(|(name, wanted)| {
            members.get(name).is_some_and(|found| found.get() == wanted.get() || (wanted.get() == PRESENT && found.get() != "null"))
        });
        if fits {
            extracted.push(record);
        }
    }
    Ok(Filtered { extracted })
}
