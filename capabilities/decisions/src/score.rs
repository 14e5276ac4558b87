//! `CT_PURE_SCORE_RULES_V0`: adds the weights of the rules that hold for a record and names the band of the sum.
//!
//! A rule that cannot be decided (the member is missing, or no number) refuses the whole record: a score with gaps would flatter it.

use enact_capability_rules::{Members, Rule, Verdict};
use enact_guest_sdk::{Raw, Violation};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(crate) struct Inputs<'a> {
    #[serde(borrow)]
    record: Members<'a>,
    /// Each a comparison rule with a `weight`; a `name` is for readers.
    #[serde(borrow)]
    rules: Vec<&'a Raw>,
    bands: Vec<Band>,
    #[serde(default)]
    base: i64,
}

#[derive(Deserialize)]
struct Weight {
    weight: i64,
}

/// The sums from `min` up to the next band.
#[derive(Deserialize)]
struct Band {
    band: String,
    min: i64,
}

#[derive(Serialize)]
pub(crate) struct Scored {
    score: i64,
    band: String,
}

/// The band is the one with the greatest `min` that the score reaches; a score below all bands is a violation.
pub(crate) fn score(i: Inputs<'_>) -> Result<Scored, Violation> {
    let mut score = i.base;
    for raw in i.rules {
        let rule: Rule<'_> = serde_json::from_str(raw.get()).map_err(|_| Violation)?;
        let Weight { weight } = serde_json::from_str(raw.get()).map_err(|_| Violation)?;
        match rule.judge(&i.record)? {
            Verdict::Holds => score = score.checked_add(weight).ok_or(Violation)?,
            Verdict::Fails => {}
            Verdict::Undecidable => return Err(Violation),
        }
    }
    let reached = i.bands.into_iter().filter(|band| band.min <= score).max_by_key(|band| band.min);
    Ok(Scored { score, band: reached.ok_or(Violation)?.band })
}

#[cfg(test)]
mod tests {
    use crate::dispatch;

    fn says(record: &str) -> (&'static str, String) {
        let inputs = format!(
            r#"{{"bands":[{{"band":"LOW","min":-10}},{{"band":"HIGH","min":50}},{{"band":"MIDDLE","min":20}}],"base":20,"record":{record},
            "rules":[{{"field":"income","name":"good","op":"gte","value":1000,"weight":30}},{{"field":"late","op":"gt","value":0,"weight":-25}}]}}"#
        );
        let answer = dispatch("CT_PURE_SCORE_RULES_V0", &inputs);
        (answer.status, answer.outputs)
    }

    #[test]
    fn weights_add_up_and_the_band_is_the_highest_that_is_reached() {
        for (record, score, band) in [
            (r#"{"income":1000,"late":0}"#, 50, "HIGH"),
            (r#"{"income":999,"late":0}"#, 20, "MIDDLE"),
            (r#"{"income":5000,"late":2}"#, 25, "MIDDLE"),
            (r#"{"income":0,"late":1}"#, -5, "LOW"),
        ] {
            assert_eq!(says(record), ("SUCCESS", format!(r#"{{"score":{score},"band":"{band}"}}"#)), "{record}");
        }
    }

    #[test]
    fn a_record_with_gaps_is_a_violation() {
        for record in [r#"{"income":1000}"#, r#"{"income":"1000","late":0}"#, r#"{"income":null,"late":0}"#] {
            assert_eq!(says(record).0, "VIOLATION", "{record}");
        }
    }

    #[test]
    fn no_band_no_weight_and_an_overflow_are_violations() {
        for (bands, rules, base) in [
            ("[]", "[]", "0"),
            (r#"[{"band":"B","min":1}]"#, "[]", "0"),
            (r#"[{"band":"B","min":0}]"#, r#"[{"field":"x","op":"gt","value":0}]"#, "0"),
            (r#"[{"band":"B","min":0}]"#, r#"[{"field":"x","op":"gt","value":0,"weight":1}]"#, "9223372036854775807"),
        ] {
            let inputs = format!(r#"{{"bands":{bands},"base":{base},"record":{{"x":1}},"rules":{rules}}}"#);
            assert_eq!(dispatch("CT_PURE_SCORE_RULES_V0", &inputs).status, "VIOLATION", "{inputs}");
        }
    }
}
