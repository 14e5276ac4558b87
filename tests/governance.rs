//! Governance from the outside: every pack's story, the state that follows from it, and what an execution layer with full access tries.
use crate::support::{Ran, Scratch, reseal};

/// Tells the story of a pack; answers the scratch folder whose workspace is `.enact`.
pub(crate) fn told(pack: &str) -> (Scratch, serde_json::Value) {
    let scratch = Scratch::new();
    let report = scratch.enact(&["demo", pack, "--dir", ".enact", "--json"]);
    let steps: Vec<String> = match serde_json::from_str::<serde_json::Value>(&report.out) {
        Ok(report) => {
            let steps = report["steps"].as_array().cloned().unwrap_or_default();
            steps.iter().filter(|s| s["expected"] != s["got"]).map(|s| format!("{s:#}")).collect()
        }
        Err(_) => vec![format!("{report:#?}")],
    };
    assert!(steps.is_empty(), "{pack}: {}", steps.join("\n"));
    let report = report.exits(0).json();
    (scratch, report)
}

/// Asserts that `verify --rebuild` finds the ledger whole.
pub(crate) fn whole(scratch: &Scratch) -> serde_json::Value {
    let verified = scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json();
    assert_eq!(verified["verdict"], "BALANCED", "{verified:#}");
    verified
}

/// Everything that `verify --rebuild` says, and that it says something.
fn findings(scratch: &Scratch) -> Vec<String> {
    let ran = scratch.enact(&["verify", "--rebuild", "--json"]).exits(4);
    ran.json()["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect()
}

fn refused(ran: &Ran, code: &str) {
    assert_eq!(ran.code, 3, "{ran:#?}");
    assert_eq!(ran.json()["error"]["code"], code, "{ran:#?}");
}

#[test]
fn b_27_b_38_every_story_goes_as_told_and_the_state_follows_from_the_entries_alone() {
    let packs: Vec<String> = serde_json::from_value(Scratch::new().enact(&["demo", "--json"]).exits(0).json()).unwrap();
    for pack in ["settlement", "kes", "tender", "auction", "parameters"] {
        assert!(packs.iter().any(|p| p == pack), "{pack} has no story");
    }
    for pack in &packs {
        let (scratch, report) = told(pack);
        let verified = whole(&scratch);
        // Where workers have their part, more is recorded than is said, and it has tests of its own (`queue_demo`).
        if report["steps"].as_array().unwrap().iter().any(|step| step["got"] != "appended" && step["outcome"] != "refused") {
            assert_eq!(pack, "pilot");
            continue;
        }
        let appended = report["steps"].as_array().unwrap().iter().filter(|s| s["got"] == "appended").count();
        let refused = report["steps"].as_array().unwrap().len() - appended;
        assert_eq!(verified["entries"], appended, "{pack}");
        assert!(refused > 0, "the story of {pack} refuses nothing");
        // Every refusal is kept with its code, and left nothing behind.
        let kept = scratch.enact(&["refusals", "-n", "1000", "--json"]).exits(0).json();
        assert_eq!(kept.as_array().unwrap().len(), refused, "{pack}");
        // No run was executed by any of it, and replaying dispatches nothing (B-28).
        assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["runs"], 0);
    }
}

#[test]
fn b_06_the_settlement_can_be_followed_from_the_command_line() {
    let (scratch, _) = told("settlement");
    let state = scratch.enact(&["state", "Settlement:S-1", "--json"]).exits(0).json();
    assert_eq!(state["state"], "RELEASED", "{state:#}");
    let history = scratch.enact(&["history", "Settlement:S-1", "--json"]).exits(0).json();
    let states: Vec<&str> = history.as_array().unwrap().iter().filter_map(|row| row["state"].as_str()).collect();
    assert_eq!(states.first(), Some(&"CREATED"), "{history:#}");
    assert_eq!(states.last(), Some(&"RELEASED"), "{history:#}");
    // The past can be read as it was.
    let first = history[0]["seq"].as_u64().unwrap().to_string();
    let then = scratch.enact(&["state", "Settlement:S-1", "--at", &first, "--json"]).exits(0).json();
    assert_eq!(then["state"], "CREATED");
    // Money is where the story says, and nothing was made or lost.
    let accounts = scratch.enact(&["accounts", "--json"]).exits(0).json();
    let mut sums = std::collections::BTreeMap::<String, i128>::new();
    for account in accounts.as_array().unwrap() {
        let balance: i128 = account["balance"].as_str().unwrap().parse().unwrap();
        *sums.entry(account["asset"].as_str().unwrap().to_owned()).or_default() += balance;
    }
    assert!(!sums.is_empty() && sums.values().all(|sum| *sum == 0), "{sums:?}");
    let proof = scratch.enact(&["balance", "holder:omar", "--asset", "EUR", "--prove", "--json"]).exits(0).json();
    let verified = whole(&scratch);
    assert_eq!(verified["state_roots"]["balance"], proof["root"], "the stated root is the derived one");
}

