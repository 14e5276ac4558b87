//! Modules pushed to and pulled from a registry: none, one that means no good, and, with the feature `outside`, a real one.
#[cfg(feature = "outside")]
mod served;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::json;

use crate::hostile::guests::says;
use crate::support::{Ran, Scratch};

/// A workspace that has admitted `shout`, with a vector.
fn publisher() -> Scratch {
    let scratch = Scratch::init();
    scratch.stewards();
    let folder = scratch.path().join("made");
    std::fs::create_dir(&folder).unwrap();
    let vectors =
        json!({"vectors": [{"name": "a", "capability": "CT_SHOUT_V0", "inputs": {}, "status": "SUCCESS", "outputs": {"id": "x"}}]});
    std::fs::write(folder.join("vectors.json"), vectors.to_string()).unwrap();
    std::fs::write(folder.join("shout.wasm"), says("SUCCESS", r#"{"id":"x"}"#)).unwrap();
    let file = folder.join("shout.wasm").to_string_lossy().into_owned();
    scratch.enact(&["module", "add", &file, "--as", "ada", "--ratify-as", "bo", "--json"]).exits(0);
    scratch
}

fn push(scratch: &Scratch, reference: &str) -> Ran {
    scratch.enact(&["module", "push", "shout", reference, "--sign-as", "ada", "--plain-http", "--json"])
}

fn pull(scratch: &Scratch, reference: &str, dir: &str) -> Ran {
    scratch.enact(&["module", "pull", reference, "--dir", dir, "--plain-http", "--json"])
}

fn code(ran: &Ran) -> String {
    let error = &ran.json()["error"];
    assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
    error["code"].as_str().unwrap().to_owned()
}

/// Refused with this code, and nothing was written.
#[track_caller]
fn refused(scratch: &Scratch, reference: &str, exit: i32, expected: &str) {
    let pulled = pull(scratch, reference, "refused").exits(exit);
    assert_eq!(code(&pulled), expected, "{pulled:?}");
    assert!(!scratch.path().join("refused").exists(), "something was written");
}

#[test]
fn b_32_where_no_registry_is_or_none_that_may_be_talked_to_there_is_a_code() {
    let here = publisher();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    refused(&here, &format!("{free}/shout:v1"), 1, "registry_unreachable");
    assert_eq!(code(&push(&here, &format!("{free}/shout:v1")).exits(1)), "registry_unreachable");
    refused(&here, "registry.example/shout:v1", 3, "registry_plain_http");
    refused(&here, "10.1.2.3:5000/shout:v1", 3, "registry_plain_http");
    refused(&here, "shout:v1", 1, "registry_reference");
}

/// A registry that answers each request with this; what ends in a brace never ends.
fn talkative(answer: impl Fn(&str, &str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let this = host.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut line).unwrap();
            let asked = line.clone();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {}
            let answer = answer(&asked, &this);
            let _ = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes());
            while answer.ends_with('{') && stream.write_all(&[b' '; 65_536]).is_ok() {}
        }
    });
    host
}

const ENDLESS: &str = "connection: close\r\n\r\n{";
const EMPTY: &str = "connection: close\r\ncontent-length: 0\r\n\r\n";

#[test]
fn b_32_a_registry_that_never_stops_talking_is_not_listened_to_for_ever() {
    let host = talkative(|asked, _| format!("200 OK\r\n{}", if asked.contains("/manifests/") { ENDLESS } else { EMPTY }));
    refused(&Scratch::init(), &format!("{host}/shout:v1"), 3, "registry_too_large");
}

#[test]
fn b_32_tokens_and_errors_of_a_registry_have_their_bound_too() {
    let challenge =
        |host: &str| format!("401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://{host}/token\",service=\"s\"\r\n{EMPTY}");
    let host = talkative(move |asked, host| if asked.contains("/token") { format!("200 OK\r\n{ENDLESS}") } else { challenge(host) });
    refused(&Scratch::init(), &format!("{host}/shout:v1"), 3, "registry_too_large");
    // The first thing of a push is an upload.
    let host = talkative(|asked, _| match asked.contains("/uploads/") {
        true => format!("500 Internal Server Error\r\n{ENDLESS}"),
        false => format!("200 OK\r\n{EMPTY}"),
    });
    assert_eq!(code(&push(&publisher(), &format!("{host}/shout:v1")).exits(3)), "registry_too_large");
}
