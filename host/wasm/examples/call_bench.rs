//! Prints what a sandbox costs: to make one, to admit a module, and one call on one and on two threads.
//!
//! `cargo run --release -p enact-wasm --example call_bench [module.wasm [capability [inputs]]]`. Without a module it measures a
//! guest that echoes its inputs. Not a test: it asserts nothing about time.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]
use std::time::{Duration, Instant};

use enact_wasm::{Backend, CacheOptions, Limits, Module, Options, Profile, Sandbox};

/// Long enough to be above the noise of a small machine, short enough to wait for.
const WINDOW: Duration = Duration::from_secs(2);

const ECHO: &str = include_str!("echo.wat");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let bytes = match arguments.next() {
        Some(path) => std::fs::read(path)?,
        None => wat::parse_str(ECHO)?,
    };
    let capability = arguments.next().unwrap_or_else(|| "CT_BENCH_V0".to_owned());
    let inputs = arguments.next().unwrap_or_else(|| format!(r#"{{"text":"{}"}}"#, "x".repeat(245)));
    let dir = tempfile::tempdir()?;
    for backend in [Backend::Native, Backend::Pulley] {
        let cache = Some(CacheOptions { dir: dir.path().to_owned(), key: [7; 32] });
        let begun = Instant::now();
        let sandbox = Sandbox::new(&Options { backend, cache, ..Options::default() })?;
        let made = begun.elapsed();
        let begun = Instant::now();
        let module = sandbox.admit(&bytes, Profile::Strict).or_else(|_| sandbox.admit(&bytes, Profile::Standard))?;
        println!("{}: sandbox {made:?}, admission of {} bytes {:?}", backend.name(), bytes.len(), begun.elapsed());
        let begun = Instant::now();
        sandbox.admit(&bytes, module.profile())?;
        println!("  again, compiled before {:?}", begun.elapsed());
        let first = module.transform(&Limits::default(), &capability, &inputs);
        println!("  {} with {:?} fuel on {} bytes of inputs", first.outcome.code(), first.fuel_used, inputs.len());
        for threads in [1, 2] {
            let calls = calls(&module, threads, &capability, &inputs);
            let micros = WINDOW.as_secs_f64() * 1e6 * f64::from(threads) / calls;
            println!("  {threads} threads: {micros:.2} µs a call, {:.0} calls a second", calls / WINDOW.as_secs_f64());
        }
    }
    Ok(())
}

/// How many calls `threads` threads finish within the window.
fn calls(module: &Module, threads: u32, capability: &str, inputs: &str) -> f64 {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let end = Instant::now() + WINDOW;
                    let mut count = 0.0;
                    while Instant::now() < end {
                        module.transform(&Limits::default(), capability, inputs);
                        count += 1.0;
                    }
                    count
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0.0)).sum()
    })
}