#[test]
fn b_30_an_altered_row_of_the_state_is_found_by_the_rebuild() {
    for statement in [
        "UPDATE state SET value = replace(value, 'CREATED', 'RELEASED') WHERE space = 'subject' AND key = 'Settlement:S-1' AND seq = (SELECT min(seq) FROM state WHERE key = 'Settlement:S-1')",
        "UPDATE state SET value = replace(value, '\"credits\":\"', '\"credits\":\"9') WHERE space = 'balance' AND key = 'holder:omar|EUR'",
        "DELETE FROM state WHERE space = 'consumed' OR (space = 'subject' AND key = 'Settlement:S-1')",
        "INSERT INTO state(seq, space, key, value) VALUES(3, 'actor', 'Actor:zed', '{}')",
    ] {
        let (scratch, _) = told("settlement");
        let changed = scratch.sql().execute(statement, []).unwrap();
        assert!(changed > 0, "{statement}");
        let codes = findings(&scratch);
        assert!(codes.iter().any(|code| code == "state_row"), "{statement}: {codes:?}");
    }
}

#[test]
fn b_30_rows_that_cannot_be_read_do_not_keep_the_state_from_being_made_anew() {
    let (scratch, _) = told("settlement");
    let sound = whole(&scratch);
    for statement in [
        "INSERT INTO state VALUES(3, 'bogus', 'x', '{}')",
        "INSERT INTO state VALUES(-3, 'actor', 'Actor:evil', '{}')",
        "UPDATE state SET seq = -seq - 1 WHERE space = 'actor'",
        "UPDATE state SET value = 'junk'",
    ] {
        scratch.sql().execute(statement, []).unwrap();
        scratch.enact(&["verify", "--rebuild"]).exits(4);
        scratch.enact(&["ledger", "rebuild"]).exits(0);
        assert_eq!(whole(&scratch)["state_roots"], sound["state_roots"], "{statement}");
    }
}

#[test]
fn b_17_b_32_b_33_the_execution_layer_cannot_append_what_nobody_allowed() {
    let (scratch, _) = told("settlement");
    let entries = || scratch.enact(&["verify", "--json"]).exits(0).json()["entries"].clone();
    let before = entries();
    let file = |name: &str, text: serde_json::Value| scratch.file(name, &text.to_string());
    // Without a role.
    let create = serde_json::json!({
        "type": "SETTLEMENT_EVENT", "action": "SETTLEMENT.CREATE", "subject": "Settlement:S-9",
        "payload": {"payer": "lena", "payee": "omar", "asset": "EUR", "amount": "1"},
    });
    let path = file("create.json", create.clone());
    refused(&scratch.enact(&["propose", &path, "--as", "Actor:tess", "--json"]), "authority_role");
    // As somebody else: the key of the one does not speak for the other.
    let mut posing = create.clone();
    posing["actor"] = "Actor:lena".into();
    let path = file("posing.json", posing);
    refused(&scratch.enact(&["propose", &path, "--as", "Actor:tess", "--json"]), "signature_invalid");
    // Unsigned, as the engine.
    let mut engine = create.clone();
    engine["actor"] = format!("Engine:blake3:{}", "0".repeat(64)).into();
    let path = file("engine.json", engine);
    let ran = scratch.enact(&["propose", &path, "--as", "Actor:tess", "--json"]);
    assert_eq!(ran.code, 3, "{ran:#?}");
    // An old signature, taken from the ledger.
    let shown = scratch.enact(&["history", "Settlement:S-1", "--json"]).exits(0).json();
    let seq = shown[0]["seq"].to_string();
    let record = scratch.enact(&["ledger", "show", &seq, "--json"]).exits(0).json()["entry"]["records"][0].clone();
    assert!(record["sig"].is_string(), "{record:#}");
    let path = file("replayed.json", record);
    refused(&scratch.enact(&["propose", &path, "--as", "Actor:lena", "--json"]), "chain_prev");
    // An unknown type, action and actor.
    for (member, value, code) in
        [("type", "NO_SUCH", "record_type"), ("action", "SETTLEMENT.STEAL", "record_action"), ("actor", "Actor:nobody", "actor_unknown")]
    {
        let mut wrong = create.clone();
        wrong[member] = value.into();
        let path = file("wrong.json", wrong);
        refused(&scratch.enact(&["propose", &path, "--as", "Actor:lena", "--json"]), code);
    }
    assert_eq!(entries(), before, "something was appended");
    // Explaining shows the same code and leaves not even a refusal behind.
    let kept = scratch.enact(&["refusals", "-n", "1000", "--json"]).exits(0).json().as_array().unwrap().len();
    let path = file("create.json", create);
    let explained = scratch.enact(&["explain", &path, "--as", "Actor:tess", "--json"]).exits(3).json();
    assert_eq!((&explained["allowed"], &explained["refused"]["code"]), (&false.into(), &"authority_role".into()));
    let allowed = scratch.enact(&["explain", &path, "--as", "Actor:lena", "--json"]).exits(0).json();
    assert_eq!(allowed["allowed"], true, "{allowed:#}");
    assert_eq!(scratch.enact(&["refusals", "-n", "1000", "--json"]).json().as_array().unwrap().len(), kept);
    assert_eq!(entries(), before);
}

