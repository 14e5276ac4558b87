//! Vectors that write the world outside: peers that answer, folders in memory, and what is promised of them (issue 6).
use serde_json::{Value, json};

use super::guest::{self, Ask, Body};
use super::{run, workspace};
use crate::support::{Ran, Scratch};

const URL: &str = "https://api.example.org/v1/a";

fn http(method: &'static str, url: &str, body: &'static str) -> Ask {
    Ask::Http { method, url: url.to_owned(), headers: vec![], body: Body::Text(body) }
}

fn write(path: &'static str, content: &'static str, replace: bool) -> Ask {
    Ask::Write { path, content: Body::Text(content), replace }
}

/// What the module of these tests asks, and a vector that promises all of it.
fn set() -> (Vec<Ask>, Value) {
    let asks = vec![
        http("POST", URL, "first"),
        http("POST", URL, "second"),
        http("POST", URL, "third"),
        // Nothing is written that answers it, and then what no row allows.
        http("GET", URL, ""),
        http("POST", "https://evil.example.org/v1/a", "x"),
        Ask::Read("in/a.txt"),
        Ask::Read("in/none"),
        Ask::List("in"),
        write("out/sub/new", "made", false),
        write("out/old", "other", false),
        write("out/old", "other", true),
        write("in/a.txt", "x", true),
    ];
    let peer = json!({"scheme": "https", "host": "api.example.org", "port": 443, "methods": ["GET", "POST"], "path_prefix": "/v1"});
    let vector = json!({
        "name": "all of it", "capability": "CS_ASKER_V0", "operation": "DO", "inputs": {}, "store": "s", "grants": ["http", "files"],
        "http": [peer],
        "files": [{"name": "in", "path": "data/in", "mode": "read"}, {"name": "out", "path": "data/out", "mode": "write"}],
        "state": {
            "peers": [
                {"method": "POST", "url": URL, "body": "second", "fault": {"unavailable": "it is down"}},
                {"method": "POST", "url": URL, "response": {"status": 201, "headers": [["x-a", "1"]], "body": {"hex": "00ff"}}},
            ],
            "files": {"in/a.txt": "hello", "in/sub/b": "", "out/old": "old", "out/sub/x": "x"},
        },
        "status": "SUCCESS", "outputs": {"out": "ouuudouooood"},
        "asks": [format!("POST {URL}"), format!("POST {URL}"), format!("POST {URL}"), format!("GET {URL}"), "POST https://evil.example.org/v1/a", "READ in/a.txt",
                 "READ in/none", "LIST in", "WRITE out/sub/new", "WRITE out/old", "WRITE out/old", "WRITE in/a.txt"],
        "files_after": {"in/a.txt": "hello", "in/sub/b": "", "out/old": {"hex": "6f74686572"}, "out/sub/x": "x", "out/sub/new": "made"},
    });
    (asks, vector)
}

/// Tries a module against one vector.
fn tried(scratch: &Scratch, asks: &[Ask], vector: &Value) -> Ran {
    let path = scratch.path().join("asker.wasm");
    std::fs::write(&path, guest::asks(asks)).unwrap();
    let vectors = scratch.file("vectors.json", &json!({"vectors": [vector]}).to_string());
    scratch.enact(&["module", "test", &path.to_string_lossy(), "--vectors", &vectors, "--json"])
}

