//! What an author promises of a module, as calls with their answers, and the trying of it.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use enact_flow::artifact::{FileGrant, HttpGrant};
use enact_wasm::{Backend, CallReport, EffectCall, HostCall, Kind, Limits, Module, Options, Outcome, Request, Sandbox};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Manifest;
use super::rehearsal::{Rehearsal, Scenery};
use crate::bound::HOST_CALLS_MAX;
use crate::embedded::AskedLimits;
use crate::error::{EngineError, Result};
use crate::reach::script::{Octets, Script, contents};

/// Most vectors of one module: each is called three times before anything else happens.
const VECTORS_MAX: usize = 1_000;

/// `vectors.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vectors {
    /// The calls, each in a world of its own.
    pub vectors: Vec<Vector>,
}

/// One call and its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// What it shows, unique in the file.
    pub name: String,
    /// The protocol code to call.
    pub capability: String,
    /// The operation of a side effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The inputs.
    pub inputs: Map<String, Value>,
    /// The store that the step is bound to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub store: String,
    /// Interfaces granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// The peers that it may reach, as rows of a binding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// The folders that it may reach, as rows of a binding; where they would lie is not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileGrant>,
    /// What stores and folders hold before, and what peers answer.
    #[serde(default)]
    pub state: Scenery,
    /// The status promised, unless a `trap` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The outputs promised; absent when they are not the point, they are then only compared between the engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Map<String, Value>>,
    /// The code of the trap promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trap: Option<String>,
    /// Promised: all that it asks of peers and folders, in order, such as `POST https://…` or `WRITE out/a`; absent when that is not the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Vec<String>>,
    /// Promised: all that the folders hold afterwards; absent when that is not the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_after: Option<BTreeMap<String, Octets>>,
    /// The requests for later that are promised, in order; absent when they are not the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<Vec<Asked>>,
}

/// What a call hands over for later: first the workflows, then the messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Asked {
    /// A workflow.
    Workflow {
        /// The code.
        workflow: String,
        /// The payload.
        payload: Map<String, Value>,
    },
    /// A message.
    Message {
        /// To whom.
        to: Vec<String>,
        /// One line.
        subject: String,
        /// Plain text.
        text: String,
    },
}

impl Vectors {
    /// Reads a file of vectors. Strict: unknown and repeated members are refused.
    ///
    /// # Errors
    /// [`EngineError::Json`] for bytes that are no such file, [`EngineError::Vectors`] for one that promises nothing or too much.
    pub fn read(bytes: &[u8], what: &str) -> Result<Self> {
        let json = |detail: String| EngineError::Json { what: what.to_owned(), detail };
        let value = enact_core::canonical::parse(bytes).map_err(|e| json(e.to_string()))?;
        let read: Self = serde_json::from_value(value).map_err(|e| json(e.to_string()))?;
        let wrong = |detail: String| Err(EngineError::Vectors { what: what.to_owned(), detail });
        if read.vectors.len() > VECTORS_MAX {
            return wrong(format!("{} vectors of the {VECTORS_MAX} allowed", read.vectors.len()));
        }
        let mut names = std::collections::BTreeSet::new();
        for vector in &read.vectors {
            if vector.status.is_some() == vector.trap.is_some() {
                return wrong(format!("`{}` must promise either a `status` or a `trap`", vector.name));
            }
            if !names.insert(&vector.name) {
                return wrong(format!("`{}` is there twice", vector.name));
            }
            let Vector { http, files, state, files_after, .. } = vector;
            let held = Script::new(http, files, &state.peers, &state.files).and_then(|_| files_after.as_ref().map(contents).transpose());
            if let Err(detail) = held {
                return wrong(format!("`{}`: {detail}", vector.name));
            }
        }
        Ok(read)
    }
}

impl Vector {
    /// Reads what there is to reach: an object with `http`, `files` and `state` as in a vector. Strict.
    ///
    /// # Errors
    /// [`EngineError::Json`].
    pub fn world(bytes: &[u8], what: &str) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct World {
            #[serde(default)]
            http: Vec<HttpGrant>,
            #[serde(default)]
            files: Vec<FileGrant>,
            #[serde(default)]
            state: Scenery,
        }
        let json = |detail: String| EngineError::Json { what: what.to_owned(), detail };
        let value = enact_core::canonical::parse(bytes).map_err(|e| json(e.to_string()))?;
        let World { http, files, state } = serde_json::from_value(value).map_err(|e| json(e.to_string()))?;
        Ok(Self { http, files, state, ..Self::default() })
    }
}

