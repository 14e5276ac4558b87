//! A plan made executable: every target with its admitted module, every intent with its compiled schema.
//!
//! Resolved completely before the first node (P-06); nothing is looked up while a run goes on (P-05, P-08).
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use enact_core::hash::Digest;
use enact_flow::Map;
use enact_flow::artifact::LimitOverrides;
use enact_flow::bind::{Plan, Target};
use enact_wasm::limits::{CALL_TIMEOUT_MS, MEMORY_BYTES_MAX, OUTPUT_BYTES_MAX};
use enact_wasm::{Limits, Module, Sandbox};
use serde_json::Value;

use crate::error::{EngineError, Result};

/// The closed set of host classes that a binding may name (P-09).
pub const HOST_CLASSES: &[&str] = &[COMPONENT, REFUSED];
/// A sandboxed component.
pub const COMPONENT: &str = "component";
/// Declared, and refused by this binding: every call ends in a fault.
pub const REFUSED: &str = "refused";
/// Most host calls of one capability call. A step reads and writes a few rows; a thousand is a storm.
pub const HOST_CALLS_MAX: u32 = 1_000;

/// Gives the bytes of a module by digest.
pub trait ModuleSource {
    /// The bytes, already checked against the digest.
    fn module(&self, digest: &str) -> Result<Vec<u8>>;

    /// The file that holds them, if there is one: not checked against anything.
    fn file(&self, _digest: &str) -> Option<File> {
        None
    }
}

impl ModuleSource for crate::workspace::Workspace {
    fn module(&self, digest: &str) -> Result<Vec<u8>> {
        self.module_bytes(digest)
    }

    fn file(&self, digest: &str) -> Option<File> {
        self.module_opened(digest)
    }
}

/// Admitted modules by digest, shared by all plans of a process.
#[derive(Default)]
pub struct Modules(Mutex<HashMap<String, Module>>);

impl Modules {
    /// The admitted module, compiled or taken from the cache on first use.
    pub fn admit(&self, sandbox: &Sandbox, source: &dyn ModuleSource, digest: &str, name: &str) -> Result<Module> {
        if let Some(module) = self.lock().get(digest) {
            return Ok(module.clone());
        }
        let module = match source.file(digest).and_then(|file| sandbox.sealed(digest, &file)) {
            Some(module) => module,
            None => {
                let module = admit(sandbox, &source.module(digest)?, name)?;
                if let Some(file) = source.file(digest) {
                    sandbox.seal(&module, file);
                }
                module
            }
        };
        self.lock().insert(digest.to_owned(), module.clone());
        Ok(module)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Module>> {
        // The map is only ever inserted into; a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Measures a module and compiles it.
pub(crate) fn admit(sandbox: &Sandbox, bytes: &[u8], name: &str) -> Result<Module> {
    // The narrower is the one that small native-language guests fit, and a fitting one is the better witness.
    let admitted = sandbox.admit_narrowest(bytes);
    admitted.map_err(|e| EngineError::ModuleRefused { module: name.to_owned(), code: e.code().to_owned(), detail: e.to_string() })
}

/// One target of a plan, ready to be called.
pub struct BoundTarget {
    target: Target,
    module: Option<Module>,
    limits: Limits,
}

impl BoundTarget {
    /// The resolved binding.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The admitted module, unless the binding refuses the capability.
    #[must_use]
    pub fn module(&self) -> Option<&Module> {
        self.module.as_ref()
    }

    /// Limits of one call.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the binding refuses every call.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.module.is_none()
    }
}

/// A plan with its modules and schemas.
pub struct Bound {
    plan: Arc<Plan>,
    targets: Vec<BoundTarget>,
    intents: BTreeMap<String, jsonschema::Validator>,
    event_stores: Vec<Option<String>>,
    module_digests: BTreeMap<String, Digest>,
    modules: BTreeSet<(String, String)>,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("plan", &self.plan.digest()).finish_non_exhaustive()
    }
}

// What a binding may ask for is what the sandbox can give.
const _: () = assert!(LimitOverrides::MEMORY_BYTES_MAX == MEMORY_BYTES_MAX && LimitOverrides::OUTPUT_BYTES_MAX == OUTPUT_BYTES_MAX);
const _: () = assert!(LimitOverrides::WALL_MS_MAX as u64 == CALL_TIMEOUT_MS);

impl Bound {
    /// Admits every module and compiles every schema that `plan` needs.
    pub fn new(plan: Plan, sandbox: &Sandbox, admitted: &Modules, source: &dyn ModuleSource) -> Result<Self> {
        let mut targets = Vec::with_capacity(plan.targets().len());
        for target in plan.targets() {
            let module = match target.host.as_str() {
                COMPONENT => Some(admitted.admit(sandbox, source, &target.module_digest, &target.module)?),
                _ => None,
            };
            let limits = Limits {
                fuel: target.limits.fuel,
                memory_bytes: target.limits.memory_bytes,
                output_bytes: target.limits.output_bytes,
                host_calls: target.limits.host_calls.map_or(HOST_CALLS_MAX, |calls| calls.min(HOST_CALLS_MAX)),
                wall_ms: target.limits.wall_ms.map_or(CALL_TIMEOUT_MS, u64::from),
            };
            targets.push(BoundTarget { target: target.clone(), module, limits });
        }
        let mut intents = BTreeMap::new();
        for (code, schema) in plan.intents() {
            intents.insert(code.to_owned(), validator(code, schema)?);
        }
        let event_stores = event_stores(&targets);
        let mut module_digests = BTreeMap::new();
        for target in plan.targets().iter().filter(|t| !t.module_digest.is_empty()) {
            let digest = target.module_digest.parse();
            let digest = digest.map_err(|_| EngineError::ModuleMissing { digest: target.module_digest.clone() })?;
            module_digests.insert(target.capability.clone(), digest);
        }
        let modules = plan.targets().iter().filter(|t| !t.module_digest.is_empty());
        let modules = modules.map(|t| (t.module.clone(), t.module_digest.clone())).collect();
        Ok(Self { plan: Arc::new(plan), targets, intents, event_stores, module_digests, modules })
    }

