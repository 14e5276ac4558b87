//! One machine with loopback peers, real sockets, names that are made up.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

static CLOCK: std::sync::LazyLock<System> = std::sync::LazyLock::new(System::default);

use enact_wasm::HttpResponse;
use serde_json::{Value, json};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::transport::NextTimeout;

use super::*;
use crate::sources::System;

/// Answers addresses in turn, one list for each question.
#[derive(Debug)]
struct Turns(Vec<Vec<SocketAddr>>, AtomicUsize);

impl Resolver for Turns {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let nth = self.1.fetch_add(1, Ordering::SeqCst);
        let mut found = self.empty();
        self.0[nth.min(self.0.len() - 1)].iter().for_each(|address| found.push(*address));
        Ok(found)
    }
}

/// A peer that answers every connection with the same bytes, and counts.
struct Peer {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

fn peer(answer: &'static str) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap();
            kept.lock().unwrap().push(String::from_utf8_lossy(&bytes[..read]).into_owned());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    Peer { address, heard }
}

impl Peer {
    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";

/// A workspace that knows names as `turns` says.
fn reach(turns: Vec<Vec<SocketAddr>>) -> (tempfile::TempDir, Reach) {
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(temp.path().join("ledger")).unwrap();
    let reach = Reach { names: Arc::new(Turns(turns, AtomicUsize::new(0))), ..Reach::new(temp.path()) };
    (temp, reach)
}

fn rows(port: u16, change: Value) -> Vec<HttpGrant> {
    let mut row = json!({"scheme": "http", "host": "api.example.org", "port": port, "methods": ["GET", "POST"], "path_prefix": "/"});
    if let (Value::Object(row), Value::Object(change)) = (&mut row, change) {
        row.extend(change);
    }
    vec![serde_json::from_value(row).unwrap()]
}

fn get(port: u16, path: &str) -> Request {
    let url = format!("http://api.example.org:{port}{path}");
    Request::HttpRequest { method: "GET".to_owned(), url, headers: Vec::new(), body: Vec::new() }
}

fn outside<'a>(reach: &'a Reach, rows: &'a [HttpGrant], run: &'a str) -> Outside<'a> {
    Outside::new(reach, rows, &[], run, run, &*CLOCK, Duration::from_secs(5))
}

#[test]
fn b_32_the_address_that_was_checked_is_the_one_connected_to() {
    let peer = peer(OK);
    let (_temp, reach) = reach(vec![vec![peer.address], vec!["192.0.2.1:9".parse().unwrap()]]);
    let rows = rows(peer.address.port(), json!({"private": true}));
    let answer = outside(&reach, &rows, "RUN-1").call(&get(peer.address.port(), "/")).unwrap();
    assert!(matches!(&answer, Answer::Response(HttpResponse { status: 200, body, .. }) if body == b"hi"), "{answer:?}");
    let heard = peer.heard();
    assert!(heard.len() == 1 && heard[0].contains("host: api.example.org:") && heard[0].contains("idempotency-key: RUN-1/0"), "{heard:?}");
}

#[test]
fn b_32_a_name_that_stands_for_a_private_address_is_denied_and_nothing_is_sent() {
    let peer = peer(OK);
    let port = peer.address.port();
    let public: SocketAddr = "93.184.215.14:80".parse().unwrap();
    let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{port}").parse().unwrap();
    for (turn, addresses) in [vec![peer.address], vec![public, peer.address], vec![mapped]].into_iter().enumerate() {
        let (_temp, reach) = reach(vec![addresses]);
        let rows = rows(port, json!({}));
        let answer = outside(&reach, &rows, "RUN-1").call(&get(port, "/")).unwrap();
        assert!(matches!(&answer, Answer::Fault(Fault::Denied(_))), "{turn}: {answer:?}");
    }
    assert_eq!(peer.heard().len(), 0);
}

#[test]
fn b_32_a_repeated_execution_is_served_what_was_kept() {
    let peer = peer(OK);
    let port = peer.address.port();
    let (_temp, reach) = reach(vec![vec![peer.address]]);
    let rows = rows(port, json!({"private": true}));
    let first = outside(&reach, &rows, "RUN-1").call(&get(port, "/a")).unwrap();
    let mut again = outside(&reach, &rows, "RUN-1");
    assert_eq!(again.call(&get(port, "/a")), Some(first));
    assert_eq!(peer.heard().len(), 1);
    // Another request in the same place is not sent, and neither is one whose end is not known.
    let other = outside(&reach, &rows, "RUN-1").call(&get(port, "/b"));
    assert!(matches!(other, Some(Answer::Fault(Fault::Denied(_)))), "{other:?}");
    let hash = blob_hash(&serde_json::to_vec(&get(port, "/a")).unwrap()).to_string();
    let crashed = Intent { key: "RUN-2/0", run: "RUN-2", at: "", target: "", request: &hash, harmless: false };
    reach.outbound(|outbound| outbound.begin(&crashed)).unwrap();
    let unknown = outside(&reach, &rows, "RUN-2").call(&get(port, "/a"));
    assert!(matches!(unknown, Some(Answer::Fault(Fault::Unavailable(_)))), "{unknown:?}");
    assert_eq!(peer.heard().len(), 1);
    reach.settle("RUN-1", &again.sent());
    let left = reach.outbound(|outbound| outbound.unsettled(10, false)).unwrap();
    assert_eq!(left.iter().map(|row| (row.key.as_str(), row.state.as_str())).collect::<Vec<_>>(), [("RUN-2/0", "SENDING")]);
}

