//! Expressions of guards and templates: read once when a protocol is compiled, resolved against a record without looking at text.
//!
//! There are references, texts with references in braces, digests of parts, and constants; no operators. Anything richer is an
//! invariant.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use serde_json::{Map, Value};

use super::contract::RunFacts;
use super::decision::EffectFacts;
use crate::canonical;
use crate::entry::Record;
use crate::hash::{Digest, sha256};

/// A reference to something that the record, its subject or its entry says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reference {
    /// A member of the payload.
    Payload(String),
    /// A kept member of the subject.
    Kept(String),
    /// The subject.
    Subject,
    /// The subject without its type.
    Id,
    /// Who says it.
    Actor,
    /// When.
    At,
    /// The hash of the record; only once it stands in an entry.
    Record,
    /// The hash of its entry; only once there is one.
    Entry,
    /// The state of the subject before the record.
    State,
    /// What is said of the run that carried something out.
    Run(RunMember),
    /// A member of that run's output.
    Output(String),
    /// A member of the effect that is carried out.
    Effect(String),
    /// What else is known where an effect is carried out.
    Drafted(DraftMember),
    /// A member of an object.
    Inside(Box<Self>, String),
    /// What follows the colon of a member that names a subject or an actor, as names of accounts need it.
    IdOf(Box<Self>),
}

/// What can be said of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunMember {
    /// Its identifier.
    Id,
    /// `record_hash` of its receipt.
    Receipt,
    /// `context_hash` of its output.
    Context,
}

/// What is known where an effect of a decision is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DraftMember {
    /// The effect's position among those of the decision, from 0.
    Nth,
    /// `record_hash` of the record that decided.
    Decision,
    /// What that record says is the hash of the decision.
    DecisionHash,
}

/// A compiled expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// A reference.
    Reference(Reference),
    /// Text with references in it.
    Text(Vec<Part>),
    /// `sha256:` over what its parts give, one after the other.
    Digest(Vec<Hashed>),
    /// Itself.
    Constant(Value),
}

/// A part of what a digest is over.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Hashed {
    /// The text of a value: text as it is, whole numbers and truth values as they are written.
    Text(Expr),
    /// The canonical bytes of a value.
    Canonical(Expr),
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// As it stands.
    Plain(String),
    /// Replaced.
    Hole(Reference),
}

impl Hashed {
    const fn expr(&self) -> &Expr {
        match self {
            Self::Text(expr) | Self::Canonical(expr) => expr,
        }
    }
}

/// What an expression is resolved against.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) record: &'a Record,
    pub(super) kept: Option<&'a Map<String, Value>>,
    pub(super) state: Option<&'a str>,
    pub(super) at: &'a str,
    /// Where the record stands, once it does. While it is judged it stands nowhere.
    pub(super) place: Option<Place<'a>>,
    /// The run that carried it out; nothing while a record is judged.
    pub(super) run: Option<&'a RunFacts>,
    /// The effect that it carries out; nothing while a record is judged.
    pub(super) effect: Option<&'a EffectFacts<'a>>,
}

/// Hashes of a record and of its entry, as text.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) record: &'a str,
    pub(super) entry: &'a str,
}

