//! One flipped bit anywhere in the stored ledger, trace, transcript or module is found and named (B-30, P-26).
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use rusqlite::params;
use serde_json::json;

use crate::governance::told;
use crate::support::{Scratch, ran, reseal};

/// A workspace with three runs, the middle one to be tampered with.
fn three_runs() -> Scratch {
    let scratch = Scratch::init();
    for name in ["ann", "bob", "cy"] {
        scratch.register(name);
    }
    scratch.enact(&["verify"]).exits(0);
    scratch
}

/// Both commands an auditor has, on the workspace as it is; answers whether one of them exits 4 and what they said.
fn found(scratch: &Scratch) -> (bool, String) {
    let verify = ran(&scratch.command().args(["verify", "--json"]).output().unwrap());
    let audit = ran(&scratch.command().args(["audit", "--all", "--state", "--json"]).output().unwrap());
    assert!([0, 4].contains(&verify.code), "{verify:?}");
    assert!([0, 4].contains(&audit.code), "{audit:?}");
    (verify.code == 4 || audit.code == 4, format!("{}{}", verify.out, audit.out))
}

/// Flips one bit of one column at many positions, each time from a fresh state, and looks whether it is found.
fn flip_all(table: &str, column: &str, key: &str, stride: usize) {
    let scratch = three_runs();
    let sql = scratch.sql();
    let original: Vec<u8> =
        sql.query_row(&format!("SELECT CAST({column} AS BLOB) FROM {table} WHERE {key}"), [], |row| row.get(0)).unwrap();
    let is_text: String = sql.query_row(&format!("SELECT typeof({column}) FROM {table} WHERE {key}"), [], |r| r.get(0)).unwrap();
    let write = format!("UPDATE {table} SET {column} = {} WHERE {key}", if is_text == "text" { "CAST(?1 AS TEXT)" } else { "?1" });
    let mut tried = 0;
    for position in (0..original.len()).step_by(stride) {
        let mut bytes = original.clone();
        bytes[position] ^= 1 << (position % 7);
        if is_text == "text" && std::str::from_utf8(&bytes).is_err() {
            continue;
        }
        sql.execute(&write, params![bytes]).unwrap();
        let (caught, said) = found(&scratch);
        assert!(caught, "{table}.{column} byte {position} was changed and nobody noticed: {said}");
        tried += 1;
    }
    sql.execute(&write, params![original]).unwrap();
    scratch.enact(&["verify"]).exits(0);
    assert!(tried >= 8, "only {tried} positions of {table}.{column} were tried");
}

#[test]
fn b_30_a_flipped_bit_in_an_entry_is_found() {
    flip_all("entries", "bytes", "seq = 1", 97);
}

#[test]
fn b_30_a_flipped_bit_in_a_leaf_is_found() {
    flip_all("entries", "leaf", "seq = 1", 3);
}

#[test]
fn p_26_a_flipped_bit_in_a_trace_is_found() {
    flip_all("run_parts", "trace", "seq = 1", 41);
}

#[test]
fn a_flipped_bit_in_a_transcript_is_found() {
    flip_all("run_parts", "transcript", "seq = 1", 149);
}

#[test]
fn a_flipped_bit_in_a_payload_is_found() {
    flip_all("run_parts", "input", "seq = 1", 11);
    flip_all("run_parts", "output", "seq = 1", 23);
}

#[test]
fn a_flipped_bit_in_the_head_and_its_note_is_found() {
    flip_all("head", "note", "1", 19);
    flip_all("head", "frontier", "1", 5);
}

#[test]
fn a_flipped_bit_in_a_sealed_protocol_is_found() {
    let scratch = three_runs();
    let hash: String = scratch.sql().query_row("SELECT snapshot FROM runs LIMIT 1", [], |r| r.get(0)).unwrap();
    drop(scratch);
    assert!(hash.starts_with("blake3:"));
    flip_all("blobs", "bytes", "1", 4_999);
}

