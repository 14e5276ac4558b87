//! `enact module grant` and `revoke` for rows of peers and folders: what stands in the artifact afterwards, and what a run may do with it.
use serde_json::{Value, json};

use crate::hostile::guests::says;
use crate::support::{Ran, Scratch};
use crate::world::guest::{self, Ask, Body};
use crate::world::peer::{Peer, say};
use crate::world::{letters, workspace_around};

const ROW: [&str; 4] = ["--binding", "RB_HOSTILE_0_V0", "--capability", "CS_ASKER_V0"];

fn asks(peer: &Peer) -> Vec<Ask> {
    let http = |method, path| Ask::Http { method, url: peer.url(path), headers: vec![], body: Body::Text("") };
    vec![http("GET", "/v1/a"), http("DELETE", "/v1/a"), Ask::Read("inbox/a.txt")]
}

fn module(scratch: &Scratch, verb: &[&str], more: &[&str]) -> Ran {
    scratch.enact(&[&["module"], verb, &ROW, more, &["--json"]].concat())
}

fn row(scratch: &Scratch) -> Value {
    let artifact = scratch.workspace().join("protocol/RB_HOSTILE_0_V0.json");
    let artifact: Value = serde_json::from_slice(&std::fs::read(artifact).unwrap()).unwrap();
    artifact["bindings"]["CS_ASKER_V0"].clone()
}

/// What three requests are answered: a GET, a DELETE, a file.
fn answered(scratch: &Scratch) -> String {
    let payload = scratch.file("payload.json", r#"{"data": 1}"#);
    letters(&scratch.enact(&["run", "WF_HOSTILE_0_V0", "--payload", &payload, "--json"]).exits(0).json()["payload"])
}

#[test]
fn b_32_peers_and_folders_are_granted_and_taken_back_row_by_row() {
    let peer = Peer::new(|_, stream| say(stream, "200 OK", "", b"x"));
    let scratch = workspace_around(&guest::asks(&asks(&peer)), &json!(["http", "files"]), json!({}));
    std::fs::create_dir_all(scratch.workspace().join("data/inbox")).unwrap();
    std::fs::write(scratch.workspace().join("data/inbox/a.txt"), "a").unwrap();
    let before = row(&scratch);
    assert_eq!(answered(&scratch), "ddd", "nothing is granted by default");
    let origin = format!("http://127.0.0.1:{}", peer.port);
    let (get, delete) = (format!("{origin} GET,POST /v1/ private timeout_ms=5000"), format!("{origin} DELETE /v1/ private"));
    module(&scratch, &["grant", "asker"], &["--http", &get]).exits(0);
    assert_eq!(answered(&scratch), "odd");
    assert_eq!(
        row(&scratch)["http"],
        json!([{"scheme": "http", "host": "127.0.0.1", "port": peer.port, "methods": ["GET", "POST"], "path_prefix": "/v1/",
                "private": true, "timeout_ms": 5000}])
    );
    module(&scratch, &["grant", "asker"], &["--http", &delete, "--files", "inbox=data/inbox"]).exits(0);
    assert_eq!((answered(&scratch).as_str(), &row(&scratch)["grants"]), ("ooo", &json!(["http", "files"])));
    assert_eq!(row(&scratch)["http"].as_array().unwrap().len(), 1, "methods of one peer are one row");
    assert_eq!(row(&scratch)["files"], json!([{"name": "inbox", "path": "data/inbox", "mode": "read"}]));
    module(&scratch, &["revoke"], &["--http", &format!("{origin} GET /v1/"), "--files", "inbox"]).exits(0);
    assert_eq!(
        (answered(&scratch).as_str(), &row(&scratch)["grants"]),
        ("dod", &json!(["http"])),
        "the last folder takes the interface along"
    );
    module(&scratch, &["revoke"], &["--http", &format!("{origin} DELETE,POST /v1/")]).exits(0);
    assert_eq!((answered(&scratch).as_str(), row(&scratch)), ("ddd", before), "what was granted is taken back, to the letter");
    assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["replayed"], 5);
}

#[test]
fn b_32_a_row_in_json_names_headers_a_folder_its_mode_and_an_interface_goes_with_its_rows() {
    let peer = Peer::new(|_, stream| say(stream, "200 OK", "", b"x"));
    let scratch = workspace_around(&guest::asks(&asks(&peer)), &json!(["http", "files"]), json!({}));
    let whole = json!({"scheme": "https", "host": "api.example.org", "port": 443, "methods": ["POST"], "path_prefix": "/v1/",
                       "headers": {"authorization": "Bearer {{secret:TOKEN}}"}});
    module(&scratch, &["grant", "asker"], &["--http", &whole.to_string()]).exits(0);
    assert_eq!(row(&scratch)["http"], json!([whole]));
    module(&scratch, &["grant", "asker"], &["--files", "in=data/a:b:read", "--files", "out=data/out:write", "--files", "in2=x:read"])
        .exits(0);
    let folder = |name, path, mode| json!({"name": name, "path": path, "mode": mode});
    let folders = [folder("in", "data/a:b", "read"), folder("out", "data/out", "write"), folder("in2", "x", "read")];
    assert_eq!(row(&scratch)["files"], json!(folders));
    module(&scratch, &["revoke"], &["--interface", "http", "--interface", "files"]).exits(0);
    assert_eq!((&row(&scratch)["http"], &row(&scratch)["grants"]), (&Value::Null, &Value::Null));
}