#[test]
fn b_32_a_vector_writes_peers_and_folders_and_promises_what_becomes_of_them() {
    let (asks, vector) = set();
    let scratch = Scratch::init();
    let report = tried(&scratch, &asks, &vector).exits(0).json();
    assert_eq!((&report["passed"], &report["tried"][0]["kept"]), (&true.into(), &true.into()), "{report}");
    assert!(!scratch.workspace().join("data").exists(), "a rehearsal has written something");
    // Each promise is one: what is said otherwise is found.
    let broken = |what: &str, at: &str, value: Value, said: &str| {
        let mut other = vector.clone();
        *other.pointer_mut(at).unwrap_or_else(|| panic!("{at}")) = value;
        let ran = tried(&scratch, &asks, &other).exits(3);
        let reason = ran.json()["reasons"][0].clone();
        assert_eq!(reason["code"], "conformance_failed", "{what}: {ran:?}");
        assert!(reason["detail"].as_str().unwrap().contains(said), "{what}: {reason}");
    };
    broken("a request more", "/asks", json!([format!("POST {URL}")]), "request 1: promised nothing, got `POST https://api");
    broken("another request", "/asks/3", json!(format!("PUT {URL}")), "request 3: promised `PUT https://api");
    let mut more = vector["asks"].as_array().unwrap().clone();
    more.push("READ in/b".into());
    broken("a request less", "/asks", json!(more), "request 12: promised `READ in/b`, got nothing");
    broken("another content", "/files_after/out~1old", json!("old"), r#"`out/old`: promised "old", got "other""#);
    broken("a file more", "/files_after", json!({}), r#"promised no file, got "hello""#);
    let mut more = vector["files_after"].clone();
    more["out/z"] = "z".into();
    broken("a file less", "/files_after", more, r#"`out/z`: promised "z", got no file"#);
    // The rows decide, as in a run: with fewer of them more is denied.
    broken("no peer", "/http", json!([]), r#"{"out":"dddddouooood"}"#);
    broken("another method", "/http/0/methods", json!(["GET"]), r#"{"out":"dddudouooood"}"#);
    broken("read only", "/files/1/mode", json!("read"), r#"{"out":"ouuudouodddd"}"#);
    broken("nobody answers", "/state/peers", json!([]), r#"{"out":"uuuudouooood"}"#);
    broken("an answer to another body", "/state/peers/0/body", json!("first"), r#"{"out":"uouudouooood"}"#);
}

#[test]
fn b_32_a_world_that_no_run_could_meet_is_no_vector() {
    let (asks, vector) = set();
    let scratch = Scratch::init();
    let response = |body: Value| json!([{"method": "GET", "url": URL, "response": {"status": 200, "body": body}}]);
    for (at, value, code) in [
        ("/http/0/scheme", json!("ftp"), "vectors_invalid"),
        ("/files/0/path", json!("../keys"), "vectors_invalid"),
        ("/files/0/name", json!("out"), "vectors_invalid"),
        ("/files/0/mode", json!("all"), "json_invalid"),
        ("/state/files", json!({"elsewhere/a": "x"}), "vectors_invalid"),
        ("/state/files", json!({"in/../a": "x"}), "vectors_invalid"),
        ("/state/files", json!({"in": "x"}), "vectors_invalid"),
        ("/state/files", json!({"in/a": "x", "in/a/b": "x"}), "vectors_invalid"),
        ("/state/files", json!({"in/a": "x".repeat((256 << 10) + 1)}), "vectors_invalid"),
        ("/state/files", json!({"in/a": {"hex": "0"}}), "vectors_invalid"),
        ("/state/files", json!({"in/a": {"hex": "AA"}}), "vectors_invalid"),
        ("/state/files", json!({"in/a": 1}), "json_invalid"),
        ("/state/peers", response(json!({"hex": "zz"})), "vectors_invalid"),
        ("/state/peers", response(json!("x".repeat((256 << 10) + 1))), "vectors_invalid"),
        ("/state/peers", json!([{"method": "GET", "url": URL}]), "vectors_invalid"),
        ("/state/peers", json!([{"method": "GET", "url": URL, "response": {"status": 200}, "fault": {"denied": ""}}]), "vectors_invalid"),
        ("/state/peers", json!([{"method": "GET", "url": URL, "response": {"status": 20}}]), "vectors_invalid"),
        ("/state/peers", json!([{"method": "GET", "url": URL, "response": {"status": 200, "headers": [["X-A", "1"]]}}]), "vectors_invalid"),
        ("/state/peers", json!([{"method": "GET", "url": URL, "fault": {"asleep": ""}}]), "json_invalid"),
        ("/files_after", json!({"in/a": {"hex": "0"}}), "vectors_invalid"),
    ] {
        let mut other = vector.clone();
        *other.pointer_mut(at).unwrap() = value.clone();
        let ran = tried(&scratch, &asks, &other).exits(1);
        assert_eq!(ran.json()["error"]["code"], code, "{at} {}: {ran:?}", &value.to_string()[..value.to_string().len().min(80)]);
    }
}

#[test]
fn b_32_a_rehearsal_answers_what_a_run_is_answered() {
    // In a folder of this machine and in memory, to the word; of peers what is refused before anything is sent.
    let asks = [
        http("POST", "https://evil.example.org/v1/a", "x"),
        http("PUT", URL, ""),
        http("GET", "https://api.example.org/v1/../a", ""),
        http("GET", URL, "a body"),
        Ask::Read("in/a"),
        Ask::Read("in/sub"),
        Ask::Read("in"),
        Ask::Read("in/none"),
        Ask::Read("in/../a"),
        Ask::Read("other/a"),
        Ask::List("in"),
        Ask::List("in/sub"),
        Ask::List("in/none"),
        Ask::List("in/a"),
        Ask::List("out/later"),
        write("in/a", "x", true),
        write("other/a", "x", true),
        write("out", "x", true),
        write("out/sub", "x", true),
        write("out/b/below", "x", true),
        write("out/none/a", "x", true),
        write("out/.enact-1", "x", true),
        write("out/a", "one", false),
        write("out/a", "two", false),
        write("out/a", "three", true),
        write("out/sub/c", "four", true),
        Ask::Write { path: "out/large", content: Body::Zeros((256 << 10) + 1), replace: false },
        Ask::Read("out/a"),
        Ask::List("out"),
    ];
    let asks: Vec<Ask> = asks.into_iter().chain(vec![write("out/many", "x", true); 64]).collect();
    let rows = json!({
        "http": [{"scheme": "https", "host": "api.example.org", "port": 443, "methods": ["GET"], "path_prefix": "/v1"}],
        "files": [{"name": "in", "path": "data/in", "mode": "read"}, {"name": "out", "path": "data/out", "mode": "write"}],
    });
    let mut row = rows.clone();
    row["grants"] = json!(["http", "files"]);
    let scratch = workspace(&asks, &json!(["http", "files"]), row);
    let mut world = rows;
    let files = json!({"in/a": "hello", "in/sub/x": "", "out/b": "b", "out/sub/x": "x"});
    for (path, content) in files.as_object().unwrap() {
        let path = scratch.workspace().join("data").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.as_str().unwrap()).unwrap();
    }
    world["state"] = json!({"files": files});
    let world = scratch.file("world.json", &world.to_string());
    let called = ["module", "call", "asker", "CS_ASKER_V0", "--operation", "DO", "--world", &world, "--engine", "both", "--json"];
    let called = scratch.enact(&called).exits(0).json();
    let (_, calls) = run(&scratch);
    for engine in called.as_array().unwrap() {
        for (nth, call) in calls.iter().enumerate() {
            assert_eq!(engine["calls"][nth], *call, "{:?}", asks[nth]);
        }
        assert_eq!(engine["calls"].as_array().unwrap().len(), calls.len());
        for (path, content) in engine["files"].as_object().unwrap() {
            let there = std::fs::read_to_string(scratch.workspace().join("data").join(path)).unwrap();
            assert_eq!(content.as_str().unwrap(), there, "{path}");
        }
        assert_eq!(engine["files"].as_object().unwrap().len(), 7);
    }
}
