//! Modules that chance wrote: each is refused with a documented code or called to an outcome, alike on both engines, and changes nothing.
//!
//! `ENACT_SEED` gives another sequence; with `ENACT_CASE` only that case of it is tried, here and in the open.
mod cases;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use enact_engine::admission::rehearsal::{Rehearsal, Scenery};
use enact_wasm::{AdmissionError, Backend, CallReport, EffectCall, Kind, Limits, Module, Options, OutcomeClass, Sandbox, inspect};

use crate::hostile::support::LIMITS;
use crate::support::{Scratch, project};
use cases::{Case, case};

/// Cases that are tried in processes of their own, and how many of them one process tries.
const CASES: u64 = 640;
const BATCH: u64 = 160;
/// Cases that go through the command.
const COMMANDS: u64 = 40;
/// Tells a process which cases are its.
const CHILD: &str = "ENACT_GENERATED_CHILD";
/// Memory that trying a batch may take: two engines with their pools, and one small module at a time.
const RESIDENT_BYTES_MAX: u64 = 1 << 30;
/// A process that says nothing for so long hangs: a call ends after ten seconds, however slow the machine is.
const SILENCE: Duration = Duration::from_secs(120);

fn seed() -> u64 {
    std::env::var("ENACT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_260_417)
}

fn only() -> Option<u64> {
    std::env::var("ENACT_CASE").ok().and_then(|text| text.parse().ok())
}

/// The codes that `protocol/errors.md` explains.
fn documented(code: &str) -> bool {
    static DOCUMENT: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| std::fs::read_to_string(project("protocol/errors.md")).unwrap());
    DOCUMENT.contains(&format!("`{code}`"))
}

/// Both engines, as they are for anyone.
struct Engines([Sandbox; 2]);

impl Engines {
    fn new() -> Self {
        Self([Backend::Native, Backend::Pulley].map(|backend| Sandbox::new(&Options { backend, ..Options::default() }).unwrap()))
    }

    /// The code that a case ends with, refused or called.
    fn tried(&self, case: &Case) -> String {
        let found = inspect(&case.bytes);
        assert!(found.refusals.iter().all(|refusal| refusal.at.is_none_or(|at| at <= case.bytes.len())), "{found:?}");
        if let Some(refusal) = found.refusals.first() {
            // What an inspection refuses, admission refuses in the same words and by the same rule.
            let refused = self.0[0].admit(&case.bytes, found.profile).unwrap_err();
            assert_eq!(refused.refusal(), Some(refusal));
            assert!(refusal.hint().is_some_and(|hint| !hint.is_empty()), "{refusal:?} without a hint");
            println!("{}: {} at {:?}", refusal.code, refusal.detail, refusal.at);
            return format!("refused {}", refusal.code);
        }
        let [native, pulley] = self.0.each_ref().map(|sandbox| sandbox.admit(&case.bytes, found.profile));
        match (native, pulley) {
            (Ok(native), Ok(pulley)) => called(&native, &pulley, &case.code),
            (Err(native), Err(pulley)) => {
                assert_eq!(native.code(), pulley.code());
                assert!(!matches!(native, AdmissionError::Infrastructure { .. }), "{native}");
                format!("refused {}", native.code())
            }
            (native, pulley) => panic!("one engine admits what the other does not: {:?}, {:?}", native.err(), pulley.err()),
        }
    }
}

/// Calls it twice compiled and once interpreted.
fn called(native: &Module, pulley: &Module, code: &str) -> String {
    let first = call(native, code);
    assert_eq!(call(native, code), first, "a second call differs");
    let class = first.outcome.class();
    assert_ne!(class, OutcomeClass::D, "this machine is no excuse: {first:?}");
    let other = call(pulley, code);
    // How deep a stack is, is each engine's own.
    if class != OutcomeClass::C && other.outcome.class() != OutcomeClass::C {
        assert_eq!(other, first, "the engines disagree");
    }
    format!("called {}", first.outcome.code())
}

fn call(module: &Module, code: &str) -> CallReport {
    let limits = Limits { fuel: 5_000_000, memory_bytes: 16 << 20, ..LIMITS };
    let inputs = r#"{"a":1,"key":"jane","value":{"n":7}}"#;
    match module.kind() {
        Kind::Transform => module.transform(&limits, code, inputs),
        Kind::SideEffect => Rehearsal::new("generated", &Scenery::default()).unwrap().with("store", |host, now_micros| {
            let grants = module.imports().to_vec();
            let call = EffectCall {
                capability: code,
                operation: "READ",
                inputs,
                store: "store",
                idempotency_key: "k/0",
                grants: &grants,
                now_micros,
            };
            module.side_effect(&limits, &call, host)
        }),
    }
}

/// What a process of its own does: says which case it is at before it begins, and how it ended.
fn serve(cases: impl Iterator<Item = u64>) {
    let engines = Engines::new();
    for nth in cases {
        println!("\nat {nth}");
        let case = case(seed(), nth);
        println!("\ncase {nth} {}", engines.tried(&case));
        let resident = resident_bytes();
        assert!(resident < RESIDENT_BYTES_MAX, "{}: {resident} bytes in use", case.what);
    }
    println!("\nall");
}

