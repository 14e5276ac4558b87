//! A ledger leaves for an auditor, who has the bundle, the key by another way, and nothing else (P-27).
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Ran, Scratch, ran, reseal};

/// A ledger with runs in it, and its bundle.
struct Handed {
    operator: Scratch,
    file: PathBuf,
    said: Value,
}

impl Handed {
    fn new() -> Self {
        let operator = Scratch::init();
        operator.register("ann");
        operator.register("bob");
        Self::of(operator, 0)
    }

    fn of(operator: Scratch, code: i32) -> Self {
        let file = operator.path().join("audit.tar");
        let said = operator.enact(&["ledger", "bundle", "audit.tar", "--json"]).exits(code).json();
        Self { operator, file, said }
    }

    fn key(&self) -> &str {
        self.said["key"].as_str().unwrap()
    }

    /// The parts in their order.
    fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let mut archive = tar::Archive::new(fs::File::open(&self.file).unwrap());
        let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
            let mut entry = entry.unwrap();
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (name, bytes)
        };
        archive.entries().unwrap().map(read).collect()
    }
}

/// Somebody with another folder.
struct Auditor(TempDir);

impl Auditor {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn enact(&self, args: &[&str]) -> Ran {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_enact"));
        command.current_dir(self.0.path()).env_remove("ENACT_WORKSPACE").env("NO_COLOR", "1");
        ran(&command.args(args).output().unwrap())
    }

    fn takes(&self, file: &Path, key: Option<&str>) -> Ran {
        let file = file.to_str().unwrap();
        match key {
            Some(key) => self.enact(&["ledger", "unbundle", file, "looked-at", "--key", key, "--json"]),
            None => self.enact(&["ledger", "unbundle", file, "looked-at", "--json"]),
        }
    }

    /// On the workspace that was made of the bundle.
    fn looks(&self, args: &[&str]) -> Ran {
        self.enact(&[&["-w", "looked-at"], args].concat())
    }

    fn has_nothing(&self) -> bool {
        fs::read_dir(self.0.path()).unwrap().next().is_none()
    }
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            found.insert(entry.clone(), fs::read(&entry).unwrap());
        }
    }
    found
}

fn holds(bytes: &[u8], sought: &[u8]) -> bool {
    bytes.windows(sought.len()).any(|window| window == sought)
}