#[test]
fn b_32_whoever_owns_the_file_but_no_key_is_found_out() {
    use enact_core::entry::Entry;
    let last = |scratch: &Scratch| scratch.enact(&["verify", "--json"]).exits(0).json()["entries"].as_u64().unwrap() - 1;
    type Forgery = fn(&mut Entry);
    let forgeries: [(&str, Forgery); 5] = [
        ("a node-local field", |entry| entry.local.node = "elsewhere".to_owned()),
        ("who decided", |entry| entry.decided[0] = "core#found".to_owned()),
        ("a payload", |entry| entry.records[0].payload["key"] = "AAAA".into()),
        ("an actor", |entry| entry.records[0].actor = "Actor:tess".to_owned()),
        ("a signature", |entry| entry.records[0].sig = None),
    ];
    for (what, forge) in forgeries {
        let (scratch, _) = told("kes");
        let target = last(&scratch).min(2);
        reseal(&scratch, &|seq, entry| {
            if seq == target {
                forge(entry);
            }
        });
        let codes = findings(&scratch);
        assert!(codes.iter().any(|code| code == "checkpoint_root"), "{what}: {codes:?}");
        if what != "a node-local field" {
            let judged = ["entry_unauthorised", "entry_decided"];
            assert!(codes.iter().any(|code| judged.contains(&code.as_str())), "{what}: {codes:?}");
        }
    }
    // Deleted, truncated, spliced in from another ledger.
    let (other, _) = told("parameters");
    let foreign: Vec<u8> = other.sql().query_row("SELECT bytes FROM entries WHERE seq = 2", [], |r| r.get(0)).unwrap();
    for (what, statement) in [
        ("deleted", "DELETE FROM entries WHERE seq = 2"),
        ("truncated", "DELETE FROM entries WHERE seq > 3"),
        ("spliced", "UPDATE entries SET bytes = ?1 WHERE seq = 2"),
        ("reordered", "UPDATE entries SET bytes = (SELECT bytes FROM entries e WHERE e.seq = 3) WHERE seq = 2"),
    ] {
        let (scratch, _) = told("kes");
        let sql = scratch.sql();
        let mut statement = sql.prepare(statement).unwrap();
        if statement.parameter_count() == 1 { statement.execute([&foreign]) } else { statement.execute([]) }.unwrap();
        drop(statement);
        assert!(!findings(&scratch).is_empty(), "{what}");
    }
}

