//! Every bound of the sandbox, each with its reason.
//!
//! Bounds on *admission* come in two profiles and are applied before anything is compiled. Bounds on a *call* are the same for both;
//! what a binding may choose within them is [`Limits`].
use serde::{Deserialize, Serialize};

/// What one call may use. A binding chooses; the constants of this file bound the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Fuel: about one unit for each operator, byte copied or byte of input.
    pub fuel: u64,
    /// All linear memories and tables of the call together.
    pub memory_bytes: u64,
    /// The outputs text.
    pub output_bytes: u64,
    /// Requests to the host.
    pub host_calls: u32,
    /// Wall clock in milliseconds, rounded up to [`TICK_MS`], at most [`CALL_TIMEOUT_MS`]: a watchdog, whose firing is class D and no answer.
    #[serde(default = "call_timeout_ms")]
    pub wall_ms: u64,
}

const fn call_timeout_ms() -> u64 {
    CALL_TIMEOUT_MS
}

impl Default for Limits {
    /// Enough for first-party modules on inputs of some hundred kilobytes; about 30 ms of work at most.
    fn default() -> Self {
        Self { fuel: 100_000_000, memory_bytes: 16 << 20, output_bytes: 1 << 20, host_calls: 1_000, wall_ms: CALL_TIMEOUT_MS }
    }
}

/// Which set of admission bounds a module is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// What modules built from Rust, C and AssemblyScript need.
    Strict,
    /// What modules need that carry an interpreter: JavaScript, Python.
    Standard,
}

impl Profile {
    /// The bounds of this profile.
    pub fn bounds(self) -> &'static Bounds {
        match self {
            Self::Strict => &STRICT,
            Self::Standard => &STANDARD,
        }
    }

    /// `strict` or `standard`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Standard => "standard",
        }
    }
}

/// Admission bounds. Counts are totals over the component and everything nested in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// Bytes of the whole file: bounds everything else and the time to read it.
    pub size_bytes: usize,
    /// Components within components: each level is one frame of every recursive pass over it.
    pub nesting: usize,
    /// Type declarations within type declarations: parsers recurse here, see [`crate::inspect()`].
    pub type_nesting: usize,
    /// Component types: comparing two chains of them recurses along the chain.
    pub component_types: usize,
    /// How many components one instantiation makes, at most: nested instantiations multiply.
    pub expansion: u64,
    /// Core modules: each is compiled by itself and takes one pool slot.
    pub modules: usize,
    /// Core instances: each takes one pool slot of every call.
    pub instances: usize,
    /// Core functions: each is one unit of compilation.
    pub functions: usize,
    /// Bytes of one function body: register allocation is worse than linear in it.
    pub body_bytes: usize,
    /// Locals of one function: each is a variable of the compiler, declared in two bytes for thousands of them.
    pub locals: u64,
    /// Parameters, or results, of one function type.
    pub params: usize,
    /// Core function types.
    pub types: usize,
    /// Targets of one `br_table`: each is an edge of the control flow graph.
    pub br_table: u32,
    /// Linear memories.
    pub memories: usize,
    /// Initial bytes of all memories together.
    pub memory_bytes: u64,
    /// Tables.
    pub tables: usize,
    /// Initial elements of one table.
    pub table_elements: u64,
    /// Globals.
    pub globals: usize,
    /// Data segments: each is one copy at instantiation when it is not part of the initial image.
    pub data_segments: usize,
    /// Element segments.
    pub element_segments: usize,
    /// Elements of all segments together: each is written at instantiation.
    pub elements: u64,
    /// Core imports and exports, aliases, instantiation arguments and component imports and exports together.
    pub externs: usize,
    /// Bytes of one name.
    pub name_bytes: usize,
}

/// Measured on Rust and C components: 2 to 150 KB, one or two modules, one memory, one table, fewer than 700 functions.
pub const STRICT: Bounds = Bounds {
    size_bytes: 2 << 20,
    nesting: 3,
    type_nesting: 4,
    component_types: 1_000,
    expansion: 64,
    modules: 4,
    instances: 16,
    functions: 8_000,
    body_bytes: 128 << 10,
    locals: 2_000,
    params: 64,
    types: 1_000,
    br_table: 2_048,
    memories: 1,
    memory_bytes: 4 << 20,
    tables: 3,
    table_elements: 10_000,
    globals: 1_000,
    data_segments: 1_000,
    element_segments: 64,
    elements: 10_000,
    externs: 4_000,
    name_bytes: 512,
};

/// Measured on interpreters inside components: 12 MB with a table of 7,688 elements (JavaScript), 18 MB with 33 core modules and several
/// instances and memories (Python).
pub const STANDARD: Bounds = Bounds {
    size_bytes: 32 << 20,
    nesting: 8,
    type_nesting: 8,
    component_types: 5_000,
    expansion: 1_024,
    modules: 40,
    instances: POOL_CORE_INSTANCES_PER_CALL as usize,
    functions: 100_000,
    body_bytes: 1 << 20,
    locals: 10_000,
    params: 256,
    types: 10_000,
    br_table: 16_384,
    memories: POOL_MEMORIES_PER_CALL as usize,
    memory_bytes: 32 << 20,
    tables: POOL_TABLES_PER_CALL as usize,
    table_elements: TABLE_ELEMENTS_MAX,
    globals: 50_000,
    data_segments: 20_000,
    element_segments: 10_000,
    elements: 200_000,
    externs: 100_000,
    name_bytes: 4 << 10,
};

