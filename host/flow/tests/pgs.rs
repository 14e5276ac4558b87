//! Published workflows, run by this crate alone: the recorded answers of the reference are given back, and what the traversal does with
//! them must be what the reference did. The capabilities themselves are not exercised here.
//!
//! Needs the folder named by `ENACT_PGS`; without it the test says that it did not run.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test reports and fails by panicking")]

use enact_flow::Map;
use enact_flow::artifact;
use enact_flow::bind::{Plan, bind};
use enact_flow::compile::compile;
use enact_flow::pgs;
use enact_flow::problem::Level;
use enact_flow::traverse::{AdmitAsk, Answer, Ask, Class, EventKind, EventMatch, StepAsk, Termination, Traversal};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The clock of the recorded runs.
const AT: &str = "2026-01-02T03:04:05.678901+00:00";

/// Where a requirement and not the reference decides: case, what must happen here, and why.
const BY_REQUIREMENT: &[(&str, Expect, &str)] = &[
    ("col_06", Expect::Run(&["NACK", "completed"], Class::Failure, "REJECTED"), "P-16: a list is checked to be one"),
    ("drv_cc_bindings_section", Expect::Load("separate_bindings"), "P-31: found at load, not at the node"),
    ("drv_composite_list_omission", Expect::Run(&["ACK", "VIOLATION", "completed"], Class::Failure, "VIOLATION"), P_14),
    ("drv_ct_loop", Expect::Load("molecule_loop"), "P-32: a molecule is a list without loops"),
    ("drv_expr_forms", Expect::Run(&["ACK", "SUCCESS", "SUCCESS", "VIOLATION", "completed"], Class::Failure, "VIOLATION"), P_14),
    ("drv_no_entry_node", Expect::Load("no_entry_node"), "P-04: found at load, not at the start"),
    (
        "drv_no_transition",
        Expect::Run(&["ACK", "SUCCESS", "SUCCESS", "completed"], Class::Failure, "NO_TRANSITION"),
        "P-31: an unrouted status gets an exit that says so",
    ),
    ("drv_node_not_found", Expect::Load("missing_node"), "P-31: closure of references"),
    ("drv_on_result_unknown_action", Expect::Without(&["kyc_key"]), P_11),
    ("drv_output_overrides_status", Expect::Without(&["why"]), P_11),
    ("drv_pipeline_empty", Expect::Load("empty_pipeline"), "P-31: found at load, not at the node"),
    ("drv_start_at_exit", Expect::Load("start_is_exit"), "P-19: an exit without an edge has no class"),
    ("drv_step_without_capability", Expect::Load("step_without_capability"), "P-31: found at load, not at the node"),
    ("drv_unbound_cs", Expect::Bind("unbound_capability"), "P-06: halts before the first node"),
    ("drv_undeclared_status", Expect::Run(&["ACK", "SUCCESS", "PROTOCOL_VIOLATION"], Class::Failure, "UNDECLARED_STATUS"), P_18),
    ("drv_unknown_cs_op", Expect::Load("unknown_operation"), "P-33: operations match exactly"),
    ("drv_unknown_host_class", Expect::Bind("unknown_host_class"), "P-09: the set of host classes is closed"),
    ("drv_unmapped_exit_status", Expect::Run(&["ACK", "SUCCESS", "PROTOCOL_VIOLATION"], Class::Failure, "UNDECLARED_STATUS"), P_18),
    ("lic_04_training_type", Expect::Run(&["ACK", "VIOLATION", "VIOLATION", "completed"], Class::Failure, "VIOLATION"), P_14),
    ("lic_05_no_context", Expect::Run(&["ACK", "VIOLATION", "VIOLATION", "completed"], Class::Failure, "VIOLATION"), P_14),
    ("lic_12_reclaim_forbidden", Expect::Without(&[]), "P-28: a pure transform is given the time, it does not read a clock"),
    ("name_02_in_without_code", Expect::Load("missing_artifact"), "P-31: found at load, not at the node"),
    ("name_03_default_edge_no_transition", Expect::Load("intent_edges"), "P-31: an intent has the edges ACK and NACK"),
    ("ver_08_missing_email_in_record", Expect::Run(&["ACK", "VIOLATION", "completed"], Class::Failure, "VIOLATION"), P_14),
    ("wal_01_success", Expect::Without(&[]), "P-28: a pure transform is given its randomness, it does not draw it"),
];

