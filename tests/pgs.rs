//! A published protocol that was not written for this host, run unchanged: its workflows, stores and vectors.
//!
//! `ENACT_PGS` names the folder with `artifacts`, `cases` and `transforms`; without it the tests say that they did not run. Every
//! case either gives what the reference recorded or stands in the list below, with its reason and an expectation of its own.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use enact_engine::sources::Sources;
use enact_engine::workspace::Workspace;
use enact_engine::{AuditOptions, Engine, EngineError, EngineOptions, RunReport, RunRequest, embedded};
use enact_flow::problem::Level;
use enact_store::{Kind, StateRead as _, Write};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// 2026-01-02T03:04:05.678901Z: the clock of the recorded runs.
const CLOCK_MICROS: i64 = 1_767_323_045_678_901;

/// The clock and randomness that the reference was recorded with.
struct Stubs {
    unique: AtomicU64,
}

impl Sources for Stubs {
    fn now_micros(&self) -> i64 {
        CLOCK_MICROS
    }
    fn fill(&self, bytes: &mut [u8]) -> bool {
        for (byte, n) in bytes.iter_mut().zip(0_u8..) {
            *byte = n;
        }
        true
    }
    fn unique(&self) -> Option<[u8; 16]> {
        Some(u128::from(self.unique.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes())
    }
}

/// What must happen where a requirement and not the reference decides.
#[derive(Debug, Clone, Copy)]
enum Own {
    /// Refused at import, compilation or binding, before the first node, with this code.
    Before(&'static str),
    /// Refused before the run starts: the payload.
    Payload(&'static str),
    /// Runs to this exit, the last node before it ending in this status.
    Run { last: &'static str, class: &'static str, reason: &'static str },
    /// As recorded, without these members of the payload.
    Without(&'static [&'static str]),
}

const P_11: &str = "P-11: only declared outputs reach the payload";
const P_14: &str = "P-14: an unresolved member fails the step; the reference drops it";
const P_18: &str = "P-18: a status that is not allowed follows no edge";
const P_31: &str = "P-31: found when the protocol is compiled, not in the middle of a run";
const VIOLATION: Own = Own::Run { last: "VIOLATION", class: "FAILURE", reason: "VIOLATION" };
const UNDECLARED: Own = Own::Run { last: "PROTOCOL_VIOLATION", class: "FAILURE", reason: "UNDECLARED_STATUS" };

/// Where a requirement decides and the reference does otherwise.
const BY_REQUIREMENT: &[(&str, Own, &str)] = &[
    ("col_06", Own::Run { last: "NACK", class: "FAILURE", reason: "REJECTED" }, "P-16: a list is checked to be one"),
    ("drv_cc_bindings_section", Own::Before("separate_bindings"), P_31),
    ("drv_composite_list_omission", VIOLATION, P_14),
    ("drv_ct_loop", Own::Before("molecule_loop"), "P-32: a molecule is a list without loops"),
    (
        "drv_ct_module_missing",
        Own::Run { last: "SUCCESS", class: "SUCCESS", reason: "COMPLETED" },
        "P-06: what implements a code is said by the binding; a path inside the artifact is not followed",
    ),
    ("drv_expr_forms", VIOLATION, P_14),
    ("drv_no_entry_node", Own::Before("no_entry_node"), "P-04: found at load, not at the start"),
    ("drv_no_transition", Own::Run { last: "SUCCESS", class: "FAILURE", reason: "NO_TRANSITION" }, P_31),
    ("drv_node_not_found", Own::Before("missing_node"), P_31),
    ("drv_on_result_unknown_action", Own::Without(&["kyc_key"]), P_11),
    ("drv_output_overrides_status", Own::Without(&["why"]), P_11),
    ("drv_pipeline_empty", Own::Before("empty_pipeline"), P_31),
    ("drv_start_at_exit", Own::Before("start_is_exit"), "P-19: an exit without an edge has no class"),
    ("drv_step_without_capability", Own::Before("step_without_capability"), P_31),
    ("drv_unbound_cs", Own::Before("unbound_capability"), "P-06: halts before the first node"),
    ("drv_undeclared_status", UNDECLARED, P_18),
    ("drv_unknown_cs_op", Own::Before("unknown_operation"), "P-33: operations match exactly"),
    ("drv_unknown_host_class", Own::Before("unknown_host_class"), "P-09: the set of host classes is closed"),
    ("drv_unmapped_exit_status", UNDECLARED, P_18),
    ("lic_04_training_type", VIOLATION, P_14),
    ("lic_05_no_context", VIOLATION, P_14),
    ("name_02_in_without_code", Own::Before("missing_artifact"), P_31),
    ("name_03_default_edge_no_transition", Own::Before("intent_edges"), "P-31: an intent has the edges ACK and NACK"),
    ("reg_12_numbers", Own::Payload("payload_value"), "canonical bytes: integers stay within ±(2^53−1)"),
    ("ver_08_missing_email_in_record", VIOLATION, P_14),
];

fn root() -> Option<PathBuf> {
    let root = std::env::var_os("ENACT_PGS").map(PathBuf::from);
    if root.is_none() {
        println!("pgs: did not run: ENACT_PGS names no folder");
    }
    root
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// What happened to a case.
enum Got {
    Before(String),
    Error(String),
    Run { report: Box<RunReport>, stores: BTreeMap<String, Value> },
}

#[test]
fn pgs_every_published_case_is_equal_or_decided_by_a_listed_requirement() {
    let Some(root) = root() else { return };
    let cases = std::env::var_os("ENACT_PGS_CASES").map_or_else(|| root.join("cases"), PathBuf::from);
    let template = Template::new();
    let (mut equal, mut decided, mut failures) = (0, 0, Vec::new());
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&cases).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    for case in &folders {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let got = run_case(&template, &root, case);
        let listed = BY_REQUIREMENT.iter().find(|(n, _, _)| *n == name);
        let result = match listed {
            Some((_, own, reason)) => {
                println!("pgs: by requirement: {name}: {reason}");
                decided += 1;
                by_requirement(case, &got, *own)
            }
            None => {
                equal += 1;
                as_recorded(case, &got, &[])
            }
        };
        if let Err(why) = result {
            failures.push(format!("{name}: {why}"));
            if listed.is_some() { decided -= 1 } else { equal -= 1 }
        }
    }
    println!("pgs: {} cases, {equal} equal, {decided} by requirement, {} differ", folders.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(folders.len() > 50, "only {} cases were found", folders.len());
}

/// An initialised workspace whose modules and compiled code every case shares.
struct Template(TempDir);

impl Template {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Workspace::create(&dir.path().join("t"), Some("pgs.example/cases")).unwrap();
        Self(dir)
    }

    fn copy(&self) -> TempDir {
        let copy = TempDir::new_in(self.0.path()).unwrap();
        link(&self.0.path().join("t"), &copy.path().join("w"));
        for file in std::fs::read_dir(copy.path().join("w/protocol")).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        copy
    }

    /// What a case compiled is kept for the next one.
    fn keep_compiled(&self, workspace: &Path) {
        for file in std::fs::read_dir(workspace.join("cache")).unwrap() {
            let path = file.unwrap().path();
            let kept = self.0.path().join("t/cache").join(path.file_name().unwrap());
            if !kept.exists() {
                std::fs::hard_link(&path, kept).unwrap();
            }
        }
    }
}

fn link(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { link(&path, &target) } else { std::fs::hard_link(&path, &target).unwrap() }
    }
}

fn run_case(template: &Template, root: &Path, case: &Path) -> Got {
    let about = json_file(&case.join("case.json"));
    let import = enact_flow::pgs::import(&files(root, case, &about), &embedded::catalogue().unwrap());
    if let Some(problem) = import.problems.iter().find(|p| p.level == Level::Error) {
        return Got::Before(problem.code.to_owned());
    }
    let copy = template.copy();
    let path = copy.path().join("w");
    let workspace = Workspace::open(&path).unwrap();
    for (code, value) in &import.artifacts {
        workspace.write_artifact(code, &serde_json::to_vec(value).unwrap()).unwrap();
    }
    if let Err(error) = workspace.seal() {
        return Got::Before(error.code().to_owned());
    }
    let stubs = Arc::new(Stubs { unique: AtomicU64::new(0) });
    let engine = Engine::open_with(workspace, &EngineOptions::default(), stubs).unwrap();
    let workflow = about["workflow"].as_str().unwrap().rsplit("::").next().unwrap().to_owned();
    let bound = match engine.bind(&workflow, None, &BTreeMap::new()) {
        Ok(bound) => bound,
        Err(error @ EngineError::Binding(_)) => return Got::Before(error.code().to_owned()),
        Err(other) => panic!("{}: {other}", case.display()),
    };
    let kinds: BTreeMap<String, Kind> = bound
        .targets()
        .iter()
        .map(|t| t.target())
        .filter(|t| !t.store.is_empty())
        .filter_map(|t| {
            let has = |name: &str| t.grants.iter().any(|g| g == name);
            let kind = [("registry", Kind::Registry), ("table", Kind::Table), ("log", Kind::Log)];
            kind.iter().find(|(name, _)| has(name)).map(|(_, kind)| (t.store.clone(), *kind))
        })
        .collect();
    seed(&engine, &case.join("stores_before"), &kinds);
    template.keep_compiled(&path);
    let payload = json_file(&case.join("payload.json"));
    let seeded = case.join("stores_before").exists();
    let report = match engine.run(&RunRequest { workflow, payload, ..RunRequest::default() }) {
        Ok(report) => report,
        Err(error) => return Got::Error(error.code().to_owned()),
    };
    // Whatever was published replays here like any run. Seeded rows have no entry behind them, so the state is audited only without.
    let one = std::num::NonZeroUsize::MIN;
    let backends = vec![enact_wasm::Backend::Native];
    let audit = engine.audit(&AuditOptions { entries: None, jobs: one, state: !seeded, backends }, |_| {}).unwrap();
    assert_eq!(audit.verdict, "REPLAYED", "{}: {audit:?}", case.display());
    Got::Run { report: Box::new(report), stores: export(&engine) }
}

/// The artifacts of a case: those it lists and every structure, its own variants first.
fn files(root: &Path, case: &Path, about: &Value) -> Vec<(String, Vec<u8>)> {
    let mut files = BTreeMap::new();
    let mut add = |base: &Path, name: String| {
        if let Ok(bytes) = std::fs::read(base.join(&name)) {
            files.insert(name, bytes);
        }
    };
    for name in about["artifacts"].as_array().unwrap().iter().filter_map(Value::as_str) {
        add(&root.join("artifacts"), name.to_owned());
    }
    for file in walk(&root.join("artifacts/structures")) {
        add(&root.join("artifacts"), format!("structures/{}", file.file_name().unwrap().to_string_lossy()));
    }
    let own = case.join("artifacts");
    for file in walk(&own) {
        add(&own, file.strip_prefix(&own).unwrap().to_string_lossy().into_owned());
    }
    files.into_iter().collect()
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|e| e.unwrap().path()).flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] }).collect()
}