fn code(ran: &Ran) -> String {
    ran.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// A bundle of these parts, each written as a file unless `kind` says otherwise.
fn packed(to: &Path, parts: &[(&str, &[u8], tar::EntryType)]) {
    let mut archive = tar::Builder::new(fs::File::create(to).unwrap());
    for (name, bytes, kind) in parts {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(*kind);
        // By hand: the library refuses the names that are tried here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn p_27_an_auditor_needs_the_bundle_and_the_key_and_nothing_else() {
    let pilot = Scratch::new();
    pilot.enact(&["demo", "pilot", "--json"]).exits(0);
    fs::rename(pilot.path().join(".enact-demo-pilot"), pilot.workspace()).unwrap();
    let handed = Handed::of(pilot, 0);
    assert_eq!((handed.said["verdict"].as_str(), handed.said["entries"].as_u64()), (Some("SIGNED"), Some(40)), "{}", handed.said);
    let secrets = files(&handed.operator.workspace().join("keys"));
    assert!(secrets.len() > 5, "{:?}", secrets.keys());
    let auditor = Auditor::new();
    let file = auditor.0.path().join("from-the-operator.tar");
    fs::rename(&handed.file, &file).unwrap();
    drop(handed.operator);
    let taken = auditor.takes(&file, handed.said["key"].as_str()).exits(0).json();
    assert_eq!((&taken["verdict"], &taken["root"], &taken["key_given"]), (&json!("SIGNED"), &handed.said["root"], &json!(true)), "{taken}");

    // Nothing secret came along, in hexadecimal or as it is.
    let mut came = files(&auditor.0.path().join("looked-at"));
    came.insert(file.clone(), fs::read(&file).unwrap());
    for (name, secret) in &secrets {
        let text = secret.trim_ascii_end();
        let raw = hex(text);
        for (path, bytes) in &came {
            assert!(!holds(bytes, text) && !holds(bytes, &raw), "{} is in {}", name.display(), path.display());
        }
    }

    let verified = auditor.looks(&["verify", "--rebuild", "--json"]).exits(0).json();
    assert_eq!((&verified["verdict"], &verified["findings"]), (&json!("BALANCED"), &json!([])), "{verified}");
    let audited = auditor.looks(&["audit", "--all", "--state", "--json"]).exits(0).json();
    assert_eq!((audited["replayed"].as_u64(), &audited["diverged"]), (Some(3), &json!([])), "{audited}");
    for look in [
        "runs",
        "actor list",
        "queue list",
        "accounts",
        "trial-balance",
        "refusals",
        "ledger list",
        "ledger prove 0",
        "view desk",
        "queue health",
    ] {
        let args: Vec<&str> = look.split(' ').collect();
        let seen = auditor.looks(&[&args[..], &["--json"]].concat()).exits(0);
        assert!(seen.out.len() > 4, "{look}: {}", seen.out);
    }
}

/// The bytes that hexadecimal digits spell.
fn hex(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_bundle_is_the_same_to_the_byte_until_something_happens_and_replaces_nothing() {
    let handed = Handed::new();
    let again = handed.operator.enact(&["ledger", "bundle", "again.tar", "--json"]).exits(0).json();
    assert_eq!(fs::read(&handed.file).unwrap(), fs::read(handed.operator.path().join("again.tar")).unwrap());
    let beside = fs::read_dir(handed.operator.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let ours = |name: &str| [".enact", "audit.tar", "again.tar", "ann.json", "bob.json"].contains(&name);
    let beside: Vec<_> = beside.filter(|name| !ours(&name.to_string_lossy())).collect();
    assert!(beside.is_empty(), "left beside it: {beside:?}");
    assert_eq!((&again["digest"], &again["parts"]), (&handed.said["digest"], &handed.said["parts"]));
    let before = files(handed.operator.path());
    handed.operator.enact(&["ledger", "bundle", "again.tar"]).exits(1);
    assert_eq!(files(handed.operator.path()), before, "something was written over or left behind");
    handed.operator.register("cy");
    let third = handed.operator.enact(&["ledger", "bundle", "third.tar", "--json"]).exits(0).json();
    assert_ne!(third["digest"], handed.said["digest"]);
    let auditor = Auditor::new();
    auditor.takes(&handed.file, None).exits(0);
    // What was taken in can be handed on, the same.
    let on = auditor.looks(&["ledger", "bundle", "on.tar", "--json"]).exits(0).json();
    assert_eq!(on["digest"], handed.said["digest"]);
    // And nothing is put into a folder in which something is.
    let before = files(auditor.0.path());
    assert_eq!(code(&auditor.takes(&handed.file, None).exits(1)), "folder_not_empty");
    assert_eq!(files(auditor.0.path()), before);
}

/// P-26 and B-30 on the way.
#[test]
fn p_26_b_30_a_bit_that_flips_on_the_way_is_found() {
    let handed = Handed::new();
    let good = fs::read(&handed.file).unwrap();
    let mut archive = tar::Archive::new(good.as_slice());
    let places: Vec<(u64, u64)> =
        archive.entries().unwrap().map(|part| part.unwrap()).map(|part| (part.raw_file_position(), part.size())).collect();
    assert!(places.len() > 10);
    let altered = handed.operator.path().join("altered.tar");
    let mut seen = BTreeMap::new();
    for (at, bytes) in places {
        for place in [at - 512 + 3, at, at + bytes / 3, at + bytes - 1] {
            let place = usize::try_from(place).unwrap();
            let mut bad = good.clone();
            bad[place] ^= 1;
            fs::write(&altered, bad).unwrap();
            let auditor = Auditor::new();
            let ran = auditor.takes(&altered, Some(handed.key()));
            assert!([1, 4].contains(&ran.code), "byte {place}: {ran:?}");
            assert!(auditor.has_nothing(), "byte {place} left something: {:?}", files(auditor.0.path()).keys());
            *seen.entry(code(&ran)).or_insert(0) += 1;
        }
    }
    assert!(seen["bundle_altered"] > 20 && seen["bundle_format"] > 10, "{seen:?}");
    for length in [0, 511, 512, 700, good.len() / 2, good.len() - 2000] {
        fs::write(&altered, &good[..length]).unwrap();
        let auditor = Auditor::new();
        auditor.takes(&altered, None);
        assert!(auditor.has_nothing(), "cut off after {length} bytes");
    }
}

#[test]
fn b_32_what_does_not_belong_into_a_bundle_is_refused_and_nothing_is_left() {
    use tar::EntryType;
    let handed = Handed::new();
    let parts = handed.parts();
    let good: Value = serde_json::from_slice(&parts[0].1).unwrap();
    let evil = handed.operator.path().join("evil.tar");
    let file = EntryType::Regular;
    // The manifest as it is changed, and what follows it.
    let tries = |name: &str, manifest: &Value, rest: &[(&str, &[u8], EntryType)], wanted: &str| {
        let manifest = manifest.to_string();
        packed(&evil, &[&[("manifest.json", manifest.as_bytes(), file)], rest].concat());
        let auditor = Auditor::new();
        let ran = auditor.takes(&evil, None);
        assert_eq!((code(&ran).as_str(), ran.code), (wanted, if wanted == "bundle_format" { 1 } else { 4 }), "{name}: {ran:?}");
        assert!(auditor.has_nothing(), "{name} left something");
    };
    let rest: Vec<(&str, &[u8], EntryType)> = parts[1..].iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice(), file)).collect();
    for name in [
        "../evil",
        "/tmp/evil",
        "keys/ledger.key",
        "keys/cache.key",
        "cache/a.cwasm",
        "modules/../../x.wasm",
        "modules/x.wasm",
        "ledger/ledger.db-wal",
        "enact.toml",
    ] {
        let mut manifest = good.clone();
        manifest["parts"].as_array_mut().unwrap().insert(1, json!({"name": name, "bytes": 1, "blake3": "00"}));
        tries(name, &manifest, &[&rest[..1], &[(name, b"x", file)], &rest[1..]].concat(), "bundle_format");
    }
    let part = |index: usize, member: &str, value: Value| {
        let mut manifest = good.clone();
        manifest["parts"][index][member] = value;
        manifest
    };
    tries("huge", &part(1, "bytes", json!(u64::MAX)), &rest, "bundle_format");
    tries("larger than it is", &part(0, "bytes", json!(81)), &rest, "bundle_altered");
    tries("another hash", &part(0, "blake3", json!("00")), &rest, "bundle_altered");
    tries(
        "another version",
        &{
            let mut m = good.clone();
            m["bundle"] = json!(2);
            m
        },
        &rest,
        "bundle_format",
    );
    tries(
        "an unknown member",
        &{
            let mut m = good.clone();
            m["hint"] = json!("");
            m
        },
        &rest,
        "bundle_format",
    );
    for member in ["origin", "root", "key"] {
        tries(
            member,
            &{
                let mut m = good.clone();
                m[member] = json!("other");
                m
            },
            &rest,
            "bundle_altered",
        );
    }
    tries(
        "fewer entries",
        &{
            let mut m = good.clone();
            m["entries"] = json!(1);
            m
        },
        &rest,
        "bundle_altered",
    );
    tries("a part is missing", &good, &rest[1..], "bundle_altered");
    tries("one more", &good, &[&rest[..], &[("more", b"x", file)]].concat(), "bundle_format");
    tries("another order", &good, &rest.iter().rev().copied().collect::<Vec<_>>(), "bundle_altered");
    let instead = |name: &'static str, bytes: &'static [u8], kind, of: usize| [&[(name, bytes, kind)], &rest[of..]].concat();
    tries("a link", &good, &instead("protocol.lock", b"", EntryType::Symlink, 1), "bundle_altered");
    let lock = parts[1].1.as_slice();
    tries("a link of the right size", &good, &[&[("protocol.lock", lock, EntryType::Symlink)], &rest[1..]].concat(), "bundle_altered");
    tries("a folder", &good, &instead("protocol.lock", b"", EntryType::Directory, 1), "bundle_altered");
    tries("a long name", &good, &instead("././@LongLink", b"protocol.lock\0", EntryType::GNULongName, 0), "bundle_altered");
    tries(
        "no ledger",
        &{
            let mut m = good.clone();
            m["parts"].as_array_mut().unwrap().pop();
            m
        },
        &rest[..rest.len() - 1],
        "bundle_format",
    );
    let whole = fs::read(&handed.file).unwrap();
    for bytes in [&b""[..], b"not an archive", &[0; 4096], &[&whole[..], &whole].concat(), &[&whole[..], b"x"].concat()] {
        fs::write(&evil, bytes).unwrap();
        let auditor = Auditor::new();
        let ran = auditor.takes(&evil, None).exits(1);
        assert_eq!(code(&ran), "bundle_format", "{ran:?}");
        assert!(auditor.has_nothing());
    }
}

#[test]
fn p_27_whose_key_it_is_is_asked_and_said() {
    let handed = Handed::new();
    let other = Handed::new();
    let auditor = Auditor::new();
    let ran = auditor.takes(&handed.file, Some(other.key())).exits(4);
    assert!(code(&ran) == "bundle_key" && auditor.has_nothing(), "{ran:?}");
    assert_eq!(code(&auditor.takes(&handed.file, Some("no key")).exits(1)), "key_invalid");
    let came_with_it = |report: &Value| report["not_checked"].to_string().contains("came with it");
    // Without a key it is checked that somebody signed, and said that this is all.
    let taken = auditor.takes(&handed.file, None).exits(0).json();
    assert!(came_with_it(&taken) && taken["key_given"] == false, "{taken}");
    assert!(came_with_it(&auditor.looks(&["verify", "--json"]).exits(0).json()));
    assert!(!came_with_it(&auditor.looks(&["verify", "--key", handed.key(), "--json"]).exits(0).json()));
    auditor.looks(&["verify", "--key", other.key()]).exits(4);
    let proof = handed.operator.enact(&["ledger", "prove", "0", "--json"]).exits(0).out;
    fs::write(auditor.0.path().join("proof.json"), proof).unwrap();
    let vouched = auditor.looks(&["verify", "--proof", "proof.json", "--json"]).exits(1);
    assert_eq!(code(&vouched), "ledger_key_missing", "the key that came with it vouches for a proof");
    auditor.looks(&["verify", "--proof", "proof.json", "--key", handed.key()]).exits(0);
    // With one it is kept.
    let sure = Auditor::new();
    assert!(!came_with_it(&sure.takes(&handed.file, Some(handed.key())).exits(0).json()));
    assert!(!came_with_it(&sure.looks(&["verify", "--json"]).exits(0).json()));
    fs::copy(auditor.0.path().join("proof.json"), sure.0.path().join("proof.json")).unwrap();
    sure.looks(&["verify", "--proof", "proof.json"]).exits(0);
}

/// Whoever owns the file and has no key bundles what was altered: it is evidence, and says so on both sides.
#[test]
fn p_26_an_altered_ledger_is_bundled_and_found_by_whoever_gets_it() {
    let operator = Scratch::init();
    operator.register("ann");
    operator.register("bob");
    reseal(&operator, &|seq, entry| {
        if seq == 0 {
            entry.at = entry.at.replace("20", "19");
        }
    });
    let handed = Handed::of(operator, 4);
    assert_eq!(handed.said["verdict"], "ALTERED", "{}", handed.said);
    let auditor = Auditor::new();
    let taken = auditor.takes(&handed.file, Some(handed.key())).exits(4).json();
    assert!(taken["verdict"] == "ALTERED" && taken["findings"][0]["code"] == "checkpoint_root", "{taken}");
    auditor.looks(&["verify"]).exits(4);
}

#[test]
fn nothing_is_appended_where_the_key_is_not() {
    let handed = Handed::new();
    let auditor = Auditor::new();
    auditor.takes(&handed.file, Some(handed.key())).exits(0);
    fs::write(auditor.0.path().join("p.json"), crate::support::person("zoe").to_string()).unwrap();
    let ledger = auditor.0.path().join("looked-at/ledger/ledger.db");
    let before = fs::read(&ledger).unwrap();
    for what in [
        "run WF_REGISTER_USER_UNVERIFIED_V0 --payload p.json",
        "actor found ada",
        "ledger rebuild",
        "listen --as ada",
        "work --as ada --once",
        "queue rebuild",
    ] {
        let args: Vec<&str> = what.split(' ').collect();
        let ran = auditor.looks(&[&args[..], &["--json"]].concat());
        if ran.code == 2 {
            panic!("{what}: {}", ran.err);
        }
        assert_eq!((ran.code, code(&ran).as_str()), (1, "ledger_key_missing"), "{what}: {ran:?}");
    }
    assert_eq!(fs::read(&ledger).unwrap(), before);
}

/// Whoever holds the key can sign another history. What an auditor kept of the first one gives it away.
#[test]
fn p_27_a_kept_checkpoint_gives_a_history_away_that_was_signed_anew() {
    let operator = Scratch::init();
    operator.register("ann");
    let ledger = operator.workspace().join("ledger/ledger.db");
    operator.enact(&["backup", "early.db"]).exits(0);
    operator.register("bob");
    let auditor = Auditor::new();
    let handed = Handed::of(operator, 0);
    auditor.takes(&handed.file, Some(handed.key())).exits(0);
    // Printed where nothing can be signed: it was signed with the head.
    let kept = auditor.looks(&["ledger", "checkpoint", "-q"]).exits(0).out;
    assert_eq!(kept, auditor.looks(&["ledger", "checkpoint", "-q"]).exits(0).out);
    fs::write(auditor.0.path().join("kept.txt"), &kept).unwrap();
    let verify = |auditor: &Auditor, code: i32| {
        fs::remove_dir_all(auditor.0.path().join("looked-at")).unwrap();
        fs::remove_file(&handed.file).unwrap();
        handed.operator.enact(&["ledger", "bundle", "audit.tar"]).exits(0);
        auditor.takes(&handed.file, Some(handed.key())).exits(0);
        auditor.looks(&["verify", "--checkpoint", "kept.txt", "--json"]).exits(code).json()
    };
    // It goes on.
    handed.operator.register("cy");
    let honest = verify(&auditor, 0);
    assert_eq!((&honest["verdict"], &honest["entries"]), (&json!("CONSISTENT"), &json!(3)), "{honest}");
    // It never had the second entry; and then another one in its place. Each is signed as it should be, and nothing else finds it.
    let early = |name: &str| {
        for beside in ["ledger.db-wal", "ledger.db-shm"] {
            drop(fs::remove_file(ledger.with_file_name(beside)));
        }
        fs::copy(handed.operator.path().join(name), &ledger).unwrap();
    };
    early("early.db");
    let shorter = verify(&auditor, 4);
    assert_eq!(shorter["findings"][0]["code"], "checkpoint_beyond", "{shorter}");
    handed.operator.register("eve");
    handed.operator.register("cy");
    let other = verify(&auditor, 4);
    assert_eq!(other["findings"][0]["code"], "checkpoint_root", "{other}");
    // What is no checkpoint of this ledger is not the ledger's fault.
    for text in ["", "no checkpoint", &kept.replace("enact.local", "enact.other"), &kept.replacen('\n', "\n1", 1)] {
        fs::write(auditor.0.path().join("kept.txt"), text).unwrap();
        let ran = auditor.looks(&["verify", "--checkpoint", "kept.txt", "--json"]).exits(1);
        assert_eq!(code(&ran), "checkpoint_unusable", "{text}");
    }
}

/// Manifest and bundle of these parts, as consistent as whoever makes them likes.
fn consistent(handed: &Handed, to: &Path, change: &dyn Fn(&str, Vec<u8>) -> Vec<u8>) {
    let parts = handed.parts();
    let mut manifest: Value = serde_json::from_slice(&parts[0].1).unwrap();
    let parts: Vec<(String, Vec<u8>)> = parts.into_iter().skip(1).map(|(name, bytes)| (name.clone(), change(&name, bytes))).collect();
    for (part, (_, bytes)) in manifest["parts"].as_array_mut().unwrap().iter_mut().zip(&parts) {
        let digest = enact_core::hash::module_digest(bytes);
        (part["bytes"], part["blake3"]) = (json!(bytes.len()), json!(digest.to_hex()));
    }
    let manifest = manifest.to_string();
    let mut all = vec![("manifest.json", manifest.as_bytes(), tar::EntryType::Regular)];
    all.extend(parts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice(), tar::EntryType::Regular)));
    packed(to, &all);
}