const P_11: &str = "P-11: only declared outputs reach the payload";
const P_14: &str = "P-14: an unresolved member fails the step, the reference drops it";
const P_18: &str = "P-18: a status that is not allowed follows no edge";

/// The importer puts a step of this side effect before a transform that drew randomness itself.
const DRAWING: &str = "CS_ENTROPY_V0";

/// What must happen here instead.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// Refused by the importer or at compilation, with this code.
    Load(&'static str),
    /// Refused at binding, with this code.
    Bind(&'static str),
    /// Runs, with these statuses and this reason.
    Run(&'static [&'static str], Class, &'static str),
    /// As recorded, but without these members in the payload; the inputs of steps may differ.
    Without(&'static [&'static str]),
}

/// What happened.
#[derive(Debug)]
enum Got {
    Load(Vec<String>),
    Bind(&'static str),
    Run(Box<Run>),
}

#[derive(Debug)]
struct Run {
    nodes: Vec<(String, String)>,
    end: Termination,
    unmatched: Vec<String>,
}

#[test]
fn pgs_published_cases_run_as_recorded() {
    let Some(root) = std::env::var_os("ENACT_PGS").map(PathBuf::from) else {
        println!("did not run: ENACT_PGS names no folder");
        return;
    };
    let mut failures = Vec::new();
    let (mut equal, mut divergent) = (0, 0);
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root.join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let got = run(&root, case);
        let by_requirement = BY_REQUIREMENT.iter().find(|(listed, _, _)| *listed == name);
        let verdict = match by_requirement {
            Some((_, expect, reason)) => {
                divergent += 1;
                println!("differs by requirement: {name}: {reason}");
                differs(case, &got, *expect)
            }
            None => {
                equal += 1;
                compare(case, &got, &[], true)
            }
        };
        if let Err(why) = verdict {
            failures.push(format!("{name}: {why}"));
        }
    }
    println!("{} cases: {equal} compared with the reference, {divergent} by requirement", cases.len());
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    assert!(cases.len() > 100, "only {} cases found", cases.len());
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Import, compile, bind and run one case with the recorded answers.
fn run(root: &Path, case: &Path) -> Got {
    let about = json(&case.join("case.json"));
    let expected = json(&case.join("expected.json"));
    let plan = match plan(root, case, &about) {
        Ok(plan) => plan,
        Err(got) => return got,
    };
    let Value::Object(payload) = json(&case.join("payload.json")) else { panic!("payload is no object") };
    let mut steps: VecDeque<&Value> = expected["steps"].as_array().unwrap().iter().collect();
    let mut unmatched = Vec::new();
    let (mut traversal, mut ask) = Traversal::start(Arc::clone(&plan), payload, AT);
    let end = loop {
        let answer = match ask {
            Ask::Done(end) => break end,
            Ask::Admit(admit) => admitted(&admit, &records(&case.join("stores_before"))),
            Ask::ValidateIntent { intent, .. } => Answer::Intent { valid: valid(&plan, &intent, traversal.payload()) },
            Ask::Dispatch(step) => recorded(&step, &mut steps, &mut unmatched),
        };
        ask = traversal.resume(answer);
    };
    let ended = traversal.drain_events().filter(|event| event.kind == EventKind::NodeEnd);
    let nodes = ended.map(|event| (event.node.unwrap().to_string(), event.status.unwrap().to_string())).collect();
    Got::Run(Box::new(Run { nodes, end, unmatched }))
}

/// What a case lists, every storage structure, and the case's own variants over both.
fn files(root: &Path, case: &Path, about: &Value) -> Vec<(String, Vec<u8>)> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for name in about["artifacts"].as_array().unwrap().iter().filter_map(Value::as_str) {
        let own = case.join("artifacts").join(name);
        let path = if own.exists() { own } else { root.join("artifacts").join(name) };
        if let Ok(bytes) = std::fs::read(path) {
            files.insert(name.to_owned(), bytes);
        }
    }
    for entry in std::fs::read_dir(root.join("artifacts/structures")).unwrap() {
        let path = entry.unwrap().path();
        files.insert(format!("structures/{}", path.file_name().unwrap().to_string_lossy()), std::fs::read(path).unwrap());
    }
    for file in walk(&case.join("artifacts")) {
        let name = file.strip_prefix(case.join("artifacts")).unwrap().to_string_lossy().into_owned();
        files.insert(name, std::fs::read(file).unwrap());
    }
    files.into_iter().collect()
}

