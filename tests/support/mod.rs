//! A scratch workspace and the `enact` command, for tests.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use enact_core::entry::{Entry, Head};
use enact_core::hash::{entry_hash, leaf_hash};
use rusqlite::params;
use serde_json::Value;
use tempfile::TempDir;

/// The workflow of the quick start.
pub(crate) const REGISTER: &str = "WF_REGISTER_USER_UNVERIFIED_V0";

/// A workspace in a temporary folder.
pub(crate) struct Scratch {
    dir: TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as one JSON document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

impl Scratch {
    /// An empty folder; `run` will create the workspace.
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// A folder with an initialised workspace.
    pub(crate) fn init() -> Self {
        let scratch = Self::new();
        scratch.enact(&["init"]).exits(0);
        scratch
    }

    /// The temporary folder.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The workspace in it.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.dir.path().join(".enact")
    }

    /// A command that works on this workspace.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
        command.current_dir(self.dir.path()).env_remove("ENACT_WORKSPACE").env("NO_COLOR", "1");
        command
    }

    /// Runs `enact` with arguments.
    pub(crate) fn enact(&self, args: &[&str]) -> Ran {
        ran(&self.command().args(args).output().unwrap())
    }

    /// Writes a file and answers its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// Founds the governance with two stewards, ada and bo; ada is registrar as well.
    pub(crate) fn stewards(&self) {
        self.enact(&["actor", "found", "ada", "--json"]).exits(0);
        self.enact(&["actor", "new", "bo", "--as", "ada", "--role", "steward", "--json"]).exits(0);
    }

    /// Has a module examined, proposed by one and ratified by the other.
    pub(crate) fn admit(&self, name: &str, bytes: &[u8], [by, other]: [&str; 2]) {
        let file = self.path().join(format!("{name}.wasm"));
        std::fs::write(&file, bytes).unwrap();
        self.enact(&["module", "add", &file.to_string_lossy(), "--name", name, "--as", by, "--ratify-as", other, "--json"]).exits(0);
    }

    /// Seals the protocol, and has it proposed by one and ratified by the other.
    pub(crate) fn adopt(&self, [by, other]: [&str; 2]) {
        self.enact(&["protocol", "seal", "--json"]).exits(0);
        let proposed = self.enact(&["protocol", "adopt", "--as", by, "--json"]).exits(0).json();
        let hash = proposed["records"][0]["hash"].as_str().unwrap();
        self.enact(&["protocol", "adopt", "--as", other, "--ratify", hash, "--json"]).exits(0);
    }

    /// Registers one person.
    pub(crate) fn register(&self, name: &str) -> Value {
        let payload = self.file(&format!("{name}.json"), &person(name).to_string());
        self.enact(&["run", REGISTER, "--payload", &payload, "--json"]).exits(0).json()
    }

    /// Opens the ledger's database the way any SQL tool would.
    pub(crate) fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.workspace().join("ledger/ledger.db")).unwrap()
    }
}

/// A script that may mount what only it sees. Where a machine allows no such thing, it does not run, which CI does not let pass.
pub(crate) fn namespace(script: &str) -> Option<Command> {
    let command = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-ec", script]);
        command
    };
    if !command("true").output().is_ok_and(|made| made.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "this machine allows no mount namespace");
        println!("did not run: this machine allows no mount namespace");
        return None;
    }
    Some(command(script))
}

/// Output of a finished process.
pub(crate) fn ran(output: &Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Reseals a whole ledger after a change, as consistently as one can who owns the file and no key.
pub(crate) fn reseal(scratch: &Scratch, change: &dyn Fn(u64, &mut Entry)) {
    let sql = scratch.sql();
    let size: i64 = sql.query_row("SELECT count(*) FROM entries", [], |r| r.get(0)).unwrap();
    let mut head = Head::empty();
    for seq in 0..size {
        let bytes: Vec<u8> = sql.query_row("SELECT bytes FROM entries WHERE seq = ?1", [seq], |r| r.get(0)).unwrap();
        let mut entry = Entry::parse(&bytes).unwrap();
        change(u64::try_from(seq).unwrap(), &mut entry);
        entry.prev = head.entry_hash;
        let bytes = entry.to_bytes().unwrap();
        let (hash, leaf) = (entry_hash(&bytes), leaf_hash(&bytes));
        sql.execute("UPDATE entries SET bytes = ?1, leaf = ?2 WHERE seq = ?3", params![bytes, leaf.as_slice(), seq]).unwrap();
        head.frontier.push(leaf);
        (head.size, head.entry_hash, head.at) = (head.frontier.size(), Some(hash), entry.at);
    }
    sql.execute(
        "UPDATE head SET entry_hash = ?1, root = ?2, frontier = ?3",
        params![head.entry_hash.map(|h| h.to_string()), head.root().as_slice(), head.frontier.to_bytes()],
    )
    .unwrap();
}

/// A payload that the registration workflow accepts.
pub(crate) fn person(name: &str) -> Value {
    serde_json::json!({"user_record": {
        "first_name": name, "last_name": "Doe", "email_registration": format!("{name}@example.com"),
    }})
}

/// A file of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
