//! The one engine configuration: which features exist, what an operator costs, how instances are pooled.
//!
//! Everything that can change an outcome or its fuel is part of the [`crate::Fingerprint`]; what only changes speed is not.
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, ModuleVersionStrategy, OperatorCost, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails, WasmFeatures,
};

use crate::error::SandboxError;
use crate::limits::{
    CONCURRENT_CALLS_MAX, GROW_PAGE_FUEL, MEMORY_BYTES_MAX, POOL_CORE_INSTANCES_PER_CALL, POOL_INSTANCE_BYTES, POOL_KEEP_RESIDENT_BYTES,
    POOL_MEMORIES_PER_CALL, POOL_TABLES_PER_CALL, STACK_BYTES, TABLE_ELEMENTS_MAX,
};

/// What executes the guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// Machine code for this CPU.
    #[default]
    Native,
    /// The Pulley interpreter: the same outputs and the same fuel, a second opinion on the same machine.
    Pulley,
}

impl Backend {
    /// `native` or `pulley`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Pulley => "pulley",
        }
    }
}

/// The features that exist. All others are off, also those that a later engine invents.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    // Interpreters linked as position independent code compute segment offsets.
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::COMPONENT_MODEL);

/// NaN bit patterns are one bit pattern.
pub(crate) const NAN_CANONICAL: bool = true;

/// What each operator costs. The defaults of the engine change between releases; the fingerprint hashes this whole table.
pub(crate) fn operator_cost() -> OperatorCost {
    let mut cost = OperatorCost::new();
    cost.variable.memory_grow_per_page = GROW_PAGE_FUEL;
    cost
}

/// The engine for `backend`, with slots for `calls` calls at once.
pub(crate) fn engine(backend: Backend, calls: u32) -> Result<Engine, SandboxError> {
    if calls == 0 || calls > CONCURRENT_CALLS_MAX {
        return Err(SandboxError::Concurrency { got: calls, max: CONCURRENT_CALLS_MAX });
    }
    configure(backend, calls).and_then(|config| Engine::new(&config)).map_err(|e| SandboxError::Engine { detail: e.to_string() })
}

fn configure(backend: Backend, calls: u32) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    match backend {
        Backend::Native => {}
        Backend::Pulley => {
            config.target("pulley64")?;
        }
    }
    config.wasm_features(WasmFeatures::all(), false);
    config.wasm_features(FEATURES, true);
    config.gc_support(false);
    config.concurrency_support(false);
    config.shared_memory(false);
    config.cranelift_nan_canonicalization(NAN_CANONICAL);
    config.relaxed_simd_deterministic(true);
    config.consume_fuel(true);
    config.operator_cost(operator_cost());
    config.epoch_interruption(true);
    config.cranelift_opt_level(OptLevel::Speed);
    config.strategy(Strategy::Cranelift);
    config.max_wasm_stack(STACK_BYTES);
    // Prose about a trap is collected for nobody.
    config.wasm_backtrace_max_frames(None);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config.generate_address_map(false);
    config.native_unwind_info(false);
    // Off, data segments would be charged as fuel: part of the fingerprint.
    config.memory_init_cow(true);
    config.module_version(ModuleVersionStrategy::WasmtimeVersion)?;
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(calls)));
    Ok(config)
}

/// Slots for `calls` calls of the largest components at once: address space, no memory. A call that others kept from its slots would end for
/// want of them on one machine and not on another.
fn pool(calls: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(POOL_CORE_INSTANCES_PER_CALL))
        .total_memories(calls.saturating_mul(POOL_MEMORIES_PER_CALL))
        .total_tables(calls.saturating_mul(POOL_TABLES_PER_CALL))
        .max_core_instances_per_component(POOL_CORE_INSTANCES_PER_CALL)
        .max_memories_per_component(POOL_MEMORIES_PER_CALL)
        .max_tables_per_component(POOL_TABLES_PER_CALL)
        .max_tables_per_module(POOL_TABLES_PER_CALL)
        .max_component_instance_size(POOL_INSTANCE_BYTES)
        .max_core_instance_size(POOL_INSTANCE_BYTES)
        .max_memory_size(usize::try_from(MEMORY_BYTES_MAX).unwrap_or(usize::MAX))
        .table_elements(usize::try_from(TABLE_ELEMENTS_MAX).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(POOL_KEEP_RESIDENT_BYTES)
        .table_keep_resident(POOL_KEEP_RESIDENT_BYTES)
        // Asking the kernel which pages were touched is faster, and passes over those that are swapped out or being moved at that moment: what
        // one call left in them would be there for the next.
        .pagemap_scan(Enabled::No);
    pool
}
