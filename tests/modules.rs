//! Modules of third parties: examined in a process of their own, recorded, bound only once admitted, compared before they are swapped.
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::hostile::guests;
use crate::support::Scratch;

const BOTH: [&str; 2] = ["ada", "bo"];
const BINDING: &str = "RB_REGISTRATION_DEVELOPMENT_V0";
const ID: &str = "CT_PURE_GENERATE_ID_V0";

/// A workspace with two stewards.
fn governed() -> Scratch {
    let scratch = Scratch::init();
    scratch.stewards();
    scratch
}

/// A module on disk, alone in its folder, with what belongs to it.
fn folder(scratch: &Scratch, name: &str, bytes: &[u8], files: &[(&str, Value)]) -> PathBuf {
    let dir = scratch.path().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    for (file, content) in files {
        std::fs::write(dir.join(file), content.to_string()).unwrap();
    }
    let path = dir.join(format!("{name}.wasm"));
    std::fs::write(&path, bytes).unwrap();
    path
}

fn says(status: &str, outputs: &str) -> Vec<u8> {
    guests::says(status, outputs)
}

fn vectors(status: &str, outputs: &Value) -> Value {
    json!({"vectors": [{"name": "any", "capability": "CT_ANY_V0", "inputs": {"a": 1}, "status": status, "outputs": outputs}]})
}

