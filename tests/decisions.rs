//! From a decision to its effects: exactly once, as a whole, and for ever, through the command and the engine on the real store.
mod crash;
mod faults;
mod packs;
mod rebuild;

use std::io::{BufRead as _, BufReader};
use std::num::NonZeroUsize;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use enact_core::govern::decision::Verdict;
use enact_engine::govern::{DecideOptions, Outcome, Proposed};
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineOptions};
use serde_json::{Value, json};

use crate::crash::Moments;
use crate::governance::{told, whole};
use crate::proposals::propose;
use crate::support::Scratch;

/// What the treasury of the story holds when the story is told, and what a test adds to it.
const FUNDED: i128 = 9_000;
const OPTIONS: DecideOptions = DecideOptions {
    verdict: Verdict::Carried,
    execute: true,
    sign: true,
    group: NonZeroUsize::new(64).unwrap(),
    jobs: NonZeroUsize::new(2).unwrap(),
};

fn open(scratch: &Scratch) -> Engine {
    Engine::open(Workspace::open(&scratch.workspace()).unwrap(), &EngineOptions::default()).unwrap()
}

/// The story of the treasury, told; and one actor who may decide and carry out.
fn decided_by_max() -> (Scratch, Engine) {
    let (scratch, _) = told("treasury");
    let engine = open(&scratch);
    engine.register("ada", "max", None, &["teller".to_owned(), "executor".to_owned()], None).unwrap();
    // Two decisions of the story can never be: they fail now, and are out of the way.
    decide(&scratch, &["--pending"], 3);
    say(
        &engine,
        "tom",
        &json!({"type": "TREASURY", "action": "TREASURY.OPEN", "subject": "Treasury:test", "payload": {"purpose": "Tests."}}),
    );
    let legs = legs(&[("holder:tom", "treasury:test", "EUR", &FUNDED.to_string())]);
    let iris = json!({"type": "TRANSFER", "action": "TRANSFER.ISSUE", "subject": "Transfer:test", "payload": {"to": "tom", "asset": "EUR", "amount": FUNDED.to_string()},
        "postings": self::legs(&[("mint", "holder:tom", "EUR", &FUNDED.to_string())])});
    say(&engine, "iris", &iris);
    let fund = json!({"type": "TREASURY", "action": "TREASURY.FUND", "subject": "Treasury:test", "payload": {"asset": "EUR", "amount": FUNDED.to_string()}, "postings": legs});
    say(&engine, "tom", &fund);
    (scratch, engine)
}

fn legs(moves: &[(&str, &str, &str, &str)]) -> Value {
    let leg =
        |account: &str, amount: &str, asset: &str, side: &str| json!({"account": account, "amount": amount, "asset": asset, "side": side});
    moves.iter().flat_map(|(from, to, asset, amount)| [leg(from, amount, asset, "debit"), leg(to, amount, asset, "credit")]).collect()
}

fn say(engine: &Engine, actor: &str, record: &Value) {
    let proposed = Proposed::read(record.to_string().as_bytes(), "it").unwrap();
    engine.propose(actor, &proposed).unwrap();
}

fn spend(amount: u32) -> Value {
    json!({"effect": "spend", "treasury": "test", "recipient": "olga", "amount": amount.to_string(), "currency": "EUR"})
}

/// A proposal with two ballots for it.
fn carried(engine: &Engine, id: &str, effects: &[Value]) {
    let payload = json!({"title": "It.", "payload": {"effects": effects}, "quorum": "2", "threshold_percent": 50,
        "closes": "2999-01-01T00:00:00.000000+00:00", "decidable_from": "2026-01-01T00:00:00.000000+00:00"});
    say(engine, "mia", &json!({"type": "PROPOSAL", "action": "PROPOSAL.OPEN", "subject": format!("Proposal:{id}"), "payload": payload}));
    for voter in ["mia", "nils"] {
        let side = format!("ballot-yes:{id}");
        say(
            engine,
            voter,
            &json!({"type": "VOTE", "action": "VOTE.CAST", "subject": format!("Vote:{id}.{voter}"), "payload": {"proposal": id, "choice": "yes"},
                "consumes": [format!("vote:{id}:Actor:{voter}")], "postings": legs(&[("ballots", &side, "BALLOT", "1")])}),
        );
    }
}

fn balance(scratch: &Scratch, account: &str) -> i128 {
    let report = scratch.enact(&["balance", account, "--asset", "EUR", "--json"]).exits(0).json();
    report["balances"][0]["balance"].as_str().unwrap().parse().unwrap()
}