#[test]
fn a_backup_of_a_ledger_verifies_and_can_be_put_in_its_place() {
    let (scratch, _) = told("settlement");
    let before = whole(&scratch);
    let copied = scratch.enact(&["backup", "copy.db", "--json"]).exits(0).json();
    assert_eq!((&copied["entries"], &copied["verdict"]), (&before["entries"], &"SIGNED".into()));
    // The copy is one file, whoever has read it.
    assert!(!scratch.path().join("copy.db-wal").exists() && !scratch.path().join("copy.db-shm").exists());
    let again = scratch.enact(&["backup", "copy.db", "--json"]);
    assert_eq!((again.code, again.json()["error"]["code"].clone()), (1, "store_exists".into()));
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        drop(std::fs::remove_file(scratch.workspace().join("ledger").join(file)));
    }
    std::fs::copy(scratch.path().join("copy.db"), scratch.workspace().join("ledger/ledger.db")).unwrap();
    let after = whole(&scratch);
    assert_eq!((&after["root"], &after["state_roots"]), (&before["root"], &before["state_roots"]));
}

#[test]
fn b_30_a_backup_of_an_altered_ledger_says_so_and_stays() {
    let (scratch, _) = told("settlement");
    let statement = "UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), 'Actor:omar', 'Actor:0mar') AS BLOB) WHERE seq = ?1";
    let sql = scratch.sql();
    let seq: i64 = sql.query_row("SELECT min(seq) FROM entries WHERE instr(bytes, 'Actor:omar') > 0", [], |row| row.get(0)).unwrap();
    assert_eq!(sql.execute(statement, [seq]).unwrap(), 1);
    let copied = scratch.enact(&["backup", "copy.db", "--json"]).exits(4).json();
    assert_eq!((&copied["verdict"], &copied["file"]), (&"ALTERED".into(), &"copy.db".into()));
    assert_eq!(copied["findings"][0]["seq"], seq, "{copied:#}");
    assert!(scratch.path().join("copy.db").exists());
    let told = scratch.enact(&["backup", "other.db"]).exits(4).out;
    assert!(told.contains("finding") && told.contains("ALTERED"), "{told}");
}

