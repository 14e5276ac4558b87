//! `CS_REGISTRY_V0`: a name can be taken once and stands for an address and a target; either resolves it.
//!
//! The address is a second key of the same store: `#<address>` holds the name. So a name is a key itself and must not start with `#`.

use enact_guest_sdk::{Context, Fault, Outcome, Violation};
use serde::{Deserialize, Serialize};

/// The published bound on names; an address is shorter.
const KEY_LENGTH_MAX: usize = 256;
/// What an address begins with; 32 hex digits follow.
const ADDRESS_PREFIX: &str = "ADDR_";
/// What the key of the address index begins with.
const INDEX_PREFIX: char = '#';

/// What is stored under a name, in the published order of members.
#[derive(Serialize, Deserialize)]
struct Entry {
    key: String,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_cs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_ref: Option<String>,
}

#[derive(Deserialize)]
struct Register {
    key: String,
    target_cs: Option<String>,
    target_ref: Option<String>,
}

#[derive(Serialize)]
struct Registered {
    address: String,
}

#[derive(Deserialize)]
struct Reference {
    key_or_address: String,
}

#[derive(Serialize)]
struct Target {
    #[serde(skip_serializing_if = "Option::is_none")]
    target_cs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_ref: Option<String>,
}

#[derive(Serialize)]
struct Presence {
    exists: bool,
}

/// A name that is not empty, not too long and not in the space of the index.
fn check(key: &str) -> Result<(), Violation> {
    let sound = !key.is_empty() && key.len() <= KEY_LENGTH_MAX && !key.starts_with(INDEX_PREFIX);
    if sound { Ok(()) } else { Err(Violation) }
}

fn index_key(address: &str) -> String {
    let mut key = String::with_capacity(1 + address.len());
    key.push(INDEX_PREFIX);
    key.push_str(address);
    key
}

/// A fresh address from 16 bytes that the host gives to nobody else.
fn address(context: &mut Context<'_>) -> Result<String, Fault> {
    let unique = context.random().unique()?;
    let mut address = String::from(ADDRESS_PREFIX);
    for byte in unique {
        for nibble in [byte >> 4, byte & 15] {
            address.extend(char::from_digit(nibble.into(), 16));
        }
    }
    Ok(address)
}

/// The entry of a live name. One that is not of our making is damage.
fn entry(context: &mut Context<'_>, key: &str) -> Result<Option<Entry>, Fault> {
    context.registry().lookup(key)?.map(|stored| Context::decode(&stored)).transpose()
}

/// The live entry that a name or an address stands for.
fn find(context: &mut Context<'_>, key_or_address: &str) -> Result<Option<Entry>, Fault> {
    check(key_or_address)?;
    if let Some(found) = entry(context, key_or_address)? {
        return Ok(Some(found));
    }
    if !key_or_address.starts_with(ADDRESS_PREFIX) {
        return Ok(None);
    }
    match context.registry().lookup(&index_key(key_or_address))? {
        Some(key) => entry(context, &key),
        None => Ok(None),
    }
}

fn register(context: &mut Context<'_>, i: Register) -> Result<Outcome<Registered>, Fault> {
    check(&i.key)?;
    // Looking first costs a refused caller no address.
    if entry(context, &i.key)?.is_some() {
        return Ok(Outcome::bare("ALREADY_EXISTS"));
    }
    let address = address(context)?;
    let entry = Entry { key: i.key, address, target_cs: i.target_cs, target_ref: i.target_ref };
    let text = serde_json::to_string(&entry).map_err(|_| Fault::Damaged)?;
    if context.registry().register(&entry.key, &text)?.is_some() {
        return Ok(Outcome::bare("ALREADY_EXISTS"));
    }
    // An address that is already indexed keeps its first name: addresses are unique, so this is the same name after a retirement.
    context.registry().register(&index_key(&entry.address), &entry.key)?;
    Ok(Outcome::success(Registered { address: entry.address }))
}

fn resolve(context: &mut Context<'_>, i: Reference) -> Result<Outcome<Target>, Fault> {
    Ok(match find(context, &i.key_or_address)? {
        Some(entry) => Outcome::success(Target { target_cs: entry.target_cs, target_ref: entry.target_ref }),
        None => Outcome::bare("NOT_FOUND"),
    })
}

fn exists(context: &mut Context<'_>, i: Reference) -> Result<Outcome<Presence>, Fault> {
    Ok(Outcome::success(Presence { exists: find(context, &i.key_or_address)?.is_some() }))
}

fn deregister(context: &mut Context<'_>, i: Reference) -> Result<Outcome<()>, Fault> {
    let Some(entry) = find(context, &i.key_or_address)? else { return Ok(Outcome::bare("NOT_FOUND")) };
    context.registry().retire(&index_key(&entry.address))?;
    context.registry().retire(&entry.key)?;
    Ok(Outcome::bare("SUCCESS"))
}

enact_guest_sdk::side_effect! {
    "CS_REGISTRY_V0" {
        "REGISTER" => register,
        "RESOLVE" => resolve,
        "EXISTS" => exists,
        "DEREGISTER" => deregister,
    }
}

#[cfg(test)]
mod tests;