#[test]
fn p_26_a_changed_lock_is_an_alteration_and_the_ledger_is_verified_all_the_same() {
    let scratch = three_runs();
    let lock = scratch.workspace().join("protocol.lock");
    let original = std::fs::read_to_string(&lock).unwrap();
    let payload = scratch.file("p.json", &crate::support::person("zoe").to_string());
    for (text, code) in [
        (original.replacen("Registers an unverified", "Registers an unverifieD", 1), "lock_hash_mismatch"),
        (original.replacen("\"hash\"", "\"hush\"", 1), "bad_lock"),
        (format!("{original} "), "lock_not_canonical"),
    ] {
        assert_ne!(text, original);
        std::fs::write(&lock, text).unwrap();
        for args in [
            &["run", crate::support::REGISTER, "--payload", &payload, "--json"][..],
            &["actor", "list", "--json"],
            &["protocol", "show", "--json"],
        ] {
            let error = scratch.enact(args).exits(4).json()["error"].clone();
            assert_eq!(error["code"], code, "{error:#}");
            assert!(error["hint"].as_str().unwrap().contains("put back"), "{error:#}");
        }
        // Only the lock is wrong: its finding is the only one, and every check of the ledger has passed.
        for args in [&["verify", "--json"][..], &["verify", "--rebuild", "--json"]] {
            let verify = scratch.enact(args).exits(4).json();
            assert_eq!((&verify["verdict"], &verify["entries"]), (&"ALTERED".into(), &3.into()));
            assert_eq!((verify["findings"].as_array().unwrap().len(), &verify["findings"][0]["code"]), (1, &code.into()), "{verify:#}");
            let failed = verify["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).count();
            assert_eq!(failed, 1, "{verify:#}");
        }
    }
    std::fs::write(&lock, original).unwrap();
    scratch.enact(&["verify", "--rebuild"]).exits(0);
}

#[test]
fn b_30_a_listing_that_says_otherwise_than_the_evidence_is_found_column_by_column() {
    let scratch = three_runs();
    let sql = scratch.sql();
    for (column, other) in [
        ("workflow", "'WF_OTHER_V0'"),
        ("binding", "'RB_OTHER_V0'"),
        ("class", "'FAILURE'"),
        ("reason", "'EXIT_OTHER'"),
        ("code", "'OTHER'"),
        ("at", "replace(at, '.', '.9')"),
        ("at", "substr(at, 1, 10)"),
        ("at", "''"),
    ] {
        let before: Option<String> = sql.query_row(&format!("SELECT {column} FROM runs WHERE seq = 1"), [], |row| row.get(0)).unwrap();
        assert_eq!(sql.execute(&format!("UPDATE runs SET {column} = {other} WHERE seq = 1"), []).unwrap(), 1);
        let verify = scratch.enact(&["verify", "--json"]).exits(4).json();
        let finding = &verify["findings"][0];
        assert_eq!((&finding["code"], &finding["seq"]), (&"run_column".into(), &1.into()), "{column} = {other}: {verify}");
        assert!(finding["detail"].as_str().unwrap().starts_with(&format!("{column}:")), "{finding}");
        sql.execute(&format!("UPDATE runs SET {column} = ?1 WHERE seq = 1"), params![before]).unwrap();
        scratch.enact(&["verify", "--json"]).exits(0);
    }
}

#[test]
fn a_changed_row_of_a_host_store_is_found_by_the_state_audit() {
    let scratch = three_runs();
    let sql = scratch.sql();
    let changed = sql.execute("UPDATE store_rows SET value = replace(value, 'AC_', 'AX_') WHERE value LIKE '%AC_%'", []).unwrap();
    assert!(changed > 0);
    let audit = scratch.enact(&["audit", "--all", "--state", "--json"]).exits(4).json();
    assert_eq!(audit["diverged"][0]["code"], "state_row", "{audit}");
}

#[test]
fn the_index_that_decides_about_admission_is_compared_by_the_state_audit_and_made_anew() {
    let scratch = Scratch::init();
    let run = |workflow: &str, example: &str| {
        let payload = crate::support::project("protocol/packs/provisioning/examples").join(example);
        scratch.enact(&["run", workflow, "--payload", payload.to_str().unwrap(), "--json"]).exits(0).json()["exit"]["reason"].clone()
    };
    run("WF_RELEASE_BATCH_V0", "release.json");
    assert_eq!(run("WF_PROVISION_DEVICE_V0", "device.json"), "PROVISIONED");
    assert_eq!(run("WF_PROVISION_DEVICE_V0", "device.json"), "ADMISSION_DENIED");
    scratch.enact(&["audit", "--all", "--state"]).exits(0);
    for statement in [
        "DELETE FROM event_keys",
        "DELETE FROM event_keys WHERE idx = 2",
        "UPDATE event_keys SET key = zeroblob(16) WHERE idx = 2",
        "INSERT INTO event_keys SELECT idx, zeroblob(16), store, pos FROM event_keys WHERE idx = 2",
        "DELETE FROM event_indexes WHERE id = 2",
        "DELETE FROM events",
        "UPDATE events SET event = 'EV_OTHER_V0'",
        "INSERT INTO events SELECT 'EV_OTHER_V0', store, pos FROM events",
        "INSERT INTO log_rows SELECT 99, pos, value FROM log_rows; INSERT INTO events SELECT event, 99, pos FROM events",
    ] {
        scratch.sql().execute_batch(statement).unwrap();
        let audit = scratch.enact(&["audit", "--all", "--state", "--json"]).exits(4).json();
        assert_eq!(audit["diverged"][0]["code"], "state_event", "{statement}: {audit}");
        let rebuilt = scratch.enact(&["ledger", "rebuild", "--json"]).exits(0).json();
        assert!(rebuilt["not_rebuilt"].as_array().is_some_and(|all| !all.is_empty()), "{rebuilt}");
        scratch.enact(&["audit", "--all", "--state"]).exits(0);
        assert_eq!(run("WF_PROVISION_DEVICE_V0", "device.json"), "ADMISSION_DENIED", "{statement}");
    }
}

#[test]
fn a_swapped_module_is_refused_by_digest_and_a_changed_one_is_named() {
    let scratch = three_runs();
    let modules = scratch.workspace().join("modules");
    let names: serde_json::Value = serde_json::from_slice(&std::fs::read(modules.join("names.json")).unwrap()).unwrap();
    let file = |name: &str| modules.join(format!("{}.wasm", names[name].as_str().unwrap().trim_start_matches("blake3:")));
    let (victim, other) = (file("transforms"), file("registry"));
    let original = std::fs::read(&victim).unwrap();
    for position in (0..original.len()).step_by(original.len() / 12) {
        let mut bytes = original.clone();
        bytes[position] ^= 4;
        std::fs::write(&victim, &bytes).unwrap();
        let verify = scratch.enact(&["verify", "--json"]).exits(4).json();
        assert_eq!(verify["findings"][0]["code"], "module_digest", "{verify}");
        scratch.enact(&["audit", "--all"]).exits(4);
    }
    std::fs::copy(&other, &victim).unwrap();
    let payload = scratch.file("p.json", &crate::support::person("zoe").to_string());
    let run = scratch.enact(&["run", crate::support::REGISTER, "--payload", &payload, "--json"]).exits(4).json();
    assert_eq!(run["error"]["code"], "module_digest");
    std::fs::write(&victim, &original).unwrap();
    scratch.enact(&["audit", "--all"]).exits(0);
}

#[test]
fn a_forged_read_answer_in_a_transcript_is_found_even_when_every_hash_is_made_to_fit() {
    let scratch = three_runs();
    // The second person of the same name was told that the key was taken; the forger changes what the host had answered.
    scratch.register("ann");
    let run = rewrite(&scratch, 3, |parts| {
        let address = parts.transcript.find("ADDR_").expect("a registered address");
        let digit = &parts.transcript[address + 5..address + 6];
        let other = if digit == "0" { "1" } else { "0" };
        parts.transcript.replace_range(address + 5..address + 6, other);
    });
    // Only the refolded state can tell: the module itself replays equal on the forged answer.
    scratch.enact(&["audit", &run]).exits(0);
    let audit = scratch.enact(&["audit", "--all", "--state", "--json"]).exits(4).json();
    assert_eq!((&audit["diverged"][0]["code"], &audit["diverged"][0]["run"]), (&"state_read".into(), &run.as_str().into()), "{audit}");
}

/// Changes JSON text.
fn edit(text: &mut String, change: impl Fn(&mut serde_json::Value)) {
    let mut value = serde_json::from_str(text).unwrap();
    change(&mut value);
    *text = serde_json::to_string(&value).unwrap();
}

#[test]
fn p_27_whatever_a_run_is_made_to_have_said_its_replay_says_otherwise() {
    type Forgery = fn(&mut Parts);
    // Every part that a re-execution determines, with the code of the comparison that finds it. Steps: 0 pure, 2 a side effect.
    let forgeries: [(&str, Forgery); 14] = [
        ("step_input", |p| edit(&mut p.transcript, |t| t["steps"][0]["input"] = format!("blake3:{}", "0".repeat(64)).into())),
        ("step_outcome", |p| edit(&mut p.transcript, |t| t["steps"][0]["outcome"] = format!("blake3:{}", "0".repeat(64)).into())),
        ("step_outcome", |p| edit(&mut p.transcript, |t| t["steps"][0]["status"] = "VIOLATION".into())),
        ("step_outcome", |p| edit(&mut p.transcript, |t| t["steps"][0]["trap"] = true.into())),
        ("step_target", |p| edit(&mut p.transcript, |t| t["steps"][0]["target"] = 3.into())),
        ("step_fuel", |p| edit(&mut p.transcript, |t| t["steps"][0]["fuel"] = "1".into())),
        ("step_missing", |p| {
            edit(&mut p.transcript, |t| {
                let again = t["steps"][0].clone();
                t["steps"].as_array_mut().unwrap().push(again);
            });
        }),
        ("step_extra", |p| edit(&mut p.transcript, |t| drop(t["steps"].as_array_mut().unwrap().pop()))),
        ("exit", |p| p.receipt["exit"]["reason"] = "REJECTED".into()),
        ("exit", |p| p.receipt["exit"]["class"] = "FAILURE".into()),
        ("context_hash", |p| p.output = p.output.replace("ann", "eve")),
        ("trace", |p| p.trace = p.trace.replacen("SUCCESS", "VIOLATION", 1)),
        ("counts", |p| p.receipt["nodes"] = 99.into()),
        ("fuel", |p| p.receipt["fuel_used"] = "7".into()),
    ];
    for (nth, (code, forge)) in forgeries.into_iter().enumerate() {
        let scratch = three_runs();
        let run = rewrite(&scratch, 0, forge);
        let audit = scratch.enact(&["audit", "--all", "--json"]).exits(4).json();
        let found = &audit["diverged"][0];
        assert_eq!((&found["run"], &found["code"]), (&run.as_str().into(), &code.into()), "{nth}: {audit:#}");
        assert_eq!((&audit["runs"], &audit["replayed"]), (&3.into(), &2.into()), "{nth}: {audit:#}");
    }
    // A side effect that is said to have asked for something else, and one that is said to have asked less.
    for (code, forge) in [
        ("host_call", (|p| p.transcript = p.transcript.replacen("AC_", "AC-", 1)) as Forgery),
        ("host_call", |p| {
            edit(&mut p.transcript, |t| {
                let step = t["steps"].as_array_mut().unwrap().iter_mut().find(|s| s["calls"].is_array()).unwrap();
                drop(step["calls"].as_array_mut().unwrap().pop());
            });
        }),
    ] {
        let scratch = three_runs();
        rewrite(&scratch, 0, forge);
        let audit = scratch.enact(&["audit", "--all", "--json"]).exits(4).json();
        assert_eq!(audit["diverged"][0]["code"], code, "{audit:#}");
    }
}

#[test]
fn b_30_deleted_reordered_and_truncated_entries_are_found() {
    for statement in [
        "DELETE FROM entries WHERE seq = 1",
        "DELETE FROM entries WHERE seq = 2",
        "UPDATE entries SET bytes = (SELECT bytes FROM entries e WHERE e.seq = 0), leaf = (SELECT leaf FROM entries e WHERE e.seq = 0) WHERE seq = 1",
        "UPDATE head SET size = 2",
    ] {
        let scratch = three_runs();
        scratch.sql().execute_batch(&format!("PRAGMA foreign_keys = OFF; {statement}")).unwrap();
        let (caught, said) = found(&scratch);
        assert!(caught, "{statement}: {said}");
    }
}

/// The parts of a run that a forger may rewrite.
#[derive(Clone, PartialEq)]
pub(crate) struct Parts {
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) trace: String,
    pub(crate) transcript: String,
    /// The receipt without the hashes of the parts, which are made to fit.
    pub(crate) receipt: serde_json::Value,
}

