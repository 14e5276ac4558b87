//! Many proposals at once: the answers are those of one after the other, whatever was committed together.
use serde_json::{Value, json};

use crate::support::Scratch;

fn issue(n: usize, amount: &str) -> Value {
    json!({
        "type": "TRANSFER", "action": "TRANSFER.ISSUE", "subject": format!("Transfer:T-{n:04}"),
        "payload": {"to": "ada", "asset": "EUR", "amount": amount},
        "postings": [
            {"account": "mint", "amount": amount, "asset": "EUR", "side": "debit"},
            {"account": "holder:ada", "amount": amount, "asset": "EUR", "side": "credit"},
        ],
    })
}

fn role(action: &str) -> Value {
    json!({"type": "ACTOR", "action": action, "subject": "Actor:bo", "payload": {"role": "holder"}})
}

/// Independent lines, lines about one subject that build on each other, a batch, and lines that are refused for three reasons.
fn lines() -> Vec<Value> {
    let mut lines = Vec::new();
    for n in 0..120 {
        lines.push(match n % 10 {
            3 => role("ACTOR.GRANT"),
            4 => role("ACTOR.WITHDRAW"),
            // A subject that exists, an amount above the ceiling, and what was withdrawn already.
            5 => issue(n - 5, "1"),
            6 => issue(n, "100000001"),
            7 => role("ACTOR.WITHDRAW"),
            8 => json!([issue(n, "2"), issue(n + 1_000, "3")]),
            _ => issue(n, "1"),
        });
    }
    lines
}

fn founded() -> Scratch {
    let scratch = Scratch::init();
    scratch.enact(&["actor", "found", "ada", "--role", "registrar", "--role", "issuer"]).exits(0);
    scratch.enact(&["actor", "new", "bo", "--as", "ada"]).exits(0);
    scratch
}

/// Every row of the state, without what depends on keys and hashes.
fn balances(scratch: &Scratch) -> Value {
    let mut accounts = scratch.enact(&["accounts", "--json"]).exits(0).json();
    for account in accounts.as_array_mut().unwrap() {
        account.as_object_mut().unwrap().remove("seq");
    }
    accounts
}

#[test]
fn b_09_b_33_a_stream_answers_as_one_proposal_after_the_other_does() {
    let lines = lines();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let together = founded();
    let file = together.file("lines.ndjson", &text);
    let ran = together.enact(&["propose", &file, "--as", "ada", "--each"]).exits(3);
    let answers: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), lines.len());

    let apart = founded();
    for (index, (line, answer)) in lines.iter().zip(&answers).enumerate() {
        assert_eq!(answer["index"], index);
        let file = apart.file("line.json", &line.to_string());
        let alone = apart.enact(&["propose", &file, "--as", "ada", "--json"]);
        let (code, detail) = (alone.code, alone.json());
        if code == 0 {
            assert_eq!(answer["appended"]["entry"]["seq"], detail["entry"]["seq"], "line {index}: {answer}");
            assert_eq!(answer["appended"]["records"][0]["decided"], detail["records"][0]["decided"], "line {index}");
        } else {
            assert_eq!(code, 3, "{alone:?}");
            assert_eq!(answer["refused"]["code"], detail["error"]["code"], "line {index}: {answer}");
        }
    }
    let codes: std::collections::BTreeSet<_> = answers.iter().filter_map(|answer| answer["refused"]["code"].as_str()).collect();
    assert!(codes.len() >= 3, "{codes:?}");
    assert_eq!(balances(&together), balances(&apart));
    assert_eq!(together.enact(&["verify", "--rebuild", "--json"]).exits(0).json()["verdict"], "BALANCED");
    assert_eq!(apart.enact(&["verify", "--rebuild", "--json"]).exits(0).json()["verdict"], "BALANCED");
}

#[test]
fn a_file_with_a_bad_line_proposes_nothing_and_a_pipe_ends_there() {
    let scratch = founded();
    let text = format!("{}\n{}\nnot json\n{}\n", issue(0, "1"), issue(1, "1"), issue(2, "1"));
    let file = scratch.file("lines.ndjson", &text);
    let size = || scratch.enact(&["verify", "--json"]).exits(0).json()["entries"].as_u64().unwrap();
    let before = size();
    let ran = scratch.enact(&["propose", &file, "--as", "ada", "--each"]).exits(1);
    assert!(ran.err.contains("line 3") && ran.err.contains("json_invalid"), "{ran:?}");
    assert_eq!(size(), before);

    let mut command = scratch.command();
    let piped = std::fs::File::open(&file).unwrap();
    let ran = crate::support::ran(&command.args(["propose", "-", "--as", "ada", "--each"]).stdin(piped).output().unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.out.lines().count(), 2, "the lines before the bad one are answered: {ran:?}");
    assert_eq!(size(), before + 2);
}

#[test]
fn a_stream_of_an_actor_without_a_key_here_is_an_error_on_every_line() {
    let scratch = founded();
    let file = scratch.file("lines.ndjson", &format!("{}\n", issue(0, "1")));
    let ran = scratch.enact(&["propose", &file, "--as", "nobody", "--each"]);
    let alone = scratch.enact(&["propose", &scratch.file("line.json", &issue(0, "1").to_string()), "--as", "nobody"]);
    assert_ne!(ran.code, 0);
    assert_eq!((ran.code, ran.err), (alone.code, alone.err));
}
