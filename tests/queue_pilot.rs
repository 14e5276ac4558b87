//! A workspace in which the story of pack `wst` was told, and what tests of the queue do with it.
use std::cell::Cell;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use enact_core::hash::module_digest;
use enact_engine::workspace::Workspace;
use serde_json::{Value, json};

use crate::hostile;
use crate::support::{Ran, Scratch, project};

pub(crate) const WATER: &str = "EXQ-20260417-1";
pub(crate) const GRANT: &str = "EXQ-20260417-2";
pub(crate) const VOIDED: &str = "EXQ-20260417-3";
pub(crate) const PAPER: &str = "sha256:abababababababababababababababababababababababababababababababab";

/// Two items to carry out, and one that was voided.
pub(crate) struct Pilot {
    pub(crate) scratch: Scratch,
    numbers: Cell<usize>,
}

impl Pilot {
    pub(crate) fn new() -> Self {
        // Told once, and copied for everybody.
        static TOLD: OnceLock<Scratch> = OnceLock::new();
        let told = TOLD.get_or_init(|| {
            let scratch = Scratch::new();
            scratch.enact(&["demo", "wst", "--dir", ".enact", "--json"]).exits(0);
            scratch
        });
        let scratch = Scratch::new();
        copy(&told.workspace(), &scratch.workspace());
        Self { scratch, numbers: Cell::new(0) }
    }

    pub(crate) fn enact(&self, args: &[&str]) -> Ran {
        self.scratch.enact(args)
    }

