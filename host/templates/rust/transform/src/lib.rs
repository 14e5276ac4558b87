//! `CT_{{NAME}}_V0`: a key that follows from a text. A pure transform: no imports, so the same inputs always give the same outputs.
use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../wit", world: "transform-module" });

use exports::enact::capability::transform::{Call, Guest, Outcome};

struct Module;

impl Guest for Module {
    fn run(call: Call) -> Outcome {
        let (status, outputs) = answer(&call.capability, &call.inputs);
        Outcome { status: status.to_owned(), outputs }
    }
}

export!(Module);

#[derive(Deserialize)]
struct Inputs {
    text: String,
}

#[derive(Serialize)]
struct Outputs {
    key: String,
}

/// A status and a JSON object.
fn answer(capability: &str, inputs: &str) -> (&'static str, String) {
    if capability != "CT_{{NAME}}_V0" {
        return ("BACKEND_ERROR", "{}".to_owned());
    }
    let key = serde_json::from_str::<Inputs>(inputs).map(|inputs| key_of(&inputs.text)).unwrap_or_default();
    match serde_json::to_string(&Outputs { key }) {
        Ok(outputs) if outputs != r#"{"key":""}"# => ("SUCCESS", outputs),
        _ => ("VIOLATION", "{}".to_owned()),
    }
}

/// Letters and digits of ASCII in lower case; whatever lies between them becomes one dash.
fn key_of(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_one_key() {
        assert_eq!(key_of("  The Tree & the River, No. 7 "), "the-tree-the-river-no-7");
        assert_eq!(answer("CT_{{NAME}}_V0", r#"{"text":"A b"}"#), ("SUCCESS", r#"{"key":"a-b"}"#.to_owned()));
    }

    #[test]
    fn what_makes_no_key_is_a_violation() {
        for inputs in [r#"{"text":"…"}"#, r#"{"text":7}"#, "{}"] {
            assert_eq!(answer("CT_{{NAME}}_V0", inputs).0, "VIOLATION", "{inputs}");
        }
    }
}
