//! Modules pushed to and pulled from a registry: none, one that means no good, and, with the feature `outside`, a real one.
#[cfg(feature = "outside")]
mod served;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::json;

use crate::hostile::guests::says;
use crate::support::{Ran, Scratch, ran};

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

/// A manifest with one layer of this name.
fn manifest(layer: &str) -> String {
    let part = |kind: &str, digest: &str| json!({"mediaType": kind, "digest": digest, "size": 4});
    let digest = format!("sha256:{}", "0".repeat(64));
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [part("application/wasm", layer)],
        "config": part("application/vnd.wasm.config.v0+json", &digest)});
    format!("200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{manifest}", manifest.to_string().len())
}

/// A registry with one artifact, whose blob is answered with this.
fn with_blob(answer: &str) -> String {
    let answer = answer.to_owned();
    talkative(move |asked, _| match asked {
        asked if asked.contains("/manifests/") => manifest(&format!("sha256:{}", "a".repeat(64))),
        asked if asked.contains("/blobs/") => format!("{answer}\r\n{EMPTY}"),
        _ => format!("200 OK\r\n{EMPTY}"),
    })
}

/// Somebody who is not to be talked to, and whether it was.
fn bystander() -> (String, impl Fn() -> bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    (listener.local_addr().unwrap().to_string(), move || listener.accept().is_ok())
}

/// Runs with the credentials of `ada`.
fn as_ada(scratch: &Scratch, environment: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = scratch.command();
    let user = [("ENACT_REGISTRY_USER", "ada"), ("ENACT_REGISTRY_PASSWORD", "open sesame")];
    ran(&command.envs(user).envs(environment.iter().copied()).args(args).arg("--plain-http").arg("--json").output().unwrap())
}

#[test]
fn b_32_a_registry_sends_nobody_on_to_where_there_is_no_tls() {
    let (here, (other, heard)) = (publisher(), bystander());
    let basic = format!("401 Unauthorized\r\nwww-authenticate: Basic realm=\"x\"\r\n{EMPTY}");
    // An upload.
    let location = format!("202 Accepted\r\nlocation: http://{other}/up\r\n{EMPTY}");
    let host = talkative(move |asked, _| if asked.contains("/uploads/") { location.clone() } else { basic.clone() });
    let pushed = as_ada(&here, &[], &["module", "push", "shout", &format!("{host}/shout:v1")]).exits(3);
    assert_eq!(code(&pushed), "registry_elsewhere");
    assert!(!heard(), "it was sent there");
    // A blob.
    let host = with_blob(&format!("307 Temporary Redirect\r\nlocation: http://{other}/blob"));
    refused(&here, &format!("{host}/shout:v1"), 3, "registry_elsewhere");
    assert!(!heard(), "it was asked there");
    // On the registry itself it may be anywhere; here it is nowhere.
    refused(&here, &format!("{}/shout:v1", with_blob("307 Temporary Redirect\r\nlocation: /kept")), 4, "registry_digest");
    // A token. Another service of this machine is one that may be asked.
    for realm in ["http://192.0.2.1:5051/token", "http://localhost.example/token", "ftp://127.0.0.1/token"] {
        let challenge = format!("401 Unauthorized\r\nwww-authenticate: Bearer realm=\"{realm}\",service=\"s\"\r\n{EMPTY}");
        let host = talkative(move |_, _| challenge.clone());
        let pulled = as_ada(&here, &[], &["module", "pull", &format!("{host}/shout:v1"), "--dir", "refused"]).exits(3);
        assert_eq!(code(&pulled), "registry_elsewhere", "{realm}");
    }
}

#[test]
fn b_32_without_tls_no_proxy_is_told_anything() {
    let (here, (proxy, heard)) = (publisher(), bystander());
    let host = with_blob("404 Not Found");
    let proxy = format!("http://{proxy}");
    let through = [("HTTP_PROXY", proxy.as_str()), ("http_proxy", &proxy), ("ALL_PROXY", &proxy)];
    let pulled = as_ada(&here, &through, &["module", "pull", &format!("{host}/shout:v1"), "--dir", "refused"]).exits(1);
    assert_eq!(code(&pulled), "registry_not_found");
    assert!(!heard(), "the proxy was asked");
}

#[test]
fn b_32_a_component_that_a_registry_does_not_give_is_told_from_a_registry_that_does_not_answer() {
    let here = Scratch::init();
    for (answer, expected) in [("404 Not Found", "registry_not_found"), ("400 Bad Request", "registry_failed")] {
        refused(&here, &format!("{}/shout:v1", with_blob(answer)), 1, expected);
    }
    for layer in ["sha256:../../../../etc/passwd".to_owned(), "md5:00".to_owned(), format!("sha256:{}", "A".repeat(64)), String::new()] {
        let named = manifest(&layer);
        let host = talkative(move |asked, _| if asked.contains("/manifests/") { named.clone() } else { format!("200 OK\r\n{EMPTY}") });
        refused(&here, &format!("{host}/shout:v1"), 3, "registry_not_a_module");
    }
}

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
