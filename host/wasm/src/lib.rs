//! The sandbox: admits WebAssembly components, calls them under limits, and records what they asked of the host.
//!
//! It runs code that nobody has to trust and says how each call ended, in one of four classes (see [`Outcome`]). It does not decide
//! what an outcome means, holds no store, reads no clock on behalf of a guest, and grants nothing by itself.
//!
//! - [`Sandbox`] is the configured engine; [`Sandbox::admit`] measures a module against the rules and compiles it.
//! - [`Module::transform`] calls a pure module, [`Module::side_effect`] one that may ask its [`Host`].
//! - [`Replay`] is a host that serves a recorded transcript; [`Fingerprint`] says under which rules a call was made.
//! - [`inspect()`] tells what a file is without compiling it.
mod answer;
mod cache;
mod call;
mod config;
mod error;
mod fingerprint;
mod import;
mod inspect;
mod limiter;
pub mod limits;
#[doc(hidden)]
pub mod measure;
mod module;
mod outcome;
mod outputs;
mod sandbox;
mod scan;
mod seal;
mod transcript;
mod wasi;
mod watchdog;

pub use cache::CacheOptions;
pub use config::Backend;
pub use error::{AdmissionError, Refusal, SandboxError};
pub use fingerprint::{Fingerprint, FingerprintInfo};
pub use inspect::{Inspection, inspect};
pub use limits::{Limits, Profile};
pub use module::{EffectCall, Kind, Module, PurityProof};
pub use outcome::{BoundCode, CallReport, InfraCode, Outcome, OutcomeClass, TrapCode};
pub use outputs::parse_outputs;
pub use sandbox::{Compiler, Options, Sandbox};
pub use transcript::{Answer, Divergence, Document, Fault, Host, HostCall, HttpResponse, Replay, Request, Written};
