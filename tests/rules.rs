//! What the language of governance can say beyond guards: invariants, charters, protocols that follow each other, effects.
use enact_engine::workspace::Workspace;
use serde_json::{Value, json};

use crate::hostile::{self, guests};
use crate::support::Scratch;

fn told(pack: &str) -> (Scratch, Vec<Value>) {
    let scratch = Scratch::new();
    let report = scratch.enact(&["demo", pack, "--dir", ".enact", "--json"]).exits(0).json();
    (scratch, report["steps"].as_array().unwrap().clone())
}

fn json(scratch: &Scratch, args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    scratch.enact(&args).exits(0).json()
}

/// What became of the steps of `what`, in order.
fn outcomes<'a>(steps: &'a [Value], what: &str) -> Vec<&'a str> {
    steps.iter().filter(|s| s["what"].as_str().unwrap().starts_with(what)).map(|s| s["got"].as_str().unwrap()).collect()
}

/// The code with which a proposal is refused or cannot be decided, or `appended`.
fn said(scratch: &Scratch, action: &str, id: &str) -> String {
    let record = json!({"type": "PROBE", "action": action, "subject": format!("Probe:{id}"), "payload": {}});
    let file = scratch.file("probe.json", &record.to_string());
    let ran = scratch.enact(&["propose", &file, "--as", "ada", "--json"]);
    if ran.code == 0 { "appended".to_owned() } else { ran.json()["error"]["code"].as_str().unwrap().to_owned() }
}

/// A ledger whose actions are each guarded by an invariant: one component an action, as they are given.
fn guarded(modules: &[(&str, Vec<u8>)]) -> Scratch {
    let scratch = Scratch::init();
    scratch.stewards();
    let workspace = Workspace::open(&scratch.workspace()).unwrap();
    let mut actions = serde_json::Map::new();
    for (index, (action, module)) in modules.iter().enumerate() {
        scratch.admit(&format!("hostile-{index}"), module, ["ada", "bo"]);
        for artifact in hostile::artifacts(index, &json!({})) {
            workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
        }
        let invariant = json!({"capability": format!("CT_HOSTILE_{index}_V0"), "module": format!("hostile-{index}")});
        actions.insert((*action).to_owned(), json!({"summary": "Asks.", "invariants": [invariant]}));
    }
    let names: Vec<&str> = modules.iter().map(|(action, _)| *action).collect();
    for artifact in [
        json!({"code": "LC_PROBE_V0", "summary": "Probes.", "record": "PROBE", "kind": "RECEIPT", "subject": "Probe", "actions": actions}),
        json!({"code": "AM_PROBE_V0", "summary": "Who.", "rows": [{"row": "any", "actions": names, "roles": ["registrar"]}]}),
    ] {
        workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
    }
    scratch.adopt(["ada", "bo"]);
    scratch
}

