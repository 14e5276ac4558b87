//! Bad inputs, through the dispatcher as the host calls it. Real ledgers are verified in the sandbox, by the tests of the host.

use super::dispatch;

const CODE: &str = "CT_VERIFY_LEDGER_V0";

#[test]
fn nothing_verifies_to_the_empty_tree() {
    let answer = dispatch(CODE, r#"{"origin":"x","snapshots":[],"entries":[],"leaves":[]}"#);
    let verified: serde_json::Value = serde_json::from_str(&answer.outputs).expect("outputs");
    assert_eq!((answer.status, &verified["size"]), ("SUCCESS", &0.into()));
    assert_eq!(verified["root"], "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    // What comes out goes in again.
    let again = serde_json::json!({"origin": "x", "snapshots": [], "entries": [], "leaves": [], "resume": verified["resume"]});
    assert_eq!(dispatch(CODE, &again.to_string()), answer);
}

#[test]
fn what_is_no_entry_is_found_and_named() {
    let leaf = format!("sha256:{}", "0".repeat(64));
    let inputs = serde_json::json!({"origin": "x", "snapshots": [], "entries": ["{}"], "leaves": [leaf]});
    let answer = dispatch(CODE, &inputs.to_string());
    let verified: serde_json::Value = serde_json::from_str(&answer.outputs).expect("outputs");
    assert_eq!((answer.status, &verified["findings"][0]["code"]), ("VIOLATION", &"entry_leaf".into()));
}

#[test]
fn what_cannot_be_verified_at_all_is_refused() {
    let head = r#""at":"","entry_hash":null,"found":0,"judged":0,"next":0,"fold":{"state":{},"next":0,"changed":0,"unchecked":[]}"#;
    for inputs in [
        "{}".to_owned(),
        r#"{"origin":"x","snapshots":[],"entries":["{}"],"leaves":[]}"#.to_owned(),
        r#"{"origin":"x","snapshots":[],"entries":[],"leaves":[],"extra":1}"#.to_owned(),
        r#"{"origin":"x","snapshots":[{"artifacts":{"LC_X_V0":{}},"modules":{}}],"entries":[],"leaves":[]}"#.to_owned(),
        format!(r#"{{"origin":"x","snapshots":[],"entries":[],"leaves":[],"resume":{{"frontier":"00",{head}}}}}"#),
        // A frontier of one leaf without an entry before it.
        format!(r#"{{"origin":"x","snapshots":[],"entries":[],"leaves":[],"resume":{{"frontier":"0000000000000001{}",{head}}}}}"#, "0".repeat(64)),
    ] {
        let answer = dispatch(CODE, &inputs);
        assert_eq!((answer.status, answer.outputs.as_str()), ("VIOLATION", "{}"), "{inputs}");
    }
}
