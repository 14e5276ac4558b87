//! What a newcomer sees: the quick start of the README and the documented shapes of `--json`.
use crate::support::{REGISTER, Scratch, project};

fn jane() -> String {
    project("protocol/packs/registration/examples/jane.json").to_string_lossy().into_owned()
}

#[test]
fn quick_start_registers_then_finds_the_key_taken_and_replays_both() {
    let scratch = Scratch::new();
    let first = scratch.enact(&["run", REGISTER, "--payload", &jane()]).exits(0);
    assert!(first.err.contains("created the workspace"), "{first:?}");
    for text in ["CC_GENERATE_USER_ID_V0", "SUCCESS/COMPLETED", "sha256:", "entry    0"] {
        assert!(first.out.contains(text), "no `{text}` in {}", first.out);
    }
    let second = scratch.enact(&["run", REGISTER, "--payload", &jane(), "--json"]).exits(0).json();
    let statuses: Vec<&str> = second["nodes"].as_array().unwrap().iter().map(|n| n["status"].as_str().unwrap()).collect();
    assert!(statuses.contains(&"ALREADY_EXISTS"), "{second}");
    assert_eq!(second["exit"]["class"], "SUCCESS");
    let audit = scratch.enact(&["audit", "--all"]).exits(0);
    assert!(audit.out.contains("2 of 2 replayed"), "{}", audit.out);
    scratch.enact(&["verify"]).exits(0);
}

#[test]
fn run_json_has_the_documented_shape() {
    let scratch = Scratch::init();
    let report = scratch.register("jane");
    assert!(report["run_id"].as_str().unwrap().starts_with("RUN-"));
    assert_eq!(report["workflow"], REGISTER);
    assert_eq!(report["exit"]["reason"], "COMPLETED");
    assert!(report["context_hash"].as_str().unwrap().starts_with("sha256:"));
    let payload = &report["payload"];
    assert!(payload["user_id"].as_str().unwrap().starts_with("AC_"), "{payload}");
    assert_eq!(payload["target_ref"], payload["user_id"]);
    assert_eq!(payload["result_status"], "SUCCESS");
    let node = &report["nodes"][0];
    assert_eq!((&node["node"], &node["type"], &node["status"]), (&"IN_USER_REGISTERED_V0".into(), &"intent".into(), &"ACK".into()));
    assert_eq!(report["entry"]["seq"], 0);
    assert!(report["entry"]["hash"].as_str().unwrap().starts_with("blake3:"));
    assert!(report["fuel_used"].as_u64().unwrap() > 0);
}

#[test]
fn p_13_the_context_hash_is_sha256_over_the_canonical_payload() {
    let scratch = Scratch::init();
    let report = scratch.register("jane");
    let canonical = enact_core::canonical::to_bytes(&report["payload"]).unwrap();
    assert_eq!(report["context_hash"], enact_core::hash::context_hash(&canonical).to_string());
}

#[test]
fn audit_and_verify_json_have_the_documented_shapes() {
    let scratch = Scratch::init();
    scratch.register("jane");
    let audit = scratch.enact(&["audit", "--all", "--json", "--state"]).exits(0).json();
    assert_eq!((&audit["runs"], &audit["replayed"], &audit["verdict"]), (&1.into(), &1.into(), &"REPLAYED".into()));
    assert!(audit["inconclusive"].as_array().unwrap().is_empty() && audit["diverged"].as_array().unwrap().is_empty());
    assert!(audit["state"]["corroborated"].as_u64().unwrap() > 0, "{audit}");
    let verify = scratch.enact(&["verify", "--json"]).exits(0).json();
    assert_eq!((&verify["verdict"], &verify["entries"]), (&"SIGNED".into(), &1.into()));
    assert!(verify["root"].as_str().unwrap().starts_with("sha256:"));
    assert!(verify["checks"].as_array().unwrap().iter().all(|c| c["ok"] == true));
    assert!(!verify["not_checked"].as_array().unwrap().is_empty());
}