impl Manifest {
    /// Reads a manifest. Strict.
    ///
    /// # Errors
    /// [`EngineError::Json`]; [`EngineError::ModuleName`], because a stranger's name becomes one of files.
    pub fn read(bytes: &[u8], what: &str) -> Result<Self> {
        let json = |detail: String| EngineError::Json { what: what.to_owned(), detail };
        let value = enact_core::canonical::parse(bytes).map_err(|e| json(e.to_string()))?;
        let read: Self = serde_json::from_value(value).map_err(|e| json(e.to_string()))?;
        if !read.module.is_empty() {
            super::record::subject(&read.module)?;
        }
        Ok(read)
    }
}

/// How one vector came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// Whether the promise was kept.
    pub kept: bool,
    /// What was promised and what came, when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// Fuel; absent after a trap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
}

/// What a call gave, comparable between engines.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Status, or `trap:<code>`, or `inconclusive:<code>`.
    pub status: String,
    /// Outputs; empty after a trap.
    pub outputs: Map<String, Value>,
    /// Fuel; absent after a trap.
    pub fuel: Option<u64>,
    /// What it asked.
    pub calls: Vec<HostCall>,
    /// What the folders hold afterwards.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What it handed over for later; nothing after a trap.
    pub later: Vec<Asked>,
    /// What it wrote to the outputs of WASI, up to a bound; kept nowhere else.
    pub log: String,
}

/// The limits that a manifest asks for, within the defaults.
#[must_use]
pub fn limits(codes: &BTreeMap<String, AskedLimits>, capability: &str) -> Limits {
    let (default, asked) = (Limits::default(), codes.get(capability).copied().unwrap_or_default());
    Limits {
        fuel: asked.fuel.unwrap_or(default.fuel),
        memory_bytes: asked.memory_bytes.unwrap_or(default.memory_bytes),
        output_bytes: asked.output_bytes.unwrap_or(default.output_bytes),
        host_calls: HOST_CALLS_MAX,
        ..default
    }
}

/// An engine that keeps nothing.
pub(crate) fn sandbox(backend: Backend) -> Result<Sandbox> {
    let options = Options { backend, cache: None, max_concurrent_calls: 1, compiler: super::compiler() };
    Sandbox::new(&options).map_err(|e| EngineError::Sandbox { detail: e.to_string() })
}

/// Measures a module, compiles it, and calls it once; answers what it gave and how long the call took.
///
/// # Errors
/// [`EngineError::ModuleRefused`] when it is not admissible, and those of [`call`].
pub fn once(bytes: &[u8], vector: &Vector, limits: &Limits, backend: Backend) -> Result<(Module, Given, Duration)> {
    let module = crate::bound::admit(&sandbox(backend)?, bytes, &vector.capability)?;
    let begun = Instant::now();
    let given = call(&module, vector, limits)?;
    let took = begun.elapsed();
    Ok((module, given, took))
}

/// Calls a module as a vector says.
///
/// # Errors
/// [`EngineError::Vectors`] for a scenery that cannot be put up or inputs that cannot be sent.
pub fn call(module: &Module, vector: &Vector, limits: &Limits) -> Result<Given> {
    let inputs = crate::canonical::text(&Value::Object(vector.inputs.clone()))?;
    let (report, later, files) = match module.kind() {
        Kind::Transform => (module.transform(limits, &vector.capability, &inputs), Vec::new(), BTreeMap::new()),
        Kind::SideEffect => rehearse(module, vector, limits, &inputs)?,
    };
    let (status, outputs) = match report.outcome {
        Outcome::Ok { status, outputs } => match enact_wasm::parse_outputs(&outputs) {
            Ok(outputs) => (status, outputs),
            Err(code) => (format!("trap:{}", code.code()), Map::new()),
        },
        Outcome::Trap(code) => (format!("trap:{}", code.code()), Map::new()),
        Outcome::Bound(code) => (format!("inconclusive:{}", code.code()), Map::new()),
        Outcome::Infra(code) => (format!("inconclusive:{}", code.code()), Map::new()),
    };
    let answered = !status.starts_with("trap:") && !status.starts_with("inconclusive:");
    let later = if answered { later } else { Vec::new() };
    let log = String::from_utf8_lossy(&report.log).into_owned();
    Ok(Given { status, outputs, fuel: report.fuel_used, calls: report.host_calls, later, files, log })
}

/// Files by their paths.
type Contents = BTreeMap<String, Vec<u8>>;

