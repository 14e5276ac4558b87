//! A ledger under the pack as it lies in the project, and everybody who has a part in it. No assertion about the spine lives here.
use std::collections::BTreeMap;

use enact_engine::govern::Proposed;
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineError, EngineOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::project;

/// Who is there, and with which roles. Zoe has all of them and is a human being; the bot has all of them and is none.
pub(super) const CAST: [(&str, &[&str]); 24] = [
    ("wanda", &["workforce"]),
    ("rita", &["requester"]),
    ("meter-7", &["sensor"]),
    ("ira", &["intake"]),
    ("rhea", &["reviewer"]),
    ("sol", &["supervisor"]),
    ("hub", &["router", "dispatcher"]),
    ("dora", &["dispatcher"]),
    ("cole", &["coordinator"]),
    ("olga", &["operator"]),
    ("otto", &["operator"]),
    ("nils", &["operator"]),
    ("ines", &["inspector"]),
    ("carla", &["commerce"]),
    ("saul", &["settler"]),
    ("tess", &["settler"]),
    ("omni", &["omni"]),
    ("eve", &["executive"]),
    ("adam", &["admin"]),
    ("suri", &["surface_owner"]),
    ("sven", &["surface_owner"]),
    ("nobody", &[]),
    ("zoe", ROLES),
    ("bot", ROLES),
];

/// Every role of the pack.
pub(super) const ROLES: &[&str] = &[
    "workforce",
    "requester",
    "sensor",
    "intake",
    "reviewer",
    "supervisor",
    "router",
    "dispatcher",
    "coordinator",
    "operator",
    "inspector",
    "commerce",
    "settler",
    "omni",
    "executive",
    "admin",
    "surface_owner",
];

/// Who was attested to be a human being. Nils was forgotten.
pub(super) const HUMANS: [&str; 6] = ["dora", "cole", "olga", "otto", "ines", "zoe"];

/// The way from the request to the settlement: each step by who takes it. A payment is captured beside it, before the settlement.
pub(super) const WAY: [(&str, &str); 16] = [
    ("REQUEST.OPEN", "rita"),
    ("REQUEST.SUBMIT", "ira"),
    ("TASK.OPEN", "ira"),
    ("TASK.REVIEW", "rhea"),
    ("TASK.APPROVE", "sol"),
    ("ASSIGNMENT.MAKE", "dora"),
    ("TASK.ASSIGN", "dora"),
    ("JOB.CREATE", "cole"),
    ("JOB.CLAIM", OPERATOR),
    ("SERVICE.START", OPERATOR),
    ("EVIDENCE.SUBMIT", OPERATOR),
    ("EVIDENCE.VALIDATE", "ines"),
    ("SERVICE.COMPLETE", OPERATOR),
    ("RECORD.SEAL", OPERATOR),
    ("SERVICE_SETTLEMENT.OPEN", "saul"),
    ("SERVICE_SETTLEMENT.SETTLE", "tess"),
];

/// Stands for whoever operates the chain.
pub(super) const OPERATOR: &str = "(operator)";

/// What the map of the one surface says.
const STAGES: [&str; 3] = ["seal-off", "exchange", "test"];

/// Where a subject stands: its state, the entry of its last record, and that record.
pub(super) type Stands = (Option<String>, u64, String);

/// The artifacts of the pack, by their codes.
pub(super) fn artifacts() -> BTreeMap<String, Value> {
    let folder = std::fs::read_dir(project("protocol/packs/spine/artifacts")).unwrap();
    let read = |path: std::path::PathBuf| {
        let value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), value)
    };
    folder.map(|file| read(file.unwrap().path())).collect()
}

/// One of them.
pub(super) fn artifact(code: &str) -> Value {
    artifacts().remove(code).unwrap_or_else(|| panic!("no {code}"))
}

/// Who operates a chain.
pub(super) fn operator(chain: u32) -> &'static str {
    if chain.is_multiple_of(2) { "otto" } else { "olga" }
}

/// A ledger with everybody in it.
pub(super) struct Crew {
    pub(super) engine: Engine,
    _dir: TempDir,
}

