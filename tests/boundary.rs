//! The boundary between governance and execution (B-02, B-15 … B-35), shown on the packs' stories through the command line.
use serde_json::{Value, json};

use crate::support::{REGISTER, Scratch, person};

/// Tells the story of a pack in a new ledger; answers its steps.
fn told(pack: &str) -> (Scratch, Vec<Value>) {
    let scratch = Scratch::new();
    let report = scratch.enact(&["demo", pack, "--dir", ".enact", "--json"]).exits(0).json();
    (scratch, report["steps"].as_array().unwrap().clone())
}

/// What became of the proposals of `what`, in order.
fn outcomes<'a>(steps: &'a [Value], what: &str) -> Vec<&'a str> {
    steps.iter().filter(|s| s["what"].as_str().unwrap().starts_with(what)).map(|s| s["got"].as_str().unwrap()).collect()
}

fn json(scratch: &Scratch, args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    scratch.enact(&args).exits(0).json()
}

fn proposal(scratch: &Scratch, name: &str, record: &Value, by: &str) -> (i32, Value) {
    let path = scratch.file(name, &record.to_string());
    let ran = scratch.enact(&["propose", &path, "--as", by, "--json"]);
    (ran.code, ran.json())
}

#[test]
fn b_02_settlement_kes_tender_and_auction_are_behind_the_boundary() {
    let scratch = Scratch::init();
    let check = json(&scratch, &["protocol", "check", "--questions"]);
    let questions = check["questions"].as_array().unwrap();
    for prefix in ["SETTLEMENT.", "KES_VERSION_", "TENDER.", "BID.", "AUCTION.", "AUCTION_BID.", "PARAMETER."] {
        let actions: Vec<&Value> = questions.iter().filter(|q| q["action"].as_str().unwrap().starts_with(prefix)).collect();
        assert!(!actions.is_empty(), "{prefix}");
        for action in actions {
            assert_eq!((&action["deterministic"], &action["replayable"]), (&true.into(), &true.into()), "{action:#}");
        }
    }
    // A future module is behind it as well: an action that no row allows does not even seal.
    let path = scratch.workspace().join("protocol/AM_TENDER_V0.json");
    let mut matrix: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    matrix["rows"] = json!([]);
    std::fs::write(&path, matrix.to_string()).unwrap();
    let problems = scratch.enact(&["protocol", "check", "--json"]).exits(3).json();
    assert!(problems["problems"].as_array().unwrap().iter().any(|p| p["code"] == "action_nobody"), "{problems:#}");
}

#[test]
fn b_16_b_19_b_22_execution_writes_runs_and_nothing_else() {
    let (scratch, _) = told("settlement");
    let state = |scratch: &Scratch| json(scratch, &["state", "--prefix", "", "-n", "1000"]);
    let before = state(&scratch);
    let payload = scratch.file("p.json", &person("ann").to_string());
    let run = json(&scratch, &["run", REGISTER, "--payload", &payload]);
    // The run's entry holds a receipt of the engine, and moved no subject, account or key.
    let entry = json(&scratch, &["ledger", "show", &run["entry"]["seq"].to_string()])["entry"].clone();
    assert_eq!((&entry["records"][0]["kind"], &entry["records"][0]["type"]), (&"RECEIPT".into(), &"RUN".into()));
    assert!(entry["records"][0]["actor"].as_str().unwrap().starts_with("Engine:"));
    assert_eq!(state(&scratch), before, "a run changed governed state");
    // The engine cannot say more: a settlement record in its name, or a receipt in another's, is refused.
    let engine = entry["records"][0]["actor"].as_str().unwrap();
    let deposit = json!({"type": "SETTLEMENT_EVENT", "action": "SETTLEMENT.RAIL_ERROR", "subject": "Settlement:S-3", "actor": engine,
        "payload": {"code": "timeout"}});
    let (code, answer) = proposal(&scratch, "engine.json", &deposit, "Actor:lena");
    assert_eq!(code, 3, "{answer:#}");
    let mut receipt = entry["records"][0].clone();
    receipt["actor"] = "Actor:lena".into();
    let (code, answer) = proposal(&scratch, "receipt.json", &receipt, "Actor:lena");
    assert_eq!(code, 3, "{answer:#}");
    assert_eq!(state(&scratch), before);
    let verified = json(&scratch, &["verify", "--rebuild"]);
    assert_eq!(verified["verdict"], "BALANCED");
    assert_eq!(json(&scratch, &["audit", "--all"])["replayed"], 1);
}

#[test]
fn b_18_a_payload_is_stored_as_it_was_proposed() {
    let (scratch, _) = told("settlement");
    let history = json(&scratch, &["history", "Settlement:S-1"]);
    let terms: Value =
        serde_json::from_slice(&std::fs::read(crate::support::project("protocol/packs/settlement/examples/create.json")).unwrap()).unwrap();
    assert_eq!(history[0]["payload"], terms["payload"]);
}

#[test]
fn b_20_a_deposit_is_confirmed_only_after_authority_lifecycle_and_invariants() {
    let (_, steps) = told("settlement");
    let deposits = outcomes(&steps, "SETTLEMENT.DEPOSIT_CONFIRMED Settlement:S-1");
    assert_eq!(deposits, ["lifecycle_edge", "posting_mismatch", "appended"], "{deposits:?}");
    let second = outcomes(&steps, "SETTLEMENT.DEPOSIT_CONFIRMED Settlement:S-2");
    assert_eq!(second, ["key_consumed", "posting_floor", "appended"], "{second:?}");
}