/// Puts an empty index in the place of the one by which the state is found, as whoever owns the file can.
fn blinded(ledger: &Path) {
    let open = || rusqlite::Connection::open(ledger).unwrap();
    let sql = open();
    sql.execute_batch("CREATE INDEX hides ON state(key) WHERE 0; PRAGMA writable_schema = ON").unwrap();
    let names = ["state_keys", "hides"];
    let root =
        |name: &str| sql.query_row("SELECT rootpage FROM sqlite_master WHERE name = ?1", [name], |row| row.get::<_, i64>(0)).unwrap();
    let roots = names.map(root);
    for (name, root) in names.iter().zip(roots.iter().rev()) {
        sql.execute("UPDATE sqlite_master SET rootpage = ?2 WHERE name = ?1", rusqlite::params![name, root]).unwrap();
    }
    drop(sql);
    open().execute_batch("DROP INDEX hides; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

/// B-30: what an index leaves out nobody sees, though it is in the table; so the file is looked at before anything in it is believed.
#[test]
fn b_30_an_index_that_hides_rows_is_found_by_whoever_takes_a_ledger_in_and_by_a_rebuild() {
    let pilot = Scratch::new();
    pilot.enact(&["demo", "pilot", "--json"]).exits(0);
    fs::rename(pilot.path().join(".enact-demo-pilot"), pilot.workspace()).unwrap();
    let handed = Handed::of(pilot, 0);
    let accounts = |code: i32| handed.operator.enact(&["accounts", "--json"]).exits(code).json();
    let before = accounts(0);
    blinded(&handed.operator.workspace().join("ledger/ledger.db"));
    assert_ne!(accounts(0), before, "the index hides nothing");
    assert_eq!(code(&handed.operator.enact(&["verify", "--rebuild", "--json"]).exits(4)), "store_structure");
    assert_eq!(code(&handed.operator.enact(&["ledger", "bundle", "blind.tar", "--json"]).exits(4)), "store_structure");
    assert!(!handed.operator.path().join("blind.tar").exists());
    let db = handed.operator.path().join("db");
    let blind = handed.operator.path().join("blind.tar");
    consistent(&handed, &blind, &|name, bytes| {
        if name != "ledger/ledger.db" {
            return bytes;
        }
        fs::write(&db, bytes).unwrap();
        blinded(&db);
        fs::read(&db).unwrap()
    });
    let auditor = Auditor::new();
    assert_eq!(code(&auditor.takes(&blind, Some(handed.key())).exits(4)), "bundle_altered");
    assert!(auditor.has_nothing());
    handed.operator.enact(&["ledger", "rebuild"]).exits(0);
    handed.operator.enact(&["verify", "--rebuild"]).exits(0);
    assert_eq!(accounts(0), before);
}

#[test]
fn p_26_what_comes_beside_the_ledger_is_not_believed_for_coming_along() {
    let handed = Handed::new();
    let file = handed.operator.path().join("other.tar");
    // Another protocol than any that an entry names is none of the ledger's, and said; one that was altered is a finding.
    let own = fs::read(handed.operator.workspace().join("protocol.lock")).unwrap();
    fs::remove_file(handed.operator.workspace().join("protocol/WF_PROVISION_DEVICE_V0.json")).unwrap();
    handed.operator.enact(&["protocol", "seal"]).exits(0);
    let other = fs::read(handed.operator.workspace().join("protocol.lock")).unwrap();
    assert_ne!(own, other);
    consistent(&handed, &file, &|name, bytes| if name == "protocol.lock" { other.clone() } else { bytes });
    let auditor = Auditor::new();
    let said = auditor.takes(&file, Some(handed.key())).exits(0).json();
    assert!(said["not_checked"].to_string().contains("no entry names the protocol"), "{said}");
    let altered = String::from_utf8(own).unwrap().replacen("WF_", "WG_", 1);
    consistent(&handed, &file, &|name, bytes| if name == "protocol.lock" { altered.clone().into_bytes() } else { bytes });
    let auditor = Auditor::new();
    assert_eq!(auditor.takes(&file, Some(handed.key())).exits(4).json()["verdict"], "ALTERED");
    // There are no sources to seal in a bundle, and an empty seal would take the place of the protocol.
    let auditor = Auditor::new();
    fs::create_dir(auditor.0.path().join("looked-at")).unwrap();
    auditor.enact(&["ledger", "unbundle", handed.file.to_str().unwrap(), "looked-at/"]).exits(0);
    assert_eq!(code(&auditor.looks(&["protocol", "seal", "--json"]).exits(1)), "no_sources");
    assert_eq!(fs::read_dir(auditor.0.path()).unwrap().count(), 1, "{:?}", fs::read_dir(auditor.0.path()).unwrap().collect::<Vec<_>>());
    // A key that somebody put into the folder was not given by whoever looks.
    let given = Auditor::new();
    given.takes(&handed.file, Some(handed.key())).exits(0);
    fs::copy(given.0.path().join("looked-at/keys/ledger.pub"), auditor.0.path().join("looked-at/keys/ledger.pub")).unwrap();
    let verified = auditor.looks(&["verify", "--json"]).exits(0).json();
    assert!(verified["not_checked"].to_string().contains("came with it"), "{verified}");
}
