//! kill -9 at each boundary between commits. A process is held still inside SQLite, at a statement of a transaction that is named, and killed there.
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineOptions};
use serde_json::{Value, json};

use super::{FUNDED, OPTIONS, balance, carried, decide, decided_by_max, say, shown, spend};
use crate::governance::whole;
use crate::support::Scratch;

/// Workspace and name of a process that decides.
const DECIDES: &str = "ENACT_TEST_DECIDES";

/// Not a claim by itself: the process that is held still and killed. It opens the workspace, says so, waits for a word, and decides.
#[test]
fn decider_of_the_test_below() {
    let Some(work) = std::env::var_os(DECIDES) else { return };
    let work: Value = serde_json::from_str(work.to_str().unwrap()).unwrap();
    let path = Path::new(work["workspace"].as_str().unwrap());
    let engine = Engine::open(Workspace::open(path).unwrap(), &EngineOptions::default()).unwrap();
    // The writer is open from now on.
    let warm = json!({"type": "TREASURY", "action": "TREASURY.OPEN", "subject": work["warm"], "payload": {"purpose": "It."}});
    say(&engine, "tom", &warm);
    println!("\nREADY");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let subjects: Vec<String> = serde_json::from_value(work["subjects"].clone()).unwrap();
    let options = enact_engine::govern::DecideOptions { group: std::num::NonZeroUsize::MIN, ..OPTIONS };
    engine.decide("max", &subjects, &options, |outcome| println!("\nTOLD {}", outcome.subject)).unwrap();
    println!("\nDONE");
}

fn decider(scratch: &Scratch, subjects: &[String], warm: &str) -> Child {
    let work = json!({"workspace": scratch.workspace(), "subjects": subjects, "warm": warm});
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "decisions::crash::decider_of_the_test_below", "--nocapture", "--test-threads", "1"]);
    command.env(DECIDES, work.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// What is in the file: entries, and what is noted about executions.
fn committed(scratch: &Scratch) -> (i64, Vec<String>) {
    let sql = scratch.sql();
    let mut statement = sql.prepare("SELECT status FROM executions WHERE proposal LIKE 'Proposal:C-%' ORDER BY proposal").unwrap();
    let noted = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    (sql.query_row("SELECT size FROM head", [], |row| row.get(0)).unwrap(), noted)
}

/// Must show 1, I-26, I-50, I-53.
#[test]
fn i_26_i_50_i_53_killed_at_each_boundary_between_commits_a_decision_is_carried_out_once() {
    // Where it is killed, the entries that are in the file then, what is noted, and whether anything was told.
    let boundaries: [(&str, &str, i64, &[&str]); 5] = [
        ("the decision is not committed", "entries WHEN NEW.seq = {size}", 0, &[]),
        ("decided, and the note is not committed", "executions WHEN NEW.status = 'Executing'", 1, &[]),
        ("noted, and the execution is not committed", "entries WHEN NEW.seq = {size} + 1", 1, &["Executing"]),
        (
            "the execution is written, its confirmation is not, and neither is committed",
            "executions WHEN NEW.status = 'Confirmed'",
            1,
            &["Executing"],
        ),
        (
            "committed, and nothing is told: the next one is under way",
            "entries WHEN NEW.seq = {size} + 2 AND NEW.bytes NOT LIKE '%PROPOSAL.EXECUTE%'",
            2,
            &["Confirmed"],
        ),
    ];
    let (scratch, engine) = decided_by_max();
    let mut spent = 0;
    for (nth, (name, trigger, entries, noted)) in boundaries.into_iter().enumerate() {
        let subjects: Vec<String> = (0..2).map(|n| format!("Proposal:C-{nth}-{n}")).collect();
        for subject in &subjects {
            carried(&engine, subject.strip_prefix("Proposal:").unwrap(), &[spend(20), spend(1)]);
        }
        // In the last case the two follow each other; in the others the first alone says enough.
        let subjects = if entries == 2 { subjects } else { subjects[..1].to_vec() };
        let mut child = decider(&scratch, &subjects, &format!("Treasury:warm-{nth}"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "READY"), "{name}");
        scratch.sql().execute("DELETE FROM executions WHERE proposal LIKE 'Proposal:C-%'", []).unwrap();
        let (size, _) = committed(&scratch);
        // A join that takes longer than anybody waits: there the process stands still, holding the lock.
        let hold = "SELECT count(*) FROM entries a, entries b, entries c, entries d, entries e, entries f WHERE a.bytes < b.bytes || c.bytes || d.bytes || e.bytes || f.bytes";
        let trigger = trigger.replace("{size}", &size.to_string());
        let (table, when) = trigger.split_once(' ').unwrap();
        scratch.sql().execute_batch(&format!("CREATE TRIGGER hold BEFORE INSERT ON {table} {when} BEGIN {hold}; END")).unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let sql = scratch.sql();
        sql.busy_timeout(std::time::Duration::from_millis(700)).unwrap();
        let expected = (size + entries, noted.iter().map(ToString::to_string).collect::<Vec<_>>());
        // It stands still when all before is committed and nobody else gets the lock.
        let begun = std::time::Instant::now();
        while committed(&scratch) != expected || sql.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
            assert!(child.try_wait().unwrap().is_none(), "{name}: it went on to its end");
            assert!(begun.elapsed() < std::time::Duration::from_secs(120), "{name}: it stands still elsewhere, {:?}", committed(&scratch));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!lines.any(|line| line.starts_with("TOLD Proposal:C") && entries < 2), "{name}: told before it was committed");
        assert_eq!(committed(&scratch), expected, "{name}");
        scratch.sql().execute_batch("DROP TRIGGER hold").unwrap();
        spent += if entries == 2 { 21 } else { 0 };
        assert_eq!(balance(&scratch, "treasury:test"), FUNDED - spent, "{name}");
        // What was decided is carried out by whoever starts; what was not is decided again; and once more changes nothing.
        for args in [&["--pending"][..], &["--all"], &["--pending"], &["--all"]] {
            decide(&scratch, args, 0);
        }
        spent += if entries == 2 { 21 } else { 42 };
        assert_eq!(balance(&scratch, "treasury:test"), FUNDED - spent, "{name}");
        for n in 0..2 {
            assert_eq!(shown(&scratch, &format!("C-{nth}-{n}"))["status"], "Confirmed", "{name}");
        }
    }
    whole(&scratch);
}
