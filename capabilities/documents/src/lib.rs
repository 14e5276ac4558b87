//! `CS_MUTABLE_JSON_V0`: JSON documents by key; the last write wins. `READ` and `WRITE` are other names of `GET` and `PUT`.
//!
//! What is stored is the value itself. A stored text that is no JSON is damage: it is reported, and not written over.

use enact_guest_sdk::{Context, Expect, Fault, Outcome, Raw, Violation};
use serde::{Deserialize, Serialize};

/// The published bound on keys.
const KEY_LENGTH_MAX: usize = 256;
/// Keys per host call while listing. Larger pages mean fewer calls and more memory at once.
const PAGE_DOCUMENTS: u32 = 256;

#[derive(Deserialize)]
struct Key {
    key: String,
}

#[derive(Deserialize)]
struct Put<'a> {
    key: String,
    #[serde(borrow)]
    value: &'a Raw,
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Serialize)]
struct Value {
    value: Box<Raw>,
}

#[derive(Serialize)]
struct Presence {
    exists: bool,
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<String>,
}

fn check(key: &str) -> Result<(), Violation> {
    if key.is_empty() || key.len() > KEY_LENGTH_MAX { Err(Violation) } else { Ok(()) }
}

/// The value under a key; what is no JSON is damaged.
fn find(context: &mut Context<'_>, key: &str) -> Result<Option<Box<Raw>>, Fault> {
    check(key)?;
    let document = context.table().get(key)?;
    document.map(|document| Raw::from_string(document.value).map_err(|_| Fault::Damaged)).transpose()
}

fn get(context: &mut Context<'_>, i: Key) -> Result<Outcome<Value>, Fault> {
    Ok(find(context, &i.key)?.map_or(Outcome::bare("NOT_FOUND"), |value| Outcome::success(Value { value })))
}

fn put(context: &mut Context<'_>, i: Put<'_>) -> Result<Outcome<()>, Fault> {
    find(context, &i.key)?;
    context.table().put(&i.key, i.value.get(), Expect::Any)?;
    Ok(Outcome::bare("SUCCESS"))
}

fn delete(context: &mut Context<'_>, i: Key) -> Result<Outcome<()>, Fault> {
    check(&i.key)?;
    let removed = context.table().remove(&i.key, Expect::Any)?;
    Ok(Outcome::bare(if removed { "SUCCESS" } else { "NOT_FOUND" }))
}

fn exists(context: &mut Context<'_>, i: Key) -> Result<Outcome<Presence>, Fault> {
    Ok(Outcome::success(Presence { exists: find(context, &i.key)?.is_some() }))
}

fn list(context: &mut Context<'_>, _: Nothing) -> Result<Outcome<Keys>, Fault> {
    let mut keys: Vec<String> = Vec::new();
    loop {
        let page = context.table().list(keys.last().map(String::as_str), PAGE_DOCUMENTS)?;
        let last = page.len() < PAGE_DOCUMENTS as usize;
        keys.extend(page.into_iter().map(|(key, _)| key));
        if last {
            return Ok(Outcome::success(Keys { keys }));
        }
    }
}

enact_guest_sdk::side_effect! {
    "CS_MUTABLE_JSON_V0" {
        "GET" => get,
        "READ" => get,
        "PUT" => put,
        "WRITE" => put,
        "DELETE" => delete,
        "EXISTS" => exists,
        "LIST" => list,
    }
}

#[cfg(test)]
mod tests;