/// Puts the files of `stores_before` into host stores; one that cannot be read goes out of service, as a damaged store does.
fn seed(engine: &Engine, folder: &Path, kinds: &BTreeMap<String, Kind>) {
    let mut writer = engine.store().writer().unwrap();
    for file in walk(folder) {
        let store = file.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let kind = kinds.get(&store).copied().unwrap_or(if text.starts_with("{\"key\"") {
            Kind::Registry
        } else if store.ends_with(".jsonl") {
            Kind::Log
        } else {
            Kind::Table
        });
        let rows = match kind {
            Kind::Registry => registry_rows(&store, &text),
            Kind::Log => log_rows(&store, &text),
            Kind::Table => table_rows(&store, &text),
        };
        match rows {
            Some(writes) => writer.import_rows(&writes).unwrap(),
            None => {
                let key = "damaged".to_owned();
                let first = match kind {
                    Kind::Log => Write::Append { store: store.clone(), value: "{}".to_owned(), events: Vec::new() },
                    Kind::Registry | Kind::Table => Write::Put { store: store.clone(), kind, key, value: "{}".to_owned(), version: 1 },
                };
                writer.import_rows(&[first]).unwrap();
                assert!(writer.quarantine(&store, "the file is damaged").unwrap());
            }
        }
    }
}

