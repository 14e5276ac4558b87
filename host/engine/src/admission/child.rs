//! The process that examines a stranger's module. It is given bytes and vectors on its standard input, has no key, no workspace and no file,
//! answers once on its standard output, and may be ended at any moment.
use std::io::{Read, Write};

use enact_wasm::{AdmissionError, Backend, Module, Options, Profile, Sandbox};
use serde::{Deserialize, Serialize};

use super::vectors::{self, Vectors};
use super::{Conformance, Examined, Manifest, Purity, Reason, Tried};
use crate::error::{EngineError, Result};

/// Bytes of a question or an answer without the module.
pub(super) const HEAD_BYTES_MAX: u64 = 16 << 20;
/// Bytes of a compiled module: a few times those of the largest file.
pub(super) const COMPILED_BYTES_MAX: u64 = 512 << 20;

/// Bytes of one answer that are handed back whole.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// What is wanted.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    /// Only the compiled form, of a module that has been admitted.
    Compile { profile: Profile, pulley: bool },
    /// What it answers to each vector, of a module that may not be admitted yet.
    Answers { manifest: Manifest, vectors: Vectors },
    /// Everything.
    Examine { manifest: Manifest, vectors: Vectors, vectors_file: Option<String> },
}

/// What was found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The compiled form follows.
    Compiled,
    /// To each vector, in order.
    Answered(Vec<String>),
    /// It may be admitted; the compiled form follows.
    Examined { examined: Box<Examined>, tried: Vec<Tried> },
    /// It breaks rules, or promises.
    Refused { reasons: Vec<Reason>, tried: Vec<Tried> },
    /// The compiler gave up; nothing is said about the module.
    NotCompiled { code: String, detail: String },
}

/// Serves one question on standard input and output: what the hidden command of the program does.
///
/// # Errors
/// Only when the streams fail; everything about the module is an answer.
pub fn serve(input: &mut dyn Read, output: &mut dyn Write) -> std::io::Result<()> {
    confine();
    let (head, bytes) = (frame(input, HEAD_BYTES_MAX)?, frame(input, super::MODULE_BYTES_MAX)?);
    let question: Question = serde_json::from_slice(&head)?;
    let (answer, compiled) = answer(&question, &bytes)
        .unwrap_or_else(|e| (Answer::NotCompiled { code: e.code().to_owned(), detail: e.to_string() }, Vec::new()));
    write_frame(output, &serde_json::to_vec(&answer)?)?;
    write_frame(output, &compiled)?;
    output.flush()?;
    // Whoever asked reads from the system what this took, before it is gone, and closes its end then.
    std::io::copy(input, &mut std::io::sink()).map(drop)
}

pub(super) fn write_frame(output: &mut dyn Write, bytes: &[u8]) -> std::io::Result<()> {
    output.write_all(&(bytes.len() as u64).to_le_bytes())?;
    output.write_all(bytes)
}

/// A length and that many bytes.
pub(super) fn frame(input: &mut dyn Read, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut len = [0; 8];
    input.read_exact(&mut len)?;
    let len = u64::from_le_bytes(len);
    if len > bytes_max {
        return Err(std::io::Error::other(format!("a frame of {len} bytes, {bytes_max} are allowed")));
    }
    let mut bytes = Vec::new();
    input.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len { Ok(bytes) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

/// Takes from this process what it does not need: large files, core dumps, more memory and time than the bounds say, a life of its own.
#[cfg(unix)]
fn confine() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limits = [
        // The initial memory of an instance is a file without a name.
        (Resource::Fsize, enact_wasm::limits::MEMORY_BYTES_MAX),
        (Resource::Core, 0),
        (Resource::Data, super::warden::DATA_BYTES_MAX),
        (Resource::Cpu, super::warden::CPU_SECONDS_MAX),
        // Standard streams, and what the C library opens to learn about the machine.
        (Resource::Nofile, 16),
    ];
    // Nobody is left to watch it, or to want its answer, when the one who asked is gone.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    for (resource, max) in limits {
        // A limit that is lower already stays; the parent watches in any case.
        let _ = setrlimit(resource, Rlimit { current: Some(max), maximum: Some(max) });
    }
}

