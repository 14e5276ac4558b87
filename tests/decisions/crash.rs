//! kill -9 at each boundary between commits. A process is held still inside SQLite, at a row of a transaction that is named, and killed there.
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::iter::MapWhile;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineOptions};
use serde_json::{Value, json};

use super::{FUNDED, OPTIONS, balance, carried, decide, decided_by_max, say, shown, spend};
use crate::governance::whole;
use crate::support::Scratch;

/// What a process that decides is told: workspace, what to do, with which proposal, and a subject for its first record.
const DECIDES: &str = "ENACT_TEST_DECIDES";

/// Not a claim by itself: the process that is held still and killed. It opens the workspace, says so, waits for a word, and decides.
#[test]
fn decider_of_the_tests_below() {
    let Some(work) = std::env::var_os(DECIDES) else { return };
    let work: Value = serde_json::from_str(work.to_str().unwrap()).unwrap();
    let text = |member: &str| work[member].as_str().unwrap();
    let engine = Engine::open(Workspace::open(Path::new(text("workspace"))).unwrap(), &EngineOptions::default()).unwrap();
    // The writer is open from now on.
    let warm = json!({"type": "TREASURY", "action": "TREASURY.OPEN", "subject": work["warm"], "payload": {"purpose": "It."}});
    say(&engine, "tom", &warm);
    println!("\nREADY");
    let wait = || std::io::stdin().read_line(&mut String::new()).unwrap();
    wait();
    let subjects = [text("subject").to_owned()];
    if text("what") == "execute" {
        let done = engine.execute_decisions("max", &subjects, &OPTIONS, |_| {});
        println!("\nENDED {}", done.as_ref().map_or_else(enact_engine::EngineError::code, |()| "done"));
    } else {
        // Whoever asked has no answer yet.
        let answer = |_| {
            println!("\nCOMMITTED");
            wait();
        };
        engine.decide("max", &subjects, &OPTIONS, answer).unwrap();
    }
    wait();
}

/// Lines, until there are none.
type Said = MapWhile<Lines<BufReader<ChildStdout>>, fn(std::io::Result<String>) -> Option<String>>;

/// Such a process.
pub(super) struct Decider {
    pub(super) child: Child,
    pub(super) lines: Said,
}

impl Decider {
    /// Started, and ready.
    pub(super) fn start(scratch: &Scratch, what: &str, subject: &str, warm: &str) -> Self {
        let work = json!({"workspace": scratch.workspace(), "what": what, "subject": subject, "warm": warm});
        // A file that may not grow is an error to whoever writes, and not the end of the process.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "decisions::crash::decider_of_the_tests_below", "--nocapture", "--test-threads", "1"]);
        command.env(DECIDES, work.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let ok: fn(std::io::Result<String>) -> Option<String> = Result::ok;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(ok);
        let mut decider = Self { child, lines };
        assert!(decider.lines.any(|line| line == "READY"));
        decider
    }

    pub(super) fn go(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// kill -9.
    pub(super) fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

/// What is noted about the execution of a proposal.
pub(super) fn noted(scratch: &Scratch, proposal: &str) -> Vec<String> {
    let sql = scratch.sql();
    let mut statement = sql.prepare("SELECT status FROM executions WHERE proposal = ?1").unwrap();
    statement.query_map([proposal], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn size(scratch: &Scratch) -> i64 {
    scratch.sql().query_row("SELECT size FROM head", [], |row| row.get(0)).unwrap()
}

/// A search that takes longer than anybody waits.
const LONG: &str = "instr(hex(zeroblob(2000000)), hex(zeroblob(1000000)) || '1') = 0";

/// Must show 1, I-26, I-50, I-53.
#[test]
fn i_26_i_50_i_53_killed_at_each_boundary_between_commits_a_decision_is_carried_out_once() {
    // Where it is killed: the row at which it is held; the entries and the note that are in the file then.
    let boundaries: [(&str, &str, i64, &[&str]); 5] = [
        ("the decision is not committed", "entries(seq) WHERE CASE WHEN seq = {size}", 0, &[]),
        (
            "decided, the note is not committed",
            "executions(proposal) WHERE CASE WHEN status = 'Executing' AND proposal = '{subject}'",
            1,
            &[],
        ),
        ("noted, the execution is not committed", "entries(seq) WHERE CASE WHEN seq = {size} + 1", 1, &["Executing"]),
        (
            "the execution is written, its confirmation is not, neither is committed",
            "executions(proposal) WHERE CASE WHEN status = 'Confirmed' AND proposal = '{subject}'",
            1,
            &["Executing"],
        ),
        ("committed, and nobody was answered", "", 2, &["Confirmed"]),
    ];
    let (scratch, engine) = decided_by_max();
    let mut spent = 0;
    for (nth, (name, row, entries, expected)) in boundaries.into_iter().enumerate() {
        let (id, subject) = (format!("C-{nth}"), format!("Proposal:C-{nth}"));
        carried(&engine, &id, &[spend(20), spend(1)]);
        let mut decider = Decider::start(&scratch, "decide", &subject, &format!("Treasury:warm-{nth}"));
        let before = size(&scratch);
        if !row.is_empty() {
            let row = row.replace("{size}", &before.to_string()).replace("{subject}", &subject);
            scratch.sql().execute_batch(&format!("CREATE INDEX hold ON {row} THEN {LONG} ELSE 0 END")).unwrap();
        }
        decider.go();
        let there = || (size(&scratch) - before, noted(&scratch, &subject));
        let expected = (entries, expected.iter().map(ToString::to_string).collect::<Vec<_>>());
        if row.is_empty() {
            assert!(decider.lines.any(|line| line == "COMMITTED"), "{name}");
        } else {
            // It stands still when all before is committed and nobody else gets the lock.
            let sql = scratch.sql();
            sql.busy_timeout(Duration::from_millis(700)).unwrap();
            let begun = Instant::now();
            while there() != expected || sql.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
                assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {:?}", there());
            }
        }
        decider.end();
        assert_eq!(there(), expected, "{name}");
        if row.is_empty() {
            spent += 21;
        } else {
            scratch.sql().execute_batch("DROP INDEX hold").unwrap();
        }
        assert_eq!(balance(&scratch, "treasury:test"), FUNDED - spent, "{name}");
        // What was decided is carried out by whoever starts; what was not is decided again; and once more changes nothing.
        for args in [&["--pending"][..], &["--all"], &["--pending"], &["--all"]] {
            decide(&scratch, args, 0);
        }
        spent += if row.is_empty() { 0 } else { 21 };
        assert_eq!(balance(&scratch, "treasury:test"), FUNDED - spent, "{name}");
        assert_eq!(shown(&scratch, &id)["status"], "Confirmed", "{name}");
    }
    whole(&scratch);
}