#[test]
fn b_04_actors_are_founded_registered_rotated_and_revoked_from_the_command_line() {
    let scratch = Scratch::init();
    // Before the founding nobody can say anything.
    let new = scratch.enact(&["actor", "new", "bo", "--as", "ada", "--json"]);
    assert_ne!(new.code, 0);
    scratch.enact(&["actor", "found", "ada", "--json"]).exits(0);
    refused(&scratch.enact(&["actor", "found", "eve", "--json"]), "ledger_founded");
    assert!(!scratch.workspace().join("keys/actors/eve.key").exists());
    scratch.enact(&["actor", "new", "bo", "--as", "ada", "--role", "steward", "--json"]).exits(0);
    scratch.enact(&["actor", "rotate", "bo", "--as", "ada", "--json"]).exits(0);
    refused(&scratch.enact(&["actor", "grant", "bo", "--role", "registrar", "--as", "bo", "--json"]), "authority_role");
    // Adopting the protocol takes two.
    let proposed = scratch.enact(&["protocol", "adopt", "--as", "ada", "--json"]).exits(0).json();
    let hash = proposed["records"][0]["hash"].as_str().unwrap().to_owned();
    refused(&scratch.enact(&["protocol", "adopt", "--ratify", &hash, "--as", "ada", "--json"]), "authority_distinct");
    scratch.enact(&["protocol", "adopt", "--ratify", &hash, "--as", "bo", "--json"]).exits(0);
    scratch.enact(&["actor", "revoke", "bo", "--reason", "left", "--as", "ada", "--json"]).exits(0);
    let actors = scratch.enact(&["actor", "list", "--json"]).exits(0).json();
    assert_eq!((&actors[1]["actor"], &actors[1]["status"]), (&"Actor:bo".into(), &"revoked".into()));
    refused(&scratch.enact(&["protocol", "adopt", "--as", "bo", "--json"]), "actor_revoked");
    whole(&scratch);
    // No secret half of a key is in the ledger or its log of refusals.
    let bytes = std::fs::read(scratch.workspace().join("ledger/ledger.db")).unwrap();
    for key in std::fs::read_dir(scratch.workspace().join("keys/actors")).unwrap() {
        let secret = std::fs::read(key.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn b_36_b_37_the_protocol_is_checked_questioned_drawn_and_compared() {
    let scratch = Scratch::init();
    let check = scratch.enact(&["protocol", "check", "--questions", "--json"]).exits(0).json();
    assert_eq!(check["errors"], 0, "{check:#}");
    let release = check["questions"].as_array().unwrap().iter().find(|q| q["action"] == "SETTLEMENT.RELEASE").unwrap().clone();
    assert_eq!(
        (&release["needs_access_decision"], &release["deterministic"], &release["replayable"]),
        (&true.into(), &true.into(), &true.into())
    );
    let drawn = scratch.enact(&["protocol", "graph", "LC_SETTLEMENT_V0"]).exits(0).out;
    assert!(drawn.starts_with("stateDiagram-v2") && drawn.contains("[*] --> CREATED"), "{drawn}");
    // A row that lets everybody act, and an action that nobody may perform, are errors.
    let path = scratch.workspace().join("protocol/AM_SETTLEMENT_V0.json");
    let original = std::fs::read_to_string(&path).unwrap();
    let mut matrix: serde_json::Value = serde_json::from_str(&original).unwrap();
    matrix["rows"][0]["roles"] = serde_json::json!([]);
    std::fs::write(&path, matrix.to_string()).unwrap();
    let everybody = scratch.enact(&["protocol", "check", "--json"]).exits(3).json();
    assert!(everybody["problems"].as_array().unwrap().iter().any(|p| p["code"] == "action_everybody"), "{everybody:#}");
    let mut matrix: serde_json::Value = serde_json::from_str(&original).unwrap();
    matrix["rows"].as_array_mut().unwrap().remove(0);
    std::fs::write(&path, matrix.to_string()).unwrap();
    let nobody = scratch.enact(&["protocol", "check", "--json"]).exits(3).json();
    assert!(nobody["problems"].as_array().unwrap().iter().any(|p| p["code"] == "action_nobody"), "{nobody:#}");
    let lock = scratch.workspace().join("protocol.lock");
    let old = scratch.path().join("old.lock");
    std::fs::copy(&lock, &old).unwrap();
    scratch.enact(&["protocol", "seal", "--json"]).exits(0);
    let diff = scratch.enact(&["protocol", "diff", old.to_str().unwrap(), lock.to_str().unwrap(), "--json"]).exits(0).json();
    let removed = diff["differences"].as_array().unwrap().iter().any(|d| d["change"] == "removed");
    assert!(removed, "{diff:#}");
}

/// Changes an artifact, seals, and answers what differs from what was sealed before: what, name and change of each. All is as before then.
fn changed(scratch: &Scratch, code: &str, change: impl Fn(&mut serde_json::Value)) -> Vec<String> {
    let (lock, old) = (scratch.workspace().join("protocol.lock"), scratch.path().join("before.lock"));
    std::fs::copy(&lock, &old).unwrap();
    let path = scratch.workspace().join(code);
    let original = std::fs::read(&path).unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(&original).unwrap();
    change(&mut value);
    std::fs::write(&path, value.to_string()).unwrap();
    scratch.enact(&["protocol", "seal", "--json"]).exits(0);
    let diff = scratch.enact(&["protocol", "diff", old.to_str().unwrap(), "--json"]).exits(0).json();
    let told = scratch.enact(&["protocol", "diff", old.to_str().unwrap()]).exits(0).out;
    assert_eq!(told.contains("no difference"), diff["old"] == diff["new"], "{told}");
    std::fs::write(&path, original).unwrap();
    scratch.enact(&["protocol", "seal", "--json"]).exits(0);
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let differences = diff["differences"].as_array().unwrap().iter();
    differences.map(|d| format!("{} {} {}", word(&d["change"]), word(&d["what"]), word(&d["name"]))).collect()
}

#[test]
fn p_30_b_36_whatever_differs_between_two_protocols_is_told() {
    let scratch = Scratch::init();
    type Edit = fn(&mut serde_json::Value);
    let cases: [(&str, Edit, &[&str]); 8] = [
        (
            "protocol/AS_SETTLEMENT_V0.json",
            |x| x["accounts"]["escrow:{Settlement}"]["floor"] = "-1000000".into(),
            &["member AS_SETTLEMENT_V0 accounts.escrow:{Settlement}.floor"],
        ),
        (
            "protocol/AS_ASSETS_V0.json",
            |x| x["assets"]["EUR"]["class"] = "service".into(),
            &["changed member AS_ASSETS_V0 assets.EUR.class"],
        ),
        (
            "protocol/DC_TREASURY_V0.json",
            |x| x["effects"]["spend"]["records"][0]["payload"]["memo"] = "x".into(),
            &["changed artifact DC_TREASURY_V0", "changed member DC_TREASURY_V0 effects.spend.records.0.payload.memo"],
        ),
        ("modules/names.json", |x| x["invariants"] = x["transforms"].clone(), &["changed module invariants"]),
        (
            "protocol/AM_SETTLEMENT_V0.json",
            |x| x["rows"].as_array_mut().unwrap().reverse(),
            &["changed order AM_SETTLEMENT_V0", "changed artifact AM_SETTLEMENT_V0"],
        ),
        (
            "protocol/WF_REGISTER_USER_UNVERIFIED_V0.json",
            |x| x["nodes"]["CC_REGISTER_USER_KYC_V0"]["next"]["BACKEND_ERROR"] = "CC_APPEND_USER_EVENT_V0".into(),
            &[
                "changed behaviour WF_REGISTER_USER_UNVERIFIED_V0",
                "changed member WF_REGISTER_USER_UNVERIFIED_V0 nodes.CC_REGISTER_USER_KYC_V0.next.BACKEND_ERROR",
            ],
        ),
        ("protocol/QC_WST_TRANSFER_V0.json", |x| x["summary"] = "Another.".into(), &["changed artifact QC_WST_TRANSFER_V0"]),
        ("protocol/LI_DEPOSIT_NOTICE_V0.json", |x| x["summary"] = "Another.".into(), &["changed member LI_DEPOSIT_NOTICE_V0 summary"]),
    ];
    for (file, edit, expected) in cases {
        let told = changed(&scratch, file, edit);
        assert!(expected.iter().all(|line| told.iter().any(|said| said.contains(line))), "{file}: {told:#?}");
    }
    // What a binding says changes no behaviour.
    let told = changed(&scratch, "protocol/RB_REGISTRATION_DEVELOPMENT_V0.json", |x| x["summary"] = "Another.".into());
    assert!(!told.is_empty() && !told.iter().any(|line| line.contains("behaviour")), "{told:#?}");
    assert_eq!(changed(&scratch, "protocol/AS_ASSETS_V0.json", |_| {}), Vec::<String>::new());
}

#[test]
fn a_refused_proposal_leaves_no_key_and_the_list_says_which_are_here() {
    let scratch = Scratch::init();
    scratch.enact(&["actor", "found", "ada"]).exits(0);
    let keys = || {
        let files = std::fs::read_dir(scratch.workspace().join("keys/actors")).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    refused(&scratch.enact(&["actor", "found", "zoe", "--json"]), "ledger_founded");
    scratch.enact(&["actor", "new", "cy", "--as", "zoe", "--json"]).exits(1);
    scratch.enact(&["actor", "rotate", "ghost", "--as", "ada", "--json"]).exits(3);
    assert_eq!(keys(), ["ada.key"]);
    scratch.enact(&["actor", "new", "bo", "--as", "ada"]).exits(0);
    scratch.enact(&["actor", "rotate", "bo", "--as", "ada"]).exits(0);
    scratch.enact(&["actor", "new", "cy", "--as", "bo"]).exits(3);
    scratch.enact(&["actor", "rotate", "ada", "--as", "bo"]).exits(3);
    assert_eq!(keys(), ["ada.key", "bo.key"]);
    // A file of the right name with another key is no key of it.
    std::fs::copy(scratch.workspace().join("keys/actors/ada.key"), scratch.workspace().join("keys/actors/bo.key")).unwrap();
    let list = scratch.enact(&["actor", "list", "--json"]).exits(0).json();
    let here: Vec<_> = list.as_array().unwrap().iter().map(|row| (row["actor"].as_str().unwrap(), row["key_here"] == true)).collect();
    assert_eq!(here, [("Actor:ada", true), ("Actor:bo", false)]);
}

#[test]
fn a_state_names_its_entry_once_and_has_no_future() {
    let scratch = Scratch::init();
    scratch.enact(&["actor", "found", "ada"]).exits(0);
    let now = scratch.enact(&["state", "Actor:ada", "--json"]).exits(0);
    assert_eq!((now.out.matches("\"seq\"").count(), &now.json()["seq"]), (1, &0.into()), "{}", now.out);
    assert_eq!(scratch.enact(&["state", "Actor:ada", "--at", "0", "--json"]).exits(0).json(), now.json());
    let later = scratch.enact(&["state", "Actor:ada", "--at", "99999", "--json"]).exits(1).json();
    assert_eq!(later["error"]["code"], "no_entry");
}