fn decide(scratch: &Scratch, args: &[&str], exit: i32) -> Value {
    let mut all = vec!["decide"];
    all.extend(args);
    all.extend(["--as", "max", "--json"]);
    scratch.enact(&all).exits(exit).json()
}

fn shown(scratch: &Scratch, what: &str) -> Value {
    scratch.enact(&["decision", "show", what, "--json"]).exits(0).json()
}

/// I-01, I-05, I-18, I-37, I-40, I-42, I-43, I-51.
#[test]
fn i_51_i_05_i_18_from_a_proposal_to_a_receipt_end_to_end() {
    let (scratch, engine) = decided_by_max();
    let before = balance(&scratch, "holder:olga");
    carried(&engine, "T-1", &[spend(500), json!({"effect": "no_op", "reason": "And no more."})]);
    assert_eq!((&shown(&scratch, "T-1")["status"], &shown(&scratch, "T-1")["state"]), (&"Undecided".into(), &"OPEN".into()));
    let outcome = decide(&scratch, &["T-1"], 0);
    assert_eq!(outcome[0]["decided"]["records"][0]["action"], "PROPOSAL.DECIDE", "{outcome:#}");
    assert_eq!(balance(&scratch, "holder:olga"), before + 500);
    let report = shown(&scratch, "T-1");
    let hash = report["decision_hash"].as_str().unwrap();
    assert_eq!(report["status"], "Confirmed");
    assert_eq!(report["tally"], json!({"yes": "2", "no": "0"}));
    // Every link names the decision (I-01), one result for each effect (I-40), the receipt is derived (I-42).
    let entry = outcome[0]["executed"]["entry"]["hash"].clone();
    assert_eq!(report["ledger_entry_ids"], json!([entry]));
    assert_eq!(report["results"].as_array().unwrap().len(), 2);
    assert!(report["results"].as_array().unwrap().iter().all(|result| result["success"] == true), "{report:#}");
    assert_eq!(report["state_change_hashes"].as_array().unwrap().len(), 2);
    let receipt = scratch.enact(&["decision", "show", hash, "--receipt"]).exits(0).json();
    assert_eq!((&receipt["decision_hash"], &receipt["proposal_id"]), (&report["decision_hash"], &"T-1".into()));
    assert_eq!(receipt["decision_receipt_id"], outcome[0]["decided"]["records"][0]["hash"]);
    let spent = &outcome[0]["executed"]["records"][1];
    let history = scratch.enact(&["history", spent["subject"].as_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!(history[0]["payload"]["decision_hash"], report["decision_hash"]);
    // The same again is told, and nothing moves (I-37, I-53).
    let again = decide(&scratch, &["T-1", "--pending"], 0);
    assert_eq!(again[0]["duplicate"], true, "{again:#}");
    assert_eq!(balance(&scratch, "holder:olga"), before + 500);
    let listed = scratch.enact(&["decision", "list", "--status", "Confirmed", "--json"]).exits(0).json();
    assert!(listed.as_array().unwrap().iter().any(|each| each["proposal_id"] == "T-1"));
    whole(&scratch);
}

#[test]
fn i_27_i_46_one_decision_replayed_a_hundred_times_over_two_paths_spends_once() {
    let (scratch, engine) = decided_by_max();
    carried(&engine, "T-1", &[spend(500)]);
    decide(&scratch, &["T-1", "--no-execute"], 0);
    assert_eq!(shown(&scratch, "T-1")["status"], "Pending");
    drop(engine);
    let (executed, told) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let subject = ["Proposal:T-1".to_owned()];
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let engine = open(&scratch);
                for _ in 0..50 {
                    let each = |outcome: Outcome| {
                        executed.fetch_add(usize::from(outcome.executed.is_some()), Ordering::Relaxed);
                        told.fetch_add(usize::from(outcome.duplicate), Ordering::Relaxed);
                    };
                    engine.execute_decisions("max", &subject, &OPTIONS, each).unwrap();
                }
            });
        }
    });
    assert_eq!((executed.into_inner(), told.into_inner()), (1, 99));
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED - 500);
    assert_eq!(shown(&scratch, "T-1")["status"], "Confirmed");
    whole(&scratch);
}

