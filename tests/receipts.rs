//! Chains of receipts through the command: walked in both directions, each link checked here against the stored entries; and receipts that
//! leave the ledger, read here by hand.
use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use enact_core::canonical;
use enact_core::entry::{Entry, Record};
use enact_core::hash::{leaf_hash, sha256};
use serde_json::{Value, json};

use crate::listen::noted;
use crate::queue_pilot::{PAPER, Pilot, WATER, record};
use crate::support::{Scratch, project};

const PILOT: &[&str] = &["-w", ".enact-demo-wst"];

/// All records of a ledger by their hashes, from the stored bytes.
fn stored(scratch: &Scratch, workspace: &str) -> BTreeMap<String, (u64, Record)> {
    let sql = rusqlite::Connection::open(scratch.path().join(workspace).join("ledger/ledger.db")).unwrap();
    let mut statement = sql.prepare("SELECT bytes FROM entries ORDER BY seq").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let mut all = BTreeMap::new();
    for bytes in rows {
        let entry = Entry::parse(&bytes.unwrap()).unwrap();
        all.extend(entry.records.into_iter().map(|record| (record.hash().unwrap().to_string(), (entry.seq, record))));
    }
    all
}

/// What a walk shows is what is stored: places, hashes, and every link that is a reference.
fn sound(walked: &Value, stored: &BTreeMap<String, (u64, Record)>) {
    for shown in walked["records"].as_array().unwrap() {
        let (seq, record) = &stored[shown["record"].as_str().unwrap()];
        assert_eq!((&shown["seq"], &shown["action"], &shown["subject"]), (&json!(seq), &json!(record.action), &json!(record.subject)));
    }
    for link in walked["links"].as_array().unwrap() {
        let (name, to) = (link["name"].as_str().unwrap(), link["to"].as_str().unwrap());
        let from = &stored[link["from"].as_str().unwrap()].1;
        let named = from.refs.get(name).or(from.auth.as_ref().filter(|_| name == "auth")).map(ToString::to_string);
        assert!(named.as_deref() == Some(to) || name.starts_with("LI_"), "{link}");
        assert_eq!(link["elsewhere"] == true, !stored.contains_key(to), "{link}");
    }
}

fn actions(walked: &Value) -> BTreeSet<String> {
    walked["records"].as_array().unwrap().iter().map(|record| record["action"].as_str().unwrap().to_owned()).collect()
}

fn walk(scratch: &Scratch, workspace: &[&str], args: &[&str]) -> Value {
    let all: Vec<&str> = workspace.iter().chain(&["receipts", "--json"]).chain(args).copied().collect();
    scratch.enact(&all).exits(0).json()
}

fn refused(scratch: &Scratch, args: &[&str]) -> (i32, String) {
    let all: Vec<&str> = ["receipts", "--json"].iter().chain(args).copied().collect();
    let ran = scratch.enact(&all);
    (ran.code, ran.json()["error"]["code"].as_str().unwrap().to_owned())
}

/// The pilot with its first item carried out.
fn carried_out() -> (Scratch, String) {
    let scratch = Scratch::new();
    scratch.enact(&["demo", "wst", "--json"]).exits(0);
    scratch.enact(&["-w", ".enact-demo-wst", "work", "--once", "--as", "worker-one", "--json"]).exits(0);
    let item = scratch.enact(&["-w", ".enact-demo-wst", "queue", "show", WATER, "--json"]).exits(0).json();
    (scratch, item["run"].as_str().unwrap().to_owned())
}

#[test]
fn a_run_leads_to_what_it_was_for_and_along_the_item_to_where_it_began() {
    let (scratch, run) = carried_out();
    let stored = stored(&scratch, ".enact-demo-wst");
    let near = walk(&scratch, PILOT, &[&run]);
    sound(&near, &stored);
    assert_eq!(actions(&near), ["RUN.RECEIPT", "transfer.executed"].map(str::to_owned).into());
    assert_eq!(near["records"][0]["exit"], "SUCCESS/COMPLETED");
    let far = walk(&scratch, PILOT, &[&format!("Run:{run}"), "--chain"]);
    sound(&far, &stored);
    let all = ["RUN.RECEIPT", "execution.queued", "settlement.recorded", "transfer.executed"];
    assert_eq!(actions(&far), all.map(str::to_owned).into());
    assert_eq!(far["cut"], json!([]));
    // The same chain from its other end, from its entry, and from the subject; each record once.
    let queued = far["records"].as_array().unwrap().iter().find(|record| record["action"] == "execution.queued").unwrap();
    let back = walk(&scratch, PILOT, &[queued["record"].as_str().unwrap(), "--chain"]);
    sound(&back, &stored);
    assert_eq!((actions(&back), back["records"].as_array().unwrap().len()), (actions(&far), 4));
    assert_eq!(back["links"], far["links"]);
    let entry = walk(&scratch, PILOT, &[&near["records"][0]["seq"].to_string()]);
    assert_eq!((entry["from"].as_array().unwrap().len(), actions(&entry)), (2, actions(&near)));
    let subject = walk(&scratch, PILOT, &[&format!("Execution:{WATER}")]);
    assert_eq!((subject["from"].as_array().unwrap().len(), actions(&subject)), (3, actions(&far)));
    // People are shown the same as a tree.
    let text = scratch.enact(&["-w", ".enact-demo-wst", "receipts", &run, "--chain"]).exits(0).out;
    for action in all {
        assert!(text.contains(action), "{text}");
    }
}