/// One linear memory: the pool's slots are this large, and what a binding asks for beyond it is not given.
pub const MEMORY_BYTES_MAX: u64 = 64 << 20;
/// One table, for the same reason.
pub const TABLE_ELEMENTS_MAX: u64 = 20_000;
/// What one table element counts against the memory limit: a pointer, on every machine.
pub const TABLE_ELEMENT_BYTES: u64 = 8;
/// Core instances of one component; a Python component has some forty.
pub const POOL_CORE_INSTANCES_PER_CALL: u32 = 64;
/// Memories of one component; a Python component has up to three.
pub const POOL_MEMORIES_PER_CALL: u32 = 4;
/// Tables of one component.
pub const POOL_TABLES_PER_CALL: u32 = 32;
/// Runtime metadata of one component or core instance; interpreters with thousands of functions need megabytes.
pub const POOL_INSTANCE_BYTES: usize = 8 << 20;
/// Memory that a slot keeps between calls: the working set of a small guest, so that reuse costs a `memset` and no system call.
pub const POOL_KEEP_RESIDENT_BYTES: usize = 128 << 10;
/// Calls at once when the options do not say: more than the cores of a small machine, and a pool that costs little to reserve.
pub const CONCURRENT_CALLS_DEFAULT: u32 = 16;
/// Above this the pool would reserve more address space than a 47-bit process has.
pub const CONCURRENT_CALLS_MAX: u32 = 1_000;

/// Native stack of one call: a quarter of what a thread of the standard library may have left.
pub const STACK_BYTES: usize = 1 << 20;
/// Stack of the thread that parses and compiles a module: deep inputs must end in a refusal, not in the guard page.
pub const ADMISSION_STACK_BYTES: usize = 64 << 20;
/// Wall clock of one call. Only a watchdog: default fuel ends far earlier.
pub const CALL_TIMEOUT_MS: u64 = 10_000;
/// The watchdog's period: precision of the timeout against wake-ups of an idle process.
pub const TICK_MS: u64 = 50;

/// Fuel for the call itself: a store, an instance and two copies, about what a thousand operators cost.
pub const CALL_FUEL: u64 = 1_000;
/// Fuel during instantiation, which is not charged: what it uses differs between operating systems.
pub const INSTANTIATE_FUEL: u64 = u64::MAX / 2;
/// Fuel for one request to the host: a staged read or write costs microseconds.
pub const HOST_CALL_FUEL: u64 = 5_000;
/// Fuel for one page of `memory.grow`: zeroing a page costs about as much as copying some thousand bytes; the most the table can say.
pub const GROW_PAGE_FUEL: u8 = 255;

/// A status is a word, not a document.
pub const STATUS_BYTES_MAX: usize = 64;
/// The inputs text: both copies of it must fit beside a working set into the smallest sensible memory.
pub const INPUT_BYTES_MAX: usize = 8 << 20;
/// The outputs text, whatever the binding says: the host holds it several times while it is parsed and hashed.
pub const OUTPUT_BYTES_MAX: u64 = 8 << 20;
/// All arguments of one host call: above the bound of a value, so that a guest learns of that one as a [`crate::Fault::Limit`].
pub const HOST_ARGUMENT_BYTES_MAX: usize = 2 << 20;
/// Name of a store.
pub const STORE_BYTES_MAX: usize = 256;
/// Key of a registry or a table: it becomes an index key of the backing store.
pub const KEY_BYTES_MAX: usize = 1 << 10;
/// Value of a registry, a table or a log record.
pub const VALUE_BYTES_MAX: usize = 256 << 10;
/// Elements of one list or log answer; a guest pages through more.
pub const LIST_MAX: u32 = 1_000;
/// Octets of one `random.bytes`.
pub const RANDOM_BYTES_MAX: u32 = 4_096;
/// Body of an HTTP request or of its answer, and content of a file: what a value may have, since it usually ends as one.
pub const BODY_BYTES_MAX: usize = 256 << 10;
/// Names and values of the headers of one message: what common servers take.
pub const HEADER_BYTES_MAX: usize = 8 << 10;
/// Headers of one message.
pub const HEADERS_MAX: usize = 64;
/// A URL; longer ones do not get through common servers either.
pub const URL_BYTES_MAX: usize = 4 << 10;
/// A method.
pub const METHOD_BYTES_MAX: usize = 16;
/// Files that one call may write: each is two syncs and an intent of its own.
pub const FILE_WRITES_MAX: u32 = 64;
/// A path of a file below a granted folder.
pub const PATH_BYTES_MAX: usize = 1 << 10;
/// Code of a workflow, as artifacts are named.
pub const WORKFLOW_BYTES_MAX: usize = 128;
/// What is handed over for later, at once: it is stored with the run, and again with what follows.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Recipients of one message.
pub const RECIPIENTS_MAX: usize = 16;
/// An address: what mail can carry.
pub const ADDRESS_BYTES_MAX: usize = 254;
/// Subject of a message: a line for people.
pub const SUBJECT_BYTES_MAX: usize = 256;
/// Random bytes that a guest with WASI is given at once.
pub const WASI_RANDOM_BYTES_MAX: usize = 64 << 10;
/// One write of a guest with WASI.
pub const WASI_WRITE_BYTES_MAX: usize = 64 << 10;
/// What a guest with WASI writes is kept up to here: for a person to read, not a place for data.
pub const WASI_LOG_BYTES_MAX: usize = 16 << 10;
/// Requests and answers of one call: the transcript is held in memory and committed with the run.
pub const TRANSCRIPT_BYTES_MAX: usize = 16 << 20;
/// Nesting of a JSON document of a guest: the parser recurses.
pub const OUTPUT_DEPTH_MAX: usize = 64;
/// Refusals that one inspection reports; a module with more needs no longer list.
pub const REFUSALS_MAX: usize = 32;
