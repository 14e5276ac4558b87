//! What an author promises of a module, as calls with their answers, and the trying of it.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use enact_wasm::{Backend, EffectCall, HostCall, Kind, Limits, Module, Options, Outcome, Sandbox};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Manifest;
use super::rehearsal::{Rehearsal, Scenery};
use crate::bound::HOST_CALLS_MAX;
use crate::embedded::AskedLimits;
use crate::error::{EngineError, Result};

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
    /// What the stores hold before.
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
        }
        Ok(read)
    }
}

impl Manifest {
    /// Reads a manifest. Strict.
    ///
    /// # Errors
    /// [`EngineError::Json`].
    pub fn read(bytes: &[u8], what: &str) -> Result<Self> {
        let json = |detail: String| EngineError::Json { what: what.to_owned(), detail };
        let value = enact_core::canonical::parse(bytes).map_err(|e| json(e.to_string()))?;
        serde_json::from_value(value).map_err(|e| json(e.to_string()))
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
    let report = match module.kind() {
        Kind::Transform => module.transform(limits, &vector.capability, &inputs),
        Kind::SideEffect => Rehearsal::new(&vector.name, &vector.state)?.with(&vector.store, |host, began| {
            let call = EffectCall {
                capability: &vector.capability,
                operation: vector.operation.as_deref().unwrap_or_default(),
                inputs: &inputs,
                store: &vector.store,
                idempotency_key: &vector.name,
                grants: &vector.grants,
                now_micros: began,
            };
            module.side_effect(limits, &call, host)
        }),
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
    let log = String::from_utf8_lossy(&report.log).into_owned();
    Ok(Given { status, outputs, fuel: report.fuel_used, calls: report.host_calls, log })
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
        other.map(|outputs| format!("promised{}, got{}", shown(outputs), shown(&given.outputs)))
    };
    Tried { name: vector.name.clone(), kept: difference.is_none(), difference, fuel: given.fuel }
}

fn shown(outputs: &Map<String, Value>) -> String {
    let text = Value::Object(outputs.clone()).to_string();
    format!(" {}", text.chars().take(400).collect::<String>())
}