impl Crew {
    /// With the first steps of the way taken on chain 1.
    pub(super) fn at(steps: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let (workspace, _) = Workspace::create(&dir.path().join(".enact"), None).unwrap();
        // The pack as it lies in the project, whatever was built in.
        for (code, value) in artifacts() {
            workspace.write_artifact(&code, value.to_string().as_bytes()).unwrap();
        }
        workspace.seal().unwrap();
        let path = workspace.path().to_owned();
        drop(workspace);
        let engine = Engine::open(Workspace::open(&path).unwrap(), &EngineOptions::default()).unwrap();
        let roles = ["registrar", "steward", "issuer"].map(String::from);
        engine.found("ada", &roles).unwrap();
        for (who, roles) in CAST {
            let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
            engine.register("ada", who, None, &roles, None).unwrap();
        }
        let crew = Self { engine, _dir: dir };
        crew.fund("50000");
        for human in HUMANS {
            let by = if human == "wanda" { "zoe" } else { "wanda" };
            crew.say(by, crew.about("SPINE_PERSON", "PERSON.ATTEST", &format!("Person:{human}"), json!({}))).unwrap();
        }
        crew.map_surface("walkthrough");
        crew.take(0, steps);
        crew
    }

    /// Gives Rita money to pay with.
    pub(super) fn fund(&self, amount: &str) {
        let transfers = self.engine.subjects("Transfer:", 1_000).unwrap().len();
        let mut issue = self.about(
            "TRANSFER",
            "TRANSFER.ISSUE",
            &format!("Transfer:F-{transfers}"),
            json!({"to": "rita", "asset": "EUR", "amount": amount}),
        );
        issue["postings"] = legs("mint", "holder:rita", "EUR", amount);
        self.say("ada", issue).unwrap();
    }

    /// Proposes and ratifies the map of a surface.
    pub(super) fn map_surface(&self, name: &str) {
        let subject = format!("SurfaceMap:{name}");
        let map = |action: &str| self.about("SURFACE_MAP", action, &subject, json!({"stages": STAGES}));
        self.say("suri", map("SURFACE_MAP.PROPOSE")).unwrap();
        let mut ratify = map("SURFACE_MAP.RATIFY");
        let proposal = self.engine.history(&subject).unwrap().last().unwrap().record.clone();
        ratify["refs"] = json!({ "proposal": proposal });
        self.say("sven", ratify).unwrap();
    }

    /// Steps of the way on chain 1.
    pub(super) fn take(&self, from: usize, to: usize) {
        self.take_chain(1, from, to);
    }

    /// Steps of the way.
    pub(super) fn take_chain(&self, chain: u32, from: usize, to: usize) {
        for (action, who) in &WAY[from..to] {
            let who = if *who == OPERATOR { operator(chain) } else { who };
            self.say(who, self.record(action, chain, who)).unwrap_or_else(|code| panic!("{action} by {who}: {code}"));
        }
    }

    /// Settles a chain whose record is sealed.
    pub(super) fn settle(&self, chain: u32) {
        self.say("carla", self.record("PAYMENT.CAPTURE", chain, "carla")).unwrap();
        self.take_chain(chain, 14, 16);
    }

    /// The whole way of a chain.
    pub(super) fn settled(&self, chain: u32) {
        self.take_chain(chain, 0, 14);
        self.settle(chain);
    }

    /// A record without anything special.
    pub(super) fn about(&self, type_: &str, action: &str, subject: &str, payload: Value) -> Value {
        json!({"type": type_, "action": action, "subject": subject, "payload": payload})
    }

    /// The record with which an actor would take a step on a chain, complete as the pack wants it.
    pub(super) fn record(&self, action: &str, chain: u32, who: &str) -> Value {
        record(action, chain, who)
    }

    /// Proposes; the code when it is refused.
    pub(super) fn say(&self, who: &str, proposal: Value) -> Result<(), String> {
        match self.engine.propose(who, &read(&proposal)) {
            Ok(_) => Ok(()),
            Err(EngineError::Refused(refused)) => Err(refused.code.clone()),
            Err(other) => panic!("{proposal:#}: {other}"),
        }
    }

    /// What would become of it; nothing is appended.
    pub(super) fn asks(&self, who: &str, proposal: Value) -> Result<(), String> {
        let explained = self.engine.explain(who, &read(&proposal)).unwrap();
        explained.refused.map_or(Ok(()), |refused| Err(refused.code))
    }

    /// Where every subject stands.
    pub(super) fn subjects(&self) -> BTreeMap<String, Stands> {
        let rows = self.engine.subjects("", 100_000).unwrap();
        rows.into_iter().map(|found| (found.subject, (found.row.state, found.row.seq, found.row.last.to_string()))).collect()
    }
}

fn read(proposal: &Value) -> Vec<Proposed> {
    Proposed::read(proposal.to_string().as_bytes(), "a test").unwrap()
}

