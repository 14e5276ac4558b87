//! The trial balance at any entry (I-…: debits and credits of every asset are equal), and what it says of a ledger that was altered.
use serde_json::{Value, json};

use crate::governance::{told, whole};
use crate::proposals::propose;
use crate::support::Scratch;

fn trial(scratch: &Scratch, at: Option<u64>) -> Value {
    let at = at.map(|at| at.to_string());
    let mut args = vec!["trial-balance", "--json"];
    if let Some(at) = &at {
        args.extend(["--at", at]);
    }
    scratch.enact(&args).exits(0).json()
}

fn sum(asset: &Value, side: &str) -> u128 {
    asset["accounts"].as_array().unwrap().iter().map(|account| account[side].as_str().unwrap().parse::<u128>().unwrap()).sum()
}

#[test]
fn b_06_the_accounts_add_up_at_every_entry() {
    let (scratch, report) = told("settlement");
    let last = report["steps"].as_array().unwrap().iter().filter_map(|step| step["seq"].as_u64()).max().unwrap();
    let mut grew = 0;
    let mut before = 0;
    for at in 0..=last {
        let trial = trial(&scratch, Some(at));
        assert_eq!((&trial["verdict"], &trial["at"]), (&"BALANCED".into(), &at.into()));
        let mut moved = 0;
        for asset in trial["assets"].as_array().unwrap() {
            let (debits, credits) = (sum(asset, "debits"), sum(asset, "credits"));
            assert_eq!(debits, credits, "{asset:#}");
            assert_eq!(
                (asset["debits"].as_str().unwrap(), asset["credits"].as_str().unwrap()),
                (&*debits.to_string(), &*credits.to_string())
            );
            // No row of the past was written after it.
            assert!(asset["accounts"].as_array().unwrap().iter().all(|account| account["seq"].as_u64().unwrap() <= at));
            moved += debits;
        }
        assert!(moved >= before, "totals only grow");
        grew += usize::from(moved > before);
        before = moved;
    }
    assert!(grew > 5, "{grew}");
    // The present is the last entry, and what `accounts` says.
    let present = trial(&scratch, None);
    assert_eq!(present, trial(&scratch, Some(last)));
    let accounts: Vec<Value> = serde_json::from_value(scratch.enact(&["accounts", "--json"]).exits(0).json()).unwrap();
    let listed: usize = present["assets"].as_array().unwrap().iter().map(|asset| asset["accounts"].as_array().unwrap().len()).sum();
    assert_eq!(listed, accounts.len());
    let error = scratch.enact(&["trial-balance", "--at", &(last + 1).to_string(), "--json"]).exits(1).json();
    assert_eq!(error["error"]["code"], "no_entry");
    assert!(scratch.enact(&["trial-balance"]).exits(0).out.contains("BALANCED"));
}

#[test]
fn b_30_a_total_that_was_altered_leaves_the_books_open() {
    let (scratch, _) = told("settlement");
    let statement =
        "UPDATE state SET value = replace(value, '\"credits\":\"', '\"credits\":\"9') WHERE space = 'balance' AND key = 'holder:omar|EUR'";
    assert!(scratch.sql().execute(statement, []).unwrap() > 0);
    let trial = scratch.enact(&["trial-balance", "--json"]).exits(4).json();
    assert_eq!(trial["verdict"], "UNBALANCED");
    let open: Vec<&str> =
        trial["assets"].as_array().unwrap().iter().filter(|a| a["balanced"] == false).filter_map(|a| a["asset"].as_str()).collect();
    assert_eq!(open, ["EUR"]);
    assert!(scratch.enact(&["trial-balance"]).exits(4).out.contains("UNBALANCED"));
    // A total that is none is damage, and no balance.
    assert!(scratch.sql().execute("UPDATE state SET value = '{}' WHERE space = 'balance' AND key = 'holder:omar|EUR'", []).unwrap() > 0);
    assert_eq!(scratch.enact(&["trial-balance", "--json"]).exits(4).json()["error"]["code"], "state_unreadable");
}

#[test]
fn b_06_accounts_that_hold_all_there_can_be_are_added_up() {
    let (scratch, _) = told("assets");
    // Nearly the most that one total can be, and nearly all of it moved on: together more than 2^128.
    let most = u128::MAX - 1;
    let leg = |account: &str, side: &str, amount: u128| json!({"account": account, "side": side, "amount": amount.to_string(), "asset": "PERMIT"});
    let record = |action: &str, subject: &str, amount: u128, from: &str, rest: Value| {
        let mut payload = json!({"amount": amount.to_string(), "asset": "PERMIT", "to": rest["to"]});
        if let Some(from) = rest["from"].as_str() {
            payload["from"] = from.into();
        }
        let to = format!("holder:{}", rest["to"].as_str().unwrap());
        json!({"type": "TRANSFER", "action": action, "subject": subject, "payload": payload,
            "postings": [leg(from, "debit", amount), leg(&to, "credit", amount)]})
    };
    for (by, proposal) in [
        ("mint-office", record("TRANSFER.ISSUE", "Transfer:B1", most, "mint", json!({"to": "lena"}))),
        ("lena", record("TRANSFER.MOVE", "Transfer:B2", most - 1, "holder:lena", json!({"from": "lena", "to": "omar"}))),
    ] {
        let (exit, answer) = propose(&scratch, by, proposal.to_string().as_bytes());
        assert_eq!(exit, 0, "{answer:#}");
    }
    let trial = trial(&scratch, None);
    assert_eq!(trial["verdict"], "BALANCED");
    let permit = trial["assets"].as_array().unwrap().iter().find(|asset| asset["asset"] == "PERMIT").unwrap();
    assert_eq!(permit["debits"], permit["credits"]);
    // Twice 2^128, less what is missing above, and with what the story had moved.
    let digits = permit["debits"].as_str().unwrap();
    assert!(digits.starts_with("68056473384187692692674921486353642") && digits.len() == 39, "{digits}");
    whole(&scratch);
}
