//! What the transforms answer, through the dispatcher as the host calls it.

use super::dispatch;

fn gives(code: &str, inputs: &str, outputs: &str) {
    let answer = dispatch(code, inputs);
    assert_eq!((answer.status, answer.outputs.as_str()), ("SUCCESS", outputs), "{code} {inputs}");
}

fn refuses(code: &str, inputs: &str) {
    let answer = dispatch(code, inputs);
    assert_eq!((answer.status, answer.outputs.as_str()), ("VIOLATION", "{}"), "{code} {inputs}");
}

#[test]
fn a_quota_is_available_below_it_and_not_at_it() {
    for (count, available) in [(9, true), (10, false), (11, false)] {
        let inputs = format!(r#"{{"assigned_count":{count},"quota":10}}"#);
        gives("CT_PURE_CHECK_QUOTA_AVAILABLE_V0", &inputs, &format!(r#"{{"quota_available":{available}}}"#));
    }
    refuses("CT_PURE_CHECK_QUOTA_AVAILABLE_V0", r#"{"assigned_count":true,"quota":10}"#);
    refuses("CT_PURE_CHECK_TRAINING_STATUS_V0", r#"{"training_completed":"yes"}"#);
}

#[test]
fn days_are_whole_and_inactive_means_more_than_the_threshold() {
    let code = "CT_PURE_EVALUATE_INACTIVITY_V0";
    let at = |now: &str| format!(r#"{{"current_date":"{now}","last_active_date":"2025-01-20T11:00:00Z","threshold_days":30}}"#);
    gives(code, &at("2026-01-02T03:04:05.678901"), r#"{"days_inactive":346,"is_inactive":true}"#);
    gives(code, &at("2025-02-20T10:59:59Z"), r#"{"days_inactive":30,"is_inactive":false}"#);
    gives(code, &at("2025-02-20T11:00:00Z"), r#"{"days_inactive":31,"is_inactive":true}"#);
    gives(code, &at("2025-01-20T10:00:00Z"), r#"{"days_inactive":-1,"is_inactive":false}"#);
    refuses(code, &at("yesterday"));
    refuses(code, r#"{"last_active_date":"2025-01-20T11:00:00Z","threshold_days":30}"#);
}

#[test]
fn sequences_end_at_one_or_their_numbers_are_refused() {
    let code = "CT_PURE_COLLATZ_STEP_V0";
    gives(code, r#"{"numbers":[1,6]}"#, r#"{"sequences":{"1":[1],"6":[6,3,10,5,16,8,4,2,1]}}"#);
    for numbers in ["[0]", "[-1]", "[1,true]", r#""27""#, "[9007199254740992]", "[9007199254740991]"] {
        refuses(code, &format!(r#"{{"numbers":{numbers}}}"#));
    }
    let check = r#"{"sequences":{"3":[3,1],"4":[4,2],"5":[]}}"#;
    gives("CT_PURE_TERMINATION_CHECK_V0", check, r#"{"all_terminate":false,"non_terminating":["4","5"]}"#);
}

#[test]
fn a_proposer_is_taken_by_turns_and_nobody_from_nobody() {
    let code = "CT_PURE_SELECT_PROPOSER_V0";
    for (round, id) in [(0, "A"), (1, "B"), (5, "B")] {
        let inputs = format!(r#"{{"eligible_validators":[{{"actor_id":"A"}},{{"actor_id":"B"}}],"round_number":{round}}}"#);
        gives(code, &inputs, &format!(r#"{{"proposer_id":"{id}"}}"#));
    }
    refuses(code, r#"{"eligible_validators":[],"round_number":0}"#);
}

#[test]
fn only_the_counter_of_a_record_changes() {
    let record = r#"{"actor_id":"A","addresses":{"eoa":[{"address":"0x1"}]},"n":1.50,"state":{"eoa":{"balance":0,"nonce":41},"utxo":{}}}"#;
    let inputs = format!(r#"{{"wallet_record":{record}}}"#);
    let next = record.replace("41", "42");
    gives("CT_PURE_INCREMENT_WALLET_NONCE_V0", &inputs, &format!(r#"{{"nonce":41,"updated_wallet_record":{next}}}"#));
    gives("CT_PURE_EXTRACT_WALLET_TX_FIELDS_V0", &inputs, r#"{"actor_id":"A","current_nonce":41,"from_address":"0x1"}"#);
    for broken in ["{}", r#"{"state":{"eoa":{}}}"#, r#"{"state":{"eoa":{"nonce":-1}}}"#, r#"{"state":[]}"#] {
        refuses("CT_PURE_INCREMENT_WALLET_NONCE_V0", &format!(r#"{{"wallet_record":{broken}}}"#));
    }
    refuses("CT_PURE_EXTRACT_WALLET_TX_FIELDS_V0", &inputs.replace(r#"[{"address":"0x1"}]"#, "[]"));
}