/// Rewrites parts of one run and makes the receipts, the chain, the tree and the head fit again: what a forger with the database
/// but without the signing key can do. Answers the run's id.
pub(crate) fn rewrite(scratch: &Scratch, seq: i64, change: impl Fn(&mut Parts)) -> String {
    use enact_core::entry::Entry;
    use enact_core::hash::{blob_hash, context_hash};
    let sql = scratch.sql();
    let text = |column: &str| -> String {
        let bytes: Vec<u8> = sql.query_row(&format!("SELECT {column} FROM run_parts WHERE seq = ?1"), [seq], |r| r.get(0)).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let bytes: Vec<u8> = sql.query_row("SELECT bytes FROM entries WHERE seq = ?1", [seq], |r| r.get(0)).unwrap();
    let receipt = Entry::parse(&bytes).unwrap().records[0].payload.clone();
    let old = Parts { input: text("input"), output: text("output"), trace: text("trace"), transcript: text("transcript"), receipt };
    let mut new = old.clone();
    change(&mut new);
    assert!(old != new, "the forgery changed nothing: {}", old.transcript);
    sql.execute(
        "UPDATE run_parts SET input = ?1, output = ?2, trace = ?3, transcript = ?4 WHERE seq = ?5",
        params![new.input.as_bytes(), new.output.as_bytes(), new.trace.as_bytes(), new.transcript.as_bytes(), seq],
    )
    .unwrap();
    let exit = &new.receipt["exit"];
    sql.execute(
        "UPDATE runs SET class = ?1, reason = ?2, code = ?3 WHERE seq = ?4",
        params![exit["class"].as_str(), exit["reason"].as_str(), exit["code"].as_str(), seq],
    )
    .unwrap();
    new.receipt["input"] = context_hash(new.input.as_bytes()).to_string().into();
    new.receipt["output"] = context_hash(new.output.as_bytes()).to_string().into();
    new.receipt["trace"] = blob_hash(new.trace.as_bytes()).to_string().into();
    new.receipt["transcript"] = blob_hash(new.transcript.as_bytes()).to_string().into();
    reseal(scratch, &|at, entry| {
        if i64::try_from(at) == Ok(seq) {
            entry.records[0].payload = new.receipt.clone();
        }
    });
    // Chain and tree are consistent in themselves again; the signed checkpoint is not of this tree.
    let verify = scratch.enact(&["verify", "--json"]).exits(4).json();
    assert!(verify["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == "checkpoint_root"), "{verify}");
    sql.query_row("SELECT run_id FROM runs WHERE seq = ?1", [seq], |r| r.get(0)).unwrap()
}

/// B-32: a workspace is handed over with the secret of its cache and with what was compiled. None of that machine code is loaded.
#[test]
fn b_32_a_copied_workspace_loads_no_machine_code_that_came_with_it() {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => copy(&entry.path(), &to),
                false => assert!(std::fs::copy(entry.path(), to).is_ok()),
            }
        }
    }
    fn compiled(workspace: &Path) -> BTreeMap<OsString, Vec<u8>> {
        let files = std::fs::read_dir(workspace.join("cache")).unwrap().map(Result::unwrap);
        let files = files.filter(|file| file.path().extension().is_some_and(|end| end == "cwasm"));
        files.map(|file| (file.file_name(), std::fs::read(file.path()).unwrap())).collect()
    }
    let scratch = three_runs();
    let handed = scratch.path().join("handed");
    copy(&scratch.workspace(), &handed);
    let before = compiled(&handed);
    scratch.enact(&["audit", "--all"]).exits(0);
    assert_eq!(compiled(&scratch.workspace()), before, "compiled again where nobody moved");
    ran(&scratch.command().args(["-w", &handed.display().to_string(), "audit", "--all"]).output().unwrap()).exits(0);
    let after = compiled(&handed);
    assert!(before.len() > 2 && before.keys().eq(after.keys()), "{:?}", after.keys());
    for (name, bytes) in before {
        assert_ne!(bytes, after[&name], "{name:?} was loaded");
    }
}

