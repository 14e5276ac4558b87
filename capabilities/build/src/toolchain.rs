//! The one toolchain that gives the committed bytes: a compiler with the sources of its standard library, and a linker.
//!
//! A prebuilt standard library gives other bytes than one built from source, so only the second form counts here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The packages of Debian 12 that provide the compiler, its build tool and the sources of the standard library.
const PACKAGES: &str = "rustc-web cargo-web rust-web-src";
/// The release that the committed bytes were built with.
const RELEASE: &str = "1.96.0";
/// The major release of the linker that the committed bytes were linked with.
const LINKER_RELEASE: &str = "LLD 22.";
/// Names another linker than the one beside the host's own compiler.
const LINKER_VARIABLE: &str = "ENACT_WASM_LINKER";
/// Names another folder than `/usr/bin` for the compiler and its build tool.
const BIN_VARIABLE: &str = "ENACT_WASM_TOOLCHAIN";

/// Paths of the tools, and what they call themselves.
#[derive(Debug)]
pub(crate) struct Toolchain {
    pub(crate) cargo: PathBuf,
    pub(crate) rustc: PathBuf,
    pub(crate) linker: PathBuf,
    /// The root of the sources of the standard library, as the compiler names it and as the file system does.
    pub(crate) library: [PathBuf; 2],
    description: String,
}

impl Toolchain {
    /// Finds the tools, or says what to install.
    pub(crate) fn find() -> Result<Self> {
        let bin = std::env::var_os(BIN_VARIABLE).map_or_else(|| PathBuf::from("/usr/bin"), PathBuf::from);
        let (cargo, rustc) = (bin.join("cargo"), bin.join("rustc"));
        let version = output(&rustc, &["--version"]).with_context(missing)?;
        if version.split_whitespace().nth(1) != Some(RELEASE) {
            bail!("`{}` is {version}, the modules are built with {RELEASE}; {}", rustc.display(), missing());
        }
        output(&cargo, &["--version"]).with_context(missing)?;
        let sysroot = PathBuf::from(output(&rustc, &["--print", "sysroot"])?);
        let named = sysroot.join("lib/rustlib/src/rust");
        let real = named.canonicalize().with_context(missing)?;
        let linker = linker()?;
        let linked = output(&linker, &["-flavor", "wasm", "--version"])?;
        if !linked.starts_with(LINKER_RELEASE) {
            bail!("`{}` is {linked}, the modules are linked with {LINKER_RELEASE}x; name it with `{LINKER_VARIABLE}`", linker.display());
        }
        // The linker adds its revision; its release is what decides.
        let linked: Vec<&str> = linked.split_whitespace().take(2).collect();
        let description = format!("rustc {RELEASE} build-std, {}", linked.join(" "));
        Ok(Self { cargo, rustc, linker, library: [named, real], description })
    }

    /// What the digests name as the toolchain.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }
}

fn missing() -> String {
    format!(
        "the modules need rustc, cargo and the sources of the standard library, each {RELEASE}; on Debian 12: apt-get install \
         --no-install-recommends {PACKAGES} (or name a folder with another build of it in `{BIN_VARIABLE}`)"
    )
}

/// The linker that comes with the host's own compiler, unless a variable names another.
fn linker() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(LINKER_VARIABLE) {
        return Ok(PathBuf::from(path));
    }
    let sysroot = output(Path::new("rustc"), &["--print", "sysroot"]).context("no `rustc` of the host in the path")?;
    let verbose = output(Path::new("rustc"), &["-vV"])?;
    let host = verbose.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
    let path = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
    if path.is_file() {
        return Ok(path);
    }
    bail!("no linker for WebAssembly at `{}`; name one with `{LINKER_VARIABLE}`", path.display())
}

/// What a tool prints, without the line end.
fn output(tool: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(tool).args(arguments).output().with_context(|| format!("cannot run `{}`", tool.display()))?;
    if !output.status.success() {
        bail!("`{}` ended with {}: {}", tool.display(), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
