//! An admitted module and its two ways to be called.
use std::sync::Arc;

use serde::Serialize;

use crate::answer::{SideEffectCall, TransformCall};
use crate::call::Callable;
use crate::import::{Effect, with_host};
use crate::limits::{Limits, Profile};
use crate::outcome::{BoundCode, CallReport, Outcome};
use crate::sandbox::Engine;
use crate::transcript::Host;

/// What a module exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Kind {
    /// `enact:capability/transform`: pure.
    #[serde(rename = "transform")]
    Transform,
    /// `enact:capability/side-effect`: asks its host.
    #[serde(rename = "side-effect")]
    SideEffect,
}

impl Kind {
    /// `transform` or `side-effect`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::SideEffect => "side-effect",
        }
    }
}

/// Why a transform cannot reach anything outside itself: three independent findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PurityProof {
    /// The component's type, as the engine sees it, has this many imports: none.
    pub component_imports: usize,
    /// The root of the binary has this many import entries: none.
    pub import_entries: usize,
    /// Imports of the core modules inside. With no import at the root they can only be given what is inside.
    pub inner_imports: usize,
    /// It was linked with a linker in which nothing is defined.
    pub linked_with_nothing: bool,
}

/// One call of a side effect.
#[derive(Debug, Clone, Copy)]
pub struct EffectCall<'a> {
    /// Protocol code of the capability.
    pub capability: &'a str,
    /// Declared operation.
    pub operation: &'a str,
    /// Canonical JSON object.
    pub inputs: &'a str,
    /// The store that the binding gives this step, or empty.
    pub store: &'a str,
    /// Equal for every attempt at this step of this run.
    pub idempotency_key: &'a str,
    /// Interfaces that the binding grants; a request to another is answered [`crate::Fault::Denied`].
    pub grants: &'a [String],
    /// When the run began, in microseconds since 1970: where the clocks of WASI begin.
    pub now_micros: i64,
}

/// An admitted, compiled module. Cheap to clone; calls may run at once on many threads.
#[derive(Clone)]
pub struct Module(Arc<Admitted>);

/// What admission found out.
pub(crate) struct Admitted {
    pub(crate) callable: Callable,
    /// Keeps the watchdog alive as long as a module can be called.
    pub(crate) _engine: Arc<Engine>,
    pub(crate) kind: Kind,
    pub(crate) digest: String,
    pub(crate) imports: Vec<String>,
    pub(crate) wasi: Vec<String>,
    pub(crate) profile: Profile,
    pub(crate) purity: Option<PurityProof>,
}

impl Module {
    pub(crate) fn new(admitted: Admitted) -> Self {
        Self(Arc::new(admitted))
    }

    /// What it exports.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// `blake3:` and the lower case hexadecimal hash of the file.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// Interfaces it imports that must be granted, sorted, in the short form of a grant; `wasi` stands for all of WASI.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// The interfaces of WASI that it imports, in file order.
    pub fn wasi(&self) -> &[String] {
        &self.0.wasi
    }

    /// The bounds it was admitted under.
    pub fn profile(&self) -> Profile {
        self.0.profile
    }

    /// Why it is pure; `None` for a side effect.
    pub fn purity(&self) -> Option<&PurityProof> {
        self.0.purity.as_ref()
    }

    /// The compiled form, for a process with the same engine. `None` when the engine cannot write it.
    pub fn compiled(&self) -> Option<Vec<u8>> {
        self.0.callable.pre.component().serialize().ok()
    }

    /// Calls a transform: the inputs are all it ever sees.
    pub fn transform(&self, limits: &Limits, capability: &str, inputs: &str) -> CallReport {
        if self.0.kind != Kind::Transform {
            return wrong_kind();
        }
        let bytes = capability.len().saturating_add(inputs.len());
        self.0.callable.call(limits, bytes, TransformCall { capability, inputs }, Effect::default())
    }

    /// Calls a side effect; `host` answers what it asks inside its grants.
    pub fn side_effect(&self, limits: &Limits, call: &EffectCall<'_>, host: &mut dyn Host) -> CallReport {
        if self.0.kind != Kind::SideEffect {
            return wrong_kind();
        }
        let EffectCall { capability, operation, inputs, store, idempotency_key, grants, now_micros } = *call;
        let texts = [capability, operation, inputs, store, idempotency_key];
        let bytes = texts.iter().map(|text| text.len()).fold(0, usize::saturating_add);
        let parameter = SideEffectCall { capability, operation, inputs, store, idempotency_key };
        let effect = Effect { grants: grants.to_vec(), calls_left: limits.host_calls, now_micros, ..Effect::default() };
        with_host(host, || self.0.callable.call(limits, bytes, parameter, effect))
    }
}

/// A mistake of the caller's binding: not the module's answer, so never committed as one.
fn wrong_kind() -> CallReport {
    CallReport { outcome: Outcome::Bound(BoundCode::WrongKind), fuel_used: None, host_calls: Vec::new(), log: Vec::new() }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("kind", &self.0.kind).field("digest", &self.0.digest).finish_non_exhaustive()
    }
}
