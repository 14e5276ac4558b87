//! `CS_{{NAME}}_V0`: keys that can be taken once. A side effect: it sees the one store that the binding gives its step, and every call
//! of the host is recorded with its answer. Only the interfaces that it calls become imports of the component.
use serde::Deserialize;
use serde_json::value::RawValue;

wit_bindgen::generate!({ path: "../wit", world: "side-effect-module" });

use enact::capability::fault::Error;
use enact::capability::registry;
use exports::enact::capability::side_effect::{Call, Guest, Outcome};

struct Module;

impl Guest for Module {
    fn run(call: Call) -> Outcome {
        let (status, outputs) = answer(&call).unwrap_or_else(|refused| (status_of(&refused), "{}".to_owned()));
        Outcome { status: status.to_owned(), outputs }
    }
}

export!(Module);

/// A value that is only passed on stays the text that it was.
#[derive(Deserialize)]
struct Inputs<'a> {
    key: String,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// A status and a JSON object.
type Answer = (&'static str, String);

fn answer(call: &Call) -> Result<Answer, Error> {
    if call.capability != "CS_{{NAME}}_V0" {
        return Ok(("BACKEND_ERROR", "{}".to_owned()));
    }
    let Ok(inputs) = serde_json::from_str::<Inputs<'_>>(&call.inputs) else { return Ok(("VIOLATION", "{}".to_owned())) };
    match (call.operation.as_str(), inputs.value) {
        _ if inputs.key.is_empty() => Ok(("VIOLATION", "{}".to_owned())),
        ("REGISTER", Some(value)) => register(&call.store, &inputs.key, value.get()),
        ("REGISTER", None) => Ok(("VIOLATION", "{}".to_owned())),
        ("LOOKUP", _) => lookup(&call.store, &inputs.key),
        _ => Ok(("BACKEND_ERROR", "{}".to_owned())),
    }
}

/// Takes the key; when it is taken, answers the value that it stands for.
fn register(store: &str, key: &str, value: &str) -> Result<Answer, Error> {
    Ok(match registry::register(store, key, value)? {
        None => ("SUCCESS", "{}".to_owned()),
        Some(existing) => ("ALREADY_EXISTS", format!(r#"{{"value":{existing}}}"#)),
    })
}

/// Answers the value that the key stands for.
fn lookup(store: &str, key: &str) -> Result<Answer, Error> {
    Ok(match registry::lookup(store, key)? {
        None => ("NOT_FOUND", "{}".to_owned()),
        Some(value) => ("SUCCESS", format!(r#"{{"value":{value}}}"#)),
    })
}

/// What the host calls invalid is the fault of who called, the rest is not.
fn status_of(refused: &Error) -> &'static str {
    match refused {
        Error::Invalid(_) => "VIOLATION",
        Error::Denied(_) | Error::Limit(_) | Error::Unavailable(_) => "BACKEND_ERROR",
    }
}
