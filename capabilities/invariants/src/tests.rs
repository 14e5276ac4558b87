//! What the invariants answer, through the dispatcher as the host calls it.

use super::dispatch;

fn least(winner: &str, amount: &str, offers: &str) -> &'static str {
    let payload = format!(r#"{{"winner":"{winner}","amount":"{amount}","offers":{offers},"report":"x"}}"#);
    let input = format!(r#"{{"at":"t","balances":{{}},"record":{{"kind":"TRANSITION","payload":{payload}}},"subject":null}}"#);
    let answer = dispatch("CT_INVARIANT_LEAST_OFFER_V0", &input);
    assert_eq!(answer.outputs, "{}");
    answer.status
}

#[test]
fn the_least_offer_wins_as_a_number_and_any_of_equal_ones() {
    let offers = r#"{"a":{"amount":"999"},"b":{"amount":"1000"},"c":{"amount":"999"}}"#;
    for (winner, amount, status) in
        [("a", "999", "SUCCESS"), ("c", "999", "SUCCESS"), ("b", "1000", "VIOLATION"), ("b", "999", "VIOLATION"), ("d", "999", "VIOLATION")]
    {
        assert_eq!(least(winner, amount, offers), status, "{winner} {amount}");
    }
}

#[test]
fn who_is_excluded_neither_wins_nor_underbids() {
    let offers = r#"{"a":{"amount":"1","excluded":"no guarantee"},"b":{"amount":"2"}}"#;
    assert_eq!(least("b", "2", offers), "SUCCESS");
    assert_eq!(least("a", "1", offers), "VIOLATION");
}

#[test]
fn amounts_are_compared_up_to_their_bound_and_not_beyond() {
    let most = u128::MAX.to_string();
    let offers = |other: &str| format!(r#"{{"a":{{"amount":"{most}"}},"b":{{"amount":"{other}"}}}}"#);
    assert_eq!(least("a", &most, &offers(&most)), "SUCCESS");
    assert_eq!(least("a", &most, &offers("340282366920938463463374607431768211454")), "VIOLATION");
    for none in ["340282366920938463463374607431768211456", "01", "-1", "+1", "1.0", "", " 1"] {
        assert_eq!(least("a", &most, &offers(none)), "VIOLATION", "{none}");
    }
}

#[test]
fn what_is_no_list_of_offers_is_a_violation() {
    for offers in ["{}", "[]", "null", r#"{"a":"1"}"#, r#"{"a":{"amount":1}}"#, r#"{"a":{"amount":"1","bonus":true}}"#] {
        assert_eq!(least("a", "1", offers), "VIOLATION", "{offers}");
    }
}
