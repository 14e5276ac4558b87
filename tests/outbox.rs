//! Messages that side effects hand over: to whom a row says, from whom it says, and sent by nobody but `enact outbox send` (issue 6).
#[cfg(feature = "outside")]
mod relay;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Ran, Scratch};
use crate::world::guest::{self, Ask};
use crate::world::{letters, workspace_around};

const ROW: [&str; 4] = ["--binding", "RB_HOSTILE_0_V0", "--capability", "CS_ASKER_V0"];

fn say(to: &[&'static str], subject: &str, text: &str) -> Ask {
    Ask::Send(to.to_vec(), subject.to_owned(), text.to_owned())
}

/// A workspace whose one side effect asks `asks` and may write to the desk and to one other.
fn workspace(asks: &[Ask]) -> Scratch {
    let rows = json!([{"to": ["*@desk.example", "ann@mail.example"], "from": "host@enact.example"}]);
    workspace_around(&guest::asks(asks), &json!(["outbox"]), json!({"grants": ["outbox"], "outbox": rows}))
}

fn run(scratch: &Scratch) -> Value {
    let payload = scratch.file("payload.json", r#"{"data": 1}"#);
    let report = scratch.enact(&["run", "WF_HOSTILE_0_V0", "--payload", &payload, "--json"]);
    serde_json::from_str(&report.out).unwrap()
}

fn outbox(scratch: &Scratch, args: &[&str]) -> Ran {
    scratch.enact(&[&["outbox"], args, &["--json"]].concat())
}

fn list(scratch: &Scratch) -> Vec<Value> {
    outbox(scratch, &["list"]).exits(0).json().as_array().unwrap().clone()
}

fn states(scratch: &Scratch) -> Vec<String> {
    list(scratch).iter().map(|message| message["state"].as_str().unwrap().to_owned()).collect()
}

/// What lies in a folder of a Maildir, by name.
fn folder(path: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let read = |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap());
    let mut found: Vec<(String, String)> = entries.flatten().map(|entry| read(entry.path())).collect();
    found.sort();
    found
}

/// The whole ledger executed again on both engines, its stores refolded, its derived tables rebuilt.
fn holds(scratch: &Scratch) -> Value {
    assert_eq!(scratch.enact(&["verify", "--rebuild", "--json"]).exits(0).json()["verdict"], "BALANCED");
    scratch.enact(&["audit", "--all", "--state", "--engine", "both", "--json"]).exits(0).json()
}

#[test]
fn b_28_a_message_is_sent_once_by_who_says_so_and_by_nothing_that_only_looks() {
    let scratch = workspace(&[
        say(&["a@desk.example", "ann@mail.example"], "Grüße: 1 – now", "One\n.\nFrom me\n"),
        say(&["b@desk.example"], &"long ".repeat(50), "Two"),
    ]);
    let ran = run(&scratch);
    assert_eq!(letters(&ran["payload"]), "oo");
    let shown = scratch.enact(&["show", ran["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
    let ids: Vec<&str> = (0..2).map(|nth| shown["steps"][0]["calls"][nth]["answer"]["value"].as_str().unwrap()).collect();
    let audit = holds(&scratch);
    assert_eq!((&audit["replayed"], &audit["state"]["uncorroborated"]), (&1.into(), &0.into()), "{audit}");
    scratch.enact(&["listen", "--once", "--json"]).exits(0);
    assert_eq!(states(&scratch), ["WAITING", "WAITING"]);
    assert_eq!(list(&scratch).iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), ids);
    let mail = scratch.path().join("mail");
    let sent = outbox(&scratch, &["send", "--maildir", "mail"]).exits(0);
    assert_eq!(sent.out.lines().count(), 2, "{sent:?}");
    let new = folder(&mail.join("new"));
    assert_eq!(new.iter().map(|(name, _)| name.as_str()).collect::<std::collections::BTreeSet<_>>(), ids.iter().copied().collect());
    let (_, first) = new.iter().find(|(name, _)| name == ids[0]).unwrap();
    for line in ["From: host@enact.example", "To: a@desk.example, ann@mail.example", &format!("Message-ID: <{}@enact.example>", ids[0])] {
        assert!(first.lines().any(|found| found == line), "{line} is not in {first}");
    }
    assert!(first.contains("Subject: =?utf-8?") && first.ends_with("One\n.\nFrom me\n") && !first.contains('\r'), "{first}");
    assert_eq!((states(&scratch), folder(&mail.join("tmp"))), (vec!["SENT".to_owned(); 2], vec![]));
    assert_eq!(outbox(&scratch, &["send", "--maildir", "mail"]).exits(0).json()["sent"], 0, "there is nothing left to send");
    // Read, and sent again by its id: it is there already, under the same name.
    std::fs::rename(mail.join("new").join(ids[0]), mail.join("cur").join(format!("{}:2,S", ids[0]))).unwrap();
    assert_eq!(outbox(&scratch, &["send", ids[0], "--maildir", "mail"]).exits(0).json()["attempts"], 1, "sent already");
    assert_eq!(outbox(&scratch, &["send", ids[0], "--again", "--maildir", "mail"]).exits(0).json()["attempts"], 2);
    assert_eq!((folder(&mail.join("new")).len(), folder(&mail.join("cur")).len()), (1, 1));
    let again = holds(&scratch);
    assert_eq!((&again["replayed"], again["state"].clone()), (&1.into(), audit["state"].clone()), "sending is no part of the ledger");
}

#[test]
fn b_32_recipients_headers_and_sizes_are_bounded_and_the_sender_is_the_hosts() {
    let many: Vec<&'static str> = vec!["a@desk.example"; 17];
    let asks = [
        (say(&["eve@elsewhere.example"], "s", "t"), 'd'),
        (say(&["a@desk.example", "eve@elsewhere.example"], "s", "t"), 'd'),
        (say(&["bob@mail.example"], "s", "t"), 'd'),
        (say(&["a@sub.desk.example"], "s", "t"), 'd'),
        (say(&[], "s", "t"), 'i'),
        (say(&["a@desk.example", "a@desk.example"], "s", "t"), 'i'),
        (say(&["eve@elsewhere.example,x@desk.example"], "s", "t"), 'i'),
        (say(&["<eve@elsewhere.example>x@desk.example"], "s", "t"), 'i'),
        (say(&["Ann <a@desk.example>"], "s", "t"), 'i'),
        (say(&["a@desk.example\r\nBcc: eve@elsewhere.example"], "s", "t"), 'i'),
        (say(&["A@desk.example"], "s", "t"), 'i'),
        (say(&["\"a b\"@desk.example"], "s", "t"), 'i'),
        (say(&["a@desk.example"], "s\r\nBcc: eve@elsewhere.example", "t"), 'i'),
        (say(&["a@desk.example"], "s", "t\r\n.\r\nMAIL FROM:<eve@elsewhere.example>"), 'i'),
        (say(&many, "s", "t"), 'l'),
        (say(&["a@desk.example"], &"s".repeat(257), "t"), 'l'),
        (say(&["a@desk.example"], "s", "t"), 'l'),
    ];
    let guests: Vec<Ask> = asks.iter().map(|(ask, _)| ask.clone()).collect();
    let scratch = workspace(&guests);
    let ran = run(&scratch);
    let expected: String = asks.iter().map(|(_, letter)| letter).collect();
    let shown = scratch.enact(&["show", ran["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!(letters(&ran["payload"]), expected, "{}", shown["steps"][0]["calls"]);
    assert_eq!(list(&scratch), Vec::<Value>::new());
    assert_eq!(holds(&scratch)["state"]["refused"], 7, "four without a row, three over a limit");
    let granted = |more: &[&str]| scratch.enact(&[&["module", "grant", "asker"], &ROW[..], more, &["--json"]].concat());
    for wrong in
        ["host *@desk.example", "host@enact.example *", "host@enact.example *@*", "host@enact.example A@b.example", "h@e.example x\r\n@b"]
    {
        let refused = granted(&["--outbox", wrong]);
        assert!(refused.code != 0 && format!("{}{}", refused.out, refused.err).contains("bad_grant"), "{wrong}: {refused:?}");
    }
    let rows = granted(&["--outbox", "host@enact.example eve@elsewhere.example"]).exits(0).json()["after"]["outbox"].clone();
    assert_eq!(rows, json!([{"from": "host@enact.example", "to": ["*@desk.example", "ann@mail.example", "eve@elsewhere.example"]}]));
    assert_eq!(letters(&run(&scratch)["payload"]).get(..2), Some("oo"));
    let revoke = [
        "module",
        "revoke",
        ROW[0],
        ROW[1],
        ROW[2],
        ROW[3],
        "--outbox",
        "host@enact.example *@desk.example,ann@mail.example,eve@elsewhere.example",
    ];
    assert_eq!(scratch.enact(&[&revoke[..], &["--json"]].concat()).exits(0).json()["after"]["grants"], Value::Null);
    assert_eq!(letters(&run(&scratch)["payload"]), "d".repeat(17), "nothing is granted by default");
    holds(&scratch);
}

#[test]
fn b_32_a_delivery_whose_end_is_not_known_is_shown_and_repeated_only_by_name() {
    let scratch = workspace(&[say(&["a@desk.example"], "s", "t"), say(&["b@desk.example"], "s", "t"), say(&["c@desk.example"], "s", "t")]);
    run(&scratch);
    let ids: Vec<String> = list(&scratch).iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect();
    // A way that is not there: it did not arrive.
    let file = scratch.file("no-folder", "");
    let failed = outbox(&scratch, &["send", &ids[0], "--maildir", &file]).exits(3).json();
    assert_eq!((&failed["state"], &failed["attempts"]), (&"FAILED".into(), &1.into()), "{failed}");
    // As a process that was killed while it sent leaves it.
    let outbound = rusqlite::Connection::open(scratch.workspace().join("ledger/outbound.db")).unwrap();
    outbound.execute("INSERT INTO deliveries VALUES (?1, 'SENDING', 't', 1, 'maildir', '')", [&ids[1]]).unwrap();
    assert_eq!(outbox(&scratch, &["drop", &ids[2]]).exits(0).json()[0]["state"], "DROPPED");
    assert_eq!(states(&scratch), ["FAILED", "SENDING", "DROPPED"]);
    assert_eq!(outbox(&scratch, &["send", "--maildir", "mail"]).exits(0).out.lines().count(), 1, "what did not arrive is sent again");
    assert_eq!(outbox(&scratch, &["send", &ids[1], &ids[2], "--maildir", "mail"]).exits(3).out.lines().count(), 2);
    assert_eq!(states(&scratch), ["SENT", "SENDING", "DROPPED"]);
    assert_eq!(outbox(&scratch, &["list", "--state", "sending", "--to", "b@desk.example"]).exits(0).json()[0]["id"], ids[1].as_str());
    outbox(&scratch, &["send", &ids[1], "--again", "--maildir", "mail"]).exits(0);
    assert_eq!(
        (states(&scratch), folder(&scratch.path().join("mail/new")).len()),
        (vec!["SENT".into(), "SENT".into(), "DROPPED".to_owned()], 2)
    );
    assert_eq!(outbox(&scratch, &["drop", &ids[1]]).exits(3).json()[0]["state"], "SENT", "what was sent stays sent");
    assert_eq!(outbox(&scratch, &["show", "MSG-1"]).exits(1).json()["error"]["code"], "no_message");
    assert_eq!(outbox(&scratch, &["show", &ids[0]]).exits(0).json()["text"], "t");
}

#[test]
fn p_33_a_vector_promises_messages() {
    let scratch = Scratch::init();
    let module = scratch.path().join("asker.wasm");
    std::fs::write(&module, guest::asks(&[say(&["a@b.example"], "s", "t")])).unwrap();
    scratch.file("manifest.json", &json!({"module": "asker", "world": "side-effect", "codes": {"CS_ASKER_V0": {}}}).to_string());
    for (subject, code) in [("s", 0), ("other", 3)] {
        let vector = json!({"name": "says", "capability": "CS_ASKER_V0", "operation": "DO", "inputs": {}, "grants": ["outbox"],
            "status": "SUCCESS", "later": [{"to": ["a@b.example"], "subject": subject, "text": "t"}]});
        scratch.file("vectors.json", &json!({"vectors": [vector]}).to_string());
        let tested = scratch.enact(&["module", "test", &module.to_string_lossy(), "--json"]).exits(code).json();
        assert_eq!(tested["tried"][0]["kept"], code == 0, "{tested}");
    }
}

#[test]
fn b_32_a_message_that_no_run_handed_over_is_not_sent() {
    let scratch = workspace(&[say(&["a@desk.example"], "s", "t")]);
    run(&scratch);
    let original: String =
        scratch.sql().query_row("SELECT value FROM log_rows WHERE value LIKE '%\"subject\"%'", [], |row| row.get(0)).unwrap();
    for (from, to) in [("a@desk", "eve@desk"), ("host@", "bank@"), ("\"text\":\"t\"", "\"text\":\"u\"")] {
        let forged = original.replacen(from, to, 1);
        assert_ne!(forged, original);
        scratch.sql().execute("UPDATE log_rows SET value = ?1 WHERE value LIKE '%\"subject\"%'", [forged]).unwrap();
        let refused = outbox(&scratch, &["send", "--maildir", "mail"]).exits(4);
        assert_eq!(refused.json()["error"]["code"], "request_unfounded", "{refused:?}");
        assert!(!scratch.path().join("mail").exists());
    }
}

#[test]
fn b_32_the_address_of_a_relay_is_a_secret_and_needs_tls_away_from_this_machine() {
    let scratch = workspace(&[say(&["a@desk.example"], "s", "t")]);
    run(&scratch);
    let send = |url: Option<&str>| {
        let mut command = scratch.command();
        command.env_remove("ENACT_SMTP_URL").args(["outbox", "send", "--json"]);
        crate::support::ran(&command.envs(url.map(|url| ("ENACT_SMTP_URL", url))).output().unwrap())
    };
    assert_eq!(send(None).exits(1).json()["error"]["code"], "secret_unusable");
    for wrong in ["http://user:pa55word@relay.example", "smtp://user:pa55word@", "smtps://user:pa55word@relay.example/x", "user:pa55word"] {
        let refused = send(Some(wrong)).exits(1);
        assert_eq!(refused.json()["error"]["code"], "relay_address", "{wrong}: {refused:?}");
        assert!(!format!("{}{}", refused.out, refused.err).contains("pa55word"), "{refused:?}");
    }
    // Nobody is there: it did not arrive, and nobody is told the password.
    let refused = send(Some("smtp://user:pa55word@127.0.0.1:1")).exits(3);
    assert_eq!((&refused.json()["state"], &refused.json()["by"]), (&"FAILED".into(), &"smtp://127.0.0.1:1".into()), "{refused:?}");
    assert!(!format!("{}{}{:?}", refused.out, refused.err, list(&scratch)).contains("pa55word"));
}
