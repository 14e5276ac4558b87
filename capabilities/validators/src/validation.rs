//! Membership and rules: the published validators, and their strict twins.
//!
//! A published validator answers `SUCCESS` with `is_member: false` or `valid: false`, so a workflow that routes on the status goes on.
//! The `REQUIRE` codes answer `VIOLATION` there; new workflows want those.

use enact_capability_rules::{Members, Rule, Verdict};
use enact_guest_sdk::{Raw, Violation};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(crate) struct Membership<'a> {
    #[serde(borrow)]
    value: &'a Raw,
    #[serde(borrow)]
    allowed_set: Vec<&'a Raw>,
}

#[derive(Serialize)]
pub(crate) struct Member {
    is_member: bool,
}

/// `CT_PURE_VALIDATE_SET_MEMBERSHIP_V0`.
pub(crate) fn membership(i: Membership<'_>) -> Result<Member, Violation> {
    Ok(Member { is_member: i.allowed_set.iter().any(|allowed| allowed.get() == i.value.get()) })
}

/// `CT_PURE_REQUIRE_SET_MEMBERSHIP_V0`.
pub(crate) fn require_membership(i: Membership<'_>) -> Result<Member, Violation> {
    membership(i).and_then(|member| if member.is_member { Ok(member) } else { Err(Violation) })
}

#[derive(Deserialize)]
pub(crate) struct Rules<'a> {
    #[serde(borrow)]
    parameters: Members<'a>,
    #[serde(borrow)]
    rules: Vec<&'a Raw>,
}

#[derive(Serialize)]
pub(crate) struct Validity<'a> {
    failed_rule: Option<&'a Raw>,
    valid: bool,
}

/// `CT_PURE_VALIDATE_PARAMETER_RULES_V0`: names the first rule that does not hold. A parameter that is missing, or not comparable, does
/// not hold either; a malformed rule is a violation wherever it stands in the list.
pub(crate) fn rules(i: Rules<'_>) -> Result<Validity<'_>, Violation> {
    let mut failed_rule = None;
    for raw in i.rules {
        let rule: Rule<'_> = serde_json::from_str(raw.get()).map_err(|_| Violation)?;
        if rule.judge(&i.parameters)? != Verdict::Holds {
            failed_rule = failed_rule.or(Some(raw));
        }
    }
    Ok(Validity { failed_rule, valid: failed_rule.is_none() })
}

/// `CT_PURE_REQUIRE_PARAMETER_RULES_V0`.
pub(crate) fn require_rules(i: Rules<'_>) -> Result<Validity<'_>, Violation> {
    rules(i).and_then(|validity| if validity.valid { Ok(validity) } else { Err(Violation) })
}
