//! Artifacts that say what may be recorded: carried, hashed and sealed as they are written.
//!
//! Nothing here knows what a lifecycle, a matrix or an account is. Read are only the members that name other parts of the set, so that a
//! snapshot is closed; their shape and everything else is checked by whoever judges records.

use crate::problem::Problem;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;
use serde_json::Value;

/// An `LC_`, `AM_`, `AS_`, `QC_`, `DC_` or `VW_`: an object with a code and a summary, otherwise opaque.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Governance(Value);

/// A component that an artifact calls by capability and module, and where it says so.
pub(crate) struct Called<'a> {
    pub(crate) at: String,
    pub(crate) capability: &'a str,
    pub(crate) module: Option<&'a str>,
}

impl<'a> Called<'a> {
    /// Nothing where no capability is called.
    fn read(at: String, call: &'a Value) -> Option<Self> {
        let capability = call.get("capability").and_then(Value::as_str)?;
        Some(Self { at, capability, module: call.get("module").and_then(Value::as_str) })
    }
}

impl Governance {
    /// Takes an object whose `code` has been checked.
    pub(super) fn read(stem: &str, value: Value) -> Result<Self, Problem> {
        if value.get("summary").is_some_and(Value::is_string) {
            Ok(Self(value))
        } else {
            Err(Problem::error("bad_shape", stem, "summary", "one sentence for people is missing"))
        }
    }

    /// Equal to the file stem.
    #[must_use]
    pub fn code(&self) -> &str {
        self.text("code")
    }

    /// One sentence for people.
    #[must_use]
    pub fn summary(&self) -> &str {
        self.text("summary")
    }

    /// The whole artifact as it was written.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.0
    }

    /// The transforms named under `invariants`, in the order of the actions, and under `validation`.
    pub(crate) fn invariants(&self) -> Vec<Called<'_>> {
        let mut called = Vec::new();
        for (name, action) in self.0.get("actions").and_then(Value::as_object).into_iter().flatten() {
            let listed = action.get("invariants").and_then(Value::as_array).into_iter().flatten();
            for (index, invariant) in listed.enumerate() {
                called.extend(Called::read(format!("actions.{name}.invariants.{index}"), invariant));
            }
        }
        let groups = self.0.get("validation").and_then(Value::as_array).into_iter().flatten();
        for (nth, group) in groups.enumerate() {
            let checks = group.get("checks").and_then(Value::as_array).into_iter().flatten();
            called.extend(checks.enumerate().filter_map(|(index, check)| Called::read(format!("validation.{nth}.checks.{index}"), check)));
        }
        called
    }

    /// The workflows that a queue contract runs, and where it says so.
    pub(crate) fn workflows(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let places =
            [("workflow", "/workflow"), ("settlement.workflow", "/settlement/workflow"), ("fulfillment.workflow", "/fulfillment/workflow")];
        let contract = self.code().starts_with("QC_");
        places.into_iter().filter(move |_| contract).filter_map(|(at, pointer)| Some((at, self.0.pointer(pointer)?.as_str()?)))
    }

    /// The binding under which a queue contract runs its workflow.
    pub(crate) fn binding(&self) -> Option<&str> {
        self.0.get("binding").filter(|_| self.code().starts_with("QC_")).and_then(Value::as_str)
    }

    /// The side effects named under `effects`.
    pub(crate) fn effects(&self) -> impl Iterator<Item = &str> {
        self.0.get("effects").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    fn text(&self, member: &str) -> &str {
        self.0.get(member).and_then(Value::as_str).unwrap_or_default()
    }
}