impl Expr {
    /// Reads an expression. The error says what is wrong with it.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let text = match value {
            Value::String(text) => text,
            Value::Object(members) if members.len() == 1 && members.contains_key(DIGEST) => return Self::digest(members),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                return Ok(Self::Constant(value.clone()));
            }
        };
        if let Some(path) = text.strip_prefix("$.") {
            return Reference::parse(path).map(Self::Reference).ok_or_else(|| unknown(text));
        }
        let (mut parts, mut rest) = (Vec::new(), text.as_str());
        while let Some((plain, tail)) = rest.split_once('{') {
            let Some((path, after)) = tail.split_once('}') else { return Err(format!("`{text}` opens a brace and does not close it")) };
            if !plain.is_empty() {
                parts.push(Part::Plain(plain.to_owned()));
            }
            parts.push(Part::Hole(Reference::parse(path).ok_or_else(|| unknown(path))?));
            rest = after;
        }
        if parts.is_empty() {
            return Ok(Self::Constant(value.clone()));
        }
        if !rest.is_empty() {
            parts.push(Part::Plain(rest.to_owned()));
        }
        Ok(Self::Text(parts))
    }

    /// `{ "sha256": [part, …] }`.
    fn digest(members: &Map<String, Value>) -> Result<Self, String> {
        let parts = members.get(DIGEST).and_then(Value::as_array).filter(|parts| !parts.is_empty());
        let parts = parts.ok_or_else(|| String::from("a digest is over a list of at least one part"))?;
        let part = |part: &Value| match part.as_object() {
            None => match part {
                Value::Null | Value::Array(_) => Err(String::from("a part of a digest is an expression or `{ \"canonical\": … }`")),
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Self::parse(part).map(Hashed::Text),
            },
            Some(object) if object.len() == 1 => match (object.get(CANONICAL), object.contains_key(DIGEST)) {
                (Some(inner), _) => Self::parse(inner).map(Hashed::Canonical),
                (None, true) => Self::parse(part).map(Hashed::Text),
                (None, false) => Err(String::from("a part of a digest that is an object has the one member `canonical` or `sha256`")),
            },
            Some(_) => Err(String::from("a part of a digest that is an object has the one member `canonical` or `sha256`")),
        };
        parts.iter().map(part).collect::<Result<_, _>>().map(Self::Digest)
    }

    /// All references in it.
    pub(super) fn references(&self) -> Vec<&Reference> {
        match self {
            Self::Reference(reference) => [reference.whole()].into(),
            Self::Text(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Plain(_) => None,
                    Part::Hole(reference) => Some(reference.whole()),
                })
                .collect(),
            Self::Digest(parts) => parts.iter().map(Hashed::expr).flat_map(Self::references).collect(),
            Self::Constant(_) => Vec::new(),
        }
    }

    /// The constant text, if it is one.
    pub(super) fn constant(&self) -> Option<&str> {
        match self {
            Self::Constant(value) => value.as_str(),
            Self::Reference(_) | Self::Text(_) | Self::Digest(_) => None,
        }
    }

    /// Its value; nothing when a reference leads nowhere.
    pub(super) fn value<'a>(&'a self, scope: Scope<'a>) -> Option<Cow<'a, Value>> {
        match self {
            Self::Reference(reference) => reference.value(scope),
            Self::Constant(value) => Some(Cow::Borrowed(value)),
            Self::Text(_) | Self::Digest(_) => self.text(scope).map(|text| Cow::Owned(Value::String(text.into_owned()))),
        }
    }

    /// Its value as text; nothing when it is none.
    pub(super) fn text<'a>(&'a self, scope: Scope<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Reference(reference) => reference.text(scope),
            Self::Constant(value) => value.as_str().map(Cow::Borrowed),
            Self::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Plain(plain) => text.push_str(plain),
                        Part::Hole(reference) => text.push_str(&reference.text(scope)?),
                    }
                }
                Some(Cow::Owned(text))
            }
            Self::Digest(parts) => {
                let mut bytes = Vec::new();
                for part in parts {
                    match part {
                        Hashed::Text(expr) => bytes.extend_from_slice(spelled(&*expr.value(scope)?)?.as_bytes()),
                        Hashed::Canonical(expr) => bytes.extend_from_slice(&canonical::to_bytes(&*expr.value(scope)?).ok()?),
                    }
                }
                Some(Cow::Owned(format!("{}", Digest::sha256(sha256(&bytes)))))
            }
        }
    }
}

/// The member of a digest, and that of a part of one which is taken by its canonical bytes.
const DIGEST: &str = "sha256";
const CANONICAL: &str = "canonical";

impl Reference {
    fn parse(path: &str) -> Option<Self> {
        // Not the part of something after its colon: a run is named without its type.
        if path == "run.id" {
            return Some(Self::Run(RunMember::Id));
        }
        if let Some(whole) = path.strip_suffix(".id") {
            return Self::parse(whole).filter(|whole| !matches!(whole, Self::IdOf(_))).map(|whole| Self::IdOf(Box::new(whole)));
        }
        if let Some((whole @ ("payload" | "kept" | "effect"), path)) = path.split_once('.')
            && let Some((member, inner)) = path.split_once('.')
        {
            let whole = Self::parse(&format!("{whole}.{member}"))?;
            return (!inner.is_empty() && !inner.contains('.')).then(|| Self::Inside(Box::new(whole), inner.to_owned()));
        }
        match path.split_once('.') {
            Some(("effect", member)) if !member.is_empty() => Some(Self::Effect(member.to_owned())),
            Some(("payload", member)) if !member.is_empty() && !member.contains('.') => Some(Self::Payload(member.to_owned())),
            Some(("kept", member)) if !member.is_empty() && !member.contains('.') => Some(Self::Kept(member.to_owned())),
            Some(("output", member)) if !member.is_empty() && !member.contains('.') => Some(Self::Output(member.to_owned())),
            Some(("run", "receipt")) => Some(Self::Run(RunMember::Receipt)),
            Some(("run", "context")) => Some(Self::Run(RunMember::Context)),
            Some(_) => None,
            None => match path {
                "subject" => Some(Self::Subject),
                "id" => Some(Self::Id),
                "actor" => Some(Self::Actor),
                "at" => Some(Self::At),
                "record" => Some(Self::Record),
                "entry" => Some(Self::Entry),
                "state" => Some(Self::State),
                "n" => Some(Self::Drafted(DraftMember::Nth)),
                "decision" => Some(Self::Drafted(DraftMember::Decision)),
                "decision_hash" => Some(Self::Drafted(DraftMember::DecisionHash)),
                _ => None,
            },
        }
    }