#[test]
fn a_permission_leads_to_what_relied_on_it_and_a_listener_to_what_it_started() {
    let scratch = Scratch::new();
    scratch.enact(&["demo", "settlement", "--dir", ".enact", "--json"]).exits(0);
    scratch.enact(&["listen", "--once", "--json"]).exits(0);
    let stored = stored(&scratch, ".enact");
    let hash_of = |action: &str| {
        let found: Vec<&String> = stored.iter().filter(|(_, (_, record))| record.action == action).map(|(hash, _)| hash).collect();
        found[0].clone()
    };
    let release = walk(&scratch, &[], &[&hash_of("SETTLEMENT.RELEASE")]);
    sound(&release, &stored);
    let allow = release["links"][0].clone();
    assert_eq!((&allow["name"], allow["elsewhere"].is_null()), (&json!("auth"), true));
    let down = walk(&scratch, &[], &[allow["to"].as_str().unwrap()]);
    sound(&down, &stored);
    assert!(actions(&down).contains("SETTLEMENT.RELEASE"), "{down:#}");
    // From the deposit to the run that a listener started, and from the run to the deposit.
    let deposit = hash_of("SETTLEMENT.DEPOSIT_CONFIRMED");
    let heard = walk(&scratch, &[], &[&deposit]);
    sound(&heard, &stored);
    assert!(heard["links"].as_array().unwrap().iter().any(|link| link["name"] == "LI_DEPOSIT_NOTICE_V0" && link["to"] == deposit.as_str()));
    let run = heard["records"].as_array().unwrap().iter().find(|record| record["action"] == "RUN.RECEIPT").unwrap()["subject"].clone();
    let why = walk(&scratch, &[], &[run.as_str().unwrap()]);
    assert!(why["records"].as_array().unwrap().iter().any(|record| record["record"] == deposit.as_str()), "{why:#}");
}

/// Proposes a note and answers its hash.
fn note(scratch: &Scratch, id: &str, refs: &Value) -> String {
    let note = json!({"type": "NOTE", "action": "NOTE.WHISPER", "subject": format!("Note:{id}"), "payload": {}, "refs": refs});
    let file = scratch.file("note.json", &note.to_string());
    let appended = scratch.enact(&["propose", &file, "--as", "ada", "--json"]).exits(0).json();
    appended["records"][0]["hash"].as_str().unwrap().to_owned()
}