fn legs(debit: &str, credit: &str, asset: &str, amount: &str) -> Value {
    json!([{"account": debit, "amount": amount, "asset": asset, "side": "debit"}, {"account": credit, "amount": amount, "asset": asset, "side": "credit"}])
}

/// Every action that a chain can meet, with its record type and what its subject begins with.
pub(super) const ACTIONS: [(&str, &str, &str); 34] = [
    ("REQUEST.OPEN", "SPINE_REQUEST", "Request:R-"),
    ("REQUEST.RAISE", "SPINE_REQUEST", "Request:R-"),
    ("REQUEST.SUBMIT", "SPINE_REQUEST", "Request:R-"),
    ("REQUEST.WITHDRAW", "SPINE_REQUEST", "Request:R-"),
    ("TASK.OPEN", "SPINE_TASK", "Task:T-"),
    ("TASK.REVIEW", "SPINE_TASK", "Task:T-"),
    ("TASK.APPROVE", "SPINE_TASK", "Task:T-"),
    ("TASK.REJECT", "SPINE_TASK", "Task:T-"),
    ("TASK.ASSIGN", "SPINE_TASK", "Task:T-"),
    ("TASK.ANNOTATE", "SPINE_TASK", "Task:T-"),
    ("TASK.CLOSE", "SPINE_TASK", "Task:T-"),
    ("ROUTING.STATE", "SPINE_ROUTING", "Routing:RT-"),
    ("ASSIGNMENT.MAKE", "SPINE_ASSIGNMENT", "Assignment:A-"),
    ("ASSIGNMENT.RELEASE", "SPINE_ASSIGNMENT", "Assignment:A-"),
    ("JOB.CREATE", "SPINE_JOB", "Job:J-"),
    ("JOB.ANNOTATE", "SPINE_JOB", "Job:J-"),
    ("JOB.CANCEL", "SPINE_JOB", "Job:J-"),
    ("JOB.CLAIM", "SPINE_JOB", "Job:J-"),
    ("JOB.COMPLETE", "SPINE_JOB", "Job:J-"),
    ("SERVICE.START", "SPINE_SERVICE_EVENT", "ServiceEvent:S-"),
    ("SERVICE.COMPLETE", "SPINE_SERVICE_EVENT", "ServiceEvent:S-"),
    ("SERVICE.REPORT_PARTIAL", "SPINE_SERVICE_EVENT", "ServiceEvent:S-"),
    ("EVIDENCE.SUBMIT", "SPINE_EVIDENCE", "Evidence:E-"),
    ("EVIDENCE.VALIDATE", "SPINE_EVIDENCE", "Evidence:E-"),
    ("EVIDENCE.REJECT", "SPINE_EVIDENCE", "Evidence:E-"),
    ("RECORD.SEAL", "SPINE_RECORD", "ServiceRecord:REC-"),
    ("PAYMENT.CAPTURE", "SPINE_PAYMENT", "ServicePayment:P-"),
    ("PAYMENT.RETURN", "SPINE_PAYMENT", "ServicePayment:P-"),
    ("SERVICE_SETTLEMENT.OPEN", "SPINE_SETTLEMENT", "ServiceSettlement:N-"),
    ("SERVICE_SETTLEMENT.SETTLE", "SPINE_SETTLEMENT", "ServiceSettlement:N-"),
    ("SURFACE.OPEN", "SURFACE_EVENT", "Surface:S-"),
    ("SURFACE.STAGE", "SURFACE_EVENT", "Surface:S-"),
    ("SURFACE.FINISH", "SURFACE_EVENT", "Surface:S-"),
    ("OBSERVATION.NOTE", "SPINE_OBSERVATION", "Observation:O-"),
];

/// The subject that an action is about.
pub(super) fn subject(action: &str, chain: u32) -> String {
    let (_, _, prefix) = ACTIONS.iter().find(|(name, _, _)| *name == action).unwrap_or_else(|| panic!("no {action}"));
    if action.starts_with("SURFACE.") { format!("{prefix}{chain}.walkthrough") } else { format!("{prefix}{chain}") }
}