#[cfg(not(unix))]
fn confine() {}

fn answer(question: &Question, bytes: &[u8]) -> Result<(Answer, Vec<u8>)> {
    match question {
        Question::Compile { profile, pulley } => {
            let sandbox = sandbox(if *pulley { Backend::Pulley } else { Backend::Native })?;
            Ok(match sandbox.admit(bytes, *profile) {
                Ok(module) => (Answer::Compiled, compiled(&module)?),
                Err(e) => (Answer::NotCompiled { code: e.code().to_owned(), detail: e.to_string() }, Vec::new()),
            })
        }
        Question::Answers { manifest, vectors } => answers(bytes, manifest, vectors).map(|answer| (answer, Vec::new())),
        Question::Examine { manifest, vectors, vectors_file } => examine(bytes, manifest, vectors, vectors_file.as_deref()),
    }
}

fn answers(bytes: &[u8], manifest: &Manifest, vectors: &Vectors) -> Result<Answer> {
    let module = match sandbox(Backend::Native)?.admit(bytes, enact_wasm::inspect(bytes).profile) {
        Ok(module) => module,
        Err(e) => return Ok(Answer::NotCompiled { code: e.code().to_owned(), detail: e.to_string() }),
    };
    let given = |vector| {
        let given = vectors::call(&module, vector, &vectors::limits(&manifest.codes, &vector.capability))?;
        Ok(shortened(format!("{} {}", given.status, serde_json::Value::Object(given.outputs))))
    };
    vectors.vectors.iter().map(given).collect::<Result<_>>().map(Answer::Answered)
}

/// A long answer by its beginning and its digest: all of them are one frame.
fn shortened(text: String) -> String {
    if text.len() <= ANSWER_BYTES_MAX {
        return text;
    }
    let digest = enact_core::hash::blob_hash(text.as_bytes());
    let begins = text.char_indices().take_while(|(at, _)| *at < ANSWER_BYTES_MAX / 2).map(|(_, c)| c).collect::<String>();
    format!("{begins}… ({} bytes, {digest})", text.len())
}

fn sandbox(backend: Backend) -> Result<Sandbox> {
    Sandbox::new(&Options { backend, max_concurrent_calls: 1, ..Options::default() })
        .map_err(|e| EngineError::Sandbox { detail: e.to_string() })
}

fn compiled(module: &Module) -> Result<Vec<u8>> {
    module.compiled().ok_or_else(|| EngineError::Internal { detail: "the compiled module cannot be written".to_owned() })
}

