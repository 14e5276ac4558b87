//! Standard output that nobody reads, or that takes no more: what a command does and answers with its exit code stays the same.
use std::process::Stdio;

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