#[test]
fn b_32_another_attempt_at_the_same_carries_the_same_key() {
    // Hangs up without an answer.
    let peer = peer("");
    let port = peer.address.port();
    let (_temp, reach) = reach(vec![vec![peer.address]]);
    let rows = rows(port, json!({"private": true}));
    let mut outside = outside(&reach, &rows, "RUN-1");
    for path in ["/a", "/a", "/b"] {
        let answer = outside.call(&get(port, path));
        assert!(matches!(answer, Some(Answer::Fault(Fault::Unavailable(_)))), "{answer:?}");
    }
    let keys: Vec<String> =
        peer.heard().iter().map(|text| text.split("idempotency-key: ").nth(1).unwrap().lines().next().unwrap().to_owned()).collect();
    assert_eq!(keys, ["RUN-1/0", "RUN-1/0", "RUN-1/2"]);
}

#[test]
fn b_32_what_was_answered_below_400_is_not_sent_again_whatever_became_of_the_answer() {
    let answered = |status: &str, bytes: usize, more: &str| -> &'static str {
        format!("HTTP/1.1 {status}\r\ncontent-length: {bytes}\r\nconnection: close\r\n{more}\r\n{}", "z".repeat(bytes)).leak()
    };
    let encoded = "content-encoding: gzip\r\n";
    let headers: &'static str = format!("x: {}\r\n", "a".repeat(20_000)).leak();
    for (answer, times) in [
        (answered("200 OK", 262_145, ""), 1),
        (answered("200 OK", 2, encoded), 1),
        (answered("200 OK", 2, "x: s3cr3t-t0ken\r\n"), 1),
        (answered("200 OK", 2, headers), 1),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut", 1),
        (answered("503 Busy", 262_145, ""), 2),
    ] {
        let peer = peer(answer);
        let port = peer.address.port();
        let (temp, reach) = reach(vec![vec![peer.address]]);
        secret(temp.path(), "TOKEN", "s3cr3t-t0ken");
        let rows = rows(port, json!({"private": true, "headers": {"x-key": "{{secret:TOKEN}}"}}));
        let pay = Request::HttpRequest {
            method: "POST".to_owned(),
            url: format!("http://api.example.org:{port}/pay"),
            headers: Vec::new(),
            body: b"x".to_vec(),
        };
        let attempt = |run| Outside::new(&reach, &rows, &[], run, "ITEM-1", &*CLOCK, Duration::from_secs(5)).call(&pay);
        let first = attempt("RUN-1");
        assert!(matches!(first, Some(Answer::Fault(_))), "{first:?}");
        assert_eq!((attempt("RUN-2"), peer.heard().len()), (first, times), "{answer:.60}");
        assert!(peer.heard()[0].contains("accept-encoding: identity\r\n"), "{:?}", peer.heard());
    }
}

fn secret(workspace: &Path, name: &str, value: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = workspace.join("keys/secrets");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), value).unwrap();
    std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn b_32_a_file_is_written_once_and_not_at_all_when_that_is_not_known() {
    let (temp, reach) = reach(vec![Vec::new()]);
    std::fs::create_dir(temp.path().join("out")).unwrap();
    let folders: Vec<FileGrant> = serde_json::from_value(json!([{"name": "out", "path": "out", "mode": "write"}])).unwrap();
    let outside = |run| Outside::new(&reach, &[], &folders, run, run, &*CLOCK, Duration::from_secs(5));
    let file = |path: &str| std::fs::read_to_string(temp.path().join("out").join(path)).ok();
    let write = |path: &str| Request::FilesWrite { path: format!("out/{path}"), content: b"x".to_vec(), replace: false };
    let created = Some(Answer::Written(Written::Created));
    assert_eq!((outside("RUN-1").call(&write("a")), file("a")), (created.clone(), Some("x".into())));
    std::fs::remove_file(temp.path().join("out/a")).unwrap();
    // Again, and another one in its place.
    assert_eq!((outside("RUN-1").call(&write("a")), file("a")), (created, None));
    let other = outside("RUN-1").call(&write("b"));
    assert!(matches!(other, Some(Answer::Fault(Fault::Denied(_)))), "{other:?}");
    // One that a crash has cut off: nobody knows, so nothing is done.
    let hash = hash(&write("c")).unwrap();
    let crashed = Intent { key: "RUN-2/0", run: "RUN-2", at: "", target: "", request: &hash, harmless: false };
    reach.outbound(|outbound| outbound.begin(&crashed)).unwrap();
    let unknown = outside("RUN-2").call(&write("c"));
    assert!(matches!(unknown, Some(Answer::Fault(Fault::Unavailable(_)))), "{unknown:?}");
    // No intent, no file.
    reach.outbound.lock().unwrap().take();
    for name in ["outbound.db", "outbound.db-wal", "outbound.db-shm"] {
        let _ = std::fs::remove_file(temp.path().join("ledger").join(name));
    }
    std::fs::create_dir(temp.path().join("ledger/outbound.db")).unwrap();
    let unwritten = outside("RUN-3").call(&write("d"));
    assert!(matches!(unwritten, Some(Answer::Fault(Fault::Unavailable(_)))), "{unwritten:?}");
    assert_eq!(std::fs::read_dir(temp.path().join("out")).unwrap().count(), 0);
}

#[test]
fn b_32_nothing_is_sent_when_the_intent_cannot_be_written() {
    let peer = peer(OK);
    let port = peer.address.port();
    let (temp, reach) = reach(vec![vec![peer.address]]);
    std::fs::create_dir(temp.path().join("ledger/outbound.db")).unwrap();
    let rows = rows(port, json!({"private": true}));
    let answer = outside(&reach, &rows, "RUN-1").call(&get(port, "/"));
    assert!(matches!(answer, Some(Answer::Fault(Fault::Unavailable(_)))), "{answer:?}");
    assert_eq!(peer.heard().len(), 0);
}