    /// Modules by name and digest.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.modules.iter().map(|(module, digest)| (module.as_str(), digest.as_str()))
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// A target by its index in the plan.
    pub fn target(&self, index: usize) -> Result<&BoundTarget> {
        self.targets.get(index).ok_or_else(|| EngineError::Internal { detail: format!("no target {index} in the plan") })
    }

    /// All targets.
    #[must_use]
    pub fn targets(&self) -> &[BoundTarget] {
        &self.targets
    }

    /// Whether the payload fits the intent's schema (P-16).
    #[must_use]
    pub fn accepts(&self, intent: &str, payload: &Map) -> bool {
        // Validating borrows a whole value; the map is moved back untouched. An unknown intent is never accepted.
        self.intents.get(intent).is_some_and(|v| v.is_valid(&Value::Object(payload.clone())))
    }

    /// Where admission looks for events, in order; `None` stands for every log.
    ///
    /// A binding whose stores share a folder sees the events of its own stores only, so that environments in different
    /// folders stay apart (P-07); one whose stores lie at the root sees every log.
    #[must_use]
    pub fn event_stores(&self) -> &[Option<String>] {
        &self.event_stores
    }

    /// The module behind each capability code.
    #[must_use]
    pub fn module_digests(&self) -> &BTreeMap<String, Digest> {
        &self.module_digests
    }
}

fn validator(code: &str, schema: &Value) -> Result<jsonschema::Validator> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        // Linear time: a pattern is an input like any other.
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(schema)
        .map_err(|e| EngineError::IntentSchema { intent: code.to_owned(), detail: e.to_string() })
}

fn event_stores(targets: &[BoundTarget]) -> Vec<Option<String>> {
    let stores: BTreeSet<&str> = targets.iter().map(|t| t.target.store.as_str()).filter(|s| !s.is_empty()).collect();
    let mut roots = stores.iter().map(|s| s.split_once('/').map_or("", |(root, _)| root));
    match roots.next() {
        Some(root) if !root.is_empty() && roots.all(|other| other == root) => {
            let logs = targets.iter().filter(|t| t.target.grants.iter().any(|g| g == "log"));
            let names: BTreeSet<&str> = logs.map(|t| t.target.store.as_str()).filter(|s| !s.is_empty()).collect();
            names.into_iter().map(|s| Some(s.to_owned())).collect()
        }
        _ => vec![None],
    }
}
