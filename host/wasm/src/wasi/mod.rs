//! WASI 0.2 for side effects, with nothing of this machine behind it: no arguments, no environment, no folder, no network, an empty input.
//!
//! Everything that it answers follows from two things that are recorded: the time of the run, and one seed, asked of the [`crate::Host`] when
//! the module first wants randomness. So an audit executes such a module again like any other. The types and the linking are those of the
//! crate `wasmtime-wasi`; its context is not used, because it would look at the machine's clocks, wait in real time and start a runtime.
mod cli;
mod clock;
mod io;
mod random;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi::p2::bindings::{cli as cli_bindings, clocks, filesystem, random as random_bindings, sync};

use crate::call::CallState;
use crate::import::{Stop, ask};
use crate::limits::{HOST_CALL_FUEL, WASI_LOG_BYTES_MAX};
use crate::outcome::{BoundCode, TrapCode};
use crate::transcript::{Answer, Request};

/// What a binding grants.
pub(crate) const GRANT: &str = "wasi";

/// The interfaces that a side effect may import. Sockets and HTTP are not among them, and never will be: peers are reached through `http`.
const INTERFACES: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Whether an import is one of them, in any release of 0.2.
pub(crate) fn is_interface(name: &str) -> bool {
    let Some((path, patch)) = name.split_once("@0.2.") else { return false };
    !patch.is_empty() && patch.len() <= 3 && patch.bytes().all(|b| b.is_ascii_digit()) && INTERFACES.contains(&path)
}

/// What WASI is for one call.
pub(crate) struct Wasi {
    clock: clock::Clock,
    random: Option<random::Random>,
    /// What was written to both outputs, up to a bound.
    pub(crate) log: Vec<u8>,
    /// Fuel for its calls: the bindings do not let a host function charge at once.
    pub(crate) fuel: u64,
    /// Without any folder. No descriptor ever exists, so nothing can be asked of one.
    files: WasiFilesystemCtx,
    table: ResourceTable,
}

impl Wasi {
    fn new(now_micros: i64) -> Self {
        Self {
            clock: clock::Clock::new(now_micros),
            random: None,
            log: Vec::new(),
            fuel: 0,
            files: WasiFilesystemCtx::default(),
            table: ResourceTable::new(),
        }
    }

    /// Keeps what fits; the rest was written and is gone.
    fn write(&mut self, bytes: &[u8]) {
        let room = WASI_LOG_BYTES_MAX.saturating_sub(self.log.len());
        self.log.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

impl std::fmt::Debug for Wasi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wasi").field("clock", &self.clock).field("fuel", &self.fuel).finish_non_exhaustive()
    }
}

/// The implementation of every interface: the state of one call.
pub(crate) struct View<'a>(&'a mut CallState);

impl View<'_> {
    /// Begins one call of the guest: budget, grant, and the fuel for it and for so many bytes.
    fn enter(&mut self, bytes: usize) -> wasmtime::Result<&mut Wasi> {
        let effect = &mut self.0.effect;
        effect.calls_left = effect.calls_left.checked_sub(1).ok_or_else(|| Stop::bound(BoundCode::HostCalls))?;
        // These functions have no way to say `denied`, so the call ends.
        if !effect.grants.iter().any(|grant| grant == GRANT) {
            return Err(Stop::trap(TrapCode::WasiDenied));
        }
        let wasi = state(self.0);
        wasi.fuel = wasi.fuel.saturating_add(HOST_CALL_FUEL).saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        Ok(wasi)
    }

    /// The one thing that is asked of the host, and recorded.
    fn seed(&mut self) -> wasmtime::Result<[u8; 32]> {
        let answer = ask(&mut self.0.effect, Request::WasiSeed)?;
        let Answer::Bytes(seed) = answer else { return Err(Stop::host()) };
        seed.try_into().map_err(|_| Stop::host())
    }
}

fn state(call: &mut CallState) -> &mut Wasi {
    let now = call.effect.now_micros;
    call.wasi.get_or_insert_with(|| Box::new(Wasi::new(now)))
}

/// Names [`View`] to the bindings.
struct Data;

impl HasData for Data {
    type Data<'a> = View<'a>;
}

fn view(call: &mut CallState) -> View<'_> {
    View(call)
}

fn folders(call: &mut CallState) -> WasiFilesystemCtxView<'_> {
    let Wasi { files, table, .. } = state(call);
    WasiFilesystemCtxView { ctx: files, table }
}

/// Defines every interface.
pub(crate) fn define(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    errors(linker)?;
    sync::io::poll::add_to_linker::<_, Data>(linker, view)?;
    sync::io::streams::add_to_linker::<_, Data>(linker, view)?;
    clocks::wall_clock::add_to_linker::<_, Data>(linker, view)?;
    clocks::monotonic_clock::add_to_linker::<_, Data>(linker, view)?;
    random_bindings::random::add_to_linker::<_, Data>(linker, view)?;
    random_bindings::insecure::add_to_linker::<_, Data>(linker, view)?;
    random_bindings::insecure_seed::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::environment::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::exit::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::stdin::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::stdout::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::stderr::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::terminal_input::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::terminal_output::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::terminal_stdin::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::terminal_stdout::add_to_linker::<_, Data>(linker, view)?;
    cli_bindings::terminal_stderr::add_to_linker::<_, Data>(linker, view)?;
    filesystem::preopens::add_to_linker::<_, Data>(linker, view)?;
    sync::filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, folders)
}

/// `wasi:io/error`: a resource that no function here ever makes.
fn errors(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("wasi:io/error@0.2.12")?;
    instance.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(()))?;
    instance.func_wrap("[method]error.to-debug-string", |_, (_error,): (Resource<IoError>,)| Ok((String::new(),)))
}
