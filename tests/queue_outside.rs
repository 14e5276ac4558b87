//! What items of the queue ask of the world outside: all attempts at one item are one request to the peer.
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::queue_pilot::{GRANT, Pilot, WATER};
use crate::world::guest::{Ask, Body, asks};
use crate::world::peer::{Peer, say};

fn ask(peer: &Peer, method: &'static str, path: &str) -> Ask {
    let body = Body::Text(if method == "GET" { "" } else { "x" });
    Ask::Http { method, url: peer.url(path), headers: vec![], body }
}

/// An item whose transfer asks this first.
fn pilot(peer: &Peer, requests: &[Ask], limits: &Value) -> (Pilot, String) {
    let pilot = Pilot::new();
    let row = json!({"scheme": "http", "host": "127.0.0.1", "port": peer.port, "methods": ["GET", "POST"], "path_prefix": "/", "private": true,
        "timeout_ms": 60_000});
    pilot.adopt_effect(asks(requests), &json!(["http"]), &json!({"grants": ["http"], "http": [row], "limits": limits}));
    let item = pilot.queued(&[json!({})]).remove(0);
    pilot.enact(&["queue", "void", WATER, GRANT, "--as", "ruth", "--reason", "not now", "--json"]).exits(0);
    (pilot, item)
}

/// Starts to work and is killed as soon as the peer says so; returns once the item is free again.
fn killed(pilot: &Pilot, now: &mpsc::Receiver<()>) {
    let mut worker = pilot.scratch.command();
    worker.args(["work", "--once", "--as", "worker-one", "--lease", "1", "-q"]);
    let mut worker = worker.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    now.recv_timeout(Duration::from_secs(60)).unwrap();
    worker.kill().unwrap();
    worker.wait().unwrap();
    thread::sleep(Duration::from_millis(1_100));
}

/// Hangs the first time that it is asked for this path, and says so; answers everything else.
fn hanging(path: &'static str) -> (Peer, mpsc::Receiver<()>) {
    let (arrived, arrival) = mpsc::channel();
    let hung = std::sync::atomic::AtomicBool::new(false);
    let peer = Peer::new(move |request, stream| {
        if request.contains(path) && !hung.swap(true, std::sync::atomic::Ordering::SeqCst) {
            let _ = arrived.send(());
            thread::sleep(Duration::from_secs(60));
        }
        say(stream, "200 OK", "", b"taken");
    });
    (peer, arrival)
}

/// Path and key of everything that was heard.
fn heard(peer: &Peer) -> Vec<(String, String)> {
    let of = |text: &String| {
        let key = text.split("idempotency-key: ").nth(1).unwrap().lines().next().unwrap();
        (text.split(' ').nth(1).unwrap().to_owned(), key.to_owned())
    };
    peer.heard().iter().map(of).collect()
}

/// What the side effect was told, in the run that was committed.
fn told(pilot: &Pilot, item: &str) -> Vec<Value> {
    assert!(pilot.events(item).contains(&"executed".to_owned()), "{:?}", pilot.events(item));
    let runs = pilot.enact(&["runs", "--json"]).exits(0).json();
    let shown = pilot.enact(&["show", runs[0]["run_id"].as_str().unwrap(), "--json"]).exits(0).json();
    shown["steps"].as_array().unwrap().iter().find_map(|step| step["calls"].as_array().cloned()).unwrap()
}

fn answered(call: &Value) -> &str {
    call["answer"]["kind"].as_str().unwrap()
}

#[test]
fn w_30_b_32_what_was_answered_before_a_worker_was_killed_is_not_sent_by_the_next() {
    let (peer, now) = hanging("/after");
    let (pilot, item) = pilot(&peer, &[ask(&peer, "POST", "/pay"), ask(&peer, "GET", "/after")], &json!({}));
    killed(&pilot, &now);
    pilot.work().exits(0);
    let heard = heard(&peer);
    let paths: Vec<&str> = heard.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/pay", "/after", "/after"], "paid once; to look again does no harm");
    assert_eq!(heard[1].1, heard[2].1, "by the same key");
    assert!(heard[0].1.starts_with("ITEM-") && heard[0].1.ends_with("/0/0"), "{heard:?}");
    assert_eq!(told(&pilot, &item).iter().map(answered).collect::<Vec<_>>(), ["response", "response"]);
    assert_eq!(pilot.enact(&["module", "intents", "--json"]).exits(0).json(), json!([]));
    pilot.sound();
}

#[test]
fn w_30_b_32_what_a_killed_worker_left_unknown_is_sent_again_only_when_a_person_says_so() {
    for release in [false, true] {
        let (peer, now) = hanging("/pay");
        let (pilot, item) = pilot(&peer, &[ask(&peer, "POST", "/pay")], &json!({}));
        killed(&pilot, &now);
        let open = pilot.enact(&["module", "intents", "--json"]).exits(0).json();
        assert_eq!((open.as_array().unwrap().len(), &open[0]["state"]), (1, &"SENDING".into()), "{open}");
        if release {
            let key = open[0]["key"].as_str().unwrap();
            let args = ["module", "intents", "--release", key, "--reason", "the peer knows nothing of it", "--json"];
            let released = pilot.enact(&args).exits(0).json();
            assert_eq!(released[0]["released"]["reason"], "the peer knows nothing of it", "{released}");
            assert_eq!(pilot.enact(&args).exits(1).json()["error"]["code"], "no_intent", "once");
        }
        pilot.work().exits(0);
        let (heard, calls) = (heard(&peer), told(&pilot, &item));
        if release {
            assert_eq!((heard.len(), answered(&calls[0])), (2, "response"));
            assert_eq!(heard[0], heard[1], "under the same key");
        } else {
            assert_eq!(heard.len(), 1);
            assert!(calls[0]["answer"]["value"]["unavailable"].is_string(), "{calls:?}");
        }
        pilot.sound();
    }
}

#[test]
fn w_38_b_32_a_retry_sends_under_the_same_key_what_failed_and_nothing_that_was_done() {
    let peer = Peer::new(|request, stream| {
        let status = if request.contains("/busy") { "503 Service Unavailable" } else { "200 OK" };
        say(stream, status, "", b"");
    });
    // The third request is one too many, so that the run comes to nothing.
    let requests = [ask(&peer, "POST", "/pay"), ask(&peer, "POST", "/busy"), ask(&peer, "POST", "/third")];
    let (pilot, item) = pilot(&peer, &requests, &json!({"host_calls": 2}));
    pilot.work().exits(3);
    assert_eq!(pilot.status(&item), "FAILED");
    let retry = ["queue", "retry", &item, "--as", "joan", "--worker", "worker-one", "--reason", "again", "--json"];
    pilot.enact(&retry);
    pilot.work();
    let heard = heard(&peer);
    let paths: Vec<&str> = heard.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/pay", "/busy", "/busy"]);
    assert_eq!(heard[1].1, heard[2].1);
    // Another item is another thing.
    let other = pilot.queued(&[json!({})]).remove(0);
    pilot.work();
    assert_eq!(pilot.status(&other), "FAILED");
    let keys: std::collections::BTreeSet<String> = self::heard(&peer).into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
}