    /// `done`, or the code with which a command is refused.
    #[track_caller]
    pub(crate) fn said(&self, args: &[&str]) -> String {
        let ran = self.enact(&[args, &["--json"]].concat());
        if ran.code == 0 {
            let answered = serde_json::from_str::<Value>(&ran.out).is_ok_and(|out| !out["original"].is_null());
            return if answered { "original" } else { "done" }.to_owned();
        }
        ran.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("no code: {ran:#?}")).to_owned()
    }

    /// The code with which a command is refused.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let said = self.said(args);
        assert_ne!(said, "done", "{args:?}");
        said
    }

    pub(crate) fn item(&self, id: &str) -> Value {
        self.enact(&["queue", "show", id, "--json"]).exits(0).json()
    }

    pub(crate) fn status(&self, id: &str) -> String {
        self.item(id)["status"].as_str().unwrap().to_owned()
    }

    /// The lines of an item.
    pub(crate) fn lines(&self, id: &str) -> Vec<Value> {
        let lines = self.enact(&["queue", "watch", id, "--once", "--json"]).exits(0).out;
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn events(&self, id: &str) -> Vec<String> {
        self.lines(id).iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn work(&self) -> Ran {
        self.enact(&["work", "--once", "--as", "worker-one", "--json"])
    }

    pub(crate) fn balance(&self, account: &str, asset: &str) -> String {
        let report = self.enact(&["balance", account, "--json"]).exits(0).json();
        let found = report["balances"].as_array().unwrap().iter().find(|row| row["asset"] == asset).cloned();
        found.map_or_else(|| "0".to_owned(), |row| row["balance"].as_str().unwrap().to_owned())
    }

    /// A worker that takes an item and is killed before it has done anything with it; the item.
    pub(crate) fn killed_with_an_item(&self, lease: &str) -> String {
        let sql = self.scratch.sql();
        sql.busy_timeout(Duration::from_secs(10)).unwrap();
        for _ in 0..50 {
            let item = self.queued(&[json!({})]).remove(0);
            let status =
                || -> String { sql.query_row("SELECT status FROM queue_items WHERE item = ?1", [&item], |row| row.get(0)).unwrap() };
            let mut command = self.scratch.command();
            command.args(["work", "--once", "--as", "worker-one", "--lease", lease, "-q"]);
            let mut worker = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            while status() != "EXECUTING" && worker.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            worker.kill().unwrap();
            worker.wait().unwrap();
            if status() == "EXECUTING" {
                return item;
            }
        }
        panic!("no worker was killed at the right moment")
    }

    pub(crate) fn sound(&self) {
        assert_eq!(self.enact(&["verify", "--rebuild", "--json"]).exits(0).json()["verdict"], "BALANCED");
        assert_eq!(self.enact(&["audit", "--all", "--json"]).exits(0).json()["verdict"], "REPLAYED");
    }

    /// Everything that a refusal must not change: the head of the ledger, the items, the journal.
    pub(crate) fn whole(&self) -> Vec<String> {
        let sql = self.scratch.sql();
        let rows = |query: &str| -> Vec<String> {
            let mut prepared = sql.prepare(query).unwrap();
            let found = prepared.query_map([], |row| row.get::<_, String>(0)).unwrap();
            found.map(Result::unwrap).collect()
        };
        let mut all = rows("SELECT size || ' ' || coalesce(entry_hash, '') FROM head");
        all.extend(rows(
            "SELECT item || ' ' || status || ' ' || attempts || ' ' || fence || ' ' || coalesce(owner, '') || ' ' || archived FROM queue_items",
        ));
        all.extend(rows("SELECT id || ' ' || line FROM queue_journal ORDER BY id"));
        all
    }

    /// Proposes a record as an actor: `done` or the code.
    pub(crate) fn propose(&self, by: &str, record: &Value) -> String {
        let file = self.scratch.file("proposed.json", &record.to_string());
        self.said(&["propose", &file, "--as", by])
    }

    /// A record about the world of the pilot that must be appended.
    #[track_caller]
    pub(crate) fn happens(&self, by: &str, kind: &str, action: &str, subject: &str, payload: &Value) {
        assert_eq!(self.propose(by, &record(kind, action, subject, payload)), "done", "{action} {subject}");
    }

    /// Proposes lines, each an entry of its own.
    #[track_caller]
    pub(crate) fn each(&self, by: &str, lines: impl IntoIterator<Item = Value>) {
        let text = lines.into_iter().fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        });
        let file = self.scratch.file("lines.ndjson", &text);
        self.enact(&["propose", &file, "--each", "--as", by, "-q"]).exits(0);
    }

    /// Accepted intents with these differences from the usual terms, each with a unit of its own; answers what would queue them.
    pub(crate) fn accepted(&self, differences: &[Value]) -> Vec<Value> {
        let first = self.numbers.get();
        self.numbers.set(first + differences.len());
        let numbered: Vec<(usize, Value)> = (first..).zip(differences).map(|(n, difference)| (n, terms(n, difference))).collect();
        let payload = json!({"project_id": "JWP", "title": "a unit"});
        self.each("joan", numbered.iter().map(|(n, _)| record("UNIT_EVENT", "unit.opened", &format!("Unit:R-{n}"), &payload)));
        let intent = |n: usize| format!("INT-20260418-{n}");
        let subject = |n: usize| format!("Intent:{}", intent(n));
        self.each("desk", numbered.iter().map(|(n, terms)| record("INTENT_EVENT", "intent.created", &subject(*n), terms)));
        self.each("ruth", numbered.iter().map(|(n, _)| record("INTENT_EVENT", "intent.accepted", &subject(*n), &json!({}))));
        let mut all = Vec::new();
        for (n, mut terms) in numbered {
            terms["intent_id"] = json!(intent(n));
            all.push(record("EXECUTION_EVENT", "execution.queued", &format!("Execution:EXQ-20260418-{n}"), &terms));
        }
        all
    }

    /// The same, queued by an actor; answers the ids of the items.
    pub(crate) fn queued_by(&self, by: &str, differences: &[Value]) -> Vec<String> {
        let records = self.accepted(differences);
        self.each(by, records.clone());
        records.iter().map(|record| record["subject"].as_str().unwrap().replace("Execution:", "")).collect()
    }

    pub(crate) fn queued(&self, differences: &[Value]) -> Vec<String> {
        self.queued_by("joan", differences)
    }

    /// More of a value for the water works.
    pub(crate) fn issue(&self, id: &str, class: &str, quantity: &str) {
        let leg = |account: &str, side: &str| json!({"account": account, "amount": quantity, "asset": class, "side": side});
        let mut issue = record(
            "WST_ISSUE",
            "value.issued",
            &format!("Issue:{id}"),
            &json!({"member": "water-works", "value_class": class, "quantity": quantity}),
        );
        issue["kind"] = json!("POSTING");
        issue["postings"] = json!([leg("treasury", "debit"), leg("wallet:water-works", "credit")]);
        assert_eq!(self.propose("ruth", &issue), "done");
    }

    /// An artifact of the pack.
    pub(crate) fn artifact(code: &str) -> Value {
        let file = project("protocol/packs/wst/artifacts").join(format!("{code}.json"));
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    /// Puts artifacts and modules in the place of those of the pack, and adopts what is sealed then.
    pub(crate) fn adopt(&self, artifacts: &[Value], modules: &[(&str, Vec<u8>)]) {
        let workspace = Workspace::open(&self.scratch.workspace()).unwrap();
        for steward in ["ruth", "saul"] {
            // Granted once; a second time changes nothing.
            self.enact(&["actor", "grant", steward, "--role", "steward", "--as", "ada", "--json"]);
        }
        for (name, bytes) in modules {
            // A file is admitted once; another name may stand for it then.
            if workspace.module_bytes(&module_digest(bytes).to_string()).is_ok() {
                workspace.add_module(name, bytes).unwrap();
            } else {
                self.scratch.admit(name, bytes, ["ruth", "saul"]);
            }
        }
        for artifact in artifacts {
            workspace.write_artifact(artifact["code"].as_str().unwrap(), artifact.to_string().as_bytes()).unwrap();
        }
        self.scratch.adopt(["ruth", "saul"]);
    }

    /// Adopts a protocol whose workflow calls this side effect first, bound with the members of `row`.
    pub(crate) fn adopt_effect(&self, module: Vec<u8>, imports: &Value, row: &Value) {
        let [_, _, mut contract, ..] = hostile::artifacts(0, &json!({}));
        contract["pipeline"][0]["capability"] = "CS_ASKER_V0".into();
        contract["pipeline"][0]["surface"] = json!(["SUCCESS"]);
        contract["pipeline"][0]["on_result"] = json!({"SUCCESS": "exit"});
        let effect = json!({"code": "CS_ASKER_V0", "summary": "Asks for what it was built to ask", "imports": imports,
            "operations": {"DO": {"inputs": {"data": {"type": "any"}}, "outputs": {"out": {"type": "any"}}, "statuses": ["SUCCESS"]}}});
        let mut bound = json!({"host": "component", "module": "asker", "stores": {"*": "asker/keys"}});
        bound.as_object_mut().unwrap().extend(row.as_object().unwrap().clone());
        let mut binding = Self::artifact("RB_WST_V0");
        binding["bindings"]["CS_ASKER_V0"] = bound;
        self.adopt(&[effect, contract, Self::calling("CC_HOSTILE_0_V0"), binding], &[("asker", module)]);
    }

    /// The workflow of the pack, which calls this contract first.
    fn calling(contract: &str) -> Value {
        let mut workflow = Self::artifact("WF_WST_TRANSFER_V0");
        workflow["nodes"]["IN_WST_TRANSFER_REQUESTED_V0"]["next"]["ACK"] = json!(contract);
        workflow["nodes"][contract] = json!({"contract": contract, "inputs": {"data": "$.queue_id"},
            "next": {"SUCCESS": "CC_WST_CHECK_VALUE_CLASS_V0", "VIOLATION": "EXIT_FAILED", "BACKEND_ERROR": "EXIT_FAILED"}});
        workflow
    }

    /// Adopts a protocol whose workflow calls this module first; what it answers decides how the run goes on.
    pub(crate) fn adopt_step(&self, index: usize, module: Vec<u8>, limits: &Value) {
        let name = format!("hostile-{index}");
        let mut artifacts: Vec<Value> =
            hostile::artifacts(index, limits).into_iter().filter(|one| !one["code"].as_str().unwrap().starts_with("WF")).collect();
        let workflow = Self::calling(&format!("CC_HOSTILE_{index}_V0"));
        let mut binding = Self::artifact("RB_WST_V0");
        binding["bindings"][format!("CT_HOSTILE_{index}_V0")] = json!({"host": "component", "module": name});
        artifacts.extend([workflow, binding]);
        self.adopt(&artifacts, &[(&name, module)]);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() { copy(&path, &to.join(name)) } else { std::fs::copy(&path, to.join(name)).map(drop).unwrap() }
    }
}

/// The usual terms with differences.
fn terms(n: usize, difference: &Value) -> Value {
    let mut terms = json!({"project_id": "JWP", "unit_id": format!("R-{n}"), "from_member": "water-works", "to_member": "clinic",
        "seat_id": "water-1", "charter_no": "JWP-1", "value_class": "WATER_SHARE", "quantity": "1"});
    for (name, value) in difference.as_object().into_iter().flatten() {
        terms[name] = value.clone();
    }
    terms
}

pub(crate) fn record(kind: &str, action: &str, subject: &str, payload: &Value) -> Value {
    json!({"type": kind, "action": action, "subject": subject, "payload": payload})
}