fn lines(text: &str) -> Option<Vec<Value>> {
    text.lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).ok()).collect()
}

fn registry_rows(store: &str, text: &str) -> Option<Vec<Write>> {
    let mut versions: BTreeMap<String, u64> = BTreeMap::new();
    let mut writes = Vec::new();
    for line in lines(text)? {
        let (key, address) = (line["key"].as_str()?.to_owned(), line["address"].as_str()?.to_owned());
        for (key, value) in [(key.clone(), line.to_string()), (format!("#{address}"), key)] {
            let version = versions.entry(key.clone()).or_default();
            *version += 1;
            let (store, kind, version) = (store.to_owned(), Kind::Registry, *version);
            match line["tombstone"] == true {
                true if version > 1 => writes.push(Write::Tombstone { store, kind, key, version }),
                true => {}
                false => writes.push(Write::Put { store, kind, key, value, version }),
            }
        }
    }
    Some(writes)
}

fn log_rows(store: &str, text: &str) -> Option<Vec<Write>> {
    let rows = lines(text)?.into_iter().map(|mut line| {
        let object = line.as_object_mut().unwrap();
        object.remove("record_id");
        object.remove("sequence_number");
        let value = line.to_string();
        Write::Append { store: store.to_owned(), events: enact_store::event::codes(&value), value }
    });
    Some(rows.collect())
}

