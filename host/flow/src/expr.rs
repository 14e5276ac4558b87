//! Expressions, parsed once: a path, the time of the run, a literal, or a composite of them (P-14).
//!
//! There are no predicates, no arithmetic and no list positions. What a path means differs between a node and a step, so an expression
//! is generic over its reference type; only the resolver of a scope knows how to fetch one.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Map, Value};

/// The whole-string form that stands for the time of the run.
const TIMESTAMP: &str = "{{timestamp}}";

/// What every path begins with; without the point it is a literal.
const PATH_PREFIX: &str = "$.";

/// A parsed expression over references of type `R`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr<R> {
    /// The time of the run.
    Timestamp,
    /// Fetched from the scope.
    Reference(R),
    /// Itself. A composite without references inside is one literal.
    Literal(Value),
    /// Member by member.
    Object(Vec<(String, Self)>),
    /// Item by item.
    List(Vec<Self>),
}

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unresolved;

/// Where references are fetched and what the time is.
pub(crate) trait Scope<R> {
    /// A copy of the value; `None` when there is nothing.
    fn fetch(&self, reference: &R) -> Option<Value>;
    /// The time of the run.
    fn at(&self) -> &str;
}

/// The segments of a path, or `None` when the text is not one. `$.` alone is a path that finds nothing.
pub(crate) fn segments(text: &str) -> Option<Vec<String>> {
    let rest = text.strip_prefix(PATH_PREFIX)?;
    if rest.is_empty() {
        return Some(Vec::new());
    }
    Some(rest.split('.').map(ToOwned::to_owned).collect())
}

/// Follows members only; a list or a scalar on the way finds nothing.
pub(crate) fn walk<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, segment| value.as_object()?.get(segment))
}

/// As [`walk`], from a map.
pub(crate) fn walk_map<'a>(map: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    walk(map.get(first)?, rest)
}

/// Whether `{{timestamp}}` has its meaning here; in outputs it is a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// It stands for the time of the run.
    Known,
    /// It is text.
    Literal,
}

impl<R> Expr<R> {
    /// Parses a JSON value; `reference` gives a path its meaning.
    pub(crate) fn parse(value: &Value, time: Time, reference: &mut dyn FnMut(Vec<String>) -> R) -> Self {
        match value {
            Value::String(text) if time == Time::Known && text == TIMESTAMP => Self::Timestamp,
            Value::String(text) => match segments(text) {
                Some(path) => Self::Reference(reference(path)),
                None => Self::Literal(value.clone()),
            },
            Value::Object(members) => {
                let parsed: Vec<(String, Self)> =
                    members.iter().map(|(key, item)| (key.clone(), Self::parse(item, time, reference))).collect();
                if parsed.iter().all(|(_, item)| item.is_literal()) { Self::Literal(value.clone()) } else { Self::Object(parsed) }
            }
            Value::Array(items) => {
                let parsed: Vec<Self> = items.iter().map(|item| Self::parse(item, time, reference)).collect();
                if parsed.iter().all(Self::is_literal) { Self::Literal(value.clone()) } else { Self::List(parsed) }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Literal(value.clone()),
        }
    }

    const fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    /// The value at the top level of an input or an output: null counts as nothing, and so does a composite with a path that finds
    /// nothing.
    pub(crate) fn resolve(&self, scope: &impl Scope<R>) -> Result<Option<Value>, Unresolved> {
        match self {
            Self::Timestamp => Ok(Some(Value::from(scope.at()))),
            Self::Reference(reference) => Ok(scope.fetch(reference).filter(|value| !value.is_null())),
            Self::Literal(Value::Null) => Ok(None),
            Self::Literal(value) => Ok(Some(value.clone())),
            Self::Object(_) | Self::List(_) => self.member(scope).map(Some),
        }
    }

    /// The value inside a composite: null is a value there, nothing is a failure.
    fn member(&self, scope: &impl Scope<R>) -> Result<Value, Unresolved> {
        match self {
            Self::Timestamp => Ok(Value::from(scope.at())),
            Self::Reference(reference) => scope.fetch(reference).ok_or(Unresolved),
            Self::Literal(value) => Ok(value.clone()),
            Self::Object(members) => {
                let mut object = Map::new();
                for (key, item) in members {
                    object.insert(key.clone(), item.member(scope)?);
                }
                Ok(Value::Object(object))
            }
            Self::List(items) => items.iter().map(|item| item.member(scope)).collect::<Result<Vec<_>, _>>().map(Value::Array),
        }
    }

    /// Every reference, in order.
    pub(crate) fn references<'a>(&'a self, visit: &mut dyn FnMut(&'a R)) {
        match self {
            Self::Reference(reference) => visit(reference),
            Self::Object(members) => members.iter().for_each(|(_, item)| item.references(visit)),
            Self::List(items) => items.iter().for_each(|item| item.references(visit)),
            Self::Timestamp | Self::Literal(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Expr, Scope, Time, Unresolved, walk};
    use alloc::string::String;
    use alloc::vec::Vec;
    use serde_json::{Value, json};

    struct Payload(Value);

    impl Scope<Vec<String>> for Payload {
        fn fetch(&self, path: &Vec<String>) -> Option<Value> {
            if path.is_empty() { None } else { walk(&self.0, path).cloned() }
        }

        fn at(&self) -> &'static str {
            "now"
        }
    }

    fn resolve(expr: &Value) -> Result<Option<Value>, Unresolved> {
        let payload = Payload(json!({ "a": { "b": 1, "none": null, "list": [1] }, "empty": "" }));
        Expr::parse(expr, Time::Known, &mut |path| path).resolve(&payload)
    }

    #[test]
    fn p_14_a_path_is_followed_and_anything_else_is_a_literal() {
        assert_eq!(resolve(&json!("$.a.b")), Ok(Some(json!(1))));
        assert_eq!(resolve(&json!("$.empty")), Ok(Some(json!(""))));
        for literal in [json!("$notpath"), json!("$"), json!("a.b"), json!("{{nope}}"), json!(" $.a"), json!(0), json!(false), json!({})] {
            assert_eq!(resolve(&literal), Ok(Some(literal)));
        }
        assert_eq!(resolve(&json!("{{timestamp}}")), Ok(Some(json!("now"))));
    }

    #[test]
    fn p_14_nothing_at_the_top_is_nothing() {
        for nothing in [json!(null), json!("$."), json!("$.a.c"), json!("$.a.none"), json!("$.a.b.c"), json!("$.a.list.0"), json!("$.a..b")]
        {
            assert_eq!(resolve(&nothing), Ok(None), "{nothing}");
        }
    }

    #[test]
    fn p_14_nothing_inside_a_composite_is_a_failure_and_null_is_a_value() {
        assert_eq!(resolve(&json!({ "x": ["$.a.c"] })), Err(Unresolved));
        assert_eq!(resolve(&json!(["$.a.b", "$."])), Err(Unresolved));
        assert_eq!(resolve(&json!({ "x": ["$.a.b", null, "$.a.none"] })), Ok(Some(json!({ "x": [1, null, null] }))));
    }

    #[test]
    fn a_composite_without_paths_is_one_literal() {
        let parsed = Expr::parse(&json!({ "x": [1, { "y": "z" }] }), Time::Known, &mut |path| path);
        assert!(matches!(parsed, Expr::Literal(_)));
        let parsed = Expr::parse(&json!(["{{timestamp}}"]), Time::Literal, &mut |path| path);
        assert!(matches!(parsed, Expr::Literal(_)));
    }
}
