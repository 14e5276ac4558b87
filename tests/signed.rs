//! A signature is given only for what was signed before and what has been judged since: whoever alters the file cannot have the next commit,
//! checkpoint or receipt vouch for it (B-30).
use rusqlite::params;
use serde_json::{Value, json};

use crate::support::{REGISTER, Scratch, person, reseal};

fn governed() -> Scratch {
    let scratch = Scratch::init();
    scratch.register("ann");
    scratch.enact(&["actor", "found", "ada", "--role", "issuer"]).exits(0);
    scratch
}

/// The head's row and how many entries there are.
fn head(scratch: &Scratch) -> (Vec<rusqlite::types::Value>, i64) {
    let sql = scratch.sql();
    let columns = |row: &rusqlite::Row<'_>| (0..6).map(|column| row.get(column)).collect();
    let row = sql.query_row("SELECT size, entry_hash, root, frontier, at, note FROM head", [], columns).unwrap();
    (row, sql.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap())
}

fn put_back(scratch: &Scratch, row: &[rusqlite::types::Value]) {
    let set = "UPDATE head SET size = ?1, entry_hash = ?2, root = ?3, frontier = ?4, at = ?5, note = ?6";
    assert_eq!(scratch.sql().execute(set, rusqlite::params_from_iter(row)).unwrap(), 1);
}

fn codes(scratch: &Scratch) -> Vec<String> {
    let verify = scratch.enact(&["verify", "--json"]).exits(4).json();
    assert_eq!(verify["verdict"], "ALTERED");
    verify["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

fn issue(n: usize) -> Value {
    json!({
        "type": "TRANSFER", "action": "TRANSFER.ISSUE", "subject": format!("Transfer:T-{n:04}"),
        "payload": {"to": "ada", "asset": "EUR", "amount": "1"},
        "postings": [
            {"account": "mint", "amount": "1", "asset": "EUR", "side": "debit"},
            {"account": "holder:ada", "amount": "1", "asset": "EUR", "side": "credit"},
        ],
    })
}

#[test]
fn b_30_entries_behind_the_last_signature_are_found() {
    let scratch = governed();
    let (signed, _) = head(&scratch);
    scratch.register("bob");
    let (now, _) = head(&scratch);
    // The signature of the ledger as it was before the last entry, or none at all.
    for note in [signed[5].clone(), rusqlite::types::Value::Null] {
        let mut row = now.clone();
        row[5] = note;
        put_back(&scratch, &row);
        assert_eq!(codes(&scratch), ["checkpoint_missing"]);
    }
    put_back(&scratch, &now);
    scratch.enact(&["verify"]).exits(0);
}

#[test]
fn b_30_rows_that_the_head_does_not_reach_are_found_and_nothing_is_appended_before_them() {
    let scratch = governed();
    let (before, _) = head(&scratch);
    scratch.register("bob");
    let (after, entries) = head(&scratch);
    put_back(&scratch, &before);
    assert_eq!(codes(&scratch), ["entry_beyond"; 3]);
    let payload = scratch.file("cy.json", &person("cy").to_string());
    let refused = scratch.enact(&["run", REGISTER, "--payload", &payload, "--json"]).exits(4).json();
    assert_eq!(refused["error"]["code"], "store_corrupt");
    assert_eq!(head(&scratch), (before, entries));
    put_back(&scratch, &after);
    // A run that is listed at an entry that holds none.
    scratch.enact(&["verify"]).exits(0);
    let copied = "SELECT 1, 'RUN-' || run_id, workflow, snapshot, binding, at, class, reason, code FROM runs WHERE seq = 0";
    scratch.sql().execute(&format!("INSERT INTO runs {copied}"), []).unwrap();
    assert_eq!(codes(&scratch), ["run_column"]);
}

#[test]
fn b_30_nothing_is_signed_on_top_of_an_alteration() {
    let scratch = governed();
    let (genuine, entries) = head(&scratch);
    let payload = scratch.file("bob.json", &person("bob").to_string());
    let lines: String = (0..40).map(|n| format!("{}\n", issue(n))).collect();
    let (one, many) = (scratch.file("one.json", &issue(99).to_string()), scratch.file("many.ndjson", &lines));
    let rewritten = || {
        reseal(&scratch, &|seq, entry| {
            if seq == 0 {
                entry.local.node = "elsewhere".to_owned()
            }
        })
    };
    let set = |column: &str, value: &str| {
        scratch.sql().execute(&format!("UPDATE head SET {column} = {value}"), []).unwrap();
    };
    let alterations: [(&str, &dyn Fn()); 4] = [
        ("another history", &rewritten),
        ("no signature", &|| set("note", "NULL")),
        ("a signature that is none", &|| set("note", "'junk'")),
        ("a time to come", &|| set("at", "'9999-12-31T00:00:00.000000+00:00'")),
    ];
    for (alteration, alter) in alterations.into_iter().rev() {
        alter();
        let (altered, _) = head(&scratch);
        for command in [
            ["run", REGISTER, "--payload", &payload].as_slice(),
            &["propose", &one, "--as", "ada"],
            &["propose", &many, "--as", "ada", "--each"],
            &["ledger", "checkpoint"],
            &["balance", "mint", "--asset", "EUR", "--prove"],
        ] {
            let ran = scratch.enact(command).exits(4);
            assert!(format!("{}{}", ran.out, ran.err).contains("store_corrupt"), "{alteration}: {command:?}: {ran:?}");
        }
        assert_eq!(head(&scratch), (altered, entries), "{alteration}");
        assert_eq!(scratch.sql().query_row("SELECT count(*) FROM checkpoints", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
        if alteration != "another history" {
            put_back(&scratch, &genuine);
            scratch.enact(&["verify"]).exits(0);
        }
    }
}

#[test]
fn b_30_a_receipt_is_signed_only_of_a_run_in_the_signed_tree() {
    use enact_core::entry::Entry;
    use enact_core::hash::{context_hash, leaf_hash};
    let scratch = governed();
    scratch.enact(&["receipts", "0", "--in-toto", "genuine.json"]).exits(0);
    // The entry alone is made to fit what its run is made to have said; the tree is left as it is.
    let sql = scratch.sql();
    let bytes: Vec<u8> = sql.query_row("SELECT bytes FROM entries WHERE seq = 0", [], |row| row.get(0)).unwrap();
    let mut entry = Entry::parse(&bytes).unwrap();
    let output = br#"{"forged":true}"#;
    entry.records[0].payload["output"] = context_hash(output).to_string().into();
    let bytes = entry.to_bytes().unwrap();
    sql.execute("UPDATE entries SET bytes = ?1, leaf = ?2 WHERE seq = 0", params![bytes, leaf_hash(&bytes).as_slice()]).unwrap();
    sql.execute("UPDATE run_parts SET output = ?1 WHERE seq = 0", params![output.as_slice()]).unwrap();
    for arguments in [["receipts", "0", "--in-toto", "forged.json"].as_slice(), &["receipts", "0", "--in-toto", "forged.json", "--proof"]] {
        scratch.enact(arguments).exits(4);
    }
    assert!(!scratch.path().join("forged.json").exists());
}