fn examine(bytes: &[u8], manifest: &Manifest, vectors: &Vectors, vectors_file: Option<&str>) -> Result<(Answer, Vec<u8>)> {
    let inspection = enact_wasm::inspect(bytes);
    let refused = |reasons, tried| Ok((Answer::Refused { reasons, tried }, Vec::new()));
    if !inspection.refusals.is_empty() {
        let reason = |r: &enact_wasm::Refusal| Reason {
            code: r.code.to_owned(),
            detail: r.detail.clone(),
            at: r.at.map(|at| at as u64),
            hint: r.hint().map(str::to_owned),
        };
        return refused(inspection.refusals.iter().map(reason).collect(), Vec::new());
    }
    if !manifest.world.is_empty() && manifest.world != inspection.kind {
        let detail = format!("the manifest says `{}`, the file exports `{}`", manifest.world, inspection.kind);
        return refused(vec![plain("manifest_world", detail, "mend `world` in manifest.json, or build the other world")], Vec::new());
    }
    let native = sandbox(Backend::Native)?;
    let pulley = if vectors.vectors.is_empty() { None } else { Some(sandbox(Backend::Pulley)?) };
    // The two compilations do not wait for each other.
    let (module, second) = std::thread::scope(|scope| {
        let second = pulley.as_ref().map(|pulley| scope.spawn(|| pulley.admit(bytes, inspection.profile)));
        let first = native.admit(bytes, inspection.profile);
        (first, second.map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))))
    });
    let not_compiled = |e: AdmissionError| match e.refusal() {
        Some(r) => (
            Answer::Refused { reasons: vec![plain(r.code, r.detail.clone(), r.hint().unwrap_or_default())], tried: Vec::new() },
            Vec::new(),
        ),
        None => (Answer::NotCompiled { code: e.code().to_owned(), detail: e.to_string() }, Vec::new()),
    };
    let (module, second) = match (module, second.transpose()) {
        (Ok(module), Ok(second)) => (module, second),
        (Err(e), _) | (_, Err(e)) => return Ok(not_compiled(e)),
    };
    let (tried, mut reasons) = (try_all(&module, second.as_ref(), manifest, vectors)?, Vec::new());
    for (tried, disagreement) in &tried {
        if let Some(detail) = disagreement {
            reasons.push(plain("engines_disagree", format!("`{}`: {detail}", tried.name), "report it: every engine must answer alike"));
        }
        if let Some(difference) = &tried.difference {
            reasons.push(plain("conformance_failed", format!("`{}`: {difference}", tried.name), "mend the module or its vectors"));
        }
    }
    let tried: Vec<Tried> = tried.into_iter().map(|(tried, _)| tried).collect();
    if !reasons.is_empty() {
        return refused(reasons, tried);
    }
    let examined = Examined {
        digest: module.digest().to_owned(),
        sha256: inspection.sha256,
        size: bytes.len() as u64,
        world: module.kind().name().to_owned(),
        imports: module.imports().to_vec(),
        wasi: module.wasi().to_vec(),
        exports: inspection.exports,
        profile: module.profile().name().to_owned(),
        purity: module.purity().map(|p| Purity {
            component_imports: p.component_imports as u64,
            import_entries: p.import_entries as u64,
            inner_imports: p.inner_imports as u64,
            linked_with_nothing: p.linked_with_nothing,
        }),
        conformance: Conformance {
            vectors: tried.len() as u64,
            fuel: tried.iter().filter_map(|t| t.fuel).fold(0, u64::saturating_add),
            file: vectors_file.map(str::to_owned),
        },
        engine: native.fingerprint().digest(),
    };
    let compiled = compiled(&module)?;
    Ok((Answer::Examined { examined: Box::new(examined), tried }, compiled))
}

/// Every vector twice in fresh instances and once interpreted; with each what the engines do not agree on.
fn try_all(module: &Module, second: Option<&Module>, manifest: &Manifest, vectors: &Vectors) -> Result<Vec<(Tried, Option<String>)>> {
    let mut all = Vec::with_capacity(vectors.vectors.len());
    for vector in &vectors.vectors {
        let limits = vectors::limits(&manifest.codes, &vector.capability);
        let first = vectors::call(module, vector, &limits)?;
        let again = vectors::call(module, vector, &limits)?;
        let mut disagreement = (first != again).then(|| format!("two calls gave `{}` and `{}`", first.status, again.status));
        if let Some(second) = second {
            let other = vectors::call(second, vector, &limits)?;
            if other != first {
                let fuel = |given: &vectors::Given| given.fuel.map_or_else(|| "no".to_owned(), |fuel| fuel.to_string());
                let (a, b) = ((&first.status, fuel(&first)), (&other.status, fuel(&other)));
                disagreement = Some(format!("compiled gave `{}` with {} fuel, interpreted `{}` with {}", a.0, a.1, b.0, b.1));
            }
        }
        all.push((vectors::judge(vector, &first), disagreement));
    }
    Ok(all)
}

fn panicked() -> AdmissionError {
    AdmissionError::Infrastructure { detail: "the compiler panicked".to_owned() }
}

fn plain(code: &str, detail: String, hint: &str) -> Reason {
    Reason { code: code.to_owned(), detail, at: None, hint: (!hint.is_empty()).then(|| hint.to_owned()) }
}