#[test]
fn i_26_i_50_whatever_commit_a_crash_comes_between_the_decision_is_carried_out_once() {
    let (scratch, engine) = decided_by_max();
    for nth in 0..4 {
        carried(&engine, &format!("T-{nth}"), &[spend(100)]);
    }
    drop(engine);
    let hash = |id: &str| shown(&scratch, id)["decision_hash"].as_str().unwrap().to_owned();
    // Decided, nothing noted.
    decide(&scratch, &["T-0", "T-1", "T-2", "--no-execute"], 0);
    // Noted as begun, and nothing appended: the process died between the two.
    let begun = "INSERT INTO executions VALUES(?1, ?2, '', 'Executing', '2026-04-17T10:00:00.000000+00:00', NULL, NULL, NULL, 0)";
    scratch.sql().execute(begun, [&hash("T-1"), "Proposal:T-1"]).unwrap();
    assert_eq!(shown(&scratch, "T-1")["status"], "Executing");
    // A note that claims what the ledger does not know is not believed.
    scratch.sql().execute(&begun.replace("Executing", "Confirmed"), [&hash("T-2"), "Proposal:T-2"]).unwrap();
    assert_eq!(shown(&scratch, "T-2")["status"], "Pending");
    // Appended, and the note lost its confirmation.
    decide(&scratch, &["T-3"], 0);
    scratch.sql().execute("UPDATE executions SET status = 'Executing', seq = NULL WHERE proposal = 'Proposal:T-3'", []).unwrap();
    assert_eq!(shown(&scratch, "T-3")["status"], "Confirmed", "the ledger dominates");
    let done = decide(&scratch, &["--pending"], 0);
    let executed: Vec<&str> =
        done.as_array().unwrap().iter().filter(|each| each["executed"].is_object()).map(|each| each["subject"].as_str().unwrap()).collect();
    assert!(["Proposal:T-0", "Proposal:T-1", "Proposal:T-2"].iter().all(|each| executed.contains(each)), "{done:#}");
    assert!(!executed.contains(&"Proposal:T-3"));
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED - 400);
    assert_eq!(decide(&scratch, &["--pending"], 0).as_array().unwrap().iter().filter(|each| each["executed"].is_object()).count(), 0);
    whole(&scratch);
}

