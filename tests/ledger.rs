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