fn plan(root: &Path, case: &Path, about: &Value) -> Result<Arc<Plan>, Got> {
    let files = files(root, case, about);
    // One module serves everything: what a module does is not tested here.
    let codes = files.iter().filter_map(|(name, _)| Some(name.rsplit("__").next()?.trim_end_matches(".json").to_owned()));
    let mut catalog: BTreeMap<String, String> = codes.map(|code| (code, "any".to_owned())).collect();
    catalog.insert(DRAWING.to_owned(), "any".to_owned());
    let import = pgs::import(&files, &catalog);
    let errors: Vec<String> = import.problems.iter().filter(|p| p.level == Level::Error).map(|p| format!("{p}")).collect();
    if !errors.is_empty() {
        return Err(Got::Load(errors));
    }
    let mut artifacts = Vec::new();
    for (code, value) in import.artifacts {
        artifacts.push(artifact::from_value(&code, value).map_err(|problem| Got::Load(vec![problem.to_string()]))?);
    }
    let modules = BTreeMap::from([("any".to_owned(), format!("blake3:{}", "0".repeat(64)))]);
    let snapshot = compile(&artifacts, &modules).map_err(|problems| Got::Load(problems.iter().map(ToString::to_string).collect()))?;
    let workflow = about["workflow"].as_str().unwrap().rsplit("::").next().unwrap();
    bind(&snapshot, workflow, None, &BTreeMap::new(), &["component"]).map(Arc::new).map_err(|report| Got::Bind(report.code()))
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Every line of every log, and what is nested in it.
fn records(dir: &Path) -> Vec<Value> {
    let lines = walk(dir).into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
    let texts: Vec<String> = lines.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    texts.iter().flat_map(|text| text.lines()).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn admitted(ask: &AdmitAsk, records: &[Value]) -> Answer {
    let found = |matches: &[EventMatch]| matches.iter().map(|wanted| records.iter().any(|record| holds(record, wanted))).collect();
    Answer::Admission { found_required: found(&ask.requires), found_forbidden: found(&ask.forbids) }
}

fn holds(record: &Value, wanted: &EventMatch) -> bool {
    let Some(object) = record.as_object() else {
        return false;
    };
    let named = ["event_code", "event_type"].iter().any(|key| object.get(*key).and_then(Value::as_str) == Some(&wanted.event));
    let fields = wanted.fields.iter().all(|(field, value)| object.get(field) == Some(value));
    (named && fields) || object.values().any(|nested| holds(nested, wanted))
}

fn valid(plan: &Plan, intent: &str, payload: &Map) -> bool {
    jsonschema::validator_for(plan.intent_schema(intent).unwrap()).unwrap().is_valid(&Value::Object(payload.clone()))
}

/// The recorded answer to this call: the next one of the same capability. A recorded call that never comes stays behind.
/// Molecules are recorded as one step, so that is the answer of their last atom; the others get something to go on with.
fn recorded(step: &StepAsk, steps: &mut VecDeque<&Value>, unmatched: &mut Vec<String>) -> Answer {
    if step.capability.as_ref() == DRAWING {
        let drawn = Map::from_iter([("entropy_bytes".to_owned(), Value::from("0x00"))]);
        return Answer::Outcome { status: "SUCCESS".to_owned(), outputs: drawn };
    }
    let is_atom = step.step_name.contains('/');
    if is_atom && !step.step_name.ends_with("/__atom_result__") {
        return Answer::Outcome { status: "SUCCESS".to_owned(), outputs: Map::from_iter([("id".to_owned(), Value::from("between"))]) };
    }
    let same = |recorded: &&Value| recorded["capability"].as_str().is_some_and(|code| code.ends_with(step.capability.as_ref()));
    let Some(at) = steps.iter().position(same) else {
        unmatched.push(format!("no recorded answer for {} {}", step.step_name, step.inputs));
        return Answer::Abort { code: "not_recorded".to_owned() };
    };
    let record = steps.remove(at).unwrap();
    if !is_atom && record["inputs"] != step.inputs {
        unmatched.push(format!("{}: inputs {} where {} was recorded", step.step_name, step.inputs, record["inputs"]));
    }
    let Value::Object(mut outputs) = record["result"].clone() else { panic!("result is no object") };
    let Some(Value::String(status)) = outputs.remove("result_status") else { panic!("no status recorded") };
    Answer::Outcome { status, outputs }
}

fn differs(case: &Path, got: &Got, expect: Expect) -> Result<(), String> {
    if let Expect::Without(members) = expect {
        let verdict = compare(case, got, members, false);
        // An entry that no longer differs does not belong into the list.
        return verdict.and_then(|()| compare(case, got, &[], true).map_or(Ok(()), |()| Err("it does not differ any more".to_owned())));
    }
    let holds = match (got, expect) {
        (Got::Load(problems), Expect::Load(code)) => problems.iter().any(|problem| problem.starts_with(code)),
        (Got::Bind(got), Expect::Bind(code)) => *got == code,
        (Got::Run(run), Expect::Run(statuses, class, reason)) => {
            run.nodes.iter().map(|(_, status)| status.as_str()).eq(statuses.iter().copied())
                && run.end.class == class
                && run.end.reason == reason
        }
        _ => false,
    };
    if holds { Ok(()) } else { Err(format!("expected {expect:?}, got {got:?}")) }
}

fn compare(case: &Path, got: &Got, without: &[&str], same_inputs: bool) -> Result<(), String> {
    let expected = json(&case.join("expected.json"));
    if expected["startup_failure"].is_object() {
        return if matches!(got, Got::Run(_)) { Err(format!("ran; expected {}", expected["startup_failure"])) } else { Ok(()) };
    }
    let Got::Run(run) = got else {
        return Err(format!("did not run: {got:?}"));
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes: Vec<(String, String)> = expected["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (native(&text(&node["node"]), &text(&node["type"])), text(&node["result_status"])))
        .collect();
    if run.nodes != nodes {
        return Err(format!("nodes {:?}, expected {nodes:?}; {:?} {:?}", run.nodes, run.end.reason, run.unmatched));
    }
    let class = if expected["exit"]["condition"] == "SUCCESS" { Class::Success } else { Class::Failure };
    if run.end.class != class {
        return Err(format!("class {:?}, expected {class:?}", run.end.class));
    }
    let mut flat = expected["derived_flat_payload"].as_object().unwrap().clone();
    if without.iter().any(|member| flat.remove(*member).is_none()) || run.end.payload != flat {
        return Err(format!("payload {:?}\n   expected {flat:?}", run.end.payload));
    }
    if same_inputs && !run.unmatched.is_empty() {
        return Err(run.unmatched.join("; "));
    }
    Ok(())
}

/// The native id of a published node.
fn native(id: &str, node_type: &str) -> String {
    match node_type {
        "intent" if !id.starts_with("IN_") => format!("IN_{}", id.to_uppercase()),
        "capability_contract" if !id.starts_with("CC_") => format!("CC_{}", id.to_uppercase()),
        "exit" if !id.starts_with("EXIT") => id.to_uppercase(),
        _ => id.to_owned(),
    }
}

#[test]
fn pgs_importing_everything_at_once_reports_only_what_is_broken() {
    let Some(root) = std::env::var_os("ENACT_PGS").map(PathBuf::from) else {
        println!("did not run: ENACT_PGS names no folder");
        return;
    };
    let artifacts = root.join("artifacts");
    let files: Vec<(String, Vec<u8>)> = walk(&artifacts)
        .into_iter()
        .map(|path| (path.strip_prefix(&artifacts).unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    let import = pgs::import(&files, &BTreeMap::new());
    let broken: Vec<&str> =
        import.problems.iter().filter(|problem| problem.level == Level::Error).map(|problem| problem.artifact.as_str()).collect();
    // Two published workflows have an intent node that names no intent.
    assert_eq!(broken, ["WF_LOOKUP_NAME_V0", "WF_REGISTER_NAME_V0"]);
    let parsed: Vec<_> = import.artifacts.iter().map(|(code, value)| artifact::from_value(code, value.clone()).unwrap()).collect();
    let snapshot = compile(&parsed, &BTreeMap::new()).unwrap();
    assert_eq!(snapshot.workflows().count(), 9);
}