/// The most memory that this process had in use.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

/// Has a process try the cases from `from` on, and answers how each of them ended. Whatever ends that process is told with its case.
fn batch(from: u64) -> Vec<(u64, String)> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "modules_generated::p_06_p_21_whatever_chance_writes_is_refused_or_ends_and_alike_on_both_engines"]);
    command.args(["--nocapture", "--test-threads", "1"]).env(CHILD, from.to_string());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (send, lines) = std::sync::mpsc::channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(|line| drop(send.send(line))));
    let (mut at, mut ended, mut all, begun) = (None, Vec::new(), false, Instant::now());
    let why = loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                all |= line == "all";
                let mut words = line.splitn(3, ' ');
                match (words.next(), words.next().and_then(|nth| nth.parse::<u64>().ok()), words.next()) {
                    (Some("at"), Some(nth), None) => at = Some(nth),
                    (Some("case"), Some(nth), Some(how)) => ended.push((nth, how.to_owned())),
                    _ => {}
                }
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break "it ended",
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => break "it hangs",
        }
    };
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    reader.join().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(all && output.status.success(), "ENACT_SEED={} ENACT_CASE={}: {why}, {}: {error}", seed(), at.unwrap_or(from), output.status);
    println!("cases from {from} on: {:?}", begun.elapsed());
    ended
}

#[test]
fn p_06_p_21_whatever_chance_writes_is_refused_or_ends_and_alike_on_both_engines() {
    if let Some(from) = std::env::var(CHILD).ok().and_then(|text| text.parse::<u64>().ok()) {
        return serve(from..from + BATCH);
    }
    println!("ENACT_SEED={}", seed());
    if let Some(nth) = only() {
        return serve(std::iter::once(nth));
    }
    let ended: Vec<(u64, String)> = (0..CASES).step_by(usize::try_from(BATCH).unwrap()).flat_map(batch).collect();
    assert_eq!(ended.len(), usize::try_from(CASES).unwrap());
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (nth, how) in &ended {
        let code = how.split_once(' ').unwrap().1;
        assert!(code == "ok" || documented(code), "ENACT_SEED={} ENACT_CASE={nth}: {how}", seed());
        *counts.entry(how).or_default() += 1;
    }
    println!("{counts:#?}");
    // Chance that is only ever refused, or only ever traps, shows nothing.
    let of = |start: &str| counts.iter().filter(|(how, _)| how.starts_with(start)).map(|(_, n)| n).sum::<u32>();
    assert!(of("called ok") >= 60 && of("called ") - of("called ok") >= 100 && of("refused ") >= 100, "{counts:?}");
    assert!(counts.keys().filter(|how| how.starts_with("refused ")).count() >= 5, "{counts:?}");
}

#[test]
fn p_06_b_32_whatever_chance_writes_goes_through_the_command_and_changes_nothing_but_a_proposal() {
    let scratch = Scratch::init();
    scratch.stewards();
    let changed = || {
        let entries: i64 = scratch.sql().query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap();
        (entries, std::fs::read_dir(scratch.workspace().join("modules")).unwrap().count())
    };
    let (mut admitted, mut refused) = (0, 0);
    // Other cases than the ones above, and of each kind the same number.
    for nth in only().map_or(CASES..CASES + COMMANDS, |nth| nth..nth + 1) {
        let (case, before) = (case(seed(), nth), changed());
        let at = format!("ENACT_SEED={} ENACT_CASE={nth}: {}", seed(), case.what);
        let path = scratch.path().join("generated.wasm");
        std::fs::write(&path, &case.bytes).unwrap();
        let file = path.to_string_lossy();
        // A name each: versions of one name that wait for ratification are bounded.
        let name = format!("generated-{nth}");
        let added = scratch.enact(&["module", "add", &file, "--name", &name, "--as", "ada", "--json"]);
        if added.code == 0 {
            assert_eq!(changed().0, before.0 + 1, "{at}");
            admitted += 1;
        } else {
            assert_eq!(added.code, 3, "{at}: {added:?}");
            let error = &added.json()["error"];
            assert!(documented(error["code"].as_str().unwrap()), "{at}: {error}");
            assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{at}: {error}");
            assert_eq!(changed(), before, "{at}: {error}");
            refused += 1;
        }
        let before = changed();
        let called = scratch.enact(&["module", "call", &file, &case.code, r#"{"a":1}"#, "--fuel", "5000000", "--engine", "both", "--json"]);
        let code = match (added.code, called.code) {
            (0, 0) => None,
            (0, 3) => {
                let status = called.json()[0]["status"].as_str().unwrap().to_owned();
                Some(status.split_once(':').unwrap_or_else(|| panic!("{at}: {status}")).1.trim().to_owned())
            }
            (_, 3) => Some(called.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("{at}: {called:?}")).to_owned()),
            _ => panic!("{at}: {called:?}"),
        };
        assert!(code.as_ref().is_none_or(|code| documented(code)), "{at}: {code:?}");
        assert_eq!(changed(), before, "{at}");
    }
    assert!(only().is_some() || (admitted >= 10 && refused >= 10), "{admitted} admitted, {refused} refused");
    scratch.enact(&["verify", "--json"]).exits(0);
}