#[test]
fn b_20_an_invariant_holds_is_violated_traps_or_stays_undecided_and_only_the_first_is_appended() {
    let trap = guests::trapping().into_iter().find(|guest| guest.code == "unreachable").unwrap().bytes;
    let fuel = guests::trapping().into_iter().find(|guest| guest.code == "out_of_fuel").unwrap().bytes;
    let scratch = guarded(&[
        ("PROBE.HOLDS", guests::says("SUCCESS", "{}")),
        ("PROBE.VIOLATED", guests::says("VIOLATION", "{}")),
        ("PROBE.TRAP", trap),
        ("PROBE.FUEL", fuel),
        ("PROBE.DEEP", hostile::deep()),
    ]);
    assert_eq!(said(&scratch, "PROBE.HOLDS", "one"), "appended");
    let before = json(&scratch, &["verify", "--rebuild"]);
    // Two stewards, five modules proposed and ratified, a protocol proposed and ratified, and the record.
    assert_eq!((&before["verdict"], &before["entries"]), (&"BALANCED".into(), &15.into()));
    for (action, code) in [
        ("PROBE.VIOLATED", "invariant_violated"),
        ("PROBE.TRAP", "invariant_failed"),
        ("PROBE.FUEL", "invariant_failed"),
        ("PROBE.DEEP", "invariant_undecided"),
    ] {
        assert_eq!(said(&scratch, action, "two"), code, "{action}");
    }
    let after = json(&scratch, &["verify", "--rebuild"]);
    assert_eq!((&after["entries"], &after["state_roots"]), (&before["entries"], &before["state_roots"]), "nothing of them is there");
    // A rebuild asks the component again, and does not guess when it is not there, or another.
    for replacement in [None, Some(guests::says("VIOLATION", "{}"))] {
        let names: Value = serde_json::from_slice(&std::fs::read(scratch.workspace().join("modules/names.json")).unwrap()).unwrap();
        let hex = names["hostile-0"].as_str().unwrap().strip_prefix("blake3:").unwrap().to_owned();
        let path = scratch.workspace().join(format!("modules/{hex}.wasm"));
        match replacement {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        let found = scratch.enact(&["verify", "--rebuild", "--json"]).exits(4).json();
        let codes: Vec<&str> = found["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
        assert!(codes.contains(&"entry_undecided"), "{codes:?}");
        assert_ne!(said(&scratch, "PROBE.HOLDS", "three"), "appended");
    }
}

#[test]
fn b_20_an_evaluation_that_its_own_list_contradicts_is_refused_by_the_component() {
    let (scratch, steps) = told("tender");
    let evaluated = outcomes(&steps, "TENDER.EVALUATE Tender:T-7");
    assert_eq!(evaluated[evaluated.len() - 2..], ["invariant_violated", "appended"], "{evaluated:?}");
    let refusals = json(&scratch, &["refusals", "-n", "1000"]);
    let refused = refusals.as_array().unwrap().iter().find(|refusal| refusal["code"] == "invariant_violated").unwrap();
    assert!(refused["detail"].as_str().unwrap().contains("CT_INVARIANT_LEAST_OFFER_V0"), "{refused}");
    assert_eq!(json(&scratch, &["verify", "--rebuild"])["verdict"], "BALANCED");
}

#[test]
fn b_29_an_adopted_protocol_decides_from_the_next_entry_on_and_old_entries_replay_under_theirs() {
    let (scratch, steps) = told("tender");
    assert_eq!(outcomes(&steps, "ratifies the protocol"), ["authority_distinct", "appended"]);
    assert_eq!(outcomes(&steps, "TENDER.AWARD Tender:T-9"), ["authority_charter", "authority_charter", "appended"]);
    assert_eq!(outcomes(&steps, "CHARTER.RATIFY"), ["authority_distinct", "appended"]);
    let ratified = steps.iter().find(|s| s["what"] == "ratifies the protocol" && s["got"] == "appended").unwrap()["seq"].as_u64().unwrap();
    let protocol = |seq: u64| json(&scratch, &["ledger", "show", &seq.to_string()])["entry"]["protocol"].clone();
    let last = json(&scratch, &["verify", "--rebuild"])["entries"].as_u64().unwrap() - 1;
    assert_eq!(protocol(0), protocol(ratified), "the ratification itself is decided by the old one");
    assert_ne!(protocol(0), protocol(ratified + 1));
    assert_eq!(protocol(ratified + 1), protocol(last));
    let state = json(&scratch, &["state", "Protocol:ledger"]);
    assert_eq!((&state["active"]["version"], &state["kept"]["snapshot"]), (&1.into(), &protocol(last)));
    // Both are needed to replay.
    let old = protocol(0);
    scratch.sql().execute("DELETE FROM blobs WHERE hash = ?1", [old.as_str().unwrap()]).unwrap();
    let found = scratch.enact(&["verify", "--rebuild", "--json"]).exits(4).json();
    assert!(found["findings"].as_array().unwrap().iter().any(|f| f["code"] == "entry_protocol"), "{found:#}");
}

#[test]
fn b_04_seats_are_granted_under_a_charter_and_withdrawn_exactly_as_granted_from_the_command_line() {
    let (scratch, _) = told("tender");
    let award = |scratch: &Scratch| {
        let record = json!({"type": "TENDER_EVENT", "action": "TENDER.AWARD", "subject": "Tender:T-9", "seat": "board-chair",
            "consumes": ["tender:T-9"], "payload": {}});
        let file = scratch.file("award.json", &record.to_string());
        let explained = scratch.enact(&["explain", &file, "--as", "hugo", "--json"]).json();
        explained["refused"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(award(&scratch), "authority_seat");
    let grant = |verb: &str, more: &[&str]| {
        let args: Vec<&str> =
            ["actor", verb, "hugo", "--seat", "board-chair", "--as", "ada", "--json"].iter().chain(more).copied().collect();
        scratch.enact(&args)
    };
    grant("grant", &[]).exits(0);
    assert_eq!(award(&scratch), "authority_charter");
    assert_ne!(grant("withdraw", &["--charter", "Charter:board"]).code, 0, "it was not granted like that");
    grant("grant", &["--charter", "Charter:nowhere"]).exits(0);
    assert_eq!(award(&scratch), "authority_charter");
    grant("grant", &["--charter", "Charter:board"]).exits(0);
    // The seat is enough now; a decision would be the next thing to ask for.
    assert_eq!(award(&scratch), "access_missing");
    let listed = scratch.enact(&["actor", "list"]).exits(0).out;
    assert!(listed.contains("seat board-chair under Charter:board"), "{listed}");
    grant("withdraw", &["--charter", "Charter:board"]).exits(0);
    assert_eq!(award(&scratch), "authority_charter");
    // A seat or a role, not both, and a charter only for a seat.
    for wrong in [&["--role", "board"][..], &[]] {
        let args: Vec<&str> = ["actor", "grant", "hugo", "--as", "ada"].iter().chain(wrong).copied().chain(["--charter", "X:y"]).collect();
        scratch.enact(&args).exits(2);
    }
    // Only the few seats that are near are named.
    let unknown = scratch.enact(&["actor", "grant", "hugo", "--seat", "bord-chair", "--as", "ada", "--json"]).exits(3).json();
    assert!(unknown["error"]["message"].as_str().unwrap().contains("`board-chair`"), "{unknown}");
    assert_eq!(json(&scratch, &["verify", "--rebuild"])["verdict"], "BALANCED");
}

#[test]
fn b_36_a_governed_effect_without_state_machine_matrix_and_invariants_is_neither_checked_nor_sealed() {
    let scratch = Scratch::init();
    let folder = scratch.workspace().join("protocol");
    let change = |code: &str, change: &dyn Fn(&mut Value)| {
        let path = folder.join(format!("{code}.json"));
        let mut artifact: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut artifact);
        std::fs::write(path, artifact.to_string()).unwrap();
    };
    let lock = || std::fs::read(scratch.workspace().join("protocol.lock")).unwrap();
    let sealed = lock();
    let dir = folder.to_string_lossy().into_owned();
    let refused = |why: &str| {
        for args in [&["protocol", "check", "--json"][..], &["protocol", "check", &dir, "--json"], &["protocol", "seal", "--json"]] {
            let ran = scratch.enact(args);
            assert_ne!(ran.code, 0, "{why} {args:?}: {}", ran.out);
            assert!(ran.out.contains("\"effect_ungoverned\"") && ran.out.contains("CS_SEND_EMAIL_V0"), "{why} {args:?}: {}", ran.out);
        }
        assert_eq!(lock(), sealed, "{why}");
    };
    change("CS_SEND_EMAIL_V0", &|effect| effect["governed"] = true.into());
    refused("no lifecycle lists it");
    // Listed by a lifecycle with an action that has neither guard nor invariant.
    change("LC_KES_V0", &|lifecycle| lifecycle["effects"] = json!(["CS_SEND_EMAIL_V0"]));
    refused("an action is unguarded");
    change("LC_KES_V0", &|lifecycle| drop(lifecycle.as_object_mut().unwrap().remove("effects")));
    change("LC_SETTLEMENT_V0", &|lifecycle| lifecycle["effects"] = json!(["CS_SEND_EMAIL_V0"]));
    let matrix = std::fs::read(folder.join("AM_SETTLEMENT_V0.json")).unwrap();
    change("AM_SETTLEMENT_V0", &|matrix| drop(matrix["rows"].as_array_mut().unwrap().pop()));
    refused("an action has no row");
    std::fs::write(folder.join("AM_SETTLEMENT_V0.json"), matrix).unwrap();
    scratch.enact(&["protocol", "check", "--json"]).exits(0);
    scratch.enact(&["protocol", "seal", "--json"]).exits(0);
    assert_ne!(lock(), sealed);
}

#[test]
fn a_lifecycle_is_drawn_in_both_formats_with_every_state_and_action() {
    let scratch = Scratch::init();
    for code in ["LC_SETTLEMENT_V0", "LC_TENDER_V0", "LC_KES_V0"] {
        let shown = scratch.enact(&["protocol", "show", code]).exits(0).out;
        let lifecycle: Value = serde_json::from_str(&shown).unwrap();
        for format in ["mermaid", "svg"] {
            let drawn = scratch.enact(&["protocol", "graph", code, "--format", format]).exits(0).out;
            let states = lifecycle["states"].as_object().into_iter().flatten().map(|(state, _)| state);
            let moved =
                lifecycle["actions"].as_object().unwrap().iter().filter(|(_, action)| action["to"].is_string()).map(|(name, _)| name);
            for name in states.chain(moved) {
                assert!(drawn.contains(name.as_str()), "{code} {format} lacks {name}: {drawn}");
            }
            assert_eq!(drawn.starts_with("<svg "), format == "svg");
            assert_eq!(
                drawn.matches("<rect").count(),
                if format == "svg" { lifecycle["states"].as_object().map_or(0, |s| s.len()) + 1 } else { 0 }
            );
        }
    }
}
