//! Side effects that touch the world: what their binding's rows name they reach, everything else is refused, all of it is recorded,
//! and nothing is sent twice (issue 6).
pub(crate) mod guest;
pub(crate) mod peer;
mod vectors;
mod write;

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineOptions, RunRequest};
use serde_json::{Value, json};

use crate::support::{Scratch, namespace, ran};
use guest::{Ask, Body};
use peer::{Peer, say};

const SECRET: &str = "t0p-s3cr3t-t0ken";

/// A workspace with one side effect that asks `asks`, and a binding row with `row`'s members.
fn workspace(asks: &[Ask], imports: &Value, row: Value) -> Scratch {
    workspace_around(&guest::asks(asks), imports, row)
}

/// The same around any side effect.
pub(crate) fn workspace_around(module: &[u8], imports: &Value, row: Value) -> Scratch {
    let scratch = Scratch::init();
    scratch.stewards();
    scratch.admit("asker", module, ["ada", "bo"]);
    let secrets = scratch.workspace().join("keys/secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    std::fs::write(secrets.join("TOKEN"), format!("{SECRET}\n")).unwrap();
    std::fs::set_permissions(secrets.join("TOKEN"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let [intent, _, mut contract, workflow, mut binding] = crate::hostile::artifacts(0, &json!({}));
    contract["pipeline"][0]["capability"] = "CS_ASKER_V0".into();
    contract["pipeline"][0]["surface"] = json!(["SUCCESS"]);
    contract["pipeline"][0]["on_result"] = json!({"SUCCESS": "exit"});
    let mut bound = json!({"host": "component", "module": "asker", "stores": {"*": "asker/keys"}});
    bound.as_object_mut().unwrap().extend(row.as_object().unwrap().clone());
    binding["bindings"] = json!({"CS_ASKER_V0": bound});
    let effect = json!({"code": "CS_ASKER_V0", "summary": "Asks for what it was built to ask", "imports": imports,
        "operations": {"DO": {"inputs": {"data": {"type": "any"}}, "outputs": {"out": {"type": "any"}}, "statuses": ["SUCCESS"]}}});
    let opened = Workspace::open(&scratch.workspace()).unwrap();
    for artifact in [intent, effect, contract, workflow, binding] {
        opened.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
    }
    opened.seal().unwrap();
    scratch
}

/// Runs it once; the letters that it answered and its recorded calls.
fn run(scratch: &Scratch) -> (String, Vec<Value>) {
    let payload = scratch.file("payload.json", r#"{"data": 1}"#);
    let report = scratch.enact(&["run", "WF_HOSTILE_0_V0", "--payload", &payload, "--json"]).exits(0).json();
    assert_eq!(report["exit"]["class"], "SUCCESS", "{report}");
    let shown = scratch.enact(&["show", report["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
    let calls = shown["steps"][0]["calls"].as_array().unwrap().clone();
    (letters(&report["payload"]), calls)
}

pub(crate) fn letters(payload: &Value) -> String {
    let text = payload.to_string();
    let found = text.split(r#""out":""#).nth(1).and_then(|rest| rest.split('"').next());
    found.unwrap_or_else(|| panic!("no letters in {text}")).to_owned()
}

fn get(url: String) -> Ask {
    Ask::Http { method: "GET", url, headers: vec![], body: Body::Text("") }
}

fn row(port: u16, prefix: &str) -> Value {
    json!({"scheme": "http", "host": "127.0.0.1", "port": port, "methods": ["GET", "POST"], "path_prefix": prefix, "private": true})
}

/// Asserts one letter for each request, naming the request that got another.
fn each(expected: &[(Ask, char)], got: &str, calls: &[Value]) {
    assert_eq!(calls.len(), expected.len(), "not everything is in the transcript");
    for (nth, (ask, letter)) in expected.iter().enumerate() {
        assert_eq!(got.chars().nth(nth), Some(*letter), "{ask:?}: {}", calls[nth]["answer"]);
        let kind = match letter {
            'd' => "denied",
            'l' => "limit",
            'u' => "unavailable",
            'i' => "invalid",
            _ => continue,
        };
        assert!(calls[nth]["answer"]["value"][kind].is_string(), "{ask:?}: {}", calls[nth]["answer"]);
    }
}

/// Whether any file below a folder holds a text.
fn anywhere(folder: &std::path::Path, text: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| match entry.path() {
        path if path.is_dir() => anywhere(&path, text),
        path => std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text),
    })
}

/// The peers of the story below: what is allowed, and what must never be reached.
fn answering(elsewhere: u16) -> Peer {
    Peer::new(move |request, stream| match request.split(' ').nth(1).unwrap_or_default() {
        "/v1/redirect" => say(stream, "302 Found", &format!("location: http://127.0.0.1:{elsewhere}/v1/\r\n"), b""),
        "/v1/large" => say(stream, "200 OK", "", &vec![b'x'; (256 << 10) + 1]),
        "/v1/headers" => say(stream, "200 OK", &"x-filler: 0123456789\r\n".repeat(100), b""),
        "/v1/silent" => thread::sleep(Duration::from_secs(5)),
        "/v1/drip" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        }
        "/v1/echo" => say(stream, "200 OK", "", request.as_bytes()),
        "/v1/echo-header" => say(stream, "200 OK", &format!("x-echo: {SECRET}\r\n"), b""),
        _ => say(stream, "201 Created", "x-answer: yes\r\n", b"made"),
    })
}

#[test]
fn b_32_http_reaches_what_a_row_names_and_every_way_around_it_is_refused_recorded_and_replayed() {
    let elsewhere = Peer::new(|_, stream| say(stream, "200 OK", "", b"inside"));
    let peer = answering(elsewhere.port);
    let url = |path: &str| peer.url(path);
    let with = |name, value| Ask::Http { method: "POST", url: url("/v1/a"), headers: vec![(name, value)], body: Body::Text("b") };
    let asks = [
        (Ask::Http { method: "POST", url: url("/v1/a"), headers: vec![("content-type", "text/plain")], body: Body::Text("hello") }, 'o'),
        // Not what the row names.
        (Ask::Http { method: "PUT", url: url("/v1/a"), headers: vec![], body: Body::Text("") }, 'd'),
        (get(url("/v2/a")), 'd'),
        (get(elsewhere.url("/v1/a")), 'd'),
        (get(format!("https://127.0.0.1:{}/v1/a", peer.port)), 'd'),
        // Another spelling of it.
        (get(url("/v1/../v2/a")), 'i'),
        (get(url("/v1/%2e%2e/v2/a")), 'i'),
        (get(url("/v1/..%2fv2")), 'i'),
        (get(url("/v1//a")), 'i'),
        (get(format!("http://127.1:{}/v1/a", peer.port)), 'i'),
        (get(format!("http://127.0.0.1@127.0.0.1:{}/v1/a", peer.port)), 'i'),
        // A name that stands for an address of this machine, in a row for public ones.
        (get(format!("http://localhost:{}/v1/a", peer.port)), 'd'),
        // Headers that would add others, or speak for the host.
        (with("x-a", "1\r\nx-b: 2"), 'i'),
        (with("x-a\r\nx-b", "1"), 'i'),
        (with("host", "elsewhere"), 'd'),
        (with("Content-Length", "0"), 'd'),
        (with("authorization", "Bearer mine"), 'd'),
        (Ask::Http { method: "POST", url: url("/v1/a"), headers: vec![], body: Body::Zeros((256 << 10) + 1) }, 'l'),
        (Ask::Http { method: "GET", url: url("/v1/a"), headers: vec![("x-a", "1"); 65], body: Body::Text("") }, 'l'),
        // What the peer does.
        (get(url("/v1/redirect")), 'o'),
        (get(url("/v1/large")), 'l'),
        (get(url("/v1/headers")), 'l'),
        (get(url("/v1/silent")), 'u'),
        (get(url("/v1/drip")), 'u'),
        (get(url("/v1/echo")), 'd'),
        (get(url("/v1/echo-header")), 'd'),
    ];
    let mut private = row(peer.port, "/v1");
    private["headers"] = json!({"authorization": "Bearer {{secret:TOKEN}}"});
    private["timeout_ms"] = json!(2_000);
    let mut public = row(peer.port, "/v1");
    (public["host"], public["private"]) = (json!("localhost"), json!(false));
    let guests: Vec<Ask> = asks.iter().map(|(ask, _)| ask.clone()).collect();
    let scratch = workspace(&guests, &json!(["http"]), json!({"grants": ["http"], "http": [private, public]}));
    let (letters, calls) = run(&scratch);
    each(&asks, &letters, &calls);
    let response = &calls[0]["answer"]["value"];
    assert_eq!((&response["status"], &response["body"]), (&201.into(), &"6d616465".into()), "{response}");
    assert_eq!(calls[19]["answer"]["value"]["status"], 302, "{}", calls[19]);
    assert_eq!(elsewhere.heard(), Vec::<String>::new(), "a peer that no row names was reached");
    let heard = peer.heard();
    assert_eq!(heard.len(), 8, "{heard:#?}");
    let first = heard[0].to_ascii_lowercase();
    for part in
        ["post /v1/a http/1.1", &format!("authorization: bearer {SECRET}"), "content-type: text/plain", "idempotency-key: run-", "hello"]
    {
        assert!(first.contains(part), "{part} is not in {first}");
    }
    let mut keys: Vec<&str> = heard.iter().map(|text| text.split("idempotency-key: ").nth(1).unwrap().lines().next().unwrap()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 8, "one key for each request: {keys:?}");
    assert!(!anywhere(&scratch.workspace().join("ledger"), SECRET.as_bytes()), "the secret was written down");
    let audit = scratch.enact(&["audit", "--all", "--state", "--engine", "both", "--json"]).exits(0).json();
    assert_eq!(audit["replayed"], 1, "{audit}");
    assert_eq!(peer.heard().len(), 8, "an audit has sent something");
    assert_eq!(scratch.enact(&["module", "intents", "--json"]).exits(0).json(), json!([]));
}

#[test]
fn b_32_an_interface_that_is_not_granted_is_denied_whatever_the_module_imports() {
    let peer = Peer::new(|_, stream| say(stream, "200 OK", "", b""));
    let asks = [(get(peer.url("/v1/a")), 'd'), (Ask::Read("inbox/a"), 'd'), (Ask::Count, 'o')];
    let guests: Vec<Ask> = asks.iter().map(|(ask, _)| ask.clone()).collect();
    let scratch = workspace(&guests, &json!(["registry"]), json!({"grants": ["registry"]}));
    let (letters, calls) = run(&scratch);
    each(&asks, &letters, &calls);
    let named: Vec<&Value> = calls[..2].iter().map(|call| &call["answer"]["value"]["denied"]).collect();
    assert_eq!(json!(named), json!(["http", "files"]), "denied by the grant, before any row is looked at");
    assert_eq!(peer.heard().len(), 0);
    assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["replayed"], 1);
    // Rows for an interface that is not granted are not sealed.
    let opened = Workspace::open(&scratch.workspace()).unwrap();
    let path = scratch.workspace().join("protocol/RB_HOSTILE_0_V0.json");
    let mut binding: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    binding["bindings"]["CS_ASKER_V0"]["http"] = json!([row(peer.port, "/")]);
    opened.write_artifact("RB_HOSTILE_0_V0", binding.to_string().as_bytes()).unwrap();
    let error = scratch.enact(&["protocol", "seal", "--json"]);
    assert!(error.code != 0 && error.out.contains("grant_not_needed"), "{error:?}");
}

#[test]
fn p_21_the_time_of_a_call_is_the_bindings_and_bounds_its_requests() {
    let peer = Peer::new(|_, _| thread::sleep(Duration::from_secs(60)));
    let mut slow = row(peer.port, "/");
    slow["timeout_ms"] = json!(60_000);
    let granted = json!({"grants": ["http"], "http": [slow], "limits": {"wall_ms": 1_000}});
    let scratch = workspace(&[get(peer.url("/"))], &json!(["http"]), granted);
    let (letters, calls) = run(&scratch);
    assert_eq!(letters, "u");
    let said = calls[0]["answer"]["value"]["unavailable"].as_str().unwrap();
    let given: u64 = said.split(' ').find_map(|word| word.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    assert!(given <= 500, "the guest is left no time for the answer: {said}");
}

#[test]
fn b_32_files_of_a_granted_folder_are_read_and_nothing_leads_out_of_it() {
    let asks = [
        (Ask::Read("inbox/a.txt"), 'o'),
        (Ask::List("inbox"), 'o'),
        (Ask::Read("inbox/../outside"), 'i'),
        (Ask::Read("inbox/a.txt/"), 'i'),
        (Ask::Read("/inbox/a.txt"), 'i'),
        (Ask::Read("inbox/symbolic"), 'd'),
        (Ask::Read("inbox/up/outside"), 'd'),
        (Ask::Read("inbox/hard"), 'd'),
        (Ask::Read("keys/ledger.key"), 'd'),
        (Ask::Read("inbox/none"), 'u'),
        (Ask::Read("inbox/large"), 'l'),
        (Ask::List("inbox/up"), 'd'),
        (Ask::Read("mine/ledger.key"), 'd'),
    ];
    let guests: Vec<Ask> = asks.iter().map(|(ask, _)| ask.clone()).collect();
    let rows = json!([{"name": "inbox", "path": "data/inbox", "mode": "read"}, {"name": "mine", "path": "mine", "mode": "read"}]);
    let scratch = workspace(&guests, &json!(["files"]), json!({"grants": ["files"], "files": rows}));
    let (root, inbox) = (scratch.workspace(), scratch.workspace().join("data/inbox"));
    std::fs::create_dir_all(&inbox).unwrap();
    std::fs::write(inbox.join("a.txt"), "hello").unwrap();
    std::fs::write(inbox.join("large"), vec![0; (256 << 10) + 1]).unwrap();
    std::fs::write(root.join("data/outside"), "outside").unwrap();
    symlink(root.join("keys/ledger.key"), inbox.join("symbolic")).unwrap();
    symlink("..", inbox.join("up")).unwrap();
    std::fs::hard_link(root.join("keys/ledger.key"), inbox.join("hard")).unwrap();
    // A row that names it is not sealed; this one leads to it.
    symlink("keys", root.join("mine")).unwrap();
    let (letters, calls) = run(&scratch);
    each(&asks, &letters, &calls);
    assert_eq!(calls[0]["answer"]["value"], "68656c6c6f");
    assert_eq!(calls[1]["answer"]["value"], json!(["a.txt", "hard", "large", "symbolic", "up"]));
    // An audit reads the record, not the folder.
    std::fs::remove_dir_all(root.join("data")).unwrap();
    let audit = scratch.enact(&["audit", "--all", "--state", "--engine", "both", "--json"]).exits(0).json();
    assert_eq!(audit["replayed"], 1, "{audit}");
}

#[test]
fn b_32_what_was_sent_is_not_sent_again_when_another_run_got_in_the_way() {
    // Both requests are answered only once both are there, so both runs have read the store before either commits.
    let both = Arc::new(Barrier::new(2));
    let peer = Peer::new(move |_, stream| {
        both.wait();
        say(stream, "200 OK", "", b"taken");
    });
    let asks = [Ask::Count, Ask::Http { method: "POST", url: peer.url("/"), headers: vec![], body: Body::Text("x") }, Ask::Register("k")];
    let mut granted = row(peer.port, "/");
    granted["timeout_ms"] = json!(60_000);
    let scratch = workspace(&asks, &json!(["http", "registry"]), json!({"grants": ["http", "registry"], "http": [granted]}));
    let engine = Engine::open(Workspace::open(&scratch.workspace()).unwrap(), &EngineOptions::default()).unwrap();
    let request = RunRequest { workflow: "WF_HOSTILE_0_V0".to_owned(), payload: json!({"data": 1}), ..RunRequest::default() };
    let mut attempts: Vec<u32> = thread::scope(|scope| {
        let runs = [(); 2].map(|()| scope.spawn(|| engine.run(&request).unwrap()));
        runs.into_iter()
            .map(|run| run.join().unwrap())
            .map(|report| (letters(&report.payload.into()), report.attempts))
            .map(|(letters, attempts)| {
                assert_eq!(letters, "ooo");
                attempts
            })
            .collect()
    });
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2], "the runs did not meet");
    let heard = peer.heard();
    let keys: std::collections::BTreeSet<&str> =
        heard.iter().map(|text| text.split("idempotency-key: ").nth(1).unwrap().lines().next().unwrap()).collect();
    assert_eq!((heard.len(), keys.len()), (2, 2), "{heard:?}");
    assert_eq!(scratch.enact(&["audit", "--all", "--state", "--json"]).exits(0).json()["replayed"], 2);
    assert_eq!(scratch.enact(&["module", "intents", "--json"]).exits(0).json(), json!([]));
}

#[test]
fn b_32_what_a_crash_left_unknown_is_listed_until_a_person_has_looked_into_it() {
    let (arrived, arrival) = mpsc::channel();
    let peer = Peer::new(move |_, _| {
        let _ = arrived.send(());
        thread::sleep(Duration::from_secs(30));
    });
    let mut granted = row(peer.port, "/");
    granted["timeout_ms"] = json!(60_000);
    let scratch = workspace(&[get(peer.url("/a?q=1"))], &json!(["http"]), json!({"grants": ["http"], "http": [granted]}));
    let payload = scratch.file("payload.json", r#"{"data": 1}"#);
    let mut child = scratch.command().args(["run", "WF_HOSTILE_0_V0", "--payload", &payload, "--json"]).spawn().unwrap();
    arrival.recv().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let open = scratch.enact(&["module", "intents", "--json"]).exits(0).json();
    assert_eq!(open.as_array().unwrap().len(), 1, "{open}");
    assert_eq!((&open[0]["state"], &open[0]["committed"]), (&"SENDING".into(), &false.into()), "{open}");
    assert_eq!(open[0]["target"], format!("GET http://127.0.0.1:{}/a", peer.port));
    // A person looks into it, and says so once.
    let intents = |more: &[&str]| scratch.enact(&[&["module", "intents"], more, &["--json"]].concat());
    let key = open[0]["key"].as_str().unwrap();
    for (wrong, code) in [(vec!["--dismiss", key], 2), (vec!["--reason", "why"], 2), (vec!["--dismiss", key, "--reason", " "], 2)] {
        intents(&wrong).exits(code);
    }
    let unknown = intents(&["--dismiss", key, "run-0/0/0", "--reason", "the peer has no such request"]).exits(1);
    assert_eq!(unknown.json()["error"]["code"], "no_intent", "{unknown:?}");
    assert_eq!(intents(&[]).exits(0).json(), open, "one unknown key, and none is dismissed");
    for both in [vec!["--release", key], vec!["--release", key, "--dismiss", key, "--reason", "both"]] {
        intents(&both).exits(2);
    }
    let dismissed = intents(&["--dismiss", key, "--reason", "the peer has no such request"]).exits(0).json();
    assert_eq!(dismissed[0]["dismissed"]["reason"], "the peer has no such request", "{dismissed}");
    assert!(dismissed[0]["dismissed"]["at"].as_str().is_some_and(|at| at.starts_with("20")), "{dismissed}");
    assert_eq!((intents(&[]).exits(0).json(), intents(&["--all"]).exits(0).json()), (json!([]), dismissed));
    assert_eq!(intents(&["--dismiss", key, "--reason", "again"]).exits(1).json()["error"]["code"], "no_intent");
}

#[test]
fn b_30_intents_stand_as_they_do_where_that_cannot_be_written_down() {
    let script = r#"mount --bind .enact .enact; mount -o remount,bind,ro .enact; exec "$ENACT" module intents --json"#;
    let Some(mut script) = namespace(script) else { return };
    let peer = Peer::new(|_, stream| say(stream, "200 OK", "", b"x"));
    let scratch = workspace(&[get(peer.url("/a"))], &json!(["http"]), json!({"grants": ["http"], "http": [row(peer.port, "/")]}));
    run(&scratch);
    // As a process that was killed after its commit leaves them: what the run used, and what it did not.
    let outbound = rusqlite::Connection::open(scratch.workspace().join("ledger/outbound.db")).unwrap();
    let left = "UPDATE outbound SET state = 'ANSWERED'; INSERT INTO outbound SELECT key || 'x', run, at, target, request, state, answer FROM outbound";
    outbound.execute_batch(left).unwrap();
    outbound.close().unwrap();
    script.current_dir(scratch.path()).env("ENACT", env!("CARGO_BIN_EXE_enact")).env_remove("ENACT_WORKSPACE");
    let open = ran(&script.output().unwrap()).exits(0).json();
    assert_eq!((&open[0]["state"], &open[0]["committed"], &open[1]), (&"UNUSED".into(), &true.into(), &Value::Null), "{open}");
    assert_eq!(scratch.enact(&["module", "intents", "--json"]).exits(0).json(), open);
}