#[test]
fn module_inspect_json_has_the_documented_shape() {
    let scratch = Scratch::new();
    let module = project("capabilities/transforms/transforms.wasm");
    let report = scratch.enact(&["module", "inspect", &module.to_string_lossy(), "--json"]).exits(0).json();
    assert_eq!((&report["kind"], &report["pure"], &report["profile"]), (&"transform".into(), &true.into(), &"strict".into()));
    assert!(report["imports"].as_array().unwrap().is_empty());
    assert!(!report["exports"].as_array().unwrap().is_empty());
    assert!(report["refusals"].as_array().unwrap().is_empty());
    let bytes = std::fs::read(&module).unwrap();
    assert_eq!(report["size"], bytes.len());
    assert_eq!(
        format!("blake3:{}", report["blake3"].as_str().unwrap().trim_start_matches("blake3:")),
        enact_core::hash::module_digest(&bytes).to_string()
    );
    assert_eq!(report["sha256"].as_str().unwrap().trim_start_matches("sha256:").len(), 64);
}

#[test]
fn both_engines_replay_the_same_outputs_and_fuel() {
    let scratch = Scratch::init();
    scratch.register("jane");
    scratch.register("jane");
    let audit = scratch.enact(&["audit", "--all", "--engine", "both", "--json"]).exits(0).json();
    assert_eq!((&audit["replayed"], &audit["fuel_not_compared"]), (&2.into(), &0.into()));
}

#[test]
fn completions_help_and_version_are_there() {
    let scratch = Scratch::new();
    assert!(scratch.enact(&["completions", "bash"]).exits(0).out.contains("enact"));
    assert!(scratch.enact(&["--help"]).exits(0).out.contains("audit"));
    scratch.enact(&["--version"]).exits(0);
    scratch.enact(&["no-such-command"]).exits(2);
}

#[test]
fn an_initialised_workspace_is_not_overwritten() {
    let scratch = Scratch::init();
    scratch.register("jane");
    let again = scratch.enact(&["init", "--json"]).exits(1);
    assert_eq!(again.json()["error"]["code"], "workspace_exists");
    scratch.enact(&["verify"]).exits(0);
}

#[test]
fn what_is_left_of_a_workspace_is_not_written_over() {
    let scratch = Scratch::init();
    scratch.register("jane");
    let (workspace, config) = (scratch.workspace(), scratch.workspace().join("enact.toml"));
    let (key, away) = (std::fs::read(workspace.join("keys/ledger.key")).unwrap(), scratch.path().join("away.toml"));
    std::fs::rename(&config, &away).unwrap();
    for command in [vec!["init", "--json"], vec!["run", REGISTER, "--payload", &jane(), "--json"]] {
        let refused = scratch.enact(&command).exits(1).json();
        assert_eq!(refused["error"]["code"], "workspace_incomplete");
        assert!(refused["error"]["hint"].as_str().unwrap().contains("enact.toml"));
    }
    assert_eq!(std::fs::read(workspace.join("keys/ledger.key")).unwrap(), key);
    std::fs::rename(&away, &config).unwrap();
    scratch.enact(&["verify"]).exits(0);

    // Somebody's own artifacts in a folder that never was a workspace.
    let mine = scratch.path().join("mine/protocol");
    std::fs::create_dir_all(&mine).unwrap();
    std::fs::write(mine.join("IN_USER_REGISTERED_V0.json"), "{}").unwrap();
    let refused = scratch.enact(&["init", "mine", "--json"]).exits(1).json();
    assert_eq!(refused["error"]["code"], "workspace_incomplete");
    let left: Vec<_> = std::fs::read_dir(scratch.path().join("mine")).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing was written");
    assert_eq!(std::fs::read_to_string(mine.join("IN_USER_REGISTERED_V0.json")).unwrap(), "{}");
}

#[test]
fn a_creation_that_was_interrupted_is_begun_again() {
    let scratch = Scratch::init();
    let config = scratch.workspace().join("enact.toml");
    std::fs::rename(&config, config.with_extension("toml.begun")).unwrap();
    std::fs::remove_file(scratch.workspace().join("protocol.lock")).unwrap();
    scratch.enact(&["init"]).exits(0);
    scratch.register("jane");
    scratch.enact(&["verify"]).exits(0);
}
