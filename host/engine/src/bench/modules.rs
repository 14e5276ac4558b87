//! What taking a module in costs, loading it again, recording what it asks, and looking up what it was granted.
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use enact_core::hash::module_digest;
use enact_flow::artifact::{GRANT_ROWS_MAX, HttpGrant};
use enact_wasm::{Answer, Backend, CacheOptions, HostCall, Options, Request, Sandbox, measure};
use serde::Serialize;

use super::{Scratch, cpu_time};
use crate::admission::{Intake, Manifest, Paths};
use crate::bound::{ModuleSource, Modules, admit};
use crate::error::{EngineError, Result};
use crate::reach::permitted;

/// Built-in modules that are measured: one of about 100 KB, and the largest.
const BUILT_IN: [&str; 2] = ["registry", "auditor"];
/// Host calls of one call of a side effect; more than a binding allows.
const CALLS: usize = 1_000;
/// Rows that no protocol may have, to see what they would cost.
const MANY: usize = 1_000;

/// After this time a file that nobody wrote to may be sealed; a little more than the cache wants.
const SETTLED: Duration = Duration::from_secs(4);

/// What to measure.
#[derive(Debug, Clone)]
pub struct ModulesBench {
    /// Modules beside the built-in ones, each with `vectors.json` and `manifest.json` beside it.
    pub files: Vec<PathBuf>,
    /// How often each is examined.
    pub examinations: u32,
    /// How often each is loaded, calls are recorded and rows looked up.
    pub rounds: u32,
}

/// Figures of one module.
#[derive(Debug, Clone, Serialize)]
pub struct ModuleFigures {
    /// Its name.
    pub module: String,
    /// Bytes of the component.
    pub bytes: usize,
    /// Vectors that were tried, three times each.
    pub vectors: usize,
    /// Wall time of an examination, shortest and median, s.
    pub examined_s: [f64; 2],
    /// Processor time of an examination, in this process and in the one that is started for it, s.
    pub examined_cpu_s: f64,
    /// Wall time of loading it from the cache, as a run does while a seal of its files holds, shortest and median, ms.
    pub loaded_ms: [f64; 2],
    /// Processor time of it, ms.
    pub loaded_cpu_ms: f64,
    /// Wall time of loading it from the cache without a seal, where all is read and authenticated, shortest and median, ms.
    pub authenticated_ms: [f64; 2],
    /// Processor time of it, ms.
    pub authenticated_cpu_ms: f64,
}

/// Figures of modules.
#[derive(Debug, Clone, Serialize)]
pub struct ModulesFigures {
    /// By module.
    pub modules: Vec<ModuleFigures>,
    /// Processor time of recording one host call (a key of 16 bytes, a value of 256), µs.
    pub recorded_cpu_us: f64,
    /// Wall time of it, µs.
    pub recorded_us: f64,
    /// Rows of a binding → processor time of finding out whether a request is allowed by the last of them, µs. All but the last are what
    /// a protocol may have.
    pub permitted_cpu_us: [(usize, f64); 3],
}

/// Measures modules in a scratch folder below `dir`.
///
/// # Errors
/// When a module cannot be read, examined or loaded.
pub fn modules(dir: &Path, bench: &ModulesBench, mut progress: impl FnMut()) -> Result<ModulesFigures> {
    let path = dir.join(format!("enact-bench-{}", crate::workspace::random_hex(4)?));
    std::fs::create_dir(&path).map_err(|e| EngineError::file("make", &path, e))?;
    let scratch = Scratch::new(path.clone());
    let mut modules = Vec::new();
    for (name, bytes) in crate::embedded::modules().filter(|(name, _)| BUILT_IN.contains(name)) {
        let intake = Intake::of(bytes.to_vec(), Manifest::default(), None, name)?;
        modules.push(module(&path, name, &intake, bench, &mut progress)?);
    }
    for file in &bench.files {
        let intake = Intake::read(&Paths { file: file.clone(), ..Paths::default() })?;
        modules.push(module(&path, &file.display().to_string(), &intake, bench, &mut progress)?);
    }
    drop(scratch);
    let recorded = average(bench.rounds, CALLS, calls, measure::record_all);
    let rows = [1, GRANT_ROWS_MAX, MANY].map(|count| (count, looked_up(count, bench.rounds)));
    Ok(ModulesFigures { modules, recorded_cpu_us: recorded.0, recorded_us: recorded.1, permitted_cpu_us: rows })
}

