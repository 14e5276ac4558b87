//! A full disk and a read-only file system, for real: a small file system of our own in a namespace of our own.
use std::path::Path;

use enact_store::{Intent, Outbound};
use serde_json::Value;

use crate::hostile::guests::says;
use crate::support::{Ran, Scratch, namespace, person, ran};

/// Mounts, fills, frees and protects a file system of 8 MiB, and keeps what `enact` said at each stage under `$OUT`.
const SCRIPT: &str = r#"
step() { name=$1; shift; set +e; "$ENACT" "$@" --json >"$OUT/$name.out" 2>"$OUT/$name.err"; echo $? >"$OUT/$name.code"; set -e; }
mkdir -p "$OUT/disk"
mount -t tmpfs -o size=8m none "$OUT/disk"
cd "$OUT/disk"
step before run WF_REGISTER_USER_UNVERIFIED_V0 --payload "$OUT/ann.json"
dd if=/dev/zero of=filler bs=1k 2>/dev/null || true
step full run WF_REGISTER_USER_UNVERIFIED_V0 --payload "$OUT/bob.json"
step full_init init other
rm filler
step after_full verify
step again run WF_REGISTER_USER_UNVERIFIED_V0 --payload "$OUT/bob.json"
mount -o remount,ro "$OUT/disk"
step read_only run WF_REGISTER_USER_UNVERIFIED_V0 --payload "$OUT/cid.json"
step read_only_init init third
step after_read_only verify
"#;

/// What only looks, on a workspace on a file system that takes nothing, copied when nobody had it open.
const LOOK: &str = r#"
mkdir -p "$OUT/disk"
mount -t tmpfs -o size=64m none "$OUT/disk"
cp -r "$OUT/.enact" "$OUT/disk/"
cd "$OUT/disk"
mount -o remount,ro "$OUT/disk"
while read -r name args; do
  set +e; "$ENACT" $args --json >"$OUT/$name.out" 2>"$OUT/$name.err"; echo $? >"$OUT/$name.code"; set -e
done <"$OUT/commands"
"#;

fn step(out: &Path, name: &str) -> Ran {
    let text = |kind: &str| std::fs::read_to_string(out.join(format!("{name}.{kind}"))).unwrap();
    Ran { code: text("code").trim().parse().unwrap(), out: text("out"), err: text("err") }
}

fn error(ran: &Ran) -> Value {
    let error = ran.json()["error"].clone();
    assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{ran:#?}");
    error
}

#[test]
fn a_full_disk_and_a_read_only_one_are_named_and_lose_nothing() {
    let Some(mut script) = namespace(SCRIPT) else { return };
    let scratch = Scratch::new();
    for name in ["ann", "bob", "cid"] {
        scratch.file(&format!("{name}.json"), &person(name).to_string());
    }
    script.env("ENACT", env!("CARGO_BIN_EXE_enact")).env("OUT", scratch.path()).env_remove("ENACT_WORKSPACE").env("NO_COLOR", "1");
    ran(&script.output().unwrap()).exits(0);
    let step = |name: &str| step(scratch.path(), name);

    step("before").exits(0);
    let full = step("full").exits(1);
    assert_eq!(error(&full)["code"], "store_full", "{full:#?}");
    let full = step("full_init").exits(1);
    assert_eq!(error(&full)["code"], "disk_full", "{full:#?}");
    let verified = step("after_full").exits(0).json();
    assert_eq!((&verified["entries"], &verified["verdict"]), (&1.into(), &"SIGNED".into()));
    assert_eq!(step("again").exits(0).json()["entry"]["seq"], 1);
    assert_eq!(error(&step("read_only").exits(1))["code"], "store_read_only");
    assert_eq!(error(&step("read_only_init").exits(1))["code"], "read_only");
    assert_eq!(step("after_read_only").exits(0).json()["entries"], 2);
}

/// B-30: an auditor has a copy on a medium that takes nothing.
#[test]
fn b_30_what_only_looks_works_where_nothing_can_be_written() {
    let Some(mut script) = namespace(LOOK) else { return };
    let scratch = Scratch::init();
    scratch.stewards();
    let run = scratch.register("ann")["run_id"].as_str().unwrap().to_owned();
    scratch.admit("mine", &says("SUCCESS", "{}"), ["ada", "bo"]);
    let mut outbound = Outbound::open(&scratch.workspace().join("ledger/outbound.db")).unwrap();
    outbound.begin(&Intent { key: "k", run: "r", at: "2026-01-02T03:04:05Z", target: "POST x", request: "h", harmless: false }).unwrap();
    drop(outbound);
    let mine = scratch.path().join("mine.wasm").to_string_lossy().into_owned();
    scratch.enact(&["module", "sign", &mine, "--as", "ada"]).exits(0);
    let out = scratch.path().display();
    let commands = [
        "verify --rebuild".to_owned(),
        "audit --all --state".to_owned(),
        "runs".to_owned(),
        format!("show {run}"),
        "ledger list".to_owned(),
        "state --prefix Module:".to_owned(),
        "receipts 0 --chain".to_owned(),
        "queue list".to_owned(),
        "outbox list".to_owned(),
        "protocol show".to_owned(),
        "protocol diff".to_owned(),
        "protocol diff .enact/protocol.lock".to_owned(),
        "module list".to_owned(),
        "module show mine".to_owned(),
        "module diff mine transforms".to_owned(),
        "module call mine CT_ANY_V0 {}".to_owned(),
        "module stats".to_owned(),
        "module intents".to_owned(),
        format!("module export mine -o {out}/mine.tar --sign-as ada"),
        format!("module sign {out}/mine.wasm --as ada -o {out}/again.json"),
        format!("module verify {out}/mine.wasm --by ada"),
    ];
    let listed: Vec<String> = commands.iter().enumerate().map(|(nth, command)| format!("c{nth} {command}\n")).collect();
    scratch.file("commands", &listed.concat());
    script.env("ENACT", env!("CARGO_BIN_EXE_enact")).env("OUT", scratch.path()).env_remove("ENACT_WORKSPACE").env("NO_COLOR", "1");
    ran(&script.output().unwrap()).exits(0);
    let failed: Vec<String> = commands
        .iter()
        .enumerate()
        .map(|(nth, command)| (command, step(scratch.path(), &format!("c{nth}"))))
        .filter(|(_, ran)| ran.code != 0)
        .map(|(command, ran)| format!("{command}: {ran:#?}"))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let intents = commands.iter().position(|command| command == "module intents").unwrap();
    assert_eq!(step(scratch.path(), &format!("c{intents}")).json()[0]["key"], "k");
}
