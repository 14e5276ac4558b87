//! Standard output that nobody reads, or that takes no more: what a command does and answers with its exit code stays the same.
use std::process::Stdio;

use serde_json::{Value, json};

use crate::governance::told;
use crate::support::{REGISTER, Ran, Scratch, person, project};

/// Runs a command whose standard output was closed by its reader before the first line.
fn unread(scratch: &Scratch, args: &[&str]) -> Ran {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = scratch.command().args(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    crate::support::ran(&child.wait_with_output().unwrap())
}

#[test]
fn an_exit_code_does_not_depend_on_who_reads() {
    let scratch = Scratch::init();
    scratch.register("ann");
    let module = project("capabilities/transforms/transforms.wasm");
    let broken = scratch.file("broken.wasm", "no module");
    for json in [None, Some("--json")] {
        let args = |args: &[&'static str]| args.iter().copied().chain(json).collect::<Vec<_>>();
        unread(&scratch, &args(&["verify"])).exits(0);
        unread(&scratch, &["module", "inspect", &module.to_string_lossy()]).exits(0);
        unread(&scratch, &["module", "inspect", &broken]).exits(3);
        unread(&scratch, &args(&["show", "RUN-x"])).exits(1);
    }
    unread(&scratch, &["ledger", "export"]).exits(0);
    scratch.sql().execute("UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"v\":1', '\"v\":2') AS BLOB)", []).unwrap();
    unread(&scratch, &["verify"]).exits(4);
    unread(&scratch, &["verify", "--json"]).exits(4);
}

#[test]
fn a_batch_that_nobody_reads_is_carried_out_and_says_what_failed() {
    let scratch = Scratch::init();
    let line = |name: &str| format!("{}\n", person(name));
    let batch = scratch.file("batch.ndjson", &["ann", "bob", "cy"].map(line).concat());
    let done = unread(&scratch, &["run", REGISTER, "--batch", &batch]).exits(0);
    assert_eq!(done.err, "");
    assert_eq!(scratch.enact(&["verify", "--json"]).exits(0).json()["entries"], 3);
    unread(&scratch, &["run", "WF_NOWHERE_V0", "--batch", &batch]).exits(1);
}

#[test]
fn output_that_cannot_be_written_is_named() {
    let scratch = Scratch::init();
    scratch.register("ann");
    for json in [None, Some("--json")] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = scratch.command().arg("runs").args(json).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let ran = crate::support::ran(&child.wait_with_output().unwrap()).exits(1);
        assert!(ran.err.contains("[disk_full]") && ran.err.contains("hint:"), "{}", ran.err);
    }
}

#[test]
fn under_json_there_is_a_document_also_where_there_is_nothing_to_do() {
    let scratch = Scratch::init();
    scratch.stewards();
    let graph = scratch.enact(&["protocol", "graph", REGISTER, "--json"]).exits(0).json();
    let drawn = scratch.enact(&["protocol", "graph", REGISTER]).exits(0).out;
    assert_eq!((&graph["code"], &graph["format"], &graph["text"]), (&REGISTER.into(), &"mermaid".into(), &drawn.into()));
    let lifecycle = scratch.enact(&["protocol", "graph", "LC_MODULE_V0", "--format", "svg", "--json"]).exits(0).json();
    assert!(lifecycle["text"].as_str().unwrap().contains("<svg"));
    scratch.enact(&["actor", "new", "wim", "--as", "ada", "--role", "worker"]).exits(0);
    assert_eq!(scratch.enact(&["work", "--once", "--as", "wim", "--json"]).exits(0).json()["executed"], 0);
    assert_eq!(scratch.enact(&["listen", "--once", "--json"]).exits(0).json()["started"], 0);
    assert_eq!(scratch.enact(&["outbox", "send", "--maildir", "mail", "--json"]).exits(0).json()["sent"], 0);
}

#[test]
fn text_of_strangers_in_a_ledger_is_shown_and_not_obeyed() {
    let (scratch, _) = told("settlement");
    let subject = "Settlement:S-\u{202e}9\u{2028}";
    let payload = json!({"payer": "lena", "payee": "omar", "asset": "EUR", "amount": "1"});
    let create = json!({"type": "SETTLEMENT_EVENT", "action": "SETTLEMENT.CREATE", "subject": subject, "payload": payload});
    let path = scratch.file("create.json", &create.to_string());
    for (by, code) in [("tess", 3), ("lena", 0)] {
        scratch.enact(&["propose", &path, "--as", by]).exits(code);
    }
    // A file that belongs to the workspace, and that somebody else may have written.
    let names = scratch.workspace().join("modules/names.json");
    let mut named: serde_json::Map<String, Value> = serde_json::from_slice(&std::fs::read(&names).unwrap()).unwrap();
    let digest = named.values().next().unwrap().clone();
    let module = "x\u{1b}[31m\u{9b}2J\n\u{202e}admitted";
    named.insert(module.to_owned(), digest);
    std::fs::write(&names, serde_json::to_vec(&named).unwrap()).unwrap();
    let cases: [&[&str]; 7] = [
        &["state", subject],
        &["state", "--prefix", "Settlement:"],
        &["history", subject],
        &["refusals", "-n", "1000"],
        &["module", "list"],
        &["module", "show", module],
        &["ledger", "list"],
    ];
    for args in cases {
        let color = scratch.command().env_remove("NO_COLOR").args(["--color", "always"]).args(args).output().unwrap();
        let shown = crate::support::ran(&color).exits(0).out;
        assert!(!shown.contains(['\u{202e}', '\u{2028}', '\u{9b}', '\r']) && !shown.contains("x\u{1b}[31m"), "{args:?}: {shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("\\u{202e}admitted")), "{args:?}: {shown:?}");
    }
    let listed = scratch.enact(&["state", "--prefix", "Settlement:", "--json"]).exits(0).json();
    assert!(listed.as_array().unwrap().iter().any(|row| row["subject"] == subject), "{listed:#}");
}