    /// What it is about, whether as a whole or its id.
    fn whole(&self) -> &Self {
        match self {
            Self::IdOf(whole) | Self::Inside(whole, _) => whole.whole(),
            Self::Payload(_)
            | Self::Kept(_)
            | Self::Subject
            | Self::Id
            | Self::Actor
            | Self::At
            | Self::Record
            | Self::Entry
            | Self::State
            | Self::Run(_)
            | Self::Effect(_)
            | Self::Drafted(_)
            | Self::Output(_) => self,
        }
    }

    fn value<'a>(&'a self, scope: Scope<'a>) -> Option<Cow<'a, Value>> {
        match self {
            Self::Payload(member) => scope.record.payload.get(member).map(Cow::Borrowed),
            Self::Kept(member) => scope.kept?.get(member).map(Cow::Borrowed),
            Self::Output(member) => scope.run?.output.get(member).map(Cow::Borrowed),
            Self::Effect(member) => scope.effect?.fields.get(member).map(Cow::Borrowed),
            Self::Drafted(DraftMember::Nth) => Some(Cow::Owned(Value::from(scope.effect?.nth))),
            Self::Inside(whole, member) => match whole.value(scope)? {
                Cow::Borrowed(value) => value.get(member).map(Cow::Borrowed),
                Cow::Owned(value) => value.get(member).cloned().map(Cow::Owned),
            },
            Self::Subject
            | Self::Id
            | Self::Actor
            | Self::At
            | Self::Record
            | Self::Entry
            | Self::State
            | Self::Run(_)
            | Self::Drafted(_)
            | Self::IdOf(_) => self.text(scope).map(|text| Cow::Owned(Value::String(text.into_owned()))),
        }
    }

    fn text<'a>(&'a self, scope: Scope<'a>) -> Option<Cow<'a, str>> {
        let record = scope.record;
        match self {
            Self::Payload(member) => spelled(record.payload.get(member)?),
            Self::Kept(member) => spelled(scope.kept?.get(member)?),
            Self::Subject => Some(Cow::Borrowed(&record.subject)),
            Self::Id => record.subject.split_once(':').map(|(_, id)| Cow::Borrowed(id)),
            Self::Actor => Some(Cow::Borrowed(&record.actor)),
            Self::At => Some(Cow::Borrowed(scope.at)),
            Self::Record => scope.place.map(|place| Cow::Borrowed(place.record)),
            Self::Entry => scope.place.map(|place| Cow::Borrowed(place.entry)),
            Self::State => scope.state.map(Cow::Borrowed),
            Self::Output(member) => spelled(scope.run?.output.get(member)?),
            Self::Effect(member) => spelled(scope.effect?.fields.get(member)?),
            Self::Inside(whole, member) => match whole.value(scope)? {
                Cow::Borrowed(value) => spelled(value.get(member)?),
                Cow::Owned(value) => spelled(value.get(member)?).map(|text| Cow::Owned(text.into_owned())),
            },
            Self::Drafted(DraftMember::Nth) => Some(Cow::Owned(format!("{}", scope.effect?.nth))),
            Self::Drafted(DraftMember::Decision) => Some(Cow::Borrowed(scope.effect?.decision)),
            Self::Drafted(DraftMember::DecisionHash) => Some(Cow::Borrowed(scope.effect?.decision_hash)),
            Self::Run(member) => {
                let run = scope.run?;
                Some(match member {
                    RunMember::Id => Cow::Borrowed(run.id.as_str()),
                    RunMember::Receipt => Cow::Owned(format!("{}", run.receipt)),
                    RunMember::Context => Cow::Owned(format!("{}", run.context)),
                })
            }
            Self::IdOf(whole) => match whole.text(scope)? {
                Cow::Borrowed(text) => text.split_once(':').map(|(_, id)| Cow::Borrowed(id)),
                Cow::Owned(text) => text.split_once(':').map(|(_, id)| Cow::Owned(id.to_owned())),
            },
        }
    }
}

/// A value as it stands in a text: text as it is, whole numbers and truth values in their one spelling, nothing else.
fn spelled(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => number.as_i64().map(|number| {
            let mut text = String::new();
            // Writing into a string has no way to fail.
            let _ = write!(text, "{number}");
            Cow::Owned(text)
        }),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn unknown(text: &str) -> String {
    format!(
        "`{text}` is no reference: `payload.<member>`, `kept.<member>`, a member of these, `subject`, `id`, `actor`, `at` and `state` are, and their `.id`"
    )
}