fn code(ran: &crate::support::Ran) -> String {
    ran.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

fn add(scratch: &Scratch, path: &std::path::Path, more: &[&str]) -> crate::support::Ran {
    let path = path.to_string_lossy().into_owned();
    let mut args = vec!["module", "add", &path, "--as", "ada", "--json"];
    args.extend(more);
    scratch.enact(&args)
}

fn entries(scratch: &Scratch) -> i64 {
    scratch.sql().query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap()
}

#[test]
fn p_06_a_module_is_examined_proposed_examined_again_ratified_and_only_then_bound() {
    let scratch = governed();
    let promised = vectors("SUCCESS", &json!({"id": "x"}));
    let path = folder(&scratch, "shout", &says("SUCCESS", r#"{"id":"x"}"#), &[("vectors.json", promised)]);
    let added = add(&scratch, &path, &[]).exits(0).json();
    let examined = &added["examined"];
    assert_eq!((&examined["world"], &examined["profile"], &examined["imports"]), (&"transform".into(), &"strict".into(), &json!([])));
    assert_eq!(examined["purity"]["linked_with_nothing"], true);
    assert_eq!((&examined["conformance"]["vectors"], &added["tried"][0]["kept"]), (&1.into(), &true.into()));
    // Proposed is not admitted: the name does not stand for it yet.
    let grant = ["module", "grant", "shout", "--binding", BINDING, "--capability", ID, "--json"];
    assert_eq!(code(&scratch.enact(&grant).exits(1)), "module_unknown");
    assert_eq!(code(&scratch.enact(&["module", "ratify", "shout", "--as", "ada", "--json"]).exits(3)), "authority_distinct");
    // Another examination must find the same: here somebody has put other promises beside the file.
    let kept = std::fs::read_dir(scratch.workspace().join("modules")).unwrap().map(|entry| entry.unwrap().path());
    let kept = kept.into_iter().find(|path| path.to_string_lossy().ends_with("vectors.json")).unwrap();
    let vectors = std::fs::read_to_string(&kept).unwrap();
    std::fs::write(&kept, vectors.replace(r#""any""#, r#""other""#)).unwrap();
    let before = entries(&scratch);
    assert_eq!(code(&scratch.enact(&["module", "ratify", "shout", "--as", "bo", "--json"]).exits(3)), "admission_differs");
    assert_eq!(entries(&scratch), before);
    std::fs::write(&kept, vectors).unwrap();
    let record = scratch.enact(&["module", "ratify", "shout", "--as", "bo", "--json"]).exits(0).json();
    assert_eq!(record["records"][0]["decided"], "AM_MODULE_V0#another_steward_ratifies");
    scratch.enact(&grant).exits(0);
    let shown = scratch.enact(&["module", "show", "shout", "--json"]).exits(0).json();
    assert_eq!((&shown["standing"], &shown["version"], &shown["subject"]), (&"admitted".into(), &1.into(), &"Module:shout".into()));
    assert_eq!(shown["bound"][0], json!({"binding": BINDING, "capability": ID, "grants": []}));
    assert_eq!((&shown["examined"], shown["versions"].as_array().unwrap().len()), (examined, 2));
    // The ledger says all of it, and the whole of it can be judged again from nothing.
    let state = scratch.enact(&["state", "Module:shout", "--json"]).exits(0).json();
    assert_eq!(state["kept"]["examined"], *examined);
    assert_eq!(scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json()["verdict"], "BALANCED");
}

#[test]
fn p_06_what_may_not_be_proposed_leaves_its_refusal_and_nothing_else() {
    let scratch = governed();
    scratch.enact(&["actor", "new", "cy", "--as", "ada", "--json"]).exits(0);
    let kept = || {
        let files = std::fs::read_dir(scratch.workspace().join("modules")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.map(|path| (std::fs::read(&path).unwrap(), path)).collect();
        files.sort();
        files
    };
    let refused =
        |path: &std::path::Path| code(&scratch.enact(&["module", "add", &path.to_string_lossy(), "--as", "cy", "--json"]).exits(3));
    let bytes = says("SUCCESS", r#"{"id":"x"}"#);
    let path = folder(&scratch, "shout", &bytes, &[("vectors.json", vectors("SUCCESS", &json!({"id": "x"})))]);
    let (files, before) = (kept(), entries(&scratch));
    assert_eq!(refused(&path), "authority_role");
    assert_eq!((kept(), entries(&scratch)), (files, before));
    // Nor does it replace what is kept beside a file that somebody else has proposed.
    add(&scratch, &path, &[]).exits(0);
    let files = kept();
    let mut others = vectors("SUCCESS", &json!({"id": "x"}));
    others["vectors"][0]["name"] = "another".into();
    assert_eq!(refused(&folder(&scratch, "again", &bytes, &[("vectors.json", others)])), "authority_role");
    assert_eq!((kept(), entries(&scratch)), (files, before + 1));
    let refusals = scratch.enact(&["refusals", "--json"]).exits(0).json();
    assert_eq!(refusals.to_string().matches("authority_role").count(), 2, "{refusals:#}");
}

#[test]
fn p_06_what_was_not_admitted_is_neither_sealed_nor_run() {
    let scratch = governed();
    // Whoever writes into the workspace can let a name stand for anything.
    let workspace = enact_engine::workspace::Workspace::open(&scratch.workspace()).unwrap();
    let digest = workspace.add_module("transforms", &says("SUCCESS", r#"{"id":"x"}"#)).unwrap();
    assert_eq!(code(&scratch.enact(&["protocol", "seal", "--json"]).exits(3)), "module_unadmitted");
    // And they can seal it with a program of their own.
    let files = workspace.artifact_files().unwrap();
    let forged = enact_engine::workspace::compile(&files, &workspace.module_names().unwrap()).unwrap();
    std::fs::write(scratch.workspace().join("protocol.lock"), forged.to_lock()).unwrap();
    let payload = scratch.file("jane.json", &crate::support::person("jane").to_string());
    let before = entries(&scratch);
    let refused = scratch.enact(&["run", crate::support::REGISTER, "--payload", &payload, "--json"]).exits(3);
    assert_eq!(code(&refused), "module_unadmitted");
    assert!(refused.out.contains(&digest.to_string()), "{refused:?}");
    assert_eq!(entries(&scratch), before);
}

#[test]
fn b_32_a_key_used_up_by_another_kind_of_record_admits_nothing() {
    let scratch = governed();
    let bytes = says("SUCCESS", r#"{"id":"x"}"#);
    let workspace = enact_engine::workspace::Workspace::open(&scratch.workspace()).unwrap();
    let digest = enact_core::hash::module_digest(&bytes).to_string();
    let (lifecycle, matrix) = (
        json!({"code": "LC_FORGED_V0", "summary": "Uses a key up.", "record": "FORGED", "kind": "RECEIPT", "subject": "Forged",
            "actions": {"FORGED.USE": {"summary": "Uses it up.", "fields": {"digest": {"type": "digest", "required": true}},
                "consumes": ["module:{payload.digest}"]}}}),
        json!({"code": "AM_FORGED_V0", "summary": "Who.", "rows": [{"row": "any", "actions": ["FORGED.USE"], "roles": ["steward"]}]}),
    );
    for artifact in [lifecycle, matrix] {
        workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
    }
    scratch.adopt(BOTH);
    let record = json!({"type": "FORGED", "action": "FORGED.USE", "subject": "Forged:one", "payload": {"digest": digest},
        "consumes": [format!("module:{digest}")]});
    scratch.enact(&["propose", &scratch.file("forged.json", &record.to_string()), "--as", "ada", "--json"]).exits(0);
    workspace.add_module("transforms", &bytes).unwrap();
    assert_eq!(code(&scratch.enact(&["protocol", "seal", "--json"]).exits(3)), "module_unadmitted");
    // Whoever does so keeps the file out for good, which is the safe way to fail.
    let path = folder(&scratch, "late", &bytes, &[]);
    assert_eq!(code(&add(&scratch, &path, &[]).exits(3)), "guard_key_unconsumed");
}

#[test]
fn p_06_a_retired_module_runs_no_more_and_its_past_replays() {
    let scratch = governed();
    scratch.register("jane");
    let transforms = scratch.enact(&["module", "show", "transforms", "--json"]).exits(0).json();
    assert_eq!(transforms["standing"], "built_in");
    scratch.enact(&["module", "retire", "transforms", "--as", "bo", "--reason", "a flaw", "--json"]).exits(0);
    let payload = scratch.file("john.json", &crate::support::person("john").to_string());
    let run = ["run", crate::support::REGISTER, "--payload", &payload, "--json"];
    assert_eq!(code(&scratch.enact(&run).exits(3)), "module_retired");
    assert_eq!(code(&scratch.enact(&["protocol", "seal", "--json"]).exits(3)), "module_retired");
    assert_eq!(scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0).json()["replayed"], 1);
    assert_eq!(scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json()["verdict"], "BALANCED");
    // Twice is once too often, and another name changes nothing.
    let again = ["module", "retire", transforms["digest"].as_str().unwrap(), "--as", "ada", "--reason", "again", "--json"];
    assert_eq!(code(&scratch.enact(&again).exits(3)), "lifecycle_exists");
}

#[test]
fn p_21_vectors_that_are_not_kept_keep_a_module_out_with_the_difference_named() {
    let scratch = governed();
    let path = folder(&scratch, "liar", &says("SUCCESS", r#"{"id":"x"}"#), &[("vectors.json", vectors("SUCCESS", &json!({"id": "y"})))]);
    let before = entries(&scratch);
    let refused = add(&scratch, &path, &[]).exits(3);
    assert_eq!(code(&refused), "conformance_failed");
    assert!(refused.err.contains(r#"promised {"id":"y"}, got {"id":"x"}"#), "{refused:?}");
    assert_eq!(entries(&scratch), before);
    let tried = scratch.enact(&["module", "test", &path.to_string_lossy(), "--json"]).exits(3).json();
    assert_eq!((&tried["passed"], &tried["tried"][0]["kept"]), (&false.into(), &false.into()));
    // A promise of another status, of a trap, and a manifest that says another world.
    for (status, promise) in [
        ("VIOLATION", vectors("VIOLATION", &json!({}))),
        ("trap", {
            let mut promise = vectors("SUCCESS", &json!({}));
            let vector = promise["vectors"][0].as_object_mut().unwrap();
            vector.remove("status");
            vector.insert("trap".to_owned(), "unreachable".into());
            promise
        }),
    ] {
        let path = folder(&scratch, "liar", &says("SUCCESS", "{}"), &[("vectors.json", promise)]);
        assert_eq!(code(&add(&scratch, &path, &[]).exits(3)), "conformance_failed", "{status}");
    }
    let manifest = json!({"module": "liar", "world": "side-effect", "codes": {}});
    let path = folder(&scratch, "other", &says("SUCCESS", "{}"), &[("manifest.json", manifest)]);
    assert_eq!(code(&add(&scratch, &path, &[]).exits(3)), "manifest_world");
}

#[test]
fn p_21_a_promised_trap_and_a_side_effect_with_scenery_are_kept_on_both_engines() {
    let scratch = governed();
    let trap = guests::trapping().into_iter().find(|guest| guest.code == "unreachable").unwrap().bytes;
    let promise = json!({"vectors": [{"name": "falls", "capability": "CT_ANY_V0", "inputs": {}, "trap": "unreachable"}]});
    let path = folder(&scratch, "falls", &trap, &[("vectors.json", promise)]);
    add(&scratch, &path, &["--ratify-as", "bo"]).exits(0);
    // The registry that is built in, tried like anybody's: it finds what the scenery put there.
    let registry = enact_engine::embedded::modules().find(|(name, _)| *name == "registry").unwrap().1;
    let vector = |name: &str, key: &str, status: &str| {
        json!({"name": name, "capability": "CS_REGISTRY_V0", "operation": "EXISTS", "store": "users", "grants": ["registry"],
            "inputs": {"key": key}, "state": {"registry": {"users": {"jane": "{}"}}}, "status": status})
    };
    let promise = json!({"vectors": [vector("there", "jane", "SUCCESS")]});
    let path = folder(&scratch, "reg", registry, &[("vectors.json", promise)]);
    let tried = scratch.enact(&["module", "test", &path.to_string_lossy(), "--json"]);
    assert_eq!(tried.json()["tried"].as_array().unwrap().len(), 1, "{tried:?}");
    assert_eq!(tried.json()["reasons"].as_array().unwrap().iter().filter(|r| r["code"] == "engines_disagree").count(), 0, "{tried:?}");
}

#[test]
fn p_21_bad_side_files_are_refused_before_anything_is_examined() {
    let scratch = governed();
    let vector = |extra: Value| {
        let mut vector = json!({"name": "a", "capability": "CT_ANY_V0", "inputs": {}});
        vector.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        vector
    };
    for (what, file, content, expected) in [
        ("nothing promised", "vectors.json", json!({"vectors": [vector(json!({}))]}), "vectors_invalid"),
        (
            "two promises",
            "vectors.json",
            json!({"vectors": [vector(json!({"status": "SUCCESS", "trap": "unreachable"}))]}),
            "vectors_invalid",
        ),
        (
            "one name twice",
            "vectors.json",
            json!({"vectors": [vector(json!({"status": "A"})), vector(json!({"status": "A"}))]}),
            "vectors_invalid",
        ),
        ("an unknown member", "vectors.json", json!({"vectors": [vector(json!({"status": "A", "staus": "A"}))]}), "json_invalid"),
        ("an unknown member", "manifest.json", json!({"module": "m", "world": "transform", "codes": {}, "trusted": true}), "json_invalid"),
    ] {
        let path = folder(&scratch, "bad", &says("SUCCESS", "{}"), &[(file, content)]);
        assert_eq!(code(&add(&scratch, &path, &[]).exits(1)), expected, "{what}");
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
    let path = folder(&scratch, "Bad_Name", &says("SUCCESS", "{}"), &[]);
    assert_eq!(code(&add(&scratch, &path, &[]).exits(1)), "module_name");
}

#[test]
fn b_32_a_signature_vouches_for_exactly_one_file_and_one_signer() {
    let scratch = governed();
    let path = folder(&scratch, "signed", &says("SUCCESS", "{}"), &[]);
    let file = path.to_string_lossy().into_owned();
    scratch.enact(&["module", "sign", &file, "--as", "ada", "--json"]).exits(0);
    let verified = scratch.enact(&["module", "verify", &file, "--by", "ada", "--json"]).exits(0).json();
    assert_eq!((&verified["verified"], &verified["statement"]["module"]), (&true.into(), &"signed".into()));
    assert_eq!(code(&scratch.enact(&["module", "verify", &file, "--by", "bo", "--json"]).exits(3)), "module_signature");
    assert_eq!(code(&scratch.enact(&["module", "verify", &file, "--json"]).exits(3)), "module_signature");
    std::fs::write(&path, says("SUCCESS", r#"{"a":1}"#)).unwrap();
    let other = scratch.enact(&["module", "verify", &file, "--by", "ada", "--json"]).exits(3);
    assert!(other.err.contains("another file"), "{other:?}");
}

#[test]
fn p_06_an_exported_module_is_examined_again_where_it_is_imported_and_its_signature_is_checked() {
    let (here, there) = (governed(), governed());
    let promise = vectors("SUCCESS", &json!({"id": "x"}));
    let path = folder(&here, "shout", &says("SUCCESS", r#"{"id":"x"}"#), &[("vectors.json", promise)]);
    add(&here, &path, &["--ratify-as", "bo"]).exits(0);
    let archive = there.path().join("shout.tar").to_string_lossy().into_owned();
    let exported = here.enact(&["module", "export", "shout", "-o", &archive, "--sign-as", "ada", "--json"]).exits(0).json();
    let twin = there.path().join("twin.tar").to_string_lossy().into_owned();
    here.enact(&["module", "export", "shout", "-o", &twin, "--sign-as", "ada", "--json"]).exits(0);
    assert_eq!(std::fs::read(&archive).unwrap(), std::fs::read(&twin).unwrap(), "equal parts give equal bytes");
    let actors = here.enact(&["actor", "list", "--json"]).exits(0).json();
    let key = |id: &str| actors.as_array().unwrap().iter().find(|a| a["actor"] == id).unwrap()["key"].as_str().unwrap().to_owned();
    let import = |key: &str| there.enact(&["module", "import", &archive, "--as", "ada", "--ratify-as", "bo", "--key", key, "--json"]);
    assert_eq!(code(&import(&key("Actor:bo")).exits(3)), "module_signature");
    let imported = import(&key("Actor:ada")).exits(0).json();
    assert_eq!((&imported["module"], &imported["examined"]["digest"]), (&"shout".into(), &exported["digest"]));
    assert_eq!(imported["examined"]["conformance"]["vectors"], 1, "the promises came along");
    let state = there.enact(&["state", "Module:shout", "--json"]).exits(0).json();
    assert_eq!(state["kept"]["provenance"]["signed_by"], key("Actor:ada"));
    // An archive with something else in it, or without a module, is none.
    std::fs::write(&archive, b"no archive at all").unwrap();
    assert_eq!(code(&import(&key("Actor:ada")).exits(1)), "module_archive");
}

#[test]
fn p_06_interfaces_are_granted_and_taken_back_by_the_binding_and_what_does_not_seal_changes_nothing() {
    let scratch = governed();
    let grant = |more: &[&str]| {
        let mut args = vec!["module", "grant", "registry", "--binding", BINDING, "--capability", "CS_REGISTRY_V0", "--json"];
        args.extend(more);
        scratch.enact(&args)
    };
    let file = scratch.workspace().join(format!("protocol/{BINDING}.json"));
    let before = std::fs::read(&file).unwrap();
    assert_eq!(grant(&["-i", "teleport"]).code, 1, "an interface that nobody has");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let granted = grant(&["--limit", "host_calls=7", "--limit", "wall_ms=500"]).exits(0).json();
    assert_eq!(granted["after"]["limits"], json!({"host_calls": 7, "wall_ms": 500}));
    scratch.register("jane");
    // Without the interface the side effect is answered `denied`; without the capability the call is refused.
    let revoke = ["module", "revoke", "--binding", BINDING, "--capability", "CS_REGISTRY_V0", "-i", "registry", "--json"];
    let revoked = scratch.enact(&revoke).exits(0).json();
    assert_eq!(
        (&revoked["before"]["grants"], &revoked["after"]["grants"]),
        (&json!(["registry", "random"]), &json!(["random"])),
        "{revoked}"
    );
    let report = scratch.register("john");
    assert_eq!(report["exit"]["class"], "FAILURE", "{report}");
    let steps = scratch.enact(&["show", report["run_id"].as_str().unwrap(), "--json"]).exits(0).json()["steps"].to_string();
    assert!(steps.contains("denied"), "{steps}");
    assert_eq!(scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0).json()["replayed"], 2);
}

#[test]
fn p_21_the_hosts_bound_on_requests_and_time_is_the_bindings_when_it_is_lower() {
    let scratch = governed();
    let limits = ["--limit", "host_calls=0"];
    let mut args = vec!["module", "grant", "registry", "--binding", BINDING, "--capability", "CS_REGISTRY_V0", "--json"];
    args.extend(limits);
    scratch.enact(&args).exits(0);
    let payload = scratch.file("jane.json", &crate::support::person("jane").to_string());
    let refused = scratch.enact(&["run", crate::support::REGISTER, "--payload", &payload, "--json"]).exits(3);
    assert_eq!(code(&refused), "inconclusive");
    assert!(refused.err.contains("host_calls"), "{refused:?}");
}

#[test]
fn p_32_nobody_is_accused_of_what_a_run_before_wrote_that_cannot_be_executed_again() {
    let scratch = governed();
    let mut other = enact_engine::embedded::modules().find(|(name, _)| *name == "registry").unwrap().1.to_vec();
    // A custom section: another module that does the same.
    other.extend(b"\0\x04\x03new");
    let path = folder(&scratch, "other", &other, &[]);
    add(&scratch, &path, &["--ratify-as", "bo"]).exits(0);
    let grant = |module: &str| {
        scratch.enact(&["module", "grant", module, "--binding", BINDING, "--capability", "CS_REGISTRY_V0", "--json"]).exits(0);
    };
    grant("other");
    scratch.register("jane");
    grant("registry");
    // She is there by now.
    scratch.register("jane");
    let audit = || scratch.enact(&["audit", "--all", "--state", "--json"]);
    assert_eq!(audit().exits(0).json()["replayed"], 2);
    let names: Value = serde_json::from_slice(&std::fs::read(scratch.workspace().join("modules/names.json")).unwrap()).unwrap();
    let digest = names["other"].as_str().unwrap().trim_start_matches("blake3:");
    std::fs::remove_file(scratch.workspace().join(format!("modules/{digest}.wasm"))).unwrap();
    let report = audit().exits(3).json();
    assert_eq!((&report["verdict"], &report["replayed"], &report["diverged"]), (&"INCONCLUSIVE".into(), &1.into(), &json!([])));
    assert_eq!(report["inconclusive"][0]["code"], "module_missing");
    let unread = "recorded reads of 1 runs after the first that could not be applied";
    assert!(report["not_checked"].as_array().unwrap().contains(&unread.into()), "{report}");
}

#[test]
fn p_32_a_swap_names_the_first_difference_of_each_past_run_and_writes_nothing() {
    let scratch = governed();
    scratch.register("jane");
    scratch.register("john");
    let before = (entries(&scratch), std::fs::read(scratch.workspace().join("protocol.lock")).unwrap());
    let swap = |new: &std::path::Path, more: &[&str]| {
        let swap = format!("transforms={}", new.to_string_lossy());
        let mut args = vec!["audit", "--swap", &swap, "--json"];
        args.extend(more);
        scratch.enact(&args)
    };
    let same = enact_engine::embedded::modules().find(|(name, _)| *name == "transforms").unwrap().1;
    let report = swap(&folder(&scratch, "same", same, &[]), &[]).exits(0).json();
    assert_eq!((&report["verdict"], &report["runs"], &report["equal"]), (&"EQUAL".into(), &2.into(), &2.into()));
    let other = folder(&scratch, "other", &says("SUCCESS", r#"{"id":"always"}"#), &[]);
    let report = swap(&other, &[]).exits(4).json();
    assert_eq!((&report["verdict"], report["diverged"].as_array().unwrap().len()), (&"DIVERGED".into(), 2));
    let first = &report["diverged"][0];
    assert!(
        first["got"]["differences"].as_array().is_some_and(|d| d.iter().any(|d| d["at"].as_str().unwrap().starts_with("outputs"))),
        "{first}"
    );
    let last = swap(&other, &["--last", "1"]).exits(4).json();
    assert_eq!((&last["runs"], &last["diverged"][0]["seq"]), (&1.into(), &report["diverged"][1]["seq"]));
    assert!(report["comparison"].as_str().unwrap().starts_with("blake3:"));
    assert_eq!((entries(&scratch), std::fs::read(scratch.workspace().join("protocol.lock")).unwrap()), before, "nothing is written");
    // A side effect cannot take the place of a transform.
    let registry = enact_engine::embedded::modules().find(|(name, _)| *name == "registry").unwrap().1;
    assert_eq!(code(&swap(&folder(&scratch, "effect", registry, &[]), &[]).exits(3)), "module_refused");
}

#[test]
fn p_32_a_matrix_can_ask_for_the_comparison_before_a_version_is_ratified() {
    let scratch = governed();
    let path = scratch.workspace().join("protocol/AM_MODULE_V0.json");
    let mut matrix: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    matrix["rows"][1]["access"] = "module.compared".into();
    std::fs::write(&path, matrix.to_string()).unwrap();
    scratch.adopt(BOTH);
    scratch.enact(&["actor", "new", "ines", "--as", "ada", "--role", "approver", "--json"]).exits(0);
    scratch.register("jane");
    let new = folder(&scratch, "better", &says("SUCCESS", r#"{"id":"always"}"#), &[]);
    add(&scratch, &new, &[]).exits(0);
    let ratify = ["module", "ratify", "better", "--as", "bo", "--json"];
    assert_eq!(code(&scratch.enact(&ratify).exits(3)), "access_missing");
    let report = scratch.enact(&["audit", "--swap", &format!("transforms={}", new.to_string_lossy()), "--json"]).exits(4).json();
    let allow = json!({"type": "ACCESS_DECISION", "action": "ACCESS.ALLOW", "subject": "Access:Module:better|MODULE.RATIFY|module.compared",
        "payload": {"subject": "Module:better", "action": "MODULE.RATIFY", "policy": "module.compared", "decision": "ALLOW",
            "evidence": report["comparison"]}});
    let allowed = scratch.enact(&["propose", &scratch.file("allow.json", &allow.to_string()), "--as", "ines", "--json"]).exits(0).json();
    let (compared, auth) = (report["comparison"].as_str().unwrap(), allowed["records"][0]["hash"].as_str().unwrap());
    scratch.enact(&["module", "ratify", "better", "--as", "bo", "--auth", auth, "--compared", compared, "--json"]).exits(0);
    let history = scratch.enact(&["history", "Module:better", "--json"]).exits(0).json();
    assert_eq!(history[1]["payload"]["compared"], compared);
}

#[test]
fn p_06_stats_say_what_each_module_used() {
    let scratch = governed();
    scratch.register("jane");
    scratch.register("jane");
    let stats = scratch.enact(&["module", "stats", "--json"]).exits(0).json();
    let names: Value = serde_json::from_slice(&std::fs::read(scratch.workspace().join("modules/names.json")).unwrap()).unwrap();
    let used = |name: &str| stats["modules"][names[name].as_str().unwrap()].clone();
    assert_eq!((&stats["runs"], &stats["not_replayed"]), (&2.into(), &0.into()));
    assert!(used("transforms")["calls"].as_u64().unwrap() >= 2 && used("transforms")["fuel"].as_u64().unwrap() > 0, "{stats}");
    assert!(used("registry")["host_calls"].as_u64().unwrap() >= 2 && used("registry")["refusals"] == 0, "{stats}");
    let total: u64 = stats["modules"].as_object().unwrap().values().map(|used| used["fuel"].as_u64().unwrap()).sum();
    let fuel = |nth: usize| {
        let runs = scratch.enact(&["runs", "--json"]).exits(0).json();
        let shown = scratch.enact(&["show", runs[nth]["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
        shown["receipt"]["fuel_used"].as_str().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(total, fuel(0) + fuel(1), "what the receipts say");
    let one = scratch.enact(&["module", "stats", "registry", "--json"]).exits(0).json();
    let only: Vec<&String> = one["modules"].as_object().unwrap().keys().collect();
    assert_eq!(only, [names["registry"].as_str().unwrap()], "one module and no other");
}

#[test]
fn p_21_every_built_in_module_answers_alike_compiled_and_interpreted_to_the_unit_of_fuel() {
    use enact_engine::admission::rehearsal::{Rehearsal, Scenery};
    use enact_wasm::{Backend, EffectCall, Kind, Limits, Options, Profile, Sandbox};
    let engines = [Backend::Native, Backend::Pulley].map(|backend| Sandbox::new(&Options { backend, ..Options::default() }).unwrap());
    let limits = Limits { memory_bytes: 64 << 20, ..Limits::default() };
    // Whatever they make of it: a success, a violation, another status. What counts is that both make the same of it.
    let inputs = ["{}", r#"{"key":"jane","value":{"a":1},"record":{"n":"x"},"data":[1,2,3],"id":"x","amount":7}"#, r#"{"key":5}"#];
    let (mut calls, mut statuses) = (0, std::collections::BTreeSet::new());
    for (manifest, (name, bytes)) in enact_engine::embedded::manifests().unwrap().iter().zip(enact_engine::embedded::modules()) {
        assert_eq!(manifest.module, name);
        let modules = engines.each_ref().map(|engine| engine.admit(bytes, Profile::Strict).unwrap());
        for code in manifest.codes.keys() {
            for input in inputs {
                for operation in ["REGISTER", "LOOKUP", "APPEND", "READ", "GET", "PUT", "SEND"] {
                    let reports = modules.each_ref().map(|module| match module.kind() {
                        Kind::Transform => module.transform(&limits, code, input),
                        Kind::SideEffect => Rehearsal::new(name, &Scenery::default()).unwrap().with("store", |host, now_micros| {
                            let call = EffectCall {
                                capability: code,
                                operation,
                                inputs: input,
                                store: "store",
                                idempotency_key: "k/0",
                                grants: &["registry", "table", "log", "clock", "random"].map(str::to_owned),
                                now_micros,
                            };
                            module.side_effect(&limits, &call, host)
                        }),
                    });
                    assert_eq!(reports[0], reports[1], "{name} {code} {operation} {input}");
                    assert!(reports[0].fuel_used.is_some(), "{name} {code} {operation} {input}: {:?}", reports[0].outcome);
                    statuses.insert(reports[0].outcome.code().to_owned());
                    calls += 1;
                    if modules[0].kind() == Kind::Transform {
                        break;
                    }
                }
            }
        }
    }
    assert!(calls > 150, "only {calls} calls: {statuses:?}");
}
