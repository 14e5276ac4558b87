//! A real registry on this machine, in a process of its own (feature `outside`: the program has to be installed).
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{code, publisher, pull, push, refused};
use crate::support::{Scratch, ran};

/// The registry of the Debian package of this name; `.ci/run` installs it. Without it nothing here is shown, so nothing here passes.
const PROGRAM: &str = "docker-registry";
/// `ada` with the password `open sesame`, for the registry that asks who it is.
const PASSWORD_FILE: &str = "ada:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";

/// A running registry with an empty store.
struct Served {
    folder: TempDir,
    child: Child,
    host: String,
}

impl Served {
    fn start(asks: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = json!({
            "version": 0.1, "log": {"level": "info", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": folder.path().join("store")}}, "http": {"addr": "127.0.0.1:0"},
        });
        if asks {
            let passwords = folder.path().join("passwords");
            std::fs::write(&passwords, PASSWORD_FILE).unwrap();
            config["auth"] = json!({"htpasswd": {"realm": "test", "path": passwords}});
        }
        let file = folder.path().join("config.yml");
        // JSON is YAML.
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg(&file).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|e| panic!("`{PROGRAM}` cannot be started ({e}): `apt-get install {PROGRAM}`, as .ci/run does"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let host = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.trim_end_matches('"').split(['"', ' ']).next()?.to_owned())
        });
        // It goes on talking; somebody has to listen, or it stops.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { folder, child, host: host.unwrap_or_else(|| panic!("the registry did not start")) }
    }

    fn reference(&self, rest: &str) -> String {
        format!("{}/team/shout{rest}", self.host)
    }

    /// The file that holds a blob.
    fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.folder.path().join(format!("store/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }

    /// Puts a manifest of our own making under a tag.
    fn put(&self, tag: &str, manifest: &Value) {
        let body = manifest.to_string();
        let mut stream = TcpStream::connect(&self.host).unwrap();
        write!(
            stream,
            "PUT /v2/team/shout/manifests/{tag} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            manifest["mediaType"].as_str().unwrap(),
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The manifest that a registry holds.
fn manifest(served: &Served, digest: &str) -> Value {
    serde_json::from_slice(&std::fs::read(served.blob(digest)).unwrap()).unwrap()
}

#[test]
fn b_32_a_module_is_pushed_pulled_elsewhere_and_admitted_there_byte_by_byte_the_same() {
    let (served, here, there) = (Served::start(false), publisher(), Scratch::init());
    there.stewards();
    let pushed = push(&here, &served.reference(":v1")).exits(0).json();
    assert_eq!(push(&here, &served.reference(":v2")).exits(0).json()["artifact"], pushed["artifact"], "equal parts give equal artifacts");
    let before = std::fs::read_dir(there.workspace().join("modules")).unwrap().count();
    let pinned = pushed["pinned"].as_str().unwrap();
    for (reference, dir) in [(served.reference(":v1"), "by-tag"), (pinned.to_owned(), "by-digest")] {
        let pulled = pull(&there, &reference, dir).exits(0).json();
        assert_eq!((&pulled["artifact"], &pulled["component"]), (&pushed["artifact"], &pushed["component"]), "{reference}");
        assert_eq!(pulled["files"].as_array().unwrap().len(), 4, "{pulled}");
        let file = |name: &str| std::fs::read(there.path().join(dir).join(name)).unwrap();
        let made = |name: &str| std::fs::read(here.path().join("made").join(name)).unwrap();
        assert!(file("shout.wasm") == made("shout.wasm") && file("vectors.json") == made("vectors.json"), "{reference}");
    }
    // What is there already is never written over.
    assert_eq!(code(&pull(&there, pinned, "by-tag").exits(1)), "folder_not_empty");
    assert_eq!(std::fs::read_dir(there.workspace().join("modules")).unwrap().count(), before, "pulling admits nothing");
    let file = "by-digest/shout.wasm";
    let actors = here.enact(&["actor", "list", "--json"]).exits(0).json();
    let key = actors.as_array().unwrap().iter().find(|a| a["actor"] == "Actor:ada").unwrap()["key"].as_str().unwrap().to_owned();
    there.enact(&["module", "verify", file, "--key", &key, "--json"]).exits(0);
    let added = there.enact(&["module", "add", file, "--as", "ada", "--ratify-as", "bo", "--json"]).exits(0).json();
    assert_eq!((&added["module"], &added["examined"]["conformance"]["vectors"]), (&"shout".into(), &1.into()), "the promises came along");
}

#[test]
fn b_32_an_artifact_has_the_layout_that_other_tools_pull() {
    let (served, here) = (Served::start(false), publisher());
    let pushed = push(&here, &served.reference(":v1")).exits(0).json();
    let manifest = manifest(&served, pushed["artifact"].as_str().unwrap());
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1, "others refuse more than one layer");
    assert_eq!((&manifest["layers"][0]["mediaType"], &manifest["layers"][0]["digest"]), (&"application/wasm".into(), &pushed["component"]));
    let config: Value =
        serde_json::from_slice(&std::fs::read(served.blob(manifest["config"]["digest"].as_str().unwrap())).unwrap()).unwrap();
    assert_eq!((&config["os"], &config["architecture"]), (&"wasip2".into(), &"wasm".into()));
    assert_eq!(config["layerDigests"], json!([pushed["component"]]));
    assert_eq!(config["component"]["exports"], json!(["enact:capability/transform@0.1.0"]));
}

#[test]
fn b_32_what_is_not_what_was_asked_for_is_refused_and_nothing_is_written() {
    let (served, here) = (Served::start(false), publisher());
    let pushed = push(&here, &served.reference(":v1")).exits(0).json();
    let (artifact, component) = (pushed["artifact"].as_str().unwrap(), pushed["component"].as_str().unwrap());
    let good = manifest(&served, artifact);
    refused(&here, &served.reference(":v9"), 1, "registry_not_found");
    refused(&here, &format!("{}/team/whisper:v1", served.host), 1, "registry_not_found");
    refused(&here, &served.reference(&format!("@sha256:{}", "0".repeat(64))), 1, "registry_not_found");
    let changed = |tag: &str, change: &dyn Fn(&mut Value)| {
        let mut manifest = good.clone();
        change(&mut manifest);
        served.put(tag, &manifest);
        served.reference(&format!(":{tag}"))
    };
    // Refused by what it says of itself, before the component is asked for.
    refused(&here, &changed("huge", &|m| m["layers"][0]["size"] = (65 << 20).into()), 3, "registry_too_large");
    refused(
        &here,
        &changed("parts", &|m| m["annotations"]["enact.module.vectors"] = "A".repeat(1_500_000).into()),
        3,
        "registry_too_large",
    );
    refused(&here, &changed("text", &|m| m["annotations"]["enact.module.vectors"] = "{}".into()), 3, "registry_not_a_module");
    refused(
        &here,
        &changed("image", &|m| m["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json".into()),
        3,
        "registry_not_a_module",
    );
    refused(
        &here,
        &changed("tar", &|m| m["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar".into()),
        3,
        "registry_not_a_module",
    );
    refused(&here, &changed("two", &|m| m["layers"] = json!([m["layers"][0], m["layers"][0]])), 3, "registry_not_a_module");
    // It is less, or more, than it says.
    let bytes = good["layers"][0]["size"].as_u64().unwrap();
    refused(&here, &changed("less", &|m| m["layers"][0]["size"] = (bytes + 1).into()), 4, "registry_digest");
    refused(&here, &changed("more", &|m| m["layers"][0]["size"] = (bytes - 1).into()), 3, "registry_too_large");
    // What the registry keeps was changed behind its back.
    let (blob, whole) = (served.blob(component), std::fs::read(served.blob(component)).unwrap());
    let mut other = whole.clone();
    *other.last_mut().unwrap() ^= 1;
    for (what, kept, exit, expected) in [
        ("cut", &whole[..whole.len() / 2], 4, "registry_digest"),
        ("changed", &other, 4, "registry_digest"),
        ("longer", &[whole.as_slice(), b"x"].concat(), 3, "registry_too_large"),
    ] {
        std::fs::write(&blob, kept).unwrap();
        println!("{what}");
        refused(&here, &served.reference(":v1"), exit, expected);
    }
    std::fs::write(&blob, &whole).unwrap();
    let pinned = pushed["pinned"].as_str().unwrap();
    pull(&here, pinned, "good").exits(0);
    // A pinned artifact that is another one: the registry does not look at what it keeps.
    let mut moved = good.clone();
    moved["annotations"]["enact.module.vectors"] = "e30=".into();
    std::fs::write(served.blob(artifact), moved.to_string()).unwrap();
    refused(&here, pinned, 4, "registry_digest");
}

#[test]
fn b_32_a_registry_is_told_who_asks_only_what_it_was_given_and_nobody_else_is_told() {
    let (served, here) = (Served::start(true), publisher());
    let reference = served.reference(":v1");
    let nobody = push(&here, &reference).exits(3);
    assert_eq!(code(&nobody), "registry_denied", "{nobody:?}");
    let as_user = |password: &str, args: &[&str]| {
        let mut command = here.command();
        ran(&command.env("ENACT_REGISTRY_USER", "ada").env("ENACT_REGISTRY_PASSWORD", password).args(args).output().unwrap())
    };
    let args = ["module", "push", "shout", &reference, "--plain-http", "--json"];
    let wrong = as_user("open barley", &args).exits(3);
    assert_eq!(code(&wrong), "registry_denied");
    assert!(!format!("{wrong:?}").contains("barley"), "{wrong:?}");
    as_user("open sesame", &args).exits(0);
    // The same user out of a file of docker: `ada:open sesame`.
    let docker = here.file("docker.json", &json!({"auths": {&served.host: {"auth": "YWRhOm9wZW4gc2VzYW1l"}}}).to_string());
    here.enact(&["module", "pull", &reference, "--dir", "pulled", "--plain-http", "--docker-config", &docker, "--json"]).exits(0);
    let elsewhere = here.file("docker.json", &json!({"auths": {"registry.example": {"auth": "YWRhOm9wZW4gc2VzYW1l"}}}).to_string());
    let other = ["module", "pull", &reference, "--dir", "other", "--plain-http", "--docker-config", &elsewhere, "--json"];
    assert_eq!(code(&here.enact(&other).exits(3)), "registry_denied");
    let mut half = here.command();
    let half = ran(&half.env("ENACT_REGISTRY_USER", "ada").args(args).output().unwrap()).exits(1);
    assert_eq!(code(&half), "registry_credentials");
}

#[test]
fn b_32_without_tls_nothing_is_said_unless_it_is_asked_for() {
    let (served, here) = (Served::start(false), publisher());
    let secure = here.enact(&["module", "pull", &served.reference(":v1"), "--dir", "refused", "--json"]).exits(1);
    assert_eq!(code(&secure), "registry_unreachable");
    assert!(!here.path().join("refused").exists());
}
