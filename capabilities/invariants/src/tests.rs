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

fn ballot(code: &str, tally: &str, kept: &str, balances: &str) -> &'static str {
    let input = format!(r#"{{"at":"t","balances":{balances},"record":{{"payload":{{"tally":{tally}}}}},"subject":{{"state":"OPEN","kept":{kept}}}}}"#);
    dispatch(code, &input).status
}

#[test]
fn a_ballot_is_carried_or_lost_and_its_tally_is_all_that_was_cast() {
    let kept = r#"{"quorum":"3","threshold_percent":50,"payload":{"effects":[]}}"#;
    let all = r#"{"ballot-no:1|BALLOT":"1","ballot-yes:1|BALLOT":"2","ballots-counted|BALLOT":"7"}"#;
    let none = r#"{"ballot-no:1|BALLOT":"0","ballot-yes:1|BALLOT":"0","ballots-counted|BALLOT":"7"}"#;
    let even = r#"{"ballot-no:1|BALLOT":"2","ballot-yes:1|BALLOT":"2"}"#;
    for (tally, kept, balances, carried, lost) in [
        (r#"{"yes":"2","no":"1"}"#, kept, all, "SUCCESS", "VIOLATION"),
        (r#"{"yes":"2","no":"0"}"#, kept, all, "VIOLATION", "VIOLATION"),
        (r#"{"yes":"3","no":"1"}"#, kept, all, "VIOLATION", "VIOLATION"),
        (r#"{"yes":"0","no":"0"}"#, kept, none, "VIOLATION", "SUCCESS"),
        (r#"{"yes":"2","no":"2"}"#, kept, even, "VIOLATION", "SUCCESS"),
        (r#"{"yes":"2","no":"1"}"#, r#"{"quorum":"4","threshold_percent":50}"#, all, "VIOLATION", "SUCCESS"),
        (r#"{"yes":"2","no":"1"}"#, r#"{"quorum":"1","threshold_percent":66}"#, all, "SUCCESS", "VIOLATION"),
        (r#"{"yes":"2","no":"1"}"#, r#"{"quorum":"1","threshold_percent":67}"#, all, "VIOLATION", "SUCCESS"),
        (r#"{"yes":"2","no":"1"}"#, r#"{"quorum":"1","threshold_percent":0}"#, all, "VIOLATION", "VIOLATION"),
        (r#"{"yes":"2","no":"1"}"#, kept, r#"{"ballot-yes:1|BALLOT":"2"}"#, "VIOLATION", "VIOLATION"),
        (r#"{"yes":"2","no":"1","more":"1"}"#, kept, all, "VIOLATION", "VIOLATION"),
        (r#"{"yes":2,"no":1}"#, kept, all, "VIOLATION", "VIOLATION"),
    ] {
        assert_eq!(ballot("CT_INVARIANT_BALLOT_CARRIED_V0", tally, kept, balances), carried, "{tally} {kept} {balances}");
        assert_eq!(ballot("CT_INVARIANT_BALLOT_LOST_V0", tally, kept, balances), lost, "{tally} {kept} {balances}");
    }
}

#[test]
fn what_is_taken_is_all_that_was_there() {
    let emptied = |first: &str, second: &str| {
        let leg = |account: &str, side: &str, amount: &str| format!(r#"{{"account":"{account}","amount":"{amount}","asset":"A","side":"{side}"}}"#);
        let legs = [leg("p:1", "debit", first), leg("h", "credit", first), leg("p:1", "debit", second), leg("t", "credit", second)].join(",");
        let input = format!(r#"{{"at":"t","balances":{{"h|A":"0","p:1|A":"5","t|A":"1"}},"record":{{"payload":{{}},"postings":[{legs}]}},"subject":null}}"#);
        dispatch("CT_INVARIANT_EMPTIED_V0", &input).status
    };
    assert_eq!(emptied("2", "3"), "SUCCESS");
    assert_eq!(emptied("2", "2"), "VIOLATION");
    assert_eq!(emptied("3", "3"), "VIOLATION");
}

#[test]
fn i_32_a_list_has_one_order_and_no_repetition() {
    let ascending = |list: &str| dispatch("CT_INVARIANT_ASCENDING_V0", &format!(r#"{{"record":{{"payload":{{"intents":{list}}}}}}}"#)).status;
    assert_eq!(ascending(r#"["a","b","c"]"#), "SUCCESS");
    assert_eq!(ascending(r#"["a"]"#), "SUCCESS");
    for wrong in [r#"["b","a"]"#, r#"["a","a"]"#, "[]", r#""a""#] {
        assert_eq!(ascending(wrong), "VIOLATION", "{wrong}");
    }
}