fn table_rows(store: &str, text: &str) -> Option<Vec<Write>> {
    let map: Map<String, Value> = serde_json::from_str(text).ok()?;
    let put = |(key, value): (String, Value)| Write::Put {
        store: store.to_owned(),
        kind: Kind::Table,
        key,
        value: value.to_string(),
        version: 1,
    };
    Some(map.into_iter().map(put).collect())
}

/// All host stores in comparable form.
fn export(engine: &Engine) -> BTreeMap<String, Value> {
    let mut reader = engine.store().reader().unwrap();
    let mut stores = BTreeMap::new();
    for info in reader.stores().unwrap() {
        if info.quarantined.is_some() {
            continue;
        }
        let value = match info.kind {
            Kind::Log => Value::Array(
                reader.log_read(&info.name, 0, u64::MAX >> 1).unwrap().iter().zip(1_u64..).map(|(text, n)| numbered(text, n)).collect(),
            ),
            Kind::Registry | Kind::Table => {
                let rows = reader.rows(&info.name, None, u64::MAX >> 1).unwrap();
                let live = rows.into_iter().filter(|(key, _)| !(info.kind == Kind::Registry && key.starts_with('#')));
                Value::Object(live.map(|(key, row)| (key, serde_json::from_str(&row.value.unwrap()).unwrap())).collect())
            }
        };
        if value.as_object().is_none_or(|o| !o.is_empty()) && value.as_array().is_none_or(|a| !a.is_empty()) {
            stores.insert(info.name, value);
        }
    }
    stores
}

/// Position and record id exist once a record has its place.
fn numbered(text: &str, n: u64) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap();
    let id = format!("{}_{:06}", value["timestamp"].as_str().unwrap_or_default(), n - 1);
    value["sequence_number"] = json!(n);
    value["record_id"] = json!(id);
    value
}

