//! `CS_REGISTRY_V0`, operations `REGISTER` and `RESOLVE`: a key can be taken once and stands for a target and an address.
use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../wit", world: "side-effect-module" });

use enact::capability::fault::Error;
use enact::capability::{random, registry};
use exports::enact::capability::side_effect::{Call, Guest, Outcome};

struct Module;

impl Guest for Module {
    fn run(call: Call) -> Outcome {
        let (status, outputs) = answer(&call).unwrap_or(("BACKEND_ERROR", "{}".to_owned()));
        Outcome { status: status.to_owned(), outputs }
    }
}

export!(Module);

#[derive(Deserialize)]
struct Register {
    key: String,
    target_cs: Option<String>,
    target_ref: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    key_or_address: String,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    key: String,
    address: String,
    target_cs: Option<String>,
    target_ref: Option<String>,
}

/// A status and a JSON object.
type Answer = (&'static str, String);

fn answer(call: &Call) -> Result<Answer, Error> {
    let violation = || Ok(("VIOLATION", "{}".to_owned()));
    match (call.capability.as_str(), call.operation.as_str()) {
        ("CS_REGISTRY_V0", "REGISTER") => serde_json::from_str(&call.inputs).map_or_else(|_| violation(), |asked| register(call, asked)),
        ("CS_REGISTRY_V0", "RESOLVE") => serde_json::from_str(&call.inputs).map_or_else(|_| violation(), |asked| resolve(call, &asked)),
        _ => Ok(("BACKEND_ERROR", "{}".to_owned())),
    }
}

fn register(call: &Call, asked: Register) -> Result<Answer, Error> {
    let hex: String = random::unique()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = Entry { key: asked.key, address: format!("ADDR_{hex}"), target_cs: asked.target_cs, target_ref: asked.target_ref };
    let text = serde_json::to_string(&entry).map_err(|_| Error::Invalid(String::new()))?;
    Ok(match registry::register(&call.store, &entry.key, &text)? {
        None => ("SUCCESS", format!(r#"{{"address":"{}"}}"#, entry.address)),
        Some(_) => ("ALREADY_EXISTS", "{}".to_owned()),
    })
}

fn resolve(call: &Call, asked: &Reference) -> Result<Answer, Error> {
    let Some(text) = registry::lookup(&call.store, &asked.key_or_address)? else { return Ok(("NOT_FOUND", "{}".to_owned())) };
    let entry: Entry = serde_json::from_str(&text).map_err(|_| Error::Unavailable(String::new()))?;
    let target = serde_json::json!({ "target_cs": entry.target_cs, "target_ref": entry.target_ref });
    Ok(("SUCCESS", target.to_string()))
}