#[test]
fn bounds_are_said_when_they_are_hit_and_what_is_no_record_is_told_apart() {
    let scratch = noted();
    let paper = "blake3:0101010101010101010101010101010101010101010101010101010101010101";
    let first = note(&scratch, "first", &json!({"paper": paper}));
    let mut last = first.clone();
    for nth in 0..6 {
        last = note(&scratch, &format!("chain-{nth}"), &json!({"cause": last}));
    }
    for nth in 0..6 {
        note(&scratch, &format!("leaf-{nth}"), &json!({"cause": first, "again": first}));
    }
    let stored = stored(&scratch, ".enact");
    let all = walk(&scratch, &[], &[&first]);
    sound(&all, &stored);
    assert_eq!((all["records"].as_array().unwrap().len(), &all["cut"]), (13, &json!([])));
    assert_eq!(all["links"].as_array().unwrap().iter().filter(|link| link["elsewhere"] == true).count(), 1);
    let up = walk(&scratch, &[], &[&last, "--depth", "3"]);
    sound(&up, &stored);
    assert_eq!((up["records"].as_array().unwrap().len(), &up["cut"]), (4, &json!(["depth"])));
    assert_eq!(up["links"].as_array().unwrap().iter().filter(|link| link["cut"] == true).count(), 1);
    let few = walk(&scratch, &[], &[&first, "--limit", "5"]);
    sound(&few, &stored);
    assert_eq!((few["records"].as_array().unwrap().len(), &few["cut"]), (5, &json!(["records"])));
    // Exactly as many as there are: nothing is cut.
    assert_eq!(walk(&scratch, &[], &[&first, "--limit", "13"])["cut"], json!([]));
    let proved = walk(&scratch, &[], &[&last, "--depth", "1", "--proof"]);
    let proofs = proved["proofs"].as_array().unwrap();
    assert_eq!(proofs.len(), 2);
    let key = proofs[0]["key"].as_str().unwrap();
    for proof in proofs {
        let file = scratch.file("proof.json", &proof.to_string());
        scratch.enact(&["verify", "--proof", &file, "--key", key, "--json"]).exits(0);
    }
    for (args, code) in [
        (&[paper][..], "no_record"),
        (&["999"], "no_entry"),
        (&["RUN-none"], "no_run"),
        (&["Run:none"], "no_run"),
        (&["Note:none"], "no_subject"),
    ] {
        assert_eq!(refused(&scratch, args), (1, code.to_owned()), "{args:?}");
    }
}

#[test]
fn b_27_an_index_that_was_altered_is_found_shows_nothing_wrong_and_is_made_anew() {
    let scratch = noted();
    let first = note(&scratch, "first", &json!({}));
    note(&scratch, "second", &json!({"cause": first}));
    let third = note(&scratch, "third", &json!({}));
    let (whole, roots) = (walk(&scratch, &[], &[&first]), scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json());
    assert_eq!(whole["records"].as_array().unwrap().len(), 2);
    for change in [
        "DELETE FROM links WHERE kind = 1",
        "UPDATE links SET seq = 0 WHERE kind = 1",
        // As if the second named the third.
        "INSERT INTO links SELECT block, prefix, 1, seq - 1, 0 FROM links WHERE kind = 0 ORDER BY seq DESC LIMIT 1",
    ] {
        scratch.sql().execute(change, []).unwrap();
        let found = scratch.enact(&["verify", "--rebuild", "--json"]).exits(4).json();
        assert!(found["findings"].as_array().unwrap().iter().all(|finding| finding["code"] == "link_row"), "{change}: {found:#}");
        for from in [&first, &third] {
            sound(&walk(&scratch, &[], &[from]), &stored(&scratch, ".enact"));
        }
        scratch.enact(&["receipts", "--reindex", "--json"]).exits(0);
        assert_eq!(walk(&scratch, &[], &[&first])["links"], whole["links"], "{change}");
        let verified = scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json();
        assert_eq!(verified["state_roots"], roots["state_roots"]);
    }
    // An entry that is not what its leaf says is not shown.
    scratch.sql().execute("UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), 'second', 'secund') AS BLOB) WHERE seq = (SELECT max(seq) - 1 FROM entries)", []).unwrap();
    assert_eq!(refused(&scratch, &[&first]), (4, "entry_leaf".to_owned()));
}

#[test]
fn a_workspace_from_before_the_index_has_it_filled_when_it_is_walked() {
    let scratch = noted();
    let first = note(&scratch, "first", &json!({}));
    note(&scratch, "second", &json!({"cause": first}));
    let whole = walk(&scratch, &[], &[&first]);
    // None at all, and the single tree of format 7.
    let tree = "CREATE TABLE links(prefix INTEGER NOT NULL, kind INTEGER NOT NULL, seq INTEGER NOT NULL, pos INTEGER NOT NULL, \
         PRIMARY KEY(prefix, kind, seq, pos)) STRICT, WITHOUT ROWID; INSERT INTO links VALUES(1, 0, 0, 0); PRAGMA user_version = 7";
    for before in ["PRAGMA user_version = 6", tree] {
        scratch.sql().execute_batch(&format!("DROP TABLE links; {before}")).unwrap();
        let verified = scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json();
        assert!(verified["not_checked"].to_string().contains("has none yet"), "{verified:#}");
        assert_eq!(walk(&scratch, &[], &[&first]), whole, "{before}");
        scratch.enact(&["verify", "--rebuild", "--json"]).exits(0);
    }
}

