//! From a handler's result to the status and the outputs that the host sees; no I/O and no business rule.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::{Call, Context, Fault};

/// The step did what it was asked to do.
pub(crate) const SUCCESS: &str = "SUCCESS";
/// The inputs do not fit the declared types or break a rule.
pub(crate) const VIOLATION: &str = "VIOLATION";
/// The host, or what it has stored, is to blame.
pub(crate) const BACKEND_ERROR: &str = "BACKEND_ERROR";
/// Nothing was put out. Failures say no more than their status: a message could carry a secret into a trace.
const NOTHING: &str = "{}";

/// The inputs break a rule. It carries nothing on purpose: a message built from inputs could leak them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation;

/// What goes back to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// One of the statuses that the capability declares.
    pub status: &'static str,
    /// A JSON object.
    pub outputs: String,
}

impl Answer {
    /// A status without outputs.
    #[must_use]
    pub fn bare(status: &'static str) -> Self {
        Self { status, outputs: String::from(NOTHING) }
    }

    /// A status with outputs. Outputs that cannot be written as JSON (a map with keys that are no strings) are a `BACKEND_ERROR`.
    #[must_use]
    pub fn new<T: Serialize>(status: &'static str, outputs: &T) -> Self {
        match serde_json::to_string(outputs) {
            Ok(outputs) => Self { status, outputs },
            Err(_) => Self::bare(BACKEND_ERROR),
        }
    }

    /// The answer to a code or an operation that the module does not serve.
    #[must_use]
    pub fn unknown() -> Self {
        Self::bare(BACKEND_ERROR)
    }
}

/// What a side effect did: a status, with or without outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<T> {
    status: &'static str,
    outputs: Option<T>,
}

impl<T> Outcome<T> {
    /// Status `SUCCESS` with outputs.
    pub const fn success(outputs: T) -> Self {
        Self { status: SUCCESS, outputs: Some(outputs) }
    }

    /// Another status with outputs.
    pub const fn with(status: &'static str, outputs: T) -> Self {
        Self { status, outputs: Some(outputs) }
    }

    /// A status without outputs.
    pub const fn bare(status: &'static str) -> Self {
        Self { status, outputs: None }
    }
}

/// Runs the handler of a pure transform. Inputs that do not fit its type are a `VIOLATION`, as are those it refuses.
#[must_use]
pub fn transform<'a, I, O>(handler: impl FnOnce(I) -> Result<O, Violation>, inputs: &'a str) -> Answer
where
    I: Deserialize<'a>,
    O: Serialize,
{
    let Ok(inputs) = serde_json::from_str(inputs) else { return Answer::bare(VIOLATION) };
    match handler(inputs) {
        Ok(outputs) => Answer::new(SUCCESS, &outputs),
        Err(Violation) => Answer::bare(VIOLATION),
    }
}

/// Runs the handler of a pure transform that chooses its status itself. Inputs that do not fit its type are a `VIOLATION`.
#[must_use]
pub fn answer<'a, I>(handler: impl FnOnce(I) -> Answer, inputs: &'a str) -> Answer
where
    I: Deserialize<'a>,
{
    serde_json::from_str(inputs).map_or_else(|_| Answer::bare(VIOLATION), handler)
}

/// Runs the handler of one operation of a side effect. Inputs that do not fit its type are a `VIOLATION`; a fault gives its own status.
#[must_use]
pub fn effect<'a, I, O>(
    handler: impl FnOnce(&mut Context<'_>, I) -> Result<Outcome<O>, Fault>,
    context: &mut Context<'_>,
    call: &Call<'a>,
) -> Answer
where
    I: Deserialize<'a>,
    O: Serialize,
{
    let Ok(inputs) = serde_json::from_str(call.inputs) else { return Answer::bare(VIOLATION) };
    match handler(context, inputs) {
        Ok(Outcome { status, outputs: Some(outputs) }) => Answer::new(status, &outputs),
        Ok(Outcome { status, outputs: None }) => Answer::bare(status),
        Err(fault) => Answer::bare(fault.status()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Ask<'a> {
        word: &'a str,
    }

    #[derive(Serialize)]
    struct Told {
        length: usize,
    }

    fn length(ask: Ask<'_>) -> Result<Told, Violation> {
        if ask.word.is_empty() { Err(Violation) } else { Ok(Told { length: ask.word.len() }) }
    }

    #[test]
    fn a_success_carries_the_outputs() {
        assert_eq!(transform(length, r#"{"word":"abc"}"#), Answer { status: SUCCESS, outputs: r#"{"length":3}"#.into() });
    }

    #[test]
    fn wrong_types_missing_members_broken_json_and_refusals_are_violations_without_a_word() {
        for inputs in [r#"{"word":5}"#, "{}", "{", "", r#"{"word":""}"#, r#"{"word":null}"#] {
            assert_eq!(transform(length, inputs), Answer::bare(VIOLATION), "{inputs}");
        }
    }

    #[test]
    fn a_handler_that_chooses_its_status_is_asked_only_about_inputs_that_fit() {
        let handler = |ask: Ask<'_>| Answer::new("LONG", &Told { length: ask.word.len() });
        assert_eq!(answer(handler, r#"{"word":"abc"}"#), Answer { status: "LONG", outputs: r#"{"length":3}"#.into() });
        assert_eq!(answer(handler, r#"{"word":5}"#), Answer::bare(VIOLATION));
    }

    #[test]
    fn each_fault_gives_its_status() {
        use alloc::string::String;
        for (fault, status) in [
            (Fault::Unavailable(String::new()), BACKEND_ERROR),
            (Fault::Denied(String::new()), BACKEND_ERROR),
            (Fault::Limit(String::new()), BACKEND_ERROR),
            (Fault::Damaged, BACKEND_ERROR),
            (Fault::Invalid(String::new()), VIOLATION),
            (Fault::Violation, VIOLATION),
        ] {
            assert_eq!(fault.status(), status);
        }
    }
}