/// The recorded stores in the same form; `None` for one that the reference left damaged.
fn recorded_stores(folder: &Path) -> BTreeMap<String, Option<Value>> {
    let mut stores = BTreeMap::new();
    for file in walk(folder) {
        let name = file.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        if text.trim().is_empty() || text.trim() == "{}" {
            continue;
        }
        let value = match lines(&text) {
            Some(all) if text.starts_with("{\"key\"") => {
                let mut map = Map::new();
                for line in all {
                    let key = line["key"].as_str().unwrap().to_owned();
                    if line["tombstone"] == true { drop(map.remove(&key)) } else { drop(map.insert(key, line)) }
                }
                Some(Value::Object(map))
            }
            Some(all) if name.ends_with(".jsonl") => Some(Value::Array(all)),
            // A file that is no table was damaged before the run; the store is out of service here.
            _ => serde_json::from_str::<Map<String, Value>>(&text).ok().map(Value::Object),
        };
        if value.as_ref().is_some_and(|v| v.as_object().is_some_and(Map::is_empty)) {
            continue;
        }
        stores.insert(name, value);
    }
    stores
}

/// Equal in the sense of the published README.
fn as_recorded(case: &Path, got: &Got, without: &[&str]) -> Result<(), String> {
    let expected = json_file(&case.join("expected.json"));
    let Some(flat) = expected["derived_flat_payload"].as_object() else {
        return match got {
            Got::Before(_) => Ok(()),
            Got::Error(code) => Err(format!("error `{code}`, expected a failure before the first node")),
            Got::Run { report, .. } => Err(format!("ran to {:?}, expected a failure before the first node", report.exit)),
        };
    };
    let (report, stores) = match got {
        Got::Run { report, stores } => (report, stores),
        Got::Before(code) | Got::Error(code) => return Err(format!("did not run: {code}")),
    };
    let ours: Vec<&str> = report.nodes.iter().filter(|n| n.node_type != "exit").map(|n| n.status.as_str()).collect();
    let theirs: Vec<&str> = expected["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|n| n["type"] != "exit")
        .map(|n| n["result_status"].as_str().unwrap())
        .collect();
    if ours != theirs {
        return Err(format!("statuses {ours:?}, recorded {theirs:?}; exit {:?}", report.exit));
    }
    if report.exit.class != expected["exit"]["condition"].as_str().unwrap() {
        return Err(format!("class {:?}, recorded {}", report.exit, expected["exit"]));
    }
    let mut flat = flat.clone();
    for member in without {
        flat.remove(*member).ok_or(format!("`{member}` is not in the recorded payload"))?;
    }
    let canonical = |map: &Map<String, Value>| enact_core::canonical::to_bytes(map).map_err(|e| e.to_string());
    if canonical(&report.payload)? != canonical(&flat)? {
        return Err(format!("payload {}, recorded {}", Value::Object(report.payload.clone()), Value::Object(flat)));
    }
    for (name, recorded) in recorded_stores(&case.join("stores_after")) {
        let Some(recorded) = recorded else { continue };
        let held = stores.get(&name).cloned().unwrap_or(Value::Null);
        if held != recorded {
            return Err(format!("store `{name}` holds {held}, recorded {recorded}"));
        }
    }
    Ok(())
}

fn by_requirement(case: &Path, got: &Got, own: Own) -> Result<(), String> {
    match (own, got) {
        (Own::Before(code), Got::Before(got)) if got == code => Ok(()),
        (Own::Payload(code), Got::Error(got)) if got == code => Ok(()),
        (Own::Run { last, class, reason }, Got::Run { report, .. }) => {
            let before = report.nodes.iter().rev().find(|n| n.node_type != "exit").map_or("", |n| n.status.as_str());
            if (before, report.exit.class.as_str(), report.exit.reason.as_str()) == (last, class, reason) {
                return Ok(());
            }
            Err(format!("ended {before} {:?}, expected {own:?}", report.exit))
        }
        (Own::Without(members), Got::Run { .. }) => {
            if as_recorded(case, got, &[]).is_ok() {
                return Err("it no longer differs: take it off the list".to_owned());
            }
            as_recorded(case, got, members)
        }
        (_, Got::Before(code) | Got::Error(code)) => Err(format!("ended with `{code}`, expected {own:?}")),
        (_, Got::Run { report, .. }) => Err(format!("ran to {:?}, expected {own:?}", report.exit)),
    }
}

/// The vectors whose outcome the published runs contradict; the strict twin of each code satisfies them.
const BY_STRICT_TWIN: &[(&str, &str, &str)] = &[
    ("rule_fails", "CT_PURE_VALIDATE_PARAMETER_RULES_V0", "CT_PURE_REQUIRE_PARAMETER_RULES_V0"),
    ("value_not_in_set", "CT_PURE_VALIDATE_SET_MEMBERSHIP_V0", "CT_PURE_REQUIRE_SET_MEMBERSHIP_V0"),
];

#[test]
fn pgs_all_transform_vectors_hold_in_the_sandbox() {
    let Some(root) = root() else { return };
    let sandbox = enact_wasm::Sandbox::new(&enact_wasm::Options::default()).unwrap();
    let catalogue = embedded::catalogue().unwrap();
    let bytes: BTreeMap<&str, &[u8]> = embedded::modules().collect();
    let mut modules = BTreeMap::new();
    let (mut vectors, mut equal, mut supplied, mut twins, mut failures) = (0, 0, 0, 0, Vec::new());
    for file in walk(&root.join("transforms")) {
        let code = file.file_stem().unwrap().to_string_lossy().rsplit("__").next().unwrap().to_owned();
        for vector in json_file(&file).as_array().unwrap() {
            vectors += 1;
            let id = vector["id"].as_str().unwrap();
            let mut inputs = vector["inputs"].clone();
            let mut expected = vector["expected"].clone();
            // Randomness is an input here: the vector is given the bytes that the reference drew.
            if vector["assertions"].get("entropy_bytes").is_some() {
                inputs["entropy_bytes"] = vector["reference_output"]["entropy_bytes"].clone();
                expected = vector["reference_output"].clone();
                supplied += 1;
            }
            let twin = BY_STRICT_TWIN.iter().find(|(name, of, _)| id.ends_with(name) && *of == code);
            let code = twin.map_or(code.as_str(), |(_, of, twin)| {
                println!("pgs: by requirement: {id}: the recorded runs need SUCCESS from `{of}`; `{twin}` gives what the vector says");
                twins += 1;
                *twin
            });
            let Some(name) = catalogue.get(code) else {
                failures.push(format!("{id}: no module serves `{code}`"));
                continue;
            };
            let module =
                modules.entry(name.clone()).or_insert_with(|| sandbox.admit(bytes[name.as_str()], enact_wasm::Profile::Strict).unwrap());
            let limits =
                enact_wasm::Limits { fuel: 500_000_000, memory_bytes: 16 << 20, output_bytes: 1 << 20, host_calls: 0, wall_ms: 10_000 };
            let text = String::from_utf8(enact_core::canonical::to_bytes(&inputs).unwrap()).unwrap();
            let report = module.transform(&limits, code, &text);
            let enact_wasm::Outcome::Ok { status, outputs } = report.outcome else {
                failures.push(format!("{id}: {:?}", report.outcome));
                continue;
            };
            let outputs: Value = serde_json::from_str(&outputs).unwrap();
            let wanted = vector["expected_outcome"].as_str().unwrap();
            let held = expected.as_object().into_iter().flatten().all(|(k, v)| k == "result_status" || outputs.get(k) == Some(v));
            if status == wanted && held {
                equal += 1
            } else {
                failures.push(format!("{id}: {status} {outputs}, expected {wanted} {expected}"))
            }
        }
    }
    println!(
        "pgs: {vectors} vectors, {equal} equal, {supplied} with the drawn bytes given, {twins} by a strict twin, {} differ",
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(vectors >= 77, "only {vectors} vectors were found");
}
