//! The published vectors: what another implementation must reproduce, and what this one may never change.
//!
//! `ENACT_BLESS=1` rewrites the files, for a new format version and never to silence a failure.

use std::path::PathBuf;

use ed25519_dalek::SigningKey;
use enact_core::canonical::{parse, to_bytes};
use enact_core::entry::Entry;
use enact_core::hash::{Digest, blob_hash, context_hash, entry_hash, leaf_hash, module_digest, node_hash, record_hash};
use enact_core::merkle::{Frontier, consistency_proof, from_leaves, inclusion_proof};
use enact_core::note::{encode_key, sign};
use enact_core::proof::Proof;
use serde_json::{Value, json};

use crate::support::{ORIGIN, ledger};

fn same_as_published(name: &str, computed: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../protocol/vectors").join(name);
    let text = serde_json::to_string_pretty(computed).unwrap() + "\n";
    if std::env::var_os("ENACT_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(published == text, "{name} is no longer what this build computes");
}

#[test]
fn canonical_vectors_hold() {
    let accepted = [
        r#"{"b":1,"a":[true,null,"x"]}"#,
        r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
        "[1.0,-0,4.50,2e-3,1e-27,333333333.33333329]",
        r#"["\u0000\u001f\u007f\u2028\/\\\""]"#,
        "[9007199254740991,-9007199254740991]",
        "{}",
        "[]",
        "\"\"",
    ];
    let refused = [
        r#"{"a":1,"a":1}"#,
        "9007199254740992",
        "[-9007199254740992]",
        "9007199254740993",
        "1e21",
        "1e999",
        "NaN",
        "01",
        "[1,]",
        "",
        r#""\ud800""#,
    ];
    let accepted = accepted.map(|input| {
        let bytes = to_bytes(&parse(input.as_bytes()).unwrap()).unwrap();
        json!({"input": input, "canonical": String::from_utf8(bytes.clone()).unwrap(), "sha256": context_hash(&bytes).to_hex()})
    });
    let refused = refused.map(|input| json!({"input": input, "code": parse(input.as_bytes()).unwrap_err().code()}));
    same_as_published("core-canonical.json", &json!({"accepted": accepted, "refused": refused}));
}

#[test]
fn hash_vectors_hold() {
    let inputs = [Vec::new(), b"abc".to_vec(), vec![0; 1025]];
    let rows = inputs.map(|input| {
        json!({
            "input_hex": hex::encode(&input), "record_hash": record_hash(&input), "entry_hash": entry_hash(&input),
            "blob_hash": blob_hash(&input), "module_digest": module_digest(&input), "context_hash": context_hash(&input),
            "leaf": hex::encode(leaf_hash(&input)), "node_of_leaf_twice": hex::encode(node_hash(&leaf_hash(&input), &leaf_hash(&input))),
        })
    });
    same_as_published("core-hashes.json", &json!(rows));
}

#[test]
fn ledger_vectors_hold() {
    let (sealed, key) = (ledger(7), SigningKey::from_bytes(&[42; 32]));
    let leaves: Vec<_> = sealed.iter().map(|s| s.leaf).collect();
    let entries: Vec<Value> = (sealed.iter())
        .map(|s| {
            let record = Entry::parse(&s.bytes).unwrap().records[0].hash().unwrap();
            json!({
                "bytes": String::from_utf8(s.bytes.clone()).unwrap(), "record_hash": record, "entry_hash": s.entry_hash,
                "leaf": hex::encode(s.leaf), "root_after": hex::encode(s.head.root()),
                "frontier_after": hex::encode(s.head.frontier.to_bytes()),
            })
        })
        .collect();
    let root = sealed[6].head.root();
    let checkpoint = sign(ORIGIN, 7, &root, &key);
    let path = |proof: Vec<[u8; 32]>| proof.iter().map(hex::encode).collect::<Vec<_>>();
    let nodes = &mut from_leaves(&leaves);
    let inclusion: Vec<_> = (0..7).map(|index| path(inclusion_proof(7, index, nodes).unwrap())).collect();
    let consistency: Vec<_> = (0..=7).map(|old| path(consistency_proof(old, 7, nodes).unwrap())).collect();
    let vectors = json!({
        "origin": ORIGIN, "entries": entries, "empty_root": Digest::sha256(Frontier::new().root()),
        "inclusion_in_7": inclusion, "consistency_to_7": consistency, "signing_key_hex": hex::encode(key.to_bytes()),
        "verifier_key": encode_key(ORIGIN, &key.verifying_key()), "checkpoint": checkpoint,
        "proof_of_3": Proof::new(3, &checkpoint, nodes).unwrap().to_string(),
    });
    same_as_published("core-ledger.json", &vectors);
}

#[test]
fn i_45_i_16_decision_vectors_hold() {
    use crate::govern::decision::{canonical_text, shipped_digests};
    let cases = [
        ("P-1", json!({"effects": [{"effect": "no_op", "reason": "r"}]}), json!({"yes": "2", "no": "1"})),
        ("P-2", json!({"effects": [{"effect": "no_op", "reason": "r"}]}), json!({"yes": "2", "no": "1"})),
        ("P-1", json!({"effects": [{"effect": "no_op", "reason": "s"}]}), json!({"yes": "2", "no": "1"})),
        ("P-1", json!({"effects": [{"effect": "no_op", "reason": "r"}]}), json!({"yes": "1", "no": "2"})),
        ("P-1", json!({"effects": [{"effect": "no_op", "reason": "r:{}:{}"}]}), json!({"yes": "2", "no": "1"})),
    ];
    let mut seen = std::collections::BTreeSet::new();
    let decisions = cases.map(|(id, payload, tally)| {
        let text = format!("icn:decision:v1:{id}:{}:{}", canonical_text(&payload), canonical_text(&tally));
        let hash = context_hash(text.as_bytes());
        assert!(seen.insert(hash), "two decisions with one hash");
        // What the shipped lifecycle says that it is, evaluated by the judge.
        assert_eq!(shipped_digests(id, &payload, &tally), hash.to_string());
        json!({"proposal_id": id, "payload": payload, "tally": tally, "decision_hash": hash})
    });
    let settlements = ["blake3:", "sha256:"].map(|alg| {
        let receipt = format!("{alg}{}", "ab".repeat(32));
        let key = |prefix: &str| context_hash(format!("{prefix}{receipt}").as_bytes());
        assert_ne!(key("icn-ledger:settlement:v1:"), key("icn-ledger:settlement:v2:"), "the prefix is part of it");
        json!({"receipt_hash": receipt, "key": key("icn-ledger:settlement:v1:")})
    });
    same_as_published("core-decisions.json", &json!({"decisions": decisions, "settlements": settlements}));
}