fn module(dir: &Path, name: &str, intake: &Intake, bench: &ModulesBench, progress: &mut dyn FnMut()) -> Result<ModuleFigures> {
    let before = cpu_time().saturating_add(children_time());
    let mut walls = Vec::new();
    for _ in 0..bench.examinations {
        let begun = Instant::now();
        intake.examine()?;
        walls.push(begun.elapsed());
        progress();
    }
    let examined = cpu_time().saturating_add(children_time()).saturating_sub(before);
    let cache = Some(CacheOptions { dir: dir.to_owned(), key: [7; 32] });
    let options = Options { backend: Backend::Native, cache, max_concurrent_calls: 1, compiler: crate::admission::compiler() };
    let sandbox = Sandbox::new(&options).map_err(|e| EngineError::Sandbox { detail: e.to_string() })?;
    let kept = Kept { path: dir.join("module.wasm"), digest: module_digest(&intake.bytes).to_string() };
    std::fs::write(&kept.path, &intake.bytes).map_err(|e| EngineError::file("write", &kept.path, e))?;
    admit(&sandbox, &intake.bytes, name)?;
    let authenticated = timed(bench.rounds, || admit(&sandbox, &kept.module(&kept.digest)?, name))?;
    // What was written just now is not sealed.
    std::thread::sleep(SETTLED);
    progress();
    let load = || Modules::default().admit(&sandbox, &kept, &kept.digest, name);
    load()?;
    let loaded = timed(bench.rounds, load)?;
    Ok(ModuleFigures {
        module: name.to_owned(),
        bytes: intake.bytes.len(),
        vectors: intake.vectors.vectors.len(),
        examined_s: spread(walls, 1.0),
        examined_cpu_s: examined.as_secs_f64() / f64::from(bench.examinations.max(1)),
        loaded_ms: spread(loaded.0, 1e3),
        loaded_cpu_ms: loaded.1,
        authenticated_ms: spread(authenticated.0, 1e3),
        authenticated_cpu_ms: authenticated.1,
    })
}

/// A module in a file of its own, as a workspace has it.
struct Kept {
    path: PathBuf,
    digest: String,
}

impl ModuleSource for Kept {
    fn module(&self, _: &str) -> Result<Vec<u8>> {
        std::fs::read(&self.path).map_err(|e| EngineError::file("read", &self.path, e))
    }

    fn file(&self, _: &str) -> Option<File> {
        File::open(&self.path).ok()
    }
}

/// Wall times of `rounds` of it, and the processor time of one, ms.
fn timed<T>(rounds: u32, act: impl Fn() -> Result<T>) -> Result<(Vec<Duration>, f64)> {
    let (before, mut walls) = (cpu_time(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        std::hint::black_box(act()?);
        walls.push(begun.elapsed());
    }
    Ok((walls, cpu_time().saturating_sub(before).as_secs_f64() * 1e3 / f64::from(rounds.max(1))))
}

/// Shortest and median.
fn spread(mut times: Vec<Duration>, scale: f64) -> [f64; 2] {
    times.sort_unstable();
    let at = |nth: usize| times.get(nth).map_or(0.0, Duration::as_secs_f64) * scale;
    [at(0), at(times.len() / 2)]
}

/// Processor and wall time of one of `count` things, µs, over as many rounds. What is prepared is not measured.
fn average<T, R>(rounds: u32, count: usize, prepare: impl Fn() -> T, act: impl Fn(T) -> R) -> (f64, f64) {
    let (mut cpu, mut wall) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..rounds {
        let prepared = prepare();
        let (before, begun) = (cpu_time(), Instant::now());
        std::hint::black_box(act(prepared));
        wall += begun.elapsed();
        cpu += cpu_time().saturating_sub(before);
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / (f64::from(rounds.max(1)) * count.max(1) as f64);
    (each(cpu), each(wall))
}

/// What a side effect that looks up one key after another asks and is answered.
fn calls() -> Vec<HostCall> {
    let call = |nth: usize| HostCall {
        request: Request::RegistryLookup { store: "bench/keys".to_owned(), key: format!("key-{nth:012}") },
        answer: Answer::Existing(Some("v".repeat(256))),
    };
    (0..CALLS).map(call).collect()
}

/// Processor time of finding the last of `count` rows, µs.
fn looked_up(count: usize, rounds: u32) -> f64 {
    let row = |nth: usize| HttpGrant {
        scheme: "https".to_owned(),
        host: format!("peer-{nth}.example.org"),
        port: 443,
        methods: std::iter::once("POST".to_owned()).collect(),
        path_prefix: "/v1".to_owned(),
        private: false,
        timeout_ms: None,
        headers: std::collections::BTreeMap::new(),
    };
    let rows: Vec<HttpGrant> = (0..count).map(row).collect();
    let url = format!("https://peer-{}.example.org/v1/notes", count.saturating_sub(1));
    let look = |()| (0..CALLS).filter(|_| permitted(&rows, "POST", std::hint::black_box(&url))).count();
    average(rounds, CALLS, || (), look).0
}

/// Processor time of processes that this one has started and that are gone, in steps of a hundredth of a second; nothing where there is no `/proc`.
fn children_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which is in parentheses and may hold anything: the times of children are the fields 16 and 17 of all.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(13).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks.saturating_mul(10))
}