/// Calls a side effect in the world of its vector; answers also what it handed over, and what the folders hold then.
fn rehearse(module: &Module, vector: &Vector, limits: &Limits, inputs: &str) -> Result<(CallReport, Vec<Asked>, Contents)> {
    let rehearsal = Rehearsal::new(&vector.name, &vector.state)?;
    let mut rehearsal = rehearsal.reaching(&vector.name, &vector.state, &vector.http, &vector.files)?;
    let report = rehearsal.with(&vector.store, |host, began| {
        let call = EffectCall {
            capability: &vector.capability,
            operation: vector.operation.as_deref().unwrap_or_default(),
            inputs,
            store: &vector.store,
            idempotency_key: &vector.name,
            grants: &vector.grants,
            now_micros: began,
        };
        module.side_effect(limits, &call, host)
    });
    let (workflows, messages) = rehearsal.later()?;
    let workflows = workflows.into_iter().map(|asked| Asked::Workflow { workflow: asked.workflow, payload: asked.payload });
    let messages = messages.into_iter().map(|sent| Asked::Message { to: sent.to, subject: sent.subject, text: sent.text });
    Ok((report, workflows.chain(messages).collect(), rehearsal.into_files()))
}

/// Whether a call gave what its vector promises.
#[must_use]
pub fn judge(vector: &Vector, given: &Given) -> Tried {
    let promised = match (&vector.status, &vector.trap) {
        (Some(status), _) => status.clone(),
        (None, trap) => format!("trap:{}", trap.as_deref().unwrap_or_default()),
    };
    let difference = if given.status != promised {
        Some(format!("promised `{promised}`, got `{}`{}", given.status, shown(&given.outputs)))
    } else {
        let other = vector.outputs.as_ref().filter(|outputs| **outputs != given.outputs);
        let outputs = other.map(|outputs| format!("promised{}, got{}", shown(outputs), shown(&given.outputs)));
        let outside = || asks_differ(vector, given).or_else(|| files_differ(vector, given));
        outputs.or_else(outside).or_else(|| differently_later(vector, given))
    };
    Tried { name: vector.name.clone(), kept: difference.is_none(), difference, fuel: given.fuel }
}

/// What was asked of the world outside, where that is promised.
fn asks_differ(vector: &Vector, given: &Given) -> Option<String> {
    let promised = vector.asks.as_ref()?;
    let asked: Vec<String> = given.calls.iter().filter_map(|call| asked(&call.request)).collect();
    let nth = (0..promised.len().max(asked.len())).find(|&nth| promised.get(nth) != asked.get(nth))?;
    let named = |list: &[String]| list.get(nth).map_or_else(|| "nothing".to_owned(), |asked| format!("`{asked}`"));
    Some(format!("request {nth}: promised {}, got {}", named(promised), named(&asked)))
}

/// A request to a peer or a folder, in a line.
fn asked(request: &Request) -> Option<String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other requests stay inside")]
    match request {
        Request::HttpRequest { method, url, .. } => Some(format!("{method} {url}")),
        Request::FilesRead { path } => Some(format!("READ {path}")),
        Request::FilesList { path } => Some(format!("LIST {path}")),
        Request::FilesWrite { path, .. } => Some(format!("WRITE {path}")),
        _ => None,
    }
}

/// What the folders hold afterwards, where that is promised.
fn files_differ(vector: &Vector, given: &Given) -> Option<String> {
    let promised = contents(vector.files_after.as_ref()?).unwrap_or_default();
    let path = promised.keys().chain(given.files.keys()).find(|path| promised.get(*path) != given.files.get(*path))?;
    let said = |files: &BTreeMap<String, Vec<u8>>| match files.get(path) {
        Some(content) => format!("{:?}", String::from_utf8_lossy(content).chars().take(200).collect::<String>()),
        None => "no file".to_owned(),
    };
    Some(format!("`{path}`: promised {}, got {}", said(&promised), said(&given.files)))
}

fn differently_later(vector: &Vector, given: &Given) -> Option<String> {
    let promised = vector.later.as_ref().filter(|later| **later != given.later)?;
    let text = |asked: &[Asked]| serde_json::json!(asked).to_string().chars().take(400).collect::<String>();
    Some(format!("for later, promised {}, got {}", text(promised), text(&given.later)))
}

fn shown(outputs: &Map<String, Value>) -> String {
    let text = Value::Object(outputs.clone()).to_string();
    format!(" {}", text.chars().take(400).collect::<String>())
}