/// A row that cannot be read is damage, also where a proposal comes upon it: nothing was judged, so nothing was refused.
#[test]
fn b_30_a_proposal_that_comes_upon_damage_is_not_refused_by_a_rule() {
    let (scratch, _) = told("settlement");
    let payload = json!({"payer": "lena", "payee": "omar", "asset": "EUR", "amount": "1"});
    let create = json!({"type": "SETTLEMENT_EVENT", "action": "SETTLEMENT.CREATE", "subject": "Settlement:S-9", "payload": payload});
    let path = scratch.file("create.json", &create.to_string());
    assert!(scratch.sql().execute("UPDATE state SET value = 'junk' WHERE space = 'actor' AND key = 'Actor:lena'", []).unwrap() > 0);
    for command in ["propose", "explain"] {
        let error = scratch.enact(&[command, &path, "--as", "lena", "--json"]).exits(4).json()["error"].clone();
        assert_eq!(error["code"], "state_unreadable", "{command}: {error:#}");
        assert!(error["hint"].as_str().unwrap().contains("enact ledger rebuild"), "{command}: {error:#}");
    }
    let ran = scratch.enact(&["propose", &path, "--each", "--as", "lena"]).exits(4);
    assert_eq!(ran.json()["refused"]["code"], "state_unreadable", "{ran:#?}");
    scratch.enact(&["ledger", "rebuild"]).exits(0);
    scratch.enact(&["propose", &path, "--as", "lena"]).exits(0);
}
