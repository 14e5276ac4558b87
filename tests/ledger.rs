//! The ledger's commands: entries, proofs, checkpoints, exports.
use crate::support::Scratch;

#[test]
fn b_08_a_proof_stands_on_its_own_with_the_key_and_the_entry() {
    let scratch = Scratch::init();
    for name in ["ann", "bob", "cy", "dee", "eve"] {
        scratch.register(name);
    }
    for seq in 0..5 {
        let proof = scratch.enact(&["ledger", "prove", &seq.to_string(), "--json"]).exits(0).json();
        let (name, key) = enact_core::note::decode_key(proof["key"].as_str().unwrap()).unwrap();
        let parsed = enact_core::proof::Proof::parse(proof["proof"].as_str().unwrap()).unwrap();
        let entry = proof["entry"].as_str().unwrap();
        let checkpoint = parsed.verify(entry.as_bytes(), &key, &name).unwrap();
        assert_eq!(checkpoint.size, 5);
        assert!(parsed.verify(entry.replace("ann", "amm").replace("\"v\":1", "\"v\":2").as_bytes(), &key, &name).is_err());
    }
}

#[test]
fn checkpoints_are_kept_and_hold_the_ledger_to_its_past() {
    let scratch = Scratch::init();
    scratch.register("ann");
    let first = scratch.enact(&["ledger", "checkpoint"]).exits(0).out;
    assert!(first.contains("\n1\n"), "{first}");
    scratch.register("bob");
    let verify = scratch.enact(&["verify", "--json"]).exits(0).json();
    assert_eq!(verify["verdict"], "CONSISTENT");
    // Another key is another signer: nothing it did not sign is believed.
    let other = Scratch::init();
    other.register("ann");
    let key = other.enact(&["ledger", "checkpoint", "--json"]).exits(0).json()["key"].as_str().unwrap().to_owned();
    scratch.enact(&["verify", "--key", &key]).exits(4);
}

#[test]
fn b_03_entries_export_as_the_bytes_that_are_chained() {
    let scratch = Scratch::init();
    scratch.register("ann");
    scratch.register("bob");
    let export = scratch.enact(&["ledger", "export"]).exits(0).out;
    let mut verifier = None;
    for (line, seq) in export.lines().zip(0_u64..) {
        let entry = enact_core::entry::Entry::parse(line.as_bytes()).unwrap();
        let verifier = verifier.get_or_insert_with(|| enact_core::verify::Verifier::new(&entry.origin));
        verifier.feed(seq, line.as_bytes(), &enact_core::hash::leaf_hash(line.as_bytes())).unwrap();
    }
    assert_eq!(verifier.unwrap().head().size, 2);
    let file = scratch.path().join("out.ndjson");
    scratch.enact(&["ledger", "export", "-o", &file.to_string_lossy()]).exits(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), export);
    scratch.enact(&["ledger", "export", "-o", &file.to_string_lossy()]).exits(1);
}

#[test]
fn entries_list_and_show_and_unknown_ones_are_named() {
    let scratch = Scratch::init();
    scratch.register("ann");
    let list = scratch.enact(&["ledger", "list", "--json"]).exits(0).json();
    assert_eq!(list[0]["records"][0]["action"], "RUN.RECEIPT");
    let shown = scratch.enact(&["ledger", "show", "0", "--json"]).exits(0).json();
    assert_eq!(shown["hash"], list[0]["hash"]);
    let missing = scratch.enact(&["ledger", "show", "7", "--json"]).exits(1).json();
    assert_eq!(missing["error"]["code"], "no_entry");
}

/// Checks a proof where there is no workspace at all; answers what `enact` said.
fn offline(proof: &serde_json::Value, key: &str) -> crate::support::Ran {
    let elsewhere = Scratch::new();
    let file = elsewhere.file("proof.json", &proof.to_string());
    let ran = elsewhere.enact(&["verify", "--proof", &file, "--key", key, "--json"]);
    assert!(!elsewhere.workspace().exists());
    ran
}

