//! The sandbox: one engine, its linkers and its watchdog; it admits modules.
use std::fs::File;
use std::sync::Arc;
use std::thread::Builder;

use wasmtime::component::{Component, Linker, types::ComponentItem};

use crate::answer::{GuestOutcome, SideEffectCall, TransformCall};
use crate::cache::{self, Cache, CacheOptions, digest_text};
use crate::call::{CallState, Callable};
use crate::config::{self, Backend};
use crate::error::{AdmissionError, Refusal, SandboxError};
use crate::fingerprint::Fingerprint;
use crate::import;
use crate::limits::{ADMISSION_STACK_BYTES, CONCURRENT_CALLS_DEFAULT, HOST_ARGUMENT_BYTES_MAX, Profile};
use crate::module::{Admitted, Kind, Module, PurityProof};
use crate::scan::{self, Facts};
use crate::wasi;
use crate::watchdog::Watchdog;

/// How a sandbox is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// What executes the code.
    pub backend: Backend,
    /// Where compiled modules are kept; `None` compiles anew in every process.
    pub cache: Option<CacheOptions>,
    /// Calls at once; one more answers [`crate::InfraCode::PoolFull`].
    pub max_concurrent_calls: u32,
    /// Who compiles what the cache does not hold; `None` compiles in this process.
    pub compiler: Option<Arc<dyn Compiler>>,
}

/// Compiles modules somewhere else, so that a compiler that is led astray takes nothing with it.
pub trait Compiler: std::fmt::Debug + Send + Sync {
    /// The compiled form of an admissible module, as [`Module::compiled`] gives it for a sandbox with the same back end.
    ///
    /// What is answered is loaded as machine code: an implementation takes it from nobody but this program itself.
    fn compile(&self, bytes: &[u8], profile: Profile, backend: Backend) -> Result<Vec<u8>, AdmissionError>;
}

impl Default for Options {
    fn default() -> Self {
        Self { backend: Backend::default(), cache: None, max_concurrent_calls: CONCURRENT_CALLS_DEFAULT, compiler: None }
    }
}

/// A configured engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Engine>);

/// What all modules of one sandbox share.
pub(crate) struct Engine {
    engine: wasmtime::Engine,
    /// Nothing is defined here: the third proof of purity.
    pure: Linker<CallState>,
    effects: Linker<CallState>,
    cache: Option<Cache>,
    compiler: Option<Arc<dyn Compiler>>,
    backend: Backend,
    fingerprint: Fingerprint,
    _watchdog: Watchdog,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("fingerprint", &self.fingerprint).field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Makes the engine and starts its watchdog.
    pub fn new(options: &Options) -> Result<Self, SandboxError> {
        let engine = config::engine(options.backend, options.max_concurrent_calls)?;
        let mut effects = Linker::new(&engine);
        import::define(&mut effects).map_err(|e| SandboxError::Engine { detail: e.to_string() })?;
        Ok(Self(Arc::new(Engine {
            pure: Linker::new(&engine),
            effects,
            cache: options.cache.clone().map(|cache| Cache::new(cache, &engine)),
            compiler: options.compiler.clone(),
            backend: options.backend,
            fingerprint: Fingerprint::of(options.backend),
            _watchdog: Watchdog::start(&engine)?,
            engine,
        })))
    }

