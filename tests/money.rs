//! Money through the packs, from the command line: entries balance and name what they follow, and a refusal moves nothing.
use std::collections::BTreeMap;

use enact_core::entry::{Entry, Record, Side};
use serde_json::{Value, json};

use crate::governance::{told, whole};
use crate::proposals::propose;
use crate::support::Scratch;

fn example(pack: &str, file: &str) -> Value {
    let path = crate::support::project(&format!("protocol/packs/{pack}/examples/{file}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The root of every space of the derived state.
fn roots(scratch: &Scratch) -> Value {
    whole(scratch)["state_roots"].clone()
}

fn balance(scratch: &Scratch, account: &str) -> i128 {
    let report = scratch.enact(&["balance", account, "--asset", "EUR", "--json"]).exits(0).json();
    report["balances"][0]["balance"].as_str().unwrap().parse().unwrap()
}

fn state(scratch: &Scratch, subject: &str) -> Value {
    scratch.enact(&["state", subject, "--json"]).exits(0).json()["state"].clone()
}

/// Asserts that a proposal is refused with a code and that no row of the state has changed.
#[track_caller]
fn refused(scratch: &Scratch, by: &str, proposal: &Value, code: &str) {
    let before = roots(scratch);
    let (exit, answer) = propose(scratch, by, proposal.to_string().as_bytes());
    assert_eq!((exit, &answer["error"]["code"]), (3, &code.into()), "{answer:#}");
    assert_eq!(roots(scratch), before, "a refusal changed the state");
}

/// Opens a settlement over so much; answers the deposit for which it waits.
fn awaiting_deposit(scratch: &Scratch, id: &str, amount: &str) -> Value {
    let mut create = example("settlement", "create");
    create["subject"] = format!("Settlement:{id}").into();
    create["payload"]["amount"] = amount.into();
    assert_eq!(propose(scratch, "Actor:lena", create.to_string().as_bytes()).0, 0);
    let mut open = example("settlement", "open");
    open["subject"] = create["subject"].clone();
    assert_eq!(propose(scratch, "Actor:tess", open.to_string().as_bytes()).0, 0);
    let mut deposit = example("settlement", "deposit");
    deposit["subject"] = create["subject"].clone();
    deposit["payload"]["deposit"] = format!("D-{id}").into();
    deposit["consumes"] = json!([format!("deposit:D-{id}")]);
    deposit["postings"] = json!([
        {"account": "holder:lena", "amount": amount, "asset": "EUR", "side": "debit"},
        {"account": format!("escrow:{id}"), "amount": amount, "asset": "EUR", "side": "credit"},
    ]);
    deposit
}

#[test]
fn i_03_every_movement_is_balanced_and_names_its_parent_by_hash() {
    for pack in ["settlement", "assets", "budgets", "auction", "treasury", "membership", "federation", "control"] {
        let (scratch, _) = told(pack);
        let export = scratch.enact(&["ledger", "export"]).exits(0).out;
        let (mut last, mut movements) = (BTreeMap::<String, String>::new(), 0);
        let records: Vec<Record> = export.lines().flat_map(|line| Entry::parse(line.as_bytes()).unwrap().records).collect();
        for record in records {
            // The parent is the last record of the same subject, by the hash of its own bytes.
            let prev = record.refs.get("prev").map(ToString::to_string);
            assert_eq!(prev.as_ref(), last.get(&record.subject), "{} {}", record.action, record.subject);
            last.insert(record.subject.clone(), record.hash().unwrap().to_string());
            let mut sums = BTreeMap::<&str, i128>::new();
            for leg in record.postings.iter().flatten() {
                let amount: i128 = leg.amount.parse().unwrap();
                assert!(amount > 0, "{leg:?}");
                *sums.entry(&leg.asset).or_default() += if leg.side == Side::Debit { -amount } else { amount };
            }
            movements += u32::from(!sums.is_empty());
            // Transforming is the one action between two assets: each still balances by itself.
            assert!(sums.values().all(|sum| *sum == 0), "{}: {sums:?}", record.action);
        }
        assert!(movements > 2, "{pack} moves nothing");
    }
    // A record that says otherwise does not get in: neither uneven legs nor another parent.
    let (scratch, _) = told("settlement");
    let mut deposit = awaiting_deposit(&scratch, "S-7", "100");
    let mut uneven = deposit.clone();
    uneven["postings"][1]["amount"] = "99".into();
    refused(&scratch, "Actor:tess", &uneven, "posting_mismatch");
    deposit["refs"] = json!({"prev": format!("blake3:{}", "1".repeat(64))});
    refused(&scratch, "Actor:tess", &deposit, "chain_prev");
}

#[test]
fn i_14_an_amount_is_above_zero_wherever_money_moves() {
    let (scratch, _) = told("settlement");
    let mut nothing = example("settlement", "create-nothing");
    nothing["subject"] = "Settlement:S-0".into();
    refused(&scratch, "Actor:lena", &nothing, "guard_field_positive");
    let mut issue = example("settlement", "fund");
    issue["subject"] = "Transfer:F-0".into();
    issue["payload"]["amount"] = "0".into();
    issue["postings"] = json!([]);
    refused(&scratch, "Actor:mint-office", &issue, "guard_field_positive");
    let deposit = awaiting_deposit(&scratch, "S-7", "1");
    for amount in ["0", "-1", "+1", "1.5", "01", ""] {
        let mut deposit = deposit.clone();
        for leg in deposit["postings"].as_array_mut().unwrap() {
            leg["amount"] = amount.into();
        }
        refused(&scratch, "Actor:tess", &deposit, "posting_amount");
    }
    let (scratch, _) = told("budgets");
    let mut again = example("budgets", "propose-nothing");
    again["subject"] = "Budget:zero".into();
    refused(&scratch, "Actor:tara", &again, "guard_field_positive");
}

#[test]
fn i_15_who_executes_is_not_who_asked() {
    // The agent who locks the money is neither side, though she has the role of an agent.
    let (scratch, _) = told("settlement");
    for side in ["Actor:lena", "Actor:omar"] {
        let granted = scratch.enact(&["actor", "grant", side, "--role", "escrow_agent", "--as", "Actor:ada", "--json"]);
        granted.exits(0);
    }
    let mut deposit = awaiting_deposit(&scratch, "S-7", "1");
    for (side, code) in [("Actor:lena", "authority_distinct"), ("Actor:omar", "guard_actors_distinct")] {
        deposit["actor"] = side.into();
        refused(&scratch, side, &deposit, code);
    }
    deposit["actor"] = "Actor:tess".into();
    assert_eq!(propose(&scratch, "Actor:tess", deposit.to_string().as_bytes()).0, 0);
    // Who spends from a budget is neither paid nor who approved it: the story of the pack.
    let (_, report) = told("budgets");
    let got: Vec<&str> = report["steps"].as_array().unwrap().iter().map(|s| s["got"].as_str().unwrap()).collect();
    assert!(got.contains(&"guard_actors_distinct") && got.contains(&"authority_distinct"), "{got:?}");
}

#[test]
fn i_52_without_the_funds_the_escrow_stays_as_it_was() {
    let (scratch, _) = told("settlement");
    let funds = balance(&scratch, "holder:lena");
    let deposit = awaiting_deposit(&scratch, "S-7", &(funds + 1).to_string());
    refused(&scratch, "Actor:tess", &deposit, "posting_floor");
    assert_eq!((state(&scratch, "Settlement:S-7"), balance(&scratch, "holder:lena")), ("ESCROW_OPENED".into(), funds));
    // In one batch with a deposit that is good, the good one does not happen either, and nothing of it is used up.
    let good = awaiting_deposit(&scratch, "S-8", "1");
    refused(&scratch, "Actor:tess", &json!([good, deposit]), "posting_floor");
    assert_eq!(state(&scratch, "Settlement:S-8"), "ESCROW_OPENED");
    assert_eq!(propose(&scratch, "Actor:tess", good.to_string().as_bytes()).0, 0);
    assert_eq!((state(&scratch, "Settlement:S-8"), balance(&scratch, "escrow:S-8")), ("FUNDED".into(), 1));
    // What is locked stays locked while its release is refused: here, because nobody has allowed it.
    let mut request = example("settlement", "request");
    request["subject"] = "Settlement:S-8".into();
    assert_eq!(propose(&scratch, "Actor:omar", request.to_string().as_bytes()).0, 0);
    let mut release = example("settlement", "release");
    release["subject"] = "Settlement:S-8".into();
    release["consumes"] = json!(["settlement:S-8"]);
    release["postings"] = json!([
        {"account": "escrow:S-8", "amount": "1", "asset": "EUR", "side": "debit"},
        {"account": "holder:omar", "amount": "1", "asset": "EUR", "side": "credit"},
    ]);
    refused(&scratch, "Actor:raul", &release, "access_missing");
    assert_eq!((state(&scratch, "Settlement:S-8"), balance(&scratch, "escrow:S-8")), ("RELEASE_PENDING".into(), 1));
}

#[test]
fn i_54_an_approved_budget_bounds_what_can_be_spent_when_it_is_appended() {
    let (scratch, _) = told("budgets");
    let moved = |from: &str, to: &str, amount: &str| {
        json!([
            {"account": from, "amount": amount, "asset": "EUR", "side": "debit"},
            {"account": to, "amount": amount, "asset": "EUR", "side": "credit"},
        ])
    };
    let mut proposed = example("budgets", "propose");
    proposed["subject"] = "Budget:hall".into();
    proposed["payload"]["amount"] = "1000".into();
    let spend = |amount: &str, payment: &str| {
        let mut spend = example("budgets", "spend");
        spend["subject"] = "Budget:hall".into();
        spend["payload"]["amount"] = amount.into();
        spend["payload"]["payment"] = payment.into();
        spend["consumes"] = json!([format!("payment:{payment}")]);
        spend["postings"] = moved("budget:hall", "holder:finn", amount);
        spend
    };
    assert_eq!(propose(&scratch, "Actor:tara", proposed.to_string().as_bytes()).0, 0);
    refused(&scratch, "Actor:sal", &spend("1", "H-0"), "authority_distinct");
    let mut approve = example("budgets", "approve");
    approve["subject"] = "Budget:hall".into();
    approve["postings"] = moved("holder:tara", "budget:hall", "1000");
    assert_eq!(propose(&scratch, "Actor:abel", approve.to_string().as_bytes()).0, 0);
    // Each is within the budget; all of them together are not, in one entry or in three.
    let three = [spend("400", "H-1"), spend("400", "H-2"), spend("201", "H-3")];
    refused(&scratch, "Actor:sal", &json!(three), "posting_floor");
    assert_eq!(propose(&scratch, "Actor:sal", three[0].to_string().as_bytes()).0, 0);
    assert_eq!(propose(&scratch, "Actor:sal", three[1].to_string().as_bytes()).0, 0);
    refused(&scratch, "Actor:sal", &three[2], "posting_floor");
    assert_eq!(balance(&scratch, "budget:hall"), 200);
    assert_eq!(propose(&scratch, "Actor:sal", spend("200", "H-4").to_string().as_bytes()).0, 0);
    refused(&scratch, "Actor:sal", &spend("1", "H-5"), "posting_floor");
}

#[test]
fn w_46_i_53_what_has_ended_stays_as_it_ended() {
    // Taken back only before it is carried out, and carried out never after it was taken back.
    let (scratch, report) = told("budgets");
    let got = |file: &str| {
        let steps = report["steps"].as_array().unwrap().iter();
        steps.filter(|s| s["what"].as_str().unwrap().starts_with(file)).map(|s| s["got"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(got("BUDGET.VOID"), ["lifecycle_edge", "appended"], "{report:#}");
    assert_eq!(state(&scratch, "Budget:tables"), "VOID");
    for (by, file, subject) in [
        ("Actor:abel", "approve-void", "Budget:tables"),
        ("Actor:tara", "void", "Budget:tables"),
        ("Actor:tara", "close", "Budget:chairs"),
        ("Actor:sal", "spend-late", "Budget:chairs"),
        ("Actor:tara", "void-approved", "Budget:chairs"),
    ] {
        assert_eq!(example("budgets", file)["subject"], subject);
        refused(&scratch, by, &example("budgets", file), "lifecycle_terminal");
    }
    // Nor is it created again, and its history cannot be changed: what there is, is what was said.
    refused(&scratch, "Actor:tara", &example("budgets", "propose"), "lifecycle_exists");
}