#[test]
fn i_26_i_53_kill_minus_9_while_deciding_never_spends_twice_and_loses_nothing() {
    let (scratch, engine) = decided_by_max();
    let mut moments = Moments(0x5EED_0055);
    let mut opened = 0;
    for round in 0..10 {
        for nth in 0..6 {
            carried(&engine, &format!("K-{round}-{nth}"), &[spend(1), spend(2)]);
            opened += 1;
        }
        let mut command = scratch.command();
        let mut child =
            command.args(["decide", "--all", "--as", "max", "--group", "2"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        if round % 2 == 0 {
            lines.next();
        }
        std::thread::sleep(Duration::from_micros(moments.next_below(40_000)));
        // It may be done already.
        let _ = child.kill();
        child.wait().unwrap();
    }
    decide(&scratch, &["--all"], 0);
    decide(&scratch, &["--pending"], 0);
    assert_eq!(balance(&scratch, "treasury:test"), FUNDED - 3 * opened);
    let confirmed = scratch.enact(&["decision", "list", "--status", "Confirmed", "--json"]).exits(0).json();
    let mine = confirmed.as_array().unwrap().iter().filter(|each| each["proposal_id"].as_str().unwrap().starts_with("K-")).count();
    assert_eq!(mine as i128, opened);
    whole(&scratch);
}

#[test]
fn i_52_i_35_what_cannot_be_fails_as_a_whole_and_for_good() {
    let (scratch, engine) = decided_by_max();
    let lock = json!({"type": "ESCROW_HOLD", "action": "HOLD.LOCK", "subject": "Hold:T", "payload": {"for": "nils", "asset": "EUR", "amount": "40"},
        "postings": legs(&[("holder:tom", "hold:T", "EUR", "40")])});
    say(
        &engine,
        "iris",
        &json!({"type": "TRANSFER", "action": "TRANSFER.ISSUE", "subject": "Transfer:more", "payload": {"to": "tom", "asset": "EUR", "amount": "40"},
        "postings": legs(&[("mint", "holder:tom", "EUR", "40")])}),
    );
    say(&engine, "tom", &lock);
    let release = |amount: &str| json!({"effect": "escrow_release", "hold": "T", "amount": amount});
    // The first effect could be, the second cannot: neither is.
    carried(&engine, "T-1", &[spend(500), release("41")]);
    let failed = decide(&scratch, &["T-1"], 3);
    assert_eq!((&failed[0]["stopped"]["code"], &failed[0]["stopped"]["last"]), (&"invariant_violated".into(), &true.into()), "{failed:#}");
    assert_eq!((balance(&scratch, "treasury:test"), balance(&scratch, "hold:T")), (FUNDED, 40), "it stays locked, and nothing else moved");
    let report = shown(&scratch, "T-1");
    assert_eq!((&report["status"], &report["state"], &report["error"]), (&"Failed".into(), &"FAILED".into(), &"invariant_violated".into()));
    assert!(report["results"].as_array().unwrap().iter().all(|result| result["success"] == false));
    assert_eq!(report["ledger_entry_ids"], json!([]));
    // No automatic retry, and none by hand: only another proposal.
    assert_eq!(decide(&scratch, &["--pending"], 0).as_array().unwrap().iter().filter(|each| each["subject"] == "Proposal:T-1").count(), 0);
    assert_eq!(decide(&scratch, &["T-1", "--pending"], 3)[0]["stopped"]["code"], "decision_state");
    // Of two that release the same, the second finds nothing.
    for id in ["T-2", "T-3"] {
        carried(&engine, id, &[release("40")]);
    }
    let both = decide(&scratch, &["T-2", "T-3"], 3);
    assert!(both[0]["executed"].is_object(), "{both:#}");
    assert_eq!(both[1]["stopped"]["code"], "lifecycle_terminal", "{both:#}");
    assert_eq!(balance(&scratch, "hold:T"), 0);
    whole(&scratch);
}

#[test]
fn i_54_an_approved_budget_constrains_spending_after_a_restart() {
    let (scratch, engine) = decided_by_max();
    carried(
        &engine,
        "T-1",
        &[json!({"effect": "create_budget", "line": "tests", "treasury": "test", "asset": "EUR", "amount": "300", "purpose": "Tests."})],
    );
    decide(&scratch, &["T-1"], 0);
    drop(engine);
    let pay = |n: u8, amount: &str| {
        json!({"type": "BUDGET_LINE", "action": "LINE.SPEND", "subject": "BudgetLine:tests", "payload": {"payment": format!("N-{n}"), "to": "nils", "amount": amount},
            "consumes": [format!("line-payment:N-{n}")], "postings": legs(&[("line:tests", "holder:nils", "EUR", amount)])})
        .to_string()
    };
    assert_eq!(propose(&scratch, "sid", pay(1, "250").as_bytes()).0, 0);
    let (exit, answer) = propose(&scratch, "sid", pay(2, "51").as_bytes());
    assert_eq!((exit, &answer["error"]["code"]), (3, &"posting_floor".into()));
    assert_eq!(propose(&scratch, "sid", pay(2, "50").as_bytes()).0, 0);
    whole(&scratch);
}

#[test]
fn i_45_a_decision_typed_by_hand_is_refused_when_its_hash_or_tally_is_not_its_own() {
    let (scratch, engine) = decided_by_max();
    carried(&engine, "T-1", &[spend(500)]);
    let record = |tally: Value, hash: &str, yes: &str| {
        json!({"type": "PROPOSAL", "action": "PROPOSAL.DECIDE", "subject": "Proposal:T-1", "payload": {"tally": tally, "decision_hash": hash},
            "postings": legs(&[("ballot-yes:T-1", "ballots-counted", "BALLOT", yes)])})
        .to_string()
    };
    let zero = format!("sha256:{}", "0".repeat(64));
    let code = |text: String| propose(&scratch, "max", text.as_bytes()).1["error"]["code"].clone();
    assert_eq!(code(record(json!({"yes": "2", "no": "0"}), &zero, "2")), "guard_field_equals");
    let payload = json!({"effects": [spend(500)]});
    let hash = |tally: &Value| {
        let canonical = |value: &Value| String::from_utf8(enact_core::canonical::to_bytes(value).unwrap()).unwrap();
        let text = format!("icn:decision:v1:T-1:{}:{}", canonical(&payload), canonical(tally));
        enact_core::hash::context_hash(text.as_bytes()).to_string()
    };
    for (tally, yes) in [(json!({"yes": "1", "no": "0"}), "1"), (json!({"yes": "2", "no": "1"}), "2")] {
        assert_eq!(code(record(tally.clone(), &hash(&tally), yes)), "invariant_violated", "{tally}");
    }
    let tally = json!({"yes": "2", "no": "0"});
    assert_eq!(propose(&scratch, "max", record(tally.clone(), &hash(&tally), "2").as_bytes()).0, 0);
    assert_eq!(shown(&scratch, "T-1")["decision_hash"], hash(&tally), "two ways to the same hash");
}

#[test]
fn i_46_without_the_log_of_executions_the_same_is_known_and_every_replay_is_refused() {
    let (scratch, engine) = decided_by_max();
    for nth in 0..3 {
        carried(&engine, &format!("T-{nth}"), &[spend(100)]);
    }
    drop(engine);
    decide(&scratch, &["--all"], 0);
    let before = whole(&scratch)["state_roots"].clone();
    let entries = scratch.enact(&["ledger", "export"]).exits(0).out;
    let executed: Vec<Value> = entries
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|entry| entry["records"][0]["action"] == "PROPOSAL.EXECUTE")
        .collect();
    assert!(executed.len() >= 3);
    scratch.sql().execute("DELETE FROM executions", []).unwrap();
    for nth in 0..3 {
        assert_eq!(shown(&scratch, &format!("T-{nth}"))["status"], "Confirmed");
    }
    // Every execution once more, as it was signed: nothing of it is appended.
    for entry in executed {
        let (exit, answer) = propose(&scratch, "max", entry["records"].to_string().as_bytes());
        assert_eq!(exit, 3, "{answer:#}");
    }
    for nth in 0..3 {
        assert_eq!(decide(&scratch, &[&format!("T-{nth}"), "--pending"], 0)[0]["duplicate"], true);
    }
    assert_eq!(whole(&scratch)["state_roots"], before);
}

#[test]
fn i_08_i_09_a_setting_changes_by_decision_unless_another_was_faster() {
    let (scratch, _) = told("control");
    let engine = open(&scratch);
    engine.register("ada", "max", None, &["teller".to_owned(), "executor".to_owned()], None).unwrap();
    let value = |n: u8| json!({"type": "integer", "value": n.to_string()});
    let at = "2026-05-01T00:00:00.000000+00:00";
    let mut proposals = Vec::new();
    for n in [7, 8] {
        let record = json!({"type": "SETTING", "action": "SETTING.PROPOSE", "subject": "Setting:size", "payload": {"value": value(n), "effective_at": at}});
        let proposed = Proposed::read(record.to_string().as_bytes(), "it").unwrap();
        proposals.push(engine.propose("mia", &proposed).unwrap().records[0].hash.clone());
    }
    for (id, n, proposal) in [("S-7", 7, &proposals[0]), ("S-8", 8, &proposals[1])] {
        carried(
            &engine,
            id,
            &[json!({"effect": "set_parameter", "setting": "size", "proposal": proposal, "value": value(n), "effective_at": at})],
        );
    }
    let done = decide(&scratch, &["S-7", "S-8"], 3);
    assert!(done[0]["executed"].is_object(), "{done:#}");
    assert_eq!((&done[1]["stopped"]["code"], &done[1]["stopped"]["last"]), (&"chain_stale".into(), &true.into()), "{done:#}");
    assert!(done[1]["stopped"]["detail"].as_str().unwrap().contains("has changed since proposal"), "{done:#}");
    let state = scratch.enact(&["state", "Setting:size", "--json"]).exits(0).json();
    assert_eq!((&state["kept"]["value"], &state["kept"]["effective_at"]), (&value(7), &at.into()));
    whole(&scratch);
}

#[test]
fn i_47_who_may_not_is_refused_and_the_decision_stays_pending() {
    let (scratch, engine) = decided_by_max();
    carried(&engine, "T-1", &[spend(500)]);
    decide(&scratch, &["T-1", "--no-execute"], 0);
    let refused = scratch.enact(&["decide", "T-1", "--pending", "--as", "tess", "--json"]).exits(3).json();
    assert_eq!((&refused[0]["stopped"]["code"], &refused[0]["stopped"]["last"]), (&"authority_role".into(), &false.into()), "{refused:#}");
    assert_eq!(shown(&scratch, "T-1")["state"], "APPROVED");
    assert!(decide(&scratch, &["T-1", "--pending"], 0)[0]["executed"].is_object());
    let unknown = scratch.enact(&["decide", "T-9", "--as", "max", "--json"]).exits(1).json();
    assert_eq!(unknown["error"]["code"], "decision_unknown");
    let lost = scratch.enact(&["decide", "T-1", "--as", "max", "--json"]).exits(3).json();
    assert_eq!(lost[0]["stopped"]["code"], "chain_kept", "{lost:#}");
}
