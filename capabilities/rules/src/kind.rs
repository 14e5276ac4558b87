//! The types of JSON under the names that artifacts use.

use enact_guest_sdk::{Raw, Violation};

/// Whether a value has the type of that name.
///
/// # Errors
/// A name that is none is a violation, not a mismatch.
pub fn is_a(value: &Raw, name: &str) -> Result<bool, Violation> {
    let text = value.get();
    let first = text.bytes().next().unwrap_or(b' ');
    let number = first == b'-' || first.is_ascii_digit();
    Ok(match name {
        "any" => true,
        "string" => first == b'"',
        "object" | "dict" => first == b'{',
        "array" | "list" => first == b'[',
        "boolean" | "bool" => first == b't' || first == b'f',
        "number" => number,
        "integer" | "int" => number && !text.contains(['.', 'e', 'E']),
        _ => return Err(Violation),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_types_and_no_others() {
        let names = ["string", "object", "array", "boolean", "number", "integer"];
        for (json, types) in [
            (r#""x""#, &["string"][..]),
            ("{}", &["object"]),
            ("[]", &["array"]),
            ("true", &["boolean"]),
            ("false", &["boolean"]),
            ("-5", &["number", "integer"]),
            ("1.5", &["number"]),
            ("1e30", &["number"]),
            ("null", &[]),
        ] {
            let value: &Raw = serde_json::from_str(json).expect("JSON");
            for name in names {
                assert_eq!(is_a(value, name), Ok(types.contains(&name)), "{json} {name}");
            }
            assert_eq!(is_a(value, "any"), Ok(true));
            assert_eq!(is_a(value, "text"), Err(Violation));
        }
    }
}
