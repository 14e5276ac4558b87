//! The answer of a validation, in exactly the documented shape, whether it passed or not.

use crate::id;
use crate::refused::Refused;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Formatter, Result as Written};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The reason of an answer without any group: a contract that checks nothing lets nothing through.
pub const REASON_NO_GROUP: &str = "validation_empty";

/// Whether each group holds, in the order of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(Vec<(String, bool)>);

impl Groups {
    /// Name and outcome of each group.
    pub fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().map(|(name, holds)| (name.as_str(), *holds))
    }

    /// Whether there are groups and all of them hold.
    #[must_use]
    pub fn hold(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|(_, holds)| *holds)
    }

    /// Whether nothing was validated yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Groups {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, holds) in &self.0 {
            map.serialize_entry(name, holds)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Groups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Groups;
            fn expecting(&self, f: &mut Formatter<'_>) -> Written {
                f.write_str("an object of truth values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Groups, A::Error> {
                let mut groups: Vec<(String, bool)> = Vec::new();
                while let Some((name, holds)) = map.next_entry::<String, bool>()? {
                    if groups.iter().any(|(other, _)| *other == name) {
                        return Err(serde::de::Error::custom("a group appears twice"));
                    }
                    groups.push((name, holds));
                }
                Ok(Groups(groups))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The answer of a validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    groups: Groups,
    failure_reason: Option<String>,
}

/// The documented members, in their order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    validated: bool,
    validation: Groups,
    ready_for_execution: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
}

impl Answer {
    /// The answer from what each group gave, in the order of the contract: nothing, or the reason of its first check that failed.
    ///
    /// # Errors
    /// [`Refused::Name`] for a group or reason that is not a word, or a group that comes twice.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Result<Self, Refused> {
        let mut groups: Vec<(String, bool)> = Vec::new();
        let mut failure_reason = None;
        for (name, failed) in outcomes {
            if groups.iter().any(|(other, _)| other == name) {
                return Err(Refused::Name { name: name.into() });
            }
            groups.push((id::checked(name)?, failed.is_none()));
            if let (None, Some(reason)) = (&failure_reason, failed) {
                failure_reason = Some(id::checked(reason)?);
            }
        }
        if groups.is_empty() {
            failure_reason = Some(REASON_NO_GROUP.into());
        }
        Ok(Self { groups: Groups(groups), failure_reason })
    }

    /// Whether the item may be executed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failure_reason.is_none() && self.groups.hold()
    }

    /// Every group and whether it holds.
    #[must_use]
    pub const fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The reason of the first check that failed.
    #[must_use]
    pub fn failure_reason(&self) -> Option<&str> {
        self.failure_reason.as_deref()
    }

    /// Passes when the validation did.
    ///
    /// # Errors
    /// [`Refused::NotReady`] with the reason.
    pub fn require(&self) -> Result<(), Refused> {
        if self.passed() { Ok(()) } else { Err(Refused::NotReady { reason: self.failure_reason.clone().unwrap_or_default() }) }
    }

    /// The documented JSON, without spaces.
    #[must_use]
    pub fn to_json(&self) -> String {
        let passed = self.passed();
        let shape = Shape {
            validated: passed,
            validation: self.groups.clone(),
            ready_for_execution: passed,
            failure_reason: self.failure_reason.clone(),
        };
        // Text, truth values and text keys always serialise.
        serde_json::to_string(&shape).unwrap_or_default()
    }

    /// Reads the documented JSON, with or without spaces.
    ///
    /// # Errors
    /// [`Refused::Line`] when a member is missing, unknown or of another type, or when the members contradict each other.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let wrong = || Refused::Line { member: "validation".into() };
        let shape: Shape = serde_json::from_str(text).map_err(|_| wrong())?;
        let answer = Self { groups: shape.validation, failure_reason: shape.failure_reason };
        let passed = answer.passed();
        // A failure has a reason, and a reason is a failure.
        let reasoned = answer.groups.hold() == answer.failure_reason.is_none();
        let same = shape.validated == passed && shape.ready_for_execution == passed;
        if reasoned && same { Ok(answer) } else { Err(wrong()) }
    }
}