    /// Under which rules this sandbox calls.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.0.fingerprint
    }

    /// Measures a module against the rules of `profile`, compiles it, and checks its interface.
    pub fn admit(&self, bytes: &[u8], profile: Profile) -> Result<Module, AdmissionError> {
        self.apart(|| self.admit_as(bytes, &digest_of(bytes), profile))
    }

    /// The same by the narrower of the two profiles that the module fits.
    pub fn admit_narrowest(&self, bytes: &[u8]) -> Result<Module, AdmissionError> {
        self.apart(|| {
            let digest = digest_of(bytes);
            // What was found under the wider one was too large for the narrower.
            if self.known(&digest, Profile::Standard).is_some() {
                return self.admit_as(bytes, &digest, Profile::Standard);
            }
            self.admit_as(bytes, &digest, Profile::Strict).or_else(|refused| match refused.is_profile_limit() {
                true => self.admit_as(bytes, &digest, Profile::Standard),
                false => Err(refused),
            })
        })
    }

    /// The module with `digest` that `file` holds, if this host admitted it before, sealed it, and nobody touched anything of it since: then nothing is
    /// read but the seal.
    pub fn sealed(&self, digest: &str, file: &File) -> Option<Module> {
        let cache = self.0.cache.as_ref()?;
        let found = || {
            let found = cache.sealed(&self.0.engine, digest, file);
            let found = found.ok_or_else(|| AdmissionError::Infrastructure { detail: "not sealed".to_owned() })?;
            self.admitted(&found.component, digest, &found.facts, found.profile)
        };
        self.apart(found).ok()
    }

    /// Seals an admitted module that `file` holds, as soon as its files have not been touched for a moment. A failure costs the next process some time and
    /// nothing else.
    pub fn seal(&self, module: &Module, mut file: File) {
        if let Some(cache) = &self.0.cache {
            let _ = cache.seal(module.digest(), module.profile(), &mut file);
        }
    }

    fn apart(&self, admit: impl FnOnce() -> Result<Module, AdmissionError> + Send) -> Result<Module, AdmissionError> {
        // Parsers, validators and compilers recurse; on a stack of their own the bounds of admission always end them in time.
        std::thread::scope(|scope| {
            let thread = Builder::new()
                .name("enact-admission".to_owned())
                .stack_size(ADMISSION_STACK_BYTES)
                .spawn_scoped(scope, admit)
                .map_err(|e| AdmissionError::Infrastructure { detail: format!("no admission thread: {e}") })?;
            let joined = thread.join();
            joined.unwrap_or_else(|_| Err(AdmissionError::Infrastructure { detail: "the compiler panicked".to_owned() }))
        })
    }

    fn admit_as(&self, bytes: &[u8], digest: &str, profile: Profile) -> Result<Module, AdmissionError> {
        let facts = self.facts(bytes, digest, profile)?;
        // Before it is compiled.
        facts.kind.ok_or_else(no_world)?;
        let component = self.component(bytes, digest, profile)?;
        self.admitted(&component, digest, &facts, profile)
    }

    fn admitted(&self, component: &Component, digest: &str, facts: &Facts, profile: Profile) -> Result<Module, AdmissionError> {
        let kind = facts.kind.ok_or_else(no_world)?;
        let (callable, purity) = self.link(component, kind, facts)?;
        Ok(Module::new(Admitted {
            callable,
            _engine: Arc::clone(&self.0),
            kind,
            digest: digest.to_owned(),
            imports: facts.grants(),
            wasi: facts.wasi(),
            profile,
            purity,
        }))
    }

    fn known(&self, digest: &str, profile: Profile) -> Option<Facts> {
        self.0.cache.as_ref().and_then(|cache| cache.facts(digest, profile))
    }

    /// Measures a module against its bounds, unless these very bytes were measured before, here, under the same rules.
    fn facts(&self, bytes: &[u8], digest: &str, profile: Profile) -> Result<Facts, AdmissionError> {
        if let Some(facts) = self.known(digest, profile) {
            return Ok(facts);
        }
        let facts = scan::admissible(bytes, profile).map_err(AdmissionError::Refused)?;
        if let Some(cache) = &self.0.cache {
            cache.store_facts(digest, profile, &facts);
        }
        Ok(facts)
    }

    fn component(&self, bytes: &[u8], digest: &str, profile: Profile) -> Result<Component, AdmissionError> {
        let engine = &self.0.engine;
        if let Some(component) = self.0.cache.as_ref().and_then(|cache| cache.load(engine, digest)) {
            return Ok(component);
        }
        let component = match &self.0.compiler {
            Some(compiler) => {
                let compiled = compiler.compile(bytes, profile, self.0.backend)?;
                cache::deserialize(engine, &compiled).ok_or_else(|| AdmissionError::Infrastructure {
                    detail: "what was compiled elsewhere does not fit this engine".to_owned(),
                })?
            }
            None => Component::from_binary(engine, bytes).map_err(|e| AdmissionError::Compile { detail: format!("{e:#}") })?,
        };
        if let Some(cache) = &self.0.cache {
            cache.store(digest, &component);
        }
        Ok(component)
    }

    /// Keeps in the cache what a child of this program compiled, so that nobody compiles it again.
    pub fn keep(&self, digest: &str, compiled: &[u8]) -> bool {
        let Some(cache) = &self.0.cache else { return false };
        cache::deserialize(&self.0.engine, compiled).is_some_and(|component| {
            cache.store(digest, &component);
            true
        })
    }

    /// Links, finds `run`, and compares its type with the contract.
    fn link(&self, component: &Component, kind: Kind, facts: &Facts) -> Result<(Callable, Option<PurityProof>), AdmissionError> {
        let engine = &self.0.engine;
        let with_wasi;
        let linker = match kind {
            Kind::Transform => &self.0.pure,
            Kind::SideEffect if facts.wasi().is_empty() => &self.0.effects,
            Kind::SideEffect => {
                let mut linker = self.0.effects.clone();
                wasi::define(&mut linker).map_err(|e| AdmissionError::Infrastructure { detail: e.to_string() })?;
                with_wasi = linker;
                &with_wasi
            }
        };
        let pre = linker.instantiate_pre(component).map_err(|e| interface(&format!("{e:#}")))?;
        let name = format!("{}{}{}", import::PACKAGE, kind.name(), import::VERSION);
        let ty = component.component_type();
        let run = match ty.get_export(engine, &name).map(|export| export.ty) {
            Some(ComponentItem::ComponentInstance(instance)) => instance.get_export(engine, "run").map(|export| export.ty),
            _ => None,
        };
        let Some(ComponentItem::ComponentFunc(run)) = run else {
            return Err(interface(&format!("`{name}` has no function `run`")));
        };
        let checked = match kind {
            Kind::Transform => run.typecheck::<(TransformCall<'_>,), (GuestOutcome,)>(&pre.instance_type()),
            Kind::SideEffect => run.typecheck::<(SideEffectCall<'_>,), (GuestOutcome,)>(&pre.instance_type()),
        };
        checked.map_err(|e| interface(&format!("`run` has another type: {e:#}")))?;
        let index = component
            .get_export_index(None, &name)
            .and_then(|instance| component.get_export_index(Some(&instance), "run"))
            .ok_or_else(|| interface(&format!("`{name}` has no function `run`")))?;
        let component_imports = ty.imports(engine).len();
        if kind == Kind::Transform && component_imports != 0 {
            return Err(interface(&format!("a transform has {component_imports} imports")));
        }
        let purity = (kind == Kind::Transform).then_some(PurityProof {
            component_imports,
            import_entries: facts.imports.len(),
            inner_imports: facts.inner_imports,
            linked_with_nothing: true,
        });
        let argument_bytes = match kind {
            Kind::Transform => 0,
            Kind::SideEffect => HOST_ARGUMENT_BYTES_MAX,
        };
        Ok((Callable { pre, run: index, argument_bytes, starts: facts.start.is_some() }, purity))
    }
}

fn no_world() -> AdmissionError {
    interface("the module exports none of the worlds")
}

fn interface(detail: &str) -> AdmissionError {
    AdmissionError::Refused(Refusal { code: scan::INTERFACE, detail: detail.to_owned(), at: None })
}

/// Of the file.
fn digest_of(bytes: &[u8]) -> String {
    digest_text(&blake3::hash(bytes))
}
