//! From a crate to a core WebAssembly module. The flags are the whole recipe; nothing is inherited from the caller's environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::module::Module;
use crate::stage::Stage;
use crate::toolchain::Toolchain;

/// The target: no operating system, so nothing can be imported that the WIT does not name.
const TARGET: &str = "wasm32-unknown-unknown";
/// Bytes of the stack. It lies below the data, so an overflow traps instead of overwriting anything.
const STACK_BYTES: u32 = 64 * 1024;
/// Bytes of memory that a module starts with. Growing costs the host two system calls under a process-wide lock, so it holds the
/// working set of an ordinary call.
const MEMORY_BYTES: u32 = 256 * 1024;
/// Flags of the compiler that a profile cannot name. A panic is a trap without a message: there is nobody to read one, and its text
/// and the code that formats it would be half of the module.
const FLAGS: [&str; 6] = [
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zlocation-detail=none",
    "-Zfmt-debug=none",
    "-Ctarget-cpu=mvp",
    // The features that the sandbox allows; the compiler's own default may grow with its next release.
    "-Ctarget-feature=+mutable-globals,+sign-ext,+nontrapping-fptoint,+bulk-memory",
];
/// Variables of the caller that would change the bytes or the tools.
const FOREIGN: [&str; 9] = [
    "CARGO",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
];

/// Compiles one module and answers the core module's bytes.
///
/// `locked`: refuse to touch the lock file. A check must; whoever adds a dependency must not.
pub(crate) fn module(toolchain: &Toolchain, stage: &Stage, target_dir: &Path, module: &Module, locked: bool) -> Result<Vec<u8>> {
    let mut command = Command::new(&toolchain.cargo);
    for name in FOREIGN {
        command.env_remove(name);
    }
    command
        .current_dir(&stage.root)
        .env("RUSTC", &toolchain.rustc)
        // Building the standard library is an unstable feature of the stable compiler.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(toolchain, stage)?.join("\u{1f}"))
        .env("CARGO_TARGET_DIR", target_dir)
        .args(["build", "--release", "--quiet", "-Zbuild-std=std,panic_abort", "-Zbuild-std-features="])
        .args(["--target", TARGET, "--package", &module.package()]);
    if locked {
        command.arg("--locked");
    }
    let status = command.status().with_context(|| format!("cannot run `{}`", toolchain.cargo.display()))?;
    if !status.success() {
        bail!("the crate of `{}` does not compile ({status})", module.name);
    }
    let file = format!("{}.wasm", module.package().replace('-', "_"));
    let path = target_dir.join(TARGET).join("release").join(file);
    std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn flags(toolchain: &Toolchain, stage: &Stage) -> Result<Vec<String>> {
    let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
    flags.push(format!("-Clinker={}", toolchain.linker.display()));
    flags.push(format!("-Clink-arg=-zstack-size={STACK_BYTES}"));
    flags.push(format!("-Clink-arg=--initial-memory={MEMORY_BYTES}"));
    // Paths reach the bytes through messages and symbol names; none may depend on where something happens to lie.
    flags.push(format!("--remap-path-prefix={}=enact", stage.root.display()));
    flags.push(format!("--remap-path-prefix={}=cargo", cargo_home()?.display()));
    for library in &toolchain.library {
        flags.push(format!("--remap-path-prefix={}=rust", library.display()));
    }
    Ok(flags)
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CARGO_HOME") {
        return Ok(PathBuf::from(path));
    }
    let home = std::env::var_os("HOME").context("neither `CARGO_HOME` nor `HOME` is set")?;
    Ok(PathBuf::from(home).join(".cargo"))
}