#[test]
fn b_32_a_row_that_does_not_hold_changes_nothing_and_has_the_code_of_sealing() {
    let peer = Peer::new(|_, stream| say(stream, "200 OK", "", b"x"));
    let scratch = workspace_around(&guest::asks(&asks(&peer)), &json!(["http"]), json!({}));
    let before = row(&scratch);
    let wrong = [
        (["--http", "ftp://example.org:21 GET /"], "bad_grant"),
        (["--http", "https://API.example.org:443 GET /"], "bad_grant"),
        (["--http", "https://example.org:443 CONNECT /"], "bad_grant"),
        (["--http", "https://example.org:443 GET /a/../b"], "bad_grant"),
        (["--files", "inbox=data/../keys"], "bad_grant"),
        (["--http", "https://2130706433:443 GET /"], "bad_grant"),
        (["--files", "inbox=ledger:write"], "bad_grant"),
        (["--files", "inbox=."], "bad_grant"),
        (["--limit", "fuel=0"], "bad_grant"),
        (["--limit", "wall_ms=10001"], "bad_grant"),
        (["--limit", "memory_bytes=99999999999"], "bad_grant"),
        (["--limit", "output_bytes=8388609"], "bad_grant"),
        // The capability does not import it.
        (["--files", "inbox=data"], "grant_not_needed"),
    ];
    for (row_of, code) in wrong {
        let ran = module(&scratch, &["grant", "asker"], &row_of);
        assert!(ran.code != 0 && format!("{}{}", ran.out, ran.err).contains(code), "{row_of:?}: {ran:?}");
        assert_eq!(row(&scratch), before, "{row_of:?}");
    }
    for shape in ["https://example.org GET /", "https://example.org:443", "https://example.org:443 GET / loud", "{\"scheme\": \"https\"}"] {
        assert_eq!(module(&scratch, &["grant", "asker"], &["--http", shape]).code, 2, "{shape}");
    }
    assert_eq!(module(&scratch, &["grant", "asker"], &["--files", "inbox=data:writ"]).code, 2);
    for twice in [["--limit", "fuel=1", "--limit", "fuel=2"], ["--store", "*=a", "--store", "*=b"]] {
        assert_eq!(module(&scratch, &["grant", "asker"], &twice).code, 2, "{twice:?}");
    }
    for gone in [["--http", "https://example.org:443 GET /"], ["--files", "inbox"], ["--interface", "htp"]] {
        let ran = module(&scratch, &["revoke"], &gone);
        assert!(ran.code == 1 && format!("{}{}", ran.out, ran.err).contains("grant_unknown"), "{ran:?}");
        assert_eq!(row(&scratch), before);
    }
}

#[test]
fn b_32_granting_methods_takes_nothing_back_of_a_row_and_widens_nothing() {
    let peer = Peer::new(|_, stream| say(stream, "200 OK", "", b"x"));
    let scratch = workspace_around(&guest::asks(&asks(&peer)), &json!(["http"]), json!({}));
    let mut whole = json!({"scheme": "https", "host": "api.example.org", "port": 443, "methods": ["GET"], "path_prefix": "/v1/",
                           "timeout_ms": 9000, "headers": {"authorization": "Bearer {{secret:TOKEN}}"}});
    module(&scratch, &["grant", "asker"], &["--http", &whole.to_string()]).exits(0);
    module(&scratch, &["grant", "asker"], &["--http", "https://api.example.org:443 POST /v1/"]).exits(0);
    whole["methods"] = json!(["GET", "POST"]);
    assert_eq!(row(&scratch)["http"], json!([whole]));
    let mut other = whole.clone();
    other["headers"] = json!({"authorization": "none"});
    for differs in ["https://api.example.org:443 PUT /v1/ private", "https://api.example.org:443 PUT /v1/ timeout_ms=1", &other.to_string()]
    {
        let ran = module(&scratch, &["grant", "asker"], &["--http", differs]).exits(1);
        assert_eq!(ran.json()["error"]["code"], "grant_differs", "{differs}");
        assert_eq!(row(&scratch)["http"], json!([whole]), "{differs}");
    }
}

#[test]
fn b_32_a_module_of_the_other_world_is_not_granted() {
    let peer = Peer::new(|_, stream| say(stream, "200 OK", "", b"x"));
    let scratch = workspace_around(&guest::asks(&asks(&peer)), &json!(["http"]), json!({}));
    let file = scratch.path().join("shout.wasm");
    std::fs::write(&file, says("SUCCESS", "{}")).unwrap();
    scratch.enact(&["module", "add", &file.to_string_lossy(), "--as", "ada", "--ratify-as", "bo", "--json"]).exits(0);
    let before = row(&scratch);
    assert_eq!(module(&scratch, &["grant", "shout"], &[]).exits(1).json()["error"]["code"], "module_world");
    assert_eq!(row(&scratch), before);
}

#[test]
fn b_32_a_side_effect_that_is_refused_altogether_is_a_fault_of_the_call_and_recorded() {
    let peer = Peer::new(|_, stream| say(stream, "200 OK", "", b"x"));
    let scratch = workspace_around(&guest::asks(&asks(&peer)), &json!(["http", "registry"]), json!({"stores": {"*": "asker/keys"}}));
    module(&scratch, &["revoke"], &[]).exits(0);
    assert_eq!(row(&scratch), json!({"host": "refused"}));
    let payload = scratch.file("payload.json", r#"{"data": 1}"#);
    let ran = scratch.enact(&["run", "WF_HOSTILE_0_V0", "--payload", &payload, "--json"]);
    let run = ran.json()["run_id"].as_str().unwrap_or_else(|| panic!("{ran:?}")).to_owned();
    let shown = scratch.enact(&["show", &run, "--json"]).exits(0).json();
    assert_eq!(
        (&shown["steps"][0]["status"], &shown["nodes"][1]["status"]),
        (&"refused_by_binding".into(), &"BACKEND_ERROR".into()),
        "{shown}"
    );
    assert_eq!(scratch.enact(&["audit", "--all", "--json"]).exits(0).json()["replayed"], 1);
}