/// Base64 with padding, read by hand.
fn unbase64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        bits = bits << 6 | u32::try_from(DIGITS.iter().position(|known| *known == digit).unwrap()).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |chunk: &[u8]| {
        let byte = |nth: usize| u32::from(chunk.get(nth).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |nth: usize| {
            if nth <= chunk.len() { char::from(DIGITS[usize::try_from(bits >> (18 - 6 * nth) & 63).unwrap()]) } else { '=' }
        };
        (0..4).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

/// `DSSEv1 LEN(type) type LEN(body) body`.
fn pae(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"DSSEv1 ".to_vec();
    bytes.extend(payload_type.len().to_string().bytes());
    bytes.push(b' ');
    bytes.extend(payload_type.bytes());
    bytes.push(b' ');
    bytes.extend(body.len().to_string().bytes());
    bytes.push(b' ');
    bytes.extend(body);
    bytes
}

/// The Ed25519 key in a verifier key.
fn key_of(verifier: &str) -> VerifyingKey {
    let bytes = unbase64(verifier.splitn(3, '+').nth(2).unwrap());
    assert_eq!(bytes[0], 1);
    VerifyingKey::from_bytes(bytes[1..].try_into().unwrap()).unwrap()
}

/// The statement in an envelope whose signature holds.
fn opened(envelope: &Value, key: &VerifyingKey) -> Value {
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let body = unbase64(envelope["payload"].as_str().unwrap());
    let signature: [u8; 64] = unbase64(envelope["signatures"][0]["sig"].as_str().unwrap()).try_into().unwrap();
    key.verify_strict(&pae("application/vnd.in-toto+json", &body), &Signature::from_bytes(&signature)).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn i_42_an_exported_receipt_says_what_was_executed_and_is_checked_without_a_workspace() {
    let (scratch, run) = carried_out();
    let key =
        scratch.enact(&["-w", ".enact-demo-wst", "ledger", "checkpoint", "--json"]).exits(0).json()["key"].as_str().unwrap().to_owned();
    let pilot = |args: &[&str]| scratch.enact(&[PILOT, args].concat());
    pilot(&["receipts", &run, "--in-toto", "receipt.json", "--proof"]).exits(0);
    let text = std::fs::read_to_string(scratch.path().join("receipt.json")).unwrap();
    assert_eq!(pilot(&["receipts", &run, "--in-toto", "-", "--proof"]).exits(0).out, text, "the same each time");
    pilot(&["receipts", &run, "--in-toto", "receipt.json"]).exits(1);
    // Read by hand.
    let envelope: Value = serde_json::from_str(&text).unwrap();
    let statement = opened(&envelope, &key_of(&key));
    assert_eq!(envelope["signatures"][0]["keyid"], key.splitn(3, '+').take(2).collect::<Vec<_>>().join("+"));
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "enact:predicate/execution-receipt/v1");
    let shown = pilot(&["show", &run, "--json"]).exits(0).json();
    let (predicate, execution) = (&statement["predicate"], &statement["predicate"]["execution"]);
    assert_eq!(execution["receipt"], shown["receipt"]);
    let seq = shown["entry"].to_string();
    let sql = rusqlite::Connection::open(scratch.path().join(".enact-demo-wst/ledger/ledger.db")).unwrap();
    let entry: Vec<u8> = sql.query_row("SELECT bytes FROM entries WHERE seq = ?1", [&seq], |row| row.get(0)).unwrap();
    let output = shown["receipt"]["output"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    assert_eq!(
        statement["subject"],
        json!([
            {"name": "output", "digest": {"sha256": output}},
            {"name": "entry", "digest": {"sha256": hex(&sha256(&entry)), "rfc6962": hex(&leaf_hash(&entry))}}
        ])
    );
    let parsed = Entry::parse(&entry).unwrap();
    assert_eq!(predicate["local"], json!({"attempt": parsed.local.attempt, "node": parsed.local.node}));
    let followed = &execution["records"][0];
    assert_eq!((&followed["action"], &followed["decided"]), (&json!("transfer.executed"), &json!("AM_WST_V0#worker")));
    assert_eq!(followed["postings"], json!(parsed.records[1].postings));
    assert_eq!(followed["record"], parsed.records[1].hash().unwrap().to_string());
    for (code, given) in execution["capabilities"].as_object().unwrap() {
        assert!(shown["receipt"]["modules"][code].is_string() && given["fuel_limit"].as_str().unwrap().parse::<u64>().is_ok(), "{given}");
    }
    // What is said of the node is in no hash: another node, the same receipt.
    assert!(!execution.to_string().contains("node\":\"") && !execution.to_string().contains(&parsed.at));
    // By the command, where there is no workspace.
    let elsewhere = Scratch::new();
    let file = elsewhere.file("receipt.json", &text);
    let report = elsewhere.enact(&["receipts", "--verify", &file, "--key", &key, "--json"]).exits(0).json();
    assert_eq!((&report["verdict"], &report["run"], &report["seq"]), (&json!("HOLDS"), &json!(run), &shown["entry"]));
    assert_eq!(report["proved_in"], sql.query_row("SELECT size FROM head", [], |row| row.get::<_, i64>(0)).unwrap());
    assert_eq!(report["receipt_hash"], predicate["receipt_hash"]);
}

#[test]
fn i_42_an_exported_receipt_that_was_altered_or_contradicts_itself_does_not_hold() {
    let (scratch, run) = carried_out();
    let key =
        scratch.enact(&["-w", ".enact-demo-wst", "ledger", "checkpoint", "--json"]).exits(0).json()["key"].as_str().unwrap().to_owned();
    let text = scratch.enact(&["-w", ".enact-demo-wst", "receipts", &run, "--in-toto", "-", "--proof"]).exits(0).out;
    let envelope: Value = serde_json::from_str(&text).unwrap();
    let check = |envelope: &Value, key: &str| {
        let file = scratch.file("altered.json", &envelope.to_string());
        let ran = scratch.enact(&["receipts", "--verify", &file, "--key", key, "--json"]);
        (ran.code, ran.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(check(&envelope, &key), (0, String::new()));
    let altered = |code: &str| (4, code.to_owned());
    let mut other = envelope.clone();
    other["payload"] = base64(&[unbase64(envelope["payload"].as_str().unwrap()), b" ".to_vec()].concat()).into();
    assert_eq!(check(&other, &key), altered("receipt_signature"));
    let mut other = envelope.clone();
    other["payloadType"] = "text/plain".into();
    assert_eq!(check(&other, &key), altered("receipt_format"));
    let mut other = envelope.clone();
    other["signatures"] = json!([]);
    assert_eq!(check(&other, &key), altered("receipt_signature"));
    // Another ledger's key.
    let twin = Scratch::init();
    let foreign = twin.enact(&["ledger", "checkpoint", "--json"]);
    let foreign = if foreign.code == 0 {
        foreign
    } else {
        twin.register("jane");
        twin.enact(&["ledger", "checkpoint", "--json"]).exits(0)
    };
    assert_eq!(check(&envelope, foreign.json()["key"].as_str().unwrap()), altered("receipt_signature"));
    // Signed by whoever owns the ledger, and still not true to itself.
    let seed = std::fs::read_to_string(seed_file(&scratch)).unwrap();
    let bytes: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&seed.trim()[at..at + 2], 16).unwrap()).collect();
    let own = SigningKey::from_bytes(&bytes.try_into().unwrap());
    assert_eq!(own.verifying_key(), key_of(&key));
    let statement = opened(&envelope, &key_of(&key));
    let forged = |change: &dyn Fn(&mut Value)| {
        let mut statement = statement.clone();
        change(&mut statement);
        let body = canonical::to_bytes(&statement).unwrap();
        let signature = own.sign(&pae("application/vnd.in-toto+json", &body)).to_bytes();
        let mut envelope = envelope.clone();
        envelope["payload"] = base64(&body).into();
        envelope["signatures"][0]["sig"] = base64(&signature).into();
        check(&envelope, &key)
    };
    assert_eq!(forged(&|_| {}), (0, String::new()));
    let claims = altered("receipt_claims");
    assert_eq!(forged(&|s| s["subject"][0]["digest"]["sha256"] = "00".repeat(32).into()), claims);
    assert_eq!(forged(&|s| s["subject"][1]["digest"]["sha256"] = "00".repeat(32).into()), claims);
    assert_eq!(forged(&|s| s["predicate"]["execution"]["receipt"]["exit"]["reason"] = "PAID".into()), claims);
    assert_eq!(forged(&|s| s["predicate"]["execution"]["records"] = json!([])), claims);
    assert_eq!(forged(&|s| s["predicate"]["receipt_hash"] = s["predicate"]["execution"]["record"].clone()), claims);
    assert_eq!(forged(&|s| s["predicate"]["ledger"]["origin"] = "other.example/ledger".into()), claims);
    assert_eq!(forged(&|s| s["predicate"]["ledger"]["seq"] = 0.into()), claims);
    assert_eq!(forged(&|s| s["predicateType"] = "https://slsa.dev/provenance/v1".into()), altered("receipt_format"));
    assert_eq!(forged(&|s| s["predicate"]["more"] = 1.into()), altered("receipt_format"));
}

/// The file with the ledger's seed.
fn seed_file(scratch: &Scratch) -> std::path::PathBuf {
    let keys = scratch.path().join(".enact-demo-wst/keys");
    let mut files = std::fs::read_dir(keys).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("ledger")).unwrap()
}

/// Another implementation's envelope: `protocol/vectors/in-toto.json`, signed outside of this program.
#[test]
fn the_vector_of_an_exported_receipt_holds() {
    let vector: Value = serde_json::from_slice(&std::fs::read(project("protocol/vectors/in-toto.json")).unwrap()).unwrap();
    let key = vector["key"].as_str().unwrap();
    let envelope = &vector["envelope"];
    let body = unbase64(envelope["payload"].as_str().unwrap());
    assert_eq!(hex(&sha256(&pae("application/vnd.in-toto+json", &body))), vector["pae_sha256"].as_str().unwrap());
    assert_eq!(opened(envelope, &key_of(key)), vector["statement"]);
    let scratch = Scratch::new();
    let file = scratch.file("receipt.json", &envelope.to_string());
    let report = scratch.enact(&["receipts", "--verify", &file, "--key", key, "--json"]).exits(0).json();
    assert_eq!(report["receipt_hash"], vector["statement"]["predicate"]["receipt_hash"]);
}

/// I-18: a worker settles what was executed and verified, and only that. The receipt of the run lies in the entry of the execution, an audit
/// executes it again, the settlement names the execution; without a receipt there is neither.
#[test]
fn i_18_a_verified_execution_becomes_its_settlement_and_nothing_else_does() {
    let pilot = Pilot::new();
    let leg = |account: &str, side: &str| json!({"account": account, "amount": "1200", "asset": "WATER_SHARE", "side": side});
    let transit = format!("transit:{WATER}");
    let subject = format!("Execution:{WATER}");
    let mut settled = record("EXECUTION_EVENT", "settlement.recorded", &subject, &json!({"transfer_id": format!("XFR-{WATER}")}));
    settled["consumes"] = json!([format!("settlement:{WATER}")]);
    settled["postings"] = json!([leg(&transit, "debit"), leg("wallet:line-crew", "credit")]);
    let claimed = json!({"transfer_id": format!("XFR-{WATER}"), "uts_id": "UTS-x", "uts_cid": PAPER,
        "receipt": PAPER.replace("sha256", "blake3"), "statement": {}, "fingerprint": "x"});
    let mut executed = record("EXECUTION_EVENT", "transfer.executed", &subject, &claimed);
    executed["consumes"] = json!(["transfer:INT-20260417-1", "unit:JWP-U1"]);
    executed["postings"] = json!([leg("wallet:water-works", "debit"), leg(&transit, "credit")]);
    // By the worker itself, which may do both: no execution without a run, no settlement without an execution.
    let before = pilot.whole();
    assert_eq!(pilot.propose("worker-one", &executed), "execution_run");
    assert_eq!(pilot.propose("worker-one", &settled), "lifecycle_edge");
    assert_eq!(pilot.whole(), before);

    pilot.work().exits(0);
    let stored = stored(&pilot.scratch, ".enact");
    let of = |action: &str| stored.iter().find(|(_, (_, record))| record.action == action && record.subject == subject).unwrap();
    let (executed, (seq, transfer)) = of("transfer.executed");
    let (receipt, _) = stored.iter().find(|(_, (at, record))| at == seq && record.action == "RUN.RECEIPT").unwrap();
    assert_eq!((&transfer.refs["run"].to_string(), &transfer.payload["receipt"]), (receipt, &json!(receipt)));
    let audited = pilot.enact(&["audit", pilot.item(WATER)["run"].as_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!(audited["verdict"], "REPLAYED", "{audited:#}");
    let (_, (_, settlement)) = of("settlement.recorded");
    assert_eq!((&settlement.refs["prev"].to_string(), &settlement.payload["transfer_id"]), (executed, &transfer.payload["transfer_id"]));
    assert_eq!((pilot.balance(&transit, "WATER_SHARE"), pilot.balance("wallet:line-crew", "WATER_SHARE")), ("0".into(), "1200".into()));
    // Once.
    assert_eq!(pilot.propose("worker-one", &settled), "lifecycle_edge");
    assert_eq!(pilot.balance("wallet:line-crew", "WATER_SHARE"), "1200");
}