#[test]
fn b_05_b_23_b_24_b_25_b_26_versions_are_proposed_then_ratified_and_stay_as_they_were() {
    let (scratch, steps) = told("kes");
    let ratified = outcomes(&steps, "KES_VERSION_RATIFIED");
    // Without a record, by the proposer, altered, without a decision: each refused. Two versions came to be.
    for code in ["chain_proposal", "authority_distinct", "chain_altered", "access_missing", "chain_stale"] {
        assert!(ratified.contains(&code), "{code}: {ratified:?}");
    }
    assert_eq!(ratified.iter().filter(|code| **code == "appended").count(), 2);
    let history = json(&scratch, &["history", "Kes:household"]);
    let of = |action: &str| -> Vec<Value> {
        history.as_array().unwrap().iter().filter(|row| row["action"] == action).map(|row| row["payload"].clone()).collect()
    };
    let (proposed, ratified) = (of("KES_VERSION_PROPOSED"), of("KES_VERSION_RATIFIED"));
    for version in &ratified {
        let same = |p: &&Value| p["content_hash"] == version["content_hash"] && p["commitments"] == version["commitments"];
        assert!(proposed.iter().any(|p| same(&p)), "{version:#}");
    }
    let state = json(&scratch, &["state", "Kes:household"]);
    assert_eq!(state["active"]["version"], 2, "{state:#}");
    assert_eq!(state["kept"]["content_hash"], ratified[1]["content_hash"]);
}

#[test]
fn i_08_i_09_a_parameter_that_has_changed_since_the_proposal_stays_as_it_is() {
    let (scratch, steps) = told("parameters");
    let stale = steps.iter().find(|s| s["got"] == "chain_stale").unwrap();
    assert!(stale["detail"].as_str().unwrap().contains("has changed since proposal"), "{stale:#}");
    let subject = stale["what"].as_str().unwrap().split_once(' ').unwrap().1;
    let state = json(&scratch, &["state", subject]);
    assert_eq!(state["active"]["version"], 2);
    assert!(state["kept"]["effective_at"].is_string(), "{state:#}");
}

#[test]
fn b_29_b_35_what_execution_has_to_report_is_a_record_like_any_other() {
    let (scratch, steps) = told("settlement");
    assert_eq!(outcomes(&steps, "SETTLEMENT.RAIL_ERROR"), ["appended", "lifecycle_terminal"]);
    let history = json(&scratch, &["history", "Settlement:S-1"]);
    let rail = history.as_array().unwrap().iter().position(|row| row["action"] == "SETTLEMENT.RAIL_ERROR").unwrap();
    assert_eq!(history[rail]["decided"], "AM_SETTLEMENT_V0#rail_reports");
    // The failure left the settlement where it was, and later records went on from there.
    assert_eq!(history[rail]["state"], history[rail - 1]["state"]);
    assert!(rail + 1 < history.as_array().unwrap().len());
}

#[test]
fn b_31_a_correction_is_a_new_record_and_the_old_one_stays() {
    let (scratch, steps) = told("settlement");
    let decisions: Vec<&Value> = steps.iter().filter(|s| s["what"].as_str().unwrap().starts_with("ACCESS.") && s["seq"].is_u64()).collect();
    let subject = decisions[0]["what"].as_str().unwrap().split_once(' ').unwrap().1;
    let history = json(&scratch, &["history", subject]);
    let actions: Vec<&str> = history.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["ACCESS.ALLOW", "ACCESS.DENY", "ACCESS.ALLOW"]);
    // Each names the one before by hash.
    for pair in history.as_array().unwrap().windows(2) {
        let entry = json(&scratch, &["ledger", "show", &pair[1]["seq"].to_string()])["entry"].clone();
        assert_eq!(entry["records"][0]["refs"]["prev"], pair[0]["record"]);
    }
}

#[test]
fn b_34_a_failed_execution_leaves_governance_as_it_was() {
    let (scratch, _) = told("settlement");
    let roots = |scratch: &Scratch| json(scratch, &["verify", "--rebuild"])["state_roots"].clone();
    let before = roots(&scratch);
    // A payload that the intent refuses, a workflow that does not exist, and a module that is gone.
    let bad = scratch.file("bad.json", "{}");
    assert_eq!(json(&scratch, &["run", REGISTER, "--payload", &bad])["exit"]["class"], "FAILURE");
    scratch.enact(&["run", "WF_NOWHERE_V0", "--payload", &bad]).exits(1);
    for module in std::fs::read_dir(scratch.workspace().join("modules")).unwrap() {
        let path = module.unwrap().path();
        if path.extension().is_some_and(|e| e == "wasm") {
            std::fs::write(path, b"broken").unwrap();
        }
    }
    let good = scratch.file("good.json", &person("ann").to_string());
    assert_ne!(scratch.enact(&["run", REGISTER, "--payload", &good]).code, 0);
    let after = scratch.enact(&["verify", "--rebuild", "--json"]).json();
    assert_eq!(after["state_roots"], before, "the derived state moved");
}