#[test]
fn b_08_a_proof_is_checked_by_who_holds_it_and_the_key_and_nothing_else() {
    use serde_json::{Value, json};
    let (scratch, _) = crate::governance::told("settlement");
    let key = scratch.enact(&["ledger", "checkpoint", "--json"]).exits(0).json()["key"].as_str().unwrap().to_owned();
    let entry = scratch.enact(&["ledger", "prove", "5", "--json"]).exits(0).json();
    let report = offline(&entry, &key).exits(0).json();
    assert_eq!((&report["verdict"], &report["proved"], &report["seq"]), (&"HOLDS".into(), &"entry".into(), &5.into()));
    assert_eq!((&report["size"], &report["signed_by"]), (&entry["size"], &key.clone().into()));
    let balance = scratch.enact(&["balance", "holder:omar", "--asset", "EUR", "--prove", "--json"]).exits(0).json();
    let report = offline(&balance, &key).exits(0).json();
    let proved = &report["balance"];
    assert_eq!(
        (&proved["account"], &proved["balance"], &proved["root"]),
        (&"holder:omar".into(), &balance["balance"]["balance"], &balance["root"])
    );
    let verified = crate::governance::whole(&scratch);
    assert_eq!((&report["root"], &proved["root"]), (&verified["root"], &verified["state_roots"]["balance"]));
    assert_eq!(proved["after"].as_u64().map(|after| after + 1), report["size"].as_u64());

    // Without a key it is the workspace's own; without either there is nothing to start from.
    let file = scratch.file("proof.json", &balance.to_string());
    scratch.enact(&["verify", "--proof", &file]).exits(0);
    assert_eq!(Scratch::new().enact(&["verify", "--proof", &file, "--json"]).exits(1).json()["error"]["code"], "no_workspace");
    let other = Scratch::init();
    other.register("ann");
    let foreign = other.enact(&["ledger", "checkpoint", "--json"]).exits(0).json()["key"].as_str().unwrap().to_owned();
    assert_eq!(offline(&balance, &foreign).exits(4).json()["error"]["code"], "note_unsigned");
    for error in [offline(&balance, "nonsense").json(), scratch.enact(&["verify", "--key", "nonsense", "--json"]).exits(1).json()] {
        assert_eq!(error["error"]["code"], "key_invalid");
        assert!(error["error"]["message"].as_str().unwrap().contains("name+hash+base64"), "{error:#}");
    }
    // What the balance was left by is not in the row, so it is not proved, and the answer says so.
    let mut moved = balance.clone();
    moved["balance"]["seq"] = 1.into();
    let not_checked = offline(&moved, &key).exits(0).json()["not_checked"].clone();
    assert!(not_checked.as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("`balance.seq`")), "{not_checked}");

    // Whatever is changed in a proof, it does not hold any more.
    let other_hash = format!("sha256:{}", "3".repeat(64));
    let cases: [(&Value, &str, Value, &str); 14] = [
        (&entry, "/seq", 6.into(), "proof_claims"),
        (&entry, "/size", 999.into(), "proof_claims"),
        (&entry, "/entry", entry["entry"].as_str().unwrap().replacen("\"v\":1", "\"v\":2", 1).into(), "merkle_root_mismatch"),
        (&entry, "/proof", entry["proof"].as_str().unwrap().replacen("index 5", "index 4", 1).into(), "merkle_root_mismatch"),
        (&entry, "/proof", "c2sp.org/tlog-proof@v1".into(), "proof_format"),
        (&entry, "/more", Value::Null, "proof_format"),
        (&balance, "/balance/account", "holder:lena".into(), "merkle_root_mismatch"),
        (&balance, "/balance/balance", "1".into(), "proof_claims"),
        (&balance, "/balance/credits", "1".into(), "proof_claims"),
        (
            &balance,
            "/row",
            balance["row"].as_str().unwrap().replacen("\"credits\":\"", "\"credits\":\"9", 1).into(),
            "merkle_root_mismatch",
        ),
        (&balance, "/path/0", other_hash.clone().into(), "merkle_root_mismatch"),
        (&balance, "/root", other_hash.into(), "proof_claims"),
        (&balance, "/snapshot", 3.into(), "proof_claims"),
        (&balance, "/stated", entry.clone(), "proof_claims"),
    ];
    for (proof, pointer, value, code) in cases {
        let mut tampered = proof.clone();
        match tampered.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => tampered["more"] = json!(1),
        }
        assert_eq!(offline(&tampered, &key).exits(4).json()["error"]["code"], code, "{pointer}");
    }
}
