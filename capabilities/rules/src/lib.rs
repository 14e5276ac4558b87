//! Comparison rules over the members of a record: `{"field", "op", "value" | "allowed"}`. Shared by modules; no module itself.
//!
//! Beside it the types of JSON by name. Values are compared as canonical JSON text, so equality is equality of bytes; only ordering
//! looks at numbers.

mod kind;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use enact_guest_sdk::{Raw, Violation};
use serde::Deserialize;

pub use kind::is_a;

/// The members of a JSON object, each as the text it came in.
pub type Members<'a> = BTreeMap<String, &'a Raw>;

/// How a rule compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Equal to `value`.
    Eq,
    /// Different from `value`.
    #[serde(alias = "neq")]
    Ne,
    /// A number greater than `value`.
    Gt,
    /// A number greater than `value` or equal to it.
    Gte,
    /// A number less than `value`.
    Lt,
    /// A number less than `value` or equal to it.
    Lte,
    /// One of `allowed`.
    In,
    /// None of `allowed`.
    NotIn,
    /// There, and not null.
    NotNull,
}

/// One rule about one member.
#[derive(Debug, Deserialize)]
pub struct Rule<'a> {
    /// Name of the member.
    pub field: String,
    /// How to compare.
    pub op: Op,
    /// What to compare with; required by all comparisons but `in`, `not_in` and `not_null`.
    #[serde(borrow, default)]
    pub value: Option<&'a Raw>,
    /// The values that `in` and `not_in` name.
    #[serde(borrow, default)]
    pub allowed: Option<Vec<&'a Raw>>,
}

/// What a rule says about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The comparison holds.
    Holds,
    /// It does not.
    Fails,
    /// The member is missing, null, or no number where a number is compared; a caller decides what that means.
    Undecidable,
}

impl Rule<'_> {
    /// Applies the rule.
    ///
    /// # Errors
    /// A rule that lacks what its comparison needs, or orders by something that is no number.
    pub fn judge(&self, members: &Members<'_>) -> Result<Verdict, Violation> {
        let found = members.get(&self.field).map(|raw| raw.get()).filter(|text| *text != "null");
        if self.op == Op::NotNull {
            return Ok(verdict(found.is_some()));
        }
        let Some(found) = found else {
            self.operand()?;
            return Ok(Verdict::Undecidable);
        };
        Ok(match self.operand()? {
            Operand::Set(allowed) => verdict(allowed.iter().any(|raw| raw.get() == found) == (self.op == Op::In)),
            Operand::Text(value) => verdict((found == value) == (self.op == Op::Eq)),
            Operand::Number(bound) => match number(found) {
                Some(found) => verdict(self.orders(&found, &bound)),
                None => Verdict::Undecidable,
            },
        })
    }

    fn operand(&self) -> Result<Operand<'_>, Violation> {
        match self.op {
            Op::In | Op::NotIn => self.allowed.as_deref().map(Operand::Set).ok_or(Violation),
            Op::Eq | Op::Ne => self.value.map(|raw| Operand::Text(raw.get())).ok_or(Violation),
            Op::Gt | Op::Gte | Op::Lt | Op::Lte => self.value.and_then(|raw| number(raw.get())).map(Operand::Number).ok_or(Violation),
            Op::NotNull => Ok(Operand::Set(&[])),
        }
    }

    fn orders(&self, found: &Number, bound: &Number) -> bool {
        let Some(ordering) = found.compare(bound) else { return false };
        match self.op {
            Op::Gt => ordering == Ordering::Greater,
            Op::Gte => ordering != Ordering::Less,
            Op::Lt => ordering == Ordering::Less,
            Op::Lte => ordering != Ordering::Greater,
            Op::Eq | Op::Ne | Op::In | Op::NotIn | Op::NotNull => false,
        }
    }
}

const fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Holds } else { Verdict::Fails }
}

enum Operand<'a> {
    Set(&'a [&'a Raw]),
    Text(&'a str),
    Number(Number),
}

/// A JSON number; integers stay integers, so that no comparison of amounts goes through a float.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i64),
    Fraction(f64),
}

impl Number {
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(b)),
            (a, b) => a.float().partial_cmp(&b.float()),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "only when the other side is a fraction, and integers in JSON stay below 2^53")]
    const fn float(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Fraction(fraction) => fraction,
        }
    }
}

fn number(text: &str) -> Option<Number> {
    if let Ok(whole) = text.parse() {
        return Some(Number::Whole(whole));
    }
    serde_json::from_str(text).ok().map(Number::Fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rule: &str, record: &str) -> Result<Verdict, Violation> {
        let rule: Rule<'_> = serde_json::from_str(rule).expect("a rule");
        rule.judge(&serde_json::from_str(record).expect("a record"))
    }

    #[test]
    fn each_comparison_holds_and_fails_at_its_bound() {
        for (op, below, equal, above) in [
            ("gt", false, false, true),
            ("gte", false, true, true),
            ("lt", true, false, false),
            ("lte", true, true, false),
            ("eq", false, true, false),
            ("ne", true, false, true),
        ] {
            for (text, holds) in [("4", below), ("5", equal), ("6", above)] {
                let rule = format!(r#"{{"field":"n","op":"{op}","value":5}}"#);
                assert_eq!(judge(&rule, &format!(r#"{{"n":{text}}}"#)), Ok(verdict(holds)), "{text} {op} 5");
            }
        }
    }

    #[test]
    fn large_integers_are_not_rounded() {
        let rule = r#"{"field":"n","op":"gt","value":9007199254740992}"#;
        assert_eq!(judge(rule, r#"{"n":9007199254740993}"#), Ok(Verdict::Holds));
        assert_eq!(judge(rule, r#"{"n":1e300}"#), Ok(Verdict::Holds));
    }

    #[test]
    fn membership_compares_whole_values() {
        let rule = r#"{"field":"x","op":"in","allowed":["a",1,{"k":[]}]}"#;
        for (record, want) in [(r#"{"x":"a"}"#, Verdict::Holds), (r#"{"x":{"k":[]}}"#, Verdict::Holds), (r#"{"x":"1"}"#, Verdict::Fails)] {
            assert_eq!(judge(rule, record), Ok(want), "{record}");
        }
        assert_eq!(judge(r#"{"field":"x","op":"not_in","allowed":[1]}"#, r#"{"x":2}"#), Ok(Verdict::Holds));
    }

    #[test]
    fn missing_null_and_unordered_members_are_undecidable_and_not_null_decides_them() {
        for record in ["{}", r#"{"n":null}"#, r#"{"n":"7"}"#, r#"{"n":true}"#] {
            assert_eq!(judge(r#"{"field":"n","op":"gt","value":5}"#, record), Ok(Verdict::Undecidable), "{record}");
        }
        assert_eq!(judge(r#"{"field":"n","op":"not_null"}"#, r#"{"n":null}"#), Ok(Verdict::Fails));
        assert_eq!(judge(r#"{"field":"n","op":"not_null"}"#, r#"{"n":0}"#), Ok(Verdict::Holds));
    }

    #[test]
    fn a_rule_without_its_operand_is_a_violation_whatever_the_record_says() {
        for rule in [r#"{"field":"n","op":"gt"}"#, r#"{"field":"n","op":"in","value":1}"#, r#"{"field":"n","op":"lt","value":"5"}"#] {
            assert_eq!(judge(rule, r#"{"n":5}"#), Err(Violation), "{rule}");
            assert_eq!(judge(rule, "{}"), Err(Violation), "{rule}");
        }
    }
}
