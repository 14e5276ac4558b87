//! `CT_PURE_RENDER_CONFIG_V0`: fills the `${name}` placeholders of a template with values. No conditions, no loops, no nesting.
//!
//! A string that is one placeholder becomes the value itself, whatever its type; inside a longer string only text, integers and booleans
//! can stand. Values are not searched for placeholders, so no value can reach another. Names of members are not filled.

use enact_capability_rules::Members;
use enact_guest_sdk::{Raw, Violation};
use serde::{Deserialize, Serialize};

/// Deepest template: each level is a call on a small stack.
const DEPTH_MAX: u32 = 64;

#[derive(Deserialize)]
pub(crate) struct Inputs<'a> {
    #[serde(borrow)]
    template: &'a Raw,
    #[serde(borrow)]
    values: Members<'a>,
}

#[derive(Serialize)]
pub(crate) struct Rendered {
    config: Box<Raw>,
}

/// A placeholder without a value is a violation, and so is one that is not closed.
pub(crate) fn render(i: Inputs<'_>) -> Result<Rendered, Violation> {
    if !i.template.get().starts_with('{') {
        return Err(Violation);
    }
    let mut config = String::with_capacity(2 * i.template.get().len());
    fill(i.template, &i.values, DEPTH_MAX, &mut config)?;
    Ok(Rendered { config: Raw::from_string(config).map_err(|_| Violation)? })
}

/// Writes a part of the template, filled, as JSON.
fn fill(template: &Raw, values: &Members<'_>, depth: u32, config: &mut String) -> Result<(), Violation> {
    let depth = depth.checked_sub(1).ok_or(Violation)?;
    let text = template.get();
    match text.as_bytes().first() {
        Some(b'"') => fill_text(text, values, config)?,
        Some(b'{') => {
            let members: Members<'_> = parse(text)?;
            let mut separator = '{';
            for (name, value) in &members {
                config.push(separator);
                separator = ',';
                write_text(name, config)?;
                config.push(':');
                fill(value, values, depth, config)?;
            }
            config.push_str(if members.is_empty() { "{}" } else { "}" });
        }
        Some(b'[') => {
            let elements: Vec<&Raw> = parse(text)?;
            let mut separator = '[';
            for value in &elements {
                config.push(separator);
                separator = ',';
                fill(value, values, depth, config)?;
            }
            config.push_str(if elements.is_empty() { "[]" } else { "]" });
        }
        _ => config.push_str(text),
    }
    Ok(())
}

/// Writes a string of the template, filled, as JSON.
fn fill_text(json: &str, values: &Members<'_>, config: &mut String) -> Result<(), Violation> {
    if !json.contains("${") {
        config.push_str(json);
        return Ok(());
    }
    let text: String = parse(json)?;
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
        && !name.contains('}')
    {
        config.push_str(values.get(name).ok_or(Violation)?.get());
        return Ok(());
    }
    let mut filled = String::with_capacity(2 * text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or(Violation)?;
        filled.push_str(before);
        let value = values.get(name).ok_or(Violation)?.get();
        match value.as_bytes().first() {
            Some(b'"') => filled.push_str(&parse::<String>(value)?),
            Some(b'{' | b'[' | b'n') | None => return Err(Violation),
            // A fraction has more than one way to be written, and none is the right one for a text.
            Some(_) if value.contains('.') || (value != "true" && value != "false" && value.contains(['e', 'E'])) => return Err(Violation),
            Some(_) => filled.push_str(value),
        }
        rest = after;
    }
    filled.push_str(rest);
    write_text(&filled, config)
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Violation> {
    serde_json::from_str(json).map_err(|_| Violation)
}

fn write_text(text: &str, config: &mut String) -> Result<(), Violation> {
    config.push_str(&serde_json::to_string(text).map_err(|_| Violation)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dispatch;

    fn says(template: &str, values: &str) -> (&'static str, String) {
        let answer = dispatch("CT_PURE_RENDER_CONFIG_V0", &format!(r#"{{"template":{template},"values":{values}}}"#));
        (answer.status, answer.outputs)
    }

    #[test]
    fn placeholders_are_filled_at_every_depth_and_whole_ones_keep_their_type() {
        let template = r#"{"a":"x/${s}/${n}/${b}!","b":["${n}",{"c":"${o}"},[],{}],"d":7.5,"e":"$ {s} $","f":"${s}${n}"}"#;
        let config = r#"{"a":"x/\"y\\/5/true!","b":[5,{"c":{"k":[null]}},[],{}],"d":7.5,"e":"$ {s} $","f":"\"y\\5"}"#;
        let values = r#"{"b":true,"n":5,"o":{"k":[null]},"s":"\"y\\"}"#;
        assert_eq!(says(template, values), ("SUCCESS", format!(r#"{{"config":{config}}}"#)));
    }

    #[test]
    fn a_value_is_never_searched_for_placeholders() {
        assert_eq!(says(r#"{"a":"-${s}"}"#, r#"{"s":"${t}","t":"secret"}"#), ("SUCCESS", r#"{"config":{"a":"-${t}"}}"#.into()));
        assert_eq!(says(r#"{"a":"${s}"}"#, r#"{"s":"${t}","t":"secret"}"#), ("SUCCESS", r#"{"config":{"a":"${t}"}}"#.into()));
    }

    #[test]
    fn missing_values_open_placeholders_and_composites_inside_text_are_violations() {
        for (template, values) in [
            (r#"{"a":"${x}"}"#, "{}"),
            (r#"{"a":"-${x}"}"#, "{}"),
            (r#"{"a":"-${x"}"#, r#"{"x":"1"}"#),
            (r#"{"a":"-${x}"}"#, r#"{"x":null}"#),
            (r#"{"a":"-${x}"}"#, r#"{"x":{}}"#),
            (r#"{"a":"-${x}"}"#, r#"{"x":1.5}"#),
            (r#"{"a":"-${x}"}"#, r#"{"x":1e30}"#),
            (r#""${x}""#, r#"{"x":"1"}"#),
        ] {
            assert_eq!(says(template, values).0, "VIOLATION", "{template} {values}");
        }
    }

    #[test]
    fn a_template_is_as_deep_as_allowed_and_no_deeper() {
        let nested = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert_eq!(says(&nested(63), "{}").0, "SUCCESS");
        assert_eq!(says(&nested(64), "{}").0, "VIOLATION");
        assert_eq!(says(&nested(100_000), "{}").0, "VIOLATION");
    }
}