fn record(action: &str, chain: u32, who: &str) -> Value {
    let (_, type_, _) = ACTIONS.iter().find(|(name, _, _)| *name == action).unwrap_or_else(|| panic!("no {action}"));
    let id = |letter: &str| format!("{letter}-{chain}");
    let reason = json!({"reason": "It is so."});
    let digest = format!("sha256:{chain:064x}");
    let mine = format!("Actor:{who}");
    let terms = |mut payload: Value| {
        payload.as_object_mut().unwrap().extend([
            ("payer".to_owned(), json!("rita")),
            ("asset".to_owned(), json!("EUR")),
            ("amount".to_owned(), json!("10000")),
        ]);
        payload
    };
    let operated = format!("Actor:{}", operator(chain));
    let (payload, consumes): (Value, Vec<String>) = match action {
        "REQUEST.OPEN" => (json!({"need": "A valve leaks.", "site": "CELLAR-4", "origin": "actor"}), vec![]),
        "REQUEST.RAISE" => (json!({"need": "Pressure is low.", "site": "CELLAR-4", "origin": "system"}), vec![]),
        "TASK.OPEN" => (json!({"request": id("R"), "title": "Mend it."}), vec![format!("task:{}", id("R"))]),
        "TASK.REVIEW" => (json!({"finding": "A seal is worn."}), vec![]),
        "TASK.ASSIGN" => (json!({"assignment": id("A")}), vec![]),
        "TASK.ANNOTATE" | "JOB.ANNOTATE" => (json!({"note": "The key is at the gate."}), vec![]),
        "TASK.CLOSE" => (json!({"outcome": "Done with it."}), vec![]),
        "ROUTING.STATE" => (json!({"task": id("T"), "origin": "cellar-sensors", "suggested": operated}), vec![]),
        "ASSIGNMENT.MAKE" => (json!({"task": id("T"), "assignee": operated}), vec![format!("assignment:{}", id("T"))]),
        "JOB.CREATE" => (terms(json!({"task": id("T"), "assignment": id("A"), "operator": operated})), vec![format!("job:{}", id("A"))]),
        "SERVICE.START" => (json!({"job": id("J"), "operator": mine}), vec![format!("service:{}", id("J"))]),
        "SERVICE.COMPLETE" => (json!({"evidence": id("E"), "digest": digest}), vec![]),
        "SERVICE.REPORT_PARTIAL" => (json!({"undone": "No spare part."}), vec![]),
        "EVIDENCE.SUBMIT" => (json!({"event": id("S"), "digest": digest}), vec![]),
        "EVIDENCE.VALIDATE" => (json!({"seen": digest}), vec![]),
        "RECORD.SEAL" => {
            (terms(json!({"event": id("S"), "job": id("J"), "operator": mine, "digest": digest})), vec![format!("record:{}", id("S"))])
        }
        "PAYMENT.CAPTURE" => {
            let reference = id("CARD");
            (terms(json!({ "reference": reference })), vec![format!("payment:{reference}")])
        }
        "SERVICE_SETTLEMENT.OPEN" => (
            terms(json!({"record": id("REC"), "payment": id("P"), "payee": operator(chain)})),
            vec![format!("service-settlement:{}", id("REC")), format!("payment-use:{}", id("P"))],
        ),
        "SURFACE.OPEN" => (json!({"event": id("S"), "surface": "walkthrough"}), vec![format!("surface:{}/walkthrough", id("S"))]),
        "SURFACE.STAGE" => (json!({"stage": "seal-off"}), vec![]),
        "SURFACE.FINISH" => (json!({ "stages": STAGES }), vec![]),
        "OBSERVATION.NOTE" => (json!({"about": format!("Request:{}", id("R")), "note": "Seen."}), vec![]),
        "REQUEST.WITHDRAW" | "TASK.REJECT" | "ASSIGNMENT.RELEASE" | "JOB.CANCEL" | "EVIDENCE.REJECT" | "PAYMENT.RETURN" => (reason, vec![]),
        _ => (json!({}), vec![]),
    };
    let mut record = json!({"type": type_, "action": action, "subject": subject(action, chain), "payload": payload, "consumes": consumes});
    let (stages, surface, captured) =
        (format!("stages:{}", id("S")), format!("surfaces:{}.walkthrough", id("S")), format!("captured:{}", id("P")));
    let moved = match action {
        "SERVICE.COMPLETE" => Some(legs(&stages, "stages-closed", "STAGE", "100")),
        "SURFACE.OPEN" => Some(legs(&stages, &surface, "STAGE", "1")),
        "SURFACE.FINISH" => Some(legs(&surface, &stages, "STAGE", "1")),
        "PAYMENT.CAPTURE" => Some(legs("holder:rita", &captured, "EUR", "10000")),
        "PAYMENT.RETURN" => Some(legs(&captured, "holder:rita", "EUR", "10000")),
        "SERVICE_SETTLEMENT.SETTLE" => Some(legs(&captured, &format!("holder:{}", operator(chain)), "EUR", "10000")),
        _ => None,
    };
    if let Some(moved) = moved {
        record["postings"] = moved;
    }
    record
}
